//! A descriptor that wakes a thread out of `poll`: an eventfd on Linux, elsewhere a pipe.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The end that wakes. Its clones wake the same thread.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<OwnedFd>);

/// The end that is polled.
#[derive(Debug)]
pub(crate) struct Woken(Arc<OwnedFd>);

/// The two ends. Neither ever blocks.
///
/// # Errors
/// If there is no descriptor for them.
pub(crate) fn wake() -> io::Result<(Wake, Woken)> {
    #[cfg(target_os = "linux")]
    {
        use rustix::event::{EventfdFlags, eventfd};
        let both = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let both = Arc::new(both);
        Ok((Wake(Arc::clone(&both)), Woken(both)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (woken, wake) = io::pipe()?;
        let (woken, wake) = (OwnedFd::from(woken), OwnedFd::from(wake));
        rustix::io::ioctl_fionbio(&woken, true)?;
        rustix::io::ioctl_fionbio(&wake, true)?;
        Ok((Wake(Arc::new(wake)), Woken(Arc::new(woken))))
    }
}

impl Wake {
    /// Wakes the thread, now or when it next polls. A full descriptor is a wake-up already.
    pub(crate) fn wake(&self) {
        // What an eventfd takes; a pipe takes it as well.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Woken {
    /// Takes the wake-ups that have come.
    pub(crate) fn clear(&self) {
        let mut wakes = [0; 64];
        while rustix::io::read(&*self.0, &mut wakes).is_ok_and(|count| count == wakes.len()) {}
    }
}

impl AsFd for Woken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
