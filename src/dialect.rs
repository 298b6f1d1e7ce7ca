//! Progress that other programs write. A dialect only reads the bytes that pass: it takes none out of the output.
//!
//! One [`Dialects`] reads all that one child gives: its output streams, and descriptors that a program was told to
//! write its status to. Each dialect is a file below this one. It gives [`Progress`] and, for lines that are written
//! for machines, what they mean. This file knows which dialect is asked where. It knows no pipe, process or screen, and
//! has no clock: the caller says what time it is. Nothing that a program writes is an error here: what is not
//! understood is passed over, and what is kept of it is bounded.

mod apt;
mod azure;
mod belief;
mod curl;
mod dpkg;
mod e2fsck;
mod ffmpeg;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gpg;
pub(crate) mod json;
#[cfg(test)]
mod line_properties;
mod meter;
mod osc;
mod pace;
mod pip;
mod prefixes;
mod programs;
mod progrun;
#[cfg(test)]
mod properties;
mod recognise;
mod record;
mod remote;
mod selection;
mod stream;
mod tap;
mod teamcity;
mod zig;

use std::time::Instant;

use crate::model::batch::Batch;
use crate::model::verdict::{Meaning, Verdicts};
use crate::protocol::{LINE_LIMIT, Progress};

use self::belief::Belief;
use self::ffmpeg::Ffmpeg;
use self::json::Json;
use self::prefixes::Prefix;
use self::stream::Stream;
use self::zig::Zig;

pub(crate) use self::programs::stands_for;
pub use self::programs::{programs, programs_of};
pub use self::selection::Selection;

/// Where a dialect is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the child prints on standard output.
    Stdout,
    /// What the child prints on standard error.
    Stderr,
    /// The channel, where a program that has a switch for it writes its own status lines.
    Channel,
    /// The descriptor of `ZIG_PROGRESS`.
    Zig,
}

/// A format, as `--list-formats` describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What `--from` calls it.
    pub name: &'static str,
    /// What it says of the program, and where it is read.
    pub about: &'static str,
    /// The switch that makes the program write it; empty where it does so anyway.
    pub switch: &'static str,
}

/// All formats, the most exact first and what is only drawn for people last. Of several that speak at once the first is
/// believed.
pub fn formats() -> impl Iterator<Item = &'static Format> {
    const FIRST: &[Format] = &[
        progrun::FORMAT,
        apt::FORMAT,
        dpkg::FORMAT,
        e2fsck::FORMAT,
        gpg::FORMAT,
        ffmpeg::FORMAT,
    ];
    const LAST: &[Format] = &[
        pip::FORMAT,
        tap::FORMAT,
        teamcity::FORMAT,
        azure::FORMAT,
        zig::FORMAT,
        osc::FORMAT,
        curl::FORMAT,
        meter::FORMAT,
        Format {
            name: FILES,
            about: "no format: how much of a large open file has been read, an estimate (Linux)",
            switch: "",
        },
    ];
    FIRST.iter().chain(json::FORMATS).chain(LAST)
}

/// The name of the format that is called so, as long as the program lives.
#[must_use]
pub(crate) fn known(name: &str) -> Option<&'static str> {
    let mut names = formats().map(|format| format.name);
    names.find(|known| *known == name)
}

/// The name of a source that is no format: how far the child has read a file, as the system tells it. An estimate, for
/// there may be more to do than to read.
pub(crate) const FILES: &str = "files";

/// Receives the reports of a dialect: a call for each, with the name of the format.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&'static str, &Progress<'_>);

/// Cap for scraped percentages. A meter often reaches 100 once per file; only the exit says that all is done.
const SHOWN: f64 = 99.9;

/// A dialect of whole lines. Not `Debug`: a trait object would bring that of every dialect into the program.
pub trait Lines: Send {
    /// What every line of this dialect has in its first 64 bytes. The dialect is asked about no other.
    fn prefix(&self) -> Prefix;

    /// Whether the dialect is in the middle of a multi-line record, and must see the next line whatever it looks like.
    fn is_open(&self) -> bool {
        false
    }

    /// Whether the lines of this dialect are written for machines, so that one that has begun can wait for its end
    /// before it is shown.
    fn is_for_machines(&self) -> bool {
        false
    }

    /// The longest line that this dialect reads.
    fn longest(&self) -> usize {
        LINE_LIMIT
    }

    /// Reads a line, without its end. Gives true if the line is written in this dialect, even if it reports nothing:
    /// then no other dialect is asked.
    fn line(&mut self, line: &str, each: Each<'_>) -> bool;

    /// What the line that was read last means, with the name of its format; none if it is for people. The answer is
    /// given once.
    fn meaning(&mut self) -> Option<(&'static str, Meaning)> {
        None
    }

    /// There are no more lines.
    fn end(&mut self, _each: Each<'_>) {}
}

/// Everything that is read of one child.
pub struct Dialects {
    /// None before the first bytes: many a child prints nothing that is read, and a short run should not pay for
    /// readers.
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    /// None before the channel is claimed.
    channel: Option<Stream>,
    zig: Zig,
    ffmpeg: Ffmpeg,
    belief: Belief,
}

impl Dialects {
    /// Reads what is selected; `keeps_every_report` if every report is wanted, not only the newest of each part.
    #[must_use]
    pub fn new(selection: Selection, keeps_every_report: bool) -> Self {
        Self {
            stdout: None,
            stderr: None,
            channel: None,
            zig: Zig::default(),
            ffmpeg: Ffmpeg::default(),
            belief: Belief::new(selection, keeps_every_report),
        }
    }

    /// A bar that is drawn for people is given at most twenty times a second where only its value changes.
    pub fn pace(&mut self) {
        self.belief.pace();
    }

    /// The child has reported on its own channel: nothing else is believed any more.
    pub fn overrule(&mut self) {
        self.belief.overrule();
    }

    /// Whether `--from` names a format that is written to the channel: then the channel may belong to another program
    /// that has written nothing yet.
    #[must_use]
    pub fn expects_channel(&self) -> bool {
        recognise::on_the_channel(&self.ffmpeg)
            .iter()
            .any(|(format, _)| self.belief.selection().asks_for(format.name))
    }

    /// Whether the channel belongs to another program: its first bytes are that program's, or `--from` names a format
    /// that is read nowhere else.
    pub fn claims_channel(&mut self, first: &[u8]) -> bool {
        let first_line = first.split(|byte| *byte == b'\n').next().unwrap_or(first);
        let is_read = |name: &&str| self.belief.selection().reads(name);
        let recognised = recognise::recognise(first_line).filter(is_read);
        // Not ffmpeg: a script may run it for its meter and report for itself.
        let is_named = |name| name != ffmpeg::FORMAT.name && self.belief.selection().asks_for(name);
        let lines: Vec<_> = recognise::on_the_channel(&self.ffmpeg)
            .into_iter()
            .filter(|(format, _)| recognised == Some(format.name) || is_named(format.name))
            .map(|(_, lines)| lines)
            .collect();
        if !lines.is_empty() {
            self.channel = Some(Stream::new(false, false, lines));
        }
        self.channel.is_some()
    }

    /// Takes in the next bytes of a place, and says what the lines in them mean.
    pub fn feed(&mut self, place: Place, bytes: &[u8], now: Instant) -> Verdicts {
        if place == Place::Zig {
            let belief = &mut self.belief;
            self.zig.feed(bytes, &mut |source, progress| {
                belief.report(source, progress, now);
            });
        }
        self.open(place);
        let found = self.on(place, now, |stream, each| stream.feed(bytes, now, each));
        found.unwrap_or_default()
    }

    /// Makes the reader of an output when its first bytes come.
    fn open(&mut self, place: Place) {
        let output = match place {
            Place::Stdout => &mut self.stdout,
            Place::Stderr => &mut self.stderr,
            Place::Channel | Place::Zig => return,
        };
        if output.is_none() {
            *output = stream(self.belief.selection(), &self.ffmpeg);
        }
    }

    /// When to call [`settle`](Self::settle) if nothing comes: many a record on the screen is not terminated before the
    /// next one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let streams = [&self.stdout, &self.stderr];
        let deadlines = streams.into_iter().flatten().filter_map(Stream::deadline);
        deadlines.chain(self.belief.deadline()).min()
    }

    /// Time has passed without more bytes: reads the open record if it is due.
    pub fn settle(&mut self, now: Instant) {
        for place in [Place::Stdout, Place::Stderr] {
            self.on(place, now, |stream, each| stream.settle(now, each));
        }
        self.belief.settle(now);
    }

    /// A place is at its end.
    pub fn finish(&mut self, place: Place, now: Instant) {
        self.on(place, now, Stream::finish);
        self.belief.finish();
    }

    /// What was found since the last call.
    pub fn take(&mut self) -> Batch {
        self.belief.take()
    }

    fn on<T>(
        &mut self,
        place: Place,
        now: Instant,
        act: impl FnOnce(&mut Stream, Each<'_>) -> T,
    ) -> Option<T> {
        let stream = match place {
            Place::Stdout => &mut self.stdout,
            Place::Stderr => &mut self.stderr,
            Place::Channel => &mut self.channel,
            Place::Zig => &mut None,
        };
        let belief = &mut self.belief;
        stream.as_mut().map(|stream| {
            act(stream, &mut |source, progress| {
                belief.report(source, progress, now);
            })
        })
    }
}

/// The reader of an output stream; none if nothing is selected.
fn stream(selection: &Selection, ffmpeg: &Ffmpeg) -> Option<Stream> {
    if *selection == Selection::None {
        return None;
    }
    let mut lines: Vec<Box<dyn Lines>> = Vec::new();
    let mut add = |format: &Format, dialect: Box<dyn Lines>| {
        if selection.reads(format.name) {
            lines.push(dialect);
        }
    };
    add(&progrun::FORMAT, Box::<progrun::Progrun>::default());
    add(&apt::FORMAT, Box::<apt::Apt>::default());
    add(&gpg::FORMAT, Box::<gpg::Gpg>::default());
    add(&ffmpeg::FORMAT, Box::new(ffmpeg.beside()));
    add(&pip::FORMAT, Box::<pip::Pip>::default());
    add(&tap::FORMAT, Box::<tap::Tap>::default());
    add(&teamcity::FORMAT, Box::<teamcity::Teamcity>::default());
    add(&azure::FORMAT, Box::<azure::Azure>::default());
    // Four plain words on a line may be any program's.
    if selection.asks_for(dpkg::FORMAT.name) {
        lines.push(Box::<dpkg::Dpkg>::default());
    }
    if selection.asks_for(e2fsck::FORMAT.name) {
        lines.push(Box::<e2fsck::E2fsck>::default());
    }
    lines.push(Box::new(Json::new(|name| selection.reads(name))));
    let meters = selection.reads(meter::FORMAT.name) || selection.reads(curl::FORMAT.name);
    Some(Stream::new(
        meters,
        selection.reads(osc::FORMAT.name),
        lines,
    ))
}

/// Whether a program draws its progress in this format for people, as often as it likes.
#[must_use]
pub(crate) fn is_drawn(source: &str) -> bool {
    [meter::FORMAT.name, curl::FORMAT.name, osc::FORMAT.name].contains(&source)
}

/// Whether a record that a program redraws is a meter by its form.
#[must_use]
pub(crate) fn draws_a_meter(text: &[u8]) -> bool {
    meter::is_drawn(text)
}

/// Whether the lines that a program redraws in this format say something in words. curl's columns of figures do not.
#[must_use]
pub(crate) fn redraws_words(source: &str) -> bool {
    source != curl::FORMAT.name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn only(names: &[&'static str]) -> Dialects {
        Dialects::new(Selection::Only(names.to_vec()), true)
    }

    fn auto() -> Dialects {
        Dialects::new(Selection::Auto, true)
    }

    /// What was reported since the last time, with its source.
    fn said(dialects: &mut Dialects) -> (Option<&'static str>, Vec<String>) {
        let reports = dialects.take();
        let lines = reports.verbatim.iter().map(|line| match line {
            crate::model::batch::VerbatimLine::Info(info) => info.to_owned(),
            line @ crate::model::batch::VerbatimLine::Malformed(_) => panic!("{line:?}"),
        });
        let lines = lines.collect();
        (reports.source, lines)
    }

    const METER: &[u8] = b"\r 10% ETA\r 20% ETA\r 30% ETA\r";
    const OBJECT: &[u8] =
        b"{\"message_type\":\"status\",\"percent_done\":0.5,\"total_bytes\":2,\"bytes_done\":1}\n";
    const OWN: &[u8] = b"{\"progress\":1,\"total\":2}\n\
        {\"event\":\"progress\",\"task\":1,\"elapsed\":0.1,\"info\":{\"progress\":2}}\n";

    #[test]
    fn what_is_printed_is_taken_for_lines_of_our_own_only_where_they_were_asked_for() {
        let now = Instant::now();
        let mut dialects = auto();
        dialects.feed(Place::Stdout, OWN, now);
        assert_eq!(said(&mut dialects), (None, Vec::new()));
        let mut dialects = only(&["progrun"]);
        dialects.feed(Place::Stdout, OWN, now);
        let reports = [r#"{"progress":1,"total":2}"#, r#"{"progress":2}"#].map(str::to_owned);
        assert_eq!(said(&mut dialects), (Some("progrun"), reports.to_vec()));
    }

    #[test]
    fn what_says_exactly_what_it_means_is_believed_before_what_is_drawn_for_people() {
        let (mut dialects, now) = (auto(), Instant::now());
        dialects.feed(Place::Stderr, METER, now);
        assert_eq!(said(&mut dialects).0, Some("meter"));
        dialects.feed(Place::Stdout, OBJECT, now);
        dialects.feed(Place::Stderr, b" 40% ETA\r 50% ETA\r", now);
        let object = r#"{"progress":1,"total":2,"unit":"bytes"}"#.to_owned();
        assert_eq!(said(&mut dialects), (Some("restic"), vec![object]));
    }

    #[test]
    fn a_source_that_was_silent_for_three_seconds_is_believed_no_longer_before_others() {
        let (mut dialects, now) = (auto(), Instant::now());
        dialects.feed(Place::Stdout, OBJECT, now);
        said(&mut dialects);
        dialects.feed(Place::Stderr, METER, now + Duration::from_millis(2999));
        assert_eq!(said(&mut dialects).1.len(), 0);
        dialects.feed(
            Place::Stderr,
            b" 40% ETA\r 50% ETA\r",
            now + Duration::from_secs(3),
        );
        assert_eq!(said(&mut dialects).0, Some("meter"));
    }

    #[test]
    fn binary_data_holds_no_progress() {
        let (mut dialects, now) = (auto(), Instant::now());
        let mut state = 1_u64;
        let mut byte = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let data: Vec<u8> = (0..2_000_000).map(|_| byte()).collect();
        for (number, piece) in (0..).zip(data.chunks(4096)) {
            dialects.feed(
                Place::Stdout,
                piece,
                now + number * Duration::from_millis(50),
            );
        }
        assert_eq!(said(&mut dialects), (None, Vec::new()));
    }

    #[test]
    fn a_child_that_reports_on_its_own_channel_is_believed_alone() {
        let (mut dialects, now) = (auto(), Instant::now());
        dialects.overrule();
        dialects.feed(Place::Stdout, OBJECT, now);
        assert_eq!(said(&mut dialects).1.len(), 0);
    }

    #[test]
    fn the_first_line_of_the_channel_says_whose_it_is() {
        let now = Instant::now();
        let line = b"pmstatus:dpkg-exec:50.0:Running dpkg\n";
        let mut dialects = auto();
        assert!(!dialects.claims_channel(b"3/10 copying a.jpg\n"));
        assert!(dialects.claims_channel(line));
        dialects.feed(Place::Channel, line, now);
        assert_eq!(said(&mut dialects).0, Some("apt"));
        assert!(!only(&["restic"]).claims_channel(line));
        assert!(!Dialects::new(Selection::None, true).claims_channel(line));
    }

    #[test]
    fn a_format_that_is_named_has_the_channel_whatever_its_first_line_is() {
        assert!(only(&["e2fsck"]).expects_channel());
        assert!(only(&["e2fsck"]).claims_channel(b"1 0 32 sda1\n"));
        assert!(only(&["ffmpeg"]).expects_channel());
        assert!(!only(&["ffmpeg"]).claims_channel(b"3/10\n"));
        assert!(!only(&["restic"]).expects_channel());
        assert!(!auto().expects_channel());
    }

    #[test]
    fn only_what_was_named_is_read() {
        let now = Instant::now();
        let mut dialects = only(&["curl"]);
        dialects.feed(Place::Stderr, METER, now);
        dialects.feed(Place::Stdout, OBJECT, now);
        assert_eq!(said(&mut dialects).1.len(), 0);
        let mut none = Dialects::new(Selection::None, true);
        none.feed(Place::Stdout, OBJECT, now);
        assert_eq!(said(&mut none), (None, Vec::new()));
    }

    #[test]
    fn every_format_has_a_name_of_its_own() {
        let mut names: Vec<_> = formats().map(|format| format.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
