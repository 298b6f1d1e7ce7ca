//! This process itself: its signals, groups and descriptors, the processes that it starts, and what it takes from the system
//! that no safe interface gives. The only code that may be `unsafe`.

pub(crate) mod closed;
pub(crate) mod groups;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod pow;
pub(crate) mod reap;
pub(crate) mod signals;
pub(crate) mod spawn;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod start;
pub(crate) mod wake;
#[cfg(target_os = "linux")]
pub(crate) mod watcher;
