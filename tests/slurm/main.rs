//! `--on slurm` against a real Slurm: a cluster of a few nodes, all on this machine, for each test.
//!
//! A program of its own, which `cargo test` leaves out: it needs the daemons of Slurm, and most of its time is that of
//! leases. `.ci/slurm` installs what it needs and runs it.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml lets tests unwrap, but not what they call"
)]

#[macro_use]
extern crate progrun_test_attribute;

#[path = "../harness.rs"]
mod harness;
#[path = "../support.rs"]
#[expect(dead_code, reason = "the other program of tests needs more of it")]
mod support;

mod cluster;
mod cuts;
mod kills;
mod running;
mod stopping;

fn main() -> std::process::ExitCode {
    harness::main()
}
