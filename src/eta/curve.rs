//! The curve of a run: how much of it was done at twenty points of its time.
//!
//! It is noted while the run goes on, when nothing says yet how long it will take: samples are taken at even distances,
//! and when there are too many of them, each second one is dropped and the distance is doubled. Knows no clock.

use std::time::Duration;

/// How many points a curve has, at even distances, the last one at the end.
pub(super) const POINTS: usize = 20;

/// How much of a run was done at each point of its time, from 0 to 1; none: that was not known then.
pub type Curve = [Option<f64>; POINTS];

/// The distance of the samples of a run that has just begun.
const FIRST: Duration = Duration::from_millis(50);
/// The most samples: a point of the curve is at most a two-hundredth of the run away from one.
const MOST: usize = 400;

/// Notes the curve of a run.
#[derive(Clone, Debug)]
pub struct Recorder {
    every: Duration,
    /// What was done at each multiple of that time.
    samples: Vec<Option<f64>>,
    done: Option<f64>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Of a run that begins.
    #[must_use]
    pub fn new() -> Self {
        Self {
            every: FIRST,
            samples: Vec::new(),
            done: None,
        }
    }

    /// So much of the run is done at this time; none: that is not known.
    pub fn note(&mut self, elapsed: Duration, done: Option<f64>) {
        self.pass(elapsed);
        self.done = done;
    }

    /// The samples until this time are what was noted last.
    fn pass(&mut self, elapsed: Duration) {
        loop {
            let next = u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
            if self.every.saturating_mul(next) >= elapsed {
                return;
            }
            self.samples.push(self.done);
            if self.samples.len() >= MOST {
                let mut is_kept = false;
                self.samples.retain(|_| {
                    is_kept = !is_kept;
                    is_kept
                });
                self.every = self.every.saturating_mul(2);
            }
        }
    }

    /// The curve of the run, which ends at this time; none: it was never known how much was done.
    #[must_use]
    pub fn end(mut self, elapsed: Duration) -> Option<Curve> {
        self.pass(elapsed);
        let mut curve = [None; POINTS];
        for (index, point) in curve.iter_mut().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "at most 20")]
            let share = (index + 1) as f64 / POINTS as f64;
            let place = elapsed.as_secs_f64() * share / self.every.as_secs_f64();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place among the samples, and not negative"
            )]
            let place = place as usize;
            *point = self.samples.get(place).copied().unwrap_or(self.done);
        }
        curve[POINTS - 1] = self.done;
        curve.iter().any(Option::is_some).then_some(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(seconds: u32, done: impl Fn(u32) -> Option<f64>) -> Option<Curve> {
        let mut recorder = Recorder::new();
        for second in 0..seconds {
            recorder.note(Duration::from_secs(second.into()), done(second));
        }
        assert!(recorder.samples.len() <= MOST);
        recorder.end(Duration::from_secs(seconds.into()))
    }

    #[test]
    fn a_run_of_whatever_length_has_twenty_even_points() {
        for seconds in [20, 200, 20_000] {
            let curve = recorded(seconds, |second| {
                Some(f64::from(second) / f64::from(seconds))
            });
            for (index, point) in curve.unwrap().into_iter().enumerate() {
                let expected = f64::from(u32::try_from(index).unwrap() + 1) / 20.0;
                let point = point.unwrap();
                assert!(
                    (point - expected).abs() <= 0.051,
                    "{seconds}: {index} {point}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_yet_is_no_point() {
        let curve = recorded(100, |second| (second >= 50).then_some(0.5)).unwrap();
        assert_eq!(curve[8], None);
        assert_eq!(curve[10..], [Some(0.5); 10]);
        assert_eq!(recorded(100, |_| None), None);
    }

    #[test]
    fn a_silence_of_days_takes_no_memory() {
        let mut recorder = Recorder::new();
        recorder.note(Duration::from_secs(1), Some(0.1));
        recorder.note(Duration::from_hours(24 * 30), Some(0.9));
        assert!(recorder.samples.len() <= MOST);
        let curve = recorder.end(Duration::from_hours(24 * 60)).unwrap();
        assert_eq!((curve[8], curve[10]), (Some(0.1), Some(0.9)));
    }
}
