//! The screen below which bars are drawn: gathers the bytes of a frame, so that it leaves as one write and never waits.
//!
//! Between frames the cursor rests where the picture begins, and the next frame overwrites it from there. A renderer
//! that rests at the end of its picture, as indicatif does, has to count its way back up. That goes wrong as soon as a
//! terminal is made narrower and breaks the lines that are too long now. Knows neither tasks nor the meaning of the
//! lines.

use std::time::Duration;

use crate::flow::Permit;

use crate::system::erasure::ERASE_FROM_CURSOR;

use super::super::terminal::Terminal;
use super::super::writer::Writer;
use super::company::Guest;

/// How long a child must print through us after the keyboard was taken, so that it is known to draw nowhere else. What
/// it printed just before may arrive after.
const BESIDE: Duration = Duration::from_millis(150);

/// Erases from the first column of a row to the end of the screen. tmux takes an erasing from the first column of the
/// first row on (ED) for that of the whole screen, and keeps what was there in its history: so ED begins in the second
/// column.
pub(super) const ERASE_BELOW: &[u8] = b"\x1b[K\x1b[C\x1b[J\r";

/// A terminal, and the bytes that are to be written there.
#[derive(Debug)]
pub(super) struct Screen {
    writer: Writer,
    terminal: Terminal,
    /// Typed text was read line by line (ICANON) at some time since the terminal was ours.
    by_lines: bool,
    /// Another program may use the terminal beside the child.
    has_company: bool,
    /// When the child was first seen to print through us since typed text is read key by key.
    printed: Option<Duration>,
    bytes: Vec<u8>,
    /// Another progrun draws on this terminal, and we are its guest.
    guest: Option<Guest>,
    /// The picture that the other one is to draw, if it has changed.
    rows: Option<Vec<String>>,
    /// Whether a child of ours has the terminal: then what it prints goes there, and not through the other one.
    lends: bool,
}

impl Screen {
    pub(super) fn new(writer: Writer, terminal: Terminal) -> Self {
        Self {
            writer,
            by_lines: (terminal.setup)().by_lines,
            terminal,
            has_company: false,
            printed: None,
            bytes: Vec::new(),
            guest: None,
            rows: None,
            lends: false,
        }
    }

    /// Columns and rows, as they are now.
    pub(super) fn measure(&self) -> (u16, u16) {
        (self.terminal.size)()
    }

    /// Whether a newline returns the cursor now.
    pub(super) fn newline_returns(&self) -> bool {
        (self.terminal.setup)().newline_returns
    }

    /// Whether the terminal is ours to draw on. Being in its foreground is not enough: the server of tmux, in a session
    /// of its own, takes the keyboard and draws without that.
    pub(super) fn is_ours(&mut self) -> bool {
        // It is for the one that draws for us to know.
        if self.guest.is_some() {
            return true;
        }
        let by_lines = (self.terminal.setup)().by_lines;
        self.by_lines |= by_lines;
        (self.terminal.foreground)() && self.by_lines == by_lines
    }

    /// The child prints through us. If it goes on with that while the keyboard is set up for single keys, the terminal
    /// is ours all the same: apt sets it up so for the questions of dpkg, and reads nothing from it in the background.
    pub(super) fn child_prints(&mut self, at: Duration) {
        if (self.terminal.setup)().by_lines {
            self.printed = None;
        } else if !self.has_company && at >= *self.printed.get_or_insert(at) + BESIDE {
            self.by_lines = false;
        }
    }

    /// The terminal is ours again, set up as it is now.
    pub(super) fn returned(&mut self) {
        self.by_lines = (self.terminal.setup)().by_lines;
    }

    /// Another program may have taken the keyboard before us, as `less` does at the end of a pipe: until it reads line
    /// by line, the terminal is not ours.
    pub(super) fn expect_lines(&mut self) {
        self.by_lines = true;
        self.has_company = true;
    }

    /// Adds bytes as they are.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.bytes.len()
    }

    /// From now on another progrun draws what we would have drawn.
    pub(super) fn become_guest(&mut self, guest: Guest) {
        self.guest = Some(guest);
    }

    /// Whether another progrun draws for us. Finds out whether it still does; what it has not drawn is ours to write
    /// then.
    pub(super) fn is_guest(&mut self) -> bool {
        if let Some(guest) = &mut self.guest {
            guest.work();
            guest.look();
        }
        if let Some(guest) = self.guest.take_if(|guest| guest.is_lost()) {
            let (mut text, permits) = guest.into_rest();
            let bytes = std::mem::take(&mut self.bytes);
            if !text.is_empty() && !self.lends && (self.terminal.foreground)() {
                // One that was stopped or killed has left its picture, from the cursor on.
                text.splice(..0, ERASE_FROM_CURSOR.iter().copied());
            }
            self.writer.send([text, bytes].concat(), permits);
        }
        self.guest.is_some()
    }

    /// Whether another progrun draws for us, as far as we know.
    pub(super) fn has_host(&self) -> bool {
        self.guest.is_some()
    }

    /// Whether nothing waits for another progrun to draw it.
    pub(super) fn is_shown_by_another(&self) -> bool {
        self.guest.as_ref().is_none_or(Guest::is_idle)
    }

    /// A child of ours gets the terminal, or has given it back.
    pub(super) fn lend(&mut self, lends: bool) {
        self.lends = lends;
        if let Some(guest) = &mut self.guest {
            guest.lend(lends);
        }
    }

    /// Draws these lines over the picture that is there.
    pub(super) fn picture(&mut self, lines: &[String]) {
        if self.guest.is_some() {
            self.rows = Some(lines.to_vec());
            return;
        }
        // The rest of each line is erased (EL) after the line is written: erased before, it would flicker.
        let picture = lines.join("\x1b[K\r\n");
        self.write(b"\r");
        self.write(picture.as_bytes());
        self.write(b"\x1b[J\r");
        if lines.len() > 1 {
            let up = format!("\x1b[{}A", lines.len() - 1);
            self.write(up.as_bytes());
        }
    }

    /// Takes the picture away.
    pub(super) fn erase(&mut self) {
        if self.guest.is_some() {
            self.rows = Some(Vec::new());
            return;
        }
        self.write(b"\r");
        self.write(ERASE_BELOW);
    }

    /// Sends the bytes that were written since the last call, and holds `permits` until they are on the terminal.
    pub(super) fn send(&mut self, permits: Vec<Permit>) {
        let bytes = std::mem::take(&mut self.bytes);
        match &mut self.guest {
            Some(guest) if !self.lends => guest.send(&bytes, self.rows.take(), permits),
            Some(guest) => {
                guest.send(b"", self.rows.take(), Vec::new());
                self.writer.send(bytes, permits);
            }
            None => self.writer.send(bytes, permits),
        }
    }

    /// Whether the terminal has taken all that was sent: only then is another frame worth making.
    pub(super) fn is_idle(&self) -> bool {
        self.writer.is_idle() && self.guest.as_ref().is_none_or(Guest::is_idle)
    }

    pub(super) fn flush(&mut self, permit: Permit) {
        if let Some(guest) = &mut self.guest {
            guest.send(b"", self.rows.take(), vec![permit.clone()]);
        }
        self.writer.flush(permit);
    }

    pub(super) fn abandon(&mut self) {
        self.guest = None;
        self.writer.abandon();
    }

    pub(super) fn into_writer(self) -> Writer {
        self.writer
    }
}
