//! Where a process number means a process that we can see: the machine, and on it the namespace of process numbers, which
//! each container has of its own. A home may be shared by several of both.

use rustix::system::uname;

/// The name of this machine, which no other one should have; none where the system gives it none.
#[must_use]
pub(crate) fn id() -> Option<String> {
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    // Before the first boot of an image it is empty, or says so.
    let id = id.trim_end();
    (id.len() == 32).then(|| id.to_owned())
}

/// The name of this host, as its user knows it.
#[must_use]
pub(crate) fn host() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

/// The name of our namespace of process numbers; none where the system knows no such thing. It is another one's on
/// another machine.
#[must_use]
pub(crate) fn namespace() -> Option<String> {
    let name = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(name.to_str()?.to_owned())
}
