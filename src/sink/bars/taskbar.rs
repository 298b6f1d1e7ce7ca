//! The terminal's own progress indicator (OSC 9;4): the sequences that switch it on, move it and switch it off again.
//! Knows neither tasks nor when a sequence is written.

use anstyle_progress::{TermProgress, supports_term_progress};

/// The state of the indicator.
#[derive(Debug)]
pub(super) struct Taskbar {
    supported: bool,
    shown: Option<u8>,
}

impl Taskbar {
    pub(super) fn new() -> Self {
        Self {
            supported: supports_term_progress(true),
            shown: None,
        }
    }

    pub(super) fn set(&mut self, fraction: Option<f64>) -> Option<String> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let percent = (fraction? * 100.0) as u8;
        if !self.supported || self.shown == Some(percent) {
            return None;
        }
        self.shown = Some(percent);
        Some(TermProgress::start().percent(percent).to_string())
    }

    pub(super) fn remove(&mut self) -> Option<String> {
        self.shown.take()?;
        Some(TermProgress::remove().to_string())
    }
}
