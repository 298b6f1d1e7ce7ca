//! Progress as lines, where stderr is no terminal.

use std::fs;

use crate::support::{Gate, Running, Signal, assert_text, child, progrun, until};

/// A script under progrun, which waits at the gate before each report.
fn stepwise(gate: &Gate, steps: &str) -> Running {
    let script = format!("step() {{ read -r _ <\"$1\"; echo \"$2\" >&3; }}; {steps}");
    progrun(&["--name=it", "--", "sh", "-c", &script, "sh", gate.path()]).start()
}

#[test]
fn the_first_report_a_line_at_each_tenth_and_the_end() {
    let mut gate = Gate::new();
    let steps = r#"for n in $(seq 1 30); do step "$1" "$n/30 file $n"; done"#;
    let mut run = stepwise(&gate, steps);
    for (reports, expected) in [
        (1, "it: 3%, 1/30, file 1\n"),
        (2, "it: 10%, 3/30, [..]file 3\n"),
        (3, "it: 20%, 6/30, [..]file 6\n"),
        (3, "it: 30%, 9/30, [..]file 9\n"),
        (3, "it: 40%, 12/30, [..]file 12\n"),
        (3, "it: 50%, 15/30, [..]file 15\n"),
        (3, "it: 60%, 18/30, [..]file 18\n"),
        (3, "it: 70%, 21/30, [..]file 21\n"),
        (3, "it: 80%, 24/30, [..]file 24\n"),
        (3, "it: 90%, 27/30, [..]file 27\n"),
        (3, "it: 100%, 30/30, file 30\n"),
        (0, "it: completed in [..]s, 30/30[..]\n"),
    ] {
        for _ in 0..reports {
            gate.open();
        }
        assert_text(&run.stderr_line(), expected);
    }
    assert_eq!(run.stderr_line(), "");
}

#[test]
fn what_ctrl_c_sets_going_is_told() {
    let mut gate = Gate::new();
    let command = ["sh", &child("steps.sh"), gate.path()];
    let mut run = progrun(&[&["--grace=1h", "--"][..], &command].concat()).start();
    assert_text(&run.stderr_line(), "sh: 50%, 1/2, before the gate\n");
    run.signal(Signal::INT);
    assert_text(
        &run.stderr_line(),
        "sh: stopping at the next progress report, at most 1h00m (Ctrl-C again: SIGTERM now)\n",
    );
    gate.open();
    assert_text(&run.stderr_line(), "sh: cancelled after [..]s, 1/2[..]\n");
    run.finish().died_by(Signal::INT);
}

#[test]
fn every_step_of_the_ladder_is_told() {
    let gate = Gate::new();
    let command = ["sh", &child("deaf.sh"), gate.path()];
    let mut run =
        progrun(&[&["--grace=1h", "--kill-after=1h", "--"][..], &command].concat()).start();
    assert_text(&run.stderr_line(), "sh: 50%, 1/2, I can hear nothing\n");
    run.signal(Signal::INT);
    for expected in [
        "sh: stopping at the next progress report, at most 1h00m (Ctrl-C again: SIGTERM now)\n",
        "sh: terminating; SIGKILL in 1h00m (Ctrl-C again: SIGKILL now)\n",
    ] {
        assert_text(&run.stderr_line(), expected);
        run.signal_again(Signal::INT);
    }
    assert_text(&run.stderr_line(), "sh: killing\n");
    assert_text(
        &run.stderr_line(),
        "sh: cancelled after [..]s (SIGKILL), 1/2[..]\n",
    );
}

#[test]
fn a_command_that_is_interrupted_says_so() {
    let mut run = progrun(&["--", "sh", "-c", "echo up; exec sleep 1000"]).start();
    assert_eq!(run.stdout_line(), "up\n");
    run.signal(Signal::INT);
    assert_text(
        &run.stderr_line(),
        "sh: interrupted (Ctrl-C again: SIGTERM)\n",
    );
    assert_text(
        &run.stderr_line(),
        "sh: cancelled after [..]s (SIGINT)[..]\n",
    );
    run.finish().died_by(Signal::INT);
}

#[test]
fn a_part_that_fails_is_named() {
    let mut gate = Gate::new();
    let steps = r#"
        step "$1" '{"id": "b", "title": "second.jpg", "progress": 1, "total": 2}'
        step "$1" '{"id": "b", "status": "failed", "message": "disk full"}'"#;
    let mut run = stepwise(&gate, steps);
    gate.open();
    assert_text(&run.stderr_line(), "it: 0 of 1 parts\n");
    gate.open();
    assert_text(&run.stderr_line(), "it: second.jpg failed: disk full\n");
    assert_text(
        &run.stderr_line(),
        "it: completed in [..]s, 1 of 1 parts, 1 failed[..]\n",
    );
}

#[test]
fn malformed_lines_are_warned_of_once_and_counted() {
    let mut gate = Gate::new();
    let steps = r#"step "$1" '{oops'; step "$1" '{again'; step "$1" '{"progress": -1}'"#;
    let mut run = stepwise(&gate, steps);
    for _ in 0..3 {
        gate.open();
    }
    assert_text(
        &run.stderr_line(),
        "it: progress line 1 is malformed: key must be a string at column 2: {oops\n",
    );
    assert_text(
        &run.stderr_line(),
        "it: completed in [..]s, 3 malformed progress lines[..]\n",
    );
    assert_eq!(run.stderr_line(), "");
}

#[test]
fn foreign_text_is_made_visible() {
    let script = r"printf '3/10 \033[31mred\007 \342\200\256txt.exe\n' >&3; exit 1";
    progrun(&["--name=a\u{1b}b", "--", "sh", "-c", script])
        .stderr(
            "\
a^[b: 30%, 3/10, ^[[31mred^G <U+202E>txt.exe
a^[b: failed with exit status 1 after [..]s, 3/10[..]
",
        )
        .status(1);
    progrun(&["--", "sh", "-c", r"printf '{\033[2J\n' >&3; exit 1"])
        .stderr(
            "\
sh: progress line 1 is malformed: key must be a string at column 2: {^[[2J
sh: failed with exit status 1 after [..]s, 1 malformed progress line[..]
",
        )
        .status(1);
}

#[test]
fn quiet_is_silent() {
    let script = "echo 1/2 >&3; echo '{oops' >&3; exit 7";
    progrun(&["--quiet", "--", "sh", "-c", script]).status(7);
    progrun(&["--progress=none", "--", "sh", "-c", script]).status(7);
}

#[test]
fn success_without_a_report_is_silent() {
    progrun(&["--", "true"]).status(0);
    progrun(&["--", "echo", "out"]).stdout("out\n").status(0);
}

#[test]
fn a_terminal_that_is_none_gets_no_colors_even_if_they_are_wanted() {
    progrun(&["--color=always", "--", "sh", "-c", "echo 50 >&3"])
        .variable("CLICOLOR_FORCE", "1")
        .stderr("sh: 50%\nsh: completed in [..]\n")
        .status(0);
}

#[test]
fn a_line_that_the_command_has_left_open_is_ended_before_ours_where_we_see_it() {
    let script = r#"printf 'sure? ' >&2; read -r _ <"$1"; echo 1/2 >&3
        read -r _ <"$1"; echo yes; printf done"#;
    for (place, last) in [(">out 2>err", ""), (">err 2>&1", "yes\ndone\n")] {
        let (folder, mut gate) = (tempfile::tempdir().unwrap(), Gate::new());
        let command = ["--log=log", "--", "sh", "-c", script, "sh", gate.path()];
        let mut run = progrun(&command)
            .inside("sh", &format!(r#"exec "$@" {place}"#))
            .in_folder(folder.path())
            .start();
        let written = || fs::read_to_string(folder.path().join("err")).unwrap_or_default();
        for expected in ["sure? ", "sure? \nsh: 50%, 1/2\n"] {
            until(|| written() == expected);
            gate.open();
        }
        assert!(run.wait().success());
        let end = format!("sure? \nsh: 50%, 1/2\n{last}sh: completed in [..]s, 1/2[..]\n");
        assert_text(&written(), &end);
    }
}

#[test]
fn no_line_of_ours_stands_in_the_middle_of_one_that_the_command_has_left_open() {
    let script = r#"printf 'did a:'; read -r _ <"$1"; echo 1/2 >&3
        read -r _ <"$1"; printf 'b\nerror' >&2; exit 3"#;
    for place in [
        "2>&1 | cat >out",
        ">out 2>&1",
        ">>out 2>>out",
        ">/dev/null 2>out",
    ] {
        let (folder, mut gate) = (tempfile::tempdir().unwrap(), Gate::new());
        let out = folder.path().join("out");
        let has_stdout = !place.contains("null");
        let mut run = progrun(&["--", "sh", "-c", script, "sh", gate.path()])
            .inside("sh", &format!(r#""$@" {place}"#))
            .in_folder(folder.path())
            .start();
        let written = || fs::read_to_string(&out).unwrap_or_default();
        let begun = if has_stdout { "did a:" } else { "" };
        until(|| written() == begun);
        gate.open();
        let begun = if has_stdout { "did a:\n" } else { "" };
        let told = format!("{begun}sh: 50%, 1/2\n");
        until(|| written() == told);
        gate.open();
        run.wait();
        let end = "b\nerror\nsh: failed with exit status 3 after [..]\n";
        assert_text(&written(), &format!("{told}{end}"));
    }
}

#[test]
fn a_line_of_ours_waits_a_moment_for_the_end_of_an_open_one() {
    for place in ["2>&1 | cat >out", ">out 2>&1"] {
        let (folder, mut gate) = (tempfile::tempdir().unwrap(), Gate::new());
        let script = r#"printf 'did '; echo 1/2 >&3; sleep 0.2; echo a; read -r _ <"$1""#;
        let mut run = progrun(&["--", "sh", "-c", script, "sh", gate.path()])
            .inside("sh", &format!(r#""$@" {place}"#))
            .in_folder(folder.path())
            .start();
        let out = folder.path().join("out");
        let told = "did a\nsh: 50%, 1/2\n";
        until(|| fs::read_to_string(&out).unwrap_or_default() == told);
        gate.open();
        assert!(run.wait().success());
    }
}

#[test]
fn what_a_command_leaves_behind_still_writes_to_the_pipe_that_our_lines_go_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut gate = Gate::new();
    let script = r#"{ read -r _ <"$1"; echo late; echo >"$2"; } & echo early"#;
    let command = ["--", "sh", "-c", script, "sh", gate.path(), "alive"];
    let mut run = progrun(&command)
        .inside("sh", r#""$@" 2>&1 | cat >out"#)
        .in_folder(folder.path())
        .start();
    let written = || fs::read_to_string(folder.path().join("out")).unwrap_or_default();
    until(|| written() == "early\n");
    gate.open();
    // The pipeline ends with the last process that holds its pipe.
    assert!(run.wait().success());
    assert_eq!(written(), "early\nlate\n");
    until(|| folder.path().join("alive").exists());
}

#[test]
fn a_file_is_still_that_of_the_command_where_lines_of_ours_go_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let same = "echo 1/2 >&3; [ /dev/fd/1 -ef out ] && [ /dev/fd/2 -ef out ]";
    progrun(&["--", "sh", "-c", same])
        .inside("sh", r#"exec "$@" >out 2>&1"#)
        .in_folder(folder.path())
        .status(0);
}

#[test]
fn output_on_failure_is_silent_when_all_is_well_and_else_says_why_also_in_quiet() {
    let well = "echo out; echo 1/2 >&3; echo '{oops' >&3; exit 0";
    let badly = "echo out; echo 1/2 >&3; exit 3";
    for options in [&["--output=on-failure"][..], &["--output=on-failure", "-q"]] {
        let run = |words: &[&str]| progrun(&[options, words].concat());
        run(&["--", "sh", "-c", well]).status(0);
        run(&["--", "sh", "-c", badly])
            .stdout("out\n")
            .stderr("sh: failed with exit status 3 after [..], 1/2[..]\n")
            .status(3);
        run(&["--", "sh", "-c", "echo out; kill -9 $$"])
            .stdout("out\n")
            .stderr("sh: killed by SIGKILL after [..]\n")
            .dies_by(Signal::KILL);
        run(&["--timeout=0.1", "--", "sh", "-c", "echo out; exec sleep 9"])
            .stdout("out\n")
            .stderr("sh: timed out after [..] (SIGTERM)[..]\n")
            .status(124);
    }
}

#[test]
fn a_list_with_output_on_failure_is_silent_when_all_is_well() {
    let list = |values: &[&str]| {
        let words = ["each", "--output=on-failure", "--", "sh", "-c"];
        progrun(&[&words[..], &["echo out {}; exit {}", ":::"], values].concat())
    };
    list(&["0", "0"]).status(0);
    list(&["0", "3"])
        .stdout("out 3\n")
        .stderr(
            "FAILED 3  exit status 3, [..]s
sh: 1 of 2 completed, 1 failed after [..]
  3  exit status 3  [..]s  out 3   sh -c 'echo out 3; exit 3'
",
        )
        .status(1);
}
