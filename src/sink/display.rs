//! The user's wishes about what is shown, as the command line says them. Knows neither sinks nor terminals.

use std::path::PathBuf;

/// The user's wishes.
#[derive(Clone, Debug)]
pub(crate) struct Display {
    /// The name of the run.
    pub name: String,
    /// How progress is shown.
    pub progress: Progress,
    /// Whether colors are used; none: as the terminal and the environment say.
    pub color: Option<bool>,
    /// Where events go as JSON lines.
    pub json: Option<JsonPlace>,
    /// Where all of the child's output is kept.
    pub log: Option<PathBuf>,
    /// How much of the child's output is shown, and when.
    pub output: Show,
    /// Whether a stream that goes through us is a terminal for the child.
    pub tty: Tty,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// As part of the progrun that we run under, if we do; else bars on a terminal, else plain lines; nothing beside
    /// `--json` on stdout.
    Auto,
    /// Bars.
    Bars,
    /// Plain lines.
    Plain,
    /// Not at all.
    None,
}

/// Where the events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonPlace {
    /// To stdout; the child's output becomes events too.
    Stdout,
    /// To this file; the child keeps its streams.
    File(PathBuf),
}

/// How much of the child's output is shown, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Everything, as it comes.
    Stream,
    /// Everything at the end, if the child failed.
    OnFailure,
    /// Nothing.
    None,
}

/// Where a stream that goes through us is a terminal for the child, and not a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tty {
    /// Where it is shown on one.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
    /// Nothing goes through us where it is shown on a terminal: that is the child's own from its start to its end.
    Own,
}

impl Display {
    /// Whether the events go to stdout.
    pub(super) fn has_json_on_stdout(&self) -> bool {
        self.json == Some(JsonPlace::Stdout)
    }

    /// Whether the child's output is shown as it comes.
    pub(super) fn shows_output(&self) -> bool {
        !self.has_json_on_stdout() && self.output == Show::Stream
    }
}
