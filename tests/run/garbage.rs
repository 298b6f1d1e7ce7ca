//! Nonsense on the channel: it is counted, it is bounded, and it changes nothing about how the command ends.

use std::fs;

use rustix::process::Pid;

use crate::support::{Ended, Gate, progrun};

/// Runs a script that writes to the channel and ends with status 7, which progrun must pass on.
fn run(script: &str) -> Ended {
    let script = format!("{script}; exit 7");
    let ended = progrun(&["--json", "--", "sh", "-c", &script])
        .start()
        .finish();
    assert_eq!(ended.finished()["state"], "failed", "{script}");
    assert_eq!(ended.status.code(), Some(7), "{script}");
    assert_eq!(ended.stderr, "", "{script}");
    ended
}

#[track_caller]
fn assert_counts(ended: &Ended, reports: u64, malformed: u64) {
    let finished = ended.finished();
    assert_eq!(finished["reports"], reports, "{:#?}", ended.events);
    assert_eq!(finished["malformed"], malformed, "{:#?}", ended.events);
    assert_eq!(ended.all("malformed").len() as u64, malformed);
}

/// The error of the one malformed line, which is between two reports.
#[track_caller]
fn bad(line: &str) -> String {
    let ended = run(&format!("echo 1 >&3; {line}; echo 2 >&3"));
    assert_counts(&ended, 2, 1);
    let bad = ended.all("malformed")[0];
    assert_eq!(bad["line"], 2);
    bad["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_line_that_is_no_json_after_all() {
    let error = bad("echo '{oops' >&3");
    assert_eq!(error, "key must be a string at column 2");
}

#[test]
fn a_report_without_any_known_field_counts_and_is_warned_of_once() {
    let ended = run(r#"echo {} >&3; echo '{"progess":5}' >&3; echo '{"mesage":"x"}' >&3"#);
    assert_counts(&ended, 3, 0);
    assert_eq!(ended.all("progress")[1]["info"]["progess"], 5);
    let warnings = ended.all("warning");
    assert_eq!(warnings.len(), 1);
    let sentence = r#"progress line 2 has no known field: {"progess":5} ("progess" is no field; did you mean "progress"?)"#;
    assert_eq!(warnings[0]["message"], sentence);

    let script = r#"echo '{"progess":5}' >&3"#;
    let list = ["--progress=plain", "--", "sh", "-c", script, ":::"];
    let values = ["a", "b", "c"];
    let output = progrun(&[&["each", "-j1"][..], &list, &values].concat()).output();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("has no known field").count(), 1, "{stderr}");
    for object in ["{}", r#"{"progress":null,"x":1}"#] {
        let ended = run(&format!("echo '{object}' >&3"));
        assert_counts(&ended, 1, 0);
        assert_eq!(ended.all("warning").len(), 0);
    }
}

#[test]
fn bytes_that_are_not_utf_8() {
    let ended = run(r"printf 'a\377\376\n' >&3");
    assert_counts(&ended, 0, 1);
    assert_eq!(ended.all("malformed")[0]["base64"], "Yf/+");
    assert!(bad(r"printf '{\377}\n' >&3").contains("UTF-8"));
}

#[test]
fn numbers_that_are_none() {
    for number in ["1e999", "-1e999", "-1", "NaN", "Infinity", "1e", "\"7\""] {
        bad(&format!(r#"echo '{{"progress": {number}}}' >&3"#));
    }
    bad("echo -5 >&3");
    bad("echo 101 >&3");
}

#[test]
fn nul_bytes() {
    bad(r"printf '{\000\000}\n' >&3");
    let ended = run(r"printf '\000\000\n' >&3");
    let finished = ended.finished();
    let lines = finished["reports"].as_u64().unwrap() + finished["malformed"].as_u64().unwrap();
    assert_eq!(lines, 1);
}

#[test]
fn nesting_that_never_ends() {
    bad("{ head -c 60000 /dev/zero | tr '\\000' '['; echo; } | sed 's/^/{\"a\":/' >&3");
    let ended = run("{ head -c 60000 /dev/zero | tr '\\000' '{'; echo; } >&3");
    assert_counts(&ended, 0, 1);
}

#[test]
fn a_message_of_ten_megabytes() {
    let error = bad(
        r#"{ printf '{"message": "'; head -c 10000000 /dev/zero | tr '\000' x; echo '"}'; } >&3"#,
    );
    assert!(
        error.contains("65536") || error.contains("65,536"),
        "{error}"
    );
}

#[test]
fn two_hundred_megabytes_without_a_newline() {
    let script = "head -c 200000000 /dev/zero | tr '\\000' x >&3";
    assert_counts(&run(script), 0, 1);
}

#[test]
fn random_bytes() {
    let ended = run("head -c 1000000 /dev/urandom >&3; echo >&3; echo 50 >&3");
    let last = ended.all("progress").pop().unwrap();
    assert_eq!(last["info"]["percentage"], 50);
}

#[test]
fn a_report_in_pieces_is_one_report() {
    let mut gate = Gate::new();
    let script = r#"echo 1 >&3; printf '{"progress": 3, "to' >&3; echo half; read -r _ <"$1"; echo 'tal": 4}' >&3"#;
    let mut run = progrun(&["--json", "--", "sh", "-c", script, "sh", gate.path()]).start();
    run.event("output");
    gate.open();
    let ended = run.finish();
    assert_counts(&ended, 2, 0);
    assert_eq!(ended.all("progress")[1]["info"]["total"], 4);
}

#[test]
fn a_last_report_without_newline_is_a_report() {
    let ended = run("printf 42 >&3");
    assert_counts(&ended, 1, 0);
    assert_eq!(ended.all("progress")[0]["info"]["percentage"], 42);
}

/// The largest resident set so far, in KiB.
fn high_water_mark(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

/// Runs a script that floods the channel. Returns the growth of progrun's memory, in KiB.
fn growth(options: &[&str], flood: &str) -> u64 {
    let mut gate = Gate::new();
    let script = format!(
        r#"
        echo '10 begun' >&3; read -r _ <"$1"
        ({flood}) >&3
        echo '{{"progress": 1, "total": 1, "message": "flooded"}}' >&3; read -r _ <"$1""#
    );
    let command = ["--", "sh", "-c", &script, "sh", gate.path()];
    let mut run = progrun(&[options, &command].concat()).start();
    while !run.stderr_line().contains("begun") {}
    let before = high_water_mark(run.pid());
    gate.open();
    while !run.stderr_line().contains("flooded") {}
    let after = high_water_mark(run.pid());
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
    after - before
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_whatever_comes() {
    for flood in [
        "yes 50 | head -n 1000000",
        r#"yes '{"progress": 1, "total": 2, "message": "m"}' | head -n 300000"#,
        "yes '{' | head -n 300000",
        "seq 1 100000 | sed 's/.*/{\"id\": \"&\", \"progress\": 1}/'",
        "head -c 10000000 /dev/zero | tr '\\000' x; echo",
        "head -c 10000000 /dev/zero | tr '\\000' '\\n'",
    ] {
        let growth = growth(&["--name=it"], flood);
        assert!(growth < 8 * 1024, "{flood}: {growth} KiB");
    }
}

#[test]
fn a_million_reports_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let script = "yes 50 | head -n 1000000 >&3; exit 7";
    progrun(&["--json=events", "--quiet", "--", "sh", "-c", script])
        .in_folder(folder.path())
        .status(7);
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    let progress = |line: &&str| line.starts_with(r#"{"event":"progress""#);
    assert_eq!(events.lines().filter(progress).count(), 1_000_000);
    let finished = crate::support::valid_event(events.lines().next_back().unwrap());
    assert_eq!(finished["reports"], 1_000_000);
    assert_eq!(finished["malformed"], 0);
}
