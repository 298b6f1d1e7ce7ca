//! Counts Rust's tests. One run may have several suites, one after the other, each with its own number of tests: the
//! numbers are added up.

use serde_json::Value;

use super::tally::counted;
use super::{Emit, Machine, at, word};
use crate::protocol::Progress;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Libtest>::default()
}

#[derive(Debug, Default)]
struct Libtest {
    done: u64,
    total: u64,
}

impl Machine for Libtest {
    fn object(&mut self, object: &Value, report: Progress<'_>, emit: Emit<'_>) {
        match (word(object, "/type"), word(object, "/event")) {
            (Some("suite"), Some("started")) => {
                let count = at(object, "/test_count").and_then(Value::as_u64);
                self.total = self.total.saturating_add(count.unwrap_or(0));
            }
            (Some("test"), Some("ok" | "failed" | "ignored")) => self.done += 1,
            (Some("test"), _) => {}
            _ => return,
        }
        emit(&Progress {
            message: report.message,
            ..counted(self.done, self.total, "tests")
        });
    }
}
