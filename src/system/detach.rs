//! Leaves the caller: a fork whose child has a session of its own, and holds nothing of the caller's that would keep the
//! caller's terminal, pipes or connection open. To be called while this process has one thread.
//!
//! The caller waits at a pipe until the child says how it began. What the child does is not known here.
#![expect(
    unsafe_code,
    reason = "neither a fork, nor a change of the environment, nor a descriptor by its number has a safe interface"
)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Stat, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, getpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout};
use rustix::termios::isatty;

use super::closed;

/// The variables with which the child would be part of the run that the caller is in, or of its command of `--on-end`.
const OF_PARENT: [&str; 4] = [
    "PROGRUN_FD",
    "PROGRUN_FD_ID",
    "PROGRUN_SOCK",
    "PROGRUN_ON_END_ID",
];

/// What the caller is told of a run that has begun. The empty line ends it, as it does anything else that it is told.
pub(crate) const BEGUN: &str = "begun\n\n";

/// Where the fork is.
pub(crate) enum Side {
    /// The caller, with the number of the child and what the child says.
    Caller(i32, File),
    /// The child.
    Child(Caller),
}

/// The process that waits for word of how the child began.
#[derive(Debug)]
pub(crate) struct Caller {
    pipe: File,
    told: AtomicBool,
}

/// Forks. The child leads a session of its own. If the caller ends before it was told, the child gets SIGTERM (Linux):
/// its number is known to no user.
///
/// # Errors
/// If there is no descriptor or no process for it.
pub(crate) fn fork() -> io::Result<Side> {
    let (read, write) = io::pipe()?;
    // Away from the numbers that are the command's.
    let [read, write] =
        [read.into(), write.into()].map(|end: OwnedFd| fcntl_dupfd_cloexec(end, 10));
    let (read, write) = (File::from(read?), File::from(write?));
    let caller = getpid();
    // SAFETY: this process has one thread, so the child finds no lock taken that no thread will release.
    match unsafe { libc::fork() } {
        0 => {
            drop(read);
            rustix::process::setsid()?;
            bind_to_caller(true);
            end_with(caller);
            Ok(Side::Child(Caller {
                pipe: write,
                told: AtomicBool::new(false),
            }))
        }
        child if child > 0 => Ok(Side::Caller(child, read)),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Caller {
    /// Whether it was not told yet.
    pub(crate) fn waits(&self) -> bool {
        !self.told.load(Ordering::Acquire)
    }

    /// Says how the child began, unless that was said before. Must be called by the thread that forked.
    pub(crate) fn tell(&self, words: &str) {
        if !self.told.swap(true, Ordering::AcqRel) {
            bind_to_caller(false);
            // A caller that is gone wants to know nothing.
            let _ = (&self.pipe).write_all(words.as_bytes());
        }
    }
}

#[cfg(target_os = "linux")]
fn bind_to_caller(binds: bool) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    let _ = set_parent_process_death_signal(binds.then_some(Signal::TERM));
}

#[cfg(not(target_os = "linux"))]
fn bind_to_caller(_binds: bool) {}

/// Sends SIGTERM to this process if the caller was gone before it could be bound to it. A caller in another namespace of
/// process numbers has no number here.
#[cfg(target_os = "linux")]
fn end_with(caller: Pid) {
    use rustix::process::{Signal, getppid, kill_process};
    if getppid().is_some_and(|parent| parent != caller) {
        let _ = kill_process(getpid(), Signal::TERM);
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_caller: Pid) {}

/// Lets go of what is the caller's, but not of its stdout and stderr. stdin stays if it is a file or a pipe. To be called
/// while this process has one thread.
///
/// # Errors
/// If /dev/null cannot be opened.
pub(crate) fn let_go() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    close_copies();
    for name in OF_PARENT {
        // SAFETY: no other thread reads the environment, for there is none yet.
        unsafe { std::env::remove_var(name) };
    }
    // A socket would be the connection of an ssh, which is stdin and stdout at once.
    if isatty(stdin()) || kind(stdin()) == Some(FileType::Socket) {
        dup2_stdin(&nowhere)?;
    }
    Ok(())
}

/// From now on, stdout and stderr are `output`. One that was closed stays so for the command.
///
/// # Errors
/// If the system refuses.
pub(crate) fn redirect(output: BorrowedFd<'_>) -> io::Result<()> {
    if !closed::was_closed(1) {
        dup2_stdout(output)?;
    }
    if !closed::was_closed(2) {
        dup2_stderr(output)?;
    }
    Ok(())
}

/// Closes every further descriptor that is a terminal, the pipe or socket of our stdout or stderr, or the channel of the
/// run that the caller is in. All others may be meant for the command: `progrun --detach -- cat <(make-list)`.
fn close_copies() {
    let Ok(entries) = fs::read_dir("/dev/fd") else {
        return;
    };
    let numbers: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    let identity = |stat: &Stat| (stat.st_dev, stat.st_ino);
    let streams = [fstat(stdout()), fstat(stderr())];
    let channel = std::env::var("PROGRUN_FD_ID").ok();
    for number in numbers {
        // SAFETY: a question about a number; one that is not open is an error.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let Ok(stat) = fstat(descriptor) else {
            continue;
        };
        let has_end = matches!(kind(descriptor), Some(FileType::Fifo | FileType::Socket));
        let is_stream = streams
            .iter()
            .flatten()
            .any(|it| identity(it) == identity(&stat));
        let is_channel = channel == Some(format!("{}:{}", stat.st_dev, stat.st_ino));
        if isatty(descriptor) || has_end && is_stream || is_channel {
            // SAFETY: it was inherited, and no value of this process owns it.
            unsafe { libc::close(number) };
        }
    }
}

fn kind(descriptor: impl AsFd) -> Option<FileType> {
    let stat = fstat(descriptor).ok()?;
    Some(FileType::from_raw_mode(stat.st_mode))
}

/// Lets go of the output as well: from now on, stdout and stderr go nowhere.
///
/// # Errors
/// If /dev/null cannot be opened.
pub(crate) fn fall_silent() -> io::Result<()> {
    let nowhere = File::options().write(true).open("/dev/null")?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    Ok(())
}
