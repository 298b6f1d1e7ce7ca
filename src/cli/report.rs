//! `progrun report`: reports from scripts, and from other programs that can start a process.
//!
//! Makes one line of the words and options. The meaning of a line belongs to `protocol`, and its way to progrun to
//! `client`.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::{Parser, ValueEnum, ValueHint};

use crate::client::{self, Delivery, REPORT_LIMIT};
use crate::protocol::{self, Progress, Status};

const HELP: &str = "\
Examples:
  progrun report 3/10 \"copying a.jpg\"
  progrun report 42%
  progrun report --id dl --total 1048576 --unit bytes 5000
  progrun report --id dl --status ok
  progrun report --check || exit

A file name that may begin with a dash goes after `--`:
  progrun report 3/10 -- \"$file\"

Exit status:
    0  delivered, or progrun is not running. Also if the words are not a
       valid report, such as 120%, or if progrun does not read for five
       seconds; a message on stderr says so
  130  cancelled: `set -e` or `|| exit` ends the script here
  125  called incorrectly";

/// Report progress from a script, and learn whether it is cancelled
#[derive(Debug, Parser)]
#[command(
    name = "report",
    after_help = HELP,
    override_usage = "progrun report [OPTIONS] [AMOUNT] [MESSAGE]...",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Report {
    /// How much is done, followed by a message
    ///
    /// The amount is 3/10, 3 of 10, 12MiB/400MiB or 42%, or with --total or --unit a number alone, such as 5000 or 5KiB.
    /// Words that do not begin with an amount are a message, except for the other short forms of progrun-protocol(5).
    #[arg(value_name = "WORD", allow_negative_numbers = true, value_hint = ValueHint::Other)]
    words: Vec<OsString>,

    /// ID of the part that this report is about; each part has its own bar
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    id: Option<OsString>,

    /// ID of the part that contains this part
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    parent: Option<OsString>,

    /// Label of the bar
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    title: Option<OsString>,

    /// What is happening now; never taken for an amount
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    message: Option<OsString>,

    /// Total amount, such as 5000 or 5KiB
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    total: Option<OsString>,

    /// Unit of the amounts: bytes, or any other word
    #[arg(long, value_name = "WORD", value_hint = ValueHint::Other)]
    unit: Option<OsString>,

    /// Estimated number of seconds left
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    eta: Option<OsString>,

    /// How the part ended
    #[arg(long, value_name = "HOW")]
    status: Option<StatusArgument>,

    /// Only ask whether the run was cancelled
    #[arg(long, exclusive = true)]
    check: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusArgument {
    /// It succeeded
    Ok,
    /// It failed
    Failed,
    /// There was nothing to do
    Skipped,
    /// It stopped on request
    Cancelled,
}

/// An empty line, which reports nothing and only asks whether the run is cancelled.
const CHECK: &str = "\n";

/// Only asks whether the run is cancelled, in place of an invalid report: that must not end a script, but a cancelled
/// run must.
pub(super) fn only_ask() -> Delivery {
    client::send(CHECK.as_bytes())
}

/// The word that was meant as a negative amount, such as -3/10: clap takes its beginning for an unknown option. A
/// negative number alone is no option to clap.
pub(super) fn negative_amount<'a>(unknown: &str, words: &'a [OsString]) -> Option<Cow<'a, str>> {
    let is_report = words.get(1).is_some_and(|word| word == "report");
    let is_number =
        unknown.starts_with('-') && unknown[1..].starts_with(|c: char| c.is_ascii_digit());
    let mut words = words.iter().map(|word| text(word));
    words.find(|word| is_report && is_number && word.starts_with(unknown))
}

/// Reads a number, or a number of bytes with its unit; gives the unit `bytes` for the latter.
fn amount(text: &str) -> Result<(f64, Option<&'static str>), String> {
    match protocol::read_bytes(text) {
        Some(bytes) => Ok((in_range(text, Some(bytes))?, Some("bytes"))),
        None => Ok((in_range(text, text.parse().ok())?, None)),
    }
}

fn in_range(text: &str, number: Option<f64>) -> Result<f64, String> {
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| format!("{text}: expected a number of 0 or more"))
}

impl Report {
    /// Sends the report.
    ///
    /// # Errors
    /// The sentence for the user, if the arguments make no report.
    pub(super) fn send(&self) -> Result<Delivery, String> {
        Ok(client::send(self.line()?.as_bytes()))
    }

    /// The line with its newline.
    fn line(&self) -> Result<String, String> {
        if self.check {
            return Ok(CHECK.to_owned());
        }
        let words: Vec<_> = self.words.iter().map(|word| text(word)).collect();
        let mut progress = self.read(&words)?;
        let message = self.message.as_deref().map(text);
        if message.is_some() && progress.message.is_some() {
            return Err("two messages: one in the words, one in --message".to_owned());
        }
        let total = self.total.as_deref().map(text);
        let (total, total_unit) = total.map(|total| amount(&total)).transpose()?.unzip();
        let eta = self.eta.as_deref().map(text);
        let eta = eta
            .map(|eta| in_range(&eta, eta.parse().ok()))
            .transpose()?;
        let unit = progress
            .unit
            .take()
            .or(total_unit.flatten().map(Cow::Borrowed));
        let own = Progress {
            total: total.filter(|total| *total > 0.0).or(progress.total),
            unit: self.unit.as_deref().map(text).or(unit),
            message: message.or(progress.message.take()),
            id: self.id.as_deref().map(text).or(progress.id.take()),
            parent: self.parent.as_deref().map(text),
            title: self.title.as_deref().map(text),
            status: self.status.map(|status| match status {
                StatusArgument::Ok => Status::Ok,
                StatusArgument::Failed => Status::Failed,
                StatusArgument::Skipped => Status::Skipped,
                StatusArgument::Cancelled => Status::Cancelled,
            }),
            eta,
            ..progress
        };
        if own.is_empty() {
            return Err(
                "nothing to report (use --check to ask whether the run was cancelled)".to_owned(),
            );
        }
        fit(own)
    }

    /// The report that the words alone make.
    fn read<'a>(&self, words: &'a [Cow<'a, str>]) -> Result<Progress<'a>, String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(Progress::default());
        };
        let counted = self.total.is_some() || self.unit.is_some();
        let is_amount = protocol::read_bytes(first).is_some() || first.parse::<f64>().is_ok();
        let mut progress = if counted && is_amount {
            let (amount, unit) = amount(first)?;
            Progress {
                progress: Some(amount),
                unit: unit.map(Cow::Borrowed),
                ..Progress::default()
            }
        } else {
            let advice = if is_amount {
                " (an amount needs --total or --unit)"
            } else {
                ""
            };
            let wrong = |error| format!("{first}: {error}{advice}");
            let is_spaced = matches!(rest.first().map(Cow::as_ref), Some("of" | "/" | "%"));
            if is_amount && is_spaced {
                let line = words.join(" ");
                return protocol::read_short(&line)
                    .map(Progress::into_owned)
                    .map_err(wrong);
            }
            protocol::read_short(first).map_err(wrong)?
        };
        if !rest.is_empty() {
            let is_amount = progress.progress.or(progress.percentage).is_some();
            let words = if is_amount && progress.message.is_none() {
                rest
            } else {
                words
            };
            progress.message = Some(Cow::Owned(words.join(" ")));
        }
        Ok(progress)
    }
}

/// A file name may be no UTF-8: bytes that are not become U+FFFD.
fn text(word: &OsStr) -> Cow<'_, str> {
    word.to_string_lossy()
}

/// The report as one line, short enough for a pipe to take it in one piece. The message is shortened if need be.
fn fit(mut progress: Progress<'_>) -> Result<String, String> {
    loop {
        let line = progress.to_json() + "\n";
        let Some(excess) = line.len().checked_sub(REPORT_LIMIT + 1) else {
            return Ok(line);
        };
        let message = progress.message.as_deref().unwrap_or_default();
        if message.is_empty() {
            return Err(format!("the report is longer than {REPORT_LIMIT} bytes"));
        }
        // Each byte of the message takes at least one byte of the line, so this is enough.
        let end = message.len().saturating_sub(excess + 1);
        let end = message.floor_char_boundary(end);
        progress.message = Some(Cow::Owned(message[..end].to_owned()));
    }
}
