//! The thread that reads a list a little ahead of its tasks.
//!
//! It hands on bytes as they arrive, so a task can begin as soon as its line is complete. When enough values are ahead,
//! it waits, and with it the writer of a pipe. Of a regular file, it counts the rest meanwhile.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::reason::reason;

use super::counter::Counter;
use super::input::{Input, Open};

/// How much one read takes: about as many short lines as are to be ahead.
const BLOCK: usize = 8 * 1024;
/// How many bytes are ahead at most.
const BYTES_AHEAD: usize = 1024 * 1024;
/// With how many values ahead nothing more is read.
const VALUES_AHEAD: u64 = 1000;
/// How much is counted at once, before the thread looks whether more is to be read.
const COUNTED: usize = 64 * 1024;
/// Enough for a thread that calls nothing deep.
const STACK: usize = 128 * 1024;

/// What the caller of the thread sees of it.
#[derive(Debug)]
pub(super) struct Reader(Arc<Shared>);

/// What is there to be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The next bytes.
    Bytes(Box<[u8]>),
    /// Nothing at the moment; the caller is woken.
    NotYet,
    /// The list is over.
    End,
    /// The list cannot be read any further, in a sentence.
    Broken(String),
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// The thread has something to do.
    turn: Condvar,
}

/// The thread's own side.
struct Work {
    shared: Arc<Shared>,
    /// What messages call the list.
    name: String,
    wake: Box<dyn Fn() + Send>,
}

#[derive(Debug, Default)]
struct State {
    /// What is ahead, with the number of values that end in it.
    blocks: VecDeque<(Box<[u8]>, u64)>,
    bytes: usize,
    values: u64,
    /// Nothing more comes, perhaps because of an error.
    end: Option<Result<(), String>>,
    /// Nothing more is wanted.
    is_stopped: bool,
    /// The caller was woken and has not looked yet.
    is_woken: bool,
    /// How many values the list has, and whether no more come.
    known: (u64, bool),
}

/// What the thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Read,
    Count,
    Stop,
}

/// Counts what is not read yet.
struct Ahead {
    counter: Counter,
    position: u64,
}

impl Reader {
    /// Starts the thread. `wake` is called on it when there is something new.
    ///
    /// # Errors
    /// A sentence, if the system gives us no thread.
    pub(super) fn start(
        input: Input,
        counter: Counter,
        wake: Box<dyn Fn() + Send>,
    ) -> Result<Self, String> {
        let shared = Arc::new(Shared::default());
        let work = Work {
            shared: Arc::clone(&shared),
            name: input.name.clone(),
            wake,
        };
        std::thread::Builder::new()
            .name("list".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let end = work.read(input, counter);
                work.tell(|state| state.end = Some(end));
            })
            .map_err(|error| {
                format!(
                    "no thread can be started that reads the list: {}",
                    reason(&error)
                )
            })?;
        Ok(Self(shared))
    }

    /// What comes next.
    pub(super) fn take(&self) -> Piece {
        let mut state = self.0.lock();
        if let Some((block, values)) = state.blocks.pop_front() {
            state.bytes -= block.len();
            state.values -= values;
            self.0.turn.notify_one();
            return Piece::Bytes(block);
        }
        match &state.end {
            Some(Ok(())) => Piece::End,
            Some(Err(sentence)) => Piece::Broken(sentence.clone()),
            None => {
                state.is_woken = false;
                Piece::NotYet
            }
        }
    }

    /// How many values the list has as far as it is known, and whether no more come.
    pub(super) fn known(&self) -> (u64, bool) {
        let mut state = self.0.lock();
        state.is_woken = false;
        state.known
    }

    /// Nothing more is wanted. A thread that waits for a writer stays there, and takes nothing from it.
    pub(super) fn stop(&self) {
        let mut state = self.0.lock();
        state.is_stopped = true;
        state.blocks.clear();
        self.0.turn.notify_one();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, can_count: bool) -> Turn {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return Turn::Stop;
            }
            if state.bytes + BLOCK <= BYTES_AHEAD && state.values < VALUES_AHEAD {
                return Turn::Read;
            }
            if can_count {
                return Turn::Count;
            }
            state = self
                .turn
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Work {
    /// Changes the state, and wakes the caller once for all that changes until it looks.
    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.lock();
        change(&mut state);
        let was_woken = std::mem::replace(&mut state.is_woken, true);
        let is_wanted = !was_woken && !state.is_stopped;
        drop(state);
        if is_wanted {
            (self.wake)();
        }
    }

    fn read(&self, input: Input, mut counter: Counter) -> Result<(), String> {
        let broken =
            |error: io::Error| format!("cannot read the list {}: {}", self.name, reason(&error));
        let mut position = input.start();
        let is_regular = input.is_regular();
        let open = input.open().map_err(broken)?;
        let mut buffer = vec![0; BLOCK];
        let mut ahead = None;
        loop {
            match self.shared.turn(position.is_some()) {
                Turn::Stop => return Ok(()),
                Turn::Count => {
                    let start = position.unwrap_or_default();
                    let ahead = ahead.get_or_insert_with(|| Ahead {
                        counter: counter.clone(),
                        position: start,
                    });
                    if self.count(&open, ahead) {
                        position = None;
                    }
                }
                Turn::Read => {
                    if !is_regular && !self.wait(&open) {
                        return Ok(());
                    }
                    let count = match rustix::io::read(&open, &mut buffer[..]) {
                        Ok(count) => count,
                        Err(Errno::INTR | Errno::AGAIN) => continue,
                        Err(error) => return Err(broken(error.into())),
                    };
                    if count == 0 {
                        self.tell(|state| state.known = (counter.count_at_end(), true));
                        return Ok(());
                    }
                    let before = counter.count();
                    counter.add(&buffer[..count]);
                    let values = counter.count();
                    position = position.map(|position| position + count as u64);
                    self.tell(|state| {
                        state.bytes += count;
                        state.values += values - before;
                        state
                            .blocks
                            .push_back((Box::from(&buffer[..count]), values - before));
                        if !state.known.1 {
                            state.known.0 = values;
                        }
                    });
                }
            }
        }
    }

    /// Waits until something can be read; false: it is not wanted any more. What comes after a stop is left to the next
    /// reader of the pipe.
    fn wait(&self, open: &Open) -> bool {
        // What cannot be polled is read at once.
        while poll(&mut [PollFd::new(open, PollFlags::IN)], None) == Err(Errno::INTR) {}
        !self.shared.lock().is_stopped
    }

    /// Counts the next bytes; true: there are no more, or they cannot be counted.
    fn count(&self, open: &Open, ahead: &mut Ahead) -> bool {
        let mut buffer = vec![0; COUNTED];
        match rustix::io::pread(open, &mut buffer[..], ahead.position) {
            Ok(0) => {
                self.tell(|state| state.known = (ahead.counter.count_at_end(), true));
                true
            }
            Ok(count) => {
                ahead.counter.add(&buffer[..count]);
                ahead.position += count as u64;
                false
            }
            Err(Errno::INTR) => false,
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::input::fifo;
    use super::super::values::Kind;
    use super::*;

    fn start(path: &Path, kind: Kind) -> (Reader, Receiver<()>) {
        let (sender, woken) = channel();
        let wake = Box::new(move || {
            let _ = sender.send(());
        });
        let input = Input::file(path).unwrap();
        (
            Reader::start(input, Counter::values(kind), wake).unwrap(),
            woken,
        )
    }

    /// Takes the next piece, once there is one.
    fn take(reader: &Reader, woken: &Receiver<()>) -> Piece {
        loop {
            match reader.take() {
                Piece::NotYet => woken.recv().unwrap(),
                piece => return piece,
            }
        }
    }

    #[test]
    fn a_line_is_handed_on_as_soon_as_it_is_there() {
        let (_folder, path) = fifo();
        let (reader, woken) = start(&path, Kind::Lines);
        let mut writer = File::options().write(true).open(&path).unwrap();
        for line in [&b"one\n"[..], b"two\n", b"th", b"ree"] {
            assert_eq!(reader.take(), Piece::NotYet);
            writer.write_all(line).unwrap();
            assert_eq!(take(&reader, &woken), Piece::Bytes(line.into()));
        }
        assert_eq!(reader.known(), (2, false));
        drop(writer);
        assert_eq!(take(&reader, &woken), Piece::End);
        assert_eq!(reader.known(), (3, true));
    }

    #[test]
    fn the_writer_of_a_pipe_waits_when_enough_is_ahead() {
        let (_folder, path) = fifo();
        let (reader, woken) = start(&path, Kind::Lines);
        let writer = File::options().write(true).open(&path).unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let lines = [b'\n'; 4096];
        let mut written = 0;
        // Until the pipe has been full for as long as the reader could need to empty it.
        let mut refused = 0;
        while refused < 1000 {
            if let Ok(count) = rustix::io::write(&writer, &lines) {
                written += count;
                refused = 0;
            } else {
                refused += 1;
                std::thread::yield_now();
            }
            assert!(written <= 4 * 1024 * 1024, "the reader does not stop");
        }
        assert!(written <= BYTES_AHEAD + 128 * 1024, "{written}");
        drop(writer);
        let mut found = 0;
        loop {
            match take(&reader, &woken) {
                Piece::Bytes(bytes) => found += bytes.len(),
                other => {
                    assert_eq!(other, Piece::End);
                    break;
                }
            }
        }
        assert_eq!(found, written);
    }

    #[test]
    fn a_regular_file_is_counted_long_before_it_is_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for number in 0..100_000 {
            write!(file, "{number}\n\n").unwrap();
        }
        file.write_all(b"last").unwrap();
        let (reader, woken) = start(file.path(), Kind::Lines);
        while !reader.known().1 {
            woken.recv().unwrap();
        }
        assert_eq!(reader.known(), (100_001, true));
        let ahead = reader.0.lock();
        assert!(ahead.bytes <= 2 * BLOCK, "{}", ahead.bytes);
        drop(ahead);
        let mut tally = Counter::values(Kind::Lines);
        while let Piece::Bytes(bytes) = take(&reader, &woken) {
            tally.add(&bytes);
        }
        assert_eq!(tally.count_at_end(), 100_001);
        assert_eq!(reader.known(), (100_001, true));
    }

    #[test]
    fn after_a_stop_nothing_more_is_taken_from_the_pipe() {
        let (_folder, path) = fifo();
        let (reader, woken) = start(&path, Kind::Lines);
        let mut writer = File::options().write(true).open(&path).unwrap();
        writer.write_all(b"a\n").unwrap();
        assert_eq!(
            take(&reader, &woken),
            Piece::Bytes(b"a\n".as_slice().into())
        );
        let mut other = File::open(&path).unwrap();
        reader.stop();
        let shared = Arc::downgrade(&reader.0);
        drop(reader);
        writer.write_all(b"b\n").unwrap();
        while shared.upgrade().is_some() {
            std::thread::yield_now();
        }
        drop(writer);
        let mut rest = String::new();
        io::Read::read_to_string(&mut other, &mut rest).unwrap();
        assert_eq!(rest, "b\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_comes_after_all_that_was_read() {
        let (reader, woken) = start(Path::new("/proc/self/mem"), Kind::Lines);
        assert_eq!(
            take(&reader, &woken),
            Piece::Broken("cannot read the list /proc/self/mem: input/output error".to_owned())
        );
    }
}
