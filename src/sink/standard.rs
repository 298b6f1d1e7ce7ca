//! The kind of our stdout and stderr: a terminal, a pipe, the same place. Knows nothing of the text that is written
//! there.

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

/// Whether this is a pipe, so that its reader may be writing to the terminal.
pub(super) fn is_pipe(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether this is a pipe or a socket, so that its reader may go away.
pub(super) fn has_reader(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| {
        let kind = FileType::from_raw_mode(stat.st_mode);
        matches!(kind, FileType::Fifo | FileType::Socket)
    })
}
