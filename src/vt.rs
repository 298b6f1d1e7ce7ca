//! Splits what is written to a terminal into text, control characters and sequences.
//!
//! Responsible for the grammar of ECMA-48 as terminals understand it, also where a piece is cut into several writes.
//! Refuses to know what any of it means: the child's worker listens for questions to the terminal, the screen for what
//! moves the cursor. Memory is bounded: a string that is too long is swallowed to its end.

/// No sequence with a meaning for us is longer; a hyperlink or a title may be.
const LONGEST: usize = 4096;

/// A piece of what is written to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Characters, or bytes that are none; a character may be cut in two.
    Text(&'a [u8]),
    /// A control character other than the escape character.
    Control(u8),
    /// `ESC [ parameters last`: most of what moves, erases and colors.
    Csi {
        /// Digits, semicolons, a private mark before and intermediate characters after them.
        parameters: &'a [u8],
        /// What is to be done.
        last: u8,
    },
    /// A short sequence, such as `7` of `ESC 7`.
    Escape(&'a [u8]),
    /// A string.
    String {
        /// Its kind and what it says, such as `]0;title` of an operating system command.
        content: &'a [u8],
        /// All of it, with what ends it.
        written: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Csi,
    String,
    /// In a string, after an escape character that probably ends it.
    StringEscape,
}

/// A sequence that is complete.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Escape,
    Csi,
    /// With how many bytes end it.
    String {
        mark: usize,
    },
}

/// The character that every sequence begins with.
pub const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;

/// The state between two writes.
#[derive(Debug, Default)]
pub struct Splitter {
    state: State,
    /// The begun sequence as it was written.
    sequence: Vec<u8>,
}

impl Splitter {
    /// Whether a sequence is begun.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.state != State::Text
    }

    /// The sequence that is begun, as far as it was written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.sequence
    }

    /// Takes the next piece off `rest`; none if there is no whole one.
    pub fn next<'piece, 'bytes: 'piece>(
        &'piece mut self,
        rest: &mut &'bytes [u8],
    ) -> Option<Piece<'piece>> {
        loop {
            if self.state == State::Text {
                self.sequence.clear();
                let bytes = *rest;
                let text = bytes.iter().position(|byte| is_control(*byte));
                let text = text.unwrap_or(bytes.len());
                if text > 0 {
                    *rest = &bytes[text..];
                    return Some(Piece::Text(&bytes[..text]));
                }
                let (&control, after) = bytes.split_first()?;
                if control != ESCAPE {
                    *rest = after;
                    return Some(Piece::Control(control));
                }
            }
            if let Some(whole) = self.finish(rest) {
                return Some(self.piece(whole));
            }
            if rest.is_empty() {
                return None;
            }
        }
    }

    /// Takes a sequence off `rest`, which begins with an escape character or goes on with what is begun. None if it is
    /// not complete, and if it is none: then what is no part of it is left in `rest`.
    pub fn sequence(&mut self, rest: &mut &[u8]) -> Option<Piece<'_>> {
        let whole = self.finish(rest)?;
        Some(self.piece(whole))
    }

    fn finish(&mut self, rest: &mut &[u8]) -> Option<Whole> {
        while let Some((&byte, after)) = rest.split_first() {
            if let (State::StringEscape, true) = (self.state, byte != b'\\') {
                // The string was cut short by another sequence.
                self.begin();
            }
            match (self.state, byte) {
                (State::String, ESCAPE) => self.go_on(byte, State::StringEscape),
                // Whatever was begun.
                (_, ESCAPE) => self.begin(),
                (State::Escape, b'[') | (State::Csi, b' '..=b'?') => self.go_on(byte, State::Csi),
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => {
                    self.go_on(byte, State::String);
                }
                (State::Escape, b' '..=b'/') => self.go_on(byte, State::Escape),
                (State::Escape, b'0'..=b'~') => {
                    self.go_on(byte, State::Text);
                    *rest = after;
                    return Some(Whole::Escape);
                }
                (State::Csi, b'@'..=b'~') => {
                    self.go_on(byte, State::Text);
                    *rest = after;
                    return Some(Whole::Csi);
                }
                (State::String, BELL) | (State::StringEscape, _) => {
                    self.go_on(byte, State::Text);
                    *rest = after;
                    // What is too long has no end here, and is no string to anybody.
                    let mark = if byte == BELL { 1 } else { 2 };
                    return (self.sequence.len() < LONGEST).then_some(Whole::String { mark });
                }
                // No string holds a line end. What looks like the beginning of one is often binary rubbish, and it would
                // be a pity if all that follows were lost in it.
                (State::String, b'\n' | b'\r' | CANCEL | SUBSTITUTE)
                | (State::Text | State::Escape | State::Csi, _) => {
                    self.state = State::Text;
                    return None;
                }
                (State::String, _) => self.go_on(byte, State::String),
            }
            *rest = after;
        }
        None
    }

    fn piece(&self, whole: Whole) -> Piece<'_> {
        let written = &self.sequence[..];
        match whole {
            Whole::Escape => Piece::Escape(&written[1..]),
            Whole::Csi => Piece::Csi {
                parameters: &written[2..written.len() - 1],
                last: written[written.len() - 1],
            },
            Whole::String { mark } => Piece::String {
                content: &written[1..written.len() - mark],
                written,
            },
        }
    }

    fn begin(&mut self) {
        self.sequence.clear();
        self.go_on(ESCAPE, State::Escape);
    }

    fn go_on(&mut self, byte: u8, state: State) {
        if self.sequence.len() < LONGEST {
            self.sequence.push(byte);
        }
        self.state = state;
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

/// The numbers of a sequence; what is missing or none is 0.
pub fn numbers(parameters: &[u8]) -> impl Iterator<Item = usize> {
    parameters.split(|byte| *byte == b';').map(|digits| {
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of what is written in `writes`, in a form that can be compared.
    fn pieces(writes: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut all = Vec::new();
        for write in writes {
            let mut rest = *write;
            while let Some(piece) = splitter.next(&mut rest) {
                all.push(match piece {
                    Piece::Csi { parameters, last } => format!(
                        "csi {} {}",
                        String::from_utf8_lossy(parameters),
                        char::from(last)
                    ),
                    Piece::Text(text) => format!("text {}", String::from_utf8_lossy(text)),
                    Piece::Control(byte) => format!("control {byte}"),
                    Piece::Escape(bytes) => format!("escape {}", String::from_utf8_lossy(bytes)),
                    Piece::String { content, .. } => {
                        format!("string {}", String::from_utf8_lossy(content))
                    }
                });
            }
        }
        all
    }

    #[test]
    fn text_controls_and_sequences_are_told_apart() {
        let written = b"a\r\n\x1b[1;31mb\x1b7\x1b(B\x1b]0;title\x07\x1b]8;;x\x1b\\\x1b[?1049h";
        let expected = [
            "text a",
            "control 13",
            "control 10",
            "csi 1;31 m",
            "text b",
            "escape 7",
            "escape (B",
            "string ]0;title",
            "string ]8;;x",
            "csi ?1049 h",
        ];
        assert_eq!(pieces(&[written]), expected);
    }

    #[test]
    fn a_sequence_may_be_cut_anywhere() {
        let written = b"\x1b[1;31mb\x1b]8;;x\x1b\\\x1b(B";
        let whole = pieces(&[written]);
        for cut in 0..written.len() {
            assert_eq!(pieces(&[&written[..cut], &written[cut..]]), whole, "{cut}");
        }
    }

    #[test]
    fn what_is_begun_and_not_ended_takes_no_text_with_it() {
        assert_eq!(
            pieces(&[b"\x1b[12\nok\x1b]0;x\x1b[mend\x1b\x1b[Kx"]),
            [
                "control 10",
                "text ok",
                "csi  m",
                "text end",
                "csi  K",
                "text x"
            ]
        );
    }

    #[test]
    fn a_string_that_is_too_long_is_swallowed_to_its_end() {
        let mut written = b"\x1b]52;c;".to_vec();
        written.resize(2 * LONGEST, b'x');
        written.extend_from_slice(b"\x07after");
        assert_eq!(pieces(&[&written]), ["text after"]);
    }

    #[test]
    fn numbers_that_are_missing_are_0() {
        assert_eq!(numbers(b";12;?3").collect::<Vec<_>>(), [0, 12, 0]);
    }
}
