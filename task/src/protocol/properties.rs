//! Properties that hold for any bytes, cut anywhere.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::decoder::{Content, Decoder, Line};
use super::object;
use super::{Malformed, Progress, Status, read_object};

/// What the decoder says of a line, free of the bytes it came from.
type Said = (u64, Vec<u8>, Result<Option<Progress<'static>>, Malformed>);

fn own(line: Line<'_>) -> Said {
    let content = match line.content {
        Content::Empty => Ok(None),
        Content::Object(progress) | Content::Short(progress) => Ok(Some(progress.into_owned())),
        Content::Malformed(malformed) => Err(malformed),
    };
    (line.number, line.text.to_vec(), content)
}

fn read(limit: usize, pieces: &[&[u8]]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut decoder = Decoder::with_limit(limit);
    for piece in pieces {
        decoder.feed(piece, &mut |line| said.push(own(line)));
        assert!(decoder.held() <= limit);
    }
    decoder.finish(&mut |line| said.push(own(line)));
    assert_eq!(decoder.held(), 0);
    said
}

/// The lines of bytes without dialog blocks, the plain way.
fn reference(limit: usize, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n');
    (1..)
        .zip(lines)
        .map(|(number, line)| {
            let line = if line.len() > limit {
                &line[..limit.min(256)]
            } else {
                line.strip_suffix(b"\r").unwrap_or(line)
            };
            let unmarked = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| number == 1);
            (number, unmarked.unwrap_or(line).to_vec())
        })
        .collect()
}

/// Bytes that are close to reports: random ones alone would hardly ever be an object or a block.
fn channel() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            &b"\n"[..],
            b"\n",
            b"\n",
            b"\r\n",
            b"XXX\n",
            b"\nXXX\n",
            b"XXX",
            b"{\"progress\":3}",
            b"{",
            b"}",
            b"\"",
            b":",
            b"42",
            b"%",
            b"3/10",
            b" of ",
            b" ",
            b"a:",
            b"#",
            b"\xC3\xA9",
            b"\xEF\xBB\xBF",
            b"text",
            b"a line that is longer than some",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn text() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    option::of(any::<String>().prop_map(Cow::Owned))
}

fn amount() -> impl Strategy<Value = Option<f64>> {
    option::of(prop_oneof![
        (0_u32..1000).prop_map(f64::from),
        any::<f64>()
            .prop_map(f64::abs)
            .prop_filter("finite", |value| value.is_finite()),
    ])
}

fn progress() -> impl Strategy<Value = Progress<'static>> {
    let statuses = vec![
        Status::Ok,
        Status::Failed,
        Status::Skipped,
        Status::Cancelled,
    ];
    (
        (amount(), amount(), option::of(0.0..=100.0), amount()),
        (text(), text(), text(), text(), text()),
        option::of(prop::sample::select(statuses)),
    )
        .prop_map(|(numbers, texts, status)| Progress {
            progress: numbers.0,
            total: numbers.1.filter(|total| *total > 0.0),
            percentage: numbers.2,
            eta: numbers.3,
            unit: texts.0,
            message: texts.1,
            id: texts.2,
            parent: texts.3,
            title: texts.4,
            status,
        })
}

/// Text that is JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\\"",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud800",
        "0",
        "1",
        "-",
        ".",
        "e",
        "E+",
        "1.5",
        "-0",
        "1e9",
        "null",
        "true",
        "false",
        " ",
        "\t",
        "\u{1}",
        "é",
        "\"x\"",
        "\"x\":",
        "\"y\":[",
        "{\"z\":",
        "[1,",
        "1,\"a\":",
    ]);
    let tokens = vec(token, 0..12).prop_map(|tokens| tokens.concat());
    prop_oneof![
        tokens.clone(),
        tokens
            .clone()
            .prop_map(|value| format!("{{\"x\":{value}}}")),
        tokens.prop_map(|text| format!("{{\"x\":\"{text}\"}}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn numbers_are_written_as_serde_json_writes_them(amount in prop_oneof![any::<f64>(), 0.0..1e18, 0.0..1e-3]) {
        let amount = amount.abs();
        prop_assume!(amount.is_finite());
        let is_whole = amount.fract() == 0.0 && amount <= 9_007_199_254_740_992.0;
        let number = if is_whole { format!("{amount:.0}") } else { serde_json::to_string(&amount).unwrap() };
        let report = Progress { eta: Some(amount), ..Progress::default() };
        let json = report.to_json();
        let read = read_object(&json).unwrap();
        prop_assert_eq!(read.eta, Some(amount));
        // Of two decimals that are equally near, either may be written.
        let shape = |text: &str| text.replace(|digit: char| digit.is_ascii_digit(), "0");
        prop_assert_eq!(shape(&json), shape(&format!("{{\"eta\":{number}}}")));
    }

    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(
        bytes in channel(),
        cuts in vec(any::<prop::sample::Index>(), 0..10),
        limit in prop_oneof![3_usize..40, Just(1000)],
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(0);
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let whole = read(limit, &[&bytes]);
        prop_assert_eq!(&read(limit, &pieces), &whole);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&read(limit, &single), &whole);
    }

    #[test]
    fn no_line_is_lost_or_doubled(bytes in channel(), limit in prop_oneof![3_usize..40, Just(1000)]) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'X').collect();
        let said: Vec<_> = read(limit, &[&bytes]).into_iter().map(|said| (said.0, said.1)).collect();
        let expected = if bytes.is_empty() { Vec::new() } else { reference(limit, &bytes) };
        prop_assert_eq!(said, expected);
    }

    #[test]
    fn the_lines_of_dialog_blocks_are_not_lost_either(bytes in channel()) {
        let mut next = 1;
        for (number, text, _) in read(1_000_000, &[&bytes]) {
            prop_assert_eq!(number, next);
            next += text.split(|byte| *byte == b'\n').count() as u64;
        }
        let unended = !bytes.is_empty() && !bytes.ends_with(b"\n");
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        prop_assert_eq!(next, lines + u64::from(unended));
    }

    #[test]
    fn a_report_written_as_json_is_read_back_the_same(progress in progress()) {
        let json = progress.to_json();
        prop_assert_eq!(object::parse(&json), Ok(progress));
    }

    #[test]
    fn json_is_what_serde_json_takes_for_json(text in nearly_json()) {
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        let ours = object::parse(&text);
        // The grammar allows 1e999, only a float does not hold it.
        let is_out_of_range = |error: &serde_json::Error| error.to_string().contains("out of range");
        prop_assume!(!theirs.as_ref().is_err_and(is_out_of_range));
        prop_assert_eq!(theirs.is_ok(), ours.is_ok(), "{:?} {:?}", theirs, ours);
    }

    #[test]
    fn any_text_is_a_report_or_malformed(text in ".*") {
        let line = text.replace('\n', " ");
        let said = read(1_000_000, &[line.as_bytes()]);
        prop_assert!(said.len() <= 1);
    }

    #[test]
    fn merging_a_report_twice_is_merging_it_once(first in progress(), second in progress()) {
        let mut once = Progress::default();
        once.merge(&first);
        prop_assert_eq!(&once, &first);
        once.merge(&second);
        let mut twice = once.clone();
        twice.merge(&second);
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn every_field_of_the_newer_report_is_kept(first in progress(), second in progress()) {
        let mut merged = first;
        merged.merge(&second);
        let after = merged.clone();
        merged.merge(&Progress::default());
        prop_assert_eq!(&merged, &after);
        let kept = Progress {
            progress: second.progress.or(after.progress),
            total: second.total.or(after.total),
            percentage: second.percentage.or(after.percentage),
            unit: second.unit.or(after.unit),
            message: second.message.or(after.message),
            id: second.id.or(after.id),
            parent: second.parent.or(after.parent),
            title: second.title.or(after.title),
            status: second.status.or(after.status),
            eta: second.eta.or(after.eta),
        };
        prop_assert_eq!(kept, merged);
    }
}
