//! The child as a process: its state, its end, and the rest of its group. Knows nothing of what the child reports or
//! prints.
//!
//! A process that was just being forked when the group was stopped and continued can stay stopped for ever. So after
//! each SIGCONT the worker looks for processes that were born stopped, and continues them, too. A process that is
//! stopped in any other way was stopped on purpose, and stays so.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, waitid};

use super::super::drain::Drain;
use super::super::watcher::Watcher;
use super::super::{tree, waiting};

/// When the worker looks after a SIGCONT. On a busy machine a fork may take long.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// When the child was continued, and how often the worker has looked since.
#[derive(Debug, Default)]
struct Continued(Option<(Instant, usize)>);

impl Continued {
    fn begin(&mut self, now: Instant) {
        self.0 = Some((now, 0));
    }

    /// When to look next.
    fn look_at(&self) -> Option<Instant> {
        let (continued, looks) = self.0?;
        LOOKS.get(looks).map(|after| continued + *after)
    }

    /// Whether it is time to look.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.look_at().is_some_and(|at| at <= now);
        if let Some((_, looks)) = self.0.as_mut().filter(|_| due) {
            *looks += 1;
        }
        due
    }
}

/// How hard the child was ordered to end. The rest of its group ends in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ordered {
    Nothing,
    /// The group was sent SIGTERM: the rest of it is killed when the leader is gone.
    Termination,
    /// Descendants that left the group are killed as well.
    Killing,
}

/// The child as a process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// The pidfd, which becomes readable when the child ends. None where the system gives none, and after the end.
    pub(super) handle: Option<OwnedFd>,
    /// A variable that only the environments of the child and its descendants have.
    pub(super) tag: String,
    /// Kills the group if progrun is killed.
    pub(super) watcher: Watcher,
    /// Whether the child was stopped at the last check.
    pub(super) stopped: bool,
    continued: Continued,
    /// How many orders to continue it were carried out.
    pub(super) continues: u64,
    pub(super) ordered: Ordered,
    /// How long its pipes are still read. None until the child has ended.
    pub(super) drain: Option<Drain>,
    /// The child's ends of its pipes, which are open here as long as it lives, so that its end wakes the worker once and
    /// not for each of them.
    pub(super) held: Vec<OwnedFd>,
}

impl Process {
    pub(super) fn new(
        pid: Pid,
        handle: Option<OwnedFd>,
        tag: String,
        watcher: Watcher,
        held: Vec<OwnedFd>,
    ) -> Self {
        Self {
            pid,
            handle,
            tag,
            watcher,
            stopped: false,
            continued: Continued::default(),
            continues: 0,
            ordered: Ordered::Nothing,
            drain: None,
            held,
        }
    }

    /// Whether the child has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.drain.is_some()
    }

    /// The next stop or continue since the last call. None if there was neither.
    pub(super) fn change(&self) -> Option<Change> {
        let changes = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
        // An error here means that the child has ended: a zombie can neither be stopped nor continued.
        let change = waitid(WaitId::Pid(self.pid), changes).ok()??;
        Some(match change.stopping_signal() {
            Some(signal) => Change::Stopped(signal),
            None => Change::Continued,
        })
    }

    /// How the child has ended, if it has. It remains a zombie.
    pub(super) fn end(&self) -> io::Result<Option<WaitIdStatus>> {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid), ended)?)
    }

    /// The child was continued.
    pub(super) fn was_continued(&mut self) {
        self.stopped = false;
        self.continued.begin(Instant::now());
    }

    /// When to look next for processes that missed the SIGCONT.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.continued.look_at()
    }

    /// Continues the processes that missed the SIGCONT.
    pub(super) fn see_to_continued(&mut self, now: Instant) {
        if self.is_gone() {
            self.continued = Continued::default();
        }
        // While the child itself is stopped, its processes were stopped on purpose.
        if self.continued.is_due(now) && !self.stopped {
            for process in waiting::born_stopped(self.pid) {
                let _ = kill_process(process, Signal::CONT);
            }
        }
    }

    /// Kills the rest of the group, and the descendants that left it, as far as was ordered.
    pub(super) fn end_rest(&self) {
        match self.ordered {
            Ordered::Nothing => {}
            Ordered::Termination => tree::kill_group(self.pid),
            Ordered::Killing => tree::kill(self.pid, &self.tag),
        }
    }
}

/// A change of a child that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Stopped(i32),
    Continued,
}
