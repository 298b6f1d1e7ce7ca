//! What is known of a run: the parts of its progress, what one read of a channel brought, and what the lines of its output
//! mean.

pub(crate) mod batch;
pub(crate) mod parts;
pub(crate) mod route;
pub(crate) mod verdict;
