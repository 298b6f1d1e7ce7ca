//! The lease of the terminal: which task has it, which tasks wait for it, and when progrun stops. Knows no descriptor.
//!
//! A state machine like the ladder: told what happened, it says what to do. The terminal is the run's until a child
//! wants it: the child is stopped for using it in the background (SIGTTIN, SIGTTOU), takes the whole screen, or waits
//! for keys. Then that child has it until its worker gives it back, Ctrl-Z stops the child, or the child ends. At most
//! one child has it, the others wait in a queue. A stop of the child that has it stops progrun and all other children
//! too, as a shell stops a whole job. Before the terminal is lent or progrun stops, the screen is cleared, which takes
//! time.
//!
//! Events arrive here a moment late. A stop from before the child was continued is history: acting on it would stop
//! everything again after an `fg`, or take the terminal from a shell that has just claimed it.

use std::collections::VecDeque;

use crate::event::TaskId;
use crate::system::signals::Scope;

/// The next thing for the run loop to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Clear the screen and say when it is done.
    Clear,
    /// Draw again.
    Draw,
    /// Lend the terminal to this task if it is ours, and continue the child. It may have it already.
    Lend(TaskId),
    /// Take the terminal back from a child that was stopped.
    TakeBack(TaskId),
    /// Send this signal to the children.
    Signal(To, i32),
    /// Stop progrun as this signal does by default.
    Stop(i32, Scope),
    /// The child alone was stopped: no time passes for it.
    Paused(TaskId),
    /// The child is stopped because it waits for a terminal that it cannot get.
    Stuck(TaskId),
}

/// Which children a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    All,
    One(TaskId),
    AllBut(TaskId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The terminal is ours, or at least no child's.
    Ours,
    /// The terminal is being taken back from a child.
    TakingBack(TaskId, Then),
    /// The screen is being cleared.
    Clearing(Then),
    /// We are stopped, or about to be.
    Stopping(Wanted),
    /// The worker was told to lend the terminal and to continue the child. Its answer is still to come.
    Lending(TaskId),
    /// The child has the terminal.
    Lent(TaskId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Lend(TaskId),
    Stop(i32, Scope, Wanted),
}

/// Which child wants the terminal when progrun is continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    /// It had the terminal before the stop.
    Again(TaskId),
    /// It waits for the terminal, and progrun was in the background.
    Yes(TaskId),
}

impl Wanted {
    fn by(self) -> Option<TaskId> {
        match self {
            Self::No => None,
            Self::Again(task) | Self::Yes(task) => Some(task),
        }
    }

    /// The same after the end of `task`.
    fn without(self, task: TaskId) -> Self {
        if self.by() == Some(task) {
            Self::No
        } else {
            self
        }
    }
}

/// Which task has the terminal.
#[derive(Debug)]
pub(super) struct Lease {
    state: State,
    /// The tasks that wait for it, in the order in which they came.
    queue: VecDeque<TaskId>,
}

impl Lease {
    pub(super) fn new() -> Self {
        Self {
            state: State::Ours,
            queue: VecDeque::new(),
        }
    }

    /// The child was stopped; `lendable` if the terminal is ours, or this child's already.
    pub(super) fn child_stopped(
        &mut self,
        task: TaskId,
        signal: i32,
        lendable: bool,
    ) -> Vec<Action> {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        match self.state {
            State::Ours if wants && lendable => self.clear(Then::Lend(task)),
            State::Ours if wants => {
                let then = Then::Stop(signal, Scope::Group, Wanted::Yes(task));
                let mut actions = vec![Action::Signal(To::AllBut(task), libc::SIGTSTP)];
                actions.extend(self.clear(then));
                actions
            }
            // progrun was stopped too (SIGSTOP), and the shell above gave the terminal to it and not to the child; or a
            // shell below the child had taken the terminal, and died.
            State::Lent(holder) if holder == task && wants && lendable => vec![self.lend(task)],
            State::Lent(holder) if holder == task => {
                let then = if wants {
                    // The progrun that we run under took it back. It lends it again when we stop by this signal.
                    Then::Stop(signal, Scope::Group, Wanted::Yes(task))
                } else {
                    Then::Stop(libc::SIGTSTP, Scope::Group, Wanted::Again(task))
                };
                self.state = State::TakingBack(task, then);
                vec![
                    Action::TakeBack(task),
                    Action::Signal(To::AllBut(task), libc::SIGTSTP),
                ]
            }
            State::Ours => vec![Action::Paused(task)],
            State::Lending(other) | State::Lent(other) | State::Clearing(Then::Lend(other))
                if other != task =>
            {
                if wants {
                    self.wait(task);
                    return Vec::new();
                }
                vec![Action::Paused(task)]
            }
            // This stop is history, or the effect of our own signal. The child is continued in any case, and stops
            // again if it still wants the terminal.
            _ => Vec::new(),
        }
    }

    /// The child took the whole screen; `lendable` as in [`child_stopped`](Self::child_stopped).
    pub(super) fn child_took_screen(&mut self, task: TaskId, lendable: bool) -> Vec<Action> {
        match self.state {
            State::Ours if lendable => self.clear(Then::Lend(task)),
            // The same that the terminal does to a background process that changes its settings.
            State::Ours => vec![Action::Signal(To::One(task), libc::SIGTTOU)],
            State::Lending(other) | State::Lent(other) | State::Clearing(Then::Lend(other))
                if other != task =>
            {
                self.wait(task);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// progrun is asked to stop (SIGTSTP), most likely by Ctrl-Z.
    pub(super) fn asked_to_stop(&mut self) -> Vec<Action> {
        let signal = libc::SIGTSTP;
        match self.state {
            State::Ours => {
                let mut actions = vec![Action::Signal(To::All, signal)];
                actions.extend(self.clear(Then::Stop(signal, Scope::Process, Wanted::No)));
                actions
            }
            State::Lending(task) | State::Lent(task) => {
                let then = Then::Stop(signal, Scope::Process, Wanted::Again(task));
                self.state = State::TakingBack(task, then);
                vec![Action::TakeBack(task), Action::Signal(To::All, signal)]
            }
            // The child is stopped already, and gets the terminal when progrun is continued.
            State::Clearing(Then::Lend(task)) => {
                let then = Then::Stop(signal, Scope::Process, Wanted::Again(task));
                self.state = State::Clearing(then);
                vec![Action::Signal(To::AllBut(task), signal)]
            }
            State::TakingBack(..) | State::Clearing(_) | State::Stopping(_) => Vec::new(),
        }
    }

    /// The screen is clear.
    pub(super) fn cleared(&mut self) -> Option<Action> {
        let State::Clearing(then) = self.state else {
            return None;
        };
        Some(match then {
            Then::Lend(task) => self.lend(task),
            Then::Stop(signal, scope, wanted) => {
                self.state = State::Stopping(wanted);
                Action::Stop(signal, scope)
            }
        })
    }

    /// progrun goes on. `stopped` is false if the system discarded the stop: in an orphaned process group no process
    /// could have continued progrun.
    pub(super) fn resumed(&mut self, stopped: bool) -> Vec<Action> {
        let State::Stopping(wanted) = self.state else {
            return Vec::new();
        };
        let continue_others = |task| Action::Signal(To::AllBut(task), libc::SIGCONT);
        match wanted {
            Wanted::No => {
                let mut actions = vec![Action::Signal(To::All, libc::SIGCONT)];
                actions.extend(self.take_over());
                actions
            }
            Wanted::Yes(task) if !stopped => {
                self.state = State::Ours;
                vec![continue_others(task), Action::Draw, Action::Stuck(task)]
            }
            Wanted::Yes(task) | Wanted::Again(task) => {
                vec![continue_others(task), self.lend(task)]
            }
        }
    }

    /// The child has the terminal.
    pub(super) fn lent(&mut self, task: TaskId) {
        if self.state == State::Lending(task) {
            self.state = State::Lent(task);
        }
    }

    /// The terminal came back from the child, which no longer needs it; or it could not be lent (`refused`).
    pub(super) fn returned(&mut self, task: TaskId, refused: bool) -> Vec<Action> {
        match self.state {
            State::Lent(holder) if holder == task => self.take_over(),
            State::Lending(holder) if holder == task && refused => self.take_over(),
            // It came back before the worker read the order to lend it again.
            State::Lending(holder) if holder == task => vec![Action::Lend(task)],
            State::TakingBack(holder, then) if holder == task => self.clear(then),
            _ => Vec::new(),
        }
    }

    /// The child is gone, and does not have the terminal any more.
    pub(super) fn over(&mut self, task: TaskId) -> Vec<Action> {
        self.queue.retain(|waiting| *waiting != task);
        match self.state {
            State::Lent(holder) | State::Lending(holder) if holder == task => self.take_over(),
            State::TakingBack(holder, then) if holder == task => {
                self.clear(Self::then_without(then, task).unwrap_or(then))
            }
            State::Clearing(then) => match Self::then_without(then, task) {
                Some(then) => {
                    self.state = State::Clearing(then);
                    Vec::new()
                }
                None => self.take_over(),
            },
            State::Stopping(wanted) => {
                self.state = State::Stopping(wanted.without(task));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// What follows instead of `then` when `task` is over; none if `then` was to lend it the terminal.
    fn then_without(then: Then, task: TaskId) -> Option<Then> {
        match then {
            Then::Lend(wanting) => (wanting != task).then_some(then),
            Then::Stop(signal, scope, wanted) => {
                Some(Then::Stop(signal, scope, wanted.without(task)))
            }
        }
    }

    fn wait(&mut self, task: TaskId) {
        if !self.queue.contains(&task) {
            self.queue.push_back(task);
        }
    }

    /// The terminal is ours: it is lent to the next task that waits for it, or else drawn on.
    fn take_over(&mut self) -> Vec<Action> {
        if let Some(next) = self.queue.pop_front() {
            return self.clear(Then::Lend(next));
        }
        self.state = State::Ours;
        vec![Action::Draw]
    }

    fn lend(&mut self, task: TaskId) -> Action {
        self.state = State::Lending(task);
        Action::Lend(task)
    }

    fn clear(&mut self, then: Then) -> Vec<Action> {
        self.state = State::Clearing(then);
        vec![Action::Clear]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TaskId = TaskId::FIRST;

    /// A lease whose terminal the first task has.
    fn lent_to_a() -> Lease {
        let mut lease = Lease::new();
        assert_eq!(lease.child_stopped(A, libc::SIGTTOU, true), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(Action::Lend(A)));
        lease.lent(A);
        lease
    }

    const STOP_OTHERS: Action = Action::Signal(To::AllBut(A), libc::SIGTSTP);
    const CONTINUE_OTHERS: Action = Action::Signal(To::AllBut(A), libc::SIGCONT);

    #[test]
    fn a_terminal_that_was_taken_from_us_while_it_was_lent_is_asked_for_again() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, true);
        lease.cleared();
        lease.lent(A);
        assert_eq!(
            lease.child_stopped(A, libc::SIGTTIN, false),
            [Action::TakeBack(A), STOP_OTHERS]
        );
        assert_eq!(lease.returned(A, false), [Action::Clear]);
        assert_eq!(
            lease.cleared(),
            Some(Action::Stop(libc::SIGTTIN, Scope::Group))
        );
        assert_eq!(lease.resumed(true), [CONTINUE_OTHERS, Action::Lend(A)]);
    }

    #[test]
    fn a_child_that_wants_the_terminal_gets_it_when_the_screen_is_clear() {
        let mut lease = Lease::new();
        assert_eq!(lease.child_stopped(A, libc::SIGTTIN, true), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(Action::Lend(A)));
        lease.lent(A);
        assert_eq!(lease.returned(A, false), [Action::Draw]);
        assert_eq!(lease.child_stopped(A, libc::SIGTTOU, true), [Action::Clear]);
    }

    #[test]
    fn in_the_background_we_stop_too_and_lend_when_we_are_back() {
        let mut lease = Lease::new();
        assert_eq!(
            lease.child_stopped(A, libc::SIGTTIN, false),
            [STOP_OTHERS, Action::Clear]
        );
        assert_eq!(
            lease.cleared(),
            Some(Action::Stop(libc::SIGTTIN, Scope::Group))
        );
        assert_eq!(lease.resumed(true), [CONTINUE_OTHERS, Action::Lend(A)]);
        assert_eq!(lease.returned(A, true), [Action::Draw]);
    }

    #[test]
    fn where_we_cannot_be_stopped_the_child_is_said_to_be_stuck_instead_of_spinning() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, false);
        lease.cleared();
        assert_eq!(
            lease.resumed(false),
            [CONTINUE_OTHERS, Action::Draw, Action::Stuck(A)]
        );
    }

    #[test]
    fn ctrl_z_stops_the_child_then_us_and_both_go_on_together() {
        let mut lease = Lease::new();
        let tstp = libc::SIGTSTP;
        assert_eq!(
            lease.asked_to_stop(),
            [Action::Signal(To::All, tstp), Action::Clear]
        );
        assert_eq!(lease.child_stopped(A, tstp, true), []);
        assert_eq!(lease.asked_to_stop(), []);
        assert_eq!(lease.cleared(), Some(Action::Stop(tstp, Scope::Process)));
        assert_eq!(
            lease.resumed(true),
            [Action::Signal(To::All, libc::SIGCONT), Action::Draw]
        );
    }

    #[test]
    fn ctrl_z_in_a_lent_terminal_stops_us_with_the_child_and_lends_again_after() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTOU, true);
        lease.cleared();
        lease.lent(A);
        assert_eq!(
            lease.child_stopped(A, libc::SIGTSTP, false),
            [Action::TakeBack(A), STOP_OTHERS]
        );
        assert_eq!(lease.returned(A, false), [Action::Clear]);
        let stop = Action::Stop(libc::SIGTSTP, Scope::Group);
        assert_eq!(lease.cleared(), Some(stop));
        assert_eq!(lease.resumed(true), [CONTINUE_OTHERS, Action::Lend(A)]);
    }

    #[test]
    fn ctrl_z_in_a_lent_terminal_is_undone_where_we_cannot_be_stopped() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTOU, true);
        lease.cleared();
        lease.lent(A);
        lease.child_stopped(A, libc::SIGTSTP, false);
        lease.returned(A, false);
        lease.cleared();
        assert_eq!(lease.resumed(false), [CONTINUE_OTHERS, Action::Lend(A)]);
    }

    #[test]
    fn a_terminal_that_was_ours_again_without_notice_is_lent_again() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, true);
        lease.cleared();
        lease.lent(A);
        assert_eq!(
            lease.child_stopped(A, libc::SIGTTIN, true),
            [Action::Lend(A)]
        );
    }

    #[test]
    fn a_stop_from_before_the_child_was_continued_is_history() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, true);
        assert_eq!(lease.cleared(), Some(Action::Lend(A)));
        assert_eq!(lease.child_stopped(A, libc::SIGTTIN, true), []);
        lease.lent(A);
        let tstp = libc::SIGTSTP;
        assert_eq!(
            lease.asked_to_stop(),
            [Action::TakeBack(A), Action::Signal(To::All, tstp)]
        );
        assert_eq!(lease.returned(A, false), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(Action::Stop(tstp, Scope::Process)));
        assert_eq!(lease.resumed(true), [CONTINUE_OTHERS, Action::Lend(A)]);
        // progrun was stopped before it learned that the child was.
        assert_eq!(lease.child_stopped(A, tstp, false), []);
        lease.lent(A);
        assert_eq!(
            lease.child_stopped(A, tstp, false),
            [Action::TakeBack(A), STOP_OTHERS]
        );
    }

    #[test]
    fn ctrl_z_while_the_screen_is_cleared_for_the_child_stops_us_before_it_has_the_terminal() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, true);
        assert_eq!(lease.asked_to_stop(), [STOP_OTHERS]);
        let stop = Action::Stop(libc::SIGTSTP, Scope::Process);
        assert_eq!(lease.cleared(), Some(stop));
        assert_eq!(lease.resumed(true), [CONTINUE_OTHERS, Action::Lend(A)]);
    }

    #[test]
    fn a_report_that_comes_before_the_terminal_is_lent_once_more_changes_nothing() {
        let mut lease = Lease::new();
        lease.child_stopped(A, libc::SIGTTIN, true);
        lease.cleared();
        lease.lent(A);
        lease.child_stopped(A, libc::SIGTTIN, true);
        assert_eq!(lease.returned(A, false), [Action::Lend(A)]);
        lease.lent(A);
        assert_eq!(lease.returned(A, false), [Action::Draw]);
    }

    #[test]
    fn a_child_that_is_stopped_from_outside_is_only_shown_as_stopped() {
        let mut lease = Lease::new();
        assert_eq!(
            lease.child_stopped(A, libc::SIGSTOP, true),
            [Action::Paused(A)]
        );
    }

    #[test]
    fn a_second_child_that_wants_the_terminal_waits_until_the_first_has_done_with_it() {
        let (b, c) = (A.next(), A.next().next());
        let mut lease = lent_to_a();
        assert_eq!(lease.child_stopped(b, libc::SIGTTIN, false), []);
        assert_eq!(lease.child_took_screen(c, true), []);
        assert_eq!(lease.child_stopped(b, libc::SIGTTIN, false), []);
        assert_eq!(
            lease.child_stopped(c, libc::SIGSTOP, false),
            [Action::Paused(c)]
        );
        assert_eq!(lease.returned(A, false), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(Action::Lend(b)));
        lease.lent(b);
        assert_eq!(lease.over(b), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(Action::Lend(c)));
        assert_eq!(lease.returned(c, true), [Action::Draw]);
    }

    #[test]
    fn a_child_that_ends_while_it_waits_for_the_terminal_does_not_get_it() {
        let b = A.next();
        let mut lease = lent_to_a();
        lease.child_stopped(b, libc::SIGTTIN, false);
        assert_eq!(lease.over(b), []);
        assert_eq!(lease.over(A), [Action::Draw]);
        lease.child_stopped(b, libc::SIGTTIN, true);
        assert_eq!(lease.over(b), [Action::Draw]);
        assert_eq!(lease.cleared(), None);
    }

    #[test]
    fn a_child_that_ends_on_the_way_to_a_stop_does_not_keep_the_others_from_it() {
        let stop = Action::Stop(libc::SIGTSTP, Scope::Process);
        let continued = [Action::Signal(To::All, libc::SIGCONT), Action::Draw];
        let mut lease = lent_to_a();
        lease.asked_to_stop();
        assert_eq!(lease.over(A), [Action::Clear]);
        assert_eq!(lease.cleared(), Some(stop));
        assert_eq!(lease.resumed(true), continued);
        let mut lease = lent_to_a();
        lease.asked_to_stop();
        lease.returned(A, false);
        assert_eq!(lease.cleared(), Some(stop));
        assert_eq!(lease.over(A), []);
        assert_eq!(lease.resumed(true), continued);
    }
}
