//! The watcher: a tiny process that outlives us only if we are killed, and then kills what is left of the child's group.
//!
//! When we are killed, the kernel closes the channel and sends the child SIGTERM (`PR_SET_PDEATHSIG`). A child that
//! ignores both would run on unseen, and so would what it started. The watcher is a member of the child's group, so that
//! the number of the group cannot come to belong to a stranger (unless the child has a session of its own), and holds the
//! read end of a pipe whose write end only we have. When the pipe hangs up, the watcher continues the group, for a stopped
//! process acts on no SIGTERM, gives it its time, and kills it. Only Linux has one.
//!
//! A fork is dear for a command that is over in a millisecond. So there is a watcher once the child was heard of, has the
//! terminal, or has run for a moment ([`SHORT`]). If we are killed before that there is only the SIGTERM to the child itself; but who
//! would kill us has to learn our number first, and the child has to ignore SIGTERM by then.
//!
//! It has a second use: what is sent to all members of the group stays pending in it, and so tells a Ctrl-C of a terminal that
//! the child has from a `kill` of the child.

use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::system::reap;
#[cfg(target_os = "linux")]
use crate::system::watcher::Process;

/// A silent command that is over before that has no watcher.
const SHORT: Duration = Duration::from_millis(3);
/// So much later for each other child that runs.
const FOR_EACH_OTHER: Duration = Duration::from_millis(12);

/// The watcher of one child's group. When the value is dropped, the watcher is gone and the group as it was.
#[derive(Debug)]
pub(super) struct Watcher {
    leader: Pid,
    started: Instant,
    /// From the hang-up to the killing.
    patience: Duration,
    /// When the watcher is started; none once that was tried, or if nothing is ever killed.
    due: Option<Instant>,
    #[cfg(target_os = "linux")]
    process: Option<Process>,
}

impl Watcher {
    /// For the group of `leader`. Without a time nothing is killed.
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
        // Where many children share the processors each of them takes longer, and a fork of many threads is dearer.
        let others = u32::try_from(reap::children().saturating_sub(1)).unwrap_or(u32::MAX);
        let due = self.started + SHORT + FOR_EACH_OTHER.saturating_mul(others);
        if now < due {
            self.due = Some(due);
        } else {
            self.start();
        }
    }

    /// The child wrote something: a reader of that may rely on the watcher from then on.
    pub(super) fn heard_of_child(&mut self) {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // Its last words need none.
        if self.due.is_some() && matches!(waitid(WaitId::Pid(self.leader), ended), Ok(None)) {
            self.start();
        }
    }

    /// Whether the group got a SIGINT as a whole, as from the terminal, since it has a watcher. None if it has none.
    pub(super) fn saw_interrupt(&self) -> Option<bool> {
        #[cfg(target_os = "linux")]
        return self.process.as_ref()?.saw(libc::SIGINT);
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Starts the watcher unless that was tried before. The leader must not have been reaped.
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
