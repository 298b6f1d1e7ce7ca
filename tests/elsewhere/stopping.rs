//! Ctrl-C reaches the task there, and nothing stays behind, whatever dies.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use crate::support::{Gate, Lifeline, Signal, state_of, until};

use super::{Engine, SHORT, reports_and_waits};

#[test]
fn a_report_is_seen_before_the_task_ends_and_ctrl_c_at_the_next_report() {
    let gate = &mut Gate::new();
    let lifeline = Lifeline::new();
    let script = format!(
        "exec 4>{}; trap 'echo cleaned up >&4; exit 7' PIPE; {}; echo not cancelled >&4",
        lifeline.path(),
        reports_and_waits(gate)
    );
    let engine = Engine::plain();
    let mut run = engine.run(&["--json", "--", "sh", "-c", &script]).start();
    run.event("progress");
    run.signal(Signal::INT);
    assert_eq!(run.event("state")["reason"], "interrupt");
    gate.open();
    assert_eq!(lifeline.last_words(), "cleaned up\n");
    let ended = run.finish();
    ended.died_by(Signal::INT);
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["exit_status"], 7);
}

#[test]
fn ctrl_c_again_is_sigterm_and_a_third_time_sigkill() {
    let lifeline = Lifeline::new();
    let script = format!(
        "exec 4>{}; trap 'echo TERM >&4' TERM; echo 1/2 >&3; while :; do sleep 0.05; done",
        lifeline.path()
    );
    let engine = Engine::plain();
    let mut run = engine.run(&["--json", "--", "sh", "-c", &script]).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    run.signal_again(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGTERM");
    run.signal_again(Signal::INT);
    let ended = run.finish();
    ended.died_by(Signal::INT);
    assert_eq!(
        ended.signals(),
        ["SIGTERM (interrupt)", "SIGKILL (interrupt)"]
    );
    assert_eq!(ended.finished()["signal"], "SIGKILL");
    assert_eq!(lifeline.last_words(), "TERM\n");
}

#[test]
fn a_task_that_waits_in_a_queue_is_withdrawn_at_once() {
    let engine = Engine::slurm(
        "trap 'echo TERM >\"${0%/*}/got\"; exit 1' TERM
        echo 'srun: job 7 queued and waiting for resources' >&2
        while :; do sleep 0.05; done",
    );
    let mut run = engine
        .progrun(&["--json", "--on", "slurm", "--", "true"])
        .start();
    assert_eq!(run.event("warning")["message"], "queued as job 7");
    run.signal(Signal::INT);
    let ended = run.finish();
    ended.died_by(Signal::INT);
    assert_eq!(ended.finished()["state"], "cancelled");
    assert!(ended.all("started").is_empty());
    assert_eq!(engine.said("got"), "TERM\n");
    // srun has taken the job back itself.
    assert_eq!(engine.said("scancels"), "");
    assert!(
        fs::read_dir(engine.path("state/progrun/jobs"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn the_task_ends_when_progrun_is_killed_and_the_way_there_tells_it() {
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo 1/2 >&3; exec sleep 1000", lifeline.path());
    let engine = Engine::plain();
    let mut run = engine
        .run(&["--json", "--grace", "1", "--", "sh", "-c", &script])
        .start();
    run.event("progress");
    run.signal(Signal::KILL);
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn where_no_end_of_file_comes_the_lease_ends_the_task_and_the_job() {
    // As srun after SIGKILL: the agent's stdin and stdout stay open, and nothing comes any more.
    let engine = Engine::new(
        "mkfifo \"$0.in\"; sleep 1000 <>\"$0.in\" & exec 5<&0; cat <&5 >\"$0.in\" & exec \"$@\" <\"$0.in\"",
    );
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo 1/2 >&3; exec sleep 1000", lifeline.path());
    let words = [&["--json"], &SHORT[..], &["--", "sh", "-c", &script]].concat();
    let mut run = engine.run(&words).start();
    run.event("progress");
    let begun = Instant::now();
    run.signal(Signal::KILL);
    assert_eq!(lifeline.last_words(), "");
    assert!(
        begun.elapsed().as_secs_f64() >= 1.0,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_progrun_that_was_stopped_for_longer_than_the_lease_finds_its_task_cancelled() {
    let engine = Engine::plain();
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo 1/2 >&3; exec sleep 1000", lifeline.path());
    let words = [&["--json"], &SHORT[..], &["--", "sh", "-c", &script]].concat();
    let mut run = engine.run(&words).start();
    run.event("progress");
    run.signal(Signal::STOP);
    assert_eq!(lifeline.last_words(), "");
    run.signal(Signal::CONT);
    let ended = run.finish();
    assert_eq!(ended.status.code(), Some(125));
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "lease");
}

#[test]
fn a_task_that_is_stopped_by_ctrl_z_is_kept_beyond_the_lease() {
    let engine = Engine::plain();
    let words = [
        &["--json"],
        &SHORT[..],
        &["--", "sh", "-c", "echo 1/2 >&3; exec sleep 1000"],
    ]
    .concat();
    let mut run = engine.run(&words).start();
    let child = run.child();
    run.event("progress");
    run.signal(Signal::TSTP);
    until(|| state_of(run.pid()) == 'T' && state_of(child) == 'T');
    // Longer than the lease and all steps of a stop together.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(state_of(child), 'T');
    run.signal(Signal::CONT);
    until(|| state_of(child) == 'S');
    run.signal(Signal::TERM);
    let ended = run.finish();
    ended.died_by(Signal::TERM);
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "terminate");
}

#[test]
fn a_stop_from_outside_is_told_as_cancelled_and_not_as_failed() {
    let engine = Engine::plain();
    let script = "echo $PPID >\"$1\"; echo 1/2 >&3; exec sleep 1000";
    let file = engine.path("agent");
    let mut run = engine
        .run(&[
            "--json", "--grace", "1", "--", "sh", "-c", script, "sh", &file,
        ])
        .start();
    run.event("progress");
    let agent = engine.said("agent").trim().parse().unwrap();
    let agent = rustix::process::Pid::from_raw(agent).unwrap();
    rustix::process::kill_process(agent, Signal::TERM).unwrap();
    let ended = run.finish();
    ended.died_by(Signal::TERM);
    assert_eq!(ended.all("state")[0]["reason"], "terminate");
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["reason"], "terminate");
}

#[test]
fn a_reader_that_takes_nothing_does_not_keep_ctrl_c_from_the_task() {
    let lifeline = Lifeline::new();
    let script = format!(
        "exec 4>{}; trap 'echo cancelled >&4; exit' PIPE; while echo 1/2 >&3; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
        lifeline.path()
    );
    let engine = Engine::plain();
    let mut run = engine
        .run(&["--json", "--kill-after", "1", "--", "sh", "-c", &script])
        .start();
    run.event("progress");
    // The test reads no further, so all pipes on the way fill up. Then the task waits in its echo until it is stopped.
    run.signal(Signal::INT);
    run.signal_again(Signal::INT);
    let words = lifeline.last_words();
    assert!(words == "cancelled\n" || words.is_empty(), "{words}");
    // What was not read in time is discarded.
    assert_eq!(run.end().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_silent_task_whose_output_is_not_read_is_interrupted_and_its_end_is_heard() {
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo begun; exec yes", lifeline.path());
    let engine = Engine::plain();
    for json in [true, false] {
        let words = ["--kill-after", "1", "--", "sh", "-c", &script];
        let mut run = if json {
            let mut run = engine.run(&[&["--json"], &words[..]].concat()).start();
            run.event("output");
            run
        } else {
            let mut run = engine.run(&[&["-q"], &words[..]].concat()).start();
            assert_eq!(run.stdout_line(), "begun\n");
            run
        };
        // By now, or soon, nothing moves any more.
        run.signal(Signal::INT);
        assert_eq!(run.wait().signal(), Some(Signal::INT.as_raw()));
    }
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_way_there_that_ends_by_no_signal_is_killed_at_last() {
    let engine =
        Engine::new("trap '' TERM INT HUP; echo $$ >\"${0%/*}/pid\"; while :; do sleep 0.05; done");
    let mut run = engine.run(&["--json", "--", "true"]).start();
    until(|| !engine.said("pid").is_empty());
    let pid = rustix::process::Pid::from_raw(engine.said("pid").trim().parse().unwrap()).unwrap();
    run.signal(Signal::INT);
    run.event("state");
    for _ in 0..2 {
        run.signal_again(Signal::INT);
        run.event("signal");
    }
    run.finish().died_by(Signal::INT);
    until(|| matches!(state_of(pid), 'X' | 'Z'));
}

#[test]
fn a_task_that_begins_after_the_reader_of_the_output_has_left_hears_of_that() {
    // The second task is on its way until the first one has printed something that is not read.
    let engine = Engine::new(
        "mkdir \"$0.first\" 2>/dev/null || while ! [ -e \"$0.go\" ]; do sleep 0.02; done; exec \"$@\"",
    );
    let words = [
        "each",
        "-q",
        "-j2",
        "--output",
        "stream",
        "--on",
        &engine.on(),
        "--on",
        &engine.on(),
        "--",
        "yes",
        ":::",
        "1",
        "2",
    ];
    let mut run = engine.progrun(&words).start();
    assert_eq!(run.stdout_line().trim().len(), 1);
    run.close_stdout();
    engine.program("engine.go", "");
    assert_eq!(run.wait().signal(), Some(Signal::PIPE.as_raw()));
}

#[test]
fn over_a_slow_line_the_second_ctrl_c_is_sigterm_and_not_the_end_of_patience() {
    // What the agent answers to the first one does not arrive before the second.
    let engine = Engine::new(
        "\"$@\" | while read -r line; do case $line in *cancel*) sleep 2;; esac; echo \"$line\"; done",
    );
    let script = "echo 1/2 >&3; trap 'exit 7' TERM; while :; do sleep 0.05; done";
    let mut run = engine.run(&["--json", "--", "sh", "-c", script]).start();
    run.event("progress");
    run.signal(Signal::INT);
    assert_eq!(run.event("state")["reason"], "interrupt");
    run.signal_again(Signal::INT);
    assert_eq!(run.event("signal")["signal"], "SIGTERM");
    let run = run.finish();
    run.died_by(Signal::INT);
    assert_eq!(run.finished()["exit_status"], 7);
}

#[test]
fn other_terminals_find_the_run_here_once_and_show_and_cancel_it() {
    let engine = Engine::plain();
    let name = format!("elsewhere-{}", std::process::id());
    let gate = &mut Gate::new();
    let script = reports_and_waits(gate);
    let mut run = engine
        .run(&["--json", "--name", &name, "--", "sh", "-c", &script])
        .start();
    run.event("progress");
    let ps = engine.progrun(&["ps", "--json"]).output();
    let ps = crate::support::text(&ps.stdout);
    let lines: Vec<_> = ps.lines().filter(|line| line.contains(&name)).collect();
    let [line] = lines[..] else {
        panic!("{ps}");
    };
    let pid = run.pid().as_raw_nonzero();
    assert!(line.contains(&format!("\"pid\":{pid},")), "{line}");
    let watcher = engine
        .progrun(&["attach", "--progress", "plain", &name])
        .start();
    engine
        .progrun(&["cancel", &name])
        .stderr(&format!(
            "progrun: run {pid} {name}: stopping at the next progress report (progrun cancel again: SIGTERM)\n"
        ))
        .status(0);
    gate.open();
    run.finish().died_by(Signal::INT);
    assert_eq!(watcher.end().signal(), Some(Signal::INT.as_raw()));
}
