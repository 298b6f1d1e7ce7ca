//! On a terminal: the bar, the rows above it, and the rows that are left at the end.

use super::copies::{FILES, REPOSITORY};
use super::server::serve;
use super::work::environment;
use crate::harness::needs;
use crate::pty::{End, Terminal, terminal};

/// Runs a script on a terminal, and then `command` under progrun.
fn shown(script: &str, command: &str) -> Terminal {
    let program = env!("CARGO_BIN_EXE_progrun");
    let script =
        format!("set -e\nexport HOME=$PWD\n{script}\nexec '{program}' --name job -- {command}");
    let mut setup = terminal();
    for (name, value) in environment("".as_ref()) {
        setup = setup.env(name, value.to_str().unwrap());
    }
    setup.run(&["bash", "-c", &script])
}

/// Waits for a bar that is neither empty nor full.
#[track_caller]
fn bar(terminal: &mut Terminal) {
    terminal.until("a bar", |screen| {
        let row = screen.lines().last().unwrap_or_default();
        row.starts_with("job ━") && row.contains("━╸─")
    });
}

/// Waits for the end of a successful run, and returns the rows above the last one.
#[track_caller]
fn left(mut terminal: Terminal) -> String {
    assert_eq!(terminal.ends(), End::Status(0), "{}", terminal.screen());
    let rows = terminal.everything().join("\n");
    let rows = rows.trim_end();
    let (above, last) = rows.rsplit_once('\n').unwrap_or_else(|| panic!("{rows}"));
    assert!(last.starts_with("job: completed in _s"), "{rows}");
    assert!(!rows.contains('━'), "{rows}");
    above.to_owned()
}

#[test]
fn rsync_leaves_its_last_line() {
    needs(&["rsync"]);
    let command = "rsync --archive --bwlimit=4m --info=progress2 files/ result";
    let mut terminal = shown(FILES, command);
    bar(&mut terminal);
    let above = left(terminal);
    assert!(above.starts_with("      8,000,000 100%"), "{above}");
    assert!(above.ends_with("(xfr#43, to-chk=0/44)"), "{above}");
}

#[test]
fn git_clone_leaves_a_line_for_each_phase() {
    needs(&["git", "pv"]);
    let slow = r#"
        printf '#!/bin/sh\ngit-upload-pack "$@" | pv --quiet --rate-limit 4m\n' >slow
        chmod +x slow"#;
    let command = r#"git clone --upload-pack "$PWD/slow" "file://$PWD/bare.git" result"#;
    let mut terminal = shown(&format!("{FILES}{REPOSITORY}{slow}"), command);
    terminal.until("a bar", |screen| {
        screen
            .lines()
            .any(|row| row.starts_with("job ━") && row.contains("/45"))
    });
    let above = left(terminal);
    let rows: Vec<&str> = above.lines().collect();
    for (row, begin) in rows.iter().zip([
        "Cloning into 'result'...",
        "remote: Enumerating objects: 45, done.",
        "remote: Counting objects: 100% (45/45), done.",
        "remote: Compressing objects: 100% (",
        "remote: Total 45 ",
        "Receiving objects: 100% (45/45), ",
    ]) {
        assert!(row.starts_with(begin), "{above}");
    }
}

#[test]
fn curl_leaves_its_table() {
    needs(&["curl", "pv"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), vec![b'x'; 5_000_000]).unwrap();
    let url = serve(folder.path(), "2m");
    let mut terminal = shown("", &format!("curl --output file {url}/file"));
    bar(&mut terminal);
    let above = left(terminal);
    let rows: Vec<&str> = above.lines().collect();
    assert!(rows[0].starts_with("  % Total    % Received"), "{above}");
    assert!(rows[2].starts_with("100 4882k  100 4882k"), "{above}");
    assert_eq!(rows.len(), 3, "{above}");
}

#[test]
fn ctrl_c_stops_rsync_and_the_terminal_is_as_it_was() {
    needs(&["rsync"]);
    let command = "rsync --archive --bwlimit=1m --info=progress2 files/ result";
    let mut terminal = shown(FILES, command);
    bar(&mut terminal);
    terminal.types("\x03");
    assert_eq!(terminal.ends(), End::Signal(2));
    let screen = terminal.screen();
    assert!(screen.contains("(code 20)"), "{screen}");
    assert!(
        screen.lines().last().unwrap().starts_with("job: cancelled"),
        "{screen}"
    );
}
