//! Remembers which of the three standard streams were closed when this process began.
//!
//! Before `main`, std (or `start.rs`) opens `/dev/null` in the place of a closed stream, so that no file of ours gets
//! its number. After that, a closed stream looks like one that the caller redirected there (Python's DEVNULL is opened
//! in just the same way), and the output of `progrun -- echo hi >&-` would seem to have been written. So an initialiser
//! that the loader runs looks earlier. On systems without one, no stream counts as closed.
#![expect(
    unsafe_code,
    reason = "what runs before `main` cannot be had without it"
)]

use std::sync::atomic::{AtomicU8, Ordering};

/// One bit per stream.
static CLOSED: AtomicU8 = AtomicU8::new(0);

extern "C" fn look() {
    for number in 0..3 {
        // SAFETY: only a question; a number that is no descriptor is an error.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << number, Ordering::Relaxed);
        }
    }
}

// SAFETY: a function without arguments that makes system calls and changes an atomic, and needs nothing of Rust's
// runtime, which is not set up yet.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

/// Whether the standard stream of this number was closed.
#[must_use]
pub(crate) fn was_closed(number: i32) -> bool {
    (0..3).contains(&number) && CLOSED.load(Ordering::Relaxed) & 1 << number != 0
}
