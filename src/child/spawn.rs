//! Prepares a child: its channel, its other pipes and pseudo-terminals, and the plan by which `system` starts it. Also
//! reaps it. What goes through the pipes is not known here.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, access, fstat};
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::Pid;
use rustix::termios::Termios;

use crate::client;
use crate::event::{Ending, Exit};
use crate::list::Stdin;
use crate::model::route::Route;
use crate::reason::reason;
use crate::system::spawn::{Plan, Started};
use crate::system::watcher::{Board, Place};
use crate::system::{closed, reap};

use super::launch_error::LaunchError;
use super::pipe::enlarge;
use super::terminal::{Terminal, has_terminal};
use super::{Launch, inherited, pty, tree};

/// The variable with the device and inode of the channel. A client reports on the descriptor only if it is still this
/// pipe.
const IDENTITY: &str = "PROGRUN_FD_ID";

/// A child that runs, and our ends of its pipes and pseudo-terminals.
pub(super) struct Spawned {
    pub(super) pid: Pid,
    /// The child's pidfd, which becomes readable when the child ends. None where the system has none. It is on a high
    /// number, out of the way of the numbers that descriptors get in a child.
    pub(super) pidfd: Option<OwnedFd>,
    /// A variable of its environment that is unique to this child: the identity of the channel.
    pub(super) tag: String,
    /// The only read end of the channel in any process.
    pub(super) channel: OwnedFd,
    /// The read end of the `ZIG_PROGRESS` pipe.
    pub(super) zig: Option<OwnedFd>,
    /// Our ends of stdout and stderr, where they go through us.
    pub(super) outputs: [Option<OwnedFd>; 2],
    /// The original settings of those outputs that are pseudo-terminals.
    pub(super) terminals: [Option<Termios>; 2],
    /// The child's ends of its pipes. As long as one is open here, too, the child's last moments do not wake the worker
    /// once for each pipe, but once in all: of many children that is worth a tenth of the cost of a short one.
    pub(super) held: Vec<OwnedFd>,
    /// Where it is noted for the watcher of the run.
    pub(super) noted: Option<Place>,
}

/// Starts the command in a process group of its own, with the channel on the number in `launch`. If a terminal is
/// given, that group is its foreground group from the start.
pub(super) fn spawn(launch: &Launch, terminal: Option<&Terminal>) -> Result<Spawned, LaunchError> {
    let internal = |what: &'static str| move |source| LaunchError::Internal { what, source };
    if let Some(reason) = &launch.fault {
        return Err(LaunchError::Unusable(reason.clone()));
    }
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
    let stdin = stdin(&launch.stdin, launch.nowhere.as_deref())?;
    if let Some(folder) = &launch.folder {
        enterable(folder)?;
    }
    let mut stdout = stdio(launch, launch.stdout, lowest).map_err(internal("creating a pipe"))?;
    let mut stderr = stdio(launch, launch.stderr, lowest).map_err(internal("creating a pipe"))?;

    let identity = format!("{}:{}", identity.st_dev, identity.st_ino);
    let socket = launch.socket.as_ref();
    let mut variables = vec![
        ("PROGRUN_FD", Some(launch.channel.to_string().into())),
        (IDENTITY, Some(identity.clone().into())),
        // Without a socket of its own, the child must not find that of an outer run.
        (client::SOCKET, socket.map(|socket| socket.path().into())),
    ];
    let own = launch.variables.iter();
    variables.extend(own.map(|(name, value)| (name.as_str(), value.clone())));
    let mut moves = vec![(write_end.as_fd(), launch.channel)];
    moves.extend(stdin.as_ref().map(|stdin| (stdin.as_fd(), 0)));
    let joined = launch.stderr == Route::Joined;
    let outputs = [
        (&stdout.childs, 1),
        (
            if joined {
                &stdout.childs
            } else {
                &stderr.childs
            },
            2,
        ),
    ];
    moves.extend(
        outputs
            .iter()
            .filter_map(|(end, number)| Some((end.as_ref()?.as_fd(), *number))),
    );
    if let Some(end) = &zig_end {
        variables.push(("ZIG_PROGRESS", Some(zig_number.to_string().into())));
        moves.push((end.as_fd(), zig_number));
    }
    // A stream that was closed when progrun started is closed for the child. In progrun it is /dev/null by now.
    let is_ours = |number: RawFd| !moves.iter().any(|(_, to)| *to == number);
    let closed: Vec<_> = (0..3)
        .filter(|number| is_ours(*number) && closed::was_closed(*number))
        .collect();
    let noted = launch.board.as_ref().and_then(Board::reserve);
    let plan = Plan {
        command: &launch.command,
        variables: &variables,
        moves: &moves,
        closed: &closed,
        session: launch.session,
        folder: launch.folder.as_deref(),
        open_files: launch.open_files,
        terminal: terminal.map(|terminal| terminal.keys().as_fd()),
        note: noted.as_ref().map(Place::number),
    };
    let Started { pid, pidfd } = plan
        .start()
        .map_err(|error| LaunchError::new(program, launch.folder.as_deref(), error))?;
    if !launch.is_one_of_many {
        enlarge(&channel);
        for output in [&stdout, &stderr] {
            output.ours.iter().for_each(enlarge);
        }
    }
    let pidfd = pidfd.map(|pidfd| out_of_the_way(pidfd, lowest));
    let mut held = Vec::new();
    if launch.is_one_of_many && pidfd.is_some() {
        held.push(write_end);
        held.extend(stdout.pipe_of(launch.stdout));
        held.extend(stderr.pipe_of(launch.stderr));
    }
    Ok(Spawned {
        pid,
        pidfd,
        tag: format!("{IDENTITY}={identity}"),
        channel,
        zig,
        outputs: [stdout.ours, stderr.ours],
        terminals: [stdout.settings, stderr.settings],
        held,
        noted,
    })
}

/// A pipe whose ends are close-on-exec, and above the low numbers and `number`. A read end on the channel's own number
/// would leak into the child, and cancelling would silently do nothing.
fn channel_above(number: RawFd) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let lowest = above(number);
    let read = above_all(read.into(), lowest).map_err(explain)?;
    let write = above_all(write.into(), lowest).map_err(explain)?;
    ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

/// The descriptor on a number of at least `lowest`.
fn above_all(descriptor: OwnedFd, lowest: RawFd) -> rustix::io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= lowest {
        return Ok(descriptor);
    }
    fcntl_dupfd_cloexec(&descriptor, lowest)
}

/// The descriptor on a number of at least `lowest`, if that can be had.
fn out_of_the_way(descriptor: OwnedFd, lowest: RawFd) -> OwnedFd {
    let is_low = descriptor.as_raw_fd() < lowest;
    let copy = is_low.then(|| fcntl_dupfd_cloexec(&descriptor, lowest).ok());
    copy.flatten().unwrap_or(descriptor)
}

/// Takes the free numbers below those of our own descriptors, as long as the value lives: each is /dev/null. Then no
/// descriptor of a child has to be moved out of their way: of many children, that is worth some system calls each.
#[must_use]
pub(crate) fn take_low_numbers(channel: RawFd) -> Vec<Arc<OwnedFd>> {
    let Ok(nowhere) = File::open("/dev/null") else {
        return Vec::new();
    };
    let mut taken = vec![Arc::new(OwnedFd::from(nowhere))];
    while let Some(last) = taken.last()
        && last.as_raw_fd() < above(channel)
        && let Ok(next) = fcntl_dupfd_cloexec(last, 3)
    {
        taken.push(Arc::new(next));
    }
    taken
}

/// Whether a child needs a session of its own. The system discards SIGTSTP, SIGTTIN and SIGTTOU for an orphaned process
/// group such as ours. It must discard them for the child as well, or the child stays stopped for ever. The child's
/// group is orphaned only in another session than ours.
#[must_use]
pub(crate) fn needs_session() -> bool {
    !has_terminal() && tree::is_orphaned()
}

/// The number of the `ZIG_PROGRESS` descriptor in the child: one that neither scripts nor shells use. A launcher may
/// close the descriptor and keep the variable, and then zig must not write into another file with that number.
const ZIG: RawFd = 39;

/// A pipe for `ZIG_PROGRESS`, if one can be made. Its write end blocks: after a partial write zig pads the rest with
/// garbage.
fn zig_pipe(lowest: RawFd) -> Option<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe().ok()?;
    let read = above_all(read.into(), lowest).ok()?;
    let write = above_all(write.into(), lowest).ok()?;
    ioctl_fionbio(&read, true).ok()?;
    Some((read, write))
}

/// The lowest number for a descriptor of ours: above the channel, and above what shells use for redirections.
fn above(channel: RawFd) -> RawFd {
    channel.max(9) + 1
}

/// The two ends of an output stream.
struct Ends {
    /// None: the child inherits our stream.
    childs: Option<OwnedFd>,
    ours: Option<OwnedFd>,
    settings: Option<Termios>,
}

impl Ends {
    /// The child's end, if it is one of a pipe.
    fn pipe_of(&mut self, route: Route) -> Option<OwnedFd> {
        self.childs
            .take_if(|_| matches!(route, Route::Piped | Route::Carried))
    }
}

fn stdio(launch: &Launch, route: Route, lowest: RawFd) -> io::Result<Ends> {
    let spare = || launch.spares.as_ref()?.take();
    // Without a pseudo-terminal, a pipe is better than nothing.
    let pty = match route {
        Route::Terminal => spare().or_else(|| pty::make(lowest).ok()),
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
        (Route::Piped | Route::Carried | Route::Terminal, _) => {
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

/// Replaces "Invalid argument", which would not help the user.
fn explain(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::INVAL => {
            io::Error::other("its number is above the limit on open files (ulimit -n)")
        }
        error => error.into(),
    }
}

/// What the child reads as its stdin, opened. None: it inherits ours. `nowhere` is /dev/null, if it is open already.
fn stdin<'a>(
    stdin: &Stdin,
    nowhere: Option<&'a OwnedFd>,
) -> Result<Option<Opened<'a>>, LaunchError> {
    let path = match (stdin, nowhere) {
        (Stdin::Inherit, _) => return Ok(None),
        (Stdin::Null, Some(nowhere)) => return Ok(Some(Opened::Before(nowhere))),
        (Stdin::Null, None) => Path::new("/dev/null"),
        (Stdin::File(path), _) => path,
    };
    match File::open(path) {
        Ok(file) => Ok(Some(Opened::Now(file.into()))),
        Err(error) => Err(LaunchError::unreadable(path, error)),
    }
}

/// An open file, of many children or of one.
enum Opened<'a> {
    Before(&'a OwnedFd),
    Now(OwnedFd),
}

impl AsFd for Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Before(file) => file.as_fd(),
            Self::Now(file) => file.as_fd(),
        }
    }
}

/// Checks that the child can run in this folder: of a failure in the child itself, only the number would be known.
fn enterable(folder: &Path) -> Result<(), LaunchError> {
    let error = match std::fs::metadata(folder) {
        Ok(meta) if !meta.is_dir() => io::ErrorKind::NotADirectory.into(),
        Ok(_) => match access(folder, Access::EXEC_OK) {
            Ok(()) => return Ok(()),
            Err(error) => error.into(),
        },
        Err(error) => error,
    };
    Err(LaunchError::unreadable(folder, error))
}

/// Opens /dev/null. Some containers have none, so the error names it.
fn nowhere() -> io::Result<File> {
    let opened = File::options().write(true).open("/dev/null");
    // Any other error, such as too many open files, is not about this file and has its own advice.
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            io::Error::new(error.kind(), format!("/dev/null: {}", reason(&error)))
        }
        _ => error,
    })
}

/// Reaps a child that has ended. From here on its number may belong to another process and must not be signalled.
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
