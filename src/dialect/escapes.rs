//! Escape sequences, told apart by what they do to the line that is being written: nothing, or something that ends it.
//!
//! Refuses to know what a record is, and what any sequence looks like on a screen. One byte at a time, so that it does
//! not matter where a stream is cut; what it keeps of a sequence is a few dozen bytes, however long it is.

/// How much of an OSC is kept: enough for any progress report, and too little for a picture.
const STRING_LIMIT: usize = 64;

pub(super) const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// What a byte of a sequence was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Part of it.
    More,
    /// Its end, and it changed nothing about where the next character goes: colours, character sets, modes.
    Nothing,
    /// Its end, and the cursor moved or something was erased.
    Motion,
    /// The end of an operating system command: [`Escapes::string`].
    Osc,
    /// No part of it. The sequence is given up, and the byte is to be read as if there had been none.
    Foreign,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    Begun,
    Intermediate,
    /// With the last parameter.
    Control(u16),
    /// With whether it is an OSC, and whether its last byte was an escape.
    String(bool, bool),
}

/// Reads escape sequences.
#[derive(Debug, Default)]
pub(super) struct Escapes {
    state: State,
    string: Vec<u8>,
}

impl Escapes {
    /// An escape character was read.
    pub(super) fn begin(&mut self) {
        self.state = State::Begun;
    }

    /// Whether the next byte belongs to a sequence.
    pub(super) fn inside(&self) -> bool {
        self.state != State::Outside
    }

    /// The beginning of the OSC that has just ended, without its terminator.
    pub(super) fn string(&self) -> &[u8] {
        &self.string
    }

    pub(super) fn next(&mut self, byte: u8) -> Step {
        let (state, step) = match self.state {
            State::Outside => (State::Outside, Step::Foreign),
            State::Begun => self.begun(byte),
            State::Intermediate => match byte {
                0x20..=0x2f => (State::Intermediate, Step::More),
                0x30..=0x7e => (State::Outside, Step::Nothing),
                _ => (State::Outside, Step::Foreign),
            },
            State::Control(parameter) => match byte {
                b'0'..=b'9' => {
                    let digit = u16::from(byte - b'0');
                    let parameter = parameter.saturating_mul(10).saturating_add(digit);
                    (State::Control(parameter), Step::More)
                }
                b':' | b';' => (State::Control(0), Step::More),
                0x20..=0x3f => (State::Control(parameter), Step::More),
                0x40..=0x7e => (State::Outside, control(byte, parameter)),
                _ => (State::Outside, Step::Foreign),
            },
            State::String(osc, true) => match byte {
                b'\\' => self.end_string(osc),
                _ => self.begun(byte),
            },
            State::String(osc, false) => match byte {
                BELL => self.end_string(osc),
                ESCAPE => (State::String(osc, true), Step::More),
                // No string holds a line end. What looks like the beginning of one is often binary rubbish, and it would
                // be a pity if all that follows were lost in it.
                b'\n' | b'\r' | 0x18 | 0x1a => (State::Outside, Step::Foreign),
                _ => {
                    if osc && self.string.len() < STRING_LIMIT {
                        self.string.push(byte);
                    }
                    (State::String(osc, false), Step::More)
                }
            },
        };
        self.state = state;
        step
    }

    fn begun(&mut self, byte: u8) -> (State, Step) {
        match byte {
            b'[' => (State::Control(0), Step::More),
            b']' => {
                self.string.clear();
                (State::String(true, false), Step::More)
            }
            b'P' | b'X' | b'^' | b'_' => (State::String(false, false), Step::More),
            0x20..=0x2f => (State::Intermediate, Step::More),
            // Save and restore the cursor, move it up, down, to the next line; reset.
            b'7' | b'8' | b'D' | b'E' | b'M' | b'c' => (State::Outside, Step::Motion),
            0x30..=0x7e => (State::Outside, Step::Nothing),
            ESCAPE => (State::Begun, Step::More),
            _ => (State::Outside, Step::Foreign),
        }
    }

    fn end_string(&self, osc: bool) -> (State, Step) {
        let whole = osc && self.string.len() < STRING_LIMIT;
        let step = if whole { Step::Osc } else { Step::Nothing };
        (State::Outside, step)
    }
}

fn control(last: u8, parameter: u16) -> Step {
    match last {
        // Colours, modes, the cursor's shape, questions to the terminal.
        b'm' | b'h' | b'l' | b'q' | b'c' | b'n' | b't' | b'p' => Step::Nothing,
        // Erases what follows, of which there is nothing yet: compilers and grep put it after every colour.
        b'K' if parameter == 0 => Step::Nothing,
        _ => Step::Motion,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the bytes after an escape character are, the last one's step.
    fn step(bytes: &[u8]) -> Step {
        let mut escapes = Escapes::default();
        escapes.begin();
        let (last, rest) = bytes.split_last().expect("a sequence has a byte");
        for byte in rest {
            assert_eq!(escapes.next(*byte), Step::More, "{bytes:?}");
        }
        let step = escapes.next(*last);
        assert_eq!(escapes.inside(), step == Step::More);
        step
    }

    #[test]
    fn colours_and_modes_end_no_record_and_what_moves_the_cursor_does() {
        for nothing in ["[m", "[1;31m", "[?25l", "[K", "[0K", "(B", "=", "[1 q"] {
            assert_eq!(step(nothing.as_bytes()), Step::Nothing, "{nothing}");
        }
        for motion in ["[A", "[2K", "[1G", "[10;20H", "[J", "7", "8", "M"] {
            assert_eq!(step(motion.as_bytes()), Step::Motion, "{motion}");
        }
    }

    #[test]
    fn an_osc_ends_at_a_bell_or_at_a_string_terminator() {
        assert_eq!(step(b"]9;4;1;5\x07"), Step::Osc);
        assert_eq!(step(b"]9;4;1;5\x1b\\"), Step::Osc);
        assert_eq!(step(b"P1$r0m\x1b\\"), Step::Nothing);
    }

    #[test]
    fn a_string_without_an_end_ends_with_its_line() {
        assert_eq!(step(b"]0;title\n"), Step::Foreign);
        assert_eq!(step(b"[12\n"), Step::Foreign);
    }

    #[test]
    fn of_a_long_osc_only_the_beginning_is_kept() {
        let mut escapes = Escapes::default();
        escapes.begin();
        escapes.next(b']');
        for _ in 0..100_000 {
            assert_eq!(escapes.next(b'x'), Step::More);
        }
        assert_eq!(escapes.next(BELL), Step::Nothing);
        assert_eq!(escapes.string().len(), STRING_LIMIT);
    }
}
