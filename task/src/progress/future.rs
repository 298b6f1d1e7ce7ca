//! The foreground's handle of a task that reports progress.
//!
//! Responsible for the state, for what the task left behind, and for telling the observers. Does not know
//! threads: it changes only when its owner cancels it or dispatches a message to it.

use std::cell::{Cell, OnceCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use super::state::{Event, FutureState, Phase};
use super::{Message, ProgressCancelled};
use crate::executor::{FirstPanic, Observers, StateChange, StateTransitionError, TaskFuture};

/// The foreground's handle of a task: its state, its progress, its end, and the way to cancel it.
///
/// Clones are handles of the same future. It is not a `std::future::Future`.
///
/// The state is *as far as the foreground knows*: it changes when messages are dispatched and when
/// [`cancel`](Self::cancel) is called, never in between. A task may have ended long ago while its future is
/// still waiting; cancelled in that moment, it ends cancelled.
///
/// # Observers
///
/// They are called on the foreground's thread, after the change, with nothing borrowed. What an observer
/// causes is told when all observers have heard of what came before. An observer attached late misses what
/// was earlier. When the future is done its observers are dropped, so they may hold it.
///
/// When an observer panics the others are still called, and then the panic leaves the call that led to it:
/// `cancel`, or the executor's dispatching. The future is not harmed.
pub struct ProgressFuture<P, T> {
    inner: Rc<Inner<P, T>>,
}

struct Inner<P, T> {
    phase: Cell<Phase>,
    cancel: Cell<Option<Box<dyn FnOnce()>>>,
    outcome: OnceCell<anyhow::Result<T>>,
    progress: Observers<P>,
    states: Observers<StateChange<FutureState>>,
}

/// The future has no result, or no exception, because of the state that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAvailable {
    what: &'static str,
    /// The state that the future is in.
    pub state: FutureState,
}

impl fmt::Display for NotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {}: the task is {}", self.what, self.state)
    }
}

impl Error for NotAvailable {}

impl<P, T> ProgressFuture<P, T> {
    /// A future that waits for messages. `cancel` is called at most once, to ask the task to stop.
    ///
    /// `submit` makes the future of a task; callers need no other.
    #[must_use]
    pub fn new(cancel: impl FnOnce() + 'static) -> Self {
        Self::with(Some(Box::new(cancel)))
    }

    fn with(cancel: Option<Box<dyn FnOnce()>>) -> Self {
        Self {
            inner: Rc::new(Inner {
                phase: Cell::default(),
                cancel: Cell::new(cancel),
                outcome: OnceCell::new(),
                progress: Observers::default(),
                states: Observers::default(),
            }),
        }
    }

    /// The present state.
    #[must_use]
    pub fn state(&self) -> FutureState {
        self.inner.phase.get().state()
    }

    /// Whether [`cancel`](Self::cancel) would have an effect.
    #[must_use]
    pub fn cancellable(&self) -> bool {
        self.state().is_cancellable()
    }

    /// Whether nothing further will happen.
    #[must_use]
    pub fn done(&self) -> bool {
        self.state().is_done()
    }

    /// Asks the task to stop: its next report fails. Returns false, and does nothing, if it was asked before
    /// or is done.
    ///
    /// The task is asked first; then the state is cancelling and the observers are told. No progress is
    /// delivered any more, not even what was sent long before.
    ///
    /// # Panics
    ///
    /// With the panic of an observer; the future is cancelling then. With the panic of a callback that was
    /// left with [`on_cancel`](super::ProgressReporter::on_cancel); the state has not changed then.
    #[expect(
        clippy::must_use_candidate,
        reason = "most callers only want it cancelled"
    )]
    pub fn cancel(&self) -> bool {
        if !self.cancellable() {
            return false;
        }
        if let Some(cancel) = self.inner.cancel.take() {
            cancel();
        }
        let cancelled = self.step(Event::Cancel).is_ok();
        self.inner.progress.forget();
        self.announce();
        cancelled
    }

    /// What the callable returned, if the task is completed.
    ///
    /// # Errors
    ///
    /// [`NotAvailable`] in every other state, also in cancelled.
    pub fn result(&self) -> Result<&T, NotAvailable> {
        match (self.inner.phase.get(), self.inner.outcome.get()) {
            (Phase::Completed, Some(Ok(result))) => Ok(result),
            _ => Err(self.no("result")),
        }
    }

    /// The callable's error, if the task failed. A panic is one too, see [`TaskPanicked`](super::TaskPanicked).
    ///
    /// # Errors
    ///
    /// [`NotAvailable`] in every other state, also in cancelled.
    pub fn exception(&self) -> Result<&anyhow::Error, NotAvailable> {
        match (self.inner.phase.get(), self.inner.outcome.get()) {
            (Phase::Failed, Some(Err(error))) => Ok(error),
            _ => Err(self.no("exception")),
        }
    }

    /// What the callable returned although it was cancelled, if that is how the task ended.
    #[must_use]
    pub fn suppressed_result(&self) -> Option<&T> {
        match (self.inner.phase.get(), self.inner.outcome.get()) {
            (Phase::CancelledCompleted, Some(Ok(result))) => Some(result),
            _ => None,
        }
    }

    /// The error with which the callable ended after it was cancelled, if it is another than
    /// [`ProgressCancelled`].
    #[must_use]
    pub fn suppressed(&self) -> Option<&anyhow::Error> {
        match (self.inner.phase.get(), self.inner.outcome.get()) {
            (Phase::CancelledFailed, Some(Err(error))) if !error.is::<ProgressCancelled>() => {
                Some(error)
            }
            _ => None,
        }
    }

    /// What the task left behind, by value: `Ok` where [`result`](Self::result) is, `Err` where
    /// [`exception`](Self::exception) is.
    ///
    /// # Errors
    ///
    /// The future itself, if it has neither or if another handle of it exists.
    pub fn into_outcome(self) -> Result<anyhow::Result<T>, Self> {
        if self.result().is_err() && self.exception().is_err() {
            return Err(self);
        }
        let inner = Rc::try_unwrap(self.inner).map_err(|inner| Self { inner })?;
        match inner.outcome.into_inner() {
            Some(outcome) => Ok(outcome),
            None => unreachable!("a future with a result or an exception has an outcome"),
        }
    }

    /// Has `observer` called with each progress from now on.
    pub fn on_progress(&self, observer: impl FnMut(&P) + 'static) {
        self.inner.progress.add(observer);
    }

    /// Has `observer` called after each change of the state from now on.
    pub fn on_state(&self, mut observer: impl FnMut(StateChange<FutureState>) + 'static) {
        self.inner.states.add(move |change| observer(*change));
    }

    fn no(&self, what: &'static str) -> NotAvailable {
        let state = self.state();
        NotAvailable { what, state }
    }

    fn step(&self, event: Event) -> Result<(), StateTransitionError> {
        let phase = self.inner.phase.get().after(event)?;
        let old = self.inner.phase.replace(phase).state();
        let new = phase.state();
        if new != old {
            self.inner.states.push(StateChange { old, new });
        }
        Ok(())
    }

    fn announce(&self) {
        let mut panics = FirstPanic::default();
        panics.catch(|| self.inner.progress.deliver());
        panics.catch(|| self.inner.states.deliver());
        if self.done() {
            drop(self.inner.cancel.take());
            self.inner.progress.close();
            self.inner.states.close();
        }
        panics.resume();
    }
}

impl<P: 'static, T: 'static> TaskFuture<Message<P, T>> for ProgressFuture<P, T> {
    fn cancel(&self) -> bool {
        self.cancel()
    }

    fn receive(&self, message: Message<P, T>) -> Result<bool, StateTransitionError> {
        self.step(message.event())?;
        match message {
            // A cancelled future tells no progress.
            Message::Sent(info) if self.state() == FutureState::Executing => {
                self.inner.progress.push(info);
            }
            Message::Returned(value) => {
                // It is empty: only one final message is legal.
                let _ = self.inner.outcome.set(Ok(value));
            }
            Message::Raised(error) => {
                let _ = self.inner.outcome.set(Err(error));
            }
            Message::Started | Message::Sent(_) | Message::Abandoned => {}
        }
        Ok(self.done())
    }

    fn announce(&self) {
        self.announce();
    }
}

impl<P, T> Default for ProgressFuture<P, T> {
    /// A future of no task.
    fn default() -> Self {
        Self::with(None)
    }
}

impl<P, T> Clone for ProgressFuture<P, T> {
    fn clone(&self) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
        }
    }
}

impl<P, T> fmt::Debug for ProgressFuture<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressFuture")
            .field("phase", &self.inner.phase.get())
            .finish_non_exhaustive()
    }
}
