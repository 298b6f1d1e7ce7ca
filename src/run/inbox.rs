//! The run loop's inbox: one queue in the order in which things happen, and one that goes before it.
//!
//! What a signal of the user's sets going must not wait behind what the child prints, or a child that prints faster than a
//! terminal draws would be deaf to Ctrl-C. So whatever leads from a signal to the child goes before: the signal itself, and
//! the worker's answer to it. All else keeps one order, and so do those that go before.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The inbox's ends: any number to put into, and one to take from.
pub(super) fn inbox<T>() -> (Inbox<T>, Inputs<T>) {
    let (sender, receiver) = mpsc::channel();
    let urgent = Urgent::default();
    let inbox = Inbox {
        sender,
        urgent: Arc::clone(&urgent),
    };
    (inbox, Inputs { receiver, urgent })
}

type Urgent<T> = Arc<Mutex<VecDeque<T>>>;

/// The end to put into.
pub(super) struct Inbox<T> {
    /// None: look at what is urgent.
    sender: Sender<Option<T>>,
    urgent: Urgent<T>,
}

/// The end to take from.
pub(super) struct Inputs<T> {
    receiver: Receiver<Option<T>>,
    urgent: Urgent<T>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            urgent: Arc::clone(&self.urgent),
        }
    }
}

impl<T> Inbox<T> {
    /// Puts it behind all others. Gives whether there is still a taker.
    pub(super) fn send(&self, input: T) -> bool {
        self.sender.send(Some(input)).is_ok()
    }

    /// Puts it before all others but those that were put so.
    pub(super) fn send_first(&self, input: T) -> bool {
        let mut urgent = self.urgent.lock().unwrap_or_else(PoisonError::into_inner);
        urgent.push_back(input);
        drop(urgent);
        self.sender.send(None).is_ok()
    }
}

impl<T> Inputs<T> {
    /// The next input. It is waited for, but not longer than this; none: for ever.
    pub(super) fn next(&self, at_most: Option<Duration>) -> Result<T, RecvTimeoutError> {
        let until = at_most.and_then(|at_most| Instant::now().checked_add(at_most));
        loop {
            if let Some(input) = self.first() {
                return Ok(input);
            }
            let received = match until {
                None => self.receiver.recv().map_err(RecvTimeoutError::from),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    self.receiver.recv_timeout(left)
                }
            };
            match received {
                Ok(None) => {}
                Ok(Some(input)) => return Ok(input),
                Err(error) => return Err(error),
            }
        }
    }

    fn first(&self) -> Option<T> {
        let mut urgent = self.urgent.lock().unwrap_or_else(PoisonError::into_inner);
        urgent.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_goes_before_and_both_keep_their_order() {
        let (inbox, inputs) = inbox();
        for input in 0..3 {
            inbox.send(input);
        }
        for input in 10..13 {
            inbox.send_first(input);
        }
        inbox.send(3);
        let taken: Vec<_> = (0..7).map(|_| inputs.next(None).unwrap()).collect();
        assert_eq!(taken, [10, 11, 12, 0, 1, 2, 3]);
        let left = inputs.next(Some(Duration::ZERO));
        assert_eq!(left, Err(RecvTimeoutError::Timeout));
        drop(inbox);
        assert_eq!(inputs.next(None), Err(RecvTimeoutError::Disconnected));
    }
}
