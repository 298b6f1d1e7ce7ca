//! This process itself: its signals, groups and descriptors, the processes that it starts, and the system calls that
//! have no safe interface. The only code that may be `unsafe`. Nothing here knows runs, tasks or what a child means.

pub(crate) mod boot;
pub(crate) mod closed;
pub(crate) mod detach;
pub(crate) mod erasure;
pub(crate) mod groups;
pub(crate) mod handing;
pub(crate) mod helper;
pub(crate) mod jobserver;
pub(crate) mod life;
pub(crate) mod local;
pub(crate) mod machine;
pub(crate) mod origin;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod pow;
pub(crate) mod reap;
pub(crate) mod relay;
pub(crate) mod signals;
pub(crate) mod spawn;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) mod start;
pub(crate) mod wake;
#[cfg_attr(not(target_os = "linux"), path = "system/watcher/none.rs")]
pub(crate) mod watcher;
