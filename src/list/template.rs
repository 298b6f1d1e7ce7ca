//! The template of the commands of a list: words with placeholders.

use std::ffi::OsString;

/// A command with placeholders.
#[derive(Debug)]
pub(crate) struct Template {
    words: Vec<OsString>,
}

impl Template {
    /// The command for these values, for the task with this number in this slot.
    pub(super) fn fill(&self, values: &[OsString], _number: u32, _slot: u32) -> Vec<OsString> {
        self.words.iter().chain(values).cloned().collect()
    }
}
