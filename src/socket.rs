//! The files of the runs' sockets: where a run makes its socket, and where the runs of a user are found.
//!
//! Each run listens on a socket in a folder that only its user can enter. The name of the file begins with the number
//! of the process, so a list of the folder is a list of the runs. There is no other register, and no daemon: a run that
//! is killed leaves a file at which no process listens, and the next look removes it. What is said over a connection is
//! not known here.

use std::fmt;
use std::fs::{DirBuilder, remove_dir};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstat, open, unlinkat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, geteuid, test_kill_process};

use crate::client;

/// Where a socket stays as long as its run, whatever becomes of the session.
const LASTING: &str = "/tmp";
/// How often the folder is made again when another run has removed it.
const ATTEMPTS: usize = 100;
/// What the name of a socket ends with that only takes the reports of a task.
const OF_A_TASK: &str = ".task";

/// What the names of the files begin with whose locks say which run draws on a terminal.
pub(crate) const LOCK: &str = "tty-";

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

/// What listens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The run itself: it can be found.
    Run,
    /// One of many tasks of a run, for its reports.
    Task,
}

/// The file of a [`Socket`], which exists as long as this value. A progrun that is killed leaves it behind. Then no
/// process listens there, a connection is refused, and the next run removes the file.
#[derive(Debug)]
pub(crate) struct SocketFiles {
    /// Held open: the file is removed from this folder, even if its path leads to another one by then.
    folder: OwnedFd,
    path: PathBuf,
}

/// A run that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The number of its process.
    pub(crate) pid: i32,
    /// Its socket.
    pub(crate) path: PathBuf,
}

impl Socket {
    /// Makes the socket in a folder that only we can enter. The descriptor is above the low numbers and above `number`,
    /// which belongs to the child.
    ///
    /// None if no folder is suitable: the run goes on without a socket.
    #[must_use]
    pub(crate) fn open(
        number: RawFd,
        purpose: Purpose,
        outlives_session: bool,
    ) -> Option<(Self, SocketFiles)> {
        let lowest = number.max(9) + 1;
        // At the last logout of a user, systemd removes what is in the other places (logind.conf(5), RemoveIPC).
        let lasting = Place::in_folder(LASTING);
        let lasting = outlives_session.then_some(lasting).into_iter();
        let mut places = lasting.chain(Place::for_us());
        let (listener, files) = places.find_map(|place| bind(&place, lowest, purpose).ok())?;
        listener.set_nonblocking(true).ok()?;
        let listener = fcntl_dupfd_cloexec(&listener, lowest).ok()?;
        if purpose == Purpose::Run {
            let _ = OURS.set(files.path.clone());
        }
        let socket = Self {
            listener: listener.into(),
            path: files.path.clone(),
        };
        Some((socket, files))
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The listening end.
    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

/// A folder in which a folder for sockets can be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The folder for the sockets of our user.
    folder: PathBuf,
}

impl Place {
    /// Where a run of ours makes its socket, best first. All of them are looked into by [`runs`], or a run would not be
    /// found: so the variable TMPDIR, which differs from terminal to terminal, does not count.
    fn for_us() -> impl Iterator<Item = Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        // A relative path would lead elsewhere for a child in another directory. After sudo the folder belongs to another
        // user, who could put another folder in the place of ours.
        let runtime = runtime.filter(|place| place.is_absolute() && is_ours(place));
        let runtime = runtime.map(|place| Self {
            folder: place.join("progrun"),
        });
        runtime.into_iter().chain(Self::of_all_users())
    }

    /// Where a run of ours may have made its socket: it may have been started without a session, or in another one.
    fn to_look_into() -> Vec<Self> {
        let us = geteuid().as_raw();
        let of_session = cfg!(target_os = "linux")
            .then(|| PathBuf::from(format!("/run/user/{us}")))
            .filter(|place| is_ours(place))
            .map(|place| Self {
                folder: place.join("progrun"),
            });
        let mut places: Vec<_> = Self::for_us().collect();
        places.extend(of_session.filter(|place| !places.contains(place)));
        places
    }

    /// In each of these only its owner can remove or rename a folder.
    fn of_all_users() -> impl Iterator<Item = Self> {
        // In memory: making and removing a directory on a disk costs more than all the rest of a short run.
        let in_memory = cfg!(target_os = "linux").then_some("/dev/shm");
        in_memory.into_iter().chain([LASTING]).map(Self::in_folder)
    }

    fn in_folder(folder: &str) -> Self {
        let us = geteuid().as_raw();
        Self {
            folder: Path::new(folder).join(format!("progrun-{us}")),
        }
    }
}

/// Whether only our user can change what is in a folder.
fn is_ours(place: &Path) -> bool {
    std::fs::symlink_metadata(place).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o022 == 0
    })
}

/// Makes a socket in this folder. A path that is too long for a socket is an error.
fn bind(place: &Place, lowest: RawFd, purpose: Purpose) -> io::Result<(UnixListener, SocketFiles)> {
    let name = format!(
        "{}-{:08x}{}",
        std::process::id(),
        // The upper half of a random number, so the name cannot be guessed.
        RandomState::new().hash_one(()) >> 32,
        match purpose {
            Purpose::Run => "",
            Purpose::Task => OF_A_TASK,
        }
    );
    let path = place.folder.join(&name);
    // The last run that ends removes the folder, perhaps between these calls.
    for _ in 0..ATTEMPTS {
        let made = DirBuilder::new().mode(0o700).create(&place.folder);
        let is_new = made.map(|()| true).or_else(|error| match error.kind() {
            ErrorKind::AlreadyExists => Ok(false),
            _ => Err(error),
        })?;
        let folder = match enter(&place.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => fcntl_dupfd_cloexec(opened?, lowest)?,
        };
        // Once per process: a run of many tasks makes many sockets here, and each of them would be looked at.
        if !is_new && !HAS_LOOKED.swap(true, Ordering::Relaxed) {
            remove_remains(&folder, &place.folder);
        }
        match UnixListener::bind(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            listener => {
                let files = SocketFiles { folder, path };
                return Ok((listener?, files));
            }
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// The path of the socket of our own run.
static OURS: OnceLock<PathBuf> = OnceLock::new();

/// The path of the socket of our own run, if it has one.
#[must_use]
pub(crate) fn ours() -> Option<&'static Path> {
    OURS.get().map(PathBuf::as_path)
}

/// Whether this process has removed what killed runs left in the folder.
static HAS_LOOKED: AtomicBool = AtomicBool::new(false);

/// Opens a folder, if it is one that only our user can enter.
fn enter(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(folder, flags, Mode::empty())?;
    let stat = fstat(&opened)?;
    if stat.st_uid != geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
        return Err(ErrorKind::PermissionDenied.into());
    }
    Ok(opened)
}

/// Removes the sockets of runs that were killed: their process is gone, and no process listens.
fn remove_remains(folder: &OwnedFd, path: &Path) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_lock = name.to_str().is_some_and(|name| name.starts_with(LOCK));
        if is_lock && let Some(_locked) = free_lock(&entry.path()) {
            // While the lock is held: a progrun that takes it in between would hold that of a file without a name.
            let _ = unlinkat(folder, &name, AtFlags::empty());
        }
        let is_gone = name
            .to_str()
            .and_then(pid_of)
            .and_then(Pid::from_raw)
            .is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
        // In another PID namespace the number may mean another process, or the process of the socket may have no number
        // here. A socket on which a process listens is never removed.
        if is_gone && !client::is_listened_at(&entry.path()) {
            let _ = unlinkat(folder, &name, AtFlags::empty());
        }
    }
}

/// The file, locked; none if another process holds its lock, or has removed it and made a new one.
fn free_lock(path: &Path) -> Option<std::fs::File> {
    let file = std::fs::File::open(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    is_at(&file, path).then_some(file)
}

/// Whether this file still has this name.
#[must_use]
pub(crate) fn is_at(file: &std::fs::File, path: &Path) -> bool {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let named = std::fs::symlink_metadata(path).map(identity).ok();
    named.is_some() && named == file.metadata().map(identity).ok()
}

/// The number of the process whose socket has this name.
fn pid_of(name: &str) -> Option<i32> {
    name.split_once('-')?.0.parse().ok()
}

impl Drop for SocketFiles {
    fn drop(&mut self) {
        if let (Some(name), Some(folder)) = (self.path.file_name(), self.path.parent()) {
            let _ = unlinkat(&self.folder, name, AtFlags::empty());
            // Fails while other sockets are in it.
            let _ = remove_dir(folder);
        }
    }
}

/// A folder that is not looked into for the runs of our user.
#[derive(Debug)]
pub(crate) struct Suspect {
    folder: PathBuf,
    error: io::Error,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match self.error.kind() {
            ErrorKind::PermissionDenied => write!(
                f,
                "{folder} is not a folder of this user alone (mode 0700), so no run is looked for in it"
            ),
            _ => write!(f, "{folder} cannot be read: {}", self.error),
        }
    }
}

/// The runs of our user that may be there, and the folders that could not be looked into. The remains of runs that were
/// killed are removed.
#[must_use]
pub(crate) fn runs() -> (Vec<Found>, Vec<Suspect>) {
    let (mut found, mut suspects) = (Vec::new(), Vec::new());
    for Place { folder } in Place::to_look_into() {
        let entries = enter(&folder).and_then(|opened| {
            remove_remains(&opened, &folder);
            // Fails as long as there are runs.
            let _ = remove_dir(&folder);
            std::fs::read_dir(&folder)
        });
        match entries {
            Ok(entries) => found.extend(entries.flatten().filter_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str().filter(|name| !name.ends_with(OF_A_TASK))?;
                Some(Found {
                    pid: pid_of(name)?,
                    path: entry.path(),
                })
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                // A link, or no folder at all: what another user has put in our place.
                let error = match error.raw_os_error() {
                    Some(libc::ELOOP | libc::ENOTDIR) => ErrorKind::PermissionDenied.into(),
                    _ => error,
                };
                suspects.push(Suspect { folder, error });
            }
        }
    }
    (found, suspects)
}

/// Connects to the socket of a run, which has so long to take the connection.
///
/// # Errors
/// `ConnectionRefused` or `NotFound` if the run is over, `WouldBlock` if it does not react, `PermissionDenied` if another
/// user's process listens there.
pub(crate) fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let stream = client::connect(path, patience)?;
    if is_of_our_user(&stream) {
        Ok(stream)
    } else {
        Err(ErrorKind::PermissionDenied.into())
    }
}

/// The number of the process that listens at the other end, as it is called here: in another PID namespace, it has
/// another number, and that is the one in the name of its socket. None: it has none here.
#[cfg(target_os = "linux")]
#[must_use]
pub(crate) fn listener(stream: &UnixStream) -> Option<i32> {
    let them = rustix::net::sockopt::socket_peercred(stream).ok()?;
    Some(them.pid.as_raw_pid()).filter(|pid| *pid > 0)
}

/// The system does not tell.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub(crate) fn listener(_stream: &UnixStream) -> Option<i32> {
    None
}

/// The number in the name of a socket; none if it is no socket of a run.
#[must_use]
pub(crate) fn owner(path: &Path) -> Option<i32> {
    pid_of(path.file_name()?.to_str()?)
}

/// Whether the process at the other end is of our user, or of root.
#[cfg(target_os = "linux")]
#[must_use]
pub(crate) fn is_of_our_user(stream: &UnixStream) -> bool {
    let us = geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|them| them.uid == us || them.uid.is_root())
}

/// Without a safe interface that names the client's user, the mode of the folder must do.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub(crate) fn is_of_our_user(_stream: &UnixStream) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_lock_that_is_free_is_held_until_its_file_is_removed_and_another_file_of_its_name_is_not_it()
     {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tty-1");
        let old = File::create(&path).unwrap();
        let locked = free_lock(&path).unwrap();
        assert!(free_lock(&path).is_none());
        assert!(is_at(&locked, &path) && is_at(&old, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&old, &path));
        let _new = File::create(&path).unwrap();
        assert!(!is_at(&old, &path));
        assert!(free_lock(&path).is_some());
    }
}
