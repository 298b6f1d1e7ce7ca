//! What consumes the events of a run: the trait that the run loop draws through, and the sinks behind it.
//!
//! A sink never makes the run loop wait and never fails it: what cannot be written is said once and then left out. Sinks
//! see events in one order, have no clock (times are what has passed since the run began), and are the only code that
//! touches the terminal. Text from a child is foreign and is made safe here.

mod bars;
mod choice;
mod files;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod guard;
mod json;
mod lines;
mod log;
mod messages;
mod parent;
mod patient;
mod plain;
mod sanitize;
mod spool;
mod stream;
mod terminal;
mod writer;

use std::time::Duration;

use crate::event::Event;
use crate::flow::Permit;

use self::bars::Bars;
use self::guard::Guard;
use self::json::Json;
use self::log::Log;
use self::plain::Plain;
use self::spool::Spool;
use self::stream::Streams;
use self::writer::{OnGone, Writer};

pub(crate) use self::files::{NoReader, STDOUT};
pub(crate) use self::patient::Patient;
pub(crate) use self::sanitize::escape;

pub(crate) use self::choice::{
    Display, Gone, JsonPlace, Progress, Show, Tty, choose, is_on_screen,
};

/// Something that events are given to.
pub(crate) trait Sink {
    /// Takes in an event that happened at `elapsed`.
    fn event(&mut self, event: &Event<'_>);

    /// When [`tick`](Self::tick) is to be called next if nothing happens; none: not at all.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// Draws, if it is time to.
    fn tick(&mut self, _elapsed: Duration) {}

    /// Holds `permit` until everything that this sink has to write is written: the program ends only then.
    fn flush(&mut self, permit: &Permit);

    /// What takes its place after it has panicked: something simpler, that still shows what the child prints if this sink
    /// did. None: nothing.
    #[must_use]
    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        None
    }

    /// Waits no longer for readers who have not taken what was written for them: it is lost, and that is told.
    fn abandon(&mut self);
}
