//! What progrun tells the outside about a run: the types that the run loop and the sinks share.
//!
//! Facts only: a sink decides how an event is shown, the run loop when it happens. The only texts are warnings and
//! errors, which are sentences already, and the message of a file that is read.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::eta::RunEstimate;
use crate::flow::Permit;
use crate::list::{Specification, Stdin};
use crate::model::batch::Batch;
use crate::model::parts::Parts;
use crate::model::verdict::Verdicts;
use crate::protocol::Progress;

/// The number of a task in its run, from 1, as in `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(NonZeroU32);

impl TaskId {
    /// The first task of a run, and of a run with one command the only one.
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number.
    #[must_use]
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// The task with this number, which counts from 1.
    #[must_use]
    pub(crate) fn of(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The task after this one. A run has fewer tasks than there are numbers.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    /// To which task; none: to the run itself.
    pub task: Option<TaskId>,
    /// When: the time that has passed since the run began.
    pub at: Duration,
    /// What happened.
    pub what: What<'a>,
}

#[cfg(any(test, fuzzing))]
impl<'a> What<'a> {
    /// The event that this happened to the first task of a run.
    pub(crate) fn at(self, at: Duration) -> Event<'a> {
        let task = Some(TaskId::FIRST);
        Event {
            task,
            at,
            what: self,
        }
    }
}

/// What can happen to a task or a run.
#[derive(Debug)]
pub(crate) enum What<'a> {
    /// A run of many tasks begins.
    Run(&'a RunHead<'a>),
    /// More is known of how many tasks the list has.
    Total(Total),
    /// The child runs.
    Started {
        /// What the task is called.
        name: &'a str,
        /// The program and its arguments.
        command: &'a [OsString],
        /// The number of the process. None: it could not be started. Told only in a run of many, where each end has its
        /// beginning.
        pid: Option<i32>,
        /// Where it runs, in a run of many.
        place: Option<Place<'a>>,
        /// The machine on which it runs, if that is another one.
        host: Option<&'a str>,
    },
    /// The child reported.
    Progress(&'a Batch),
    /// The child printed something that goes through us.
    Output {
        /// The stream that it printed to.
        stream: Stream,
        /// What it printed, byte for byte.
        bytes: &'a Arc<Vec<u8>>,
        /// What its lines mean.
        verdicts: &'a Verdicts,
        /// To be cloned and held until the bytes are written.
        permit: &'a Permit,
    },
    /// What the worker saw from outside of a child that reports nothing at the moment.
    Observed(&'a Observed),
    /// A stop was requested.
    Cancelling {
        /// What requested it.
        reason: Reason,
        /// What happens next.
        step: Step,
        /// How long it has until time alone takes the next one; none if for ever.
        left: Option<Duration>,
    },
    /// The next step of a stop that was requested before.
    Stopping {
        /// Why now.
        cause: Cause,
        /// What happens next.
        step: Step,
        /// As for [`Cancelling`](Self::Cancelling).
        left: Option<Duration>,
    },
    /// A signal was sent to the child.
    Signal {
        /// Which.
        signal: i32,
        /// Whether progrun received and forwarded it; otherwise it is a step of a stop.
        forwarded: bool,
    },
    /// The terminal is lent or was taken back. Nothing is drawn on it while it is lent.
    Terminal {
        /// Whether it is progrun's.
        ours: bool,
    },
    /// The reader of what the tasks print to this stream is gone.
    Closed(Stream),
    /// The terminal has another size.
    Resized,
    /// True: the child alone was stopped, or is stopped waiting for a terminal that it cannot get. False: the child was
    /// continued, after whatever stop.
    Paused(bool),
    /// Something that the user should know, in a sentence.
    Warning(&'a str),
    /// The task is over, or in a run of many one attempt.
    Finished(&'a Summary),
    /// A task of a list does not run.
    Skipped {
        /// What the task is called.
        name: &'a str,
        /// Why.
        reason: SkipReason,
        /// The name of the task that it needs, if that is why.
        cause: Option<&'a str>,
    },
    /// No task begins any more, because so many have ended in this way.
    Halted(Halted),
    /// What the next tasks of a list wait for, first come first. Told when it changes.
    Waiting(&'a [Waiting]),
    /// The output of an ended attempt, which was kept, is shown from now on, until [`Shown`](Self::Shown). Sinks that
    /// show output tell here how it ended. Only in a run of many.
    Shows(&'a Summary),
    /// All output of the attempt was shown.
    Shown,
    /// The run of many is over.
    End(&'a RunSummary),
    /// Told only to a watcher that comes in the middle of a run: what was reported of the task before.
    Known(&'a Parts),
    /// The same of a run of many: how many tasks were over before, and what their ends say of the rest.
    Counted(Counts, RunEstimate),
    /// The watcher leaves the run, which goes on: nothing is drawn any more.
    Left,
    /// Told only to the progrun that has started us on this machine: how its order was carried out.
    Answer(Answer),
    /// The same: that we are still here, for the time of this number.
    Alive(u64),
    /// What that progrun does with the output of the task from now on.
    Reader(Reader),
}

/// What the reader of an agent's lines does with output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// It takes it.
    Reads,
    /// It has enough for now.
    Waits,
    /// It takes no more.
    Gone,
}

/// What follows from an order of the progrun that has started us on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The task is cancelled, and the child will see it in this way.
    Cancel(CancelMode),
    /// Whether the child reports.
    Drain {
        /// It does.
        reports: bool,
    },
    /// The child is gone. Its output may still be on its way.
    Exited,
    /// The child could not be started, for which this exit status stands.
    NotStarted {
        /// See the exit statuses of progrun(1).
        status: i32,
    },
}

/// The beginning of a run of many.
#[derive(Debug)]
pub(crate) struct RunHead<'a> {
    /// The name of the run.
    pub name: &'a str,
    /// How many tasks run at once.
    pub jobs: u32,
    /// How many tasks the list has, as far as it is known.
    pub total: Total,
    /// The template of the commands; empty for a list of commands.
    pub command: &'a [OsString],
}

/// How many tasks a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// As many as are known, or as the user says.
    pub count: u64,
    /// No further ones come.
    pub is_final: bool,
}

/// Where an attempt of a task of a list runs, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The slot, from 1.
    pub slot: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The values that the command was made of; none in a list of commands.
    pub input: Option<&'a [OsString]>,
    /// Whether the user gave the task its name: then the name is what it is known by.
    pub named: bool,
    /// Which one it is of the tasks of its list that are known by the same, from 1.
    pub nth: u32,
    /// The keys that begin with `x-`, as a JSON object.
    pub extra: Option<&'a str>,
    /// What belongs to the command besides its words.
    pub surroundings: Surroundings<'a>,
}

/// In what the command of a task runs, as far as that is not what progrun itself has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surroundings<'a> {
    /// The folder.
    pub folder: Option<&'a Path>,
    /// The variables; none: removed.
    pub variables: &'a [(String, Option<OsString>)],
    /// The file that is its stdin, seen from our folder.
    pub stdin: Option<&'a Path>,
}

impl<'a> Place<'a> {
    /// An attempt of this task in a slot.
    #[must_use]
    pub(crate) fn of(task: &'a Specification, slot: u32, attempt: u32) -> Self {
        Self {
            slot,
            attempt,
            input: task.values.as_deref(),
            named: task.named,
            nth: task.nth,
            extra: task.extra.as_deref(),
            surroundings: Surroundings {
                folder: task.folder.as_deref(),
                variables: &task.variables,
                stdin: match &task.stdin {
                    Stdin::File(path) => Some(path),
                    Stdin::Inherit | Stdin::Null => None,
                },
            },
        }
    }
}

/// Why a task does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// A task that it needs did not complete.
    Dependency,
    /// `--halt`.
    Halted,
    /// The run is cancelled.
    Cancelled,
    /// An earlier run has done it, says the job log.
    Done,
}

/// Why no task begins any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halted {
    /// Which ends were counted.
    pub why: HaltWhy,
    /// How many of them there were.
    pub count: u64,
    /// Whether the running tasks are stopped, too.
    pub when: HaltWhen,
}

/// Which ends of tasks `--halt` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HaltWhy {
    /// Failures.
    Fail,
    /// Completions.
    Success,
    /// Both.
    Done,
}

/// What `--halt` does to the running tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HaltWhen {
    /// They come to their ends.
    Soon,
    /// They are stopped.
    Now,
}

/// A task that could begin, but for this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// What the task is called.
    pub name: String,
    /// What it waits for.
    pub obstacle: Obstacle,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The end of the task of this name.
    Task(String),
    /// `--min-memory`: more memory.
    Memory,
    /// `--max-load`: less load.
    Load,
    /// The time of its next attempt, by the clock of the run.
    Retry(Duration),
    /// More free slots.
    Slots,
    /// The answer of this machine.
    Host(String),
    /// Its turn in the queue of an engine, as this job.
    Queue(String),
}

/// How a run of many ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunSummary {
    /// How the tasks ended.
    pub counts: Counts,
    /// How many of the tasks did not begin; none if their number is not known.
    pub not_started: Option<u64>,
    /// Why those did not begin, in one word: `halt`, `cancelled`.
    pub why: Option<&'static str>,
    /// How progrun ends.
    pub ending: Ending,
}

/// How many tasks ended, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Completed, or done by an earlier run.
    pub completed: u64,
    /// Of those, how many needed more than one attempt.
    pub flaky: u64,
    /// Of the completed ones, how many were done by an earlier run.
    pub done: u64,
    /// Failed, timed out or could not be started.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Lost on another machine.
    pub lost: u64,
    /// Skipped because of another task.
    pub skipped: u64,
}

impl Counts {
    /// How many tasks are over.
    #[must_use]
    pub(crate) fn over(&self) -> u64 {
        self.completed + self.failed + self.cancelled + self.lost + self.skipped
    }
}

/// What the worker saw of the child and its descendants from outside, over about the last second.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observed {
    /// How many processors they kept busy.
    pub cpu: f64,
    /// How many bytes they read in a second.
    pub read: f64,
    /// How many bytes they wrote in a second.
    pub written: f64,
    /// The file that one of them reads through, if they seem to.
    pub file: Option<FileRead>,
}

/// How far a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileRead {
    /// Its name, without the folder.
    pub name: String,
    /// How many bytes are read.
    pub position: u64,
    /// How many there are.
    pub size: u64,
}

impl FileRead {
    /// How far the file is read, as a report.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the last bytes do not matter")]
    pub(crate) fn progress(&self) -> Progress<'static> {
        Progress {
            progress: Some(self.position as f64),
            total: Some(self.size as f64),
            unit: Some(Cow::Borrowed("bytes")),
            message: Some(Cow::Owned(format!("reading {}", self.name))),
            ..Progress::default()
        }
    }
}

/// One of the child's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// What requested the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Ctrl-C, or SIGINT from elsewhere.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
    /// The progrun that we run under was asked to stop, or is gone.
    Parent,
    /// `--timeout` is over.
    Timeout,
    /// `--deadline` is over.
    Deadline,
    /// `--halt now`.
    Halt,
    /// On another machine: the progrun that has started the command there is gone, or has said nothing for too long.
    Lease,
}

/// Why a stop goes one step further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The user asked again.
    Again,
    /// The child had this long to end, and is still there.
    NoReaction(Duration),
    /// `--timeout` is over, and a stop had been requested before.
    TimedOut,
}

/// How a child that is to stop can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelMode {
    /// By the channel, which is closed now: its next write fails.
    Channel,
    /// Only by a signal.
    Signal,
}

/// The steps of a stop, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// In a run of many: a task that does not report may come to its end.
    Drain,
    /// The channel is closed: the child's next progress write fails.
    Ask,
    /// This signal: at once if there is no progress write to wait for, or when `--grace` is over.
    Signal(i32),
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// Wait no longer.
    GiveUp,
}

/// How a child ended, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its status or the signal that killed it.
    pub ending: Ending,
    /// Processor time in user mode, its waited-for children included.
    pub user_time: Duration,
    /// Processor time in the kernel, its waited-for children included.
    pub system_time: Duration,
    /// The largest resident set, in bytes.
    pub max_rss: u64,
}

/// How a process ended, or is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Completed, failed or cancelled: the state of the task's future.
    pub state: FinalState,
    /// What requested the stop, if there was a request.
    pub reason: Option<Reason>,
    /// What was missed, if the task is lost.
    pub missed: Option<Missed>,
    /// How the child ended; none if it never ran, or is still there.
    pub exit: Option<Exit>,
    /// Why the child could not be started, or the run could not be finished.
    pub error: Option<String>,
    /// How many lines of the channel were reports.
    pub reports: u64,
    /// How many lines of the channel were malformed.
    pub malformed: u64,
    /// Which attempt it was, in a run of many.
    pub attempt: Option<Attempt>,
}

/// An attempt of a task in a run of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its slot, from 1.
    pub slot: u32,
    /// Its number, from 1.
    pub number: u32,
    /// When the next attempt follows, if one does.
    pub retry_in: Option<Duration>,
    /// How long it ran.
    pub duration: Duration,
    /// How many bytes of its output went through progrun.
    pub output_bytes: u64,
}

/// The states in which a task can be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalState {
    /// The child did what it was to do.
    Completed,
    /// It did not.
    Failed,
    /// A stop was requested before it ended.
    Cancelled,
    /// It ran on another machine, or was to, and what became of it is not known.
    Lost,
}

/// What was missed of a task on another machine, which is lost therefore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// The first word: the machine was never reached, and nothing has run there.
    Hello,
    /// Any word, for longer than the lease.
    Heartbeat,
    /// The last word: the connection ended without it.
    FinalEvent,
}

impl FinalState {
    /// Whether the task did not do what it was to do, as far as is known, and was not asked to stop.
    #[must_use]
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Lost)
    }

    /// Its word, in lines for machines and for people.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// The name of a signal, `SIGTERM` for 15; `SIG42` for one without a name.
#[must_use]
pub(crate) fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("SIG{signal}"), str::to_owned)
}

/// The number of the signal with this name; none if no signal has it.
#[must_use]
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    let number = name.strip_prefix("SIG").and_then(|rest| rest.parse().ok());
    (1..65)
        .find(|signal| signal_hook::low_level::signal_name(*signal) == Some(name))
        .or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_without_a_name_is_still_one_word_in_the_form_of_the_others() {
        assert_eq!(signal_name(15), "SIGTERM");
        assert_eq!(signal_name(42), "SIG42");
        assert_eq!(signal_number("SIGTERM"), Some(15));
        assert_eq!(signal_number("SIG42"), Some(42));
        assert_eq!(signal_number("TERM"), None);
    }
}
