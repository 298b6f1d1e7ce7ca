//! The life of a future as data: nine phases, which its user sees as six states, and every legal step.
//!
//! Responsible for what may follow what. Does not know the observers.

use std::fmt;

use crate::executor::StateTransitionError;
use crate::protocol::PROGRESS;

/// How far a task is, as far as the foreground knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutureState {
    /// Submitted; nothing was heard of it.
    Waiting,
    /// It runs.
    Executing,
    /// It was asked to stop and has not ended.
    Cancelling,
    /// It ended with a result.
    Completed,
    /// It ended with an error.
    Failed,
    /// It ended after it was asked to stop, in whatever way.
    Cancelled,
}

impl FutureState {
    /// Whether the task can still be asked to stop: it is waiting or executing.
    #[must_use]
    pub const fn is_cancellable(self) -> bool {
        matches!(self, Self::Waiting | Self::Executing)
    }

    /// Whether nothing further will happen: the task is completed, failed or cancelled.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The state in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Executing => "executing",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for FutureState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What can happen to a future: its user cancels it, or its task sends a message of one of the five kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Cancel,
    Abandoned,
    Started,
    Progress,
    Raised,
    Returned,
}

impl Event {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Abandoned => "abandoned",
            Self::Started => "started",
            Self::Progress => PROGRESS,
            Self::Raised => "raised",
            Self::Returned => "returned",
        }
    }
}

/// The phase that a future is in. A state that is reached in several ways has a phase for each, because what may
/// follow, and what can be read afterwards, differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Waiting,
    Executing,
    CancellingBeforeStarted,
    CancellingAfterStarted,
    Completed,
    Failed,
    CancelledAbandoned,
    CancelledCompleted,
    CancelledFailed,
}

impl Phase {
    /// The phase that follows when `event` happens.
    #[expect(clippy::match_same_arms, reason = "one line, one legal step")]
    pub(super) const fn after(self, event: Event) -> Result<Self, StateTransitionError> {
        Ok(match (self, event) {
            (Self::Waiting, Event::Started) => Self::Executing,
            (Self::Waiting, Event::Cancel) => Self::CancellingBeforeStarted,

            (Self::Executing, Event::Progress) => Self::Executing,
            (Self::Executing, Event::Cancel) => Self::CancellingAfterStarted,
            (Self::Executing, Event::Returned) => Self::Completed,
            (Self::Executing, Event::Raised) => Self::Failed,

            (Self::CancellingBeforeStarted, Event::Abandoned) => Self::CancelledAbandoned,
            (Self::CancellingBeforeStarted, Event::Started) => Self::CancellingAfterStarted,

            (Self::CancellingAfterStarted, Event::Progress) => Self::CancellingAfterStarted,
            (Self::CancellingAfterStarted, Event::Returned) => Self::CancelledCompleted,
            (Self::CancellingAfterStarted, Event::Raised) => Self::CancelledFailed,

            _ => {
                return Err(StateTransitionError {
                    state: self.as_str(),
                    event: event.as_str(),
                });
            }
        })
    }

    pub(super) const fn state(self) -> FutureState {
        match self {
            Self::Waiting => FutureState::Waiting,
            Self::Executing => FutureState::Executing,
            Self::CancellingBeforeStarted | Self::CancellingAfterStarted => FutureState::Cancelling,
            Self::Completed => FutureState::Completed,
            Self::Failed => FutureState::Failed,
            Self::CancelledAbandoned | Self::CancelledCompleted | Self::CancelledFailed => {
                FutureState::Cancelled
            }
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::CancellingBeforeStarted => "cancelling before it started",
            Self::CancellingAfterStarted => "cancelling after it started",
            Self::CancelledAbandoned => "cancelled and never ran",
            Self::CancelledCompleted => "cancelled and returned",
            Self::CancelledFailed => "cancelled and failed",
            _ => self.state().as_str(),
        }
    }
}
