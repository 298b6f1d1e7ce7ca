//! The child as a guest of the terminal: what it wants of the terminal, and what it has.
//!
//! A child whose output goes to a pseudo-terminal has us for its terminal until it wants the real one. It is lent the
//! real one when it takes the whole screen or waits for keys, like a child that is stopped for wanting it (SIGTTIN,
//! SIGTTOU). Its settings of the pseudo-terminal (termios) are then made on the real one, because programs set up the
//! keyboard by way of their output. `keyboard.rs` finds out where the child reads, and `lending.rs` when the terminal
//! is taken back. Which task gets the terminal is decided by the run's lease.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::termios::{LocalModes, Termios, tcgetattr};

use crate::event::Stream;
use crate::system::reap;
use crate::vt::requests::{Question, RequestScanner, question_at_end};

use super::super::terminal::{Terminal, has_terminal, is_lendable, same};
use super::super::{Launch, Notice, pty, tree};
use super::outputs::Outputs;
use super::process::Process;

mod keyboard;
mod lending;

use self::keyboard::Keyboard;
use self::lending::{Lending, Meters, Use};

/// How often the worker checks what no event reports: the settings that the child makes, and the size of a lent
/// terminal.
const LOOK: Duration = Duration::from_millis(200);
/// How much longer that is for each other child: all of them together cost no more than a few do. A program that makes
/// settings prints something, too, and that is an event.
const FOR_EACH_OTHER: Duration = Duration::from_millis(20);
/// How long a program must have left the screen before the terminal is taken back: one that Ctrl-Z stops leaves the
/// screen first, and one that starts another program comes back to it at once.
const LEFT: Duration = Duration::from_millis(150);

/// How long a prompt waits for the terminal to be lent. Then it is shown: other tasks may have the terminal for long.
const PROMPT: Duration = Duration::from_millis(200);

/// A child that has the keyboard set up for this long wants more than the answer to a question to the terminal (DSR,
/// DA).
const ASKED: Duration = Duration::from_millis(50);

/// An output of the child that is a pseudo-terminal.
#[derive(Debug)]
pub(super) struct Pty {
    pub(super) scanner: RequestScanner,
    /// Its settings before the child changed them.
    original: Termios,
    /// Its settings as they were last seen.
    seen: Termios,
    /// Whether the changes that the child made here were made on the real terminal, too.
    set_up: bool,
}

impl Pty {
    pub(super) fn new(original: Termios) -> Self {
        Self {
            scanner: RequestScanner::default(),
            seen: original.clone(),
            original,
            set_up: true,
        }
    }

    /// Whether the child has set up the keyboard so that it gets each key at once (termios without ICANON).
    pub(super) fn reads_keys(&self) -> bool {
        !self.seen.local_modes.contains(LocalModes::ICANON)
    }
}

/// The lending of the terminal to a child that took the screen or the keyboard, and was not stopped for wanting it.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Since when the child has a pseudo-terminal set up to read key by key.
    reads_since: Option<Instant>,
    /// Whether the terminal was asked for, or is lent, for that.
    pub(super) lent: bool,
    /// When the terminal is taken back from a child that has left the screen.
    over_at: Option<Instant>,
}

/// One child's use of the terminal, and its wish for it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one child"
)]
pub(super) struct Guest<'a> {
    pub(super) pid: Pid,
    pub(super) notify: &'a dyn Fn(Notice),
    /// Whether the terminal shows any of the child's output.
    on_screen: bool,
    /// Whether the child keeps the terminal that it was lent to its end.
    pub(super) in_foreground: bool,
    /// The outputs that are pseudo-terminals.
    pub(super) ptys: [Option<Pty>; 2],
    pub(super) taking: Taking,
    pub(super) keyboard: Keyboard,
    pub(super) meters: Meters,
    pub(super) lending: Lending,
    /// The terminal, while the run has given it to this worker.
    pub(super) terminal: Option<Terminal>,
    /// The settings that the child had when the terminal was taken from it.
    settings: Option<Termios>,
    /// Whether the child can have taken the terminal by itself: it had it before, or its output is a pseudo-terminal.
    pub(super) may_have_taken: bool,
    /// Whether the child has waited for a key after a Ctrl-C that went to it.
    pub(super) went_on: bool,
    /// Until when the child's output is not read, because the child must have the terminal before the user sees its
    /// prompt.
    prompt_waits: Option<Instant>,
}

impl<'a> Guest<'a> {
    pub(super) fn new(
        pid: Pid,
        launch: &Launch,
        terminal: Option<Terminal>,
        ptys: [Option<Pty>; 2],
        notify: &'a dyn Fn(Notice),
    ) -> Self {
        let may_have_taken = terminal.is_some() || ptys.iter().any(Option::is_some);
        Self {
            pid,
            notify,
            on_screen: launch.on_screen,
            in_foreground: launch.in_foreground,
            ptys,
            taking: Taking::default(),
            keyboard: Keyboard::default(),
            meters: Meters::default(),
            lending: Lending::default(),
            may_have_taken,
            terminal,
            settings: None,
            went_on: false,
            prompt_waits: None,
        }
    }

    /// The signal that `signal` stands for: a child that wants the terminal may stop itself with SIGSTOP.
    pub(super) fn meant(&mut self, signal: i32) -> i32 {
        self.taking.over_at = None;
        let wants = signal == libc::SIGTTIN
            || signal == libc::SIGTTOU
            || signal == libc::SIGSTOP && !self.is_lent() && tree::catches(self.pid, libc::SIGTTOU);
        if wants {
            self.taking.lent = false;
        }
        // top, for one, catches SIGTTOU, restores the settings, and stops itself with SIGSTOP.
        if wants && signal == libc::SIGSTOP {
            return libc::SIGTTOU;
        }
        signal
    }

    /// Whether the child would not have been stopped without us: the system discards such a stop for an orphaned
    /// process group, which no process could continue. No if the child wants a terminal that exists: it would stop
    /// again and again.
    pub(super) fn would_be_discarded(&self, signal: i32) -> bool {
        let wants = signal == libc::SIGTTIN || signal == libc::SIGTTOU;
        (signal == libc::SIGTSTP || wants && !has_terminal())
            && !self.is_lent()
            && tree::is_orphaned()
    }

    /// Answers a question to the terminal; the child reads the answer where it wrote the question. A lent terminal
    /// answers by itself.
    pub(super) fn answer(&self, question: Question, stream: Stream, outputs: &Outputs<'_>) {
        if !self.taking.lent && !self.is_lent() {
            let answer = question.answer(pty::size());
            type_in(outputs, stream, answer.as_bytes());
        }
    }

    /// The place in `buffer` of a question at its end that must be held back: with ICANON set on the pseudo-terminal,
    /// the child cannot read our answer. It probably reads from the real terminal, as bash does, and then the question
    /// must go there.
    pub(super) fn holds_question(
        &self,
        buffer: &[u8],
        stream: Stream,
        outputs: &Outputs<'_>,
    ) -> Option<usize> {
        let at = question_at_end(buffer)?;
        let settings = outputs.end(stream).and_then(|end| tcgetattr(end).ok())?;
        let by_lines = settings.local_modes.contains(LocalModes::ICANON);
        (by_lines && !self.taking.lent && !self.is_lent()).then_some(at)
    }

    /// The child took the screen or the keyboard: the run is asked to lend it the terminal.
    pub(super) fn take(&mut self) {
        self.taking.over_at = None;
        if self.may_want() {
            self.taking.lent = true;
            let lendable = self.is_lendable();
            (self.notify)(Notice::TookScreen { lendable });
        }
    }

    /// The child is about to read keys. It must have the terminal before the user sees its prompt: an interactive bash
    /// in the background is not stopped by the first key, it ends. Says whether the output must wait for the lending.
    pub(super) fn take_keys(&mut self) -> bool {
        let wants = self.may_want();
        if wants {
            let lendable = self.is_lendable();
            self.prompt_waits = lendable.then(|| Instant::now() + PROMPT);
            (self.notify)(Notice::TookScreen { lendable });
        }
        wants && self.prompt_waits.is_some()
    }

    /// Whether the child's output is not read for now.
    pub(super) fn prompt_waits(&self) -> bool {
        self.prompt_waits.is_some()
    }

    /// The child has the terminal, or will not get it soon: its prompt may be seen.
    pub(super) fn show_prompt(&mut self, outputs: &mut Outputs<'_>) {
        self.prompt_waits = None;
        outputs.let_go();
    }

    /// Whether there is a terminal that the child may want and does not have yet.
    fn may_want(&self) -> bool {
        !self.taking.lent && !self.is_lent() && self.on_screen && has_terminal()
    }

    pub(super) fn is_lendable(&self) -> bool {
        match &self.terminal {
            Some(terminal) => terminal.is_lendable(self.pid),
            None => is_lendable(self.pid),
        }
    }

    /// When to check the terminals again if no event comes.
    pub(super) fn look_at(
        &self,
        now: Instant,
        process: &Process,
        outputs: &Outputs<'_>,
    ) -> Option<Instant> {
        let mut open = masters(&self.ptys, outputs);
        // Once the child is gone it is lent nothing.
        let others = if self.is_lent() {
            0
        } else {
            u32::try_from(reap::children().saturating_sub(1)).unwrap_or(u32::MAX)
        };
        let look = LOOK + FOR_EACH_OTHER.saturating_mul(others);
        let look = (!process.is_gone() && open.next().is_some()).then(|| now + look);
        let reads = self.taking.reads_since.map(|since| since + ASKED);
        let reads = reads.filter(|_| !self.taking.lent);
        [
            look,
            reads,
            self.taking.over_at,
            self.prompt_waits,
            self.keyboard.look_at(),
            self.lending.look_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Checks the pseudo-terminals and the lent terminal. No event reports the settings that the child makes on its
    /// output, which are meant for the keyboard, nor a new size of the terminal while the child has it.
    pub(super) fn look_after_terminals(&mut self, process: &Process, outputs: &mut Outputs<'_>) {
        let now = Instant::now();
        if self.prompt_waits.is_some_and(|until| until <= now) {
            self.show_prompt(outputs);
        }
        self.see_to_lending(process, outputs);
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let (Some(pty), Some(master)) =
                (&mut self.ptys[stream as usize], outputs.end(stream))
                && let Ok(settings) = tcgetattr(master)
                && !same(&settings, &pty.seen)
            {
                pty.seen = settings;
                pty.set_up = false;
            }
        }
        let reads = self.ptys.iter().flatten().any(Pty::reads_keys);
        if reads && self.prompt_waits.is_none() {
            outputs.let_go();
        }
        let uses = reads || self.has_screen();
        if !reads {
            self.taking.reads_since = None;
        } else if *self.taking.reads_since.get_or_insert(now) + ASKED <= now && !process.is_gone() {
            self.take();
        }
        if !reads || !self.is_lent() {
            self.keyboard = Keyboard::default();
        }
        if !self.is_lent() {
            return;
        }
        self.see_to_keys(now, outputs);
        if self.resize_ptys(outputs) {
            tree::signal_group(self.pid, libc::SIGWINCH);
        }
        if uses {
            self.taking.over_at = None;
            self.lend();
        } else if self.taking.lent && *self.taking.over_at.get_or_insert(now + LEFT) <= now {
            self.take_screen_back(now, process, outputs);
        }
    }

    /// Lends the terminal with the settings that the child wants. If the child has it already, makes new settings on
    /// it.
    pub(super) fn lend(&mut self) -> bool {
        let Some(terminal) = &mut self.terminal else {
            return false;
        };
        let lent = terminal.lend(self.pid, &mut self.settings);
        let changed = self.ptys.iter_mut().flatten().filter(|pty| !pty.set_up);
        for pty in changed.filter(|_| lent) {
            terminal.set_up_as(&pty.original, &pty.seen);
            pty.set_up = true;
        }
        lent
    }

    /// Whether the child uses the terminal in a way that the next report does not end.
    pub(super) fn uses_terminal(&self) -> bool {
        self.ptys
            .iter()
            .flatten()
            .any(|pty| pty.scanner.will_leave() || self.taking.lent && pty.reads_keys())
    }

    /// Gives the pseudo-terminals the size of our terminal. Says whether any had another size.
    pub(super) fn resize_ptys(&self, outputs: &Outputs<'_>) -> bool {
        masters(&self.ptys, outputs)
            .filter(|master| pty::resize(master))
            .count()
            > 0
    }

    /// Forgets the child's screen and keyboard: the terminal was taken back from it.
    pub(super) fn forget_screen(&mut self) {
        self.taking = Taking::default();
        for pty in self.ptys.iter_mut().flatten() {
            pty.scanner.taken_back();
            pty.set_up = same(&pty.seen, &pty.original);
        }
    }

    /// Takes the terminal back from a child that has left the screen and reads no keys any more.
    fn take_screen_back(&mut self, now: Instant, process: &Process, outputs: &Outputs<'_>) {
        if self.use_of_terminal(process, outputs) == Use::Waiting {
            self.taking.over_at = Some(now + LEFT);
            return;
        }
        self.forget_screen();
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back_for_good(self.pid);
        }
        self.give_back();
    }

    /// Takes the terminal back because everything is about to stop.
    pub(super) fn take_back_to_stop(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            self.settings = terminal
                .take_back_to_stop(self.pid)
                .or(self.settings.take());
            self.give_back();
        }
    }

    pub(super) fn give_back(&mut self) {
        self.return_terminal(false);
    }

    /// Gives the run a terminal that could not be lent.
    pub(super) fn refuse(&mut self) {
        self.return_terminal(true);
    }

    fn return_terminal(&mut self, refused: bool) {
        if let Some(terminal) = self.terminal.take() {
            (self.notify)(Notice::Returned { terminal, refused });
        }
    }

    /// Keeps the settings that the child had, for the next lending.
    pub(super) fn keep_settings(&mut self, settings: Option<Termios>) {
        self.settings = settings.or(self.settings.take());
    }

    /// Whether the child has the whole screen.
    pub(super) fn has_screen(&self) -> bool {
        self.ptys
            .iter()
            .flatten()
            .any(|pty| pty.scanner.has_screen())
    }

    pub(super) fn is_lent(&self) -> bool {
        self.terminal.as_ref().is_some_and(Terminal::is_lent)
    }
}

/// Our ends of the outputs that are pseudo-terminals.
fn masters<'b>(
    ptys: &'b [Option<Pty>; 2],
    outputs: &'b Outputs<'_>,
) -> impl Iterator<Item = &'b OwnedFd> {
    let streams = [Stream::Stdout, Stream::Stderr].into_iter();
    streams.filter_map(|stream| ptys[stream as usize].as_ref().and(outputs.end(stream)))
}

/// Types `keys` into the pseudo-terminal of `stream`. They are lost if the child does not read and its queue is full.
pub(super) fn type_in(outputs: &Outputs<'_>, stream: Stream, keys: &[u8]) {
    if let Some(master) = outputs.end(stream) {
        let _ = rustix::io::write(master, keys);
    }
}
