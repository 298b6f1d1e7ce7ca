//! Stops that should not be: one that the system would have discarded without us, and what a stop leaves behind. After
//! each continue it is looked whether a process was born stopped meanwhile, and that one is continued, too. Who is
//! stopped in any other way was stopped on purpose, and stays so.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::super::{Notice, tree, waiting};
use super::Worker;

/// When it is looked after a continue. On a busy machine a fork may take its time.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// When the child was continued, and how often it was looked at since.
#[derive(Debug, Default)]
pub(super) struct Continued(Option<(Instant, usize)>);

impl Continued {
    pub(super) fn begin(&mut self, now: Instant) {
        self.0 = Some((now, 0));
    }

    /// When to look next.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let (continued, looks) = self.0?;
        LOOKS.get(looks).map(|after| continued + *after)
    }

    /// Whether it is time to look.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.look_at().is_some_and(|at| at <= now);
        if let Some((_, looks)) = self.0.as_mut().filter(|_| due) {
            *looks += 1;
        }
        due
    }
}

impl Worker<'_> {
    /// The child was stopped by `signal`, or else continued.
    pub(super) fn stopped_or_continued(&mut self, signal: Option<i32>) {
        let leader = self.pid;
        let Some(signal) = signal.map(|signal| self.meant(signal)) else {
            self.stopped = false;
            self.continued.begin(Instant::now());
            (self.notify)(Notice::Continued);
            return;
        };
        if self.would_be_discarded(signal) {
            tree::signal_group(leader, libc::SIGCONT);
            return;
        }
        self.stopped = true;
        if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) {
            self.meters.terminal_is_wanted(Instant::now());
        }
        let terminal = self.terminal();
        let lendable = terminal.is_some_and(|terminal| terminal.is_lendable(leader));
        (self.notify)(Notice::Stopped { signal, lendable });
    }

    /// Whether the child would not have been stopped without us: the system discards such a stop for a process group that
    /// nobody could continue. Not if it wants a terminal that there is, or it would stop again and again.
    fn would_be_discarded(&mut self, signal: i32) -> bool {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        (signal == libc::SIGTSTP || wants && self.terminal().is_none())
            && !self.is_lent()
            && tree::is_orphaned()
    }

    /// Continues who was left behind.
    pub(super) fn see_to_continued(&mut self, now: Instant) {
        if self.drain.is_some() {
            self.continued = Continued::default();
        }
        // While the child is stopped its processes are so with reason.
        if self.continued.is_due(now) && !self.stopped {
            for process in waiting::born_stopped(self.pid) {
                let _ = kill_process(process, Signal::CONT);
            }
        }
    }
}
