//! The files that a run writes to: those that the user names, and the one without a name that hidden output waits in.
//!
//! Two who write to one file without knowing of each other leave the text of neither whole. So a name that means a
//! descriptor of ours is taken for that descriptor, and a file is emptied only once it is known that nobody else of us
//! writes there. What is written is no concern of this file.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use rustix::fs::{Dev, FileType, fstat, ftruncate};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::stdio::{stderr, stdout};

use crate::client;

/// The mode of a file that is made here: its user reads and writes it.
const PRIVATE: u32 = 0o600;

/// A writer of a file.
struct Writer {
    name: &'static str,
    /// Which regular file it is; none for anything else, which can be shared.
    file: Option<(Dev, u64)>,
    /// Whether the file was opened for this writer alone, so that it has a position of its own there.
    alone: bool,
}

/// Opens the files that these options name, and empties them.
///
/// # Errors
/// If one cannot be opened, or is the file of another option or of our own stdout or stderr.
pub(super) fn open(
    wanted: [(&'static str, Option<&Path>); 2],
) -> anyhow::Result<[Option<OwnedFd>; 2]> {
    let mut writers = vec![
        Writer::new("stdout", stdout(), false),
        Writer::new("stderr", stderr(), false),
    ];
    let mut files = [None, None];
    for (place, (option, path)) in files.iter_mut().zip(wanted) {
        let Some(path) = path else {
            continue;
        };
        let inherited = inherited(path);
        let alone = inherited.is_none();
        let file = inherited
            .unwrap_or_else(|| Ok(create(path)?.into()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let writer = Writer::new(option, &file, alone);
        if let Some(other) = writers.iter().find(|other| writer.spoils(other)) {
            bail!(
                "{option} and {} write to the same file; each needs its own",
                other.name
            );
        }
        writers.push(writer);
        *place = Some(file);
    }
    for (writer, file) in writers[2..].iter().zip(files.iter().flatten()) {
        if writer.alone && writer.file.is_some() {
            ftruncate(file, 0)
                .with_context(|| format!("cannot empty the file of {}", writer.name))?;
        }
    }
    Ok(files)
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

    /// Whether the two would write over each other's text.
    fn spoils(&self, other: &Self) -> bool {
        self.file.is_some() && self.file == other.file && (self.alone || other.alone)
    }
}

/// A copy of the descriptor that a path like `/dev/stdout` or `/dev/fd/5` means. Opened anew, a file would be written
/// from its beginning whatever is there.
fn inherited(path: &Path) -> Option<io::Result<OwnedFd>> {
    let number = match path.to_str()? {
        "/dev/stdout" => "1",
        "/dev/stderr" => "2",
        path => ["/dev/fd/", "/proc/self/fd/"]
            .iter()
            .find_map(|folder| path.strip_prefix(folder))?,
    };
    let copied = client::inherited(number.parse().ok()?);
    // Where the system does not give it, nothing is overwritten at least.
    let anew = || Ok(OpenOptions::new().append(true).open(path)?.into());
    Some(copied.map_or_else(anew, Ok))
}

/// Everything is appended: a log that another program empties meanwhile, as logrotate's copytruncate does, would begin
/// with a hole of NUL bytes otherwise. What the command prints, and its arguments, are for no one but the user, unless the
/// file is there already with another mode.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(PRIVATE)
        .open(path)
}

/// A copy of a descriptor away from the low numbers, which belong to the child's redirections.
pub(super) fn copy(descriptor: impl AsFd) -> anyhow::Result<OwnedFd> {
    match fcntl_dupfd_cloexec(descriptor, 10) {
        Err(Errno::INVAL | Errno::MFILE) => {
            bail!("the limit of open files is too low (ulimit -n)")
        }
        copy => copy.context("cannot copy a descriptor"),
    }
}

/// A file without a name: it is gone with us, however we end. In memory where no folder has room for one.
pub(super) fn unnamed() -> anyhow::Result<File> {
    let wanted = std::env::temp_dir();
    let usual = Path::new("/tmp");
    unnamed_in(&wanted)
        .or_else(|error| unnamed_in(usual).map_err(|_| error))
        .or_else(|error| in_memory().ok_or(error))
        .with_context(|| format!("cannot keep the output in {} (TMPDIR)", wanted.display()))
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
