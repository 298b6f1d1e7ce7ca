//! Puts the picture into lines of columns: label, bar or spinner, facts, message; cut to the terminal.
//!
//! Decides the place of each text, and which goes first when there is no room. Knows neither indicatif nor the
//! terminal, nor when a frame is due.
//!
//! A column is as wide as its widest cell was so far, or every number that gets longer, shorter or absent would shift
//! all that follows it. Values that a part no longer reports leave blanks; a terminal that is resized begins anew.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::parts::{Part, Parts};
use crate::protocol::Progress;

use super::super::format::{amount, clock, estimated, eta, eta_about, rate, share, stopwatch};
use super::super::messages;
use super::super::sanitize::{columns, escape, fit};
use super::SPIN;
use super::activity::Activity;
use super::outlook::Outlook;

/// Estimates beyond this are not shown: they say nothing but "not today".
const FAR: Duration = Duration::from_hours(24 * 100);

/// A line of the picture: `left`, a bar of this many columns (0 for none), `right`, with a space between them.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) left: String,
    pub(super) bar: usize,
    pub(super) fraction: f64,
    pub(super) right: String,
    pub(super) tone: Tone,
}

/// What a color says beside the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Usual,
    /// Something has failed.
    Failed,
    /// It is to stop.
    Stopping,
}

impl Line {
    /// A line of this text alone.
    pub(super) fn of(text: &str, width: usize) -> Self {
        Self {
            left: fit(text, width).into_owned(),
            bar: 0,
            fraction: 0.0,
            right: String::new(),
            tone: Tone::Usual,
        }
    }

    /// The same line in this tone.
    pub(super) fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// The widths of the columns.
#[derive(Debug, Default)]
pub(super) struct Layout {
    width: usize,
    label: usize,
    facts: [usize; FACTS],
    /// There was a bar, or a message, at some time.
    bars: bool,
    messages: bool,
}

/// The picture of one task.
pub(super) struct Picture<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) parts: &'a Parts,
    /// Shown as long as the task has reported nothing, and when what it has reported is over.
    pub(super) activity: Option<&'a Activity>,
    /// The message of a task that gave none itself.
    pub(super) message: Option<&'a str>,
    /// What earlier runs say.
    pub(super) outlook: Outlook,
    /// For how long the task has run.
    pub(super) elapsed: Duration,
    /// The state of its stop, if one was requested: a line of its own below the task's.
    pub(super) stop: Option<String>,
}

pub(super) const PERCENT: usize = 0;
pub(super) const AMOUNT: usize = 1;
pub(super) const RATE: usize = 2;
pub(super) const TIME: usize = 3;
pub(super) const ETA: usize = 4;
pub(super) const FACTS: usize = 5;

/// The cells of a task or a part.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) fraction: Option<f64>,
    pub(super) facts: [String; FACTS],
    pub(super) message: String,
    pub(super) tone: Tone,
}

impl Layout {
    /// The pictures one below the other, as at most this many lines: each task, its parts as a tree below it. No part
    /// takes the line of a task. `elapsed` is the time of the run.
    pub(super) fn lines(
        &mut self,
        pictures: &[Picture<'_>],
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
        let pictures = &pictures[..pictures.len().min(at_most)];
        let mut room = at_most;
        let mut blocks = Vec::new();
        for (index, picture) in pictures.iter().enumerate() {
            let at_most = room - (pictures.len() - 1 - index);
            let mut rows = self.rows(picture, at_most);
            self.widen(&rows);
            if picture.stop.is_some() {
                // It takes the line of a part, or of the task where there is room for one only.
                rows.truncate(at_most - 1);
                room -= 1;
            }
            room -= rows.len();
            blocks.push((rows, picture.stop.as_deref()));
        }
        let mut shown = self.shown();
        if pictures.iter().all(|picture| picture.stop.is_some()) {
            (shown[RATE], shown[ETA]) = (0, 0);
        }
        let mut lines = Vec::new();
        for (rows, stop) in blocks {
            let below = lines.len() + rows.len().min(1);
            lines.extend(rows.iter().map(|row| self.line(row, &shown, elapsed)));
            if let Some(text) = stop {
                let line = Line::of(&format!("  {text}"), width);
                lines.insert(below, line.toned(Tone::Stopping));
            }
        }
        lines
    }

    /// The task's row and those of its parts.
    fn rows(&self, picture: &Picture<'_>, at_most: usize) -> Vec<Row> {
        let Picture { parts, elapsed, .. } = *picture;
        let name = parts.task.known.title.as_deref();
        let mut rows = vec![Row::of_task(picture, name.unwrap_or(&picture.name))];
        for (depth, part) in parts.tree(at_most.saturating_sub(1), elapsed) {
            let indent = " ".repeat((depth * 2).min(self.label_limit() / 2));
            let label = indent + &messages::label(part);
            rows.push(Row::new(&label, part, part.elapsed(elapsed), elapsed));
        }
        if picture.stop.is_some() {
            // No report comes any more, and no rate nor time left is true.
            for row in &mut rows {
                row.facts[RATE].clear();
                row.facts[ETA].clear();
            }
        }
        rows
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
        // A message may go; how far it is and how long it takes may not.
        for (least, message) in [(RATE, message), (TIME, message), (AMOUNT, 0), (ETA, 0)] {
            let spaces = 1 + self.bar().min(1);
            let facts = sum(&shown);
            if self.label + self.bar() + spaces + facts + message > self.width
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
        let spaces = if bar == 0 { 1 } else { 2 };
        let room = self.width.saturating_sub(columns(&left) + bar + spaces);
        let mut right = row.right(shown);
        if columns(&right) > room {
            // The widths are those of other rows: a message is worth more than the blanks before it.
            right = row.right(&std::array::from_fn(|fact| {
                shown[fact].min(columns(&row.facts[fact]))
            }));
        }
        Line {
            left,
            bar,
            fraction: row.fraction.unwrap_or(0.0),
            right: fit(right.trim_end(), room).into_owned(),
            tone: row.tone,
        }
    }
}

impl Row {
    /// All after the bar, with columns of these widths.
    fn right(&self, widths: &[usize; FACTS]) -> String {
        let mut right = String::new();
        for (fact, &width) in self.facts.iter().zip(widths) {
            if width > 0 {
                pad_before(&mut right, fact, width);
            }
        }
        right.push_str(&self.message);
        right
    }

    /// The row of a task that is called so.
    pub(super) fn of_task(picture: &Picture<'_>, name: &str) -> Self {
        let Picture { parts, elapsed, .. } = *picture;
        let task = picture
            .activity
            .map_or(&parts.task, |activity| &activity.file);
        let mut row = Self::new(&escape(name), task, elapsed, elapsed);
        let message = &mut row.message;
        if let Some(text) = picture.message.filter(|_| message.is_empty()) {
            escape(text).trim().clone_into(message);
        }
        let tally = messages::tally(parts, false, elapsed);
        let outlook = &picture.outlook;
        let line = picture.activity.map_or(String::new(), |activity| {
            activity.line(elapsed, outlook.words.is_empty())
        });
        // The row has that name already.
        let file = message.strip_prefix("reading ");
        if picture.activity.is_some() && file.is_some_and(|file| row.label.ends_with(file)) {
            message.clear();
        }
        let words = [&outlook.words, tally.as_str(), message, &line];
        let words: Vec<_> = words
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect();
        *message = words.join("  ");
        if let (None, Some(done)) = (row.fraction, outlook.done) {
            row.fraction = Some(done);
            row.facts[PERCENT] = format!("{:>4}", estimated(done));
        }
        if let Some(left) = outlook.left {
            row.facts[ETA] = shown(left, eta_about);
        }
        if picture.stop.is_some() {
            row.tone = Tone::Stopping;
        } else if parts.ended.badly > 0 {
            row.tone = Tone::Failed;
        }
        // The tally of all parts says more.
        row.facts[AMOUNT] = task.current(elapsed).map_or(String::new(), amount);
        row
    }

    fn new(label: &str, part: &Part, time: Duration, elapsed: Duration) -> Self {
        let nothing = Progress::default();
        let known = part.current(elapsed).unwrap_or(&nothing);
        let percent = share(part, elapsed).map(|share| format!("{share:>4}"));
        let rate = part.rate(elapsed).map(|so_many| rate(known, so_many));
        let eta = part.remaining(elapsed).map(|left| shown(left, eta));
        let mut message = escape(known.message.as_deref().unwrap_or("")).into_owned();
        if let Some(silence) = part.stale(elapsed) {
            message = format!("{}  no update for {}", message.trim(), clock(silence));
        }
        Self {
            label: label.to_owned(),
            fraction: part.fraction(elapsed),
            facts: [
                percent.unwrap_or_default(),
                part.tally()
                    .map_or_else(|| amount(known), |(over, named)| format!("{over}/{named}")),
                rate.unwrap_or_default(),
                stopwatch(time),
                eta.unwrap_or_default(),
            ],
            message: message.trim().to_owned(),
            tone: Tone::Usual,
        }
    }
}

/// A time left, if it says anything.
fn shown(left: Duration, write: fn(Duration) -> String) -> String {
    if left.is_zero() || left >= FAR {
        return String::new();
    }
    write(left)
}

/// The columns of these facts, each with the space after it.
pub(super) fn sum(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.map(|width| width + 2).sum()
}

/// Adds a fact to a line, at the end of a column of this width.
pub(super) fn pad_before(text: &mut String, fact: &str, width: usize) {
    let end = columns(text) + width;
    pad(text, end - columns(fact));
    text.push_str(fact);
    text.push_str("  ");
}

pub(super) fn pad(text: &mut String, width: usize) {
    let missing = width.saturating_sub(columns(text));
    text.extend(std::iter::repeat_n(' ', missing));
}

pub(super) fn spinner(elapsed: Duration) -> char {
    const TURN: [char; 8] = ['⣾', '⣷', '⣯', '⣟', '⡿', '⢿', '⣻', '⣽'];
    let step = elapsed.as_millis() / SPIN.as_millis();
    TURN[usize::try_from(step % 8).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FileRead, Observed, Stream};

    const MIB: u64 = 1024 * 1024;

    fn picture<'a>(parts: &'a Parts, activity: Option<&'a Activity>, seconds: u64) -> Picture<'a> {
        Picture {
            name: Cow::Borrowed("job"),
            parts,
            activity,
            message: None,
            outlook: Outlook::default(),
            elapsed: Duration::from_secs(seconds),
            stop: None,
        }
    }

    /// The only row, without its bar.
    fn row(parts: &Parts, activity: Option<&Activity>, seconds: u64) -> String {
        let picture = picture(parts, activity, seconds);
        let elapsed = picture.elapsed;
        let lines = Layout::default().lines(&[picture], (100, 10), elapsed);
        format!("{} {}", lines[0].left, lines[0].right)
    }

    fn observed(file: Option<FileRead>) -> Observed {
        Observed {
            cpu: 0.98,
            read: 125_829_120.0,
            written: 31_457_280.0,
            file,
        }
    }

    #[test]
    fn a_narrow_terminal_keeps_the_time_left_and_a_message_is_not_pushed_away_by_blanks() {
        let mut parts = Parts::default();
        let report = |id: Option<&'static str>, done, total, unit: Option<&'static str>| Progress {
            id: id.map(Cow::Borrowed),
            progress: Some(done),
            total: Some(total),
            unit: unit.map(Cow::Borrowed),
            message: Some(Cow::Borrowed("fetching the packages")),
            ..Progress::default()
        };
        for step in 0..3_u32 {
            let (at, done) = (Duration::from_secs(step.into()), f64::from(step));
            parts.apply(&report(None, done, 4.0, None), None, at);
            let bytes = report(Some("linux.deb"), done * 2e7, 4e8, Some("bytes"));
            parts.apply(&bytes, None, at);
        }
        let rows = |width| -> Vec<String> {
            let picture = picture(&parts, None, 2);
            let lines = Layout::default().lines(&[picture], (width, 10), Duration::from_secs(2));
            let text = |line: &Line| format!("{}|{}|{}", line.left, line.bar, line.right);
            lines.iter().map(text).collect()
        };
        assert_eq!(
            rows(100),
            [
                "job        |19| 50%  2/4  0:02  ETA 2s  0 of 1 parts  fetching the packages",
                "  linux.deb|19| 10%  38.1 MiB/381.5 MiB  0:02  ETA 18s  fetching the packages"
            ]
        );
        assert_eq!(
            rows(40),
            [
                "job        |8| 50%  ETA 2s  0 o…",
                "  linux.deb|8| 10%  ETA 18s  fe…"
            ]
        );
    }

    #[test]
    fn a_silent_child_has_a_row_of_what_it_uses_and_its_last_line() {
        let mut activity = Activity::default();
        activity.observed(&observed(None), Duration::from_secs(42));
        activity.printed(Stream::Stdout, b"linking\n");
        assert_eq!(
            row(&Parts::default(), Some(&activity), 42),
            "job ⣾ 0:42  98% cpu  read 120.0 MiB/s  write 30.0 MiB/s  linking"
        );
    }

    #[test]
    fn a_file_that_is_read_through_is_marked_as_an_estimate_and_goes_stale() {
        let mut activity = Activity::default();
        for (position, seconds) in [(40, 1), (42, 2)] {
            let file = FileRead {
                name: "big.iso".to_owned(),
                position: position * MIB,
                size: 100 * MIB,
            };
            activity.observed(&observed(Some(file)), Duration::from_secs(seconds));
        }
        assert_eq!(
            row(&Parts::default(), Some(&activity), 2),
            "job ~42%  42.0 MiB/100.0 MiB  2.0 MiB/s  0:02  ETA 29s  reading big.iso"
        );
        assert_eq!(
            row(&Parts::default(), Some(&activity), 17),
            "job ~42%  42.0 MiB/100.0 MiB  0:17  reading big.iso  no update for 15s"
        );
    }

    #[test]
    fn another_format_is_never_full_and_goes_stale_but_keeps_its_value() {
        let mut parts = Parts::default();
        let share = |percentage| Progress {
            percentage: Some(percentage),
            ..Progress::default()
        };
        parts.apply(&share(100.0), Some("tool"), Duration::ZERO);
        assert_eq!(row(&parts, None, 1), "job  99%  0:01");
        parts.apply(&share(42.0), Some("tool"), Duration::from_secs(1));
        assert_eq!(row(&parts, None, 10), "job  42%  0:10");
        assert_eq!(row(&parts, None, 71), "job  42%  1:11  no update for 1m10s");
    }

    #[test]
    fn a_meter_that_is_over_leaves_a_row_of_what_the_child_uses_and_its_last_line() {
        let mut parts = Parts::default();
        let full = Progress {
            progress: Some(400.0),
            total: Some(400.0),
            message: Some(Cow::Borrowed("the last file")),
            ..Progress::default()
        };
        parts.apply(&full, Some("tool"), Duration::from_secs(1));
        assert_eq!(
            row(&parts, None, 2),
            "job  99%  400/400  0:02  the last file"
        );
        let mut activity = Activity::default();
        activity.begin_anew();
        let file = FileRead {
            name: "archive".to_owned(),
            position: 98 * MIB,
            size: 100 * MIB,
        };
        activity.observed(&observed(Some(file)), Duration::from_secs(3));
        activity.printed(
            Stream::Stdout,
            b"syncing
",
        );
        assert_eq!(
            row(&parts, Some(&activity), 3),
            "job ⣾ 0:03  98% cpu  read 120.0 MiB/s  write 30.0 MiB/s  syncing"
        );
    }

    #[test]
    fn a_run_that_is_stopped_has_neither_a_rate_nor_a_time_left() {
        let mut parts = Parts::default();
        for seconds in [0_u32, 10] {
            let progress = Progress {
                progress: Some(f64::from(seconds)),
                total: Some(100.0),
                ..Progress::default()
            };
            parts.apply(&progress, None, Duration::from_secs(seconds.into()));
        }
        let mut layout = Layout::default();
        let mut facts = |stop: Option<&str>| {
            let mut picture = picture(&parts, None, 10);
            picture.stop = stop.map(str::to_owned);
            let lines = layout.lines(&[picture], (100, 10), Duration::from_secs(10));
            let words: Vec<_> = lines[0].right.split_whitespace().collect();
            words.join(" ")
        };
        assert_eq!(facts(None), "10% 10/100 1.0/s 0:10 ETA 1m30s");
        assert_eq!(facts(Some("killing")), "10% 10/100 0:10");
    }

    #[test]
    fn every_task_has_its_line_before_any_part_has_one_and_a_stop_stands_below_its_task() {
        let mut parts = Parts::default();
        for id in ["a", "b", "c"] {
            let part = Progress {
                id: Some(Cow::Borrowed(id)),
                ..Progress::default()
            };
            parts.apply(&part, None, Duration::ZERO);
        }
        let labels = |stop: Option<&str>, at_most| {
            let pictures = [Some("killing"), None, None].map(|first| Picture {
                stop: stop.filter(|_| first.is_some()).map(str::to_owned),
                ..picture(&parts, None, 1)
            });
            let lines = Layout::default().lines(&pictures, (100, at_most), Duration::ZERO);
            let labels: Vec<_> = lines
                .iter()
                .map(|line| line.left.split_whitespace().next().unwrap().to_owned())
                .collect();
            labels.join(" ")
        };
        assert_eq!(labels(None, 2), "job job");
        assert_eq!(labels(None, 4), "job a job job");
        assert_eq!(labels(None, 8), "job a b c job a b job");
        assert_eq!(labels(Some("killing"), 3), "killing job job");
        assert_eq!(labels(Some("killing"), 4), "job killing job job");
        assert_eq!(labels(Some("killing"), 5), "job killing a job job");
    }
}
