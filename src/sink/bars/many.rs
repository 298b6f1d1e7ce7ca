//! What is different in the bars of a run of many tasks.
//!
//! Thousands of tasks may begin and end in a second, so an event costs next to nothing: a task has a view only from its
//! first output or report on, or when it is old enough for a row, and what it leaves to be written waits for the next
//! frame. The output of an attempt that was kept is shown between two events, long after its end if need be, in a view
//! of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dialect::FILES;
use crate::eta::Past;
use crate::event::{
    Event, FinalState, Obstacle, RunSummary, Stream, Summary, TaskId, Waiting, What,
};
use crate::flow::Permit;
use crate::model::verdict::Verdicts;

use super::super::census::{Census, Running, number};
use super::super::closing::{Closing, Look};
use super::super::display;
use super::super::ends;
use super::super::messages;
use super::layout::Line;
use super::rows::{Content, InSlot, Rows};
use super::table::{Entry, OfRun, Others, Table};
use super::view::{Key, View};
use super::{Bars, Begin, GATHER, Late};

/// How many formats of ended attempts are kept. The run begins no task any more long before so many wait to be shown.
const SOURCES: usize = 20_000;

/// The state of a run of many tasks.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a run"
)]
pub(super) struct Many {
    census: Census,
    closing: Closing,
    ends: Option<display::Ends>,
    /// The output of several tasks is shown as it comes.
    is_mixed: bool,
    rows: Rows,
    table: Table,
    waiting: Vec<Waiting>,
    /// The ended attempt whose output is shown now.
    group: Option<Group>,
    /// How many there were.
    groups: u64,
    /// The formats of the ended attempts whose lines a bar has shown already, until their output is shown.
    sources: BTreeMap<(TaskId, u32), &'static str>,
    /// Lines about tasks that ended well before the first frame: the run may be over before it, and is silent then.
    held: Vec<String>,
    /// A line about the end of a task was shown.
    has_told: bool,
    /// How many columns the screen had last.
    width: u16,
    /// How much was done in the last picture, and whether that had something that turns.
    fraction: Option<f64>,
    spins: bool,
    is_over: bool,
}

/// An ended attempt whose output is shown.
#[derive(Clone, Copy, Debug)]
struct Group {
    task: TaskId,
    key: Key,
    ended_well: bool,
    /// The format whose lines a bar has shown already.
    source: Option<&'static str>,
}

impl Many {
    pub(super) fn new(name: String, wishes: display::Many, is_mixed: bool, width: u16) -> Self {
        Self {
            census: Census::new(name),
            closing: Closing::new(wishes.again, wishes.tagged),
            ends: wishes.ends,
            is_mixed,
            rows: Rows::default(),
            table: Table::default(),
            waiting: Vec::new(),
            group: None,
            groups: 0,
            sources: BTreeMap::new(),
            held: Vec::new(),
            has_told: false,
            width,
            fraction: None,
            spins: true,
            is_over: false,
        }
    }

    /// What earlier runs of the list say, newest first.
    pub(super) fn expect(&mut self, past: &[Past]) {
        self.census.expect(past);
    }

    fn note(&mut self, event: &Event<'_>) {
        if let (What::Finished(_), Some(task)) = (&event.what, event.task)
            && let Some(running) = self.census.task(task)
        {
            self.rows.is_free(running.slot, event.at);
        }
        self.census.event(event);
        self.closing.event(event, &self.census);
        if let What::Waiting(waiting) = event.what {
            self.waiting = waiting.to_vec();
        }
    }

    /// The screen has this many columns now.
    pub(super) fn resize(&mut self, width: u16) {
        self.width = width;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.census.stop.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// When a row is due for a task that had none in the last picture.
    pub(super) fn next_row(&self) -> Option<Duration> {
        self.rows.due()
    }

    pub(super) fn spins(&self) -> bool {
        self.spins
    }

    /// How much was done in the last picture, of 1, and whether a task has failed.
    pub(super) fn share(&self) -> (Option<f64>, bool) {
        (
            self.fraction,
            self.census.counts.failed + self.census.counts.lost > 0,
        )
    }

    /// The name of a task that has no view, or of the attempt that is shown.
    pub(super) fn name_of(&self, key: Key) -> Option<&str> {
        match key {
            Key::Task(task) => self.census.task(task).map(|task| task.name.as_str()),
            Key::Shown(_) => Some(&self.census.shown().name),
        }
    }

    fn view(&self, name: &str, began: Duration, in_ascii: bool) -> View {
        let mut view = View::new(name.to_owned(), began, self.width, in_ascii);
        if self.is_mixed && self.census.jobs > 1 {
            view.output.show_whole_lines();
        }
        view
    }
}

impl Bars {
    /// Takes in an event that is different in a run of many tasks; false if it is not, or not only.
    pub(super) fn is_of_many(&mut self, event: &Event<'_>) -> bool {
        let at = event.at;
        if let Some(many) = &mut self.many {
            many.note(event);
        }
        match (&event.what, event.task) {
            (What::Run(head), _) => head.name.clone_into(&mut self.name),
            (What::Total(_) | What::Waiting(_) | What::Started { .. } | What::Counted(..), _) => {}
            (What::Progress(reports), Some(task)) => {
                if reports.source != Some(FILES) {
                    self.see(task, at);
                }
                return false;
            }
            (What::Known(_) | What::Paused(_) | What::Terminal { .. }, Some(task)) => {
                self.see(task, at);
                return false;
            }
            (What::Paused(_), None) => {
                if !self.hold.is_lent() {
                    self.frame(at);
                }
            }
            (
                What::Output {
                    stream: Stream::Stdout,
                    bytes,
                    ..
                },
                _,
            ) if self.aside.is_some() => {
                self.passed_by(bytes, at);
            }
            (
                What::Output {
                    stream,
                    bytes,
                    verdicts,
                    permit,
                },
                Some(task),
            ) => self.output_in_list(task, *stream, (bytes, verdicts), permit, at),
            (What::Cancelling { .. } | What::Stopping { .. }, Some(task)) => {
                self.see(task, at);
                if let Some(view) = self.view(task) {
                    view.stopping(&event.what, at);
                }
            }
            (What::Cancelling { .. } | What::Stopping { .. }, None) => self.run_stopping(at),
            (What::Finished(summary), Some(task)) => {
                // The number of those that are over is a report.
                self.begin = Begin::Soon;
                self.note_source(task, summary);
                self.finished(task, summary, at);
            }
            (
                What::Skipped {
                    name,
                    reason,
                    cause,
                },
                _,
            ) => {
                let wish = self.many.as_ref().and_then(|many| many.ends);
                let skipped = (*name, *reason, *cause);
                let line = ends::skipped(wish, skipped, self.glyphs.with_color());
                self.tell(line, at);
            }
            (What::Halted(halted), _) => {
                let running = self.many.as_ref().map_or(0, |many| many.census.runs());
                if let Some(text) = messages::halted(*halted, running) {
                    self.say(None, &text);
                    self.send_early(at);
                }
            }
            (What::Shows(summary), Some(task)) => self.shows(task, summary, at),
            (What::Shown, _) => self.end_group(at),
            (What::End(end), _) => self.end_run(end, at),
            _ => return false,
        }
        self.news = true;
        true
    }

    /// Gives the task a view, if it runs.
    fn see(&mut self, task: TaskId, at: Duration) {
        let key = Key::Task(task);
        if self.views.contains_key(&key) {
            return;
        }
        let in_ascii = self.glyphs.in_ascii();
        if let Some(many) = &self.many
            && let Some(running) = many.census.task(task)
        {
            let view = many.view(&running.name, running.began.min(at), in_ascii);
            self.views.insert(key, view);
        }
    }

    /// Output of a running task, or of an ended one that is shown now.
    fn output_in_list(
        &mut self,
        task: TaskId,
        stream: Stream,
        text: (&[u8], &Verdicts),
        permit: &Permit,
        at: Duration,
    ) {
        self.see(task, at);
        let group = self.many.as_ref().and_then(|many| many.group);
        let is_shown = self.shows[stream as usize];
        let key = match group.filter(|group| group.task == task) {
            Some(group) => group.key,
            None if self.views.contains_key(&Key::Task(task)) => Key::Task(task),
            // Its end was not told of before; the output is shown all the same.
            None => self.begin_group(task, (true, None), at),
        };
        if !is_shown {
            if let (Key::Task(_), Some(view)) = (key, self.views.get_mut(&key)) {
                view.printed_elsewhere(stream, text.0, at);
            }
            return;
        }
        if let (Key::Shown(_), Some(many)) = (key, &self.many)
            && !self.views.contains_key(&key)
        {
            let name = &many.census.shown().name;
            let mut view = many.view(name, at, self.glyphs.in_ascii());
            if let Some(source) = many.group.and_then(|group| group.source) {
                view.hide(source, at);
            }
            self.views.insert(key, view);
        }
        self.output_of(key, stream, text, permit, at);
    }

    /// The output of an ended attempt follows. Gives the key of its view.
    fn begin_group(
        &mut self,
        task: TaskId,
        (ended_well, source): (bool, Option<&'static str>),
        at: Duration,
    ) -> Key {
        self.end_group(at);
        let Some(many) = &mut self.many else {
            return Key::Task(task);
        };
        many.groups += 1;
        let key = Key::Shown(many.groups);
        many.group = Some(Group {
            task,
            key,
            ended_well,
            source,
        });
        key
    }

    /// Notes which lines of this attempt need not be shown with its output, which may be shown much later.
    fn note_source(&mut self, task: TaskId, summary: &Summary) {
        let source = self.view(task).and_then(|view| view.shown_source());
        if let (Some(source), Some(many)) = (source, &mut self.many) {
            many.sources.insert((task, number(summary)), source);
            if many.sources.len() > SOURCES {
                many.sources.pop_first();
            }
        }
    }

    fn end_group(&mut self, at: Duration) {
        let group = self.many.as_mut().and_then(|many| many.group.take());
        let Some(Group {
            key, ended_well, ..
        }) = group
        else {
            return;
        };
        if self.hold.is_lent() {
            self.late.push(Late::Shown(key, ended_well, at));
        } else {
            self.end_view(key, ended_well, at);
        }
    }

    /// The output of an ended attempt is shown from now on, after a line about its end.
    fn shows(&mut self, task: TaskId, summary: &Summary, at: Duration) {
        let many = self.many.as_mut();
        let source = many.and_then(|many| many.sources.remove(&(task, number(summary))));
        let ended_well = summary.state == FinalState::Completed;
        self.begin_group(task, (ended_well, source), at);
        let with_color = self.glyphs.with_color();
        let has_begun = self.last_frame.is_some();
        let Some(many) = &mut self.many else {
            return;
        };
        if !ends::is_told(many.ends, summary, many.census.total) {
            return;
        }
        let ended = many.census.shown();
        let line = ends::line(&ended.name, summary, ended.limit, with_color);
        if has_begun || ends::is_told_at_once(many.ends, summary) {
            self.tell(Some(line), at);
        } else {
            many.held.push(line);
        }
    }

    /// A line about the end of a task.
    fn tell(&mut self, line: Option<String>, at: Duration) {
        let Some(line) = line else {
            return;
        };
        if self.hold.is_lent() {
            self.late.push(Late::Line(line));
            return;
        }
        if let Some(many) = &mut self.many {
            many.has_told = true;
        }
        self.tell_held();
        self.say_line(&line);
        self.send_early(at);
    }

    /// Tells of the tasks that ended well before the first frame.
    pub(super) fn tell_held(&mut self) {
        let held = self
            .many
            .as_mut()
            .map(|many| std::mem::take(&mut many.held));
        for line in held.unwrap_or_default() {
            self.say_line(&line);
        }
    }

    /// All output of a task or of an attempt is there: writes the rest of it, and forgets it. The bars come back with
    /// the next frame, or a thousand short tasks would be a thousand pictures.
    pub(super) fn end_view(&mut self, key: Key, ended_well: bool, at: Duration) {
        let Some(view) = self.views.get_mut(&key) else {
            return;
        };
        view.output.end(at);
        if view.is_waiting() {
            self.clear();
        }
        self.write_output(key);
        self.undo(key, ended_well);
        self.tell_failures(key, at, Duration::ZERO);
        let mut permits = self.drop_view(key);
        self.permits.append(&mut permits);
        self.send_early(at);
    }

    /// Sends what is written without waiting for a frame, if none comes soon, or if it is much.
    fn send_early(&mut self, at: Duration) {
        let is_much = self.screen.unsent() > GATHER;
        if !is_much && self.last_frame.is_some() && !self.hold.is_lent() {
            return;
        }
        let is_due = is_much && self.is_due_in_the_middle_of_output(at);
        if is_due && self.screen.is_ours() && self.has_place(at) {
            self.draw(at);
        }
        self.send();
    }

    /// The stop of the run was requested, or has taken its next step.
    fn run_stopping(&mut self, at: Duration) {
        self.news = true;
        // The answer to a key press must be seen at once, also where nothing is drawn yet.
        if !self.hold.is_lent() {
            self.frame(at);
        }
        if self.is_drawn() {
            return;
        }
        let many = self.many.as_ref();
        let text = many.and_then(|many| {
            let running = many.census.runs();
            many.census.stop?.sentence_of_run(running)
        });
        if let Some(text) = text {
            self.leave_line();
            self.say(None, &text);
            self.send();
        }
    }

    /// The run is over: its last lines.
    fn end_run(&mut self, end: &RunSummary, at: Duration) {
        self.end_group(at);
        if self.hold.is_lent() {
            self.take_back();
        }
        for key in self.keys() {
            self.end_view(key, true, at);
        }
        self.clear();
        self.switch_taskbar_off();
        self.stop_drawing_for_others();
        let was_drawn = !self.pictured.is_zero();
        let Some(many) = &mut self.many else {
            return;
        };
        many.is_over = true;
        let shown = many.has_told || was_drawn;
        let look = Look {
            with_color: self.glyphs.with_color(),
            width: Some(usize::from(self.screen.measure().0)),
        };
        let lines = many.closing.lines(end, &many.census, (shown, look), at);
        if !lines.is_empty() {
            self.tell_held();
        }
        for line in lines {
            self.say_line(&line);
        }
        self.send();
    }

    /// The lines of the picture, for a screen of this size.
    pub(super) fn lines_of_many(&mut self, (width, height): (u16, u16), at: Duration) -> Vec<Line> {
        let Some(many) = self.many.as_mut().filter(|many| !many.is_over) else {
            return Vec::new();
        };
        let in_slot = |(task, running): (TaskId, &Running)| InSlot {
            slot: running.slot,
            task,
            began: running.began,
        };
        let mut running: Vec<_> = many.census.running().map(in_slot).collect();
        running.sort_unstable_by_key(|task| task.slot);
        let at_most = usize::from(height / 2).saturating_sub(1);
        let free = (many.waiting.len(), many.census.jobs);
        let chosen = many.rows.choose(&running, free, at_most, at);
        for content in &chosen.rows {
            if let Content::Task(task) = content {
                self.see(*task, at);
            }
        }
        let Some(many) = &mut self.many else {
            return Vec::new();
        };
        let views = &self.views;
        let view = |task: TaskId| views.get(&Key::Task(task));
        let entry = |content: &Content| match content {
            Content::Task(task) => {
                let picture = view(*task).map(|view| view.picture_in_list(at));
                picture.map_or(Entry::Nothing, Entry::Task)
            }
            Content::Nothing => Entry::Nothing,
            Content::Waiting(index) => waiting(&many.waiting[*index], at),
        };
        let entries: Vec<_> = chosen.rows.iter().map(entry).collect();
        let is_still = |content: &Content| match content {
            Content::Task(task) => view(*task).is_some_and(|view| view.fraction(at).is_some()),
            Content::Nothing | Content::Waiting(_) => true,
        };
        let is_live = |key: &&Key| matches!(key, Key::Task(_));
        let tasks = views
            .keys()
            .filter(is_live)
            .filter_map(|key| views.get(key));
        let partial = tasks.filter_map(|view| view.fraction(at)).sum();
        many.fraction = many.census.fraction(partial);
        many.spins = many.fraction.is_none() || !chosen.rows.iter().all(is_still);
        let left = many.census.remaining(at, |task| view(task)?.remaining(at));
        let census = &many.census;
        let run = OfRun {
            name: &census.name,
            fraction: many.fraction,
            over: census.counts.over(),
            total: census.of(),
            failed: census.counts.failed,
            lost: census.counts.lost,
            skipped: census.counts.skipped,
            running: census.runs(),
            rate: census.rate(at).filter(|_| census.stop.is_none()),
            elapsed: at,
            left,
            only_expects: census.only_expects(),
            stop: census.stop.map(|stop| stop.state_of_run(at, census.runs())),
        };
        let others = chosen.others.filter(|_| height > 2);
        let others = others.and_then(|(number, oldest)| {
            let oldest = census.task(oldest)?;
            Some(Others {
                number,
                oldest: &oldest.name,
                since: at.saturating_sub(oldest.began),
            })
        });
        many.table
            .lines(&entries, others.as_ref(), &run, usize::from(width))
    }
}

/// The row of a task that waits.
fn waiting(waiting: &Waiting, at: Duration) -> Entry<'_> {
    let text = match &waiting.obstacle {
        Obstacle::Task(name) => format!("waits for {}", ends::shown(name)),
        Obstacle::Memory => "waits for memory".to_owned(),
        Obstacle::Load => "waits for load".to_owned(),
        Obstacle::Retry(next) => {
            format!("next attempt in {}", ends::whole(next.saturating_sub(at)))
        }
        Obstacle::Slots => "waits for free slots".to_owned(),
        Obstacle::Host(host) => format!("waits for {}", ends::shown(host)),
        Obstacle::Queue(job) => format!("queued: {}", ends::shown(job)),
    };
    Entry::Waiting {
        name: &waiting.name,
        text,
    }
}
