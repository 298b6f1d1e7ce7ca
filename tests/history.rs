//! `progrun history`, and what is remembered of a run. What is shown by it is tested in `src/sink/bars/tests`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, Progrun, Signal, progrun, text};

/// A user who has nothing remembered yet.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("state/progrun/history.jsonl")
    }

    fn progrun(&self, words: &[&str]) -> Progrun {
        let folder = self.0.path().to_str().unwrap();
        let state = format!("{folder}/state");
        progrun(words)
            .variable("XDG_STATE_HOME", &state)
            .variable("XDG_RUNTIME_DIR", folder)
    }

    /// The remembered runs.
    fn runs(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Remembers runs of these names, that took so many seconds.
    fn with(self, runs: &[(&str, f64)]) -> Self {
        let line = |(name, duration): &(&str, f64)| {
            format!(
                r#"{{"time":"2026-11-27T10:00:00.000Z","name":"{name}","command":["{name}"],"hash":"{name}","duration":{duration},"state":"completed","exit_status":0,"signal":null,"user_time":0.1,"system_time":0.0,"max_rss":1048576}}"#
            ) + "\n"
        };
        fs::create_dir_all(self.path().parent().unwrap()).unwrap();
        fs::write(self.path(), runs.iter().map(line).collect::<String>()).unwrap();
        self
    }

    fn names(&self) -> Vec<String> {
        let runs = self.runs().into_iter();
        runs.map(|run| run["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_run_of_a_second_is_remembered_with_its_arguments_and_without_its_environment() {
    let home = Home::new();
    let script = "echo 1/2 >&3; sleep 1.1; echo 2/2 >&3; exit 3";
    let run = home.progrun(&["--quiet", "--", "sh", "-c", script, "argument"]);
    run.variable("TOKEN", "a secret of the environment")
        .status(3);
    let runs = home.runs();
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!(run["name"], "sh");
    assert_eq!(run["command"][3], "argument");
    assert_eq!(
        (&run["state"], &run["exit_status"]),
        (&"failed".into(), &3.into())
    );
    assert!(run["duration"].as_f64().unwrap() >= 1.1);
    assert!(run["max_rss"].as_u64().unwrap() > 0);
    assert_eq!(run["curve"].as_array().unwrap().len(), 20);
    assert_eq!(
        (&run["curve"][9], &run["curve"][19]),
        (&0.5.into(), &1.0.into())
    );
    assert!(!fs::read_to_string(home.path()).unwrap().contains("secret"));
    assert_eq!(
        (mode(&home.path()), mode(home.path().parent().unwrap())),
        (0o600, 0o700)
    );
}

#[test]
fn a_run_of_less_than_a_second_leaves_no_trace() {
    let home = Home::new();
    home.progrun(&["--", "sh", "-c", "echo 1/2 >&3"])
        .stderr("sh: 50%, 1/2\nsh: completed in [..], 1/2[..]\n")
        .status(0);
    assert!(!home.0.path().join("state").exists());
}

#[test]
fn nothing_is_remembered_if_that_is_switched_off() {
    let home = Home::new();
    home.progrun(&["--no-history", "--", "sleep", "1.1"])
        .status(0);
    home.progrun(&["--", "sleep", "1.1"])
        .variable("PROGRUN_HISTORY", "0")
        .status(0);
    assert_eq!(home.runs(), [Value::Null; 0]);
    home.progrun(&["--", "sleep", "1.1"])
        .variable("PROGRUN_HISTORY", "1")
        .status(0);
    assert_eq!(home.names(), ["sleep"]);
    home.progrun(&["--", "true"])
        .variable("PROGRUN_HISTORY", "maybe")
        .stderr("progrun: invalid value 'maybe' for PROGRUN_HISTORY: expected 0 or 1\nFor more information, try 'progrun --help'.\n")
        .status(125);
}

#[test]
fn a_list_is_remembered_as_one_run_with_the_times_of_its_tasks() {
    let home = Home::new();
    let words = ["each", "--quiet", "-j2", "--name", "naps", "--", "sleep"];
    home.progrun(&[&words[..], &[":::", "0.5", "0.6", "0.7"]].concat())
        .status(0);
    let runs = home.runs();
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!(
        (&run["name"], &run["named"]),
        (&"naps".into(), &true.into())
    );
    assert_eq!(
        (&run["form"], &run["command"][0]),
        (&"each".into(), &"sleep".into())
    );
    let tasks = &run["tasks"];
    assert_eq!((&tasks["count"], &tasks["slots"]), (&3.into(), &2.into()));
    let mean = tasks["mean_time"].as_f64().unwrap();
    assert!((0.6..0.9).contains(&mean), "{mean}");
}

#[test]
fn a_run_under_another_one_is_a_part_of_that() {
    let home = Home::new();
    let inner = format!("{} -- sleep 1.1", env!("CARGO_BIN_EXE_progrun"));
    home.progrun(&["--quiet", "--", "sh", "-c", &inner])
        .status(0);
    assert_eq!(home.names(), ["sh"]);
}

#[test]
fn a_history_that_cannot_be_written_is_one_warning_and_the_run_ends_as_it_ended() {
    let home = Home::new();
    // A folder instead of the file: not even root can write to it.
    fs::create_dir_all(home.path()).unwrap();
    let warning = format!(
        "sh: cannot add this run to {}: it is a directory (--no-history avoids this)\n",
        home.path().display()
    );
    home.progrun(&["--", "sh", "-c", "sleep 1.1; exit 3"])
        .stderr(&format!(
            "sh: failed with exit status 3 after [..]\n{warning}"
        ))
        .status(3);
    home.progrun(&["each", "--", "sleep", ":::", "1.1"])
        .stderr(&format!(
            "sleep: 1 task\nok 1.1  1.1s\nsleep: 1 completed in [..]\n{}",
            warning.replacen("sh", "sleep", 1)
        ))
        .status(0);
    home.progrun(&["--quiet", "--", "sleep", "1.1"]).status(0);
}

#[test]
fn a_history_that_is_a_fifo_is_one_warning_and_is_waited_for_by_nothing() {
    let home = Home::new();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path(), mode).unwrap();
    let path = home.path();
    let path = path.display();
    home.progrun(&["--", "sleep", "1.1"])
        .stderr(&format!(
            "sleep: cannot add this run to {path}: it is not a regular file (--no-history avoids this)\n"
        ))
        .status(0);
    let what = |what: &str| {
        format!("progrun: cannot {what} the history {path}: it is not a regular file\n")
    };
    home.progrun(&["history"]).stderr(&what("read")).status(125);
    home.progrun(&["history", "--clear"])
        .stderr(&what("change"))
        .status(125);
}

#[test]
fn without_a_place_for_it_there_is_no_history_and_no_word_about_it() {
    for home in ["", "/dev/null"] {
        progrun(&["--", "sleep", "1.1"])
            .variable("XDG_STATE_HOME", "")
            .variable("HOME", home)
            .status(0);
    }
}

#[test]
fn a_damaged_and_huge_history_is_no_matter() {
    let home = Home::new();
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    let mut junk = vec![b'x'; 10_000_000];
    junk.extend_from_slice(b"\n{\"time\":1}\n\xff\x00\n{\"half");
    fs::write(home.path(), &junk).unwrap();
    let output = home
        .progrun(&["--progress=bars", "--", "sleep", "1.3"])
        .output();
    assert_eq!(output.status.code(), Some(0));
    assert!(!text(&output.stderr).contains("history"));
    // It was full, so that its older half is gone.
    let output = home.progrun(&["history"]).output();
    assert!(text(&output.stdout).contains(" sleep  1.3"), "{output:?}");
    assert!(fs::metadata(home.path()).unwrap().len() < 1000);
}

#[test]
fn a_command_that_says_nothing_has_a_bar_by_time_the_third_time() {
    let home = Home::new();
    for count in 0..3 {
        let run = home.progrun(&["--progress=bars", "--", "sleep", "1.4"]);
        // Into a pipe, another program may draw.
        let output = run.inside("sh", "exec \"$@\" >/dev/null").output();
        let stderr = text(&output.stderr);
        assert_eq!(
            stderr.contains("usually 1s"),
            count == 2,
            "{count}: {stderr}"
        );
        assert_eq!(
            stderr.contains("last time 1s"),
            count == 1,
            "{count}: {stderr}"
        );
    }
}

#[test]
fn the_table_has_a_line_for_each_run() {
    let home = Home::new().with(&[("make", 10.0), ("curl", 61.0), ("make", 5.0)]);
    home.progrun(&["history"])
        .variable("TZ", "UTC")
        .variable("LC_ALL", "C.UTF-8")
        .stdout(
            "\
WHEN              NAME   TIME  ENDED      MAX RSS  DURATIONS
2026-11-27 10:00  make  10.0s  completed  1.0 MiB
2026-11-27 10:00  curl  1m01s  completed  1.0 MiB
2026-11-27 10:00  make  5.00s  completed  1.0 MiB  █▄
",
        )
        .status(0);
    home.progrun(&["history", "make"])
        .variable("TZ", "Asia/Tokyo")
        .variable("LC_ALL", "C")
        .stdout(
            "\
WHEN              NAME   TIME  ENDED      MAX RSS  DURATIONS
2026-11-27 19:00  make  10.0s  completed  1.0 MiB
2026-11-27 19:00  make  5.00s  completed  1.0 MiB  #-
",
        )
        .status(0);
    home.progrun(&["history", "unknown"])
        .stderr("progrun: no run called unknown is remembered\n")
        .status(1);
    Home::new()
        .progrun(&["history"])
        .stderr("progrun: no run is remembered yet\n")
        .status(0);
}

#[test]
fn the_runs_are_printed_as_they_are_stored() {
    let home = Home::new().with(&[("make", 10.0), ("curl", 61.0)]);
    let stored = fs::read_to_string(home.path()).unwrap();
    home.progrun(&["history", "--json"])
        .stdout(&stored)
        .status(0);
    let curl = stored.lines().last().unwrap();
    home.progrun(&["history", "curl", "--json"])
        .stdout(&format!("{curl}\n"))
        .status(0);
}

#[test]
fn the_runs_of_a_name_are_forgotten_or_all() {
    let home = Home::new().with(&[("make", 10.0), ("curl", 61.0), ("make", 5.0)]);
    home.progrun(&["history", "--forget", "make"]).status(0);
    assert_eq!(home.names(), ["curl"]);
    assert_eq!(mode(&home.path()), 0o600);
    home.progrun(&["history", "--forget", "make"])
        .stderr("progrun: no run called make is remembered\n")
        .status(1);
    home.progrun(&["history", "--clear"]).status(0);
    assert_eq!(home.names(), [""; 0]);
    home.progrun(&["history", "--clear"]).status(0);
    Home::new().progrun(&["history", "--clear"]).status(0);
}

#[test]
fn a_history_that_cannot_be_read_is_named() {
    let home = Home::new().with(&[("make", 10.0)]);
    fs::remove_file(home.path()).unwrap();
    std::os::unix::fs::symlink("history.jsonl", home.path()).unwrap();
    let path = home.path();
    let what = |what: &str| {
        format!(
            "progrun: cannot {what} the history {}: too many levels of symbolic links\n",
            path.display()
        )
    };
    home.progrun(&["history"]).stderr(&what("read")).status(125);
    home.progrun(&["history", "--clear"])
        .stderr(&what("change"))
        .status(125);
    progrun(&["history"])
        .variable("XDG_STATE_HOME", "")
        .variable("HOME", "")
        .stderr("progrun: there is no history without a home: set HOME or XDG_STATE_HOME\n")
        .status(125);
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let runs = vec![("make", 10.0); 10_000];
    let home = Home::new().with(&runs);
    let mut run = home
        .progrun(&["history"])
        .start_on(Stdio::piped(), Stdio::piped());
    assert!(run.stdout_line().starts_with("WHEN"));
    run.close_stdout();
    let ended = run.finish();
    ended.died_by(Signal::PIPE);
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_list_of_runs_has_the_same_estimate_and_marks_it() {
    let home = Home::new();
    let line = r#"{"time":"2026-11-27T10:00:00.000Z","name":"long","named":true,"command":["sleep"],"hash":"x","duration":100.0,"state":"completed","exit_status":0,"signal":null,"user_time":0.1,"system_time":0.0,"max_rss":1048576}"#;
    fs::create_dir_all(home.path().parent().unwrap()).unwrap();
    fs::write(home.path(), format!("{line}\n").repeat(3)).unwrap();
    let mut run = home
        .progrun(&["-q", "--name=long", "--", "sleep", "1000"])
        .start();
    let estimate = || {
        let listed = text(&home.progrun(&["ps", "--json"]).output().stdout);
        let mut runs = listed.lines().map(support::valid_event);
        runs.find(|run| run["name"] == "long" && run["percentage_is_estimated"] == true)
    };
    support::until(|| estimate().is_some());
    let status = estimate().unwrap();
    assert_eq!(status["eta_is_estimated"], true);
    let (done, left) = (&status["percentage"], &status["eta"]);
    let sum = done.as_f64().unwrap() + left.as_f64().unwrap();
    assert!((sum - 100.0).abs() < 0.1, "{status}");
    let table = text(&home.progrun(&["ps"]).output().stdout);
    let row = table.lines().find(|line| line.contains(" long ")).unwrap();
    assert!(row.contains(" ~") && row.contains("% "), "{row}");
    run.signal(Signal::TERM);
    run.wait();
}
