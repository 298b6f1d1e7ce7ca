//! The sinks that show: the screen, which is told of the tasks as well, and the places that output goes to. Does not
//! know whose output may be shown.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Stream, Summary, TaskId, What};
use crate::flow::Permit;
use crate::model::verdict::Verdicts;

use super::super::{Joining, Sink};

/// The sinks that show.
pub(super) struct Stage {
    screen: Option<Box<dyn Sink>>,
    places: Vec<Box<dyn Sink>>,
    /// The time of what is shown.
    now: Duration,
}

impl Stage {
    pub(super) fn new(screen: Option<Box<dyn Sink>>, places: Vec<Box<dyn Sink>>) -> Self {
        Self {
            screen,
            places,
            now: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn set_time(&mut self, now: Duration) {
        self.now = now;
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Box<dyn Sink>> {
        self.screen.iter_mut().chain(&mut self.places)
    }

    pub(super) fn tell(&mut self, event: &Event<'_>) {
        for sink in self.all() {
            sink.event(event);
        }
    }

    pub(super) fn tell_screen(&mut self, event: &Event<'_>) {
        if let Some(screen) = &mut self.screen {
            screen.event(event);
        }
    }

    pub(super) fn output(
        &mut self,
        task: TaskId,
        stream: Stream,
        (bytes, verdicts): (&Arc<Vec<u8>>, &Verdicts),
        permit: &Permit,
    ) {
        self.tell(&Event {
            task: Some(task),
            at: self.now,
            what: What::Output {
                stream,
                bytes,
                verdicts,
                permit,
            },
        });
    }

    /// The output of an ended attempt follows.
    pub(super) fn shows(&mut self, task: TaskId, summary: &Summary) {
        let event = self.about(task, What::Shows(summary));
        self.tell_screen(&event);
    }

    /// All output of the attempt was shown.
    pub(super) fn shown(&mut self, task: TaskId, summary: &Summary) {
        let event = self.about(task, What::Finished(summary));
        for place in &mut self.places {
            place.event(&event);
        }
        let event = self.about(task, What::Shown);
        self.tell_screen(&event);
    }

    fn about<'a>(&self, task: TaskId, what: What<'a>) -> Event<'a> {
        Event {
            task: Some(task),
            at: self.now,
            what,
        }
    }

    pub(super) fn join(&mut self, guest: Joining) -> Option<Joining> {
        match &mut self.screen {
            Some(screen) => screen.join(guest),
            None => Some(guest),
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        let all = self.screen.iter().chain(&self.places);
        all.filter_map(|sink| sink.due()).min()
    }

    pub(super) fn tick(&mut self, elapsed: Duration) {
        for sink in self.all() {
            sink.tick(elapsed);
        }
    }

    pub(super) fn flush(&mut self, permit: &Permit) {
        for sink in self.all() {
            sink.flush(permit);
        }
    }

    pub(super) fn abandon(&mut self) {
        for sink in self.all() {
            sink.abandon();
        }
    }
}
