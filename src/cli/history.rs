//! `progrun history`: shows what progrun remembers of ended runs, and removes it.
//!
//! Decides which runs are meant. How they are kept belongs to `journal`, and how they look to `history/table.rs`.

mod table;

use std::io::{self, BufWriter, Write};

use clap::{Parser, ValueHint};
use rustix::stdio::stdout;
use rustix::termios::{isatty, tcgetwinsize};

use crate::event::Ending;
use crate::journal::{Journal, Record};
use crate::reason::reason;
use crate::run::{self, FAILED};
use crate::sink::{Patient, escape_json, is_utf_8};

use self::table::Style;
use super::{complain, end_written};

const HELP: &str = "\
Examples:
  progrun history                 all runs, the latest last
  progrun history backup.sh       those of this name
  progrun history --json | jq     as they are stored
  progrun history --forget curl   remove those of this name
  progrun history --clear         remove all

progrun remembers each run of a second or more, to show it here and to estimate how long later runs
of the same command in the same directory take. Arguments are kept, as in the history of the shell;
the environment is not. --no-history and PROGRUN_HISTORY=0 switch it off. See progrun-history(1).";

/// Show what is remembered of earlier runs, or remove it
#[derive(Debug, Parser)]
#[command(
    name = "history",
    after_help = HELP,
    override_usage = "progrun history [NAME] [--json]\n       progrun history --clear | --forget NAME",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct History {
    /// Only the runs of this name
    #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
    name: Option<String>,

    /// Print the runs as they are stored: one JSON object a line
    #[arg(long)]
    json: bool,

    /// Remove all runs
    #[arg(long, conflicts_with_all = ["name", "json", "forget"])]
    clear: bool,

    /// Remove the runs of this name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, conflicts_with_all = ["name", "json"], value_hint = ValueHint::Other)]
    forget: Option<String>,
}

/// Nothing is remembered under the name that was asked for: as with grep, no failure of progrun's own.
const NOTHING: i32 = 1;

impl History {
    /// Does what is asked, and ends the process.
    pub(super) fn run(&self) -> ! {
        let Some(journal) = Journal::of_user() else {
            complain("there is no history without a home: set HOME or XDG_STATE_HOME");
            run::end(Ending::Status(FAILED));
        };
        let name = self.forget.as_deref();
        if self.clear || name.is_some() {
            forget(&journal, name)
        }
        self.show(&journal)
    }

    fn show(&self, journal: &Journal) -> ! {
        let mut runs = journal
            .all()
            .unwrap_or_else(|error| refuse(journal, "read", &error));
        if let Some(name) = &self.name {
            runs.retain(|(_, run)| run.is_called(name));
            if runs.is_empty() {
                nothing(name);
            }
        }
        if runs.is_empty() && !self.json {
            complain("no run is remembered yet");
        }
        let mut place = BufWriter::new(Patient(io::stdout()));
        let on_terminal = isatty(stdout());
        let written = if self.json {
            runs.iter().try_for_each(|(line, _)| {
                let line = if on_terminal {
                    escape_json(line)
                } else {
                    line.into()
                };
                writeln!(place, "{line}")
            })
        } else {
            let runs: Vec<Record> = runs.into_iter().map(|(_, run)| run).collect();
            let size = on_terminal.then(|| tcgetwinsize(stdout()).ok()).flatten();
            let style = Style {
                width: size
                    .map(|size| usize::from(size.ws_col))
                    .filter(|width| *width > 0),
                in_ascii: !is_utf_8(),
            };
            let mut lines = table::lines(&runs, style).into_iter();
            lines.try_for_each(|line| writeln!(place, "{line}"))
        };
        end_written(written.and_then(|()| place.flush()))
    }
}

/// Removes the runs of this name; none: all.
fn forget(journal: &Journal, name: Option<&str>) -> ! {
    let is_to_go = |run: &Record| name.is_none_or(|name| run.is_called(name));
    match journal.forget(is_to_go) {
        Ok(0) if name.is_some() => nothing(name.unwrap_or_default()),
        Ok(_) => run::end(Ending::Status(0)),
        Err(error) => refuse(journal, "change", &error),
    }
}

fn nothing(name: &str) -> ! {
    complain(&format!("no run called {name} is remembered"));
    run::end(Ending::Status(NOTHING))
}

fn refuse(journal: &Journal, what: &str, error: &io::Error) -> ! {
    let path = journal.path().display();
    complain(&format!(
        "cannot {what} the history {path}: {}",
        reason(error)
    ));
    run::end(Ending::Status(FAILED))
}
