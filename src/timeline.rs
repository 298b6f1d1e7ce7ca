//! `progrun timeline`: a recorded run as one page of HTML.
//!
//! Reads the events of `--json`, or the records of a job log, into a [`Recording`], and writes the page. All of this
//! is after the fact: it knows no running task and no sink, only their words. The recording is foreign: a line may be
//! damaged, missing or made up, a text may be anything, and a gigabyte of output must not need a gigabyte of memory.

mod bounds;
mod curve;
mod page;
mod parts;
mod reading;
mod recording;
mod state;
mod tail;
mod ways;

use std::io::{self, BufRead, Read};

use self::reading::Reading;

pub(crate) use self::page::write;
pub(crate) use self::reading::Fault;
pub(crate) use self::recording::Recording;

/// The longest line that is read, in bytes. One event is that long only if its command or report is.
const LONGEST: u64 = 16 * 1024 * 1024;
/// If so many bytes and no event among them, it is another file, perhaps a huge one.
const IN_VAIN: u64 = 1024 * 1024;

/// Why there is no recording.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It cannot be read.
    Error(io::Error),
    /// There is nothing in it.
    Empty,
    /// The line of this number is no event, and none came after it.
    NotARecording(u64),
    /// The line of this number begins a run whose records mean something else.
    Newer(u64),
}

/// Reads a recording to its end.
///
/// # Errors
/// If it cannot be read, or is something else.
pub(crate) fn read(input: &mut dyn BufRead) -> Result<Recording, Unread> {
    let mut reading = Reading::default();
    let (mut line, mut number, mut bytes) = (Vec::new(), 0, 0);
    let mut first = None;
    loop {
        line.clear();
        let read = (&mut *input).take(LONGEST).read_until(b'\n', &mut line);
        let read = read.map_err(Unread::Error)? as u64;
        if read == 0 {
            break;
        }
        number += 1;
        bytes += read;
        if !line.ends_with(b"\n") && read == LONGEST {
            // Its beginning alone is no event.
            skip_line(input).map_err(Unread::Error)?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        first.get_or_insert(number);
        match reading.line(&line, number) {
            Ok(()) => {}
            Err(Fault::Newer) => return Err(Unread::Newer(number)),
            Err(Fault::NotAnEvent) => {
                if reading.is_empty() && bytes > IN_VAIN {
                    break;
                }
            }
        }
    }
    match first {
        None => Err(Unread::Empty),
        Some(first) if reading.is_empty() => Err(Unread::NotARecording(first)),
        Some(_) => Ok(reading.end()),
    }
}

/// Goes on to the beginning of the next line.
fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let used = end.unwrap_or(bytes.len());
        if used == 0 {
            return Ok(());
        }
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}
