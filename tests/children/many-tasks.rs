//! Runs commands in one run of so many tasks, so many at once: `many-tasks SLOTS TASKS EVENTS COMMAND [ARG]... [+ COMMAND
//! [ARG]...]...`. The commands take turns. The events go to the file EVENTS. Where the word TASK stands in an argument the task's
//! number is put.

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
