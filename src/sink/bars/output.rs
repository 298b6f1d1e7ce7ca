//! What the child printed, on its way to the screen above the bars: in which order, how much of it, and what is erased
//! again.
//!
//! Each stream has a buffer of its own, which says how much of the stream can be shown; here the two streams come
//! together on one screen. Knows neither the picture nor when a frame is due.

use std::borrow::Cow;
use std::time::Duration;

use super::filter::Filter;
use super::open_line::{Cursor, OpenLine};
use super::screen::ERASE_BELOW;
use crate::model::verdict::Verdicts;
use crate::vt::END_ANY;
use crate::vt::line_buffer::{Change, LineBuffer, rows_of};

/// How long a line may stay open before it is shown as it is.
const OPEN_LINE: Duration = Duration::from_millis(150);
/// How long a complete line that may be redrawn is kept back without being redrawn.
const REDRAWN: Duration = Duration::from_secs(1);

/// What the child printed and is not on the screen yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// What goes to the screen next: complete lines, and open lines that are shown.
    ready: Vec<u8>,
    /// Sequences for the terminal that have no place on the screen.
    aside: Vec<u8>,
    /// What is erased first begins this many rows above the cursor's; none: nothing is erased.
    erase: Option<usize>,
    /// How many columns the screen has.
    width: usize,
    filters: [Filter; 2],
    buffers: [LineBuffer; 2],
    /// The stream that was written to last.
    latest: usize,
    /// Since when the begun line of each stream waits, and when anything was written.
    since: [Duration; 2],
    changed: [Duration; 2],
    /// What is on the screen after the last line end.
    line: OpenLine,
    /// Only complete lines are shown, for other tasks print between them.
    whole_lines: bool,
    now: Duration,
}

impl Output {
    /// For a screen of this many columns.
    pub(super) fn new(width: usize) -> Self {
        let mut output = Self::default();
        output.resize(width);
        output
    }

    /// For a terminal whose character set is not UTF-8, if `so`.
    pub(super) fn eight_bits(&mut self, so: bool) {
        for buffer in &mut self.buffers {
            buffer.eight_bits(so);
        }
    }

    /// From now on other tasks print to the same screen: a line is shown when it is complete.
    pub(super) fn show_whole_lines(&mut self) {
        self.whole_lines = true;
    }

    /// The screen has this many columns now.
    pub(super) fn resize(&mut self, width: usize) {
        self.width = width;
        self.line.resize(width);
        for buffer in &mut self.buffers {
            buffer.resize(width);
        }
    }

    /// Takes in what a stream of the child printed. `source` is the format that the stream reports in, if any;
    /// `verdicts` says what the lines mean.
    pub(super) fn add(
        &mut self,
        stream: usize,
        source: Option<&'static str>,
        bytes: &[u8],
        verdicts: &Verdicts,
        elapsed: Duration,
    ) {
        self.now = elapsed;
        let all = bytes.len();
        let mut bytes = bytes;
        // The rest of a sequence whose begin is on the screen already goes there as it is.
        if self.latest == stream && !self.buffers[stream].is_within() {
            bytes = self.line.without_cut(bytes);
            let (rest, after) = bytes.split_at(self.line.rest(bytes));
            self.put(rest);
            bytes = after;
        }
        let mut verdicts = Cow::Borrowed(verdicts);
        if bytes.len() < all {
            let _ = verdicts.to_mut().split_to(all - bytes.len());
        }
        let mut filter = std::mem::take(&mut self.filters[stream]);
        filter.sift(source, bytes, &verdicts, elapsed, &mut |seen| {
            self.write(stream, seen, elapsed);
        });
        self.filters[stream] = filter;
    }

    /// Ends the keeping in the filters: if `drawn`, a bar shows what the lines for machines say; else the lines
    /// themselves are shown.
    pub(super) fn decide(&mut self, drawn: bool, elapsed: Duration) {
        self.now = elapsed;
        for stream in 0..2 {
            let mut filter = std::mem::take(&mut self.filters[stream]);
            filter.decide(drawn, elapsed, &mut |seen| {
                self.write(stream, seen, elapsed);
            });
            self.filters[stream] = filter;
        }
    }

    fn write(&mut self, stream: usize, bytes: &[u8], elapsed: Duration) {
        if bytes.is_empty() {
            return;
        }
        let waited = self.buffers[stream].has_open();
        let mut change = Change::default();
        self.buffers[stream].write(bytes, &mut change);
        self.latest = stream;
        if !waited || !change.done.is_empty() {
            self.since[stream] = elapsed;
        }
        self.changed[stream] = elapsed;
        self.apply(stream, &change);
        if self.line.is_open() {
            // The line is on the screen already, and what follows belongs to it.
            self.open_line(stream);
        }
    }

    fn open_line(&mut self, stream: usize) {
        let mut change = Change::default();
        self.buffers[stream].show_open(&mut change);
        self.apply(stream, &change);
    }

    fn apply(&mut self, stream: usize, change: &Change) {
        if !change.done.is_empty() {
            self.buffers[1 - stream].is_covered();
        }
        if !change.back.is_empty() {
            // What is not on the screen yet is simply not shown.
            let unseen = change.back.len().min(self.ready.len());
            self.ready.truncate(self.ready.len() - unseen);
            let seen = &change.back[..change.back.len() - unseen];
            if !seen.is_empty() {
                // The line after a line end has nothing to erase, and is where the cursor is.
                let rows = rows_of(seen, self.width.max(1)) - 1;
                self.erase = Some(self.erase.unwrap_or(0) + rows);
            }
            if self.line.is_open() {
                // It was no question: the bars need not go for the next line, which a test runner redraws just so.
                self.line.has_bars(true);
            }
            self.line.end();
        }
        self.aside.extend_from_slice(&change.aside);
        self.put(&change.done);
    }

    /// Whether a bar has shown what the lines for machines say.
    pub(super) fn is_decided(&self) -> bool {
        self.filters.iter().all(Filter::is_decided)
    }

    /// Whether a filter keeps lines until it is known whether a bar shows them.
    pub(super) fn keeps(&self) -> bool {
        self.filters.iter().any(Filter::keeps)
    }

    /// Whether something may have to be shown soon.
    pub(super) fn is_waiting(&self) -> bool {
        let opens = !self.whole_lines;
        let waits = |buffer: &LineBuffer| opens && buffer.has_open() || buffer.has_lines();
        let holds = |filter: &Filter| filter.since().is_some();
        let buffers = self.buffers.iter().any(waits);
        let within = self.line.is_within();
        self.has_something() || self.keeps() || within || buffers || self.filters.iter().any(holds)
    }

    /// Shows these bytes of a stream as they are.
    pub(super) fn show(&mut self, stream: usize, bytes: &[u8], elapsed: Duration) {
        self.now = elapsed;
        self.latest = stream;
        self.put(bytes);
    }

    fn put(&mut self, bytes: &[u8]) {
        let bytes = self.line.note(bytes, self.now);
        self.ready.extend_from_slice(bytes);
    }

    /// Shows lines that stayed open for long, which are probably questions, and complete lines that were not redrawn
    /// for long, which are probably done.
    pub(super) fn open_old_lines(&mut self, elapsed: Duration) {
        self.now = elapsed;
        if self.line.is_stuck(elapsed) {
            self.cut_sequence();
        }
        for stream in 0..2 {
            let since = self.filters[stream].since();
            if since.is_some_and(|since| elapsed >= since + OPEN_LINE) {
                self.release(stream, elapsed);
            }
            if self.buffers[stream].has_lines() && elapsed >= self.changed[stream] + REDRAWN {
                let mut change = Change::default();
                self.buffers[stream].show_lines(&mut change);
                self.apply(stream, &change);
            }
            let is_old = elapsed >= self.since[stream] + OPEN_LINE;
            if !self.whole_lines && self.buffers[stream].has_open() && is_old {
                self.open_line(stream);
            }
        }
    }

    /// Shows everything that is held, kept or open, as it is now.
    pub(super) fn open_all_lines(&mut self, elapsed: Duration) {
        self.now = elapsed;
        self.decide(false, elapsed);
        for stream in 0..2 {
            self.release(stream, elapsed);
            let mut change = Change::default();
            self.buffers[stream].flush(&mut change);
            self.apply(stream, &change);
        }
    }

    fn release(&mut self, stream: usize, elapsed: Duration) {
        let mut filter = std::mem::take(&mut self.filters[stream]);
        filter.release(&mut |seen| self.write(stream, seen, elapsed));
        self.filters[stream] = filter;
    }

    /// Shows everything, for the child is gone, and ends a sequence that it left open: that would swallow the text
    /// after it.
    pub(super) fn end(&mut self, elapsed: Duration) {
        self.open_all_lines(elapsed);
        self.cut_sequence();
    }

    /// Ends the sequence in the middle of which the screen is, if any. The rest of it is left out when it comes.
    pub(super) fn cut_sequence(&mut self) {
        if self.line.is_within() {
            self.ready.extend_from_slice(END_ANY);
            self.line.cut();
        }
    }

    /// The next text on the screen is not the child's, and begins a line of its own. Gives whether the last line was
    /// open.
    pub(super) fn end_line(&mut self) -> bool {
        for buffer in &mut self.buffers {
            buffer.is_covered();
        }
        let was_open = self.line.is_open();
        self.line.end();
        was_open
    }

    /// Whether the last line on the screen is not complete.
    pub(super) fn line_open(&self) -> bool {
        self.line.is_open()
    }

    /// The time from which bars can be drawn; none: not before something else is written.
    pub(super) fn bars_from(&self) -> Option<Duration> {
        if self.line.is_within() {
            None
        } else if self.line.is_open() {
            self.line.bars_from()
        } else {
            Some(Duration::ZERO)
        }
    }

    /// Where the cursor is, if it is in an open line, below which bars are drawn.
    pub(super) fn cursor(&mut self) -> Option<Cursor> {
        self.line.is_open().then(|| {
            self.line.has_bars(true);
            self.line.cursor()
        })
    }

    /// The next open line stands without bars below it for a while, for it may be a question.
    pub(super) fn expect_question(&mut self) {
        self.line.has_bars(false);
    }

    /// How many bytes wait for the screen.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The text of a line that is being redrawn.
    pub(super) fn message(&self) -> Option<&str> {
        let other = self.buffers[1 - self.latest].message();
        self.buffers[self.latest].message().or(other)
    }

    /// Whether anything goes to the screen.
    pub(super) fn has_something(&self) -> bool {
        self.erase.is_some() || !self.aside.is_empty() || !self.ready.is_empty()
    }

    /// Gives what is to be written now, in the place of the bars.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.aside);
        if let Some(rows) = self.erase.take() {
            bytes.extend_from_slice(b"\x1b[0m\r");
            if rows > 0 {
                bytes.extend_from_slice(format!("\x1b[{rows}A").as_bytes());
            }
            bytes.extend_from_slice(ERASE_BELOW);
        }
        bytes.append(&mut self.ready);
        bytes
    }
}
