//! One JSON object to one [`Progress`]. Knows the names and the ranges of the fields, refuses to know lines.
//!
//! It reads JSON itself, in one pass, because it is called for every report: `serde_json` with a visitor takes
//! twice as long, reads some decimals inexactly, and skips unknown fields without a limit to their depth. What
//! is taken for JSON here is what `serde_json` takes for JSON, no more and no less; a property test compares them.

use std::borrow::Cow;

use super::{
    BAD_ETA, BAD_ID, BAD_MESSAGE, BAD_PARENT, BAD_PERCENTAGE, BAD_PROGRESS, BAD_STATUS, BAD_TITLE,
    BAD_TOTAL, BAD_UNIT, Malformed, Progress, Reason, Status,
};

/// How deep objects and lists may nest, the report itself included. The line is handed on verbatim, and many
/// a JSON reader gives up not far above; our own recursion ends here too.
pub(super) const DEPTH_LIMIT: usize = 128;

/// Reads one object, which is to fill the whole text, white space around it apart.
pub(super) fn parse(text: &str) -> Result<Progress<'_>, Malformed> {
    let mut progress = Progress::default();
    let mut reader = Reader { text, at: 0 };
    reader
        .object(1, &mut |key, value| set(&mut progress, key, value))
        .and_then(|()| match reader.peek() {
            None => Ok(()),
            Some(_) => Err(reader.error("nothing may follow the object")),
        })
        .map_err(Malformed)?;
    Ok(progress)
}

/// Any JSON value, as far as a field may want it.
enum Value<'a> {
    Null,
    /// As it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Other,
}

fn set<'a>(progress: &mut Progress<'a>, key: &str, value: Value<'a>) -> Result<(), Reason> {
    match key {
        "progress" | "current" => progress.progress = value.number(f64::MAX).ok_or(BAD_PROGRESS)?,
        "total" => {
            let total = value.number(f64::MAX).ok_or(BAD_TOTAL)?;
            // 0 of 0, as scripts with an empty list begin. Not worth a warning: the total is not known.
            progress.total = total.filter(|total| *total > 0.0);
        }
        "percentage" | "percent" => {
            progress.percentage = value.number(100.0).ok_or(BAD_PERCENTAGE)?;
        }
        "unit" => progress.unit = value.text().ok_or(BAD_UNIT)?,
        "message" => progress.message = value.text().ok_or(BAD_MESSAGE)?,
        "id" => progress.id = value.name().ok_or(BAD_ID)?,
        "parent" => progress.parent = value.name().ok_or(BAD_PARENT)?,
        "title" => progress.title = value.text().ok_or(BAD_TITLE)?,
        "status" => progress.status = value.status().ok_or(BAD_STATUS)?,
        "eta" => progress.eta = value.number(f64::MAX).ok_or(BAD_ETA)?,
        _ => {}
    }
    Ok(())
}

// The outer `None` is a value of the wrong kind, the inner one is null, which is as good as absent.
#[expect(clippy::option_option, reason = "said above")]
impl<'a> Value<'a> {
    fn number(self, most: f64) -> Option<Option<f64>> {
        match self {
            Self::Null => Some(None),
            Self::Number(text) => Some(float(text))
                .filter(|value| (0.0..=most).contains(value))
                .map(Some),
            _ => None,
        }
    }

    fn text(self) -> Option<Option<Cow<'a, str>>> {
        match self {
            Self::Null => Some(None),
            Self::Text(text) => Some(Some(text)),
            _ => None,
        }
    }

    fn name(self) -> Option<Option<Cow<'a, str>>> {
        match self {
            Self::Number(text) => Some(Some(Cow::Borrowed(text))),
            other => other.text(),
        }
    }

    fn status(self) -> Option<Option<Status>> {
        match self.text()? {
            None => Some(None),
            Some(word) => Status::from_word(&word).map(Some),
        }
    }
}

fn float(text: &str) -> f64 {
    // Most numbers are counts, and the general way takes three times as long.
    const EXACT_DIGITS: usize = 15;
    let mut whole = 0_u64;
    if text.len() <= EXACT_DIGITS {
        for byte in text.bytes() {
            if !byte.is_ascii_digit() {
                return text.parse().unwrap_or(f64::NAN);
            }
            whole = 10 * whole + u64::from(byte - b'0');
        }
        #[expect(clippy::cast_precision_loss, reason = "a float holds 15 digits")]
        return whole as f64;
    }
    text.parse().unwrap_or(f64::NAN)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn object(
        &mut self,
        depth: usize,
        each: &mut impl FnMut(&str, Value<'a>) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        self.expect(b'{', "expected `{`")?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("key must be a string"));
            }
            let key = self.string()?;
            self.expect(b':', "expected `:`")?;
            let value = self.value(depth)?;
            each(&key, value)?;
            if self.ends(b'}', "expected `,` or `}`")? {
                return Ok(());
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Reason> {
        self.expect(b'[', "expected `[`")?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.ends(b']', "expected `,` or `]`")? {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Reason> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'{' | b'[') if depth == DEPTH_LIMIT => Err(Reason::TooDeep),
            Some(b'{') => {
                // A function, not a closure: one type however deep, or the compiler would never be done.
                let mut ignore: fn(&str, Value<'a>) -> Result<(), Reason> = |_, _| Ok(());
                self.object(depth + 1, &mut ignore).map(|()| Value::Other)
            }
            Some(b'[') => self.list(depth + 1).map(|()| Value::Other),
            _ => {
                let rest = &self.text[self.at..];
                for (word, value) in [
                    ("null", Value::Null),
                    ("true", Value::Other),
                    ("false", Value::Other),
                ] {
                    if rest.starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.error("expected a value"))
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        let begin = self.at;
        let bytes = self.text.as_bytes();
        let mut has_escapes = false;
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 2;
                }
                Some(..b' ') => return Err(self.error("control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("")),
            }
        }
        self.at += 1;
        if has_escapes {
            serde_json::from_str(&self.text[begin..self.at])
                .map(Cow::Owned)
                .map_err(|_| Reason::Json("invalid escape in a string", begin + 1))
        } else {
            Ok(Cow::Borrowed(&self.text[begin + 1..self.at - 1]))
        }
    }

    fn number(&mut self) -> Result<&'a str, Reason> {
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

    fn digits(&mut self) -> Result<(), Reason> {
        if !self.skip(|byte| byte.is_ascii_digit()) {
            return Err(self.error("expected a digit"));
        }
        while self.skip(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    fn skip(&mut self, is_wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.text.as_bytes().get(self.at);
        let found = found.is_some_and(|byte| is_wanted(*byte));
        self.at += usize::from(found);
        found
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), Reason> {
        if self.peek() != Some(byte) {
            return Err(self.error(reason));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether an object or a list ends here; else there is a comma.
    fn ends(&mut self, end: u8, reason: &'static str) -> Result<bool, Reason> {
        let next = self.peek();
        if next != Some(end) && next != Some(b',') {
            return Err(self.error(reason));
        }
        self.at += 1;
        Ok(next == Some(end))
    }

    fn error(&self, reason: &'static str) -> Reason {
        if self.at < self.text.len() {
            Reason::Json(reason, self.at + 1)
        } else {
            Reason::Json("the object is cut off", self.text.len() + 1)
        }
    }
}
