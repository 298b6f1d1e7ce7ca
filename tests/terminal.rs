//! progrun on a real pseudo-terminal: the picture that a person sees, and the effects of the keys.

mod bars;
mod company;
mod foreground;
mod hostile;
mod jobs;
mod lending;
mod namespace;
mod notifying;
mod output;
mod ptys;
mod questions;
mod silent;
mod stopping;
mod stops;
