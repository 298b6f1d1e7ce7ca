//! The socket: the channel for programs that do not inherit the descriptor. They find its path in the environment.
//!
//! Responsible for the socket's files and for its connections. Each task has a socket of its own, which the run loop
//! makes as it begins the task. Each connection has lines of its own, which cannot mix with those of another; they mean
//! the same as on the channel. A client that has sent everything is told that it was read, or that the child is
//! cancelled. After a cancel request all clients are told so, and their connections are closed. When to read and when
//! to stop the child is not known here.

use std::fs::{DirBuilder, remove_dir};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, open, unlinkat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionread};
use rustix::process::{Pid, geteuid, test_kill_process};

use crate::client::{self, CANCELLED, REFUSED, TAKEN};
use crate::model::batch::{Batch, Collector};

use super::pipe::{is_transient, read_into, reports_at_once};

/// The limit on connections. Each may hold the beginning of a line; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long a client waits for the next try if it cannot be accepted. `progrun report` waits for five seconds.
const RETRY: Duration = Duration::from_millis(100);

/// The listening socket of a task.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// The file of a [`Socket`], which exists as long as this value. A progrun that is killed leaves it behind. Then no
/// process listens there, a connection is refused, and the next run removes the file.
#[derive(Debug)]
pub(crate) struct SocketFiles {
    /// Held open: the file is removed from this folder, even if its path leads to another one by then.
    folder: OwnedFd,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket in a folder that only we can enter. The descriptor is above the low numbers and above `number`,
    /// which belongs to the child.
    ///
    /// None if no folder is suitable: the task runs without a socket.
    #[must_use]
    pub(crate) fn open(number: RawFd) -> Option<(Self, SocketFiles)> {
        let lowest = number.max(9) + 1;
        let (listener, files) = places().find_map(|place| bind(&place, lowest).ok())?;
        listener.set_nonblocking(true).ok()?;
        let listener = fcntl_dupfd_cloexec(&listener, lowest).ok()?;
        let socket = Self {
            listener: listener.into(),
            path: files.path.clone(),
        };
        Some((socket, files))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The folders for files that live no longer than a run, best first.
fn places() -> impl Iterator<Item = PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    // After sudo the folder belongs to another user, who could put another folder in the place of ours.
    let is_ours = |place: &PathBuf| {
        std::fs::symlink_metadata(place).is_ok_and(|meta| {
            meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o022 == 0
        })
    };
    [
        variable("XDG_RUNTIME_DIR").filter(is_ours),
        variable("TMPDIR").filter(is_ours),
        // In memory: making and removing a directory on a disk costs more than all the rest of a short run. In both of
        // these only its owner can remove or rename a folder.
        cfg!(target_os = "linux").then(|| "/dev/shm".into()),
        Some("/tmp".into()),
    ]
    .into_iter()
    .flatten()
    // A relative path would lead elsewhere for a child in another directory.
    .filter(|place| place.is_absolute())
}

/// Makes a socket in our folder in `place`. A path that is too long for a socket is an error.
fn bind(place: &Path, lowest: RawFd) -> io::Result<(UnixListener, SocketFiles)> {
    let us = geteuid().as_raw();
    let name = format!(
        "{}-{:08x}",
        std::process::id(),
        // The upper half of a random number, so the name cannot be guessed.
        RandomState::new().hash_one(()) >> 32
    );
    let folder = place.join(format!("progrun-{us}"));
    let path = folder.join(&name);
    // The last run that ends removes the folder, perhaps between these calls.
    for _ in 0..ATTEMPTS {
        let made = DirBuilder::new().mode(0o700).create(&folder);
        let is_new = made.map(|()| true).or_else(|error| match error.kind() {
            ErrorKind::AlreadyExists => Ok(false),
            _ => Err(error),
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match open(&folder, flags, Mode::empty()) {
            Err(Errno::NOENT) => continue,
            opened => fcntl_dupfd_cloexec(opened?, lowest)?,
        };
        let stat = fstat(&opened)?;
        if stat.st_uid != us || stat.st_mode & 0o077 != 0 {
            return Err(ErrorKind::PermissionDenied.into());
        }
        // Once per process: a run of many tasks makes many sockets here, and each of them would be looked at.
        if !is_new && !HAS_LOOKED.swap(true, Ordering::Relaxed) {
            remove_remains(&opened, &folder);
        }
        match UnixListener::bind(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            listener => {
                let files = SocketFiles {
                    folder: opened,
                    path,
                };
                return Ok((listener?, files));
            }
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Whether this process has removed what killed runs left in the folder.
static HAS_LOOKED: AtomicBool = AtomicBool::new(false);

/// How often the folder is made again when another run has removed it.
const ATTEMPTS: usize = 100;

/// Removes the sockets of runs that were killed: their process is gone, and no process listens.
fn remove_remains(folder: &OwnedFd, path: &Path) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-'));
        let pid = pid.and_then(|(pid, _)| pid.parse().ok());
        let is_gone = pid
            .and_then(Pid::from_raw)
            .is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
        // In another PID namespace the number may mean another process, or the process of the socket may have no number
        // here. A socket on which a process listens is never removed.
        if is_gone && !client::is_listened_at(&entry.path()) {
            let _ = unlinkat(folder, &name, AtFlags::empty());
        }
    }
}

impl Drop for SocketFiles {
    fn drop(&mut self) {
        if let (Some(name), Some(folder)) = (self.path.file_name(), self.path.parent()) {
            let _ = unlinkat(&self.folder, name, AtFlags::empty());
            // Fails while other sockets are in it.
            let _ = remove_dir(folder);
        }
    }
}

/// A descriptor that `poll` may find ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    /// A client wants to connect.
    New,
    /// The connection at this index can be read.
    From(usize),
}

/// The result of a read of a connection.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Whether the client wrote anything, be it an empty line.
    pub(super) spoke: bool,
    pub(super) reports: Batch,
}

/// The connections to one socket.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about them"
)]
#[derive(Debug)]
pub(super) struct Clients<'a> {
    listener: Option<&'a UnixListener>,
    /// The variable that only this child and its descendants have, if the socket had other tasks before.
    tag: Option<String>,
    /// None where a connection has ended.
    connections: Vec<Option<Connection>>,
    /// Whether no further connection is accepted until one ends.
    full: bool,
    /// When a connection is accepted again, after one could not be.
    accepts_at: Option<Instant>,
    every_report: bool,
    spoken: bool,
    cancelled: bool,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    collector: Collector,
}

impl<'a> Clients<'a> {
    /// The clients of `socket`. If it had other tasks before, `tag` tells those of this one.
    pub(super) fn new(socket: Option<&'a Socket>, tag: Option<String>, every_report: bool) -> Self {
        Self {
            listener: socket.map(|socket| &socket.listener),
            tag,
            connections: Vec::new(),
            full: false,
            accepts_at: None,
            every_report,
            spoken: false,
            cancelled: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether the child has reported here, or is about to.
    pub(super) fn have_spoken(&self) -> bool {
        let mut open = self.connections.iter().flatten();
        self.spoken || open.any(|one| ioctl_fionread(&one.stream).is_ok_and(|unread| unread > 0))
    }

    /// When to poll the listener again, if that is later than `now`.
    pub(super) fn accepts_at(&self, now: Instant) -> Option<Instant> {
        self.accepts_at.filter(|time| *time > now)
    }

    /// The descriptors to poll for reading.
    pub(super) fn descriptors(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (Ready, BorrowedFd<'_>)> {
        let accepts = !self.full && self.accepts_at(now).is_none();
        let listener = self.listener.filter(|_| accepts);
        let listener = listener.map(|listener| (Ready::New, listener.as_fd()));
        let places = self.connections.iter().enumerate();
        let open = places.filter_map(|(place, connection)| {
            let connection = connection.as_ref()?;
            Some((Ready::From(place), connection.stream.as_fd()))
        });
        listener.into_iter().chain(open)
    }

    /// Accepts a connection, or reads once from one into `buffer`.
    pub(super) fn hear(&mut self, ready: Ready, buffer: &mut Vec<u8>) -> Received {
        let place = match ready {
            Ready::New => {
                self.accept();
                return Received::default();
            }
            Ready::From(place) => place,
        };
        let Some(connection) = &mut self.connections[place] else {
            return Received::default();
        };
        let at_most = reports_at_once(self.every_report);
        let read = match read_into(&connection.stream, buffer, at_most) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return Received::default(),
            Err(_) => 0,
        };
        connection.collector.feed(buffer);
        if read == 0 {
            connection.collector.finish();
        }
        let reports = connection.collector.take();
        if read == 0 {
            answer(&connection.stream, TAKEN);
            self.connections[place] = None;
            self.full = false;
        }
        self.spoken |= read > 0;
        Received {
            spoke: read > 0,
            reports,
        }
    }

    fn accept(&mut self) {
        let Some(listener) = self.listener else {
            return;
        };
        let stream = match listener.accept().map_err(|error| error.kind()) {
            Ok((stream, _)) => stream,
            // The client has closed its end already.
            Err(ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {
                return;
            }
            // No descriptor is free (EMFILE). The client stays in the queue, where `poll` would find it again and again.
            Err(_) => {
                self.accepts_at = Some(Instant::now() + RETRY);
                return;
            }
        };
        let is_of_another = |tag: &String| is_of_another(&stream, tag);
        if !is_ours(&stream) || self.tag.as_ref().is_some_and(is_of_another) {
            answer(&stream, REFUSED);
        } else if self.cancelled {
            answer(&stream, CANCELLED);
        } else if stream.set_nonblocking(true).is_ok() {
            let connection = Some(Connection {
                stream,
                collector: Collector::new(self.every_report),
            });
            match self.connections.iter_mut().find(|place| place.is_none()) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
            let open = self.connections.iter().flatten().count();
            self.full = open == CONNECTIONS;
        }
    }

    /// Tells all clients, now and from now on, that the child is cancelled. Their unread reports are dropped.
    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
        self.full = false;
        for connection in self.connections.drain(..).flatten() {
            answer(&connection.stream, CANCELLED);
        }
    }

    /// The last line of each connection, if it has no newline.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Batch> {
        let open = self.connections.drain(..).flatten();
        open.map(|mut connection| {
            connection.collector.finish();
            connection.collector.take()
        })
    }
}

/// Does not block: nothing was written to this socket before, so a few bytes fit. The client need not read them.
fn answer(mut stream: &UnixStream, word: &str) {
    let _ = stream.write_all(word.as_bytes());
}

/// Whether the client belongs to another task, which is over: a process that it has left behind. A client without the
/// variable, as behind sudo, is believed.
#[cfg(target_os = "linux")]
fn is_of_another(stream: &UnixStream, tag: &str) -> bool {
    let name = tag.split_inclusive('=').next().unwrap_or(tag).as_bytes();
    let environment = rustix::net::sockopt::socket_peercred(stream)
        .ok()
        .and_then(|them| std::fs::read(format!("/proc/{}/environ", them.pid)).ok());
    environment.is_some_and(|environment| {
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable.starts_with(name) && variable != tag.as_bytes())
    })
}

/// Elsewhere the system does not show it.
#[cfg(not(target_os = "linux"))]
fn is_of_another(_stream: &UnixStream, _tag: &str) -> bool {
    false
}

/// Whether the client is a process of our user, or of root. The folder lets in no other, unless its mode was changed.
#[cfg(target_os = "linux")]
fn is_ours(stream: &UnixStream) -> bool {
    let us = geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|them| them.uid == us || them.uid.is_root())
}

/// Without a safe interface that names the client's user, the mode of the folder must do.
#[cfg(not(target_os = "linux"))]
fn is_ours(_stream: &UnixStream) -> bool {
    true
}
