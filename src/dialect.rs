//! Progress that other programs write, for whoever watches them: what passes through us anyway is read, never eaten.
//!
//! One [`Dialects`] reads all that one child gives: its output streams, and descriptors that a program was told to write
//! its status to. Each dialect is a file below this one, and gives [`Progress`](crate::protocol::Progress); this file
//! knows which of them is heard where, and which is believed when several speak at once. It knows no pipe, process or
//! screen, and has no clock: it is told what time it is. Nothing that a program writes is an error here: what is not
//! understood is passed over, and what is kept of it is bounded.

mod curl;
mod escapes;
mod meter;
mod osc;
#[cfg(test)]
mod properties;
pub mod stream;

use std::fmt;
use std::time::Instant;

use crate::protocol::Progress;
use crate::reports::{Fold, Reports};
use stream::Stream;

/// Where a dialect is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the child prints on standard output.
    Stdout,
    /// What it prints on standard error.
    Stderr,
    /// The channel, where a program that has a switch for it writes its own status lines.
    Channel,
    /// The descriptor of `ZIG_PROGRESS`.
    Zig,
}

/// A format, as `--list-formats` tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What `--from` calls it.
    pub name: &'static str,
    /// What it is, and where it is read.
    pub about: &'static str,
    /// How the program is told to write it; empty where it does so anyway.
    pub switch: &'static str,
}

/// All formats, those that are believed first.
pub static FORMATS: &[Format] = &[
    Format {
        name: osc::NAME,
        about: "progress for the terminal's title bar or taskbar (OSC 9;4), on stdout or stderr",
        switch: "",
    },
    Format {
        name: curl::NAME,
        about: "the meter of curl, on stderr",
        switch: "",
    },
    Format {
        name: meter::NAME,
        about: "percentages and counts drawn for people, on stdout or stderr: git, rsync, wget, tqdm, cmake, ninja, 7z",
        switch: "",
    },
];

/// Which formats are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Whatever is recognised in what passes through us anyway.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// These, wherever they are written.
    Only(Vec<&'static str>),
}

/// The most, in percent, that a meter meant for a screen is taken to say of the whole: its 100 proves nothing, and often
/// comes once for each file. Only the exit of the child says that it is done.
const SHOWN: f64 = 99.9;

/// How a dialect gives what it reads: a call for each report, with the name of the format.
pub type Each<'a> = &'a mut dyn FnMut(&'static str, &Progress<'_>);

/// A dialect of whole lines.
pub trait Lines: fmt::Debug + Send {
    /// Whether a line that begins so, with its first 64 bytes at most, can be of this dialect. Asked of every line that is
    /// printed, so it looks at a few bytes and no more.
    fn starts(&self, _head: &[u8]) -> bool {
        true
    }

    /// Reads a line, without its end. Gives whether it is written in this dialect, so that no other need look at it: also
    /// if nothing was to be reported of it.
    fn line(&mut self, line: &str, each: Each<'_>) -> bool;

    /// There are no more lines.
    fn end(&mut self, _each: Each<'_>) {}
}

/// Everything that is read of one child.
#[derive(Debug)]
pub struct Dialects {
    stdout: Stream,
    stderr: Stream,
    fold: Fold,
    source: Option<&'static str>,
}

impl Dialects {
    /// Reads what is selected; `verbatim` if every report is wanted, not only the newest of each part.
    #[must_use]
    pub fn new(selection: &Selection, verbatim: bool) -> Self {
        let reads = |name| match selection {
            Selection::Auto => true,
            Selection::None => false,
            Selection::Only(names) => names.contains(&name),
        };
        let stream = || {
            let meters = reads(meter::NAME) || reads(curl::NAME);
            Stream::new(meters, reads(osc::NAME), Vec::new())
        };
        Self {
            stdout: stream(),
            stderr: stream(),
            fold: Fold::new(verbatim),
            source: None,
        }
    }

    /// Takes in the next bytes of a place.
    pub fn feed(&mut self, place: Place, bytes: &[u8], now: Instant) {
        self.on(place, |stream, each| stream.feed(bytes, now, each));
    }

    /// When [`settle`](Self::settle) is to be called if nothing comes: a record is often not terminated when it is on the
    /// screen.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.stdout.deadline(), self.stderr.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Time has passed without more bytes: takes what is begun to be complete, if it is time to.
    pub fn settle(&mut self, now: Instant) {
        for place in [Place::Stdout, Place::Stderr] {
            self.on(place, |stream, each| stream.settle(now, each));
        }
    }

    /// A place is at its end.
    pub fn finish(&mut self, place: Place) {
        self.on(place, Stream::finish);
    }

    /// What was found since the last call.
    pub fn take(&mut self) -> Reports {
        let mut reports = self.fold.take();
        reports.source = self.source;
        reports
    }

    fn on(&mut self, place: Place, act: impl FnOnce(&mut Stream, Each<'_>)) {
        let stream = match place {
            Place::Stdout => &mut self.stdout,
            Place::Stderr => &mut self.stderr,
            Place::Channel | Place::Zig => return,
        };
        act(stream, &mut |name, progress| {
            self.source = Some(name);
            self.fold.report(progress);
        });
    }
}
