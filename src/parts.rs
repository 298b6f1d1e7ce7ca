//! The picture of a run: what is known of the task and of its parts, as state and not as events.
//!
//! Bars and plain lines are drawn from this one picture whenever they choose to draw; reports that came in between are
//! folded in and cost nothing more. It is bounded, because the child is not trusted: so many live parts and so much text
//! of each, the rest is counted. Time comes from outside, as what has passed since the run began.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use crate::estimate::Estimate;
use crate::protocol::{Progress, Status};

/// How many parts may be live at once; further ones are counted and not kept.
pub const LIVE_PARTS: usize = 1000;
/// Somebody else's format that was silent for so long may be at its end, or stuck: what it said last is not news.
const STALE: Duration = Duration::from_secs(10);
/// How much of each text is kept, in bytes: no line of a terminal shows more.
const TEXT_LIMIT: usize = 1024;

/// The task itself, or a part of it.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// All that it has said, newest first served.
    pub known: Progress<'static>,
    /// Whose format it said the last of it in; none: ours.
    pub source: Option<&'static str>,
    began: Duration,
    updated: Duration,
    eta_given: Duration,
    estimate: Estimate,
}

impl Part {
    /// Takes in a report in the format `source`.
    pub fn apply(
        &mut self,
        report: &Progress<'_>,
        source: Option<&'static str>,
        elapsed: Duration,
    ) {
        self.known.merge(report);
        self.source = source;
        self.updated = elapsed;
        let known = &mut self.known;
        clip(&mut known.id);
        clip(&mut known.parent);
        clip(&mut known.title);
        clip(&mut known.unit);
        clip(&mut known.message);
        if report.eta.is_some() {
            self.eta_given = elapsed;
        }
        if let Some(done) = report.progress.or(report.percentage) {
            self.estimate
                .record(elapsed.saturating_sub(self.began), done);
        }
    }

    /// How much of the whole is done, from 0 to 1. Who reports to us says when all is done; in somebody else's format a
    /// full count proves nothing.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let most = if self.source.is_some() { 0.99 } else { 1.0 };
        self.known.fraction().map(|fraction| fraction.min(most))
    }

    /// For how long there has been no news, if that makes what is known doubtful.
    #[must_use]
    pub fn stale(&self, elapsed: Duration) -> Option<Duration> {
        self.source?;
        Some(elapsed.saturating_sub(self.updated)).filter(|silence| *silence >= STALE)
    }

    /// How long the part has been going on.
    #[must_use]
    pub fn elapsed(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.began)
    }

    /// What is left: the child's own estimate, counted down since it gave it, or ours.
    #[must_use]
    pub fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        if self.stale(elapsed).is_some() {
            return None;
        }
        if let Some(eta) = self.known.eta {
            let given = Duration::try_from_secs_f64(eta).ok()?;
            return Some(given.saturating_sub(elapsed.saturating_sub(self.eta_given)));
        }
        let total = match (self.known.progress, self.known.total) {
            (Some(_), total) => total?,
            (None, _) => self.known.percentage.map(|_| 100.0)?,
        };
        self.estimate.remaining(self.elapsed(elapsed), total)
    }

    /// Units in a second; none for a part that gives only percentages.
    #[must_use]
    pub fn rate(&self, elapsed: Duration) -> Option<f64> {
        if self.stale(elapsed).is_some() {
            return None;
        }
        self.known.progress?;
        self.estimate.rate(self.elapsed(elapsed))
    }
}

/// The task and its live parts.
#[derive(Debug, Default)]
pub struct Parts {
    /// The task itself.
    pub task: Part,
    live: Vec<Part>,
    by_id: HashMap<String, usize>,
    /// How many parts are over, and how.
    pub ended: Ended,
    /// How many reports were about parts beyond [`LIVE_PARTS`].
    pub beyond: u64,
}

/// How many parts are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those that did what they were to do, or had nothing to do.
    pub well: u64,
    /// Those that failed or were cancelled.
    pub badly: u64,
}

impl Parts {
    /// Takes in a report in the format `source`; none: ours. Gives the part back if the report ended it.
    pub fn apply(
        &mut self,
        report: &Progress<'_>,
        source: Option<&'static str>,
        elapsed: Duration,
    ) -> Option<Part> {
        let Some(id) = report.id.as_deref() else {
            self.task.apply(report, source, elapsed);
            return None;
        };
        let id = clipped(id);
        let index = match self.by_id.get(id) {
            Some(&index) => index,
            None if self.live.len() == LIVE_PARTS => {
                self.beyond += 1;
                self.count(report.status);
                return None;
            }
            None => {
                self.by_id.insert(id.to_owned(), self.live.len());
                self.live.push(Part {
                    began: elapsed,
                    ..Part::default()
                });
                self.live.len() - 1
            }
        };
        self.live[index].apply(report, source, elapsed);
        report.status?;
        self.count(report.status);
        self.by_id.remove(id);
        let part = self.live.remove(index);
        for place in self.by_id.values_mut().filter(|place| **place > index) {
            *place -= 1;
        }
        Some(part)
    }

    fn count(&mut self, status: Option<Status>) {
        match status {
            None => {}
            Some(Status::Ok | Status::Skipped) => self.ended.well += 1,
            Some(Status::Failed | Status::Cancelled) => self.ended.badly += 1,
        }
    }

    /// How many parts are live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// How many live parts were reported in somebody else's format.
    #[must_use]
    pub fn of_others(&self) -> usize {
        let parts = self.live.iter();
        parts.filter(|part| part.source.is_some()).count()
    }

    /// The first `at_most` live parts as a tree, in the order in which they began: each with its depth, 1 for a part of
    /// the task itself. A part whose parent is not live stands at the top.
    #[must_use]
    pub fn tree(&self, at_most: usize) -> Vec<(usize, &Part)> {
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (index, part) in self.live.iter().enumerate() {
            let parent = part.known.parent.as_deref();
            let parent = parent.and_then(|parent| self.by_id.get(parent).copied());
            // A child may claim to be its own ancestor. Only an earlier part can be a parent, so there are no circles.
            let parent = parent.filter(|parent| *parent < index);
            children.entry(parent).or_default().push(index);
        }
        let mut lines = Vec::new();
        let mut open: Vec<(usize, usize)> = Vec::new();
        let push_all = |open: &mut Vec<(usize, usize)>, parent, depth| {
            if let Some(indices) = children.get(&parent) {
                open.extend(indices.iter().rev().map(|index| (depth, *index)));
            }
        };
        push_all(&mut open, None, 1);
        while let Some((depth, index)) = open.pop() {
            if lines.len() == at_most {
                break;
            }
            lines.push((depth, &self.live[index]));
            push_all(&mut open, Some(index), depth + 1);
        }
        lines
    }
}

/// As much of a text as is kept.
#[must_use]
pub fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_LIMIT)]
}

fn clip(text: &mut Option<Cow<'static, str>>) {
    if let Some(text) = text
        && text.len() > TEXT_LIMIT
    {
        *text = Cow::Owned(clipped(text).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn report(id: &'static str, parent: Option<&'static str>) -> Progress<'static> {
        Progress {
            id: Some(Cow::Borrowed(id)),
            parent: parent.map(Cow::Borrowed),
            ..Progress::default()
        }
    }

    fn over(id: &'static str, status: Status) -> Progress<'static> {
        Progress {
            status: Some(status),
            ..report(id, None)
        }
    }

    fn shape(parts: &Parts) -> Vec<(usize, String)> {
        let tree = parts.tree(usize::MAX).into_iter();
        tree.map(|(depth, part)| (depth, part.known.id.clone().unwrap().into_owned()))
            .collect()
    }

    fn line(depth: usize, id: &str) -> (usize, String) {
        (depth, id.to_owned())
    }

    #[test]
    fn parts_stand_under_their_parents_in_the_order_in_which_they_began() {
        let mut parts = Parts::default();
        for (id, parent) in [
            ("a", None),
            ("b", None),
            ("a1", Some("a")),
            ("b1", Some("b")),
            ("a2", Some("a")),
            ("orphan", Some("nobody")),
        ] {
            assert!(parts.apply(&report(id, parent), None, NOW).is_none());
        }
        assert_eq!(
            shape(&parts),
            [
                line(1, "a"),
                line(2, "a1"),
                line(2, "a2"),
                line(1, "b"),
                line(2, "b1"),
                line(1, "orphan")
            ]
        );
        assert_eq!(parts.tree(2).len(), 2);
    }

    #[test]
    fn parts_that_claim_to_be_each_others_parents_are_still_drawn_once() {
        let mut parts = Parts::default();
        for (id, parent) in [("a", Some("b")), ("b", Some("a")), ("c", Some("c"))] {
            parts.apply(&report(id, parent), None, NOW);
        }
        assert_eq!(shape(&parts), [line(1, "a"), line(2, "b"), line(1, "c")]);
    }

    #[test]
    fn a_part_that_is_over_is_given_back_and_counted() {
        let mut parts = Parts::default();
        parts.apply(&report("a", None), None, NOW);
        parts.apply(&report("b", None), None, NOW);
        let ended = parts.apply(&over("a", Status::Failed), None, NOW).unwrap();
        assert_eq!(ended.known.id.as_deref(), Some("a"));
        parts.apply(&over("b", Status::Skipped), None, NOW);
        parts.apply(&over("never began", Status::Ok), None, NOW);
        assert_eq!(parts.ended, Ended { well: 2, badly: 1 });
        assert_eq!(parts.live(), 0);
        parts.apply(&report("b", None), None, NOW);
        assert_eq!(shape(&parts), [line(1, "b")]);
    }

    #[test]
    fn parts_beyond_the_limit_are_counted_and_not_kept() {
        let mut parts = Parts::default();
        for number in 0..LIVE_PARTS + 5 {
            let mut part = report("", None);
            part.id = Some(Cow::Owned(number.to_string()));
            parts.apply(&part, None, NOW);
        }
        assert_eq!((parts.live(), parts.beyond), (LIVE_PARTS, 5));
    }

    #[test]
    fn a_long_text_is_clipped_at_a_character() {
        let mut parts = Parts::default();
        let message = "é".repeat(TEXT_LIMIT);
        let report = Progress {
            message: Some(Cow::Owned(message)),
            ..Progress::default()
        };
        parts.apply(&report, None, NOW);
        let kept = parts.task.known.message.unwrap();
        assert_eq!(kept, "é".repeat(TEXT_LIMIT / 2));
    }

    #[test]
    fn what_another_format_says_is_never_all_and_goes_stale() {
        let at = Duration::from_secs;
        let full = |eta| Progress {
            progress: Some(4.0),
            total: Some(4.0),
            eta,
            ..Progress::default()
        };
        let mut part = Part::default();
        part.apply(&full(Some(60.0)), Some("tool"), at(1));
        assert_eq!(part.fraction(), Some(0.99));
        assert_eq!(part.stale(at(10)), None);
        assert_eq!(part.remaining(at(10)), Some(at(51)));
        assert_eq!(part.stale(at(11)), Some(at(10)));
        assert_eq!((part.remaining(at(11)), part.rate(at(11))), (None, None));
        part.apply(&full(None), None, at(12));
        assert_eq!(part.fraction(), Some(1.0));
        assert_eq!(part.stale(at(100)), None);
    }

    #[test]
    fn the_childs_own_estimate_is_counted_down() {
        let mut parts = Parts::default();
        let report = Progress {
            eta: Some(10.0),
            ..Progress::default()
        };
        parts.apply(&report, None, NOW);
        let later = Duration::from_secs(5);
        assert_eq!(parts.task.remaining(later), Some(Duration::from_secs(6)));
        let much_later = Duration::from_secs(50);
        assert_eq!(parts.task.remaining(much_later), Some(Duration::ZERO));
    }
}
