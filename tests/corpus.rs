//! Recorded streams of real programs, read as if they passed through progrun, and the table of what progrun finds in
//! them.
//!
//! `tests/corpus` holds the streams, cut to the part that matters, as `PROGRAM/CASE.CHANNEL`. The channel is `stdout`,
//! `stderr`, `tty` (both on a terminal) or `fd3` (the channel, or the descriptor that `ZIG_PROGRESS` names). To add a
//! stream, add its file, and a line in [`TRUTHS`] if it contains progress. The streams have no times: the tests read
//! one line or redrawn line after the other, but all lines of a `CASE` that begins with `table_` at once. The table is
//! in `docs/formats.md`; `PROGRUN_BLESS=1 cargo test --test suite corpus` writes it.
//!
//! `PROGRUN_CORPUS=DIRECTORY cargo test --test suite corpus -- --nocapture` reads a larger collection and prints its
//! table. The same truths are used, so a stream keeps its name when it is cut and added to `tests/corpus`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use progrun::internals::{Place, programs, programs_of};

use crate::meters;
use crate::playback::{Found, Percentage, Playback};
use crate::random::Pieces;

/// The progress in the streams, by the beginning of their names; the first line that fits counts. A stream without a
/// line contains none.
///
/// A pattern matches the first place in a record that looks like it. `{n}` is a number from 0 to 100, or an amount of
/// the total `{m}`, either with a unit; `{l}` an amount of the total that is left; `{i}` the number of the step that
/// begins, so that one less is done; `{f}` a number from 0 to 1; `*` anything; a blank any number of blanks.
const TRUTHS: &[(&str, Truth)] = &[
    // Recordings of further programs, and of the same ones on other machines.
    (
        "apt/apt-install",
        Truth::Whole(&["lists... {n}%", "tree... {n}%", "{n}% ["], &[]),
    ),
    (
        "apt/apt-update",
        Truth::Whole(&["{n}% [", "lists... {n}%"], &["{n}%]", "{n} B/{m}"]),
    ),
    ("axel/", Truth::Whole(&["[ {n}%]"], &[])),
    ("cargo/cargo-build", Truth::Whole(&["] {n}/{m}:"], &[])),
    (
        "convert/",
        Truth::Patterns(&["{n}% complete", "{n} of {m},"]),
    ),
    ("curl/curl-Z", Truth::Patterns(&["{n} --"])),
    ("dcfldd/", Truth::Whole(&["[{n}% of"], &[])),
    ("ddrescue/", Truth::Whole(&["pct rescued: {n}%"], &[])),
    ("docker/", Truth::Whole(&["Step {i}/{m} :"], &[])),
    ("duplicity/", Truth::Whole(&["] {n}% ETA"], &[])),
    ("e2fsck/e2fsck-C0", Truth::Patterns(&["f.img: |* {n}%"])),
    // How long the film is stands nowhere.
    ("ffmpeg/ffmpeg-nostdin", Truth::Amounts),
    ("fio/", Truth::Whole(&["[{n}%]"], &[])),
    ("httpie/", Truth::Patterns(&["] {n}%", "( {n}/{m} MB )"])),
    ("lftp/", Truth::Whole(&["({n}%)"], &[])),
    // `[2-3/12]` are the tests that run.
    (
        "meson/",
        Truth::Patterns(&[" {n}/{m} t", "[{n}/{m}]", "-{n}/{m}]"]),
    ),
    ("nmap/", Truth::Whole(&["About {n}% done"], &[])),
    (
        "parallel/parallel-bar",
        Truth::Whole(&["{n}% {n}:{n}="], &[]),
    ),
    (
        "partclone/",
        Truth::Whole(&["Completed: {n}%"], &["Complete: {n}%"]),
    ),
    ("pip/pip-download", Truth::Patterns(&["{n}/{m} MB"])),
    ("plzip/", Truth::Whole(&["t15.txt: {n}%"], &[])),
    ("prove/", Truth::Format("tap")),
    ("py/py-alive", Truth::Whole(&["{n}/{m} ["], &[])),
    ("py/py-click", Truth::Whole(&["] {n}/{m}"], &[])),
    (
        "py/py-enlighten",
        Truth::Bars(&["Basic * {n}/{m} [", "Slow * {n}/{m} ["]),
    ),
    ("py/py-halo", Truth::Whole(&["Loading {n}%"], &[])),
    (
        "py/py-hf_download",
        Truth::Whole(&["Fetching * {n}/{m} ["], &["| {n}/{m} ["]),
    ),
    (
        "py/py-keras_old",
        Truth::Whole(&["{n}/{m} ["], &["Epoch {i}/{m}"]),
    ),
    (
        "py/py-lightning",
        Truth::Whole(&["Epoch * {n}/{m} ["], &["Validation * {n}/{m} ["]),
    ),
    (
        "py/py-rich_multi",
        Truth::Bars(&[
            "Downloading * {n}% ",
            "Processing * {n}% ",
            "Cooking * {n}% ",
        ]),
    ),
    ("py/py-stage_of", Truth::Whole(&["Step {i}/{m}:"], &[])),
    (
        "py/py-tqdm_nested_leave",
        Truth::Whole(&["Epochs: * {n}/{m} ["], &["Epoch *: * {n}/{m} ["]),
    ),
    (
        "py/py-tqdm_nested",
        Truth::Whole(&["epoch: * {n}/{m} ["], &["batch: * {n}/{m} ["]),
    ),
    (
        "py/py-tqdm_threads",
        Truth::Bars(&[
            "worker 0: * {n}/{m} [",
            "worker 1: * {n}/{m} [",
            "worker 2: * {n}/{m} [",
        ]),
    ),
    ("py/py-tqdm_tiny", Truth::Whole(&["| {n}/{m} ["], &[])),
    (
        "py/py-wide_bar",
        Truth::Patterns(&["| {n}% Complete", "{n} of {m} MB"]),
    ),
    ("pytest/pytest-tty", Truth::Whole(&["  {n}% "], &[])),
    ("pytest/pytest-xdist_q", Truth::Whole(&["[ {n}%]"], &[])),
    ("qemu/", Truth::Whole(&["({n}/100%)"], &[])),
    (
        "rclone/rclone-many",
        Truth::Whole(
            &["Transferred: {n} / {m}, *ETA"],
            &["Transferred: {n} / {m},", ": {n}% /"],
        ),
    ),
    ("restic/restic-backup_pw", Truth::Whole(&["] {n}% "], &[])),
    // The percentage of each of 400 files says nothing of all.
    (
        "rsync/rsync-P_many",
        Truth::Whole(&["to-chk={l}/{m}"], &[" {n}% "]),
    ),
    // The first of two files is the whole until rsync says that one is left.
    (
        "rsync/rsync-P.",
        Truth::Patterns(&[" {n}% ", "to-chk={l}/{m}"]),
    ),
    ("scp/", Truth::Whole(&[" {n}% "], &[])),
    ("shred/", Truth::Whole(&["pass {i}/{m} ("], &[])),
    (
        "snakemake/",
        Truth::Patterns(&["{n} of {m} steps", "({n}%) done"]),
    ),
    ("unsquashfs/", Truth::Patterns(&["] {n}/{m}"])),
    (
        "wget2/",
        Truth::Bars(&["b40.bin {n}% [", "text.txt {n}% ["]),
    ),
    ("xorriso/", Truth::Whole(&["UPDATE : {n}% done"], &[])),
    ("xz/xz-v", Truth::Whole(&["{n} %"], &[])),
    ("yt/", Truth::Patterns(&["[download] {n}% of"])),
    ("zstd/zstd-file", Truth::Whole(&["Read: {n} / {m}"], &[])),
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
            "Transferred: {n} / {m}, *ETA",
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
    /// The first pattern is the progress to be found; the others are about parts of it, and to find them is no error.
    /// What is found of the task itself and what of parts is not told apart.
    Patterns(&'static [&'static str]),
    /// The first patterns are the whole, one phase after the other, and only they may be found of the task itself. The
    /// second are parts of it, which may be found as parts.
    Whole(&'static [&'static str], &'static [&'static str]),
    /// Each pattern is a bar of its own, beside the others, and must be found as one.
    Bars(&'static [&'static str]),
    /// Progress in this format, which states its numbers exactly. They are not compared here.
    Format(&'static str),
}

/// The largest difference of a percentage from the truth, in points: many programs round.
const NEAR: f64 = 1.6;

/// The most records that a match may skip. A percentage that only fits a later record is taken for a part or a
/// repetition, if it fits one of those.
const AHEAD: usize = 2;

/// The most records that a percentage of the whole may skip: more, and it is that of something else.
const LEAP: usize = 5;

/// The time from line to line, and from one redrawing to the next. The recorded streams have none.
const LINE: Duration = Duration::from_millis(60);

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
    let mut playback = Playback::new();
    if place == Place::Channel {
        playback.claim_channel(stream);
    }
    let (mut pauses, mut at) = (pauses(stream).into_iter().peekable(), 0);
    for mut piece in pieces {
        while let Some(pause) = pauses.next_if(|pause| *pause <= at + piece.len()) {
            let (now, later) = piece.split_at(pause - at);
            playback.write(place, now);
            playback.wait(line);
            (piece, at) = (later, pause);
        }
        playback.write(place, piece);
        at += piece.len();
    }
    playback.finish(place);
    playback.found()
}

/// The places in a stream where a line or a redrawn line ends. A program writes such a line at once.
fn pauses(stream: &[u8]) -> Vec<usize> {
    let is_end = |at: &usize| {
        let (before, after) = stream.split_at(*at);
        match before.last() {
            Some(b'\n') => true,
            Some(b'\r') => after.first() != Some(&b'\n'),
            Some(b'\x08') => after.first() != Some(&b'\x08'),
            // The cursor goes up, to a column or to a place.
            Some(b'A' | b'F' | b'G' | b'H' | b'u') => {
                let is_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
                let moved = &before[..at - 1];
                let digits = moved.iter().rev().take_while(|byte| is_digit(byte));
                moved[..moved.len() - digits.count()].ends_with(b"\x1b[")
            }
            _ => false,
        }
    };
    (1..=stream.len()).filter(is_end).collect()
}

/// The percentages that the first of the patterns finds that fits, in the order of the records.
fn truths(patterns: &[&str], stream: &[u8]) -> Vec<f64> {
    let stream = without_colours(&String::from_utf8_lossy(stream));
    let control = |character: char| character.is_ascii_control() && character != '\t';
    let records = stream.split(control);
    let at_start = |pattern: &str, text: &str| {
        let (mut done, mut total) = (None, None);
        fits(pattern, text, &mut done, &mut total).then_some(())?;
        let (done, total) = (done?, total.unwrap_or(100.0));
        let done = if pattern.contains("{l}") {
            total - done
        } else if pattern.contains("{i}") {
            done - 1.0
        } else {
            done
        };
        Some(done / total * 100.0)
    };
    let find = |pattern: &&str, record: &str| {
        let mut places = record.char_indices();
        places.find_map(|(at, _)| at_start(pattern, &record[at..]))
    };
    let mut truths: Vec<_> = records
        .filter_map(|record| patterns.iter().find_map(|pattern| find(pattern, record)))
        .filter(|percentage| (0.0..=100.0).contains(percentage))
        .collect();
    // A line that is drawn again says nothing new.
    truths.dedup();
    truths
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
    for (name, of) in [
        ("{n}", 100.0),
        ("{m}", 100.0),
        ("{l}", 100.0),
        ("{i}", 100.0),
        ("{f}", 1.0),
    ] {
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
    let (patterns, parts) = match truth {
        Truth::Format(_) | Truth::Nothing => (&[][..], &[][..]),
        Truth::Amounts => {
            let mut percentages = found.percentages.iter();
            return match percentages.all(|percentage| percentage.value == 0.0) {
                _ if found.reports.is_empty() => "missed",
                true => "right",
                false => "wrong",
            };
        }
        Truth::Patterns(patterns) => patterns.split_at(1),
        Truth::Whole(whole, parts) => (whole, parts),
        Truth::Bars(bars) => return beside_each_other(bars, stream, found),
    };
    let whole = truths(patterns, stream);
    if whole.is_empty() {
        return if found.reports.is_empty() {
            "silent"
        } else {
            "wrong"
        };
    }
    let parts: Vec<f64> = parts
        .iter()
        .flat_map(|part| truths(&[part], stream))
        .collect();
    let tells_apart = matches!(truth, Truth::Whole(..));
    let is_part = |value: f64| parts.iter().any(|truth| near(*truth, value));
    let leap = if tells_apart {
        LEAP.max(whole.len() / 4)
    } else {
        whole.len()
    };
    let (mut hits, mut bad, mut at) = (0, 0, 0);
    for Percentage { value, part } in &found.percentages {
        let near = |truth: &f64| near(*truth, *value);
        if tells_apart && part.is_some() {
            bad += usize::from(!is_part(*value) && !whole.iter().any(near));
            continue;
        }
        let next = whole[at..].iter().position(near);
        match next {
            Some(next) if next <= AHEAD => (hits, at) = (hits + 1, at + next),
            // About a part.
            _ if !tells_apart && is_part(*value) => {}
            // One of the last truths again.
            _ if whole[..at].iter().rev().take(3).any(near) => {}
            Some(next) if next <= leap => (hits, at) = (hits + 1, at + next),
            _ => bad += 1,
        }
    }
    let nothing = if tells_apart {
        found.whole().next().is_none()
    } else {
        found.percentages.is_empty()
    };
    if bad * 20 > found.percentages.len() {
        "wrong"
    } else if nothing {
        "missed"
    } else if hits * 10 >= whole.len() * 6 {
        "right"
    } else {
        "partial"
    }
}

/// The verdict on bars that are drawn beside each other.
fn beside_each_other(bars: &[&str], stream: &[u8], found: &Found) -> &'static str {
    let bars: Vec<_> = bars.iter().map(|bar| truths(&[bar], stream)).collect();
    let among = |truths: &[f64], value: f64| truths.iter().any(|truth| near(*truth, value));
    let is_bad = |found: &&Percentage| !bars.iter().any(|bar| among(bar, found.value));
    let bad = found.percentages.iter().filter(is_bad).count();
    let values: Vec<_> = found.percentages.iter().map(|found| found.value).collect();
    let is_found = |bar: &Vec<f64>| {
        let hits = bar.iter().filter(|truth| among(&values, **truth)).count();
        hits * 10 >= bar.len() * 6
    };
    if found.percentages.is_empty() {
        "missed"
    } else if bad * 20 > found.percentages.len() {
        "wrong"
    } else if found.bars().len() >= bars.len() && bars.iter().all(is_found) {
        "right"
    } else {
        "partial"
    }
}

fn near(truth: f64, percentage: f64) -> bool {
    (truth - percentage).abs() <= NEAR
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
    let show = |percentage: Option<&Percentage>| {
        percentage.map_or_else(String::new, |percentage| format!("{:.1}", percentage.value))
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

These tables are made by `PROGRUN_BLESS=1 cargo test --test suite corpus`.

| verdict | meaning |
|---|---|
| right | progrun reads most of the progress in the stream, and nothing else |
| silent | the stream contains no progress, and progrun reads none |
| partial | progrun reads only a little of the progress |
| missed | progrun reads none of the progress |
| wrong | progrun takes something else for progress |
| either | even a person cannot tell whether it is progress |

## Recordings

These are streams of real programs, from `tests/corpus`. They are cut to a few kilobytes, so that few of them contain the
end. They have no times, so the tests let a little time pass after each line.

";
    const CASES: &str = "
## Cases

These are short streams with their times, from `tests/meters`: meters that are hard to read, and what only looks like one.
The truth is the percentage at the end. What is full is shown as 99.9 %.

";
    let table = table(&corpus());
    if std::env::var_os("PROGRUN_CORPUS").is_some() {
        #[expect(clippy::print_stdout, reason = "it was asked for")]
        {
            println!("{table}");
        }
        return;
    }
    let text = format!("{ABOUT}{table}{CASES}{}", meters::table());
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
fn a_pattern_gives_what_is_done_of_what_is_left_or_begins() {
    for (patterns, stream, expected) in [
        (
            &["at {n}%"][..],
            "at 5%\rat 25%\rat 25%\n",
            &[5.0, 25.0][..],
        ),
        (&["{n} / {m}"], "1.5 MiB / 2 MiB\n", &[75.0]),
        (&["left={l}/{m}"], "left=3/4\nleft=0/4\n", &[25.0, 100.0]),
        (&["Step {i}/{m}"], "Step 1/4\nStep 2/4\n", &[0.0, 25.0]),
        (
            &["read {n}%", "write {n}%"],
            "read 9%\nwrite 1%\n",
            &[9.0, 1.0],
        ),
    ] {
        assert_eq!(
            truths(patterns, stream.as_bytes()),
            expected,
            "{patterns:?}"
        );
    }
}

/// Programs that `--from` knows without a recording of that name: one that runs what cmake has written (`make`), one whose
/// recording is that of its format (`node`), those that write as another does, and those that write nothing.
const RECORDED_ELSEWHERE: [&str; 6] = ["gzip", "make", "node", "sftp", "sha256sum", "tofu"];

#[test]
fn of_each_program_that_from_knows_a_format_is_read_in_a_recording() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md"));
    let table = table.unwrap();
    let is_read = |program: &str| {
        table.lines().any(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [_, recorded, _, _, format, ..] = cells[..] else {
                return false;
            };
            recorded == program && programs_of(format).any(|wanted| wanted == program)
        })
    };
    for program in programs() {
        let elsewhere = RECORDED_ELSEWHERE.contains(&program);
        assert_ne!(is_read(program), elsewhere, "{program}");
    }
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
            let pieces = read(place, &stream, &mut Pieces::new(&stream, seed), line).reports;
            assert!(whole == pieces, "{name}: cut with seed {seed}");
        }
    }
}
