//! The terminal's own progress indicator (OSC 9;4): the sequences that switch it on, move it and switch it off again.
//! Knows neither tasks nor when a sequence is written.

use anstyle_progress::{TermProgress, supports_term_progress};

/// The state of the indicator.
#[derive(Debug)]
pub(super) struct Taskbar {
    supported: bool,
    /// The percentage, and whether something has failed.
    shown: Option<(u8, bool)>,
}

impl Taskbar {
    pub(super) fn new() -> Self {
        Self {
            supported: supports_term_progress(true),
            shown: None,
        }
    }

    #[cfg(test)]
    pub(super) fn of_a_terminal_that_has_one() -> Self {
        Self {
            supported: true,
            shown: None,
        }
    }

    /// So much is done, of 1; `has_failed` if something went wrong already.
    pub(super) fn set(&mut self, fraction: Option<f64>, has_failed: bool) -> Option<String> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let percent = (fraction? * 100.0) as u8;
        if !self.supported || self.shown == Some((percent, has_failed)) {
            return None;
        }
        self.shown = Some((percent, has_failed));
        let state = if has_failed {
            TermProgress::error()
        } else {
            TermProgress::start()
        };
        Some(state.percent(percent).to_string())
    }

    pub(super) fn remove(&mut self) -> Option<String> {
        self.shown.take()?;
        Some(TermProgress::remove().to_string())
    }
}
