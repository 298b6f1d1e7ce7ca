//! What the child printed, on its way to the screen above the bars: in which order, how much of it, and what is taken back.
//!
//! Each stream has a buffer of its own, which says what of it is done; here the two come together on one screen. Refuses to
//! know when a frame is due, and the picture.

use std::borrow::Cow;
use std::time::Duration;

use super::filter::Filter;
use super::open_line::{Cursor, OpenLine};
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
    /// Complete lines, and what follows an open line.
    ready: Vec<u8>,
    /// What goes to the terminal and has no place on the screen.
    aside: Vec<u8>,
    /// How many rows above the cursor's begins what is taken back first, if anything is.
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
    /// For a screen of so many columns.
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

    /// The screen has so many columns now.
    pub(super) fn resize(&mut self, width: usize) {
        self.width = width;
        self.line.resize(width);
        for buffer in &mut self.buffers {
            buffer.resize(width);
        }
    }

    /// Takes in what a stream of the child printed, which reports in the format `source` if in any. `verdicts` says what the
    /// lines mean.
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
        // Of a sequence that was begun when it all went to the screen as it is.
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

    /// What is written for machines is shown by a bar from now on, or what came of it so far is to be seen as it is.
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
            self.line.end();
        }
        self.aside.extend_from_slice(&change.aside);
        self.put(&change.done);
    }

    /// Whether something is kept until it is decided.
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

    /// Shows this of a stream as it is.
    pub(super) fn show(&mut self, stream: usize, bytes: &[u8], elapsed: Duration) {
        self.now = elapsed;
        self.latest = stream;
        self.put(bytes);
    }

    fn put(&mut self, bytes: &[u8]) {
        let bytes = self.line.note(bytes, self.now);
        self.ready.extend_from_slice(bytes);
    }

    /// Lines that stayed open for long are probably questions, and are shown as they are; complete ones that were not
    /// redrawn for long are probably done.
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

    /// Shows everything as it is now.
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

    /// Shows everything, for the child is gone. A sequence that it has begun and not ended would swallow what follows.
    pub(super) fn end(&mut self, elapsed: Duration) {
        self.open_all_lines(elapsed);
        self.cut_sequence();
    }

    /// Ends a sequence in the middle of which the screen is. What is still to come of it is left out.
    pub(super) fn cut_sequence(&mut self) {
        if self.line.is_within() {
            self.ready.extend_from_slice(END_ANY);
            self.line.cut();
        }
    }

    /// Other text is about to follow what is on the screen, on a line of its own. Gives whether the last line was open.
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

    /// From when on there is a place for bars; none: not before something else is written.
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

    /// The next open line is to stand alone for a while, for it may be a question.
    pub(super) fn expect_question(&mut self) {
        self.line.has_bars(false);
    }

    /// How many bytes wait for the screen.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// What a line that is being redrawn says.
    pub(super) fn message(&self) -> Option<&str> {
        let other = self.buffers[1 - self.latest].message();
        self.buffers[self.latest].message().or(other)
    }

    /// Whether there is something for the screen.
    pub(super) fn has_something(&self) -> bool {
        self.erase.is_some() || !self.aside.is_empty() || !self.ready.is_empty()
    }

    /// What is to be written now, where the bars were.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.aside);
        if let Some(rows) = self.erase.take() {
            bytes.extend_from_slice(b"\x1b[0m\r");
            if rows > 0 {
                bytes.extend_from_slice(format!("\x1b[{rows}A").as_bytes());
            }
            bytes.extend_from_slice(b"\x1b[J");
        }
        bytes.append(&mut self.ready);
        bytes
    }
}
