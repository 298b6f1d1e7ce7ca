//! What only a watcher of a run is told: all that a screen shows and `--json` does not say. The steps of a stop, what
//! the next tasks wait for, the activity of a silent child, and the picture of what came before the watcher.
//!
//! These lines go from one progrun to another. What `--json` says as well is written by the same encoder.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::eta::RunEstimate;
use crate::event::{
    self, Cause, Counts, Event, FileRead, Obstacle, Step, TaskId, What, signal_name, signal_number,
};
use crate::model::batch::BadLine;
use crate::model::parts::Snapshot;
use crate::model::verdict::{Meaning, Verdict, Verdicts};
use crate::protocol::Progress;

use super::base64::Base64;
use super::encoder::{self, Encoder, RUN};
use super::line::{Elapsed, Kind, LONGEST, Reason, Seconds, Stream, believed};

/// Writes the events of a run for watchers.
#[derive(Debug)]
pub(crate) struct WatchEncoder {
    plain: Encoder,
}

impl Default for WatchEncoder {
    fn default() -> Self {
        // A watcher that comes late has not seen when a task began.
        Self {
            plain: Encoder::with_times(),
        }
    }
}

/// A line that only watchers get. A field that an event of its kind does not have is none, and left out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Extra<'a> {
    pub(super) event: Kind,
    pub(super) task: u32,
    pub(super) elapsed: Elapsed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<Stream>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<Base64<'a>>,
    /// What the lines of the output mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lines: Vec<LineMeaning>,
    /// Whether the open line at the end of the output begins like a line for machines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_begun: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    /// The step of a stop: a signal by its name, or a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<String>,
    /// How long the step has until time alone takes the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<Seconds>,
    /// How long the child had for the step before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) paused: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) observed: Option<Observed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Vec<Waiting>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<Snapshot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Counted>,
    /// How many bytes of output a watcher that was too slow has missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

/// What a line of the output means.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LineMeaning {
    end: usize,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Vec<u8>>,
}

/// See [`event::Observed`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Observed {
    cpu: f64,
    read: f64,
    written: f64,
    #[serde(default)]
    file: Option<(String, u64, u64)>,
}

/// See [`event::Waiting`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    name: String,
    obstacle: WaitsFor,
}

/// See [`Obstacle`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WaitsFor {
    Task(String),
    Memory,
    Load,
    Retry(Duration),
    Slots,
    Host(String),
    Queue(String),
    #[serde(other)]
    Other,
}

/// How many tasks were over before the watcher came: completed, flaky, done, failed, cancelled, skipped, and lost.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Counted {
    counts: [u64; 6],
    #[serde(default)]
    lost: u64,
    estimate: RunEstimate,
}

impl<'a> Extra<'a> {
    fn new(event: Kind, task: Option<TaskId>, at: Duration) -> Self {
        Self {
            event,
            task: task.map_or(RUN, TaskId::get),
            elapsed: Elapsed(at),
            stream: None,
            text: None,
            base64: None,
            lines: Vec::new(),
            is_begun: false,
            reason: None,
            step: None,
            left: None,
            after: None,
            paused: None,
            observed: None,
            waiting: None,
            parts: None,
            counts: None,
            bytes: None,
        }
    }

    /// Reads a line of such a kind.
    pub(super) fn read(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// The text that was printed.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        let text = self.text.take().map(|text| text.into_owned().into_bytes());
        let base64 = self.base64.take().map(|base64| base64.0.into_owned());
        text.or(base64).unwrap_or_default()
    }

    /// What the lines in `bytes` mean; `source` knows the names of the formats. A line that ends elsewhere, or before the
    /// one in front of it, is left out: the sinks cut the bytes there.
    pub(super) fn verdicts(
        &mut self,
        bytes: &[u8],
        source: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Verdicts {
        let mut last = 0;
        let lines = std::mem::take(&mut self.lines).into_iter();
        let lines = lines.filter(|line| {
            let is_next = line.end > last && line.end <= bytes.len();
            if is_next {
                last = line.end;
            }
            is_next
        });
        let verdict = |line: LineMeaning| {
            Some(Verdict {
                end: line.end,
                source: source(&line.source)?,
                meaning: match (line.sentence, line.output) {
                    (Some(sentence), _) => Meaning::Sentence(sentence),
                    (_, Some(bytes)) => Meaning::Output(bytes),
                    _ => Meaning::Progress,
                },
            })
        };
        Verdicts {
            lines: lines.filter_map(verdict).collect(),
            is_begun: self.is_begun,
        }
    }

    fn write(&self, lines: &mut String) {
        // Cannot fail: no field is a map with keys that are no texts, and none refuses to be written.
        lines.push_str(&serde_json::to_string(self).unwrap_or_default());
        lines.push('\n');
    }
}

impl WatchEncoder {
    /// Appends the lines of an event; none if it concerns only progrun and its terminal. Reports are written by
    /// [`report`](Self::report), for a watcher need not see each.
    pub(crate) fn event(&mut self, event: &Event<'_>, lines: &mut String) {
        let extra = |kind| Extra::new(kind, event.task, event.at);
        match &event.what {
            What::Output {
                stream,
                bytes,
                verdicts,
                ..
            } => output(*stream, bytes, verdicts, extra(Kind::Output)).write(lines),
            What::Cancelling { reason, step, left } => Extra {
                reason: Some((*reason).into()),
                step: Some(step_word(*step)),
                left: left.map(Into::into),
                ..extra(Kind::State)
            }
            .write(lines),
            What::Stopping { cause, step, left } => {
                let (reason, after) = match cause {
                    Cause::Again => (Reason::Interrupt, None),
                    Cause::TimedOut => (Reason::Timeout, None),
                    Cause::NoReaction(time) => (Reason::Grace, Some((*time).into())),
                };
                Extra {
                    reason: Some(reason),
                    after,
                    step: Some(step_word(*step)),
                    left: left.map(Into::into),
                    ..extra(Kind::Step)
                }
                .write(lines);
            }
            What::Waiting(waiting) => Extra {
                waiting: Some(waiting.iter().map(Waiting::of).collect()),
                ..extra(Kind::Waiting)
            }
            .write(lines),
            What::Observed(observed) => Extra {
                observed: Some(Observed::of(observed)),
                ..extra(Kind::Observed)
            }
            .write(lines),
            What::Paused(paused) => Extra {
                paused: Some(*paused),
                ..extra(Kind::Paused)
            }
            .write(lines),
            What::Known(parts) => Extra {
                parts: Some(Snapshot::of(parts)),
                ..extra(Kind::Known)
            }
            .write(lines),
            What::Counted(counts, estimate) => Extra {
                counts: Some(Counted::of(counts, *estimate)),
                ..extra(Kind::Counted)
            }
            .write(lines),
            What::Signal { .. } | What::Progress(_) | What::Left => {}
            _ => self.plain.event(event, lines),
        }
    }

    /// Appends every report of an event that has kept them all.
    pub(crate) fn reports(&mut self, event: &Event<'_>, lines: &mut String) {
        self.plain.event(event, lines);
    }

    /// Appends a report.
    pub(crate) fn report(
        source: Option<&str>,
        report: &Progress<'_>,
        task: TaskId,
        at: Duration,
        lines: &mut String,
    ) {
        encoder::report(source, &report.to_json(), task.get(), at, lines);
    }

    /// Appends a line of the channel that is no report.
    pub(crate) fn malformed(bad: &BadLine, task: TaskId, at: Duration, lines: &mut String) {
        encoder::malformed(bad, task.get(), at, lines);
    }

    /// Appends the line that this much output was dropped, and that the picture follows anew.
    pub(crate) fn dropped(bytes: u64, at: Duration, lines: &mut String) {
        Extra {
            bytes: Some(bytes),
            ..Extra::new(Kind::Dropped, None, at)
        }
        .write(lines);
    }
}

fn output<'a>(
    stream: event::Stream,
    bytes: &'a [u8],
    verdicts: &Verdicts,
    extra: Extra<'a>,
) -> Extra<'a> {
    let (text, base64) = match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.into()), None),
        Err(_) => (None, Some(Base64(bytes.into()))),
    };
    let meaning = |verdict: &Verdict| {
        let (sentence, output) = match &verdict.meaning {
            Meaning::Progress => (None, None),
            Meaning::Output(bytes) => (None, Some(bytes.clone())),
            Meaning::Sentence(text) => (Some(text.clone()), None),
        };
        LineMeaning {
            end: verdict.end,
            source: verdict.source.to_owned(),
            sentence,
            output,
        }
    };
    Extra {
        stream: Some(stream.into()),
        text,
        base64,
        lines: verdicts.lines.iter().map(meaning).collect(),
        is_begun: verdicts.is_begun,
        ..extra
    }
}

/// The word for a step of a stop.
pub(super) fn step_word(step: Step) -> String {
    match step {
        Step::Drain => "drain".to_owned(),
        Step::Ask => "ask".to_owned(),
        Step::Signal(signal) => signal_name(signal),
        Step::Terminate => "terminate".to_owned(),
        Step::Kill => "kill".to_owned(),
        Step::GiveUp => "give-up".to_owned(),
    }
}

/// The step of this word; that of a newer progrun is taken for a request to end.
pub(super) fn step_of(word: &str) -> Step {
    match word {
        "drain" => Step::Drain,
        "ask" => Step::Ask,
        "kill" => Step::Kill,
        "give-up" => Step::GiveUp,
        word => signal_number(word).map_or(Step::Terminate, Step::Signal),
    }
}

impl Observed {
    fn of(observed: &event::Observed) -> Self {
        let file = observed.file.as_ref();
        Self {
            cpu: observed.cpu,
            read: observed.read,
            written: observed.written,
            file: file.map(|file| (file.name.clone(), file.position, file.size)),
        }
    }

    /// As an event.
    pub(super) fn into_event(self) -> event::Observed {
        let file = |(name, position, size)| FileRead {
            name,
            position,
            size,
        };
        event::Observed {
            cpu: self.cpu,
            read: self.read,
            written: self.written,
            file: self.file.map(file),
        }
    }
}

impl Waiting {
    fn of(waiting: &event::Waiting) -> Self {
        Self {
            name: waiting.name.clone(),
            obstacle: match &waiting.obstacle {
                Obstacle::Task(name) => WaitsFor::Task(name.clone()),
                Obstacle::Memory => WaitsFor::Memory,
                Obstacle::Load => WaitsFor::Load,
                Obstacle::Retry(at) => WaitsFor::Retry(*at),
                Obstacle::Slots => WaitsFor::Slots,
                Obstacle::Host(host) => WaitsFor::Host(host.clone()),
                Obstacle::Queue(job) => WaitsFor::Queue(job.clone()),
            },
        }
    }

    /// As part of an event.
    pub(super) fn into_event(self) -> event::Waiting {
        event::Waiting {
            name: self.name,
            obstacle: match self.obstacle {
                WaitsFor::Task(name) => Obstacle::Task(name),
                WaitsFor::Memory => Obstacle::Memory,
                WaitsFor::Load => Obstacle::Load,
                WaitsFor::Retry(at) => Obstacle::Retry(at.min(LONGEST)),
                WaitsFor::Host(host) => Obstacle::Host(host),
                WaitsFor::Queue(job) => Obstacle::Queue(job),
                WaitsFor::Slots | WaitsFor::Other => Obstacle::Slots,
            },
        }
    }
}

impl Counted {
    fn of(counts: &Counts, estimate: RunEstimate) -> Self {
        Self {
            counts: [
                counts.completed,
                counts.flaky,
                counts.done,
                counts.failed,
                counts.cancelled,
                counts.skipped,
            ],
            lost: counts.lost,
            estimate,
        }
    }

    /// As an event.
    pub(super) fn into_event(self) -> What<'static> {
        let [completed, flaky, done, failed, cancelled, skipped] = self.counts;
        let counts = Counts {
            completed: believed(completed),
            flaky: believed(flaky),
            done: believed(done),
            failed: believed(failed),
            cancelled: believed(cancelled),
            lost: believed(self.lost),
            skipped: believed(skipped),
        };
        let estimate = self.estimate.at_most(believed(u64::MAX), LONGEST);
        What::Counted(counts, estimate)
    }
}
