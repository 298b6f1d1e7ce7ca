//! The user's wishes about what is shown, as the command line says them. Knows neither sinks nor terminals.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::system::detach::Caller;
use crate::wire::{Rule, Shown};

use super::watchers::Identity;

use crate::journal::Memory;

/// The user's wishes.
#[derive(Clone, Debug)]
pub(crate) struct Display {
    /// The name of the run.
    pub name: String,
    /// How progress is shown.
    pub progress: Progress,
    /// Whether colors are used; none: as the terminal and the environment say.
    pub color: Option<bool>,
    /// Where events go as JSON lines.
    pub json: Option<JsonPlace>,
    /// Where all of the child's output is kept.
    pub logs: Logs,
    /// How much of the child's output is shown, and when.
    pub output: Show,
    /// Whether a stream that goes through us is a terminal for the child.
    pub tty: Tty,
    /// The process that waits for word that the run has begun. The output is then kept, and goes through us, whatever is
    /// read in it.
    pub caller: Option<Arc<Caller>>,
    /// How long a run takes, at least, at whose end the terminal notifies the user; none: it never does.
    pub notify: Option<Duration>,
    /// What there is to say only of a run of many tasks; none: the run has one command.
    pub many: Option<Many>,
    /// Whether the run is that of another process, whose output comes to us in any case.
    pub elsewhere: bool,
    /// Whether the tasks run on other machines, so that nothing of ours can be theirs.
    pub remote: bool,
    /// What the run remembers, and has to be remembered of it; none: nothing.
    pub memory: Option<Memory>,
}

/// Where all of the child's output is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    /// The file that gets the text, as a terminal showed it.
    pub text: Option<PathBuf>,
    /// The file that gets the bytes.
    pub raw: Option<PathBuf>,
    /// Whether each line of text begins with the time.
    pub timestamps: bool,
}

impl Logs {
    /// Whether it is kept anywhere.
    pub(super) fn is_any(&self) -> bool {
        self.text.is_some() || self.raw.is_some()
    }
}

/// The wishes that only a run of many tasks has.
#[derive(Clone, Debug)]
pub(crate) struct Many {
    /// Whether the output of the tasks is shown in the order of the list.
    pub in_order: bool,
    /// Whether each line begins with the name of its task.
    pub tagged: bool,
    /// Which ends are told of; none: all of a short list, else the failures.
    pub ends: Option<Ends>,
    /// The folder that gets a file for each stream of each attempt. It exists, and is ours to write in.
    pub folder: Option<PathBuf>,
    /// The job log: opened for append, locked, and ending with a whole line.
    pub job_log: Option<(PathBuf, Arc<File>)>,
    /// How the user goes on with what did not complete; none: the commands themselves are told.
    pub again: Option<String>,
}

/// Which ends of tasks are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    All,
    Failed,
    None,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// As part of the progrun that we run under, if we do; else bars on a terminal, else plain lines; nothing beside
    /// `--json` on stdout.
    Auto,
    /// Bars.
    Bars,
    /// Plain lines.
    Plain,
    /// Not at all.
    None,
}

/// How much lines on a place that is no terminal tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    Everything,
    /// Warnings and stops only: the reader of the events has the progress, but may be gone when Ctrl-C is pressed.
    Messages,
    /// Nothing unless something fails: then what failed, how it ended, and the warnings until then.
    Failures,
}

/// Where the events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonPlace {
    /// To stdout; the child's output becomes events too.
    Stdout,
    /// To this file; the child keeps its streams.
    File(PathBuf),
}

/// How much of the child's output is shown, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Everything, as it comes.
    Stream,
    /// Everything, that of each task in one piece when the task is over. Only in a run of many, as the next one.
    Group,
    /// Everything, by whole lines as they come.
    Lines,
    /// Everything at the end, if the child failed.
    OnFailure,
    /// Nothing.
    None,
}

/// Where a stream that goes through us is a terminal for the child, and not a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tty {
    /// Where it is shown on one.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
    /// Nothing goes through us where it is shown on a terminal: that is the child's own from its start to its end.
    Own,
}

impl Display {
    /// What other processes are told of the run; `template`: the command of many tasks.
    #[must_use]
    pub(crate) fn identity(&self, template: Option<&[OsString]>) -> Identity {
        Identity {
            name: self.name.clone(),
            command: template.unwrap_or_default().to_vec(),
            began: SystemTime::now(),
            detached: self.caller.is_some(),
            memory: self.memory.clone(),
            shown: self.many.as_ref().map(|many| Shown {
                rule: match self.output {
                    Show::Stream => Rule::Stream,
                    Show::Group => Rule::Group,
                    Show::Lines => Rule::Lines,
                    Show::OnFailure => Rule::OnFailure,
                    Show::None => Rule::None,
                },
                in_order: many.in_order,
                tagged: many.tagged,
            }),
        }
    }

    /// Whether the events go to stdout.
    pub(super) fn has_json_on_stdout(&self) -> bool {
        self.json == Some(JsonPlace::Stdout)
    }

    /// Whether the child's output is shown as it comes.
    pub(super) fn shows_output(&self) -> bool {
        let is_shown = matches!(self.output, Show::Stream | Show::Group | Show::Lines);
        !self.has_json_on_stdout() && is_shown
    }
}
