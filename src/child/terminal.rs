//! The controlling terminal, lent to a child while it wants it.
//!
//! A child's group is in the background, so that Ctrl-C reaches us alone. The kernel stops a child that then reads from
//! the terminal or changes its settings (SIGTTIN, SIGTTOU); its group is made the foreground group and continued, and
//! has keyboard, Ctrl-C and Ctrl-Z to itself. The calling thread must have SIGTTOU blocked.
//!
//! A run has one [`Terminal`] that can be lent, as a value that is moved. Only the worker that holds it can lend it to
//! its child; other code only asks. When it is lent is not decided here.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::ioctl_fionread;
use rustix::process::Pid;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcsetattr, tcsetpgrp,
};

use crate::system::groups;

use super::tree;

/// The controlling terminal, to be lent.
#[derive(Debug)]
pub(crate) struct Terminal {
    tty: OwnedFd,
    /// The settings before the first lending.
    settings: Option<Termios>,
    lent: bool,
    /// Whether the real terminal currently has the settings copied from the child's pseudo-terminal.
    copied: bool,
}

/// Whether we have a controlling terminal.
#[must_use]
pub(crate) fn has_terminal() -> bool {
    Terminal::open().is_some()
}

/// Whether the terminal is ours to lend, or the child's already.
pub(super) fn is_lendable(leader: Pid) -> bool {
    Terminal::open().is_some_and(|terminal| terminal.is_lendable(leader))
}

/// Whether we are in the foreground, and no other process of our group may need the terminal: while the child has it,
/// such a process is in the background, and stopped when it reads. In a pipeline that process may be started after us,
/// so a pipe or socket as our stdin or stdout counts, too.
#[must_use]
pub(crate) fn is_ours_alone() -> bool {
    let is_pipe = |stream: BorrowedFd<'_>| {
        fstat(stream).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            matches!(kind, FileType::Fifo | FileType::Socket)
        })
    };
    !is_pipe(stdin())
        && !is_pipe(stdout())
        && Terminal::open().is_some_and(|terminal| terminal.has_us())
        && !tree::has_companions()
}

/// Whether the child's group is the foreground group.
pub(super) fn has_child(leader: Pid) -> bool {
    Terminal::open().is_some_and(|terminal| terminal.has_child(leader))
}

/// The keys that a program may set, and the two numbers among them.
const CODES: [SpecialCodeIndex; 16] = [
    SpecialCodeIndex::VINTR,
    SpecialCodeIndex::VQUIT,
    SpecialCodeIndex::VERASE,
    SpecialCodeIndex::VKILL,
    SpecialCodeIndex::VEOF,
    SpecialCodeIndex::VTIME,
    SpecialCodeIndex::VMIN,
    SpecialCodeIndex::VSTART,
    SpecialCodeIndex::VSTOP,
    SpecialCodeIndex::VSUSP,
    SpecialCodeIndex::VEOL,
    SpecialCodeIndex::VEOL2,
    SpecialCodeIndex::VREPRINT,
    SpecialCodeIndex::VDISCARD,
    SpecialCodeIndex::VWERASE,
    SpecialCodeIndex::VLNEXT,
];

/// Whether these are the same settings of a terminal.
pub(super) fn same(one: &Termios, other: &Termios) -> bool {
    one.input_modes == other.input_modes
        && one.output_modes == other.output_modes
        && one.control_modes == other.control_modes
        && one.local_modes == other.local_modes
        && CODES
            .iter()
            .all(|code| one.special_codes[*code] == other.special_codes[*code])
}

impl Terminal {
    /// None where there is no controlling terminal.
    pub(crate) fn open() -> Option<Self> {
        // O_NONBLOCK: a read must not wait for a key that another process was faster to read.
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let tty = open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(Self {
            tty,
            settings: None,
            lent: false,
            copied: false,
        })
    }

    /// Whether we are in the foreground: only then is the terminal ours to lend.
    fn has_us(&self) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|foreground| groups::ours() == Some(foreground))
    }

    /// Whether it is ours to lend, or the child's already.
    pub(super) fn is_lendable(&self, leader: Pid) -> bool {
        self.has_us() || self.has_child(leader)
    }

    /// Makes the group of `leader` the foreground group, if the terminal is ours to lend, with the settings that the
    /// child had when the terminal was taken from it. Says whether the group has it now.
    pub(super) fn lend(&mut self, leader: Pid, childs: &mut Option<Termios>) -> bool {
        if !self.is_lendable(leader) {
            return false;
        }
        self.keep_settings();
        let lent = self.give(leader);
        if lent && let Some(settings) = childs.take() {
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &settings);
        }
        lent
    }

    /// The terminal for a child that has it from its start. None if it is not ours to lend.
    pub(crate) fn for_the_start() -> Option<Self> {
        let mut terminal = Self::open().filter(Self::has_us)?;
        terminal.keep_settings();
        Some(terminal)
    }

    /// Gives it to the group of `leader` again if it was lent and we have it all the same.
    pub(super) fn lend_again(&mut self, leader: Pid) {
        if self.lent && self.has_us() {
            self.give(leader);
        }
    }

    /// The child has it: it made its group the foreground group before it became the program.
    pub(super) fn was_taken(&mut self) {
        self.lent = true;
    }

    /// Takes it back when the child could not be started.
    pub(super) fn take_back_from_none(&self) {
        if let Some(us) = groups::ours() {
            let _ = tcsetpgrp(&self.tty, us);
        }
    }

    /// Makes `group` the foreground group. Says whether that succeeded.
    pub(super) fn give(&mut self, group: Pid) -> bool {
        if tcsetpgrp(&self.tty, group).is_err() {
            return false;
        }
        self.lent = true;
        true
    }

    /// Makes the changes here that the child made to its pseudo-terminal, from `original` to `now`. Settings that the
    /// child did not change there stay as they were here.
    pub(super) fn set_up_as(&mut self, original: &Termios, now: &Termios) {
        let Some(mut settings) = self.settings.clone() else {
            return;
        };
        if now.local_modes != original.local_modes {
            // `pty` switched ECHO off before the child. A child that changed any local mode has decided about ECHO,
            // too.
            let original = original.local_modes | LocalModes::ECHO;
            settings.local_modes ^= now.local_modes ^ original;
        }
        settings.input_modes ^= now.input_modes ^ original.input_modes;
        // Without OPOST the pseudo-terminal passes line ends on unchanged, but the real terminal must make CR LF of
        // them.
        settings.output_modes ^= (now.output_modes ^ original.output_modes) - OutputModes::OPOST;
        for code in [SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME] {
            settings.special_codes[code] = now.special_codes[code];
        }
        self.copied = tcsetattr(&self.tty, OptionalActions::Now, &settings).is_ok();
    }

    /// The descriptor to poll for key presses.
    pub(super) fn keys(&self) -> &OwnedFd {
        &self.tty
    }

    /// How many typed bytes can be read.
    pub(super) fn unread(&self) -> u64 {
        ioctl_fionread(&self.tty).unwrap_or(0)
    }

    /// Reads the typed keys instead of the child. That takes the foreground for a moment, or SIGTTIN would stop us.
    pub(super) fn read_keys(&self, leader: Pid, keys: &mut [u8]) -> usize {
        let (Ok(foreground), Some(us)) = (tcgetpgrp(&self.tty), groups::ours()) else {
            return 0;
        };
        if !self.has_child(leader) || tcsetpgrp(&self.tty, us).is_err() {
            return 0;
        }
        let read = rustix::io::read(&self.tty, keys);
        let _ = tcsetpgrp(&self.tty, foreground);
        read.unwrap_or(0)
    }

    /// Remembers the settings, once. In the background they may be those of a shell at its prompt.
    pub(crate) fn keep_settings(&mut self) {
        if self.settings.is_none() && self.has_us() {
            self.settings = tcgetattr(&self.tty).ok();
        }
    }

    /// Whether the terminal is set up to be read key by key (termios without ICANON).
    pub(super) fn reads_keys(&self) -> bool {
        self.is_without(LocalModes::ICANON)
    }

    /// Whether no key means a signal, Ctrl-C included (termios without ISIG): the program reads them all.
    pub(super) fn passes_all(&self) -> bool {
        self.is_without(LocalModes::ISIG)
    }

    fn is_without(&self, mode: LocalModes) -> bool {
        tcgetattr(&self.tty).is_ok_and(|settings| !settings.local_modes.contains(mode))
    }

    /// Whether the child has left the keyboard as it was (termios ICANON, ECHO and ISIG).
    pub(super) fn is_untouched(&self) -> bool {
        let keyboard = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let (Some(before), Ok(now)) = (&self.settings, tcgetattr(&self.tty)) else {
            return true;
        };
        (before.local_modes ^ now.local_modes)
            .intersection(keyboard)
            .is_empty()
    }

    /// Whether its settings are not those that were kept.
    pub(crate) fn is_changed(&self) -> bool {
        let now = tcgetattr(&self.tty).ok();
        let (Some(kept), Some(now)) = (&self.settings, &now) else {
            return self.settings.is_some();
        };
        !same(kept, now)
    }

    /// The foreground group.
    pub(super) fn foreground(&self) -> Option<Pid> {
        tcgetpgrp(&self.tty).ok()
    }

    /// Whether the foreground group is neither that of `leader` nor ours.
    pub(super) fn has_other(&self, leader: Pid) -> bool {
        let foreground = self.foreground();
        foreground != Some(leader) && foreground != groups::ours()
    }

    /// Whether the child has it.
    pub(super) fn is_lent(&self) -> bool {
        self.lent
    }

    /// Takes the terminal back from a child that is at work, which keeps its settings. But if no key means a signal in
    /// them, we would not see Ctrl-C: then ours are restored, and the child's are returned for the next lending.
    #[must_use]
    pub(super) fn take_back_from_work(&mut self, leader: Pid) -> Option<Termios> {
        if self.passes_all() {
            return self.take_back_to_stop(leader);
        }
        self.take_back(leader);
        None
    }

    /// Makes us the foreground group again.
    fn take_back(&mut self, leader: Pid) {
        if self.has_child(leader) {
            if let Some(us) = groups::ours() {
                let _ = tcsetpgrp(&self.tty, us);
            }
            // The pseudo-terminal keeps the settings that the child made there.
            if std::mem::take(&mut self.copied) {
                self.restore();
            }
        }
        self.lent = false;
    }

    /// Whether the foreground group is the child's, or one that a shell below it has made. No if a process above us
    /// took a terminal that was lent: a shell while we were stopped, or the progrun that runs us.
    pub(crate) fn has_child(&self, leader: Pid) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|foreground| {
            let is_below = || groups::ours() != Some(foreground) && !tree::is_above(foreground);
            foreground == leader || self.lent && is_below()
        })
    }

    /// Takes the terminal back from a stopped child, and restores the settings that the shell expects. Returns the
    /// settings that the child had: it gets them again with the next lending.
    #[must_use]
    pub(super) fn take_back_to_stop(&mut self, leader: Pid) -> Option<Termios> {
        let childs = self.has_child(leader).then(|| tcgetattr(&self.tty).ok());
        let copied = self.copied;
        self.take_back(leader);
        self.restore();
        self.copied = copied;
        childs.flatten()
    }

    /// Takes the terminal back from a child that no longer uses it, whatever settings it left. Says whether typed keys,
    /// Ctrl-C included, went to the child until now.
    pub(crate) fn take_back_for_good(&mut self, leader: Pid) -> bool {
        let had_keys = self.has_child(leader);
        self.take_back(leader);
        self.restore();
        had_keys && self.has_us()
    }

    fn restore(&self) {
        // If the terminal is not ours, another process has set it up by now.
        if let Some(settings) = self.settings.as_ref().filter(|_| self.has_us()) {
            let _ = tcsetattr(&self.tty, OptionalActions::Now, settings);
        }
    }
}
