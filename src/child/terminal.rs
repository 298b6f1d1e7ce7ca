//! The controlling terminal, lent to a child while it wants it.
//!
//! A child's group is in the background, so that Ctrl-C reaches us alone. A child that then reads from the terminal, or
//! changes its settings, is stopped (SIGTTIN, SIGTTOU); its group is made the foreground group and continued, and has all to
//! itself: keyboard, Ctrl-C and Ctrl-Z. The thread that calls this must have SIGTTOU blocked.
//!
//! [`Terminal`] is a value that exists once in a run. Only the worker that holds it can lend it to its child; anything else only
//! asks.

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
    /// As they were before the first lending.
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

/// Whether the terminal is ours, and needed by no other process of our group: such a one would be in the background while the
/// child has it, and stopped when it reads there. It may be started after us; but then we are part of a pipeline.
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

impl Terminal {
    /// None where there is no controlling terminal.
    pub(crate) fn open() -> Option<Self> {
        // A read never waits for a key that another process was faster to read.
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

    /// Makes the group of `leader` the foreground group, if that is ours to do, with the settings that the child had when the
    /// terminal was taken from it. Says whether it is now.
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

    /// For a command that is to have the terminal from its first moment on: none where it is not ours to lend.
    pub(crate) fn for_the_start() -> Option<Self> {
        let mut terminal = Self::open().filter(Self::has_us)?;
        terminal.keep_settings();
        Some(terminal)
    }

    /// Gives it to the group of `leader` again if we have it though it was lent.
    pub(super) fn lend_again(&mut self, leader: Pid) {
        if self.lent && self.has_us() {
            self.give(leader);
        }
    }

    /// The child has it: it took it between fork and exec.
    pub(super) fn was_taken(&mut self) {
        self.lent = true;
    }

    /// Takes it back from a child that could not be started.
    pub(super) fn take_back_from_none(&self) {
        if let Some(us) = groups::ours() {
            let _ = tcsetpgrp(&self.tty, us);
        }
    }

    /// Makes `group` the foreground group. Says whether it is now.
    pub(super) fn give(&mut self, group: Pid) -> bool {
        if tcsetpgrp(&self.tty, group).is_err() {
            return false;
        }
        self.lent = true;
        true
    }

    /// Sets up the terminal as the child has set up another one, which was `original` and is `now`. What it has not
    /// touched there stays as it was here.
    pub(super) fn set_up_as(&mut self, original: &Termios, now: &Termios) {
        let Some(mut settings) = self.settings.clone() else {
            return;
        };
        if now.local_modes != original.local_modes {
            // The other one began without it; a child that set up anything has decided about it.
            let original = original.local_modes | LocalModes::ECHO;
            settings.local_modes ^= now.local_modes ^ original;
        }
        settings.input_modes ^= now.input_modes ^ original.input_modes;
        // Line ends were left alone there, and have to be made here.
        settings.output_modes ^= (now.output_modes ^ original.output_modes) - OutputModes::OPOST;
        for code in [SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME] {
            settings.special_codes[code] = now.special_codes[code];
        }
        self.copied = tcsetattr(&self.tty, OptionalActions::Now, &settings).is_ok();
    }

    /// What tells of keys.
    pub(super) fn keys(&self) -> &OwnedFd {
        &self.tty
    }

    /// How much is typed and not read yet.
    pub(super) fn unread(&self) -> u64 {
        ioctl_fionread(&self.tty).unwrap_or(0)
    }

    /// Reads the typed keys in the child's place. That takes the foreground for a moment, or SIGTTIN would stop us.
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

    /// Remembers how it is set up, once. In the background the settings may be those of a shell at its prompt.
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

    /// Whether the child has left the keyboard as it was.
    pub(super) fn is_untouched(&self) -> bool {
        let keyboard = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        let (Some(before), Ok(now)) = (&self.settings, tcgetattr(&self.tty)) else {
            return true;
        };
        (before.local_modes ^ now.local_modes)
            .intersection(keyboard)
            .is_empty()
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

    /// Makes us the foreground group again. The child keeps the settings that it made, for it goes on; but with those in
    /// which Ctrl-C is a key like others we would not hear it, and the child has them again with the next lending.
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
            // They are kept where the child made them.
            if std::mem::take(&mut self.copied) {
                self.restore();
            }
        }
        self.lent = false;
    }

    /// Whether the foreground group is the child's, or one that a shell below it has made. Of a terminal that was lent
    /// the answer is no if a process above us took it: a shell while we were stopped, or the progrun that runs us.
    pub(crate) fn has_child(&self, leader: Pid) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|foreground| {
            let is_below = || groups::ours() != Some(foreground) && !tree::is_above(foreground);
            foreground == leader || self.lent && is_below()
        })
    }

    /// Takes the terminal back from a child that Ctrl-Z has stopped, with the settings that the shell expects. Gives the
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

    /// Takes the terminal back from a child that is gone, whatever it left behind. Says whether what was typed went there
    /// instead of to our group.
    pub(crate) fn take_back_for_good(&mut self, leader: Pid) -> bool {
        let had_keys = self.has_child(leader);
        self.take_back(leader);
        self.restore();
        had_keys && self.has_us()
    }

    fn restore(&self) {
        // If the terminal is not ours, its settings are another process's business by now.
        if let Some(settings) = self.settings.as_ref().filter(|_| self.has_us()) {
            let _ = tcsetattr(&self.tty, OptionalActions::Now, settings);
        }
    }
}
