//! Ctrl-C, Ctrl-S and a hang-up, and the state of the terminal afterwards.

use std::fs;

use crate::pty::{End, eventually, terminal};

const CTRL_C: &str = "\x03";

#[test]
fn ctrl_c_asks_a_child_that_reports_and_its_next_report_is_its_last() {
    let mut terminal = terminal().job(
        "echo 1/3 >&3; pause
         echo 2/3 >&3; echo this is never said",
    );
    terminal.shows("1/3");
    terminal.types(CTRL_C);
    terminal
        .shows("\n  stopping at the next progress report, at most _s (Ctrl-C again: SIGTERM now)");
    terminal.go();
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    assert_eq!(terminal.screen(), "job: cancelled after _s, 1/3");
}

#[test]
fn ctrl_c_ends_a_child_that_never_reported_at_once() {
    let command = [env!("CARGO_BIN_EXE_progrun"), "--", "sleep", "100"];
    let mut terminal = terminal().run(&command);
    terminal.shows("sleep ⣾");
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    assert_eq!(terminal.screen(), "sleep: cancelled after _s (SIGINT)");
}

#[test]
fn ctrl_c_three_times_kills_a_child_that_ignores_everything_else() {
    let mut terminal = terminal().job("trap '' PIPE TERM INT; echo '{\"progress\": 1}' >&3; pause");
    terminal.shows("job ⣾");
    terminal.types(CTRL_C);
    terminal.shows("(Ctrl-C again: SIGTERM)");
    // A Ctrl-C that comes sooner would count as the same key press.
    terminal.spins(3);
    terminal.types(CTRL_C);
    terminal.shows("(Ctrl-C again: SIGKILL)");
    terminal.spins(3);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    assert_eq!(terminal.screen(), "job: cancelled after _s (SIGKILL), 1");
}

#[test]
fn a_loop_of_an_interactive_shell_stops_at_the_cancelled_run() {
    let mut terminal =
        terminal()
            .env("PS1", "ready> ")
            .run(&["bash", "--norc", "--noprofile", "-i"]);
    terminal.until("prompt", |screen| screen == "ready>");
    let progrun = env!("CARGO_BIN_EXE_progrun");
    fs::write(
        terminal.folder.path().join("job"),
        "echo $1 >>began; echo 1/2 >&3; read -r _ <go; echo 2/2 >&3",
    )
    .unwrap();
    terminal.types(&format!(
        "clear; for i in 1 2 3; do {progrun} -- sh job $i; done\r"
    ));
    terminal.shows("1/2");
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    terminal.go();
    terminal.until("prompt again", |screen| screen.ends_with("\nready>"));
    terminal.types("echo status $?\r");
    terminal.shows("\nstatus 130\nready>");
    let began = fs::read_to_string(terminal.folder.path().join("began")).unwrap();
    assert_eq!(began, "1\n");
    assert!(terminal.screen().contains("sh: cancelled after _s, 1/2\n"));
}

#[test]
fn a_terminal_that_goes_away_ends_progrun_and_its_child() {
    let mut terminal = terminal().job(
        "echo 1/3 >&3; say $$; pause
         sleep 1; say $(cat /proc/$PPID/stat)
         pause; echo 2/3 >&3; say never",
    );
    let child = terminal.hears();
    terminal.shows("1/3");
    terminal.hang_up();
    terminal.go();
    // User and system time of progrun, in hundredths of a second: it waits and does not spin.
    let stat = terminal.hears();
    let fields: Vec<&str> = stat.split(' ').collect();
    let time: u64 = fields[13..15]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    assert!(time < 50, "{stat}");
    terminal.go();
    assert_eq!(terminal.ends(), End::Signal(libc::SIGHUP));
    assert!(!fs::exists(format!("/proc/{child}")).unwrap());
}

#[test]
fn a_terminal_that_goes_away_ends_a_child_that_never_reported() {
    let mut terminal = terminal().job("say $$; exec sleep 100");
    let child = terminal.hears();
    terminal.shows("job ⣾");
    terminal.hang_up();
    assert_eq!(terminal.ends(), End::Signal(libc::SIGHUP));
    assert!(!fs::exists(format!("/proc/{child}")).unwrap());
}

#[test]
fn the_settings_of_the_terminal_are_the_same_after_as_before() {
    let mut terminal = terminal().job("pause; echo 1/2 >&3; pause");
    let before = terminal.settings();
    terminal.go();
    terminal.shows("1/2");
    assert_eq!(terminal.settings(), before);
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    terminal.go();
    terminal.ends();
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_time_limit_holds_on_a_terminal_that_ctrl_s_has_stopped() {
    let options = ["--timeout=0.5", "--signal=KILL", "--kill-after=0.01"];
    let mut terminal = terminal().job_with(&options, "say begun; yes");
    terminal.hears();
    terminal.stop();
    let leader = terminal.leader();
    eventually("the end of progrun", || {
        let stat = fs::read_to_string(format!("/proc/{leader}/stat")).unwrap();
        stat.contains(") Z ")
    });
    terminal.resume();
    assert_eq!(terminal.ends(), End::Status(137));
}

#[test]
fn where_a_stop_is_can_be_seen_below_output_that_never_pauses() {
    let mut terminal = terminal().job("trap '' INT; yes");
    terminal.until("output", |screen| screen.contains("y\ny\n"));
    terminal.types("\x03");
    terminal.shows("interrupted; still running");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
}
