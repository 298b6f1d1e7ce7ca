//! Real programs doing a little real work: their bars, what Ctrl-C does, and that progrun changes nothing else about
//! them.
//!
//! The programs are from Debian, and from `PyPI` in `target/python`, which `.ci/run` makes. If one is missing, its test
//! is ignored; with `PROGRUN_TEST_ALL=1` it fails.

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
