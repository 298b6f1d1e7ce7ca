//! Writes the output of a run into files of bounded size: its beginning into one, the rest into pieces, of which only
//! the last two are there. Together they always have the last [`TAIL`] bytes.
//!
//! The sizes of the files say all that a reader has to know, so it can read them at any time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::io::fcntl_dupfd_cloexec;

use crate::reason::reason;

use super::PRIVATE;
use super::output::{HEAD, TAIL, head, piece};

/// The output of a run, being written.
#[derive(Debug)]
pub(super) struct Store {
    base: PathBuf,
    /// The file that is written to, and the bytes that it has room for. None: it could not be made.
    file: Option<File>,
    room: usize,
    /// The number of the piece that the file is; 0: the beginning.
    piece: u64,
    /// How many bytes could not be written since the last one that could, and why.
    missing: Option<(u64, io::Error)>,
    /// Why any could not be written.
    lost: Option<String>,
}

impl Store {
    /// An empty one.
    pub(super) fn new(base: &Path) -> io::Result<Self> {
        let file = create(&head(base))?;
        Ok(Self {
            base: base.to_owned(),
            // Away from the numbers that are the command's.
            file: Some(File::from(fcntl_dupfd_cloexec(file, 10)?)),
            room: HEAD,
            piece: 0,
            missing: None,
            lost: None,
        })
    }

    /// Appends what the run printed. What cannot be written is left out, and a line says so where it would be.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if let Some((missing, error)) = &self.missing {
            let line = format!(
                "\n[... {missing} bytes could not be kept: {} ...]\n",
                reason(error)
            );
            let (written, error) = self.write(line.as_bytes());
            if let Some(error) = error {
                // Half a line is better than none, and two are worse.
                if written == 0 {
                    return self.miss(bytes.len(), error);
                }
            }
            self.missing = None;
        }
        if let (written, Some(error)) = self.write(bytes) {
            self.miss(bytes.len() - written, error);
        }
    }

    fn miss(&mut self, bytes: usize, error: io::Error) {
        self.lost.get_or_insert_with(|| reason(&error));
        let before = self.missing.take().map_or(0, |(missing, _)| missing);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.missing = Some((before + bytes, error));
    }

    /// Why some of the output is not there, if that is so.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.clone()
    }

    /// How much of it is written, and what kept the rest.
    fn write(&mut self, bytes: &[u8]) -> (usize, Option<io::Error>) {
        let mut written = 0;
        while written < bytes.len() {
            match self.write_some(&bytes[written..]) {
                Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (written, Some(error)),
            }
        }
        (written, None)
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            self.file = None;
            self.piece += 1;
            self.room = TAIL;
            if let Some(oldest) = self.piece.checked_sub(2).filter(|oldest| *oldest > 0) {
                let _ = fs::remove_file(piece(&self.base, oldest));
            }
        }
        let file = match &mut self.file {
            Some(file) => file,
            missing => missing.insert(create(&piece(&self.base, self.piece))?),
        };
        let count = file.write(&bytes[..bytes.len().min(self.room)])?;
        self.room -= count;
        Ok(count)
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(PRIVATE).open(path)
}
