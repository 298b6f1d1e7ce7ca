//! Real programs doing a little real work: their bars, that nothing else about them is changed, and what Ctrl-C does.
//!
//! They are Debian's, and `PyPI`'s in `target/python`, which `.ci/run` makes. Where one is missing, its test is
//! ignored; with `PROGRUN_TEST_ALL=1` it fails.

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
