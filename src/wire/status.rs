//! How a run is at the moment, in one line: the answer to `?status`, and what `progrun ps --json` prints.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Kind, Seconds};
use super::watch::{step_of, step_word};
use crate::event::{Ending, Step, signal_name, signal_number};

/// How a run is. A field that the run does not have, or that is not known, is none, and left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    clippy::struct_excessive_bools,
    reason = "the fields are those of the line"
)]
pub(crate) struct Status<'a> {
    event: Kind,
    /// The version of these lines.
    #[serde(default)]
    pub(crate) version: u32,
    /// The number of the run: that of its process.
    pub(crate) pid: i32,
    /// The number of the run inside which this one was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<i32>,
    /// The name of the run.
    #[serde(default)]
    pub(crate) name: Cow<'a, str>,
    /// The command; of many tasks, the template.
    #[serde(default)]
    pub(crate) command: Vec<Cow<'a, str>>,
    /// Whether words are missing at its end, because it is too long for a short answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) command_is_cut: bool,
    /// The folder in which progrun was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<Cow<'a, str>>,
    /// When the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began: Option<Cow<'a, str>>,
    /// For how long it has run, in seconds; null if that is not known.
    #[serde(default)]
    pub(crate) elapsed: Option<Seconds>,
    /// `running`, `stopped` (by Ctrl-Z or SIGSTOP), `cancelling`, `unresponsive`, or how it ended.
    pub(crate) state: Cow<'a, str>,
    /// The host on which it was started, if that is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Cow<'a, str>>,
    /// Whether the run is away from its terminal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) detached: bool,
    /// The step of its stop, if it is asked to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// How long the step has until time alone takes the next one, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<Seconds>,
    /// How much is done, of how much, in which unit, as the command reports it; of many tasks, how many are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<Cow<'a, str>>,
    /// How much is done, of 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) percentage: Option<f64>,
    /// Whether that is known only from earlier runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) percentage_is_estimated: bool,
    /// What happens now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Cow<'a, str>>,
    /// How long it has left, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) eta: Option<Seconds>,
    /// Whether earlier runs count in that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) eta_is_estimated: bool,
    /// What there is only in a run of many tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tasks: Option<Tasks>,
    /// How the run ended: its exit status, or the signal by which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_status: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// The file with its output, if that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Cow<'a, str>>,
    /// Which earlier runs did the same work, for the screen of a watcher; none: the run remembers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) work: Option<Work>,
    /// How the output of many tasks is shown, for the screen of a watcher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<Shown>,
}

/// How many tasks of a run of many run at once, run now, and are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tasks {
    pub(crate) jobs: u32,
    pub(crate) running: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) skipped: u64,
}

/// What tells the work of a run beside its command and its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    /// `run`, `each` or `tasks`.
    pub(crate) form: String,
    /// The name that the user has given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// How the output of many tasks is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) rule: Rule,
    pub(crate) in_order: bool,
    pub(crate) tagged: bool,
}

/// When the output of a task is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    Stream,
    Group,
    Lines,
    OnFailure,
    None,
}

/// The version of the line.
const VERSION: u32 = 1;
/// How many bytes of a command are in a short answer.
const SHORT: usize = 16 * 1024;

impl<'a> Status<'a> {
    /// A run of this number and name, that runs.
    #[must_use]
    pub(crate) fn of(pid: i32, name: &'a str, elapsed: Duration) -> Self {
        Self {
            event: Kind::Status,
            version: VERSION,
            pid,
            parent: None,
            name: name.into(),
            command: Vec::new(),
            command_is_cut: false,
            directory: None,
            began: None,
            elapsed: Some(elapsed.into()),
            state: "running".into(),
            host: None,
            detached: false,
            step: None,
            left: None,
            progress: None,
            total: None,
            unit: None,
            percentage: None,
            percentage_is_estimated: false,
            message: None,
            eta: None,
            eta_is_estimated: false,
            tasks: None,
            exit_status: None,
            signal: None,
            output: None,
            work: None,
            shown: None,
        }
    }

    /// A run of which only the number is known: it does not answer.
    #[must_use]
    pub(crate) fn of_silent(pid: i32) -> Self {
        Self {
            elapsed: None,
            state: "unresponsive".into(),
            ..Self::of(pid, "", Duration::ZERO)
        }
    }

    /// The run is asked to stop, and has come to this step.
    #[must_use]
    pub(crate) fn stopping(self, step: Step, left: Option<Duration>) -> Self {
        Self {
            state: "cancelling".into(),
            step: Some(step_word(step)),
            left: left.map(Into::into),
            ..self
        }
    }

    /// The run is over.
    #[must_use]
    pub(crate) fn ended(self, state: &'a str, ending: Ending) -> Self {
        let (exit_status, signal) = match ending {
            Ending::Status(status) => (Some(status), None),
            Ending::Signal(signal) => (None, Some(signal_name(signal))),
        };
        Self {
            state: state.into(),
            exit_status,
            signal,
            ..self
        }
    }

    /// Leaves words out at the end of a long command: what is written at once must fit into a socket, and the other end
    /// must not take the run for one that says nothing.
    #[must_use]
    pub(crate) fn shortened(mut self) -> Self {
        let mut length = 0;
        let is_beyond = |word: &Cow<'_, str>| {
            length += word.len();
            length > SHORT
        };
        if let Some(end) = self.command.iter().position(is_beyond) {
            self.command.truncate(end);
            self.command_is_cut = true;
        }
        self
    }

    /// The step of its stop, if it is asked to stop.
    #[must_use]
    pub(crate) fn step(&self) -> Option<Step> {
        self.step.as_deref().map(step_of)
    }

    /// How progrun ended, if the run is over.
    #[must_use]
    pub(crate) fn ending(&self) -> Option<Ending> {
        let signal = self.signal.as_deref().and_then(signal_number);
        self.exit_status
            .map(Ending::Status)
            .or(signal.map(Ending::Signal))
    }

    /// For how long it has run.
    #[must_use]
    pub(crate) fn elapsed(&self) -> Duration {
        let elapsed = self.elapsed.and_then(Seconds::time);
        elapsed.unwrap_or_default()
    }

    /// Reads a line; none if it is no status.
    #[must_use]
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        let status: Self = serde_json::from_str(line).ok()?;
        (status.event == Kind::Status).then_some(status)
    }

    /// The line, with its newline.
    #[must_use]
    pub(crate) fn to_line(&self) -> String {
        // Cannot fail: no field is a map, and none refuses to be written.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// The line of a run whose name and command are not known: they are null, for an empty text would be a false one.
    /// Has its newline.
    #[must_use]
    pub(crate) fn to_nameless_line(&self) -> String {
        let line = Nameless {
            event: self.event,
            version: self.version,
            pid: self.pid,
            parent: self.parent,
            name: (),
            command: (),
            directory: self.directory.as_deref(),
            began: self.began.as_deref(),
            elapsed: self.elapsed,
            state: &self.state,
        };
        let mut line = serde_json::to_string(&line).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// What there is to say of a run that does not answer and whose name is not known.
#[derive(Serialize)]
struct Nameless<'a> {
    event: Kind,
    version: u32,
    pid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i32>,
    name: (),
    command: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<&'a str>,
    elapsed: Option<Seconds>,
    state: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_is_known_and_is_read_back() {
        let mut status = Status::of(4242, "backup", Duration::from_millis(1500));
        status.command = vec!["./backup.sh".into(), "a b".into()];
        (status.progress, status.total) = (Some(3.0), Some(10.0));
        let status = status.stopping(Step::Ask, Some(Duration::from_secs(10)));
        let line = status.to_line();
        assert_eq!(
            line,
            "{\"event\":\"status\",\"version\":1,\"pid\":4242,\"name\":\"backup\",\
             \"command\":[\"./backup.sh\",\"a b\"],\"elapsed\":1.5,\"state\":\"cancelling\",\"step\":\"ask\",\
             \"left\":10.0,\"progress\":3.0,\"total\":10.0}\n"
        );
        let read = Status::read(&line).unwrap();
        assert_eq!((read.pid, read.step()), (4242, Some(Step::Ask)));
        assert_eq!(read.ending(), None);
        let mut long = Status::of(1, "x", Duration::ZERO);
        long.command = vec!["0123456789".into(); 5000];
        let long = long.shortened();
        assert!(long.command_is_cut);
        assert_eq!(long.command.len(), 1638);
        let over =
            Status::of(1, "x", Duration::ZERO).ended("failed", Ending::Signal(libc::SIGKILL));
        let over = over.to_line();
        let over = Status::read(&over).unwrap();
        assert_eq!(over.ending(), Some(Ending::Signal(libc::SIGKILL)));
        assert!(Status::read("{\"event\":\"started\",\"task\":1,\"elapsed\":0}").is_none());
    }

    #[test]
    fn what_is_not_known_of_a_silent_run_is_null_and_no_empty_text() {
        assert_eq!(
            Status::of_silent(4242).to_nameless_line(),
            "{\"event\":\"status\",\"version\":1,\"pid\":4242,\"name\":null,\"command\":null,\
             \"elapsed\":null,\"state\":\"unresponsive\"}\n"
        );
    }
}
