//! The processes behind our stdout, where that is a pipe: as in `progrun -- COMMAND | tee FILE`, the last of them may
//! show on the terminal what the children print. Knows neither bars nor sinks.

use std::fs::{self, metadata, read_link};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::fstat;
use rustix::process::{Pid, getpid, getppid};
use rustix::stdio::stderr;

use crate::system::groups;

/// How long the process at the other end is waited for. A shell starts it a moment after us.
const START: Duration = Duration::from_millis(10);
/// The same where there need not be one: the pipe may be that of `$(...)`.
const START_IN_GROUP: Duration = Duration::from_millis(3);
/// Between two looks.
const LOOK: Duration = Duration::from_micros(250);
/// How many processes a pipeline has at most.
const LONGEST: usize = 16;

/// Whether our stdout is a pipe of this job at whose end a process writes to our terminal (Linux). A pipe with another
/// reader, such as the shell of `$(...)`, is none.
pub(super) fn ends_on_our_terminal() -> bool {
    let (Ok(pipe), Ok(terminal)) = (read_link("/proc/self/fd/1"), fstat(stderr())) else {
        return false;
    };
    // A shell with job control makes the first command of a pipeline the leader of its group.
    let leads = groups::ours() == Some(getpid());
    let end = Instant::now() + if leads { START } else { START_IN_GROUP };
    loop {
        let looks_further = Instant::now() < end;
        match follow(pipe.clone(), terminal.st_rdev, !looks_further) {
            Some(answer) => return answer,
            None if looks_further => thread::sleep(LOOK),
            None => return false,
        }
    }
}

/// Whether the processes that read this pipe, one after the other, end on the terminal; none: one of them is not there,
/// or is still the shell, which has yet to redirect its stdout. The `last` look takes them as they are.
fn follow(mut pipe: PathBuf, terminal: u64, last: bool) -> Option<bool> {
    let shell = getppid().map_or(0, Pid::as_raw_pid);
    let processes = members(shell, last);
    let program = |process: u32| read_link(format!("/proc/{process}/exe")).ok();
    let shell = u32::try_from(shell).ok().and_then(program);
    for _ in 0..LONGEST {
        let reads = |process: &&u32| read_link(descriptor(**process, 0)).is_ok_and(|it| it == pipe);
        let process = *processes.iter().find(reads)?;
        if !last && program(process) == shell {
            return None;
        }
        let next = read_link(descriptor(process, 1)).ok()?;
        if metadata(descriptor(process, 1)).is_ok_and(|stat| stat.rdev() == terminal) {
            return Some(true);
        }
        if !next.to_string_lossy().starts_with("pipe:") || next == pipe {
            return Some(false);
        }
        pipe = next;
    }
    Some(false)
}

fn descriptor(process: u32, number: u8) -> String {
    format!("/proc/{process}/fd/{number}")
}

/// The other processes of our group: those that the same shell has started, or all if it is not our parent.
fn members(shell: i32, everywhere: bool) -> Vec<u32> {
    let siblings = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let names: Vec<String> = match siblings {
        Ok(names) if !everywhere => names.split_whitespace().map(str::to_owned).collect(),
        _ => {
            let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.collect()
        }
    };
    let own = getpid();
    let is_member = |process: &u32| {
        let process = i32::try_from(*process).ok().and_then(Pid::from_raw);
        let process = process.filter(|process| *process != own);
        process.is_some_and(|process| {
            groups::ours().is_some_and(|group| groups::of(process) == Some(group))
        })
    };
    names
        .iter()
        .filter_map(|name| name.parse().ok())
        .filter(is_member)
        .collect()
}
