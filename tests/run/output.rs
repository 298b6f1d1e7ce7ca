//! The command's output: where it goes, and that every byte of it arrives.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, kill_process};

use crate::harness::needs_that;
use crate::support::{Gate, Signal, assert_text, progrun, state_of, text, until, valid_event};

/// More than a pipe holds.
fn many_lines() -> String {
    let numbers: Vec<_> = (1..=300_000).map(|number| number.to_string()).collect();
    numbers.join("\n") + "\n"
}

#[test]
fn a_stream_that_goes_elsewhere_is_the_same_file_for_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let same = "[ /dev/fd/1 -ef out ] && [ /dev/fd/2 -ef err ] && [ /dev/fd/0 -ef in ]";
    fs::write(folder.path().join("in"), "").unwrap();
    progrun(&["--", "sh", "-c", same])
        .inside("sh", r#"exec "$@" <in >out 2>err"#)
        .in_folder(folder.path())
        .status(0);
}

#[test]
fn what_comes_in_goes_out_byte_for_byte() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let through_us = format!("--log={}", log.path().display());
    for option in ["--output=stream", &through_us] {
        let output = progrun(&[option, "--", "cat"]).stdin(many_lines()).output();
        assert!(text(&output.stdout) == many_lines(), "{option}");
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
    assert!(fs::read_to_string(log.path()).unwrap() == many_lines());
}

#[test]
fn a_log_keeps_both_streams_and_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo out; echo err >&2; exit 3";
    progrun(&["--quiet", "--log=log", "--", "sh", "-c", script])
        .in_folder(folder.path())
        .stdout("out\n")
        .stderr("err\n")
        .status(3);
    let kept = fs::read_to_string(folder.path().join("log")).unwrap();
    // Two pipes have no order between them.
    assert!(
        ["out\nerr\n", "err\nout\n"].contains(&kept.as_str()),
        "{kept}"
    );
}

#[test]
fn a_log_is_begun_anew_and_holds_nothing_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), "of yesterday\n").unwrap();
    progrun(&["--log=log", "--", "sh", "-c", "echo 1/2 >&3; exit 3"])
        .in_folder(folder.path())
        .stderr("sh: 50%, 1/2\nsh: failed with exit status 3 after [..]s, 1/2[..]\n")
        .status(3);
    let log = folder.path().join("log");
    assert_eq!(fs::read_to_string(log).unwrap(), "");
}

#[test]
fn output_none_shows_nothing_and_keeps_what_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo out; echo err >&2; exit 3";
    progrun(&["--quiet", "--output=none", "--", "sh", "-c", script]).status(3);
    let options = ["--quiet", "--output=none", "--log=log", "--"];
    progrun(&[&options[..], &["echo", "kept"]].concat())
        .in_folder(folder.path())
        .status(0);
    let log = folder.path().join("log");
    assert_eq!(fs::read_to_string(log).unwrap(), "kept\n");
}

#[test]
fn output_on_failure_is_shown_after_a_failure_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2; printf 5; exit";
    let run = |status: &str| {
        let script = format!("{script} {status}");
        progrun(&["--output=on-failure", "--", "sh", "-c", &script])
            .variable("TMPDIR", folder.path().to_str().unwrap())
            .in_folder(folder.path())
    };
    run("0").status(0);
    let output = run("7").output();
    assert_text(&text(&output.stdout), "1\n3\n5");
    let told = "sh: failed with exit status 7 after [..]\n";
    let stderr = text(&output.stderr);
    // progrun writes the sentence and the output at the same time.
    let expected = if stderr.starts_with('2') {
        format!("2\n4\n{told}")
    } else {
        format!("{told}2\n4\n")
    };
    assert_text(&stderr, &expected);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn output_on_failure_shows_all_of_it_however_much_it_is() {
    let script = "cat; exit 1";
    let output = progrun(&["--quiet", "--output=on-failure", "--", "sh", "-c", script])
        .stdin(many_lines())
        .output();
    assert!(text(&output.stdout) == many_lines());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_last_line_without_newline_is_neither_lost_nor_given_one() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--output=stream", "--log=log"] {
        progrun(&[option, "--", "printf", "no newline"])
            .in_folder(folder.path())
            .stdout("no newline")
            .status(0);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command_by_sigpipe() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--output=stream", "--log=log"] {
        let mut run = progrun(&["--quiet", option, "--", "yes"])
            .in_folder(folder.path())
            .start();
        assert_eq!(run.stdout_line(), "y\n");
        run.close_stdout();
        let ended = run.finish();
        assert_eq!(ended.status.signal(), Some(13), "{option}");
        assert_eq!(ended.stderr, "");
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.starts_with("y\ny\n"));
}

#[test]
fn head_behind_progrun_ends_both() {
    progrun(&["--quiet", "--", "yes"])
        .inside("bash", r#""$@" | head -n 1; echo "${PIPESTATUS[@]}""#)
        .stdout("y\n141 0\n")
        .status(0);
}

#[test]
fn a_process_that_still_holds_the_output_is_named_and_not_waited_for() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let option = format!("--log={}", log.path().display());
    let script = "sleep 1000 2>/dev/null & echo $!";
    let output = progrun(&[&option, "--", "sh", "-c", script]).output();
    let pid = text(&output.stdout).trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    assert_text(
        &text(&output.stderr),
        &format!(
            "sh: stdout is still held open by sleep ({pid}); further output is lost (use --wait-output to wait)\n"
        ),
    );
    assert_eq!(output.status.code(), Some(0));
}

/// Ends at once and leaves a process behind that writes something late.
const LATE: &str = r#"{ read -r _ <"$1"; echo late; } 2>/dev/null & echo early"#;

#[cfg(target_os = "linux")]
#[test]
fn wait_output_waits_until_no_process_holds_the_output() {
    let mut gate = Gate::new();
    let command = ["sh", "-c", LATE, "sh", gate.path()];
    let mut run = progrun(&[&["--json", "--wait-output", "--"][..], &command].concat()).start();
    let pid = run.child();
    run.event("output");
    until(|| state_of(pid) == 'Z');
    // A second run without `--wait-output` starts and ends before the gate opens; the first one still waits.
    progrun(&[&["--json", "--"][..], &command].concat())
        .start()
        .finish();
    gate.open();
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "early\nlate\n");
    assert_eq!(ended.all("warning").len(), 0);
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn stdin_is_the_commands() {
    let mut run = progrun(&["--quiet", "--", "sh", "-c", "read -r first; echo $first"])
        .inside("sh", r#""$@"; cat"#)
        .stdin("one\ntwo\n")
        .start();
    let mut lines = run.stdout_line();
    lines.push_str(&run.stdout_line());
    assert_eq!(lines, "one\ntwo\n");
}

#[test]
fn a_slow_reader_gets_everything() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let option = format!("--log={}", log.path().display());
    let mut gate = Gate::new();
    let script = r#"seq 1 300000; read -r _ <"$1""#;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = progrun(&[
        "--quiet",
        &option,
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gate.path(),
    ])
    .start_on(writer, std::process::Stdio::null());
    gate.open();
    let mut stdout = String::new();
    // The output that exceeds the buffers waits in the child meanwhile.
    reader.read_to_string(&mut stdout).unwrap();
    assert!(stdout == many_lines());
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn hidden_output_is_kept_where_there_is_room_for_it() {
    let options = ["--quiet", "--output=on-failure", "--"];
    let command = [&options[..], &["sh", "-c", "echo out; exit 3"]].concat();
    progrun(&command)
        .variable("TMPDIR", "/no/such/folder")
        .stdout("out\n")
        .stderr("sh: failed with exit status 3 after [..]\n")
        .status(3);
}

/// Ten lines on each stream, in turn.
const IN_TURN: &str = "for i in 0 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; exit 3";

#[test]
fn what_ends_in_one_place_is_there_in_the_order_in_which_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let in_order: String = (0..10)
        .flat_map(|number| [format!("out {number}\n"), format!("err {number}\n")])
        .collect();
    for options in [
        &["--log=log"][..],
        &["--from=meter"],
        &["--output=on-failure"],
        &["--output=none", "--log=log"],
        &["--log=log", "--json=events"],
    ] {
        let command = [&["--quiet"], options, &["--", "sh", "-c", IN_TURN]].concat();
        for place in [
            "2>&1 | cat",
            ">file 2>&1; cat file",
            ">>file 2>>file; cat file",
        ] {
            let _ = fs::remove_file(folder.path().join("file"));
            let output = progrun(&command)
                .inside("sh", &format!(r#""$@" {place}"#))
                .in_folder(folder.path())
                .output();
            let shown = match options[0] {
                "--output=none" => String::new(),
                "--output=on-failure" => {
                    format!("{in_order}sh: failed with exit status 3 after [..]\n")
                }
                _ => in_order.clone(),
            };
            assert_text(&text(&output.stdout), &shown);
        }
        if options.contains(&"--log=log") {
            let log = fs::read_to_string(folder.path().join("log")).unwrap();
            assert_eq!(log, in_order, "{options:?}");
        }
    }
}

#[test]
fn streams_that_are_told_apart_or_end_apart_stay_so() {
    let output = progrun(&["--json", "--", "sh", "-c", IN_TURN])
        .inside("sh", r#"exec "$@" 2>&1"#)
        .output();
    let events: Vec<_> = text(&output.stdout).lines().map(valid_event).collect();
    let printed = |stream: &str| {
        let pieces = events.iter().filter(|event| event["stream"] == stream);
        pieces
            .map(|piece| piece["text"].as_str().unwrap())
            .collect::<String>()
    };
    assert!(printed("stdout").starts_with("out 0\nout 1\n"));
    assert!(printed("stderr").starts_with("err 0\nerr 1\n"));
    let output = progrun(&["--quiet", "--log=/dev/null", "--", "sh", "-c", IN_TURN]).output();
    assert!(text(&output.stdout).starts_with("out 0\nout 1\n"));
    assert!(text(&output.stderr).starts_with("err 0\nerr 1\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn hidden_output_is_kept_in_memory_where_no_folder_can_be_written_to() {
    let alone = r#"unshare -rm sh -c 'mount --bind -o ro /tmp /tmp && exec "$@"' sh "$@""#;
    let tried = progrun(&["-q", "--", "true"]).inside("sh", alone).output();
    needs_that(tried.status.success(), "a mount namespace");
    let command = ["sh", "-c", "echo out; exit 3"];
    progrun(&[&["--quiet", "--output=on-failure", "--"][..], &command].concat())
        .inside("sh", alone)
        .variable("TMPDIR", "/no/such/folder")
        .stdout("out\n")
        .stderr("sh: failed with exit status 3 after [..]\n")
        .status(3);
}
