//! The picture of a task in a form that another process can take over: a watcher that comes in the middle of a run has
//! not seen the reports, and shows the same bars all the same, with the same rates and times left.
//!
//! What is left out are the names of the parts beyond the live ones, which are only counted. Any numbers can be in it, for
//! another process has written it: the picture has none with which a sum overflows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::eta::Estimate;
use crate::protocol::{self, Progress};

use super::{Beyond, Course, Ended, LIVE_PARTS, Parents, Part, Parts, Sample};

/// More parts than this are not counted.
const MOST: u64 = 1 << 53;

/// [`Parts`] as data.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Snapshot {
    task: PartSnapshot,
    /// By their numbers.
    live: BTreeMap<u64, PartSnapshot>,
    begun: u64,
    ended_well: u64,
    ended_badly: u64,
    several_parents: bool,
    course: Vec<Sample>,
}

/// A [`Part`] as data; times are those since the task began.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct PartSnapshot {
    /// What is known of it, as a report.
    info: Option<Box<RawValue>>,
    source: Option<String>,
    began: Duration,
    updated: Duration,
    moved: Duration,
    is_over: bool,
    eta_given: Duration,
    estimate: Estimate,
    named: u64,
    over: u64,
}

impl Snapshot {
    /// As it is now.
    #[must_use]
    pub(crate) fn of(parts: &Parts) -> Self {
        let live = parts.live.iter();
        Self {
            task: PartSnapshot::of(&parts.task),
            live: live
                .map(|(number, part)| (*number, PartSnapshot::of(part)))
                .collect(),
            begun: parts.begun,
            ended_well: parts.ended.well,
            ended_badly: parts.ended.badly,
            several_parents: parts.parents.several,
            course: parts.course.samples.clone(),
        }
    }

    /// The picture again, of the time `at`; `source` knows the names of the formats.
    #[must_use]
    pub(crate) fn into_parts(
        self,
        at: Duration,
        source: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Parts {
        let live = self.live.into_iter().take(LIVE_PARTS);
        let live: BTreeMap<_, _> = live
            .filter(|(number, _)| *number < MOST)
            .map(|(number, part)| (number, part.into_part(at, source)))
            .collect();
        let ids = live
            .iter()
            .filter_map(|(number, part)| Some((part.known.id.as_deref()?.to_owned(), *number)));
        Parts {
            room: LIVE_PARTS,
            by_id: ids.collect(),
            begun: live
                .keys()
                .next_back()
                .map_or(0, |last| last + 1)
                .max(self.begun.min(MOST)),
            task: self.task.into_part(at, source),
            live,
            ended: Ended {
                well: self.ended_well.min(MOST),
                badly: self.ended_badly.min(MOST),
            },
            beyond: Beyond::default(),
            parents: Parents {
                first: None,
                several: self.several_parents,
            },
            course: Course {
                samples: self
                    .course
                    .into_iter()
                    .map(|(time, done, left)| (time.min(at), done, left))
                    .collect(),
                ..Course::default()
            },
        }
    }
}

impl PartSnapshot {
    fn of(part: &Part) -> Self {
        Self {
            info: RawValue::from_string(part.known.to_json()).ok(),
            source: part.source.map(str::to_owned),
            began: part.began,
            updated: part.updated,
            moved: part.moved,
            is_over: part.ended,
            eta_given: part.eta_given,
            estimate: part.estimate.clone(),
            named: part.named,
            over: part.over,
        }
    }

    fn into_part(self, at: Duration, source: &dyn Fn(&str) -> Option<&'static str>) -> Part {
        let info = self.info.as_deref().map(RawValue::get);
        let known = info.and_then(|info| protocol::read_object(info).ok());
        Part {
            known: known.map(Progress::into_owned).unwrap_or_default(),
            source: self.source.as_deref().and_then(source),
            began: self.began.min(at),
            updated: self.updated.min(at),
            moved: self.moved.min(at),
            ended: self.is_over,
            eta_given: self.eta_given.min(at),
            estimate: self.estimate,
            named: self.named.min(MOST),
            over: self.over.min(MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Status;

    #[test]
    fn what_another_process_makes_of_it_shows_the_same_and_goes_on_the_same() {
        let at = Duration::from_secs;
        let report = |id: Option<&'static str>, done: f64| Progress {
            id: id.map(Into::into),
            progress: Some(done),
            total: Some(100.0),
            message: Some("a\nb".into()),
            ..Progress::default()
        };
        let mut parts = Parts::default();
        parts.apply(&report(None, 1.0), None, at(1));
        parts.apply(&report(None, 20.0), None, at(11));
        parts.apply(&report(Some("x"), 1.0), Some("restic"), at(2));
        parts.apply(&report(Some("y"), 1.0), None, at(3));
        let over = Progress {
            status: Some(Status::Failed),
            ..report(Some("y"), 1.0)
        };
        parts.apply(&over, None, at(4));

        let text = serde_json::to_string(&Snapshot::of(&parts)).unwrap();
        let read: Snapshot = serde_json::from_str(&text).unwrap();
        let mut copy = read.into_parts(at(11), &|name| (name == "restic").then_some("restic"));
        for parts in [&mut parts, &mut copy] {
            parts.apply(&report(Some("x"), 50.0), Some("restic"), at(12));
        }
        let shown = |parts: &Parts| {
            let now = at(12);
            let tree = parts.tree(10, now).into_iter();
            let of = |part: &Part| {
                let figures = (part.fraction(now), part.rate(now), part.remaining(now));
                (part.known.clone(), part.source, part.elapsed(now), figures)
            };
            let live: Vec<_> = tree.map(|(depth, part)| (depth, of(part))).collect();
            (of(&parts.task), live, parts.ended)
        };
        assert_eq!(shown(&parts), shown(&copy));
        assert_eq!(parts.course(), copy.course());
        assert!(parts.task.remaining(at(12)).is_some());
    }
}
