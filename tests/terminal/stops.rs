//! Stop signals that the kernel discards in an orphaned process group, as it would without progrun, and SIGSTOP.

use std::process::Command;

use crate::pty::{End, eventually, is_stopped, kill, terminal};
use crate::support::{Signal, progrun};

const SIGNALS: [&str; 3] = ["TSTP", "TTIN", "TTOU"];

/// Output and status of a script, run by bash in a session without a terminal.
fn without_terminal(script: &str) -> (String, Option<i32>) {
    let output = Command::new("setsid")
        .args(["--wait", "bash", "-c", script])
        .env("progrun", env!("CARGO_BIN_EXE_progrun"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (text, output.status.code())
}

#[test]
fn where_no_shell_could_continue_it_a_command_cannot_stop_itself() {
    for signal in SIGNALS {
        let script = format!("exec $progrun -q -- sh -c 'kill -{signal} $$; echo on'");
        assert_eq!(
            without_terminal(&script),
            ("on\n".to_owned(), Some(0)),
            "{signal}"
        );
    }
}

#[test]
fn nor_can_what_it_started() {
    for signal in SIGNALS {
        let script =
            format!(r#"$progrun -q -- bash -c 'bash -c "kill -{signal} \$\$; echo on"; echo end'"#);
        assert_eq!(
            without_terminal(&script),
            ("on\nend\n".to_owned(), Some(0)),
            "{signal}"
        );
    }
}

#[test]
fn nor_can_it_on_a_terminal_that_belongs_to_no_other_process() {
    let mut terminal = terminal().job("kill -TSTP $$; say on; exit 3");
    assert_eq!(terminal.hears(), "on");
    assert_eq!(terminal.ends(), End::Status(3));
}

#[test]
fn sigstop_is_never_discarded() {
    let script = "kill -STOP $$; echo on";
    let mut running = progrun(&["--json", "--", "sh", "-c", script]).start();
    let child = i32::try_from(running.event("started")["pid"].as_i64().unwrap()).unwrap();
    eventually("stopped", || is_stopped(child));
    kill(child, Signal::CONT);
    assert_eq!(running.event("output")["text"], "on\n");
    running.wait();
}

/// The script has job control, so that its shell could continue progrun; still there is no terminal to lend.
#[test]
fn what_wants_a_terminal_on_a_terminal_of_ours_runs_on_where_there_is_no_other() {
    for wants in [
        r"printf '\033[?2004h'",
        r"printf '\033[?1049h'",
        r"printf '\033[2J\033[5;1H'",
        "stty raw <&1",
    ] {
        let script = format!(
            r#"set -m; $progrun --json --tty always -- sh -c "{wants}; sleep 0.3; exit 3" >/dev/null; echo $?"#
        );
        assert_eq!(
            without_terminal(&script),
            ("3\n".to_owned(), Some(0)),
            "{wants}"
        );
    }
}

#[test]
fn output_that_is_not_shown_takes_no_terminal() {
    let mut terminal =
        terminal().shell(r"printf '\033[?1049h\033[?2004h'; stty raw <&1; sleep 0.3; exit 3");
    terminal.types(
        "clear; progrun --json --tty always -- sh script >events & wait $!; echo status $?\r",
    );
    terminal.shows("\nstatus 3\nready>");
}
