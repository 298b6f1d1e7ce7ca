//! Bars on a terminal, drawn with indicatif; what the child prints scrolls above them.
//!
//! Everything is drawn from the picture in [`Parts`], at most twenty times a second and not at all when nothing changed.
//! A frame is made in memory and leaves as one write; while the terminal has not taken the last one, none is made.
//! Whatever the child printed is written in order and byte for byte: complete lines above the bars, and a line that the
//! child leaves open, such as a question, after a moment as it is, with the bars out of the way at first and then below it.
//! Nothing is drawn in the middle of a sequence, and what the child has on, such as colors and links, is off in what is ours.

mod activity;
mod filter;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod layout;
mod open_line;
mod output;
mod raw;
mod row;
mod screen;
mod taskbar;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::dialect::{FILES, redraws_words};
use crate::event::{Ending, Event, FinalState, Reason, Summary, What};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::model::parts::Parts;
use crate::protocol::Status;

use self::activity::Activity;
use self::layout::Layout;
use self::open_line::Cursor;
use self::output::Output;
use self::raw::Raw;
use self::row::Row;
use self::screen::Screen;
use self::taskbar::Taskbar;
use super::messages::Stop;
use super::sanitize::{ascii, escape};
use super::{Sink, Writer, messages};
use crate::vt::modes::Modes;

/// A fast command stays silent.
const SHOW_AFTER: Duration = Duration::from_millis(200);
const FRAME: Duration = Duration::from_millis(50);
/// The same while the child keeps the terminal busy.
const BUSY: Duration = Duration::from_millis(500);
/// How often a picture moves that has no news: the spinner, or the seconds beside a bar.
const SPIN: Duration = Duration::from_millis(125);
const SECOND: Duration = Duration::from_secs(1);
/// How much output is gathered between frames.
const GATHER: usize = 64 * 1024;

/// Bars on a terminal.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one screen"
)]
pub(super) struct Bars {
    writer: Writer,
    screen: Screen,
    foreground: fn() -> bool,
    setup: fn() -> Setup,
    /// Whether what is typed was read line by line at some time since we got the terminal.
    by_lines: bool,
    multi: MultiProgress,
    rows: Vec<Row>,
    layout: Layout,
    name: String,
    color: bool,
    /// Whether the terminal knows no other characters.
    ascii: bool,
    /// Which streams of the child are ours to show.
    shows: [bool; 2],
    taskbar: Taskbar,
    parts: Parts,
    /// In which format the child reports, if it is not ours, and since when.
    source: Option<&'static str>,
    since: Duration,
    /// What is shown instead as long as there is no report.
    silent: Option<Activity>,
    output: Output,
    /// What the child has switched on in the terminal.
    modes: Modes,
    /// For what the child printed, and held until it is written or known to be redrawn.
    permits: Vec<Permit>,
    last_frame: Option<Duration>,
    /// When bars were drawn last.
    pictured: Duration,
    /// Whether bars are on the screen, and below which line that the child has open.
    drawn: bool,
    below: Option<Cursor>,
    /// Whether the colors that the child has on are off for the time being.
    plain: bool,
    news: bool,
    /// Lines about parts that failed, and when the first of them did. What that was read in comes before.
    failures: Vec<String>,
    failed: Duration,
    warned: bool,
    /// Whether the child writes to the terminal itself.
    is_direct: bool,
    /// Whether nothing is drawn before the first report.
    awaits_report: bool,
    /// Whether the terminal is the child's for the time being.
    lent: bool,
    /// Whether somebody has stopped the child.
    paused: bool,
    /// Where a stop is that was requested.
    stop: Option<Stop>,
    /// Whether the terminal is gone: after SIGHUP nothing is drawn.
    hung_up: bool,
}

/// How a terminal is set up, as far as it matters to who draws there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Whether a newline returns the cursor.
    pub(super) newline_returns: bool,
    /// Whether what is typed is read line by line.
    pub(super) by_lines: bool,
}

impl Bars {
    /// Draws on the terminal behind `writer`, whose size `size` gives as columns and rows; `shows` says of stdout and
    /// stderr whether what the child prints there is shown above the bars, `foreground` whether we are the
    /// terminal's foreground, and `setup` how it is set up.
    #[must_use]
    pub(super) fn new(
        writer: Writer,
        name: String,
        color: bool,
        shows: [bool; 2],
        size: impl Fn() -> (u16, u16) + Send + Sync + 'static,
        foreground: fn() -> bool,
        setup: fn() -> Setup,
    ) -> Self {
        let screen = Screen::new(size);
        let width = usize::from(screen.measure().0);
        // indicatif would draw at each change of each row. The frame is forced when the picture is complete.
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 1);
        Self {
            writer,
            multi: MultiProgress::with_draw_target(target),
            screen,
            foreground,
            setup,
            by_lines: setup().by_lines,
            rows: Vec::new(),
            layout: Layout::default(),
            name,
            color,
            ascii: false,
            shows,
            taskbar: Taskbar::new(),
            parts: Parts::default(),
            source: None,
            since: Duration::ZERO,
            silent: Some(Activity::default()),
            output: Output::new(width),
            modes: Modes::default(),
            permits: Vec::new(),
            last_frame: None,
            pictured: Duration::ZERO,
            drawn: false,
            below: None,
            plain: false,
            news: false,
            failures: Vec::new(),
            failed: Duration::ZERO,
            warned: false,
            is_direct: false,
            awaits_report: false,
            lent: false,
            paused: false,
            stop: None,
            hung_up: false,
        }
    }

    /// Draws nothing before the first report if `so`: where another program shows what the child prints, a mere spinner
    /// would only be in its way. It may have taken the keyboard before us, as less does, and it is not ours then.
    #[must_use]
    pub(super) fn after_first_report(mut self, so: bool) -> Self {
        self.awaits_report = so;
        self.by_lines |= so;
        self
    }

    /// Beside a child that writes to the terminal itself if `so`.
    #[must_use]
    pub(super) fn direct(mut self, so: bool) -> Self {
        self.is_direct = so;
        self
    }

    /// For a terminal whose character set is not UTF-8 if `so`: what is ours is drawn in ASCII there.
    #[must_use]
    pub(super) fn ascii(mut self, so: bool) -> Self {
        self.ascii = so;
        self.output.eight_bits(so);
        self
    }

    fn reports(&mut self, reports: &Batch, elapsed: Duration) {
        self.news = true;
        self.awaits_report = false;
        self.silent = None;
        if self.source != reports.source {
            (self.source, self.since) = (reports.source, elapsed);
            self.output.decide(false, elapsed);
        }
        for report in &reports.parts {
            if let Some(part) = self.parts.apply(report, reports.source, elapsed)
                && part.known.status == Some(Status::Failed)
                && self.failures.len() < messages::FAILURES
            {
                if self.failures.is_empty() {
                    self.failed = elapsed;
                }
                self.failures
                    .push(messages::part_failed(&part, &self.parts));
            }
        }
        if let Some(bad) = &reports.first_malformed
            && !self.warned
        {
            self.warned = true;
            self.say(&messages::malformed(bad));
        }
    }

    fn tell_failures(&mut self) {
        for text in std::mem::take(&mut self.failures) {
            self.say(&text);
        }
    }

    /// A line of ours above the bars.
    fn say(&mut self, text: &str) {
        self.clear();
        self.output.cut_sequence();
        self.write_output();
        self.be_plain(true);
        let open = if self.output.end_line() { "\r\n" } else { "" };
        let line = format!("{open}{}: {text}\r\n", escape(&self.name));
        let line = if self.ascii {
            ascii(&line)
        } else {
            line.into()
        };
        self.screen.write(line.as_bytes());
        self.news = true;
    }

    fn frame(&mut self, elapsed: Duration) {
        self.last_frame = Some(elapsed);
        let draws = self.is_ours() && self.has_place(elapsed);
        // A bar that is over at once has shown nothing, as after the answer of a server that looks like a report.
        if draws && elapsed >= self.since + SHOW_AFTER {
            self.output.decide(true, elapsed);
        } else if !draws && self.output.keeps() {
            self.output.decide(false, elapsed);
        }
        self.output.open_old_lines(elapsed);
        if elapsed >= self.failed + FRAME {
            self.tell_failures();
        }
        if self.output.has_something() {
            self.clear();
            self.write_output();
        }
        if !self.is_ours() {
            self.drawn = false;
        } else if self.has_place(elapsed) {
            self.draw(elapsed);
        }
        self.news = false;
        self.send();
    }

    /// Whether a frame comes with the output: the terminal of a child that writes all the time is never idle. Only there,
    /// for no output comes once the terminal takes no more, and frames would pile up. Where a stop is, is seen all the time.
    fn is_due_amid_output(&self, elapsed: Duration) -> bool {
        !self.lent
            && self.last_frame.is_some()
            && (self.stop.is_some() || elapsed >= self.pictured + BUSY)
    }

    /// Whether bars can be drawn where the cursor is: below complete lines, or below an open one that is there for a while.
    /// What a key press does is not kept back.
    fn has_place(&self, elapsed: Duration) -> bool {
        let from = self.output.bars_from();
        from.is_some_and(|time| time <= elapsed || self.stop.is_some())
    }

    fn send(&mut self) {
        let permits = std::mem::take(&mut self.permits);
        self.writer.send(self.screen.take(), permits);
    }

    /// Writes what the child printed. apt sets the terminal up so that a newline does not return the cursor, and goes on
    /// beside the bars.
    fn write_output(&mut self) {
        let output = self.output.take();
        if output.is_empty() {
            return;
        }
        self.be_plain(false);
        self.modes.note(&output);
        if self.lent || (self.setup)().newline_returns {
            self.screen.write(&output);
            return;
        }
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    self.screen.write(line);
                    self.screen.write(b"\r\n");
                }
                None => self.screen.write(line),
            }
        }
    }

    /// Whether the terminal is ours to draw on. Not everybody has to ask us for it: the server of tmux, which is in a session
    /// of its own, takes the keyboard and draws where it is told.
    fn is_ours(&mut self) -> bool {
        let by_lines = (self.setup)().by_lines;
        self.by_lines |= by_lines;
        (self.foreground)() && self.by_lines == by_lines
    }

    /// Takes the bars away, if there are any.
    fn clear(&mut self) {
        // There are none on somebody else's terminal: whoever has it now has written over them.
        let below = self.below.take();
        if self.drawn && self.is_ours() {
            match below {
                None => self.screen.erase(),
                Some(cursor) => {
                    self.be_plain(true);
                    if cursor.last.is_some() {
                        self.screen.write(b"\r\n\x1b[J");
                        self.go_back(&cursor);
                    } else {
                        self.screen.write(b"\x1b[J");
                    }
                }
            }
        }
        self.drawn = false;
    }

    /// Moves the cursor from the line below to where the child has left it.
    fn go_back(&mut self, cursor: &Cursor) {
        self.screen.write(b"\x1b[A");
        self.screen.write(&cursor.forward());
        if let Some(last) = &cursor.last {
            self.be_plain(false);
            self.screen.write(last.as_bytes());
        }
    }

    /// Switches the colors off that the child has on, for what is ours, or on again.
    fn be_plain(&mut self, plain: bool) {
        let style = self.modes.style();
        if self.plain != plain && !style.is_usual() {
            let bytes = if plain { style.off() } else { style.on() };
            self.screen.write(&bytes);
            self.plain = plain;
        }
    }

    fn draw(&mut self, elapsed: Duration) {
        let (width, height) = self.screen.measure();
        self.output.resize(usize::from(width));
        // A row stays free, or the line above the picture would never be seen.
        let size = (usize::from(width), usize::from(height).max(2) - 1);
        let mut name = self.name.clone();
        if self.paused {
            name.push_str(" (stopped)");
        }
        let silent = self.silent.as_ref();
        let message = self.output.message();
        let message = message.filter(|_| self.source.is_none_or(redraws_words));
        let stop = self.stop.map(|stop| stop.state(elapsed));
        let lines = self
            .layout
            .lines(&self.parts, silent, &name, message, size, elapsed);
        let lines = layout::with_line(lines, stop, size);
        for row in self.rows.drain(lines.len().min(self.rows.len())..) {
            self.multi.remove(&row.bar);
        }
        while self.rows.len() < lines.len() {
            let bar = self.multi.add(Row::bar());
            self.rows.push(Row::new(bar));
        }
        for (row, line) in self.rows.iter_mut().zip(lines) {
            row.set(line, self.color, self.ascii);
        }
        self.be_plain(true);
        let cursor = self.output.cursor();
        if cursor.is_some() {
            self.screen.write(b"\r\n");
        }
        let first = self.rows.first();
        self.screen.picture(|| {
            if let Some(row) = first {
                row.draw();
            }
        });
        self.drawn = true;
        self.pictured = elapsed;
        if let Some(cursor) = &cursor {
            self.go_back(cursor);
        }
        self.below = cursor;
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
            self.by_lines = (self.setup)().by_lines;
            // Whoever answered a question has ended its line.
            self.output.end_line();
            self.news = true;
            return;
        }
        self.clear();
        self.output.open_all_lines(elapsed);
        self.write_output();
        self.be_plain(false);
        self.output.expect_question();
        self.last_frame.get_or_insert(elapsed);
        self.lent = true;
        self.send();
    }

    fn switch_taskbar_off(&mut self) {
        if let Some(sequence) = self.taskbar.remove() {
            self.screen.write(sequence.as_bytes());
        }
    }

    /// Where the child writes to the terminal itself, its last line may be open: a meter, or what is echoed of a key.
    fn leave_line(&self) {
        if self.is_direct {
            self.screen.write(b"\r\n");
        }
    }

    fn finished(&mut self, summary: &Summary, elapsed: Duration) {
        let shown = self.drawn || self.last_frame.is_some();
        self.clear();
        self.switch_taskbar_off();
        self.output.end(elapsed);
        self.write_output();
        if self.modes.is_elsewhere() {
            self.output.end_line();
        }
        let ending = summary.exit.map(|exit| exit.ending);
        if summary.state == FinalState::Cancelled || matches!(ending, Some(Ending::Signal(_))) {
            self.leave_line();
        }
        // What is left on is off for us, and for who writes next.
        self.screen.write(&self.modes.undo(summary.state));
        self.tell_failures();
        if let Some(text) = messages::finished(summary, &self.parts, shown, elapsed) {
            self.say(&text);
        }
        self.send();
    }
}

impl Sink for Bars {
    fn event(&mut self, event: &Event<'_>) {
        let elapsed = event.at;
        match &event.what {
            _ if self.hung_up => {}
            What::Cancelling {
                reason: Reason::Hangup,
                ..
            } => {
                // The terminal may still be there, if somebody sent the signal by hand.
                self.clear();
                self.switch_taskbar_off();
                self.send();
                self.hung_up = true;
            }
            // What was observed is known already; but somebody has asked for it as for a report.
            What::Progress(reports) if reports.source == Some(FILES) => self.awaits_report = false,
            What::Progress(reports) => self.reports(reports, elapsed),
            What::Observed(observed) => {
                if let Some(silent) = &mut self.silent {
                    silent.observed(observed, elapsed);
                    self.news = true;
                }
            }
            What::Output { stream, bytes, .. } if !self.shows[*stream as usize] => {
                if let Some(silent) = &mut self.silent {
                    silent.printed(*stream, bytes);
                    self.news = true;
                }
            }
            What::Output {
                stream,
                bytes,
                permit,
            } => {
                self.permits.push((*permit).clone());
                if self.lent || self.awaits_report {
                    self.output.show(*stream as usize, bytes, elapsed);
                } else {
                    self.output
                        .add(*stream as usize, self.source, bytes, elapsed);
                }
                // Before the first frame nothing is in the way, and no byte need wait.
                let at_once =
                    self.lent || self.last_frame.is_none() || self.output.ready() > GATHER;
                if at_once && self.output.has_something() {
                    let is_due = self.is_due_amid_output(elapsed);
                    self.clear();
                    self.write_output();
                    if is_due && self.is_ours() && self.has_place(elapsed) {
                        self.draw(elapsed);
                    }
                    self.send();
                }
                self.news = true;
            }
            What::Terminal { ours } => self.terminal_is_ours(*ours, elapsed),
            What::Resized => self.news = true,
            What::Paused(paused) => {
                self.paused = *paused;
                self.news = true;
                // No time passes while the child is stopped, and so none comes for a frame.
                if *paused && !self.lent {
                    self.frame(elapsed);
                }
            }
            What::Finished(summary) => self.finished(summary, elapsed),
            What::Warning(text) => {
                self.say(&escape(text));
                if !self.lent {
                    self.frame(elapsed);
                }
            }
            What::Cancelling { .. } | What::Stopping { .. } => {
                self.stop = Stop::after(self.stop, &event.what, elapsed);
                self.layout.stop();
                self.news = true;
                // What a key press does must be seen at once, also where nothing is drawn yet.
                if !self.lent {
                    self.frame(elapsed);
                }
                if !self.drawn
                    && let Some(text) = self.stop.and_then(|stop| stop.sentence())
                {
                    self.leave_line();
                    self.say(&text);
                    self.send();
                }
            }
            What::Started { .. } | What::Signal { .. } => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        if self.hung_up || self.lent {
            return None;
        }
        let Some(last) = self.last_frame else {
            return Some(SHOW_AFTER).filter(|_| !self.awaits_report);
        };
        let waits = self.news || self.output.is_waiting() || !self.failures.is_empty();
        let wait = if waits || !self.writer.is_idle() {
            FRAME
        } else if self.output.line_open() && !self.drawn {
            return self.output.bars_from().map(|time| time.max(last + FRAME));
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
        if self.writer.is_idle() {
            self.frame(elapsed);
        } else {
            // Losing a frame is fine; asking again in a moment is enough.
            self.last_frame = Some(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    /// What the child prints goes on, without bars.
    fn fall_back(mut self: Box<Self>) -> Option<Box<dyn Sink>> {
        self.screen.write(b"\r\x1b[0m\x1b[J");
        let mut kept = || {
            self.output.open_all_lines(Duration::ZERO);
            self.output.take()
        };
        let kept = catch_unwind(AssertUnwindSafe(&mut kept)).unwrap_or_default();
        self.screen.write(&kept);
        let sentence =
            "a fault of progrun itself, see above: no bars from now on; the command goes on";
        self.screen
            .write(format!("\r\n{}: {sentence}\r\n", escape(&self.name)).as_bytes());
        self.writer
            .send(self.screen.take(), std::mem::take(&mut self.permits));
        Some(Box::new(Raw {
            writer: self.writer,
            shows: self.shows,
        }))
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FinalState, Stream};
    use crate::flow::Credit;
    use crate::protocol::Progress;
    use std::io::{Read, Seek};
    use std::num::NonZeroU16;
    use std::sync::Arc;

    fn emulator() -> vt100::Parser {
        let size = |number| NonZeroU16::new(number).unwrap();
        vt100::Parser::new(size(24), size(80), 10_000)
    }

    /// What went up and out of sight, and what is on the screen.
    fn everything(parser: &mut vt100::Parser) -> Vec<String> {
        let screen = parser.screen_mut();
        let mut all = Vec::new();
        let mut above = screen.scrollback_len();
        while above > 0 {
            screen.set_scrollback(above);
            all.extend(screen.rows(0, 80).take(above.min(24)));
            above -= above.min(24);
        }
        screen.set_scrollback(0);
        all.extend(screen.rows(0, 80));
        let mut all: Vec<_> = all.iter().map(|row| row.trim_end().to_owned()).collect();
        while all.last().is_some_and(String::is_empty) {
            all.pop();
        }
        all
    }

    /// What a terminal alone would show of this.
    fn alone(bytes: &[u8]) -> Vec<String> {
        let mut parser = emulator();
        parser.process(bytes);
        everything(&mut parser)
    }

    /// What is to be seen on the screen, with its colors, and the colors of what would be written next.
    fn in_colors(parser: &vt100::Parser) -> (Vec<String>, String) {
        let screen = parser.screen();
        let cell = |row, column| {
            let cell = screen.cell(row, column).unwrap();
            let blank =
                cell.contents().trim().is_empty() && cell.bgcolor() == vt100::Color::Default;
            (!blank).then(|| {
                let (text, bold) = (cell.contents(), cell.bold());
                format!("{text} {:?} {:?} {bold}, ", cell.fgcolor(), cell.bgcolor())
            })
        };
        let row = |row| (0..80).filter_map(|column| cell(row, column)).collect();
        let rows: Vec<String> = (0..24).map(row).collect();
        (rows, screen.attributes_formatted())
    }

    /// A run whose stdout is written in these pieces, a tenth of a second apart; what the terminal shows after each, and
    /// at the end.
    fn run(pieces: &[&[u8]]) -> (Vec<Vec<String>>, Vec<String>) {
        let (pictures, mut parser) = run_on_terminal(pieces);
        let mut all = everything(&mut parser);
        let last = all.pop().unwrap();
        assert!(last.starts_with("job: completed"), "{last:?} {all:?}");
        (pictures, all)
    }

    fn bars(writer: Writer) -> Bars {
        Bars::new(
            writer,
            "job".to_owned(),
            false,
            [true; 2],
            || (80, 24),
            || true,
            || Setup {
                newline_returns: true,
                by_lines: true,
            },
        )
    }

    fn run_on_terminal(pieces: &[&[u8]]) -> (Vec<Vec<String>>, vt100::Parser) {
        let named = tempfile::NamedTempFile::new().unwrap();
        let mut file = named.reopen().unwrap();
        let writer = Writer::new(named.into_file().into(), Box::new(|_| ()));
        let mut bars = bars(writer);
        let mut now = Duration::from_millis(300);
        let credit = Credit::new(1 << 20, || ());
        let mut parser = emulator();
        let mut show = |parser: &mut vt100::Parser| {
            let mut written = Vec::new();
            file.read_to_end(&mut written).unwrap();
            // What the terminal does with line ends.
            let mut last = 0;
            for byte in written {
                if byte == b'\n' && last != b'\r' {
                    parser.process(b"\r");
                }
                parser.process(&[byte]);
                last = byte;
            }
        };
        bars.tick(now);
        let mut pictures = Vec::new();
        for piece in pieces {
            let what = What::Output {
                stream: Stream::Stdout,
                bytes: &Arc::new(piece.to_vec()),
                permit: &credit.permit(piece.len()),
            };
            if !piece.is_empty() {
                bars.event(&what.at(now));
            }
            now += Duration::from_millis(100);
            bars.tick(now);
            show(&mut parser);
            pictures.push(everything(&mut parser));
        }
        let summary = Summary {
            state: FinalState::Completed,
            reason: None,
            exit: None,
            error: None,
            reports: 0,
            malformed: 0,
        };
        bars.event(&What::Finished(&summary).at(now));
        show(&mut parser);
        (pictures, parser)
    }

    #[test]
    fn bars_that_fail_leave_what_the_child_prints_on_the_terminal() {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Writer::new(file.try_clone().unwrap().into(), Box::new(|_| ()));
        let mut bars = bars(writer);
        let credit = Credit::new(1 << 20, || ());
        let output = |text: &str| Arc::new(text.as_bytes().to_vec());
        let tell = |sink: &mut dyn Sink, text| {
            let what = What::Output {
                stream: Stream::Stdout,
                bytes: &output(text),
                permit: &credit.permit(1),
            };
            sink.event(&what.at(SHOW_AFTER));
        };
        bars.tick(SHOW_AFTER);
        tell(&mut bars, "before\nopen");
        let mut sink: Box<dyn Sink> = Box::new(bars).fall_back().unwrap();
        tell(sink.as_mut(), "after\n");
        file.rewind().unwrap();
        let mut written = String::new();
        file.read_to_string(&mut written).unwrap();
        let end = "before\nopen\r\njob: a fault of progrun itself, see above: no bars from now on; the command goes on\r\nafter\n";
        assert!(written.ends_with(end), "{written:?}");
    }

    #[test]
    fn what_failed_is_told_of_a_frame_later_when_the_lines_that_say_so_are_there() {
        let writer = Writer::new(tempfile::tempfile().unwrap().into(), Box::new(|_| ()));
        let mut bars = bars(writer);
        let part = Progress {
            id: Some("1".into()),
            status: Some(Status::Failed),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![part],
            source: Some("tap"),
            ..Batch::default()
        };
        bars.event(&What::Progress(&reports).at(SHOW_AFTER));
        bars.frame(SHOW_AFTER);
        assert_eq!(bars.failures.len(), 1);
        bars.frame(SHOW_AFTER + FRAME);
        assert_eq!(bars.failures.len(), 0);
    }

    #[test]
    fn a_redrawn_line_is_the_bars_message_and_scrolls_above_when_it_is_done() {
        let (pictures, end) = run(&[b"\r 10% of a", b"\r 50% of a", b"\r100% of a\n", b"next\n"]);
        assert!(
            pictures[1][0].ends_with("0s  50% of a"),
            "{:?}",
            pictures[1]
        );
        assert_eq!(pictures[3][..2], ["100% of a", "next"]);
        assert!(pictures[3][2].ends_with("0s"), "{:?}", pictures[3]);
        assert_eq!(end, ["100% of a", "next"]);
    }

    #[test]
    fn a_sequence_that_the_child_has_not_ended_does_not_swallow_our_last_words() {
        for begun in [&b"hello\x1b]0;title"[..], b"hello\x1bPq", b"hello\x1b["] {
            assert_eq!(run(&[begun]).1, ["hello"]);
        }
    }

    #[test]
    fn bars_are_below_a_line_that_stays_open_and_its_rest_is_put_at_its_end() {
        let wide = "w".repeat(79);
        for begin in [
            "big.iso:",
            "\x1b[32mgreen \u{65e5}",
            &wide,
            &"x".repeat(200),
            "a\tb",
        ] {
            for (rest, more) in [
                (".", "."),
                ("yz", "\x1b[31mred"),
                ("\u{672c}", "!"),
                ("\tt", "-"),
            ] {
                let mut pieces = vec![b"before\n".to_vec(), begin.as_bytes().to_vec()];
                pieces.extend(vec![Vec::new(); 14]);
                for piece in [rest, more, "\nafter\nopen ", "again"] {
                    pieces.push(piece.as_bytes().to_vec());
                    pieces.extend(vec![Vec::new(); 3]);
                }
                let pieces: Vec<_> = pieces.iter().map(|piece| &piece[..]).collect();
                let (pictures, end) = run(&pieces);
                let shown = alone(format!("before\r\n{begin}").as_bytes());
                // Not at first, for it may be a question.
                assert_eq!(pictures[5], shown, "{begin:?}");
                let mut below = pictures[15].clone();
                assert!(below.pop().unwrap().starts_with("job "), "{begin:?}");
                assert_eq!(below, shown, "{begin:?}");
                let shown = alone(format!("before\r\n{begin}{rest}{more}").as_bytes());
                let mut below = pictures[23].clone();
                assert!(
                    below.pop().unwrap().starts_with("job "),
                    "{begin:?}{rest:?}"
                );
                assert_eq!(below, shown, "{begin:?}{rest:?}");
                let all = format!("before\r\n{begin}{rest}{more}\r\nafter\r\nopen again");
                assert_eq!(end, alone(all.as_bytes()));
            }
        }
    }

    #[test]
    fn no_bar_is_drawn_in_the_middle_of_a_sequence_and_one_that_does_not_end_is_ended() {
        for (half, other_half) in [
            ("\x1b[3", "1mred"),
            ("\x1b]0;ti", "tle\x07red"),
            ("\x1bPq#0", "~~\x1b\\red"),
            ("\x1b", "[mred"),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let writer = Writer::new(file.reopen().unwrap().into(), Box::new(|_| ()));
            let mut bars = bars(writer).after_first_report(true);
            let credit = Credit::new(1 << 20, || ());
            let print = |bars: &mut Bars, text: &str, now| {
                let what = What::Output {
                    stream: Stream::Stderr,
                    bytes: &Arc::new(text.as_bytes().to_vec()),
                    permit: &credit.permit(1),
                };
                bars.event(&what.at(now));
                bars.tick(now);
            };
            let mut written = |since: &mut usize| {
                let mut all = String::new();
                file.rewind().unwrap();
                file.read_to_string(&mut all).unwrap();
                let new = all[*since..].to_owned();
                *since = all.len();
                new
            };
            let at = Duration::from_millis;
            let mut since = 0;
            print(&mut bars, half, at(300));
            let report = Progress {
                percentage: Some(50.0),
                ..Progress::default()
            };
            let reports = Batch {
                parts: vec![report],
                ..Batch::default()
            };
            bars.event(&What::Progress(&reports).at(at(400)));
            bars.tick(at(500));
            bars.tick(at(2000));
            assert_eq!(written(&mut since), half);
            bars.tick(at(2500));
            let ended = written(&mut since);
            assert!(ended.starts_with("\x18\x1b\\"), "{ended:?}");
            assert!(ended.contains("job "), "{ended:?}");
            // The rest comes too late to be anything.
            print(&mut bars, other_half, at(3000));
            print(&mut bars, "\n", at(3100));
            let late = written(&mut since);
            assert!(
                late.contains("red\n") && !late.contains("1m") && !late.contains("tle"),
                "{half:?} {late:?}"
            );
        }
    }

    #[test]
    fn a_line_that_is_redrawn_late_is_taken_back_from_the_screen() {
        let first = b" 10% of a: a first line that is not yet known to be redrawn, and longer than the screen";
        let (pictures, end) = run(&[b"before\n", first, b"", b"\r 50%\x1b[K", b"\r100%\n"]);
        assert_eq!(pictures[2].len(), 3);
        assert_eq!(pictures[3][0], "before");
        assert!(pictures[3][1].ends_with("50%"), "{:?}", pictures[3]);
        assert_eq!(end, ["before", "100%"]);
    }

    #[test]
    fn several_lines_that_are_redrawn_leave_no_trail() {
        let mut pieces: Vec<Vec<u8>> = vec![b"before\na 0\nb 0\n".to_vec()];
        for step in 1..40 {
            pieces.push(format!("\x1b[2Aa {step}\x1b[K\nb {step}\x1b[K\n").into_bytes());
        }
        let pieces: Vec<_> = pieces.iter().map(|piece| &piece[..]).collect();
        let (pictures, end) = run(&pieces);
        assert_eq!(pictures[0][..3], ["before", "a 0", "b 0"]);
        assert_eq!(pictures[1][0], "before");
        assert!(pictures[39][1].ends_with("b 39"), "{:?}", pictures[39]);
        assert_eq!(pictures[39].len(), 2);
        assert_eq!(end, ["before", "a 39", "b 39"]);
    }

    #[test]
    fn complete_lines_that_are_not_redrawn_any_more_are_shown() {
        let mut pieces: Vec<&[u8]> = vec![b"a 0\n", b"\x1b[Aa 1\n", b"after\n"];
        pieces.extend([&b""[..]; 12]);
        let (pictures, end) = run(&pieces);
        assert!(pictures[2][0].starts_with("a 1"), "{:?}", pictures[2]);
        assert_eq!(pictures[2].len(), 2);
        assert_eq!(pictures.last().unwrap()[..2], ["a 1", "after"]);
        assert_eq!(end, ["a 1", "after"]);
    }

    #[test]
    fn a_line_of_state_at_the_bottom_is_a_message_and_wrecks_nothing() {
        let (pictures, end) = run(&[
            b"Unpacking a\n\n\x1b7\x1b[0;23r\x1b8\x1b[1A",
            b"\x1b7\x1b[24;0f\x1b[42mProgress: [ 50%]\x1b[49m [##..]\x1b8",
            b"\n\x1b7\x1b[0;24r\x1b8\x1b[1A\x1b[JUnpacking b\n",
        ]);
        assert!(
            pictures[1]
                .last()
                .unwrap()
                .ends_with("Progress: [ 50%] [##..]")
        );
        assert_eq!(end, ["Unpacking a", "Unpacking b"]);
    }

    #[test]
    fn what_a_recorded_program_leaves_is_what_a_terminal_would_hold() {
        // cargo, npm, ninja, tqdm with two bars, pnpm, e2fsck and mke2fs, each in short.
        let recorded: [&str; 7] = [
            "\x1b[1m\x1b[92m   Compiling\x1b[0m a v0.1.0\r\n\x1b[1m\x1b[96m    Building\x1b[0m [=> ] 1/3: a\r\x1b[K\
             \x1b[1m\x1b[92m   Compiling\x1b[0m b v0.1.0\r\n\x1b[1m\x1b[96m    Building\x1b[0m [==>] 2/3: b\r\x1b[K\
             \x1b[1m\x1b[92m    Finished\x1b[0m in 1s\r\n",
            "⠙\x1b[1G\x1b[0K⠹\x1b[1G\x1b[0K⠸\x1b[1G\x1b[0K\r\nadded 1 package\r\n⠸\x1b[1G\x1b[0K",
            "\r[0/3] Building a\x1b[K\r[1/3] Building a.longer\x1b[K\r\n\x1b[31mFAILED: \x1b[0ma \r\n",
            "\rone:   0%|  |\r\n\rtwo:   0%|  |\x1b[A\rone:  50%|# |\r\n\rtwo:  50%|# |\x1b[A\rone: 100%|##|\r\n\
             \rtwo: 100%|##|\x1b[A\r\n\n",
            "Progress: resolved \x1b[96m1\x1b[39m\r\n\x1b[1AProgress: resolved \x1b[96m22\x1b[39m, done\r\n\
             + left-pad\r\n",
            "Pass 1\r\next.img: |=    |  2.2%   \r                         \rPass 2\r\n",
            "Writing tables:   0/120\x08\x08\x08\x08\x08\x08\x08 64/120\x08\x08\x08\x08\x08\x08\x08done   \r\n",
        ];
        for bytes in recorded {
            for size in [1, 5, 64] {
                let pieces: Vec<_> = bytes.as_bytes().chunks(size).collect();
                assert_eq!(
                    run(&pieces).1,
                    alone(bytes.as_bytes()),
                    "{bytes:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn colors_go_on_beyond_the_bars_and_are_not_theirs() {
        for written in [
            "\x1b[31mred\r\nstill red\r\n\x1b[1;44mbold on blue\r\n\x1b[39;49mbold\r\n\x1b[0mplain\r\n",
            "a\r\n\x1b[31mleft red\r\n",
            "\x1b[31mleft red\r\n\r 10%\r\x1b[32m20%\x1b[K",
            "\x1b[31mred\r\n\r\x1b[0mplain\r\n\x1b[32mgreen\r\n\r\x1b[1mbold\r\nalso bold\r\n",
            "\x1b[96mone\r\ntwo\r\n\x1b[1A\x1b[39mTWO\r\nthree\r\n",
            "\x1b[96mone\r\n\x1b[0m\x1b[H\x1b[Jplain\r\n\x1b[33m\x1b[H\x1b[2Jyellow\r\n",
            "\x1b[35mpink\r\n\x1b7\x1b[24;1H\x1b[42mstate\x1b8still pink\r\n",
        ] {
            let mut alone = emulator();
            alone.process(written.as_bytes());
            // Of the line of state nothing stays, and of the colors.
            let (mut expected, _) = in_colors(&alone);
            expected[23].clear();
            for size in [1, 3, 7, 1000] {
                let pieces: Vec<_> = written.as_bytes().chunks(size).collect();
                let (_, parser) = run_on_terminal(&pieces);
                let (mut rows, last) = in_colors(&parser);
                let ours = rows.iter_mut().rfind(|row| !row.is_empty()).unwrap();
                let plain = "j Default Default false, o Default Default false, ";
                assert!(ours.starts_with(plain), "{ours} of {written:?} by {size}");
                ours.clear();
                assert_eq!(
                    (rows, last.as_str()),
                    (expected.clone(), "\x1b[m"),
                    "{written:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn titles_pass_and_questions_and_progress_of_the_terminal_do_not() {
        let mut output = output::Output::new(80);
        let written = b"\x1b]0;title\x07\x1b]9;4;1;50\x1b\\a\x1b[6n\x1b]11;?\x07\x1b]8;;x\x07b\n";
        output.add(0, None, written, Duration::ZERO);
        assert_eq!(output.take(), b"\x1b]0;title\x07a\x1b]8;;x\x07b\n");
    }
}
