//! Ctrl-C in the middle of real work: the program ends as it does without progrun, and never by a SIGPIPE from progrun.
//!
//! The timed steps of the ladder are an hour away, so only the Ctrl-C itself acts.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::copies::{FILES, REPOSITORY};
use super::work::environment;
use crate::harness::needs;
use crate::support::{Ended, Signal, progrun, text};

/// A folder that a script has prepared.
fn given(script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), script);
    folder
}

/// Runs a script there without progrun, and returns its output.
#[track_caller]
fn run(folder: &Path, script: &str) -> String {
    let output = Command::new("bash")
        .args(["-e", "-c", script])
        .envs(environment(folder))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout) + &text(&output.stderr)
}

/// Starts a script there under progrun, and interrupts it at the first report that `is_so`.
#[track_caller]
fn interrupted(folder: &Path, from: &str, script: &str, is_so: impl Fn(&Value) -> bool) -> Ended {
    let script = format!("exec {script}");
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--from", from];
    let command = ["--", "bash", "-c", &script];
    let mut start = progrun(&[&options[..], &command].concat()).in_folder(folder);
    for (name, value) in environment(folder) {
        start = start.variable(name, value.to_str().unwrap());
    }
    let mut run = start.start();
    while !is_so(&run.event("progress")["info"]) {}
    run.signal(Signal::INT);
    let ended = run.finish();
    ended.died_by(Signal::INT);
    assert_eq!(ended.finished()["state"], "cancelled");
    assert_eq!(
        ended.signals(),
        ["SIGINT (interrupt)"],
        "{:#?}",
        ended.events
    );
    assert_ne!(ended.finished()["signal"], "SIGPIPE");
    ended
}

/// For a program of one process. Several processes, as in rsync, complain about the pipes between them.
#[track_caller]
fn assert_no_broken_pipe(ended: &Ended) {
    let printed = ended.output("stdout") + &ended.output("stderr");
    assert!(!printed.contains("roken pipe"), "{printed}");
}

#[test]
fn rsync_says_that_it_was_interrupted_and_leaves_no_half_file() {
    needs(&["rsync"]);
    let folder = given(FILES);
    let script = "rsync --archive --bwlimit=2m --info=progress2 files/ result";
    let ended = interrupted(folder.path(), "auto", script, |_| true);
    assert_eq!(ended.finished()["exit_status"], 20);
    let said = ended.output("stderr");
    assert!(
        said.contains("received SIGINT, SIGTERM, or SIGHUP (code 20)"),
        "{said}"
    );
    run(
        folder.path(),
        "shopt -s nullglob; for file in result/*; do cmp $file files/${file#result/}; done",
    );
}

#[test]
fn git_clone_takes_its_half_repository_away() {
    needs(&["git", "pv"]);
    let slow = r#"
        printf '#!/bin/sh\ngit-upload-pack "$@" | pv --quiet --rate-limit 2m\n' >slow
        chmod +x slow"#;
    let folder = given(&format!("{FILES}{REPOSITORY}{slow}"));
    let script = r#"git clone --progress --upload-pack "$PWD/slow" "file://$PWD/bare.git" result"#;
    let receiving = |info: &Value| info["message"] == "Receiving objects";
    let ended = interrupted(folder.path(), "auto", script, receiving);
    assert_eq!(ended.finished()["signal"], "SIGINT");
    assert!(!folder.path().join("result").exists());
}

#[test]
fn restic_takes_its_lock_away_and_its_repository_is_whole() {
    needs(&["restic"]);
    let folder = given(&format!("{FILES}\nrestic --quiet --repo repository init"));
    let script = "restic --repo repository backup --json --limit-upload 1000 files";
    let ended = interrupted(folder.path(), "auto", script, |_| true);
    assert_no_broken_pipe(&ended);
    assert_eq!(ended.finished()["exit_status"], 130);
    let said = ended.output("stderr");
    assert!(
        said.contains("signal interrupt received, cleaning up"),
        "{said}"
    );
    assert_eq!(
        fs::read_dir(folder.path().join("repository/locks"))
            .unwrap()
            .count(),
        0
    );
    let checked = run(folder.path(), "restic --repo repository check");
    assert!(checked.contains("no errors were found"), "{checked}");
}

#[test]
fn borg_takes_its_lock_away_and_its_repository_is_whole() {
    needs(&["borg"]);
    // Enough that borg is still at work when the signal comes, and no byte of it can be deduplicated.
    let folder = given(&format!(
        "{FILES}\nhead -c 30000000 /dev/urandom | base64 >files/z; borg init --encryption none repository"
    ));
    let script = "borg create --log-json --progress --compression lzma,9 repository::all files";
    let creating = |info: &Value| info["progress"].as_f64() > Some(0.0);
    let ended = interrupted(folder.path(), "auto", script, creating);
    assert_no_broken_pipe(&ended);
    assert_eq!(ended.finished()["exit_status"], 2);
    let said = ended.output("stderr");
    assert!(said.contains("Got Ctrl-C / SIGINT."), "{said}");
    run(
        folder.path(),
        "borg check repository; borg create repository::next files/1",
    );
    assert!(!folder.path().join("repository/lock.exclusive").exists());
}

#[test]
fn a_writer_of_dpkgs_kind_ends_at_a_package_that_is_done() {
    let folder = given("");
    let path = folder.path().join("writer");
    // Half a package is a broken system, so the writer ends between two packages. The signal may come at any report,
    // and the writer must be able to write those after it, too.
    let writer = "
        trap stop=1 INT
        for package in $(seq 1000000); do
            for state in half-installed unpacked half-configured installed; do
                echo \"status: pr-$package: $state\" >&3 || { echo lost; exit 1; }
            done
            echo $package >>done
            if [ \"$stop\" ]; then echo pr-$package is the last one; exit 100; fi
        done";
    fs::write(&path, writer).unwrap();
    let ended = interrupted(folder.path(), "dpkg", "sh writer", |_| true);
    assert_eq!(ended.finished()["exit_status"], 100);
    let done = fs::read_to_string(folder.path().join("done")).unwrap();
    let last = done.lines().last().unwrap();
    assert_eq!(
        ended.output("stdout"),
        format!("pr-{last} is the last one\n")
    );
    assert_eq!(ended.output("stderr"), "");
}

#[test]
fn apt_get_keeps_what_it_has_of_a_file() {
    needs(&["apt-get", "dpkg-deb", "pv"]);
    let folder = given(super::packages::DEBIAN);
    let url = super::server::serve(&folder.path().join("folder"), "500k");
    let before = format!(
        "mkdir -p cache/archives/partial
         echo 'deb [trusted=yes] {url} ./' >sources
         APT_CONFIG=conf apt-get -qq update 2>/dev/null"
    );
    run(folder.path(), &before);
    let script = "env APT_CONFIG=conf apt-get install --yes --download-only -o Dir::Cache=$PWD/cache -o APT::Status-Fd=3 \
                  pr-one pr-two pr-three";
    let begun = |info: &Value| info["percentage"].as_f64() > Some(0.0);
    let ended = interrupted(folder.path(), "auto", script, begun);
    assert_eq!(
        ended.finished()["signal"],
        "SIGINT",
        "{:?}",
        ended.output("stderr")
    );
    let partial = fs::read_dir(folder.path().join("cache/archives/partial")).unwrap();
    assert_eq!(partial.count(), 1);
}
