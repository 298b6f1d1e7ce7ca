//! The children of this process: how many there are, and how each of them ends (`wait4`). What a child is for is not
//! known here.
//!
//! The first process of a PID namespace is given the orphans of that namespace, and must reap them. An orphan is a
//! child that is not in the list here. So that process locks the list while it makes and enters a child, and every
//! process locks it while it reaps one and takes it out. Otherwise [`reap_orphans`] could take a child for an orphan,
//! and the child's exit status would be lost.
#![expect(unsafe_code, reason = "what a single child used has no safe interface")]

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The children that were started and not reaped yet.
static KNOWN: Mutex<BTreeSet<libc::pid_t>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<libc::pid_t>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the first process of a PID namespace.
pub(crate) fn is_first() -> bool {
    static IS_FIRST: LazyLock<bool> = LazyLock::new(|| std::process::id() == 1);
    *IS_FIRST
}

/// How many children there are.
#[must_use]
pub(crate) fn children() -> usize {
    known().len()
}

/// Makes a child and enters it in the list. A child that could not become the program is reaped by `make`.
pub(super) fn entered<T>(
    make: impl FnOnce() -> io::Result<T>,
    number: impl FnOnce(&T) -> Pid,
) -> io::Result<T> {
    // Only the first process is given orphans. In any other, threads that make children need not wait for each other.
    let list = is_first().then(known);
    let child = make()?;
    list.unwrap_or_else(known)
        .insert(number(&child).as_raw_nonzero().get());
    Ok(child)
}

/// This process has ended, and was reaped.
pub(crate) fn forget(child: &Child) {
    if let Ok(pid) = libc::pid_t::try_from(child.id()) {
        known().remove(&pid);
    }
}

/// How a child ended, and what it used.
#[derive(Debug)]
pub(crate) struct Reaped {
    pub(crate) status: ExitStatus,
    pub(crate) user_time: Duration,
    pub(crate) system_time: Duration,
    /// The most memory that was resident at one time, in bytes.
    pub(crate) max_rss: u64,
}

/// Whether a child was stopped or continued, and its worker has not seen it yet. Always, where the system does not
/// tell. An ended child does not count: its worker polls a pidfd, or checks the child at intervals.
pub(crate) fn may_have_changed() -> bool {
    let changes = WaitIdOptions::STOPPED
        | WaitIdOptions::CONTINUED
        | WaitIdOptions::NOHANG
        | WaitIdOptions::NOWAIT;
    !cfg!(target_os = "linux") || matches!(waitid(WaitId::All, changes), Ok(Some(_)))
}

/// Reaps a child that has ended. From here on its number may belong to another process and must not be signalled.
pub(crate) fn reap(child: Pid) -> io::Result<Reaped> {
    let mut list = known();
    let reaped = wait(child);
    list.remove(&child.as_raw_nonzero().get());
    reaped
}

fn wait(child: Pid) -> io::Result<Reaped> {
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let usage = loop {
        // SAFETY: both places are ours and live; all-zero bytes are a valid rusage, so it is initialised either way.
        let (reaped, usage) = unsafe {
            let reaped = libc::wait4(
                child.as_raw_nonzero().get(),
                &raw mut status,
                0,
                usage.as_mut_ptr(),
            );
            (reaped, usage.assume_init())
        };
        if reaped >= 0 {
            break usage;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    };
    let max_rss = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    Ok(Reaped {
        status: ExitStatus::from_raw(status),
        user_time: duration(usage.ru_utime),
        system_time: duration(usage.ru_stime),
        // In KiB, except on macOS, which counts bytes.
        max_rss: if cfg!(target_os = "macos") {
            max_rss
        } else {
            max_rss * 1024
        },
    })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_usec).unwrap_or(0) * 1000,
    )
}

/// Reaps orphans, in the first process of a PID namespace. The system names one ended child at a time: while that is a
/// known child, the orphans behind it wait until its worker has reaped it.
pub(crate) fn reap_orphans() {
    if !is_first() {
        return;
    }
    let list = known();
    loop {
        // SAFETY: plain data of ours, for which all-zero bytes are valid, and which lives as long as the calls.
        unsafe {
            let mut ended: libc::siginfo_t = std::mem::zeroed();
            let look = libc::WEXITED | libc::WNOHANG;
            libc::waitid(libc::P_ALL, 0, &raw mut ended, look | libc::WNOWAIT);
            let pid = ended.si_pid();
            let is_orphan = pid != 0 && !list.contains(&pid);
            if !is_orphan || libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) != pid {
                return;
            }
        }
    }
}
