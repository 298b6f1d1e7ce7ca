//! Finds the processes that still hold the other end of a pipe or pseudo-terminal. Only Linux tells, in /proc. What a
//! holder means is not known here.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::pty::ptsname;

/// What the name of a process of ours begins with that has not become its command yet: it has that of its worker's
/// thread, and until then a copy of each of our descriptors.
const STARTING: &str = "progrun-worker-";

/// The other processes that hold the pipe or pseudo-terminal of `end`, as `name (pid)`. Empty where the system does not
/// tell. None if those that do are only about to let go of it, because they become commands of other tasks.
pub(super) fn of(end: &OwnedFd) -> Option<Vec<String>> {
    let slave = ptsname(end, Vec::new()).ok().map(CString::into_string);
    let pipe = || rustix::fs::fstat(end).map(|stat| format!("pipe:[{}]", stat.st_ino));
    let link = match slave {
        Some(Ok(slave)) => slave,
        _ => match pipe() {
            Ok(pipe) => pipe,
            Err(_) => return Some(Vec::new()),
        },
    };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Some(Vec::new());
    };
    let own = std::process::id();
    let all: Vec<_> = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&pid| pid != own && holds(pid, &link))
        .map(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{} ({pid})", name.trim_end())
        })
        .collect();
    let stay = |holder: &String| !holder.starts_with(STARTING);
    let staying: Vec<_> = all.iter().filter(|holder| stay(holder)).cloned().collect();
    (all.is_empty() || !staying.is_empty()).then_some(staying)
}

fn holds(pid: u32, link: &str) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
        descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|l| l.as_os_str() == link)
        })
    })
}
