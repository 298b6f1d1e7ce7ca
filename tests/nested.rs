//! progrun under progrun: the inner one is a part of the outer one's run.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::{
    self, Ended, Gate, Lifeline, Progrun, Running, Signal, child, pid_in, progrun, text,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_progrun");

/// An outer run that only signals move. Its command is a shell script that finds progrun as `$progrun`, and `words` as
/// `$1`...
fn outer(script: &str, words: &[&str]) -> Progrun {
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    let command = ["sh", "-c", script, "sh"];
    progrun(&[&options[..], &command, words].concat()).variable("progrun", PROGRAM)
}

/// The `info` of every progress event of the outer run.
fn infos(ended: &Ended) -> Vec<&Value> {
    let events = ended.all("progress").into_iter();
    events.map(|event| &event["info"]).collect()
}

/// The id of the only inner run.
fn id_of(ended: &Ended) -> String {
    let first = infos(ended)[0];
    first["id"].as_str().unwrap().to_owned()
}

/// Reports until a report fails, then says so to the reader of descriptor 4. The inner progrun closes its channel a
/// moment after the outer one, so the test does not know which write fails.
const AT_WORK: &str = r"
    trap 'echo cancelled >&4; exit 130' PIPE
    while :; do echo '1/2 at work' 2>/dev/null >&3 || { echo cancelled >&4; exit 130; }; sleep 0.01; done";

/// Waits for a report with this message.
fn until_message(run: &mut Running, message: &str) {
    while run.event("progress")["info"]["message"] != message {}
}

#[test]
fn an_inner_run_is_a_part_with_a_title_and_an_end_and_prints_nothing_of_its_own() {
    let script = r#""$progrun" --name build -- sh -c "echo '3/10 a.c' >&3""#;
    let ended = outer(script, &[]).start().finish();
    let id = id_of(&ended);
    assert!(id.starts_with("progrun-"), "{id}");
    let infos = infos(&ended);
    assert_eq!(*infos[0], json!({"id": id, "title": "build"}));
    let last = infos.last().unwrap();
    assert_eq!((&last["id"], &last["status"]), (&json!(id), &json!("ok")));
    let told = infos.iter().find(|info| info["progress"] == 3).unwrap();
    assert_eq!(told["id"], id);
    assert_eq!(
        (&told["total"], &told["message"]),
        (&json!(10), &json!("a.c"))
    );
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn the_parts_of_an_inner_run_are_parts_of_its_part() {
    let report = r#"
        echo '{"id": "a", "title": "A", "progress": 1}' >&3
        echo '{"id": "b", "parent": "a", "status": "failed"}' >&3"#;
    let ended = outer(r#""$progrun" -- sh -c "$1""#, &[report])
        .start()
        .finish();
    let id = id_of(&ended);
    let infos = infos(&ended);
    let a = infos.iter().find(|info| info["title"] == "A").unwrap();
    assert_eq!(a["id"], format!("{id}/a"));
    assert_eq!(a["parent"], id);
    let b = infos
        .iter()
        .find(|info| info["status"] == "failed")
        .unwrap();
    assert_eq!(b["id"], format!("{id}/b"));
    assert_eq!(b["parent"], format!("{id}/a"));
}

#[test]
fn an_inner_failure_is_a_failed_part_and_the_outer_run_goes_on() {
    let script = r#""$progrun" -- sh -c 'exit 3'; echo "status $?""#;
    let ended = outer(script, &[]).start().finish();
    assert_eq!(infos(&ended).last().unwrap()["status"], "failed");
    assert_eq!(ended.output("stdout"), "status 3\n");
    assert_eq!(ended.finished()["state"], "completed");
}

#[test]
fn a_cancellation_reaches_the_innermost_command_at_its_next_write() {
    for levels in 1..=3 {
        let lifeline = Lifeline::new();
        let nested = r#""$progrun" --grace=1h -- "#.repeat(levels);
        let script = format!(r#"exec 4>"$2"; exec {nested} sh -c "$1""#);
        let mut run = outer(&script, &[AT_WORK, lifeline.path()]).start();
        until_message(&mut run, "at work");
        run.signal(Signal::INT);
        let ended = run.finish();
        assert_eq!(lifeline.last_words(), "cancelled\n", "{levels}");
        assert_eq!(ended.signals(), [""; 0], "{levels}");
        assert_eq!(ended.finished()["signal"], "SIGINT");
        assert_eq!(ended.stderr, "", "{levels}");
        ended.died_by(Signal::INT);
    }
}

#[test]
fn three_levels_are_a_branch_of_three() {
    let script = r#""$progrun" --name one -- "$progrun" --name two -- sh -c 'echo 1/2 deep >&3'"#;
    let ended = outer(script, &[]).start().finish();
    let id = id_of(&ended);
    let infos = infos(&ended);
    let two = infos.iter().find(|info| info["title"] == "two").unwrap();
    assert_eq!(two["parent"], id);
    let deep = infos.iter().find(|info| info["message"] == "deep").unwrap();
    assert_eq!(deep["id"], two["id"]);
    let ends = infos.iter().filter(|info| info["status"] == "ok");
    let ends: BTreeSet<_> = ends.map(|info| info["id"].to_string()).collect();
    let both = [&json!(id), &two["id"]].map(Value::to_string);
    assert_eq!(ends, BTreeSet::from(both));
}

#[test]
fn an_inner_run_tells_the_reason_of_its_cancellation() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"exec 4>/dev/null; exec "$progrun" --grace=1h --json=events -- sh -c "$1""#;
    let mut run = outer(script, &[AT_WORK]).in_folder(folder.path()).start();
    until_message(&mut run, "at work");
    run.signal(Signal::INT);
    run.finish();
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    let last = support::valid_event(events.lines().last().unwrap());
    assert_eq!(last["reason"], "outer");
    assert_eq!(last["state"], "cancelled");
    assert_eq!(last["exit_status"], 130);
}

#[cfg(target_os = "linux")]
#[test]
fn an_inner_one_that_is_killed_leaves_the_outer_one_well_and_its_command_ends() {
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    // The message of sh about the killing does not matter here.
    let script = r#"exec 2>/dev/null; "$progrun" -- sh "$1" "$2" "$3"; echo "status $?""#;
    let words = [&child("orphan.sh"), gate.path(), lifeline.path()];
    let mut run = outer(script, &words).start();
    let first = run.event("progress");
    let id = first["info"]["id"].as_str().unwrap();
    let inner = id.strip_prefix("progrun-").unwrap().parse::<i64>().unwrap();
    until_message(&mut run, "before the gate");
    rustix::process::kill_process(pid_in(&json!(inner)), Signal::KILL).unwrap();
    assert_eq!(run.event("output")["text"], "status 137\n");
    gate.open();
    assert_eq!(lifeline.last_words(), "cancelled\n");
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "completed");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn ten_inner_ones_at_once_are_ten_parts() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "
all: 1 2 3 4 5 6 7 8 9 10
1 2 3 4 5 6 7 8 9 10:
\t@\"$(progrun)\" --name job$@ -- sh -c 'i=0; while [ $$i -lt 50 ]; do i=$$((i + 1)); echo $$i/50 >&3; done'
";
    fs::write(folder.path().join("Makefile"), rules).unwrap();
    let shell = r#"for i in 1 2 3 4 5 6 7 8 9 10; do
        "$progrun" --name "job$i" -- sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo $i/50 >&3; done' &
        done; wait"#;
    let script = format!("if command -v make >/dev/null; then make -s -j10; else {shell}\nfi");
    let ended = outer(&script, &[])
        .in_folder(folder.path())
        .start()
        .finish();
    let infos = infos(&ended);
    let titles: BTreeSet<_> = infos
        .iter()
        .filter_map(|info| info["title"].as_str())
        .collect();
    let jobs: Vec<_> = (1..=10).map(|number| format!("job{number}")).collect();
    assert_eq!(titles, jobs.iter().map(String::as_str).collect());
    let of = |status: &'static str| infos.iter().filter(move |info| info["status"] == status);
    assert_eq!(of("ok").count(), 10);
    let full: BTreeSet<_> = infos
        .iter()
        .filter(|info| info["progress"] == 50)
        .map(|info| info["id"].as_str().unwrap())
        .collect();
    assert_eq!(full.len(), 10);
    assert_eq!(ended.finished()["malformed"], 0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_cancellation_reaches_ten_at_once() {
    let lifeline = Lifeline::new();
    let script = r#"
        exec 4>"$2"
        for i in 1 2 3 4 5 6 7 8 9 10; do "$progrun" --grace=1h -- sh -c "$1" & done; wait"#;
    let mut run = outer(script, &[AT_WORK, lifeline.path()]).start();
    let mut at_work = BTreeSet::new();
    while at_work.len() < 10 {
        let info = run.event("progress")["info"].take();
        if info["message"] == "at work" {
            at_work.insert(info["id"].to_string());
        }
    }
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(lifeline.last_words(), "cancelled\n".repeat(10));
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.finished()["state"], "cancelled");
}

/// Checks that an inner run shows its progress itself. `before` is done to the channel on the way to it; the socket is
/// not known to it at all.
#[track_caller]
fn assert_speaks_for_itself(before: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        r#"unset PROGRUN_SOCK; {before}; exec "$progrun" --name inner -- sh -c 'echo 1/2 half >&3'"#
    );
    let ended = outer(&script, &[])
        .in_folder(folder.path())
        .start()
        .finish();
    assert_eq!(ended.all("progress").len(), 0, "{before}");
    assert_eq!(
        ended.output("stderr").lines().next(),
        Some("inner: 50%, 1/2, half"),
        "{before}"
    );
    assert_eq!(ended.status.code(), Some(0), "{before}");
    for file in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(fs::read(file.unwrap().path()).unwrap(), b"", "{before}");
    }
}

#[test]
fn a_foreign_descriptor_is_not_written_to() {
    for before in [
        "exec 3>&-",
        "exec 3>file",
        "exec 3<>file",
        "exec 3</dev/null",
        "exec 3>/dev/null",
        "mkfifo fifo; exec 3<>fifo; rm fifo",
    ] {
        assert_speaks_for_itself(before);
    }
}

#[test]
fn variables_that_make_no_sense_are_no_channel() {
    for before in [
        "export PROGRUN_FD=garbage",
        "export PROGRUN_FD=",
        "export PROGRUN_FD=-1",
        "export PROGRUN_FD=99999999999",
        "export PROGRUN_FD=1048576",
        "export PROGRUN_FD=../fd/3",
        "export PROGRUN_FD=1",
        "export PROGRUN_FD_ID=1:1",
        "export PROGRUN_FD_ID=",
        "unset PROGRUN_FD_ID",
        "unset PROGRUN_FD",
    ] {
        assert_speaks_for_itself(before);
    }
}

#[test]
fn an_inner_one_that_is_told_how_to_show_progress_shows_it_so() {
    let script = r#""$progrun" --progress plain --name inner -- sh -c 'echo 1/2 half >&3'"#;
    let ended = outer(script, &[]).start().finish();
    assert_eq!(ended.all("progress").len(), 0);
    let stderr = ended.output("stderr");
    assert_eq!(stderr.lines().next(), Some("inner: 50%, 1/2, half"));
}

#[test]
fn an_inner_one_that_shows_progress_itself_is_cancelled_by_the_signal() {
    let mut gate = Gate::new();
    let script = r#"exec "$progrun" --progress plain --grace=1h -- sh "$1" "$2""#;
    let mut run = outer(script, &[&child("tidy.sh"), gate.path()]).start();
    run.event("output");
    run.signal(Signal::INT);
    while !run.event("output")["text"]
        .as_str()
        .unwrap()
        .contains("stopping at the next progress report")
    {}
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (interrupt)"]);
    assert_eq!(ended.output("stdout"), "tidied up\n");
}

#[cfg(target_os = "linux")]
#[test]
fn an_outer_one_that_is_stopped_does_not_hold_up_the_inner_command() {
    let mut gate = Gate::new();
    let lifeline = Lifeline::new();
    // Far more than any pipe holds: a progrun that does not merge reports would have to pass on each of them.
    let busy = r#"
        exec 4>"$2"
        echo 'ready' >&3
        read -r _ <"$1"
        i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo "$i/20000 a message that is not short"; done >&3
        echo through >&4"#;
    let script = r#"exec "$progrun" -- sh -c "$1" sh "$2" "$3""#;
    let mut run = outer(script, &[busy, gate.path(), lifeline.path()]).start();
    until_message(&mut run, "ready");
    run.signal(Signal::STOP);
    support::until(|| support::state_of(run.pid()) == 'T');
    gate.open();
    assert_eq!(lifeline.last_words(), "through\n");
    run.signal(Signal::CONT);
    let ended = run.finish();
    assert_eq!(infos(&ended).last().unwrap()["status"], "ok");
    assert_eq!(ended.finished()["state"], "completed");
}

#[test]
fn what_both_say_at_the_end_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let inner = [PROGRAM, "--", "sh", "-c", "echo 1/2 >&3; exit 3"];
    let output = progrun(&[&["--"][..], &inner].concat())
        .in_folder(folder.path())
        .output();
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches("exit status 3").count(), 1, "{stderr}");
    assert_eq!(output.status.code(), Some(3));
}
