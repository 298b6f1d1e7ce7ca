//! The page: the recording as columns of JSON, between a style and a script that draw it.
//!
//! No text of the recording is ever part of the markup: `<` does not occur in the JSON, and the script makes text nodes
//! of it. The policy in the head lets this one script and this one style work, and nothing else, from anywhere.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::sink::escape;

use super::bounds;
use super::recording::{Recording, Run, Task};
use super::state::State;
use super::tail::last_lines;

/// Where the pieces go.
const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One script, in this order.
const SCRIPT: &str = concat!(
    include_str!("page/figures.js"),
    include_str!("page/run.js"),
    include_str!("page/header.js"),
    include_str!("page/failures.js"),
    include_str!("page/table.js"),
    include_str!("page/details.js"),
    include_str!("page/curve.js"),
    include_str!("page/chart.js"),
    include_str!("page/lanes.js"),
    include_str!("page/moving.js"),
    include_str!("page/hands.js"),
    include_str!("page/start.js"),
);
/// The Content-Security-Policy, with the hashes of the two: tests/timeline.rs makes it.
const POLICY: &str = include_str!("page/policy");

/// Writes the page of a recording that is called `source`.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write(recording: &Recording, source: &str, out: &mut dyn Write) -> io::Result<()> {
    let source = escape(source);
    let title = recording.runs.last().map_or("", |run| &run.name);
    for (index, piece) in PAGE.split("{{").enumerate() {
        let (slot, text) = match piece.split_once("}}") {
            Some(both) if index > 0 => both,
            _ => ("", piece),
        };
        match slot {
            "policy" => out.write_all(POLICY.trim_end().as_bytes())?,
            "title" => out.write_all(escaped(title).as_bytes())?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "script" => out.write_all(SCRIPT.as_bytes())?,
            "data" => {
                serde_json::to_writer(Unmarked(&mut *out), &Data::of(recording, &source))?;
            }
            _ => {}
        }
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Text within an element of HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            _ => safe.push(character),
        }
    }
    safe
}

/// Writes JSON in which no character begins or ends a piece of markup. They occur only in strings.
struct Unmarked<'a>(&'a mut dyn Write);

impl Write for Unmarked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = (rest.iter()).position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
            self.0.write_all(&rest[..at])?;
            write!(self.0, "\\u{:04x}", rest[at])?;
            rest = &rest[at + 1..];
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What the script reads. Times are in microseconds since the run began; -1 is no time, and no parent.
#[derive(Serialize)]
struct Data<'a> {
    version: &'a str,
    source: &'a str,
    /// How many lines are damaged, and which is the first.
    damaged: (u64, u64),
    /// How many runs before these are left out.
    earlier: usize,
    runs: Vec<RunData<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct RunData<'a> {
    name: &'a str,
    command: &'a str,
    /// Milliseconds since 1970.
    began: Option<u64>,
    jobs: Option<u32>,
    total: Option<u64>,
    single: bool,
    headless: bool,
    cut: bool,
    stopped: Option<&'a str>,
    not_started: u64,
    end: u64,
    warnings: &'a [String],
    unshown: u64,
    more_parts: bool,
    tasks: Tasks<'a>,
    tries: Tries,
    parts: Parts<'a>,
    /// The points of the task with this index: times, shares in thousandths, amounts.
    curves: BTreeMap<usize, CurveData>,
    units: BTreeMap<usize, &'a str>,
    /// What the columns of texts that occur often point to; the first is empty.
    words: Vec<String>,
    /// The last lines of the attempt with this index.
    tails: BTreeMap<usize, String>,
}

/// Times, shares and amounts.
type CurveData = (Vec<u64>, Vec<i32>, Vec<f64>);

#[derive(Default, Serialize)]
struct Tasks<'a> {
    number: Vec<u64>,
    name: Vec<String>,
    command: Vec<String>,
    state: Vec<u8>,
    why: Vec<usize>,
    processor: Vec<u64>,
    memory: Vec<u64>,
    output: Vec<u64>,
    message: BTreeMap<usize, &'a str>,
}

#[derive(Default, Serialize)]
struct Tries {
    task: Vec<usize>,
    slot: Vec<u32>,
    number: Vec<u32>,
    began: Vec<u64>,
    ended: Vec<i64>,
    state: Vec<u8>,
    how: Vec<usize>,
}

#[derive(Default, Serialize)]
struct Parts<'a> {
    task: Vec<usize>,
    title: Vec<&'a str>,
    parent: Vec<i64>,
    began: Vec<u64>,
    ended: Vec<i64>,
    state: Vec<u8>,
}

/// Texts, each kept once.
struct Words {
    indices: HashMap<String, usize>,
    all: Vec<String>,
}

impl Words {
    fn new() -> Self {
        Self {
            indices: HashMap::from([(String::new(), 0)]),
            all: vec![String::new()],
        }
    }

    fn index(&mut self, word: &str) -> usize {
        if let Some(index) = self.indices.get(word) {
            return *index;
        }
        self.all.push(word.to_owned());
        self.indices.insert(word.to_owned(), self.all.len() - 1);
        self.all.len() - 1
    }
}

impl<'a> Data<'a> {
    fn of(recording: &'a Recording, source: &'a str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            source,
            damaged: (recording.damaged.count, recording.damaged.first),
            earlier: recording.earlier,
            runs: recording.runs.iter().map(RunData::of).collect(),
        }
    }
}

impl<'a> RunData<'a> {
    fn of(run: &'a Run) -> Self {
        let began = run.began;
        let began = began.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut data = Self {
            name: &run.name,
            command: &run.command,
            began: began.and_then(|began| began.as_millis().try_into().ok()),
            jobs: run.jobs,
            total: run.total,
            single: run.is_single,
            headless: run.is_headless,
            cut: !run.has_ended,
            stopped: run.stopped,
            not_started: run.not_started,
            end: micros(run.last),
            warnings: &run.warnings,
            unshown: run.unshown,
            more_parts: run.has_more_parts,
            tasks: Tasks::default(),
            tries: Tries::default(),
            parts: Parts::default(),
            curves: BTreeMap::new(),
            units: BTreeMap::new(),
            words: Vec::new(),
            tails: BTreeMap::new(),
        };
        let attempts = || run.tasks.iter().flat_map(|task| &task.attempts);
        let tails = attempts().filter(|attempt| !attempt.lines.is_empty());
        let tails = bounds::tail(tails.count());
        let curves = (run.tasks.iter()).filter(|task| !task.curve.points().is_empty());
        let curves = bounds::curve(curves.count());
        let mut words = Words::new();
        for (index, task) in run.tasks.iter().enumerate() {
            data.task(task, bounds::texts(run.tasks.len()), &mut words);
            data.attempts(index, task, tails, &mut words);
            data.parts(index, task);
            if task.curve.points().len() <= curves.saturating_mul(2) {
                data.curve(index, task);
            }
        }
        data.words = words.all;
        data
    }

    fn task(&mut self, task: &'a Task, (name, command): (usize, usize), words: &mut Words) {
        let tasks = &mut self.tasks;
        if !task.message.is_empty() {
            tasks.message.insert(tasks.number.len(), &task.message);
        }
        tasks.number.push(task.number);
        tasks.name.push(bounds::cut(&task.name, name));
        tasks.command.push(bounds::cut(&task.command, command));
        tasks.state.push(code(task.state));
        tasks.why.push(words.index(&task.why));
        tasks.processor.push(micros(task.processor));
        tasks.memory.push(task.memory);
        tasks.output.push(task.output);
    }

    fn attempts(&mut self, index: usize, task: &Task, length: usize, words: &mut Words) {
        let tries = &mut self.tries;
        for attempt in &task.attempts {
            if !attempt.lines.is_empty() && length > 0 {
                let lines = last_lines(&attempt.lines, length);
                self.tails.insert(tries.task.len(), lines);
            }
            tries.task.push(index);
            tries.slot.push(attempt.slot);
            tries.number.push(attempt.number);
            tries.began.push(micros(attempt.began));
            tries.ended.push(or_none(attempt.ended));
            tries.state.push(code(attempt.state));
            tries.how.push(words.index(&attempt.how));
        }
    }

    fn parts(&mut self, index: usize, task: &'a Task) {
        let parts = &mut self.parts;
        let first = parts.task.len();
        for part in task.parts.all() {
            parts.task.push(index);
            parts.title.push(&part.title);
            let parent = part.parent.map(|parent| first + parent);
            let parent = parent.and_then(|parent| i64::try_from(parent).ok());
            parts.parent.push(parent.unwrap_or(-1));
            parts.began.push(micros(part.began));
            parts.ended.push(or_none(part.ended));
            parts.state.push(code(part.state));
        }
    }

    fn curve(&mut self, index: usize, task: &'a Task) {
        let points = task.curve.points();
        if points.len() < 2 {
            return;
        }
        let times = points.iter().map(|point| micros(point.at)).collect();
        let shares = points.iter().map(|point| thousandths(point.share()));
        let amounts = points.iter().map(|point| point.amount.unwrap_or(-1.0));
        let curve = (times, shares.collect(), amounts.collect());
        self.curves.insert(index, curve);
        if !task.unit.is_empty() {
            self.units.insert(index, &task.unit);
        }
    }
}

/// The place of a state in the script's list of them.
fn code(state: State) -> u8 {
    match state {
        State::Completed => 0,
        State::Failed => 1,
        State::Cancelled => 2,
        State::Open => 3,
        State::Skipped => 4,
        State::Done => 5,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn or_none(time: Option<Duration>) -> i64 {
    time.map_or(-1, |time| {
        i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a share is from 0 to 1")]
fn thousandths(share: Option<f64>) -> i32 {
    share.map_or(-1, |share| (share * 1000.0).round() as i32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the lines of a file are: the page has its own two scripts, and its data can be read.
        #[test]
        fn a_page_can_be_made_of_anything(
            text in any::<String>(),
            numbers in prop::collection::vec(any::<f64>(), 4),
            kinds in prop::collection::vec(0..13_usize, 1..20),
            wild in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            const KINDS: [&str; 13] = [
                "run", "total", "started", "progress", "output", "malformed", "state", "signal", "warning",
                "finished", "skipped", "halted", "end",
            ];
            let text = serde_json::to_string(&format!("</script>{text}<!--")).unwrap();
            let number = |index: usize| serde_json::Value::from(numbers[index % 4].abs());
            let mut file = Vec::new();
            for (index, kind) in kinds.iter().enumerate() {
                let attempt = if index % 3 == 0 { "" } else { r#""attempt":1,"slot":3,"# };
                file.extend(format!(
                    r#"{{"event":"{}","task":{},"elapsed":{},{attempt}"name":{text},"command":[{text}],"message":{text},"info":{{"id":{text},"progress":{},"title":{text}}},"text":{text},"user_time":{}}}"#,
                    KINDS[*kind], index % 2, number(index), number(index + 1), number(index + 2)
                ).into_bytes());
                file.push(b'\n');
                file.extend(&wild);
            }
            let Ok(recording) = super::super::read(&mut &file[..]) else { return Ok(()) };
            let mut page = Vec::new();
            write(&recording, "</title>", &mut page).unwrap();
            let page = String::from_utf8(page).unwrap();
            prop_assert_eq!(page.matches("<script").count(), 2);
            prop_assert_eq!(page.matches("</script").count(), 2);
            prop_assert_eq!(page.matches("</title").count(), 1);
            let (_, data) = page.split_once("id=\"data\">").unwrap();
            let (data, _) = data.split_once("</script>").unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(data).is_ok());
        }
    }
}
