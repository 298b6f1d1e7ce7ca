//! Relays keys to a child that reads them from its pseudo-terminal: pagers read where their output goes.
//!
//! Programs set up the keyboard by way of their output, and that does not tell where they will read: dialog and htop
//! read from their stdin, which is the real terminal; less and more from the terminal to which they write. So a child
//! is lent the real terminal, with the settings of its pseudo-terminal. A key goes to the pseudo-terminal only when a
//! process is seen to wait for it there. Until then it stays where it was typed, for a program that is busy for a
//! while. When the terminal is lent is not decided here.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::event::Stream;

use super::super::super::observe::processor_time;
use super::super::super::pty;
use super::super::super::terminal::Terminal;
use super::super::super::waiting::{Tty, Waiting};
use super::super::outputs::Outputs;
use super::{Guest, Pty, type_in};

/// How long a key is left to a reader of the real terminal: some programs poll there, and then read from the
/// pseudo-terminal.
const SEEN: Duration = Duration::from_millis(5);
/// How often the worker checks a key that still waits.
const LOOK: Duration = Duration::from_millis(20);
/// How long a key waits for a reader that cannot be seen, because it runs as another user or the system does not tell.
const UNSEEN: Duration = Duration::from_millis(300);
/// The time between checks is at least this many times the CPU time of one.
const THRIFT: u32 = 10;
/// The limit of that: a key must not wait longer between two checks.
const AT_MOST: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(in crate::child::worker) struct Keyboard {
    /// Since when a key waits on the real terminal, and when to check it next.
    waits: Option<(Instant, Instant)>,
}

impl Keyboard {
    /// When to check a waiting key.
    pub(in crate::child::worker) fn look_at(&self) -> Option<Instant> {
        self.waits.map(|(_, next)| next)
    }
}

impl Guest<'_> {
    /// The output on which the child has set up the keyboard.
    fn keyboard_stream(&self) -> Option<Stream> {
        [Stream::Stderr, Stream::Stdout].into_iter().find(|stream| {
            self.ptys[*stream as usize]
                .as_ref()
                .is_some_and(Pty::reads_keys)
        })
    }

    /// The descriptor to poll for key presses. None if the child reads no keys, or while a key waits: until the key is
    /// read, `poll` would return at once.
    pub(in crate::child::worker) fn keys(&self) -> Option<&OwnedFd> {
        let wanted =
            self.is_lent() && self.keyboard.waits.is_none() && self.keyboard_stream().is_some();
        let terminal = self.terminal.as_ref().filter(|_| wanted);
        terminal.map(Terminal::keys)
    }

    /// A key was typed: a reader of the real terminal comes first.
    pub(in crate::child::worker) fn key_typed(&mut self) {
        let now = Instant::now();
        self.keyboard.waits = Some((now, now + SEEN));
    }

    /// Hands waiting keys on to the pseudo-terminal, if a process reads there.
    pub(in crate::child::worker) fn see_to_keys(&mut self, now: Instant, outputs: &Outputs<'_>) {
        let Some((since, _)) = self.keyboard.waits.filter(|(_, next)| *next <= now) else {
            return;
        };
        let (Some(terminal), Some(stream)) = (&self.terminal, self.keyboard_stream()) else {
            return;
        };
        if terminal.unread() == 0 {
            self.keyboard.waits = None;
            return;
        }
        let begun = processor_time();
        let mut typed = 0;
        if self.reads_from(stream, now - since, outputs) {
            let mut keys = [0; 256];
            typed = terminal.read_keys(self.pid, &mut keys);
            type_in(outputs, stream, &keys[..typed]);
        }
        // Nothing was handed on if another process was faster. The next check finds out.
        let pause = LOOK.max((processor_time().saturating_sub(begun) * THRIFT).min(AT_MOST));
        self.keyboard.waits = (typed == 0).then(|| (since, now + pause));
    }

    /// Whether a process reads from the pseudo-terminal of `stream`, for keys that have waited this long.
    fn reads_from(&self, stream: Stream, waited: Duration, outputs: &Outputs<'_>) -> bool {
        let tty = outputs.end(stream).and_then(pty::tty);
        let (Some(tty), Some(terminal)) = (tty, &self.terminal) else {
            return false;
        };
        let groups: Vec<_> = terminal
            .foreground()
            .into_iter()
            .chain([self.pid])
            .collect();
        let ours = Waiting::at(tty, &groups);
        if ours.reads || ours.watches {
            let real = Waiting::at(Tty::Controlling, &groups);
            return !real.reads && !real.watches;
        }
        waited >= UNSEEN && (ours.is_hidden || !cfg!(target_os = "linux"))
    }
}
