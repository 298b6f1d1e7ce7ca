//! How often the reports of a meter are passed on where every report is kept: twenty times a second are enough if only
//! the value changes. axel draws three thousand times a second.
//!
//! The newest value is never lost: it is held, and given when it is due or when its stream ends. A report that says
//! something new in words is given at once.

use std::time::{Duration, Instant};

use crate::protocol::Progress;

/// From one value of a bar to the next.
const PAUSE: Duration = Duration::from_millis(50);
/// Most bars whose pace is kept; the oldest is forgotten. A screen shows no more.
const BARS: usize = 128;

/// The bars of one child.
#[derive(Debug, Default)]
pub(super) struct Pace {
    bars: Vec<Bar>,
}

#[derive(Debug)]
struct Bar {
    given: Progress<'static>,
    at: Instant,
    /// The figures that are held. All else is as in the report that was given.
    held: Option<Figures>,
}

/// What is done, the percentage, and the time left.
#[derive(Clone, Copy, Debug)]
struct Figures([Option<f64>; 3]);

impl Bar {
    fn new(progress: &Progress<'_>, now: Instant) -> Self {
        Self {
            given: progress.clone().into_owned(),
            at: now,
            held: None,
        }
    }

    /// Gives what is held.
    fn give_held(&mut self, mut give: impl FnMut(&Progress<'_>)) {
        if let Some(Figures([progress, percentage, eta])) = self.held.take() {
            let given = &mut self.given;
            (given.progress, given.percentage, given.eta) = (progress, percentage, eta);
            give(given);
        }
    }
}

impl Pace {
    /// Gives the report now, or holds it in place of an older one of the same bar.
    pub(super) fn report(
        &mut self,
        progress: &Progress<'_>,
        now: Instant,
        mut give: impl FnMut(&Progress<'_>),
    ) {
        let mut bars = self.bars.iter_mut();
        if let Some(bar) = bars.find(|bar| bar.given.id == progress.id) {
            if says_the_same(&bar.given, progress) && now < bar.at + PAUSE {
                bar.held = Some(Figures([
                    progress.progress,
                    progress.percentage,
                    progress.eta,
                ]));
                return;
            }
            // The end of a bar has no value of its own.
            if progress.progress.is_none() && progress.percentage.is_none() {
                bar.give_held(&mut give);
            }
            *bar = Bar::new(progress, now);
        } else {
            if self.bars.len() == BARS {
                self.bars.remove(0).give_held(&mut give);
            }
            self.bars.push(Bar::new(progress, now));
        }
        give(progress);
    }

    /// When the next one that is held is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let held = self.bars.iter().filter(|bar| bar.held.is_some());
        held.map(|bar| bar.at + PAUSE).min()
    }

    /// Gives those that are due.
    pub(super) fn take_due(&mut self, now: Instant, mut give: impl FnMut(&Progress<'_>)) {
        for bar in self.bars.iter_mut().filter(|bar| bar.held.is_some()) {
            if now >= bar.at + PAUSE {
                bar.give_held(&mut give);
                bar.at = now;
            }
        }
    }

    /// Gives all that are held.
    pub(super) fn finish(&mut self, mut give: impl FnMut(&Progress<'_>)) {
        for bar in &mut self.bars {
            bar.give_held(&mut give);
        }
    }

    /// Another source is believed: what was held of this one must not be added to it.
    pub(super) fn clear(&mut self) {
        self.bars.clear();
    }
}

/// Whether only the value is another.
fn says_the_same(one: &Progress<'_>, other: &Progress<'_>) -> bool {
    one.total == other.total
        && one.unit == other.unit
        && one.message == other.message
        && one.parent == other.parent
        && one.title == other.title
        && one.status == other.status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(percentage: u32) -> Progress<'static> {
        Progress {
            percentage: Some(percentage.into()),
            ..Progress::default()
        }
    }

    #[test]
    fn of_a_thousand_values_in_a_second_twenty_are_given_and_the_last() {
        let mut pace = Pace::default();
        let begin = Instant::now();
        let mut given = 0;
        for millisecond in 0..1000 {
            let now = begin + Duration::from_millis(millisecond);
            pace.take_due(now, |_| given += 1);
            let value = value(u32::try_from(millisecond).unwrap());
            pace.report(&value, now, |_| given += 1);
        }
        assert_eq!(given, 20);
        let mut last = None;
        pace.finish(|progress| last = progress.percentage);
        assert_eq!(last, Some(999.0));
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn another_bar_and_other_words_do_not_wait() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let part = Progress {
            id: Some("a".into()),
            ..value(3)
        };
        let said = Progress {
            message: Some("b".into()),
            ..value(4)
        };
        let mut given = Vec::new();
        for progress in [&value(1), &value(2), &part, &said] {
            pace.report(progress, now, |progress| {
                given.push(progress.percentage.unwrap());
            });
        }
        assert_eq!(given, [1.0, 3.0, 4.0]);
        assert_eq!(
            pace.due(),
            None,
            "the newer report has replaced the one that was held"
        );
    }

    #[test]
    fn the_last_value_comes_before_the_end() {
        let mut pace = Pace::default();
        let end = Progress {
            status: Some(crate::protocol::Status::Ok),
            ..Progress::default()
        };
        let mut given = Vec::new();
        for progress in [&value(1), &value(2), &end] {
            pace.report(progress, Instant::now(), |progress| {
                given.push(progress.percentage);
            });
        }
        assert_eq!(given, [Some(1.0), Some(2.0), None]);
    }
}
