//! Which values one task gets: `-N`.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::mem;
use std::num::NonZeroUsize;

use super::records::Record;
use super::template::{Growth, Template};

/// The longest argument, with the NUL at its end: `MAX_ARG_STRLEN` of Linux. Other systems have no such limit.
const LONGEST_ARGUMENT: usize = 128 * 1024;
/// What the run adds to the environment of a task, and what the system takes for itself.
const MARGIN: usize = 4096;

/// How many values a task gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Those of one record.
    One,
    /// So many, the last task perhaps fewer.
    Count(NonZeroUsize),
    /// As many as fit on a command line, and at the end of the list the rest spread evenly over the slots.
    Max,
}

/// Puts records together.
#[derive(Debug)]
pub(super) struct Grouping {
    group: Group,
    /// What a command line can hold.
    limit: usize,
    jobs: usize,
    values: VecDeque<OsString>,
    fault: Option<String>,
    /// How large the command of the values is.
    size: Option<Size>,
    /// Among how many tasks the values are spread; none: further ones may come.
    last_tasks: Option<usize>,
}

/// How large a command is.
#[derive(Clone, Debug)]
struct Size {
    words: Vec<usize>,
    total: usize,
    is_too_large: bool,
}

impl Size {
    fn of(template: &Template) -> Self {
        let words = template.lengths();
        Self {
            total: words.iter().map(|length| cost(*length)).sum(),
            is_too_large: false,
            words,
        }
    }

    /// With the value of this index, too.
    fn add(&mut self, template: &Template, index: usize, value: &OsStr) {
        for growth in template.growth(index, value) {
            let length = match growth {
                Growth::Argument(length) => {
                    self.total += cost(length);
                    length
                }
                Growth::Word(word, length) => {
                    self.total += length;
                    self.words[word] += length;
                    self.words[word]
                }
            };
            self.is_too_large |= length >= LONGEST_ARGUMENT;
        }
    }
}

/// What an argument or a variable takes: its bytes, the NUL at its end, and its place in the array.
fn cost(length: usize) -> usize {
    length + 1 + size_of::<*const u8>()
}

impl Grouping {
    pub(super) fn new(group: Group, jobs: usize) -> Self {
        Self::with_limit(group, jobs, room())
    }

    fn with_limit(group: Group, jobs: usize, limit: usize) -> Self {
        Self {
            group,
            limit,
            jobs: jobs.max(1),
            values: VecDeque::new(),
            fault: None,
            size: None,
            last_tasks: None,
        }
    }

    /// Takes in a record; gives the values of a task, if they are complete.
    pub(super) fn add(&mut self, template: &Template, record: Record) -> Option<Record> {
        match self.group {
            Group::One => Some(record),
            Group::Count(count) => {
                self.take_in(record);
                (self.values.len() >= count.get()).then(|| self.give(usize::MAX))
            }
            Group::Max => {
                let empty = || Size::of(template);
                let mut size = self.size.take().unwrap_or_else(empty);
                for (index, value) in record.values.iter().enumerate() {
                    size.add(template, self.values.len() + index, value);
                }
                let is_full = size.is_too_large || size.total > self.limit;
                if !is_full || self.values.is_empty() {
                    self.size = Some(size);
                    self.take_in(record);
                    return None;
                }
                let full = self.give(usize::MAX);
                let mut size = empty();
                for (index, value) in record.values.iter().enumerate() {
                    size.add(template, index, value);
                }
                self.size = Some(size);
                self.take_in(record);
                Some(full)
            }
        }
    }

    /// The values of one of the last tasks, after the last record.
    pub(super) fn finish(&mut self) -> Option<Record> {
        if self.values.is_empty() {
            return None;
        }
        let tasks = match self.group {
            Group::Max => self.last_tasks.unwrap_or(self.jobs.min(self.values.len())),
            _ => 1,
        };
        self.last_tasks = Some(tasks - 1);
        Some(self.give(self.values.len().div_ceil(tasks)))
    }

    /// How many tasks are still to be given, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.last_tasks.map(|tasks| tasks as u64)
    }

    /// How many tasks so many values are, and whether that is the last word.
    pub(super) fn tasks(&self, values: u64, is_final: bool) -> Option<u64> {
        match self.group {
            Group::One => Some(values),
            Group::Count(count) if is_final => Some(values.div_ceil(count.get() as u64)),
            Group::Count(count) => Some(values / count.get() as u64),
            Group::Max => None,
        }
    }

    fn take_in(&mut self, record: Record) {
        self.values.extend(record.values);
        self.fault = self.fault.take().or(record.fault);
    }

    fn give(&mut self, at_most: usize) -> Record {
        let count = at_most.min(self.values.len());
        Record {
            values: self.values.drain(..count).collect(),
            // A value that cannot be an argument keeps its neighbours from running, as they share its command.
            fault: mem::take(&mut self.fault),
        }
    }
}

/// How large a command can be beside our environment.
fn room() -> usize {
    let limit = if cfg!(target_os = "linux") {
        let stack = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
        let quarter = stack.map(|stack| usize::try_from(stack / 4).unwrap_or(usize::MAX));
        // The system grants at least 128 KiB.
        quarter
            .unwrap_or(usize::MAX)
            .clamp(128 * 1024, 2 * 1024 * 1024)
    } else {
        256 * 1024
    };
    let variables = std::env::vars_os().map(|(name, value)| cost(name.len() + 1 + value.len()));
    limit.saturating_sub(variables.sum::<usize>() + MARGIN)
}

#[cfg(test)]
mod tests {
    use super::super::template::Syntax;
    use super::*;

    fn template(words: &[&str], shell: Option<&str>) -> Template {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Template::new(&words, shell.map(OsStr::new), &Syntax::default()).unwrap()
    }

    fn groups(
        mut grouping: Grouping,
        template: &Template,
        values: impl Iterator<Item = String>,
    ) -> Vec<usize> {
        let mut counts = Vec::new();
        for value in values {
            let record = Record {
                values: vec![value.into()],
                fault: None,
            };
            counts.extend(
                grouping
                    .add(template, record)
                    .map(|group| group.values.len()),
            );
        }
        while let Some(group) = grouping.finish() {
            counts.push(group.values.len());
        }
        assert_eq!(grouping.left().unwrap_or(0), 0);
        counts
    }

    fn numbers(count: u32) -> impl Iterator<Item = String> {
        (1..=count).map(|number| number.to_string())
    }

    #[test]
    fn the_last_task_gets_what_is_left() {
        let count = Group::Count(NonZeroUsize::new(2).unwrap());
        let template = template(&["echo"], None);
        assert_eq!(
            groups(Grouping::new(count, 4), &template, numbers(5)),
            [2, 2, 1]
        );
        assert_eq!(
            groups(Grouping::new(count, 4), &template, numbers(0)),
            [0; 0]
        );
        let grouping = Grouping::new(count, 4);
        assert_eq!(
            (grouping.tasks(5, true), grouping.tasks(5, false)),
            (Some(3), Some(2))
        );
    }

    #[test]
    fn what_fits_on_one_command_line_is_spread_over_the_slots() {
        let template = template(&["sh", "-c", "echo $#", "_"], None);
        assert_eq!(
            groups(Grouping::new(Group::Max, 2), &template, numbers(60_000)),
            [30_000, 30_000]
        );
        assert_eq!(
            groups(Grouping::new(Group::Max, 4), &template, numbers(10)),
            [3, 3, 2, 2]
        );
        assert_eq!(
            groups(Grouping::new(Group::Max, 4), &template, numbers(3)),
            [1, 1, 1]
        );
    }

    #[test]
    fn a_command_line_is_filled_to_its_limit_and_the_rest_is_spread() {
        // `a` and each value take 10 bytes: one of text, a NUL, and a pointer.
        let template = template(&["a"], None);
        let digits = || (0..25).map(|number| (number % 10).to_string());
        let grouping = Grouping::with_limit(Group::Max, 2, 110);
        assert_eq!(groups(grouping, &template, digits()), [10, 10, 3, 2]);
        let grouping = Grouping::with_limit(Group::Max, 2, 10);
        assert_eq!(groups(grouping, &template, digits().take(3)), [1, 1, 1]);
    }

    #[test]
    fn no_single_argument_becomes_longer_than_the_system_takes() {
        let values = || (0..5).map(|_| "x".repeat(60_000));
        let limit = 2 * 1024 * 1024;
        for (words, shell) in [(&["echo", "-{}"][..], None), (&["echo {}"], Some("sh"))] {
            let grouping = Grouping::with_limit(Group::Max, 1, limit);
            assert_eq!(
                groups(grouping, &template(words, shell), values()),
                [2, 2, 1]
            );
        }
        let grouping = Grouping::with_limit(Group::Max, 1, limit);
        assert_eq!(
            groups(grouping, &template(&["echo", "{}"], None), values()),
            [5]
        );
    }
}
