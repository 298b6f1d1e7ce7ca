//! Reports to the progrun that we run under, instead of drawing beside it.
//!
//! Our run becomes a part of the outer one, our parts its parts. The channel is the outer's, with its rules: one write a
//! report, not longer than what is atomic among the writers that share it. The newest state is sent, at most twenty times
//! a second; an end is sent at once.

use std::borrow::Cow;
use std::time::Duration;

use crate::credit::Charge;
use crate::event::{Event, Final};
use crate::parts::LIVE_PARTS;
use crate::protocol::{Progress, Status};

use super::{Outlet, Sink};

const FRAME: Duration = Duration::from_millis(50);
/// How much of a text is handed on, in bytes, so that a report with all its texts stays below 4,096.
const TEXT: usize = 500;

/// The channel of the outer progrun, as a sink.
#[derive(Debug)]
pub(super) struct Outer {
    outlet: Outlet,
    /// The id of our run among the outer one's parts.
    id: String,
    /// What is known and was not sent, in the order of first mention.
    pending: Vec<Progress<'static>>,
    last: Option<Duration>,
}

impl Outer {
    /// Reports to `outlet` as a part called `name`.
    pub(super) fn new(outlet: Outlet, name: &str) -> Self {
        let id = format!("progrun-{}", std::process::id());
        let mut title = Some(Cow::Owned(name.to_owned()));
        clip(&mut title);
        let begin = Progress {
            id: Some(Cow::Owned(id.clone())),
            title,
            ..Progress::default()
        };
        Self {
            outlet,
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
            self.outlet.send(line.into_bytes(), Vec::new());
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

impl Sink for Outer {
    fn event(&mut self, event: &Event<'_>, elapsed: Duration) {
        match event {
            Event::Started { .. } => self.send(elapsed),
            Event::Progress(reports) => {
                for report in &reports.parts {
                    let report = self.translate(report);
                    self.add(report);
                }
                // A thousand small parts must not wait for a frame, or pile up here.
                if self.pending.len() > 100 && self.outlet.is_idle() {
                    self.send(elapsed);
                }
            }
            Event::Finished(summary) => {
                let end = Progress {
                    id: Some(Cow::Owned(self.id.clone())),
                    status: Some(match summary.state {
                        Final::Completed => Status::Ok,
                        Final::Failed => Status::Failed,
                        Final::Cancelled => Status::Cancelled,
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
            if self.outlet.is_idle() {
                self.send(elapsed);
            } else {
                self.last = Some(elapsed);
            }
        }
    }

    fn flush(&mut self, charge: &Charge) {
        self.outlet.flush(charge.clone());
    }

    fn abandon(&mut self) {
        self.outlet.abandon();
    }
}
