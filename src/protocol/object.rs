//! One JSON object to one [`Progress`]. Knows the names and the ranges of the fields, refuses to know lines.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    BAD_ETA, BAD_ID, BAD_MESSAGE, BAD_PARENT, BAD_PERCENTAGE, BAD_PROGRESS, BAD_STATUS, BAD_TITLE,
    BAD_TOTAL, BAD_UNIT, Malformed, Progress, Reason, Status,
};

/// How deep objects and lists may nest, the report itself included. The line is handed on verbatim, and many
/// a JSON reader gives up not far above.
pub(super) const DEPTH_LIMIT: usize = 128;

/// Reads one object, which is to fill the whole text, white space around it apart.
pub(super) fn parse(text: &str) -> Result<Progress<'_>, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut report = Report::default();
    deserializer
        .deserialize_map(&mut report)
        .and_then(|()| deserializer.end())
        .map_err(|error| {
            let reason = error
                .to_string()
                .replace(" at line 1 column ", " at column ");
            Malformed(Reason::Json(reason))
        })?;
    if let Some(problem) = report.problem {
        return Err(Malformed(problem));
    }
    // serde_json skips what nobody asked for without recursion, so without a limit.
    if report.has_unknown && text.len() > 2 * DEPTH_LIMIT && depth(text) > DEPTH_LIMIT {
        return Err(Malformed(Reason::TooDeep));
    }
    Ok(report.progress)
}

/// What was read so far. A field of the wrong type is a problem to remember and not an error to return, so
/// that its reason needs no detour through the text of a serde error.
#[derive(Default)]
struct Report<'a> {
    progress: Progress<'a>,
    problem: Option<Reason>,
    has_unknown: bool,
}

impl Report<'_> {
    fn checked<T>(&mut self, value: Result<Option<T>, ()>, reason: Reason) -> Option<T> {
        value.unwrap_or_else(|()| {
            self.problem.get_or_insert(reason);
            None
        })
    }
}

impl<'de> Visitor<'de> for &mut Report<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                Field::Progress => {
                    let value = map.next_value::<Value>()?.number(0.0, f64::MAX);
                    self.progress.progress = self.checked(value, BAD_PROGRESS);
                }
                Field::Total => {
                    let value = map.next_value::<Value>()?.number(0.0, f64::MAX);
                    // Nothing to do, as the empty list that a script begins with: no reason for a warning.
                    let total = self.checked(value, BAD_TOTAL);
                    self.progress.total = total.filter(|total| *total > 0.0);
                }
                Field::Percentage => {
                    let value = map.next_value::<Value>()?.number(0.0, 100.0);
                    self.progress.percentage = self.checked(value, BAD_PERCENTAGE);
                }
                Field::Unit => {
                    let value = map.next_value::<Value>()?.text();
                    self.progress.unit = self.checked(value, BAD_UNIT);
                }
                Field::Message => {
                    let value = map.next_value::<Value>()?.text();
                    self.progress.message = self.checked(value, BAD_MESSAGE);
                }
                Field::Id => {
                    let value = name(map.next_value()?);
                    self.progress.id = self.checked(value, BAD_ID);
                }
                Field::Parent => {
                    let value = name(map.next_value()?);
                    self.progress.parent = self.checked(value, BAD_PARENT);
                }
                Field::Title => {
                    let value = map.next_value::<Value>()?.text();
                    self.progress.title = self.checked(value, BAD_TITLE);
                }
                Field::Status => {
                    let value = map.next_value::<Value>()?.status();
                    self.progress.status = self.checked(value, BAD_STATUS);
                }
                Field::Eta => {
                    let value = map.next_value::<Value>()?.number(0.0, f64::MAX);
                    self.progress.eta = self.checked(value, BAD_ETA);
                }
                Field::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    self.has_unknown = true;
                }
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    #[serde(alias = "current")]
    Progress,
    Total,
    #[serde(alias = "percent")]
    Percentage,
    Unit,
    Message,
    Id,
    Parent,
    Title,
    Status,
    Eta,
    #[serde(other)]
    Unknown,
}

/// Any JSON value, as far as a field may want it.
enum Value<'a> {
    Null,
    Number(f64),
    Text(Cow<'a, str>),
    Other,
}

impl<'a> Value<'a> {
    fn number(self, least: f64, most: f64) -> Result<Option<f64>, ()> {
        match self {
            Self::Null => Ok(None),
            Self::Number(value) if (least..=most).contains(&value) => Ok(Some(value)),
            _ => Err(()),
        }
    }

    fn text(self) -> Result<Option<Cow<'a, str>>, ()> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            _ => Err(()),
        }
    }

    fn status(self) -> Result<Option<Status>, ()> {
        self.text()?
            .map(|word| Status::from_word(&word).ok_or(()))
            .transpose()
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    #[expect(clippy::cast_precision_loss, reason = "shown, never counted with")]
    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "shown, never counted with")]
    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

/// The name of a part: a string, or a number as it was written.
fn name(raw: &RawValue) -> Result<Option<Cow<'_, str>>, ()> {
    let raw = raw.get();
    match raw.as_bytes()[0] {
        b'"' if !raw.contains('\\') => Ok(Some(Cow::Borrowed(&raw[1..raw.len() - 1]))),
        b'"' => serde_json::from_str(raw)
            .map(|name| Some(Cow::Owned(name)))
            .map_err(drop),
        b'-' | b'0'..=b'9' => Ok(Some(Cow::Borrowed(raw))),
        b'n' => Ok(None),
        _ => Err(()),
    }
}

/// How deep a text nests that is known to be JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0, 0);
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}
