//! Splits what is written to a terminal into text, control characters and sequences.
//!
//! Responsible for the grammar of ECMA-48 as terminals understand it, also where a piece is cut into several writes and
//! where a control character of 8 bits (C1) stands for two of 7: U+0080 to U+009F in UTF-8. A lone byte of these values
//! is a control character only for a terminal whose character set is not UTF-8; in UTF-8 it is text, most likely of an
//! older character set. Does not know what any of it means. Memory is bounded: a string that is too long is given in
//! parts, as it comes.

/// The longest sequence that is kept. All that we understand are shorter, a link (OSC 8) of several KiB included; an
/// image may be longer.
const LONGEST: usize = 16 * 1024;

/// A piece of what is written to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text. A character may be cut in two, and a byte may be none.
    Text(&'a [u8]),
    /// A control character other than the escape character.
    Control(u8),
    /// A control sequence (CSI), `ESC [ parameters last`: most of what moves, erases and colors.
    Csi {
        /// Digits, semicolons, a private mark before and intermediate characters after them.
        parameters: &'a [u8],
        /// The final byte, which names the function.
        last: u8,
    },
    /// A short sequence, such as `7` of `ESC 7`.
    Escape(&'a [u8]),
    /// A string: OSC, DCS, APC, PM or SOS.
    String {
        /// Its kind and what it says, such as `]0;title` of an operating system command (OSC).
        content: &'a [u8],
        /// All of it, with what ends it.
        written: &'a [u8],
    },
    /// Part of a string that is too long to be kept.
    Long {
        /// Whether it is the first.
        begins: bool,
        /// The part. The last one ends the string, also if it was cut short.
        written: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After a byte that begins a control character in UTF-8, or an ordinary one.
    Lead,
    Escape,
    Csi,
    String,
    /// In a string, after an escape character that probably ends it.
    StringEscape,
    /// In a string that is too long.
    Long,
    LongEscape,
}

/// A sequence that is complete, or part of one.
#[derive(Clone, Copy, Debug)]
enum Whole<'bytes> {
    Escape,
    Csi,
    String,
    /// The kept part of a string that is too long.
    LongBegins,
    /// More of it, kept or from what is being written.
    LongKept,
    Long(&'bytes [u8]),
}

/// The character that every sequence begins with.
pub(crate) const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;
/// Ends a string (ST).
const TERMINATOR: &[u8] = b"\x1b\\";
/// The first byte of U+0080 to U+00BF.
const LEAD: u8 = 0xc2;
/// ST as one byte (C1).
const TERMINATOR_8: u8 = 0x9c;

/// Ends whatever is begun, in every terminal: CAN drops a sequence, and ST is for those that take it as part of a
/// string.
pub(crate) const END_ANY: &[u8] = b"\x18\x1b\\";

/// The state between two writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splitter {
    state: State,
    /// The begun sequence as it was written, with two characters for a control character of 8 bits.
    sequence: Vec<u8>,
    /// How many more bytes the last character of the text has.
    missing: u8,
    /// Whether a lone byte can be a control character of 8 bits.
    eight_bits: bool,
    /// About a string that is too long: whether it may hold line ends, and whether a doubled escape character is part
    /// of it.
    lines: bool,
    wrapped: bool,
}

impl Splitter {
    /// For a terminal whose character set is not UTF-8 if `so`: there a lone byte of 80 to 9F is a control character.
    #[must_use]
    pub(crate) fn eight_bits(mut self, so: bool) -> Self {
        self.eight_bits = so;
        self
    }

    /// A splitter for the same terminal that has seen nothing yet.
    #[must_use]
    pub(crate) fn anew(&self) -> Self {
        Self::default().eight_bits(self.eight_bits)
    }

    /// Whether a sequence is begun.
    #[must_use]
    pub(crate) fn is_within(&self) -> bool {
        self.state != State::Text
    }

    /// Whether `bytes` are text and control characters alone, and neither end nor begin anything that the splitter has
    /// to remember.
    #[must_use]
    pub(crate) fn has_nothing_in(&self, bytes: &[u8]) -> bool {
        // A byte beyond ASCII may begin a control character of 8 bits, or a character that another piece ends.
        !self.is_within()
            && self.missing == 0
            && bytes.is_ascii()
            && memchr::memchr(ESCAPE, bytes).is_none()
    }

    /// The begun sequence, as far as it was written and not given out.
    #[must_use]
    pub(crate) fn written(&self) -> &[u8] {
        if self.state == State::Long {
            &[]
        } else {
            &self.sequence
        }
    }

    /// Takes the next piece off `rest`; none if there is no whole one.
    pub(crate) fn next<'piece, 'bytes: 'piece>(
        &'piece mut self,
        rest: &mut &'bytes [u8],
    ) -> Option<Piece<'piece>> {
        loop {
            if self.state == State::Text {
                self.sequence.clear();
                let bytes = *rest;
                let text = self.text(bytes);
                if text > 0 {
                    *rest = &bytes[text..];
                    return Some(Piece::Text(&bytes[..text]));
                }
                let (&control, after) = bytes.split_first()?;
                match control {
                    ESCAPE => {}
                    LEAD => {
                        *rest = after;
                        self.go_on(LEAD, State::Lead);
                    }
                    0x80..=0x9f => {
                        *rest = after;
                        if let Some(whole) = self.begin_by_one(control) {
                            return Some(self.piece(whole));
                        }
                        continue;
                    }
                    _ => {
                        *rest = after;
                        return Some(Piece::Control(control));
                    }
                }
            }
            if self.state == State::Lead {
                let (&byte, after) = rest.split_first()?;
                if !matches!(byte, 0x80..=0x9f) {
                    // An ordinary character, or none.
                    self.state = State::Text;
                    self.missing = 1;
                    return Some(Piece::Text(&[LEAD]));
                }
                *rest = after;
                if let Some(whole) = self.begin_by_one(byte) {
                    return Some(self.piece(whole));
                }
                continue;
            }
            if let Some(whole) = self.finish(rest) {
                return Some(self.piece(whole));
            }
            if rest.is_empty() {
                return None;
            }
        }
    }

    /// Takes a sequence off `rest`, which begins with an escape character or goes on with a begun sequence. None if it
    /// is not complete, and if the bytes are none: then what does not belong to it is left in `rest`.
    pub(crate) fn sequence<'piece, 'bytes: 'piece>(
        &'piece mut self,
        rest: &mut &'bytes [u8],
    ) -> Option<Piece<'piece>> {
        let whole = self.finish(rest)?;
        Some(self.piece(whole))
    }

    /// How many of these bytes are text.
    fn text(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                0x80..=0xbf if self.missing > 0 => self.missing -= 1,
                0x80..=0x9f if self.eight_bits => return at,
                LEAD if !matches!(bytes.get(at + 1), Some(0xa0..)) => {
                    self.missing = 0;
                    return at;
                }
                0xc2..=0xdf => self.missing = 1,
                0xe0..=0xef => self.missing = 2,
                0xf0..=0xf4 => self.missing = 3,
                _ if is_control(byte) => {
                    self.missing = 0;
                    return at;
                }
                _ => self.missing = 0,
            }
        }
        bytes.len()
    }

    fn finish<'bytes>(&mut self, rest: &mut &'bytes [u8]) -> Option<Whole<'bytes>> {
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Long {
                return Some(self.long(rest));
            }
            if self.state == State::LongEscape {
                if byte != b'\\' && !self.wrapped {
                    // Another sequence cuts the string short. That one is for a terminal that is in no string any more.
                    self.begin();
                    return Some(Whole::Long(TERMINATOR));
                }
                let state = if byte == b'\\' {
                    State::Text
                } else {
                    State::Long
                };
                self.sequence = vec![ESCAPE, byte];
                self.state = state;
                *rest = after;
                return Some(Whole::LongKept);
            }
            if self.state == State::StringEscape && byte != b'\\' {
                if is_wrapped(&self.sequence) {
                    self.go_on(byte, State::String);
                    *rest = after;
                    continue;
                }
                // The string was cut short by another sequence.
                self.begin();
            }
            match (self.state, byte) {
                (State::String, ESCAPE) => self.go_on(byte, State::StringEscape),
                // Ends whatever is begun.
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
                (State::String, BELL) if is_wrapped(&self.sequence) => {
                    self.go_on(byte, State::String);
                }
                (State::String, BELL) | (State::StringEscape, _) => {
                    self.go_on(byte, State::Text);
                    *rest = after;
                    return Some(Whole::String);
                }
                // The string may also end with the control character of 8 bits, U+009C.
                (State::String, TERMINATOR_8)
                    if self.eight_bits || self.sequence.last() == Some(&LEAD) =>
                {
                    self.sequence.pop_if(|last| *last == LEAD);
                    self.sequence.extend_from_slice(TERMINATOR);
                    self.state = State::Text;
                    *rest = after;
                    return Some(Whole::String);
                }
                (State::String, b'\n' | b'\r') if holds_lines(&self.sequence) => {
                    self.go_on(byte, State::String);
                }
                // No other string holds a line end. What looks like the beginning of one is often binary rubbish, and
                // all text after it would be lost in it.
                (State::String, b'\n' | b'\r' | CANCEL | SUBSTITUTE)
                | (
                    State::Text
                    | State::Lead
                    | State::Escape
                    | State::Csi
                    | State::Long
                    | State::LongEscape,
                    _,
                ) => {
                    self.state = State::Text;
                    return None;
                }
                (State::String, _) => self.go_on(byte, State::String),
            }
            *rest = after;
            if self.state == State::String && self.sequence.len() >= LONGEST {
                self.state = State::Long;
                self.lines = holds_lines(&self.sequence);
                self.wrapped = is_wrapped(&self.sequence);
                return Some(Whole::LongBegins);
            }
        }
        None
    }

    /// The next part of a string that is too long.
    fn long<'bytes>(&mut self, rest: &mut &'bytes [u8]) -> Whole<'bytes> {
        let bytes = *rest;
        let (lines, wrapped, eight_bits) = (self.lines, self.wrapped, self.eight_bits);
        let ends = |byte: &u8| match *byte {
            TERMINATOR_8 => eight_bits,
            ESCAPE | CANCEL | SUBSTITUTE => true,
            BELL => !wrapped,
            b'\n' | b'\r' => !lines,
            _ => false,
        };
        let end = bytes.iter().position(ends).unwrap_or(bytes.len());
        if end > 0 {
            *rest = &bytes[end..];
            return Whole::Long(&bytes[..end]);
        }
        self.state = State::Text;
        match bytes[0] {
            ESCAPE => {
                *rest = &bytes[1..];
                self.sequence = vec![ESCAPE];
                self.state = State::LongEscape;
                Whole::Long(&[])
            }
            BELL | TERMINATOR_8 => {
                *rest = &bytes[1..];
                Whole::Long(&bytes[..1])
            }
            _ => Whole::Long(TERMINATOR),
        }
    }

    fn piece<'piece, 'bytes: 'piece>(&'piece self, whole: Whole<'bytes>) -> Piece<'piece> {
        let written = &self.sequence[..];
        match whole {
            Whole::Escape => Piece::Escape(&written[1..]),
            Whole::Csi => Piece::Csi {
                parameters: &written[2..written.len() - 1],
                last: written[written.len() - 1],
            },
            Whole::String => {
                let mark = if written.ends_with(TERMINATOR) { 2 } else { 1 };
                Piece::String {
                    content: &written[1..written.len() - mark],
                    written,
                }
            }
            Whole::LongBegins => Piece::Long {
                begins: true,
                written,
            },
            Whole::LongKept => Piece::Long {
                begins: false,
                written,
            },
            Whole::Long(written) => Piece::Long {
                begins: false,
                written,
            },
        }
    }

    fn begin(&mut self) {
        self.sequence.clear();
        self.go_on(ESCAPE, State::Escape);
    }

    /// Begins the sequence of a control character of 8 bits, and gives it if it is complete.
    fn begin_by_one(&mut self, control: u8) -> Option<Whole<'static>> {
        self.begin();
        let mut second: &[u8] = &[control - 0x40];
        let whole = self.finish(&mut second)?;
        // No other sequence is complete with two characters.
        Some(match whole {
            Whole::Escape => Whole::Escape,
            _ => Whole::LongKept,
        })
    }

    fn go_on(&mut self, byte: u8, state: State) {
        // With what ends it.
        if self.sequence.len() < LONGEST + 2 {
            self.sequence.push(byte);
        }
        self.state = state;
    }
}

/// Whether a string that begins so may hold line ends: some programs write images and clipboard data in lines.
fn holds_lines(begin: &[u8]) -> bool {
    is_image(begin.get(1..).unwrap_or_default())
        || begin.starts_with(b"\x1b]52;")
        || is_wrapped(begin)
}

/// Whether a string is for the terminal around tmux: there every escape character is doubled, and ends nothing.
fn is_wrapped(begin: &[u8]) -> bool {
    begin.starts_with(b"\x1bPtmux;")
}

/// Whether a string that begins so is an image: sixels, or one in the protocols of iTerm and kitty.
#[must_use]
pub(crate) fn is_image(content: &[u8]) -> bool {
    let is_parameter = |byte: &&u8| matches!(byte, b'0'..=b'9' | b';');
    let sixels = |rest: &[u8]| rest.iter().find(|byte| !is_parameter(byte)) == Some(&b'q');
    let files: [&[u8]; 4] = [b"File=", b"MultipartFile=", b"FilePart=", b"FileEnd"];
    let iterm = |rest: &[u8]| files.iter().any(|file| rest.starts_with(file));
    content.starts_with(b"_G")
        || content.strip_prefix(b"P").is_some_and(sixels)
        || content.strip_prefix(b"]1337;").is_some_and(iterm)
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

/// The numbers of a sequence. A missing or invalid one is 0.
pub(crate) fn numbers(parameters: &[u8]) -> impl Iterator<Item = usize> {
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
        pieces_by(Splitter::default(), writes)
    }

    fn pieces_by(mut splitter: Splitter, writes: &[&[u8]]) -> Vec<String> {
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
                    Piece::Long { written, .. } => format!("long {}", written.len()),
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
    fn a_string_that_is_too_long_is_given_in_parts_to_its_end() {
        let mut written = b"\x1b]52;c;".to_vec();
        written.resize(2 * LONGEST, b'x');
        for (end, given) in [
            (&b"\x07"[..], &b"\x07"[..]),
            (b"\x1b\\", b"\x1b\\"),
            // Cut short, it is ended.
            (b"\x1b[m", b"\x1b\\"),
            (b"\x18", b"\x1b\\"),
        ] {
            let all = [&written[..], end, b"after"].concat();
            for size in [1, 100, 4 * LONGEST] {
                let mut splitter = Splitter::default();
                let (mut long, mut begun, mut after) = (Vec::new(), 0, Vec::new());
                for mut rest in all.chunks(size) {
                    while let Some(piece) = splitter.next(&mut rest) {
                        match piece {
                            Piece::Long { begins, written } => {
                                begun += u32::from(begins);
                                long.extend_from_slice(written);
                            }
                            Piece::Text(text) => after.extend_from_slice(text),
                            _ => {}
                        }
                    }
                    assert!(splitter.sequence.len() <= LONGEST + 2);
                }
                assert!(long == [&written[..], given].concat(), "{end:?} by {size}");
                assert_eq!((begun, &after[..]), (1, &b"after"[..]), "{end:?} by {size}");
            }
        }
    }

    #[test]
    fn an_image_may_be_written_in_lines_and_a_string_for_another_terminal_holds_sequences() {
        for string in [
            "P0;1;0q\"1;1;2;2#0\n-\r\n",
            "_Ga=T,f=100;aaaa\nbbbb",
            "]1337;File=inline=1:aaaa\nbbbb",
            "]52;c;aaaa\nbbbb",
            "Ptmux;\x1b\x1b]52;c;aaaa\x1b\x1b\\",
            "Ptmux;\x1b\x1b]52;c;aaaa\x07",
        ] {
            let written = format!("\x1b{string}\x1b\\after");
            for cut in [0, 1, 7, written.len() - 7, written.len() - 6] {
                let (one, other) = written.as_bytes().split_at(cut);
                let expected = [format!("string {string}"), "text after".to_owned()];
                assert_eq!(pieces(&[one, other]), expected, "{cut}");
            }
        }
    }

    #[test]
    fn control_characters_of_8_bits_are_those_of_7_and_letters_are_letters() {
        for (written, expected) in [
            ("a\u{9b}6nb".as_bytes(), vec!["text a", "csi 6 n", "text b"]),
            (
                "\u{9d}11;?\u{9c}b".as_bytes(),
                vec!["string ]11;?", "text b"],
            ),
            ("\u{90}$qm\x1b\\b".as_bytes(), vec!["string P$qm", "text b"]),
            ("\u{85}b".as_bytes(), vec!["escape E", "text b"]),
            (
                "日本ü\u{c2}\u{a0}\u{d7}".as_bytes(),
                vec!["text 日本ü\u{c2}\u{a0}\u{d7}"],
            ),
        ] {
            for cut in 0..written.len() {
                let found = pieces(&[&written[..cut], &written[cut..]]).concat();
                let texts = |all: &str| all.replace("text ", "");
                if std::str::from_utf8(&written[..cut]).is_ok() || written.contains(&0x1b) {
                    assert_eq!(texts(&found), texts(&expected.concat()), "{cut}");
                }
            }
            assert_eq!(pieces(&[written]), expected);
        }
    }

    #[test]
    fn a_lone_byte_is_text_in_utf_8_and_a_control_character_in_a_set_of_8_bits() {
        let eight_bits = || Splitter::default().eight_bits(true);
        let cases: &[(&[u8], &[&str])] = &[
            (b"a\x9b6nb", &["text a", "csi 6 n", "text b"]),
            (b"\x9d11;?\x9cb", &["string ]11;?", "text b"]),
            (b"\x90$qm\x1b\\b", &["string P$qm", "text b"]),
            (b"\x85b", &["escape E", "text b"]),
            (b"\x9ab", &["escape Z", "text b"]),
            ("日本ü\u{a0}Ы".as_bytes(), &["text 日本ü\u{a0}Ы"]),
        ];
        for (written, expected) in cases {
            assert_eq!(&pieces_by(eight_bits(), &[written]), expected);
            let mut splitter = Splitter::default();
            let mut rest = *written;
            let first = splitter.next(&mut rest).unwrap();
            let is_text = |end: usize| first == Piece::Text(&written[..end]);
            let end = written.iter().position(|byte| *byte == 0x1b);
            assert!(is_text(end.unwrap_or(written.len())), "{written:?}");
        }
        let mut long = b"\x9d52;c;".to_vec();
        long.resize(2 * LONGEST, b'x');
        let after = pieces_by(eight_bits(), &[&long, b"\x9cafter"]);
        assert_eq!(after.last().unwrap(), "text after");
    }

    #[test]
    fn numbers_that_are_missing_are_0() {
        assert_eq!(numbers(b";12;?3").collect::<Vec<_>>(), [0, 12, 0]);
    }
}
