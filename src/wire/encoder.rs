//! From the events of a run to lines of JSON.
//!
//! Remembers why each stop sends its signals now, which a line says and its event does not. Does not know where the
//! lines go and which of them are wanted.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::line::{END, Kind, Line, Reason, State};
use crate::event::{Cause, Ending, Event, Step, Stream, Summary, TaskId, What, signal_name};
use crate::model::batch::{Batch, VerbatimLine};

/// Writes the events of one run.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// The stops of the tasks that are asked to stop.
    stops: BTreeMap<TaskId, Stop>,
}

/// How far a stop is.
#[derive(Debug)]
struct Stop {
    /// Why it sends its signals now.
    cause: Reason,
    /// Whether the child was asked and has not been sent a signal since.
    asked: bool,
}

impl Encoder {
    /// Appends the lines of an event; none if it concerns only progrun and its terminal.
    pub(crate) fn event(&mut self, event: &Event<'_>, lines: &mut String) {
        let task = event.task.unwrap_or(TaskId::FIRST);
        let line = |kind| Line::new(kind, task, event.at);
        match &event.what {
            What::Started {
                name, command, pid, ..
            } => {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                Line {
                    time: Some(time.into()),
                    name: Some((*name).into()),
                    command: Some(command.iter().map(|word| word.to_string_lossy()).collect()),
                    pid: *pid,
                    ..line(Kind::Started)
                }
                .write(lines);
            }
            What::Progress(batch) => progress(batch, task, event.at, lines),
            What::Output { stream, bytes, .. } => {
                output(*stream, bytes, task, event.at, lines);
            }
            What::Cancelling { reason, step, .. } => {
                let cause = (*reason).into();
                let asked = *step == Step::Ask;
                self.stops.insert(task, Stop { cause, asked });
                Line {
                    state: Some(State::Cancelling),
                    reason: Some(cause),
                    ..line(Kind::State)
                }
                .write(lines);
            }
            What::Stopping { cause, .. } => {
                let before = self.stops.get(&task);
                let cause = match cause {
                    Cause::Again => Reason::Interrupt,
                    Cause::TimedOut => Reason::Timeout,
                    Cause::NoReaction(_) if before.is_some_and(|stop| stop.asked) => Reason::Grace,
                    Cause::NoReaction(_) => Reason::KillAfter,
                };
                let asked = false;
                self.stops.insert(task, Stop { cause, asked });
            }
            What::Signal { signal, forwarded } => {
                let reason = if *forwarded {
                    Reason::Forwarded
                } else {
                    let stop = self.stops.get(&task);
                    stop.map_or(Reason::Interrupt, |stop| stop.cause)
                };
                Line {
                    signal: Some(Some(signal_name(*signal).into())),
                    reason: Some(reason),
                    ..line(Kind::Signal)
                }
                .write(lines);
            }
            // The terminal concerns only progrun and the child. What the worker saw of the child is written only as
            // reports, if the user asked for them.
            What::Terminal { .. } | What::Resized | What::Paused(_) | What::Observed(_) => {}
            What::Run(_)
            | What::Total(_)
            | What::Skipped { .. }
            | What::Halted(_)
            | What::Waiting(_)
            | What::Shows(_)
            | What::Shown
            | What::End(_) => {}
            What::Warning(message) => {
                Line {
                    message: Some((*message).into()),
                    ..line(Kind::Warning)
                }
                .write(lines);
            }
            What::Finished(summary) => {
                self.stops.remove(&task);
                finished(summary, line(Kind::Finished)).write(lines);
            }
        }
    }
}

/// Appends the event that the child printed these bytes.
pub(crate) fn output(stream: Stream, bytes: &[u8], task: TaskId, at: Duration, lines: &mut String) {
    Line {
        stream: Some(stream.into()),
        ..Line::new(Kind::Output, task, at).with_bytes(bytes)
    }
    .write(lines);
}

fn progress(batch: &Batch, task: TaskId, at: Duration, lines: &mut String) {
    let head = Line {
        source: batch.source.map(Into::into),
        ..Line::new(Kind::Progress, task, at)
    }
    .before_info();
    for line in batch.verbatim.iter() {
        match line {
            // A child may report a million times a second. So the head that these events have in common is written
            // once.
            VerbatimLine::Info(info) => {
                lines.push_str(&head);
                push_object(lines, info);
                lines.push_str(END);
                lines.push('\n');
            }
            VerbatimLine::Malformed(bad) => Line {
                number: Some(bad.number),
                error: Some(bad.error.as_str().into()),
                ..Line::new(Kind::Malformed, task, at).with_bytes(&bad.text)
            }
            .write(lines),
        }
    }
}

/// Appends an object as the child wrote it, but with blanks for carriage returns: these can stand only between two
/// tokens, and some readers of text end a line there.
fn push_object(line: &mut String, object: &str) {
    for (index, piece) in object.split('\r').enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(piece);
    }
}

fn finished<'a>(summary: &'a Summary, line: Line<'a>) -> Line<'a> {
    let (status, signal) = match summary.exit.map(|exit| exit.ending) {
        None => (None, None),
        Some(Ending::Status(status)) => (Some(status), None),
        Some(Ending::Signal(signal)) => (None, Some(signal_name(signal).into())),
    };
    Line {
        state: Some(summary.state.into()),
        exit_status: Some(status),
        signal: Some(signal),
        reason: summary.reason.map(Into::into),
        user_time: summary.exit.map(|exit| exit.user_time.as_secs_f64()),
        system_time: summary.exit.map(|exit| exit.system_time.as_secs_f64()),
        max_rss: summary.exit.map(|exit| exit.max_rss),
        reports: Some(summary.reports),
        malformed: Some(summary.malformed),
        error: summary.error.as_deref().map(Into::into),
        ..line
    }
}
