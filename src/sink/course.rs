//! The course of a run of many tasks as lines, for logs and CI: how many there are, then a line at each tenth or every
//! ten seconds if some have ended, failures at once, and the end. No carriage returns, no escapes; nothing of the tasks'
//! own progress, and nothing of a run that is over within a moment with all well.

use std::time::Duration;

use crate::event::{Event, What};
use crate::flow::Permit;

use super::Sink;
use super::beside::Beside;
use super::census::Census;
use super::closing::Closing;
use super::display::{self, Many};
use super::ends;
use super::format::{about, count};
use super::messages;
use super::sanitize::escape;
use super::writer::Writer;

/// How long news waits at most.
const EVERY: Duration = Duration::from_secs(10);
/// A run that is over sooner, with all well, is not told of.
const MOMENT: Duration = Duration::from_secs(1);

/// Lines about a run of many tasks.
#[derive(Debug)]
pub(super) struct Course {
    lines: Beside,
    tells: Tells,
    ends: Option<display::Ends>,
    census: Census,
    closing: Closing,
    /// The first line was written, and when a line about the course was written last.
    has_begun: bool,
    /// Lines about tasks that ended well before that.
    held: Vec<String>,
    last_line: Duration,
    /// The tenth that the last line was about.
    tenth: u64,
    /// A task has ended since then.
    news: bool,
    is_over: bool,
}

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    Everything,
    /// Warnings and stops only: the progress is read elsewhere, in `--json`.
    Messages,
}

impl Course {
    /// Writes to `writer`. The name of the run begins each line that is not about one task.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String, many: &Many) -> Self {
        Self {
            lines: Beside::new(writer),
            tells: Tells::Everything,
            ends: many.ends,
            census: Census::new(name),
            closing: Closing::new(many.again.clone()),
            has_begun: false,
            held: Vec::new(),
            last_line: Duration::ZERO,
            tenth: 0,
            news: false,
            is_over: false,
        }
    }

    /// Begins a line of its own beside these streams of the children, which another sink writes to the same place.
    #[must_use]
    pub(super) fn beside(mut self, streams: [bool; 2]) -> Self {
        self.lines.share_with(streams);
        self
    }

    /// Tells warnings and stops only: the progress is read elsewhere.
    #[must_use]
    pub(super) fn only_messages(mut self) -> Self {
        self.tells = Tells::Messages;
        self
    }

    /// A line about the run.
    fn say(&mut self, text: &str) {
        let line = format!("{}: {text}", escape(&self.census.name));
        self.lines.write(&line);
    }

    /// The first line, which waits for another one or for a moment.
    fn begin(&mut self, at: Duration) {
        if self.tells == Tells::Messages || std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.last_line = at;
        let jobs = count(self.census.jobs.into());
        let text = match self.census.of() {
            Some(1) => "1 task".to_owned(),
            Some(total) => format!("{} tasks, {jobs} at a time", count(total)),
            None => format!("{jobs} tasks at a time"),
        };
        self.say(&text);
        for line in std::mem::take(&mut self.held) {
            self.lines.write(&line);
        }
    }

    /// A line about one task.
    fn tell(&mut self, at: Duration, line: &str) {
        self.begin(at);
        self.lines.write(line);
    }

    /// Some tasks are over.
    fn counted(&mut self, at: Duration) {
        self.news = true;
        if at < MOMENT {
            return;
        }
        self.begin(at);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10"
        )]
        let tenth = |fraction: f64| (fraction * 10.0) as u64;
        let tenth = self.census.fraction(0.0).map_or(0, tenth);
        // The end of all is told by the last line.
        if tenth > self.tenth && tenth < 10 {
            self.tenth = tenth;
            self.progress(at);
        }
    }

    fn progress(&mut self, at: Duration) {
        self.begin(at);
        self.news = false;
        self.last_line = at;
        let counts = self.census.counts;
        let over = count(counts.over());
        let mut facts = vec![match self.census.of() {
            Some(total) => format!("{over}/{} done", count(total)),
            None => format!("{over} done"),
        }];
        for (number, what) in [
            (counts.failed, "failed"),
            (counts.skipped, "skipped"),
            (self.census.runs(), "running"),
        ] {
            if number > 0 {
                facts.push(format!("{} {what}", count(number)));
            }
        }
        let left = self.census.remaining(at, |_| None);
        facts.extend(left.map(|left| format!("{} left", about(left))));
        self.say(&facts.join(", "));
    }

    fn told(&mut self, event: &Event<'_>) {
        let at = event.at;
        match &event.what {
            What::Finished(summary) => {
                if summary.attempt.is_none_or(|it| it.retry_in.is_none()) {
                    self.counted(at);
                }
            }
            What::Skipped {
                name,
                reason,
                cause,
            } => {
                let skipped = (*name, *reason, *cause);
                if let Some(line) = ends::skipped(self.ends, skipped, false) {
                    self.tell(at, &line);
                }
                self.counted(at);
            }
            What::Shows(summary) => {
                if ends::is_told(self.ends, summary, self.census.total) {
                    let ended = self.census.shown();
                    let line = ends::line(&ended.name, summary, ended.limit, false);
                    if self.has_begun || ends::is_told_at_once(self.ends, summary) {
                        self.tell(at, &line);
                    } else {
                        self.held.push(line);
                    }
                }
            }
            What::End(end) => {
                self.is_over = true;
                let lines = self.closing.lines(end, &self.census, self.has_begun, at);
                for line in lines {
                    self.lines.write(&line);
                }
            }
            _ => {}
        }
    }

    fn stopping(&mut self) {
        let running = self.census.runs();
        let stop = self.census.stop.as_ref();
        if let Some(text) = stop.and_then(|stop| stop.sentence_of_run(running)) {
            self.say(&text);
        }
    }
}

impl Sink for Course {
    fn event(&mut self, event: &Event<'_>) {
        self.census.event(event);
        if self.tells == Tells::Everything {
            self.closing.event(event, &self.census);
            self.told(event);
        }
        match (&event.what, event.task) {
            (What::Output { stream, bytes, .. }, _) => self.lines.printed(*stream, bytes),
            (What::Warning(text), task) => {
                let task = task.and_then(|task| self.census.task(task));
                let name = task.map_or(&self.census.name, |task| &task.name);
                let line = format!("{}: {}", escape(name), escape(text));
                self.lines.write(&line);
            }
            (What::Cancelling { .. } | What::Stopping { .. }, None) => self.stopping(),
            (What::Halted(halted), _) => {
                if let Some(text) = messages::halted(*halted, self.census.runs()) {
                    self.say(&text);
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        if self.is_over || self.tells == Tells::Messages {
            None
        } else if self.has_begun {
            self.news.then(|| self.last_line + EVERY)
        } else {
            Some(MOMENT)
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_none_or(|due| due > elapsed) {
            return;
        }
        if self.has_begun {
            self.progress(elapsed);
        } else {
            self.begin(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.lines.flush(permit);
    }

    fn abandon(&mut self) {
        self.lines.abandon();
    }
}
