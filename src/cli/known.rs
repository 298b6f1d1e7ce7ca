//! What is known of a run that does not answer, as one that is stopped: what is kept of it if it is away from its
//! terminal, else how the system says that its process was started. Its socket tells when it began.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::FromArgMatches;

use crate::client;
use crate::detached::Record;
use crate::socket;
use crate::system::{life, origin};
use crate::wire::Status;

use super::each::{Each, Form, Tasks};
use super::{Arguments, demo, variables};

/// A run that does not answer, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    started: Option<Started>,
    parent: Option<i32>,
    directory: Option<PathBuf>,
    began: Option<SystemTime>,
    detached: bool,
}

/// What a command line of progrun starts.
#[derive(Debug, PartialEq, Eq)]
struct Started {
    /// The name of the run.
    name: String,
    /// Its command; of many tasks, the template.
    command: Vec<OsString>,
}

impl Known {
    /// A run away from its terminal.
    pub(super) fn of_record(record: Record) -> Self {
        Self {
            started: Some(Started {
                name: record.name,
                command: record.command.into_iter().map(Into::into).collect(),
            }),
            parent: None,
            directory: Some(record.directory),
            began: Some(record.began),
            detached: true,
        }
    }

    /// A run with this socket, at which this process listens; none: the system does not tell which.
    pub(super) fn of_process(pid: Option<i32>, path: &Path) -> Self {
        // Not the beginning of the process: what it was before it became progrun (execve) is no part of the run.
        let made = path.symlink_metadata().and_then(|meta| meta.modified());
        let outer = pid.and_then(|pid| origin::variable(pid, client::SOCKET));
        let words = pid.and_then(origin::words);
        Self {
            started: words.and_then(|words| started(&words)),
            parent: outer.and_then(|path| socket::owner(Path::new(&path))),
            directory: pid.and_then(origin::folder),
            began: made.ok(),
            detached: false,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> Option<&str> {
        Some(&self.started.as_ref()?.name)
    }

    /// The run inside which it was started.
    pub(super) fn parent(&self) -> Option<i32> {
        self.parent
    }

    /// How it is. Without a [`name`](Self::name), the name and the command are empty.
    pub(super) fn status(&self, pid: i32) -> Status<'_> {
        let mut status = Status::of_silent(pid);
        if let Some(started) = &self.started {
            status.name = started.name.as_str().into();
            let words = started.command.iter();
            status.command = words.map(|word| word.to_string_lossy()).collect();
        }
        status.parent = self.parent;
        let directory = self.directory.as_deref();
        status.directory = directory.map(Path::to_string_lossy);
        if let Some(began) = self.began {
            let time = humantime::format_rfc3339_millis(began);
            status.began = Some(time.to_string().into());
            status.elapsed = began.elapsed().ok().map(Into::into);
        }
        status.detached = self.detached;
        if life::is_stopped(pid) {
            status.state = "stopped".into();
        }
        status
    }

    /// The status as a line, with its newline. What is not known is null in it.
    pub(super) fn to_line(&self, pid: i32) -> String {
        let status = self.status(pid);
        if self.started.is_some() {
            status.to_line()
        } else {
            status.to_nameless_line()
        }
    }
}

/// What the words start; none if they start no run, or one of another version of progrun.
fn started(words: &[OsString]) -> Option<Started> {
    // No variable has a part in the name or the command, and ours are not those of that process.
    let command = variables::without_any(super::command());
    let matches = command.try_get_matches_from(words).ok()?;
    match matches.subcommand() {
        Some(("each", each)) => {
            let each = Each::from_arg_matches(each).ok()?;
            Some(Started {
                name: each.name(),
                command: each.template(),
            })
        }
        Some(("tasks", tasks)) => Some(Started {
            name: Tasks::from_arg_matches(tasks).ok()?.name(),
            command: Vec::new(),
        }),
        Some(("demo", _)) => Some(Started {
            name: "demo".to_owned(),
            command: demo::command().into(),
        }),
        Some(_) => None,
        None => {
            let arguments = Arguments::from_arg_matches(&matches).ok()?;
            Some(Started {
                name: arguments.name(),
                command: arguments.command,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_the_command_are_those_that_the_run_has() {
        let started = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            let Started { name, command } = started(&words)?;
            let words = command.iter().map(|word| word.to_str().unwrap().to_owned());
            Some((name, words.collect::<Vec<_>>().join(" ")))
        };
        for (words, name, command) in [
            (
                &["progrun", "--", "/bin/sleep", "9"][..],
                "sleep",
                "/bin/sleep 9",
            ),
            (&["p", "-q", "--name", "a b", "--", "x"], "a b", "x"),
            (
                &["p", "each", "-j2", "--", "flac", "-s", ":::", "a", "b"],
                "flac",
                "flac -s",
            ),
            (&["p", "tasks", "lists/ci.tasks"], "ci", ""),
        ] {
            let expected = Some((name.to_owned(), command.to_owned()));
            assert_eq!(started(words), expected, "{words:?}");
        }
        let (name, command) = started(&["progrun", "demo"]).unwrap();
        assert_eq!(name, "demo");
        assert!(command.ends_with(" demo --play"), "{command}");
        for words in [
            &["progrun", "ps"][..],
            &["progrun", "--no-such-option", "--", "x"],
            &["qemu", "progrun", "--", "x"],
            &["sleep", "9"],
        ] {
            assert_eq!(started(words), None, "{words:?}");
        }
    }
}
