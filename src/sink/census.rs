//! The tasks of a run of many: which of them run, how many are over, and how long the rest will take.
//!
//! Kept by each sink that shows the run as one thing. Its memory depends on the running tasks and on those whose output
//! is still to be shown, not on the length of the list. Knows no place where anything is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::eta::{OfTask, Past, RunEstimate};
use crate::event::{
    Counts, Event, FinalState, Halted, Reason, SkipReason, Summary, TaskId, Total, What,
};

use super::messages::Stop;

/// How many names of ended attempts are kept. The run begins no task any more long before so many wait to be shown.
const NAMES: usize = 20_000;

/// The tasks of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    /// The name of the run.
    pub(super) name: String,
    /// How many tasks run at once.
    pub(super) jobs: u32,
    pub(super) total: Total,
    pub(super) counts: Counts,
    /// The state of the stop of the run, if one was requested.
    pub(super) stop: Option<Stop>,
    /// No task begins any more, by `--halt`.
    pub(super) halted: Option<Halted>,
    running: BTreeMap<TaskId, Running>,
    /// The attempts that ended and are not shown yet.
    ended: BTreeMap<(TaskId, u32), Ended>,
    /// The one that is shown now, or was last.
    shown: Ended,
    estimate: RunEstimate,
    used: Option<Used>,
}

/// What the processes of the tasks have used, if all ends were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    /// Processor time of all of them.
    pub(super) cpu: Duration,
    /// The largest resident set, in bytes.
    pub(super) max_rss: u64,
}

/// A running task.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) name: String,
    /// Its slot, from 1.
    pub(super) slot: u32,
    /// When it began.
    pub(super) began: Duration,
    /// How long it had run when its time limit was reached.
    limit: Option<Duration>,
}

/// What is to be known of an ended attempt when it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub(super) name: String,
    /// The time limit that it has reached.
    pub(super) limit: Option<Duration>,
}

impl Census {
    /// Of a run that is called so, as far as it is not called otherwise when it begins.
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            used: Some(Used::default()),
            ..Self::default()
        }
    }

    /// What earlier runs of the list say, newest first.
    pub(super) fn expect(&mut self, past: &[Past]) {
        self.estimate.expect(past);
    }

    /// Whether the time left is only that of earlier runs: no task is over yet.
    pub(super) fn only_expects(&self) -> bool {
        self.estimate.over() == 0
    }

    /// Takes in an event.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        match (&event.what, event.task) {
            (What::Run(head), _) => {
                head.name.clone_into(&mut self.name);
                (self.jobs, self.total) = (head.jobs, head.total);
            }
            (What::Total(total), _) => self.total = *total,
            (What::Counted(counts, estimate), _) => {
                (self.counts, self.estimate) = (*counts, *estimate);
                self.used = None;
            }
            (What::Started { name, place, .. }, Some(task)) => {
                let slot = place.map_or(1, |place| place.slot);
                // Slots may be added during the run.
                self.jobs = self.jobs.max(slot);
                let running = Running {
                    name: (*name).to_owned(),
                    slot,
                    began: at,
                    limit: None,
                };
                self.running.insert(task, running);
                self.estimate.begin(at);
            }
            (What::Finished(summary), Some(task)) => self.finished(task, summary, at),
            (What::Shows(summary), Some(task)) => {
                let ended = self.ended.remove(&(task, number(summary)));
                self.shown = ended.unwrap_or_else(|| Ended {
                    name: format!("task {}", task.get()),
                    limit: None,
                });
            }
            (What::Skipped { reason, .. }, _) => self.skipped(*reason),
            (What::Halted(halted), _) => self.halted = Some(*halted),
            (What::Cancelling { .. } | What::Stopping { .. }, None) => {
                self.stop = Stop::after(self.stop, &event.what, at);
            }
            (What::Cancelling { reason, .. }, Some(task)) if *reason == Reason::Timeout => {
                if let Some(running) = self.running.get_mut(&task) {
                    running.limit = Some(at.saturating_sub(running.began));
                }
            }
            _ => {}
        }
    }

    fn finished(&mut self, task: TaskId, summary: &Summary, at: Duration) {
        let Some(running) = self.running.remove(&task) else {
            return;
        };
        let ran = at.saturating_sub(running.began);
        if let (Some(used), Some(exit)) = (&mut self.used, summary.exit) {
            used.cpu += exit.user_time + exit.system_time;
            used.max_rss = used.max_rss.max(exit.max_rss);
        }
        let is_last = is_last(summary);
        self.estimate.end(at, ran, is_last);
        let attempt = number(summary);
        let ended = Ended {
            name: running.name,
            limit: running.limit,
        };
        self.ended.insert((task, attempt), ended);
        if self.ended.len() > NAMES {
            self.ended.pop_first();
        }
        if !is_last {
            return;
        }
        let counts = &mut self.counts;
        match summary.state {
            FinalState::Completed => {
                counts.completed += 1;
                counts.flaky += u64::from(attempt > 1);
            }
            FinalState::Failed => counts.failed += 1,
            FinalState::Cancelled => counts.cancelled += 1,
            FinalState::Lost => counts.lost += 1,
        }
    }

    fn skipped(&mut self, reason: SkipReason) {
        match reason {
            SkipReason::Dependency => self.counts.skipped += 1,
            SkipReason::Done => {
                self.counts.completed += 1;
                self.counts.done += 1;
            }
            // They have not begun.
            SkipReason::Halted | SkipReason::Cancelled => {}
        }
    }

    /// What the tasks have used, as far as it is known.
    pub(super) fn used(&self) -> Option<Used> {
        self.used
    }

    /// What its ends say of the rest, for another one that has not seen them.
    pub(super) fn estimate(&self) -> RunEstimate {
        self.estimate
    }

    /// Forgets the attempts that ended: their output is shown elsewhere.
    pub(super) fn forget_ended(&mut self) {
        self.ended.clear();
    }

    /// The tasks that run, in the order of the list.
    pub(super) fn running(&self) -> impl Iterator<Item = (TaskId, &Running)> {
        self.running.iter().map(|(task, running)| (*task, running))
    }

    /// The task, if it runs.
    pub(super) fn task(&self, task: TaskId) -> Option<&Running> {
        self.running.get(&task)
    }

    /// How many tasks run.
    pub(super) fn runs(&self) -> u64 {
        u64::try_from(self.running.len()).unwrap_or(u64::MAX)
    }

    /// The attempt that is shown now, or was last.
    pub(super) fn shown(&self) -> &Ended {
        &self.shown
    }

    /// What is known of an attempt that has just ended.
    pub(super) fn ended(&self, task: TaskId, summary: &Summary) -> Option<&Ended> {
        self.ended.get(&(task, number(summary)))
    }

    /// How many tasks the list has; none as long as that may change.
    pub(super) fn of(&self) -> Option<u64> {
        self.total
            .is_final
            .then(|| self.total.count.max(self.counts.over() + self.runs()))
    }

    /// How much of the run is done, of 1, if that is known; `partial` is how far the running tasks are, all together.
    #[expect(clippy::cast_precision_loss, reason = "a share of a bar")]
    pub(super) fn fraction(&self, partial: f64) -> Option<f64> {
        let total = self.of().filter(|total| *total > 0)?;
        let over = self.counts.over();
        // All is done when all are over.
        let most = if over == total { 1.0 } else { 0.999 };
        Some(((over as f64 + partial) / total as f64).min(most))
    }

    /// How many tasks end in a second, as soon as enough have ended to say so.
    pub(super) fn rate(&self, at: Duration) -> Option<f64> {
        let is_known = self.estimate.over() >= u64::from(self.jobs.max(3));
        self.estimate.rate(at).filter(|_| is_known)
    }

    /// The time left, as soon as enough tasks have ended to say so; `own` gives what the progress of a running task
    /// says.
    pub(super) fn remaining(
        &mut self,
        at: Duration,
        own: impl Fn(TaskId) -> Option<Duration>,
    ) -> Option<Duration> {
        let mut estimate = self.estimate;
        let left = self.left_by(&mut estimate, at, own);
        self.estimate = estimate;
        left
    }

    /// The same for a single look, with what earlier runs of the list say. Also says whether that counts.
    pub(super) fn left(
        &self,
        at: Duration,
        past: &[Past],
        own: impl Fn(TaskId) -> Option<Duration>,
    ) -> (Option<Duration>, bool) {
        let mut estimate = self.estimate();
        estimate.expect(past);
        let left = self.left_by(&mut estimate, at, own);
        (left, estimate.knows_the_tasks())
    }

    fn left_by(
        &self,
        estimate: &mut RunEstimate,
        at: Duration,
        own: impl Fn(TaskId) -> Option<Duration>,
    ) -> Option<Duration> {
        let total = self.of().filter(|_| self.stop.is_none())?;
        let over = self.estimate.over();
        let is_third = over * 3 > total - self.counts.done.min(total);
        let is_known = is_third || estimate.knows_the_tasks();
        if over < u64::from(self.jobs.max(3)) && !is_known {
            return None;
        }
        let waiting = match self.halted {
            Some(_) => 0,
            None => total - (self.counts.over() + self.runs()).min(total),
        };
        let of_task = |(task, running): (&TaskId, &Running)| OfTask {
            elapsed: at.saturating_sub(running.began),
            left: own(*task),
        };
        let running: Vec<_> = self.running.iter().map(of_task).collect();
        let left = estimate.remaining(at, waiting, &running);
        left.filter(|left| !left.is_zero())
    }
}

/// Whether the task is over with this attempt: no other one follows.
pub(super) fn is_last(summary: &Summary) -> bool {
    summary
        .attempt
        .is_none_or(|attempt| attempt.retry_in.is_none())
}

/// The number of the attempt.
pub(super) fn number(summary: &Summary) -> u32 {
    summary.attempt.map_or(1, |attempt| attempt.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attempt, Place, RunHead, Surroundings};

    struct Run {
        census: Census,
        task: TaskId,
    }

    impl Run {
        fn new(count: u64, jobs: u32) -> Self {
            let head = RunHead {
                name: "run",
                jobs,
                total: Total {
                    count,
                    is_final: true,
                },
                command: &[],
            };
            let mut run = Self {
                census: Census::default(),
                task: TaskId::FIRST,
            };
            run.tell(0.0, None, What::Run(&head));
            run
        }

        fn tell(&mut self, at: f64, task: Option<TaskId>, what: What<'_>) {
            let at = Duration::from_secs_f64(at);
            self.census.event(&Event { task, at, what });
        }

        fn begin(&mut self, at: f64) -> TaskId {
            let task = self.task;
            self.task = task.next();
            let what = What::Started {
                host: None,
                name: "t",
                command: &[],
                pid: Some(1),
                place: Some(Place {
                    slot: 1,
                    attempt: 1,
                    input: None,
                    named: false,
                    nth: 1,
                    extra: None,
                    surroundings: Surroundings::default(),
                }),
            };
            self.tell(at, Some(task), what);
            task
        }

        fn end(&mut self, at: f64, task: TaskId, state: FinalState, number: u32, retry: bool) {
            let summary = Summary {
                missed: None,
                state,
                reason: None,
                exit: None,
                error: None,
                reports: 0,
                malformed: 0,
                attempt: Some(Attempt {
                    slot: 1,
                    number,
                    retry_in: retry.then_some(Duration::ZERO),
                    duration: Duration::ZERO,
                    output_bytes: 0,
                }),
            };
            self.tell(at, Some(task), What::Finished(&summary));
        }

        fn left(&mut self, at: f64) -> Option<u64> {
            let left = self.census.remaining(Duration::from_secs_f64(at), |_| None);
            left.map(|left| left.as_secs())
        }
    }

    #[test]
    fn an_attempt_that_another_one_follows_is_no_end_of_a_task() {
        let mut run = Run::new(3, 1);
        let task = run.begin(0.0);
        run.end(1.0, task, FinalState::Failed, 1, true);
        assert_eq!((run.census.counts.over(), run.census.runs()), (0, 0));
        run.task = task;
        run.begin(2.0);
        run.end(3.0, task, FinalState::Completed, 2, false);
        let counts = run.census.counts;
        assert_eq!((counts.completed, counts.flaky, counts.failed), (1, 1, 0));
    }

    #[test]
    fn tasks_that_an_earlier_run_has_done_count_but_not_for_the_speed() {
        let mut run = Run::new(1000, 1);
        for _ in 0..990 {
            let what = What::Skipped {
                name: "t",
                reason: SkipReason::Done,
                cause: None,
            };
            run.tell(0.0, None, what);
        }
        assert_eq!(run.census.fraction(0.0), Some(0.99));
        assert_eq!(
            (run.left(1.0), run.census.rate(Duration::ZERO)),
            (None, None)
        );
        for second in 0..4 {
            let task = run.begin(f64::from(second));
            run.end(
                f64::from(second) + 1.0,
                task,
                FinalState::Completed,
                1,
                false,
            );
        }
        assert_eq!(run.left(4.0), Some(6));
    }

    #[test]
    fn no_time_left_is_given_before_as_many_tasks_have_ended_as_run_at_once() {
        let mut run = Run::new(100, 4);
        for ended in 0..5 {
            assert_eq!(run.left(1.0).is_some(), ended >= 4, "{ended}");
            let task = run.begin(f64::from(ended));
            run.end(
                f64::from(ended) + 1.0,
                task,
                FinalState::Completed,
                1,
                false,
            );
        }
        let mut run = Run::new(5, 4);
        for ended in 0..3 {
            assert_eq!(run.left(1.0).is_some(), ended >= 2, "{ended}");
            let task = run.begin(f64::from(ended));
            run.end(
                f64::from(ended) + 1.0,
                task,
                FinalState::Completed,
                1,
                false,
            );
        }
    }
}
