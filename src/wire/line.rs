//! One line of the stream: the table of names. The names of the fields are those of the struct, in the order in which
//! they are written.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::base64::Base64;
use crate::event;

/// One event as a line of JSON. A field that an event of its kind does not have is none, and left out.
///
/// The reader asks for a known event with a task and a time, and for fields of their types, so an event of another
/// program is hardly ever taken for one of ours. It ignores fields that it does not know: a newer progrun may write
/// more.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::option_option,
    reason = "a field that is null is there: a child that was killed has an `exit_status` of null"
)]
pub(crate) struct Line<'a> {
    pub(crate) event: Kind,
    pub(crate) task: u64,
    pub(super) elapsed: Elapsed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Cow<'a, str>>,
    /// As the child wrote it: our reader of reports takes objects for which `serde_json` has no value, with 128 levels
    /// or numbers such as 1e999.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) info: Option<Info<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<Stream>,
    #[serde(rename = "line", skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<Base64<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) exit_status: Option<Option<i32>>,
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) signal: Option<Option<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_rss: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reports: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) malformed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Cow<'a, str>>,
}

/// A text that every event contains. A line without it is not parsed.
const MARK: &str = "\"event\"";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Started,
    Progress,
    Output,
    Malformed,
    State,
    Signal,
    Warning,
    Finished,
}

/// The state that a task is in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Cancelling,
    Completed,
    Failed,
    Cancelled,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// Why a stop was requested, or a signal sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    Interrupt,
    Terminate,
    Hangup,
    /// The progrun that this one runs under was asked to stop.
    Outer,
    Timeout,
    /// `--deadline` of a run of many.
    Deadline,
    /// `--halt` of a run of many.
    Halt,
    /// The child did not end within `--grace`.
    Grace,
    /// The child did not end within `--kill-after`.
    KillAfter,
    Forwarded,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// Where the child printed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stream {
    Stdout,
    Stderr,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// Seconds since the run began, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Elapsed(pub(super) Duration);

/// A report, in the bytes of the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Info<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Line<'a> {
    /// An event without any fields of its kind.
    pub(super) fn new(event: Kind, task: event::TaskId, at: Duration) -> Self {
        Self {
            event,
            task: task.get().into(),
            elapsed: Elapsed(at),
            time: None,
            name: None,
            command: None,
            pid: None,
            source: None,
            info: None,
            stream: None,
            number: None,
            text: None,
            base64: None,
            state: None,
            exit_status: None,
            signal: None,
            reason: None,
            user_time: None,
            system_time: None,
            max_rss: None,
            reports: None,
            malformed: None,
            error: None,
            message: None,
        }
    }

    /// With these bytes: as `text`, or as `base64` where they are not UTF-8.
    pub(super) fn with_bytes(self, bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                text: Some(text.into()),
                ..self
            },
            Err(_) => Self {
                base64: Some(Base64(bytes.into())),
                ..self
            },
        }
    }

    /// The bytes that were printed or could not be read, if the event has any.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        let text = self.text.map(|text| text.into_owned().into_bytes());
        text.or(self.base64.map(|base64| base64.0.into_owned()))
    }

    /// Reads a line that may be an event.
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        if !line.contains(MARK) {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// Appends the event with its line end.
    pub(super) fn write(&self, lines: &mut String) {
        let line = self.to_json();
        // Most events come alone, and one may be long: its text is moved, not copied.
        if lines.is_empty() {
            *lines = line;
        } else {
            lines.push_str(&line);
        }
        lines.push('\n');
    }

    fn to_json(&self) -> String {
        // Cannot fail: no field is a map, and none refuses to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The beginning of an event with an `info`, up to the value of that. Only [`END`] comes after it.
    pub(super) fn before_info(mut self) -> String {
        self.info = Some(Info(RawValue::NULL));
        let mut line = self.to_json();
        line.truncate(line.len() - RawValue::NULL.get().len() - END.len());
        line
    }
}

/// The end of every event.
pub(super) const END: &str = "}";

impl<'a> Info<'a> {
    /// The JSON text of the report.
    pub(crate) fn text(&self) -> &'a str {
        self.0.get()
    }
}

impl PartialEq for Info<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Elapsed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Always to the microsecond: `serde_json` would write a whole second as `1.0`.
        let (seconds, micros) = (self.0.as_secs(), self.0.subsec_micros());
        let number = RawValue::from_string(format!("{seconds}.{micros:06}"));
        number
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Elapsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // Another program may have written any number here: one that is no time becomes 0.
        Ok(Self(
            Duration::try_from_secs_f64(seconds).unwrap_or_default(),
        ))
    }
}

/// Tells a field that is null from one that is not there.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<event::Stream> for Stream {
    fn from(stream: event::Stream) -> Self {
        match stream {
            event::Stream::Stdout => Self::Stdout,
            event::Stream::Stderr => Self::Stderr,
        }
    }
}

impl From<event::Reason> for Reason {
    fn from(reason: event::Reason) -> Self {
        match reason {
            event::Reason::Interrupt => Self::Interrupt,
            event::Reason::Terminate => Self::Terminate,
            event::Reason::Hangup => Self::Hangup,
            event::Reason::Parent => Self::Outer,
            event::Reason::Timeout => Self::Timeout,
            event::Reason::Deadline => Self::Deadline,
            event::Reason::Halt => Self::Halt,
        }
    }
}

impl From<event::FinalState> for State {
    fn from(state: event::FinalState) -> Self {
        match state {
            event::FinalState::Completed => Self::Completed,
            event::FinalState::Failed => Self::Failed,
            event::FinalState::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &Line<'_>) -> String {
        let mut text = String::new();
        line.write(&mut text);
        text
    }

    fn state() -> Line<'static> {
        let at = Duration::from_micros(1_000_214);
        Line::new(Kind::State, event::TaskId::FIRST, at)
    }

    #[test]
    fn a_line_begins_with_the_event_the_task_and_the_time() {
        assert_eq!(
            line(&state()),
            "{\"event\":\"state\",\"task\":1,\"elapsed\":1.000214}\n"
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_base64() {
        let text = line(&state().with_bytes("a\"\n\u{e9}".as_bytes()));
        assert!(text.contains(r#","text":"a\"\né"}"#), "{text}");
        let text = line(&state().with_bytes(b"a\xffbc"));
        assert!(text.contains(r#","base64":"Yf9iYw=="}"#), "{text}");
    }

    #[test]
    fn what_a_newer_progrun_adds_is_no_error() {
        let text =
            r#"{"event":"finished","task":1,"elapsed":1,"state":"lost","reason":"moon","more":[]}"#;
        let read = Line::read(text).unwrap();
        assert_eq!(
            (read.state, read.reason),
            (Some(State::Other), Some(Reason::Other))
        );
    }
}
