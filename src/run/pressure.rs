//! Whether the machine has room for another task: `--max-load` and `--min-memory`. Looks once a second, and stops no
//! task that runs.
//!
//! Near a limit one task begins a second: a task takes its memory only after it has begun, and seven that begin together
//! would all be let in. Knows no task.

use std::fs;
use std::time::Duration;

use crate::event::Obstacle;

use super::schedule::Gate;

/// How often the machine is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The limits that the user has set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// The load of the last minute beyond which nothing begins.
    pub(crate) load: Option<f64>,
    /// The bytes of available memory below which nothing begins.
    pub(crate) memory: Option<u64>,
}

/// How near the machine is to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Much,
    Little,
    None,
}

/// The state of the machine at the last look.
#[derive(Debug)]
pub(super) struct Pressure {
    limits: Limits,
    looked: Option<Duration>,
    load: Room,
    memory: Room,
    /// When a task began last.
    begun: Option<Duration>,
}

impl Pressure {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            looked: None,
            load: Room::Much,
            memory: Room::Much,
            begun: None,
        }
    }

    /// What may begin now.
    pub(super) fn gate(&mut self, now: Duration) -> Gate {
        if self.limits == Limits::default() {
            return Gate::Open;
        }
        if self.looked.is_none_or(|looked| now >= looked + EVERY) {
            self.looked = Some(now);
            self.load = self
                .limits
                .load
                .map_or(Room::Much, |most| room_of(load(), most));
            self.memory = self.limits.memory.map_or(Room::Much, |least| {
                available().map_or(Room::Much, |bytes| memory_room(bytes, least))
            });
        }
        let waits = self.begun.is_some_and(|begun| now < begun + EVERY);
        match (self.memory, self.load) {
            (Room::None, _) => Gate::One(Obstacle::Memory),
            (_, Room::None) => Gate::One(Obstacle::Load),
            (Room::Little, _) if waits => Gate::One(Obstacle::Memory),
            (_, Room::Little) if waits => Gate::One(Obstacle::Load),
            _ => Gate::Open,
        }
    }

    /// A task has begun.
    pub(super) fn begun(&mut self, now: Duration) {
        self.begun = Some(now);
    }

    /// When to look again, if a limit is set.
    pub(super) fn due(&self) -> Option<Duration> {
        self.looked.map(|looked| looked + EVERY)
    }
}

fn room_of(load: Option<f64>, most: f64) -> Room {
    match load {
        Some(load) if load >= most => Room::None,
        Some(load) if load >= most / 2.0 => Room::Little,
        Some(_) | None => Room::Much,
    }
}

fn memory_room(available: u64, least: u64) -> Room {
    if available < least {
        Room::None
    } else if available < least.saturating_mul(2) {
        Room::Little
    } else {
        Room::Much
    }
}

/// The load of the last minute.
#[cfg(target_os = "linux")]
fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// How many bytes of memory are available without swapping (`MemAvailable`).
#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// This system does not tell in a file.
#[cfg(not(target_os = "linux"))]
fn load() -> Option<f64> {
    None
}

/// This system does not tell in a file.
#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_a_limit_there_is_little_room_and_beyond_it_none() {
        for (load, room) in [(3.9, Room::Much), (4.0, Room::Little), (8.0, Room::None)] {
            assert_eq!(room_of(Some(load), 8.0), room, "{load}");
        }
        for (bytes, room) in [(99, Room::None), (100, Room::Little), (200, Room::Much)] {
            assert_eq!(memory_room(bytes, 100), room, "{bytes}");
        }
    }

    #[test]
    fn with_little_room_one_task_begins_a_second() {
        let mut pressure = Pressure::new(Limits {
            load: Some(1.0),
            memory: None,
        });
        let at = Duration::from_millis;
        pressure.looked = Some(at(0));
        pressure.load = Room::Little;
        assert_eq!(pressure.gate(at(10)), Gate::Open);
        pressure.begun(at(10));
        assert_eq!(pressure.gate(at(20)), Gate::One(Obstacle::Load));
    }
}
