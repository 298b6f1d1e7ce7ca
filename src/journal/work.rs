//! Which runs do the same work: those of the same name, if the user has given one, else those of the same command in
//! the same folder.
//!
//! It is a value that is handed to those who ask the journal, and names the journal: nothing about it is global. It
//! touches no file, and not even the current folder, before it is asked.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

/// How much of a name is kept, in bytes.
pub(super) const NAME: usize = 200;

/// The beginning of a text, so many bytes at most.
pub(super) fn clipped(text: &str, at_most: usize) -> &str {
    &text[..text.floor_char_boundary(at_most)]
}

/// Which kind of run it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// One command.
    #[default]
    Run,
    /// One command for each of many values.
    Each,
    /// A list of commands.
    Tasks,
}

/// The work of a run.
#[derive(Clone, Debug)]
pub(crate) struct Work(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    form: Form,
    command: Vec<OsString>,
    name: Option<String>,
    /// None: our own.
    folder: Option<PathBuf>,
}

impl Form {
    /// Its name.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Each => "each",
            Self::Tasks => "tasks",
        }
    }

    /// The form of this name; that of a newer progrun is one command.
    #[must_use]
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "each" => Self::Each,
            "tasks" => Self::Tasks,
            _ => Self::Run,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes so")]
    pub(super) fn is_run(&self) -> bool {
        *self == Self::Run
    }
}

impl Work {
    /// The work of this command, or of this template of commands, or of the list in this file, in our own folder; with
    /// the name that the user has given it.
    #[must_use]
    pub(crate) fn new(form: Form, command: Vec<OsString>, name: Option<String>) -> Self {
        Self(Arc::new(Inner {
            form,
            command,
            name,
            folder: None,
        }))
    }

    /// The same work in this folder.
    #[must_use]
    pub(crate) fn in_folder(&self, folder: &Path) -> Self {
        Self(Arc::new(Inner {
            form: self.0.form,
            command: self.0.command.clone(),
            name: self.0.name.clone(),
            folder: Some(folder.to_owned()),
        }))
    }

    /// Which kind of run it is.
    pub(crate) fn form(&self) -> Form {
        self.0.form
    }

    pub(super) fn command(&self) -> &[OsString] {
        &self.0.command
    }

    /// The name that the user has given it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The folder that it is done in; none if that is gone.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        let own = || std::env::current_dir().ok();
        self.0.folder.clone().or_else(own)
    }

    /// What is the same of the same command in the same folder, on every machine and in every version: FNV-1a.
    pub(super) fn hash(&self) -> String {
        let folder = self.folder().unwrap_or_default();
        let form = self.0.form.word();
        let words = self.0.command.iter().map(|word| word.as_bytes());
        let parts = [form.as_bytes(), folder.as_os_str().as_bytes()];
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for part in parts.into_iter().chain(words) {
            // With a NUL, which is in none of them: `a b` and `ab` are two words and one.
            for byte in part.iter().chain(&[0]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        format!("{hash:016x}")
    }

    /// What tells the runs of this work from others. Asks the system for the current folder.
    pub(super) fn known_by(&self) -> KnownBy {
        let hash = self.hash();
        KnownBy {
            form: self.0.form,
            name: self.0.name.clone(),
            has_hash: Finder::new(&hash).into_owned(),
            is_named: Finder::new("\"named\":true"),
            hash,
        }
    }
}

/// What is the same of all runs of the same work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    /// The name that the user gave.
    Name(Form, &'a str),
    /// The hash of the command and the folder.
    Hash(&'a str),
}

/// What tells the runs of a work from others.
#[derive(Debug)]
pub(super) struct KnownBy {
    form: Form,
    name: Option<String>,
    hash: String,
    // To look for a text in many lines.
    has_hash: Finder<'static>,
    is_named: Finder<'static>,
}

impl KnownBy {
    /// Whether a line can be of such a run, so that it is worth to be read.
    pub(super) fn may_be(&self, line: &[u8]) -> bool {
        let has = |finder: &Finder<'_>| finder.find(line).is_some();
        has(&self.has_hash) || self.name.is_some() && has(&self.is_named)
    }

    /// Whether a run is one that has this form, this name, if the user gave it one, and this hash. A name that the user
    /// gave tells more than the command; two that differ mean two works.
    pub(super) fn is_it(&self, form: Form, name: Option<&str>, hash: &str) -> bool {
        form == self.form
            && match (&self.name, name) {
                (Some(own), Some(name)) => clipped(own, NAME) == name,
                _ => hash == self.hash,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Record;
    use super::*;
    use crate::wire::State;
    use std::time::{Duration, SystemTime};

    fn work(words: &[&str], name: Option<&str>, folder: &str) -> Work {
        let words = words.iter().map(OsString::from).collect();
        let work = Work::new(Form::Run, words, name.map(str::to_owned));
        work.in_folder(Path::new(folder))
    }

    fn is_same(one: &Work, other: &Work) -> bool {
        let ended = (Duration::from_secs(1), State::Completed);
        let record = Record::new(other, "shown", SystemTime::UNIX_EPOCH, ended);
        let known_by = one.known_by();
        let is_it = record.is_of(&known_by);
        assert!(known_by.may_be(record.to_line().as_bytes()) || !is_it);
        is_it
    }

    #[test]
    fn the_same_command_in_the_same_folder_is_the_same_work() {
        let make = work(&["make", "all"], None, "/src");
        assert!(is_same(&make, &work(&["make", "all"], None, "/src")));
        assert!(!is_same(&make, &work(&["make", "all"], None, "/other")));
        assert!(!is_same(&make, &work(&["make", "al", "l"], None, "/src")));
        assert!(!is_same(&make, &work(&["makeall"], None, "/src")));
    }

    #[test]
    fn the_same_name_is_the_same_work_and_two_names_are_two() {
        let nightly = work(&["backup", "1"], Some("nightly run"), "/src");
        let shown = work(&["backup", "2"], Some("nightly run"), "/other");
        assert!(!is_same(&nightly, &shown), "its record is called otherwise");
        let ended = (Duration::from_secs(1), State::Completed);
        let record = Record::new(&shown, "nightly run", SystemTime::UNIX_EPOCH, ended);
        assert!(record.is_of(&nightly.known_by()));
        let weekly = work(&["backup", "2"], Some("weekly"), "/other");
        assert!(!record.is_of(&weekly.known_by()));
        // Without a name, the command tells.
        let unnamed = work(&["backup", "2"], None, "/other");
        assert!(record.is_of(&unnamed.known_by()));
        assert!(is_same(&nightly, &work(&["backup", "1"], None, "/src")));
    }
}
