//! Bars on a terminal, drawn with indicatif; what the child prints scrolls above them.
//!
//! Everything is drawn from the picture in [`Parts`], at most twenty times a second and not at all when nothing changed.
//! A frame is made in memory and leaves as one write; while the terminal has not taken the last one, none is made.
//! Whatever the child printed is written in order and byte for byte: complete lines above the bars, and a line that the
//! child leaves open, such as a question, after a moment as it is, with the bars out of the way until it is complete.

mod layout;
mod screen;
mod silent;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anstyle_progress::{TermProgress, supports_term_progress};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::credit::Charge;
use crate::dialect::FILES;
use crate::event::{Event, Reason, Summary};
use crate::parts::Parts;
use crate::protocol::Status;
use crate::reports::Reports;

use self::layout::{Layout, Line};
use self::screen::Screen;
use self::silent::Silent;
use super::text::escape;
use super::{Outlet, Sink, narration};

/// A fast command stays silent.
const SHOW_AFTER: Duration = Duration::from_millis(200);
const FRAME: Duration = Duration::from_millis(50);
/// How often a picture moves that has no news: the spinner, or the seconds beside a bar.
const SPIN: Duration = Duration::from_millis(125);
const SECOND: Duration = Duration::from_secs(1);
/// How long a line may stay open before it is shown as it is.
const OPEN_LINE: Duration = Duration::from_millis(150);
/// How much output is gathered between frames.
const GATHER: usize = 64 * 1024;
/// Of this many steps an indicatif bar is made.
const STEPS: u64 = 10_000;

/// Bars on a terminal.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one screen"
)]
pub(super) struct Bars {
    outlet: Outlet,
    screen: Screen,
    foreground: fn() -> bool,
    multi: MultiProgress,
    rows: Vec<Row>,
    layout: Layout,
    name: String,
    color: bool,
    /// Which streams of the child are ours to show.
    shows: [bool; 2],
    taskbar: Taskbar,
    parts: Parts,
    /// What is shown instead as long as there is no report.
    silent: Option<Silent>,
    output: Output,
    last_frame: Option<Duration>,
    /// Whether bars are on the screen.
    drawn: bool,
    news: bool,
    /// How many failed parts were told of since the last frame.
    failures: usize,
    warned: bool,
    /// Whether nothing is drawn before the first report.
    awaits_report: bool,
    /// Whether the terminal is the child's for the time being.
    lent: bool,
    /// Whether somebody has stopped the child.
    paused: bool,
    /// Whether the terminal is gone: after SIGHUP nothing is drawn.
    hung_up: bool,
}

/// A line of the picture: texts that the bar's style reads when it draws.
#[derive(Debug)]
struct Row {
    bar: ProgressBar,
    texts: Arc<Mutex<Texts>>,
    shape: Shape,
}

#[derive(Debug, Default)]
struct Texts {
    left: String,
    right: String,
}

/// What the style of a row depends on: the columns of its bar, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    bar: usize,
    color: bool,
}

/// What the child printed and is not on the screen yet.
#[derive(Debug, Default)]
struct Output {
    /// Complete lines, and what follows an open line.
    ready: Vec<u8>,
    charges: Vec<Charge>,
    /// The begun line of each stream, and since when.
    begun: [(Vec<u8>, Duration); 2],
    /// Whether the last line on the screen is not complete: then there is no place for bars.
    line_open: bool,
}

/// The terminal's own progress indicator (OSC 9;4).
#[derive(Debug, Default)]
struct Taskbar {
    supported: bool,
    shown: Option<u8>,
}

impl Bars {
    /// Draws on the terminal behind `outlet`, whose size `size` gives as columns and rows; `shows` says of stdout and
    /// stderr whether what the child prints there is shown above the bars, and `foreground` whether the terminal is ours
    /// to draw on.
    #[must_use]
    pub(super) fn new(
        outlet: Outlet,
        name: String,
        color: bool,
        shows: [bool; 2],
        size: impl Fn() -> (u16, u16) + Send + Sync + 'static,
        foreground: fn() -> bool,
    ) -> Self {
        let screen = Screen::new(size);
        // indicatif would draw at each change of each row. The frame is forced when the picture is complete.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 1);
        Self {
            outlet,
            multi: MultiProgress::with_draw_target(target),
            screen,
            foreground,
            rows: Vec::new(),
            layout: Layout::default(),
            name,
            color,
            shows,
            taskbar: Taskbar {
                supported: supports_term_progress(true),
                shown: None,
            },
            parts: Parts::default(),
            silent: Some(Silent::default()),
            output: Output::default(),
            last_frame: None,
            drawn: false,
            news: false,
            failures: 0,
            warned: false,
            awaits_report: false,
            lent: false,
            paused: false,
            hung_up: false,
        }
    }

    /// Draws nothing before the first report if `so`: where another program shows what the child prints, a mere spinner
    /// would only be in its way.
    #[must_use]
    pub(super) fn after_first_report(mut self, so: bool) -> Self {
        self.awaits_report = so;
        self
    }

    fn reports(&mut self, reports: &Reports, elapsed: Duration) {
        self.news = true;
        self.awaits_report = false;
        self.silent = None;
        for report in &reports.parts {
            if let Some(part) = self.parts.apply(report, reports.source, elapsed)
                && part.known.status == Some(Status::Failed)
                && self.failures < narration::FAILURES
            {
                self.failures += 1;
                let text = narration::part_failed(&part);
                self.say(&text);
            }
        }
        if let Some(bad) = &reports.first_malformed
            && !self.warned
        {
            self.warned = true;
            self.say(&narration::malformed(bad));
        }
    }

    /// A line of ours above the bars.
    fn say(&mut self, text: &str) {
        let line = format!("{}: {text}\r\n", escape(&self.name));
        if self.output.line_open {
            self.output.ready.extend_from_slice(b"\r\n");
            self.output.line_open = false;
        }
        self.output.ready.extend_from_slice(line.as_bytes());
        self.news = true;
    }

    fn frame(&mut self, elapsed: Duration) {
        self.last_frame = Some(elapsed);
        self.failures = 0;
        self.output.open_old_lines(elapsed);
        if !self.output.ready.is_empty() {
            self.clear();
            self.screen.write(&self.output.take());
        }
        if !(self.foreground)() {
            self.drawn = false;
        } else if !self.output.line_open {
            self.draw(elapsed);
        }
        self.news = false;
        self.send();
    }

    fn send(&mut self) {
        let charges = std::mem::take(&mut self.output.charges);
        self.outlet.send(self.screen.take(), charges);
    }

    /// Takes the bars away, if there are any.
    fn clear(&mut self) {
        // In the background there are none: whoever has the terminal now has written over them.
        if self.drawn && (self.foreground)() {
            self.screen.erase();
        }
        self.drawn = false;
    }

    fn draw(&mut self, elapsed: Duration) {
        let (width, height) = self.screen.measure();
        // A row stays free, or the line above the picture would never be seen.
        let size = (usize::from(width), usize::from(height).max(2) - 1);
        let mut name = self.name.clone();
        if self.paused {
            name.push_str(" (stopped)");
        }
        let silent = self.silent.as_ref();
        let lines = self.layout.lines(&self.parts, silent, &name, size, elapsed);
        for row in self.rows.drain(lines.len().min(self.rows.len())..) {
            self.multi.remove(&row.bar);
        }
        while self.rows.len() < lines.len() {
            let bar = self.multi.add(ProgressBar::new(STEPS));
            self.rows.push(Row::new(bar));
        }
        for (row, line) in self.rows.iter_mut().zip(lines) {
            row.set(line, self.color);
        }
        let first = self.rows.first();
        self.screen.picture(|| {
            if let Some(row) = first {
                row.bar.force_draw();
            }
        });
        self.drawn = true;
        let fraction = self.fraction();
        if let Some(sequence) = self.taskbar.set(fraction) {
            self.screen.write(sequence.as_bytes());
        }
    }

    fn fraction(&self) -> Option<f64> {
        let silent = self.silent.as_ref();
        let task = silent.map_or(&self.parts.task, |silent| &silent.file);
        task.fraction()
    }

    fn terminal_is_ours(&mut self, ours: bool, elapsed: Duration) {
        if ours {
            self.lent = false;
            // Whoever answered a question has ended its line.
            self.output.line_open = false;
            self.news = true;
            return;
        }
        self.clear();
        self.output.open_all_lines();
        self.screen.write(&self.output.take());
        self.last_frame.get_or_insert(elapsed);
        self.lent = true;
        self.send();
    }

    fn finished(&mut self, summary: &Summary, elapsed: Duration) {
        let shown = self.drawn || self.last_frame.is_some();
        self.clear();
        if let Some(sequence) = self.taskbar.remove() {
            self.screen.write(sequence.as_bytes());
        }
        self.output.open_all_lines();
        if let Some(text) = narration::finished(summary, &self.parts, shown, elapsed) {
            self.say(&text);
        }
        self.screen.write(&self.output.take());
        self.send();
    }
}

impl Sink for Bars {
    fn event(&mut self, event: &Event<'_>, elapsed: Duration) {
        match event {
            _ if self.hung_up => {}
            Event::Cancelling {
                reason: Reason::Hangup,
                ..
            } => self.hung_up = true,
            // What was observed is known already; but somebody has asked for it as for a report.
            Event::Progress(reports) if reports.source == Some(FILES) => self.awaits_report = false,
            Event::Progress(reports) => self.reports(reports, elapsed),
            Event::Observed(observed) => {
                if let Some(silent) = &mut self.silent {
                    silent.observed(observed, elapsed);
                    self.news = true;
                }
            }
            Event::Output { stream, bytes, .. } if !self.shows[*stream as usize] => {
                if let Some(silent) = &mut self.silent {
                    silent.printed(*stream, bytes);
                    self.news = true;
                }
            }
            Event::Output {
                stream,
                bytes,
                charge,
            } => {
                self.output.charges.push((*charge).clone());
                self.output.add(*stream as usize, bytes, elapsed);
                // Before the first frame nothing is in the way, and no byte need wait.
                let at_once =
                    self.lent || self.last_frame.is_none() || self.output.ready.len() > GATHER;
                if self.lent {
                    self.output.open_all_lines();
                }
                if at_once && !self.output.ready.is_empty() {
                    self.clear();
                    self.screen.write(&self.output.take());
                    self.send();
                }
                self.news = true;
            }
            Event::Terminal { ours } => self.terminal_is_ours(*ours, elapsed),
            Event::Resized => self.news = true,
            Event::Paused(paused) => {
                self.paused = *paused;
                self.news = true;
                // No time passes while the child is stopped, and so none comes for a frame.
                if *paused && !self.lent {
                    self.frame(elapsed);
                }
            }
            Event::Finished(summary) => self.finished(summary, elapsed),
            event => {
                if let Some(text) = narration::of(event) {
                    self.say(&text);
                    // What a key press does must be seen at once, also where nothing is drawn yet.
                    if !self.lent {
                        self.frame(elapsed);
                    }
                }
            }
        }
    }

    fn due(&self) -> Option<Duration> {
        if self.hung_up || self.lent {
            return None;
        }
        let Some(last) = self.last_frame else {
            return Some(SHOW_AFTER).filter(|_| !self.awaits_report);
        };
        let wait = if self.news || self.output.is_waiting() || !self.outlet.is_idle() {
            FRAME
        } else if self.output.line_open {
            return None;
        } else if self.fraction().is_none() {
            SPIN
        } else {
            SECOND
        };
        Some(last + wait)
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_none_or(|due| due > elapsed) {
            return;
        }
        if self.outlet.is_idle() {
            self.frame(elapsed);
        } else {
            // Losing a frame is fine; asking again in a moment is enough.
            self.last_frame = Some(elapsed);
        }
    }

    fn flush(&mut self, charge: &Charge) {
        self.outlet.flush(charge.clone());
    }
}

impl Row {
    fn new(bar: ProgressBar) -> Self {
        Self {
            bar,
            texts: Arc::default(),
            shape: Shape {
                bar: usize::MAX,
                color: false,
            },
        }
    }

    fn set(&mut self, line: Line, color: bool) {
        let shape = Shape {
            bar: line.bar,
            color,
        };
        if let Ok(mut texts) = self.texts.lock() {
            texts.left = line.left;
            texts.right = line.right;
        }
        if shape != self.shape {
            self.shape = shape;
            self.bar.set_style(style(shape, &self.texts));
        }
        self.bar.update(|state| state.set_pos(steps(line.fraction)));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a fraction of 10,000"
)]
fn steps(fraction: f64) -> u64 {
    (fraction * STEPS as f64) as u64
}

fn style(shape: Shape, texts: &Arc<Mutex<Texts>>) -> ProgressStyle {
    let (on, off) = if shape.color {
        ("\x1b[36m", "\x1b[0m")
    } else {
        ("", "")
    };
    let template = match shape.bar {
        0 => "{left} {right}".to_owned(),
        columns => format!("{{left}} {on}{{bar:{columns}}}{off} {{right}}"),
    };
    let (left, right) = (Arc::clone(texts), Arc::clone(texts));
    // The template is ours and correct; a plain bar is better than none if it ever is not.
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key(
            "left",
            move |_: &ProgressState, f: &mut dyn std::fmt::Write| {
                let _ = left.lock().map(|texts| f.write_str(&texts.left));
            },
        )
        .with_key(
            "right",
            move |_: &ProgressState, f: &mut dyn std::fmt::Write| {
                let _ = right.lock().map(|texts| f.write_str(&texts.right));
            },
        )
}

impl Output {
    fn add(&mut self, stream: usize, bytes: &[u8], elapsed: Duration) {
        let begun = &mut self.begun[stream].0;
        if begun.is_empty() && self.line_open {
            // The line is on the screen already, and what follows belongs to it.
            self.show(bytes);
            return;
        }
        let complete = memchr::memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        if complete > 0 {
            let mut lines = std::mem::take(begun);
            lines.extend_from_slice(&bytes[..complete]);
            self.show(&lines);
        }
        let (begun, since) = &mut self.begun[stream];
        if begun.is_empty() {
            *since = elapsed;
        }
        begun.extend_from_slice(&bytes[complete..]);
        if begun.len() > GATHER {
            let line = std::mem::take(begun);
            self.show(&line);
        }
    }

    /// Whether a begun line may have to be shown soon.
    fn is_waiting(&self) -> bool {
        self.begun.iter().any(|(begun, _)| !begun.is_empty())
    }

    fn show(&mut self, bytes: &[u8]) {
        self.ready.extend_from_slice(bytes);
        if let Some(last) = bytes.last() {
            self.line_open = *last != b'\n';
        }
    }

    /// Lines that stayed open for long are probably questions, and are shown as they are.
    fn open_old_lines(&mut self, elapsed: Duration) {
        for stream in 0..2 {
            let (begun, since) = &mut self.begun[stream];
            if !begun.is_empty() && elapsed >= *since + OPEN_LINE {
                let line = std::mem::take(begun);
                self.show(&line);
            }
        }
    }

    fn open_all_lines(&mut self) {
        for stream in 0..2 {
            let line = std::mem::take(&mut self.begun[stream].0);
            self.show(&line);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }
}

impl Taskbar {
    fn set(&mut self, fraction: Option<f64>) -> Option<String> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let percent = (fraction? * 100.0) as u8;
        if !self.supported || self.shown == Some(percent) {
            return None;
        }
        self.shown = Some(percent);
        Some(TermProgress::start().percent(percent).to_string())
    }

    fn remove(&mut self) -> Option<String> {
        self.shown.take()?;
        Some(TermProgress::remove().to_string())
    }
}
