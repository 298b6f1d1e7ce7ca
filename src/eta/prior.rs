//! How long a run has left, by what earlier runs of the same work took.
//!
//! For a run that reports, three guesses are blended: the one that its own rate gives; the one that it goes on as the
//! earlier runs went, in their time; and the one that it goes in the same steps, at its own pace. Each guess is put to
//! the test as the run goes on: every fiftieth of the way it has said how long the next bit would take, and one that
//! was wrong loses its weight quickly. Before the first such test the earlier runs say nothing. They weigh the more the
//! better they agree with one another. So runs of another kind do little harm, and a slow last phase is known from the
//! beginning.
//!
//! A run that is silent has only the time that the others took: that of most of them, if these are alike, or else that
//! of the last one. Knows no clock, no place where runs are kept, and no way to write a time.

use std::time::Duration;

use super::curve::{Curve, POINTS};

/// How many earlier runs are looked at.
pub(crate) const MOST: usize = 10;
/// A run in this range around the usual duration is like the others.
const ALIKE: f64 = 0.25;
/// The share of the way, or of the usual time, after which the guesses are tested.
const STRETCH: f64 = 0.02;
/// The share of the elapsed time that has to pass between two tests.
const AGAIN: f64 = 0.05;
/// How far the pace of this run may be off those of the earlier ones, as a logarithm.
const PACE: f64 = 0.1;
/// And how far, if the run takes the same steps.
const FORM: f64 = 0.35;
/// The most that one test costs.
const ONCE: f64 = 3.0;
/// So many times as far is a place that this run has passed already.
const BACK: f64 = 3.0;
/// Shares of a run that differ by less are the same.
const EQUAL: f64 = 0.002;
/// An error of so much of the usual duration says nothing: a curve is known at twenty points only.
const BLUR: f64 = 0.01;
/// The error of a guess, as a logarithm, that tells nothing against it: no step takes exactly as long as another.
const NOISE: f64 = 0.1;
/// The error beyond that that halves the weight of a guess, roughly.
const TOLERANCE: f64 = 0.15;
/// The loss of a guess that has been very wrong: it can still come back.
const LOST: f64 = 12.0;
/// How much of what was lost is remembered at the next test.
const MEMORY: f64 = 0.95;
/// So many times as much as the own rate the earlier runs have to be believed to stand for it.
const SURE: f64 = 3.0;
/// A silence that is longer by so many seconds than it was is a stall.
const PATIENCE: f64 = 2.0;
/// The most of a bar by time.
const NEARLY: f64 = 0.99;

/// An earlier run that completed.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// How long it took.
    pub duration: Duration,
    /// How it progressed, if it reported.
    pub curve: Option<Curve>,
    /// How long a task of it took on the average, if it was a list.
    pub task: Option<Duration>,
}

/// What earlier runs say of the time left of this one.
#[derive(Clone, Debug)]
pub struct Forecast {
    usual: Usual,
    shape: Option<Shape>,
    guesses: Guesses,
}

/// How long the earlier runs took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    pub(super) runs: usize,
    /// The usual duration of a run, in seconds; that of the only one.
    pub(super) duration: f64,
    /// The longest duration of those that are alike.
    longest: f64,
    /// Whether three quarters of them took about as long, so that they are believed more than the run's own rate. One
    /// alone has nothing to agree with.
    pub(super) agrees: bool,
    /// Whether most of them did: more than half and at least three, or all of two.
    is_most: bool,
    /// The duration of the newest one, in seconds.
    newest: f64,
}

/// What a run that says nothing has shown of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ByTime {
    /// Most of the earlier runs are alike.
    Usually {
        /// How much of their time has passed, of 1.
        done: f64,
        /// How long they took.
        duration: Duration,
        /// How long the run has left if it takes as long.
        left: Duration,
    },
    /// Most are alike, and all of these were over by now.
    Longer {
        /// How long they took.
        duration: Duration,
    },
    /// There was one only, or they are not alike.
    LastTime {
        /// How long the newest one took.
        duration: Duration,
    },
}

/// How the earlier runs progressed.
#[derive(Clone, Debug)]
struct Shape {
    /// How much was done at the points of the time, from the beginning on.
    done: [f64; POINTS + 1],
}

/// The guesses and what they are worth.
#[derive(Clone, Debug, Default)]
struct Guesses {
    /// The latest report.
    last: Option<Report>,
    /// The report at which the guesses were tested last.
    tested: Option<Report>,
    tests: u32,
    losses: [f64; 4],
}

/// A report, and what was expected after it.
#[derive(Clone, Copy, Debug)]
struct Report {
    at: f64,
    done: f64,
    /// Which share of the time of the earlier runs had passed when they were as far, at least and at most.
    place: (f64, f64),
    /// What the run's own rate says of the time left.
    own: Option<f64>,
}

// The guesses.
const OWN: usize = 0;
const TIME: usize = 1;
const STEPS: usize = 2;
/// The one that all goes on as it did on the average. It is not shown.
const EVEN: usize = 3;

impl Forecast {
    /// By these runs, newest first; none: there are none.
    #[must_use]
    pub fn new(mut past: Vec<Past>) -> Option<Self> {
        past.truncate(MOST);
        let usual = Usual::of(past.iter().map(|past| past.duration.as_secs_f64()))?;
        let shape = Shape::of(&past);
        Some(Self {
            usual,
            shape,
            guesses: Guesses::default(),
        })
    }

    /// What a run that says nothing shows at this time.
    #[must_use]
    pub fn by_time(&self, elapsed: Duration) -> Option<ByTime> {
        let usual = self.usual;
        let passed = elapsed.as_secs_f64();
        if !usual.is_most {
            let duration = Duration::try_from_secs_f64(usual.newest).ok()?;
            return Some(ByTime::LastTime { duration });
        }
        let duration = Duration::try_from_secs_f64(usual.duration).ok()?;
        if passed > usual.longest {
            return Some(ByTime::Longer { duration });
        }
        Some(ByTime::Usually {
            done: (passed / usual.duration).min(NEARLY),
            duration,
            left: duration.saturating_sub(elapsed),
        })
    }

    /// So much of the run is done at this time, of 1; `own` is the time left by the rate of the run itself.
    pub fn record(&mut self, elapsed: Duration, done: f64, own: Option<Duration>) {
        let Some(shape) = &self.shape else {
            return;
        };
        let at = elapsed.as_secs_f64();
        let guesses = &mut self.guesses;
        if guesses
            .last
            .is_some_and(|last| (last.done - done).abs() < 1e-9)
        {
            return;
        }
        let report = Report {
            at,
            done,
            place: shape.place(done, guesses.last.map_or(0.0, |last| last.place.0)),
            own: own.map(|own| own.as_secs_f64()),
        };
        guesses.last = Some(report);
        let Some(tested) = guesses.tested else {
            guesses.tested = Some(report);
            return;
        };
        let way = report.place.0 - tested.place.0;
        // In the middle of a burst no guess is right.
        let is_late = at - tested.at >= AGAIN * tested.at;
        let is_far = way >= STRETCH || at - tested.at >= STRETCH * self.usual.duration;
        let is_far = is_far && is_late;
        if is_far && way >= 0.0 {
            guesses.test(&tested, &report, self.usual.duration);
            guesses.tested = Some(report);
        } else if way < 0.0 {
            guesses.tested = Some(report);
        }
    }

    /// How long the run has left; `own` is what its own rate says of it now. None: that alone is known.
    #[must_use]
    pub fn remaining(&self, elapsed: Duration, own: Option<Duration>) -> Option<Duration> {
        let last = self.guesses.last?;
        if self.shape.is_none() || self.guesses.tests == 0 {
            return None;
        }
        let total = self.usual.duration;
        let silence = (elapsed.as_secs_f64() - last.at).max(0.0);
        let own_pace = last.pace(total);
        let left = |pace: f64| {
            // Between two reports the time passes, but not beyond the place of the next one.
            let passed = (last.place.0 + silence / (pace * total)).min(last.place.1);
            ((1.0 - passed) * pace * total).max(0.001)
        };
        let mut guesses = [0.0, left(blended(&last, total)), left(own_pace)];
        let mut weights = self.weights();
        if let Some(own) = own {
            guesses[OWN] = own.as_secs_f64().max(0.001);
        } else {
            // The run stands still. That is known only of a place where the earlier ones did, too.
            let still = (last.place.1 - last.place.0) * blended(&last, total) * total;
            let is_known = weights[TIME] + weights[STEPS] >= SURE * weights[OWN];
            if !is_known || silence > still * 2.0 + PATIENCE {
                return None;
            }
            weights[OWN] = 0.0;
        }
        let all: f64 = weights.iter().sum();
        let logarithm: f64 = guesses
            .iter()
            .zip(weights)
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(guess, weight)| libm::log(*guess) * weight / all)
            .sum();
        Duration::try_from_secs_f64(libm::exp(logarithm)).ok()
    }

    fn weights(&self) -> [f64; 3] {
        let trust = self.usual.trust();
        let pace = self
            .guesses
            .last
            .map_or(1.0, |last| last.pace(self.usual.duration));
        let in_time = trust * libm::exp(-penalty(libm::log(pace) / PACE));
        let in_steps = trust / 16.0 * libm::exp(-(libm::log(pace) / FORM).powi(2) / 2.0);
        let before = [1.0, in_time, in_steps];
        let mut losses = self.guesses.losses;
        // The mean of all that was is a better guess than the own rate where the steps are of all lengths. It knows
        // no more of the form of the run than that, so the earlier runs must not gain by it.
        losses[OWN] = losses[OWN].min(losses[EVEN]);
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let mut weights = [0.0; 3];
        for (guess, weight) in weights.iter_mut().enumerate() {
            *weight = before[guess] * libm::exp(least - losses[guess]);
        }
        weights
    }
}

/// How many times as long as the earlier runs this one takes, with some trust in that it is once.
fn blended(last: &Report, total: f64) -> f64 {
    const TRUST: f64 = 0.3;
    (last.at + TRUST * total) / ((last.place.0 + TRUST) * total)
}

impl Report {
    /// How many times as long as the earlier runs this one took so far.
    fn pace(&self, total: f64) -> f64 {
        ((self.at + BLUR * total) / ((self.place.0 + BLUR) * total)).clamp(0.01, 100.0)
    }
}

impl Guesses {
    /// Compares what each guess said after one report of the time until another one with that time.
    fn test(&mut self, before: &Report, now: &Report, total: f64) {
        let took = now.at - before.at;
        let way = now.place.0 - before.place.0;
        let own = before
            .own
            .map(|left| left * (now.done - before.done) / (1.0 - before.done).max(1e-9));
        let cost = |said: f64| {
            let blur = BLUR * total;
            let error = libm::log((said.max(0.0) + blur) / (took + blur));
            penalty((error.abs() - NOISE).max(0.0) / TOLERANCE).min(ONCE)
        };
        let even = before.at * (now.done - before.done) / before.done.max(1e-9);
        let costs = [
            own.map_or(ONCE, cost),
            cost(way * total),
            cost(way * total * before.pace(total)),
            cost(even),
        ];
        for (loss, cost) in self.losses.iter_mut().zip(costs) {
            *loss = *loss * MEMORY + cost;
        }
        let least = self.losses.iter().copied().fold(f64::INFINITY, f64::min);
        for loss in &mut self.losses {
            *loss = (*loss - least).min(LOST);
        }
        self.tests += 1;
    }
}

/// What an error costs: the square of a small one, and of a large one (Huber) no more than it is large.
fn penalty(error: f64) -> f64 {
    match error.abs() {
        small @ ..1.0 => small * small / 2.0,
        large => large - 0.5,
    }
}

impl Usual {
    /// Of these durations, the newest first.
    pub(super) fn of(durations: impl Iterator<Item = f64>) -> Option<Self> {
        let durations: Vec<f64> = durations.collect();
        let duration = median(&durations)?;
        let is_alike = |other: &&f64| (**other - duration).abs() <= ALIKE * duration;
        let alike: Vec<f64> = durations.iter().filter(is_alike).copied().collect();
        let runs = durations.len();
        Some(Self {
            runs,
            duration,
            longest: alike.iter().copied().fold(duration, f64::max),
            agrees: runs >= 2 && alike.len() * 4 >= runs * 3,
            // Of three runs, two are alike by chance too often, and a bar would be a false one.
            is_most: alike.len() * 2 > runs && alike.len() >= runs.clamp(2, 3),
            newest: durations[0],
        })
    }

    /// How many times as much as its own rate the earlier runs are to be believed, before the run has shown anything.
    fn trust(&self) -> f64 {
        match (self.runs, self.agrees) {
            (1, _) => 2.0,
            (2, true) => 4.0,
            (_, true) => 6.0,
            (_, false) => 0.3,
        }
    }
}

impl Shape {
    /// The mean of the curves; none if there are none.
    fn of(past: &[Past]) -> Option<Self> {
        let curves: Vec<&Curve> = past.iter().filter_map(|past| past.curve.as_ref()).collect();
        if curves.is_empty() {
            return None;
        }
        let mut done = [0.0; POINTS + 1];
        for (index, point) in done.iter_mut().skip(1).enumerate() {
            let values = curves
                .iter()
                .map(|curve| curve[index].unwrap_or(0.0).clamp(0.0, 1.0));
            *point = values.sum::<f64>() / precise(curves.len());
        }
        Some(Self { done })
    }

    /// The share of the time that had passed when so much was done, and that when more was done. Where a phase begins
    /// again, so much was done several times: it is the next time after `near`, unless an earlier one is much nearer.
    fn place(&self, done: f64, near: f64) -> (f64, f64) {
        let mut best = None;
        for (index, pair) in self.done.windows(2).enumerate() {
            let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            if done < low - EQUAL || done > high + EQUAL {
                continue;
            }
            let within = (done - pair[0]) / (pair[1] - pair[0]);
            let within = if within.is_finite() {
                within.clamp(0.0, 1.0)
            } else {
                0.0
            };
            let place = (precise(index) + within) / precise(POINTS);
            let distance = if place < near {
                (near - place) * BACK
            } else {
                place - near
            };
            if best.is_none_or(|(least, _, _)| distance < least) {
                best = Some((distance, place, index));
            }
        }
        let Some((_, first, index)) = best else {
            let place = if done < self.done[1] { 0.0 } else { 1.0 };
            return (place, place);
        };
        let is_still = |point: &&f64| **point <= done + EQUAL;
        let points = self.done[index + 1..].iter().take_while(is_still).count();
        (first, first.max(precise(index + points) / precise(POINTS)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most twenty")]
fn precise(index: usize) -> f64 {
    index as f64
}

/// The median; none of nothing.
fn median(values: &[f64]) -> Option<f64> {
    let mut values: Vec<f64> = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Estimate;
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A run of so many seconds, in which this was done at each share of its time.
    fn past(duration: f64, done: impl Fn(f64) -> f64) -> Past {
        let mut curve = [None; POINTS];
        for (index, point) in curve.iter_mut().enumerate() {
            *point = Some(done(precise(index + 1) / precise(POINTS)));
        }
        Past {
            duration: at(duration),
            curve: Some(curve),
            task: None,
        }
    }

    fn silent(durations: &[f64]) -> Option<Forecast> {
        let past = |duration: &f64| Past {
            duration: at(*duration),
            curve: None,
            task: None,
        };
        Forecast::new(durations.iter().map(past).collect())
    }

    /// Nine tenths are done in the first half of the time.
    fn slow_at_the_end(time: f64) -> f64 {
        (time * 1.8).min(0.8 + time * 0.2)
    }

    /// The time left, without and with the earlier runs, of a run that took so long and reports each second, this long
    /// after its beginning.
    fn left(past: Vec<Past>, duration: f64, done: fn(f64) -> f64, seconds: u32) -> (u64, u64) {
        let mut forecast = Forecast::new(past).unwrap();
        let mut own = Estimate::new();
        let mut last = None;
        for second in 0..=seconds {
            let now = at(second.into());
            let done = done(f64::from(second) / duration);
            own.record(now, done);
            last = own.remaining(now, 1.0);
            forecast.record(now, done, last);
        }
        let now = at(seconds.into());
        let informed = forecast.remaining(now, last).or(last).unwrap();
        (last.unwrap().as_secs(), informed.as_secs())
    }

    #[test]
    fn a_slow_last_phase_is_known_from_earlier_runs() {
        let alike = [98.0, 100.0, 103.0].map(|duration| past(duration, slow_at_the_end));
        let (own, informed) = left(alike.to_vec(), 100.0, slow_at_the_end, 25);
        assert_eq!(own, 30);
        assert!((65..=80).contains(&informed), "{informed}");
        let (_, informed) = left(alike[..1].to_vec(), 100.0, slow_at_the_end, 25);
        assert!((50..=80).contains(&informed), "{informed}");
    }

    #[test]
    fn runs_that_took_twice_as_long_soon_count_for_nothing() {
        let longer = vec![past(200.0, |time| time); 3];
        let (own, informed) = left(longer, 100.0, |time| time, 20);
        assert_eq!((own, informed), (80, 80));
    }

    #[test]
    fn before_the_run_has_shown_anything_the_earlier_ones_say_nothing_of_it() {
        let mut forecast = Forecast::new(vec![past(100.0, |time| time); 3]).unwrap();
        assert_eq!(forecast.remaining(at(1.0), None), None);
        forecast.record(at(1.0), 0.01, None);
        assert_eq!(forecast.remaining(at(1.0), None), None);
    }

    #[test]
    fn where_the_earlier_runs_stood_still_this_one_may_and_not_elsewhere() {
        // Half of it, a long silence, and the rest.
        let still = |time: f64| (time * 2.5).min(0.5).max(time * 2.5 - 1.5);
        let mut forecast = Forecast::new(vec![past(100.0, still); 3]).unwrap();
        let mut own = Estimate::new();
        for second in 0..=20_u32 {
            let (now, done) = (at(second.into()), still(f64::from(second) / 100.0));
            own.record(now, done);
            forecast.record(now, done, own.remaining(now, 1.0));
        }
        let seconds = |now| forecast.remaining(at(now), None).map(|left| left.as_secs());
        let near =
            |left: Option<u64>, truth: u64| left.is_some_and(|left| left.abs_diff(truth) <= 3);
        assert!(near(seconds(30.0), 70), "{:?}", seconds(30.0));
        assert!(near(seconds(60.0), 40), "{:?}", seconds(60.0));
        assert_eq!(seconds(200.0), None);
    }

    #[test]
    fn a_phase_that_begins_again_is_not_taken_for_the_first() {
        let twice = |time: f64| {
            if time < 0.5 {
                time * 2.0
            } else {
                time * 2.0 - 1.0
            }
        };
        let shape = Shape::of(&[past(100.0, twice)]).unwrap();
        let near =
            |done, before, expected: f64| (shape.place(done, before).0 - expected).abs() < 0.06;
        assert!(near(0.2, 0.05, 0.1));
        assert!(near(0.2, 0.55, 0.6));
        assert!(near(0.9, 0.4, 0.45));
        assert!(near(0.9, 0.8, 0.95));
    }

    #[test]
    fn a_silent_run_has_the_time_of_most_earlier_ones_or_else_of_the_last() {
        let shown = |durations: &[f64], now| silent(durations).and_then(|it| it.by_time(at(now)));
        let usually = |done, duration, left| {
            Some(ByTime::Usually {
                done,
                duration: at(duration),
                left: at(left),
            })
        };
        assert_eq!(shown(&[], 1.0), None);
        let last_time = |duration| {
            Some(ByTime::LastTime {
                duration: at(duration),
            })
        };
        assert_eq!(shown(&[100.0], 1.0), last_time(100.0));
        assert_eq!(
            shown(&[100.0, 110.0, 90.0], 50.0),
            usually(0.5, 100.0, 50.0)
        );
        assert_eq!(
            shown(&[100.0, 110.0, 90.0], 105.0),
            usually(0.99, 100.0, 0.0)
        );
        let longer = Some(ByTime::Longer {
            duration: at(100.0),
        });
        assert_eq!(shown(&[100.0, 110.0, 90.0], 111.0), longer);
        assert_eq!(shown(&[10.0, 20.0], 5.0), last_time(10.0));
        assert_eq!(shown(&[100.0, 10.0, 1.0], 200.0), last_time(100.0));
        // Half of them are not most.
        assert_eq!(shown(&[70.0, 100.0, 100.0, 300.0], 5.0), last_time(70.0));
        // Two of three may be alike by chance.
        assert_eq!(shown(&[10.0, 100.0, 100.0], 5.0), last_time(10.0));
        // Some that are unlike the others do not matter.
        assert_eq!(
            shown(&[10.0, 10.0, 10.0, 30.0, 2.0], 5.0),
            usually(0.5, 10.0, 5.0)
        );
        assert_eq!(
            shown(&[4.0, 4.0, 4.0, 9.0, 1.9, 4.0, 4.0], 2.0),
            usually(0.5, 4.0, 2.0)
        );
        assert_eq!(
            shown(&[100.0, 100.0, 10.0, 100.0], 50.0),
            usually(0.5, 100.0, 50.0)
        );
    }

    #[test]
    fn whatever_is_remembered_and_reported_nothing_panics() {
        let odd = [0.0, 1.0, 0.5, 1e-300, 1e300, -1.0, f64::NAN, f64::INFINITY];
        let times = [Duration::ZERO, at(1.0), Duration::MAX, at(7.0), at(1e-9)];
        for duration in [at(1e-9), at(1.0), Duration::MAX] {
            let past = Past {
                duration,
                curve: Some(std::array::from_fn(|index| odd.get(index).copied())),
                task: None,
            };
            let mut forecast = Forecast::new(vec![past; 3]).unwrap();
            for step in 0..2_000 {
                let (now, done) = (times[step * 3 % times.len()], odd[step / 5 * 3 % odd.len()]);
                let own = (step % 3 > 0).then_some(times[step % times.len()]);
                forecast.record(now, done, own);
                let _ = (forecast.remaining(now, own), forecast.by_time(now));
            }
        }
    }
}
