//! A task runs there as it would here, on what goes along with it; and why a machine cannot be used.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::support::{progrun, text};

use super::Engine;

/// The events without what differs from run to run.
fn same(events: &[Value]) -> Vec<Value> {
    let mut events = events.to_vec();
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        for field in [
            "elapsed",
            "time",
            "pid",
            "host",
            "user_time",
            "system_time",
            "max_rss",
        ] {
            event.remove(field);
        }
    }
    events
}

#[test]
fn the_events_are_those_of_a_run_here() {
    let script = r#"echo out; sleep 0.01; echo '{"progress": 1, "total": 3, "x": [1e9]}' >&3
        echo 2/3 half >&3; echo '{oops' >&3; printf 'open \377' >&2; exit 3"#;
    let here = progrun(&["--json", "--", "sh", "-c", script])
        .start()
        .finish();
    let engine = Engine::plain();
    let there = engine.run(&["--json", "--", "sh", "-c", script]);
    let there = there.start().finish();
    assert_eq!(there.status.code(), Some(3), "{}", there.stderr);
    // The two streams and the channel are three pipes: only within each is there an order.
    let by_kind = |events: &[Value]| {
        let mut events = same(events);
        events.sort_by_key(|event| format!("{} {}", event["event"], event["stream"]));
        events
    };
    assert_eq!(by_kind(&there.events), by_kind(&here.events));
    let started = &there.all("started")[0];
    assert!(started["host"].as_str().unwrap().ends_with("engine"));
}

#[test]
fn a_death_by_a_signal_and_a_command_that_is_not_there_are_told_as_here() {
    let engine = Engine::plain();
    engine
        .run(&["-q", "--", "sh", "-c", "kill -KILL $$"])
        .dies_by(crate::support::Signal::KILL);
    for (command, status, sentence) in [
        (
            "no-such-command-1",
            127,
            "cannot run no-such-command-1: no such command in PATH",
        ),
        ("/", 126, "cannot run /: it is a directory"),
    ] {
        let ran = engine.run(&["--", command]).output();
        assert_eq!(ran.status.code(), Some(status));
        let said = format!("progrun: {}: {sentence}\n", engine.path("engine"));
        assert_eq!(text(&ran.stderr), said);
    }
}

#[test]
fn folder_variables_and_words_go_along_to_the_byte() {
    let engine = Engine::new("exec env -i PATH=\"$PATH\" HOME=\"$HOME\" \"$@\"");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let script = "pwd; echo \"$WORD $OTHER ${SECRET-unset}\"; cat; printf '%s\\n' \"$@\"";
    engine
        .run(&[
            "-q",
            "--env",
            "WORD",
            "--env",
            "OTHER=a b",
            "--",
            "sh",
            "-c",
            script,
            "sh",
            "two  words",
            "it's $HOME",
            "\\",
            "*",
        ])
        .in_folder(&folder)
        .variable("WORD", "x y")
        .variable("SECRET", "1")
        .stdin("nothing of this arrives")
        .stdout(&format!(
            "{}\nx y a b unset\ntwo  words\nit's $HOME\n\\\n*\n",
            folder.display()
        ))
        .status(0);
}

#[test]
fn a_directory_that_is_not_there_is_one_clear_error() {
    let engine = Engine::plain();
    engine
        .run(&["--chdir", "/no/such/directory", "--", "true"])
        .stderr(&format!(
            "progrun: {}: there is no directory /no/such/directory (name another with --chdir)\n",
            engine.path("engine")
        ))
        .status(125);
    engine
        .run(&["-q", "--chdir", "/usr", "--", "pwd"])
        .stdout("/usr\n")
        .status(0);
}

#[test]
fn what_the_start_files_of_a_login_shell_print_is_passed_over() {
    let engine = Engine::new("echo Welcome; echo '{\"event\": \"hello\"}'; exec \"$@\"");
    engine
        .run(&["-q", "--", "echo", "done"])
        .stdout("done\n")
        .status(0);
}

#[test]
fn a_machine_that_is_not_reached_is_lost_with_what_the_way_there_has_said() {
    let engine = Engine::new("echo 'no route' >&2; echo 'give up' >&2; exit 255");
    let run = engine.run(&["--json", "--", "true"]).start().finish();
    assert_eq!(run.status.code(), Some(125));
    let finished = run.finished();
    assert_eq!(finished["state"], "lost");
    assert_eq!(finished["reason"], "hello");
    assert!(run.all("started").is_empty());
    assert_eq!(
        run.stderr,
        format!(
            "progrun: cannot reach {}: no route; give up\n",
            engine.path("engine")
        )
    );
    let silent = Engine::new("exit 0");
    silent
        .run(&["--", "true"])
        .stderr(&format!(
            "progrun: cannot reach {}: command ended, exit status 0\n",
            silent.path("engine")
        ))
        .status(125);
    progrun(&["--on", "/no/such/engine x", "--", "true"])
        .stderr("progrun: cannot run /no/such/engine: no such file\n")
        .status(127);
}

#[test]
fn an_agent_of_another_version_or_none_at_all_is_one_clear_error() {
    let engine = Engine::plain();
    let other = r#"echo '{"seq":1,"event":"hello","protocol":99,"version":"9.9","host":"n1","pid":1,"processors":1}'"#;
    engine.program("other", other);
    engine
        .run(&["--agent", &engine.path("other"), "--", "true"])
        .stderr(&format!(
            "progrun: cannot use {}: its progrun 9.9 speaks version 99 of the agent protocol, and this one version 1 \
             (name another with --agent)\n",
            engine.path("engine")
        ))
        .status(125);
    engine.program(
        "old",
        "echo \"error: unexpected argument '$1'\" >&2; exit 125",
    );
    engine
        .run(&["--agent", &engine.path("old"), "--", "true"])
        .stderr(&format!(
            "progrun: cannot use {}: no progrun has begun there: error: unexpected argument 'agent'\n",
            engine.path("engine")
        ))
        .status(125);
}

/// A run by a copy of progrun beside the engine, which can remove it before the shell there looks for it. So that shell
/// finds none.
fn as_a_copy(engine: &Engine, words: &[&str]) -> Output {
    let copy = engine.path("progrun");
    fs::copy(env!("CARGO_BIN_EXE_progrun"), &copy).unwrap();
    let run = engine.run(words).variable("PATH", "/usr/bin:/bin");
    run.inside("sh", "shift; exec \"$PROGRUN\" \"$@\"")
        .variable("PROGRUN", &copy)
        .output()
}

#[test]
fn this_program_is_brought_along_once_where_there_is_none() {
    // The file is gone before the shell looks for it, so that only a copy can be used.
    let engine = Engine::new("rm -f \"${0%/*}/progrun\"; exec \"$@\"");
    let mut umasks = Vec::new();
    for _ in 0..2 {
        let run = as_a_copy(
            &engine,
            &[
                "-q",
                "--",
                "sh",
                "-c",
                "readlink /proc/$PPID/exe; umask >&2",
            ],
        );
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        assert!(text(&run.stdout).starts_with(&engine.path("cache/progrun/agent-")));
        // The copy is the user's alone, and the task has the usual mask.
        umasks.push(text(&run.stderr));
    }
    assert_eq!(umasks[0], umasks[1]);
    let copies = fs::read_dir(engine.path("cache/progrun")).unwrap();
    assert_eq!(copies.count(), 1);
}

#[test]
fn a_machine_of_another_kind_is_one_clear_error() {
    let engine = Engine::new("rm -f \"${0%/*}/progrun\"; PATH=\"${0%/*}\":$PATH exec \"$@\"");
    engine.program(
        "uname",
        "case $1 in -s) echo Linux;; *) echo riscv64;; esac",
    );
    let run = as_a_copy(&engine, &["--", "true"]);
    assert_eq!(run.status.code(), Some(125));
    assert_eq!(
        text(&run.stderr),
        format!(
            "progrun: cannot use {}: it has no progrun, and this one is for linux on {}, not for Linux on riscv64 \
             (install progrun there, or name one with --agent)\n",
            engine.path("engine"),
            std::env::consts::ARCH
        )
    );
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    for (words, sentence) in [
        (
            &["--on", "a,b", "--", "true"][..],
            "one command runs on one machine: --on names several (progrun each and progrun tasks take them)",
        ),
        (
            &["--on", "a", "--slurm", "-c4", "--", "true"],
            "--slurm is for --on slurm",
        ),
        (
            &["each", "--on", "slurm,b", "--", "true", ":::", "1"],
            "invalid value 'slurm,b' for --on: slurm is no host: --on slurm stands alone, and -j says how many",
        ),
        (
            &["--on", "a", "--lease", "0.5", "--", "true"],
            "invalid value '0.5' for --lease: a lease is at least 1s, or 0 for one without an end",
        ),
        (
            &["--on=-oX=y", "--", "true"],
            "invalid value '-oX=y' for --on: -oX=y: a host does not begin with a hyphen",
        ),
    ] {
        let run = progrun(words).output();
        assert_eq!(run.status.code(), Some(125));
        let stderr = text(&run.stderr);
        assert!(stderr.contains(sentence), "{stderr}");
    }
}

#[test]
fn without_a_home_there_is_no_place_for_a_copy() {
    let engine = Engine::new("rm -f \"${0%/*}/progrun\"; unset HOME XDG_CACHE_HOME; exec \"$@\"");
    let run = as_a_copy(&engine, &["--", "true"]);
    assert_eq!(run.status.code(), Some(125));
    assert_eq!(
        text(&run.stderr),
        format!(
            "progrun: cannot use {}: no progrun has begun there: there is no progrun, and without HOME no place for a copy\n",
            engine.path("engine")
        )
    );
}

#[test]
fn a_terminal_on_the_way_is_recognised_at_once() {
    let engine = Engine::new("while read -r line; do echo \"$line\"; done");
    engine
        .run(&["--", "true"])
        .stderr(&format!(
            "progrun: cannot use {}: there is a terminal on the way, and bytes have to pass unchanged (omit -t)\n",
            engine.path("engine")
        ))
        .status(125);
}

#[test]
fn a_way_there_that_closes_its_output_is_no_cancellation() {
    let engine = Engine::new("exec >/dev/null; exec \"$@\"");
    let run = engine.run(&["--json", "--", "true"]).start().finish();
    assert_eq!(run.finished()["state"], "lost");
    assert_eq!(run.finished()["reason"], "hello");
    assert_eq!(
        run.stderr,
        format!(
            "progrun: cannot reach {}: it closed its output\n",
            engine.path("engine")
        )
    );
}

#[test]
fn lines_that_come_twice_count_once() {
    let engine = Engine::new("\"$@\" | sed -u p");
    engine
        .run(&["-q", "--", "sh", "-c", "echo one; echo two; exit 3"])
        .stdout("one\ntwo\n")
        .status(3);
}

#[test]
fn a_script_there_finds_progrun_report() {
    let engine = Engine::new("PATH=/usr/bin:/bin exec \"$@\"");
    let run = engine.run(&["--json", "--", "sh", "-c", "progrun report 1/2 half"]);
    let run = run.start().finish();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert_eq!(run.all("progress")[0]["info"]["message"], "half");
}

#[test]
fn a_lease_and_a_grace_of_all_time_are_no_fault() {
    let engine = Engine::plain();
    let words = [
        "-q",
        "--lease",
        "1e300",
        "--grace",
        "1e300",
        "--kill-after",
        "1e300",
        "--",
        "echo",
        "hi",
    ];
    engine.run(&words).stdout("hi\n").status(0);
}

#[test]
fn a_file_as_stdin_is_seen_from_the_directory_of_the_run() {
    let engine = Engine::new("cd /; exec \"$@\"");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "of a\n").unwrap();
    let words = [
        "each",
        "-q",
        "--on",
        &engine.on(),
        "--stdin",
        "{}.txt",
        "--",
        "sh",
        "-c",
        "cat",
        ":::",
        "a",
    ];
    engine
        .progrun(&words)
        .in_folder(folder.path())
        .stdout("of a\n")
        .status(0);
}
