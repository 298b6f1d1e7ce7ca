//! The runs of this user: finds them, asks how they are, and picks the one that is meant.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::client;
use crate::detached::{self, Record};
use crate::sink::escape;
use crate::socket::{self, Found, Suspect};
use crate::system::life;
use crate::wire::Status;

use super::known::Known;

/// How long all runs together have to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a run that is about to end is looked at, and for how long.
const SOON: Duration = Duration::from_millis(5);
const ENDING: Duration = Duration::from_secs(1);
/// How often one is looked at that does not end soon.
const SELDOM: Duration = Duration::from_millis(200);
/// How much is read of an answer.
const LONGEST: usize = 1024 * 1024;
/// How long a run has to take a connection. It does not wait for anything else before.
const CONNECT: Duration = Duration::from_millis(100);

/// A run that is there.
#[derive(Debug)]
pub(super) struct LiveRun {
    /// The number of its process.
    pub(super) pid: i32,
    /// Its socket.
    pub(super) path: PathBuf,
    /// What it says of itself.
    pub(super) answer: Answer,
}

/// What a run says when it is asked how it is.
#[derive(Debug)]
pub(super) enum Answer {
    /// How it is, as a line.
    Line(String),
    /// Nothing. This is known all the same.
    Silence(Known),
}

impl LiveRun {
    /// How it says that it is; none if it does not answer.
    pub(super) fn status(&self) -> Option<Status<'_>> {
        match &self.answer {
            Answer::Line(line) => Status::read(line),
            Answer::Silence(_) => None,
        }
    }

    /// Whether it was asked, and did not answer.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.answer, Answer::Silence(_))
    }

    /// Whether it has removed its socket, as it does at its end. One that was killed leaves it.
    pub(super) fn has_left(&self) -> bool {
        !self.path.exists()
    }

    /// Its name, if that is known.
    pub(super) fn name(&self) -> Option<String> {
        match &self.answer {
            Answer::Line(line) => Some(Status::read(line)?.name.into_owned()),
            Answer::Silence(known) => known.name().map(str::to_owned),
        }
    }

    fn is_called(&self, word: &str) -> bool {
        self.name().is_some_and(|name| name == word)
    }

    /// The number of the run inside which it was started.
    fn parent(&self) -> Option<i32> {
        match &self.answer {
            Answer::Line(line) => Status::read(line)?.parent,
            Answer::Silence(known) => known.parent(),
        }
    }
}

/// The runs that are there, by their numbers.
#[derive(Debug)]
pub(super) struct Runs {
    runs: Vec<LiveRun>,
    /// The folders that could not be looked into, until the user is told.
    suspects: RefCell<Vec<Suspect>>,
}

impl Runs {
    /// Tells the user, once, of the folders that could not be looked into. That is of no interest to one who wants a run
    /// that was found elsewhere.
    pub(super) fn tell_suspects(&self) {
        for suspect in self.suspects.take() {
            super::complain(&suspect.to_string());
        }
    }
}

impl Deref for Runs {
    type Target = [LiveRun];

    fn deref(&self) -> &[LiveRun] {
        &self.runs
    }
}

/// A run that was asked, or could not be.
struct Asked {
    found: Found,
    /// None: it takes no connection.
    stream: Option<UnixStream>,
    read: Vec<u8>,
    is_complete: bool,
}

/// All runs.
pub(super) fn all() -> Runs {
    let (found, suspects) = socket::runs();
    let mut asked: Vec<_> = found.into_iter().filter_map(ask).collect();
    let until = Instant::now() + PATIENCE;
    while read(&mut asked, until) {}
    let mut runs: Vec<_> = asked.into_iter().filter_map(live).collect();
    runs.sort_by_key(|run| run.pid);
    Runs {
        runs,
        suspects: RefCell::new(suspects),
    }
}

/// Asks a run; none if it is over.
fn ask(found: Found) -> Option<Asked> {
    let connect = || {
        let mut stream = socket::connect(&found.path, CONNECT)?;
        stream.write_all(b"?status\n")?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    // A connection that is closed stays in the queue of a run that is stopped, until that is full.
    let asked: io::Result<_> = if life::is_stopped(found.pid) {
        Err(ErrorKind::WouldBlock.into())
    } else {
        connect()
    };
    let stream = match asked {
        Ok(stream) => Some(stream),
        Err(error) if is_end(&error) => return None,
        Err(_) => None,
    };
    Some(Asked {
        found,
        stream,
        read: Vec::new(),
        is_complete: false,
    })
}

/// Whether a run that cannot be reached for this reason is over.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::BrokenPipe
    )
}

/// What is known of a run after it was asked; none if it is over.
fn live(asked: Asked) -> Option<LiveRun> {
    let found = asked.found;
    if asked.is_complete {
        let line = String::from_utf8_lossy(&asked.read).trim_end().to_owned();
        // One that has ended meanwhile says nothing, and an older progrun takes the request for a report.
        let pid = Status::read(&line)?.pid;
        return Some(LiveRun {
            pid,
            path: found.path,
            answer: Answer::Line(line),
        });
    }
    let record = detached::record_of(found.pid).filter(Record::is_running);
    let known = record.map_or_else(
        || {
            let listener = asked.stream.as_ref().and_then(socket::listener);
            Known::of_process(listener.or(Some(found.pid)), &found.path)
        },
        Known::of_record,
    );
    Some(LiveRun {
        pid: found.pid,
        path: found.path,
        answer: Answer::Silence(known),
    })
}

/// Reads what the runs say; false when all have answered, or time is over.
fn read(asked: &mut [Asked], until: Instant) -> bool {
    // A run that is stopped does not answer, however long it is waited for.
    let waits = |run: &&mut Asked| {
        run.stream.is_some() && !run.is_complete && !life::is_stopped(run.found.pid)
    };
    let mut open: Vec<_> = asked.iter_mut().filter(waits).collect();
    let left = until.saturating_duration_since(Instant::now());
    if open.is_empty() || left.is_zero() {
        return false;
    }
    let mut polled: Vec<_> = open
        .iter()
        .filter_map(|run| Some(PollFd::new(run.stream.as_ref()?, PollFlags::IN)))
        .collect();
    let timeout = Timespec::try_from(left).unwrap_or_default();
    if poll(&mut polled, Some(&timeout)).is_err() {
        return true;
    }
    drop(polled);
    let mut buffer = [0; 4096];
    for run in &mut open {
        while let Some(stream) = &mut run.stream {
            match stream.read(&mut buffer) {
                Ok(0) => run.is_complete = true,
                Ok(_) if run.read.len() > LONGEST => run.is_complete = true,
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
    /// It is away from its terminal, and listens nowhere.
    Deaf(Box<Record>),
}

impl Meant<'_> {
    fn of(record: Record) -> Self {
        let record = Box::new(record);
        if record.is_running() {
            Self::Deaf(record)
        } else {
            Self::Over(record)
        }
    }
}

/// The run that is meant by a number or a name. A number comes before a name, and a run that is there before one that is
/// over.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn find_any<'a>(runs: &'a Runs, word: &str) -> Result<Meant<'a>, String> {
    if let Ok(number) = word.parse::<i32>() {
        if let Some(run) = runs.iter().find(|run| run.pid == number) {
            return Ok(Meant::Live(run));
        }
        if let Some(record) = settled(number) {
            return Ok(Meant::of(record));
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
        over.map(Meant::of).ok_or_else(|| {
            runs.tell_suspects();
            sentence
        })
    })
}

/// The record of a run away from its terminal that answers no more. It may be about to end, which takes a moment; after
/// that, it goes on all the same.
pub(super) fn settled(pid: i32) -> Option<Record> {
    settled_until(pid, Some(Instant::now() + ENDING))
}

/// The same, however long it takes.
pub(super) fn over(pid: i32) -> Option<Record> {
    settled_until(pid, None)
}

fn settled_until(pid: i32, until: Option<Instant>) -> Option<Record> {
    let mut pause = SOON;
    while detached::record_of(pid)?.is_running() && until.is_none_or(|until| Instant::now() < until)
    {
        thread::sleep(pause);
        pause = (pause * 2).min(SELDOM);
    }
    // Its last line may have come between the two looks.
    detached::record_of(pid)
}

/// The runs away from their terminals that go on and listen nowhere, because there was no folder for their sockets.
pub(super) fn deaf(runs: &[LiveRun]) -> Vec<LiveRun> {
    let records = detached::records().into_iter();
    let is_deaf =
        |record: &Record| record.is_running() && runs.iter().all(|run| run.pid != record.pid);
    let deaf = records.filter(is_deaf).map(|record| LiveRun {
        pid: record.pid,
        path: PathBuf::new(),
        answer: Answer::Silence(Known::of_record(record)),
    });
    deaf.collect()
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
fn find<'a>(runs: &'a [LiveRun], word: &str) -> Result<&'a LiveRun, String> {
    if let Ok(number) = word.parse::<i32>()
        && let Some(run) = runs.iter().find(|run| run.pid == number)
    {
        return Ok(run);
    }
    let called: Vec<_> = runs.iter().filter(|run| run.is_called(word)).collect();
    match called[..] {
        [run] => Ok(run),
        [] => Err(none(word)),
        _ => Err(format!(
            "{} runs are called {word}: name one by its number, {}",
            called.len(),
            numbers(&called)
        )),
    }
}

/// The sentence that no run is so called or has this number.
pub(super) fn none(word: impl Display) -> String {
    format!("there is no run '{word}' (progrun ps lists the runs)")
}

/// The only run there is; that inside which others were started is one with them.
///
/// # Errors
/// A sentence if there is none, or more than one.
pub(super) fn only(runs: &Runs) -> Result<&LiveRun, String> {
    let outermost: Vec<_> = runs
        .iter()
        .filter(|run| parent(runs.iter(), run).is_none())
        .collect();
    match outermost[..] {
        [run] => Ok(run),
        [] => {
            runs.tell_suspects();
            Err("there is no run now (progrun ps --all also lists those that are over, if they began with --detach)".to_owned())
        }
        _ => Err(format!(
            "there are {} runs: name one by its number, {}, or by its name",
            outermost.len(),
            numbers(&outermost)
        )),
    }
}

/// The run inside which this one was started, if it is still there.
pub(super) fn parent<'a>(
    mut runs: impl Iterator<Item = &'a LiveRun>,
    run: &LiveRun,
) -> Option<&'a LiveRun> {
    let parent = run.parent()?;
    runs.find(|other| other.pid == parent && other.pid != run.pid)
}

/// Whether this process is itself part of a run: to wait for its end would never end, and to show what it prints would
/// print it again.
pub(super) fn are_we_in(runs: &[LiveRun], run: &LiveRun) -> bool {
    let ours = std::env::var_os(client::SOCKET);
    let ours = ours.and_then(|path| socket::owner(Path::new(&path)));
    let ours = runs.iter().find(|other| Some(other.pid) == ours);
    // No chain of runs is longer than this: a number that was used again could make a circle.
    let chain = std::iter::successors(ours, |inner| parent(runs.iter(), inner)).take(runs.len());
    chain.into_iter().any(|outer| outer.pid == run.pid)
}

fn numbers(runs: &[&LiveRun]) -> String {
    let numbers = runs.iter().map(|run| match run.name() {
        Some(name) => format!("{} ({})", run.pid, escape(&name)),
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
