//! Runs long commands, shows how far they are, and stops them politely.

pub mod child;
pub mod cli;
pub mod credit;
pub mod estimate;
pub mod event;
pub mod executor;
pub mod parts;
pub mod progress;
pub mod protocol;
pub mod reports;
pub mod run;
pub mod sink;

pub use executor::{Executor, ExecutorState, StateChange};
pub use progress::{
    BackgroundProgress, FutureState, ProgressCancelled, ProgressExecutor, ProgressFuture,
    ProgressReporter, submit_progress,
};
pub use protocol::PROGRESS;
