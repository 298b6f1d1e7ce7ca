//! The list of a run: what its tasks run, one after the other, however long the list is.
//!
//! A list comes from words of the command line, from a file or from a pipe. It is read a little ahead of the tasks and
//! not kept, so memory depends on the running tasks and not on the length of the list. Knows no process, no clock and no
//! option of the command line.

mod template;

use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use self::template::Template;

/// What a task runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Specification {
    /// What the task is called.
    pub(crate) name: String,
    /// Whether the user gave it that name. A name that was made of its number says nothing of it in another list.
    pub(crate) named: bool,
    /// Which one it is of the tasks that a job log knows by the same, from 1; 0 where there is no job log.
    pub(crate) nth: u32,
    /// The program and its arguments, as far as they are known before the task has a slot.
    pub(crate) command: Words,
    /// The values that the command is made of. None: the list is one of commands.
    pub(crate) values: Option<Vec<OsString>>,
    /// What the child reads as its stdin.
    pub(crate) stdin: Stdin,
    /// The folder in which it runs; none: ours.
    pub(crate) folder: Option<PathBuf>,
    /// The variables that differ from our environment. None: removed.
    pub(crate) variables: Vec<(String, Option<OsString>)>,
    /// How many slots it takes; 0 counts as 1.
    pub(crate) slots: u32,
    /// Of the tasks that could begin, the one with the highest priority begins first.
    pub(crate) priority: i64,
    /// The names of the tasks that must have completed before it begins.
    pub(crate) after: Vec<String>,
    /// The names of the tasks that must be over before it begins.
    pub(crate) after_any: Vec<String>,
    /// Its own time limit for an attempt, in place of that of the run.
    pub(crate) timeout: Option<Duration>,
    /// Its own number of further attempts.
    pub(crate) retries: Option<u32>,
    /// Its own delay before a further attempt: from the first of these times to the second.
    pub(crate) retry_delay: Option<(Duration, Duration)>,
    /// The keys that begin with `x-`, as a JSON object, to be passed on in events.
    pub(crate) extra: Option<Box<str>>,
    /// Why it cannot be started, if that is known from the list: a value with a NUL byte.
    pub(crate) fault: Option<String>,
}

/// The program and its arguments.
#[derive(Clone, Debug)]
pub(crate) enum Words {
    /// As they are.
    Fixed(Rc<[OsString]>),
    /// Made of the values, the number of the task and its slot.
    Template(Rc<Template>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Fixed(Rc::default())
    }
}

/// What a child reads as its stdin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// Ours.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// This file.
    File(PathBuf),
}

impl Specification {
    /// A task that runs this command on our stdin.
    pub(crate) fn of_command(name: String, command: Vec<OsString>) -> Self {
        Self {
            name,
            command: Words::Fixed(command.into()),
            ..Self::default()
        }
    }

    /// The program and its arguments, for the task with this number in this slot; both count from 1.
    pub(crate) fn words(&self, number: u32, slot: u32) -> Vec<OsString> {
        match &self.command {
            Words::Fixed(words) => words.to_vec(),
            Words::Template(template) => {
                template.fill(self.values.as_deref().unwrap_or_default(), number, slot)
            }
        }
    }
}
