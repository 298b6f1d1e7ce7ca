//! The sinks of a run, the clock that they go by, and what is counted for them. Refuses to know what happens when.

use std::time::{Duration, Instant};

use crate::event::{Event, TaskId, What};
use crate::flow::Credit;
use crate::model::batch::Batch;
use crate::sink::Sink;

/// The sinks, and what is counted for them.
pub(super) struct Sinks {
    sinks: Vec<Box<dyn Sink>>,
    started: Instant,
    /// Since when no time passes.
    stopped: Option<Instant>,
    reports: u64,
    malformed: u64,
}

impl Sinks {
    pub(super) fn new(sinks: Vec<Box<dyn Sink>>, started: Instant) -> Self {
        Self {
            sinks,
            started,
            stopped: None,
            reports: 0,
            malformed: 0,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        let now = self.stopped.unwrap_or_else(Instant::now);
        now.saturating_duration_since(self.started)
    }

    pub(super) fn tell(&mut self, what: What<'_>) {
        let event = Event {
            task: Some(TaskId::FIRST),
            at: self.elapsed(),
            what,
        };
        for sink in &mut self.sinks {
            sink.event(&event);
        }
    }

    /// How many sinks there are.
    pub(super) fn count(&self) -> usize {
        self.sinks.len()
    }

    /// Tells one of them.
    pub(super) fn tell_one(&mut self, index: usize, event: &Event<'_>) {
        self.sinks[index].event(event);
    }

    pub(super) fn reports(&mut self, reports: &Batch) {
        self.reports += reports.count;
        self.malformed += reports.malformed_count;
        self.tell(What::Progress(reports));
    }

    /// No clock runs while we are stopped.
    pub(super) fn pause(&mut self, stopped: Duration) {
        self.started += stopped;
    }

    /// Nor while the child is.
    pub(super) fn stop_clock(&mut self) {
        self.stopped.get_or_insert_with(Instant::now);
    }

    pub(super) fn start_clock(&mut self) {
        if let Some(since) = self.stopped.take() {
            self.started += since.elapsed();
        }
    }

    /// Calls `flushed` when all that the sinks were given is written.
    pub(super) fn flush(&mut self, flushed: impl Fn() + Send + Sync + 'static) {
        let permit = Credit::new(1, flushed).permit(1);
        for sink in &mut self.sinks {
            sink.flush(&permit);
        }
    }

    /// Waits no longer for readers who take nothing.
    pub(super) fn abandon(&mut self) {
        for sink in &mut self.sinks {
            sink.abandon();
        }
    }

    /// How many reports there were, and how many lines that are none.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.reports, self.malformed)
    }

    /// When a sink has something to do even if nothing happens.
    pub(super) fn due(&self) -> Option<Duration> {
        self.sinks.iter().filter_map(|sink| sink.due()).min()
    }

    pub(super) fn tick(&mut self) {
        let elapsed = self.elapsed();
        for sink in &mut self.sinks {
            sink.tick(elapsed);
        }
    }
}
