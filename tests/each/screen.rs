//! What a person sees of a list, on a terminal and off it: scenarios 58 to 62. The pictures themselves are tested beside
//! the bars, on an emulator that needs no time.

use std::time::{Duration, Instant};

use super::{loud, numbers};
use crate::pty::{End, terminal};
use crate::support::text;

const PROGRUN: &str = env!("CARGO_BIN_EXE_progrun");

/// The rows of a screen that are about tasks, about the others, and about the run.
fn rows(screen: &str) -> (usize, usize, usize) {
    let count = |is_one: fn(&str) -> bool| screen.lines().filter(|line| is_one(line)).count();
    (
        count(|line| line.starts_with("task")),
        count(|line| line.starts_with("and ")),
        count(|line| line.starts_with("list ")),
    )
}

#[test]
fn s58_the_rows_fit_the_screen_and_nothing_is_left_over() {
    let script = "while ! [ -e over ]; do sleep 0.05; done";
    let list: Vec<String> = (1..=64).map(|number| format!("task{number}")).collect();
    let words = [
        "each", "--name", "list", "-j64", "--", "sh", "-c", script, "_", "{}", ":::",
    ];
    let words: Vec<&str> = words
        .into_iter()
        .chain(list.iter().map(String::as_str))
        .collect();
    let mut terminal = terminal().run(&[&[PROGRUN][..], &words].concat());
    terminal.until("all rows", |screen| rows(screen) == (11, 1, 1));
    terminal.resize(6, 80);
    terminal.until("few rows", |screen| rows(screen) == (2, 1, 1));
    std::fs::write(terminal.folder.path().join("over"), "").unwrap();
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    let end = screen.lines().last().unwrap();
    assert!(end.starts_with("list: 64 completed in "), "{screen}");
    assert_eq!(rows(&screen), (0, 0, 0), "{screen}");
}

#[test]
fn s59_tasks_that_are_over_at_once_never_have_a_row() {
    let script = r#"seq 1000 | "$0" each --name list -j4 -- true"#;
    let mut terminal = terminal().run(&["sh", "-c", script, PROGRUN]);
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    assert!(screen.starts_with("list: 1,000 completed in "), "{screen}");
    assert_eq!(screen.lines().count(), 1, "{screen}");
}

#[test]
fn s60_the_time_left_never_falls_by_more_than_half_when_tasks_end_in_waves() {
    // rust-parallel's went from five days to seven minutes.
    let script = "case $1 in [0-9]) sleep 0.3 ;; *) sleep 1.5 ;; esac";
    let words = [
        "each", "--name", "list", "-j10", "--ends", "none", "--", "sh", "-c", script, "_", "{}",
        ":::",
    ];
    let values: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let words: Vec<&str> = words
        .into_iter()
        .chain(values.iter().map(String::as_str))
        .collect();
    let mut terminal = terminal()
        .size(24, 100)
        .run(&[&[PROGRUN][..], &words].concat());
    assert_eq!(terminal.ends(), End::Status(0));
    let sent = String::from_utf8_lossy(&terminal.bytes).into_owned();
    let lefts = sent
        .lines()
        .filter(|line| line.contains("list "))
        .filter_map(|line| {
            let (_, left) = line.split_once("ETA ")?;
            let digits: String = left.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
    let lefts: Vec<u32> = lefts.collect();
    assert!(lefts.len() > 3, "{lefts:?}\n{sent:?}");
    // Whole seconds: a fall to the next one is none.
    for pair in lefts.windows(2) {
        assert!(pair[1] + 1 >= pair[0] / 2, "{lefts:?}");
    }
}

#[test]
fn s61_off_a_terminal_a_thousand_tasks_are_a_few_lines() {
    let begun = Instant::now();
    let output = loud(&["--name", "list", "-j4", "--", "true"])
        .stdin(numbers(1000))
        .output();
    let took = begun.elapsed();
    let said = text(&output.stderr);
    assert!(!said.contains(['\x1b', '\r']), "{said:?}");
    let lines = said.lines().filter(|line| line.contains(" done, ")).count();
    // A line for each tenth, and for each ten seconds on a slow machine.
    let slow = usize::try_from(took.as_secs() / 10).unwrap();
    assert!(lines <= 10 + slow, "{said}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn s62_reports_show_on_the_row_of_their_task_and_the_indicator_goes_at_the_end() {
    let script =
        r#"echo "3/10 copying" >&3; while ! [ -e over ]; do sleep 0.05; done; exec sleep 1000"#;
    let words = [
        PROGRUN, "each", "--name", "list", "-j2", "--", "sh", "-c", script, "_", "{}", ":::", "a",
        "b",
    ];
    let mut terminal = terminal().env("WT_SESSION", "1").run(&words);
    terminal.until("both rows", |screen| screen.matches("3/10").count() == 2);
    assert!(terminal.was_sent("\x1b]9;4;1;"));
    terminal.types("\x03");
    terminal.until("the stop", |screen| {
        screen.contains("stopping: 2 running tasks may end")
    });
    // Within 150 ms it would count as the same key press.
    std::thread::sleep(Duration::from_millis(200));
    terminal.types("\x03");
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let bytes = terminal.bytes.clone();
    let last = memchr::memmem::rfind(&bytes, b"\x1b]9;4;").unwrap();
    assert!(
        bytes[last..].starts_with(b"\x1b]9;4;0"),
        "{:?}",
        text(&bytes[last..])
    );
}

#[test]
fn s62_under_another_progrun_the_list_is_a_part_with_its_tasks_as_parts() {
    let script = r#"echo "3/10 copying" >&3; while ! [ -e over ]; do sleep 0.05; done"#;
    let words = [
        PROGRUN, "--name", "outer", "--", PROGRUN, "each", "--name", "list", "-j2", "--", "sh",
        "-c", script, "_", "{}", ":::", "a", "b",
    ];
    let mut terminal = terminal().size(24, 100).run(&words);
    terminal.until("the tree", |screen| {
        let has = |start: &str, count: &str| {
            screen
                .lines()
                .any(|line| line.trim_start().starts_with(start) && line.contains(count))
        };
        has("outer", "") && has("list", "0/2") && has("a ", "3/10") && has("b ", "3/10")
    });
    std::fs::write(terminal.folder.path().join("over"), "").unwrap();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_task_finds_a_terminal_as_it_was_made_whatever_the_task_before_it_has_done_to_its_own() {
    // The answer to the question (DA) ends with a c, which is ^S then: the terminal stops, and no child is left to go on.
    let script = "readlink /proc/$$/fd/1; stty -a <&1; stty raw ixon rows 3 stop c <&1; echo end; printf '\\033[c'";
    let words = [
        PROGRUN, "each", "-q", "-j1", "--output", "group", "--", "sh", "-c", script, ":::", "a",
        "b", "c",
    ];
    let mut terminal = terminal().size(50, 200).run(&words);
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    // The answer of `stty` has several lines, the same ones for each task. The first one names the pseudo-terminal.
    let tasks: Vec<_> = screen.split("\nend").map(str::trim).collect();
    assert!(tasks[0].starts_with("/dev/pts/"), "{screen}");
    assert!(tasks[0].contains("isig icanon iexten -echo"), "{screen}");
    assert_eq!(tasks[1..3], [tasks[0]; 2], "{screen}");
}
