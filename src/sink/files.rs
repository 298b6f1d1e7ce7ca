//! The files that a run writes to: those that the user names, and those without a name that hidden output waits in.
//!
//! Two independent writers to one file overwrite each other. So a name that means a descriptor of ours is taken for
//! that descriptor, and a file is emptied only once it is known that no other option writes there. Knows nothing of the
//! text.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::fs::{Dev, FileType, fstat, ftruncate};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::{stderr, stdout};

use crate::client;
use crate::reason::reason_at;

/// The mode of a file that is made here: its user reads and writes it.
pub(super) const PRIVATE: u32 = 0o600;

/// The name for our stdout.
pub(crate) const STDOUT: &str = "/dev/stdout";

/// A file that waits for its reader, a FIFO, has waited in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoReader;

impl std::fmt::Display for NoReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no process has opened it for reading within the time limit")
    }
}

impl std::error::Error for NoReader {}

/// Files that are open.
pub(super) struct Opened {
    pub(super) files: [Option<OwnedFd>; 3],
    /// How long they waited for readers.
    pub(super) waited: Duration,
}

/// A writer of a file.
struct Writer {
    name: &'static str,
    /// Which regular file it is; none for any other kind, which can be shared.
    file: Option<(Dev, u64)>,
    /// The file was opened for this writer alone, which has a position of its own there.
    alone: bool,
}

/// Opens the files that these options name, and empties them. None is waited for longer than `patience`. The job log is
/// open already.
///
/// # Errors
/// If one cannot be opened or waited for any longer, or is the file of another option or of our own stdout or stderr.
pub(super) fn open(
    wanted: [(&'static str, Option<&Path>); 3],
    job_log: Option<&File>,
    patience: Option<Duration>,
) -> anyhow::Result<Opened> {
    let mut spent = Duration::ZERO;
    let mut writers = vec![
        Writer::new("stdout", stdout(), false),
        Writer::new("stderr", stderr(), false),
    ];
    if let Some(file) = job_log {
        let writer = Writer::new("--job-log", file, true);
        writer.is_alone(&writers)?;
        writers.push(writer);
    }
    let before = writers.len();
    let mut files = [None, None, None];
    for (place, (option, path)) in files.iter_mut().zip(wanted) {
        let Some(path) = path else {
            continue;
        };
        let inherited = inherited(path);
        let alone = inherited.is_none();
        let left = patience.map(|patience| patience.saturating_sub(spent));
        let file = inherited
            .map_or_else(|| create(path, left, &mut spent), Ok)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let writer = Writer::new(option, &file, alone);
        writer.is_alone(&writers)?;
        writers.push(writer);
        *place = Some(file);
    }
    for (writer, file) in writers[before..].iter().zip(files.iter().flatten()) {
        if writer.alone && writer.file.is_some() {
            ftruncate(file, 0).with_context(|| format!("cannot empty the {} file", writer.name))?;
        }
    }
    Ok(Opened {
        files,
        waited: spent,
    })
}

impl Writer {
    fn new(name: &'static str, file: impl AsFd, alone: bool) -> Self {
        let stat = fstat(file).ok();
        let regular = stat
            .filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
            .map(|stat| (stat.st_dev, stat.st_ino));
        Self {
            name,
            file: regular,
            alone,
        }
    }

    fn is_alone(&self, others: &[Self]) -> anyhow::Result<()> {
        if let Some(other) = others.iter().find(|other| self.spoils(other)) {
            bail!(
                "{} and {} write to the same file; give each its own",
                self.name,
                other.name
            );
        }
        Ok(())
    }

    /// Whether the two would write over each other's text.
    fn spoils(&self, other: &Self) -> bool {
        self.file.is_some() && self.file == other.file && (self.alone || other.alone)
    }
}

/// A copy of the descriptor that a path like `/dev/stdout` or `/dev/fd/5` means. Opened anew, a file would be written
/// from its beginning, over the text that is there.
fn inherited(path: &Path) -> Option<OwnedFd> {
    let number = match path.to_str()? {
        STDOUT => "1",
        "/dev/stderr" => "2",
        path => ["/dev/fd/", "/proc/self/fd/"]
            .iter()
            .find_map(|folder| path.strip_prefix(folder))?,
    };
    // Where the system does not give it, it is opened anew, for append: at least nothing is overwritten.
    client::inherited(number.parse().ok()?)
}

/// Opens a file, to append to it: if another program empties a log meanwhile, as logrotate's copytruncate does, the log
/// would else begin with a hole of NUL bytes. A new file is for its user alone, for it holds the output of the command,
/// and its arguments; a file that exists keeps its mode.
fn create(
    path: &Path,
    patience: Option<Duration>,
    spent: &mut Duration,
) -> anyhow::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(PRIVATE);
    // The name of a descriptor that is not open makes no file.
    let is_number = ["/dev/fd/", "/proc/self/fd/"];
    options.create(!is_number.iter().any(|folder| path.starts_with(folder)));
    if !std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return match options.open(path) {
            Ok(file) => Ok(file.into()),
            // As a sentence, because the error alone does not name the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!(reason_at(path, &error))
            }
            Err(error) => Err(error.into()),
        };
    }
    // open(2) returns for a FIFO only when it has a reader, for a serial line when the other end is there. It takes no
    // time limit, and poll(2) has no event for it: hence a thread.
    let before = Instant::now();
    let (sender, opened) = mpsc::channel();
    let path = path.to_owned();
    thread::Builder::new()
        .name("progrun-open".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || sender.send(options.open(path)))?;
    let opened = match patience {
        None => opened.recv().map_err(RecvTimeoutError::from),
        Some(patience) => opened.recv_timeout(patience),
    };
    *spent += before.elapsed();
    Ok(opened.map_err(|_| NoReader)??.into())
}

/// A copy of a descriptor away from the low numbers, which belong to the child's redirections.
pub(super) fn copy(descriptor: impl AsFd) -> anyhow::Result<OwnedFd> {
    match fcntl_dupfd_cloexec(descriptor, 10) {
        Err(Errno::INVAL | Errno::MFILE) => {
            bail!("the limit on open files is too low (ulimit -n)")
        }
        copy => copy.context("cannot duplicate a descriptor"),
    }
}

/// A file without a name, which is gone when we are, however we end. It is in memory if no folder has room for one.
pub(crate) fn unnamed() -> anyhow::Result<File> {
    let wanted = std::env::temp_dir();
    let usual = Path::new("/tmp");
    unnamed_in(&wanted)
        .or_else(|error| unnamed_in(usual).map_err(|_| error))
        .or_else(|error| in_memory().ok_or(error))
        .with_context(|| format!("cannot store the output in {} (TMPDIR)", wanted.display()))
}

fn unnamed_in(folder: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(file) = open(folder, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(file.into());
        }
    }
    // In a folder that others can write to, a name that they can guess could be taken by them.
    let name = RandomState::new().hash_one(std::process::id());
    let path = folder.join(format!("progrun-{name:016x}"));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn in_memory() -> Option<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let file = memfd_create("progrun", MemfdFlags::CLOEXEC).ok()?;
    Some(file.into())
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_log_is_not_emptied_as_the_file_of_another_option() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "record\n").unwrap();
        let log = File::options().append(true).open(&path).unwrap();
        let wanted = [
            ("--json", None),
            ("--log", Some(path.as_path())),
            ("--log-raw", None),
        ];
        let refused = open(wanted, Some(&log), None).err().unwrap();
        assert_eq!(
            refused.to_string(),
            "--log and --job-log write to the same file; give each its own"
        );
        assert_eq!(std::fs::read_to_string(path).unwrap(), "record\n");
    }
}
