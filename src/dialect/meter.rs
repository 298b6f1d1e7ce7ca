//! Progress meters meant for people: the one rule that finds the percentage of rsync, git, tqdm, cmake and some dozens
//! more in what they draw, and is silent where numbers are something else.
//!
//! A number is progress by how it moves (`evidence`). Each number that goes on from record to record is a *track*. On
//! a redrawn line a track has a name, the words before the number, and a row of the screen: three bars are three
//! tracks, and a bar whose name changes in its place is one. On plain lines it has the form of its line.
//!
//! The first track that is believed has the bar of the task. One that follows takes it over: a phase. One that goes on
//! inside it is a part. Bars that differ in a digit or a file are siblings: the whole is their sum, and each is a part.
//!
//! The end of the child is not known here, and 100 is never said: a full meter is 99.9 percent. Whether a meter
//! has stopped moving is for the sinks to see, which have a clock.

mod candidates;
mod evidence;
mod form;
mod label;
mod notation;
mod scale;
mod track;
mod whole;
mod words;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::Instant;

use evidence::Reading;
use form::{Bar, Form};
use memchr::memmem;
use notation::{Role, Value};
use track::{Around, Standing, Track};
use whole::{Tracks, Whole};
use words::Speech;

pub(super) use notation::{percent, sign, word};
pub(super) use scale::scale;

use super::record::{Cursor, Record};
use super::{Each, Format};
use crate::protocol::{Progress, Status};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "meter",
    about: "percentages and counts drawn for people, on either stream: git, wget, tqdm, ...",
    switch: "git clone --progress, rsync --info=progress2, if they draw nothing by default",
};

/// A longer record, in characters, is no meter. Nor is one with so many percent signs: it is a table.
const LONGEST: usize = 400;
const TABLE: usize = 3;
/// A record with so many pieces that are not UTF-8 is no text. A file name in another encoding has fewer.
const FOREIGN: usize = 4;

/// Reads the meters of one stream.
#[derive(Debug, Default)]
pub(super) struct Meter {
    tracks: Tracks,
    said_message: bool,
    said_unit: bool,
    /// When the bytes came that are being read.
    now: Option<Instant>,
    /// Whether the stream is binary data.
    binary: bool,
}

impl Meter {
    /// The records that are read from now on came at this time.
    pub(super) fn at(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Reads a record.
    pub(super) fn read(&mut self, record: Record<'_>, each: Each<'_>) {
        if self.binary {
            return;
        }
        if !notation::worth(record.text) {
            if self.tracks.is_replaced_by(record) {
                self.end(each);
            }
            return;
        }
        self.binary = is_binary(record.text);
        let is_listing = || is_table(record) || is_source(record) || is_data(record.text);
        if self.binary || is_listing() {
            return;
        }
        let text = with_plain_blanks(record.text);
        let record = Record {
            text: &text,
            ..record
        };
        let values = candidates::values(record.text);
        let ends = values.iter().map(|value| value.end);
        let starts = values.iter().skip(1).map(|value| value.start);
        let nexts = starts.chain([record.text.len()]);
        for ((value, from), to) in values.iter().zip([0].into_iter().chain(ends)).zip(nexts) {
            let mut around = Around {
                before: &record.text[from..value.start],
                after: &record.text[value.end..to],
                speech: Speech::Neither,
            };
            // Nearly every record of a meter is like the last one, and a closer look would find nothing new.
            if let Some((index, previous)) = self.tracks.rise(record, value, around) {
                self.moved(record, index, previous, around, each);
                continue;
            }
            around.speech = Speech::of(record.text, value.start, value.end, record.redrawn);
            self.value(record, Form::of(record.text), *value, around, each);
        }
    }

    /// Reads a scale on an open line.
    pub(super) fn read_scale(&mut self, record: Record<'_>, each: Each<'_>) {
        if let Some((start, percentage)) = scale(record.text) {
            let value = Value::of_scale(record.text, start, percentage);
            let form = Form {
                bar: Bar::Framed,
                ..Form::default()
            };
            let around = Around {
                before: &record.text[..start],
                after: b"",
                speech: Speech::Neither,
            };
            let record = Record {
                redrawn: true,
                ..record
            };
            self.value(record, form, value, around, each);
        }
    }

    fn value(
        &mut self,
        record: Record<'_>,
        form: Form,
        mut value: Value,
        around: Around<'_>,
        each: Each<'_>,
    ) {
        // What a plain line says of its item is over with the line.
        if value.role == Role::Item && !record.redrawn {
            return;
        }
        let Some(index) = self.tracks.find(record, &value, around) else {
            return;
        };
        let track = &mut self.tracks.list[index];
        // Of several items at once, the one with the highest number says how far the count is.
        let is_earlier = matches!(value.role, Role::Count(_))
            && track.row != record.row
            && track.row >= record.top
            && track.value.percentage > value.percentage
            && track.value.total() == value.total();
        if is_earlier && track.evidence.is_believed() && record.redrawn {
            return;
        }
        // rsync says that the percentage is about one file only when that is over.
        if track.value.role == Role::Item && record.redrawn {
            value.role = Role::Item;
        }
        // A redrawn line is known by its name and its row.
        let plain = |words: &dyn Fn() -> String| if record.redrawn { 0 } else { hash(&words()) };
        let reading = Reading {
            value: &value,
            form,
            speech: around.speech,
            subject: plain(&|| around.subject()),
            phase: plain(&|| label::label(around.before, b"")),
            on_screen: record.row >= Cursor::SCREEN,
            now: self.now,
        };
        let was_believed = track.evidence.is_believed();
        let previous = track.moved;
        if !record.again {
            let begins = track.evidence.take_in(&reading);
            track.move_on(self.tracks.count, begins, record.row, &reading);
        }
        // The bar of an outer one may wait for long, and has its label ready.
        if track.evidence.is_believed() || track.is_drawn && record.redrawn {
            track.relabel(around, &value);
        }
        if !track.evidence.is_believed() {
            if was_believed {
                self.give_up(index, each);
            }
            return;
        }
        self.moved(record, index, previous, around, each);
    }

    /// A track that is believed has moved.
    fn moved(
        &mut self,
        record: Record<'_>,
        index: usize,
        previous: u64,
        around: Around<'_>,
        each: Each<'_>,
    ) {
        if !record.again {
            let before = self.tracks.whole;
            self.tracks.assign(index, previous, record);
            self.tell(index, before, &label::postfix(around.after), each);
        }
        let track = &self.tracks.list[index];
        let is_left = record.redrawn && record.stays && track.evidence.is_full();
        // The next item comes in its place.
        if is_left && track.value.role != Role::Item {
            self.leave(index, each);
        }
    }

    /// Reports the whole, if this track has moved it, and the part that the track is.
    fn tell(&mut self, index: usize, before: Whole, postfix: &str, each: Each<'_>) {
        let whole = self.tracks.whole;
        let begins = whole != before;
        let track = &self.tracks.list[index];
        let moved = match whole {
            Whole::Track(whole) if whole == track.number => {
                Some((track.report(), joined(&track.label, postfix)))
            }
            // The outer one of two was seen before it moved.
            Whole::Track(whole) if begins => {
                let outer = self
                    .tracks
                    .numbered(whole)
                    .map(|index| &self.tracks.list[index]);
                outer.map(|outer| (outer.report(), outer.label.clone()))
            }
            Whole::Siblings if track.standing == Standing::Sibling => {
                Some((self.tracks.sum(), String::new()))
            }
            _ => None,
        };
        if let Some((mut report, message)) = moved {
            // The message of the last phase is over, also if this phase has none.
            if !message.is_empty() || begins && self.said_message {
                report.message = Some(Cow::Borrowed(&message));
            }
            if begins && self.said_unit && report.unit.is_none() {
                report.unit = Some(Cow::Borrowed(""));
            }
            self.said_message |= !message.is_empty();
            self.said_unit |= report.unit.is_some();
            each(FORMAT.name, &report);
        }
        let track = &mut self.tracks.list[index];
        if let Some(id) = track.over.take() {
            each(FORMAT.name, &over(Some(&id)));
        }
        if track.is_part() {
            let mut report = track.report();
            report.id = Some(Cow::Borrowed(&track.id));
            report.title = (!track.label.is_empty()).then_some(Cow::Borrowed(&*track.label));
            report.message = (!postfix.is_empty()).then_some(Cow::Borrowed(postfix));
            each(FORMAT.name, &report);
            track.is_open = true;
        }
    }

    /// A full meter stays behind on its line. If the program has more to do, then something else.
    fn leave(&mut self, index: usize, each: Each<'_>) {
        let track = &self.tracks.list[index];
        let was_last = track.standing == Standing::Sibling
            && self.tracks.siblings().all(|track| track.evidence.is_full());
        if self.tracks.whole == Whole::Track(track.number)
            || self.tracks.whole == Whole::Siblings && was_last
        {
            self.end(each);
        } else {
            close(&mut self.tracks.list[index], each);
        }
    }

    /// A track that was believed is no meter after all.
    fn give_up(&mut self, index: usize, each: Each<'_>) {
        let track = &mut self.tracks.list[index];
        close(track, each);
        track.standing = Standing::Own;
        let number = track.number;
        let was_last =
            self.tracks.whole == Whole::Siblings && self.tracks.siblings().next().is_none();
        if was_last || self.tracks.whole == Whole::Track(number) {
            self.end(each);
        }
    }

    /// The meter of the task is over, and its parts with it.
    fn end(&mut self, each: Each<'_>) {
        self.tracks.whole = Whole::Nothing;
        for track in &mut self.tracks.list {
            close(track, each);
            if track.standing == Standing::Sibling {
                track.standing = Standing::Own;
            }
        }
        each(FORMAT.name, &over(None));
    }
}

/// Whether a bar is drawn in the text, or a percentage stands beside a rate or a time left.
pub(super) fn is_drawn(text: &[u8]) -> bool {
    let form = Form::of(text);
    form.bar != Bar::Nothing || (form.rate || form.time_left) && text.contains(&b'%')
}

fn joined(label: &str, postfix: &str) -> String {
    if label.is_empty() || postfix.is_empty() {
        return format!("{label}{postfix}");
    }
    format!("{label}  {postfix}")
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Most percentages in other languages have a blank that does not break (U+00A0, U+202F) before the sign.
fn with_plain_blanks(text: &[u8]) -> Cow<'_, [u8]> {
    let mut text = Cow::Borrowed(text);
    // Most records are ASCII.
    if text.is_ascii() {
        return text;
    }
    for blank in WIDE.iter() {
        while let Some(at) = blank.find(&text) {
            text.to_mut().splice(at..at + blank.needle().len(), [b' ']);
        }
    }
    text
}

/// Made once: making one costs more than looking through a record.
static WIDE: LazyLock<[memmem::Finder<'_>; 2]> =
    LazyLock::new(|| ["\u{a0}", "\u{202f}"].map(memmem::Finder::new));

/// A row between frames, or with many percent signs.
fn is_table(record: Record<'_>) -> bool {
    let text = record.text.trim_ascii();
    let characters = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let is_row = !record.redrawn && text.starts_with(b"|") && text.ends_with(b"|");
    let is_full = || {
        let form = Form::of(text);
        form.bar == Bar::Nothing && !form.time_left
    };
    let has_many = memchr::memchr_iter(b'%', text).count() >= TABLE;
    is_row || characters > LONGEST || has_many && is_full()
}

/// A line of a program, a style sheet or a page: `cat` prints no progress.
fn is_source(record: Record<'_>) -> bool {
    let text = record.text.trim_ascii();
    let is_call = || memmem::find(text, b"(\"").is_some() || memmem::find(text, b"('").is_some();
    let is_markup = text.starts_with(b"<") && text.ends_with(b">");
    !record.redrawn && (is_markup || matches!(text.last(), Some(b';' | b'{' | b'}')) || is_call())
}

/// Binary data, such as an archive: no program draws that for people.
fn is_binary(text: &[u8]) -> bool {
    let foreign = || {
        text.utf8_chunks()
            .filter(|chunk| !chunk.invalid().is_empty())
    };
    memchr::memchr(0, text).is_some() || foreign().nth(FOREIGN - 1).is_some()
}

/// JSON that no dialect knows.
fn is_data(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// Ends the part that the track is, if it has been reported as one.
fn close(track: &mut Track, each: Each<'_>) {
    if std::mem::take(&mut track.is_open) {
        each(FORMAT.name, &over(Some(&track.id)));
    }
}

/// The report that a part is over, or the meter of the task.
fn over(id: Option<&str>) -> Progress<'_> {
    Progress {
        id: id.map(Cow::Borrowed),
        status: Some(Status::Ok),
        ..Progress::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stream::Stream;
    use super::*;

    /// What is reported of these pieces of output, which come this many milliseconds after each other.
    fn paced(pieces: &[&str], pace: u64) -> Vec<String> {
        let mut stream = Stream::new(true, false, Vec::new());
        let mut seen = Vec::new();
        let mut each = |_: &'static str, progress: &Progress<'_>| seen.push(progress.to_json());
        let mut now = Instant::now();
        for piece in pieces {
            stream.feed(piece.as_bytes(), now, &mut each);
            now += Duration::from_millis(pace);
            stream.settle(now, &mut each);
        }
        stream.finish(&mut each);
        seen
    }

    fn written(pieces: &[&str]) -> Vec<String> {
        paced(pieces, 60)
    }

    /// Records on one line, each redrawn over the last.
    fn redrawn(records: &[&str]) -> Vec<String> {
        let pieces: Vec<_> = records.iter().map(|record| format!("\r{record}")).collect();
        written(&pieces.iter().map(|piece| &**piece).collect::<Vec<_>>())
    }

    /// Lines, one below the other.
    fn plain(lines: &[&str]) -> Vec<String> {
        let pieces: Vec<_> = lines.iter().map(|line| format!("{line}\n")).collect();
        written(&pieces.iter().map(|piece| &**piece).collect::<Vec<_>>())
    }

    /// So many lines of this form, each with one more.
    fn counted(form: &str, numbers: impl Iterator<Item = u32>) -> Vec<String> {
        let lines: Vec<_> = numbers
            .map(|number| form.replace("{n}", &number.to_string()))
            .collect();
        plain(&lines.iter().map(|line| &**line).collect::<Vec<_>>())
    }

    #[test]
    fn a_redrawn_meter_with_a_bar_a_rate_or_a_time_left_is_believed_when_it_has_risen() {
        for form in [
            "{n}% 12 MB/s",
            "{n}% ETA 0:10",
            "{n}% (0:10 left)",
            "{n}/100 {n}%",
        ] {
            let records = ["40", "40", "41"].map(|number| form.replace("{n}", number));
            let seen = redrawn(&[&records[0], &records[1], &records[2]]);
            assert_eq!(seen.len(), 1, "{form}: {seen:?}");
        }
        assert_eq!(redrawn(&["[>   ] 4%", "[>   ] 5%"]).len(), 1);
        assert_eq!(redrawn(&["[=>  ] 40%", "[=>  ] 41%"]), [""; 0]);
        assert_eq!(
            redrawn(&["[=>  ] 40%", "[=>  ] 41%", "[=>  ] 42%"]).len(),
            1
        );
    }

    #[test]
    fn a_redrawn_percentage_alone_rises_three_times_from_near_0_and_never_falls() {
        assert_eq!(redrawn(&["a 1%", "a 2%", "a 3%", "a 4%"]).len(), 1);
        assert_eq!(redrawn(&["a 1%", "a 2%", "a 3%"]), [""; 0]);
        assert_eq!(
            redrawn(&["a 1%", "a 3%", "a 2%", "a 4%", "a 6%", "a 8%"]),
            [""; 0]
        );
        assert_eq!(
            redrawn(&["a 31%", "a 32%", "a 33%", "a 34%", "a 35%", "a 36%"]),
            [""; 0]
        );
        assert_eq!(redrawn(&["mem 1%", "mem 2%", "mem 3%", "mem 4%"]), [""; 0]);
    }

    #[test]
    fn a_plain_counter_goes_up_by_one_from_the_start() {
        for (form, needed) in [
            ("Step {n}/9", 3),
            ("[{n}/90] a", 4),
            ("({n}/90) a", 4),
            ("{n}/90 Test", 4),
            ("Page {n} of 90", 5),
        ] {
            assert_eq!(counted(form, 1..needed), [""; 0], "{form}");
            assert_eq!(counted(form, 1..=needed).len(), 1, "{form}");
            assert_eq!(
                counted(form, (1..30).filter(|n| n % 3 > 0)),
                [""; 0],
                "{form}"
            );
            assert_eq!(counted(form, 5..30), [""; 0], "{form}");
        }
    }

    #[test]
    fn a_plain_percentage_rises_from_near_0_and_never_falls() {
        assert_eq!(counted("[ {n}%] a", 1..=5).len(), 1);
        assert_eq!(counted("a [ {n}%] PASSED", (2..=8).step_by(2)).len(), 1);
        assert_eq!(counted("[ {n}%] humidity", 41..60), [""; 0]);
        assert_eq!(counted("{n}% done", (5..=25).step_by(5)).len(), 1);
        assert_eq!(counted("{n}%", (5..=20).step_by(5)).len(), 1);
        assert_eq!(counted("name {n}%", (5..=30).step_by(5)), [""; 0]);
        assert_eq!(counted("name {n}%", (5..=40).step_by(5)).len(), 1);
        assert_eq!(counted("name{n}: {n}%", (5..=100).step_by(5)), [""; 0]);
        assert_eq!(counted("disk {n}% used", (5..=100).step_by(5)), [""; 0]);
        let lines = [
            "at 3%", "at 7%", "at 6%", "at 20%", "at 30%", "at 41%", "at 50%", "at 60%", "at 70%",
        ];
        assert_eq!(plain(&lines), [""; 0]);
    }

    #[test]
    fn plain_lines_that_come_at_once_are_a_table() {
        let lines = [
            "[1/9] a\n",
            "[2/9] b\n",
            "[3/9] c\n",
            "[4/9] d\n",
            "[5/9] e\n",
            "[6/9] f\n",
            "[7/9] g\n",
        ];
        assert_eq!(paced(&lines, 0), [""; 0]);
        assert_eq!(paced(&lines, 49).len(), 1, "every second one counts");
    }

    #[test]
    fn a_step_that_begins_is_not_done() {
        let seen = counted("Step {n}/6", 1..=6);
        assert_eq!(
            seen.last().unwrap(),
            r#"{"progress":5,"total":6,"message":"Step"}"#
        );
    }

    #[test]
    fn a_count_of_another_total_and_one_that_is_always_full_are_none() {
        let lines = [
            "[1/7] a", "[2/8] b", "[3/9] c", "[4/7] d", "[5/8] e", "[6/9] f",
        ];
        assert_eq!(plain(&lines), [""; 0]);
        assert_eq!(counted("suite: {n}/{n} ok", 1..9), [""; 0]);
    }

    #[test]
    fn a_meter_that_falls_on_plain_lines_was_none_and_is_taken_back() {
        let seen = plain(&[
            "[1/9] a", "[2/9] b", "[3/9] c", "[4/9] dd", "[2/9] e", "[3/9] f", "[4/9] g",
        ]);
        let expected = [
            r#"{"progress":4,"total":9,"message":"dd"}"#,
            r#"{"status":"ok"}"#,
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_no_text_has_no_meters_any_more() {
        let reports = |first: &[u8]| {
            let mut stream = Stream::new(true, false, Vec::new());
            let mut reports = 0;
            for text in [first, b"\ra: 10% ETA", b"\ra: 20% ETA", b"\ra: 30% ETA\r"] {
                stream.feed(text, Instant::now(), &mut |_, _| reports += 1);
            }
            reports
        };
        assert_eq!(reports(b"\0 5%"), 0);
        assert_eq!(reports(b"\xff\xfe\xff\xfe 5%"), 0);
        assert_eq!(reports(b"\xfc\xdf.mp3: 5%"), 2, "a name in Latin-1");
    }

    #[test]
    fn a_meter_with_a_bar_may_fall_and_what_jumps_about_is_not_believed() {
        let dip = redrawn(&["80% ETA", "86% ETA", "84% ETA"]);
        assert_eq!(dip, [r#"{"percentage":86}"#, r#"{"percentage":84}"#]);
        let jumping = redrawn(&["50%", "10%", "60%", "20%", "70%", "5%"]);
        assert_eq!(jumping, [""; 0]);
    }

    #[test]
    fn a_full_meter_is_not_shown_as_100() {
        let expected = [r#"{"percentage":50}"#, r#"{"percentage":99.9}"#];
        assert_eq!(redrawn(&["0% ETA", "50% ETA", "100% ETA"]), expected);
    }

    #[test]
    fn a_phase_takes_the_bar_over_from_the_last_one() {
        let records = [
            "Counting: 50% (1/2)",
            "Counting: 100% (2/2)",
            "Receiving: 10% (10 MiB/100 MiB)",
            "Receiving: 20% (20 MiB/100 MiB)",
            "5% ETA",
            "6% ETA",
        ];
        let expected = [
            r#"{"total":2,"percentage":99.9,"message":"Counting"}"#,
            r#"{"progress":20971520,"total":104857600,"unit":"bytes","message":"Receiving"}"#,
            r#"{"percentage":6,"unit":"","message":""}"#,
        ];
        assert_eq!(redrawn(&records), expected);
    }

    #[test]
    fn the_outer_one_of_two_nested_meters_is_the_whole_before_it_moves() {
        let pieces = [
            "\repochs: 0%|      | 0/4",
            "\n\rbatch: 0%|      | 0/9\x1b[A",
            "\n\rbatch: 56%|###   | 5/9\x1b[A",
            "\repochs: 25%|##    | 1/4",
            "\n\rbatch: 100%|######| 9/9\n",
        ];
        let expected = [
            r#"{"progress":0,"total":4,"message":"epochs"}"#,
            r#"{"progress":5,"total":9,"id":"/ batch","title":"batch"}"#,
            r#"{"progress":1,"total":4,"message":"epochs"}"#,
            r#"{"total":9,"percentage":99.9,"id":"/ batch","title":"batch"}"#,
            r#"{"id":"/ batch","status":"ok"}"#,
        ];
        let mut seen = written(&pieces);
        seen.dedup();
        assert_eq!(seen, expected);
    }

    #[test]
    fn bars_that_differ_in_a_digit_are_parts_and_their_sum_is_the_whole() {
        let pieces = [
            "\rjob 1: [>   ] 0/10\n\rjob 2: [>   ] 0/10\x1b[A",
            "\rjob 1: [>   ] 2/10\n\rjob 2: [>   ] 1/10\x1b[A",
            "\rjob 1: [>   ] 4/10\n\rjob 2: [>   ] 2/10\x1b[A",
        ];
        let seen = written(&pieces);
        let expected = [
            r#"{"progress":6,"total":20}"#,
            r#"{"progress":2,"total":10,"id":"/ job 2","title":"job 2"}"#,
        ];
        assert_eq!(seen[seen.len() - 2..], expected, "{seen:?}");
    }

    #[test]
    fn the_count_of_items_is_the_whole_and_the_items_own_percentage_a_part() {
        let records = [
            "(1/4) one [>   ] 10%",
            "(1/4) one [=>  ] 60%",
            "(2/4) two [=>  ] 45%",
            "(2/4) two [====] 100%",
        ];
        let expected = [
            r#"{"progress":0,"total":4,"message":"one"}"#,
            r#"{"percentage":60,"id":"item","title":"one"}"#,
            r#"{"progress":1,"total":4,"message":"two"}"#,
            r#"{"percentage":45,"id":"item","title":"two"}"#,
            r#"{"progress":2,"total":4,"message":"two"}"#,
            r#"{"percentage":99.9,"id":"item","title":"two"}"#,
        ];
        assert_eq!(redrawn(&records), expected);
    }

    #[test]
    fn a_name_that_changes_in_its_place_makes_no_other_meter() {
        let records = [
            "Rewrite 1f0a2b3c (1/347)",
            "Rewrite a0c2b3c4 (12/347)",
            "Rewrite deadbeef (40/347)",
        ];
        assert_eq!(redrawn(&records).len(), 1);
    }

    #[test]
    fn a_scale_on_an_open_line_is_read_while_it_grows() {
        let expected = [20, 30].map(|value| format!(r#"{{"percentage":{value}}}"#));
        assert_eq!(written(&["0%", "...10%", "...20%", "...30%\n"]), expected);
        assert_eq!(written(&["0", "...10", "...20", "...30"]), expected);
        assert_eq!(written(&["0%...10%...20%\n"]), [""; 0]);
    }

    #[test]
    fn tables_data_and_long_lines_are_no_meters() {
        let long = format!("{}%", " ".repeat(500));
        for records in [
            ["1% 2% 3%", "2% 3% 4%", "3% 4% 5%", "4% 5% 6%"],
            [
                r#"{"a":"1%"}"#,
                r#"{"a":"2%"}"#,
                r#"{"a":"3%"}"#,
                r#"{"a":"4%"}"#,
            ],
            [
                &format!("1{long}"),
                &format!("2{long}"),
                &format!("3{long}"),
                &format!("4{long}"),
            ],
        ] {
            assert_eq!(redrawn(&records), [""; 0]);
        }
        assert_eq!(counted("| a | {n}% |", 1..60), [""; 0]);
    }

    #[test]
    fn so_many_tracks_are_remembered_and_no_more() {
        let mut meter = Meter::default();
        for number in 0..10_000_u32 {
            let text = format!("name{number}: 5%");
            let record = Record {
                text: text.as_bytes(),
                redrawn: true,
                stays: false,
                again: false,
                row: number.into(),
                top: number.into(),
            };
            meter.read(record, &mut |_, progress| panic!("{progress:?}"));
        }
        assert_eq!(meter.tracks.list.len(), whole::TRACKS);
    }
}
