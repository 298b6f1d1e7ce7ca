//! What a record looks like beside its number: a bar, a rate, a time left. A program that draws these draws a meter.

use std::sync::LazyLock;

use memchr::{memchr_iter, memmem};

/// So many equal characters in brackets, or a run of so many outside them, are a bar.
const LENGTH: usize = 4;
/// A time this many bytes from the word that says that it is left belongs to it.
const BESIDE: usize = 14;

/// A drawn bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Bar {
    #[default]
    Nothing,
    /// A run of equal characters without an end: it may be one of a histogram.
    Run,
    /// It stands between brackets, or is drawn with blocks.
    Framed,
}

/// What stands beside the number in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) bar: Bar,
    /// So much in a second.
    pub(super) rate: bool,
    /// How many bytes.
    pub(super) size: bool,
    /// The time that is left.
    pub(super) time_left: bool,
}

impl Form {
    pub(super) fn of(text: &[u8]) -> Self {
        let is_framed = is_drawn_with_blocks(text) || has_frame(text) || has_groups(text);
        Self {
            bar: match is_framed {
                true => Bar::Framed,
                false if has_run(text) => Bar::Run,
                false => Bar::Nothing,
            },
            rate: has_rate(text),
            size: has_size(text),
            time_left: has_time_left(text),
        }
    }
}

/// Box drawing, blocks and shapes (U+2500 to U+25FF), or Braille (U+2800 to U+28FF) more than once: one is a spinner.
fn is_drawn_with_blocks(text: &[u8]) -> bool {
    let block = |at: &usize| matches!(text.get(at + 1), Some(0x94..=0x97 | 0xa0..=0xa3));
    memchr_iter(0xe2, text)
        .filter(block)
        .nth(LENGTH - 1)
        .is_some()
}

/// `######`, `=====>`
fn has_run(text: &[u8]) -> bool {
    let mut length = 0;
    let mut last = 0;
    text.iter().any(|byte| {
        length = if *byte == last { length + 1 } else { 1 };
        last = *byte;
        match byte {
            b'=' | b'#' => length >= LENGTH,
            // Dots lead to a result as well: `Compiling...... 5%`.
            b'.' => length >= 2 * LENGTH,
            _ => false,
        }
    })
}

/// `[====>    ]`, `|####    |`: a pair of brackets or bars with nothing between but what a bar is drawn with.
fn has_frame(text: &[u8]) -> bool {
    let mut open = None;
    text.iter().enumerate().any(|(at, byte)| {
        let is_end = matches!(byte, b']' | b')' | b'>' | b'|')
            && open.is_some_and(|open: usize| at - open > LENGTH);
        match byte {
            b'[' | b'(' | b'<' | b'|' if !is_end => open = Some(at),
            b'=' | b'#' | b'>' | b'-' | b'.' | b' ' | b'*' | b'o' | b'_' | b'+' | b'~' | b'\\'
            | b'/' | b'C' => {}
            _ if !is_end => open = None,
            _ => {}
        }
        is_end
    })
}

/// `.......... .......... ..........`, of wget.
fn has_groups(text: &[u8]) -> bool {
    let is_group =
        |group: &&[u8]| group.len() >= 2 * LENGTH && group.iter().all(|byte| *byte == b'.');
    memchr::memmem::find(text, b".... ....").is_some()
        && text
            .split(|byte| *byte == b' ')
            .filter(is_group)
            .nth(2)
            .is_some()
}

/// `12.3 MiB`, `4.2 MB`
fn has_size(text: &[u8]) -> bool {
    memchr_iter(b'B', text).any(|at| {
        let letters = text[..at]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let prefix = &text[at - letters..at];
        let is_unit = matches!(
            prefix,
            [b'k' | b'K' | b'M' | b'G' | b'T'] | [b'K' | b'M' | b'G' | b'T', b'i']
        );
        let ends = text
            .get(at + 1)
            .is_none_or(|next| !next.is_ascii_alphanumeric());
        let number = text[..at - letters].trim_ascii_end();
        is_unit && ends && number.last().is_some_and(u8::is_ascii_digit)
    })
}

/// `12.3 MiB/s`, `4.5it/s`, `1.2s/it`, `6.1GB/min`
fn has_rate(text: &[u8]) -> bool {
    memchr_iter(b'/', text).any(|slash| {
        let per: &[u8] = &text[slash + 1..];
        let length = per
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let per_time = matches!(&per[..length], b"s" | b"sec" | b"second" | b"min" | b"it");
        let before = &text[..slash];
        let letters = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let number = before[..before.len() - letters].trim_ascii_end();
        per_time
            && (1..=12).contains(&letters)
            && number
                .last()
                .is_some_and(|last| last.is_ascii_digit() || matches!(last, b'?' | b'-'))
    })
}

static LEFT: LazyLock<[memmem::Finder<'_>; 5]> =
    LazyLock::new(|| ["emain", "left", "ETA", "eta", "to go"].map(memmem::Finder::new));

/// `ETA 0:00:04`, `00:10 remaining`, `3m left`, `[00:02<00:01, 49.18it/s]`
fn has_time_left(text: &[u8]) -> bool {
    let near = |at: usize, length: usize| {
        let from = at.saturating_sub(BESIDE);
        let to = (at + length + BESIDE).min(text.len());
        has_time(&text[from..at]) || has_time(&text[at + length..to])
    };
    let named = LEFT.iter().any(|word| {
        let length = word.needle().len();
        word.find_iter(text).any(|at| {
            let begins = at == 0 || !text[at - 1].is_ascii_lowercase() || word.needle() == b"emain";
            begins && (near(at, length) || is_upper(word.needle()))
        })
    });
    named
        || memchr_iter(b'<', text)
            .any(|at| has_time(&text[at.saturating_sub(5)..at]) && text[at..].len() > 1)
}

fn is_upper(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_uppercase)
}

/// `0:04`, `--:--`, `10m`, `3s`, `2 min`, `40 sec`
fn has_time(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        let digits = text[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'-')
            .count();
        if digits == 0 {
            at += 1;
            continue;
        }
        let rest = &text[at + digits..];
        let is_clock =
            rest.len() > 1 && rest[0] == b':' && (rest[1].is_ascii_digit() || rest[1] == b'-');
        let unit = rest.trim_ascii_start();
        let length = unit
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let is_unit = matches!(
            &unit[..length],
            b"s" | b"sec"
                | b"secs"
                | b"second"
                | b"seconds"
                | b"m"
                | b"min"
                | b"mins"
                | b"minute"
                | b"minutes"
                | b"h"
                | b"hour"
                | b"hours"
                | b"d"
        );
        if is_clock || is_unit {
            return true;
        }
        at += digits;
    }
    false
}
