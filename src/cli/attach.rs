//! `progrun attach`: shows a run of this user as its own terminal does.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Parser, ValueHint};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

use crate::client;
use crate::detached::Record;
use crate::event::{Ending, FinalState, signal_name};
use crate::reason::{reason, reasons};
use crate::run::{self, Attached, Look};
use crate::sink::{Patient, escape, took};
use crate::system::life;

use super::options::{ColorArgument, ProgressArgument};
use super::runs::{self, Meant};

/// How much of the output of a run that is over is shown on a terminal.
const LINES: usize = 100;
const BYTES: usize = 64 * 1024;

const HELP: &str = "\
Ctrl-C only leaves: the run goes on. To stop it, use progrun cancel.

Of a run that was started with --detach and is over, the end of its output is
shown, and how it ended. `progrun attach RUN | less` has all that was kept.

Exit status:
  That of the run, when it is over. 130 if you leave by Ctrl-C before.";

/// Show a run from another terminal: its bars, and what it prints from now on
#[derive(Debug, Parser)]
#[command(
    name = "attach",
    after_help = HELP,
    override_usage = "progrun attach [OPTIONS] [RUN]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Attach {
    /// Number or name of the run, as in progrun ps; not needed if there is only one
    #[arg(value_name = "RUN", value_hint = ValueHint::Other)]
    run: Option<String>,

    /// How to show progress
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        env = "PROGRUN_PROGRESS"
    )]
    progress: ProgressArgument,

    /// Whether to draw bars in color
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "PROGRUN_COLOR"
    )]
    color: ColorArgument,
}

impl Attach {
    /// Shows the run, and says how the process is to end.
    ///
    /// # Errors
    /// A sentence if there is no such run.
    pub(super) fn run(self) -> Result<Ending, String> {
        let runs = runs::all();
        let meant = match &self.run {
            Some(word) => runs::find_any(&runs, word)?,
            None => Meant::Live(runs::only(&runs)?),
        };
        let run = match meant {
            Meant::Live(run) => run,
            Meant::Over(record) => return show_end(&record),
            Meant::Deaf(record) => return Err(deaf(&record)),
        };
        if runs::are_we_in(&runs, run) {
            return Err(format!(
                "this command is part of run {}, and would show what it shows itself",
                run.pid
            ));
        }
        let look = Look {
            progress: self.progress.into(),
            color: self.color.into(),
        };
        let on_silence = || super::complain(&silent(run.pid));
        let attached = match run::attach(&run.path, &look, &on_silence) {
            Ok(attached) => attached,
            // It was there a moment ago.
            Err(error) => match runs::settled(run.pid) {
                Some(record) if record.is_running() => return Err(deaf(&record)),
                Some(record) => return show_end(&record),
                None if run.has_left() => return Err(runs::none(run.pid)),
                None if client::is_listened_at(&run.path) => {
                    return Err(format!("run {}: {}", run.pid, reasons(&error)));
                }
                None => return Err(lost(run.pid)),
            },
        };
        match attached {
            Attached::Over {
                ending,
                was_shown: false,
            } => match runs::settled(run.pid) {
                Some(record) => show_end(&record),
                None => Ok(ending),
            },
            Attached::Over { ending, .. } => Ok(ending),
            Attached::Left(signal) => {
                // One that is over, as while its last output is still written here, does not go on. And a terminal that
                // takes nothing would keep us here.
                if signal == libc::SIGINT && !run.has_left() && is_writable() {
                    super::complain(&format!(
                        "run {} goes on (progrun attach {0} shows it again, progrun cancel {0} stops it)",
                        run.pid
                    ));
                }
                Ok(Ending::Signal(signal))
            }
            Attached::Gone => match runs::settled(run.pid).and_then(|record| record.end) {
                Some(end) => Ok(end.ending),
                None => Err(lost(run.pid)),
            },
        }
    }
}

/// Whether stderr takes something now.
fn is_writable() -> bool {
    let stderr = stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Shows the end of the output of a run that is over, and how it ended; all that is kept of the output if it goes to a
/// file or a pipe.
fn show_end(record: &Record) -> Result<Ending, String> {
    let on_terminal = isatty(stdout());
    let mut out = Patient(io::stdout());
    let read = if on_terminal {
        let end = record.output.last(LINES, BYTES);
        end.and_then(|end| out.write_all(&end))
    } else {
        let whole = record.output.whole();
        whole.and_then(|mut whole| io::copy(&mut whole, &mut out).map(drop))
    };
    match read {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Ending::Signal(libc::SIGPIPE));
        }
        Err(error) => {
            return Err(format!(
                "the output of run {}: {}",
                record.pid,
                reason(&error)
            ));
        }
        Ok(()) => {}
    }
    let Some(end) = &record.end else {
        return Err(without_end(record));
    };
    let name = escape(&record.name);
    super::complain(&format!(
        "run {} {name}: {}",
        record.pid,
        ended(end.state, end.ending, end.elapsed)
    ));
    Ok(end.ending)
}

/// How a run ended, in a few words.
fn ended(state: FinalState, ending: Ending, elapsed: Duration) -> String {
    let time = took(elapsed);
    match (state, ending) {
        (FinalState::Completed, _) => format!("completed in {time}"),
        (FinalState::Cancelled, _) => format!("cancelled after {time}"),
        (FinalState::Lost, _) => format!("lost after {time}"),
        (FinalState::Failed, Ending::Status(status)) => {
            format!("failed with exit status {status} after {time}")
        }
        (FinalState::Failed, Ending::Signal(signal)) => {
            format!("killed by {} after {time}", signal_name(signal))
        }
    }
}

/// The sentence that a run which goes on cannot be shown.
fn deaf(record: &Record) -> String {
    format!(
        "run {} does not listen: what it prints is in {}",
        record.pid,
        record.output.path().display()
    )
}

/// The sentence that a run has said nothing yet.
pub(super) fn silent(pid: i32) -> String {
    format!("waiting for run {pid}: {}", unanswered(pid))
}

/// Why a run does not answer.
pub(super) fn unanswered(pid: i32) -> String {
    if life::is_stopped(pid) {
        format!("it is stopped (kill -CONT {pid} continues it)")
    } else {
        "it does not answer".to_owned()
    }
}

/// The sentence that it is not known how a run away from its terminal has ended, or whether it has.
pub(super) fn without_end(record: &Record) -> String {
    let pid = record.pid;
    record.elsewhere().map_or_else(
        || lost(pid),
        |host| {
            format!(
                "run {pid} was started on {}: whether it goes on there is not known here",
                escape(host)
            )
        },
    )
}

/// The sentence that a run has ended, and it is not known how.
pub(super) fn lost(pid: i32) -> String {
    format!("run {pid} is gone and has not said how it ended: it was killed")
}
