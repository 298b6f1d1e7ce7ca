//! How a child's pipe is read: how much at once, and how much may be under way to the sinks.
//!
//! A child may write faster than any screen, file or reader takes it, and in pieces of any size. So what is under way is
//! bounded by the memory and the work that it costs, and not by what was read. Refuses to know where any of it goes.

use std::os::fd::AsFd;

use crate::model::batch::escaped;

/// How much a read takes at most: half of what a pipe holds, so that the child fills one half while we empty the other.
pub(super) const READ: usize = 128 * 1024;
/// How large the buffer for it is at first: most children write little, and a large buffer is mapped and unmapped.
pub(super) const FIRST_READ: usize = 4096;
/// The same of reports that are written out as events: a line of two bytes becomes one of a hundred and more.
const READ_VERBATIM: usize = 16 * 1024;
/// How much of what a child wrote may be under way to a slow screen, file or reader.
pub(super) const UNDER_WAY: usize = 1024 * 1024;
/// What each notice counts for beside its bytes. A child that writes byte by byte would else make a million of them, each
/// with memory and work of its own, out of what is under way.
pub(super) const NOTICE: usize = 2048;
/// A channel that gave less than this is left alone for a moment: lines come in batches, and the child is not slowed by
/// a wake-up of ours for each of them.
pub(super) const FULL_READ: usize = 48 * 1024;

/// About how many bytes the child's output takes while it is under way, with its notice. In an event, which it becomes if
/// `as_event`, a control character is written as six.
pub(super) fn weight(bytes: &[u8], as_event: bool) -> usize {
    let escaped = if as_event { escaped(bytes) } else { 0 };
    bytes.len() + escaped + NOTICE
}

/// Reads once into the empty `buffer`, at most its capacity, and at most so much.
pub(super) fn read_into(
    from: &impl AsFd,
    buffer: &mut Vec<u8>,
    at_most: usize,
) -> rustix::io::Result<usize> {
    buffer.clear();
    if at_most >= buffer.capacity() {
        let read = rustix::io::read(from, rustix::buffer::spare_capacity(buffer));
        if buffer.len() == buffer.capacity() {
            // There is more to come.
            buffer.reserve_exact(READ.saturating_sub(buffer.len()));
        }
        return read;
    }
    buffer.resize(at_most, 0);
    let read = rustix::io::read(from, &mut buffer[..]);
    buffer.truncate(*read.as_ref().unwrap_or(&0));
    read
}

/// How much a read of reports takes at most; `every_report` if each of them is written out as an event.
pub(super) fn reports_at_once(every_report: bool) -> usize {
    if every_report { READ_VERBATIM } else { READ }
}

pub(super) fn is_transient(error: rustix::io::Errno) -> bool {
    error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR
}
