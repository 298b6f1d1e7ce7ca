//! The activities of Nix, which begin and stop. The counters among them are added up for the whole; those that take
//! long, such as a download, are parts. The numbers are Nix's own (its `logging.hh`).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::tally::counted;
use super::{Emit, LIVE_LIMIT, Machine, at, fill, word};
use crate::protocol::{Progress, Status};

const COPY_PATH: u64 = 100;
const FILE_TRANSFER: u64 = 101;
const COPY_PATHS: u64 = 103;
const BUILDS: u64 = 104;
const BUILD: u64 = 105;

const SET_PHASE: u64 = 104;
const PROGRESS: u64 = 105;

pub(super) fn new() -> Box<dyn Machine> {
    Box::<Nix>::default()
}

#[derive(Debug, Default)]
struct Nix {
    live: HashMap<u64, Activity>,
    /// What the counting activities have counted, stopped ones included.
    all: Count,
    /// Whether the build that was counted last has failed. The message that an activity stops does not say so, but
    /// comes right after the failure.
    failed: bool,
}

#[derive(Debug)]
struct Activity {
    kind: u64,
    count: Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Count {
    done: u64,
    expected: u64,
    failed: u64,
}

impl Machine for Nix {
    fn object(&mut self, object: &Value, _: Progress<'_>, emit: Emit<'_>) {
        let number = |place| at(object, place).and_then(Value::as_u64);
        let Some(id) = number("/id") else { return };
        match (word(object, "/action"), number("/type")) {
            (Some("start"), Some(kind)) => self.start(id, kind, object, emit),
            (Some("stop"), _) => self.stop(id, emit),
            (Some("result"), Some(PROGRESS)) => {
                let field = |place| number(place).unwrap_or(0);
                let count = Count {
                    done: field("/fields/0"),
                    expected: field("/fields/1"),
                    failed: field("/fields/3"),
                };
                self.count(id, count, emit);
            }
            (Some("result"), Some(SET_PHASE)) if self.live.contains_key(&id) => {
                emit(&Progress {
                    message: fill("{/fields/0}", object),
                    ..part(id)
                });
            }
            _ => {}
        }
    }
}

impl Nix {
    fn start(&mut self, id: u64, kind: u64, object: &Value, emit: Emit<'_>) {
        let is_part = matches!(kind, COPY_PATH | FILE_TRANSFER | BUILD);
        let counts = matches!(kind, COPY_PATHS | BUILDS);
        if !(is_part || counts) || self.live.len() == LIVE_LIMIT {
            return;
        }
        let count = Count::default();
        self.live.insert(id, Activity { kind, count });
        if is_part {
            emit(&Progress {
                title: word(object, "/text").map(without_hashes),
                parent: fill("{/parent}", object).filter(|parent| parent != "0"),
                ..part(id)
            });
        }
    }

    fn stop(&mut self, id: u64, emit: Emit<'_>) {
        let Some(Activity { kind, .. }) = self.live.remove(&id) else {
            return;
        };
        if matches!(kind, COPY_PATHS | BUILDS) {
            return;
        }
        let failed = kind == BUILD && std::mem::take(&mut self.failed);
        emit(&Progress {
            status: Some(if failed { Status::Failed } else { Status::Ok }),
            ..part(id)
        });
    }

    /// Most lines repeat values that have not changed.
    fn count(&mut self, id: u64, count: Count, emit: Emit<'_>) {
        let Some(activity) = self.live.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut activity.count, count);
        if before == count {
            return;
        }
        match activity.kind {
            COPY_PATHS | BUILDS => {
                if activity.kind == BUILDS {
                    self.failed = count.failed > before.failed;
                }
                let Count { done, expected, .. } = &mut self.all;
                *done = done.saturating_sub(before.done).saturating_add(count.done);
                *expected = expected
                    .saturating_sub(before.expected)
                    .saturating_add(count.expected);
                emit(&counted(*done, *expected, "paths"));
            }
            COPY_PATH | FILE_TRANSFER => emit(&Progress {
                id: part(id).id,
                ..counted(count.done, count.expected, "bytes")
            }),
            _ => {}
        }
    }
}

fn part(id: u64) -> Progress<'static> {
    Progress {
        id: Some(id.to_string().into()),
        ..Progress::default()
    }
}

/// `building '/nix/store/94why65q87hlqd4vql4jis53v27dpnnx-hello.drv'` becomes `building 'hello.drv'`: the first 44
/// characters are useless in a title.
fn without_hashes(text: &str) -> Cow<'_, str> {
    const STORE: &str = "/nix/store/";
    const HASH: usize = 33;
    let mut short = Cow::Borrowed("");
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(STORE) {
        short += before;
        rest = match after.split_at_checked(HASH) {
            Some((hash, name)) if hash.ends_with('-') => name,
            _ => {
                short += STORE;
                after
            }
        };
    }
    short += rest;
    short
}
