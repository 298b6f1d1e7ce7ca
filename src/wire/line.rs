//! One line of the stream: the table of names. The names of the fields are those of the struct, in the order in which
//! they are written.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
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
    pub(crate) slot: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) named: Option<bool>,
    #[serde(
        borrow,
        default,
        deserialize_with = "texts",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) input: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_base64: Option<Vec<Base64<'a>>>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) time: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u32>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_final: Option<bool>,
    #[serde(
        borrow,
        default,
        deserialize_with = "texts",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) command: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command_base64: Option<Vec<Base64<'a>>>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) boot_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) host: Option<Cow<'a, str>>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) source: Option<Cow<'a, str>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_in: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flaky: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cancelled: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<u64>,
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) not_started: Option<Option<u64>>,
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) exit_status: Option<Option<i32>>,
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) signal: Option<Option<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    #[serde(
        borrow,
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) cause: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<Why>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) when: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_rss: Option<u64>,
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
    Run,
    Total,
    Started,
    Progress,
    Output,
    Malformed,
    State,
    Signal,
    Warning,
    Finished,
    Skipped,
    Halted,
    End,
    // The rest is told only to watchers, which show what a screen shows.
    Step,
    Waiting,
    Observed,
    Paused,
    Known,
    Counted,
    Dropped,
    Status,
    // These go between a progrun and its agent on another machine.
    Hello,
    Refused,
    Answer,
    Alive,
}

/// The state that a task is in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Cancelling,
    Completed,
    Failed,
    Cancelled,
    Lost,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// Why a stop was requested, a task lost, a signal sent or a task skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
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
    /// A task that it needs did not complete.
    Dependency,
    /// `--halt` kept it from starting.
    Halted,
    /// The stop of the run kept it from starting.
    Cancelled,
    /// An earlier run has done it.
    Done,
    /// The progrun that has started the command on another machine is gone.
    Lease,
    /// What was missed of a lost task.
    Hello,
    Heartbeat,
    FinalEvent,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// Which ends of tasks made `--halt` act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Why {
    Fail,
    Success,
    Done,
    /// Of a newer progrun.
    #[serde(other, skip_serializing)]
    Other,
}

/// What `--halt` does to the running tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Soon,
    Now,
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

/// The longest time that is believed: 136 years.
pub(super) const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// A count that another process has written, as far as it is believed: the sinks add them up.
pub(super) fn believed(count: u64) -> u64 {
    count.min(1 << 53)
}

/// Seconds since the run began, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Elapsed(pub(super) Duration);

/// A length of time in seconds, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(pub(super) f64);

/// A report, in the bytes of the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Info<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Line<'a> {
    /// An event without any fields of its kind.
    pub(super) fn new(event: Kind, task: u32, at: Duration) -> Self {
        Self {
            event,
            task: task.into(),
            elapsed: Elapsed(at),
            slot: None,
            attempt: None,
            attempts: None,
            nth: None,
            named: None,
            input: None,
            input_base64: None,
            time: None,
            duration: None,
            version: None,
            name: None,
            jobs: None,
            total: None,
            total_final: None,
            command: None,
            command_base64: None,
            boot_id: None,
            pid: None,
            host: None,
            source: None,
            info: None,
            stream: None,
            number: None,
            text: None,
            base64: None,
            state: None,
            retry_in: None,
            output_bytes: None,
            completed: None,
            flaky: None,
            failed: None,
            cancelled: None,
            lost: None,
            skipped: None,
            not_started: None,
            exit_status: None,
            signal: None,
            reason: None,
            cause: None,
            why: None,
            count: None,
            when: None,
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

    /// When it happened, since the run began.
    pub(crate) fn at(&self) -> Duration {
        self.elapsed.0
    }

    /// The number of the line of the channel, if the event is about one.
    pub(crate) fn line_number(&self) -> u64 {
        self.number.unwrap_or(0)
    }

    /// The bytes that were printed or could not be read, if the event has any.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        let text = self.text.map(|text| text.into_owned().into_bytes());
        text.or(self.base64.map(|base64| base64.0.into_owned()))
    }

    /// The values that the command was made of, byte for byte.
    pub(crate) fn input(&self) -> Option<Vec<&[u8]>> {
        bytes(self.input.as_deref(), self.input_base64.as_deref())
    }

    /// The command, byte for byte.
    pub(crate) fn command(&self) -> Option<Vec<&[u8]>> {
        bytes(self.command.as_deref(), self.command_base64.as_deref())
    }

    /// Reads a line that may be an event.
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        if !line.contains(MARK) {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// Whether the line is an event of a kind that a newer progrun may write.
    pub(crate) fn is_of_newer(line: &str) -> bool {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "they have to be there")]
        struct Any<'a> {
            #[serde(borrow)]
            event: Cow<'a, str>,
            task: u64,
            elapsed: Elapsed,
        }
        let event = serde_json::from_str::<Any<'_>>(line).map(|any| any.event);
        let known = |event: &str| {
            let event = event.into_deserializer();
            <Kind as Deserialize>::deserialize::<StrDeserializer<'_, serde::de::value::Error>>(
                event,
            )
            .is_ok()
        };
        event.is_ok_and(|event| !known(&event))
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
        Ok(Self(Seconds(seconds).time().unwrap_or_default()))
    }
}

/// A text that is not copied if it has no escapes.
fn text<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    let text = Option::<Text<'a>>::deserialize(deserializer)?;
    Ok(text.map(|text| text.0))
}

/// The same for several texts.
fn texts<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Cow<'a, str>>>, D::Error> {
    let texts = Option::<Vec<Text<'a>>>::deserialize(deserializer)?;
    Ok(texts.map(|texts| texts.into_iter().map(|text| text.0).collect()))
}

/// The borrowing form of a text: `serde` copies one in an option.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The bytes of words, which are in the base64 if one is not UTF-8.
fn bytes<'a>(
    texts: Option<&'a [Cow<'_, str>]>,
    base64: Option<&'a [Base64<'_>]>,
) -> Option<Vec<&'a [u8]>> {
    let texts = || texts.map(|texts| texts.iter().map(|text| text.as_bytes()).collect());
    let base64 = base64.map(|base64| base64.iter().map(|word| &*word.0).collect());
    base64.or_else(texts)
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
            event::Reason::Lease => Self::Lease,
        }
    }
}

impl From<event::Missed> for Reason {
    fn from(missed: event::Missed) -> Self {
        match missed {
            event::Missed::Hello => Self::Hello,
            event::Missed::Heartbeat => Self::Heartbeat,
            event::Missed::FinalEvent => Self::FinalEvent,
        }
    }
}

impl From<event::SkipReason> for Reason {
    fn from(reason: event::SkipReason) -> Self {
        match reason {
            event::SkipReason::Dependency => Self::Dependency,
            event::SkipReason::Halted => Self::Halted,
            event::SkipReason::Cancelled => Self::Cancelled,
            event::SkipReason::Done => Self::Done,
        }
    }
}

impl From<event::HaltWhy> for Why {
    fn from(why: event::HaltWhy) -> Self {
        match why {
            event::HaltWhy::Fail => Self::Fail,
            event::HaltWhy::Success => Self::Success,
            event::HaltWhy::Done => Self::Done,
        }
    }
}

impl From<event::HaltWhen> for When {
    fn from(when: event::HaltWhen) -> Self {
        match when {
            event::HaltWhen::Soon => Self::Soon,
            event::HaltWhen::Now => Self::Now,
        }
    }
}

impl From<Duration> for Seconds {
    fn from(time: Duration) -> Self {
        // Of whole microseconds: those of a nanosecond have up to 17 digits.
        Self(Duration::new(time.as_secs(), time.subsec_micros() * 1000).as_secs_f64())
    }
}

impl Seconds {
    /// As a length of time; none if it is none, or none that a run can take: the sinks add to times.
    pub(crate) fn time(self) -> Option<Duration> {
        let time = Duration::try_from_secs_f64(self.0).ok();
        time.filter(|time| *time <= LONGEST)
    }
}

impl Stream {
    /// The stream, if it is one that we know.
    pub(super) fn of_event(self) -> Option<event::Stream> {
        match self {
            Self::Stdout => Some(event::Stream::Stdout),
            Self::Stderr => Some(event::Stream::Stderr),
            Self::Other => None,
        }
    }
}

impl Reason {
    /// The reason of a stop; that of a newer progrun is a request from elsewhere.
    pub(super) fn of_stop(self) -> event::Reason {
        match self {
            Self::Interrupt => event::Reason::Interrupt,
            Self::Hangup => event::Reason::Hangup,
            Self::Outer => event::Reason::Parent,
            Self::Timeout => event::Reason::Timeout,
            Self::Deadline => event::Reason::Deadline,
            Self::Halt => event::Reason::Halt,
            Self::Lease => event::Reason::Lease,
            _ => event::Reason::Terminate,
        }
    }

    /// What was missed of a lost task; what a newer progrun misses is the last word.
    pub(super) fn of_missed(self) -> event::Missed {
        match self {
            Self::Hello => event::Missed::Hello,
            Self::Heartbeat => event::Missed::Heartbeat,
            _ => event::Missed::FinalEvent,
        }
    }

    /// Why a task was skipped.
    pub(super) fn of_skip(self) -> event::SkipReason {
        match self {
            Self::Dependency => event::SkipReason::Dependency,
            Self::Halted => event::SkipReason::Halted,
            Self::Done => event::SkipReason::Done,
            _ => event::SkipReason::Cancelled,
        }
    }
}

impl State {
    /// The final state, if it is one.
    pub(crate) fn of_end(self) -> Option<event::FinalState> {
        match self {
            Self::Completed => Some(event::FinalState::Completed),
            Self::Failed => Some(event::FinalState::Failed),
            Self::Cancelled => Some(event::FinalState::Cancelled),
            Self::Lost => Some(event::FinalState::Lost),
            Self::Cancelling | Self::Other => None,
        }
    }
}

impl Why {
    pub(super) fn of_halt(self) -> event::HaltWhy {
        match self {
            Self::Fail | Self::Other => event::HaltWhy::Fail,
            Self::Success => event::HaltWhy::Success,
            Self::Done => event::HaltWhy::Done,
        }
    }
}

impl When {
    pub(super) fn of_halt(self) -> event::HaltWhen {
        match self {
            Self::Soon | Self::Other => event::HaltWhen::Soon,
            Self::Now => event::HaltWhen::Now,
        }
    }
}

impl From<event::FinalState> for State {
    fn from(state: event::FinalState) -> Self {
        match state {
            event::FinalState::Completed => Self::Completed,
            event::FinalState::Failed => Self::Failed,
            event::FinalState::Cancelled => Self::Cancelled,
            event::FinalState::Lost => Self::Lost,
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
        Line::new(Kind::State, 1, at)
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
            r#"{"event":"finished","task":1,"elapsed":1,"state":"gone","reason":"moon","more":[]}"#;
        let read = Line::read(text).unwrap();
        assert_eq!(
            (read.state, read.reason),
            (Some(State::Other), Some(Reason::Other))
        );
    }
}
