//! A task whose end is not known is lost, whatever the way there says.

use std::time::Instant;

use crate::support::{Gate, Signal};

use super::{Engine, SHORT, reports_and_waits};

#[test]
fn without_the_last_word_a_task_is_lost_although_the_way_there_exits_with_0() {
    // As srun does when a node has failed.
    let engine = Engine::new("exec 5<&0; \"$@\" <&5 & wait; exit 0");
    let script = "echo 1/2 >&3; kill -KILL $PPID; exec sleep 1000";
    let run = engine.run(&["--json", "--kill-after", "1", "--", "sh", "-c", script]);
    let run = run.start().finish();
    assert_eq!(run.status.code(), Some(125));
    let finished = run.finished();
    assert_eq!(finished["state"], "lost");
    assert_eq!(finished["reason"], "final-event");
    let sentence = format!(
        "the connection to {} ended before the command did (exit status 0): what became of it is not known",
        engine.path("engine")
    );
    assert_eq!(finished["error"], sentence);
    assert_eq!(run.stderr, format!("progrun: {sentence}\n"));
}

#[test]
fn an_agent_that_says_nothing_for_long_is_told_of_and_then_lost() {
    let engine = Engine::plain();
    let gate = &mut Gate::new();
    let script = format!(
        "{}; kill -STOP $PPID; exec sleep 1000",
        reports_and_waits(gate)
    );
    let words = [&["--json"], &SHORT[..], &["--", "sh", "-c", &script]].concat();
    let begun = Instant::now();
    let mut run = engine.run(&words).start();
    let agent = {
        let child = run.child();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        let stat = stat.unwrap();
        let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap();
        rustix::process::Pid::from_raw(parent.parse().unwrap()).unwrap()
    };
    run.event("progress");
    gate.open();
    let warning = run.event("warning");
    let engine_path = engine.path("engine");
    assert_eq!(
        warning["message"],
        format!("{engine_path} has said nothing for 2 s")
    );
    let run = run.finish();
    // The lease, the grace, two signals, and five seconds.
    assert!(
        begun.elapsed().as_secs() >= 10,
        "{:?} {:?}",
        begun.elapsed(),
        run.events
    );
    assert_eq!(run.status.code(), Some(125));
    assert_eq!(run.finished()["state"], "lost");
    assert_eq!(run.finished()["reason"], "heartbeat");
    // Once it goes on it finds the lease over, and leaves nothing behind.
    let _ = rustix::process::kill_process(agent, Signal::CONT);
}

#[test]
fn lines_that_are_missing_are_told_of() {
    let engine = Engine::plain();
    engine.program(
        "agent",
        r#"echo '{"seq":1,"event":"hello","protocol":1,"version":"1","host":"n1","pid":1,"processors":1}'
        read -r _
        echo '{"seq":2,"event":"started","task":1,"elapsed":0.1,"name":"x","command":["x"],"pid":7}'
        echo '{"seq":5,"event":"finished","task":1,"elapsed":0.2,"state":"completed","exit_status":0,"signal":null}'"#,
    );
    let run = engine.run(&["--json", "--agent", &engine.path("agent"), "--", "x"]);
    let run = run.start().finish();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(
        run.all("warning")[0]["message"],
        format!("2 lines of what {} said are missing", engine.path("engine"))
    );
}

#[test]
fn a_job_that_may_be_left_is_ended_by_one_command_for_the_whole_run() {
    let engine = Engine::slurm(
        "echo \"$options\" >>\"${0%/*}/options\"; exec 5<&0; \"$@\" <&5 & wait; exit 0",
    );
    let script = "echo 1/2 >&3; kill -KILL $PPID; exec sleep 1000";
    engine
        .progrun(&[
            "each",
            "-q",
            "--on",
            "slurm",
            "--slurm",
            "-c4 --mem=1G",
            "--kill-after",
            "1",
            "--",
            "sh",
            "-c",
            script,
            ":::",
            "1",
            "2",
        ])
        .status(1);
    let options = engine.said("options");
    let name = options.split("--job-name=").nth(1).unwrap();
    let name = name.split_whitespace().next().unwrap();
    let line = format!(" -X -c4 --mem=1G --nodes=1 --ntasks=1 --job-name={name}\n");
    assert_eq!(options, line.repeat(2));
    assert_eq!(engine.said("scancels"), format!("scancel --name={name}\n"));
}

#[test]
fn cleanup_ends_the_jobs_of_runs_that_were_killed_and_of_no_others() {
    let engine =
        Engine::slurm("echo 'srun: job 7 queued and waiting for resources' >&2; exec sleep 1000");
    let words = ["--json", "--on", "slurm", "--", "true"];
    let mut run = engine.progrun(&words).start();
    run.event("warning");
    engine
        .progrun(&["cleanup"])
        .stdout("nothing is left\n")
        .status(0);
    run.signal(Signal::KILL);
    run.wait();
    let cleanup = engine.progrun(&["cleanup"]);
    cleanup
        .stdout("ended the jobs of progrun-[..] (scancel --name=progrun-[..])\n")
        .status(0);
    assert!(
        engine
            .said("scancels")
            .starts_with("scancel --name=progrun-")
    );
    engine
        .progrun(&["cleanup"])
        .stdout("nothing is left\n")
        .status(0);
}

#[test]
fn cleanup_says_what_it_could_not_do_and_keeps_the_note() {
    let engine =
        Engine::slurm("echo 'srun: job 7 queued and waiting for resources' >&2; exec sleep 1000");
    let mut run = engine
        .progrun(&["--json", "--on", "slurm", "--", "true"])
        .start();
    run.event("warning");
    run.signal(Signal::KILL);
    run.wait();
    engine.program("scancel", "echo 'no controller' >&2; exit 1");
    for _ in 0..2 {
        engine
            .progrun(&["cleanup"])
            .stderr("progrun: cleanup: scancel --name=progrun-[..]: no controller\n")
            .status(125);
    }
}

#[test]
fn a_job_that_waits_in_a_queue_is_ended_even_if_its_srun_is_killed() {
    let engine =
        Engine::slurm("echo 'srun: job 7 queued and waiting for resources' >&2; kill -KILL $$");
    let run = engine
        .progrun(&["--json", "--on", "slurm", "--", "true"])
        .start()
        .finish();
    assert_eq!(run.status.code(), Some(125));
    assert_eq!(run.finished()["reason"], "hello");
    assert!(
        engine
            .said("scancels")
            .starts_with("scancel --name=progrun-")
    );
}

#[test]
fn a_step_of_a_named_allocation_is_ended_alone() {
    let engine =
        Engine::slurm("exec 5<&0; SLURM_JOB_ID=42 SLURM_STEP_ID=3 \"$@\" <&5 & wait; exit 0");
    let script = "echo 1/2 >&3; kill -KILL $PPID; exec sleep 1000";
    let words = [
        "-q",
        "--on",
        "slurm",
        "--slurm",
        "--jobid=42",
        "--kill-after",
        "1",
        "--",
        "sh",
        "-c",
        script,
    ];
    engine
        .progrun(&words)
        .stderr("progrun: the connection to [..] ended before the command did (exit status 0): what became of it is not known\n")
        .status(125);
    assert_eq!(engine.said("scancels"), "scancel 42.3\n");
}

#[test]
fn a_scancel_that_does_not_answer_is_not_waited_for() {
    let engine = Engine::slurm("exec 5<&0; \"$@\" <&5 & wait; exit 0");
    engine.program("scancel", "exec sleep 1000");
    let script = "kill -KILL $PPID; exec sleep 1000";
    let words = [
        "--on",
        "slurm",
        "--kill-after",
        "1",
        "--",
        "sh",
        "-c",
        script,
    ];
    let run = engine.progrun(&words).output();
    assert_eq!(run.status.code(), Some(125));
    let stderr = crate::support::text(&run.stderr);
    assert!(
        stderr.contains(
            "sh: jobs may be left (no answer in 10 s); to end them, run: scancel --name=progrun-"
        ),
        "{stderr}"
    );
}

#[test]
fn a_task_whose_words_do_not_arrive_is_over_when_it_is_tried_again() {
    // The way back is cut after the first lines, and the way there is not.
    let engine = Engine::new("\"$@\" | { sed -u 7q; exec sleep 1000; }");
    let mark = engine.path("mark");
    let on = engine.on();
    let script = "echo $$ >>\"$1\"; [ $(wc -l <\"$1\") -gt 1 ] && { kill -0 $(head -n 1 \"$1\") 2>/dev/null && exit 9; exit 0; }
        trap '' TERM; while :; do sleep 0.05; done";
    let words = [
        &[
            "each",
            "--json",
            "-j1",
            "--on",
            &on,
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
    let ends: Vec<_> = run
        .all("finished")
        .into_iter()
        .map(|event| event["state"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["lost", "completed"], "{:?}", run.events);
    assert_eq!(run.status.code(), Some(0));
}
