//! Starts a child on systems other than Linux: `fork`, a few steps of ours in the child, `exec`, by means of
//! `std::process`.
//!
//! std learns from a pipe of its own that a program is missing. If a number that a descriptor gets in the child is
//! free, that pipe may get it. It would be overwritten in the child, and a missing program would look like one that
//! started. So each number is kept in use. A number that another thread of ours uses may become free at any time: the
//! child checks whether it is still the same file, and if not, it is started again.
#![expect(
    unsafe_code,
    reason = "code between fork and exec has no safe interface"
)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::Pid;

use crate::system::signals;

use super::{Plan, Started};

/// How often a child is started until no number has changed its meaning meanwhile. Each time, other threads would have
/// to take a number and close it at just the wrong moment.
const ATTEMPTS: usize = 1000;

/// The child's error if a number has changed its meaning. `exec` never gives it.
const CHANGED: i32 = libc::EDOM;

pub(super) fn start(plan: &Plan<'_>) -> io::Result<Started> {
    let [program, arguments @ ..] = plan.command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, value) in plan.variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = plan.folder {
        command.current_dir(folder);
    }
    let session = plan.session;
    let open_files = plan.open_files;
    if !session {
        command.process_group(0);
    }
    let terminal = plan.terminal.map(|terminal| terminal.as_raw_fd());
    let closed = plan.closed.to_vec();
    let first = Arc::new(Mutex::new(Vec::new()));
    let moves = Arc::clone(&first);
    // SAFETY: the closure runs in the child between fork and exec and makes only async-signal-safe system calls. The
    // lock is free there: only the thread that forks takes it.
    unsafe {
        command.pre_exec(move || match moves.try_lock() {
            Ok(moves) => {
                limit_open_files(open_files)?;
                prepare(&moves, &closed, session, terminal)
            }
            Err(_) => Err(io::Error::from_raw_os_error(CHANGED)),
        });
    }
    for _ in 0..ATTEMPTS {
        let mut held = Vec::new();
        let mut moves = Vec::new();
        for (from, to) in plan.moves {
            // Above all of these numbers, or it would be overwritten before it gets its own.
            let highest = plan.moves.iter().map(|(_, to)| *to).max();
            let from = fcntl_dupfd_cloexec(from, highest.unwrap_or_default() + 1)?;
            let placeholder = occupy(*to)?;
            let was = if placeholder.is_some() {
                None
            } else {
                Some(identity(*to))
            };
            moves.push(Move {
                from: from.as_raw_fd(),
                to: *to,
                was,
            });
            held.push(from);
            held.extend(placeholder);
        }
        *first.lock().unwrap_or_else(PoisonError::into_inner) = moves;
        let spawned = command.spawn();
        drop(held);
        match spawned {
            Err(error) if error.raw_os_error() == Some(CHANGED) => {}
            spawned => {
                let pid = i32::try_from(spawned?.id()).ok().and_then(Pid::from_raw);
                let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
                return Ok(Started { pid, pidfd: None });
            }
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Sets the soft limit of open files of this process.
fn limit_open_files(files: Option<u64>) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(current) = files else {
        return Ok(());
    };
    let limit = Rlimit {
        current: Some(current),
        ..getrlimit(Resource::Nofile)
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// A descriptor of ours, and the number that it has in the child.
struct Move {
    from: RawFd,
    to: RawFd,
    /// The file that had the number before, if we did not keep it in use.
    was: Option<Identity>,
}

/// The file of a descriptor. None if the number is free.
type Identity = Option<(libc::dev_t, libc::ino_t)>;

fn identity(number: RawFd) -> Identity {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: a system call on a number and a place of ours, of which all-zero bytes are a valid value.
    unsafe {
        let found = libc::fstat(number, stat.as_mut_ptr()) == 0;
        let stat = stat.assume_init();
        found.then_some((stat.st_dev, stat.st_ino))
    }
}

/// Keeps `number` in use until the value is dropped, if it was free.
fn occupy(number: RawFd) -> io::Result<Option<OwnedFd>> {
    let placeholder = fcntl_dupfd_cloexec(File::open("/dev/null")?, number)?;
    Ok((placeholder.as_raw_fd() == number).then_some(placeholder))
}

/// The child's steps between fork and exec.
fn prepare(
    moves: &[Move],
    closed: &[RawFd],
    session: bool,
    terminal: Option<RawFd>,
) -> io::Result<()> {
    // SAFETY: system calls on numbers.
    unsafe {
        if session && libc::setsid() < 0 {
            return Err(io::Error::last_os_error());
        }
        if let Some(terminal) = terminal {
            // SIGTTOU is blocked here.
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        let is_as_it_was = |to: &Move| to.was.is_none_or(|was| identity(to.to) == was);
        if !moves.iter().all(is_as_it_was) {
            return Err(io::Error::from_raw_os_error(CHANGED));
        }
        for &Move { from, to, .. } in moves {
            if libc::dup2(from, to) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for &number in closed {
            libc::close(number);
        }
    }
    signals::reset(signals::handled());
    Ok(())
}
