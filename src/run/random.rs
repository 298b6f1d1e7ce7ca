//! A random number: attempts of many tasks that failed together should not come together again.

use std::hash::{BuildHasher, RandomState};

/// A number from -1 to 1.
pub(super) fn jitter() -> f64 {
    let random = RandomState::new().hash_one(()) >> 40;
    #[expect(clippy::cast_precision_loss, reason = "24 bits")]
    let share = random as f64 / f64::from(1 << 24);
    2.0 * share - 1.0
}
