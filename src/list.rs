//! The list of a run: what its tasks run, one after the other, however long the list is.
//!
//! A list comes from words of the command line, from a file or from a pipe. It is read a little ahead of the tasks and
//! not kept, so memory depends on the running tasks and not on the length of the list. Knows no process, no clock and
//! no option of the command line.

mod combinations;
mod context;
mod counter;
mod csv;
mod dependencies;
mod each;
mod grouping;
mod input;
mod object;
mod path;
mod reader;
mod records;
mod shell;
mod tasks;
mod template;
mod values;
mod words;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::each::EachTask;
use self::tasks::TaskLines;

pub(crate) use self::each::{Each, TaskStdin, Values};
pub(crate) use self::grouping::Group;
pub(crate) use self::records::Columns;
pub(crate) use self::shell::{command_line, for_cd, is_no_program};
pub(crate) use self::tasks::Tasks;
pub(crate) use self::template::Template;

/// The tasks of a run, one after the other.
#[derive(Debug)]
pub(crate) struct List {
    source: Source,
    is_stopped: bool,
}

#[derive(Debug)]
enum Source {
    Known {
        tasks: VecDeque<Specification>,
        total: u64,
    },
    Each(Box<EachTask>),
    Tasks(Box<TaskLines>),
}

/// Where the thread that reads a list calls when there is more of it. The list is opened before the run that takes it
/// begins, so that a wrong list is an error of its own.
#[derive(Clone, Default)]
pub(crate) struct News(Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>);

impl News {
    /// From now on this is called.
    pub(crate) fn to(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(wake));
    }

    fn tell(&self) {
        if let Some(wake) = self.0.get() {
            wake();
        }
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News")
    }
}

/// What a list has next.
#[derive(Debug)]
pub(crate) enum Next {
    /// This task.
    Task(Box<Specification>),
    /// Nothing at the moment: the list is read by a thread, which tells when there is more.
    NotYet,
    /// No further task.
    End,
    /// The list cannot be read to its end, for the reason in this sentence. The end comes next.
    Broken(String),
}

impl List {
    /// A single task.
    pub(crate) fn one(task: Specification) -> Self {
        Self::of(vec![task])
    }

    /// These tasks.
    pub(crate) fn of(tasks: Vec<Specification>) -> Self {
        Self::from(Source::Known {
            total: tasks.len() as u64,
            tasks: tasks.into(),
        })
    }

    /// One command for many values. If they are read, the thread that reads them calls `news`: once for all that has
    /// become known since the last call of [`next`](Self::next) or [`total`](Self::total).
    ///
    /// # Errors
    /// A sentence, if no list can be made of these wishes. Nothing is read then.
    pub(crate) fn each(wishes: Each, news: News) -> Result<Self, String> {
        let tasks = EachTask::new(wishes, Box::new(move || news.tell()))?;
        Ok(Self::from(Source::Each(Box::new(tasks))))
    }

    /// A list of commands. `news` is called as by [`each`](Self::each).
    ///
    /// # Errors
    /// A sentence, if the list cannot be read or has an error that can be seen before anything starts.
    pub(crate) fn tasks(wishes: Tasks, news: News) -> Result<Self, String> {
        let tasks = TaskLines::new(wishes, Box::new(move || news.tell()))?;
        Ok(Self::from(Source::Tasks(Box::new(tasks))))
    }

    fn from(source: Source) -> Self {
        Self {
            source,
            is_stopped: false,
        }
    }

    /// What comes next. Never waits.
    pub(crate) fn next(&mut self) -> Next {
        if self.is_stopped {
            return Next::End;
        }
        match &mut self.source {
            Source::Known { tasks, .. } => tasks
                .pop_front()
                .map_or(Next::End, |task| Next::Task(Box::new(task))),
            Source::Each(tasks) => tasks.next(),
            Source::Tasks(tasks) => tasks.next(),
        }
    }

    /// How many tasks are known, or the user says there are, and whether no further ones come.
    pub(crate) fn total(&self) -> (u64, bool) {
        match &self.source {
            Source::Known { total, .. } => (*total, true),
            Source::Each(tasks) => tasks.total(),
            Source::Tasks(tasks) => tasks.total(),
        }
    }

    /// How many tasks are to be taken before they can begin: the first of them is not always the next that begins.
    pub(crate) fn ahead(&self) -> usize {
        match &self.source {
            // All of it is here: its end has to be known even where one task keeps the only slot, as a single command
            // does.
            Source::Known { .. } => usize::MAX,
            Source::Each(_) => 1,
            Source::Tasks(tasks) => tasks.ahead(),
        }
    }

    /// The program, if it is the same for all tasks and that is known before the first one.
    pub(crate) fn fixed_program(&self) -> Option<&OsStr> {
        match &self.source {
            Source::Each(tasks) => tasks.fixed_program(),
            Source::Known { .. } | Source::Tasks(_) => None,
        }
    }

    /// What the user should know of the values so far, in sentences; each is given once.
    pub(crate) fn warnings(&mut self) -> Vec<String> {
        match &mut self.source {
            Source::Known { .. } => Vec::new(),
            Source::Each(tasks) => tasks.warnings(),
            Source::Tasks(tasks) => tasks.warnings(),
        }
    }

    /// Nothing more is read, and no further task comes. The thread that reads ends; if it waits for a writer, it takes
    /// nothing from it any more.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
        match &self.source {
            Source::Known { .. } => {}
            Source::Each(tasks) => tasks.stop(),
            Source::Tasks(tasks) => tasks.stop(),
        }
    }
}

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
    /// This file, seen from our folder.
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

    /// A shell line that does the same, for the task with this number in this slot; both count from 1.
    pub(crate) fn command_line(&self, number: u32, slot: u32) -> Vec<u8> {
        let mut line = Vec::new();
        if let Some(folder) = &self.folder {
            line.extend(b"(cd ");
            shell::quote(for_cd(folder).as_os_str().as_bytes(), &mut line);
            line.extend(b" && ");
        }
        if !self.variables.is_empty() {
            line.extend(b"env ");
        }
        // Options come before assignments.
        for (name, _) in self.variables.iter().filter(|(_, value)| value.is_none()) {
            line.extend(b"-u ");
            shell::quote(name.as_bytes(), &mut line);
            line.push(b' ');
        }
        for (name, value) in &self.variables {
            if let Some(value) = value {
                let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
                shell::quote(&text, &mut line);
                line.push(b' ');
            }
        }
        line.extend(command_line(&self.words(number, slot)));
        if self.folder.is_some() {
            line.push(b')');
        }
        // The file is seen from our folder.
        if let Stdin::File(path) = &self.stdin {
            line.extend(b" <");
            shell::quote(path.as_os_str().as_bytes(), &mut line);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(task: &Specification) -> String {
        String::from_utf8(task.command_line(1, 1)).unwrap()
    }

    fn copy() -> Specification {
        let words = ["cp", "it's", "d e/"].map(OsString::from);
        Specification::of_command("cp 1".to_owned(), words.to_vec())
    }

    #[test]
    fn the_line_of_a_task_says_all_that_a_shell_needs_to_do_the_same() {
        assert_eq!(line(&copy()), r"cp 'it'\''s' 'd e/'");
        let task = Specification {
            folder: Some("-a b".into()),
            variables: vec![("A".to_owned(), Some("1 2".into())), ("B".to_owned(), None)],
            stdin: Stdin::File("in put".into()),
            ..copy()
        };
        assert_eq!(
            line(&task),
            r"(cd './-a b' && env -u B 'A=1 2' cp 'it'\''s' 'd e/') <'in put'"
        );
    }

    #[test]
    fn a_list_gives_its_tasks_in_order_until_it_is_stopped() {
        let mut list = List::of(vec![copy(), copy(), copy()]);
        assert_eq!(list.total(), (3, true));
        assert!(matches!(list.next(), Next::Task(_)));
        list.stop();
        assert!(matches!(list.next(), Next::End));
        assert_eq!(list.total(), (3, true));
        let mut one = List::one(copy());
        assert!(matches!(one.next(), Next::Task(task) if task.name == "cp 1"));
        assert!(matches!(one.next(), Next::End));
    }
}
