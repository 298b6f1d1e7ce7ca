//! Decides how long the pipes of a child are read after its end. Has no clock and no descriptors of its own.
//!
//! Waiting for the end of file could take for ever: any `sleep &` keeps a pipe open for its whole life. So the worker
//! first reads each pipe until it is empty, however long that takes: these are all the bytes that the child itself
//! wrote. For late output of process substitutions and the like it then reads until [`QUIET`] passes without data,
//! [`AT_MOST`] in all.

use std::time::{Duration, Instant};

const QUIET: Duration = Duration::from_millis(200);
const AT_MOST: Duration = Duration::from_secs(2);

/// The state of draining.
#[derive(Debug)]
pub(super) struct Drain {
    last_data: Instant,
    /// When the pipes were first seen empty.
    first_empty: Option<Instant>,
    cut_short: bool,
}

impl Drain {
    /// Begins when the worker sees the end of the child.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_data: now,
            first_empty: None,
            cut_short: false,
        }
    }

    /// Some pipe has data.
    pub(super) fn data(&mut self, now: Instant) {
        self.last_data = now;
    }

    /// All pipes were polled, and none has data.
    pub(super) fn empty(&mut self, now: Instant) {
        self.first_empty.get_or_insert(now);
    }

    /// Whether all pipes have been seen empty since the end of the child.
    pub(super) fn has_been_empty(&self) -> bool {
        self.first_empty.is_some()
    }

    /// Ends the waiting for late output.
    pub(super) fn cut_short(&mut self) {
        self.cut_short = true;
    }

    /// Whether late output is waited for no longer.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// When to poll again if no data comes.
    pub(super) fn deadline(&self) -> Instant {
        match self.first_empty {
            // At once: no time counts until the pipes have been seen empty.
            None => self.last_data,
            Some(first) => (self.last_data + QUIET).min(first + AT_MOST),
        }
    }

    /// Whether it is time to stop reading.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.first_empty.is_some() && now >= self.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_pipe_that_was_never_empty_is_read_however_long_it_takes() {
        let start = Instant::now();
        let mut drain = Drain::new(start);
        drain.data(at(start, 60_000));
        assert!(!drain.is_over(at(start, 90_000)));
    }

    #[test]
    fn it_is_over_when_200_ms_pass_without_data() {
        let start = Instant::now();
        let mut drain = Drain::new(start);
        drain.empty(at(start, 1));
        assert!(!drain.is_over(at(start, 199)));
        drain.data(at(start, 150));
        assert!(!drain.is_over(at(start, 349)));
        assert!(drain.is_over(at(start, 350)));
    }

    #[test]
    fn a_trickle_is_read_for_2_s_and_no_longer() {
        let start = Instant::now();
        let mut drain = Drain::new(start);
        drain.empty(at(start, 10));
        for time in (100..=2000).step_by(100) {
            assert!(!drain.is_over(at(start, time)), "at {time} ms");
            drain.data(at(start, time));
        }
        assert!(drain.is_over(at(start, 2010)));
    }
}
