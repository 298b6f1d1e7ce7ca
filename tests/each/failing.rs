//! Tasks that fail, are tried again, halt the run or take too long: scenarios 34 to 45.

use std::time::{Duration, Instant};

use super::{each, folder, loud, notes, numbers};
use crate::support::{progrun, state_of, text};

#[test]
fn s34_failures_are_told_and_counted_and_the_rest_runs() {
    let script = r#"echo "$1" >>notes; exit $(($1 % 2))"#;
    let folder = folder(&[]);
    let words = [
        "--", "sh", "-c", script, "_", "{}", ":::", "1", "2", "3", "4", "5",
    ];
    let output = loud(&words).in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr).matches("FAILED").count(),
        3,
        "{}",
        text(&output.stderr)
    );
    assert_eq!(notes(folder.path()).len(), 5);
}

#[test]
fn s35_of_many_failures_the_end_names_20_and_counts_the_rest() {
    let list: String = numbers(150);
    // GNU parallel gives their number, but no more than 101.
    let output = loud(&["--ends", "none", "--", "sh", "-c", "exit 9", "_", "{}"])
        .stdin(list)
        .output();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches("exit status 9").count(), 20, "{stderr}");
    assert!(stderr.contains("130 more"), "{stderr}");
}

#[test]
fn s36_a_task_that_dies_of_a_signal_has_failed_and_its_output_is_shown() {
    let script = "echo out; echo err >&2; kill -SEGV $$";
    let output = loud(&["--", "bash", "-c", script, "_", "{}", ":::", "1"]).output();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("FAILED") && stderr.contains("killed by SIGSEGV"),
        "{stderr}"
    );
    assert!(stderr.contains("err\n"), "{stderr}");
    assert_eq!(text(&output.stdout), "out\n");
}

#[test]
fn s37_a_halt_that_comes_soon_lets_running_tasks_end() {
    let script = r#"case $1 in 1) sleep 0.1; exit 1;; esac; sleep 0.5; echo "$1" >>notes"#;
    let folder = folder(&[]);
    let words = [
        "each", "--json", "-j2", "--halt", "soon", "--", "sh", "-c", script, "_", "{}", ":::",
    ];
    let run = progrun(&[&words[..], &["1", "2", "3", "4", "5", "6"]].concat());
    let ended = run.in_folder(folder.path()).start().finish();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(notes(folder.path()), ["2"]);
    let end = ended.all("end")[0];
    assert_eq!(end["not_started"], 4);
    assert_eq!((&end["completed"], &end["failed"]), (&1.into(), &1.into()));
    let halted = ended.all("halted")[0];
    assert_eq!(
        (&halted["why"], &halted["count"], &halted["when"]),
        (&"fail".into(), &1.into(), &"soon".into())
    );
}

#[test]
fn s38_a_halt_that_comes_now_shows_what_failed_and_what_was_cancelled() {
    let script = r#"
        echo "$1 begins"
        case $1 in 1) echo >>notes; exec sleep 1000;; esac
        until [ -s notes ]; do sleep 0.01; done
        echo why >&2; exit 1"#;
    let folder = folder(&[]);
    let words = [
        "-k", "-j2", "--halt", "now", "--", "sh", "-c", script, "_", "{}", ":::", "1", "2",
    ];
    // GNU parallel prints nothing at all.
    let output = each(&words).in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "1 begins\n2 begins\n");
    assert_eq!(text(&output.stderr), "why\n");
}

#[test]
fn s39_a_halt_by_a_success_ends_well() {
    let script = r"case $1 in 2) exit 0;; esac; exec sleep 1000";
    let words = [
        "each",
        "--json",
        "-j2",
        "--halt",
        "now,success=1",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        ":::",
    ];
    let ended = progrun(&[&words[..], &["1", "2", "3"]].concat())
        .start()
        .finish();
    assert_eq!(ended.status.code(), Some(0));
    let finished = ended.all("finished");
    let first = finished.iter().find(|event| event["task"] == 1).unwrap();
    assert_eq!(
        (&first["state"], &first["reason"]),
        (&"cancelled".into(), &"halt".into())
    );
}

#[test]
fn s40_with_one_slot_a_halt_runs_no_further_task() {
    // rust-parallel ran two.
    let words = [
        "each",
        "--json",
        "-j1",
        "--halt",
        "soon,fail=1",
        "--",
        "cat",
        "{}",
        ":::",
    ];
    let folder = folder(&[]);
    let run = progrun(&[&words[..], &["0", "1", "2", "3"]].concat()).in_folder(folder.path());
    let ended = run.start().finish();
    assert_eq!(ended.all("started").len(), 1);
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn s41_a_halt_ends_a_run_with_retries() {
    // concurrently went on for ever.
    let script = r"case $1 in 1) exit 1;; esac; exec sleep 1000";
    let words = [
        "each",
        "--json",
        "-j2",
        "--halt",
        "now",
        "--retries",
        "3",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        ":::",
    ];
    let ended = progrun(&[&words[..], &["1", "2"]].concat())
        .start()
        .finish();
    assert_eq!(ended.status.code(), Some(1));
    let attempts = |task: u64| {
        let finished = ended.all("finished");
        finished
            .iter()
            .filter(|event| event["task"] == task)
            .count()
    };
    assert_eq!((attempts(1), attempts(2)), (4, 1));
}

#[test]
fn s42_a_failed_task_is_tried_again_and_a_flaky_one_counts_as_such() {
    let run = loud(&[
        "--retries",
        "2",
        "--ends",
        "failed",
        "--",
        "sh",
        "-c",
        "echo >>notes; exit 1",
        "_",
        "{}",
        ":::",
        "1",
    ]);
    let folder = folder(&[]);
    let output = run.in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(notes(folder.path()).len(), 3);

    let script = r#"echo >>notes; test "$PROGRUN_ATTEMPT" = 2"#;
    let words = [
        "each",
        "--json",
        "--retries",
        "2",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        ":::",
        "1",
    ];
    let ended = progrun(&words).in_folder(folder.path()).start().finish();
    assert_eq!(ended.status.code(), Some(0));
    let last = *ended.all("finished").last().unwrap();
    assert_eq!(
        (&last["attempts"], &last["state"]),
        (&2.into(), &"completed".into())
    );
    let end = ended.all("end")[0];
    assert_eq!((&end["flaky"], &end["completed"]), (&1.into(), &1.into()));

    let words = [
        "each",
        "--json",
        "--retries",
        "2",
        "--",
        "false",
        "{}",
        ":::",
        "1",
    ];
    let ended = progrun(&words).start().finish();
    let last = *ended.all("finished").last().unwrap();
    assert_eq!(
        (&last["attempts"], &last["state"]),
        (&3.into(), &"failed".into())
    );
    assert_eq!(ended.all("end")[0]["failed"], 1);
}

#[test]
fn s43_only_the_named_statuses_allow_a_further_attempt() {
    for (status, attempts) in [("1", 1), ("75", 3)] {
        let script = format!("exit {status}");
        let words = [
            "each",
            "--json",
            "--retries",
            "2",
            "--retry-on",
            "75",
            "--",
            "sh",
            "-c",
            &script,
            "{}",
            ":::",
            "1",
        ];
        let ended = progrun(&words).start().finish();
        assert_eq!(ended.all("finished").len(), attempts, "{status}");
    }
}

#[test]
fn s44_a_task_that_takes_too_long_has_failed_and_leaves_nothing() {
    let script =
        r#"case $1 in 1) sleep 1000 & echo "$!" >>notes; echo "$$" >>notes; sleep 1001;; esac"#;
    let folder = folder(&[]);
    let words = [
        "each",
        "--json",
        "-j1",
        "--timeout",
        "1",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        ":::",
        "1",
        "2",
    ];
    let ended = progrun(&words).in_folder(folder.path()).start().finish();
    assert_eq!(ended.status.code(), Some(1));
    let finished = ended.all("finished");
    assert_eq!(
        (&finished[0]["state"], &finished[0]["reason"]),
        (&"failed".into(), &"timeout".into())
    );
    assert_eq!(
        (&finished[1]["state"], &finished[1]["slot"]),
        (&"completed".into(), &1.into())
    );
    for pid in notes(folder.path()) {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        assert!(matches!(state_of(pid), 'X' | 'Z'), "{}", state_of(pid));
    }
}

#[test]
fn s45_a_deadline_stops_the_run_with_124() {
    let before = Instant::now();
    let script = r#"exec 2>/dev/null; trap 'echo "$1 asked" >>notes; exit 1' TERM; while :; do sleep 0.05; done"#;
    let folder = folder(&[]);
    let words = [
        "-j2",
        "--deadline",
        "1",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        ":::",
        "a",
        "b",
        "c",
    ];
    each(&words).in_folder(folder.path()).status(124);
    let mut notes = notes(folder.path());
    notes.sort();
    assert_eq!(notes, ["a asked", "b asked"]);
    assert!(before.elapsed() < Duration::from_mins(1));
    // One that has to be killed: 137, as from timeout.
    let words = [
        "--deadline",
        "0.2",
        "--kill-after",
        "0.2",
        "--",
        "sh",
        "-c",
        "trap '' TERM; while :; do sleep 0.05; done",
        "{}",
        ":::",
        "a",
    ];
    each(&words).status(137);
}
