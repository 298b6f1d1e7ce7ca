//! The steps of a build, which `BuildKit` calls vertexes, and the transfers that belong to them. Every line repeats
//! much of what earlier lines said.

use serde_json::Value;

use super::When::{Has, Is};
use super::tally::{Tally, over};
use super::{Emit, LIVE_LIMIT, Machine, Row, items};
use crate::protocol::{Progress, Status};

pub(super) fn new() -> Box<dyn Machine> {
    Box::<BuildKit>::default()
}

#[derive(Debug, Default)]
struct BuildKit {
    steps: Tally,
    /// The transfers that are under way, each with its step. A transfer ends with its step at the latest.
    transfers: Vec<(String, String)>,
}

const STEP: Row = Row {
    id: "{/digest}",
    title: "{/name}",
    status: &[
        (Has("/error"), Status::Failed),
        (Is("/cached", &["true"]), Status::Skipped),
        (Has("/completed"), Status::Ok),
    ],
    ..Row::EMPTY
};

/// A transfer's own name is the same in every step.
const TRANSFER: Row = Row {
    id: "{/vertex} {/id}",
    parent: "{/vertex}",
    title: "{/id}",
    progress: "/current",
    total: "/total",
    unit: "bytes",
    status: &[(Has("/completed"), Status::Ok)],
    ..Row::EMPTY
};

impl Machine for BuildKit {
    fn object(&mut self, object: &Value, _: Progress<'_>, emit: Emit<'_>) {
        let mut changed = false;
        for vertex in items(object, "/vertexes") {
            changed |= self.step(vertex, emit);
        }
        for status in items(object, "/statuses") {
            self.transfer(status, emit);
        }
        if changed {
            emit(&self.steps.report("steps"));
        }
    }
}

impl BuildKit {
    /// Gives whether the count has changed.
    fn step(&mut self, vertex: &Value, emit: Emit<'_>) -> bool {
        let report = STEP.report(vertex);
        let Some(id) = report.id.as_deref() else {
            return false;
        };
        let new = self.steps.begin(id);
        if report.status.is_none() {
            if Has("/started").holds(vertex) && !self.steps.is_over(id) {
                emit(&report);
            }
            return new;
        }
        let ended = self.steps.end(id);
        if ended {
            self.transfers.retain(|(step, transfer)| {
                if step == id {
                    emit(&over(transfer, Status::Ok));
                }
                step != id
            });
            emit(&report);
        }
        ended
    }

    fn transfer(&mut self, status: &Value, emit: Emit<'_>) {
        let report = TRANSFER.report(status);
        let (Some(id), Some(step)) = (report.id.as_deref(), report.parent.as_deref()) else {
            return;
        };
        let live = self.transfers.iter().position(|(_, it)| it == id);
        match live {
            Some(index) => {
                emit(&report);
                if report.status.is_some() {
                    self.transfers.swap_remove(index);
                }
            }
            // A step that is over when it is first named is not worth a line; and a step that is over must not begin
            // again.
            None if report.status.is_none()
                && self.transfers.len() < LIVE_LIMIT
                && !self.steps.is_over(step) =>
            {
                self.transfers.push((step.to_owned(), id.to_owned()));
                emit(&report);
            }
            None => {}
        }
    }
}
