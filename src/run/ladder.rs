//! The ladder: how hard a task is stopped, and when. The steps are: ask, a signal, SIGTERM, SIGKILL, give up. Each
//! further Ctrl-C takes a harder one.
//!
//! A state machine that knows no clock, process or terminal: told what happened and when, it says what to do. Times are
//! those of the task's clock.
//!
//! **After a Ctrl-C, time alone never goes beyond SIGINT.** A program that finishes something first, such as writing a
//! disk, must not be killed ten seconds after one key press, and the user is there to press the key again. Time goes on
//! to SIGKILL only if no user is there (a time limit, a supervisor, a closed terminal), or if `--kill-after` was given.

use std::time::Duration;

use crate::event::{CancelMode, Cause, Reason, Step};

/// How long each step has. None: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// From the start of the child to the first request.
    pub timeout: Option<Duration>,
    /// From asking to the first signal, which a child that cannot be asked gets at once.
    pub grace: Option<Duration>,
    /// From a signal to the next harder one.
    pub kill_after: Option<Duration>,
    /// Whether `kill_after` also holds after a Ctrl-C.
    pub kills_after_interrupt: bool,
    /// The first signal after a timeout.
    pub timeout_signal: i32,
}

/// What a Ctrl-C does to a child that does not report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// It is interrupted at once, as without progrun: there is nothing to wait for.
    Interrupted,
    /// It may come to its end within `--grace`: in a run of many, that end is near.
    Drained,
}

/// The next thing for the task to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Ask the worker whether the child reports; [`Ladder::is_reporting`] and [`Ladder::is_silent`] take the answer.
    Ask,
    /// Cancel the future; the worker closes the channel and says whether the child can see that.
    Cancel,
    /// Tell of the first step, and send its signal if it has one.
    Begin(Reason, Step),
    /// Tell of the next step, and take it.
    Next(Cause, Step),
}

/// Where a task is on the ladder.
#[derive(Debug)]
pub(super) struct Ladder {
    timeouts: Timeouts,
    /// When the child was started.
    started: Option<Duration>,
    reason: Option<Reason>,
    step: Option<Step>,
    /// When the current step was taken.
    taken: Duration,
    /// Whether the timeout is over.
    timed_out: bool,
    /// Whether time goes on beyond the first signal.
    climbs: bool,
    silent: Silent,
}

impl Ladder {
    pub(super) fn new(timeouts: Timeouts, silent: Silent) -> Self {
        Self {
            timeouts,
            silent,
            started: None,
            reason: None,
            step: None,
            taken: Duration::ZERO,
            timed_out: false,
            climbs: timeouts.kills_after_interrupt,
        }
    }

    /// The child runs, and its time limit begins. Counted from earlier, a short limit could end on a busy machine
    /// before the command runs.
    pub(super) fn started(&mut self, now: Duration) {
        self.started = Some(now);
    }

    /// What the first request came from, if there was one.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// When the current step was taken.
    pub(super) fn taken(&self) -> Duration {
        self.taken
    }

    /// Whether the child had to be killed, or the task was given up.
    pub(super) fn killed(&self) -> bool {
        self.step >= Some(Step::Kill)
    }

    /// A stop is requested, for the first time or again.
    pub(super) fn request(&mut self, reason: Reason, now: Duration) -> Option<Action> {
        if self.request_first(reason, now) {
            return Some(self.first());
        }
        self.next(Cause::Again, now)
    }

    /// The same key press was delivered again: no further step, but its reason counts.
    pub(super) fn echo(&mut self, reason: Reason, now: Duration) -> Option<Action> {
        self.request_first(reason, now).then(|| self.first())
    }

    fn first(&self) -> Action {
        match (self.silent, self.reason) {
            (Silent::Drained, Some(Reason::Interrupt | Reason::Parent)) => Action::Ask,
            _ => Action::Cancel,
        }
    }

    /// The child, which is to stop, reports: its next report is the point at which it can be cancelled.
    pub(super) fn is_reporting(&mut self) -> Option<Action> {
        let may_be_asked = self.reason.is_some() && matches!(self.step, None | Some(Step::Drain));
        may_be_asked.then(|| {
            self.step = None;
            Action::Cancel
        })
    }

    /// The child, which is to stop, does not report: it may come to its end.
    pub(super) fn is_silent(&mut self, now: Duration) -> Option<Action> {
        let reason = self.reason.filter(|_| self.step.is_none())?;
        self.step = Some(Step::Drain);
        self.taken = now;
        Some(Action::Begin(reason, Step::Drain))
    }

    /// Whether the child may come to its end.
    pub(super) fn drains(&self) -> bool {
        self.step == Some(Step::Drain)
    }

    /// The child died of a Ctrl-C that went to it alone. Gives whether that cancels the task: not if a stop was
    /// requested before.
    pub(super) fn interrupted(&mut self, now: Duration) -> bool {
        let first = self.request_first(Reason::Interrupt, now);
        if first {
            self.step = Some(Step::Signal(libc::SIGINT));
        }
        first
    }

    fn request_first(&mut self, reason: Reason, now: Duration) -> bool {
        // A reason counts even if it comes too soon for a step: a terminal that closes right after a Ctrl-C takes its
        // user away.
        self.climbs |= reason != Reason::Interrupt;
        let first = self.reason.is_none();
        if first {
            self.reason = Some(reason);
            self.taken = now;
        }
        first
    }

    /// The channel is closed, or cannot be: `mode` says what the child will see of the request.
    pub(super) fn answered(&mut self, mode: CancelMode, now: Duration) -> Option<Action> {
        let reason = self.reason.filter(|_| self.step.is_none())?;
        let step = match mode {
            CancelMode::Channel => Step::Ask,
            CancelMode::Signal => self.signal_of(reason),
        };
        self.step = Some(step);
        self.taken = now;
        Some(Action::Begin(reason, step))
    }

    /// The signal that the request would have sent to a child without progrun; after a timeout, that of `--signal`.
    fn signal_of(&self, reason: Reason) -> Step {
        match reason {
            Reason::Interrupt | Reason::Parent => Step::Signal(libc::SIGINT),
            Reason::Terminate | Reason::Deadline | Reason::Halt | Reason::Lease => {
                Step::Signal(libc::SIGTERM)
            }
            Reason::Hangup => Step::Signal(libc::SIGHUP),
            Reason::Timeout => match self.timeouts.timeout_signal {
                libc::SIGKILL => Step::Kill,
                signal => Step::Signal(signal),
            },
        }
    }

    /// When time alone does something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        [self.timeout(), self.next_at()].into_iter().flatten().min()
    }

    /// When the timeout is over. After a request by Ctrl-C it goes on, for nothing else may end the run.
    fn timeout(&self) -> Option<Duration> {
        let is_over = self.timed_out || self.killed();
        self.started
            .filter(|_| !is_over)?
            .checked_add(self.timeouts.timeout?)
    }

    /// When time alone takes the next step.
    fn next_at(&self) -> Option<Duration> {
        self.taken.checked_add(self.patience()?)
    }

    /// How long the current step has; none if for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.step? {
            Step::Drain | Step::Ask => self.timeouts.grace,
            Step::Signal(_) | Step::Terminate => self.timeouts.kill_after.filter(|_| self.climbs),
            Step::Kill | Step::GiveUp => None,
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Option<Action> {
        if self.timeout().is_some_and(|over| over <= now) {
            self.timed_out = true;
            if self.request_first(Reason::Timeout, now) {
                return Some(Action::Cancel);
            }
            if matches!(self.step, Some(Step::Drain | Step::Ask | Step::Signal(_))) {
                return self.next(Cause::TimedOut, now);
            }
        }
        if self.next_at().is_none_or(|at| now < at) {
            return None;
        }
        let patience = self.patience()?;
        self.next(Cause::NoReaction(patience), now)
    }

    fn next(&mut self, cause: Cause, now: Duration) -> Option<Action> {
        let step = match (self.step, cause) {
            (Some(Step::Drain | Step::Ask), Cause::NoReaction(_)) => self.signal_of(self.reason?),
            (Some(Step::Signal(libc::SIGTERM) | Step::Terminate), _) => Step::Kill,
            // After a signal without effect, too: some shells lose a SIGINT between fork and exec.
            (Some(Step::Drain | Step::Ask | Step::Signal(_)), _) => Step::Terminate,
            // Without a first step, the worker itself hangs: an exec on a dead network drive does that.
            (None | Some(Step::Kill), Cause::Again) => Step::GiveUp,
            (None | Some(Step::Kill | Step::GiveUp), _) => return None,
        };
        self.step = Some(step);
        self.taken = now;
        Some(Action::Next(cause, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Timeouts = Timeouts {
        timeout: None,
        grace: Some(Duration::from_secs(10)),
        kill_after: Some(Duration::from_secs(5)),
        kills_after_interrupt: false,
        timeout_signal: libc::SIGTERM,
    };

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn requested(timeouts: Timeouts, reason: Reason, asked: CancelMode) -> Ladder {
        let mut ladder = Ladder::new(timeouts, Silent::Interrupted);
        assert_eq!(ladder.request(reason, at(1.0)), Some(Action::Cancel));
        let step = match asked {
            CancelMode::Channel => Step::Ask,
            CancelMode::Signal => ladder.signal_of(reason),
        };
        let begin = Some(Action::Begin(reason, step));
        assert_eq!(ladder.answered(asked, at(1.0)), begin);
        ladder
    }

    /// What time alone does, and when.
    fn alone(ladder: &mut Ladder) -> Vec<(f64, Cause, Step)> {
        let mut done = Vec::new();
        while let Some(deadline) = ladder.deadline() {
            assert_eq!(ladder.tick(deadline.saturating_sub(at(0.1))), None);
            match ladder.tick(deadline) {
                Some(Action::Next(cause, step)) => done.push((deadline.as_secs_f64(), cause, step)),
                other => panic!("{other:?}"),
            }
        }
        done
    }

    const GRACE: Cause = Cause::NoReaction(Duration::from_secs(10));
    const KILL_AFTER: Cause = Cause::NoReaction(Duration::from_secs(5));

    #[test]
    fn a_child_that_reports_is_asked_then_terminated_then_killed_then_given_up() {
        let mut ladder = requested(LIMITS, Reason::Interrupt, CancelMode::Channel);
        let mut again = |time| ladder.request(Reason::Interrupt, at(time));
        assert_eq!(
            again(2.0),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
        assert_eq!(again(3.0), Some(Action::Next(Cause::Again, Step::Kill)));
        assert_eq!(again(4.0), Some(Action::Next(Cause::Again, Step::GiveUp)));
        assert_eq!(again(5.0), None);
    }

    #[test]
    fn after_a_ctrl_c_time_alone_goes_no_further_than_a_bare_ctrl_c() {
        let mut ladder = requested(LIMITS, Reason::Interrupt, CancelMode::Channel);
        assert_eq!(ladder.patience(), Some(at(10.0)));
        assert_eq!(
            alone(&mut ladder),
            [(11.0, GRACE, Step::Signal(libc::SIGINT))]
        );
        assert_eq!(ladder.patience(), None);
        let mut ladder = requested(LIMITS, Reason::Interrupt, CancelMode::Signal);
        assert_eq!(alone(&mut ladder), []);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(3.0)),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
        assert_eq!(alone(&mut ladder), []);
        assert!(!ladder.killed());
    }

    #[test]
    fn with_kill_after_it_goes_on_to_sigkill_and_never_gives_up() {
        let timeouts = Timeouts {
            kills_after_interrupt: true,
            ..LIMITS
        };
        let mut ladder = requested(timeouts, Reason::Interrupt, CancelMode::Channel);
        assert_eq!(
            alone(&mut ladder),
            [
                (11.0, GRACE, Step::Signal(libc::SIGINT)),
                (16.0, KILL_AFTER, Step::Terminate),
                (21.0, KILL_AFTER, Step::Kill),
            ]
        );
        assert!(ladder.killed());
    }

    #[test]
    fn where_no_user_asked_time_goes_on_to_sigkill() {
        for (reason, signal) in [
            (Reason::Terminate, libc::SIGTERM),
            (Reason::Hangup, libc::SIGHUP),
            (Reason::Parent, libc::SIGINT),
            (Reason::Timeout, libc::SIGTERM),
        ] {
            let mut ladder = requested(LIMITS, reason, CancelMode::Channel);
            let mut steps = vec![(11.0, GRACE, Step::Signal(signal))];
            if signal == libc::SIGTERM {
                steps.push((16.0, KILL_AFTER, Step::Kill));
            } else {
                steps.push((16.0, KILL_AFTER, Step::Terminate));
                steps.push((21.0, KILL_AFTER, Step::Kill));
            }
            assert_eq!(alone(&mut ladder), steps, "{reason:?}");
        }
    }

    #[test]
    fn a_terminal_that_closes_right_after_a_ctrl_c_takes_its_user_away() {
        let mut ladder = requested(LIMITS, Reason::Interrupt, CancelMode::Signal);
        assert_eq!(ladder.echo(Reason::Hangup, at(1.1)), None);
        assert_eq!(
            alone(&mut ladder),
            [
                (6.0, KILL_AFTER, Step::Terminate),
                (11.0, KILL_AFTER, Step::Kill)
            ]
        );
        assert_eq!(ladder.reason(), Some(Reason::Interrupt));
    }

    #[test]
    fn a_child_that_died_of_a_ctrl_c_of_its_own_had_its_first_step_unless_a_stop_was_requested_before()
     {
        let mut ladder = Ladder::new(LIMITS, Silent::Interrupted);
        assert!(ladder.interrupted(at(1.0)));
        assert_eq!(ladder.reason(), Some(Reason::Interrupt));
        assert_eq!(ladder.answered(CancelMode::Signal, at(1.0)), None);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(2.0)),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
        assert!(!ladder.interrupted(at(3.0)));
    }

    #[test]
    fn a_worker_that_never_answers_can_be_given_up() {
        let mut ladder = Ladder::new(LIMITS, Silent::Interrupted);
        ladder.request(Reason::Interrupt, at(1.0));
        assert_eq!(
            ladder.request(Reason::Interrupt, at(2.0)),
            Some(Action::Next(Cause::Again, Step::GiveUp))
        );
    }

    const MINUTE: Timeouts = Timeouts {
        timeout: Some(Duration::from_mins(1)),
        ..LIMITS
    };

    #[test]
    fn a_timeout_is_a_first_request_with_a_signal_of_its_own() {
        let mut ladder = Ladder::new(
            Timeouts {
                timeout_signal: libc::SIGUSR1,
                ..MINUTE
            },
            Silent::Interrupted,
        );
        assert_eq!(ladder.tick(at(100.0)), None);
        ladder.started(at(100.0));
        assert_eq!(ladder.deadline(), Some(at(160.0)));
        assert_eq!(ladder.tick(at(159.0)), None);
        assert_eq!(ladder.tick(at(160.0)), Some(Action::Cancel));
        assert_eq!(ladder.deadline(), None);
        assert_eq!(
            ladder.answered(CancelMode::Signal, at(160.0)),
            Some(Action::Begin(Reason::Timeout, Step::Signal(libc::SIGUSR1)))
        );
        assert_eq!(ladder.reason(), Some(Reason::Timeout));
    }

    #[test]
    fn a_timeout_that_kills_is_the_step_of_killing() {
        let mut ladder = Ladder::new(
            Timeouts {
                timeout_signal: libc::SIGKILL,
                ..MINUTE
            },
            Silent::Interrupted,
        );
        ladder.started(at(0.0));
        ladder.tick(at(60.0));
        assert_eq!(
            ladder.answered(CancelMode::Signal, at(60.0)),
            Some(Action::Begin(Reason::Timeout, Step::Kill))
        );
        assert!(ladder.killed());
    }

    #[test]
    fn a_timeout_holds_after_a_ctrl_c_as_well() {
        let mut ladder = Ladder::new(MINUTE, Silent::Interrupted);
        ladder.started(at(0.0));
        ladder.request(Reason::Interrupt, at(1.0));
        ladder.answered(CancelMode::Signal, at(1.0));
        assert_eq!(
            alone(&mut ladder),
            [
                (60.0, Cause::TimedOut, Step::Terminate),
                (65.0, KILL_AFTER, Step::Kill)
            ]
        );
        assert_eq!(ladder.reason(), Some(Reason::Interrupt));
        let mut ladder = Ladder::new(MINUTE, Silent::Interrupted);
        ladder.started(at(0.0));
        ladder.request(Reason::Interrupt, at(1.0));
        ladder.answered(CancelMode::Signal, at(1.0));
        ladder.request(Reason::Interrupt, at(2.0));
        assert_eq!(alone(&mut ladder), [(60.0, KILL_AFTER, Step::Kill)]);
    }

    #[test]
    fn patience_beyond_all_time_is_patience_for_ever() {
        let timeouts = Timeouts {
            grace: Some(Duration::MAX),
            ..LIMITS
        };
        let ladder = requested(timeouts, Reason::Interrupt, CancelMode::Channel);
        assert_eq!(ladder.deadline(), None);
    }
}
