//! `progrun each` and `progrun tasks`, as a user runs them. The numbers in the names of the tests are those of the
//! scenarios in the specification of many commands; a test that compares with the defect of a peer says which.

mod dependencies;
mod failing;
#[cfg(target_os = "linux")]
mod joblog;
mod output;
#[cfg(target_os = "linux")]
mod screen;
mod starting;
mod stopping;
mod values;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Progrun, progrun, text};

/// `progrun each -q` with these words.
fn each(words: &[&str]) -> Progrun {
    progrun(&[&["each", "-q"], words].concat())
}

/// `progrun each` as it is without `-q`.
fn loud(words: &[&str]) -> Progrun {
    progrun(&[&["each"], words].concat())
}

/// `progrun tasks -q` with these words.
fn tasks(words: &[&str]) -> Progrun {
    progrun(&[&["tasks", "-q"], words].concat())
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// The lines of a file, in which tasks note what they did.
fn notes(folder: &Path) -> Vec<String> {
    let notes = fs::read(folder.join("notes")).unwrap_or_default();
    text(&notes).lines().map(str::to_owned).collect()
}

/// The numbers from 1, one a line.
fn numbers(count: u32) -> String {
    let lines: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}
