//! Masks and dispositions of signals, and stopping and ending this process.
//!
//! No crate that we depend on directly has a safe interface to the signal mask of a thread and the disposition of a
//! signal. The system gets only plain data from here, for which all-zero bytes are valid. What a signal means for the
//! run is not known here.
#![expect(
    unsafe_code,
    reason = "signal masks and dispositions have no safe interface"
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::wake::Wake;
use super::{erasure, reap};

/// The last of the classic signals; the real-time ones have no handlers of ours.
const LAST: i32 = 31;

/// All signals are blocked in this thread, or none, until the value is dropped.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    /// None is blocked: a process that is started now blocks none either.
    pub(crate) fn none() -> Self {
        // SAFETY: as below.
        unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, &raw mut before);
            Self(before)
        }
    }

    pub(crate) fn all() -> Self {
        // SAFETY: a signal set is plain data, for which all-zero bytes are valid; the calls only read and write it.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self(before)
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled in by the call that blocked.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }
}

/// Unblocks `signals` in this thread and the threads that it will start: the caller of progrun may have blocked them,
/// and a program that waits for a blocked SIGCHLD waits for ever.
pub(crate) fn unblock(signals: &[i32]) {
    // SAFETY: as above.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Whether `signal` is ignored in this process: under nohup, or for SIGINT in `cmd &` of a shell without job control.
#[must_use]
pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: only reads the disposition into plain data.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Blocks `signals` in this thread and the threads that it will start. With SIGTTOU blocked, this program may write to
/// its terminal and hand it on even in the background. A mask, unlike an ignored signal, does not reach the child.
pub(crate) fn block(signals: &[i32]) {
    // SAFETY: as above.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// The signals that have a handler in this process, as bits. No handler is taken away, and few are added: so 64 system
/// calls tell it once, and not for each child.
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Whether [`HANDLED`] is true: no handler was added since it was asked.
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// The signals that have a handler in this process, as bits.
pub(crate) fn handled() -> u64 {
    if IS_KNOWN.swap(true, Ordering::AcqRel) {
        return HANDLED.load(Ordering::Acquire);
    }
    let mut handled = 0;
    for signal in 1..=LAST {
        // SAFETY: a question about plain data.
        let has_handler = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction != libc::SIG_IGN
                && action.sa_sigaction != libc::SIG_DFL
        };
        handled |= u64::from(has_handler) << (signal - 1);
    }
    // Its handler comes and goes with a stop of this process.
    handled |= 1 << (libc::SIGCONT - 1);
    HANDLED.fetch_or(handled, Ordering::AcqRel) | handled
}

/// Resets the signals of a child before it becomes the program: default handlers, where this process has one of
/// `handled`, and an empty mask. An ignored signal stays ignored, as nohup means it to be, except SIGPIPE, which Rust's
/// runtime or `start.rs` ignores in this process.
pub(crate) fn reset(handled: u64) {
    // SAFETY: async-signal-safe system calls on plain data.
    unsafe {
        // Handlers first: once the mask is empty, a pending signal must not run our handler here.
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        for signal in (1..=LAST).filter(|signal| handled >> (signal - 1) & 1 == 1) {
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        libc::sigaction(libc::SIGPIPE, &raw const action, std::ptr::null_mut());
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
    }
}

/// Sends a real-time signal to the group of `leader`, which must not have been reaped. rustix knows only signals with a
/// name.
pub(crate) fn send_real_time(leader: Pid, signal: i32) {
    // SAFETY: sends a signal to a group of the child's, or is an error.
    unsafe {
        libc::kill(-leader.as_raw_nonzero().get(), signal);
    }
}

/// Ends this process, or its group, as `signal` does by default. Returns only if the system discards the signal, as for
/// the first process of a container.
pub(crate) fn die_by(signal: i32, scope: Scope) {
    set_default(signal);
    unblock(&[signal]);
    // SAFETY: a default action runs no code of ours.
    unsafe {
        libc::kill(scope.pid(), signal);
    }
}

/// How many times a handler of ours has run.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// What a handler notes of its signal.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// Its place among all signals that came; 0: it did not come since it was taken.
    order: AtomicU64,
    /// How often it came since then.
    times: AtomicU64,
}

impl Came {
    #[cfg(test)]
    pub(crate) fn at(order: u64, times: u64) -> Self {
        Self {
            order: order.into(),
            times: times.into(),
        }
    }

    /// Its place among all signals that came and were not taken.
    pub(crate) fn order(&self) -> Option<u64> {
        Some(self.order.load(Ordering::Acquire)).filter(|order| *order != 0)
    }

    /// Takes the signal, and says how often it came. Never: it came while it was taken, and is counted there.
    pub(crate) fn take(&self) -> u64 {
        self.order.store(0, Ordering::Release);
        self.times.swap(0, Ordering::AcqRel)
    }
}

/// Has a handler note in `came` when `signal` came, and wake a thread.
///
/// The SIGCHLD of a child that has ended only is noted and wakes no thread: the worker of that child polls a pidfd, and
/// sends a message that does. While such a signal is pending, the system merges that of a stop into it. So the reader
/// must look for stops when it takes the note.
///
/// # Errors
/// If the system knows no such signal.
pub(crate) fn handle(signal: i32, came: Arc<Came>, wake: Wake) -> io::Result<()> {
    // The first process of a PID namespace is sent the ends of orphans, of which no worker knows.
    let knows_ends = cfg!(target_os = "linux") && !reap::is_first();
    let handler = move |information: &libc::siginfo_t| {
        if signal == libc::SIGTSTP {
            erasure::erase();
        }
        let now = RUNS.fetch_add(1, Ordering::AcqRel) + 1;
        came.times.fetch_add(1, Ordering::AcqRel);
        // One that was not taken yet keeps its place.
        let _ = came
            .order
            .compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
        let ends = [libc::CLD_EXITED, libc::CLD_KILLED, libc::CLD_DUMPED];
        let is_end = signal == libc::SIGCHLD && ends.contains(&information.si_code);
        if !(is_end && knows_ends) {
            wake.wake();
        }
    };
    // SAFETY: the handler changes atomics, and asks about and writes to descriptors, all of which is async-signal-safe;
    // and it does not panic.
    let registered = unsafe { signal_hook_registry::register_sigaction(signal, handler) };
    IS_KNOWN.store(false, Ordering::Release);
    registered.map(drop)
}

/// Whether one of `signals` was sent to this process or thread and is pending, because it is blocked.
pub(crate) fn is_pending(signals: &[i32]) -> bool {
    // SAFETY: a set is plain data, for which all-zero bytes are valid; the calls fill it in and read it.
    unsafe {
        let mut pending: libc::sigset_t = std::mem::zeroed();
        libc::sigpending(&raw mut pending);
        let mut signals = signals.iter();
        signals.any(|signal| libc::sigismember(&raw const pending, *signal) == 1)
    }
}

/// Restores the default action of `signal`.
pub(crate) fn set_default(signal: i32) {
    // SAFETY: plain data, which the call only reads.
    unsafe {
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, std::ptr::null_mut());
    }
}

/// Ignores `signal` in this process, and in those that it starts from now on.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: plain data, which the call only reads.
    unsafe {
        let mut ignored: libc::sigaction = std::mem::zeroed();
        ignored.sa_sigaction = libc::SIG_IGN;
        libc::sigaction(signal, &raw const ignored, std::ptr::null_mut());
    }
}

/// Whether SIGCONT came since this was cleared.
static CONTINUED: AtomicBool = AtomicBool::new(false);

extern "C" fn note_continued(_: libc::c_int) {
    CONTINUED.store(true, Ordering::SeqCst);
}

/// The processes to stop or to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This process alone: the other members of its group got the signal already, or are not meant.
    Process,
    /// The whole group, as the terminal does it. Otherwise the script that we are part of would wait for us while its
    /// own shell waits for the script.
    Group,
}

impl Scope {
    fn pid(self) -> libc::pid_t {
        match self {
            Self::Process => rustix::process::getpid().as_raw_pid(),
            Self::Group => 0,
        }
    }
}

/// Stops this process, or its group, as `signal` does by default, and returns when it is continued, with the time that
/// it was stopped. None if it was not stopped.
///
/// Not with SIGSTOP: in an orphaned process group, which no process could continue, the system discards `signal`, and
/// this returns at once.
///
/// The other threads have SIGCONT blocked (see [`block`]), so it comes to this thread, before `kill` returns.
#[must_use]
pub(crate) fn stop_by(signal: i32, scope: Scope) -> Option<Duration> {
    let before = Instant::now();
    // SAFETY: as above; the handlers that are put back are those that were there, and ours only stores a flag.
    unsafe {
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = note_continued as *const () as libc::sighandler_t;
        ours.sa_flags = libc::SA_RESTART;
        let mut default: libc::sigaction = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        let mut on_continue: libc::sigaction = std::mem::zeroed();
        let mut on_stop: libc::sigaction = std::mem::zeroed();
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigaction(libc::SIGCONT, &raw const ours, &raw mut on_continue);
        libc::sigaction(signal, &raw const default, &raw mut on_stop);
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigaddset(&raw mut set, libc::SIGCONT);
        CONTINUED.store(false, Ordering::SeqCst);
        // An earlier SIGCONT that was pending arrives here.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, &raw mut mask);
        // A SIGTSTP discards the SIGCONT that came before it. So this one came after the SIGTSTP that asked for our stop:
        // the shell has continued the job, of which we are the last to stop, and would not do it again.
        let is_asked = signal == libc::SIGTSTP && scope == Scope::Process;
        if !(is_asked && CONTINUED.load(Ordering::SeqCst)) {
            CONTINUED.store(false, Ordering::SeqCst);
            libc::kill(scope.pid(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
        libc::sigaction(signal, &raw const on_stop, std::ptr::null_mut());
        libc::sigaction(libc::SIGCONT, &raw const on_continue, std::ptr::null_mut());
    }
    CONTINUED.load(Ordering::SeqCst).then(|| before.elapsed())
}
