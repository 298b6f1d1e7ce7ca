//! A task of the run that has begun: what the run loop holds of it, and how it ended. What follows from that is not
//! known here.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::child::{Control, Ended};
use crate::event::{Ending, FinalState, Obstacle, Summary};
use crate::model::batch::Batch;
use crate::progress::{FutureState, ProgressFuture};
use crate::reason::reasons;

use super::starts::SocketPlace;
use super::task::Task;

/// A task that has begun, with the run loop's ends of its links to the worker.
pub(super) struct Running {
    pub(super) task: Task,
    pub(super) control: Control,
    pub(super) future: ProgressFuture<Batch, Ended>,
    pub(super) counts: Rc<Counts>,
    /// The first of its slots, and the number of the attempt.
    pub(super) slot: u32,
    pub(super) attempt: u32,
    /// The machine, counted from 0.
    pub(super) machine: usize,
    /// When it began, by the clock of the run.
    pub(super) began: Duration,
    /// A variable that only the environments of the child and its descendants have.
    pub(super) tag: String,
    /// How many orders to continue the child were given.
    pub(super) continues: Cell<u64>,
    /// How many bytes of its output came to us.
    pub(super) output_bytes: u64,
    /// The socket, which the next task can use.
    pub(super) place: Option<SocketPlace>,
    /// Whether its beginning was told.
    pub(super) is_told: bool,
    /// The machine on which it runs, if that is another one; what it waits for there; and as which job it runs.
    pub(super) host: Option<String>,
    pub(super) waits_for: Option<Obstacle>,
    pub(super) job: Option<String>,
}

/// How many lines of a channel were reports, and how many were malformed.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Whether any was a report to progrun itself.
    pub(super) has_own: Cell<bool>,
    reports: Cell<u64>,
    malformed: Cell<u64>,
}

impl Counts {
    pub(super) fn add(&self, batch: &Batch) {
        self.reports.set(self.reports.get() + batch.count);
        self.has_own
            .set(self.has_own.get() || batch.source.is_none() && batch.count > 0);
        self.malformed
            .set(self.malformed.get() + batch.malformed_count);
    }
}

impl Running {
    /// Whether the task is over, or was given up.
    pub(super) fn is_done(&self) -> bool {
        self.future.done() || self.task.gave_up()
    }

    /// How the child ended; none if it never ran, or is still there.
    pub(super) fn ended(&self) -> Option<&Ended> {
        let result = self.future.result().ok();
        result.or_else(|| self.future.suppressed_result())
    }

    pub(super) fn summary(&self) -> Summary {
        let ended = self.ended();
        let missed = match ended {
            Some(Ended::Lost(lost)) => Some(lost.missed),
            _ => None,
        };
        let stopped = match ended {
            Some(Ended::Stopped(reason, _)) => Some(*reason),
            _ => None,
        };
        let state = match (self.future.state(), ended) {
            (_, Some(Ended::Lost(_))) => FinalState::Lost,
            (_, Some(Ended::Stopped(..) | Ended::Withdrawn)) => FinalState::Cancelled,
            (FutureState::Completed, Some(Ended::Exit(exit)))
                if exit.ending == Ending::Status(0) =>
            {
                FinalState::Completed
            }
            (FutureState::Completed | FutureState::Failed, _) => FinalState::Failed,
            _ => FinalState::Cancelled,
        };
        let error = match (ended, self.future.exception()) {
            (Some(Ended::NotStarted(error)), _) => Some(error.to_string()),
            (Some(Ended::Lost(lost)), _) => Some(lost.sentence.clone()),
            // The worker itself failed: its error is all that is known.
            (None, Ok(error)) => Some(reasons(error)),
            _ => None,
        };
        Summary {
            missed,
            state,
            reason: self.task.reason().or(stopped),
            exit: match ended {
                Some(Ended::Exit(exit)) => Some(*exit),
                Some(Ended::Stopped(_, exit)) => *exit,
                _ => None,
            },
            error,
            reports: self.counts.reports.get(),
            malformed: self.counts.malformed.get(),
            attempt: None,
        }
    }
}
