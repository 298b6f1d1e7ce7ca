//! How an output stream of a command is connected: chosen with the sinks, carried out by the child's worker.

/// How an output stream of the child is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// It is ours: the same descriptor, no copy.
    Inherit,
    /// It goes through us.
    Piped,
    /// The same, but only so that our own lines never stand in the middle of one of its lines: it is not read for
    /// progress.
    Carried,
    /// It goes through us, and is a terminal for the child.
    Terminal,
    /// It is stderr, and goes where stdout does.
    Joined,
    /// It goes nowhere.
    Discard,
}
