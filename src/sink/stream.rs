//! Hands on what the child prints, byte for byte, each stream to its own place.

use std::sync::Arc;
use std::time::Duration;

use crate::credit::Charge;
use crate::event::Event;

use super::{Outlet, Sink};

/// The child's streams go to ours.
#[derive(Debug)]
pub(super) struct Streams([Option<Outlet>; 2]);

impl Streams {
    /// Hands on to these places, stdout first; none for a stream that is shown elsewhere.
    #[must_use]
    pub(super) fn new(places: [Option<Outlet>; 2]) -> Self {
        Self(places)
    }
}

impl Sink for Streams {
    fn event(&mut self, event: &Event<'_>, _elapsed: Duration) {
        if let Event::Output {
            stream,
            bytes,
            charge,
        } = event
            && let Some(outlet) = &mut self.0[*stream as usize]
        {
            outlet.send(Arc::clone(bytes), vec![(*charge).clone()]);
        }
    }

    fn flush(&mut self, charge: &Charge) {
        for outlet in self.0.iter_mut().flatten() {
            outlet.flush(charge.clone());
        }
    }
}
