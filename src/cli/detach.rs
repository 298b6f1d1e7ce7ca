//! `--detach`: the run goes on in a process of its own, away from the terminal. The process that the user has started
//! waits until it has begun, and says its number. How a run goes is not known here.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::detached::Keeping;
use crate::event::Ending;
use crate::reason::reason;
use crate::run::{self, End, FAILED};
use crate::sink::{Patient, escape};
use crate::system::detach::{BEGUN, Caller, Side, fork, let_go, redirect};

use super::{complain, end_written};

/// What the run is called and runs, and whether only its number is to be said.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    pub(super) name: String,
    pub(super) command: Vec<OsString>,
    pub(super) quiet: bool,
}

/// The run, away from the terminal.
pub(super) struct Detached {
    pub(super) caller: Arc<Caller>,
    keeping: Keeping,
}

impl Leaving {
    /// Forks. Returns in the process of the run; the other one ends when the run has begun, or could not.
    pub(super) fn leave(&self) -> Detached {
        let caller = match fork() {
            Ok(Side::Child(caller)) => Arc::new(caller),
            Ok(Side::Caller(pid, words)) => self.wait(pid, words),
            Err(error) => {
                complain(&format!(
                    "--detach: cannot start a process: {}",
                    reason(&error)
                ));
                run::end(Ending::Status(FAILED));
            }
        };
        // First of all: what is kept, a thread of its own keeps.
        let free = let_go().map_err(|error| format!("--detach: /dev/null: {}", reason(&error)));
        let kept = free.and_then(|()| {
            let keeping = Keeping::begin(&self.name, &self.command)?;
            redirect(keeping.place()).map_err(|error| format!("--detach: {}", reason(&error)))?;
            Ok(keeping)
        });
        match kept {
            Ok(keeping) => Detached { caller, keeping },
            Err(sentence) => {
                caller.tell(&not_begun(Ending::Status(FAILED), &[sentence]));
                run::end(Ending::Status(FAILED));
            }
        }
    }

    /// Waits for word of the run, says it, and ends.
    fn wait(&self, pid: i32, mut words: File) -> ! {
        let mut told = String::new();
        let mut block = [0; 4096];
        // The run keeps the pipe open, so there is no end of file: an empty line ends what it says.
        while !told.ends_with("\n\n") {
            match words.read(&mut block) {
                Ok(0) => break,
                Ok(length) => told.push_str(&String::from_utf8_lossy(&block[..length])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if told == BEGUN {
            let written = writeln!(Patient(io::stdout()), "{pid}");
            // Without the number, the caller would take the status 125 for a run that has not begun, and begin it again.
            if !self.quiet || written.is_err() {
                complain(&format!(
                    "{} runs as {pid}; `progrun attach {pid}` shows it, and `progrun cancel {pid}` stops it",
                    self.name
                ));
            }
            end_written(written);
        }
        let mut lines = told.lines();
        let ending = lines.next().and_then(ending);
        if ending.is_none() {
            complain("--detach: the run ended before its command was started");
        }
        for sentence in lines.filter(|line| !line.is_empty()) {
            complain(sentence);
        }
        run::end(ending.unwrap_or(Ending::Status(FAILED)))
    }
}

impl Detached {
    /// The run is over, and is kept so: only the command of `--on-end` follows. If the caller still waits, there was no
    /// run: it is told why, as `end` and `sentences` say, and nothing is kept. Otherwise gives what goes on to be kept.
    pub(super) fn end(mut self, end: &End, sentences: &[String]) -> Option<Self> {
        if self.caller.waits() {
            self.keeping.forget();
            self.caller.tell(&not_begun(end.ending, sentences));
            return None;
        }
        self.keeping.end(end.state, end.ending, end.elapsed);
        Some(self)
    }

    /// Nothing follows.
    pub(super) fn close(self) {
        self.keeping.close();
    }
}

/// What the caller is told of a run that could not begin: how it is to end, then a line for each sentence.
fn not_begun(ending: Ending, sentences: &[String]) -> String {
    let mut told = match ending {
        Ending::Status(status) => format!("status {status}\n"),
        Ending::Signal(signal) => format!("signal {signal}\n"),
    };
    for sentence in sentences {
        let _ = writeln!(told, "{}", escape(sentence));
    }
    told.push('\n');
    told
}

/// How the caller is to end, by the first line that it is told.
fn ending(line: &str) -> Option<Ending> {
    let (kind, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match kind {
        "status" => Some(Ending::Status(number)),
        "signal" => Some(Ending::Signal(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_ends_as_it_is_told() {
        for end in [Ending::Status(127), Ending::Signal(2)] {
            let told = not_begun(end, &["one\ntwo".to_owned(), "three".to_owned()]);
            let mut lines = told.lines();
            assert_eq!(lines.next().and_then(ending), Some(end));
            assert_eq!(lines.collect::<Vec<_>>(), ["one two", "three", ""]);
        }
        assert_eq!(ending("begun"), None);
        assert_eq!(ending(""), None);
    }
}
