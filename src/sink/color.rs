//! The colors of words: green for what went well, red for what failed, yellow for what was stopped. Knows no terminal.

use crate::event::FinalState;

pub(super) const RED: u8 = 31;
pub(super) const GREEN: u8 = 32;
pub(super) const YELLOW: u8 = 33;
pub(super) const CYAN: u8 = 36;

/// The words in this color (SGR), if colors are used.
pub(super) fn colored(words: &str, color: u8, with_color: bool) -> String {
    if with_color {
        format!("\x1b[{color}m{words}\x1b[0m")
    } else {
        words.to_owned()
    }
}

/// The words in the color of this end.
pub(super) fn of_state(words: &str, state: FinalState, with_color: bool) -> String {
    let color = match state {
        FinalState::Completed => GREEN,
        FinalState::Failed | FinalState::Lost => RED,
        FinalState::Cancelled => YELLOW,
    };
    colored(words, color, with_color)
}
