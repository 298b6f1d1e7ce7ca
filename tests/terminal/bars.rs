//! The bars on the screen.

use crate::pty::{End, steady, terminal};

#[test]
fn a_bar_moves_with_count_percentage_and_message_and_leaves_one_line() {
    let mut terminal = terminal().job(
        "echo '3/10 a.jpg' >&3; pause
         echo '7/10 b.jpg' >&3; pause",
    );
    terminal.until("the first report", |screen| {
        screen == "job ━━━━╸──────────  30%  3/10  _s  a.jpg"
    });
    assert_eq!(terminal.cursor(), (0, 0));
    terminal.go();
    terminal.shows("job ━━━━━━━━━━╸────  70%  7/10");
    terminal.shows("b.jpg");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "job: completed in _s, 7/10");
}

#[test]
fn a_failure_leaves_one_line_even_before_anything_was_drawn() {
    let mut terminal = terminal().job("exit 3");
    assert_eq!(terminal.ends(), End::Status(3));
    assert_eq!(terminal.screen(), "job: failed with exit status 3 after _s");
}

#[test]
fn nothing_at_all_is_written_for_a_fast_success() {
    // A busy machine may make any run a slow one.
    let silent = (0..20).any(|_| {
        let mut terminal = terminal().job("echo 1/2 >&3");
        assert_eq!(terminal.ends(), End::Status(0));
        terminal.bytes.is_empty()
    });
    assert!(silent);
}

#[test]
fn an_unknown_total_is_a_spinner_with_a_count() {
    let script = r#"echo '{"progress": 12, "unit": "files"}' >&3; pause"#;
    let mut terminal = terminal().job(script);
    terminal.until("spinner", |screen| screen == "job ⣾ 12 files  _s");
    terminal.spins(3);
}

#[test]
fn bytes_are_given_in_kib_and_mib() {
    let mut terminal = terminal().job(
        r#"echo '{"progress": 1536, "total": 419430400, "unit": "bytes"}' >&3; pause
           echo '{"progress": 1572864}' >&3; pause"#,
    );
    terminal.shows("  0%  1.5 KiB/400.0 MiB");
    terminal.go();
    terminal.shows("  0%  1.5 MiB/400.0 MiB");
}

#[test]
fn parts_are_a_tree_of_bars_under_the_task_and_a_failed_one_leaves_a_line() {
    let mut terminal = terminal().job(
        r#"echo '{"progress": 1, "total": 4, "title": "backup"}
{"id": "db", "title": "database", "progress": 50, "total": 200}
{"id": "t1", "parent": "db", "title": "users", "percentage": 7, "message": "row 9"}
{"id": "photos", "progress": 1234, "unit": "files"}
{"id": "t2", "parent": "db", "title": "orders", "percentage": 100}' >&3; pause
           echo '{"id": "t1", "status": "failed", "message": "disk full"}
{"id": "photos", "status": "ok"}' >&3; pause"#,
    );
    let tree = "\
backup     ━━━╸───────────  25%         1/4  _s  0 of 4 parts
  database ━━━╸───────────  25%      50/200  _s
    users  ━╸─────────────   7%              _s  row 9
    orders ━━━━━━━━━━━━━━━ 100%              _s
  photos   ⣾                     1234 files  _s";
    terminal.until("tree", |screen| screen == tree);
    terminal.go();
    let tree = "\
job: users failed: disk full
backup     ━━━╸───────────  25%         1/4  _s  2 of 4 parts, 1 failed
  database ━━━╸───────────  25%      50/200  _s
    orders ━━━━━━━━━━━━━━━ 100%              _s";
    terminal.until("smaller tree", |screen| screen == tree);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let left = "\
job: users failed: disk full
job: completed in _s, 1/4, 2 of 4 parts, 1 failed";
    assert_eq!(terminal.screen(), left);
}

#[test]
fn more_parts_than_rows_stay_within_the_height() {
    let mut terminal = terminal().size(8, 60).job(
        r#"echo above
           for part in $(seq 30); do echo "{\"id\": $part, \"percentage\": 50}"; done >&3
           echo '1/2' >&3; pause
           echo '2/2' >&3; pause"#,
    );
    terminal.shows("job ");
    terminal.shows("1/2");
    for go in [true, false] {
        let screen = terminal.screen();
        let rows: Vec<&str> = screen.lines().collect();
        assert_eq!(rows.len(), 8, "{screen}");
        assert_eq!(rows[0], "above");
        assert!(rows[1].starts_with("job "), "{screen}");
        assert!(rows[7].starts_with("  6 "), "{screen}");
        assert_eq!(terminal.everything().len(), 8, "nothing scrolled away");
        if go {
            terminal.go();
            terminal.shows("2/2");
        }
    }
}

#[test]
fn nothing_is_left_of_a_longer_message_and_columns_stay_where_they_are() {
    let mut terminal = terminal().job(
        "echo '98/1000 a rather long message' >&3; pause
         echo '9/1000 short' >&3; pause",
    );
    terminal.until("long", |screen| {
        screen == "job ━╸─────────────   9%  98/1000  _s  a rather long message"
    });
    terminal.go();
    terminal.until("short", |screen| {
        screen.ends_with("  short") && screen.contains("   0%   9/1000  ")
    });
}

#[test]
fn long_and_wide_messages_are_cut_to_the_width() {
    for message in [
        "long ".repeat(50),
        "写真を整理".repeat(30),
        "🎄🎁".repeat(60),
    ] {
        let script = format!("echo above; echo '1/2 {message}' >&3; pause");
        let mut terminal = terminal().size(24, 50).job(&script);
        terminal.shows("…");
        let screen = terminal.screen();
        assert_eq!(screen.lines().count(), 2, "{screen}");
        assert!(screen.starts_with("above\njob "), "{screen}");
        let start: String = message.chars().take(4).collect();
        assert!(screen.contains(&format!("1/2  _s  {start}")), "{screen}");
    }
}

#[test]
fn twenty_columns_are_enough_for_the_name_and_how_far_it_is() {
    let script = r#"echo '{"progress": 3, "total": 10, "message": "a message", "title": "a long title"}
{"id": "a", "parent": "b", "progress": 1e9, "total": 4e9, "unit": "bytes"}' >&3; pause"#;
    let mut terminal = terminal().size(10, 20).job(script);
    terminal.shows("30%");
    assert_eq!(terminal.screen(), "a long …  30%  0 o…\n  a       25%");
}

#[test]
fn the_next_picture_after_a_resize_has_the_new_width() {
    let mut terminal = terminal().job(
        r#"echo above
           echo '1/2 a message of forty columns, more or less' >&3
           echo '{"id": "part", "percentage": 50}' >&3; pause"#,
    );
    terminal.shows("  part ━━━━━━━╸───────  50%");
    for (rows, columns, bar) in [
        (24, 40, "━━━━╸───"),
        (10, 100, "━━━━━━━━━╸─────────"),
        (5, 70, "━━━━━━╸──────"),
        (24, 80, "━━━━━━━╸───────"),
    ] {
        terminal.resize(rows, columns);
        let task = format!("job    {bar}  50%");
        let part = format!("  part {bar}  50%");
        terminal.until("resized picture", |screen| {
            let rows: Vec<&str> = screen.lines().collect();
            rows.len() == 3
                && rows[0] == "above"
                && rows[1].starts_with(&task)
                && rows[2].starts_with(&part)
        });
        // From there the bars can be overwritten, however the terminal has rewrapped its lines.
        assert_eq!(terminal.cursor(), (1, 0));
    }
}

#[test]
fn escape_sequences_and_bidirectional_overrides_do_not_reach_the_terminal() {
    let mut terminal = terminal().job(
        r#"printf '%s\n' '{"progress": 1, "total": 2, "title": "\u001b]0;x\u0007", "message": "\u001b[31mred \u202eevil"}' >&3
           pause"#,
    );
    terminal.shows("^[]0;x^G");
    terminal.shows("^[[31mred <U+202E>evil");
    for bad in ["\x1b]0", "\x07", "\x1b[31m", "\u{202e}"] {
        assert!(!terminal.was_sent(bad), "{bad:?}");
    }
}

#[test]
fn a_name_with_escape_sequences_is_made_harmless_too() {
    let options = ["--name", "\x1b[31mred"];
    let mut terminal = terminal().run(
        &[
            &[env!("CARGO_BIN_EXE_progrun")],
            &options[..],
            &["--", "sh", "-c", "echo 1/2 >&3; read -r _ <go"],
        ]
        .concat(),
    );
    terminal.shows("^[[31mred ");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(!terminal.was_sent("\x1b[31m"));
}

#[test]
fn bars_are_colored_unless_no_color_or_the_option_says_otherwise() {
    let script = "echo 1/2 >&3; pause";
    let color = "\x1b[36m";
    let no_color = || terminal().env("NO_COLOR", "1");
    let cases = [
        (terminal().job(script), true),
        (no_color().job(script), false),
        (no_color().job_with(&["--color", "always"], script), true),
        (terminal().job_with(&["--color", "never"], script), false),
        (terminal().env("NO_COLOR", "").job(script), true),
    ];
    for (number, (mut terminal, colored)) in cases.into_iter().enumerate() {
        terminal.shows("1/2");
        terminal.go();
        terminal.ends();
        assert_eq!(terminal.was_sent(color), colored, "case {number}");
        if !colored {
            let text = String::from_utf8(terminal.bytes.clone()).unwrap();
            let mut sequences = text.split("\x1b[").skip(1);
            let kind = |rest: &str| rest.chars().find(char::is_ascii_alphabetic);
            assert!(sequences.all(|rest| kind(rest) != Some('m')), "{text:?}");
        }
    }
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let mut terminal = terminal()
        .env("TERM", "dumb")
        .job("echo 1/2 a.jpg >&3; pause");
    terminal.shows("1/2");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    let text = String::from_utf8(terminal.bytes.clone()).unwrap();
    assert_eq!(
        steady(&text.replace("\r\n", "\n")),
        "job: 50%, 1/2, a.jpg\njob: completed in _s, 1/2\n"
    );
}

#[test]
fn the_taskbar_shows_the_percentage_where_the_terminal_can_and_is_cleared_at_the_end() {
    let script = "echo 3/10 >&3; pause; echo 4/10 >&3; pause";
    let mut terminal = terminal().env("TERM_PROGRAM", "WezTerm").job(script);
    terminal.shows("3/10");
    terminal.go();
    terminal.shows("4/10");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(taskbar(&terminal.bytes), ["1;30", "1;40", "0;"]);
}

#[test]
fn the_taskbar_is_cleared_after_ctrl_c_too() {
    let script = "echo 3/10 >&3; pause; echo 4/10 >&3; pause";
    let mut terminal = terminal().env("TERM_PROGRAM", "WezTerm").job(script);
    terminal.shows("3/10");
    terminal.types("\x03");
    terminal.shows("stopping at the next progress report");
    terminal.go();
    assert_eq!(terminal.ends(), End::Signal(2));
    assert_eq!(taskbar(&terminal.bytes), ["1;30", "0;"]);
}

#[test]
fn an_unknown_terminal_gets_nothing_for_its_taskbar() {
    let mut terminal = terminal().job("echo 3/10 >&3; pause");
    terminal.shows("3/10");
    terminal.go();
    terminal.ends();
    assert!(taskbar(&terminal.bytes).is_empty());
}

/// The text after `OSC 9;4;` in each such sequence.
fn taskbar(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let sequences = text.split("\x1b]9;4;").skip(1);
    sequences
        .map(|rest| rest.split(['\x07', '\x1b']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_terminal_that_is_not_utf_8_gets_bars_in_ascii() {
    let setup = terminal().env("LC_ALL", "C");
    let mut terminal = setup.job("echo '3/10 größe' >&3; pause");
    terminal.until("bar", |screen| {
        screen == "job ====>----------  30%  3/10  _s  gr??e"
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.bytes.is_ascii());
}

#[test]
fn a_terminal_without_a_name_gets_plain_lines() {
    let mut terminal = terminal().env("TERM", "").job("echo 1/2 >&3; pause");
    terminal.shows("job: 50%, 1/2");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(!terminal.was_sent("\x1b"));
}

#[test]
fn three_thousand_parts_are_counted_and_a_failed_one_says_whose_it_is() {
    let mut terminal = terminal().size(6, 80).job(
        r#"i=0
           while [ $i -lt 3000 ]; do i=$((i + 1)); echo "{\"id\": $i}"; done >&3
           pause
           echo '{"id": "a", "title": "server a"}
{"id": "a3", "parent": "a", "title": "disk 3"}
{"id": "b3", "parent": "b", "title": "disk 3"}
{"id": 1, "status": "ok"}
{"id": "b3", "parent": "b", "title": "disk 3", "status": "failed"}' >&3; pause"#,
    );
    terminal.shows("0 of 3000 parts");
    terminal.go();
    terminal.shows("job: b: disk 3 failed");
    terminal.shows("2 of 3003 parts, 1 failed");
}

#[test]
fn a_meter_of_another_program_that_is_full_and_stands_gives_way_to_what_the_command_uses() {
    let mut terminal = terminal().job(
        r#"for n in 0 1 2; do printf "\r$n/4 [copying]"; say $n; done; pause
           for n in 3 4; do printf "\r$n/4 [copying]"; say $n; done; pause
           echo; echo syncing; say 5
           while :; do :; done & pause; kill $!"#,
    );
    for _ in 0..3 {
        terminal.hears();
    }
    terminal.shows("  50%");
    terminal.go();
    for _ in 0..2 {
        terminal.hears();
    }
    terminal.until("spinner", |screen| screen.starts_with("job ⣾"));
    terminal.go();
    terminal.hears();
    terminal.until("use of the processor", |screen| {
        screen.starts_with("4/4 [copying]\nsyncing\njob ⣾") && screen.contains("% cpu")
    });
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(
        terminal.screen(),
        "4/4 [copying]\nsyncing\njob: completed in _s"
    );
}
