//! From the events of a run to lines of JSON.
//!
//! Remembers why each stop sends its signals now, which a line says and its event does not, and whether the run is one
//! of many tasks. Does not know where the lines go and which of them are wanted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use super::base64::Base64;
use super::line::{END, Kind, Line, Reason, State};
use crate::event::{
    Cause, Ending, Event, Halted, Place, RunHead, RunSummary, Step, Stream, Summary, TaskId, What,
    signal_name,
};
use crate::model::batch::{BadLine, Batch, VerbatimLine};
use crate::system::boot;

/// The version of the events of a run of many.
pub(crate) const VERSION: u32 = 1;

/// The number of the run itself, in a run of many.
pub(super) const RUN: u32 = 0;

/// Writes the events of one run.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// The stops of the tasks that are asked to stop, and of the run.
    stops: BTreeMap<u32, Stop>,
    /// Whether the run is one of many tasks. Else what happens to the run happens to its task.
    many: bool,
    /// Whether each end says when it was and how long it took.
    with_times: bool,
}

/// How far a stop is.
#[derive(Debug)]
struct Stop {
    /// Why it sends its signals now.
    cause: Reason,
    /// Whether the child was asked and has not been sent a signal since.
    asked: bool,
    /// The reason that is to be told when the stop goes on: so far the task may come to its end.
    untold: Option<Reason>,
}

impl Encoder {
    /// An encoder whose ends say when they were and how long the attempts took, for a reader that comes later.
    pub(crate) fn with_times() -> Self {
        Self {
            with_times: true,
            ..Self::default()
        }
    }

    /// Appends the lines of an event; none if it concerns only progrun and its terminal.
    pub(crate) fn event(&mut self, event: &Event<'_>, lines: &mut String) {
        self.many |= matches!(event.what, What::Run(_));
        let of_run = if self.many { RUN } else { TaskId::FIRST.get() };
        let task = event.task.map_or(of_run, TaskId::get);
        let line = |kind| Line::new(kind, task, event.at);
        match &event.what {
            What::Run(head) => run(head, line(Kind::Run)).write(lines),
            What::Total(total) => Line {
                total: Some(total.count),
                total_final: Some(total.is_final),
                ..line(Kind::Total)
            }
            .write(lines),
            What::Started {
                name,
                command,
                pid,
                place,
                host,
            } => {
                let line = Line {
                    time: Some(now()),
                    name: Some((*name).into()),
                    command: Some(lossy(command)),
                    pid: *pid,
                    host: host.map(Into::into),
                    ..line(Kind::Started)
                };
                match place {
                    Some(place) => placed(place, command, line, lines),
                    None => line.write(lines),
                }
            }
            What::Progress(batch) => progress(batch, task, event.at, lines),
            What::Output { stream, bytes, .. } => {
                written(*stream, bytes, line(Kind::Output)).write(lines);
            }
            What::Cancelling { .. } | What::Stopping { .. } | What::Signal { .. } => {
                self.stop(event, task, lines);
            }
            // The terminal concerns only progrun and the child. What the worker saw of the child is written only as
            // reports, if the user asked for them. When output is shown, and what tasks wait for, is for the screen.
            What::Terminal { .. }
            | What::Closed(_)
            | What::Resized
            | What::Paused(_)
            | What::Observed(_)
            | What::Waiting(_)
            | What::Shows(_)
            | What::Shown
            | What::Known(_)
            | What::Counted(..)
            | What::Left
            | What::Answer(_)
            | What::Alive(_)
            | What::Reader(_) => {}
            What::Warning(message) => {
                Line {
                    message: Some((*message).into()),
                    ..line(Kind::Warning)
                }
                .write(lines);
            }
            What::Finished(summary) => {
                self.stops.remove(&task);
                self.finished(summary, line(Kind::Finished)).write(lines);
            }
            What::Skipped {
                name,
                reason,
                cause,
            } => Line {
                name: Some((*name).into()),
                reason: Some((*reason).into()),
                cause: cause.map(Into::into),
                ..line(Kind::Skipped)
            }
            .write(lines),
            What::Halted(halted) => self::halted(*halted, line(Kind::Halted)).write(lines),
            What::End(summary) => end(summary, line(Kind::End)).write(lines),
        }
    }

    /// Appends the lines of a step of a stop.
    fn stop(&mut self, event: &Event<'_>, task: u32, lines: &mut String) {
        let line = |kind| Line::new(kind, task, event.at);
        match &event.what {
            What::Cancelling { reason, step, .. } => {
                let reason = Reason::from(*reason);
                let drains = *step == Step::Drain && event.task.is_some();
                let stop = Stop {
                    cause: reason,
                    asked: matches!(step, Step::Drain | Step::Ask),
                    untold: drains.then_some(reason),
                };
                self.stops.insert(task, stop);
                if !drains {
                    cancelling(reason, line(Kind::State)).write(lines);
                }
            }
            What::Stopping { cause, .. } => {
                let before = self.stops.get(&task);
                if let Some(reason) = before.and_then(|stop| stop.untold) {
                    cancelling(reason, line(Kind::State)).write(lines);
                }
                let cause = match cause {
                    Cause::Again => Reason::Interrupt,
                    Cause::TimedOut => Reason::Timeout,
                    Cause::NoReaction(_) if before.is_some_and(|stop| stop.asked) => Reason::Grace,
                    Cause::NoReaction(_) => Reason::KillAfter,
                };
                let stop = Stop {
                    cause,
                    asked: false,
                    untold: None,
                };
                self.stops.insert(task, stop);
            }
            What::Signal { signal, forwarded } => {
                let reason = if *forwarded {
                    Reason::Forwarded
                } else {
                    let stop = self.stops.get(&task).or(self.stops.get(&RUN));
                    stop.map_or(Reason::Interrupt, |stop| stop.cause)
                };
                Line {
                    signal: Some(Some(signal_name(*signal).into())),
                    reason: Some(reason),
                    ..line(Kind::Signal)
                }
                .write(lines);
            }
            _ => {}
        }
    }

    fn finished<'a>(&self, summary: &'a Summary, line: Line<'a>) -> Line<'a> {
        let (exit_status, signal) = ending(summary.exit.map(|exit| exit.ending));
        let line = Line {
            state: Some(summary.state.into()),
            exit_status: Some(exit_status),
            signal: Some(signal),
            reason: match summary.missed {
                Some(missed) => Some(missed.into()),
                None => summary.reason.map(Into::into),
            },
            user_time: summary.exit.map(|exit| exit.user_time.as_secs_f64()),
            system_time: summary.exit.map(|exit| exit.system_time.as_secs_f64()),
            max_rss: summary.exit.map(|exit| exit.max_rss),
            reports: Some(summary.reports),
            malformed: Some(summary.malformed),
            error: summary.error.as_deref().map(Into::into),
            ..line
        };
        let Some(attempt) = summary.attempt else {
            return line;
        };
        let is_last = attempt.retry_in.is_none();
        Line {
            slot: Some(attempt.slot),
            attempt: Some(attempt.number),
            attempts: is_last.then_some(attempt.number),
            time: self.with_times.then(now),
            duration: self.with_times.then(|| attempt.duration.into()),
            retry_in: attempt.retry_in.map(Into::into),
            output_bytes: Some(attempt.output_bytes),
            ..line
        }
    }
}

/// Appends the event that the child printed these bytes.
pub(crate) fn output(stream: Stream, bytes: &[u8], task: TaskId, at: Duration, lines: &mut String) {
    written(stream, bytes, Line::new(Kind::Output, task.get(), at)).write(lines);
}

fn written<'a>(stream: Stream, bytes: &'a [u8], line: Line<'a>) -> Line<'a> {
    Line {
        stream: Some(stream.into()),
        ..line.with_bytes(bytes)
    }
}

/// The time of day.
fn now() -> Cow<'static, str> {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    time.to_string().into()
}

fn run<'a>(head: &'a RunHead<'a>, line: Line<'a>) -> Line<'a> {
    let is_template = !head.command.is_empty();
    Line {
        time: Some(now()),
        version: Some(VERSION),
        name: Some(head.name.into()),
        jobs: Some(head.jobs),
        total: Some(head.total.count),
        total_final: Some(head.total.is_final),
        command: is_template.then(|| lossy(head.command)),
        command_base64: exact(head.command),
        boot_id: boot::id().map(Into::into),
        pid: i32::try_from(std::process::id()).ok(),
        ..line
    }
}

/// Appends the start of an attempt, with where it runs and on what.
fn placed(place: &Place<'_>, command: &[OsString], line: Line<'_>, lines: &mut String) {
    Line {
        slot: Some(place.slot),
        attempt: Some(place.attempt),
        nth: Some(place.nth).filter(|nth| *nth > 1),
        named: place.named.then_some(true),
        input: place.input.map(lossy),
        input_base64: place.input.and_then(exact),
        command_base64: exact(command),
        ..line
    }
    .write(lines);
    // The fields of the user are passed on as they are.
    let extra = place.extra.map(str::trim);
    let fields = extra.and_then(|extra| extra.strip_prefix('{')?.strip_suffix('}'));
    if let Some(fields) = fields.map(str::trim).filter(|fields| !fields.is_empty()) {
        lines.truncate(lines.trim_end().len() - END.len());
        lines.push(',');
        push_object(lines, fields);
        lines.push_str(END);
        lines.push('\n');
    }
}

fn lossy(words: &[OsString]) -> Vec<Cow<'_, str>> {
    words.iter().map(|word| word.to_string_lossy()).collect()
}

/// All words to the byte, if one of them is not UTF-8.
fn exact(words: &[OsString]) -> Option<Vec<Base64<'_>>> {
    let is_text = words.iter().all(|word| word.to_str().is_some());
    let bytes = words.iter().map(|word| word.as_bytes().into());
    (!is_text).then(|| bytes.map(Base64).collect())
}

fn cancelling(reason: Reason, line: Line<'_>) -> Line<'_> {
    Line {
        state: Some(State::Cancelling),
        reason: Some(reason),
        ..line
    }
}

fn halted(halted: Halted, line: Line<'_>) -> Line<'_> {
    Line {
        why: Some(halted.why.into()),
        count: Some(halted.count),
        when: Some(halted.when.into()),
        ..line
    }
}

fn end<'a>(summary: &RunSummary, line: Line<'a>) -> Line<'a> {
    let (exit_status, signal) = ending(Some(summary.ending));
    let counts = &summary.counts;
    Line {
        completed: Some(counts.completed),
        flaky: Some(counts.flaky),
        failed: Some(counts.failed),
        cancelled: Some(counts.cancelled),
        // Only of a run that had tasks elsewhere.
        lost: Some(counts.lost).filter(|lost| *lost > 0),
        skipped: Some(counts.skipped),
        not_started: Some(summary.not_started),
        exit_status: Some(exit_status),
        signal: Some(signal),
        ..line
    }
}

/// The exit status and the name of the signal; one of them at most.
fn ending(ending: Option<Ending>) -> (Option<i32>, Option<Cow<'static, str>>) {
    match ending {
        None => (None, None),
        Some(Ending::Status(status)) => (Some(status), None),
        Some(Ending::Signal(signal)) => (None, Some(signal_name(signal).into())),
    }
}

fn progress(batch: &Batch, task: u32, at: Duration, lines: &mut String) {
    let head = Line {
        source: batch.source.map(Into::into),
        ..Line::new(Kind::Progress, task, at)
    }
    .before_info();
    for line in batch.verbatim.iter() {
        match line {
            // A child may report a million times a second. So the head that these events have in common is written
            // once.
            VerbatimLine::Info(info) => {
                lines.push_str(&head);
                push_object(lines, info);
                lines.push_str(END);
                lines.push('\n');
            }
            VerbatimLine::Malformed(bad) => malformed(bad, task, at, lines),
        }
    }
}

/// Appends a line of the channel that is no report.
pub(super) fn malformed(bad: &BadLine, task: u32, at: Duration, lines: &mut String) {
    Line {
        number: Some(bad.number),
        error: Some(bad.error.as_str().into()),
        ..Line::new(Kind::Malformed, task, at).with_bytes(&bad.text)
    }
    .write(lines);
}

/// Appends one report, an object.
pub(super) fn report(
    source: Option<&str>,
    info: &str,
    task: u32,
    at: Duration,
    lines: &mut String,
) {
    let head = Line {
        source: source.map(Into::into),
        ..Line::new(Kind::Progress, task, at)
    };
    lines.push_str(&head.before_info());
    push_object(lines, info);
    lines.push_str(END);
    lines.push('\n');
}

/// Appends an object as another program wrote it, but with blanks for line ends: these can stand only between two
/// tokens, and readers of text end a line there, some at a carriage return.
fn push_object(line: &mut String, object: &str) {
    for (index, piece) in object.split(['\r', '\n']).enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::event::{
        self, Attempt, Counts, Exit, FinalState, HaltWhen, HaltWhy, SkipReason, Surroundings, Total,
    };

    /// The lines of these events; the task 0 is the run. What differs from run to run is `...`.
    fn lines<'a>(
        encoder: &mut Encoder,
        events: impl IntoIterator<Item = (u32, What<'a>)>,
    ) -> String {
        let mut lines = String::new();
        for (task, what) in events {
            let at = Duration::from_millis(1);
            let task = TaskId::of(task);
            encoder.event(&Event { task, at, what }, &mut lines);
        }
        for field in ["\"time\":\"", "\"boot_id\":\"", "\"pid\":"] {
            let pieces: Vec<_> = lines.split(field).map(str::to_owned).collect();
            let rest = |piece: &String| {
                let end = piece.find([',', '}', '"']).unwrap();
                format!("{field}...{}", &piece[end..])
            };
            lines = pieces[0].clone() + &pieces[1..].iter().map(rest).collect::<String>();
        }
        lines
    }

    fn many() -> Encoder {
        let mut encoder = Encoder::default();
        lines(&mut encoder, [(0, What::Run(&head(&[])))]);
        encoder
    }

    fn head(command: &[OsString]) -> RunHead<'_> {
        RunHead {
            name: "flac",
            jobs: 4,
            total: Total {
                count: 3000,
                is_final: true,
            },
            command,
        }
    }

    fn summary(state: FinalState, retry_in: Option<Duration>) -> Summary {
        Summary {
            missed: None,
            state,
            reason: (state == FinalState::Cancelled).then_some(event::Reason::Halt),
            exit: Some(Exit {
                ending: Ending::Status(1),
                user_time: Duration::from_millis(120),
                system_time: Duration::ZERO,
                max_rss: 4096,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: Some(Attempt {
                slot: 3,
                number: 2,
                retry_in,
                duration: Duration::from_nanos(1_500_000_999),
                output_bytes: 512,
            }),
        }
    }

    #[test]
    fn the_run_is_task_0_and_says_what_it_runs() {
        let command = ["flac", "-s", "{}"].map(OsString::from);
        let text = lines(
            &mut Encoder::default(),
            [
                (0, What::Run(&head(&command))),
                (
                    0,
                    What::Total(Total {
                        count: 3001,
                        is_final: true,
                    }),
                ),
                (
                    0,
                    What::Halted(Halted {
                        why: HaltWhy::Fail,
                        count: 1,
                        when: HaltWhen::Soon,
                    }),
                ),
                (0, What::Warning("slow")),
                (0, What::Waiting(&[])),
                (0, What::Shown),
            ],
        );
        assert_eq!(
            text,
            r#"{"event":"run","task":0,"elapsed":0.001000,"time":"...","version":1,"name":"flac","jobs":4,"total":3000,"total_final":true,"command":["flac","-s","{}"],"boot_id":"...","pid":...}
{"event":"total","task":0,"elapsed":0.001000,"total":3001,"total_final":true}
{"event":"halted","task":0,"elapsed":0.001000,"why":"fail","count":1,"when":"soon"}
{"event":"warning","task":0,"elapsed":0.001000,"message":"slow"}
"#
        );
    }

    #[test]
    fn an_attempt_says_where_it_runs_and_on_what() {
        let values = [
            OsString::from("b/0017.wav"),
            OsString::from_vec(b"a\n\xff".to_vec()),
        ];
        let command = ["flac", "b/0017.wav"].map(OsString::from);
        let place = Place {
            slot: 3,
            attempt: 1,
            input: Some(&values[..1]),
            named: false,
            nth: 1,
            extra: None,
            surroundings: Surroundings::default(),
        };
        let named = Place {
            input: None,
            named: true,
            nth: 2,
            extra: Some("{ \"x-a\": [1],\r\n \"x-b\": 1e999 }"),
            ..place
        };
        let bytes = Place {
            input: Some(&values),
            extra: Some("{}"),
            ..place
        };
        let started = |command, pid, place| What::Started {
            host: None,
            name: "b/0017.wav",
            command,
            pid,
            place: Some(place),
        };
        let text = lines(
            &mut many(),
            [
                (17, started(&command, Some(5), place)),
                (18, started(&command[..1], None, named)),
                (19, started(&values[1..], Some(5), bytes)),
            ],
        );
        assert_eq!(
            text,
            r#"{"event":"started","task":17,"elapsed":0.001000,"slot":3,"attempt":1,"input":["b/0017.wav"],"time":"...","name":"b/0017.wav","command":["flac","b/0017.wav"],"pid":...}
{"event":"started","task":18,"elapsed":0.001000,"slot":3,"attempt":1,"nth":2,"named":true,"time":"...","name":"b/0017.wav","command":["flac"],"x-a": [1],   "x-b": 1e999}
{"event":"started","task":19,"elapsed":0.001000,"slot":3,"attempt":1,"input":["b/0017.wav","a\n�"],"input_base64":["Yi8wMDE3Lndhdg==","YQr/"],"time":"...","name":"b/0017.wav","command":["a\n�"],"command_base64":["YQr/"],"pid":...}
"#
        );
    }

    #[test]
    fn the_last_attempt_says_how_many_there_were() {
        let failed = summary(FinalState::Failed, Some(Duration::from_secs(2)));
        let cancelled = summary(FinalState::Cancelled, None);
        let text = lines(
            &mut many(),
            [
                (17, What::Finished(&failed)),
                (17, What::Shows(&failed)),
                (17, What::Finished(&cancelled)),
            ],
        );
        assert_eq!(
            text,
            r#"{"event":"finished","task":17,"elapsed":0.001000,"slot":3,"attempt":2,"state":"failed","retry_in":2.0,"output_bytes":512,"exit_status":1,"signal":null,"user_time":0.12,"system_time":0.0,"max_rss":4096,"reports":0,"malformed":0}
{"event":"finished","task":17,"elapsed":0.001000,"slot":3,"attempt":2,"attempts":2,"state":"cancelled","output_bytes":512,"exit_status":1,"signal":null,"reason":"halt","user_time":0.12,"system_time":0.0,"max_rss":4096,"reports":0,"malformed":0}
"#
        );
        let text = lines(&mut Encoder::with_times(), [(1, What::Finished(&failed))]);
        assert!(
            text.contains(r#""attempt":2,"time":"...","duration":1.5,"state":"failed""#),
            "{text}"
        );
    }

    #[test]
    fn a_task_that_is_skipped_says_why_and_the_end_counts() {
        let skipped = |reason, cause| What::Skipped {
            name: "test",
            reason,
            cause,
        };
        let mut end = RunSummary {
            counts: Counts {
                completed: 2991,
                flaky: 2,
                done: 0,
                failed: 7,
                cancelled: 0,
                lost: 0,
                skipped: 0,
            },
            not_started: Some(2),
            why: Some("halt"),
            ending: Ending::Status(1),
        };
        let text = lines(
            &mut many(),
            [
                (18, skipped(SkipReason::Dependency, Some("build"))),
                (19, skipped(SkipReason::Done, None)),
                (0, What::End(&end)),
            ],
        );
        assert_eq!(
            text,
            r#"{"event":"skipped","task":18,"elapsed":0.001000,"name":"test","reason":"dependency","cause":"build"}
{"event":"skipped","task":19,"elapsed":0.001000,"name":"test","reason":"done"}
{"event":"end","task":0,"elapsed":0.001000,"completed":2991,"flaky":2,"failed":7,"cancelled":0,"skipped":0,"not_started":2,"exit_status":1,"signal":null}
"#
        );
        end.not_started = None;
        end.ending = Ending::Signal(libc::SIGINT);
        let text = lines(&mut many(), [(0, What::End(&end))]);
        assert!(
            text.ends_with(
                "\"skipped\":0,\"not_started\":null,\"exit_status\":null,\"signal\":\"SIGINT\"}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_task_that_may_come_to_its_end_is_asked_to_stop_only_when_it_has_not() {
        let reason = event::Reason::Interrupt;
        let left = None;
        let step = Step::Drain;
        let interrupt = Step::Signal(libc::SIGINT);
        let grace = Cause::NoReaction(Duration::from_secs(10));
        let signal = What::Signal {
            signal: libc::SIGINT,
            forwarded: false,
        };
        let text = lines(
            &mut many(),
            [
                (0, What::Cancelling { reason, step, left }),
                (5, What::Cancelling { reason, step, left }),
                (
                    5,
                    What::Stopping {
                        cause: grace,
                        step: interrupt,
                        left,
                    },
                ),
                (5, signal),
                (
                    5,
                    What::Stopping {
                        cause: Cause::Again,
                        step: Step::Terminate,
                        left,
                    },
                ),
            ],
        );
        assert_eq!(
            text,
            r#"{"event":"state","task":0,"elapsed":0.001000,"state":"cancelling","reason":"interrupt"}
{"event":"state","task":5,"elapsed":0.001000,"state":"cancelling","reason":"interrupt"}
{"event":"signal","task":5,"elapsed":0.001000,"signal":"SIGINT","reason":"grace"}
"#
        );
    }
}
