//! How this process begins, and what of its memory is set up then.
//!
//! Before `main`, std reads `/proc/self/maps` and gives each thread a second stack, in order to say more of the overflow of a
//! stack than that it was one. That is a tenth of a run that is over at once. So where the C library lets the program, it has a `main` of its
//! own, and does here what else std does before.
#![expect(unsafe_code, reason = "what std does before `main` is not safe")]

use std::fs::File;
use std::mem::forget;

use super::closed;

/// The `main` of the program: [`main`](crate::main), with nothing of std before it.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    () => {
        // SAFETY: it is the only `main`, and what the C library expects of it; std knows the arguments without it.
        #[unsafe(no_mangle)]
        extern "C" fn main(_count: i32, _words: *const *const u8) -> i32 {
            $crate::internals::prepare();
            // A panic must not reach C. The status is that of a panic in the `main` of std.
            let Err(_) = std::panic::catch_unwind(|| $crate::main());
            101
        }
    };
}

/// What std does before `main`, as far as anything here depends on it; and one arena of memory for all threads: each further
/// one would have to be mapped, and the threads of a run wait more than they allocate.
pub fn prepare() {
    // A file of ours with the number of a standard stream would be taken for that stream.
    for _ in (0..3).filter(|number| closed::was_closed(*number)) {
        // It gets the lowest number that is free.
        if let Ok(nowhere) = File::options().read(true).write(true).open("/dev/null") {
            forget(nowhere);
        }
    }
    // SAFETY: changes the disposition of one signal, and a setting of the allocator, before there is another thread.
    unsafe {
        // A write to a pipe without a reader is an error, not the end of us.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
