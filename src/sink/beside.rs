//! Lines of ours beside the output of the children, which another sink writes to the same place: each begins a line of
//! its own. Knows neither tasks nor what the lines say.

use std::time::Duration;

use crate::event::Stream;
use crate::flow::Permit;

use super::standard::SharedFile;
use super::writer::Writer;

/// How long a line of ours waits for the end of one that a child has left open.
const OPEN_LINE: Duration = Duration::from_secs(1);
/// How often a file is looked at meanwhile, to which the children write themselves.
const LOOK: Duration = Duration::from_millis(100);
/// How many lines wait at most.
const HELD: usize = 100;

/// A place that lines go to.
#[derive(Debug)]
pub(super) struct Beside {
    writer: Writer,
    /// Which streams of the children go to the same place, as far as they go through us.
    shared_with: [bool; 2],
    /// A child has left a line open there.
    line_open: bool,
    /// The place, if it is a file that the children write to themselves.
    file: Option<SharedFile>,
    now: Duration,
    /// Lines that wait for the end of an open one, and since when.
    held: Vec<String>,
    since: Duration,
}

impl Beside {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            shared_with: [false; 2],
            line_open: false,
            file: None,
            now: Duration::ZERO,
            held: Vec::new(),
            since: Duration::ZERO,
        }
    }

    /// The place is this file, to which the children write themselves.
    pub(super) fn share_file(&mut self, file: Option<SharedFile>) {
        self.file = file;
    }

    /// These streams of the children, stdout first, go to the same place.
    pub(super) fn share_with(&mut self, streams: [bool; 2]) {
        self.shared_with = streams;
    }

    /// It is so late now.
    pub(super) fn tick(&mut self, now: Duration) {
        self.now = now;
        if !self.held.is_empty() && (!self.is_open() || now >= self.since + OPEN_LINE) {
            self.write_held();
        }
    }

    /// When [`tick`](Self::tick) is to be called next.
    pub(super) fn due(&self) -> Option<Duration> {
        let end = self.since + OPEN_LINE;
        let next = self.file.as_ref().map_or(end, |_| end.min(self.now + LOOK));
        (!self.held.is_empty()).then_some(next)
    }

    /// Takes in that a child has printed this, which stands there by now.
    pub(super) fn printed(&mut self, stream: Stream, bytes: &[u8]) {
        if self.shared_with[stream as usize] && !bytes.is_empty() {
            self.line_open = !bytes.ends_with(b"\n");
            if !self.line_open {
                self.write_held();
            }
        }
    }

    /// Writes a line: at once, or when the line ends that a child has left open.
    pub(super) fn write(&mut self, line: &str) {
        if self.is_open() && self.held.len() < HELD {
            if self.held.is_empty() {
                self.since = self.now;
            }
            self.held.push(line.to_owned());
        } else {
            self.write_now(line);
        }
    }

    /// Writes a line at once: no child goes on with its own.
    pub(super) fn write_now(&mut self, line: &str) {
        self.write_held();
        self.send(line);
    }

    fn write_held(&mut self) {
        for line in std::mem::take(&mut self.held) {
            self.send(&line);
        }
    }

    fn send(&mut self, line: &str) {
        let begin = if self.is_open() { "\n" } else { "" };
        self.line_open = false;
        let line = format!("{begin}{line}\n");
        self.writer.send(line.into_bytes(), Vec::new());
    }

    fn is_open(&self) -> bool {
        let file = self.file.as_ref();
        file.map_or(self.line_open, SharedFile::has_open_line)
    }

    /// Whether all lines are written.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.is_idle()
    }

    /// The children are over: nothing waits any more.
    pub(super) fn flush(&mut self, permit: &Permit) {
        self.write_held();
        self.writer.flush(permit.clone());
    }

    pub(super) fn abandon(&mut self) {
        self.writer.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Credit;
    use std::io::{Read, Seek};

    #[test]
    fn a_line_that_waits_for_the_end_of_an_open_one_is_not_lost_if_none_comes() {
        let mut file = tempfile::tempfile().unwrap();
        let place = file.try_clone().unwrap();
        let mut beside = Beside::new(Writer::new(place.into(), Box::new(|_| ())));
        beside.share_with([true, true]);
        let mut written = || {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        };
        beside.printed(Stream::Stdout, b"open");
        beside.write("a warning");
        assert_eq!(written(), "");
        assert_eq!(beside.due(), Some(OPEN_LINE));
        beside.flush(&Credit::new(1, || ()).permit(1));
        assert_eq!(written(), "\na warning\n");
        assert_eq!(beside.due(), None);
    }
}
