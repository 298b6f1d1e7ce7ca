//! `progrun demo`: what a stranger sees, and that each way out of it is in order.
//!
//! The demo paces itself with `sleep`. Here that is a script which returns when the test says so, or at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::harness::needs;
use crate::pty::{End, Setup, Terminal, terminal};
use crate::support::{progrun, text};

const CTRL_C: &str = "\x03";
const DEMO: [&str; 2] = [env!("CARGO_BIN_EXE_progrun"), "demo"];
/// How many pauses there are before the parts, in them, and in what follows the question.
const SEARCH: usize = 40;
const PARTS: usize = 80;

/// A folder for PATH with a `sleep` that does this.
fn pace(script: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let sleep = folder.path().join("sleep");
    fs::write(&sleep, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&sleep, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.path().display());
    (folder, path)
}

/// The demo on a terminal; it goes on with each `go`.
fn led(setup: Setup) -> (TempDir, Terminal) {
    let (folder, path) = pace("read -r _ <go");
    (folder, setup.env("PATH", &path).run(&DEMO))
}

fn go(terminal: &mut Terminal, times: usize) {
    for _ in 0..times {
        terminal.go();
    }
}

#[test]
fn the_demo_shows_parts_a_failure_and_a_question_and_explains_ctrl_c() {
    let (_folder, mut terminal) = led(terminal());
    let before = terminal.settings();
    terminal.shows("progrun runs a command: me, a script that makes up a backup.");
    terminal.shows("looking for files");
    go(&mut terminal, SEARCH + 19);
    terminal.shows("demo     ━╸─────────────  10% ");
    terminal.shows(" 120/1200 ");
    terminal.shows("  photos ━━━╸───────────  25% ");
    terminal.shows("  music  ━━━╸───────────  25%  30.0 MiB/120.0 MiB ");
    terminal.shows("  mail   ━━━━╸──────────  33% ");
    go(&mut terminal, 20);
    terminal.shows("demo: mail failed: connection lost");
    go(&mut terminal, PARTS - 39);
    terminal.shows("Make an archive? [Y/n] (yes after 8 s)");
    terminal.types("n");
    terminal.shows("Now press Ctrl-C.");
    terminal.shows("  check ");
    assert_eq!(terminal.settings(), before);
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    go(&mut terminal, 1);
    terminal.shows("That was Ctrl-C. progrun closed the channel, so my next report has just");
    go(&mut terminal, 30);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    let end = "
| All that was unfinished is removed. I end.
demo: cancelled after _s, 486/1200, 3 of 4 parts, 1 failed

The exit status is 130: after Ctrl-C,
progrun ends by SIGINT. So whatever
follows in a script does not happen:
  progrun -- ./backup.sh && rm -r photos

What to type next:
  progrun -- COMMAND      your command
  progrun demo --script   this script
  progrun help            what to read
  man progrun             the manual";
    assert!(screen.ends_with(end), "{screen}");
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_second_ctrl_c_ends_the_demo_while_it_cleans_up() {
    let (_folder, mut terminal) = led(terminal());
    terminal.shows("looking for files");
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    go(&mut terminal, 1);
    terminal.shows("A second Ctrl-C would send me");
    // Within 150 ms it would be the same key press.
    terminal.spins(3);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    assert!(
        screen.contains("| That was SIGTERM. I end at once."),
        "{screen}"
    );
}

#[test]
fn ctrl_c_at_the_question_ends_the_demo_and_leaves_the_terminal_as_it_was() {
    let (_folder, mut terminal) = led(terminal());
    let before = terminal.settings();
    go(&mut terminal, SEARCH + PARTS);
    terminal.shows("Make an archive? [Y/n] (yes after 8 s)");
    terminal.eventually("a question for a key", |terminal| {
        terminal.settings() != before
    });
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    assert!(
        screen.contains("| Ctrl-C sent me SIGINT, as without progrun. I end."),
        "{screen}"
    );
    assert_eq!(terminal.settings(), before);
}

#[test]
fn a_question_without_an_answer_does_not_stop_the_demo_and_it_leaves_nothing_behind() {
    let (_folder, path) = pace("exit 0");
    let home = tempfile::tempdir().unwrap();
    let setup = terminal().env("PATH", &path);
    let mut terminal = setup.env("HOME", home.path().to_str().unwrap()).run(&DEMO);
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    assert!(
        screen.contains("Make an archive? [Y/n] (yes after 8 s) \n"),
        "{screen}"
    );
    let end = "
| The backup is complete, but for the mail.
demo: completed in _s, 1200/1200, 4 of 4 parts, 1 failed

The exit status is 0, the script's own.
A failed part does not change it.
";
    assert!(screen.contains(end), "{screen}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn no_line_of_the_demo_is_wider_than_a_narrow_terminal() {
    let (_folder, mut terminal) = led(terminal().size(24, 40));
    terminal.shows(
        "\
| progrun runs a command: me, a script
| that makes up a backup. What I print
| scrolls up. My bar stays below it.
",
    );
    terminal.types(CTRL_C);
    terminal.shows("stopping at the next progress report");
    go(&mut terminal, 31);
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let screen = terminal.screen();
    let end = "  progrun -- ./backup.sh && rm -r photos\n";
    assert!(screen.contains(end), "{screen}");
}

#[test]
fn without_a_terminal_the_demo_asks_nothing_and_tells_the_same() {
    let (_folder, path) = pace("exit 0");
    let run = progrun(&["demo"])
        .variable("PATH", &path)
        // Without its output, it would be none.
        .variable("PROGRUN_OUTPUT", "none");
    let output = run.output();
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(
        said.starts_with("| progrun runs a command: me, a script that makes up a backup."),
        "{said}"
    );
    assert!(!said.contains("[Y/n]"), "{said}");
    assert!(
        said.contains("\n| One part has failed. The others go on.\n"),
        "{said}"
    );
    assert!(
        said.ends_with("  man progrun             the manual\n"),
        "{said}"
    );
    let shown = text(&output.stderr);
    assert!(
        shown.contains("demo: mail failed: connection lost\n"),
        "{shown}"
    );
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

#[test]
fn a_wrong_variable_of_a_run_is_125_and_named_but_other_subcommands_do_not_mind() {
    for arguments in [&["help"][..], &["report", "3/10"], &["demo", "--script"]] {
        let output = progrun(arguments)
            .variable("PROGRUN_GRACE", "long")
            .output();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    progrun(&["demo"])
        .variable("PROGRUN_GRACE", "long")
        .stderr(
            "\
progrun: invalid value 'long' for PROGRUN_GRACE: expected a time such as 90s, 1h30m or 0.5
For more information, try 'progrun --help'.
",
        )
        .status(125);
}

fn the_script_of_the_demo_runs_in(shell: &[&str]) {
    needs(&shell[..1]);
    let (folder, path) = pace("exit 0");
    let script = progrun(&["demo", "--script"]).output().stdout;
    fs::write(folder.path().join("demo.sh"), script).unwrap();
    let command = [&["--"], shell, &["demo.sh"]].concat();
    let run = progrun(&command).variable("PATH", &path);
    let output = run.in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(&output.stderr);
    assert!(
        shown.contains(": mail failed: connection lost\n"),
        "{shown}"
    );
    assert!(
        shown.contains(", 1200/1200, ") && shown.contains(", 4 of 4 parts, 1 failed"),
        "{shown}"
    );
    // Alone, too.
    let alone = std::process::Command::new(shell[0])
        .args(&shell[1..])
        .arg("demo.sh")
        .current_dir(folder.path())
        .env("PATH", &path)
        .env_remove("PROGRUN_FD")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    assert_eq!(text(&alone.stderr), "");
    let said = text(&alone.stdout);
    assert!(
        said.starts_with("| Without progrun around me, I have no bars.\n"),
        "{said}"
    );
}

#[test]
fn the_script_of_the_demo_runs_in_dash() {
    the_script_of_the_demo_runs_in(&["dash"]);
}

#[test]
fn the_script_of_the_demo_runs_in_bash() {
    the_script_of_the_demo_runs_in(&["bash"]);
}

#[test]
fn the_script_of_the_demo_runs_in_busybox() {
    the_script_of_the_demo_runs_in(&["busybox", "sh"]);
}

#[test]
fn the_script_of_the_demo_runs_in_mksh() {
    the_script_of_the_demo_runs_in(&["mksh"]);
}
