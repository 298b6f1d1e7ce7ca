//! What a child says about its progress: bytes in, [`Progress`] out.
//!
//! This module knows the lines that a child may write on the channel (JSON objects and the short forms that
//! shell scripts already write for dialog, zenity and yad) and where one line ends and the next begins. It
//! does not know where the bytes come from, what is drawn, and what a terminal would make of the text: a
//! message is handed on as the child wrote it, control characters included.
//!
//! Nothing a child writes is an error here. A line that cannot be read is a [`Content::Malformed`] with its
//! reason, the next line is read as if nothing had happened, and memory stays below [`LINE_LIMIT`].

mod decoder;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod object;
#[cfg(test)]
mod properties;
mod scan;
mod short;
mod writer;

use std::borrow::Cow;
use std::fmt;

pub use decoder::{Content, Decoder, Line};

/// The word for progress, wherever one is written: the message kind of the library and the key in JSON.
pub const PROGRESS: &str = "progress";

/// The fields that an object can have, the usual ones first.
pub const FIELDS: [&str; 12] = [
    PROGRESS,
    "total",
    "message",
    "percentage",
    "unit",
    "id",
    "parent",
    "title",
    "status",
    "eta",
    "current",
    "percent",
];

/// The longest line that is read, in bytes without its newline. Also the most that a [`Decoder`] holds.
pub const LINE_LIMIT: usize = 64 * 1024;

/// One report of a child. Every field may be missing.
///
/// The decoder gives only finite numbers in the ranges named here; code that fills the fields by hand must keep to
/// them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress<'a> {
    /// How much is done, 0 or more, in [`unit`](Self::unit)s. May exceed the total.
    pub progress: Option<f64>,
    /// How much there is, above 0. Absent: unknown.
    pub total: Option<f64>,
    /// From 0 to 100, for children that know no amounts.
    pub percentage: Option<f64>,
    /// What is counted: `bytes`, or any other word.
    pub unit: Option<Cow<'a, str>>,
    /// What is going on now. Foreign text: not fit for a terminal as it is. Empty: nothing to say any more.
    pub message: Option<Cow<'a, str>>,
    /// The part that this report is about; absent: the task itself. A number stands here as its JSON text, so
    /// that `1` and `"1"` are the same part.
    pub id: Option<Cow<'a, str>>,
    /// The part that this part belongs to.
    pub parent: Option<Cow<'a, str>>,
    /// The label of the bar.
    pub title: Option<Cow<'a, str>>,
    /// How the part ended. Absent: it goes on.
    pub status: Option<Status>,
    /// The child's own estimate of what is left, in seconds.
    pub eta: Option<f64>,
}

impl Progress<'_> {
    /// Whether the report says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Progress::default()
    }

    /// How many bytes its texts are.
    #[must_use]
    pub fn text_length(&self) -> usize {
        let texts = [
            &self.unit,
            &self.message,
            &self.id,
            &self.parent,
            &self.title,
        ];
        texts.into_iter().flatten().map(|text| text.len()).sum()
    }

    /// The same report, free of the bytes that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Progress<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Progress {
            progress: self.progress,
            total: self.total,
            percentage: self.percentage,
            unit: owned(self.unit),
            message: owned(self.message),
            id: owned(self.id),
            parent: owned(self.parent),
            title: owned(self.title),
            status: self.status,
            eta: self.eta,
        }
    }

    /// How much of the whole is done, from 0 to 1. An amount with a total is believed before a percentage.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let ratio = match (self.progress, self.total) {
            (Some(progress), Some(total)) if total > 0.0 => Some(progress / total),
            _ => self.percentage.map(|percentage| percentage / 100.0),
        };
        ratio
            .filter(|ratio| !ratio.is_nan())
            .map(|ratio| ratio.clamp(0.0, 1.0))
    }

    /// The report as a JSON object: fields in the order of this struct, absent ones left out, whole numbers
    /// without a decimal point. The decoder reads it back as the same report.
    #[must_use]
    pub fn to_json(&self) -> String {
        writer::object(self)
    }
}

impl Progress<'static> {
    /// Brings what is known of a part up to date: the newer report's fields win, absent ones stay.
    ///
    /// Except for what would contradict the newer report. A percentage without an amount removes the old
    /// amount, which [`fraction`](Self::fraction) would believe instead (the total stays, it may still be
    /// true); an amount without a percentage removes the old percentage; either of them without an estimate
    /// removes the old estimate, which was about the moment of its report.
    ///
    /// Memory of texts is used again, so that a part with a thousand reports a second does not allocate.
    pub fn merge(&mut self, newer: &Progress<'_>) {
        if newer.progress.is_some() || newer.percentage.is_some() {
            self.progress = newer.progress;
            self.percentage = newer.percentage;
            self.eta = None;
        }
        self.total = newer.total.or(self.total);
        self.status = newer.status.or(self.status);
        self.eta = newer.eta.or(self.eta);
        replace(&mut self.unit, newer.unit.as_deref());
        replace(&mut self.message, newer.message.as_deref());
        replace(&mut self.id, newer.id.as_deref());
        replace(&mut self.parent, newer.parent.as_deref());
        replace(&mut self.title, newer.title.as_deref());
    }
}

fn replace(text: &mut Option<Cow<'static, str>>, newer: Option<&str>) {
    let Some(newer) = newer else { return };
    if let Some(Cow::Owned(text)) = text {
        text.clear();
        text.push_str(newer);
    } else {
        *text = Some(Cow::Owned(newer.to_owned()));
    }
}

/// Reads a short form, or plain text, which is a message: what a line that is no JSON object says.
///
/// # Errors
/// If it is only a percentage, or begins with an amount, and that is out of its range.
pub fn read_short(text: &str) -> Result<Progress<'_>, Malformed> {
    short::parse(text.trim_ascii())
}

/// Reads a number of bytes with its unit, such as `5KiB`, and nothing else.
#[must_use]
pub fn read_bytes(text: &str) -> Option<f64> {
    short::bytes(text)
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It did what it was to do.
    Ok,
    /// It did not.
    Failed,
    /// There was nothing to do.
    Skipped,
    /// It was asked to stop, and did.
    Cancelled,
}

impl Status {
    /// The word for it in a report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "ok" => Some(Self::Ok),
            "failed" => Some(Self::Failed),
            "skipped" => Some(Self::Skipped),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// Reads a line that is to be one object, such as a child may write elsewhere than on the channel.
///
/// # Errors
///
/// If it is not an object, or a field of it is not what its name promises.
pub fn read_object(text: &str) -> Result<Progress<'_>, Malformed> {
    object::parse(text)
}

/// Why a line could not be read. `Display` gives the reason as a short sentence without a full stop. Columns
/// and bytes are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(Box<Reason>);

impl Malformed {
    fn field(sentence: &'static str) -> Self {
        Reason::Field(sentence).into()
    }
}

impl From<Reason> for Malformed {
    fn from(reason: Reason) -> Self {
        // In a box: a rare error must not make every result larger.
        Self(Box::new(reason))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    TooLong(usize),
    NotUtf8(usize),
    Json(&'static str, usize),
    TooDeep,
    Field(&'static str),
}

/// The value of the digits that a text begins with, if they are 15 at most, and how many they are. The general parser
/// takes three times as long.
#[inline(always)]
fn count(text: &[u8]) -> Option<(f64, usize)> {
    const EXACT_DIGITS: usize = 15;
    let mut count = 0_u64;
    let mut digits = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(digits) {
        count = count.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        digits += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a float holds 15 digits")]
    (1..=EXACT_DIGITS)
        .contains(&digits)
        .then_some((count as f64, digits))
}

// One sentence for each field, whichever form it was written in.
const BAD_PROGRESS: &str = "progress must be a number of 0 or more";
const BAD_TOTAL: &str = "total must be a number above 0";
const BAD_PERCENTAGE: &str = "percentage must be a number from 0 to 100";
const BAD_UNIT: &str = "unit must be a string";
const BAD_MESSAGE: &str = "message must be a string";
const BAD_ID: &str = "id must be a string or a number";
const BAD_PARENT: &str = "parent must be a string or a number";
const BAD_TITLE: &str = "title must be a string";
const BAD_STATUS: &str = "status must be ok, failed, skipped or cancelled";
const BAD_ETA: &str = "eta must be a number of seconds, 0 or more";

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Reason::TooLong(limit) => write!(f, "longer than {limit} bytes"),
            Reason::NotUtf8(byte) => write!(f, "not UTF-8 at byte {byte}"),
            Reason::Json(reason, column) => write!(f, "{reason} at column {column}"),
            Reason::TooDeep => write!(f, "nested deeper than {}", object::DEPTH_LIMIT),
            Reason::Field(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Malformed {}
