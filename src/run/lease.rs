//! Lease control: who has the terminal, and who is stopped.
//!
//! A state machine like the ladder: told what happened, it says what to do. The rule: the terminal is ours until the
//! child, in the background, is stopped for wanting it; then it is the child's until the child reports again, is
//! stopped by Ctrl-Z, or ends. Whatever stops the child by the terminal's will stops us too, as a shell's job stops as a
//! whole. Before the terminal changes hands or we stop, the screen is cleared, and that takes its time.
//!
//! What is told here was seen a moment ago. A stop that was seen before the child was continued is history, and acting
//! on it would stop everything again after an `fg`, or take the terminal from a shell that has just made it its own.

use crate::system::signals::Scope;

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
    Stop(i32, Scope),
    /// Somebody stopped the child alone: no time passes for it.
    Paused,
    /// The child is stopped because it waits for a terminal that it cannot get.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The terminal is ours, or at least not the child's.
    Ours,
    /// The terminal is being taken back from the child.
    TakingBack(Then),
    /// The screen is being cleared.
    Clearing(Then),
    /// We are stopped, or about to be.
    Stopping(Wanted),
    /// The child is about to have the terminal and to be continued; it is not known yet whether it could be lent.
    Lending,
    /// The child has the terminal.
    Lent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Lend,
    Stop(i32, Scope, Wanted),
}

/// Whether the child wants the terminal when we are back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    /// It had it before.
    Again,
    /// It waits for it, and we were in the background.
    Yes,
}

/// Who has the terminal.
#[derive(Debug)]
pub(super) struct Lease(State);

impl Lease {
    pub(super) fn new() -> Self {
        Self(State::Ours)
    }

    /// The child was stopped; `lendable` if the terminal is ours, or the child's already.
    pub(super) fn child_stopped(&mut self, signal: i32, lendable: bool) -> Vec<Action> {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        match self.0 {
            State::Ours if wants && lendable => self.clear(Then::Lend),
            State::Ours if wants => self.clear(Then::Stop(signal, Scope::Group, Wanted::Yes)),
            // We were stopped as well, without notice, and the shell above has given the terminal to us; or a shell
            // below the child has made it its own, and died with it.
            State::Lent if wants && lendable => vec![self.lend()],
            State::Lent => {
                let then = if wants {
                    // The progrun that we run under has taken it back, and lends it again when we stop for wanting it.
                    Then::Stop(signal, Scope::Group, Wanted::Yes)
                } else {
                    Then::Stop(libc::SIGTSTP, Scope::Group, Wanted::Again)
                };
                self.0 = State::TakingBack(then);
                vec![Action::TakeBack]
            }
            State::Ours => vec![Action::Paused],
            State::TakingBack(_) | State::Clearing(_) | State::Stopping(_) | State::Lending => {
                Vec::new()
            }
        }
    }

    /// The child took the whole screen; `lendable` as in [`child_stopped`](Self::child_stopped).
    pub(super) fn child_took_screen(&mut self, lendable: bool) -> Vec<Action> {
        match self.0 {
            State::Ours if lendable => self.clear(Then::Lend),
            // As the terminal does it with who changes its settings there.
            State::Ours => vec![Action::Signal(libc::SIGTTOU)],
            _ => Vec::new(),
        }
    }

    /// We are asked to stop, by Ctrl-Z most likely.
    pub(super) fn asked_to_stop(&mut self) -> Vec<Action> {
        let signal = libc::SIGTSTP;
        match self.0 {
            State::Ours => {
                let mut actions = vec![Action::Signal(signal)];
                actions.extend(self.clear(Then::Stop(signal, Scope::Process, Wanted::No)));
                actions
            }
            State::Lending | State::Lent => {
                self.0 = State::TakingBack(Then::Stop(signal, Scope::Process, Wanted::Again));
                vec![Action::TakeBack, Action::Signal(signal)]
            }
            // The child is stopped already, and gets what it wants when we are back.
            State::Clearing(Then::Lend) => {
                self.0 = State::Clearing(Then::Stop(signal, Scope::Process, Wanted::Again));
                Vec::new()
            }
            State::TakingBack(_) | State::Clearing(_) | State::Stopping(_) => Vec::new(),
        }
    }

    /// The screen is clear.
    pub(super) fn cleared(&mut self) -> Option<Action> {
        let State::Clearing(then) = self.0 else {
            return None;
        };
        Some(match then {
            Then::Lend => self.lend(),
            Then::Stop(signal, scope, wanted) => {
                self.0 = State::Stopping(wanted);
                Action::Stop(signal, scope)
            }
        })
    }

    /// We are back; `stopped` unless the system discarded the stop, because nobody could have continued us.
    pub(super) fn resumed(&mut self, stopped: bool) -> Vec<Action> {
        let State::Stopping(wanted) = self.0 else {
            return Vec::new();
        };
        match wanted {
            Wanted::No => {
                self.0 = State::Ours;
                vec![Action::Signal(libc::SIGCONT), Action::Draw]
            }
            Wanted::Yes if !stopped => {
                self.0 = State::Ours;
                vec![Action::Draw, Action::Stuck]
            }
            Wanted::Yes | Wanted::Again => vec![self.lend()],
        }
    }

    /// The terminal was lent, or could not be lent.
    pub(super) fn lent(&mut self, lent: bool) -> Option<Action> {
        if self.0 != State::Lending {
            return None;
        }
        if lent {
            self.0 = State::Lent;
            return None;
        }
        self.0 = State::Ours;
        Some(Action::Draw)
    }

    /// The terminal was taken back.
    pub(super) fn taken_back(&mut self) -> Option<Action> {
        match self.0 {
            State::Lent => {
                self.0 = State::Ours;
                Some(Action::Draw)
            }
            State::TakingBack(then) => {
                self.0 = State::Clearing(then);
                Some(Action::Clear)
            }
            // In `Lending`: before it is lent once more.
            _ => None,
        }
    }

    fn lend(&mut self) -> Action {
        self.0 = State::Lending;
        Action::Lend
    }

    fn clear(&mut self, then: Then) -> Vec<Action> {
        self.0 = State::Clearing(then);
        vec![Action::Clear]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_was_taken_from_us_while_it_was_lent_is_asked_for_again() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, true);
        job.cleared();
        job.lent(true);
        assert_eq!(job.child_stopped(libc::SIGTTIN, false), [Action::TakeBack]);
        assert_eq!(job.taken_back(), Some(Action::Clear));
        assert_eq!(
            job.cleared(),
            Some(Action::Stop(libc::SIGTTIN, Scope::Group))
        );
        assert_eq!(job.resumed(true), [Action::Lend]);
    }

    #[test]
    fn a_child_that_wants_the_terminal_gets_it_when_the_screen_is_clear() {
        let mut job = Lease::new();
        assert_eq!(job.child_stopped(libc::SIGTTIN, true), [Action::Clear]);
        assert_eq!(job.cleared(), Some(Action::Lend));
        assert_eq!(job.lent(true), None);
        assert_eq!(job.taken_back(), Some(Action::Draw));
        assert_eq!(job.child_stopped(libc::SIGTTOU, true), [Action::Clear]);
    }

    #[test]
    fn in_the_background_we_stop_too_and_lend_when_we_are_back() {
        let mut job = Lease::new();
        assert_eq!(job.child_stopped(libc::SIGTTIN, false), [Action::Clear]);
        assert_eq!(
            job.cleared(),
            Some(Action::Stop(libc::SIGTTIN, Scope::Group))
        );
        assert_eq!(job.resumed(true), [Action::Lend]);
        assert_eq!(job.lent(false), Some(Action::Draw));
    }

    #[test]
    fn where_we_cannot_be_stopped_the_child_is_said_to_be_stuck_instead_of_spinning() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, false);
        job.cleared();
        assert_eq!(job.resumed(false), [Action::Draw, Action::Stuck]);
    }

    #[test]
    fn ctrl_z_stops_the_child_then_us_and_both_go_on_together() {
        let mut job = Lease::new();
        let tstp = libc::SIGTSTP;
        assert_eq!(job.asked_to_stop(), [Action::Signal(tstp), Action::Clear]);
        assert_eq!(job.child_stopped(tstp, true), []);
        assert_eq!(job.asked_to_stop(), []);
        assert_eq!(job.cleared(), Some(Action::Stop(tstp, Scope::Process)));
        assert_eq!(
            job.resumed(true),
            [Action::Signal(libc::SIGCONT), Action::Draw]
        );
    }

    #[test]
    fn ctrl_z_in_a_lent_terminal_stops_us_with_the_child_and_lends_again_after() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTOU, true);
        job.cleared();
        job.lent(true);
        assert_eq!(job.child_stopped(libc::SIGTSTP, false), [Action::TakeBack]);
        assert_eq!(job.taken_back(), Some(Action::Clear));
        let stop = Action::Stop(libc::SIGTSTP, Scope::Group);
        assert_eq!(job.cleared(), Some(stop));
        assert_eq!(job.resumed(true), [Action::Lend]);
    }

    #[test]
    fn ctrl_z_in_a_lent_terminal_is_undone_where_we_cannot_be_stopped() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTOU, true);
        job.cleared();
        job.lent(true);
        job.child_stopped(libc::SIGTSTP, false);
        job.taken_back();
        job.cleared();
        assert_eq!(job.resumed(false), [Action::Lend]);
    }

    #[test]
    fn a_terminal_that_was_ours_again_without_notice_is_lent_again() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, true);
        job.cleared();
        job.lent(true);
        assert_eq!(job.child_stopped(libc::SIGTTIN, true), [Action::Lend]);
    }

    #[test]
    fn a_stop_from_before_the_child_was_continued_is_history() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, true);
        assert_eq!(job.cleared(), Some(Action::Lend));
        assert_eq!(job.child_stopped(libc::SIGTTIN, true), []);
        assert_eq!(job.lent(true), None);
        let tstp = libc::SIGTSTP;
        assert_eq!(
            job.asked_to_stop(),
            [Action::TakeBack, Action::Signal(tstp)]
        );
        assert_eq!(job.taken_back(), Some(Action::Clear));
        assert_eq!(job.cleared(), Some(Action::Stop(tstp, Scope::Process)));
        assert_eq!(job.resumed(true), [Action::Lend]);
        // We were stopped before we could be told that the child was.
        assert_eq!(job.child_stopped(tstp, false), []);
        assert_eq!(job.lent(true), None);
        assert_eq!(job.child_stopped(tstp, false), [Action::TakeBack]);
    }

    #[test]
    fn ctrl_z_while_the_screen_is_cleared_for_the_child_stops_us_before_it_has_the_terminal() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, true);
        assert_eq!(job.asked_to_stop(), []);
        let stop = Action::Stop(libc::SIGTSTP, Scope::Process);
        assert_eq!(job.cleared(), Some(stop));
        assert_eq!(job.resumed(true), [Action::Lend]);
    }

    #[test]
    fn a_report_that_comes_before_the_terminal_is_lent_once_more_changes_nothing() {
        let mut job = Lease::new();
        job.child_stopped(libc::SIGTTIN, true);
        job.cleared();
        job.lent(true);
        job.child_stopped(libc::SIGTTIN, true);
        assert_eq!(job.taken_back(), None);
        assert_eq!(job.lent(true), None);
        assert_eq!(job.taken_back(), Some(Action::Draw));
    }

    #[test]
    fn a_child_that_somebody_stops_is_only_shown_as_stopped() {
        let mut job = Lease::new();
        assert_eq!(job.child_stopped(libc::SIGSTOP, true), [Action::Paused]);
    }
}
