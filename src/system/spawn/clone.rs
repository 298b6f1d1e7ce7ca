//! The child shares the memory of this process until it is the program: `clone` with `CLONE_VM` and `CLONE_VFORK`. The thread
//! that calls it stands still until then; the others run on.
//!
//! So the child must not do what another thread could be in the middle of, or would be surprised by: it allocates nothing,
//! takes no lock, cannot unwind, and runs no handler of a signal, for all are blocked until the handlers are gone. It makes
//! system calls on what was prepared for it. Its descriptors, dispositions and mask are its own, as after a fork; `errno` is
//! that of the thread that stands still, which reads it no more. What the child leaves in memory is one number: why it could
//! not become the program.
#![expect(
    unsafe_code,
    reason = "no safe interface starts a process so that a step of ours is made in it"
)]

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::iter;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int, c_void};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::Pid;

use crate::system::signals;

use super::{Plan, Started};

/// What runs a file that is no program for the system (ENOEXEC), as `execvp` does it.
const SHELL: &CStr = c"/bin/sh";

/// Where a program is looked for if there is no `PATH`, as `execvp` does it.
const USUAL_PATH: &[u8] = b"/bin:/usr/bin";

/// The stack of the child, which has to hold a few frames of plain calls. It is a part of the stack of the thread that stands
/// still. What is below it there is free, so the child could overflow it without harm. Its words have the alignment of every stack.
const STACK: usize = 16 * 1024;

pub(super) fn start(plan: &Plan<'_>) -> io::Result<Started> {
    let [program, ..] = plan.command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let words: Vec<_> = plan.command.iter().map(text).collect::<Result<_, _>>()?;
    let arguments = pointers(words.iter().map(|word| word.as_ptr()));
    // The second one is the file, which the child puts there.
    let by_shell = [SHELL.as_ptr(), ptr::null()].into_iter();
    let mut by_shell = pointers(by_shell.chain(words.iter().skip(1).map(|word| word.as_ptr())));
    let candidates = candidates(program, std::env::var_os("PATH").as_deref())?;
    let ours: Vec<_> = plan
        .variables
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<_, _>>()?;
    let inherited = inherited(|name| plan.variables.iter().any(|(own, _)| name == own.as_bytes()));
    let variables = pointers(inherited.chain(ours.iter().map(|variable| variable.as_ptr())));
    let apart = apart(plan.moves)?;
    let moves = plan.moves.iter().zip(&apart);
    let moves: Vec<_> = moves
        .map(|((from, to), copy)| {
            (
                copy.as_ref().map_or(from.as_raw_fd(), AsRawFd::as_raw_fd),
                *to,
            )
        })
        .collect();
    let mut steps = Steps {
        session: plan.session,
        terminal: plan.terminal.map(|terminal| terminal.as_raw_fd()),
        moves: &moves,
        closed: plan.closed,
        parent: rustix::process::getpid().as_raw_pid(),
        candidates: &candidates,
        arguments: &arguments,
        by_shell: &mut by_shell,
        variables: &variables,
        error: AtomicI32::new(0),
    };
    let mut stack = MaybeUninit::<[u128; STACK / 16]>::uninit();
    let mut pidfd: c_int = -1;
    // SAFETY: the child runs `follow` on a stack of its own, on which nothing else is, and which grows downwards from its end. This thread stands still, and with it
    // all that `steps` borrows, until the child has left our memory; what the child does there is said above. The system
    // writes the handle to a place of ours; one that knows of none (before Linux 5.2) writes nothing.
    let pid = unsafe {
        libc::clone(
            follow,
            stack.as_mut_ptr().add(1).cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            (&raw mut steps).cast(),
            &raw mut pidfd,
        )
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that the system has just made for us.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    let error = steps.error.load(Ordering::Acquire);
    if error != 0 {
        // SAFETY: the number is our child's until it is reaped here. All signals are blocked: nothing interrupts it.
        unsafe {
            libc::waitpid(pid, ptr::null_mut(), 0);
        }
        return Err(io::Error::from_raw_os_error(error));
    }
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Started { pid, pidfd })
}

fn text(word: &OsString) -> io::Result<CString> {
    Ok(CString::new(word.as_bytes())?)
}

/// Copies of those descriptors that would be overwritten by another one before they have their own number, above all of
/// these numbers.
fn apart(moves: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Vec<Option<OwnedFd>>> {
    let highest = moves.iter().map(|(_, to)| *to).max().unwrap_or_default();
    moves
        .iter()
        .map(|(from, _)| {
            let collides = moves.iter().any(|(_, to)| *to == from.as_raw_fd());
            let copy = collides.then(|| fcntl_dupfd_cloexec(from, highest.saturating_add(1)));
            Ok(copy.transpose()?)
        })
        .collect()
}

/// A list as `execve` wants it: it ends with a null pointer.
fn pointers(texts: impl Iterator<Item = *const c_char>) -> Vec<*const c_char> {
    texts.chain(iter::once(ptr::null())).collect()
}

/// The files that may be the program, in the order in which `execvp` tries them. An empty entry of `path` is the current
/// directory.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
    let name = program.as_bytes();
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.contains(&b'/') {
        return Ok(vec![CString::new(name)?]);
    }
    let longest = usize::try_from(libc::PATH_MAX).unwrap_or(usize::MAX);
    path.map_or(USUAL_PATH, OsStr::as_bytes)
        .split(|byte| *byte == b':')
        // The others are found in spite of it.
        .filter(|folder| folder.len() < longest)
        .map(|folder| {
            let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
            Ok(CString::new([folder, slash, name].concat())?)
        })
        .collect()
}

unsafe extern "C" {
    /// The environment, as the C library has it: `std::env` leaves out what is no variable.
    static environ: *const *const c_char;
}

/// The entries of our environment, byte for byte and in their order, but for those whose name is left out.
fn inherited(left_out: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = *const c_char> {
    // SAFETY: the list ends with a null pointer, and no code of this program changes it or what is in it.
    let first = Some(unsafe { environ }).filter(|list| !list.is_null());
    let places = iter::successors(first, |place| Some(place.wrapping_add(1)));
    places
        // SAFETY: as above; the first null pointer ends it.
        .map_while(|place| Some(unsafe { *place }).filter(|entry| !entry.is_null()))
        .filter(move |entry| {
            // SAFETY: a string of C, likewise.
            let entry = unsafe { CStr::from_ptr(*entry) }.to_bytes();
            let name = entry.split(|byte| *byte == b'=').next();
            !left_out(name.unwrap_or_default())
        })
}

/// What the child is to do, prepared as far as can be.
struct Steps<'a> {
    session: bool,
    terminal: Option<RawFd>,
    moves: &'a [(RawFd, RawFd)],
    closed: &'a [RawFd],
    parent: libc::pid_t,
    candidates: &'a [CString],
    arguments: &'a [*const c_char],
    by_shell: &'a mut [*const c_char],
    variables: &'a [*const c_char],
    /// Why the child could not become the program.
    error: AtomicI32,
}

/// The child, until it is another program.
extern "C" fn follow(steps: *mut c_void) -> c_int {
    // SAFETY: they are what `start` gave to `clone`, and `start` stands still.
    let steps = unsafe { &mut *steps.cast::<Steps<'_>>() };
    let error = steps.prepare().err().unwrap_or_else(|| steps.execute());
    steps.error.store(error, Ordering::Release);
    // SAFETY: runs nothing of what is to run at the end of this process.
    unsafe { libc::_exit(127) }
}

/// The outcome of a system call; its error as a number.
fn checked(result: c_int) -> Result<c_int, c_int> {
    // SAFETY: the place is there in each thread.
    if result < 0 {
        Err(unsafe { *libc::__errno_location() })
    } else {
        Ok(result)
    }
}

impl Steps<'_> {
    fn prepare(&mut self) -> Result<(), c_int> {
        // SAFETY: system calls on plain numbers.
        unsafe {
            checked(if self.session {
                libc::setsid()
            } else {
                libc::setpgid(0, 0)
            })?;
            if let Some(terminal) = self.terminal {
                // SIGTTOU is blocked here.
                libc::tcsetpgrp(terminal, libc::getpid());
            }
            for &(from, to) in self.moves {
                checked(libc::dup2(from, to))?;
            }
            for &number in self.closed {
                libc::close(number);
            }
            // A child that does not report would never learn from the channel that this process was killed.
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM))?;
            if libc::getppid() != self.parent {
                return Err(libc::ESRCH);
            }
        }
        signals::reset();
        Ok(())
    }

    /// Becomes the program, or says why not, in the way of `execvp`: a file that may not be run does not end the search, and
    /// one that is no program for the system is given to the shell.
    fn execute(&mut self) -> c_int {
        let (arguments, variables) = (self.arguments.as_ptr(), self.variables.as_ptr());
        let mut denied = false;
        let mut error = libc::ENOENT;
        for candidate in self.candidates {
            let file = candidate.as_ptr();
            // SAFETY: strings and lists as `execve` wants them, which `start` holds.
            unsafe {
                error = checked(libc::execve(file, arguments, variables))
                    .err()
                    .unwrap_or(0);
                if error == libc::ENOEXEC {
                    if let Some(place) = self.by_shell.get_mut(1) {
                        *place = file;
                    }
                    let tried = libc::execve(SHELL.as_ptr(), self.by_shell.as_ptr(), variables);
                    error = checked(tried).err().unwrap_or(0);
                }
            }
            match error {
                libc::EACCES => denied = true,
                // Some network file systems say the last two of what is not there.
                libc::ENOENT | libc::ESTALE | libc::ENOTDIR | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => return error,
            }
        }
        if denied { libc::EACCES } else { error }
    }
}
