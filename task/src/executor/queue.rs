//! The one queue on which the tasks of an executor send messages to the foreground.
//!
//! Responsible for order, for the bound, and for waking the threads that wait. Does not know what a message means.
//!
//! Only reports respect the bound, and a cancelled task never waits at all. Otherwise there would be a deadlock: a
//! worker that had to wait in order to say that it started or ended could never be joined by a foreground that has
//! stopped dispatching.
//!
//! The foreground takes all messages at once and works through them without the lock. The batch that it took does not
//! count as queued.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::observers::FirstPanic;

pub(super) type TaskId = u64;
pub(super) type Batch<M> = VecDeque<(TaskId, M)>;
pub(super) type Ping = Box<dyn Fn(Sent) + Send + Sync>;

/// Which of the messages of its task a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The first: the task has begun.
    Start,
    /// One in between.
    Report,
    /// The final one.
    End,
}

/// How often a thread looks whether there is something to do, letting others run in between, before it
/// sleeps. To wake a sleeper takes an idle processor 50 microseconds, ten times as long as a short task.
pub(super) const LOOKS: u32 = 64;

type Waker = Box<dyn FnOnce() + Send>;

/// The message was not sent: the task was asked to stop, or has already sent its final message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRefused;

impl fmt::Display for SendRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was cancelled or has ended, and sends no more")
    }
}

impl Error for SendRefused {}

/// A task's end of the queue, and of the flag that asks it to stop.
///
/// It may be cloned and used from several threads of the same task.
pub struct TaskSender<M> {
    link: Arc<Link>,
    queue: Arc<Queue<M>>,
}

/// What the two ends of one task share.
struct Link {
    id: TaskId,
    cancelled: AtomicBool,
    /// None once the task is cancelled or over: a waker that was left here later would never be called.
    wakers: Mutex<Option<Vec<Waker>>>,
    /// Read and written under the queue's lock, or a report could slip in behind the final message.
    closed: AtomicBool,
    /// Where the newest report is: how many messages of all tasks were sent up to it, itself included.
    /// Read and written under the queue's lock.
    newest: AtomicU64,
}

pub(super) struct Queue<M> {
    state: Mutex<State<M>>,
    filled: Condvar,
    emptied: Condvar,
    capacity: usize,
    ping: Option<Ping>,
}

struct State<M> {
    messages: Batch<M>,
    /// How many messages the foreground has ever taken: the position of the first one here.
    taken: u64,
    foreground_waits: bool,
    waiting_tasks: usize,
}

impl<M> Queue<M> {
    pub(super) fn new(capacity: usize, ping: Option<Ping>) -> Self {
        Self {
            state: Mutex::new(State {
                messages: VecDeque::new(),
                taken: 0,
                foreground_waits: false,
                waiting_tasks: 0,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            capacity,
            ping,
        }
    }

    /// Exchanges the caller's empty batch for everything that is queued.
    pub(super) fn take(&self, batch: &mut Batch<M>) {
        let mut state = self.lock();
        mem::swap(&mut state.messages, batch);
        state.taken += batch.len() as u64;
        self.wake_tasks(state);
    }

    /// Waits until something is queued or the deadline has passed. Only for the foreground.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        let mut state = self.lock();
        let mut looks = 0;
        while state.messages.is_empty() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if looks < LOOKS {
                looks += 1;
                drop(state);
                thread::yield_now();
                state = self.lock();
                continue;
            }
            state.foreground_waits = true;
            state = match left {
                None => ignore_poison(self.filled.wait(state)),
                Some(left) => ignore_poison(self.filled.wait_timeout(state, left)).0,
            };
        }
        state.foreground_waits = false;
    }

    pub(super) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    fn append(&self, mut state: MutexGuard<'_, State<M>>, id: TaskId, sent: Sent, message: M) {
        state.messages.push_back((id, message));
        // Once is enough: until the foreground has woken up, further messages need not call it again.
        let wake = mem::take(&mut state.foreground_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        if let Some(ping) = &self.ping {
            ping(sent);
        }
    }

    fn wake_tasks(&self, state: MutexGuard<'_, State<M>>) {
        let waiting = state.waiting_tasks > 0;
        drop(state);
        if waiting {
            self.emptied.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        ignore_poison(self.state.lock())
    }
}

impl<M> State<M> {
    fn newest_of(&mut self, link: &Link) -> Option<&mut M> {
        let place = link
            .newest
            .load(Ordering::Relaxed)
            .checked_sub(self.taken + 1)?;
        let (_, message) = self.messages.get_mut(usize::try_from(place).ok()?)?;
        Some(message)
    }

    fn note_newest(&self, link: &Link) {
        let sent = self.taken + self.messages.len() as u64 + 1;
        link.newest.store(sent, Ordering::Relaxed);
    }
}

impl<M> TaskSender<M> {
    pub(super) fn new(id: TaskId, queue: Arc<Queue<M>>) -> Self {
        let link = Arc::new(Link {
            id,
            cancelled: AtomicBool::new(false),
            wakers: Mutex::new(Some(Vec::new())),
            closed: AtomicBool::new(false),
            newest: AtomicU64::new(0),
        });
        Self { link, queue }
    }

    /// Sends the message that says that the task has begun. Never waits.
    pub fn start(&self, message: M) {
        let state = self.queue.lock();
        if !self.link.closed.load(Ordering::Relaxed) {
            self.queue.append(state, self.link.id, Sent::Start, message);
        }
    }

    /// Sends a message, and waits first while the queue is full.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when the task has been cancelled, before or while it waited, or has already sent its
    /// final message. Nothing is sent then.
    pub fn send(&self, message: M) -> Result<(), SendRefused> {
        let mut state = self.queue.lock();
        loop {
            self.check_open()?;
            if state.messages.len() < self.queue.capacity {
                break;
            }
            state.waiting_tasks += 1;
            state = ignore_poison(self.queue.emptied.wait(state));
            state.waiting_tasks -= 1;
        }
        state.note_newest(&self.link);
        self.queue
            .append(state, self.link.id, Sent::Report, message);
        Ok(())
    }

    /// Sends a message without ever waiting. When the queue is full, it takes the place of the newest one that
    /// this task has sent and the foreground has not taken; where there is none it passes the bound by one.
    ///
    /// # Errors
    ///
    /// [`SendRefused`] when the task has been cancelled or has already sent its final message.
    pub fn send_latest(&self, message: M) -> Result<(), SendRefused> {
        let mut state = self.queue.lock();
        self.check_open()?;
        if state.messages.len() >= self.queue.capacity
            && let Some(newest) = state.newest_of(&self.link)
        {
            let replaced = mem::replace(newest, message);
            drop(state);
            // Only now: its destructor is foreign code, and might send.
            drop(replaced);
            return Ok(());
        }
        state.note_newest(&self.link);
        self.queue
            .append(state, self.link.id, Sent::Report, message);
        Ok(())
    }

    /// Sends the final message; the task can send nothing after it. Never waits. Of several final messages
    /// only the first is sent.
    pub fn finish(&self, message: M) {
        // Wakers may own descriptors. A sender that is kept for longer should not keep those too.
        drop(self.take_wakers());
        let state = self.queue.lock();
        if self.link.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        if state.waiting_tasks > 0 {
            self.queue.emptied.notify_all();
        }
        self.queue.append(state, self.link.id, Sent::End, message);
    }

    /// Whether the task was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.link.cancelled.load(Ordering::Acquire)
    }

    /// Has `wake` called when the task is asked to stop: by the thread that asks, after
    /// [`is_cancelled`](Self::is_cancelled) has become true; or at once if that was already so.
    pub fn on_cancel(&self, wake: impl FnOnce() + Send + 'static) {
        if let Some(wakers) = &mut *ignore_poison(self.link.wakers.lock()) {
            wakers.push(Box::new(wake));
            return;
        }
        if self.is_cancelled() {
            wake();
        }
    }

    pub(super) fn cancel(&self) {
        self.link.cancelled.store(true, Ordering::Release);
        // Taking the lock orders the flag before the check of a task that is about to wait.
        self.queue.wake_tasks(self.queue.lock());
        let mut panics = FirstPanic::default();
        for wake in self.take_wakers().into_iter().flatten() {
            panics.catch(wake);
        }
        panics.resume();
    }

    fn take_wakers(&self) -> Option<Vec<Waker>> {
        ignore_poison(self.link.wakers.lock()).take()
    }

    fn check_open(&self) -> Result<(), SendRefused> {
        if self.is_cancelled() || self.link.closed.load(Ordering::Relaxed) {
            return Err(SendRefused);
        }
        Ok(())
    }
}

impl<M> Clone for TaskSender<M> {
    fn clone(&self) -> Self {
        Self {
            link: Arc::clone(&self.link),
            queue: Arc::clone(&self.queue),
        }
    }
}

/// No foreign code runs under our locks, so a panic cannot have left half a change behind.
pub(super) fn ignore_poison<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(capacity: usize) -> Arc<Queue<u32>> {
        Arc::new(Queue::new(capacity, None))
    }

    fn taken(queue: &Queue<u32>) -> Vec<(TaskId, u32)> {
        let mut batch = Batch::new();
        queue.take(&mut batch);
        batch.into()
    }

    /// Only a look under the lock can tell that a sender waits and is not merely late.
    fn until_waiting(queue: &Queue<u32>, tasks: usize) {
        while queue.lock().waiting_tasks < tasks {
            thread::yield_now();
        }
    }

    #[test]
    fn a_sender_waits_while_the_queue_is_full_and_goes_on_when_it_is_taken() {
        let queue = queue(2);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        thread::scope(|scope| {
            let sending = scope.spawn(|| (1..=3).try_for_each(|i| sender.send(i)));
            until_waiting(&queue, 1);
            assert_eq!(taken(&queue), [(7, 1), (7, 2)]);
            assert_eq!(sending.join().unwrap(), Ok(()));
        });
        assert_eq!(taken(&queue), [(7, 3)]);
    }

    #[test]
    fn a_waiting_sender_wakes_when_it_is_cancelled_and_sends_nothing() {
        let queue = queue(1);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        sender.send(1).unwrap();
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send(2));
            until_waiting(&queue, 1);
            sender.cancel();
            assert_eq!(sending.join().unwrap(), Err(SendRefused));
        });
        assert_eq!(taken(&queue), [(7, 1)]);
    }

    #[test]
    fn a_cancelled_sender_leaves_the_others_waiting() {
        let queue = queue(1);
        let cancelled = TaskSender::new(7, Arc::clone(&queue));
        let patient = TaskSender::new(8, Arc::clone(&queue));
        cancelled.send(1).unwrap();
        thread::scope(|scope| {
            let sending = scope.spawn(|| cancelled.send(2));
            let waiting = scope.spawn(|| patient.send(3));
            until_waiting(&queue, 2);
            cancelled.cancel();
            assert_eq!(sending.join().unwrap(), Err(SendRefused));
            until_waiting(&queue, 1);
            assert_eq!(taken(&queue), [(7, 1)]);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        assert_eq!(taken(&queue), [(8, 3)]);
    }

    #[test]
    fn a_helper_that_waits_wakes_when_its_task_has_ended_and_sends_nothing_after_it() {
        let queue = queue(1);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        sender.start(1);
        thread::scope(|scope| {
            let helping = scope.spawn(|| sender.send(2));
            until_waiting(&queue, 1);
            sender.finish(3);
            assert_eq!(helping.join().unwrap(), Err(SendRefused));
        });
        sender.finish(4);
        sender.start(5);
        assert_eq!(taken(&queue), [(7, 1), (7, 3)]);
    }

    #[test]
    fn the_start_and_the_end_of_a_task_pass_a_full_queue() {
        let queue = queue(1);
        for id in 0..3 {
            let sender = TaskSender::new(id, Arc::clone(&queue));
            sender.start(1);
            sender.finish(2);
        }
        let expected = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)];
        assert_eq!(taken(&queue), expected);
    }

    #[test]
    fn the_latest_replaces_the_newest_of_its_own_task_and_only_in_a_full_queue() {
        let queue = queue(3);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        let other = TaskSender::new(8, Arc::clone(&queue));
        sender.send_latest(1).unwrap();
        sender.send(2).unwrap();
        other.send_latest(3).unwrap();
        sender.send_latest(4).unwrap();
        sender.send_latest(5).unwrap();
        assert_eq!(taken(&queue), [(7, 1), (7, 5), (8, 3)]);
    }

    #[test]
    fn the_latest_passes_the_bound_by_one_where_its_task_has_none_to_replace() {
        let queue = queue(1);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        let other = TaskSender::new(8, Arc::clone(&queue));
        // What was taken cannot be replaced, however the positions fall.
        sender.send_latest(1).unwrap();
        assert_eq!(taken(&queue), [(7, 1)]);
        other.start(2);
        other.send_latest(3).unwrap();
        sender.send_latest(4).unwrap();
        sender.send_latest(5).unwrap();
        assert_eq!(taken(&queue), [(8, 2), (8, 3), (7, 5)]);
    }

    #[test]
    fn what_the_latest_replaces_may_send_when_it_is_dropped() {
        struct Chatty(Option<TaskSender<Chatty>>);
        impl Drop for Chatty {
            fn drop(&mut self) {
                if let Some(sender) = self.0.take() {
                    sender.send_latest(Chatty(None)).unwrap();
                }
            }
        }

        let queue = Arc::new(Queue::new(1, None));
        let sender = TaskSender::new(7, Arc::clone(&queue));
        sender.send(Chatty(Some(sender.clone()))).unwrap();
        sender.send_latest(Chatty(None)).unwrap();
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn every_waker_is_called_even_if_one_of_them_panics() {
        let sender = TaskSender::new(7, queue(1));
        let called = Arc::new(AtomicU64::new(0));
        for panics in [false, true, false] {
            let called = Arc::clone(&called);
            sender.on_cancel(move || {
                called.fetch_add(1, Ordering::Relaxed);
                assert!(!panics, "oh");
            });
        }
        let cancel = std::panic::AssertUnwindSafe(|| sender.cancel());
        assert!(std::panic::catch_unwind(cancel).is_err());
        assert_eq!(called.load(Ordering::Relaxed), 3);
        sender.cancel();
        assert_eq!(called.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn the_foreground_wakes_when_something_is_sent() {
        let queue = queue(1);
        let sender = TaskSender::new(7, Arc::clone(&queue));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.wait(None));
            while !queue.lock().foreground_waits {
                thread::yield_now();
            }
            sender.send(1).unwrap();
            waiting.join().unwrap();
        });
        assert_eq!(taken(&queue), [(7, 1)]);
    }
}
