//! A record: what stands on a line of the screen at one time.
//!
//! Knows how a record begins and ends, and how much is kept of one that is not complete. Does not know what it says.

use crate::vt::Piece;

/// The longest record that is read where no dialect of lines claims it by its beginning.
pub(super) const RECORD_LIMIT: usize = 2048;
/// How many bytes of a line a dialect sees when it is asked whether the line can be its own.
pub(super) const HEAD: usize = 64;

/// What stood on a line of the screen, without escape sequences.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The text, of one byte or more.
    pub(super) text: &'a [u8],
    /// Whether it was written over other text, or other text over it. Else it is a plain line.
    pub(super) redrawn: bool,
    /// Whether a newline came after it: it stays where it is.
    pub(super) stays: bool,
    /// Whether it has been read before, when more of it could still come.
    pub(super) again: bool,
    /// The row of the screen, counted from where the stream began.
    pub(super) row: i64,
    /// The topmost row on which the cursor was since the record before: what stands from there on is redrawn together.
    pub(super) top: i64,
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The line ends.
    Newline,
    /// The cursor moves.
    Motion,
    /// The stream ends.
    End,
}

/// The record that is being written.
#[derive(Debug, Default)]
pub(super) struct OpenRecord {
    pub(super) text: Vec<u8>,
    /// Whether it began where the cursor had gone back to.
    pub(super) redrawn: bool,
    /// Whether a carriage return came after it. Before a newline that changes nothing; before anything else it ends the
    /// record.
    pub(super) returned: bool,
    /// Whether it was too long, and is thrown away.
    pub(super) lost: bool,
    /// How many bytes of it were there when the stream fell silent, so that it is not waited for again.
    pub(super) settled: usize,
    /// How many of those were read. A record that a dialect of lines may want is not read before its end.
    pub(super) read: usize,
}

impl OpenRecord {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.lost
    }

    /// Adds as much of the text to the record as has room; `longest` says how long a record with this head may be.
    pub(super) fn push(&mut self, text: &[u8], longest: impl Fn(&[u8]) -> usize) {
        if self.lost {
            return;
        }
        let length = self.text.len() + text.len();
        if length > RECORD_LIMIT {
            // Enough to ask by, and no more: a gigabyte without newline may come in one piece.
            let more = text.len().min(HEAD.saturating_sub(self.text.len()));
            self.text.extend_from_slice(&text[..more]);
            if length > longest(head(&self.text)) {
                self.lost = true;
                self.text = Vec::new();
                return;
            }
            self.text.extend_from_slice(&text[more..]);
            return;
        }
        self.text.extend_from_slice(text);
    }

    /// Begins the next record, after an end of this kind.
    pub(super) fn begin(&mut self, edge: Edge) {
        self.text.clear();
        self.redrawn = edge == Edge::Motion;
        self.returned = false;
        self.lost = false;
        self.settled = 0;
        self.read = 0;
    }
}

/// The farthest that the cursor is followed in one step: no screen has more rows.
const FARTHEST: u64 = 10_000;

/// The row of the cursor. Rows are counted from where the stream began, or from far below for a program that names rows
/// of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub(super) row: i64,
    /// The topmost row since the last record.
    pub(super) top: i64,
    /// The lowest row on which a record has ended.
    written: i64,
    saved: i64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            row: 0,
            top: 0,
            written: -1,
            saved: 0,
        }
    }
}

impl Cursor {
    /// What is added to the numbers of rows of the screen.
    pub(super) const SCREEN: i64 = 1 << 40;

    /// The line ends.
    pub(super) fn next_line(&mut self) {
        self.row += 1;
        self.top = self.top.min(self.row);
    }

    /// A record ends.
    pub(super) fn end_record(&mut self) {
        self.top = i64::MAX;
        self.written = self.written.max(self.row);
    }

    /// Whether there has been a record on the row.
    pub(super) fn is_on_record(&self) -> bool {
        self.row <= self.written
    }

    /// The rows of the cursor, and of the saved one, behind a sequence.
    pub(super) fn behind(&self, sequence: Piece<'_>) -> (i64, i64) {
        let (row, saved) = (self.row, self.saved);
        match sequence {
            Piece::Escape(b"7") | Piece::Csi { last: b's', .. } => (row, row),
            Piece::Escape(b"8") | Piece::Csi { last: b'u', .. } => (saved, saved),
            Piece::Escape(b"M") => (row - 1, saved),
            Piece::Escape(b"D" | b"E") => (row + 1, saved),
            Piece::Csi { parameters, last } => {
                let first = parameters
                    .split(|byte| *byte == b';')
                    .next()
                    .unwrap_or_default();
                let number = std::str::from_utf8(first)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok());
                let number = i64::try_from(number.unwrap_or(1).clamp(1, FARTHEST)).unwrap_or(1);
                match last {
                    b'A' | b'F' => (row - number, saved),
                    b'B' | b'E' | b'e' => (row + number, saved),
                    b'H' | b'f' | b'd' => (Self::SCREEN + number, saved),
                    _ => (row, saved),
                }
            }
            _ => (row, saved),
        }
    }

    /// The cursor goes there.
    pub(super) fn go(&mut self, (row, saved): (i64, i64)) {
        self.row = row;
        self.saved = saved;
        self.top = self.top.min(row);
    }
}

/// The beginning of a line, by which the dialects are chosen.
pub(super) fn head(line: &[u8]) -> &[u8] {
    &line[..line.len().min(HEAD)]
}

/// Whether a sequence says where the next character goes, or erases something. Other sequences end no record: colours,
/// character sets, modes.
pub(super) fn moves(sequence: Piece<'_>) -> bool {
    match sequence {
        // Save and restore the cursor (DECSC, DECRC), move it up, down, to the next line (IND, NEL, RI); reset (RIS).
        Piece::Escape(short) => matches!(short, b"7" | b"8" | b"D" | b"E" | b"M" | b"c"),
        Piece::Csi { parameters, last } => match last {
            // Colours (SGR), modes, the cursor's shape, questions to the terminal.
            b'm' | b'h' | b'l' | b'q' | b'c' | b'n' | b't' | b'p' => false,
            // Erases what follows (EL), of which there is nothing yet: compilers and grep put it after every colour.
            b'K' => !matches!(parameters, b"" | b"0"),
            _ => true,
        },
        Piece::Text(_) | Piece::Control(_) | Piece::String { .. } | Piece::Long { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vt::Splitter;

    #[test]
    fn colours_and_modes_end_no_record_and_what_moves_the_cursor_does() {
        let moves = |sequence: &str| {
            let mut splitter = Splitter::default();
            let mut bytes = sequence.as_bytes();
            splitter.sequence(&mut bytes).is_some_and(moves)
        };
        for nothing in ["[m", "[1;31m", "[?25l", "[K", "[0K", "(B", "=", "[1 q"] {
            assert!(!moves(&format!("\x1b{nothing}")), "{nothing}");
        }
        for motion in ["[A", "[2K", "[1G", "[10;20H", "[J", "7", "8", "M"] {
            assert!(moves(&format!("\x1b{motion}")), "{motion}");
        }
    }
}
