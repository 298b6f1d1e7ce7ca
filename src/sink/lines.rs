//! The output of several tasks in one place: by whole lines, so that no line is made of two tasks' texts.
//!
//! The output of a lone task passes as it comes, byte for byte, and so does that of tasks that print one after the
//! other. Knows neither the place nor the meaning of the lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memrchr;

use crate::event::{Stream, TaskId};

/// How much of a begun line is kept, in bytes. A longer one is written in pieces.
const LONGEST: usize = 64 * 1024;

/// One stream of one task.
type Source = (TaskId, usize);

/// The lines that are begun, in one place and on their way to it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    way: Way,
    /// Which stream has left a line open in the place.
    open: Option<Source>,
    begun: BTreeMap<Source, Vec<u8>>,
}

/// How output passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// As it comes, as long as there is only the first task.
    #[default]
    Lone,
    /// As it comes, as long as no task prints before the one that has printed is over: this one, if it is not.
    Turns(Option<TaskId>, Between),
    /// By whole lines.
    Whole,
}

/// What comes between the outputs of two tasks, if the first one has left its last line open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// Nothing: a file or a pipe gets the bytes of the tasks and no other.
    Nothing,
    /// A newline: the text is for people.
    Newline,
}

impl Lines {
    /// The tasks print one after the other.
    pub(super) fn take_turns(&mut self, between: Between) {
        if self.way == Way::Lone {
            self.way = Way::Turns(self.open.map(|(task, _)| task), between);
        }
    }

    /// Takes in output of a task; gives the bytes to be written now.
    pub(super) fn add(
        &mut self,
        task: TaskId,
        stream: Stream,
        bytes: &Arc<Vec<u8>>,
    ) -> Arc<Vec<u8>> {
        if bytes.is_empty() {
            return Arc::clone(bytes);
        }
        let source = (task, stream as usize);
        let (passes, between) = match &mut self.way {
            Way::Lone => (task == TaskId::FIRST, Between::Nothing),
            Way::Turns(whose, between) => (*whose.get_or_insert(task) == task, *between),
            Way::Whole => (false, Between::Newline),
        };
        if passes {
            let is_open = self.open.is_some_and(|(open, _)| open != task);
            let follows = is_open && between == Between::Newline;
            self.open = (!bytes.ends_with(b"\n")).then_some(source);
            return if follows {
                Arc::new([b"\n", bytes.as_slice()].concat())
            } else {
                Arc::clone(bytes)
            };
        }
        self.way = Way::Whole;
        let begun = self.begun.entry(source).or_default();
        let follows = self.open.is_some_and(|open| open != source);
        if begun.is_empty() && bytes.ends_with(b"\n") && !follows {
            self.open = None;
            return Arc::clone(bytes);
        }
        begun.extend_from_slice(bytes);
        let mut complete = memrchr(b'\n', begun).map_or(0, |newline| newline + 1);
        if begun.len() - complete > LONGEST {
            complete = begun.len();
        }
        let rest = begun.split_off(complete);
        let done = std::mem::replace(begun, rest);
        self.put(source, done)
    }

    /// The task is over: gives the last line of each of its streams that has no newline.
    pub(super) fn end(&mut self, task: TaskId) -> Vec<Arc<Vec<u8>>> {
        if let Way::Turns(whose, _) = &mut self.way
            && *whose == Some(task)
        {
            *whose = None;
        }
        let mut last = Vec::new();
        for source in [(task, 0), (task, 1)] {
            if let Some(rest) = self.begun.remove(&source) {
                last.push(self.put(source, rest));
            }
        }
        last
    }

    /// Puts this text in the place. If a line of another text is open there, it is ended first.
    fn put(&mut self, source: Source, mut done: Vec<u8>) -> Arc<Vec<u8>> {
        if done.is_empty() {
            return Arc::default();
        }
        if self.open.is_some_and(|open| open != source) {
            done.insert(0, b'\n');
        }
        self.open = (!done.ends_with(b"\n")).then_some(source);
        Arc::new(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TaskId = TaskId::FIRST;

    fn written(lines: &mut Lines, task: TaskId, text: &str) -> String {
        let bytes = lines.add(task, Stream::Stdout, &Arc::new(text.as_bytes().to_vec()));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn rest(lines: &mut Lines, task: TaskId) -> String {
        let last: Vec<u8> = lines.end(task).iter().flat_map(|it| it.to_vec()).collect();
        String::from_utf8(last).unwrap()
    }

    #[test]
    fn a_lone_task_is_written_as_it_comes() {
        let mut lines = Lines::default();
        assert_eq!(written(&mut lines, ONE, "one"), "one");
        assert_eq!(written(&mut lines, ONE, " line\nand"), " line\nand");
        assert_eq!(rest(&mut lines, ONE), "");
    }

    #[test]
    fn no_line_is_made_of_two_tasks_and_a_last_one_gets_a_newline_only_if_another_follows() {
        let mut lines = Lines::default();
        let two = ONE.next();
        assert_eq!(written(&mut lines, ONE, "one"), "one");
        assert_eq!(written(&mut lines, two, "two\nth"), "\ntwo\n");
        assert_eq!(written(&mut lines, ONE, " goes on"), "");
        assert_eq!(written(&mut lines, two, "ree\n"), "three\n");
        assert_eq!(rest(&mut lines, ONE), " goes on");
        assert_eq!(written(&mut lines, two, "last"), "");
        assert_eq!(rest(&mut lines, two), "\nlast");
    }

    #[test]
    fn tasks_that_take_turns_are_written_as_they_come_with_a_newline_only_where_one_left_a_line_open()
     {
        let mut lines = Lines::default();
        lines.take_turns(Between::Newline);
        let two = ONE.next();
        let three = two.next();
        assert_eq!(written(&mut lines, two, "tw"), "tw");
        assert_eq!(written(&mut lines, two, "o"), "o");
        assert_eq!(rest(&mut lines, two), "");
        assert_eq!(written(&mut lines, ONE, "one\n"), "\none\n");
        assert_eq!(rest(&mut lines, ONE), "");
        assert_eq!(written(&mut lines, three, "three"), "three");
        assert_eq!(rest(&mut lines, three), "");
    }

    #[test]
    fn tasks_that_were_to_take_turns_and_do_not_are_written_by_whole_lines() {
        let mut lines = Lines::default();
        lines.take_turns(Between::Newline);
        let two = ONE.next();
        assert_eq!(written(&mut lines, ONE, "on"), "on");
        assert_eq!(written(&mut lines, two, "two\nand"), "\ntwo\n");
        assert_eq!(written(&mut lines, ONE, "e\n"), "e\n");
        assert_eq!(rest(&mut lines, two), "and");
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_without_end() {
        let mut lines = Lines::default();
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(written(&mut lines, ONE.next(), &long), long);
    }
}
