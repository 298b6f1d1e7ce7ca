//! The kind of our stdout and stderr: a terminal, a pipe, the same place. Knows nothing of the text that is written
//! there.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, OFlags, SeekFrom, fcntl_getfl, fstat, seek};
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

/// A regular file that the children write to as well: its last byte tells whether one has left a line open there.
#[derive(Debug)]
pub(super) struct SharedFile {
    written: OwnedFd,
    read: File,
}

impl SharedFile {
    /// The file behind this descriptor, which may be open for writing only; none if it is no regular file, or one that
    /// we must not read.
    pub(super) fn new(written: OwnedFd) -> Option<Self> {
        let stat = fstat(&written).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        let read = File::open(format!("/dev/fd/{}", written.as_raw_fd())).ok()?;
        Some(Self { written, read })
    }

    /// Whether the text before the next write ends in the middle of a line.
    pub(super) fn has_open_line(&self) -> bool {
        self.last_byte().is_some_and(|byte| byte != b'\n')
    }

    fn last_byte(&self) -> Option<u8> {
        let flags = fcntl_getfl(&self.written).ok()?;
        let end = if flags.contains(OFlags::APPEND) {
            self.read.metadata().ok()?.len()
        } else {
            seek(&self.written, SeekFrom::Current(0)).ok()?
        };
        let mut byte = [0];
        self.read
            .read_exact_at(&mut byte, end.checked_sub(1)?)
            .ok()?;
        Some(byte[0])
    }
}

/// Whether this is a pipe or a socket, so that its reader may go away.
pub(super) fn has_reader(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| {
        let kind = FileType::from_raw_mode(stat.st_mode);
        matches!(kind, FileType::Fifo | FileType::Socket)
    })
}
