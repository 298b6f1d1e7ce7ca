//! Job control: an interactive bash above progrun, and which process is stopped when.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::needs;
use crate::pty::{End, Terminal, eventually, is_stopped, kill, terminal};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const JOB: &str = "progrun --name job -- sh script";
const BAR: &str = "job ━━━━╸──────────  33%  1/3  _s";

/// Starts `command` at the prompt of a cleared screen.
fn start(terminal: &mut Terminal, command: &str) {
    terminal.types(&format!("clear; {command}\r"));
}

/// The first words of the script: the pids of progrun and of the child.
pub(crate) fn numbers(terminal: &mut Terminal) -> [i32; 2] {
    let numbers = terminal.hears();
    let (progrun, child) = numbers.split_once(' ').unwrap();
    [progrun, child].map(|number| number.parse().unwrap())
}

#[test]
fn ctrl_z_stops_both_and_fg_continues_both() {
    let mut terminal = terminal().shell("say $PPID $$; echo 1/3 >&3; pause; echo 2/3 >&3; pause");
    start(&mut terminal, JOB);
    let both = numbers(&mut terminal);
    terminal.until("bar", |screen| screen == BAR);
    terminal.types(CTRL_Z);
    let stopped = format!("[1]+  Stopped                 {JOB}\nready>");
    terminal.until("prompt", |screen| screen.ends_with(&stopped));
    assert!(!terminal.screen().contains("1/3"));
    eventually("both are stopped", || both.into_iter().all(is_stopped));
    terminal.types("clear; fg\r");
    terminal.shows("1/3");
    eventually("both go on", || !both.into_iter().any(is_stopped));
    terminal.go();
    terminal.shows("2/3");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn in_the_background_only_output_is_written_and_fg_brings_the_bars() {
    let mut terminal = terminal().shell(
        "say $PPID $$; echo 1/3 >&3; pause; echo from the child; say; pause; echo 2/3 >&3; pause",
    );
    start(&mut terminal, JOB);
    let both = numbers(&mut terminal);
    terminal.shows(BAR);
    terminal.types(CTRL_Z);
    terminal.shows("Stopped");
    terminal.types("clear; bg\r");
    terminal.until("prompt", |screen| screen.ends_with("&\nready>"));
    eventually("both go on", || !both.into_iter().any(is_stopped));
    terminal.go();
    terminal.hears();
    terminal.shows("ready> from the child");
    // Bars would come at least once a second.
    terminal.types("sleep 1.5; echo slept\r");
    terminal.shows("\nslept\nready>");
    assert!(!terminal.screen().contains("1/3"), "{}", terminal.screen());
    terminal.types("clear; fg\r");
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("2/3");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn a_run_that_starts_in_the_background_draws_no_bars_and_leaves_its_last_line() {
    let mut terminal = terminal().shell("say $PPID $$; echo 1/3 >&3; pause; exit 3");
    start(&mut terminal, &format!("{JOB} &"));
    numbers(&mut terminal);
    terminal.types("sleep 1.5; echo slept\r");
    terminal.shows("\nslept\nready>");
    assert!(!terminal.screen().contains("1/3"), "{}", terminal.screen());
    terminal.go();
    terminal.shows("job: failed with exit status 3 after _s, 1/3");
}

#[test]
fn ctrl_z_at_a_question_stops_both_and_fg_asks_again() {
    for command in [JOB, "sh outer"] {
        let mut terminal = terminal().shell(
            "say $PPID $$; echo 1/3 >&3; pause; stty -echo; printf 'name? '; read -r name; stty echo
             echo 2/3 >&3; echo hello $name; pause",
        );
        fs::write(
            terminal.folder.path().join("outer"),
            format!("{JOB}\nexit 4"),
        )
        .unwrap();
        start(&mut terminal, command);
        let both = numbers(&mut terminal);
        terminal.shows(BAR);
        terminal.go();
        terminal.shows("name?");
        eventually("lent", || terminal.foreground() == both[1]);
        terminal.types(CTRL_Z);
        terminal.shows("Stopped");
        eventually("both are stopped", || both.into_iter().all(is_stopped));
        terminal.types("clear; fg\r");
        eventually("lent again", || terminal.foreground() == both[1]);
        eventually("with its settings", || !terminal.echoes());
        terminal.types("Ada\r");
        terminal.shows("hello Ada");
        terminal.shows("2/3");
        terminal.go();
        terminal.shows("job: completed in _s, 2/3\nready>");
    }
}

#[test]
fn ctrl_z_in_vim_and_fg() {
    needs(&["vi"]);
    let mut terminal = terminal().shell(
        "say $PPID $$; echo 1/3 >&3; pause
         vi -u NONE -i NONE -n file >/dev/tty; echo 2/3 >&3; pause",
    );
    start(&mut terminal, JOB);
    let both = numbers(&mut terminal);
    terminal.shows(BAR);
    terminal.go();
    let is_vim = |screen: &str| screen.matches("\n~").count() > 15;
    terminal.until("vim", is_vim);
    terminal.types("ihello\x1b");
    terminal.until("text", |screen| screen.starts_with("hello\n~"));
    terminal.types(CTRL_Z);
    terminal.until("prompt", |screen| {
        screen.contains("Stopped") && screen.ends_with("ready>")
    });
    eventually("both are stopped", || both.into_iter().all(is_stopped));
    terminal.types("echo at the prompt\r");
    terminal.shows("\nat the prompt\nready>");
    terminal.types("fg\r");
    terminal.until("vim again", |screen| {
        screen.starts_with("hello\n~") && is_vim(screen)
    });
    terminal.types(":wq\r");
    terminal.shows("2/3");
    let file = fs::read_to_string(terminal.folder.path().join("file")).unwrap();
    assert_eq!(file, "hello\n");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn a_child_that_is_stopped_from_outside_is_shown_as_stopped_until_it_goes_on() {
    let mut terminal = terminal().job("say $PPID $$; echo 1/3 >&3; pause");
    let [_, child] = numbers(&mut terminal);
    terminal.shows(BAR);
    kill(child, Signal::STOP);
    terminal.shows("job (stopped) ━");
    kill(child, Signal::CONT);
    terminal.until("bar", |screen| {
        screen.contains("33%  1/3") && !screen.contains("stopped")
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn sigstop_of_progrun_leaves_the_terminal_to_the_shell_and_fg_brings_the_bars() {
    let mut terminal = terminal().shell("say $PPID $$; echo 1/3 >&3; pause; echo 2/3 >&3; pause");
    start(&mut terminal, JOB);
    let [progrun, _] = numbers(&mut terminal);
    terminal.shows(BAR);
    kill(progrun, Signal::STOP);
    terminal.shows("Stopped");
    terminal.types("clear; fg\r");
    terminal.until("bar", |screen| screen.contains("33%  1/3"));
    terminal.go();
    terminal.shows("2/3");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn sigstop_of_progrun_while_the_terminal_is_lent_needs_one_fg() {
    let mut terminal = terminal().shell(
        "say $PPID $$; read -r one; say $one; pause; read -r two; say $two; echo 2/3 >&3; pause",
    );
    start(&mut terminal, JOB);
    let [progrun, child] = numbers(&mut terminal);
    eventually("lent", || terminal.foreground() == child);
    terminal.types("1\r");
    assert_eq!(terminal.hears(), "1");
    // Not while the child reads: a process already blocked in read(2) gets no SIGTTIN when it loses the terminal.
    kill(progrun, Signal::STOP);
    terminal.shows("Stopped");
    terminal.types("clear; fg\r");
    eventually("given to the job", || terminal.foreground() == progrun);
    terminal.go();
    eventually("lent again", || terminal.foreground() == child);
    terminal.types("2\r");
    assert_eq!(terminal.hears(), "2");
    terminal.shows("2/3");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn a_run_that_goes_on_in_the_background_does_not_take_the_terminal_from_the_shell() {
    let mut terminal =
        terminal().shell("say $PPID $$; read -r one; say $one; pause; echo 2/3 >&3; say on; pause");
    start(&mut terminal, JOB);
    let [progrun, child] = numbers(&mut terminal);
    eventually("lent", || terminal.foreground() == child);
    terminal.types("1\r");
    assert_eq!(terminal.hears(), "1");
    kill(progrun, Signal::STOP);
    terminal.shows("Stopped");
    terminal.types("bg\r");
    terminal.shows("&\nready>");
    terminal.go();
    assert_eq!(terminal.hears(), "on");
    terminal.types("echo at the prompt\r");
    terminal.shows("\nat the prompt\nready>");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3");
    terminal.types("clear; echo still there\r");
    terminal.until("prompt", |screen| screen.ends_with("still there\nready>"));
}

#[test]
fn a_run_that_goes_on_in_the_background_does_not_take_the_terminal_from_another_job() {
    let mut terminal = terminal().shell(
        "say $PPID $$; read -r one; say $one; pause; echo 2/3 >&3; say reported; pause; exit 3",
    );
    start(&mut terminal, JOB);
    let [progrun, child] = numbers(&mut terminal);
    eventually("lent", || terminal.foreground() == child);
    terminal.types("1\r");
    assert_eq!(terminal.hears(), "1");
    kill(progrun, Signal::STOP);
    terminal.shows("Stopped");
    terminal.types("clear; sh -c \"echo 'cat' comes; exec cat\"\r");
    terminal.shows("cat comes");
    let job = terminal.foreground();
    kill(progrun, Signal::CONT);
    terminal.go();
    assert_eq!(terminal.hears(), "reported");
    terminal.go();
    terminal.shows("job: failed with exit status 3 after _s, 2/3");
    assert_eq!(terminal.foreground(), job);
    terminal.types("to cat\n");
    terminal.shows("to cat\nto cat");
}

#[test]
fn a_stop_of_progrun_alone_while_the_terminal_is_lent_needs_one_fg() {
    let mut terminal =
        terminal().shell("say $PPID $$; read -r name; say $name; echo 2/3 >&3; pause");
    start(&mut terminal, JOB);
    let both = numbers(&mut terminal);
    eventually("lent", || terminal.foreground() == both[1]);
    kill(both[0], Signal::TSTP);
    terminal.shows("Stopped");
    eventually("both are stopped", || both.into_iter().all(is_stopped));
    terminal.types("clear; fg\r");
    eventually("lent again", || terminal.foreground() == both[1]);
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.shows("2/3");
    terminal.go();
    terminal.shows("job: completed in _s, 2/3\nready>");
}

#[test]
fn in_the_background_a_child_that_wants_the_terminal_stops_all_and_fg_lends() {
    for (want, why) in [("", "tty input"), ("stty echo;", "tty output")] {
        let script = format!("say $PPID $$; {want} read -r word; say $word; echo 2/3 >&3; pause");
        let mut terminal = terminal().shell(&script);
        start(&mut terminal, &format!("{JOB} &"));
        let both = numbers(&mut terminal);
        eventually("both are stopped", || both.into_iter().all(is_stopped));
        // The shell may learn of the stop a moment later.
        terminal.types("clear; while [ -n \"$(jobs -r)\" ]; do :; done; jobs -l\r");
        terminal.shows(&format!("Stopped ({why})"));
        terminal.types("clear; fg\r");
        eventually("lent", || terminal.foreground() == both[1]);
        // stty has kept the settings that it found: those of a prompt, where Enter is not turned into a newline.
        terminal.types("Ada\n");
        assert_eq!(terminal.hears(), "Ada");
        terminal.shows("2/3");
        terminal.go();
        terminal.shows("job: completed in _s, 2/3\nready>");
    }
}

#[test]
fn where_no_shell_could_continue_us_ctrl_z_changes_nothing() {
    let mut terminal = terminal().job("echo '{\"progress\": 1}' >&3; pause; exit 3");
    terminal.shows("job ⣾ 1");
    terminal.types(CTRL_Z);
    terminal.spins(4);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(3));
}

#[test]
fn where_no_shell_could_continue_us_ctrl_z_in_a_lent_terminal_changes_nothing() {
    let mut terminal =
        terminal().job("say $$; read -r name; say $name; echo 2/3 >&3; pause; exit 3");
    let child: i32 = terminal.hears().parse().unwrap();
    eventually("lent", || terminal.foreground() == child);
    terminal.types(CTRL_Z);
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.shows("2/3");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(3));
}

#[test]
fn a_child_that_waits_for_a_terminal_that_cannot_be_had_is_named() {
    let mut terminal = terminal().shell("say $PPID $$; read -r word </dev/tty; exit 5");
    // The shell in between ends, and with it the only process that could continue the job.
    start(&mut terminal, &format!("(set -m; {JOB} & )"));
    let [progrun, child] = numbers(&mut terminal);
    terminal.shows("job: the command is waiting for the terminal, which progrun cannot give it");
    assert!(is_stopped(child));
    assert!(!is_stopped(progrun));
    kill(progrun, Signal::TERM);
    terminal.shows("job: cancelled after _s (SIGTERM)");
}

#[test]
fn no_clock_runs_while_we_are_stopped() {
    let mut terminal = terminal().shell("say $PPID $$; echo 1/3 >&3; pause; exit 3");
    start(&mut terminal, "progrun --timeout 2 --name job -- sh script");
    let both = numbers(&mut terminal);
    terminal.shows(BAR);
    terminal.types(CTRL_Z);
    terminal.shows("Stopped");
    eventually("both are stopped", || both.into_iter().all(is_stopped));
    terminal.types("sleep 3; clear; fg\r");
    terminal.shows("33%  1/3");
    terminal.go();
    terminal.shows("job: failed with exit status 3 after _s, 1/3\nready>");
}

#[test]
fn no_clock_runs_while_the_child_alone_is_stopped() {
    let mut terminal =
        terminal().job_with(&["--timeout", "3"], "say $$; echo 1/3 >&3; pause; exit 3");
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows(BAR);
    kill(child, Signal::STOP);
    eventually("it is stopped", || is_stopped(child));
    // Longer than the timeout: the test is that this time does not count.
    std::thread::sleep(Duration::from_millis(3500));
    kill(child, Signal::CONT);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(3));
}

#[test]
fn a_nested_run_gets_the_terminal_for_its_child() {
    let mut terminal = terminal().shell(
        "say $PPID $$; printf 'name? '; read -r name; say $name; echo 2/3 >&3; pause; echo 3/3 >&3",
    );
    start(
        &mut terminal,
        "progrun --name job -- progrun --name inner -- sh script",
    );
    let [_, child] = numbers(&mut terminal);
    terminal.shows("name?");
    eventually("lent", || terminal.foreground() == child);
    terminal.types(CTRL_Z);
    terminal.shows("Stopped");
    terminal.types("clear; fg\r");
    eventually("lent again", || terminal.foreground() == child);
    terminal.types("Ada\r");
    assert_eq!(terminal.hears(), "Ada");
    terminal.shows("66%");
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    terminal.go();
    terminal.shows("job: cancelled");
    terminal.shows("\nready>");
}

#[test]
fn a_nested_run_whose_terminal_a_report_of_another_took_asks_for_it_again() {
    let mut terminal = terminal().job(&format!(
        "(pause; echo 1/3 >&3) &
         {} --name inner -- sh -c '
             echo $$ >said; read -r one; echo $one >said
             until [ -e reported ]; do :; done; read -r two; echo $two >said'",
        env!("CARGO_BIN_EXE_progrun")
    ));
    let child: i32 = terminal.hears().parse().unwrap();
    eventually("lent", || terminal.foreground() == child);
    terminal.types("1\r");
    assert_eq!(terminal.hears(), "1");
    terminal.go();
    terminal.shows("33%  1/3");
    assert_eq!(terminal.foreground(), terminal.leader());
    fs::write(terminal.folder.path().join("reported"), "").unwrap();
    eventually("lent again", || terminal.foreground() == child);
    terminal.types("2\r");
    assert_eq!(terminal.hears(), "2");
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn ctrl_z_stops_the_command_of_on_end_with_progrun_and_ctrl_c_ends_it() {
    let mut terminal = terminal().shell("");
    let shell = terminal.leader();
    start(
        &mut terminal,
        "progrun -q --on-end 'echo waits; exec sleep 600' -- sh -c 'exit 4'",
    );
    terminal.until("the command", |screen| screen.ends_with("waits"));
    let job = terminal.foreground();
    terminal.types(CTRL_Z);
    terminal.until("the stop", |screen| {
        screen.contains("Stopped") && screen.ends_with("ready>")
    });
    eventually("progrun is stopped", || is_stopped(job));
    terminal.types("fg\r");
    terminal.eventually("the job is back", |terminal| terminal.foreground() == job);
    eventually("progrun goes on", || !is_stopped(job));
    terminal.types(CTRL_C);
    terminal.shows("progrun: --on-end: killed by SIGINT");
    terminal.eventually("the prompt", |terminal| terminal.foreground() == shell);
    terminal.types("echo status $?\r");
    terminal.shows("status 4");
}
