//! One child: starts it, reads what it writes, stops it when told to, and reaps it.
//!
//! [`run`] is the body of a background task. It serves the child from one thread with one `poll`: over the channel, the
//! socket and Zig's pipe, over stdout and stderr where they go through us, over a pidfd that reports the child's end,
//! and over one wake-up pipe for orders and returned credit. So a child is stopped at once, however slow the terminal
//! is. Nothing here draws, decides when to stop, or owns what exists once per process: the run lends the terminal, and
//! the run loop handles SIGCHLD.
//!
//! A child is signalled only while it is not reaped: its own zombie pins the number of its group. So the order is
//! always: see the end with `WNOWAIT`, read the pipes to their end, send the last signals, reap.

mod drain;
mod elsewhere;
mod holders;
mod inherited;
mod launch_error;
mod observe;
mod pipe;
mod pty;
mod socket;
mod spawn;
mod terminal;
mod tree;
mod waiting;
mod watcher;
mod worker;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::dialect::Selection;
use crate::event::{CancelMode, Exit, Observed, Reason, Stream};
use crate::flow::Permit;
use crate::list::Stdin;
use crate::model::batch::Batch;
use crate::model::route::Route;
use crate::model::verdict::Verdicts;
use crate::progress::ProgressReporter;
use crate::socket::Socket;

use self::worker::Worker;
use crate::system::wake::{Wake, Woken, wake};

pub(crate) use self::elsewhere::{Elsewhere, Lost, News, Terms};
pub(crate) use self::inherited::channel;
pub(crate) use self::launch_error::{LaunchError, advice, missing};
pub(crate) use self::pipe::UNDER_WAY;
pub(crate) use self::pty::{Spares, set_size};
pub(crate) use self::spawn::{needs_session, take_low_numbers};
pub(crate) use self::terminal::{Terminal, has_terminal, is_ours_alone};
pub(crate) use self::tree::{ignores, kill_all, living};
pub(crate) use crate::system::watcher::Board;

/// The exit status of a progrun that has failed itself.
const FAILED: i32 = 125;

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The child has ended.
    Exit(Exit),
    /// On another machine, or on its way there, it was stopped for this reason, which is not ours.
    Stopped(Reason, Option<Exit>),
    /// There was no child.
    NotStarted(LaunchError),
    /// The task was withdrawn before it began on another machine.
    Withdrawn,
    /// What became of it on another machine is not known.
    Lost(Lost),
}

/// The command to start, and the connections of its streams.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub(crate) struct Launch {
    /// What the task is called.
    pub(crate) name: String,
    /// Where it runs, if that is another machine.
    pub(crate) elsewhere: Option<Elsewhere>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Why it cannot be started, if that is known already.
    pub(crate) fault: Option<String>,
    /// What it reads as its stdin.
    pub(crate) stdin: Stdin,
    /// /dev/null, open for reading, if it is.
    pub(crate) nowhere: Option<Arc<OwnedFd>>,
    /// The folder in which it runs; none: ours.
    pub(crate) folder: Option<PathBuf>,
    /// The variables that differ from our environment. None: removed.
    pub(crate) variables: Vec<(String, Option<OsString>)>,
    /// Its soft limit of open files; none: ours.
    pub(crate) open_files: Option<u64>,
    /// The number of the channel in the child.
    pub(crate) channel: RawFd,
    /// The socket that serves as a channel too, if there is one.
    pub(crate) socket: Option<Arc<Socket>>,
    /// Whether the child needs a session of its own: see [`needs_session`].
    pub(crate) session: bool,
    /// Whether it is one of many: its pipes are enlarged when one was full, and its socket had other tasks before it.
    pub(crate) is_one_of_many: bool,
    /// Where the child's stdout goes.
    pub(crate) stdout: Route,
    /// Where the child's stderr goes.
    pub(crate) stderr: Route,
    /// How many bytes of its output, and of its reports, may be under way.
    pub(crate) under_way: usize,
    /// Whether every report of the channel is passed on, not only the newest state of each part.
    pub(crate) every_report: bool,
    /// Which formats of other programs are read.
    pub(crate) from: Selection,
    /// Whether the child gets a `ZIG_PROGRESS` pipe. Zig then stops drawing its own bars.
    pub(crate) zig: bool,
    /// Whether stdout and stderr are read to their end, however long other processes hold them after the child.
    pub(crate) wait_output: bool,
    /// Whether the terminal shows any of the child's output. Then a child that takes the screen or the keyboard is lent
    /// it.
    pub(crate) on_screen: bool,
    /// Whether the child has the terminal from its start to its end, provided that the terminal is ours to lend.
    pub(crate) in_foreground: bool,
    /// Whether the worker samples in /proc a child that reports nothing.
    pub(crate) observe: bool,
    /// How long the child's group may live on if progrun is killed. None: for ever.
    pub(crate) kill_after: Option<Duration>,
    /// The pseudo-terminals of earlier children of a run of many.
    pub(crate) spares: Option<Arc<Spares>>,
    /// Where the children of a run of many are noted for their common watcher.
    pub(crate) board: Option<Arc<Board>>,
}

/// Sent by the worker to the run loop, beside the reports. Unlike reports, notices also arrive after a cancel request.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The child runs.
    Started {
        /// Its process number, which is also the number of its group.
        pid: i32,
        /// A variable that only the environments of the child and its descendants have.
        tag: String,
    },
    /// The child printed something.
    Output {
        /// The stream it was printed to.
        stream: Stream,
        /// The output, byte for byte.
        bytes: Arc<Vec<u8>>,
        /// The meaning of its lines.
        verdicts: Verdicts,
        /// Dropped when the bytes are written. The worker reads no further while too much is under way.
        permit: Permit,
    },
    /// A sample of the child, which has reported nothing.
    Observed(Observed),
    /// What becomes known of a child on another machine.
    Elsewhere(News),
    /// The child was stopped.
    Stopped {
        /// The signal that stopped it.
        signal: i32,
        /// Whether the terminal can be lent: it is ours, or the child's already.
        lendable: bool,
        /// How many orders to continue it were carried out before.
        continues: u64,
    },
    /// The child took the screen or the keyboard of a pseudo-terminal of ours, or has the terminal from its start.
    TookScreen {
        /// As for [`Stopped`](Self::Stopped).
        lendable: bool,
    },
    /// The child was continued.
    Continued,
    /// The child has the terminal now: the answer to [`Order::Lend`].
    Lent,
    /// The terminal comes back: the child reported or no longer uses it, or [`Order::TakeBack`] was given.
    Returned {
        /// The terminal.
        terminal: Terminal,
        /// Whether it could not be lent to the child at all.
        refused: bool,
    },
    /// All orders before [`Order::Acknowledge`] are carried out.
    Acknowledged,
    /// A cancel was requested, and the worker closed the channel unless another program's format is read there. The
    /// mode says what the child will see of the request.
    Cancel(CancelMode),
    /// The answer to [`Order::Drain`]: whether the child has ever reported to progrun itself.
    Drain {
        /// It has.
        reports: bool,
    },
    /// A process has connected to the socket, and asks something of the run. With what was read of the connection.
    Request(UnixStream, Vec<u8>),
    /// A Ctrl-C that went to the child alone, which had the terminal, ended it.
    Interrupted,
    /// The child is gone. The terminal comes back if its worker had it. The child's output may still be on its way.
    Exited(Option<Terminal>),
    /// The child is gone, but other processes kept this stream open, and it was read no further.
    Held {
        /// Which stream.
        stream: Stream,
        /// The processes that hold it, as `name (pid)`. Empty where the system does not tell.
        holders: Vec<String>,
    },
}

/// An order of the run loop to the worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send this signal to the child's group. After SIGTERM, SIGHUP, SIGINT and SIGQUIT a stopped group is continued,
    /// because it acts on nothing before that.
    Signal(i32),
    /// The same, as a step of the task's ladder. If the child is gone already, the worker stops waiting for other
    /// holders of its pipes.
    Stop(i32),
    /// Say whether the child reports, by [`Notice::Drain`]. If it does, a cancel request follows, and the channel is
    /// closed already.
    Drain,
    /// Kill the group, and the descendants that left it where the system can list them.
    Kill,
    /// The reader of this stream left. Close it, so that the child gets SIGPIPE.
    Close(Stream),
    /// The run waits no more for this task: end what is left of the way to another machine.
    GiveUp,
    /// Once the child is gone, read no further: the sinks take nothing any more.
    Discard,
    /// Lend this terminal to the child, if it is ours to lend, and continue the child. None: the worker has it already.
    Lend(Option<Terminal>),
    /// Take the terminal back because everything is about to stop.
    TakeBack,
    /// Say that all orders before this one are carried out.
    Acknowledge,
    /// Check whether the child was stopped or continued, or has ended: a SIGCHLD came.
    Look,
}

/// The run loop's end of the line to the worker.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    orders: Queue,
    wake: Wake,
}

/// The worker's end of the line.
#[derive(Debug)]
pub(crate) struct Orders {
    queue: Queue,
    wake: Wake,
    woken: Woken,
}

/// Orders not yet carried out. Short (one per key press), and the worker never blocks on it: it sleeps in `poll`.
#[derive(Clone, Debug, Default)]
struct Queue(Arc<Mutex<VecDeque<Order>>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Gives an order. The worker carries it out at once, or never if it has ended.
    pub(crate) fn order(&self, order: Order) {
        self.orders.lock().push_back(order);
        self.wake.wake();
    }

    /// Whether the worker has taken all orders.
    pub(crate) fn is_idle(&self) -> bool {
        self.orders.lock().is_empty()
    }

    /// Takes the terminal out of an order that the worker did not read before it ended.
    pub(crate) fn unread_terminal(&self) -> Option<Terminal> {
        let mut orders = self.orders.lock();
        orders.drain(..).find_map(|order| match order {
            Order::Lend(terminal) => terminal,
            _ => None,
        })
    }
}

impl Orders {
    /// Takes the oldest order.
    fn next(&self) -> Option<Order> {
        self.queue.lock().pop_front()
    }
}

/// Makes the two ends of the line between a run loop and the worker of one child.
///
/// # Errors
/// If no pipe can be made.
pub(crate) fn line() -> io::Result<(Control, Orders)> {
    let (wake, woken) = wake()?;
    let queue = Queue::default();
    let control = Control {
        orders: queue.clone(),
        wake: wake.clone(),
    };
    let orders = Orders { queue, wake, woken };
    Ok((control, orders))
}

/// Runs one child from its start to its end; see the module's comment. `terminal` is for a child that has it from its
/// start. Gives how the child ended, or why it could not be started.
///
/// # Errors
/// If the worker itself fails.
pub(crate) fn run(
    launch: &Launch,
    terminal: Option<Terminal>,
    orders: &Orders,
    reporter: &ProgressReporter<Batch>,
    notify: &dyn Fn(Notice),
) -> anyhow::Result<Ended> {
    let wake = orders.wake.clone();
    reporter.on_cancel(move || wake.wake());
    if let Some(elsewhere) = &launch.elsewhere {
        return elsewhere::run(launch, elsewhere, orders, reporter, notify);
    }
    match Worker::start(launch, terminal, orders, reporter, notify) {
        Ok(worker) => worker.serve().map(Ended::Exit),
        Err(error) => Ok(Ended::NotStarted(error)),
    }
}
