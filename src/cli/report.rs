//! `progrun report`: what a script, or whoever else can start a program, says about its progress.
//!
//! Makes one line of the words and options. What a line means is the protocol's affair, and the way to the progrun that
//! takes it the client's.

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

A file name that may begin with a dash stands behind `--`:
  progrun report 3/10 -- \"$file\"

Exit status:
    0  it was delivered, or nobody wants it: progrun is not there
  130  cancelled: `set -e` or `|| exit` ends the script here
  125  called wrongly";

/// Reports to the progrun that this runs under
#[derive(Debug, Parser)]
#[command(
    name = "report",
    after_help = HELP,
    override_usage = "progrun report [OPTIONS] [AMOUNT] [MESSAGE]...",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Report {
    /// How much is done, and what is going on now
    ///
    /// 3/10, 12MiB/400MiB or 42%; with --total or --unit also a number alone. What does not begin so is a message, but for
    /// the other short forms of progrun-protocol(5).
    #[arg(value_name = "WORD", allow_negative_numbers = true, value_hint = ValueHint::Other)]
    words: Vec<OsString>,

    /// The part that this is about, which has a bar of its own
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    id: Option<OsString>,

    /// The part that this part belongs to
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    parent: Option<OsString>,

    /// The label of the bar
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    title: Option<OsString>,

    /// What is going on now, whatever it looks like
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_hint = ValueHint::Other)]
    message: Option<OsString>,

    /// How much there is
    #[arg(long, value_name = "N", value_parser = parse_number, allow_negative_numbers = true, value_hint = ValueHint::Other)]
    total: Option<f64>,

    /// What is counted: bytes, or any other word
    #[arg(long, value_name = "WORD", value_hint = ValueHint::Other)]
    unit: Option<OsString>,

    /// How many seconds are left
    #[arg(long, value_name = "SECONDS", value_parser = parse_number, allow_negative_numbers = true, value_hint = ValueHint::Other)]
    eta: Option<f64>,

    /// How the part ended
    #[arg(long, value_name = "HOW")]
    status: Option<StatusArgument>,

    /// Only ask whether the script is cancelled
    #[arg(long, exclusive = true)]
    check: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusArgument {
    /// It did what it was to do
    Ok,
    /// It did not
    Failed,
    /// There was nothing to do
    Skipped,
    /// It was asked to stop, and did
    Cancelled,
}

fn parse_number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| "expected a number of 0 or more".to_owned())
}

impl Report {
    /// Sends it.
    ///
    /// # Errors
    /// The sentence for the user, if the arguments make no report.
    pub(super) fn send(&self) -> Result<Delivery, String> {
        Ok(client::send(self.line()?.as_bytes()))
    }

    /// The line with its newline.
    fn line(&self) -> Result<String, String> {
        if self.check {
            return Ok("\n".to_owned());
        }
        let words: Vec<_> = self.words.iter().map(|word| text(word)).collect();
        let mut progress = self.read(&words)?;
        let message = self.message.as_deref().map(text);
        if message.is_some() && progress.message.is_some() {
            return Err("there are two messages, one of them by --message".to_owned());
        }
        let total = self.total.filter(|total| *total > 0.0);
        let own = Progress {
            total: total.or(progress.total),
            unit: self.unit.as_deref().map(text).or(progress.unit.take()),
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
            eta: self.eta,
            ..progress
        };
        if own.is_empty() {
            return Err("there is nothing to report; --check only asks".to_owned());
        }
        fit(own)
    }

    /// What the words alone say.
    fn read<'a>(&self, words: &'a [Cow<'a, str>]) -> Result<Progress<'a>, String> {
        let Some((first, rest)) = words.split_first() else {
            return Ok(Progress::default());
        };
        let counted = self.total.is_some() || self.unit.is_some();
        let mut progress = if counted && first.parse::<f64>().is_ok() {
            let amount = parse_number(first).map_err(|error| format!("{first}: {error}"))?;
            Progress {
                progress: Some(amount),
                ..Progress::default()
            }
        } else {
            protocol::read_short(first)
                .map_err(|error| format!("{first}: {error} (an amount: with --total or --unit)"))?
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

/// Names of files are bytes; what is no text of them is shown as such.
fn text(word: &OsStr) -> Cow<'_, str> {
    word.to_string_lossy()
}

/// The report as one line that is not torn, whoever else writes: with less of its message, if need be.
fn fit(mut progress: Progress<'_>) -> Result<String, String> {
    loop {
        let line = progress.to_json() + "\n";
        let Some(excess) = line.len().checked_sub(REPORT_LIMIT + 1) else {
            return Ok(line);
        };
        let message = progress.message.as_deref().unwrap_or_default();
        if message.is_empty() {
            return Err(format!("it is longer than {REPORT_LIMIT} bytes"));
        }
        // A character of the message takes one byte of the line or more.
        let end = message.len().saturating_sub(excess + 1);
        let end = message.floor_char_boundary(end);
        progress.message = Some(Cow::Owned(message[..end].to_owned()));
    }
}
