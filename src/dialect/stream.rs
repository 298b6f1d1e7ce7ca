//! One output stream of a child, cut into records for the dialects that read it.
//!
//! Colours are taken out. This file knows in what order the dialects are asked, and what the records of a line mean
//! together; it does not know what a record says. It works cut anywhere: fed byte by byte, it gives the same as fed
//! whole.

use std::time::{Duration, Instant};

use memchr::{memchr, memchr3};

use super::meter::{self, Meter};
use super::osc::Osc;
use super::prefixes::{self, Prefixes};
use super::record::{Cursor, Edge, OpenRecord, RECORD_LIMIT, Record, head, moves};
use super::{Each, Lines, curl};
use crate::model::verdict::{Meaning, Verdict, Verdicts};
use crate::protocol::LINE_LIMIT;
use crate::vt::{ESCAPE, Piece, Splitter};

/// A record that the next one overwrites has no end until then. So a silence of this length is its end. A shorter one
/// would cut a record that is written in twenty pieces, as curl does.
const SILENCE: Duration = Duration::from_millis(50);
const BACKSPACE: u8 = 0x08;

/// Reads one output stream of a child.
pub(super) struct Stream {
    splitter: Splitter,
    open: OpenRecord,
    cursor: Cursor,
    line: LineSoFar,
    /// What was found in the bytes that are being read.
    verdicts: Verdicts,
    readers: Readers,
    heard: Option<Instant>,
}

/// The meaning of the open line, from the records that have ended on it.
#[derive(Debug, Default)]
enum LineSoFar {
    /// No record has ended yet.
    #[default]
    Empty,
    /// All records are for machines.
    Means(&'static str, Meaning),
    /// A record is for people.
    Words,
}

/// The dialects that read the stream.
struct Readers {
    lines: Vec<Box<dyn Lines>>,
    prefixes: Prefixes,
    /// The dialects that are in the middle of a multi-line record: a bit for each.
    open: u32,
    /// The dialects whose lines are for machines.
    for_machines: u32,
    /// The longest line that any dialect reads.
    longest: usize,
    /// The meaning of the line that was taken last, if it is for machines.
    meaning: Option<(&'static str, Meaning)>,
    meter: Option<Meter>,
    osc: Option<Osc>,
}

impl Stream {
    /// Reads text meters if `meter`, OSC 9;4 if `osc`, and whole lines in these dialects. The first dialect that takes
    /// a line has it.
    #[must_use]
    pub(super) fn new(meter: bool, osc: bool, lines: Vec<Box<dyn Lines>>) -> Self {
        Self {
            splitter: Splitter::default(),
            open: OpenRecord::default(),
            cursor: Cursor::default(),
            line: LineSoFar::default(),
            verdicts: Verdicts::default(),
            readers: Readers {
                prefixes: Prefixes::new(lines.iter().map(|dialect| dialect.prefix())),
                open: 0,
                for_machines: (lines.iter().enumerate())
                    .filter(|(_, dialect)| dialect.is_for_machines())
                    .fold(0, |bits, (index, _)| bits | 1 << index),
                longest: lines
                    .iter()
                    .map(|dialect| dialect.longest())
                    .max()
                    .unwrap_or(0),
                meaning: None,
                lines,
                meter: meter.then(Default::default),
                osc: osc.then(Default::default),
            },
            heard: None,
        }
    }

    /// Takes in the next bytes of the stream, and says what the lines in them mean.
    pub(super) fn feed(&mut self, all: &[u8], now: Instant, each: Each<'_>) -> Verdicts {
        let mut bytes = all;
        if !bytes.is_empty() {
            self.heard = Some(now);
            if let Some(meter) = &mut self.readers.meter {
                meter.at(now);
            }
        }
        while let Some(&first) = bytes.first() {
            if first == ESCAPE || self.splitter.is_within() {
                match self.splitter.sequence(&mut bytes) {
                    Some(Piece::String { content, .. }) => {
                        if let (Some(osc), Some(command)) =
                            (&mut self.readers.osc, content.strip_prefix(b"]"))
                        {
                            osc.read(command, each);
                        }
                    }
                    Some(piece) if moves(piece) => {
                        let rows = self.cursor.behind(piece);
                        self.end(Edge::Motion, each);
                        self.cursor.go(rows);
                    }
                    _ => {}
                }
                continue;
            }
            let end = memchr3(ESCAPE, b'\r', BACKSPACE, bytes).unwrap_or(bytes.len());
            if end > 0 {
                self.text(&bytes[..end], all.len() - bytes.len(), each);
                bytes = &bytes[end..];
                continue;
            }
            match first {
                BACKSPACE => self.end(Edge::Motion, each),
                _ if self.open.is_empty() => self.open.redrawn = true,
                _ => self.open.returned = true,
            }
            bytes = &bytes[1..];
        }
        self.verdicts.is_begun = self.is_for_machines();
        std::mem::take(&mut self.verdicts)
    }

    /// Whether the open line begins as one for machines does. An indented one may be a piece of a larger object, which
    /// is for people to see.
    fn is_for_machines(&self) -> bool {
        let text = head(&self.open.text);
        let is_indented = text.first().is_none_or(u8::is_ascii_whitespace);
        let is_alone = !matches!(self.line, LineSoFar::Words);
        !is_indented
            && is_alone
            && self.readers.prefixes.begun(text) & self.readers.for_machines != 0
    }

    /// When [`settle`](Self::settle) is to be called if nothing comes.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<Instant> {
        let open = &self.open;
        self.readers.meter.as_ref()?;
        let unread = !open.lost && open.text.len() > open.settled;
        let can_be_read = || open.redrawn || meter::scale(&open.text).is_some();
        let pending = open.returned || unread && can_be_read();
        self.heard.filter(|_| pending).map(|heard| heard + SILENCE)
    }

    /// Reads the open record if nothing has come for a while: that is what stands on the screen.
    pub(super) fn settle(&mut self, now: Instant, each: Each<'_>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.open.returned {
            self.end(Edge::Motion, each);
            return;
        }
        let record = Record {
            text: &self.open.text,
            redrawn: true,
            stays: false,
            again: false,
            row: self.cursor.row,
            top: self.cursor.top.min(self.cursor.row),
        };
        if !self.readers.claimed(record.text) {
            if self.open.redrawn {
                self.readers.record(record, each);
            } else if let Some(meter) = &mut self.readers.meter {
                meter.read_scale(record, each);
            }
            self.open.read = self.open.text.len();
        }
        self.open.settled = self.open.text.len();
    }

    /// The stream is at its end: a last line without newline is a line too.
    pub(super) fn finish(&mut self, each: Each<'_>) {
        self.end(Edge::End, each);
        self.splitter = Splitter::default();
        for dialect in &mut self.readers.lines {
            dialect.end(each);
        }
    }

    /// How much is held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.open.text.len()
    }

    /// Reads text without control characters that matter here, except newlines; `at` is its place in the bytes that are
    /// being read.
    fn text(&mut self, text: &[u8], at: usize, each: Each<'_>) {
        if self.open.returned && text.first() != Some(&b'\n') {
            self.end(Edge::Motion, each);
        }
        let mut signs = Signs::new(text);
        let mut start = 0;
        while let Some(length) = memchr(b'\n', &text[start..]) {
            let end = start + length;
            let line = &text[start..end];
            self.open.redrawn |= self.open.is_empty() && self.cursor.is_on_record();
            if self.open.is_empty() && !self.open.redrawn && length <= RECORD_LIMIT {
                // Nearly all output comes this way, and is neither copied nor looked at any closer.
                if self.readers.begun(line) || signs.are_within(start, end) {
                    self.readers
                        .line(line, false, Edge::Newline, 0, self.cursor, each);
                    if let Some((source, meaning)) = self.readers.meaning.take() {
                        self.line = LineSoFar::Means(source, meaning);
                        self.end_line(at + end + 1);
                    }
                }
                self.cursor.end_record();
            } else {
                self.open.push(line, |head| self.readers.longest(head));
                self.end(Edge::Newline, each);
                self.end_line(at + end + 1);
            }
            self.cursor.next_line();
            start = end + 1;
        }
        self.open.redrawn |= self.open.is_empty() && self.cursor.is_on_record();
        self.open
            .push(&text[start..], |head| self.readers.longest(head));
    }

    /// The line ends before this byte of what is being read.
    fn end_line(&mut self, end: usize) {
        if let LineSoFar::Means(source, meaning) = std::mem::take(&mut self.line) {
            let verdict = Verdict {
                end,
                source,
                meaning,
            };
            self.verdicts.lines.push(verdict);
        }
    }

    fn end(&mut self, edge: Edge, each: Each<'_>) {
        let open = &mut self.open;
        if !open.lost {
            let redrawn = open.redrawn || edge == Edge::Motion;
            let (text, read) = (&open.text, open.read);
            self.readers
                .line(text, redrawn, edge, read, self.cursor, each);
        }
        if !open.is_empty() {
            self.line.add(self.readers.meaning.take());
            self.cursor.end_record();
        }
        open.begin(edge);
    }
}

impl LineSoFar {
    /// Adds a record; `meaning` if it is for machines.
    fn add(&mut self, meaning: Option<(&'static str, Meaning)>) {
        *self = match (std::mem::take(self), meaning) {
            (Self::Empty, Some((source, meaning))) => Self::Means(source, meaning),
            (Self::Means(one, Meaning::Progress), Some((other, Meaning::Progress)))
                if one == other =>
            {
                Self::Means(one, Meaning::Progress)
            }
            _ => Self::Words,
        };
    }
}

impl Readers {
    /// Whether a dialect of lines may own a line that begins so.
    fn claimed(&self, line: &[u8]) -> bool {
        (self.open | self.prefixes.possible(head(line))) != 0
    }

    /// The longest that a line with this beginning may be.
    fn longest(&self, line: &[u8]) -> usize {
        if self.claimed(line) {
            self.longest
        } else {
            RECORD_LIMIT
        }
    }

    /// Like `claimed`, but without the signs that may stand anywhere in a line.
    fn begun(&self, line: &[u8]) -> bool {
        (self.open | self.prefixes.begun(head(line))) != 0
    }

    fn line(
        &mut self,
        text: &[u8],
        redrawn: bool,
        edge: Edge,
        read: usize,
        cursor: Cursor,
        each: Each<'_>,
    ) {
        if text.is_empty() || self.take(text, each) {
            return;
        }
        let record = Record {
            text,
            redrawn,
            stays: edge == Edge::Newline,
            again: read == text.len(),
            row: cursor.row,
            top: cursor.top.min(cursor.row),
        };
        // A scale has been read while it grew.
        if read > 0
            && !redrawn
            && let Some(meter) = &mut self.meter
        {
            meter.read_scale(record, each);
            return;
        }
        self.record(record, each);
    }

    /// Offers a whole line to the dialects of lines.
    fn take(&mut self, text: &[u8], each: Each<'_>) -> bool {
        let asked = self.open | self.prefixes.possible(head(text));
        // The encoding is checked once, and only for a line that a dialect may own.
        let Some(line) = (asked != 0)
            .then(|| std::str::from_utf8(text).ok())
            .flatten()
        else {
            return false;
        };
        for (index, dialect) in self.lines.iter_mut().enumerate() {
            let bit = 1 << index;
            if asked & bit == 0 || text.len() > LINE_LIMIT && text.len() > dialect.longest() {
                continue;
            }
            let taken = dialect.line(line, each);
            self.open = self.open & !bit | if dialect.is_open() { bit } else { 0 };
            if taken {
                self.meaning = dialect.meaning();
                return true;
            }
        }
        false
    }

    fn record(&mut self, record: Record<'_>, each: Each<'_>) {
        let Some(meter) = &mut self.meter else {
            return;
        };
        if record.text.len() <= RECORD_LIMIT && !curl::read(record, each) {
            meter.read(record, each);
        }
    }
}

/// Finds the signs without which a line with an unknown beginning belongs to no dialect. Each sign is searched through
/// many lines at once, and again only behind the one that was found.
struct Signs<'a> {
    text: &'a [u8],
    /// The next place of each sign, or the end of the text; none before the first search.
    next: [Option<usize>; 4],
}

type Find = fn(&[u8]) -> Option<usize>;

impl<'a> Signs<'a> {
    const FIND: [Find; 4] = [meter::sign, meter::word, meter::percent, prefixes::hashes];

    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            next: [None; 4],
        }
    }

    fn are_within(&mut self, start: usize, end: usize) -> bool {
        self.next.iter_mut().zip(Self::FIND).any(|(next, find)| {
            let found = match *next {
                Some(found) if found >= start => found,
                _ => find(&self.text[start..]).map_or(self.text.len(), |at| start + at),
            };
            *next = Some(found);
            found < end
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefixes::Prefix;
    use super::*;
    use crate::protocol::Progress;

    /// A dialect of lines that begin with a word and a blank.
    #[derive(Debug)]
    struct Word(&'static [&'static str]);

    impl Lines for Word {
        fn prefix(&self) -> Prefix {
            Prefix::Begins(self.0)
        }

        fn line(&mut self, line: &str, each: Each<'_>) -> bool {
            let report = Progress {
                message: Some(line.to_owned().into()),
                ..Progress::default()
            };
            each(self.0[0], &report);
            line.len() > self.0[0].len()
        }
    }

    struct Received {
        stream: Stream,
        now: Instant,
        seen: Vec<String>,
    }

    impl Received {
        fn new() -> Self {
            let lines: Vec<Box<dyn Lines>> = vec![Box::new(Word(&["a"])), Box::new(Word(&["ab"]))];
            Self {
                stream: Stream::new(true, true, lines),
                now: Instant::now(),
                seen: Vec::new(),
            }
        }

        fn feed(mut self, bytes: &[u8]) -> Self {
            let seen = &mut self.seen;
            self.stream.feed(bytes, self.now, &mut tell(seen));
            self
        }

        /// Nothing comes for a while.
        fn wait(mut self) -> Self {
            let seen = &mut self.seen;
            let deadline = self
                .stream
                .deadline()
                .expect("there is something to wait for");
            assert!(deadline > self.now);
            self.stream
                .settle(self.now, &mut |name, _| panic!("{name} is too early"));
            self.now = deadline;
            self.stream.settle(self.now, &mut tell(seen));
            self
        }

        fn finish(mut self) -> Vec<String> {
            self.stream.finish(&mut tell(&mut self.seen));
            self.seen
        }
    }

    fn tell(seen: &mut Vec<String>) -> impl FnMut(&'static str, &Progress<'_>) + '_ {
        |name, progress| seen.push(format!("{name} {}", progress.to_json()))
    }

    #[test]
    fn the_first_dialect_that_takes_a_line_has_it() {
        let seen = Received::new().feed(b"ax\na\nab\nb\n").finish();
        let expected = [
            r#"a {"message":"ax"}"#,
            r#"a {"message":"a"}"#,
            r#"a {"message":"ab"}"#,
        ];
        assert_eq!(seen, expected);
    }

    /// A dialect that takes everything from one line to another.
    #[derive(Debug, Default)]
    struct Quote {
        is_open: bool,
    }

    impl Lines for Quote {
        fn prefix(&self) -> Prefix {
            Prefix::Begins(&["<"])
        }

        fn is_open(&self) -> bool {
            self.is_open
        }

        fn line(&mut self, line: &str, _: Each<'_>) -> bool {
            self.is_open = line != ">";
            true
        }
    }

    #[test]
    fn a_dialect_in_the_middle_of_a_record_has_the_next_line_whatever_it_is() {
        let mut heard = Received::new();
        heard.stream = Stream::new(true, false, vec![Box::<Quote>::default()]);
        let heard = heard.feed(b"<\n10% ETA\r20% ETA\r30% ETA\r40% ETA\n>\n");
        assert_eq!(heard.seen, [""; 0]);
        let seen = heard.feed(b"10% ETA\r20% ETA\r30% ETA\r").finish();
        let meter = [20, 30].map(|percentage| format!("meter {{\"percentage\":{percentage}}}"));
        assert_eq!(seen, meter);
    }

    #[test]
    fn what_a_terminal_does_around_a_line_is_no_part_of_it() {
        let bytes = b"ax\r\n\r\x1b[2Kax\r\n\x1b[1max\x1b[m\x1b[K\r\n\x1b]0;title\x07ax";
        assert_eq!(
            Received::new().feed(bytes).finish(),
            [r#"a {"message":"ax"}"#; 4]
        );
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_passed_over_and_the_next_one_is_read() {
        let seen = Received::new().feed(b"ax\xff\nax\n").finish();
        assert_eq!(seen, [r#"a {"message":"ax"}"#]);
    }

    #[test]
    fn a_long_line_is_held_only_for_a_dialect_that_may_take_it() {
        let long = "x".repeat(30_000);
        let mut heard = Received::new().feed(long.as_bytes());
        assert_eq!(heard.stream.held(), 0);
        heard = heard.feed(b"\na").feed(long.as_bytes());
        assert_eq!(heard.stream.held(), 30_001);
        heard = heard.feed(long.as_bytes()).feed(long.as_bytes());
        assert_eq!(heard.stream.held(), 0);
        let seen = heard.feed(b"\nax\n").finish();
        assert_eq!(seen, [r#"a {"message":"ax"}"#]);
    }

    /// A dialect that looks at lines with a number sign, and takes none.
    #[derive(Debug)]
    struct Picky;

    impl Lines for Picky {
        fn prefix(&self) -> Prefix {
            Prefix::Begins(&["#"])
        }

        fn line(&mut self, _: &str, _: Each<'_>) -> bool {
            false
        }
    }

    #[test]
    fn a_record_that_a_dialect_of_lines_did_not_want_after_all_is_read_at_its_end() {
        let mut heard = Received::new();
        heard.stream = Stream::new(true, false, vec![Box::new(Picky)]);
        let heard = heard
            .feed(b"\r#1 10% ETA")
            .wait()
            .feed(b"\r#1 20% ETA")
            .wait();
        assert_eq!(heard.stream.deadline(), None);
        let seen = heard.feed(b"\r").finish();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].contains(r#""percentage":20"#), "{seen:?}");
    }

    #[test]
    fn a_record_that_is_on_the_screen_is_read_after_a_silence_and_only_once() {
        let heard = Received::new().feed(b"\r 10% ETA\r 20").feed(b"% ETA");
        let heard = heard.wait();
        assert_eq!(heard.seen, [r#"meter {"percentage":20}"#]);
        assert_eq!(heard.stream.deadline(), None);
        let seen = heard.feed(b"\r 30% ETA\r").finish();
        let expected = [r#"meter {"percentage":20}"#, r#"meter {"percentage":30}"#];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_record_that_ends_with_its_carriage_return_need_not_wait_for_the_next() {
        let heard = Received::new().feed(b" 10% ETA\r 20% ETA\r").wait();
        assert_eq!(heard.seen, [r#"meter {"percentage":20}"#]);
    }

    #[test]
    fn there_is_nothing_to_wait_for_in_the_middle_of_a_plain_line() {
        let heard = Received::new().feed(b"line\n 10%");
        assert_eq!(heard.stream.deadline(), None);
    }

    #[test]
    fn backspaces_and_cursor_motion_end_a_record_as_well() {
        let bytes = b" 10% ETA\x08\x08\x08\x08 20% ETA\x1b[1G 30% ETA\x1b[A\n 40% ETA\x1b[2K";
        let expected = [20, 30, 40].map(|value| format!(r#"meter {{"percentage":{value}}}"#));
        assert_eq!(Received::new().feed(bytes).finish(), expected);
    }

    #[test]
    fn osc_is_heard_in_the_middle_of_anything() {
        let seen = Received::new().feed(b"a\x1b]9;4;1;42\x1b\\x\n").finish();
        let expected = [r#"osc {"percentage":42}"#, r#"a {"message":"ax"}"#];
        assert_eq!(seen, expected);
    }
}
