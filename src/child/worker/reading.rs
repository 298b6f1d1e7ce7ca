//! How much of what a child writes is read at once, and how much of it may be under way to those who are to have it.
//!
//! A child may write faster than any screen, file or reader takes it, and in whatever pieces. So what is under way is
//! bounded by what it takes of our memory and work, and not by what was read. Refuses to know where any of it goes.

use std::os::fd::AsFd;

use crate::model::batch::escaped;

/// How much a read takes at most: half of what a pipe holds, so that the child fills one half while we empty the other.
pub(super) const READ: usize = 128 * 1024;
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
/// `verbatim`, a control character is written as six.
pub(super) fn weight(bytes: &[u8], verbatim: bool) -> usize {
    let escaped = if verbatim { escaped(bytes) } else { 0 };
    bytes.len() + escaped + NOTICE
}

/// Reads once into the empty `buffer`, at most its capacity, and at most so much.
pub(in crate::child) fn read_into(
    from: &impl AsFd,
    buffer: &mut Vec<u8>,
    at_most: usize,
) -> rustix::io::Result<usize> {
    buffer.clear();
    if at_most >= buffer.capacity() {
        return rustix::io::read(from, rustix::buffer::spare_capacity(buffer));
    }
    buffer.resize(at_most, 0);
    let read = rustix::io::read(from, &mut buffer[..]);
    buffer.truncate(*read.as_ref().unwrap_or(&0));
    read
}

/// How much a read of reports takes at most; `verbatim` if each of them is written out as an event.
pub(in crate::child) fn reports_at_once(verbatim: bool) -> usize {
    if verbatim { READ_VERBATIM } else { READ }
}

pub(in crate::child) fn is_transient(error: rustix::io::Errno) -> bool {
    error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR
}
