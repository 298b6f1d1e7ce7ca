//! The numbers in a record that may be progress: percentages, and amounts of a total.
//!
//! Looks at one record only, and at how numbers stand in it. Whether a number is progress shows in how it moves, which
//! the caller sees from many records. It would rather miss a percentage than take something else for one.

use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr2_iter, memmem, memrchr2};

use super::words;

/// A percentage and an amount that differ by no more than this, in points, say the same: many programs round.
const AGREE: f64 = 1.6;

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

/// The values of a record: nearly always one, several if a record is about several things.
pub(super) fn values(text: &[u8]) -> Vec<Value> {
    let percentages = percentages(text);
    if let Some(whole) = whole(text, &percentages) {
        return vec![whole];
    }
    if let Some(found) = files(text, &percentages) {
        return found;
    }
    let amounts = amounts(text);
    let mut both = Vec::new();
    for percentage in &percentages {
        let agreeing = |amount: &&Value| {
            (amount.percentage - percentage.percentage).abs() <= AGREE
                || is_sum(text, amount, percentage.percentage)
        };
        // Beside files, bytes are the finer ones.
        let distance = |amount: &&Value| {
            (
                amount.kind != Kind::Bytes,
                amount.start.abs_diff(percentage.start),
            )
        };
        let amount = amounts.iter().filter(agreeing).min_by_key(distance);
        // The amount is the finer of the two.
        both.extend(amount.map(|amount| Value {
            start: amount.start.min(percentage.start),
            end: amount.end.max(percentage.end),
            stand: percentage.stand.min(amount.stand),
            rest: Rest::Agrees,
            ..*amount
        }));
    }
    // Several values that are each said twice are several meters. Beside a single one, the rest is about something
    // else.
    let apart = both.windows(2).all(|pair| pair[0].end <= pair[1].start);
    if both.len() < percentages.len() || !apart {
        both.truncate(1);
    }
    if both.is_empty() {
        both.extend(
            amounts
                .iter()
                .find(|amount| is_said_before(text, amount))
                .map(|amount| Value {
                    rest: Rest::Agrees,
                    ..*amount
                }),
        );
    }
    let own = both.first().or(percentages.first()).copied();
    if let Some((count, own)) = own.and_then(|own| Some((index(text, &amounts, &own)?, own))) {
        let item = Value {
            role: Role::Item,
            ..own
        };
        let count = Value {
            role: Role::Count(own.percentage),
            rest: Rest::Differs,
            ..count
        };
        return vec![count, item];
    }
    if both.is_empty() {
        both.extend(&percentages);
    }
    if both.is_empty() {
        let of_all = amounts
            .iter()
            .find(|amount| words::is_of_all(text, amount.start, 1));
        both.extend(of_all.or(amounts.first()));
    }
    for value in &mut both {
        let mut others =
            memchr_iter(b'%', text).filter(|at| !(value.start..value.end).contains(at));
        // Of what has not begun and of what is over nothing more is said: Hadoop's `map 40% reduce 0%`.
        let differs = |at| {
            let number = number_at_end(text[..at].trim_ascii_end());
            number.is_some_and(|(_, number)| number > 0.0 && number < 100.0)
        };
        if value.rest == Rest::Silent && others.any(differs) {
            value.rest = Rest::Differs;
        }
    }
    both
}

/// `32,768 100% 9MB/s 0:00:01 (xfr#3, to-chk=397/400)`: rsync has finished a file, and so many of all are left. It does
/// not say so before the end of a file, nor while it still finds files (`ir-chk`).
fn files(text: &[u8], percentages: &[Value]) -> Option<Vec<Value>> {
    const LEFT: &[u8] = b"to-chk=";
    let item = *percentages
        .first()
        .filter(|value| value.percentage >= 100.0)?;
    let start = memmem::find(&text[item.end..], LEFT)? + item.end + LEFT.len();
    let sign = start + memchr(b'/', &text[start..])?;
    let (_, left) = number_at_end(&text[start..sign])?;
    let (total, end) = total(text, sign + 1)?;
    let done = total - left;
    let count = Value {
        percentage: done / total * 100.0,
        amount: Some((done, total)),
        role: Role::Count(item.percentage),
        rest: Rest::Certain,
        ..Value::at(text, start, end)
    };
    let item = Value {
        role: Role::Item,
        ..item
    };
    (done >= 0.0 && total > 1.0).then(|| vec![item, count])
}

/// `1.23 (1230000 / 100000000)`: the percentage has no sign.
fn is_said_before(text: &[u8], amount: &Value) -> bool {
    let Some(before) = text[..amount.start].strip_suffix(b"(") else {
        return false;
    };
    let number = number_at_end(before.trim_ascii_end());
    number.is_some_and(|(start, number)| {
        text[start..amount.start].contains(&b'.') && (number - amount.percentage).abs() <= 0.1
    })
}

/// `40% (47 succeeded + 1 failed) / 119`: the percentage may be that of the sum.
fn is_sum(text: &[u8], amount: &Value, percentage: f64) -> bool {
    let (done, total) = amount.amount.unwrap_or_default();
    let begins = text.get(amount.start) == Some(&b'(');
    begins && (percentage / 100.0 * total - done).abs() < total / 10.0
}

/// The count of items of which `own` is about one: `[1/9] name 100%`, `file 3/10: 55%`.
fn index(text: &[u8], amounts: &[Value], own: &Value) -> Option<Value> {
    let counts = amounts.iter().filter(|amount| {
        let (done, _) = amount.amount.unwrap_or_default();
        let is_formal = matches!(amount.stand, Stand::Brackets | Stand::Parentheses);
        let leads = amount.stand == Stand::Leads || {
            let after = &text[amount.end..];
            [":", "...", "…"]
                .iter()
                .any(|sign| after.starts_with(sign.as_bytes()))
        };
        // Files and bytes of all are no item: `[3/40 files][1.2 MiB/4 GiB] 53%`.
        let counts_things =
            matches!(text[amount.end..], [b' ', first, ..] if first.is_ascii_alphabetic());
        let is_index = is_formal || leads && !(own.rest == Rest::Agrees && counts_things);
        amount.kind == Kind::Count && done >= 1.0 && is_index && amount.end <= own.start
    });
    let disagrees = |amount: &&Value| {
        (amount.percentage - own.percentage).abs() > AGREE
            || amount.amount != own.amount && own.amount.is_some()
    };
    let mut counts = counts.filter(disagrees);
    counts.next().copied()
}

/// `20% [1 name 379 kB/1516 kB 25%]`, of apt: the brackets are about one of the files. `[ 20%] name: 34%`, of adb.
/// `Stage: 13%; Total: 2%`, of chkdsk.
fn whole(text: &[u8], percentages: &[Value]) -> Option<Value> {
    let first = percentages.first()?;
    if percentages.len() > 1 {
        let of_all = percentages
            .iter()
            .find(|value| words::is_of_all(text, value.start, 2));
        let in_brackets =
            first.stand == Stand::Brackets && text.trim_ascii_start().starts_with(b"[");
        if of_all.is_some() || in_brackets {
            return of_all.or(Some(first)).copied();
        }
    }
    let leads = text[..first.start].trim_ascii().is_empty();
    let rest = text[first.end..].trim_ascii_start();
    (leads && rest.starts_with(b"[") && memchr(b'%', rest).is_some()).then_some(*first)
}

/// `42%`, `42.5 %`, `42,5 %`, `42.5/100%`, `42 percent`, `|% 42|`
fn percentages(text: &[u8]) -> Vec<Value> {
    let signs = memchr_iter(b'%', text).map(|at| (at, at + 1));
    let words = PERCENT
        .find_iter(text)
        .map(|at| (at, at + PERCENT.needle().len()));
    let mut found: Vec<_> = signs
        .chain(words)
        .filter_map(|(at, end)| percentage(text, at, end).or_else(|| percentage_behind(text, at)))
        .collect();
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

    fn at(text: &[u8], start: usize, end: usize) -> Self {
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
fn amounts(text: &[u8]) -> Vec<Value> {
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
fn total(text: &[u8], sign_end: usize) -> Option<(f64, usize)> {
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
fn number_at_end(text: &[u8]) -> Option<(usize, f64)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a record, as text.
    fn found(record: &str) -> Vec<String> {
        let show = |value: &Value| match value.amount {
            Some((done, total)) => format!("{:?} {done}/{total}", value.kind),
            None => format!("{:?} {}", value.kind, value.percentage),
        };
        let values = values(record.as_bytes());
        assert!(values.is_empty() || worth(record.as_bytes()), "{record}");
        values.iter().map(show).collect()
    }

    #[track_caller]
    fn one(record: &str, value: &str) {
        assert_eq!(found(record), [value], "{record}");
    }

    #[track_caller]
    fn none(record: &str) {
        assert_eq!(found(record), [""; 0], "{record}");
    }

    #[test]
    fn a_percentage_is_a_number_up_to_100_with_its_sign() {
        one("42%", "Percentage 42");
        one("[  2%] Building C object main.c.o", "Percentage 2");
        one("big.bin: 3.5 % done", "Percentage 3.5");
        one("work  [#####----]   16%", "Percentage 16");
        one("|████|100%", "Percentage 100");
        one("desc:7%", "Percentage 7");
        one(
            "[download]  21.0% of   95.41MiB at   19.85MiB/s",
            "Percentage 21",
        );
        one(
            "84,180,992  20%   79.93MB/s    0:00:04 (xfr#1, to-chk=0/1)",
            "Percentage 20",
        );
        none("150%");
        none("1.2.3%");
        one("1,5%", "Percentage 1.5");
        one("12,5 % fertig", "Percentage 12.5");
        one("42.52 percent completed", "Percentage 42.52");
        one("[00:01|%   5|+   1|-   0]: test", "Percentage 5");
        one("[===36.4%===     ]", "Percentage 36.4");
        none("the 95 percentile");
        none("25% { left: 10px }");
        none("-5%");
    }

    #[test]
    fn a_percentage_of_a_hundred_is_not_read_as_100() {
        one("    (12.13/100%)", "Percentage 12.13");
    }

    #[test]
    fn an_amount_is_finer_than_the_percentage_beside_it() {
        one("Updating files:  36% (11/30)", "Count 11/30");
        one(
            " 52%|█████▎    | 105/200 [00:02<00:01, 49.18it/s, acc=59%]",
            "Count 105/200",
        );
        one(
            "[#192d84 67MiB/400MiB(16%) CN:1 DL:31MiB ETA:10s]",
            "Bytes 70254592/419430400",
        );
        one(
            "Transferred:   75.335 MiB / 908.806 MiB, 8%, 0 B/s, ETA -",
            "Bytes 78994473/952952160",
        );
    }

    #[test]
    fn a_percentage_is_believed_before_an_amount_that_says_something_else() {
        one(" *  text.txt: 16% /296.898Mi, 0/s, -", "Percentage 16");
    }

    #[test]
    fn a_count_of_items_stands_beside_the_items_own_percentage() {
        for record in [
            "file 3/10: 55%",
            "(3/10) installing name  [####---]  55%",
            "[ 3/10] name-1.2  55% |  1.2 MiB/s |  12 MiB",
        ] {
            let values = values(record.as_bytes());
            let [count, item] = &values[..] else {
                panic!("{record}: {values:?}");
            };
            assert_eq!(count.amount, Some((3.0, 10.0)));
            assert_eq!(count.role, Role::Count(55.0));
            assert_eq!((item.role, item.percentage.round()), (Role::Item, 55.0));
        }
    }

    #[test]
    fn rsync_counts_what_is_left_when_a_file_is_over() {
        let text = b"  20,300 100%   21.93MB/s    0:00:00 (xfr#3, to-chk=397/401)";
        let values = values(text);
        assert_eq!(values[1].amount, Some((4.0, 401.0)));
        assert_eq!(values[0].role, Role::Item);
        one(
            "  20,300  99%  21.93MB/s  0:00:00 (xfr#3, to-chk=397/401)",
            "Percentage 99",
        );
        one(
            "  20,300 100%  21.93MB/s  0:00:00 (xfr#3, ir-chk=397/401)",
            "Percentage 100",
        );
    }

    #[test]
    fn what_is_beside_a_count_is_not_taken_for_it() {
        one(
            "Track 01:    3 of  345 MB written (fifo 100%) [buf  98%]   4.1x.",
            "Bytes 3000000/345000000",
        );
        one("  3 of 10 images (12% saved)", "Count 3/10");
        one(
            "Progress: 1464 of 146432 done; Stage: 31%; Total:  2%",
            "Percentage 2",
        );
        one("[  2%] /sdcard/name.mp4:  34%", "Percentage 2");
    }

    #[test]
    fn an_amount_is_written_in_many_ways() {
        for (record, value) in [
            ("3 out of 12 done", "Count 3/12"),
            ("[Stage 0:====>   (3 + 2) / 10]", "Count 3/10"),
            (
                "40% [==>  ] (47 succeeded + 1 failed) / 119",
                "Count 47/119",
            ),
            (
                "downloading, progress: 1.23 (1230000 / 100000000)",
                "Count 1230000/100000000",
            ),
            (
                "Completed 256.0 KiB/~1.0 MiB (100.0 KiB/s)",
                "Bytes 262144/1048576",
            ),
        ] {
            one(record, value);
        }
    }

    #[test]
    fn what_is_in_brackets_behind_a_percentage_is_of_a_part() {
        one(
            "20% [1 pr-one 379 kB/1516 kB 25%]       633 kB/s 2s",
            "Percentage 20",
        );
        one("0% [1 pr-one 0 B/1516 kB 0%]", "Percentage 0");
    }

    #[test]
    fn an_amount_alone_counts_things_or_bytes() {
        one(
            "   Building [===>     ] 6/41: proc-macro2, memchr",
            "Count 6/41",
        );
        one("[11/34] Building C object", "Count 11/34");
        one("Progress 262144 of 101083562", "Count 262144/101083562");
        one(
            "━━━━━╸━━━━ 74.4/101.1 MB 389.4 MB/s eta 0:00:01",
            "Bytes 74400000/101100000",
        );
        one(
            "Read: 10.0 MiB / 297 MiB ==> 37%",
            "Bytes 10485760/311427072",
        );
        one("Read:     0   B /   297 MiB ==>  0%", "Bytes 0/311427072");
        one("2001 of 2002 files", "Count 2001/2002");
    }

    #[test]
    fn meters_that_were_not_recorded_are_read_by_the_same_rule() {
        for (record, value) in [
            (
                "[1,234 / 5,678] Compiling src/main.cc; 3s remote-cache",
                "Count 1234/5678",
            ),
            ("Progress (1): 1.2/3.4 MB", "Bytes 1200000/3400000"),
            ("<=====-------> 45% EXECUTING [3s]", "Percentage 45"),
            (
                "12.3 MiB /  45.6 MiB ( 27 %)   5.1 MiB/s in  2s ETA:  3s",
                "Bytes 12897485/47815066",
            ),
            (
                "abc123: Downloading [==>     ]  1.2MB/3.4MB",
                "Bytes 1200000/3400000",
            ),
            (
                "pulling 8934d96d3f08...  45% |##   | 2.1 GB/4.7 GB   9 MB/s",
                "Bytes 2100000000/4700000000",
            ),
            ("Progress.........: 123/456 (27.0%)", "Count 123/456"),
            (
                "[==>..]  resync = 12.6% (37043392/292945152) finish=9.4min",
                "Count 37043392/292945152",
            ),
            ("Writing at 0x0001a000... (45 %)", "Percentage 45"),
            (
                "Progress: 45% (Rate: 3M/s, Estimated time remaining: 0:00:10)",
                "Percentage 45",
            ),
            ("  Moved: 12.5%", "Percentage 12.5"),
            ("Copied 3 of 7.", "Count 3/7"),
        ] {
            one(record, value);
        }
    }

    #[test]
    fn a_record_may_be_about_several_things() {
        let record = "[DL:77MiB][#6cb625 108MiB/400MiB(27%)][#203c90 108MiB/296MiB(36%)]";
        let expected = ["Bytes 113246208/419430400", "Bytes 113246208/310378496"];
        assert_eq!(found(record), expected);
    }

    #[test]
    fn what_only_looks_like_progress_is_none() {
        for record in [
            "Read:  8.50 MiB  ==> 37%",
            "7.7 MiB / 19.9 MiB = 0.389",
            "(Reading database ... 55%",
            "22/11/2026 17:44:26 started",
            "2026/11/22 16:28:28 NOTICE: no config",
            "http://x/a%20b/3/10",
            "usr/1/2 and 3/4/5",
            "GET /12/30 HTTP/1.1",
            "[1/1]",
            "5/3",
            "9.5/10",
            "rated at 30/100",
            "mem 44% used",
            "0% packet loss",
            "worker 3/7 started, mem 41% used, disk 21%",
            "67% tests passed, 1 tests failed out of 3",
            "files (about 0.0%)",
            "TOTAL coverage: 93%",
            "ratio = 3/10",
            "1/2x",
            "v1.2/3",
            "printf 100%d",
        ] {
            none(record);
        }
    }
}
