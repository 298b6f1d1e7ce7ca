//! One number that goes on from record to record: what it is known by, and what is reported of it.
//!
//! Does not know the other tracks, nor what is the whole.

use std::borrow::Cow;

use super::super::SHOWN;
use super::super::record::Record;
use super::evidence::{Evidence, FULL, Reading};
use super::notation::{Kind, Rest, Role, Stand, Value};
use super::words::Speech;
use super::{label, words};
use crate::protocol::Progress;

/// The text of a record around one of its values.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// From the value before.
    pub(super) before: &'a [u8],
    /// To the value behind.
    pub(super) after: &'a [u8],
    pub(super) speech: Speech,
}

/// How a track stands to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the whole, or nothing yet.
    Own,
    Part,
    /// A part whose like are beside it: their sum is the whole.
    Sibling,
}

/// One number that goes on from record to record.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: u64,
    /// The id of its part.
    pub(super) id: String,
    pub(super) redrawn: bool,
    /// The words before the number, of a redrawn one; else the form of the line.
    pub(super) name: String,
    /// What the names of its siblings have in common.
    pub(super) family: String,
    /// The row of the screen.
    pub(super) row: i64,
    pub(super) evidence: Evidence,
    /// Index of the value at which the current rise began, and of the last one that moved.
    pub(super) began: u64,
    pub(super) moved: u64,
    pub(super) value: Value,
    /// Whether it is drawn with a bar or a time left.
    pub(super) is_drawn: bool,
    pub(super) label: String,
    /// The text before the number in the last record, if the label is made of it alone.
    labelled: Option<Vec<u8>>,
    pub(super) standing: Standing,
    /// Whether it has been reported as a part that goes on.
    pub(super) is_open: bool,
    /// The id that it had as a part for an item that is over.
    pub(super) over: Option<String>,
}

impl Around<'_> {
    /// What the number is known by: on a redrawn line the words before it. On a plain line, a form that says enough
    /// needs no words.
    pub(super) fn name(&self, record: Record<'_>, value: &Value) -> String {
        if record.redrawn {
            return label::name(self.before);
        }
        let before = || label::nearest(self.before);
        let after = || {
            let word = words::after(self.after, 0).next().unwrap_or_default();
            String::from_utf8_lossy(word).into_owned()
        };
        let is_twice = value.rest == Rest::Agrees;
        match (value.kind, value.stand) {
            (Kind::Count | Kind::Percentage, Stand::Brackets) => "[".to_owned(),
            (Kind::Count, Stand::Parentheses) if !is_twice => "(".to_owned(),
            (Kind::Count, Stand::Leads | Stand::Alone) => String::new(),
            (Kind::Count, _) if after().is_empty() && !is_twice => "$".to_owned(),
            (Kind::Count, _) => before(),
            _ if self.speech == Speech::Done => before(),
            _ => format!("{} {}", before(), after()),
        }
    }

    /// What the number of a plain line is about, by the words beside it.
    pub(super) fn subject(&self) -> String {
        label::subject(self.before, self.after, self.speech == Speech::Done)
    }

    /// The label of a bar. Behind a count of items stands the item.
    fn label(&self, value: &Value) -> String {
        match value.role {
            // The name of the file stands on another line.
            _ if value.rest == Rest::Certain => String::new(),
            Role::Count(_) => {
                let label = label::label(self.before, b"");
                if label.is_empty() {
                    label::label(self.after, b"")
                } else {
                    label
                }
            }
            // Behind a number in brackets stands what it has come to: `[gw0] [ 36%] PASSED test_a`.
            _ if value.stand == Stand::Brackets => {
                let label = label::label(b"", self.after);
                if label.is_empty() {
                    label::label(self.before, b"")
                } else {
                    label
                }
            }
            _ => label::label(self.before, self.after),
        }
    }
}

impl Track {
    pub(super) fn new(
        number: u64,
        record: Record<'_>,
        value: &Value,
        name: String,
        family: String,
    ) -> Self {
        Self {
            number,
            id: match value.role {
                Role::Item => "item".to_owned(),
                Role::Count(_) => "count".to_owned(),
                Role::Own | Role::Step => id(value.kind, &name),
            },
            redrawn: record.redrawn,
            name,
            family,
            row: record.row,
            evidence: Evidence::new(record.redrawn),
            began: number,
            moved: 0,
            value: *value,
            is_drawn: false,
            label: String::new(),
            labelled: None,
            standing: Standing::Own,
            is_open: false,
            over: None,
        }
    }

    /// Takes over what the record with this index says; `begins` if it is the first of a rise.
    pub(super) fn move_on(&mut self, index: u64, begins: bool, row: i64, reading: &Reading<'_>) {
        if begins {
            self.began = index;
        }
        self.moved = index;
        self.row = row;
        self.value = *reading.value;
        self.is_drawn = reading.is_drawn();
    }

    /// Whether the value is the next one of a believed track, higher than the last, in a record that is otherwise alike.
    pub(super) fn is_followed_by(&self, value: &Value, around: Around<'_>) -> bool {
        self.redrawn
            && self.evidence.is_believed()
            && self.value.kind == value.kind
            && self.value.role == value.role
            && self.value.rest == value.rest
            && self.value.percentage <= value.percentage
            && self.value.total() == value.total()
            && self.labelled.as_deref() == Some(around.before)
    }

    /// Takes over a value that follows the last one.
    pub(super) fn rise(&mut self, index: u64, value: &Value) {
        self.evidence.rise(value);
        self.moved = index;
        self.value = *value;
    }

    /// Brings the label up to date.
    pub(super) fn relabel(&mut self, around: Around<'_>, value: &Value) {
        self.label = around.label(value);
        let is_its_own = value.role == Role::Own
            && value.stand != Stand::Brackets
            && !self.label.is_empty()
            && label::label(around.before, b"") == self.label;
        self.labelled = is_its_own.then(|| around.before.to_vec());
    }

    /// Another item has the place of this one.
    pub(super) fn rename(&mut self, name: String, family: String) {
        if self.is_part() && self.evidence.is_full() && self.value.role != Role::Item {
            let id = id(self.value.kind, &name);
            self.over = Some(std::mem::replace(&mut self.id, id));
        }
        self.name = name;
        self.family = family;
    }

    pub(super) fn is_part(&self) -> bool {
        self.standing != Standing::Own
    }

    /// Whether the count of the items is the whole of which this one is a part.
    pub(super) fn is_item_of(&self, other: &Self) -> bool {
        self.value.role == Role::Item && matches!(other.value.role, Role::Count(_))
    }

    /// Whether the two are bars of the same kind beside each other, with names that differ in digits or files.
    pub(super) fn is_sibling_of(&self, other: &Self) -> bool {
        let is_item = |track: &Self| track.value.role == Role::Item;
        self.redrawn == other.redrawn
            && self.name != other.name
            && self.family == other.family
            && self.value.kind == other.value.kind
            && self.is_drawn == other.is_drawn
            && (self.redrawn || self.is_drawn)
            && !is_item(self)
            && !is_item(other)
    }

    pub(super) fn report(&self) -> Progress<'static> {
        let mut value = self.value;
        let is_under_way = match value.role {
            Role::Step => true,
            Role::Count(item) => item < FULL,
            Role::Own | Role::Item => false,
        };
        if let (Some((done, total)), true) = (value.amount, is_under_way) {
            let done = (done - 1.0).max(0.0);
            value.amount = Some((done, total));
            value.percentage = done / total * 100.0;
        }
        progress(&value)
    }
}

fn id(kind: Kind, name: &str) -> String {
    if !name.contains(char::is_alphabetic) {
        return "item".to_owned();
    }
    let sign = match kind {
        Kind::Percentage => '%',
        Kind::Count => '/',
        Kind::Bytes => 'B',
    };
    format!("{sign} {name}")
}

/// The report of a value, never quite full.
pub(super) fn progress(value: &Value) -> Progress<'static> {
    let mut report = Progress::default();
    match value.amount {
        Some((done, total)) => {
            report.total = Some(total);
            report.unit = (value.kind == Kind::Bytes).then_some(Cow::Borrowed("bytes"));
            if value.percentage <= SHOWN {
                report.progress = Some(done);
            } else {
                report.percentage = Some(SHOWN);
            }
        }
        None => report.percentage = Some(value.percentage.min(SHOWN)),
    }
    report
}
