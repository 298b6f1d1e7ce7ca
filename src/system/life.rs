//! Whether a process lives, told apart from a later one with the same number, and whether it is stopped.

/// When the process of this number began, in ticks since the machine did: two processes with one number differ in it.
/// None: there is none, or it has ended and waits to be reaped.
#[cfg(target_os = "linux")]
#[must_use]
pub(crate) fn began(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    // The 22nd field of all, see proc(5).
    let began = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(began)
}

/// The same for a process that lives, where the system does not tell when it began.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub(crate) fn began(pid: i32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(pid)?;
    rustix::process::test_kill_process(pid).ok().map(|()| 0)
}

/// Whether the process is stopped, as by SIGSTOP or Ctrl-Z.
#[cfg(target_os = "linux")]
#[must_use]
pub(crate) fn is_stopped(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('T' | 't'))
}

/// The system does not tell.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub(crate) fn is_stopped(_pid: i32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_has_ended_does_not() {
        let ours = i32::try_from(std::process::id()).unwrap();
        assert!(began(ours).is_some());
        assert!(!is_stopped(ours));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(began(pid), None);
    }
}
