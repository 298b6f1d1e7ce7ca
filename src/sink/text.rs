//! Text for terminals and logs: foreign text made safe and cut to columns, amounts and times made readable.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthChar;

use crate::dialect::FILES;
use crate::event::{Ending, FinalState, Reason, Summary, signal_name};
use crate::model::parts::Part;
use crate::protocol::Progress;

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
            // The rest of what is ignorable by default: the grapheme joiner, and fillers of Hangul, Khmer, Mongolian, shorthand
            // and music. Some terminals draw them, in one column or two.
            | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
    )
}

/// How many columns `text` takes at most. Terminals do not agree on what they draw as one character: a bar that is thought
/// wider than it is stands a little too far left, but one that is thought narrower breaks its line, and each frame leaves a row.
/// So characters are counted one by one, as by a terminal that knows no ligatures and joins nothing.
#[must_use]
pub(super) fn columns(text: &str) -> usize {
    widths(text).map(|(_, width)| width).sum()
}

/// The characters with the columns that each adds.
fn widths(text: &str) -> impl Iterator<Item = (char, usize)> {
    let mut before = 0;
    text.chars().map(move |character| {
        let width = match character {
            // Asks for an emoji, which is wide.
            '\u{fe0f}' => 2_usize.saturating_sub(before),
            // Half a flag, and signs that span what follows them.
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

/// `text`, cut to so many columns; an ellipsis stands for what was cut.
#[must_use]
pub(super) fn fit(text: &str, at_most: usize) -> Cow<'_, str> {
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

/// The same in ASCII, for a terminal whose character set is not UTF-8: there each byte of another character would be drawn,
/// as something.
pub(super) fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for (character, width) in widths(text) {
        match character {
            '\0'..='\x7f' => plain.push(character),
            '…' => plain.push('~'),
            '━' => plain.push('='),
            '╸' => plain.push('>'),
            // Of the spinner, as its other three.
            '─' | '⣯' | '⣻' => plain.push('-'),
            '⣾' | '⡿' => plain.push('|'),
            '⣷' | '⢿' => plain.push('/'),
            '⣟' | '⣽' => plain.push('\\'),
            _ => plain.extend(std::iter::repeat_n('?', width)),
        }
    }
    Cow::Owned(plain)
}

/// A line of JSON, fit for a terminal: what could do harm there is written as `\\uXXXX`, which means the same.
pub(super) fn escape_json(line: &str) -> Cow<'_, str> {
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

/// How much of how much: `3/10`, `1.5/4.0 MiB`, `7 files`; empty where there is no amount.
#[must_use]
pub(super) fn amount(known: &Progress<'_>) -> String {
    let Some(done) = known.progress else {
        return String::new();
    };
    let unit = known.unit.as_deref().unwrap_or("");
    match (unit, known.total) {
        ("bytes", Some(total)) => format!("{}/{}", bytes(done), bytes(total)),
        ("bytes", None) => bytes(done),
        (unit, total) => {
            let mut text = number(done);
            if let Some(total) = total {
                text.push('/');
                text.push_str(&number(total));
            }
            if !unit.is_empty() {
                text.push(' ');
                text.push_str(&fit(&escape(unit), 12));
            }
            text
        }
    }
}

/// So much in a second: `3.2/s`, `1.5 MiB/s`.
#[must_use]
pub(super) fn rate(known: &Progress<'_>, per_second: f64) -> String {
    if known.unit.as_deref() == Some("bytes") {
        return format!("{}/s", bytes(per_second));
    }
    if per_second >= 100.0 {
        format!("{}/s", number(per_second.round()))
    } else if per_second >= 1.0 {
        format!("{per_second:.1}/s")
    } else {
        format!("{per_second:.2}/s")
    }
}

/// `300 B`, `1.5 MiB`.
#[must_use]
pub(super) fn bytes(count: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = count;
    let mut unit = 0;
    // Rounded first, or 1,048,575 bytes would be 1024.0 KiB.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{value:.0} B"),
        _ if value < 1e6 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.1e} {}", UNITS[unit]),
    }
}

fn number(value: f64) -> String {
    if value >= 1e15 {
        format!("{value:.2e}")
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// How far a part is, as a percentage; one that is only estimated is marked.
#[must_use]
pub(super) fn share(part: &Part) -> Option<String> {
    let mark = if part.source == Some(FILES) { "~" } else { "" };
    let percent = percent(part.fraction()?);
    Some(format!("{mark}{percent}"))
}

/// A percentage as a person reads it: 100 only when all is done.
fn percent(fraction: f64) -> String {
    format!("{:.0}%", (fraction * 100.0).floor())
}

/// How much time is left, as it is shown. A second that has begun counts: while there is something to do it is not 0.
pub(super) fn eta(left: Duration) -> String {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    format!("ETA {}", clock(Duration::from_secs(whole)))
}

/// `3s`, `1m05s`, `2h03m`, `4d05h`: what a bar shows.
#[must_use]
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes == 0 {
        format!("{seconds}s")
    } else if hours == 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if days == 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

/// `0.35s`, `12.3s`, `1m05s`: how long something took.
#[must_use]
pub(super) fn took(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 9.995 {
        format!("{seconds:.2}s")
    } else if seconds < 59.95 {
        format!("{seconds:.1}s")
    } else {
        clock(time)
    }
}

/// How a run ended, in a few words.
#[must_use]
pub(super) fn outcome(summary: &Summary, elapsed: Duration) -> String {
    let time = took(elapsed);
    let status = match summary.exit.map(|exit| exit.ending) {
        Some(Ending::Status(status)) => format!("exit status {status}"),
        Some(Ending::Signal(signal)) => signal_name(signal),
        None => String::new(),
    };
    match (summary.state, summary.reason) {
        (FinalState::Completed, _) => format!("completed in {time}"),
        (FinalState::Failed, _) => match summary.exit.map(|exit| exit.ending) {
            Some(Ending::Signal(_)) => format!("killed by {status} after {time}"),
            _ => format!("failed with {status} after {time}"),
        },
        (FinalState::Cancelled, reason) => {
            let what = match reason {
                Some(Reason::Timeout) => "timed out",
                _ => "cancelled",
            };
            match summary.exit.map(|exit| exit.ending) {
                // What a polite stop looks like.
                None | Some(Ending::Signal(libc::SIGPIPE)) => format!("{what} after {time}"),
                // It may have stopped early, or missed the request: only its author knows.
                Some(Ending::Status(0)) => {
                    format!("{what} after {time} (although it exited with status 0)")
                }
                Some(_) => format!("{what} after {time} ({status})"),
            }
        }
    }
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

    #[test]
    fn amounts_read_as_people_write_them() {
        let known = |progress, total, unit: Option<&'static str>| Progress {
            progress: Some(progress),
            total,
            unit: unit.map(Cow::Borrowed),
            ..Progress::default()
        };
        assert_eq!(amount(&known(3.0, Some(10.0), None)), "3/10");
        assert_eq!(amount(&known(3.5, None, Some("files"))), "3.5 files");
        assert_eq!(
            amount(&known(1_572_864.0, Some(4_194_304.0), Some("bytes"))),
            "1.5 MiB/4.0 MiB"
        );
        assert_eq!(amount(&known(1e300, None, None)), "1.00e300");
        assert_eq!(amount(&Progress::default()), "");
        assert_eq!(rate(&known(1.0, None, None), 0.125), "0.12/s");
        assert_eq!(rate(&known(1.0, None, None), 12.34), "12.3/s");
        assert_eq!(rate(&known(1.0, None, None), 1234.4), "1234/s");
        assert_eq!(rate(&known(1.0, None, Some("bytes")), 2048.0), "2.0 KiB/s");
    }

    #[test]
    fn bytes_change_their_unit_where_rounding_would_say_1024() {
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1024.0), "1.0 KiB");
        assert_eq!(bytes(1_048_575.0), "1.0 MiB");
        assert_eq!(bytes(f64::MAX), "1.6e293 PiB");
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(0.999), "99%");
        assert_eq!(percent(1.0), "100%");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(clock(seconds(59.9)), "59s");
        assert_eq!(clock(seconds(65.0)), "1m05s");
        assert_eq!(clock(seconds(7380.0)), "2h03m");
        assert_eq!(clock(seconds(363_600.0)), "4d05h");
        assert_eq!(eta(seconds(0.2)), "ETA 1s");
        assert_eq!(eta(seconds(65.0)), "ETA 1m05s");
        assert_eq!(took(seconds(0.354)), "0.35s");
        assert_eq!(took(seconds(9.999)), "10.0s");
        assert_eq!(took(seconds(65.0)), "1m05s");
    }

    #[test]
    fn an_outcome_says_how_it_ended_and_how_long_it_took() {
        let exit = |ending| {
            Some(crate::event::Exit {
                ending,
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            })
        };
        let summary = |state, reason, ending: Option<Ending>| Summary {
            state,
            reason,
            exit: ending.and_then(exit),
            error: None,
            reports: 0,
            malformed: 0,
        };
        let say = |summary: Summary| outcome(&summary, Duration::from_secs(2));
        let status = |status| Some(Ending::Status(status));
        assert_eq!(
            say(summary(FinalState::Completed, None, status(0))),
            "completed in 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Failed, None, status(7))),
            "failed with exit status 7 after 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Failed, None, Some(Ending::Signal(11)))),
            "killed by SIGSEGV after 2.00s"
        );
        let interrupt = Some(Reason::Interrupt);
        assert_eq!(
            say(summary(
                FinalState::Cancelled,
                interrupt,
                Some(Ending::Signal(13))
            )),
            "cancelled after 2.00s"
        );
        assert_eq!(
            say(summary(FinalState::Cancelled, Some(Reason::Timeout), None)),
            "timed out after 2.00s"
        );
    }
}
