//! The stream of `--json`: every event as a line, for scripts.
//!
//! Knows which events are wanted and where they go, and puts characters together that a read has cut in two. How an
//! event is written is for `wire` to say.

use std::collections::BTreeMap;

use crate::event::{Event, Stream, TaskId, What};
use crate::flow::Permit;
use crate::wire::{self, Encoder};

use super::Sink;
use super::sanitize::escape_json;
use super::writer::Writer;

/// The stream of `--json`.
#[derive(Debug)]
pub(super) struct Json {
    writer: Writer,
    encoder: Encoder,
    /// Whether what the child prints is in the stream too.
    with_output: bool,
    /// Whether the stream is read on a terminal.
    on_terminal: bool,
    /// The head of a character that a read cut in two, for each stream of each task.
    cut: BTreeMap<TaskId, [Vec<u8>; 2]>,
}

impl Json {
    /// Writes events to `writer` as they happen; `with_output` if what the child prints is wanted as
    /// events too.
    #[must_use]
    pub(super) fn new(writer: Writer, with_output: bool) -> Self {
        Self {
            writer,
            encoder: Encoder::default(),
            with_output,
            on_terminal: false,
            cut: BTreeMap::new(),
        }
    }

    /// Whether the events go to a terminal: then characters that do something there are escaped.
    #[must_use]
    pub(super) fn on_terminal(mut self, so: bool) -> Self {
        self.on_terminal = so;
        self
    }

    fn send(&mut self, lines: String, permits: Vec<Permit>) {
        let lines = if self.on_terminal {
            escape_json(&lines).into_owned()
        } else {
            lines
        };
        self.writer.send(lines.into_bytes(), permits);
    }

    fn output(&mut self, stream: Stream, bytes: &[u8], permits: Vec<Permit>, event: &Event<'_>) {
        if bytes.is_empty() {
            return;
        }
        let mut line = String::new();
        let task = event.task.unwrap_or(TaskId::FIRST);
        wire::output(stream, bytes, task, event.at, &mut line);
        self.send(line, permits);
    }
}

impl Sink for Json {
    fn event(&mut self, event: &Event<'_>) {
        let mut permits = Vec::new();
        match &event.what {
            What::Output { .. } if !self.with_output => return,
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                let task = event.task.unwrap_or(TaskId::FIRST);
                let cut = &mut self.cut.entry(task).or_default()[*stream as usize];
                cut.extend_from_slice(bytes);
                let rest = cut.split_off(complete(cut));
                let bytes = std::mem::replace(cut, rest);
                return self.output(*stream, &bytes, vec![(*permit).clone()], event);
            }
            What::Finished(_) => {
                let task = event.task.unwrap_or(TaskId::FIRST);
                let cut = self.cut.remove(&task).unwrap_or_default();
                for (stream, cut) in [Stream::Stdout, Stream::Stderr].into_iter().zip(cut) {
                    self.output(stream, &cut, Vec::new(), event);
                }
            }
            // One buffer and one write for all lines of a read: a million reports must not be a million system calls.
            What::Progress(batch) => permits.extend(batch.permit.clone()),
            _ => {}
        }
        let mut lines = String::new();
        self.encoder.event(event, &mut lines);
        self.send(lines, permits);
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}

/// How much of `bytes` does not end in the middle of a character.
fn complete(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        // Only the end is missing: it comes with the next read.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}
