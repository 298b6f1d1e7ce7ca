//! Runs long commands, shows how far they are, and stops them politely.

pub mod estimate;
pub mod executor;
pub mod progress;
pub mod protocol;
