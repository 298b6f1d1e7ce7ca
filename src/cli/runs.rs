//! The runs of this user: finds them, asks how they are, and picks the one that is meant.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::client;
use crate::detached::{self, Record};
use crate::sink::escape;
use crate::socket::{self, Found};
use crate::system::life;
use crate::wire::Status;

/// How long all runs together have to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a run that is about to end is looked at.
const SOON: Duration = Duration::from_millis(5);
/// How long a run has to take a connection. It does not wait for anything else before.
const CONNECT: Duration = Duration::from_millis(100);

/// A run that is there.
#[derive(Debug)]
pub(super) struct LiveRun {
    /// The number of its process.
    pub(super) pid: i32,
    /// Its socket.
    pub(super) path: PathBuf,
    /// How it is, as a line; none: it does not answer.
    answer: Option<String>,
    record: Option<Record>,
}

impl LiveRun {
    /// How it is; none if it does not answer.
    pub(super) fn status(&self) -> Option<Status<'_>> {
        Status::read(self.answer.as_deref()?)
    }

    /// Whether that is its name. One that does not answer is known by name only if it is away from its terminal.
    fn is_called(&self, word: &str) -> bool {
        match (self.status(), &self.record) {
            (Some(status), _) => status.name == word,
            (None, Some(record)) => record.name == word,
            (None, None) => false,
        }
    }

    /// What is kept of it, if it does not answer and is away from its terminal.
    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// The line with which it answered.
    pub(super) fn answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }
}

/// A run that was asked.
struct Asked {
    found: Found,
    stream: UnixStream,
    read: Vec<u8>,
    is_complete: bool,
}

/// All runs, by their numbers. Complains of folders that could not be looked into.
pub(super) fn all() -> Vec<LiveRun> {
    let (found, suspects) = socket::runs();
    for suspect in suspects {
        super::complain(&suspect.to_string());
    }
    let mut asked: Vec<_> = found.into_iter().filter_map(ask).collect();
    let until = Instant::now() + PATIENCE;
    while read(&mut asked, until) {}
    let mut runs: Vec<_> = asked
        .into_iter()
        .filter_map(|asked| {
            let Asked { found, read, .. } = asked;
            let line = String::from_utf8_lossy(&read).trim_end().to_owned();
            if !asked.is_complete {
                let mut records = detached::records().into_iter();
                return Some(LiveRun {
                    pid: found.pid,
                    path: found.path,
                    answer: None,
                    record: records.find(|it| it.pid == found.pid && it.is_running()),
                });
            }
            // One that has ended meanwhile says nothing, and an older progrun takes the request for a report.
            let pid = Status::read(&line)?.pid;
            Some(LiveRun {
                pid,
                path: found.path,
                answer: Some(line),
                record: None,
            })
        })
        .collect();
    runs.sort_by_key(|run| run.pid);
    runs
}

/// Asks a run; none if it is over.
fn ask(found: Found) -> Option<Asked> {
    let mut stream = socket::connect(&found.path, CONNECT).ok()?;
    stream.write_all(b"?status\n").ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(Asked {
        found,
        stream,
        read: Vec::new(),
        is_complete: false,
    })
}

/// Reads what the runs say; false when all have answered, or time is over.
fn read(asked: &mut [Asked], until: Instant) -> bool {
    // A run that is stopped does not answer, however long it is waited for.
    let waits = |run: &&mut Asked| !run.is_complete && !life::is_stopped(run.found.pid);
    let mut open: Vec<_> = asked.iter_mut().filter(waits).collect();
    let left = until.saturating_duration_since(Instant::now());
    if open.is_empty() || left.is_zero() {
        return false;
    }
    let mut polled: Vec<_> = open
        .iter()
        .map(|run| PollFd::new(&run.stream, PollFlags::IN))
        .collect();
    let timeout = Timespec::try_from(left).unwrap_or_default();
    if poll(&mut polled, Some(&timeout)).is_err() {
        return true;
    }
    drop(polled);
    let mut buffer = [0; 4096];
    for run in &mut open {
        loop {
            match run.stream.read(&mut buffer) {
                Ok(0) => run.is_complete = true,
                Ok(count) => {
                    run.read.extend_from_slice(&buffer[..count]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => run.is_complete = true,
            }
            break;
        }
    }
    true
}

/// A run that the user means.
pub(super) enum Meant<'a> {
    /// It is there.
    Live(&'a LiveRun),
    /// It was away from its terminal, and is over.
    Over(Box<Record>),
}

/// The run that is meant by a number or a name. A number comes before a name, and a run that is there before one that is
/// over.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn find_any<'a>(runs: &'a [LiveRun], word: &str) -> Result<Meant<'a>, String> {
    if let Ok(number) = word.parse::<i32>() {
        if let Some(run) = runs.iter().find(|run| run.pid == number) {
            return Ok(Meant::Live(run));
        }
        if let Some(record) = settled(number) {
            return Ok(Meant::Over(Box::new(record)));
        }
    }
    find(runs, word).map(Meant::Live).or_else(|sentence| {
        if runs.iter().any(|run| run.is_called(word)) {
            return Err(sentence);
        }
        let mut records = detached::records().into_iter();
        let named = records.find(|record| record.name == word);
        let over = named.and_then(|record| {
            if record.is_of_here() {
                settled(record.pid)
            } else {
                Some(record)
            }
        });
        over.map(|record| Meant::Over(Box::new(record)))
            .ok_or(sentence)
    })
}

/// The record of a run away from its terminal that answers no more. It may have some words to say at its end: how it
/// ended is known when its process is gone.
pub(super) fn settled(pid: i32) -> Option<Record> {
    loop {
        if !detached::record_of(pid)?.is_running() {
            // Its last line may have come between these two looks.
            return detached::record_of(pid);
        }
        thread::sleep(SOON);
    }
}

/// The runs away from their terminals that are over, the last one first.
pub(super) fn ended() -> Vec<Record> {
    let mut records = detached::records();
    records.retain(|record| !record.is_running());
    records
}

/// The run that is meant by a number or a name, which is there.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn find<'a>(runs: &'a [LiveRun], word: &str) -> Result<&'a LiveRun, String> {
    if let Ok(number) = word.parse::<i32>()
        && let Some(run) = runs.iter().find(|run| run.pid == number)
    {
        return Ok(run);
    }
    let called: Vec<_> = runs.iter().filter(|run| run.is_called(word)).collect();
    match called[..] {
        [run] => Ok(run),
        [] => Err(format!("there is no run {word} (see progrun ps)")),
        _ => Err(format!(
            "{} runs are called {word}: name one by its number, {}",
            called.len(),
            numbers(&called)
        )),
    }
}

/// The only run there is; that inside which others were started is one with them.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn only(runs: &[LiveRun]) -> Result<&LiveRun, String> {
    let outermost: Vec<_> = runs
        .iter()
        .filter(|run| parent(runs, run).is_none())
        .collect();
    match outermost[..] {
        [run] => Ok(run),
        [] => Err("there is no run (see progrun ps --all)".to_owned()),
        _ => Err(format!(
            "there are {} runs: name one by its number, {}, or by its name",
            outermost.len(),
            numbers(&outermost)
        )),
    }
}

/// The run inside which this one was started, if it is still there.
pub(super) fn parent<'a>(runs: &'a [LiveRun], run: &LiveRun) -> Option<&'a LiveRun> {
    let parent = run.status()?.parent?;
    runs.iter()
        .find(|other| other.pid == parent && other.pid != run.pid)
}

/// Whether this process is itself part of a run: to wait for its end would never end, and to show what it prints would
/// print it again.
pub(super) fn are_we_in(runs: &[LiveRun], run: &LiveRun) -> bool {
    let ours = std::env::var_os(client::SOCKET);
    let ours = ours.and_then(|path| socket::owner(Path::new(&path)));
    let ours = runs.iter().find(|other| Some(other.pid) == ours);
    // No chain of runs is longer than this: a number that was used again could make a circle.
    let chain = std::iter::successors(ours, |inner| parent(runs, inner)).take(runs.len());
    chain.into_iter().any(|outer| outer.pid == run.pid)
}

fn numbers(runs: &[&LiveRun]) -> String {
    let numbers = runs.iter().map(|run| match run.status() {
        Some(status) => format!("{} ({})", run.pid, escape(&status.name)),
        None => run.pid.to_string(),
    });
    let mut numbers: Vec<_> = numbers.collect();
    let last = numbers.pop().unwrap_or_default();
    if numbers.is_empty() {
        last
    } else {
        format!("{} or {last}", numbers.join(", "))
    }
}
