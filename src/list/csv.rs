//! Records of comma-separated values (RFC 4180) in bytes that arrive piece by piece.
//!
//! Reads more than the RFC allows: lines may end in LF, and a quote in the middle of a field is a quote.

use std::mem;

use super::values::LONGEST;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) fields: Vec<Vec<u8>>,
    /// The line where it begins, from 1.
    pub(super) line: u64,
}

/// Cuts the bytes of a list into records.
#[derive(Clone, Debug)]
pub(super) struct Csv {
    comma: u8,
    /// False: records are only counted.
    keeps: bool,
    state: State,
    fields: Vec<Vec<u8>>,
    field: Vec<u8>,
    /// The last byte of the field is a CR that may belong to the end of the line.
    ends_in_cr: bool,
    /// How long the record is.
    size: usize,
    /// Where the record begins.
    start: u64,
    /// Where the last quote was opened.
    quote: u64,
    line: u64,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of the mark that Windows programs begin a file with.
    Mark(usize),
    Record,
    Field,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: its end, or the first of two that stand for one.
    Quote,
}

impl Csv {
    pub(super) fn new(comma: u8) -> Self {
        Self {
            comma,
            keeps: true,
            state: State::Mark(0),
            fields: Vec::new(),
            field: Vec::new(),
            ends_in_cr: false,
            size: 0,
            start: 1,
            quote: 1,
            line: 1,
            count: 0,
        }
    }

    /// One that counts records and forgets them.
    pub(super) fn counting(comma: u8) -> Self {
        Self {
            keeps: false,
            ..Self::new(comma)
        }
    }

    /// How many records have ended.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next record that ends in these bytes, which are taken as far as they are read.
    ///
    /// # Errors
    /// A sentence, if a record has no end in sight.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Record>, String> {
        while let Some(byte) = bytes.first().copied() {
            let before = bytes.len();
            match self.state {
                State::Mark(known) => {
                    if byte == MARK[known] {
                        *bytes = &bytes[1..];
                        let is_whole = known + 1 == MARK.len();
                        self.state = if is_whole {
                            State::Record
                        } else {
                            State::Mark(known + 1)
                        };
                    } else {
                        self.state = State::Record;
                        if known > 0 {
                            self.keep(&MARK[..known]);
                            self.state = State::Plain;
                        }
                    }
                    continue;
                }
                State::Record | State::Field if byte == b'"' => {
                    *bytes = &bytes[1..];
                    self.state = State::Quoted;
                    self.quote = self.line;
                }
                State::Quote if byte == b'"' => {
                    *bytes = &bytes[1..];
                    self.keep(b"\"");
                    self.state = State::Quoted;
                }
                State::Quoted => {
                    let end = memchr::memchr(b'"', bytes);
                    let (inside, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.line += memchr::memchr_iter(b'\n', inside).count() as u64;
                    self.keep(inside);
                    self.ends_in_cr = false;
                    *bytes = rest.get(1..).unwrap_or_default();
                    if end.is_some() {
                        self.state = State::Quote;
                    }
                }
                State::Record | State::Field | State::Plain | State::Quote => {
                    let end = memchr::memchr2(self.comma, b'\n', bytes);
                    let (inside, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    if !inside.is_empty() {
                        self.keep(inside);
                        self.ends_in_cr = inside.ends_with(b"\r");
                        self.state = State::Plain;
                    }
                    *bytes = rest.get(1..).unwrap_or_default();
                    match rest.first() {
                        None => {}
                        Some(b'\n') => {
                            self.line += 1;
                            return Ok(Some(self.end_record()));
                        }
                        Some(_) => {
                            self.end_field();
                            self.state = State::Field;
                        }
                    }
                }
            }
            self.size += before - bytes.len();
            if self.size > LONGEST {
                return Err(match self.state {
                    State::Quoted => format!(
                        "line {}: the quote that is opened there is not closed for 4 MiB",
                        self.quote
                    ),
                    _ => format!("line {}: the record is longer than 4 MiB", self.start),
                });
            }
        }
        Ok(None)
    }

    /// The record that the end of the list ends.
    ///
    /// # Errors
    /// A sentence, if a quote is still open.
    pub(super) fn finish(&mut self) -> Result<Option<Record>, String> {
        match self.state {
            State::Mark(0) | State::Record => Ok(None),
            State::Mark(known) => {
                self.keep(&MARK[..known]);
                Ok(Some(self.end_record()))
            }
            State::Quoted => Err(format!(
                "line {}: the quote that is opened there is never closed",
                self.quote
            )),
            State::Field | State::Plain | State::Quote => Ok(Some(self.end_record())),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.keeps {
            self.field.extend_from_slice(bytes);
        }
    }

    fn end_field(&mut self) {
        self.ends_in_cr = false;
        let field = mem::take(&mut self.field);
        if self.keeps {
            self.fields.push(field);
        }
    }

    fn end_record(&mut self) -> Record {
        if self.ends_in_cr {
            self.field.pop();
        }
        self.end_field();
        self.state = State::Record;
        self.size = 0;
        self.count += 1;
        Record {
            fields: mem::take(&mut self.fields),
            line: mem::replace(&mut self.start, self.line),
        }
    }
}

/// The columns of a word that is a record by itself.
///
/// # Errors
/// A sentence, if a quote is open at its end.
pub(super) fn columns(word: &[u8], comma: u8) -> Result<Vec<Vec<u8>>, String> {
    let mut csv = Csv::new(comma);
    let mut rest = word;
    let record = csv.next(&mut rest)?;
    let record = match record {
        Some(record) => Some(record),
        None => csv.finish()?,
    };
    // An empty word is a record with one empty column.
    Ok(record.map_or_else(|| vec![Vec::new()], |record| record.fields))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Record>, String> {
        let mut csv = Csv::new(b',');
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(record) = csv.next(&mut rest)? {
                found.push(record);
            }
            assert!(rest.is_empty());
        }
        found.extend(csv.finish()?);
        assert_eq!(csv.count(), found.len() as u64);
        Ok(found)
    }

    fn records(list: &str) -> Vec<(Vec<String>, u64)> {
        let text = |field: Vec<u8>| String::from_utf8(field).unwrap();
        let record = |record: Record| (record.fields.into_iter().map(text).collect(), record.line);
        read(&[list.as_bytes()])
            .unwrap()
            .into_iter()
            .map(record)
            .collect()
    }

    fn fields(list: &str) -> Vec<Vec<String>> {
        records(list)
            .into_iter()
            .map(|(fields, _)| fields)
            .collect()
    }

    #[test]
    fn quotes_commas_and_newlines_can_be_in_a_field() {
        assert_eq!(
            records("n,\"a, b\"\r\n\"x \"\"y\"\"\",\"1\n2\"\nz,\n"),
            [
                (vec!["n".to_owned(), "a, b".to_owned()], 1),
                (vec!["x \"y\"".to_owned(), "1\n2".to_owned()], 2),
                (vec!["z".to_owned(), String::new()], 4),
            ]
        );
    }

    #[test]
    fn an_empty_line_is_a_record_with_an_empty_field() {
        assert_eq!(fields("a\n\nb"), [["a"], [""], ["b"]]);
        assert_eq!(fields("a\r\n\r\n"), [["a"], [""]]);
        assert_eq!(fields(""), [[""; 0]; 0]);
        assert_eq!(fields("\"\""), [[""]]);
        assert_eq!(fields(","), [["", ""]]);
    }

    #[test]
    fn what_is_not_quite_csv_loses_nothing() {
        assert_eq!(
            fields("a \"b\" c,\"d\"e,\"f\r\"\r\n"),
            [["a \"b\" c", "de", "f\r"]]
        );
        assert_eq!(fields("a\rb\r"), [["a\rb"]]);
    }

    #[test]
    fn the_mark_of_windows_programs_is_no_part_of_the_first_field() {
        assert_eq!(fields("\u{feff}\"a\",b"), [["a", "b"]]);
        assert_eq!(read(&[b"\xef\xbbx"]).unwrap()[0].fields, [b"\xef\xbbx"]);
        assert_eq!(read(&[b"\xef"]).unwrap()[0].fields, [b"\xef"]);
    }

    #[test]
    fn an_open_quote_at_the_end_is_an_error_that_names_its_line() {
        assert_eq!(
            read(&[b"a\nb,\"c\nd\n\ne"]).unwrap_err(),
            "line 2: the quote that is opened there is never closed"
        );
        let long = [b"a\n\"", &vec![b'x'; LONGEST][..]].concat();
        assert_eq!(
            read(&[&long]).unwrap_err(),
            "line 2: the quote that is opened there is not closed for 4 MiB"
        );
    }

    #[test]
    fn a_word_can_be_a_record() {
        assert_eq!(columns(b"a;\"b;c\"", b';').unwrap(), [&b"a"[..], b"b;c"]);
        assert_eq!(columns(b"", b',').unwrap(), [b""]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_same_records_are_found_wherever_the_bytes_are_cut(pieces in vec("[a,\"\\r\\n]{0,6}|\u{feff}", 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            let whole = pieces.concat();
            prop_assert_eq!(read(&pieces), read(&[&whole]));
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            prop_assert_eq!(read(&bytes), read(&[&whole]));
        }

        #[test]
        fn what_is_written_by_the_rules_is_read_back(table in vec(vec("[a,\"\\r\\n]{0,5}", 1..4), 0..5)) {
            let mut list = Vec::new();
            for record in &table {
                let fields = record.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
                list.extend(fields.collect::<Vec<_>>().join(",").into_bytes());
                list.extend(b"\r\n");
            }
            let found = read(&[&list]).unwrap();
            let expected: Vec<Vec<Vec<u8>>> = table
                .iter()
                .map(|record| record.iter().map(|field| field.clone().into_bytes()).collect())
                .collect();
            prop_assert_eq!(found.into_iter().map(|record| record.fields).collect::<Vec<_>>(), expected);
        }
    }
}
