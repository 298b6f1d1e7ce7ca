//! How many things were seen, and how many of them are over. Each thing is counted once, however often a line repeats
//! it.
//!
//! Does not know what the things are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::protocol::{Progress, Status};

/// The most things that are counted.
const LIMIT: usize = 10_000;

/// Keeps a number for each thing, not its name.
#[derive(Debug, Default)]
pub(super) struct Tally {
    hasher: RandomState,
    is_over: HashMap<u64, bool>,
    over: u64,
}

impl Tally {
    /// A thing with this name is there. Gives whether it is new.
    pub(super) fn begin(&mut self, name: &str) -> bool {
        let key = self.hasher.hash_one(name);
        let full = self.is_over.len() == LIMIT;
        let new = !full && !self.is_over.contains_key(&key);
        if new {
            self.is_over.insert(key, false);
        }
        new
    }

    /// A thing is over. Gives whether it was not over before. Gives true, too, for a thing beyond the limit, so that
    /// its part is ended all the same.
    pub(super) fn end(&mut self, name: &str) -> bool {
        self.begin(name);
        let Some(is_over) = self.is_over.get_mut(&self.hasher.hash_one(name)) else {
            return true;
        };
        let just = !*is_over;
        *is_over = true;
        self.over += u64::from(just);
        just
    }

    /// Whether the thing is known to be over.
    pub(super) fn is_over(&self, name: &str) -> bool {
        let key = self.hasher.hash_one(name);
        self.is_over.get(&key).is_some_and(|is_over| *is_over)
    }

    /// The report of how many of all are over.
    pub(super) fn report(&self, unit: &'static str) -> Progress<'static> {
        counted(self.over, self.is_over.len() as u64, unit)
    }
}

/// The count as a report of the task itself. A total of 0 means that it is not known yet.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing is counted that far: 2^53"
)]
pub(super) fn counted(done: u64, total: u64, unit: &'static str) -> Progress<'static> {
    Progress {
        progress: Some(done as f64),
        total: (total > 0).then_some(total as f64),
        unit: Some(unit.into()),
        ..Progress::default()
    }
}

/// The report that a part is over.
pub(super) fn over(id: &str, status: Status) -> Progress<'_> {
    Progress {
        id: Some(id.into()),
        status: Some(status),
        ..Progress::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_counted_once() {
        let mut tally = Tally::default();
        assert!(tally.begin("a"));
        assert!(!tally.begin("a"));
        assert!(tally.end("b"));
        assert!(!tally.end("b"));
        assert_eq!(
            tally.report("steps").to_json(),
            r#"{"progress":1,"total":2,"unit":"steps"}"#
        );
    }

    #[test]
    fn beyond_the_limit_nothing_is_kept() {
        let mut tally = Tally::default();
        for number in 0..LIMIT + 5 {
            tally.begin(&number.to_string());
        }
        assert!(tally.end("another"));
        assert_eq!(tally.is_over.len(), LIMIT);
        assert_eq!(tally.over, 0);
    }
}
