//! What stays of the bars when they have failed: what the child prints, as it is. Refuses to look into it.

use std::sync::Arc;
use std::time::Duration;

use crate::credit::Charge;
use crate::event::Event;

use super::super::{Outlet, Sink};

/// Shows what the child prints on the terminal as it is.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) outlet: Outlet,
    pub(super) shows: [bool; 2],
}

impl Sink for Raw {
    fn event(&mut self, event: &Event<'_>, _elapsed: Duration) {
        if let Event::Output {
            stream,
            bytes,
            charge,
        } = event
            && self.shows[*stream as usize]
        {
            self.outlet.send(Arc::clone(bytes), vec![(*charge).clone()]);
        }
    }

    fn flush(&mut self, charge: &Charge) {
        self.outlet.flush(charge.clone());
    }

    fn abandon(&mut self) {
        self.outlet.abandon();
    }
}
