//! The notations of numbers that may be progress: percentages, and amounts of a total.
//!
//! Looks at one number at a time, and at how it stands in its record. It would rather miss a percentage than take
//! something else for one. Does not know what the numbers of a record say together.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr2_iter, memmem, memrchr2};

use super::words;

/// The notation of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Percentage,
    Count,
    Bytes,
}

/// How a number stands in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stand {
    /// Nothing else is on the line.
    Alone,
    /// Alone in square brackets: `[ 12%]`.
    Brackets,
    /// Alone in parentheses: `(1/8)`.
    Parentheses,
    /// No word comes before it.
    Leads,
    /// A column of a table: right after another number without a word, or with room on both sides.
    Column,
    /// Between words.
    Inside,
}

/// What a number is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// All that its meter is about.
    Own,
    /// A step that has begun, and is over when the next one begins.
    Step,
    /// The item that the count has come to; the item itself is so far, in percent.
    Count(f64),
    /// How far that item is.
    Item,
}

/// What the rest of the record says of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Silent,
    /// The same: the number is there twice, as a percentage and as an amount.
    Agrees,
    /// Another percentage is there.
    Differs,
    /// The notation of the number leaves no doubt.
    Certain,
}

/// A number that may be progress.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) kind: Kind,
    /// From 0 to 100.
    pub(super) percentage: f64,
    /// So much of so much; the total is above 1.
    pub(super) amount: Option<(f64, f64)>,
    /// Where it stands in the record.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) stand: Stand,
    pub(super) role: Role,
    pub(super) rest: Rest,
}

/// Made once: making one costs more than looking through a line.
static OF: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b" of "));
static PERCENT: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"percent"));

/// Where the next sign of a percentage or an amount is. A record without one, and without a [`word`] or a [`percent`],
/// has no value.
pub(in super::super) fn sign(text: &[u8]) -> Option<usize> {
    let mut signs = memchr2_iter(b'%', b'/', text);
    signs.find(|at| text[*at] == b'%' || is_before_amount(text, at + 1))
}

/// Where the next word between the two numbers of an amount is.
pub(in super::super) fn word(text: &[u8]) -> Option<usize> {
    OF.find_iter(text).find(|at| is_before_amount(text, at + 4))
}

/// Where the word is that some programs write for the sign.
pub(in super::super) fn percent(text: &[u8]) -> Option<usize> {
    PERCENT.find(text)
}

/// Whether a number can follow: most slashes are of paths.
fn is_before_amount(text: &[u8], end: usize) -> bool {
    let next = text.get(end);
    next.is_some_and(|next| matches!(next, b' ' | b'~') || next.is_ascii_digit())
}

/// Whether a closer look is worth while. Asked about every line that is printed.
pub(super) fn worth(text: &[u8]) -> bool {
    memchr(b'%', text).is_some() || amount_signs(text).next().is_some() || percent(text).is_some()
}

/// `42%`, `42.5 %`, `42,5 %`, `42.5/100%`, `42 percent`, `|% 42|`
pub(super) fn percentages(text: &[u8]) -> Vec<Value> {
    let signs = memchr_iter(b'%', text);
    let signs =
        signs.filter_map(|at| percentage(text, at, at + 1).or_else(|| percentage_behind(text, at)));
    let words = PERCENT.find_iter(text);
    let words = words.filter_map(|at| percentage(text, at, at + PERCENT.needle().len()));
    let mut found: Vec<_> = signs.chain(words).collect();
    found.sort_unstable_by_key(|value| value.start);
    found
}

fn percentage(text: &[u8], sign: usize, end: usize) -> Option<Value> {
    // `%20` in an address, `100%d` in a format, `5%/s`, `percentile`, `25% {` of a style sheet.
    let after = &text[end..];
    let goes_on = after
        .first()
        .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'/');
    if goes_on || after.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let before = text[..sign].trim_ascii_end();
    if text[before.len()..sign].len() > 1 {
        return None;
    }
    let before = before.strip_suffix(b"/100").unwrap_or(before);
    let (start, percentage) = number_at_end(before)?;
    // After an arrow stands the result: the ratio of zstd.
    let is_result = text[..start].trim_ascii_end().ends_with(b"=>");
    Value::percentage(text, start, end, percentage).filter(|_| !is_result)
}

/// `|% 42|`: the sign comes first.
fn percentage_behind(text: &[u8], sign: usize) -> Option<Value> {
    let opens = text[..sign]
        .last()
        .is_some_and(|last| matches!(last, b'|' | b'['));
    let start = sign + 1 + blanks(&text[sign + 1..]);
    let digits = text[start..]
        .iter()
        .take_while(|byte| is_numeral(**byte))
        .count();
    let closes = matches!(text.get(start + digits), Some(b'|' | b']'));
    let (_, percentage) = number_at_end(&text[..start + digits])?;
    Value::percentage(text, sign, start + digits, percentage).filter(|_| opens && closes)
}

impl Value {
    fn percentage(text: &[u8], start: usize, end: usize, percentage: f64) -> Option<Self> {
        let value = Self {
            kind: Kind::Percentage,
            percentage,
            ..Self::at(text, start, end)
        };
        // `load:   5%|`: tqdm, whatever its loop is called.
        let is_known = || value.stand == Stand::Brackets || text[end..].starts_with(b"|");
        let fits = percentage <= 100.0
            && stands_free(text, start)
            && !is_aside(text, start, end)
            && (is_known() || !words::is_measure(text, start, end));
        fits.then_some(value)
    }

    /// How much there is, of an amount.
    pub(super) fn total(&self) -> Option<f64> {
        self.amount.map(|(_, total)| total)
    }

    pub(super) fn of_scale(text: &[u8], start: usize, percentage: f64) -> Self {
        Self {
            kind: Kind::Percentage,
            percentage,
            ..Self::at(text, start, text.len())
        }
    }

    pub(super) fn at(text: &[u8], start: usize, end: usize) -> Self {
        Self {
            kind: Kind::Count,
            percentage: 0.0,
            amount: None,
            start,
            end,
            stand: stand(text, start, end),
            role: Role::Own,
            rest: Rest::Silent,
        }
    }
}

/// `(9% of plan)`, `(65 ms, 4% of budget)`: a remark, unless it says what is done.
fn is_aside(text: &[u8], start: usize, end: usize) -> bool {
    let last = memrchr2(b'(', b')', &text[..start]);
    let is_open = last.is_some_and(|at| text[at] == b'(');
    let follows = text[end..]
        .strip_prefix(b" ")
        .is_some_and(|after| after.first().is_some_and(u8::is_ascii_alphabetic));
    is_open && follows && !words::follows_done(text, end)
}

fn stand(text: &[u8], start: usize, end: usize) -> Stand {
    let before = text[..start].trim_ascii_end();
    let after = text[end..].trim_ascii_start();
    let says = |text: &[u8]| text.iter().any(u8::is_ascii_alphanumeric);
    match before.last() {
        Some(b'[') if after.starts_with(b"]") => Stand::Brackets,
        Some(b'(') if after.starts_with(b")") => Stand::Parentheses,
        _ if !says(before) && !says(after) => Stand::Alone,
        _ if !says(before) => Stand::Leads,
        Some(last) if last.is_ascii_digit() && before.len() < start => Stand::Column,
        Some(_)
            if text[..start].ends_with(b"  ") && text[end..].starts_with(b"  ") && says(after) =>
        {
            Stand::Column
        }
        _ => Stand::Inside,
    }
}

/// `3/10`, `3 / 10`, `1.5 MiB / 3 MiB`, `1.5/3 MiB`, `3 of 10`
pub(super) fn amounts(text: &[u8]) -> Vec<Value> {
    let mut amounts: Vec<_> = amount_signs(text)
        .filter_map(|(start, end)| amount(text, start, end))
        .collect();
    amounts.sort_unstable_by_key(|amount| amount.start);
    amounts
}

/// The place of a separator between two numbers.
fn amount_signs(text: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let slashes = memchr_iter(b'/', text).map(|at| (at, at + 1));
    let words = OF.find_iter(text).map(|at| (at, at + 4));
    slashes.chain(words).filter(|(start, end)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let tilde = usize::from(text.get(*end) == Some(&b'~'));
        let right = digit(text.get(end + tilde + blanks(&text[*end + tilde..])));
        let left = text[..*start].last();
        right
            && left.is_some_and(|left| matches!(left, b' ' | b')') || left.is_ascii_alphanumeric())
    })
}

/// How many blanks the text begins with, as numbers in columns do.
fn blanks(text: &[u8]) -> usize {
    let blanks = text.iter().take(8).take_while(|byte| **byte == b' ');
    blanks.count()
}

fn amount(text: &[u8], sign_start: usize, sign_end: usize) -> Option<Value> {
    let left = text[..sign_start].trim_ascii_end();
    if text[left.len()..sign_start].len() > 1 {
        return None;
    }
    if left.ends_with(b")") {
        return sum(text, left, sign_end);
    }
    let left = left.strip_suffix(b" out").unwrap_or(left);
    let letters = left
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let (number, word) = left.split_at(left.len() - letters);
    let left_unit = if word.is_empty() {
        None
    } else {
        Some(unit(word)?)
    };
    let number = if left_unit.is_some() {
        number.trim_ascii_end()
    } else {
        number
    };
    let (start, done) = number_at_end(number)?;

    let (total, mut end) = total(text, sign_end)?;
    let blank = usize::from(text.get(end) == Some(&b' '));
    let letters = text[end + blank..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let right_unit = unit(&text[end + blank..end + blank + letters]);
    if right_unit.is_some() {
        end += blank + letters;
    } else if letters > 0 && blank == 0 {
        return None;
    }
    let (left_factor, right_factor) = match (left_unit, right_unit) {
        (None, None) => (1.0, 1.0),
        (left, Some(right)) => (left.unwrap_or(right), right),
        (Some(_), None) => return None,
    };
    let whole = right_unit.is_some() || done.fract() == 0.0 && total.fract() == 0.0;
    let (done, total) = ((done * left_factor).round(), (total * right_factor).round());
    let after = &text[end..];
    // A date, a path, a range; the result of the two numbers; a percentage of a hundred.
    let goes_on = matches!(after.first(), Some(b'/' | b'-' | b'_' | b'%' | b':'))
        && !matches!(after, [b':', b' ', ..] | [b':']);
    let fits = total > 1.0
        && done <= total
        && !goes_on
        && !is_calculated(after)
        && !after_equals(&text[..start]);
    if !fits || !stands_free(text, start) {
        return None;
    }
    let value = Value::at(text, start, end);
    let is_other = || words::is_measure(text, start, end) || words::is_member(text, start, end);
    if value.stand != Stand::Brackets && is_other() {
        return None;
    }
    // Amounts with a prefix of ten have decimals, counts have not.
    let kind = match right_unit {
        Some(_) => Kind::Bytes,
        None if whole => Kind::Count,
        None => return None,
    };
    let role = match kind {
        Kind::Count if words::is_step(text, start, end) => Role::Step,
        _ => Role::Own,
    };
    Some(Value {
        kind,
        percentage: done / total * 100.0,
        amount: Some((done, total)),
        role,
        ..value
    })
}

/// The total of an amount behind its sign, and where it ends.
pub(super) fn total(text: &[u8], sign_end: usize) -> Option<(f64, usize)> {
    let tilde = usize::from(text.get(sign_end) == Some(&b'~'));
    let start = sign_end + tilde + blanks(&text[sign_end + tilde..]);
    let numerals = text[start..].iter().take_while(|byte| is_numeral(**byte));
    let mut end = start + numerals.count();
    // The full stop of a sentence is no part of the number.
    while end > start && !text[end - 1].is_ascii_digit() {
        end -= 1;
    }
    let (_, total) = number_at_end(&text[start..end])?;
    Some((total, end))
}

/// `(3 + 2) / 10`: three are done, two under way. `(47 succeeded + 1 failed) / 119`: 47, and the rest is for
/// [`is_sum`].
fn sum(text: &[u8], left: &[u8], sign_end: usize) -> Option<Value> {
    let start = memchr::memrchr(b'(', left)?;
    let inside = &left[start + 1..];
    let digits = inside.iter().take_while(|byte| is_numeral(**byte)).count();
    let (_, done) = number_at_end(&inside[..digits])?;
    let (total, end) = total(text, sign_end)?;
    let fits = inside.contains(&b'+')
        && total > 1.0
        && done <= total
        && done.fract() + total.fract() == 0.0;
    fits.then(|| Value {
        percentage: done / total * 100.0,
        amount: Some((done, total)),
        ..Value::at(text, start, end)
    })
}

/// `= 0.389`
fn is_calculated(after: &[u8]) -> bool {
    let result = after.trim_ascii_start().strip_prefix(b"=");
    let result = result.map(<[u8]>::trim_ascii_start);
    result.is_some_and(|result| result.first().is_some_and(u8::is_ascii_digit))
}

/// `x = 3/10`, but not the end of a bar: `====> 3/10`
fn after_equals(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    before.strip_suffix(b"=").is_some_and(|name| {
        name.ends_with(b" ") || name.last().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Whether the text that begins here is neither the end of a longer word or number, nor part of a remark in
/// parentheses.
fn stands_free(text: &[u8], start: usize) -> bool {
    let before = &text[..start];
    let free = match before.last() {
        None => true,
        // The number stands in the middle of a bar, or in a log of keys and values.
        Some(b'=') => before.ends_with(b"==") || words::is_key(text, start),
        Some(b'/' | b'.' | b',' | b'-' | b'+' | b'#' | b'_' | b'%') => false,
        Some(b':') => !before[..start - 1].last().is_some_and(u8::is_ascii_digit),
        Some(byte) if byte.is_ascii() => !byte.is_ascii_alphanumeric(),
        // A glyph of a bar, or a letter of some alphabet.
        Some(_) => !last_character(before).is_some_and(char::is_alphabetic),
    };
    // `(Reading database ... 55%`, `(xfr#1, to-chk=1/1024)`; but `(55%)` and `(3/10, 30%)`.
    let remark = before.iter().rposition(|byte| matches!(byte, b'(' | b')'));
    let remark = remark.filter(|at| before[*at] == b'(').is_some_and(|at| {
        let inside = before[at + 1..].trim_ascii_start();
        inside
            .first()
            .is_some_and(|first| !first.is_ascii_digit() && *first != b'~')
    });
    free && !remark
}

fn last_character(text: &[u8]) -> Option<char> {
    let tail = &text[text.len().saturating_sub(4)..];
    let tail = tail
        .utf8_chunks()
        .last()
        .filter(|chunk| chunk.invalid().is_empty())?;
    tail.valid().chars().next_back()
}

/// The decimal number that the text ends with, and where it begins: `42`, `4.2`, `1,234`.
pub(super) fn number_at_end(text: &[u8]) -> Option<(usize, f64)> {
    let numerals = text.iter().rev().take_while(|byte| is_numeral(**byte));
    let start = text.len() - numerals.count();
    let number = std::str::from_utf8(&text[start..]).ok()?;
    // `42,5`: in half of the world the comma is the decimal sign.
    if let Some((whole, decimals)) = number.split_once(',')
        && (1..=2).contains(&decimals.len())
    {
        let plain =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let value =
            (plain(whole) && plain(decimals)).then(|| format!("{whole}.{decimals}").parse());
        return Some((start, value?.ok()?));
    }
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let grouped = groups.all(|group| group.len() == 3 && plain(group));
    let alone = first.len() == whole.len();
    // A larger number than exabytes is an identifier.
    let short = (1..=if alone { 18 } else { 3 }).contains(&first.len()) && whole.len() < 24;
    if !short || !plain(first) || !grouped || decimals.is_empty() || !plain(decimals) {
        return None;
    }
    let value = if alone {
        number.parse()
    } else {
        number.replace(',', "").parse()
    };
    Some((start, value.ok()?))
}

fn is_numeral(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.' || byte == b','
}

/// How many bytes the unit is. A single letter counts in 1024, as in curl, wget and dd.
pub(super) fn unit(word: &[u8]) -> Option<f64> {
    let (prefix, rest) = word.split_first()?;
    let power = match prefix {
        b'B' | b'b' if rest.is_empty() || word.eq_ignore_ascii_case(b"bytes") => return Some(1.0),
        b'k' | b'K' => 1,
        b'M' => 2,
        b'G' => 3,
        b'T' => 4,
        b'P' => 5,
        _ => return None,
    };
    let base: f64 = match rest {
        b"" | b"i" | b"iB" => 1024.0,
        b"B" => 1000.0,
        _ => return None,
    };
    Some(base.powi(power))
}
