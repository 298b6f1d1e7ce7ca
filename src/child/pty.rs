//! Makes a pseudo-terminal in the place of a pipe, so that the child believes its output goes to a terminal.
//!
//! It is not a controlling terminal: `/dev/tty`, job control and prompts stay with the real one. The kernel changes
//! nothing on the way (termios without OPOST), so the bytes are exactly the child's. Once our end is closed, the
//! child's write fails with EIO and without a signal, as on a terminal that hung up. What is read there is not known
//! here.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    Action, InputModes, LocalModes, OptionalActions, OutputModes, Termios, Winsize, tcflow,
    tcgetattr, tcgetsid, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::waiting::Tty;

/// The size of the VT100, for when none of our streams has a size.
const USUAL: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A new pseudo-terminal.
pub(super) struct Pty {
    /// Our end.
    pub(super) master: OwnedFd,
    /// The child's end.
    pub(super) slave: OwnedFd,
    /// Its settings before the child changed them.
    pub(super) settings: Termios,
}

/// Pseudo-terminals that no process has open any more, for further children: making one takes five times as long as
/// opening it again. They are as good as new. What is left of a child that had one has its number at most.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<(OwnedFd, Termios)>>);

impl Spares {
    /// Keeps a pseudo-terminal with these first settings. Its last slave was closed, and all of it was read (EIO).
    pub(super) fn keep(&self, master: OwnedFd, settings: Termios) {
        self.lock().push((master, settings));
    }

    /// One of them, if there is any.
    pub(super) fn take(&self) -> Option<Pty> {
        let (master, settings) = self.lock().pop()?;
        // It may still be the controlling terminal of a session.
        if tcgetsid(&master) != Err(Errno::NOTTY) {
            return None;
        }
        renew(master, settings).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(OwnedFd, Termios)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a pseudo-terminal again that another child has had, in its first state. Unread keys are discarded.
fn renew(master: OwnedFd, settings: Termios) -> io::Result<Pty> {
    let slave = open_slave(&master)?;
    // A stop of the output outlives the child: one by TCOOFF, and one by ^S, which ends when IXON is taken away.
    let mut running = settings.clone();
    running.input_modes.remove(InputModes::IXON);
    tcflow(&slave, Action::OOn)?;
    tcsetattr(&slave, OptionalActions::Flush, &running)?;
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    resize(&master);
    Ok(Pty {
        master,
        slave,
        settings,
    })
}

/// Makes a pseudo-terminal of the size of our terminal, with our end on a number of at least `lowest`.
pub(super) fn make(lowest: i32) -> io::Result<Pty> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    // A child that another worker starts just now would inherit it, and this child's terminal would never hang up.
    #[cfg(target_os = "linux")]
    let flags = flags | OpenptFlags::CLOEXEC;
    let opened = openpt(flags)?;
    let master = fcntl_dupfd_cloexec(&opened, lowest)?;
    drop(opened);
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = open_slave(&master)?;
    let mut settings = tcgetattr(&slave)?;
    settings.output_modes.remove(OutputModes::OPOST);
    // With ECHO, our answers to the child's questions would come back as output.
    settings.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    tcsetwinsize(&master, size())?;
    ioctl_fionbio(&master, true)?;
    Ok(Pty {
        master,
        slave,
        settings,
    })
}

/// The child's end, as a terminal at which a process may wait for keys.
pub(super) fn tty(master: impl AsFd) -> Option<Tty> {
    Tty::of(open_slave(master).ok()?)
}

fn open_slave(master: impl AsFd) -> io::Result<OwnedFd> {
    let name = ptsname(master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open(name, flags, Mode::empty())?)
}

/// The columns and rows of the terminal on which an agent's child is shown; none: it is ours.
static SHOWN_IN: Mutex<Option<(u16, u16)>> = Mutex::new(None);

/// The terminal on which the child is shown is on another machine, and has this size.
pub(crate) fn set_size(columns: u16, rows: u16) {
    let size = Some((columns, rows)).filter(|_| columns > 0 && rows > 0);
    *SHOWN_IN.lock().unwrap_or_else(PoisonError::into_inner) = size;
}

/// The size of our terminal.
pub(super) fn size() -> Winsize {
    let shown_in = *SHOWN_IN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((ws_col, ws_row)) = shown_in {
        return Winsize {
            ws_row,
            ws_col,
            ..USUAL
        };
    }
    [
        tcgetwinsize(stderr()),
        tcgetwinsize(stdout()),
        tcgetwinsize(stdin()),
    ]
    .into_iter()
    .flatten()
    .find(|size| size.ws_row > 0 && size.ws_col > 0)
    .unwrap_or(USUAL)
}

/// Gives a pseudo-terminal the size of our terminal. Says whether that changed it.
pub(super) fn resize(master: impl AsFd) -> bool {
    let size = size();
    let same = |now: Winsize| (now.ws_row, now.ws_col) == (size.ws_row, size.ws_col);
    tcgetwinsize(&master).is_ok_and(|now| !same(now)) && tcsetwinsize(&master, size).is_ok()
}
