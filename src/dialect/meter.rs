//! Progress meters meant for people: the one rule that finds the percentage of rsync, git, tqdm, cmake and some dozens
//! more in what they draw, and is silent where numbers are something else.
//!
//! A number is progress by how it moves. The text before it, without what moves with it, is its *shape*. Each shape is
//! a meter of its own, and is believed only after a few records of which at least one rose and hardly any fell. Plain
//! lines need more evidence, and binary data is not read. The first shape has the bar of the task. One that follows it
//! takes the bar over: a phase. One that goes on beside it is a part.
//!
//! The end of the child is not known here, and 100 is never said: a full meter is [`SHOWN`] percent. Whether a meter
//! has stopped moving is for the sinks to see, which have a clock.

mod candidates;
mod label;
mod plain;

use std::borrow::Cow;
use std::time::Instant;

use candidates::{Kind, Value};
use plain::Plain;

pub(super) use candidates::{sign, word};

use super::record::Record;
use super::{Each, Format, SHOWN};
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
/// Most shapes remembered. Programs that have more print figures in running text.
const SHAPES: usize = 64;
/// A fall by more points is counted against a shape.
const DIP: f64 = 5.0;
/// A shape is forgiven one fall in this many records.
const FORGIVEN: u64 = 6;
/// From here on, in percent, a meter is full.
const FULL: f64 = 99.5;
/// A record with so many pieces that are not UTF-8 is no text. A file name in another encoding has fewer.
const FOREIGN: usize = 4;

/// Reads the meters of one stream.
#[derive(Debug, Default)]
pub(super) struct Meter {
    shapes: Vec<Shape>,
    /// The number of the shape that has the bar of the task.
    task: Option<u64>,
    said_message: bool,
    said_unit: bool,
    /// How many values were read. Also numbers the shapes.
    count: u64,
    /// When the bytes came that are being read.
    now: Option<Instant>,
    /// Whether the stream is binary data.
    binary: bool,
}

/// One meter.
#[derive(Debug)]
struct Shape {
    number: u64,
    id: String,
    redrawn: bool,
    plain: Plain,
    records: u64,
    rises: u64,
    falls: u64,
    last: f64,
    /// Index of the value at which the current rise began, and of the last one that moved.
    began: u64,
    moved: u64,
    is_part: bool,
}

impl Meter {
    /// The records that are read from now on came at this time.
    pub(super) fn at(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Reads a record.
    pub(super) fn read(&mut self, record: Record<'_>, each: Each<'_>) {
        if self.binary || !candidates::worth(record.text) {
            return;
        }
        self.binary = is_binary(record.text);
        if self.binary || is_table(record.text) || is_data(record.text) {
            return;
        }
        let mut end = 0;
        for value in candidates::values(record.text) {
            let before = &record.text[end..value.start];
            let after = &record.text[value.end..];
            end = value.end;
            self.value(record, value, before, after, each);
        }
    }

    fn value(
        &mut self,
        record: Record<'_>,
        value: Value,
        before: &[u8],
        after: &[u8],
        each: Each<'_>,
    ) {
        self.count += 1;
        let index = self.find(record.redrawn, value.kind, before);
        let shape = &mut self.shapes[index];
        let previous = shape.moved;
        if !record.again {
            shape.take_in(value.percentage, self.count);
            if let Some(now) = self.now.filter(|_| !record.redrawn) {
                shape.plain.take_in(&value, record.text, now);
            }
        }
        let ends = record.redrawn && record.stays && shape.is_full();
        if !shape.is_evident() || record.again && !(ends && shape.is_part) {
            return;
        }
        let begins = self.assign(index, previous);
        let shape = &self.shapes[index];
        let has_task = self.task == Some(shape.number);
        let label = label::label(before, after);
        let mut report = progress(value);
        if has_task {
            // The message of the last phase is over, also if this phase has none.
            if !label.is_empty() || begins && self.said_message {
                report.message = Some(Cow::Borrowed(&label));
            }
            if begins && self.said_unit && report.unit.is_none() {
                report.unit = Some(Cow::Borrowed(""));
            }
            self.said_message |= !label.is_empty();
            self.said_unit |= report.unit.is_some();
            each(FORMAT.name, &report);
        }
        if shape.is_part {
            report.message = None;
            report.unit = report.unit.filter(|unit| !unit.is_empty());
            report.id = Some(Cow::Borrowed(&shape.id));
            report.title = (!label.is_empty()).then_some(Cow::Borrowed(&label));
            report.status = ends.then_some(Status::Ok);
            each(FORMAT.name, &report);
        }
    }

    /// Decides what the shape that has just moved is: the meter of the task, or a part. Gives whether it has just
    /// become that of the task.
    fn assign(&mut self, index: usize, previous: u64) -> bool {
        let (number, began, is_part) = {
            let shape = &self.shapes[index];
            (shape.number, shape.began, shape.is_part)
        };
        if self.task == Some(number) {
            return false;
        }
        let mut holders = self.shapes.iter_mut();
        let holder = holders.find(|shape| Some(shape.number) == self.task);
        // A full meter has nothing more to say of the task.
        if let Some(holder) = holder.filter(|holder| !holder.is_full()) {
            // Each of the two went on between two records of the other.
            let beside = began <= previous && holder.moved > previous;
            // The outer one of two nested meters began first.
            if beside && began < holder.began {
                holder.is_part = true;
            } else if beside || is_part {
                self.shapes[index].is_part = true;
                return false;
            }
        }
        self.task = Some(number);
        true
    }

    /// The index of a shape. A new shape is added.
    fn find(&mut self, redrawn: bool, kind: Kind, before: &[u8]) -> usize {
        let sign = match kind {
            Kind::Percentage => '%',
            Kind::Count => '/',
            Kind::Bytes => 'B',
        };
        let words = label::shape(before, redrawn);
        let is_it = |shape: &Shape| {
            let id = shape.id.strip_prefix(sign);
            shape.redrawn == redrawn && id.and_then(|id| id.strip_prefix(' ')) == Some(&*words)
        };
        if let Some(index) = self.shapes.iter().position(is_it) {
            return index;
        }
        if self.shapes.len() == SHAPES {
            let oldest = (0..SHAPES).min_by_key(|index| self.shapes[*index].moved);
            self.shapes.swap_remove(oldest.unwrap_or_default());
        }
        self.shapes.push(Shape {
            number: self.count,
            id: format!("{sign} {words}"),
            redrawn,
            plain: Plain::Nothing,
            records: 0,
            rises: 0,
            falls: 0,
            last: 0.0,
            began: self.count,
            moved: 0,
            is_part: false,
        });
        self.shapes.len() - 1
    }
}

impl Shape {
    fn take_in(&mut self, percentage: f64, now: u64) {
        if self.records > 0 {
            self.rises += u64::from(percentage > self.last);
            let fell = percentage < self.last - DIP;
            self.falls += u64::from(fell);
            if fell && self.is_full() {
                self.began = now;
            }
        }
        self.records += 1;
        self.last = percentage;
        self.moved = now;
    }

    fn is_full(&self) -> bool {
        self.last >= FULL
    }

    fn is_evident(&self) -> bool {
        // A rise takes two records.
        let moves = if self.redrawn {
            self.rises > 0
        } else {
            self.plain.is_believed()
        };
        moves && self.falls * FORGIVEN <= self.records
    }
}

fn is_table(text: &[u8]) -> bool {
    let characters = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    characters > LONGEST || memchr::memchr_iter(b'%', text).count() >= TABLE
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

fn progress(value: Value) -> Progress<'static> {
    let mut report = Progress::default();
    match value.amount {
        Some((done, total)) => {
            report.total = Some(total);
            report.unit = (value.kind == Kind::Bytes).then_some(Cow::Borrowed("bytes"));
            if value.percentage <= SHOWN {
                report.progress = Some(done);
            } else {
                report.percentage = Some(SHOWN);
            }
        }
        None => report.percentage = Some(value.percentage.min(SHOWN)),
    }
    report
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Reads lines, each redrawn over the last.
    fn redrawn(records: &[&str]) -> Vec<String> {
        read(true, records)
    }

    fn read(redrawn: bool, records: &[&str]) -> Vec<String> {
        paced(redrawn, records, 50)
    }

    /// So many milliseconds pass from one to the next.
    fn paced(redrawn: bool, records: &[&str], pace: u64) -> Vec<String> {
        let mut meter = Meter::default();
        let mut seen = Vec::new();
        let mut now = Instant::now();
        for text in records {
            now += Duration::from_millis(pace);
            meter.at(now);
            let stays = !redrawn || text.ends_with('\n');
            let record = Record {
                text: text.trim_end().as_bytes(),
                redrawn,
                stays,
                again: false,
            };
            meter.read(record, &mut |_, progress| seen.push(progress.to_json()));
        }
        seen
    }

    #[test]
    fn a_meter_is_believed_when_it_has_risen() {
        assert_eq!(redrawn(&["0%", "0%", "1%"]), [r#"{"percentage":1}"#]);
        assert_eq!(redrawn(&["5%", "4%", "3%"]), [""; 0]);
    }

    #[test]
    fn of_plain_lines_one_more_is_needed_and_two_where_the_number_is_in_no_usual_place() {
        for (needed, lines) in [
            (3, ["[41/90] a", "[42/90] b", "[43/90] c", "[44/90] d"]),
            (
                3,
                [
                    "a.py .. [ 41%]",
                    "b.py .. [ 42%]",
                    "c.py . [ 43%]",
                    "d.py . [ 44%]",
                ],
            ),
            (
                3,
                [
                    "Sum: 4/9 MB (44%)",
                    "Sum: 5/9 MB (56%)",
                    "Sum: 6/9 MB (67%)",
                    "Sum: 7/9 MB (78%)",
                ],
            ),
            (3, ["1/4 one", "2/4 two", "3/4 three", "4/4 four"]),
            (3, ["  5% a", "  6% b", "  7% c", "  8% d"]),
            (
                4,
                ["page 1 of 4", "page 2 of 4", "page 3 of 4", "page 4 of 4"],
            ),
            (4, ["at 5%", "at 6%", "at 7%", "at 8%"]),
        ] {
            assert_eq!(read(false, &lines[..needed - 1]), [""; 0], "{lines:?}");
            assert_eq!(read(false, &lines[..needed]).len(), 1, "{lines:?}");
        }
    }

    #[test]
    fn plain_lines_that_come_at_once_are_a_table() {
        let lines = [
            "[1/9] a", "[2/9] b", "[3/9] c", "[4/9] d", "[5/9] e", "[6/9] f",
        ];
        assert_eq!(paced(false, &lines, 0), [""; 0]);
        assert_eq!(paced(false, &lines, 49).len(), 2, "every second one counts");
        assert_eq!(paced(true, &lines, 0).len(), 5);
    }

    #[test]
    fn plain_lines_with_numbers_that_begin_high_or_fall_or_are_of_another_total_are_no_meter() {
        for lines in [
            ["at 45%", "at 46%", "at 47%", "at 48%", "at 49%", "at 50%"],
            ["at 3%", "at 2%", "at 5%", "at 7%", "at 6%", "at 9%"],
            ["at 1/7", "at 2/8", "at 3/9", "at 4/7", "at 5/8", "at 6/9"],
            [
                "[1/7] a", "[2/8] b", "[3/9] c", "[4/7] d", "[5/8] e", "[6/9] f",
            ],
        ] {
            assert_eq!(read(false, &lines), [""; 0]);
        }
    }

    #[test]
    fn what_is_no_text_has_no_meters_any_more() {
        let reports = |first: &[u8]| {
            let (mut meter, mut reports) = (Meter::default(), 0);
            for text in [first, b"a: 10%", b"a: 20%", b"a: 30%"] {
                let record = Record {
                    text,
                    redrawn: true,
                    stays: false,
                    again: false,
                };
                meter.read(record, &mut |_, _| reports += 1);
            }
            reports
        };
        assert_eq!(reports(b"\0 5%"), 0);
        assert_eq!(reports(b"\xff\xfe\xff\xfe 5%"), 0);
        assert_eq!(reports(b"\xfc\xdf.mp3: 5%"), 2, "a name in Latin-1");
    }

    #[test]
    fn a_dip_is_followed_and_what_jumps_about_is_not_believed() {
        let dip = redrawn(&["80%", "86%", "84%"]);
        assert_eq!(dip, [r#"{"percentage":86}"#, r#"{"percentage":84}"#]);
        let jumping = redrawn(&["50%", "10%", "60%", "20%", "70%", "5%"]);
        assert_eq!(jumping, [""; 0]);
    }

    #[test]
    fn a_full_meter_is_not_shown_as_100() {
        let expected = [r#"{"percentage":50}"#, r#"{"percentage":99.9}"#];
        assert_eq!(redrawn(&["0%", "50%", "100%"]), expected);
        let expected = [r#"{"total":2000,"percentage":99.9}"#];
        assert_eq!(redrawn(&["0/2000", "1999/2000"]), expected);
    }

    #[test]
    fn a_phase_takes_the_bar_over_from_the_last_one() {
        let records = [
            "Counting: 50% (1/2)",
            "Counting: 100% (2/2)",
            "Receiving: 10% (10 MiB/100 MiB)",
            "Receiving: 20% (20 MiB/100 MiB)",
            "5%",
            "6%",
        ];
        let expected = [
            r#"{"total":2,"percentage":99.9,"message":"Counting"}"#,
            r#"{"progress":20971520,"total":104857600,"unit":"bytes","message":"Receiving"}"#,
            r#"{"percentage":6,"unit":"","message":""}"#,
        ];
        assert_eq!(redrawn(&records), expected);
    }

    #[test]
    fn the_inner_one_of_two_nested_meters_is_a_part_and_ends_with_its_line() {
        let records = [
            "epochs: 0/4",
            "batch: 0/9",
            "batch: 5/9",
            "epochs: 1/4",
            "batch: 6/9",
            "batch: 7/9",
            "batch: 9/9\n",
            "epochs: 2/4",
            "batch: 0/9",
        ];
        let expected = [
            r#"{"progress":5,"total":9,"message":"batch"}"#,
            r#"{"progress":1,"total":4,"message":"epochs"}"#,
            r#"{"progress":6,"total":9,"id":"/ batch","title":"batch"}"#,
            r#"{"progress":7,"total":9,"id":"/ batch","title":"batch"}"#,
            r#"{"total":9,"percentage":99.9,"id":"/ batch","title":"batch","status":"ok"}"#,
            r#"{"progress":2,"total":4,"message":"epochs"}"#,
            r#"{"progress":0,"total":9,"id":"/ batch","title":"batch"}"#,
        ];
        assert_eq!(redrawn(&records), expected);
    }

    #[test]
    fn of_two_meters_side_by_side_the_other_takes_the_bar_over_when_the_first_is_full() {
        let records = [
            "one: 0%",
            "two: 0%",
            "one: 50%",
            "two: 5%",
            "one: 100%",
            "two: 9%",
        ];
        let expected = [
            r#"{"percentage":50,"message":"one"}"#,
            r#"{"percentage":5,"id":"% two","title":"two"}"#,
            r#"{"percentage":99.9,"message":"one"}"#,
            r#"{"percentage":9,"message":"two"}"#,
            r#"{"percentage":9,"id":"% two","title":"two"}"#,
        ];
        assert_eq!(redrawn(&records), expected);
    }

    #[test]
    fn tables_data_and_long_lines_are_no_meters() {
        let long = format!("{}%", " ".repeat(500));
        for records in [
            ["1% 2% 3%", "2% 3% 4%", "3% 4% 5%"],
            [r#"{"a":"1%"}"#, r#"{"a":"2%"}"#, r#"{"a":"3%"}"#],
            [
                &format!("1{long}"),
                &format!("2{long}"),
                &format!("3{long}"),
            ],
        ] {
            assert_eq!(redrawn(&records), [""; 0]);
        }
    }

    #[test]
    fn so_many_shapes_are_remembered_and_no_more() {
        let mut meter = Meter::default();
        for number in 0..10_000_u32 {
            let name: String = number
                .to_string()
                .bytes()
                .map(|digit| char::from(digit + 50))
                .collect();
            let text = format!("{name}: 5%");
            let record = Record {
                text: text.as_bytes(),
                redrawn: true,
                stays: false,
                again: false,
            };
            meter.read(record, &mut |_, progress| panic!("{progress:?}"));
        }
        assert_eq!(meter.shapes.len(), SHAPES);
    }
}
