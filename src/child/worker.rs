//! The thread that serves a child: one `poll` over all that can happen to it.
//!
//! Its state has four parts, each in its own file: the child as a process (`Process`), its reports (`Intake`), its
//! output (`Outputs`), and its use of the terminal (`Guest`). The worker waits, reads, and passes each event to the
//! part concerned. When to stop the child is not decided here.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::dialect::Place;
use crate::event::{CancelMode, Exit, Stream};
use crate::model::batch::Batch;
use crate::model::verdict::Verdicts;
use crate::progress::ProgressReporter;
use crate::vt::requests::TerminalRequest;

use super::drain::Drain;
use super::launch_error::LaunchError;
use super::observe::Observer;
use super::pipe::FIRST_READ;
use super::socket::Ready;
use super::terminal::Terminal;
use super::watcher::Watcher;
use super::{Launch, Notice, Order, Orders, holders, spawn, tree};

mod guest;
mod intake;
mod outputs;
mod process;

use self::guest::{Guest, Pty};
use self::intake::{Brought, Intake};
use self::outputs::{Outputs, Read};
use self::process::{Change, Ordered, Process};

/// How often the worker checks a child for which the system gave no pidfd.
const BLIND: Duration = Duration::from_millis(20);

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one child"
)]
pub(super) struct Worker<'a> {
    orders: &'a Orders,
    reporter: &'a ProgressReporter<Batch>,
    notify: &'a dyn Fn(Notice),
    process: Process,
    intake: Intake<'a>,
    outputs: Outputs<'a>,
    guest: Guest<'a>,
    buffer: Vec<u8>,
    cancel_seen: bool,
    /// Whether the channel was closed before the cancel request came, because the child reports and is to stop.
    is_asked: bool,
    wait_output: bool,
    is_one_of_many: bool,
    /// Whether reading stops as soon as the child is gone.
    discards: bool,
    /// Whether to check the child and the orders: a wake-up came, or the child may have changed its state.
    woken: bool,
    /// Whether the pidfd tells that the child has ended.
    has_ended: bool,
}

/// A descriptor that `poll` may find ready, besides the wake-up pipe.
#[derive(Clone, Copy)]
enum Source {
    /// The child has ended.
    End,
    Keys,
    Channel,
    Zig,
    Client(Ready),
    Output(Stream),
}

impl<'a> Worker<'a> {
    pub(super) fn start(
        launch: &'a Launch,
        terminal: Option<Terminal>,
        orders: &'a Orders,
        reporter: &'a ProgressReporter<Batch>,
        notify: &'a dyn Fn(Notice),
    ) -> Result<Self, LaunchError> {
        let mut terminal = terminal;
        let spawned = match spawn::spawn(launch, terminal.as_ref()) {
            Ok(spawned) => spawned,
            Err(error) => {
                if let Some(terminal) = terminal {
                    terminal.take_back_from_none();
                    notify(Notice::Returned {
                        terminal,
                        refused: true,
                    });
                }
                return Err(error);
            }
        };
        let mut watcher = Watcher::new(spawned.pid, launch.kill_after, spawned.noted);
        if let Some(terminal) = &mut terminal {
            terminal.was_taken();
            watcher.start();
        }
        notify(Notice::Started {
            pid: spawned.pid.as_raw_nonzero().get(),
            tag: spawned.tag.clone(),
        });
        let observer = launch.observe.then(|| Observer::new(spawned.pid)).flatten();
        let is_blind = spawned.pidfd.is_none();
        let terminals = spawned.terminals.clone();
        let ptys = spawned.terminals.map(|settings| settings.map(Pty::new));
        let wake = || orders.wake.clone();
        Ok(Self {
            orders,
            reporter,
            notify,
            intake: Intake::new(
                launch,
                spawned.tag.clone(),
                spawned.channel,
                spawned.zig,
                observer,
                reporter,
                wake(),
            ),
            outputs: Outputs::new(spawned.outputs, terminals, launch, wake(), notify),
            guest: Guest::new(spawned.pid, launch, terminal, ptys, notify),
            process: Process::new(
                spawned.pid,
                spawned.pidfd,
                spawned.tag,
                watcher,
                spawned.held,
            ),
            buffer: Vec::with_capacity(FIRST_READ),
            cancel_seen: false,
            is_asked: false,
            wait_output: launch.wait_output,
            is_one_of_many: launch.is_one_of_many,
            discards: false,
            // A child may have stopped or, where there is no pidfd, be gone by now. Of many, SIGCHLD tells, which is handled
            // before the first of them starts.
            woken: is_blind || !launch.is_one_of_many,
            has_ended: false,
        })
    }

    pub(super) fn serve(mut self) -> anyhow::Result<Exit> {
        if self.guest.is_lent() {
            (self.notify)(Notice::TookScreen { lendable: true });
        }
        loop {
            if std::mem::take(&mut self.woken) {
                self.carry_out_orders();
                if !self.cancel_seen && self.reporter.is_cancelled() {
                    self.close_channel();
                }
                if !self.process.is_gone() {
                    self.check_child()?;
                }
            }
            if self.is_drained() {
                return self.reap_and_finish();
            }
            self.wait_and_read()?;
            self.observe();
        }
    }

    fn carry_out_orders(&mut self) {
        let pid = self.process.pid;
        while let Some(order) = self.orders.next() {
            match order {
                Order::Signal(signal) => {
                    if signal == libc::SIGWINCH {
                        self.guest.resize_ptys(&self.outputs);
                    }
                    tree::signal_group(pid, signal);
                    self.process.continues += u64::from(signal == libc::SIGCONT);
                }
                Order::Stop(signal) => {
                    tree::signal_group(pid, signal);
                    match &mut self.process.drain {
                        None if signal == libc::SIGTERM => {
                            self.process.ordered = self.process.ordered.max(Ordered::Termination);
                        }
                        None => {}
                        // The child is gone: a stop must not wait for other processes that hold its pipes.
                        Some(drain) => drain.cut_short(),
                    }
                }
                Order::Kill => {
                    if self.is_one_of_many {
                        // The run looks for the descendants of all that left their groups.
                        self.process.ordered = Ordered::Termination;
                        tree::kill_group(pid);
                    } else {
                        self.process.ordered = Ordered::Killing;
                        tree::kill(pid, &self.process.tag);
                    }
                    if let Some(drain) = &mut self.process.drain {
                        drain.cut_short();
                    }
                }
                Order::Drain => {
                    // Whether the child has closed its channel shows only without ours.
                    self.process.held.clear();
                    if !self.intake.channel_was_used() {
                        // An unread report counts.
                        self.read_channel();
                    }
                    let reports = self.intake.can_be_asked(self.process.is_gone());
                    if reports {
                        // A cancel request follows. The child sees it a round earlier: with many children, that counts.
                        self.is_asked = true;
                        self.intake.close_channel(self.process.is_gone());
                    }
                    (self.notify)(Notice::Drain { reports });
                }
                Order::Discard => self.discards = true,
                Order::Close(stream) => drop(self.outputs.close(stream)),
                Order::Lend(terminal) => self.lend(terminal),
                Order::Acknowledge => (self.notify)(Notice::Acknowledged),
                Order::TakeBack => self.guest.take_back_to_stop(),
                Order::Look | Order::GiveUp => {}
            }
        }
    }

    /// Lends the child the terminal, if the worker still has it, and continues the child.
    fn lend(&mut self, terminal: Option<Terminal>) {
        if terminal.is_some() {
            self.guest.terminal = terminal;
            self.guest.may_have_taken = true;
        }
        // The worker returned the terminal before this order came, or the child is gone and would never return it.
        if self.guest.terminal.is_none() || self.process.is_gone() {
            self.guest.refuse();
            return;
        }
        // A pending record of a meter, settled later, would take the terminal back from a question on the same line.
        let settled = self.intake.settle_all();
        self.bring(settled);
        // The watcher sees whether a Ctrl-C went to the group, so it must run before the child has the terminal.
        // Started between the lending and the SIGCONT, it would delay the SIGCONT, and that discards a Ctrl-Z from in
        // between.
        self.process.watcher.start();
        let lent = self.guest.lend();
        tree::signal_group(self.process.pid, libc::SIGCONT);
        self.guest.show_prompt(&mut self.outputs);
        if lent {
            self.guest.lending.begin(Instant::now());
            (self.notify)(Notice::Lent);
        } else {
            self.guest.refuse();
        }
    }

    /// Carries out the cancel request.
    fn close_channel(&mut self) {
        self.cancel_seen = true;
        self.process.held.clear();
        if !self.intake.channel_was_used() {
            // The unread bytes tell whether the channel carries our protocol or another format.
            self.read_channel();
        }
        let mode = self.intake.close_channel(self.process.is_gone());
        let mode = if self.is_asked {
            CancelMode::Channel
        } else {
            mode
        };
        (self.notify)(Notice::Cancel(mode));
    }

    /// Checks whether the child was stopped, was continued, or has ended.
    fn check_child(&mut self) -> io::Result<()> {
        while !self.has_ended
            && let Some(change) = self.process.change()
        {
            match change {
                Change::Stopped(signal) => self.stopped(signal),
                Change::Continued => {
                    self.process.was_continued();
                    (self.notify)(Notice::Continued);
                }
            }
        }
        if let Some(ended) = self.process.end()? {
            self.guest.show_prompt(&mut self.outputs);
            let (interrupted, terminal) = self.guest.take_back_for_good(&ended, &self.process);
            if interrupted {
                // A child that is gone needs no cancel request.
                self.cancel_seen = true;
                (self.notify)(Notice::Interrupted);
            }
            (self.notify)(Notice::Exited(terminal));
            self.process.drain = Some(Drain::new(Instant::now()));
            // A pidfd stays readable, and `poll` would return at once for ever.
            self.process.handle = None;
            self.process.held.clear();
        }
        Ok(())
    }

    fn stopped(&mut self, signal: i32) {
        let signal = self.guest.meant(signal);
        if self.guest.would_be_discarded(signal) {
            tree::signal_group(self.process.pid, libc::SIGCONT);
            return;
        }
        self.process.stopped = true;
        if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) {
            self.guest.meters.terminal_is_wanted(Instant::now());
        }
        let lendable = self.guest.is_lendable();
        let continues = self.process.continues;
        (self.notify)(Notice::Stopped {
            signal,
            lendable,
            continues,
        });
    }

    fn is_drained(&self) -> bool {
        let Some(drain) = &self.process.drain else {
            return false;
        };
        if self.discards {
            return true;
        }
        // If the child never used its channel, a process that still holds it is a bystander, and the worker does not
        // wait for it. But it polls once, because a child may be gone before its first report was read.
        let channel_open = self.intake.channel().is_some()
            && (self.intake.channel_was_used() || !drain.has_been_empty());
        let unheard = self.intake.clients.is_open() && !drain.has_been_empty();
        if !channel_open && !unheard && !self.outputs.is_open() {
            return true;
        }
        if drain.is_cut_short() && drain.has_been_empty() {
            return true;
        }
        !self.waits_for_output() && drain.is_over(Instant::now())
    }

    fn waits_for_output(&self) -> bool {
        self.wait_output && !self.cancel_seen && self.outputs.is_open()
    }

    /// The descriptors to poll, the wake-up pipe first, and the source of each of the others.
    fn descriptors(
        &self,
        now: Instant,
        read_channel: bool,
        read_outputs: bool,
    ) -> (Vec<PollFd<'_>>, Vec<Source>) {
        let mut descriptors = Vec::with_capacity(7);
        let mut sources = Vec::with_capacity(6);
        descriptors.push(PollFd::new(&self.orders.woken, PollFlags::IN));
        let mut add = |descriptor, source| {
            descriptors.push(descriptor);
            sources.push(source);
        };
        if let Some(end) = &self.process.handle {
            add(PollFd::new(end, PollFlags::IN), Source::End);
        }
        if let Some(keys) = self.guest.keys() {
            add(PollFd::new(keys, PollFlags::IN), Source::Keys);
        }
        if let Some(channel) = self.intake.channel().filter(|_| read_channel) {
            add(PollFd::new(channel, PollFlags::IN), Source::Channel);
        }
        if let Some(zig) = self.intake.zig().filter(|_| read_channel) {
            add(PollFd::new(zig, PollFlags::IN), Source::Zig);
        }
        // Without the channel's pause: a client of the socket waits for an answer.
        if !self.intake.exhausted() {
            for (ready, descriptor) in self.intake.clients.descriptors(now) {
                let descriptor = PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
                add(descriptor, Source::Client(ready));
            }
        }
        if read_outputs {
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(output) = self.outputs.end(stream) {
                    add(PollFd::new(output, PollFlags::IN), Source::Output(stream));
                }
            }
        }
        (descriptors, sources)
    }

    /// When to check a child that has no pidfd. On systems other than Linux, SIGCHLD tells.
    fn look_without_handle(&self, now: Instant) -> Option<Instant> {
        let is_blind = self.process.handle.is_none() && !self.process.is_gone();
        (cfg!(target_os = "linux") && is_blind).then(|| now + BLIND)
    }

    fn wait_and_read(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let pause = self.intake.pause(self.process.is_gone(), now);
        let read_channel = pause.is_none() && !self.intake.exhausted();
        // The outputs may bring reports, too, so both credits count.
        let read_outputs =
            !self.outputs.exhausted() && !self.intake.exhausted() && !self.guest.prompt_waits();

        let (mut descriptors, sources) = self.descriptors(now, read_channel, read_outputs);
        // If all was polled and nothing is ready, all that the child itself wrote has been read.
        let polled_all = read_channel && read_outputs;
        let drained_at = match &self.process.drain {
            // While a slow reader stops us from polling, silence proves nothing: returned credit wakes us.
            Some(drain) if polled_all && !self.waits_for_output() => Some(drain.deadline()),
            _ => None,
        };
        let timeout = [
            self.look_without_handle(now),
            pause,
            drained_at,
            self.guest.look_at(now, &self.process, &self.outputs),
            self.process.look_at(),
            self.intake.dialects.deadline(),
            self.intake.clients.accepts_at(now),
            self.observe_at(),
            self.process
                .watcher
                .due()
                .filter(|_| !self.process.is_gone()),
        ]
        .into_iter()
        .flatten()
        .min()
        .map(|until| timespec(until.saturating_duration_since(now)));
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        let woken = is_ready(&descriptors[0]);
        let ready = descriptors[1..].iter().zip(&sources);
        let ready = ready.filter(|(descriptor, _)| is_ready(descriptor));
        let heard = ready.clone().any(|(descriptor, source)| {
            !matches!(source, Source::End) && descriptor.revents().contains(PollFlags::IN)
        });
        let has_ended = ready
            .clone()
            .any(|(_, source)| matches!(source, Source::End));
        let readable: Vec<_> = ready.map(|(_, source)| *source).collect();
        if let Some(drain) = &mut self.process.drain {
            if !readable.is_empty() {
                drain.data(Instant::now());
            } else if polled_all {
                drain.empty(Instant::now());
            }
        }
        if !self.process.is_gone() {
            self.process.watcher.look();
            if heard {
                self.process.watcher.heard_of_child();
            }
        }
        self.has_ended |= has_ended;
        self.woken = woken || has_ended || self.look_without_handle(now).is_some();
        if woken {
            self.orders.woken.clear();
        }
        // Stops first: taking the terminal back at a report would undo a Ctrl-Z that came just before it. Reports last:
        // a report takes the terminal back, and the output before it belongs above the bars.
        if self.guest.is_lent() {
            self.check_child()?;
        }
        let is_report = |source: &Source| matches!(source, Source::Channel | Source::Client(_));
        let (reports, rest): (Vec<_>, Vec<_>) = readable.into_iter().partition(is_report);
        for source in rest.into_iter().chain(reports) {
            self.read(source);
        }
        if let Some(settled) = self.intake.settle() {
            self.bring(settled);
        }
        self.process.see_to_continued(Instant::now());
        self.guest
            .look_after_terminals(&self.process, &mut self.outputs);
        Ok(())
    }

    fn read(&mut self, source: Source) {
        match source {
            Source::End => {}
            Source::Keys => self.guest.key_typed(),
            Source::Channel => self.read_channel(),
            Source::Zig => {
                if let Some(brought) = self.intake.read_zig(&mut self.buffer) {
                    self.bring(brought);
                }
            }
            Source::Client(ready) => {
                let brought = self.intake.read_client(ready, &mut self.buffer);
                self.bring(brought);
            }
            Source::Output(stream) => self.read_output(stream),
        }
    }

    fn read_channel(&mut self) {
        if let Some(brought) = self.intake.read_channel(&mut self.buffer) {
            self.bring(brought);
        }
    }

    fn read_output(&mut self, stream: Stream) {
        let place = match stream {
            Stream::Stdout => Place::Stdout,
            Stream::Stderr => Place::Stderr,
        };
        match self.outputs.read(stream, &mut self.buffer) {
            Read::Nothing => {}
            Read::End => {
                let brought = self.intake.finish_output(place);
                self.bring(brought);
            }
            Read::Bytes => {
                self.outputs.let_go();
                let (brought, mut verdicts) = self.intake.read_output(place, &self.buffer);
                self.bring(brought);
                self.serve_pty(stream, &mut verdicts);
                self.outputs
                    .hand_on_buffer(stream, &mut self.buffer, verdicts);
            }
        }
    }

    /// Carries out the terminal requests in the buffer. The output before the child took the screen is handed on first,
    /// because it belongs above the bars.
    fn serve_pty(&mut self, stream: Stream, verdicts: &mut Verdicts) {
        let Some(pty) = &mut self.guest.ptys[stream as usize] else {
            return;
        };
        let mut handed_on = 0;
        for request in pty.scanner.scan(&self.buffer) {
            match request {
                TerminalRequest::Answer(question) => {
                    self.guest.answer(question, stream, &self.outputs);
                }
                TerminalRequest::Take(at) => {
                    let before: Vec<u8> = self.buffer.drain(..at - handed_on).collect();
                    let found = verdicts.split_to(at - handed_on);
                    handed_on = at;
                    if !before.is_empty() {
                        self.outputs.hand_on(stream, Arc::new(before), found);
                    }
                    if !self.process.is_gone() {
                        self.guest.take();
                    }
                }
                TerminalRequest::Keys => {
                    if !self.process.is_gone() && self.guest.take_keys() {
                        let prompt = std::mem::take(&mut self.buffer);
                        self.outputs.hold(stream, prompt, std::mem::take(verdicts));
                        self.buffer.reserve(FIRST_READ);
                        return;
                    }
                }
            }
        }
        let question = self
            .guest
            .holds_question(&self.buffer, stream, &self.outputs);
        if let Some(at) = question {
            let question = self.buffer.split_off(at);
            self.outputs.hold(stream, question, Verdicts::default());
        }
    }

    /// Hands reports on. If they show that the child is at work, the terminal is taken back first.
    fn bring(&mut self, brought: Brought) {
        let (process, outputs) = (&self.process, &self.outputs);
        let batch = match brought {
            Brought::Reports(batch) => {
                self.guest.take_back_at(&batch, process, outputs);
                batch
            }
            Brought::Foreign(batch) => {
                self.guest.take_back(process, outputs);
                if !batch.is_empty() {
                    self.guest.take_back_at_meter(process, outputs);
                }
                batch
            }
            Brought::Meter(batch) => {
                if !batch.is_empty() {
                    self.guest.take_back_at_meter(process, outputs);
                }
                batch
            }
            Brought::Rest(batch) => batch,
            Brought::Request(stream, bytes) => {
                (self.notify)(Notice::Request(stream, bytes));
                return;
            }
        };
        self.intake.hand_on(batch);
    }

    /// When to sample the child from outside. None while it is stopped or has the terminal, and once it is gone or has
    /// reported in our own protocol.
    fn observe_at(&self) -> Option<Instant> {
        let observer = self.intake.observer.as_ref()?;
        let may = !self.process.stopped && !self.guest.is_lent() && !self.process.is_gone();
        may.then(|| observer.due())
    }

    fn observe(&mut self) {
        let now = Instant::now();
        if self.observe_at().is_some_and(|due| due <= now)
            && let Some(observed) = self.intake.observer.as_mut().and_then(|it| it.sample(now))
        {
            let file = observed.file.clone();
            (self.notify)(Notice::Observed(observed));
            self.intake.report_file(file);
        }
    }

    /// Sends the last signals, then reaps.
    fn reap_and_finish(mut self) -> anyhow::Result<Exit> {
        self.outputs.let_go();
        for stream in self.intake.clients.take_silent() {
            (self.notify)(Notice::Request(stream, Vec::new()));
        }
        self.intake.finish();
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(output) = self.outputs.close(stream) {
                let Some(holders) = holders::of(&output) else {
                    continue;
                };
                // The sink whose reader took nothing has already said that output is lost.
                if self.discards && holders.is_empty() {
                    continue;
                }
                if !self.discards && self.outputs.leave(stream, output).is_none() {
                    continue;
                }
                (self.notify)(Notice::Held { stream, holders });
            }
        }
        self.carry_out_orders();
        // The leader is gone, but a process of its group may have ignored SIGTERM.
        self.process.end_rest();
        drop(self.process.watcher);
        Ok(spawn::reap(self.process.pid)?)
    }
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
