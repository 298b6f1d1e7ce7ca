//! Runs a list of commands as one run of many tasks, for `tests/many.rs` and others.
//!
//! `many-tasks SLOTS TASKS EVENTS COMMAND [ARG]... [+ COMMAND [ARG]...]...`: TASKS tasks, at most SLOTS at once; the
//! commands take turns. The events go to the file EVENTS. The word TASK in an argument is replaced by the number of the
//! task.

use std::ffi::OsString;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let tasks: usize = words[2].parse()?;
    let commands: Vec<_> = words[4..].split(|word| word == "+").collect();
    let command = |number: usize| {
        let words = commands[(number - 1) % commands.len()].iter();
        let words = words.map(|word| word.replace("TASK", &number.to_string()));
        words.map(OsString::from).collect()
    };
    let list = (1..=tasks).map(command).collect();
    progrun::internals::run_list(list, words[1].parse()?, PathBuf::from(&words[3]))?;
    Ok(())
}
