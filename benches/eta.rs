//! Compares estimators of the remaining time by replaying made-up runs, and prints Markdown.
//!
//! Time is virtual: the figures are the same on every machine. For each kind of run there are twenty, from a generator
//! with fixed seeds. An imagined screen shows the estimate four times a second until 95 % of the run is over. Three
//! things are measured on it:
//!
//! - error: the difference between the shown time and the true one, relative to the true one, each moment counted as
//!   1,000 % at most (indicatif would otherwise exceed every scale);
//! - instability: the sum of all moves of the predicted end, in lengths of the run, a shown time counted as ten lengths
//!   at most;
//! - counting up: the sum of all rises of the shown time while no report came, likewise.
//!
//! A moment without an estimate counts in none of them; the column "shown" says how many moments had one.

#![expect(clippy::print_stdout, reason = "a table on stdout is what it is for")]

use std::time::Duration;

use progrun::internals::Estimate;

const RUNS: u64 = 20;
const FRAME: f64 = 0.25;

/// The measures in the order of a [`Score`], with the decimals worth printing.
const MEASURES: [(&str, usize); 4] = [
    ("error, %", 0),
    ("instability", 2),
    ("counting up", 2),
    ("shown, %", 1),
];

type Score = [f64; 4];

fn main() {
    let kinds: Vec<&str> = runs(1).iter().map(|(kind, _)| *kind).collect();
    let scores = CANDIDATES.map(|(_, new)| {
        let replays: Vec<Vec<Score>> = (1..=RUNS)
            .map(|seed| {
                runs(seed)
                    .iter()
                    .map(|(_, run)| replay(new(), run))
                    .collect()
            })
            .collect();
        let of_kind = |kind: usize| mean(replays.iter().map(|scores| scores[kind]));
        (0..kinds.len()).map(of_kind).collect::<Vec<Score>>()
    });

    let header = |first: &str, columns: &[&str]| {
        println!("| {first} | {} |", columns.join(" | "));
        println!("|---|{}", "---:|".repeat(columns.len()));
    };
    header("mean over all runs", &MEASURES.map(|(name, _)| name));
    for ((name, _), scores) in CANDIDATES.iter().zip(&scores) {
        let mean = mean(scores.iter().copied());
        let cells = [0, 1, 2, 3].map(|m| format!("{:.*}", MEASURES[m].1, mean[m]));
        println!("| {name} | {} |", cells.join(" | "));
    }
    for (measure, (name, decimals)) in MEASURES.iter().enumerate().take(3) {
        println!();
        header(name, &CANDIDATES.map(|(name, _)| name));
        for (row, kind) in kinds.iter().enumerate() {
            let cells = scores
                .each_ref()
                .map(|of| format!("{:.*}", *decimals, of[row][measure]));
            println!("| {kind} | {} |", cells.join(" | "));
        }
    }
}

fn mean(scores: impl Iterator<Item = Score>) -> Score {
    let (mut sum, mut count) = ([0.0; 4], 0.0);
    for score in scores {
        for (sum, part) in sum.iter_mut().zip(score) {
            *sum += part;
        }
        count += 1.0;
    }
    sum.map(|sum| sum / count)
}

// ---------------------------------------------------------------------------- the screen

fn replay(mut estimator: Box<dyn Estimator>, run: &[Report]) -> Score {
    let end = run.last().expect("a run has reports").at;
    let mut reports = run.iter().peekable();
    let (mut now, mut frames, mut total) = (0.0, 0.0, 0.0);
    let (mut error, mut instability, mut counting_up, mut shown) = (0.0, 0.0, 0.0, 0.0);
    let mut before: Option<f64> = None;
    while now < end * 0.95 {
        let mut silent = true;
        while let Some(report) = reports.next_if(|report| report.at <= now) {
            estimator.record(report.at, report.done);
            total = report.total;
            silent = false;
        }
        frames += 1.0;
        let remaining = estimator.remaining(now, total);
        if let Some(remaining) = remaining {
            let truth = end - now;
            error += ((remaining - truth).abs() / truth).min(10.0);
            shown += 1.0;
        }
        let remaining = remaining.map(|remaining| remaining.min(10.0 * end));
        if let (Some(remaining), Some(before)) = (remaining, before) {
            instability += (remaining - before + FRAME).abs() / end;
            if silent {
                counting_up += (remaining - before).max(0.0) / end;
            }
        }
        before = remaining;
        now += FRAME;
    }
    let percent = 100.0;
    [
        error / shown * percent,
        instability,
        counting_up,
        shown / frames * percent,
    ]
}

// ------------------------------------------------------------------------- the candidates

trait Estimator {
    fn record(&mut self, now: f64, done: f64);
    fn remaining(&mut self, now: f64, total: f64) -> Option<f64>;
}

type Candidate = (&'static str, fn() -> Box<dyn Estimator>);

const CANDIDATES: [Candidate; 7] = [
    ("progrun", || Box::new(Ours::default())),
    ("indicatif", || Box::new(Indicatif::default())),
    ("tqdm", || Box::new(Tqdm::default())),
    ("elapsed / done", || Box::new(Naive::default())),
    ("even weights", || Box::new(Weighted::by_age_to_the(0))),
    ("squared weights", || Box::new(Weighted::by_age_to_the(2))),
    ("progrun, end smoothed", || Box::new(Smoothed::default())),
];

#[derive(Default)]
struct Ours(Estimate);

impl Estimator for Ours {
    fn record(&mut self, now: f64, done: f64) {
        self.0.record(Duration::from_secs_f64(now), done);
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        let remaining = self.0.remaining(Duration::from_secs_f64(now), total);
        remaining.map(|remaining| remaining.as_secs_f64())
    }
}

/// The method of indicatif 0.18, written anew, because the crate reads the real clock. The rate is smoothed twice, with
/// weights that fall to a tenth in 15 seconds, each divided by the weight that there has been time for. A request for
/// the time left counts as a report of nothing. Without a rate it shows 0.
#[derive(Default)]
struct Indicatif {
    once: f64,
    twice: f64,
    done: f64,
    last: f64,
}

impl Indicatif {
    fn kept(seconds: f64) -> f64 {
        0.1_f64.powf(seconds / 15.0)
    }
}

impl Estimator for Indicatif {
    fn record(&mut self, now: f64, done: f64) {
        if now <= self.last || done <= self.done {
            return;
        }
        let rate = (done - self.done) / (now - self.last);
        let kept = Self::kept(now - self.last);
        self.once = self.once * kept + rate * (1.0 - kept);
        let normal = self.once / (1.0 - Self::kept(now));
        self.twice = self.twice * kept + normal * (1.0 - kept);
        (self.done, self.last) = (done, now);
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        let kept = Self::kept(now - self.last);
        let weight = 1.0 - Self::kept(now);
        let once = self.once * kept / weight;
        let rate = (self.twice * kept + once * (1.0 - kept)) / weight;
        Some(if rate > 0.0 {
            (total - self.done) / rate
        } else {
            0.0
        })
    }
}

/// tqdm's defaults: work and time of an update (at least 0.1 s apart) each smoothed with 0.3;
/// between updates the shown time stands still.
#[derive(Default)]
struct Tqdm {
    work: f64,
    time: f64,
    done: f64,
    last: f64,
}

impl Estimator for Tqdm {
    fn record(&mut self, now: f64, done: f64) {
        if now - self.last < 0.1 {
            return;
        }
        self.work = 0.3 * (done - self.done) + 0.7 * self.work;
        self.time = 0.3 * (now - self.last) + 0.7 * self.time;
        (self.done, self.last) = (done, now);
    }

    fn remaining(&mut self, _now: f64, total: f64) -> Option<f64> {
        (self.work > 0.0).then(|| (total - self.done) * self.time / self.work)
    }
}

/// What most scripts do: everything done so far took all the time so far.
#[derive(Default)]
struct Naive {
    done: f64,
}

impl Estimator for Naive {
    fn record(&mut self, _now: f64, done: f64) {
        self.done = done;
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        (self.done > 0.0).then(|| (total - self.done) * now / self.done)
    }
}

/// Ours with another power of the age as weight: 0 is the plain mean from the first report on.
struct Weighted {
    power: i32,
    reported: bool,
    done: f64,
    last: f64,
    work: f64,
    time: f64,
    silence: f64,
}

impl Weighted {
    fn by_age_to_the(power: i32) -> Self {
        Self {
            power,
            reported: false,
            done: 0.0,
            last: 0.0,
            work: 0.0,
            time: 0.0,
            silence: 0.0,
        }
    }
}

impl Estimator for Weighted {
    fn record(&mut self, now: f64, done: f64) {
        if self.reported {
            let weight = now.powi(self.power);
            let silence = now - self.last;
            self.work += (done - self.done) * weight;
            self.time += silence * weight;
            self.silence += silence * silence * weight;
        }
        (self.reported, self.done, self.last) = (true, done, now);
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        let left = (total - self.done) * self.time / self.work;
        let usual = self.silence / self.time;
        let silence = now - self.last;
        let shown = (left - silence.min(usual)).max(0.0) + (silence - 2.0 * usual).max(0.0);
        (self.work > 0.0).then_some(shown)
    }
}

/// Ours, but the shown end moves towards the predicted one with a time constant of a twentieth of
/// the elapsed time.
#[derive(Default)]
struct Smoothed {
    ours: Ours,
    /// When it was last shown, and the end that was shown.
    shown: Option<(f64, f64)>,
}

impl Estimator for Smoothed {
    fn record(&mut self, now: f64, done: f64) {
        self.ours.record(now, done);
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        let predicted = now + self.ours.remaining(now, total)?;
        let (last, end) = self.shown.unwrap_or((0.0, predicted));
        let kept = (-20.0 * (now - last) / now).exp();
        let end = end * kept + predicted * (1.0 - kept);
        self.shown = Some((now, end));
        Some((end - now).max(0.0))
    }
}

// ------------------------------------------------------------------------------- the runs

struct Report {
    at: f64,
    done: f64,
    total: f64,
}

fn runs(seed: u64) -> Vec<(&'static str, Vec<Report>)> {
    let mut random = Random::new(seed);
    let stall = 200 + random.below(200);
    let mut pace: f64 = 1.0;
    vec![
        ("steady", run(1200, |_| 0.1 * random.around(0.2))),
        ("slow steps", run(20, |_| 30.0 * random.around(0.33))),
        (
            "bursts",
            run(1000, |step| match step % 50 {
                0 => 20.0 * random.around(0.25),
                _ => 0.01,
            }),
        ),
        (
            "a stall",
            run(600, |step| match step {
                _ if step == stall => 60.0,
                _ => 0.2 * random.around(0.25),
            }),
        ),
        ("growing total", {
            let mut run = run(1200, |_| 0.1 * random.around(0.2));
            for report in &mut run {
                report.total = (240.0 + report.done * 1.6).min(1200.0);
            }
            run
        }),
        (
            "slowing down",
            run(600, |step| {
                (0.1 + f64::from(step) / 2000.0) * random.around(0.2)
            }),
        ),
        (
            "speeding up",
            run(600, |step| {
                (0.4 - f64::from(step) / 2000.0) * random.around(0.2)
            }),
        ),
        ("noisy", run(200, |_| 0.6 * random.normal().exp())),
        (
            "drifting",
            run(1000, |_| {
                pace = (pace * (0.1 * random.normal()).exp()).clamp(0.3, 3.0);
                0.15 * pace
            }),
        ),
        ("resumed at 60 %", {
            let mut run = run(400, |_| 0.3 * random.around(0.33));
            for report in &mut run {
                report.done += 600.0;
                report.total = 1000.0;
            }
            run
        }),
        (
            "40 % cached",
            run(1000, |step| match step {
                0..400 => 0.002,
                _ => 0.2 * random.around(0.25),
            }),
        ),
    ]
}

fn run(steps: u32, mut duration: impl FnMut(u32) -> f64) -> Vec<Report> {
    let total = f64::from(steps);
    let mut at = 0.0;
    let mut reports = vec![Report {
        at,
        done: 0.0,
        total,
    }];
    for step in 0..steps {
        at += duration(step);
        let done = f64::from(step + 1);
        reports.push(Report { at, done, total });
    }
    reports
}

/// Marsaglia's xorshift: the same runs on every machine, for ever.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..10 {
            random.unit();
        }
        random
    }

    fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 32).expect("32 of 64 bits are left")
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.bits()) / f64::from(u32::MAX)
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.bits() % limit
    }

    fn around(&mut self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.unit() - 1.0)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
