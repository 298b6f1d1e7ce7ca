//! From lines back to the events of a run: the other way than the encoder, for the sinks of a watcher.
//!
//! A line that is none of ours, or of a kind that a newer progrun writes, is no event. Does not know where the lines
//! come from.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use super::line::{self, Info, Kind, Line, Seconds, believed};
use super::watch::{self, Extra, step_of};
use crate::event::{
    Attempt, Cause, Counts, Ending, Event, Exit, FinalState, Halted, Place, Reason, RunHead,
    RunSummary, Summary, Surroundings, TaskId, Total, What, signal_number,
};
use crate::flow::Credit;
use crate::model::batch::{BadLine, Batch};
use crate::protocol;

/// Names the formats of other programs: events hold names that live as long as the program.
pub(crate) type Sources<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// Reads a line, and tells the event that it is. Output counts in `credit` until it is written. False: it is none.
pub(crate) fn read(
    line: &str,
    sources: Sources<'_>,
    credit: &Credit,
    tell: &mut dyn FnMut(&Event<'_>),
) -> bool {
    let Some(head) = Line::read(line) else {
        return false;
    };
    let task = u32::try_from(head.task).ok().and_then(TaskId::of);
    let at = head.elapsed.0;
    let mut tell = |what: What<'_>| {
        tell(&Event { task, at, what });
        true
    };
    match head.event {
        Kind::Run => tell(What::Run(&RunHead {
            name: head.name.as_deref().unwrap_or_default(),
            jobs: head.jobs.unwrap_or(1),
            total: total(&head),
            command: &words(head.command()),
        })),
        Kind::Total => tell(What::Total(total(&head))),
        Kind::Started => started(&head, &mut tell),
        Kind::Progress => {
            let info = head.info.as_ref().map(Info::text);
            let Some(report) = info.and_then(|info| protocol::read_object(info).ok()) else {
                return false;
            };
            tell(What::Progress(&Batch {
                parts: vec![report.into_owned()],
                count: 1,
                source: head.source.as_deref().and_then(sources),
                ..Batch::default()
            }))
        }
        Kind::Malformed => {
            let error = head.error.as_deref().unwrap_or_default().to_owned();
            let number = head.number.unwrap_or(0);
            tell(What::Progress(&Batch {
                malformed_count: 1,
                first_malformed: Some(BadLine {
                    number,
                    text: head.into_bytes().unwrap_or_default(),
                    error,
                }),
                ..Batch::default()
            }))
        }
        Kind::Warning => tell(What::Warning(head.message.as_deref().unwrap_or_default())),
        Kind::Finished => match head.state.and_then(line::State::of_end) {
            Some(state) => tell(What::Finished(&summary(&head, state))),
            None => false,
        },
        Kind::Skipped => tell(What::Skipped {
            name: head.name.as_deref().unwrap_or_default(),
            reason: head.reason.unwrap_or(line::Reason::Other).of_skip(),
            cause: head.cause.as_deref(),
        }),
        Kind::Halted => match (head.why, head.when) {
            (Some(why), Some(when)) => tell(What::Halted(Halted {
                why: why.of_halt(),
                count: count(head.count),
                when: when.of_halt(),
            })),
            _ => false,
        },
        Kind::End => tell(What::End(&run_summary(&head))),
        Kind::Output
        | Kind::State
        | Kind::Step
        | Kind::Waiting
        | Kind::Observed
        | Kind::Paused
        | Kind::Known
        | Kind::Counted => {
            Extra::read(line).is_some_and(|extra| extra_event(extra, sources, credit, &mut tell))
        }
        // The steps of a stop say more. The others are no events of the run.
        Kind::Signal
        | Kind::Dropped
        | Kind::Status
        | Kind::Hello
        | Kind::Refused
        | Kind::Answer
        | Kind::Alive => false,
    }
}

/// How much output the watcher has missed, if the line says so. The picture of the run follows it.
pub(crate) fn dropped(line: &str) -> Option<u64> {
    let extra = Extra::read(line).filter(|extra| extra.event == Kind::Dropped)?;
    Some(extra.bytes.unwrap_or(0))
}

/// What only watchers are told.
fn extra_event(
    mut extra: Extra<'_>,
    sources: Sources<'_>,
    credit: &Credit,
    tell: &mut dyn FnMut(What<'_>) -> bool,
) -> bool {
    let left = extra.left.and_then(Seconds::time);
    let step = step_of(extra.step.as_deref().unwrap_or_default());
    match extra.event {
        Kind::Output => {
            let Some(stream) = extra.stream.and_then(line::Stream::of_event) else {
                return false;
            };
            let bytes = Arc::new(extra.take_bytes());
            tell(What::Output {
                stream,
                bytes: &bytes,
                verdicts: &extra.verdicts(&bytes, sources),
                permit: &credit.permit(bytes.len()),
            })
        }
        Kind::State => {
            let reason = extra
                .reason
                .map_or(Reason::Terminate, line::Reason::of_stop);
            tell(What::Cancelling { reason, step, left })
        }
        Kind::Step => {
            let after = extra.after.and_then(Seconds::time);
            let cause = match (after, extra.reason) {
                (Some(after), _) => Cause::NoReaction(after),
                (None, Some(line::Reason::Timeout)) => Cause::TimedOut,
                (None, _) => Cause::Again,
            };
            tell(What::Stopping { cause, step, left })
        }
        Kind::Waiting => {
            let waiting = extra.waiting.unwrap_or_default().into_iter();
            let waiting: Vec<_> = waiting.map(watch::Waiting::into_event).collect();
            tell(What::Waiting(&waiting))
        }
        Kind::Observed => extra
            .observed
            .is_some_and(|observed| tell(What::Observed(&observed.into_event()))),
        Kind::Paused => tell(What::Paused(extra.paused == Some(true))),
        Kind::Known => extra
            .parts
            .is_some_and(|parts| tell(What::Known(&parts.into_parts(extra.elapsed.0, sources)))),
        Kind::Counted => extra
            .counts
            .is_some_and(|counted| tell(counted.into_event())),
        _ => false,
    }
}

fn started(head: &Line<'_>, tell: &mut dyn FnMut(What<'_>) -> bool) -> bool {
    let input = head.input().map(|input| words(Some(input)));
    let place = head.slot.map(|slot| Place {
        slot,
        attempt: head.attempt.unwrap_or(1),
        input: input.as_deref(),
        named: head.named == Some(true),
        nth: head.nth.unwrap_or(1),
        extra: None,
        surroundings: Surroundings::default(),
    });
    tell(What::Started {
        name: head.name.as_deref().unwrap_or_default(),
        command: &words(head.command()),
        pid: head.pid,
        place,
        host: head.host.as_deref(),
    })
}

fn count(count: Option<u64>) -> u64 {
    believed(count.unwrap_or(0))
}

fn words(words: Option<Vec<&[u8]>>) -> Vec<OsString> {
    let words = words.unwrap_or_default().into_iter();
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

fn total(head: &Line<'_>) -> Total {
    Total {
        count: count(head.total),
        is_final: head.total_final == Some(true),
    }
}

/// The exit status or the signal; none if neither is told.
fn ending(head: &Line<'_>) -> Option<Ending> {
    let signal = head.signal.as_ref().and_then(Option::as_deref);
    let status = head.exit_status.flatten().map(Ending::Status);
    status.or_else(|| signal.and_then(signal_number).map(Ending::Signal))
}

fn summary(head: &Line<'_>, state: FinalState) -> Summary {
    let time = |seconds: Option<f64>| {
        let seconds = seconds.map(Seconds);
        seconds.and_then(Seconds::time).unwrap_or_default()
    };
    Summary {
        state,
        reason: match state {
            FinalState::Lost => None,
            _ => head.reason.map(line::Reason::of_stop),
        },
        missed: head
            .reason
            .filter(|_| state == FinalState::Lost)
            .map(line::Reason::of_missed),
        exit: ending(head).map(|ending| Exit {
            ending,
            user_time: time(head.user_time),
            system_time: time(head.system_time),
            max_rss: head.max_rss.unwrap_or(0),
        }),
        error: head.error.as_deref().map(str::to_owned),
        reports: count(head.reports),
        malformed: count(head.malformed),
        attempt: head.slot.map(|slot| Attempt {
            slot,
            number: head.attempt.unwrap_or(1),
            retry_in: head.retry_in.and_then(Seconds::time),
            duration: head.duration.and_then(Seconds::time).unwrap_or_default(),
            output_bytes: count(head.output_bytes),
        }),
    }
}

fn run_summary(head: &Line<'_>) -> RunSummary {
    RunSummary {
        counts: Counts {
            completed: count(head.completed),
            flaky: count(head.flaky),
            done: 0,
            failed: count(head.failed),
            cancelled: count(head.cancelled),
            lost: count(head.lost),
            skipped: count(head.skipped),
        },
        not_started: head.not_started.flatten().map(believed),
        // Only a run that was stopped or halted leaves tasks, and that was told.
        why: None,
        ending: ending(head).unwrap_or(Ending::Status(0)),
    }
}
