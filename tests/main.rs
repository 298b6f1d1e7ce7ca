//! All tests that are not beside the code they test, as one program: linking two dozen programs took most of the build
//! time.
//!
//! `cargo test`, or `cargo test --test suite lending::` for some of them.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml lets tests unwrap, but not what they call"
)]

// Takes precedence over the `#[test]` of the standard library in every file.
#[macro_use]
extern crate progrun_test_attribute;

mod completions;
mod corpus;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod detach;
mod drain;
mod each;
#[cfg(target_os = "linux")]
mod elsewhere;
mod examples;
mod executor;
mod generated;
mod harness;
#[cfg(target_os = "linux")]
mod help;
mod history;
mod json_dialects;
mod lists;
#[cfg(target_os = "linux")]
mod matrix;
mod meters;
mod nested;
#[cfg(target_os = "linux")]
mod on_end;
mod playback;
#[cfg(target_os = "linux")]
mod programs;
mod progress;
mod protocol;
mod pty;
mod random;
#[cfg(target_os = "linux")]
mod report;
mod run;
#[cfg(target_os = "linux")]
mod runs;
mod schema;
mod scripts;
mod shape;
mod soak;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod timeline;
mod timeout;
mod tree;

fn main() -> std::process::ExitCode {
    harness::main()
}
