//! What other processes ask of the run over its socket: how far it is (`?status`), to show it (`?watch`), to stop it as
//! Ctrl-C does (`?cancel`), to be told when it is over (`?wait`), and to draw for them (`?join`).
//!
//! The socket of a single command is that of its channel, and its worker hands requests on to the run loop. A run of
//! many tasks has a socket of its own beside those of its tasks, and listens there itself. No answer is waited for: one
//! that does not fit is lost with its connection.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::client::REFUSED;
use crate::event::{Ending, Event, FinalState, Reason, What};
use crate::socket::{Socket, SocketFiles, is_of_our_user};

use super::Run;

/// How long a request may be, its newline included.
const LONGEST: usize = 256;
/// How many connections may be open at once. Each takes a descriptor, and the run needs some itself.
const CONNECTIONS: usize = 256;
/// When a connection is accepted again after the system has refused one.
const RETRY: Duration = Duration::from_millis(100);
/// How long the end of a run waits for the request of a process that has just connected.
const LAST: Duration = Duration::from_millis(200);
/// How long the answer to `?cancel` waits for the child to be asked.
const PATIENCE: Duration = Duration::from_millis(300);

/// The connections to the run.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The socket of a run of many tasks. Dropping the files removes it.
    own: Option<(Arc<Socket>, Option<SocketFiles>)>,
    /// Until when no connection is accepted, because the system refused one: no descriptor is free (EMFILE).
    deaf_until: Option<Duration>,
    /// Those of which no whole line was read yet.
    callers: Vec<Caller>,
    /// Those that wait for the end.
    waiting: Vec<UnixStream>,
    /// Those that have asked for a stop, until when they wait for what follows, and how many steps had been taken.
    cancels: Vec<(UnixStream, Duration, u64)>,
}

#[derive(Debug)]
struct Caller {
    stream: UnixStream,
    /// When it has connected, or was handed on.
    since: Instant,
    /// What was read and is not taken in yet.
    read: Vec<u8>,
}

/// What the first line of a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Status,
    Watch {
        /// Whether the watcher takes a file for what it has not read at the end.
        takes_file: bool,
    },
    Cancel,
    Wait,
    Join,
    Unknown,
    /// A report, for which this socket is the wrong one.
    Report,
}

impl Request {
    fn of(line: &[u8]) -> Self {
        match line.trim_ascii() {
            b"?status" => Self::Status,
            b"?watch" => Self::Watch { takes_file: false },
            b"?watch file" => Self::Watch { takes_file: true },
            b"?cancel" => Self::Cancel,
            b"?wait" => Self::Wait,
            b"?join" => Self::Join,
            line if line.starts_with(b"?") => Self::Unknown,
            _ => Self::Report,
        }
    }
}

impl Requests {
    /// Listens on a socket of the run's own.
    pub(super) fn listen(&mut self, socket: Option<(Socket, SocketFiles)>) {
        self.own = socket.map(|(socket, files)| (Arc::new(socket), Some(files)));
    }

    /// No process finds the socket any more. Those that have found it are heard.
    pub(super) fn hide(&mut self) {
        if let Some((_, files)) = &mut self.own {
            *files = None;
        }
    }

    /// The descriptors to poll for reading; `other` is a socket on which no worker listens any more.
    pub(super) fn descriptors<'a>(
        &'a self,
        other: Option<&'a Arc<Socket>>,
        now: Duration,
    ) -> Vec<BorrowedFd<'a>> {
        let own = self.own.as_ref().map(|(socket, _)| socket);
        let is_deaf = self.deaf_until.is_some_and(|until| now < until);
        let sockets = own.or(other).filter(|_| !is_deaf);
        let sockets = sockets.into_iter().map(|socket| socket.listener().as_fd());
        let callers = self.callers.iter().map(|caller| caller.stream.as_fd());
        sockets.chain(callers).collect()
    }

    /// Whether no process waits for anything.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.cancels.is_empty()
    }

    /// When the answer to a request is due at the latest.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let cancels = self.cancels.iter().map(|(_, until, _)| *until);
        let deaf = self.deaf_until.filter(|until| now < *until);
        cancels.chain(deaf).min()
    }

    /// Takes in a connection. If there are too many, the one that has said nothing for longest has to go.
    fn add(&mut self, caller: Caller) {
        if self.callers.len() >= CONNECTIONS {
            self.callers.remove(0);
        }
        self.callers.push(caller);
    }

    fn accept(&mut self, other: Option<Arc<Socket>>, now: Duration) {
        let own = self.own.as_ref().map(|(socket, _)| Arc::clone(socket));
        let Some(socket) = own.or(other) else {
            return;
        };
        loop {
            match socket.listener().accept() {
                Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => {
                    if is_of_our_user(&stream) {
                        self.add(Caller {
                            stream,
                            since: Instant::now(),
                            read: Vec::new(),
                        });
                    } else {
                        answer(&stream, REFUSED);
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The connection stays in the queue, where `poll` would find it again and again.
                Err(_) => {
                    self.deaf_until = Some(now + RETRY);
                    return;
                }
            }
        }
    }

    /// The requests that are complete.
    fn read(&mut self) -> Vec<(Caller, Request)> {
        let mut complete = Vec::new();
        for mut caller in std::mem::take(&mut self.callers) {
            match caller.read() {
                Some(request) => complete.push((caller, request)),
                None => self.callers.push(caller),
            }
        }
        complete
    }

    /// Forgets the connections whose other end is gone.
    fn prune(&mut self) {
        self.waiting.retain(|stream| !is_hung_up(stream));
    }
}

impl Caller {
    /// Reads on. Gives the request once its line is complete, or cannot become one.
    fn read(&mut self) -> Option<Request> {
        let mut buffer = [0; LONGEST];
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.read.drain(..=end).collect();
                return Some(Request::of(&line));
            }
            if self.read.len() >= LONGEST {
                return Some(Request::of(&self.read));
            }
            match self.stream.read(&mut buffer) {
                // A line may end without a newline.
                Ok(0) => return Some(Request::of(&self.read)),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return Some(Request::Unknown),
            }
        }
    }
}

/// Whether the other end is gone. A client need not keep its own end for writing.
fn is_hung_up(stream: &UnixStream) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|_| {
        polled[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR)
    })
}

/// Does not block: hardly anything was written to this connection before.
fn answer(mut stream: &UnixStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

impl Run<'_> {
    /// Tells the watchers that progrun is about to stop, as by Ctrl-Z, or goes on.
    pub(super) fn tell_watchers_of_stop(&self, is_stopped: bool) {
        let at = self.now();
        let what = What::Paused(is_stopped);
        let mut watchers = self.watchers.borrow_mut();
        watchers.tell_at_once(&Event {
            task: None,
            at,
            what,
        });
    }

    /// The socket on which no worker listens: that of a single command that is over, while its output is still being
    /// written.
    pub(super) fn idle_socket(&self) -> Option<&Arc<Socket>> {
        let running = self.tasks.values().next()?;
        let place = running.place.as_ref()?;
        (!self.is_of_many() && running.is_done()).then_some(&place.socket)
    }

    /// A connection can be accepted or read.
    pub(super) fn hear(&mut self) {
        let idle = self.idle_socket().cloned();
        let now = self.now();
        self.requests.accept(idle, now);
        self.carry_out();
    }

    /// A worker has read the begin of a request.
    pub(super) fn asked(&mut self, stream: UnixStream, read: Vec<u8>) {
        let since = Instant::now();
        self.requests.add(Caller {
            stream,
            since,
            read,
        });
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for (caller, request) in self.requests.read() {
            self.request_of(caller, request);
        }
    }

    fn request_of(&mut self, Caller { stream, read, .. }: Caller, request: Request) {
        let now = self.now();
        match request {
            Request::Status => self.answer_with_status(&stream, now),
            Request::Watch { takes_file } => {
                let mut watchers = self.watchers.borrow_mut();
                if watchers.count() < CONNECTIONS {
                    watchers.add(stream, takes_file, now);
                }
            }
            // It was told that the run does not react: what the user wants now is not known.
            Request::Cancel if is_hung_up(&stream) => {}
            Request::Cancel if self.requests.cancels.len() >= CONNECTIONS => {}
            Request::Cancel => {
                let steps = self.watchers.borrow().steps();
                // Each request is meant: it is no echo of a key press.
                self.stop_tasks(Reason::Interrupt, true, now);
                self.requests.cancels.push((stream, now + PATIENCE, steps));
            }
            Request::Wait => {
                self.requests.prune();
                if self.requests.waiting.len() < CONNECTIONS {
                    self.requests.waiting.push(stream);
                }
            }
            Request::Join => self.sinks.borrow_mut().join((stream, read)),
            Request::Unknown => answer(&stream, "{\"error\":\"no such request\"}\n"),
            Request::Report => answer(&stream, REFUSED),
        }
    }

    fn answer_with_status(&self, stream: &UnixStream, now: Duration) {
        let watchers = self.watchers.borrow();
        answer(stream, &watchers.status(now).shortened().to_line());
    }

    /// Takes in the requests that came just before the end: a process that has connected is about to say what it wants.
    fn hear_rest(&mut self) {
        let until = Instant::now() + LAST;
        loop {
            self.hear();
            // One that has been silent for longer wants nothing yet.
            self.requests.callers.retain(|it| it.since.elapsed() < LAST);
            let left = until.saturating_duration_since(Instant::now());
            let callers = self.requests.callers.iter();
            let mut polled: Vec<_> = callers
                .map(|caller| PollFd::new(&caller.stream, PollFlags::IN))
                .collect();
            if polled.is_empty() || left.is_zero() {
                return;
            }
            let timeout = Timespec::try_from(left).unwrap_or_default();
            let _ = poll(&mut polled, Some(&timeout));
        }
    }

    /// Answers the requests for a stop that has taken its step.
    pub(super) fn answer_cancels(&mut self, now: Duration) {
        if self.requests.cancels.is_empty() {
            return;
        }
        let steps = self.watchers.borrow().steps();
        for (stream, until, before) in std::mem::take(&mut self.requests.cancels) {
            if steps > before || now >= until {
                self.answer_with_status(&stream, now);
            } else {
                self.requests.cancels.push((stream, until, before));
            }
        }
    }

    /// The run is over: tells those that wait how progrun ends, and shows the watchers the rest. To be called when no
    /// process finds the socket any more, or a request that comes too late would stay without an answer.
    pub(super) fn tell_end(&mut self, ending: Ending) {
        self.hear_rest();
        let has_audience = self.watchers.borrow().count() > 0 || !self.requests.is_idle();
        if !has_audience {
            return;
        }
        let now = self.now();
        let state = match (ending, self.reason().is_some() || self.stop.is_some()) {
            (_, true) => FinalState::Cancelled,
            (Ending::Status(0), false) => FinalState::Completed,
            (_, false) => FinalState::Failed,
        };
        let mut watchers = self.watchers.borrow_mut();
        let status = watchers.status(now).shortened();
        let line = status.ended(state.word(), ending).to_line();
        let cancels = self.requests.cancels.drain(..);
        for stream in self
            .requests
            .waiting
            .drain(..)
            .chain(cancels.map(|it| it.0))
        {
            answer(&stream, &line);
        }
        watchers.end(now, &line);
    }
}
