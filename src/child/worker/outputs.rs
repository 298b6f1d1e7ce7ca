//! The child's output where it goes through us: read from its pipes and pseudo-terminals, and handed on in order. What
//! the output means is not known here.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::stdio::{stderr, stdout};
use rustix::termios::Termios;

use crate::event::Stream;
use crate::flow::Credit;
use crate::model::route::Route;
use crate::model::verdict::Verdicts;
use crate::system::relay;
use crate::system::wake::Wake;

use super::super::pipe::{FULL_READ, READ, enlarge, is_transient, read_into, weight};
use super::super::pty::Spares;
use super::super::{Launch, Notice};

/// The result of a read of an output.
pub(super) enum Read {
    /// There is no data yet, or no such output.
    Nothing,
    /// The output is at its end.
    End,
    /// Bytes were read into the buffer.
    Bytes,
}

/// The child's outputs.
pub(super) struct Outputs<'a> {
    notify: &'a dyn Fn(Notice),
    /// Our ends of stdout and stderr.
    ends: [Option<OwnedFd>; 2],
    /// Whether the child's last output ends without a newline: a question, perhaps.
    pub(super) line_open: bool,
    /// Output that is held back until the worker knows which terminal it is for.
    held: Option<(Stream, Vec<u8>, Verdicts)>,
    /// The buffers of large reads that were handed on, for reuse. The credit bounds their number.
    pieces: Vec<Arc<Vec<u8>>>,
    credit: Credit,
    /// Whether the output is also written as events.
    as_events: bool,
    /// The first settings of those ends that are pseudo-terminals, and where these go when they are at their end.
    terminals: [Option<Termios>; 2],
    spares: Option<&'a Spares>,
    /// Which of them go through us only because our lines stand between theirs.
    carried: [bool; 2],
    /// Whether the pipes are still of their usual size, and to be enlarged when one of them was full.
    may_grow: bool,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(
        ends: [Option<OwnedFd>; 2],
        terminals: [Option<Termios>; 2],
        launch: &'a Launch,
        wake: Wake,
        notify: &'a dyn Fn(Notice),
    ) -> Self {
        Self {
            notify,
            ends,
            line_open: false,
            held: None,
            pieces: Vec::new(),
            credit: Credit::new(launch.under_way, move || wake.wake()),
            as_events: launch.every_report,
            terminals,
            spares: launch.spares.as_deref(),
            carried: [launch.stdout, launch.stderr].map(|route| route == Route::Carried),
            may_grow: launch.is_one_of_many,
        }
    }

    /// Our end of an output, as long as it is read.
    pub(super) fn end(&self, stream: Stream) -> Option<&OwnedFd> {
        self.ends[stream as usize].as_ref()
    }

    /// Stops reading an output.
    pub(super) fn close(&mut self, stream: Stream) -> Option<OwnedFd> {
        self.ends[stream as usize].take()
    }

    /// Has another process hand on what the command has left behind writes to `end`, if that would write to our stream
    /// itself where no line of ours stands. Gives the end back if not.
    pub(super) fn leave(&self, stream: Stream, end: OwnedFd) -> Option<OwnedFd> {
        if !self.carried[stream as usize] {
            return Some(end);
        }
        let place = match stream {
            Stream::Stdout => stdout(),
            Stream::Stderr => stderr(),
        };
        let copy = end.try_clone();
        copy.and_then(|copy| relay::start(copy, place))
            .is_err()
            .then_some(end)
    }

    pub(super) fn is_open(&self) -> bool {
        self.ends.iter().any(Option::is_some)
    }

    /// Whether the output under way has reached the limit.
    pub(super) fn exhausted(&self) -> bool {
        self.credit.exhausted()
    }

    /// Reads once into `buffer`.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut Vec<u8>) -> Read {
        let Some(output) = self.end(stream) else {
            return Read::Nothing;
        };
        let read = read_into(output, buffer, READ);
        match read {
            Err(error) if is_transient(error) => Read::Nothing,
            Ok(0) | Err(_) => {
                let end = self.close(stream);
                if let (Some(master), Some(settings), Some(spares)) =
                    (end, self.terminals[stream as usize].take(), self.spares)
                    && read == Err(Errno::IO)
                {
                    spares.keep(master, settings);
                }
                Read::End
            }
            Ok(read) => {
                if self.may_grow && read >= FULL_READ {
                    self.may_grow = false;
                    self.ends.iter().flatten().for_each(enlarge);
                }
                self.line_open = buffer.last() != Some(&b'\n');
                Read::Bytes
            }
        }
    }

    /// Hands on the contents of `buffer`. A large read is handed on with its buffer. A small one is copied, or it would
    /// keep a large buffer in use.
    pub(super) fn hand_on_buffer(
        &mut self,
        stream: Stream,
        buffer: &mut Vec<u8>,
        verdicts: Verdicts,
    ) {
        if buffer.is_empty() {
            return;
        }
        let bytes = if buffer.len() >= READ / 4 {
            self.exchange(buffer)
        } else {
            Arc::new(buffer.clone())
        };
        self.hand_on(stream, bytes, verdicts);
    }

    pub(super) fn hand_on(&self, stream: Stream, bytes: Arc<Vec<u8>>, verdicts: Verdicts) {
        let permit = self.credit.permit(weight(&bytes, self.as_events));
        (self.notify)(Notice::Output {
            stream,
            bytes,
            verdicts,
            permit,
        });
    }

    /// Exchanges the buffer for one that all sinks have released. A fresh one would cost a page fault for every 4 KiB.
    fn exchange(&mut self, buffer: &mut Vec<u8>) -> Arc<Vec<u8>> {
        let mut pieces = self.pieces.iter_mut();
        let next = pieces
            .position(|piece| Arc::get_mut(piece).is_some())
            .and_then(|free| Arc::into_inner(self.pieces.swap_remove(free)))
            .unwrap_or_else(|| Vec::with_capacity(READ));
        let full = Arc::new(std::mem::replace(buffer, next));
        self.pieces.push(Arc::clone(&full));
        full
    }

    /// Holds output back until [`let_go`](Self::let_go).
    pub(super) fn hold(&mut self, stream: Stream, bytes: Vec<u8>, verdicts: Verdicts) {
        self.let_go();
        if !bytes.is_empty() {
            self.held = Some((stream, bytes, verdicts));
        }
    }

    /// Hands on what is held back.
    pub(super) fn let_go(&mut self) {
        if let Some((stream, bytes, verdicts)) = self.held.take() {
            self.hand_on(stream, Arc::new(bytes), verdicts);
        }
    }
}
