//! progrun on a real pseudo-terminal: what a person sees, and what the keys do.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bars;
mod jobs;
mod lending;
mod namespace;
mod output;
mod ptys;
mod silent;
mod stopping;
mod terminal;
