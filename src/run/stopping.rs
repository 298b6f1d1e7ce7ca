//! What a signal to progrun, or the loss of a link to its user, asks of the run. How hard a task is stopped is decided
//! in `ladder`.

use std::time::Duration;

use crate::child::{self, Order};
use crate::event::{Reason, What};
use crate::system::reap;
use crate::system::signals::Scope;

use super::schedule::Closed;
use super::{Run, signals};

impl Run<'_> {
    /// Installs the signal handlers. The signals that were held back become inputs.
    pub(super) fn handle_signals(&mut self) -> anyhow::Result<()> {
        self.inputs.signals = signals::install(self.inbox.wake())?;
        self.handles_signals = true;
        Ok(())
    }

    /// The same, and handles these signals at once: they came before the input that was just taken from the inbox.
    pub(super) fn handle_held_signals(&mut self) -> anyhow::Result<()> {
        self.handle_signals()?;
        while let Some(signal) = self.inputs.signals.take() {
            self.signal(signal);
        }
        Ok(())
    }

    pub(super) fn signal(&mut self, signal: i32) {
        let reason = match signal {
            libc::SIGINT => {
                // Ctrl-C sends SIGINT to the whole group: the other processes have it already.
                self.scope = Scope::Process;
                Reason::Interrupt
            }
            libc::SIGTERM => Reason::Terminate,
            libc::SIGHUP => {
                self.hang_up();
                return;
            }
            libc::SIGTSTP => {
                let actions = self.lease.asked_to_stop();
                self.follow_lease(actions);
                return;
            }
            libc::SIGCHLD => {
                reap::reap_orphans();
                if reap::may_have_changed() {
                    self.order_all(|| Order::Look);
                }
                return;
            }
            libc::SIGUSR1 | libc::SIGUSR2 if self.is_of_many() => {
                self.change_slots(signal);
                return;
            }
            other => {
                self.order_all(|| Order::Signal(other));
                self.forwarded(other);
                return;
            }
        };
        self.request(reason);
    }

    fn forwarded(&self, signal: i32) {
        self.tell_of_run(match signal {
            libc::SIGWINCH => What::Resized,
            signal => What::Signal {
                signal,
                forwarded: true,
            },
        });
    }

    /// A stop of the whole run is requested: no further task begins, and the ladder of each running task takes a step.
    pub(super) fn request(&mut self, reason: Reason) {
        if self.agent.is_some() {
            self.is_alone(reason);
        } else {
            self.request_here(reason);
        }
    }

    /// The same; in an agent, once the ladder is ours.
    pub(super) fn request_here(&mut self, reason: Reason) {
        let now = self.now();
        let is_new = self.presses.is_new(now);
        self.stop_tasks(reason, is_new, now);
    }

    /// The same; `is_new` unless it is the same key press once more.
    pub(super) fn stop_tasks(&mut self, reason: Reason, is_new: bool, now: Duration) {
        self.close(Closed::Cancelled);
        if self.is_of_many() {
            self.stop_run(reason, is_new);
        }
        let ids: Vec<_> = self.tasks.keys().copied().collect();
        for id in ids {
            self.change(id, |task| task.request(reason, is_new, now));
        }
    }

    /// progrun's link to its user is gone. A command that ignores SIGHUP, as under nohup, is to live on without it.
    pub(super) fn hang_up(&mut self) {
        if self.agent.is_some() {
            self.request(Reason::Hangup);
            return;
        }
        let mut live = self.tasks.values().filter_map(|it| it.task.live_pid());
        let lives_on = |pid| child::ignores(pid, libc::SIGHUP);
        let is_any = live.clone().next().is_some();
        if is_any && live.all(lives_on) {
            self.order_all(|| Order::Signal(libc::SIGHUP));
            self.forwarded(libc::SIGHUP);
        } else {
            self.request(Reason::Hangup);
        }
    }
}
