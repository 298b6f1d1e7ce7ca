//! The program `progrun`: runs a command, shows how far along it is, stops it politely, and tells scripts exactly what
//! happened.
//!
//! The program does with commands what the library `progrun-task` does with callables: each command is the body of a
//! task on a worker thread, its progress lines become reports, and a cancel request reaches it at its next report. The
//! library is re-exported here. All else is the program's own, and private.

#[cfg(not(unix))]
compile_error!(
    "progrun needs descriptors that a child inherits, process groups and signals: it runs on Unix only"
);

mod child;
mod cli;
mod detached;
mod dialect;
mod eta;
mod event;
mod flow;
mod joblog;
mod journal;
mod launcher;
mod ledger;
mod list;
mod model;
mod places;
mod reason;
mod run;
mod sink;
mod socket;
mod system;
mod timeline;
mod vt;
mod wire;

pub use progrun_task::{
    BackgroundProgress, Executor, ExecutorState, FutureState, PROGRESS, ProgressBackgroundTask,
    ProgressCancelled, ProgressExecutor, ProgressFuture, ProgressReporter, StateChange,
    submit_progress,
};
pub use progrun_task::{client, executor, progress, protocol};

pub use cli::main;

/// What this program's own tests, benchmarks and fuzz targets reach. No part of the interface.
#[doc(hidden)]
pub mod internals;
/// The inputs that once failed a fuzz target. The tests try them again.
#[cfg(test)]
fn regressions(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/regressions");
    let files = std::fs::read_dir(format!("{folder}/{target}")).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap())
}
