//! The display of a child that reports nothing.

use std::fs;

use crate::harness::needs;
use crate::pty::{End, terminal};

/// Seeks in a large file, which takes no time, until the file `seen` exists. Then stays at half of it until the test
/// says `go`.
const READS_ONE_HALF: &str = r#"
truncate -s 100M big.iso
perl -e '
    open(my $big, "<", "big.iso"); open(my $go, "<", "go");
    sysseek($big, ++$at % 50_000_000, 0) until -e "seen";
    sysseek($big, 50 << 20, 0);
    <$go>;
'
"#;

/// The words of the screen. Their columns may still have the width of an earlier picture.
fn words(screen: &str) -> Vec<&str> {
    screen.split_whitespace().collect()
}

#[test]
fn a_file_that_is_read_through_is_a_bar_marked_as_an_estimate_until_it_is_closed() {
    needs(&["perl"]);
    let script = format!("{READS_ONE_HALF} pause");
    let mut terminal = terminal().job(&script);
    terminal.shows("reading big.iso");
    assert!(terminal.screen().contains(" ~"), "{}", terminal.screen());
    fs::write(terminal.folder.path().join("seen"), "").unwrap();
    terminal.until("the half", |screen| {
        let half = ["job", "━━━━━━━╸───────", "~50%", "50.0", "MiB/100.0", "MiB"];
        words(screen).starts_with(&half)
    });
    terminal.go();
    // The little processor time that it has used since may be shown for a second.
    terminal.until("no bar", |screen| words(screen) == ["job", "⣾", "_s"]);
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "job: completed in _s");
}

#[test]
fn a_report_takes_the_place_of_the_estimate_at_once() {
    needs(&["perl"]);
    let script = format!("{READS_ONE_HALF} echo '3/10 a.jpg' >&3; pause");
    let mut terminal = terminal().job(&script);
    terminal.shows("reading big.iso");
    fs::write(terminal.folder.path().join("seen"), "").unwrap();
    terminal.shows("~50%");
    terminal.go();
    terminal.until("report", |screen| {
        let words = words(screen);
        words[..1] == ["job"] && words[2..] == ["30%", "3/10", "_s", "a.jpg"]
    });
}

#[test]
fn a_child_at_work_shows_what_it_uses() {
    let mut terminal = terminal().job("until [ -e seen ]; do :; done; pause");
    terminal.shows("% cpu");
    fs::write(terminal.folder.path().join("seen"), "").unwrap();
    terminal.until("rest", |screen| screen == "job ⣾ _s");
}

#[test]
fn the_last_line_is_shown_where_the_output_is_hidden() {
    let options = ["--output", "on-failure"];
    let script = r"echo first; printf 'second \033[2J\n'; pause; echo third >&2; pause";
    let mut terminal = terminal().job_with(&options, script);
    terminal.until("second", |screen| screen == "job ⣾ _s  second ^[[2J");
    terminal.go();
    terminal.until("third", |screen| screen == "job ⣾ _s  third");
    terminal.go();
    assert_eq!(terminal.ends(), End::Status(0));
    assert_eq!(terminal.screen(), "job: completed in _s");
}

#[test]
fn a_real_program_that_is_watched_ends_as_it_would_without_us() {
    let script = "truncate -s 700M sparse; exec sha256sum sparse";
    let mut terminal = terminal().job(script);
    assert_eq!(terminal.ends(), End::Status(0));
    let sum = "5fa9e81a64a74879e414f5578bdd3cbc4b8c9acdf42e91d61c78f321dc069e2d  sparse";
    let screen = terminal.screen();
    assert!(screen.starts_with(sum), "{screen}");
    assert!(screen.contains("job: completed in _s"), "{screen}");
}
