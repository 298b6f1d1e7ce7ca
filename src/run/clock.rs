//! The clocks of a run and of its tasks.
//!
//! Times count from the start of the run. No clock runs while progrun itself is stopped, and a task's clock does not
//! run while its child alone is stopped: a time limit counts only time that the child could use. Knows no deadlines.

use std::time::{Duration, Instant};

/// The clock of a run, which gives the events their times. It stands while no task's clock runs.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// Since when it stands.
    stopped: Option<Instant>,
}

impl Clock {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            stopped: None,
        }
    }

    pub(super) fn now(&self) -> Duration {
        let now = self.stopped.unwrap_or_else(Instant::now);
        now.saturating_duration_since(self.started)
    }

    /// Leaves out this much of the time that has passed: progrun was stopped.
    pub(super) fn leave_out(&mut self, stopped: Duration) {
        self.started += stopped;
    }

    pub(super) fn stop(&mut self) {
        self.stopped.get_or_insert_with(Instant::now);
    }

    pub(super) fn start(&mut self) {
        if let Some(since) = self.stopped.take() {
            self.started += since.elapsed();
        }
    }
}

/// The clock of a task: that of its run without the time for which the child alone was stopped.
#[derive(Debug, Default)]
pub(super) struct TaskClock {
    /// For how long it has stood so far, the present stop not counted.
    left_out: Duration,
    /// Since when it stands, by the clock of the run.
    stopped: Option<Duration>,
}

impl TaskClock {
    /// What it shows when the clock of the run shows `now`.
    pub(super) fn at(&self, now: Duration) -> Duration {
        self.stopped.unwrap_or(now).saturating_sub(self.left_out)
    }

    /// When the clock of the run shows what this one will show at `time`; none while this one stands.
    pub(super) fn in_run(&self, time: Duration) -> Option<Duration> {
        match self.stopped {
            None => time.checked_add(self.left_out),
            Some(_) => None,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    pub(super) fn stop(&mut self, now: Duration) {
        self.stopped.get_or_insert(now);
    }

    pub(super) fn start(&mut self, now: Duration) {
        if let Some(since) = self.stopped.take() {
            self.left_out += now.saturating_sub(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_no_time_while_its_child_is_stopped_and_the_others_have() {
        let at = Duration::from_secs;
        let mut clock = TaskClock::default();
        assert_eq!(clock.at(at(3)), at(3));
        clock.stop(at(3));
        clock.stop(at(4));
        assert_eq!((clock.at(at(10)), clock.in_run(at(5))), (at(3), None));
        clock.start(at(10));
        assert_eq!(
            (clock.at(at(11)), clock.in_run(at(5))),
            (at(4), Some(at(12)))
        );
    }
}
