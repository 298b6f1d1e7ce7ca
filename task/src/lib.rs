//! Callables that run on worker threads, report how far along they are, and are cancelled when, and only when, they
//! report; and the lines by which processes do the same.
//!
//! This is the library below the program `progrun`, which does with commands what is done here with callables.
//!
//! # The story
//!
//! An [`Executor`] owns worker threads. [`submit_progress`] gives it a callable and returns a [`ProgressFuture`] at
//! once. On a worker, the callable is handed a [`ProgressReporter`]; what it reports becomes a message. The messages of
//! all tasks wait in one queue, in order, until the owner of the executor dispatches them: only then do the futures
//! change their state and call their observers. So no state changes while the owner looks at it, and no observer needs
//! a lock.
//!
//! Cancelling goes the other way. [`ProgressFuture::cancel`] raises a flag, and the callable's *next report* returns
//! [`ProgressCancelled`], before anything is sent. The one idea is this: **every progress report is also the point at
//! which the task can be cancelled.** The callable passes the error on with `?` and ends, at a place that it chose
//! itself.
//!
//! ```
//! use progrun_task::{FutureState, ProgressCancelled, ProgressExecutor, submit_progress};
//! use std::cell::RefCell;
//! use std::num::NonZeroUsize;
//! use std::rc::Rc;
//!
//! let executor = ProgressExecutor::new(NonZeroUsize::MIN);
//!
//! // A task that would go on for ever: it counts.
//! let counting = submit_progress(&executor, |progress| -> anyhow::Result<u64> {
//!     for count in 0.. {
//!         progress.report(count)?;
//!     }
//!     Ok(0)
//! })?;
//!
//! // The foreground looks on, and cancels when it has seen enough.
//! let seen = Rc::new(RefCell::new(Vec::new()));
//! counting.on_progress({
//!     let (seen, counting) = (Rc::clone(&seen), counting.clone());
//!     move |count| {
//!         seen.borrow_mut().push(*count);
//!         if *count == 2 {
//!             counting.cancel();
//!         }
//!     }
//! });
//! executor.route_until(|| counting.done(), None)?;
//! assert_eq!(counting.state(), FutureState::Cancelled);
//! assert_eq!(*seen.borrow(), [0, 1, 2]);
//! assert!(counting.result().is_err());
//!
//! // One that is left alone ends with a result.
//! let adding = submit_progress(&executor, |progress| {
//!     progress.report(1)?;
//!     Ok(2 + 2)
//! })?;
//! executor.route_until(|| adding.done(), None)?;
//! assert_eq!(adding.result()?, &4);
//!
//! // Cancels what is left, and waits for it. Dropping the executor would do as well.
//! executor.shutdown(None)?;
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! # The life of a future
//!
//! ```text
//! waiting ──> executing ──> completed   it returned a value: result()
//!    │            ├───────> failed      it returned an error or panicked: exception()
//!    └──> cancelling <──┘ (cancel)
//!             └───────────> cancelled   it ended after cancel(), in whatever way
//! ```
//!
//! [`FutureState`] is what the foreground knows. Every task comes to its end: an error, a panic, a task
//! that never ran and an executor that was dropped all send exactly one final message.
//!
//! # The end of an executor
//!
//! [`Executor::stop`] cancels everything and returns; [`Executor::shutdown`] waits for the end as well, for a
//! limited time if wanted; dropping the executor cancels and waits without limit. A callable that never
//! reports cannot be stopped: it should ask [`ProgressReporter::is_cancelled`] now and then, or have itself
//! woken with [`ProgressReporter::on_cancel`].
//!
//! # When the foreground is slow
//!
//! The queue is bounded. When it is full, [`ProgressReporter::report`] waits, and
//! [`ProgressReporter::report_latest`], for progress that is only drawn, replaces the newest report that is
//! still unread. Messages about the start and the end of a task always get through.

/// Has rustdoc compile and run the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod client;
pub mod executor;
pub mod progress;
pub mod protocol;

pub use executor::{Executor, ExecutorState, StateChange};
pub use progress::{
    BackgroundProgress, FutureState, ProgressBackgroundTask, ProgressCancelled, ProgressExecutor,
    ProgressFuture, ProgressReporter, submit_progress,
};
pub use protocol::PROGRESS;
