//! The bars' successor when they have failed: shows the children's output as it is, and does not look into it.

use std::sync::Arc;

use crate::event::{Event, What};
use crate::flow::Permit;

use super::super::Sink;
use super::super::writer::Writer;

/// Shows the output on the terminal as it is.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) writer: Writer,
    pub(super) shows: [bool; 2],
}

impl Sink for Raw {
    fn event(&mut self, event: &Event<'_>) {
        if let What::Output {
            stream,
            bytes,
            permit,
            ..
        } = &event.what
            && self.shows[*stream as usize]
        {
            self.writer.send(Arc::clone(bytes), vec![(*permit).clone()]);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
