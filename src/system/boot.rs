//! Which start of the machine this is: a file that says another one was written before the machine went down.

/// The name of this start of the machine; none where the system gives it none.
#[must_use]
pub(crate) fn id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim_end().to_owned()).filter(|id| !id.is_empty())
}
