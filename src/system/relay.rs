//! A process that goes on handing output to our stdout or stderr when we have ended: for what a command has left behind,
//! such as a daemon, which without us would write there itself.
//!
//! Only output that goes through us because our lines stand between its lines needs that. The process is this program
//! under another name. It has the pipe as its stdin and the place as its stdout, and begins when its stderr says that we
//! are gone: so nothing of ours comes after what it writes. It ends with the last process that holds the pipe, or with
//! the reader of the place.

use std::ffi::OsStr;
use std::io::{self, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionbio, read, write};
use rustix::stdio::{stderr, stdin, stdout};

use super::helper;
use super::reap;

/// The name of the process: its first argument.
const NAME: &str = "progrun-relay";

/// What keeps the processes waiting for our end: the system closes these then.
static GATES: Mutex<Vec<PipeWriter>> = Mutex::new(Vec::new());

/// Starts the process for this pipe, and for our stdout or stderr.
///
/// # Errors
/// Those of the system.
pub(crate) fn start(pipe: OwnedFd, place: BorrowedFd<'_>) -> io::Result<()> {
    // It waits for each read.
    ioctl_fionbio(&pipe, false)?;
    let (gate, held) = io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(NAME).env_clear().current_dir("/");
    command.stdin(pipe).stdout(place.try_clone_to_owned()?);
    // Ctrl-C is not for it, as it is not for a daemon.
    command.stderr(gate).process_group(0);
    let child = helper::start(&mut command)?;
    reap::forget(&child);
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    gates.push(held);
    Ok(())
}

/// Whether this process is such a one, by its first argument.
pub(crate) fn is_one(first: Option<&OsStr>) -> bool {
    first == Some(OsStr::new(NAME))
}

/// What such a process does.
pub(crate) fn run() {
    let mut buffer = vec![0; 64 * 1024];
    while next(stderr(), &mut buffer) > 0 {}
    loop {
        let length = next(stdin(), &mut buffer);
        let mut rest = &buffer[..length];
        if rest.is_empty() {
            return;
        }
        while !rest.is_empty() {
            match write(stdout(), rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&stdout(), PollFlags::OUT)], None);
                }
                Err(_) => return,
            }
        }
    }
}

/// Reads once; 0 at the end.
fn next(from: BorrowedFd<'_>, buffer: &mut [u8]) -> usize {
    loop {
        match read(from, &mut *buffer) {
            Err(Errno::INTR) => {}
            read => return read.unwrap_or(0),
        }
    }
}
