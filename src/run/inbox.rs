//! The run loop's inbox: everything that can happen to a run, in one order.
//!
//! Inputs of other threads wait in two queues, each in its order. Signals are taken first, then the queue with the
//! workers' answers to them: otherwise a child that prints faster than a terminal draws would keep Ctrl-C waiting.
//!
//! One `poll` waits for all of it: a pipe that senders and signal handlers write to, and descriptors that are watched
//! until they break. So none of these needs a thread of its own. Does not know what an input means.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::system::wake::{Wake, Woken, wake};

use super::signals::Signals;

/// Makes the ends of an inbox: one to put into, which can be cloned, and one to take from.
///
/// # Errors
/// If no pipe can be made.
pub(super) fn open<T>() -> io::Result<(Inbox<T>, Inputs<T>)> {
    let (wake, woken) = wake()?;
    let inbox = Inbox {
        queues: Arc::default(),
        wake,
    };
    let inputs = Inputs {
        queues: Arc::clone(&inbox.queues),
        woken,
        watched: Vec::new(),
        signals: Signals::default(),
        dozes_until: None,
    };
    Ok((inbox, inputs))
}

/// The end to put into.
pub(super) struct Inbox<T> {
    queues: Arc<Mutex<Queues<T>>>,
    wake: Wake,
}

/// The end to take from.
pub(super) struct Inputs<T> {
    queues: Arc<Mutex<Queues<T>>>,
    woken: Woken,
    /// Descriptors, each with the input that is given once when it breaks.
    watched: Vec<(OwnedFd, T)>,
    pub(super) signals: Signals,
    /// Until when a note does not wake the taker.
    dozes_until: Option<Instant>,
}

struct Queues<T> {
    first: VecDeque<T>,
    others: VecDeque<T>,
    taker: Taker,
}

/// What wakes the taker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// It is awake.
    Awake,
    /// It waits, but not for long. A note need not wake it.
    Dozes,
    /// It waits: whatever is put in has to wake it.
    Sleeps,
}

impl<T> Default for Queues<T> {
    fn default() -> Self {
        Self {
            first: VecDeque::new(),
            others: VecDeque::new(),
            taker: Taker::Awake,
        }
    }
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self {
            queues: Arc::clone(&self.queues),
            wake: self.wake.clone(),
        }
    }
}

impl<T> Inbox<T> {
    /// Puts an input behind all others.
    pub(super) fn send(&self, input: T) {
        self.put(true, |queues| queues.others.push_back(input));
    }

    /// The same, for an input that can wait for a moment: it does not wake a taker that dozes.
    pub(super) fn note(&self, input: T) {
        self.put(false, |queues| queues.others.push_back(input));
    }

    /// Puts an input before all others, but behind those that were put so earlier.
    pub(super) fn send_first(&self, input: T) {
        self.put(true, |queues| queues.first.push_back(input));
    }

    /// The same, for an input that can wait for a moment.
    pub(super) fn note_first(&self, input: T) {
        self.put(false, |queues| queues.first.push_back(input));
    }

    /// The pipe that wakes the taker, for signal handlers.
    pub(super) fn wake(&self) -> &Wake {
        &self.wake
    }

    fn put(&self, is_urgent: bool, put: impl FnOnce(&mut Queues<T>)) {
        let mut queues = lock(&self.queues);
        put(&mut queues);
        let wakes = match queues.taker {
            Taker::Awake => false,
            Taker::Dozes => is_urgent,
            Taker::Sleeps => true,
        };
        if wakes {
            queues.taker = Taker::Awake;
        }
        drop(queues);
        if wakes {
            self.wake.wake();
        }
    }
}

impl<T> Inputs<T> {
    /// Gives `input` once when `descriptor` breaks: a pipe whose reader is gone, a socket that was hung up.
    pub(super) fn watch(&mut self, descriptor: OwnedFd, input: T) {
        self.watched.push((descriptor, input));
    }

    /// Until then, notes do not wake the taker.
    pub(super) fn doze(&mut self, until: Instant) {
        self.dozes_until = Some(until);
    }

    /// Waits for the next input, at most for this long; none: for ever. `signal` turns a signal into an input, and
    /// `asked` gives the input that one of the descriptors in `served` can be read.
    ///
    /// # Errors
    /// If the system refuses to wait.
    pub(super) fn next(
        &mut self,
        at_most: Option<Duration>,
        signal: impl Fn(i32) -> T,
        (served, asked): (&[BorrowedFd<'_>], impl Fn() -> T),
    ) -> io::Result<Option<T>> {
        let until = at_most.and_then(|at_most| Instant::now().checked_add(at_most));
        loop {
            if let Some(number) = self.signals.take() {
                return Ok(Some(signal(number)));
            }
            let mut queues = lock(&self.queues);
            if let Some(input) = queues.first.pop_front() {
                return Ok(Some(input));
            }
            if let Some(input) = queues.others.pop_front() {
                return Ok(Some(input));
            }
            let now = Instant::now();
            self.dozes_until = self.dozes_until.filter(|until| now < *until);
            queues.taker = match self.dozes_until {
                Some(_) => Taker::Dozes,
                None => Taker::Sleeps,
            };
            drop(queues);
            let left = |until: Instant| until.saturating_duration_since(now);
            let wakes = [until, self.dozes_until].into_iter().flatten().min();
            let (broken, is_asked) = self.wait(wakes.map(left), served)?;
            // This thread is awake: senders need not wake it any more.
            let mut queues = lock(&self.queues);
            queues.taker = Taker::Awake;
            let is_empty = queues.first.is_empty() && queues.others.is_empty();
            drop(queues);
            if let Some(input) = broken {
                return Ok(Some(input));
            }
            if is_asked {
                return Ok(Some(asked()));
            }
            if is_empty && until.is_some_and(|until| until <= now) && !self.signals.any() {
                return Ok(None);
            }
        }
    }

    /// Waits until there may be an input. Gives the input of a watched descriptor that broke, and whether a served one
    /// can be read.
    fn wait(
        &mut self,
        at_most: Option<Duration>,
        served: &[BorrowedFd<'_>],
    ) -> io::Result<(Option<T>, bool)> {
        let mut polled = Vec::with_capacity(1 + self.watched.len() + served.len());
        polled.push(PollFd::new(&self.woken, PollFlags::IN));
        // No event is asked for: `poll` always reports POLLERR and POLLHUP.
        let watched = self.watched.iter();
        polled.extend(watched.map(|(end, _)| PollFd::new(end, PollFlags::empty())));
        polled.extend(served.iter().map(|end| PollFd::new(end, PollFlags::IN)));
        let timeout = at_most.map(|at_most| Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok((None, false)),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        let woken = is_ready(&polled[0]);
        let (watched, served) = polled[1..].split_at(self.watched.len());
        let broken = watched.iter().position(is_ready);
        let is_asked = served.iter().any(is_ready);
        if woken {
            self.woken.clear();
        }
        let broken = broken.map(|index| self.watched.swap_remove(index).1);
        Ok((broken, is_asked))
    }
}

fn lock<T>(queues: &Mutex<Queues<T>>) -> MutexGuard<'_, Queues<T>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn next(inputs: &mut Inputs<i32>, at_most: Option<Duration>) -> Option<i32> {
        inputs.next(at_most, |signal| signal, (&[], || 0)).unwrap()
    }

    #[test]
    fn what_is_urgent_goes_before_and_both_keep_their_order() {
        let (inbox, mut inputs) = open().unwrap();
        for input in 0..3 {
            inbox.send(input);
        }
        for input in 10..13 {
            inbox.send_first(input);
        }
        inbox.send(3);
        let taken: Vec<_> = (0..7).filter_map(|_| next(&mut inputs, None)).collect();
        assert_eq!(taken, [10, 11, 12, 0, 1, 2, 3]);
        assert_eq!(next(&mut inputs, Some(Duration::ZERO)), None);
    }

    #[test]
    fn a_note_is_taken_late_by_a_taker_that_dozes_and_at_once_by_one_that_sleeps() {
        let (inbox, mut inputs) = open().unwrap();
        let is_so = |inbox: &Inbox<i32>, taker| lock(&inbox.queues).taker == taker;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_so(&inbox, Taker::Sleeps) {
                    thread::yield_now();
                }
                inbox.note(1);
            });
            // Without an end of the wait: only a wake-up ends it.
            assert_eq!(next(&mut inputs, None), Some(1));
        });
        let dozes_until = Instant::now() + Duration::from_millis(50);
        inputs.doze(dozes_until);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_so(&inbox, Taker::Dozes) {
                    thread::yield_now();
                }
                inbox.note(2);
            });
            assert_eq!(next(&mut inputs, None), Some(2));
        });
        assert!(Instant::now() >= dozes_until);
        inputs.doze(Instant::now() + Duration::from_hours(1));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_so(&inbox, Taker::Dozes) {
                    thread::yield_now();
                }
                inbox.note_first(4);
                inbox.send(3);
            });
            assert_eq!(next(&mut inputs, None), Some(4));
            assert_eq!(next(&mut inputs, None), Some(3));
        });
    }

    #[test]
    fn what_is_sent_by_other_threads_is_all_taken_however_it_meets_the_waiting() {
        let (inbox, mut inputs) = open().unwrap();
        let senders = [0, 1, 2].map(|sender| {
            let inbox = inbox.clone();
            thread::spawn(move || {
                for number in 0..10_000 {
                    inbox.send(3 * number + sender);
                }
            })
        });
        let mut taken: Vec<_> = (0..30_000)
            .filter_map(|_| next(&mut inputs, None))
            .collect();
        taken.sort_unstable();
        assert!(taken.into_iter().eq(0..30_000));
        for sender in senders {
            sender.join().unwrap();
        }
    }

    #[test]
    fn a_pipe_that_breaks_is_told_once() {
        let (_inbox, mut inputs) = open().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        inputs.watch(writer.into(), 7);
        assert_eq!(next(&mut inputs, Some(Duration::ZERO)), None);
        drop(reader);
        assert_eq!(next(&mut inputs, None), Some(7));
        assert_eq!(next(&mut inputs, Some(Duration::ZERO)), None);
    }
}
