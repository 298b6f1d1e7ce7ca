//! Tables of text for people: columns as wide as they have to be, the last one cut at the edge of the terminal. Knows
//! nothing of what is in them.

use rustix::stdio::stdout;
use rustix::termios::{isatty, tcgetwinsize};

use super::sanitize::{columns, fit};

/// Where the text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// At its left edge, as names.
    Left,
    /// At its right edge, as numbers.
    Right,
    /// Through to the end of the line; cut at the edge of the terminal.
    Last,
}

/// The rows as lines, for stdout. The texts are safe for a terminal already.
#[must_use]
pub(crate) fn table<const N: usize>(rows: &[[String; N]], cells: &[Cell; N]) -> String {
    let width = if isatty(stdout()) {
        tcgetwinsize(stdout()).map_or(80, |size| usize::from(size.ws_col))
    } else {
        usize::MAX
    };
    lines(rows, cells, width.max(20))
}

fn lines<const N: usize>(rows: &[[String; N]], cells: &[Cell; N], width: usize) -> String {
    let mut text = String::new();
    let widest = |column: usize| rows.iter().map(|row| columns(&row[column])).max();
    let widths: Vec<_> = (0..N).map(|column| widest(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for ((cell, text), width) in cells.iter().zip(row).zip(&widths) {
            let pad = " ".repeat(width.saturating_sub(columns(text)));
            if !line.is_empty() {
                line.push_str("  ");
            }
            match cell {
                Cell::Left => line.extend([text.as_str(), &pad]),
                Cell::Right => line.extend([pad.as_str(), text]),
                Cell::Last => line.push_str(text),
            }
        }
        text.push_str(fit(line.trim_end(), width).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_texts_and_the_line_is_cut_at_the_edge() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["PID", "NAME", "COMMAND"]),
            row(["7", "b\u{fc}cher", "make all the things"]),
        ];
        let cells = [Cell::Right, Cell::Left, Cell::Last];
        assert_eq!(
            lines(&rows, &cells, 80),
            "PID  NAME    COMMAND\n  7  b\u{fc}cher  make all the things\n"
        );
        assert_eq!(
            lines(&rows, &cells, 20),
            "PID  NAME    COMMAND\n  7  b\u{fc}cher  make a\u{2026}\n"
        );
    }
}
