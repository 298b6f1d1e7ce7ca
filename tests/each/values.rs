//! Where values come from, and how they get into a command: scenarios 1 to 19.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use serde_json::json;

use super::{each, folder, notes, numbers};
use crate::pty::{End, terminal};
use crate::support::{progrun, text};

#[test]
fn s01_a_value_is_one_argument_whatever_is_in_it() {
    let values = ["a b", "it's", "q\"q", "$(id)", "*", "x;y"];
    let words = ["-k", "--", "printf", "[%s]", "{}", ":::"];
    each(&[&words[..], &values].concat())
        .stdout("[a b][it's][q\"q][$(id)][*][x;y]")
        .status(0);
}

#[test]
fn s02_any_bytes_arrive_as_they_are_and_are_base64_in_events() {
    let values = b"a\nb\0c\td\0\\\0x\xffy\0";
    each(&[
        "-k0",
        "-j1",
        "--",
        "sh",
        "-c",
        "printf %s \"$1\" | od -An -tx1",
        "_",
        "{}",
    ])
    .stdin(values)
    .stdout(" 61 0a 62\n 63 09 64\n 5c\n 78 ff 79\n")
    .status(0);
    let run = each(&["--json", "-0", "-j1", "--", "true", "{}"])
        .stdin(values)
        .start();
    let ended = run.finish();
    let started = ended.all("started");
    assert_eq!(started[0]["input"], json!(["a\nb"]));
    assert!(started[0].get("input_base64").is_none());
    assert_eq!(started[3]["input_base64"], json!(["eP95"]));
    assert_eq!(started[3]["input"], json!(["x\u{fffd}y"]));
}

#[test]
fn s03_what_a_value_holds_is_not_replaced_again() {
    each(&["--", "echo", "{}", ":::", "x{}y{#}{1}"])
        .stdout("x{}y{#}{1}\n")
        .status(0);
}

#[test]
fn s04_a_path_has_parts_and_a_hidden_file_no_extension() {
    let values = ["a/b.c/d.tar.gz", "noext", ".hidden", "a/.b", "dir.d/x", "/"];
    let words = ["-k", "--", "echo", "{.} {/} {//} {/.}", ":::"];
    // GNU parallel makes the name of `a/.b` empty: `rm {.}` is `rm a/`.
    each(&[&words[..], &values].concat())
        .stdout(
            "a/b.c/d.tar d.tar.gz a/b.c d.tar\n\
             noext noext . noext\n\
             .hidden .hidden . .hidden\n\
             a/.b .b a .b\n\
             dir.d/x x dir.d x\n\
             / / / /\n",
        )
        .status(0);
}

#[test]
fn s05_other_braces_stay_and_a_command_without_placeholder_gets_the_value_last() {
    each(&["--", "awk", "BEGIN{print \"${x}\", ARGV[1]}", ":::", "1"])
        .stdout("${x} 1\n")
        .status(0);
}

#[test]
fn s06_an_empty_line_is_no_value_but_an_empty_string_between_nuls_is() {
    each(&["-k", "--", "echo", "[{}]"])
        .stdin("a\n\nb")
        .stdout("[a]\n[b]\n")
        .status(0);
    each(&["-k0", "--", "echo", "[{}]"])
        .stdin("a\0\0b")
        .stdout("[a]\n[]\n[b]\n")
        .status(0);
}

#[test]
fn s07_without_values_nothing_runs() {
    // xargs runs its command once.
    each(&["--", "echo", "x"]).status(0);
    each(&["--", "echo", "x", ":::"]).status(0);
    each(&["-a", "/dev/null", "--", "echo", "x"]).status(0);
}

#[test]
fn s08_values_are_not_read_from_a_terminal() {
    // GNU parallel waits.
    let mut terminal = terminal().run(&[env!("CARGO_BIN_EXE_progrun"), "each", "--", "echo"]);
    assert_eq!(terminal.ends(), End::Status(125));
    let screen = terminal.screen().replace('\n', "");
    for way in [":::", "-a FILE", "pipe the values in"] {
        assert!(screen.contains(way), "{screen}");
    }
}

#[test]
fn s09_several_groups_give_all_combinations_and_the_last_changes_fastest() {
    each(&[
        "-k", "--", "echo", "{1}{2}", ":::", "a", "b", ":::", "1", "2",
    ])
    .stdout("a1\na2\nb1\nb2\n")
    .status(0);
}

#[test]
fn s10_a_task_can_have_several_values_and_the_last_fewer() {
    each(&["-k", "-N2", "--", "echo", "{1}-{2}"])
        .stdin("1\n2\n3\n4\n5\n")
        .stdout("1-2\n3-4\n5-\n")
        .status(0);
}

#[test]
fn s11_as_many_values_as_fit_are_spread_over_the_slots_and_fit() {
    let lines: String = numbers(60000);
    let run = each(&["-N", "max", "-j2", "--", "sh", "-c", "echo $#", "_"]).stdin(lines);
    let output = run.output();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let counts = text(&output.stdout);
    let counts: Vec<u32> = counts.lines().map(|line| line.parse().unwrap()).collect();
    assert!(counts.len() >= 2, "{counts:?}");
    assert_eq!(counts.iter().sum::<u32>(), 60000, "{counts:?}");
}

#[test]
fn s12_csv_has_quotes_newlines_and_named_columns() {
    let csv = "n,\"a, b\"\n1,plain\n2,\"x \"\"y\"\"\"\n3,\"two\nlines\"\n";
    // GNU parallel needs a module of Perl for it.
    each(&[
        "-k",
        "--csv",
        "--header",
        "--",
        "printf",
        "[%s|%s]\n",
        "{n}",
        "{a, b}",
    ])
    .stdin(csv)
    .stdout("[1|plain]\n[2|x \"y\"]\n[3|two\nlines]\n")
    .status(0);
}

#[test]
fn s13_an_open_quote_at_the_end_is_an_error_with_its_line_after_what_came_before() {
    let run = each(&["-k", "--csv", "--", "echo", "{1}"]).stdin("a,1\nb,2\nc,\"3\n");
    let output = run.output();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(text(&output.stdout), "a\nb\n");
    assert!(
        text(&output.stderr).contains("line 3"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn s14_a_shell_line_gets_its_values_quoted_and_refuses_a_placeholder_in_quotes() {
    each(&["--shell", "--", "echo {} | tr a-z A-Z", ":::", "it's"])
        .stdout("IT'S\n")
        .status(0);
    let folder = folder(&[]);
    let run = each(&["--shell", "--", "echo \"{}\" >notes", ":::", "a"]);
    let output = run.in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("take the quotes away"),
        "{}",
        text(&output.stderr)
    );
    assert!(notes(folder.path()).is_empty());
}

#[test]
fn s15_a_value_with_a_leading_dash_gets_one_warning_unless_two_dashes_are_before_it() {
    let folder = folder(&[("-n", "dash\n")]);
    let run = |words: &[&str]| {
        let output = progrun(&[&["each"], words, &[":::", "-n", "-n"]].concat())
            .in_folder(folder.path())
            .stdin("x")
            .output();
        text(&output.stderr).matches("dash").count()
    };
    assert_eq!(run(&["--", "cat", "{}"]), 1);
    assert_eq!(run(&["--", "cat", "--", "{}"]), 0);
}

#[test]
fn s16_a_value_that_is_too_long_fails_alone() {
    // GNU parallel stops altogether.
    let long = "x".repeat(200_000);
    let run = progrun(&["each", "-k", "--", "sh", "-c", "echo ${#1}", "_", "{}"]);
    let output = run.stdin(format!("a\n{long}\nbc\n")).output();
    assert_eq!(text(&output.stdout), "1\n2\n");
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr).to_lowercase();
    assert!(
        stderr.contains("argument list too long"),
        "{}",
        &stderr[..300]
    );
}

#[test]
fn s17_a_line_with_nul_fails_and_is_named_and_the_others_run() {
    let run = progrun(&["each", "-k", "--", "echo", "{}"]).stdin("a\nb\0c\nd\n");
    let output = run.output();
    assert_eq!(text(&output.stdout), "a\nd\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("line 2"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn s18_a_program_that_is_not_there_fails_one_task_or_all() {
    let folder = folder(&[("yes", "#!/bin/sh\necho ran >>notes\n")]);
    let made = Command::new("chmod")
        .args(["+x", "yes"])
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
    let run = progrun(&["each", "--", "./{}", ":::", "yes", "no"]).in_folder(folder.path());
    let output = run.output();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("no such file"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(notes(folder.path()), ["ran"]);
    // GNU parallel gives 1, and tries each.
    each(&["--", "nosuch", "{}", ":::", "1", "2"])
        .stderr("progrun: cannot run nosuch: no such command in PATH\n")
        .status(127);
    fs::write(folder.path().join("plain"), "").unwrap();
    let output = each(&["--", "./plain", "{}", ":::", "1"])
        .in_folder(folder.path())
        .output();
    assert_eq!(output.status.code(), Some(126));
}

#[test]
fn s19_a_dry_run_prints_what_a_shell_reads_back() {
    each(&["--dry-run", "--", "cp", "{}", "d e/", ":::", "it's"])
        .stdout("cp 'it'\\''s' 'd e/'\n")
        .status(0);
    let odd: [&[u8]; 5] = [b"a b", b"$(id)\"", b"\xff`x`", b"new\nline", b""];
    let mut list = odd.join(&0_u8);
    list.push(0);
    let output = each(&["--dry-run", "-0", "-k", "--", "printf", "%s\\0", "{}"])
        .stdin(list.clone())
        .output();
    let script = std::ffi::OsString::from_vec(output.stdout);
    let read = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(read.stdout, list);
}
