//! What earlier runs say of the row of a task: the time left, or the bar by time of one that says nothing, marked as
//! estimates. Knows neither the runs nor where the row stands.

use std::time::Duration;

use crate::eta::ByTime;

use super::super::format;

/// What a row shows by earlier runs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outlook {
    /// How much of the usual time has passed, of 1.
    pub(super) done: Option<f64>,
    /// How long the task has left.
    pub(super) left: Option<Duration>,
    /// How long the earlier runs took.
    pub(super) words: String,
}

/// To the nearest second: `about` rounds a time that is left up.
fn about(duration: Duration) -> String {
    let half = Duration::from_millis(500);
    format::about(Duration::from_secs((duration + half).as_secs().max(1)))
}

impl Outlook {
    /// Of a task that says nothing. Where the usual time is over there is no bar: it would stand at its end for as long
    /// as the task takes.
    pub(super) fn by_time(by_time: ByTime) -> Self {
        match by_time {
            ByTime::Usually {
                done,
                duration,
                left,
            } => Self {
                done: Some(done),
                left: Some(left),
                words: format!("usually {}", about(duration)),
            },
            ByTime::Longer { duration } => Self {
                words: format!("longer than usual ({})", about(duration)),
                ..Self::default()
            },
            ByTime::LastTime { duration } => Self {
                words: format!("last time {}", about(duration)),
                ..Self::default()
            },
        }
    }
}
