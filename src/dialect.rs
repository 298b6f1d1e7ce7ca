//! Progress that other programs write, for whoever watches them: what passes through us anyway is read, never eaten.
//!
//! One [`Dialects`] reads all that one child gives: its output streams, and descriptors that a program was told to write
//! its status to. Each dialect is a file below this one, and gives [`Progress`](crate::protocol::Progress); this file
//! knows which of them is heard where, and which is believed when several speak at once. It knows no pipe, process or
//! screen, and has no clock: it is told what time it is. Nothing that a program writes is an error here: what is not
//! understood is passed over, and what is kept of it is bounded.

pub mod apt;
pub mod azure;
pub mod dpkg;
pub mod e2fsck;
pub mod ffmpeg;
pub mod gpg;
#[cfg(test)]
mod line_properties;
pub mod own;
pub mod pip;
pub mod recognise;
mod remote;
pub mod tap;
pub mod teamcity;
pub mod zig;

use std::fmt;
use std::time::Instant;

use crate::protocol::Progress;
use crate::reports::{Fold, Reports};

/// Where a dialect is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What the child prints on standard output.
    Stdout,
    /// What it prints on standard error.
    Stderr,
    /// The channel, where a program that has a switch for it writes its own status lines.
    Channel,
    /// The descriptor of `ZIG_PROGRESS`.
    Zig,
}

/// A format, as `--list-formats` tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What `--from` calls it.
    pub name: &'static str,
    /// What it is, and where it is read.
    pub about: &'static str,
    /// How the program is told to write it; empty where it does so anyway.
    pub switch: &'static str,
}

/// All formats, those that are believed first.
pub static FORMATS: &[Format] = &[
    own::FORMAT,
    apt::FORMAT,
    dpkg::FORMAT,
    e2fsck::FORMAT,
    gpg::FORMAT,
    ffmpeg::FORMAT,
    pip::FORMAT,
    tap::FORMAT,
    teamcity::FORMAT,
    azure::FORMAT,
    zig::FORMAT,
];

/// Which formats are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Whatever is recognised in what passes through us anyway.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// These, wherever they are written.
    Only(Vec<&'static str>),
}

/// How a dialect gives what it reads: a call for each report, with the name of the format.
pub type Each<'a> = &'a mut dyn FnMut(&'static str, &Progress<'_>);

/// A dialect of whole lines.
pub trait Lines: fmt::Debug + Send {
    /// Reads a line, without its end. Gives whether it is written in this dialect, so that no other need look at it: also
    /// if nothing was to be reported of it.
    fn line(&mut self, line: &str, each: Each<'_>) -> bool;

    /// There are no more lines.
    fn end(&mut self, _each: Each<'_>) {}
}

/// Everything that is read of one child.
#[derive(Debug)]
pub struct Dialects {
    _selection: Selection,
    fold: Fold,
    source: Option<&'static str>,
}

impl Dialects {
    /// Reads what is selected; `verbatim` if every report is wanted, not only the newest of each part.
    #[must_use]
    pub fn new(selection: Selection, verbatim: bool) -> Self {
        Self {
            _selection: selection,
            fold: Fold::new(verbatim),
            source: None,
        }
    }

    /// Takes in the next bytes of a place.
    pub fn feed(&mut self, _place: Place, _bytes: &[u8], _now: Instant) {}

    /// When [`settle`](Self::settle) is to be called if nothing comes: a record is often not terminated when it is on the
    /// screen.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Time has passed without more bytes: takes what is begun to be complete, if it is time to.
    pub fn settle(&mut self, _now: Instant) {}

    /// A place is at its end.
    pub fn finish(&mut self, _place: Place) {}

    /// What was found since the last call.
    pub fn take(&mut self) -> Reports {
        let mut reports = self.fold.take();
        reports.source = self.source;
        reports
    }
}
