//! One run from its start to its end: one channel in, futures and sinks out, an exit status at last.
//!
//! One thread owns the truth. Messages of the task, notices of its worker, signals and the passing of time are taken
//! from one inbox; the future and the ladder say what follows, and the sinks are told. Nothing here waits for anything
//! but that inbox, and signals go before what the child prints, so Ctrl-C is obeyed at once whatever a terminal or a
//! reader does, and however much the child prints. A reader that takes nothing keeps a run only until it is stopped.

mod ending;
mod inbox;
mod ladder;
mod lease;
mod readers;
mod requests;
mod signals;
mod sinks;

use std::cell::RefCell;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::child::{self, Control, Launch, LaunchError, Notice, Order};
use crate::dialect::{FILES, Selection};
use crate::event::{
    CancelMode, Ending, Event, Exit, FileRead, FinalState, Reason, Step, Stream, Summary, TaskId,
    What,
};
use crate::executor::Builder;
use crate::model::batch::Batch;
use crate::progress::{FutureState, ProgressExecutor, ProgressFuture, submit_progress};
use crate::sink::{Display, Gone, NoReader, choose, is_on_screen};
use crate::system::signals::{Scope, stop_by};

use self::ending::{Losses, TIMED_OUT};
use self::inbox::{Inbox, Inputs, inbox};
use self::ladder::{Action, Ladder};
use self::lease::Lease;
use self::sinks::Sinks;

pub(crate) use self::ending::{FAILED, end, end_all};
pub(crate) use self::ladder::Timeouts;

/// How late the run loop is only if it was stopped.
const LATE: Duration = Duration::from_secs(1);
/// How often we look at the clock while some time is running out, so as to see how long we were stopped.
const LOOK: Duration = Duration::from_millis(500);

/// What to run, how to stop it, and what to show.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The number of the channel in the child.
    pub channel: RawFd,
    /// How long each step of a stop has.
    pub timeouts: Timeouts,
    /// Whether the child's own status is given even after a stop.
    pub preserve_status: bool,
    /// Whether the child's output is read until nobody holds it any more.
    pub wait_output: bool,
    /// Which formats of other programs are read.
    pub from: Selection,
    /// What is shown, where.
    pub display: Display,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How progrun is to end.
    pub ending: Ending,
    /// Whether the rest of our process group is to end so as well.
    pub scope: Scope,
    /// What progrun itself has to say about it.
    pub errors: Vec<String>,
    /// Whether something was not read by those who it was for: where stderr takes nothing either, nothing is said.
    pub unread: bool,
}

/// Everything that the run loop takes from its channel.
enum Input {
    /// The executor has a message to dispatch.
    Message,
    /// The worker has something to tell.
    Notice(Notice),
    /// A signal came to us.
    Signal(i32),
    /// Something cannot be written any more.
    Gone(Gone),
    /// The screen is clear.
    Cleared,
    /// Everything is written.
    Flushed,
}

/// Runs a command; see the module's comment.
///
/// # Errors
/// If progrun itself cannot do its part: a file that cannot be opened, a thread that cannot be had.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let (inbox, inputs) = inbox();
    let (channel, moved) = child::channel(settings.channel);
    signals::open_mask();
    let gone = inbox.clone();
    let patience = settings.timeouts.timeout;
    let chosen = choose(&settings.display, &settings.from, patience, move |what| {
        gone.send(Input::Gone(what));
    });
    let chosen = match chosen {
        Err(error) if error.is::<NoReader>() => {
            return Ok(Outcome {
                ending: Ending::Status(TIMED_OUT),
                scope: Scope::Process,
                errors: vec![format!("{error:#}")],
                unread: false,
            });
        }
        chosen => chosen?,
    };
    signals::hold();
    // The files go when this function returns, also if the worker never ends.
    let (socket, _files) = child::Socket::open(channel).unzip();
    let launch = Launch {
        command: settings.command.clone(),
        channel,
        socket,
        stdout: chosen.routes[Stream::Stdout as usize],
        stderr: chosen.routes[Stream::Stderr as usize],
        verbatim: chosen.verbatim,
        from: if chosen.shows_progress || settings.from != Selection::Auto {
            settings.from.clone()
        } else {
            // Nobody would see what is found.
            Selection::None
        },
        zig: chosen.shows_progress && settings.from.reads("zig"),
        wait_output: settings.wait_output,
        on_screen: is_on_screen(&settings.display),
        in_foreground: chosen.direct,
        observe: chosen.observe && settings.from.reads(FILES) && !chosen.direct
            || settings.from.asks_for(FILES),
        parent: chosen.parent,
        reader: chosen.reader,
        kill_after: settings.timeouts.kill_after,
    };
    let sinks = Rc::new(RefCell::new(Sinks::new(chosen.sinks, started)));

    let (control, orders) = child::line().context("making a pipe")?;
    let (ping, notices) = (inbox.clone(), inbox.clone());
    let executor: ProgressExecutor<Batch, ()> = Builder::new(NonZeroUsize::MIN)
        .on_message(move || {
            ping.send(Input::Message);
        })
        .build();
    let future = submit_progress(&executor, move |reporter| {
        child::run(&launch, &orders, reporter, &|notice| {
            if goes_first(&notice) {
                notices.send_first(Input::Notice(notice));
            } else {
                notices.send(Input::Notice(notice));
            }
        })
    })?;
    // Only now: the child is on its way meanwhile.
    signals::install(&inbox)?;
    let audience = Rc::clone(&sinks);
    future.on_progress(move |reports| audience.borrow_mut().reports(reports));

    let mut run = Run {
        settings,
        executor,
        future,
        control,
        sinks,
        inbox: inbox.clone(),
        lease: Lease::new(),
        is_stuck: false,
        ladder: Ladder::new(Timeouts {
            // The limit is for the whole run, and a file that waited for its reader has had some of it.
            timeout: patience.map(|patience| patience.saturating_sub(chosen.waited)),
            ..settings.timeouts
        }),
        pid: None,
        exited: None,
        exit: None,
        launch_error: None,
        file: None,
        scope: Scope::Process,
        gave_up: false,
        discarded: false,
        losses: Losses::new(chosen.shows_messages),
        moved,
    };
    run.follow(&inputs)?;
    let outcome = run.finish(&inputs);
    // Dropping the executor joins its worker, which after giving up may never end.
    std::mem::forget(run);
    Ok(outcome)
}

struct Run<'a> {
    settings: &'a Settings,
    executor: ProgressExecutor<Batch, ()>,
    future: ProgressFuture<Batch, ()>,
    control: Control,
    sinks: Rc<RefCell<Sinks>>,
    inbox: Inbox<Input>,
    lease: Lease,
    /// The child waits for a terminal that it cannot be given.
    is_stuck: bool,
    ladder: Ladder,
    pid: Option<i32>,
    /// When the child was gone. What it printed may be read later.
    exited: Option<Duration>,
    exit: Option<Exit>,
    launch_error: Option<LaunchError>,
    /// How far the command had read which file when it was last seen.
    file: Option<FileRead>,
    /// Who is to hear of the Ctrl-C that we end by.
    scope: Scope,
    gave_up: bool,
    /// Whether what was not read is waited for no longer.
    discarded: bool,
    losses: Losses,
    /// That the channel has another number than it was to have, until it is told.
    moved: Option<String>,
}

/// Whether a notice goes before what the child prints: those that the ladder needs to do its next step.
fn goes_first(notice: &Notice) -> bool {
    matches!(
        notice,
        // The answers come after the start.
        Notice::Started { .. }
            | Notice::NotStarted(_)
            | Notice::CancelMode(_)
            | Notice::ParentGone
            | Notice::ReaderGone
    )
}

impl Run<'_> {
    /// Until the future is done, or nobody waits for it any more.
    fn follow(&mut self, inputs: &Inputs<Input>) -> anyhow::Result<()> {
        // Read once a round, so that a stop shows wherever in the round it came.
        let mut now = self.elapsed();
        while !self.future.done() && !self.gave_up {
            let wake = self.wake(now);
            let input = self.next(inputs, wake)?;
            now = self.read_clock(wake);
            if let Some(input) = input {
                self.take_in(input)?;
            }
            if self.deadline().is_some()
                && let Some(action) = self.ladder.tick(now)
            {
                self.act(action);
            }
            if self.discard_at().is_some_and(|time| time <= now) {
                self.discard();
            }
            self.sinks.borrow_mut().tick();
        }
        Ok(())
    }

    fn elapsed(&self) -> Duration {
        self.sinks.borrow().elapsed()
    }

    /// When there is something to draw or to do even if nothing happens.
    fn wake(&self, now: Duration) -> Option<Duration> {
        let due = self.sinks.borrow().due();
        let look = |deadline: Duration| deadline.min(now + LOOK);
        let deadline = self.deadline().map(look);
        let discard = self.discard_at().map(look);
        [due, deadline, discard].into_iter().flatten().min()
    }

    /// What time it is. SIGSTOP cannot be caught, but it shows: nothing else makes us so late. The time is not the
    /// child's fault.
    fn read_clock(&self, wake: Option<Duration>) -> Duration {
        let now = self.elapsed();
        let late = wake.map_or(Duration::ZERO, |wake| now.saturating_sub(wake));
        if late <= LATE {
            return now;
        }
        self.sinks.borrow_mut().pause(late);
        now.saturating_sub(late)
    }

    /// The next input; none when it is time to look at the clock. Without a time to wake there are no wake-ups at all.
    fn next(
        &self,
        inputs: &Inputs<Input>,
        wake: Option<Duration>,
    ) -> anyhow::Result<Option<Input>> {
        let at_most = wake.map(|wake| wake.saturating_sub(self.elapsed()));
        match inputs.next(at_most) {
            Ok(input) => Ok(Some(input)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the worker is gone"),
        }
    }

    /// When time alone takes the next step of a stop. A child that is gone needs none, or one that ended by SIGTERM would be
    /// called killed because its output is not read.
    fn deadline(&self) -> Option<Duration> {
        let stops = self.ladder.reason().is_some();
        self.ladder
            .deadline()
            .filter(|_| !(stops && self.exited.is_some()))
    }

    fn take_in(&mut self, input: Input) -> anyhow::Result<()> {
        match input {
            Input::Message => {
                self.executor.dispatch_one()?;
            }
            Input::Notice(notice) => self.notice(notice),
            Input::Signal(signal) => self.signal(signal),
            Input::Gone(what) => self.gone(what),
            // We may be about to stop, the worker with us: the child has to have been stopped by then.
            Input::Cleared => self.control.order(Order::Acknowledge),
            Input::Flushed => {}
        }
        Ok(())
    }

    fn gone(&mut self, what: Gone) {
        if let Some(stream) = what.stream {
            self.control.order(Order::Close(stream));
        }
        if let Some(sentence) = &what.sentence {
            self.warn(sentence);
        }
        if what.lost {
            self.losses.note(Ending::Status(FAILED), what.sentence);
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Started { pid } => {
                self.pid = Some(pid);
                self.ladder.started(self.elapsed());
                let command = &self.settings.command;
                let name = &self.settings.display.name;
                self.tell(What::Started { name, command, pid });
                if let Some(moved) = self.moved.take() {
                    self.warn(&moved);
                }
            }
            Notice::NotStarted(error) => self.launch_error = Some(error),
            Notice::Output {
                stream,
                bytes,
                permit,
            } => self.tell(What::Output {
                stream,
                bytes: &bytes,
                permit: &permit,
            }),
            Notice::Observed(observed) => {
                self.tell(What::Observed(&observed));
                if self.settings.from.asks_for(FILES) && observed.file != self.file {
                    self.file = observed.file;
                    if let Some(file) = &self.file {
                        let reports = Batch::of(FILES, &file.progress());
                        self.sinks.borrow_mut().reports(&reports);
                    }
                }
            }
            Notice::Stopped { signal, lendable } => {
                let actions = self.lease.child_stopped(signal, lendable);
                self.control_job(actions);
            }
            Notice::TookScreen { lendable } => {
                let actions = self.lease.child_took_screen(lendable);
                self.control_job(actions);
            }
            Notice::ParentGone => self.request(Reason::Parent),
            Notice::ReaderGone => {
                self.warn("the reader of the events is gone");
                self.hang_up();
            }
            Notice::Continued => {
                self.sinks.borrow_mut().start_clock();
                self.is_stuck = false;
                self.tell(What::Paused(false));
            }
            Notice::Lent(lent) => {
                let action = self.lease.lent(lent);
                self.control_job(action);
            }
            Notice::TakenBack => {
                let action = self.lease.taken_back();
                self.control_job(action);
            }
            Notice::Acknowledged => {
                let action = self.lease.cleared();
                self.control_job(action);
            }
            Notice::CancelMode(asked) => {
                // Whoever waits for a terminal that it cannot get comes to no report.
                let asked = if self.is_stuck {
                    CancelMode::Signal
                } else {
                    asked
                };
                let now = self.elapsed();
                if let Some(action) = self.ladder.asked(asked, now) {
                    self.act(action);
                }
            }
            Notice::Interrupted => {
                let now = self.elapsed();
                if self.ladder.interrupted(now) {
                    self.future.cancel();
                    // The script around us would have heard of it as well.
                    self.scope = Scope::Group;
                }
            }
            Notice::Held { stream, holders } => {
                let who = if holders.is_empty() {
                    "another process".to_owned()
                } else {
                    holders.join(", ")
                };
                let advice = if self.settings.wait_output {
                    ""
                } else {
                    " (--wait-output waits)"
                };
                self.warn(&format!(
                    "{stream} is still held by {who}; what it writes now is lost{advice}"
                ));
            }
            Notice::Exited => self.exited = Some(self.elapsed()),
            Notice::Ended(exit) => {
                self.sinks.borrow_mut().start_clock();
                self.exit = Some(exit);
            }
        }
    }

    fn request(&mut self, reason: Reason) {
        let now = self.elapsed();
        if let Some(action) = self.ladder.request(reason, now) {
            self.act(action);
        }
    }

    fn control_job(&mut self, actions: impl IntoIterator<Item = lease::Action>) {
        for action in actions {
            match action {
                lease::Action::Clear => {
                    self.tell(What::Terminal { ours: false });
                    self.send_when_written(|| Input::Cleared);
                }
                lease::Action::Draw => self.tell(What::Terminal { ours: true }),
                lease::Action::Lend => self.control.order(Order::Lend),
                lease::Action::TakeBack => self.control.order(Order::TakeBack),
                lease::Action::Signal(signal) => self.control.order(Order::Signal(signal)),
                lease::Action::Stop(signal, scope) => {
                    let stopped = stop_by(signal, scope);
                    self.sinks.borrow_mut().pause(stopped.unwrap_or_default());
                    let actions = self.lease.resumed(stopped.is_some());
                    self.control_job(actions);
                }
                lease::Action::Paused => {
                    // Where there is no terminal nobody pressed a key, and nobody will continue it with one.
                    if self.ladder.reason().is_none() && child::has_terminal() {
                        self.sinks.borrow_mut().stop_clock();
                    }
                    self.tell(What::Paused(true));
                }
                // Here the clock goes on: a timeout may be the only way out.
                lease::Action::Stuck => {
                    self.warn(
                        "the command waits for the terminal, and this job cannot be given it",
                    );
                    self.is_stuck = true;
                    self.tell(What::Paused(true));
                }
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Cancel => {
                // That somebody has stopped the child is no excuse any more: it has only so long.
                self.sinks.borrow_mut().start_clock();
                self.future.cancel();
            }
            Action::Begin(reason, step) => {
                let left = self.ladder.patience();
                self.tell(What::Cancelling { reason, step, left });
                self.take(step);
            }
            Action::Next(cause, step) => {
                let left = self.ladder.patience();
                self.tell(What::Stopping { cause, step, left });
                self.take(step);
            }
        }
    }

    fn take(&mut self, step: Step) {
        let (order, signal) = match step {
            Step::Ask => return,
            Step::Signal(signal) => (Order::Stop(signal), signal),
            Step::Terminate => (Order::Stop(libc::SIGTERM), libc::SIGTERM),
            Step::Kill => (Order::Kill, libc::SIGKILL),
            Step::GiveUp => {
                self.gave_up = true;
                self.warn(&match self.pid {
                    Some(pid) => format!("giving up; pid {pid} is still running"),
                    None => "giving up".to_owned(),
                });
                return;
            }
        };
        self.control.order(order);
        self.tell(What::Signal {
            signal,
            forwarded: false,
        });
    }

    fn tell(&self, what: What<'_>) {
        self.sinks.borrow_mut().tell(what);
    }

    fn warn(&self, sentence: &str) {
        self.tell(What::Warning(sentence));
    }

    /// Tells the end, and sees that all of it is written.
    fn finish(&mut self, inputs: &Inputs<Input>) -> Outcome {
        let state = match self.future.state() {
            FutureState::Completed => FinalState::Completed,
            FutureState::Failed => FinalState::Failed,
            _ => FinalState::Cancelled,
        };
        let error = match (&self.launch_error, self.exit, self.future.exception()) {
            (Some(error), _, _) => Some(error.to_string()),
            // The worker itself failed: what it says is all there is.
            (None, None, Ok(error)) => Some(format!("{error:#}")),
            _ => None,
        };
        let (reports, malformed) = self.sinks.borrow().counts();
        let summary = Summary {
            state,
            reason: self.ladder.reason(),
            exit: self.exit,
            error: error.clone(),
            reports,
            malformed,
        };
        if state == FinalState::Failed {
            // Hidden output may be shown now, and would be written into the picture.
            self.tell(What::Terminal { ours: false });
        }
        // Before the end is told, because what could not be written belongs before it.
        let mut written = self.flush(inputs);
        let finished = Event {
            task: Some(TaskId::FIRST),
            at: self.elapsed(),
            what: What::Finished(&summary),
        };
        let sinks = self.sinks.borrow().count();
        for index in 0..sinks {
            // One after the other: hidden output stands above the last line, which another sink writes.
            self.sinks.borrow_mut().tell_one(index, &finished);
            written = written && self.flush(inputs);
        }
        let killed = self.ladder.killed();
        let ending = match (&self.launch_error, state) {
            (Some(error), FinalState::Failed) => ending::of_launch(error),
            _ => ending::of_run(&summary, killed, self.settings.preserve_status),
        };
        let (ending, mut errors) = self.losses.end(ending);
        errors.extend(error);
        Outcome {
            ending,
            scope: self.scope,
            errors,
            unread: self.discarded || self.gave_up,
        }
    }
}
