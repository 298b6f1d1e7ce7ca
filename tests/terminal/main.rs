//! progrun on a real pseudo-terminal: what a person sees, and what the keys do.
#![cfg(target_os = "linux")]

mod bars;
mod output;
mod stopping;
mod terminal;
