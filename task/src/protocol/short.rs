//! The short forms: what shell scripts already write for dialog, whiptail, zenity and yad, and plain words.
//!
//! | line | meaning |
//! |---|---|
//! | `42`, `42.5`, `42%` | percent |
//! | `42% copying a.jpg` | percent, with a message |
//! | `3/10`, `3/10 copying a.jpg` | 3 of 10, with a message. `3/0` is 3 of an unknown total |
//! | `12MiB/400MiB`, `12/400MiB` | the same in bytes: B, powers of 1000 (kB or KB to PB), powers of 1024 (KiB to PiB) |
//! | `3 / 10`, `3 of 10`, `50 %` | the same with blanks, as people write it, also with a message |
//! | `# copying a.jpg` | a message |
//! | `a:42`, `a:42%`, `a:#copying` | part `a` |
//! | anything else | a message |
//!
//! A line that is only a percentage, or begins with an amount, is malformed if that is out of its range. In prose a
//! percentage is prose ("200% faster"), and so is what only begins like an amount: `3 of a kind`, `28 / 11 / 2026`.
//!
//! The name of a part is a letter followed by letters, digits, `_` and `-`, or a whole number; the colon and the value
//! follow without a blank and fill the line. So these stay messages: `note: 5 files`, `http://x`, `main.c:42`,
//! `port:8080`. If the name is a number and there is no `%`, the name must be a single digit, and the value must not
//! begin with 0 unless it is 0: yad writes `1:42`, but `12:30` and `1:05` are times. `12:30%` is part 12.

#![expect(
    clippy::inline_always,
    reason = "measured: a report is 192 bytes, and would be copied at every return"
)]

use std::borrow::Cow;

use super::{BAD_PERCENTAGE, BAD_PROGRESS, BAD_TOTAL, Malformed, Progress, count};

/// Reads a line that is no object, is not blank, and has no blanks around it.
#[inline(always)]
pub(super) fn parse(text: &str) -> Result<Progress<'_>, Malformed> {
    if let Some(text) = text.strip_prefix('#') {
        return Ok(message(text));
    }
    if let Some((value, rest)) = number(text) {
        if let Some(progress) = percent(value, rest)? {
            return Ok(progress);
        }
        if let Some(progress) = amount(value, rest)? {
            return Ok(progress);
        }
        if let Some(progress) = spaced(value, rest)? {
            return Ok(progress);
        }
    }
    Ok(part(text).unwrap_or_else(|| message(text)))
}

/// A dialog block: a percent on the first line, then text. A first line that is no percent is text as well.
pub(super) fn block<'a>(lines: impl Iterator<Item = &'a str>) -> Progress<'static> {
    let mut progress = Progress::default();
    let mut words = Vec::new();
    for (index, line) in lines.enumerate() {
        match number(line) {
            Some((value, "" | "%")) if index == 0 && is_percent(value) => {
                progress.percentage = Some(value);
            }
            _ if line.is_empty() => {}
            _ => words.push(line),
        }
    }
    if !words.is_empty() {
        progress.message = Some(Cow::Owned(words.join(" ")));
    }
    progress
}

#[inline(always)]
fn message(text: &str) -> Progress<'_> {
    Progress {
        message: Some(Cow::Borrowed(text.trim_ascii())),
        ..Progress::default()
    }
}

#[inline(always)]
fn percent(value: f64, rest: &str) -> Result<Option<Progress<'_>>, Malformed> {
    match rest.strip_prefix('%').unwrap_or(rest) {
        "" if is_percent(value) => Ok(Some(Progress {
            percentage: Some(value),
            ..Progress::default()
        })),
        "" => Err(Malformed::field(BAD_PERCENTAGE)),
        text if text.len() < rest.len() && text.starts_with([' ', '\t']) && is_percent(value) => {
            Ok(Some(Progress {
                percentage: Some(value),
                ..message(text)
            }))
        }
        _ => Ok(None),
    }
}

#[inline(always)]
fn amount(progress: f64, rest: &str) -> Result<Option<Progress<'_>>, Malformed> {
    let (progress_unit, rest) = unit(rest);
    match rest.strip_prefix('/').and_then(number) {
        Some((total, rest)) => of_total(progress, progress_unit, total, rest),
        None => Ok(None),
    }
}

/// Reads what follows a number if there are blanks around the sign or the word that comes next.
#[cold]
fn spaced(value: f64, rest: &str) -> Result<Option<Progress<'_>>, Malformed> {
    let blanks = [' ', '\t'];
    let (progress_unit, rest) = unit(rest);
    let sign = rest.trim_start_matches(blanks);
    if progress_unit.is_none() && sign.starts_with('%') {
        return percent(value, sign);
    }
    let total = match sign.strip_prefix("of") {
        Some(total) if sign.len() < rest.len() && total.starts_with(blanks) => total,
        Some(_) => return Ok(None),
        None => match sign.strip_prefix('/') {
            Some(total) => total,
            None => return Ok(None),
        },
    };
    let Some((total, rest)) = number(total.trim_start_matches(blanks)) else {
        return Ok(None);
    };
    // A date.
    if rest.trim_start_matches(blanks).starts_with('/') {
        return Ok(None);
    }
    of_total(value, progress_unit, total, rest)
}

/// An amount of a total, and what follows the number of that.
#[inline(always)]
fn of_total(
    progress: f64,
    progress_unit: Option<f64>,
    total: f64,
    rest: &str,
) -> Result<Option<Progress<'_>>, Malformed> {
    let (total_unit, text) = unit(rest);
    let factors = match (progress_unit, total_unit) {
        (None, None) => None,
        (progress_unit, Some(total_unit)) => {
            Some((progress_unit.unwrap_or(total_unit), total_unit))
        }
        (Some(_), None) => return Ok(None),
    };
    if !(text.is_empty() || text.starts_with([' ', '\t'])) {
        return Ok(None);
    }
    // Half bytes come from decimals such as 1.3MiB only.
    let (progress, total) = match factors {
        Some((of_progress, of_total)) => {
            ((progress * of_progress).round(), (total * of_total).round())
        }
        None => (progress, total),
    };
    let amounts = 0.0..=f64::MAX;
    if !amounts.contains(&progress) {
        return Err(Malformed::field(BAD_PROGRESS));
    }
    if !amounts.contains(&total) {
        return Err(Malformed::field(BAD_TOTAL));
    }
    Ok(Some(Progress {
        progress: Some(progress),
        total: Some(total).filter(|total| *total > 0.0),
        unit: factors.map(|_| Cow::Borrowed("bytes")),
        message: if text.is_empty() {
            None
        } else {
            message(text).message
        },
        ..Progress::default()
    }))
}

fn part(text: &str) -> Option<Progress<'_>> {
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'))?;
    let (id, rest) = text.split_at(end);
    let value = rest.strip_prefix(':')?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    if id.is_empty() || !(is_number || id.starts_with(|first: char| first.is_ascii_alphabetic())) {
        return None;
    }
    let mut progress = if let Some(text) = value.strip_prefix('#') {
        message(text)
    } else {
        let (percentage, rest) = number(value)?;
        let is_time = is_number && (id.len() > 1 || value.len() > 1 && value.starts_with('0'));
        if !is_percent(percentage) || !(rest == "%" || rest.is_empty() && !is_time) {
            return None;
        }
        Progress {
            percentage: Some(percentage),
            ..Progress::default()
        }
    };
    progress.id = Some(Cow::Borrowed(id));
    Some(progress)
}

fn is_percent(value: f64) -> bool {
    (0.0..=100.0).contains(&value)
}

/// A decimal number at the beginning of the text, and what follows it. No exponents: `1e5` is a word.
#[inline(always)]
fn number(text: &str) -> Option<(f64, &str)> {
    if let Some((value, digits)) = count(text.as_bytes())
        && text.as_bytes().get(digits) != Some(&b'.')
    {
        return Some((value, &text[digits..]));
    }
    let digits = |from: usize| {
        let rest = text.as_bytes()[from..].iter();
        from + rest.take_while(|byte| byte.is_ascii_digit()).count()
    };
    let begin = usize::from(text.starts_with('-'));
    let mut end = digits(begin);
    if end == begin {
        return None;
    }
    if text[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A number with a unit of bytes, which is the whole text. Half bytes come from decimals only.
pub(super) fn bytes(text: &str) -> Option<f64> {
    let (number, rest) = number(text)?;
    match unit(rest) {
        (Some(factor), "") => Some((number * factor).round()),
        _ => None,
    }
}

/// How many bytes the unit at the beginning of the text is, and what follows it.
#[inline(always)]
fn unit(text: &str) -> (Option<f64>, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let factor = match &text[..end] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "PB" => 1e15,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        "PiB" => 1_125_899_906_842_624.0,
        _ => return (None, text),
    };
    (Some(factor), &text[end..])
}
