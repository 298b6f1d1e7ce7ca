//! One JSON object to one [`Progress`]. Knows the names and the ranges of the fields, does not know lines.
//!
//! It reads JSON itself, in one pass, because it is called for every report: `serde_json` with a visitor takes
//! nearly twice as long, reads some decimals inexactly, and skips unknown fields without a limit to their
//! depth. What is taken for JSON here is what `serde_json` takes for JSON, apart from that depth and from
//! numbers too large for a float; a property test compares them.

use std::borrow::Cow;

use super::scan::until_special;
use super::{
    BAD_ETA, BAD_ID, BAD_MESSAGE, BAD_PARENT, BAD_PERCENTAGE, BAD_PROGRESS, BAD_STATUS, BAD_TITLE,
    BAD_TOTAL, BAD_UNIT, Malformed, Progress, Reason, Status, count,
};

/// How deep objects and lists may nest, the report itself included. The line is handed on verbatim, and many JSON
/// readers give up near this depth; it also bounds our own recursion.
pub(super) const DEPTH_LIMIT: usize = 128;

/// Reads one object, which is to fill the whole text, white space around it apart.
pub(super) fn parse(text: &str) -> Result<Progress<'_>, Malformed> {
    let mut progress = Progress::default();
    let mut reader = Reader { text, at: 0 };
    reader.report(&mut progress)?;
    Ok(progress)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

#[expect(
    clippy::inline_always,
    reason = "measured: a third of the whole is lost where these are calls, and `inline` alone is not enough"
)]
impl<'a> Reader<'a> {
    fn report(&mut self, progress: &mut Progress<'a>) -> Result<(), Malformed> {
        if self.peek() != Some(b'{') {
            return Err(self.error("expected `{`"));
        }
        self.items(b'}', "expected `,` or `}`", |reader| {
            let key = reader.key()?;
            reader.field(&key, progress)
        })?;
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("nothing may follow the object")),
        }
    }

    fn field(&mut self, key: &str, progress: &mut Progress<'a>) -> Result<(), Malformed> {
        match key {
            "progress" | "current" => progress.progress = self.amount(f64::MAX, BAD_PROGRESS)?,
            "total" => {
                let total = self.amount(f64::MAX, BAD_TOTAL)?;
                // 0 of 0, as scripts with an empty list begin. Not worth a warning: the total is not known.
                progress.total = total.filter(|total| *total > 0.0);
            }
            "percentage" | "percent" => progress.percentage = self.amount(100.0, BAD_PERCENTAGE)?,
            "unit" => progress.unit = self.words(BAD_UNIT)?,
            "message" => progress.message = self.words(BAD_MESSAGE)?,
            "id" => progress.id = self.name(BAD_ID)?,
            "parent" => progress.parent = self.name(BAD_PARENT)?,
            "title" => progress.title = self.words(BAD_TITLE)?,
            "status" => {
                let word = self.words(BAD_STATUS)?;
                let status = |word: Cow<'_, str>| {
                    Status::from_word(&word).ok_or_else(|| Malformed::field(BAD_STATUS))
                };
                progress.status = word.map(status).transpose()?;
            }
            "eta" => progress.eta = self.amount(f64::MAX, BAD_ETA)?,
            _ => self.unknown(1)?,
        }
        Ok(())
    }

    fn amount(&mut self, most: f64, otherwise: &'static str) -> Result<Option<f64>, Malformed> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.null(otherwise);
        }
        let value = match self.count() {
            Some(count) => count,
            None => self.number()?.parse().unwrap_or(f64::NAN),
        };
        if (0.0..=most).contains(&value) {
            Ok(Some(value))
        } else {
            Err(Malformed::field(otherwise))
        }
    }

    fn words(&mut self, otherwise: &'static str) -> Result<Option<Cow<'a, str>>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            _ => self.null(otherwise),
        }
    }

    /// The name of a part, a number as it was written.
    fn name(&mut self, otherwise: &'static str) -> Result<Option<Cow<'a, str>>, Malformed> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number().map(|name| Some(Cow::Borrowed(name))),
            _ => self.words(otherwise),
        }
    }

    /// Reads `null`, the only other value that a field may have. `otherwise` is the error for any other.
    fn null<T>(&mut self, otherwise: &'static str) -> Result<Option<T>, Malformed> {
        if self.word("null") {
            Ok(None)
        } else if "null".starts_with(&self.text[self.at..]) {
            Err(self.error_at_the_end())
        } else {
            Err(Malformed::field(otherwise))
        }
    }

    /// A value of an unknown field, `depth` levels down.
    fn unknown(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b'{' | b'[') if depth == DEPTH_LIMIT => Err(Reason::TooDeep.into()),
            Some(b'{') => self.items(b'}', "expected `,` or `}`", |reader| {
                reader.key()?;
                reader.unknown(depth + 1)
            }),
            Some(b'[') => self.items(b']', "expected `,` or `]`", |reader| {
                reader.unknown(depth + 1)
            }),
            _ if self.word("null") || self.word("true") || self.word("false") => Ok(()),
            _ => Err(self.error("expected a value")),
        }
    }

    /// The items between the bracket that comes next and its `end`.
    fn items(
        &mut self,
        end: u8,
        otherwise: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.at += 1;
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            let next = self.peek();
            if next != Some(end) && next != Some(b',') {
                return Err(self.error(otherwise));
            }
            self.at += 1;
            if next == Some(end) {
                return Ok(());
            }
        }
    }

    #[inline(always)]
    fn key(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.error("key must be a string"));
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.error("expected `:`"));
        }
        self.at += 1;
        Ok(key)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let begin = self.at;
        let rest = &self.text[begin + 1..];
        let end = until_special(rest.as_bytes());
        if rest.as_bytes().get(end) == Some(&b'"') {
            self.at += end + 2;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        self.escaped(begin)
    }

    /// Reads a string that cannot be borrowed, or finds what is wrong with it.
    #[cold]
    fn escaped(&mut self, begin: usize) -> Result<Cow<'a, str>, Malformed> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(..b' ') => return Err(self.error("control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error_at_the_end()),
            }
        }
        self.at += 1;
        unescape(&self.text[begin + 1..self.at - 1])
            .map(Cow::Owned)
            .ok_or_else(|| Reason::Json("invalid escape in a string", begin + 1).into())
    }

    /// A number of nothing but a few digits, as most are.
    #[inline(always)]
    fn count(&mut self) -> Option<f64> {
        let rest = &self.text.as_bytes()[self.at..];
        let (count, digits) = count(rest)?;
        let is_more = matches!(rest.get(digits), Some(b'.' | b'e' | b'E'));
        let is_padded = rest.first() == Some(&b'0') && digits > 1;
        if is_more || is_padded {
            return None;
        }
        self.at += digits;
        Some(count)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let begin = self.at;
        self.skip(|byte| byte == b'-');
        if !self.skip(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.skip(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip(|byte| byte == b'e' || byte == b'E') {
            self.skip(|byte| byte == b'+' || byte == b'-');
            self.digits()?;
        }
        Ok(&self.text[begin..self.at])
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes()[self.at..].iter();
        let count = rest.take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.error("expected a digit"));
        }
        self.at += count;
        Ok(())
    }

    fn skip(&mut self, is_wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.text.as_bytes().get(self.at);
        let found = found.is_some_and(|byte| is_wanted(*byte));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// The next byte that is no white space.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn error(&self, reason: &'static str) -> Malformed {
        if self.at < self.text.len() {
            Reason::Json(reason, self.at + 1).into()
        } else {
            self.error_at_the_end()
        }
    }

    fn error_at_the_end(&self) -> Malformed {
        Reason::Json("the object is cut off", self.text.len() + 1).into()
    }
}

/// The text that a string with escape sequences stands for; none if one of them is invalid.
fn unescape(string: &str) -> Option<String> {
    let mut text = String::with_capacity(string.len());
    let mut pieces = string.split('\\');
    text.push_str(pieces.next()?);
    while let Some(piece) = pieces.next() {
        let Some(letter) = piece.chars().next() else {
            // Two backslashes: what follows the second one is no escape sequence.
            text.push('\\');
            text.push_str(pieces.next()?);
            continue;
        };
        let rest = match letter {
            '"' | '/' => {
                text.push(letter);
                &piece[1..]
            }
            'b' | 'f' | 'n' | 'r' | 't' => {
                text.push(match letter {
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    _ => '\t',
                });
                &piece[1..]
            }
            'u' => {
                let (unit, rest) = code_unit(&piece[1..])?;
                if let Some(character) = char::from_u32(unit) {
                    text.push(character);
                    rest
                } else {
                    // UTF-16: a character beyond the first 65,536 is two of these, the second right behind the first.
                    let second = pieces.next().filter(|_| rest.is_empty())?;
                    let (low, rest) = code_unit(second.strip_prefix('u')?)?;
                    let is_pair =
                        (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&low);
                    let code =
                        is_pair.then(|| 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
                    text.push(char::from_u32(code)?);
                    rest
                }
            }
            _ => return None,
        };
        text.push_str(rest);
    }
    Some(text)
}

/// The four hexadecimal digits at the beginning, and what follows them.
fn code_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((unit, rest))
}
