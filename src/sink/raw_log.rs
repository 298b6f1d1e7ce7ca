//! Keeps the children's output in a file: of one child, or of several that print one after the other, byte for byte in
//! order of arrival; of several at once by whole lines.

use crate::event::{Event, TaskId, What};
use crate::flow::Permit;

use super::Sink;
use super::lines::{Between, Lines};
use super::writer::Writer;

/// The file of `--log-raw`.
#[derive(Debug)]
pub(super) struct RawLog {
    writer: Writer,
    lines: Lines,
}

impl RawLog {
    /// Keeps everything behind `writer`.
    #[must_use]
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            lines: Lines::default(),
        }
    }

    /// The children print one after the other.
    #[must_use]
    pub(super) fn in_turns(mut self) -> Self {
        self.lines.take_turns(Between::Nothing);
        self
    }
}

impl Sink for RawLog {
    fn event(&mut self, event: &Event<'_>) {
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Run(head) if head.jobs == 1 => self.lines.take_turns(Between::Nothing),
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                let bytes = self.lines.add(task, *stream, bytes);
                self.writer.send(bytes, vec![(*permit).clone()]);
            }
            What::Finished(_) => {
                for rest in self.lines.end(task) {
                    self.writer.send(rest, Vec::new());
                }
            }
            _ => {}
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
