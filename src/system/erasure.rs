//! The erasing of our picture by the handler of SIGTSTP.
//!
//! Ctrl-Z stops a whole job. A script or a make above progrun does not handle it, and is stopped at once; the
//! interactive shell waits for that process alone, takes the terminal back, and writes its prompt over the picture,
//! within a few hundredths of a millisecond. The run loop, which hands its bytes to a thread that writes, comes too
//! late for that. Knows nothing of the picture but that it is there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::stdio::stderr;
use rustix::termios::tcgetpgrp;

use super::groups;

/// Erases from the cursor on, and leaves the cursor there: at worst a prompt has just been written before it. tmux takes
/// an erasing from the first column of the first row on (ED) for that of the whole screen, and keeps what was there in
/// its history: so ED begins in the next column.
pub(crate) const ERASE_FROM_CURSOR: &[u8] = b"\x1b7\x1b[K\x1b[C\x1b[J\x1b8";

/// Whether there is a picture from the cursor on, ours or that of the progrun that draws for us.
static IS_THERE: AtomicBool = AtomicBool::new(false);
/// How many sends to the terminal are not written yet.
static UNWRITTEN: AtomicUsize = AtomicUsize::new(0);
static STOPS: AtomicUsize = AtomicUsize::new(0);

/// Something was sent to the terminal. When it is written, there is a picture or not.
pub(crate) fn is_sent(is_there: bool) {
    UNWRITTEN.fetch_add(1, Ordering::AcqRel);
    IS_THERE.store(is_there, Ordering::Release);
}

/// It is written.
pub(crate) fn is_written() {
    UNWRITTEN.fetch_sub(1, Ordering::AcqRel);
}

/// Takes the picture off, if the terminal is still ours. To be called by a handler.
///
/// A terminal that has not taken the last write would keep the run loop in the handler, and is left alone. `poll` would
/// not tell: on a terminal it waits until the system has handled what was typed, and the shell is faster then.
pub(super) fn erase() {
    STOPS.fetch_add(1, Ordering::AcqRel);
    let is_there = IS_THERE.load(Ordering::Acquire);
    if !is_there || UNWRITTEN.load(Ordering::Acquire) > 0 {
        return;
    }
    let is_ours = tcgetpgrp(stderr()).is_ok_and(|group| groups::ours() == Some(group));
    if is_ours && rustix::io::write(stderr(), ERASE_FROM_CURSOR).is_ok() {
        IS_THERE.store(false, Ordering::Release);
    }
}

/// How often we were asked to stop.
pub(crate) fn stops() -> usize {
    STOPS.load(Ordering::Acquire)
}

/// Nothing is for a handler to erase any more. Says whether the picture was still there.
pub(crate) fn forget() -> bool {
    IS_THERE.swap(false, Ordering::AcqRel)
}
