//! The stream of an agent: every event as a numbered line, for the progrun that has started it on this machine.
//!
//! That is what watchers of a run get, and how orders were carried out. How a line is written is for `wire` to say.
//!
//! The stream is one, and its reader always reads: what is said of the orders must not wait behind output that a slow
//! terminal has not taken. So the reader says when there is too much output. Then it waits here, and with it the child.

use std::collections::VecDeque;

use crate::event::{Event, Reader, TaskId, What};
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
    reader: Reader,
    /// What the reader does not want yet.
    waiting: VecDeque<Item>,
}

/// Lines, and what is held until they are written.
#[derive(Debug)]
struct Item {
    lines: String,
    permits: Vec<Permit>,
    /// Whether it can be left out if nothing wants it any more.
    is_output: bool,
}

impl Agent {
    #[must_use]
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            writer,
            encoder: WatchEncoder::default(),
            next: 2,
            reader: Reader::Reads,
            waiting: VecDeque::new(),
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

    fn send(&mut self, item: Item) {
        match self.reader {
            Reader::Waits => self.waiting.push_back(item),
            Reader::Gone if item.is_output => {}
            Reader::Reads | Reader::Gone => self.write(item),
        }
    }

    fn write(&mut self, item: Item) {
        let lines = numbered(&item.lines, &mut self.next);
        if lines.is_empty() {
            // Only a permit, until all before it is written.
            for permit in item.permits {
                self.writer.flush(permit);
            }
        } else {
            self.writer.send(lines.into_bytes(), item.permits);
        }
    }

    fn turn(&mut self, reader: Reader) {
        self.reader = reader;
        if reader != Reader::Waits {
            for item in std::mem::take(&mut self.waiting) {
                self.send(item);
            }
        }
    }
}

impl Sink for Agent {
    fn event(&mut self, event: &Event<'_>) {
        let mut lines = String::new();
        let mut permits = Vec::new();
        let mut is_output = true;
        match &event.what {
            What::Reader(reader) => return self.turn(*reader),
            // These wait for nothing.
            What::Answer(what) => {
                let lines = numbered(&answer(*what), &mut self.next);
                return self.writer.send(lines.into_bytes(), Vec::new());
            }
            What::Alive(beat) => {
                let lines = numbered(&alive(*beat), &mut self.next);
                return self.writer.send(lines.into_bytes(), Vec::new());
            }
            What::Progress(batch) => {
                self.batch(batch, event, &mut lines);
                permits.extend(batch.permit.clone());
            }
            What::Output { permit, .. } => {
                permits.push((*permit).clone());
                self.encoder.event(event, &mut lines);
            }
            _ => {
                is_output = false;
                self.encoder.event(event, &mut lines);
            }
        }
        if !lines.is_empty() {
            self.send(Item {
                lines,
                permits,
                is_output,
            });
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.send(Item {
            lines: String::new(),
            permits: vec![permit.clone()],
            is_output: false,
        });
    }

    fn abandon(&mut self) {
        self.turn(Reader::Gone);
        self.writer.abandon();
    }
}
