//! A piece of output, and how it is stored: behind its stream, its length and what its lines mean. Knows no file.

use std::sync::Arc;

use crate::event::Stream;
use crate::model::verdict::{Meaning, Verdict, Verdicts};

/// Output of one stream.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) stream: Stream,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) verdicts: Verdicts,
}

/// The head of a stored piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stream: Stream,
    /// How many bytes the output has.
    pub(super) length: usize,
    /// How many bytes there are between the head and the output: the verdicts. None of them: zero.
    pub(super) verdicts: usize,
}

impl Head {
    /// How many bytes it takes.
    pub(super) const SIZE: usize = 9;

    pub(super) fn write(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0] = self.stream as u8;
        bytes[1..5].copy_from_slice(&number(self.length));
        bytes[5..].copy_from_slice(&number(self.verdicts));
        bytes
    }

    /// None: the bytes are no head.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let stream = match rest.take(1)? {
            [0] => Stream::Stdout,
            [1] => Stream::Stderr,
            _ => return None,
        };
        Some(Self {
            stream,
            length: rest.number()?,
            verdicts: rest.number()?,
        })
    }
}

/// The names of formats, which are stored as numbers.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<&'static str>);

impl Sources {
    /// Stores what lines mean; nothing for lines for people.
    pub(super) fn write(&mut self, verdicts: &Verdicts, to: &mut Vec<u8>) {
        if verdicts.lines.is_empty() && !verdicts.is_begun {
            return;
        }
        to.push(verdicts.is_begun.into());
        for verdict in &verdicts.lines {
            to.extend(number(verdict.end));
            to.extend(number(self.number_of(verdict.source)));
            let (kind, text): (u8, &[u8]) = match &verdict.meaning {
                Meaning::Progress => (0, &[]),
                Meaning::Output(bytes) => (1, bytes),
                Meaning::Sentence(text) => (2, text.as_bytes()),
            };
            to.push(kind);
            to.extend(number(text.len()));
            to.extend(text);
        }
    }

    /// None: the bytes are no verdicts.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Verdicts> {
        let mut rest = Rest(bytes);
        let is_begun = rest.take(1)? == [1];
        let mut lines = Vec::new();
        while !rest.0.is_empty() {
            let end = rest.number()?;
            let source = *self.0.get(rest.number()?)?;
            let kind = rest.take(1)?[0];
            let length = rest.number()?;
            let text = rest.take(length)?.to_owned();
            let meaning = match kind {
                0 => Meaning::Progress,
                1 => Meaning::Output(text),
                _ => Meaning::Sentence(String::from_utf8(text).ok()?),
            };
            lines.push(Verdict {
                end,
                source,
                meaning,
            });
        }
        Some(Verdicts { lines, is_begun })
    }

    fn number_of(&mut self, source: &'static str) -> usize {
        let known = self.0.iter().position(|known| *known == source);
        known.unwrap_or_else(|| {
            self.0.push(source);
            self.0.len() - 1
        })
    }
}

/// A piece is the result of one read, and so far smaller than 4 GiB.
fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Bytes that are not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_as_it_was() {
        let head = Head {
            stream: Stream::Stderr,
            length: 70_000,
            verdicts: 3,
        };
        assert_eq!(Head::read(&head.write()), Some(head));
        assert_eq!(Head::read(b"\x02"), None);
        let verdict = |end, source, meaning| Verdict {
            end,
            source,
            meaning,
        };
        let verdicts = Verdicts {
            lines: vec![
                verdict(5, "restic", Meaning::Progress),
                verdict(80, "progrun", Meaning::Output(b"\xff\n".to_vec())),
                verdict(90, "progrun", Meaning::Sentence("so".to_owned())),
            ],
            is_begun: true,
        };
        let mut sources = Sources::default();
        let mut stored = Vec::new();
        sources.write(&Verdicts::default(), &mut stored);
        assert_eq!(stored, b"");
        sources.write(&verdicts, &mut stored);
        assert_eq!(sources.read(&stored), Some(verdicts));
        assert_eq!(sources.read(&stored[..20]), None);
    }
}
