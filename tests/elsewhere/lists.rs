//! Many tasks on many machines.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Signal, text};

use super::{Engine, SHORT};

/// The states of the tasks, by their names.
fn states(events: &[Value]) -> Vec<String> {
    let finished = events.iter().filter(|event| event["event"] == "finished");
    let mut states: Vec<_> = finished
        .map(|event| format!("{} {}", event["task"], event["state"].as_str().unwrap()))
        .collect();
    states.sort();
    states
}

#[test]
fn tasks_are_spread_over_machines_and_end_as_they_would_here() {
    let (one, other) = (Engine::plain(), Engine::plain());
    let words = [
        "each",
        "--json",
        "-j4",
        "--on",
        &one.on(),
        "--on",
        &other.on(),
        "--",
        "sh",
        "-c",
        "echo $PROGRUN_TASK; exit {}",
        ":::",
        "0",
        "3",
        "0",
        "127",
        "0",
        "0",
    ];
    let run = one.progrun(&words).start().finish();
    assert_eq!(run.status.code(), Some(1));
    let end = run.events.last().unwrap();
    assert_eq!((&end["completed"], &end["failed"]), (&4.into(), &2.into()));
    let hosts: BTreeSet<_> = run
        .all("started")
        .into_iter()
        .map(|event| event["host"].to_string())
        .collect();
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    let mut printed: Vec<_> = run.output("stdout").lines().map(str::to_owned).collect();
    printed.sort();
    assert_eq!(printed, ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_machine_that_cannot_be_reached_gets_no_more_tasks_and_others_take_its_own() {
    let good = Engine::plain();
    let bad = Engine::new("echo 'no route' >&2; exit 255");
    let words = [
        "each",
        "--json",
        "-j4",
        "--on",
        &good.on(),
        "--on",
        &bad.on(),
        "--",
        "true",
        ":::",
        "1",
        "2",
        "3",
        "4",
        "5",
    ];
    let run = good.progrun(&words).start().finish();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(
        states(&run.events),
        [
            "1 completed",
            "2 completed",
            "3 completed",
            "4 completed",
            "5 completed"
        ]
    );
    let warnings: Vec<_> = run
        .all("warning")
        .into_iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    let engine = bad.path("engine");
    assert_eq!(
        warnings,
        [format!(
            "{engine} gets no more tasks: cannot reach {engine}: no route"
        )]
    );
}

#[test]
fn where_no_machine_is_left_the_rest_is_not_started() {
    let bad = Engine::new("echo 'no route' >&2; exit 255");
    let words = [
        "each",
        "-j1",
        "--on",
        &bad.on(),
        "--",
        "true",
        ":::",
        "1",
        "2",
        "3",
    ];
    let run = bad.progrun(&words).output();
    assert_eq!(run.status.code(), Some(1));
    let engine = bad.path("engine");
    let stderr = text(&run.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines.contains(
        &format!("true: {engine} gets no more tasks: cannot reach {engine}: no route").as_str()
    ));
    assert!(lines.contains(&"true: no machine is left"), "{stderr}");
    assert!(
        lines.contains(&format!("LOST 1  cannot reach {engine}: no route").as_str()),
        "{stderr}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line
                .starts_with("true: 0 of 3 completed, 1 lost, 2 not started (lost) after")),
        "{stderr}"
    );
}

#[test]
fn a_lost_task_is_tried_again_only_when_it_cannot_run_any_more() {
    let engine = Engine::plain();
    let script =
        "echo 1/2 >&3; [ -e \"$1\" ] && exit; : >\"$1\"; kill -KILL $PPID; exec sleep 1000";
    let mark = engine.path("mark");
    let on = engine.on();
    let words = [
        &[
            "each",
            "--json",
            "-j1",
            "--on",
            &on,
            "--retries",
            "1",
            "--retry-on",
            "lost",
        ],
        &SHORT[..],
        &["--", "sh", "-c", script, "sh", &mark, ":::", "1"],
    ]
    .concat();
    let run = engine.progrun(&words).start().finish();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(states(&run.events), ["1 completed", "1 lost"]);
    let retry_in = run.all("finished")[0]["retry_in"].as_f64().unwrap();
    // The lease, the grace, two signals and five seconds, from the last word on.
    assert!((9.0..=10.0).contains(&retry_in), "{retry_in}");
}

#[test]
fn without_retry_a_lost_task_counts_and_the_run_has_failed() {
    let engine = Engine::plain();
    let script = "echo 1/2 >&3; kill -KILL $PPID; exec sleep 1000";
    let words = [
        "each",
        "--json",
        "-j1",
        "--kill-after",
        "1",
        "--on",
        &engine.on(),
        "--",
        "sh",
        "-c",
        script,
        ":::",
        "1",
        "2",
    ];
    let run = engine.progrun(&words).start().finish();
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(states(&run.events), ["1 lost", "2 lost"]);
    let end = run.events.last().unwrap();
    assert_eq!((&end["lost"], &end["failed"]), (&2.into(), &0.into()));
}

#[test]
fn on_ctrl_c_tasks_that_report_are_asked_and_those_on_their_way_are_withdrawn() {
    let engine = Engine::plain();
    // The second task finds the way blocked.
    engine.program(
        "engine",
        "if mkdir \"$0.first\" 2>/dev/null; then exec \"$@\"; fi; exec sleep 1000",
    );
    let words = [
        "each",
        "--json",
        "-j2",
        "--on",
        &engine.on(),
        "--on",
        &engine.on(),
        "--",
        "sh",
        "-c",
        "trap 'exit 7' PIPE; while echo 1/2 >&3; do :; done",
        ":::",
        "1",
        "2",
        "3",
        "4",
    ];
    let mut run = engine.progrun(&words).start();
    run.event("progress");
    run.signal(Signal::INT);
    let run = run.finish();
    run.died_by(Signal::INT);
    assert!(
        run.all("finished")
            .into_iter()
            .all(|event| event["state"] == "cancelled")
    );
}

#[test]
fn in_an_allocation_tasks_are_steps_beside_each_other() {
    let engine = Engine::slurm("echo \"$options\" >>\"${0%/*}/options\"; exec \"$@\"");
    engine
        .progrun(&[
            "each", "-q", "-k", "-j2", "--on", "slurm", "--", "echo", "{}", ":::", "1", "2",
        ])
        .variable("SLURM_JOB_ID", "42")
        .stdout("1\n2\n")
        .status(0);
    let options = engine.said("options");
    assert!(
        options.lines().all(|line| line.contains(" --exact ")),
        "{options}"
    );
    assert_eq!(options.lines().count(), 2);
}
