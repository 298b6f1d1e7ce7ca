//! The records of a list: the values that belong together, from words, a file or a pipe.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::combinations::Combinations;
use super::counter::Counter;
use super::csv::{self, Csv};
use super::input::Input;
use super::reader::{Piece, Reader};
use super::values::{Kind, Splitter, Value};

/// What makes columns of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Nothing: the value is the only one.
    One,
    /// This text stands between them.
    SeparatedBy(Vec<u8>),
    /// Comma-separated values (RFC 4180), with this byte for a comma. The separator of the values is a newline then.
    Csv(u8),
}

/// The values of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) values: Vec<OsString>,
    /// Why no command can be made of them.
    pub(super) fault: Option<String>,
}

/// What is there to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    Some(T),
    NotYet,
    End,
    Broken(String),
}

/// The records, one after the other.
#[derive(Debug)]
pub(super) enum Records {
    Words(Combinations),
    Stream(Stream),
}

/// Records that are read.
#[derive(Debug)]
pub(super) struct Stream {
    bytes: Bytes,
    cutter: Cutter,
}

#[derive(Debug)]
enum Cutter {
    Values {
        splitter: Splitter,
        kind: Kind,
        separator: Option<Vec<u8>>,
        /// Values have been seen that end in CR.
        has_cr: bool,
    },
    Csv(Box<Csv>),
}

/// Values that are read, whole.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Bytes,
    splitter: Splitter,
}

/// The bytes of a list, block by block.
#[derive(Debug)]
struct Bytes {
    name: String,
    reader: Reader,
    block: Box<[u8]>,
    at: usize,
}

impl Bytes {
    fn new(input: Input, counter: Counter, wake: Box<dyn Fn() + Send>) -> Result<Self, String> {
        Ok(Self {
            name: input.name.clone(),
            reader: Reader::start(input, counter, wake)?,
            block: Box::default(),
            at: 0,
        })
    }

    /// What `cut` finds in the bytes that are there, or `finish` at their end.
    fn next<C, T>(
        &mut self,
        cutter: &mut C,
        cut: impl Fn(&mut C, &mut &[u8]) -> Result<Option<T>, String>,
        finish: impl Fn(&mut C) -> Result<Option<T>, String>,
    ) -> Read<T> {
        let broken = |sentence| Read::Broken(format!("the list {}, {sentence}", self.name));
        loop {
            let mut rest = &self.block[self.at..];
            if !rest.is_empty() {
                match cut(cutter, &mut rest) {
                    Ok(Some(found)) => {
                        self.at = self.block.len() - rest.len();
                        return Read::Some(found);
                    }
                    Ok(None) => {}
                    Err(sentence) => return broken(sentence),
                }
            }
            self.at = 0;
            self.block = Box::default();
            match self.reader.take() {
                Piece::Bytes(block) => self.block = block,
                Piece::NotYet => return Read::NotYet,
                Piece::Broken(sentence) => return Read::Broken(sentence),
                Piece::End => {
                    return match finish(cutter) {
                        Ok(Some(found)) => Read::Some(found),
                        Ok(None) => Read::End,
                        Err(sentence) => broken(sentence),
                    };
                }
            }
        }
    }
}

impl Lines {
    /// Reads a list of lines.
    ///
    /// # Errors
    /// A sentence, if the reading cannot begin.
    pub(super) fn new(
        input: Input,
        kind: Kind,
        wake: Box<dyn Fn() + Send>,
    ) -> Result<Self, String> {
        Ok(Self {
            bytes: Bytes::new(input, Counter::values(kind), wake)?,
            splitter: Splitter::new(kind),
        })
    }

    pub(super) fn next(&mut self) -> Read<Value> {
        self.bytes.next(
            &mut self.splitter,
            |splitter, bytes| Ok(splitter.next(bytes)),
            |splitter| Ok(splitter.finish()),
        )
    }

    /// How many lines there are as far as it is known, and whether no more come.
    pub(super) fn known(&self) -> (u64, bool) {
        self.bytes.reader.known()
    }

    pub(super) fn stop(&self) {
        self.bytes.reader.stop();
    }
}

impl Stream {
    fn next(&mut self) -> Read<Record> {
        match &mut self.cutter {
            Cutter::Csv(csv) => {
                let found = self
                    .bytes
                    .next(csv, |csv, bytes| csv.next(bytes), |csv| csv.finish());
                match found {
                    Read::Some(record) => {
                        Read::Some(of_columns(record.fields, "line", record.line))
                    }
                    Read::NotYet => Read::NotYet,
                    Read::End => Read::End,
                    Read::Broken(sentence) => Read::Broken(sentence),
                }
            }
            Cutter::Values {
                splitter,
                kind,
                separator,
                has_cr,
            } => {
                let found = self.bytes.next(
                    splitter,
                    |splitter, bytes| Ok(splitter.next(bytes)),
                    |splitter| Ok(splitter.finish()),
                );
                match found {
                    Read::Some(value) => {
                        *has_cr |= *kind == Kind::Lines && value.bytes.ends_with(b"\r");
                        Read::Some(of_value(value, *kind, separator.as_deref()))
                    }
                    Read::NotYet => Read::NotYet,
                    Read::End => Read::End,
                    Read::Broken(sentence) => Read::Broken(sentence),
                }
            }
        }
    }
}

fn of_value(value: Value, kind: Kind, separator: Option<&[u8]>) -> Record {
    let word = match kind {
        Kind::EndedBy(_) => "value",
        Kind::Lines | Kind::Commands | Kind::Objects => "line",
    };
    if value.is_cut {
        let line = value.line;
        return Record {
            fault: Some(format!(
                "{word} {line} is longer than 4 MiB, which no argument can be"
            )),
            // Enough for its name.
            values: vec![OsString::from_vec(value.bytes[..4096].to_vec())],
        };
    }
    let columns = match separator {
        Some(separator) => split(&value.bytes, separator),
        None => vec![value.bytes],
    };
    of_columns(columns, word, value.line)
}

fn of_columns(columns: Vec<Vec<u8>>, word: &str, line: u64) -> Record {
    let has_nul = columns.iter().any(|column| column.contains(&0));
    Record {
        fault: has_nul.then(|| {
            format!("{word} {line} has a NUL byte, which no argument can hold (use -0 if NUL separates the values)")
        }),
        values: columns.into_iter().map(OsString::from_vec).collect(),
    }
}

fn split(value: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut columns = Vec::new();
    let mut start = 0;
    for end in memchr::memmem::find_iter(value, separator) {
        columns.push(value[start..end].to_vec());
        start = end + separator.len();
    }
    columns.push(value[start..].to_vec());
    columns
}

impl Records {
    /// All combinations of the words of these groups.
    ///
    /// # Errors
    /// A sentence, if a word cannot be a record.
    pub(super) fn of_words(groups: Vec<Vec<OsString>>, columns: &Columns) -> Result<Self, String> {
        let item = |word: OsString| {
            let columns = match columns {
                Columns::One => return Ok(vec![word]),
                Columns::SeparatedBy(separator) => split(&word.into_vec(), separator),
                Columns::Csv(comma) => {
                    let word = word.into_vec();
                    csv::columns(&word, *comma).map_err(|_| {
                        let word = String::from_utf8_lossy(&word);
                        format!("the value {word} has a quote that is never closed (--csv)")
                    })?
                }
            };
            Ok(columns.into_iter().map(OsString::from_vec).collect())
        };
        let group = |words: Vec<OsString>| words.into_iter().map(item).collect();
        let groups = groups
            .into_iter()
            .map(group)
            .collect::<Result<_, String>>()?;
        Ok(Self::Words(Combinations::new(groups)))
    }

    /// The records of a file or a pipe.
    ///
    /// # Errors
    /// A sentence, if the reading cannot begin.
    pub(super) fn of_input(
        input: Input,
        kind: Kind,
        columns: Columns,
        wake: Box<dyn Fn() + Send>,
    ) -> Result<Self, String> {
        let (counter, cutter) = match columns {
            Columns::Csv(comma) => (
                Counter::records(comma),
                Cutter::Csv(Box::new(Csv::new(comma))),
            ),
            Columns::One | Columns::SeparatedBy(_) => (
                Counter::values(kind),
                Cutter::Values {
                    splitter: Splitter::new(kind),
                    kind,
                    separator: match columns {
                        Columns::SeparatedBy(separator) => Some(separator),
                        _ => None,
                    },
                    has_cr: false,
                },
            ),
        };
        Ok(Self::Stream(Stream {
            bytes: Bytes::new(input, counter, wake)?,
            cutter,
        }))
    }

    pub(super) fn next(&mut self) -> Read<Record> {
        match self {
            Self::Words(words) => words.next().map_or(Read::End, |values| {
                Read::Some(Record {
                    values,
                    fault: None,
                })
            }),
            Self::Stream(stream) => stream.next(),
        }
    }

    /// How many there are as far as it is known, and whether no more come.
    pub(super) fn known(&self) -> (u64, bool) {
        match self {
            Self::Words(words) => (words.total(), true),
            Self::Stream(stream) => stream.bytes.reader.known(),
        }
    }

    /// Whether lines have ended in CR, which became part of values.
    pub(super) fn has_cr(&self) -> bool {
        matches!(
            self,
            Self::Stream(Stream {
                cutter: Cutter::Values { has_cr: true, .. },
                ..
            })
        )
    }

    pub(super) fn stop(&self) {
        if let Self::Stream(stream) = self {
            stream.bytes.reader.stop();
        }
    }
}
