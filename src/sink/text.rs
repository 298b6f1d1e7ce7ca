//! The text of one stream as a log keeps it: the lines that a terminal showed, each with the time and the name of its
//! task before it if that is wanted. Knows no file.

use std::time::{Duration, SystemTime};

use crate::vt::transcript::Transcript;

/// How a stream is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The columns of the terminal that the stream is for the child; none: it is a pipe.
    pub(super) columns: Option<usize>,
    /// The rows of a terminal.
    pub(super) rows: usize,
    /// Whether each line begins with the time at which it was complete.
    pub(super) timestamps: bool,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Text {
    transcript: Transcript,
    timestamps: bool,
    /// What stands before each line, after the time.
    tag: String,
    /// A line has begun, and its time and tag are written.
    is_within: bool,
}

impl Text {
    pub(super) fn new(form: Form, tag: String) -> Self {
        Self {
            transcript: Transcript::new(form.columns, form.rows),
            timestamps: form.timestamps,
            tag,
            is_within: false,
        }
    }

    /// Takes in what the child has written; gives the text that is done with.
    pub(super) fn add(&mut self, bytes: &[u8], at: Duration) -> Vec<u8> {
        self.text(at, |transcript, give| transcript.write(bytes, at, give))
    }

    /// Gives the rest: the stream is over.
    pub(super) fn end(&mut self, at: Duration) -> Vec<u8> {
        self.text(at, |transcript, give| transcript.finish(at, give))
    }

    /// When [`tick`](Self::tick) is to be called if nothing is added.
    pub(super) fn due(&self) -> Option<Duration> {
        self.transcript.due()
    }

    /// Gives the lines that were kept back for long enough.
    pub(super) fn tick(&mut self, at: Duration) -> Vec<u8> {
        self.text(at, |transcript, give| transcript.give_old(at, give))
    }

    fn text(
        &mut self,
        now: Duration,
        give: impl FnOnce(&mut Transcript, &mut dyn FnMut(Duration, &[u8])),
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let Self {
            transcript,
            timestamps,
            tag,
            is_within,
        } = self;
        if !*timestamps && tag.is_empty() {
            give(transcript, &mut |_, text| out.extend_from_slice(text));
            return out;
        }
        // The clock is asked each time: the time of a run does not go on while progrun is stopped.
        let began = SystemTime::now() - now;
        give(transcript, &mut |at, text| {
            let time = humantime::format_rfc3339_millis(began + at);
            let head = if *timestamps {
                format!("{time} {tag}")
            } else {
                tag.clone()
            };
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                if !std::mem::replace(is_within, !line.ends_with(b"\n")) {
                    out.extend_from_slice(head.as_bytes());
                }
                out.extend_from_slice(line);
            }
        });
        out
    }
}
