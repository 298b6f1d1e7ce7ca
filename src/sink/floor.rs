//! Who may show output now, in a run of many tasks: all at once, one attempt after the other as they end, or in the
//! order of the list.
//!
//! Wraps the sinks that show. They learn of everything else at once; output waits in the spool until its attempt has
//! the floor, and is then handed on in pieces, no faster than it is written, so that the run loop never waits. An
//! attempt that has the floor and still runs shows live. When the spool is full, an attempt gets the floor before its
//! end, and the output of the others is held with its permits, so that their children wait in `write`: the run is
//! slower, and nothing is lost. Knows neither the screen nor the places.

mod group;
mod piece;
mod spool;
mod stage;
mod tag;
mod turn;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, FinalState, Reason, Summary, TaskId, What};
use crate::flow::{Credit, Permit};
use crate::reason::reason;

use self::group::{Group, Progress};
use self::piece::Piece;
use self::spool::Spool;
use self::stage::Stage;
use self::tag::Tags;
use self::turn::Turn;
use super::display::Show;
use super::writer::{OnGone, unread};
use super::{Joining, Sink};

/// How many bytes of kept output may be under way to the places.
const UNDER_WAY: usize = 1024 * 1024;
/// How many bytes are shown in one turn of the run loop: a file is written to directly, and takes whatever comes.
const AT_ONCE: usize = 1024 * 1024;
/// How much output of ended attempts may be held. Beyond it no further task begins.
const HELD: usize = 16 * 1024 * 1024;
/// How many ended attempts may wait to be shown. Beyond it no further task begins.
pub(crate) const MOST_WAITING: usize = 10_000;
/// How long the others wait for a task whose turn it is and that does not run, once they can go on in no other way.
const PATIENCE: Duration = Duration::from_secs(1);

/// When output is shown, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    when: When,
    what: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// As it comes.
    AtOnce,
    /// When its attempt is over.
    AtTheEnd,
    /// When all tasks before its task are over.
    InOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    /// That of attempts that did not complete.
    OfFailures,
    None,
}

impl Rule {
    /// The rule for this wish; `in_order`: where output is kept, it is shown in the order of the list.
    pub(super) fn new(show: Show, in_order: bool) -> Self {
        let what = match show {
            Show::Stream | Show::Lines | Show::Group => Which::All,
            Show::OnFailure => Which::OfFailures,
            Show::None => Which::None,
        };
        let when = match show {
            Show::Stream | Show::Lines | Show::None => When::AtOnce,
            Show::Group | Show::OnFailure if in_order => When::InOrder,
            Show::Group | Show::OnFailure => When::AtTheEnd,
        };
        Self { when, what }
    }

    /// Whether output of several attempts at once is kept apart.
    pub(super) fn keeps(self) -> bool {
        self.when != When::AtOnce
    }
}

/// The holder of the terminal. While it is lent, the output of all others waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminal {
    Ours,
    /// Lent to this task; none: it is not known yet to which.
    Lent(Option<TaskId>),
}

/// What a floor stands on.
pub(super) struct Ground {
    /// Learns of everything.
    pub(super) screen: Option<Box<dyn Sink>>,
    /// Learn of output and of ends, each end behind its output.
    pub(super) places: Vec<Box<dyn Sink>>,
    pub(super) rule: Rule,
    /// Each line begins with the name of its task; whether that has a color, on stdout and on stderr.
    pub(super) tags: Option<[bool; 2]>,
    /// Opens the file of the spool.
    pub(super) open: fn() -> io::Result<File>,
    /// Has [`tick`](Sink::tick) called soon.
    pub(super) wake: Arc<dyn Fn() + Send + Sync>,
    /// Told if output is lost.
    pub(super) on_lost: OnGone,
    /// Takes a sentence for the user.
    pub(super) warn: Box<dyn Fn(String)>,
}

/// The right to show output.
pub(super) struct Floor {
    stage: Stage,
    rule: Rule,
    tags: Option<Tags>,
    spool: Spool,
    credit: Credit,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// A call of `tick` was asked for, and has not come.
    is_called: bool,
    open: fn() -> io::Result<File>,
    on_lost: OnGone,
    warn: Box<dyn Fn(String)>,
    /// The sentence about the full spool, and that about lost output, were told.
    has_warned: bool,
    has_lost: bool,
    /// The tasks of which an attempt runs.
    runs: Vec<TaskId>,
    /// The output of attempts that run, in the order of their first output.
    running: Vec<Group>,
    /// Ended attempts, in the order in which they are shown.
    waiting: VecDeque<Group>,
    /// How many bytes of these are held.
    held: usize,
    /// The ended attempt that has the floor.
    showing: Option<Group>,
    /// The task that has the floor out of turn, while its attempt runs.
    live: Option<TaskId>,
    turn: Turn,
    terminal: Terminal,
    /// Given on when all is shown. While there are any, no further output comes, and gaps in the list do not count.
    flushes: Vec<Permit>,
    /// Since when a task that does not run has held up the others.
    stuck_since: Option<Duration>,
}

impl Floor {
    #[must_use]
    pub(super) fn new(ground: Ground) -> Self {
        Self {
            stage: Stage::new(ground.screen, ground.places),
            rule: ground.rule,
            tags: ground.tags.map(Tags::new),
            spool: Spool::new(ground.open),
            credit: credit(&ground.wake),
            wake: ground.wake,
            is_called: false,
            open: ground.open,
            on_lost: ground.on_lost,
            warn: ground.warn,
            has_warned: false,
            has_lost: false,
            runs: Vec::new(),
            running: Vec::new(),
            waiting: VecDeque::new(),
            held: 0,
            showing: None,
            live: None,
            turn: Turn::default(),
            terminal: Terminal::Ours,
            flushes: Vec::new(),
            stuck_since: None,
        }
    }

    fn output(&mut self, event: &Event<'_>) {
        let What::Output {
            stream,
            bytes,
            verdicts,
            permit,
        } = &event.what
        else {
            return;
        };
        let task = event.task.unwrap_or(TaskId::FIRST);
        if self.rule.what == Which::None || bytes.is_empty() {
            return;
        }
        let known = self.running.iter().position(|group| group.task == task);
        let has_floor = self.has_floor(task);
        if has_floor && known.is_none() && self.tags.is_none() {
            self.stage.tell(event);
            return;
        }
        let index = known.unwrap_or_else(|| {
            let tag = self.tags.as_mut().and_then(|tags| tags.take(task));
            self.running.push(Group::new(task, tag));
            self.running.len() - 1
        });
        let keeps = !has_floor && self.rule.keeps();
        if keeps && self.spool.is_crowded() {
            self.make_room();
        }
        let group = &mut self.running[index];
        if keeps && group.keep(&mut self.spool, *stream, bytes, verdicts) {
            return;
        }
        let piece = Piece {
            stream: *stream,
            bytes: Arc::clone(bytes),
            verdicts: (*verdicts).clone(),
        };
        if has_floor && group.is_empty() && !(group.is_tagged() && self.credit.exhausted()) {
            let permit = (*permit).clone();
            group.put(&mut self.stage, &self.credit, piece, Some(permit));
            return;
        }
        group.hold(piece, (*permit).clone());
        if keeps {
            self.warn_of_full_spool();
        }
        self.advance();
    }

    /// Whether output of a task that runs can go on at once, or as soon as all that waits before it has.
    fn has_floor(&self, task: TaskId) -> bool {
        if !self.rule.keeps() {
            return self.showing.is_none();
        }
        match self.terminal {
            Terminal::Lent(guest) => guest == Some(task),
            Terminal::Ours => self.showing.is_none() && self.floor() == Some(task),
        }
    }

    /// The task that has the floor while it runs, if no ended attempt has it.
    fn floor(&self) -> Option<TaskId> {
        let in_turn = self.rule.when == When::InOrder && self.rule.what == Which::All;
        self.live.or(in_turn.then(|| self.turn.whose()))
    }

    /// Moves output from the memory to the file, that of ended attempts first, and of these the last one: it will be
    /// shown last.
    fn make_room(&mut self) {
        let ended = self.waiting.iter_mut().rev();
        for group in ended.chain(&mut self.running) {
            group.make_room(&mut self.spool);
            if self.spool.has_memory() || self.spool.is_full() {
                break;
            }
        }
    }

    fn warn_of_full_spool(&mut self) {
        if let Some(error) = self.spool.take_fault()
            && !self.has_warned
        {
            self.has_warned = true;
            let folder = std::env::temp_dir();
            (self.warn)(format!(
                "no more output can be kept in {} (TMPDIR): {}; the output of one task after the other is shown \
                 as it comes, and the other tasks wait",
                folder.display(),
                reason(&error)
            ));
        }
    }

    fn finished(&mut self, event: &Event<'_>, task: TaskId, summary: &Summary) {
        if let Some(index) = self.runs.iter().position(|runs| *runs == task) {
            self.runs.swap_remove(index);
        }
        self.stage.tell_screen(event);
        let known = self.running.iter().position(|group| group.task == task);
        let mut group = known.map(|index| self.running.remove(index));
        if let Some(tags) = &mut self.tags {
            tags.take(task);
        }
        let has_floor = self.live == Some(task) || self.floor() == Some(task);
        let is_shown = match self.rule.what {
            Which::All => true,
            // It was shown in part, because the spool was full.
            Which::OfFailures => wants_reasons(summary) || self.live == Some(task),
            Which::None => false,
        };
        if let Some(group) = &mut group {
            if !is_shown {
                group.clear(&mut self.spool);
            } else if group.is_cut {
                self.lose(&unread());
            }
        }
        let is_next = match self.rule.when {
            When::AtOnce => self.waiting.is_empty(),
            When::AtTheEnd => self.waiting.is_empty() && (has_floor || self.live.is_none()),
            When::InOrder => {
                let is_first = self.waiting.front().is_none_or(|first| first.task > task);
                let has_turn = self.live.is_none() && task <= self.turn.whose();
                is_first && (has_floor || has_turn)
            }
        };
        let is_free = self.showing.is_none() && self.terminal == Terminal::Ours;
        let is_empty = group.as_ref().is_none_or(Group::is_empty);
        if is_free && is_next && is_empty {
            self.stage.shows(task, summary);
            if let Some(group) = &mut group {
                group.show_last_lines(&mut self.stage, &self.credit);
            }
            self.shown(task, summary);
        } else {
            let mut group = group.unwrap_or_else(|| Group::new(task, None));
            group.ends(summary.clone());
            if self.live == Some(task) && self.showing.is_none() {
                // Some of it was shown: the rest is shown before anything else.
                self.showing = Some(group);
            } else {
                group.rests();
                self.held += group.holds();
                let place = match self.rule.when {
                    When::InOrder => self.waiting.partition_point(|other| other.task <= task),
                    _ => self.waiting.len(),
                };
                self.waiting.insert(place, group);
            }
            if self.live == Some(task) {
                self.live = None;
            }
        }
        self.advance();
    }

    /// All output of an attempt was shown.
    fn shown(&mut self, task: TaskId, summary: &Summary) {
        self.stage.shown(task, summary);
        if self.live == Some(task) {
            self.live = None;
        }
        let has_next = summary.attempt.is_some_and(|it| it.retry_in.is_some());
        if self.rule.when == When::InOrder && !has_next {
            self.turn.over(task);
        }
    }

    /// Shows what can be shown now.
    fn advance(&mut self) {
        let mut budget = AT_ONCE;
        while self.step(&mut budget) {}
        self.note_stuck();
        if budget == 0 && !self.is_called {
            self.is_called = true;
            (self.wake)();
        }
        let is_done = self.showing.is_none() && self.waiting.is_empty();
        if is_done && !self.flushes.is_empty() {
            for permit in std::mem::take(&mut self.flushes) {
                self.stage.flush(&permit);
            }
        }
    }

    /// Shows some of what has the floor, or gives the floor on. False: no more can be done now.
    fn step(&mut self, budget: &mut usize) -> bool {
        if self.rule.keeps()
            && let Terminal::Lent(guest) = self.terminal
        {
            if let Some(guest) = guest {
                self.show_running(|task| task == guest, budget);
            }
            return false;
        }
        if let Some(group) = self.showing.take() {
            return self.show_ended(group, budget);
        }
        if let Some(group) = self.next() {
            self.showing = Some(group);
            return true;
        }
        if !self.rule.keeps() {
            self.show_running(|_| true, budget);
            return false;
        }
        if self.live.is_none()
            && self.spool.is_full()
            && let Some(task) = self.first_held()
        {
            self.live = Some(task);
        }
        if let Some(floor) = self.floor() {
            self.show_running(|task| task == floor, budget);
        }
        self.keep_held();
        false
    }

    /// The next ended attempt to be shown, if it can be now.
    fn next(&mut self) -> Option<Group> {
        if self.live.is_some() {
            return None;
        }
        let first = self.waiting.front()?.task;
        if self.rule.when == When::InOrder && first > self.turn.whose() {
            if self.flushes.is_empty() {
                return None;
            }
            self.turn.jump_to(first);
        }
        let group = self.waiting.pop_front()?;
        self.held -= group.holds();
        Some(group)
    }

    fn show_ended(&mut self, mut group: Group, budget: &mut usize) -> bool {
        let Some(summary) = group.end().cloned() else {
            return true;
        };
        if !group.is_announced {
            group.is_announced = true;
            self.stage.shows(group.task, &summary);
        }
        let progress = group.show(&mut self.spool, &mut self.stage, &self.credit, budget);
        match progress {
            Ok(Progress::All) => {}
            Ok(Progress::Waits | Progress::Enough) => {
                self.showing = Some(group);
                self.keep_held();
                return false;
            }
            Err(error) => {
                self.lose(&error);
                self.showing = Some(group);
                return true;
            }
        }
        group.show_last_lines(&mut self.stage, &self.credit);
        self.shown(group.task, &summary);
        self.keep_held();
        true
    }

    /// Shows what waits of the running attempts of these tasks.
    fn show_running(&mut self, which: impl Fn(TaskId) -> bool, budget: &mut usize) {
        let mut faults = Vec::new();
        for group in &mut self.running {
            if which(group.task) && !group.is_empty() {
                let shown = group.show(&mut self.spool, &mut self.stage, &self.credit, budget);
                faults.extend(shown.err());
            }
        }
        for fault in faults {
            self.lose(&fault);
        }
    }

    /// The first task that is held because the spool is full, and can have the floor before its end.
    fn first_held(&self) -> Option<TaskId> {
        let held = self.running.iter().find(|group| match self.rule.when {
            When::AtOnce => false,
            When::AtTheEnd => group.is_held(),
            When::InOrder => {
                self.rule.what == Which::OfFailures
                    && group.is_held()
                    && group.task <= self.turn.whose()
            }
        });
        held.map(|group| group.task)
    }

    /// Keeps held output of those that do not have the floor, if there is room again.
    fn keep_held(&mut self) {
        if self.spool.may_have_room() {
            self.keep_all_held();
        }
    }

    fn keep_all_held(&mut self) {
        if !self.rule.keeps() {
            return;
        }
        let floor = self.floor();
        for group in &mut self.running {
            if Some(group.task) != floor && !group.keep_held(&mut self.spool) {
                break;
            }
        }
    }

    /// Notes whether the others wait for a task that may not run before one of them is over: it may need that one, or
    /// the slot that it takes.
    fn note_stuck(&mut self) {
        let can_be =
            self.rule.when == When::InOrder && (self.spool.is_full() || self.is_overfull());
        let is_stuck = can_be
            && self.showing.is_none()
            && self.live.is_none()
            && self.terminal == Terminal::Ours
            && !self.runs.contains(&self.turn.whose())
            && (self.lowest_held().is_some() || self.runs.is_empty() && self.is_overfull());
        if !is_stuck {
            self.stuck_since = None;
        } else if self.stuck_since.is_none() {
            self.stuck_since = Some(self.stage.now());
        }
    }

    fn lowest_held(&self) -> Option<TaskId> {
        let held = self.running.iter().filter(|group| group.is_held());
        held.map(|group| group.task).min()
    }

    /// Whether no further task begins.
    fn is_overfull(&self) -> bool {
        self.backlog() >= MOST_WAITING
    }

    /// Gives the floor to an attempt whose turn it is not, if all would wait for ever.
    fn get_unstuck(&mut self, now: Duration) {
        if self.stuck_since.is_none_or(|since| now < since + PATIENCE) {
            return;
        }
        self.stuck_since = None;
        if let Some(task) = self.lowest_held() {
            self.live = Some(task);
        } else if let Some(group) = self.waiting.pop_front() {
            self.held -= group.holds();
            self.showing = Some(group);
        }
    }

    /// Tells once that output is lost.
    fn lose(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_lost, true) {
            (self.on_lost)(error);
        }
    }
}

/// The account of output that is shown.
fn credit(wake: &Arc<dyn Fn() + Send + Sync>) -> Credit {
    let wake = Arc::clone(wake);
    Credit::new(UNDER_WAY, move || wake())
}

/// Whether the output may say why an attempt did not complete. A user who stopped it by hand knows why.
fn wants_reasons(summary: &Summary) -> bool {
    match (summary.state, summary.reason) {
        (FinalState::Completed, _)
        | (FinalState::Cancelled, Some(Reason::Interrupt | Reason::Parent)) => false,
        (FinalState::Failed | FinalState::Cancelled | FinalState::Lost, _) => true,
    }
}

impl Sink for Floor {
    fn event(&mut self, event: &Event<'_>) {
        self.stage.set_time(event.at);
        match (&event.what, event.task) {
            (What::Output { .. }, _) => self.output(event),
            (What::Finished(summary), task) => {
                self.finished(event, task.unwrap_or(TaskId::FIRST), summary);
            }
            (What::Started { name, place, .. }, Some(task)) => {
                self.runs.push(task);
                if let Some(tags) = &mut self.tags {
                    tags.begin(task, name, place.map_or(1, |place| place.slot));
                }
                self.stage.tell(event);
            }
            (What::Skipped { .. }, Some(task)) => {
                self.stage.tell(event);
                if self.rule.when == When::InOrder {
                    self.turn.over(task);
                    self.advance();
                }
            }
            (What::Terminal { ours }, task) => {
                self.terminal = if *ours {
                    Terminal::Ours
                } else {
                    Terminal::Lent(task)
                };
                self.stage.tell(event);
                if *ours {
                    // What the task printed while it had the terminal.
                    self.keep_all_held();
                }
                self.advance();
            }
            (What::Closed(stream), _) => {
                self.spool.close(*stream);
                self.stage.tell(event);
                self.advance();
            }
            _ => self.stage.tell(event),
        }
    }

    fn join(&mut self, guest: Joining) -> Option<Joining> {
        self.stage.join(guest)
    }

    fn due(&self) -> Option<Duration> {
        let unstuck = self.stuck_since.map(|since| since + PATIENCE);
        self.stage.due().into_iter().chain(unstuck).min()
    }

    fn tick(&mut self, elapsed: Duration) {
        self.stage.set_time(elapsed);
        self.is_called = false;
        self.stage.tick(elapsed);
        self.get_unstuck(elapsed);
        self.advance();
    }

    fn backlog(&self) -> usize {
        if self.held > HELD {
            return usize::MAX;
        }
        self.waiting.len()
    }

    /// While an attempt runs, only what was handed on is waited for: progrun is about to stop, or to lend the terminal.
    fn flush(&mut self, permit: &Permit) {
        if self.runs.is_empty() {
            self.terminal = Terminal::Ours;
            self.flushes.push(permit.clone());
            self.advance();
        } else {
            self.stage.flush(permit);
        }
    }

    /// The output goes on, of all tasks at once.
    fn fall_back(self: Box<Self>) -> Option<Box<dyn Sink>> {
        let groups = self.running.iter().chain(&self.waiting);
        let is_lost = groups.chain(&self.showing).any(|group| !group.is_empty());
        if is_lost && !self.has_lost {
            (self.on_lost)(&io::Error::other("internal error"));
        }
        let rule = Rule {
            when: When::AtOnce,
            what: self.rule.what,
        };
        Some(Box::new(Self {
            stage: self.stage,
            rule,
            tags: None,
            spool: Spool::new(self.open),
            credit: credit(&self.wake),
            wake: self.wake,
            is_called: false,
            open: self.open,
            on_lost: self.on_lost,
            warn: self.warn,
            has_warned: true,
            has_lost: self.has_lost || is_lost,
            runs: self.runs,
            running: Vec::new(),
            waiting: VecDeque::new(),
            held: 0,
            showing: None,
            live: None,
            turn: Turn::default(),
            terminal: Terminal::Ours,
            flushes: self.flushes,
            stuck_since: None,
        }))
    }

    /// Drops what is not shown: the readers of it may take nothing any more.
    fn abandon(&mut self) {
        let mut is_lost = false;
        for group in self.waiting.iter_mut().chain(&mut self.showing) {
            is_lost |= !group.is_empty();
            group.clear(&mut self.spool);
        }
        self.held = 0;
        for group in &mut self.running {
            group.is_cut |= !group.is_empty();
            group.clear(&mut self.spool);
        }
        if is_lost {
            self.lose(&unread());
        }
        self.stage.abandon();
        // What a stuck reader has not taken counts no more: the others are to get the last lines.
        self.credit = credit(&self.wake);
        self.advance();
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
