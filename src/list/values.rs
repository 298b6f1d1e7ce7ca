//! Values in bytes that arrive piece by piece: where one ends, and what is none.

use std::mem;

/// The longest value that is kept whole. No system takes an argument as long as this, so the rest of a longer one need
/// not be in memory.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;

/// What separates the values, and which of the pieces are values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines. An empty one is no value: a blank line at the end must not run `rm ''`.
    Lines,
    /// Pieces that this byte ends, also empty ones.
    EndedBy(u8),
    /// Lines for a shell. A blank one is none, nor is a comment.
    Commands,
    /// JSON objects, one a line. A blank line is none.
    Objects,
}

/// A value, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) bytes: Vec<u8>,
    /// The number of the line, or of the piece, from 1.
    pub(super) line: u64,
    /// It is longer than [`LONGEST`]: these are its first bytes.
    pub(super) is_cut: bool,
}

/// Cuts the bytes of a list into values.
#[derive(Debug)]
pub(super) struct Splitter {
    kind: Kind,
    partial: Vec<u8>,
    is_cut: bool,
    line: u64,
}

/// Counts the values in the bytes of a list.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    kind: Kind,
    /// Whether the line so far is a value; none: not known yet.
    is_value: Option<bool>,
    count: u64,
}

impl Kind {
    pub(super) fn separator(self) -> u8 {
        match self {
            Self::EndedBy(byte) => byte,
            Self::Lines | Self::Commands | Self::Objects => b'\n',
        }
    }

    /// What a piece of a line says of whether the line is a value; none: nothing yet.
    fn is_value(self, piece: &[u8]) -> Option<bool> {
        let is_blank = |byte: &&u8| byte.is_ascii_whitespace();
        match self {
            Self::Lines | Self::EndedBy(_) => (!piece.is_empty()).then_some(true),
            Self::Objects => piece.iter().any(|byte| !is_blank(&byte)).then_some(true),
            Self::Commands => piece
                .iter()
                .find(|byte| !is_blank(byte))
                .map(|byte| *byte != b'#'),
        }
    }

    /// Whether a line of which nothing more is known is a value once its separator has come.
    fn counts_empty(self) -> bool {
        matches!(self, Self::EndedBy(_))
    }
}

impl Splitter {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            partial: Vec::new(),
            is_cut: false,
            line: 0,
        }
    }

    /// The next value that ends in these bytes, which are taken as far as they are read.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Value> {
        while let Some(end) = memchr::memchr(self.kind.separator(), bytes) {
            self.keep(&bytes[..end]);
            *bytes = &bytes[end + 1..];
            let value = self.take();
            let is_value = self.kind.is_value(&value.bytes);
            if is_value.unwrap_or(self.kind.counts_empty()) {
                return Some(value);
            }
        }
        self.keep(bytes);
        *bytes = &[];
        None
    }

    /// The value that the end of the list ends.
    pub(super) fn finish(&mut self) -> Option<Value> {
        let value = self.take();
        (self.kind.is_value(&value.bytes) == Some(true)).then_some(value)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.partial.len();
        self.is_cut |= bytes.len() > room;
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> Value {
        self.line += 1;
        Value {
            bytes: mem::take(&mut self.partial),
            line: self.line,
            is_cut: mem::take(&mut self.is_cut),
        }
    }
}

impl Tally {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            is_value: None,
            count: 0,
        }
    }

    /// Takes in the next bytes of the list.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(self.kind.separator(), bytes) {
            let is_value = self.is_value.take();
            let is_value = is_value.or_else(|| self.kind.is_value(&bytes[start..end]));
            self.count += u64::from(is_value.unwrap_or(self.kind.counts_empty()));
            start = end + 1;
        }
        self.is_value = self
            .is_value
            .or_else(|| self.kind.is_value(&bytes[start..]));
    }

    /// How many values have ended.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many values there are if the list ends here.
    pub(super) fn count_at_end(&self) -> u64 {
        self.count + u64::from(self.is_value == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn split(kind: Kind, pieces: &[&[u8]]) -> Vec<(String, u64)> {
        let mut splitter = Splitter::new(kind);
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(value) = splitter.next(&mut rest) {
                found.push(value);
            }
            assert!(rest.is_empty());
        }
        found.extend(splitter.finish());
        let text = |value: Value| {
            (
                String::from_utf8_lossy(&value.bytes).into_owned(),
                value.line,
            )
        };
        found.into_iter().map(text).collect()
    }

    fn values(kind: Kind, list: &str) -> Vec<String> {
        split(kind, &[list.as_bytes()])
            .into_iter()
            .map(|(value, _)| value)
            .collect()
    }

    #[test]
    fn an_empty_line_is_no_value_and_an_empty_piece_is_one() {
        assert_eq!(values(Kind::Lines, "a\n\nb"), ["a", "b"]);
        assert_eq!(values(Kind::Lines, "\n\n"), [""; 0]);
        assert_eq!(values(Kind::Lines, "a\n \n"), ["a", " "]);
        assert_eq!(values(Kind::EndedBy(0), "a\0\0b"), ["a", "", "b"]);
        assert_eq!(values(Kind::EndedBy(0), "a\0"), ["a"]);
        assert_eq!(values(Kind::EndedBy(b','), ",a\n,"), ["", "a\n"]);
    }

    #[test]
    fn blank_lines_and_comments_are_no_commands() {
        assert_eq!(
            values(Kind::Commands, "#!/bin/x\n a # b\n\t#c\n \r\n\nd"),
            [" a # b", "d"]
        );
        assert_eq!(values(Kind::Objects, "{}\n \n#\n"), ["{}", "#"]);
    }

    #[test]
    fn a_value_knows_its_line_also_behind_lines_that_are_none() {
        let pieces: [&[u8]; 3] = [b"a\n\nb", b"c\n", b"d"];
        let expected = [("a", 1), ("bc", 3), ("d", 4)].map(|(text, line)| (text.to_owned(), line));
        assert_eq!(split(Kind::Lines, &pieces), expected);
    }

    #[test]
    fn of_an_endless_value_only_the_beginning_is_kept() {
        let mut splitter = Splitter::new(Kind::Lines);
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..6 {
            assert_eq!(splitter.next(&mut &piece[..]), None);
        }
        let value = splitter.next(&mut &b"\nnext\n"[..]).unwrap();
        assert_eq!(
            (value.bytes.len(), value.line, value.is_cut),
            (LONGEST, 1, true)
        );
        let value = splitter.next(&mut &b"next\n"[..]).unwrap();
        assert_eq!(
            (&value.bytes[..], value.line, value.is_cut),
            (&b"next"[..], 2, false)
        );
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop::sample::select(vec![
            Kind::Lines,
            Kind::EndedBy(b'a'),
            Kind::Commands,
            Kind::Objects,
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn as_many_values_are_counted_as_are_found_wherever_the_bytes_are_cut(
            kind in kind(),
            pieces in vec("[a#\\n \\r]{0,6}", 0..8),
        ) {
            let mut tally = Tally::new(kind);
            for piece in &pieces {
                tally.add(piece.as_bytes());
            }
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            let found = split(kind, &pieces);
            prop_assert_eq!(tally.count_at_end(), found.len() as u64);
            prop_assert_eq!(split(kind, &[&pieces.concat()]), found);
        }
    }
}
