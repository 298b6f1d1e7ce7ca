//! Properties of the reader of a stream, for any output at all, cut anywhere.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::prefixes::Prefix;
use super::stream::Stream;
use super::{Each, Lines};
use crate::protocol::{LINE_LIMIT, Progress};

/// A dialect that reports every line that it is asked about.
#[derive(Debug)]
struct Braces;

impl Lines for Braces {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["{"])
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        let report = Progress {
            message: Some(line.into()),
            ..Progress::default()
        };
        each("braces", &report);
        line.ends_with('}')
    }
}

fn read(pieces: &[&[u8]]) -> Vec<(&'static str, String)> {
    let now = Instant::now();
    let mut seen = Vec::new();
    let mut each = |name: &'static str, progress: &Progress<'_>| {
        let fraction = progress.fraction();
        assert!(
            fraction.is_none_or(|fraction| fraction < 1.0),
            "{progress:?}"
        );
        seen.push((name, progress.to_json()));
    };
    let mut stream = Stream::new(true, true, vec![Box::new(Braces)]);
    for piece in pieces {
        stream.feed(piece, now, &mut each);
        assert!(stream.held() <= LINE_LIMIT);
    }
    stream.finish(&mut each);
    assert_eq!(stream.held(), 0);
    seen
}

/// Output that resembles the formats that we know.
pub(super) fn output() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        1 => vec(any::<u8>(), 0..6),
        1 => (0..=101_u32).prop_map(|number| number.to_string().into_bytes()),
        4 => prop::sample::select(vec![
            &b"\n"[..],
            b"\n",
            b"\r",
            b"\r\n",
            b"\x08",
            b"\x1b[A",
            b"\x1b[K",
            b"\x1b[2K",
            b"\x1b[32m",
            b"\x1b",
            b"\x1b]9;4;1;",
            b"\x1b]",
            b"\x07",
            b"\x1b\\",
            b"%",
            b" %",
            b"/",
            b" / ",
            b" of ",
            b"/100%",
            b" MiB",
            b"=",
            b"(",
            b"10",
            b"20%",
            b"30%\n",
            b"40%\r",
            b"5/10",
            b" 14  400M   14 59.1M    0     0  59.9M      0  0:00:06 --:--:--  0:00:06 59.9M",
            b"{\"a\":1}",
            b"{",
            b"\xC3",
            b"\xA9",
            b"file.txt",
            b" ",
            b"text",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn output_says_the_same_wherever_it_is_cut(bytes in output(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let whole = read(&[&bytes]);
        let single: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &read(&single));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut rest = &bytes[..];
        let mut pieces = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut - (bytes.len() - rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(whole, read(&pieces));
    }

    #[test]
    fn silences_anywhere_break_nothing(pieces in vec(output(), 0..6)) {
        let mut now = Instant::now();
        let mut stream = Stream::new(true, true, vec![Box::new(Braces)]);
        for piece in pieces {
            stream.feed(&piece, now, &mut |_, _| ());
            now += Duration::from_secs(1);
            stream.settle(now, &mut |_, _| ());
            prop_assert_eq!(stream.deadline(), None);
        }
        stream.finish(&mut |_, _| ());
    }
}

#[test]
fn output_without_an_end_of_any_kind_is_bounded() {
    for beginning in [
        "",
        "\r",
        "{",
        "\x1b]0;",
        "\x1b[",
        "\x1b]9;4;1;",
        "\x1bP",
        "1/",
    ] {
        for filling in ["x", "1", "%", ";", "\u{8}", "1/2 ", "{\"a\":"] {
            let mut text = beginning.to_owned();
            while text.len() < 3 * LINE_LIMIT {
                text.push_str(filling);
            }
            let chunks: Vec<_> = text.as_bytes().chunks(7001).collect();
            let seen = read(&chunks);
            assert!(seen.len() < 100, "{beginning:?} {filling:?}");
        }
    }
}
