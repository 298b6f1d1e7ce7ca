//! Signals a child's group, and kills what left it.
//!
//! A group signal misses everything that called setsid. Where the system lets us find descendants (Linux) they are
//! killed too, but only in the last step of a stop: a normal end leaves daemons alone, for `progrun -- start-daemon`
//! must work.

use rustix::process::{Pid, Signal, kill_process_group};

/// Sends `signal` to the group of `leader`, which must not have been reaped. SIGCONT follows whatever asks a process to
/// end, because a stopped group acts on nothing before that.
pub(super) fn signal_group(leader: Pid, signal: i32) {
    let Some(signal) = Signal::from_named_raw(signal) else {
        return;
    };
    // An error means that nobody is left, or that nobody may be signalled: there is nothing to be done about either.
    let _ = kill_process_group(leader, signal);
    let asks_to_end = [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT].contains(&signal);
    if asks_to_end {
        let _ = kill_process_group(leader, Signal::CONT);
    }
}

/// Kills the group of `leader` and, on Linux, its descendants wherever they are.
pub(super) fn kill(leader: Pid) {
    #[cfg(target_os = "linux")]
    linux::kill_descendants(leader);
    let _ = kill_process_group(leader, Signal::KILL);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, kill_process_group,
        set_child_subreaper, waitid,
    };

    /// Each round kills what the last one uncovered: a process that is killed leaves its children to us. A fork bomb
    /// may win some rounds, never all.
    const ROUNDS: usize = 100;

    const BETWEEN_ROUNDS: Duration = Duration::from_millis(1);

    pub(super) fn kill_descendants(leader: Pid) {
        // Other children that we may have are nobody's orphans.
        let siblings = children(getpid());
        // From now on orphans become our children instead of init's, and the walk finds them.
        let _ = set_child_subreaper(Some(getpid()));
        for _ in 0..ROUNDS {
            let _ = kill_process_group(leader, Signal::KILL);
            let mut found = Vec::new();
            collect(leader, &mut found);
            for adopted in children(getpid()) {
                if !siblings.contains(&adopted) && !found.contains(&adopted) {
                    found.push(adopted);
                    collect(adopted, &mut found);
                }
            }
            found.retain(|pid| is_alive(*pid));
            if found.is_empty() {
                break;
            }
            for &pid in &found {
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(BETWEEN_ROUNDS);
            for pid in found {
                // The adopted ones are ours to reap; one that is not ours yet gives an error and comes next round.
                let _ = waitid(
                    WaitId::Pid(pid),
                    WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
                );
            }
        }
        let _ = set_child_subreaper(None);
    }

    /// Adds all descendants of `pid`.
    fn collect(pid: Pid, found: &mut Vec<Pid>) {
        for child in children(pid) {
            if !found.contains(&child) {
                found.push(child);
                collect(child, found);
            }
        }
    }

    /// The children of `pid`, from the lists that the kernel keeps for each thread.
    fn children(pid: Pid) -> Vec<Pid> {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            return Vec::new();
        };
        threads
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|list| {
                list.split_whitespace()
                    .filter_map(|child| child.parse().ok().and_then(Pid::from_raw))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn is_alive(pid: Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            // The state follows the name, which is in parentheses and may hold anything.
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes());
            state.is_some_and(|rest| !matches!(rest.first(), Some(b'Z' | b'X')))
        })
    }
}
