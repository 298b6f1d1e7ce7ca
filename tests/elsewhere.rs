//! `--on`: tasks on other machines. Most of what can happen between two machines is tried on one, with engines that are
//! scripts of a few lines; `ssh` has a real server.

mod agent;
mod lists;
mod lost;
mod reaching;
pub(crate) mod server;
mod ssh;
mod stopping;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::support::{Gate, Progrun, progrun};

/// An engine that is a script: it finds the command that it is to run somewhere in `"$@"`.
struct Engine(TempDir);

impl Engine {
    fn new(script: &str) -> Self {
        let engine = Self(tempfile::tempdir().unwrap());
        engine.program("engine", script);
        engine
    }

    /// One that only runs the command.
    fn plain() -> Self {
        Self::new("exec \"$@\"")
    }

    /// As the only program called `srun` in PATH: the options come before the shell. `$job` and `$options` are known.
    fn slurm(script: &str) -> Self {
        let engine = Self(tempfile::tempdir().unwrap());
        let head =
            "options=; while [ \"$1\" != /bin/sh ]; do options=\"$options $1\"; shift; done\n";
        engine.program("srun", &format!("{head}{script}"));
        engine.program("scancel", "echo \"scancel $*\" >>\"${0%/*}/scancels\"");
        engine
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Puts a program beside the engine.
    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// The value of --on.
    fn on(&self) -> String {
        format!("sh {}", self.path("engine"))
    }

    /// A run of one command there, with a short lease.
    fn run(&self, words: &[&str]) -> Progrun {
        self.progrun(&[&["--on", &self.on()], words].concat())
    }

    /// A run that keeps its notes in the folder of the engine, and finds programs there first.
    fn progrun(&self, words: &[&str]) -> Progrun {
        let path = std::env::var("PATH").unwrap();
        progrun(words)
            .variable("PATH", &format!("{}:{path}", self.0.path().display()))
            .variable("XDG_STATE_HOME", &self.path("state"))
            .variable("XDG_CACHE_HOME", &self.path("cache"))
    }

    /// What the script has written into this file.
    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// A script that reports, then waits at the gate, then reports once more.
fn reports_and_waits(gate: &Gate) -> String {
    format!("echo 1/2 >&3; read -r _ <'{}'; echo 2/2 >&3", gate.path())
}

/// The options of a lease that is over soon.
const SHORT: [&str; 6] = ["--lease", "2", "--grace", "1", "--kill-after", "1"];
