//! Credit-based back-pressure: bounds the bytes under way between a producer that must never block and a consumer that
//! may be slow.
//!
//! A producer takes a permit for the bytes that it hands on. The permit is given back when its last clone is dropped,
//! which may be on another thread, much later. The producer asks [`Credit::exhausted`] before it takes in more, and is
//! woken when there is room again. Neither side ever waits here, so one thread can serve a child's pipes and carry out
//! orders. Knows no pipe and no thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An account of bytes under way, with a limit.
#[derive(Clone, Debug)]
pub(crate) struct Credit(Arc<Account>);

struct Account {
    limit: usize,
    under_way: AtomicUsize,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("limit", &self.limit)
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}

impl Credit {
    /// An account for about `limit` bytes. `wake` is called each time an exhausted account has room again, on the
    /// thread that dropped the permit.
    pub(crate) fn new(limit: usize, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Account {
            limit,
            under_way: AtomicUsize::new(0),
            wake: Box::new(wake),
        }))
    }

    /// Whether the limit is reached. A producer that takes in more all the same gets its permit.
    #[must_use]
    pub(crate) fn exhausted(&self) -> bool {
        self.0.under_way.load(Ordering::Acquire) >= self.0.limit
    }

    /// A permit for `bytes`, which count until the permit and all its clones are dropped.
    #[must_use]
    pub(crate) fn permit(&self, bytes: usize) -> Permit {
        self.0.under_way.fetch_add(bytes, Ordering::AcqRel);
        Permit(Arc::new(Held {
            bytes,
            account: Arc::clone(&self.0),
        }))
    }
}

/// Bytes under way; given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Permit(
    #[expect(dead_code, reason = "held for what happens when it is dropped")] Arc<Held>,
);

#[derive(Debug)]
struct Held {
    bytes: usize,
    account: Arc<Account>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self
            .account
            .under_way
            .fetch_sub(self.bytes, Ordering::AcqRel);
        // Only the step across the limit wakes: a wake-up for each chunk would cost more than the chunk.
        if before >= self.account.limit && before - self.bytes < self.account.limit {
            (self.account.wake)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(limit: usize) -> (Credit, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let credit = Credit::new(limit, move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        (credit, wakes)
    }

    #[test]
    fn an_account_is_exhausted_at_its_limit_and_wakes_once_when_there_is_room_again() {
        let (credit, wakes) = account(100);
        let first = credit.permit(60);
        assert!(!credit.exhausted());
        let second = credit.permit(60);
        assert!(credit.exhausted());
        drop(first);
        assert!(!credit.exhausted());
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        drop(second);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_permit_lasts_as_long_as_its_last_clone() {
        let (credit, wakes) = account(10);
        let permit = credit.permit(10);
        let clone = permit.clone();
        drop(permit);
        assert!(credit.exhausted());
        drop(clone);
        assert!(!credit.exhausted());
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
    }
}
