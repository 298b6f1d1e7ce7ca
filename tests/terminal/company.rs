//! More than one progrun on a terminal: those that share it, and those that show a run of another one.

use std::fs::File;
use std::io::Write;
use std::ops::{Deref, DerefMut};

use crate::pty::{End, Terminal, is_stopped, steady, terminal};

/// Two runs of one process group, as below `make -j2`. Each reports, and goes on when its own FIFO is written to. The
/// shell ignores SIGINT, and they do not.
const TWO: &str = r#"
mkfifo a b
trap '' INT
work='echo 1/4 >&3; read -r _ <"$0"; echo "$0 prints"; echo 3/4 >&3; read -r _ <"$0"'
env --default-signal=INT progrun --name first -- sh -c "$work" a &
read -r _ <go
env --default-signal=INT progrun --name second -- sh -c "$work" b &
wait
"#;

/// The same with job control: the first one is in the background.
const JOBS: &str = r#"
mkfifo a b
set -m
work='echo 1/4 >&3; read -r _ <"$0"; echo "$0 prints"; echo 3/4 >&3; read -r _ <"$0"'
progrun --name first -- sh -c "$work" a &
read -r _ <go
progrun --name second -- sh -c "$work" b
wait
"#;

/// The two runs on their terminal, and the files for which they wait. Each is open for reading, too, so that a run does
/// not find the end of its file.
struct Two {
    terminal: Terminal,
    files: [File; 2],
}

impl Two {
    /// Lets one of the two go on.
    fn go(&mut self, name: &str) {
        let file = &mut self.files[usize::from(name == "b")];
        file.write_all(b"\n").unwrap();
    }
}

impl Deref for Two {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Two {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

fn two() -> Two {
    two_by(&["sh", "script"], TWO, |terminal| {
        terminal.shows("first ━━━╸───────────  25%  1/4");
        terminal.go();
        terminal.shows("second ━━━╸───────────  25%  1/4");
    })
}

/// Two runs that this shell starts with this script; `see` waits until both are on the screen.
fn two_by(shell: &[&str], script: &str, see: impl Fn(&mut Terminal)) -> Two {
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_progrun"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut terminal = terminal().env("PATH", &path).job_of(shell, script);
    see(&mut terminal);
    let files = ["a", "b"].map(|name| {
        let path = terminal.folder.path().join(name);
        File::options().read(true).write(true).open(path).unwrap()
    });
    Two { terminal, files }
}

/// The process of the run of this name on this terminal. Each test has a folder of its own.
fn pid_of(terminal: &Terminal, name: &str) -> i32 {
    let folder = terminal.folder.path();
    let pids = std::process::Command::new("pgrep")
        .args(["-f", &format!("progrun --name {name}")])
        .output()
        .unwrap();
    let pids = String::from_utf8(pids.stdout).unwrap();
    let mut pids = pids.lines().filter(|pid| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
    });
    pids.next().unwrap().parse().unwrap()
}

#[test]
fn two_progruns_on_one_terminal_are_rows_of_one_picture_and_print_above_it() {
    let mut terminal = two();
    assert_eq!(
        terminal.screen(),
        "first ━━━╸───────────  25%  1/4  _s\nsecond ━━━╸───────────  25%  1/4  _s"
    );
    terminal.go("b");
    terminal.until("the output above both rows", |screen| {
        screen.starts_with("b prints\nfirst ") && is_row(screen, 2, "second", "75%  3/4")
    });
    terminal.go("a");
    terminal.until("more of it", |screen| {
        screen.starts_with("b prints\na prints\nfirst ")
            && is_row(screen, 2, "first", "75%  3/4")
            && is_row(screen, 3, "second", "75%  3/4")
    });
    terminal.go("a");
    terminal.until("the second one draws", |screen| {
        screen.starts_with("b prints\na prints\nfirst: completed in _s, 3/4\nsecond ")
            && is_row(screen, 3, "second", "75%  3/4")
    });
    terminal.go("b");
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "b prints\na prints\nfirst: completed in _s, 3/4\nsecond: completed in _s, 3/4"
    );
}

/// Whether this line of the screen is the bar of this run, with this amount.
fn is_row(screen: &str, line: usize, name: &str, amount: &str) -> bool {
    let line = screen.lines().nth(line).unwrap_or_default();
    line.starts_with(name) && line.contains('━') && line.contains(amount)
}

#[test]
fn a_guest_that_ends_first_leaves_its_last_line_above_the_bar_of_the_other() {
    let mut terminal = two();
    terminal.go("b");
    terminal.shows("75%");
    terminal.go("b");
    terminal.until("its last line", |screen| {
        screen == "b prints\nsecond: completed in _s, 3/4\nfirst ━━━╸───────────  25%  1/4  _s"
    });
    terminal.go("a");
    terminal.shows("a prints");
    terminal.go("a");
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn ctrl_c_reaches_all_that_share_the_terminal() {
    let mut terminal = two();
    terminal.types("\x03");
    terminal.until("both stop", |screen| {
        screen.matches("stopping at").count() == 2
    });
    terminal.go("a");
    terminal.go("b");
    terminal.ends();
    let screen = terminal.screen();
    for name in ["first", "second"] {
        assert!(
            screen.contains(&format!("{name}: cancelled after _s")),
            "{screen}"
        );
    }
}

#[test]
fn when_the_one_that_draws_is_killed_the_other_draws_on() {
    let mut terminal = two();
    let pid = pid_of(&terminal, "first");
    crate::pty::kill(pid, rustix::process::Signal::KILL);
    terminal.go("b");
    terminal.until("the second one draws", |screen| {
        screen.contains("b prints\nsecond ") && screen.contains("75%  3/4")
    });
    terminal.go("b");
    terminal.ends();
    assert!(terminal.screen().ends_with("second: completed in _s, 3/4"));
}

#[test]
fn a_watcher_draws_the_same_bars_and_leaves_the_terminal_clean() {
    let mut run = terminal()
        .job(r#"echo 3/10 a.jpg >&3; echo hello; say "$PPID"; pause; echo 7/10 b.jpg >&3; pause"#);
    let number = run.hears();
    run.shows("3/10");
    let program = env!("CARGO_BIN_EXE_progrun");
    let mut watcher = terminal().run(&[program, "attach", &number]);
    watcher.until("the same picture", |screen| {
        screen == "hello\njob ━━━━╸──────────  30%  3/10  _s  a.jpg"
    });
    run.go();
    for terminal in [&mut run, &mut watcher] {
        terminal.shows("job ━━━━━━━━━━╸────  70%  7/10");
        terminal.shows("b.jpg");
    }
    watcher.types("\x03");
    assert_eq!(watcher.ends(), End::Signal(2));
    let left = steady(&watcher.screen());
    assert!(left.starts_with("hello\nprogrun: run "), "{left}");
    assert!(!left.contains('━'), "{left}");
    run.go();
    assert_eq!(run.ends(), End::Status(0));
    assert_eq!(run.screen(), "hello\njob: completed in _s, 7/10");
}

#[test]
fn a_watcher_that_comes_late_sees_how_the_stop_stands() {
    let mut run = terminal().job(
        r#"trap "" INT TERM; trap "" PIPE; echo 3/10 >&3; say "$PPID"; while ! echo 4/10 >&3; do pause; done; pause; pause"#,
    );
    let number = run.hears();
    run.shows("4/10");
    run.types("\x03");
    run.shows("stopping at");
    let program = env!("CARGO_BIN_EXE_progrun");
    let mut watcher = terminal().run(&[program, "attach", &number]);
    watcher.shows("stopping at");
    // As progrun cancel, so that no press is taken for the one before.
    let cancel = || {
        let status = std::process::Command::new(program)
            .args(["cancel", "--quiet", &number])
            .status();
        assert!(status.unwrap().success());
    };
    cancel();
    for terminal in [&mut run, &mut watcher] {
        terminal.shows("terminating");
    }
    cancel();
    run.ends();
    assert_eq!(watcher.ends(), End::Signal(2));
}

#[test]
fn when_the_one_that_draws_is_stopped_the_other_draws_on_and_ends() {
    let mut terminal = two();
    let first = pid_of(&terminal, "first");
    crate::pty::kill(first, rustix::process::Signal::STOP);
    terminal.go("b");
    terminal.go("b");
    terminal.shows("second: completed in _s, 3/4");
    crate::pty::kill(first, rustix::process::Signal::CONT);
    terminal.go("a");
    terminal.go("a");
    terminal.shows("first: completed in _s, 3/4");
    assert_eq!(terminal.ends(), End::Status(0));
}

/// The same three times, without an end.
const THREE: &str = r#"
work='say "$0" $$ $PPID; echo 1/4 >&3; pause; echo 3/4 >&3; pause'
for name in one two three; do
    progrun --name "$name" -- sh -c "$(sed -n 1,4p script); $work" "$name" &
done
wait
"#;

/// Whether these are the last rows of the screen, in any order. Each bar begins where it did before a stop.
fn are_rows(screen: &str, amount: &str) -> bool {
    let rows: Vec<_> = screen.lines().rev().take(3).collect();
    ["one", "two", "three"].iter().all(|name| {
        let row = format!("{name} ━━━╸───────────  25%  {amount}  _s");
        rows.iter().any(|it| it.starts_with(&row))
    })
}

#[test]
fn ctrl_z_below_a_script_leaves_no_bars_below_the_prompt_and_fg_brings_back_the_same_picture() {
    let mut terminal = terminal().shell(THREE);
    terminal.types("clear; sh script\r");
    let pids: Vec<i32> = (0..3).flat_map(|_| pids_of(&terminal.hears())).collect();
    terminal.until("three rows", |screen| are_rows(screen, "1/4"));
    for _ in 0..3 {
        terminal.types("\x1a");
        terminal.until("nothing below the prompt, nor beside it", |screen| {
            screen.contains("Stopped") && screen.ends_with("sh script\nready>")
        });
        // At once: some have not stopped yet.
        terminal.types("clear; fg\r");
        terminal.until("the same three rows", |screen| {
            screen.starts_with("sh script\n") && are_rows(screen, "1/4")
        });
        terminal.eventually("all go on", |_| !pids.iter().copied().any(is_stopped));
    }
    for _ in 0..6 {
        terminal.go();
    }
    terminal.until("all three ends", |screen| {
        screen.matches(": completed in _s, 3/4\n").count() == 3 && screen.ends_with("\nready>")
    });
}

/// The numbers of a child and of its progrun, behind the name.
fn pids_of(said: &str) -> Vec<i32> {
    let numbers = said.split(' ').skip(1);
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn when_the_one_that_draws_is_stopped_one_of_the_others_draws_for_all_and_no_line_is_shown_twice() {
    let third = "env --default-signal=INT progrun --name third -- sh -c \"$work\" c &\nwait\n";
    let script = TWO.replace("mkfifo a b", "mkfifo a b c");
    let script = script.replace("wait\n", third);
    let mut terminal = two_by(&["sh", "script"], &script, |terminal| {
        terminal.shows("first ━━━╸───────────  25%  1/4");
        terminal.go();
        terminal.until("three rows", |screen| screen.matches("1/4").count() == 3);
    });
    let third = terminal.folder.path().join("c");
    let mut third = File::options().read(true).write(true).open(third).unwrap();
    let first = pid_of(&terminal, "first");
    crate::pty::kill(first, rustix::process::Signal::STOP);
    terminal.go("b");
    third.write_all(b"\n").unwrap();
    terminal.until("the output of both above the rows of both", |screen| {
        let lines: Vec<_> = screen.lines().collect();
        let rows = screen.matches("75%  3/4").count();
        let lines = &lines[..lines.len().min(2)];
        lines.contains(&"b prints") && lines.contains(&"c prints") && rows == 2
    });
    crate::pty::kill(first, rustix::process::Signal::CONT);
    terminal.go("a");
    terminal.until("three rows", |screen| {
        screen.matches("75%  3/4").count() == 3
    });
    terminal.go("a");
    terminal.go("b");
    third.write_all(b"\n").unwrap();
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    for line in ["a prints", "b prints", "c prints", "completed in _s, 3/4"] {
        let times = if line.contains("completed") { 3 } else { 1 };
        assert_eq!(screen.matches(line).count(), times, "{screen}");
    }
}

#[test]
fn a_run_in_the_background_has_a_row_and_prints_above_the_bar_of_the_foreground() {
    let mut terminal = two_by(&["bash", "script"], JOBS, |terminal| {
        terminal.go();
        terminal.until("both rows", |screen| {
            is_row(screen, 0, "second", "25%  1/4") && is_row(screen, 1, "first", "25%  1/4")
        });
    });
    terminal.go("a");
    terminal.until("the output above both rows", |screen| {
        screen.starts_with("a prints\nsecond ") && is_row(screen, 2, "first", "75%  3/4")
    });
    terminal.go("b");
    terminal.go("b");
    terminal.shows("second: completed in _s, 3/4");
    terminal.go("a");
    terminal.shows("first: completed in _s, 3/4");
    assert_eq!(terminal.ends(), End::Status(0));
}
