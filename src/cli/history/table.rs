//! Puts runs into lines of columns: when each began, its name, how long it took, how it ended, how much memory it used,
//! and a bar for each of the last runs of the same work.
//!
//! Knows no file and no terminal: the caller says how wide the lines may be and which characters there are.

use std::collections::HashMap;
use std::time::Duration;

use crate::journal::{Key, Record};
use crate::sink::{ascii, bytes, columns, escape, fit, took};
use crate::system::local;
use crate::wire::{Reason, State};

/// What the place of the lines is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// How many columns a line has at most; none: any number.
    pub(super) width: Option<usize>,
    /// Whether the character set of the locale is not UTF-8.
    pub(super) in_ascii: bool,
}

/// How many runs a sparkline shows.
const SHOWN: usize = 10;
/// A name may not push all else out of the line.
const NAME: usize = 30;
/// The least that is left of a name in a narrow line.
const SHORT: usize = 8;

// The columns.
const WHEN: usize = 0;
const CALLED: usize = 1;
const TOOK: usize = 2;
const ENDED: usize = 3;
const MEMORY: usize = 4;
const DURATIONS: usize = 5;
const COLUMNS: usize = 6;

const HEAD: [&str; COLUMNS] = ["WHEN", "NAME", "TIME", "ENDED", "MAX RSS", "DURATIONS"];
/// The columns that go first where there is no room, the first one first.
const LEAST: [usize; 4] = [DURATIONS, MEMORY, WHEN, ENDED];

/// The lines, without newlines: a head, and one for each run in the order given, which is that of time.
pub(super) fn lines(runs: &[Record], style: Style) -> Vec<String> {
    if runs.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    let mut before: HashMap<Key<'_>, Vec<f64>> = HashMap::new();
    for run in runs {
        let durations = before.entry(run.key()).or_default();
        if run.state == State::Completed {
            durations.push(run.duration);
        }
        let latest = &durations[durations.len().saturating_sub(SHOWN)..];
        rows.push([
            when(&run.time),
            fit(&escape(&run.name), NAME).into_owned(),
            took(Duration::try_from_secs_f64(run.duration).unwrap_or_default()),
            ended(run),
            memory(run.used.max_rss),
            sparkline(latest, style.in_ascii),
        ]);
    }
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    squeeze(&mut widths, style.width);
    let line = |row: &[String; COLUMNS]| {
        let line = line(row, &widths);
        let line = style
            .width
            .map_or_else(|| line.clone(), |width| fit(&line, width).into_owned());
        if style.in_ascii {
            ascii(&line).into_owned()
        } else {
            line
        }
    };
    rows.iter().map(line).collect()
}

/// Takes away what there is no room for.
fn squeeze(widths: &mut [usize; COLUMNS], width: Option<usize>) {
    let Some(width) = width else { return };
    let sum = |widths: &[usize; COLUMNS]| -> usize {
        let shown = widths.iter().filter(|width| **width > 0);
        shown
            .map(|width| width + 2)
            .sum::<usize>()
            .saturating_sub(2)
    };
    let excess = sum(widths).saturating_sub(width);
    let short = widths[CALLED].saturating_sub(excess);
    if short >= SHORT {
        widths[CALLED] = short;
        return;
    }
    widths[CALLED] = widths[CALLED].min(SHORT);
    for column in LEAST {
        if sum(widths) <= width {
            return;
        }
        widths[column] = 0;
    }
}

fn line(row: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let mut line = String::new();
    for (index, (cell, &width)) in row.iter().zip(widths).enumerate() {
        if width == 0 {
            continue;
        }
        let cell = fit(cell, width);
        let space = " ".repeat(width - columns(&cell));
        // Numbers stand below each other by their ends.
        match index {
            TOOK | MEMORY => line.extend([&*space, &*cell]),
            _ => line.extend([&*cell, &*space]),
        }
        line.push_str("  ");
    }
    line.truncate(line.trim_end().len());
    line
}

/// The time of day where the user is.
fn when(time: &str) -> String {
    let date = humantime::parse_rfc3339(time).ok().and_then(local::date);
    date.map_or_else(
        || escape(time).into_owned(),
        |[year, month, day, hour, minute]| {
            format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}")
        },
    )
}

fn ended(run: &Record) -> String {
    let status = || match (run.exit_status, &run.signal) {
        (Some(status), _) => format!("exit status {status}"),
        (None, Some(signal)) => escape(signal).into_owned(),
        (None, None) => "failed".to_owned(),
    };
    match (run.state, run.reason) {
        (State::Completed, _) => "completed".to_owned(),
        (State::Cancelled, Some(Reason::Timeout)) => "timed out".to_owned(),
        (State::Cancelled, Some(Reason::Deadline)) => "deadline passed".to_owned(),
        (State::Cancelled, _) => "cancelled".to_owned(),
        _ => status(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn memory(count: u64) -> String {
    match count {
        0 => String::new(),
        count => bytes(count as f64),
    }
}

/// A bar for each duration, oldest first; their heights are those of the durations. Of one run there is nothing to
/// compare.
fn sparkline(durations: &[f64], in_ascii: bool) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const IN_ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
    if durations.len() < 2 {
        return String::new();
    }
    let longest = durations.iter().copied().fold(0.0, f64::max);
    let bar = |duration: &f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 8"
        )]
        let height = (duration / longest * 8.0).ceil() as usize;
        let bars = if in_ascii { IN_ASCII } else { BARS };
        bars[height.clamp(1, 8) - 1]
    };
    durations.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, duration: f64, end: &str) -> Record {
        let line = format!(
            r#"{{"time":"no time","name":"{name}","command":["x"],"hash":"{name}","duration":{duration},{end},
            "user_time":0,"system_time":0,"max_rss":12582912}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    const WELL: &str = r#""state":"completed","exit_status":0,"signal":null"#;

    fn shown(runs: &[Record], width: Option<usize>, in_ascii: bool) -> String {
        lines(runs, Style { width, in_ascii }).join("\n")
    }

    fn some() -> Vec<Record> {
        vec![
            run("backup.sh", 100.0, WELL),
            run(
                "make",
                2.5,
                r#""state":"failed","exit_status":2,"signal":null"#,
            ),
            run("backup.sh", 50.0, WELL),
            run(
                "make",
                3.0,
                r#""state":"failed","exit_status":null,"signal":"SIGSEGV""#,
            ),
            run(
                "backup.sh",
                200.0,
                r#""state":"cancelled","exit_status":null,"signal":"SIGTERM","reason":"timeout""#,
            ),
            run("backup.sh", 1.0, WELL),
        ]
    }

    #[test]
    fn each_run_has_a_line_and_the_durations_are_those_of_the_same_work() {
        assert_eq!(
            shown(&some(), None, false),
            "\
WHEN     NAME        TIME  ENDED           MAX RSS  DURATIONS
no time  backup.sh  1m40s  completed      12.0 MiB
no time  make       2.50s  exit status 2  12.0 MiB
no time  backup.sh  50.0s  completed      12.0 MiB  █▄
no time  make       3.00s  SIGSEGV        12.0 MiB
no time  backup.sh  3m20s  timed out      12.0 MiB  █▄
no time  backup.sh  1.00s  completed      12.0 MiB  █▄▁"
        );
    }

    #[test]
    fn in_ascii_there_are_other_bars() {
        let text = shown(&some(), None, true);
        assert!(text.is_ascii(), "{text}");
        assert!(text.ends_with("12.0 MiB  #-_"), "{text}");
    }

    #[test]
    fn a_narrow_screen_has_what_matters_most() {
        let of = |width| shown(&some()[..2], Some(width), false);
        assert_eq!(
            of(50),
            "\
WHEN     NAME       TIME  ENDED           MAX RSS
no time  backup.…  1m40s  completed      12.0 MiB
no time  make      2.50s  exit status 2  12.0 MiB"
        );
        assert_eq!(of(16), "NAME       TIME\nbackup.…  1m40s\nmake      2.50s");
        for width in 1..100 {
            for line in lines(
                &some(),
                Style {
                    width: Some(width),
                    in_ascii: false,
                },
            ) {
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_name_can_do_no_harm_and_takes_no_line_for_itself() {
        let evil = run(r"\u001b[2Jevil\n", 1.0, WELL);
        let long = run(&"x".repeat(200), 1.0, WELL);
        let text = shown(&[evil, long], None, false);
        assert!(!text.contains('\x1b'), "{text}");
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("^[[2Jevil"), "{text}");
        assert!(text.contains(&format!("{}…", "x".repeat(29))), "{text}");
    }

    #[test]
    fn without_runs_there_is_nothing() {
        assert_eq!(shown(&[], None, false), "");
    }
}
