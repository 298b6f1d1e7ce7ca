//! The stream of an agent: every event as a numbered line, for the progrun that has started it on this machine.
//!
//! That is what watchers of a run get, and how orders were carried out. How a line is written is for `wire` to say.

use crate::event::{Event, TaskId, What};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::wire::WatchEncoder;
use crate::wire::agent::{alive, answer, numbered};

use super::Sink;
use super::writer::Writer;

/// See the module's comment.
#[derive(Debug)]
pub(super) struct Agent {
    writer: Writer,
    encoder: WatchEncoder,
    /// The number of the next line. The first was that of the hello.
    next: u64,
}

impl Agent {
    #[must_use]
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            encoder: WatchEncoder::default(),
            next: 2,
        }
    }

    fn batch(&mut self, batch: &Batch, event: &Event<'_>, lines: &mut String) {
        if batch.verbatim.iter().next().is_some() {
            self.encoder.reports(event, lines);
            return;
        }
        let task = event.task.unwrap_or(TaskId::FIRST);
        for part in &batch.parts {
            WatchEncoder::report(batch.source, part, task, event.at, lines);
        }
        if let Some(bad) = &batch.first_malformed {
            WatchEncoder::malformed(bad, task, event.at, lines);
        }
    }
}

impl Sink for Agent {
    fn event(&mut self, event: &Event<'_>) {
        let mut lines = String::new();
        let mut permits = Vec::new();
        match &event.what {
            What::Progress(batch) => {
                self.batch(batch, event, &mut lines);
                permits.extend(batch.permit.clone());
            }
            What::Answer(what) => lines = answer(*what),
            What::Alive => lines = alive(),
            what => {
                if let What::Output { permit, .. } = what {
                    permits.push((*permit).clone());
                }
                self.encoder.event(event, &mut lines);
            }
        }
        if !lines.is_empty() {
            let lines = numbered(&lines, &mut self.next);
            self.writer.send(lines.into_bytes(), permits);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
