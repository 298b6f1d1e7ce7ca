//! Reads, in Linux's /proc, the children of a process, its usage, its open files and the position in each.
//!
//! Draws no conclusions. Data that cannot be read, because the process is gone or another user's, counts as missing.
//! Nothing here waits for a disk or a server except [`size`].

use std::fs::File;
use std::io::Read;
use std::ops::AddAssign;
use std::path::PathBuf;

/// The usage of a process since its start, with that of the children that it has waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Processor time, in ticks.
    pub(super) ticks: u64,
    /// Bytes that its system calls read and wrote: of files, pipes and terminals.
    pub(super) transferred: [u64; 2],
    /// Bytes that were read from disks and written to them.
    pub(super) stored: [u64; 2],
}

impl Usage {
    pub(super) fn has_written_less_than(&self, later: &Self) -> bool {
        self.transferred[1] < later.transferred[1] || self.stored[1] < later.stored[1]
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.ticks += other.ticks;
        for way in 0..2 {
            self.transferred[way] += other.transferred[way];
            self.stored[way] += other.stored[way];
        }
    }
}

/// A file that a process has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// The number of the descriptor.
    pub(super) number: i32,
    pub(super) path: PathBuf,
    pub(super) position: u64,
    /// Whether it is only read. A file that is written as well, or has no name any more, is the process's own scratch
    /// file.
    pub(super) reads: bool,
}

/// The process and its descendants, at most `processes` of them, found by looking at no more than `tasks` of their
/// threads.
pub(super) fn tree(root: i32, processes: usize, mut tasks: usize) -> Vec<i32> {
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() && tasks > 0 {
        let folder = format!("/proc/{}/task", tree[next]);
        next += 1;
        for task in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Some(left) = tasks.checked_sub(1) else {
                break;
            };
            tasks = left;
            let task = task.file_name();
            let children = read(&format!("{folder}/{}/children", task.to_string_lossy()));
            let children = children.unwrap_or_default();
            let children = children.split_ascii_whitespace();
            tree.extend(children.filter_map(|child| child.parse::<i32>().ok()));
        }
        tree.truncate(processes);
    }
    tree
}

/// The usage of the process. None if it is gone.
pub(super) fn usage(pid: i32) -> Option<Usage> {
    let ticks = ticks(&read(&format!("/proc/{pid}/stat"))?)?;
    // The kernel hides this file of another user's process, and tells only the time.
    let io = read(&format!("/proc/{pid}/io")).unwrap_or_default();
    let (transferred, stored) = amounts(&io);
    Some(Usage {
        ticks,
        transferred,
        stored,
    })
}

/// The files that the process has open, except pipes and sockets. Looks at no more than `descriptors` descriptors, and
/// subtracts each from it.
pub(super) fn open_files(pid: i32, descriptors: &mut usize) -> Vec<Open> {
    let mut files = Vec::new();
    let folder = format!("/proc/{pid}/fd");
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let Some(left) = descriptors.checked_sub(1) else {
            break;
        };
        *descriptors = left;
        let number = entry.file_name();
        let number = number.to_str().and_then(|number| number.parse().ok());
        let (Some(number), Ok(path)) = (number, std::fs::read_link(entry.path())) else {
            continue;
        };
        // A file without a path is written as `pipe:[1234]`.
        if path.is_absolute()
            && let Some(info) = read(&format!("/proc/{pid}/fdinfo/{number}"))
            && let Some((position, reads)) = position(&info)
        {
            let deleted = path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
            files.push(Open {
                number,
                path,
                position,
                reads: reads && !deleted,
            });
        }
    }
    files
}

/// The size of an open file. None if it is neither a regular file nor a disk.
///
/// On a network file system this may wait for the server, although it asks only for what the kernel knows already
/// (`AT_STATX_DONT_SYNC`): only for files that a process has just read or written.
#[cfg(target_os = "linux")]
pub(super) fn size(pid: i32, number: i32) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

    const SECTOR: u64 = 512;
    let wanted = StatxFlags::TYPE | StatxFlags::SIZE;
    let path = format!("/proc/{pid}/fd/{number}");
    let stat = statx(CWD, path, AtFlags::STATX_DONT_SYNC, wanted).ok()?;
    match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => Some(stat.stx_size),
        FileType::BlockDevice => {
            let device = format!("{}:{}", stat.stx_rdev_major, stat.stx_rdev_minor);
            let sectors = read(&format!("/sys/dev/block/{device}/size"))?;
            Some(sectors.trim().parse::<u64>().ok()?.saturating_mul(SECTOR))
        }
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn size(_pid: i32, _number: i32) -> Option<u64> {
    None
}

/// The text of a file of /proc, which one read gives.
fn read(path: &str) -> Option<String> {
    // Some are longer, but the fields that we need are at the beginning.
    let mut buffer = [0; 4096];
    let length = File::open(path).ok()?.read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// The processor time in the text of `stat`: that of the process, and that of the children it has waited for.
fn ticks(stat: &str) -> Option<u64> {
    // The name of the program comes first, in parentheses, and may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields = rest.split_ascii_whitespace().skip(11).take(4);
    let fields: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    (fields.len() == 4).then(|| fields.iter().sum())
}

/// The value of `name` in the text of `io` or `fdinfo`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// The amounts in the text of `io`.
fn amounts(io: &str) -> ([u64; 2], [u64; 2]) {
    let amount = |name| {
        let amount = value(io, name).and_then(|value| value.parse().ok());
        amount.unwrap_or(0)
    };
    (
        [amount("rchar"), amount("wchar")],
        [amount("read_bytes"), amount("write_bytes")],
    )
}

/// The position in the text of `fdinfo`, and whether the file can only be read through this descriptor.
fn position(fdinfo: &str) -> Option<(u64, bool)> {
    const ACCESS: u32 = 3;
    const READ_ONLY: u32 = 0;
    let position = value(fdinfo, "pos")?.parse().ok()?;
    let flags = u32::from_str_radix(value(fdinfo, "flags")?, 8).ok()?;
    Some((position, flags & ACCESS == READ_ONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_read_whatever_its_name_holds() {
        let stat =
            "71 (a) R (1 2 3) S 70 71 71 0 -1 4194560 900 80 0 0 7 3 20 10 20 0 1 0 5000 9 9\n";
        assert_eq!(ticks(stat), Some(40));
        assert_eq!(
            ticks("71 (sh) S 70 71 71 0 -1 4194560 900 80 0 0 7 3 20"),
            None
        );
        assert_eq!(ticks("nonsense"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn what_went_through_system_calls_is_told_from_what_went_to_disks() {
        let io = "rchar: 1000\nwchar: 200\nsyscr: 5\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\n\
                  cancelled_write_bytes: 1\n";
        assert_eq!(amounts(io), ([1000, 200], [4096, 8192]));
        assert_eq!(amounts("rchar: many\n"), ([0, 0], [0, 0]));
    }

    #[test]
    fn the_position_in_a_file_is_read_and_whether_it_can_only_be_read() {
        let open = |flags| format!("pos:\t52428800\nflags:\t{flags}\nmnt_id:\t29\nino:\t12\n");
        assert_eq!(position(&open("0104000")), Some((52_428_800, true)));
        assert_eq!(position(&open("0100001")), Some((52_428_800, false)));
        assert_eq!(position(&open("02")), Some((52_428_800, false)));
        assert_eq!(position("pos:\t7\n"), None);
        assert_eq!(position("pos:\t-1\nflags:\t0\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn our_own_files_are_found_with_position_and_size() {
        use std::io::{Seek, SeekFrom};
        use std::os::fd::AsRawFd;
        let written = tempfile::NamedTempFile::new().unwrap();
        written.as_file().set_len(3_000_000).unwrap();
        let mut file = File::open(written.path()).unwrap();
        file.seek(SeekFrom::Start(1_000_000)).unwrap();
        let pid = std::process::id().try_into().unwrap();
        let number = file.as_raw_fd();
        let mut descriptors = 10_000;
        let files = open_files(pid, &mut descriptors);
        let of = |files: &[Open], number| {
            let mut files = files.iter();
            files.find(|open| open.number == number).unwrap().clone()
        };
        let open = of(&files, number);
        assert_eq!(open.path, written.path());
        assert_eq!((open.position, open.reads), (1_000_000, true));
        assert!(!of(&files, written.as_file().as_raw_fd()).reads);
        assert_eq!(size(pid, number), Some(3_000_000));
        assert!(descriptors < 10_000);
        drop(written);
        assert!(!of(&open_files(pid, &mut 10_000), number).reads, "deleted");
        assert!(open_files(pid, &mut 0).is_empty());
    }

    #[test]
    fn a_process_that_is_gone_has_nothing() {
        let of_none = i32::MAX;
        assert_eq!(usage(of_none), None);
        assert!(open_files(of_none, &mut 10).is_empty());
        assert_eq!(tree(of_none, 10, 10), [of_none]);
    }
}
