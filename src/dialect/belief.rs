//! Which source is believed when several speak at once, and what it said.

use std::time::{Duration, Instant};

use super::pace::Pace;
use super::selection::Selection;
use super::{formats, is_drawn};
use crate::model::batch::{Batch, Fold};
use crate::protocol::Progress;

/// A source that has been silent for this long loses its precedence over the others.
const QUIET: Duration = Duration::from_secs(3);

/// What is believed of one child.
#[derive(Debug)]
pub(super) struct Belief {
    selection: Selection,
    fold: Fold,
    /// None if every report is given as it comes.
    pace: Option<Pace>,
    source: Option<&'static str>,
    /// The place of the source among the formats.
    rank: usize,
    /// When the source was heard last.
    heard: Option<Instant>,
    /// Whether the child reports on its own channel, so that nothing else is believed.
    overruled: bool,
}

impl Belief {
    /// Believes the formats that are selected; `keeps_every_report` if every report is wanted, not only the newest of
    /// each part.
    pub(super) fn new(selection: Selection, keeps_every_report: bool) -> Self {
        Self {
            selection,
            fold: Fold::new(keeps_every_report),
            pace: None,
            source: None,
            rank: usize::MAX,
            heard: None,
            overruled: false,
        }
    }

    /// From now on a bar of which only the value changes is given at a pace.
    pub(super) fn pace(&mut self) {
        self.pace = Some(Pace::default());
    }

    /// The child has reported on its own channel.
    pub(super) fn overrule(&mut self) {
        self.overruled = true;
    }

    /// Which formats are read.
    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// What was believed since the last call.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = self.fold.take();
        batch.source = self.source;
        batch
    }

    /// A source says this.
    pub(super) fn report(&mut self, source: &'static str, progress: &Progress<'_>, now: Instant) {
        // curl's meter is found together with all other meters, also where only one of the two was selected.
        if self.overruled || !self.selection.reads(source) {
            return;
        }
        if self.source != Some(source) {
            let rank = formats().position(|format| format.name == source);
            let rank = rank.unwrap_or(usize::MAX);
            let is_quiet = self
                .heard
                .is_none_or(|heard| now.saturating_duration_since(heard) >= QUIET);
            if rank > self.rank && !is_quiet {
                return;
            }
            // Two sources report the same work: what the other one said must not be added to this.
            self.fold.take();
            if let Some(pace) = &mut self.pace {
                pace.clear();
            }
            self.source = Some(source);
            self.rank = rank;
        }
        self.heard = Some(now);
        match self.pace.as_mut().filter(|_| is_drawn(source)) {
            Some(pace) => pace.report(progress, now, |progress| self.fold.report(progress)),
            None => self.fold.report(progress),
        }
    }

    /// When [`settle`](Self::settle) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pace.as_ref().and_then(Pace::due)
    }

    /// Time has passed: gives what was held until now.
    pub(super) fn settle(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.take_due(now, |progress| self.fold.report(progress));
        }
    }

    /// An output is at its end: nothing is held any longer.
    pub(super) fn finish(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.finish(|progress| self.fold.report(progress));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source that is believed after each report; each comes this many milliseconds after the first.
    fn believed(said: &[(&'static str, u64)]) -> Vec<Option<&'static str>> {
        let mut belief = Belief::new(Selection::Auto, true);
        let begin = Instant::now();
        let report = Progress {
            progress: Some(1.0),
            ..Progress::default()
        };
        let sources = said.iter().map(|(source, at)| {
            belief.report(source, &report, begin + Duration::from_millis(*at));
            belief.take().source
        });
        sources.collect()
    }

    #[test]
    fn the_first_of_the_formats_is_believed_until_it_is_silent_for_three_seconds() {
        let said = [
            ("meter", 0),
            ("restic", 1),
            ("meter", 3000),
            ("meter", 3001),
            ("meter", 3002),
        ];
        let expected = ["meter", "restic", "restic", "meter", "meter"].map(Some);
        assert_eq!(believed(&said), expected);
    }
}
