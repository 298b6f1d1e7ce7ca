//! Counts the layers that the Docker engine pulls or pushes. The row reads how far each of them is.

use serde_json::Value;

use super::tally::Tally;
use super::{Emit, Machine};
use crate::protocol::Progress;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Docker>::default()
}

#[derive(Debug, Default)]
struct Docker {
    layers: Tally,
}

impl Machine for Docker {
    fn object(&mut self, _: &Value, report: Progress<'_>, emit: Emit<'_>) {
        let Some(id) = report.id.as_deref() else {
            return;
        };
        let mut changed = self.layers.begin(id);
        if report.status.is_some() {
            changed |= self.layers.end(id);
        }
        emit(&report);
        if changed {
            emit(&self.layers.report("layers"));
        }
    }
}
