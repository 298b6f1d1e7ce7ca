//! Callables that report how far along they are, and can be cancelled whenever they do.
//!
//! Responsible for what is between such a callable and its future: the reporter on the one side, the messages,
//! the handle on the other. Does not know how threads and queues are made (`executor` does that), and what the
//! progress says: `P` is whatever the callable reports.
//!
//! # Every report is a point at which the task can be cancelled
//!
//! [`ProgressReporter::report`] looks at the flag before it sends anything, and fails once cancellation was
//! asked for. The callable that passes the failure on with `?` ends there, at a point that it chose itself,
//! its values dropped in order. One that must not end there handles it, and ends when it wants to. Nothing is
//! ever forced.
//!
//! # Messages
//!
//! A task sends either one [`Message::Abandoned`], or [`Message::Started`], any number of [`Message::Sent`],
//! and one of [`Message::Returned`] and [`Message::Raised`]. Exactly one final message is sent on every path,
//! also when the callable panics or its executor is dropped; and nothing after it.
//!
//! # Where this differs from the Python library that it is modelled on
//!
//! - A callable that returns [`ProgressCancelled`] without having been cancelled *fails* with that error: there is no
//!   value that it could be said to have returned.
//! - An error after cancellation is kept, see [`ProgressFuture::suppressed`], and so is a result.
//! - All tasks of one executor report one type and return one type. Where they differ, use an enum.
//! - A reporter that outlives its task fails as if cancelled, instead of by accident.

mod future;
mod state;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

pub use future::{NotAvailable, ProgressFuture};
pub use state::FutureState;

use crate::executor::{Executor, Job, SendRefused, SubmitError, TaskSender, TaskSpecification};
use state::Event;

/// An executor of tasks that report `P` and return `T`.
pub type ProgressExecutor<P, T> = Executor<Message<P, T>>;

type Callable<P, T> = Box<dyn FnOnce(&ProgressReporter<P>) -> anyhow::Result<T> + Send>;

/// Runs `callable` on a worker of the executor, and returns the future at once.
///
/// ```
/// use progrun_task::{FutureState, ProgressExecutor, submit_progress};
/// use std::num::NonZeroUsize;
///
/// let executor = ProgressExecutor::new(NonZeroUsize::MIN);
/// let future = submit_progress(&executor, |progress| {
///     progress.report("halfway")?;
///     Ok(6 * 7)
/// })?;
/// future.on_progress(|info| assert_eq!(*info, "halfway"));
/// executor.route_until(|| future.done(), None)?;
/// assert_eq!(future.result()?, &42);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
///
/// [`SubmitError`] when the executor is not running or can get no thread.
pub fn submit_progress<P, T>(
    executor: &ProgressExecutor<P, T>,
    callable: impl FnOnce(&ProgressReporter<P>) -> anyhow::Result<T> + Send + 'static,
) -> Result<ProgressFuture<P, T>, SubmitError>
where
    P: Send + 'static,
    T: Send + 'static,
{
    executor.submit(BackgroundProgress::new(callable))
}

/// The specification of a task that reports progress.
pub struct BackgroundProgress<P, T> {
    callable: Callable<P, T>,
}

impl<P, T> BackgroundProgress<P, T> {
    /// The task that runs `callable`.
    #[must_use]
    pub fn new(
        callable: impl FnOnce(&ProgressReporter<P>) -> anyhow::Result<T> + Send + 'static,
    ) -> Self {
        Self {
            callable: Box::new(callable),
        }
    }
}

impl<P: Send + 'static, T: Send + 'static> TaskSpecification<Message<P, T>>
    for BackgroundProgress<P, T>
{
    type Future = ProgressFuture<P, T>;

    fn split(
        self,
        cancel: Box<dyn FnOnce()>,
        sender: TaskSender<Message<P, T>>,
    ) -> (Job, Self::Future) {
        let task = ProgressBackgroundTask {
            callable: Some(self.callable),
            sender,
        };
        (Box::new(move || task.run()), ProgressFuture::new(cancel))
    }
}

/// What a task sends to its future.
#[derive(Debug)]
pub enum Message<P, T> {
    /// A worker is about to call the callable.
    Started,
    /// The callable reported.
    Sent(P),
    /// Final: the callable returned a value.
    Returned(T),
    /// Final: the callable returned an error, or panicked.
    Raised(anyhow::Error),
    /// Final: the callable will never be called.
    Abandoned,
}

impl<P, T> Message<P, T> {
    /// The kind of the message in one word: "started", [`PROGRESS`](crate::protocol::PROGRESS), "returned",
    /// "raised" or "abandoned".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.event().as_str()
    }

    fn event(&self) -> Event {
        match self {
            Self::Started => Event::Started,
            Self::Sent(_) => Event::Progress,
            Self::Returned(_) => Event::Returned,
            Self::Raised(_) => Event::Raised,
            Self::Abandoned => Event::Abandoned,
        }
    }
}

/// The part of a task that runs on a worker thread.
pub struct ProgressBackgroundTask<P: Send + 'static, T: Send + 'static> {
    callable: Option<Callable<P, T>>,
    sender: TaskSender<Message<P, T>>,
}

impl<P: Send + 'static, T: Send + 'static> ProgressBackgroundTask<P, T> {
    /// Calls the callable, unless the task was cancelled by now, and sends its outcome.
    pub fn run(mut self) {
        let Some(callable) = self.callable.take() else {
            return;
        };
        if self.sender.is_cancelled() {
            return;
        }
        self.sender.start(Message::Started);
        let reporter = ProgressReporter {
            sender: Arc::new(self.sender.clone()),
        };
        // The callable is never called again, so the state of its values after a panic does not matter.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| callable(&reporter)));
        self.sender.finish(match outcome {
            Ok(Ok(value)) => Message::Returned(value),
            Ok(Err(error)) => Message::Raised(error),
            Err(payload) => Message::Raised(TaskPanicked::new(&*payload).into()),
        });
    }
}

/// A task that does not come to its end, because it was cancelled early or is dropped with its executor, says so:
/// without a final message its future would never be done.
impl<P: Send + 'static, T: Send + 'static> Drop for ProgressBackgroundTask<P, T> {
    fn drop(&mut self) {
        self.sender.finish(Message::Abandoned);
    }
}

/// Handed to the running callable: sends its progress, and tells it that it was cancelled.
///
/// Clones may be used by helper threads of the task; what each of them reports stays in order. Once the task
/// has ended, every report fails.
pub struct ProgressReporter<P> {
    sender: Arc<dyn Reports<P>>,
}

impl<P> ProgressReporter<P> {
    /// Sends `info` to the foreground. Waits first while the queue of the executor is full.
    ///
    /// # Errors
    ///
    /// [`ProgressCancelled`], every time, once cancellation was asked for, even while this waits, or the task
    /// has ended. Nothing is sent then.
    pub fn report(&self, info: P) -> Result<(), ProgressCancelled> {
        self.sender.send(info).map_err(ProgressCancelled::from)
    }

    /// Sends `info` to the foreground without ever waiting, for progress that is only drawn: when the queue of the
    /// executor is full, `info` replaces the newest report of this task that is still in it.
    ///
    /// # Errors
    ///
    /// [`ProgressCancelled`], as [`report`](Self::report).
    pub fn report_latest(&self, info: P) -> Result<(), ProgressCancelled> {
        self.sender
            .send_latest(info)
            .map_err(ProgressCancelled::from)
    }

    /// Whether cancellation was asked for: what `report` would say, without sending anything.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.sender.is_cancelled()
    }

    /// Has `wake` called when cancellation is asked for, so that a callable that waits for something else than
    /// its own reports can be woken.
    ///
    /// It is called by the thread that cancels, from inside [`ProgressFuture::cancel`], after
    /// [`is_cancelled`](Self::is_cancelled) has become true; or at once if that is so already. It must not block. It
    /// may be called until the task has ended, also after the callable has returned, so it should own what it uses: the
    /// number of a descriptor that was closed meanwhile could be another file's.
    pub fn on_cancel(&self, wake: impl FnOnce() + Send + 'static) {
        self.sender.on_cancel(Box::new(wake));
    }
}

impl<P> Clone for ProgressReporter<P> {
    fn clone(&self) -> Self {
        Self {
            sender: Arc::clone(&self.sender),
        }
    }
}

/// Hides from the reporter what the task returns.
trait Reports<P>: Send + Sync {
    fn send(&self, info: P) -> Result<(), SendRefused>;
    fn send_latest(&self, info: P) -> Result<(), SendRefused>;
    fn is_cancelled(&self) -> bool;
    fn on_cancel(&self, wake: Box<dyn FnOnce() + Send>);
}

impl<P: Send, T: Send> Reports<P> for TaskSender<Message<P, T>> {
    fn send(&self, info: P) -> Result<(), SendRefused> {
        self.send(Message::Sent(info))
    }

    fn send_latest(&self, info: P) -> Result<(), SendRefused> {
        self.send_latest(Message::Sent(info))
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled()
    }

    fn on_cancel(&self, wake: Box<dyn FnOnce() + Send>) {
        self.on_cancel(wake);
    }
}

/// The task was asked to stop. A callable passes it on with `?`; a caller that needs to know finds it with
/// [`anyhow::Error::is`], never by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressCancelled;

impl fmt::Display for ProgressCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled")
    }
}

impl Error for ProgressCancelled {}

impl From<SendRefused> for ProgressCancelled {
    fn from(_: SendRefused) -> Self {
        Self
    }
}

/// The callable panicked. It is the exception of the failed future, found by downcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPanicked {
    /// The text of the panic.
    pub text: String,
}

impl TaskPanicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let text = if let Some(text) = payload.downcast_ref::<&str>() {
            (*text).to_owned()
        } else if let Some(text) = payload.downcast_ref::<String>() {
            text.clone()
        } else {
            "a panic without a message".to_owned()
        };
        Self { text }
    }
}

impl fmt::Display for TaskPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task panicked: {}", self.text)
    }
}

impl Error for TaskPanicked {}
