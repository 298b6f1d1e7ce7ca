//! Starts a child that shares the memory of this process until it becomes the program: `clone` with `CLONE_VM` and
//! `CLONE_VFORK`. The calling thread stands still until then; the other threads run on.
//!
//! So the child must not touch anything that another thread could be in the middle of, or change anything under it: it
//! allocates nothing, takes no lock, cannot unwind, and runs no signal handler, because all signals are blocked until
//! the handlers are gone. It makes system calls on data that was prepared for it. Its descriptors, dispositions and
//! mask are its own, as after a fork; `errno` is that of the calling thread, which reads it only if there is no child. The
//! child leaves two numbers in memory: its own for the watcher, and why it could not become the program.
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

/// The shell that runs a file without a format that the system knows (ENOEXEC), as in `execvp`.
const SHELL: &CStr = c"/bin/sh";

/// The folders that are searched if there is no `PATH`, as in `execvp`.
const USUAL_PATH: &[u8] = b"/bin:/usr/bin";

/// The size of the child's stack, for a few frames of plain calls. It is a part of the calling thread's stack, so an
/// overflow by the child would reach the frame of that thread. The elements of the array have the alignment that a
/// stack needs.
const STACK: usize = 16 * 1024;

pub(super) fn start(plan: &Plan<'_>) -> io::Result<Started> {
    let [program, ..] = plan.command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let words: Vec<_> = plan.command.iter().map(text).collect::<Result<_, _>>()?;
    let arguments = pointers(words.iter().map(|word| word.as_ptr()));
    // The second argument is the file, which the child enters.
    let by_shell = [SHELL.as_ptr(), ptr::null()].into_iter();
    let mut by_shell = pointers(by_shell.chain(words.iter().skip(1).map(|word| word.as_ptr())));
    let own = plan.variables.iter().find(|(name, _)| *name == "PATH");
    let path = own.map_or_else(|| std::env::var_os("PATH"), |(_, value)| value.clone());
    let candidates = candidates(program, path.as_deref())?;
    let folder = plan
        .folder
        .map(|folder| CString::new(folder.as_os_str().as_bytes()));
    let folder = folder.transpose()?;
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
        note: plan.note,
        terminal: plan.terminal.map(|terminal| terminal.as_raw_fd()),
        folder: folder.as_deref(),
        open_files: plan.open_files,
        moves: &moves,
        closed: plan.closed,
        parent: rustix::process::getpid().as_raw_pid(),
        candidates: &candidates,
        arguments: &arguments,
        by_shell: &mut by_shell,
        variables: &variables,
        handled: signals::handled(),
        error: AtomicI32::new(0),
    };
    let mut stack = MaybeUninit::<[u128; STACK / 16]>::uninit();
    let mut pidfd: c_int = -1;
    // SAFETY: the child runs `follow` on a stack that holds nothing else, and that grows downwards from its end. This
    // thread stands still, and with it all that `steps` borrows, until the child has left our memory; the head of this
    // file says how the child uses it. The system writes the pidfd to a place of ours, or nothing (before Linux 5.2).
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
        // SAFETY: the number is our child's until it is reaped here. All signals are blocked, so nothing interrupts the
        // call.
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

/// Copies of the descriptors that would be overwritten by another one before they get their own number. The copies are
/// above all of these numbers.
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

/// A list for `execve`: it ends with a null pointer.
fn pointers(texts: impl Iterator<Item = *const c_char>) -> Vec<*const c_char> {
    texts.chain(iter::once(ptr::null())).collect()
}

/// The files that may be the program, in the order in which `execvp` tries them. An empty entry of `path` is the
/// current directory.
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
        // A folder that is too long does not end the search in the others.
        .filter(|folder| folder.len() < longest)
        .map(|folder| {
            let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
            Ok(CString::new([folder, slash, name].concat())?)
        })
        .collect()
}

unsafe extern "C" {
    /// The environment of the C library: `std::env` leaves out entries that are no variables.
    static environ: *const *const c_char;
}

/// The entries of our environment, byte for byte and in their order, except those with a name that is left out.
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

/// The child's steps, prepared as far as possible.
struct Steps<'a> {
    session: bool,
    note: Option<&'a AtomicI32>,
    terminal: Option<RawFd>,
    folder: Option<&'a CStr>,
    open_files: Option<u64>,
    moves: &'a [(RawFd, RawFd)],
    closed: &'a [RawFd],
    parent: libc::pid_t,
    candidates: &'a [CString],
    arguments: &'a [*const c_char],
    by_shell: &'a mut [*const c_char],
    variables: &'a [*const c_char],
    /// The signals that have a handler in this process.
    handled: u64,
    /// Why the child could not become the program.
    error: AtomicI32,
}

/// The child, until it becomes the program.
extern "C" fn follow(steps: *mut c_void) -> c_int {
    // SAFETY: `start` passed these to `clone`, and stands still.
    let steps = unsafe { &mut *steps.cast::<Steps<'_>>() };
    let error = steps.prepare().err().unwrap_or_else(|| steps.execute());
    // The number is free for another process when the calling thread goes on.
    steps.note(-1);
    steps.error.store(error, Ordering::Release);
    // SAFETY: runs no exit handler of this process.
    unsafe { libc::_exit(127) }
}

/// The result of a system call, with its error as a number.
fn checked(result: c_int) -> Result<c_int, c_int> {
    // SAFETY: `errno` has a place in each thread.
    if result < 0 {
        Err(unsafe { *libc::__errno_location() })
    } else {
        Ok(result)
    }
}

impl Steps<'_> {
    fn note(&self, number: libc::pid_t) {
        if let Some(note) = self.note {
            note.store(number, Ordering::Release);
        }
    }

    fn prepare(&mut self) -> Result<(), c_int> {
        // SAFETY: system calls on plain numbers, a string that `start` holds, and a place of our own.
        unsafe {
            checked(if self.session {
                libc::setsid()
            } else {
                libc::setpgid(0, 0)
            })?;
            self.note(libc::getpid());
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
            if let Some(folder) = self.folder {
                checked(libc::chdir(folder.as_ptr()))?;
            }
            if let Some(files) = self.open_files {
                let mut limit: libc::rlimit = std::mem::zeroed();
                checked(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
                limit.rlim_cur = files;
                checked(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit))?;
            }
            // A child that does not write to the channel would never learn from it that this process was killed.
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM))?;
            if libc::getppid() != self.parent {
                return Err(libc::ESRCH);
            }
        }
        signals::reset(self.handled);
        Ok(())
    }

    /// Becomes the program, or returns the error, as `execvp` does: a file that may not be run does not end the search,
    /// and a file without a format that the system knows is given to the shell.
    fn execute(&mut self) -> c_int {
        let (arguments, variables) = (self.arguments.as_ptr(), self.variables.as_ptr());
        let mut denied = false;
        let mut error = libc::ENOENT;
        for candidate in self.candidates {
            let file = candidate.as_ptr();
            // SAFETY: strings and lists for `execve`, which `start` holds.
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
                // Some network file systems report a missing file with one of the last two.
                libc::ENOENT | libc::ESTALE | libc::ENOTDIR | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => return error,
            }
        }
        if denied { libc::EACCES } else { error }
    }
}
