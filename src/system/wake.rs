//! A pipe that wakes a thread out of `poll`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The end that wakes. Its clones wake the same thread.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<OwnedFd>);

/// The end that is polled.
#[derive(Debug)]
pub(crate) struct Woken(OwnedFd);

/// The two ends. Neither ever blocks.
///
/// # Errors
/// If no pipe can be made.
pub(crate) fn wake() -> io::Result<(Wake, Woken)> {
    let (woken, wake) = io::pipe()?;
    let (woken, wake) = (OwnedFd::from(woken), OwnedFd::from(wake));
    rustix::io::ioctl_fionbio(&woken, true)?;
    rustix::io::ioctl_fionbio(&wake, true)?;
    Ok((Wake(Arc::new(wake)), Woken(woken)))
}

impl Wake {
    /// Wakes the thread, now or when it next polls. A full pipe is a wake-up already.
    pub(crate) fn wake(&self) {
        let _ = rustix::io::write(&*self.0, b"!");
    }
}

impl Woken {
    /// Takes the wake-ups that have come.
    pub(crate) fn clear(&self) {
        let mut wakes = [0; 64];
        while rustix::io::read(&self.0, &mut wakes).is_ok_and(|count| count == wakes.len()) {}
    }
}

impl AsFd for Woken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
