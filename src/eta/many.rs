//! How long a run of many tasks has left, and how many of them end in a second.
//!
//! The time left is what the waiting tasks and the rest of the running ones will take, shared by the slots. It is
//! counted in durations and not in ends: tasks that end in waves would have a count of ends say days and minutes in
//! turns. Knows no clock and no list: the caller says what happened when, and how many tasks wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::prior::{MOST, Past, Usual};

/// If they take so many times as long, or as short, they are not.
const UNLIKE: f64 = 1.5;
/// What was measured this long ago counts half as much as what is measured now.
const HALF: f64 = 30.0;
/// The time left falls by at most a half in this time.
const FALL: Duration = Duration::from_secs(1);

/// Estimates the rate and the time left of a run of many tasks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunEstimate {
    /// When something was measured last; none before the first task.
    last: Option<Duration>,
    running: u32,
    // Sums in which what is long ago counts less: of the seconds of all tasks, of the ends, and of the seconds passed.
    busy: f64,
    ends: f64,
    time: f64,
    /// How many tasks are over, and how long they took.
    over: u64,
    took: f64,
    /// How long a task of earlier runs took, and for how many of the own tasks that counts.
    expected: Option<(f64, f64)>,
    /// The time left that was given last, and when.
    given: Option<(Duration, Duration)>,
}

/// A running task.
#[derive(Clone, Copy, Debug)]
pub struct OfTask {
    /// How long it has run.
    pub elapsed: Duration,
    /// How long it has left, if its own progress says so.
    pub left: Option<Duration>,
}

impl RunEstimate {
    /// What earlier runs of the list say, newest first: how long a task takes. Nothing if they do not agree.
    pub fn expect(&mut self, past: &[Past]) {
        let tasks: Vec<_> = past
            .iter()
            .filter_map(|past| past.task)
            .take(MOST)
            .collect();
        let usual = Usual::of(tasks.iter().map(Duration::as_secs_f64));
        self.expected = usual
            .filter(|usual| usual.duration > 0.0 && (usual.agrees || usual.runs == 1))
            .map(|usual| (usual.duration, if usual.agrees { 3.0 } else { 1.0 }));
    }

    /// The same with no larger figures than these: another process may have written any, and sums of them overflow.
    #[must_use]
    pub(crate) fn at_most(self, count: u64, time: Duration) -> Self {
        Self {
            running: self.running.min(u32::MAX / 2),
            over: self.over.min(count),
            given: self.given.map(|(at, left)| (at, left.min(time))),
            ..self
        }
    }

    /// Whether the time left is known before any task is over.
    #[must_use]
    pub fn knows_the_tasks(&self) -> bool {
        self.expectation().is_some()
    }

    /// What is expected of a task, as long as the tasks that are over do not say something else.
    fn expectation(&self) -> Option<(f64, f64)> {
        self.expected.filter(|(expected, _)| {
            let mean = self.took / precise(self.over);
            self.over == 0 || libm::log(mean / expected).abs() < libm::log(UNLIKE)
        })
    }

    /// An attempt of a task begins.
    pub fn begin(&mut self, at: Duration) {
        // What the list took to be read before is no time of the tasks.
        self.pass(at);
        self.running += 1;
    }

    /// An attempt that took so long is over, and with it the task unless another attempt follows.
    pub fn end(&mut self, at: Duration, took: Duration, is_last: bool) {
        self.pass(at);
        self.running = self.running.saturating_sub(1);
        self.took += took.as_secs_f64();
        if is_last {
            self.over += 1;
            self.ends += 1.0;
        }
    }

    fn pass(&mut self, at: Duration) {
        let last = self.last.unwrap_or(at);
        let passed = at.saturating_sub(last).as_secs_f64();
        self.last = Some(last.max(at));
        let kept = libm::exp2(-passed / HALF);
        // The integral of the weight over the time that has passed.
        let weight = (1.0 - kept) * HALF / std::f64::consts::LN_2;
        self.busy = self.busy * kept + f64::from(self.running) * weight;
        self.time = self.time * kept + weight;
        self.ends *= kept;
    }

    /// How many tasks are over that were run.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.over
    }

    /// How many tasks end in a second; none before any has.
    #[must_use]
    pub fn rate(&self, at: Duration) -> Option<f64> {
        let mut now = *self;
        now.pass(at);
        let rate = now.ends / now.time;
        (rate.is_finite() && rate > 0.0).then_some(rate)
    }

    /// The time left of a run in which so many tasks wait and these are running; none before any is over.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn remaining(
        &mut self,
        at: Duration,
        waiting: u64,
        running: &[OfTask],
    ) -> Option<Duration> {
        self.pass(at);
        let (expected, count) = self.expectation().unwrap_or((0.0, 0.0));
        let (took, over) = (self.took + expected * count, precise(self.over) + count);
        if over == 0.0 {
            return None;
        }
        let seconds = |task: &OfTask| task.elapsed.as_secs_f64();
        let mean = took / over;
        // A task that has run longer than that will raise the mean, and does so from now on, not only at its end.
        let late: Vec<_> = running
            .iter()
            .map(seconds)
            .filter(|it| *it > mean)
            .collect();
        let mean = (took + late.iter().sum::<f64>()) / (over + late.len() as f64);
        // The end of one that is overdue cannot be known: it may take as long again as it is overdue.
        let left = |task: &OfTask| {
            let own = task.left.map(|left| left.as_secs_f64());
            own.unwrap_or_else(|| (mean - seconds(task)).abs())
        };
        let in_use = self.in_use();
        let (waits, runs) = (waiting as f64 * mean, running.iter().map(left).sum::<f64>());
        let shared = waits / in_use + runs / in_use.max(1.0);
        let longest = running.iter().map(left).fold(0.0, f64::max);
        let left = Duration::try_from_secs_f64(shared.max(longest)).ok()?;
        let left = self.slowed(at, left);
        self.given = Some((at, left));
        Some(left)
    }

    /// How many slots are in use, on the average of the last time. The time between two tasks of a slot is no use of
    /// it, and is much where they are short: it may be less than one.
    fn in_use(&self) -> f64 {
        let mean = self.busy / self.time;
        if mean.is_finite() && mean > 0.0 {
            mean
        } else {
            f64::from(self.running.max(1))
        }
    }

    /// This time left, or a longer one after a sudden fall: what made it fall may be a few tasks that are unlike the
    /// others.
    fn slowed(&self, at: Duration, left: Duration) -> Duration {
        let Some((before, given)) = self.given else {
            return left;
        };
        let passed = at.saturating_sub(before).min(FALL);
        let share = libm::exp2(-passed.as_secs_f64() / FALL.as_secs_f64());
        left.max(given.mul_f64(share))
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn silent(elapsed: f64) -> OfTask {
        OfTask {
            elapsed: at(elapsed),
            left: None,
        }
    }

    /// So many slots, in each of which tasks of this length have followed each other until now.
    fn steady(slots: u32, length: f64, rounds: u32) -> RunEstimate {
        let mut run = RunEstimate::default();
        for round in 0..rounds {
            let begin = f64::from(round) * length;
            (0..slots).for_each(|_| run.begin(at(begin)));
            (0..slots).for_each(|_| run.end(at(begin + length), at(length), true));
        }
        (0..slots).for_each(|_| run.begin(at(f64::from(rounds) * length)));
        run
    }

    #[test]
    fn what_waits_and_the_rest_of_what_runs_is_shared_by_the_slots() {
        let mut run = steady(4, 10.0, 3);
        let running = [silent(0.0), silent(2.0), silent(4.0), silent(10.0)];
        // 40 tasks of 10 s, and 10 + 8 + 6 + 0 s.
        let left = run.remaining(at(30.0), 40, &running).unwrap();
        assert_eq!(left.as_secs(), 106);
        let rate = run.rate(at(30.0)).unwrap();
        assert!((rate - 0.4).abs() < 0.15, "{rate}");
    }

    #[test]
    fn it_is_at_least_what_the_longest_running_task_has_left() {
        let mut run = steady(4, 1.0, 3);
        let long = OfTask {
            elapsed: at(1.0),
            left: Some(at(60.0)),
        };
        let left = run.remaining(at(3.0), 0, &[long]).unwrap();
        assert_eq!(left, at(60.0));
    }

    #[test]
    fn the_time_between_two_tasks_counts() {
        let mut run = RunEstimate::default();
        for task in 0..1000 {
            let begin = f64::from(task) * 0.002;
            run.begin(at(begin));
            run.end(at(begin + 0.001), at(0.001), true);
        }
        let left = run.remaining(at(2.0), 1000, &[]).unwrap();
        assert!((left.as_secs_f64() - 2.0).abs() < 0.01, "{left:?}");
    }

    #[test]
    fn waves_of_ends_do_not_move_it() {
        let mut run = steady(10, 10.0, 2);
        for second in 0..10 {
            let now = f64::from(second);
            let running = [silent(now); 10];
            let left = run.remaining(at(20.0 + now), 100, &running).unwrap();
            let expected = 110.0 - now;
            assert!(
                (left.as_secs_f64() - expected).abs() < 1.0,
                "{now} {left:?}"
            );
        }
    }

    #[test]
    fn it_never_falls_by_more_than_half_between_two_frames() {
        // Ten tasks end at once; ten run for long, and others wait.
        let mut run = RunEstimate::default();
        (0..20).for_each(|_| run.begin(at(0.0)));
        (0..10).for_each(|_| run.end(at(0.1), at(0.1), true));
        (0..10).for_each(|_| run.begin(at(0.1)));
        let (mut before, mut over) = (Duration::ZERO, 0);
        for frame in 3..1200 {
            let now = f64::from(frame) * 0.05;
            let mut running = vec![silent(now); 10];
            if now >= 30.0 {
                if over == 0 {
                    (0..10).for_each(|_| run.end(at(now), at(30.0), true));
                    over = 10;
                }
                running.clear();
            }
            running.extend([silent(now % 0.1); 10]);
            let left = run.remaining(at(now), 20 - over, &running).unwrap();
            assert!(left * 2 >= before, "{now}: {before:?} {left:?}");
            before = left;
        }
    }

    #[test]
    fn nothing_is_estimated_before_a_task_is_over_and_absurd_times_do_no_harm() {
        let mut run = RunEstimate::default();
        assert_eq!((run.rate(at(1.0)), run.over()), (None, 0));
        assert_eq!(run.remaining(at(1.0), 10, &[silent(1.0)]), None);
        run.begin(Duration::MAX);
        run.end(Duration::ZERO, Duration::MAX, true);
        let _ = run.remaining(Duration::MAX, u64::MAX, &[silent(1.0)]);
        let _ = run.rate(Duration::ZERO);
    }

    fn past(tasks: &[f64]) -> Vec<Past> {
        let past = |task: &f64| Past {
            duration: at(100.0),
            curve: None,
            task: Some(at(*task)),
        };
        tasks.iter().map(past).collect()
    }

    #[test]
    fn earlier_runs_say_how_long_a_task_takes_before_any_is_over() {
        let mut run = RunEstimate::default();
        (0..2).for_each(|_| run.begin(at(0.0)));
        let running = [silent(5.0); 2];
        assert_eq!(run.remaining(at(5.0), 8, &running), None);
        run.expect(&past(&[10.0, 11.0, 9.0]));
        assert!(run.knows_the_tasks());
        // Eight tasks of ten seconds, and two halves, two at a time.
        assert_eq!(run.remaining(at(5.0), 8, &running).unwrap().as_secs(), 45);
        run = RunEstimate::default();
        run.expect(&past(&[10.0, 100.0]));
        assert!(!run.knows_the_tasks(), "they do not agree");
    }

    #[test]
    fn the_first_task_that_takes_another_time_ends_what_earlier_runs_say() {
        let mut run = RunEstimate::default();
        run.expect(&past(&[60.0, 60.0, 60.0]));
        run.begin(at(0.0));
        run.end(at(10.0), at(10.0), true);
        assert!(!run.knows_the_tasks());
        let left = run.remaining(at(10.0), 9, &[]).unwrap();
        assert_eq!(left.as_secs(), 90);
    }
}
