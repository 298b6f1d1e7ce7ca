//! What holds for any bytes that a child writes to its pseudo-terminal, for `fuzz/` and the tests.
#![cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "only the targets in fuzz/ reach it")
)]

use std::time::Duration;

use super::requests::{RequestScanner, TerminalRequest, question_at_end};
use super::transcript::Transcript;

/// The scanner finds the same requests wherever the bytes are cut, and each place that it gives is within its piece.
/// The first byte says where the others are cut.
///
/// # Panics
///
/// If it does not hold.
pub fn requests(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let pieces: Vec<_> = bytes.chunks(1 + usize::from(first & 15)).collect();
    assert_eq!(found(&pieces), found(&[bytes]));
}

/// The text of a stream is the same wherever the bytes are cut. It has no control character but newlines and tabs, is
/// the bytes themselves if they have none either, and little of it is kept back. The first two bytes say where the
/// others are cut, and how large the terminal is.
///
/// # Panics
///
/// If it does not hold.
pub fn transcript(data: &[u8]) {
    let Some((&[cut, size], bytes)) = data.split_first_chunk() else {
        return;
    };
    let columns = (size & 1 == 0).then_some(usize::from(size >> 1));
    let text = |piece: usize| {
        let mut transcript = Transcript::new(columns, usize::from(size >> 3));
        let mut text = Vec::new();
        let mut give = |_, bytes: &[u8]| text.extend_from_slice(bytes);
        for bytes in bytes.chunks(piece) {
            transcript.write(bytes, Duration::ZERO, &mut give);
        }
        assert!(transcript.kept() < 8 << 20, "{}", transcript.kept());
        transcript.finish(Duration::ZERO, &mut give);
        text
    };
    let whole = text(bytes.len().max(1));
    let has_control = |bytes: &[u8]| {
        let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t');
        bytes.iter().any(is_control)
    };
    assert!(
        !has_control(&whole),
        "{:?}",
        String::from_utf8_lossy(&whole)
    );
    assert!(has_control(bytes) || whole == bytes);
    assert!(text(1 + usize::from(cut & 15)) == whole);
}

/// What was requested, whether the child has the whole screen at the end, and whether it will say when it leaves.
fn found(pieces: &[&[u8]]) -> (Vec<String>, bool, bool) {
    let mut scanner = RequestScanner::default();
    let mut requests = Vec::new();
    for piece in pieces {
        for request in scanner.scan(piece) {
            requests.push(match request {
                TerminalRequest::Take(at) => {
                    assert!(at <= piece.len());
                    "Take".to_owned()
                }
                other => format!("{other:?}"),
            });
        }
        let question = question_at_end(piece);
        assert!(question.is_none_or(|at| at < piece.len()));
    }
    (requests, scanner.has_screen(), scanner.will_leave())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            vec(any::<u8>(), 0..4),
            prop::sample::select(vec![
                "\x1b[6n",
                "\x1b[c",
                "\x1b[5n",
                "\x1b[?1049h",
                "\x1b[?1049l",
                "\x1b[2J",
                "\x1b[H",
                "\x1b[J",
                "\x1b[9;9H",
                "\x1b7",
                "\x1b8",
                "\x1b[s",
                "\x1b[u",
                "\x1b[?2004h",
                "\x1b[?2004l",
                "\x1b]11;?\x07",
                "\x1b]0;",
                "\x07",
                "\x1b\\",
                "\x1bP",
                "\u{9b}",
                "\u{26d4}",
                "6n",
                "a",
                "\x1b[",
                ";",
            ])
            .prop_map(|token| token.as_bytes().to_vec()),
        ];
        vec(token, 0..30).prop_map(|tokens| tokens.concat())
    }

    #[test]
    fn what_was_once_found_otherwise_when_it_was_cut_is_found_the_same() {
        for input in crate::regressions("requests") {
            requests(&input);
        }
    }

    fn drawn() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            vec(any::<u8>(), 0..4),
            (any::<u8>(), 0..3000usize).prop_map(|(byte, many)| vec![byte; many]),
            prop::sample::select(vec![
                "text",
                "\u{65e5}",
                "e\u{301}",
                "\u{c2}",
                "\t",
                "\n",
                "\r",
                "\r\n",
                "\x08",
                "\x0c",
                "\x1b[A",
                "\x1b[9A",
                "\x1b[B",
                "\x1b[7B",
                "\x1b[C",
                "\x1b[300C",
                "\x1b[D",
                "\x1b[K",
                "\x1b[1K",
                "\x1b[2K",
                "\x1b[J",
                "\x1b[1J",
                "\x1b[2J",
                "\x1b[H",
                "\x1b[9;9H",
                "\x1b[5d",
                "\x1b[40G",
                "\x1b[P",
                "\x1b[999P",
                "\x1b[@",
                "\x1b[9999@",
                "\x1b[3X",
                "\x1b7",
                "\x1b8",
                "\x1bM",
                "\x1bE",
                "\x1bc",
                "\x1b[?25l",
                "\x1b[?25h",
                "\x1b[?1049h",
                "\x1b[?1049l",
                "\x1b[31m",
                "\x1b]0;title\x07",
                "\x1b",
                "\x1b[",
                "\u{9b}K",
                "\x1b]",
            ])
            .prop_map(|token| token.as_bytes().to_vec()),
        ];
        vec(token, 0..40).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_listener_hears_the_same_wherever_the_bytes_are_cut(first: u8, bytes in bytes()) {
            requests(&[&[first], &bytes[..]].concat());
        }

        #[test]
        fn the_text_of_a_stream_is_the_same_wherever_it_is_cut(cut: u8, size: u8, bytes in drawn()) {
            transcript(&[&[cut, size], &bytes[..]].concat());
        }

        #[test]
        fn text_without_control_characters_is_kept_byte_for_byte(
            cut: u8,
            size: u8,
            bytes in vec(prop_oneof![Just(b'\n'), Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..3000),
        ) {
            transcript(&[&[cut, size], &bytes[..]].concat());
        }
    }
}
