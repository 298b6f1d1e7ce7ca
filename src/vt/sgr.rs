//! What a terminal remembers for the text that follows: colors and attributes (SGR), an open link (OSC 8), and the
//! character set (SCS, SO).
//!
//! Of colors and attributes that exclude each other only the last is kept, so the style stays short whatever a command
//! writes. Knows no terminal: it only says what is switched on.

use std::sync::Arc;

use super::lexer::Piece;

/// The style that is on. Many columns of a line share one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style(Option<Arc<Look>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    /// The parameters of SGR.
    colors: Vec<u8>,
    /// The sequence that opened a link; empty if it was too long to be kept.
    link: Option<Arc<[u8]>>,
    /// What follows the escape character in the sequence that chose each of the four sets; empty for the usual one.
    sets: [Vec<u8>; 4],
    /// The control character that chose one of the sets (SI, SO); empty for the first set.
    shift: Vec<u8>,
}

/// Switches colors and attributes off.
const OFF: &[u8] = b"\x1b[0m";
/// Ends a link.
const UNLINKED: &[u8] = b"\x1b]8;;\x1b\\";
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
/// The longest parameters of a color. Longer ones are left out.
const LONGEST: usize = 32;
/// Chooses each of the four sets of 94 characters (SCS).
const SETS: [u8; 4] = *b"()*+";

impl Style {
    /// A style for which everything is to be switched off, because these bytes were written, or only a part of them.
    pub(crate) fn of_unknown(written: &[u8]) -> Self {
        let has = |what: &[u8]| written.windows(what.len()).any(|bytes| bytes == what);
        if !has(b"\x1b") && !has(&[SHIFT_OUT]) {
            return Self::default();
        }
        let mut look = Look {
            colors: b"0".to_vec(),
            ..Look::default()
        };
        look.link = has(b"\x1b]8;").then(|| Arc::from(&b""[..]));
        for (set, choice) in look.sets.iter_mut().zip(SETS) {
            if has(&[b'\x1b', choice]) {
                *set = vec![choice, b'B'];
            }
        }
        if has(&[SHIFT_OUT]) || has(b"\x1bn") || has(b"\x1bo") {
            look.shift = vec![SHIFT_OUT];
        }
        Self(Some(Arc::new(look)))
    }

    /// Whether all is as usual.
    pub(crate) fn is_usual(&self) -> bool {
        self.0.is_none()
    }

    /// The bytes that switch it on where nothing is on.
    pub(crate) fn on(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(look) = &self.0 else {
            return bytes;
        };
        if !look.colors.is_empty() {
            bytes.extend([b"\x1b[", &look.colors[..], b"m"].concat());
        }
        for set in look.sets.iter().filter(|set| !set.is_empty()) {
            bytes.push(b'\x1b');
            bytes.extend_from_slice(set);
        }
        bytes.extend_from_slice(&look.shift);
        bytes.extend_from_slice(look.link.as_deref().unwrap_or_default());
        bytes
    }

    /// The bytes that switch it off.
    pub(crate) fn off(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(look) = &self.0 else {
            return bytes;
        };
        if !look.colors.is_empty() {
            bytes.extend_from_slice(OFF);
        }
        for (_, choice) in look
            .sets
            .iter()
            .zip(SETS)
            .filter(|(set, _)| !set.is_empty())
        {
            bytes.extend_from_slice(&[b'\x1b', choice, b'B']);
        }
        if !look.shift.is_empty() {
            bytes.push(SHIFT_IN);
        }
        if look.link.is_some() {
            bytes.extend_from_slice(UNLINKED);
        }
        bytes
    }

    /// The bytes that lead from this style to `next`.
    pub(crate) fn to(&self, next: &Self) -> Vec<u8> {
        if self == next {
            return Vec::new();
        }
        [self.off(), next.on()].concat()
    }

    /// Takes in a piece of what is written. Gives the bytes if the piece is about the style.
    pub(crate) fn note(&mut self, piece: &Piece<'_>) -> Option<Vec<u8>> {
        let mut look = match (&self.0, piece) {
            // Most pieces are not.
            (_, Piece::Text(_) | Piece::Control(..SHIFT_OUT | 0x10..)) => return None,
            (Some(look), _) => (**look).clone(),
            (None, _) => Look::default(),
        };
        let written = match *piece {
            Piece::Csi {
                parameters: parameters @ (b"" | [b'0'..=b'9' | b';' | b':', ..]),
                last: b'm',
            } => {
                look.colors = restyle(&look.colors, parameters);
                [b"\x1b[", parameters, b"m"].concat()
            }
            Piece::Control(shift @ (SHIFT_OUT | SHIFT_IN)) => {
                look.shift = if shift == SHIFT_OUT {
                    vec![shift]
                } else {
                    Vec::new()
                };
                vec![shift]
            }
            Piece::Escape(shift @ (b"n" | b"o")) => {
                look.shift = [b"\x1b", shift].concat();
                look.shift.clone()
            }
            Piece::Escape(set @ [choice, b'0'..=b'~']) if SETS.contains(choice) => {
                let index = SETS.iter().position(|known| known == choice)?;
                look.sets[index] = if set[1] == b'B' {
                    Vec::new()
                } else {
                    set.to_vec()
                };
                [b"\x1b", set].concat()
            }
            // A reset of the terminal (RIS), and a soft one (DECSTR): their other effects are not about the style.
            Piece::Escape(b"c")
            | Piece::Csi {
                parameters: b"!",
                last: b'p',
            } => {
                *self = Self::default();
                return None;
            }
            Piece::String { content, written } => {
                let link = content.strip_prefix(b"]8;")?;
                let target = link
                    .splitn(2, |byte| *byte == b';')
                    .nth(1)
                    .unwrap_or_default();
                look.link = (!target.is_empty()).then(|| Arc::from(written));
                written.to_vec()
            }
            Piece::Long {
                begins: true,
                written,
            } if written.starts_with(b"\x1b]8;") => {
                look.link = Some(Arc::from(&b""[..]));
                self.0 = Some(Arc::new(look));
                return None;
            }
            _ => return None,
        };
        self.0 = (look != Look::default()).then(|| Arc::new(look));
        Some(written)
    }
}

/// The parameters that switch on all that is on after `before` and then `parameters`.
fn restyle(before: &[u8], parameters: &[u8]) -> Vec<u8> {
    if matches!(parameters, b"" | b"0") {
        return Vec::new();
    }
    let before = if before.is_empty() { b"0" } else { before };
    // Each with the number that ends it.
    let mut on: Vec<(u16, Vec<u8>)> = Vec::new();
    for given in [before, parameters] {
        let mut rest = given.split(|byte| *byte == b';');
        while let Some(word) = rest.next() {
            let number = number(word);
            let mut word = word.to_vec();
            if matches!(word[..], [b'3' | b'4' | b'5', b'8']) {
                // A color of a table, or red, green and blue.
                let kind = rest.next().unwrap_or(b"");
                let many = if kind == b"2" { 3 } else { 1 };
                for part in [kind].into_iter().chain(rest.by_ref().take(many)) {
                    word.push(b';');
                    word.extend_from_slice(part);
                }
            }
            match end(number) {
                _ if number == 0 => on.clear(),
                None => on.retain(|(end, _)| *end != number),
                // Bold and faint can be on together.
                Some(end) => on.retain(|(known, as_written)| {
                    *known != end || end == 22 && *as_written != word
                }),
            }
            if let Some(end) = end(number)
                && word != b"4:0"
                && word.len() <= LONGEST
            {
                on.push((end, word));
            }
        }
    }
    let words: Vec<_> = on.into_iter().map(|(_, word)| word).collect();
    words.join(&b';')
}

/// The number at the beginning of a word: 0 if it is missing, and a number without a meaning if it is invalid.
fn number(word: &[u8]) -> u16 {
    let digits = word.split(|byte| *byte == b':').next().unwrap_or(word);
    if digits.is_empty() {
        return 0;
    }
    let digits = std::str::from_utf8(digits).ok();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u16::MAX)
}

/// The number that switches off what this one switches on; none if it switches nothing on.
fn end(number: u16) -> Option<u16> {
    Some(match number {
        1 | 2 => 22,
        3 | 20 => 23,
        4 | 21 => 24,
        5 | 6 => 25,
        7..=9 => number + 20,
        11..=19 => 10,
        30..=38 | 90..=97 => 39,
        40..=48 | 100..=107 => 49,
        51 | 52 => 54,
        53 => 55,
        58 => 59,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::lexer::Splitter;
    use super::*;

    fn after(sequences: &[&str]) -> String {
        let mut style = Style::default();
        for parameters in sequences {
            style.note(&Piece::Csi {
                parameters: parameters.as_bytes(),
                last: b'm',
            });
        }
        String::from_utf8(style.on()).unwrap()
    }

    #[test]
    fn what_is_on_is_what_was_not_switched_off_or_replaced() {
        assert_eq!(after(&["1;31"]), "\x1b[1;31m");
        assert_eq!(after(&["1", "31", "2", "92", "44"]), "\x1b[1;2;92;44m");
        assert_eq!(
            after(&["38;5;200", "48;2;1;2;3", "4"]),
            "\x1b[38;5;200;48;2;1;2;3;4m"
        );
        assert_eq!(after(&["38:2::1:2:3;4:3", "7;39"]), "\x1b[4:3;7m");
        assert_eq!(after(&["31", "0;32"]), "\x1b[32m");
        assert_eq!(after(&["31", "?4"]), "\x1b[31m");
    }

    #[test]
    fn what_is_switched_off_leaves_nothing() {
        for (on, off) in [
            ("31", ""),
            ("1;31", "0"),
            ("31;44", ";"),
            ("1;2", "22"),
            ("96;103", "39;49"),
            ("38;5;0", "39"),
            ("4", "4:0"),
            ("", ""),
            ("?4;x", "999"),
        ] {
            assert_eq!(after(&[on, off]), "", "{on} {off}");
        }
    }

    #[test]
    fn it_stays_short_whatever_is_written() {
        let mut style = Style::default();
        for number in 0..2000 {
            let color = format!(
                "{};48;2;{number};{number};{number};38:{}",
                number % 110,
                "1".repeat(number)
            );
            style.note(&Piece::Csi {
                parameters: color.as_bytes(),
                last: b'm',
            });
            assert!(style.on().len() < 256, "{style:?}");
        }
    }

    #[test]
    fn links_and_character_sets_are_on_until_they_are_off() {
        let noted = |written: &str| {
            let (mut style, mut splitter) = (Style::default(), Splitter::default());
            let mut rest = written.as_bytes();
            while let Some(piece) = splitter.next(&mut rest) {
                style.note(&piece);
            }
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (text(style.on()), text(style.off()))
        };
        let pair = |on: &str, off: &str| (on.to_owned(), off.to_owned());
        let (link, unlinked) = ("\x1b]8;id=1;http://a;b\x07", "\x1b]8;;\x1b\\");
        assert_eq!(noted(&format!("a{link}b")), pair(link, unlinked));
        assert_eq!(noted(&format!("{link}b\x1b]8;;\x07")), pair("", ""));
        assert_eq!(noted("\x1b(0lqk"), pair("\x1b(0", "\x1b(B"));
        assert_eq!(noted("\x1b(0lqk\x1b(B"), pair("", ""));
        assert_eq!(noted("\x1b)0\x0elqk"), pair("\x1b)0\x0e", "\x1b)B\x0f"));
        assert_eq!(noted("\x1b)0\x0elqk\x0f\x1b)B"), pair("", ""));
        assert_eq!(noted("\x1b[1m\x1b(0\x1bc"), pair("", ""));
        let long = format!("\x1b]8;;{}\x07", "x".repeat(20_000));
        assert_eq!(noted(&long), pair("", unlinked));
    }
}
