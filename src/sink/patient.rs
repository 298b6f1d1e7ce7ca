//! Writing to a place that another process may have made non-blocking.
//!
//! Whether a description blocks is a property that all its holders share: node and ssh leave their terminal, or the pipe
//! that a caller hands on, non-blocking. There a full pipe is EAGAIN, which is no error: what follows would be lost.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Writes as if the place were blocking, whatever it is.
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
