//! Real programs doing a little real work: their bars, that nothing else about them is changed, and what Ctrl-C does.
//!
//! They are Debian's, and `PyPI`'s in `target/python`, which `.ci/run` makes. Where one is missing its test passes with a
//! note; with `PROGRUN_TEST_ALL=1` it fails.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml lets tests unwrap, but not what they call"
)]

mod backups;
mod builds;
mod copies;
mod media;
mod packages;
mod packers;
mod remote;
mod screens;
mod server;
mod stopping;
mod work;

#[expect(dead_code, reason = "what other test programs need of it")]
#[path = "../run/support.rs"]
mod support;
#[expect(dead_code, reason = "what other test programs need of it")]
#[path = "../terminal/terminal.rs"]
mod terminal;
