//! Keeps what the child prints out of sight, and shows it at the end if the child failed.
//!
//! Kept in an unnamed file and not in memory, so that a talkative child costs disk and nothing else, and nothing is left
//! over however we end. Each piece is stored behind its stream and length: what is shown at the end is in the order in
//! which it came, each stream in its own place.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::credit::Charge;
use crate::event::{Event, Final, Stream};

use super::Sink;

/// The hidden output of `--output on-failure`.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    places: Option<[File; 2]>,
    failed: Option<io::Error>,
    show: Option<JoinHandle<()>>,
}

impl Spool {
    /// Keeps everything in `file`, and shows it on these places if the child fails.
    #[must_use]
    pub(super) fn new(file: File, stdout: OwnedFd, stderr: OwnedFd) -> Self {
        Self {
            file,
            places: Some([File::from(stdout), File::from(stderr)]),
            failed: None,
            show: None,
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

/// Writes what was kept to the places of its streams; gives up on a place that is gone, and goes on with the other.
fn show(kept: &mut File, places: &mut [File; 2]) -> io::Result<()> {
    kept.rewind()?;
    let mut reader = BufReader::with_capacity(64 * 1024, kept);
    let mut open = [true, true];
    let mut head = [0; 5];
    while reader.read_exact(&mut head).is_ok() {
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let piece = &mut (&mut reader).take(length.into());
        let place = usize::from(head[0] == Stream::Stderr as u8);
        if open[place] && io::copy(piece, &mut places[place]).is_err() {
            open[place] = false;
        }
        io::copy(piece, &mut io::sink())?;
    }
    Ok(())
}

impl Sink for Spool {
    fn event(&mut self, event: &Event<'_>, _elapsed: Duration) {
        match event {
            Event::Output { stream, bytes, .. } if self.failed.is_none() => {
                self.failed = self.keep(*stream, bytes).err();
            }
            Event::Finished(summary) if summary.state == Final::Failed => {
                let (Ok(mut kept), Some(mut places)) = (self.file.try_clone(), self.places.take())
                else {
                    return;
                };
                let failed = self.failed.take();
                // The place may be stuck; the run loop must stay able to give up.
                self.show = thread::Builder::new()
                    .name("progrun-spool".to_owned())
                    .spawn(move || {
                        let shown = show(&mut kept, &mut places);
                        if let Some(error) = failed.or(shown.err()) {
                            let _ = writeln!(
                                places[1],
                                "progrun: the rest of the output is lost, keeping it failed: {error}"
                            );
                        }
                    })
                    .ok();
            }
            _ => {}
        }
    }

    fn flush(&mut self, charge: &Charge) {
        if let Some(show) = self.show.take() {
            let charge = charge.clone();
            // Another thread, because joining waits.
            let _ = thread::Builder::new().spawn(move || {
                let _ = show.join();
                drop(charge);
            });
        }
    }
}
