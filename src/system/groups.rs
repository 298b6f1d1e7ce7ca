//! The numbers of process groups and sessions, also where a PID namespace hides them.
//!
//! In a container, under `unshare --pid` or bubblewrap, the group and the session of a process from outside have the
//! number 0 (`pid_namespaces(7)`). rustix assumes that this cannot be: its functions stop with a failed assertion, or
//! make an invalid value of it. So these three calls are our own.
#![expect(unsafe_code, reason = "the safe interfaces assume that no number is 0")]

use rustix::process::{Pid, RawPid};

/// Our own process group. None if it has no number here: we were started in a group from outside our PID namespace.
#[must_use]
pub(crate) fn ours() -> Option<Pid> {
    // SAFETY: takes and gives plain numbers.
    Pid::from_raw(unsafe { libc::getpgrp() })
}

/// The process group of `process`. None for a group from outside as well, and if there is no such process.
#[must_use]
pub(crate) fn of(process: Pid) -> Option<Pid> {
    // SAFETY: as above.
    let group = unsafe { libc::getpgid(process.as_raw_pid()) };
    Some(group)
        .filter(|group| *group > 0)
        .and_then(Pid::from_raw)
}

/// The session of `process`, or our own. A session from outside is 0: a number that tells nothing, but is the same for
/// all processes that were started in it.
#[must_use]
pub(crate) fn session(process: Option<Pid>) -> Option<RawPid> {
    // SAFETY: as above.
    let session = unsafe { libc::getsid(Pid::as_raw(process)) };
    (session >= 0).then_some(session)
}
