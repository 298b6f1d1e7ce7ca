//! A pseudo-terminal in the place of a pipe: what the child believes to be the terminal that its output goes to.
//!
//! It is nobody's controlling terminal: `/dev/tty`, job control and questions stay with the real one. Nothing that is
//! written is changed on its way, so its bytes are exactly the child's. Closing our end is for the child an error when
//! it writes (EIO) and no signal: a terminal that went away, not a pipe that nobody reads.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr,
    tcsetwinsize,
};

use super::waiting::Place;

/// What every terminal once had, where ours does not say.
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
    /// Its settings before anybody changed them.
    pub(super) settings: Termios,
}

/// Makes one, of the size of our terminal, with our end on a number of at least `lowest`.
pub(super) fn make(lowest: i32) -> io::Result<Pty> {
    let opened = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    // Before there is anything to inherit: only Linux can open it close-on-exec.
    let master = fcntl_dupfd_cloexec(&opened, lowest)?;
    drop(opened);
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = open_slave(&master)?;
    let mut settings = tcgetattr(&slave)?;
    settings.output_modes.remove(OutputModes::OPOST);
    // Or our answers to its questions would come back as output.
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

/// What the child's end is for others.
pub(super) fn place(master: impl AsFd) -> Option<Place> {
    Place::of(open_slave(master).ok()?)
}

fn open_slave(master: impl AsFd) -> io::Result<OwnedFd> {
    let name = ptsname(master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open(name, flags, Mode::empty())?)
}

/// The size of our terminal.
pub(super) fn size() -> Winsize {
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

/// Gives a pseudo-terminal the size of ours. Whether it had another one.
pub(super) fn resize(master: impl AsFd) -> bool {
    let size = size();
    let same = |now: Winsize| (now.ws_row, now.ws_col) == (size.ws_row, size.ws_col);
    tcgetwinsize(&master).is_ok_and(|now| !same(now)) && tcsetwinsize(&master, size).is_ok()
}
