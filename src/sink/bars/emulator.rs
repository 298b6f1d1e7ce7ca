//! A terminal for the tests and for `fuzz/`: shows the bytes that are written there as a user would see them.
#![expect(clippy::unwrap_used, reason = "a size is not zero")]

use std::num::NonZeroU16;

use super::super::terminal::{Setup, Terminal};

pub(super) const COLUMNS: u16 = 80;
pub(super) const ROWS: u16 = 24;

/// The terminal that bars draw on: ours, and set up as a shell leaves it.
pub(super) const TERMINAL: Terminal = Terminal {
    size: || (COLUMNS, ROWS),
    foreground: || true,
    setup: || Setup::USUAL,
};

/// An empty screen that remembers this many rows above it.
pub(super) fn screen(above: usize) -> vt100::Parser {
    let size = |number| NonZeroU16::new(number).unwrap();
    vt100::Parser::new(size(ROWS), size(COLUMNS), above)
}

/// Writes there, with line ends as a terminal makes them.
pub(super) fn show(parser: &mut vt100::Parser, bytes: &[u8]) {
    let mut last = 0;
    for byte in bytes {
        if *byte == b'\n' && last != b'\r' {
            parser.process(b"\r");
        }
        parser.process(&[*byte]);
        last = *byte;
    }
}

/// The rows that went up and out of sight, and those on the screen.
pub(super) fn everything(parser: &mut vt100::Parser) -> Vec<String> {
    let screen = parser.screen_mut();
    let mut all: Vec<String> = Vec::new();
    let mut above = screen.scrollback_len();
    while above > 0 {
        screen.set_scrollback(above);
        all.extend(screen.rows(0, COLUMNS).take(above.min(ROWS.into())));
        above -= above.min(ROWS.into());
    }
    screen.set_scrollback(0);
    all.extend(screen.rows(0, COLUMNS));
    let mut all: Vec<_> = all.iter().map(|row| row.trim_end().to_owned()).collect();
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    all
}
