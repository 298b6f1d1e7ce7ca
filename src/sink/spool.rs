//! Keeps the output of each child out of sight, and shows it at the end if the child failed.
//!
//! It is kept in an unnamed file and not in memory, so that a talkative child costs disk and nothing else, and nothing
//! is left over however we end. Each piece is stored behind its stream and length: it is shown in order of arrival,
//! each stream in its own place, one child after the other. When the disk is full, the end of the output is kept in
//! memory: that is where most commands say why they failed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::stdio::stderr;
use rustix::termios::isatty;

use crate::event::{Event, FinalState, Reason, Stream, Summary, TaskId, What};
use crate::flow::Permit;

use super::Sink;
use super::files;
use super::patient::Patient;
use super::writer::{OnGone, unread};

/// The head of a piece in the file, in bytes: one for its stream, four for its length.
const HEAD: usize = 5;
/// How much is kept in memory at most, in bytes.
const END: usize = 1024 * 1024;

/// The hidden output of `--output on-failure`.
#[derive(Debug)]
pub(super) struct Spool {
    /// The output of the running children.
    kept: BTreeMap<TaskId, Kept>,
    /// The output of children that failed, to be shown.
    wanted: Vec<Kept>,
    /// Output is being shown, or was: its place may be stuck.
    is_showing: bool,
    places: Arc<Mutex<Places>>,
    telling: Arc<Telling>,
}

/// The places where the output is shown: that of stdout, and that of stderr.
type Places = [Patient<File>; 2];

/// Tells once that not all could be shown: by the thread that shows it, or by the run loop that waits for it no longer.
struct Telling {
    over: AtomicBool,
    on_gone: OnGone,
}

impl Telling {
    /// The showing is over, with this error if any. Only the first call counts.
    fn end(&self, error: Option<&io::Error>) {
        if !self.over.swap(true, Ordering::AcqRel)
            && let Some(error) = error
        {
            (self.on_gone)(error);
        }
    }
}

impl std::fmt::Debug for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Telling").field(&self.over).finish()
    }
}

/// The output of one child.
struct Kept {
    file: Option<File>,
    /// How many bytes of the file are whole pieces.
    whole: u64,
    /// Why the file takes no more.
    full: Option<io::Error>,
    /// The last part of the output that came after the file was full.
    end: VecDeque<(Stream, Vec<u8>)>,
    /// How many bytes `end` has, and how many are lost between the file and it.
    size: usize,
    lost: usize,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kept").field(&self.file).finish()
    }
}

impl Spool {
    /// Keeps the output of the first child in `file`, and shows the output of those that fail on these places.
    /// `on_gone` is told if not all of it could be shown.
    #[must_use]
    pub(super) fn new(file: File, places: [OwnedFd; 2], on_gone: OnGone) -> Self {
        let telling = Telling {
            over: AtomicBool::new(false),
            on_gone,
        };
        let places = places.map(|place| Patient(File::from(place)));
        Self {
            kept: BTreeMap::from([(TaskId::FIRST, Kept::new(Ok(file)))]),
            wanted: Vec::new(),
            is_showing: false,
            places: Arc::new(Mutex::new(places)),
            telling: Arc::new(telling),
        }
    }
}

/// Shows all of these, one after the other.
fn show(all: Vec<Kept>, places: &Mutex<Places>, telling: &Telling) {
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    let errors = all.into_iter().filter_map(|kept| kept.show(&mut places));
    // All are shown, whatever became of the first.
    let errors: Vec<_> = errors.collect();
    telling.end(errors.first());
}

impl Kept {
    /// Keeps in this file, or in memory if there is none.
    fn new(file: io::Result<File>) -> Self {
        let (file, full) = match file {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            file,
            whole: 0,
            full,
            end: VecDeque::new(),
            size: 0,
            lost: 0,
        }
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        let mut rest = bytes;
        if let Some(file) = self.file.as_mut().filter(|_| self.full.is_none()) {
            match append(file, stream, bytes) {
                Ok(length) => {
                    self.whole += length;
                    return;
                }
                Err(error) => self.full = Some(error),
            }
            let at = file.stream_position().unwrap_or(self.whole);
            let written = at.saturating_sub(self.whole + HEAD as u64);
            rest = &bytes[usize::try_from(written).unwrap_or(0)..];
        }
        self.size += rest.len();
        self.end.push_back((stream, rest.to_owned()));
        while self.size > END
            && let Some((_, first)) = self.end.pop_front()
        {
            self.size -= first.len();
            self.lost += first.len();
        }
    }

    /// Shows everything, each piece in the place of its stream. When one place is gone, goes on with the other. Gives
    /// the error if not all of it could be shown.
    fn show(mut self, places: &mut Places) -> Option<io::Error> {
        let mut outcomes = [Ok(()), Ok(())];
        let mut put = |stream: Stream, piece: &mut dyn Read| {
            let stream = stream as usize;
            if outcomes[stream].is_ok() {
                outcomes[stream] = io::copy(piece, &mut places[stream]).map(|_| ());
            }
        };
        let read = self.file.as_mut().map(|file| read(file, &mut put));
        if self.lost > 0 {
            let gap = format!("progrun: {} bytes are missing here\n", self.lost);
            put(Stream::Stderr, &mut gap.as_bytes());
        }
        for (stream, bytes) in &self.end {
            put(*stream, &mut bytes.as_slice());
        }
        let full = self.full.filter(|_| self.lost > 0);
        let [stdout, stderr] = outcomes.map(Result::err);
        // A reader that closed its end wanted no more.
        let missed = |error: &io::Error| error.kind() != io::ErrorKind::BrokenPipe;
        let read = read.and_then(Result::err);
        let mut errors = [read, full, stdout, stderr].into_iter().flatten();
        errors.find(missed)
    }
}

/// Writes a piece; gives its length with its head.
fn append(file: &mut File, stream: Stream, bytes: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut head = [0; HEAD];
    head[0] = stream as u8;
    head[1..].copy_from_slice(&length.to_le_bytes());
    file.write_all(&head)?;
    file.write_all(bytes)?;
    Ok(HEAD as u64 + u64::from(length))
}

/// Gives each piece of the file.
fn read(file: &mut File, put: &mut dyn FnMut(Stream, &mut dyn Read)) -> io::Result<()> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut head = [0; HEAD];
    while reader.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let stream = if head[0] == Stream::Stdout as u8 {
            Stream::Stdout
        } else {
            Stream::Stderr
        };
        let piece = &mut (&mut reader).take(length.into());
        put(stream, piece);
        // The rest of it, if its place is gone.
        io::copy(piece, &mut io::sink())?;
    }
    Ok(())
}

/// Whether the output is shown, for it may say why the child failed. A user who stopped it by hand, at a terminal, knows
/// why.
fn wants_reasons(summary: &Summary) -> bool {
    match (summary.state, summary.reason) {
        (FinalState::Completed, _) | (_, Some(Reason::Parent)) => false,
        (_, Some(Reason::Interrupt)) => !isatty(stderr()),
        (FinalState::Failed | FinalState::Cancelled | FinalState::Lost, _) => true,
    }
}

impl Sink for Spool {
    fn event(&mut self, event: &Event<'_>) {
        let task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Output { stream, bytes, .. } => {
                let file = || files::unnamed().map_err(io::Error::other);
                let kept = self.kept.entry(task);
                let kept = kept.or_insert_with(|| Kept::new(file()));
                kept.keep(*stream, bytes);
            }
            What::Finished(summary) => {
                let kept = self.kept.remove(&task);
                self.wanted.extend(kept.filter(|_| wants_reasons(summary)));
            }
            _ => {}
        }
    }

    fn flush(&mut self, permit: &Permit) {
        if self.wanted.is_empty() {
            return;
        }
        self.is_showing = true;
        let all = std::mem::take(&mut self.wanted);
        let what = Arc::new(Mutex::new(Some((all, permit.clone()))));
        let (places, telling) = (Arc::clone(&self.places), Arc::clone(&self.telling));
        // Taken by the thread when there is one: moved into it, it would be lost with one that could not be started.
        let work = move || {
            let taken = what.lock().map(|mut what| what.take());
            if let Ok(Some((all, _permit))) = taken {
                show(all, &places, &telling);
            }
        };
        // The places may be stuck, and the run loop must stay able to give up. But better to wait than to lose it.
        let thread = thread::Builder::new().name("progrun-spool".to_owned());
        if thread.spawn(work.clone()).is_err() {
            work();
        }
    }

    fn abandon(&mut self) {
        if self.is_showing {
            self.telling.end(Some(&unread()));
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::flow::Credit;
    use crate::model::verdict::Verdicts;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    use std::sync::mpsc;
    use std::time::Duration;

    /// A file that takes no more than `size` bytes.
    fn small_file(size: u64) -> File {
        let file = memfd_create("spool", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&file, size).unwrap();
        fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        file.into()
    }

    /// The text that is shown of these pieces, on stdout and on stderr, and the errors that are told.
    fn shown(size: u64, pieces: &[(Stream, Vec<u8>)]) -> ([String; 2], Vec<String>) {
        let mut places = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let copies = places.each_ref().map(|place| place.try_clone().unwrap());
        let (sender, told) = mpsc::channel();
        let on_gone = move |error: &io::Error| sender.send(error.to_string()).unwrap();
        let on_gone = Box::new(on_gone);
        let mut spool = Spool::new(small_file(size), copies.map(OwnedFd::from), on_gone);
        let mut kept = spool.kept.remove(&TaskId::FIRST).unwrap();
        for (stream, bytes) in pieces {
            kept.keep(*stream, bytes);
        }
        show(vec![kept], &spool.places, &spool.telling);
        drop(spool);
        let texts = places.each_mut().map(|place| {
            let mut text = String::new();
            place.rewind().unwrap();
            place.read_to_string(&mut text).unwrap();
            text
        });
        (texts, told.iter().collect())
    }

    #[test]
    fn what_the_file_has_no_room_for_is_shown_all_the_same() {
        let long = "x".repeat(10_000);
        let pieces = [
            (Stream::Stdout, b"one\n".to_vec()),
            (Stream::Stderr, b"two\n".to_vec()),
            (Stream::Stdout, long.clone().into_bytes()),
            (Stream::Stdout, b"three\n".to_vec()),
        ];
        for size in [0, 3, 8192, 20_000] {
            let ([stdout, stderr], told) = shown(size, &pieces);
            assert!(stdout == format!("one\n{long}three\n"), "{size}");
            assert_eq!(stderr, "two\n", "{size}");
            assert!(told.is_empty(), "{size}: {told:?}");
        }
    }

    #[test]
    fn of_more_than_there_is_room_for_the_begin_and_the_end_are_shown_and_what_is_between_is_told()
    {
        let mut pieces = vec![(Stream::Stderr, b"begin\n".to_vec())];
        pieces.resize(4, (Stream::Stdout, vec![b'x'; END / 2]));
        pieces.push((Stream::Stderr, b"end\n".to_vec()));
        let ([stdout, stderr], told) = shown(11, &pieces);
        assert_eq!(stdout.len(), END / 2);
        assert_eq!(
            stderr,
            "begin\nprogrun: 1048576 bytes are missing here\nend\n"
        );
        assert_eq!(told, ["Operation not permitted (os error 1)"]);
    }

    #[test]
    fn of_several_tasks_only_those_that_failed_are_shown_one_after_the_other() {
        let mut place = tempfile::tempfile().unwrap();
        let places = [(); 2].map(|()| place.try_clone().unwrap().into());
        let mut spool = Spool::new(small_file(0), places, Box::new(|_| ()));
        let credit = Credit::new(1 << 20, || ());
        let tasks = [
            TaskId::FIRST,
            TaskId::FIRST.next(),
            TaskId::FIRST.next().next(),
        ];
        for line in ["one", "two"] {
            for (name, task) in ["a", "b", "c"].iter().zip(tasks) {
                let what = What::Output {
                    stream: Stream::Stdout,
                    bytes: &Arc::new(format!("{name} {line}\n").into_bytes()),
                    verdicts: &Verdicts::default(),
                    permit: &credit.permit(1),
                };
                let (task, at) = (Some(task), Duration::ZERO);
                spool.event(&Event { task, at, what });
            }
        }
        let states = [
            FinalState::Failed,
            FinalState::Completed,
            FinalState::Failed,
        ];
        for (task, state) in tasks.into_iter().zip(states) {
            let summary = Summary {
                missed: None,
                state,
                reason: None,
                exit: None,
                error: None,
                reports: 0,
                malformed: 0,
                attempt: None,
            };
            let (task, at) = (Some(task), Duration::ZERO);
            let what = What::Finished(&summary);
            spool.event(&Event { task, at, what });
        }
        let (sender, shown) = mpsc::channel();
        spool.flush(&Credit::new(1, move || sender.send(()).unwrap()).permit(1));
        shown.recv().unwrap();
        let mut text = String::new();
        place.rewind().unwrap();
        place.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a one\na two\nc one\nc two\n");
    }
}
