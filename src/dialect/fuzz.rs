//! Properties of the dialects for any output of any program, for `fuzz/` and the tests.
#![expect(
    clippy::unwrap_used,
    reason = "a property that does not hold is a panic"
)]
#![cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "only the targets in fuzz/ reach it")
)]

use std::time::{Duration, Instant};

use super::selection::Selection;
use super::{Dialects, Place, formats};
use crate::model::batch::VerbatimLine;
use crate::model::verdict::{Verdict, Verdicts};
use crate::protocol::{Progress, read_object};

/// The dialects say the same wherever the output is cut, the numbers that they say are in their ranges, and silences
/// anywhere break nothing. The first three bytes say which formats are read, where, and where the output is cut.
///
/// # Panics
///
/// If it does not hold.
pub fn dialects(data: &[u8]) {
    let Some((&[first, second, third], bytes)) = data.split_first_chunk() else {
        return;
    };
    let names: Vec<_> = formats().map(|format| format.name).collect();
    let selection = if first < 150 {
        Selection::Auto
    } else {
        Selection::Only(vec![names[usize::from(first) % names.len()]])
    };
    let places = [Place::Stdout, Place::Stderr, Place::Channel, Place::Stdout];
    let place = places[usize::from(second >> 6)];
    let whole = said(&selection, place, &[bytes]);
    let pieces: Vec<_> = bytes.chunks(1 + usize::from(second & 7)).collect();
    assert_eq!(said(&selection, place, &pieces), whole);
    let cut = (usize::from(third) * 257 + usize::from(second)) % bytes.len().max(1);
    let (head, tail) = bytes.split_at(cut);
    assert_eq!(said(&selection, place, &[head, tail]), whole);

    let mut dialects = Dialects::new(selection, true);
    let mut now = Instant::now();
    for piece in bytes.chunks(1 + usize::from(third)) {
        dialects.feed(place, piece, now);
        now += Duration::from_millis(60);
        dialects.settle(now);
    }
    dialects.finish(place, now);
    dialects.take().parts.iter().for_each(check);
}

/// The messages on the descriptor of `ZIG_PROGRESS` may hold anything, and be cut anywhere: the numbers that are said
/// are in their ranges. The first byte says where the messages are cut.
///
/// # Panics
///
/// If it does not hold.
pub fn zig(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    // Of the messages in one read only the newest counts, so that those that are cut may say more.
    said(&Selection::Auto, Place::Zig, &[bytes]);
    let pieces: Vec<_> = bytes.chunks(1 + usize::from(*first)).collect();
    said(&Selection::Auto, Place::Zig, &pieces);
}

/// What was said, with its format, and what the lines for machines mean.
fn said(
    selection: &Selection,
    place: Place,
    pieces: &[&[u8]],
) -> (Option<&'static str>, Vec<String>, Vec<Verdict>) {
    let now = Instant::now();
    let mut dialects = Dialects::new(selection.clone(), true);
    // The worker asks with what it has read first, which is a whole line unless the child writes parts of one.
    if place == Place::Channel && !dialects.claims_channel(&pieces.concat()) {
        return (None, Vec::new(), Vec::new());
    }
    let (mut all, mut start) = (Verdicts::default(), 0);
    for piece in pieces {
        let verdicts = dialects.feed(place, piece, now);
        for line in &verdicts.lines {
            assert_eq!(piece[line.end - 1], b'\n', "{line:?}");
        }
        let mut ends = verdicts.lines.iter().map(|line| line.end);
        assert!(ends.by_ref().is_sorted());
        all.append(start, &verdicts);
        start += piece.len();
    }
    dialects.finish(place, now);
    let reports = dialects.take();
    reports.parts.iter().for_each(check);
    let info = |line| match line {
        VerbatimLine::Info(info) => {
            check(&read_object(info).unwrap());
            info.to_owned()
        }
        VerbatimLine::Malformed(line) => panic!("{line:?}"),
    };
    let said = reports.verbatim.iter().map(info).collect();
    (reports.source, said, all.lines)
}

fn check(report: &Progress<'_>) {
    let numbers = [report.progress, report.total, report.percentage, report.eta];
    for number in numbers.into_iter().flatten() {
        assert!((0.0..=f64::MAX).contains(&number), "{report:?}");
    }
    assert!(
        report
            .percentage
            .is_none_or(|percentage| percentage <= 100.0)
    );
    assert!(report.total.is_none_or(|total| total > 0.0), "{report:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_dialects_say_the_same_wherever_the_output_is_cut(
            header: [u8; 3],
            text in super::super::line_properties::text(),
            output in super::super::properties::output(),
        ) {
            dialects(&[&header, text.as_bytes()].concat());
            dialects(&[&header, &output[..]].concat());
        }

        #[test]
        fn messages_of_zig_may_hold_anything(bytes in vec(any::<u8>(), 0..300)) {
            zig(&bytes);
        }
    }
}
