//! What one watcher has not read yet. Bounded: a watcher that is stopped must not fill the memory of the run.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How many bytes wait for a watcher, at most.
const MOST: usize = 1024 * 1024;
/// How long the end of a run waits for watchers that still read.
const LAST: Duration = Duration::from_millis(50);

/// The way to one watcher.
#[derive(Debug)]
pub(super) struct Queue {
    /// None once it is gone.
    stream: Option<UnixStream>,
    frames: VecDeque<Arc<Vec<u8>>>,
    /// How much of the first frame is written.
    written: usize,
    length: usize,
    /// It is too slow, and has missed so many bytes of output since.
    behind: Option<u64>,
}

impl Queue {
    /// To a watcher behind `stream`, which does not block.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream: Some(stream),
            frames: VecDeque::new(),
            written: 0,
            length: 0,
            behind: None,
        }
    }

    /// Adds a frame with so many bytes of output, or leaves it out if the watcher is too slow.
    pub(super) fn push(&mut self, frame: &Arc<Vec<u8>>, output: u64) {
        if let Some(missed) = &mut self.behind {
            *missed += output;
        } else if self.length > 0 && self.length + frame.len() > MOST {
            self.behind = Some(output);
        } else {
            self.length += frame.len();
            self.frames.push_back(Arc::clone(frame));
        }
    }

    /// How much output it has missed, once it has read all that was before: it needs the picture anew.
    pub(super) fn has_caught_up(&mut self) -> Option<u64> {
        self.behind.take_if(|_| self.frames.is_empty())
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    pub(super) fn has_something(&self) -> bool {
        !self.frames.is_empty() || self.behind.is_some()
    }

    /// Writes what the watcher takes at once.
    pub(super) fn write(&mut self) {
        while let (Some(frame), Some(stream)) = (self.frames.front(), &mut self.stream) {
            match stream.write(&frame[self.written..]) {
                Ok(written) => {
                    self.written += written;
                    self.length -= written;
                    if self.written == frame.len() {
                        self.frames.pop_front();
                        self.written = 0;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.stream = None,
            }
        }
    }
}

/// Writes the rest to those that take it within a moment. One that has not kept up is not waited for.
pub(super) fn write_last(queues: &mut [Queue]) {
    let until = Instant::now() + LAST;
    loop {
        let reads = |queue: &&mut Queue| {
            queue.is_open() && !queue.frames.is_empty() && queue.behind.is_none()
        };
        let mut waiting: Vec<_> = queues.iter_mut().filter(reads).collect();
        let left = until.saturating_duration_since(Instant::now());
        if waiting.is_empty() || left.is_zero() {
            return;
        }
        let streams = waiting.iter().filter_map(|queue| queue.stream.as_ref());
        let mut polled: Vec<_> = streams
            .map(|stream| PollFd::new(stream, PollFlags::OUT))
            .collect();
        let timeout = Timespec::try_from(left).unwrap_or_default();
        if poll(&mut polled, Some(&timeout)).is_ok_and(|ready| ready == 0) {
            return;
        }
        drop(polled);
        for queue in &mut waiting {
            queue.write();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn pair() -> (Queue, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Queue::new(ours), theirs)
    }

    #[test]
    fn a_watcher_that_reads_gets_everything_in_order() {
        let (mut queue, mut theirs) = pair();
        for text in ["one\n", "two\n"] {
            queue.push(&Arc::new(text.into()), 0);
            queue.write();
        }
        assert!(!queue.has_something());
        drop(queue);
        let mut read = String::new();
        theirs.read_to_string(&mut read).unwrap();
        assert_eq!(read, "one\ntwo\n");
    }

    #[test]
    fn a_watcher_that_does_not_read_misses_what_is_beyond_a_mebibyte_and_nothing_grows() {
        let (mut queue, mut theirs) = pair();
        let frame = Arc::new(vec![b'x'; 64 * 1024]);
        for _ in 0..1000 {
            queue.push(&frame, 1);
            queue.write();
        }
        assert!(queue.length <= MOST, "{}", queue.length);
        assert_eq!(queue.has_caught_up(), None);
        theirs.set_nonblocking(true).unwrap();
        let mut read = 0;
        let mut buffer = vec![0; 1024 * 1024];
        loop {
            match theirs.read(&mut buffer) {
                Ok(count) => read += count,
                Err(_) if queue.frames.is_empty() => break,
                Err(_) => queue.write(),
            }
        }
        let taken = read / frame.len();
        assert_eq!(read % frame.len(), 0);
        let missed = queue.has_caught_up().unwrap();
        assert_eq!(missed + taken as u64, 1000);
    }

    #[test]
    fn a_watcher_that_is_gone_is_forgotten() {
        let (mut queue, theirs) = pair();
        drop(theirs);
        queue.push(&Arc::new(b"x".to_vec()), 0);
        queue.write();
        assert!(!queue.is_open());
    }
}
