//! Why a command could not be started, as data, with the sentence for the user. Starts nothing itself.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::reason::reason;

/// Why a command could not be started.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// There is no such program.
    NotFound {
        /// The program as it was asked for.
        program: OsString,
    },
    /// The program is there but cannot be run.
    CannotRun {
        /// The program as it was asked for.
        program: OsString,
        /// Why, and what to do about it.
        reason: String,
    },
    /// It could not be started on another machine, for which this exit status stands.
    Elsewhere {
        /// See the exit statuses of progrun(1).
        status: i32,
        /// What happened, and where.
        sentence: String,
    },
    /// The task itself says something that cannot be done: this sentence.
    Unusable(String),
    /// The system refused us a resource, which is not the command's fault.
    Internal {
        /// The step that failed.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl std::error::Error for LaunchError {}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { program } if is_path(program) => {
                write!(f, "cannot run {}: no such file", program.display())
            }
            Self::NotFound { program } if program.is_empty() => {
                f.write_str("cannot run the command: its name is empty")
            }
            Self::NotFound { program } if program.as_encoded_bytes().starts_with(b"-") => write!(
                f,
                "cannot run {}: no such command in PATH (options of progrun go before the `--`)",
                program.display()
            ),
            Self::NotFound { program } => write!(
                f,
                "cannot run {}: no such command in PATH",
                program.display()
            ),
            Self::CannotRun { program, reason } => {
                write!(f, "cannot run {}: {reason}", program.display())
            }
            Self::Unusable(reason)
            | Self::Elsewhere {
                sentence: reason, ..
            } => f.write_str(reason),
            Self::Internal { what, source } => {
                write!(f, "{what} failed: {}{}", reason(source), advice(source))
            }
        }
    }
}

impl LaunchError {
    /// This file or folder of the task cannot be used.
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        if matches!(
            error.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)
        ) {
            return Self::Internal {
                what: "opening a file",
                source: error,
            };
        }
        Self::Unusable(format!("{}: {}", path.display(), reason(&error)))
    }

    /// The meaning of an error of the spawn for `program`, which was to run in `folder`.
    pub(super) fn new(program: &OsStr, folder: Option<&Path>, error: io::Error) -> Self {
        let raw = error.raw_os_error();
        if [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE]
            .map(Some)
            .contains(&raw)
        {
            return Self::Internal {
                what: "starting a process",
                source: error,
            };
        }
        let found = find(program, folder);
        let reason = match (&found, error.kind()) {
            (None, io::ErrorKind::NotFound) => {
                return Self::NotFound {
                    program: program.to_owned(),
                };
            }
            // The file is there, so the system did not find the interpreter that its first line names.
            (Some(path), io::ErrorKind::NotFound) => match interpreter(path) {
                Some(interpreter) => format!("its interpreter {interpreter} was not found"),
                None => "its loader or interpreter was not found".to_owned(),
            },
            (Some(path), io::ErrorKind::PermissionDenied) if path.is_dir() => {
                "it is a directory".to_owned()
            }
            (Some(path), io::ErrorKind::PermissionDenied) => format!(
                "permission denied (to make it executable: chmod +x {})",
                path.display()
            ),
            _ => reason(&error),
        };
        Self::CannotRun {
            program: program.to_owned(),
            reason,
        }
    }
}

/// Why no task can run this program, if that is known before any is started. A list of a thousand tasks would otherwise
/// fail a thousand times.
#[must_use]
pub(crate) fn missing(program: &OsStr) -> Option<LaunchError> {
    let candidates: Vec<PathBuf> = if is_path(program) {
        vec![program.into()]
    } else {
        let path = std::env::var_os("PATH")?;
        let folders = std::env::split_paths(&path);
        folders.map(|folder| folder.join(program)).collect()
    };
    let mut worst = Errno::NOENT;
    for candidate in &candidates {
        match access(candidate, Access::EXEC_OK) {
            // A folder on PATH may have the name of a program.
            Ok(()) if candidate.is_dir() && !is_path(program) => {}
            Ok(()) if candidate.is_dir() => worst = Errno::ACCESS,
            Ok(()) => return None,
            Err(Errno::ACCESS) => worst = Errno::ACCESS,
            Err(_) => {}
        }
    }
    Some(LaunchError::new(program, None, worst.into()))
}

/// What to do about an error of the system. To be appended to the error's own text.
#[must_use]
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => ": raise the limit on open files (ulimit -n)",
        // The system's text, "Resource temporarily unavailable", does not say that threads and processes are meant.
        Some(libc::EAGAIN) => ": raise the limit on processes (ulimit -u)",
        _ => "",
    }
}

fn is_path(program: &OsStr) -> bool {
    program.as_encoded_bytes().contains(&b'/')
}

/// The file that the system would have run from this folder, or at least found.
fn find(program: &OsStr, folder: Option<&Path>) -> Option<PathBuf> {
    if is_path(program) {
        let path = folder.map_or(PathBuf::from(program), |folder| folder.join(program));
        return Some(path).filter(|path| path.exists());
    }
    if program.is_empty() {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// The program in the first line of a script.
fn interpreter(script: &Path) -> Option<String> {
    let mut head = Vec::new();
    std::fs::File::open(script)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let text = String::from_utf8_lossy(line);
    // A script saved with Windows line ends asks for `sh\r`. Unescaped, the user would not see why it is not found.
    text.split([' ', '\t'])
        .find(|word| !word.is_empty())
        .map(|word| word.replace('\r', "\\r"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(program: &str, errno: i32) -> String {
        let error = io::Error::from_raw_os_error(errno);
        LaunchError::new(OsStr::new(program), None, error).to_string()
    }

    #[test]
    fn a_missing_command_is_named_with_where_it_was_looked_for() {
        assert_eq!(
            message("no-such-command-1", libc::ENOENT),
            "cannot run no-such-command-1: no such command in PATH"
        );
        assert_eq!(
            message("./no-such-file-1", libc::ENOENT),
            "cannot run ./no-such-file-1: no such file"
        );
        assert_eq!(
            message("--quiet", libc::ENOENT),
            "cannot run --quiet: no such command in PATH (options of progrun go before the `--`)"
        );
        assert_eq!(
            message("", libc::ENOENT),
            "cannot run the command: its name is empty"
        );
    }

    #[test]
    fn a_directory_is_called_a_directory() {
        assert_eq!(
            message("/", libc::EACCES),
            "cannot run /: it is a directory"
        );
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_names_the_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#! /no/such/sh\r\necho\n").unwrap();
        assert_eq!(
            message(script.to_str().unwrap(), libc::ENOENT),
            format!(
                "cannot run {}: its interpreter /no/such/sh\\r was not found",
                script.display()
            )
        );
    }

    #[test]
    fn a_file_without_the_right_to_run_comes_with_the_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(
            message(path, libc::EACCES),
            format!(
                "cannot run {path}: permission denied (to make it executable: chmod +x {path})"
            )
        );
    }

    #[test]
    fn a_refused_fork_is_not_the_commands_fault() {
        let error = LaunchError::new(
            OsStr::new("true"),
            None,
            io::Error::from_raw_os_error(libc::EAGAIN),
        );
        assert!(matches!(error, LaunchError::Internal { .. }), "{error:?}");
    }
}
