//! Sinks consume the events of a run: they show or keep them. This file is the trait that the run loop draws through.
//!
//! A sink never makes the run loop wait and never fails it: a place that cannot be written to is told of once and then
//! left out. Sinks see events in one order and read no clock: each event says when it was. During a run they alone
//! write text to the terminal; the worker of a child lends it, and sets its foreground group and settings. Text from a
//! child is foreign, and is made safe here.

mod agent;
mod bars;
mod beginning;
mod beside;
mod census;
mod choice;
mod closing;
mod color;
mod course;
mod display;
mod ends;
mod files;
mod floor;
mod folder;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gone;
mod guard;
mod job_log;
mod journal;
mod json;
mod lines;
mod log;
mod logs;
mod messages;
mod notification;
mod parent;
mod patient;
mod pipeline;
mod plain;
mod quote;
mod raw_log;
mod routes;
mod sanitize;
mod spool;
mod standard;
mod stream;
mod table;
mod tail;
mod terminal;
mod text;
#[cfg(test)]
mod told;
mod watchers;
mod writer;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::event::Event;
use crate::flow::Permit;

pub(crate) use self::choice::{Chosen, ForAgent, choose, for_agent};
pub(crate) use self::display::{Display, Ends, JsonPlace, Logs, Many, Progress, Show, Tty};
pub(crate) use self::files::{NoReader, STDOUT, unnamed};
pub(crate) use self::floor::MOST_WAITING;
pub(crate) use self::format::{bytes, clock, took};
pub(crate) use self::gone::Gone;
pub(crate) use self::patient::Patient;
pub(crate) use self::quote::command as quoted;
pub(crate) use self::routes::is_on_screen;
pub(crate) use self::sanitize::{ascii, columns, escape, escape_json, fit};
pub(crate) use self::table::{Cell, table};
pub(crate) use self::terminal::is_utf_8;
pub(crate) use self::watchers::Watchers;

/// The connection of a progrun that asks another one to draw for it, and what was read of it already.
pub(crate) type Joining = (UnixStream, Vec<u8>);

/// A consumer of events.
pub(crate) trait Sink {
    /// Takes in an event.
    fn event(&mut self, event: &Event<'_>);

    /// When [`tick`](Self::tick) is to be called next if nothing happens; none: not at all.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// Draws, if it is time to.
    fn tick(&mut self, _elapsed: Duration) {}

    /// Another progrun on the same terminal asks us to draw for it. Gives its connection back if we do not draw.
    fn join(&mut self, guest: Joining) -> Option<Joining> {
        Some(guest)
    }

    /// How many ended tasks of a run of many have output that waits to be shown. Beyond some thousands no further task
    /// begins.
    fn backlog(&self) -> usize {
        0
    }

    /// Holds `permit` until everything that this sink has to write is written: the program ends only then.
    fn flush(&mut self, permit: &Permit);

    /// Writes what comes after everything that all sinks have written; whether there is anything. Called once, at the
    /// end of the run.
    fn follow_up(&mut self) -> bool {
        false
    }

    /// The sink that takes its place after it has panicked: a simpler one, that still shows what the child prints if
    /// this one did. None: nothing is shown any more.
    #[must_use]
    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        None
    }

    /// Waits no longer for readers that have not taken all that was written for them: the rest is lost, and that is
    /// told.
    fn abandon(&mut self);
}
