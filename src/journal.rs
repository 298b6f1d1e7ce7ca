//! The journal: what progrun remembers of ended runs, for `progrun history` and for the time left of later runs of the
//! same work.
//!
//! It is one file, `history.jsonl` in the folder for state, with one JSON line a run. `record` knows the names in a
//! line, `work` which runs do the same, and `file` how several runs share the file. `sink/journal.rs` makes the records.
//! Nothing here knows a terminal or a bar. The environment of a run is never in the journal.

mod backward;
mod file;
mod record;
mod work;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::eta::{self, Past};
use crate::places::state_folder;

use self::backward::backward;

pub(crate) use self::file::Unkept;
pub(crate) use self::record::{Amounts, Record, Tasks, rounded};
pub(crate) use self::work::{Form, Key, Work};

/// A run that is over sooner is not worth a line, and has no use for those of others.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);
/// How much of the end of the file is looked at for earlier runs: more than it ever holds.
const DEPTH: u64 = 16 * 1024 * 1024;
/// How long that may take. No frame may be late by more than the eye sees.
const PATIENCE: Duration = Duration::from_millis(40);
/// How many runs of the same work are looked at to find enough that completed.
const LOOK: usize = 50;

/// The journal of a user.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// That of the user who runs us; none if the environment names no home. Touches no file.
    #[must_use]
    pub(crate) fn of_user() -> Option<Self> {
        state_folder().map(|folder| Self::at(folder.join("history.jsonl")))
    }

    /// The one in this file, which need not exist.
    #[must_use]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its file.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a run.
    ///
    /// # Errors
    /// If the line could not be written. The sentence is for the file that is there; that there is no place for one,
    /// as in a container, is no error.
    pub(crate) fn add(&self, record: &Record) -> Result<(), Unkept> {
        file::append(&self.path, record.to_line().as_bytes())
    }

    /// The latest completed runs of this work, newest first. What cannot be read is not there.
    #[must_use]
    fn past(&self, work: &Work) -> Vec<Past> {
        let Some(file) = file::open_to_read(&self.path).ok().flatten() else {
            return Vec::new();
        };
        past_in(&file, work)
    }

    /// All runs, oldest first, each with its line as it is in the file.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub(crate) fn all(&self) -> std::io::Result<Vec<(String, Record)>> {
        let mut runs = Vec::new();
        if self.path.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        if let Some(file) = file::open_to_read(&self.path)? {
            backward(&file, u64::MAX, |line| {
                if let Some(record) = Record::of_line(line) {
                    let line = String::from_utf8_lossy(line).into_owned();
                    runs.push((line, record));
                }
                ControlFlow::Continue(())
            })?;
        }
        runs.reverse();
        Ok(runs)
    }

    /// Removes the runs that `is_to_go` names, and damaged lines. Says how many runs went.
    ///
    /// # Errors
    /// If the file is there and cannot be written anew.
    pub(crate) fn forget(&self, is_to_go: impl Fn(&Record) -> bool) -> std::io::Result<usize> {
        let mut gone = 0;
        file::rewrite(&self.path, |line| {
            let record = Record::of_line(line);
            let goes = record.as_ref().is_some_and(&is_to_go);
            gone += usize::from(goes);
            record.is_some() && !goes
        })?;
        Ok(gone)
    }
}

/// What a run remembers: the journal, and which of the runs in it did the same. It is a value, so that a sink in another
/// process than that of the run can have one, too.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    journal: Journal,
    work: Work,
}

impl Memory {
    /// That of a run of this work.
    #[must_use]
    pub(crate) fn new(journal: Journal, work: Work) -> Self {
        Self { journal, work }
    }

    /// The journal.
    #[must_use]
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The work.
    #[must_use]
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// The latest completed runs of the work, newest first. Reads the journal.
    #[must_use]
    pub(crate) fn past(&self) -> Vec<Past> {
        self.journal.past(&self.work)
    }
}

fn past_in(file: &File, work: &Work) -> Vec<Past> {
    let known_by = work.known_by();
    let until = Instant::now() + PATIENCE;
    let mut seen = 0;
    let mut past = Vec::new();
    // The key is looked for in the bytes first: to parse every line of a full journal would take too long.
    let _ = backward(file, DEPTH, |line| {
        if known_by.may_be(line)
            && let Some(record) = Record::of_line(line)
            && record.is_of(&known_by)
        {
            seen += 1;
            past.extend(record.past());
        }
        if past.len() >= eta::MOST || seen >= LOOK || Instant::now() > until {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    past
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::State;
    use std::fs;
    use std::io::Write;
    use std::time::SystemTime;

    fn work(command: &str) -> Work {
        Work::new(Form::Run, vec![command.into()], None).in_folder(Path::new("/srv"))
    }

    fn record(command: &str, seconds: u64, state: State) -> Record {
        let ended = (Duration::from_secs(seconds), state);
        Record::new(&work(command), command, SystemTime::UNIX_EPOCH, ended)
    }

    fn seconds(journal: &Journal, command: &str) -> Vec<u64> {
        let past = journal.past(&work(command));
        past.iter().map(|past| past.duration.as_secs()).collect()
    }

    #[test]
    fn the_completed_runs_of_a_work_are_found_newest_first_among_others_and_damaged_lines() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::at(root.path().join("history.jsonl"));
        assert_eq!(seconds(&journal, "a"), [0; 0]);
        for number in 1..=12 {
            journal.add(&record("a", number, State::Completed)).unwrap();
            journal.add(&record("a", 100, State::Failed)).unwrap();
            journal.add(&record("b", 200, State::Completed)).unwrap();
            let mut file = fs::OpenOptions::new()
                .append(true)
                .open(journal.path())
                .unwrap();
            file.write_all(b"{\"time\":\n\xff\0\n").unwrap();
        }
        assert_eq!(seconds(&journal, "a"), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(journal.all().unwrap().len(), 36);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_rest_stays() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::at(root.path().join("history.jsonl"));
        assert_eq!(journal.forget(|_| true).unwrap(), 0);
        for command in ["a", "b", "a"] {
            journal.add(&record(command, 1, State::Completed)).unwrap();
        }
        assert_eq!(journal.forget(|record| record.name == "a").unwrap(), 2);
        let names: Vec<_> = journal
            .all()
            .unwrap()
            .into_iter()
            .map(|(_, run)| run.name)
            .collect();
        assert_eq!(names, ["b"]);
    }
}
