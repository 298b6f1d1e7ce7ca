//! Makes foreign text safe: the text of a child moves no cursor, hides nothing, and takes no more columns than it was
//! cut to. Knows neither events nor parts.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// Text from a child, fit for a terminal: control characters, escape sequences and characters that reorder or hide
/// others are made visible, line ends and tabs become spaces.
#[must_use]
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' | '\t' => safe.push(' '),
            // Part of a line end, or of a redrawn line.
            '\r' => {}
            '\0'..='\x1f' => {
                safe.push('^');
                safe.push(char::from(character as u8 + b'@'));
            }
            '\x7f' => safe.push_str("^?"),
            _ if is_unsafe(character) => {
                let _ = write!(safe, "<U+{:04X}>", u32::from(character));
            }
            _ => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator: invisible.
            | '\u{ad}' | '\u{61c}' | '\u{180e}'
            // Zero-width characters and marks, line and paragraph separators, bidirectional overrides and isolates.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotation, tags.
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
            // The other default ignorable characters (Unicode): the grapheme joiner, and fillers of Hangul, Khmer,
            // Mongolian, shorthand and music. Some terminals draw them, in one column or two.
            | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
    )
}

/// The most columns that any terminal draws `text` in. Terminals do not agree on which characters join into one, so
/// characters are counted one by one, as a terminal without ligatures draws them. A line that is counted too wide
/// stands a little too far left; one that is counted too narrow breaks, and each frame leaves a row.
#[must_use]
pub(crate) fn columns(text: &str) -> usize {
    widths(text).map(|(_, width)| width).sum()
}

/// The characters with the columns that each adds.
fn widths(text: &str) -> impl Iterator<Item = (char, usize)> {
    let mut before = 0;
    text.chars().map(move |character| {
        let width = match character {
            // Variation selector 16 makes the character before it an emoji, which is wide.
            '\u{fe0f}' => 2_usize.saturating_sub(before),
            // Regional indicators, two of which make a flag; then signs that span the digits after them.
            '\u{1f1e6}'..='\u{1f1ff}' => 2,
            '\u{600}'..='\u{605}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{110bd}'
            | '\u{110cd}' => 1,
            _ => character.width().unwrap_or(0),
        };
        before = if width > 0 { width } else { before };
        (character, width)
    })
}

/// `text`, cut to this many columns; an ellipsis stands for what was cut.
#[must_use]
pub(crate) fn fit(text: &str, at_most: usize) -> Cow<'_, str> {
    if columns(text) <= at_most {
        return Cow::Borrowed(text);
    }
    let Some(room) = at_most.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut used = 0;
    let mut cut = String::new();
    for (character, width) in widths(text) {
        used += width;
        if used > room {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    Cow::Owned(cut)
}

/// `text` in ASCII, for a terminal whose character set is not UTF-8: it would draw each byte of another character as
/// some character of its own.
pub(crate) fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for (character, width) in widths(text) {
        match character {
            '\0'..='\x7f' => plain.push(character),
            '…' => plain.push('~'),
            // The blank of Braille, in a row that is empty.
            '\u{2800}' => plain.push(' '),
            '━' => plain.push('='),
            '╸' => plain.push('>'),
            // Here and below: the eight characters of the spinner become the four of a spinner in ASCII.
            '─' | '⣯' | '⣻' => plain.push('-'),
            '⣾' | '⡿' => plain.push('|'),
            '⣷' | '⢿' => plain.push('/'),
            '⣟' | '⣽' => plain.push('\\'),
            _ => plain.extend(std::iter::repeat_n('?', width)),
        }
    }
    Cow::Owned(plain)
}

/// A line of JSON, fit for a terminal: a character that could do harm there is written as `\uXXXX`, which means the
/// same.
pub(crate) fn escape_json(line: &str) -> Cow<'_, str> {
    let is_harmful = |character: char| character != '\n' && is_unsafe(character);
    if !line.chars().any(is_harmful) {
        return Cow::Borrowed(line);
    }
    let mut safe = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if is_harmful(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_escape_sequences_and_bidirectional_overrides_are_made_visible() {
        assert_eq!(escape("\x1b[31mred\x07"), "^[[31mred^G");
        assert_eq!(
            escape("a\u{202e}b\u{200b}c\u{9b}d"),
            "a<U+202E>b<U+200B>c<U+009B>d"
        );
        assert_eq!(escape("nul \0 del \x7f"), "nul ^@ del ^?");
        assert_eq!(escape("two\r\nlines\tand a tab"), "two lines and a tab");
        assert!(matches!(escape("größe 日本 🎉"), Cow::Borrowed(_)));
    }

    #[test]
    fn no_text_is_thought_narrower_than_a_terminal_may_draw_it() {
        for (text, width) in [
            ("لا", 2),
            ("\u{70f}a\u{8e2}b", 4),
            ("❤\u{fe0f}", 2),
            ("1\u{fe0f}\u{20e3}", 2),
            ("日\u{fe0f}", 2),
            ("🇩🇪", 4),
            ("👍🏽", 4),
            ("e\u{301}", 1),
        ] {
            assert_eq!(columns(text), width, "{text}");
            assert_eq!(fit(text, width), text);
            let cut = fit(text, width - 1);
            assert!(columns(&cut) < width, "{cut}");
        }
        assert_eq!(columns(&fit(&"❤\u{fe0f}".repeat(3), 4)), 4);
        assert_eq!(
            escape("a\u{3164}\u{ffa0}\u{115f}"),
            "a<U+3164><U+FFA0><U+115F>"
        );
        assert_eq!(escape("👨\u{200d}👩"), "👨<U+200D>👩");
    }

    #[test]
    fn a_terminal_that_is_not_utf_8_gets_ascii() {
        assert_eq!(ascii("job ━╸─ 50% größe 日本…"), "job =>- 50% gr??e ????~");
    }

    #[test]
    fn json_for_a_terminal_means_the_same_and_does_nothing_there() {
        let line = "{\"text\":\"a\u{9b}31m\u{202e}b\u{7f}\u{e0041}é\"}\n";
        let safe = escape_json(line);
        assert_eq!(
            safe,
            "{\"text\":\"a\\u009b31m\\u202eb\\u007f\\udb40\\udc41é\"}\n"
        );
        let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert_eq!(parse(&safe), parse(line));
    }

    #[test]
    fn text_is_cut_to_columns_and_not_to_characters() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(
            fit("e\u{301}e\u{301}e\u{301}", 3),
            "e\u{301}e\u{301}e\u{301}"
        );
        assert_eq!(fit("abc", 0), "");
    }
}
