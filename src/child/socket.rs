//! The connections to the socket: the channel for programs that do not inherit the descriptor. They find its path in the
//! environment.
//!
//! Each task has a socket, which the run loop makes as it begins the task. Each connection has lines of its own, which
//! cannot mix with those of another; they mean the same as on the channel. A client that has sent everything is told
//! that it was read, or that the child is cancelled. After a cancel request all clients are told so, and their
//! connections are closed. A connection that begins with a question mark is a request to the run, and is handed on to
//! it. When to read and when to stop the child is not known here.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::client::{CANCELLED, REFUSED, TAKEN};
use crate::model::batch::{Batch, Collector};
use crate::socket::{Socket, is_of_our_user};

use super::pipe::{is_transient, read_into, reports_at_once};

/// How many clients may stay connected and still leave room for a request. Each may hold the beginning of a line.
const CONNECTIONS: usize = 256;
/// The room beside them. When that is taken, too, further connections wait to be accepted.
const RESERVE: usize = 64;
/// For how long a connection is new: its client may be about to speak.
const NEW: Duration = Duration::from_millis(200);
/// How long a client waits for the next try if it cannot be accepted. `progrun report` waits for five seconds.
const RETRY: Duration = Duration::from_millis(100);

/// The first byte of a request to the run.
const REQUEST: u8 = b'?';

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
    /// The connection, and what was read of it, if it is a request to the run.
    pub(super) request: Option<(UnixStream, Vec<u8>)>,
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
    /// Whether no further connection is accepted until one ends: none of them is silent.
    full: bool,
    /// When a connection is accepted again, after one could not be, or while all silent ones are new.
    accepts_at: Option<Instant>,
    every_report: bool,
    spoken: bool,
    cancelled: bool,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    collector: Collector,
    /// Whether anything was read: until then it may be a request to the run.
    has_begun: bool,
    accepted: Instant,
}

impl Connection {
    /// Whether its client has said nothing yet, and still may.
    fn is_silent(&self) -> bool {
        let mut first = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !self.has_begun && recv(&self.stream, &mut first, flags) == Err(Errno::AGAIN)
    }

    /// Whether a report waits to be read.
    fn has_unread_report(&self) -> bool {
        let mut first = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let unread = recv(&self.stream, &mut first, flags).is_ok_and(|(_, count)| count > 0);
        unread && (self.has_begun || first[0] != REQUEST)
    }
}

impl<'a> Clients<'a> {
    /// The clients of `socket`. If it had other tasks before, `tag` tells those of this one.
    pub(super) fn new(socket: Option<&'a Socket>, tag: Option<String>, every_report: bool) -> Self {
        Self {
            listener: socket.map(Socket::listener),
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
        self.spoken || open.any(Connection::has_unread_report)
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
        let is_first = !std::mem::replace(&mut connection.has_begun, true);
        if is_first && (self.cancelled || buffer.first() == Some(&REQUEST)) {
            let stream = self.connections[place].take().map(|it| it.stream);
            self.has_room_again();
            if buffer.first() != Some(&REQUEST) {
                // It began after the request, or had reported nothing before it.
                stream.inspect(|stream| answer(stream, CANCELLED));
                return Received::default();
            }
            return Received {
                request: stream.map(|stream| (stream, buffer.clone())),
                ..Received::default()
            };
        }
        connection.collector.feed(buffer);
        if read == 0 {
            connection.collector.finish();
        }
        let reports = connection.collector.take();
        if read == 0 {
            answer(&connection.stream, TAKEN);
            self.connections[place] = None;
            self.has_room_again();
        }
        self.spoken |= read > 0;
        Received {
            spoke: read > 0,
            reports,
            request: None,
        }
    }

    /// A connection has ended, and its descriptor is free.
    fn has_room_again(&mut self) {
        self.full = false;
        self.accepts_at = None;
    }

    /// Makes room for one more connection. If there is none, the one that has been silent for longest has to go: silent
    /// ones that their clients have forgotten would keep every request out. Not a new one.
    fn make_room(&mut self) -> bool {
        if self.connections.iter().flatten().count() < CONNECTIONS + RESERVE {
            return true;
        }
        let places = self.connections.iter().enumerate();
        let silent = places.filter_map(|(place, connection)| {
            let connection = connection.as_ref().filter(|it| it.is_silent())?;
            Some((connection.accepted + NEW, place))
        });
        match silent.min() {
            Some((old_at, place)) if old_at <= Instant::now() => {
                self.connections[place] = None;
                return true;
            }
            Some((old_at, _)) => self.accepts_at = Some(old_at),
            None => self.full = true,
        }
        false
    }

    fn accept(&mut self) {
        let Some(listener) = self.listener.filter(|_| self.make_room()) else {
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
        if !is_of_our_user(&stream) || self.tag.as_ref().is_some_and(is_of_another) {
            answer(&stream, REFUSED);
        } else if stream.set_nonblocking(true).is_ok() {
            let connection = Some(Connection {
                stream,
                collector: Collector::new(self.every_report),
                has_begun: false,
                accepted: Instant::now(),
            });
            match self.connections.iter_mut().find(|place| place.is_none()) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
        }
    }

    /// Tells all clients, now and from now on, that the child is cancelled. Their unread reports are dropped. A
    /// connection of which nothing was read may be a request, and is answered when it says more.
    pub(super) fn cancel(&mut self) {
        self.cancelled = true;
        self.has_room_again();
        for place in &mut self.connections {
            if let Some(connection) = place.take_if(|it| it.has_begun) {
                answer(&connection.stream, CANCELLED);
            }
        }
    }

    /// The connections that are new and have said nothing yet: they may be about to ask something of the run.
    pub(super) fn take_silent(&mut self) -> Vec<UnixStream> {
        let places = self.connections.iter_mut();
        let is_new = |it: &Connection| it.accepted.elapsed() < NEW;
        let silent = places.filter_map(|place| place.take_if(|it| !it.has_begun && is_new(it)));
        silent.map(|connection| connection.stream).collect()
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
