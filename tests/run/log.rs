//! The files of the output: the text that a terminal showed, and the bytes.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::{Gate, Signal, progrun, text, until};

/// The file of `--log` of a command that writes these bytes, to a pipe or to a terminal.
fn log_of(tty: &str, bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--quiet", "--output=none", "--tty", tty, "--log=log", "--"];
    fs::write(folder.path().join("bytes"), bytes).unwrap();
    progrun(&[&options[..], &["cat", "bytes"]].concat())
        .in_folder(folder.path())
        .status(0);
    fs::read(folder.path().join("log")).unwrap()
}

fn read(folder: &Path, name: &str) -> String {
    // A run that has only begun has not made it yet.
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[test]
fn a_log_has_each_line_once_as_the_screen_showed_it_at_its_end() {
    let frames: Vec<_> = (0..=100)
        .map(|part| format!("\rcopying {part:>3}%"))
        .collect();
    let meter = frames.concat();
    let block =
        |one, two| format!("\x1b[?25l[+] Running\n \x1b[32m{one}\x1b[0m db\n {two} web\n\x1b[?25h");
    for (written, log) in [
        (format!("{meter}\ndone\r\n"), "copying 100%\ndone\n"),
        ("|\x08/\x08-\x08\\\x08ok\n".to_owned(), "ok\n"),
        (
            "\x1b[1;31merror\x1b[0m: \x1b]8;;https://a.b\x1b\\here\x1b]8;;\x1b\\\n".to_owned(),
            "error: here\n",
        ),
        ("日本 e\u{301}\r本日\n".to_owned(), "本日 e\u{301}\n"),
        (
            format!(
                "\x1b[A\x1b[B{}\x1b[3A{}up\n",
                block("-", "-"),
                block("*", "*")
            ),
            "[+] Running\n * db\n * web\nup\n",
        ),
        (
            "before\n\x1b[?1049h\x1b[2J\x1b[H~\n~\n\x1b[?1049lafter\n".to_owned(),
            "before\nafter\n",
        ),
        ("no newline".to_owned(), "no newline"),
        (meter.clone(), "copying 100%"),
    ] {
        for tty in ["never", "always"] {
            let kept = log_of(tty, written.as_bytes());
            assert_eq!(text(&kept), log, "{tty}: {written:?}");
        }
    }
}

#[test]
fn the_meters_of_real_programs_are_in_the_log_once() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for (file, log) in [
        (
            "tqdm/pos.stderr",
            "one: 100%|██████████| 100/100 [00:02<00:00, 46.69it/s]\n\
             two: 100%|██████████| 50/50 [00:02<00:00, 23.35it/s]\n",
        ),
        (
            "git/clone_progress_pipe.stderr",
            "Cloning into 'cl'...\n\
             remote: Enumerating objects: 3090, done.        \n\
             remote: Counting objects: 100% (3090/3090), done.\n\
             remote: Compressing objects: 100% (3090/3090), done.\n\
             remote: Total 3090 (delta 615), reused 0 (delta 0), pack-reused 0 (from 0)\n\
             Receiving objects: 100% (3090/3090), 241.32 MiB | 17.08 MiB/s, done.\n\
             Resolving deltas: 100% (615/615), done.\n\
             Updating files: 100% (2300/2300), done.\n",
        ),
    ] {
        let bytes = fs::read(corpus.join(file)).unwrap();
        assert_eq!(text(&log_of("always", &bytes)), log, "{file}");
    }
}

#[test]
fn lines_without_control_characters_are_kept_byte_for_byte() {
    let bytes = b"\xff\xfe \xc2\x9b31m \xe9t\xe9\t \n\n\xc3(\n\x80";
    assert_eq!(log_of("never", bytes), bytes);
    let long = vec![b'x'; 3_000_000];
    assert!(log_of("never", &long) == long);
}

#[test]
fn a_raw_log_has_the_bytes_and_may_be_kept_beside_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "--quiet",
        "--output=none",
        "--log-raw=raw",
        "--log=log",
        "--",
    ];
    progrun(&[&options[..], &["printf", "1\\r\\0332\\0m\\r\\n"]].concat())
        .in_folder(folder.path())
        .status(0);
    assert_eq!(read(folder.path(), "raw"), "1\r\x1b2\0m\r\n");
    assert_eq!(read(folder.path(), "log"), "m\n");
    for other in ["log", "./log"] {
        let raw = format!("--log-raw={other}");
        let run = progrun(&["--log=log", &raw, "--", "true"])
            .in_folder(folder.path())
            .output();
        assert_eq!(run.status.code(), Some(125));
        let told = text(&run.stderr);
        assert!(
            told.contains("write to the same file; give each its own"),
            "{told}"
        );
    }
    progrun(&["--log=-", "--log-raw=/dev/stdout", "--", "true"])
        .stderr("progrun: --log and --log-raw write to the same file; give each its own\n")
        .status(125);
    progrun(&["--json", "--log-raw=-", "--", "true"])
        .stderr("progrun: --log-raw and --json cannot both write to stdout\n")
        .status(125);
}

#[test]
fn no_line_is_made_of_two_streams_and_a_last_one_gets_a_newline_only_if_another_follows() {
    let folder = tempfile::tempdir().unwrap();
    let mut gate = Gate::new();
    let script = r#"printf 'one '; printf 'two ' >&2; printf 'and '; printf 'three' >&2
        echo four; read -r _ <"$1"; printf 'five'"#;
    let run = progrun(&[
        "--quiet",
        "--log=log",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gate.path(),
    ])
    .in_folder(folder.path())
    .start();
    until(|| read(folder.path(), "log") == "one and four\n");
    gate.open();
    let (status, stdout, stderr) = run.texts();
    assert_eq!(status.code(), Some(0));
    assert_eq!((&*stdout, &*stderr), ("one and four\nfive", "two three"));
    assert_eq!(read(folder.path(), "log"), "one and four\nfive\ntwo three");
}

#[test]
fn a_line_is_in_the_log_as_soon_as_it_can_change_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut gate = Gate::new();
    let script = r#"printf 'one\nopen'; read -r _ <"$1"; printf ' 5%%\r100%%\n'; read -r _ <"$1"
        printf '\033[Aup\nleft\n'; kill -9 $$"#;
    let options = ["--quiet", "--output=none", "--log=log", "--", "sh", "-c"];
    let run = progrun(&[&options[..], &[script, "sh", gate.path()]].concat())
        .in_folder(folder.path())
        .start();
    until(|| read(folder.path(), "log") == "one\n");
    gate.open();
    // It could have been the first of several meters.
    until(|| read(folder.path(), "log") == "one\n100% 5%\n");
    gate.open();
    run.finish().died_by(Signal::KILL);
    let log = "one\n100% 5%\nup\nleft\n";
    assert_eq!(read(folder.path(), "log"), log);
}

#[test]
fn what_was_kept_back_is_in_the_log_of_a_run_that_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let script = r"printf '\033[A\033[?25lone\ntwo\nthree'; kill -TERM $PPID; exec sleep 1000";
    let options = [
        "--quiet",
        "--output=none",
        "--log=log",
        "--",
        "sh",
        "-c",
        script,
    ];
    let run = progrun(&options).in_folder(folder.path()).start();
    run.finish().died_by(Signal::TERM);
    assert_eq!(read(folder.path(), "log"), "one\ntwo\nthree");
}

/// Splits off the time that a line begins with.
fn time(line: &str) -> (SystemTime, &str) {
    let (time, text) = line.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-11-28T07:05:09.250Z".len(), "{line}");
    (humantime::parse_rfc3339(time).unwrap(), text)
}

#[test]
fn each_line_begins_with_the_time_at_which_it_was_complete_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let mut gate = Gate::new();
    let script = r#"printf 'one\n\nbe'; read -r _ <"$1"; printf 'gun\n10%%\r20%%'"#;
    let options = ["--quiet", "--output=none", "--log=log", "--timestamps"];
    let words = ["--", "sh", "-c", script, "sh", gate.path()];
    // The times have no parts of milliseconds.
    let part = Duration::from_millis(1);
    let before = SystemTime::now() - part;
    let run = progrun(&[&options[..], &words].concat())
        .in_folder(folder.path())
        .start();
    until(|| read(folder.path(), "log").lines().count() == 2);
    let between = SystemTime::now();
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
    let after = SystemTime::now();
    let log = read(folder.path(), "log");
    let lines: Vec<_> = log.lines().map(time).collect();
    let texts: Vec<_> = lines.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["one", "", "begun", "20%"]);
    assert!(!log.ends_with('\n'));
    let ranges = [
        before..=between,
        before..=between,
        between - part..=after,
        between - part..=after,
    ];
    for ((time, text), range) in lines.iter().zip(ranges) {
        assert!(range.contains(time), "{text}: {range:?} {time:?}");
    }
}

#[test]
fn times_without_a_log_are_refused() {
    for (words, more) in [
        (&["--timestamps", "--", "true"][..], ""),
        (&["--timestamps", "--log-raw=raw", "--", "true"], ""),
        (
            &["each", "--timestamps", "--", "true", ":::", "1"],
            " or --log-dir DIR",
        ),
    ] {
        let run = progrun(words).output();
        assert_eq!(run.status.code(), Some(125));
        let told = text(&run.stderr);
        let sentence = format!(
            "progrun: --timestamps is for the lines of a log: also give --log FILE{more}\n"
        );
        assert!(told.starts_with(&sentence), "{told}");
    }
}
