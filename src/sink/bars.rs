//! Bars on a terminal; the output of the children scrolls above them.
//!
//! Everything is drawn from the pictures of the tasks, at most twenty times a second and not at all when nothing
//! changed. A frame is made in memory and leaves as one write; while the terminal has not taken the last one, none is
//! made. The output of a lone child is written in order and byte for byte: complete lines above the bars; and a line
//! that it leaves open, such as a question, after a moment as it is, at first without the bars and then with the bars
//! below it. The output of several is written by whole lines. Nothing is drawn in the middle of an escape sequence, and
//! the colors and links of a child are off while our own text is drawn.
//!
//! What is different in a run of many tasks is in `bars/many.rs`: its rows are those of the slots, its tasks have a
//! view only when there is something to show of them, and their output may be shown after their end.

mod activity;
mod aside;
mod company;
#[cfg(any(test, fuzzing))]
mod emulator;
mod filter;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod glyphs;
mod hosting;
mod layout;
mod many;
mod open_line;
mod outlook;
mod output;
mod raw;
mod rows;
mod screen;
mod table;
mod taskbar;
mod view;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::dialect::FILES;
use crate::eta::Forecast;
use crate::event::{Ending, Event, FinalState, Reason, Stream, Summary, TaskId, What};
use crate::flow::{Credit, Permit};
use crate::journal::{MOMENT, Memory};
use crate::model::verdict::Verdicts;
use crate::system::erasure::{self, ERASE_FROM_CURSOR};

use self::aside::Aside;
use self::company::{Claim, Visitor};
use self::glyphs::Glyphs;
use self::layout::Layout;
use self::many::Many;
use self::open_line::Cursor;
use self::raw::Raw;
use self::screen::Screen;
use self::taskbar::Taskbar;
use self::view::{Key, View};
use super::display;
use super::messages::Stop;
use super::sanitize::{ascii, escape};
use super::terminal::Terminal;
use super::writer::Writer;
use super::{Joining, Sink};

/// When the first frame is drawn: a fast command shows no bar.
const SHOW_AFTER: Duration = Duration::from_millis(200);
const FRAME: Duration = Duration::from_millis(50);
/// The same while a child keeps the terminal busy.
const BUSY: Duration = Duration::from_millis(500);
/// How often a guest looks whether the progrun that draws for it is still there.
const LOOK: Duration = Duration::from_millis(200);
/// How often a picture without news is redrawn: for the spinner, or for the seconds beside a bar.
const SPIN: Duration = Duration::from_millis(125);
const SECOND: Duration = Duration::from_secs(1);
/// How much output of a task is gathered between frames.
const GATHER: usize = 64 * 1024;
/// For how many other progruns we draw at most. Each has a connection.
const MOST_VISITORS: usize = 256;

/// Bars on a terminal.
#[derive(Debug)]
pub(super) struct Bars {
    /// The name of the run.
    name: String,
    screen: Screen,
    hold: Hold,
    glyphs: Glyphs,
    layout: Layout,
    drawn: Drawn,
    taskbar: Taskbar,
    /// The tasks that run.
    views: BTreeMap<Key, View>,
    /// What waits until the terminal is ours again.
    late: Vec<Late>,
    tasks: Tasks,
    /// What there is only in a run of many tasks.
    many: Option<Many>,
    /// The task whose output is the last on the screen.
    above: Key,
    /// The last line on the screen is open, and the task that wrote it is over.
    loose_end: bool,
    /// Which streams of the children are ours to show.
    shows: [bool; 2],
    /// A child writes to the terminal itself.
    direct: bool,
    /// The children's stdout reaches the terminal through another program.
    aside: Option<Aside>,
    begin: Begin,
    /// What is remembered of earlier runs, until it is read.
    memory: Option<Memory>,
    /// When the last frame was made or left out.
    last_frame: Option<Duration>,
    /// When bars were drawn last.
    pictured: Duration,
    /// Something has happened since the last frame.
    news: bool,
    /// For output that is written and not sent yet.
    permits: Vec<Permit>,
    /// How often we were asked to stop, until the last time that the terminal was taken from us.
    stops: usize,
    /// The right to draw on this terminal, on which other progruns may draw as well.
    claim: Option<Claim>,
    /// Those for which we draw.
    visitors: Vec<Visitor>,
    /// When they, or the one that draws for us, were heard last.
    heard: Duration,
}

/// What waits while another task has the terminal.
#[derive(Debug)]
enum Late {
    /// The end of a task, when, and how: its last lines.
    Finished(TaskId, Duration, Summary),
    /// A line of ours.
    Line(String),
    /// All output of an attempt that has ended well or not was shown, and when.
    Shown(Key, bool, Duration),
}

/// How the bars are set up.
#[derive(Debug)]
pub(super) struct Options {
    /// The name of the run.
    pub(super) name: String,
    pub(super) with_color: bool,
    /// The terminal's character set is not UTF-8.
    pub(super) in_ascii: bool,
    /// Which streams of the children are shown above the bars, stdout first.
    pub(super) shows: [bool; 2],
    /// A child writes to the terminal itself.
    pub(super) direct: bool,
    /// The pipe through which the children's stdout reaches the terminal by another program, where it does.
    pub(super) aside: Option<Writer>,
    pub(super) begin: Begin,
    pub(super) terminal: Terminal,
    /// What is remembered of earlier runs; none: nothing.
    pub(super) memory: Option<Memory>,
    /// For a run of many tasks: the user's wishes, and whether the output of several tasks is mixed as it comes.
    pub(super) many: Option<(display::Many, bool)>,
}

/// When the first bar is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// After a moment.
    Soon,
    /// With the first report: another program shows the child's output, and a mere spinner would only be in its way.
    WithReport,
}

/// The holder of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Ours,
    /// It is lent to this task; none: it is not known to which, if to any.
    Lent(Option<TaskId>),
    /// It is gone: after SIGHUP nothing is drawn.
    HungUp,
}

/// The state of the screen below the output.
#[derive(Debug)]
enum Drawn {
    Nothing,
    Bars,
    /// Bars, below a line that a child has left open, on a screen of this many columns.
    BarsBelow(Cursor, u16),
}

/// How many tasks the run has had so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tasks {
    One,
    Several,
}

impl Hold {
    fn is_lent(self) -> bool {
        matches!(self, Self::Lent(_))
    }

    /// Whether it is lent to this task. A lone task is the only one that it can be lent to.
    fn is_lent_to(self, key: Key, tasks: Tasks) -> bool {
        match self {
            Self::Lent(None) => tasks == Tasks::One,
            Self::Lent(Some(task)) => key == Key::Task(task),
            Self::Ours | Self::HungUp => false,
        }
    }

    fn is_lent_to_another(self, task: TaskId) -> bool {
        matches!(self, Self::Lent(Some(other)) if other != task)
    }
}

impl Bars {
    /// Draws on the terminal behind `writer`.
    #[must_use]
    pub(super) fn new(writer: Writer, options: Options) -> Self {
        let mut screen = Screen::new(writer, options.terminal);
        if options.begin == Begin::WithReport {
            screen.expect_lines();
        }
        let (width, _) = screen.measure();
        let mut views = BTreeMap::new();
        if options.many.is_none() {
            let (name, began) = (options.name.clone(), Duration::ZERO);
            let first = View::new(name, began, width, options.in_ascii);
            views.insert(Key::Task(TaskId::FIRST), first);
        }
        let tasks = match options.many {
            Some(_) => Tasks::Several,
            None => Tasks::One,
        };
        let many = options.many.map(|(wishes, is_mixed)| {
            let name = options.name.clone();
            Many::new(name, wishes, is_mixed, width)
        });
        Self {
            name: options.name,
            screen,
            hold: Hold::Ours,
            glyphs: Glyphs::new(options.with_color, options.in_ascii),
            layout: Layout::default(),
            drawn: Drawn::Nothing,
            taskbar: Taskbar::new(),
            views,
            late: Vec::new(),
            tasks,
            many,
            above: Key::Task(TaskId::FIRST),
            loose_end: false,
            shows: options.shows,
            direct: options.direct,
            aside: options.aside.map(Aside::new),
            begin: options.begin,
            memory: options.memory,
            last_frame: None,
            pictured: Duration::ZERO,
            news: false,
            permits: Vec::new(),
            stops: erasure::stops(),
            claim: None,
            visitors: Vec::new(),
            heard: Duration::ZERO,
        }
    }

    /// The view of this task; none if it is over.
    fn view(&mut self, task: TaskId) -> Option<&mut View> {
        self.views.get_mut(&Key::Task(task))
    }

    /// The view of this task, which begins now if it is new.
    fn view_from(&mut self, task: TaskId, at: Duration) -> &mut View {
        if task != TaskId::FIRST && self.tasks == Tasks::One {
            self.tasks = Tasks::Several;
            for view in self.views.values_mut() {
                view.output.show_whole_lines();
            }
            // It has shown how far one task was.
            self.switch_taskbar_off();
        }
        self.views.entry(Key::Task(task)).or_insert_with(|| {
            let (width, _) = self.screen.measure();
            let in_ascii = self.glyphs.in_ascii();
            let mut view = View::new(self.name.clone(), at, width, in_ascii);
            if self.tasks == Tasks::Several {
                view.output.show_whole_lines();
            }
            view
        })
    }

    /// Whether a task has a row yet. Beside other tasks, one that is over at once would only make the picture jump.
    fn has_row(&self, view: &View, at: Duration) -> bool {
        self.tasks == Tasks::One || at >= view.row_from()
    }

    fn tell_failures(&mut self, key: Key, at: Duration, delay: Duration) {
        let view = self.views.get_mut(&key);
        let failures = view.map(|view| view.take_failures(at, delay));
        for text in failures.unwrap_or_default() {
            self.say(Some(key), &text);
        }
    }

    /// A line of ours above the bars, about this task or about the run.
    fn say(&mut self, key: Option<Key>, text: &str) {
        if let Some(key) = key.filter(|key| *key != self.above) {
            self.clear();
            self.write_output(key);
        }
        let view = key.and_then(|key| self.views.get(&key));
        let name = view.map(|view| view.name.as_str());
        let name = name.or_else(|| self.many.as_ref()?.name_of(key?));
        let name = name.unwrap_or(&self.name);
        let line = format!("{}: {text}", escape(name));
        self.say_line(&line);
    }

    /// A line of ours above the bars.
    fn say_line(&mut self, line: &str) {
        self.clear();
        self.end_line();
        let line = format!("{line}\r\n");
        let line = if self.glyphs.in_ascii() {
            ascii(&line)
        } else {
            line.into()
        };
        self.screen.write(line.as_bytes());
        self.news = true;
    }

    /// Ends the line that a child has left open on the screen, so that the next text is on a line of its own.
    fn end_line(&mut self) {
        if let Some(view) = self.views.get_mut(&self.above) {
            let as_is = self.hold.is_lent();
            self.loose_end |= view.end_line(&mut self.screen, as_is);
        }
        if std::mem::take(&mut self.loose_end) {
            self.screen.write(b"\r\n");
        }
    }

    /// Makes this task the one whose output is the last on the screen.
    fn hand_screen_to(&mut self, key: Key) {
        if self.above != key {
            self.end_line();
            self.above = key;
        }
    }

    /// Writes the output of this task that is ready.
    fn write_output(&mut self, key: Key) {
        let has_output = |view: &View| view.output.has_something();
        if !self.views.get(&key).is_some_and(has_output) {
            return;
        }
        self.hand_screen_to(key);
        if let Some(view) = self.views.get_mut(&key) {
            view.write_output(&mut self.screen, self.hold.is_lent());
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.views.keys().copied().collect()
    }

    fn note_frame(&mut self, at: Duration) {
        self.last_frame = Some(at);
        for view in self.views.values_mut() {
            view.seen |= self.tasks == Tasks::One || at >= view.row_from();
        }
    }

    /// Looks at the earlier runs, once, when this one has become long enough to have use for them.
    fn look_back(&mut self, at: Duration) {
        if at < MOMENT {
            return;
        }
        let Some(memory) = self.memory.take() else {
            return;
        };
        let past = memory.past();
        if let Some(many) = &mut self.many {
            many.expect(&past);
        } else if let Some(view) = self.view(TaskId::FIRST) {
            view.expect(Forecast::new(past), at);
        }
    }

    fn frame(&mut self, at: Duration) {
        self.look_back(at);
        self.settle_company(true);
        self.tell_held();
        self.note_frame(at);
        self.resize();
        let draws = self.screen.is_ours() && self.has_place(at);
        let keys = self.keys();
        for view in self.views.values_mut() {
            view.settle(draws, at);
        }
        for key in &keys {
            self.tell_failures(*key, at, FRAME);
        }
        if self.views.values().any(|view| view.output.has_something()) {
            self.clear();
            for key in keys {
                self.write_output(key);
            }
        }
        if !self.screen.is_ours() {
            self.drawn = Drawn::Nothing;
        } else if self.has_place(at) {
            self.draw(at);
        } else if self.visitors.iter().any(|visitor| visitor.lends) {
            self.clear();
        }
        self.news = false;
        self.send();
    }

    /// Whether a frame is drawn together with output. The terminal of a child that writes all the time is never idle,
    /// so no tick would draw one. With output only: output stops when the terminal takes no more, so frames do not pile
    /// up. While a stop is shown, every output brings a frame.
    fn is_due_in_the_middle_of_output(&self, at: Duration) -> bool {
        !self.hold.is_lent()
            && self.last_frame.is_some()
            && (self.is_stopping() || at >= self.pictured + BUSY)
    }

    fn is_stopping(&self) -> bool {
        match &self.many {
            Some(many) => many.is_stopping(),
            None => self.views.values().any(|view| view.stop().is_some()),
        }
    }

    /// Whether bars can be drawn at the cursor: below complete lines, or below a line that has been open for a while.
    /// During a stop they do not wait for that, for they answer a key press.
    fn has_place(&self, at: Duration) -> bool {
        if self.visitors.iter().any(|visitor| visitor.lends) {
            return false;
        }
        if let Some(aside) = &self.aside
            && !(aside.bars_from() <= at && aside.is_read())
        {
            return false;
        }
        let Some(view) = self.views.get(&self.above) else {
            return true;
        };
        let from = view.output.bars_from();
        from.is_some_and(|time| time <= at || self.is_stopping())
    }

    /// Sends all that is written. If a task's output waits because another task has the terminal, it keeps its permits,
    /// so its child has to wait, too.
    fn send(&mut self) {
        self.send_with(Vec::new());
    }

    fn send_with(&mut self, mut permits: Vec<Permit>) {
        permits.append(&mut self.permits);
        for (key, view) in &mut self.views {
            if !self.hold.is_lent() || self.hold.is_lent_to(*key, self.tasks) {
                permits.append(&mut view.permits);
            }
        }
        erasure::is_sent(self.is_drawn() || self.screen.has_host());
        permits.push(Credit::new(1, erasure::is_written).permit(1));
        self.screen.send(permits);
    }

    fn is_drawn(&self) -> bool {
        !matches!(self.drawn, Drawn::Nothing)
    }

    /// Takes the bars away, if there are any.
    fn clear(&mut self) {
        let drawn = std::mem::replace(&mut self.drawn, Drawn::Nothing);
        if matches!(drawn, Drawn::Nothing) || !self.screen.is_ours() {
            // On a terminal that is not ours any more, another program has written over the bars.
            return;
        }
        let Drawn::BarsBelow(cursor, width) = drawn else {
            self.screen.erase();
            return;
        };
        let is_resized = self.screen.measure().0 != width;
        let Some(view) = self.views.get_mut(&self.above) else {
            return;
        };
        view.colors_off(&mut self.screen);
        if is_resized {
            // A terminal that breaks its lines again takes the cursor, which is at the end of the open line, along: it
            // alone knows the way back (DECSC, DECRC).
            self.screen.write(b"\x1b7\r\n\x1b[J\x1b8");
        } else if cursor.last.is_some() {
            self.screen.write(b"\r\n\x1b[J");
            view.go_back(&cursor, &mut self.screen);
        } else {
            self.screen.write(b"\x1b[J");
        }
    }

    /// Takes in the size of the screen. Bars below a line that the terminal may have broken anew are taken away: the
    /// way back to the end of the line is not known any more.
    fn resize(&mut self) -> (u16, u16) {
        let (width, height) = self.screen.measure();
        if let Some(many) = &mut self.many {
            many.resize(width);
        }
        for view in self.views.values_mut() {
            view.output.resize(usize::from(width));
        }
        let above = self.views.get(&self.above);
        let has_place = above.is_none_or(|view| view.output.bars_from().is_some());
        if matches!(self.drawn, Drawn::BarsBelow(_, before) if before != width && !has_place) {
            self.clear();
        }
        (width, height)
    }

    fn draw(&mut self, at: Duration) {
        let (width, height) = self.resize();
        // A row stays free, or the line above the picture would never be seen.
        let rows = usize::from(height).max(2) - 1;
        let others = self.visitors.iter().map(|visitor| visitor.rows.len());
        let for_others = others.sum::<usize>().min(rows / 2);
        let size = (usize::from(width), rows - for_others);
        let lines = if self.many.is_some() {
            let height = u16::try_from(size.1 + 1).unwrap_or(height);
            self.lines_of_many((width, height), at)
        } else {
            let views = self.views.values().filter(|view| self.has_row(view, at));
            let pictures: Vec<_> = views.map(|view| view.picture(at)).collect();
            self.layout.lines(&pictures, size, at)
        };
        if lines.is_empty() && for_others == 0 {
            self.clear();
            return;
        }
        let mut picture = if lines.is_empty() {
            Vec::new()
        } else {
            self.glyphs.render(lines, (width, height))
        };
        let rows_of_others = self.visitors.iter().flat_map(|visitor| &visitor.rows);
        picture.extend(rows_of_others.take(rows - picture.len().min(rows)).cloned());
        let is_within = self.aside.as_mut().is_some_and(Aside::end_line);
        if std::mem::take(&mut self.loose_end) || is_within {
            self.screen.write(b"\r\n");
        }
        let mut above = self.views.get_mut(&self.above);
        if let Some(view) = &mut above {
            view.colors_off(&mut self.screen);
        }
        let cursor = above.as_mut().and_then(|view| view.output.cursor());
        if cursor.is_some() {
            self.screen.write(b"\r\n");
        }
        self.screen.picture(&picture);
        self.pictured = at;
        self.drawn = match (cursor, above) {
            (Some(cursor), Some(view)) => {
                view.go_back(&cursor, &mut self.screen);
                Drawn::BarsBelow(cursor, width)
            }
            _ => Drawn::Bars,
        };
        let (fraction, has_failed) = match (&self.many, self.tasks) {
            (Some(many), _) => many.share(),
            (None, Tasks::One) => {
                let fraction = self.views.values().find_map(|view| view.fraction(at));
                (fraction, false)
            }
            (None, Tasks::Several) => (None, false),
        };
        if !self.screen.is_guest()
            && let Some(sequence) = self.taskbar.set(fraction, has_failed)
        {
            self.screen.write(sequence.as_bytes());
        }
    }

    /// The terminal is lent to this task, or is about to be lent to one that is not known yet.
    fn lend(&mut self, task: Option<TaskId>, at: Duration) {
        let stops = erasure::stops();
        let is_stop = std::mem::replace(&mut self.stops, stops) != stops;
        if is_stop && self.is_drawn() && !self.screen.has_host() {
            // A shell above may have the terminal by now, and may write its prompt before this is written: so the
            // cursor stays where it is. Where the shell has written over the first rows, this is for the others.
            if erasure::forget() {
                self.screen.write(ERASE_FROM_CURSOR);
            }
            self.drawn = Drawn::Nothing;
        } else {
            self.clear();
        }
        self.stop_drawing_for_others();
        let hold = Hold::Lent(task);
        for (key, view) in &mut self.views {
            if hold.is_lent_to(*key, self.tasks) {
                view.seen = true;
                view.output.open_all_lines(at);
            }
        }
        for key in self.keys() {
            self.write_output(key);
        }
        let key = task.map(Key::Task);
        if let Some(key) = key.filter(|key| self.views.contains_key(key)) {
            self.hand_screen_to(key);
        }
        if let Some(view) = self.views.get_mut(&self.above) {
            view.colors_on(&mut self.screen);
            view.output.expect_question();
        }
        if self.last_frame.is_none() {
            self.note_frame(at);
        }
        self.hold = hold;
        self.send();
        // What was written until now belongs above the bars of the one that draws for us.
        self.screen.lend(true);
    }

    /// The terminal is ours again.
    fn take_back(&mut self) {
        self.hold = Hold::Ours;
        self.screen.returned();
        self.screen.lend(false);
        if let Some(view) = self.views.get_mut(&self.above) {
            // The answer to a question has ended its line.
            view.output.end_line();
        }
        for late in std::mem::take(&mut self.late) {
            match late {
                Late::Finished(task, at, summary) => self.finished(task, &summary, at),
                Late::Line(line) => self.say_line(&line),
                Late::Shown(key, ended_well, at) => self.end_view(key, ended_well, at),
            }
        }
        self.news = true;
    }

    fn switch_taskbar_off(&mut self) {
        if let Some(sequence) = self.taskbar.remove() {
            self.screen.write(sequence.as_bytes());
        }
    }

    /// Ends the last line where a child writes to the terminal itself: it may be open, as a meter or the echo of a key
    /// is.
    fn leave_line(&mut self) {
        if self.direct {
            self.screen.write(b"\r\n");
        }
    }

    fn output(
        &mut self,
        task: TaskId,
        stream: Stream,
        (bytes, verdicts): (&[u8], &Verdicts),
        permit: &Permit,
        at: Duration,
    ) {
        self.view_from(task, at);
        self.output_of(Key::Task(task), stream, (bytes, verdicts), permit, at);
    }

    fn output_of(
        &mut self,
        key: Key,
        stream: Stream,
        (bytes, verdicts): (&[u8], &Verdicts),
        permit: &Permit,
        at: Duration,
    ) {
        let (lent, alone) = (self.hold.is_lent(), self.tasks == Tasks::One);
        let has_terminal = self.hold.is_lent_to(key, self.tasks);
        let as_is = has_terminal || alone && self.begin == Begin::WithReport;
        self.news = true;
        if !lent {
            self.screen.child_prints(at);
        }
        if self.last_frame.is_none() && self.shows[stream as usize] {
            self.settle_company(false);
        }
        let Some(view) = self.views.get_mut(&key) else {
            return;
        };
        view.permits.push(permit.clone());
        if as_is {
            view.output.show(stream as usize, bytes, at);
        } else {
            view.printed(stream, bytes, verdicts, at);
        }
        if lent && !has_terminal {
            return;
        }
        // Before the first frame nothing is in the way, and no byte need wait.
        let is_much = view.output.ready() > GATHER;
        let has_something = view.output.has_something();
        let at_once = lent || self.last_frame.is_none() || is_much;
        if at_once && has_something {
            let is_due = self.is_due_in_the_middle_of_output(at);
            self.clear();
            self.write_output(key);
            if is_due && self.screen.is_ours() && self.has_place(at) {
                self.draw(at);
            }
            self.send();
        }
    }

    /// Another program prints these bytes on the terminal, in a moment: in the place of the bars.
    fn passed_by(&mut self, bytes: &[u8], at: Duration) {
        if let Some(aside) = &mut self.aside {
            aside.printed(bytes, at);
        }
        self.news = true;
        if self.hold.is_lent() {
            return;
        }
        self.clear();
        // A line about an ended task may wait for the next frame, and stands above its output.
        if self.screen.unsent() > 0 {
            self.send();
        }
    }

    /// A stop of this task, or of all, was requested, or has taken its next step.
    fn stopping(&mut self, task: Option<TaskId>, what: &What<'_>, at: Duration) {
        let keys = task.map_or_else(|| self.keys(), |task| vec![Key::Task(task)]);
        for key in &keys {
            if let Some(view) = self.views.get_mut(key) {
                view.stopping(what, at);
            }
        }
        self.news = true;
        // The answer to a key press must be seen at once, also where nothing is drawn yet.
        if !self.hold.is_lent() {
            self.frame(at);
        }
        if self.is_drawn() {
            return;
        }
        let view = keys.first().and_then(|key| self.views.get(key));
        let stop = view.and_then(View::stop);
        if let Some(text) = stop.and_then(Stop::sentence) {
            self.leave_line();
            self.say(task.map(Key::Task), &text);
            self.send();
        }
    }

    /// A task is over: its last lines go above the bars of the others.
    fn finished(&mut self, task: TaskId, summary: &Summary, at: Duration) {
        if self.hold.is_lent_to_another(task) {
            self.late.push(Late::Finished(task, at, summary.clone()));
            return;
        }
        let key = Key::Task(task);
        if self.many.is_some() {
            self.end_view(key, summary.state == FinalState::Completed, at);
            return;
        }
        let is_last = self.views.len() == 1;
        let was_drawn = self.is_drawn();
        let Some(view) = self.views.get_mut(&key) else {
            return;
        };
        view.output.end(at);
        let text = view.last_line(summary, self.glyphs.with_color(), at);
        // The bars of others do not flicker for a task that has nothing to say.
        if is_last || text.is_some() || view.is_waiting() {
            self.clear();
        }
        if is_last {
            self.switch_taskbar_off();
            self.stop_drawing_for_others();
        }
        self.write_output(key);
        let ending = summary.exit.map(|exit| exit.ending);
        if summary.state == FinalState::Cancelled || matches!(ending, Some(Ending::Signal(_))) {
            self.leave_line();
        }
        self.undo(key, summary.state == FinalState::Completed);
        self.tell_failures(key, at, Duration::ZERO);
        if let Some(text) = text {
            self.say(Some(key), &text);
        }
        let permits = self.drop_view(key);
        if was_drawn && !self.is_drawn() && !is_last && self.screen.is_ours() && self.has_place(at)
        {
            self.draw(at);
        }
        self.send_with(permits);
    }

    /// Switches the modes off that a child has left on: they would spoil our lines and those of the next program.
    fn undo(&mut self, key: Key, ended_well: bool) {
        let view = self.views.get_mut(&key);
        let undo = view.map_or(Vec::new(), |view| view.undo(ended_well));
        if !undo.is_empty() {
            self.clear();
            self.hand_screen_to(key);
            self.screen.write(&undo);
        }
    }

    /// Nothing is shown of this task any more. Gives the permits of what was shown.
    fn drop_view(&mut self, key: Key) -> Vec<Permit> {
        let Some(view) = self.views.remove(&key) else {
            return Vec::new();
        };
        if self.above == key {
            self.loose_end = view.output.line_open();
        }
        view.permits
    }

    /// The run goes on elsewhere, and is not shown here any more: the terminal is to be as it was.
    fn leave(&mut self) {
        self.clear();
        for key in self.keys() {
            self.write_output(key);
            self.undo(key, true);
        }
        self.end_line();
        self.hang_up();
    }

    /// The terminal is gone, or is about to be: after SIGHUP nothing is drawn.
    fn hang_up(&mut self) {
        self.stop_drawing_for_others();
        // It may still be there, if the signal did not come from it.
        self.clear();
        self.switch_taskbar_off();
        self.send();
        self.hold = Hold::HungUp;
    }

    /// When a frame is to be drawn next.
    fn own_due(&self) -> Option<Duration> {
        let is_over = match &self.many {
            Some(many) => many.is_over(),
            None => self.views.is_empty(),
        };
        if self.hold != Hold::Ours || is_over {
            return None;
        }
        let Some(last) = self.last_frame else {
            return Some(SHOW_AFTER).filter(|_| self.begin == Begin::Soon);
        };
        if let (Some(aside), Drawn::Nothing) = (&self.aside, &self.drawn)
            && aside.has_printed()
        {
            return Some(aside.bars_from().max(last + FRAME));
        }
        let waits = self.news || self.views.values().any(View::is_waiting);
        let above = self.views.get(&self.above);
        let open = above.filter(|view| view.output.line_open());
        let wait = if waits || !self.screen.is_idle() {
            FRAME
        } else if let (Some(view), Drawn::Nothing) = (open, &self.drawn) {
            return view.output.bars_from().map(|time| time.max(last + FRAME));
        } else if let Some(many) = &self.many {
            let row = many.next_row().map(|time| time.max(last + FRAME));
            let next = last + if many.spins() { SPIN } else { SECOND };
            return Some(row.map_or(next, |row| row.min(next)));
        } else if self
            .views
            .values()
            .any(|view| view.fraction(last).is_none())
        {
            SPIN
        } else {
            SECOND
        };
        Some(last + wait)
    }
}

impl Sink for Bars {
    fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            _ if self.hold == Hold::HungUp => {}
            What::Cancelling {
                reason: Reason::Hangup,
                ..
            } => self.hang_up(),
            What::Left => self.leave(),
            _ if self.many.is_some() && self.is_of_many(event) => {}
            What::Started { name, .. } => (*name).clone_into(&mut self.view_from(task, at).name),
            // The activity shows it already; but with `--from files` it counts as a report.
            What::Progress(reports) if reports.source == Some(FILES) => self.begin = Begin::Soon,
            What::Progress(reports) => {
                self.news = true;
                self.begin = Begin::Soon;
                let warning = self.view(task).and_then(|view| view.reports(reports, at));
                if let Some(text) = warning {
                    self.say(Some(Key::Task(task)), &text);
                }
            }
            What::Known(parts) => {
                if let Some(view) = self.view(task) {
                    view.know(parts, at);
                }
                self.news = true;
                self.begin = Begin::Soon;
            }
            What::Observed(observed) => {
                let view = self.view(task);
                self.news |= view.is_some_and(|view| view.observed(observed, at));
            }
            What::Output {
                stream: Stream::Stdout,
                bytes,
                ..
            } if self.aside.is_some() => {
                self.passed_by(bytes, at);
            }
            What::Output { stream, bytes, .. } if !self.shows[*stream as usize] => {
                let view = self.view(task);
                self.news |= view.is_some_and(|view| view.printed_elsewhere(*stream, bytes, at));
            }
            What::Output {
                stream,
                bytes,
                verdicts,
                permit,
            } => self.output(task, *stream, (bytes, verdicts), permit, at),
            What::Terminal { ours: true } => self.take_back(),
            What::Terminal { ours: false } => self.lend(event.task, at),
            What::Resized => self.news = true,
            What::Paused(paused) => {
                if let Some(view) = self.view(task) {
                    view.pause(*paused);
                }
                self.news = true;
                // No time passes while the child is stopped, and so none comes for a frame.
                if *paused && !self.hold.is_lent() {
                    self.frame(at);
                }
            }
            What::Finished(summary) => self.finished(task, summary, at),
            What::Warning(text) => {
                self.say(event.task.map(Key::Task), &escape(text));
                if !self.hold.is_lent() {
                    self.frame(at);
                }
            }
            What::Cancelling { .. } | What::Stopping { .. } => {
                self.stopping(event.task, &event.what, at);
            }
            What::Signal { .. }
            | What::Run(_)
            | What::Total(_)
            | What::Skipped { .. }
            | What::Halted(_)
            | What::Waiting(_)
            | What::Shows(_)
            | What::Closed(_)
            | What::Shown
            | What::Counted(..)
            | What::Answer(_)
            | What::Alive(_)
            | What::Reader(_)
            | What::End(_) => {}
        }
    }

    fn join(&mut self, guest: Joining) -> Option<Joining> {
        if self.claim.is_none() || self.visitors.len() >= MOST_VISITORS {
            return Some(guest);
        }
        // One that is not taken draws for itself.
        self.visitors.extend(Visitor::new(guest).ok());
        None
    }

    fn due(&self) -> Option<Duration> {
        let handed_over = (!self.screen.is_shown_by_another()).then_some(self.heard + FRAME);
        let heard = (!self.visitors.is_empty()).then_some(self.heard + FRAME);
        let looked = self.screen.has_host().then_some(self.heard + LOOK);
        let own = self.own_due();
        [own, handed_over, heard, looked]
            .into_iter()
            .flatten()
            .min()
    }

    fn tick(&mut self, elapsed: Duration) {
        if !self.visitors.is_empty() && elapsed >= self.heard + FRAME {
            self.heard = elapsed;
            self.news |= self.hear_visitors();
        }
        if self.screen.has_host() {
            self.heard = elapsed;
            // The one that drew for us is gone: the next frame is ours.
            self.news |= !self.screen.is_guest();
        }
        if self.own_due().is_none_or(|due| due > elapsed) {
            return;
        }
        if self.screen.is_idle() {
            self.frame(elapsed);
        } else {
            // Losing a frame is fine; asking again in a moment is enough.
            self.note_frame(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.screen.flush(permit.clone());
        // Of a command that was over before the first frame, no last line follows, unless it has failed.
        if let Some(aside) = &mut self.aside
            && self.last_frame.is_some()
        {
            aside.flush(permit.clone());
        }
    }

    /// The children's output goes on, without bars.
    fn fall_back(mut self: Box<Self>) -> Option<Box<dyn Sink>> {
        erasure::forget();
        self.screen.write(b"\r\x1b[0m\x1b[J");
        let mut permits = Vec::new();
        for view in self.views.values_mut() {
            let output = &mut view.output;
            let mut kept = || {
                output.open_all_lines(Duration::ZERO);
                output.take()
            };
            let kept = catch_unwind(AssertUnwindSafe(&mut kept)).unwrap_or_default();
            self.screen.write(&kept);
            permits.append(&mut view.permits);
        }
        let sentence = "internal error in progrun (see above): no more bars; the command continues";
        self.screen
            .write(format!("\r\n{}: {sentence}\r\n", escape(&self.name)).as_bytes());
        self.screen.send(permits);
        Some(Box::new(Raw {
            writer: self.screen.into_writer(),
            shows: self.shows,
        }))
    }

    fn abandon(&mut self) {
        self.screen.abandon();
    }
}

#[cfg(test)]
mod tests;
