//! Runs long commands, shows how far they are, and stops them politely.

pub mod estimate;
pub mod executor;
pub mod progress;
pub mod protocol;

pub use executor::{Executor, ExecutorState, StateChange};
pub use progress::{
    BackgroundProgress, FutureState, ProgressCancelled, ProgressExecutor, ProgressFuture,
    ProgressReporter, submit_progress,
};
pub use protocol::PROGRESS;
