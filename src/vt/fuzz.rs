//! What holds for any bytes that a child writes to its pseudo-terminal, for `fuzz/` and the tests.

use super::requests::{RequestScanner, TerminalRequest, question_at_end};

/// The scanner finds the same requests wherever the bytes are cut, and each place that it gives is within its piece.
/// The first byte says where the others are cut.
///
/// # Panics
///
/// If it does not hold.
pub(crate) fn requests(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let pieces: Vec<_> = bytes.chunks(1 + usize::from(first & 15)).collect();
    assert_eq!(found(&pieces), found(&[bytes]));
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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_listener_hears_the_same_wherever_the_bytes_are_cut(first: u8, bytes in bytes()) {
            requests(&[&[first], &bytes[..]].concat());
        }
    }
}
