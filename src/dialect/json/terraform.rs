//! Counts the changes that Terraform or `OpenTofu` has planned and made. Each change under way is a part, which its row
//! reads.
//!
//! The plan is not taken from its summary, which a plan from a file lacks.

use serde_json::Value;

use super::tally::counted;
use super::{Emit, Machine, word};
use crate::protocol::Progress;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Terraform>::default()
}

#[derive(Debug, Default)]
struct Terraform {
    planned: u64,
    done: u64,
}

impl Machine for Terraform {
    fn object(&mut self, object: &Value, report: Progress<'_>, emit: Emit<'_>) {
        match word(object, "/type") {
            Some("planned_change") => {
                self.planned += match word(object, "/change/action") {
                    // A replacement makes one resource and removes one, in either order.
                    Some("replace") => 2,
                    Some("create" | "read" | "update" | "delete") => 1,
                    _ => 0,
                };
                if self.planned > 0 {
                    emit(&counted(self.done, self.planned, "changes"));
                }
            }
            Some("apply_complete") => {
                emit(&report);
                self.done += 1;
                emit(&counted(self.done, self.planned, "changes"));
            }
            _ => emit(&report),
        }
    }
}
