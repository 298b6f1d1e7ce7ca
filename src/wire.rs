//! Events as lines of JSON, both ways: the one table of names for `--json` and for what another progrun prints.
//!
//! The names are documented in progrun-protocol(5) and in `docs/events.schema.json`, and stay. This module knows no
//! sink: it writes into a string, and reads one line. The use of an event that was read is the caller's.

pub(crate) mod agent;
mod base64;
mod decoder;
mod encoder;
mod line;
#[cfg(test)]
mod properties;
mod status;
mod watch;

pub(crate) use self::decoder::{dropped, read};
pub(crate) use self::encoder::{Encoder, VERSION, output};
pub(crate) use self::line::{Info, Kind, Line, Reason, Seconds, State};
pub(crate) use self::status::{Rule, Shown, Status, Tasks, Work};
pub(crate) use self::watch::WatchEncoder;
