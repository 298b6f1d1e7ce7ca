//! The time of day where the user is, by the time zone of the system (`localtime_r(3)`).
#![expect(unsafe_code, reason = "time zones have no safe interface")]

use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time as people there say it: year, month and day, hour and minute. None if it is too far away for the system.
#[must_use]
pub(crate) fn date(time: SystemTime) -> Option<[i32; 5]> {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok()?,
        Err(before) => -i64::try_from(before.duration().as_secs()).ok()?,
    };
    let seconds = libc::time_t::try_from(seconds).ok()?;
    let mut parts = MaybeUninit::uninit();
    // SAFETY: both pointers are to memory of the right type that lives until the call is over. The second is written
    // to, whole, unless the call gives a null pointer, and is read only if it did not. The variables of the time zone
    // are only read; the program changes variables of its environment only while it has one thread (detach.rs).
    let parts: libc::tm = unsafe {
        if libc::localtime_r(&raw const seconds, parts.as_mut_ptr()).is_null() {
            return None;
        }
        parts.assume_init()
    };
    Some([
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_is_a_date_and_one_that_is_too_far_away_is_none() {
        // No time zone is a day off.
        let [year, month, day, ..] = date(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        assert_eq!((year, month), (2023, 11));
        assert!((14..=15).contains(&day), "{day}");
        let far = UNIX_EPOCH.checked_add(Duration::from_secs(1 << 62));
        assert_eq!(far.and_then(date), None);
    }
}
