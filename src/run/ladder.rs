//! The ladder: when a run is stopped, and how hard. Asking, SIGTERM, SIGKILL, giving up.
//!
//! A state machine without clock, process or terminal: it is told what happened and when, and says what to do. Times are
//! what has passed since the run began.

use std::time::Duration;

use crate::event::{Asked, Cause, Reason, Step};

/// A second signal so soon after a step is the same key press: some parents deliver one Ctrl-C twice, the slowest of
/// those seen after 47 ms.
const SAME_PRESS: Duration = Duration::from_millis(150);

/// How long each step has. None: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the start of the child to the first request.
    pub timeout: Option<Duration>,
    /// From asking to SIGTERM.
    pub grace: Option<Duration>,
    /// From SIGTERM, or another signal, to SIGKILL.
    pub kill_after: Option<Duration>,
    /// What a timeout sends to a child that cannot be asked.
    pub timeout_signal: i32,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Cancel the future; the worker closes the channel and says whether the child can see that.
    Cancel,
    /// Tell of the first step, and send its signal if it has one.
    Begin(Reason, Step),
    /// Tell of the next step, and take it.
    Next(Cause, Step),
}

/// Where a run is on the ladder.
#[derive(Debug)]
pub(super) struct Ladder {
    limits: Limits,
    /// When the child was started.
    started: Option<Duration>,
    reason: Option<Reason>,
    step: Option<Step>,
    /// When the current step was taken.
    taken: Duration,
}

impl Ladder {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            started: None,
            reason: None,
            step: None,
            taken: Duration::ZERO,
        }
    }

    /// The child runs, and its time with it: on a busy machine a short one could be over before, and the command would
    /// never run.
    pub(super) fn started(&mut self, now: Duration) {
        self.started = Some(now);
    }

    /// Who asked first, if anybody did.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// When the current step was taken.
    pub(super) fn taken(&self) -> Duration {
        self.taken
    }

    /// Whether the child had to be killed.
    pub(super) fn killed(&self) -> bool {
        self.step >= Some(Step::Kill)
    }

    /// The user asks to stop, for the first time or again.
    pub(super) fn request(&mut self, reason: Reason, now: Duration) -> Option<Action> {
        if self.request_first(reason, now) {
            return Some(Action::Cancel);
        }
        if now < self.taken + SAME_PRESS {
            return None;
        }
        self.next(Cause::Again, now)
    }

    /// The child died of a Ctrl-C that went to it alone. Says whether the run ends of that: not if somebody had asked before.
    pub(super) fn interrupted(&mut self, now: Duration) -> bool {
        let first = self.request_first(Reason::Interrupt, now);
        if first {
            self.step = Some(Step::Signal(libc::SIGINT));
        }
        first
    }

    fn request_first(&mut self, reason: Reason, now: Duration) -> bool {
        let first = self.reason.is_none();
        if first {
            self.reason = Some(reason);
            self.taken = now;
        }
        first
    }

    /// The channel is closed, or cannot be: `asked` says what the child will see of the request.
    pub(super) fn asked(&mut self, asked: Asked, now: Duration) -> Option<Action> {
        let reason = self.reason.filter(|_| self.step.is_none())?;
        let signal = match reason {
            Reason::Interrupt | Reason::Outer => libc::SIGINT,
            Reason::Terminate => libc::SIGTERM,
            Reason::Hangup => libc::SIGHUP,
            Reason::Timeout => self.limits.timeout_signal,
        };
        let step = match asked {
            Asked::Channel => Step::Ask,
            Asked::AtReport => Step::AtReport(signal),
            Asked::Nothing => by(signal),
        };
        self.step = Some(step);
        self.taken = now;
        Some(Action::Begin(reason, step))
    }

    /// A report came from a child that is to get its signal then.
    pub(super) fn reported(&mut self, now: Duration) -> Option<Action> {
        match self.step {
            Some(Step::AtReport(_)) => self.next(Cause::Reported, now),
            _ => None,
        }
    }

    /// When time alone takes the next step.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.step {
            None if self.reason.is_none() => self.started?.checked_add(self.limits.timeout?),
            None | Some(Step::Kill | Step::GiveUp) => None,
            Some(_) => self
                .patience()
                .and_then(|patience| self.taken.checked_add(patience)),
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Option<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if self.request_first(Reason::Timeout, now) {
            return Some(Action::Cancel);
        }
        let patience = self.patience()?;
        self.next(Cause::NoReaction(patience), now)
    }

    /// How long the current step has.
    fn patience(&self) -> Option<Duration> {
        match self.step {
            Some(Step::Ask | Step::AtReport(_)) => self.limits.grace,
            _ => self.limits.kill_after,
        }
    }

    fn next(&mut self, cause: Cause, now: Duration) -> Option<Action> {
        let step = match (self.step, cause) {
            // Whoever asks again, or has waited for long, gets what a Ctrl-C would have done without us.
            (Some(Step::AtReport(signal)), _) => by(signal),
            (Some(Step::Signal(libc::SIGTERM) | Step::Terminate), _) => Step::Kill,
            // Also after a signal that had no effect: some shells lose a SIGINT between fork and exec.
            (Some(Step::Ask | Step::Signal(_)), _) => Step::Terminate,
            // Without a step the worker itself hangs: an exec on a dead network drive does that.
            (None | Some(Step::Kill), Cause::Again) => Step::GiveUp,
            (None | Some(Step::Kill), Cause::NoReaction(_) | Cause::Reported)
            | (Some(Step::GiveUp), _) => return None,
        };
        self.step = Some(step);
        self.taken = now;
        Some(Action::Next(cause, step))
    }
}

/// The step of sending `signal` where nothing milder is left.
fn by(signal: i32) -> Step {
    match signal {
        libc::SIGKILL => Step::Kill,
        signal => Step::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        timeout: None,
        grace: Some(Duration::from_secs(10)),
        kill_after: Some(Duration::from_secs(5)),
        timeout_signal: libc::SIGTERM,
    };

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn asked() -> Ladder {
        let mut ladder = Ladder::new(LIMITS);
        ladder.request(Reason::Interrupt, at(1.0));
        ladder.asked(Asked::Channel, at(1.0));
        ladder
    }

    #[test]
    fn a_child_that_reports_is_asked_then_terminated_then_killed_then_given_up() {
        let mut ladder = Ladder::new(LIMITS);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(1.0)),
            Some(Action::Cancel)
        );
        assert_eq!(
            ladder.asked(Asked::Channel, at(1.0)),
            Some(Action::Begin(Reason::Interrupt, Step::Ask))
        );
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
    fn time_alone_takes_the_same_steps_but_never_gives_up() {
        let mut ladder = asked();
        assert_eq!(ladder.deadline(), Some(at(11.0)));
        assert_eq!(ladder.tick(at(10.9)), None);
        assert_eq!(
            ladder.tick(at(11.0)),
            Some(Action::Next(Cause::NoReaction(at(10.0)), Step::Terminate))
        );
        assert_eq!(ladder.deadline(), Some(at(16.0)));
        assert_eq!(
            ladder.tick(at(16.0)),
            Some(Action::Next(Cause::NoReaction(at(5.0)), Step::Kill))
        );
        assert!(ladder.killed());
        assert_eq!(ladder.deadline(), None);
        assert_eq!(ladder.tick(at(1000.0)), None);
    }

    #[test]
    fn a_child_that_never_reported_gets_the_signal_at_once_and_then_the_harder_ones() {
        for (reason, signal, harder) in [
            (Reason::Interrupt, libc::SIGINT, Step::Terminate),
            (Reason::Terminate, libc::SIGTERM, Step::Kill),
            (Reason::Hangup, libc::SIGHUP, Step::Terminate),
        ] {
            let mut ladder = Ladder::new(LIMITS);
            ladder.request(reason, at(1.0));
            assert_eq!(
                ladder.asked(Asked::Nothing, at(1.0)),
                Some(Action::Begin(reason, Step::Signal(signal)))
            );
            assert_eq!(
                ladder.tick(at(6.0)),
                Some(Action::Next(Cause::NoReaction(at(5.0)), harder))
            );
        }
    }

    #[test]
    fn a_child_with_a_format_of_its_own_gets_the_signal_when_its_next_report_comes() {
        let mut ladder = Ladder::new(LIMITS);
        assert_eq!(ladder.reported(at(0.5)), None);
        ladder.request(Reason::Interrupt, at(1.0));
        assert_eq!(
            ladder.asked(Asked::AtReport, at(1.0)),
            Some(Action::Begin(
                Reason::Interrupt,
                Step::AtReport(libc::SIGINT)
            ))
        );
        assert_eq!(
            ladder.reported(at(2.0)),
            Some(Action::Next(Cause::Reported, Step::Signal(libc::SIGINT)))
        );
        assert_eq!(ladder.reported(at(3.0)), None);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(3.0)),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
    }

    #[test]
    fn where_its_next_report_does_not_come_it_gets_the_signal_after_the_grace_or_when_asked_again()
    {
        let waiting = || {
            let mut ladder = Ladder::new(LIMITS);
            ladder.request(Reason::Interrupt, at(1.0));
            ladder.asked(Asked::AtReport, at(1.0));
            ladder
        };
        let signal = Step::Signal(libc::SIGINT);
        assert_eq!(waiting().tick(at(10.9)), None);
        assert_eq!(
            waiting().tick(at(11.0)),
            Some(Action::Next(Cause::NoReaction(at(10.0)), signal))
        );
        assert_eq!(
            waiting().request(Reason::Interrupt, at(2.0)),
            Some(Action::Next(Cause::Again, signal))
        );
    }

    #[test]
    fn a_timeout_that_kills_kills_at_the_next_report() {
        let mut ladder = Ladder::new(Limits {
            timeout: Some(at(60.0)),
            timeout_signal: libc::SIGKILL,
            ..LIMITS
        });
        ladder.started(at(0.0));
        ladder.tick(at(60.0));
        assert_eq!(
            ladder.asked(Asked::AtReport, at(60.0)),
            Some(Action::Begin(
                Reason::Timeout,
                Step::AtReport(libc::SIGKILL)
            ))
        );
        assert!(!ladder.killed());
        assert_eq!(
            ladder.reported(at(61.0)),
            Some(Action::Next(Cause::Reported, Step::Kill))
        );
        assert!(ladder.killed());
    }

    #[test]
    fn a_child_that_died_of_a_ctrl_c_of_its_own_had_its_first_step_unless_somebody_had_asked_before()
     {
        let mut ladder = Ladder::new(LIMITS);
        assert!(ladder.interrupted(at(1.0)));
        assert_eq!(ladder.reason(), Some(Reason::Interrupt));
        assert_eq!(ladder.asked(Asked::Nothing, at(1.0)), None);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(2.0)),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
        assert!(!ladder.interrupted(at(3.0)));
    }

    #[test]
    fn a_worker_that_never_answers_can_be_given_up() {
        let mut ladder = Ladder::new(LIMITS);
        ladder.request(Reason::Interrupt, at(1.0));
        assert_eq!(
            ladder.request(Reason::Interrupt, at(2.0)),
            Some(Action::Next(Cause::Again, Step::GiveUp))
        );
    }

    #[test]
    fn a_second_signal_within_150_ms_of_a_step_is_the_same_key_press() {
        let mut ladder = asked();
        assert_eq!(ladder.request(Reason::Interrupt, at(1.149)), None);
        assert_eq!(
            ladder.request(Reason::Interrupt, at(1.15)),
            Some(Action::Next(Cause::Again, Step::Terminate))
        );
        assert_eq!(ladder.request(Reason::Interrupt, at(1.2)), None);
    }

    #[test]
    fn a_timeout_is_a_first_request_with_a_signal_of_its_own() {
        let mut ladder = Ladder::new(Limits {
            timeout: Some(at(60.0)),
            timeout_signal: libc::SIGUSR1,
            ..LIMITS
        });
        assert_eq!(ladder.tick(at(100.0)), None);
        ladder.started(at(100.0));
        assert_eq!(ladder.deadline(), Some(at(160.0)));
        assert_eq!(ladder.tick(at(159.0)), None);
        assert_eq!(ladder.tick(at(160.0)), Some(Action::Cancel));
        assert_eq!(ladder.deadline(), None);
        assert_eq!(
            ladder.asked(Asked::Nothing, at(160.0)),
            Some(Action::Begin(Reason::Timeout, Step::Signal(libc::SIGUSR1)))
        );
        assert_eq!(ladder.reason(), Some(Reason::Timeout));
    }

    #[test]
    fn a_timeout_that_kills_is_the_step_of_killing() {
        let mut ladder = Ladder::new(Limits {
            timeout: Some(at(60.0)),
            timeout_signal: libc::SIGKILL,
            ..LIMITS
        });
        ladder.started(at(0.0));
        ladder.tick(at(60.0));
        assert_eq!(
            ladder.asked(Asked::Nothing, at(60.0)),
            Some(Action::Begin(Reason::Timeout, Step::Kill))
        );
        assert!(ladder.killed());
    }

    #[test]
    fn patience_beyond_all_time_is_patience_for_ever() {
        let mut ladder = Ladder::new(Limits {
            grace: Some(Duration::MAX),
            ..LIMITS
        });
        ladder.request(Reason::Interrupt, at(1.0));
        ladder.asked(Asked::Channel, at(1.0));
        assert_eq!(ladder.deadline(), None);
    }

    #[test]
    fn after_the_request_of_a_user_there_is_no_timeout_any_more() {
        let mut ladder = Ladder::new(Limits {
            timeout: Some(at(60.0)),
            grace: None,
            ..LIMITS
        });
        ladder.started(at(0.0));
        ladder.request(Reason::Interrupt, at(1.0));
        ladder.asked(Asked::Channel, at(1.0));
        assert_eq!(ladder.deadline(), None);
        assert_eq!(ladder.tick(at(61.0)), None);
        assert_eq!(ladder.reason(), Some(Reason::Interrupt));
    }
}
