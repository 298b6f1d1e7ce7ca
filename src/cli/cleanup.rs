//! `progrun cleanup`: ends the jobs that killed runs have left in an engine.

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;

use crate::event::Ending;
use crate::ledger::{self, Remains};
use crate::reason::reason;
use crate::run::FAILED;
use crate::system::helper;

use super::{Patient, complain};

/// How long the command for one run may take.
const LIMIT: Duration = Duration::from_secs(30);

const HELP: &str = "\
A progrun that is killed cannot take back the jobs that wait for it in the queue of Slurm. This
command does, for all runs of this user on this machine that are over. See progrun-on(7).

Exit status:
  0    nothing is left
  125  some jobs could not be ended, or their run was on another machine";

/// End the jobs that killed runs have left in a cluster
#[derive(Debug, Parser)]
#[command(
    name = "cleanup",
    after_help = HELP,
    override_usage = "progrun cleanup",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Cleanup {}

impl Cleanup {
    /// Ends them, and says how the process is to end.
    pub(super) fn run(self) -> Ending {
        let Self {} = self;
        let remains = match ledger::remains() {
            Ok(remains) => remains,
            Err(error) => {
                complain(&format!(
                    "cleanup: cannot read the list of runs: {}",
                    reason(&error)
                ));
                return Ending::Status(FAILED);
            }
        };
        if remains.is_empty() {
            say("nothing is left");
        }
        // All of them, whatever becomes of one.
        let left = remains.into_iter().filter_map(|run| end(run).err());
        let left: Vec<_> = left.collect();
        for sentence in &left {
            complain(&format!("cleanup: {sentence}"));
        }
        Ending::Status(if left.is_empty() { 0 } else { FAILED })
    }
}

/// Says it on stdout. If that is gone, there is no reader.
fn say(sentence: &str) {
    let _ = writeln!(Patient(io::stdout()), "{sentence}");
}

fn end(run: Remains) -> Result<(), String> {
    if let Some(host) = &run.host {
        return Err(format!(
            "{} ran on {host}: run progrun cleanup there",
            run.name
        ));
    }
    let line = run.words.join(" ");
    helper::run_within(&run.words, LIMIT).map_err(|error| format!("{line}: {error}"))?;
    say(&format!("ended the jobs of {} ({line})", run.name));
    run.strike();
    Ok(())
}
