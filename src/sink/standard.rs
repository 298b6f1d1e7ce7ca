//! What our stdout and stderr are: a terminal, a pipe, the same place. Knows nothing of what is written there.

use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};
use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

/// Whether stdout is the same terminal as stderr, where the bars are.
pub(super) fn is_same_terminal() -> bool {
    isatty(stdout()) && is_same_place()
}

/// Whether stdout and stderr go to the same place.
pub(super) fn is_same_place() -> bool {
    let (Ok(out), Ok(err)) = (fstat(stdout()), fstat(stderr())) else {
        return false;
    };
    // A terminal has several names.
    (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
        || isatty(stdout()) && out.st_rdev == err.st_rdev
}

/// Whether another program reads this, which may be writing to the terminal.
pub(super) fn is_pipe(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether a process reads this that may go away: it is a pipe or a socket.
pub(super) fn has_reader(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| {
        let kind = FileType::from_raw_mode(stat.st_mode);
        matches!(kind, FileType::Fifo | FileType::Socket)
    })
}
