//! `--json`: which events come, in which order, and the effects of a reader that stalls.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Ended, Gate, Lifeline, Signal, progrun, text, valid_event};

fn names(ended: &Ended) -> Vec<&str> {
    let names = ended.events.iter();
    names
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

#[test]
fn a_run_is_told_from_its_start_to_its_end() {
    let mut gate = Gate::new();
    let script = r#"
        echo '{"progress": 3, "total": 10, "message": "a.jpg", "extra": [1, {"x": null}]}' >&3
        read -r _ <"$1"; echo 4/10 b.jpg >&3
        read -r _ <"$1"; echo '{oops' >&3
        read -r _ <"$1"; echo out
        read -r _ <"$1"; echo err >&2
        exit 3"#;
    let mut run = progrun(&["--json", "--", "sh", "-c", script, "sh", gate.path()]).start();
    for name in ["progress", "progress", "malformed", "output"] {
        run.event(name);
        gate.open();
    }
    let ended = run.finish();
    assert_eq!(
        names(&ended),
        [
            "started",
            "progress",
            "progress",
            "malformed",
            "output",
            "output",
            "finished"
        ]
    );
    let [started, first, second, malformed, out, err, finished] = &ended.events[..] else {
        unreachable!("there are seven");
    };
    assert_eq!(started["name"], "sh");
    assert_eq!(
        started["command"],
        json!(["sh", "-c", script, "sh", gate.path()])
    );
    assert_eq!(
        first["info"],
        json!({"progress": 3, "total": 10, "message": "a.jpg", "extra": [1, {"x": null}]})
    );
    assert_eq!(
        second["info"],
        json!({"progress": 4, "total": 10, "message": "b.jpg"})
    );
    assert_eq!(malformed["line"], 3);
    assert_eq!(malformed["text"], "{oops");
    assert_eq!(malformed["error"], "key must be a string at column 2");
    assert_eq!(
        (&out["stream"], &out["text"]),
        (&json!("stdout"), &json!("out\n"))
    );
    assert_eq!(
        (&err["stream"], &err["text"]),
        (&json!("stderr"), &json!("err\n"))
    );
    assert_eq!(finished["state"], "failed");
    assert_eq!(finished["exit_status"], 3);
    assert_eq!(finished["signal"], Value::Null);
    assert_eq!(
        (&finished["reports"], &finished["malformed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(finished.get("reason"), None);
    let elapsed = ended.events.iter();
    assert!(elapsed.is_sorted_by_key(|event| event["elapsed"].as_f64().unwrap()));
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_command_that_cannot_be_started_has_finished_and_nothing_else() {
    let ended = progrun(&["--json", "--", "no-such-command-1"])
        .start()
        .finish();
    assert_eq!(names(&ended), ["finished"]);
    assert_eq!(
        ended.finished()["error"],
        "cannot run no-such-command-1: no such command in PATH"
    );
    assert_eq!(ended.status.code(), Some(127));
}

#[test]
fn the_name_of_the_run_can_be_chosen() {
    let ended = progrun(&["--json", "--name=backup", "--", "true"])
        .start()
        .finish();
    assert_eq!(ended.events[0]["name"], "backup");
}

#[test]
fn events_in_a_file_leave_stdout_to_the_command() {
    let folder = tempfile::tempdir().unwrap();
    progrun(&["--json=events", "--", "sh", "-c", "echo 1/2 >&3; echo out"])
        .in_folder(folder.path())
        .stdout("out\n")
        .stderr("sh: 50%, 1/2\nsh: completed in [..]s, 1/2[..]\n")
        .status(0);
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    let events: Vec<_> = events.lines().map(valid_event).collect();
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["started", "progress", "finished"]
    );
}

#[test]
fn output_that_is_not_utf_8_is_base64() {
    let ended = progrun(&["--json", "--", "printf", r"\377\376"])
        .start()
        .finish();
    assert_eq!(ended.all("output")[0]["base64"], "//4=");
    assert_eq!(ended.all("output")[0].get("text"), None);
}

#[test]
fn any_bytes_can_be_put_together_again() {
    let bytes: Vec<u8> = (0..200_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let ended = progrun(&["--json", "--", "cat"])
        .stdin(bytes.clone())
        .start()
        .finish();
    let mut pieces = Vec::new();
    for event in ended.all("output") {
        match event["text"].as_str() {
            Some(text) => pieces.extend_from_slice(text.as_bytes()),
            None => pieces.extend(decoded(event["base64"].as_str().unwrap())),
        }
    }
    assert!(pieces == bytes);
}

/// The bytes that `text` encodes in base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let digits = group.iter().filter(|digit| **digit != b'=');
        let (mut bits, mut count) = (0_u32, 0);
        for digit in digits {
            let value = DIGITS.iter().position(|known| known == digit).unwrap();
            bits = bits << 6 | u32::try_from(value).unwrap();
            count += 1;
        }
        bits <<= 6 * (4 - count);
        bytes.extend_from_slice(&bits.to_be_bytes()[1..count]);
    }
    bytes
}

#[test]
fn a_character_that_is_cut_between_two_writes_arrives_whole() {
    let mut gate = Gate::new();
    let script = r#"printf 'a\303'; read -r _ <"$1"; printf '\251b\n'; printf '\303'"#;
    let mut run = progrun(&["--json", "--", "sh", "-c", script, "sh", gate.path()]).start();
    assert_eq!(run.event("output")["text"], "a");
    gate.open();
    assert_eq!(run.event("output")["text"], "éb\n");
    // Bytes that never become a character are not lost.
    assert_eq!(run.event("output")["base64"], "ww==");
    run.finish();
}

/// A full pipe that no process reads: a writer blocks.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

#[test]
fn a_reader_that_stalls_keeps_no_ctrl_c_from_the_command() {
    let lifeline = Lifeline::new();
    let (mut gate, mut path) = (Gate::new(), Gate::new());
    let script = r#"exec 4>"$1"; echo up >"$2"; read -r _ <"$3"; exec sleep 1000"#;
    let arguments = ["sh", lifeline.path(), path.path(), gate.path()];
    let command = ["--json", "--", "sh", "-c", script];
    let (mut reader, writer) = full_pipe();
    let run = progrun(&[&command[..], &arguments].concat()).start_on(writer, Stdio::piped());
    path.wait();
    gate.open();
    run.signal(Signal::INT);
    assert_eq!(lifeline.last_words(), "");

    let mut events = Vec::new();
    reader.read_to_end(&mut events).unwrap();
    let events = text(&events);
    let finished = valid_event(events.lines().next_back().unwrap());
    assert_eq!(finished["signal"], "SIGINT");
    run.finish().died_by(Signal::INT);
}

#[test]
fn a_reader_that_stalls_slows_a_talkative_command_and_stops_its_cancellation_not() {
    let lifeline = Lifeline::new();
    let mut path = Gate::new();
    // Reports without end, so that in time every buffer is full.
    let script = r#"exec 4>"$1"; echo 1/2 >&3; echo up >"$2"; while :; do echo 1/2 >&3; done"#;
    let arguments = ["sh", lifeline.path(), path.path()];
    let command = ["--json", "--grace=1h", "--", "sh", "-c", script];
    let (reader, writer) = full_pipe();
    let run = progrun(&[&command[..], &arguments].concat()).start_on(writer, Stdio::piped());
    path.wait();
    run.signal(Signal::INT);
    assert_eq!(lifeline.last_words(), "");
    drop(reader);
    run.finish().died_by(Signal::INT);
}

#[test]
fn what_a_hidden_command_prints_is_in_the_events_all_the_same() {
    let ended = progrun(&["--json", "--output=none", "--", "echo", "out"])
        .start()
        .finish();
    assert_eq!(ended.output("stdout"), "out\n");
    let log = tempfile::NamedTempFile::new().unwrap();
    let option = format!("--log={}", log.path().display());
    let ended = progrun(&["--json", &option, "--", "echo", "out"])
        .start()
        .finish();
    assert_eq!(ended.output("stdout"), "out\n");
    let mut kept = String::new();
    File::open(log.path())
        .unwrap()
        .read_to_string(&mut kept)
        .unwrap();
    assert_eq!(kept, "out\n");
}
