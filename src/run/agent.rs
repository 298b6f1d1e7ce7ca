//! What only the run of an agent does: it carries out what the progrun that has started it on this machine says on our
//! stdin, and shows that it is there.
//!
//! As long as that progrun is there, it alone decides how its task is stopped: its orders go to the worker, and the ladder
//! of the task here does nothing. Once it is gone, the ladder is ours. It is gone at the end of our stdin, or if nothing
//! comes for as long as the lease. A signal to the agent itself, as from an engine that needs its machine back, stops the
//! task in the same way.

use std::collections::VecDeque;
use std::io::{self, Stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::child::{Ended, Order};
use crate::event::{Answer, CancelMode, Ending, Reader, Reason, What};
use crate::wire::agent::Instruction;

use super::{Run, ending};

/// How long a line may be.
const LONGEST: usize = 64 * 1024;
/// How long the last lines have to be read, if no process may listen any more.
const DRAIN: Duration = Duration::from_secs(5);
/// How often, and after which time at first, an engine that does not answer is asked again to take its place back.
const RELEASES: u32 = 8;
const RELEASE: Duration = Duration::from_secs(1);

/// On which terms a run is that of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// How long it goes on without a word; none: for ever.
    pub(crate) lease: Option<Duration>,
    /// How long apart its own words are; none: there are none.
    pub(crate) beat: Option<Duration>,
    /// What was read of our stdin after what is to run.
    pub(crate) read: Vec<u8>,
    /// What is run at the end if no process listens any more.
    pub(crate) release: Vec<String>,
}

/// What the run of an agent keeps.
#[derive(Debug)]
pub(super) struct Link {
    terms: Agent,
    stdin: Stdin,
    /// What was read and is no whole line.
    read: Vec<u8>,
    is_at_end: bool,
    /// When the lease is over, by a clock that does not stand while this process or the machine sleeps: the other side
    /// takes the task for stopped by then.
    lease_until: Option<Duration>,
    /// When our next word is due.
    alive_at: Option<Duration>,
    /// When our last words were said, each with its number, by the clock of the lease. The lease is counted from the last
    /// of them that was heard: the other side knows then how long we go on at most, however late its own words arrive.
    beats: VecDeque<(u64, Duration)>,
    /// Whether the lease lasts longer because no word can come.
    is_held: bool,
    /// How the child will see a cancel, once the worker has said it.
    mode: Option<CancelMode>,
    /// Whether the ladder is ours.
    is_alone: bool,
}

impl Link {
    pub(super) fn new(mut terms: Agent) -> Self {
        Self {
            read: std::mem::take(&mut terms.read),
            stdin: io::stdin(),
            is_at_end: false,
            lease_until: terms.lease.map(|lease| clock().saturating_add(lease)),
            alive_at: terms.beat,
            beats: VecDeque::from([(0, clock())]),
            is_held: false,
            mode: None,
            is_alone: false,
            terms,
        }
    }

    /// What is polled for reading.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_at_end).then(|| self.stdin.as_fd())
    }

    /// When something is due although nothing comes, by the clock of the run, at which it is `now`.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let lease = self.lease_until.filter(|_| !self.is_alone);
        let lease = lease.map(|until| now.saturating_add(until.saturating_sub(clock())));
        [lease, self.alive_at].into_iter().flatten().min()
    }

    /// Whether the lease is over. Lines that have come since do not make it last.
    fn is_over(&self) -> bool {
        !self.is_alone && self.lease_until.is_some_and(|until| until <= clock())
    }

    /// The word of this number was heard.
    fn was_heard(&mut self, beat: u64) {
        while self.beats.get(1).is_some_and(|(next, _)| *next <= beat) {
            self.beats.pop_front();
        }
        if let (Some(lease), Some((number, said))) = (self.terms.lease, self.beats.front())
            && *number <= beat
        {
            let before = self.lease_until.unwrap_or_default();
            self.lease_until = Some(if self.is_held {
                // The first word after the hold: what was heard before it is long ago.
                clock().saturating_add(lease)
            } else {
                before.max(said.saturating_add(lease))
            });
            self.is_held = false;
        }
    }

    /// No word can come for this time.
    fn hold(&mut self, time: Duration) {
        self.lease_until = self
            .lease_until
            .map(|until| until.max(clock().saturating_add(time)));
        self.is_held = true;
    }

    /// The next word that we are here.
    fn next_beat(&mut self) -> u64 {
        let beat = self.beats.back().map_or(0, |(beat, _)| beat + 1);
        self.beats.push_back((beat, clock()));
        beat
    }

    /// Takes the next line, if there is a whole one.
    fn line(&mut self) -> Option<String> {
        let end = memchr::memchr(b'\n', &self.read)?;
        let rest = self.read.split_off(end + 1);
        let line = std::mem::replace(&mut self.read, rest);
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Reads what there is.
    fn hear(&mut self) {
        let mut ready = [PollFd::new(&self.stdin, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        while !self.is_at_end
            && poll(&mut ready, Some(&now)).is_ok()
            && !ready[0].revents().is_empty()
        {
            let mut block = [0; 4096];
            match rustix::io::read(self.stdin.as_fd(), &mut block) {
                Ok(0) => self.is_at_end = true,
                Ok(count) => self.read.extend_from_slice(&block[..count]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) => self.is_at_end = true,
            }
            if self.read.len() > LONGEST {
                return;
            }
            ready[0].clear_revents();
        }
    }
}

impl Run<'_> {
    /// Carries out what came on our stdin.
    pub(super) fn hear_orders(&mut self) {
        let Some(link) = &mut self.agent else { return };
        let is_over = link.is_over();
        link.hear();
        let mut lines = Vec::new();
        while let Some(line) = link.line() {
            lines.push(line);
        }
        if link.read.len() > LONGEST {
            link.read.clear();
            lines.push("(a line without an end)".to_owned());
        }
        if is_over {
            self.is_alone(Reason::Lease);
        }
        for line in lines {
            match Instruction::read(&line) {
                Some(instruction) => self.instructed(instruction),
                None => self.warn(&format!("the agent does not understand \"{line}\"")),
            }
        }
        if self.agent.as_ref().is_some_and(|link| link.is_at_end) {
            self.is_alone(Reason::Lease);
        }
    }

    fn instructed(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Ping(beat) => {
                if let Some(link) = &mut self.agent {
                    link.was_heard(beat);
                }
            }
            Instruction::Cancel => {
                for running in self.tasks.values() {
                    running.future.cancel();
                }
            }
            Instruction::Drain => self.order_all(|| Order::Drain),
            // An agent has no session with a shell that could continue its child, and the system then discards a SIGTSTP.
            Instruction::Signal(libc::SIGTSTP) => self.order_all(|| Order::Signal(libc::SIGSTOP)),
            Instruction::Signal(signal) => self.order_all(|| Order::Signal(signal)),
            Instruction::Stop(signal) => self.order_all(|| Order::Stop(signal)),
            Instruction::Kill => self.order_all(|| Order::Kill),
            Instruction::Close(stream) => {
                self.order_all(|| Order::Close(stream));
            }
            Instruction::Pause => self.tell_of_run(What::Reader(Reader::Waits)),
            Instruction::Resume => self.tell_of_run(What::Reader(Reader::Reads)),
            Instruction::Discard => {
                self.order_all(|| Order::Discard);
                self.tell_of_run(What::Reader(Reader::Gone));
            }
            Instruction::Hold(time) => {
                if let Some(link) = &mut self.agent {
                    link.hold(time);
                }
            }
            Instruction::Size(columns, rows) => {
                crate::child::set_size(columns, rows);
                self.order_all(|| Order::Signal(libc::SIGWINCH));
            }
        }
    }

    /// Says that the agent is there, and looks at the lease.
    pub(super) fn keep_lease(&mut self, now: Duration) {
        let Some(link) = &mut self.agent else { return };
        let is_over = link.is_over();
        if link.alive_at.is_some_and(|at| at <= now) {
            link.alive_at = link.terms.beat.map(|beat| now + beat);
            let beat = link.next_beat();
            self.tell_of_run(What::Alive(beat));
        }
        if is_over {
            self.is_alone(Reason::Lease);
        }
    }

    /// The worker has said how the child will see a cancel.
    pub(super) fn answered_agent(&mut self, answer: Answer) {
        let Some(link) = &mut self.agent else { return };
        if let Answer::Cancel(mode) = answer {
            link.mode = Some(mode);
        }
        self.tell_of_run(What::Answer(answer));
    }

    /// The task is to stop, whatever the progrun says that has started us: from now on the ladder is ours.
    pub(super) fn is_alone(&mut self, reason: Reason) {
        let Some(link) = &mut self.agent else { return };
        let was_alone = std::mem::replace(&mut link.is_alone, true);
        if was_alone && reason == Reason::Lease {
            return;
        }
        let mode = link.mode.filter(|_| !was_alone);
        self.request_here(reason);
        // It was cancelled before, and the worker does not answer again.
        if let Some(mode) = mode {
            let now = self.now();
            let ids: Vec<_> = self.tasks.keys().copied().collect();
            for id in ids {
                self.change(id, |task| task.answered(mode, now));
            }
        }
    }

    /// Says why there was no child, if there was none.
    pub(super) fn tell_not_started(&mut self) {
        if self.agent.is_none() {
            return;
        }
        let ended = self.tasks.values().next().and_then(|it| it.ended());
        if let Some(Ended::NotStarted(error)) = ended
            && let Ending::Status(status) = ending::of_launch(error)
        {
            self.tell_of_run(What::Answer(Answer::NotStarted { status }));
        }
    }

    /// After the last word: waits until it is read. The progrun that has started us closes our stdin then. If no process
    /// may listen any more, gives the place in the engine back.
    pub(super) fn take_leave(&mut self) {
        let Some(link) = &mut self.agent else { return };
        let was_left = link.is_at_end;
        let patience = link.terms.lease.unwrap_or(DRAIN).max(DRAIN);
        let patience = if link.is_alone { DRAIN } else { patience };
        let mut until = Instant::now() + patience;
        while !link.is_at_end {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let mut ready = [PollFd::new(&link.stdin, PollFlags::IN)];
            if left.is_zero() || !matches!(poll(&mut ready, timeout.as_ref()), Ok(1..)) {
                break;
            }
            link.hear();
            if !link.read.is_empty() && !link.is_alone {
                // The other side is there, and may only be slow.
                until = Instant::now() + patience;
            }
            link.read.clear();
        }
        if link.is_at_end && !was_left {
            return;
        }
        let [program, words @ ..] = link.terms.release.as_slice() else {
            return;
        };
        for attempt in 0..RELEASES {
            let mut command = Command::new(program);
            command.args(words).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            if command.status().is_ok_and(|status| status.success()) {
                return;
            }
            thread::sleep(RELEASE * 2_u32.pow(attempt));
        }
    }
}

/// The time, by a clock that goes on while this process is stopped or the machine sleeps.
fn clock() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    Duration::try_from(time).unwrap_or_default()
}

/// Reads the first line of our stdin, for which a process has this long. Gives it with what was read after it; none: it
/// did not come.
///
/// # Errors
/// If our stdin cannot be read.
pub(crate) fn first_line(patience: Option<Duration>) -> io::Result<Option<(String, Vec<u8>)>> {
    const MOST: usize = 64 * 1024 * 1024;
    let until = patience.map(|patience| Instant::now() + patience);
    let stdin = io::stdin();
    let mut read = Vec::new();
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut ready, timeout.as_ref()) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut block = [0; 8 * 1024];
        match rustix::io::read(&stdin, &mut block) {
            Ok(0) if read.is_empty() => return Ok(None),
            // Cut off in the middle: to be refused.
            Ok(0) => {
                return Ok(Some((
                    String::from_utf8_lossy(&read).into_owned(),
                    Vec::new(),
                )));
            }
            Ok(count) => {
                let start = read.len();
                read.extend_from_slice(&block[..count]);
                if let Some(end) = memchr::memchr(b'\n', &read[start..]) {
                    let rest = read.split_off(start + end + 1);
                    return Ok(Some((String::from_utf8_lossy(&read).into_owned(), rest)));
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if read.len() > MOST {
            return Ok(None);
        }
    }
}
