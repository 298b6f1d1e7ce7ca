//! Runs commands many times, by so many workers of one process: `many-children WORKERS TIMES COMMAND [ARG]... [+ COMMAND
//! [ARG]...]...`; the commands take turns. Prints how many started, how many did not, how many ended, what they ended by, and
//! how many descriptors are left open.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use progrun::internals::{Batch, Launch, Notice, Route, Selection, block, child};
use progrun::{ProgressExecutor, submit_progress};

fn launch(command: Vec<OsString>) -> Launch {
    Launch {
        command,
        channel: 3,
        socket: None,
        stdout: Route::Discard,
        stderr: Route::Discard,
        verbatim: false,
        from: Selection::None,
        zig: false,
        on_screen: false,
        wait_output: false,
        in_foreground: false,
        observe: false,
        parent: None,
        reader: None,
        kill_after: None,
    }
}

/// How many descriptors are open.
fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let (workers, times): (NonZeroUsize, usize) = (words[1].parse()?, words[2].parse()?);
    let commands = words[3..].split(|word| word == "+");
    let commands: Vec<Vec<OsString>> = commands
        .map(|words| words.iter().map(Into::into).collect())
        .collect();
    let before = descriptors();
    // As the run does.
    block(libc::SIGCHLD);
    let executor: ProgressExecutor<Batch, ()> = ProgressExecutor::new(workers);
    let counts = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let mut futures = Vec::new();
    for time in 0..times {
        let command = commands[time % commands.len()].clone();
        let counts = Arc::clone(&counts);
        futures.push(submit_progress(&executor, move |reporter| {
            let count = |what: &str| {
                let mut counts = counts.lock().expect("no thread has panicked");
                *counts.entry(what.to_owned()).or_default() += 1;
            };
            let (_control, orders) = child::line()?;
            let result = child::run(
                &launch(command),
                &orders,
                reporter,
                &|notice| match notice {
                    Notice::Started { .. } => count("started"),
                    Notice::NotStarted(_) => count("not started"),
                    Notice::Ended(_) => count("ended"),
                    _ => {}
                },
            );
            if let Err(error) = &result {
                count(&format!("{error:#}"));
            }
            result
        })?);
    }
    executor.route_until(|| futures.iter().all(progrun::ProgressFuture::done), None)?;
    drop((futures, executor));
    let left = descriptors() - before;
    if left > 0 {
        counts
            .lock()
            .expect("no thread has panicked")
            .insert("descriptors left".to_owned(), left);
    }
    println!("{:?}", counts.lock().expect("no thread has panicked"));
    Ok(())
}
