//! Tells the process that has started a run away from its terminal that the run has begun.

use std::sync::Arc;

use crate::event::{Event, What};
use crate::flow::Permit;
use crate::system::detach::{BEGUN, Caller};

use super::Sink;

/// Tells it once.
#[derive(Debug)]
pub(super) struct Beginning(Arc<Caller>);

impl Beginning {
    pub(super) fn new(caller: Arc<Caller>) -> Self {
        Self(caller)
    }
}

impl Sink for Beginning {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(
            event.what,
            What::Run(_) | What::Started { pid: Some(_), .. }
        ) {
            self.0.tell(BEGUN);
        }
    }

    fn flush(&mut self, _permit: &Permit) {}

    fn abandon(&mut self) {}
}
