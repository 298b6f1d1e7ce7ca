//! Output that cannot be written or stored: progrun says so, no status of 0 hides it, and no other file is damaged.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Pid;

use crate::harness::needs_that;
use crate::support::{Gate, Signal, assert_text, progrun, state_of, text, until};

/// A device on which every write fails with ENOSPC. Linux and some other systems have it.
const FULL: &str = "/dev/full";
const NO_ROOM: &str = "no space left on device";

/// Runs `script` with the options and its stdout on a full disk. Returns stderr.
fn on_a_full_disk(options: &[&str], script: &str, status: i32) -> String {
    let command = [options, &["--", "sh", "-c", script]].concat();
    let folder = tempfile::tempdir().unwrap();
    let output = progrun(&command)
        .inside("sh", &format!(r#"exec "$@" >{FULL}"#))
        .in_folder(folder.path())
        .output();
    assert_eq!(output.status.code(), Some(status), "{options:?}");
    text(&output.stderr)
}

#[test]
fn output_that_is_lost_is_said_also_in_quiet_and_the_status_is_not_0() {
    needs_that(Path::new(FULL).exists(), FULL);
    for options in [["--from=meter"], ["--log=log"]] {
        let lost = format!("cannot write the command's stdout: {NO_ROOM}\n");
        assert_eq!(
            on_a_full_disk(&options, "echo hi", 125),
            format!("sh: {lost}")
        );
        let quiet = [options[0], "--quiet"];
        let told = on_a_full_disk(&quiet, "echo hi", 125);
        assert_eq!(told, format!("progrun: {lost}"));
        let told = on_a_full_disk(&quiet, "echo hi; exit 7", 7);
        assert_eq!(told, format!("progrun: {lost}"));
    }
    let failing = ["--quiet", "--output=on-failure"];
    let told = on_a_full_disk(&failing, "echo hi; exit 7", 7);
    let lost = format!("sh: some of the command's output could not be shown: {NO_ROOM}\n");
    assert_text(
        &told,
        &(lost + "sh: failed with exit status 7 after [..]\n"),
    );
    assert_eq!(on_a_full_disk(&failing, "echo hi", 0), "");
}

#[test]
fn events_that_are_lost_are_said_also_in_quiet_and_the_status_is_not_0() {
    needs_that(Path::new(FULL).exists(), FULL);
    for options in [&["--json"][..], &["--json", "--quiet"]] {
        assert_eq!(
            on_a_full_disk(options, "echo hi", 125),
            format!("progrun: the event stream is incomplete: {NO_ROOM}\n")
        );
    }
    progrun(&["--quiet", "--json=/dev/full", "--", "echo", "hi"])
        .stdout("hi\n")
        .stderr(&format!(
            "progrun: the event file /dev/full is incomplete: {NO_ROOM}\n"
        ))
        .status(125);
}

#[test]
fn a_log_that_is_full_is_told_and_the_run_goes_on() {
    needs_that(Path::new(FULL).exists(), FULL);
    let lost = format!("the log /dev/full is incomplete: {NO_ROOM}\n");
    progrun(&["--log=/dev/full", "--", "echo", "out"])
        .stdout("out\n")
        .stderr(&format!("echo: {lost}"))
        .status(125);
    progrun(&[
        "-q",
        "--log=/dev/full",
        "--",
        "sh",
        "-c",
        "echo out; exit 3",
    ])
    .stdout("out\n")
    .stderr(&format!("progrun: {lost}"))
    .status(3);
}

#[test]
fn nothing_is_lost_to_a_reader_that_left() {
    // Not so the reader of the events: a run without it is stopped.
    for option in ["--log=/dev/null", "--from=meter"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = progrun(&["--quiet", option, "--", "echo", "hi"])
            .start_on(writer, Stdio::piped())
            .finish();
        assert_eq!(run.status.code(), Some(0), "{option}");
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn a_user_who_stops_waiting_for_the_output_of_a_command_that_is_done_does_not_get_0() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let script = "echo $$ >&2; exec seq 1 100000";
    let command = ["--log=/dev/null", "--", "sh", "-c", script];
    let mut run = progrun(&command).start_on(writer, Stdio::piped());
    let pid = run.stderr_line().trim().parse().unwrap();
    until(|| state_of(Pid::from_raw(pid).unwrap()) == 'X');
    run.signal(Signal::INT);
    run.finish().died_by(Signal::INT);
}

#[test]
fn a_name_for_one_of_our_descriptors_is_that_descriptor() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    for (option, redirection) in [
        ("--log=/dev/stdout", ">>file"),
        ("--log=/dev/stderr", "2>>file"),
        ("--log=/dev/fd/5", "5>>file"),
        ("--log=/proc/self/fd/5", "5>>file"),
    ] {
        fs::write(&file, "of yesterday\n").unwrap();
        let output = progrun(&["--output=none", option, "--", "echo", "hi"])
            .inside(
                "sh",
                &format!(r#"{{ echo first; exec "$@"; }} {redirection}"#),
            )
            .in_folder(folder.path())
            .output();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let first = if option == "--log=/dev/stdout" {
            "first\n"
        } else {
            ""
        };
        let kept = fs::read_to_string(&file).unwrap();
        assert_eq!(kept, format!("of yesterday\n{first}hi\n"), "{option}");
    }
    progrun(&["--log=/dev/fd/77", "--", "echo", "hi"])
        .stderr("progrun: cannot write /dev/fd/77: no such file or directory\n")
        .status(125);
}

#[test]
fn one_file_for_two_is_refused_before_anything_in_it_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "of yesterday\n").unwrap();
    fs::hard_link(&file, folder.path().join("link")).unwrap();
    for (options, redirection, both) in [
        (
            &["--log=file", "--json=file"][..],
            "2>&2",
            "--log and --json",
        ),
        (&["--log=link", "--json=file"], "2>&2", "--log and --json"),
        (&["--log=file"], ">>file", "--log and stdout"),
        (&["--json=file"], ">>file", "--json and stdout"),
        (
            &["--log=file", "--json=/dev/fd/5"],
            "5>>file",
            "--log and --json",
        ),
        (
            &["--log=/dev/fd/5", "--json=file"],
            "5>>file",
            "--log and --json",
        ),
    ] {
        progrun(&[options, &["--", "echo", "hi"]].concat())
            .inside("sh", &format!(r#"exec "$@" {redirection}"#))
            .in_folder(folder.path())
            .stderr(&format!(
                "progrun: {both} write to the same file; give each its own\n"
            ))
            .status(125);
        assert_eq!(fs::read_to_string(&file).unwrap(), "of yesterday\n");
    }
}

#[test]
fn what_another_program_empties_meanwhile_goes_on_at_its_beginning() {
    for (option, name) in [("--log=file", "log"), ("--json=file", "events")] {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = Gate::new();
        let file = folder.path().join("file");
        let script = r#"echo early; echo 1/2 >&3; read -r _ <"$1"; echo late; echo 2/2 >&3"#;
        let command = [
            "--quiet",
            option,
            "--",
            "sh",
            "-c",
            script,
            "sh",
            gate.path(),
        ];
        let run = progrun(&command).in_folder(folder.path()).start();
        until(|| fs::metadata(&file).is_ok_and(|it| it.len() > 4));
        // As logrotate's copytruncate does.
        fs::File::create(&file).unwrap();
        gate.open();
        assert_eq!(run.end().code(), Some(0), "{name}");
        let kept = fs::read(&file).unwrap();
        assert!(!kept.contains(&0), "{name}: {}", text(&kept));
        assert!(
            text(&kept).contains("late") || text(&kept).contains("finished"),
            "{name}"
        );
    }
}

#[test]
fn a_file_that_may_not_grow_is_told_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = |options: &[&str], status: &str| {
        let script = format!("head -c 5000 /dev/zero; exit {status}");
        let command = [options, &["--", "sh", "-c", &script]].concat();
        progrun(&command)
            .inside("bash", r#"ulimit -f 1; exec "$@""#)
            .in_folder(folder.path())
            .output()
    };
    for (option, what) in [
        ("--log=l", "the log l"),
        ("--log-raw=l", "the log l"),
        ("--json=l", "the event file l"),
    ] {
        let fill = if option == "--json=l" {
            "for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo $i/16 >&3; done; "
        } else {
            ""
        };
        let script = format!("{fill}printf %5000s");
        let output = progrun(&["--quiet", option, "--", "sh", "-c", &script])
            .inside("bash", r#"ulimit -f 1; exec "$@""#)
            .in_folder(folder.path())
            .output();
        assert_eq!(output.stdout.len(), 5000, "{option}");
        let told = format!("progrun: {what} is incomplete: file too large\n");
        assert_eq!(text(&output.stderr), told);
        assert_eq!(output.status.code(), Some(125), "{option}");
    }
    let hidden = output(&["--quiet", "--output=on-failure"], "3");
    assert_eq!(hidden.stdout.len(), 5000);
    let how = "sh: failed with exit status 3 after [..]\n";
    assert_text(&text(&hidden.stderr), how);
    assert_eq!(hidden.status.code(), Some(3));
}

#[test]
fn the_command_dies_of_a_file_that_may_not_grow_as_without_progrun() {
    let folder = tempfile::tempdir().unwrap();
    progrun(&[
        "--quiet",
        "--",
        "sh",
        "-c",
        "exec head -c 5000 /dev/zero >l",
    ])
    .inside("bash", r#"ulimit -c 0 -f 1; exec "$@""#)
    .in_folder(folder.path())
    .dies_by(Signal::XFSZ);
}

#[test]
fn all_of_it_goes_to_a_place_that_another_program_made_non_blocking() {
    let numbers: Vec<_> = (0..100_000).map(|number| number.to_string()).collect();
    let lines = numbers.join("\n") + "\n";
    let script = "seq 0 99999; exit 3";
    for options in [
        &["--output=on-failure"][..],
        &["--from=meter"],
        &["--log=/dev/null"],
    ] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let command = [&["--quiet"], options, &["--", "sh", "-c", script]].concat();
        let run = progrun(&command).start_on(writer, Stdio::piped());
        let mut stdout = String::new();
        reader.read_to_string(&mut stdout).unwrap();
        assert!(stdout == lines, "{options:?}: {} bytes", stdout.len());
        let ended = run.finish();
        let how = if options[0] == "--output=on-failure" {
            "sh: failed with exit status 3 after [..]\n"
        } else {
            ""
        };
        assert_text(&ended.stderr, how);
        assert_eq!(ended.status.code(), Some(3));
    }
}

#[test]
fn a_message_is_not_lost_in_a_full_stderr_that_another_program_made_non_blocking() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let full = writer.try_clone().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while rustix::io::write(&full, &[b'x'; 4096]).is_ok() {}
    drop(full);
    let run = progrun(&["--", "no-such-command-1"]).start_on(Stdio::piped(), writer);
    let pid = run.pid();
    until(|| state_of(pid) == 'S');
    let mut stderr = String::new();
    reader.read_to_string(&mut stderr).unwrap();
    let told = "progrun: cannot run no-such-command-1: no such command in PATH\n";
    assert_eq!(stderr.trim_start_matches('x'), told);
    assert_eq!(run.finish().status.code(), Some(127));
}

#[test]
fn files_that_are_made_are_for_the_user_alone_and_those_that_are_there_keep_their_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["old-log", "old-events"] {
        fs::write(path(name), "").unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    for [log, events] in [["log", "events"], ["old-log", "old-events"]] {
        let options = [format!("--log={log}"), format!("--json={events}")];
        let command = ["-q", &options[0], &options[1], "--", "echo", "hi"];
        progrun(&command)
            .inside("sh", r#"umask 0; exec "$@""#)
            .in_folder(folder.path())
            .stdout("hi\n")
            .status(0);
    }
    assert_eq!([mode("log"), mode("events")], [0o600; 2]);
    assert_eq!([mode("old-log"), mode("old-events")], [0o644; 2]);
}
