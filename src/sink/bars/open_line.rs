//! The text on the screen after the last line end: whether the child has a line open there, where that ends, and
//! whether it ends in the middle of an escape sequence. Knows neither bars nor the output that is still on its way.

use std::time::Duration;

use unicode_width::UnicodeWidthChar;

use crate::vt::{Piece, Splitter, is_image};

use crate::vt::line_buffer::whole_characters;

/// How long a line is open before bars are drawn below it: a user who is asked a question sees nothing else at first.
const ALONE: Duration = Duration::from_secs(1);
/// How long the rest of an escape sequence is waited for. Until then no bar is drawn: its first letter would end the
/// sequence.
const REST: Duration = Duration::from_secs(2);
/// How many bytes of the last character are kept, with its marks.
const MARKS: usize = 64;

/// The last line on the screen.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one line"
)]
pub(super) struct OpenLine {
    splitter: Splitter,
    /// The first bytes of a character.
    partial: Vec<u8>,
    width: usize,
    /// How many columns of its last row it takes, and whether it has others.
    column: usize,
    wraps: bool,
    /// The last character.
    last: String,
    is_open: bool,
    /// The child has moved the cursor, or may have, in a way that is not followed here.
    is_obscure: bool,
    /// Since when it is open.
    since: Duration,
    /// When anything was written last.
    written: Duration,
    /// Bars were below the last line: so they may be below the next one at once.
    has_bars: bool,
    /// We have ended the sequence ourselves: the rest of it is left out.
    is_cut: bool,
}

/// Where the cursor is in the row of an open line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) column: usize,
    /// The last character, if the row is full: only when it is written does the terminal break the line before the
    /// next.
    pub(super) last: Option<String>,
}

impl OpenLine {
    /// The screen has this many columns.
    pub(super) fn resize(&mut self, width: usize) {
        let width = width.max(1);
        // Where a terminal breaks a line again differs.
        self.is_obscure |= self.width != width && (self.wraps || self.column >= width);
        self.width = width;
    }

    /// Takes in bytes for the screen; gives those that go there.
    pub(super) fn note<'a>(&mut self, mut bytes: &'a [u8], now: Duration) -> &'a [u8] {
        if bytes.is_empty() {
            return bytes;
        }
        bytes = self.without_cut(bytes);
        self.written = now;
        let mut rest = bytes;
        let is_text = !self.splitter.is_within() && !bytes.contains(&0x1b);
        if is_text && let Some(newline) = memchr::memrchr(b'\n', bytes) {
            self.end();
            rest = &bytes[newline + 1..];
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        while let Some(piece) = splitter.next(&mut rest) {
            self.piece(&piece);
        }
        self.splitter = splitter;
        bytes
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match *piece {
            Piece::Text(text) => self.text(text),
            Piece::Control(b'\n') => self.end(),
            Piece::Control(b'\t') => {
                let stop = (self.column / 8 + 1) * 8;
                self.column = stop.min(self.width - 1).max(self.column);
                " ".clone_into(&mut self.last);
            }
            // Bell, SGR, EL, and the choice of a character set (SCS): the cursor stays.
            Piece::Control(0 | 7 | 0x0e | 0x0f)
            | Piece::Csi {
                last: b'm' | b'K', ..
            }
            | Piece::Escape([b'(' | b')' | b'*' | b'+', ..]) => {}
            Piece::String { content, .. } if !is_image(content) => {}
            Piece::Long { begins, written } => {
                let content = written.get(1..).unwrap_or_default();
                if begins && is_image(content) {
                    self.open();
                    self.is_obscure = true;
                }
            }
            Piece::String { .. } => {
                self.open();
                self.is_obscure = true;
            }
            _ => self.is_obscure = true,
        }
    }

    fn open(&mut self) {
        if !self.is_open {
            self.since = self.written;
        }
        self.is_open = true;
    }

    fn text(&mut self, text: &[u8]) {
        self.open();
        self.partial.extend_from_slice(text);
        let bytes = std::mem::take(&mut self.partial);
        let (whole, cut) = bytes.split_at(whole_characters(&bytes));
        self.partial.extend_from_slice(cut);
        for character in String::from_utf8_lossy(whole).chars() {
            let width = character.width().unwrap_or(0);
            if width == 0 {
                if self.last.len() < MARKS {
                    self.last.push(character);
                }
                continue;
            }
            if self.column + width > self.width {
                self.column = 0;
                self.wraps = true;
            }
            self.column += width;
            self.last = character.to_string();
        }
    }

    /// The line ends, or the next text begins a line of its own.
    pub(super) fn end(&mut self) {
        self.column = 0;
        self.wraps = false;
        self.last.clear();
        self.partial.clear();
        self.is_open = false;
        self.is_obscure = false;
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the text on the screen ends within a sequence.
    pub(super) fn is_within(&self) -> bool {
        self.splitter.is_within() && !self.is_cut
    }

    /// Whether the rest of a sequence is overdue.
    pub(super) fn is_stuck(&self, now: Duration) -> bool {
        self.is_within() && now >= self.written + REST
    }

    /// The sequence is ended by us: its rest is left out from now on.
    pub(super) fn cut(&mut self) {
        self.is_cut = self.is_within();
    }

    /// These bytes without the rest of a sequence that was cut.
    pub(super) fn without_cut<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.is_cut {
            return bytes;
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        let rest = rest(&mut splitter, bytes);
        if splitter.is_within() {
            self.splitter = splitter;
        } else {
            self.is_cut = false;
        }
        &bytes[rest..]
    }

    /// The length of the rest of the sequence that is begun on the screen, among these bytes.
    pub(super) fn rest(&self, bytes: &[u8]) -> usize {
        if self.is_within() {
            rest(&mut self.splitter.clone(), bytes)
        } else {
            0
        }
    }

    /// The time from which bars can be drawn below the open line; none: never below this one.
    pub(super) fn bars_from(&self) -> Option<Duration> {
        if self.is_obscure {
            return None;
        }
        Some(if self.has_bars {
            self.since
        } else {
            self.since + ALONE
        })
    }

    /// Whether bars are below the line now. If not, the next line is alone at first again.
    pub(super) fn has_bars(&mut self, so: bool) {
        self.has_bars = so;
    }

    pub(super) fn cursor(&self) -> Cursor {
        let is_full = self.column >= self.width;
        let last = is_full.then(|| self.last.clone());
        let wide = self.last.chars().next().and_then(UnicodeWidthChar::width);
        let back = if is_full { wide.unwrap_or(1) } else { 0 };
        Cursor {
            column: self.column - back,
            last,
        }
    }
}

/// The length of the rest of the sequence that is begun, among these bytes.
fn rest(splitter: &mut Splitter, bytes: &[u8]) -> usize {
    for at in 0..bytes.len() {
        let mut byte = &bytes[at..=at];
        let _ = splitter.sequence(&mut byte);
        if !splitter.is_within() {
            // The byte that ends it may be no part of it.
            return at + usize::from(byte.is_empty());
        }
    }
    bytes.len()
}

impl Cursor {
    /// The sequence (CUF) that moves it there from the beginning of the row.
    pub(super) fn forward(&self) -> Vec<u8> {
        match self.column {
            0 => Vec::new(),
            columns => format!("\x1b[{columns}C").into_bytes(),
        }
    }
}
