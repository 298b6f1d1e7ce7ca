//! Signals that do not ask a command to stop, signals that progrun found ignored or blocked, and early ones.

use crate::support::{Signal, progrun};

#[test]
fn sigusr1_and_sigusr2_are_handed_on() {
    for (signal, name) in [(Signal::USR1, "USR1"), (Signal::USR2, "USR2")] {
        let script = format!("trap 'echo got {name}; exit 5' {name}; echo up; while :; do :; done");
        let mut run = progrun(&["--json", "--", "sh", "-c", &script]).start();
        run.event("output");
        run.signal(signal);
        let ended = run.finish();
        assert_eq!(ended.output("stdout"), format!("up\ngot {name}\n"));
        assert_eq!(ended.signals(), [format!("SIG{name} (forwarded)")]);
        assert_eq!(ended.finished()["state"], "failed");
        assert_eq!(ended.status.code(), Some(5));
    }
}

#[test]
fn sigquit_is_handed_on_and_stops_nothing_by_itself() {
    let script = "ulimit -c 0; echo up; exec sleep 1000";
    let mut run = progrun(&["--json", "--", "sh", "-c", script]).start();
    run.event("output");
    run.signal(Signal::QUIT);
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGQUIT (forwarded)"]);
    assert_eq!(ended.finished()["state"], "failed");
    assert_eq!(ended.finished()["signal"], "SIGQUIT");
    ended.died_by(Signal::QUIT);
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let mut run = progrun(&["--json", "--", "sleep", "1000"])
        .inside("sh", r#"trap '' INT HUP; exec "$@""#)
        .start();
    run.event("started");
    run.signal(Signal::INT);
    run.signal(Signal::HUP);
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_eq!(ended.all("state").len(), 1);
    assert_eq!(ended.signals(), ["SIGTERM (terminate)"]);
    ended.died_by(Signal::TERM);
}

#[cfg(target_os = "linux")]
#[test]
fn signals_that_were_blocked_at_the_start_are_taken() {
    // Only GNU's env can block signals; where it cannot, nothing is blocked.
    let block = r#"
        set -- --block-signal=INT,TERM,CHLD,ALRM "$@"
        env "$1" true 2>/dev/null || shift
        exec env "$@""#;
    let mut run = progrun(&["--json", "--", "sleep", "1000"])
        .inside("sh", block)
        .start();
    run.event("started");
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(ended.finished()["signal"], "SIGINT");
    ended.died_by(Signal::INT);
}

#[test]
fn a_caller_that_ignores_sigchld_does_not_hide_the_end() {
    progrun(&["--quiet", "--", "sh", "-c", "exit 7"])
        .inside("sh", r#"trap '' CHLD; exec "$@""#)
        .status(7);
}

#[test]
fn a_child_that_progrun_inherited_is_none_of_its_business() {
    progrun(&["--quiet", "--", "sh", "-c", "exit 7"])
        .inside("sh", r#"true & exec "$@""#)
        .status(7);
}

#[test]
fn a_request_that_comes_before_there_are_handlers_is_one_all_the_same() {
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM")] {
        for _ in 0..10 {
            let script = format!("kill -{name} $PPID; exit 3");
            let ended = progrun(&["--json", "--", "sh", "-c", &script])
                .start()
                .finish();
            assert_eq!(ended.finished()["state"], "cancelled");
            ended.died_by(signal);
        }
        // The signal that it gets as well must not end it before it exits.
        let script = format!("trap '' {name}; kill -{name} $PPID; exit 0");
        let preserves = ["--preserve-status", "--quiet", "--", "sh", "-c", &script];
        progrun(&preserves).status(0);
    }
}
