//! Starts another program, in a process group of its own or a session of its own.
//!
//! Responsible for the steps between this process and the program: descriptors get their numbers, signals their
//! defaults, the life of the child is bound to this process, and the program is searched for along `PATH`. What the
//! descriptors are for is not known here.
//!
//! On Linux the child shares the memory of this process until it becomes the program (`clone.rs`): a fork would copy
//! the mappings of all stacks and arenas, which costs more than all the rest of a short run. Other systems fork
//! (`fork.rs`).

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::atomic::AtomicI32;

use rustix::process::Pid;

use super::reap;
use super::signals::Blocked;

#[cfg(target_os = "linux")]
mod clone;
#[cfg(not(target_os = "linux"))]
mod fork;

/// The program to start, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// The program, which is searched for in `PATH` if it has no slash, and its arguments.
    pub(crate) command: &'a [OsString],
    /// The variables that differ from our environment. None: removed.
    pub(crate) variables: &'a [(&'a str, Option<OsString>)],
    /// Descriptors of ours, and the number that each has in the child. The child inherits all others that are not
    /// close-on-exec.
    pub(crate) moves: &'a [(BorrowedFd<'a>, RawFd)],
    /// Descriptors that are closed in the child.
    pub(crate) closed: &'a [RawFd],
    /// Whether the child leads a session of its own, and not only a process group.
    pub(crate) session: bool,
    /// The folder in which it runs; none: ours. A program named by a relative path is searched for from there.
    pub(crate) folder: Option<&'a Path>,
    /// Its soft limit of open files (`RLIMIT_NOFILE`); none: ours.
    pub(crate) open_files: Option<u64>,
    /// The terminal whose foreground group is to be the child's. A terminal that is gone is no error.
    pub(crate) terminal: Option<BorrowedFd<'a>>,
    /// Where the child notes its number, as soon as it leads its group, in memory that it shares with this process. Only
    /// on Linux.
    pub(crate) note: Option<&'a AtomicI32>,
}

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its number, which is also that of its process group.
    pub(crate) pid: Pid,
    /// Its pidfd, close-on-exec, which becomes readable when it ends. None where the system has none.
    pub(crate) pidfd: Option<OwnedFd>,
}

impl Plan<'_> {
    /// Starts the program. The child gets SIGTERM when this thread ends before it, on Linux (`PR_SET_PDEATHSIG`).
    ///
    /// # Errors
    /// What the system says of the first step that failed: of `execve`, what `execvp` would say.
    pub(crate) fn start(&self) -> io::Result<Started> {
        reap::entered(
            || {
                // A signal in the child would run our handlers, and these write into our pipes.
                let _blocked = Blocked::all();
                #[cfg(target_os = "linux")]
                return clone::start(self);
                #[cfg(not(target_os = "linux"))]
                fork::start(self)
            },
            |started| started.pid,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;

    #[test]
    fn descriptors_can_take_the_numbers_of_each_other() {
        let (mut read, first) = io::pipe().unwrap();
        let (mut other_read, second) = io::pipe().unwrap();
        let (one, two) = (first.as_raw_fd(), second.as_raw_fd());
        let says = format!("echo at {one} >/dev/fd/{one}; echo at {two} >/dev/fd/{two}");
        let command = ["sh", "-c", &says].map(OsString::from);
        let plan = Plan {
            command: &command,
            variables: &[],
            moves: &[(first.as_fd(), two), (second.as_fd(), one)],
            closed: &[],
            session: false,
            folder: None,
            open_files: None,
            terminal: None,
            note: None,
        };
        let started = plan.start().unwrap();
        let reaped = reap::reap(started.pid).unwrap();
        assert!(reaped.status.success());
        drop((first, second));
        let mut said = [String::new(), String::new()];
        read.read_to_string(&mut said[0]).unwrap();
        other_read.read_to_string(&mut said[1]).unwrap();
        assert_eq!(said, [format!("at {two}\n"), format!("at {one}\n")]);
    }

    #[test]
    fn a_variable_can_be_changed_and_left_out() {
        let says = r#"test "$ADDED" = 1 && test -z "${HOME+x}" && exit 3"#;
        let command = ["/bin/sh", "-c", says].map(OsString::from);
        let plan = Plan {
            command: &command,
            variables: &[("ADDED", Some("1".into())), ("HOME", None)],
            moves: &[],
            closed: &[],
            session: true,
            folder: None,
            open_files: None,
            terminal: None,
            note: None,
        };
        let started = plan.start().unwrap();
        let reaped = reap::reap(started.pid).unwrap();
        assert_eq!(reaped.status.code(), Some(3));
    }
}
