//! How this process begins, and the setting of its memory that is made then.
//!
//! Before `main`, std reads `/proc/self/maps` and prepares a second stack for each thread, only to say in which thread
//! a stack overflowed. That takes a tenth of the time of a run that is over at once. So with the GNU C library the
//! program has a `main` of its own, and does here what else std does before it.
#![expect(unsafe_code, reason = "what std does before `main` is not safe")]

use std::fs::File;
use std::mem::forget;

use super::closed;

/// The `main` of the program: [`main`](crate::main), with nothing of std before it.
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    () => {
        // SAFETY: it is the only `main`, with the signature that the C library expects; std finds the arguments without
        // it.
        #[unsafe(no_mangle)]
        extern "C" fn main(_count: i32, _words: *const *const u8) -> i32 {
            $crate::internals::prepare();
            // A panic must not reach C. The status is that of a panic in the `main` of std.
            let Err(_) = std::panic::catch_unwind(|| $crate::main());
            101
        }
    };
}

/// Does what std does before `main`, as far as anything here depends on it. Also limits memory to one arena for all
/// threads: each further one would have to be mapped, and the threads of a run wait more than they allocate.
pub fn prepare() {
    // A file of ours with the number of a standard stream would be taken for that stream.
    for _ in (0..3).filter(|number| closed::was_closed(*number)) {
        // It gets the lowest number that is free, which is that of the closed stream.
        if let Ok(nowhere) = File::options().read(true).write(true).open("/dev/null") {
            forget(nowhere);
        }
    }
    // SAFETY: changes the disposition of one signal, and a setting of the allocator, before there is another thread.
    unsafe {
        // A write to a pipe without a reader must be an error (EPIPE), and not end this process.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
