//! One task of a run: everything that there is once for each command. Pure: told what happened and when, it says what
//! follows. Knows no worker and no sink.
//!
//! Times are those of the run's clock.

use std::time::Duration;

use crate::child::Order;
use crate::event::{CancelMode, Reason, Step, What};
use crate::list::Specification;

use super::clock::TaskClock;
use super::ladder::{Action, Ladder, Silent, Timeouts};

/// What follows for a task.
#[derive(Debug)]
pub(super) enum Effect {
    /// Cancel its future.
    Cancel,
    /// Give its worker this order.
    Order(Order),
    /// Tell the sinks.
    Tell(What<'static>),
    /// Tell the user.
    Warn(String),
}

/// A task that was begun.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) specification: Specification,
    ladder: Ladder,
    clock: TaskClock,
    pid: Option<i32>,
    /// When the child was gone. Its output may be read later.
    exited: Option<Duration>,
    /// The child waits for a terminal that it cannot be given.
    is_stuck: bool,
    gave_up: bool,
}

impl Task {
    pub(super) fn new(specification: Specification, timeouts: Timeouts, silent: Silent) -> Self {
        Self {
            specification,
            ladder: Ladder::new(timeouts, silent),
            clock: TaskClock::default(),
            pid: None,
            exited: None,
            is_stuck: false,
            gave_up: false,
        }
    }

    /// The child runs.
    pub(super) fn started(&mut self, pid: i32, now: Duration) {
        self.pid = Some(pid);
        self.ladder.started(self.clock.at(now));
    }

    /// The child runs on another machine. Its number there means nothing here.
    pub(super) fn started_elsewhere(&mut self, now: Duration) {
        self.ladder.started(self.clock.at(now));
    }

    /// The child's process number.
    pub(super) fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// The child's process number, as long as the child lives.
    pub(super) fn live_pid(&self) -> Option<i32> {
        self.pid.filter(|_| self.exited.is_none())
    }

    /// The child is gone.
    pub(super) fn exited(&mut self, now: Duration) {
        self.exited = Some(now);
    }

    pub(super) fn exited_at(&self) -> Option<Duration> {
        self.exited
    }

    /// A stop is requested; `is_new` unless this is the same key press once more.
    pub(super) fn request(&mut self, reason: Reason, is_new: bool, now: Duration) -> Vec<Effect> {
        let time = self.clock.at(now);
        let was_draining = self.drains();
        let action = if is_new {
            self.ladder.request(reason, time)
        } else {
            self.ladder.echo(reason, time)
        };
        self.after_draining(was_draining, action, now)
    }

    /// The worker has done what a cancel request asks, and says what the child will see of it.
    pub(super) fn answered(&mut self, mode: CancelMode, now: Duration) -> Vec<Effect> {
        // A child that waits for a terminal that it cannot get makes no further report: only a signal can stop it.
        let mode = if self.is_stuck {
            CancelMode::Signal
        } else {
            mode
        };
        let action = self.ladder.answered(mode, self.clock.at(now));
        self.follow(action, now)
    }

    /// The child, which is to stop, reports; or the worker says whether it does.
    pub(super) fn is_reporting(&mut self, reports: bool, now: Duration) -> Vec<Effect> {
        if reports {
            let action = self.ladder.is_reporting();
            return self.follow(action, now);
        }
        let action = self.ladder.is_silent(self.clock.at(now));
        self.follow(action, now)
    }

    /// Whether the task may come to its end, although the run is to stop.
    pub(super) fn drains(&self) -> bool {
        self.ladder.drains()
    }

    /// The child died of a Ctrl-C that went to it alone. Gives whether the task is cancelled by that.
    pub(super) fn interrupted(&mut self, now: Duration) -> bool {
        self.ladder.interrupted(self.clock.at(now))
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Effect> {
        if self.deadline().is_none() {
            return Vec::new();
        }
        let was_draining = self.drains();
        let action = self.ladder.tick(self.clock.at(now));
        self.after_draining(was_draining, action, now)
    }

    /// A task that has come to its end so far is cancelled with the next step.
    fn after_draining(&mut self, was: bool, action: Option<Action>, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        if was && !self.drains() {
            self.clock.start(now);
            effects.push(Effect::Cancel);
        }
        effects.extend(self.follow(action, now));
        effects
    }

    /// When time alone does something. A child that is gone needs no further step of a stop, or one that ended by
    /// SIGTERM would be called killed because its output is not read.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let stops = self.ladder.reason().is_some();
        self.ladder
            .deadline()
            .filter(|_| !(stops && self.exited.is_some()))
            .and_then(|time| self.clock.in_run(time))
    }

    /// When the time limit is over, also for a task whose child is gone and whose output is still being written.
    pub(super) fn time_limit(&self) -> Option<Duration> {
        let time = self.ladder.deadline()?;
        self.clock.in_run(time)
    }

    /// The child alone was stopped: no time passes for it.
    pub(super) fn paused(&mut self, now: Duration) {
        self.clock.stop(now);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.clock.is_stopped()
    }

    /// The child waits for a terminal that it cannot get. Its clock runs on: the time limit may be the only way out.
    pub(super) fn stuck(&mut self) {
        self.is_stuck = true;
    }

    /// The child goes on.
    pub(super) fn continued(&mut self, now: Duration) {
        self.clock.start(now);
        self.is_stuck = false;
    }

    /// What the first request came from, if there was one.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.ladder.reason()
    }

    /// When the current step of a stop was taken, by the clock of the run.
    pub(super) fn step_taken(&self) -> Duration {
        let taken = self.ladder.taken();
        self.clock.in_run(taken).unwrap_or(taken)
    }

    /// Whether the child had to be killed, or the task was given up.
    pub(super) fn killed(&self) -> bool {
        self.ladder.killed()
    }

    /// Whether the task was given up: the run does not wait for its child any more.
    pub(super) fn gave_up(&self) -> bool {
        self.gave_up
    }

    fn follow(&mut self, action: Option<Action>, now: Duration) -> Vec<Effect> {
        match action {
            None => Vec::new(),
            Some(Action::Ask) => vec![Effect::Order(Order::Drain)],
            Some(Action::Cancel) => {
                // From now on the clock runs even if the child is stopped: the steps of a stop have their time limits.
                self.clock.start(now);
                vec![Effect::Cancel]
            }
            Some(Action::Begin(reason, step)) => {
                let left = self.ladder.patience();
                let tell = Effect::Tell(What::Cancelling { reason, step, left });
                self.take(tell, step)
            }
            Some(Action::Next(cause, step)) => {
                let left = self.ladder.patience();
                let tell = Effect::Tell(What::Stopping { cause, step, left });
                self.take(tell, step)
            }
        }
    }

    fn take(&mut self, tell: Effect, step: Step) -> Vec<Effect> {
        let (order, signal) = match step {
            Step::Drain | Step::Ask => return vec![tell],
            Step::Signal(signal) => (Order::Stop(signal), signal),
            Step::Terminate => (Order::Stop(libc::SIGTERM), libc::SIGTERM),
            Step::Kill => (Order::Kill, libc::SIGKILL),
            Step::GiveUp => {
                self.gave_up = true;
                let sentence = match self.pid {
                    Some(pid) => format!("giving up; pid {pid} is still running"),
                    None => "giving up".to_owned(),
                };
                return vec![tell, Effect::Order(Order::GiveUp), Effect::Warn(sentence)];
            }
        };
        let sent = Effect::Tell(What::Signal {
            signal,
            forwarded: false,
        });
        vec![tell, Effect::Order(order), sent]
    }
}
