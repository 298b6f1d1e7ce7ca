//! Lists of callbacks, which may do anything, even change what they observe.
//!
//! Responsible for calling every observer once for each event, in order, with nothing borrowed. Refuses to
//! know what the events mean.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// A state was left for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange<S> {
    /// The state that was left.
    pub old: S,
    /// The state that was entered.
    pub new: S,
}

type Observer<E> = Box<dyn FnMut(&E)>;

pub(crate) struct Observers<E> {
    list: RefCell<Vec<Observer<E>>>,
    pending: RefCell<VecDeque<E>>,
    delivering: Cell<bool>,
    closed: Cell<bool>,
}

impl<E> Default for Observers<E> {
    fn default() -> Self {
        Self {
            list: RefCell::default(),
            pending: RefCell::default(),
            delivering: Cell::default(),
            closed: Cell::default(),
        }
    }
}

impl<E> Observers<E> {
    pub(crate) fn add(&self, observer: impl FnMut(&E) + 'static) {
        if !self.closed.get() {
            self.list.borrow_mut().push(Box::new(observer));
        }
    }

    /// Notes that something happened; no observer is called before [`deliver`](Self::deliver).
    pub(crate) fn push(&self, event: E) {
        self.pending.borrow_mut().push_back(event);
    }

    /// Forgets what was noted and not yet delivered.
    pub(crate) fn forget(&self) {
        drop(self.pending.take());
    }

    /// Calls every observer for every noted event.
    ///
    /// An observer may cause further events. They wait until all observers have seen the present one: an
    /// observer is `FnMut`, so it cannot be entered twice, and no observer sees two events in the wrong order.
    ///
    /// # Panics
    ///
    /// With the first panic of an observer, after all of them were called.
    pub(crate) fn deliver(&self) {
        if self.delivering.replace(true) {
            return;
        }
        let mut panics = FirstPanic::default();
        while let Some(event) = self.next() {
            let mut called = self.list.take();
            for observer in &mut called {
                panics.catch(|| observer(&event));
            }
            let added = self.list.replace(called);
            self.list.borrow_mut().extend(added);
        }
        self.delivering.set(false);
        if self.closed.get() {
            drop(self.list.take());
        }
        panics.resume();
    }

    /// Drops the observers, which often hold what they observe, once all events are delivered. There will be no further
    /// event.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        if !self.delivering.get() {
            drop(self.list.take());
        }
    }

    fn next(&self) -> Option<E> {
        self.pending.borrow_mut().pop_front()
    }
}

/// Keeps the first panic of several callbacks until the others are called and the caller's state is in order.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    pub(crate) fn catch<R>(&mut self, callback: impl FnOnce() -> R) -> Option<R> {
        match panic::catch_unwind(AssertUnwindSafe(callback)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.0.get_or_insert(payload);
                None
            }
        }
    }

    pub(crate) fn resume(self) {
        // A second panic while the first unwinds would abort the whole program.
        if let Some(payload) = self.0
            && !thread::panicking()
        {
            panic::resume_unwind(payload);
        }
    }
}
