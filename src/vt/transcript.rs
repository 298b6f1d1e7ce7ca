//! What one stream of the child leaves on a terminal, as the text of a log: each line as it was seen at its end.
//!
//! A line without control characters passes byte for byte. Carriage returns, backspaces, motions of the cursor and
//! erasures have their effect; colors, titles, links and all other sequences are left out, and so is the alternate
//! screen. A line is given out when it is complete. From when a program has moved the cursor up, or hides it, the lines
//! that are still on the screen are kept back, because they may be redrawn.
//!
//! Memory is bounded: of a line without an end the beginning is given out, and of one that is redrawn only the last
//! columns are kept. Knows no file and no clock.

use std::collections::VecDeque;
use std::time::Duration;

use memchr::{memchr, memchr_iter, memrchr_iter};
use unicode_width::UnicodeWidthChar;

use super::lexer::{Piece, Splitter, numbers};
use super::line_buffer::row::{Cells, WIDEST, tab};
use super::line_buffer::whole_characters;
use super::sgr::Style;

/// How many bytes of a line that is not complete are kept.
const LONGEST: usize = 16 * 1024;
/// The most rows that are kept back, on however high a terminal.
const MOST_ROWS: usize = 128;
/// How long a line is kept back that its program has not come back to, if that moves the cursor up. Long enough for
/// meters that are drawn only when something happens.
const OLD: Duration = Duration::from_secs(10);
/// The same for a line that was redrawn by a program that has never moved up: it may be the first of several meters.
const SOON: Duration = Duration::from_secs(1);

const BACKSPACE: u8 = 0x08;
const VERTICAL_TAB: u8 = 0x0b;
const FORM_FEED: u8 = 0x0c;
const DELETE: u8 = 0x7f;

/// Takes text that is done, and when its last line was. The text is whole lines, or a part of one.
pub(crate) type Give<'a> = &'a mut dyn FnMut(Duration, &[u8]);

/// One stream.
#[derive(Debug)]
pub(crate) struct Transcript {
    splitter: Splitter,
    /// The lines that are not given out: at least one.
    rows: VecDeque<Row>,
    /// Where the cursor is. In a line that is as it was written, the cursor is at its end, and the column is 0.
    row: usize,
    column: usize,
    /// The columns and rows of the terminal.
    width: usize,
    height: usize,
    /// How many rows of the screen are above the first one here: they are given out already.
    above: usize,
    /// A carriage return that may be part of a line end.
    returned: bool,
    /// The first bytes of a character.
    partial: Vec<u8>,
    holding: Holding,
    place: Place,
    /// How many bytes of text are left out since the program went to the alternate screen.
    left_out: usize,
    /// The row of the screen and the column that the program has saved.
    saved: Option<(usize, usize)>,
    /// It has saved them, and has not gone back since.
    has_saved: bool,
    /// When it was written to last.
    now: Duration,
}

/// Which complete lines are kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holding {
    /// The last one, if it was redrawn.
    Little,
    /// Those on the screen, as long as the cursor is hidden: that is how many programs begin to draw.
    WhileHidden,
    /// Those on the screen: the program has moved up.
    Screen,
}

/// Where the program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Lines,
    /// A status line at a fixed place, from which it will go back to where it was.
    Status,
    AlternateScreen,
}

/// One line.
#[derive(Debug, Default)]
struct Row {
    /// Its text, as long as it was not redrawn.
    text: Vec<u8>,
    /// Its columns, once it was.
    cells: Option<Cells>,
    /// The program has gone to its beginning, or redrawn it.
    is_drawn: bool,
    /// Its beginning was given out.
    is_begun: bool,
    /// Nothing was written to it: the cursor only came here, maybe to a line that is given out already.
    is_blank: bool,
    /// When its text changed, and when the cursor was there.
    changed: Duration,
    visited: Duration,
}

impl Row {
    fn at(now: Duration) -> Self {
        Self {
            changed: now,
            visited: now,
            ..Self::default()
        }
    }

    fn blank(now: Duration) -> Self {
        Self {
            is_blank: true,
            ..Self::at(now)
        }
    }

    fn is_empty(&self) -> bool {
        let cells = self.cells.as_ref();
        !self.is_begun && self.text.is_empty() && cells.is_none_or(Cells::is_empty)
    }

    fn into_text(self) -> Vec<u8> {
        self.cells.map_or(self.text, |cells| cells.text().into())
    }

    /// How many rows of a terminal with this many columns it takes.
    fn height(&self, width: usize) -> usize {
        let columns = match &self.cells {
            Some(cells) => cells.width(),
            // A terminal shows no more columns than there are bytes, but for tabs.
            None if self.text.len() <= width && memchr(b'\t', &self.text).is_none() => 1,
            None => Cells::of(&self.text, Style::default()).1,
        };
        columns.div_ceil(width).max(1)
    }
}

impl Transcript {
    /// For a terminal of this many columns and rows; no columns: the stream is none, and its lines are not wrapped.
    #[must_use]
    pub(crate) fn new(width: Option<usize>, height: usize) -> Self {
        Self {
            splitter: Splitter::default(),
            rows: VecDeque::from([Row::default()]),
            row: 0,
            column: 0,
            width: width.unwrap_or(WIDEST).clamp(1, WIDEST),
            height: height.clamp(2, MOST_ROWS),
            above: 0,
            returned: false,
            partial: Vec::new(),
            holding: Holding::Little,
            place: Place::Lines,
            left_out: 0,
            saved: None,
            has_saved: false,
            now: Duration::ZERO,
        }
    }

    /// Takes in what the child has written.
    pub(crate) fn write(&mut self, bytes: &[u8], now: Duration, give: Give<'_>) {
        self.now = now;
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.takes_text() {
                let plain = plain_length(rest);
                let taken = plain - self.plain(&rest[..plain], give).len();
                rest = &rest[taken..];
            }
            // The pieces borrow from the splitter, and the lines have to be free meanwhile.
            let mut splitter = std::mem::take(&mut self.splitter);
            if let Some(piece) = splitter.next(&mut rest) {
                self.piece(piece, give);
            }
            self.splitter = splitter;
        }
    }

    /// Gives out everything as it stands. The last line gets no newline that it has not.
    pub(crate) fn finish(&mut self, now: Duration, give: Give<'_>) {
        self.now = now;
        self.end_character();
        while self.rows.len() > 1 && self.rows.back().is_some_and(|row| row.is_blank) {
            self.rows.pop_back();
        }
        while self.rows.len() > 1 {
            self.give_first(give);
        }
        let last = self
            .rows
            .pop_front()
            .map(Row::into_text)
            .unwrap_or_default();
        give(now, &last);
        // Of a program that left it, the rest is there. Of one that was killed there, or that only printed the sequence,
        // all would be missing without a word.
        if self.place == Place::AlternateScreen && self.left_out > 0 {
            let begin = if last.is_empty() { "" } else { "\n" };
            let note = format!(
                "{begin}[progrun: {} bytes are left out: they went to the alternate screen, which was never left]\n",
                self.left_out
            );
            give(now, note.as_bytes());
        }
        *self = Self::new(Some(self.width), self.height);
    }

    /// When [`give_old`](Self::give_old) is to be called if nothing is written; none: not at all.
    #[must_use]
    pub(crate) fn due(&self) -> Option<Duration> {
        let patience = if self.holding == Holding::Little {
            SOON
        } else {
            OLD
        };
        (self.row > 0).then(|| self.rows[0].visited + patience)
    }

    /// Gives out the lines that the program has not come back to for long.
    pub(crate) fn give_old(&mut self, now: Duration, give: Give<'_>) {
        while self.due().is_some_and(|due| due <= now) {
            self.give_first(give);
        }
    }

    /// About how many bytes of memory it takes.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn kept(&self) -> usize {
        let rows = self.rows.iter().map(|row| {
            let columns = row.cells.as_ref().map_or(0, Cells::width);
            row.text.capacity() + columns * 40
        });
        rows.sum::<usize>() + self.partial.capacity()
    }

    /// Whether what follows is text for the end of a line, up to the next control character.
    fn takes_text(&self) -> bool {
        self.rows[self.row].cells.is_none()
            && self.column == 0
            && self.place == Place::Lines
            && !self.returned
            && !self.splitter.is_within()
    }

    /// The way of most output: lines without control characters. Gives the rest, if the cursor comes to a line that is
    /// redrawn.
    fn plain<'a>(&mut self, mut bytes: &'a [u8], give: Give<'_>) -> &'a [u8] {
        while let Some(newline) = memchr(b'\n', bytes) {
            if let Some(end) = self.end_of_bulk(bytes) {
                self.give_bulk(&bytes[..=end], give);
                bytes = &bytes[end + 1..];
                continue;
            }
            self.push(&bytes[..newline], give);
            self.line_feed(give);
            bytes = &bytes[newline + 1..];
            if !self.takes_text() {
                return bytes;
            }
        }
        self.push(bytes, give);
        &[]
    }

    /// Where the last of these lines ends that will not be kept back, if there are any.
    fn end_of_bulk(&self, bytes: &[u8]) -> Option<usize> {
        let is_alone = self.rows.len() == 1 && !self.rows[0].is_drawn;
        let kept = match self.holding {
            Holding::Little if is_alone => 0,
            Holding::Screen | Holding::WhileHidden if self.is_last() => self.height - 1,
            _ => return None,
        };
        let is_blank = self.rows[self.row].is_blank;
        memrchr_iter(b'\n', bytes).nth(kept).filter(|_| !is_blank)
    }

    /// Gives out all that is there, and these lines.
    fn give_bulk(&mut self, lines: &[u8], give: Give<'_>) {
        while self.row > 0 {
            self.give_first(give);
        }
        give(self.now, &self.rows[0].text);
        give(self.now, lines);
        self.rows[0] = Row::at(self.now);
        let scrolled = memchr_iter(b'\n', lines).take(self.height).count();
        self.above = (self.above + scrolled).min(self.height - 1);
    }

    fn piece(&mut self, piece: Piece<'_>, give: Give<'_>) {
        if self.place == Place::AlternateScreen {
            self.piece_of_alternate_screen(piece);
            return;
        }
        // Not before it is known that no line end follows.
        if self.returned {
            match piece {
                Piece::Control(b'\r') => return,
                Piece::Control(b'\n') => {}
                _ => self.go_to(0, give),
            }
            self.returned = false;
        }
        match piece {
            Piece::Text(text) => {
                if self.place == Place::Lines {
                    self.text(text, give);
                }
                return;
            }
            Piece::Control(control) => self.control(control, give),
            Piece::Csi { parameters, last } => self.csi(parameters, last, give),
            Piece::Escape(sequence) => self.escape(sequence, give),
            Piece::String { .. } | Piece::Long { .. } => {}
        }
        self.forget_cells();
    }

    fn piece_of_alternate_screen(&mut self, piece: Piece<'_>) {
        let leaves = match piece {
            Piece::Csi {
                parameters: [b'?', modes @ ..],
                last: b'l',
            } => numbers(modes).any(is_alternate_screen),
            Piece::Escape(b"c") => true,
            Piece::Text(text) => {
                self.left_out += text.len();
                false
            }
            _ => false,
        };
        if leaves {
            self.place = Place::Lines;
            self.left_out = 0;
        }
    }

    fn control(&mut self, control: u8, give: Give<'_>) {
        self.end_character();
        match control {
            b'\n' | VERTICAL_TAB | FORM_FEED => {
                if self.place == Place::Status {
                    self.place = Place::Lines;
                    self.has_saved = false;
                }
                self.line_feed(give);
            }
            b'\r' => self.returned = true,
            _ if self.place == Place::Status => {}
            BACKSPACE => {
                self.draw(give);
                self.column = self.column.saturating_sub(1);
            }
            b'\t' if self.rows[self.row].cells.is_none() && self.column == 0 => {
                self.push(b"\t", give);
            }
            b'\t' => self.column = tab(self.column),
            _ => {}
        }
    }

    fn csi(&mut self, parameters: &[u8], last: u8, give: Give<'_>) {
        self.end_character();
        if let [b'?', modes @ ..] = parameters {
            self.modes(modes, last, give);
            return;
        }
        let mut given = numbers(parameters);
        let first = given.next().unwrap_or(0);
        let many = first.max(1);
        match last {
            b'H' | b'f' => {
                let column = given.next().unwrap_or(0).max(1) - 1;
                self.go_to_row(many - 1, column, give);
            }
            b'd' => self.go_to_row(many - 1, self.column, give),
            b's' if parameters.is_empty() => self.save(give),
            b'u' if parameters.is_empty() => self.restore(give),
            _ if self.place == Place::Status => {}
            b'K' => self.erase_line(first, give),
            b'J' => self.erase(first, give),
            b'X' => self.change(give, |cells, column| {
                cells.erase(column, column.saturating_add(many));
            }),
            b'@' => self.change(give, |cells, column| cells.insert(column, many)),
            b'P' => self.change(give, |cells, column| cells.delete(column, many)),
            b'G' | b'`' => self.go_to(many - 1, give),
            b'C' | b'a' => {
                self.draw(give);
                // Down to the end of the screen, which a line that is wrapped goes beyond.
                let end = self.column.max(self.width - 1);
                self.column = self.column.saturating_add(many).min(end);
            }
            b'D' => {
                self.draw(give);
                self.column = self.column.saturating_sub(many);
            }
            b'A' => self.up(many, give),
            b'F' => {
                self.up(many, give);
                self.go_to(0, give);
            }
            b'B' | b'e' => self.down(many, give),
            b'E' => {
                self.down(many, give);
                self.go_to(0, give);
            }
            _ => {}
        }
    }

    fn modes(&mut self, modes: &[u8], last: u8, give: Give<'_>) {
        for mode in numbers(modes) {
            match (mode, last, self.holding) {
                (25, b'l', Holding::Little) => self.holding = Holding::WhileHidden,
                (25, b'h', Holding::WhileHidden) => {
                    self.holding = Holding::Little;
                    while self.is_last() && self.row > 0 {
                        self.give_first(give);
                    }
                }
                (mode, b'h', _) if is_alternate_screen(mode) => self.place = Place::AlternateScreen,
                _ => {}
            }
        }
    }

    fn escape(&mut self, sequence: &[u8], give: Give<'_>) {
        self.end_character();
        match sequence {
            b"7" => self.save(give),
            b"8" => self.restore(give),
            b"c" => self.clear(give),
            _ if self.place == Place::Status => {}
            b"M" => self.up(1, give),
            b"D" | b"E" => self.line_feed(give),
            _ => {}
        }
    }

    /// Text in a line that is redrawn.
    fn text(&mut self, text: &[u8], give: Give<'_>) {
        self.draw(give);
        self.partial.extend_from_slice(text);
        let bytes = std::mem::take(&mut self.partial);
        let (whole, cut) = bytes.split_at(whole_characters(&bytes));
        let put = self.put(whole);
        if put == whole.len() {
            self.partial.extend_from_slice(cut);
            return;
        }
        // The line is longer than what can be redrawn.
        let row = &mut self.rows[self.row];
        let columns = row.cells.take().map(|cells| cells.whole());
        row.text = columns.unwrap_or_default().into();
        let length = row.text.len();
        self.column = 0;
        self.give_begin(length, give);
        self.push(&bytes[put..], give);
    }

    /// What was begun is no character.
    fn end_character(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        self.put(&partial);
    }

    /// Writes at the cursor, in a line of columns. Gives how many bytes have a place there.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let mut column = self.column;
        let mut text = String::new();
        let mut length = 0;
        'text: for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                column += character.width().unwrap_or(0);
                if column > WIDEST {
                    break 'text;
                }
                text.push(character);
                length += character.len_utf8();
            }
            if !chunk.invalid().is_empty() {
                column += 1;
                if column > WIDEST {
                    break;
                }
                text.push(char::REPLACEMENT_CHARACTER);
                length += chunk.invalid().len();
            }
        }
        let row = &mut self.rows[self.row];
        if let Some(cells) = row.cells.as_mut().filter(|_| !text.is_empty()) {
            row.is_blank = false;
            row.changed = self.now;
            self.column = cells.write(self.column, &text, &Style::default());
        }
        length
    }

    /// Adds to a line that was not redrawn.
    fn push(&mut self, mut bytes: &[u8], give: Give<'_>) {
        while !bytes.is_empty() {
            let row = &mut self.rows[self.row];
            row.is_blank = false;
            row.changed = self.now;
            let (now, after) = bytes.split_at(bytes.len().min(LONGEST - row.text.len()));
            row.text.extend_from_slice(now);
            if row.text.len() == LONGEST {
                self.give_begin(LONGEST, give);
            }
            bytes = after;
        }
    }

    /// Gives out the first bytes of the cursor's line, which was not redrawn, and all lines above it.
    fn give_begin(&mut self, length: usize, give: Give<'_>) {
        while self.row > 0 {
            self.give_first(give);
        }
        let row = &mut self.rows[0];
        let rest = row.text.split_off(length);
        let begin = std::mem::replace(&mut row.text, rest);
        row.is_begun = true;
        give(self.now, &begin);
    }

    /// Makes the cursor's line one of columns.
    fn draw(&mut self, give: Give<'_>) {
        let row = &self.rows[self.row];
        if row.cells.is_some() {
            return;
        }
        if row.text.is_empty() {
            self.rows[self.row].cells = Some(Cells::default());
            return;
        }
        if row.text.len() * 8 > WIDEST {
            let begin = row.text.len() - end_in_columns(&row.text);
            if begin > 0 {
                self.give_begin(begin, give);
            }
        }
        let row = &mut self.rows[self.row];
        let (cells, column) = Cells::of(&row.text.split_off(0), Style::default());
        row.cells = Some(cells);
        row.is_drawn = true;
        self.column = column;
    }

    /// A line that has become empty, with the cursor at its beginning, is as if it was never drawn.
    fn forget_cells(&mut self) {
        let row = &mut self.rows[self.row];
        if self.column == 0 && row.cells.as_ref().is_some_and(Cells::is_empty) {
            row.cells = None;
        }
    }

    fn change(&mut self, give: Give<'_>, change: impl FnOnce(&mut Cells, usize)) {
        self.draw(give);
        let row = &mut self.rows[self.row];
        row.changed = self.now;
        if let Some(cells) = &mut row.cells {
            change(cells, self.column);
        }
    }

    fn go_to(&mut self, column: usize, give: Give<'_>) {
        self.rows[self.row].is_drawn = true;
        if !self.rows[self.row].text.is_empty() {
            self.draw(give);
        }
        self.column = column.min(self.width - 1);
    }

    fn is_last(&self) -> bool {
        self.row + 1 == self.rows.len()
    }

    fn line_feed(&mut self, give: Give<'_>) {
        let now = self.now;
        self.column = 0;
        self.rows[self.row].visited = now;
        if !self.is_last() {
            self.row += 1;
            self.land(0, give);
            return;
        }
        let done = &mut self.rows[self.row];
        done.changed = now;
        let kept = match self.holding {
            Holding::Little => usize::from(done.is_drawn),
            Holding::WhileHidden | Holding::Screen => self.height - 1,
        };
        self.rows.push_back(Row::at(now));
        self.row += 1;
        while self.row > kept {
            self.give_first(give);
        }
        self.above = self.above.min(self.height - self.rows.len());
    }

    /// The cursor came to another line, to this column.
    fn land(&mut self, column: usize, give: Give<'_>) {
        self.rows[self.row].visited = self.now;
        if !self.rows[self.row].text.is_empty() {
            self.draw(give);
        }
        self.column = column;
    }

    fn up(&mut self, many: usize, give: Give<'_>) {
        self.holding = Holding::Screen;
        let mut column = self.leave(give);
        for _ in 0..many.min(self.height) {
            if column >= self.width {
                column -= self.width;
            } else if self.row > 0 {
                self.row -= 1;
                column += (self.rows[self.row].height(self.width) - 1) * self.width;
            } else if self.rows.len() < self.height {
                self.rows.push_front(Row::blank(self.now));
                self.above = self.above.saturating_sub(1);
            }
        }
        self.land(column, give);
    }

    fn down(&mut self, many: usize, give: Give<'_>) {
        let mut column = self.leave(give);
        for _ in 0..many.min(self.height) {
            let next = (column / self.width + 1) * self.width;
            let cells = self.rows[self.row].cells.as_ref();
            if cells.is_some_and(|cells| cells.width() > next) {
                column += self.width;
                continue;
            }
            if !self.is_last() {
                self.row += 1;
            } else if self.above + self.rows.len() < self.height {
                self.rows.push_back(Row::blank(self.now));
                self.row += 1;
            }
            column %= self.width;
        }
        self.land(column, give);
    }

    /// The cursor leaves the line upwards or downwards. Gives its column, as it is on a terminal that does not wrap a
    /// line before the next character.
    fn leave(&mut self, give: Give<'_>) -> usize {
        self.draw(give);
        let row = &mut self.rows[self.row];
        row.visited = self.now;
        let end = row.cells.as_ref().map_or(0, Cells::width);
        let is_full = self.column > 0 && self.column.is_multiple_of(self.width);
        self.column - usize::from(is_full && self.column == end)
    }

    /// The cursor goes to this row of the screen. If a program has saved its place before, it shows a status there, and
    /// will go back.
    fn go_to_row(&mut self, row: usize, column: usize, give: Give<'_>) {
        if self.has_saved {
            self.place = Place::Status;
            return;
        }
        self.holding = Holding::Screen;
        self.move_to(row, column.min(self.width - 1), give);
    }

    fn move_to(&mut self, row: usize, column: usize, give: Give<'_>) {
        self.leave(give);
        let row = row.min(self.height - 1);
        if row < self.above + self.row {
            self.holding = Holding::Screen;
        }
        while self.above > row {
            self.rows.push_front(Row::blank(self.now));
            self.above -= 1;
        }
        self.row = row - self.above;
        while self.rows.len() <= self.row {
            self.rows.push_back(Row::blank(self.now));
        }
        self.land(column, give);
    }

    fn save(&mut self, give: Give<'_>) {
        if self.place == Place::Lines {
            self.draw(give);
            self.saved = Some((self.above + self.row, self.column));
            self.has_saved = true;
        }
    }

    fn restore(&mut self, give: Give<'_>) {
        self.place = Place::Lines;
        self.has_saved = false;
        if let Some((row, column)) = self.saved {
            self.move_to(row, column, give);
        }
    }

    fn erase_line(&mut self, part: usize, give: Give<'_>) {
        let is_at_end = self.rows[self.row].cells.is_none() && self.column == 0;
        match part {
            0 if is_at_end => {}
            0 => self.change(give, |cells, column| cells.erase(column, usize::MAX)),
            1 => self.change(give, |cells, column| cells.erase(0, column + 1)),
            _ => self.change(give, |cells, _| cells.erase(0, usize::MAX)),
        }
    }

    fn erase(&mut self, part: usize, give: Give<'_>) {
        match part {
            0 => {
                self.rows.truncate(self.row + 1);
                self.erase_line(0, give);
            }
            1 => {
                for row in self.rows.range_mut(..self.row) {
                    *row = Row {
                        is_begun: row.is_begun,
                        ..Row::blank(self.now)
                    };
                }
                self.erase_line(1, give);
            }
            2 => self.clear(give),
            _ => {}
        }
    }

    /// The screen is cleared. What was on it stays in the log, as in the history of most terminals.
    fn clear(&mut self, give: Give<'_>) {
        self.draw(give);
        let row = self.above + self.row;
        while self.rows.back().is_some_and(Row::is_empty) {
            self.rows.pop_back();
        }
        while !self.rows.is_empty() {
            self.give_first(give);
        }
        self.rows.push_back(Row::blank(self.now));
        self.row = 0;
        self.above = row.min(self.height - 1);
    }

    /// Gives out the first line.
    fn give_first(&mut self, give: Give<'_>) {
        if let Some(row) = self.rows.pop_front() {
            if !row.is_blank || row.is_begun {
                let changed = row.changed;
                let mut text = row.into_text();
                text.push(b'\n');
                give(changed, &text);
            }
            self.row = self.row.saturating_sub(1);
            self.above = (self.above + 1).min(self.height.saturating_sub(self.rows.len()));
        }
    }
}

/// How many bytes there are up to the next control character that is more than a newline or a tab.
fn plain_length(bytes: &[u8]) -> usize {
    let is_control = |byte: u8| (byte < b' ' && byte != b'\n' && byte != b'\t') || byte == DELETE;
    // Without a branch for each byte, a block is looked at in a few instructions.
    let has_control = |block: &&[u8]| {
        block
            .iter()
            .fold(false, |any, byte| any | is_control(*byte))
    };
    let blocks = bytes.chunks(256).take_while(|block| !has_control(block));
    let plain: usize = blocks.map(<[u8]>::len).sum();
    let control = bytes[plain..].iter().position(|byte| is_control(*byte));
    control.map_or(bytes.len(), |control| plain + control)
}

/// How many of the last bytes fit into the columns of a line that is redrawn: whole characters.
fn end_in_columns(text: &[u8]) -> usize {
    let mut columns = 0;
    let fits = |byte: &&u8| {
        columns += if **byte == b'\t' { 8 } else { 1 };
        columns <= WIDEST
    };
    let mut begin = text.len() - text.iter().rev().take_while(fits).count();
    while begin < text.len() && text[begin] & 0xc0 == 0x80 {
        begin += 1;
    }
    text.len() - begin
}

fn is_alternate_screen(mode: usize) -> bool {
    matches!(mode, 47 | 1047 | 1049)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const START: Duration = Duration::ZERO;

    fn written(transcript: &mut Transcript, bytes: &[u8], now: Duration) -> String {
        let mut out = Vec::new();
        transcript.write(bytes, now, &mut |_, text| out.extend_from_slice(text));
        String::from_utf8(out).unwrap()
    }

    fn old(transcript: &mut Transcript, now: Duration) -> String {
        let mut out = Vec::new();
        transcript.give_old(now, &mut |_, text| out.extend_from_slice(text));
        String::from_utf8(out).unwrap()
    }

    /// All that a terminal of 40 columns and 10 rows leaves.
    fn bytes_of(written: &[u8]) -> Vec<u8> {
        let mut transcript = Transcript::new(Some(40), 10);
        let mut out = Vec::new();
        transcript.write(written, START, &mut |_, text| out.extend_from_slice(text));
        transcript.finish(START, &mut |_, text| out.extend_from_slice(text));
        out
    }

    fn text_of(written: &str) -> String {
        String::from_utf8(bytes_of(written.as_bytes())).unwrap()
    }

    #[test]
    fn a_line_is_kept_as_it_was_at_its_end() {
        for (written, text) in [
            (" 10%\r 20%\r100%\n", "100%\n"),
            (" 10%\r 20%\r\n", " 20%\n"),
            ("done\r\r\n", "done\n"),
            ("|\x08/\x08-\x08ok\n", "ok\n"),
            ("building...\r\x1b[Kok\n", "ok\n"),
            ("building...\r\x1b[2Kok\n", "ok\n"),
            ("a long name\rshort\x1b[K\n", "short\n"),
            ("a long name\rshort\n", "shortg name\n"),
            ("abcdef\x1b[3Dxy\n", "abcxyf\n"),
            ("abcdef\x1b[2Gx\x1b[2Cy\n", "axcdyf\n"),
            ("abcdef\x1b[3D\x1b[P\n", "abcef\n"),
            ("abcdef\x1b[3D\x1b[2@\n", "abc  def\n"),
            ("abcdef\x1b[4D\x1b[2X\n", "ab  ef\n"),
            ("abcdef\x1b[3D\x1b[1K\n", "    ef\n"),
            ("a\x1b[10Gb\n", "a        b\n"),
            ("a\tb\rc\n", "c       b\n"),
            ("to the end of the line\r\x1b[K", ""),
        ] {
            assert_eq!(text_of(written), text, "{written:?}");
        }
    }

    #[test]
    fn colors_titles_links_and_character_sets_leave_no_mark() {
        for (written, text) in [
            (
                "\x1b[1;31mred\x1b[0m and \x1b[38;5;9mmore\x1b[m\n",
                "red and more\n",
            ),
            ("\x1b]0;title\x07text\n", "text\n"),
            ("\x1b]8;;http://a.b/\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
            ("\x1b(0qqq\x1b(B \x0eabc\x0f\n", "qqq abc\n"),
            ("ding\x07 \x1b[?2004h\x1b=\x1b[6n\x05nul\0\n", "ding nul\n"),
            ("\x1bP0;1q#0~~\x1b\\after\n", "after\n"),
            ("\x1b[31mno end", "no end"),
            ("cut \x1b[3", "cut "),
        ] {
            assert_eq!(text_of(written), text, "{written:?}");
        }
    }

    #[test]
    fn text_without_control_characters_passes_byte_for_byte_at_once() {
        let mut transcript = Transcript::new(None, 24);
        let mut out = Vec::new();
        let bytes = b"a \xff\xfe\x80 \xc2\x9b31m \xc3\n\n\xe9t\xe9\t \nopen";
        transcript.write(bytes, START, &mut |_, text| out.extend_from_slice(text));
        assert_eq!(out, &bytes[..bytes.len() - 4]);
        transcript.finish(START, &mut |_, text| out.extend_from_slice(text));
        assert_eq!(out, bytes);
    }

    #[test]
    fn wide_characters_have_two_columns_and_marks_none_however_they_are_cut() {
        let written = "\u{65e5}\u{672c} 1\re\u{301}\u{1f600}x\n";
        assert_eq!(text_of(written), "e\u{301}\u{1f600}x 1\n");
        for cut in 0..written.len() {
            let (one, other) = written.as_bytes().split_at(cut);
            let mut transcript = Transcript::new(Some(40), 10);
            let mut out = Vec::new();
            for part in [one, other] {
                transcript.write(part, START, &mut |_, text| out.extend_from_slice(text));
            }
            transcript.finish(START, &mut |_, text| out.extend_from_slice(text));
            assert_eq!(out, "e\u{301}\u{1f600}x 1\n".as_bytes(), "{cut}");
        }
    }

    #[test]
    fn a_block_that_is_redrawn_from_its_top_is_kept_once_in_its_last_state() {
        // As docker compose and BuildKit draw.
        let frame = |done: u8, mark: &str| {
            format!(
                "\x1b[0G\x1b[?25l[+] Running {done}/2\n {mark} one\x1b[K\n {mark} two\x1b[K\n\x1b[?25h"
            )
        };
        let written = format!(
            "pulling\n\x1b[1A\x1b[1B{}\x1b[3A{}\x1b[3A{}started\n",
            frame(0, "-"),
            frame(1, "+"),
            frame(2, "*")
        );
        let text = "pulling\n[+] Running 2/2\n * one\n * two\nstarted\n";
        assert_eq!(text_of(&written), text);
    }

    #[test]
    fn several_meters_of_one_program_are_kept_once_each() {
        // As tqdm draws nested loops.
        let mut written = String::from("\router:   0%");
        for outer in [" 50%", "100%"] {
            written += "\n\rinner:   0%\x1b[A";
            written += "\n\rinner: 100%\x1b[A\n\r           \r\x1b[A";
            written += "\router: ";
            written += outer;
        }
        written += "\nend\n";
        assert_eq!(text_of(&written), "outer: 100%\nend\n");
        // As indicatif, which ends no last line, and as rich, which hides the cursor first.
        let bars = "\x1b[?25la 10%\nb 10%\r\x1b[2K\x1b[1A\x1b[2Ka 20%\nb 20%\n\x1b[?25h";
        assert_eq!(text_of(bars), "a 20%\nb 20%\n");
    }

    #[test]
    fn a_block_whose_beginning_is_in_the_log_already_follows_it_once() {
        let written = "a 0\nb 0\n\x1b[2Aa 1\n\x1b[1Bx\n\x1b[3Aa 2\nb 2\n\n";
        assert_eq!(text_of(written), "a 0\nb 0\na 2\nb 2\nx\n");
    }

    #[test]
    fn the_cursor_goes_up_by_rows_of_the_screen_in_lines_that_are_wrapped() {
        let long = "x".repeat(60);
        // Two rows of 40 columns.
        let written =
            format!("\x1b[?25lkept\n{long}\n\x1b[1A\x1b[2K\x1b[1A\x1b[2Knew\x1b[J\n\x1b[?25hend");
        assert_eq!(text_of(&written), "kept\nnew\nend");
        // A line that fills its row is not wrapped before its next character.
        let full = "x".repeat(40);
        let written = format!("\x1b[?25lone\n{full}\x1b[1A\r\x1b[2KONE");
        assert_eq!(text_of(&written), format!("ONE\n{full}"));
    }

    #[test]
    fn lines_are_given_out_at_once_unless_the_program_has_moved_up() {
        let mut transcript = Transcript::new(Some(40), 4);
        assert_eq!(
            written(&mut transcript, b"one\ntwo\nth", START),
            "one\ntwo\n"
        );
        assert_eq!(written(&mut transcript, b"ree\n", START), "three\n");
        assert_eq!(written(&mut transcript, b"\x1b[A\n", START), "");
        // From then on, what has left the screen is.
        assert_eq!(
            written(&mut transcript, b"4\n5\n6\n7\n8\n", START),
            "4\n5\n"
        );
        assert_eq!(written(&mut transcript, b"\x1b[2Aseven\n", START), "");
        let many = b"9\n10\n11\n12\n13\n14\n";
        assert_eq!(
            written(&mut transcript, many, START),
            "6\nseven\n9\n10\n11\n"
        );
    }

    #[test]
    fn lines_that_a_program_does_not_come_back_to_are_given_out_in_time() {
        let seconds = Duration::from_secs;
        let mut transcript = Transcript::new(Some(40), 10);
        assert_eq!(written(&mut transcript, b"10%\r20%\n", START), "");
        assert_eq!(transcript.due(), Some(seconds(1)));
        assert_eq!(old(&mut transcript, seconds(1)), "20%\n");
        assert_eq!(transcript.due(), None);
        assert_eq!(written(&mut transcript, b"\x1b[Aa\nb\nc", seconds(5)), "");
        assert_eq!(transcript.due(), Some(seconds(15)));
        assert_eq!(old(&mut transcript, seconds(14)), "");
        // The program comes back to the second line.
        assert_eq!(
            written(&mut transcript, b"\x1b[1A\r\x1b[1B", seconds(9)),
            ""
        );
        assert_eq!(old(&mut transcript, seconds(15)), "a\n");
        assert_eq!(transcript.due(), Some(seconds(19)));
        assert_eq!(old(&mut transcript, seconds(19)), "b\n");
    }

    #[test]
    fn each_line_has_the_time_at_which_its_text_was_complete() {
        let seconds = Duration::from_secs;
        let mut transcript = Transcript::new(Some(40), 10);
        let mut out = Vec::new();
        let mut give = |at: Duration, text: &[u8]| {
            if !text.is_empty() {
                out.push((at.as_secs(), String::from_utf8(text.to_vec()).unwrap()));
            }
        };
        transcript.write(b"be", seconds(1), &mut give);
        transcript.write(b"gun\n\x1b[?25l1\n2\n", seconds(2), &mut give);
        transcript.write(b"\x1b[1Atwo", seconds(3), &mut give);
        transcript.write(b"\n", seconds(4), &mut give);
        transcript.finish(seconds(5), &mut give);
        let expected = [(2, "be"), (2, "gun\n"), (2, "1\n"), (3, "two\n")];
        assert_eq!(out, expected.map(|(at, text)| (at, text.to_owned())));
    }

    #[test]
    fn the_alternate_screen_and_a_status_line_are_left_out() {
        for (written, text) in [
            (
                "a\n\x1b[?1049h\x1b[2J\x1b[Hfile\n~\n\x1b[?1049lb\n",
                "a\nb\n",
            ),
            ("a\x1b[?47hx\x1b[?25h\n\x1b[?47l b\n", "a b\n"),
            (
                "a\x1b[?1049hnever left",
                "a\n[progrun: 10 bytes are left out: they went to the alternate screen, which was never left]\n",
            ),
            // As apt does.
            (
                "\n\x1b7\x1b[0;9r\x1b8\x1b[1Aget 1\n\x1b7\x1b[10;0fProgress: [ 50%]\x1b8get 2\n\x1b7\x1b[0;10r\x1b8\x1b[1A\x1b[Jdone\n",
                "\nget 1\ndone\n",
            ),
        ] {
            assert_eq!(text_of(written), text, "{written:?}");
        }
    }

    #[test]
    fn what_was_on_a_screen_that_is_cleared_is_kept_and_what_is_written_over_is_not() {
        let report = "\x1b[H\x1b[2J\x1b[3Jreport 1\nerrors\n\x1b[H\x1b[2J\x1b[3Jreport 2\n";
        assert_eq!(text_of(report), "report 1\nerrors\nreport 2\n");
        let reset = "one\n\x1bctwo\n";
        assert_eq!(text_of(reset), "one\ntwo\n");
        // As programs draw that have the whole screen.
        let frames = "\x1b[H\x1b[Jload 1\nprocess 1\n\x1b[H\x1b[Jload 2\nprocess 2\n\x1b[5;3Hend";
        assert_eq!(text_of(frames), "load 2\nprocess 2\n\n  end");
    }

    #[test]
    fn of_a_line_that_is_too_long_to_be_redrawn_only_the_last_columns_are() {
        let long = "x".repeat(LONGEST + WIDEST + 10);
        let end = "y".repeat(WIDEST - 3);
        let written = format!("{long}\rabc\n");
        let before = "x".repeat(LONGEST + 10);
        let after = "x".repeat(WIDEST - 3);
        assert_eq!(text_of(&written), format!("{before}abc{after}\n"));
        let beyond = format!("a\r{}{end} zz\rb\n", "x".repeat(3));
        assert_eq!(text_of(&beyond), format!("xxx{end}bzz\n"));
    }

    #[test]
    fn little_is_kept_whatever_is_written() {
        let most = 2 * MOST_ROWS * LONGEST;
        let long = "x".repeat(20_000);
        let inputs = [
            ("no newline", "x".repeat(64 * 1024)),
            ("frames", "\r 10% of 1000\r 20% of 1000".repeat(20)),
            ("wide", "\u{1f600}\t".repeat(1000)),
            ("up", "\x1b[99Ax\n\n\n".repeat(20)),
            ("down", "\x1b[99Bx\x1b[99;99Hy".repeat(20)),
            ("long lines", format!("\x1b[A{long}\n\n")),
            ("marks", "\re\u{301}\u{301}\u{301}".repeat(100)),
        ];
        for (name, input) in inputs {
            let mut transcript = Transcript::new(Some(80), 50);
            for _ in 0..300 {
                transcript.write(input.as_bytes(), START, &mut |_, _| ());
                assert!(transcript.kept() <= most, "{name}: {}", transcript.kept());
            }
        }
    }

    fn tokens() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "a",
            "bc",
            "def",
            "\n",
            "\n",
            "\r",
            "\x08",
            "\t",
            "e\u{301}",
            "\x1b[A",
            "\x1b[2A",
            "\x1b[B",
            "\x1b[C",
            "\x1b[2D",
            "\x1b[K",
            "\x1b[1K",
            "\x1b[2K",
            "\x1b[J",
            "\x1b[5G",
            "\x1b[2X",
            "\x1b[P",
            "\x1b[2@",
            "\x1b[31m",
            "\x1b[89;4H",
        ]);
        vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_lines_are_those_that_a_terminal_shows(tokens in tokens()) {
            // High enough that the cursor never comes to the first row, which a terminal would hold it in.
            let written = format!("\x1b[?25l{}{tokens}", "\n".repeat(90));
            let size = |number: u16| number.try_into().unwrap();
            let mut terminal = vt100::Parser::new(size(128), size(200), 0);
            terminal.process(written.replace('\n', "\r\n").as_bytes());
            let mut transcript = Transcript::new(Some(200), 128);
            let mut text = Vec::new();
            let mut give = |_, bytes: &[u8]| text.extend_from_slice(bytes);
            transcript.write(written.as_bytes(), START, &mut give);
            transcript.finish(START, &mut give);
            let text = String::from_utf8(text).unwrap();
            // Where the cursor only passed, there is no line; and a tab stands for blanks.
            let words = |text: &str| -> Vec<Vec<String>> {
                let lines = text.lines().map(|line| {
                    line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
                });
                lines.filter(|line| !line.is_empty()).collect()
            };
            let rows: Vec<_> = terminal.screen().rows(0, 200).collect();
            prop_assert_eq!(words(&text), words(&rows.join("\n")));
        }
    }
}
