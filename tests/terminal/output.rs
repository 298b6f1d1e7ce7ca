//! The child's output, above the bars.

use std::fs;

use crate::pty::{End, terminal};

#[test]
fn what_the_child_prints_scrolls_above_the_bars() {
    let mut terminal = terminal().job(
        "echo 1/4 >&3; pause
         echo to stdout; pause
         echo to stderr >&2; pause",
    );
    let bar = "job ━━━╸───────────  25%  1/4  _s";
    terminal.until("bar", |screen| screen == bar);
    terminal.go();
    let screen = format!("to stdout\n{bar}");
    terminal.until("line of stdout", |now| now == screen);
    terminal.go();
    let screen = format!("to stdout\nto stderr\n{bar}");
    terminal.until("line of stderr", |now| now == screen);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "to stdout\nto stderr\njob: completed in _s, 1/4"
    );
}

#[test]
fn what_comes_back_through_tee_stands_above_the_bars() {
    let script = "echo 1/4 >&3; echo one; pause; echo two; pause";
    let mut terminal = terminal().job_of(
        &[
            "sh",
            "-c",
            r#""$0" --name job -- sh script | tee kept"#,
            env!("CARGO_BIN_EXE_progrun"),
        ],
        script,
    );
    let bar = "job ━━━╸───────────  25%  1/4  _s";
    let screen = format!("one\n{bar}");
    terminal.until("the first line", |now| now == screen);
    terminal.go();
    let screen = format!("one\ntwo\n{bar}");
    terminal.until("the second", |now| now == screen);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let end = "one\ntwo\njob: completed in _s, 1/4";
    assert_eq!(terminal.screen(), end);
    let kept = fs::read_to_string(terminal.folder.path().join("kept")).unwrap();
    assert_eq!(kept, "one\ntwo\n");
}

#[test]
fn what_goes_through_a_pipe_to_a_file_does_not_go_through_us() {
    let script = "echo 1/4 >&3
        [ /proc/$$/fd/1 -ef /proc/$PPID/fd/1 ] || echo not ours >&2
        pause; echo kept; pause";
    let mut terminal = terminal().job_of(
        &[
            "sh",
            "-c",
            r#""$0" --name job -- sh script | cat >kept"#,
            env!("CARGO_BIN_EXE_progrun"),
        ],
        script,
    );
    terminal.shows("1/4");
    terminal.go();
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let kept = fs::read_to_string(terminal.folder.path().join("kept")).unwrap();
    assert_eq!(kept, "kept\n");
    let screen = terminal.screen();
    assert!(!screen.contains("not ours"), "{screen}");
}

#[test]
fn twenty_thousand_lines_are_all_there_once_and_in_order() {
    let mut terminal = terminal().job(
        "echo 0/100 >&3; pause
         i=0
         while [ $i -lt 10000 ]; do
             echo out $i; echo err $i >&2
             [ $((i % 100)) -ne 0 ] || echo $((i / 100))/100 message $i >&3
             i=$((i + 1))
         done",
    );
    terminal.shows("0/100");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let mut rows = terminal.everything();
    rows.retain(|row| !row.is_empty());
    assert_eq!(rows.pop().unwrap(), "job: completed in _s, 99/100");
    let (out, err): (Vec<&String>, Vec<&String>) =
        rows.iter().partition(|row| row.starts_with("out "));
    let lines =
        |name: &str| -> Vec<String> { (0..10_000).map(|i| format!("{name} {i}")).collect() };
    assert!(out.into_iter().eq(&lines("out")));
    assert!(err.into_iter().eq(&lines("err")));
}

#[test]
fn a_color_goes_on_after_the_bars_and_at_the_end_but_not_in_what_is_ours() {
    let mut terminal = terminal().job(
        r"printf '\033[1;31mred\n'; echo 1/2 >&3; pause
          echo still red; pause",
    );
    terminal.shows("red\njob ━");
    terminal.go();
    terminal.shows("still red\njob ━");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.was_sent("\x1b[1;31mstill red\r\n\x1b[0m"));
    assert!(terminal.was_sent("\x1b[0mjob: \x1b[32mcompleted\x1b[0m in"));
    assert!(!terminal.was_sent("_s\n\x1b[1;31m"));
}

/// A file whose lines look like progress, but not of the command that prints it: events and reports of progrun, and a
/// log.
const FILE: &str = r#"{"event":"started","task":1,"elapsed":0.1,"name":"x"}
{"event":"progress","task":1,"elapsed":0.2,"info":{"progress":3,"total":10}}
{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","text":"\u001b]0;title\u0007hi\n"}
{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","base64":"G11QV05FRC1CNjQH"}
{"event":"finished","task":1,"elapsed":0.2,"state":"failed","error":"\u001b]2;title\u0007"}
{"progress": 3, "total": 10, "message": "a.jpg"}
{"id": "a", "status": "ok"}
{"level":"info","progress":10,"msg":"copied 10 files"}
{"level":"info","percentage":20,"status":"ok","id":2}
"#;

#[test]
fn a_file_with_lines_of_our_own_is_only_a_file() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for text in [FILE, &readme] {
        let mut alone = terminal().run(&["sh", "-c", &format!("cat <<'.'\n{text}.\n")]);
        assert_eq!(alone.ends(), End::Status(0));
        let mut terminal = terminal().job(&format!("cat <<'.'\n{text}.\npause\n"));
        // The bar of a command without any known progress.
        terminal.until("spinner", |screen| screen.ends_with("\njob ⣾ _s"));
        terminal.go();
        assert_eq!(terminal.ends(), End::Status(0));
        let [rows, expected] = [&mut terminal, &mut alone].map(|terminal| {
            let mut rows = terminal.everything();
            rows.retain(|row| !row.is_empty());
            rows
        });
        let (last, rows) = rows.split_last().unwrap();
        assert_eq!(last, "job: completed in _s");
        assert_eq!(rows, expected);
        assert!(text.len() > 4000 || terminal.was_sent(&text.replace('\n', "\r\n")));
    }
}

#[test]
fn what_looks_like_a_report_is_seen_of_a_command_that_is_over_before_a_bar_shows_it() {
    for line in [
        r#"{"progress":100,"message":"job 9 failed: no space left","state":"error"}"#,
        r#"{"id":7,"progress":30,"total":100}"#,
    ] {
        let script = format!("echo before; echo '{line}'; echo after");
        let mut terminal = terminal().job_with(&["--from=progrun"], &script);
        assert_eq!(terminal.ends(), End::Status(0));
        let screen = terminal.screen();
        let seen = format!("before\n{line}\nafter");
        assert!(screen.starts_with(&seen), "{screen}");
    }
}

#[test]
fn of_a_report_with_more_in_it_than_a_bar_shows_the_line_is_seen_too() {
    let mut terminal = terminal().job_with(
        &["--from=progrun"],
        r#"echo '{"percentage":30}'; echo '{"percentage":40,"name":"battery"}'; pause"#,
    );
    let line = r#"{"percentage":40,"name":"battery"}"#;
    terminal.until("line and bar", |screen| {
        screen.starts_with(line) && screen.contains("\njob ") && screen.contains("  40%")
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), format!("{line}\njob: completed in _s"));
}

#[test]
fn a_test_that_failed_is_told_of_below_the_lines_that_say_so() {
    let mut terminal =
        terminal().job("pause; printf '1..2\\nnot ok 1 - a\\n# got 3\\n'; pause; echo ok 2 - b");
    terminal.shows("job");
    terminal.go();
    terminal.shows("job: test 1 failed: a");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let end = "1..2\nnot ok 1 - a\n# got 3\njob: test 1 failed: a\nok 2 - b\njob: completed in _s";
    let screen = terminal.screen();
    assert!(screen.starts_with(end), "{screen}");
}

#[test]
fn of_two_bars_of_another_program_the_outer_one_is_in_the_last_line() {
    for (status, end) in [
        (0, "job: completed in _s, 4/9"),
        (3, "job: failed with exit status 3 after _s, 4/9"),
    ] {
        let mut terminal = terminal().job(&format!(
            r"draw() {{ printf '\router: %s\n\rinner: %s\033[A' $1 $2; }}
              draw 0/9 0/9; draw 1/9 2/9; draw 3/9 4/9; draw 4/9 5/9; pause; exit {status}"
        ));
        terminal.shows("4/9");
        terminal.go();
        assert_eq!(terminal.ends(), End::Status(status));
        assert!(terminal.screen().contains(end), "{}", terminal.screen());
    }
}

#[test]
fn a_last_line_without_a_newline_is_kept() {
    let mut terminal = terminal().job("echo 1/2 >&3; pause; printf 'no newline'");
    terminal.shows("1/2");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "no newline\njob: completed in _s, 1/2");
}

#[test]
fn a_question_is_seen_while_the_child_waits_and_the_bars_come_back_after_its_line() {
    let mut terminal = terminal().job(
        "echo 1/2 >&3; pause
         printf 'name? '; pause
         echo Ada; pause",
    );
    terminal.shows("1/2");
    terminal.go();
    terminal.until("question", |screen| screen == "name?");
    assert_eq!(terminal.cursor(), (0, 6));
    terminal.go();
    let screen = "name? Ada\njob ━━━━━━━╸───────  50%  1/2  _s";
    terminal.until("bars again", |now| now == screen);
}

#[test]
fn output_on_failure_is_shown_at_the_end_of_a_failure() {
    let script = "echo to stdout; echo to stderr >&2; echo 1/2 >&3; pause; exit 1";
    let mut terminal = terminal().job_with(&["--output", "on-failure"], script);
    terminal.until("bar alone", |screen| {
        screen == "job ━━━━━━━╸───────  50%  1/2  _s"
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(1));
    assert_eq!(
        terminal.screen(),
        "to stdout\nto stderr\njob: failed with exit status 1 after _s, 1/2"
    );
}

#[test]
fn output_on_failure_is_not_shown_of_a_success() {
    let script = "echo to stdout; echo to stderr >&2; echo 1/2 >&3; pause";
    let mut terminal = terminal().job_with(&["--output", "on-failure"], script);
    terminal.shows("1/2");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "job: completed in _s, 1/2");
}

#[test]
fn a_log_keeps_what_is_shown_above_the_bars() {
    let script = "echo 1/2 >&3; pause; echo to stdout; pause; printf last >&2";
    let mut terminal = terminal().job_with(&["--log", "log"], script);
    terminal.shows("1/2");
    terminal.go();
    terminal.shows("to stdout\njob ━");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let log = std::fs::read_to_string(terminal.folder.path().join("log")).unwrap();
    assert_eq!(log, "to stdout\nlast");
    assert_eq!(
        terminal.screen(),
        "to stdout\nlast\njob: completed in _s, 1/2"
    );
}

#[test]
fn a_stopped_terminal_does_not_stop_the_child_and_shows_the_newest_state_when_it_goes_on() {
    let mut terminal = terminal().job(
        "echo 0/20000 >&3; pause
         i=0
         while [ $i -lt 20000 ]; do i=$((i + 1)); echo $i/20000 >&3; done
         say reported all; pause",
    );
    terminal.shows("0/20000");
    terminal.stop();
    terminal.go();
    assert_eq!(terminal.hears(), "reported all");
    terminal.resume();
    terminal.shows("100%  20000/20000");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
}

#[test]
fn a_meter_in_output_that_is_not_shown_is_the_bar() {
    let mut terminal = terminal().job_with(
        &["--output", "none"],
        r"printf '\r10%%\r20%%\r30%%\r40%%\r'; pause; echo words; pause",
    );
    terminal.until("bar", |screen| {
        screen.starts_with("job ━━━━━━╸") && screen.contains("  40%")
    });
    terminal.go();
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(!terminal.was_sent("words"));
}

#[test]
fn bars_are_drawn_below_a_line_that_stays_open_and_its_rest_is_put_at_its_end() {
    let mut terminal = terminal().job(
        "echo 1/2 >&3; pause
         printf 'big.iso: '; pause
         printf ' 45.2%%'; pause
         printf '\nnext\n'; pause",
    );
    let bar = "job ━━━━━━━╸───────  50%  1/2  _s";
    terminal.shows("1/2");
    terminal.go();
    terminal.until("bar below", |screen| screen == format!("big.iso: \n{bar}"));
    assert_eq!(terminal.cursor(), (0, 9));
    terminal.go();
    terminal.until("rest of the line", |screen| {
        screen == format!("big.iso:  45.2%\n{bar}")
    });
    terminal.go();
    terminal.until("complete line", |screen| {
        screen == format!("big.iso:  45.2%\nnext\n{bar}")
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "big.iso:  45.2%\nnext\njob: completed in _s, 1/2"
    );
}

#[test]
fn an_open_link_and_a_character_set_end_before_the_bars_and_with_progrun() {
    let mut terminal = terminal().job(
        r"printf '\033]8;;http://a\033\\link\033(0\n'; echo 1/2 >&3; pause; printf 'more\n'; pause",
    );
    terminal.shows("1/2");
    let on = "\x1b(0\x1b]8;;http://a\x1b\\";
    let off = "\x1b(B\x1b]8;;\x1b\\";
    assert!(terminal.was_sent(off));
    terminal.go();
    terminal.shows("1/2");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.was_sent(&format!("{on}more\r\n{off}")));
    assert!(terminal.was_sent(&format!("{off}job: \x1b[32mcompleted\x1b[0m in")));
}

#[test]
fn events_on_a_terminal_hold_nothing_that_the_terminal_obeys() {
    let mut terminal = terminal().job_with(&["--json"], r"printf 'a\302\2336n\342\200\256b\n'");
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.was_sent(r#""text":"a\u009b6n\u202eb\n"#));
}
