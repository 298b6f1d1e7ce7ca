//! `--detach`: a run that goes on away from the terminal.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::pty::{End, terminal};
use crate::support::{
    self, Gate, Lifeline, Progrun, Signal, assert_text, progrun, state_of, text, until,
};

/// A folder for what is kept, and the runs that are kept there.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("progrun/detached")
    }

    /// A run whose output is kept here.
    fn progrun(&self, words: &[&str]) -> Progrun {
        progrun(words).variable("XDG_STATE_HOME", self.path())
    }

    /// Starts a run, and gives its number.
    #[track_caller]
    fn detach(&self, words: &[&str]) -> Pid {
        let run = self
            .progrun(&[&["-q", "--detach"], words].concat())
            .output();
        assert_eq!(text(&run.stderr), "");
        assert_eq!(run.status.code(), Some(0));
        number(&run.stdout)
    }

    /// The files of the only run that end so.
    fn files(&self, end: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.folder()) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.to_str().unwrap().contains(end))
            .collect();
        paths.sort();
        paths
    }

    /// The lines of the record of the only run.
    fn record(&self) -> Vec<Value> {
        let [file] = &self.files(".json")[..] else {
            panic!("there is one run");
        };
        let text = fs::read_to_string(file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits for the end of the only run, and gives the record of it.
    fn end(&self) -> Value {
        until(|| self.record().len() == 2);
        self.record().remove(1)
    }

    /// The files of the output, one after the other.
    fn output(&self) -> String {
        let files = self.files(".out").into_iter();
        files
            .map(|file| fs::read_to_string(file).unwrap())
            .collect()
    }
}

fn number(stdout: &[u8]) -> Pid {
    let number = text(stdout);
    let number = number.strip_suffix('\n').unwrap();
    Pid::from_raw(number.parse().unwrap()).unwrap()
}

/// What /proc says of a process in this field of `stat`, from 1.
fn stat(pid: Pid, field: usize) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(field - 3).unwrap().to_owned()
}

#[test]
fn its_number_is_on_stdout_and_a_sentence_on_stderr() {
    let home = Home::new();
    let run = home
        .progrun(&["--detach", "--", "sh", "-c", "exit 3"])
        .output();
    assert_eq!(run.status.code(), Some(0));
    let pid = number(&run.stdout);
    assert_eq!(
        text(&run.stderr),
        format!(
            "progrun: sh runs as {pid}; `progrun attach {pid}` shows it, and `progrun cancel {pid}` stops it\n"
        )
    );
    let end = home.end();
    let first = &home.record()[0];
    assert_eq!(first["pid"], pid.as_raw_pid());
    assert_eq!(first["name"], "sh");
    assert_eq!(first["command"], serde_json::json!(["sh", "-c", "exit 3"]));
    assert_eq!(
        first["directory"],
        std::env::current_dir().unwrap().to_str().unwrap()
    );
    assert_eq!(end["state"], "failed");
    assert_eq!(end["exit_status"], 3);
    assert_eq!(end["signal"], Value::Null);
    assert_eq!(end["lost"], Value::Null);
}

#[test]
fn a_number_that_cannot_be_written_is_on_stderr_for_the_run_goes_on() {
    for quiet in [&["--quiet"][..], &[]] {
        let home = Home::new();
        let mut gate = Gate::new();
        let command = [
            "--detach",
            "--",
            "sh",
            "-c",
            r#"read -r _ <"$1""#,
            "sh",
            gate.path(),
        ];
        let run = home.progrun(&[quiet, &command].concat());
        let full = fs::File::create("/dev/full").unwrap();
        let ended = run.start_on(full, Stdio::piped()).finish();
        let pid = &home.record()[0]["pid"];
        assert_eq!(
            ended.stderr,
            format!(
                "progrun: sh runs as {pid}; `progrun attach {pid}` shows it, and `progrun cancel {pid}` stops it\n\
                 progrun: cannot write to stdout: no space left on device\n"
            )
        );
        assert_eq!(ended.status.code(), Some(125));
        gate.open();
        assert_eq!(home.end()["state"], "completed");
    }
}

#[test]
fn it_has_a_session_of_its_own_and_no_terminal() {
    let home = Home::new();
    let mut gate = Gate::new();
    let script = format!("read -r _ <{}", gate.path());
    let pid = home.detach(&["--", "sh", "-c", &script]);
    let number = pid.as_raw_pid().to_string();
    // Its session, its terminal.
    assert_eq!(stat(pid, 6), number);
    assert_eq!(stat(pid, 7), "0");
    for (stream, file) in [(0, "/dev/null"), (1, "pipe:"), (2, "pipe:")] {
        let link = fs::read_link(format!("/proc/{pid}/fd/{stream}")).unwrap();
        assert!(
            link.to_str().unwrap().starts_with(file),
            "{}",
            link.display()
        );
    }
    gate.open();
    assert_eq!(home.end()["state"], "completed");
    until(|| matches!(state_of(pid), 'X' | 'Z'));
}

#[test]
fn it_survives_its_terminal_which_it_does_not_hold() {
    let home = Home::new();
    let mut gate = Gate::new();
    let script = format!("read -r _ <{}; echo over", gate.path());
    let program = env!("CARGO_BIN_EXE_progrun");
    // With a further descriptor that is the terminal.
    let words = r#"exec 7>&1; "$@"; exit"#;
    let words = [
        "bash", "-c", words, "bash", program, "--detach", "--", "sh", "-c", &script,
    ];
    let mut terminal = terminal().env("XDG_STATE_HOME", home.path()).run(&words);
    assert_eq!(terminal.ends(), End::Status(0));
    assert!(terminal.screen().contains("progrun attach"));
    let pid = home.record()[0]["pid"].as_i64().unwrap();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let link = fs::read_link(entry.unwrap().path()).unwrap_or_default();
        assert!(!link.starts_with("/dev/pts"), "{}", link.display());
    }
    terminal.hang_up();
    drop(terminal);
    gate.open();
    assert_eq!(home.end()["state"], "completed");
    assert_eq!(home.output(), "over\n");
}

#[test]
fn it_holds_no_pipe_of_its_caller() {
    let home = Home::new();
    let mut gate = Gate::new();
    let program = env!("CARGO_BIN_EXE_progrun");
    // The substitution ends when no process holds the pipe any more; 6 is another name of it.
    let script = format!(
        "x=$({{ {program} -q --detach -- sh -c 'read -r _ <{}'; }} 6>&1 2>&1); echo \"got $x\"",
        gate.path()
    );
    let shell = Command::new("sh")
        .args(["-c", &script])
        .env("XDG_STATE_HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let pid = &home.record()[0]["pid"];
    assert_eq!(text(&shell.stdout), format!("got {pid}\n"));
    gate.open();
    home.end();
}

#[test]
fn a_file_or_a_pipe_stays_its_stdin() {
    let home = Home::new();
    let run = home.progrun(&["-q", "--detach", "--", "cat"]);
    let run = run.stdin("of the caller\n").output();
    assert_eq!(run.status.code(), Some(0));
    home.end();
    assert_eq!(home.output(), "of the caller\n");
}

#[test]
fn what_it_prints_is_kept_in_order_for_its_user_alone() {
    let home = Home::new();
    for output in ["stream", "on-failure", "none"] {
        fs::remove_dir_all(home.folder()).unwrap_or_default();
        let script = "echo one; echo two >&2; printf three";
        home.detach(&["--output", output, "--", "sh", "-c", script]);
        home.end();
        assert_eq!(home.output(), "one\ntwo\nthree", "{output}");
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.folder()), 0o700);
    let files = home.files("");
    assert_eq!(files.len(), 2);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn of_a_long_output_its_beginning_and_its_end_are_kept() {
    let home = Home::new();
    home.detach(&["--", "seq", "5000000"]);
    home.end();
    let all = Command::new("seq").arg("5000000").output().unwrap();
    let all = text(&all.stdout);
    let [head, before_last, last] = &home.files(".out")[..] else {
        panic!("{:?}", home.files(".out"));
    };
    assert!(fs::read_to_string(head).unwrap() == all[..1 << 20]);
    let rest = fs::read_to_string(before_last).unwrap() + &fs::read_to_string(last).unwrap();
    assert!(rest.len() >= 8 << 20);
    assert!(all.ends_with(&rest));
}

#[test]
fn messages_of_progrun_are_kept_too() {
    let home = Home::new();
    let run = home.progrun(&["--detach", "--", "sh", "-c", "printf text; exit 3"]);
    assert_eq!(run.output().status.code(), Some(0));
    home.end();
    assert_text(
        &home.output(),
        "text\nsh: failed with exit status 3 after [..]\n",
    );
}

#[test]
fn a_command_that_cannot_be_started_is_told_as_without_it() {
    let home = Home::new();
    home.progrun(&["--detach", "--", "no-such-program"])
        .stderr("progrun: cannot run no-such-program: no such command in PATH\n")
        .status(127);
    home.progrun(&["--detach", "--", "/"])
        .stderr("progrun: cannot run /: it is a directory\n")
        .status(126);
    home.progrun(&["each", "--detach", "--", "no-such-program", ":::", "a"])
        .stderr("progrun: cannot run no-such-program: no such command in PATH\n")
        .status(127);
    home.progrun(&["--detach", "--log", "/no/such/folder/log", "--", "true"])
        .stderr(
            "progrun: cannot write /no/such/folder/log: there is no directory /no/such/folder\n",
        )
        .status(125);
    // There was no run, so nothing is kept of one.
    assert!(home.files("").is_empty());
}

#[test]
fn the_caller_does_not_wait_for_the_command_of_on_end_when_there_is_no_run() {
    let (home, mut gate) = (Home::new(), Gate::new());
    let mark = home.0.path().join("mark");
    // If the caller waited, the command would never be let on before the time limit.
    let hook = format!(
        "timeout 60 sh -c 'read -r _ <{}' && echo let on >{}",
        gate.path(),
        mark.display()
    );
    home.progrun(&["--detach", "--on-end", &hook, "--", "no-such-program"])
        .stderr("progrun: cannot run no-such-program: no such command in PATH\n")
        .status(127);
    assert!(home.files("").is_empty());
    gate.open();
    until(|| mark.exists());
}

#[test]
fn without_a_place_for_the_output_nothing_runs() {
    progrun(&["--detach", "--", "true"])
        .variable("XDG_STATE_HOME", "/dev/null")
        .stderr(
            "progrun: --detach: cannot keep the output in /dev/null/progrun/detached: \
             not a directory (XDG_STATE_HOME names another place)\n",
        )
        .status(125);
    progrun(&["--detach", "--", "true"])
        .variable("XDG_STATE_HOME", "")
        .variable("HOME", "")
        .stderr(
            "progrun: --detach: there is no folder for the output: \
             set HOME or XDG_STATE_HOME to an absolute path\n",
        )
        .status(125);
}

#[test]
fn options_for_the_terminal_are_refused() {
    let run = progrun(&["--detach", "--json", "--", "true"]).output();
    assert_eq!(run.status.code(), Some(125));
    assert!(
        text(&run.stderr).starts_with(
            "progrun: --detach leaves stdout: give --json a file, as in --json=FILE\n"
        )
    );
    let run = progrun(&["--detach", "--progress", "bars", "--", "true"]).output();
    assert_eq!(run.status.code(), Some(125));
    assert!(text(&run.stderr).starts_with(
        "progrun: --detach leaves the terminal, so there is no place for --progress bars\n"
    ));
}

#[test]
fn bars_as_the_default_of_the_environment_are_for_runs_that_stay() {
    let home = Home::new();
    let run = home.progrun(&["-q", "--detach", "--", "true"]);
    let run = run.variable("PROGRUN_PROGRESS", "bars").output();
    assert_eq!(text(&run.stderr), "");
    assert_eq!(home.end()["state"], "completed");
    assert_eq!(home.output(), "");
}

#[test]
fn to_print_the_commands_of_a_list_is_no_run() {
    let home = Home::new();
    let words = ["each", "--detach", "--dry-run", "--", "echo", ":::", "a"];
    home.progrun(&words).stdout("echo a\n").status(0);
    assert!(!home.folder().exists());
}

#[test]
fn a_full_disk_is_recorded_and_the_run_goes_on() {
    let home = Home::new();
    // No file may have more than 64 blocks: the system says so as it says that a disk is full.
    let limited = progrun(&["-q", "--detach", "--", "seq", "100000"])
        .variable("XDG_STATE_HOME", home.path())
        .inside("bash", "ulimit -f 64; exec \"$@\"");
    assert_eq!(limited.output().status.code(), Some(0));
    let end = home.end();
    assert_eq!(end["state"], "completed");
    assert_eq!(end["lost"], "file too large");
    assert_eq!(home.output().len(), 64 * 1024);
}

#[test]
fn a_run_that_is_killed_leaves_a_record_without_an_end() {
    let home = Home::new();
    let lifeline = Lifeline::new();
    let script = format!("exec 4>{}; echo on; exec sleep 600", lifeline.path());
    let pid = home.detach(&["--kill-after", "0.1", "--", "sh", "-c", &script]);
    until(|| home.output() == "on\n");
    kill_process(pid, Signal::KILL).unwrap();
    // The command is gone, too.
    lifeline.last_words();
    until(|| matches!(state_of(pid), 'X' | 'Z'));
    assert_eq!(home.record().len(), 1);
}

#[test]
fn sigterm_stops_it_as_any_run() {
    let home = Home::new();
    let pid = home.detach(&["--", "sh", "-c", "echo on; exec sleep 600"]);
    until(|| home.output() == "on\n");
    kill_process(pid, Signal::TERM).unwrap();
    let end = home.end();
    assert_eq!(end["state"], "cancelled");
    assert_eq!(end["signal"], "SIGTERM");
}

#[test]
fn a_list_runs_too_and_all_of_its_output_is_kept() {
    let home = Home::new();
    let words = [
        "each", "-q", "--detach", "-j1", "--", "echo", "task", ":::", "a", "b",
    ];
    let run = home.progrun(&words).output();
    assert_eq!(text(&run.stderr), "");
    let pid = number(&run.stdout);
    assert_eq!(home.end()["state"], "completed");
    assert_eq!(home.record()[0]["pid"], pid.as_raw_pid());
    assert_eq!(home.output(), "task a\ntask b\n");
}

#[test]
fn values_come_from_a_pipe_as_without_it() {
    let home = Home::new();
    let words = [
        "each", "-q", "--detach", "-k", "--output", "none", "--", "echo",
    ];
    let run = home.progrun(&words).stdin("a\nb\n").output();
    assert_eq!(text(&run.stderr), "");
    assert_eq!(home.end()["state"], "completed");
    assert_eq!(home.output(), "a\nb\n");
}

#[test]
fn the_command_of_on_end_runs_and_its_words_are_kept() {
    let home = Home::new();
    let hook = "echo \"$PROGRUN_STATE $PROGRUN_EXIT_STATUS\"; exit 9";
    let pid = home.detach(&["--on-end", hook, "--", "sh", "-c", "exit 3"]);
    until(|| state_of(pid) == 'X');
    assert_eq!(
        home.output(),
        "failed 3\nprogrun: --on-end: exit status 9\n"
    );
}

#[test]
fn a_watcher_of_a_list_shows_what_the_running_tasks_had_printed_before() {
    let (home, mut gate) = (Home::new(), Gate::new());
    let script = r#"echo early{}; echo 1/2 >&3; read -r _ <"$1"; echo late{}"#;
    let options = ["each", "--quiet", "--detach", "--name=blocks"];
    let command = ["--", "sh", "-c", script, "sh", gate.path(), ":::", "1"];
    let run = home.progrun(&[&options[..], &command].concat()).output();
    let number = number(&run.stdout).as_raw_pid();
    until(|| {
        let listed = text(&home.progrun(&["ps", "--json"]).output().stdout);
        let mut runs = listed.lines().map(support::valid_event);
        runs.any(|run| run["pid"] == number && run["percentage"] == 50.0)
    });
    let mut watcher = home
        .progrun(&["attach", "--progress=plain", &number.to_string()])
        .start();
    assert_eq!(watcher.stderr_line(), "blocks: 1 task\n");
    gate.open();
    assert_eq!(watcher.texts().1, "early1\nlate1\n");
}

#[test]
fn one_is_over_when_the_command_of_on_end_begins() {
    let (home, mut gate) = (Home::new(), Gate::new());
    let hook = format!("read -r _ <{}; echo called", gate.path());
    let words = ["--on-end", &hook, "--", "sh", "-c", "echo said; exit 3"];
    let pid = home.detach(&words).to_string();
    home.progrun(&["wait", &pid]).status(3);
    home.progrun(&["attach", &pid])
        .stdout("said\n")
        .stderr(&format!(
            "progrun: run {pid} sh: failed with exit status 3 after [..]\n"
        ))
        .status(3);
    home.progrun(&["cancel", &pid])
        .stderr(&format!(
            "progrun: run {pid} is over, but not its --on-end command (kill {pid} ends that)\n"
        ))
        .status(125);
    gate.open();
    until(|| home.output() == "said\ncalled\n");
}

#[test]
fn one_without_a_socket_is_listed_and_stopped_all_the_same() {
    let home = Home::new();
    let pid = home.detach(&["--name=deaf", "--", "sleep", "1000"]);
    let us = rustix::process::geteuid().as_raw();
    let number = pid.as_raw_pid();
    for entry in fs::read_dir(format!("/tmp/progrun-{us}")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(&format!("{number}-"))
        {
            fs::remove_file(path).unwrap();
        }
    }
    let listed = text(&home.progrun(&["ps", "--json"]).output().stdout);
    let mut runs = listed.lines().map(support::valid_event);
    let run = runs.find(|run| run["pid"] == number).unwrap();
    assert_eq!(
        (&run["name"], &run["state"]),
        (&"deaf".into(), &"unresponsive".into())
    );
    home.progrun(&["attach", &number.to_string()])
        .stderr(&format!(
            "progrun: run {number} does not listen: what it prints is in {}/[..].out\n",
            home.folder().display()
        ))
        .status(125);
    let waiting = home.progrun(&["wait", "deaf"]).start();
    home.progrun(&["cancel", "--wait", &number.to_string()])
        .stderr(&format!(
            "progrun: run {number} deaf: sent SIGTERM, as it does not listen\n"
        ))
        .status(0);
    waiting.finish().died_by(Signal::TERM);
}

#[test]
fn it_is_no_part_of_the_run_that_it_was_started_in() {
    let home = Home::new();
    let mut gate = Gate::new();
    let program = env!("CARGO_BIN_EXE_progrun");
    let script = format!(
        "{program} -q --detach -- sh -c 'read -r _ <{}; echo over'",
        gate.path()
    );
    let outer = home.progrun(&["-q", "--", "sh", "-c", &script]).output();
    assert_eq!(outer.status.code(), Some(0));
    gate.open();
    assert_eq!(home.end()["state"], "completed");
    assert_eq!(home.output(), "over\n");
}

#[test]
fn a_caller_that_ends_before_it_was_told_takes_the_run_along() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    // The run waits for a reader of its events.
    let json = format!("--json={}", fifo.display());
    let mut run = home
        .progrun(&["-q", "--detach", &json, "--", "true"])
        .start();
    until(|| home.files(".json").len() == 1 && !home.record().is_empty());
    let pid = home.record()[0]["pid"].as_i64().unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    run.signal(Signal::INT);
    run.wait();
    until(|| matches!(state_of(pid), 'X' | 'Z'));
}

#[test]
fn ssh_returns_at_once_although_its_stdin_is_a_socket() {
    let home = Home::new();
    let mut gate = Gate::new();
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let copy = || std::os::fd::OwnedFd::from(theirs.try_clone().unwrap());
    let mut run = Command::new(env!("CARGO_BIN_EXE_progrun"))
        .args(["-q", "--detach", "--", "sh", "-c"])
        .arg(format!("read -r _ <{}", gate.path()))
        .env("XDG_STATE_HOME", home.path())
        // As sshd connects them.
        .stdin(copy())
        .stdout(copy())
        .stderr(copy())
        .spawn()
        .unwrap();
    drop(theirs);
    assert!(run.wait().unwrap().success());
    let mut said = String::new();
    // Ends when no process holds the other end.
    ours.read_to_string(&mut said).unwrap();
    assert_eq!(said, format!("{}\n", home.record()[0]["pid"]));
    gate.open();
    home.end();
}

#[test]
fn it_is_listed_shown_waited_for_and_stopped_by_its_number_and_known_when_it_is_over() {
    let (home, mut gate) = (Home::new(), Gate::new());
    let script = r#"echo begun; echo 3/10 >&3; read -r _ <"$1"; echo late; exit 3"#;
    let pid = home.detach(&["--name=away", "--", "sh", "-c", script, "sh", gate.path()]);
    let (number, pid) = (pid.as_raw_pid(), pid.to_string());
    let status = |words: &[&str]| {
        let listed = home.progrun(&[&["ps", "--json"], words].concat()).output();
        let listed = text(&listed.stdout);
        let runs = listed.lines().map(support::valid_event);
        runs.filter(|run| run["pid"] == number).collect::<Vec<_>>()
    };
    until(|| status(&[]).iter().any(|run| run["percentage"] == 30.0));
    assert_eq!(status(&[])[0]["detached"], true);
    let mut watcher = home.progrun(&["attach", &pid]).start();
    assert_eq!(watcher.stdout_line(), "begun\n");
    let waiting = home.progrun(&["wait", &pid]).start();
    gate.open();
    assert_eq!(watcher.stdout_line(), "late\n");
    assert_eq!(watcher.finish().status.code(), Some(3));
    assert_eq!(waiting.finish().status.code(), Some(3));

    home.end();
    assert!(status(&[]).is_empty());
    let over = &status(&["--all"])[0];
    assert_eq!(
        (&over["state"], &over["exit_status"]),
        (&"failed".into(), &3.into())
    );
    assert!(Path::new(over["output"].as_str().unwrap()).exists());
    let table = text(&home.progrun(&["ps", "--all"]).output().stdout);
    let row = table.lines().find(|line| line.contains(&pid)).unwrap();
    assert!(row.contains(" away "), "{row}");
    assert!(row.contains(" failed (3) "), "{row}");
    home.progrun(&["wait", &pid]).status(3);
    home.progrun(&["attach", "away"])
        .stdout("begun\nlate\n")
        .stderr(&format!(
            "progrun: run {pid} away: failed with exit status 3 after [..]\n"
        ))
        .status(3);
    home.progrun(&["cancel", &pid])
        .stderr(&format!("progrun: run {pid} is over\n"))
        .status(125);
}

#[test]
fn one_that_is_cancelled_from_elsewhere_ends_as_by_ctrl_c() {
    let home = Home::new();
    let pid = home.detach(&["--", "sleep", "1000"]).to_string();
    home.progrun(&["cancel", "--wait", "--quiet", &pid])
        .status(0);
    home.end();
    home.progrun(&["wait", &pid]).dies_by(Signal::INT);
}

#[test]
fn of_one_that_was_killed_it_is_said_that_its_end_is_not_known() {
    let home = Home::new();
    let pid = home.detach(&["--name=lost", "--", "sleep", "1000"]);
    kill_process(pid, Signal::KILL).unwrap();
    until(|| state_of(pid) == 'X');
    let lost = format!("progrun: run {pid} is gone and has not said how it ended: it was killed\n");
    for words in [["wait", "lost"], ["attach", "lost"]] {
        home.progrun(&words).stderr(&lost).status(125);
    }
    let listed = text(&home.progrun(&["ps", "--all", "--json"]).output().stdout);
    let line = listed
        .lines()
        .find(|line| line.contains("\"lost\""))
        .unwrap();
    assert_eq!(support::valid_event(line)["state"], "lost");
}

#[test]
fn of_one_on_another_host_with_the_same_home_it_is_said_where_it_is_and_not_that_it_was_killed() {
    let home = Home::new();
    let pid = home.detach(&["--name=far", "--", "true"]);
    home.end();
    let mut record = home.record().remove(0);
    record["boot_id"] = "another start".into();
    record["host"] = "node7".into();
    fs::write(&home.files(".json")[0], format!("{record}\n")).unwrap();
    let elsewhere = format!(
        "progrun: run {pid} was started on node7: whether it goes on there is not known here\n"
    );
    for words in [["wait", "far"], ["attach", "far"], ["cancel", "far"]] {
        home.progrun(&words).stderr(&elsewhere).status(125);
    }
    let listed = text(&home.progrun(&["ps", "--all", "--json"]).output().stdout);
    let line = listed.lines().find(|line| line.contains("\"far\""));
    let status = support::valid_event(line.unwrap());
    assert_eq!(
        (&status["state"], &status["host"]),
        (&"elsewhere".into(), &"node7".into())
    );
    let table = text(&home.progrun(&["ps", "--all"]).output().stdout);
    assert!(table.contains("elsewhere (node7)"), "{table}");
}

#[test]
fn one_that_is_over_at_once_has_its_status_for_the_one_that_waits() {
    let home = Home::new();
    for _ in 0..20 {
        let pid = home
            .detach(&["--", "sh", "-c", "sleep 0.00; exit 5"])
            .to_string();
        home.progrun(&["wait", &pid]).status(5);
    }
}
