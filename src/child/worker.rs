//! The thread that serves a child: one `poll` over all that can happen to it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::dialect::{Dialects, Place};
use crate::event::{Ending, Stream};
use crate::flow::Credit;
use crate::model::batch::{Batch, Collector};
use crate::model::verdict::Verdicts;
use crate::progress::{ProgressCancelled, ProgressReporter};

use super::drain::Drain;
use super::observe::Observer;
use super::socket::{Call, Clients};
use super::terminal::Terminal;
use super::watcher::Watcher;
use super::{Launch, LaunchError, Notice, Order, Orders, holders, spawn, tree};

mod cancel;
mod keyboard;
mod lending;
mod observing;
mod pty;
mod reading;
mod stops;

use self::keyboard::Keys;
use self::lending::{Lending, Meters};
use self::pty::{Pty, Taking};
use self::reading::{FULL_READ, NOTICE, READ, UNDER_WAY, weight};

pub(super) use self::reading::{is_transient, read_into, reports_at_once};
use self::stops::Continued;

/// So much later nothing waits any more for more of what was begun.
const READS_ALL: Duration = Duration::from_mins(1);
/// Less than the fastest writer takes to fill the pipe, or it would wait for us.
const PAUSE: Duration = Duration::from_micros(200);
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one child"
)]
pub(super) struct Worker<'a> {
    pid: Pid,
    orders: &'a Orders,
    reporter: &'a ProgressReporter<Batch>,
    notify: &'a dyn Fn(Notice),
    channel: Option<OwnedFd>,
    collector: Collector,
    clients: Clients<'a>,
    /// What is read in other programs' formats.
    dialects: Dialects,
    /// Whether the channel is read as one of them. Then it is never closed before the child is gone.
    foreign_channel: bool,
    zig: Option<OwnedFd>,
    /// When the channel is looked at again after a small read.
    pause_until: Option<Instant>,
    outputs: [Option<OwnedFd>; 2],
    /// Those of the outputs that are a terminal for the child.
    ptys: [Option<Pty>; 2],
    taking: Taking,
    keys: Keys,
    meters: Meters,
    lending: Lending,
    /// Whether the child keeps the terminal that it was lent to its end.
    in_foreground: bool,
    /// Whether the child has waited for a key after a Ctrl-C that went to it.
    went_on: bool,
    continued: Continued,
    /// Whether what the child printed last is an open line.
    line_open: bool,
    /// A question to the terminal, until it is known who is to answer it.
    held: Option<(Stream, Vec<u8>)>,
    buffer: Vec<u8>,
    /// What large reads were handed on in: never more than may be under way.
    pieces: Vec<Arc<Vec<u8>>>,
    reports_credit: Credit,
    output_credit: Credit,
    /// Whether what comes is written out as events.
    verbatim: bool,
    cancel_seen: bool,
    /// What the environments of the child's descendants have, and of nobody else.
    mark: String,
    /// Kills the group if we are killed.
    watcher: Watcher,
    /// Whether what is left of the group is killed when the leader is gone.
    terminated: bool,
    /// Whether what left the group is killed as well.
    killed: bool,
    wait_output: bool,
    /// Whether nothing is read any more once the child is gone.
    discards: bool,
    on_screen: bool,
    /// Watched until it breaks.
    parent: Option<&'a OwnedFd>,
    /// Likewise.
    reader: Option<&'a OwnedFd>,
    /// Whether something woke us that may have been a change of the child's state.
    woken: bool,
    /// Looks at the child as long as it has reported nothing, if anybody wants to know.
    observer: Option<Observer>,
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
        reporter: &'a ProgressReporter<Batch>,
        notify: &'a dyn Fn(Notice),
    ) -> Result<Self, LaunchError> {
        let mut terminal = launch.in_foreground.then(Terminal::for_the_start).flatten();
        let spawned = spawn::spawn(launch, terminal.as_ref()).inspect_err(|_| {
            if let Some(terminal) = &terminal {
                terminal.take_back_from_none();
            }
        })?;
        let mut watcher = Watcher::new(spawned.pid, launch.kill_after);
        if let Some(terminal) = &mut terminal {
            terminal.was_taken();
            watcher.start();
        }
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
            clients: Clients::new(launch.socket.as_ref(), launch.verbatim),
            dialects: Dialects::new(launch.from.clone(), launch.verbatim),
            foreign_channel: false,
            zig: spawned.zig,
            pause_until: None,
            outputs: spawned.outputs,
            ptys: spawned.terminals.map(|settings| settings.map(Pty::new)),
            taking: Taking::default(),
            keys: Keys::default(),
            meters: Meters::default(),
            lending: Lending::default(),
            in_foreground: launch.in_foreground,
            went_on: false,
            continued: Continued::default(),
            line_open: false,
            held: None,
            buffer: Vec::with_capacity(READ),
            pieces: Vec::new(),
            reports_credit: Credit::new(UNDER_WAY, move || reports_wake.wake()),
            output_credit: Credit::new(UNDER_WAY, move || output_wake.wake()),
            verbatim: launch.verbatim,
            cancel_seen: false,
            watcher,
            terminated: false,
            killed: false,
            wait_output: launch.wait_output,
            discards: false,
            on_screen: launch.on_screen,
            parent: launch.parent.as_ref(),
            reader: launch.reader.as_ref(),
            woken: true,
            observer: launch.observe.then(|| Observer::new(spawned.pid)).flatten(),
            stopped: false,
            terminal,
            drain: None,
        })
    }

    pub(super) fn serve(mut self) -> anyhow::Result<()> {
        self.keep_settings();
        if self.is_lent() {
            (self.notify)(Notice::TookScreen { lendable: true });
        }
        loop {
            if std::mem::take(&mut self.woken) {
                self.obey();
                if !self.cancel_seen && self.reporter.is_cancelled() {
                    self.ask();
                }
                if self.drain.is_none() {
                    self.watch()?;
                }
            }
            if self.is_drained() {
                return self.bury();
            }
            self.wait_and_read()?;
            self.observe();
        }
    }

    fn obey(&mut self) {
        let pid = self.pid;
        while let Some(order) = self.orders.next() {
            match order {
                Order::Signal(signal) => {
                    if signal == libc::SIGWINCH {
                        self.resize_ptys();
                    }
                    tree::signal_group(self.pid, signal);
                }
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
                Order::Discard => self.discards = true,
                Order::Close(stream) => self.outputs[stream as usize] = None,
                // Once the child is gone nobody would take it back.
                Order::Lend if self.drain.is_some() => (self.notify)(Notice::Lent(false)),
                Order::Lend => {
                    // Or a question on the line of a meter would take it back.
                    self.dialects.settle(Instant::now() + READS_ALL);
                    self.report_dialects();
                    // A member of the group that knows whether a Ctrl-C went there. Before, because a Ctrl-Z between the lending
                    // and the SIGCONT would be lost.
                    self.watcher.start();
                    let lent = self.lend();
                    tree::signal_group(self.pid, libc::SIGCONT);
                    if lent {
                        self.lending.begin(Instant::now());
                        self.let_question_go();
                    }
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

    /// Looks what became of the child: stopped, continued, ended.
    fn watch(&mut self) -> io::Result<()> {
        let changed = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED | WaitIdOptions::NOHANG;
        spawn::reap_orphans();
        // An error here means that the child has ended: a zombie can neither be stopped nor continued.
        while let Ok(Some(change)) = waitid(WaitId::Pid(self.pid), changed) {
            self.stopped_or_continued(change.stopping_signal());
        }
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if let Some(ended) = waitid(WaitId::Pid(self.pid), ended)? {
            self.take_terminal_back_for_good(&ended);
            (self.notify)(Notice::Exited);
            self.drain = Some(Drain::new(Instant::now()));
        }
        Ok(())
    }

    fn is_drained(&self) -> bool {
        let Some(drain) = &self.drain else {
            return false;
        };
        if self.discards {
            return true;
        }
        // A child that never used its channel is not waited for there: whoever still holds it is a bystander. But look
        // once, for a child may be gone before its first report was read.
        let channel_open =
            self.channel.is_some() && (self.channel_was_used() || !drain.has_been_empty());
        let unheard = self.clients.is_open() && !drain.has_been_empty();
        if !channel_open && !unheard && !self.outputs_open() {
            return true;
        }
        if drain.is_cut_short() && drain.has_been_empty() {
            return true;
        }
        !self.waits_for_output() && drain.is_over(Instant::now())
    }

    fn channel_was_used(&self) -> bool {
        self.foreign_channel || self.collector.seen()
    }

    fn outputs_open(&self) -> bool {
        self.outputs.iter().any(Option::is_some)
    }

    fn waits_for_output(&self) -> bool {
        self.wait_output && !self.cancel_seen && self.outputs_open()
    }

    /// What may be ready, the wake-up pipe first, and what each of the others is.
    fn descriptors(
        &self,
        read_channel: bool,
        read_outputs: bool,
    ) -> (Vec<PollFd<'_>>, Vec<Source>) {
        let mut descriptors = Vec::with_capacity(6);
        let mut sources = Vec::with_capacity(5);
        descriptors.push(PollFd::new(&self.orders.woken, PollFlags::IN));
        for (end, source) in [(self.parent, Source::Parent), (self.reader, Source::Reader)] {
            if let Some(end) = end {
                // Nothing is asked for; what is told anyway is that it broke.
                descriptors.push(PollFd::new(end, PollFlags::empty()));
                sources.push(source);
            }
        }
        if let Some(keys) = self.keys() {
            descriptors.push(PollFd::new(keys, PollFlags::IN));
            sources.push(Source::Keys);
        }
        if let Some(channel) = self.channel.as_ref().filter(|_| read_channel) {
            descriptors.push(PollFd::new(channel, PollFlags::IN));
            sources.push(Source::Channel);
        }
        if let Some(zig) = self.zig.as_ref().filter(|_| read_channel) {
            descriptors.push(PollFd::new(zig, PollFlags::IN));
            sources.push(Source::Zig);
        }
        // Not after a pause: who reports there waits for an answer.
        if !self.reports_credit.exhausted() {
            for (call, descriptor) in self.clients.descriptors() {
                descriptors.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
                sources.push(Source::Call(call));
            }
        }
        if read_outputs {
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(output) = &self.outputs[stream as usize] {
                    descriptors.push(PollFd::new(output, PollFlags::IN));
                    sources.push(Source::Output(stream));
                }
            }
        }
        (descriptors, sources)
    }

    fn wait_and_read(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let pausing = self.drain.is_none() && self.pause_until.is_some_and(|until| now < until);
        if !pausing {
            self.pause_until = None;
        }
        let read_channel = !pausing && !self.reports_credit.exhausted();
        // They may bring reports, too.
        let read_outputs = !self.output_credit.exhausted() && !self.reports_credit.exhausted();

        let (mut descriptors, sources) = self.descriptors(read_channel, read_outputs);
        // Everything that was polled and is not ready is empty: all that the child itself wrote has been read.
        let polled_all = read_channel && read_outputs;
        let drained_at = match &self.drain {
            // With a slow reader ahead, time proves nothing: returned credit wakes us.
            Some(drain) if polled_all && !self.waits_for_output() => Some(drain.deadline()),
            _ => None,
        };
        let timeout = [
            self.pause_until,
            drained_at,
            self.look_at(now),
            self.dialects.deadline(),
            self.observe_at(),
            self.watcher.due(),
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
        let ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        let woken = ready(&descriptors[0]);
        let heard = descriptors[1..]
            .iter()
            .any(|descriptor| descriptor.revents().contains(PollFlags::IN));
        let readable: Vec<_> = descriptors[1..]
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
        self.watcher.look(Instant::now());
        if heard {
            self.watcher.heard_of_child();
        }
        self.woken = woken;
        if woken {
            let mut wakes = [0; 64];
            while rustix::io::read(&self.orders.woken, &mut wakes).is_ok_and(|n| n == wakes.len()) {
            }
        }
        // Batch last: a report takes the terminal back, and what was printed before it belongs above the bars.
        // Whoever was stopped after a report stays so, or a Ctrl-Z would come to nothing.
        if self.is_lent() {
            self.watch()?;
        }
        let is_report = |source: &Source| matches!(source, Source::Channel | Source::Call(_));
        let (reports, rest): (Vec<_>, Vec<_>) = readable.into_iter().partition(is_report);
        for source in rest.into_iter().chain(reports) {
            self.read(source);
        }
        if self.dialects.deadline().is_some() {
            self.dialects.settle(Instant::now());
            self.report_dialects();
        }
        self.look_after_terminals();
        Ok(())
    }

    fn read(&mut self, source: Source) {
        match source {
            Source::Parent => {
                self.parent = None;
                (self.notify)(Notice::ParentGone);
            }
            Source::Reader => {
                self.reader = None;
                (self.notify)(Notice::ReaderGone);
            }
            Source::Keys => self.key_typed(),
            Source::Channel => self.read_channel(),
            Source::Zig => self.read_zig(),
            Source::Call(call) => {
                let heard = self.clients.hear(call, &mut self.buffer);
                if heard.spoke {
                    self.take_terminal_back_at(&heard.reports);
                    self.dialects.overrule();
                }
                let _ = self.report(heard.reports);
            }
            Source::Output(stream) => self.read_output(stream),
        }
    }

    /// Reads the channel once and hands on what came.
    fn read_channel(&mut self) {
        let Some(channel) = &self.channel else {
            return;
        };
        let at_most = reports_at_once(self.verbatim);
        let read = match read_into(channel, &mut self.buffer, at_most) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return,
            Err(_) => 0,
        };
        if read == 0 {
            self.channel = None;
            self.collector.finish();
            self.finish_dialects(Place::Channel);
        } else {
            if !self.channel_was_used() {
                self.foreign_channel = self.dialects.claims_channel(&self.buffer);
            }
            if self.foreign_channel {
                self.take_terminal_back();
                self.dialects
                    .feed(Place::Channel, &self.buffer, Instant::now());
            } else {
                self.dialects.overrule();
                self.collector.feed(&self.buffer);
            }
            if read < FULL_READ.min(at_most) {
                self.pause_until = Some(Instant::now() + PAUSE);
            }
        }
        if self.foreign_channel {
            self.report_dialects();
        } else {
            let reports = self.collector.take();
            if read > 0 {
                self.take_terminal_back_at(&reports);
            }
            // After a cancel request reports are dropped, as in the library: the run loop has no use for them.
            let _ = self.report(reports);
        }
    }

    /// Hands reports on, whoever made them.
    fn report(&mut self, mut reports: Batch) -> Result<(), ProgressCancelled> {
        if reports.is_empty() {
            return Ok(());
        }
        self.observer = None;
        reports.permit = Some(self.reports_credit.permit(reports.weight() + NOTICE));
        self.reporter.report(reports)
    }

    fn read_output(&mut self, stream: Stream) {
        let Some(output) = &self.outputs[stream as usize] else {
            return;
        };
        let read = match read_into(output, &mut self.buffer, READ) {
            Ok(read) => read,
            Err(error) if is_transient(error) => return,
            Err(_) => 0,
        };
        let place = match stream {
            Stream::Stdout => Place::Stdout,
            Stream::Stderr => Place::Stderr,
        };
        if read == 0 {
            self.outputs[stream as usize] = None;
            self.finish_dialects(place);
            return;
        }
        self.line_open = self.buffer.last() != Some(&b'\n');
        self.let_question_go();
        let mut verdicts = self.dialects.feed(place, &self.buffer, Instant::now());
        // Before what was printed: a line that is written for machines is not shown where a bar shows what it says.
        self.report_dialects();
        self.serve_pty(stream, &mut verdicts);
        if self.buffer.is_empty() {
            return;
        }
        // A large read is handed on as it is; a small one is copied, so that it does not hold a large buffer.
        let bytes = if self.buffer.len() >= READ / 4 {
            self.hand_on_buffer()
        } else {
            Arc::new(self.buffer.clone())
        };
        self.hand_on(stream, bytes, verdicts);
    }

    fn hand_on(&self, stream: Stream, bytes: Arc<Vec<u8>>, verdicts: Verdicts) {
        let permit = self.output_credit.permit(weight(&bytes, self.verbatim));
        (self.notify)(Notice::Output {
            stream,
            bytes,
            verdicts,
            permit,
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
        self.let_question_go();
        if self.channel.take().is_some() {
            self.collector.finish();
            let reports = self.collector.take();
            let _ = self.report(reports);
        }
        let unfinished: Vec<_> = self.clients.end().collect();
        for reports in unfinished {
            let _ = self.report(reports);
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(output) = self.outputs[stream as usize].take() {
                let holders = holders::of(&output);
                // That it was not read to its end is told by the sink that was not read.
                if self.discards && holders.is_empty() {
                    continue;
                }
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
        drop(self.watcher);
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
    Parent,
    Reader,
    Keys,
    Channel,
    Zig,
    Call(Call),
    Output(Stream),
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
