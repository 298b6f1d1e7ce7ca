//! The state and the units of a task's progress: its parts, the batch that one read of a channel brings, the routes of
//! its output, and the meaning of the output's lines. Knows no process and no screen.

pub(crate) mod batch;
pub(crate) mod parts;
pub(crate) mod route;
mod stray;
pub(crate) mod verdict;
