//! Keeps what the child prints in a file, byte for byte, in the order in which it came.

use std::sync::Arc;
use std::time::Duration;

use crate::credit::Charge;
use crate::event::Event;

use super::{Outlet, Sink};

/// The file of `--log`.
#[derive(Debug)]
pub(super) struct Log(Outlet);

impl Log {
    /// Keeps everything in `file`.
    #[must_use]
    pub(super) fn new(file: Outlet) -> Self {
        Self(file)
    }
}

impl Sink for Log {
    fn event(&mut self, event: &Event<'_>, _elapsed: Duration) {
        if let Event::Output { bytes, charge, .. } = event {
            self.0.send(Arc::clone(bytes), vec![(*charge).clone()]);
        }
    }

    fn flush(&mut self, charge: &Charge) {
        self.0.flush(charge.clone());
    }

    fn abandon(&mut self) {
        self.0.abandon();
    }
}
