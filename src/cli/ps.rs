//! `progrun ps`: the runs of this user, and how far they are.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use clap::Parser;
use rustix::stdio::stdout;
use rustix::termios::{isatty, tcgetwinsize};

use crate::detached::Record;
use crate::event::{Ending, signal_name};
use crate::sink::{Cell, Patient, clock, escape, escape_json, table};
use crate::wire::{Seconds, Status};

use super::attach;
use super::runs::{self, Answer, LiveRun};

const HELP: &str = "\
Examples:
  progrun ps                   a table of all runs of this user
  progrun ps --watch           the same, kept up to date
  progrun ps --all             also the runs with --detach that are over
  progrun ps --json | jq .     a JSON object for each run; see progrun-protocol(5)";

/// How often the table is drawn again.
const EVERY: Duration = Duration::from_secs(1);
/// How many columns a name has on a terminal.
const NAME: usize = 30;

/// List the runs of this user: how far they are, and how long they have left
#[derive(Debug, Parser)]
#[command(
    name = "ps",
    after_help = HELP,
    override_usage = "progrun ps [OPTIONS]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Ps {
    /// Print a JSON object for each run, one per line
    #[arg(long)]
    json: bool,

    /// Also list the runs with --detach that are over, for 30 days
    #[arg(short, long)]
    all: bool,

    /// Go on until Ctrl-C: once a second
    #[arg(short, long)]
    watch: bool,
}

impl Ps {
    /// Prints the list.
    ///
    /// # Errors
    /// If stdout cannot be written to.
    pub(super) fn run(self) -> io::Result<()> {
        let mut drawn = 0;
        loop {
            let runs = runs::all();
            runs.tell_suspects();
            let deaf = runs::deaf(&runs);
            let runs: Vec<_> = runs.iter().chain(&deaf).collect();
            let ended = if self.all { runs::ended() } else { Vec::new() };
            let text = if self.json {
                json(&runs, &ended)
            } else {
                human(&runs, &ended)
            };
            if self.watch && !self.json && isatty(stdout()) {
                drawn = redraw(&text, drawn)?;
            } else {
                write(&text)?;
            }
            if !self.watch {
                if text.is_empty() && !self.json {
                    super::complain("there is no run");
                }
                return Ok(());
            }
            thread::sleep(EVERY);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = Patient(io::stdout());
    stdout.write_all(text.as_bytes())
}

/// Draws over the last picture of so many lines. Gives how many there are now.
fn redraw(text: &str, drawn: usize) -> io::Result<usize> {
    let height = tcgetwinsize(stdout()).map_or(24, |size| usize::from(size.ws_row));
    let lines: Vec<_> = text.lines().take(height.saturating_sub(1).max(1)).collect();
    let mut picture = String::new();
    if drawn > 0 {
        picture = format!("\x1b[{drawn}A\r");
    }
    for line in &lines {
        picture.push_str(line);
        picture.push_str("\x1b[K\n");
    }
    picture.push_str("\x1b[J");
    write(&picture)?;
    Ok(lines.len())
}

/// The lines with which the runs answered. One that does not answer has a line all the same.
fn json(runs: &[&LiveRun], ended: &[Record]) -> String {
    let mut text = String::new();
    for run in runs {
        match &run.answer {
            Answer::Line(line) => text.extend([line, "\n"]),
            Answer::Silence(known) => text.push_str(&known.to_line(run.pid)),
        }
    }
    for record in ended {
        text.push_str(&status(record).to_line());
    }
    // A program takes the lines as they are. To a terminal they may say something.
    if isatty(stdout()) {
        escape_json(&text).into_owned()
    } else {
        text
    }
}

/// A run that is over, as one that is there says how it is.
fn status(record: &Record) -> Status<'_> {
    let end = record.end.as_ref();
    let mut status = Status::of(record.pid, &record.name, Duration::ZERO);
    // Of one that was killed, it is not known.
    status.elapsed = end.map(|end| end.elapsed.into());
    status.command = record.command.iter().map(Into::into).collect();
    status.directory = Some(record.directory.to_string_lossy());
    let began = humantime::format_rfc3339_millis(record.began);
    status.began = Some(began.to_string().into());
    status.detached = true;
    status.output = Some(record.output.path().to_string_lossy().into_owned().into());
    status.host = record.elsewhere().map(Into::into);
    status.state = status.host.as_ref().map_or("lost", |_| "elsewhere").into();
    match end {
        Some(end) => status.ended(end.state.word(), end.ending),
        None => status,
    }
}

/// The table: each run below the one inside which it was started.
fn human(runs: &[&LiveRun], ended: &[Record]) -> String {
    if runs.is_empty() && ended.is_empty() {
        return String::new();
    }
    let head = ["PID", "NAME", "STATE", "DONE", "ELAPSED", "LEFT", "COMMAND"];
    let mut rows = vec![head.map(str::to_owned)];
    let mut is_shown = vec![false; runs.len()];
    let parent = |index: usize| runs::parent(runs.iter().copied(), runs[index]);
    let is_outermost = |index: &usize| parent(*index).is_none();
    // Numbers that were used again can make a circle, which has no outermost one.
    let all = 0..runs.len();
    for first in all.clone().filter(is_outermost).chain(all.clone()) {
        let mut open = vec![(0, first)];
        while let Some((depth, index)) = open.pop() {
            if std::mem::replace(&mut is_shown[index], true) {
                continue;
            }
            rows.push(row(runs[index], depth));
            let is_inner =
                |other: &usize| parent(*other).is_some_and(|run| std::ptr::eq(run, runs[index]));
            let inner = all.clone().rev().filter(is_inner);
            open.extend(inner.map(|inner| (depth + 1, inner)));
        }
    }
    for record in ended {
        rows.push(row_of(record.pid, &status(record), 0));
    }
    let aligned = [
        Cell::Right,
        Cell::UpTo(NAME),
        Cell::Left,
        Cell::Right,
        Cell::Right,
        Cell::Right,
        Cell::Last,
    ];
    table(&rows, &aligned)
}

fn row(run: &LiveRun, depth: usize) -> [String; 7] {
    match &run.answer {
        Answer::Line(line) => {
            let status = Status::read(line).unwrap_or_else(|| Status::of_silent(run.pid));
            row_of(run.pid, &status, depth)
        }
        Answer::Silence(known) => {
            let mut row = row_of(run.pid, &known.status(run.pid), depth);
            if known.name().is_none() {
                row[1] = format!("{}?", "  ".repeat(depth));
                row[6] = format!("({})", attach::unanswered(run.pid));
            }
            row
        }
    }
}

fn row_of(pid: i32, status: &Status<'_>, depth: usize) -> [String; 7] {
    let indent = "  ".repeat(depth);
    let pid = pid.to_string();
    let words = status.command.iter().map(|word| escape(word).into_owned());
    [
        pid,
        format!("{indent}{}", escape(&status.name)),
        match status.ending() {
            Some(Ending::Status(code @ 1..)) => format!("{} ({code})", escape(&status.state)),
            Some(Ending::Signal(signal)) if status.state == "failed" => {
                format!("failed ({})", signal_name(signal))
            }
            _ => match &status.host {
                Some(host) => format!("{} ({})", escape(&status.state), escape(host)),
                None => escape(&status.state).into_owned(),
            },
        },
        done(status),
        match status.elapsed.and_then(Seconds::time) {
            Some(elapsed) => clock(elapsed),
            None => "-".to_owned(),
        },
        status.eta.and_then(Seconds::time).map_or_else(
            || "-".to_owned(),
            |left| format!("{}{}", mark(status.eta_is_estimated), clock(left)),
        ),
        words.collect::<Vec<_>>().join(" "),
    ]
}

/// How much is done: of many tasks their number, else a percentage.
fn done(status: &Status<'_>) -> String {
    match (status.tasks, status.progress, status.total) {
        (Some(tasks), Some(over), Some(total)) => {
            let failed = if tasks.failed > 0 {
                format!(", {} failed", tasks.failed)
            } else {
                String::new()
            };
            format!("{over}/{total}{failed}")
        }
        (Some(_), Some(over), None) => format!("{over}/?"),
        _ => match (status.percentage, status.progress) {
            (Some(percentage), _) => {
                let mark = mark(status.percentage_is_estimated);
                format!("{mark}{:.0}%", percentage.floor())
            }
            (None, Some(progress)) => progress.to_string(),
            (None, None) => "-".to_owned(),
        },
    }
}

/// What stands before an estimate from earlier runs, as in a bar.
fn mark(is_estimated: bool) -> &'static str {
    if is_estimated { "~" } else { "" }
}
