//! How long a run waits for the readers of its output: a terminal, a pipe, a FIFO.
//!
//! It waits as long as they take, as in every pipeline, but not beyond the time limit. A run that is to stop and whose
//! children are gone waits for the time of `--kill-after`, and at least a second; then it discards the unread output.
//! Otherwise a reader that takes nothing would hold up the run for ever.

use std::time::Duration;

use crate::child::{Notice, Order};
use crate::event::Ending;

use super::ending::TIMED_OUT;
use super::{Input, Run};

/// The least time that the last lines have to be written, after giving up and after a stop.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the run waits for the readers that still take output, once it has discarded that of others: on a busy
/// machine the last lines take a while.
const OTHERS: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// When a run that is to stop discards the output that its readers have not taken; none without a request, while a
    /// child lives, and with `--kill-after 0`.
    pub(super) fn discard_at(&self) -> Option<Duration> {
        if self.discarded || self.tasks.is_empty() {
            return None;
        }
        let patience = self.settings.timeouts.kill_after?.max(LAST_WORDS);
        let mut last = Duration::ZERO;
        for running in self.tasks.values() {
            running.task.reason()?;
            last = last.max(running.task.exited_at()?.max(running.task.step_taken()));
        }
        last.checked_add(patience)
    }

    /// Waits no longer for readers that take nothing.
    pub(super) fn discard(&mut self) {
        self.discarded = true;
        self.order_all(|| Order::Discard);
        self.sinks.borrow_mut().abandon();
    }

    /// Puts an input into the inbox when all that the sinks were given is written.
    pub(super) fn send_when_written(&self, input: impl Fn() -> Input + Send + Sync + 'static) {
        let inbox = self.inbox.clone();
        self.sinks.borrow_mut().flush(move || inbox.send(input()));
    }

    /// Waits until everything is written, unless the user interrupts that too, or time is over. Says whether all is
    /// written.
    pub(super) fn flush(&mut self) -> bool {
        self.send_when_written(|| Input::Flushed);
        let begun = self.now();
        // A warning that comes meanwhile is to be written, too.
        let mut warnings = 0;
        loop {
            let until = self.flushed_at(begun);
            // A run that ended before it installed its signal handlers installs them when it has to wait.
            let now = self.now();
            let lease = self.agent.as_ref().and_then(|link| link.due(self.now()));
            let due = [self.sinks.borrow().due(), lease]
                .into_iter()
                .flatten()
                .min();
            let is_due = |time: Duration| until.is_none_or(|until| time < until);
            let wake = due.filter(|time| is_due(*time));
            let at_most = wake.or(until).map(|time| time.saturating_sub(now));
            let first = (!self.handles_signals).then_some(Duration::ZERO);
            let next = self.wait(first.or(at_most));
            match next {
                Ok(Some(Input::Flushed)) if warnings > 0 => warnings -= 1,
                Ok(Some(Input::Flushed)) => return true,
                Ok(Some(Input::Gone(what))) => {
                    self.gone(what);
                    self.send_when_written(|| Input::Flushed);
                    warnings += 1;
                }
                Ok(Some(Input::Asked)) => {
                    self.hear_orders();
                    self.hear();
                }
                Ok(Some(Input::Task(id, notice @ Notice::Request(..)))) => self.notice(id, notice),
                Ok(Some(Input::Tick)) => self.sinks.borrow_mut().tick(),
                Ok(Some(Input::Signal(
                    signal @ (libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT),
                ))) => {
                    // The key press that stopped the run may be delivered once more.
                    let now = self.now();
                    if self.presses.is_new(now) {
                        self.losses.note(Ending::Signal(signal), None);
                        return false;
                    }
                }
                Ok(None) if !self.handles_signals => {
                    if self.handle_signals().is_err() {
                        return false;
                    }
                }
                // A sink hands over what another progrun draws.
                Ok(None) if wake.is_some() => {
                    self.keep_lease(self.now());
                    self.sinks.borrow_mut().tick();
                }
                Ok(None) if !self.gave_up() && !self.discarded => {
                    if self.reason().is_none() && self.stop.is_none() {
                        self.losses.note(Ending::Status(TIMED_OUT), None);
                    }
                    self.discard();
                    // The readers that still take output are to get all of it.
                    self.send_when_written(|| Input::Flushed);
                }
                Ok(None) | Err(_) => return false,
                Ok(Some(_)) => {}
            }
        }
    }

    /// Until when the run waits for the writing that began at `begun`; none: for ever. The time limit is for the whole
    /// run, its output included.
    fn flushed_at(&self, begun: Duration) -> Option<Duration> {
        let last_words = begun + LAST_WORDS;
        if self.gave_up() {
            return Some(last_words);
        }
        if self.discarded {
            return Some(begun + OTHERS);
        }
        let limit = match self.reason() {
            None if self.stop.is_some() => {
                let patience = self.settings.timeouts.kill_after;
                patience.and_then(|patience| begun.checked_add(patience))
            }
            None => {
                let tasks = self.tasks.values();
                tasks.filter_map(|it| it.task.time_limit()).min()
            }
            Some(_) => self.discard_at(),
        };
        limit.map(|limit| limit.max(last_words))
    }
}
