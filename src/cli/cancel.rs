//! `progrun cancel`: what Ctrl-C does at the terminal of a run, from elsewhere.

use std::io::{Read, Write};
use std::time::Duration;

use clap::{Parser, ValueHint};
use rustix::process::{Pid, Signal, kill_process};

use crate::detached::Record;
use crate::event::{Ending, Step, signal_name};
use crate::reason::reason;
use crate::run::{self, FAILED};
use crate::sink::escape;
use crate::socket;
use crate::wire::Status;

use super::attach;
use super::runs::{self, LiveRun, Meant};

const HELP: &str = "\
The first request lets the command end at its next progress report. Said again, it
sends SIGTERM, then SIGKILL, as Ctrl-C does at the terminal of the run.

Exit status:
    0  all runs were asked to stop; with --wait, they are over
  125  one of them is not there, or does not react";

/// How long a run has to take the request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much is read of its answer.
const LONGEST: u64 = 1024 * 1024;

/// Stop runs as Ctrl-C does at their terminals
#[derive(Debug, Parser)]
#[command(
    name = "cancel",
    after_help = HELP,
    override_usage = "progrun cancel [OPTIONS] RUN...",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Cancel {
    /// Numbers or names of the runs, as in progrun ps
    #[arg(value_name = "RUN", required = true, value_hint = ValueHint::Other)]
    runs: Vec<String>,

    /// Wait until they are over
    #[arg(long)]
    wait: bool,

    /// Do not say what was done
    #[arg(short, long)]
    quiet: bool,
}

impl Cancel {
    /// Asks the runs to stop, and says how the process is to end.
    pub(super) fn run(self) -> Ending {
        let runs = runs::all();
        let mut asked = Vec::new();
        let mut ending = Ending::Status(0);
        for word in &self.runs {
            let done = match runs::find_any(&runs, word) {
                Ok(Meant::Over(record)) if record.elsewhere().is_some() => {
                    Err(attach::without_end(&record))
                }
                Ok(Meant::Over(record)) => Err(over(&record)),
                Ok(Meant::Deaf(record)) => {
                    self.terminate(&record);
                    continue;
                }
                Ok(Meant::Live(run)) => Ok(run),
                Err(sentence) => Err(sentence),
            };
            let done = done.and_then(|run| {
                let is_ours = runs::are_we_in(&runs, run);
                if self.wait && is_ours {
                    return Err(format!(
                        "this command is part of run {}, and cannot wait for its end",
                        run.pid
                    ));
                }
                self.cancel(run).map(|()| asked.push(run))
            });
            if let Err(sentence) = done {
                super::complain(&sentence);
                ending = Ending::Status(FAILED);
            }
        }
        if self.wait {
            for run in asked {
                // A run that cannot be reached any more is over.
                let _ = run::wait(&run.path);
            }
        }
        ending
    }

    /// Sends SIGTERM to a run that does not listen. It may ignore SIGINT, as what a script starts in the background.
    fn terminate(&self, record: &Record) {
        let pid = record.pid;
        let sent = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
        if !self.quiet && sent.is_some_and(|sent| sent.is_ok()) {
            let name = escape(&record.name);
            super::complain(&format!(
                "run {pid} {name}: sent SIGTERM, as it does not listen"
            ));
        }
        if self.wait {
            let _ = runs::over(pid);
        }
    }

    fn cancel(&self, run: &LiveRun) -> Result<(), String> {
        let ask = || {
            let mut stream = socket::connect(&run.path, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"?cancel\n")?;
            let mut answer = String::new();
            stream.take(LONGEST).read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        let pid = run.pid;
        let answer = ask().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                format!("run {pid} was not cancelled: {}", attach::unanswered(pid))
            }
            _ => match runs::settled(pid) {
                Some(record) if !record.is_running() => over(&record),
                _ if run.has_left() => runs::none(pid),
                _ => format!("run {pid} cannot be reached: {}", reason(&error)),
            },
        })?;
        if !self.quiet {
            let status = Status::read(answer.trim_end());
            let name = run
                .status()
                .map_or(String::new(), |status| format!(" {}", escape(&status.name)));
            super::complain(&format!("run {pid}{name}: {}", done(status.as_ref())));
        }
        Ok(())
    }
}

/// The sentence that it is too late.
fn over(record: &Record) -> String {
    let pid = record.pid;
    if record.has_process() {
        format!("run {pid} is over, but not its --on-end command (kill {pid} ends that)")
    } else {
        format!("run {pid} is over")
    }
}

/// What has been done.
fn done(status: Option<&Status<'_>>) -> String {
    let again = |next| format!(" (progrun cancel again: {next})");
    match status.and_then(Status::step) {
        Some(Step::Drain) => format!("stopping: the running tasks may end{}", again("SIGTERM")),
        Some(Step::Ask) => format!("stopping at the next progress report{}", again("SIGTERM")),
        Some(Step::Signal(libc::SIGTERM) | Step::Terminate) => {
            format!("terminating{}", again("SIGKILL"))
        }
        Some(Step::Signal(libc::SIGINT)) => format!("interrupted{}", again("SIGTERM")),
        Some(Step::Signal(signal)) => format!("{}{}", signal_name(signal), again("SIGTERM")),
        Some(Step::Kill) => "killing".to_owned(),
        Some(Step::GiveUp) => "giving up".to_owned(),
        None => "is over".to_owned(),
    }
}
