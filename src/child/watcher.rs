//! Decides when to start the watcher: a tiny process that outlives progrun only if progrun is killed, and then kills
//! the rest of the child's group. The process itself is in `system::watcher`. Only Linux has one.
//!
//! When progrun is killed, the kernel closes the channel and sends the child SIGTERM (`PR_SET_PDEATHSIG`). A child that
//! ignores both would run on unseen, and so would its descendants. The watcher is a member of the child's group, so the
//! number of the group is not reused (unless the child has a session of its own). It holds the read end of a pipe whose
//! write end only progrun has. When the pipe hangs up, the watcher continues the group, because a stopped process does
//! not act on SIGTERM, then waits, and kills it.
//!
//! A fork is expensive for a command that takes a millisecond. So the watcher starts when the child has written
//! something, has the terminal, or has run for a moment: [`SHORT`], and longer where other children run. If progrun is
//! killed before that, only the child itself gets SIGTERM; but the killer would have to learn progrun's number, and the
//! child to ignore SIGTERM, within that moment.
//!
//! Its second use: a signal to the whole group stays pending in the watcher. That tells a Ctrl-C on a lent terminal
//! from a `kill` of the child.

use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::system::reap;
#[cfg(target_os = "linux")]
use crate::system::watcher::Process;

/// A silent command that ends sooner gets no watcher.
const SHORT: Duration = Duration::from_millis(3);
/// How much later the watcher starts for each other child that runs.
const FOR_EACH_OTHER: Duration = Duration::from_millis(12);

/// The watcher of one child's group. Dropping the value ends the watcher and leaves the group alone.
#[derive(Debug)]
pub(super) struct Watcher {
    leader: Pid,
    started: Instant,
    /// The time between the hang-up and the kill.
    patience: Duration,
    /// When to start the watcher. None after the attempt, or if nothing is ever to be killed.
    due: Option<Instant>,
    #[cfg(target_os = "linux")]
    process: Option<Process>,
}

impl Watcher {
    /// For the group of `leader`. Without `patience` nothing is ever killed.
    pub(super) fn new(leader: Pid, patience: Option<Duration>) -> Self {
        let started = Instant::now();
        let due = started + SHORT;
        Self {
            leader,
            started,
            patience: patience.unwrap_or_default(),
            due: patience.filter(|_| cfg!(target_os = "linux")).map(|_| due),
            #[cfg(target_os = "linux")]
            process: None,
        }
    }

    /// When [`look`](Self::look) is to be called next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Starts the watcher if its time has come. The leader must not have been reaped.
    pub(super) fn look(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        // Where many children share the processors, each of them takes longer, and a fork with many threads costs more.
        let others = u32::try_from(reap::children().saturating_sub(1)).unwrap_or(u32::MAX);
        let due = self.started + SHORT + FOR_EACH_OTHER.saturating_mul(others);
        if now < due {
            self.due = Some(due);
        } else {
            self.start();
        }
    }

    /// The child wrote something. A reader of that may kill progrun, and rely on the watcher from then on.
    pub(super) fn heard_of_child(&mut self) {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // A child that has ended needs no watcher.
        if self.due.is_some() && matches!(waitid(WaitId::Pid(self.leader), ended), Ok(None)) {
            self.start();
        }
    }

    /// Whether the whole group got a SIGINT, as from the terminal, since the watcher started. None without a watcher.
    pub(super) fn saw_interrupt(&self) -> Option<bool> {
        #[cfg(target_os = "linux")]
        return self.process.as_ref()?.saw(libc::SIGINT);
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Starts the watcher unless it was tried before. The leader must not have been reaped.
    pub(super) fn start(&mut self) {
        if self.due.is_none() {
            return;
        }
        self.due = None;
        #[cfg(target_os = "linux")]
        {
            self.process = Process::start(self.leader, self.patience);
        }
    }
}
