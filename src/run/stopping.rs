//! What each signal that comes to progrun, and each end of a link to its user, asks of the run.

use crate::child::{self, Order};
use crate::event::{Reason, What};
use crate::system::reap;
use crate::system::signals::Scope;

use super::{Run, signals};

impl Run<'_> {
    /// From now on signals are inputs. Until now they waited.
    pub(super) fn handle_signals(&mut self) -> anyhow::Result<()> {
        self.inputs.signals = signals::install(self.inbox.wake())?;
        self.handles_signals = true;
        Ok(())
    }

    /// The same. Those that waited go before what was taken from the inbox since they came.
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
                // The sender has sent that one to our group, too.
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

    /// A stop of the whole run is requested: no task begins any more, and those that run are asked.
    pub(super) fn request(&mut self, reason: Reason) {
        self.schedule.close();
        let now = self.now();
        let is_new = self.presses.is_new(now);
        let ids: Vec<_> = self.tasks.keys().copied().collect();
        for id in ids {
            self.change(id, |task| task.request(reason, is_new, now));
        }
    }

    /// Our link to the user is gone. A command that ignores SIGHUP, as under nohup, is to live on without it.
    pub(super) fn hang_up(&mut self) {
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
