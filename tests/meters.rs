//! Short streams of many programs with the times between their writes, most of them written by hand: what is a meter,
//! and what looks like one.
//!
//! `tests/meters` holds the cases, as `NAME.txt`. Each line of a file is one write, with `\r`, `\n`, `\t`, `\b`, `\a`,
//! `\e`, `\0`, `\\` and `\xNN`. `@gap MS` sets the time after each write, 120 ms at first; `@sleep MS` is a pause;
//! `@err` and `@out` change the stream; `#!` begins a comment. `TRUTH.tsv` has a line for each case: its name, a tab, the
//! truth, a tab, and what it is. The truth is `none`, the percentage that stands there at the end, or `any` where a
//! reader cannot know. The table is in `docs/formats.md`; `PROGRUN_BLESS=1 cargo test --test suite corpus` writes it.
//!
//! `PROGRUN_METERS=DIRECTORY cargo test --test suite meters -- --nocapture` plays other cases and prints their table.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use progrun::internals::Place;

use crate::playback::{Found, Playback};
use crate::random::Pieces;

/// Cases that are read wrongly or not at all, and may be. One that is read again has to be removed.
const KNOWN: &[&str] = &["a13-gridsearch-folds"];

/// The largest difference of a percentage from the truth, in points.
const NEAR: f64 = 1.5;

/// What is shown of a meter that is full: only the end of the program says that all is done.
const FULL: f64 = 99.9;

struct Case {
    name: String,
    truth: Truth,
    about: String,
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Truth {
    /// There is no progress.
    Nothing,
    /// The last percentage.
    Last(f64),
    /// It could be either.
    Either,
}

/// What the program does.
enum Step {
    Write(Place, Vec<u8>),
    Wait(Duration),
}

impl Case {
    fn read(name: &str, truth: &str, about: &str, text: &str) -> Self {
        let truth = match truth {
            "none" => Truth::Nothing,
            "any" => Truth::Either,
            last => Truth::Last(last.parse().expect(name)),
        };
        let mut case = Self {
            name: name.to_owned(),
            truth,
            about: about.to_owned(),
            steps: Vec::new(),
        };
        let (mut gap, mut place) = (Duration::from_millis(120), Place::Stdout);
        for line in text.lines() {
            let milliseconds = |number: &str| Duration::from_millis(number.parse().expect(name));
            if line.starts_with("#!") {
            } else if let Some(number) = line.strip_prefix("@gap ") {
                gap = milliseconds(number);
            } else if let Some(number) = line.strip_prefix("@sleep ") {
                case.steps.push(Step::Wait(milliseconds(number)));
            } else if line == "@err" {
                place = Place::Stderr;
            } else if line == "@out" {
                place = Place::Stdout;
            } else {
                case.steps.push(Step::Write(place, unescaped(line)));
                case.steps.push(Step::Wait(gap));
            }
        }
        case
    }

    /// The same on a terminal, where both streams are one, and a line ends with `\r\n`.
    fn on_terminal(&self) -> Vec<Step> {
        let steps = self.steps.iter().map(|step| match step {
            Step::Wait(time) => Step::Wait(*time),
            Step::Write(_, bytes) => {
                let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
                Step::Write(Place::Stdout, lines.join(&b"\r\n"[..]))
            }
        });
        steps.collect()
    }

    /// A part is no answer where there is progress, and too much where there is none.
    fn verdict(&self, found: &Found) -> &'static str {
        match (self.truth, found.whole().last()) {
            (Truth::Either, _) => "either",
            (Truth::Nothing, _) if found.percentages.is_empty() => "silent",
            (Truth::Last(_), None) => "missed",
            (Truth::Last(truth), Some(last)) if (last - truth.min(FULL)).abs() <= NEAR => "right",
            (Truth::Nothing, _) | (Truth::Last(_), Some(_)) => "wrong",
        }
    }
}

/// Plays a case; `cut` cuts each write into pieces.
fn play<'a, Pieces>(steps: &'a [Step], cut: impl Fn(&'a [u8]) -> Pieces) -> Found
where
    Pieces: Iterator<Item = &'a [u8]>,
{
    let mut playback = Playback::new();
    for step in steps {
        match step {
            Step::Wait(time) => playback.wait(*time),
            Step::Write(place, bytes) => {
                cut(bytes).for_each(|piece| playback.write(*place, piece));
            }
        }
    }
    playback.finish(Place::Stdout);
    playback.finish(Place::Stderr);
    playback.found()
}

fn play_whole(steps: &[Step]) -> Found {
    play(steps, std::iter::once)
}

fn unescaped(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'b', ..]) => (b'\x08', 2),
            (b'\\', [b'e', ..]) => (b'\x1b', 2),
            (b'\\', [b'a', ..]) => (b'\x07', 2),
            (b'\\', [b'0', ..]) => (b'\0', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => {
                let digit = |digit: u8| char::from(digit).to_digit(16).expect(line);
                let byte = digit(*high) * 16 + digit(*low);
                (u8::try_from(byte).unwrap(), 4)
            }
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

fn cases() -> Vec<Case> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/meters");
    let folder = std::env::var_os("PROGRUN_METERS").map_or(committed, PathBuf::from);
    let truths = fs::read_to_string(folder.join("TRUTH.tsv")).unwrap();
    let cases: Vec<_> = truths
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().expect(line);
            let (name, truth, about) = (field(), field(), field());
            let text = fs::read_to_string(folder.join(name).with_extension("txt")).expect(name);
            Case::read(name, truth, about, &text)
        })
        .collect();
    let named: BTreeSet<_> = cases.iter().map(|case| case.name.clone()).collect();
    let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap());
    let texts = files.filter_map(|file| {
        let name = file.file_name().into_string().unwrap();
        name.strip_suffix(".txt").map(str::to_owned)
    });
    assert_eq!(texts.collect::<BTreeSet<_>>(), named, "TRUTH.tsv");
    cases
}

/// What is found in each case, as a table for people.
pub(crate) fn table() -> String {
    let mut table = String::from(
        "| case | what it is | truth | reports | last % | verdict |\n\
         |---|---|---|---|---|---|\n",
    );
    for case in cases() {
        let truth = match case.truth {
            Truth::Nothing => "none".to_owned(),
            Truth::Either => "either".to_owned(),
            Truth::Last(last) => last.to_string(),
        };
        let (found, piped) = (play_whole(&case.on_terminal()), play_whole(&case.steps));
        let last = found.whole().last().map(|last| format!("{last:.1}"));
        let mut verdict = case.verdict(&found).to_owned();
        let piped = case.verdict(&piped);
        if verdict != piped {
            let _ = write!(verdict, ", {piped} in pipes");
        }
        let _ = writeln!(
            table,
            "| {} | {} | {truth} | {} | {} | {verdict} |",
            case.name,
            case.about,
            found.reports.len(),
            last.unwrap_or_default(),
        );
    }
    table
}

#[test]
fn meters_are_found_and_what_looks_like_one_is_not() {
    if std::env::var_os("PROGRUN_METERS").is_some() {
        #[expect(clippy::print_stdout, reason = "it was asked for")]
        {
            println!("{}", table());
        }
        return;
    }
    let cases = cases();
    let is_good = |case: &&Case| {
        let is_bad =
            |steps: &[Step]| matches!(case.verdict(&play_whole(steps)), "wrong" | "missed");
        !is_bad(&case.on_terminal()) && !is_bad(&case.steps)
    };
    let bad = cases.iter().filter(|case| !is_good(case));
    let bad: BTreeSet<_> = bad.map(|case| case.name.as_str()).collect();
    assert_eq!(bad, KNOWN.iter().copied().collect());
}

#[test]
fn a_case_says_the_same_wherever_a_write_is_cut() {
    for case in cases() {
        for steps in [&case.steps, &case.on_terminal()] {
            let whole = play_whole(steps).reports;
            let bytes = play(steps, |write| write.chunks(1)).reports;
            assert!(whole == bytes, "{}: byte by byte", case.name);
            for seed in 1..=3 {
                let pieces = play(steps, |write| Pieces::new(write, seed)).reports;
                assert!(whole == pieces, "{}: cut with seed {seed}", case.name);
            }
        }
    }
}
