//! progrun's own lines where they were not written to the channel: objects that a script just prints, and the events of
//! another progrun, such as one at the other end of ssh.
//!
//! They are read only if `--from progrun` asks for them. A file that the child prints may hold such lines without being
//! progress: an example in a README, a log, the events of another run. Its events would be shown in place of the file,
//! and the text in them would reach the terminal.
//!
//! The lines are the child's output all the same, and many programs print objects. So an object counts only if it
//! stands on a line of its own, can be read without an error, and could hardly mean anything else:
//!
//! - `progress` (0 or more) or `percentage` (0 to 100) is there: no other program is known to use these words with a
//!   number in an object of one level. Other fields may stand beside it.
//! - `current` or `percent`, or a `status` of our four words with an `id`, is there, and no field that is not ours:
//!   pages of a list have a `current`, records of other tools have it beside a `type`, and answers of a server have
//!   `status` and `id` beside the data.
//!
//! A `message` or a `title` alone is a line of a log.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::model::verdict::Meaning;
use crate::protocol::{self, LINE_LIMIT, Progress};
use crate::wire;

use super::prefixes::Prefix;
use super::remote::{self, Remote};
use super::{Each, Format, Lines};

/// The longest event: one may hold all that another program printed in one piece.
const EVENT_LIMIT: usize = 1024 * 1024;

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "progrun",
    about: "printed reports and the events of another progrun, on either stream",
    switch: "progrun --from progrun -- ssh HOST progrun --json -- COMMAND",
};

/// Reads our own lines in what a child prints.
#[derive(Debug, Default)]
pub(super) struct Progrun {
    remote: Remote,
    /// What the line that was read last means.
    meaning: Option<Meaning>,
}

impl Lines for Progrun {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["{"])
    }

    fn is_for_machines(&self) -> bool {
        true
    }

    fn longest(&self) -> usize {
        EVENT_LIMIT
    }

    fn meaning(&mut self) -> Option<(&'static str, Meaning)> {
        let meaning = self.meaning.take()?;
        Some((FORMAT.name, meaning))
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        self.meaning = None;
        if !line.starts_with('{') {
            return false;
        }
        // A longer line has a meaning, but reports nothing.
        let reports = line.len() <= LINE_LIMIT;
        if let Some((report, all)) = report(line) {
            if reports {
                each(FORMAT.name, &report);
            }
            // Fields of others are for people: no bar shows them.
            self.meaning = all.then_some(Meaning::Progress);
            return true;
        }
        let Some(event) = wire::Line::read(line) else {
            return false;
        };
        if reports {
            self.remote
                .event(&event, &mut |report| each(FORMAT.name, report));
        }
        self.meaning = Some(remote::meaning(event));
        true
    }
}

/// A report of ours, and whether all of its fields are.
fn report(line: &str) -> Option<(Progress<'_>, bool)> {
    let report = protocol::read_object(line).ok()?;
    let counts = report.progress.is_some() || report.percentage.is_some();
    let ends = report.status.is_some() && report.id.is_some();
    if !(counts || ends) {
        return None;
    }
    // The values are not parsed: `serde_json` refuses some that may stand in a field of others, such as 1e999.
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(line).ok()?;
    let is_number = |name: &&str| {
        let value = fields.get(*name).map(|value| value.get().as_bytes());
        matches!(value, Some([b'-' | b'0'..=b'9', ..]))
    };
    let all = fields
        .keys()
        .all(|name| ENOUGH.contains(&name.as_str()) || OTHERS.contains(&name.as_str()));
    (all || ENOUGH.iter().any(is_number)).then_some((report, all))
}

/// One of these fields is enough to make an object ours.
const ENOUGH: [&str; 2] = ["progress", "percentage"];
/// Our other fields.
const OTHERS: [&str; 10] = [
    "current", "total", "percent", "unit", "message", "id", "parent", "title", "status", "eta",
];

#[cfg(test)]
mod tests {
    use super::super::line_properties::said;
    use super::*;

    #[test]
    fn objects_that_a_script_prints_are_read_as_on_the_channel() {
        let lines = r#"{"progress":3,"total":10,"message":"a.jpg","host":"x"}
            not indented, and not an object
{"percentage":42.5}
{"current": 5, "total": 10}
{"percent": 7}
{"id":"dl","status":"ok"}
{"id":7,"status":"failed","message":"no space"}
"#;
        assert_eq!(
            said(&mut Progrun::default(), lines),
            [
                r#"{"progress":3,"total":10,"message":"a.jpg"}"#,
                r#"{"percentage":42.5}"#,
                r#"{"progress":5,"total":10}"#,
                r#"{"percentage":7}"#,
                r#"{"id":"dl","status":"ok"}"#,
                r#"{"message":"no space","id":"7","status":"failed"}"#,
            ]
        );
    }

    #[test]
    fn objects_of_others_are_left_to_others() {
        for line in [
            r#"{"status":"ok","data":[1,2]}"#,
            r#"{"status":"ok"}"#,
            r#"{"status":"ok","id":7,"data":[1,2]}"#,
            r#"{"status":"success","id":7}"#,
            r#"{"current":1,"total":5,"items":["a"]}"#,
            r#"{"type":"progress_percent","operation":1,"msgid":"extract","current":5,"total":10}"#,
            r#"{"progress":"50%"}"#,
            r#"{"progress":"[==>  ]","progressDetail":{"current":1,"total":2},"id":"a"}"#,
            r#"{"progress":-1}"#,
            r#"{"progress":null}"#,
            r#"{"percentage":101}"#,
            r#"{"progress":{"current":1}}"#,
            r#"{"data":{"progress":1}}"#,
            r#"{"message":"hello"}"#,
            r#"{"title":"a","message":"hello"}"#,
            r#"{"progress":3} and more"#,
            r#"{"event":"click","task":1,"elapsed":0.5}"#,
            r#"{"event":"progress","task":"build","elapsed":0.5}"#,
            r#"{"event":"progress","task":1}"#,
            r#"[{"progress":3}]"#,
            "{",
            "",
        ] {
            let is_read = Progrun::default().line(line, &mut |_, _| panic!("{line}"));
            assert!(!is_read, "{line}");
        }
    }

    /// What a line means that is read.
    fn meaning(line: &str) -> Option<Meaning> {
        let mut dialect = Progrun::default();
        assert!(dialect.line(line, &mut |_, _| ()), "{line}");
        let (source, meaning) = dialect.meaning()?;
        assert_eq!(source, "progrun");
        Some(meaning)
    }

    #[test]
    fn a_report_with_fields_of_others_is_for_people_and_an_event_means_what_was_printed() {
        let text = |text: &str| Some(Meaning::Output(text.as_bytes().to_vec()));
        for (line, expected) in [
            ("{\"progress\":3}", Some(Meaning::Progress)),
            (
                r#"{"id":7,"progress":3,"total":9}"#,
                Some(Meaning::Progress),
            ),
            (r#"{"id":7,"progress":3,"total":9,"owner":"bob"}"#, None),
            (r#"{"percentage":40,"name":"battery"}"#, None),
            (
                r#"{"event":"started","task":1,"elapsed":0.001,"name":"x"}"#,
                text(""),
            ),
            (
                r#"{"event":"progress","task":1,"elapsed":0.2,"info":{"progress":3}}"#,
                text(""),
            ),
            (
                r#"{"event":"finished","task":1,"elapsed":0.2,"state":"completed","exit_status":0}"#,
                text(""),
            ),
            (
                r#"{"event":"output","task":1,"elapsed":0.2,"stream":"stderr","text":"half a line: \u001b[1mé"}"#,
                text("half a line: \u{1b}[1mé"),
            ),
            (
                r#"{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","base64":"Yf9iYw=="}"#,
                Some(Meaning::Output(b"a\xffbc".to_vec())),
            ),
            (
                r#"{"event":"warning","task":1,"elapsed":0.2,"message":"pid 5 holds stdout"}"#,
                Some(Meaning::Sentence("pid 5 holds stdout".to_owned())),
            ),
            (
                r#"{"event":"finished","task":1,"elapsed":0.2,"state":"failed","error":"cannot run x"}"#,
                Some(Meaning::Sentence("cannot run x".to_owned())),
            ),
        ] {
            assert_eq!(meaning(line), expected, "{line}");
        }
    }

    #[test]
    fn an_event_whose_base64_is_broken_is_none() {
        let line = r#"{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","base64":"/w="}"#;
        assert!(!Progrun::default().line(line, &mut |_, _| ()));
    }

    #[test]
    fn of_what_is_too_long_for_a_report_only_the_meaning_counts() {
        let message = "x".repeat(LINE_LIMIT);
        let line = format!(r#"{{"progress":3,"message":"{message}"}}"#);
        let mut dialect = Progrun::default();
        assert!(dialect.line(&line, &mut |_, report| panic!("{report:?}")));
        assert_eq!(dialect.meaning(), Some(("progrun", Meaning::Progress)));
    }
}
