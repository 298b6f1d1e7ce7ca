//! Starts a process that is no task of ours, by the means of the standard library.

use std::io;
use std::process::{Child, Command};

use rustix::process::Pid;

use super::reap;
use super::signals::Blocked;

/// Starts it. Its caller sees its end by [`Child::try_wait`], and then tells that by [`reap::forget`].
///
/// # Errors
/// Those of the system.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    let number = |child: &Child| {
        let pid = i32::try_from(child.id()).ok();
        pid.and_then(Pid::from_raw).unwrap_or(Pid::INIT)
    };
    // It has the mask of this thread: a shell that never gets SIGCHLD would wait for ever.
    let _none = Blocked::none();
    reap::entered(|| command.spawn(), number)
}
