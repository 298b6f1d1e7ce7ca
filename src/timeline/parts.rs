//! The parts of one task: when each began and ended, and how much of all of them is done. Knows no event and no page.
//!
//! A part whose end was not reported ends with the part that contains it, or with the task.

use std::collections::HashMap;
use std::time::Duration;

use crate::protocol::Progress;

use super::state::State;

/// A part of a task, which has a bar of its own.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) title: String,
    /// The index of the part that contains it, which is less than its own.
    pub(super) parent: Option<usize>,
    pub(super) began: Duration,
    pub(super) ended: Option<Duration>,
    pub(super) state: State,
    /// The amounts that it reported.
    known: Progress<'static>,
    /// How much of it is done, of 1.
    done: f64,
    within: Within,
}

/// The parts that one part contains, or those that no part contains.
#[derive(Debug, Default)]
struct Within {
    count: u32,
    /// How much of them is done, of `count`.
    done: f64,
}

/// All parts of a task, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Parts {
    all: Vec<Part>,
    ids: HashMap<String, usize>,
    at_the_top: Within,
}

impl Parts {
    pub(super) fn all(&self) -> &[Part] {
        &self.all
    }

    /// The part with this id.
    pub(super) fn get(&mut self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    /// A part that begins, and that the part with the id `parent` contains.
    pub(super) fn begin(&mut self, id: &str, parent: Option<&str>, at: Duration) -> usize {
        let index = self.all.len();
        let parent = parent.and_then(|parent| self.get(parent));
        self.all.push(Part {
            parent,
            began: at,
            ..Part::default()
        });
        self.ids.insert(id.to_owned(), index);
        self.beside(parent).count += 1;
        index
    }

    pub(super) fn rename(&mut self, index: usize, title: String) {
        self.all[index].title = title;
    }

    /// A part has reported these amounts and, if it is over, how it ended. One that reports again has begun again.
    pub(super) fn report(
        &mut self,
        index: usize,
        amounts: &Progress<'static>,
        end: Option<State>,
        at: Duration,
    ) {
        let part = &mut self.all[index];
        part.known.merge(amounts);
        part.ended = end.map(|_| at);
        part.state = end.unwrap_or_default();
        if let Some(state) = end
            && part.within.count > 0
        {
            self.end_within(index, state, at);
        }
        self.count(index);
    }

    /// The task is over: so are all of its parts, whose ids are not needed any more.
    pub(super) fn end(&mut self, state: State, at: Duration) {
        for index in 0..self.all.len() {
            self.end_with_whole(index, state, at);
        }
        self.ids = HashMap::new();
    }

    /// How many parts are done that no part contains, each of which counts as much as is done of it. None of one alone
    /// of which no amount is known.
    pub(super) fn done(&self) -> Option<f64> {
        let [.., _] = self.all[..] else { return None };
        let is_known = self.all.len() > 1 || self.all[0].known.fraction().is_some();
        is_known.then_some(self.at_the_top.done)
    }

    /// How many parts there are that no part contains.
    pub(super) fn at_the_top(&self) -> u32 {
        self.at_the_top.count
    }

    /// Ends the parts that this one contains, and those that they contain.
    fn end_within(&mut self, index: usize, state: State, at: Duration) {
        // The whole of a part comes before it.
        let mut is_within = vec![false; self.all.len()];
        is_within[index] = true;
        for part in index + 1..self.all.len() {
            if self.all[part].parent.is_some_and(|whole| is_within[whole]) {
                is_within[part] = true;
                self.end_with_whole(part, state, at);
            }
        }
    }

    fn end_with_whole(&mut self, index: usize, whole: State, at: Duration) {
        let part = &mut self.all[index];
        if part.ended.is_some() {
            return;
        }
        part.ended = Some(at);
        // How it would have ended is not known if the whole failed.
        if whole != State::Failed {
            part.state = whole;
        }
        self.count(index);
    }

    /// Brings how much is done up to date after a change of this part.
    fn count(&mut self, mut index: usize) {
        loop {
            let part = &mut self.all[index];
            let done = part.share();
            let change = done - std::mem::replace(&mut part.done, done);
            let parent = part.parent;
            self.beside(parent).done += change;
            match parent {
                Some(parent) if change != 0.0 => index = parent,
                _ => return,
            }
        }
    }

    fn beside(&mut self, parent: Option<usize>) -> &mut Within {
        match parent {
            Some(parent) => &mut self.all[parent].within,
            None => &mut self.at_the_top,
        }
    }
}

impl Part {
    fn share(&self) -> f64 {
        if self.ended.is_some() {
            return 1.0;
        }
        let of_parts = self.within.done / f64::from(self.within.count.max(1));
        self.known.fraction().unwrap_or(of_parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn amount(progress: f64, total: f64) -> Progress<'static> {
        Progress {
            progress: Some(progress),
            total: Some(total),
            ..Progress::default()
        }
    }

    fn ends(parts: &Parts) -> Vec<(State, Option<Duration>)> {
        let parts = parts.all().iter();
        parts.map(|part| (part.state, part.ended)).collect()
    }

    #[test]
    fn what_a_part_contains_ends_with_it_and_as_it_does() {
        let mut parts = Parts::default();
        for (id, parent) in [
            ("run", None),
            ("a", Some("run")),
            ("a/b", Some("a")),
            ("x", None),
        ] {
            parts.begin(id, parent, at(0));
        }
        parts.report(1, &Progress::default(), Some(State::Skipped), at(1));
        let open = (State::Open, None);
        let skipped = (State::Skipped, Some(at(1)));
        assert_eq!(ends(&parts), [open, skipped, skipped, open]);
        parts.report(0, &Progress::default(), Some(State::Failed), at(2));
        parts.end(State::Completed, at(3));
        let failed = (State::Failed, Some(at(2)));
        assert_eq!(
            ends(&parts),
            [failed, skipped, skipped, (State::Completed, Some(at(3)))]
        );
    }

    #[test]
    fn how_a_part_of_a_failed_one_would_have_ended_is_not_known() {
        let mut parts = Parts::default();
        parts.begin("run", None, at(0));
        parts.begin("a", Some("run"), at(0));
        parts.report(0, &Progress::default(), Some(State::Failed), at(2));
        assert_eq!(ends(&parts)[1], (State::Open, Some(at(2))));
    }

    #[test]
    fn the_amount_of_a_part_counts_more_than_those_of_its_own_parts() {
        let mut parts = Parts::default();
        assert_eq!(parts.done(), None);
        parts.begin("run", None, at(0));
        assert_eq!(parts.done(), None);
        parts.begin("a", Some("run"), at(0));
        parts.begin("b", Some("run"), at(0));
        parts.report(1, &amount(1.0, 2.0), None, at(0));
        assert_eq!(parts.done(), Some(0.25));
        parts.report(0, &amount(1.0, 10.0), None, at(0));
        assert_eq!(parts.done(), Some(0.1));
        parts.begin("other", None, at(0));
        assert_eq!((parts.done(), parts.at_the_top()), (Some(0.1), 2));
        parts.report(0, &Progress::default(), Some(State::Completed), at(0));
        assert_eq!(parts.done(), Some(1.0));
    }
}
