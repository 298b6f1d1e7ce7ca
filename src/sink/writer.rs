//! Writes to a place that may be slow, stuck or gone, without ever making the run loop wait.
//!
//! A terminal under Ctrl-S or a reader of `--json` that pauses must not keep Ctrl-C from the child. So a place that may
//! block is written to by a thread of its own, started with the first byte. The bytes that wait for it are not bounded
//! here: the sender holds a [`Permit`] for each byte of a child's, and the child's worker reads no further while too
//! much is under way. A regular file never blocks for long and gets no thread.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use rustix::fs::{FileType, fstat};

use crate::flow::Permit;

use super::patient::Patient;

/// Between two looks at a place that is to be written to first.
const WAIT: Duration = Duration::from_micros(100);

/// A writer to one place. What is sent to it and its clones is written in the order in which it was sent.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    place: Arc<Place>,
    way: Rc<RefCell<Way>>,
}

#[derive(Debug)]
enum Way {
    /// The run loop writes itself.
    Direct,
    /// A thread, which is started when it has something to do.
    Idle,
    Thread(mpsc::Sender<Item>),
}

struct Place {
    file: File,
    /// How many sends are not written yet.
    pending: AtomicUsize,
    told: Once,
    gone: AtomicBool,
    on_gone: OnGone,
    /// What is sent to this one is written first.
    first: OnceLock<Pending>,
}

/// What is sent to a writer and not written yet, for another thread.
#[derive(Clone, Debug)]
pub(super) struct Pending(Arc<Place>);

impl Pending {
    /// Whether nothing will be written any more.
    pub(super) fn is_gone(&self) -> bool {
        self.0.is_gone()
    }

    /// Whether there is nothing, or nothing will be written any more.
    pub(super) fn is_none(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) == 0 || self.0.is_gone()
    }
}

/// Bytes to write, and the permits that are given back when they are written.
struct Item {
    bytes: Arc<Vec<u8>>,
    permits: Vec<Permit>,
}

/// Called once, by the thread that notices that nothing can be written any more.
pub(super) type OnGone = Box<dyn Fn(&io::Error) + Send + Sync>;

/// The error of a reader that takes nothing.
pub(super) fn unread() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "its reader did not read it all in time",
    )
}

impl Writer {
    /// A writer to `place`. `on_gone` is told once if nothing can be written any more; bytes that are sent after that
    /// are thrown away.
    #[must_use]
    pub(super) fn new(place: OwnedFd, on_gone: OnGone) -> Self {
        let is_regular = fstat(&place)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            place: Arc::new(Place {
                file: File::from(place),
                pending: AtomicUsize::new(0),
                told: Once::new(),
                gone: AtomicBool::new(false),
                on_gone,
                first: OnceLock::new(),
            }),
            way: Rc::new(RefCell::new(if is_regular {
                Way::Direct
            } else {
                Way::Idle
            })),
        }
    }

    /// Sends bytes, and holds `permits` until they are written or thrown away.
    pub(super) fn send(&mut self, bytes: impl Into<Arc<Vec<u8>>>, permits: Vec<Permit>) {
        let bytes = bytes.into();
        if bytes.is_empty() || self.place.is_gone() {
            return;
        }
        let mut way = self.way.borrow_mut();
        if matches!(*way, Way::Idle) {
            *way = match start(&self.place) {
                Ok(thread) => Way::Thread(thread),
                // Better to wait than to lose something.
                Err(_) => Way::Direct,
            };
        }
        let Way::Thread(thread) = &*way else {
            self.place.write(&bytes);
            return;
        };
        self.place.pending.fetch_add(1, Ordering::AcqRel);
        if thread.send(Item { bytes, permits }).is_err() {
            self.place.gone.store(true, Ordering::Release);
        }
    }

    /// Waits no longer for a reader that has not taken all of it: the rest is thrown away, and so is all that is sent
    /// after it. A thread that is stuck in a write stays there; the end of the process takes it along.
    pub(super) fn abandon(&mut self) {
        if !self.is_idle() {
            self.place.give_up(&unread());
        }
    }

    /// Holds `permit` until everything sent before is written or thrown away.
    pub(super) fn flush(&mut self, permit: Permit) {
        if let Way::Thread(thread) = &*self.way.borrow()
            && !self.place.is_gone()
        {
            let _ = thread.send(Item {
                bytes: Arc::default(),
                permits: vec![permit],
            });
        }
    }

    /// Writes nothing from now on before all is written that was sent to `other` until then: what both write is on the
    /// screen in this order, though each has a thread of its own.
    pub(super) fn write_after(&self, other: &Self) {
        let _ = self.place.first.set(other.pending());
    }

    /// What is not written yet, for another thread.
    pub(super) fn pending(&self) -> Pending {
        Pending(Arc::clone(&self.place))
    }

    /// Whether everything sent has been written: only then is it worth drawing another frame.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.place.pending.load(Ordering::Acquire) == 0
    }
}

/// Starts the thread of a place.
fn start(place: &Arc<Place>) -> io::Result<mpsc::Sender<Item>> {
    let (sender, receiver) = mpsc::channel();
    let place = Arc::clone(place);
    thread::Builder::new()
        .name("progrun-writer".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || {
            for Item { bytes, permits } in receiver {
                if !bytes.is_empty() {
                    place.wait_for_first();
                    place.write(&bytes);
                    place.pending.fetch_sub(1, Ordering::AcqRel);
                }
                drop(permits);
            }
        })?;
    Ok(sender)
}

impl Place {
    fn wait_for_first(&self) {
        let is_over = |first: &Pending| first.is_none() || self.is_gone();
        while !self.first.get().is_none_or(is_over) {
            thread::sleep(WAIT);
        }
    }

    fn write(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_gone() {
            match Patient(&self.file).write(bytes) {
                Ok(0) => self.give_up(&io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    fn give_up(&self, error: &io::Error) {
        self.told.call_once(|| (self.on_gone)(error));
        // Not before it is told: `flush` waits for nothing once the place is gone, and a run that takes that for the
        // end of all writing would end with status 0, the loss unheard.
        self.gone.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("pending", &self.pending)
            .field("gone", &self.gone)
            .finish_non_exhaustive()
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
    fn bytes_arrive_in_order_and_permits_are_given_back_when_they_are_written() {
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
    fn a_writer_and_its_clones_keep_the_order_in_which_they_were_sent_to() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (mut one, _gone) = writer_to(writer);
        let mut two = one.clone();
        let mut expected = String::new();
        for number in 0..1000 {
            let (first, second) = (format!("one {number}\n"), format!("two {number}\n"));
            expected += &first;
            expected += &second;
            one.send(first.into_bytes(), Vec::new());
            two.send(second.into_bytes(), Vec::new());
        }
        drop((one, two));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_flush_ends_after_the_loss_is_told() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let (telling, is_telling) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let may_go_on = std::sync::Mutex::new(may_go_on);
        let on_gone = move |_: &io::Error| {
            telling.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        };
        let mut writer = Writer::new(writer.into(), Box::new(on_gone));
        writer.send(b"lost".to_vec(), Vec::new());
        is_telling.recv().unwrap();
        let (sender, flushed) = mpsc::channel();
        let credit = Credit::new(1, move || sender.send(()).unwrap());
        writer.flush(credit.permit(1));
        assert!(flushed.try_recv().is_err());
        go_on.send(()).unwrap();
        flushed.recv().unwrap();
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
