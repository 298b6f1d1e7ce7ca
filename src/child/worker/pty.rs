//! What the worker does for a child whose output is a pseudo-terminal: be its terminal, or see that the real one is.
//!
//! A program that takes the whole screen or waits for keys is lent the terminal like one that wants to read from it. What
//! it changes on its pseudo-terminal is then changed on the real one, for programs set up the keyboard by way of their
//! output; `keys.rs` sees to where it reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, Termios, tcgetattr};

use crate::event::Stream;
use crate::model::verdict::Verdicts;

use super::super::terminal::Terminal;
use super::super::{Notice, pty, tree};
use super::Worker;
use super::keyboard::Keys;
use super::lending::Use;
use crate::vt::requests::{RequestScanner, TerminalRequest, question_at_end};

/// How often we look at what no event tells of: settings that the child makes, and the size of a lent terminal.
const LOOK: Duration = Duration::from_millis(200);
/// How long a program has left the screen before it is taken for gone: one that Ctrl-Z stops leaves it first, and one
/// that starts another comes back to it at once.
const LEFT: Duration = Duration::from_millis(150);

/// How long the keyboard is set up for more than the answer to a question to the terminal.
const ASKED: Duration = Duration::from_millis(50);

/// A stream that is a terminal for the child.
#[derive(Debug)]
pub(super) struct Pty {
    scanner: RequestScanner,
    /// Its settings before the child changed them.
    original: Termios,
    /// Its settings as they were last seen.
    seen: Termios,
    /// Whether the real terminal was last set up like that.
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

    /// Whether the child has set up the keyboard so that it gets each key at once.
    pub(super) fn reads_keys(&self) -> bool {
        !self.seen.local_modes.contains(LocalModes::ICANON)
    }
}

/// The lending of the terminal to a child that took the screen or the keyboard, and was not stopped for wanting it.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Since when the child reads key by key from a terminal of ours.
    reads_since: Option<Instant>,
    /// Whether the terminal is wanted, or lent, for that.
    pub(super) lent: bool,
    /// When the terminal is taken back from a child that has left the screen.
    over_at: Option<Instant>,
}

impl Worker<'_> {
    /// The controlling terminal, if there is one.
    pub(super) fn terminal(&mut self) -> Option<&mut Terminal> {
        if self.terminal.is_none() {
            self.terminal = Terminal::open();
        }
        self.terminal.as_mut()
    }

    /// Before a child that ignores the stops of the terminal can have changed them.
    pub(super) fn keep_settings(&mut self) {
        if self.ptys.iter().any(Option::is_some)
            && let Some(terminal) = self.terminal()
        {
            terminal.keep_settings();
        }
    }

    /// What the child was stopped for by `signal`. It goes on with what it wants itself.
    pub(super) fn meant(&mut self, signal: i32) -> i32 {
        self.taking.over_at = None;
        let wants = signal == libc::SIGTTIN
            || signal == libc::SIGTTOU
            || signal == libc::SIGSTOP && !self.is_lent() && tree::catches(self.pid, libc::SIGTTOU);
        if wants {
            self.taking.lent = false;
        }
        // top, for one, restores the settings when it is stopped for wanting the terminal, and then stops itself.
        if wants && signal == libc::SIGSTOP {
            return libc::SIGTTOU;
        }
        signal
    }

    /// Does what a terminal does about what is in the buffer. What is before the taking of the screen is handed on, for
    /// it belongs above the bars.
    pub(super) fn serve_pty(&mut self, stream: Stream, verdicts: &mut Verdicts) {
        let Some(pty) = &mut self.ptys[stream as usize] else {
            return;
        };
        let mut handed_on = 0;
        for request in pty.scanner.scan(&self.buffer) {
            match request {
                // The real terminal answers, and the child reads it there.
                TerminalRequest::Answer(_) if self.taking.lent || self.is_lent() => {}
                TerminalRequest::Answer(question) => {
                    let answer = question.answer(pty::size());
                    self.type_in(stream, answer.as_bytes());
                }
                TerminalRequest::Take(at) => {
                    let before: Vec<u8> = self.buffer.drain(..at - handed_on).collect();
                    let found = verdicts.split_to(at - handed_on);
                    handed_on = at;
                    if !before.is_empty() {
                        self.hand_on(stream, Arc::new(before), found);
                    }
                    self.take();
                }
                TerminalRequest::Keys => self.take_keys(),
            }
        }
        self.hold_question(stream);
    }

    /// Holds a question back with which the buffer ends, if whoever asked cannot read our answer as its terminal is set up
    /// now: as likely as not it will read from the real one, as bash does, and that one has to be asked then.
    fn hold_question(&mut self, stream: Stream) {
        let Some(at) = question_at_end(&self.buffer) else {
            return;
        };
        let master = self.outputs[stream as usize].as_ref();
        let settings = master.and_then(|master| tcgetattr(master).ok());
        let by_lines = |settings: Termios| settings.local_modes.contains(LocalModes::ICANON);
        if settings.is_some_and(by_lines) && !self.taking.lent && !self.is_lent() {
            self.held = Some((stream, self.buffer.split_off(at)));
        }
    }

    /// Hands on the question that is held.
    pub(super) fn let_question_go(&mut self) {
        if let Some((stream, question)) = self.held.take() {
            self.hand_on(stream, Arc::new(question), Verdicts::default());
        }
    }

    /// The child took the screen or the keyboard: it is to have the terminal.
    fn take(&mut self) {
        self.taking.over_at = None;
        if self.may_want() {
            self.taking.lent = true;
            let lendable = self.is_lendable();
            (self.notify)(Notice::TookScreen { lendable });
        }
    }

    /// The child is about to read keys. It has the terminal before its prompt is seen, for an interactive bash in the
    /// background is not stopped by the first key, but ends. It keeps it as if it had been stopped for it.
    fn take_keys(&mut self) {
        if self.may_want() {
            let lendable = self.is_lendable() && self.lend();
            self.lending.begin(Instant::now());
            (self.notify)(Notice::TookScreen { lendable });
        }
    }

    /// Whether the child can want a terminal that it does not have yet, and there is one.
    fn may_want(&mut self) -> bool {
        let wants = !self.taking.lent && !self.is_lent() && self.drain.is_none();
        wants && self.on_screen && self.terminal().is_some()
    }

    fn is_lendable(&mut self) -> bool {
        let leader = self.pid;
        self.terminal()
            .is_some_and(|terminal| terminal.is_lendable(leader))
    }

    /// What the child reads from a terminal of ours. One that does not read misses it.
    pub(super) fn type_in(&self, stream: Stream, keys: &[u8]) {
        if let Some(master) = &self.outputs[stream as usize] {
            let _ = rustix::io::write(master, keys);
        }
    }

    /// When to look after the terminals again if nothing happens.
    pub(super) fn look_at(&self, now: Instant) -> Option<Instant> {
        let ptys = self.ptys.iter().zip(&self.outputs);
        let mut open = ptys.filter_map(|(pty, master)| pty.as_ref().and(master.as_ref()));
        // Once the child is gone nobody is lent anything.
        let look = (self.drain.is_none() && open.next().is_some()).then(|| now + LOOK);
        let reads = self.taking.reads_since.map(|since| since + ASKED);
        let reads = reads.filter(|_| !self.taking.lent);
        [
            look,
            reads,
            self.taking.over_at,
            self.keys.look_at(),
            self.lending.look_at(),
            self.continued.look_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Looks after the child's terminals and the lent one: nobody tells us of settings that it makes on its output, which
    /// are for the keyboard, nor of a new size while it has the terminal.
    pub(super) fn look_after_terminals(&mut self) {
        let now = Instant::now();
        self.see_to_continued(now);
        self.see_to_lending();
        for (pty, master) in self.ptys.iter_mut().zip(&self.outputs) {
            if let (Some(pty), Some(master)) = (pty, master)
                && let Ok(settings) = tcgetattr(master)
                && !same(&settings, &pty.seen)
            {
                pty.seen = settings;
                pty.set_up = false;
            }
        }
        let reads = self.ptys.iter().flatten().any(Pty::reads_keys);
        if reads {
            self.let_question_go();
        }
        let uses = reads || self.has_screen();
        if !reads {
            self.taking.reads_since = None;
        } else if *self.taking.reads_since.get_or_insert(now) + ASKED <= now {
            self.take();
        }
        if !reads || !self.is_lent() {
            self.keys = Keys::default();
        }
        if !self.is_lent() {
            return;
        }
        self.see_to_keys(now);
        if self.resize_ptys() {
            tree::signal_group(self.pid, libc::SIGWINCH);
        }
        if uses {
            self.taking.over_at = None;
            self.lend();
        } else if self.taking.lent && *self.taking.over_at.get_or_insert(now + LEFT) <= now {
            self.take_screen_back(now);
        }
    }

    /// Lends the terminal in the way that the child needs it, also if it has it already.
    pub(super) fn lend(&mut self) -> bool {
        let pid = self.pid;
        if self.terminal().is_none() {
            return false;
        }
        let Some(terminal) = &mut self.terminal else {
            return false;
        };
        let lent = terminal.lend(pid);
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

    /// Gives the child's terminals the size of ours. Whether any had another one.
    pub(super) fn resize_ptys(&self) -> bool {
        let ptys = self.ptys.iter().zip(&self.outputs);
        ptys.filter_map(|(pty, master)| pty.as_ref().and(master.as_ref()))
            .filter(|master| pty::resize(master))
            .count()
            > 0
    }

    /// The terminal was taken back from the child, whatever it had of it.
    pub(super) fn forget_screen(&mut self) {
        self.taking = Taking::default();
        for pty in self.ptys.iter_mut().flatten() {
            pty.scanner.taken_back();
            pty.set_up = same(&pty.seen, &pty.original);
        }
    }

    /// The child has left the screen, and does not read keys any more.
    fn take_screen_back(&mut self, now: Instant) {
        if self.use_of_terminal() == Use::Waiting {
            self.taking.over_at = Some(now + LEFT);
            return;
        }
        self.forget_screen();
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back_for_good(self.pid);
        }
        (self.notify)(Notice::TakenBack);
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

/// Whether nobody changed anything.
fn same(one: &Termios, other: &Termios) -> bool {
    one.input_modes == other.input_modes
        && one.output_modes == other.output_modes
        && one.local_modes == other.local_modes
        && format!("{:?}", one.special_codes) == format!("{:?}", other.special_codes)
}
