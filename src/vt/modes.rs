//! Terminal modes that the child switched on and did not switch off; they are undone when it is killed, in an editor
//! for example.
//!
//! Reads what is written to the terminal, and says how to undo it. Does not know the terminal.

use super::lexer::{ESCAPE, Piece, Splitter, numbers};

use super::sgr::Style;

/// Modes that are off as a rule: keys and colors of another kind, the alternate screen, reports of the mouse and of
/// focus, marks around what is pasted, and frames that are held back.
const OFF: [usize; 16] = [
    1, 5, 6, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026,
];
/// Modes that are on as a rule: lines that wrap, and a cursor.
const ON: [usize; 2] = [7, 25];

/// A mode that is not as it usually is.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    splitter: Splitter,
    /// The modes in the order in which they were changed.
    changed: Vec<Mode>,
    /// The colors, link and character set that are on.
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Private(usize),
    Keypad,
    /// The keyboard protocol that kitty began.
    Keys,
    /// That of xterm.
    OtherKeys,
}

impl Modes {
    /// Takes in what is written to the terminal.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        // Skips text in which nothing begins that a terminal remembers, of 7 bits or of 8.
        let begins = |byte: &u8| matches!(*byte, ESCAPE | 0x0e | 0x0f | 0xc2);
        if !self.splitter.is_within() && !bytes.iter().any(begins) {
            return;
        }
        let (changed, style) = (&mut self.changed, &mut self.style);
        let mut set = |mode: Mode, differs: bool| {
            if !differs {
                changed.retain(|known| *known != mode);
            } else if !changed.contains(&mode) {
                changed.push(mode);
            }
        };
        let mut rest = bytes;
        while let Some(piece) = self.splitter.next(&mut rest) {
            if style.note(&piece).is_some() {
                continue;
            }
            match piece {
                Piece::Escape(b"=") => set(Mode::Keypad, true),
                Piece::Escape(b">") => set(Mode::Keypad, false),
                Piece::Csi { parameters, last } => match (parameters, last) {
                    ([b'?', modes @ ..], b'h' | b'l') => {
                        for mode in numbers(modes) {
                            if OFF.contains(&mode) {
                                set(Mode::Private(mode), last == b'h');
                            } else if ON.contains(&mode) {
                                set(Mode::Private(mode), last == b'l');
                            }
                        }
                    }
                    ([b'>', b'4', how @ ..], b'm') => {
                        set(Mode::OtherKeys, numbers(how).any(|number| number > 0));
                    }
                    ([b'>', ..], b'u') => set(Mode::Keys, true),
                    ([b'<', ..], b'u') => set(Mode::Keys, false),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// The colors, link and character set that are on.
    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

    /// Whether the alternate screen is shown.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let screens = [47, 1047, 1049].map(Mode::Private);
        screens.iter().any(|screen| self.changed.contains(screen))
    }

    /// The bytes that make everything as usual at the end of the command: the last mode that was changed first. A
    /// command that `ended_well` may have meant to hide the cursor, as `tput civis` does, so it stays hidden; but not
    /// on a screen that the user cannot leave any more.
    pub(crate) fn undo(&mut self, ended_well: bool) -> Vec<u8> {
        if ended_well && !self.is_elsewhere() {
            self.changed
                .retain(|mode| !matches!(mode, Mode::Private(number) if ON.contains(number)));
        }
        let off = self.changed.drain(..).rev().map(|mode| match mode {
            Mode::Private(number) if ON.contains(&number) => format!("\x1b[?{number}h"),
            Mode::Private(number) => format!("\x1b[?{number}l"),
            Mode::Keypad => "\x1b>".to_owned(),
            Mode::Keys => "\x1b[<u".to_owned(),
            Mode::OtherKeys => "\x1b[>4m".to_owned(),
        });
        let mut off = off.collect::<String>().into_bytes();
        // Last: leaving a screen restores the colors of when it was entered.
        off.extend(std::mem::take(&mut self.style).off());
        off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(writes: &[&str]) -> String {
        let mut modes = Modes::default();
        for bytes in writes {
            modes.note(bytes.as_bytes());
        }
        String::from_utf8(modes.undo(false)).unwrap()
    }

    #[test]
    fn what_was_switched_on_and_not_off_is_undone_backwards() {
        let vim = "\x1b[?1049h\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1000;1006h\x1b[>1u\x1b[?25l\x1b[31mtext";
        assert_eq!(
            undone(&[vim]),
            "\x1b[?25h\x1b[<u\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b>\x1b[?1l\x1b[>4m\x1b[?1049l\x1b[0m"
        );
        let end = "\x1b[m\x1b[?25h\x1b[<u\x1b[?1000;1006;2004l\x1b>\x1b[?1l\x1b[>4m\x1b[?1049l";
        assert_eq!(undone(&[vim, end]), "");
    }

    #[test]
    fn what_is_as_usual_is_let_alone_however_it_is_cut() {
        assert_eq!(
            undone(&["\x1b[?25h\x1b[?7h\x1b[1mbold\x1b[0m\x1b[?1049l"]),
            ""
        );
        assert_eq!(undone(&["a\x1b[?2", "5", "lb"]), "\x1b[?25h");
        assert_eq!(undone(&["\x1b[?9999h\x1b[4h\x1b[2J\x1b[1;31m"]), "\x1b[0m");
    }

    #[test]
    fn links_and_character_sets_end_with_the_command() {
        assert_eq!(
            undone(&["\x1b]8;;http://a\x1b\\text\x1b(0\x1b[31m"]),
            "\x1b[0m\x1b(B\x1b]8;;\x1b\\"
        );
        assert_eq!(undone(&["\x0e"]), "\x0f");
    }

    #[test]
    fn a_command_that_ends_well_may_hide_the_cursor_but_leave_no_screen() {
        let mut modes = Modes::default();
        modes.note(b"\x1b[?25l\x1b[?1004h\x1b[31m");
        assert_eq!(modes.undo(true), b"\x1b[?1004l\x1b[0m");
        modes.note(b"\x1b[?25l\x1b[?1049h");
        assert_eq!(modes.undo(true), b"\x1b[?1049l\x1b[?25h");
    }
}
