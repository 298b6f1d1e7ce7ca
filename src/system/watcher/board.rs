//! The watcher of many children, and the board on which they are noted: memory that this process and the watcher share.
//!
//! A fork for each of many children would cost as much as a short child, and a note of one on the board costs a store.
//! The child makes the note itself, before it becomes the program. The watcher reads the board only when this process is
//! gone: what is noted there then was not reaped by us.
#![expect(
    unsafe_code,
    reason = "a fork and shared memory have no safe interface"
)]

use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::{LOOK, Process, is_empty, is_ready, kill_by, open, pause, settle};

/// The children of a run of many, and the watcher of all their groups. Dropping the value ends the watcher.
#[derive(Debug)]
pub(crate) struct Board {
    /// Before the memory that it sees.
    _process: Process,
    places: Places,
}

/// A child's place on a board, until the value is dropped. It must be dropped before the child is reaped: its number is
/// then free for another process.
#[derive(Debug)]
pub(crate) struct Place {
    board: Arc<Board>,
    index: usize,
}

/// A place without a child yet.
const RESERVED: i32 = -1;

impl Board {
    /// With places for so many children. None if the system gives no memory or no process.
    pub(crate) fn start(children: usize, patience: Duration) -> Option<Self> {
        let places = Places::new(children)?;
        let seen = places.list();
        let process = Process::fork(|hang_up| watch(hang_up, seen, patience))?;
        Some(Self {
            _process: process,
            places,
        })
    }

    /// A place for a child that is about to be started. None if there is none.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Place> {
        let is_free = |place: &Noted| {
            let order = (Ordering::AcqRel, Ordering::Relaxed);
            let was = place.leader.compare_exchange(0, RESERVED, order.0, order.1);
            was.is_ok()
        };
        let index = self.places.list().iter().position(is_free)?;
        Some(Place {
            board: Arc::clone(self),
            index,
        })
    }
}

impl Place {
    /// Where the child notes its number, once it leads its group. On a busy machine it may have ignored SIGTERM and
    /// started others before the thread that started it goes on.
    pub(crate) fn number(&self) -> &AtomicI32 {
        &self.board.places.list()[self.index].leader
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.number().store(0, Ordering::Release);
    }
}

/// What a board says of a child.
#[repr(C)]
struct Noted {
    /// Its number; 0: the place is free; less: it has no child yet.
    leader: AtomicI32,
    /// Its pidfd in the watcher; less than 0: there is none.
    handle: AtomicI32,
}

/// Memory that is shared with the processes that are forked from now on.
#[derive(Debug)]
struct Places {
    first: NonNull<Noted>,
    count: usize,
}

// SAFETY: the memory consists of atomics, and stays where it is until the value is dropped.
unsafe impl Send for Places {}
// SAFETY: as above.
unsafe impl Sync for Places {}

impl Places {
    fn new(count: usize) -> Option<Self> {
        let size = count.checked_mul(size_of::<Noted>())?;
        // SAFETY: asks for fresh memory, which is all zeros, and so a list of free places.
        let first = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let first = NonNull::new(first).filter(|first| first.as_ptr() != libc::MAP_FAILED)?;
        Some(Self {
            first: first.cast(),
            count,
        })
    }

    fn list(&self) -> &[Noted] {
        // SAFETY: `count` places from `first` on are ours, are initialised, and hold atomics.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        // SAFETY: the memory that `new` was given; no list of it lives any more.
        unsafe {
            libc::munmap(self.first.as_ptr().cast(), self.count * size_of::<Noted>());
        }
    }
}

/// The life of the watcher of a board.
fn watch(hang_up: RawFd, places: &[Noted], patience: Duration) -> ! {
    // SAFETY: system calls on plain numbers, each of them async-signal-safe.
    unsafe {
        // Out of our group, or a SIGKILL for that would end the watcher, too.
        libc::setpgid(0, 0);
        settle(hang_up);
        while !is_ready(0, -1) {}
        for place in places {
            let leader = place.leader.load(Ordering::Acquire);
            if leader > 0 {
                place.handle.store(open(leader), Ordering::Relaxed);
                // A stopped process does not act on SIGTERM.
                libc::kill(-leader, libc::SIGCONT);
            }
        }
        let deadline = Instant::now().checked_add(patience);
        loop {
            let left = deadline.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
            let mut is_over = true;
            for place in places {
                // No member pins the number once the group is empty: the checks are frequent enough to see that first.
                is_over &= place.is_over();
            }
            if is_over {
                libc::_exit(0);
            }
            if left.is_zero() {
                break;
            }
            pause(left.min(LOOK));
        }
        for place in places {
            let leader = place.leader.load(Ordering::Relaxed);
            if leader > 0 {
                kill_by(place.handle.load(Ordering::Relaxed));
                libc::kill(-leader, libc::SIGKILL);
            }
        }
        libc::_exit(0)
    }
}

impl Noted {
    /// Whether neither the child nor its group is there any more. The place is free then.
    fn is_over(&self) -> bool {
        let leader = self.leader.load(Ordering::Relaxed);
        if leader <= 0 {
            return true;
        }
        let handle = self.handle.load(Ordering::Relaxed);
        let is_over = (handle < 0 || is_ready(handle, 0)) && is_empty(leader);
        if is_over {
            self.leader.store(0, Ordering::Relaxed);
        }
        is_over
    }
}
