//! The property of every event: it can be read back, and says the same.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::encoder::Encoder;
use super::line::{Kind, Line, Reason, State, Stream};
use crate::event::{
    self, Ending, Exit, FinalState, Place, Step, Summary, Surroundings, What, signal_name,
};
use crate::flow::Credit;
use crate::model::batch::Collector;
use crate::model::verdict::Verdicts;

/// The lines that are written of an event.
fn written(what: What<'_>, at: Duration) -> Vec<String> {
    let mut lines = String::new();
    Encoder::default().event(&what.at(at), &mut lines);
    assert!(lines.is_empty() || lines.ends_with('\n'));
    lines.lines().map(str::to_owned).collect()
}

/// Reads a line. Written again, the event must be the same line.
fn read(line: &str) -> Line<'_> {
    let read = Line::read(line).expect(line);
    assert_eq!(read.task, 1);
    if read.info.is_none() {
        let mut again = String::new();
        read.write(&mut again);
        assert_eq!(again.trim_end(), line);
    }
    read
}

#[track_caller]
fn only(lines: &[String]) -> Line<'_> {
    let [line] = lines else {
        panic!("{lines:?}");
    };
    read(line)
}

fn at() -> impl Strategy<Value = Duration> {
    // In microseconds: a line holds no more of a time.
    (0..1_000_000_000_000_u64).prop_map(Duration::from_micros)
}

fn reason() -> impl Strategy<Value = event::Reason> {
    prop_oneof![
        Just(event::Reason::Interrupt),
        Just(event::Reason::Terminate),
        Just(event::Reason::Hangup),
        Just(event::Reason::Parent),
        Just(event::Reason::Timeout),
        Just(event::Reason::Deadline),
        Just(event::Reason::Halt),
    ]
}

fn state() -> impl Strategy<Value = FinalState> {
    prop_oneof![
        Just(FinalState::Completed),
        Just(FinalState::Failed),
        Just(FinalState::Cancelled),
    ]
}

fn exit() -> impl Strategy<Value = Exit> {
    let ending = prop_oneof![
        any::<i32>().prop_map(Ending::Status),
        (1..64).prop_map(Ending::Signal)
    ];
    (ending, at(), at(), any::<u64>()).prop_map(|(ending, user_time, system_time, max_rss)| Exit {
        ending,
        user_time,
        system_time,
        max_rss,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_started_is_read(words in vec("\\PC*", 1..4), pid in 1..i32::MAX, at in at()) {
        let command: Vec<OsString> = words.iter().map(Into::into).collect();
        let lines = written(What::Started { host: None, name: "a \"name\"\n", command: &command, pid: Some(pid), place: None }, at);
        let line = only(&lines);
        prop_assert_eq!(line.event, Kind::Started);
        prop_assert_eq!(line.name.as_deref(), Some("a \"name\"\n"));
        prop_assert_eq!(line.pid, Some(pid));
        let read: Vec<_> = line.command.unwrap().into_iter().map(std::borrow::Cow::into_owned).collect();
        prop_assert_eq!(read, words);
    }

    #[test]
    fn what_a_task_of_a_list_runs_on_is_read_to_the_byte(
        values in vec(vec(any::<u8>(), 0..9), 0..4),
        command in vec(vec(any::<u8>(), 0..9), 1..4),
        nth in 1_u32..9,
        named: bool,
        at in at(),
    ) {
        let words = |words: &[Vec<u8>]| -> Vec<OsString> {
            words.iter().map(|word| OsString::from_vec(word.clone())).collect()
        };
        let (input, words) = (words(&values), words(&command));
        let place = Place { slot: 2, attempt: 3, input: Some(&input), named, nth, extra: None, surroundings: Surroundings::default() };
        let what = What::Started { host: None, name: "x", command: &words, pid: None, place: Some(place) };
        let lines = written(what, at);
        let line = only(&lines);
        prop_assert_eq!(line.event, Kind::Started);
        prop_assert_eq!(line.input().unwrap(), values);
        prop_assert_eq!(line.command().unwrap(), command);
        prop_assert_eq!((line.nth.unwrap_or(1), line.named.unwrap_or(false)), (nth, named));
    }

    #[test]
    fn what_was_printed_is_read_to_the_byte(bytes in vec(any::<u8>(), 0..50), text in "\\PC*", at in at()) {
        let permit = Credit::new(1, || {}).permit(0);
        for bytes in [bytes, text.into_bytes()] {
            let bytes = Arc::new(bytes);
            let what = What::Output { stream: event::Stream::Stderr, bytes: &bytes, verdicts: &Verdicts::default(), permit: &permit };
            let lines = written(what, at);
            let line = only(&lines);
            prop_assert_eq!((line.event, line.stream), (Kind::Output, Some(Stream::Stderr)));
            prop_assert_eq!(line.into_bytes(), Some(bytes.to_vec()));
        }
    }

    #[test]
    fn every_line_of_the_channel_is_read(bytes in vec(any::<u8>(), 0..50), message in "[^\n]*", at in at()) {
        let mut collector = Collector::new(true);
        collector.feed(&[b"{oops ", &bytes[..], b"\n3/4 ", message.as_bytes(), b"\n{\"x\":\r1e999}\n"].concat());
        collector.finish();
        let batch = collector.take();
        let lines = written(What::Progress(&batch), at);
        prop_assert_eq!(lines.len() as u64, batch.count + batch.malformed_count);
        for line in &lines {
            let line = read(line);
            match line.event {
                Kind::Progress => prop_assert!(line.info.is_some()),
                kind => {
                    prop_assert_eq!(kind, Kind::Malformed);
                    prop_assert!(line.number.is_some() && line.error.is_some());
                    prop_assert!(line.into_bytes().is_some());
                }
            }
        }
        let last = read(lines.last().unwrap()).info.unwrap();
        prop_assert_eq!(last.text(), "{\"x\": 1e999}");
    }

    #[test]
    fn the_steps_of_a_stop_are_read(reason in reason(), signal in 1..64, forwarded: bool, message in "\\PC*", at in at()) {
        let mut encoder = Encoder::default();
        let mut lines = String::new();
        for what in [
            What::Cancelling { reason, step: Step::Ask, left: None },
            What::Signal { signal, forwarded },
            What::Warning(&message),
        ] {
            encoder.event(&what.at(at), &mut lines);
        }
        let lines: Vec<_> = lines.lines().map(read).collect();
        prop_assert_eq!(lines[0].state, Some(State::Cancelling));
        prop_assert_eq!(lines[0].reason, Some(reason.into()));
        let why = if forwarded { Reason::Forwarded } else { reason.into() };
        prop_assert_eq!(lines[1].reason, Some(why));
        let name = signal_name(signal);
        prop_assert_eq!(lines[1].signal.as_ref().unwrap().as_deref(), Some(name.as_str()));
        prop_assert_eq!(lines[2].message.as_deref(), Some(message.as_str()));
    }

    #[test]
    fn the_end_is_read(
        state in state(),
        reason in proptest::option::of(reason()),
        exit in proptest::option::of(exit()),
        error in proptest::option::of("\\PC*"),
        counts: (u64, u64),
        at in at(),
    ) {
        let (reports, malformed) = counts;
        let summary = Summary { missed: None, state, reason, exit, error, reports, malformed, attempt: None };
        let lines = written(What::Finished(&summary), at);
        let line = only(&lines);
        prop_assert_eq!(line.state, Some(state.into()));
        prop_assert_eq!(line.reason, reason.map(Into::into));
        prop_assert_eq!(line.error.as_deref(), summary.error.as_deref());
        prop_assert_eq!((line.reports, line.malformed), (Some(reports), Some(malformed)));
        let status = line.exit_status.expect("it is there, and null where the child has none");
        let signal = line.signal.expect("likewise");
        match exit.map(|exit| exit.ending) {
            None => prop_assert_eq!((status, signal), (None, None)),
            Some(Ending::Status(number)) => prop_assert_eq!((status, signal), (Some(number), None)),
            Some(Ending::Signal(number)) => {
                let name = signal_name(number);
                prop_assert_eq!((status, signal.as_deref()), (None, Some(name.as_str())));
            }
        }
        prop_assert_eq!(line.user_time, exit.map(|exit| exit.user_time.as_secs_f64()));
        prop_assert_eq!(line.max_rss, exit.map(|exit| exit.max_rss));
    }
}
