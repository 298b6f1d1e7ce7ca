//! The terminal behind stderr: its size, its settings, its foreground, and the sequences and characters that it
//! understands. Knows nothing of the bars.

use rustix::stdio::stderr;
use rustix::termios::{LocalModes, OutputModes, Termios, tcgetattr, tcgetpgrp, tcgetwinsize};

use crate::system::groups;

/// A terminal, asked anew each time. A test gives its own answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// Columns and rows.
    pub(super) size: fn() -> (u16, u16),
    /// Whether our process group is in its foreground.
    pub(super) foreground: fn() -> bool,
    /// How it is set up.
    pub(super) setup: fn() -> Setup,
}

/// The settings of a terminal (termios) that matter to drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// A newline returns the cursor: OPOST and ONLCR.
    pub(super) newline_returns: bool,
    /// Typed text is read line by line: ICANON. An editor or a pager switches it off.
    pub(super) by_lines: bool,
}

impl Setup {
    /// As a shell leaves it.
    pub(super) const USUAL: Self = Self {
        newline_returns: true,
        by_lines: true,
    };
}

impl Terminal {
    /// The terminal behind stderr.
    pub(super) const OF_STDERR: Self = Self {
        size,
        foreground,
        setup,
    };
}

/// Columns and rows; 80 by 24 where the terminal does not say, as terminals once had.
fn size() -> (u16, u16) {
    match tcgetwinsize(stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

/// Whether our process group is in the foreground. A terminal that is not our controlling one does not say; it has no
/// job control, so drawing there stops no process.
fn foreground() -> bool {
    tcgetpgrp(stderr()).map_or(true, |foreground| groups::ours() == Some(foreground))
}

fn setup() -> Setup {
    let settings = tcgetattr(stderr());
    let is = |holds: fn(&Termios) -> bool, usual| settings.as_ref().map_or(usual, holds);
    Setup {
        newline_returns: is(
            |settings| {
                let lines = OutputModes::OPOST | OutputModes::ONLCR;
                settings.output_modes.contains(lines)
            },
            Setup::USUAL.newline_returns,
        ),
        by_lines: is(
            |settings| settings.local_modes.contains(LocalModes::ICANON),
            Setup::USUAL.by_lines,
        ),
    }
}

/// Whether the terminal understands no escape sequences. One without a name is taken for such.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Whether the character set of the locale is UTF-8, by the variables that setlocale(3) reads.
pub(crate) fn is_utf_8() -> bool {
    let mut names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = names.find_map(set).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// Whether colors are wanted, by the conventions of `NO_COLOR` and `CLICOLOR_FORCE`. Bars are on a terminal, which
/// understands them unless it is dumb.
pub(super) fn has_color() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    set("CLICOLOR_FORCE") || !no_color && !is_dumb()
}
