//! What a sequence does to the page, and whether it goes on to the terminal. Refuses to know lines and columns.

use crate::vt::numbers;

use super::row::WIDEST;
use super::{Change, Page, restyle};

impl Page {
    pub(super) fn csi(&mut self, parameters: &[u8], last: u8, change: &mut Change) {
        let mut given = numbers(parameters);
        let first = given.next().unwrap_or(0);
        let many = first.max(1);
        match (parameters, last) {
            (_, b'm') if !parameters.starts_with(b">") => {
                self.style = restyle(&self.style, parameters);
                self.keep(&[b"\x1b[", parameters, b"m"].concat());
            }
            (b"" | b"0", b'K') if self.is_at_end() => self.keep(b"\x1b[K"),
            (_, b'K') => {
                self.draw(change);
                let column = self.column;
                match first {
                    0 => self.cells().erase(column, usize::MAX),
                    1 => self.cells().erase(0, column + 1),
                    _ => self.cells().erase(0, usize::MAX),
                }
            }
            (b"" | b"0", b'J') if self.elsewhere != Some(0) || self.column > 0 => {
                self.erase_below(change);
            }
            (b"" | b"0" | b"2" | b"3", b'J') => self.clear(change),
            (_, b'X') => {
                self.draw(change);
                let column = self.column;
                self.cells().erase(column, column.saturating_add(many));
            }
            (_, b'G' | b'`') => self.go_to(many - 1, change),
            (_, b'C') => {
                self.draw(change);
                // As far as the screen goes; what is beyond that already is in a row further down.
                let last = if self.column < self.width {
                    self.width - 1
                } else {
                    WIDEST
                };
                self.column = self.column.saturating_add(many).min(last);
            }
            (_, b'D') => {
                self.draw(change);
                self.column = self.column.saturating_sub(many);
            }
            (_, b'A' | b'F') => {
                self.up(many, change);
                if last == b'F' {
                    self.column = 0;
                }
            }
            (_, b'B' | b'E') => {
                self.down(many, change);
                if last == b'E' {
                    self.column = 0;
                }
            }
            (_, b'H' | b'f') => {
                self.elsewhere = Some(many - 1);
                self.column = (given.next().unwrap_or(0).max(1) - 1).min(self.width - 1);
            }
            (_, b'd') => self.elsewhere = Some(many - 1),
            // Where lines of state have their place, or have it no more.
            (_, b'r') => self.state = None,
            (b"", b's') => self.save(),
            (b"", b'u') => self.restore(),
            // The cursor's looks, how lines break and keys are sent, and the window's title.
            (b"?1" | b"?7" | b"?12" | b"?25" | b"?1004" | b"?2004", b'h' | b'l') | (_, b'q')
                if !parameters.starts_with(b">") =>
            {
                let sequence = [b"\x1b[", parameters, &[last]].concat();
                change.aside.extend_from_slice(&sequence);
            }
            (_, b't') if first == 22 || first == 23 => {
                let sequence = [b"\x1b[", parameters, b"t"].concat();
                change.aside.extend_from_slice(&sequence);
            }
            // Questions, which others answer, and what would leave marks on our part of the screen.
            _ => {}
        }
    }

    pub(super) fn escape(&mut self, sequence: &[u8], change: &mut Change) {
        match sequence {
            b"7" => self.save(),
            b"8" => self.restore(),
            b"M" => self.up(1, change),
            b"D" | b"E" => self.line_feed(change),
            b"=" | b">" => change
                .aside
                .extend_from_slice(&[b"\x1b", sequence].concat()),
            b"(B" | b"(0" => self.keep(&[b"\x1b", sequence].concat()),
            _ => {}
        }
    }

    pub(super) fn string(&mut self, content: &[u8], written: &[u8], change: &mut Change) {
        let asks =
            content.ends_with(b";?") || content.starts_with(b"P+q") || content.starts_with(b"P$q");
        // Progress of the terminal: two writers would fight.
        if asks || content.starts_with(b"]9;4") {
            return;
        }
        if content.starts_with(b"]") && !content.starts_with(b"]8;") {
            change.aside.extend_from_slice(written);
        } else {
            self.keep(written);
        }
    }
}
