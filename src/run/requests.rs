//! What each signal that comes to progrun, and each end of a link to its user, asks of the run.

use crate::child::{self, Order};
use crate::event::{Reason, What};
use crate::system::signals::Scope;

use super::Run;

impl Run<'_> {
    pub(super) fn signal(&mut self, signal: i32) {
        let reason = match signal {
            libc::SIGINT => {
                // Our group has that one from scope we have it.
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
                self.control_job(actions);
                return;
            }
            other => {
                self.forward(other);
                return;
            }
        };
        self.request(reason);
    }

    pub(super) fn forward(&mut self, signal: i32) {
        self.control.order(Order::Signal(signal));
        self.tell(match signal {
            libc::SIGWINCH => What::Resized,
            signal => What::Signal {
                signal,
                forwarded: true,
            },
        });
    }

    /// Our link to the user is gone. A command that ignores SIGHUP, as under nohup, is to live on without it.
    pub(super) fn hang_up(&mut self) {
        let pid = self.pid.filter(|_| self.exit.is_none());
        if pid.is_some_and(|pid| child::ignores(pid, libc::SIGHUP)) {
            self.forward(libc::SIGHUP);
        } else {
            self.request(Reason::Hangup);
        }
    }
}
