//! The watchers of a run: other processes that show it, or ask how far it is.
//!
//! Keeps what is known of the run, so that a watcher that comes late gets the picture first, and then the changes, at
//! most twenty times a second. The run never waits for a watcher. One that is too slow misses frames and output, is told
//! so, and gets the picture anew when it has caught up. Who may watch, and what else can be asked, is decided by the run.

mod queue;

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::client;
use crate::eta::{ByTime, Forecast, Past};
use crate::event::{
    Cause, Event, FinalState, Observed, Place, Reason, RunHead, Step, Stream, Surroundings, TaskId,
    Waiting, What,
};
use crate::flow::{Credit, Permit};
use crate::journal::{MOMENT, Memory};
use crate::model::batch::Batch;
use crate::model::parts::{LIVE_PARTS, Parts};
use crate::model::verdict::Verdicts;
use crate::protocol::Progress;
use crate::socket;
use crate::wire::{self, Shown, Status, WatchEncoder};

use super::Sink;
use super::census::Census;

use self::queue::{Frame, Queue};

const FRAME: Duration = Duration::from_millis(50);
/// How many bytes of events are gathered between frames.
const GATHER: usize = 64 * 1024;
/// How many live parts of a task are kept: more than fit on a screen, and not the memory of bars once more.
const PARTS: usize = 100;
/// How much of what a task has printed last a new watcher is shown, in bytes; and in pieces, each of which costs a hundred
/// bytes. A lone command has more than one of many.
const TAIL: (usize, usize) = (16 * 1024, 500);
const TAIL_OF_MANY: (usize, usize) = (4 * 1024, 50);

/// What of a run does not change.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The name of the run.
    pub(crate) name: String,
    /// The command; of many tasks, the template.
    pub(crate) command: Vec<OsString>,
    /// When it began.
    pub(crate) began: SystemTime,
    /// Whether it is away from its terminal.
    pub(crate) detached: bool,
    /// What the run remembers of earlier ones.
    pub(crate) memory: Option<Memory>,
    /// How the output of many tasks is shown; none: the run has one command.
    pub(crate) shown: Option<Shown>,
}

/// The watchers of a run, and what they have to know.
#[derive(Debug)]
pub(crate) struct Watchers {
    identity: Identity,
    tasks: BTreeMap<TaskId, Task>,
    /// What there is only in a run of many tasks.
    many: Option<Many>,
    stop: Stop,
    queues: Vec<Queue>,
    encoder: WatchEncoder,
    /// What happened since the last frame, as lines; and how many bytes of output are in it.
    frame: String,
    output: u64,
    /// Whether any report waits for the next frame.
    pending: bool,
    last_frame: Duration,
    news: bool,
    /// How many steps of stops there were.
    steps: u64,
    /// The end of the run as events, once it is known: a picture of the run needs it, too.
    last_words: String,
    /// What earlier runs say, and say of the only task. They are asked for when the first process wants to know.
    past: OnceCell<Vec<Past>>,
    forecast: OnceCell<Option<Forecast>>,
}

#[derive(Debug)]
struct Many {
    census: Census,
    command: Vec<OsString>,
    waiting: Vec<Waiting>,
}

/// A running task.
#[derive(Debug)]
struct Task {
    name: String,
    command: Vec<OsString>,
    pid: Option<i32>,
    began: Duration,
    /// Its slot, and the number of the attempt.
    slot: u32,
    attempt: u32,
    parts: Parts,
    has_reported: bool,
    stop: Stop,
    paused: bool,
    observed: Option<Observed>,
    ended: Option<FinalState>,
    /// A malformed line was told of.
    warned: bool,
    /// The reports that watchers were not told yet, merged, each with its format.
    pending: Vec<(Option<&'static str>, Progress<'static>)>,
    /// What it has printed last.
    tail: Tail,
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, Default)]
struct Stop {
    request: Option<(Duration, Reason, Step, Option<Duration>)>,
    last: Option<(Duration, Cause, Step, Option<Duration>)>,
}

/// The last pieces of output.
#[derive(Debug, Default)]
struct Tail {
    pieces: VecDeque<(Stream, Arc<Vec<u8>>, Verdicts)>,
    length: usize,
}

impl Watchers {
    /// Of a run that begins now.
    #[must_use]
    pub(crate) fn new(identity: Identity) -> Self {
        let mut tasks = BTreeMap::new();
        let many = identity.shown.map(|_| Many {
            census: Census::new(identity.name.clone()),
            command: identity.command.clone(),
            waiting: Vec::new(),
        });
        if many.is_none() {
            let task = Task {
                name: identity.name.clone(),
                command: identity.command.clone(),
                ..Task::default()
            };
            tasks.insert(TaskId::FIRST, task);
        }
        Self {
            identity,
            tasks,
            many,
            stop: Stop::default(),
            queues: Vec::new(),
            encoder: WatchEncoder::default(),
            frame: String::new(),
            output: 0,
            pending: false,
            last_frame: Duration::ZERO,
            news: false,
            steps: 0,
            last_words: String::new(),
            past: OnceCell::new(),
            forecast: OnceCell::new(),
        }
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.queues.len()
    }

    /// How many steps of stops there were so far.
    #[must_use]
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    fn event(&mut self, event: &Event<'_>) {
        if self.is_end(event) {
            self.last_words.clear();
            WatchEncoder::default().event(event, &mut self.last_words);
        }
        if self.queues.is_empty() {
            self.note(event);
            return;
        }
        self.news = true;
        if let What::Progress(batch) = &event.what {
            self.note(event);
            self.report(event, batch);
            return;
        }
        // Before the task is forgotten, if this is its end.
        self.write_pending(event.at);
        self.note(event);
        if let What::Output { bytes, .. } = &event.what {
            self.output += bytes.len() as u64;
        }
        self.encoder.event(event, &mut self.frame);
        if self.frame.len() > GATHER {
            self.seal();
        }
    }

    /// Whether nothing is told of the run after it but the rest of the output.
    fn is_end(&self, event: &Event<'_>) -> bool {
        match event.what {
            What::End(_) => true,
            What::Finished(_) => self.many.is_none(),
            _ => false,
        }
    }

    /// Notes what a watcher that comes later has to know.
    fn note(&mut self, event: &Event<'_>) {
        if matches!(event.what, What::Cancelling { .. } | What::Stopping { .. }) {
            self.steps += 1;
        }
        if let Some(many) = &mut self.many {
            many.census.event(event);
            many.census.forget_ended();
            match (&event.what, event.task) {
                (What::Waiting(waiting), _) => many.waiting = waiting.to_vec(),
                (What::Finished(_), Some(task)) => {
                    self.tasks.remove(&task);
                    return;
                }
                _ => {}
            }
        }
        let of_run = match self.many {
            Some(_) => None,
            None => Some(TaskId::FIRST),
        };
        let Some(id) = event.task.or(of_run) else {
            self.stop.note(event);
            return;
        };
        if let What::Started {
            name,
            command,
            pid,
            place,
            ..
        } = &event.what
        {
            let task = self.tasks.entry(id).or_default();
            *task = Task {
                name: (*name).to_owned(),
                command: command.to_vec(),
                pid: *pid,
                // The only task of a run has its times from those of the run.
                began: place.map_or(Duration::ZERO, |_| event.at),
                slot: place.map_or(1, |place| place.slot),
                attempt: place.map_or(1, |place| place.attempt),
                stop: task.stop,
                ..Task::default()
            };
            return;
        }
        let tail = self.many.as_ref().map_or(TAIL, |_| TAIL_OF_MANY);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.note(event, tail);
            if let (What::Progress(_), Some(Some(forecast))) =
                (&event.what, self.forecast.get_mut())
            {
                task.compare(forecast, event.at);
            }
        }
    }

    /// A report is told with the next frame, with those that come before it.
    fn report(&mut self, event: &Event<'_>, batch: &Batch) {
        let Some((id, task)) = event
            .task
            .and_then(|id| Some((id, self.tasks.get_mut(&id)?)))
        else {
            return;
        };
        self.pending = true;
        for report in &batch.parts {
            let mut known = task.pending.iter_mut();
            match known.rfind(|(_, known)| known.id == report.id) {
                Some((source, known)) if known.status.is_none() && *source == batch.source => {
                    known.merge(report);
                }
                _ => {
                    if task.pending.len() >= LIVE_PARTS {
                        task.write_pending(id, event.at, &mut self.frame);
                    }
                    task.pending.push((batch.source, report.clone()));
                }
            }
        }
        if let Some(bad) = batch.first_malformed.as_ref().filter(|_| !task.warned) {
            task.warned = true;
            WatchEncoder::malformed(bad, id, event.at, &mut self.frame);
        }
        if self.frame.len() > GATHER {
            self.seal();
        }
    }

    /// Writes the reports that wait, so that what follows comes after them.
    fn write_pending(&mut self, at: Duration) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        for (id, task) in &mut self.tasks {
            task.write_pending(*id, at, &mut self.frame);
        }
    }

    /// Hands what was gathered to the watchers.
    fn seal(&mut self) {
        if self.frame.is_empty() {
            return;
        }
        let frame = Frame {
            lines: Arc::new(std::mem::take(&mut self.frame).into_bytes()),
            output: std::mem::take(&mut self.output),
        };
        for queue in &mut self.queues {
            queue.push(&frame);
            // Some of it may be read before there is more: output comes faster than frames.
            queue.write();
        }
    }

    /// A watcher comes. It may want a file for what it has not read at the end.
    pub(crate) fn add(&mut self, stream: UnixStream, wants_file: bool, at: Duration) {
        self.write_pending(at);
        self.seal();
        self.queues.retain(Queue::is_open);
        let mut queue = Queue::new(stream);
        if wants_file {
            queue.hand_file();
        }
        queue.push(&self.picture(at, TAIL.0));
        queue.write();
        self.queues.push(queue);
        self.news = true;
    }

    fn due(&self) -> Option<Duration> {
        let waits = self.news || self.queues.iter().any(Queue::has_something);
        (waits && !self.queues.is_empty()).then(|| self.last_frame + FRAME)
    }

    fn tick(&mut self, at: Duration) {
        if self.due().is_some_and(|due| due <= at) {
            self.tell(at);
        }
    }

    fn tell(&mut self, at: Duration) {
        self.last_frame = at;
        self.news = false;
        self.write_pending(at);
        self.seal();
        for index in 0..self.queues.len() {
            self.queues[index].write();
            if let Some(missed) = self.queues[index].has_caught_up() {
                self.renew(index, missed, at);
                self.queues[index].write();
            }
        }
        self.queues.retain(Queue::is_open);
    }

    /// Gives a watcher that has missed so many bytes of output the picture anew.
    fn renew(&mut self, index: usize, missed: u64, at: Duration) {
        // Of many tasks it is not known which of them printed what was missed, or whether it was shown before.
        let most = self.many.as_ref().map_or(TAIL.0, |_| 0);
        let tail = usize::try_from(missed).map_or(most, |missed| missed.min(most));
        let picture = self.picture(at, tail);
        let mut line = String::new();
        WatchEncoder::dropped(missed - picture.output, at, &mut line);
        let line = Frame {
            lines: Arc::new(line.into_bytes()),
            output: 0,
        };
        self.queues[index].append(&line);
        self.queues[index].append(&picture);
    }

    /// Tells the watchers alone, and at once.
    pub(crate) fn tell_at_once(&mut self, event: &Event<'_>) {
        if !self.queues.is_empty() {
            self.write_pending(event.at);
            self.encoder.event(event, &mut self.frame);
            self.tell(event.at);
        }
    }

    /// The run is over, as this line says: the watchers get the rest.
    pub(crate) fn end(&mut self, at: Duration, line: &str) {
        if self.queues.is_empty() {
            return;
        }
        self.tell(at);
        let last = Frame {
            lines: Arc::new(line.into()),
            output: 0,
        };
        for index in 0..self.queues.len() {
            if let Some(missed) = self.queues[index].will_catch_up() {
                self.renew(index, missed, at);
            }
            self.queues[index].append(&last);
        }
        queue::write_last(&mut self.queues);
        self.queues.clear();
    }

    /// How the run is now.
    #[must_use]
    pub(crate) fn status(&self, at: Duration) -> Status<'_> {
        let identity = &self.identity;
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let mut status = Status::of(pid, &identity.name, at);
        status.parent = parent();
        status.command = words(&identity.command);
        let folder = std::env::current_dir().ok();
        status.directory = folder.map(|it| it.to_string_lossy().into_owned().into());
        status.began = Some(time(identity.began).into());
        status.detached = identity.detached;
        status.work = identity.memory.as_ref().map(|memory| wire::Work {
            form: memory.work().form().word().to_owned(),
            name: memory.work().name().map(str::to_owned),
        });
        status.shown = identity.shown;
        let mut asked = &self.stop;
        if let Some(many) = &self.many {
            many.describe(&mut status, at, &self.tasks, self.past(at));
        } else if let Some(task) = self.tasks.get(&TaskId::FIRST) {
            task.describe(&mut status, at);
            if let Some(forecast) = self.forecast(task, at) {
                task.foresee(forecast, &mut status, at);
            }
            asked = &task.stop;
        }
        match asked.step(at) {
            Some((step, left)) => status.stopping(step, left),
            None => status,
        }
    }

    /// What earlier runs of the same work say of this one, if it is long enough to have use for that.
    fn forecast(&self, task: &Task, at: Duration) -> Option<&Forecast> {
        if at < MOMENT {
            return None;
        }
        let forecast = || {
            let mut forecast = Forecast::new(self.past(at).to_vec())?;
            for (time, done, left) in task.parts.course() {
                forecast.record(*time, *done, *left);
            }
            Some(forecast)
        };
        self.forecast.get_or_init(forecast).as_ref()
    }

    /// The earlier runs of the same work; none before they are of use.
    fn past(&self, at: Duration) -> &[Past] {
        match &self.identity.memory {
            Some(memory) if at >= MOMENT => self.past.get_or_init(|| memory.past()),
            _ => &[],
        }
    }

    /// What a watcher has to know first, with at most so many bytes of the output that came before.
    fn picture(&self, at: Duration, tail: usize) -> Frame {
        let mut lines = self.status(at).to_line();
        let mut encoder = WatchEncoder::default();
        let mut output = 0;
        let mut tell = |task: Option<TaskId>, at: Duration, what: What<'_>| {
            if let What::Output { bytes, .. } = &what {
                output += bytes.len() as u64;
            }
            encoder.event(&Event { task, at, what }, &mut lines);
        };
        if let Some(many) = &self.many {
            let census = &many.census;
            tell(
                None,
                Duration::ZERO,
                What::Run(&RunHead {
                    name: &census.name,
                    jobs: census.jobs,
                    total: census.total,
                    command: &many.command,
                }),
            );
        }
        for (id, task) in &self.tasks {
            task.tell(*id, self.many.is_some(), at, tail, &mut tell);
        }
        if let Some(many) = &self.many {
            let census = &many.census;
            tell(None, at, What::Counted(census.counts, census.estimate()));
            if let Some(halted) = census.halted {
                tell(None, at, What::Halted(halted));
            }
            self.stop.tell(None, &mut tell);
            tell(None, at, What::Waiting(&many.waiting));
        }
        lines.push_str(&self.last_words);
        Frame {
            lines: Arc::new(lines.into_bytes()),
            output,
        }
    }
}

/// The run keeps the watchers, too: it knows who comes.
impl Sink for Rc<RefCell<Watchers>> {
    fn event(&mut self, event: &Event<'_>) {
        self.borrow_mut().event(event);
    }

    fn due(&self) -> Option<Duration> {
        self.borrow().due()
    }

    fn tick(&mut self, elapsed: Duration) {
        self.borrow_mut().tick(elapsed);
    }

    /// The end of a run does not wait for its watchers.
    fn flush(&mut self, _permit: &Permit) {}

    fn abandon(&mut self) {}
}

/// The run inside which this one was started; none, or one that is over: there is no such run.
fn parent() -> Option<i32> {
    let path = std::env::var_os(client::SOCKET)?;
    socket::owner(Path::new(&path))
}

fn words(words: &[OsString]) -> Vec<Cow<'_, str>> {
    words.iter().map(|word| word.to_string_lossy()).collect()
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

impl Many {
    #[expect(clippy::cast_precision_loss, reason = "no list is that long")]
    fn describe(
        &self,
        status: &mut Status<'_>,
        at: Duration,
        tasks: &BTreeMap<TaskId, Task>,
        past: &[Past],
    ) {
        let census = &self.census;
        let counts = census.counts;
        status.tasks = Some(wire::Tasks {
            jobs: census.jobs,
            running: census.runs(),
            completed: counts.completed,
            failed: counts.failed + counts.lost,
            cancelled: counts.cancelled,
            skipped: counts.skipped,
        });
        status.progress = Some(counts.over() as f64);
        status.total = census.of().map(|total| total as f64);
        let own = |task: TaskId| tasks.get(&task).and_then(|task| task.remaining(at));
        let shares = tasks.values().filter_map(|task| task.fraction(at));
        let share = census.fraction(shares.sum());
        status.percentage = share.map(|share| share * 100.0);
        let (left, is_expected) = census.left(at, past, own);
        status.eta = left.map(Into::into);
        status.eta_is_estimated = is_expected && left.is_some();
        status.state = if census.halted.is_some() {
            "halted"
        } else {
            "running"
        }
        .into();
    }
}

impl Default for Task {
    fn default() -> Self {
        Self {
            name: String::new(),
            command: Vec::new(),
            pid: None,
            began: Duration::ZERO,
            slot: 1,
            attempt: 1,
            parts: Parts::with_room(PARTS),
            has_reported: false,
            stop: Stop::default(),
            paused: false,
            observed: None,
            ended: None,
            warned: false,
            pending: Vec::new(),
            tail: Tail::default(),
        }
    }
}

impl Task {
    fn note(&mut self, event: &Event<'_>, tail: (usize, usize)) {
        match &event.what {
            What::Progress(batch) => {
                let time = event.at.saturating_sub(self.began);
                for report in &batch.parts {
                    self.parts.apply(report, batch.source, time);
                }
                self.has_reported = true;
            }
            What::Output {
                stream,
                bytes,
                verdicts,
                ..
            } => self.tail.push(*stream, bytes, verdicts, tail),
            What::Observed(observed) => self.observed = Some((*observed).clone()),
            What::Paused(paused) => self.paused = *paused,
            What::Finished(summary) => self.ended = Some(summary.state),
            _ => self.stop.note(event),
        }
    }

    /// Writes the reports that wait.
    fn write_pending(&mut self, id: TaskId, at: Duration, lines: &mut String) {
        for (source, report) in self.pending.drain(..) {
            WatchEncoder::report(source, &report, id, at, lines);
        }
    }

    /// Has the forecast see how far the task is.
    fn compare(&self, forecast: &mut Forecast, at: Duration) {
        let time = at.saturating_sub(self.began);
        let whole = &self.parts.task;
        if let Some(done) = whole.fraction(time) {
            forecast.record(time, done, whole.remaining(time));
        }
    }

    fn fraction(&self, at: Duration) -> Option<f64> {
        self.parts.task.fraction(at.saturating_sub(self.began))
    }

    fn remaining(&self, at: Duration) -> Option<Duration> {
        self.parts.task.remaining(at.saturating_sub(self.began))
    }

    fn describe<'a>(&'a self, status: &mut Status<'a>, at: Duration) {
        let time = at.saturating_sub(self.began);
        status.name = self.name.as_str().into();
        status.command = words(&self.command);
        let whole = &self.parts.task;
        if let Some(known) = whole.current(time) {
            let text = |text: &'a Option<Cow<'static, str>>| text.as_deref().map(Into::into);
            status.progress = known.progress;
            status.total = known.total;
            status.unit = text(&known.unit);
            status.message = text(&known.message);
        }
        if let Some((over, named)) = whole.tally() {
            #[expect(clippy::cast_precision_loss, reason = "a count to show")]
            let counts = (over as f64, named as f64);
            (status.progress, status.total) = (Some(counts.0), Some(counts.1));
        }
        status.percentage = whole.fraction(time).map(|share| share * 100.0);
        status.eta = whole.remaining(time).map(Into::into);
        status.state = match self.ended {
            Some(state) => state.word(),
            None if self.paused => "stopped",
            None => "running",
        }
        .into();
    }

    /// What earlier runs say, where the task itself says less: how far it is by time, and how long it has left.
    fn foresee(&self, forecast: &Forecast, status: &mut Status<'_>, at: Duration) {
        let time = at.saturating_sub(self.began);
        let left = match (status.percentage, forecast.by_time(time)) {
            (Some(_), _) => self.parts.task.forecast(forecast, time),
            (None, Some(ByTime::Usually { done, left, .. })) if !self.has_reported => {
                status.percentage = Some(done * 100.0);
                status.percentage_is_estimated = true;
                Some(left)
            }
            (None, _) => None,
        };
        if let Some(left) = left {
            status.eta = Some(left.into());
            status.eta_is_estimated = true;
        }
    }

    /// Tells all that is known of it.
    fn tell(
        &self,
        id: TaskId,
        is_of_many: bool,
        at: Duration,
        tail: usize,
        tell: &mut dyn FnMut(Option<TaskId>, Duration, What<'_>),
    ) {
        let task = Some(id);
        if self.pid.is_some() || is_of_many {
            let place = is_of_many.then_some(Place {
                slot: self.slot,
                attempt: self.attempt,
                input: None,
                named: false,
                nth: 1,
                extra: None,
                surroundings: Surroundings::default(),
            });
            tell(
                task,
                self.began,
                What::Started {
                    host: None,
                    name: &self.name,
                    command: &self.command,
                    pid: self.pid,
                    place,
                },
            );
        }
        let permit = Credit::new(usize::MAX, || ()).permit(0);
        self.tail.tell(task, at, tail, &permit, tell);
        if self.has_reported {
            tell(task, at, What::Known(&self.parts));
        }
        if let Some(observed) = &self.observed {
            tell(task, at, What::Observed(observed));
        }
        if self.paused {
            tell(task, at, What::Paused(true));
        }
        self.stop.tell(task, tell);
    }
}

impl Stop {
    fn note(&mut self, event: &Event<'_>) {
        match event.what {
            What::Cancelling { reason, step, left } => {
                self.request = Some((event.at, reason, step, left));
                self.last = None;
            }
            What::Stopping { cause, step, left } => {
                self.last = Some((event.at, cause, step, left));
            }
            _ => {}
        }
    }

    /// The step that the stop has come to, and how long that has until time alone takes the next one.
    fn step(&self, now: Duration) -> Option<(Step, Option<Duration>)> {
        let request = self.request.map(|(at, _, step, left)| (at, step, left));
        let last = self.last.map(|(at, _, step, left)| (at, step, left));
        let (at, step, left) = last.or(request)?;
        Some((
            step,
            left.map(|left| at.saturating_add(left).saturating_sub(now)),
        ))
    }

    fn tell(&self, task: Option<TaskId>, tell: &mut dyn FnMut(Option<TaskId>, Duration, What<'_>)) {
        if let Some((at, reason, step, left)) = self.request {
            tell(task, at, What::Cancelling { reason, step, left });
        }
        if let Some((at, cause, step, left)) = self.last {
            tell(task, at, What::Stopping { cause, step, left });
        }
    }
}

impl Tail {
    fn push(
        &mut self,
        stream: Stream,
        bytes: &Arc<Vec<u8>>,
        verdicts: &Verdicts,
        (most, pieces): (usize, usize),
    ) {
        // Of a large piece only the last lines are kept, or a few hundred tasks would take much memory.
        let from = match bytes.len().saturating_sub(most) {
            0 => 0,
            from => memchr::memchr(b'\n', &bytes[from - 1..]).map_or(from, |end| from + end),
        };
        let (mut kept, mut verdicts) = (Arc::clone(bytes), verdicts.clone());
        if from > 0 {
            kept = Arc::new(bytes[from..].to_vec());
            let _ = verdicts.split_to(from);
        }
        self.length += kept.len();
        self.pieces.push_back((stream, kept, verdicts));
        while let Some((_, first, _)) = self.pieces.front() {
            if self.length - first.len() < most && self.pieces.len() <= pieces {
                return;
            }
            self.length -= first.len();
            self.pieces.pop_front();
        }
    }

    /// Tells the last bytes, at most so many, from the begin of a line on.
    fn tell(
        &self,
        task: Option<TaskId>,
        at: Duration,
        most: usize,
        permit: &Permit,
        tell: &mut dyn FnMut(Option<TaskId>, Duration, What<'_>),
    ) {
        let mut to_cut = self.length.saturating_sub(most);
        for (stream, bytes, verdicts) in &self.pieces {
            if to_cut >= bytes.len() {
                to_cut -= bytes.len();
                continue;
            }
            let (mut bytes, mut verdicts) = (Arc::clone(bytes), verdicts.clone());
            if to_cut > 0 {
                let rest = &bytes[to_cut..];
                let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                let from = bytes.len() - rest.len() + line;
                let _ = verdicts.split_to(from);
                bytes = Arc::new(bytes[from..].to_vec());
                to_cut = 0;
            }
            let what = What::Output {
                stream: *stream,
                bytes: &bytes,
                verdicts: &verdicts,
                permit,
            };
            tell(task, at, what);
        }
    }
}
