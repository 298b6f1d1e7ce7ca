//! How fast a part of the work goes, and how long it has left.
//!
//! Turns reports (so much done, at that time) into a rate and a remaining time. Knows no clock, no units, and no way to
//! write a time. How long a run of many tasks has left is counted in `eta/many.rs`.
//!
//! Three rules, chosen by replaying the alternatives over made-up runs (`cargo bench --bench eta`):
//!
//! - **The rate is a mean over everything since the first report in which later weighs more**: each
//!   stretch between two reports counts in proportion to the age of the part at its end. A fixed
//!   horizon (the usual "last 15 seconds") is shorter than one step of a slow script and forgets
//!   all that it knew between two reports; a plain mean never gets over a fast or slow beginning.
//! - **Between reports the remaining time counts down, then waits, then grows.** It counts down for as long as a
//!   silence usually lasts, and holds for as long again. A longer silence is a stall: its end cannot be known, and the
//!   best guess is that it will take as long again as it is overdue, so the time grows by one second a second, and
//!   never faster.
//! - **What was done before the first report took an unknown time** and tells nothing about the rate.

mod curve;
mod many;
mod prior;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::curve::{Curve, Recorder};
pub use self::many::{OfTask, RunEstimate};
pub(crate) use self::prior::MOST;
pub use self::prior::{ByTime, Forecast, Past};

/// The least time beyond two usual silences after which a silence is a stall.
const PATIENCE: Duration = Duration::from_secs(2);

/// Estimates the rate and the remaining time of one part of the work.
///
/// All times are those since the part began, with pauses left out; the caller has the clock. A time
/// that goes backwards counts as no time at all.
///
/// ```
/// use std::time::Duration;
/// use progrun::internals::Estimate;
///
/// let mut estimate = Estimate::new();
/// estimate.record(Duration::from_secs(0), 0.0);
/// estimate.record(Duration::from_secs(30), 1.0);
/// let remaining = estimate.remaining(Duration::from_secs(40), 10.0);
/// assert_eq!(remaining, Some(Duration::from_secs(260)));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Estimate {
    first: Option<Duration>,
    last: Duration,
    done: f64,
    // Three sums over the stretches between reports, each weighted by the part's age at its end.
    work: f64,
    time: f64,
    // Of squared times: divided by `time`, it is the mean length of the silence around a moment picked at random. The
    // plain mean would take the pause between two bursts for a stall.
    silence: f64,
}

impl Estimate {
    /// An estimate of something that has not reported yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a report that `done` units are done, `elapsed` after the part began.
    ///
    /// A report that repeats the last figure changes nothing: it is no progress. A fall by up to a
    /// half is work lost, and lowers the rate; a deeper one is a new phase, for which what was
    /// measured before means nothing. A figure that is not finite is ignored.
    pub fn record(&mut self, elapsed: Duration, done: f64) {
        if !done.is_finite() {
            return;
        }
        let first = match self.first {
            Some(first) if done >= self.done / 2.0 => first,
            _ => {
                *self = Self {
                    first: Some(elapsed),
                    last: elapsed,
                    done,
                    ..Self::default()
                };
                return;
            }
        };
        let progress = done - self.done;
        if progress == 0.0 {
            return;
        }
        let silence = elapsed.saturating_sub(self.last).as_secs_f64();
        let age = elapsed.saturating_sub(first).as_secs_f64();
        self.work += progress * age;
        self.time += silence * age;
        self.silence += silence * silence * age;
        self.last = self.last.max(elapsed);
        self.done = done;
    }

    /// Units per second, for display, or `None` as long as no progress has been measured, and in a stall.
    ///
    /// It holds while a report is awaited, as the remaining time does: the two must not contradict each other.
    #[must_use]
    pub fn rate(&self, elapsed: Duration) -> Option<f64> {
        let rate = credible(self.work / self.time);
        rate.filter(|_| self.stalled(elapsed).is_none())
    }

    /// For how long there has been no progress, if that is longer than the measured silences let expect. A stall has no
    /// rate, and no known end.
    #[must_use]
    pub fn stalled(&self, elapsed: Duration) -> Option<Duration> {
        self.first?;
        let silence = elapsed.saturating_sub(self.last);
        let usual = Duration::try_from_secs_f64(self.silence / self.time).unwrap_or_default();
        let patience = usual.saturating_mul(2).saturating_add(PATIENCE);
        (silence >= patience).then_some(silence)
    }

    /// The time left until `total` units are done, or `None` if there is no basis for an estimate.
    ///
    /// That is so before the second report, after more work was lost than done, and where the
    /// figures are absurd (not finite, or further away than a [`Duration`] reaches).
    #[must_use]
    pub fn remaining(&self, elapsed: Duration, total: f64) -> Option<Duration> {
        let rate = credible(self.work / self.time)?;
        let left = total - self.done;
        if left <= 0.0 {
            return Some(Duration::ZERO);
        }
        let left = Duration::try_from_secs_f64(left / rate).ok()?;
        let usual = Duration::try_from_secs_f64(self.silence / self.time).ok()?;
        let silence = elapsed.saturating_sub(self.last);
        let stalled = silence.saturating_sub(usual.saturating_mul(2));
        Some(
            left.saturating_sub(silence.min(usual))
                .saturating_add(stalled),
        )
    }
}

fn credible(rate: f64) -> Option<f64> {
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(reports: &[(u64, f64)]) -> Estimate {
        let mut estimate = Estimate::new();
        for &(seconds, done) in reports {
            estimate.record(at(seconds), done);
        }
        estimate
    }

    #[test]
    fn nothing_is_estimated_before_the_second_report() {
        let none = Estimate::new();
        assert_eq!(
            (none.rate(at(5)), none.remaining(at(5), 10.0)),
            (None, None)
        );
        let one = after(&[(3, 4.0)]);
        assert_eq!((one.rate(at(5)), one.remaining(at(5), 10.0)), (None, None));
        let repeated = after(&[(3, 4.0), (4, 4.0)]);
        assert_eq!(repeated.remaining(at(5), 10.0), None);
    }

    #[test]
    fn steady_work_has_its_rate_and_its_time_left() {
        let steady = after(&[(0, 0.0), (1, 2.0), (2, 4.0), (3, 6.0)]);
        assert_eq!(steady.rate(at(3)), Some(2.0));
        assert_eq!(steady.remaining(at(3), 20.0), Some(at(7)));
    }

    #[test]
    fn work_that_was_resumed_is_measured_from_its_first_report() {
        let resumed = after(&[(2, 900.0), (12, 910.0)]);
        assert_eq!(resumed.rate(at(12)), Some(1.0));
        assert_eq!(resumed.remaining(at(12), 1000.0), Some(at(90)));
    }

    #[test]
    fn a_total_that_grows_moves_the_end_and_not_the_rate() {
        let estimate = after(&[(0, 0.0), (10, 10.0)]);
        assert_eq!(estimate.remaining(at(10), 20.0), Some(at(10)));
        assert_eq!(estimate.remaining(at(10), 50.0), Some(at(40)));
        assert_eq!(estimate.rate(at(10)), Some(1.0));
    }

    #[test]
    fn later_weighs_more_than_earlier() {
        // A plain mean would say 10 units a second: a cache served the first ninety at once.
        let cached = after(&[(0, 0.0), (1, 90.0), (10, 99.0)]);
        assert_eq!(cached.rate(at(10)), Some(180.0 / 91.0));
    }

    #[test]
    fn slow_steps_count_down_and_never_up() {
        let slow = after(&[(0, 0.0), (30, 1.0), (60, 2.0)]);
        let shown = [60, 70, 90, 105, 120].map(|now| slow.remaining(at(now), 10.0));
        let expected = [240, 230, 210, 210, 210].map(|left| Some(at(left)));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_stall_counts_up_by_a_second_a_second_and_has_no_rate() {
        let stalled = after(&[(0, 0.0), (10, 10.0), (20, 20.0)]);
        let shown = [20, 30, 40, 50, 140].map(|now| stalled.remaining(at(now), 100.0));
        let expected = [80, 70, 70, 80, 170].map(|left| Some(at(left)));
        assert_eq!(shown, expected);
        let rates = [20, 30, 41, 42].map(|now| stalled.rate(at(now)));
        assert_eq!(rates, [Some(1.0), Some(1.0), Some(1.0), None]);
    }

    #[test]
    fn a_silence_is_a_stall_when_it_is_much_longer_than_usual() {
        let estimate = after(&[(0, 0.0), (10, 10.0), (20, 20.0)]);
        let shown = [20, 30, 41, 42, 60].map(|now| estimate.stalled(at(now)));
        assert_eq!(shown, [None, None, None, Some(at(22)), Some(at(40))]);
        assert_eq!(after(&[]).stalled(at(100)), None);
        assert_eq!(after(&[(1, 3.0)]).stalled(at(3)), Some(at(2)));
    }

    #[test]
    fn the_pause_between_two_bursts_is_no_stall() {
        let mut bursts = Estimate::new();
        bursts.record(at(0), 0.0);
        for (seconds, done) in [(20, 50.0), (40, 100.0)] {
            for part in 0..50_u32 {
                let moment = at(seconds) + Duration::from_millis(1) * part;
                bursts.record(moment, done - 49.0 + f64::from(part));
            }
        }
        let seconds = |now| bursts.remaining(at(now), 200.0).unwrap().as_secs();
        assert_eq!([41, 50, 59, 70].map(seconds), [39, 30, 21, 20]);
    }

    #[test]
    fn a_phase_that_starts_again_is_measured_anew() {
        let mut phases = after(&[(0, 0.0), (10, 100.0), (20, 0.0)]);
        assert_eq!(phases.remaining(at(20), 100.0), None);
        phases.record(at(30), 10.0);
        assert_eq!(phases.remaining(at(30), 100.0), Some(at(90)));
    }

    #[test]
    fn a_small_setback_lowers_the_rate_and_starts_nothing_anew() {
        let setback = after(&[(0, 0.0), (10, 40.0), (20, 39.0)]);
        assert_eq!(setback.rate(at(20)), Some(380.0 / 300.0));
        let lost = after(&[(0, 100.0), (10, 101.0), (20, 60.0)]);
        assert_eq!(
            (lost.rate(at(20)), lost.remaining(at(20), 200.0)),
            (None, None)
        );
    }

    #[test]
    fn lines_read_at_one_moment_count_together() {
        let batch = after(&[(0, 0.0), (0, 1.0), (10, 2.0), (10, 3.0), (10, 11.0)]);
        assert_eq!(batch.rate(at(10)), Some(1.0));
        assert_eq!(batch.remaining(at(10), 21.0), Some(at(10)));
        let instant = after(&[(0, 0.0), (0, 5.0)]);
        assert_eq!(
            (instant.rate(at(1)), instant.remaining(at(1), 9.0)),
            (None, None)
        );
    }

    #[test]
    fn nothing_is_left_when_all_or_more_is_done() {
        let full = after(&[(0, 0.0), (10, 10.0)]);
        assert_eq!(full.remaining(at(500), 10.0), Some(Duration::ZERO));
        assert_eq!(full.remaining(at(500), 3.0), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_figures_give_no_estimate_and_no_panic() {
        let slow = after(&[(0, 0.0), (1_000_000, 1e-300)]);
        assert_eq!(slow.remaining(at(1_000_000), 1e300), None);
        let huge = after(&[(0, 0.0), (1_000_000_000, 1e300)]);
        assert_eq!(huge.rate(at(1_000_000_000)), None);
        assert_eq!(huge.remaining(at(1_000_000_000), f64::MAX), None);
        let mut good = after(&[(0, 0.0), (10, 10.0)]);
        good.record(at(11), f64::NAN);
        good.record(at(12), f64::INFINITY);
        assert_eq!(good.remaining(at(10), 20.0), Some(at(10)));
        assert_eq!(good.remaining(at(10), f64::NAN), None);
        assert_eq!(good.remaining(at(10), f64::INFINITY), None);
        assert_eq!(
            good.remaining(Duration::MAX, 20.0),
            Some(Duration::new(u64::MAX - 30, 999_999_999))
        );
    }

    #[test]
    fn a_time_that_goes_backwards_counts_as_no_time() {
        let estimate = after(&[(0, 0.0), (10, 10.0), (5, 11.0)]);
        assert_eq!(estimate.rate(at(5)), Some(1.05));
        assert_eq!(estimate.remaining(at(5), 32.0), Some(at(20)));
        assert_eq!(estimate.remaining(at(15), 32.0), Some(at(15)));
    }

    #[test]
    fn a_report_that_repeats_the_figure_changes_nothing() {
        let mut estimate = after(&[(0, 0.0), (10, 10.0)]);
        estimate.record(at(17), 10.0);
        assert_eq!(estimate.remaining(at(17), 20.0), Some(at(3)));
    }

    #[test]
    fn whatever_is_reported_every_rate_is_finite_and_positive() {
        let odd = [0.0, 1.0, 1e-300, 1e300, f64::MAX, -1.0, f64::MIN, f64::NAN];
        let times = [Duration::ZERO, at(1), at(0), Duration::MAX, at(7)];
        let mut estimate = Estimate::new();
        for step in 0..10_000 {
            // Both strides are coprime to their list, so every time meets every figure.
            let (now, done) = (times[step * 3 % times.len()], odd[step / 5 * 3 % odd.len()]);
            estimate.record(now, done);
            for later in times {
                let rate = estimate.rate(later).unwrap_or(1.0);
                assert!(rate.is_finite() && rate > 0.0, "{rate} from {estimate:?}");
                for total in odd {
                    let _ = estimate.remaining(later, total);
                }
            }
        }
    }
}
