//! To be written.

/// The kind of the message that carries progress, and the JSON key of the same meaning: one spelling.
pub const PROGRESS: &str = "progress";
