//! The file of the journal, which runs append to while others read it, cut it or remove lines from it.
//!
//! A line is one write to the end. To take lines away, the rest is written to a new file, which takes the place of the
//! old one. So that no line is lost that is appended meanwhile, an appending run holds a shared lock of the file, and
//! a rewriting one holds it alone; after it has the lock, each looks whether the file still has its name. Knows nothing
//! of what the lines mean.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A file that grows beyond this is cut to its newer half.
const FULL: u64 = 8 * 1024 * 1024;
/// The file holds what is as private as the shell's history.
const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// How long another run is waited for. One that is stopped (Ctrl-Z) while it has the lock must not stop us, too.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a file may be replaced while it is opened.
const TRIES: usize = 20;

/// Why a line was not kept.
#[derive(Debug)]
pub(crate) struct Unkept {
    /// What the system said.
    pub(crate) error: io::Error,
    /// Whether there is a file. Where none can be made, as for a user without a home, the user does not expect one.
    pub(crate) is_there: bool,
}

/// Opens the file to read it; none if there is no such file. One that is not regular is an error, and no wait.
pub(super) fn open_to_read(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    // A FIFO would wait for a writer.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(file) if is_null(&file.metadata()?) => Ok(None),
        Ok(_) => Err(not_regular()),
        Err(error) if is_nowhere(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As a FIFO or a device that the user has put there.
fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

/// Whether it is /dev/null: the user has linked the history to it, and wants none.
fn is_null(meta: &Metadata) -> bool {
    let is_it = |null: Metadata| null.rdev() == meta.rdev();
    meta.file_type().is_char_device() && fs::metadata("/dev/null").is_ok_and(is_it)
}

fn is_nowhere(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Appends a line, which ends with a newline. Makes the file and its folder if need be.
pub(super) fn append(path: &Path, line: &[u8]) -> Result<(), Unkept> {
    append_to(path, line, FULL).map_err(|error| Unkept {
        is_there: fs::symlink_metadata(path).is_ok()
            && !fs::metadata(path).is_ok_and(|meta| is_null(&meta)),
        error,
    })
}

fn append_to(path: &Path, line: &[u8], full: u64) -> io::Result<()> {
    let open = || open_or_create(path);
    let file = locked(path, open, FlockOperation::NonBlockingLockShared)?;
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    // A line that a crash has left half must not take this one with it.
    let whole = match last {
        [b'\n'] => line.to_vec(),
        _ => [b"\n", line].concat(),
    };
    let mut place = &file;
    place.write_all(&whole)?;
    drop(file);
    if size + whole.len() as u64 <= full {
        return Ok(());
    }
    match cut(path, full) {
        // The line is kept, and the next run cuts the file.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        cut => cut,
    }
}

/// Cuts the file to its newer half, if it still is too large. Reads no more than that half: whatever made the file
/// large, perhaps one endless line, no run waits for the rest of it.
fn cut(path: &Path, full: u64) -> io::Result<()> {
    let size = |file: &File| file.metadata().map(|meta| meta.len());
    replace(
        path,
        |file| Ok(size(file)? > full),
        |file, new| {
            let mut lines = BufReader::new(file);
            // With the byte before the half, to see whether a line begins with it.
            lines.seek(SeekFrom::Start(size(file)?.saturating_sub(full / 2 + 1)))?;
            lines.skip_until(b'\n')?;
            io::copy(&mut lines, new).map(drop)
        },
    )
}

/// Writes the file anew with the lines that are to be kept, without their newlines.
pub(super) fn rewrite(path: &Path, mut keep: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    replace(
        path,
        |_| Ok(true),
        |file, new| {
            let mut lines = BufReader::new(file);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                if keep(text) {
                    new.write_all(text)?;
                    new.write_all(b"\n")?;
                }
                line.clear();
            }
            Ok(())
        },
    )
}

/// Puts what `copy` makes of the file in its place, if that is still needed.
fn replace(
    path: &Path,
    is_needed: impl FnOnce(&File) -> io::Result<bool>,
    copy: impl FnOnce(&File, &mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // The file itself is replaced, not a link to it.
    let path = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if is_nowhere(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let open = || to_append().open(&path);
    let file = locked(&path, open, FlockOperation::NonBlockingLockExclusive)?;
    if !is_needed(&file)? {
        return Ok(());
    }
    let beside = beside(&path);
    let written = write(&beside, |new| copy(&file, new)).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The name of the new file until it takes the place of the old one. It is always the same, so that what a crash leaves
/// is written over; only the process that has the lock alone writes there.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE);
    let mut new = BufWriter::new(options.open(path)?);
    fill(&mut new)?;
    // Renamed before it is on the disk, it would be empty after a power failure.
    new.into_inner()?.sync_data()
}

fn to_append() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Neither may a FIFO wait, nor a terminal become ours.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    options.read(true).append(true).custom_flags(flags);
    options
}

fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = to_append();
    options.create(true).mode(PRIVATE);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(Path::new("/"));
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(PRIVATE_FOLDER)
                .create(folder)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// The file with this lock. It is the one that has the name at that time, so nothing that is written to it gets lost.
fn locked(
    path: &Path,
    open: impl Fn() -> io::Result<File>,
    lock: FlockOperation,
) -> io::Result<File> {
    let until = Instant::now() + PATIENCE;
    let is_alone = matches!(lock, FlockOperation::NonBlockingLockExclusive);
    for _ in 0..TRIES {
        let file = open()?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(not_regular());
        }
        loop {
            match flock(&file, lock) {
                Err(Errno::WOULDBLOCK) if Instant::now() < until => {
                    thread::sleep(Duration::from_millis(2));
                }
                Err(Errno::WOULDBLOCK) if is_alone => {
                    return Err(busy("another progrun is using it"));
                }
                Err(_) if is_alone => return Err(busy("its file system has no locks")),
                // Without an answer, a line may be lost if the file is cut at this very moment. None at all would be
                // kept otherwise. Without locks, as on some network file systems, no file is cut.
                _ => break,
            }
        }
        match fs::metadata(path) {
            Ok(now) if (now.dev(), now.ino()) == (meta.dev(), meta.ino()) => return Ok(file),
            Ok(_) => {}
            Err(error) if is_nowhere(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(busy("it is replaced again and again"))
}

fn busy(sentence: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_makes_its_file_and_folder_which_no_other_user_can_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state/progrun/history.jsonl");
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(lines(&path), ["one", "two"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_line_that_is_half_written_takes_no_other_with_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        fs::write(&path, "one\nha").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(lines(&path), ["one", "ha", "two"]);
    }

    #[test]
    fn a_full_file_keeps_its_newer_half() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        for number in 0..10 {
            append_to(&path, format!("{number}\n").as_bytes(), 16).unwrap();
        }
        // With the ninth line it has 18 bytes; the newest 8 stay.
        assert_eq!(lines(&path), ["5", "6", "7", "8", "9"]);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    /// How many bytes this thread has read so far.
    #[cfg(target_os = "linux")]
    fn read_so_far() -> u64 {
        let io = fs::read_to_string("/proc/thread-self/io").unwrap();
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
        read.unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn of_a_huge_file_without_lines_a_run_reads_the_end_only() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        let file = File::create(&path).unwrap();
        file.set_len(1024 * 1024 * 1024).unwrap();
        let before = read_so_far();
        append(&path, b"one\n").unwrap();
        assert!(read_so_far() - before <= FULL);
        assert_eq!(lines(&path), ["one"]);
    }

    #[test]
    fn what_a_crash_left_of_a_rewrite_is_gone_after_the_next_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        fs::write(
            root.path().join("history.jsonl.new"),
            "half of a longer lin",
        )
        .unwrap();
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        rewrite(&path, |line| line == b"two").unwrap();
        assert_eq!(lines(&path), ["two"]);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn runs_that_append_while_others_rewrite_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        append(&path, b"the first\n").unwrap();
        // Each writer begins a round when a rewrite has begun, so none meets more of them than it may.
        let round = Barrier::new(5);
        thread::scope(|scope| {
            for writer in 0..4 {
                let (path, round) = (&path, &round);
                scope.spawn(move || {
                    for number in 0..200 {
                        if number % 5 == 0 {
                            round.wait();
                        }
                        append(path, format!("{writer} {number}\n").as_bytes()).unwrap();
                    }
                });
            }
            for _ in 0..40 {
                round.wait();
                rewrite(&path, |_| true).unwrap();
            }
        });
        // A writer that sees another's line at the end of a page, half written, ends it with an empty line.
        let kept = lines(&path).into_iter().filter(|line| !line.is_empty());
        assert_eq!(kept.count(), 801);
    }

    #[test]
    fn runs_that_cut_a_full_file_at_once_keep_the_newest_lines_of_all() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("history.jsonl");
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..100 {
                        let line = format!("{writer} {number:03} {}\n", "x".repeat(90));
                        append_to(path, line.as_bytes(), 4000).unwrap();
                    }
                });
            }
        });
        let lines = lines(&path);
        assert!(lines.iter().all(|line| line.len() == 96), "{lines:?}");
        // At least half of what it may hold, and nothing that is older than what is gone.
        assert!((18..=40).contains(&lines.len()), "{}", lines.len());
        for writer in 0..4 {
            let own = lines
                .iter()
                .filter(|line| line.starts_with(&writer.to_string()));
            let numbers: Vec<usize> = own.map(|line| line[2..5].parse().unwrap()).collect();
            let newest: Vec<usize> = (100 - numbers.len()..100).collect();
            assert_eq!(numbers, newest);
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_a_wait_and_a_link_stays_one() {
        let root = tempfile::tempdir().unwrap();
        let fifo = root.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        for path in [&fifo, Path::new("/dev/zero")] {
            let unkept = append(path, b"one\n").unwrap_err();
            assert!(unkept.is_there);
            let errors = [
                unkept.error,
                open_to_read(path).unwrap_err(),
                rewrite(path, |_| false).unwrap_err(),
            ];
            let words = errors.map(|error| error.to_string());
            assert_eq!(words, ["it is not a regular file"; 3]);
        }
        // Linked to /dev/null it is meant to keep nothing.
        assert!(
            !append(Path::new("/dev/null"), b"one\n")
                .unwrap_err()
                .is_there
        );
        assert!(open_to_read(Path::new("/dev/null")).unwrap().is_none());
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        append(&link, b"one\n").unwrap();
        append(&link, b"two\n").unwrap();
        rewrite(&link, |line| line == b"two").unwrap();
        assert_eq!(lines(&file), ["two"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn where_there_is_no_place_for_a_file_that_is_known() {
        let nowhere = Path::new("/proc/no/history.jsonl");
        assert!(!append(nowhere, b"one\n").unwrap_err().is_there);
        assert!(open_to_read(nowhere).unwrap().is_none());
    }
}
