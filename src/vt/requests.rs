//! Finds in what a child writes to its pseudo-terminal the requests to which a terminal reacts other than by showing
//! text.
//!
//! There are three: questions that want an answer (DSR, DA: `ESC[6n` asks where the cursor is), without which the
//! program may wait for ever; taking the whole screen, as vim and htop do; and reading keys, as an interactive bash
//! does. Does not know how an answer is sent and the terminal lent.

use std::fmt::Write;

use rustix::termios::Winsize;

use super::lexer::{ESCAPE, Piece, Splitter, numbers};

/// A request to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalRequest {
    /// Answer.
    Answer(Question),
    /// Give the whole screen, from this byte on.
    Take(usize),
    /// Give the keyboard: bracketed paste is switched on, so keys are about to be read.
    Keys,
}

/// Questions to which programs wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// DSR 5: are you there?
    Status,
    /// DSR 6: where is the cursor?
    Position,
    /// DA: what are you?
    Kind,
}

impl Question {
    /// The answer of a terminal of this size. The place of the child's cursor among our lines is not known; the last
    /// row is where a program that writes line by line finds itself sooner or later.
    pub(crate) fn answer(self, size: Winsize) -> String {
        let mut answer = String::new();
        let _ = match self {
            Self::Status => write!(answer, "\x1b[0n"),
            Self::Position => write!(answer, "\x1b[{};1R", size.ws_row),
            // A VT220 with colors.
            Self::Kind => write!(answer, "\x1b[?62;22c"),
        };
        answer
    }
}

/// Where a question begins, of whatever kind, if `bytes` end with one.
pub(crate) fn question_at_end(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memrchr(ESCAPE, bytes)?;
    let asks = match &bytes[at + 1..] {
        [b'[', parameters @ .., b'n' | b'c' | b't'] => {
            parameters.iter().all(|byte| matches!(byte, b'0'..=b'?'))
        }
        [b']', content @ ..] => content.ends_with(b"?\x07"),
        _ => false,
    };
    asks.then_some(at)
}

/// The part of the screen that the child has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Screen {
    /// Its lines.
    #[default]
    Lines,
    /// It was cleared: text anywhere else than at its top makes it a whole screen.
    Cleared,
    /// All of it, on a terminal that has only one.
    Whole,
    /// All of the alternate screen.
    Alternate,
}

impl Screen {
    fn is_taken(self) -> bool {
        matches!(self, Self::Whole | Self::Alternate)
    }
}

/// Scans one stream.
#[derive(Debug, Default)]
pub(crate) struct RequestScanner {
    splitter: Splitter,
    screen: Screen,
    /// Whether the cursor was sent to the first row and column, and not anywhere else.
    at_home: bool,
    /// Whether bracketed paste is on, which programs switch on while they read a line.
    reads_keys: bool,
    /// Whether the cursor's place is saved (DECSC): text elsewhere is a status line then, and not a screen.
    saved: bool,
}

impl RequestScanner {
    /// The requests in `bytes`, in order.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Vec<TerminalRequest> {
        let mut requests = Vec::new();
        if self.splitter.has_nothing_in(bytes) {
            return requests;
        }
        let mut rest = bytes;
        let mut start = 0;
        while let Some(piece) = self.splitter.next(&mut rest) {
            let (parameters, last) = match piece {
                Piece::Csi { parameters, last } => (parameters, last),
                Piece::Escape(b"7") => (&b""[..], b's'),
                Piece::Escape(b"8") => (&b""[..], b'u'),
                _ => {
                    start = bytes.len() - rest.len();
                    continue;
                }
            };
            let before = self.screen.is_taken();
            let mut row = numbers(parameters);
            match (parameters, last) {
                (b"5", b'n') => requests.push(TerminalRequest::Answer(Question::Status)),
                (b"6", b'n') => requests.push(TerminalRequest::Answer(Question::Position)),
                (b"" | b"0", b'c') => requests.push(TerminalRequest::Answer(Question::Kind)),
                (b"?1049" | b"?1047" | b"?47", b'h') => self.screen = Screen::Alternate,
                (b"?1049" | b"?1047" | b"?47", b'l') => self.screen = Screen::Lines,
                (b"?2004", b'h') if !self.reads_keys => {
                    self.reads_keys = true;
                    requests.push(TerminalRequest::Keys);
                }
                (b"?2004", b'l') => self.reads_keys = false,
                (b"", b's') => self.saved = true,
                (b"", b'u') => self.saved = false,
                (_, b'H' | b'f') => {
                    self.at_home = row.all(|number| number <= 1);
                    if !self.at_home && !self.saved && self.screen == Screen::Cleared {
                        self.screen = Screen::Whole;
                    }
                }
                (b"2", b'J') if !before => self.screen = Screen::Cleared,
                (b"" | b"0", b'J') if !before && self.at_home => self.screen = Screen::Cleared,
                _ => {}
            }
            if self.screen.is_taken() && !before {
                requests.push(TerminalRequest::Take(start));
            }
            start = bytes.len() - rest.len();
        }
        requests
    }

    /// Whether the child has the whole screen.
    pub(crate) fn has_screen(&self) -> bool {
        self.screen.is_taken()
    }

    /// Whether the child will say when it no longer needs what it has of the terminal.
    pub(crate) fn will_leave(&self) -> bool {
        self.screen == Screen::Alternate || self.reads_keys
    }

    /// The screen was taken back from the child.
    pub(crate) fn taken_back(&mut self) {
        self.screen = Screen::Lines;
        self.reads_keys = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(writes: &[&str]) -> Vec<TerminalRequest> {
        let mut scanner = RequestScanner::default();
        let scan = |write: &&str| scanner.scan(write.as_bytes());
        writes.iter().flat_map(scan).collect()
    }

    #[test]
    fn questions_are_heard_however_they_are_cut() {
        let position = TerminalRequest::Answer(Question::Position);
        let kind = TerminalRequest::Answer(Question::Kind);
        assert_eq!(requests(&["a\x1b[6nb\x1b[c"]), [position, kind]);
        assert_eq!(requests(&["a\x1b", "[", "6", "n"]), [position]);
        assert_eq!(
            requests(&["\x1b[5n"]),
            [TerminalRequest::Answer(Question::Status)]
        );
        assert_eq!(requests(&["\x1b[6;1m\x1b[16n 6n"]), []);
    }

    #[test]
    fn what_ends_with_a_question_is_told_from_what_does_not() {
        for asks in ["\x1b[6n", "\x1b[c", "\x1b[>0c", "\x1b[18t", "\x1b]11;?\x07"] {
            let bytes = format!("where\x1b[m? {asks}");
            assert_eq!(question_at_end(bytes.as_bytes()), Some(10), "{asks}");
        }
        for asks_not in [
            "\x1b[6nx",
            "\x1b[m in",
            "\x1b[",
            "\x1b]0;why?",
            "is it?\x07",
        ] {
            assert_eq!(question_at_end(asks_not.as_bytes()), None, "{asks_not}");
        }
    }

    #[test]
    fn a_program_takes_the_alternate_screen_and_leaves_it() {
        let taken = requests(&["ab\x1b[1m\x1b[?1049h\x1b[2J\x1b[5;5Hx", "\x1b[?1049l$ "]);
        assert_eq!(taken, [TerminalRequest::Take(6)]);
        assert_eq!(
            requests(&["ab\x1b[?10", "49hx"]),
            [TerminalRequest::Take(0)]
        );
    }

    #[test]
    fn a_program_that_clears_the_screen_and_writes_all_over_it_takes_it() {
        assert_eq!(requests(&["\x1b[H\x1b[2J\x1b[3Jline\n"]), []);
        assert_eq!(requests(&["\x1b[2J\x1b[5;1Hx"]), [TerminalRequest::Take(4)]);
        assert_eq!(
            requests(&["\x1b[H\x1b[Jx\x1b[5;1Hx"]),
            [TerminalRequest::Take(7)]
        );
        // A status line, as apt keeps it.
        assert_eq!(requests(&["\x1b[H\x1b[2J\x1b7\x1b[24;0f[##]\x1b8"]), []);
        // An erased rest of a line.
        assert_eq!(requests(&["\x1b[J\x1b[5;1Hx"]), []);
    }

    #[test]
    fn a_program_that_wants_pasted_text_marked_is_about_to_read_keys() {
        assert_eq!(requests(&["\x1b[?2004h$ "]), [TerminalRequest::Keys]);
        let lines = ["\x1b[?2004h$ ", "\x1b[?2004l", "output", "\x1b[?2004h$ "];
        assert_eq!(
            requests(&lines),
            [TerminalRequest::Keys, TerminalRequest::Keys]
        );
    }

    #[test]
    fn a_line_of_state_takes_no_screen() {
        assert_eq!(
            requests(&["\x1b7\x1b[0;23r\x1b8\x1b[1A\x1b7\x1b[24;0f[##]\x1b8"]),
            []
        );
    }
}
