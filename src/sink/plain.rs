//! Progress as lines, for logs and CI: the first report, then a line at each tenth or every ten seconds if there is
//! news, and the end. No carriage returns, no escapes, and nothing for a command that has nothing to say and succeeds.

use std::time::Duration;

use crate::event::{Event, Summary, What};
use crate::flow::Permit;
use crate::model::batch::Batch;
use crate::model::parts::{Part, Parts};
use crate::protocol::Status;

use super::format::{amount, clock, eta, share};
use super::messages::Stop;
use super::sanitize::escape;
use super::{Sink, Writer, messages};

/// How long news waits at most.
const EVERY: Duration = Duration::from_secs(10);

/// Lines on a place that is not a terminal.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one place"
)]
pub(super) struct Plain {
    writer: Writer,
    name: String,
    parts: Parts,
    /// The tenth that the last line was about.
    tenth: Option<u64>,
    last_line: Option<Duration>,
    news: bool,
    /// Whether the progress began anew at some time: then only time makes lines, or a hundred phases would make a
    /// thousand.
    phases: bool,
    /// Whether only what happens is told, not how far it is.
    words_only: bool,
    /// How many failed parts were told of since the last line was out.
    failures: usize,
    /// Whether a malformed line was shown: once is enough.
    warned: bool,
    /// Which streams of the child are written to the same place, as far as we see them, and whether it has a line open there.
    beside: [bool; 2],
    line_open: bool,
    stop: Option<Stop>,
}

impl Plain {
    /// Writes to `writer`; `name` begins each line.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String) -> Self {
        Self {
            writer,
            name,
            parts: Parts::default(),
            tenth: None,
            last_line: None,
            news: false,
            phases: false,
            words_only: false,
            failures: 0,
            warned: false,
            beside: [false; 2],
            line_open: false,
            stop: None,
        }
    }

    /// Begins a line of its own beside what the child prints on these streams, which others write to the same place.
    #[must_use]
    pub(super) fn beside(mut self, streams: [bool; 2]) -> Self {
        self.beside = streams;
        self
    }

    /// For somebody who gets the progress in another way.
    #[must_use]
    pub(super) fn words_only(mut self) -> Self {
        self.words_only = true;
        self
    }

    fn say(&mut self, text: &str) {
        let begin = if std::mem::take(&mut self.line_open) {
            "\n"
        } else {
            ""
        };
        let line = format!("{begin}{}: {text}\n", escape(&self.name));
        self.writer.send(line.into_bytes(), Vec::new());
    }

    fn reports(&mut self, reports: &Batch, elapsed: Duration) {
        for report in &reports.parts {
            self.news = true;
            if let Some(part) = self.parts.apply(report, reports.source, elapsed) {
                self.part_ended(&part);
            }
        }
        if let Some(bad) = &reports.first_malformed
            && !self.warned
        {
            self.warned = true;
            self.say(&messages::malformed(bad));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10"
        )]
        let tenth = self
            .parts
            .task
            .known
            .fraction()
            .map(|fraction| (fraction * 10.0) as u64);
        // Progress may fall a little and rise again; only a new phase is news.
        let moved = match (self.tenth, tenth) {
            (Some(before), Some(now)) if now + 1 < before => {
                self.phases = true;
                self.tenth = tenth;
                false
            }
            (Some(before), Some(now)) => now > before && !self.phases,
            (before, now) => before != now,
        };
        if self.news && (self.last_line.is_none() || moved) {
            self.tenth = tenth;
            self.progress(elapsed);
        }
    }

    fn progress(&mut self, elapsed: Duration) {
        self.news = false;
        self.last_line = Some(elapsed);
        let line = describe(&self.parts, elapsed);
        self.say(&line);
    }

    fn part_ended(&mut self, part: &Part) {
        if self.writer.is_idle() {
            self.failures = 0;
        }
        if part.known.status == Some(Status::Failed) && self.failures < messages::FAILURES {
            self.failures += 1;
            let text = messages::part_failed(part, &self.parts);
            self.say(&text);
        }
    }

    fn finished(&mut self, summary: &Summary, elapsed: Duration) {
        let shown = self.last_line.is_some();
        if let Some(text) = messages::finished(summary, &self.parts, shown, elapsed) {
            self.say(&text);
        }
    }
}

/// Where the task stands, in one line.
fn describe(parts: &Parts, elapsed: Duration) -> String {
    let task = &parts.task;
    let mut words = Vec::new();
    // What is that of its parts is told as theirs.
    words.extend(share(task).filter(|_| task.tally().is_none()));
    words.push(amount(&task.known));
    words.push(messages::tally(parts, false));
    if let Some(left) = task.remaining(elapsed).filter(|left| !left.is_zero()) {
        words.push(eta(left));
    }
    if let Some(message) = &task.known.message {
        words.push(escape(message).trim().to_owned());
    }
    words.retain(|word| !word.is_empty());
    if words.is_empty() {
        words.push(format!("running for {}", clock(elapsed)));
    }
    words.join(", ")
}

impl Sink for Plain {
    fn event(&mut self, event: &Event<'_>) {
        let elapsed = event.at;
        match &event.what {
            What::Progress(_) | What::Finished(_) if self.words_only => {}
            What::Progress(reports) => self.reports(reports, elapsed),
            What::Finished(summary) => self.finished(summary, elapsed),
            What::Output { stream, bytes, .. } if self.beside[*stream as usize] => {
                self.line_open = !bytes.ends_with(b"\n");
            }
            What::Warning(text) => self.say(&escape(text)),
            What::Cancelling { .. } | What::Stopping { .. } => {
                self.stop = Stop::after(self.stop, &event.what, elapsed);
                if let Some(text) = self.stop.and_then(|stop| stop.sentence()) {
                    self.say(&text);
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        self.last_line
            .filter(|_| self.news)
            .map(|last| last + EVERY)
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_some_and(|due| due <= elapsed) {
            self.progress(elapsed);
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
