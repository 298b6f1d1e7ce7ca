//! Recorded streams of real programs, read as if they passed through progrun, and the table of what progrun finds in
//! them.
//!
//! `tests/corpus` holds the streams, cut to the part that matters, as `PROGRAM/CASE.CHANNEL`. The channel is `stdout`,
//! `stderr`, `tty` (both on a terminal) or `fd3` (the channel, or the descriptor that `ZIG_PROGRESS` names). To add a
//! stream, add its file, and a line in [`TRUTHS`] if it contains progress. The streams have no times: the tests read
//! one line after the other, but all lines of a `CASE` that begins with `table_` at once. The table is
//! `docs/formats.md`; `PROGRUN_BLESS=1 cargo test --test suite corpus` writes it.
//!
//! `PROGRUN_CORPUS=DIRECTORY cargo test --test suite corpus -- --nocapture` reads a larger collection and prints its
//! table.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use progrun::internals::VerbatimLine;
use progrun::internals::{Dialects, Place, Selection};
use serde_json::Value;

/// The progress in the streams, by the beginning of their names; the first line that fits counts. A stream without a
/// line contains none. Of several patterns, the first is the progress to be found; the others are about parts of it,
/// and to find them is no error.
///
/// A pattern matches the first place in a record that looks like it. `{n}` is a number from 0 to 100, or an amount of
/// the total `{m}`, either with a unit; `{f}` a number from 0 to 1; `*` anything; a blank any number of blanks.
const TRUTHS: &[(&str, Truth)] = &[
    ("apt-get/conffile_status-fd3.fd3", Truth::Format("apt")),
    ("apt-get/env_APT_CONFIG.fd3", Truth::Format("apt")),
    ("apt-get/install_fail_status-fd3.fd3", Truth::Format("apt")),
    ("apt-get/install_status-fd3.fd3", Truth::Format("apt")),
    ("apt-get/install_status-fd3_qq.fd3", Truth::Format("apt")),
    ("borg/check_logjson", Truth::Format("borg")),
    ("borg/compact_logjson", Truth::Format("borg")),
    ("borg/create_list_logjson", Truth::Format("borg")),
    ("borg/extract_logjson", Truth::Format("borg")),
    ("cargo/build_json.stdout", Truth::Format("cargo")),
    ("dpkg/conf1.fd3", Truth::Format("dpkg")),
    ("dpkg/conffile_prompt.fd3", Truth::Format("dpkg")),
    ("dpkg/install_ok.fd3", Truth::Format("dpkg")),
    ("e2fsck/C3", Truth::Format("e2fsck")),
    ("ffmpeg/audio_progress", Truth::Format("ffmpeg")),
    ("ffmpeg/default_pipe", Truth::Format("ffmpeg")),
    ("ffmpeg/killed_progress", Truth::Format("ffmpeg")),
    ("ffmpeg/progress_pipe3", Truth::Format("ffmpeg")),
    ("gpg/decrypt_status-fd3.fd3", Truth::Format("gpg")),
    ("nix/build_fail_internal", Truth::Format("nix")),
    ("nix/build_internal", Truth::Format("nix")),
    ("nix/fetch_internal_json.stderr", Truth::Format("nix")),
    ("pnpm/install_ndjson", Truth::Format("pnpm")),
    ("rclone/json_stats", Truth::Format("rclone")),
    (
        "restic/backup_json_unreadable.stdout",
        Truth::Format("restic"),
    ),
    ("restic/backup_json.", Truth::Format("restic")),
    ("restic/backup_json_fps", Truth::Format("restic")),
    ("restic/backup_json_tty", Truth::Format("restic")),
    ("service-messages/", Truth::Format("teamcity")),
    ("tap/node_test_tap", Truth::Format("tap")),
    ("tap/raw_tap", Truth::Format("tap")),
    ("yt-dlp/progress_template_json", Truth::Format("yt-dlp")),
    ("zig/build_tty", Truth::Format("osc")),
    ("zig/", Truth::Format("zig")),
    ("7z/", Truth::Patterns(&["{n}%"])),
    // apt shows several percentages; the first pattern is that of the installation. apt reads its database before.
    (
        "apt-get/install_fancy_tty.tty",
        Truth::Patterns(&[
            "Progress: [ {n}%]",
            "lists... {n}%",
            "tree... {n}%",
            "{n}% [",
        ]),
    ),
    ("aria2c/", Truth::Patterns(&["{n}/{m}(", ")][#* {n}/{m}("])),
    ("borg/extract_tty", Truth::Patterns(&["{n}% Extracting"])),
    ("cargo/build_t", Truth::Patterns(&["] {n}/{m}:"])),
    ("cargo/fail_tty", Truth::Patterns(&["] {n}/{m}:"])),
    ("cmake/ctest.stdout", Truth::Patterns(&["{n}/{m} Test"])),
    ("cmake/make", Truth::Patterns(&["[ {n}%]"])),
    // Without a length there are bytes and no percentage.
    ("curl/default_nolen", Truth::Amounts),
    ("curl/default_404", Truth::Amounts),
    ("curl/hash", Truth::Patterns(&["{n}%"])),
    ("curl/parallel_Z", Truth::Patterns(&["{n} -- {n}"])),
    ("curl/", Truth::Patterns(&["{n}  {n}"])),
    ("e2fsck/C0", Truth::Patterns(&["| {n}%"])),
    ("gauge/dialog", Truth::Patterns(&["{n}%"])),
    ("gauge/whiptail", Truth::Patterns(&["{n}%"])),
    ("git/", Truth::Patterns(&["% ({n}/{m})"])),
    ("mksquashfs/", Truth::Patterns(&["] {n}/{m}"])),
    ("ninja/", Truth::Patterns(&["[{n}/{m}"])),
    ("nix/build_bar", Truth::Patterns(&["/{n}/{m} built"])),
    (
        "pip/download_raw",
        Truth::Patterns(&["Progress {n} of {m}"]),
    ),
    ("pip/env_raw", Truth::Patterns(&["Progress {n} of {m}"])),
    ("pip/install_raw", Truth::Patterns(&["Progress {n} of {m}"])),
    ("pip/download_tty", Truth::Patterns(&["{n}/{m} "])),
    ("pv/F_pipe", Truth::Patterns(&["] {n}%"])),
    ("pv/cursor_two", Truth::Patterns(&["] {n}%"])),
    ("pv/default", Truth::Patterns(&["] {n}%"])),
    ("pyother/alive.tty", Truth::Patterns(&["{n}/{m}"])),
    ("pyother/click.tty", Truth::Patterns(&["] {n}%"])),
    ("pyother/rich.tty", Truth::Patterns(&["{n}% "])),
    ("pyother/rich_FORCE", Truth::Patterns(&["{n}% "])),
    ("pytest/count", Truth::Patterns(&["[ {n}/{m}]"])),
    ("pytest/default", Truth::Patterns(&["[ {n}%]"])),
    (
        "pytest/env_addopts.stdout",
        Truth::Patterns(&["[ {n}/{m}]"]),
    ),
    ("pytest/terminalprogress", Truth::Patterns(&["9;4;*;{n}"])),
    ("qemu-img/", Truth::Patterns(&["({n}/100%)"])),
    (
        "rclone/",
        Truth::Patterns(&[
            "Transferred: {n} / {m}",
            "Transferred: {n} / {m}",
            ": {n}% /",
        ]),
    ),
    ("restic/backup_tty", Truth::Patterns(&["] {n}%"])),
    ("rsync/", Truth::Patterns(&[" {n}% "])),
    ("service-messages/", Truth::Patterns(&["[ {n}%]"])),
    ("tqdm/slowinterval", Truth::Patterns(&["{n}/{m} "])),
    ("tqdm/", Truth::Patterns(&["| {n}/{m} ["])),
    ("wget/", Truth::Patterns(&["{n}%"])),
    ("xz/v_alarm", Truth::Patterns(&["{n} %"])),
    ("yt-dlp/default", Truth::Patterns(&["[download] {n}% of"])),
    ("yt-dlp/console", Truth::Patterns(&["[download] {n}% of"])),
    (
        "yt-dlp/newline_pipe.stdout",
        Truth::Patterns(&["[download] {n}% of"]),
    ),
    (
        "zig/build_tty",
        Truth::Patterns(&["9;4;1;{n}", "[{n}/{m}] "]),
    ),
    ("zstd/progress", Truth::Patterns(&["Read: {n} / {m}"])),
];

#[derive(Clone, Copy)]
enum Truth {
    /// No progress. Also used if the pattern is not in the stream.
    Nothing,
    /// Progress, but no percentage.
    Amounts,
    Patterns(&'static [&'static str]),
    /// Progress in this format, which states its numbers exactly. They are not compared here.
    Format(&'static str),
}

/// The largest difference of a percentage from the truth, in points: many programs round.
const NEAR: f64 = 1.6;

/// The most records that a match may skip. A percentage that only fits a later record is taken for a part or a
/// repetition, if it fits one of those.
const AHEAD: usize = 2;

/// The time from line to line. The recorded streams have none.
const LINE: Duration = Duration::from_millis(60);

/// What was found in a stream.
#[derive(Default)]
struct Found {
    formats: BTreeSet<&'static str>,
    reports: Vec<String>,
    percentages: Vec<f64>,
}

fn place(path: &Path) -> Place {
    let channel = path.extension().unwrap().to_str().unwrap();
    let zig = path.parent().unwrap().ends_with("zig");
    match channel {
        "stdout" | "tty" => Place::Stdout,
        "stderr" => Place::Stderr,
        "fd3" if zig => Place::Zig,
        _ => Place::Channel,
    }
}

/// A table is printed at once.
fn pace(name: &str) -> Duration {
    if name.contains("/table_") {
        Duration::ZERO
    } else {
        LINE
    }
}

fn read(
    place: Place,
    stream: &[u8],
    pieces: &mut dyn Iterator<Item = &[u8]>,
    line: Duration,
) -> Found {
    let mut now = Instant::now();
    let mut found = Found::default();
    let mut dialects = Dialects::new(Selection::Auto, true);
    if place == Place::Channel {
        // A program writes a line with one write, so it arrives in one piece.
        dialects.claims_channel(stream);
    }
    for piece in pieces.flat_map(|piece| piece.split_inclusive(|byte| *byte == b'\n')) {
        dialects.feed(place, piece, now);
        found.take(&mut dialects);
        if piece.ends_with(b"\n") {
            now += line;
        }
    }
    dialects.finish(place, now);
    found.take(&mut dialects);
    let mut totals = HashMap::new();
    for report in &found.reports {
        found.percentages.extend(percentage(report, &mut totals));
    }
    found
}

impl Found {
    fn take(&mut self, dialects: &mut Dialects) {
        let reports = dialects.take();
        for line in reports.verbatim.iter() {
            let VerbatimLine::Info(report) = line else {
                panic!("what other programs write is never malformed: {line:?}");
            };
            self.reports.push(report.to_owned());
            self.formats.extend(reports.source);
        }
    }
}

/// The percentage of a part after this report.
fn percentage(report: &str, totals: &mut HashMap<String, f64>) -> Option<f64> {
    let report: Value = serde_json::from_str(report).unwrap();
    let total = totals.entry(report["id"].to_string()).or_default();
    *total = report["total"].as_f64().unwrap_or(*total);
    let amount = report["progress"].as_f64().filter(|_| *total > 0.0);
    let share = amount.map(|amount| amount / *total * 100.0);
    share.or(report["percentage"].as_f64())
}

/// The percentages that the pattern finds, in the order of the records.
fn truths(pattern: &str, stream: &[u8]) -> Vec<f64> {
    let stream = without_colours(&String::from_utf8_lossy(stream));
    let control = |character: char| character.is_ascii_control() && character != '\t';
    let records = stream.split(control);
    let at_start = |text: &str| {
        let (mut done, mut total) = (None, None);
        fits(pattern, text, &mut done, &mut total).then_some(())?;
        Some(done? / total.unwrap_or(100.0) * 100.0)
    };
    records
        .filter_map(|record| {
            record
                .char_indices()
                .find_map(|(at, _)| at_start(&record[at..]))
        })
        .filter(|percentage| (0.0..=100.0).contains(percentage))
        .collect()
}

fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|next: char| next.is_ascii_digit() || next == ';');
        match rest.strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend(["\x1b[", piece]),
        }
    }
    plain
}

fn fits(pattern: &str, text: &str, done: &mut Option<f64>, total: &mut Option<f64>) -> bool {
    if pattern.is_empty() {
        return true;
    }
    if let Some(pattern) = pattern.strip_prefix(' ') {
        return fits(pattern, text.trim_start_matches([' ', '\t']), done, total);
    }
    if let Some(pattern) = pattern.strip_prefix('*') {
        let mut places = text.char_indices().map(|(at, _)| at);
        let before = (*done, *total);
        return places.any(|at| {
            (*done, *total) = before;
            fits(pattern, &text[at..], done, total)
        });
    }
    for (name, of) in [("{n}", 100.0), ("{m}", 100.0), ("{f}", 1.0)] {
        if let Some(pattern) = pattern.strip_prefix(name) {
            let Some((number, rest)) = number(text) else {
                return false;
            };
            let into = if name == "{m}" {
                &mut *total
            } else {
                &mut *done
            };
            // A second number in the same place only has to be there.
            into.get_or_insert(number * 100.0 / of);
            return fits(pattern, rest, done, total);
        }
    }
    let mut literal = pattern.chars();
    let first = literal.next().unwrap();
    text.strip_prefix(first)
        .is_some_and(|text| fits(literal.as_str(), text, done, total))
}

/// A number at the beginning of the text, with a unit if it has one, and what follows.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|character: char| !(character.is_ascii_digit() || character == '.'));
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let (word, after) = {
        let rest = rest.trim_start_matches(' ');
        rest.split_at(
            rest.find(|next: char| !next.is_ascii_alphabetic())
                .unwrap_or(rest.len()),
        )
    };
    let factor = match word {
        "B" => 1.0,
        "K" | "KiB" => 1024.0,
        "M" | "MiB" => 1024.0 * 1024.0,
        "G" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Some((number, rest)),
    };
    Some((number * factor, after))
}

/// Right: most of the truth is found, and hardly anything else. Partial: less than that. Silent: no progress, and none
/// found. Missed: progress, but none found. Wrong: everything else.
fn verdict(name: &str, stream: &[u8], found: &Found) -> &'static str {
    let truth = TRUTHS.iter().find(|(prefix, _)| name.starts_with(prefix));
    let truth = truth.map_or(Truth::Nothing, |(_, truth)| *truth);
    if let Truth::Format(format) = truth {
        return match found.formats.iter().eq([&format]) {
            true => "right",
            false if found.formats.is_empty() => "missed",
            false => "wrong",
        };
    }
    if let Truth::Amounts = truth {
        let zero = found
            .percentages
            .iter()
            .all(|percentage| *percentage == 0.0);
        return match zero {
            _ if found.reports.is_empty() => "missed",
            true => "right",
            false => "wrong",
        };
    }
    let patterns = match truth {
        Truth::Patterns(patterns) => patterns,
        _ => &[],
    };
    let mut all = patterns.iter().map(|pattern| truths(pattern, stream));
    let truths = all.next().unwrap_or_default();
    let parts: Vec<f64> = all.flatten().collect();
    if truths.is_empty() {
        return if found.reports.is_empty() {
            "silent"
        } else {
            "wrong"
        };
    }
    let (mut hits, mut bad, mut at) = (0, 0, 0);
    for percentage in &found.percentages {
        let near = |truth: &f64| (truth - percentage).abs() <= NEAR;
        let next = truths[at..].iter().position(near);
        match next {
            Some(next) if next <= AHEAD => (hits, at) = (hits + 1, at + next),
            // About a part, or one of the last truths again.
            _ if parts.iter().any(near) || truths[..at].iter().rev().take(3).any(near) => {}
            Some(next) => (hits, at) = (hits + 1, at + next),
            None => bad += 1,
        }
    }
    if found.percentages.is_empty() {
        "missed"
    } else if bad * 20 > found.percentages.len() {
        "wrong"
    } else if hits * 10 >= truths.len() * 6 {
        "right"
    } else {
        "partial"
    }
}

/// All streams below a directory, by name.
fn streams(root: &Path) -> Vec<(String, PathBuf)> {
    let mut streams = Vec::new();
    for program in fs::read_dir(root).unwrap() {
        let program = program.unwrap().path();
        if !program.is_dir() {
            continue;
        }
        for file in fs::read_dir(&program).unwrap() {
            let file = file.unwrap().path();
            let channel = file.extension().and_then(|extension| extension.to_str());
            if matches!(channel, Some("stdout" | "stderr" | "tty" | "fd3")) {
                let name = file.strip_prefix(root).unwrap().to_str().unwrap();
                streams.push((name.to_owned(), file));
            }
        }
    }
    streams.sort();
    assert!(!streams.is_empty(), "no streams in {}", root.display());
    streams
}

fn row(name: &str, stream: &[u8], found: &Found) -> String {
    let (program, rest) = name.split_once('/').unwrap();
    let (case, channel) = rest.rsplit_once('.').unwrap();
    let formats: Vec<_> = found.formats.iter().copied().collect();
    let show = |percentage: Option<&f64>| {
        percentage.map_or_else(String::new, |percentage| format!("{percentage:.1}"))
    };
    format!(
        "| {program} | {case} | {channel} | {} | {} | {} | {} | {} |",
        formats.join(", "),
        found.reports.len(),
        show(found.percentages.first()),
        show(found.percentages.last()),
        verdict(name, stream, found),
    )
}

fn table(root: &Path) -> String {
    let mut table = String::from(
        "| program | case | channel | format | reports | first % | last % | verdict |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (name, file) in streams(root) {
        let stream = fs::read(&file).unwrap();
        let found = read(place(&file), &stream, &mut stream.chunks(1), pace(&name));
        let _ = writeln!(table, "{}", row(&name, &stream, &found));
    }
    table
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The directory of the streams, or another one on request.
fn corpus() -> PathBuf {
    std::env::var_os("PROGRUN_CORPUS").map_or_else(committed, PathBuf::from)
}

#[test]
fn what_is_found_in_the_streams_is_what_the_table_says() {
    const ABOUT: &str = "\
# What progrun reads from the output of other programs

This table is made from the recorded streams in `tests/corpus` by `PROGRUN_BLESS=1 cargo test --test suite corpus`.

| verdict | meaning |
|---|---|
| right | progrun reads most of the progress in the stream, and nothing else |
| silent | the stream contains no progress, and progrun reads none |
| partial | progrun reads only a little of the progress |
| missed | progrun reads none of the progress |
| wrong | progrun takes something else for progress |

The streams are cut to a few kilobytes, so that few of them contain the end.

";
    let table = table(&corpus());
    if std::env::var_os("PROGRUN_CORPUS").is_some() {
        #[expect(clippy::print_stdout, reason = "it was asked for")]
        {
            println!("{table}");
        }
        return;
    }
    let text = format!("{ABOUT}{table}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    if std::env::var_os("PROGRUN_BLESS").is_some_and(|value| value == "1") {
        fs::write(&file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == text,
        "docs/formats.md is stale: PROGRUN_BLESS=1 cargo test --test suite corpus"
    );
    assert!(!table.contains("| wrong |"), "{table}");
}

#[test]
fn a_stream_says_the_same_wherever_it_is_cut() {
    for (name, file) in streams(&corpus()) {
        let stream = fs::read(&file).unwrap();
        let place = place(&file);
        let line = pace(&name);
        let whole = read(place, &stream, &mut std::iter::once(&stream[..]), line).reports;
        let bytes = read(place, &stream, &mut stream.chunks(1), line).reports;
        assert!(whole == bytes, "{name}: byte by byte");
        for seed in 1..=3 {
            let pieces = read(place, &stream, &mut Pieces(&stream, seed), line).reports;
            assert!(whole == pieces, "{name}: cut with seed {seed}");
        }
    }
}

/// A stream in pieces of some random lengths, the same ones every time.
struct Pieces<'a>(&'a [u8], u64);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let Self(rest, state) = self;
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let length = usize::try_from(*state >> 58).unwrap() + 1;
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        *rest = after;
        (!piece.is_empty()).then_some(piece)
    }
}
