//! One task on another machine: on which terms it runs there, and as many connections as it takes (`session`). The
//! other variant of a child: the run loop gives it the same orders and gets the same notices.
//!
//! Only the agent's last word proves how the task ended. The exit status of the way there is not believed: `srun` exits
//! with 0 when a node has failed. Both sides have a lease. The agent says now and then that it is there, and is told which of
//! these words was heard. It stops its task when the last of them is older than the lease; and the task is lost here when
//! nothing was heard for so long that the agent must have done that. So a task that is tried again elsewhere does not run
//! twice, unless the agent itself was kept from running, as by SIGSTOP.
//!
//! Nothing runs before the first word of the agent, its hello. Until then a task can be withdrawn or begin elsewhere.

mod intake;
mod link;
mod session;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::event::{Cause, Missed, Reason, Step, Stream};
use crate::launcher::{Bootstrap, Job, Target};
use crate::model::batch::Batch;
use crate::progress::ProgressReporter;

use super::launch_error::LaunchError;
use super::worker::timespec;
use super::{Ended, Launch, Notice, Order, Orders};

use self::session::{Session, Verdict};

/// How much later than it has to be a task is lost.
const MARGIN: Duration = Duration::from_secs(5);
/// How often a machine that turns a connection away is asked again, and after which time first. It doubles.
const TRIES: u32 = 6;
const FIRST_TRY: Duration = Duration::from_millis(250);
/// The longest time between two words of an agent.
const ALIVE: Duration = Duration::from_secs(5);

/// Where a task runs, if that is another machine, and on which terms.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    /// Where.
    pub(crate) target: Target,
    /// What all tasks of the run have in common.
    pub(crate) terms: Arc<Terms>,
}

/// What all tasks of a run on other machines have in common.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The name that the jobs of the run have in an engine.
    pub(crate) run: String,
    /// Whether the run is inside an allocation of the engine.
    pub(crate) is_step: bool,
    /// How long a side goes on without a word of the other; none: for ever.
    pub(crate) lease: Option<Duration>,
    /// How long an agent whose lease is over lets its task end by itself, and how long each signal has.
    pub(crate) grace: Duration,
    pub(crate) kill_after: Duration,
    /// How an agent is found.
    pub(crate) bootstrap: Bootstrap,
    /// The folder in which tasks run that name none.
    pub(crate) folder: PathBuf,
    /// The variables that go along.
    pub(crate) variables: Vec<(String, Option<OsString>)>,
}

impl Terms {
    /// After which silence a task is lost: its agent has stopped it by then, whatever it does about signals. None:
    /// never.
    pub(crate) fn silence(&self) -> Option<Duration> {
        let signals = self.kill_after.saturating_mul(2);
        let stop = self.grace.saturating_add(signals).saturating_add(MARGIN);
        Some(self.lease?.saturating_add(stop))
    }

    /// How long apart the words of each side are.
    pub(crate) fn beat(lease: Duration) -> Duration {
        (lease / 4).min(ALIVE)
    }

    fn job(&self) -> Job<'_> {
        Job {
            run: &self.run,
            silence: self.silence(),
            is_step: self.is_step,
        }
    }
}

/// What becomes known of a task on another machine, besides what any child says.
#[derive(Debug)]
pub(crate) enum News {
    /// It waits in the queue of an engine, as this job.
    Queued(String),
    /// Its agent is there, on a machine with so many processors.
    Reached {
        host: String,
        processors: u32,
        job: Option<String>,
    },
    /// It runs, with this process number there.
    Started(i32),
    /// It was stopped there, or goes on.
    Paused(bool),
    /// Something that the user should know.
    Warning(String),
    /// Its agent stops it by itself.
    Cancelling {
        reason: Reason,
        step: Step,
        left: Option<Duration>,
    },
    /// The next step of that.
    Stopping {
        cause: Cause,
        step: Step,
        left: Option<Duration>,
    },
    /// It is over here, but a job of it may be left in the engine.
    Left,
}

/// A task that is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// What was missed.
    pub(crate) missed: Missed,
    /// What happened, in a sentence.
    pub(crate) sentence: String,
    /// After which time it certainly does not run any more; none: that cannot be said.
    pub(crate) over_in: Option<Duration>,
}

/// Runs a task on another machine; see the module's comment.
///
/// # Errors
/// If the system refuses to wait.
pub(super) fn run(
    launch: &Launch,
    elsewhere: &Elsewhere,
    orders: &Orders,
    reporter: &ProgressReporter<Batch>,
    notify: &dyn Fn(Notice),
) -> anyhow::Result<Ended> {
    if let Some(fault) = &launch.fault {
        return Ok(Ended::NotStarted(LaunchError::Unusable(fault.clone())));
    }
    let mut delay = FIRST_TRY;
    let closed = RefCell::default();
    for attempt in 1.. {
        let session = Session::start(launch, elsewhere, orders, reporter, notify, &closed);
        let session = match session {
            Ok(session) => session,
            Err(error) => return Ok(Ended::NotStarted(error)),
        };
        match session.serve()? {
            Verdict::Ended(ended) => return Ok(ended),
            Verdict::TurnedAway(sentence) if attempt == TRIES => {
                return Ok(not_reached(sentence));
            }
            Verdict::TurnedAway(_) => {}
        }
        if !wait(delay, orders, reporter, notify, &closed)? {
            return Ok(Ended::Withdrawn);
        }
        delay *= 2;
    }
    Ok(Ended::Withdrawn)
}

fn not_reached(sentence: String) -> Ended {
    Ended::Lost(Lost {
        missed: Missed::Hello,
        sentence,
        over_in: Some(Duration::ZERO),
    })
}

/// Waits before a machine is asked again. False: the task was withdrawn meanwhile.
fn wait(
    delay: Duration,
    orders: &Orders,
    reporter: &ProgressReporter<Batch>,
    notify: &dyn Fn(Notice),
    closed: &RefCell<Vec<Stream>>,
) -> io::Result<bool> {
    let until = Instant::now() + delay;
    loop {
        while let Some(order) = orders.next() {
            refuse(order, notify, closed);
        }
        if reporter.is_cancelled() {
            return Ok(false);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        let mut woken = [PollFd::new(&orders.woken, PollFlags::IN)];
        match poll(&mut woken, Some(&timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => orders.woken.clear(),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers an order that asks for an answer, although no task runs; and notes the streams whose readers have left.
fn refuse(order: Order, notify: &dyn Fn(Notice), closed: &RefCell<Vec<Stream>>) {
    match order {
        Order::Lend(Some(terminal)) => notify(Notice::Returned {
            terminal,
            refused: true,
        }),
        Order::Acknowledge => notify(Notice::Acknowledged),
        // It has not begun: a stop of the run withdraws it.
        Order::Drain => notify(Notice::Drain { reports: true }),
        Order::Close(stream) => closed.borrow_mut().push(stream),
        _ => {}
    }
}
