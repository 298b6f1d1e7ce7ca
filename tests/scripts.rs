//! The shell scripts that a user copies first: those of the man pages, and the shortest example. Each works alone, under
//! progrun, and with `set -euo pipefail`. `tests/examples.rs` has the longer ones.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{Signal, progrun, text};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The first example on a man page behind this line, as its reader sees it.
fn on_page(page: &str, behind: &str) -> String {
    let page = read(page);
    let (_, rest) = page.split_once(behind).unwrap();
    let (_, rest) = rest.split_once("\n.EX\n").unwrap();
    let (script, _) = rest.split_once("\n.EE").unwrap();
    script
        .replace("\\(dq", "\"")
        .replace("\\(aq", "'")
        .replace("\\-", "-")
        .replace("\\e", "\\")
}

/// The scripts, with the shells for which they are written.
fn scripts() -> [(&'static str, &'static [&'static str], String); 5] {
    let protocol = "man/progrun-protocol.5";
    let report = "man/progrun-report.1";
    let function = on_page(protocol, "\n.SS Shells\n");
    let sh = on_page(protocol, "\n.SS sh\n");
    [
        (
            "quick start",
            &["sh", "bash"],
            on_page(protocol, "\n.SH QUICK START\n"),
        ),
        ("function", &["sh", "bash"], format!("{function}\n{sh}\n")),
        ("report", &["bash"], on_page(report, "\n.SH EXAMPLES\n")),
        (
            "report in a pipeline",
            &["sh", "bash"],
            on_page(report, "\nA loop at the end of a pipeline"),
        ),
        ("loop", &["bash"], read("examples/loop.bash")),
    ]
}

/// A folder with some files, and with programs of the names that the scripts use.
fn room() -> TempDir {
    let room = tempfile::tempdir().unwrap();
    for name in ["a b.jpg", "c.jpg", "a b.log", "c.log"] {
        fs::write(room.path().join(name), name).unwrap();
    }
    let programs = room.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for (name, script) in [
        ("convert", "#!/bin/sh\ncp \"$1\" \"$2\"\n"),
        ("work", "#!/bin/sh\n"),
    ] {
        let path = programs.join(name);
        fs::write(&path, script).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, executable).unwrap();
    }
    room
}

/// The PATH with the programs of the room, and with progrun as if it were installed.
fn path(room: &TempDir) -> String {
    let installed = Path::new(env!("CARGO_BIN_EXE_progrun")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let programs = room.path().join("programs");
    format!("{}:{}:{path}", programs.display(), installed.display())
}

#[track_caller]
fn assert_well(what: &str, room: &TempDir, output: &Output) {
    assert_eq!(text(&output.stderr), "", "{what}");
    assert_eq!(output.status.code(), Some(0), "{what}");
    let has = |name: &str| room.path().join(name).exists();
    let made = match what.split(':').next().unwrap() {
        "quick start" => true,
        "report in a pipeline" => has("a b.log.gz") && has("c.log.gz"),
        "loop" => has("a b.log.gz") && has("c.log.gz") && !has("part.gz"),
        _ => has("small/a b.jpg") && has("small/c.jpg") && !has("part.jpg"),
    };
    assert!(made, "{what}");
}

#[test]
fn each_works_alone_and_under_progrun_also_if_the_shell_is_strict() {
    for (name, shells, script) in scripts() {
        for shell in shells {
            let strict: &[&[&str]] = match *shell {
                "bash" => &[&["-c"], &["-euo", "pipefail", "-c"]],
                _ => &[&["-c"], &["-eu", "-c"]],
            };
            for options in strict {
                let what = format!("{name}: {shell} {options:?}");
                let words = [&[*shell][..], options, &[&script]].concat();
                let alone_room = room();
                let alone = Command::new(words[0])
                    .args(&words[1..])
                    .current_dir(alone_room.path())
                    .env("PATH", path(&alone_room))
                    .env_remove("PROGRUN_FD")
                    .env_remove("PROGRUN_FD_ID")
                    .env_remove("PROGRUN_SOCK")
                    .output()
                    .unwrap();
                assert_well(&what, &alone_room, &alone);
                let room = room();
                let under = progrun(&[&["--json=events", "-q", "--"], &words[..]].concat())
                    .in_folder(room.path())
                    .variable("PATH", &path(&room))
                    .output();
                assert_well(&what, &room, &under);
                let events = fs::read_to_string(room.path().join("events")).unwrap();
                assert!(events.contains(r#""event":"progress""#), "{what}: {events}");
            }
        }
    }
}

#[test]
fn the_shortest_script_ends_between_two_files_and_leaves_nothing_half_done() {
    let room = room();
    let script = read("examples/loop.bash");
    let slow = room.path().join("0.log");
    assert!(
        Command::new("mkfifo")
            .arg(&slow)
            .status()
            .unwrap()
            .success()
    );
    let mut run = progrun(&["--json", "--grace=1h", "--", "bash", "-c", &script])
        .in_folder(room.path())
        .variable("PATH", &path(&room))
        .start();
    run.event("progress");
    // Opens once the script has opened it too, and keeps the script in the middle of this file until it is dropped.
    let slow = File::options().write(true).open(slow).unwrap();
    run.signal(Signal::INT);
    run.event("state");
    drop(slow);
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(ended.finished()["exit_status"], 130);
    let names = fs::read_dir(room.path()).unwrap();
    let mut compressed: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "gz"))
        .collect();
    compressed.sort();
    assert_eq!(compressed, ["0.log.gz"]);
}
