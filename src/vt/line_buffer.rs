//! The lines that one stream of the child would leave on a terminal of its own: which of them are done, and which are
//! still being redrawn.
//!
//! A line that was never redrawn is kept as it was written, and given out when it is complete. A line that was redrawn,
//! by a carriage return, backspaces or any motion of the cursor, is kept in columns; its last state is given out when
//! it is complete. If a program has moved up by some lines, as many last lines are kept back from then on; lines that
//! were given out already are taken back if nothing else was written since.
//!
//! Does not know when anything is drawn, and what bars are.

pub(super) mod row;
mod sequence;

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::ops::Range;

use super::lexer::{Piece, Splitter};

use self::row::{Cells, Row, WIDEST, tab};
use super::sgr::Style;

pub(crate) use self::row::rows_of;

/// The most lines that are kept back: no program redraws more than a screen.
const MOST_ROWS: usize = 128;
/// How much of what was given out can be taken back, in bytes.
const TAIL: usize = 16 * 1024;
/// How much of a line that is not complete is gathered, in bytes.
const GATHER: usize = 64 * 1024;
/// The longest line that is kept for redrawing, in columns. A longer one is given out when it is complete, with all
/// above it.
const LONGEST: usize = 4096;

const ENQUIRY: u8 = 0x05;
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
const ESCAPE: u8 = 0x1b;

/// One stream.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    splitter: Splitter,
    /// The lines that may still change: at least one.
    rows: VecDeque<Row>,
    /// Where the cursor is.
    row: usize,
    column: usize,
    style: Style,
    /// The style that is on after what was given out.
    left: Style,
    /// How many bytes of the only line, which is as it was written, were given out before it is complete.
    shown: usize,
    /// A carriage return that may be part of a line end.
    returned: bool,
    /// The first bytes of a character.
    partial: Vec<u8>,
    /// How many lines the program has moved up so far, at most.
    depth: usize,
    /// The end of what was given out, while nothing else was written after it.
    tail: Vec<u8>,
    saved: (usize, usize, Style),
    /// Text at absolute places, by row (a status line); none while the cursor is among the lines.
    elsewhere: Option<usize>,
    places: Vec<(usize, Cells)>,
    /// The text of a status line beside the lines.
    state: Option<String>,
    /// Whether the overlong string that is being written goes to the terminal.
    passes: bool,
    /// Whether there is text in the only line that is not shown.
    has_text: bool,
    /// How many columns the screen has.
    width: usize,
    /// The text of the redrawn line, if it was asked for since the last write.
    message: OnceCell<Option<String>>,
}

impl Default for LineBuffer {
    fn default() -> Self {
        Self {
            splitter: Splitter::default(),
            rows: VecDeque::from([Row::new(b"", &Style::default())]),
            row: 0,
            column: 0,
            style: Style::default(),
            left: Style::default(),
            shown: 0,
            returned: false,
            partial: Vec::new(),
            depth: 0,
            tail: Vec::new(),
            saved: Default::default(),
            elsewhere: None,
            places: Vec::new(),
            state: None,
            passes: false,
            has_text: false,
            width: WIDEST + 1,
            message: OnceCell::new(),
        }
    }
}

/// What a write changes on the screen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The end of what was given out before, which is erased first.
    pub(crate) back: Vec<u8>,
    /// What is shown in its place, and after it.
    pub(crate) done: Vec<u8>,
    /// Bytes for the terminal that have no place on the screen, such as its title.
    pub(crate) aside: Vec<u8>,
}

impl LineBuffer {
    /// An empty one, where the terminal has this style.
    fn in_style(style: &Style) -> Self {
        Self {
            rows: VecDeque::from([Row::new(b"", style)]),
            style: style.clone(),
            left: style.clone(),
            ..Self::default()
        }
    }

    /// For a terminal where a lone byte can be a control character, if `so`.
    pub(crate) fn eight_bits(&mut self, so: bool) {
        self.splitter = Splitter::default().eight_bits(so);
    }

    /// The screen has this many columns.
    pub(crate) fn resize(&mut self, width: usize) {
        self.width = width.clamp(1, WIDEST + 1);
    }

    /// Takes in what the child wrote.
    pub(crate) fn write(&mut self, bytes: &[u8], change: &mut Change) {
        if self.is_plain() && is_plain(bytes) {
            self.write_lines(bytes, change);
        } else {
            self.write_pieces(bytes, change);
            self.message.take();
        }
        if self.rows[self.row].length() > GATHER {
            self.flush(change);
        }
        // Not at each write: the lines that stay are moved to the front.
        if self.tail.len() > 2 * TAIL {
            let begin = end_of(&self.tail).start;
            self.tail.drain(..begin);
        }
    }

    /// The text of the line that is being redrawn. It is found when it is asked for, once a frame, and not at each
    /// write: a program may write byte by byte, below many lines that are kept back.
    pub(crate) fn message(&self) -> Option<&str> {
        self.message.get_or_init(|| self.live_text()).as_deref()
    }

    /// Whether a sequence is begun.
    pub(crate) fn is_within(&self) -> bool {
        self.splitter.is_within()
    }

    /// Gives this out as it is, after all that is there. It cannot be taken back.
    fn give_as_is(&mut self, bytes: &[u8], change: &mut Change) {
        self.flush(change);
        change.done.extend_from_slice(bytes);
        self.tail.clear();
    }

    /// Whether there is text that is not shown, and that is not being redrawn.
    pub(crate) fn has_open(&self) -> bool {
        // A line that ends with a carriage return is about to be redrawn, unless that is half of its end.
        self.has_text && !self.returned && self.open().is_some()
    }

    /// Shows the open line.
    pub(crate) fn show_open(&mut self, change: &mut Change) {
        let Some(line) = self.open() else {
            return;
        };
        let length = line.len();
        let rest = self.first();
        self.has_text = false;
        self.shown = length;
        self.left = self.style.clone();
        self.give(&rest, change);
    }

    fn open(&self) -> Option<&[u8]> {
        let line = self.rows[0].written.as_deref();
        line.filter(|_| self.rows.len() == 1)
    }

    /// Whether there are complete lines that are not shown because they may be redrawn.
    pub(crate) fn has_lines(&self) -> bool {
        self.row > 0 && self.row + 1 == self.rows.len()
    }

    /// Shows these lines. They can be taken back.
    pub(crate) fn show_lines(&mut self, change: &mut Change) {
        while self.has_lines() {
            self.give_first(change);
        }
        self.message.take();
    }

    /// Gives out everything, as it is now.
    pub(crate) fn flush(&mut self, change: &mut Change) {
        while self.rows.len() > 1 {
            self.give_first(change);
        }
        let mut last = self.first();
        let places = std::mem::take(&mut self.places);
        for (_, place) in &places {
            if !last.is_empty() {
                last.push(b'\n');
            }
            last.extend_from_slice(&place.rendered());
        }
        last.append(&mut self.partial);
        if self.rows[0].written.is_none() {
            last.extend(self.style.on());
        }
        if self.splitter.is_within() {
            last.extend_from_slice(self.splitter.written());
        }
        change.done.extend_from_slice(&last);
        *self = Self {
            splitter: self.splitter.anew(),
            depth: self.depth,
            passes: self.passes,
            width: self.width,
            ..Self::in_style(&self.style)
        };
    }

    /// Something else was written after what was given out: nothing can be taken back.
    pub(crate) fn is_covered(&mut self) {
        self.tail.clear();
    }

    /// Whether whole lines go through as they are.
    fn is_plain(&self) -> bool {
        self.open().is_some()
            && self.depth == 0
            && self.elsewhere.is_none()
            && !self.returned
            && !self.splitter.is_within()
    }

    /// The way of most output, for the price of a copy.
    fn write_lines(&mut self, bytes: &[u8], change: &mut Change) {
        let complete = memchr::memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        if complete > 0 {
            let start = change.done.len();
            let line = self.first();
            change.done.extend_from_slice(&line);
            change.done.extend_from_slice(&bytes[..complete]);
            self.rows[0] = Row::new(b"", &self.style);
            self.has_text = false;
            self.left = self.style.clone();
            let given = &change.done[start..];
            self.tail.extend_from_slice(&given[end_of(given)]);
        }
        self.has_text |= has_text(&bytes[complete..]);
        self.rows[0].push(&bytes[complete..]);
    }

    fn write_pieces(&mut self, bytes: &[u8], change: &mut Change) {
        let mut rest = bytes;
        // The pieces borrow from the splitter, and the buffer has to be free meanwhile.
        let mut splitter = std::mem::take(&mut self.splitter);
        while let Some(piece) = splitter.next(&mut rest) {
            // Not before it is known that no line end follows.
            if self.returned {
                match piece {
                    Piece::Control(b'\r') => continue,
                    Piece::Control(b'\n') => {}
                    _ => self.go_to(0, change),
                }
                self.returned = false;
            }
            if let Some(written) = self.style.note(&piece) {
                self.keep(&written);
                continue;
            }
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Control(control) => self.control(control, change),
                Piece::Csi { parameters, last } => self.csi(parameters, last, change),
                Piece::Escape(sequence) => self.escape(sequence, change),
                Piece::String { content, written } => self.string(content, written, change),
                Piece::Long { begins, written } => self.long(begins, written, change),
            }
        }
        self.splitter = splitter;
    }

    fn text(&mut self, text: &[u8]) {
        if self.is_at_end() {
            self.has_text = true;
            self.keep(text);
            return;
        }
        self.partial.extend_from_slice(text);
        let bytes = std::mem::take(&mut self.partial);
        let (whole, cut) = bytes.split_at(whole_characters(&bytes));
        self.partial.extend_from_slice(cut);
        let (text, style) = (String::from_utf8_lossy(whole), self.style.clone());
        let column = self.column;
        self.column = self.cells().write(column, &text, &style);
    }

    fn control(&mut self, control: u8, change: &mut Change) {
        match control {
            b'\n' => self.line_feed(change),
            b'\r' => self.returned = true,
            BACKSPACE => {
                self.draw(change);
                self.column = self.column.saturating_sub(1);
            }
            BELL => change.aside.push(control),
            // Asks the terminal for its name (ENQ).
            ENQUIRY => {}
            b'\t' if !self.is_at_end() => self.column = tab(self.column),
            _ => self.keep(&[control]),
        }
    }

    /// Keeps a sequence that has no width where it stands, in a line that is given out as it was written.
    fn keep(&mut self, sequence: &[u8]) {
        if self.elsewhere.is_none() {
            self.rows[self.row].push(sequence);
        }
    }

    /// Whether the cursor is at the end of a line as it was written.
    fn is_at_end(&self) -> bool {
        self.elsewhere.is_none() && self.rows[self.row].written.is_some()
    }

    /// Makes the cursor's line one of columns.
    fn draw(&mut self, change: &mut Change) {
        if self.elsewhere.is_some() {
            return;
        }
        if std::mem::take(&mut self.shown) > 0 {
            let begun = memchr::memrchr(b'\n', &self.tail).map_or(0, |newline| newline + 1);
            self.take_back(begun, change);
        }
        if let Some(column) = self.rows[self.row].draw() {
            self.column = column;
        }
    }

    /// The columns of the cursor's line.
    fn cells(&mut self) -> &mut Cells {
        if let Some(place) = self.elsewhere {
            let known = self.places.iter().position(|(row, _)| *row == place);
            let index = known.unwrap_or_else(|| {
                if self.places.len() == MOST_ROWS {
                    self.places.remove(0);
                }
                self.places.push((place, Cells::default()));
                self.places.len() - 1
            });
            // The last line says what is going on.
            let place = self.places.remove(index);
            self.places.push(place);
            let last = self.places.len() - 1;
            return &mut self.places[last].1;
        }
        self.rows[self.row].cells()
    }

    fn go_to(&mut self, column: usize, change: &mut Change) {
        self.draw(change);
        self.column = column.min(self.width - 1);
    }

    fn line_feed(&mut self, change: &mut Change) {
        if self.elsewhere.take().is_some() {
            // The program has left the status line.
            let mut places = std::mem::take(&mut self.places);
            places.sort_unstable_by_key(|(row, _)| *row);
            if !places.is_empty() {
                self.draw(change);
                let lines = places.into_iter().map(|(_, cells)| Row::of(cells));
                self.rows.extend(lines);
                self.row = self.rows.len() - 1;
            }
        }
        self.column = 0;
        let shown = self.shown > 0;
        if self.row + 1 < self.rows.len() {
            self.row += 1;
            self.draw(change);
            self.column = 0;
            return;
        }
        self.partial.clear();
        let is_long = self.rows[self.row].length() > LONGEST;
        self.rows.push_back(Row::new(b"", &self.style));
        self.has_text = false;
        self.row += 1;
        let kept = if shown || is_long { 0 } else { self.depth };
        while self.row > kept {
            self.give_first(change);
        }
    }

    fn up(&mut self, many: usize, change: &mut Change) {
        let many = many.min(MOST_ROWS);
        self.draw(change);
        self.elsewhere = None;
        let mut missing = many.saturating_sub(self.row);
        while missing > 0 && self.rows.len() < MOST_ROWS {
            let Some(length) = self.tail.len().checked_sub(1) else {
                break;
            };
            let begin = memchr::memrchr(b'\n', &self.tail[..length]).map(|newline| newline + 1);
            // A row whose beginning was cut off is no line.
            let Some(begin) = begin.or((self.tail.len() < TAIL).then_some(0)) else {
                break;
            };
            let line = self.tail[begin..length].to_vec();
            self.take_back(begin, change);
            self.rows.push_front(Row::new(&line, &Style::default()));
            self.row += 1;
            missing -= 1;
        }
        self.row = self.row.saturating_sub(many);
        self.depth = self.depth.max(self.rows.len() - 1 - self.row + missing);
        self.land(change);
    }

    fn down(&mut self, many: usize, change: &mut Change) {
        self.draw(change);
        self.elsewhere = None;
        self.row = (self.row + many.min(MOST_ROWS)).min(self.rows.len() - 1);
        self.land(change);
    }

    /// The cursor is in another line, in the same column.
    fn land(&mut self, change: &mut Change) {
        let column = self.column;
        self.draw(change);
        self.column = column;
    }

    fn save(&mut self) {
        self.saved = (self.row, self.column, self.style.clone());
    }

    fn restore(&mut self) {
        // The text at an absolute place was a status line.
        if self.elsewhere.take().is_some() {
            self.state = self.places.last().map(|(_, place)| place.text());
            self.places.clear();
        }
        self.row = self.saved.0.min(self.rows.len() - 1);
        self.column = self.saved.1;
        let style = self.saved.2.clone();
        if style != self.style {
            self.keep(&self.style.to(&style));
            self.style = style;
        }
    }

    fn erase_below(&mut self, change: &mut Change) {
        if self.elsewhere.is_some() {
            return;
        }
        self.rows.truncate(self.row + 1);
        if !self.is_at_end() {
            self.draw(change);
            let column = self.column;
            self.cells().erase(column, usize::MAX);
        }
    }

    /// Clears the screen (ED), and what is drawn on it.
    fn clear(&mut self, change: &mut Change) {
        // The color that is on now stays on, whatever is dropped with the lines.
        change.done.extend_from_slice(b"\x1b[0m");
        change.done.extend(self.left.to(&self.style));
        change.done.extend_from_slice(b"\x1b[H\x1b[2J");
        let splitter = std::mem::take(&mut self.splitter);
        *self = Self {
            splitter,
            width: self.width,
            ..Self::in_style(&self.style)
        };
    }

    /// The first line as it is shown, without what is shown of it already.
    fn first(&mut self) -> Vec<u8> {
        let shown = std::mem::take(&mut self.shown);
        self.rows[0].rendered(shown, &self.left)
    }

    /// Gives out the first line of several.
    fn give_first(&mut self, change: &mut Change) {
        let mut line = self.first();
        line.push(b'\n');
        let first = self.rows.pop_front();
        let is_drawn = first.is_some_and(|row| row.written.is_none());
        self.left = match self.rows.front() {
            Some(next) if !is_drawn => next.style.clone(),
            _ => Style::default(),
        };
        self.row = self.row.saturating_sub(1);
        self.saved.0 = self.saved.0.saturating_sub(1);
        self.give(&line, change);
    }

    fn give(&mut self, bytes: &[u8], change: &mut Change) {
        change.done.extend_from_slice(bytes);
        self.tail.extend_from_slice(bytes);
    }

    /// Takes back what was given out, from this byte of the tail on.
    fn take_back(&mut self, from: usize, change: &mut Change) {
        // The style at that place is not known: it is switched off before anything else is given out.
        let has_style = !self.left.is_usual();
        let written = if has_style {
            &self.tail[..]
        } else {
            &self.tail[from..]
        };
        self.left = Style::of_unknown(written);
        let back = self.tail.split_off(from);
        let unseen = back.len().min(change.done.len());
        change.done.truncate(change.done.len() - unseen);
        change
            .back
            .splice(..0, back[..back.len() - unseen].iter().copied());
    }

    fn live_text(&self) -> Option<String> {
        if let Some((_, place)) = self.places.last() {
            return Some(place.text());
        }
        if self.state.is_some() {
            return self.state.clone();
        }
        let is_live = self.returned || self.open().is_none();
        let from_here = self.rows.iter().take(self.row + 1).rev();
        from_here
            .filter(|_| is_live)
            .map(Row::text)
            .find(|text| !text.trim().is_empty())
            .map(str::to_owned)
    }
}

/// The last of these bytes, as far as they are kept: whole lines, if it holds any.
fn end_of(bytes: &[u8]) -> Range<usize> {
    let begin = bytes.len().saturating_sub(TAIL);
    let newline = memchr::memchr(b'\n', &bytes[begin..]).filter(|_| begin > 0);
    let cut = newline.map_or(0, |newline| newline + 1);
    let is_last = begin + cut == bytes.len();
    begin + if is_last { 0 } else { cut }..bytes.len()
}

/// Whether these bytes are nothing but lines of text.
fn is_plain(bytes: &[u8]) -> bool {
    let is_other = |byte: &u8| {
        matches!(
            *byte,
            b'\r' | BACKSPACE | ESCAPE | ENQUIRY | SHIFT_OUT | SHIFT_IN
        )
    };
    // Bytes that are no characters are excluded: they are control characters where the terminal's character set is not
    // UTF-8.
    let is_text = || {
        let text = std::str::from_utf8(bytes);
        text.is_ok_and(|text| {
            !text
                .chars()
                .any(|character| matches!(character, '\u{80}'..='\u{9f}'))
        })
    };
    !bytes.iter().any(is_other) && (bytes.is_ascii() || is_text())
}

/// Whether these bytes hold any text, not only sequences and control characters.
fn has_text(bytes: &[u8]) -> bool {
    let (mut splitter, mut rest) = (Splitter::default(), bytes);
    std::iter::from_fn(|| Some(matches!(splitter.next(&mut rest)?, Piece::Text(_))))
        .any(|is_text| is_text)
}

/// How many of these bytes are whole characters, or none at all.
pub(crate) fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80);
    let Some(last) = last.filter(|last| bytes.len() - last < 4) else {
        return bytes.len();
    };
    let length = match bytes[last] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if bytes.len() - last < length {
        last
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(page: &mut LineBuffer, bytes: &[u8]) -> (String, String) {
        let mut change = Change::default();
        page.write(bytes, &mut change);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(change.back), text(change.done))
    }

    fn pair(back: &str, done: &str) -> (String, String) {
        (back.to_owned(), done.to_owned())
    }

    #[test]
    fn lines_that_are_not_redrawn_pass_as_they_are() {
        let mut page = LineBuffer::default();
        let written = "one\ttwo\n\x1b[31mred\x1b[0m \x1b[Kend\r\n\x07";
        assert_eq!(change(&mut page, b"one"), pair("", ""));
        assert!(page.has_open());
        assert_eq!(change(&mut page, b"\ttwo\nth"), pair("", "one\ttwo\n"));
        let mut page = LineBuffer::default();
        let passed = "one\ttwo\n\x1b[31mred\x1b[0m \x1b[Kend\n";
        assert_eq!(change(&mut page, written.as_bytes()), pair("", passed));
        assert_eq!(page.message(), None);
    }

    #[test]
    fn a_line_with_a_carriage_return_at_its_end_is_being_redrawn() {
        let mut page = LineBuffer::default();
        assert_eq!(change(&mut page, b" 10% of a\r"), pair("", ""));
        assert!(!page.has_open());
        assert_eq!(page.message(), Some(" 10% of a"));
        assert_eq!(change(&mut page, b"\n"), pair("", " 10% of a\n"));
        assert_eq!(page.message(), None);
    }

    #[test]
    fn a_line_with_a_carriage_return_at_its_beginning_is_being_redrawn() {
        let mut page = LineBuffer::default();
        assert_eq!(change(&mut page, b"\r 10% of a"), pair("", ""));
        assert!(!page.has_open());
        assert_eq!(page.message(), Some(" 10% of a"));
        assert_eq!(change(&mut page, b"\r 20% of a\n"), pair("", " 20% of a\n"));
    }

    #[test]
    fn a_sequence_alone_is_no_open_line() {
        let mut page = LineBuffer::default();
        change(&mut page, b"a\n\x1b[0m");
        assert!(!page.has_open());
    }

    #[test]
    fn what_is_shown_of_a_line_is_taken_back_when_it_is_redrawn() {
        let mut page = LineBuffer::default();
        change(&mut page, b"before\n 10%");
        page.show_open(&mut Change::default());
        assert_eq!(change(&mut page, b"\r 20%"), pair(" 10%", ""));
        assert_eq!(page.message(), Some(" 20%"));
        assert_eq!(change(&mut page, b"\n"), pair("", " 20%\n"));
        // Another program has written after it.
        change(&mut page, b" 10%");
        page.show_open(&mut Change::default());
        page.is_covered();
        assert_eq!(change(&mut page, b"\r 20%"), pair("", ""));
    }

    #[test]
    fn lines_that_a_program_moves_up_to_are_taken_back_once_and_then_kept_back() {
        let mut page = LineBuffer::default();
        assert_eq!(change(&mut page, b"x\na\nb\n"), pair("", "x\na\nb\n"));
        assert_eq!(change(&mut page, b"\x1b[2A"), pair("a\nb\n", ""));
        assert_eq!(change(&mut page, b"A\nB\n"), pair("", ""));
        assert_eq!(page.message(), Some("B"));
        assert_eq!(change(&mut page, b"c\n"), pair("", "A\n"));
        let mut last = Change::default();
        page.flush(&mut last);
        assert_eq!(last.done, b"B\nc\n");
    }

    #[test]
    fn a_style_that_is_on_goes_on_after_a_redrawn_line() {
        let mut page = LineBuffer::default();
        let done = "\x1b[32mb\x1b[0m\n\x1b[32mgreen\n";
        assert_eq!(change(&mut page, b"\x1b[32ma\rb\ngreen\n"), pair("", done));
    }

    #[test]
    fn a_cleared_screen_is_cleared() {
        let mut page = LineBuffer::default();
        let (back, done) = change(&mut page, b"a\n\x1b[H\x1b[2J\x1b[3Jb\n");
        assert_eq!(back, "");
        assert!(done.starts_with("a\n\x1b[0m\x1b[H\x1b[2J"), "{done:?}");
        assert!(done.ends_with("b\n"), "{done:?}");
    }

    #[test]
    fn no_number_in_a_sequence_moves_the_cursor_beyond_all_columns() {
        let most = usize::MAX;
        for motion in ["C", "G", "`", "X", "B", "E", "A", "F", "D", "d", "P", "@"] {
            for column in [
                format!("{most}"),
                format!("1{most}"),
                format!("{most};{most}"),
            ] {
                let mut page = LineBuffer::default();
                let written =
                    format!("a\r\x1b[{column}{motion}x\t\x1b[1K\x1b[{most}Xy\t\x08z\x1b[K\n");
                change(&mut page, written.as_bytes());
                assert!(page.column <= WIDEST, "{motion}");
                let places =
                    format!("\x1b[{most};{most}Hx\x1b[1K\x1b[{most}C\t\x1b7\x1b8\x1b[1Ky\n");
                change(&mut page, places.as_bytes());
                page.flush(&mut Change::default());
            }
        }
        // A fuzzer found this one first.
        let mut page = LineBuffer::default();
        let written = b"hello\r\x1b[18446744073709551615Cx\nworld\n";
        assert_eq!(change(&mut page, written), pair("", "hello\nworld\n"));
        page.resize(8);
        let right = "\r\x1b[99Cx\r\x1b[99GX\n";
        assert_eq!(change(&mut page, right.as_bytes()), pair("", "       X\n"));
    }

    #[test]
    fn many_small_writes_below_many_long_lines_are_each_a_small_matter() {
        let mut page = LineBuffer::default();
        let mut write = |bytes: &[u8]| {
            page.write(bytes, &mut Change::default());
            let kept: usize = page.rows.iter().map(Row::length).sum();
            assert!(kept <= GATHER + MOST_ROWS * LONGEST, "{kept}");
            page.has_open()
        };
        write(&[b'\n'; MOST_ROWS - 1]);
        write(b"\x1b[127A");
        let line = [&vec![b' '; 60_000][..], b"\n"].concat();
        for _ in 0..260 {
            write(&line);
        }
        let line = [&[b' '; LONGEST][..], b"\n"].concat();
        for _ in 0..2 * MOST_ROWS {
            write(&line);
        }
        // One by one these would take hours if each decoded the lines above.
        for _ in 0..50_000 {
            write(b"\r");
        }
        write(b"\n");
        for _ in 0..GATHER / 8 {
            write(b"\x1b[1;31m");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_or_keep_much(
            writes in prop::collection::vec(
                prop::collection::vec(
                    prop_oneof![
                        any::<u8>(),
                        prop::sample::select(&b"\x1b[]0123456789;?ABCDEFGHJKXMdfhlmrsu78\r\n\x08\tab"[..]),
                    ],
                    0..200,
                ),
                0..20,
            )
        ) {
            let mut page = LineBuffer::default();
            for write in &writes {
                page.write(write, &mut Change::default());
                page.show_open(&mut Change::default());
                prop_assert!(page.rows.len() <= 3 * MOST_ROWS);
                prop_assert!(page.row < page.rows.len());
            }
            page.flush(&mut Change::default());
        }
    }
}
