//! The process of a watcher: a fork that never runs a program. It watches the group of one child, or those on a board.
//!
//! It makes plain system calls, and has a memory of its own, because the kernel's OOM killer kills all processes that
//! share one. It holds no descriptor but the pipe and pidfds of the leaders, so it delays no end of file. All signals
//! are blocked in it: only SIGKILL and SIGSTOP reach it, and no signal makes it leave a core dump. Its exit signal is
//! 0, so no `wait` finds it but the one in this file. When it is started, and what for, is not known here.
#![expect(unsafe_code, reason = "a fork without a program has no safe interface")]

use std::ffi::CStr;
use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::signals::Blocked;

mod board;

pub(crate) use self::board::{Board, Place};

/// How often the watcher checks whether the group is empty, once progrun is gone.
const LOOK: Duration = Duration::from_millis(20);

/// The name of the process, other than ours: `pkill -9 progrun` is one of the cases that it is for.
const NAME: &CStr = c"run-watcher";

/// The process. It ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pid: libc::pid_t,
    /// Hangs up when this process ends, for whatever reason.
    _end: OwnedFd,
}

impl Process {
    /// Whether this system has watchers.
    pub(crate) const EXISTS: bool = true;

    /// Watches the group of `leader`. None if the system makes no process: a run without a watcher is better than none.
    pub(crate) fn start(leader: Pid, patience: Duration) -> Option<Self> {
        let leader = leader.as_raw_nonzero().get();
        Self::fork(|hang_up| watch(hang_up, leader, patience))
    }

    /// Runs `watch` in a process of its own, with the descriptor that hangs up when this process ends. It must only make
    /// system calls.
    fn fork(watch: impl FnOnce(RawFd)) -> Option<Self> {
        let (hang_up, end) = io::pipe().ok()?;
        let (mut ready, open) = io::pipe().ok()?;
        // A signal in the watcher would run our handlers, and these write into our pipes.
        let blocked = Blocked::all();
        // SAFETY: a fork with no flag and no exit signal. The new process has one thread, which makes system calls on
        // plain numbers and never returns; it takes no lock that another thread may have held.
        let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
        if pid == 0 {
            watch(hang_up.as_raw_fd());
            // SAFETY: runs no exit handler of ours.
            unsafe { libc::_exit(0) }
        }
        drop(blocked);
        let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0)?;
        // The watcher begins with a copy of the channel's read end. On a busy machine a write of the child succeeded
        // after a cancel request, because the watcher had not run yet. The end of file comes when it has closed
        // everything.
        drop(open);
        let _ = ready.read_to_end(&mut Vec::new());
        Some(Self {
            pid,
            _end: end.into(),
        })
    }
}

impl Process {
    /// Whether `signal` was sent to the group, of which the watcher is a member. All signals are blocked there, and
    /// stay pending.
    pub(crate) fn saw(&self, signal: i32) -> Option<bool> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let pending = status
            .lines()
            .find_map(|line| line.strip_prefix("ShdPnd:"))?;
        let pending = u64::from_str_radix(pending.trim(), 16).ok()?;
        Some(pending >> (signal - 1) & 1 == 1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: the number is our child's until it is reaped here, and the place is ours.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            let mut status = MaybeUninit::<libc::c_int>::uninit();
            while libc::waitpid(self.pid, status.as_mut_ptr(), libc::__WALL) < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
        }
    }
}

/// The life of the watcher of one group.
fn watch(hang_up: RawFd, leader: libc::pid_t, patience: Duration) -> ! {
    // SAFETY: system calls on plain numbers, each of them async-signal-safe.
    unsafe {
        let is_member = libc::setpgid(0, leader) == 0;
        // A leader with a session of its own (see `child/spawn.rs`): its group takes no member from another session.
        // The watcher must still leave our group, or a SIGKILL for that would end it, too.
        let is_session = !is_member && libc::getsid(leader) == leader;
        if is_session {
            libc::setsid();
        }
        settle(hang_up);
        // A pidfd, for a leader that leaves its group: its number may be another process's one day.
        let handle = open(leader);
        while !is_ready(0, -1) {}
        if is_member || is_session {
            libc::kill(-leader, libc::SIGCONT);
        }
        let deadline = Instant::now().checked_add(patience);
        loop {
            let left = deadline.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
            let leader_is_gone = handle < 0 || is_ready(handle, 0);
            let is_over = match (is_member, is_session) {
                (true, _) => is_alone(leader),
                // No member pins the number once the group is empty: the checks are frequent enough to see that first.
                (_, true) => is_empty(leader),
                (false, false) => true,
            };
            if leader_is_gone && is_over {
                libc::_exit(0);
            }
            if left.is_zero() {
                break;
            }
            pause(left.min(LOOK));
        }
        kill_by(handle);
        if is_member || is_session {
            libc::kill(-leader, libc::SIGKILL);
        }
        libc::_exit(0)
    }
}

/// Keeps only the descriptor that hangs up, as number 0.
unsafe fn settle(hang_up: RawFd) {
    // SAFETY: system calls on plain numbers and a string, each of them async-signal-safe.
    unsafe {
        libc::dup2(hang_up, 0);
        if libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0) != 0 {
            // Linux before 5.9. A watcher that keeps all our descriptors open does more harm than no watcher.
            libc::_exit(0);
        }
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
    }
}

/// A pidfd of this process; less than 0: there is none.
fn open(leader: libc::pid_t) -> RawFd {
    // SAFETY: a system call on a plain number.
    let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, leader, 0) };
    RawFd::try_from(handle).unwrap_or(-1)
}

/// Kills the process of this pidfd, if there is one.
fn kill_by(handle: RawFd) {
    if handle >= 0 {
        // SAFETY: a system call on plain numbers.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle, libc::SIGKILL, 0, 0) };
    }
}

/// Does nothing for so long, and a little more.
fn pause(time: Duration) {
    let time = i32::try_from(time.as_millis() + 1).unwrap_or(1);
    // SAFETY: no place, and a plain number.
    unsafe { libc::poll(std::ptr::null_mut(), 0, time) };
}

/// Whether the descriptor can be read, an end of file included, within this many milliseconds.
fn is_ready(descriptor: RawFd, milliseconds: libc::c_int) -> bool {
    let mut polled = libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one place of ours.
    unsafe { libc::poll(&raw mut polled, 1, milliseconds) > 0 }
}

/// Whether the group of `leader` has no member but this process, which leaves the group to find out, and then joins it
/// again.
fn is_alone(leader: libc::pid_t) -> bool {
    // SAFETY: system calls on plain numbers.
    unsafe {
        libc::setpgid(0, 0);
        is_empty(leader) || libc::setpgid(0, leader) != 0
    }
}

/// Whether the group of `leader` has no member.
fn is_empty(leader: libc::pid_t) -> bool {
    // SAFETY: a system call on a plain number.
    let kill = unsafe { libc::kill(-leader, 0) };
    kill < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}
