//! Runs that have jobs in an engine, each with a file that says how these are ended: a progrun that is killed leaves jobs
//! that wait in a queue. The file is locked while the run lives. Knows no engine, and ends nothing itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::places;
use crate::system::machine;

/// A note of a run that lives. Dropping it leaves the file; see [`Entry::strike`].
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

/// A run that has left a note.
#[derive(Debug)]
pub(crate) struct Remains {
    /// The name of its jobs.
    pub(crate) name: String,
    /// The command that ends them.
    pub(crate) words: Vec<String>,
    /// The machine on which it ran, if that is not ours: whether it lives is not known here.
    pub(crate) host: Option<String>,
    entry: Entry,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    host: String,
    words: Vec<String>,
}

impl Entry {
    /// Notes that a run has begun whose jobs, called `name`, these words end. None where there is no place for it.
    pub(crate) fn begin(name: &str, words: &[String]) -> Option<Self> {
        let folder = folder()?;
        let note = Note {
            host: machine::host(),
            words: words.to_vec(),
        };
        write(&folder, name, &note).ok()
    }

    /// No job is left: the note goes.
    pub(crate) fn strike(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Remains {
    /// Its jobs are ended: the note goes.
    pub(crate) fn strike(self) {
        self.entry.strike();
    }
}

/// The runs that are over, and have left a note. One that lives is left out.
///
/// # Errors
/// If the folder cannot be read.
pub(crate) fn remains() -> io::Result<Vec<Remains>> {
    let Some(folder) = folder() else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut remains: Vec<_> = paths.filter_map(|path| read(&path)).collect();
    remains.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(remains)
}

fn folder() -> Option<PathBuf> {
    Some(places::state_folder()?.join("jobs"))
}

fn write(folder: &Path, name: &str, note: &Note) -> io::Result<Entry> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let path = folder.join(name);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    // Without a lock the run counts as one that is over: on such a file system the note does more harm than good.
    if file.try_lock().is_err() {
        fs::remove_file(&path)?;
        return Err(io::ErrorKind::Unsupported.into());
    }
    (&file).write_all(serde_json::to_string(note)?.as_bytes())?;
    Ok(Entry { path, _file: file })
}

fn read(path: &Path) -> Option<Remains> {
    let name = path.file_name()?.to_str()?.to_owned();
    // NFS locks only what is open for writing. Where no lock can be had, the run counts as one that lives.
    let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    file.try_lock().ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let note: Note = serde_json::from_str(&text).ok()?;
    let is_ours = note.host == machine::host();
    Some(Remains {
        name,
        words: note.words,
        host: (!is_ours).then_some(note.host),
        entry: Entry {
            path: path.to_owned(),
            _file: file,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_lives_is_no_remains_and_one_that_was_killed_is() {
        let folder = tempfile::tempdir().unwrap();
        let note = Note {
            host: machine::host(),
            words: vec!["scancel".to_owned(), "--name=a b".to_owned()],
        };
        let entry = write(folder.path(), "run-1", &note).unwrap();
        let path = folder.path().join("run-1");
        assert!(read(&path).is_none());
        // The end of the process takes the lock away.
        drop(entry);
        let remains = read(&path).unwrap();
        assert_eq!(
            (
                remains.name.as_str(),
                remains.words.as_slice(),
                &remains.host
            ),
            ("run-1", note.words.as_slice(), &None)
        );
        remains.strike();
        assert!(!path.exists());
    }

    #[test]
    fn of_another_machine_it_is_said_and_what_is_no_note_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let note = Note {
            host: "another-machine".to_owned(),
            words: Vec::new(),
        };
        drop(write(folder.path(), "run-2", &note).unwrap());
        let remains = read(&folder.path().join("run-2")).unwrap();
        assert_eq!(remains.host.as_deref(), Some("another-machine"));
        let other = folder.path().join("other");
        fs::write(&other, "{").unwrap();
        assert!(read(&other).is_none());
        assert!(other.exists());
    }
}
