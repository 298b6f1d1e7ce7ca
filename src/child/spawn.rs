//! Makes a child: the channel, the other pipes and pseudo-terminals, and the plan by which it is started; and says how it ended.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;

use rustix::fs::fstat;
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::Pid;
use rustix::termios::Termios;

use crate::client;
use crate::event::{Ending, Exit};
use crate::model::route::Route;
use crate::system::spawn::{Plan, Started};
use crate::system::{closed, reap};

use super::launch_error::LaunchError;
use super::terminal::{Terminal, has_terminal};
use super::{Launch, inherited, pty, tree};

/// The variable that says which file the channel is.
const IDENTITY: &str = "PROGRUN_FD_ID";

/// A child that runs, and our ends of its pipes and pseudo-terminals.
pub(super) struct Spawned {
    pub(super) pid: Pid,
    /// A handle of the child, which becomes readable when it ends; none where the system has none. Away from low numbers, as
    /// all that is open here while another child is made.
    pub(super) pidfd: Option<OwnedFd>,
    /// The variable in its environment that no other run has: the identity of the channel.
    pub(super) tag: String,
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
    let [program, ..] = launch.command.as_slice() else {
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
    let mut variables = vec![
        ("PROGRUN_FD", Some(launch.channel.to_string().into())),
        (IDENTITY, Some(identity.clone().into())),
        // Another run's is not the child's.
        (client::SOCKET, socket.map(|socket| socket.path().into())),
    ];
    let mut moves = vec![(write_end.as_fd(), launch.channel)];
    let outputs = [(&stdout.childs, 1), (&stderr.childs, 2)];
    moves.extend(
        outputs
            .iter()
            .filter_map(|(end, number)| Some((end.as_ref()?.as_fd(), *number))),
    );
    if let Some(end) = &zig_end {
        variables.push(("ZIG_PROGRESS", Some(zig_number.to_string().into())));
        moves.push((end.as_fd(), zig_number));
    }
    // A stream that is closed for us is closed for the child; ours is /dev/null by now.
    let is_ours = |number: RawFd| !moves.iter().any(|(_, to)| *to == number);
    let closed: Vec<_> = (0..3)
        .filter(|number| is_ours(*number) && closed::was_closed(*number))
        .collect();
    let plan = Plan {
        command: &launch.command,
        variables: &variables,
        moves: &moves,
        closed: &closed,
        // A stop that would be discarded for us (SIGTSTP, SIGTTIN, SIGTTOU) has to be discarded for the child as well, or it
        // stays stopped for ever. A group of our session that we are the parent of is not orphaned; one of another session is.
        session: !has_terminal() && tree::is_orphaned(),
        terminal: terminal.map(|terminal| terminal.keys().as_fd()),
    };
    let Started { pid, pidfd } = plan
        .start()
        .map_err(|error| LaunchError::new(program, error))?;
    enlarge(&channel);
    for output in [&stdout, &stderr] {
        output.ours.iter().for_each(enlarge);
    }
    let pidfd = pidfd.map(|pidfd| fcntl_dupfd_cloexec(&pidfd, lowest).unwrap_or(pidfd));
    Ok(Spawned {
        pid,
        pidfd,
        tag: format!("{IDENTITY}={identity}"),
        channel,
        zig,
        outputs: [stdout.ours, stderr.ours],
        terminals: [stdout.settings, stderr.settings],
    })
}

/// A pipe whose ends are close-on-exec and away from the low numbers and from `number`: if an end had the channel's own
/// number, the read end would leak into the child, and cancelling would silently do nothing.
fn channel_above(number: RawFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let lowest = above(number);
    let read = fcntl_dupfd_cloexec(&read, lowest).map_err(explain)?;
    let write = fcntl_dupfd_cloexec(&write, lowest).map_err(explain)?;
    ioctl_fionbio(&read, true)?;
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

/// So many children have pipes with more room at a time. All that a user has in pipes counts together
/// (`/proc/sys/fs/pipe-user-pages-soft`, 64 MiB): above it each new pipe of the user, in any program, has 8 KiB.
#[cfg(target_os = "linux")]
const ROOMY: usize = 8;

/// Makes room in a pipe of a child that runs, and is counted. A user who has many pipes is refused; then the child waits a
/// little now and then. Of a pseudo-terminal this is an error, too.
fn enlarge(pipe: &OwnedFd) {
    #[cfg(target_os = "linux")]
    if reap::children() <= ROOMY {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, ROOM);
    }
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

/// Reaps a child that has ended. From here on its number may belong to a stranger: nothing may be signalled any more.
pub(super) fn reap(pid: Pid) -> io::Result<Exit> {
    let reaped = reap::reap(pid)?;
    let ending = match (reaped.status.signal(), reaped.status.code()) {
        (Some(signal), _) => Ending::Signal(signal),
        (None, status) => Ending::Status(status.unwrap_or_default()),
    };
    Ok(Exit {
        ending,
        user_time: reaped.user_time,
        system_time: reaped.system_time,
        max_rss: reaped.max_rss,
    })
}
