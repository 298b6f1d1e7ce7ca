//! What progrun reads in the output of a program, with a clock that the test sets: nothing here waits.
//!
//! It feeds the readers as the worker of a child does, and knows nothing of what is true.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use progrun::internals::{Dialects, Place, Selection, VerbatimLine};
use serde_json::Value;

/// The readers of one program, and what they have found so far.
pub(crate) struct Playback {
    dialects: Dialects,
    now: Instant,
    found: Found,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) formats: BTreeSet<&'static str>,
    /// Every report, as a JSON object.
    pub(crate) reports: Vec<String>,
    /// The percentages in them, in their order.
    pub(crate) percentages: Vec<Percentage>,
}

/// A percentage, and of what.
pub(crate) struct Percentage {
    pub(crate) value: f64,
    /// None if it is of the task itself.
    pub(crate) part: Option<String>,
}

impl Playback {
    pub(crate) fn new() -> Self {
        Self {
            dialects: Dialects::new(Selection::Auto, true),
            now: Instant::now(),
            found: Found::default(),
        }
    }

    /// The first bytes on the channel. A program writes a line with one write, so it arrives in one piece.
    pub(crate) fn claim_channel(&mut self, first: &[u8]) {
        self.dialects.claims_channel(first);
    }

    /// The program writes.
    pub(crate) fn write(&mut self, place: Place, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.dialects.feed(place, bytes, self.now);
            self.take();
        }
    }

    /// The program writes nothing for a while.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let due = |dialects: &Dialects| dialects.deadline().filter(|deadline| *deadline <= until);
        while let Some(deadline) = due(&self.dialects) {
            self.now = self.now.max(deadline);
            self.dialects.settle(self.now);
            self.take();
            assert!(
                due(&self.dialects).is_none_or(|next| next > self.now),
                "the worker would call `settle` again and again"
            );
        }
        self.now = until;
    }

    /// A place is at its end.
    pub(crate) fn finish(&mut self, place: Place) {
        self.dialects.finish(place, self.now);
        self.take();
    }

    /// What was found in all.
    pub(crate) fn found(mut self) -> Found {
        let mut totals = HashMap::new();
        for report in &self.found.reports {
            let percentage = percentage(report, &mut totals);
            self.found.percentages.extend(percentage);
        }
        self.found
    }

    fn take(&mut self) {
        let reports = self.dialects.take();
        for line in reports.verbatim.iter() {
            let VerbatimLine::Info(report) = line else {
                panic!("what other programs write is never malformed: {line:?}");
            };
            self.found.reports.push(report.to_owned());
            self.found.formats.extend(reports.source);
        }
    }
}

impl Found {
    /// The percentages of the task itself.
    pub(crate) fn whole(&self) -> impl Iterator<Item = f64> {
        let own = self.percentages.iter().filter(|found| found.part.is_none());
        own.map(|found| found.value)
    }

    /// The percentages of each bar; the task itself has one too.
    pub(crate) fn bars(&self) -> BTreeMap<Option<&str>, Vec<f64>> {
        let mut bars: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for found in &self.percentages {
            let bar = bars.entry(found.part.as_deref()).or_default();
            bar.push(found.value);
        }
        bars
    }
}

/// The percentage of a part after this report.
fn percentage(report: &str, totals: &mut HashMap<String, f64>) -> Option<Percentage> {
    let report: Value = serde_json::from_str(report).unwrap();
    let total = totals.entry(report["id"].to_string()).or_default();
    *total = report["total"].as_f64().unwrap_or(*total);
    let amount = report["progress"].as_f64().filter(|_| *total > 0.0);
    let share = amount.map(|amount| amount / *total * 100.0);
    Some(Percentage {
        value: share.or(report["percentage"].as_f64())?,
        part: report["id"].as_str().map(str::to_owned),
    })
}
