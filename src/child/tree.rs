//! Signals a child's group, kills the descendants that left it, and knows the processes above us.
//!
//! A group signal misses every process that called setsid. Where the system lets us find descendants (Linux) they are
//! killed too, but only in the last step of a stop: a normal end leaves daemons alone, for `progrun -- start-daemon`
//! must work. Out of reach stay descendants that run as another user, and orphans that gave up our environment before
//! they were seen below the child. Other orphans that we adopt are left alone: a daemon that was started before
//! `exec progrun` is a child of ours, too, and its orphans come to us while we look for those of the child. When to
//! signal is not decided here.

use std::iter;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process, kill_process_group};

use crate::system::groups;

use crate::system::signals;

/// Sends `signal` to the group of `leader`, which must not have been reaped, and to a leader that has left its group.
/// SIGCONT follows each signal that asks for an end, because a stopped group acts on nothing before that.
pub(super) fn signal_group(leader: Pid, signal: i32) {
    let Some(signal) = Signal::from_named_raw(signal) else {
        signals::send_real_time(leader, signal);
        return;
    };
    send(leader, signal);
    let asks_to_end = [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT].contains(&signal);
    if asks_to_end {
        send(leader, Signal::CONT);
    }
}

fn send(leader: Pid, signal: Signal) {
    // An error means that no process is left, or that we may signal none: either way nothing can be done.
    let _ = kill_process_group(leader, signal);
    if groups::of(leader) != Some(leader) {
        let _ = kill_process(leader, signal);
    }
}

/// Kills the rest of the group of `leader`, which must not have been reaped, and the leader even if it left the group.
pub(super) fn kill_group(leader: Pid) {
    send(leader, Signal::KILL);
}

/// Kills the group of `leader` and, on Linux, its descendants in any group or session. Orphans among them are
/// recognised by their environment: `tag` is the variable that only they have.
pub(super) fn kill(leader: Pid, tag: &str) {
    #[cfg(target_os = "linux")]
    linux::kill_all(
        &[(Some(leader.as_raw_nonzero().get()), tag.to_owned())],
        || kill_group(leader),
    );
    #[cfg(not(target_os = "linux"))]
    let _ = tag;
    kill_group(leader);
}

/// Kills these children, their groups and their descendants in any group or session, and what is left of children that
/// are over: one walk of /proc for all, where a walk for each would take its time for each. A child is given by the
/// number of its leader, if it lives, and by its tag.
pub(crate) fn kill_all(children: &[(Option<i32>, String)]) {
    #[cfg(target_os = "linux")]
    linux::kill_all(children, || ());
    #[cfg(not(target_os = "linux"))]
    for leader in children
        .iter()
        .filter_map(|(leader, _)| Pid::from_raw((*leader)?))
    {
        kill_group(leader);
    }
}

/// The processes of these children that live, as far as the system tells.
#[must_use]
pub(crate) fn living(tags: &[String]) -> Vec<i32> {
    #[cfg(target_os = "linux")]
    return linux::living(tags);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = tags;
        Vec::new()
    }
}

/// Whether `group` is the group of an ancestor of ours, or one that an ancestor started: another job of a shell above
/// us. Only for groups of our session.
pub(super) fn is_above(group: Pid) -> bool {
    let session = groups::session(None);
    let started_by = parent(group);
    iter::successors(getppid(), |process| parent(*process))
        .take_while(|process| groups::session(Some(*process)) == session)
        .chain(session.and_then(Pid::from_raw))
        .any(|process| started_by == Some(process) || groups::of(process) == Some(group))
}

/// Whether our process group is orphaned (POSIX): no parent of its members is in another group of our session. So no
/// process could continue it, and the system discards SIGTSTP, SIGTTIN and SIGTTOU for it. Judged by our own ancestors.
pub(super) fn is_orphaned() -> bool {
    let mut above = getppid();
    while let Some(process) = above.filter(|above| groups::of(*above) == groups::ours()) {
        // Our group is the first of the session, as under cron, in CI and in a service. What is above its leader is in
        // another session, and each further ancestor would cost a read of /proc.
        if groups::ours().map(Pid::as_raw_pid) == groups::session(None) {
            return true;
        }
        above = parent(process);
    }
    match above {
        Some(above) => groups::session(Some(above)) != groups::session(None),
        None => cfg!(target_os = "linux"),
    }
}

/// Whether our process group has members other than us and our ancestors, which wait for us: the other commands of a
/// pipeline, or processes that a script has left running.
pub(super) fn has_companions() -> bool {
    #[cfg(target_os = "linux")]
    {
        let above: Vec<_> = iter::successors(getppid(), |process| parent(*process)).collect();
        let is_other = |process: &linux::Process| {
            !process.is_dead && process.pid != getpid() && !above.contains(&process.pid)
        };
        linux::processes()
            .any(|process| groups::of(process.pid) == groups::ours() && is_other(&process))
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(target_os = "linux")]
fn parent(process: Pid) -> Option<Pid> {
    linux::Process::read(process)?.parent
}

/// Unknown elsewhere: of our ancestors, only the parent and the leader of the session are seen.
#[cfg(not(target_os = "linux"))]
fn parent(_: Pid) -> Option<Pid> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::fs::File;
    use std::io::Read;
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, kill_process, pidfd_open,
        pidfd_send_signal, set_child_subreaper, waitid,
    };

    /// Each round kills the processes that the last one uncovered: a killed process leaves its children to us. A fork
    /// bomb may win some rounds, never all.
    const ROUNDS: usize = 100;

    /// How many rounds in a row must find no process: one may end while /proc is read, and its new child be listed only
    /// in the next round.
    const QUIET_ROUNDS: usize = 3;

    const BETWEEN_ROUNDS: Duration = Duration::from_millis(1);

    /// A process as /proc shows it. The time of its start distinguishes it from a later process with the same number.
    pub(super) struct Process {
        pub(super) pid: Pid,
        pub(super) parent: Option<Pid>,
        started: u64,
        pub(super) is_dead: bool,
    }

    /// Kills these children and their descendants, round by round. `at_first` is done before each round.
    pub(super) fn kill_all(children: &[(Option<i32>, String)], at_first: impl Fn()) {
        let tags: HashSet<&str> = children.iter().map(|(_, tag)| tag.as_str()).collect();
        let leaders = children
            .iter()
            .filter_map(|(leader, _)| Pid::from_raw((*leader)?));
        // The number of a leader that is reaped meanwhile may be another's: its start tells them apart.
        let leaders: HashSet<_> = leaders
            .filter_map(|leader| Process::read(leader).map(|leader| leader.id()))
            .collect();
        // A process that is older than all leaders cannot descend from any.
        let first = leaders.iter().map(|(_, started)| *started).min();
        let since = first.filter(|_| leaders.len() == children.len());
        let us = getpid();
        // From now on orphans become our children instead of init's (PR_SET_CHILD_SUBREAPER), and are found again.
        let _ = set_child_subreaper(Some(us));
        let mut seen = HashSet::new();
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            at_first();
            let all: Vec<_> = processes()
                .filter(|process| process.pid != us && Some(process.started) >= since)
                .collect();
            let is_one = |process: &&Process| {
                seen.contains(&process.id())
                    || leaders.contains(&process.id())
                    || has_one_of(process.pid, &tags)
            };
            let mut tree: HashSet<_> = all.iter().filter(is_one).map(|it| it.pid).collect();
            let mut known = 0;
            while known < tree.len() {
                known = tree.len();
                let below = all
                    .iter()
                    .filter(|it| it.parent.is_some_and(|it| tree.contains(&it)));
                let below: Vec<_> = below.map(|process| process.pid).collect();
                tree.extend(below);
            }
            let tree: Vec<_> = all.iter().filter(|it| tree.contains(&it.pid)).collect();
            seen.extend(tree.iter().map(|process| process.id()));
            quiet += 1;
            for process in tree {
                if process.is_dead {
                    // Adopted processes are ours to reap. Our own children are for their workers.
                    let is_adopted = process.parent == Some(us) && !leaders.contains(&process.id());
                    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                    if is_adopted && matches!(waitid(WaitId::Pid(process.pid), ended), Ok(Some(_)))
                    {
                        quiet = 0;
                    }
                } else if process.kill().is_ok() {
                    quiet = 0;
                }
            }
            if quiet == QUIET_ROUNDS {
                break;
            }
            std::thread::sleep(BETWEEN_ROUNDS);
        }
        let _ = set_child_subreaper(None);
    }

    pub(super) fn living(tags: &[String]) -> Vec<i32> {
        let tags: HashSet<&str> = tags.iter().map(String::as_str).collect();
        let lives = |process: &Process| !process.is_dead && has_one_of(process.pid, &tags);
        let living = processes().filter(lives);
        living
            .map(|process| process.pid.as_raw_nonzero().get())
            .collect()
    }

    /// Whether one of `tags` is in the environment of the process. False for one of another user: the kernel does not
    /// show it.
    fn has_one_of(pid: Pid, tags: &HashSet<&str>) -> bool {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| {
                std::str::from_utf8(variable).is_ok_and(|variable| tags.contains(variable))
            })
        })
    }

    pub(super) fn processes() -> impl Iterator<Item = Process> {
        let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        numbers
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .filter_map(Process::read)
    }

    impl Process {
        pub(super) fn read(pid: Pid) -> Option<Self> {
            // The line is never longer, and one read gives all of it.
            let mut stat = [0; 2048];
            let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
            let length = file.read(&mut stat).ok()?;
            // The name of the program comes first, in parentheses, and may contain anything.
            let stat = String::from_utf8_lossy(&stat[..length]);
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut fields = rest.split_ascii_whitespace();
            Some(Self {
                pid,
                is_dead: matches!(fields.next()?, "Z" | "X"),
                parent: fields.next()?.parse().ok().and_then(Pid::from_raw),
                started: fields.nth(17)?.parse().ok()?,
            })
        }

        /// Identifies the process for ever: its number alone may be used again.
        fn id(&self) -> (Pid, u64) {
            (self.pid, self.started)
        }

        fn kill(&self) -> rustix::io::Result<()> {
            let handle = match pidfd_open(self.pid, PidfdFlags::empty()) {
                // Linux before 5.3. Another process may have got the number a moment ago.
                Err(Errno::NOSYS) => return kill_process(self.pid, Signal::KILL),
                handle => handle?,
            };
            match Self::read(self.pid) {
                Some(now) if now.started == self.started => pidfd_send_signal(handle, Signal::KILL),
                _ => Err(Errno::SRCH),
            }
        }
    }
}

/// Whether the process has a handler of its own for `signal`. False where the system does not tell.
pub(super) fn catches(pid: Pid, signal: i32) -> bool {
    is_in("SigCgt:", pid, signal)
}

/// Whether the process ignores `signal`, as under nohup. False where the system does not tell.
#[must_use]
pub(crate) fn ignores(pid: i32, signal: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| is_in("SigIgn:", pid, signal))
}

/// Whether `signal` is in this mask of the process.
fn is_in(mask: &str, pid: Pid, signal: i32) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(mask));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
