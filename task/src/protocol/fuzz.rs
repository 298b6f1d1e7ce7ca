//! Properties that hold for any bytes on the channel. The targets in `fuzz/` search for bytes that break them, and the
//! tests below try generated ones.
#![expect(
    clippy::unwrap_used,
    reason = "a property that does not hold is a panic"
)]

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::decoder::{Content, Decoder, Line};
use super::{LINE_LIMIT, Progress, read_object};

/// What the decoder says of a line, free of the bytes it came from.
type Said = (u64, Vec<u8>, Result<Option<Progress<'static>>, String>);

/// The decoder says the same wherever the bytes are cut, gives only numbers in their ranges, and what it calls an
/// object is one for other readers of JSON as well. The first two bytes say where the others are cut.
///
/// # Panics
///
/// If it does not hold.
pub fn decoder(data: &[u8]) {
    let Some((&[first, second], bytes)) = data.split_first_chunk() else {
        return;
    };
    let whole = read(&[bytes]);
    assert!(whole.iter().all(|(_, text, _)| text.len() <= LINE_LIMIT));
    let pieces: Vec<_> = bytes.chunks(1 + usize::from(first) % 9).collect();
    assert_eq!(read(&pieces), whole);
    let cut = (usize::from(second) * 257 + usize::from(first)) % bytes.len().max(1);
    let (head, tail) = bytes.split_at(cut);
    assert_eq!(read(&[head, tail]), whole);
}

fn read(pieces: &[&[u8]]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut decoder = Decoder::new();
    for piece in pieces {
        decoder.feed(piece, &mut |line| said.push(checked(line)));
    }
    decoder.finish(&mut |line| said.push(checked(line)));
    said
}

fn checked(line: Line<'_>) -> Said {
    let content = match line.content {
        Content::Empty => Ok(None),
        Content::Object(progress) => {
            check(&progress);
            let text = std::str::from_utf8(line.text).unwrap();
            is_object(text).unwrap();
            Ok(Some(progress.into_owned()))
        }
        Content::Short(progress) => {
            check(&progress);
            assert_eq!(read_object(&progress.to_json()).as_ref(), Ok(&progress));
            Ok(Some(progress.into_owned()))
        }
        Content::Malformed(malformed) => Err(malformed.to_string()),
    };
    (line.number, line.text.to_vec(), content)
}

fn check(progress: &Progress<'_>) {
    let Progress {
        progress: done,
        total,
        percentage,
        eta,
        ..
    } = progress;
    let numbers = [done, total, percentage, eta].into_iter().flatten();
    for number in numbers {
        assert!((0.0..=f64::MAX).contains(number), "{progress:?}");
    }
    assert!(percentage.is_none_or(|percentage| percentage <= 100.0));
    assert!(total.is_none_or(|total| total > 0.0));
    let fraction = progress.fraction();
    assert!(fraction.is_none_or(|fraction| (0.0..=1.0).contains(&fraction)));
    let mut merged = Progress::default();
    merged.merge(progress);
    merged.merge(progress);
    assert_eq!(&merged, progress);
}

/// Our reader of objects agrees with `serde_json`: both take a text for an object or neither does, but for fields that
/// are not what their name promises; and the fields have the same values.
///
/// # Panics
///
/// If it does not hold.
pub fn object(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // `serde_json` has no value for numbers beyond those of a float, and for 128 levels; but it can skip them.
    let theirs = serde_json::from_str::<Map<String, Value>>(text);
    match (read_object(text), theirs) {
        (Ok(ours), theirs) => {
            is_object(text).unwrap_or_else(|error| panic!("{error}, but {ours:?}: {text:?}"));
            if let Ok(theirs) = theirs {
                agree(text, &ours, &theirs);
            }
            assert_eq!(read_object(&ours.to_json()), Ok(ours));
        }
        // A field may be there twice, and wrong once; `serde_json` keeps the last.
        (Err(malformed), Ok(theirs)) => {
            let is_wrong = theirs.iter().any(|(name, value)| !is_field(name, value));
            let sentence = malformed.to_string();
            let is_field = sentence.contains("must be");
            assert!(
                is_field && (is_wrong || has_doubles(text)),
                "{sentence}: {text:?}"
            );
        }
        (Err(_), Err(_)) => {}
    }
}

fn is_object(text: &str) -> serde_json::Result<()> {
    // The object is only skipped: `serde_json` may have no value for a part of it.
    serde_json::from_str::<IgnoredAny>(text).map(drop)
}

/// The fields that are numbers: name, other name, and maximum.
const NUMBERS: [(&str, &str, f64); 4] = [
    ("progress", "current", f64::MAX),
    ("total", "total", f64::MAX),
    ("percentage", "percent", 100.0),
    ("eta", "eta", f64::MAX),
];
const TEXTS: [&str; 3] = ["unit", "message", "title"];
const NAMES: [&str; 2] = ["id", "parent"];
const STATUS: &str = "status";

/// Whether the field is what its name promises.
fn is_field(name: &str, value: &Value) -> bool {
    let most = NUMBERS
        .iter()
        .find(|(one, other, _)| [*one, *other].contains(&name));
    if let Some((.., most)) = most {
        let in_range = |number: f64| (0.0..=*most).contains(&number);
        return value.is_null() || value.as_f64().is_some_and(in_range);
    }
    if TEXTS.contains(&name) {
        return value.is_null() || value.is_string();
    }
    if NAMES.contains(&name) {
        return value.is_null() || value.is_string() || value.is_number();
    }
    let statuses = ["ok", "failed", "skipped", "cancelled"];
    name != STATUS || value.is_null() || value.as_str().is_some_and(|word| statuses.contains(&word))
}

/// Whether a known field may be there twice: then the last one counts, whichever name it has.
fn has_doubles(text: &str) -> bool {
    let names = NUMBERS.iter().flat_map(|(one, other, _)| [*one, *other]);
    let mut names = names.chain(TEXTS).chain(NAMES).chain([STATUS]);
    let both = |(one, other, _): &(&str, &str, f64)| {
        one != other && text.contains(one) && text.contains(other)
    };
    text.contains("\\u")
        || NUMBERS.iter().any(both)
        || names.any(|name| text.matches(name).count() > 1)
}

fn agree(text: &str, ours: &Progress<'_>, theirs: &Map<String, Value>) {
    if has_doubles(text) {
        return;
    }
    let amounts = [ours.progress, ours.total, ours.percentage, ours.eta];
    for ((one, other, _), amount) in NUMBERS.iter().zip(amounts) {
        let value = theirs.get(*one).or_else(|| theirs.get(*other));
        let mut value = value.and_then(Value::as_f64);
        if *one == "total" {
            value = value.filter(|total| *total > 0.0);
        }
        let (ours, theirs) = (amount.unwrap_or(-1.0), value.unwrap_or(-1.0));
        // serde_json reads some decimals inexactly.
        let is_close = (ours - theirs).abs() <= 1e-12 * ours.abs().max(theirs.abs());
        assert!(is_close, "{one} of {text:?}");
    }
    let texts = [&ours.unit, &ours.message, &ours.title];
    for (name, ours) in TEXTS.iter().zip(texts) {
        let value = theirs.get(*name).and_then(Value::as_str);
        assert_eq!(ours.as_ref().map(Cow::as_ref), value, "{name} of {text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            vec(any::<u8>(), 0..6),
            prop::sample::select(vec![
                "\n",
                "\r",
                "\r\n",
                "XXX\n",
                "{",
                "}",
                "[",
                "]",
                ":",
                ",",
                "\"",
                "\\",
                "\"progress\":",
                "\"total\":",
                "\"percent\":",
                "\"id\":",
                "\"status\":\"ok\"",
                "\"message\":",
                "\"x\":",
                "1e999",
                "-1",
                "42",
                "3/10",
                "%",
                "#",
                "a:",
                "0.1",
                "null",
                "é",
                "[[[[[[[[",
                "12MiB/400MiB",
                " of ",
                " / ",
                " ",
            ])
            .prop_map(|token| token.as_bytes().to_vec()),
        ];
        vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_decoder_says_the_same_wherever_the_bytes_are_cut(bytes in bytes()) {
            decoder(&bytes);
        }

        #[test]
        fn objects_are_what_another_reader_takes_for_objects(bytes in bytes()) {
            object(&bytes);
            object(&[b"{\"x\":", &bytes[..], b"}"].concat());
        }
    }
}
