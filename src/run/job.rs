//! Job control: who has the terminal, and who is stopped.
//!
//! A state machine like the ladder: told what happened, it says what to do. The rule: the terminal is ours until the
//! child, in the background, is stopped for wanting it; then it is the child's until the child reports again, is
//! stopped by Ctrl-Z, or ends. Whatever stops the child by the terminal's will stops us too, as a shell's job stops as a
//! whole. Before the terminal changes hands or we stop, the screen is cleared, and that takes its time.

use std::time::Duration;

/// A stop that took less was none: the system discards it where nobody could continue us.
const REAL_STOP: Duration = Duration::from_millis(2);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Clear the screen and say when it is done.
    Clear,
    /// Draw again.
    Draw,
    /// Lend the terminal if it is ours, and continue the child.
    Lend,
    /// Take the terminal back from a child that was stopped.
    TakeBack,
    /// Send the child this signal.
    Signal(i32),
    /// Stop ourselves as this signal does.
    Stop(i32),
    /// Somebody stopped the child alone: no time passes for it.
    Paused,
    /// The child is stopped because it waits for a terminal that it cannot get.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The terminal is ours, or at least not the child's.
    Ours,
    /// The screen is being cleared.
    Clearing(Then),
    /// We are stopped, or about to be.
    Stopping { wanted: bool },
    /// The child has the terminal.
    Lent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Lend,
    /// `wanted` if the child wants the terminal when we are back.
    Stop {
        signal: i32,
        wanted: bool,
    },
}

/// Who has the terminal.
#[derive(Debug)]
pub(super) struct Job(State);

impl Job {
    pub(super) fn new() -> Self {
        Self(State::Ours)
    }

    /// The child was stopped; `foreground` if we are the foreground of the terminal.
    pub(super) fn child_stopped(&mut self, signal: i32, foreground: bool) -> Vec<Action> {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        match self.0 {
            State::Ours if wants && foreground => self.clear(Then::Lend),
            State::Ours if wants => self.clear(Then::Stop {
                signal,
                wanted: true,
            }),
            State::Lent => {
                let then = Then::Stop {
                    signal: libc::SIGTSTP,
                    wanted: true,
                };
                let mut actions = vec![Action::TakeBack];
                actions.extend(self.clear(then));
                actions
            }
            State::Ours => vec![Action::Paused],
            State::Clearing(_) | State::Stopping { .. } => Vec::new(),
        }
    }

    /// We are asked to stop, by Ctrl-Z most likely.
    pub(super) fn asked_to_stop(&mut self) -> Vec<Action> {
        let signal = libc::SIGTSTP;
        let (first, wanted) = match self.0 {
            State::Ours => (None, false),
            State::Lent => (Some(Action::TakeBack), true),
            State::Clearing(_) | State::Stopping { .. } => return Vec::new(),
        };
        let mut actions = Vec::from_iter(first);
        actions.push(Action::Signal(signal));
        actions.extend(self.clear(Then::Stop { signal, wanted }));
        actions
    }

    /// The screen is clear.
    pub(super) fn cleared(&mut self) -> Option<Action> {
        let State::Clearing(then) = self.0 else {
            return None;
        };
        Some(match then {
            Then::Lend => {
                self.0 = State::Lent;
                Action::Lend
            }
            Then::Stop { signal, wanted } => {
                self.0 = State::Stopping { wanted };
                Action::Stop(signal)
            }
        })
    }

    /// We were stopped for this long.
    pub(super) fn resumed(&mut self, stopped: Duration) -> Vec<Action> {
        let State::Stopping { wanted } = self.0 else {
            return Vec::new();
        };
        if wanted && stopped < REAL_STOP {
            self.0 = State::Ours;
            return vec![Action::Draw, Action::Stuck];
        }
        if wanted {
            self.0 = State::Lent;
            return vec![Action::Lend];
        }
        self.0 = State::Ours;
        vec![Action::Signal(libc::SIGCONT), Action::Draw]
    }

    /// The terminal was lent, could not be lent, or was taken back.
    pub(super) fn lent(&mut self, lent: bool) -> Option<Action> {
        if self.0 != State::Lent || lent {
            return None;
        }
        self.0 = State::Ours;
        Some(Action::Draw)
    }

    fn clear(&mut self, then: Then) -> Vec<Action> {
        self.0 = State::Clearing(then);
        vec![Action::Clear]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3);

    #[test]
    fn a_child_that_wants_the_terminal_gets_it_when_the_screen_is_clear() {
        let mut job = Job::new();
        assert_eq!(job.child_stopped(libc::SIGTTIN, true), [Action::Clear]);
        assert_eq!(job.cleared(), Some(Action::Lend));
        assert_eq!(job.lent(true), None);
        assert_eq!(job.lent(false), Some(Action::Draw));
        assert_eq!(job.child_stopped(libc::SIGTTOU, true), [Action::Clear]);
    }

    #[test]
    fn in_the_background_we_stop_too_and_lend_when_we_are_back() {
        let mut job = Job::new();
        assert_eq!(job.child_stopped(libc::SIGTTIN, false), [Action::Clear]);
        assert_eq!(job.cleared(), Some(Action::Stop(libc::SIGTTIN)));
        assert_eq!(job.resumed(LONG), [Action::Lend]);
        assert_eq!(job.lent(false), Some(Action::Draw));
    }

    #[test]
    fn where_we_cannot_be_stopped_the_child_is_said_to_be_stuck_instead_of_spinning() {
        let mut job = Job::new();
        job.child_stopped(libc::SIGTTIN, false);
        job.cleared();
        assert_eq!(job.resumed(Duration::ZERO), [Action::Draw, Action::Stuck]);
    }

    #[test]
    fn ctrl_z_stops_the_child_then_us_and_both_go_on_together() {
        let mut job = Job::new();
        let tstp = libc::SIGTSTP;
        assert_eq!(job.asked_to_stop(), [Action::Signal(tstp), Action::Clear]);
        assert_eq!(job.child_stopped(tstp, true), []);
        assert_eq!(job.asked_to_stop(), []);
        assert_eq!(job.cleared(), Some(Action::Stop(tstp)));
        assert_eq!(
            job.resumed(LONG),
            [Action::Signal(libc::SIGCONT), Action::Draw]
        );
    }

    #[test]
    fn ctrl_z_in_a_lent_terminal_stops_us_with_the_child_and_lends_again_after() {
        let mut job = Job::new();
        job.child_stopped(libc::SIGTTOU, true);
        job.cleared();
        assert_eq!(
            job.child_stopped(libc::SIGTSTP, false),
            [Action::TakeBack, Action::Clear]
        );
        assert_eq!(job.cleared(), Some(Action::Stop(libc::SIGTSTP)));
        assert_eq!(job.resumed(LONG), [Action::Lend]);
    }

    #[test]
    fn a_child_that_somebody_stops_is_only_shown_as_stopped() {
        let mut job = Job::new();
        assert_eq!(job.child_stopped(libc::SIGSTOP, true), [Action::Paused]);
    }
}
