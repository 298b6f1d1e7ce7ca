//! Keys for a child that reads them from a terminal of ours: pagers look for the terminal where their output goes.
//!
//! Programs set up the keyboard by way of their output, and nothing tells from where they will read: dialog and htop from
//! their stdin, which is the real terminal; less and more from where they write. So they are lent the real one, which is
//! set up as ours is. A key that nobody reads there for a moment is handed on to ours. If nobody reads it there either,
//! it was for somebody who was busy, and nothing is handed on any more.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::event::Stream;

use super::super::pty;
use super::super::terminal::Terminal;
use super::Worker;
use super::pty::Pty;

/// How long a key waits on the real terminal, until it is known who reads: longer than one who reads there is busy.
const BUSY: Duration = Duration::from_millis(300);
/// And after that: some look at the real terminal for a key, and then read it from ours.
const SEEN: Duration = Duration::from_millis(5);
/// How often we look whether it still waits.
const LOOK: Duration = Duration::from_millis(20);
/// How long a key that was handed on may wait to be read.
const UNREAD: Duration = Duration::from_millis(500);

/// From where the child reads keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reader {
    #[default]
    Unknown,
    /// A key was handed on then. Whether it was read is to be looked at next then.
    Tried(Instant, Instant),
    Ours,
    Real,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    reader: Reader,
    /// Since when a key waits on the real terminal, and when we look at it next.
    waits: Option<(Instant, Instant)>,
}

impl Keys {
    /// When something is to be done if nothing happens.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let tried = match self.reader {
            Reader::Tried(_, next) => Some(next),
            _ => None,
        };
        self.waits
            .map(|(_, next)| next)
            .into_iter()
            .chain(tried)
            .min()
    }
}

impl Worker<'_> {
    /// The stream by which the child has set up the keyboard.
    fn keyboard(&self) -> Option<Stream> {
        [Stream::Stderr, Stream::Stdout].into_iter().find(|stream| {
            self.ptys[*stream as usize]
                .as_ref()
                .is_some_and(Pty::reads_keys)
        })
    }

    /// What tells of a key, if that is of interest.
    pub(super) fn keys(&self) -> Option<&OwnedFd> {
        let wanted =
            self.is_lent() && self.keys.waits.is_none() && self.keys.reader != Reader::Real;
        let terminal = self
            .terminal
            .as_ref()
            .filter(|_| wanted && self.keyboard().is_some());
        terminal.map(Terminal::keys)
    }

    /// A key was typed.
    pub(super) fn key_typed(&mut self) {
        let now = Instant::now();
        let patience = if self.keys.reader == Reader::Ours {
            SEEN
        } else {
            LOOK
        };
        self.keys.waits = Some((now, now + patience));
    }

    /// Hands on what nobody reads, and looks whether that was right.
    pub(super) fn see_to_keys(&mut self, now: Instant) {
        let Some(stream) = self.keyboard() else {
            return;
        };
        let (Some(terminal), Some(master)) = (&self.terminal, &self.outputs[stream as usize])
        else {
            return;
        };
        if let Reader::Tried(at, next) = self.keys.reader
            && next <= now
        {
            self.keys.reader = if pty::unread(master).is_ok_and(|unread| unread == 0) {
                Reader::Ours
            } else if at + UNREAD <= now {
                let _ = pty::forget_unread(master);
                Reader::Real
            } else {
                Reader::Tried(at, now + LOOK)
            };
        }
        let Some((since, next)) = self.keys.waits.filter(|(_, next)| *next <= now) else {
            return;
        };
        if terminal.unread() == 0 || self.keys.reader == Reader::Real {
            self.keys.waits = None;
        } else if self.keys.reader != Reader::Ours && now < since + BUSY {
            self.keys.waits = Some((since, next + LOOK));
        } else {
            let mut keys = [0; 256];
            let typed = terminal.read_keys(self.pid, &mut keys);
            // It may be somebody else's by now.
            self.keys.waits = (typed == 0).then(|| (now, now + BUSY));
            self.type_in(stream, &keys[..typed]);
            if self.keys.reader == Reader::Unknown && typed > 0 {
                self.keys.reader = Reader::Tried(now, now + LOOK);
            }
        }
    }
}
