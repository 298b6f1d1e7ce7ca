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
//! something, has the terminal, or has run for a moment ([`SHORT`]). If progrun is killed before that, only the child
//! itself gets SIGTERM; but the killer would have to learn progrun's number, and the child to ignore SIGTERM, within
//! that moment. A run of many has one watcher for all its children, which are noted on a `Board`.
//!
//! Its second use: a signal to the whole group stays pending in the watcher. That tells a Ctrl-C on a lent terminal
//! from a `kill` of the child. So a child that has the terminal has a watcher of its own in any case.

use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::system::watcher::{Place, Process};

/// A silent command that ends sooner gets no watcher.
const SHORT: Duration = Duration::from_millis(3);

/// The watcher of one child's group. Dropping the value ends the watcher and leaves the group alone.
#[derive(Debug)]
pub(super) struct Watcher {
    leader: Pid,
    /// The time between the hang-up and the kill. None: nothing is ever to be killed.
    patience: Option<Duration>,
    /// When to start the watcher. None after the attempt, or if none is needed.
    due: Option<Instant>,
    process: Option<Process>,
    /// Where the child is noted for the watcher of the run.
    _noted: Option<Place>,
}

impl Watcher {
    /// For the group of `leader`, which may be noted for the watcher of the run. Without `patience` nothing is ever
    /// killed.
    pub(super) fn new(leader: Pid, patience: Option<Duration>, noted: Option<Place>) -> Self {
        let needed = patience.is_some() && noted.is_none() && Process::EXISTS;
        Self {
            leader,
            patience,
            due: needed.then(|| Instant::now() + SHORT),
            process: None,
            _noted: noted,
        }
    }

    /// When [`look`](Self::look) is to be called next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Starts the watcher if its time has come. The leader must not have been reaped.
    pub(super) fn look(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
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

    /// Whether the whole group got a SIGINT, as from the terminal, since the child has its own watcher. None without
    /// that.
    pub(super) fn saw_interrupt(&self) -> Option<bool> {
        self.process.as_ref()?.saw(libc::SIGINT)
    }

    /// Starts the child's own watcher, unless there is one. The leader must not have been reaped.
    pub(super) fn start(&mut self) {
        self.due = None;
        if self.process.is_none()
            && let Some(patience) = self.patience
        {
            self.process = Process::start(self.leader, patience);
        }
    }
}
