//! A line: as it was written, or redrawn, as characters in columns with their colors, as a terminal keeps them.

use std::cell::OnceCell;

use unicode_width::UnicodeWidthChar;

use crate::vt::lexer::{Piece, Splitter};

use crate::vt::sgr::Style;

/// The greatest column. No terminal is wider; text beyond is lost. So sums of columns stay small whatever number a
/// sequence gives.
pub(crate) const WIDEST: usize = 1024;

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The style in which it began.
    pub(crate) style: Style,
    /// The bytes as they were written; none once the line was redrawn.
    pub(crate) written: Option<Vec<u8>>,
    cells: Cells,
    /// The text to be seen, once it was asked for and until it changes.
    text: OnceCell<String>,
}

impl Row {
    /// A line that begins with these bytes, in this style.
    pub(crate) fn new(begin: &[u8], style: &Style) -> Self {
        Self {
            style: style.clone(),
            written: Some(begin.to_vec()),
            ..Self::default()
        }
    }

    /// A line that was drawn in these columns.
    pub(crate) fn of(cells: Cells) -> Self {
        Self {
            cells,
            ..Self::default()
        }
    }

    /// How many of its bytes are kept as they were written.
    pub(crate) fn length(&self) -> usize {
        self.written.as_ref().map_or(0, Vec::len)
    }

    /// Adds to the line, if it is still as it was written.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(line) = &mut self.written {
            self.text.take();
            line.extend_from_slice(bytes);
        }
    }

    /// The columns, to be changed.
    pub(crate) fn cells(&mut self) -> &mut Cells {
        self.draw();
        self.text.take();
        &mut self.cells
    }

    /// Makes it a line of columns. Gives the column after the text, if it was none before.
    pub(crate) fn draw(&mut self) -> Option<usize> {
        let line = self.written.take()?;
        let (cells, column) = Cells::of(&line, self.style.clone());
        self.cells = cells;
        Some(column)
    }

    /// The text to be seen, without colors.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| match &self.written {
            Some(line) => Cells::of(line, self.style.clone()).0.text(),
            None => self.cells.text(),
        })
    }

    /// The bytes that make a terminal show it when the style `left` is on; the first `shown` bytes are shown already.
    pub(crate) fn rendered(&self, shown: usize, left: &Style) -> Vec<u8> {
        let mut line = Vec::new();
        if let Some(written) = &self.written {
            if shown == 0 {
                line.extend(left.to(&self.style));
            }
            line.extend_from_slice(&written[shown..]);
        } else {
            // It has its colors in its columns, and leaves none on.
            line.extend(left.off());
            line.append(&mut self.cells.rendered());
        }
        line
    }
}

/// One column.
#[derive(Clone, Debug)]
struct Cell {
    /// None in the second column of a wide character.
    character: Option<char>,
    /// Characters without a width that belong to it.
    marks: String,
    style: Style,
}

impl Cell {
    fn blank() -> Self {
        Self {
            character: Some(' '),
            marks: String::new(),
            style: Style::default(),
        }
    }

    fn is_blank(&self) -> bool {
        self.character == Some(' ') && self.style.is_usual()
    }
}

/// A line as columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells(Vec<Cell>);

impl Cells {
    /// The columns of a line as it was written, which began in this style; and the column after it.
    pub(crate) fn of(written: &[u8], mut style: Style) -> (Self, usize) {
        let mut cells = Self::default();
        let mut splitter = Splitter::default();
        let mut rest = written;
        let mut column = 0;
        let mut text = Vec::new();
        while let Some(piece) = splitter.next(&mut rest) {
            match piece {
                Piece::Text(bytes) => text.extend_from_slice(bytes),
                Piece::Control(b'\t') => {
                    column = cells.write(column, &String::from_utf8_lossy(&text), &style);
                    text.clear();
                    column = tab(column);
                }
                piece => {
                    let mut next = style.clone();
                    if next.note(&piece).is_some() {
                        column = cells.write(column, &String::from_utf8_lossy(&text), &style);
                        text.clear();
                        style = next;
                    }
                }
            }
        }
        column = cells.write(column, &String::from_utf8_lossy(&text), &style);
        (cells, column)
    }

    /// Writes over what is there from `column` on; gives the column after it.
    pub(crate) fn write(&mut self, column: usize, text: &str, style: &Style) -> usize {
        let mut column = column.min(WIDEST);
        for character in text.chars() {
            let width = character.width().unwrap_or(0);
            if width == 0 {
                if let Some(cell) = column.checked_sub(1).and_then(|last| self.0.get_mut(last))
                    && cell.marks.len() < 32
                {
                    cell.marks.push(character);
                }
                continue;
            }
            if column + width > WIDEST {
                break;
            }
            if self.0.len() < column + width {
                self.0.resize(column + width, Cell::blank());
            }
            self.halve(column);
            self.halve(column + width);
            for part in 0..width {
                self.0[column + part] = Cell {
                    character: (part == 0).then_some(character),
                    marks: String::new(),
                    style: style.clone(),
                };
            }
            column += width;
        }
        column
    }

    /// Erases these columns.
    pub(crate) fn erase(&mut self, from: usize, to: usize) {
        self.halve(from);
        self.halve(to);
        if to >= self.0.len() {
            self.0.truncate(from);
        } else if let Some(erased) = self.0.get_mut(from..to) {
            erased.fill(Cell::blank());
        }
    }

    /// Moves what is there from `column` on to the right, by this many columns.
    pub(crate) fn insert(&mut self, column: usize, many: usize) {
        if column >= self.0.len() {
            return;
        }
        self.halve(column);
        let many = many.min(WIDEST - column);
        let blanks = std::iter::repeat_n(Cell::blank(), many);
        self.0.splice(column..column, blanks);
        self.halve(WIDEST);
        self.0.truncate(WIDEST);
    }

    /// Removes this many columns from `column` on: what is behind them moves to the left.
    pub(crate) fn delete(&mut self, column: usize, many: usize) {
        let end = column.saturating_add(many).min(self.0.len());
        if column < end {
            self.halve(column);
            self.halve(end);
            self.0.drain(column..end);
        }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A wide character across this border is destroyed.
    fn halve(&mut self, border: usize) {
        if border > 0
            && self
                .0
                .get(border)
                .is_some_and(|cell| cell.character.is_none())
        {
            self.0[border] = Cell::blank();
            self.0[border - 1] = Cell::blank();
        }
    }

    /// The text to be seen, without colors.
    pub(crate) fn text(&self) -> String {
        let mut text = self.whole();
        text.truncate(text.trim_end().len());
        text
    }

    /// The text with the blanks at its end, without colors.
    pub(crate) fn whole(&self) -> String {
        let mut text = String::new();
        for cell in &self.0 {
            text.extend(cell.character);
            text.push_str(&cell.marks);
        }
        text
    }

    /// The bytes that make a terminal show it.
    pub(crate) fn rendered(&self) -> Vec<u8> {
        let used = self.0.iter().rposition(|cell| !cell.is_blank());
        let mut bytes = Vec::new();
        let mut style = Style::default();
        for cell in &self.0[..used.map_or(0, |last| last + 1)] {
            if cell.style != style {
                bytes.extend(style.to(&cell.style));
                style = cell.style.clone();
            }
            let mut buffer = [0; 4];
            if let Some(character) = cell.character {
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            bytes.extend_from_slice(cell.marks.as_bytes());
        }
        bytes.extend(style.off());
        bytes
    }
}

/// The next stop of the tabulator.
pub(crate) fn tab(column: usize) -> usize {
    ((column / 8 + 1) * 8).min(WIDEST)
}

/// How many rows of a terminal with this many columns the lines in these bytes take.
pub(crate) fn rows_of(lines: &[u8], width: usize) -> usize {
    lines
        .split(|byte| *byte == b'\n')
        .map(|line| Cells::of(line, Style::default()).1.div_ceil(width).max(1))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Style {
        Style::default()
    }

    #[test]
    fn writing_goes_over_what_is_there() {
        let mut cells = Cells::default();
        cells.write(0, "100%", &plain());
        assert_eq!(cells.write(0, "9", &plain()), 1);
        assert_eq!(cells.text(), "900%");
        cells.erase(2, usize::MAX);
        assert_eq!(cells.text(), "90");
        cells.write(4, "x", &plain());
        cells.erase(0, 1);
        assert_eq!(cells.text(), " 0  x");
    }

    #[test]
    fn wide_characters_have_two_columns_and_marks_none() {
        let mut cells = Cells::default();
        assert_eq!(cells.write(0, "日e\u{301}本", &plain()), 5);
        assert_eq!(cells.text(), "日e\u{301}本");
        cells.write(1, "x", &plain());
        assert_eq!(cells.text(), " xe\u{301}本");
        cells.write(3, "yz", &plain());
        assert_eq!(cells.text(), " xe\u{301}yz");
    }

    #[test]
    fn colors_are_kept_and_switched_off_at_the_end() {
        let (cells, _) = Cells::of(b"a\x1b[31mb\x1b[1mc\x1b[0md\x1b[32me ", plain());
        assert_eq!(
            cells.rendered(),
            b"a\x1b[31mb\x1b[0m\x1b[31;1mc\x1b[0md\x1b[32me \x1b[0m"
        );
        assert_eq!(cells.text(), "abcde");
    }

    #[test]
    fn no_column_is_beyond_the_widest_terminal() {
        let mut cells = Cells::default();
        cells.write(0, &"x".repeat(2 * WIDEST), &plain());
        cells.write(usize::MAX, "x", &plain());
        cells.erase(usize::MAX, usize::MAX);
        assert_eq!(cells.0.len(), WIDEST);
        assert_eq!(Cells::of(&[b'\t'; 4096], plain()).1, WIDEST);
    }
}
