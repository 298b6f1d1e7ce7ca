//! `progrun demo`: a run of a script that is part of this program, and what to say after it. The script explains the rest.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Parser;

use crate::event::Ending;
use crate::reason::reason;
use crate::run;
use crate::sink::Patient;

use super::mistakes::refuse;
use super::{Arguments, Parsed, complain, end_written, list_end, parse, settings};

const HELP: &str = "\
Examples:
  progrun demo                         half a minute, or until Ctrl-C
  progrun demo --script >demo.sh       the script, to read and to change
  progrun -- sh demo.sh                the same run

Nothing is written to disk, and the run is not remembered.";

/// What the demo runs.
const SCRIPT: &str = include_str!("demo/script.sh");

/// See in half a minute what progrun does: bars, a question, a failure, Ctrl-C
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    after_help = HELP,
    override_usage = "progrun demo [OPTIONS]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Demo {
    /// Print the script that the demo runs
    #[arg(long)]
    script: bool,

    /// Be that script
    // For the run below: its command in progrun ps is these words, and not the whole script.
    #[arg(long, hide = true)]
    play: bool,
}

impl Demo {
    /// Runs the demo and ends the process.
    pub(super) fn run(self) -> ! {
        if self.script {
            end_written(Patient(io::stdout()).write_all(SCRIPT.as_bytes()));
        }
        if self.play {
            let error = Command::new("sh").args(["-c", SCRIPT, "demo"]).exec();
            complain(&format!("demo: cannot run sh: {}", reason(&error)));
            run::end(Ending::Status(127));
        }
        let (end, scope, sentences) = list_end(|| {
            let (settings, list) = settings(*arguments());
            Ok((settings, list, None))
        });
        for sentence in &sentences {
            complain(sentence);
        }
        // If stdout is gone, there is no reader.
        let _ = Patient(io::stdout()).write_all(farewell(end.ending).as_bytes());
        run::end_all(end.ending, scope)
    }
}

/// The demo as a command line without `demo`. The user's variables have their say, but without output there is no demo.
fn arguments() -> Box<Arguments> {
    let options = [
        "progrun",
        "--name=demo",
        "--no-history",
        "--output=stream",
        "--",
    ];
    let options = options.map(OsString::from);
    let words: Vec<_> = options.into_iter().chain(command()).collect();
    match parse(&words) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(other) => unreachable!("{other:?}"),
        Err(error) => refuse(&error, &words),
    }
}

/// The command of the run.
pub(super) fn command() -> [OsString; 3] {
    let program = std::env::current_exe().unwrap_or_else(|_| "progrun".into());
    [program.into(), "demo".into(), "--play".into()]
}

/// What the end means, and what to type next. No line is longer than forty columns.
fn farewell(ending: Ending) -> String {
    let meaning = match ending {
        Ending::Status(0) => {
            "\
The exit status is 0, the script's own.
A failed part does not change it."
        }
        Ending::Signal(libc::SIGINT) => {
            "\
The exit status is 130: after Ctrl-C,
progrun ends by SIGINT. So whatever
follows in a script does not happen:
  progrun -- ./backup.sh && rm -r photos"
        }
        // The demo was ended from outside, or could not run.
        _ => return String::new(),
    };
    format!(
        "
{meaning}

What to type next:
  progrun -- COMMAND      your command
  progrun demo --script   this script
  progrun help            what to read
  man progrun             the manual
"
    )
}
