//! How attempts end, and why tasks do not start, in the words of the page. Knows no recording.

use crate::wire::{Line, Reason, State};

/// How an attempt ended; empty if it completed.
pub(super) fn of_end(event: &Line<'_>) -> String {
    if event.state == Some(State::Completed) {
        return String::new();
    }
    if let Some(error) = &event.error {
        return error.to_string();
    }
    let end = match (&event.exit_status, &event.signal) {
        (Some(Some(status)), _) => Some(format!("exit status {status}")),
        (_, Some(Some(signal))) => Some(format!("killed by {signal}")),
        _ => None,
    };
    match (event.reason.and_then(of_stop), end) {
        (Some(why), Some(end)) => format!("{why}, {end}"),
        (Some(why), None) => why.to_owned(),
        (None, Some(end)) => end,
        (None, None) => "end unknown".to_owned(),
    }
}

/// Why an attempt or a run was asked to stop.
pub(super) fn of_stop(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Interrupt => "interrupted (Ctrl-C)",
        Reason::Terminate => "terminated (SIGTERM)",
        Reason::Hangup => "hung up (SIGHUP)",
        Reason::Outer => "stopped by the outer progrun",
        Reason::Timeout => "timed out",
        Reason::Deadline => "stopped by --deadline",
        Reason::Halt => "stopped by --halt",
        Reason::Lease => "cut off from the progrun that started it",
        Reason::Hello => "lost: its machine was not reached",
        Reason::Heartbeat => "lost: its machine fell silent",
        Reason::FinalEvent => "lost: the connection ended before the task",
        _ => return None,
    })
}

/// Why a task was not started.
pub(super) fn of_skip(reason: Option<Reason>, cause: Option<&str>) -> String {
    match (reason, cause) {
        (Some(Reason::Dependency), Some(cause)) => format!("needs {cause}, which did not complete"),
        (Some(Reason::Dependency), None) => "a task that it needs did not complete".to_owned(),
        (Some(Reason::Halted), _) => "not started, because of --halt".to_owned(),
        (Some(Reason::Cancelled), _) => "not started, because the run was stopped".to_owned(),
        (Some(Reason::Done), _) => "done by an earlier run".to_owned(),
        _ => "not started".to_owned(),
    }
}
