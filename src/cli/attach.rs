//! `progrun attach`: shows a run of this user as its own terminal does.

use clap::{Parser, ValueHint};

use crate::event::Ending;
use crate::run::{self, Attached, FAILED, Look};
use crate::sink::Progress;

use super::options::{ColorArgument, ProgressArgument};
use super::runs;

const HELP: &str = "\
Ctrl-C only leaves: the run goes on. To stop it, use progrun cancel.

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
        let run = match &self.run {
            Some(word) => runs::find(&runs, word)?,
            None => runs::only(&runs)?,
        };
        if runs::are_we_in(&runs, run) {
            return Err(format!(
                "this command is part of run {}, and would show what it shows itself",
                run.pid
            ));
        }
        let look = Look {
            progress: match self.progress {
                ProgressArgument::Auto => Progress::Auto,
                ProgressArgument::Bars => Progress::Bars,
                ProgressArgument::Plain => Progress::Plain,
                ProgressArgument::None => Progress::None,
            },
            color: match self.color {
                ColorArgument::Auto => None,
                ColorArgument::Always => Some(true),
                ColorArgument::Never => Some(false),
            },
        };
        match run::attach(&run.path, &look).map_err(|error| format!("{error:#}"))? {
            Attached::Over(ending) => Ok(ending),
            Attached::Left(signal) => {
                if signal == libc::SIGINT {
                    super::complain(&format!(
                        "run {} goes on (progrun attach {0} shows it again, progrun cancel {0} stops it)",
                        run.pid
                    ));
                }
                Ok(Ending::Signal(signal))
            }
            Attached::Gone => {
                super::complain(&lost(run.pid));
                Ok(Ending::Status(FAILED))
            }
        }
    }
}

/// The sentence that a run has ended, and nobody knows how.
pub(super) fn lost(pid: i32) -> String {
    format!("run {pid} is gone and has not said how it ended: it was killed")
}
