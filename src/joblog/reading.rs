//! The reading of a log, line by line: which task each record is about, and which words of it hold.
//!
//! Records name a task by its number, which holds within one run; its identity is in the record of its start. Keeps
//! only the running tasks, and those that ended in the last minute. Knows no file.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::wire::{Kind, Line, Reason, State};

use super::identity::Key;
use super::past::{Past, Word};

/// What a machine that goes down may not have written: the log is synced every second, other files after half a minute
/// or so.
const UNWRITTEN: Duration = Duration::from_mins(1);

/// The newest version of the records that is known here.
const VERSION: u32 = 1;

/// A log that is being read.
pub(super) struct Reading<'a> {
    past: &'a mut Past,
    /// The last run so far.
    run: Option<Run>,
    /// The tasks of that run that have started and not ended, by their numbers.
    open: HashMap<u64, Key>,
    /// The tasks that ended last, and when.
    recent: VecDeque<(SystemTime, Key)>,
    /// The latest time in the log.
    latest: SystemTime,
}

/// One run of the log.
pub(super) struct Run {
    /// The template of its commands; empty for a list of commands.
    pub(super) command: Vec<Vec<u8>>,
    boot: Option<String>,
    has_ended: bool,
}

/// Why a line cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no record, or stands where no such record can.
    NotARecord,
    /// A newer progrun wrote it, which means something else by its words.
    Newer,
}

impl<'a> Reading<'a> {
    /// A reading that tells `past`.
    pub(super) fn new(past: &'a mut Past) -> Self {
        Self {
            past,
            run: None,
            open: HashMap::new(),
            recent: VecDeque::new(),
            latest: SystemTime::UNIX_EPOCH,
        }
    }

    /// Takes in a line, without its end.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let line = std::str::from_utf8(line).map_err(|_| Fault::NotARecord)?;
        let Some(record) = Line::read(line) else {
            let is_known = self.run.is_some() && Line::is_of_newer(line);
            return if is_known {
                Ok(())
            } else {
                Err(Fault::NotARecord)
            };
        };
        if self.run.is_none() && record.event != Kind::Run {
            return Err(Fault::NotARecord);
        }
        let time = record.time.as_deref();
        let time = time.and_then(|time| humantime::parse_rfc3339(time).ok());
        match record.event {
            Kind::Run => self.begin(&record)?,
            Kind::Started => {
                let equals = self.past.identities.of_record(&record);
                let key = equals.nth(record.nth.unwrap_or(1));
                self.past.note(key, Word::Begun);
                self.open.insert(record.task, key);
            }
            Kind::Finished => self.finished(&record, time),
            Kind::Skipped if record.reason == Some(Reason::Dependency) => {
                let name = record.name.as_deref().unwrap_or_default();
                let key = self.past.identities.of_name(name).nth(1);
                self.past.note(key, Word::Skipped);
            }
            Kind::End => {
                if let Some(run) = &mut self.run {
                    run.has_ended = true;
                }
            }
            _ => {}
        }
        self.advance(time);
        Ok(())
    }

    /// The end of the log, which is read on the machine start `boot`. Gives its last run.
    pub(super) fn end(mut self, boot: Option<&str>) -> Option<Run> {
        self.forget_unwritten(boot);
        self.run
    }

    fn begin(&mut self, record: &Line<'_>) -> Result<(), Fault> {
        if record.version.is_some_and(|version| version > VERSION) {
            return Err(Fault::Newer);
        }
        let boot = record.boot_id.as_deref();
        self.forget_unwritten(boot);
        self.open.clear();
        let command = record.command().unwrap_or_default();
        self.run = Some(Run {
            command: command.into_iter().map(<[u8]>::to_vec).collect(),
            boot: boot.map(str::to_owned),
            has_ended: false,
        });
        Ok(())
    }

    fn finished(&mut self, record: &Line<'_>, time: Option<SystemTime>) {
        // Without its start, it is not known what it was: it runs again.
        let Some(key) = self.open.remove(&record.task) else {
            return;
        };
        let word = match record.state {
            _ if record.retry_in.is_some() => Word::Between,
            Some(State::Completed) => Word::Completed,
            Some(State::Failed | State::Lost) => Word::Failed,
            Some(State::Cancelled) => Word::Cancelled,
            _ => Word::Begun,
        };
        self.past.note(key, word);
        if let Some(time) = time {
            self.recent.push_back((time, key));
        }
    }

    fn advance(&mut self, time: Option<SystemTime>) {
        let Some(time) = time.filter(|time| *time > self.latest) else {
            return;
        };
        self.latest = time;
        let is_old = |(ended, _): &(SystemTime, Key)| *ended + UNWRITTEN < time;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
    }

    /// If the machine went down in the last run, and is `boot` now, its last tasks count as not ended.
    fn forget_unwritten(&mut self, boot: Option<&str>) {
        let before = self.run.as_ref().filter(|run| !run.has_ended);
        let before = before.and_then(|run| run.boot.as_deref());
        let went_down = before.zip(boot).is_some_and(|(before, now)| before != now);
        if went_down {
            for (time, key) in self.recent.drain(..) {
                if time + UNWRITTEN >= self.latest {
                    self.past.note(key, Word::Begun);
                }
            }
        }
    }
}
