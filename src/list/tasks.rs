//! `progrun tasks`: a list of commands, one a line.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::reason::reason;

use super::dependencies::{Names, cycle};
use super::input::Input;
use super::object::{self, ReadTime};
use super::records::{Lines, Read};
use super::values::{Kind, Splitter, Value};
use super::{Next, Specification, Stdin, Words, words};

/// Of a list that comes through a pipe, how many tasks are looked at ahead.
const AHEAD: usize = 1000;
const CR_WARNING: &str =
    "lines of the list end in CR LF, and the CR is part of commands (tr -d '\\r' takes it away)";

/// What the user wishes to be run.
#[derive(Clone)]
pub(crate) struct Tasks {
    /// The list; none, or `-`: stdin.
    pub(crate) file: Option<PathBuf>,
    /// `--json-lines`: each line is a JSON object, whatever the file is called.
    pub(crate) is_json: bool,
    /// `-j`: how many slots a task can take.
    pub(crate) jobs: u32,
    /// `--total`: how many tasks there are, as the user says.
    pub(crate) total: Option<u64>,
    /// Reads a time as the command line writes it.
    pub(crate) read_time: ReadTime,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// The tasks, one after the other.
#[derive(Debug)]
pub(super) enum TaskLines {
    /// All of them are there.
    Whole {
        tasks: VecDeque<Specification>,
        total: u64,
    },
    /// They are read as they come.
    Stream(Box<Stream>),
}

#[derive(Debug)]
pub(super) struct Stream {
    wishes: Tasks,
    /// What messages call the list.
    name: String,
    lines: Lines,
    is_json: bool,
    names: Names,
    given: u64,
    is_over: bool,
    has_cr: bool,
    warnings: Vec<String>,
}

impl TaskLines {
    /// Reads the list, or begins to. JSON objects in a file are checked before anything starts. Shell lines have
    /// nothing that could be checked, so they are not kept.
    ///
    /// # Errors
    /// A sentence, if the list cannot be read, or contains what is no task.
    pub(super) fn new(wishes: Tasks, wake: Box<dyn Fn() + Send>) -> Result<Self, String> {
        let path = wishes.file.as_ref().filter(|path| path.as_os_str() != "-");
        let ends_in_json = path
            .and_then(|path| path.extension())
            .is_some_and(|extension| extension == "jsonl" || extension == "json");
        let is_json = wishes.is_json || ends_in_json;
        let input = match path {
            Some(path) => Input::file(path)?,
            None => Input::stdin("name a file, or pipe the commands in")?,
        };
        if is_json
            && let Some(path) = path
            && input.is_regular()
        {
            let mut bytes = Vec::new();
            let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|error| {
                format!(
                    "cannot read the list {}: {}",
                    path.display(),
                    reason(&error)
                )
            })?;
            let tasks = whole(&bytes, &wishes);
            return match tasks {
                Ok(tasks) => Ok(Self::Whole {
                    total: tasks.len() as u64,
                    tasks: tasks.into(),
                }),
                Err(sentence) => Err(format!("the list {}, {sentence}", path.display())),
            };
        }
        let kind = if is_json {
            Kind::Objects
        } else {
            Kind::Commands
        };
        Ok(Self::Stream(Box::new(Stream {
            wishes,
            name: input.name.clone(),
            lines: Lines::new(input, kind, wake)?,
            is_json,
            names: Names::default(),
            given: 0,
            is_over: false,
            has_cr: false,
            warnings: Vec::new(),
        })))
    }

    /// How many tasks are to be taken before they can begin.
    pub(super) fn ahead(&self) -> usize {
        match self {
            Self::Whole { .. } => usize::MAX,
            Self::Stream(stream) if stream.is_json => AHEAD,
            Self::Stream(_) => 1,
        }
    }

    /// The next task.
    pub(super) fn next(&mut self) -> Next {
        match self {
            Self::Whole { tasks, .. } => tasks
                .pop_front()
                .map_or(Next::End, |task| Next::Task(Box::new(task))),
            Self::Stream(stream) => stream.next(),
        }
    }

    pub(super) fn warnings(&mut self) -> Vec<String> {
        match self {
            Self::Whole { .. } => Vec::new(),
            Self::Stream(stream) => std::mem::take(&mut stream.warnings),
        }
    }

    /// How many tasks are known, and whether that is final.
    pub(super) fn total(&self) -> (u64, bool) {
        match self {
            Self::Whole { total, .. } => (*total, true),
            Self::Stream(stream) => stream.total(),
        }
    }

    pub(super) fn stop(&self) {
        if let Self::Stream(stream) = self {
            stream.lines.stop();
        }
    }
}

impl Stream {
    fn next(&mut self) -> Next {
        if self.is_over {
            return Next::End;
        }
        let line = match self.lines.next() {
            Read::Some(line) => line,
            Read::NotYet => return Next::NotYet,
            Read::End => {
                self.is_over = true;
                return Next::End;
            }
            Read::Broken(sentence) => {
                self.is_over = true;
                return Next::Broken(sentence);
            }
        };
        self.given += 1;
        if !self.is_json {
            return Next::Task(Box::new(self.shell_line(line)));
        }
        let task = object_task(&line, self.given, &self.wishes).and_then(|task| {
            // Its own name is taken after that: a task is no earlier one than itself.
            self.names.check(&task, line.line, false)?;
            self.names.take(&task, line.line)?;
            Ok(task)
        });
        match task {
            Ok(task) => Next::Task(Box::new(task)),
            Err(sentence) => self.broken(&sentence),
        }
    }

    fn broken(&mut self, sentence: &str) -> Next {
        self.given -= 1;
        self.is_over = true;
        self.lines.stop();
        Next::Broken(format!("the list {}, {sentence}", self.name))
    }

    fn shell_line(&mut self, line: Value) -> Specification {
        if line.bytes.ends_with(b"\r") && !self.has_cr {
            self.has_cr = true;
            self.warnings.push(CR_WARNING.to_owned());
        }
        let number = line.line;
        let fault = if line.is_cut {
            Some(format!(
                "line {number} is longer than 4 MiB, which no command can be"
            ))
        } else if line.bytes.contains(&0) {
            Some(format!(
                "line {number} has a NUL byte, which no command can hold"
            ))
        } else {
            None
        };
        let mut bytes = line.bytes;
        if line.is_cut {
            // Enough for its name.
            bytes.truncate(4096);
        }
        let command = words::of_line(OsString::from_vec(bytes));
        Specification {
            name: words::name(&command, self.given),
            command: Words::Fixed(command.into()),
            stdin: Stdin::Null,
            fault,
            ..Specification::default()
        }
    }

    fn total(&self) -> (u64, bool) {
        if self.is_over {
            return (self.given, true);
        }
        let (known, is_final) = self.lines.known();
        let known = known.max(self.given);
        match self.wishes.total {
            Some(said) if !is_final && said >= known => (said, true),
            _ => (known, is_final),
        }
    }
}

/// All tasks of a list of JSON objects, checked.
fn whole(bytes: &[u8], wishes: &Tasks) -> Result<Vec<Specification>, String> {
    let mut splitter = Splitter::new(Kind::Objects);
    let mut names = Names::default();
    let mut tasks = Vec::new();
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(line) = splitter.next(&mut rest).or_else(|| splitter.finish()) {
        let task = object_task(&line, tasks.len() as u64 + 1, wishes)?;
        names.take(&task, line.line)?;
        tasks.push(task);
        lines.push(line.line);
    }
    for (task, line) in tasks.iter().zip(lines) {
        names.check(task, line, true)?;
    }
    match cycle(&tasks) {
        None => Ok(tasks),
        Some(circle) => Err(format!("tasks wait for each other: {}", circle.join(", "))),
    }
}

fn object_task(line: &Value, number: u64, wishes: &Tasks) -> Result<Specification, String> {
    let at_line = |sentence| format!("line {}: {sentence}", line.line);
    if line.is_cut {
        return Err(at_line("the line is longer than 4 MiB".to_owned()));
    }
    object::read(&line.bytes, number, wishes.jobs, wishes.read_time).map_err(at_line)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::super::input::fifo;
    use super::*;

    fn wishes(file: PathBuf) -> Tasks {
        Tasks {
            file: Some(file),
            is_json: false,
            jobs: 2,
            total: None,
            read_time: |_| Ok(Some(Duration::from_secs(1))),
        }
    }

    fn start(wishes: Tasks) -> Result<(TaskLines, Receiver<()>), String> {
        let (sender, woken) = channel();
        let wake = move || {
            let _ = sender.send(());
        };
        Ok((TaskLines::new(wishes, Box::new(wake))?, woken))
    }

    fn next(tasks: &mut TaskLines, woken: &Receiver<()>) -> Next {
        loop {
            match tasks.next() {
                Next::NotYet => woken.recv().unwrap(),
                other => return other,
            }
        }
    }

    fn json(list: &str) -> Result<Vec<Specification>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ci.jsonl");
        std::fs::write(&path, list).unwrap();
        let (mut tasks, woken) = start(wishes(path.clone()))
            .map_err(|sentence| sentence.replace(path.to_str().unwrap(), "ci.jsonl"))?;
        let mut found = Vec::new();
        while let Next::Task(task) = next(&mut tasks, &woken) {
            assert_eq!(tasks.total(), (list.lines().count() as u64, true));
            found.push(*task);
        }
        Ok(found)
    }

    #[test]
    fn each_line_is_a_shell_line_and_comments_are_none() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"#!/bin/x\necho a b | wc\n\n  # no\nx\xff\r\ny\0")
            .unwrap();
        let (mut tasks, woken) = start(wishes(file.path().to_owned())).unwrap();
        let mut found = Vec::new();
        while let Next::Task(task) = next(&mut tasks, &woken) {
            found.push(*task);
        }
        assert_eq!(tasks.total(), (3, true));
        assert_eq!(found[0].words(1, 1), ["sh", "-c", "echo a b | wc"]);
        assert_eq!(
            (&found[0].name[..], &found[0].stdin),
            ("echo 1", &Stdin::Null)
        );
        assert_eq!(found[1].words(2, 1)[2].as_encoded_bytes(), b"x\xff\r");
        assert_eq!(
            found[2].fault.as_deref(),
            Some("line 6 has a NUL byte, which no command can hold")
        );
        assert_eq!(
            tasks.warnings(),
            [
                "lines of the list end in CR LF, and the CR is part of commands (tr -d '\\r' takes it away)"
            ]
        );
    }

    #[test]
    fn a_file_of_objects_is_checked_as_a_whole() {
        let diamond = "{\"name\":\"d\",\"command\":\"d\",\"after\":[\"b\",\"c\"]}\n\
                       {\"name\":\"b\",\"command\":\"b\",\"after\":\"a 4\"}\n\
                       {\"name\":\"c\",\"command\":\"c\",\"priority\":5}\n\
                       {\"command\":[\"a\"]}\n";
        let names: Vec<_> = json(diamond)
            .unwrap()
            .into_iter()
            .map(|task| task.name)
            .collect();
        assert_eq!(names, ["d", "b", "c", "a 4"]);
        let circle = "{\"name\":\"a\",\"command\":\"a\",\"after\":\"b\"}\n\
                      {\"name\":\"b\",\"command\":\"b\",\"after\":\"a\"}\n";
        assert_eq!(
            json(circle).unwrap_err(),
            "the list ci.jsonl, tasks wait for each other: a, b, a"
        );
        let unknown = "{\"command\":\"a\"}\n\n{\"command\":\"a\",\"after\":\"bild\"}\n";
        assert_eq!(
            json(unknown).unwrap_err(),
            "the list ci.jsonl, line 3: after names bild, and no task has this name"
        );
        let misspelt = "{\"command\":\"a\"}\n{\"command\":\"a\",\"afetr\":\"a\"}\n";
        assert!(
            json(misspelt)
                .unwrap_err()
                .starts_with("the list ci.jsonl, line 2: there is no key afetr; ")
        );
        let twice = "{\"command\":\"a\",\"name\":\"b 2\"}\n{\"command\":\"b\"}\n";
        assert_eq!(
            json(twice).unwrap_err(),
            "the list ci.jsonl, line 2: the name b 2 is that of the task in line 1 already"
        );
        assert_eq!(json("").unwrap().len(), 0);
    }

    #[test]
    fn from_a_pipe_tasks_come_at_once_and_wait_only_for_earlier_ones() {
        let (_folder, path) = fifo();
        let pipe = Tasks {
            is_json: true,
            total: Some(9),
            ..wishes(path.clone())
        };
        let (mut tasks, woken) = start(pipe).unwrap();
        let mut writer = File::options().write(true).open(&path).unwrap();
        let lines = [
            "{\"command\":\"a\",\"name\":\"a\"}\n",
            "{\"command\":\"b\",\"after\":\"a\"}\n",
        ];
        for line in lines {
            writer.write_all(line.as_bytes()).unwrap();
            assert!(matches!(next(&mut tasks, &woken), Next::Task(_)));
            assert_eq!(tasks.total(), (9, true));
        }
        writer
            .write_all(b"{\"command\":\"c\",\"name\":\"d\",\"after\":\"d\"}\n")
            .unwrap();
        let Next::Broken(sentence) = next(&mut tasks, &woken) else {
            panic!("a later task is named");
        };
        let start = format!(
            "the list {}, line 3: after names d, and no earlier task has this name ",
            path.display()
        );
        assert!(sentence.starts_with(&start), "{sentence}");
        assert!(matches!(tasks.next(), Next::End));
        assert_eq!(tasks.total(), (2, true));
    }
}
