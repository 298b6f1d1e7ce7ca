//! The loop of a watcher: shows the run of another process as that process shows it, until the run is over or the
//! watcher leaves.
//!
//! The events come over the socket of the run, and the same sinks show them. Nothing here asks anything of the run:
//! Ctrl-C, the end of the terminal and a reader that goes away only end the watching.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::dialect::{self, Selection};
use crate::event::{Ending, Event, What};
use crate::flow::Credit;
use crate::journal::{Form, Journal, Memory, Work};
use crate::sink::{Chosen, Display, Ends, Logs, Many, Progress, Show, Tty, choose};
use crate::socket;
use crate::system::handing;
use crate::system::signals::{Scope, stop_by};
use crate::wire::{self, Rule, Status};

use super::clock::Clock;
use super::inbox::{self, Inbox, Inputs};
use super::signals;
use super::sinks::Sinks;

/// How long the run has to answer at first.
const PATIENCE: Duration = Duration::from_secs(5);
/// If an event is older than that, the clock of the run has stood meanwhile.
const LATE: Duration = Duration::from_secs(1);
/// When the user is told that the run says nothing.
const SILENCE: Duration = Duration::from_secs(1);
/// How long the last lines have to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much is read at once, and how long a line may be.
const READ: usize = 64 * 1024;
const LONGEST: usize = 64 * 1024 * 1024;
/// How much output may be under way to the terminal.
const UNDER_WAY: usize = 1024 * 1024;
/// How long the answer to a request may be.
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// How the watching ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attached {
    /// The run is over.
    Over {
        /// How it ended.
        ending: Ending,
        /// Whether it said what it is before that: otherwise nothing of it was shown.
        was_shown: bool,
    },
    /// The user left by this signal; or what was to be shown was not read any more (SIGPIPE).
    Left(i32),
    /// The run is gone, and has not said how it ended: it was killed.
    Gone,
}

/// How the run is shown here.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// How progress is shown.
    pub(crate) progress: Progress,
    /// Whether colors are used; none: as the terminal and the environment say.
    pub(crate) color: Option<bool>,
}

enum Input {
    Signal(i32),
    /// The run has said something.
    Said,
    /// What was to be shown cannot be written any more.
    Gone,
    Tick,
    Flushed,
}

/// The watching of one run.
struct Watch<'a> {
    look: &'a Look,
    stream: UnixStream,
    /// Where the run leaves at its end what was not read until then.
    rest: Option<File>,
    /// What was read and is no whole line yet.
    read: Vec<u8>,
    is_at_end: bool,
    inbox: Inbox<Input>,
    inputs: Inputs<Input>,
    /// None until the run has said what it is.
    sinks: Option<Sinks>,
    was_shown: bool,
    /// How much output was missed because the watcher was too slow, until that is told.
    missed: u64,
    over: Option<Ending>,
    /// How the user has left while something was written.
    left: Option<Attached>,
    /// Counts the output that is not written yet. While there is too much of it, nothing is read: what the run drops then
    /// is counted, and this process does not grow.
    credit: Credit,
    /// Called when the run has said nothing for a while; none once it was.
    on_silence: Option<&'a dyn Fn()>,
}

/// Shows the run behind this socket. `on_silence` is called once if the run does not answer soon: it may be stopped.
///
/// # Errors
/// If the run cannot be reached, or progrun itself cannot do its part.
pub(crate) fn attach(path: &Path, look: &Look, on_silence: &dyn Fn()) -> anyhow::Result<Attached> {
    let connect = |request: &str| {
        let mut stream = socket::connect(path, PATIENCE)?;
        stream.write_all(request.as_bytes())?;
        Ok::<_, std::io::Error>(stream)
    };
    let end = connect("?wait\n").context("cannot reach the run")?;
    let stream = match connect("?watch file\n") {
        Ok(stream) => stream,
        // It has ended meanwhile.
        Err(error) => {
            let was_shown = false;
            let over = ending(end).map(|ending| Attached::Over { ending, was_shown });
            return over.ok_or(error).context("cannot reach the run");
        }
    };
    stream.set_nonblocking(true)?;
    let (inbox, mut inputs) = inbox::open().context("cannot create a pipe")?;
    signals::open_mask();
    signals::hold();
    inputs.signals = signals::install(inbox.wake())?;
    let room = inbox.clone();
    let credit = Credit::new(UNDER_WAY, move || room.send(Input::Tick));
    let mut watch = Watch {
        look,
        stream,
        rest: None,
        read: Vec::new(),
        is_at_end: false,
        inbox,
        inputs,
        sinks: None,
        was_shown: false,
        missed: 0,
        over: None,
        left: None,
        credit,
        on_silence: Some(on_silence),
    };
    let attached = watch.follow()?;
    let was_shown = watch.was_shown;
    // Without the last line the run was killed, or it has no memory. The other connection has only this one answer.
    let over = || watch.over.or_else(|| ending(end));
    let attached = attached
        .or_else(|| over().map(|ending| Attached::Over { ending, was_shown }))
        .unwrap_or(Attached::Gone);
    watch.close(!matches!(attached, Attached::Over { .. }));
    // A writer's thread may be stuck in a terminal that takes nothing.
    std::mem::forget(watch);
    Ok(attached)
}

/// Waits until the run behind this socket is over. None: it is gone, and has not said how it ended.
///
/// # Errors
/// If the run cannot be reached.
pub(crate) fn wait(path: &Path) -> std::io::Result<Option<Ending>> {
    let mut stream = socket::connect(path, PATIENCE)?;
    stream.write_all(b"?wait\n")?;
    Ok(ending(stream))
}

/// How the run ended, as it says to one that waits.
fn ending(stream: UnixStream) -> Option<Ending> {
    let mut line = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut line).ok()?;
    Status::read(line.trim_end())?.ending()
}

impl Watch<'_> {
    /// Follows the run to its end; or says that the user left before.
    fn follow(&mut self) -> anyhow::Result<Option<Attached>> {
        while !self.is_at_end {
            let wake = self.sinks.as_ref().and_then(|sinks| {
                let now = sinks.clock.now();
                sinks.due().map(|due| due.saturating_sub(now))
            });
            let is_silent = self.sinks.is_none() && self.on_silence.is_some();
            let wake = wake.or(is_silent.then_some(SILENCE));
            let stream = [self.stream.as_fd()];
            let served = if self.credit.exhausted() {
                &[]
            } else {
                &stream[..]
            };
            let next = self
                .inputs
                .next(wake, Input::Signal, (served, || Input::Said));
            match next.context("waiting for the run")? {
                Some(Input::Said) => self.hear()?,
                Some(Input::Signal(libc::SIGWINCH)) => self.tell(What::Resized),
                Some(Input::Signal(libc::SIGTSTP)) => self.stop(),
                Some(Input::Signal(
                    signal @ (libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT),
                )) => return Ok(Some(Attached::Left(signal))),
                Some(Input::Gone) => return Ok(Some(Attached::Left(libc::SIGPIPE))),
                None if is_silent => {
                    if let Some(tell) = self.on_silence.take() {
                        tell();
                    }
                }
                Some(Input::Signal(_) | Input::Tick | Input::Flushed) | None => {}
            }
            if let Some(sinks) = &mut self.sinks {
                sinks.tick();
            }
            if self.left.is_some() {
                return Ok(self.left.take());
            }
        }
        Ok(None)
    }

    /// Reads what the run says.
    fn hear(&mut self) -> anyhow::Result<()> {
        let start = self.read.len();
        self.read.resize(start + READ, 0);
        let count = match handing::receive(&self.stream, &mut self.read[start..], &mut self.rest) {
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                self.read.truncate(start);
                return Ok(());
            }
            Err(_) => 0,
        };
        self.read.truncate(start + count);
        if count == 0 {
            self.is_at_end = true;
            self.read_rest();
        }
        if self.read.len() > LONGEST {
            self.is_at_end = true;
        }
        let Some(end) = memchr::memrchr(b'\n', &self.read[start..]) else {
            return Ok(());
        };
        let rest = self.read.split_off(start + end + 1);
        let lines = std::mem::replace(&mut self.read, rest);
        for line in String::from_utf8_lossy(&lines).lines() {
            self.line(line)?;
        }
        Ok(())
    }

    /// Reads what the run has left. Without that the end of its output is missing, but not how it ended.
    fn read_rest(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let mut place = 0;
        let mut block = vec![0; READ];
        // The position in the file is that of the run as well, which has written there.
        while let Ok(count @ 1..) = rest.read_at(&mut block, place) {
            self.read.extend_from_slice(&block[..count]);
            place += count as u64;
            if self.read.len() > LONGEST {
                return;
            }
        }
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        if let Some(status) = Status::read(line) {
            match status.ending() {
                Some(ending) => self.over = Some(ending),
                None => self.begin(&status)?,
            }
        } else if let Some(missed) = wire::dropped(line) {
            // The picture follows anew.
            self.tell(What::Left);
            self.left = self.flush(None);
            self.sinks = None;
            self.missed = missed;
        } else if let Some(sinks) = &mut self.sinks {
            wire::read(line, &dialect::known, &self.credit, &mut |event| {
                follow(sinks, event);
            });
        }
        Ok(())
    }

    /// The run says what it is: the picture follows.
    fn begin(&mut self, status: &Status<'_>) -> anyhow::Result<()> {
        let (gone, wake) = (self.inbox.clone(), self.inbox.clone());
        let Chosen { sinks, .. } = choose(
            &display(status, self.look),
            &Selection::None,
            None,
            move |_| gone.send(Input::Gone),
            move || wake.send(Input::Tick),
        )?;
        let began = Instant::now().checked_sub(status.elapsed());
        let clock = Clock::new(began.unwrap_or_else(Instant::now));
        self.sinks = Some(Sinks::new(sinks, clock));
        self.was_shown = true;
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            self.tell(What::Warning(&format!(
                "{missed} bytes of output are not shown here: this terminal was too slow"
            )));
        }
        Ok(())
    }

    fn tell(&mut self, what: What<'_>) {
        if let Some(sinks) = &mut self.sinks {
            sinks.tell(None, what);
        }
    }

    /// Ctrl-Z: this process alone stops.
    fn stop(&mut self) {
        self.tell(What::Terminal { ours: false });
        self.flush(Some(LAST_WORDS));
        // The run goes on meanwhile, so nothing is left out of the clock.
        let _ = stop_by(libc::SIGTSTP, Scope::Process);
        self.tell(What::Terminal { ours: true });
    }

    /// Shows no more. If the watcher leaves, the bars are taken away, and a terminal that takes nothing is not waited for.
    fn close(&mut self, leaves: bool) {
        if leaves {
            self.tell(What::Left);
        }
        // The reader of a pipe may take its time for what a run has printed that is over.
        self.flush(leaves.then_some(LAST_WORDS));
        self.sinks = None;
    }

    /// Waits until all is written, but not longer than the user, or this time. Gives how the user has left.
    fn flush(&mut self, at_most: Option<Duration>) -> Option<Attached> {
        let sinks = self.sinks.as_mut()?;
        let inbox = self.inbox.clone();
        sinks.flush(move || inbox.send(Input::Flushed));
        let until = at_most.map(|at_most| Instant::now() + at_most);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.inputs.next(left, Input::Signal, (&[], || Input::Said)) {
                Ok(Some(Input::Flushed) | None) | Err(_) => return None,
                Ok(Some(Input::Gone)) => return Some(Attached::Left(libc::SIGPIPE)),
                Ok(Some(Input::Signal(
                    signal @ (libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT),
                ))) => return Some(Attached::Left(signal)),
                Ok(Some(Input::Signal(libc::SIGTSTP))) => {
                    let _ = stop_by(libc::SIGTSTP, Scope::Process);
                }
                Ok(Some(_)) => {}
            }
        }
    }
}

/// Tells the sinks of an event. Their clock is that of the run, which stands while the run is stopped.
fn follow(sinks: &mut Sinks, event: &Event<'_>) {
    let is_past = matches!(
        event.what,
        What::Run(_) | What::Started { .. } | What::Cancelling { .. } | What::Stopping { .. }
    );
    let late = sinks.clock.now().saturating_sub(event.at);
    if late > LATE && !is_past {
        sinks.clock.leave_out(late);
    }
    match (&event.what, event.task) {
        (What::Paused(true), None) => sinks.clock.stop(),
        (What::Paused(false), None) => sinks.clock.start(),
        _ => {}
    }
    sinks.tell_event(event);
}

/// The run as it is shown here.
fn display(status: &Status<'_>, look: &Look) -> Display {
    let output = match status.shown.map(|shown| shown.rule) {
        None | Some(Rule::Stream) => Show::Stream,
        Some(Rule::Group) => Show::Group,
        Some(Rule::Lines) => Show::Lines,
        Some(Rule::OnFailure) => Show::OnFailure,
        Some(Rule::None) => Show::None,
    };
    Display {
        name: status.name.clone().into_owned(),
        progress: look.progress,
        color: look.color,
        json: None,
        logs: Logs::default(),
        output,
        tty: Tty::Never,
        caller: None,
        notify: None,
        memory: memory(status),
        many: status.shown.map(|shown| Many {
            in_order: shown.in_order,
            tagged: shown.tagged,
            ends: None::<Ends>,
            folder: None,
            job_log: None,
            again: None,
        }),
        elsewhere: true,
        remote: false,
    }
}

/// What the run remembers of earlier ones.
fn memory(status: &Status<'_>) -> Option<Memory> {
    let work = status.work.as_ref()?;
    let words = status.command.iter().map(|word| word.as_ref().into());
    let work = Work::new(Form::of(&work.form), words.collect(), work.name.clone());
    let folder = status.directory.as_deref()?;
    Some(Memory::new(
        Journal::of_user()?,
        work.in_folder(Path::new(folder)),
    ))
}
