//! Progress in the JSON objects that programs print, an object a line: which program an object belongs to, and what it
//! says.
//!
//! Knows how an object is found in a line and how a row of the table is read. The table (`json/rows.rs`) says what each
//! program writes. Where a program says only what happened, a small state machine beside the table counts. Refuses to
//! know where lines come from, and progrun's own objects. An object that fits no row is left to other dialects.

mod buildkit;
mod cargo;
mod docker;
mod libtest;
mod nix;
mod pnpm;
mod rclone;
mod rows;
mod tally;
mod terraform;

use std::borrow::Cow;

use serde_json::{Deserializer, Value};

use super::prefixes::Prefix;
use super::{Each, Format, Lines};
use crate::model::verdict::Meaning;
use crate::protocol::{Progress, Status};
use rows::PROGRAMS;

/// The entries of `--list-formats` for the programs in the table.
pub const FORMATS: &[Format] = &rows::FORMATS;

/// Most live ids remembered per program: a screen shows no more.
const LIVE_LIMIT: usize = 1000;
/// The longest id that is used, in bytes. No program has longer ones.
const ID_LIMIT: usize = 1024;

/// A program that writes JSON, and how its objects are read.
#[derive(Debug)]
struct Program {
    format: Format,
    /// What stands before the object on its line.
    prefix: &'static str,
    /// Each line of the program holds one of these keys, with its first quotation mark. No other line is parsed.
    keys: &'static [&'static str],
    /// The kinds of its objects. The first row that fits is used.
    rows: &'static [Row],
    /// The state machine that counts; none where each object says it all.
    machine: Option<fn() -> Box<dyn Machine>>,
}

/// A kind of object: how it is recognised, and where the values stand in it.
///
/// A place is like a JSON pointer (`/stats/bytes`). A text is a template, in which `{/stats/bytes}` stands for the
/// value at that place; an empty template gives no text. A value that is missing, null or no number is not reported.
#[derive(Debug)]
struct Row {
    /// All of these hold.
    when: &'static [When],
    /// Whether the object only says how far things are, so that the next one replaces it. A screen with a bar need not
    /// show it.
    passing: bool,
    /// If the template is not empty but gives no id, the object is not reported: it would be taken for the task itself.
    id: &'static str,
    parent: &'static str,
    title: &'static str,
    /// The first template that can be filled.
    message: &'static [&'static str],
    unit: &'static str,
    progress: &'static str,
    total: &'static str,
    /// From 0 to 100.
    percentage: &'static str,
    /// From 0 to 1.
    fraction: &'static str,
    eta: &'static str,
    /// The first whose condition holds.
    status: &'static [(When, Status)],
}

/// A condition on an object.
#[derive(Debug)]
enum When {
    /// There is a value at the place.
    Has(&'static str),
    /// The value is one of these words; a number or a truth value is compared as its JSON text.
    Is(&'static str, &'static [&'static str]),
    /// The value begins so.
    Begins(&'static str, &'static str),
}

/// Receives the reports of a machine.
type Emit<'a> = &'a mut dyn FnMut(&Progress<'_>);

/// Counts for a program whose objects say only what happened. What it keeps is bounded.
trait Machine: Send {
    /// Takes in an object of the program. `report` is what its row made of it. The machine hands it on, adds to it, or
    /// drops it.
    fn object(&mut self, object: &Value, report: Progress<'_>, emit: Emit<'_>);
}

/// Reads the lines of one stream.
pub struct Json {
    /// The places of the selected programs in the table, and their machines.
    programs: Vec<(usize, Option<Box<dyn Machine>>)>,
    /// The format of the line that was read last, if all of it says only how far things are.
    passing: Option<&'static str>,
}

impl Json {
    /// Reads the formats whose names are selected.
    #[must_use]
    pub fn new(selected: impl Fn(&str) -> bool) -> Self {
        let programs = PROGRAMS.iter().enumerate();
        let selected = programs.filter(|(_, it)| selected(it.format.name));
        Self {
            programs: selected
                .map(|(index, it)| (index, it.machine.map(|make| make())))
                .collect(),
            passing: None,
        }
    }
}

impl Lines for Json {
    fn prefix(&self) -> Prefix {
        Prefix::Begins(&["{", rows::NIX])
    }

    fn is_for_machines(&self) -> bool {
        true
    }

    fn meaning(&mut self) -> Option<(&'static str, Meaning)> {
        self.passing
            .take()
            .map(|source| (source, Meaning::Progress))
    }

    fn line(&mut self, line: &str, each: Each<'_>) -> bool {
        self.passing = None;
        let Some((prefix, text)) = beginning(line) else {
            return false;
        };
        let known = Known::of(prefix, text);
        let programs = self.programs.iter_mut();
        let mut programs: Vec<_> = programs.filter(|(it, _)| known.contains(*it)).collect();
        if programs.is_empty() {
            return false;
        }
        let mut ours = false;
        // The format of all objects so far that only say how far things are, if there is one.
        let mut passing = None;
        let mut words = line.starts_with(|first: char| first.is_ascii_whitespace());
        for object in objects(text) {
            let mut found = None;
            ours |= programs.iter_mut().any(|(index, machine)| {
                let program = &PROGRAMS[*index];
                let Some(row) = program.row(&object) else {
                    return false;
                };
                found = row.passing.then_some(program.format.name);
                let report = row.report(&object);
                let emit = &mut |report: &Progress<'_>| {
                    if !report.is_empty() {
                        each(program.format.name, report);
                    }
                };
                match machine {
                    Some(machine) => machine.object(&object, report, emit),
                    None => emit(&report),
                }
                true
            });
            words |= found.is_none() || passing.is_some_and(|passing| found != Some(passing));
            passing = found;
        }
        self.passing = passing.filter(|_| !words);
        ours
    }
}

/// What stands before the first object of a line, and the rest from that on. None if the line has none.
fn beginning(line: &str) -> Option<(&str, &str)> {
    // Go programs erase the line (EL) before they print it on a terminal.
    const ERASE: &str = "\x1b[2K";
    let mut line = line.trim_start();
    while let Some(rest) = line.strip_prefix(ERASE) {
        line = rest.trim_start();
    }
    let (prefix, text) = match line.split_at_checked(rows::NIX.len()) {
        Some(parts) if parts.0 == rows::NIX => parts,
        _ => ("", line),
    };
    text.starts_with('{').then_some((prefix, text))
}

/// The objects of a line. There may be several: two threads print at once, or the next header follows without a
/// newline. Anything that is no object ends the search.
fn objects(text: &str) -> impl Iterator<Item = Value> {
    let values = Deserializer::from_str(text).into_iter();
    values.map_while(Result::ok).take_while(Value::is_object)
}

/// The programs whose objects a text may hold: a bit for each in the table.
#[derive(Clone, Copy, Default, PartialEq)]
struct Known(u32);

impl Known {
    /// Looks for keys only.
    fn of(prefix: &str, text: &str) -> Self {
        let text = text.as_bytes();
        let mut known = 0;
        for start in memchr::memchr_iter(b'"', text) {
            let word = &text[start..];
            let initial = word.get(1).copied().unwrap_or(0);
            let mut candidates = BY_INITIAL[usize::from(initial)] & !known;
            while candidates != 0 {
                let bit = candidates & candidates.wrapping_neg();
                candidates ^= bit;
                let program = &PROGRAMS[bit.trailing_zeros() as usize];
                let mut keys = program.keys.iter().map(|key| key.as_bytes());
                if program.prefix == prefix && keys.any(|key| word.starts_with(key)) {
                    known |= bit;
                }
            }
        }
        Self(known)
    }

    fn contains(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }
}

/// The programs by the first letters of their keys, by which nearly every word of another program's object is ruled
/// out.
static BY_INITIAL: [u32; 256] = {
    let mut programs = [0; 256];
    let mut index = 0;
    while index < PROGRAMS.len() {
        let mut keys = PROGRAMS[index].keys;
        while let [key, rest @ ..] = keys {
            programs[key.as_bytes()[1] as usize] |= 1 << index;
            keys = rest;
        }
        index += 1;
    }
    programs
};

impl Program {
    fn row(&self, object: &Value) -> Option<&'static Row> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.when.iter().all(|when| when.holds(object)))
    }
}

impl Row {
    /// A row that recognises nothing in particular, and says nothing.
    const EMPTY: Self = Self {
        when: &[],
        passing: false,
        id: "",
        parent: "",
        title: "",
        message: &[],
        unit: "",
        progress: "",
        total: "",
        percentage: "",
        fraction: "",
        eta: "",
        status: &[],
    };

    fn report<'a>(&self, object: &'a Value) -> Progress<'a> {
        let id = fill(self.id, object).filter(|id| id.len() <= ID_LIMIT);
        if id.is_none() && !self.id.is_empty() {
            return Progress::default();
        }
        let number = |place| amount(at(object, place)?);
        let progress = number(self.progress);
        let total = number(self.total).filter(|total| *total > 0.0);
        let percentage = || {
            let fraction = || number(self.fraction).map(|fraction| fraction * 100.0);
            number(self.percentage)
                .or_else(fraction)
                .filter(|percentage| *percentage <= 100.0)
        };
        let amounts = progress.is_some() && total.is_some();
        let mut messages = self.message.iter();
        let mut status = self.status.iter();
        Progress {
            progress,
            total,
            percentage: if amounts { None } else { percentage() },
            unit: (!self.unit.is_empty() && (progress.is_some() || total.is_some()))
                .then_some(Cow::Borrowed(self.unit)),
            message: messages.find_map(|message| fill(message, object)),
            id,
            parent: fill(self.parent, object),
            title: fill(self.title, object),
            status: status
                .find(|(when, _)| when.holds(object))
                .map(|(_, status)| *status),
            eta: number(self.eta),
        }
    }
}

impl When {
    fn holds(&self, object: &Value) -> bool {
        let text = |place| at(object, place).and_then(text);
        match self {
            Self::Has(place) => at(object, place).is_some_and(|value| !value.is_null()),
            Self::Is(place, words) => text(place).is_some_and(|text| words.contains(&&*text)),
            Self::Begins(place, beginning) => {
                text(place).is_some_and(|text| text.starts_with(beginning))
            }
        }
    }
}

/// A template filled from an object; none if a value that it names is missing.
fn fill<'a>(template: &'static str, object: &'a Value) -> Option<Cow<'a, str>> {
    let mut filled = Cow::Borrowed("");
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}')?;
        // Borrows as long as the template is a single place.
        filled += before;
        filled += text(at(object, place)?)?;
        rest = after;
    }
    filled += rest;
    (!filled.is_empty()).then_some(filled)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        _ => None,
    }
}

fn amount(value: &Value) -> Option<f64> {
    value.as_f64().filter(|amount| *amount >= 0.0)
}

/// The value at a place of an object. (`Value::pointer` does the same, and allocates for each step.)
fn at<'a>(object: &'a Value, place: &str) -> Option<&'a Value> {
    let mut steps = place.split('/').skip(1);
    steps.try_fold(object, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The word at a place of an object.
fn word<'a>(object: &'a Value, place: &str) -> Option<&'a str> {
    at(object, place)?.as_str()
}

/// The items of a list at a place, none if there is none.
fn items<'a>(object: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    let list = at(object, place).and_then(Value::as_array);
    list.into_iter().flatten()
}
