//! The last lines of an output, as text: what a terminal would show of them, without its colors. Knows no task.

use crate::sink::escape;
use crate::vt::{Piece, Splitter};

/// How much is kept of what was printed, in bytes: escape sequences and lines that were redrawn are part of it.
const KEPT: usize = 16 * 1024;

/// The end of what one attempt printed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Whether more was printed before.
    is_cut: bool,
}

impl Tail {
    /// Takes in output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Seldom, so that each byte is moved once.
        if self.bytes.len() > 2 * KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
            self.is_cut = true;
        }
    }

    /// The last lines, of at most so many bytes. Characters that a page would hide or reorder are made visible.
    pub(super) fn text(&self, length: usize) -> String {
        let mut bytes = &self.bytes[..];
        if self.is_cut
            && let Some(end) = memchr::memchr(b'\n', bytes)
        {
            bytes = &bytes[end + 1..];
        }
        let shown = as_shown(bytes);
        let text = String::from_utf8_lossy(&shown);
        let lines: Vec<_> = text.lines().map(|line| escape(line.trim_end())).collect();
        last_lines(lines.join("\n").trim_matches('\n'), length)
    }
}

/// The end of `text`, of at most so many bytes, which begins with a whole line if there is one.
pub(super) fn last_lines(text: &str, length: usize) -> String {
    let Some(start) = text.len().checked_sub(length) else {
        return text.to_owned();
    };
    let rest = &text[text.ceil_char_boundary(start)..];
    match rest.split_once('\n') {
        _ if start == 0 => rest.to_owned(),
        Some((_, lines)) if !lines.is_empty() => lines.to_owned(),
        _ => rest.to_owned(),
    }
}

/// The text without sequences; a line that was written over is what it was at last.
fn as_shown(bytes: &[u8]) -> Vec<u8> {
    let mut splitter = Splitter::default();
    let mut shown: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    // The cursor is at the beginning of the line: the next text takes its place.
    let mut returned = false;
    while let Some(piece) = splitter.next(&mut rest) {
        match piece {
            Piece::Text(text) => {
                if returned {
                    let line = memchr::memrchr(b'\n', &shown).map_or(0, |at| at + 1);
                    shown.truncate(line);
                    returned = false;
                }
                shown.extend_from_slice(text);
            }
            Piece::Control(b'\n') => {
                returned = false;
                shown.push(b'\n');
            }
            Piece::Control(b'\t') => shown.extend_from_slice(b"    "),
            Piece::Control(b'\r') => returned = true,
            Piece::Control(0) => shown.extend_from_slice("\u{2400}".as_bytes()),
            _ => {}
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(output: &[u8], length: usize) -> String {
        let mut tail = Tail::default();
        output.chunks(7).for_each(|bytes| tail.push(bytes));
        tail.text(length)
    }

    #[test]
    fn what_a_terminal_would_show_is_kept_without_its_colors() {
        assert_eq!(text(b"\x1b[31mred\x1b[0m\r\n\ta\n", 99), "red\n    a");
        assert_eq!(text(b"10 %\r20 %\r99 %\nfailed\n\n", 99), "99 %\nfailed");
        assert_eq!(text(b"\x1b]0;title\x07text", 99), "text");
    }

    #[test]
    fn nothing_hides_or_reorders_and_bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(
            text("a\u{202e}b\0c\u{2028}d".as_bytes(), 99),
            "a<U+202E>b\u{2400}c<U+2028>d"
        );
        assert_eq!(text(b"a\xff\xfeb", 99), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn of_a_gigabyte_the_last_whole_lines_are_kept() {
        let mut tail = Tail::default();
        for number in 0..100_000 {
            tail.push(format!("line {number}\n").as_bytes());
            assert!(tail.bytes.len() <= 2 * KEPT);
        }
        assert_eq!(tail.text(25), "line 99998\nline 99999");
        assert!(tail.text(4096).starts_with("line 99"));
        assert!(tail.text(4096).len() > 4000);
    }

    #[test]
    fn of_one_endless_line_the_end_is_kept() {
        let text = text(&vec![b'x'; 100_000], 100);
        assert_eq!(text, "x".repeat(100));
    }
}
