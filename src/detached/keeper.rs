//! The other end of our stdout and stderr in a run that has left its terminal: a pipe, and a thread that keeps what comes
//! out of it. An error of the disk never stops it: the run never waits for a place that is full.
//!
//! All that would be on the screen goes this way: what the command prints, the lines of progrun, the last words of a
//! command of `--on-end`, and the message of a panic.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};

use crate::system::detach::fall_silent;
use crate::system::signals::Blocked;
use crate::system::wake::{Wake, Woken, wake};

use super::store::Store;

/// How much is read at once.
const BLOCK: usize = 64 * 1024;

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Keeper {
    place: OwnedFd,
    wake: Wake,
    /// What kept some of the output from being kept, each time after a wake-up. Without this end, the wake-up is the
    /// last one.
    settled: Receiver<Option<String>>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts it.
    pub(super) fn start(store: Store) -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        // Away from the numbers that are the command's.
        let read = File::from(fcntl_dupfd_cloexec(read, 10)?);
        let place = fcntl_dupfd_cloexec(write, 10)?;
        ioctl_fionbio(&read, true)?;
        let (wake, woken) = wake()?;
        let (sender, settled) = channel();
        // A signal to progrun is for the run loop, which is not there yet.
        let _blocked = Blocked::all();
        let thread = thread::Builder::new()
            .name("progrun-keeper".to_owned())
            .spawn(move || keep(read, &woken, store, &sender))?;
        Ok(Self {
            place,
            wake,
            settled,
            thread,
        })
    }

    /// The pipe.
    pub(super) fn place(&self) -> BorrowedFd<'_> {
        self.place.as_fd()
    }

    /// Waits until what is in the pipe is kept. Gives the reason if some of the output could not be.
    pub(super) fn settle(&self) -> Option<String> {
        self.wake.wake();
        self.settled.recv().ok().flatten()
    }

    /// Keeps what is in the pipe, and ends. Processes that were left behind with this stdout may hold the pipe for ever:
    /// what they print from now on is not kept.
    pub(super) fn finish(self) {
        let _ = fall_silent();
        drop(self.place);
        drop(self.settled);
        self.wake.wake();
        let _ = self.thread.join();
    }
}

/// Keeps what comes, until there is no writer any more, or until no more comes after the last wake-up.
fn keep(mut pipe: File, woken: &Woken, mut store: Store, settled: &Sender<Option<String>>) {
    let mut block = vec![0; BLOCK];
    let mut is_awaited = false;
    loop {
        match pipe.read(&mut block) {
            Ok(0) => break,
            Ok(length) => store.append(&block[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if is_awaited && settled.send(store.lost()).is_err() {
                    break;
                }
                let mut sources = [
                    PollFd::new(&pipe, PollFlags::IN),
                    PollFd::new(woken, PollFlags::IN),
                ];
                let _ = poll(&mut sources, None);
                is_awaited = !sources[1].revents().is_empty();
                if is_awaited {
                    woken.clear();
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
}
