//! The output of several tasks in one place: by whole lines, so that no line is made of two tasks' texts.
//!
//! The output of a lone task passes as it comes, byte for byte. Knows neither the place nor the meaning of the lines.

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
    /// There was a second task.
    several: bool,
    /// Which stream has left a line open in the place.
    open: Option<Source>,
    begun: BTreeMap<Source, Vec<u8>>,
}

impl Lines {
    /// Takes in output of a task; gives the bytes to be written now.
    pub(super) fn add(
        &mut self,
        task: TaskId,
        stream: Stream,
        bytes: &Arc<Vec<u8>>,
    ) -> Arc<Vec<u8>> {
        let source = (task, stream as usize);
        self.several |= task != TaskId::FIRST;
        if !self.several {
            self.open = (!bytes.ends_with(b"\n")).then_some(source);
            return Arc::clone(bytes);
        }
        let begun = self.begun.entry(source).or_default();
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
    pub(super) fn end(&mut self, task: TaskId) -> [Arc<Vec<u8>>; 2] {
        [0, 1].map(|stream| {
            let source = (task, stream);
            let rest = self.begun.remove(&source).unwrap_or_default();
            self.put(source, rest)
        })
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
        let [stdout, stderr] = lines.end(task);
        String::from_utf8([stdout.as_slice(), stderr.as_slice()].concat()).unwrap()
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
    fn a_line_without_an_end_is_not_kept_without_end() {
        let mut lines = Lines::default();
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(written(&mut lines, ONE.next(), &long), long);
    }
}
