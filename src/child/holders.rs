//! Finds the processes that still hold the other end of a pipe or pseudo-terminal. Only Linux tells, in /proc. What a
//! holder means is not known here.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::pty::ptsname;

/// The other processes that hold the pipe or pseudo-terminal of `end`, as `name (pid)`. Empty where the system does not
/// tell.
pub(super) fn of(end: &OwnedFd) -> Vec<String> {
    let slave = ptsname(end, Vec::new()).ok().map(CString::into_string);
    let pipe = || rustix::fs::fstat(end).map(|stat| format!("pipe:[{}]", stat.st_ino));
    let link = match slave {
        Some(Ok(slave)) => slave,
        _ => match pipe() {
            Ok(pipe) => pipe,
            Err(_) => return Vec::new(),
        },
    };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|&pid| pid != own && holds(pid, &link))
        .map(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{} ({pid})", name.trim_end())
        })
        .collect()
}

fn holds(pid: u32, link: &str) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|descriptors| {
        descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|l| l.as_os_str() == link)
        })
    })
}
