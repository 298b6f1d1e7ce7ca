//! Which task is next. Pure: it knows no process and no clock.
//!
//! A task waits here until a slot is free: a long list needs no more processes and descriptors than a short one.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use crate::event::TaskId;

use crate::list::Specification;

/// The tasks that have not begun, and how many may run at once.
#[derive(Debug)]
pub(super) struct Schedule {
    waiting: VecDeque<(TaskId, Specification)>,
    slots: NonZeroUsize,
}

impl Schedule {
    /// A list to be run in its order, with this many slots.
    pub(super) fn new(list: Vec<Specification>, slots: NonZeroUsize) -> Self {
        let numbers = std::iter::successors(Some(TaskId::FIRST), |task| Some(task.next()));
        Self {
            waiting: numbers.zip(list).collect(),
            slots,
        }
    }

    /// The next task, if one waits and a slot is free; `running` is how many tasks run.
    pub(super) fn next(&mut self, running: usize) -> Option<(TaskId, Specification)> {
        (running < self.slots.get())
            .then(|| self.waiting.pop_front())
            .flatten()
    }

    /// No task begins any more.
    pub(super) fn close(&mut self) {
        self.waiting.clear();
    }

    /// Whether no task waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_begin_in_their_order_when_a_slot_is_free_and_none_begins_after_a_request_to_stop() {
        let slots = NonZeroUsize::new(2).unwrap();
        let list = ["a", "b", "c", "d"]
            .map(|name| Specification::of_command(name.to_owned(), vec![name.into()]));
        let mut schedule = Schedule::new(list.into(), slots);
        let mut next = |running| {
            let next = schedule.next(running);
            next.map(|(task, specification)| (task.get(), specification.name))
        };
        assert_eq!(next(0), Some((1, "a".to_owned())));
        assert_eq!(next(1), Some((2, "b".to_owned())));
        assert_eq!(next(2), None);
        assert_eq!(next(1), Some((3, "c".to_owned())));
        schedule.close();
        assert!(schedule.is_empty() && schedule.next(0).is_none());
    }
}
