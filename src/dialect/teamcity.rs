//! Service messages for `TeamCity`: how many tests there are, which are done, and texts. Other text may stand before
//! them on their line, and several may follow one another.

use std::borrow::Cow;

use crate::protocol::{Progress, Status};

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "teamcity",
    about: "tests in service messages for TeamCity, on either stream",
    switch: "pytest --teamcity (from teamcity-messages), ...",
};

const BEGIN: &str = "##teamcity[";

/// Reads `##teamcity[...]`.
#[derive(Debug, Default)]
pub(super) struct Teamcity {
    /// Suites announce their tests one after another. 0 is unknown.
    total: u32,
    done: u32,
    /// An ignored test may come alone, or between the start and the end of one.
    in_test: bool,
}

impl Teamcity {
    fn message(&mut self, body: &str, each: Each<'_>) {
        let (name, values) = body.split_once(' ').unwrap_or((body, ""));
        let report = match name {
            "testCount" => {
                let count = attribute(values, "count").and_then(|count| count.parse().ok());
                self.total = self.total.saturating_add(count.unwrap_or(0));
                self.tests()
            }
            "testStarted" => {
                self.in_test = true;
                words(attribute(values, "name"))
            }
            "testFinished" => {
                self.in_test = false;
                self.done = self.done.saturating_add(1);
                self.tests()
            }
            "testIgnored" if !self.in_test => {
                self.done = self.done.saturating_add(1);
                self.tests()
            }
            "testFailed" => {
                let Some(test) = attribute(values, "name") else {
                    return;
                };
                Progress {
                    id: Some(test),
                    status: Some(Status::Failed),
                    ..words(attribute(values, "message"))
                }
            }
            "progressMessage" | "progressStart" => words(value(values).map(|(text, _)| text)),
            _ => return,
        };
        if !report.is_empty() {
            each(FORMAT.name, &report);
        }
    }

    fn tests(&self) -> Progress<'static> {
        Progress {
            progress: Some(self.done.into()),
            total: Some(self.total.into()).filter(|total| *total > 0.0),
            unit: Some("tests".into()),
            ..Progress::default()
        }
    }
}

fn words(text: Option<Cow<'_, str>>) -> Progress<'_> {
    Progress {
        message: text,
        ..Progress::default()
    }
}

impl Lines for Teamcity {
    fn prefix(&self) -> Prefix {
        Prefix::Hashes
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        // The search runs over every line that is printed. Most lines have no such character, and memchr skips them
        // quickly.
        let Some(begin) = memchr::memchr(b'#', line.as_bytes()) else {
            return false;
        };
        let mut found = false;
        let mut rest = &line[begin..];
        while let Some((_, after)) = rest.split_once(BEGIN) {
            let Some(end) = unescaped(after, ']') else {
                break;
            };
            found = true;
            self.message(&after[..end], each);
            rest = &after[end..];
        }
        found
    }
}

/// The value of an attribute among `name='value' name='value'`.
fn attribute<'a>(mut text: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = value(rest)?;
        if name.trim() == wanted {
            return Some(value);
        }
        text = rest;
    }
}

/// A quoted value, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let text = text.trim_start().strip_prefix('\'')?;
    let end = unescaped(text, '\'')?;
    Some((unescape(&text[..end]), &text[end + 1..]))
}

/// Where `wanted` stands without a bar before it.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(index, character)| {
        if std::mem::take(&mut is_escaped) {
            return None;
        }
        is_escaped = character == '|';
        (character == wanted).then_some(index)
    })
}

fn unescape(text: &str) -> Cow<'_, str> {
    let Some((begin, mut rest)) = text.split_once('|') else {
        return Cow::Borrowed(text);
    };
    let mut plain = begin.to_owned();
    loop {
        let mut characters = rest.chars();
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('0') => match code(characters.as_str()) {
                Some((character, after)) => {
                    plain.push(character);
                    characters = after.chars();
                }
                None => plain.push('0'),
            },
            // `|'`, `||`, `|[`, `|]`.
            Some(other) => plain.push(other),
            None => {}
        }
        let Some((more, after)) = characters.as_str().split_once('|') else {
            plain.push_str(characters.as_str());
            return Cow::Owned(plain);
        };
        plain.push_str(more);
        rest = after;
    }
}

/// A character by its number, `x00E9`, and what follows it.
fn code(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('x')?;
    let number = u32::from_str_radix(text.get(..4)?, 16).ok()?;
    Some((char::from_u32(number)?, &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn tests_are_counted_although_their_messages_begin_in_the_middle_of_a_line() {
        let stream = include_str!("../../tests/corpus/service-messages/teamcity_pytest.stdout");
        assert_eq!(
            said(&mut Teamcity::default(), stream),
            [
                r#"{"progress":0,"total":30,"unit":"tests"}"#,
                r#"{"message":"test_y.test_b(0)"}"#,
                r#"{"progress":1,"total":30,"unit":"tests"}"#,
                r#"{"message":"test_y.test_b(1)"}"#,
                r#"{"progress":2,"total":30,"unit":"tests"}"#,
            ]
        );
    }

    #[test]
    fn failed_tests_are_parts_and_ignored_ones_are_done() {
        let lines = "##teamcity[testStarted name='a']##teamcity[testFailed name='a' message='it|'s |[x|]|nbad']\
             ##teamcity[testFinished name='a']\n\
             ##teamcity[testIgnored name='b']\n\
             ##teamcity[testStarted name='c']##teamcity[testIgnored name='c']##teamcity[testFinished name='c']\n";
        assert_eq!(
            said(&mut Teamcity::default(), lines),
            [
                r#"{"message":"a"}"#,
                r#"{"message":"it's [x]\nbad","id":"a","status":"failed"}"#,
                r#"{"progress":1,"unit":"tests"}"#,
                r#"{"progress":2,"unit":"tests"}"#,
                r#"{"message":"c"}"#,
                r#"{"progress":3,"unit":"tests"}"#,
            ]
        );
    }

    #[test]
    fn words_are_freed_of_their_escapes() {
        let lines = "##teamcity[progressMessage 'caf|0x00E9 || |0x |0xZZZZ']\n\
            ##teamcity[progressStart 'building |[all|]']\n\
            ##teamcity[progressFinish 'building']\n";
        assert_eq!(
            said(&mut Teamcity::default(), lines),
            [
                r#"{"message":"café | 0x 0xZZZZ"}"#,
                r#"{"message":"building [all]"}"#
            ]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        for line in [
            "##teamcity[testCount count='3'",
            "## teamcity[x]",
            "teamcity",
        ] {
            let is_read = Teamcity::default().line(line, &mut |_, _| panic!("{line}"));
            assert!(!is_read, "{line}");
        }
    }
}
