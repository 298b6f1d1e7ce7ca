//! A run at the other end of ssh: a real server on this machine, and a progrun behind it.

use crate::elsewhere::server::{SSHD, Server};
use crate::harness::needs;
use crate::support::{Lifeline, Running, Signal};

/// Runs a script under progrun at the server, and that ssh connection under a progrun here.
fn run(server: &Server, script: &str, ssh_options: &str) -> Running {
    let ssh = format!(
        "exec ssh {ssh_options} node {} --json -- sh {}",
        env!("CARGO_BIN_EXE_progrun"),
        server.script(script),
    );
    server
        .progrun(&["--json", "--from=progrun", "--", "sh", "-c", &ssh])
        .start()
}

#[test]
fn a_run_at_the_other_end_of_ssh_is_shown_at_this_one() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let script = r#"
        echo 1/3 >&3
        echo '{"id": "a", "title": "part", "progress": 5, "total": 10}' >&3
        echo out; echo err >&2; echo 3/3 >&3; exit 7"#;
    let ended = run(&server, script, "").finish();
    assert_eq!(ended.status.code(), Some(7));
    let reports: Vec<_> = ended
        .events
        .iter()
        .filter(|event| event["event"] == "progress")
        .map(|event| {
            assert_eq!(event["source"], "progrun");
            event["info"].to_string()
        })
        .collect();
    let expected = [
        r#"{"title":"sh"}"#,
        r#"{"progress":1,"total":3}"#,
        r#"{"id":"remote-1/a","progress":5,"title":"part","total":10}"#,
        r#"{"progress":3,"total":3}"#,
        r#"{"id":"remote-1/a","status":"failed"}"#,
    ];
    assert_eq!(reports, expected);
    // progrun hides no output here, so the remote events arrive unchanged, with the output of the remote command in
    // them.
    let stdout = ended.output("stdout");
    for printed in [
        r#""stream":"stdout","text":"out\n""#,
        r#""stream":"stderr","text":"err\n""#,
    ] {
        assert!(stdout.contains(printed), "{stdout}");
    }
}

#[test]
fn a_run_at_the_other_end_of_ssh_on_a_terminal_is_cancelled_with_the_connection() {
    needs(&["ssh", SSHD]);
    let server = Server::start("");
    let lifeline = Lifeline::new();
    let script = format!(
        "trap '' PIPE; exec 4>{}; while echo 1/2 >&3; do :; done; echo cancelled >&4",
        lifeline.path()
    );
    let mut run = run(&server, &script, "-tt");
    run.event("progress");
    run.signal(Signal::INT);
    assert_eq!(lifeline.last_words(), "cancelled\n");
    run.finish().died_by(Signal::INT);
}
