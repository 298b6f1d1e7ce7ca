//! One output stream of a child, cut into records for the dialects that are heard on it.
//!
//! A record is what stands on a line of the screen at one time: it ends with the line, or where the cursor goes back to
//! write over it. Colours are taken out. This file knows where records begin and end, in what order the dialects are
//! asked, and how much is held; it refuses to know what a record says. It works cut anywhere: fed byte by byte, it gives
//! the same as fed whole.

use std::fmt;
use std::time::{Duration, Instant};

use memchr::{memchr, memchr3};

use super::escapes::{ESCAPE, Escapes, Step};
use super::meter::Meter;
use super::osc::Osc;
use super::{Each, Lines, curl};
use crate::protocol::LINE_LIMIT;

/// A record that is overwritten by the next one has no end until then. So much silence is its end: less would cut one
/// that is written in twenty pieces, as curl does.
const SILENCE: Duration = Duration::from_millis(50);
/// The longest record that is read where no dialect of lines claims it by its beginning.
const RECORD_LIMIT: usize = 2048;
/// How much of a line a dialect is shown when it is asked whether the line can be its own.
const HEAD: usize = 64;

const BACKSPACE: u8 = 0x08;

/// What stood on a line of the screen, without escape sequences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The text, of one byte or more.
    pub(super) text: &'a [u8],
    /// Whether it was written over something, or something over it. Else it is a plain line.
    pub(super) redrawn: bool,
    /// Whether a newline came after it: it stays where it is.
    pub(super) stays: bool,
    /// Whether it has been read before, when it was not known yet whether there was more of it.
    pub(super) again: bool,
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Newline,
    Motion,
    /// Of the stream.
    End,
}

/// Reads one output stream of a child.
#[derive(Debug)]
pub struct Stream {
    escapes: Escapes,
    held: Held,
    readers: Readers,
    heard: Option<Instant>,
}

/// The record that is being written.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    /// Whether it began where the cursor had gone back to.
    redrawn: bool,
    /// Whether a carriage return came after it. Before a newline that is nothing, before anything else it is an end.
    returned: bool,
    /// Whether it was too long, and is thrown away.
    lost: bool,
    /// How much of it has been read already, because nothing more came.
    settled: usize,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("length", &self.text.len())
            .field("redrawn", &self.redrawn)
            .finish_non_exhaustive()
    }
}

/// The dialects that are heard on the stream.
#[derive(Debug)]
struct Readers {
    lines: Vec<Box<dyn Lines>>,
    meter: Option<Meter>,
    osc: Option<Osc>,
}

impl Stream {
    /// Reads text meters if `meter`, OSC 9;4 if `osc`, and whole lines in these dialects, the first of which that takes a
    /// line has it.
    #[must_use]
    pub fn new(meter: bool, osc: bool, lines: Vec<Box<dyn Lines>>) -> Self {
        Self {
            escapes: Escapes::default(),
            held: Held::default(),
            readers: Readers {
                lines,
                meter: meter.then(Default::default),
                osc: osc.then(Default::default),
            },
            heard: None,
        }
    }

    /// Takes in the next bytes of the stream.
    pub fn feed(&mut self, mut bytes: &[u8], now: Instant, each: Each<'_>) {
        if !bytes.is_empty() {
            self.heard = Some(now);
        }
        while let Some(&first) = bytes.first() {
            if self.escapes.inside() {
                let step = self.escapes.next(first);
                match step {
                    Step::More | Step::Nothing | Step::Foreign => {}
                    Step::Motion => self.end(Edge::Motion, each),
                    Step::Osc => {
                        if let Some(osc) = &mut self.readers.osc {
                            osc.read(self.escapes.string(), each);
                        }
                    }
                }
                if step != Step::Foreign {
                    bytes = &bytes[1..];
                }
                continue;
            }
            let end = memchr3(ESCAPE, b'\r', BACKSPACE, bytes).unwrap_or(bytes.len());
            if end > 0 {
                self.text(&bytes[..end], each);
                bytes = &bytes[end..];
                continue;
            }
            match first {
                ESCAPE => self.escapes.begin(),
                BACKSPACE => self.end(Edge::Motion, each),
                _ if self.held.is_empty() => self.held.redrawn = true,
                _ => self.held.returned = true,
            }
            bytes = &bytes[1..];
        }
    }

    /// When [`settle`](Self::settle) is to be called if nothing comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let held = &self.held;
        self.readers.meter.as_ref()?;
        let unread = !held.lost && held.text.len() > held.settled;
        let pending = held.returned || held.redrawn && unread;
        self.heard.filter(|_| pending).map(|heard| heard + SILENCE)
    }

    /// Reads the record that is being written if nothing has come for a while: that is what stands on the screen.
    pub fn settle(&mut self, now: Instant, each: Each<'_>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.held.returned {
            self.end(Edge::Motion, each);
            return;
        }
        let record = Record {
            text: &self.held.text,
            redrawn: true,
            stays: false,
            again: false,
        };
        if !self.readers.claimed(record.text) {
            self.readers.record(record, each);
        }
        self.held.settled = self.held.text.len();
    }

    /// The stream is at its end: a last line without newline is a line too.
    pub fn finish(&mut self, each: Each<'_>) {
        self.end(Edge::End, each);
        self.escapes = Escapes::default();
        for dialect in &mut self.readers.lines {
            dialect.end(each);
        }
    }

    /// Text without control characters that matter here, except newlines.
    fn text(&mut self, mut text: &[u8], each: Each<'_>) {
        if self.held.returned && text.first() != Some(&b'\n') {
            self.end(Edge::Motion, each);
        }
        while let Some(end) = memchr(b'\n', text) {
            let line = &text[..end];
            text = &text[end + 1..];
            if self.held.is_empty() && !self.held.redrawn && line.len() <= RECORD_LIMIT {
                // Nearly all that programs print comes this way, and is not copied.
                self.readers.line(line, false, Edge::Newline, 0, each);
            } else {
                self.held.push(line, &self.readers);
                self.end(Edge::Newline, each);
            }
        }
        self.held.push(text, &self.readers);
    }

    fn end(&mut self, edge: Edge, each: Each<'_>) {
        let held = &mut self.held;
        if !held.lost {
            let redrawn = held.redrawn || edge == Edge::Motion;
            let (text, settled) = (&held.text, held.settled);
            self.readers.line(text, redrawn, edge, settled, each);
        }
        held.text.clear();
        held.redrawn = edge == Edge::Motion;
        held.returned = false;
        held.lost = false;
        held.settled = 0;
    }
}

impl Held {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.lost
    }

    /// Adds to the record what has room in it.
    fn push(&mut self, text: &[u8], readers: &Readers) {
        if self.lost {
            return;
        }
        let length = self.text.len() + text.len();
        if length > RECORD_LIMIT {
            // Enough to ask by, and no more: a gigabyte without newline may come in one piece.
            let more = text.len().min(HEAD.saturating_sub(self.text.len()));
            self.text.extend_from_slice(&text[..more]);
            if length > LINE_LIMIT || !readers.claimed(&self.text) {
                self.lost = true;
                self.text = Vec::new();
                return;
            }
            self.text.extend_from_slice(&text[more..]);
            return;
        }
        self.text.extend_from_slice(text);
    }
}

impl Readers {
    /// Whether a dialect of lines may take the line that begins so.
    fn claimed(&self, line: &[u8]) -> bool {
        let head = &line[..line.len().min(HEAD)];
        self.lines.iter().any(|dialect| dialect.starts(head))
    }

    fn line(&mut self, text: &[u8], redrawn: bool, edge: Edge, settled: usize, each: Each<'_>) {
        if text.is_empty() || edge != Edge::Motion && self.take(text, each) {
            return;
        }
        let record = Record {
            text,
            redrawn,
            stays: edge == Edge::Newline,
            again: settled == text.len(),
        };
        self.record(record, each);
    }

    /// Offers a whole line to the dialects of lines.
    fn take(&mut self, text: &[u8], each: Each<'_>) -> bool {
        let head = &text[..text.len().min(HEAD)];
        let mut line = None;
        for dialect in &mut self.lines {
            if !dialect.starts(head) {
                continue;
            }
            // Checked once, and only for a line that somebody may want.
            let line = line.get_or_insert_with(|| std::str::from_utf8(text));
            if line.is_ok_and(|line| dialect.line(line, each)) {
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
