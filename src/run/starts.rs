//! What the starts of the children of a run have in common: the limit of open files, the sockets, the session. Asked once
//! or now and then, and not for each child: that is worth a quarter of the cost of a short task.

use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child;
use crate::socket::{Purpose, Socket, SocketFiles};

/// How many descriptors a running task takes, at most, while its child is started.
const FOR_A_TASK: u64 = 16;
/// How many descriptors the run itself takes.
const FOR_THE_RUN: u64 = 32;
/// For how many more children than slots there is a place on the board.
const SPARE: usize = 64;
/// How long it holds whether children need a session of their own.
const AGAIN: Duration = Duration::from_secs(1);

/// What the children are started with.
pub(super) struct Starts {
    channel: RawFd,
    /// What listens on the sockets: the socket of a single command is that of the run.
    purpose: Purpose,
    /// Whether the run goes on when its user has logged out.
    outlives_session: bool,
    /// The sockets that no task uses at the moment.
    sockets: Vec<SocketPlace>,
    /// Whether children need a session of their own, and when that was asked.
    session: Option<(Duration, bool)>,
    /// The soft limit of open files that children get back; none: it was not raised.
    pub(super) open_files: Option<u64>,
    /// Where the children are noted for the watcher of a run of many.
    pub(super) board: Option<Arc<child::Board>>,
    /// The pseudo-terminals that children of a run of many have had.
    pub(super) spares: Option<Arc<child::Spares>>,
    /// Holds the low numbers for the descriptors of the children.
    low_numbers: Vec<Arc<OwnedFd>>,
}

/// A socket for tasks, one after the other.
pub(super) struct SocketPlace {
    pub(super) socket: Arc<Socket>,
    /// Dropping this value removes the files of the socket.
    files: Option<SocketFiles>,
}

impl SocketPlace {
    /// No process finds the socket any more. Those that have found it are heard.
    pub(super) fn hide(&mut self) {
        self.files = None;
    }
}

impl Starts {
    /// For one child with its channel on this number, and a socket for this purpose.
    pub(super) fn of_one(channel: RawFd, purpose: Purpose, outlives_session: bool) -> Self {
        Self {
            channel,
            purpose,
            outlives_session,
            sockets: Vec::new(),
            session: None,
            open_files: None,
            board: None,
            spares: None,
            low_numbers: Vec::new(),
        }
    }

    /// For many children in so many slots, with their channels on this number. To be called before threads are started:
    /// it forks. `kill_after`: how long the children may live on if progrun is killed; none: for ever.
    pub(super) fn of_many(
        channel: RawFd,
        open_files: Option<u64>,
        slots: u32,
        kill_after: Option<Duration>,
        outlives_session: bool,
    ) -> Self {
        let places = usize::try_from(slots).unwrap_or(usize::MAX);
        // The user may add slots while the run goes on.
        let places = places.saturating_add(SPARE);
        let board = kill_after.and_then(|patience| child::Board::start(places, patience));
        Self {
            open_files,
            board: board.map(Arc::new),
            spares: Some(Arc::default()),
            low_numbers: child::take_low_numbers(channel),
            ..Self::of_one(channel, Purpose::Task, outlives_session)
        }
    }

    /// /dev/null, open for reading, in a run of many.
    pub(super) fn nowhere(&self) -> Option<Arc<OwnedFd>> {
        self.low_numbers.first().cloned()
    }

    /// A socket for the next task, if one can be had.
    pub(super) fn socket(&mut self) -> Option<SocketPlace> {
        self.sockets.pop().or_else(|| {
            let (socket, files) = Socket::open(self.channel, self.purpose, self.outlives_session)?;
            Some(SocketPlace {
                socket: Arc::new(socket),
                files: Some(files),
            })
        })
    }

    /// The task that had this socket is over.
    pub(super) fn give_back(&mut self, place: Option<SocketPlace>) {
        self.sockets.extend(place);
    }

    /// Removes the files of the sockets, and ends the watcher, unless a child was given up.
    pub(super) fn clear(&mut self) {
        self.sockets.clear();
        self.board = None;
    }

    /// Whether a child that is started now needs a session of its own.
    pub(super) fn session(&mut self, now: Duration) -> bool {
        match self.session {
            Some((asked, session)) if now < asked + AGAIN => session,
            _ => {
                let session = child::needs_session();
                self.session = Some((now, session));
                session
            }
        }
    }
}

/// How many slots there are for a wish of so many, the soft limit of open files that children get back, and a sentence
/// if there are fewer slots than wished. Raises the limit of this process if that is needed.
pub(super) fn slots(wanted: u32) -> (u32, Option<u64>, Option<String>) {
    let limit = getrlimit(Resource::Nofile);
    let needed = FOR_THE_RUN + u64::from(wanted) * FOR_A_TASK;
    let (Some(soft), true) = (limit.current, limit.current.is_some_and(|it| it < needed)) else {
        return (wanted, None, None);
    };
    let most = limit.maximum.unwrap_or(needed);
    let raised = Rlimit {
        current: Some(most.max(soft)),
        maximum: limit.maximum,
    };
    let (now, before) = match setrlimit(Resource::Nofile, raised) {
        Ok(()) if most > soft => (most, Some(soft)),
        _ => (soft, None),
    };
    let fit = now.saturating_sub(FOR_THE_RUN) / FOR_A_TASK;
    let fit = u32::try_from(fit.max(1)).unwrap_or(u32::MAX).min(wanted);
    let fewer = (fit < wanted).then(|| fewer(fit, "open files", "ulimit -n"));
    (fit, before, fewer)
}

/// The sentence that fewer tasks run at once than the user wished.
pub(super) fn fewer(slots: u32, of: &str, by: &str) -> String {
    let tasks = if slots == 1 {
        "1 task"
    } else {
        &format!("{slots} tasks")
    };
    format!("only {tasks} at a time: the limit on {of} is too low for more (raise it: {by})")
}
