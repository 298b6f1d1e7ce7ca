//! progrun's own lines where they were not written to the channel: objects that a script just prints, and the events of
//! another progrun, such as one at the other end of ssh.
//!
//! They are read only where they were asked for by name. A file that the child prints may hold such lines without being
//! progress: an example in a README, a log, the events of another run. Its events would be shown in place of the file, and
//! what is in them would reach the terminal.
//!
//! What is printed is the child's output also then, and many programs print objects. So an object counts only if it stands
//! on a line of its own, can be read without an error, and could hardly mean anything else:
//!
//! - `progress` (0 or more) or `percentage` (0 to 100) is there: nobody else is known to use these words with a number in
//!   an object of one level. Other fields may stand beside it.
//! - `current` or `percent`, or a `status` of our four words with an `id`, is there, and no field that is not ours: pages of
//!   a list have a `current`, records of other tools have it beside a `type`, and answers of a server have `status` and `id`
//!   beside what was asked for.
//!
//! A `message` or a `title` alone is a line of a log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::protocol::{self, Progress};

use super::remote::{self, Remote};
use super::{Each, Format, Lines, Mark};

/// What `--list-formats` tells of it.
pub(super) const FORMAT: Format = Format {
    name: "progrun",
    about: "printed reports and the events of another progrun, on either stream",
    switch: "progrun --from progrun -- ssh HOST progrun --json -- COMMAND",
};

/// Reads our own lines in what a child prints.
#[derive(Debug, Default)]
pub(super) struct Progrun {
    remote: Remote,
}

impl Lines for Progrun {
    fn mark(&self) -> Mark {
        Mark::Begins(&["{"])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        if !line.starts_with('{') {
            return false;
        }
        if let Some((report, _)) = report(line) {
            each(FORMAT.name, &report);
            return true;
        }
        let Some(event) = remote::Event::parse(line) else {
            return false;
        };
        self.remote
            .event(event, &mut |report| each(FORMAT.name, report));
        true
    }
}

/// What is to be seen of a line on a terminal with bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// The line itself: it is no line of ours.
    AsIs,
    /// Nothing where a bar shows it: it is progress, and says nothing else.
    Nothing,
    /// This instead, to the byte: what another progrun's command printed.
    Text(Cow<'a, [u8]>),
    /// This instead: a sentence of another progrun. Names of files and processes of other users are in it, so it is no more
    /// fit for a terminal than they are.
    Sentence(String),
}

/// What is to be seen of a complete line on a terminal with bars.
#[must_use]
pub(super) fn shown(line: &[u8]) -> Shown<'_> {
    if line.first() != Some(&b'{') {
        return Shown::AsIs;
    }
    let Ok(line) = std::str::from_utf8(line) else {
        return Shown::AsIs;
    };
    if let Some((_, all)) = report(line) {
        // What else it says would be seen nowhere.
        return if all { Shown::Nothing } else { Shown::AsIs };
    }
    remote::Event::parse(line).map_or(Shown::AsIs, remote::Event::shown)
}

/// A report of ours, and whether all of its fields are.
fn report(line: &str) -> Option<(Progress<'_>, bool)> {
    let report = protocol::read_object(line).ok()?;
    let counts = report.progress.is_some() || report.percentage.is_some();
    let ends = report.status.is_some() && report.id.is_some();
    if !(counts || ends) {
        return None;
    }
    // Their values are not looked at: what is no number to serde_json, such as 1e999, may stand in a field of others.
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

/// The fields of which one is enough to make an object ours.
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
            assert_eq!(shown(line.as_bytes()), Shown::AsIs, "{line}");
        }
    }

    #[test]
    fn of_lines_that_bars_show_nothing_is_to_be_seen_and_of_output_its_text() {
        let text = |text: &'static str| Shown::Text(Cow::Borrowed(text.as_bytes()));
        for (line, expected) in [
            ("plain text\n", Shown::AsIs),
            ("{\"progress\":3}\r\n", Shown::Nothing),
            (r#"{"id":7,"progress":3,"total":9}"#, Shown::Nothing),
            (
                r#"{"id":7,"progress":3,"total":9,"owner":"bob"}"#,
                Shown::AsIs,
            ),
            (r#"{"percentage":40,"name":"battery"}"#, Shown::AsIs),
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
                r#"{"event":"warning","task":1,"elapsed":0.2,"message":"pid 5 holds stdout"}"#,
                Shown::Sentence("pid 5 holds stdout".to_owned()),
            ),
            (
                r#"{"event":"finished","task":1,"elapsed":0.2,"state":"failed","error":"cannot run x"}"#,
                Shown::Sentence("cannot run x".to_owned()),
            ),
        ] {
            assert_eq!(shown(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(shown(b"{\"progress\":3,\"message\":\"\xff\"}"), Shown::AsIs);
    }

    #[test]
    fn output_that_is_not_utf_8_is_decoded() {
        let line = |base64: &str| {
            format!(
                r#"{{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","base64":"{base64}"}}"#
            )
        };
        for (base64, bytes) in [
            ("/w==", b"\xff".as_slice()),
            ("//4=", b"\xff\xfe"),
            ("//79", b"\xff\xfe\xfd"),
            ("Yf9iYw==", b"a\xffbc"),
            ("", b""),
        ] {
            let expected = Shown::Text(Cow::Borrowed(bytes));
            assert_eq!(shown(line(base64).as_bytes()), expected, "{base64}");
        }
        for broken in ["/", "/w=", "/w===", "=", "/w==//4=", "a b=", "é==="] {
            assert_eq!(shown(line(broken).as_bytes()), Shown::AsIs, "{broken}");
        }
    }
}
