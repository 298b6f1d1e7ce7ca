//! How a child's pipe is read: how much at once, and how much may be under way to the sinks.
//!
//! A child may write faster than any screen, file or reader takes it, and in pieces of any size. So the bound is on the
//! memory and the work that the bytes cost on their way, not on their number. Where the bytes go is not known here.

use std::os::fd::{AsFd, OwnedFd};

use crate::model::batch::escaped;
#[cfg(target_os = "linux")]
use crate::system::reap;

/// The most that one read takes: half of an enlarged pipe, so that the child fills one half while the worker empties
/// the other. Only the pipes of a few children at a time are enlarged ([`enlarge`]); any other pipe fits into one read.
pub(super) const READ: usize = 128 * 1024;
/// The first size of the buffer: most children write little, and a large buffer costs an `mmap` and a `munmap`.
pub(super) const FIRST_READ: usize = 4096;
/// The most that one read takes of reports that become events: a line of two bytes becomes an event of a hundred and
/// more.
const READ_EVERY_REPORT: usize = 16 * 1024;
/// How many bytes of a child may be under way to a slow screen, file or reader.
pub(crate) const UNDER_WAY: usize = 1024 * 1024;
/// The weight of a notice besides its bytes. Without it a child that writes byte by byte could have a million notices
/// under way, each with memory and work of its own.
pub(super) const NOTICE: usize = 2048;
/// A channel that gave less than this is left alone for a moment. Then lines come in batches, and the child is not
/// slowed down by one wake-up of the worker per line.
pub(super) const FULL_READ: usize = 48 * 1024;

/// About how many bytes this output takes while it is under way, its notice included. With `as_event` it becomes an
/// event, in which a control character takes six bytes.
pub(super) fn weight(bytes: &[u8], as_event: bool) -> usize {
    let escaped = if as_event { escaped(bytes) } else { 0 };
    bytes.len() + escaped + NOTICE
}

/// The size of an enlarged pipe: more than a child writes between two polls of the worker.
#[cfg(target_os = "linux")]
const ROOM: usize = 256 * 1024;

/// How many children at a time get enlarged pipes. The kernel limits all pipes of a user together
/// (`/proc/sys/fs/pipe-user-pages-soft`, 64 MiB): above it each new pipe of the user, in any program, holds 8 KiB.
#[cfg(target_os = "linux")]
const ROOMY: usize = 8;

/// Enlarges a pipe of a child that runs and is counted. An error changes nothing: the user has too many pipes, and the
/// child sometimes waits a little; or it is a pseudo-terminal.
pub(super) fn enlarge(pipe: &OwnedFd) {
    #[cfg(target_os = "linux")]
    if reap::children() <= ROOMY {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, ROOM);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

/// Clears `buffer` and reads into it once, at most its capacity and at most `at_most`.
pub(super) fn read_into(
    from: &impl AsFd,
    buffer: &mut Vec<u8>,
    at_most: usize,
) -> rustix::io::Result<usize> {
    buffer.clear();
    if at_most >= buffer.capacity() {
        let read = rustix::io::read(from, rustix::buffer::spare_capacity(buffer));
        if buffer.len() == buffer.capacity() {
            // A full buffer suggests that there is more.
            buffer.reserve_exact(READ.saturating_sub(buffer.len()));
        }
        return read;
    }
    buffer.resize(at_most, 0);
    let read = rustix::io::read(from, &mut buffer[..]);
    buffer.truncate(*read.as_ref().unwrap_or(&0));
    read
}

/// The most that one read of reports takes. With `every_report`, each of them becomes an event.
pub(super) fn reports_at_once(every_report: bool) -> usize {
    if every_report {
        READ_EVERY_REPORT
    } else {
        READ
    }
}

pub(super) fn is_transient(error: rustix::io::Errno) -> bool {
    error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR
}
