//! Tables of text for people: columns as wide as they have to be, names no wider than a limit, the last column cut at the
//! edge of the terminal. Knows nothing of what is in them.

use rustix::stdio::stdout;
use rustix::termios::{isatty, tcgetwinsize};

use super::sanitize::{columns, fit};

/// Where the text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// At its left edge, as words.
    Left,
    /// The same, but no wider than this: one long name would push the other columns of all rows off the terminal. What
    /// does not go to a terminal may be read by a program, so there the text stays whole, and its row alone is longer.
    UpTo(usize),
    /// At its right edge, as numbers.
    Right,
    /// Through to the end of the line; cut at the edge of the terminal.
    Last,
}

/// The rows as lines, for stdout. The texts are safe for a terminal already.
#[must_use]
pub(crate) fn table<const N: usize>(rows: &[[String; N]], cells: &[Cell; N]) -> String {
    let width = isatty(stdout()).then(|| {
        let size = tcgetwinsize(stdout());
        size.map_or(80, |size| usize::from(size.ws_col)).max(20)
    });
    lines(rows, cells, width)
}

/// The rows for a terminal of this width; none: for a file or a pipe.
fn lines<const N: usize>(
    rows: &[[String; N]],
    cells: &[Cell; N],
    terminal: Option<usize>,
) -> String {
    let mut text = String::new();
    let widest = |column: usize| {
        let widest = rows.iter().map(|row| columns(&row[column])).max();
        match cells[column] {
            Cell::UpTo(limit) => widest.unwrap_or(0).min(limit),
            _ => widest.unwrap_or(0),
        }
    };
    let widths: Vec<_> = (0..N).map(widest).collect();
    for row in rows {
        let mut line = String::new();
        for ((cell, text), width) in cells.iter().zip(row).zip(&widths) {
            let text = match cell {
                Cell::UpTo(limit) if terminal.is_some() => fit(text, *limit),
                _ => text.into(),
            };
            let pad = " ".repeat(width.saturating_sub(columns(&text)));
            if !line.is_empty() {
                line.push_str("  ");
            }
            match cell {
                Cell::Left | Cell::UpTo(_) => line.extend([&*text, &pad]),
                Cell::Right => line.extend([&*pad, &text]),
                Cell::Last => line.push_str(&text),
            }
        }
        let line = line.trim_end();
        let line = terminal.map_or(line.into(), |width| fit(line, width));
        text.push_str(line.trim_end());
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
            lines(&rows, &cells, Some(80)),
            "PID  NAME    COMMAND\n  7  b\u{fc}cher  make all the things\n"
        );
        assert_eq!(
            lines(&rows, &cells, Some(20)),
            "PID  NAME    COMMAND\n  7  b\u{fc}cher  make a\u{2026}\n"
        );
    }

    #[test]
    fn a_long_name_costs_the_other_rows_nothing_and_is_whole_in_a_pipe() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["NAME", "STATE", "COMMAND"]),
            row(["a long name", "running", "make"]),
            row(["short", "failed", "true"]),
        ];
        let cells = [Cell::UpTo(6), Cell::Left, Cell::Last];
        assert_eq!(
            lines(&rows, &cells, Some(80)),
            "NAME    STATE    COMMAND\n\
             a lon\u{2026}  running  make\n\
             short   failed   true\n"
        );
        assert_eq!(
            lines(&rows, &cells, None),
            "NAME    STATE    COMMAND\n\
             a long name  running  make\n\
             short   failed   true\n"
        );
    }
}
