//! Where a list is read from: a file, a pipe or our stdin. Does not know what is in it.

use std::fs::{File, FileType};
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom;

use crate::reason::reason;

/// A list that can be read.
#[derive(Debug)]
pub(super) struct Input {
    /// What messages call it.
    pub(super) name: String,
    source: Source,
    /// Where a regular file is read from; none: it is no regular file.
    start: Option<u64>,
}

#[derive(Debug)]
enum Source {
    Stdin,
    File(File),
    /// To be opened by the thread that reads it: that waits for a writer.
    Pipe(PathBuf),
}

/// What is open.
#[derive(Debug)]
pub(super) enum Open {
    Stdin,
    File(File),
}

impl Input {
    /// Our stdin, without a buffer of ours: what is not read stays there.
    ///
    /// # Errors
    /// If it is a terminal, with this remedy: no list can be expected there, and a wait for one would look like a hang.
    pub(super) fn stdin(remedy: &str) -> Result<Self, String> {
        if io::stdin().is_terminal() {
            return Err(format!(
                "the list is to come from stdin, which is a terminal: {remedy}"
            ));
        }
        let stdin = rustix::stdio::stdin();
        let is_regular = rustix::fs::fstat(stdin).is_ok_and(|stat| {
            rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
        });
        let start = rustix::fs::seek(stdin, SeekFrom::Current(0)).ok();
        Ok(Self {
            name: "stdin".to_owned(),
            source: Source::Stdin,
            start: start.filter(|_| is_regular),
        })
    }

    /// A file of any kind.
    ///
    /// # Errors
    /// A sentence, if it cannot be read.
    pub(super) fn file(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let refused = |error: io::Error| format!("cannot read the list {name}: {}", reason(&error));
        let kind = std::fs::metadata(path).map_err(refused)?.file_type();
        if kind.is_dir() {
            return Err(format!("cannot read the list {name}: it is a directory"));
        }
        let is_pipe = FileType::is_fifo(&kind);
        let source = if is_pipe {
            Source::Pipe(path.to_owned())
        } else {
            Source::File(File::open(path).map_err(refused)?)
        };
        Ok(Self {
            name,
            source,
            start: kind.is_file().then_some(0),
        })
    }

    /// Whether it is a regular file, which is all there.
    pub(super) fn is_regular(&self) -> bool {
        self.start.is_some()
    }

    /// The position where a regular file is read from.
    pub(super) fn start(&self) -> Option<u64> {
        self.start
    }

    /// Opens it, which can wait for the writer of a pipe.
    ///
    /// # Errors
    /// If the file is gone.
    pub(super) fn open(self) -> io::Result<Open> {
        match self.source {
            Source::Stdin => Ok(Open::Stdin),
            Source::File(file) => Ok(Open::File(file)),
            Source::Pipe(path) => File::open(path).map(Open::File),
        }
    }
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin => rustix::stdio::stdin(),
            Self::File(file) => file.as_fd(),
        }
    }
}

/// A named pipe, which is there as long as its folder.
#[cfg(test)]
pub(super) fn fifo() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    (folder, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_with_the_reason() {
        assert_eq!(
            Input::file(Path::new("/no/such/list")).unwrap_err(),
            "cannot read the list /no/such/list: no such file or directory"
        );
        assert_eq!(
            Input::file(Path::new("/")).unwrap_err(),
            "cannot read the list /: it is a directory"
        );
    }

    #[test]
    fn only_a_regular_file_has_all_its_values_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Input::file(file.path()).unwrap().is_regular());
        assert!(!Input::file(Path::new("/dev/null")).unwrap().is_regular());
    }
}
