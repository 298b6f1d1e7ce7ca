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
//!
//! Then the same screen for runs of which earlier ones are known: so many of them, and like this one or not. Their
//! column "none" is the table of before.

#![expect(clippy::print_stdout, reason = "a table on stdout is what it is for")]

use std::time::Duration;

use progrun::internals::{ByTime, Estimate, Forecast, OfTask, Past, Recorder, RunEstimate};

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
    with_earlier_runs();
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
            estimator.record(report.at, report.done, report.total);
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
    fn record(&mut self, now: f64, done: f64, total: f64);
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
    fn record(&mut self, now: f64, done: f64, _total: f64) {
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
    fn record(&mut self, now: f64, done: f64, _total: f64) {
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
    fn record(&mut self, now: f64, done: f64, _total: f64) {
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
    fn record(&mut self, _now: f64, done: f64, _total: f64) {
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
    fn record(&mut self, now: f64, done: f64, _total: f64) {
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
    fn record(&mut self, now: f64, done: f64, total: f64) {
        self.ours.record(now, done, total);
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

// ------------------------------------------------------------------------ earlier runs

/// What is known of earlier runs: how many there are, and how they relate to the one that is shown.
#[derive(Clone, Copy, PartialEq)]
struct Scenario {
    name: &'static str,
    count: u64,
    likeness: Likeness,
}

#[derive(Clone, Copy, PartialEq)]
enum Likeness {
    /// Their durations differ by up to this share.
    Around(f64),
    /// They took so many times as long.
    Times(f64),
    /// They did something else.
    AnotherKind,
}

const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "none",
        count: 0,
        likeness: Likeness::Around(0.0),
    },
    Scenario {
        name: "one",
        count: 1,
        likeness: Likeness::Around(0.05),
    },
    Scenario {
        name: "three",
        count: 3,
        likeness: Likeness::Around(0.05),
    },
    Scenario {
        name: "ten",
        count: 10,
        likeness: Likeness::Around(0.05),
    },
    Scenario {
        name: "three, noisy",
        count: 3,
        likeness: Likeness::Around(0.5),
    },
    Scenario {
        name: "three, twice as long",
        count: 3,
        likeness: Likeness::Times(2.0),
    },
    Scenario {
        name: "three, half as long",
        count: 3,
        likeness: Likeness::Times(0.5),
    },
    Scenario {
        name: "one of another kind",
        count: 1,
        likeness: Likeness::AnotherKind,
    },
    Scenario {
        name: "three of another kind",
        count: 3,
        likeness: Likeness::AnotherKind,
    },
];

fn with_earlier_runs() {
    let columns: Vec<&str> = SCENARIOS.iter().map(|it| it.name).collect();
    let print = |title: &str, rows: &[(&str, Vec<Score>)], measure: usize| {
        println!();
        println!("| {title} | {} |", columns.join(" | "));
        println!("|---|{}", "---:|".repeat(columns.len()));
        for (kind, scores) in rows {
            let decimals = if title.ends_with('%') {
                0
            } else {
                MEASURES[measure].1
            };
            let cells: Vec<_> = scores
                .iter()
                .map(|score| match score[measure] {
                    value if value.is_nan() => "-".to_owned(),
                    value => format!("{value:.decimals$}"),
                })
                .collect();
            println!("| {kind} | {} |", cells.join(" | "));
        }
    };
    println!();
    println!("### With earlier runs of the same work");
    println!();
    println!(
        "The columns say of how many earlier runs the journal knows, and how these are related to the one on the screen."
    );
    let reporting = of_reporting();
    let steady: Vec<_> = reporting
        .iter()
        .filter(|row| !PHASED.contains(&row.0))
        .cloned()
        .collect();
    let phased: Vec<_> = reporting
        .iter()
        .filter(|row| PHASED.contains(&row.0))
        .cloned()
        .collect();
    let all = |rows: &[(&'static str, Vec<Score>)]| {
        let column = |index: usize| mean(rows.iter().map(|(_, scores)| scores[index]));
        ("mean", (0..SCENARIOS.len()).map(column).collect::<Vec<_>>())
    };
    let with_mean = |mut rows: Vec<(&'static str, Vec<Score>)>| {
        rows.push(all(&rows));
        rows
    };
    print("with phases: error, %", &with_mean(phased.clone()), 0);
    print("without: error, %", &with_mean(steady.clone()), 0);
    print("with phases: instability", &with_mean(phased), 1);
    print("without: instability", &with_mean(steady), 1);
    let silent = of_silent();
    print("silent: error, %", &silent, 0);
    print("silent: shown, %", &silent, 3);
    let lists = of_lists();
    print("lists: error, %", &lists, 0);
    print(
        "lists, at the moments that had an estimate before: error, %",
        &lists,
        1,
    );
    print("lists: shown, %", &lists, 3);
}

/// The earlier runs of a scenario, as durations relative to that of the run on the screen.
fn scale(likeness: Likeness, random: &mut Random) -> f64 {
    match likeness {
        Likeness::Around(spread) => random.around(spread),
        Likeness::Times(times) => times * random.around(0.05),
        Likeness::AnotherKind => 1.0,
    }
}

fn of_reporting() -> Vec<(&'static str, Vec<Score>)> {
    let kinds: Vec<&str> = all_runs(1).iter().map(|(kind, _)| *kind).collect();
    let score = |kind: usize, scenario: &Scenario| {
        let of_seed = |seed: u64| {
            let mut random = Random::new(seed + 1000);
            let past = (1..=scenario.count).map(|number| {
                // Each of the others in turn.
                let others = kinds.len() - 1;
                let further = usize::try_from(seed).expect("it is small") % others + 1;
                let kind = match scenario.likeness {
                    Likeness::AnotherKind => (kind + further) % kinds.len(),
                    _ => kind,
                };
                let (_, run) = all_runs(seed * 100 + number).swap_remove(kind);
                past(&run, scale(scenario.likeness, &mut random))
            });
            let informed = Informed::new(past.collect());
            let (_, run) = &all_runs(seed)[kind];
            replay(Box::new(informed), run)
        };
        mean((1..=RUNS).map(of_seed))
    };
    let row = |(kind, name): (usize, &&'static str)| {
        (
            *name,
            SCENARIOS
                .iter()
                .map(|scenario| score(kind, scenario))
                .collect(),
        )
    };
    kinds.iter().enumerate().map(row).collect()
}

/// A run as it is remembered, had it taken so many times as long.
fn past(run: &[Report], times: f64) -> Past {
    let at = |report: &Report| Duration::from_secs_f64(report.at * times);
    let mut recorder = Recorder::new();
    for report in run {
        recorder.note(at(report), Some(report.done / report.total));
    }
    let duration = at(run.last().expect("a run has reports"));
    Past {
        duration,
        curve: recorder.end(duration),
        task: None,
    }
}

/// Ours, with what earlier runs say.
struct Informed {
    own: Ours,
    forecast: Option<Forecast>,
}

impl Informed {
    fn new(past: Vec<Past>) -> Self {
        Self {
            own: Ours::default(),
            forecast: Forecast::new(past),
        }
    }
}

impl Estimator for Informed {
    fn record(&mut self, now: f64, done: f64, total: f64) {
        self.own.record(now, done, total);
        let own = self.own.remaining(now, total).map(Duration::from_secs_f64);
        if let Some(forecast) = &mut self.forecast {
            forecast.record(Duration::from_secs_f64(now), done / total, own);
        }
    }

    fn remaining(&mut self, now: f64, total: f64) -> Option<f64> {
        let own = self.own.remaining(now, total);
        let now = Duration::from_secs_f64(now);
        let forecast = self.forecast.as_ref();
        let informed = forecast.and_then(|it| it.remaining(now, own.map(Duration::from_secs_f64)));
        informed.map(|left| left.as_secs_f64()).or(own)
    }
}

/// A command that says nothing, of three minutes.
fn of_silent() -> Vec<(&'static str, Vec<Score>)> {
    let score = |scenario: &Scenario| {
        mean_shown((1..=RUNS * 5).map(|seed| {
            let mut random = Random::new(seed);
            let end = 180.0 * random.around(0.05);
            let past = (0..scenario.count).map(|_| {
                let times = match scenario.likeness {
                    // Nothing that is like itself.
                    Likeness::AnotherKind => random.normal().exp(),
                    other => scale(other, &mut random),
                };
                Past {
                    duration: Duration::from_secs_f64(180.0 * times),
                    curve: None,
                    task: None,
                }
            });
            let forecast = Forecast::new(past.collect());
            replay(
                Box::new(Silent(forecast)),
                &[Report {
                    at: end,
                    done: 1.0,
                    total: 1.0,
                }],
            )
        }))
    };
    vec![("three minutes", SCENARIOS.iter().map(score).collect())]
}

/// As [`mean`], of the runs in which anything was shown.
fn mean_shown(scores: impl Iterator<Item = Score>) -> Score {
    let scores: Vec<_> = scores.collect();
    let mut all = mean(scores.iter().copied());
    let shown = scores.iter().filter(|score| !score[0].is_nan());
    all[0] = mean(shown.copied())[0];
    all
}

struct Silent(Option<Forecast>);

impl Estimator for Silent {
    fn record(&mut self, _now: f64, _done: f64, _total: f64) {}

    fn remaining(&mut self, now: f64, _total: f64) -> Option<f64> {
        match self.0.as_ref()?.by_time(Duration::from_secs_f64(now))? {
            ByTime::Usually { left, .. } if !left.is_zero() => Some(left.as_secs_f64()),
            _ => None,
        }
    }
}

/// Lists of tasks that say nothing, of which four run at once.
fn of_lists() -> Vec<(&'static str, Vec<Score>)> {
    let row = |(name, tasks, length, spread): (&'static str, usize, f64, f64)| {
        let score = |scenario: &Scenario| {
            mean_shown((1..=RUNS).map(|seed| {
                let mut random = Random::new(seed);
                let mut lengths = |times: f64| -> Vec<f64> {
                    let one = |_| times * length * (spread * random.normal()).exp();
                    (0..tasks).map(one).collect()
                };
                let now = lengths(1.0);
                let mut likeness = Random::new(seed + 1000);
                let past = (0..scenario.count).map(|_| {
                    let times = match scenario.likeness {
                        Likeness::AnotherKind => 10.0,
                        other => scale(other, &mut likeness),
                    };
                    let lengths = lengths(times);
                    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
                    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
                    Past {
                        duration: Duration::from_secs_f64(mean),
                        curve: None,
                        task: Some(Duration::from_secs_f64(mean)),
                    }
                });
                let past: Vec<_> = past.collect();
                replay_list(&now, &past)
            }))
        };
        (name, SCENARIOS.iter().map(score).collect())
    };
    [
        ("40 tasks of 10 s", 40, 10.0, 0.2),
        ("12 tasks of a minute", 12, 60.0, 0.3),
        ("200 tasks, some long", 200, 2.0, 1.0),
    ]
    .into_iter()
    .map(row)
    .collect()
}

/// How many tasks of a list run at once.
const SLOTS: usize = 4;

fn replay_list(lengths: &[f64], past: &[Past]) -> Score {
    let mut run = RunEstimate::default();
    run.expect(past);
    let (mut before, mut error_then, mut shown_then) = (RunEstimate::default(), 0.0, 0.0);
    let mut waiting = lengths.iter();
    let mut running: Vec<(f64, f64)> = Vec::new();
    // When each task ends is known beforehand: a slot takes the next one at once.
    let mut free = [0.0_f64; SLOTS];
    for length in lengths {
        free.sort_by(f64::total_cmp);
        free[0] += length;
    }
    let end = free.iter().copied().fold(0.0, f64::max);
    let (mut now, mut frames, mut error, mut shown) = (0.0, 0.0, 0.0, 0.0);
    while now < end * 0.95 {
        loop {
            let next = running
                .iter()
                .map(|(_, end)| *end)
                .fold(f64::INFINITY, f64::min);
            let at = if running.len() < SLOTS && waiting.len() > 0 {
                running.iter().map(|(begin, _)| *begin).fold(0.0, f64::max)
            } else {
                next
            };
            if at > now {
                break;
            }
            let over = running.iter().position(|(_, end)| *end <= at);
            let mut begin = at;
            if let Some(index) = over {
                let (started, ended) = running.swap_remove(index);
                let seconds = Duration::from_secs_f64;
                run.end(seconds(ended), seconds(ended - started), true);
                before.end(seconds(ended), seconds(ended - started), true);
                begin = ended;
            }
            let Some(length) = waiting.next() else {
                if over.is_none() {
                    break;
                }
                continue;
            };
            run.begin(Duration::from_secs_f64(begin));
            before.begin(Duration::from_secs_f64(begin));
            running.push((begin, begin + length));
        }
        let of_task = |(began, _): &(f64, f64)| OfTask {
            elapsed: Duration::from_secs_f64(now - began),
            left: None,
        };
        let of_tasks: Vec<_> = running.iter().map(of_task).collect();
        let wait = waiting.len() as u64;
        let is_known = run.over() >= SLOTS as u64 || run.knows_the_tasks();
        let left = run.remaining(Duration::from_secs_f64(now), wait, &of_tasks);
        if let Some(left) = left.filter(|left| is_known && !left.is_zero()) {
            let truth = end - now;
            let off = ((left.as_secs_f64() - truth).abs() / truth).min(10.0);
            error += off;
            shown += 1.0;
            if before.over() >= SLOTS as u64 {
                error_then += off;
                shown_then += 1.0;
            }
        }
        frames += 1.0;
        now += FRAME;
    }
    [
        error / shown * 100.0,
        error_then / shown_then * 100.0,
        0.0,
        shown / frames * 100.0,
    ]
}

// ------------------------------------------------------------------------------- the runs

#[derive(Clone)]
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

/// The kinds of runs that have phases.
const PHASED: [&str; 5] = [
    "a slow last phase",
    "a slow first phase",
    "three phases",
    "a long last step",
    "a link after many files",
];

/// The runs of before, and those with phases.
fn all_runs(seed: u64) -> Vec<(&'static str, Vec<Report>)> {
    let mut random = Random::new(seed + 500);
    let mut runs = runs(seed);
    let mut add = |name: &'static str, steps: u32, of_step: fn(u32) -> f64| {
        let steps = run(steps, |step| match of_step(step) {
            long @ 10.0.. => long * random.around(0.05),
            short => short * random.around(0.2),
        });
        runs.push((name, steps));
    };
    add(PHASED[0], 500, |step| if step < 400 { 0.1 } else { 1.0 });
    add(PHASED[1], 500, |step| if step < 100 { 1.0 } else { 0.1 });
    add(PHASED[2], 600, |step| match step {
        0..200 => 0.1,
        200..400 => 0.6,
        _ => 0.2,
    });
    add(PHASED[3], 30, |step| if step < 29 { 2.0 } else { 60.0 });
    add(PHASED[4], 300, |step| match step {
        0..290 => 0.2,
        _ => 4.0,
    });
    runs
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
