//! progrun on a real pseudo-terminal: what a person sees, and what the keys do.

mod bars;
mod foreground;
mod hostile;
mod jobs;
mod lending;
mod namespace;
mod output;
mod ptys;
mod questions;
mod silent;
mod stopping;
mod stops;
