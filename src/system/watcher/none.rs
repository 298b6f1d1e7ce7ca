//! No watcher: only Linux has one.

use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

use rustix::process::Pid;

/// There is none.
#[derive(Debug)]
pub(crate) enum Process {}

impl Process {
    pub(crate) const EXISTS: bool = false;

    pub(crate) fn start(_: Pid, _: Duration) -> Option<Self> {
        None
    }

    pub(crate) fn saw(&self, _: i32) -> Option<bool> {
        match *self {}
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Board {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Place {}

impl Board {
    pub(crate) fn start(_: usize, _: Duration) -> Option<Self> {
        None
    }

    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Place> {
        match **self {}
    }
}

impl Place {
    pub(crate) fn number(&self) -> &AtomicI32 {
        match *self {}
    }
}
