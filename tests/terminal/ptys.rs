//! Output as it was: what goes through progrun to a terminal is a terminal to the child, too.

use std::fs;

use super::terminal::{End, installed, terminal};

/// Without bars in the way.
const PLAIN: [&str; 1] = ["--quiet"];

#[test]
fn the_childs_output_is_a_terminal_of_our_size_and_resized_with_it() {
    let mut terminal = terminal().job(
        r#"[ -t 1 ] && [ -t 2 ] && say two terminals; exec 4>&1
           trap 'say $(stty size <&4) $(stty size <&2)' WINCH
           say $(stty size <&4); while :; do pause; done"#,
    );
    assert_eq!(terminal.hears(), "two terminals");
    assert_eq!(terminal.hears(), "24 80");
    terminal.resize(30, 100);
    assert_eq!(terminal.hears(), "30 100 30 100");
}

#[test]
fn the_output_is_a_pipe_where_that_is_wanted_or_nobody_sees_it() {
    let script = "[ -t 1 ] || [ -t 2 ] || say no terminal";
    for options in [
        &["--tty", "never"][..],
        &["--output", "none", "--log", "log"],
        &["--json"],
    ] {
        let mut terminal = terminal().job_with(options, script);
        assert_eq!(terminal.hears(), "no terminal");
        assert_eq!(terminal.ends(), End::Status(0));
    }
}

#[test]
fn the_output_is_a_terminal_wherever_it_goes_through_us_if_that_is_wanted() {
    let script = "[ -t 1 ] && [ -t 2 ] && say two terminals; printf 'a\\nb\\r\\n'";
    for options in [
        &["--tty", "always", "--output", "on-failure", "--log", "log"][..],
        &["--tty", "always", "--json", "--log", "log"],
    ] {
        let mut terminal = terminal().job_with(options, script);
        assert_eq!(terminal.hears(), "two terminals");
        assert_eq!(terminal.ends(), End::Status(0));
        let log = fs::read(terminal.folder.path().join("log")).unwrap();
        assert_eq!(log, b"a\nb\r\n");
    }
}

#[test]
fn the_controlling_terminal_is_still_ours() {
    let mut terminal = terminal().job(
        r#"say $(ps -o tty= -p $$); echo 1/2 >&3; pause; echo in the middle >/dev/tty; pause"#,
    );
    let tty = terminal.hears();
    assert!(tty.starts_with("pts/"), "{tty}");
    terminal.shows("1/2");
    terminal.go();
    terminal.shows("in the middle");
}

#[test]
fn colors_and_columns_are_as_without_progrun() {
    let files = "mkdir folder; touch one two three four; ";
    let list = format!("{files} ls --color=auto");
    let screen = |options: &[&str]| {
        let mut terminal = match options {
            [] => terminal().run(&["sh", "-c", &list]),
            options => terminal().job_with(options, &list),
        };
        assert_eq!(terminal.ends(), End::Status(0));
        let colored = "\x1b[01;34mfolder\x1b[0m  ";
        assert!(terminal.was_sent(colored), "{}", terminal.screen());
        let screen = terminal.screen();
        screen
            .lines()
            .next()
            .unwrap()
            .replace("  go  ", "  ")
            .replace("  said  ", "  ")
    };
    let alone = screen(&[]);
    assert!(alone.contains("folder  four"), "{alone}");
    assert_eq!(screen(&["--progress", "bars"]), alone);
    assert_eq!(screen(&PLAIN), alone);
}

#[test]
fn lines_of_python_come_as_they_are_printed() {
    if !installed("python3") {
        return;
    }
    let mut terminal = terminal().run(&[
        env!("CARGO_BIN_EXE_progrun"),
        "--name",
        "job",
        "--",
        "python3",
        "-c",
        "print('first'); open('go').readline(); print('second')",
    ]);
    terminal.shows("first");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.screen().starts_with("first\nsecond"));
}

#[test]
fn who_asks_the_terminal_where_the_cursor_is_gets_an_answer() {
    let mut terminal = terminal().job_of(
        &[
            env!("CARGO_BIN_EXE_progrun"),
            "--name",
            "job",
            "--",
            "bash",
            "script",
        ],
        r#"stty -icanon -echo <&2; printf '\033[6n' >&2
           IFS= read -r -d R answer <&2; stty icanon <&2; say "${answer#?}"
           echo 1/2 >&3; pause"#,
    );
    assert_eq!(terminal.hears(), "[24;1");
    terminal.until("bar", |screen| screen.starts_with("job ━"));
    assert!(!terminal.was_sent("\x1b[6n"));
    assert_eq!(terminal.foreground(), terminal.leader());
}

#[test]
fn not_a_byte_is_lost_at_a_fast_end_on_a_terminal() {
    let lines: String = (0..30_000).map(|number| format!("{number}\n")).collect();
    let script = r#"seq 0 29999 >&2 & seq 0 29999; wait"#;
    for _ in 0..20 {
        let mut terminal = terminal().job_with(&["--log", "log"], script);
        assert_eq!(terminal.ends(), End::Status(0));
        let log = fs::read_to_string(terminal.folder.path().join("log")).unwrap();
        assert_eq!(log.len(), 2 * lines.len());
    }
}

#[test]
fn who_still_holds_a_terminal_of_the_child_is_named() {
    let mut terminal = terminal().job_with(&[], r#"(exec 2>&1; pause) & say $!; exec 2>/dev/null"#);
    let pid = terminal.hears();
    assert_eq!(terminal.ends(), End::Status(0));
    let held = format!("stdout is still held by sh ({pid}); what it writes now is lost");
    assert!(terminal.screen().contains(&held), "{}", terminal.screen());
    terminal.go();
}
