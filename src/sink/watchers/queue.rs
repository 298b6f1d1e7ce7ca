//! What one watcher has not read yet. Bounded: a watcher that is stopped must not fill the memory of the run.
//!
//! What it has not read when the run is over goes into a file in memory that it has had from the beginning, if it has
//! asked for one: so it misses nothing, and the run need not wait for it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::system::handing;

/// How many bytes of output wait for a watcher, at most.
const MOST: u64 = 1024 * 1024;
/// And of all that it is told, which is longer: JSON has one to six bytes for each.
const MOST_TOLD: usize = 4 * 1024 * 1024;
/// How long the end of a run waits for watchers that still read, and have no file for the rest.
const LAST: Duration = Duration::from_millis(50);

/// Some lines for all watchers.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) lines: Arc<Vec<u8>>,
    /// How many bytes of output are in them.
    pub(super) output: u64,
}

/// The way to one watcher.
#[derive(Debug)]
pub(super) struct Queue {
    /// None once it is gone.
    stream: Option<UnixStream>,
    /// Where it finds what it has not read at the end of the run.
    rest: Option<File>,
    frames: VecDeque<Frame>,
    /// How much of the first frame is written.
    written: usize,
    length: usize,
    output: u64,
    /// It is too slow, and has missed so many bytes of output since.
    behind: Option<u64>,
}

impl Queue {
    /// To a watcher behind `stream`, which does not block.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream: Some(stream),
            rest: None,
            frames: VecDeque::new(),
            written: 0,
            length: 0,
            output: 0,
            behind: None,
        }
    }

    /// Gives the watcher the file for the rest. To be called before anything is written: then there is room for it.
    pub(super) fn hand_file(&mut self) {
        let stream = self.stream.as_ref();
        // Without one, as where the system has none, the end waits a moment for the watcher.
        self.rest = stream.and_then(|stream| handing::hand_file(stream).ok());
    }

    /// Adds a frame, or leaves it out if the watcher is too slow.
    pub(super) fn push(&mut self, frame: &Frame) {
        let is_full =
            self.output + frame.output > MOST || self.length + frame.lines.len() > MOST_TOLD;
        if let Some(missed) = &mut self.behind {
            *missed += frame.output;
        } else if is_full && !self.frames.is_empty() {
            self.behind = Some(frame.output);
        } else {
            self.append(frame);
        }
    }

    /// Adds a frame that must not be left out, unless some before it were.
    pub(super) fn append(&mut self, frame: &Frame) {
        if self.behind.is_none() {
            self.length += frame.lines.len();
            self.output += frame.output;
            self.frames.push_back(frame.clone());
        }
    }

    /// How much output it has missed, once it has read all that was before: it needs the picture anew.
    pub(super) fn has_caught_up(&mut self) -> Option<u64> {
        self.behind.take_if(|_| self.frames.is_empty())
    }

    /// How much output it has missed, at the end of the run, if the file takes all that it has not read: it needs the
    /// picture anew, after that.
    pub(super) fn will_catch_up(&mut self) -> Option<u64> {
        self.behind.take_if(|_| self.rest.is_some())
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
            match stream.write(&frame.lines[self.written..]) {
                Ok(written) => {
                    self.written += written;
                    self.length -= written;
                    if self.written == frame.lines.len() {
                        self.output -= frame.output;
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

    /// Writes the rest to the file. The watcher looks there when the connection is closed.
    fn write_rest(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        for frame in self.frames.drain(..) {
            let lines = &frame.lines[std::mem::take(&mut self.written)..];
            // There is no memory left: the watcher asks how the run ended, and is told that at least.
            if rest.write_all(lines).is_err() {
                return;
            }
        }
    }
}

/// Writes the rest: to the files of those that have one, and to the others if they take it within a moment. One of these
/// that has not kept up is not waited for.
pub(super) fn write_last(queues: &mut [Queue]) {
    for queue in &mut *queues {
        queue.write();
        queue.write_rest();
    }
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

    fn frame(lines: &[u8], output: u64) -> Frame {
        let lines = Arc::new(lines.to_vec());
        Frame { lines, output }
    }

    #[test]
    fn a_watcher_that_reads_gets_everything_in_order() {
        let (mut queue, mut theirs) = pair();
        for text in ["one\n", "two\n"] {
            queue.push(&frame(text.as_bytes(), 0));
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
        let frame = frame(&vec![b'x'; 80 * 1024], 64 * 1024);
        for _ in 0..1000 {
            queue.push(&frame);
            queue.write();
        }
        assert!(queue.output <= MOST, "{}", queue.output);
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
        let taken = read / frame.lines.len();
        assert_eq!(read % frame.lines.len(), 0);
        let missed = queue.has_caught_up().unwrap();
        assert_eq!(missed / frame.output + taken as u64, 1000);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_watcher_has_not_read_at_the_end_is_in_its_file() {
        use std::os::unix::fs::FileExt;

        let (mut queue, theirs) = pair();
        queue.hand_file();
        // The socket takes some of it.
        let text: Vec<u8> = (0..100_000)
            .flat_map(|n| format!("{n}\n").into_bytes())
            .collect();
        queue.push(&frame(&text, 0));
        queue.push(&frame(b"end\n", 0));
        write_last(&mut [queue]);
        let (mut read, mut file) = (Vec::new(), None);
        let mut block = vec![0; 4096];
        loop {
            let count = handing::receive(&theirs, &mut block, &mut file).unwrap();
            if count == 0 {
                break;
            }
            read.extend_from_slice(&block[..count]);
        }
        assert!(read.len() < text.len(), "{}", read.len());
        let file = file.unwrap();
        let length = file.metadata().unwrap().len();
        let mut rest = vec![0; usize::try_from(length).unwrap()];
        file.read_exact_at(&mut rest, 0).unwrap();
        let all = [&b"\n"[..], &text, b"end\n"].concat();
        assert!([read, rest].concat() == all);
    }

    #[test]
    fn a_watcher_that_is_gone_is_forgotten() {
        let (mut queue, theirs) = pair();
        drop(theirs);
        queue.push(&frame(b"x", 0));
        queue.write();
        assert!(!queue.is_open());
    }
}
