//! How the end of one of many tasks reads: `FAILED img_17.raw  exit status 1, 2.3s`; and which ends are told of. Knows
//! no place to write to.

use std::time::Duration;

use crate::event::{Ending, FinalState, Reason, SkipReason, Summary, Total, signal_name};

use super::color::{self, YELLOW, colored};
use super::display;
use super::format::{clock, lasted};
use super::messages::duration;
use super::sanitize::{escape, fit};

/// A list that is known to be no longer than this has all its ends told.
const SHORT: u64 = 30;
/// The most columns of a name.
const NAME: usize = 100;

/// Whether this end of an attempt is told; `wish` is the user's.
pub(super) fn is_told(wish: Option<display::Ends>, summary: &Summary, total: Total) -> bool {
    match wish {
        Some(display::Ends::None) => false,
        _ if summary.state.is_failure() => true,
        wish => tells_all(wish, total),
    }
}

/// Whether that is so as well at the beginning of a run, which may be over in a moment with all well.
pub(super) fn is_told_at_once(wish: Option<display::Ends>, summary: &Summary) -> bool {
    wish.is_some() || summary.state.is_failure()
}

fn tells_all(wish: Option<display::Ends>, total: Total) -> bool {
    let is_short = total.is_final && total.count <= SHORT;
    wish == Some(display::Ends::All) || wish.is_none() && is_short
}

/// How an attempt ended, in a few words, and empty if it did what it was to do: `exit status 1`, `killed by SIGSEGV`.
/// `limit` is the time limit that it has reached.
pub(super) fn how(summary: &Summary, limit: Option<Duration>) -> String {
    let ending = summary.exit.map(|exit| exit.ending);
    match (summary.state, summary.reason, ending) {
        (FinalState::Completed, ..) => String::new(),
        (FinalState::Lost, ..) => escape(summary.error.as_deref().unwrap_or_default()).into_owned(),
        (_, Some(Reason::Timeout), _) => {
            let ran = summary.attempt.map(|attempt| attempt.duration);
            format!(
                "timed out after {}",
                duration(limit.or(ran).unwrap_or_default())
            )
        }
        (FinalState::Failed, _, Some(Ending::Status(status))) => format!("exit status {status}"),
        (FinalState::Failed, _, Some(Ending::Signal(signal))) => {
            format!("killed by {}", signal_name(signal))
        }
        (FinalState::Failed, _, None) => match summary.error.as_deref() {
            Some(error) if error.starts_with("cannot ") => escape(error).into_owned(),
            Some(error) => format!("cannot start: {}", escape(error)),
            None => String::new(),
        },
        // How it took the request is of interest only where it did not end by itself.
        (FinalState::Cancelled, _, Some(Ending::Signal(signal))) if signal != libc::SIGPIPE => {
            signal_name(signal)
        }
        (FinalState::Cancelled, ..) => String::new(),
    }
}

/// How long an attempt ran; empty if it never did.
pub(super) fn time(summary: &Summary) -> String {
    match (summary.attempt, summary.exit) {
        (Some(attempt), Some(_)) => lasted(attempt.duration),
        _ => String::new(),
    }
}

/// The line about the end of an attempt of the task of this name; its first word is in a color if `with_color`.
pub(super) fn line(
    name: &str,
    summary: &Summary,
    limit: Option<Duration>,
    with_color: bool,
) -> String {
    let word = match summary.state {
        FinalState::Completed => "ok",
        FinalState::Failed => "FAILED",
        FinalState::Cancelled => "cancelled",
        FinalState::Lost => "LOST",
    };
    let label = color::of_state(word, summary.state, with_color);
    let mut facts = vec![how(summary, limit), time(summary)];
    if let Some(attempt) = summary.attempt {
        let is_only = attempt.number == 1 && attempt.retry_in.is_none();
        let number = attempt.number;
        facts.push(match attempt.retry_in {
            _ if is_only => String::new(),
            None => format!("attempt {number}"),
            Some(Duration::ZERO) => format!("attempt {number}; next at once"),
            Some(delay) if delay < Duration::from_secs(1) => {
                format!("attempt {number}; next in {}ms", delay.as_millis())
            }
            Some(delay) => format!("attempt {number}; next in {}", whole(delay)),
        });
    }
    facts.retain(|fact| !fact.is_empty());
    format!("{label} {}  {}", shown(name), facts.join(", "))
        .trim_end()
        .to_owned()
}

/// The line about a task that does not run because of another one; none for other reasons, which are told with the run.
pub(super) fn skipped(
    wish: Option<display::Ends>,
    (name, reason, cause): (&str, SkipReason, Option<&str>),
    with_color: bool,
) -> Option<String> {
    if reason != SkipReason::Dependency || wish == Some(display::Ends::None) {
        return None;
    }
    let label = colored("skipped", YELLOW, with_color);
    let cause = cause.map_or("a task that it needs".into(), shown);
    Some(format!("{label} {}  {cause} did not complete", shown(name)))
}

/// A name as it is shown.
pub(super) fn shown(name: &str) -> String {
    fit(&escape(name), NAME).into_owned()
}

/// A time that is waited for, in whole seconds.
pub(super) fn whole(time: Duration) -> String {
    clock(Duration::from_secs(
        time.as_secs() + u64::from(time.subsec_nanos() > 0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attempt, Exit};

    fn summary(state: FinalState, ending: Option<Ending>, milliseconds: u64) -> Summary {
        Summary {
            missed: None,
            state,
            reason: None,
            exit: ending.map(|ending| Exit {
                ending,
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: Some(Attempt {
                slot: 1,
                number: 1,
                retry_in: None,
                duration: Duration::from_millis(milliseconds),
                output_bytes: 0,
            }),
        }
    }

    fn failed(ending: Ending) -> Summary {
        summary(FinalState::Failed, Some(ending), 2300)
    }

    fn read(summary: &Summary) -> String {
        line("a", summary, Some(Duration::from_secs(1)), false)
    }

    #[test]
    fn an_end_reads_as_a_person_would_say_it() {
        assert_eq!(
            read(&failed(Ending::Status(1))),
            "FAILED a  exit status 1, 2.3s"
        );
        assert_eq!(
            read(&failed(Ending::Signal(11))),
            "FAILED a  killed by SIGSEGV, 2.3s"
        );
        let ok = summary(FinalState::Completed, Some(Ending::Status(0)), 12_100);
        assert_eq!(read(&ok), "ok a  12.1s");
        let timed_out = Summary {
            reason: Some(Reason::Timeout),
            ..failed(Ending::Signal(15))
        };
        assert_eq!(read(&timed_out), "FAILED a  timed out after 1s, 2.3s");
        let mut never = summary(FinalState::Failed, None, 0);
        never.error = Some("cannot run nosuch: no such command in PATH".to_owned());
        assert_eq!(
            read(&never),
            "FAILED a  cannot run nosuch: no such command in PATH"
        );
        never.error = Some("Argument list too long".to_owned());
        assert_eq!(
            read(&never),
            "FAILED a  cannot start: Argument list too long"
        );
        let cancelled = summary(FinalState::Cancelled, Some(Ending::Signal(15)), 100);
        assert_eq!(read(&cancelled), "cancelled a  SIGTERM, 0.1s");
        let asked = summary(FinalState::Cancelled, Some(Ending::Signal(13)), 100);
        assert_eq!(read(&asked), "cancelled a  0.1s");
    }

    #[test]
    fn an_attempt_that_another_one_follows_says_so() {
        let mut end = failed(Ending::Status(1));
        let mut read = |number, retry_in: Option<u64>| {
            let attempt = end.attempt.as_mut().unwrap();
            attempt.number = number;
            attempt.retry_in = retry_in.map(Duration::from_secs);
            line("a", &end, None, false)
        };
        let first = "FAILED a  exit status 1, 2.3s, attempt 1; next in 2s";
        assert_eq!(read(1, Some(2)), first);
        let second = "FAILED a  exit status 1, 2.3s, attempt 2; next at once";
        assert_eq!(read(2, Some(0)), second);
        assert_eq!(read(3, None), "FAILED a  exit status 1, 2.3s, attempt 3");
    }

    #[test]
    fn failures_are_red_and_hostile_names_do_no_harm() {
        let end = failed(Ending::Status(1));
        assert_eq!(
            line("\x1b]2;x\x07", &end, None, true),
            "\x1b[31mFAILED\x1b[0m ^[]2;x^G  exit status 1, 2.3s"
        );
    }

    #[test]
    fn a_skipped_task_names_the_cause() {
        let cause = ("test", SkipReason::Dependency, Some("build"));
        let line = skipped(None, cause, false).unwrap();
        assert_eq!(line, "skipped test  build did not complete");
        let done = ("test", SkipReason::Done, None);
        assert_eq!(skipped(None, done, false), None);
    }

    #[test]
    fn all_ends_of_a_short_list_are_told_and_else_the_failures() {
        let ok = summary(FinalState::Completed, Some(Ending::Status(0)), 1);
        let failed = failed(Ending::Status(1));
        let list = |count, is_final| Total { count, is_final };
        for (wish, total, tells_ok, tells_failed) in [
            (None, list(30, true), true, true),
            (None, list(31, true), false, true),
            (None, list(3, false), false, true),
            (Some(display::Ends::All), list(3, false), true, true),
            (Some(display::Ends::Failed), list(3, true), false, true),
            (Some(display::Ends::None), list(3, true), false, false),
        ] {
            let told = [&ok, &failed].map(|summary| is_told(wish, summary, total));
            assert_eq!(told, [tells_ok, tells_failed], "{wish:?} {total:?}");
        }
    }
}
