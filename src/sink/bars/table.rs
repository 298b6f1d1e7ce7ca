//! Puts the picture of a run of many tasks into lines of columns: a row for each task that is shown, one that counts
//! the others, and one for the run.
//!
//! Decides the place of each text, and which goes first when there is no room: the message, then the rate and the time;
//! then the bars shrink; the label is kept to the last. Knows neither which task has which row nor the terminal. As in
//! the picture of a lone task, a column is as wide as its widest cell was so far.

use std::time::Duration;

use super::super::format::{about, clock, count, stopwatch, tasks_per_second};
use super::super::sanitize::{columns, escape, fit};
use super::layout::{
    AMOUNT, ETA, FACTS, Line, PERCENT, Picture, RATE, Row, TIME, Tone, pad, pad_before, spinner,
    sum,
};

/// A row without anything: indicatif draws no empty one.
const BLANK: &str = "\u{2800}";
/// The most columns of a bar, and the fewest of one that there is room for at all.
const WIDEST: usize = 48;
const NARROWEST: usize = 4;

/// The widths of the columns.
#[derive(Debug, Default)]
pub(super) struct Table {
    width: usize,
    label: usize,
    facts: [usize; FACTS],
    of_run: [usize; RUN],
    /// There was a bar, or a message, at some time.
    bars: bool,
    messages: bool,
}

/// A row above that of the run.
pub(super) enum Entry<'a> {
    Task(Picture<'a>),
    /// A task that waits, and for what.
    Waiting {
        name: &'a str,
        text: String,
    },
    /// The place of the next task.
    Nothing,
}

/// The row of the run.
#[derive(Debug, Default)]
pub(super) struct OfRun<'a> {
    pub(super) name: &'a str,
    /// How much is done, of 1; none: that is not known.
    pub(super) fraction: Option<f64>,
    /// How many tasks are over, of how many.
    pub(super) over: u64,
    pub(super) total: Option<u64>,
    pub(super) failed: u64,
    /// How many are lost.
    pub(super) lost: u64,
    pub(super) skipped: u64,
    pub(super) running: u64,
    /// How many tasks end in a second.
    pub(super) rate: Option<f64>,
    pub(super) elapsed: Duration,
    pub(super) left: Option<Duration>,
    /// That is only what earlier runs say.
    pub(super) only_expects: bool,
    /// The state of its stop: it takes the place of all that is no count.
    pub(super) stop: Option<String>,
}

/// The tasks that run and have no row.
#[derive(Debug)]
pub(super) struct Others<'a> {
    pub(super) number: usize,
    /// The oldest of them, and for how long it has run.
    pub(super) oldest: &'a str,
    pub(super) since: Duration,
}

// The facts about a run.
const SHARE: usize = 0;
const OVER: usize = 1;
const FAILED: usize = 2;
const RUNNING: usize = 3;
const MORE: usize = 4;
const SPEED: usize = 5;
const ELAPSED: usize = 6;
const LEFT: usize = 7;
const RUN: usize = 8;

impl Table {
    /// The lines of the picture, for a screen of this many columns.
    pub(super) fn lines(
        &mut self,
        entries: &[Entry<'_>],
        others: Option<&Others<'_>>,
        run: &OfRun<'_>,
        width: usize,
    ) -> Vec<Line> {
        // The last column stays free: a terminal that wraps there would scroll the picture away.
        let width = width.saturating_sub(1);
        if width != self.width {
            *self = Self {
                width,
                ..Self::default()
            };
        }
        let rows: Vec<_> = entries.iter().map(Entry::row).collect();
        let (of_run, label) = (run.facts(), escape(run.name));
        self.widen(&rows, &of_run, run, &label);
        let shown = self.shown();
        let of_run_shown = self.shown_of_run();
        let bar = match self.bar(&shown, &of_run_shown) {
            // What is waited for is of more interest.
            bar if run.stop.is_some() => bar.min(self.usual_bar()),
            bar => bar,
        };
        let mut lines = Vec::new();
        for (row, entry) in rows.iter().zip(entries) {
            lines.push(match entry {
                Entry::Task(_) => self.task(row, &shown, bar, run.elapsed),
                Entry::Waiting { .. } => self.text(&row.label, &row.message),
                Entry::Nothing => Line::of(BLANK, width),
            });
        }
        if let Some(others) = others {
            let since = clock(others.since);
            let text = format!(
                "and {} more, the oldest since {since} ({})",
                others.number,
                escape(others.oldest)
            );
            lines.push(Line::of(&text, width));
        }
        lines.push(match &run.stop {
            Some(stop) => self.stop(&label, &of_run[OVER], stop),
            None => self.run(&label, run, (&of_run, &of_run_shown), (&shown, bar)),
        });
        lines
    }

    fn label_limit(&self) -> usize {
        (self.width / 3).max(8).min(self.width.saturating_sub(1))
    }

    fn widen(&mut self, rows: &[Row], of_run: &[String; RUN], run: &OfRun<'_>, label: &str) {
        let limit = self.label_limit();
        let labels = rows.iter().map(|row| row.label.as_str()).chain([label]);
        let widest = labels.map(columns).max().unwrap_or(0).min(limit);
        self.label = self.label.max(widest);
        self.bars |= run.fraction.is_some();
        for row in rows {
            self.bars |= row.fraction.is_some();
            self.messages |= !row.message.is_empty();
            for (widest, fact) in self.facts.iter_mut().zip(&row.facts) {
                *widest = columns(fact).max(*widest);
            }
        }
        for (widest, fact) in self.of_run.iter_mut().zip(of_run) {
            *widest = columns(fact).max(*widest);
        }
    }

    /// The columns of a bar that all facts make room for, or of the spinner where there are no bars at all.
    fn usual_bar(&self) -> usize {
        match self.width {
            _ if !self.bars => 1,
            60.. => (self.width / 5).min(30),
            30.. => 8,
            _ => 0,
        }
    }

    /// The columns that are left for the facts.
    fn room(&self, bar: usize) -> usize {
        self.width.saturating_sub(self.label + 2 + bar)
    }

    /// The widths of the facts about tasks that there is room for, 0 for the others.
    fn shown(&self) -> [usize; FACTS] {
        let mut shown = self.facts;
        for (fact, bar) in [
            (RATE, self.usual_bar()),
            (TIME, self.usual_bar()),
            (ETA, NARROWEST),
            (AMOUNT, NARROWEST),
            (PERCENT, 0),
        ] {
            if sum(&shown) > self.room(bar) {
                shown[fact] = 0;
            }
        }
        shown
    }

    /// The same about the run.
    fn shown_of_run(&self) -> [usize; RUN] {
        let mut shown = self.of_run;
        for (fact, bar) in [
            (SPEED, self.usual_bar()),
            (ELAPSED, self.usual_bar()),
            (RUNNING, self.usual_bar()),
            (LEFT, NARROWEST),
            (OVER, NARROWEST),
            (FAILED, NARROWEST),
            (MORE, 0),
            (SHARE, 0),
        ] {
            if sum(&shown) > self.room(bar) {
                shown[fact] = 0;
            }
        }
        shown
    }

    /// The columns of the bars: all that the facts leave.
    fn bar(&self, shown: &[usize; FACTS], of_run: &[usize; RUN]) -> usize {
        if !self.bars {
            return 1;
        }
        let message = if self.messages { self.width / 5 } else { 0 };
        let room = self.room(0);
        let bar = room.saturating_sub(sum(of_run).max(sum(shown)));
        // A message takes no room from a bar that is as wide as usual.
        let beside = room.saturating_sub(sum(shown) + message);
        let bar = bar.min(beside.max(self.usual_bar()));
        match bar.min(WIDEST) {
            0..NARROWEST => 0,
            bar => bar,
        }
    }

    /// The label, and then either the place of a bar or something in it.
    fn left(
        &self,
        label: &str,
        bar: usize,
        fraction: Option<f64>,
        at: Duration,
    ) -> (String, usize) {
        let mut left = fit(label, self.label).into_owned();
        pad(&mut left, self.label);
        if bar == 0 {
            return (left, 0);
        }
        left.push(' ');
        if fraction.is_some() {
            return (left, bar);
        }
        left.push(' ');
        left.push(spinner(at));
        pad(&mut left, self.label + 2 + bar);
        (left, 0)
    }

    fn task(&self, row: &Row, shown: &[usize; FACTS], bar: usize, at: Duration) -> Line {
        let (left, bar) = self.left(&row.label, bar, row.fraction, at);
        let mut right = String::new();
        for (fact, &width) in row.facts.iter().zip(shown) {
            if width > 0 {
                pad_before(&mut right, fact, width);
            }
        }
        if shown[TIME] == 0 && row.fraction.is_none() {
            // There is nothing else to say of it.
            let end = sum(shown).saturating_sub(2);
            right.truncate(right.trim_end().len());
            let time = columns(&row.facts[TIME]);
            pad(&mut right, end.saturating_sub(time));
            right.push_str(&row.facts[TIME]);
            right.push_str("  ");
        }
        right.push_str(&row.message);
        self.line(left, bar, row.fraction, &right).toned(row.tone)
    }

    fn text(&self, label: &str, text: &str) -> Line {
        let mut left = fit(label, self.label).into_owned();
        pad(&mut left, self.label);
        left.push_str("  ");
        left.push_str(text);
        Line::of(left.trim_end(), self.width)
    }

    /// The row of a run that is stopped. What it waits for is more than any bar.
    fn stop(&self, label: &str, over: &str, stop: &str) -> Line {
        let with_count = format!("{over}  {stop}");
        if self.label + 2 + columns(&with_count) <= self.width {
            return self.text(label, &with_count).toned(Tone::Stopping);
        }
        self.text(label, stop).toned(Tone::Stopping)
    }

    fn run(
        &self,
        label: &str,
        run: &OfRun<'_>,
        (facts, of_run): (&[String; RUN], &[usize; RUN]),
        (shown, bar): (&[usize; FACTS], usize),
    ) -> Line {
        let (left, bar) = self.left(label, bar, run.fraction, run.elapsed);
        let mut right = String::new();
        if run.fraction.is_none() {
            right.push(' ');
        }
        for (index, fact) in facts.iter().enumerate() {
            if of_run[index] == 0 || fact.is_empty() {
                continue;
            }
            // The time stands below the times of the tasks, if the counts before it leave the place free.
            if index == ELAPSED && shown[TIME] > 0 {
                let end = sum(&shown[..=TIME]) - 2;
                pad(&mut right, end.saturating_sub(columns(fact)));
            }
            right.push_str(fact);
            right.push_str("  ");
        }
        let tone = if run.failed + run.lost > 0 {
            Tone::Failed
        } else {
            Tone::Usual
        };
        self.line(left, bar, run.fraction, &right).toned(tone)
    }

    fn line(&self, left: String, bar: usize, fraction: Option<f64>, right: &str) -> Line {
        let spaces = if bar == 0 { 1 } else { 2 };
        let room = self.width.saturating_sub(columns(&left) + bar + spaces);
        Line {
            bar,
            fraction: fraction.unwrap_or(0.0),
            right: fit(right.trim_end(), room).into_owned(),
            left,
            tone: Tone::Usual,
        }
    }
}

impl Entry<'_> {
    fn row(&self) -> Row {
        match self {
            Self::Task(picture) => {
                // The task stands in the list by this name; what it calls itself is no help to find it.
                let mut row = Row::of_task(picture, &picture.name);
                if let Some(stop) = &picture.stop {
                    // No report comes any more, and no rate nor time left is true.
                    row.facts[RATE].clear();
                    row.facts[ETA].clear();
                    row.message.clone_from(stop);
                }
                row
            }
            Self::Waiting { name, text } => Row {
                label: escape(name).into_owned(),
                message: text.clone(),
                ..Row::default()
            },
            Self::Nothing => Row::default(),
        }
    }
}

impl OfRun<'_> {
    fn facts(&self) -> [String; RUN] {
        let mut facts: [String; RUN] = Default::default();
        if let Some(fraction) = self.fraction {
            let percent = format!("{:.0}%", (fraction * 100.0).floor());
            facts[SHARE] = format!("{percent:>4}");
        }
        facts[OVER] = match self.total {
            Some(total) => format!("{}/{}", count(self.over), count(total)),
            None => format!("{} done", count(self.over)),
        };
        let mut badly = Vec::new();
        for (number, what) in [
            (self.failed, "failed"),
            (self.lost, "lost"),
            (self.skipped, "skipped"),
        ] {
            if number > 0 {
                badly.push(format!("{} {what}", count(number)));
            }
        }
        facts[FAILED] = badly.join("  ");
        if self.running > 0 {
            facts[RUNNING] = format!("{} running", count(self.running));
        }
        if self.total.is_none() {
            "+".clone_into(&mut facts[MORE]);
        }
        // Of slow tasks, their times say more.
        let rate = self.rate.filter(|rate| *rate >= 0.1);
        facts[SPEED] = rate.map_or(String::new(), tasks_per_second);
        facts[ELAPSED] = stopwatch(self.elapsed);
        let mark = if self.only_expects { "~" } else { "" };
        let left = self.left.map(|left| format!("ETA {mark}{}", about(left)));
        facts[LEFT] = left.unwrap_or_default();
        facts
    }
}
