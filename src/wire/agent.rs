//! What a progrun and its agent on another machine say to each other.
//!
//! The agent writes lines of JSON, each with a number: who it is, and then the events of its task as a watcher gets them.
//! A gap in the numbers is a lost line. It reads lines as well: first what to run, then instructions. `progrun-on(7)`
//! describes the lines. Does not know how the lines travel.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::base64::Base64;
use super::line::{Kind, LONGEST};
use crate::event::{Answer, CancelMode, Stream, signal_name, signal_number};
use crate::model::route::Route;

/// The version of these lines. An agent of another version is refused before anything runs.
pub(crate) const PROTOCOL: u32 = 1;

/// The first word of an agent: who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    event: Kind,
    /// See [`PROTOCOL`].
    pub(crate) protocol: u32,
    // Another version may say other things, and is to be named all the same.
    /// The version of its progrun.
    #[serde(default)]
    pub(crate) version: String,
    /// What its machine calls itself.
    #[serde(default)]
    pub(crate) host: String,
    /// Its process number there.
    #[serde(default)]
    pub(crate) pid: u32,
    /// How many processors it may use.
    #[serde(default)]
    pub(crate) processors: u32,
    /// As which job of an engine it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<String>,
}

impl Hello {
    /// That of this process.
    pub(crate) fn new(host: String, processors: u32, job: Option<String>) -> Self {
        Self {
            event: Kind::Hello,
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host,
            pid: std::process::id(),
            processors,
            job,
        }
    }

    /// As a line.
    pub(crate) fn line(&self) -> String {
        line_of(self)
    }
}

/// What an agent is to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub(crate) struct Order {
    /// What the task is called.
    pub(crate) name: Text,
    /// The program and its arguments.
    pub(crate) command: Vec<Text>,
    /// The folder in which it runs. A relative one is below that in which the agent starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<Text>,
    /// The file that is its stdin; none: `/dev/null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stdin: Option<Text>,
    /// The variables that differ from the agent's environment. None: removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) variables: Vec<(Text, Option<Text>)>,
    /// The number of its channel.
    pub(crate) channel: i32,
    /// What its stdout and its stderr are.
    pub(crate) streams: [Way; 2],
    /// The columns and rows of the terminal on which they are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<(u16, u16)>,
    /// Whether every report is wanted, not only the newest.
    pub(crate) every_report: bool,
    /// The formats of other programs that are read: `auto`, `none` or their names.
    pub(crate) from: Vec<String>,
    /// Whether Zig's own way of reporting is offered.
    pub(crate) zig: bool,
    /// Whether the output is read until no process holds it any more.
    pub(crate) wait_output: bool,
    /// Whether a silent child is observed.
    pub(crate) observe: bool,
    /// How long the agent goes on without a word, in milliseconds; none: for ever.
    pub(crate) lease: Option<u64>,
    /// How long each step of a stop has if the lease is over, in milliseconds.
    pub(crate) patience: Patience,
    /// What the agent runs when it is over and no process listens any more, so that no engine keeps its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) release: Vec<String>,
}

/// How long the steps of a stop have, in milliseconds; none: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Patience {
    pub(crate) grace: u64,
    pub(crate) kill_after: u64,
}

/// What an output stream is for the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Pipe,
    Terminal,
    /// Of stderr: the same as stdout.
    Joined,
    Nowhere,
}

impl From<Route> for Way {
    fn from(route: Route) -> Self {
        match route {
            // Nothing of ours can be inherited on another machine.
            Route::Inherit | Route::Piped | Route::Carried => Self::Pipe,
            Route::Terminal => Self::Terminal,
            Route::Joined => Self::Joined,
            Route::Discard => Self::Nowhere,
        }
    }
}

impl From<Way> for Route {
    fn from(way: Way) -> Self {
        match way {
            Way::Pipe => Self::Piped,
            Way::Terminal => Self::Terminal,
            Way::Joined => Self::Joined,
            Way::Nowhere => Self::Discard,
        }
    }
}

/// A word, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Text(String),
    Bytes { base64: Base64<'static> },
}

impl From<OsString> for Text {
    fn from(word: OsString) -> Self {
        word.into_string().map_or_else(
            |word| Self::Bytes {
                base64: Base64(Cow::Owned(word.as_bytes().to_vec())),
            },
            Self::Text,
        )
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Text(text) => text.into(),
            Text::Bytes { base64 } => Self::from_vec(base64.0.into_owned()),
        }
    }
}

impl From<Text> for PathBuf {
    fn from(text: Text) -> Self {
        OsString::from(text).into()
    }
}

impl Order {
    /// As a line.
    pub(crate) fn line(&self) -> String {
        line_of(self)
    }

    /// Reads such a line.
    ///
    /// # Errors
    /// A sentence, if it is none.
    pub(crate) fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| format!("what is to run is not clear: {error}"))
    }
}

fn line_of(line: &impl Serialize) -> String {
    // Cannot fail: no field is a map, and none refuses to be written.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// What an agent is told while its task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// The progrun that has started it is there, and has heard this number of its [`alive`] lines; 0: the hello.
    Ping(u64),
    /// The task is cancelled: its next report fails.
    Cancel,
    /// It is to say whether the task reports, as before a cancel.
    Drain,
    /// This signal goes to the task.
    Signal(i32),
    /// The same, as a step of a stop.
    Stop(i32),
    /// The task is killed, with all that it has started.
    Kill,
    /// The reader of this stream is gone.
    Close(Stream),
    /// There is too much output for now: it waits on the agent's side.
    Pause,
    /// Output is wanted again.
    Resume,
    /// No output is wanted any more.
    Discard,
    /// The lease lasts this long, because no word can come meanwhile.
    Hold(Duration),
    /// The terminal has so many columns and rows.
    Size(u16, u16),
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(beat) => write!(f, "ping {beat}"),
            Self::Cancel => f.write_str("cancel"),
            Self::Drain => f.write_str("drain"),
            Self::Signal(signal) => write!(f, "signal {}", signal_name(*signal)),
            Self::Stop(signal) => write!(f, "stop {}", signal_name(*signal)),
            Self::Kill => f.write_str("kill"),
            Self::Close(stream) => write!(f, "close {stream}"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Discard => f.write_str("discard"),
            Self::Hold(time) => write!(f, "hold {}", time.as_secs()),
            Self::Size(columns, rows) => write!(f, "size {columns} {rows}"),
        }
    }
}

impl Instruction {
    /// Reads a line; none if it is none.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let word = words.next()?;
        let mut next = || words.next();
        let instruction = match word {
            "ping" => Self::Ping(next()?.parse().ok()?),
            "cancel" => Self::Cancel,
            "drain" => Self::Drain,
            "signal" => Self::Signal(signal_number(next()?)?),
            "stop" => Self::Stop(signal_number(next()?)?),
            "kill" => Self::Kill,
            "close" => Self::Close(match next()? {
                "stdout" => Stream::Stdout,
                "stderr" => Stream::Stderr,
                _ => return None,
            }),
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "discard" => Self::Discard,
            "hold" => Self::Hold(Duration::from_secs(next()?.parse().ok()?).min(LONGEST)),
            "size" => Self::Size(next()?.parse().ok()?, next()?.parse().ok()?),
            _ => return None,
        };
        words.next().is_none().then_some(instruction)
    }
}

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// Who it is.
    Hello(Hello),
    /// It runs nothing, for the reason in this sentence.
    Refused(String),
    /// It is there, for the time of this number.
    Alive(u64),
    /// How it has carried out an instruction.
    Answer(Answer),
    /// This line is an event of its task.
    Event(&'a str),
}

/// A line of an agent that is no event of its task.
#[derive(Debug, Serialize, Deserialize)]
struct Word<'a> {
    event: Kind,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<Mode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reports: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<i32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    exited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beat: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Channel,
    Signal,
}

impl Word<'_> {
    fn new(event: Kind) -> Self {
        Self {
            event,
            error: None,
            cancel: None,
            reports: None,
            status: None,
            exited: false,
            beat: None,
        }
    }

    fn answer(&self) -> Option<Answer> {
        let cancel = self.cancel.map(|mode| {
            Answer::Cancel(match mode {
                Mode::Channel => CancelMode::Channel,
                Mode::Signal => CancelMode::Signal,
            })
        });
        let drain = self.reports.map(|reports| Answer::Drain { reports });
        let status = self.status.map(|status| Answer::NotStarted { status });
        let exited = self.exited.then_some(Answer::Exited);
        cancel.or(drain).or(status).or(exited)
    }
}

/// The line that the agent runs nothing, for this reason.
pub(crate) fn refused(sentence: &str) -> String {
    line_of(&Word {
        error: Some(sentence.into()),
        ..Word::new(Kind::Refused)
    })
}

/// The line that the agent is there, for the time of this number.
pub(crate) fn alive(beat: u64) -> String {
    line_of(&Word {
        beat: Some(beat),
        ..Word::new(Kind::Alive)
    })
}

/// How an instruction was carried out, as a line.
pub(crate) fn answer(answer: Answer) -> String {
    let word = Word::new(Kind::Answer);
    line_of(&match answer {
        Answer::Cancel(mode) => Word {
            cancel: Some(match mode {
                CancelMode::Channel => Mode::Channel,
                CancelMode::Signal => Mode::Signal,
            }),
            ..word
        },
        Answer::Drain { reports } => Word {
            reports: Some(reports),
            ..word
        },
        Answer::NotStarted { status } => Word {
            status: Some(status),
            ..word
        },
        Answer::Exited => Word {
            exited: true,
            ..word
        },
    })
}

/// What begins a line with a number.
const NUMBER: &str = "{\"seq\":";

/// Gives each of these lines the next number.
pub(crate) fn numbered(lines: &str, next: &mut u64) -> String {
    let mut text = String::with_capacity(lines.len() + 32);
    for line in lines.split_inclusive('\n') {
        text.push_str(NUMBER);
        text.push_str(&next.to_string());
        text.push(',');
        text.push_str(line.strip_prefix('{').unwrap_or(line));
        *next = next.saturating_add(1);
    }
    text
}

/// What a line of an agent says, with its number; none if it is none of an agent.
pub(crate) fn said(line: &str) -> Option<(u64, Said<'_>)> {
    let (number, rest) = line.strip_prefix(NUMBER)?.split_once(',')?;
    let number = number.parse().ok()?;
    let is = |word: &str| {
        let rest = rest.strip_prefix("\"event\":\"");
        rest.is_some_and(|rest| rest.starts_with(word) && rest[word.len()..].starts_with('"'))
    };
    let word = || serde_json::from_str::<Word<'_>>(line).ok();
    let said = if is("hello") {
        Said::Hello(serde_json::from_str(line).ok()?)
    } else if is("refused") {
        Said::Refused(word()?.error.unwrap_or_default().into_owned())
    } else if is("alive") {
        Said::Alive(word()?.beat?)
    } else if is("answer") {
        Said::Answer(word()?.answer()?)
    } else {
        Said::Event(line)
    };
    Some((number, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_number_and_is_read_as_what_it_was() {
        let hello = Hello::new("n1".to_owned(), 4, Some("42.0".to_owned()));
        let mut next = 1;
        let events = "{\"event\":\"paused\",\"task\":1}\n{\"event\":\"helloes\"}\n";
        let lines = [
            hello.line(),
            refused("no \"way\""),
            alive(3),
            answer(Answer::Cancel(CancelMode::Signal)),
            answer(Answer::Drain { reports: true }),
            answer(Answer::NotStarted { status: 127 }),
            answer(Answer::Exited),
            events.to_owned(),
        ];
        let text = numbered(&lines.concat(), &mut next);
        assert_eq!(next, 10);
        let said: Vec<_> = text.lines().map(|line| said(line).unwrap()).collect();
        let expected = [
            Said::Hello(hello),
            Said::Refused("no \"way\"".to_owned()),
            Said::Alive(3),
            Said::Answer(Answer::Cancel(CancelMode::Signal)),
            Said::Answer(Answer::Drain { reports: true }),
            Said::Answer(Answer::NotStarted { status: 127 }),
            Said::Answer(Answer::Exited),
            Said::Event("{\"seq\":8,\"event\":\"paused\",\"task\":1}"),
            Said::Event("{\"seq\":9,\"event\":\"helloes\"}"),
        ];
        assert!(said.into_iter().eq((1..).zip(expected)));
    }

    #[test]
    fn what_a_login_shell_prints_is_no_line_of_an_agent() {
        for line in [
            "",
            "Welcome!",
            "{\"event\":\"hello\"}",
            "{\"seq\":x,\"event\":\"alive\"}",
            "{\"seq\":1}",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }

    #[test]
    fn instructions_are_read_as_they_are_written() {
        for instruction in [
            Instruction::Ping(7),
            Instruction::Cancel,
            Instruction::Drain,
            Instruction::Signal(libc::SIGUSR1),
            Instruction::Stop(libc::SIGTERM),
            Instruction::Kill,
            Instruction::Close(Stream::Stderr),
            Instruction::Pause,
            Instruction::Resume,
            Instruction::Discard,
            Instruction::Hold(Duration::from_hours(1)),
            Instruction::Size(132, 43),
        ] {
            let line = instruction.to_string();
            assert_eq!(Instruction::read(&line), Some(instruction), "{line}");
        }
        for line in [
            "",
            "pong",
            "ping",
            "signal",
            "signal 15",
            "kill now",
            "size 80",
        ] {
            assert_eq!(Instruction::read(line), None, "{line}");
        }
    }

    #[test]
    fn a_word_that_is_not_utf_8_arrives_as_it_was() {
        let word = OsString::from_vec(b"a\xffb".to_vec());
        let text = serde_json::to_string(&Text::from(word.clone())).unwrap();
        assert_eq!(text, r#"{"base64":"Yf9i"}"#);
        let text: Text = serde_json::from_str(&text).unwrap();
        assert_eq!(OsString::from(text), word);
    }
}
