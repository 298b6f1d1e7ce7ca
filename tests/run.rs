//! progrun seen from outside: whole runs of the program, without a terminal.
//!
//! The tests wait for facts (an event, a line, a pipe that all processes have closed) and never for time to pass. They
//! need sh, bash and the usual small commands.

mod channel;
mod events;
mod foreign;
mod formats;
mod garbage;
#[cfg(target_os = "linux")]
mod killed;
mod log;
mod loss;
mod output;
mod plain;
mod signals;
mod start;
mod status;
mod stopping;
mod timeout;
mod unread;
