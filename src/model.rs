//! What is known of a run: the parts of its progress, and what one read of a channel brought.

pub(crate) mod batch;
pub(crate) mod parts;
pub(crate) mod route;
