//! Runs tasks on worker threads and brings their messages back to the thread that owns the executor.
//!
//! Responsible for the workers, the one queue of messages, and the three states of an executor's life.
//! Does not know what a task does and what its messages mean: of progress in particular it knows nothing.
//! A task is described by a [`TaskSpecification`], which splits into a [`Job`] for a worker and a
//! [`TaskFuture`] for the foreground.
//!
//! # Two sides
//!
//! The foreground is the thread that made the executor. Everything that it holds, the executor and the futures, stays
//! on it and changes only while it dispatches messages ([`Executor::dispatch_one`], [`Executor::route_until`],
//! [`Executor::shutdown`]). So no state changes while the foreground looks at it, and observers run on that thread too.
//! The compiler enforces it:
//!
//! ```compile_fail,E0277
//! use progrun_task::{ProgressExecutor, submit_progress};
//! use std::num::NonZeroUsize;
//!
//! let executor = ProgressExecutor::<u32, u32>::new(NonZeroUsize::MIN);
//! std::thread::scope(|scope| {
//!     scope.spawn(|| submit_progress(&executor, |_| Ok(1))); // not from another thread
//! });
//! ```
//!
//! Nothing is borrowed while an observer runs: it may cancel, submit, stop, shut down, register further
//! observers, or drop the executor. An observer that holds the executor should hold it weakly, or neither
//! is ever dropped.

mod observers;
mod queue;
mod workers;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use observers::StateChange;
pub(crate) use observers::{FirstPanic, Observers};
pub use queue::{SendRefused, Sent, TaskSender};
pub use workers::Job;

use queue::{Batch, Ping, Queue, TaskId};
use workers::Workers;

/// How many messages the queue holds before reports have to wait, unless [`Builder::capacity`] says otherwise.
pub const DEFAULT_CAPACITY: usize = 1024;

/// What to run: it splits into the part for a worker thread and the part for the foreground.
///
/// `M` is the message that the one sends to the other.
pub trait TaskSpecification<M> {
    /// The foreground's part. Its clones are handles of one and the same future.
    type Future: TaskFuture<M> + Clone + 'static;

    /// Makes both parts.
    ///
    /// `cancel` asks the job to stop, and is for the future to call. The job sends its messages through
    /// `sender`. It is always run, also when it was cancelled before, and has to
    /// [`finish`](TaskSender::finish) on every path, or the executor waits for it without end.
    fn split(self, cancel: Box<dyn FnOnce()>, sender: TaskSender<M>) -> (Job, Self::Future);
}

/// The foreground's part of a task, as far as the executor is concerned.
pub trait TaskFuture<M> {
    /// Asks the task to stop. Returns whether that was still possible.
    fn cancel(&self) -> bool;

    /// Changes the state as the message says, and calls no observer. Returns whether the message was the final one.
    ///
    /// # Errors
    ///
    /// [`StateTransitionError`] when the message is illegal in the present state, which then stays.
    fn receive(&self, message: M) -> Result<bool, StateTransitionError>;

    /// Tells the observers what was received. The executor calls it after it has updated its own state, so a panic of
    /// an observer does no harm there.
    fn announce(&self);
}

/// Something happened to a task that its present state does not allow. The state stayed as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTransitionError {
    /// The state that the task is in.
    pub state: &'static str,
    /// What happened.
    pub event: &'static str,
}

impl fmt::Display for StateTransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a task that is {} cannot take `{}`",
            self.state, self.event
        )
    }
}

impl Error for StateTransitionError {}

/// How far an executor is in its life. There is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutorState {
    /// Takes tasks.
    Running,
    /// Takes no more tasks; those that it has are cancelled and not all over.
    Stopping,
    /// All tasks are over and all workers have ended.
    Stopped,
}

impl ExecutorState {
    /// The state in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for ExecutorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Only a running executor can do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning {
    /// The state that the executor is in.
    pub state: ExecutorState,
}

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the executor is {}, not running", self.state)
    }
}

impl Error for NotRunning {}

/// Why a task was not accepted. Nothing of it has been run or kept.
#[derive(Debug)]
pub enum SubmitError {
    /// The executor is stopping or stopped.
    NotRunning(NotRunning),
    /// There is no worker thread and the system refuses to start one.
    NoWorker(io::Error),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning(error) => error.fmt(f),
            Self::NoWorker(_) => write!(f, "cannot start a worker thread"),
        }
    }
}

impl Error for SubmitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotRunning(_) => None,
            Self::NoWorker(error) => Some(error),
        }
    }
}

/// Why dispatching ended early. Everything can go on from there: call it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// The time was over first.
    TimedOut {
        /// How many tasks are not over.
        running: usize,
    },
    /// A message was illegal. It changed nothing, and those behind it are still queued.
    Illegal(StateTransitionError),
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { running } => {
                write!(f, "timed out with {running} tasks still running")
            }
            Self::Illegal(error) => error.fmt(f),
        }
    }
}

impl Error for RouteError {}

impl From<StateTransitionError> for RouteError {
    fn from(error: StateTransitionError) -> Self {
        Self::Illegal(error)
    }
}

/// The settings of an [`Executor`].
pub struct Builder {
    workers: NonZeroUsize,
    capacity: usize,
    patient: bool,
    ping: Option<Ping>,
}

impl Builder {
    /// For an executor that runs at most this many tasks at once.
    #[must_use]
    pub fn new(workers: NonZeroUsize) -> Self {
        Self {
            workers,
            capacity: DEFAULT_CAPACITY,
            patient: false,
            ping: None,
        }
    }

    /// How many messages the queue holds before reports wait; [`DEFAULT_CAPACITY`] if not set.
    ///
    /// The batch that the foreground has taken and is working through does not count.
    #[must_use]
    pub fn capacity(mut self, messages: NonZeroUsize) -> Self {
        self.capacity = messages.get();
        self
    }

    /// Has a worker that has nothing to do wait at once. Otherwise it looks for another task for some microseconds,
    /// which is faster for tasks that take no longer than that, and costs processor time.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Has `ping` called once for each message, after it is queued, on the thread that sent it. The argument tells the
    /// start and the end of a task from what it reports.
    ///
    /// A program with a loop of its own posts a token into that loop here and calls
    /// [`Executor::dispatch_one`] for each token. So messages keep their place among everything else
    /// that the loop hears of. `ping` must neither block nor panic.
    #[must_use]
    pub fn on_message(mut self, ping: impl Fn(Sent) + Send + Sync + 'static) -> Self {
        self.ping = Some(Box::new(ping));
        self
    }

    /// Makes the executor. No thread is started before the first task.
    #[must_use]
    pub fn build<M: Send + 'static>(self) -> Executor<M> {
        Executor {
            state: Cell::new(ExecutorState::Running),
            observers: Observers::default(),
            tasks: RefCell::default(),
            next_id: Cell::new(0),
            queue: Arc::new(Queue::new(self.capacity, self.ping)),
            batch: RefCell::new(VecDeque::new()),
            workers: Workers::new(self.workers, self.patient),
        }
    }
}

/// Owns worker threads; turns a [`TaskSpecification`] into a running task and its future.
///
/// Dropping it cancels all tasks, waits for those that run, and brings all futures to their end.
pub struct Executor<M: Send + 'static> {
    state: Cell<ExecutorState>,
    observers: Observers<StateChange<ExecutorState>>,
    /// The tasks whose final message was not dispatched, oldest first.
    tasks: RefCell<BTreeMap<TaskId, Rc<dyn TaskFuture<M>>>>,
    next_id: Cell<TaskId>,
    queue: Arc<Queue<M>>,
    batch: RefCell<Batch<M>>,
    workers: Workers,
}

impl<M: Send + 'static> Executor<M> {
    /// An executor that runs at most this many tasks at once; for further settings see [`Builder`].
    #[must_use]
    pub fn new(workers: NonZeroUsize) -> Self {
        Builder::new(workers).build()
    }

    /// Has the task run as soon as a worker is free, and returns its future at once.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] when the executor is not running or can get no thread.
    pub fn submit<S: TaskSpecification<M>>(
        &self,
        specification: S,
    ) -> Result<S::Future, SubmitError> {
        self.check_running().map_err(SubmitError::NotRunning)?;
        self.workers.make_room().map_err(SubmitError::NoWorker)?;
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let sender = TaskSender::new(id, Arc::clone(&self.queue));
        let canceller = sender.clone();
        let (job, future) = specification.split(Box::new(move || canceller.cancel()), sender);
        self.tasks.borrow_mut().insert(id, Rc::new(future.clone()));
        self.workers.push(job);
        Ok(future)
    }

    /// Starts no more than this many workers from now on. Those that there are stay: to run fewer tasks at once, submit
    /// fewer.
    pub fn set_workers(&self, workers: NonZeroUsize) {
        self.workers.set_most(workers);
    }

    /// The present state.
    #[must_use]
    pub fn state(&self) -> ExecutorState {
        self.state.get()
    }

    /// Whether tasks can be submitted.
    #[must_use]
    pub fn running(&self) -> bool {
        self.state() == ExecutorState::Running
    }

    /// Whether all tasks and all workers have ended.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.state() == ExecutorState::Stopped
    }

    /// Has `observer` called after each change of the state from now on.
    pub fn on_state(&self, mut observer: impl FnMut(StateChange<ExecutorState>) + 'static) {
        self.observers.add(move |change| observer(*change));
    }

    /// Takes no more tasks and cancels those there are; does not wait for them.
    ///
    /// The executor is stopped when the last final message is dispatched: within this call if it has no task.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if it was stopped before.
    ///
    /// # Panics
    ///
    /// With the first panic of an observer, after every task was cancelled and every observer called.
    pub fn stop(&self) -> Result<(), NotRunning> {
        self.check_running()?;
        let mut panics = FirstPanic::default();
        // First of all: an observer of the cancelled task could otherwise submit another.
        self.enter(ExecutorState::Stopping);
        panics.catch(|| self.observers.deliver());
        panics.catch(|| self.cancel_all());
        panics.catch(|| self.stop_if_idle());
        panics.resume();
        Ok(())
    }

    /// Stops, and dispatches messages until all tasks are over. Does nothing if that is so already.
    ///
    /// With no `timeout` it takes as long as the slowest task takes to notice that it was cancelled. Only the
    /// wait for the tasks is limited by it.
    ///
    /// # Errors
    ///
    /// As [`route_until`](Self::route_until). The executor is then stopping, and this can be called again.
    ///
    /// # Panics
    ///
    /// With the panic of an observer. Here, too, this can be called again.
    pub fn shutdown(&self, timeout: Option<Duration>) -> Result<(), RouteError> {
        if self.running() {
            // Cannot fail: it is running.
            let _ = self.stop();
        } else {
            // An observer that `stop` calls may be here, before `stop` has cancelled the tasks.
            self.cancel_all();
        }
        self.route_until(|| self.tasks.borrow().is_empty(), timeout)?;
        self.stop_if_idle();
        Ok(())
    }

    /// Dispatches messages until `condition` is true, and waits for them. The condition is asked before each.
    ///
    /// The timeout is for the whole call. When it is over, what is already queued is still dispatched, so
    /// that a timeout of zero means: what is there, and no waiting.
    ///
    /// # Errors
    ///
    /// [`RouteError::TimedOut`] when the time was over first, [`RouteError::Illegal`] when a message was
    /// illegal.
    ///
    /// # Panics
    ///
    /// With the panic of an observer.
    pub fn route_until(
        &self,
        mut condition: impl FnMut() -> bool,
        timeout: Option<Duration>,
    ) -> Result<(), RouteError> {
        // A sum that overflows lies beyond the end of time: the same as no timeout.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut remaining = None;
        while !condition() {
            // Counted once: tasks that send without end would keep this loop going.
            if remaining.is_none() && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                remaining = Some(self.queue.len() + self.batch.borrow().len());
            }
            if let Some(remaining) = &mut remaining {
                if *remaining == 0 {
                    let running = self.tasks.borrow().len();
                    return Err(RouteError::TimedOut { running });
                }
                *remaining -= 1;
            }
            if !self.dispatch_one()? {
                self.queue.wait(deadline);
            }
        }
        Ok(())
    }

    /// Dispatches the oldest message, if there is one; never waits. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`StateTransitionError`] when the message was illegal. It changed nothing.
    ///
    /// # Panics
    ///
    /// With the first panic of an observer. By then the message is done with and every observer was called.
    pub fn dispatch_one(&self) -> Result<bool, StateTransitionError> {
        let Some((id, message)) = self.next_message() else {
            return Ok(false);
        };
        let Some(future) = self.tasks.borrow().get(&id).cloned() else {
            return Err(StateTransitionError {
                state: "over",
                event: "message",
            });
        };
        let mut panics = FirstPanic::default();
        if future.receive(message)? {
            // Before any observer is called: one may shut down, and this task is no longer to be waited for.
            self.tasks.borrow_mut().remove(&id);
            panics.catch(|| future.announce());
            panics.catch(|| self.stop_if_idle());
        } else {
            panics.catch(|| future.announce());
        }
        panics.resume();
        Ok(true)
    }

    fn next_message(&self) -> Option<(TaskId, M)> {
        let mut batch = self.batch.borrow_mut();
        if batch.is_empty() {
            self.queue.take(&mut batch);
        }
        batch.pop_front()
    }

    fn check_running(&self) -> Result<(), NotRunning> {
        match self.state() {
            ExecutorState::Running => Ok(()),
            state => Err(NotRunning { state }),
        }
    }

    fn enter(&self, new: ExecutorState) {
        let old = self.state.replace(new);
        self.observers.push(StateChange { old, new });
    }

    fn cancel_all(&self) {
        // The newest first. Otherwise a worker that a cancelled task has freed would run the next one before that is
        // cancelled in its turn.
        let futures: Vec<_> = self.tasks.borrow().values().rev().cloned().collect();
        let mut panics = FirstPanic::default();
        for future in futures {
            panics.catch(|| future.cancel());
        }
        panics.resume();
    }

    fn stop_if_idle(&self) {
        if self.state() == ExecutorState::Stopping && self.tasks.borrow().is_empty() {
            self.workers.close();
            self.enter(ExecutorState::Stopped);
            self.observers.deliver();
        }
    }
}

impl<M: Send + 'static> Drop for Executor<M> {
    fn drop(&mut self) {
        let mut panics = FirstPanic::default();
        panics.catch(|| self.stop());
        self.workers.close();
        // Past illegal messages and panics, too: futures that are still held must come to their end.
        while panics
            .catch(|| self.dispatch_one() != Ok(false))
            .unwrap_or(true)
        {}
        panics.resume();
    }
}
