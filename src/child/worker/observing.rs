//! When the worker looks at a child that has reported nothing, and tells what it saw.

use std::time::Instant;

use super::super::Notice;
use super::Worker;

impl Worker<'_> {
    /// When the child is to be looked at. Not while it cannot move, or has the screen.
    pub(super) fn observe_at(&self) -> Option<Instant> {
        let lent = self.is_lent();
        let observer = self.observer.as_ref()?;
        (!self.stopped && !lent && self.drain.is_none()).then(|| observer.due())
    }

    pub(super) fn observe(&mut self) {
        let Some(due) = self.observe_at() else {
            return;
        };
        let now = Instant::now();
        if due <= now
            && let Some(observed) = self.observer.as_mut().and_then(|it| it.sample(now))
        {
            (self.notify)(Notice::Observed(observed));
        }
    }
}
