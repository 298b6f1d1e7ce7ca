//! What both kinds of drawing say in words: steps of a stop, warnings, parts that failed, counts at the end.

use std::time::Duration;

use crate::event::{Cause, Ending, Event, Final, Reason, Step, Summary, signal_name};
use crate::parts::{Part, Parts};
use crate::reports::BadLine;

use super::text::{amount, clock, escape, fit, outcome};

/// The sentence for an event that is told in words, if it is one.
pub(super) fn of(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Cancelling { reason, step } => cancelling(*reason, *step),
        Event::Stopping { cause, step } => stopping(*cause, *step),
        Event::Warning(text) => escape(text).into_owned(),
        _ => return None,
    })
}

fn cancelling(reason: Reason, step: Step) -> String {
    match (reason, step) {
        (Reason::Interrupt, Step::Ask) => {
            "cancelling: waiting for the next progress write (Ctrl-C again: SIGTERM)".to_owned()
        }
        (Reason::Interrupt, Step::AtReport(signal)) => format!(
            "cancelling: {} at its next report (Ctrl-C again: now)",
            signal_name(signal)
        ),
        (Reason::Interrupt, _) => "interrupting (Ctrl-C again: SIGTERM)".to_owned(),
        (Reason::Terminate | Reason::Hangup, Step::Ask) => {
            "terminating: waiting for the next progress write".to_owned()
        }
        (Reason::Terminate | Reason::Hangup, Step::AtReport(signal)) => {
            format!("terminating: {} at its next report", signal_name(signal))
        }
        (Reason::Terminate | Reason::Hangup, _) => "terminating".to_owned(),
        (Reason::Outer, Step::Ask) => {
            "cancelled by the outer progrun: waiting for the next progress write".to_owned()
        }
        (Reason::Outer, Step::AtReport(signal)) => format!(
            "cancelled by the outer progrun: {} at its next report",
            signal_name(signal)
        ),
        (Reason::Outer, _) => "cancelled by the outer progrun".to_owned(),
        (Reason::Timeout, Step::Ask) => "timed out: waiting for the next progress write".to_owned(),
        (Reason::Timeout, Step::AtReport(signal)) => {
            format!("timed out: {} at its next report", signal_name(signal))
        }
        (Reason::Timeout, Step::Signal(signal)) => format!("timed out: {}", signal_name(signal)),
        (Reason::Timeout, _) => "timed out: killing".to_owned(),
    }
}

fn stopping(cause: Cause, step: Step) -> String {
    let what = match step {
        Step::Ask | Step::AtReport(_) => "asking".to_owned(),
        Step::Terminate | Step::Signal(libc::SIGTERM) => {
            "SIGTERM (Ctrl-C again: SIGKILL)".to_owned()
        }
        Step::Signal(signal) => format!("{} (Ctrl-C again: SIGTERM)", signal_name(signal)),
        Step::Kill => "killing".to_owned(),
        Step::GiveUp => "giving up".to_owned(),
    };
    match cause {
        Cause::Again | Cause::Reported => what,
        Cause::NoReaction(time) => format!("no reaction in {}: {what}", duration(time)),
    }
}

fn duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{}ms", time.as_millis())
    } else {
        clock(time)
    }
}

/// The warning for the first malformed line.
pub(super) fn malformed(bad: &BadLine) -> String {
    let text = String::from_utf8_lossy(&bad.text);
    let text = escape(&text);
    format!(
        "progress line {} is malformed: {}: {}",
        bad.number,
        bad.error,
        fit(&text, 60)
    )
}

/// How many failed parts are told of at a time. A child can make parts fail faster than a terminal can tell; all are
/// counted.
pub(super) const FAILURES: usize = 20;

/// The line that stays of a part that failed.
pub(super) fn part_failed(part: &Part) -> String {
    let mut text = format!("{} failed", label(part));
    if let Some(message) = &part.known.message {
        text.push_str(": ");
        text.push_str(&escape(message));
    }
    text
}

/// What a part is called.
pub(super) fn label(part: &Part) -> String {
    let known = &part.known;
    let name = known.title.as_deref().or(known.id.as_deref()).unwrap_or("");
    escape(name).into_owned()
}

/// How many parts are over, of how many; empty where there are none. Other programs end few of theirs: the command's success
/// does.
pub(super) fn tally(parts: &Parts, succeeded: bool) -> String {
    let count = |parts: usize| u64::try_from(parts).unwrap_or(0);
    let ended = parts.ended.well + parts.ended.badly;
    let begun = ended + count(parts.live());
    let over = ended
        + if succeeded {
            count(parts.of_others())
        } else {
            0
        };
    match (begun, parts.ended.badly) {
        (0, _) => String::new(),
        (begun, 0) => format!("{over} of {begun} parts"),
        (begun, failed) => format!("{over} of {begun} parts, {failed} failed"),
    }
}

/// The last line: how it ended, how long it took, how far it came. None for an ordinary end before anything was shown of
/// the run, and for one that never ran: that is the program's own error to tell.
pub(super) fn finished(
    summary: &Summary,
    parts: &Parts,
    shown: bool,
    elapsed: Duration,
) -> Option<String> {
    let ending = summary.exit.map(|exit| exit.ending);
    let ordinary = match summary.state {
        Final::Completed => true,
        // The reader of a pipe had enough, as in `| head`: nobody wants to be told.
        Final::Failed => ending == Some(Ending::Signal(libc::SIGPIPE)),
        Final::Cancelled => false,
    };
    if !shown && ordinary && summary.malformed == 0 || summary.error.is_some() {
        return None;
    }
    let malformed = match summary.malformed {
        0 => String::new(),
        1 => "1 malformed progress line".to_owned(),
        count => format!("{count} malformed progress lines"),
    };
    let mut facts = vec![
        outcome(summary, elapsed),
        amount(&parts.task.known),
        tally(parts, summary.state == Final::Completed),
        malformed,
    ];
    facts.retain(|fact| !fact.is_empty());
    Some(facts.join(", "))
}
