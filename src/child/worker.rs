//! The thread that serves a child: one `poll` over all that can happen to it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::credit::Credit;
use crate::event::{Ending, Stream};
use crate::progress::ProgressReporter;
use crate::reports::{Collector, Reports};

use super::drain::Drain;
use super::terminal::Terminal;
use super::{Launch, LaunchError, Notice, Order, Orders, holders, spawn, tree};

/// How much a read takes at most: half of what a pipe holds, so that the child fills one half while we empty the other.
const READ: usize = 128 * 1024;
/// How much of what a child wrote may be under way to a slow screen, file or reader.
const UNDER_WAY: usize = 1024 * 1024;
/// A channel that gave less than this is left alone for [`PAUSE`]: lines come in batches, and the child is not slowed by
/// a wake-up of ours for each of them.
const FULL_READ: usize = 48 * 1024;
/// Less than the fastest writer takes to fill the pipe, or it would wait for us.
const PAUSE: Duration = Duration::from_micros(200);

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one child"
)]
pub(super) struct Worker<'a> {
    pid: Pid,
    orders: &'a Orders,
    reporter: &'a ProgressReporter<Reports>,
    notify: &'a dyn Fn(Notice),
    channel: Option<OwnedFd>,
    collector: Collector,
    /// When the channel is looked at again after a small read.
    pause_until: Option<Instant>,
    outputs: [Option<OwnedFd>; 2],
    buffer: Vec<u8>,
    /// What large reads were handed on in: never more than may be under way.
    pieces: Vec<Arc<Vec<u8>>>,
    reports_credit: Credit,
    output_credit: Credit,
    cancel_seen: bool,
    /// What the environments of the child's descendants have, and of nobody else.
    mark: String,
    /// Whether what is left of the group is killed when the leader is gone.
    terminated: bool,
    /// Whether what left the group is killed as well.
    killed: bool,
    wait_output: bool,
    /// Watched until it breaks.
    outer: Option<&'a OwnedFd>,
    /// Whether something woke us that may have been a change of the child's state.
    woken: bool,
    /// Whether the child was stopped when we last looked.
    stopped: bool,
    /// The terminal, once the child has wanted it.
    terminal: Option<Terminal>,
    /// Set when the child has ended.
    drain: Option<Drain>,
}

impl<'a> Worker<'a> {
    pub(super) fn start(
        launch: &'a Launch,
        orders: &'a Orders,
        reporter: &'a ProgressReporter<Reports>,
        notify: &'a dyn Fn(Notice),
    ) -> Result<Self, LaunchError> {
        let spawned = spawn::spawn(launch)?;
        notify(Notice::Started {
            pid: spawned.pid.as_raw_nonzero().get(),
        });
        let (reports_wake, output_wake) = (orders.wake.clone(), orders.wake.clone());
        Ok(Self {
            pid: spawned.pid,
            mark: spawned.mark,
            orders,
            reporter,
            notify,
            channel: Some(spawned.channel),
            collector: Collector::new(launch.verbatim),
            pause_until: None,
            outputs: spawned.outputs,
            buffer: Vec::with_capacity(READ),
            pieces: Vec::new(),
            reports_credit: Credit::new(UNDER_WAY, move || reports_wake.wake()),
            output_credit: Credit::new(UNDER_WAY, move || output_wake.wake()),
            cancel_seen: false,
            terminated: false,
            killed: false,
            wait_output: launch.wait_output,
            outer: launch.outer.as_ref(),
            woken: true,
            stopped: false,
            terminal: None,
            drain: None,
        })
    }

    pub(super) fn serve(mut self) -> anyhow::Result<()> {
        loop {
            if std::mem::take(&mut self.woken) {
                self.obey();
                if !self.cancel_seen && self.reporter.is_cancelled() {
                    self.close_channel();
                }
                if self.drain.is_none() {
                    self.watch()?;
                }
            }
            if self.is_drained() {
                return self.bury();
            }
            self.wait_and_read()?;
        }
    }

    fn obey(&mut self) {
        let pid = self.pid;
        while let Ok(order) = self.orders.receiver.try_recv() {
            match order {
                Order::Signal(signal) => tree::signal_group(self.pid, signal),
                Order::Stop(signal) => {
                    tree::signal_group(self.pid, signal);
                    match &mut self.drain {
                        None => self.terminated |= signal == libc::SIGTERM,
                        // The child is gone: whoever asks now asks us not to wait for others.
                        Some(drain) => drain.cut_short(),
                    }
                }
                Order::Kill => {
                    self.killed = true;
                    tree::kill(self.pid, &self.mark);
                    if let Some(drain) = &mut self.drain {
                        drain.cut_short();
                    }
                }
                Order::Close(stream) => self.outputs[stream as usize] = None,
                // Once the child is gone nobody would take it back.
                Order::Lend if self.drain.is_some() => (self.notify)(Notice::Lent(false)),
                Order::Lend => {
                    let lent = self.terminal().is_some_and(|terminal| terminal.lend(pid));
                    tree::signal_group(self.pid, libc::SIGCONT);
                    (self.notify)(Notice::Lent(lent));
                }
                Order::Acknowledge => (self.notify)(Notice::Acknowledged),
                Order::TakeBack => {
                    if let Some(terminal) = &mut self.terminal {
                        terminal.take_back_to_stop(pid);
                    }
                    (self.notify)(Notice::TakenBack);
                }
            }
        }
    }

    /// The cancel request: the read end goes, and the child's next write fails. What is still in the channel goes with
    /// it unread, for after a cancel request no report is delivered, and reading it would only keep the child waiting.
    fn close_channel(&mut self) {
        self.cancel_seen = true;
        let gone = self.drain.is_some();
        let asked = self.channel.take().is_some_and(|end| {
            let reported =
                self.collector.seen() || ioctl_fionread(&end).is_ok_and(|unread| unread > 0);
            // A child that let go of it will not notice, even if we have not come to read the end of file.
            reported && !gone && !is_hung_up(&end)
        });
        (self.notify)(Notice::ChannelClosed { asked });
    }

    /// Looks what became of the child: stopped, continued, ended.
    fn watch(&mut self) -> io::Result<()> {
        let changed = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
        let leader = self.pid;
        // An error here means that the child has ended: a zombie can neither be stopped nor continued.
        while let Ok(Some(change)) = waitid(WaitId::Pid(self.pid), changed) {
            let signal = change.stopping_signal();
            self.stopped = signal.is_some();
            (self.notify)(match signal {
                Some(signal) => Notice::Stopped {
                    signal,
                    lendable: self
                        .terminal()
                        .is_some_and(|terminal| terminal.is_lendable(leader)),
                },
                None => Notice::Continued,
            });
        }
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(self.pid), ended)?.is_some() {
            if let Some(terminal) = &mut self.terminal {
                terminal.take_back_for_good(self.pid);
            }
            self.drain = Some(Drain::new(Instant::now()));
        }
        Ok(())
    }

    fn terminal(&mut self) -> Option<&mut Terminal> {
        if self.terminal.is_none() {
            self.terminal = Terminal::open();
        }
        self.terminal.as_mut()
    }

    fn is_drained(&self) -> bool {
        let Some(drain) = &self.drain else {
            return false;
        };
        // A child that never used its channel is not waited for there: whoever still holds it is a bystander. But look
        // once, for a child may be gone before its first report was read.
        let channel_open =
            self.channel.is_some() && (self.collector.seen() || !drain.has_been_empty());
        if !channel_open && !self.outputs_open() {
            return true;
        }
        if drain.is_cut_short() && drain.has_been_empty() {
            return true;
        }
        !self.waits_for_output() && drain.is_over(Instant::now())
    }

    fn outputs_open(&self) -> bool {
        self.outputs.iter().any(Option::is_some)
    }

    fn waits_for_output(&self) -> bool {
        self.wait_output && !self.cancel_seen && self.outputs_open()
    }

    fn wait_and_read(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let pausing = self.drain.is_none() && self.pause_until.is_some_and(|until| now < until);
        if !pausing {
            self.pause_until = None;
        }
        let read_channel = !pausing && !self.reports_credit.exhausted();
        let read_outputs = !self.output_credit.exhausted();

        let mut descriptors = Vec::with_capacity(5);
        let mut sources = Vec::with_capacity(4);
        descriptors.push(PollFd::new(&self.orders.woken, PollFlags::IN));
        if let Some(outer) = self.outer {
            // Nothing is asked for; what is told anyway is that it broke.
            descriptors.push(PollFd::new(outer, PollFlags::empty()));
            sources.push(Source::Outer);
        }
        if let Some(channel) = self.channel.as_ref().filter(|_| read_channel) {
            descriptors.push(PollFd::new(channel, PollFlags::IN));
            sources.push(Source::Channel);
        }
        if read_outputs {
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(output) = &self.outputs[stream as usize] {
                    descriptors.push(PollFd::new(output, PollFlags::IN));
                    sources.push(Source::Output(stream));
                }
            }
        }
        // Everything that was polled and is not ready is empty: all that the child itself wrote has been read.
        let polled_all = read_channel && read_outputs;
        let drained_at = match &self.drain {
            // With a slow reader ahead, time proves nothing: returned credit wakes us.
            Some(drain) if polled_all && !self.waits_for_output() => Some(drain.deadline()),
            _ => None,
        };
        let timeout = [self.pause_until, drained_at]
            .into_iter()
            .flatten()
            .min()
            .map(|until| timespec(until.saturating_duration_since(now)));
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        let woken = ready(&descriptors[0]);
        let mut readable: Vec<_> = descriptors[1..]
            .iter()
            .zip(&sources)
            .filter(|(descriptor, _)| ready(descriptor))
            .map(|(_, source)| *source)
            .collect();
        if let Some(drain) = &mut self.drain {
            if !readable.is_empty() {
                drain.data(Instant::now());
            } else if polled_all {
                drain.empty(Instant::now());
            }
        }
        self.woken = woken;
        if woken {
            let mut wakes = [0; 64];
            while rustix::io::read(&self.orders.woken, &mut wakes).is_ok_and(|n| n == wakes.len()) {
            }
        }
        // The channel last: a report takes the terminal back, and what was printed before it belongs above the bars.
        readable.sort_by_key(|source| matches!(source, Source::Channel));
        for source in readable {
            match source {
                Source::Outer => {
                    self.outer = None;
                    (self.notify)(Notice::OuterClosed);
                }
                Source::Channel => {
                    if self.terminal.as_ref().is_some_and(Terminal::is_lent) {
                        self.watch()?;
                    }
                    self.read_channel();
                }
                Source::Output(stream) => self.read_output(stream),
            }
        }
        Ok(())
    }

    /// Reads the channel once and hands on what came.
    fn read_channel(&mut self) {
        let Some(channel) = &self.channel else {
            return;
        };
        let read = match read_into(channel, &mut self.buffer) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return,
            Err(_) => 0,
        };
        if read == 0 {
            self.channel = None;
            self.collector.finish();
        } else {
            let lent = self.terminal.as_mut().filter(|terminal| terminal.is_lent());
            // Who was stopped after the report stays so, or a Ctrl-Z would come to nothing.
            if let Some(terminal) = lent.filter(|_| !self.stopped) {
                // The child is at work again. If it wants the terminal once more, it stops once more.
                terminal.take_back(self.pid);
                // Also if it reads already: who waits in a read is asked for the terminal only when it starts anew.
                tree::signal_group(self.pid, libc::SIGSTOP);
                tree::signal_group(self.pid, libc::SIGCONT);
                (self.notify)(Notice::TakenBack);
            }
            self.collector.feed(&self.buffer[..read]);
            if read < FULL_READ {
                self.pause_until = Some(Instant::now() + PAUSE);
            }
        }
        let mut reports = self.collector.take();
        if !reports.is_empty() {
            reports.charge = Some(self.reports_credit.charge(reports.weight()));
            // After a cancel request reports are dropped, as in the library: the run loop has no use for them.
            let _ = self.reporter.report(reports);
        }
    }

    fn read_output(&mut self, stream: Stream) {
        let Some(output) = &self.outputs[stream as usize] else {
            return;
        };
        let read = match read_into(output, &mut self.buffer) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return,
            Err(_) => 0,
        };
        if read == 0 {
            self.outputs[stream as usize] = None;
            return;
        }
        // A large read is handed on as it is; a small one is copied, so that it does not hold a large buffer.
        let bytes = if read >= READ / 4 {
            self.hand_on_buffer()
        } else {
            Arc::new(self.buffer.clone())
        };
        let charge = self.output_credit.charge(read);
        (self.notify)(Notice::Output {
            stream,
            bytes,
            charge,
        });
    }

    /// Exchanges the buffer for one that the last sink has let go of: fresh ones would cost the system a page fault for
    /// every 4 KiB.
    fn hand_on_buffer(&mut self) -> Arc<Vec<u8>> {
        let mut pieces = self.pieces.iter_mut();
        let next = pieces
            .position(|piece| Arc::get_mut(piece).is_some())
            .and_then(|free| Arc::into_inner(self.pieces.swap_remove(free)))
            .unwrap_or_else(|| Vec::with_capacity(READ));
        let full = Arc::new(std::mem::replace(&mut self.buffer, next));
        self.pieces.push(Arc::clone(&full));
        full
    }

    /// The last signals, then the reaping.
    fn bury(mut self) -> anyhow::Result<()> {
        if self.channel.take().is_some() {
            self.collector.finish();
            let reports = self.collector.take();
            if !reports.is_empty() {
                let _ = self.reporter.report(reports);
            }
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(output) = self.outputs[stream as usize].take() {
                let holders = holders::of(&output);
                (self.notify)(Notice::Held { stream, holders });
            }
        }
        self.obey();
        // The leader is gone; whoever did not obey is still there.
        if self.killed {
            tree::kill(self.pid, &self.mark);
        } else if self.terminated {
            tree::kill_group(self.pid);
        }
        let exit = spawn::reap(self.pid)?;
        (self.notify)(Notice::Ended(exit));
        match exit.ending {
            Ending::Status(0) => Ok(()),
            Ending::Status(status) => Err(anyhow::anyhow!("exit status {status}")),
            Ending::Signal(signal) => Err(anyhow::anyhow!("killed by signal {signal}")),
        }
    }
}

/// What `poll` may find ready, besides the wake-up pipe.
#[derive(Clone, Copy)]
enum Source {
    Outer,
    Channel,
    Output(Stream),
}

/// Reads once into the empty `buffer`, at most its capacity.
fn read_into(from: &impl AsFd, buffer: &mut Vec<u8>) -> rustix::io::Result<usize> {
    buffer.clear();
    rustix::io::read(from, rustix::buffer::spare_capacity(buffer))
}

/// Whether nobody holds the other end any more.
fn is_hung_up(end: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(end, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok()
        && polled[0].revents().contains(PollFlags::HUP)
}

fn is_transient(error: rustix::io::Errno) -> bool {
    error == rustix::io::Errno::AGAIN || error == rustix::io::Errno::INTR
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
