//! All combinations of several groups of values, the last group changing fastest. Makes one at a time: there may be
//! more than memory can hold.

use std::ffi::OsString;

/// Groups of items, each of one or several values.
#[derive(Debug)]
pub(super) struct Combinations {
    groups: Vec<Vec<Vec<OsString>>>,
    /// Which item of each group comes next; none: no further one comes.
    next: Option<Vec<usize>>,
}

impl Combinations {
    pub(super) fn new(groups: Vec<Vec<Vec<OsString>>>) -> Self {
        let is_empty = groups.is_empty() || groups.iter().any(Vec::is_empty);
        Self {
            next: (!is_empty).then(|| vec![0; groups.len()]),
            groups,
        }
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> u64 {
        if self.groups.is_empty() {
            return 0;
        }
        let lengths = self.groups.iter().map(|group| group.len() as u64);
        lengths.fold(1, u64::saturating_mul)
    }

    /// The most values of a combination.
    pub(super) fn width(&self) -> usize {
        let widest = |group: &Vec<Vec<_>>| group.iter().map(Vec::len).max().unwrap_or(0);
        self.groups.iter().map(widest).sum()
    }
}

impl Iterator for Combinations {
    type Item = Vec<OsString>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next.as_mut()?;
        let items = self.groups.iter().zip(&*next);
        let values = items.flat_map(|(group, index)| group[*index].iter().cloned());
        let values = values.collect();
        let is_last = self.groups.iter().zip(next).rev().all(|(group, index)| {
            *index = (*index + 1) % group.len();
            *index == 0
        });
        if is_last {
            self.next = None;
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(groups: &[&[&str]]) -> Combinations {
        let item = |word: &&str| vec![OsString::from(word)];
        Combinations::new(
            groups
                .iter()
                .map(|group| group.iter().map(item).collect())
                .collect(),
        )
    }

    #[test]
    fn the_last_group_changes_fastest() {
        let combinations = groups(&[&["a", "b"], &["1", "2"]]);
        assert_eq!((combinations.total(), combinations.width()), (4, 2));
        let found: Vec<String> = combinations
            .map(|values| values.join("".as_ref()).into_string().unwrap())
            .collect();
        assert_eq!(found, ["a1", "a2", "b1", "b2"]);
    }

    #[test]
    fn an_empty_group_gives_no_combination() {
        assert_eq!((groups(&[]).total(), groups(&[]).count()), (0, 0));
        let mut one_is_empty = groups(&[&["a"], &[]]);
        assert_eq!((one_is_empty.total(), one_is_empty.next()), (0, None));
    }

    #[test]
    fn more_combinations_than_memory_could_hold_begin_at_once() {
        let digits: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let mut combinations = groups(&[digits; 30]);
        assert_eq!(combinations.total(), u64::MAX);
        assert_eq!(combinations.nth(123).unwrap()[27..], ["1", "2", "3"]);
    }
}
