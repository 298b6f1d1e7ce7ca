//! What is kept of runs that have left their terminal (`--detach`), in the user's folder for state: a record of each,
//! and its output.
//!
//! A run has files that begin alike, with the time of its beginning and its process number:
//!
//! ```text
//! 1795828113123-4242.json     the record: a line when it begins, and one when it has ended
//! 1795828113123-4242.out      the first mebibyte of its output
//! 1795828113123-4242.out.7    a piece of the rest: only the last two pieces are there
//! ```
//!
//! All of it can be read while the run goes on, and after it was killed. The folder may be shared with other machines, as
//! on a cluster, and with containers: of a run there it cannot be seen from here whether it goes on. Knows neither how a
//! run leaves its terminal nor how it is found while it runs.

mod keeper;
mod output;
mod record;
mod store;
mod tidy;

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::event::{Ending, FinalState};
use crate::places;
use crate::reason::reason;
use crate::system::{boot, life, machine};

use self::keeper::Keeper;
use self::record::Writer;
use self::store::Store;

pub(crate) use self::output::Output;

/// The mode of the files: they hold what a command printed.
const PRIVATE: u32 = 0o600;

/// A run that has left its terminal, now or earlier.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its process number, by which the user knows it.
    pub(crate) pid: i32,
    /// When it began.
    pub(crate) began: SystemTime,
    /// The name of the run.
    pub(crate) name: String,
    /// The command, each word as it can be shown: bytes that are not UTF-8 are replaced.
    pub(crate) command: Vec<String>,
    /// The directory in which it was started.
    pub(crate) directory: PathBuf,
    /// How it ended; none while it runs, and if it was killed or the machine went down.
    pub(crate) end: Option<End>,
    /// What it printed.
    pub(crate) output: Output,
    /// When its process began, in ticks since the machine did.
    ticks: Option<u64>,
    origin: Origin,
}

/// Where a run was started: what its process number means depends on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Origin {
    /// Which start of the machine it was; none where the system does not tell.
    boot_id: Option<String>,
    #[serde(default)]
    machine: Option<String>,
    /// The name of the host; none in a record of an older progrun, which is taken for one of this machine.
    #[serde(default)]
    host: Option<String>,
    /// The namespace of process numbers.
    #[serde(default)]
    namespace: Option<String>,
}

impl Origin {
    /// Where this process is.
    fn here() -> Self {
        Self {
            boot_id: boot::id(),
            machine: machine::id(),
            host: Some(machine::host()),
            namespace: machine::namespace(),
        }
    }

    /// Whether a process that was started there is seen from `here`, or is gone because this machine was started anew.
    /// Containers of one image may have the same machine id, so the name of the host counts, too.
    fn is_seen_from(&self, here: &Self) -> bool {
        if self.host.is_none() {
            return true;
        }
        if self.boot_id.is_some() && self.boot_id == here.boot_id {
            return self.namespace == here.namespace;
        }
        (&self.machine, &self.host) == (&here.machine, &here.host)
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// Completed, failed or cancelled.
    pub(crate) state: FinalState,
    /// How progrun ended.
    pub(crate) ending: Ending,
    /// How long the run took.
    pub(crate) elapsed: Duration,
    /// What kept some of the output from being kept, such as a full disk.
    pub(crate) lost: Option<String>,
}

impl Record {
    /// Whether the run goes on here. If it does not, there is no end, and it is not [`elsewhere`](Self::elsewhere), it was
    /// killed, or the machine went down.
    #[must_use]
    pub(crate) fn is_running(&self) -> bool {
        self.end.is_none() && self.has_process()
    }

    /// Whether its process is there, which calls the command of `--on-end` when the run is over.
    #[must_use]
    pub(crate) fn has_process(&self) -> bool {
        let here = Origin::here();
        self.origin.boot_id == here.boot_id
            && self.origin.is_seen_from(&here)
            && life::began(self.pid).is_some_and(|ticks| self.ticks == Some(ticks))
    }

    /// Whether it was started on this machine, and not in another container.
    #[must_use]
    pub(crate) fn is_of_here(&self) -> bool {
        self.origin.is_seen_from(&Origin::here())
    }

    /// The name of the host on which the run was started, if it may go on there: its end is not known, and its process
    /// cannot be seen from here.
    #[must_use]
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        let host = self.origin.host.as_deref()?;
        (self.end.is_none() && !self.is_of_here()).then_some(host)
    }
}

/// The last run of this number: one that was started here, or else one of elsewhere.
#[must_use]
pub(crate) fn record_of(pid: i32) -> Option<Record> {
    let mut records = records();
    records.retain(|record| record.pid == pid);
    records
        .into_iter()
        .min_by_key(|record| !record.is_of_here())
}

/// The records of all runs, those that began last first. One that cannot be read is left out.
#[must_use]
pub(crate) fn records() -> Vec<Record> {
    folder().map_or(Vec::new(), |folder| records_in(&folder))
}

fn records_in(folder: &Path) -> Vec<Record> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_record = |path: &PathBuf| path.extension().is_some_and(|it| it == "json");
    let mut paths: Vec<_> = paths.filter(is_record).collect();
    paths.sort_unstable_by(|one, other| other.cmp(one));
    paths.iter().filter_map(|path| record::read(path)).collect()
}

fn folder() -> Option<PathBuf> {
    places::state_folder().map(|state| state.join("detached"))
}

/// What is being kept of this run.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The path of its files, without what follows the first dot.
    base: PathBuf,
    record: Writer,
    keeper: Keeper,
}

impl Keeping {
    /// Begins to keep this run, which is this process. Removes what is kept of runs that ended long ago.
    ///
    /// # Errors
    /// If there is no place for it: a sentence with the place, and how to name another one.
    pub(crate) fn begin(name: &str, command: &[OsString]) -> Result<Self, String> {
        let folder = folder().ok_or(
            "--detach: there is no folder for the output: set HOME or XDG_STATE_HOME to an absolute path",
        )?;
        Self::begin_in(&folder, name, command).map_err(|error| {
            format!(
                "--detach: cannot keep the output in {}: {} (XDG_STATE_HOME names another place)",
                folder.display(),
                reason(&error)
            )
        })
    }

    fn begin_in(folder: &Path, name: &str, command: &[OsString]) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        tidy::tidy(folder);
        let began = SystemTime::now();
        let since = began.duration_since(SystemTime::UNIX_EPOCH);
        let number = std::process::id();
        // Thirteen digits until the year 2286: the names are in the order of time.
        let stem = format!("{:013}-{number}", since.unwrap_or_default().as_millis());
        let base = folder.join(stem);
        let record = Writer::begin(&base, began, name, command)?;
        let keeper = Keeper::start(Store::new(&base)?)?;
        Ok(Self {
            base,
            record,
            keeper,
        })
    }

    /// Where the output is to be written.
    pub(crate) fn place(&self) -> std::os::fd::BorrowedFd<'_> {
        self.keeper.place()
    }

    /// The run is over. Keeps that, after all that it has printed: to a process that reads the record, nothing is to
    /// come.
    pub(crate) fn end(&mut self, state: FinalState, ending: Ending, elapsed: Duration) {
        let lost = self.keeper.settle();
        self.record.end(&End {
            state,
            ending,
            elapsed,
            lost,
        });
    }

    /// Keeps what was printed after the end, as by the command of `--on-end`. Our stdout and stderr go nowhere from then
    /// on.
    pub(crate) fn close(self) {
        self.keeper.finish();
    }

    /// Keeps nothing of it: it could not begin. Our stdout and stderr go nowhere from then on.
    pub(crate) fn forget(self) {
        self.keeper.finish();
        tidy::remove(&self.base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_an_end_is_of_a_run_that_goes_on_or_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let command = ["make", "all"].map(OsString::from);
        let mut keeping = Keeping::begin_in(folder.path(), "make", &command).unwrap();
        let [record] = &records_in(folder.path())[..] else {
            panic!("there is one run");
        };
        assert_eq!(record.name, "make");
        assert_eq!(record.command, ["make", "all"]);
        assert_eq!(record.directory, std::env::current_dir().unwrap());
        assert_eq!(record.end, None);
        assert!(record.is_running());
        let of_another_process = Record {
            ticks: record.ticks.map(|ticks| ticks - 1),
            ..record.clone()
        };
        assert!(!of_another_process.is_running());
        let of = |change: &dyn Fn(&mut Origin)| {
            let mut record = record.clone();
            change(&mut record.origin);
            (record.is_running(), record.elsewhere().map(str::to_owned))
        };
        let other = || Some("other".to_owned());
        assert_eq!(of(&|_| ()), (true, None));
        // The machine was started anew: the run is over.
        assert_eq!(of(&|it| it.boot_id = other()), (false, None));
        let on_another_host = |it: &mut Origin| (it.boot_id, it.host) = (other(), other());
        assert_eq!(of(&on_another_host), (false, other()));
        let on_another_machine = |it: &mut Origin| (it.boot_id, it.machine) = (other(), other());
        assert_eq!(of(&on_another_machine), (false, record.origin.host.clone()));
        let in_a_container = |it: &mut Origin| (it.namespace, it.host) = (other(), other());
        assert_eq!(of(&in_a_container), (false, other()));
        // An older progrun says less.
        let boot_id = record.origin.boot_id.clone();
        let of_older = |it: &mut Origin| {
            *it = Origin {
                boot_id: boot_id.clone(),
                ..Origin::default()
            };
        };
        assert_eq!(of(&of_older), (true, None));
        let elapsed = Duration::from_millis(1500);
        keeping.record.end(&End {
            state: FinalState::Cancelled,
            ending: Ending::Signal(15),
            elapsed,
            lost: None,
        });
        let record = records_in(folder.path()).remove(0);
        assert!(!record.is_running());
        let end = End {
            state: FinalState::Cancelled,
            ending: Ending::Signal(15),
            elapsed,
            lost: None,
        };
        assert_eq!(record.end, Some(end));
    }
}
