//! The notification at the end of a long run, for a user who looks elsewhere by then: when there is one, and what it
//! says. Which terminal understands which form of it is in `form`.
//!
//! It counts how long the user has had no reason to look: since the start of the run, or since the last Ctrl-C. So a run
//! that Ctrl-C ends at once notifies no user, who is there, and one that takes ten minutes to stop does.

mod form;

use std::time::Duration;

use crate::event::{Cause, Ending, Event, Reason, What};
use crate::flow::Permit;

use super::Sink;
use super::closing;
use super::format::outcome;
use super::sanitize::{ascii, escape, fit};
use super::terminal::is_utf_8;
use super::writer::Writer;

use self::form::Form;

/// The most columns of a name.
const NAME: usize = 40;
/// The most columns of how the run ended.
const HOW: usize = 100;

/// Notifies the user when the run is over.
#[derive(Debug)]
pub(super) struct Notification {
    writer: Writer,
    form: Form,
    name: String,
    /// A shorter wait is none.
    least: Duration,
    /// Since when the user waits.
    since: Duration,
    /// The terminal is gone.
    hung_up: bool,
    in_ascii: bool,
    /// What is written once the last line is.
    sequence: Option<String>,
}

impl Notification {
    /// Writes to the terminal behind `writer`, at the end of a run called `name` that took `least` or longer.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String, least: Duration) -> Self {
        Self {
            writer,
            form: Form::of_terminal(),
            name,
            least,
            since: Duration::ZERO,
            hung_up: false,
            in_ascii: !is_utf_8(),
            sequence: None,
        }
    }

    /// The run ended at `at`, as `how` says.
    fn notify(&mut self, how: &str, at: Duration) {
        if self.hung_up || at.saturating_sub(self.since) < self.least {
            return;
        }
        let (name, how) = (escape(&self.name), escape(how));
        let (mut name, mut how) = (fit(&name, NAME), fit(&how, HOW));
        if self.in_ascii {
            (name, how) = (
                ascii(&name).into_owned().into(),
                ascii(&how).into_owned().into(),
            );
        }
        self.sequence = Some(self.form.sequence(&name, &how));
    }
}

impl Sink for Notification {
    fn event(&mut self, event: &Event<'_>) {
        match &event.what {
            What::Cancelling { reason, .. } => {
                self.hung_up |= *reason == Reason::Hangup;
                if *reason == Reason::Interrupt {
                    self.since = event.at;
                }
            }
            What::Stopping { cause, .. } if *cause == Cause::Again => self.since = event.at,
            What::Finished(summary) if summary.attempt.is_none() => {
                self.hung_up |= summary.reason == Some(Reason::Hangup);
                let how = summary.error.clone().unwrap_or_else(|| {
                    let (words, when) = outcome(summary, event.at);
                    words + &when
                });
                self.notify(&how, event.at);
            }
            What::End(end) => {
                self.hung_up |= end.ending == Ending::Signal(libc::SIGHUP);
                self.notify(&closing::outcome(end, false, event.at), event.at);
            }
            _ => {}
        }
    }

    fn follow_up(&mut self) -> bool {
        let Some(sequence) = self.sequence.take() else {
            return false;
        };
        self.writer.send(sequence.into_bytes(), Vec::new());
        true
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Exit, FinalState, Step, Summary};
    use std::io::Read;

    const SECOND: Duration = Duration::from_secs(1);

    fn summary(state: FinalState, reason: Option<Reason>, status: i32) -> Summary {
        Summary {
            missed: None,
            state,
            reason,
            exit: Some(Exit {
                ending: Ending::Status(status),
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        }
    }

    /// What is written of a run of this name, by a terminal that knows OSC 777, to which these things happen at these
    /// seconds.
    fn written(name: &str, story: &[(u32, What<'_>)]) -> String {
        let named = tempfile::NamedTempFile::new().unwrap();
        let mut file = named.reopen().unwrap();
        let mut sink = Notification {
            writer: Writer::new(named.into_file().into(), Box::new(|_| ())),
            form: Form::of(|name| (name == "TERM").then(|| "foot".into())),
            name: name.to_owned(),
            least: 30 * SECOND,
            since: Duration::ZERO,
            hung_up: false,
            in_ascii: false,
            sequence: None,
        };
        for (at, what) in story {
            let event = Event {
                task: None,
                at: *at * SECOND,
                what: match what {
                    What::Finished(summary) => What::Finished(summary),
                    What::Cancelling { reason, .. } => cancelling(*reason),
                    other => panic!("{other:?}"),
                },
            };
            sink.event(&event);
        }
        sink.follow_up();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn cancelling(reason: Reason) -> What<'static> {
        What::Cancelling {
            reason,
            step: Step::Ask,
            left: None,
        }
    }

    #[test]
    fn a_long_run_notifies_and_a_short_one_does_not() {
        let end = summary(FinalState::Failed, None, 3);
        assert_eq!(written("make", &[(29, What::Finished(&end))]), "");
        assert_eq!(
            written("make", &[(185, What::Finished(&end))]),
            "\x1b]777;notify;make;failed with exit status 3 after 3m05s\x07"
        );
    }

    #[test]
    fn a_user_who_has_just_pressed_ctrl_c_is_there_and_one_who_waits_for_the_stop_is_not() {
        let end = summary(FinalState::Cancelled, Some(Reason::Interrupt), 1);
        let story = |at| {
            let end = What::Finished(&end);
            written("make", &[(100, cancelling(Reason::Interrupt)), (at, end)])
        };
        assert_eq!(story(129), "");
        assert_eq!(
            story(130),
            "\x1b]777;notify;make;cancelled after 2m10s (exit status 1)\x07"
        );
    }

    #[test]
    fn a_terminal_that_is_gone_gets_nothing() {
        let end = summary(FinalState::Cancelled, Some(Reason::Hangup), 1);
        assert_eq!(written("make", &[(100, What::Finished(&end))]), "");
    }

    #[test]
    fn a_name_moves_no_cursor_ends_no_field_and_is_bounded() {
        let end = summary(FinalState::Completed, None, 0);
        let name = format!("a;b\x1b\\\x07\u{9c}\u{202e}{}", "x".repeat(100));
        assert_eq!(
            written(&name, &[(100, What::Finished(&end))]),
            "\x1b]777;notify;a,b^[\\^G<U+009C><U+202E>xxxxxxxxxxxxxxx…;completed in 1m40s\x07"
        );
    }
}
