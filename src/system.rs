//! This process itself: its signals, groups and descriptors, and what it takes from the system that no safe interface gives. The
//! only code that may be `unsafe`.

pub(crate) mod closed;
pub(crate) mod groups;
pub(crate) mod signals;
pub(crate) mod wake;
