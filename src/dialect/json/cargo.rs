//! Counts what Cargo has built. There is no total: only Cargo's own bar knows it.

use serde_json::Value;

use super::tally::counted;
use super::{Emit, Machine, word};
use crate::protocol::Progress;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Cargo>::default()
}

#[derive(Debug, Default)]
struct Cargo {
    done: u64,
}

impl Machine for Cargo {
    fn object(&mut self, object: &Value, report: Progress<'_>, emit: Emit<'_>) {
        match word(object, "/reason") {
            Some("compiler-artifact" | "build-script-executed") => {
                self.done += 1;
                emit(&Progress {
                    message: report.message,
                    ..counted(self.done, 0, "artifacts")
                });
            }
            _ => emit(&report),
        }
    }
}
