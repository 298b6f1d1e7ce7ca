//! What a recording says: its runs, their tasks, attempts and parts. Only data; `reading` fills it in, and `page` writes
//! it. Texts are safe to show, and none is longer than its bound.

use std::time::{Duration, SystemTime};

use crate::protocol::Progress;

use super::curve::Curve;
use super::parts::Parts;
use super::state::State;
use super::tail::Tail;

/// All runs of one file, in its order: at least one.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(super) runs: Vec<Run>,
    /// How many runs before these are left out.
    pub(super) earlier: usize,
    pub(super) damaged: Damaged,
}

/// The lines that could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) count: u64,
    /// The number of the first of them.
    pub(crate) first: u64,
}

impl Recording {
    /// The lines that are missing on the page.
    pub(crate) fn damaged(&self) -> Damaged {
        self.damaged
    }
}

/// One run: of many tasks, or of a single command.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Run {
    pub(super) name: String,
    /// The command with its placeholders, or the single command.
    pub(super) command: String,
    pub(super) began: Option<SystemTime>,
    pub(super) jobs: Option<u32>,
    /// How many tasks the list has, if that is known.
    pub(super) total: Option<u64>,
    pub(super) is_single: bool,
    /// Whether the events before the first one that is there are missing.
    pub(super) is_headless: bool,
    pub(super) has_ended: bool,
    /// Why it was asked to stop, or started no further tasks.
    pub(super) stopped: Option<&'static str>,
    /// How many tasks it did not start, if it said so.
    pub(super) not_started: u64,
    /// When the last event was.
    pub(super) last: Duration,
    pub(super) warnings: Vec<String>,
    /// Those that are over, and at the end of the recording the others.
    pub(super) tasks: Vec<Task>,
    /// How many more tasks there were, of which only the number is kept.
    pub(super) unshown: u64,
    /// How many parts the tasks have, and whether there were more.
    pub(super) parts: usize,
    pub(super) has_more_parts: bool,
}

/// A task of the list.
#[derive(Debug, Default)]
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) command: String,
    pub(super) state: State,
    /// Why it was not started.
    pub(super) why: String,
    pub(super) attempts: Vec<Attempt>,
    pub(super) parts: Parts,
    /// What it reported of itself: all of it, and the texts that are shown once it is over.
    pub(super) known: Progress<'static>,
    pub(super) message: String,
    pub(super) unit: String,
    pub(super) curve: Curve,
    /// Processor time, peak memory in bytes, and bytes of output: of all attempts, and of the largest.
    pub(super) processor: Duration,
    pub(super) memory: u64,
    pub(super) output: u64,
}

/// One try of a task.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) slot: u32,
    pub(super) number: u32,
    pub(super) began: Duration,
    pub(super) ended: Option<Duration>,
    pub(super) state: State,
    /// How it ended, in words; empty if it completed.
    pub(super) how: String,
    pub(super) tail: Tail,
    /// Its last lines, if it did not complete.
    pub(super) lines: String,
}
