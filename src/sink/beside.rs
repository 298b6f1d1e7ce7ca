//! Lines of ours beside the output of the children, which another sink writes to the same place: each begins a line of
//! its own. Knows neither tasks nor what the lines say.

use crate::event::Stream;
use crate::flow::Permit;

use super::standard::SharedFile;
use super::writer::Writer;

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
}

impl Beside {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            shared_with: [false; 2],
            line_open: false,
            file: None,
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

    /// Takes in that a child has printed this.
    pub(super) fn printed(&mut self, stream: Stream, bytes: &[u8]) {
        if self.shared_with[stream as usize] && !bytes.is_empty() {
            self.line_open = !bytes.ends_with(b"\n");
        }
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &str) {
        let was_open = std::mem::take(&mut self.line_open);
        let is_open = self
            .file
            .as_ref()
            .map_or(was_open, SharedFile::has_open_line);
        let begin = if is_open { "\n" } else { "" };
        let line = format!("{begin}{line}\n");
        self.writer.send(line.into_bytes(), Vec::new());
    }

    /// Whether all lines are written.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.is_idle()
    }

    pub(super) fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    pub(super) fn abandon(&mut self) {
        self.writer.abandon();
    }
}
