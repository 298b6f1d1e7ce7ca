//! Starts a process that is no task of ours, by the means of the standard library.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::reason::reason;

use super::reap;
use super::signals::Blocked;

/// Starts it. Its caller sees its end by [`Child::try_wait`], and then tells that by [`reap::forget`].
///
/// # Errors
/// Those of the system.
pub(crate) fn start(command: &mut Command) -> io::Result<Child> {
    let number = |child: &Child| {
        let pid = i32::try_from(child.id()).ok();
        pid.and_then(Pid::from_raw).unwrap_or(Pid::INIT)
    };
    // It has the mask of this thread: a shell that never gets SIGCHLD would wait for ever.
    let _none = Blocked::none();
    reap::entered(|| command.spawn(), number)
}

/// How often it is looked at whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Runs this program with these arguments, and kills it if it takes longer. No words: there is nothing to run.
///
/// # Errors
/// Why it has failed, in a few words.
pub(crate) fn run_within(words: &[String], limit: Duration) -> Result<(), String> {
    let [program, words @ ..] = words else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = start(&mut command).map_err(|error| reason(&error))?;
    let until = Instant::now() + limit;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                break Err(format!("no answer in {} s", limit.as_secs()));
            }
            Err(error) => break Err(reason(&error)),
        }
    };
    reap::forget(&child);
    let status = ended?;
    if status.success() {
        return Ok(());
    }
    // A process that it has left may hold the pipe: what there is by now is enough.
    let mut said = [0; 4096];
    let stderr = child.stderr.as_mut();
    let _ = stderr
        .as_ref()
        .map(|end| rustix::io::ioctl_fionbio(end, true));
    let count = stderr.map_or(0, |end| end.read(&mut said).unwrap_or(0));
    let said = String::from_utf8_lossy(&said[..count]);
    match said.trim() {
        "" => Err(status.to_string()),
        said => Err(said.to_owned()),
    }
}
