//! The files that rclone transfers at the moment, each a part. The row reads the whole.
//!
//! A file that is done only disappears from the list. The log says whether it failed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::tally::over;
use super::{Emit, LIVE_LIMIT, Machine, Row, at, items, word};
use crate::protocol::{Progress, Status};

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Rclone>::default()
}

#[derive(Debug, Default)]
struct Rclone {
    /// By name, the status that each will end with.
    live: BTreeMap<String, Status>,
}

const FILE: Row = Row {
    id: "{/name}",
    title: "{/name}",
    progress: "/bytes",
    total: "/size",
    percentage: "/percentage",
    unit: "bytes",
    eta: "/eta",
    ..Row::EMPTY
};

impl Machine for Rclone {
    fn object(&mut self, object: &Value, report: Progress<'_>, emit: Emit<'_>) {
        if at(object, "/stats").is_none() {
            let live = word(object, "/object").and_then(|name| self.live.get_mut(name));
            if let Some(status) = live
                && word(object, "/level") == Some("error")
            {
                *status = Status::Failed;
            }
            return;
        }
        emit(&report);
        let mut before = std::mem::take(&mut self.live);
        for file in items(object, "/stats/transferring").take(LIVE_LIMIT) {
            let report = FILE.report(file);
            if let Some(id) = report.id.as_deref() {
                emit(&report);
                before.remove(id);
                // Also a file that has failed: rclone tries it again.
                self.live.insert(id.to_owned(), Status::Ok);
            }
        }
        for (id, status) in before {
            emit(&over(&id, status));
        }
    }
}
