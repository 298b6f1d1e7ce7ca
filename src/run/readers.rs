//! How long a run waits for the readers of its output: a terminal, a pipe, a FIFO.
//!
//! Without a request to stop it waits as long as they take, as in every pipeline. A run that is to stop and whose children are
//! gone waits a little, and then discards the unread output. Otherwise a reader that takes nothing would hold up the run for
//! ever, even beyond its time limit.

use std::time::Duration;

use crate::child::Order;
use crate::event::Ending;

use super::ending::TIMED_OUT;
use super::{Input, Run};

/// How long the writing of the last words is waited for at least, after giving up and after a stop.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the run waits for the readers that still take output, once it has given up on others: on a busy machine the last
/// lines take a while.
const OTHERS: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// When a run that is to stop waits no longer for what its readers have not taken. Without a request a slow reader is
    /// waited for however long it takes, as in every pipeline.
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

    /// Waits until everything is written, unless the user interrupts that too, or time is over. Says whether all is written.
    pub(super) fn flush(&mut self) -> bool {
        self.send_when_written(|| Input::Flushed);
        let begun = self.now();
        loop {
            let until = self.flushed_at(begun);
            // A run that is over before it handles signals does so when it has to wait.
            let at_most = until.map(|until| until.saturating_sub(self.now()));
            let first = (!self.handles_signals).then_some(Duration::ZERO);
            let next = self.inputs.next(first.or(at_most), Input::Signal);
            match next {
                Ok(Some(Input::Flushed)) => return true,
                Ok(Some(Input::Gone(what))) => self.gone(what),
                Ok(Some(Input::Signal(
                    signal @ (libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT),
                ))) => {
                    // The key press that has stopped the run may be told of once more.
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
                Ok(None) if !self.gave_up() && !self.discarded => {
                    if self.reason().is_none() {
                        self.losses.note(Ending::Status(TIMED_OUT), None);
                    }
                    self.discard();
                    // Those that take something are to have it.
                    self.send_when_written(|| Input::Flushed);
                }
                Ok(None) | Err(_) => return false,
                Ok(Some(_)) => {}
            }
        }
    }

    /// Until when the writing is waited for that began at `begun`. The time limit is for the whole run.
    fn flushed_at(&self, begun: Duration) -> Option<Duration> {
        let last_words = begun + LAST_WORDS;
        if self.gave_up() {
            return Some(last_words);
        }
        if self.discarded {
            return Some(begun + OTHERS);
        }
        let limit = match self.reason() {
            None => {
                let tasks = self.tasks.values();
                tasks.filter_map(|it| it.task.time_limit()).min()
            }
            Some(_) => self.discard_at(),
        };
        limit.map(|limit| limit.max(last_words))
    }
}
