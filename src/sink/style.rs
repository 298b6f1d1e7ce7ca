//! Which colors and attributes are on (SGR): what a terminal remembers of the sequences that end with `m`.
//!
//! Of those that exclude each other the last is kept, so what is kept is short whatever a command writes. Refuses to know
//! where it is on.

use std::sync::Arc;

/// The sequence that switches on what is on; empty if nothing is.
pub(super) type Style = Arc<[u8]>;

/// Switches it all off.
pub(super) const OFF: &[u8] = b"\x1b[0m";
/// No color takes more; what does is left out.
const LONGEST: usize = 32;

/// What is on after a sequence with these parameters, where `style` was.
pub(super) fn restyle(style: &Style, parameters: &[u8]) -> Style {
    if matches!(parameters, b"" | b"0") {
        return Style::default();
    }
    let before = style.get(2..style.len().max(3) - 1).unwrap_or(b"0");
    // Each with the number that ends it.
    let mut on: Vec<(u16, Vec<u8>)> = Vec::new();
    for given in [before, parameters] {
        let mut rest = given.split(|byte| *byte == b';');
        while let Some(word) = rest.next() {
            let number = number(word);
            let mut word = word.to_vec();
            if matches!(word[..], [b'3' | b'4' | b'5', b'8']) {
                // A color of a table, or red, green and blue.
                let kind = rest.next().unwrap_or(b"");
                let many = if kind == b"2" { 3 } else { 1 };
                for part in [kind].into_iter().chain(rest.by_ref().take(many)) {
                    word.push(b';');
                    word.extend_from_slice(part);
                }
            }
            match end(number) {
                _ if number == 0 => on.clear(),
                None => on.retain(|(end, _)| *end != number),
                // Bold and faint can be on together.
                Some(end) => on.retain(|(known, as_written)| {
                    *known != end || end == 22 && *as_written != word
                }),
            }
            if let Some(end) = end(number)
                && word != b"4:0"
                && word.len() <= LONGEST
            {
                on.push((end, word));
            }
        }
    }
    if on.is_empty() {
        return Style::default();
    }
    let words: Vec<_> = on.into_iter().map(|(_, word)| word).collect();
    [b"\x1b[", &words.join(&b';')[..], b"m"].concat().into()
}

/// The number that a word begins with: 0 if it is missing, and one without a meaning if it is none.
fn number(word: &[u8]) -> u16 {
    let digits = word.split(|byte| *byte == b':').next().unwrap_or(word);
    if digits.is_empty() {
        return 0;
    }
    let digits = std::str::from_utf8(digits).ok();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u16::MAX)
}

/// Which number switches off what this one switches on; none if it switches nothing on.
fn end(number: u16) -> Option<u16> {
    Some(match number {
        1 | 2 => 22,
        3 | 20 => 23,
        4 | 21 => 24,
        5 | 6 => 25,
        7..=9 => number + 20,
        11..=19 => 10,
        30..=38 | 90..=97 => 39,
        40..=48 | 100..=107 => 49,
        51 | 52 => 54,
        53 => 55,
        58 => 59,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequences: &[&str]) -> String {
        let style = sequences
            .iter()
            .fold(Style::default(), |style, parameters| {
                restyle(&style, parameters.as_bytes())
            });
        String::from_utf8(style.to_vec()).unwrap()
    }

    #[test]
    fn what_is_on_is_what_was_not_switched_off_or_replaced() {
        assert_eq!(after(&["1;31"]), "\x1b[1;31m");
        assert_eq!(after(&["1", "31", "2", "92", "44"]), "\x1b[1;2;92;44m");
        assert_eq!(
            after(&["38;5;200", "48;2;1;2;3", "4"]),
            "\x1b[38;5;200;48;2;1;2;3;4m"
        );
        assert_eq!(after(&["38:2::1:2:3;4:3", "7;39"]), "\x1b[4:3;7m");
        assert_eq!(after(&["31", "0;32"]), "\x1b[32m");
        assert_eq!(after(&["31", "?4"]), "\x1b[31m");
    }

    #[test]
    fn what_is_switched_off_leaves_nothing() {
        for (on, off) in [
            ("31", ""),
            ("1;31", "0"),
            ("31;44", ";"),
            ("1;2", "22"),
            ("96;103", "39;49"),
            ("38;5;0", "39"),
            ("4", "4:0"),
            ("", ""),
            ("?4;x", "999"),
        ] {
            assert_eq!(after(&[on, off]), "", "{on} {off}");
        }
    }

    #[test]
    fn it_stays_short_whatever_is_written() {
        let mut style = Style::default();
        for number in 0..2000 {
            let color = format!(
                "{};48;2;{number};{number};{number};38:{}",
                number % 110,
                "1".repeat(number)
            );
            style = restyle(&style, color.as_bytes());
            assert!(style.len() < 256, "{style:?}");
        }
    }
}
