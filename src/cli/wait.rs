//! `progrun wait`: until a run is over; then ends as it ended.

use clap::{Parser, ValueHint};

use crate::event::Ending;
use crate::run;

use super::attach;
use super::runs::{self, Meant};

const HELP: &str = "\
How a run that was started with --detach ended is known for 30 days.

Exit status:
  That of the run. If a signal ended the run, progrun ends by the same signal.";

/// Wait until a run is over, and end as it ended
#[derive(Debug, Parser)]
#[command(
    name = "wait",
    after_help = HELP,
    override_usage = "progrun wait RUN",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Wait {
    /// Number or name of the run, as in progrun ps
    #[arg(value_name = "RUN", value_hint = ValueHint::Other)]
    run: String,
}

impl Wait {
    /// Waits, and says how the process is to end.
    ///
    /// # Errors
    /// A sentence if there is no such run.
    pub(super) fn run(self) -> Result<Ending, String> {
        let runs = runs::all();
        let run = match runs::find_any(&runs, &self.run)? {
            Meant::Live(run) => run,
            Meant::Over(record) => {
                let end = record.end.as_ref().map(|end| end.ending);
                return end.ok_or_else(|| attach::without_end(&record));
            }
            Meant::Deaf(record) => {
                let end = runs::over(record.pid).and_then(|record| record.end);
                let ending = end.map(|end| end.ending);
                return ending.ok_or_else(|| attach::lost(record.pid));
            }
        };
        if runs::are_we_in(&runs, run) {
            return Err(format!(
                "this command is part of run {}, which would wait for itself",
                run.pid
            ));
        }
        if run.is_silent() {
            super::complain(&attach::silent(run.pid));
        }
        let said = run::wait(&run.path);
        let is_out_of_reach = said.is_err();
        // One that ends at this moment has left a record, if it was away from its terminal.
        let known = said.ok().flatten();
        let known = known.or_else(|| Some(runs::over(run.pid)?.end?.ending));
        known.ok_or_else(|| {
            if is_out_of_reach && run.has_left() {
                runs::none(run.pid)
            } else {
                attach::lost(run.pid)
            }
        })
    }
}
