//! Finds the processes of a child that wait for keys, and those that were left stopped: seen from outside, in /proc.
//!
//! No event tells that a process reads from a terminal. On Linux, /proc says in which system call each thread is, and
//! with which descriptors, so no process has to be stopped to be asked. What follows from that is decided by the
//! worker. On other systems no process is ever seen to wait, and a child that is already in a read gets its line even
//! when the terminal is ours again.

use std::os::fd::AsFd;

use rustix::fs::{Dev, Stat, fstat};
use rustix::process::Pid;

/// A terminal that a process may wait at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tty {
    /// The controlling terminal, under whatever name.
    Controlling,
    /// Another one: the file system of its file, and its inode there. Numbers of terminals are not enough: a container
    /// has its own, and they begin at 0 like those outside.
    Other(Dev, u64),
}

impl Tty {
    /// The terminal that is open as `end`.
    pub(super) fn of(end: impl AsFd) -> Option<Self> {
        fstat(end).ok().map(|stat| Self::at(&stat))
    }

    fn at(stat: &Stat) -> Self {
        Self::Other(stat.st_dev, stat.st_ino)
    }
}

/// How processes wait for a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// A thread is blocked in a read of it, or waits until it can be read, and for no other descriptor.
    pub(super) reads: bool,
    /// A thread waits until it can be read, alone or among other descriptors, as an editor does, and a program that
    /// only relays keys.
    pub(super) watches: bool,
    /// A process cannot be looked into, because it runs as another user.
    pub(super) is_hidden: bool,
}

impl Waiting {
    /// How the processes of these groups wait at `tty`.
    pub(super) fn at(tty: Tty, groups: &[Pid]) -> Self {
        #[cfg(target_os = "linux")]
        return linux::waiting(tty, groups);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (tty, groups);
            Self::default()
        }
    }
}

/// The processes of this group that were stopped before they had done anything.
///
/// No user stopped them on purpose. A process that is being forked while its group is stopped and continued gets the
/// stop but not the SIGCONT, and would stay stopped for ever: Linux passes on to it the signals that the group got
/// meanwhile, but not a SIGCONT without a handler (measured: some 30 in 6,000 such pairs).
pub(super) fn born_stopped(group: Pid) -> Vec<Pid> {
    #[cfg(target_os = "linux")]
    return linux::born_stopped(group);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = group;
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, read, read_dir, read_to_string};
    use std::os::unix::fs::FileExt;

    use libc::c_long;
    use rustix::fs::{Stat, major, makedev, minor, stat};
    use rustix::process::Pid;

    use super::{Tty, Waiting};

    /// `PF_FORKNOEXEC`: the process was forked and has not called exec.
    const FORKED: u64 = 0x40;
    /// The device number of `/dev/tty`, major and minor.
    const OWN_TERMINAL: (u32, u32) = (5, 0);
    /// The most descriptors of one poll or select that are read.
    const MOST: usize = 4096;
    const POLL_FD: usize = 8;

    /// A process as its `stat` in /proc shows it.
    struct Process {
        pid: Pid,
        state: u8,
        group: i32,
        /// The number of its controlling terminal.
        terminal: u64,
        flags: u64,
        /// Minor page faults, and CPU ticks in user mode and in the kernel (`minflt`, `utime`, `stime`).
        used: [u64; 3],
    }

    impl Process {
        fn read(pid: Pid) -> Option<Self> {
            let stat = read(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
            let stat = String::from_utf8_lossy(&stat);
            // The name of the program comes first, in parentheses, and may contain anything.
            let (_, rest) = stat.rsplit_once(") ")?;
            let fields: Vec<_> = rest.split_ascii_whitespace().collect();
            let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
            Some(Self {
                pid,
                state: *fields.first()?.as_bytes().first()?,
                group: fields.get(2)?.parse().ok()?,
                // A signed number; 0 is none.
                terminal: fields.get(4)?.parse::<i64>().ok()?.cast_unsigned() & 0xffff_ffff,
                flags: number(6)?,
                used: [number(7)?, number(11)?, number(12)?],
            })
        }

        fn is_at(&self, tty: Tty, stat: &Stat) -> bool {
            match tty {
                Tty::Other(..) => Tty::at(stat) == tty,
                Tty::Controlling => {
                    let number = self.terminal;
                    let device = makedev(
                        u32::try_from(number >> 8 & 0xfff).unwrap_or(0),
                        u32::try_from(number & 0xff | number >> 12 & 0xfff00).unwrap_or(0),
                    );
                    let own = (major(stat.st_rdev), minor(stat.st_rdev)) == OWN_TERMINAL;
                    number != 0 && (own || stat.st_rdev == device)
                }
            }
        }
    }

    /// The processes of these groups, except those that have ended.
    fn members(groups: &[Pid]) -> impl Iterator<Item = Process> {
        let numbers = read_dir("/proc").into_iter().flatten().flatten();
        numbers
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .filter_map(Process::read)
            .filter(|process| {
                let is_one = |group: &Pid| group.as_raw_pid() == process.group;
                groups.iter().any(is_one) && !matches!(process.state, b'Z' | b'X')
            })
    }

    pub(super) fn born_stopped(group: Pid) -> Vec<Pid> {
        members(&[group])
            .filter(|process| {
                // One fault comes from the store of its own number in its memory (CLONE_CHILD_SETTID).
                let [faults, own, system] = process.used;
                process.state == b'T'
                    && process.flags & FORKED != 0
                    && faults <= 1
                    && own + system == 0
            })
            .map(|process| process.pid)
            .collect()
    }

    pub(super) fn waiting(tty: Tty, groups: &[Pid]) -> Waiting {
        let mut all = Waiting::default();
        for process in members(groups) {
            let folder = format!("/proc/{}", process.pid.as_raw_pid());
            let tasks = read_dir(format!("{folder}/task"));
            for task in tasks.into_iter().flatten().flatten() {
                match read_to_string(task.path().join("syscall")) {
                    Ok(call) => {
                        if let Some(call) = Call::parse(&call) {
                            call.look(&folder, &process, tty, &mut all);
                        }
                    }
                    // A thread that is gone waits for nothing.
                    Err(_) => all.is_hidden |= task.path().exists(),
                }
            }
        }
        all
    }

    /// A system call that a thread is in.
    struct Call {
        number: c_long,
        arguments: [u64; 4],
    }

    impl Call {
        /// None if the thread is in no system call.
        fn parse(text: &str) -> Option<Self> {
            let mut words = text.split_ascii_whitespace();
            let number = words.next()?.parse().ok()?;
            let mut arguments = [0; 4];
            for argument in &mut arguments {
                let word = words.next()?.strip_prefix("0x")?;
                *argument = u64::from_str_radix(word, 16).ok()?;
            }
            Some(Self { number, arguments })
        }

        /// Notes in `all` how the thread waits at `tty`.
        fn look(&self, folder: &str, process: &Process, tty: Tty, all: &mut Waiting) {
            let [first, second, ..] = self.arguments;
            let is_there = |descriptor: &u64| {
                stat(format!("{folder}/fd/{descriptor}"))
                    .is_ok_and(|stat| process.is_at(tty, &stat))
            };
            if [libc::SYS_read, libc::SYS_readv].contains(&self.number) {
                all.reads |= is_there(&first);
                return;
            }
            let watched = match self.number {
                number if is_poll(number) => polled(folder, first, second),
                number if is_select(number) => selected(folder, first, second),
                number if is_epoll(number) => in_epoll(folder, first),
                _ => return,
            };
            let there = watched.iter().filter(|number| is_there(number)).count();
            all.reads |= there > 0 && there == watched.len();
            all.watches |= there > 0;
        }
    }

    fn is_poll(number: c_long) -> bool {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "arm"))]
        if number == libc::SYS_poll {
            return true;
        }
        number == libc::SYS_ppoll
    }

    fn is_select(number: c_long) -> bool {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if number == libc::SYS_select {
            return true;
        }
        number == libc::SYS_pselect6
    }

    fn is_epoll(number: c_long) -> bool {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "arm"))]
        if number == libc::SYS_epoll_wait {
            return true;
        }
        number == libc::SYS_epoll_pwait || number == libc::SYS_epoll_pwait2
    }

    /// `length` bytes of the memory of a process.
    fn memory(folder: &str, at: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let memory = File::open(format!("{folder}/mem")).ok()?;
        memory.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    /// The descriptors for which this `poll` waits until they can be read.
    fn polled(folder: &str, at: u64, count: u64) -> Vec<u64> {
        let count = usize::try_from(count).unwrap_or(MOST).min(MOST);
        let bytes = memory(folder, at, count * POLL_FD).unwrap_or_default();
        bytes
            .chunks_exact(POLL_FD)
            .filter_map(|one| {
                let descriptor = i32::from_ne_bytes(one[..4].try_into().ok()?);
                let events = i16::from_ne_bytes(one[4..6].try_into().ok()?);
                (events & libc::POLLIN != 0)
                    .then_some(descriptor)?
                    .try_into()
                    .ok()
            })
            .collect()
    }

    /// The same for `select`.
    fn selected(folder: &str, count: u64, at: u64) -> Vec<u64> {
        const WORD: usize = size_of::<libc::c_ulong>();
        let count = usize::try_from(count).unwrap_or(MOST).min(MOST);
        let bytes = memory(folder, at, count.div_ceil(WORD * 8) * WORD).unwrap_or_default();
        let words = bytes.chunks_exact(WORD).enumerate();
        words
            .flat_map(|(index, word)| {
                let word = libc::c_ulong::from_ne_bytes(word.try_into().unwrap_or_default());
                (0..WORD * 8)
                    .filter(move |bit| word & (1 << bit) != 0)
                    .filter_map(move |bit| u64::try_from(index * WORD * 8 + bit).ok())
            })
            .collect()
    }

    /// The same for an epoll descriptor.
    fn in_epoll(folder: &str, descriptor: u64) -> Vec<u64> {
        let info = read_to_string(format!("{folder}/fdinfo/{descriptor}")).unwrap_or_default();
        let entries = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
        entries
            .filter_map(|entry| {
                let mut words = entry.split_ascii_whitespace();
                let descriptor = words.next()?.parse().ok()?;
                let events = u64::from_str_radix(words.nth(1)?, 16).ok()?;
                (events & libc::EPOLLIN as u64 != 0).then_some(descriptor)
            })
            .collect()
    }
}
