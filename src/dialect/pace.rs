//! How often the reports of a meter are passed on where every report is kept: twenty times a second are enough if only
//! the value changes. axel draws three thousand times a second.
//!
//! The newest value is never lost: it is held, and given when it is due or when its stream ends. Whatever says something
//! new in words is given at once.

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
    held: Option<Progress<'static>>,
}

impl Pace {
    /// Whether this report is given now. If not, it is held, in place of an older one of the same bar.
    pub(super) fn admits(&mut self, progress: &Progress<'_>, now: Instant) -> bool {
        let mut bars = self.bars.iter_mut();
        let Some(bar) = bars.find(|bar| bar.given.id == progress.id) else {
            if self.bars.len() == BARS {
                self.bars.remove(0);
            }
            self.bars.push(Bar {
                given: progress.clone().into_owned(),
                at: now,
                held: None,
            });
            return true;
        };
        if says_the_same(&bar.given, progress) && now < bar.at + PAUSE {
            bar.held = Some(progress.clone().into_owned());
            return false;
        }
        bar.given = progress.clone().into_owned();
        bar.at = now;
        bar.held = None;
        true
    }

    /// When the next one that is held is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let held = self.bars.iter().filter(|bar| bar.held.is_some());
        held.map(|bar| bar.at + PAUSE).min()
    }

    /// Gives those that are due.
    pub(super) fn take_due(&mut self, now: Instant, mut give: impl FnMut(&Progress<'_>)) {
        for bar in &mut self.bars {
            if now >= bar.at + PAUSE
                && let Some(held) = bar.held.take()
            {
                give(&held);
                bar.given = held;
                bar.at = now;
            }
        }
    }

    /// Gives all that are held.
    pub(super) fn finish(&mut self, mut give: impl FnMut(&Progress<'_>)) {
        for held in self.bars.iter_mut().filter_map(|bar| bar.held.take()) {
            give(&held);
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
            given += u32::from(pace.admits(&value(u32::try_from(millisecond).unwrap()), now));
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
        assert!(pace.admits(&value(1), now));
        assert!(!pace.admits(&value(2), now));
        let part = Progress {
            id: Some("a".into()),
            ..value(3)
        };
        assert!(pace.admits(&part, now));
        let said = Progress {
            message: Some("b".into()),
            ..value(4)
        };
        assert!(pace.admits(&said, now));
        assert_eq!(
            pace.due(),
            None,
            "the newer report has replaced the one that was held"
        );
    }
}
