//! What the agent says of its task: reports, output and the end, as if the child were ours.

use std::sync::Arc;

use crate::dialect;
use crate::event::{FinalState, Missed, Summary, What};
use crate::flow::Credit;
use crate::model::batch::{BadLine, Batch, Collector, Verbatim};
use crate::progress::ProgressReporter;
use crate::protocol;
use crate::system::wake::Wake;
use crate::wire::{self, Kind, Line};

use super::super::launch_error::LaunchError;
use super::super::{Ended, FAILED, Launch, Notice};
use super::{Lost, News};

/// What follows from a line.
pub(super) enum Brought {
    Notice(Notice),
    /// The task is over.
    End(Ended),
}

/// The reports and the output of a task.
pub(super) struct Intake<'a> {
    reporter: &'a ProgressReporter<Batch>,
    host: &'a str,
    /// Of what is under way to the sinks.
    credit: Credit,
    every_report: bool,
    /// The reports in our own protocol that were not handed on yet.
    collector: Collector,
    /// How many reports and malformed lines were handed on.
    counted: (u64, u64),
    /// Whether the child has run, and whether it has reported to progrun itself.
    has_started: bool,
    has_own: bool,
    /// The exit status for the reason why there is no child, if there is none.
    status: Option<i32>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        launch: &Launch,
        host: &'a str,
        reporter: &'a ProgressReporter<Batch>,
        wake: Wake,
    ) -> Self {
        Self {
            reporter,
            host,
            credit: Credit::new(launch.under_way, move || wake.wake()),
            every_report: launch.every_report,
            collector: Collector::new(launch.every_report),
            counted: (0, 0),
            has_started: false,
            has_own: false,
            status: None,
        }
    }

    /// Whether as much is under way as may be.
    pub(super) fn exhausted(&self) -> bool {
        self.credit.exhausted()
    }

    /// Whether the child has reported to progrun itself.
    pub(super) fn has_own(&self) -> bool {
        self.has_own
    }

    /// The child could not be started, for which this exit status stands.
    pub(super) fn not_started(&mut self, status: i32) {
        self.status = Some(status);
    }

    /// Hands on the reports that have come.
    pub(super) fn settle(&mut self) {
        let batch = self.collector.take();
        self.hand_on(batch);
    }

    fn hand_on(&mut self, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        self.counted.0 += batch.count;
        self.counted.1 += batch.malformed_count;
        batch.permit = Some(self.credit.permit(batch.weight()));
        // A cancelled task reports no more; the agent hears of that by itself.
        let _ = self.reporter.report(batch);
    }

    /// Takes in an event of the task.
    pub(super) fn event(&mut self, line: &str) -> Vec<Brought> {
        if let Some(head) = Line::read(line) {
            match head.event {
                Kind::Progress => {
                    self.progress(&head);
                    return Vec::new();
                }
                Kind::Malformed => {
                    self.settle();
                    self.malformed(head);
                    return Vec::new();
                }
                _ => {}
            }
        }
        self.settle();
        let mut brought = Vec::new();
        let credit = self.credit.clone();
        let mut ended = None;
        let mut starts = false;
        wire::read(line, &dialect::known, &credit, &mut |event| {
            let notice = match &event.what {
                What::Started { pid: Some(pid), .. } => {
                    starts = true;
                    Notice::Elsewhere(News::Started(*pid))
                }
                What::Output {
                    stream,
                    bytes,
                    verdicts,
                    permit,
                } => Notice::Output {
                    stream: *stream,
                    bytes: Arc::clone(bytes),
                    verdicts: (*verdicts).clone(),
                    permit: (*permit).clone(),
                },
                What::Observed(observed) => Notice::Observed((*observed).clone()),
                What::Paused(paused) => Notice::Elsewhere(News::Paused(*paused)),
                What::Warning(text) => Notice::Elsewhere(News::Warning((*text).to_owned())),
                What::Cancelling { reason, step, left } => Notice::Elsewhere(News::Cancelling {
                    reason: *reason,
                    step: *step,
                    left: *left,
                }),
                What::Stopping { cause, step, left } => Notice::Elsewhere(News::Stopping {
                    cause: *cause,
                    step: *step,
                    left: *left,
                }),
                What::Finished(summary) => {
                    ended = Some((*summary).clone());
                    return;
                }
                _ => return,
            };
            brought.push(Brought::Notice(notice));
        });
        self.has_started |= starts;
        if let Some(summary) = ended {
            self.count_all(&summary);
            brought.push(Brought::End(self.end(&summary)));
        }
        brought
    }

    fn progress(&mut self, head: &Line<'_>) {
        let Some(info) = head.info.as_ref().map(wire::Info::text) else {
            return;
        };
        let Some(source) = head.source.as_deref() else {
            self.has_own = true;
            self.collector.feed(info.as_bytes());
            self.collector.feed(b"\n");
            return;
        };
        self.settle();
        if let (Some(source), Ok(report)) = (dialect::known(source), protocol::read_object(info)) {
            let mut batch = Batch::of(source, &report);
            if !self.every_report {
                batch.verbatim = Verbatim::default();
            }
            self.hand_on(batch);
        }
    }

    fn malformed(&mut self, head: Line<'_>) {
        let number = head.line_number();
        let error = head.error.as_deref().unwrap_or_default().to_owned();
        let text = head.into_bytes().unwrap_or_default();
        let bad = BadLine {
            number,
            text,
            error,
        };
        self.hand_on(Batch::of_malformed(bad, self.every_report));
    }

    /// Where the newest reports were enough, those that they stand for count as well.
    fn count_all(&mut self, summary: &Summary) {
        let batch = Batch {
            count: summary.reports.saturating_sub(self.counted.0),
            malformed_count: summary.malformed.saturating_sub(self.counted.1),
            ..Batch::default()
        };
        self.hand_on(batch);
    }

    fn end(&self, summary: &Summary) -> Ended {
        match (summary.state, summary.exit, summary.reason) {
            (FinalState::Cancelled, Some(exit), Some(reason)) => Ended::Stopped(reason, Some(exit)),
            (_, Some(exit), _) => Ended::Exit(exit),
            // The cancel came before the child.
            (FinalState::Cancelled, None, _) if self.status.is_none() && !self.has_started => {
                Ended::Withdrawn
            }
            (FinalState::Cancelled, None, _) if self.status.is_none() => Ended::Lost(Lost {
                missed: Missed::FinalEvent,
                sentence: format!("the agent on {} gave the command up", self.host),
                over_in: None,
            }),
            (_, None, _) => Ended::NotStarted(LaunchError::Elsewhere {
                status: self.status.unwrap_or(FAILED),
                sentence: format!(
                    "{}: {}",
                    self.host,
                    summary
                        .error
                        .as_deref()
                        .unwrap_or("the command could not be started")
                ),
            }),
        }
    }
}
