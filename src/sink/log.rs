//! Keeps what the child prints in a file, byte for byte, in the order in which it came.

use std::sync::Arc;

use crate::event::{Event, What};
use crate::flow::Permit;

use super::{Sink, Writer};

/// The file of `--log`.
#[derive(Debug)]
pub(super) struct Log(Writer);

impl Log {
    /// Keeps everything in `file`.
    #[must_use]
    pub(super) fn new(file: Writer) -> Self {
        Self(file)
    }
}

impl Sink for Log {
    fn event(&mut self, event: &Event<'_>) {
        if let What::Output { bytes, permit, .. } = &event.what {
            self.0.send(Arc::clone(bytes), vec![(*permit).clone()]);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.0.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.0.abandon();
    }
}
