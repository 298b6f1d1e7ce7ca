//! Merges the signals of one key press: some parent processes deliver one Ctrl-C twice, up to 47 ms apart. This is done
//! once for the run: the ladders of all tasks take the same step.

use std::time::Duration;

/// A signal so soon after another one is the same key press.
const SAME_PRESS: Duration = Duration::from_millis(150);

/// The key presses of a run.
#[derive(Debug, Default)]
pub(super) struct Presses {
    last: Option<Duration>,
}

impl Presses {
    /// Whether the signal that came at `now` is a key press of its own.
    pub(super) fn is_new(&mut self, now: Duration) -> bool {
        let is_new = self.last.is_none_or(|last| now >= last + SAME_PRESS);
        if is_new {
            self.last = Some(now);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ctrl_c_that_comes_twice_within_a_moment_is_one() {
        let at = Duration::from_millis;
        let mut presses = Presses::default();
        let seen = [0, 47, 149, 150, 200, 300].map(|time| presses.is_new(at(time)));
        assert_eq!(seen, [true, false, false, true, false, true]);
    }
}
