//! Every event as a JSON line, for scripts. The names are documented in progrun-protocol(5) and in
//! `docs/events.schema.json`, and stay.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use crate::event::{
    Cause, Ending, Event, FinalState, Reason, Step, Stream, TaskId, What, signal_name,
};
use crate::flow::Permit;
use crate::model::batch::{Batch, VerbatimLine};
use crate::protocol::PROGRESS;

use super::Sink;
use super::sanitize::escape_json;
use super::writer::Writer;

/// The stream of `--json`.
#[derive(Debug)]
pub(super) struct Json {
    writer: Writer,
    name: String,
    /// Whether what the child prints is in the stream too.
    with_output: bool,
    /// Why a stop sends its signals now.
    cause: &'static str,
    /// Whether the child was asked and has not been sent a signal since.
    asked: bool,
    /// Whether the stream is read on a terminal.
    on_terminal: bool,
    /// Whose event is being written.
    task: TaskId,
    /// The head of a character that a read cut in two, for each stream.
    cut: [Vec<u8>; 2],
}

impl Json {
    /// Writes events to `writer` as they happen. `name` is the run's; `with_output` if what the child prints is wanted as
    /// events too.
    #[must_use]
    pub(super) fn new(writer: Writer, name: String, with_output: bool) -> Self {
        Self {
            writer,
            name,
            with_output,
            cause: "",
            asked: false,
            on_terminal: false,
            task: TaskId::FIRST,
            cut: [Vec::new(), Vec::new()],
        }
    }

    /// For a terminal if `so`: characters that do something there are escaped.
    #[must_use]
    pub(super) fn on_terminal(mut self, so: bool) -> Self {
        self.on_terminal = so;
        self
    }

    fn send(&mut self, lines: String, permits: Vec<Permit>) {
        let lines = if self.on_terminal {
            escape_json(&lines).into_owned()
        } else {
            lines
        };
        self.writer.send(lines.into_bytes(), permits);
    }

    fn line(&mut self, event: &str, elapsed: Duration, fields: &[(&str, Value)]) {
        let mut line = head(event, self.task, elapsed);
        for (name, value) in fields {
            let _ = write!(line, ",\"{name}\":{}", json_of(value));
        }
        line.push_str("}\n");
        self.send(line, Vec::new());
    }

    fn output(&mut self, stream: Stream, bytes: &[u8], permit: Option<&Permit>, elapsed: Duration) {
        if bytes.is_empty() {
            return;
        }
        let mut line = head("output", self.task, elapsed);
        let _ = write!(line, ",\"stream\":\"{stream}\"");
        push_text(&mut line, bytes);
        line.push_str("}\n");
        self.send(line, permit.into_iter().cloned().collect());
    }

    fn progress(&mut self, reports: &Batch, elapsed: Duration) {
        // One buffer and one write for all lines of a read: a million reports must not be a million system calls.
        let mut head = head(PROGRESS, self.task, elapsed);
        if let Some(source) = reports.source {
            let _ = write!(head, ",\"source\":\"{source}\"");
        }
        let mut lines = String::new();
        for line in reports.verbatim.iter() {
            match line {
                VerbatimLine::Info(info) => {
                    lines.push_str(&head);
                    lines.push_str(",\"info\":");
                    push_object(&mut lines, info);
                    lines.push_str("}\n");
                }
                VerbatimLine::Malformed(bad) => {
                    lines.push_str(&self::head("malformed", self.task, elapsed));
                    let _ = write!(lines, ",\"line\":{}", bad.number);
                    push_text(&mut lines, &bad.text);
                    let _ = writeln!(lines, ",\"error\":{}}}", json_of(&bad.error));
                }
            }
        }
        let permits = reports.permit.iter().cloned().collect();
        self.send(lines, permits);
    }
}

/// An object as it was written, but for carriage returns: between two tokens they are blanks, and to readers of text the
/// end of the line.
fn push_object(line: &mut String, object: &str) {
    for (index, piece) in object.split('\r').enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(piece);
    }
}

/// Cannot fail. `Value` could be formatted as it is, but brings a second writer of JSON for that, and one that indents.
fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Sink for Json {
    fn event(&mut self, event: &Event<'_>) {
        let elapsed = event.at;
        self.task = event.task.unwrap_or(TaskId::FIRST);
        match &event.what {
            What::Started { command, pid, .. } => {
                let command: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let fields = [
                    ("time", json!(time)),
                    ("name", json!(self.name)),
                    ("command", json!(command)),
                    ("pid", json!(pid)),
                ];
                self.line("started", elapsed, &fields);
            }
            What::Progress(reports) => self.progress(reports, elapsed),
            What::Output { .. } if !self.with_output => {}
            What::Output {
                stream,
                bytes,
                permit,
            } => {
                let cut = &mut self.cut[*stream as usize];
                cut.extend_from_slice(bytes);
                let rest = cut.split_off(complete(cut));
                let bytes = std::mem::replace(cut, rest);
                self.output(*stream, &bytes, Some(permit), elapsed);
            }
            What::Cancelling { reason, step, .. } => {
                self.cause = reason_name(*reason);
                self.asked = *step == Step::Ask;
                let fields = [
                    ("state", json!("cancelling")),
                    ("reason", json!(self.cause)),
                ];
                self.line("state", elapsed, &fields);
            }
            What::Stopping { cause, .. } => {
                let asked = std::mem::take(&mut self.asked);
                self.cause = match cause {
                    Cause::Again => "interrupt",
                    Cause::TimedOut => reason_name(Reason::Timeout),
                    Cause::NoReaction(_) if asked => "grace",
                    Cause::NoReaction(_) => "kill-after",
                };
            }
            What::Signal { signal, forwarded } => {
                let reason = if *forwarded { "forwarded" } else { self.cause };
                let fields = [
                    ("signal", json!(signal_name(*signal))),
                    ("reason", json!(reason)),
                ];
                self.line("signal", elapsed, &fields);
            }
            // The terminal is between progrun and the child; it is not part of what happened.
            // Nor is what was seen from outside: who wants that asks for it as reports.
            What::Terminal { .. } | What::Resized | What::Paused(_) | What::Observed(_) => {}
            What::Warning(message) => {
                self.line("warning", elapsed, &[("message", json!(message))]);
            }
            What::Finished(summary) => {
                for stream in [Stream::Stdout, Stream::Stderr] {
                    let cut = std::mem::take(&mut self.cut[stream as usize]);
                    self.output(stream, &cut, None, elapsed);
                }
                let state = match summary.state {
                    FinalState::Completed => "completed",
                    FinalState::Failed => "failed",
                    FinalState::Cancelled => "cancelled",
                };
                let (status, signal) = match summary.exit.map(|exit| exit.ending) {
                    None => (None, None),
                    Some(Ending::Status(status)) => (Some(status), None),
                    Some(Ending::Signal(signal)) => (None, Some(signal_name(signal))),
                };
                let mut fields = vec![
                    ("state", json!(state)),
                    ("exit_status", json!(status)),
                    ("signal", json!(signal)),
                ];
                if let Some(reason) = summary.reason {
                    fields.push(("reason", json!(reason_name(reason))));
                }
                if let Some(exit) = summary.exit {
                    fields.push(("user_time", json!(exit.user_time.as_secs_f64())));
                    fields.push(("system_time", json!(exit.system_time.as_secs_f64())));
                    fields.push(("max_rss", json!(exit.max_rss)));
                }
                fields.push(("reports", json!(summary.reports)));
                fields.push(("malformed", json!(summary.malformed)));
                if let Some(error) = &summary.error {
                    fields.push(("error", json!(error)));
                }
                self.line("finished", elapsed, &fields);
            }
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.writer.flush(permit.clone());
    }

    fn abandon(&mut self) {
        self.writer.abandon();
    }
}

/// What every event begins with.
fn head(event: &str, task: TaskId, elapsed: Duration) -> String {
    format!(
        "{{\"event\":\"{event}\",\"task\":{},\"elapsed\":{}.{:06}",
        task.get(),
        elapsed.as_secs(),
        elapsed.subsec_micros()
    )
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Interrupt => "interrupt",
        Reason::Terminate => "terminate",
        Reason::Hangup => "hangup",
        Reason::Parent => "outer",
        Reason::Timeout => "timeout",
    }
}

/// How much of `bytes` does not end in the middle of a character.
fn complete(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        // Only the end is missing: it comes with the next read.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// As `text`, or as `base64` where it is not UTF-8: JSON has no other way, and no byte may be lost.
fn push_text(line: &mut String, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = write!(line, ",\"text\":{}", json_of(&text));
    } else {
        line.push_str(",\"base64\":\"");
        push_base64(line, bytes);
        line.push('"');
    }
}

fn push_base64(line: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |index| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                let digit = bits >> (18 - 6 * place) & 63;
                line.push(char::from(DIGITS[digit as usize]));
            } else {
                line.push('=');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf_8_become_base64_with_its_padding() {
        let encode = |bytes: &[u8]| {
            let mut line = String::new();
            push_text(&mut line, bytes);
            line
        };
        assert_eq!(encode(b"\xff"), r#","base64":"/w==""#);
        assert_eq!(encode(b"\xff\xfe"), r#","base64":"//4=""#);
        assert_eq!(encode(b"\xff\xfe\xfd"), r#","base64":"//79""#);
        assert_eq!(encode(b"a\xffbc"), r#","base64":"Yf9iYw==""#);
        assert_eq!(encode("a\"\n\u{e9}".as_bytes()), r#","text":"a\"\né""#);
    }

    #[test]
    fn a_line_begins_with_the_event_the_task_and_the_time() {
        assert_eq!(
            head("state", TaskId::FIRST, Duration::from_micros(1_000_214)),
            r#"{"event":"state","task":1,"elapsed":1.000214"#
        );
    }
}
