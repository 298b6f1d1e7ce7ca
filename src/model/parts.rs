//! The picture of a task: what is known of it and of its parts, as state and not as events.
//!
//! Bars and plain lines are drawn from this one picture, at any time; reports that came in between are folded in and
//! cost nothing more. It is bounded, because the child is not trusted: it keeps a limited number of live parts and
//! limited text of each, and counts the rest. Knows no clock: the caller gives the time since the run began.
//!
//! **A meter of another program is over** when it is full and no longer moves: the program goes on with something that
//! it has no meter for, or the meter was only about one of several things. Then its figures say nothing of now, and a
//! bar of them would stand at 99 % for as long as the rest takes. It begins again when it moves. The reader of a format
//! that sees the end itself says so by a report about the task, without an id, that has a status: `{"status":"ok"}`. It
//! takes away the amount, the percentage, the total, the unit, the message and the time left of the task itself; its
//! title and its parts stay. The next report begins a new meter, with a rate of its own. In our own protocol, a full
//! count is all there is to do, and a status without an id changes nothing.

mod snapshot;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::eta::{Estimate, Forecast};
use crate::protocol::{Progress, Status};

pub(crate) use self::snapshot::Snapshot;

/// How many parts may be live at once; further ones are only counted.
pub(crate) const LIVE_PARTS: usize = 1000;
/// A part that has been silent for this long may be at its end, or stuck: its last report says nothing of now.
const STALE: Duration = Duration::from_secs(10);
/// A share from which on a meter of another program is full: a full one is read as 99.9 %, for only the end of the
/// command says that all is done.
const FULL: f64 = 0.995;
/// A full meter of another program that has not moved for this long is over. Programs redraw their meters at least once
/// a second, so that a total that still grows, or the next of many items, has moved it by then. In a shorter time the
/// bar would blink between two items; in a longer one it is seen to stand at 99 %.
const OVER: Duration = Duration::from_secs(2);
/// How many names of parts beyond the live ones are remembered, as hashes, for each part that may be live.
const NAMES_FOR_EACH: usize = 100;
/// How many samples of the course are kept.
const SAMPLES: usize = 64;
/// How much of each text is kept, in bytes: no line of a terminal shows more.
const TEXT_LIMIT: usize = 1024;

/// The task itself, or a part of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Everything reported so far, merged: a newer field replaces an older one.
    pub known: Progress<'static>,
    /// The format of its last report; none: our own protocol.
    pub source: Option<&'static str>,
    began: Duration,
    updated: Duration,
    /// When its figures changed last.
    moved: Duration,
    /// The meter was ended by a report that said so.
    ended: bool,
    eta_given: Duration,
    estimate: Estimate,
    /// How many parts of it were named, and how many of these are over.
    named: u64,
    over: u64,
}

impl Part {
    /// Takes in a report in the format `source`.
    pub(crate) fn apply(
        &mut self,
        report: &Progress<'_>,
        source: Option<&'static str>,
        elapsed: Duration,
    ) {
        let was_over = self.is_over(elapsed);
        let before = figures(&self.known);
        let share = self.known.fraction();
        self.known.merge(report);
        if source.is_some() && report.id.is_some() && begins_again(share, self.known.fraction()) {
            self.began = elapsed;
            self.estimate = Estimate::new();
        }
        self.source = source;
        self.updated = elapsed;
        self.ended = false;
        if figures(&self.known) != before {
            self.moved = elapsed;
            if was_over {
                // Another meter, or the next thing that the same one is about.
                self.estimate = Estimate::new();
            }
        }
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

    /// Takes in a report about the task itself that another format has ended.
    fn end(&mut self, source: &'static str, elapsed: Duration) {
        *self = Self {
            known: Progress {
                title: self.known.title.take(),
                ..Progress::default()
            },
            source: Some(source),
            began: self.began,
            updated: elapsed,
            moved: elapsed,
            ended: true,
            ..Self::default()
        };
    }

    /// Whether it is a meter of another program that is over: see the head of this file.
    #[must_use]
    pub(crate) fn is_over(&self, elapsed: Duration) -> bool {
        self.ended || self.is_full() && elapsed >= self.moved.saturating_add(OVER)
    }

    /// What is known of it, as long as that says something of now; none: its meter is over.
    #[must_use]
    pub(crate) fn current(&self, elapsed: Duration) -> Option<&Progress<'static>> {
        Some(&self.known).filter(|_| !self.is_over(elapsed))
    }

    /// Whether it is a meter of another program that is full. That says neither that all is done nor how much is.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        let share = self.known.fraction().filter(|_| self.source.is_some());
        share.is_some_and(|share| share >= FULL)
    }

    /// How much of the whole is done, from 0 to 1. Our own protocol may say 100 %. A foreign meter may not: its full
    /// count can be one file of many, and once it is over it says nothing. A whole without an amount of its own has that
    /// of its parts: those that are over, out of all named.
    #[must_use]
    pub(crate) fn fraction(&self, elapsed: Duration) -> Option<f64> {
        let most = if self.source.is_some() { 0.99 } else { 1.0 };
        let own = self.current(elapsed)?.fraction();
        own.or_else(|| self.of_parts())
            .map(|fraction| fraction.min(most))
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of a bar")]
    fn of_parts(&self) -> Option<f64> {
        let has_amount = self.known.progress.is_some() || self.known.percentage.is_some();
        (!has_amount && self.named > 0).then(|| self.over as f64 / self.named as f64)
    }

    /// How many parts are over of how many, if no other amount is known.
    #[must_use]
    pub(crate) fn tally(&self) -> Option<(u64, u64)> {
        self.of_parts().map(|_| (self.over, self.named))
    }

    /// For how long there has been no report of it or its parts, if that makes the last one doubtful: the silence is
    /// long, and longer than usual.
    #[must_use]
    pub(crate) fn stale(&self, elapsed: Duration) -> Option<Duration> {
        let silence = elapsed.saturating_sub(self.updated);
        let is_usual = self.source.is_none() && self.estimate.stalled(elapsed).is_none();
        (silence >= STALE && !is_usual && !self.is_over(elapsed)).then_some(silence)
    }

    /// Whether the measured rate says nothing of now.
    fn is_stalled(&self, elapsed: Duration) -> bool {
        self.stale(elapsed).is_some()
            || self.is_over(elapsed)
            || self.estimate.stalled(elapsed).is_some()
    }

    /// How long the part has been going on.
    #[must_use]
    pub(crate) fn elapsed(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(self.began)
    }

    /// The time that is left: the child's own estimate, counted down since it gave it, or ours.
    #[must_use]
    pub(crate) fn remaining(&self, elapsed: Duration) -> Option<Duration> {
        let is_doubtful = self.stale(elapsed).is_some() || self.is_full();
        if self.source.is_some() && is_doubtful {
            return None;
        }
        if let Some(eta) = self.known.eta {
            let given = Duration::try_from_secs_f64(eta).ok()?;
            return Some(given.saturating_sub(elapsed.saturating_sub(self.eta_given)));
        }
        if self.is_stalled(elapsed) {
            return None;
        }
        let total = match (self.known.progress, self.known.total) {
            (Some(_), total) => total?,
            (None, _) => self.known.percentage.map(|_| 100.0)?,
        };
        self.estimate.remaining(self.elapsed(elapsed), total)
    }

    /// The time that is left by earlier runs of the same work, blended with what is known otherwise; none: they say
    /// nothing, or the child says it itself.
    #[must_use]
    pub(crate) fn forecast(&self, forecast: &Forecast, elapsed: Duration) -> Option<Duration> {
        let is_doubtful = self.stale(elapsed).is_some() || self.is_full() || self.ended;
        let says_itself = self.known.eta.is_some();
        if is_doubtful || says_itself || self.fraction(elapsed)? >= 1.0 {
            return None;
        }
        forecast.remaining(self.elapsed(elapsed), self.remaining(elapsed))
    }

    /// Units in a second; none for a part that gives only percentages.
    #[must_use]
    pub(crate) fn rate(&self, elapsed: Duration) -> Option<f64> {
        if self.is_stalled(elapsed) {
            return None;
        }
        self.known.progress?;
        self.estimate.rate(self.elapsed(elapsed))
    }
}

/// Whether a part of another program has come to its next item: the next batch of an epoch, the next of many files.
fn begins_again(before: Option<f64>, after: Option<f64>) -> bool {
    before.is_some_and(|before| before >= 0.5) && after.is_some_and(|after| after <= 0.1)
}

fn figures(known: &Progress<'_>) -> [Option<f64>; 3] {
    [known.progress, known.total, known.percentage]
}

/// The task and its live parts.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// How many parts may be live at once; further ones are only counted.
    room: usize,
    /// The task itself.
    pub task: Part,
    /// By their numbers, so in the order in which they began.
    live: BTreeMap<u64, Part>,
    by_id: HashMap<String, u64>,
    /// How many have begun, which is the number of the next.
    begun: u64,
    /// How many parts are over, and how.
    pub ended: Ended,
    beyond: Beyond,
    parents: Parents,
    course: Course,
}

/// When, how much of the task was done, of 1, and how long it had left by its own rate.
pub(crate) type Sample = (Duration, f64, Option<Duration>);

/// How far the task was at some times: what earlier runs say is compared with it, also by one that comes late.
#[derive(Clone, Debug)]
struct Course {
    samples: Vec<Sample>,
    /// How long it is from one sample to the next. It doubles when there are too many.
    every: Duration,
}

impl Course {
    fn is_due(&self, elapsed: Duration) -> bool {
        let last = self.samples.last();
        last.is_none_or(|(at, ..)| elapsed >= at.saturating_add(self.every))
    }

    fn note(&mut self, elapsed: Duration, done: f64, left: Option<Duration>) {
        self.samples.push((elapsed, done, left));
        if self.samples.len() > SAMPLES {
            let mut number = 0_usize;
            self.samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every = self.every.saturating_mul(2);
        }
    }
}

impl Default for Course {
    fn default() -> Self {
        Self {
            samples: Vec::new(),
            every: Duration::from_millis(100),
        }
    }
}

/// The parts beyond [`LIVE_PARTS`] that are not over: only hashes of their names are kept, to count each once.
#[derive(Clone, Debug, Default)]
struct Beyond {
    names: HashSet<u64>,
    hasher: RandomState,
    /// Whether there are more than are remembered.
    more: bool,
}

impl Beyond {
    /// Remembers a name, as long as there are fewer than `at_most`.
    fn add(&mut self, id: &str, at_most: usize) {
        let name = self.hasher.hash_one(id);
        if self.names.len() < at_most {
            self.names.insert(name);
        } else {
            self.more |= !self.names.contains(&name);
        }
    }

    fn remove(&mut self, id: &str) -> bool {
        !self.names.is_empty() && self.names.remove(&self.hasher.hash_one(id))
    }
}

/// Whether more than one part has parts of its own: then the name of a part alone does not say which part it is.
#[derive(Clone, Debug, Default)]
struct Parents {
    first: Option<String>,
    several: bool,
}

/// How many parts are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Those that succeeded or had nothing to do.
    pub well: u64,
    /// Those that failed or were cancelled.
    pub badly: u64,
}

impl Parents {
    fn note(&mut self, parent: &str) {
        match &self.first {
            None => self.first = Some(parent.to_owned()),
            Some(first) => self.several |= first != parent,
        }
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::with_room(LIVE_PARTS)
    }
}

impl Parts {
    /// A picture with so many live parts, at most. Each takes up to some kilobytes.
    #[must_use]
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            room,
            task: Part::default(),
            live: BTreeMap::new(),
            by_id: HashMap::new(),
            begun: 0,
            ended: Ended::default(),
            beyond: Beyond::default(),
            parents: Parents::default(),
            course: Course::default(),
        }
    }

    /// Takes in a report in the format `source`; none: our own protocol. Gives the part back if the report ended it.
    pub(crate) fn apply(
        &mut self,
        report: &Progress<'_>,
        source: Option<&'static str>,
        elapsed: Duration,
    ) -> Option<Part> {
        let ended = self.take_in(report, source, elapsed);
        if self.course.is_due(elapsed)
            && let Some(done) = self.task.fraction(elapsed)
        {
            self.course
                .note(elapsed, done, self.task.remaining(elapsed));
        }
        ended
    }

    /// How far the task was at some times so far.
    #[must_use]
    pub(crate) fn course(&self) -> &[Sample] {
        &self.course.samples
    }

    fn take_in(
        &mut self,
        report: &Progress<'_>,
        source: Option<&'static str>,
        elapsed: Duration,
    ) -> Option<Part> {
        let Some(id) = report.id.as_deref() else {
            match source {
                Some(format) if report.status.is_some() => self.task.end(format, elapsed),
                _ => self.task.apply(report, source, elapsed),
            }
            return None;
        };
        let id = clipped(id);
        if let Some(parent) = report.parent.as_deref() {
            self.parents.note(clipped(parent));
        }
        let number = self.by_id.get(id).copied();
        let live = number.and_then(|number| self.live.get(&number));
        let known = live.and_then(|part| part.known.parent.clone());
        let parent = report.parent.as_deref().map(clipped);
        let parent = parent.or(known.as_deref());
        let is_new = number.is_none() && !self.beyond.remove(id);
        let whole = self.whole(parent);
        whole.updated = elapsed;
        // Other programs name a part only when they come to it: the number of those named is no total.
        if source.is_none() {
            whole.named += u64::from(is_new);
            whole.over += u64::from(report.status.is_some());
        }
        self.task.updated = elapsed;
        if number.is_none() && self.live.len() >= self.room {
            self.count(report.status);
            if report.status.is_none() {
                self.beyond.add(id, self.room * NAMES_FOR_EACH);
                return None;
            }
            // The user is told of a part that failed, even if nothing else is known of it.
            let mut part = Part::default();
            part.apply(report, source, elapsed);
            return Some(part);
        }
        let number = number.unwrap_or_else(|| {
            self.by_id.insert(id.to_owned(), self.begun);
            self.begun += 1;
            self.begun - 1
        });
        let part = self.live.entry(number).or_insert_with(|| Part {
            began: elapsed,
            ..Part::default()
        });
        part.apply(report, source, elapsed);
        report.status?;
        self.count(report.status);
        self.by_id.remove(id);
        self.live.remove(&number)
    }

    /// The whole that a part belongs to: a live part, or the task itself.
    fn whole(&mut self, parent: Option<&str>) -> &mut Part {
        let number = parent.and_then(|parent| self.by_id.get(parent));
        let live = number.and_then(|number| self.live.get_mut(number));
        live.unwrap_or(&mut self.task)
    }

    /// The title or id of the part that this one belongs to, if its own name does not say which part it is.
    #[must_use]
    pub(crate) fn owner<'a>(&'a self, part: &'a Part) -> Option<&'a str> {
        let parent = part
            .known
            .parent
            .as_deref()
            .filter(|_| self.parents.several)?;
        let live = self.by_id.get(parent).map(|number| &self.live[number]);
        live.and_then(|owner| owner.known.title.as_deref())
            .or(Some(parent))
    }

    fn count(&mut self, status: Option<Status>) {
        match status {
            None => {}
            Some(Status::Ok | Status::Skipped) => self.ended.well += 1,
            Some(Status::Failed | Status::Cancelled) => self.ended.badly += 1,
        }
    }

    /// How many parts are not over, and whether there are more than can be counted.
    #[must_use]
    pub(crate) fn live(&self) -> (usize, bool) {
        (self.live.len() + self.beyond.names.len(), self.beyond.more)
    }

    /// How many live parts have a meter that is over. Other programs mostly do not say that a part has ended.
    #[must_use]
    pub(crate) fn at_rest(&self, elapsed: Duration) -> usize {
        let parts = self.live.values();
        parts.filter(|part| part.is_over(elapsed)).count()
    }

    /// Whether nothing that was reported says what is done now: the meter of the task is over, or it never had one, and
    /// so are those of its parts.
    #[must_use]
    pub(crate) fn are_over(&self, elapsed: Duration) -> bool {
        let known = &self.task.known;
        let is_empty = figures(known).iter().all(Option::is_none) && known.message.is_none();
        self.task.is_over(elapsed) || is_empty && self.at_rest(elapsed) == self.live.len()
    }

    /// Whether anything was reported in our own protocol.
    #[must_use]
    pub(crate) fn have_own(&self) -> bool {
        let is_own = |part: &Part| part.source.is_none();
        !self.task.known.is_empty() && is_own(&self.task) || self.live.values().any(is_own)
    }

    /// How many live parts come from another program's format.
    #[must_use]
    pub(crate) fn of_others(&self) -> usize {
        let parts = self.live.values();
        parts.filter(|part| part.source.is_some()).count()
    }

    /// The first `at_most` live parts as a tree, in the order in which they began: each with its depth, 1 for a part of
    /// the task itself. A part whose parent is not live stands at the top. A part whose meter is over is left out,
    /// unless one of its own parts is not.
    #[must_use]
    pub(crate) fn tree(&self, at_most: usize, elapsed: Duration) -> Vec<(usize, &Part)> {
        let mut children: HashMap<Option<u64>, Vec<u64>> = HashMap::new();
        // The last first, so that the parts of a part are known before it.
        for (&number, part) in self.live.iter().rev() {
            if part.is_over(elapsed) && !children.contains_key(&Some(number)) {
                continue;
            }
            let parent = part.known.parent.as_deref();
            let parent = parent.and_then(|parent| self.by_id.get(parent).copied());
            // A child may claim to be its own ancestor. Only an earlier part can be a parent, so there are no circles.
            let parent = parent.filter(|parent| *parent < number);
            children.entry(parent).or_default().push(number);
        }
        let mut lines = Vec::new();
        let mut open: Vec<(usize, u64)> = Vec::new();
        let push_all = |open: &mut Vec<(usize, u64)>, parent, depth| {
            if let Some(numbers) = children.get(&parent) {
                open.extend(numbers.iter().map(|number| (depth, *number)));
            }
        };
        push_all(&mut open, None, 1);
        while let Some((depth, number)) = open.pop() {
            if lines.len() == at_most {
                break;
            }
            lines.push((depth, &self.live[&number]));
            push_all(&mut open, Some(number), depth + 1);
        }
        lines
    }
}

/// The part of a text that is kept.
#[must_use]
pub(crate) fn clipped(text: &str) -> &str {
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
        let tree = parts.tree(usize::MAX, NOW).into_iter();
        tree.map(|(depth, part)| (depth, part.known.id.clone().unwrap().into_owned()))
            .collect()
    }

    fn line(depth: usize, id: &str) -> (usize, String) {
        (depth, id.to_owned())
    }

    #[test]
    fn a_part_of_another_program_that_begins_again_has_a_time_of_its_own() {
        let mut parts = Parts::default();
        for (second, done) in [(0, 0.0), (10, 9.0), (11, 0.0), (13, 4.0)] {
            let report = Progress {
                id: Some("batch".into()),
                progress: Some(done),
                total: Some(10.0),
                ..Progress::default()
            };
            parts.apply(&report, Some("meter"), Duration::from_secs(second));
        }
        let (_, part) = parts.tree(1, Duration::from_secs(13))[0];
        assert_eq!(
            part.elapsed(Duration::from_secs(13)),
            Duration::from_secs(2)
        );
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
            ("orphan", Some("unknown")),
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
        assert_eq!(parts.tree(2, NOW).len(), 2);
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
        assert_eq!(parts.live(), (0, false));
        parts.apply(&report("b", None), None, NOW);
        assert_eq!(shape(&parts), [line(1, "b")]);
    }

    fn numbered(number: usize, status: Option<Status>) -> Progress<'static> {
        Progress {
            id: Some(Cow::Owned(number.to_string())),
            status,
            ..Progress::default()
        }
    }

    #[test]
    fn parts_beyond_the_limit_are_counted_once_each_and_not_kept() {
        let mut parts = Parts::default();
        for _ in 0..3 {
            for number in 0..3000 {
                parts.apply(&numbered(number, None), None, NOW);
            }
        }
        assert_eq!(
            (parts.live.len(), parts.live()),
            (LIVE_PARTS, (3000, false))
        );
        assert_eq!(parts.task.tally(), Some((0, 3000)));
        for number in (0..3000).rev() {
            parts.apply(&numbered(number, Some(Status::Ok)), None, NOW);
        }
        assert_eq!((parts.live(), parts.ended.well), ((0, false), 3000));
        assert_eq!(parts.task.tally(), Some((3000, 3000)));
        let names = LIVE_PARTS * NAMES_FOR_EACH;
        for number in 0..2 * names {
            parts.apply(&numbered(number, None), None, NOW);
        }
        assert_eq!(parts.live(), (LIVE_PARTS + names, true));
    }

    #[test]
    fn a_whole_without_an_amount_has_that_of_its_parts() {
        let mut parts = Parts::default();
        for (id, parent) in [
            ("a", None),
            ("b", None),
            ("a1", Some("a")),
            ("a2", Some("a")),
        ] {
            parts.apply(&report(id, parent), None, NOW);
        }
        parts.apply(&over("a1", Status::Ok), None, NOW);
        assert_eq!(parts.tree(1, NOW)[0].1.fraction(NOW), Some(0.5));
        assert_eq!(parts.task.fraction(NOW), Some(0.0));
        parts.apply(&over("b", Status::Failed), None, NOW);
        assert_eq!(
            (parts.task.fraction(NOW), parts.task.tally()),
            (Some(0.5), Some((1, 2)))
        );
        let own = Progress {
            progress: Some(3.0),
            ..Progress::default()
        };
        parts.apply(&own, None, NOW);
        assert_eq!((parts.task.fraction(NOW), parts.task.tally()), (None, None));
        // Another program names its parts as it comes to them.
        let mut parts = Parts::default();
        parts.apply(&report("a", None), Some("tool"), NOW);
        assert_eq!(parts.task.fraction(NOW), None);
    }

    #[test]
    fn whose_part_it_is_is_told_where_several_have_parts() {
        let mut parts = Parts::default();
        let mut server = report("s1", None);
        server.title = Some(Cow::Borrowed("server one"));
        parts.apply(&server, None, NOW);
        parts.apply(&report("disk 3", Some("s1")), None, NOW);
        let disk = parts.tree(2, NOW)[1].1.clone();
        assert_eq!(parts.owner(&disk), None);
        parts.apply(&report("disk 4", Some("s2")), None, NOW);
        assert_eq!(parts.owner(&disk), Some("server one"));
        let other = parts.tree(3, NOW)[2].1.clone();
        assert_eq!(parts.owner(&other), Some("s2"));
    }

    #[test]
    fn a_stall_has_no_rate_no_time_left_and_is_told() {
        let at = Duration::from_secs;
        let report = |progress: u32| Progress {
            progress: Some(progress.into()),
            total: Some(100.0),
            ..Progress::default()
        };
        let mut parts = Parts::default();
        for second in 0..=30 {
            let progress = u32::try_from(second).unwrap();
            parts.apply(&report(progress), None, at(second));
        }
        let said = |parts: &Parts, now| {
            let task = &parts.task;
            (
                task.rate(at(now)).is_some(),
                task.remaining(at(now)).is_some(),
                task.stale(at(now)),
            )
        };
        assert_eq!(said(&parts, 33), (true, true, None));
        assert_eq!(said(&parts, 34), (false, false, None));
        assert_eq!(said(&parts, 42), (false, false, Some(at(12))));
        // A part that moves is news of the whole.
        let part = Progress {
            id: Some(Cow::Borrowed("a")),
            ..Progress::default()
        };
        parts.apply(&part, None, at(42));
        assert_eq!(said(&parts, 43), (false, false, None));
        // Steps that are slow as a rule are no stall.
        let mut slow = Parts::default();
        for step in 0..3 {
            slow.apply(&report(step), None, at(u64::from(step) * 30));
        }
        assert_eq!(said(&slow, 115), (true, true, None));
        assert_eq!(said(&slow, 122), (false, false, Some(at(62))));
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
        part.apply(&full(None), Some("tool"), at(0));
        assert_eq!(part.fraction(at(1)), Some(0.99));
        let nearly = Progress {
            progress: Some(3.9),
            ..full(Some(60.0))
        };
        part.apply(&nearly, Some("tool"), at(1));
        assert_eq!(part.stale(at(10)), None);
        assert_eq!(part.remaining(at(10)), Some(at(51)));
        assert_eq!(part.stale(at(11)), Some(at(10)));
        assert_eq!((part.remaining(at(11)), part.rate(at(11))), (None, None));
        part.apply(&full(None), None, at(12));
        assert_eq!(part.fraction(at(12)), Some(1.0));
        assert_eq!(part.stale(at(21)), None);
        assert_eq!(part.stale(at(100)), Some(at(88)));
    }

    #[test]
    fn a_full_meter_of_another_program_is_over_when_it_stands_and_begins_again_when_it_moves() {
        let at = Duration::from_secs_f64;
        let report = |progress, total| Progress {
            progress: Some(progress),
            total: Some(total),
            ..Progress::default()
        };
        let mut part = Part::default();
        for step in 0..=4_u32 {
            let step = f64::from(step);
            part.apply(&report(step, 4.0), Some("tool"), at(step));
        }
        // It is full at 4 s. What repeats that is no motion.
        part.apply(&report(4.0, 4.0), Some("tool"), at(5.5));
        let said = |part: &Part, now| (part.is_over(at(now)), part.fraction(at(now)));
        assert_eq!(said(&part, 5.9), (false, Some(0.99)));
        assert_eq!(said(&part, 6.0), (true, None));
        assert!(part.current(at(6.0)).is_none());
        assert_eq!((part.rate(at(6.0)), part.remaining(at(6.0))), (None, None));
        assert_eq!(part.stale(at(100.0)), None);
        part.apply(&report(4.0, 8.0), Some("tool"), at(200.0));
        assert_eq!(said(&part, 300.0), (false, Some(0.5)));
        part.apply(&report(5.0, 8.0), Some("tool"), at(210.0));
        // The rate is that of the new meter.
        assert_eq!(part.rate(at(210.0)), Some(0.1));
        let mut own = Part::default();
        own.apply(&report(4.0, 4.0), None, at(1.0));
        assert_eq!(said(&own, 100.0), (false, Some(1.0)));
    }

    #[test]
    fn a_report_that_ends_the_meter_of_the_task_takes_its_figures_away_and_leaves_its_title() {
        let at = Duration::from_secs;
        let meter = |progress: u32| Progress {
            progress: Some(progress.into()),
            total: Some(10.0),
            unit: Some(Cow::Borrowed("files")),
            message: Some(Cow::Borrowed("a.jpg")),
            title: Some(Cow::Borrowed("copy")),
            eta: Some(5.0),
            ..Progress::default()
        };
        let end = Progress {
            status: Some(Status::Ok),
            ..Progress::default()
        };
        let mut parts = Parts::default();
        parts.apply(&report("part", None), Some("tool"), at(0));
        parts.apply(&meter(0), Some("tool"), at(0));
        parts.apply(&meter(1), Some("tool"), at(1));
        assert!(!parts.are_over(at(1)));
        assert!(parts.apply(&end, Some("tool"), at(1)).is_none());
        let left = Progress {
            title: Some(Cow::Borrowed("copy")),
            ..Progress::default()
        };
        assert_eq!(parts.task.known, left);
        assert!(parts.are_over(at(1)));
        assert_eq!(parts.tree(9, at(1)).len(), 1);
        assert_eq!(parts.ended, Ended::default());
        parts.apply(&meter(0), Some("tool"), at(10));
        assert!(!parts.are_over(at(10)));
        parts.apply(&meter(1), Some("tool"), at(20));
        assert_eq!(parts.task.rate(at(20)), Some(0.1));
        // In our own protocol it says nothing.
        parts.apply(&meter(2), None, at(21));
        parts.apply(&end, None, at(21));
        assert_eq!(parts.task.fraction(at(21)), Some(0.2));
    }

    #[test]
    fn a_part_of_another_program_that_is_full_and_stands_is_at_rest_and_not_drawn() {
        let at = Duration::from_secs;
        let done = |id, parent, percentage| Progress {
            percentage: Some(percentage),
            ..report(id, parent)
        };
        let mut parts = Parts::default();
        parts.apply(&done("a", None, 100.0), Some("tool"), at(0));
        parts.apply(&done("b", None, 100.0), Some("tool"), at(0));
        parts.apply(&done("b1", Some("b"), 50.0), Some("tool"), at(0));
        let shape = |parts: &Parts, now| {
            let tree = parts.tree(usize::MAX, at(now)).into_iter();
            let ids = tree.map(|(_, part)| part.known.id.clone().unwrap().into_owned());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(shape(&parts, 1), ["a", "b", "b1"]);
        // The part above one that goes on stays.
        assert_eq!(shape(&parts, 2), ["b", "b1"]);
        assert_eq!((parts.at_rest(at(2)), parts.are_over(at(2))), (2, false));
        parts.apply(&done("a", None, 10.0), Some("tool"), at(3));
        assert_eq!(shape(&parts, 9), ["a", "b", "b1"]);
        for id in ["a", "b1"] {
            parts.apply(&done(id, None, 100.0), Some("tool"), at(9));
        }
        assert!(shape(&parts, 11).is_empty());
        assert_eq!((parts.at_rest(at(11)), parts.are_over(at(11))), (3, true));
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
