//! The worker threads of an executor and the queue of jobs that they share.
//!
//! Responsible for starting no more threads than are needed and for losing none. Does not know what a job
//! does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::queue::{LOOKS, ignore_poison};

/// What a worker thread does for one task.
pub type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Workers {
    jobs: Arc<Jobs>,
    threads: RefCell<Vec<JoinHandle<()>>>,
    most: Cell<NonZeroUsize>,
}

#[derive(Default)]
struct Jobs {
    /// How often an idle worker looks for another job before it waits for one.
    looks: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queued: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Workers {
    /// `patient` workers wait at once when they have nothing to do.
    pub(super) fn new(most: NonZeroUsize, patient: bool) -> Self {
        let jobs = Jobs {
            looks: if patient { 0 } else { LOOKS },
            ..Jobs::default()
        };
        Self {
            jobs: Arc::new(jobs),
            threads: RefCell::default(),
            most: Cell::new(most),
        }
    }

    /// Starts a thread for one more job, unless one is idle or there are as many as there may be.
    ///
    /// # Errors
    ///
    /// The system's, if not even a first thread can be started. With fewer threads than wanted, jobs only wait longer.
    pub(super) fn make_room(&self) -> io::Result<()> {
        let mut threads = self.threads.borrow_mut();
        let enough = {
            let state = self.jobs.lock();
            state.idle > state.queued.len()
        };
        if enough || threads.len() >= self.most.get().get() {
            return Ok(());
        }
        let jobs = Arc::clone(&self.jobs);
        let name = format!("progrun-worker-{}", threads.len() + 1);
        match thread::Builder::new().name(name).spawn(move || jobs.work()) {
            Ok(thread) => threads.push(thread),
            Err(error) if threads.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    /// From now on there are at most this many threads. Those that are there stay.
    pub(super) fn set_most(&self, most: NonZeroUsize) {
        self.most.set(most);
    }

    pub(super) fn push(&self, job: Job) {
        self.jobs.lock().queued.push_back(job);
        self.jobs.changed.notify_one();
    }

    /// Waits until the workers have done all jobs and ended.
    pub(super) fn close(&self) {
        self.jobs.lock().closed = true;
        self.jobs.changed.notify_all();
        for thread in self.threads.take() {
            // Jobs cannot make a worker panic, see `work`.
            let _ = thread.join();
        }
    }
}

impl Jobs {
    fn work(&self) {
        while let Some(job) = self.next() {
            // A task catches its own panics. One that gets here all the same must not end the worker, or jobs would
            // wait for it without end.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        state.idle += 1;
        let mut looks = 0;
        while state.queued.is_empty() && !state.closed {
            // One idle worker that looks is enough to take a job at once. Several would only take each other's turns.
            state = if looks < self.looks && (looks > 0 || state.idle == 1) {
                looks += 1;
                drop(state);
                thread::yield_now();
                self.lock()
            } else {
                ignore_poison(self.changed.wait(state))
            };
        }
        state.idle -= 1;
        state.queued.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        ignore_poison(self.state.lock())
    }
}
