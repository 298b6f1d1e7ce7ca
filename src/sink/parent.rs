//! Batch to the progrun that we run under, instead of drawing beside it.
//!
//! Our run becomes a part of the outer one, our parts its parts. The channel is the outer's, with its rules: one write a
//! report, not longer than what is atomic among the writers that share it. The newest state is sent, at most twenty times
//! a second; an end is sent at once.

use std::borrow::Cow;
use std::time::Duration;

use crate::event::{Event, FinalState, What};
use crate::flow::Permit;
use crate::model::parts::LIVE_PARTS;
use crate::protocol::{Progress, Status};

use super::{Sink, Writer};

const FRAME: Duration = Duration::from_millis(50);
/// How much of a text is handed on, in bytes, so that a report with all its texts stays below 4,096.
const TEXT: usize = 500;

/// The channel of the outer progrun, as a sink.
#[derive(Debug)]
pub(super) struct Parent {
    writer: Writer,
    /// The id of our run among the outer one's parts.
    id: String,
    /// What is known and was not sent, in the order of first mention.
    pending: Vec<Progress<'static>>,
    last: Option<Duration>,
}

impl Parent {
    /// Batch to `writer` as a part called `name`.
    pub(super) fn new(writer: Writer, name: &str) -> Self {
        let id = format!("progrun-{}", std::process::id());
        let mut title = Some(Cow::Owned(name.to_owned()));
        clip(&mut title);
        let begin = Progress {
            id: Some(Cow::Owned(id.clone())),
            title,
            ..Progress::default()
        };
        Self {
            writer,
            id,
            pending: vec![begin],
            last: None,
        }
    }

    /// One of our reports as one of the outer run's.
    fn translate(&self, report: &Progress<'static>) -> Progress<'static> {
        let within = |id: &str| Cow::Owned(format!("{}/{id}", self.id));
        let mut report = report.clone();
        match &report.id {
            None => report.id = Some(Cow::Owned(self.id.clone())),
            Some(id) => {
                report.id = Some(within(id));
                report.parent = Some(match &report.parent {
                    Some(parent) => within(parent),
                    None => Cow::Owned(self.id.clone()),
                });
            }
        }
        // Here, and not when it is sent: a thousand of them may wait until the outer run reads on.
        for text in [
            &mut report.id,
            &mut report.parent,
            &mut report.title,
            &mut report.unit,
            &mut report.message,
        ] {
            clip(text);
        }
        report
    }

    fn add(&mut self, report: Progress<'static>) {
        let room = self.pending.len() < LIVE_PARTS;
        let known = self.pending.iter_mut().rfind(|known| known.id == report.id);
        match known {
            Some(known) if known.status.is_none() => known.merge(&report),
            _ if room => self.pending.push(report),
            // The outer one is stopped, or very slow, and shows no more parts than that in any case.
            _ => {}
        }
    }

    fn send(&mut self, elapsed: Duration) {
        self.last = Some(elapsed);
        for report in self.pending.drain(..) {
            let mut line = report.to_json();
            line.push('\n');
            self.writer.send(line.into_bytes(), Vec::new());
        }
    }
}

fn clip(text: &mut Option<Cow<'static, str>>) {
    if let Some(text) = text
        && text.len() > TEXT
    {
        *text = Cow::Owned(text[..text.floor_char_boundary(TEXT)].to_owned());
    }
}

impl Sink for Parent {
    fn event(&mut self, event: &Event<'_>) {
        let elapsed = event.at;
        match &event.what {
            What::Started { .. } => self.send(elapsed),
            What::Progress(reports) => {
                for report in &reports.parts {
                    let report = self.translate(report);
                    self.add(report);
                }
                // A thousand small parts must not wait for a frame, or pile up here.
                if self.pending.len() > 100 && self.writer.is_idle() {
                    self.send(elapsed);
                }
            }
            What::Finished(summary) => {
                let end = Progress {
                    id: Some(Cow::Owned(self.id.clone())),
                    status: Some(match summary.state {
                        FinalState::Completed => Status::Ok,
                        FinalState::Failed => Status::Failed,
                        FinalState::Cancelled => Status::Cancelled,
                    }),
                    ..Progress::default()
                };
                self.add(end);
                self.send(elapsed);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        let last = self.last.filter(|_| !self.pending.is_empty())?;
        Some(last + FRAME)
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.due().is_some_and(|due| due <= elapsed) {
            if self.writer.is_idle() {
                self.send(elapsed);
            } else {
                self.last = Some(elapsed);
            }
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}
