//! What the worker does about a cancel request, and for a child that reports in another program's format.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::dialect::Place;
use crate::event::CancelMode;

use super::super::Notice;
use super::{READ, Worker, is_transient, read_into};

impl Worker<'_> {
    /// The cancel request: the read end goes, and the child's next write fails. What is still in the channel goes with
    /// it unread, for after a cancel request no report is delivered, and reading it would only keep the child waiting.
    pub(super) fn ask(&mut self) {
        self.cancel_seen = true;
        let gone = self.drain.is_some();
        if !self.channel_was_used() {
            // What is unread says whose it is.
            self.read_channel();
        }
        let may_be_foreign =
            self.foreign_channel || !self.collector.seen() && self.dialects.expects_channel();
        let closed = match self.channel.take() {
            // Whoever writes another program's format there may be in mid-work, and would die of it.
            Some(end) if may_be_foreign => {
                self.channel = Some(end);
                false
            }
            // A child that let go of it will not notice, even if we have not come to read the end of file.
            Some(end) => self.collector.seen() && !gone && !is_hung_up(&end),
            None => false,
        };
        let called = self.clients.have_spoken() && !gone;
        self.clients.cancel();
        let asked = if closed || called {
            CancelMode::Channel
        } else {
            CancelMode::Signal
        };
        (self.notify)(Notice::CancelMode(asked));
    }

    pub(super) fn read_zig(&mut self) {
        let Some(zig) = &self.zig else {
            return;
        };
        match read_into(zig, &mut self.buffer, READ) {
            Err(error) if is_transient(error) => return,
            Ok(0) | Err(_) => {
                self.zig = None;
                self.finish_dialects(Place::Zig);
            }
            Ok(_) => {
                self.dialects.feed(Place::Zig, &self.buffer, Instant::now());
            }
        }
        self.report_dialects();
    }

    /// Hands on what was read in formats of other programs. After a cancel request it is dropped, as every report is.
    pub(super) fn report_dialects(&mut self) {
        let reports = self.dialects.take();
        if !reports.is_empty() {
            self.take_terminal_back_at_meter();
        }
        let _ = self.report(reports);
    }

    /// A place is at its end.
    pub(super) fn finish_dialects(&mut self, place: Place) {
        self.dialects.finish(place, Instant::now());
        let reports = self.dialects.take();
        let _ = self.report(reports);
    }
}

/// Whether nobody holds the other end any more.
fn is_hung_up(end: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(end, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().contains(PollFlags::HUP)
}
