//! When the worker takes a lent terminal back: at a report, and when the child is gone.
//!
//! Who speaks on the channel or the socket is at work again. A meter says less, for a program may draw one while it reads
//! keys: the terminal is left to whoever does, and to whoever wants it back at once.

use std::time::{Duration, Instant};

use rustix::process::WaitIdStatus;

use crate::protocol::{Progress, Status};
use crate::reports::Reports;

use super::super::terminal::Terminal;
use super::super::{Notice, tree};
use super::Worker;

/// Who wants the terminal again so soon reads there beside its meter.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What meters may do with a lent terminal.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// When one last took it back.
    took: Option<Instant>,
    /// None takes it back before this time.
    wait_until: Option<Instant>,
    /// How long that was, after the last of the takings that were wrong.
    patience: Duration,
}

impl Meters {
    /// The child wants the terminal. Each time that it does so at once meters wait twice as long, or it would come and
    /// go with each of their changes.
    pub(super) fn terminal_is_wanted(&mut self, now: Instant) {
        if self.took.take().is_some_and(|took| now < took + AT_ONCE) {
            self.patience = self.patience * 2 + AT_ONCE;
            self.wait_until = Some(now + self.patience);
        }
    }
}

impl Worker<'_> {
    /// Somebody has said this on the channel or the socket, or asked there whether it is cancelled.
    pub(super) fn take_terminal_back_at(&mut self, reports: &Reports) {
        let parts = &reports.parts;
        let was_cancelled = |part: &Progress<'_>| part.status == Some(Status::Cancelled);
        // Whoever only tells that something was cancelled is about to end, of a Ctrl-C that went there. Where it went is
        // seen by who has the terminal then.
        if parts.is_empty() || !parts.iter().all(was_cancelled) {
            self.take_terminal_back();
        }
    }

    /// A meter has moved, or the like.
    pub(super) fn take_terminal_back_at_meter(&mut self) {
        if !self.is_lent() {
            return;
        }
        let now = Instant::now();
        let reads_keys =
            self.taking.lent || self.terminal.as_ref().is_some_and(Terminal::reads_keys);
        if !reads_keys && self.meters.wait_until.is_none_or(|time| time <= now) {
            self.meters.took = self.take_terminal_back().then_some(now);
        }
    }

    /// The child is at work again. If it wants the terminal once more, it stops once more. Says whether it was taken.
    pub(super) fn take_terminal_back(&mut self) -> bool {
        let in_use = self.stopped || self.uses_terminal();
        let lent = |terminal: &&mut Terminal| terminal.is_lent() && !in_use;
        let Some(terminal) = self.terminal.as_mut().filter(lent) else {
            return false;
        };
        terminal.take_back(self.pid);
        self.forget_screen();
        // Also if it reads already: who waits in a read is asked for the terminal only when it starts anew.
        tree::signal_group(self.pid, libc::SIGSTOP);
        tree::signal_group(self.pid, libc::SIGCONT);
        (self.notify)(Notice::TakenBack);
        true
    }

    /// The child is gone.
    pub(super) fn take_terminal_back_for_good(&mut self, ended: &WaitIdStatus) {
        let pid = self.pid;
        let had_keys = |terminal: &mut Terminal| terminal.take_back_for_good(pid);
        let had_keys = self.terminal.as_mut().is_some_and(had_keys);
        if had_keys && ended.terminating_signal() == Some(libc::SIGINT) {
            // It need not be asked any more.
            self.cancel_seen = true;
            (self.notify)(Notice::Interrupted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_wait_twice_as_long_each_time_that_the_terminal_is_wanted_back_at_once() {
        let start = Instant::now();
        let mut meters = Meters::default();
        for (wanted_after, patience) in [(0.5, 1), (0.0, 3), (5.0, 3), (0.9, 7)] {
            meters.took = Some(start);
            let wanted = start + Duration::from_secs_f64(wanted_after);
            meters.terminal_is_wanted(wanted);
            assert_eq!(meters.patience, Duration::from_secs(patience));
            // Wanted for another reason.
            meters.terminal_is_wanted(wanted);
            assert_eq!(meters.patience, Duration::from_secs(patience));
        }
        assert!(meters.wait_until > Some(start + Duration::from_secs(7)));
    }
}
