//! Output that passes through progrun to a terminal: the child has a terminal there, too.

use std::fs;

use crate::harness::needs;
use crate::pty::{End, eventually, terminal};
use crate::soak::scaled;

/// Without bars in the way.
const PLAIN: [&str; 1] = ["--quiet"];

#[test]
fn the_childs_output_is_a_terminal_of_our_size_and_resized_with_it() {
    let mut terminal = terminal().job(
        "[ -t 1 ] && [ -t 2 ] && say two terminals; exec 4>&1
           trap 'say $(stty size <&4) $(stty size <&2)' WINCH
           say $(stty size <&4); while :; do pause; done",
    );
    assert_eq!(terminal.hears(), "two terminals");
    assert_eq!(terminal.hears(), "24 80");
    terminal.resize(30, 100);
    assert_eq!(terminal.hears(), "30 100 30 100");
}

#[test]
fn the_output_is_a_pipe_where_that_is_wanted_or_it_is_not_shown() {
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
        &[
            "--tty",
            "always",
            "--output",
            "on-failure",
            "--log-raw",
            "log",
        ][..],
        &["--tty", "always", "--json", "--log-raw", "log"],
        &["--tty", "always", "--output", "none", "--log-raw", "log"],
    ] {
        let mut terminal = terminal().job_with(options, script);
        assert_eq!(terminal.hears(), "two terminals");
        assert_eq!(terminal.ends(), End::Status(0));
        let log = fs::read(terminal.folder.path().join("log")).unwrap();
        assert_eq!(log, b"a\nb\r\n");
    }
}

#[test]
fn output_that_is_not_shown_can_be_a_terminal_too() {
    let script = "[ -t 1 ] && [ -t 2 ] && say two terminals; echo out; echo err >&2; exit 3";
    let options = ["--quiet", "--output", "none", "--tty", "always"];
    let mut terminal = terminal().job_with(&options, script);
    assert_eq!(terminal.hears(), "two terminals");
    assert_eq!(terminal.ends(), End::Status(3));
    assert_eq!(terminal.screen(), "");
}

#[test]
fn the_controlling_terminal_is_still_ours() {
    let mut terminal = terminal()
        .job("say $(ps -o tty= -p $$); echo 1/2 >&3; pause; echo in the middle >/dev/tty; pause");
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
    needs(&["python3"]);
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
fn a_program_that_asks_the_terminal_where_the_cursor_is_gets_an_answer() {
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
fn a_program_that_asks_before_it_reads_the_real_terminal_is_answered_there() {
    let mut terminal = terminal().job_of(
        &[
            env!("CARGO_BIN_EXE_progrun"),
            "--name",
            "job",
            "--log-raw",
            "log",
            "--",
            "bash",
            "script",
        ],
        r#"say $$; echo 1/2 >&3; pause; printf 'here\n\033[6n'
           IFS= read -rsd R answer; say "${answer#?}"; echo 2/2 >&3; pause"#,
    );
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows("1/2");
    terminal.go();
    eventually("lent", || terminal.foreground() == child);
    terminal.types("\x1b[7;1R");
    assert_eq!(terminal.hears(), "[7;1");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.was_sent("\x1b[6n"));
    let log = fs::read_to_string(terminal.folder.path().join("log")).unwrap();
    assert_eq!(log, "here\n\x1b[6n");
}

#[test]
fn not_a_byte_is_lost_at_a_fast_end_on_a_terminal() {
    // 10 numbers of one digit, 90 of two, ..., each with its newline.
    let length = 10 * 2 + 90 * 3 + 900 * 4 + 9_000 * 5 + 20_000 * 6;
    let script = "seq 0 29999 >&2 & seq 0 29999; wait";
    for _ in 0..scaled(20, 4) {
        let mut terminal = terminal().job_with(&["--log", "log"], script);
        assert_eq!(terminal.ends(), End::Status(0));
        let log = fs::read_to_string(terminal.folder.path().join("log")).unwrap();
        assert_eq!(log.len(), 2 * length);
    }
}

#[test]
fn a_process_that_still_holds_a_terminal_of_the_child_is_named() {
    let mut terminal = terminal().job_with(&[], "(exec 2>&1; pause) & say $!; exec 2>/dev/null");
    let pid = terminal.hears();
    assert_eq!(terminal.ends(), End::Status(0));
    let held = format!("stdout is still held open by sh ({pid}); further output is lost");
    assert!(terminal.screen().contains(&held), "{}", terminal.screen());
    terminal.go();
}

#[test]
fn a_meter_is_the_bars_message_and_a_question_after_it_is_asked_as_ever() {
    let mut terminal = terminal().job(
        r#"sleep 0.3; printf '\r10%%\033[K' >&2; pause; printf '\r50%%\033[K' >&2; pause; echo >&2
           echo 1/3 >&3; bash -c 'read -r -p "name? " name; echo "hello $name"'; echo 2/3 >&3; pause"#,
    );
    terminal.until("meter", |screen| screen == "job ⣾ _s  10%");
    terminal.go();
    terminal.until("meter", |screen| screen == "job ⣾ _s  50%");
    terminal.go();
    terminal.until("question", |screen| screen == "50%\nname?");
    terminal.types("Ada\r");
    terminal.until("bar", |screen| {
        screen.starts_with("50%\nname? Ada\nhello Ada\njob ━━━━━━━━━╸─────  66%  2/3")
    });
}

/// A program that takes the whole screen with `draw` and gives it up with `leave`, both written to its stdout alone.
fn whole_screen(draw: &str, leave: &str) -> String {
    format!(
        r#"say $$; echo above; echo 1/3 >&3; pause
           exec 4>&1; before=$(stty -g <&4); stty -icanon -echo <&4; printf '{draw}'; say drawn; pause
           printf '{leave}'; stty "$before" <&4; pause; echo below; echo 2/3 >&3; pause"#
    )
}

#[test]
fn a_program_that_takes_the_whole_screen_has_the_terminal_until_it_leaves() {
    let script = whole_screen(
        "\\033[?1049h\\033[H\\033[2J\\033[5;1Hall mine",
        "\\033[?1049l",
    );
    let mut terminal = terminal().job(&script);
    let before = terminal.settings();
    let child: i32 = terminal.hears().parse().unwrap();
    terminal.shows("above\njob ━");
    terminal.go();
    assert_eq!(terminal.hears(), "drawn");
    terminal.until("whole screen", |screen| screen == "\n\n\n\nall mine");
    eventually("lent", || terminal.foreground() == child);
    eventually("set up", || !terminal.echoes());
    terminal.go();
    terminal.shows("above\njob ━━━━╸──────────  33%");
    assert_eq!(terminal.foreground(), terminal.leader());
    assert_eq!(terminal.settings(), before);
    terminal.go();
    terminal.shows("above\nbelow\njob ━━━━━━━━━╸─────  66%");
}

#[test]
fn a_program_that_is_killed_with_the_whole_screen_leaves_the_terminal_as_it_was() {
    let script = "echo above; pause
        printf '\\033[?1049h\\033[2J\\033[?25l\\033[?2004h\\033[?1000;1006h\\033[31m\\033[5;1Hall mine'; pause
        kill -KILL $$";
    let bars = "above\njob: killed by SIGKILL after _s";
    for (options, end) in [(&[][..], bars), (&["--quiet", "--log", "log"], "above")] {
        let mut terminal = terminal().job_with(options, script);
        terminal.shows("above");
        terminal.go();
        terminal.until("whole screen", |screen| screen == "\n\n\n\nall mine");
        terminal.go();
        assert_eq!(terminal.ends(), End::Signal(libc::SIGKILL));
        assert_eq!(terminal.screen(), end);
        let undone = "\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[0m";
        assert!(terminal.was_sent(undone));
    }
}

#[test]
fn a_program_that_ends_well_may_have_meant_what_is_left() {
    let mut terminal = terminal().job("printf '\\033[?25l'");
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.was_sent("\x1b[?25l"));
    assert!(!terminal.was_sent("\x1b[?25h"));
}

#[test]
fn a_resized_terminal_is_told_of_while_it_is_lent() {
    let mut terminal = terminal().job(
        r"exec 4>&1; trap 'say $(stty size <&4)' WINCH
           printf '\033[?1049hmine'; say drawn; while :; do pause; done",
    );
    assert_eq!(terminal.hears(), "drawn");
    terminal.shows("mine");
    eventually("lent", || terminal.foreground() != terminal.leader());
    terminal.resize(30, 100);
    while terminal.hears() != "30 100" {}
}

#[test]
fn a_report_does_not_take_the_screen_from_a_program_that_has_it() {
    let mut terminal = terminal().job(
        r"echo 1/3 >&3; printf '\033[?1049hmine'; pause; echo 2/3 >&3; printf ' still'; pause
           printf '\033[?1049l'; pause",
    );
    terminal.until("whole screen", |screen| screen == "mine");
    terminal.go();
    terminal.until("whole screen", |screen| screen == "mine still");
    terminal.go();
    terminal.shows("66%  2/3");
}

#[test]
fn htop_runs_and_goes() {
    needs(&["htop"]);
    let mut terminal = terminal().job("echo above; echo 1/3 >&3; pause; htop; echo 2/3 >&3; pause");
    let before = terminal.settings();
    terminal.shows("1/3");
    terminal.go();
    terminal.shows("F10");
    terminal.types("q");
    terminal.until("bar again", |screen| {
        screen.starts_with("above\njob ━━━━━━━━━╸─────  66%  2/3")
    });
    assert_eq!(terminal.settings(), before);
}

#[test]
fn less_reads_its_keys_also_where_it_finds_a_terminal_of_ours() {
    needs(&["less"]);
    for options in ["", "-X"] {
        let mut terminal = terminal().job(&format!(
            "seq 100 >numbers; echo 1/3 >&3; pause; less {options} numbers; echo 2/3 >&3; pause"
        ));
        let before = terminal.settings();
        terminal.shows("1/3");
        terminal.go();
        terminal.until("first page", |screen| screen.contains("22\n23\n"));
        // The keys go to less only once it has asked for them.
        eventually("lent", || !terminal.echoes());
        terminal.types(" ");
        terminal.until("second page", |screen| screen.contains("45\n46\n:"));
        terminal.types("q");
        terminal.shows("66%  2/3");
        assert_eq!(terminal.settings(), before);
    }
}

/// `more` waits for a key on its stdin, and then reads it from its stderr.
#[test]
fn more_reads_its_keys_where_it_looks_for_them() {
    needs(&["more"]);
    for command in ["more numbers", "cat numbers | more"] {
        let mut terminal = terminal().job(&format!(
            "seq 100 >numbers; echo 1/3 >&3; pause; {command}; echo 2/3 >&3; pause"
        ));
        let before = terminal.settings();
        terminal.shows("1/3");
        terminal.go();
        for page in ["\n23\n--More--", "\n46\n--More--", "\n69\n--More--"] {
            terminal.shows(page);
            eventually("lent", || !terminal.echoes());
            terminal.types(" ");
        }
        terminal.shows("\n92\n--More--");
        terminal.types("q");
        terminal.shows("66%  2/3");
        assert_eq!(terminal.settings(), before);
    }
}

#[test]
fn what_is_written_to_stdout_and_stderr_stays_in_order() {
    let script = "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo out $i; echo err $i >&2; done";
    for tty in ["auto", "never"] {
        let mut terminal = terminal().job_with(&["--log", "log", "--tty", tty], script);
        assert_eq!(terminal.ends(), End::Status(0));
        let lines: Vec<_> = (1..=300).map(|i| format!("out {i}\nerr {i}\n")).collect();
        let log = fs::read_to_string(terminal.folder.path().join("log")).unwrap();
        assert_eq!(log, lines.concat());
        let screen = terminal.screen();
        assert!(
            screen.contains("out 299\nerr 299\nout 300\nerr 300"),
            "{screen}"
        );
    }
}

#[test]
fn ctrl_z_stops_less_and_us_and_fg_brings_both_back() {
    needs(&["less"]);
    let mut terminal = terminal().shell("seq 100 >numbers; exec less numbers");
    terminal.types("progrun -- sh script\r");
    terminal.until("first page", |screen| screen.ends_with("23\nnumbers"));
    eventually("lent", || !terminal.echoes());
    terminal.types("\x1a");
    terminal.until("prompt", |screen| {
        screen.contains("Stopped") && screen.ends_with("ready>")
    });
    terminal.types("fg\r");
    terminal.until("page again", |screen| {
        screen.contains("23\n") && !screen.contains("ready>")
    });
    terminal.types(" ");
    terminal.until("second page", |screen| screen.ends_with("45\n46\n:"));
    terminal.types("q");
    terminal.until("prompt", |screen| screen.ends_with("ready>"));
}

#[test]
fn lines_begin_in_the_first_column_also_on_a_terminal_that_the_command_has_set_up_otherwise() {
    let mut terminal = terminal().job(
        "stty -opost </dev/tty; say set; echo 1/2 >&3; pause
         echo one; echo two; pause; stty opost </dev/tty; say done",
    );
    assert_eq!(terminal.hears(), "set");
    terminal.shows("1/2");
    terminal.go();
    terminal.until("lines", |screen| screen.starts_with("one\ntwo\njob "));
    terminal.go();
    assert_eq!(terminal.hears(), "done");
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn keys_that_are_typed_while_a_program_is_busy_are_not_lost() {
    let mut terminal = terminal().job(
        r#"say $$; exec 4>&1; before=$(stty -g <&4); stty -icanon -echo <&4; pause
           keys=; for n in 1 2 3 4 5 6; do keys=$keys$(dd bs=1 count=1 2>/dev/null); done
           stty "$before" <&4; say $keys"#,
    );
    let child: i32 = terminal.hears().parse().unwrap();
    eventually("lent", || {
        terminal.foreground() == child && !terminal.echoes()
    });
    for key in ["a", "b", "c", "d", "e", "f"] {
        terminal.types(key);
        // Keys once waited less than this before they were passed on, and were lost. The test is that they wait.
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    terminal.go();
    assert_eq!(terminal.hears(), "abcdef");
}

#[test]
fn a_pager_behind_progrun_keeps_the_terminal_as_it_has_set_it_up() {
    needs(&["less"]);
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let over = folder.path().join(round.to_string());
        let line = format!(
            "{{ {} -- sh -c 'seq 1 100; sleep 0.1'; : >{}; }} | less",
            env!("CARGO_BIN_EXE_progrun"),
            over.display()
        );
        let mut terminal = terminal().run(&["sh", "-c", &line]);
        terminal.until("page", |screen| screen.ends_with(':'));
        terminal.eventually("the end of progrun", |_| over.exists());
        terminal.types("q");
        assert_eq!(terminal.ends(), End::Status(0));
    }
}
