//! The child's reports: on its channel, on the socket, on Zig's descriptor, and in the formats of other programs. Reads
//! them and hands them on; the meaning of a report for the terminal is decided in `guest`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::dialect::{Dialects, FILES, Place};
use crate::event::{CancelMode, FileRead};
use crate::flow::Credit;
use crate::model::batch::{Batch, Collector};
use crate::model::route::Route;
use crate::model::verdict::Verdicts;
use crate::progress::ProgressReporter;
use crate::system::wake::Wake;

use super::super::Launch;
use super::super::observe::Observer;
use super::super::pipe::{FULL_READ, NOTICE, READ, is_transient, read_into, reports_at_once};
use super::super::socket::{Clients, Ready};

/// How long the worker leaves the channel alone after a small read: less than the fastest writer takes to fill the
/// pipe, or the writer would have to wait for the worker.
const PAUSE: Duration = Duration::from_micros(200);
/// Treats every unfinished record as finished: settling at this far-off time leaves nothing pending.
const READS_ALL: Duration = Duration::from_mins(1);

/// Where reports come from, and where they go.
pub(super) struct Intake<'a> {
    reporter: &'a ProgressReporter<Batch>,
    channel: Option<OwnedFd>,
    collector: Collector,
    pub(super) clients: Clients<'a>,
    /// Reads other programs' formats.
    pub(super) dialects: Dialects,
    /// Whether the channel carries another program's format. Then it is never closed before the child is gone.
    foreign_channel: bool,
    zig: Option<OwnedFd>,
    /// The outputs that are only carried, and not read.
    carried: [Option<Place>; 2],
    /// When the channel is polled again after a small read.
    pause_until: Option<Instant>,
    credit: Credit,
    every_report: bool,
    /// Samples the child from outside as long as it reports nothing; none once it has reported in our own protocol.
    pub(super) observer: Option<Observer>,
    /// Whether a file that the child is seen to read through is reported, as long as the child has reported nothing
    /// better itself; and its last state.
    reports_files: bool,
    file: Option<FileRead>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        launch: &'a Launch,
        tag: String,
        channel: OwnedFd,
        zig: Option<OwnedFd>,
        observer: Option<Observer>,
        reporter: &'a ProgressReporter<Batch>,
        wake: Wake,
    ) -> Self {
        let mut dialects = Dialects::new(launch.from.clone(), launch.every_report);
        if launch.every_report {
            dialects.pace();
        }
        Self {
            reporter,
            channel: Some(channel),
            collector: Collector::new(launch.every_report),
            clients: Clients::new(
                launch.socket.as_deref(),
                launch.is_one_of_many.then_some(tag),
                launch.every_report,
            ),
            dialects,
            carried: [
                (launch.stdout == Route::Carried).then_some(Place::Stdout),
                (launch.stderr == Route::Carried).then_some(Place::Stderr),
            ],
            foreign_channel: false,
            zig,
            pause_until: None,
            credit: Credit::new(launch.under_way, move || wake.wake()),
            every_report: launch.every_report,
            observer,
            reports_files: launch.from.asks_for(FILES),
            file: None,
        }
    }

    /// The channel, as long as it is read.
    pub(super) fn channel(&self) -> Option<&OwnedFd> {
        self.channel.as_ref()
    }

    /// Zig's descriptor, as long as it is read.
    pub(super) fn zig(&self) -> Option<&OwnedFd> {
        self.zig.as_ref()
    }

    /// Whether the reports under way have reached the limit.
    pub(super) fn exhausted(&self) -> bool {
        self.credit.exhausted()
    }

    /// Until when the channel is left alone after a small read. None once the child `is_gone`.
    pub(super) fn pause(&mut self, is_gone: bool, now: Instant) -> Option<Instant> {
        self.pause_until = self.pause_until.filter(|until| now < *until);
        self.pause_until.filter(|_| !is_gone)
    }

    /// Whether the child ever wrote to its channel.
    pub(super) fn channel_was_used(&self) -> bool {
        self.foreign_channel || self.collector.seen()
    }

    /// Reads the channel once. The result also tells whether the child is at work.
    pub(super) fn read_channel(&mut self, buffer: &mut Vec<u8>) -> Option<Brought> {
        let channel = self.channel.as_ref()?;
        let at_most = reports_at_once(self.every_report);
        let read = match read_into(channel, buffer, at_most) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return None,
            Err(_) => 0,
        };
        if read == 0 {
            self.channel = None;
            self.collector.finish();
            self.dialects.finish(Place::Channel, Instant::now());
        } else {
            if !self.channel_was_used() {
                self.foreign_channel = self.dialects.claims_channel(buffer);
            }
            if self.foreign_channel {
                self.dialects.feed(Place::Channel, buffer, Instant::now());
            } else {
                self.dialects.overrule();
                self.collector.feed(buffer);
            }
            if read < FULL_READ.min(at_most) {
                self.pause_until = Some(Instant::now() + PAUSE);
            }
        }
        Some(match (self.foreign_channel, read) {
            (true, 0) => Brought::Rest(self.dialects.take()),
            (true, _) => Brought::Foreign(self.dialects.take()),
            (false, 0) => Brought::Rest(self.collector.take()),
            (false, _) => Brought::Reports(self.collector.take()),
        })
    }

    /// Reads Zig's descriptor once.
    pub(super) fn read_zig(&mut self, buffer: &mut Vec<u8>) -> Option<Brought> {
        let zig = self.zig.as_ref()?;
        Some(match read_into(zig, buffer, READ) {
            Err(error) if is_transient(error) => return None,
            Ok(0) | Err(_) => {
                self.zig = None;
                self.dialects.finish(Place::Zig, Instant::now());
                Brought::Rest(self.dialects.take())
            }
            Ok(_) => {
                self.dialects.feed(Place::Zig, buffer, Instant::now());
                Brought::Meter(self.dialects.take())
            }
        })
    }

    /// Accepts a connection at the socket, or reads once from one.
    pub(super) fn read_client(&mut self, ready: Ready, buffer: &mut Vec<u8>) -> Brought {
        let received = self.clients.hear(ready, buffer);
        if let Some((stream, bytes)) = received.request {
            Brought::Request(stream, bytes)
        } else if received.spoke {
            self.dialects.overrule();
            Brought::Reports(received.reports)
        } else {
            Brought::Rest(received.reports)
        }
    }

    /// Reads the child's output as the formats of other programs, before it is shown. The verdicts say what each line
    /// means: a line for machines is not shown where a bar shows the same.
    pub(super) fn read_output(&mut self, place: Place, bytes: &[u8]) -> (Brought, Verdicts) {
        if self.carried.contains(&Some(place)) {
            return (Brought::Meter(Batch::default()), Verdicts::default());
        }
        let verdicts = self.dialects.feed(place, bytes, Instant::now());
        (Brought::Meter(self.dialects.take()), verdicts)
    }

    /// Called when an output is at its end.
    pub(super) fn finish_output(&mut self, place: Place) -> Brought {
        self.dialects.finish(place, Instant::now());
        Brought::Rest(self.dialects.take())
    }

    /// Gives the records that the dialects have settled by now.
    pub(super) fn settle(&mut self) -> Option<Brought> {
        self.dialects.deadline()?;
        self.dialects.settle(Instant::now());
        Some(Brought::Meter(self.dialects.take()))
    }

    /// Gives the unfinished records of the dialects as well.
    pub(super) fn settle_all(&mut self) -> Brought {
        self.dialects.settle(Instant::now() + READS_ALL);
        Brought::Meter(self.dialects.take())
    }

    /// Hands reports on. After a cancel request the reporter drops them, as the library promises.
    pub(super) fn hand_on(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        match (batch.source, &mut self.observer) {
            (None, observer) => *observer = None,
            // Its meter may be over long before the command is.
            (Some(_), Some(observer)) => observer.rest(Instant::now()),
            (Some(_), None) => {}
        }
        self.reports_files = false;
        self.send(batch);
    }

    fn send(&self, mut batch: Batch) {
        batch.permit = Some(self.credit.permit(batch.weight() + NOTICE));
        let _ = self.reporter.report(batch);
    }

    /// Reports the file that the child was seen to read through, if the user asked for that.
    pub(super) fn report_file(&mut self, file: Option<FileRead>) {
        if self.reports_files && file != self.file {
            self.file = file;
            if let Some(file) = &self.file {
                self.send(Batch::of(FILES, &file.progress()));
            }
        }
    }

    /// Closes the read end of the channel, so that the child's next write fails. Unread reports are lost on purpose:
    /// after a cancel request none is delivered, and reading them would only delay the child. Says what the child will
    /// see of the request.
    pub(super) fn close_channel(&mut self, is_gone: bool) -> CancelMode {
        let mode = if self.can_be_asked(is_gone) {
            CancelMode::Channel
        } else {
            CancelMode::Signal
        };
        // A program that writes its own format there does not expect EPIPE, and would die in the middle of its work.
        if !self.may_be_foreign() {
            self.channel = None;
        }
        self.clients.cancel();
        mode
    }

    /// Whether the child reports to progrun itself, so that its next report can be refused. A child that closed its end
    /// will not notice, even if the worker has not read the end of file yet.
    pub(super) fn can_be_asked(&self, is_gone: bool) -> bool {
        let reports = |end| self.collector.seen() && !is_hung_up(end);
        let by_channel = self.channel.as_ref().is_some_and(reports) && !self.may_be_foreign();
        !is_gone && (by_channel || self.clients.have_spoken())
    }

    fn may_be_foreign(&self) -> bool {
        self.foreign_channel || !self.collector.seen() && self.dialects.expects_channel()
    }

    /// Hands on the last lines of the channel and the socket, if they have no newline.
    pub(super) fn finish(&mut self) {
        if self.channel.take().is_some() {
            self.collector.finish();
            let batch = self.collector.take();
            self.hand_on(batch);
        }
        let unfinished: Vec<_> = self.clients.end().collect();
        for batch in unfinished {
            self.hand_on(batch);
        }
    }
}

/// The result of a read, by what it says about the child's use of a lent terminal.
pub(super) enum Brought {
    /// Reports in our protocol, or the empty line that asks for cancellation: the child is at work.
    Reports(Batch),
    /// The channel in another program's format: the child is at work.
    Foreign(Batch),
    /// A meter moved. That says less: a program may draw one while it reads keys.
    Meter(Batch),
    /// The rest of earlier reads. That says nothing.
    Rest(Batch),
    /// A connection to the socket that is a request to the run, with what was read of it.
    Request(UnixStream, Vec<u8>),
}

/// Whether no process holds the other end any more.
fn is_hung_up(end: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(end, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().contains(PollFlags::HUP)
}
