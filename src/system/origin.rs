//! How another process was started: its words, its folder and its environment, as far as the system tells (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The words of its command line.
#[must_use]
pub(crate) fn words(pid: i32) -> Option<Vec<OsString>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    // Empty for a process that has ended and waits to be reaped.
    let line = line.strip_suffix(b"\0")?;
    let words = line.split(|byte| *byte == 0);
    Some(words.map(|word| OsString::from_vec(word.into())).collect())
}

/// The folder in which it is. One that was removed has a path that leads nowhere.
#[must_use]
pub(crate) fn folder(pid: i32) -> Option<PathBuf> {
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    folder.is_dir().then_some(folder)
}

/// A variable of the environment with which it was started.
#[must_use]
pub(crate) fn variable(pid: i32, name: &str) -> Option<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Some(std::ffi::OsStr::from_bytes(value).to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_as_it_was_started() {
        let folder_of_it = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "echo; read -r _", "", "a b"])
            .current_dir(folder_of_it.path())
            .env("WORD", "x=y")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The kernel sets the words of the child a moment after the spawn has returned.
        let said = child.stdout.as_mut().unwrap();
        said.read_exact(&mut [0]).unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let expected = ["sh", "-c", "echo; read -r _", "", "a b"].map(OsString::from);
        assert_eq!(words(pid).unwrap(), expected);
        assert_eq!(
            folder(pid),
            Some(folder_of_it.path().canonicalize().unwrap())
        );
        assert_eq!(variable(pid, "WORD"), Some("x=y".into()));
        assert_eq!(variable(pid, "WOR"), None);
        fs::remove_dir(folder_of_it.path()).unwrap();
        assert_eq!(folder(pid), None);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(words(pid), None);
    }
}
