//! How progrun itself ends. Chooses its exit status (124 after a timeout, 125 to 127, 137 after a timeout that had to
//! kill) or signal from the ends of the tasks and from lost output, and ends the process. Knows no process but its own.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::child::{Ended, LaunchError};
use crate::event::{Ending, FinalState, Reason, Summary};
use crate::system::signals::{Scope, die_by};

use super::running::Running;
use super::signals;

/// A timeout was reached: the status of timeout(1) in coreutils.
pub(super) const TIMED_OUT: i32 = 124;
/// progrun itself failed.
pub(crate) const FAILED: i32 = 125;
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;
/// What a shell shows for a process that was killed by SIGKILL.
pub(super) const KILLED: i32 = 137;

/// How progrun ends after a child with this summary. `killed`: the child had to be killed.
pub(super) fn of_run(summary: &Summary, killed: bool, preserve_status: bool) -> Ending {
    let own = summary.exit.map(|exit| exit.ending);
    match (summary.state, summary.reason, own) {
        (FinalState::Cancelled, Some(_), Some(own)) if preserve_status => own,
        (FinalState::Cancelled | FinalState::Lost, Some(Reason::Timeout), _) if killed => {
            Ending::Status(KILLED)
        }
        (FinalState::Cancelled | FinalState::Lost, Some(Reason::Timeout), _) => {
            Ending::Status(TIMED_OUT)
        }
        // By the signal itself and not by 128 + N: a bash script goes on after `exit 130`.
        (FinalState::Cancelled | FinalState::Lost, Some(Reason::Interrupt | Reason::Parent), _) => {
            Ending::Signal(libc::SIGINT)
        }
        // The run was cut off from its command.
        (FinalState::Lost, None, _) | (FinalState::Cancelled, Some(Reason::Lease), _) => {
            Ending::Status(FAILED)
        }
        (
            FinalState::Cancelled | FinalState::Lost,
            Some(Reason::Terminate | Reason::Deadline | Reason::Halt),
            _,
        ) => Ending::Signal(libc::SIGTERM),
        (FinalState::Cancelled | FinalState::Lost, Some(Reason::Hangup), _) => {
            Ending::Signal(libc::SIGHUP)
        }
        (_, _, Some(own)) => own,
        (_, _, None) => Ending::Status(FAILED),
    }
}

/// The same for a task, whose child may not have been started at all.
pub(super) fn of_task(running: &Running, summary: &Summary, preserve_status: bool) -> Ending {
    match (running.ended(), summary.state) {
        (Some(Ended::NotStarted(error)), FinalState::Failed) => of_launch(error),
        _ => of_run(summary, running.task.killed(), preserve_status),
    }
}

/// How progrun ends if the child could not be started.
pub(crate) fn of_launch(error: &LaunchError) -> Ending {
    Ending::Status(match error {
        LaunchError::NotFound { .. } => NOT_FOUND,
        LaunchError::CannotRun { .. } => CANNOT_RUN,
        LaunchError::Elsewhere { status, .. } => *status,
        LaunchError::Internal { .. } | LaunchError::Unusable(_) => FAILED,
    })
}

/// The state of a run whose tasks are in `state`, and that ends so: what was lost makes it a failure.
pub(super) fn state(state: FinalState, ending: Ending) -> FinalState {
    match state {
        FinalState::Completed if ending != Ending::Status(0) => FinalState::Failed,
        state => state,
    }
}

/// What a run lost of its output, whichever sink was to write it.
#[derive(Debug)]
pub(super) struct Losses {
    /// Whether a sink shows warnings on stderr. If none does, the sentences are kept for the end of the run: lost
    /// output is reported in any case.
    narrated: bool,
    unsaid: Vec<String>,
    ending: Option<Ending>,
}

impl Losses {
    pub(super) fn new(narrated: bool) -> Self {
        Self {
            narrated,
            unsaid: Vec::new(),
            ending: None,
        }
    }

    /// Notes a loss. The run ends as the first loss says, unless it ends badly anyway.
    pub(super) fn note(&mut self, ending: Ending, sentence: Option<String>) {
        self.ending.get_or_insert(ending);
        self.unsaid.extend(sentence.filter(|_| !self.narrated));
    }

    /// Keeps a sentence that matters to the output, although nothing is lost.
    pub(super) fn remark(&mut self, sentence: Option<String>) {
        self.unsaid.extend(sentence.filter(|_| !self.narrated));
    }

    /// The ending with the losses taken into account, and the sentences still to be told: a script must not take a
    /// lossy run for a success.
    pub(super) fn end(&mut self, ending: Ending) -> (Ending, Vec<String>) {
        let unsaid = std::mem::take(&mut self.unsaid);
        match self.ending {
            Some(lost) if ending == Ending::Status(0) => (lost, unsaid),
            _ => (ending, unsaid),
        }
    }
}

/// Ends the process.
pub(crate) fn end(ending: Ending) -> ! {
    end_all(ending, Scope::Process)
}

/// Ends the process. If it ends by a signal, the other processes of `scope` get that signal, too.
pub(crate) fn end_all(ending: Ending, scope: Scope) -> ! {
    signals::release();
    match ending {
        Ending::Status(status) => std::process::exit(status),
        Ending::Signal(signal) => {
            // A core file of progrun would only hide that of the child.
            let none = Rlimit {
                current: Some(0),
                maximum: Some(0),
            };
            let _ = setrlimit(Resource::Core, none);
            #[cfg(target_os = "linux")]
            let _ = rustix::process::set_dumpable_behavior(
                rustix::process::DumpableBehavior::NotDumpable,
            );
            die_by(signal, scope);
            // The first process of a container cannot be killed by a signal from inside.
            std::process::exit(128 + signal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Exit;
    use std::time::Duration;

    fn summary(state: FinalState, reason: Option<Reason>, ending: Option<Ending>) -> Summary {
        Summary {
            missed: None,
            state,
            reason,
            exit: ending.map(|ending| Exit {
                ending,
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        }
    }

    #[test]
    fn the_table_of_exit_statuses_holds() {
        use Ending::{Signal, Status};
        use FinalState::{Cancelled, Completed, Failed};
        use Reason::{Hangup, Interrupt, Terminate, Timeout};
        for (state, reason, own, killed, expected) in [
            (Completed, None, Some(Status(0)), false, Status(0)),
            (Failed, None, Some(Status(7)), false, Status(7)),
            (Failed, None, Some(Signal(11)), false, Signal(11)),
            (
                Cancelled,
                Some(Interrupt),
                Some(Status(0)),
                false,
                Signal(2),
            ),
            (
                Cancelled,
                Some(Interrupt),
                Some(Signal(13)),
                false,
                Signal(2),
            ),
            (Cancelled, Some(Interrupt), Some(Signal(9)), true, Signal(2)),
            (Cancelled, Some(Interrupt), None, true, Signal(2)),
            (
                Cancelled,
                Some(Terminate),
                Some(Signal(15)),
                false,
                Signal(15),
            ),
            (Cancelled, Some(Hangup), Some(Status(1)), false, Signal(1)),
            (
                Cancelled,
                Some(Timeout),
                Some(Status(0)),
                false,
                Status(124),
            ),
            (
                Cancelled,
                Some(Timeout),
                Some(Signal(15)),
                false,
                Status(124),
            ),
            (Cancelled, Some(Timeout), Some(Signal(9)), true, Status(137)),
        ] {
            let summary = summary(state, reason, own);
            assert_eq!(of_run(&summary, killed, false), expected, "{summary:?}");
        }
    }

    #[test]
    fn the_childs_own_ending_is_preserved_on_request() {
        let reasons = [Reason::Interrupt, Reason::Timeout];
        for reason in reasons.map(Some) {
            for own in [Ending::Status(0), Ending::Status(3), Ending::Signal(15)] {
                let summary = summary(FinalState::Cancelled, reason, Some(own));
                assert_eq!(of_run(&summary, false, true), own);
            }
        }
    }
}
