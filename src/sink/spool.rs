//! Keeps what the child prints out of sight, and shows it at the end if the child failed.
//!
//! Kept in an unnamed file and not in memory, so that a talkative child costs disk and nothing else, and nothing is left
//! over however we end. Each piece is stored behind its stream and length: what is shown at the end is in the order in
//! which it came, each stream in its own place.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::credit::Charge;
use crate::event::{Event, Final, Reason, Stream, Summary};

use super::Sink;

/// The hidden output of `--output on-failure`.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    places: Option<[File; 2]>,
    failed: Option<io::Error>,
    /// Whether it is to be shown.
    wanted: bool,
}

impl Spool {
    /// Keeps everything in `file`, and shows it on these places if the child fails.
    #[must_use]
    pub(super) fn new(file: File, stdout: OwnedFd, stderr: OwnedFd) -> Self {
        Self {
            file,
            places: Some([File::from(stdout), File::from(stderr)]),
            failed: None,
            wanted: false,
        }
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut head = [0; 5];
        head[0] = stream as u8;
        head[1..].copy_from_slice(&length.to_le_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(bytes)
    }
}

/// Whether somebody will want to know why: not who stopped it with their own hand.
fn wants_reasons(summary: &Summary) -> bool {
    match (summary.state, summary.reason) {
        (Final::Completed, _) | (_, Some(Reason::Interrupt | Reason::Outer)) => false,
        (Final::Failed | Final::Cancelled, _) => true,
    }
}

/// Shows what was kept, and says what is missing.
fn show(mut kept: File, mut places: [File; 2], failed: Option<io::Error>) {
    let shown = write_out(&mut kept, &mut places);
    if let Some(error) = failed.or(shown.err()) {
        let _ = writeln!(
            places[1],
            "progrun: the rest of the output is lost: {error}"
        );
    }
}

/// Writes each piece to the place of its stream. When a place is gone, goes on with the other.
fn write_out(kept: &mut File, places: &mut [File; 2]) -> io::Result<()> {
    kept.rewind()?;
    let mut reader = BufReader::with_capacity(64 * 1024, kept);
    let mut outcomes = [Ok(()), Ok(())];
    let mut head = [0; 5];
    while reader.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let piece = &mut (&mut reader).take(length.into());
        let place = usize::from(head[0] == Stream::Stderr as u8);
        if outcomes[place].is_ok() {
            outcomes[place] = io::copy(piece, &mut places[place]).map(|_| ());
        }
        io::copy(piece, &mut io::sink())?;
    }
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    let mut errors = outcomes.into_iter().filter_map(Result::err);
    // A reader that went away has seen what it wanted.
    errors.find(|error| !gone(error)).map_or(Ok(()), Err)
}

impl Sink for Spool {
    fn event(&mut self, event: &Event<'_>, _elapsed: Duration) {
        match event {
            Event::Output { stream, bytes, .. } if self.failed.is_none() => {
                self.failed = self.keep(*stream, bytes).err();
            }
            Event::Finished(summary) => self.wanted = wants_reasons(summary),
            _ => {}
        }
    }

    fn flush(&mut self, charge: &Charge) {
        if !self.wanted {
            return;
        }
        let (Ok(kept), Some(places)) = (self.file.try_clone(), self.places.take()) else {
            return;
        };
        let (charge, failed) = (charge.clone(), self.failed.take());
        let what = Arc::new(Mutex::new(Some((kept, places, failed, charge))));
        let shown = Arc::clone(&what);
        let work = move || {
            let taken = shown.lock().map(|mut what| what.take());
            if let Ok(Some((kept, places, failed, _charge))) = taken {
                show(kept, places, failed);
            }
        };
        // The places may be stuck, and the run loop must stay able to give up. But better to wait than to lose it.
        let thread = thread::Builder::new().name("progrun-spool".to_owned());
        if thread.spawn(work.clone()).is_err() {
            work();
        }
    }
}
