//! Runs that are found by others: `ps`, `attach`, `cancel`, `wait`, and the requests on the socket.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::{geteuid, kill_process};
use serde_json::Value;

use crate::harness::{needs, needs_that};
use crate::pty::{End, terminal};
use crate::support::{self, Gate, Progrun, Running, Signal, child, progrun, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_progrun");

/// A folder for the sockets of one test.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

/// A run with its socket in this folder. Its command is a shell script that finds progrun as `$progrun`, and `words` as
/// `$1`...
fn run(place: &Path, name: &str, script: &str, words: &[&str]) -> Progrun {
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--name", name];
    let command = ["--", "sh", "-c", script, "sh"];
    with_place(place, &[&options[..], &command, words].concat())
}

fn with_place(place: &Path, arguments: &[&str]) -> Progrun {
    progrun(arguments)
        .variable("progrun", PROGRAM)
        .variable("XDG_RUNTIME_DIR", place.to_str().unwrap())
}

/// A run that has reported 3 of 10 and waits at the gate.
fn waiting(place: &Path, name: &str, gate: &Gate) -> Running {
    let script = r#"echo '3/10 "a.jpg"' >&3; read -r _ <"$1""#;
    let mut run = run(place, name, script, &[gate.path()]).start();
    run.event("progress");
    run
}

/// The runs with their sockets in this folder, as `ps --json` gives them, by their names. Other tests run at the same
/// time, elsewhere.
fn listed(place: &Path) -> BTreeMap<String, Value> {
    let output = with_place(place, &["ps", "--json"]).output();
    let lines = text(&output.stdout);
    let runs = lines.lines().map(support::valid_event);
    // Of one that another test has just killed, the name may not be known.
    runs.filter_map(|run| Some((run["name"].as_str()?.to_owned(), run)))
        .collect()
}

fn number(run: &Running) -> String {
    run.pid().to_string()
}

fn socket_of(place: &Path, run: &Running) -> PathBuf {
    let entries = fs::read_dir(place.join("progrun")).unwrap();
    let pid = format!("{}-", run.pid());
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths
        .find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&pid) && !name.contains(".task")
        })
        .unwrap()
}

/// Sends a request, and gives the connection.
fn ask(socket: &Path, request: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: UnixStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_list_says_how_far_each_run_is_and_where_it_runs() {
    let (place, gate) = (place(), Gate::new());
    let run = waiting(place.path(), "backup", &gate);
    let listed = listed(place.path());
    let status = &listed["backup"];
    assert_eq!(status["pid"], run.pid().as_raw_nonzero().get());
    assert_eq!(status["state"], "running");
    assert_eq!(
        (&status["progress"], &status["total"]),
        (&3.0.into(), &10.0.into())
    );
    assert_eq!(status["percentage"], 30.0);
    assert_eq!(status["message"], "\"a.jpg\"");
    assert_eq!(status["command"][0], "sh");
    assert!(Path::new(status["directory"].as_str().unwrap()).is_dir());
    drop(gate);
    run.finish();
}

#[test]
fn the_table_has_a_row_for_each_run_and_those_started_inside_stand_below() {
    let (place, gate) = (place(), Gate::new());
    let script = r#""$progrun" --name inner -- sh -c 'echo 1/2 >&3; read -r _ <"$1"' sh "$1""#;
    let mut run = run(place.path(), "outer", script, &[gate.path()]).start();
    while run.event("progress")["info"]["progress"] != 1 {}
    let output = with_place(place.path(), &["ps"]).output();
    let table = text(&output.stdout);
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    let words: Vec<_> = head.split_whitespace().collect();
    assert_eq!(
        words,
        ["PID", "NAME", "STATE", "DONE", "ELAPSED", "LEFT", "COMMAND"]
    );
    let pid = number(&run);
    let rows: Vec<_> = table
        .lines()
        .skip_while(|line| !line.trim_start().starts_with(&pid))
        .take(2)
        .collect();
    assert!(rows[0].contains(" outer "), "{table}");
    assert!(rows[1].contains("   inner "), "{table}");
    assert!(rows[1].contains(" 50% "), "{table}");
    assert_eq!(
        listed(place.path())["inner"]["parent"],
        run.pid().as_raw_nonzero().get()
    );
    drop(gate);
    run.finish();
}

#[test]
fn a_run_of_many_tasks_is_one_row_with_the_number_of_those_that_are_over() {
    let (place, gate) = (place(), Gate::new());
    let script = r#"[ {} -lt 3 ] || read -r _ <"$1""#;
    let command = [
        "--",
        "sh",
        "-c",
        script,
        "sh",
        gate.path(),
        ":::",
        "1",
        "2",
        "3",
        "4",
    ];
    let options = ["each", "--json", "--name", "list", "-j2", "--kill-after=1h"];
    let mut run = with_place(place.path(), &[&options[..], &command].concat()).start();
    for _ in 0..2 {
        run.event("finished");
    }
    support::until(|| listed(place.path())["list"]["tasks"]["running"] == 2);
    let status = &listed(place.path())["list"];
    assert_eq!(
        (&status["progress"], &status["total"]),
        (&2.0.into(), &4.0.into())
    );
    assert_eq!(status["tasks"]["completed"], 2);
    let output = with_place(place.path(), &["ps"]).output();
    assert!(
        text(&output.stdout).contains(" 2/4 "),
        "{}",
        text(&output.stdout)
    );
    drop(gate);
    run.finish();
}

#[test]
fn a_watcher_sees_what_is_known_and_what_comes_and_ends_as_the_run() {
    let (place, mut gate) = (place(), Gate::new());
    let script = r#"echo early; echo 3/10 >&3; read -r _ <"$1"; echo late; echo 10/10 >&3; exit 7"#;
    let mut run = run(place.path(), "watched", script, &[gate.path()]).start();
    run.event("progress");
    let mut watcher = with_place(place.path(), &["attach", &number(&run)]).start();
    assert_eq!(watcher.stdout_line(), "early\n");
    gate.open();
    assert_eq!(watcher.stdout_line(), "late\n");
    let (ended, shown) = (run.finish(), watcher.finish());
    assert_eq!(ended.status.code(), Some(7));
    assert_eq!(shown.status.code(), Some(7));
    support::assert_text(
        &shown.stderr,
        "watched: 100%, 10/10\nwatched: failed with exit status 7 after [..], 10/10[..]\n",
    );
}

#[test]
fn a_watcher_dies_by_the_signal_by_which_the_run_ends() {
    let (place, gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let mut watcher = with_place(place.path(), &["attach", "watched", "--progress=plain"]).start();
    support::until(|| watches(&watcher));
    run.signal(Signal::TERM);
    run.signal_again(Signal::TERM);
    run.finish().died_by(Signal::TERM);
    let status = watcher.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(15)
    );
}

/// Whether this process has asked a run to be told of its end, and waits for that: it reads. While it looks for the
/// run, it polls.
fn waits(process: &Running) -> bool {
    let call = fs::read_to_string(format!("/proc/{}/syscall", process.pid()));
    let number = call.unwrap_or_default();
    let number = number.split(' ').next().and_then(|it| it.parse().ok());
    [libc::SYS_read, libc::SYS_recvfrom]
        .map(Some)
        .contains(&number)
}

/// Whether this process watches a run: it has two connections, and one while it looks for the run. Then it takes SIGINT
/// for itself.
fn watches(process: &Running) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let mut caught = status
        .lines()
        .filter_map(|line| line.strip_prefix("SigCgt:\t"));
    let caught = u64::from_str_radix(caught.next().unwrap(), 16).unwrap();
    open_connections(process) + 1 == 2 && caught & (1 << (libc::SIGINT - 1)) != 0
}

/// How many connections of this run wait for its end.
fn open_connections(run: &Running) -> usize {
    let entries = fs::read_dir(format!("/proc/{}/fd", run.pid())).unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
    // The listening one does not count.
    sockets.count().saturating_sub(1)
}

#[test]
fn ctrl_c_only_leaves_and_the_run_goes_on() {
    let (place, mut gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let mut watcher = with_place(place.path(), &["attach", "watched"]).start();
    support::until(|| watches(&watcher));
    watcher.signal(Signal::INT);
    let pid = number(&run);
    assert_eq!(
        watcher.stderr_line(),
        format!(
            "progrun: run {pid} goes on (progrun attach {pid} shows it again, progrun cancel {pid} stops it)\n"
        )
    );
    watcher.finish().died_by(Signal::INT);
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "completed");
    assert_eq!(ended.all("state").len(), 0);
}

#[test]
fn a_cancel_request_is_a_ctrl_c_and_each_further_one_the_next_step() {
    let (place, gate) = (place(), Gate::new());
    let options = [
        "--json",
        "--grace=1h",
        "--kill-after=1h",
        "--name=deaf",
        "--",
    ];
    let deaf = ["sh", &child("deaf.sh"), gate.path()];
    let mut run = with_place(place.path(), &[&options[..], &deaf].concat()).start();
    run.event("progress");
    let pid = number(&run);
    for step in [
        "stopping at the next progress report (progrun cancel again: SIGTERM)",
        "terminating (progrun cancel again: SIGKILL)",
        "killing",
    ] {
        with_place(place.path(), &["cancel", "deaf"])
            .stderr(&format!("progrun: run {pid} deaf: {step}\n"))
            .status(0);
    }
    let ended = run.finish();
    assert_eq!(ended.finished()["reason"], "interrupt");
    assert_eq!(
        ended.signals(),
        ["SIGTERM (interrupt)", "SIGKILL (interrupt)"]
    );
    ended.died_by(Signal::INT);
}

#[test]
fn a_cancelled_command_ends_at_its_next_report_and_the_one_who_asked_can_wait_for_that() {
    let place = place();
    let script = "trap 'exit 130' PIPE; while :; do echo 1/2 >&3 || exit 130; sleep 0.01; done";
    let mut run = run(place.path(), "watched", script, &[]).start();
    run.event("progress");
    with_place(place.path(), &["cancel", "--quiet", "--wait", "watched"]).status(0);
    assert_eq!(listed(place.path()).get("watched"), None);
    let ended = run.finish();
    assert_eq!(ended.finished()["state"], "cancelled");
    ended.died_by(Signal::INT);
}

#[test]
fn a_run_of_many_is_cancelled_between_its_tasks() {
    let (place, mut gate) = (place(), Gate::new());
    let command = [
        "--",
        "sh",
        "-c",
        r#"read -r _ <"$1""#,
        "sh",
        gate.path(),
        ":::",
        "a",
        "b",
        "c",
    ];
    let options = [
        "each",
        "--json",
        "--name=list",
        "-j1",
        "--grace=1h",
        "--kill-after=1h",
    ];
    let mut run = with_place(place.path(), &[&options[..], &command].concat()).start();
    run.event("started");
    with_place(place.path(), &["cancel", "list"])
        .stderr("progrun: run [..] list: stopping: the running tasks may end (progrun cancel again: SIGTERM)\n")
        .status(0);
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.all("finished")[0]["state"], "completed");
    assert_eq!(ended.all("end")[0]["not_started"], 2);
    ended.died_by(Signal::INT);
}

#[test]
fn one_that_waits_ends_as_the_run_ends() {
    let (place, mut gate) = (place(), Gate::new());
    let script = r#"read -r _ <"$1"; exit 3"#;
    let mut run = run(place.path(), "watched", script, &[gate.path()]).start();
    run.event("started");
    let waiting: Vec<_> = (0..3)
        .map(|_| with_place(place.path(), &["wait", "watched"]).start())
        .collect();
    support::until(|| waiting.iter().all(waits));
    gate.open();
    assert_eq!(run.finish().status.code(), Some(3));
    for waiting in waiting {
        let ended = waiting.finish();
        assert_eq!((ended.status.code(), &*ended.stderr), (Some(3), ""));
    }
}

#[test]
fn one_that_waits_for_a_run_that_is_killed_says_so() {
    let (place, gate) = (place(), Gate::new());
    let mut run = waiting(place.path(), "watched", &gate);
    let pid = number(&run);
    let words = [&["wait", "watched"][..], &["attach", "watched"]];
    let waiting: Vec<_> = words
        .iter()
        .map(|words| with_place(place.path(), words).start())
        .collect();
    support::until(|| waits(&waiting[0]) && watches(&waiting[1]));
    run.signal(Signal::KILL);
    run.wait();
    for waiting in waiting {
        let ended = waiting.finish();
        assert_eq!(ended.status.code(), Some(125));
        assert_eq!(
            ended.stderr.lines().last().unwrap(),
            format!("progrun: run {pid} is gone and has not said how it ended: it was killed")
        );
    }
    // What it has left is removed with the next look.
    listed(place.path());
    assert!(!place.path().join("progrun").exists());
}

#[test]
fn a_watcher_that_is_stopped_holds_up_nothing_and_is_told_what_it_has_missed() {
    let (place, mut gate) = (place(), Gate::new());
    let script = r#"echo first; read -r _ <"$1"; yes 0123456789abcdef | head -c 17000000; echo last; read -r _ <"$1""#;
    let options = ["--log", "/dev/null", "--progress=plain", "--name=loud"];
    let command = ["--", "sh", "-c", script, "sh", gate.path()];
    let output = place.path().join("output");
    let file = fs::File::create(&output).unwrap();
    let mut run = with_place(place.path(), &[&options[..], &command].concat())
        .start_on(file, std::process::Stdio::null());
    support::until(|| fs::metadata(&output).unwrap().len() == 6);
    let mut watcher = with_place(place.path(), &["attach", "loud"]).start();
    assert_eq!(watcher.stdout_line(), "first\n");
    watcher.signal(Signal::STOP);
    gate.open();
    // All of it, while the watcher takes nothing.
    support::until(|| fs::metadata(&output).unwrap().len() == 17_000_011);
    watcher.signal(Signal::CONT);
    while watcher.stdout_line() != "last\n" {}
    gate.open();
    assert_eq!(run.wait().code(), Some(0));
    let shown = watcher.finish();
    assert_eq!(shown.status.code(), Some(0));
    let told = "bytes of output are not shown here: this terminal was too slow";
    assert!(shown.stderr.contains(told), "{}", shown.stderr);
}

/// What a watcher has shown and said it has missed, of a run that prints so many lines once it is watched, and what is
/// said on stderr. The watcher is not read before the run is over.
fn shown_of_lines(count: usize) -> (String, usize, String) {
    let (place, mut gate) = (place(), Gate::new());
    let script =
        r#"echo first; read -r _ <"$1"; yes 0123456789abcdef | head -n "$2"; echo last; exit 3"#;
    let options = ["--log", "/dev/null", "--progress=plain", "--name=loud"];
    let count = count.to_string();
    let command = ["--", "sh", "-c", script, "sh", gate.path(), &count];
    let (mut reader, output) = std::io::pipe().unwrap();
    let mut run = with_place(place.path(), &[&options[..], &command].concat())
        .start_on(output, std::process::Stdio::null());
    let mut first = [0; 6];
    reader.read_exact(&mut first).unwrap();
    let mut watcher = with_place(place.path(), &["attach", &number(&run)]).start();
    let mut shown = watcher.stdout_line();
    gate.open();
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    assert_eq!(run.wait().code(), Some(3));
    let (status, rest, told) = watcher.texts();
    assert_eq!(status.code(), Some(3));
    shown.push_str(&rest);
    let missed = told.lines().filter_map(|line| {
        let line = line.strip_prefix("loud: ")?;
        line.strip_suffix(" bytes of output are not shown here: this terminal was too slow")
    });
    let missed = missed.map(|number| number.parse::<usize>().unwrap()).sum();
    (shown, missed, told)
}

#[test]
fn a_watcher_shows_the_end_of_a_run_that_is_over_before_it_has_read_everything() {
    // Of what is not read, a mebibyte waits. This is more than sockets and pipes take.
    let (shown, missed, told) = shown_of_lines(60_000);
    assert_eq!((shown.len(), missed), (6 + 60_000 * 17 + 5, 0), "{told}");
    assert!(shown.ends_with("0123456789abcdef\nlast\n"));
    support::assert_text(&told, "loud: failed with exit status 3 after [..]\n");
}

#[test]
fn what_a_watcher_has_missed_is_counted_to_the_byte_and_the_end_is_shown() {
    let (shown, missed, told) = shown_of_lines(1_000_000);
    assert!(missed > 0);
    assert_eq!(shown.len() + missed, 6 + 17_000_000 + 5);
    assert!(shown.ends_with("0123456789abcdef\nlast\n"));
    let last = told.lines().last().unwrap();
    assert!(
        last.starts_with("loud: failed with exit status 3 after "),
        "{told}"
    );
}

#[test]
fn a_watcher_counts_as_many_parts_as_the_run_however_many_come_at_once() {
    let (place, mut gate) = (place(), Gate::new());
    let script = r#"read -r _ <"$1"
        seq 5000 | sed 's/.*/{"id":"&","title":"&","status":"ok"}/' >&3"#;
    let mut run = run(place.path(), "parts", script, &[gate.path()]).start();
    run.event("started");
    let watcher = with_place(place.path(), &["attach", &number(&run)]).start();
    support::until(|| open_connections(&run) == 2);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
    let told = watcher.finish().stderr;
    let last = told.lines().last().unwrap();
    support::assert_text(last, "parts: completed in [..], 5000 of 5000 parts[..]");
}

#[test]
fn a_run_with_a_long_command_is_found_like_any_other() {
    let (place, gate) = (place(), Gate::new());
    let words = vec!["0123456789"; 40_000];
    let script = r#"echo 3/10 >&3; read -r _ <"$1""#;
    let mut run = run(
        place.path(),
        "long",
        script,
        &[&[gate.path()], &words[..]].concat(),
    )
    .start();
    run.event("progress");
    let status = &listed(place.path())["long"];
    assert_eq!(status["command_is_cut"], true);
    let told = status["command"].as_array().unwrap();
    assert!((1600..1700).contains(&told.len()), "{}", told.len());
    let waiting = with_place(place.path(), &["wait", &number(&run)]).start();
    support::until(|| waits(&waiting));
    drop(gate);
    // The end of the file that the gate is.
    assert_eq!(run.finish().status.code(), Some(1));
    assert_eq!(waiting.finish().status.code(), Some(1));
}

#[test]
fn a_hundred_watchers_see_the_same_end() {
    let (place, mut gate) = (place(), Gate::new());
    let script = r#"read -r _ <"$1"; seq 1000; exit 5"#;
    let mut run = run(place.path(), "watched", script, &[gate.path()]).start();
    run.event("started");
    let socket = socket_of(place.path(), &run);
    let watchers: Vec<_> = (0..100).map(|_| ask(&socket, "?watch\n")).collect();
    let stopped = ask(&socket, "?watch\n");
    support::until(|| open_connections(&run) == 101);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(5));
    for watcher in watchers {
        let told = answer(watcher);
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!(last["exit_status"], 5);
        assert!(told.contains("\\n1000\\n"));
    }
    drop(stopped);
}

#[test]
fn the_socket_of_the_environment_answers_requests_beside_reports() {
    let place = place();
    let script = r#"exec 3>&-; "$progrun" report 1/4 half
        python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["PROGRUN_SOCK"])
s.sendall(b"?status\n")
print(s.makefile().read(), end="")'"#;
    needs(&["python3"]);
    for many in [false, true] {
        let (form, end): (&[_], &[_]) = if many {
            (&["each", "--name=job"], &[":::", "x"])
        } else {
            (&["--name=job"], &[])
        };
        let words = [form, &["--json", "--", "sh", "-c", script], end].concat();
        let ended = with_place(place.path(), &words).start().finish();
        let line = ended.output("stdout");
        let status = support::valid_event(line.trim_end());
        assert_eq!(status["name"], "job");
        let progress = if many { 0.0 } else { 1.0 };
        assert_eq!(status["progress"], progress, "{line}");
        assert_eq!(ended.all("progress").len(), 1);
    }
}

#[test]
fn a_request_that_there_is_not_gets_an_error_and_one_in_pieces_is_heard() {
    let (place, gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let socket = socket_of(place.path(), &run);
    assert_eq!(
        answer(ask(&socket, "?dance\n")),
        "{\"error\":\"no such request\"}\n"
    );
    let long = format!("?{}", "x".repeat(1000));
    assert_eq!(
        answer(ask(&socket, &long)),
        "{\"error\":\"no such request\"}\n"
    );
    let mut stream = ask(&socket, "?sta");
    stream.write_all(b"tus\n").unwrap();
    assert!(answer(stream).contains("\"name\":\"watched\""));
    // A request without a newline that is at its end is a line, too.
    let stream = ask(&socket, "?status");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(answer(stream).contains("\"name\":\"watched\""));
    drop(gate);
    run.finish();
}

#[test]
fn a_request_is_answered_after_a_cancel_request_too() {
    let (place, gate) = (place(), Gate::new());
    let options = [
        "--json",
        "--grace=1h",
        "--kill-after=1h",
        "--name=deaf",
        "--",
    ];
    let deaf = ["sh", &child("deaf.sh"), gate.path()];
    let mut run = with_place(place.path(), &[&options[..], &deaf].concat()).start();
    run.event("progress");
    let socket = socket_of(place.path(), &run);
    // It says nothing until the run is cancelled.
    let mut silent = UnixStream::connect(&socket).unwrap();
    run.signal(Signal::INT);
    run.event("state");
    silent.write_all(b"?status\n").unwrap();
    let status: Value = serde_json::from_str(&answer(silent)).unwrap();
    assert_eq!(
        (&status["state"], &status["step"]),
        (&"cancelling".into(), &"ask".into())
    );
    assert_eq!(answer(ask(&socket, "1/2\n")), "cancelled\n");
    for _ in 0..2 {
        run.signal_again(Signal::INT);
        run.event("signal");
    }
    run.finish();
}

/// What a run says of itself, which would otherwise be waited for until the harness ends the test.
fn status(socket: &Path) -> Value {
    let stream = ask(socket, "?status\n");
    let timeout = Some(Duration::from_mins(1));
    stream.set_read_timeout(timeout).unwrap();
    serde_json::from_str(&answer(stream)).unwrap()
}

#[test]
fn a_run_is_reached_beside_more_silent_connections_than_it_has_room_for() {
    let (place, gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let socket = socket_of(place.path(), &run);
    let silent: Vec<_> = (0..400)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    let status = status(&socket);
    assert_eq!(status["state"], "running");
    drop(gate);
    run.finish();
    drop(silent);
}

#[test]
fn a_run_is_reached_beside_256_clients_that_report() {
    let (place, gate) = (place(), Gate::new());
    let mut run = waiting(place.path(), "watched", &gate);
    let socket = socket_of(place.path(), &run);
    let clients: Vec<_> = (0..256)
        .map(|number| ask(&socket, &format!("{number}/256\n")))
        .collect();
    for _ in &clients {
        run.event("progress");
    }
    let status = status(&socket);
    assert_eq!(status["total"], 256.0);
    drop(gate);
    run.finish();
}

#[test]
fn mistakes_are_named() {
    let (place, gate) = (place(), Gate::new());
    let name = format!("twin-{}", std::process::id());
    let runs = [0, 1].map(|_| waiting(place.path(), &name, &gate));
    for subcommand in ["attach", "cancel", "wait"] {
        with_place(place.path(), &[subcommand, "no-such-run"])
            .stderr("progrun: there is no run 'no-such-run' (progrun ps lists the runs)\n")
            .status(125);
        let mut numbers: Vec<_> = runs.iter().map(|run| run.pid().as_raw_nonzero()).collect();
        numbers.sort_unstable();
        with_place(place.path(), &[subcommand, &name])
            .stderr(&format!(
                "progrun: 2 runs are called {name}: name one by its number, {} ({name}) or {} ({name})\n",
                numbers[0], numbers[1]
            ))
            .status(125);
    }
    drop(gate);
    for run in runs {
        run.finish();
    }
}

#[test]
fn a_command_does_not_attach_to_its_own_run_or_wait_for_it() {
    let place = place();
    let script = r#"for words in "attach me" "wait me" "cancel --wait me"; do "$progrun" $words; echo $?; done"#;
    let mut run = run(place.path(), "me", script, &[]).start();
    run.event("started");
    let pid = number(&run);
    let ended = run.finish();
    assert_eq!(ended.output("stdout"), "125\n125\n125\n");
    assert_eq!(
        ended.output("stderr"),
        format!(
            "progrun: this command is part of run {pid}, and would show what it shows itself\n\
             progrun: this command is part of run {pid}, which would wait for itself\n\
             progrun: this command is part of run {pid}, and cannot wait for its end\n"
        )
    );
}

#[test]
fn a_run_that_is_stopped_is_listed_with_what_the_system_tells_of_it() {
    let (place, gate) = (place(), Gate::new());
    // The clock of the file system, which dates the socket, may be some milliseconds behind.
    let before = SystemTime::now() - Duration::from_secs(1);
    let run = waiting(place.path(), "watched", &gate);
    let after = SystemTime::now();
    run.signal(Signal::STOP);
    let status = &listed(place.path())["watched"];
    assert_eq!(status["pid"], run.pid().as_raw_nonzero().get());
    assert_eq!(status["state"], "stopped");
    let script = r#"echo '3/10 "a.jpg"' >&3; read -r _ <"$1""#;
    assert_eq!(
        status["command"],
        serde_json::json!(["sh", "-c", script, "sh", gate.path()])
    );
    assert_eq!(
        status["directory"],
        std::env::current_dir().unwrap().to_str().unwrap()
    );
    let began = humantime::parse_rfc3339(status["began"].as_str().unwrap()).unwrap();
    assert!(before <= began && began <= after, "{status}");
    assert!(status["elapsed"].as_f64().unwrap() > 0.0, "{status}");
    let table = text(&with_place(place.path(), &["ps"]).output().stdout);
    let pid = number(&run);
    let row = table
        .lines()
        .find(|line| line.trim_start().starts_with(&pid));
    let words: Vec<_> = row.unwrap().split_whitespace().collect();
    assert_eq!(words[1..4], ["watched", "stopped", "-"], "{table}");
    assert_ne!(words[4], "-", "{table}");
    assert_eq!(words[5..8], ["-", "sh", "-c"], "{table}");
    run.signal(Signal::CONT);
    drop(gate);
    run.finish();
}

#[test]
fn a_run_that_is_stopped_still_stands_below_the_one_inside_which_it_was_started() {
    let (place, gate) = (place(), Gate::new());
    let script = r#""$progrun" --name inner -- sh -c 'echo 1/2 >&3; read -r _ <"$1"' sh "$1""#;
    let mut run = run(place.path(), "outer", script, &[gate.path()]).start();
    while run.event("progress")["info"]["progress"] != 1 {}
    let inner = support::pid_in(&listed(place.path())["inner"]["pid"]);
    kill_process(inner, Signal::STOP).unwrap();
    let status = &listed(place.path())["inner"];
    assert_eq!(status["state"], "stopped");
    assert_eq!(status["parent"], run.pid().as_raw_nonzero().get());
    let table = text(&with_place(place.path(), &["ps"]).output().stdout);
    assert!(table.contains("   inner "), "{table}");
    kill_process(inner, Signal::CONT).unwrap();
    drop(gate);
    run.finish();
}

#[test]
fn a_run_that_is_stopped_is_found_by_its_name() {
    let (place, mut gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let pid = number(&run);
    run.signal(Signal::STOP);
    let told =
        format!("progrun: waiting for run {pid}: it is stopped (kill -CONT {pid} continues it)\n");
    let waiting = ["wait", "attach"].map(|subcommand| {
        let mut waiting = with_place(place.path(), &[subcommand, "watched"]).start();
        assert_eq!(waiting.stderr_line(), told);
        waiting
    });
    run.signal(Signal::CONT);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
    for waiting in waiting {
        assert_eq!(waiting.end().code(), Some(0));
    }
}

#[test]
fn a_run_that_is_stopped_is_not_cancelled_by_its_name_and_the_user_is_told_why() {
    let (place, gate) = (place(), Gate::new());
    let run = waiting(place.path(), "watched", &gate);
    let pid = number(&run);
    run.signal(Signal::STOP);
    with_place(place.path(), &["cancel", "watched"])
        .stderr(&format!(
            "progrun: run {pid} was not cancelled: it is stopped (kill -CONT {pid} continues it)\n"
        ))
        .status(125);
    run.signal(Signal::CONT);
    drop(gate);
    run.finish();
}

#[test]
fn a_long_name_takes_no_room_from_the_other_columns() {
    let (place, gate) = (place(), Gate::new());
    let long = "x".repeat(5000);
    let runs = [&*long, "short"].map(|name| waiting(place.path(), name, &gate));
    let pids = runs.each_ref().map(number);
    let row = |table: &str, pid: &str| {
        let mut lines = table.lines();
        let line = lines.find(|line| line.trim_start().starts_with(pid));
        line.unwrap().to_owned()
    };
    let table = text(&with_place(place.path(), &["ps"]).output().stdout);
    assert!(row(&table, &pids[0]).contains(&long), "{table}");
    assert!(row(&table, &pids[1]).len() < 200, "{table}");
    let ps = [PROGRAM, "ps"];
    let terminal = terminal().size(24, 90);
    let mut terminal = terminal
        .env("XDG_RUNTIME_DIR", place.path().to_str().unwrap())
        .run(&ps);
    assert_eq!(terminal.ends(), End::Status(0));
    let screen = terminal.screen();
    let cut = format!("  {}\u{2026}  running ", "x".repeat(29));
    assert!(row(&screen, &pids[0]).contains(&cut), "{screen}");
    assert!(row(&screen, &pids[1]).contains("  30%  "), "{screen}");
    drop(gate);
    for run in runs {
        run.finish();
    }
}

#[test]
fn two_hundred_runs_are_listed_at_once() {
    let (place, gate) = (place(), Gate::new());
    let script = r#"read -r _ <"$1""#;
    let start = |number: usize| {
        let name = format!("run-{number}");
        let words = [
            "-q",
            "--name",
            &name,
            "--",
            "sh",
            "-c",
            script,
            "sh",
            gate.path(),
        ];
        with_place(place.path(), &words).start()
    };
    let runs: Vec<_> = (0..200).map(start).collect();
    let mine = |place: &Path| {
        let listed = listed(place).into_iter();
        listed
            .filter(|(name, run)| name.starts_with("run-") && run["state"] == "running")
            .count()
    };
    support::until(|| mine(place.path()) == 200);
    for run in &runs {
        run.signal(Signal::TERM);
    }
    for mut run in runs {
        run.wait();
    }
    assert!(!place.path().join("progrun").exists());
}

#[test]
fn another_user_sees_nothing_and_can_do_nothing() {
    needs_that(geteuid().is_root(), "other users (as root)");
    needs(&["setpriv"]);
    // Another one may be in a folder of root alone.
    needs_that(Path::new("/usr/bin/python3").exists(), "Debian's python3");
    let (place, mut gate) = (place(), Gate::new());
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let run = waiting(place.path(), "secret", &gate);
    // Even where the folder was opened to all, the run looks at who connects.
    let folder = place.path().join("progrun");
    for mode in [0o700, 0o777] {
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        let socket = socket_of(place.path(), &run);
        fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
        let script = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"?cancel\n")
sys.stdout.write(s.makefile().read())"#;
        let words = [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/usr/bin/python3",
            "-c",
            script,
        ];
        let output = std::process::Command::new("setpriv")
            .args(words)
            .arg(&socket)
            .output()
            .unwrap();
        let said = text(&output.stdout);
        if mode == 0o700 {
            assert!(
                text(&output.stderr).contains("PermissionError"),
                "{output:?}"
            );
        } else {
            // The answer is lost if the connection is closed before the request was read.
            assert!(["", "refused\n"].contains(&&*said), "{said}");
        }
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    gate.open();
    assert_eq!(run.finish().finished()["state"], "completed");
}

#[test]
fn a_folder_that_another_user_has_put_there_is_told_of_and_not_looked_into() {
    needs_that(geteuid().is_root(), "other users (as root)");
    let place = place();
    let folder = place.path().join("progrun");
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &folder).unwrap();
    let told = format!(
        "progrun: {} is not a folder of this user alone (mode 0700), so no run is looked for in it",
        folder.display()
    );
    let complaint = |place: &Path| text(&with_place(place, &["ps"]).output().stderr);
    assert!(complaint(place.path()).contains(&told));
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
    assert!(complaint(place.path()).contains(&told));
    // A run that finds it so makes its socket elsewhere.
    let script = r#"case $PROGRUN_SOCK in "$1"*) exit 1;; esac; [ -S "$PROGRUN_SOCK" ]"#;
    let words = [
        "-q",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        place.path().to_str().unwrap(),
    ];
    with_place(place.path(), &words).status(0);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_looked_into_is_of_no_interest_to_one_whose_run_is_found() {
    let (place, mut gate) = (place(), Gate::new());
    let folder = place.path().join("progrun");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let told = format!(
        "progrun: {} is not a folder of this user alone (mode 0700), so no run is looked for in it\n",
        folder.display()
    );
    let name = format!("elsewhere-{}", std::process::id());
    let run = waiting(place.path(), &name, &gate);
    let pid = number(&run);
    for subcommand in ["attach", "cancel", "wait"] {
        with_place(place.path(), &[subcommand, "no-such-run"])
            .stderr(&format!(
                "{told}progrun: there is no run 'no-such-run' (progrun ps lists the runs)\n"
            ))
            .status(125);
    }
    let mut waiting = with_place(place.path(), &["wait", &name]).start();
    support::until(|| waits(&waiting));
    let mut watcher = with_place(place.path(), &["attach", &name]).start();
    support::until(|| watches(&watcher));
    watcher.signal(Signal::INT);
    let left = watcher.stderr_line();
    assert!(
        left.starts_with(&format!("progrun: run {pid} goes on ")),
        "{left}"
    );
    watcher.wait();
    with_place(place.path(), &["cancel", &name])
        .stderr(&format!(
            "progrun: run {pid} {name}: stopping at the next progress report (progrun cancel again: SIGTERM)\n"
        ))
        .status(0);
    gate.open();
    run.finish();
    waiting.wait();
    assert_eq!(waiting.stderr_line(), "");
}

/// A process that says to each one who asks that it is a run, and has removed its socket by then.
fn leaving(place: &Path, pid: &str) {
    let (folder, pid) = (place.join("progrun"), pid.to_owned());
    DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let path = folder.join(format!("{pid}-00000000"));
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        // A look at whether there is a listener asks nothing.
        while reader.read_line(&mut request).unwrap() == 0 {
            stream = listener.accept().unwrap().0;
            reader = BufReader::new(stream.try_clone().unwrap());
        }
        fs::remove_file(&path).unwrap();
        writeln!(
            stream,
            r#"{{"event":"status","version":1,"pid":{pid},"name":"brief","command":[],"elapsed":0,"state":"running"}}"#
        )
        .unwrap();
    });
}

#[test]
fn a_run_that_ends_while_it_is_looked_for_is_one_that_is_not_there() {
    let pid = std::process::id().to_string();
    for subcommand in ["attach", "cancel", "wait"] {
        let place = place();
        leaving(place.path(), &pid);
        with_place(place.path(), &[subcommand, "brief"])
            .stderr(&format!(
                "progrun: there is no run '{pid}' (progrun ps lists the runs)\n"
            ))
            .status(125);
    }
}
