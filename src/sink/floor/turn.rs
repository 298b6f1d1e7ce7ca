//! Whose turn it is in the order of the list. Knows numbers only.

use std::collections::BTreeMap;

use crate::event::TaskId;

/// The turn: it is with the first task that is not over.
#[derive(Debug)]
pub(super) struct Turn {
    next: TaskId,
    /// The later tasks that are over, as ranges of numbers, the last ones included: a job log may have a million that
    /// are done.
    over: BTreeMap<u32, u32>,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            next: TaskId::FIRST,
            over: BTreeMap::new(),
        }
    }
}

impl Turn {
    /// The task whose turn it is, or will be when it begins.
    pub(super) fn whose(&self) -> TaskId {
        self.next
    }

    /// This task is over, or never begins.
    pub(super) fn over(&mut self, task: TaskId) {
        if task == self.next {
            self.next = task.next();
            self.go_on();
        } else if task > self.next {
            let number = task.get();
            let (mut from, mut to) = (number, number);
            if let Some((&first, &last)) = self.over.range(..=number).next_back() {
                if last >= number {
                    return;
                }
                if last + 1 == number {
                    from = first;
                }
            }
            if let Some(last) = number
                .checked_add(1)
                .and_then(|next| self.over.remove(&next))
            {
                to = last;
            }
            self.over.insert(from, to);
        }
    }

    /// The tasks before this one do not come any more, or come too late.
    pub(super) fn jump_to(&mut self, task: TaskId) {
        if task > self.next {
            self.next = task;
            let later = self.over.split_off(&task.get());
            let before = std::mem::replace(&mut self.over, later);
            if let Some((_, last)) = before.last_key_value()
                && *last >= task.get()
                && let Some(last) = TaskId::of(*last)
            {
                self.next = last.next();
            }
            self.go_on();
        }
    }

    /// Goes on behind the tasks that are over already.
    fn go_on(&mut self) {
        while let Some(entry) = self.over.first_entry()
            && *entry.key() <= self.next.get()
        {
            let last = entry.remove();
            if let Some(last) = TaskId::of(last).filter(|last| *last >= self.next) {
                self.next = last.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u32) -> TaskId {
        TaskId::of(number).unwrap()
    }

    #[test]
    fn the_turn_passes_over_all_that_is_over() {
        let mut turn = Turn::default();
        for number in [3, 2, 7, 5, 6, 5] {
            turn.over(task(number));
        }
        assert_eq!(turn.whose(), task(1));
        turn.over(task(1));
        assert_eq!(turn.whose(), task(4));
        turn.over(task(4));
        assert_eq!(turn.whose(), task(8));
        turn.over(task(2));
        assert_eq!(turn.whose(), task(8));
    }

    #[test]
    fn a_million_tasks_that_are_done_take_one_range() {
        let mut turn = Turn::default();
        for number in 2..1_000_000 {
            turn.over(task(number));
        }
        assert_eq!(turn.over.len(), 1);
        turn.over(task(1));
        assert_eq!(turn.whose(), task(1_000_000));
    }

    #[test]
    fn the_turn_may_jump_over_tasks_that_never_come() {
        let mut turn = Turn::default();
        turn.over(task(5));
        turn.over(task(6));
        turn.over(task(9));
        turn.jump_to(task(4));
        assert_eq!(turn.whose(), task(4));
        turn.over(task(4));
        assert_eq!(turn.whose(), task(7));
        turn.jump_to(task(9));
        assert_eq!(turn.whose(), task(10));
    }
}
