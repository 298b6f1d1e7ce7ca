//! The properties of any text that is shown, for `fuzz/` and the tests.
#![expect(
    clippy::unwrap_used,
    reason = "a property that does not hold is a panic"
)]
#![cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "only the targets in fuzz/ reach it")
)]

use std::num::NonZeroU16;

#[cfg(fuzzing)]
pub use super::bars::fuzz::{bars, line_buffer};
use super::sanitize::{columns, escape, fit};

/// Foreign text moves no cursor and hides nothing, and takes no more columns of a terminal than it was cut to. The
/// first byte says how many these are.
///
/// # Panics
///
/// If it does not hold.
pub fn text(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let width = 1 + usize::from(*first) % 120;
    let text = String::from_utf8_lossy(bytes);
    let safe = escape(&text);
    for character in safe.chars() {
        let reorders = matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        assert!(!character.is_control() && !reorders, "{character:?}");
    }
    let cut = fit(&safe, width);
    let size = |number| NonZeroU16::new(number).unwrap();
    let mut terminal = vt100::Parser::new(size(3), size(400), 0);
    terminal.process(cut.as_bytes());
    let (row, column) = terminal.screen().cursor_position();
    assert!(
        row == 0 && usize::from(column) <= width,
        "{column} columns, {} by our count, of {width}: {cut:?}",
        columns(&cut)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_once_took_more_columns_than_it_was_cut_to_takes_no_more() {
        for input in crate::regressions("text") {
            text(&input);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn foreign_text_takes_no_more_columns_than_it_was_cut_to(
            width: u8,
            characters in ".{0,60}",
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            text(&[&[width], characters.as_bytes()].concat());
            text(&[&[width], &bytes[..]].concat());
        }
    }
}
