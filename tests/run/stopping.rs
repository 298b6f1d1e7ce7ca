//! The ladder: asking, SIGTERM, SIGKILL, giving up.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use rustix::process::{getpgid, test_kill_process};
use serde_json::{Value, json};

use crate::harness::needs;
use crate::support::{
    Ended, Gate, Lifeline, Running, Signal, child, pid_in, progrun, state_of, until,
};

/// A command under `progrun --json` with so much patience that only signals move the ladder.
fn patient(command: &[&str]) -> crate::support::Progrun {
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    progrun(&[&options[..], command].concat())
}

#[track_caller]
fn assert_ending(ended: &Ended, exit_status: Option<i32>, signal: Option<&str>) {
    let finished = ended.finished();
    assert_eq!(finished["state"], "cancelled", "{:#?}", ended.events);
    assert_eq!(finished["exit_status"], json!(exit_status), "{finished}");
    assert_eq!(finished["signal"], json!(signal), "{finished}");
}

#[test]
fn a_command_that_reports_ends_at_its_next_progress_write() {
    let mut gate = Gate::new();
    let mut run = patient(&["sh", &child("steps.sh"), gate.path()]).start();
    run.event("progress");
    run.signal(Signal::INT);
    let state = run.event("state");
    assert_eq!(state["state"], "cancelling");
    assert_eq!(state["reason"], "interrupt");
    gate.open();
    let ended = run.finish();
    assert_ending(&ended, None, Some("SIGPIPE"));
    assert_eq!(ended.finished()["reason"], "interrupt");
    assert_eq!(ended.finished()["reports"], 1);
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.output("stdout"), "");
    assert_eq!(ended.stderr, "");
    ended.died_by(Signal::INT);
}

#[test]
fn a_script_with_traps_tidies_up_and_is_heard() {
    for shell in ["sh", "bash"] {
        let mut gate = Gate::new();
        let mut run = patient(&[shell, &child("tidy.sh"), gate.path()]).start();
        run.event("progress");
        run.signal(Signal::INT);
        run.event("state");
        gate.open();
        let ended = run.finish();
        assert_ending(&ended, Some(130), None);
        assert_eq!(ended.output("stdout"), "tidied up\n", "{shell}");
        assert_eq!(ended.output("stderr"), "", "{shell}");
        ended.died_by(Signal::INT);
    }
}

#[test]
fn a_shell_sees_130_after_ctrl_c() {
    let mut gate = Gate::new();
    let report_parent = r#"echo "{\"parent\": $PPID}" >&3; read -r _ <"$1"; echo 1 >&3"#;
    let mut run = patient(&["sh", "-c", report_parent, "sh", gate.path()])
        .inside("sh", r#""$@"; exit "$?""#)
        .start();
    let parent = pid_in(&run.event("progress")["info"]["parent"]);
    rustix::process::kill_process(parent, Signal::INT).unwrap();
    run.event("state");
    gate.open();
    assert_eq!(run.finish().status.code(), Some(130));
}

#[test]
fn a_bash_loop_around_progrun_stops() {
    let mut gate = Gate::new();
    let mut run = patient(&["sh", &child("steps.sh"), gate.path()])
        .inside("bash", r#"for i in 1 2 3; do "$@"; done; echo went on >&2"#)
        .in_own_group()
        .start();
    run.event("progress");
    run.signal_group(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.all("started").len(), 1);
    assert_eq!(ended.stderr, "");
    ended.died_by(Signal::INT);
}

#[test]
fn a_command_that_never_reported_gets_the_signal_at_once() {
    for (signal, reason, name) in [
        (Signal::INT, "interrupt", "SIGINT"),
        (Signal::TERM, "terminate", "SIGTERM"),
        (Signal::HUP, "hangup", "SIGHUP"),
    ] {
        let mut run = patient(&["sleep", "1000"]).start();
        run.event("started");
        run.signal(signal);
        let ended = run.finish();
        assert_eq!(ended.all("state")[0]["reason"], reason);
        assert_eq!(ended.signals(), [format!("{name} ({reason})")]);
        assert_ending(&ended, None, Some(name));
        assert_eq!(ended.finished()["reason"], reason);
        ended.died_by(signal);
    }
}

#[test]
fn sigterm_and_sighup_ask_a_command_that_reports_as_well() {
    for (signal, reason) in [(Signal::TERM, "terminate"), (Signal::HUP, "hangup")] {
        let mut gate = Gate::new();
        let mut run = patient(&["sh", &child("steps.sh"), gate.path()]).start();
        run.event("progress");
        run.signal(signal);
        assert_eq!(run.event("state")["reason"], reason);
        gate.open();
        let ended = run.finish();
        assert_ending(&ended, None, Some("SIGPIPE"));
        assert_eq!(ended.signals(), [""; 0]);
        ended.died_by(signal);
    }
}

#[test]
fn a_command_that_closed_the_channel_gets_the_signal_at_once() {
    let script = "echo 1/2 >&3; exec 3>&-; echo closed; exec sleep 1000";
    let mut run = patient(&["sh", "-c", script]).start();
    run.event("output");
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (interrupt)"]);
    assert_ending(&ended, None, Some("SIGINT"));
}

/// Leads a child that ignores everything up the ladder, to SIGKILL.
fn kill(run: &mut Running) {
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    for name in ["SIGTERM", "SIGKILL"] {
        run.signal_again(Signal::INT);
        assert_eq!(run.event("signal")["signal"], name);
    }
}

#[test]
fn a_command_that_ignores_everything_is_killed_at_the_third_request() {
    let gate = Gate::new();
    let mut run = patient(&["sh", &child("deaf.sh"), gate.path()]).start();
    kill(&mut run);
    let ended = run.finish();
    assert_eq!(
        ended.signals(),
        ["SIGTERM (interrupt)", "SIGKILL (interrupt)"]
    );
    assert_ending(&ended, None, Some("SIGKILL"));
    ended.died_by(Signal::INT);
}

#[cfg(target_os = "linux")]
#[test]
fn the_fourth_request_gives_up() {
    let gate = Gate::new();
    let mut run = progrun(&[
        "--json",
        "--grace=1h",
        "--wait-output",
        "--",
        "sh",
        &child("deaf.sh"),
        gate.path(),
    ])
    .start();
    let pid = run.child();
    // This test holds the child's stderr, out of progrun's reach, so that the kill does not end the run. (The child's
    // stdout would do as well, but is another file while the shell echoes to the channel.)
    let stderr = format!("/proc/{pid}/fd/2");
    let mut held = File::options().write(true).open(stderr).unwrap();
    // It also writes without a pause: progrun would wait for a silent holder only for a limited time.
    thread::spawn(move || while held.write_all(&[b'.'; 4096]).is_ok() {});
    kill(&mut run);
    run.signal_again(Signal::INT);
    let ended = run.finish();
    assert_eq!(
        ended.all("warning")[0]["message"],
        format!("giving up; pid {pid} is still running")
    );
    assert_ending(&ended, None, None);
    ended.died_by(Signal::INT);
}

#[test]
fn when_the_grace_is_over_the_signal_follows_that_was_asked_by() {
    let gate = Gate::new();
    let command = ["sh", &child("steps.sh"), gate.path()];
    let options = ["--json", "--grace=0.01", "--kill-after=1h", "--"];
    for (signal, name) in [
        (Signal::INT, "SIGINT"),
        (Signal::TERM, "SIGTERM"),
        (Signal::HUP, "SIGHUP"),
    ] {
        let mut run = progrun(&[&options[..], &command].concat()).start();
        run.event("progress");
        run.signal(signal);
        let ended = run.finish();
        assert_eq!(ended.signals(), [format!("{name} (grace)")]);
        assert_ending(&ended, None, Some(name));
        ended.died_by(signal);
    }
}

#[test]
fn when_kill_after_is_over_too_sigkill_follows() {
    let gate = Gate::new();
    let command = ["sh", &child("deaf.sh"), gate.path()];
    let options = ["--json", "--grace=10ms", "--kill-after=10ms", "--"];
    let mut run = progrun(&[&options[..], &command].concat()).start();
    run.event("progress");
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(
        ended.signals(),
        [
            "SIGINT (grace)",
            "SIGTERM (kill-after)",
            "SIGKILL (kill-after)"
        ]
    );
    assert_ending(&ended, None, Some("SIGKILL"));
    ended.died_by(Signal::INT);
}

#[test]
fn after_ctrl_c_time_alone_sends_nothing_to_a_command_that_never_reported() {
    let mut gate = Gate::new();
    // A program that must not be interrupted, such as one that writes a disk. 5.5 s exceed the default of --kill-after,
    // 5 s.
    let script = r#"trap 'echo heard' INT; echo up; until read -r _ <"$1"; do :; done; exit 7"#;
    let options = ["--json", "--grace=10ms", "--", "bash", "-c", script];
    let mut run = progrun(&[&options[..], &["bash", gate.path()]].concat()).start();
    run.event("output");
    run.signal(Signal::INT);
    run.event("output");
    thread::sleep(Duration::from_millis(5500));
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (interrupt)"]);
    assert_ending(&ended, Some(7), None);
    ended.died_by(Signal::INT);
}

#[test]
fn with_kill_after_given_time_goes_on_after_ctrl_c_as_well() {
    let script = "trap '' INT TERM; echo up; exec sleep 1000";
    let mut run = progrun(&["--json", "--kill-after=10ms", "--", "sh", "-c", script]).start();
    run.event("output");
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(
        ended.signals(),
        [
            "SIGINT (interrupt)",
            "SIGTERM (kill-after)",
            "SIGKILL (kill-after)"
        ]
    );
    assert_ending(&ended, None, Some("SIGKILL"));
    ended.died_by(Signal::INT);
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_ignores_sighup_gets_it_and_lives_on() {
    let mut gate = Gate::new();
    let script = r#"trap '' HUP; echo up; read -r _ <"$1"; exit 7"#;
    let options = ["--json", "--kill-after=10ms", "--", "sh", "-c", script];
    let mut run = progrun(&[&options[..], &["sh", gate.path()]].concat()).start();
    run.event("output");
    run.signal(Signal::HUP);
    assert_eq!(run.event("signal")["reason"], "forwarded");
    // SIGWINCH comes after it, and the command goes on: no step was taken.
    run.signal(Signal::WINCH);
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGHUP (forwarded)"]);
    assert_eq!(ended.finished()["state"], "failed");
    assert_eq!(ended.status.code(), Some(7));
}

#[test]
fn when_the_reader_of_the_events_is_gone_that_is_a_hang_up_also_for_a_silent_command() {
    for script in ["echo up; exec sleep 1000", "while :; do echo up; done"] {
        let lifeline = Lifeline::new();
        let script = format!("exec 4>\"$1\"; {script}");
        let command = ["sh", "-c", &script, "sh", lifeline.path()];
        let mut run = patient(&command).start();
        run.event("output");
        run.close_stdout();
        assert_eq!(run.wait().signal(), Some(Signal::HUP.as_raw()));
        assert_eq!(lifeline.last_words(), "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn events_in_a_file_have_no_reader_that_could_go() {
    let (mut gate, folder) = (Gate::new(), tempfile::tempdir().unwrap());
    let events = format!("--json={}", folder.path().join("events").display());
    let script = r#"read -r _ <"$1"; exit 7"#;
    let mut run = progrun(&[&events, "--", "sh", "-c", script, "sh", gate.path()]).start();
    run.close_stdout();
    gate.open();
    assert_eq!(run.wait().code(), Some(7));
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_left_its_group_is_killed_by_its_number() {
    needs(&["perl"]);
    let lifeline = Lifeline::new();
    let script = r#"
        use POSIX;
        $SIG{INT} = $SIG{TERM} = "IGNORE";
        open(F, ">", $ARGV[0]);
        setpgrp(0, getpgrp(getppid()));
        $| = 1; print "up\n"; sleep 1000"#;
    let command = ["perl", "-e", script, lifeline.path()];
    let options = ["--json", "--kill-after=10ms", "--"];
    let mut run = progrun(&[&options[..], &command].concat())
        .in_own_group()
        .start();
    run.event("output");
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_ending(&ended, None, Some("SIGKILL"));
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_grace_for_ever_and_a_huge_one_never_end() {
    for grace in ["--grace=0", "--grace=1e300", "--grace=18446744073709551615"] {
        let mut gate = Gate::new();
        let command = ["sh", &child("steps.sh"), gate.path()];
        let mut run = progrun(&[&["--json", grace, "--"][..], &command].concat()).start();
        run.event("progress");
        run.signal(Signal::INT);
        run.event("state");
        gate.open();
        let ended = run.finish();
        assert_ending(&ended, None, Some("SIGPIPE"));
        assert_eq!(ended.stderr, "", "{grace}");
    }
}

#[test]
fn the_whole_group_is_gone_afterwards() {
    let lifeline = Lifeline::new();
    let mut run = patient(&["sh", &child("family.sh"), lifeline.path()]).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    run.signal_again(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGTERM (interrupt)"]);
    assert_ending(&ended, None, Some("SIGTERM"));
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_descendant_that_left_the_group_is_gone_after_the_killing() {
    let lifeline = Lifeline::new();
    let mut run = patient(&["bash", &child("runaway.sh"), lifeline.path()]).start();
    kill(&mut run);
    assert_ending(&run.finish(), None, Some("SIGKILL"));
    assert_eq!(lifeline.last_words(), "");
}

#[test]
fn a_daemon_is_left_alone_by_a_normal_end() {
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    let script = child("start-daemon.sh");
    progrun(&["--", "bash", &script, gate.path(), lifeline.path()]).status(0);
    gate.open();
    assert_eq!(lifeline.last_words(), "the daemon is alive\n");
}

#[test]
fn two_signals_at_once_are_one_request() {
    let mut gate = Gate::new();
    let script = r#"trap '' USR1; echo 1/2 >&3; read -r _ <"$1"; echo 2/2 >&3"#;
    let mut run = patient(&["sh", "-c", script, "sh", gate.path()]).start();
    run.event("progress");
    run.signal(Signal::INT);
    let first = elapsed(&run.event("state"));
    run.signal(Signal::HUP);
    // Its event shows that progrun has seen the signal before it.
    run.signal(Signal::USR1);
    run.event("signal");
    gate.open();
    let ended = run.finish();
    // On a busy machine the second signal may reach progrun so late that it counts.
    let too_soon = |event: &&Value| event["signal"] == "SIGTERM" && elapsed(event) < first + 0.15;
    assert_eq!(ended.all("signal").into_iter().find(too_soon), None);
}

fn elapsed(event: &Value) -> f64 {
    event["elapsed"].as_f64().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_is_stopped_ends_at_sigterm() {
    let mut run = patient(&["sh", "-c", "kill -STOP $$; exec sleep 1000"]).start();
    let pid = run.child();
    until(|| state_of(pid) == 'T');
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_ending(&ended, None, Some("SIGTERM"));
    ended.died_by(Signal::TERM);
}

#[test]
fn the_command_leads_a_group_of_its_own_which_is_empty_at_the_end() {
    let mut run = patient(&["sleep", "1000"]).start();
    let pid = run.child();
    assert_eq!(getpgid(Some(pid)).unwrap(), pid);
    run.signal(Signal::INT);
    run.finish();
    assert!(test_kill_process(pid).is_err(), "it has been reaped");
}
