//! Several progruns on one terminal: one of them draws, and the others are its guests.
//!
//! A progrun that draws on a terminal holds a lock, in a file in the folder of the sockets that is named after the
//! terminal, and names its own socket there. One that finds the lock held connects to that socket and hands over what it
//! would have drawn. When the one that draws ends, or leaves the foreground, its guests see it at their end of the
//! connection, and the first of them to get the lock draws. Knows neither bars nor tasks.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, fstat};
use rustix::stdio::stderr;

use crate::flow::{Credit, Permit};
use crate::socket;
use crate::system::life;

use super::super::Joining;

/// How long the one that draws has to take a connection. It does not wait for anything else before.
const PATIENCE: Duration = Duration::from_millis(100);
/// The longest frame that is taken from a guest, in bytes: more than is ever under way.
const LONGEST: usize = 16 * 1024 * 1024;
/// The answer to a frame that is on the terminal.
const SHOWN: u8 = b'+';
/// What a guest says last about a frame without an answer, if it writes the text itself.
const WITHDRAWN: u8 = b'-';

/// The right to draw on the terminal behind stderr.
#[derive(Debug)]
pub(super) struct Claim {
    /// Locked as long as it is open.
    file: File,
    path: PathBuf,
}

impl Claim {
    /// Whether it is still ours. Another progrun takes it while we are stopped, as by SIGSTOP.
    pub(super) fn holds(&self) -> bool {
        is_linked(&self.file)
    }
}

/// Whether the file is still the one at its path. Nothing else removes it.
fn is_linked(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.nlink() > 0)
}

/// The holder of that right.
#[derive(Debug)]
pub(super) enum Holder {
    /// We are.
    Us(Claim),
    /// The run with this socket.
    Another(PathBuf),
    /// One that is stopped, and has locked this file.
    Stopped(File),
    /// There is none, or it is not known.
    None,
}

/// The file with the lock; none if our own run has no socket, or stderr is no terminal.
fn place() -> Option<PathBuf> {
    let terminal = fstat(stderr()).ok()?.st_rdev;
    let folder = socket::ours()?.parent()?;
    (terminal != 0).then(|| folder.join(format!("{}{terminal:x}", socket::LOCK)))
}

/// Who draws on this terminal, as far as that is not us.
#[must_use]
pub(super) fn look() -> Holder {
    let Some(path) = place() else {
        return Holder::None;
    };
    // Mostly there is no such file.
    match File::open(path) {
        Ok(file) if is_held(&file) => holder(file),
        _ => Holder::None,
    }
}

fn is_held(file: &File) -> bool {
    let locked = flock(file, FlockOperation::NonBlockingLockShared);
    locked.is_err_and(|error| error == rustix::io::Errno::WOULDBLOCK)
}

/// The socket that the file names.
fn holder(mut file: File) -> Holder {
    let mut path = String::new();
    let read = file.read_to_string(&mut path);
    let is_complete = read.is_ok() && path.ends_with('\n');
    let path = Path::new(path.trim_end());
    if !is_complete || Some(path) == socket::ours() {
        return Holder::None;
    }
    match socket::owner(path) {
        // One that is stopped draws nothing, and would keep its guests from ending.
        Some(pid) if life::is_stopped(pid) => Holder::Stopped(file),
        Some(_) => Holder::Another(path.to_owned()),
        None => Holder::None,
    }
}

/// Takes the right to draw, if no other progrun has it that can draw.
#[must_use]
pub(super) fn claim() -> Holder {
    let (Some(path), Some(ours)) = (place(), socket::ours()) else {
        return Holder::None;
    };
    match claim_at(&path, ours) {
        Holder::Stopped(file) => {
            // It keeps the lock of a file that is not there any more. Without that, each of its guests would draw for
            // itself, over the bars of the others.
            let removed = is_linked(&file).then(|| std::fs::remove_file(&path));
            match removed {
                Some(Ok(())) => claim_at(&path, ours),
                _ => Holder::None,
            }
        }
        other => other,
    }
}

fn claim_at(path: &Path, ours: &Path) -> Holder {
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    let Ok(mut file) = opened else {
        return Holder::None;
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return holder(file);
    }
    // The last holder has removed the file between these calls: the next frame tries again.
    if !is_linked(&file) {
        return Holder::None;
    }
    let named = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", ours.display()));
    match named {
        Ok(()) => Holder::Us(Claim {
            file,
            path: path.to_owned(),
        }),
        Err(_) => Holder::None,
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While the lock is held, and only our own: if ours was removed, another progrun may have made one of that name.
        if socket::is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What a guest hands over at once: text to go above the bars, its picture, and whether a child of it has the terminal.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) above: Vec<u8>,
    pub(super) rows: Vec<String>,
    pub(super) lends: bool,
}

impl Frame {
    /// A line with the lengths, then the bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let rows = self.rows.join("\n");
        let head = format!(
            "{} {} {}\n",
            self.above.len(),
            rows.len(),
            u8::from(self.lends)
        );
        [head.as_bytes(), &self.above, rows.as_bytes()].concat()
    }

    /// The first frame in these bytes, which are taken out; none as long as it is not complete.
    ///
    /// # Errors
    /// If there is no frame.
    fn take(bytes: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let bad = || io::Error::from(ErrorKind::InvalidData);
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            return if bytes.len() < 100 {
                Ok(None)
            } else {
                Err(bad())
            };
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad())?;
        let mut numbers = head.split(' ').map(|number| number.parse::<usize>().ok());
        let mut next = || numbers.next().flatten().filter(|number| *number <= LONGEST);
        let (Some(above), Some(rows), Some(lends)) = (next(), next(), next()) else {
            return Err(bad());
        };
        let start = end + 1;
        if bytes.len() < start + above + rows {
            return Ok(None);
        }
        let rest = bytes.split_off(start + above + rows);
        let text = String::from_utf8_lossy(&bytes[start + above..]).into_owned();
        let frame = Self {
            above: bytes[start..start + above].to_vec(),
            rows: text.lines().map(str::to_owned).collect(),
            lends: lends != 0,
        };
        *bytes = rest;
        Ok(Some(frame))
    }
}

/// Our way to the progrun that draws. One frame is under way at a time: the next is sent when it is on the terminal.
#[derive(Debug)]
pub(super) struct Guest {
    /// The number of the one that draws.
    host: Option<i32>,
    stream: UnixStream,
    unsent: Vec<u8>,
    under_way: Option<Frame>,
    permits: Vec<Permit>,
    next: Frame,
    next_permits: Vec<Permit>,
    has_next: bool,
    is_lost: bool,
}

impl Guest {
    /// Of the run with this socket; none if it does not take us.
    #[must_use]
    pub(super) fn of(path: &Path) -> Option<Self> {
        let mut stream = socket::connect(path, PATIENCE).ok()?;
        stream.write_all(b"?join\n").ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(Self {
            host: socket::owner(path),
            stream,
            unsent: Vec::new(),
            under_way: None,
            permits: Vec::new(),
            next: Frame::default(),
            next_permits: Vec::new(),
            has_next: false,
            is_lost: false,
        })
    }

    /// Hands over text, and the picture if it has changed. Holds `permits` until both are on the terminal.
    pub(super) fn send(&mut self, above: &[u8], rows: Option<Vec<String>>, permits: Vec<Permit>) {
        self.has_next |= !above.is_empty() || rows.is_some();
        self.next.above.extend_from_slice(above);
        if let Some(rows) = rows {
            self.next.rows = rows;
        }
        self.next_permits.extend(permits);
        self.work();
    }

    /// A child of ours gets the terminal, or has given it back.
    pub(super) fn lend(&mut self, lends: bool) {
        self.next.lends = lends;
        self.has_next = true;
        self.work();
    }

    /// Goes on with the frame that is under way, and then with the next. Never waits.
    pub(super) fn work(&mut self) {
        while !self.is_lost {
            if !self.unsent.is_empty() {
                match self.stream.write(&self.unsent) {
                    Ok(count) => drop(self.unsent.drain(..count)),
                    Err(error) => return self.note(&error),
                }
            } else if self.under_way.is_some() {
                let mut answer = [0];
                match self.stream.read(&mut answer) {
                    Ok(1) if answer[0] == SHOWN => {
                        self.under_way = None;
                        self.permits.clear();
                    }
                    Ok(_) => self.is_lost = true,
                    Err(error) => return self.note(&error),
                }
            } else if std::mem::take(&mut self.has_next) {
                let (rows, lends) = (self.next.rows.clone(), self.next.lends);
                let above = std::mem::take(&mut self.next.above);
                let frame = Frame { above, rows, lends };
                self.unsent = frame.to_bytes();
                self.under_way = Some(frame);
                self.permits.append(&mut self.next_permits);
            } else {
                self.next_permits.clear();
                self.look_for_end();
                return;
            }
        }
    }

    /// Whether the other end is gone, although nothing is under way.
    fn look_for_end(&mut self) {
        let mut answer = [0];
        match self.stream.read_exact(&mut answer) {
            // There is nothing to answer.
            Ok(()) => self.is_lost = true,
            Err(error) => self.note(&error),
        }
    }

    fn note(&mut self, error: &io::Error) {
        self.is_lost |= !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
    }

    /// Whether all that was handed over is on the terminal.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_none() && !self.has_next
    }

    /// Leaves the one that draws if it is stopped while something is under way.
    pub(super) fn look(&mut self) {
        self.is_lost |= self.under_way.is_some() && self.host.is_some_and(life::is_stopped);
    }

    /// Whether the progrun that draws is gone, or draws no more.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The text that did not get to the terminal, and the permits for it.
    pub(super) fn into_rest(mut self) -> (Vec<u8>, Vec<Permit>) {
        if self.unsent.is_empty() && self.under_way.is_some() {
            // One that was stopped would write it again when it is continued.
            let _ = self.stream.write_all(&[WITHDRAWN]);
        }
        let under_way = self.under_way.map_or(Vec::new(), |frame| frame.above);
        let permits = self.permits.into_iter().chain(self.next_permits);
        ([under_way, self.next.above].concat(), permits.collect())
    }
}

/// A guest of ours.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: UnixStream,
    read: Vec<u8>,
    pub(super) rows: Vec<String>,
    pub(super) lends: bool,
    /// Has something under way as long as the last frame is not on the terminal. Gives the answer then, at once and in
    /// any case: a guest that was not told so would write the same text again.
    credit: Credit,
}

impl Visitor {
    /// A progrun behind this connection, which does not block.
    ///
    /// # Errors
    /// If there is no descriptor for the answers.
    pub(super) fn new((stream, read): Joining) -> io::Result<Self> {
        let answers = stream.try_clone()?;
        let answer = move || {
            // Where this fails, there is no guest any more.
            let _ = (&answers).write_all(&[SHOWN]);
        };
        Ok(Self {
            stream,
            read,
            rows: Vec::new(),
            lends: false,
            credit: Credit::new(1, answer),
        })
    }

    /// Takes in what it has handed over. Gives the text for above the bars with the permit to hold until that is on the
    /// terminal; none if there is nothing new.
    ///
    /// # Errors
    /// If it is gone, or says what no progrun says.
    pub(super) fn hear(&mut self) -> io::Result<Option<(Vec<u8>, Permit)>> {
        if self.credit.exhausted() {
            return Ok(None);
        }
        let is_gone = self.read()?;
        match Frame::take(&mut self.read)? {
            Some(_) if self.read.first() == Some(&WITHDRAWN) => {
                Err(ErrorKind::UnexpectedEof.into())
            }
            Some(frame) => {
                self.rows = frame.rows;
                self.lends = frame.lends;
                Ok(Some((frame.above, self.credit.permit(1))))
            }
            None if is_gone => Err(ErrorKind::UnexpectedEof.into()),
            None => Ok(None),
        }
    }

    /// Reads what there is. Says whether that was the last of it.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Guest, Visitor) {
        let (guest, host) = UnixStream::pair().unwrap();
        for end in [&guest, &host] {
            end.set_nonblocking(true).unwrap();
        }
        let guest = Guest {
            host: None,
            stream: guest,
            unsent: Vec::new(),
            under_way: None,
            permits: Vec::new(),
            next: Frame::default(),
            next_permits: Vec::new(),
            has_next: false,
            is_lost: false,
        };
        (guest, Visitor::new((host, Vec::new())).unwrap())
    }

    #[test]
    fn a_frame_is_under_way_until_it_is_on_the_terminal_and_the_next_has_all_that_came_meanwhile() {
        let (mut guest, mut visitor) = pair();
        guest.send(b"one\n", Some(vec!["a 1%".to_owned()]), Vec::new());
        guest.send(b"two\n", Some(vec!["a 2%".to_owned()]), Vec::new());
        guest.send(b"three\xff\n", None, Vec::new());
        let (above, permit) = visitor.hear().unwrap().unwrap();
        assert_eq!(above, b"one\n");
        assert_eq!(visitor.rows, ["a 1%"]);
        assert!(visitor.hear().unwrap().is_none());
        guest.work();
        assert!(!guest.is_idle());
        drop(permit);
        assert!(visitor.hear().unwrap().is_none());
        guest.work();
        let (above, permit) = visitor.hear().unwrap().unwrap();
        assert_eq!(above, b"two\nthree\xff\n");
        assert_eq!(visitor.rows, ["a 2%"]);
        drop(permit);
        assert!(visitor.hear().unwrap().is_none());
        guest.work();
        assert!(guest.is_idle());
    }

    #[test]
    fn text_that_was_not_shown_when_the_other_one_ended_is_not_lost() {
        let (mut guest, visitor) = pair();
        guest.send(b"one\n", None, Vec::new());
        guest.send(b"two\n", None, Vec::new());
        drop(visitor);
        guest.work();
        assert!(guest.is_lost());
        assert_eq!(guest.into_rest().0, b"one\ntwo\n");
    }

    #[test]
    fn text_that_gets_to_the_terminal_after_the_one_that_draws_has_left_is_not_written_again() {
        let (mut guest, mut visitor) = pair();
        guest.send(b"one\n", None, Vec::new());
        let (_, permit) = visitor.hear().unwrap().unwrap();
        guest.send(b"two\n", None, Vec::new());
        drop(visitor);
        guest.work();
        assert!(!guest.is_lost());
        drop(permit);
        guest.work();
        assert!(guest.is_lost());
        assert_eq!(guest.into_rest().0, b"two\n");
    }

    #[test]
    fn text_that_a_guest_took_away_again_is_not_shown_by_one_that_was_stopped() {
        let (mut guest, mut visitor) = pair();
        guest.send(b"one\n", None, Vec::new());
        assert_eq!(guest.into_rest().0, b"one\n");
        assert!(visitor.hear().is_err());
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let mut bytes = b"1 2\n".to_vec();
        assert!(Frame::take(&mut bytes).is_err());
        let mut bytes = b"99999999999 0 0\n".to_vec();
        assert!(Frame::take(&mut bytes).is_err());
        let mut bytes = b"3 0 0\nab".to_vec();
        assert!(Frame::take(&mut bytes).unwrap().is_none());
    }
}
