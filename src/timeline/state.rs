//! What can become of a task, of an attempt of it, and of a part of it.

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    Completed,
    Failed,
    Cancelled,
    /// It was still running at the end of the recording.
    #[default]
    Open,
    /// It was not started.
    Skipped,
    /// An earlier run has done it.
    Done,
}
