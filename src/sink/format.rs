//! Makes numbers readable: amounts, rates, shares, times, and how a run ended. Knows no terminal and no place to write
//! to.

use std::time::Duration;

use crate::dialect::FILES;
use crate::event::{Ending, FinalState, Reason, Summary, signal_name};
use crate::model::parts::Part;
use crate::protocol::Progress;

use super::sanitize::{escape, fit};

/// How much of how much: `3/10`, `1.5/4.0 MiB`, `7 files`; empty where there is no amount.
#[must_use]
pub(super) fn amount(known: &Progress<'_>) -> String {
    let Some(done) = known.progress else {
        return String::new();
    };
    let unit = known.unit.as_deref().unwrap_or("");
    match (unit, known.total) {
        ("bytes", Some(total)) => format!("{}/{}", bytes(done), bytes(total)),
        ("bytes", None) => bytes(done),
        (unit, total) => {
            let mut text = number(done);
            if let Some(total) = total {
                text.push('/');
                text.push_str(&number(total));
            }
            if !unit.is_empty() {
                text.push(' ');
                text.push_str(&fit(&escape(unit), 12));
            }
            text
        }
    }
}

/// So much in a second: `3.2/s`, `1.5 MiB/s`.
#[must_use]
pub(super) fn rate(known: &Progress<'_>, per_second: f64) -> String {
    if known.unit.as_deref() == Some("bytes") {
        return format!("{}/s", bytes(per_second));
    }
    if per_second >= 100.0 {
        format!("{}/s", number(per_second.round()))
    } else if per_second >= 1.0 {
        format!("{per_second:.1}/s")
    } else {
        format!("{per_second:.2}/s")
    }
}

/// `300 B`, `1.5 MiB`.
#[must_use]
pub(crate) fn bytes(count: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = count;
    let mut unit = 0;
    // Rounded first, or 1,048,575 bytes would be 1024.0 KiB.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{value:.0} B"),
        _ if value < 1e6 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.1e} {}", UNITS[unit]),
    }
}

fn number(value: f64) -> String {
    if value >= 1e15 {
        format!("{value:.2e}")
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// How far a part is, as a percentage; one that is only estimated is marked.
#[must_use]
pub(super) fn share(part: &Part, elapsed: Duration) -> Option<String> {
    let mark = if part.source == Some(FILES) { "~" } else { "" };
    let percent = percent(part.fraction(elapsed)?);
    Some(format!("{mark}{percent}"))
}

/// A share that is only estimated, as a percentage: `~63%`.
#[must_use]
pub(super) fn estimated(fraction: f64) -> String {
    format!("~{}", percent(fraction))
}

/// A percentage as a person reads it: 100 only when all is done.
fn percent(fraction: f64) -> String {
    format!("{:.0}%", (fraction * 100.0).floor())
}

/// How much time is left, as it is shown. A second that has begun counts: while there is something to do it is not 0.
pub(super) fn eta(left: Duration) -> String {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    format!("ETA {}", clock(Duration::from_secs(whole)))
}

/// The same by earlier runs.
pub(super) fn eta_about(left: Duration) -> String {
    format!("ETA ~{}", about(left))
}

/// `3s`, `1m05s`, `2h03m`, `4d05h`, as in a bar.
#[must_use]
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

/// `0:07`, `1:05:09`: the time that has passed, as a stopwatch shows it. Beside a time that is left, it cannot be taken
/// for that.
#[must_use]
pub(super) fn stopwatch(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    if hours == 0 {
        format!("{minutes}:{:02}", seconds % 60)
    } else {
        format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
    }
}

/// `42s`, `3m10s`, `12m`, `2h`: a time of which only two digits are known.
#[must_use]
pub(super) fn about(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let step = match seconds {
        0..60 => 1,
        60..600 => 10,
        600..3600 => 60,
        3600..36_000 => 600,
        36_000..86_400 => 3600,
        _ => 86_400,
    };
    let rounded = clock(Duration::from_secs((seconds + step / 2) / step * step));
    let short = rounded.strip_suffix("00s");
    let short = short.or_else(|| rounded.strip_suffix("00m"));
    let short = short.or_else(|| rounded.strip_suffix("00h"));
    short.map_or(rounded.clone(), str::to_owned)
}

/// `0.3s`, `12.3s`, `1m05s`: how long one of many tasks took.
#[must_use]
pub(super) fn lasted(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 59.95 {
        format!("{seconds:.1}s")
    } else {
        clock(time)
    }
}

/// `1,234,567`.
#[must_use]
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many tasks in a second, in three digits: `11.8/s`, `1,610/s`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of positive numbers; a number that is too large is no rate"
)]
pub(super) fn tasks_per_second(rate: f64) -> String {
    if rate < 99.95 {
        return self::rate(&Progress::default(), rate);
    }
    let whole = rate.round() as u64;
    let step = 10_u64.pow(whole.ilog10() - 2);
    format!("{}/s", count(whole.saturating_add(step / 2) / step * step))
}

/// `0.35s`, `12.3s`, `1m05s`: how long something took.
#[must_use]
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.995 {
        format!("{seconds:.2}s")
    } else if seconds < 59.95 {
        format!("{seconds:.1}s")
    } else {
        clock(time)
    }
}

/// The exit status of a script that says by it that it was cancelled.
const POLITE: i32 = 130;

/// How a run ended, in a few words: what became of it, and then when, and how it took a request to stop.
#[must_use]
pub(super) fn outcome(summary: &Summary, elapsed: Duration) -> (String, String) {
    let ending = summary.exit.map(|exit| exit.ending);
    let status = match ending {
        Some(Ending::Status(status)) => format!("exit status {status}"),
        Some(Ending::Signal(signal)) => signal_name(signal),
        None => String::new(),
    };
    let words = match (summary.state, summary.reason, ending) {
        (FinalState::Completed, ..) => "completed".to_owned(),
        (FinalState::Lost, ..) => "lost".to_owned(),
        (FinalState::Failed, _, Some(Ending::Signal(_))) => format!("killed by {status}"),
        (FinalState::Failed, ..) => format!("failed with {status}"),
        (FinalState::Cancelled, Some(Reason::Timeout), _) => "timed out".to_owned(),
        (FinalState::Cancelled, ..) => "cancelled".to_owned(),
    };
    let reaction = match (summary.state, ending) {
        // The usual ends of a polite stop.
        (
            FinalState::Cancelled,
            None | Some(Ending::Signal(libc::SIGPIPE) | Ending::Status(POLITE)),
        ) => String::new(),
        // It may have stopped early, or missed the request: only its author knows.
        (FinalState::Cancelled, Some(Ending::Status(0))) => {
            " (although it exited with status 0)".to_owned()
        }
        (FinalState::Cancelled, Some(_)) => format!(" ({status})"),
        _ => String::new(),
    };
    let preposition = if summary.state == FinalState::Completed {
        "in"
    } else {
        "after"
    };
    let time = took(elapsed);
    (words, format!(" {preposition} {time}{reaction}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn amounts_read_as_people_write_them() {
        let known = |progress, total, unit: Option<&'static str>| Progress {
            progress: Some(progress),
            total,
            unit: unit.map(Cow::Borrowed),
            ..Progress::default()
        };
        assert_eq!(amount(&known(3.0, Some(10.0), None)), "3/10");
        assert_eq!(amount(&known(3.5, None, Some("files"))), "3.5 files");
        assert_eq!(
            amount(&known(1_572_864.0, Some(4_194_304.0), Some("bytes"))),
            "1.5 MiB/4.0 MiB"
        );
        assert_eq!(amount(&known(1e300, None, None)), "1.00e300");
        assert_eq!(amount(&Progress::default()), "");
        assert_eq!(rate(&known(1.0, None, None), 0.125), "0.12/s");
        assert_eq!(rate(&known(1.0, None, None), 12.34), "12.3/s");
        assert_eq!(rate(&known(1.0, None, None), 1234.4), "1234/s");
        assert_eq!(rate(&known(1.0, None, Some("bytes")), 2048.0), "2.0 KiB/s");
    }

    #[test]
    fn bytes_change_their_unit_where_rounding_would_say_1024() {
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1024.0), "1.0 KiB");
        assert_eq!(bytes(1_048_575.0), "1.0 MiB");
        assert_eq!(bytes(f64::MAX), "1.6e293 PiB");
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(0.999), "99%");
        assert_eq!(percent(1.0), "100%");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(clock(seconds(59.9)), "59s");
        assert_eq!(clock(seconds(65.0)), "1m05s");
        assert_eq!(clock(seconds(7380.0)), "2h03m");
        assert_eq!(clock(seconds(363_600.0)), "4d05h");
        assert_eq!(stopwatch(seconds(7.9)), "0:07");
        assert_eq!(stopwatch(seconds(754.0)), "12:34");
        assert_eq!(stopwatch(seconds(363_605.0)), "101:00:05");
        assert_eq!(eta(seconds(0.2)), "ETA 1s");
        assert_eq!(eta(seconds(65.0)), "ETA 1m05s");
        assert_eq!(took(seconds(0.354)), "0.35s");
        assert_eq!(took(seconds(9.999)), "10.0s");
        assert_eq!(took(seconds(65.0)), "1m05s");
        assert_eq!(lasted(seconds(2.345)), "2.3s");
        assert_eq!(lasted(seconds(253.9)), "4m13s");
    }

    #[test]
    fn a_time_that_is_guessed_has_two_digits() {
        let about = |seconds| about(Duration::from_secs_f64(seconds));
        assert_eq!(about(41.2), "42s");
        assert_eq!(about(182.0), "3m");
        assert_eq!(about(187.0), "3m10s");
        assert_eq!(about(597.0), "10m");
        assert_eq!(about(754.0), "13m");
        assert_eq!(about(7900.0), "2h10m");
        assert_eq!(about(50_000.0), "14h");
        assert_eq!(about(300_000.0), "3d");
    }

    #[test]
    fn large_counts_are_written_in_threes() {
        assert_eq!(count(7), "7");
        assert_eq!(count(842), "842");
        assert_eq!(count(3000), "3,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(tasks_per_second(11.84), "11.8/s");
        assert_eq!(tasks_per_second(99.96), "100/s");
        assert_eq!(tasks_per_second(1614.0), "1,610/s");
    }

    #[test]
    fn an_outcome_says_how_it_ended_and_how_long_it_took() {
        let exit = |ending| {
            Some(crate::event::Exit {
                ending,
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            })
        };
        let summary = |state, reason, ending: Option<Ending>| Summary {
            missed: None,
            state,
            reason,
            exit: ending.and_then(exit),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        };
        let say = |summary: Summary| {
            let (words, when) = outcome(&summary, Duration::from_secs(2));
            words + &when
        };
        let status = |status| Some(Ending::Status(status));
        assert_eq!(
            say(summary(FinalState::Completed, None, status(0))),
            "completed in 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Failed, None, status(7))),
            "failed with exit status 7 after 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Failed, None, Some(Ending::Signal(11)))),
            "killed by SIGSEGV after 2.00s"
        );
        let interrupt = Some(Reason::Interrupt);
        assert_eq!(
            say(summary(
                FinalState::Cancelled,
                interrupt,
                Some(Ending::Signal(13))
            )),
            "cancelled after 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Cancelled, Some(Reason::Timeout), None)),
            "timed out after 2.00s"
        );
    }
}
