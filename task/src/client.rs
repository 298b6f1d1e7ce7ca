//! The other side of the protocol: reporting to the progrun that we run under.
//!
//! Finds the way to it (the descriptor that the environment names, or else the socket) and sends one line. It does not
//! know what a line means, starts no thread and touches no signal: the caller is a short-lived program, or a progrun
//! inside another.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
#[cfg(target_os = "linux")]
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
#[cfg(target_os = "linux")]
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, geteuid, getpid, getppid, pidfd_getfd, pidfd_open,
};

/// The longest report, newline included: `PIPE_BUF` of Linux. A pipe takes so much in one piece, however many processes
/// write into it.
pub const REPORT_LIMIT: usize = 4096;
/// The variable with the path of the socket.
pub const SOCKET: &str = "PROGRUN_SOCK";
/// The answer on the socket when everything has been read.
pub const TAKEN: &str = "ok\n";
/// The answer after a cancel request.
pub const CANCELLED: &str = "cancelled\n";
/// The answer to a process of another user.
pub const REFUSED: &str = "refused\n";

/// How long a report waits for progrun: one that is stopped must not stop the client.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a progrun that only checks whether it runs under another.
const GLANCE: Duration = Duration::from_millis(100);

/// The outcome of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It arrived, or there is no receiver.
    Done,
    /// The run is cancelled.
    Cancelled,
    /// progrun has taken nothing for five seconds: it is stopped, or stuck.
    Late,
}

/// Sends a line, which has its newline and is no longer than [`REPORT_LIMIT`], to the progrun that we run under.
/// Without one there is nothing to do.
#[must_use]
pub fn send(line: &[u8]) -> Delivery {
    let begun = Instant::now();
    let sent = if let Some(channel) = channel() {
        write(&channel, line, begun)
    } else {
        match socket(PATIENCE) {
            Ok(socket) => ask(socket, line, begun),
            // The socket's queue of connections is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Delivery::Late),
            Err(_) => return Delivery::Done,
        }
    };
    match sent.map_err(|error| error.kind()) {
        Ok(delivery) => delivery,
        // progrun left in the middle of it: the same as a closed channel.
        Err(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Delivery::Cancelled,
        Err(_) => Delivery::Done,
    }
}

/// The way to the progrun that we run under, for a progrun that reports until its end: the channel, or a connection to
/// the socket if an ancestor of ours listens there. An ancestor, because a server that was started in a run hands its
/// environment on to later processes, which are no part of that run.
#[must_use]
pub fn parent() -> Option<OwnedFd> {
    channel().or_else(|| {
        let socket = socket(GLANCE).ok().filter(is_ancestors)?;
        socket.set_nonblocking(true).ok()?;
        fcntl_dupfd_cloexec(&socket, 10).ok()
    })
}

/// The channel of the progrun that we run under.
///
/// None if there is none. The descriptor may have been closed on the way here, and its number may be another file's by
/// now: so it has to be a pipe, and the very pipe that the environment names. It is opened anew where that is allowed:
/// with `O_NONBLOCK` on an open file description of its own, a write never waits for the other progrun.
#[must_use]
pub fn channel() -> Option<OwnedFd> {
    let number: u32 = std::env::var("PROGRUN_FD").ok()?.parse().ok()?;
    let identity = std::env::var("PROGRUN_FD_ID").ok()?;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let channel = match open(format!("/dev/fd/{number}"), flags, Mode::empty()) {
        Err(Errno::ACCESS) => inherited(number),
        opened => opened.ok(),
    }?;
    let stat = fstat(&channel).ok()?;
    let is_pipe = FileType::from_raw_mode(stat.st_mode) == FileType::Fifo;
    let is_named = identity == format!("{}:{}", stat.st_dev, stat.st_ino);
    if !(is_pipe && is_named) {
        return None;
    }
    fcntl_dupfd_cloexec(&channel, 10).ok()
}

/// A copy of a descriptor of this process by its number (`pidfd_getfd`). A process that has changed its user since the
/// descriptor was opened may not open it anew.
#[cfg(target_os = "linux")]
#[must_use]
pub fn inherited(number: u32) -> Option<OwnedFd> {
    let ourselves = pidfd_open(getpid(), PidfdFlags::empty()).ok()?;
    let number = number.try_into().ok()?;
    pidfd_getfd(ourselves, number, PidfdGetfdFlags::empty()).ok()
}

/// Not available on this system.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn inherited(_number: u32) -> Option<OwnedFd> {
    None
}

/// A connection to the socket of the progrun that we run under. The listener has to be our user's, root's, or an
/// ancestor of ours, from which we have the path: another user's process would learn what is reported, and could end a
/// script by saying that it is cancelled.
///
/// # Errors
/// `WouldBlock` if its queue stays full for so long; others if there is no socket, or no listener that is trusted.
fn socket(patience: Duration) -> io::Result<UnixStream> {
    let path = std::env::var_os(SOCKET).ok_or(io::ErrorKind::NotFound)?;
    let socket = connect(Path::new(&path), patience)?;
    if is_trusted(&socket) || is_ancestors(&socket) {
        Ok(socket)
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Whether a process may listen there: not if the connection is refused. A full queue counts as listening.
#[must_use]
pub fn is_listened_at(path: &Path) -> bool {
    try_to_connect(path).map_err(|error| error.kind()) != Err(io::ErrorKind::ConnectionRefused)
}

/// Connects to a socket. If its queue is full, waits no longer than this.
///
/// # Errors
/// `WouldBlock` if the queue stays full for so long; others if no process listens there.
#[cfg(target_os = "linux")]
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    use rustix::net::sockopt::{Timeout, set_socket_timeout};

    let socket = new_socket(SocketFlags::empty())?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
fn try_to_connect(path: &Path) -> io::Result<()> {
    let socket = new_socket(SocketFlags::NONBLOCK)?;
    Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?)
}

#[cfg(target_os = "linux")]
fn new_socket(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Connects to a socket.
///
/// # Errors
/// If no process listens there.
#[cfg(not(target_os = "linux"))]
pub fn connect(path: &Path, _patience: Duration) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

#[cfg(not(target_os = "linux"))]
fn try_to_connect(path: &Path) -> io::Result<()> {
    UnixStream::connect(path).map(drop)
}

/// Whether the listener is a process of our user, or of root.
#[cfg(target_os = "linux")]
fn is_trusted(socket: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(socket)
        .is_ok_and(|them| them.uid == geteuid() || them.uid.is_root())
}

/// This system does not tell. The permissions of the socket's folder have to be enough.
#[cfg(not(target_os = "linux"))]
fn is_trusted(_socket: &UnixStream) -> bool {
    true
}

/// Whether the listener is an ancestor of ours.
#[cfg(target_os = "linux")]
fn is_ancestors(socket: &UnixStream) -> bool {
    let parent = |pid: &Pid| {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name of the process stands before these fields, in parentheses, and may hold anything.
        let stat = String::from_utf8_lossy(&stat);
        let (_, rest) = stat.rsplit_once(") ")?;
        let parent = rest.split_ascii_whitespace().nth(1)?;
        parent.parse().ok().and_then(Pid::from_raw)
    };
    rustix::net::sockopt::socket_peercred(socket)
        .is_ok_and(|them| std::iter::successors(getppid(), parent).any(|pid| pid == them.pid))
}

/// This system does not tell.
#[cfg(not(target_os = "linux"))]
fn is_ancestors(_socket: &UnixStream) -> bool {
    false
}

/// Writes the line at once, or waits until there is room: a pipe takes a report whole or not at all.
fn write(channel: &OwnedFd, line: &[u8], begun: Instant) -> io::Result<Delivery> {
    loop {
        match rustix::io::write(channel, line) {
            Ok(_) => return Ok(Delivery::Done),
            Err(Errno::AGAIN | Errno::INTR) => {
                // Of all tries together: others that write to the same channel may take the room each time.
                let left = PATIENCE.saturating_sub(begun.elapsed());
                let left = Timespec::try_from(left).map_err(io::Error::other)?;
                let mut room = [PollFd::new(channel, PollFlags::OUT)];
                if poll(&mut room, Some(&left)) == Ok(0) {
                    return Ok(Delivery::Late);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends everything, says that this was all, and reads the answer.
fn ask(mut socket: UnixStream, line: &[u8], begun: Instant) -> io::Result<Delivery> {
    let left = PATIENCE.saturating_sub(begun.elapsed());
    // Not 0: `set_read_timeout` refuses it.
    socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
    let written = socket
        .write_all(line)
        .and_then(|()| socket.shutdown(Shutdown::Write));
    let mut answer = String::new();
    // Also if the line could not be sent: a cancelled client gets its answer at once, and then the connection is
    // closed.
    let longest = CANCELLED.len() as u64;
    let read = socket.take(longest).read_to_string(&mut answer);
    match &*answer {
        TAKEN | REFUSED => Ok(Delivery::Done),
        CANCELLED => Ok(Delivery::Cancelled),
        _ => {
            written.and(read)?;
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}
