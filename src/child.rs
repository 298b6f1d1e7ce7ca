//! One child: starts it, reads what it writes, stops it when told to, and reaps it.
//!
//! [`run`] is the body of a background task. It serves the child from one thread with one `poll`: over the channel and
//! the socket, over stdout and stderr where they go through us, and over one wake-up pipe, on which orders, the child's
//! changes of state (SIGCHLD) and returned credit arrive alike. It never blocks anywhere else, so a child is stopped at
//! once however slow the terminal is. It draws nothing, decides nothing about when to stop, and knows no signal of the user's.
//!
//! A child is signalled only while it is not reaped: its own zombie pins the number of its group. So the order is
//! always: see the end with `WNOWAIT`, read the pipes to their end, send the last signals, reap.

mod drain;
mod holders;
mod inherited;
mod launch_error;
mod observe;
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::dialect::Selection;
use crate::event::{CancelMode, Exit, Observed, Stream};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::model::route::Route;
use crate::model::verdict::Verdicts;
use crate::progress::ProgressReporter;

use self::worker::Worker;
use crate::system::signals::unblock;

pub(crate) use self::inherited::channel;
pub(crate) use self::launch_error::{LaunchError, advice};
pub(crate) use self::socket::Socket;
pub(crate) use self::terminal::{has_terminal, is_ours_alone};
pub(crate) use self::tree::ignores;

/// What to start, and how its streams are connected.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
pub struct Launch {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The number of the channel in the child.
    pub channel: RawFd,
    /// The socket of the same purpose, if there is one.
    pub socket: Option<Socket>,
    /// Where the child's stdout goes.
    pub stdout: Route,
    /// Where the child's stderr goes.
    pub stderr: Route,
    /// Whether every line of the channel is wanted, not only the newest state of each part.
    pub verbatim: bool,
    /// Which formats of other programs are read.
    pub from: Selection,
    /// Whether a program that can tell a descriptor of its own what it does is given one: it draws nothing itself then.
    pub zig: bool,
    /// Whether stdout and stderr are read to their end however long somebody holds them after the child.
    pub wait_output: bool,
    /// Whether the terminal shows any of it: then the child is lent it when it takes the screen or the keyboard.
    pub on_screen: bool,
    /// Whether the child has the terminal from its start to its end, if it is ours to lend.
    pub in_foreground: bool,
    /// Whether a child that reports nothing is looked at from outside.
    pub observe: bool,
    /// The write end of a pipe that tells of a stop when its reader closes it.
    pub parent: Option<OwnedFd>,
    /// Where events are written, if their reader is our link to our caller: a pipe or a socket.
    pub reader: Option<OwnedFd>,
    /// How long the child's group lives on if we are killed; none: for ever.
    pub kill_after: Option<Duration>,
}

/// What the worker tells the run loop, beside the reports. Unlike these it also arrives after a cancel request.
#[derive(Debug)]
pub enum Notice {
    /// The child runs.
    Started {
        /// Its process number, which is also the number of its group.
        pid: i32,
    },
    /// The child could not be started.
    NotStarted(LaunchError),
    /// The child printed something.
    Output {
        /// Where.
        stream: Stream,
        /// What, byte for byte.
        bytes: Arc<Vec<u8>>,
        /// What its lines mean.
        verdicts: Verdicts,
        /// To be dropped when the bytes are written; the worker reads no further while too much is under way.
        permit: Permit,
    },
    /// What could be seen of the child, which has reported nothing.
    Observed(Observed),
    /// The child was stopped.
    Stopped {
        /// By this signal.
        signal: i32,
        /// Whether the terminal is ours, or the child's already: then it can be lent.
        lendable: bool,
    },
    /// The child took the whole screen of a terminal that goes through us.
    TookScreen {
        /// As for [`Stopped`](Self::Stopped).
        lendable: bool,
    },
    /// The child was continued.
    Continued,
    /// Whether the child has the terminal now: the answer to [`Order::Lend`].
    Lent(bool),
    /// The child has the terminal no more, because it reported or because of [`Order::TakeBack`].
    TakenBack,
    /// All orders before [`Order::Acknowledge`] are carried out.
    Acknowledged,
    /// The reader of [`Launch::parent`] closed it.
    ParentGone,
    /// The reader of [`Launch::reader`] is gone.
    ReaderGone,
    /// A cancel was requested, and the channel closed unless it is read in another program's format: what the child will
    /// see of it.
    CancelMode(CancelMode),
    /// The child ended of a Ctrl-C that went to it alone, for it had the terminal.
    Interrupted,
    /// The child is gone. What it printed may still be on its way.
    Exited,
    /// The child is gone, but others kept this stream open, and it was read no further.
    Held {
        /// Which stream.
        stream: Stream,
        /// Who holds it, as `name (pid)`; empty where the system does not tell.
        holders: Vec<String>,
    },
    /// The child is gone and reaped; the last notice.
    Ended(Exit),
}

/// What the run loop wants of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send this signal to the child's group; a stopped group is continued so that it can act on it.
    Signal(i32),
    /// The same, so that the run ends: when the child is gone already, others are waited for no longer.
    Stop(i32),
    /// Kill the group and, where the system lets us find them, the descendants that left it.
    Kill,
    /// Nobody reads this stream any more: let the child know in the usual way.
    Close(Stream),
    /// Once the child is gone, read no further: those who are to have it take nothing.
    Discard,
    /// Lend the terminal to the child, if it is ours, and continue the child.
    Lend,
    /// Take the terminal back because everything is about to stop.
    TakeBack,
    /// Say that all orders before this one are carried out.
    Acknowledge,
}

/// The run loop's end of the line to the worker.
#[derive(Clone, Debug)]
pub struct Control {
    orders: Queue,
    wake: Wake,
}

/// The worker's end of the line.
#[derive(Debug)]
pub struct Orders {
    queue: Queue,
    wake: Wake,
    woken: OwnedFd,
}

/// What is not carried out yet. A few of the user's wishes: never long, and nobody waits at it but in `poll`.
#[derive(Clone, Debug, Default)]
struct Queue(Arc<Mutex<VecDeque<Order>>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the worker out of `poll`. A full pipe is a wake-up already.
#[derive(Clone, Debug)]
struct Wake(Arc<OwnedFd>);

impl Wake {
    fn wake(&self) {
        let _ = rustix::io::write(&*self.0, b"!");
    }
}

impl Control {
    /// Gives an order. It is carried out at once if the child still runs, and never otherwise.
    pub fn order(&self, order: Order) {
        self.orders.lock().push_back(order);
        self.wake.wake();
    }
}

impl Orders {
    /// The next order that is to be carried out.
    fn next(&self) -> Option<Order> {
        self.queue.lock().pop_front()
    }
}

/// The two ends of the line between a run loop and the worker of one child.
///
/// # Errors
/// If no pipe can be made.
pub fn line() -> io::Result<(Control, Orders)> {
    let (woken, wake) = io::pipe()?;
    let (woken, wake) = (OwnedFd::from(woken), OwnedFd::from(wake));
    rustix::io::ioctl_fionbio(&woken, true)?;
    rustix::io::ioctl_fionbio(&wake, true)?;
    let wake = Wake(Arc::new(wake));
    let queue = Queue::default();
    let control = Control {
        orders: queue.clone(),
        wake: wake.clone(),
    };
    let orders = Orders { queue, wake, woken };
    Ok((control, orders))
}

/// Runs one child from its start to its end; see the module's comment.
///
/// # Errors
/// If the child could not be started, failed or was killed. What exactly happened is in the notices, as data.
pub fn run(
    launch: &Launch,
    orders: &Orders,
    reporter: &ProgressReporter<Batch>,
    notify: &dyn Fn(Notice),
) -> anyhow::Result<()> {
    let wake = orders.wake.clone();
    reporter.on_cancel(move || wake.wake());
    // Before the fork: a child may be gone before we look. And here, wherever else it is blocked.
    unblock(&[libc::SIGCHLD]);
    let changes =
        signal_hook::low_level::pipe::register(libc::SIGCHLD, orders.wake.0.try_clone()?)?;
    let result = Worker::start(launch, orders, reporter, notify)
        .map_err(|error| {
            let sentence = anyhow::anyhow!("{error}");
            notify(Notice::NotStarted(error));
            sentence
        })
        .and_then(Worker::serve);
    signal_hook::low_level::unregister(changes);
    result
}
