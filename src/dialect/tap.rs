//! The Test Anything Protocol, versions 12 to 14: how many tests there are, which are done, which failed.
//!
//! The plan stands first or last, so the total may come at the very end. Subtests are indented by four blanks, and each
//! open level is a part; so is a test that failed. Nothing is reported before a line that only TAP has, such as a plan:
//! many programs print `ok`.

use crate::protocol::{Progress, Status};

use super::prefixes::Prefix;
use super::{Each, Format, Lines};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "tap",
    about: "tests in the Test Anything Protocol, on standard output",
    switch: "node --test --test-reporter=tap, prove -v, ...",
};

/// How deep subtests are followed.
const DEPTH: usize = 8;
/// How much of the name of a subtest is kept, in bytes.
const NAME: usize = 200;

/// Reads TAP.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// The document itself and the subtests that are open below it. Empty until the document has begun.
    levels: Vec<Level>,
    /// The name of the next subtest of each depth.
    names: [Option<String>; DEPTH + 1],
    /// The indentation of the open block of YAML, in which nothing is TAP.
    yaml: Option<usize>,
}

#[derive(Debug, Default)]
struct Level {
    title: Option<String>,
    /// How many tests there will be.
    plan: Option<u32>,
    done: u32,
}

enum Line<'a> {
    Version,
    Plan(u32),
    Test(Test<'a>),
    Subtest(&'a str),
    BailOut(&'a str),
}

struct Test<'a> {
    number: Option<u32>,
    description: &'a str,
    status: Status,
}

impl Lines for Tap {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&[
            "ok",
            "not ok",
            "1..",
            "---",
            "TAP version ",
            "# Subtest: ",
            "Bail out!",
        ])
    }

    fn is_open(&self) -> bool {
        self.yaml.is_some()
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let words = line.trim_start_matches(' ');
        let indent = line.len() - words.len();
        if let Some(yaml) = self.yaml {
            let is_within = indent >= yaml || words.is_empty();
            if !is_within || indent == yaml && words == "..." {
                self.yaml = None;
            }
            if is_within {
                return true;
            }
        }
        if words == "---" && indent % 4 == 2 && !self.levels.is_empty() {
            self.yaml = Some(indent);
            return true;
        }
        let depth = indent / 4;
        let Some(line) = parse(words).filter(|_| indent.is_multiple_of(4) && depth < DEPTH) else {
            return false;
        };
        if self.levels.is_empty() {
            let begins = match &line {
                Line::Version | Line::Plan(_) => true,
                Line::Test(test) => test.number == Some(1),
                _ => false,
            };
            if !begins || depth > 0 {
                return false;
            }
            self.levels.push(Level::default());
        }
        match line {
            Line::Version => self.levels[0] = Level::default(),
            Line::Subtest(name) => {
                // The comment in front of a subtest; some writers indent it like the subtest itself.
                let is_inside = self.levels.len() <= depth && self.names[depth].is_none();
                let depth = if is_inside { depth } else { depth + 1 };
                self.names[depth] = Some(name[..name.floor_char_boundary(NAME)].to_owned());
            }
            Line::BailOut(reason) => each(
                FORMAT.name,
                &Progress {
                    message: Some(format!("bail out: {reason}").into()),
                    ..Progress::default()
                },
            ),
            Line::Plan(plan) => {
                self.open(depth);
                let level = &mut self.levels[depth];
                // A second plan, or another count than the number of tests, belongs to the next document.
                if level.plan.is_some() || level.done > 0 && level.done != plan {
                    level.done = 0;
                }
                level.plan = Some(plan);
                each(FORMAT.name, &self.report(depth, None));
            }
            Line::Test(test) => self.test(depth, &test, each),
        }
        true
    }
}

impl Tap {
    /// Makes sure that there is a level of this depth.
    fn open(&mut self, depth: usize) {
        while self.levels.len() <= depth {
            self.levels.push(Level {
                title: self.names[self.levels.len()].take(),
                ..Level::default()
            });
        }
    }

    fn test(&mut self, depth: usize, test: &Test<'_>, each: Each<'_>) {
        let has_subtests = self.levels.len() > depth + 1;
        while self.levels.len() > depth + 1 {
            self.levels.pop();
            let end = Progress {
                id: id(self.levels.len()),
                status: Some(test.status),
                ..Progress::default()
            };
            each(FORMAT.name, &end);
        }
        self.open(depth);
        self.names[depth + 1..].fill(None);
        let level = &mut self.levels[depth];
        // The next document begins, without a plan before its tests.
        if test.number == Some(1) && level.done > 0 {
            *level = Level::default();
        }
        // The last word of `prove -v` on a file: the document is complete.
        if test.number.is_none() && level.plan == Some(level.done) {
            return;
        }
        level.done = level.done.saturating_add(1);
        let number = test.number.unwrap_or(level.done);
        if test.status == Status::Failed && !has_subtests {
            let failed = Progress {
                id: Some(match id(depth) {
                    None => format!("test-{number}").into(),
                    Some(subtest) => format!("{subtest}-test-{number}").into(),
                }),
                parent: id(depth),
                title: Some(format!("test {number}").into()),
                message: Some(test.description.into()).filter(|_| !test.description.is_empty()),
                status: Some(Status::Failed),
                ..Progress::default()
            };
            each(FORMAT.name, &failed);
        }
        each(FORMAT.name, &self.report(depth, Some(test.description)));
    }

    fn report<'a>(&'a self, depth: usize, description: Option<&'a str>) -> Progress<'a> {
        let level = &self.levels[depth];
        Progress {
            progress: Some(level.done.into()),
            total: level.plan.map(f64::from).filter(|plan| *plan > 0.0),
            unit: Some("tests".into()),
            message: description.map(Into::into),
            id: id(depth),
            parent: depth.checked_sub(1).and_then(id),
            title: level.title.as_deref().map(Into::into),
            ..Progress::default()
        }
    }
}

/// The part of a level; none for the document itself.
fn id<'a>(depth: usize) -> Option<std::borrow::Cow<'a, str>> {
    (depth > 0).then(|| format!("subtest-{depth}").into())
}

fn parse(text: &str) -> Option<Line<'_>> {
    if let Some(version) = text.strip_prefix("TAP version ") {
        return version.parse::<u32>().is_ok().then_some(Line::Version);
    }
    if let Some(plan) = text.strip_prefix("1..") {
        let (count, rest) = count(plan)?;
        let is_plan = rest.is_empty() || rest.trim_start().starts_with('#');
        return is_plan.then_some(Line::Plan(count));
    }
    if let Some(name) = text.strip_prefix("# Subtest: ") {
        return Some(Line::Subtest(name));
    }
    if let Some(reason) = text.strip_prefix("Bail out!") {
        return Some(Line::BailOut(reason.trim()));
    }
    let (is_ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    test(is_ok, rest).map(Line::Test)
}

/// What follows `ok`: a number, a description with or without a dash, and a directive.
fn test(is_ok: bool, rest: &str) -> Option<Test<'_>> {
    let words = rest.trim_start();
    if !words.is_empty() && words.len() == rest.len() {
        return None;
    }
    let (number, words) = match count(words) {
        Some((number, rest)) if rest.is_empty() || rest.starts_with(' ') => {
            (Some(number), rest.trim_start())
        }
        _ => (None, words),
    };
    let is_marked = number.is_some() || words.is_empty() || words.starts_with(['-', '#']);
    if !is_marked {
        return None;
    }
    let words = words.strip_prefix("- ").unwrap_or(words);
    let (description, directive) = match words.rfind('#') {
        Some(hash) if hash == 0 || words[..hash].ends_with(' ') => {
            (words[..hash].trim_end(), words[hash + 1..].trim_start())
        }
        _ => (words, ""),
    };
    let directive = directive.get(..4).unwrap_or("").to_ascii_uppercase();
    let (description, status) = match directive.as_str() {
        "SKIP" => (description, Status::Skipped),
        // Known not to work yet (TODO): the test may end either way.
        "TODO" => (description, Status::Ok),
        _ if is_ok => (words, Status::Ok),
        _ => (words, Status::Failed),
    };
    Some(Test {
        number,
        description,
        status,
    })
}

fn count(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn with_the_plan_first_there_is_a_total_from_the_beginning() {
        let stream = include_str!("../../tests/corpus/tap/raw_tap.stdout");
        assert_eq!(
            said(&mut Tap::default(), stream),
            [
                r#"{"progress":0,"total":4,"unit":"tests"}"#,
                r#"{"progress":1,"total":4,"unit":"tests","message":"thing 1"}"#,
                r#"{"progress":2,"total":4,"unit":"tests","message":"thing 2"}"#,
                r#"{"progress":3,"total":4,"unit":"tests","message":"thing 3"}"#,
                r#"{"progress":4,"total":4,"unit":"tests","message":"thing 4"}"#,
            ]
        );
    }

    #[test]
    fn with_the_plan_last_tests_are_counted_and_subtests_and_failures_are_parts() {
        let stream = include_str!("../../tests/corpus/tap/node_test_tap.stdout");
        let said = said(&mut Tap::default(), stream);
        assert_eq!(
            said[6..10],
            [
                r#"{"progress":7,"unit":"tests","message":"case 6"}"#,
                r#"{"message":"case 7","id":"test-8","title":"test 8","status":"failed"}"#,
                r#"{"progress":8,"unit":"tests","message":"case 7"}"#,
                r#"{"progress":9,"unit":"tests","message":"case 8"}"#,
            ]
        );
        assert_eq!(
            said[13..],
            [
                r#"{"progress":1,"unit":"tests","message":"sub0","id":"subtest-1","title":"grp"}"#,
                r#"{"progress":2,"unit":"tests","message":"sub1","id":"subtest-1","title":"grp"}"#,
                r#"{"progress":3,"unit":"tests","message":"sub2","id":"subtest-1","title":"grp"}"#,
                r#"{"progress":3,"total":3,"unit":"tests","id":"subtest-1","title":"grp"}"#,
                r#"{"id":"subtest-1","status":"ok"}"#,
                r#"{"progress":13,"unit":"tests","message":"grp"}"#,
                r#"{"progress":13,"total":13,"unit":"tests"}"#,
            ]
        );
    }

    #[test]
    fn skipped_and_expected_failures_are_no_failures() {
        let lines = "1..5\nok 1 - a # SKIP no network\nnot ok 2 - b # TODO later\nok 3 # skip\nnot ok 4 b #3\nok\n";
        assert_eq!(
            said(&mut Tap::default(), lines)[1..],
            [
                r#"{"progress":1,"total":5,"unit":"tests","message":"a"}"#,
                r#"{"progress":2,"total":5,"unit":"tests","message":"b"}"#,
                r#"{"progress":3,"total":5,"unit":"tests","message":""}"#,
                r#"{"message":"b #3","id":"test-4","title":"test 4","status":"failed"}"#,
                r#"{"progress":4,"total":5,"unit":"tests","message":"b #3"}"#,
                r#"{"progress":5,"total":5,"unit":"tests","message":""}"#,
            ]
        );
    }

    #[test]
    fn a_subtest_that_failed_is_one_failure_and_knows_its_parent() {
        let lines = "1..1\n    # Subtest: m\n    1..1\n        not ok 1 - deep\n        1..1\n    not ok 1 - middle\nnot ok 1 - top\nBail out! no database\n";
        assert_eq!(
            said(&mut Tap::default(), lines)[1..],
            [
                r#"{"progress":0,"total":1,"unit":"tests","id":"subtest-1","title":"m"}"#,
                concat!(
                    r#"{"message":"deep","id":"subtest-2-test-1","parent":"subtest-2","title":"test 1","#,
                    r#""status":"failed"}"#
                ),
                r#"{"progress":1,"unit":"tests","message":"deep","id":"subtest-2","parent":"subtest-1"}"#,
                r#"{"progress":1,"total":1,"unit":"tests","id":"subtest-2","parent":"subtest-1"}"#,
                r#"{"id":"subtest-2","status":"failed"}"#,
                r#"{"progress":1,"total":1,"unit":"tests","message":"middle","id":"subtest-1","title":"m"}"#,
                r#"{"id":"subtest-1","status":"failed"}"#,
                r#"{"progress":1,"total":1,"unit":"tests","message":"top"}"#,
                r#"{"message":"bail out: no database"}"#,
            ]
        );
    }

    #[test]
    fn the_next_document_begins_at_0() {
        let lines = "1..2\nok 1\nok 2\nok\n1..3\nok 1\nok 2\nok 3\nok 1\n1..1\n";
        let progress: Vec<_> = said(&mut Tap::default(), lines)
            .iter()
            .map(|report| {
                report
                    .replace(r#","unit":"tests""#, "")
                    .replace(r#","message":"""#, "")
            })
            .collect();
        assert_eq!(
            progress,
            [
                r#"{"progress":0,"total":2}"#,
                r#"{"progress":1,"total":2}"#,
                r#"{"progress":2,"total":2}"#,
                r#"{"progress":0,"total":3}"#,
                r#"{"progress":1,"total":3}"#,
                r#"{"progress":2,"total":3}"#,
                r#"{"progress":3,"total":3}"#,
                r#"{"progress":1}"#,
                r#"{"progress":1,"total":1}"#,
            ]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_left_to_others() {
        for line in [
            "ok",
            "ok 5 - five",
            "ok then",
            "okay 1",
            "1..two",
            "1..2 files",
            "# Subtest: x",
            "---",
            "    1..3",
            "Bail out!",
        ] {
            let is_read = Tap::default().line(line, &mut |_, _| panic!("{line}"));
            assert!(!is_read, "{line}");
        }
        let mut begun = Tap::default();
        begun.line("TAP version 13", &mut |_, _| ());
        for line in ["ok then", "  ok 1", "not okay", "done"] {
            assert!(!begun.line(line, &mut |_, _| panic!("{line}")), "{line}");
        }
    }
}
