//! One run from its start to its end: a list of tasks, the sinks that show them, and an exit status. A single command
//! is a list of one.
//!
//! One thread owns the state. The run loop takes messages of the tasks, notices of their workers and signals from one
//! inbox; the futures, the ladders and the lease of the terminal say what follows, and the sinks are told. The loop
//! waits for nothing but that inbox and the next deadline, and takes signals before output. So Ctrl-C works at once,
//! however slow a terminal or reader is and however much is printed. A reader that takes nothing holds up a run only
//! until the run is stopped. Knows no pipe of a child and no escape sequence.

mod agent;
mod attach;
mod clock;
mod ending;
mod hook;
mod inbox;
mod ladder;
mod lease;
mod many;
mod notices;
mod presses;
mod pressure;
mod random;
mod reach;
mod readers;
mod requests;
mod running;
mod schedule;
mod signals;
mod sinks;
mod slots;
mod starts;
mod stopping;
mod task;
mod terminal;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::child::{self, Ended, Launch, Notice, Order};
use crate::dialect::{FILES, Selection};
use crate::event::{Ending, FinalState, Obstacle, Reason, Stream, TaskId, Total, Waiting, What};
use crate::executor::{Builder, Sent};
use crate::joblog::Past;
use crate::ledger;
use crate::list::{List, Next, Specification};
use crate::model::batch::Batch;
use crate::model::route::Route;
use crate::progress::{ProgressExecutor, submit_progress};
use crate::reason::reasons;
use crate::sink::{Chosen, Display, Gone, NoReader, Watchers, choose, for_agent, is_on_screen};
use crate::socket::{Purpose, Socket};
use crate::system::jobserver::Jobserver;
use crate::system::signals::Scope;

use self::agent::Link;
use self::clock::Clock;
use self::ending::{Losses, TIMED_OUT};
use self::inbox::{Inbox, Inputs};
use self::lease::Lease;
use self::many::Stop;
use self::notices::{DOZE, can_wait, goes_first};
use self::presses::Presses;
use self::pressure::Pressure;
use self::requests::Requests;
use self::running::{Counts, Running};
use self::schedule::{Begin, Closed, Rules, Schedule};
use self::sinks::Sinks;
use self::slots::{Slots, workers};
use self::starts::{SocketPlace, Starts};
use self::task::{Effect, Task};
use self::terminal::TerminalPlace;

pub(crate) use self::agent::{Agent, first_line};
pub(crate) use self::attach::{Attached, Look, attach, wait};
pub(crate) use self::ending::{FAILED, end, end_all, of_launch};
pub(crate) use self::hook::{End, Hook};
pub(crate) use self::ladder::Timeouts;
pub(crate) use self::many::Many;
pub(crate) use self::pressure::Limits;
pub(crate) use self::reach::Reach;
pub(crate) use self::schedule::{Halt, RetryOn, Rules as OrderRules};
pub(crate) use crate::sink::ForAgent;

/// If the run loop wakes this late, progrun was stopped (SIGSTOP cannot be caught).
const LATE: Duration = Duration::from_secs(1);
/// The longest sleep of the run loop while there is a deadline: a stop of progrun shows only as a late wake-up.
const LOOK: Duration = Duration::from_millis(500);
/// A silent run that ends sooner installs no signal handlers: they and ctrlc's thread cost more than such a run.
const SHORT: Duration = Duration::from_millis(5);

/// How many bytes of all children together may be under way to slow readers, in a run of many.
const UNDER_WAY: usize = 16 * 1024 * 1024;
/// The least that each of them has of it.
const LEAST_UNDER_WAY: usize = 64 * 1024;
/// How many tasks that an earlier run has done are passed over before the loop looks at its inbox again.
const AT_ONCE: usize = 1000;
/// The last slot whose child is observed. A screen has room for hardly more.
const OBSERVED: u32 = 32;

/// How to run a list, how to stop it, and what to show.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many tasks run at once.
    pub(crate) slots: u32,
    /// The wishes that only a run of many tasks has; none: the list is one command.
    pub(crate) many: Option<Many>,
    /// The number of the channel in the children.
    pub(crate) channel: RawFd,
    /// How long each step of a stop has.
    pub(crate) timeouts: Timeouts,
    /// Whether progrun exits with the child's own status even after a stop.
    pub(crate) preserve_status: bool,
    /// Whether the children's output is read until no process holds it any more.
    pub(crate) wait_output: bool,
    /// Which formats of other programs are read.
    pub(crate) from: Selection,
    /// What is shown, and where.
    pub(crate) display: Display,
    /// Where the tasks run, if that is not here.
    pub(crate) elsewhere: Option<Reach>,
    /// On which terms the run is that of an agent, if it is; and what its child's streams are there.
    pub(crate) agent: Option<(Agent, ForAgent)>,
}

/// How a run ended, and what is left to say of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How progrun is to end.
    pub(crate) ending: Ending,
    /// Completed, failed or cancelled, of all tasks together.
    pub(crate) state: FinalState,
    /// How long the run took.
    pub(crate) elapsed: Duration,
    /// Which processes end so: progrun alone, or its process group.
    pub(crate) scope: Scope,
    /// Sentences for stderr: lost output that no sink has told of, and why the last task failed.
    pub(crate) errors: Vec<String>,
    /// Whether unread output was discarded, or a task given up. The errors are then written only if stderr takes them
    /// at once: it may be what was not read.
    pub(crate) unread: bool,
}

/// Everything that the run loop takes from its inbox.
enum Input {
    /// The executor has a message to dispatch. The messages themselves wait in its queue; this input keeps their place
    /// among the notices, which the queue does not carry: the library knows only progress.
    Message,
    /// The worker of a task sent a notice.
    Task(TaskId, Notice),
    /// progrun received a signal.
    Signal(i32),
    /// The progrun that we run under has closed the channel or socket that we report to.
    ParentGone,
    /// The reader of the events is gone.
    ReaderGone,
    /// The reader of our stdout is gone, to which the tasks of a list write.
    OutputGone,
    /// Something cannot be written any more.
    Gone(Gone),
    /// Another process connects to the run's socket, or says something there.
    Asked,
    /// A sink can go on.
    Tick,
    /// The screen is clear.
    Cleared,
    /// Everything is written.
    Flushed,
}

/// Runs a list; see the module's comment.
///
/// # Errors
/// If progrun itself cannot do its part: a file that cannot be opened, a thread that cannot be had.
pub(crate) fn run(settings: &Settings, list: List, past: Option<Past>) -> anyhow::Result<Outcome> {
    let clock = Clock::new(Instant::now());
    let mut run = match Run::prepare(settings, list, past, clock)? {
        Prepared::Run(run) => run,
        Prepared::NoReader(outcome) => return Ok(outcome),
    };
    run.follow()?;
    run.sweep();
    run.tell_not_started();
    let outcome = run.finish();
    run.hide_sockets();
    run.tell_end(outcome.ending);
    run.take_leave();
    if let Some(jobserver) = &mut run.jobserver {
        jobserver.settle(0, false);
    }
    // Dropping the executor would join its workers, and one that was given up may never end. They end with the process.
    std::mem::forget(run);
    Ok(outcome)
}

/// The sinks of a run with these settings, which tell this inbox.
fn sinks_of(settings: &Settings, inbox: &Inbox<Input>) -> anyhow::Result<Chosen> {
    let (gone, wake) = (inbox.clone(), inbox.clone());
    // Before the ends of tasks: each would let another one begin, of which the job log could not tell.
    let gone = move |what| gone.send_first(Input::Gone(what));
    match &settings.agent {
        Some((_, wishes)) => for_agent(*wishes, gone),
        None => choose(
            &settings.display,
            &settings.from,
            settings.timeouts.timeout,
            gone,
            move || wake.send(Input::Tick),
        ),
    }
}

/// What the starts of the tasks of a run have in common.
fn starts_of(settings: &Settings, channel: RawFd, open_files: Option<u64>, slots: u32) -> Starts {
    let outlives_session = settings.display.caller.is_some();
    match settings.many {
        // The run of an agent is that of the progrun that has started it, and is found there.
        None if settings.agent.is_some() => {
            Starts::of_one(channel, Purpose::Task, outlives_session)
        }
        None => Starts::of_one(channel, Purpose::Run, outlives_session),
        Some(_) => {
            let kill_after = settings.timeouts.kill_after;
            Starts::of_many(channel, open_files, slots, kill_after, outlives_session)
        }
    }
}

/// An executor for so many tasks at once, whose messages go to this inbox.
fn executor(slots: u32, inbox: Inbox<Input>) -> ProgressExecutor<Batch, Ended> {
    Builder::new(workers(slots))
        // The credit of each worker bounds what is under way. A worker that waited at this queue would carry out no
        // orders.
        .capacity(NonZeroUsize::MAX)
        // No command is over within microseconds.
        .patient()
        .on_message(move |sent| match sent {
            // The notice of the child's start follows.
            Sent::Start => inbox.note(Input::Message),
            Sent::Report | Sent::End => inbox.send(Input::Message),
        })
        .build()
}

/// What all children of a run have in common.
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
struct Plan {
    channel: RawFd,
    routes: [Route; 2],
    every_report: bool,
    from: Selection,
    zig: bool,
    on_screen: bool,
    in_foreground: bool,
    observe: bool,
    timeouts: Timeouts,
}

impl Plan {
    /// By the user's wishes and the sinks.
    fn new(settings: &Settings, chosen: &Chosen, channel: RawFd) -> Self {
        let from = if chosen.shows_progress || settings.from != Selection::Auto {
            settings.from.clone()
        } else {
            // No sink shows what the dialects would find.
            Selection::None
        };
        Plan {
            channel,
            routes: chosen.routes,
            every_report: chosen.every_report,
            zig: chosen.shows_progress && settings.from.reads("zig"),
            from,
            on_screen: is_on_screen(&settings.display),
            in_foreground: chosen.direct,
            observe: chosen.observe && settings.from.reads(FILES) && !chosen.direct
                || settings.from.asks_for(FILES),
            timeouts: Timeouts {
                // The limit is for the whole run: the time for which a FIFO waited for its reader counts.
                timeout: settings
                    .timeouts
                    .timeout
                    .map(|patience| patience.saturating_sub(chosen.waited)),
                ..settings.timeouts
            },
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Run<'a> {
    settings: &'a Settings,
    plan: Plan,
    executor: ProgressExecutor<Batch, Ended>,
    list: List,
    /// What earlier runs have done of the list; none: it is not asked.
    past: Option<Past>,
    schedule: Schedule,
    pressure: Pressure,
    starts: Starts,
    /// The jobserver of make, if the run is its client.
    jobserver: Option<Jobserver>,
    /// How far the stop of a run of many is, if one was requested.
    stop: Option<Stop>,
    /// The tags of the children that have ended since: some of their descendants may have left their groups.
    remains: Vec<String>,
    /// What is to be killed with all its descendants: the leader, if it lives, and the tag.
    to_kill: Vec<(Option<i32>, String)>,
    /// The threads that do it.
    killers: Vec<thread::JoinHandle<()>>,
    /// What the next tasks wait for, as the sinks were told.
    waiting: Vec<Waiting>,
    /// How many tasks the list has, as the sinks were told.
    total: Option<Total>,
    /// Whether a task was given up.
    gave_up: bool,
    deadline_passed: bool,
    /// The tasks that have begun and are not over.
    tasks: BTreeMap<TaskId, Running>,
    /// The tasks whose futures are done.
    done: Rc<RefCell<Vec<TaskId>>>,
    lease: Lease,
    terminal: TerminalPlace,
    /// The tasks whose workers have not confirmed their orders yet. Until they have, the terminal is not lent and
    /// progrun does not stop.
    unacknowledged: BTreeSet<TaskId>,
    presses: Presses,
    sinks: Rc<RefCell<Sinks>>,
    /// The other processes that show the run, and what else such processes ask.
    watchers: Rc<RefCell<Watchers>>,
    requests: Requests,
    inbox: Inbox<Input>,
    inputs: Inputs<Input>,
    handles_signals: bool,
    /// Whether a child has reported or printed something: the user may react by Ctrl-C, so the handlers are installed.
    heard: Rc<Cell<bool>>,
    /// Whether a report without any known field was warned of. One warning does for all tasks of a list.
    has_strayed: Rc<Cell<bool>>,
    /// Which processes end by the signal by which progrun ends.
    scope: Scope,
    /// Whether unread output is discarded.
    discarded: bool,
    losses: Losses,
    /// The jobs of the tasks on other machines that may be left in an engine.
    left: Vec<Option<String>>,
    /// The note of them.
    ledger: Option<ledger::Entry>,
    /// The link to the progrun that has started us on this machine, if we are its agent.
    agent: Option<Link>,
    /// The sentence that the channel has another number than the user asked for, until it is told.
    moved: Option<String>,
}

/// A run that is about to begin.
enum Prepared<'a> {
    Run(Box<Run<'a>>),
    /// A file had no reader in time.
    NoReader(Outcome),
}

impl<'a> Run<'a> {
    /// Opens what the run needs, and tells of a run of many.
    fn prepare(
        settings: &'a Settings,
        list: List,
        past: Option<Past>,
        clock: Clock,
    ) -> anyhow::Result<Prepared<'a>> {
        // First of all: a descriptor that progrun opens earlier could get the channel's number, and look like one that was
        // handed to us on purpose.
        let (channel, moved) = child::channel(settings.channel);
        let (inbox, inputs) = inbox::open().context("cannot create a pipe")?;
        signals::open_mask();
        let chosen = match sinks_of(settings, &inbox) {
            Err(error) if error.is::<NoReader>() => {
                return Ok(Prepared::NoReader(Outcome {
                    ending: Ending::Status(TIMED_OUT),
                    state: FinalState::Cancelled,
                    elapsed: clock.now(),
                    scope: Scope::Process,
                    errors: vec![reasons(&error)],
                    unread: false,
                }));
            }
            chosen => chosen?,
        };
        signals::hold();
        let plan = Plan::new(settings, &chosen, channel);
        let (ping, news, tokens) = (inbox.clone(), inbox.clone(), inbox.clone());
        let many = settings.many.as_ref();
        if let Some(many) = many {
            many.news.to(move || news.send(Input::Tick));
        }
        let jobserver = many
            .filter(|many| many.jobserver)
            .and_then(|_| Jobserver::connect(move || tokens.send(Input::Tick)));
        let named = jobserver.as_ref().and_then(Jobserver::jobs);
        let (slots, open_files, fewer) = match many {
            None => (settings.slots, None, None),
            Some(_) => starts::slots(named.unwrap_or(settings.slots)),
        };
        let places = Slots::new(&reach::machines(settings, slots), slots);
        let slots = places.count();
        let starts = starts_of(settings, channel, open_files, slots);
        let template = many.map(|many| &*many.command);
        let watchers = Rc::new(RefCell::new(Watchers::new(
            settings.display.identity(template),
        )));
        let mut sinks = chosen.sinks;
        sinks.push(Box::new(Rc::clone(&watchers)));
        let mut run = Run {
            settings,
            plan,
            executor: executor(slots, ping),
            list,
            past,
            schedule: Schedule::new(many.map_or(Rules::USUAL, |many| many.rules.clone()), places),
            pressure: Pressure::new(many.map(|many| many.limits).unwrap_or_default()),
            starts,
            jobserver,
            stop: None,
            remains: Vec::new(),
            to_kill: Vec::new(),
            killers: Vec::new(),
            waiting: Vec::new(),
            total: None,
            gave_up: false,
            deadline_passed: false,
            tasks: BTreeMap::new(),
            done: Rc::default(),
            lease: Lease::new(),
            terminal: TerminalPlace::default(),
            unacknowledged: BTreeSet::new(),
            presses: Presses::default(),
            sinks: Rc::new(RefCell::new(Sinks::new(sinks, clock))),
            watchers,
            requests: Requests::default(),
            inbox,
            inputs,
            handles_signals: false,
            heard: Rc::default(),
            has_strayed: Rc::default(),
            scope: Scope::Process,
            discarded: false,
            losses: Losses::new(chosen.tells_user),
            moved,
            left: Vec::new(),
            ledger: settings.elsewhere.as_ref().and_then(Reach::note),
            agent: settings
                .agent
                .as_ref()
                .map(|(agent, _)| Link::new(agent.clone())),
        };
        run.watch([
            (chosen.parent, Input::ParentGone),
            (chosen.reader, Input::ReaderGone),
            (chosen.output, Input::OutputGone),
        ]);
        if many.is_some() || settings.elsewhere.is_some() {
            let outlives_session = settings.display.caller.is_some();
            let socket = Socket::open(channel, Purpose::Run, outlives_session);
            run.requests.listen(socket);
        }
        if many.is_some() {
            run.begin_many(fewer)?;
        } else if settings.elsewhere.is_some() {
            // The way there is started by a thread that blocks no signal for a moment.
            run.handle_signals()?;
        }
        Ok(Prepared::Run(Box::new(run)))
    }

    /// Watches the ends of these ways out.
    fn watch(&mut self, ways: [(Option<OwnedFd>, Input); 3]) {
        for (descriptor, input) in ways {
            if let Some(descriptor) = descriptor {
                self.inputs.watch(descriptor, input);
            }
        }
    }
}

impl Run<'_> {
    /// Runs the loop until all tasks are over. A single command stays: its end is told by [`finish`](Self::finish).
    fn follow(&mut self) -> anyhow::Result<()> {
        self.begin_tasks()?;
        // Some may have come together with what is to run.
        self.hear_orders();
        // Read once a round: deadlines count from here, so a stop of progrun shows wherever in the round it came.
        let mut now = self.now();
        while !self.is_over() {
            let wake = self.wake(now);
            let input = self.next(wake)?;
            now = self.read_clock(wake);
            if !self.handles_signals && (self.heard.get() || now >= SHORT || signals::any_held()) {
                self.handle_held_signals()?;
            }
            if let Some(input) = input {
                self.take_in(input)?;
            }
            self.ask_reporters(now);
            self.end_tasks();
            self.begin_tasks()?;
            let due: Vec<_> = self
                .tasks
                .iter()
                .filter(|(_, running)| running.task.deadline().is_some_and(|time| time <= now))
                .map(|(id, _)| *id)
                .collect();
            for id in due {
                self.change(id, |task| task.tick(now));
            }
            self.pass_deadline(now);
            self.kill();
            if self.discard_at().is_some_and(|time| time <= now) {
                self.discard();
            }
            self.answer_cancels(now);
            self.keep_lease(now);
            self.sinks.borrow_mut().tick();
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.sinks.borrow().clock.now()
    }

    /// Whether all tasks are over, apart from the end of a single command, which [`finish`](Self::finish) tells.
    fn is_over(&self) -> bool {
        self.schedule.is_empty()
            && if self.is_of_many() {
                self.tasks.is_empty()
            } else {
                self.tasks.values().all(Running::is_done)
            }
    }

    /// Whether the list is more than one command.
    fn is_of_many(&self) -> bool {
        self.settings.many.is_some()
    }

    /// Reads on in the list, and begins the tasks for which a slot is free.
    fn begin_tasks(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        self.read_list();
        loop {
            let gate = self.gate(now);
            let Some(begin) = self.schedule.begin(now, &gate) else {
                self.tell_what_waits(&gate, now);
                return Ok(());
            };
            self.pressure.begun(now);
            self.begin(begin, now)?;
            self.read_list();
        }
    }

    /// Takes tasks from the list as long as one of them could begin.
    fn read_list(&mut self) {
        for _ in 0..AT_ONCE {
            let is_enough = self.schedule.waiting() >= self.list.ahead();
            if is_enough || self.schedule.is_complete() || !self.schedule.has_room() {
                return;
            }
            match self.list.next() {
                Next::Task(specification) => self.add(*specification),
                Next::NotYet => return,
                Next::End => self.list_is_over(),
                Next::Broken(sentence) => self.list_is_broken(sentence),
            }
        }
        // The signals come first.
        self.inbox.send(Input::Tick);
    }

    /// The next task of the list.
    fn add(&mut self, mut specification: Specification) {
        if let Some(past) = &mut self.past {
            let decision = past.decide(&mut specification);
            if !self.runs(&specification, decision) {
                return;
            }
        }
        for skipped in self.schedule.add(specification) {
            self.tell_skipped(&skipped);
        }
    }

    fn begin(&mut self, begin: Begin, now: Duration) -> anyhow::Result<()> {
        let (control, orders) = match child::line() {
            Ok(line) => line,
            Err(error) if self.tasks.is_empty() => {
                return Err(error).context("cannot create a pipe");
            }
            Err(error) => {
                self.too_many(begin, &error);
                return Ok(());
            }
        };
        // A task on another machine has its socket there.
        let elsewhere = self.elsewhere(begin.machine);
        let host = elsewhere.as_ref().map(|it| it.target.name.clone());
        let place = match elsewhere {
            Some(_) => None,
            None => self.starts.socket(),
        };
        let launch = self.launch(&begin, elsewhere, place.as_ref(), now);
        let Begin {
            id,
            specification,
            slot,
            attempt,
            machine,
        } = begin;
        let terminal = self.terminal.for_the_start(&launch);
        let notices = self.inbox.clone();
        let is_of_many = self.is_of_many();
        let future = submit_progress(&self.executor, move |reporter| {
            child::run(&launch, terminal, &orders, reporter, &|notice| {
                let first = goes_first(&notice);
                let can_wait = is_of_many && can_wait(&notice);
                let input = Input::Task(id, notice);
                match (first, can_wait) {
                    (false, false) => notices.send(input),
                    (false, true) => notices.note(input),
                    (true, false) => notices.send_first(input),
                    (true, true) => notices.note_first(input),
                }
            })
        })?;
        let counts = Rc::new(Counts::default());
        let (sinks, counted) = (Rc::clone(&self.sinks), Rc::clone(&counts));
        let (heard, has_strayed) = (Rc::clone(&self.heard), Rc::clone(&self.has_strayed));
        future.on_progress(move |batch| {
            heard.set(true);
            counted.add(batch);
            let mut sinks = sinks.borrow_mut();
            sinks.tell(Some(id), What::Progress(batch));
            if let Some(warning) = &batch.stray
                && !has_strayed.replace(true)
            {
                sinks.tell(Some(id), What::Warning(warning));
            }
        });
        let done = Rc::clone(&self.done);
        future.on_state(move |change| {
            if change.new.is_done() {
                done.borrow_mut().push(id);
            }
        });
        let (timeouts, silent) = self.stopping(&specification);
        let running = Running {
            task: Task::new(specification, timeouts, silent),
            control,
            future,
            counts,
            slot,
            attempt,
            began: now,
            tag: String::new(),
            continues: std::cell::Cell::default(),
            output_bytes: 0,
            place,
            machine,
            is_told: false,
            waits_for: host.clone().map(Obstacle::Host),
            host,
            job: None,
        };
        self.tasks.insert(id, running);
        if self.is_of_many() {
            self.inputs.doze(Instant::now() + DOZE);
        }
        Ok(())
    }

    /// What the worker of this task has to know.
    fn launch(
        &mut self,
        begin: &Begin,
        elsewhere: Option<child::Elsewhere>,
        place: Option<&SocketPlace>,
        now: Duration,
    ) -> Launch {
        let specification = &begin.specification;
        let (id, slot) = (begin.id, begin.slot);
        let is_here = elsewhere.is_none();
        let session = self.starts.session(now);
        let plan = &self.plan;
        Launch {
            name: specification.name.clone(),
            elsewhere,
            command: specification.words(id.get(), slot),
            fault: specification.fault.clone(),
            stdin: specification.stdin.clone(),
            nowhere: self.starts.nowhere(),
            folder: specification.folder.clone(),
            variables: self.variables(specification, id, slot, begin.attempt),
            open_files: self.starts.open_files,
            under_way: self.under_way(),
            channel: plan.channel,
            socket: place.map(|place| Arc::clone(&place.socket)),
            session,
            is_one_of_many: self.is_of_many(),
            stdout: plan.routes[Stream::Stdout as usize],
            stderr: plan.routes[Stream::Stderr as usize],
            every_report: plan.every_report,
            from: plan.from.clone(),
            zig: plan.zig,
            wait_output: self.settings.wait_output,
            on_screen: plan.on_screen && is_here,
            in_foreground: plan.in_foreground && is_here,
            observe: plan.observe && slot <= OBSERVED,
            kill_after: self.settings.timeouts.kill_after,
            spares: self.starts.spares.clone(),
            board: self.starts.board.clone(),
        }
    }

    /// Tells the end of the tasks of a list that are over. That of a single command is told by
    /// [`finish`](Self::finish).
    fn end_tasks(&mut self) {
        if !self.is_of_many() {
            return;
        }
        let mut over = std::mem::take(&mut *self.done.borrow_mut());
        let gave_up = self
            .tasks
            .iter()
            .filter(|(_, running)| running.task.gave_up());
        over.extend(gave_up.map(|(id, _)| *id));
        for id in over {
            self.end_of_many(id);
        }
    }

    /// When there is something to draw or to do even if nothing happens.
    fn wake(&self, now: Duration) -> Option<Duration> {
        let due = self.sinks.borrow().due();
        let look = |deadline: Duration| deadline.min(now + LOOK);
        let deadlines = self.tasks.values().filter_map(|it| it.task.deadline());
        let deadline = deadlines.min().map(look);
        let discard = self.discard_at().map(look);
        let handlers = if self.heard.get() {
            now
        } else {
            SHORT.max(now)
        };
        let signals = (!self.handles_signals).then_some(handlers);
        let begins = self.begins_at(now);
        [
            due,
            deadline,
            discard,
            signals,
            begins,
            self.requests.due(now),
            self.agent.as_ref().and_then(|link| link.due(now)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Reads the clock, and leaves out the time for which progrun was stopped. SIGSTOP cannot be caught, but nothing
    /// else makes the loop wake so late. The children must not lose that time.
    fn read_clock(&self, wake: Option<Duration>) -> Duration {
        let now = self.now();
        let late = wake.map_or(Duration::ZERO, |wake| now.saturating_sub(wake));
        if late <= LATE {
            return now;
        }
        self.sinks.borrow_mut().clock.leave_out(late);
        now.saturating_sub(late)
    }

    /// Waits for the next input; none when it is time to wake. Without a time to wake, only an input ends the wait.
    fn next(&mut self, wake: Option<Duration>) -> anyhow::Result<Option<Input>> {
        let now = self.now();
        let at_most = wake.map(|wake| wake.saturating_sub(now));
        let input = self.wait(at_most);
        input.context("waiting for what happens")
    }

    /// The same, at most for this long; none: for ever.
    fn wait(&mut self, at_most: Option<Duration>) -> io::Result<Option<Input>> {
        let idle = self.idle_socket().cloned();
        let now = self.now();
        let mut served = self.requests.descriptors(idle.as_ref(), now);
        served.extend(self.agent.as_ref().and_then(Link::descriptor));
        let asked = (&*served, || Input::Asked);
        self.inputs.next(at_most, Input::Signal, asked)
    }

    fn take_in(&mut self, input: Input) -> anyhow::Result<()> {
        match input {
            Input::Message => {
                self.executor.dispatch_one()?;
            }
            Input::Task(id, notice) => self.notice(id, notice),
            Input::Signal(signal) => self.signal(signal),
            Input::ParentGone => self.request(Reason::Parent),
            Input::ReaderGone => {
                self.warn("the reader of the events has gone away");
                self.hang_up();
            }
            Input::OutputGone => self.gone(Gone {
                stream: Some(Stream::Stdout),
                sentence: None,
                lost: false,
            }),
            Input::Gone(what) => self.gone(what),
            Input::Asked => {
                self.hear_orders();
                self.hear();
            }
            Input::Cleared => self.acknowledge(),
            Input::Tick | Input::Flushed => {}
        }
        Ok(())
    }

    fn gone(&mut self, what: Gone) {
        if let Some(stream) = what.stream {
            self.order_all(|| Order::Close(stream));
            self.tell_of_run(What::Closed(stream));
        }
        if let Some(sentence) = &what.sentence {
            self.warn(sentence);
        }
        if what.lost {
            self.losses.note(Ending::Status(FAILED), what.sentence);
        } else if self.is_of_many() {
            self.losses.remark(what.sentence);
        }
        if self.is_of_many() && (what.lost || what.stream.is_some()) {
            if !what.lost {
                self.losses.note(Ending::Signal(libc::SIGPIPE), None);
            }
            self.close(Closed::Broken);
        }
    }

    /// Tells a task that something happened, and carries out what follows.
    fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Task) -> Vec<Effect>) {
        let Some(running) = self.tasks.get_mut(&id) else {
            return;
        };
        for effect in change(&mut running.task) {
            match effect {
                Effect::Cancel => {
                    self.sinks.borrow_mut().clock.start();
                    if let Some(running) = self.tasks.get(&id) {
                        running.future.cancel();
                    }
                }
                Effect::Order(order) => {
                    if self.is_of_many()
                        && matches!(order, Order::Kill)
                        && let Some(running) = self.tasks.get(&id)
                    {
                        let child = (running.task.live_pid(), running.tag.clone());
                        // A task on another machine is killed there.
                        self.to_kill
                            .extend(Some(child).filter(|(_, tag)| !tag.is_empty()));
                    }
                    self.order(id, order);
                }
                Effect::Tell(what) => {
                    self.step_of_run(&what);
                    self.tell(id, what);
                }
                // The processes of many tasks are named at the end, all in one sentence.
                Effect::Warn(_) if self.is_of_many() => {}
                Effect::Warn(sentence) => self.warn_of(id, &sentence),
            }
        }
    }

    fn order(&self, id: TaskId, order: Order) {
        if let Some(running) = self.tasks.get(&id) {
            running.control.order(order);
        }
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        for running in self.tasks.values() {
            running.control.order(order());
        }
    }

    /// Tells the sinks what happened to a task.
    fn tell(&self, id: TaskId, what: What<'_>) {
        self.sinks.borrow_mut().tell(Some(id), what);
    }

    /// Tells the sinks what happened to the run.
    fn tell_of_run(&self, what: What<'_>) {
        self.sinks.borrow_mut().tell(None, what);
    }

    fn warn_of(&self, id: TaskId, sentence: &str) {
        self.tell(id, What::Warning(sentence));
    }

    fn warn(&self, sentence: &str) {
        self.tell_of_run(What::Warning(sentence));
    }

    /// Tells the end of the last task, and waits until everything is written.
    fn finish(&mut self) -> Outcome {
        if self.is_of_many() {
            return self.finish_many();
        }
        let mut errors = Vec::new();
        let mut own = Ending::Status(FAILED);
        let mut state = FinalState::Failed;
        if let Some((id, running)) = self.tasks.first_key_value() {
            let (id, summary) = (*id, running.summary());
            own = ending::of_task(running, &summary, self.settings.preserve_status);
            state = summary.state;
            if summary.state == FinalState::Failed {
                // Hidden output may be shown now, and would be written between the bars.
                self.tell_of_run(What::Terminal { ours: false });
            }
            // Before the end is told: a warning of lost output belongs before it.
            let mut written = self.flush();
            let event = self
                .sinks
                .borrow()
                .event(Some(id), What::Finished(&summary));
            let sinks = self.sinks.borrow().count();
            for index in 0..sinks {
                // One after the other: hidden output stands above the last line, which another sink writes.
                self.sinks.borrow_mut().tell_one(index, &event);
                written = written && self.flush();
            }
            errors.extend(summary.error);
            self.follow_up(written);
        }
        let (ending, mut unsaid) = self.losses.end(own);
        unsaid.extend(errors);
        Outcome {
            ending,
            state: ending::state(state, ending),
            elapsed: self.now(),
            scope: self.scope,
            errors: unsaid,
            unread: self.discarded || self.gave_up(),
        }
    }

    /// Lets the sinks write what follows the last line, if all that came before it is `written`.
    fn follow_up(&mut self, written: bool) {
        if written && self.sinks.borrow_mut().follow_up() {
            self.flush();
        }
    }

    /// Whether a task was given up.
    fn gave_up(&self) -> bool {
        self.gave_up || self.tasks.values().any(|running| running.task.gave_up())
    }

    /// Why a stop was requested, if one was.
    fn reason(&self) -> Option<Reason> {
        self.tasks
            .values()
            .find_map(|running| running.task.reason())
    }

    /// Removes the files of all sockets.
    fn hide_sockets(&mut self) {
        self.starts.clear();
        self.requests.hide();
        let places = self.tasks.values_mut();
        for place in places.filter_map(|running| running.place.as_mut()) {
            place.hide();
        }
    }
}
