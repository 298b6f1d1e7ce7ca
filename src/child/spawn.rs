//! Makes a child: the channel, the fork, the exec; and buries it: `wait4`.
//!
//! One of the four files with `unsafe` code (the others are `signals.rs`, `watcher.rs` and `groups.rs`): code that runs between fork and exec cannot be
//! had without it, nor can what a single child used. What runs between fork and exec is async-signal-safe: plain system
//! calls on numbers that were made before the fork, no allocation and no lock.
#![expect(
    unsafe_code,
    reason = "code between fork and exec, and wait4, have no safe interface"
)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::fstat;
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::Pid;
use rustix::termios::Termios;

use crate::client;
use crate::event::{Ending, Exit, Route};
use crate::standard;

use super::signals::{self, Blocked};
use super::terminal::{Terminal, has_terminal};
use super::{Launch, LaunchError, inherited, pty, tree};

/// The variable that says which file the channel is.
const IDENTITY: &str = "PROGRUN_FD_ID";

/// A child that runs, and our ends of its pipes and pseudo-terminals.
pub(super) struct Spawned {
    pub(super) pid: Pid,
    /// The variable in its environment that no other run has: the identity of the channel.
    pub(super) mark: String,
    /// The read end of the channel: the only one there is, in any process.
    pub(super) channel: OwnedFd,
    /// The read end of the descriptor of `ZIG_PROGRESS`.
    pub(super) zig: Option<OwnedFd>,
    /// Our ends of stdout and stderr, where they go through us.
    pub(super) outputs: [Option<OwnedFd>; 2],
    /// The settings that a pseudo-terminal began with, where one of these is one.
    pub(super) terminals: [Option<Termios>; 2],
}

/// Starts the command in a process group of its own, with the channel on the number that was asked for. With a terminal it
/// has that from its first moment on, as the foreground group.
pub(super) fn spawn(launch: &Launch, terminal: Option<&Terminal>) -> Result<Spawned, LaunchError> {
    let internal = |what: &'static str| move |source| LaunchError::Internal { what, source };
    let [program, arguments @ ..] = launch.command.as_slice() else {
        let source = io::Error::from(io::ErrorKind::InvalidInput);
        return Err(internal("an empty command")(source));
    };
    let (channel, write_end) =
        channel_above(launch.channel).map_err(internal("creating the channel"))?;
    let identity = fstat(&write_end)
        .map_err(io::Error::from)
        .map_err(internal("creating the channel"))?;
    let zig_number = if launch.channel == ZIG { ZIG + 1 } else { ZIG };
    let (zig, zig_end) = (launch.zig && inherited::owner(zig_number).is_none())
        .then(|| zig_pipe(launch.channel.max(zig_number) + 1))
        .flatten()
        .unzip();
    let lowest = above(launch.channel);
    let stdout = stdio(launch.stdout, lowest).map_err(internal("creating a pipe"))?;
    let mut stderr = stdio(launch.stderr, lowest).map_err(internal("creating a pipe"))?;
    if let (Route::Joined, Some(pipe)) = (launch.stderr, &stdout.childs) {
        let joined = pipe.try_clone().map_err(internal("creating a pipe"))?;
        stderr.childs = Some(joined);
    }

    let identity = format!("{}:{}", identity.st_dev, identity.st_ino);
    let socket = launch.socket.as_ref();
    let socket = socket.map(|socket| (client::SOCKET, socket.path()));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PROGRUN_FD", launch.channel.to_string())
        .env(IDENTITY, &identity)
        // Another run's is not the child's.
        .env_remove(client::SOCKET)
        .envs(socket)
        .stdin(Stdio::inherit())
        .stdout(stdout.childs.map_or_else(Stdio::inherit, Stdio::from))
        .stderr(stderr.childs.map_or_else(Stdio::inherit, Stdio::from));
    let mut numbers = vec![(write_end.as_raw_fd(), launch.channel)];
    if let Some(end) = &zig_end {
        command.env("ZIG_PROGRESS", zig_number.to_string());
        numbers.push((end.as_raw_fd(), zig_number));
    }
    // A stream that is closed for us is closed for the child; ours is /dev/null by now.
    let is_ours = [
        true,
        launch.stdout == Route::Inherit,
        launch.stderr == Route::Inherit,
    ];
    let closed = [0, 1, 2].map(|number: RawFd| {
        let ours = usize::try_from(number).is_ok_and(|index| is_ours[index]);
        (ours && standard::was_closed(number)).then_some(number)
    });
    let terminal = terminal.map(|terminal| terminal.keys().as_raw_fd());
    let child = start(&mut command, &numbers, closed, terminal)
        .map_err(internal("reserving the descriptor number"))?
        .map_err(|error| LaunchError::new(program, error))?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| internal("reading the process ID")(io::ErrorKind::InvalidData.into()))?;
    Ok(Spawned {
        pid,
        mark: format!("{IDENTITY}={identity}"),
        channel,
        zig,
        outputs: [stdout.ours, stderr.ours],
        terminals: [stdout.settings, stderr.settings],
    })
}

/// Starts the command, with descriptors of ours under the numbers that they have in the child; gives whether it could be
/// started.
///
/// The pipe by which std learns that a program is missing is made in between, and may get one of these numbers if it is
/// free. It would be overwritten in the child, and a missing program would look like one that started. So each number
/// is kept in use; where it is in use by another thread of ours, which may let go of it at any time, the child looks whether it
/// still is what it was, and if not, it is started again.
fn start(
    command: &mut Command,
    numbers: &[(RawFd, RawFd)],
    closed: [Option<RawFd>; 3],
    terminal: Option<RawFd>,
) -> io::Result<io::Result<Child>> {
    // A stop that would be discarded for us (SIGTSTP, SIGTTIN, SIGTTOU) has to be discarded for the child as well, or it
    // stays stopped for ever. A group of our session that we are the parent of is not orphaned; one of another session is.
    let session = !has_terminal() && tree::is_orphaned();
    if !session {
        command.process_group(0);
    }
    let parent = std::process::id();
    let first = Arc::new(Mutex::new(Vec::new()));
    let moves = Arc::clone(&first);
    // SAFETY: the closure runs in the child between fork and exec and makes only async-signal-safe system calls. The lock is
    // nobody's there: the only thread that takes it is the one that forks.
    unsafe {
        command.pre_exec(move || match moves.try_lock() {
            Ok(moves) => prepare(&moves, &closed, parent, session, terminal),
            Err(_) => Err(io::Error::from_raw_os_error(CHANGED)),
        });
    }
    for _ in 0..ATTEMPTS {
        let mut placeholders = Vec::new();
        let mut moves = Vec::new();
        for &(from, to) in numbers {
            let placeholder = occupy(to)?;
            let was = if placeholder.is_some() {
                None
            } else {
                Some(identity(to))
            };
            placeholders.extend(placeholder);
            moves.push(Move { from, to, was });
        }
        *first.lock().unwrap_or_else(PoisonError::into_inner) = moves;
        let spawned = children::spawn(command);
        drop(placeholders);
        match spawned {
            Err(error) if error.raw_os_error() == Some(CHANGED) => {}
            spawned => return Ok(spawned),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// How often a command is started until no number has changed its meaning meanwhile. Other threads would have to take it and
/// let it go at just the wrong moment each time.
const ATTEMPTS: usize = 1000;

/// What the child says if a number has changed its meaning. No `exec` ends so.
const CHANGED: i32 = libc::ENOTUNIQ;

/// A descriptor of ours, and the number that it has in the child.
struct Move {
    from: RawFd,
    to: RawFd,
    /// What had that number before, if it was not kept in use by us.
    was: Option<Identity>,
}

/// Which file a descriptor is; none if the number is free.
type Identity = Option<(libc::dev_t, libc::ino_t)>;

fn identity(number: RawFd) -> Identity {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: a system call on a number and a place of ours, of which all-zero bytes are a valid value.
    unsafe {
        let found = libc::fstat(number, stat.as_mut_ptr()) == 0;
        let stat = stat.assume_init();
        found.then_some((stat.st_dev, stat.st_ino))
    }
}

/// A pipe whose ends are close-on-exec and away from the low numbers and from `number`: if an end had the channel's own
/// number, the read end would leak into the child, and cancelling would silently do nothing.
fn channel_above(number: RawFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let lowest = above(number);
    let read = fcntl_dupfd_cloexec(&read, lowest).map_err(explain)?;
    let write = fcntl_dupfd_cloexec(&write, lowest).map_err(explain)?;
    ioctl_fionbio(&read, true)?;
    enlarge(&write);
    Ok((read, write))
}

/// The number of the descriptor of `ZIG_PROGRESS` in the child: one that neither scripts nor shells take. A launcher may
/// close it and keep the variable; then its number should be nobody's.
const ZIG: RawFd = 39;

/// A pipe for `ZIG_PROGRESS`, if one can be had. Its write end blocks: what zig cannot write whole it fills up with trash.
fn zig_pipe(lowest: RawFd) -> Option<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe().ok()?;
    let read = fcntl_dupfd_cloexec(&read, lowest).ok()?;
    let write = fcntl_dupfd_cloexec(&write, lowest).ok()?;
    ioctl_fionbio(&read, true).ok()?;
    Some((read, write))
}

/// What a child can write into a pipe before it has to wait for us: more than it does between two looks of ours.
#[cfg(target_os = "linux")]
const ROOM: usize = 256 * 1024;

/// Makes room in a pipe. A user who has many pipes is refused; then the child waits a little now and then.
fn enlarge(pipe: &impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, ROOM);
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

/// The lowest number of ours that is in nobody's way: not in that of the channel, nor of the child's redirections.
fn above(channel: RawFd) -> RawFd {
    channel.max(9) + 1
}

/// The two ends of an output stream.
struct Ends {
    /// None: the same as ours.
    childs: Option<OwnedFd>,
    ours: Option<OwnedFd>,
    settings: Option<Termios>,
}

fn stdio(route: Route, lowest: RawFd) -> io::Result<Ends> {
    // Where no pseudo-terminal can be had, a pipe is better than nothing.
    let pty = match route {
        Route::Terminal => pty::make(lowest).ok(),
        _ => None,
    };
    let (childs, ours) = match (route, pty) {
        (_, Some(pty)) => {
            return Ok(Ends {
                childs: Some(pty.slave),
                ours: Some(pty.master),
                settings: Some(pty.settings),
            });
        }
        (Route::Inherit | Route::Joined, _) => (None, None),
        (Route::Discard, _) => (Some(nowhere()?.into()), None),
        (Route::Piped | Route::Terminal, _) => {
            let (read, write) = io::pipe()?;
            ioctl_fionbio(&read, true)?;
            enlarge(&write);
            (Some(OwnedFd::from(write)), Some(OwnedFd::from(read)))
        }
    };
    Ok(Ends {
        childs,
        ours,
        settings: None,
    })
}

/// "Invalid argument" would not help anybody.
fn explain(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::INVAL => {
            io::Error::other("its number is above the limit on open files (ulimit -n)")
        }
        error => error.into(),
    }
}

/// What swallows everything. Some containers have none: then its name is the first thing to know.
fn nowhere() -> io::Result<File> {
    let opened = File::options().write(true).open("/dev/null");
    // Too many open files are no fault of this one, and have a remedy of their own.
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            io::Error::new(error.kind(), format!("/dev/null: {error}"))
        }
        _ => error,
    })
}

/// Keeps `number` in use until the value is dropped, if it was free.
fn occupy(number: RawFd) -> io::Result<Option<OwnedFd>> {
    let placeholder = fcntl_dupfd_cloexec(nowhere()?, number).map_err(explain)?;
    Ok((placeholder.as_raw_fd() == number).then_some(placeholder))
}

/// What the child does between fork and exec: gives descriptors their numbers, and binds its life to ours.
fn prepare(
    moves: &[Move],
    closed: &[Option<RawFd>],
    parent: u32,
    session: bool,
    terminal: Option<RawFd>,
) -> io::Result<()> {
    // SAFETY: system calls on numbers.
    unsafe {
        if session && libc::setsid() < 0 {
            return Err(io::Error::last_os_error());
        }
        if let Some(terminal) = terminal {
            // SIGTTOU is blocked here. If the terminal is gone there is nothing to be in the foreground of.
            libc::tcsetpgrp(terminal, libc::getpid());
        }
        let is_as_it_was = |to: &Move| to.was.is_none_or(|was| identity(to.to) == was);
        if !moves.iter().all(is_as_it_was) {
            return Err(io::Error::from_raw_os_error(CHANGED));
        }
        for &Move { from, to, .. } in moves {
            if libc::dup2(from, to) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for &number in closed.iter().flatten() {
            libc::close(number);
        }
        #[cfg(target_os = "linux")]
        {
            // If we are killed, a child that does not report would never learn it from the channel.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            if u32::try_from(libc::getppid()) != Ok(parent) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = parent;
    }
    signals::reset();
    Ok(())
}

/// The children of ours that were not reaped yet.
///
/// As the first process of a container we are also given orphans, and have to reap them. An orphan is who is none of these. So
/// the list is locked while a child is made and entered, and while one is reaped and taken out: a child that ends before it is
/// in the list, or is reaped by another thread, would lose its exit status.
mod children {
    use super::{Blocked, Child, Command, Pid, io};
    use std::collections::BTreeSet;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    static KNOWN: Mutex<BTreeSet<libc::pid_t>> = Mutex::new(BTreeSet::new());

    fn known() -> MutexGuard<'static, BTreeSet<libc::pid_t>> {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a command. Also one that cannot be started has been a child for a moment, which std reaps.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
        // Nobody else is given orphans, and needs to wait for other threads.
        let mut list = (std::process::id() == 1).then(known);
        // A signal between fork and exec would run our handlers in the child, and write into our self-pipes.
        let blocked = Blocked::all();
        let spawned = command.spawn();
        drop(blocked);
        if let (Some(list), Ok(child)) = (&mut list, &spawned) {
            list.extend(i32::try_from(child.id()));
        }
        spawned
    }

    /// Has a child reaped that has ended.
    pub(super) fn reaped<T>(child: Pid, reap: impl FnOnce() -> T) -> T {
        let mut list = known();
        let result = reap();
        list.remove(&child.as_raw_nonzero().get());
        result
    }

    /// Reaps the orphans that come to the first process of a container, and to nobody else. While a child waits to be reaped,
    /// others may wait with it.
    pub(in super::super) fn reap_orphans() {
        if std::process::id() != 1 {
            return;
        }
        let list = known();
        loop {
            // SAFETY: plain data of ours, for which all-zero bytes are valid, and which is there as long as the calls.
            unsafe {
                let mut ended: libc::siginfo_t = std::mem::zeroed();
                let look = libc::WEXITED | libc::WNOHANG;
                libc::waitid(libc::P_ALL, 0, &raw mut ended, look | libc::WNOWAIT);
                let pid = ended.si_pid();
                let is_orphan = pid != 0 && !list.contains(&pid);
                if !is_orphan || libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) != pid {
                    return;
                }
            }
        }
    }
}

pub(super) use self::children::reap_orphans;

/// Reaps a child that has ended. From here on its number may belong to a stranger: nothing may be signalled any more.
pub(super) fn reap(pid: Pid) -> io::Result<Exit> {
    children::reaped(pid, || wait(pid))
}

fn wait(pid: Pid) -> io::Result<Exit> {
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let usage = loop {
        // SAFETY: both places are ours and live; all-zero bytes are a valid rusage, so it is initialised either way.
        let (reaped, usage) = unsafe {
            let reaped = libc::wait4(
                pid.as_raw_nonzero().get(),
                &raw mut status,
                0,
                usage.as_mut_ptr(),
            );
            (reaped, usage.assume_init())
        };
        if reaped >= 0 {
            break usage;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    };
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Signal(libc::WTERMSIG(status))
    } else {
        Ending::Status(libc::WEXITSTATUS(status))
    };
    let max_rss = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    Ok(Exit {
        ending,
        user_time: duration(usage.ru_utime),
        system_time: duration(usage.ru_stime),
        // Kibibytes, but for macOS, which counts bytes.
        max_rss: if cfg!(target_os = "macos") {
            max_rss
        } else {
            max_rss * 1024
        },
    })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_usec).unwrap_or(0) * 1000,
    )
}
