//! Counts the packages that pnpm has found and fetched. Only a large package is a part, as in pnpm's own display.

use std::collections::HashSet;

use serde_json::Value;

use super::tally::{counted, over};
use super::{Emit, LIVE_LIMIT, Machine, Row, word};
use crate::protocol::{Progress, Status};

/// The size in bytes from which on pnpm reports the progress of a package.
const LARGE: f64 = 5.0 * 1024.0 * 1024.0;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Pnpm>::default()
}

#[derive(Debug, Default)]
struct Pnpm {
    resolved: u64,
    fetched: u64,
    /// Whether all packages are found.
    all_resolved: bool,
    live: HashSet<String>,
}

const PACKAGE: Row = Row {
    id: "{/packageId}",
    title: "{/packageId}",
    progress: "/downloaded",
    total: "/size",
    unit: "bytes",
    ..Row::EMPTY
};

impl Machine for Pnpm {
    fn object(&mut self, object: &Value, _: Progress<'_>, emit: Emit<'_>) {
        let message = match (word(object, "/name"), word(object, "/status")) {
            (Some("pnpm:progress"), Some("resolved")) => {
                self.resolved += 1;
                let resolving = || format!("resolving, {} found", self.resolved).into();
                (!self.all_resolved).then(resolving)
            }
            (Some("pnpm:progress"), Some("fetched" | "found_in_store")) => {
                self.fetched += 1;
                self.end(object, emit);
                None
            }
            (Some("pnpm:fetching-progress"), Some("started" | "in_progress")) => {
                self.package(object, emit);
                return;
            }
            (Some("pnpm:stage"), _) => {
                let (stage, all_resolved) = match word(object, "/stage") {
                    Some("resolution_started") => ("resolving", false),
                    Some("resolution_done") => ("fetching", true),
                    // With a lockfile, this comes first.
                    Some("importing_started") => ("linking", true),
                    Some("importing_done") => ("linked", true),
                    _ => return,
                };
                self.all_resolved = all_resolved;
                Some(stage.into())
            }
            _ => return,
        };
        emit(&Progress {
            message,
            ..self.count()
        });
    }
}

impl Pnpm {
    fn count(&self) -> Progress<'static> {
        // The number found is no total before all are found: the bar would be at 90 % all the way.
        let total = if self.all_resolved { self.resolved } else { 0 };
        counted(self.fetched, total, "packages")
    }

    fn package(&mut self, object: &Value, emit: Emit<'_>) {
        let report = PACKAGE.report(object);
        let Some(id) = report.id.as_deref() else {
            return;
        };
        let is_large = report.progress.is_some() || report.total.is_some_and(|it| it >= LARGE);
        let is_live = self.live.contains(id);
        if is_live || is_large && self.live.len() < LIVE_LIMIT {
            if !is_live {
                self.live.insert(id.to_owned());
            }
            emit(&report);
        }
    }

    fn end(&mut self, object: &Value, emit: Emit<'_>) {
        let id = word(object, "/packageId").unwrap_or_default();
        if self.live.remove(id) {
            emit(&over(id, Status::Ok));
        }
    }
}
