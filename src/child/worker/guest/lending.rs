//! When the worker takes a lent terminal back: at a report, when no process uses it any more, and when the child is
//! gone.
//!
//! A child that reports on the channel or the socket is at work again. But one of its processes may report while
//! another asks: as long as one waits for keys, the terminal is the child's, and its question stays on the screen. A
//! meter says less, because a program may draw one while it reads keys: then the terminal stays, as it does with a
//! child that wants it back at once. A silent child loses the terminal when no process has waited for a key for a
//! while.
//!
//! No process is stopped to be asked. One that reads from then on is stopped by the kernel (SIGTTIN); one that is
//! already in a read gets its line. Which task gets the terminal next is not known here.

use std::time::{Duration, Instant};

use rustix::process::WaitIdStatus;

use crate::model::batch::Batch;
use crate::protocol::{Progress, Status};

use super::super::super::observe::processor_time;
use super::super::super::terminal::{Terminal, has_child};
use super::super::super::waiting::{Tty, Waiting};
use super::super::outputs::Outputs;
use super::super::process::Process;
use super::Guest;

/// A child that wants the terminal back within this time is reading keys while it draws a meter.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The delay before the first look: a child that was stopped by SIGTTIN reaches its read a moment after SIGCONT.
const ARRIVAL: Duration = Duration::from_millis(20);
/// How long the child keeps the terminal even if it has not been seen to use it.
const WANTED: Duration = Duration::from_millis(200);
/// A child that has not waited for a key for this long is done with the terminal.
const IDLE: Duration = Duration::from_secs(1);
/// How often the worker looks while a report wants the terminal back.
const LOOK: Duration = Duration::from_millis(50);
/// How often it looks while none does.
const GLANCE: Duration = Duration::from_millis(250);
/// The time between looks is at least this many times the CPU time of one: there may be thousands of processes.
const THRIFT: u32 = 20;
/// The limit of that: a user who has answered the child's question must not wait longer for the bars.
const AT_MOST: Duration = Duration::from_millis(500);

/// How the child uses a terminal that it was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::child::worker) enum Use {
    /// Not for a while.
    Idle,
    /// Not now, but it may do so soon: it has set up the terminal, or has only just stopped using it.
    Kept,
    /// It waits for a key, or has the screen.
    Waiting,
}

/// The lending of the terminal to a child that wanted it.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one lending"
)]
pub(in crate::child::worker) struct Lending {
    /// When it began.
    since: Option<Instant>,
    /// Whether a report wants it back.
    wanted_back: bool,
    /// Whether the child has been seen to wait for a key since.
    has_waited: bool,
    /// Whether a process was seen to wait for a key at the last look.
    waits: bool,
    /// Whether another group than the child's has been seen in the foreground since.
    has_others: bool,
    /// Since when no process has been seen to use it.
    idle_since: Option<Instant>,
    /// When to look next.
    next: Option<Instant>,
    /// No look before this time.
    rest_until: Option<Instant>,
}

impl Lending {
    pub(in crate::child::worker) fn begin(&mut self, now: Instant) {
        *self = Self {
            since: Some(now),
            next: Some(now + ARRIVAL),
            rest_until: Some(now + ARRIVAL),
            ..Self::default()
        };
    }

    pub(in crate::child::worker) fn look_at(&self) -> Option<Instant> {
        self.since.and(self.next)
    }
}

/// The right of meters to take a lent terminal back.
#[derive(Debug, Default)]
pub(in crate::child::worker) struct Meters {
    /// When a meter last took it back.
    took: Option<Instant>,
    /// No meter takes it back before this time.
    wait_until: Option<Instant>,
    /// The last such delay.
    patience: Duration,
}

impl Meters {
    /// The child wants the terminal. Each time that it does so at once after a meter took it, meters wait about twice
    /// as long. Otherwise the terminal would come and go with each change of a meter.
    pub(in crate::child::worker) fn terminal_is_wanted(&mut self, now: Instant) {
        if self.took.take().is_some_and(|took| now < took + AT_ONCE) {
            self.patience = self.patience * 2 + AT_ONCE;
            self.wait_until = Some(now + self.patience);
        }
    }
}

impl Guest<'_> {
    /// Takes the terminal back at reports on the channel or the socket, or at the empty line that asks for
    /// cancellation.
    pub(in crate::child::worker) fn take_back_at(
        &mut self,
        reports: &Batch,
        process: &Process,
        outputs: &Outputs<'_>,
    ) {
        let parts = &reports.parts;
        let was_cancelled = |part: &Progress<'_>| part.status == Some(Status::Cancelled);
        // A child that reports only cancelled parts is about to end, after a Ctrl-C that went to it. While it still has
        // the terminal, its end shows that the Ctrl-C went there.
        if parts.is_empty() || !parts.iter().all(was_cancelled) {
            self.take_back(process, outputs);
        }
    }

    /// A meter moved, or the channel brought reports in another program's format.
    pub(in crate::child::worker) fn take_back_at_meter(
        &mut self,
        process: &Process,
        outputs: &Outputs<'_>,
    ) {
        let now = Instant::now();
        let reads_keys =
            self.taking.lent || self.terminal.as_ref().is_some_and(Terminal::reads_keys);
        let may = self.meters.wait_until.is_none_or(|time| time <= now);
        if !reads_keys && self.is_lent() && may {
            let took = self.take_back_unless(Use::Waiting, process, outputs);
            self.meters.took = took.then_some(now);
        }
    }

    /// The child is at work again. If it wants the terminal once more, the kernel stops it once more.
    pub(in crate::child::worker) fn take_back(&mut self, process: &Process, outputs: &Outputs<'_>) {
        if self.is_lent() {
            if !self.lending.wanted_back {
                self.lending.wanted_back = true;
                self.lending.next = self.lending.next.min(self.lending.rest_until);
            }
            self.take_back_unless(Use::Waiting, process, outputs);
        }
    }

    /// Looks whether the terminal can be taken back by now.
    pub(in crate::child::worker) fn see_to_lending(
        &mut self,
        process: &Process,
        outputs: &Outputs<'_>,
    ) {
        if !self.is_lent() {
            self.lending = Lending::default();
        } else if self.lending.wanted_back {
            self.take_back_unless(Use::Waiting, process, outputs);
        } else {
            self.take_back_unless(Use::Kept, process, outputs);
        }
    }

    /// Takes the terminal back if it is time to look, and the child's use of it is seen to be less than `used`. Says
    /// whether it was taken.
    fn take_back_unless(&mut self, used: Use, process: &Process, outputs: &Outputs<'_>) -> bool {
        let now = Instant::now();
        if self.lending.look_at().is_none_or(|next| now < next)
            || self.use_of_terminal(process, outputs) >= used
        {
            return false;
        }
        let Some(terminal) = self.terminal.as_mut() else {
            return false;
        };
        let foreground = terminal.foreground();
        let settings = terminal.take_back_from_work(self.pid);
        self.keep_settings(settings);
        // A process that reached its read between the look and the taking is not stopped any more.
        if self.use_of_terminal(process, outputs) == Use::Waiting
            && let (Some(terminal), Some(group)) = (self.terminal.as_mut(), foreground)
        {
            terminal.give(group);
            return false;
        }
        self.forget_screen();
        self.lending = Lending::default();
        self.give_back();
        true
    }

    /// Looks how the child uses the terminal.
    pub(in crate::child::worker) fn use_of_terminal(
        &mut self,
        process: &Process,
        outputs: &Outputs<'_>,
    ) -> Use {
        let begun = processor_time();
        let used = self.seen_use(process, outputs);
        let now = Instant::now();
        let pause = if self.lending.wanted_back {
            LOOK
        } else {
            GLANCE
        };
        let rest = (processor_time().saturating_sub(begun) * THRIFT).min(AT_MOST);
        self.lending.next = Some(now + pause.max(rest));
        self.lending.rest_until = Some(now + rest);
        self.lending.waits = used == Use::Waiting;
        self.lending.has_waited |= self.lending.waits;
        if self.lending.waits && !self.went_on {
            self.went_on = process.watcher.saw_interrupt() == Some(true);
        }
        if let Some(terminal) = &mut self.terminal {
            if self.in_foreground {
                // Also after a SIGSTOP of progrun, which no event reports: the shell has made us the foreground group
                // again.
                terminal.lend_again(self.pid);
            }
            self.lending.has_others |= terminal.has_other(self.pid);
        }
        if self.in_foreground {
            return Use::Waiting;
        }
        let is_early = |since: Instant| now < since + WANTED;
        if !self.lending.has_waited && self.lending.since.is_some_and(is_early) {
            return Use::Waiting;
        }
        if used > Use::Idle {
            self.lending.idle_since = None;
            return used;
        }
        let since = *self.lending.idle_since.get_or_insert(now);
        if now < since + IDLE {
            Use::Kept
        } else {
            Use::Idle
        }
    }

    fn seen_use(&self, process: &Process, outputs: &Outputs<'_>) -> Use {
        let Some(terminal) = &self.terminal else {
            return Use::Idle;
        };
        if process.stopped || self.uses_terminal() {
            return Use::Waiting;
        }
        let groups: Vec<_> = terminal
            .foreground()
            .into_iter()
            .chain([self.pid])
            .collect();
        let Waiting {
            reads,
            watches,
            is_hidden,
        } = Waiting::at(Tty::Controlling, &groups);
        let untouched = terminal.is_untouched();
        let by_key = terminal.reads_keys();
        if reads || watches && by_key || is_hidden && !untouched && !by_key {
            // The last case: a program that runs as another user asks for a password.
            Use::Waiting
        } else if self.taking.lent || self.has_screen() {
            Use::Kept
        } else if is_hidden {
            // sudo passes all keys on to a terminal of its own, and nothing tells whether a process waits for one
            // there. But a question leaves the line open.
            if outputs.line_open || by_key && !terminal.passes_all() {
                Use::Kept
            } else {
                Use::Idle
            }
        } else if untouched {
            Use::Idle
        } else {
            Use::Kept
        }
    }

    /// The child is gone. Gives whether a Ctrl-C that went to the child alone ended it, and the terminal.
    pub(in crate::child::worker) fn take_back_for_good(
        &mut self,
        ended: &WaitIdStatus,
        process: &Process,
    ) -> (bool, Option<Terminal>) {
        let pid = self.pid;
        let had_keys = self
            .terminal
            .as_mut()
            .map(|terminal| terminal.take_back_for_good(pid));
        // A shell takes the terminal by itself. The run takes it back from there.
        let had_keys = || had_keys.unwrap_or_else(|| self.may_have_taken && has_child(pid));
        let interrupted = self.ended_of_ctrl_c(ended, process) && had_keys();
        (interrupted, self.terminal.take())
    }

    /// Whether a Ctrl-C that went to the child alone ended it. A `kill` of the child is none. Neither is a Ctrl-C after
    /// which the child waited for the next key, as an interpreter at its prompt does. A child that was at work and then
    /// ends was cancelled, even if it catches the signal and exits with 0 (with any status, if it keeps the terminal to
    /// its end): no command after `&&` may run.
    fn ended_of_ctrl_c(&self, ended: &WaitIdStatus, process: &Process) -> bool {
        let died = ended.terminating_signal() == Some(libc::SIGINT);
        let works = !self.lending.waits && !self.went_on;
        match process.watcher.saw_interrupt() {
            Some(was_typed) if !self.lending.has_others => {
                let says_well = ended.exit_status() == Some(0);
                was_typed && (died || works && (says_well || self.in_foreground))
            }
            _ => died,
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
