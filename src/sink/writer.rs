//! Writes to a place that may be slow, stuck or gone, without ever making the run loop wait.
//!
//! A terminal under Ctrl-S or a reader of `--json` that pauses must not keep Ctrl-C from the child. So what may block is
//! written by a thread of its own, started with the first byte. What waits there is not bounded here: whoever sends
//! holds a [`Permit`] for what a child made us write, and the child's worker reads no further while too much is under
//! way. A regular file never blocks for long and gets no thread.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rustix::fs::{FileType, fstat};

use crate::flow::Permit;

use super::patient::Patient;

/// A place to write to.
#[derive(Debug)]
pub(super) struct Writer {
    kind: Kind,
    state: Arc<State>,
}

#[derive(Debug)]
enum Kind {
    Direct(Place),
    /// The thread is started when it has something to do.
    Idle(Place),
    Thread(mpsc::Sender<Item>),
    /// Between two of the others.
    Changing,
}

struct State {
    pending: AtomicUsize,
    gone: AtomicBool,
    on_gone: OnGone,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("pending", &self.pending)
            .field("gone", &self.gone)
            .finish_non_exhaustive()
    }
}

impl State {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    fn gone(&self, error: &io::Error) {
        if !self.gone.swap(true, Ordering::AcqRel) {
            (self.on_gone)(error);
        }
    }
}

/// Bytes to write, and what is given back when they are written.
struct Item {
    bytes: Arc<Vec<u8>>,
    permits: Vec<Permit>,
}

/// Called once, by whichever thread notices that nothing can be written any more.
pub(super) type OnGone = Box<dyn Fn(&io::Error) + Send + Sync>;

#[derive(Debug)]
struct Place {
    file: Patient<File>,
    state: Arc<State>,
}

/// Why a place is given up that takes nothing.
pub(super) fn unread() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "its reader did not read it all in time",
    )
}

impl Writer {
    /// An writer to `place`. `on_gone` is told once if nothing can be written any more; what is sent after that is
    /// thrown away.
    #[must_use]
    pub(super) fn new(place: OwnedFd, on_gone: OnGone) -> Self {
        let state = Arc::new(State {
            pending: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
            on_gone,
        });
        let regular = fstat(&place)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let writer = Place {
            file: Patient(File::from(place)),
            state: Arc::clone(&state),
        };
        let kind = if regular {
            Kind::Direct(writer)
        } else {
            Kind::Idle(writer)
        };
        Self { kind, state }
    }

    /// Sends bytes, and holds `permits` until they are written or thrown away.
    pub(super) fn send(&mut self, bytes: impl Into<Arc<Vec<u8>>>, permits: Vec<Permit>) {
        let bytes = bytes.into();
        if bytes.is_empty() || self.state.is_gone() {
            return;
        }
        match &mut self.kind {
            Kind::Direct(writer) => writer.write(&bytes),
            Kind::Idle(_) => {
                self.start();
                self.send(bytes, permits);
            }
            Kind::Thread(items) => {
                self.state.pending.fetch_add(1, Ordering::AcqRel);
                if items.send(Item { bytes, permits }).is_err() {
                    self.state.gone.store(true, Ordering::Release);
                }
            }
            Kind::Changing => {}
        }
    }

    /// Waits no longer for a reader that has not taken all of it: what is left is thrown away, and so is what is sent
    /// after it. A thread that is stuck in a write stays there; the end of the process takes it along.
    pub(super) fn abandon(&mut self) {
        if !self.is_idle() {
            self.state.gone(&unread());
        }
    }

    /// Holds `permit` until everything sent before is written or thrown away.
    pub(super) fn flush(&mut self, permit: Permit) {
        if let Kind::Thread(items) = &self.kind
            && !self.state.is_gone()
        {
            let _ = items.send(Item {
                bytes: Arc::default(),
                permits: vec![permit],
            });
        }
    }

    /// Whether everything sent has been written: only then is it worth drawing another frame.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.state.pending.load(Ordering::Acquire) == 0
    }

    fn start(&mut self) {
        let Kind::Idle(writer) = std::mem::replace(&mut self.kind, Kind::Changing) else {
            return;
        };
        let (sender, receiver) = mpsc::channel();
        // Taken by the thread when there is one: moved into it, it would be lost with one that could not be started.
        let place = Arc::new(Mutex::new(Some(writer)));
        let taken = Arc::clone(&place);
        let thread = thread::Builder::new()
            .name("progrun-writer".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                let Some(mut writer) = take(&taken) else {
                    return;
                };
                for Item { bytes, permits } in receiver {
                    if !bytes.is_empty() {
                        writer.write(&bytes);
                        writer.state.pending.fetch_sub(1, Ordering::AcqRel);
                    }
                    drop(permits);
                }
            });
        self.kind = match thread {
            Ok(_) => Kind::Thread(sender),
            // Better to wait than to lose something.
            Err(_) => take(&place).map_or(Kind::Changing, Kind::Direct),
        };
    }
}

fn take(place: &Mutex<Option<Place>>) -> Option<Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Place {
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.state.is_gone() {
            match self.file.write(bytes) {
                Ok(0) => self.state.gone(&io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => self.state.gone(&error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Credit;
    use std::io::Read;

    fn writer_to(place: impl Into<OwnedFd>) -> (Writer, mpsc::Receiver<String>) {
        let (sender, gone) = mpsc::channel();
        let on_gone = move |error: &io::Error| sender.send(error.to_string()).unwrap();
        (Writer::new(place.into(), Box::new(on_gone)), gone)
    }

    fn flush(writer: &mut Writer) {
        let (sender, flushed) = mpsc::channel();
        let credit = Credit::new(1, move || sender.send(()).unwrap());
        writer.flush(credit.permit(1));
        flushed.recv().unwrap();
    }

    #[test]
    fn bytes_arrive_in_order_and_charges_are_given_back_when_they_are_written() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (mut writer, _gone) = writer_to(writer);
        let credit = Credit::new(1, || ());
        writer.send(b"one ".to_vec(), vec![credit.permit(4)]);
        writer.send(b"two".to_vec(), vec![credit.permit(3)]);
        flush(&mut writer);
        assert!(writer.is_idle());
        assert!(!credit.exhausted());
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }

    #[test]
    fn a_reader_that_does_not_read_does_not_make_the_sender_wait() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (mut writer, _gone) = writer_to(writer);
        let credit = Credit::new(1, || ());
        for _ in 0..100 {
            writer.send(vec![b'x'; 64 * 1024], vec![credit.permit(64 * 1024)]);
        }
        assert!(!writer.is_idle());
        assert!(credit.exhausted());
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 100 * 64 * 1024);
    }

    #[test]
    fn a_reader_that_went_away_is_noticed_once_and_the_rest_is_thrown_away() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let (mut writer, gone) = writer_to(writer);
        let credit = Credit::new(1, || ());
        writer.send(b"one".to_vec(), vec![credit.permit(3)]);
        flush(&mut writer);
        writer.send(b"two".to_vec(), vec![credit.permit(3)]);
        assert_eq!(gone.recv().unwrap(), "Broken pipe (os error 32)");
        assert!(!credit.exhausted());
        drop(writer);
        assert!(gone.recv().is_err());
    }
}
