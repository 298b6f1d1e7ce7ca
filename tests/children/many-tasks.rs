//! Runs a command many times in one run, so many at once: `many-tasks SLOTS TIMES EVENTS COMMAND [ARG]...`. The events go to the
//! file EVENTS. Where the word TASK stands in an argument the task's number is put.

use std::ffi::OsString;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let times: usize = words[2].parse()?;
    let command = |number: usize| {
        let words = words[4..].iter();
        words
            .map(|word| OsString::from(word.replace("TASK", &number.to_string())))
            .collect()
    };
    let list = (1..=times).map(command).collect();
    progrun::internals::run_list(list, words[1].parse()?, PathBuf::from(&words[3]))?;
    Ok(())
}
