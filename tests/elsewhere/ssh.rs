//! The same over ssh, with a real server on this machine.

use crate::harness::needs;
use crate::support::{Gate, Lifeline, Signal, text, until};

use super::server::{SSHD, Server};
use super::{SHORT, reports_and_waits};

#[test]
fn a_command_runs_on_a_host_as_it_would_here() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let script = "echo 1/2 >&3; echo out; echo err >&2; pwd; exit 7";
    let run = server
        .progrun(&[
            "-q", "--on", "node", "--chdir", "/usr", "--", "sh", "-c", script,
        ])
        .output();
    assert_eq!(text(&run.stdout), "out\n/usr\n");
    assert_eq!(text(&run.stderr), "err\n");
    assert_eq!(run.status.code(), Some(7));
}

#[test]
fn ctrl_c_is_seen_at_the_next_report_on_the_host() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let gate = &mut Gate::new();
    let lifeline = Lifeline::new();
    let script = format!(
        "exec 4>{}; trap 'echo cleaned up >&4; exit 7' PIPE; {}",
        lifeline.path(),
        reports_and_waits(gate)
    );
    let mut run = server
        .progrun(&["--json", "--on", "node", "--", "sh", "-c", &script])
        .start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    assert_eq!(lifeline.last_words(), "cleaned up\n");
    run.finish().died_by(Signal::INT);
}

#[test]
fn the_task_ends_when_progrun_is_killed_and_when_its_ssh_is() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    for kills_ssh in [false, true] {
        let lifeline = Lifeline::new();
        let script = format!("exec 4>{}; echo 1/2 >&3; exec sleep 1000", lifeline.path());
        let words = [
            "--json", "--grace", "1", "--on", "node", "--", "sh", "-c", &script,
        ];
        let mut run = server.progrun(&words).start();
        run.event("progress");
        if kills_ssh {
            server.kill_clients();
            let run = run.finish();
            assert_eq!(run.finished()["state"], "lost");
            assert_eq!(run.finished()["reason"], "final-event");
            assert_eq!(run.status.code(), Some(125));
        } else {
            run.signal(Signal::KILL);
        }
        assert_eq!(lifeline.last_words(), "");
    }
}

#[test]
fn when_the_server_dies_the_task_ends_and_is_lost() {
    needs(&["ssh", SSHD]);
    let mut server = Server::start("");
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo 1/2 >&3; exec sleep 1000", lifeline.path());
    let words = [
        &["--json"],
        &SHORT[..],
        &["--on", "node", "--", "sh", "-c", &script],
    ]
    .concat();
    let mut run = server.progrun(&words).start();
    run.event("progress");
    server.kill_all();
    assert_eq!(lifeline.last_words(), "");
    let run = run.finish();
    assert_eq!(run.finished()["state"], "lost");
    assert_eq!(run.status.code(), Some(125));
}

#[test]
fn a_server_that_turns_logins_away_is_asked_again() {
    needs(&["ssh", SSHD]);
    // Of more than one login at a time, all others are refused.
    let server = Server::start("MaxStartups 1:100:1\n");
    let run = server
        .progrun(&[
            "each", "-q", "-j6", "--on", "node:6", "--", "echo", "{}", ":::", "1", "2", "3", "4",
            "5", "6",
        ])
        .output();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert_eq!(text(&run.stdout).lines().count(), 6);
}

#[test]
fn a_host_that_does_not_exist_is_one_clear_error() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let run = server
        .progrun(&["--on", "no-such-host.invalid", "--", "true"])
        .output();
    assert_eq!(run.status.code(), Some(125));
    let stderr = text(&run.stderr);
    assert!(
        stderr.starts_with("progrun: cannot reach no-such-host.invalid: ssh: Could not resolve hostname no-such-host.invalid"),
        "{stderr}"
    );
}

#[test]
fn nothing_is_left_on_the_host_after_many_tasks() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let words = [
        "each", "-q", "-j4", "--on", "node:4", "--", "sh", "-c", "exit {}", ":::", "0", "1", "2",
        "3", "0", "0",
    ];
    server.progrun(&words).status(1);
    until(|| server.sessions() == 0);
}
