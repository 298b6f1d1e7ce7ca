//! Hands on what the child prints, byte for byte, each stream to its own place.

use std::sync::Arc;

use crate::event::{Event, FinalState, What};
use crate::flow::Permit;

use super::{Sink, Writer};
use crate::vt::modes::Modes;

/// The child's streams go to ours.
#[derive(Debug)]
pub(super) struct Streams {
    places: [Option<Writer>; 2],
    /// Which of them are a terminal, and what the child has switched on there.
    terminals: [bool; 2],
    modes: Modes,
}

impl Streams {
    /// Hands on to these places, stdout first; none for a stream that is shown elsewhere. `terminals` says which of them are
    /// a terminal.
    #[must_use]
    pub(super) fn new(places: [Option<Writer>; 2], terminals: [bool; 2]) -> Self {
        Self {
            places,
            terminals,
            modes: Modes::default(),
        }
    }

    /// Leaves the terminal as it was before a child that cannot any more.
    fn undo(&mut self, end: FinalState) {
        let mut places = self.places.iter_mut().zip(self.terminals);
        if let Some(writer) =
            places.find_map(|(place, terminal)| place.as_mut().filter(|_| terminal))
        {
            writer.send(self.modes.undo(end == FinalState::Completed), Vec::new());
        }
    }
}

impl Sink for Streams {
    fn event(&mut self, event: &Event<'_>) {
        match &event.what {
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                let stream = *stream as usize;
                let Some(writer) = &mut self.places[stream] else {
                    return;
                };
                if self.terminals[stream] {
                    self.modes.note(bytes);
                }
                writer.send(Arc::clone(bytes), vec![(*permit).clone()]);
            }
            What::Finished(summary) => self.undo(summary.state),
            _ => {}
        }
    }

    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        // What the child does to the terminal was too much to follow.
        Some(Box::new(Self::new(self.places, [false; 2])))
    }

    fn flush(&mut self, permit: &Permit) {
        for writer in self.places.iter_mut().flatten() {
            writer.flush(permit.clone());
        }
    }

    fn abandon(&mut self) {
        for writer in self.places.iter_mut().flatten() {
            writer.abandon();
        }
    }
}
