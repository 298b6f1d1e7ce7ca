//! What one read of a channel brought: the payload that a child's worker hands to the run loop.
//!
//! A child may report a million times a second, and a screen shows twenty frames. So the lines of one read are folded:
//! of each part only the newest state is kept, and nothing is allocated for a line that a later one overtakes. A sink
//! that needs every line (`--json`) gets the lines verbatim beside. This module knows nothing of pipes or screens.

use std::collections::HashMap;
use std::ops::Range;

use crate::flow::Permit;
use crate::protocol::{Content, Decoder, Line, Progress};

use super::stray;

/// How much of a malformed line its warning quotes, in bytes.
const EXCERPT: usize = 256;

/// Everything that one read of the channel brought.
#[derive(Debug, Default)]
pub struct Batch {
    /// The newest state of each part that was mentioned, in the order of first mention. A part that ended and began
    /// again within the read is here twice.
    pub parts: Vec<Progress<'static>>,
    /// How many lines were reports; empty lines, which only ask, are not.
    pub count: u64,
    /// How many lines were malformed.
    pub malformed_count: u64,
    /// The first malformed line of this read, with the head of its text.
    pub first_malformed: Option<BadLine>,
    /// The warning for the first report of the channel without any known field, if it came in this read.
    pub stray: Option<String>,
    /// Every line that was not empty, in order, if a sink wants them.
    pub verbatim: Verbatim,
    /// The name of another program's format, such as `restic`. None: our own protocol.
    pub source: Option<&'static str>,
    /// Held as long as these reports are under way.
    pub permit: Option<Permit>,
}

/// A malformed line, kept for the warning that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number on the channel, counted from 1.
    pub number: u64,
    /// What the child wrote, or the head of it.
    pub text: Vec<u8>,
    /// What is wrong with it.
    pub error: String,
}

/// Lines as the child wrote them, in one buffer: a million reports must not be a million allocations.
#[derive(Debug, Default)]
pub struct Verbatim {
    text: String,
    lines: Vec<Entry>,
}

#[derive(Debug)]
enum Entry {
    Info(Range<usize>),
    Malformed(BadLine),
}

/// One line that was not empty.
#[derive(Debug, PartialEq, Eq)]
pub enum VerbatimLine<'a> {
    /// A report as a JSON object: the child's own bytes, or a short form written out.
    Info(&'a str),
    /// A malformed line.
    Malformed(&'a BadLine),
}

impl Verbatim {
    /// The lines in the order in which the child wrote them.
    pub fn iter(&self) -> impl Iterator<Item = VerbatimLine<'_>> {
        self.lines.iter().map(|entry| match entry {
            Entry::Info(range) => VerbatimLine::Info(&self.text[range.clone()]),
            Entry::Malformed(bad) => VerbatimLine::Malformed(bad),
        })
    }

    fn push(&mut self, info: &str) {
        let start = self.text.len();
        self.text.push_str(info);
        self.lines.push(Entry::Info(start..self.text.len()));
    }
}

/// About how many bytes text grows by when it is written into JSON: a control character becomes up to six. Quotes and
/// backslashes, which become two, do not count.
#[must_use]
pub(crate) fn escaped(text: &[u8]) -> usize {
    let controls = text.iter().map(|byte| usize::from(*byte < b' '));
    5 * controls.sum::<usize>()
}

impl Batch {
    /// One report in another program's format, kept verbatim as well.
    #[must_use]
    pub fn of(source: &'static str, progress: &Progress<'_>) -> Self {
        let mut fold = Fold::new(true);
        fold.report(progress);
        Self {
            source: Some(source),
            ..fold.take()
        }
    }

    /// A malformed line, kept verbatim as well if every line is.
    #[must_use]
    pub(crate) fn of_malformed(bad: BadLine, keeps_every_line: bool) -> Self {
        let mut verbatim = Verbatim::default();
        if keeps_every_line {
            verbatim.lines.push(Entry::Malformed(bad.clone()));
        }
        Self {
            malformed_count: 1,
            first_malformed: Some(bad),
            verbatim,
            ..Self::default()
        }
    }

    /// About how many bytes these reports take while they are under way, and in the events written of them. A line of
    /// one byte becomes an event of a hundred, so the bytes that were read do not count.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EVENT: usize = 128;
        let lines = self.verbatim.lines.iter().map(|entry| match entry {
            Entry::Info(_) => EVENT,
            // The event has its reason too, and its text escaped.
            Entry::Malformed(bad) => 2 * EVENT + bad.text.len() + escaped(&bad.text),
        });
        let parts = self.parts.iter().map(|part| EVENT + part.text_length());
        self.verbatim.text.len() + lines.sum::<usize>() + parts.sum::<usize>()
    }

    /// Whether there is nothing to hand on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.malformed_count == 0
    }
}

/// Turns the bytes of a channel into [`Batch`]es, one a read.
#[derive(Debug)]
pub(crate) struct Collector {
    decoder: Decoder,
    fold: Fold,
    seen: bool,
}

/// Folds reports, wherever they come from: of each part only the newest state is kept.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    keeps_every_report: bool,
    /// A report without any known field was warned of: once is enough.
    has_strayed: bool,
    reports: Batch,
    root: Option<usize>,
    by_id: HashMap<String, usize>,
}

impl Collector {
    /// A collector for one channel; `keeps_every_report` if every line is wanted, not only the newest of each part.
    #[must_use]
    pub(crate) fn new(keeps_every_report: bool) -> Self {
        Self {
            decoder: Decoder::new(),
            fold: Fold::new(keeps_every_report),
            seen: false,
        }
    }

    /// Takes in the next bytes of the channel.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.seen |= !bytes.is_empty();
        let fold = &mut self.fold;
        self.decoder.feed(bytes, &mut |line| fold.take_in(&line));
    }

    /// The channel is at its end: a last line without newline is a line too.
    pub(crate) fn finish(&mut self) {
        let fold = &mut self.fold;
        self.decoder.finish(&mut |line| fold.take_in(&line));
    }

    /// Whether the child ever wrote to the channel. Only then is there a next progress write to wait for.
    #[must_use]
    pub(crate) fn seen(&self) -> bool {
        self.seen
    }

    /// Takes what came since the last call.
    pub(crate) fn take(&mut self) -> Batch {
        self.fold.take()
    }
}

impl Fold {
    /// An empty fold; `keeps_every_report` if every report is wanted, not only the newest of each part.
    #[must_use]
    pub(crate) fn new(keeps_every_report: bool) -> Self {
        Self {
            keeps_every_report,
            ..Self::default()
        }
    }

    /// Takes in a report without a JSON text of its own. Its verbatim line is written from its fields.
    pub(crate) fn report(&mut self, progress: &Progress<'_>) {
        if self.keeps_every_report {
            self.reports.verbatim.push(&progress.to_json());
        }
        self.merge(progress);
    }

    /// Takes what came since the last call.
    pub(crate) fn take(&mut self) -> Batch {
        self.root = None;
        self.by_id.clear();
        std::mem::take(&mut self.reports)
    }

    fn take_in(&mut self, line: &Line<'_>) {
        match &line.content {
            Content::Empty => {}
            Content::Object(progress) => {
                let text = || {
                    std::str::from_utf8(line.text)
                        .expect("the decoder calls a line an object only if it is UTF-8")
                        .trim()
                };
                if self.keeps_every_report {
                    self.reports.verbatim.push(text());
                }
                if progress.is_empty() && !self.has_strayed {
                    self.reports.stray = stray::warning(line.number, text());
                    self.has_strayed = self.reports.stray.is_some();
                }
                self.merge(progress);
            }
            Content::Short(progress) => self.report(progress),
            Content::Malformed(malformed) => {
                self.reports.malformed_count += 1;
                let bad = |text: &[u8]| BadLine {
                    number: line.number,
                    text: text.to_vec(),
                    error: malformed.to_string(),
                };
                let head = &line.text[..line.text.len().min(EXCERPT)];
                let first = &mut self.reports.first_malformed;
                first.get_or_insert_with(|| bad(head));
                if self.keeps_every_report {
                    let entry = Entry::Malformed(bad(line.text));
                    self.reports.verbatim.lines.push(entry);
                }
            }
        }
    }

    fn merge(&mut self, progress: &Progress<'_>) {
        self.reports.count += 1;
        let known = match progress.id.as_deref() {
            None => self.root,
            Some(id) => self.by_id.get(id).copied(),
        };
        if let Some(index) = known {
            let newest = &mut self.reports.parts[index];
            // A part that is over and reports again has begun again: the new report must not hide its end.
            if newest.status.is_none() {
                newest.merge(progress);
                return;
            }
        }
        let index = self.reports.parts.len();
        match progress.id.as_deref() {
            None => self.root = Some(index),
            Some(id) => {
                self.by_id.insert(id.to_owned(), index);
            }
        }
        self.reports.parts.push(progress.clone().into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Status;

    fn collect(keeps_every_report: bool, bytes: &[u8]) -> Batch {
        let mut collector = Collector::new(keeps_every_report);
        collector.feed(bytes);
        collector.finish();
        collector.take()
    }

    #[test]
    fn of_many_reports_on_one_part_the_newest_state_is_kept_and_all_are_counted() {
        let reports = collect(false, b"1/3 a\n2/3\n{\"progress\":3}\n");
        assert_eq!(reports.count, 3);
        assert_eq!(reports.parts.len(), 1);
        assert_eq!(reports.parts[0].progress, Some(3.0));
        assert_eq!(reports.parts[0].total, Some(3.0));
        assert_eq!(reports.parts[0].message.as_deref(), Some("a"));
        assert_eq!(reports.verbatim.iter().count(), 0);
    }

    #[test]
    fn parts_stand_in_the_order_of_their_first_mention() {
        let reports = collect(
            false,
            b"{\"id\":\"b\",\"progress\":1}\n{\"id\":1}\n{\"id\":\"b\",\"progress\":2}\n",
        );
        let ids: Vec<_> = reports.parts.iter().map(|p| p.id.as_deref()).collect();
        assert_eq!(ids, [Some("b"), Some("1")]);
        assert_eq!(reports.parts[0].progress, Some(2.0));
    }

    #[test]
    fn a_part_that_ended_and_began_again_within_a_read_stands_twice() {
        let reports = collect(
            false,
            b"{\"id\":1,\"status\":\"failed\"}\n{\"id\":1,\"progress\":1}\n",
        );
        assert_eq!(reports.parts.len(), 2);
        assert_eq!(reports.parts[0].status, Some(Status::Failed));
        assert_eq!(reports.parts[1].status, None);
    }

    #[test]
    fn every_line_is_kept_verbatim_on_request_and_short_forms_are_written_out() {
        let reports = collect(true, b"{\"progress\": 3, \"x\":[1]} \n\n42%\n{oops\n");
        let lines: Vec<_> = reports.verbatim.iter().collect();
        assert_eq!(lines[0], VerbatimLine::Info("{\"progress\": 3, \"x\":[1]}"));
        assert_eq!(lines[1], VerbatimLine::Info("{\"percentage\":42}"));
        let VerbatimLine::Malformed(bad) = &lines[2] else {
            panic!("the third line is malformed, got {:?}", lines[2]);
        };
        assert_eq!((bad.number, bad.text.as_slice()), (4, b"{oops".as_slice()));
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn only_the_first_report_without_a_known_field_is_warned_of_and_all_are_counted() {
        let mut collector = Collector::new(false);
        collector.feed(b"{}\n1/2\n{\"progess\":5}\n{\"mesage\":\"x\"}\n");
        let reports = collector.take();
        assert!(
            reports
                .stray
                .unwrap()
                .starts_with("progress line 3 has no known field: {\"progess\":5}")
        );
        assert_eq!((reports.count, reports.malformed_count), (4, 0));
        collector.feed(b"{\"progess\":6}\n");
        assert_eq!(collector.take().stray, None);
    }

    #[test]
    fn a_second_take_holds_only_what_came_after_the_first() {
        let mut collector = Collector::new(false);
        collector.feed(b"1/2\n");
        assert_eq!(collector.take().count, 1);
        assert!(collector.take().is_empty());
        collector.feed(b"2/2\n");
        let reports = collector.take();
        assert_eq!((reports.count, reports.parts.len()), (1, 1));
    }
}
