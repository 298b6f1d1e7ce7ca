//! The record of a run as a file: two lines of JSON. The first is written when the run begins, the second when it has
//! ended.
//!
//! The end is appended, and not written to a new file in place of the old one: on a full disk there is no room for a new
//! file, but in the block of the first line there is.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::fcntl_dupfd_cloexec;
use serde::{Deserialize, Serialize};

use crate::event::{Ending, signal_name, signal_number};
use crate::system::life;
use crate::wire::State;

use super::output::Output;
use super::{End, Origin, PRIVATE, Record};

/// The newest version of the records that is known here.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct First {
    version: u32,
    pid: i32,
    /// When the process began, in ticks since the machine did.
    ticks: Option<u64>,
    #[serde(flatten)]
    origin: Origin,
    time: String,
    name: String,
    command: Vec<String>,
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Last {
    time: String,
    elapsed: f64,
    state: State,
    exit_status: Option<i32>,
    signal: Option<String>,
    #[serde(default)]
    lost: Option<String>,
}

/// A record that waits for its end.
#[derive(Debug)]
pub(super) struct Writer(File);

impl Writer {
    /// Writes the first line, about this process.
    pub(super) fn begin(
        base: &Path,
        began: SystemTime,
        name: &str,
        command: &[OsString],
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(PRIVATE)
            .open(base.with_extension("json"))?;
        // Away from the numbers that are the command's.
        let mut file = File::from(fcntl_dupfd_cloexec(file, 10)?);
        let pid = rustix::process::getpid().as_raw_pid();
        let first = First {
            version: VERSION,
            pid,
            ticks: life::began(pid),
            origin: Origin::here(),
            time: humantime::format_rfc3339_millis(began).to_string(),
            name: name.to_owned(),
            command: command
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
            // Where it cannot be told, or not in JSON, it is empty.
            directory: std::env::current_dir()
                .ok()
                .filter(|folder| folder.to_str().is_some())
                .unwrap_or_default(),
        };
        write_line(&mut file, &first)?;
        Ok(Self(file))
    }

    /// Writes the last line.
    pub(super) fn end(&mut self, end: &End) {
        let (exit_status, signal) = match end.ending {
            Ending::Status(status) => (Some(status), None),
            Ending::Signal(signal) => (None, Some(signal_name(signal))),
        };
        let last = Last {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            elapsed: end.elapsed.as_secs_f64(),
            state: end.state.into(),
            exit_status,
            signal,
            lost: end.lost.clone(),
        };
        // Without this line, the run counts as one that was killed. There is no user to tell that to.
        let _ = write_line(&mut self.0, &last);
    }
}

fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// Reads the record in this file; none if it is not one.
pub(super) fn read(path: &Path) -> Option<Record> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    let first: First = serde_json::from_str(lines.next()?).ok()?;
    if first.version > VERSION {
        return None;
    }
    let end = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    Some(Record {
        pid: first.pid,
        began: humantime::parse_rfc3339(&first.time).ok()?,
        origin: first.origin,
        name: first.name,
        command: first.command,
        directory: first.directory,
        end: end.and_then(end_of),
        output: Output::of(&path.with_extension("")),
        ticks: first.ticks,
    })
}

fn end_of(last: Last) -> Option<End> {
    Some(End {
        state: last.state.of_end()?,
        ending: match (last.exit_status, &last.signal) {
            (Some(status), _) => Ending::Status(status),
            (None, Some(name)) => Ending::Signal(signal_number(name)?),
            (None, None) => return None,
        },
        elapsed: Duration::try_from_secs_f64(last.elapsed).ok()?,
        lost: last.lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FinalState;

    fn read(text: &str) -> Option<Record> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1-2.json");
        fs::write(&path, text).unwrap();
        super::read(&path)
    }

    const FIRST: &str = r#"{"version":1,"pid":2,"ticks":3,"boot_id":"b","time":"2026-11-28T01:08:33.123Z","name":"x","command":["x"],"directory":"/"}"#;

    #[test]
    fn a_damaged_end_is_none_and_a_damaged_beginning_is_no_record() {
        let end = r#"{"time":"2026-11-28T01:08:34.123Z","elapsed":1.5,"state":"failed","exit_status":3,"signal":null}"#;
        let record = read(&format!("{FIRST}\n{end}\n")).unwrap();
        let elapsed = Duration::from_millis(1500);
        assert_eq!(
            record.end,
            Some(End {
                state: FinalState::Failed,
                ending: Ending::Status(3),
                elapsed,
                lost: None,
            })
        );
        for half in [format!("{FIRST}\n{}", &end[..40]), format!("{FIRST}\n")] {
            assert_eq!(read(&half).unwrap().end, None, "{half}");
        }
        assert!(read(&FIRST[..40]).is_none());
        assert!(read("").is_none());
        assert!(read(&FIRST.replace("\"version\":1", "\"version\":2")).is_none());
    }
}
