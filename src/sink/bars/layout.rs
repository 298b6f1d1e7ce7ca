//! Puts the picture into lines of columns: label, bar or spinner, facts, message; cut to the terminal.
//!
//! Responsible for what stands where and what goes first when there is no room. Refuses to know indicatif, the terminal
//! and when anything is drawn.
//!
//! A column is as wide as its widest cell was so far, or every number that gets longer, shorter or absent would shift
//! all that follows it. What a part no longer says leaves blanks; a terminal that is resized begins anew.

use std::time::Duration;

use crate::parts::{Part, Parts};

use super::super::narration;
use super::super::text::{amount, clock, columns, escape, fit, percent, rate};
use super::SPIN;

/// Estimates beyond this help nobody.
const FAR: Duration = Duration::from_hours(24 * 100);

/// A line of the picture: `left`, a bar of so many columns (0 for none), `right`, with a space between them.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) left: String,
    pub(super) bar: usize,
    pub(super) fraction: f64,
    pub(super) right: String,
}

/// The widths of the columns.
#[derive(Debug, Default)]
pub(super) struct Layout {
    width: usize,
    label: usize,
    facts: [usize; FACTS],
    /// Whether there ever was a bar, and a message.
    bars: bool,
    messages: bool,
}

const PERCENT: usize = 0;
const AMOUNT: usize = 1;
const RATE: usize = 2;
const TIME: usize = 3;
const ETA: usize = 4;
const FACTS: usize = 5;

struct Row {
    label: String,
    fraction: Option<f64>,
    facts: [String; FACTS],
    message: String,
}

impl Layout {
    /// The picture as at most so many lines: the task, and its parts as a tree below it. `message` is the task's if it
    /// gave none itself.
    pub(super) fn lines(
        &mut self,
        parts: &Parts,
        name: &str,
        message: Option<&str>,
        (width, at_most): (usize, usize),
        elapsed: Duration,
    ) -> Vec<Line> {
        // The last column stays free: a terminal that wraps there would scroll the picture away.
        let width = width.saturating_sub(1);
        if width != self.width {
            *self = Self {
                width,
                ..Self::default()
            };
        }
        let name = escape(parts.task.known.title.as_deref().unwrap_or(name));
        let mut rows = vec![Row::new(&name, &parts.task, elapsed, elapsed)];
        if let Some(message) = message.filter(|_| rows[0].message.is_empty()) {
            escape(message).trim().clone_into(&mut rows[0].message);
        }
        let tally = narration::tally(parts);
        rows[0].message = [tally.as_str(), &rows[0].message].join("  ").trim().into();
        for (depth, part) in parts.tree(at_most.saturating_sub(1)) {
            let indent = " ".repeat((depth * 2).min(self.label_limit() / 2));
            let label = indent + &narration::label(part);
            rows.push(Row::new(&label, part, part.elapsed(elapsed), elapsed));
        }
        self.widen(&rows);
        let shown = self.shown();
        rows.iter()
            .map(|row| self.line(row, &shown, elapsed))
            .collect()
    }

    fn label_limit(&self) -> usize {
        (self.width / 3).max(8)
    }

    fn widen(&mut self, rows: &[Row]) {
        for row in rows {
            let label = columns(&row.label).min(self.label_limit());
            self.label = self.label.max(label);
            self.bars |= row.fraction.is_some();
            self.messages |= !row.message.is_empty();
            for (widest, fact) in self.facts.iter_mut().zip(&row.facts) {
                *widest = columns(fact).max(*widest);
            }
        }
    }

    /// The columns of a bar, or of the spinner where there are no bars at all.
    fn bar(&self) -> usize {
        match self.width {
            _ if !self.bars => 1,
            60.. => (self.width / 5).min(30),
            30.. => 8,
            _ => 0,
        }
    }

    /// The widths of the facts that there is room for, 0 for the others.
    fn shown(&self) -> [usize; FACTS] {
        let mut shown = self.facts;
        let message = if self.messages { self.width / 5 } else { 0 };
        for (least, message) in [
            (RATE, message),
            (TIME, message),
            (ETA, message),
            (AMOUNT, 0),
        ] {
            let facts: usize = shown.iter().map(|fact| fact + 2).sum();
            if self.label + self.bar() + facts + message > self.width
                && (least != AMOUNT || shown[PERCENT] > 0)
            {
                shown[least] = 0;
            }
        }
        shown
    }

    fn line(&self, row: &Row, shown: &[usize; FACTS], elapsed: Duration) -> Line {
        let mut left = fit(&row.label, self.label).into_owned();
        pad(&mut left, self.label);
        let mut bar = self.bar();
        if row.fraction.is_none() && bar > 0 {
            left.push(' ');
            left.push(spinner(elapsed));
            pad(&mut left, self.label + 1 + bar);
            bar = 0;
        }
        let mut right = String::new();
        for (fact, &width) in row.facts.iter().zip(shown) {
            if width > 0 {
                let end = columns(&right) + width;
                pad(&mut right, end - columns(fact));
                right.push_str(fact);
                right.push_str("  ");
            }
        }
        right.push_str(&row.message);
        let spaces = if bar == 0 { 1 } else { 2 };
        let room = self.width.saturating_sub(columns(&left) + bar + spaces);
        Line {
            left,
            bar,
            fraction: row.fraction.unwrap_or(0.0),
            right: fit(right.trim_end(), room).into_owned(),
        }
    }
}

impl Row {
    fn new(label: &str, part: &Part, time: Duration, elapsed: Duration) -> Self {
        let known = &part.known;
        let fraction = known.fraction();
        let percent = fraction.map(|fraction| format!("{:>4}", percent(fraction)));
        let rate = part.rate(elapsed).map(|so_many| rate(known, so_many));
        let eta = part
            .remaining(elapsed)
            .filter(|left| !left.is_zero() && *left < FAR)
            .map(|left| format!("ETA {}", clock(left)));
        let message = escape(known.message.as_deref().unwrap_or(""));
        Self {
            label: label.to_owned(),
            fraction,
            facts: [
                percent.unwrap_or_default(),
                amount(known),
                rate.unwrap_or_default(),
                clock(time),
                eta.unwrap_or_default(),
            ],
            message: message.trim().to_owned(),
        }
    }
}

fn pad(text: &mut String, width: usize) {
    let missing = width.saturating_sub(columns(text));
    text.extend(std::iter::repeat_n(' ', missing));
}

fn spinner(elapsed: Duration) -> char {
    const TURN: [char; 8] = ['⣾', '⣷', '⣯', '⣟', '⡿', '⢿', '⣻', '⣽'];
    let step = elapsed.as_millis() / SPIN.as_millis();
    TURN[usize::try_from(step % 8).unwrap_or(0)]
}
