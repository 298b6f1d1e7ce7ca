//! Writing to a place that another process may have made non-blocking.
//!
//! `O_NONBLOCK` belongs to the open file, which all its holders share: node and ssh leave their terminal, or the pipe
//! that a caller hands on, non-blocking. There a write to a full pipe gives EAGAIN. Taken for an error, it would lose
//! the rest.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Writes as if the place were blocking.
#[derive(Debug)]
pub(crate) struct Patient<F>(pub F);

impl<F: AsFd> Write for Patient<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.0, bytes) {
                Err(Errno::AGAIN) => {
                    let mut ready = [PollFd::new(&self.0, PollFlags::OUT)];
                    // A place that is gone is ready, too: the next write says how.
                    let _ = poll(&mut ready, None);
                }
                Err(Errno::INTR) => {}
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
