//! The sinks of a run, with the clock that stamps their events. Does not know which event happens when.

use std::time::Duration;

use crate::event::{Event, TaskId, What};
use crate::flow::{Credit, Permit};
use crate::sink::{Joining, Sink};

use super::clock::Clock;

/// The sinks of a run, and its clock.
pub(super) struct Sinks {
    sinks: Vec<Box<dyn Sink>>,
    pub(super) clock: Clock,
}

impl Sinks {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>, clock: Clock) -> Self {
        Self { sinks, clock }
    }

    /// Tells all sinks what happened just now, to a task or to the run itself.
    pub(super) fn tell(&mut self, task: Option<TaskId>, what: What<'_>) {
        let event = self.event(task, what);
        self.tell_event(&event);
    }

    /// Tells all sinks what happened.
    pub(super) fn tell_event(&mut self, event: &Event<'_>) {
        for sink in &mut self.sinks {
            sink.event(event);
        }
    }

    /// What happened just now, as an event.
    pub(super) fn event<'a>(&self, task: Option<TaskId>, what: What<'a>) -> Event<'a> {
        Event {
            task,
            at: self.clock.now(),
            what,
        }
    }

    /// How many sinks there are.
    pub(super) fn count(&self) -> usize {
        self.sinks.len()
    }

    /// Tells one sink.
    pub(super) fn tell_one(&mut self, index: usize, event: &Event<'_>) {
        self.sinks[index].event(event);
    }

    /// Another progrun on our terminal asks us to draw for it. If we do not, its connection is closed.
    pub(super) fn join(&mut self, guest: Joining) {
        let mut guest = Some(guest);
        for sink in &mut self.sinks {
            guest = guest.and_then(|guest| sink.join(guest));
        }
    }

    /// How many ended tasks have output that waits to be shown.
    pub(super) fn backlog(&self) -> usize {
        let backlogs = self.sinks.iter().map(|sink| sink.backlog());
        backlogs.max().unwrap_or(0)
    }

    /// Calls `flushed` when all that the sinks were given is written.
    pub(super) fn flush(&mut self, flushed: impl Fn() + Send + Sync + 'static) {
        let permit: Permit = Credit::new(1, flushed).permit(1);
        for sink in &mut self.sinks {
            sink.flush(&permit);
        }
    }

    /// Lets each write what follows all that was written; whether there is anything.
    pub(super) fn follow_up(&mut self) -> bool {
        let mut any = false;
        for sink in &mut self.sinks {
            any |= sink.follow_up();
        }
        any
    }

    /// Waits no longer for readers that take nothing.
    pub(super) fn abandon(&mut self) {
        for sink in &mut self.sinks {
            sink.abandon();
        }
    }

    /// When a sink has something to do even if nothing happens.
    pub(super) fn due(&self) -> Option<Duration> {
        self.sinks.iter().filter_map(|sink| sink.due()).min()
    }

    pub(super) fn tick(&mut self) {
        let now = self.clock.now();
        for sink in &mut self.sinks {
            sink.tick(now);
        }
    }
}
