//! Which row shows what in a run of many tasks: the rows are those of the slots, so that a task keeps its row, its
//! successor takes it over, and nothing jumps. Knows neither pictures nor the screen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::TaskId;

use super::SHOW_AFTER;

/// How long the row of a task that is over waits for the next task of its slot, which has no row in its first moment.
const HELD: Duration = Duration::from_millis(100);

/// The rows of the slots.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The slots whose tasks had a row in the last picture.
    shown: BTreeSet<u32>,
    /// The slots whose row waits for the next task, and until when.
    held: BTreeMap<u32, Duration>,
    /// When the next task is old enough for a row.
    next: Option<Duration>,
}

/// A running task.
#[derive(Clone, Copy, Debug)]
pub(super) struct InSlot {
    pub(super) slot: u32,
    pub(super) task: TaskId,
    pub(super) began: Duration,
}

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Task(TaskId),
    /// Nothing, until the next task of the slot is old enough.
    Nothing,
    /// The waiting task with this index.
    Waiting(usize),
}

/// The rows of a picture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) rows: Vec<Content>,
    /// How many tasks run beside these, and the oldest of them; none if there are none, or none that is old enough for
    /// a row.
    pub(super) others: Option<(usize, TaskId)>,
}

impl Rows {
    /// The task in this slot is over.
    pub(super) fn is_free(&mut self, slot: u32, at: Duration) {
        if self.shown.contains(&slot) {
            self.held.insert(slot, at + SHOW_AFTER + HELD);
        }
    }

    /// When another row is due.
    pub(super) fn due(&self) -> Option<Duration> {
        self.next
    }

    /// Chooses rows, `at_most` so many, for these tasks, sorted by their slots, and for as many of `waiting` tasks as
    /// there are free slots of `jobs`.
    pub(super) fn choose(
        &mut self,
        running: &[InSlot],
        (waiting, jobs): (usize, u32),
        at_most: usize,
        at: Duration,
    ) -> Chosen {
        self.held.retain(|_, until| *until > at);
        let is_old = |task: &InSlot| at >= task.began + SHOW_AFTER;
        let young = running.iter().filter(|task| !is_old(task));
        self.next = young.map(|task| task.began + SHOW_AFTER).min();
        let mut shown = BTreeSet::new();
        let mut rows = Vec::new();
        let mut others: Vec<&InSlot> = Vec::new();
        let (mut tasks, mut next_waiting) = (running.iter().peekable(), 0..waiting);
        let mut slot = 1;
        while rows.len() < at_most {
            let content = match tasks.next_if(|task| task.slot <= slot) {
                Some(task) if is_old(task) => Some(Content::Task(task.task)),
                Some(task) => {
                    others.push(task);
                    self.held.contains_key(&slot).then_some(Content::Nothing)
                }
                None if slot > jobs => None,
                None => match next_waiting.next() {
                    Some(index) => Some(Content::Waiting(index)),
                    None => self.held.contains_key(&slot).then_some(Content::Nothing),
                },
            };
            rows.extend(content);
            if matches!(content, Some(Content::Task(_))) {
                shown.insert(slot);
                self.held.remove(&slot);
            }
            // The slots with nothing to show are passed over at once.
            let next_task = tasks.peek().map(|task| task.slot);
            let next_held = self.held.range(slot + 1..).next().map(|(slot, _)| *slot);
            let next = if next_waiting.is_empty() || slot >= jobs {
                next_task.into_iter().chain(next_held).min()
            } else {
                Some(slot + 1)
            };
            match next {
                Some(next) => slot = next.max(slot + 1),
                None => break,
            }
        }
        others.extend(tasks);
        self.shown = shown;
        let oldest = others.iter().min_by_key(|task| (task.began, task.task));
        let oldest = oldest.filter(|task| is_old(task)).map(|task| task.task);
        Chosen {
            rows,
            others: oldest.map(|task| (others.len(), task)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn task(number: u32) -> TaskId {
        TaskId::of(number).unwrap()
    }

    fn in_slot(slot: u32, number: u32, began: u64) -> InSlot {
        InSlot {
            slot,
            task: task(number),
            began: at(began),
        }
    }

    fn rows(numbers: &[u32]) -> Vec<Content> {
        let content = |number: &u32| match number {
            0 => Content::Nothing,
            number => Content::Task(task(*number)),
        };
        numbers.iter().map(content).collect()
    }

    #[test]
    fn a_row_stays_where_it_is_and_the_next_task_of_the_slot_takes_it_over() {
        let mut rows_of = Rows::default();
        let all = [in_slot(1, 1, 0), in_slot(2, 2, 0), in_slot(3, 3, 0)];
        let mut shown = |running: &[InSlot], time, free: Option<u32>| {
            if let Some(slot) = free {
                rows_of.is_free(slot, at(time));
            }
            rows_of.choose(running, (0, 3), 10, at(time)).rows
        };
        assert_eq!(shown(&all, 100, None), []);
        assert_eq!(shown(&all, 200, None), rows(&[1, 2, 3]));
        let next = [in_slot(1, 1, 0), in_slot(2, 4, 1000), in_slot(3, 3, 0)];
        assert_eq!(shown(&next, 1000, Some(2)), rows(&[1, 0, 3]));
        assert_eq!(shown(&next, 1190, None), rows(&[1, 0, 3]));
        assert_eq!(shown(&next, 1200, None), rows(&[1, 4, 3]));
        // Short tasks do not keep it for ever.
        for (began, expected) in [(2000, &[1, 0, 3][..]), (2100, &[1, 0, 3]), (2300, &[1, 3])] {
            let short = [in_slot(1, 1, 0), in_slot(2, 5, began), in_slot(3, 3, 0)];
            assert_eq!(shown(&short, began, Some(2)), rows(expected));
        }
    }

    #[test]
    fn a_slot_without_tasks_gives_its_row_away() {
        let mut rows_of = Rows::default();
        let all = [in_slot(1, 1, 0), in_slot(2, 2, 0)];
        rows_of.choose(&all, (0, 2), 10, at(300));
        rows_of.is_free(1, at(300));
        let chosen = rows_of.choose(&all[1..], (0, 2), 10, at(300));
        assert_eq!(chosen.rows, rows(&[0, 2]));
        let chosen = rows_of.choose(&all[1..], (0, 2), 10, at(600));
        assert_eq!(chosen.rows, rows(&[2]));
    }

    #[test]
    fn the_lowest_slots_have_the_rows_and_the_others_are_counted() {
        let mut rows_of = Rows::default();
        let running: Vec<_> = (1..=64)
            .map(|slot| in_slot(slot, slot, 1000 - u64::from(slot)))
            .collect();
        let chosen = rows_of.choose(&running, (9, 64), 11, at(2000));
        assert_eq!(chosen.rows, rows(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!(chosen.others, Some((53, task(64))));
        let none = rows_of.choose(&running, (0, 64), 0, at(2000));
        assert_eq!(none.others, Some((64, task(64))));
    }

    #[test]
    fn young_tasks_have_no_row_and_are_told_of_when_they_are_due() {
        let mut rows_of = Rows::default();
        let running: Vec<_> = (1..=64).map(|slot| in_slot(slot, slot, 900)).collect();
        let chosen = rows_of.choose(&running, (0, 64), 11, at(1000));
        assert_eq!((chosen.rows, chosen.others), (Vec::new(), None));
        assert_eq!(rows_of.due(), Some(at(1100)));
        assert_eq!(
            rows_of.choose(&running, (0, 64), 11, at(1100)).rows.len(),
            11
        );
        assert_eq!(rows_of.due(), None);
    }

    #[test]
    fn free_slots_show_what_the_next_tasks_wait_for() {
        let mut rows_of = Rows::default();
        let running = [in_slot(2, 1, 0)];
        let chosen = rows_of.choose(&running, (5, 3), 10, at(1000));
        let task = Content::Task(task(1));
        assert_eq!(
            chosen.rows,
            [Content::Waiting(0), task, Content::Waiting(1)]
        );
    }
}
