//! `progrun report` and the socket: the channel for programs that cannot write to a descriptor.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, prlimit};
use serde_json::{Value, json};

use crate::harness::{needs, needs_that};
use crate::support::{self, Ended, Gate, Lifeline, Progrun, Running, Signal, child, progrun, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_progrun");

/// Beginnings of a script: its reports go by the descriptor, or by the socket, if a launcher has closed the descriptor.
const BOTH_WAYS: [&str; 2] = ["", "exec 3>&-;"];

/// A run that only signals move. Its command is a shell script that finds progrun as `$progrun`, and `words` as `$1`...
fn run(script: &str, words: &[&str]) -> Progrun {
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    let command = ["sh", "-c", script, "sh"];
    progrun(&[&options[..], &command, words].concat()).variable("progrun", PROGRAM)
}

/// `progrun report` outside any run, with these variables.
fn report(words: &[&str], variables: &[(&str, &str)]) -> Progrun {
    let words = [&["report"][..], words].concat();
    let report = progrun(&words);
    variables
        .iter()
        .fold(report, |report, (name, value)| report.variable(name, value))
}

fn infos(ended: &Ended) -> Vec<&Value> {
    let events = ended.all("progress").into_iter();
    events.map(|event| &event["info"]).collect()
}

/// A run that waits until the gate opens, and its socket.
fn waiting(gate: &Gate) -> (Running, PathBuf) {
    waiting_in("", gate)
}

/// As [`waiting`], with the socket in this folder.
fn waiting_in(place: &str, gate: &Gate) -> (Running, PathBuf) {
    let script = r#"printf %s "$PROGRUN_SOCK"; read -r _ <"$1""#;
    let run = run(script, &[gate.path()]);
    let mut run = run.variable("XDG_RUNTIME_DIR", place).start();
    let path = run.event("output")["text"].as_str().unwrap().into();
    (run, path)
}

/// The answer to a client that sends `words` and no more.
fn answer(path: &Path, words: &[u8]) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    // progrun may have hung up already.
    let _ = socket.write_all(words);
    let _ = socket.shutdown(Shutdown::Write);
    heard(socket)
}

fn heard(mut socket: UnixStream) -> String {
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    answer
}

// The contents of a report.

#[test]
fn words_and_options_are_a_report_whichever_way_it_goes() {
    let words = r"
        3/10 'copying a.jpg'
        --id dl --total 1048576 --unit bytes 5000
        42%
        42
        '42% checking'
        42 files done
        '42 files done'
        --id dl --status ok
        12MiB/400MiB
        --parent all --id b --title 'part b' --eta 1.5
        copying a.jpg
        --message 3/10
        --message=-x
        3/10 -- -x
        a:42
        --unit files 7 -- now b
        --total 0 7
        --status failed --message broken
        --status skipped
        --status cancelled
        --unit bytes 5KiB
        --total 2MiB 1.5MiB half a file
        --total 10 2nd file
        7/0
        '3 / 10'
        3 of 10
        3 / 10 copying a.jpg
        1MiB of 2MiB
        50 % -- -x
        3 of a kind
        3 of";
    let expected = [
        json!({"progress": 3, "total": 10, "message": "copying a.jpg"}),
        json!({"progress": 5000, "total": 1_048_576, "unit": "bytes", "id": "dl"}),
        json!({"percentage": 42}),
        json!({"percentage": 42}),
        json!({"percentage": 42, "message": "checking"}),
        json!({"percentage": 42, "message": "files done"}),
        json!({"message": "42 files done"}),
        json!({"id": "dl", "status": "ok"}),
        json!({"progress": 12_582_912, "total": 419_430_400, "unit": "bytes"}),
        json!({"id": "b", "parent": "all", "title": "part b", "eta": 1.5}),
        json!({"message": "copying a.jpg"}),
        json!({"message": "3/10"}),
        json!({"message": "-x"}),
        json!({"progress": 3, "total": 10, "message": "-x"}),
        json!({"id": "a", "percentage": 42}),
        json!({"progress": 7, "unit": "files", "message": "now b"}),
        json!({"progress": 7}),
        json!({"message": "broken", "status": "failed"}),
        json!({"status": "skipped"}),
        json!({"status": "cancelled"}),
        json!({"progress": 5120, "unit": "bytes"}),
        json!({"progress": 1_572_864, "total": 2_097_152, "unit": "bytes", "message": "half a file"}),
        json!({"total": 10, "message": "2nd file"}),
        json!({"progress": 7}),
        json!({"progress": 3, "total": 10}),
        json!({"progress": 3, "total": 10}),
        json!({"progress": 3, "total": 10, "message": "copying a.jpg"}),
        json!({"progress": 1_048_576, "total": 2_097_152, "unit": "bytes"}),
        json!({"percentage": 50, "message": "-x"}),
        json!({"message": "3 of a kind"}),
        json!({"message": "3 of"}),
    ];
    let reports: String = words.trim().lines().fold(String::new(), |script, words| {
        script + "\"$progrun\" report " + words.trim() + " || exit\n"
    });
    for way in BOTH_WAYS {
        let ended = run(&format!("{way}{reports}"), &[]).start().finish();
        assert_eq!(infos(&ended), expected.iter().collect::<Vec<_>>(), "{way}");
        assert_eq!(ended.output("stderr"), "");
        assert_eq!(ended.status.code(), Some(0));
    }
}

#[test]
fn a_report_says_nothing_and_succeeds() {
    for way in BOTH_WAYS {
        let ended = run(&format!(r#"{way} "$progrun" report 1/2; echo $?"#), &[]).start();
        let ended = ended.finish();
        assert_eq!(ended.output("stdout"), "0\n");
        assert_eq!(ended.output("stderr"), "");
    }
}

#[test]
fn any_text_is_one_report_of_at_most_4096_bytes() {
    let script = r#"
        "$progrun" report 1/5 "$(printf 'two\nlines\t\033[31m')"
        "$progrun" report "$(printf 'caf\351')"
        "$progrun" report "2/5 {"
        "$progrun" report 3/5 "$1"
        "$progrun" report --title "$2" --message "$1"
        "$progrun" report '{"progress": "oops"}'"#;
    let (long, wide) = ("ä".repeat(10_000), "\u{1}".repeat(500));
    for way in BOTH_WAYS {
        let ended = run(&format!("{way}{script}"), &[&long, &wide])
            .start()
            .finish();
        let infos = infos(&ended);
        assert_eq!(infos[0]["message"], "two\nlines\t\u{1b}[31m");
        assert_eq!(infos[1]["message"], "caf\u{fffd}");
        assert_eq!(infos[2]["message"], "{");
        for info in &infos[3..5] {
            let message = info["message"].as_str().unwrap();
            assert!(message.starts_with('ä') && long.starts_with(message));
            let length = info.to_string().len();
            assert!((4000..=4095).contains(&length), "{length}");
        }
        assert_eq!(infos[5]["message"], "{\"progress\": \"oops\"}");
        assert_eq!(ended.finished()["malformed"], 0);
    }
}

#[test]
fn a_report_that_is_none_is_told_also_without_progrun_and_ends_no_script() {
    let percentage =
        "percentage must be a number from 0 to 100 (an amount needs --total or --unit)";
    let long = "x".repeat(5000);
    for (words, sentence) in [
        (&["-5"][..], format!("-5: {percentage}")),
        (&["5000"], format!("5000: {percentage}")),
        (
            &["120%"],
            "120%: percentage must be a number from 0 to 100".to_owned(),
        ),
        (&["-5%"], "-5%: an amount cannot be negative".to_owned()),
        (
            &["--id", "a", "-3/10", "b"],
            "-3/10: an amount cannot be negative".to_owned(),
        ),
        (
            &["--total", "10", "1e999"],
            "1e999: expected a number of 0 or more".to_owned(),
        ),
        (
            &["--total=-1", "3"],
            "-1: expected a number of 0 or more".to_owned(),
        ),
        (
            &["--total", "-nan", "3"],
            "-nan: expected a number of 0 or more".to_owned(),
        ),
        (
            &["--eta", "5KiB"],
            "5KiB: expected a number of 0 or more".to_owned(),
        ),
        (
            &[],
            "nothing to report (use --check to ask whether the run was cancelled)".to_owned(),
        ),
        (
            &["--message", "a", "1/2", "b"],
            "two messages: one in the words, one in --message".to_owned(),
        ),
        (
            &["--id", &long, "3/10"],
            "the report is longer than 4096 bytes".to_owned(),
        ),
    ] {
        report(words, &[])
            .stderr(&format!("progrun: report: {sentence}\n"))
            .status(0);
    }
}

#[test]
fn an_invalid_report_is_not_sent_but_a_cancelled_script_learns_of_the_request() {
    let mut gate = Gate::new();
    let script = r#""$progrun" report 1/2; "$progrun" report 120%
        read -r _ <"$1"; "$progrun" report -5% || exit 7"#;
    let mut run = run(script, &[gate.path()]).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.finished()["exit_status"], 7);
    assert_eq!(ended.finished()["reports"], 1);
    assert_eq!(ended.finished()["malformed"], 0);
}

#[test]
fn wrong_options_of_a_report_are_refused_also_without_progrun() {
    for (words, sentence) in [
        (
            &["--status", "done"][..],
            "progrun: invalid value 'done' for --status: expected ok, failed, skipped or cancelled\n",
        ),
        (
            &["--check", "3"],
            "progrun: the argument '--check' cannot be used with one or more of the other specified arguments\n",
        ),
        (&["--bar", "3"], "progrun: there is no option --bar\n"),
        (&["-b", "-5%"], "progrun: there is no option -b\n"),
    ] {
        let output = report(words, &[]).output();
        let stderr = text(&output.stderr);
        assert!(stderr.starts_with(sentence), "{words:?}: {stderr}");
        assert_eq!(output.status.code(), Some(125), "{words:?}");
    }
}

#[test]
fn a_command_that_is_called_report_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    fs::write(&path, "#!/bin/sh\necho it is me \"$@\"\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let paths = std::env::var("PATH").unwrap();
    progrun(&["-q", "--", "report", "42%"])
        .variable("PATH", &format!("{}:{paths}", folder.path().display()))
        .stdout("it is me 42%\n")
        .status(0);
}

// The receiver of a report.

#[test]
fn without_progrun_a_report_says_nothing_and_succeeds() {
    for words in [&["3/10", "a.jpg"][..], &["--check"], &["--status", "ok"]] {
        report(words, &[]).status(0);
    }
}

#[test]
fn a_socket_that_was_left_behind_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| {
        folder
            .path()
            .join(name)
            .into_os_string()
            .into_string()
            .unwrap()
    };
    drop(UnixListener::bind(path("left")).unwrap());
    fs::write(path("file"), "mine").unwrap();
    let long = path(&"x".repeat(200));
    for stale in [
        "",
        "/",
        "relative",
        &path("none"),
        &path("left"),
        &path("file"),
        &long,
    ] {
        for words in [&["3/10"][..], &["--check"]] {
            report(words, &[("PROGRUN_SOCK", stale)]).status(0);
        }
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "mine");
}

#[test]
fn the_next_file_with_the_number_of_the_channel_is_left_alone_and_the_socket_taken() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["exec 3>file", "exec 3<>file", "mkfifo fifo; exec 3<>fifo"] {
        let script = format!(r#"{file}; "$progrun" report 1/2; rm -f fifo; exec 3>&-; cat file"#);
        fs::write(folder.path().join("file"), "").unwrap();
        let ended = run(&script, &[]).in_folder(folder.path()).start().finish();
        assert_eq!(
            infos(&ended),
            [&json!({"progress": 1, "total": 2})],
            "{file}"
        );
        assert_eq!(ended.output("stdout"), "");
    }
}

#[test]
fn a_full_channel_is_waited_for() {
    let mut gate = Gate::new();
    // A stopped progrun reads nothing.
    let script = r#"
        "$progrun" report first
        read -r _ <"$1"
        head -c 1000000 /dev/zero | tr '\0' '\n' >&3 &
        "$progrun" report last"#;
    let mut run = run(script, &[gate.path()]).start();
    run.event("progress");
    run.signal(Signal::STOP);
    support::until(|| support::state_of(run.pid()) == 'T');
    gate.open();
    run.signal(Signal::CONT);
    let ended = run.finish();
    assert_eq!(infos(&ended)[1]["message"], "last");
}

#[test]
fn a_client_that_became_another_user_reports_by_the_descriptor() {
    needs(&["runuser"]);
    needs_that(geteuid().is_root(), "other users (as root)");
    // In /tmp, which every user can reach.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let copy = folder.path().join("progrun");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::copy(PROGRAM, &copy).unwrap();
    let report = format!("{} report 1/2 \"$(id -u)\"", copy.display());
    let command = ["runuser", "-u", "nobody", "--", "sh", "-c", &report];
    let ended = progrun(&[&["--json", "--"][..], &command].concat()).start();
    let ended = ended.finish();
    assert_eq!(infos(&ended)[0]["message"], "65534");
}

// Cancellation.

/// Runs `before`, requests a cancel, and then runs `reports`. Returns how the run ended.
fn cancelled(before: &str, reports: &str) -> Ended {
    let mut gate = Gate::new();
    let script = format!(r#"{before} read -r _ <"$1"; {reports}"#);
    let mut run = run(&script, &[gate.path()]).start();
    run.event("progress");
    run.signal(Signal::INT);
    assert_eq!(run.event("state")["state"], "cancelling");
    gate.open();
    run.finish()
}

#[test]
fn the_status_is_130_when_the_script_is_cancelled_and_stays_so() {
    for way in BOTH_WAYS {
        let first = format!(r#"{way} "$progrun" report 1/2;"#);
        let reports = r#"
            "$progrun" report 2/2 b; echo $?; "$progrun" report --check; echo $?
            "$progrun" report --status ok; echo $?"#;
        let ended = cancelled(&first, reports);
        assert_eq!(ended.output("stdout"), "130\n130\n130\n", "{way}");
        assert_eq!(ended.output("stderr"), "");
        assert_eq!(ended.finished()["reports"], 1);
        // The script was only asked: it got no signal.
        assert_eq!(ended.signals(), [""; 0]);
        ended.died_by(Signal::INT);
    }
}

#[test]
fn a_check_says_whether_it_is_cancelled_and_is_no_report() {
    for way in BOTH_WAYS {
        let first = format!(r#"{way} "$progrun" report --check; echo $?; "$progrun" report 1/2;"#);
        let ended = cancelled(&first, r#""$progrun" report --check; echo $?"#);
        assert_eq!(ended.output("stdout"), "0\n130\n", "{way}");
        assert_eq!(ended.finished()["reports"], 1);
    }
}

#[test]
fn a_command_that_only_ever_checks_is_asked_and_not_interrupted() {
    for way in BOTH_WAYS {
        let mut gate = Gate::new();
        let script = format!(
            r#"{way} "$progrun" report --check; echo ready; read -r _ <"$1"; "$progrun" report --check; echo $?"#
        );
        let mut run = run(&script, &[gate.path()]).start();
        run.event("output");
        run.signal(Signal::INT);
        run.event("state");
        gate.open();
        let ended = run.finish();
        assert_eq!(ended.output("stdout"), "ready\n130\n", "{way}");
        assert_eq!(ended.signals(), [""; 0]);
    }
}

#[test]
fn a_script_ends_there_by_set_e_or_by_exit() {
    for way in BOTH_WAYS {
        for (before, report) in [
            ("set -e;", r#""$progrun" report 2/2"#),
            ("", r#""$progrun" report 2/2 || exit"#),
            ("", r#""$progrun" report --check || exit"#),
        ] {
            let before = format!(
                r#"{way} {before} trap 'rc=$?; echo cleaned up; exit $rc' EXIT; "$progrun" report 1/2;"#
            );
            let ended = cancelled(&before, &format!("{report}; echo never said"));
            assert_eq!(ended.output("stdout"), "cleaned up\n", "{way}{report}");
            assert_eq!(ended.finished()["exit_status"], 130);
        }
    }
}

#[test]
fn a_loop_at_the_end_of_a_pipe_ends_and_the_script_with_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    for (way, shell) in BOTH_WAYS
        .iter()
        .flat_map(|way| [(way, "sh"), (way, "bash")])
    {
        for (before, after) in [("set -e", ""), ("", "|| exit")] {
            let mut gate = Gate::new();
            let script = format!(
                r#"{way} {before}
                find . -type f | while read -r f; do
                    "$progrun" report "$f" || exit
                    echo "$f"; read -r _ <"$1"
                done {after}
                echo never said"#
            );
            let options = ["--json", "--grace=1h", "--", shell, "-c", &script, shell];
            let mut run = progrun(&[&options[..], &[gate.path()]].concat())
                .variable("progrun", PROGRAM)
                .in_folder(folder.path())
                .start();
            run.event("output");
            run.signal(Signal::INT);
            run.event("state");
            gate.open();
            let ended = run.finish();
            let said = ended.output("stdout");
            assert_eq!(said.lines().count(), 1, "{shell}: {script}: {said}");
            assert_eq!(ended.finished()["exit_status"], 130);
        }
    }
}

#[test]
fn a_long_lived_connection_breaks_at_the_next_write_and_says_why() {
    let mut gate = Gate::new();
    let (mut run, path) = waiting(&gate);
    let mut socket = UnixStream::connect(&path).unwrap();
    socket.write_all(b"1/3\n{\"progress\":2}\n").unwrap();
    assert_eq!(run.event("progress")["info"]["progress"], 1);
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    // A client that does not want to write can poll for the hang-up.
    let mut polled = [PollFd::new(&socket, PollFlags::empty())];
    poll(&mut polled, None).unwrap();
    assert!(polled[0].revents().contains(PollFlags::HUP));
    let error = socket.write_all(b"3/3\n").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(heard(socket), "cancelled\n");
    assert_eq!(answer(&path, b"3/3\n"), "cancelled\n");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.finished()["reports"], 2);
    assert_eq!(ended.signals(), [""; 0]);
}

#[test]
fn a_command_that_never_reported_on_either_way_is_interrupted() {
    let gate = Gate::new();
    let (mut run, path) = waiting(&gate);
    // A connection without a report does not count.
    let _socket = UnixStream::connect(path).unwrap();
    run.signal(Signal::INT);
    run.event("state");
    let ended = run.finish();
    assert_eq!(ended.signals(), ["SIGINT (interrupt)"]);
}

#[test]
fn a_timeout_asks_on_the_socket_too() {
    let script = r#"exec 3>&-; while "$progrun" report 1/2; do :; done; echo $?"#;
    let options = ["--json", "--grace=1h", "--timeout=0.3", "--", "sh", "-c"];
    let run = progrun(&[&options[..], &[script]].concat()).variable("progrun", PROGRAM);
    let ended = run.start().finish();
    assert_eq!(ended.output("stdout"), "0\n");
    assert_eq!(ended.signals(), [""; 0]);
    assert_eq!(ended.status.code(), Some(124));
}

// Many reporters, and strange ones.

#[test]
fn ten_reporters_at_once_are_all_heard() {
    for way in BOTH_WAYS {
        let script = format!(
            r#"{way} for i in 1 2 3 4 5 6 7 8 9 10; do
                (for j in 1 2 3 4 5; do "$progrun" report --id $i $j/5; done) &
            done; wait"#
        );
        let ended = run(&script, &[]).start().finish();
        let all: BTreeSet<_> = infos(&ended).iter().map(ToString::to_string).collect();
        assert_eq!(all.len(), 50, "{way}");
        assert_eq!(ended.finished()["reports"], 50);
        assert_eq!(ended.finished()["malformed"], 0);
    }
}

#[test]
fn lines_of_several_connections_do_not_mix() {
    let mut gate = Gate::new();
    let (run, path) = waiting(&gate);
    let mut sockets = [(); 2].map(|()| UnixStream::connect(&path).unwrap());
    for piece in ["{\"mess", "age\":", "\"whole\"}", "\n12"] {
        for socket in &mut sockets {
            socket.write_all(piece.as_bytes()).unwrap();
        }
    }
    for socket in sockets {
        socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(heard(socket), "ok\n");
    }
    gate.open();
    let ended = run.finish();
    let (whole, last) = (json!({"message": "whole"}), json!({"percentage": 12}));
    let infos = infos(&ended);
    assert_eq!(infos.iter().filter(|info| ***info == whole).count(), 2);
    assert_eq!(infos.iter().filter(|info| ***info == last).count(), 2);
    assert_eq!(infos.len(), 4);
}

#[test]
fn garbage_on_the_socket_is_counted_and_the_run_goes_on() {
    let mut gate = Gate::new();
    let (run, path) = waiting(&gate);
    assert_eq!(answer(&path, b"{oops\n\xff\xfe\n"), "ok\n");
    assert_eq!(answer(&path, &[0; 100]), "ok\n");
    assert_eq!(answer(&path, &vec![b'x'; 1_000_000]), "ok\n");
    assert_eq!(answer(&path, b"1/2"), "ok\n");
    assert_eq!(answer(&path, b""), "ok\n");
    gate.open();
    let ended = run.finish();
    assert_eq!(infos(&ended).last().unwrap()["progress"], 1);
    // 100 NUL bytes are text, though strange, and so a message.
    assert_eq!(ended.finished()["malformed"], 3);
    assert_eq!(ended.finished()["reports"], 2);
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_client_that_connects_and_says_nothing_does_not_hold_up_the_end() {
    let mut gate = Gate::new();
    let (run, path) = waiting(&gate);
    let silent = UnixStream::connect(&path).unwrap();
    let mut begun = UnixStream::connect(&path).unwrap();
    begun.write_all(b"2/2").unwrap();
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(infos(&ended), [&json!({"progress": 2, "total": 2})]);
    assert_eq!(heard(silent), "");
}

#[test]
fn what_was_written_just_before_the_end_is_heard_without_waiting_for_the_answer() {
    needs(&["python3"]);
    let mut gate = Gate::new();
    let script = r#"exec 3>&-; echo ready; read -r _ <"$1"; exec python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["PROGRUN_SOCK"])
s.send(b"1/2 last words")'"#;
    let mut run = run(script, &[gate.path()]).start();
    let pid = run.child();
    run.event("output");
    // While progrun is stopped, the report is written and the command ends: progrun finds both at once.
    run.signal(Signal::STOP);
    support::until(|| support::state_of(run.pid()) == 'T');
    gate.open();
    support::until(|| support::state_of(pid) == 'Z');
    run.signal(Signal::CONT);
    let ended = run.finish();
    assert_eq!(infos(&ended)[0]["message"], "last words");
}

#[test]
fn more_than_can_be_served_at_once_wait_for_their_turn() {
    let mut gate = Gate::new();
    let (run, path) = waiting(&gate);
    // One that says nothing for long may have to go, so each speaks at once.
    let connected = |_| {
        let mut socket = UnixStream::connect(&path).unwrap();
        socket.write_all(b"1/2\n").unwrap();
        socket
    };
    let sockets: Vec<_> = (0..400).map(connected).collect();
    for socket in sockets {
        socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(heard(socket), "ok\n");
    }
    gate.open();
    assert_eq!(run.finish().finished()["reports"], 400);
}

#[test]
fn a_report_that_comes_when_no_descriptor_is_free_is_taken_a_little_later() {
    let mut gate = Gate::new();
    let (run, path) = waiting(&gate);
    let progrun = Some(run.pid());
    let is_free = |number: &u64| !Path::new(&format!("/proc/{}/fd/{number}", run.pid())).exists();
    let none_free = Rlimit {
        current: (0..1000).find(is_free),
        ..getrlimit(Resource::Nofile)
    };
    // How often the worker, the only thread that polls the socket, has gone to sleep.
    let sleeps = || {
        let threads = fs::read_dir(format!("/proc/{}/task", run.pid())).unwrap();
        let status = threads
            .map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
            .find(|status| status.starts_with("Name:\tprogrun-worker"));
        let status = status.unwrap();
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    let own = prlimit(progrun, Resource::Nofile, none_free).unwrap();
    let before = sleeps();
    let mut socket = UnixStream::connect(path).unwrap();
    socket.write_all(b"1/2\n").unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    support::until(|| sleeps() > before);
    prlimit(progrun, Resource::Nofile, own).unwrap();
    assert_eq!(heard(socket), "ok\n");
    gate.open();
    assert_eq!(run.finish().finished()["reports"], 1);
}

#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    let mut gate = Gate::new();
    let (mut run, path) = waiting(&gate);
    let open = |run: &Running| {
        fs::read_dir(format!("/proc/{}/fd", run.pid()))
            .unwrap()
            .count()
    };
    assert_eq!(answer(&path, b"1/2\n"), "ok\n");
    let before = open(&run);
    for _ in 0..10_000 {
        assert_eq!(answer(&path, b"\n"), "ok\n");
    }
    // progrun answers first and closes later. It may also have opened a few descriptors for itself.
    support::until(|| open(&run) < before + 10);
    gate.open();
    assert!(run.wait().success());
}

// The socket's files.

/// A folder for the socket alone, and a count of its entries.
fn place() -> (tempfile::TempDir, impl Fn() -> usize) {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = place.path().to_owned();
    (place, move || fs::read_dir(&path).unwrap().count())
}

#[test]
fn only_we_can_enter_its_directory_and_the_child_does_not_have_it_open() {
    let (place, entries) = place();
    let mut gate = Gate::new();
    let script = r#"printf %s "$PROGRUN_SOCK"; read -r _ <"$1""#;
    let mut run = run(script, &[gate.path()])
        .variable("XDG_RUNTIME_DIR", place.path().to_str().unwrap())
        .start();
    let pid = run.child();
    let socket = PathBuf::from(run.event("output")["text"].as_str().unwrap());
    let folder = fs::metadata(socket.parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o7777, 0o700);
    assert_eq!(folder.uid(), geteuid().as_raw());
    assert_eq!(socket.parent().unwrap().parent().unwrap(), place.path());
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.map(|entry| fs::read_link(entry.unwrap().path()).unwrap());
    let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
    assert_eq!(sockets.count(), 0);
    gate.open();
    run.finish();
    assert_eq!(entries(), 0);
}

#[test]
fn where_it_does_not_fit_another_place_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(90));
    fs::create_dir(&deep).unwrap();
    for (variable, value) in [
        ("XDG_RUNTIME_DIR", deep.to_str().unwrap()),
        ("XDG_RUNTIME_DIR", "/none"),
        ("XDG_RUNTIME_DIR", "."),
        ("XDG_RUNTIME_DIR", ""),
        ("TMPDIR", deep.to_str().unwrap()),
        ("TMPDIR", "/proc"),
    ] {
        let ended = run(r#"exec 3>&-; "$progrun" report 1/2"#, &[])
            .variable(variable, value)
            .start()
            .finish();
        assert_eq!(infos(&ended).len(), 1, "{variable}={value}");
    }
    assert_eq!(fs::read_dir(deep).unwrap().count(), 0);
}

#[test]
fn its_directory_is_gone_whatever_way_out_progrun_takes() {
    let (place, entries) = place();
    let start = |arguments: &[&str]| {
        let place = place.path().to_str().unwrap();
        progrun(arguments).variable("XDG_RUNTIME_DIR", place)
    };
    start(&["-q", "--", "true"]).status(0);
    start(&["-q", "--", "sh", "-c", "exit 3"]).status(3);
    start(&["-q", "--", "sh", "-c", "kill -9 $$"]).dies_by(Signal::KILL);
    start(&["-q", "--", "/none"])
        .stderr("progrun: [..]\n")
        .status(127);
    start(&["--log", "/none/log", "--", "true"])
        .stderr("progrun: [..]\n")
        .status(125);
    start(&["-q", "--timeout", "0.1", "--", "sleep", "1000"]).status(124);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = start(&["--json", "--", "sleep", "1000"]).start();
        run.child();
        assert_eq!(entries(), 1);
        run.signal(signal);
        run.finish();
        assert_eq!(entries(), 0, "{signal:?}");
    }
    // The signal comes as soon as there is a directory to remove.
    for signal in [
        Signal::INT,
        Signal::TERM,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
    ] {
        // The command may run already and die of the signal, or not yet, and then it ends by itself.
        let mut gate = Gate::new();
        let command = ["sh", "-c", r#"read -r _ <"$1""#, "sh", gate.path()];
        let mut run = start(&[&["-q", "--kill-after=1h", "--"][..], &command].concat()).start();
        support::until(|| entries() > 0);
        run.signal(signal);
        gate.open();
        run.wait();
        assert_eq!(entries(), 0, "{signal:?}");
    }
}

#[test]
fn its_directory_is_gone_when_progrun_gives_up() {
    let (place, entries) = place();
    let gate = Gate::new();
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--wait-output"];
    let deaf = ["--", "sh", &child("deaf.sh"), gate.path()];
    let mut run = progrun(&[options, deaf].concat())
        .variable("XDG_RUNTIME_DIR", place.path().to_str().unwrap())
        .start();
    let pid = run.child();
    run.event("progress");
    // This test holds the child's stderr, out of progrun's reach, so that the kill does not end the run.
    let stderr = format!("/proc/{pid}/fd/2");
    let _held = fs::File::options().write(true).open(stderr).unwrap();
    run.signal(Signal::INT);
    run.event("state");
    for _ in 0..2 {
        run.signal_again(Signal::INT);
        run.event("signal");
    }
    run.signal_again(Signal::INT);
    run.finish().died_by(Signal::INT);
    assert_eq!(entries(), 0);
}

#[test]
fn a_progrun_that_is_killed_leaves_a_socket_that_leads_nowhere() {
    let (place, entries) = place();
    let gate = Gate::new();
    let script = r#"printf %s "$PROGRUN_SOCK"; read -r _ <"$1""#;
    let mut run = run(script, &[gate.path()])
        .variable("XDG_RUNTIME_DIR", place.path().to_str().unwrap())
        .start();
    let socket = run.event("output")["text"].as_str().unwrap().to_owned();
    run.signal(Signal::KILL);
    run.wait();
    assert_eq!(entries(), 1);
    report(&["1/2"], &[("PROGRUN_SOCK", &socket)]).status(0);
    // The next run removes it.
    progrun(&["-q", "--", "true"])
        .variable("XDG_RUNTIME_DIR", place.path().to_str().unwrap())
        .status(0);
    assert_eq!(entries(), 0);
}

#[test]
fn a_folder_that_others_own_or_may_write_to_or_a_link_is_no_place_for_it() {
    needs_that(geteuid().is_root(), "other users (as root)");
    let folder = tempfile::tempdir().unwrap();
    let [others, open, link] = ["others", "open", "link"].map(|name| folder.path().join(name));
    fs::create_dir(&others).unwrap();
    std::os::unix::fs::chown(&others, Some(65534), None).unwrap();
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::symlink(&open, &link).unwrap();
    for place in [&others, &open, &link] {
        for variable in ["TMPDIR", "XDG_RUNTIME_DIR"] {
            let script = r#"case $PROGRUN_SOCK in "$1"*) exit 1;; esac; [ -S "$PROGRUN_SOCK" ]"#;
            let place = place.to_str().unwrap();
            progrun(&["-q", "--", "sh", "-c", script, "sh", place])
                .variable(variable, place)
                .status(0);
        }
    }
    // Nor is a folder of the right name in a place of ours, if another user owns it or others may enter it.
    let ours = tempfile::tempdir().unwrap();
    let taken = ours.path().join("progrun-0");
    std::os::unix::fs::symlink(&others, &taken).unwrap();
    let script = r#"case $PROGRUN_SOCK in "$TMPDIR"*) exit 1;; esac; [ -S "$PROGRUN_SOCK" ]"#;
    let run = || {
        progrun(&["-q", "--", "sh", "-c", script])
            .variable("TMPDIR", ours.path().to_str().unwrap())
            .status(0);
    };
    run();
    fs::remove_file(&taken).unwrap();
    fs::create_dir(&taken).unwrap();
    fs::set_permissions(&taken, Permissions::from_mode(0o755)).unwrap();
    run();
    assert_eq!(fs::read_dir(&others).unwrap().count(), 0);
}

#[test]
fn nothing_is_reported_to_a_listener_of_another_user() {
    needs(&["python3"]);
    needs_that(geteuid().is_root(), "other users (as root)");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), None).unwrap();
    let path = folder.path().join("sock");
    let script = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print('listening', flush=True)
c, _ = s.accept()
print(c.recv(100))";
    let mut listener = Command::new("/usr/bin/env")
        .args(["python3", "-I", "-c", script])
        .arg(&path)
        .uid(65534)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(listener.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "listening");
    report(&["1/2"], &[("PROGRUN_SOCK", path.to_str().unwrap())]).status(0);
    assert_eq!(said.next().unwrap().unwrap(), "b''");
    listener.wait().unwrap();
}

#[test]
fn a_process_of_another_user_is_refused() {
    needs(&["python3"]);
    needs_that(geteuid().is_root(), "other users (as root)");
    let mut gate = Gate::new();
    let (place, _) = place();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let (run, path) = waiting_in(place.path().to_str().unwrap(), &gate);
    let ask = |message: &str| {
        let script = "import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
    print(s.recv(100))
except OSError as error:
    print(type(error).__name__)";
        let output = Command::new("/usr/bin/env")
            .args(["python3", "-I", "-c", script])
            .arg(&path)
            .uid(65534)
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), message, "{}", text(&output.stderr));
    };
    ask("PermissionError\n");
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    ask("b'refused\\n'\n");
    gate.open();
    assert_eq!(run.finish().finished()["reports"], 0);
}

// Behind programs that close descriptors.

/// Runs a launcher that starts `sh`. The shell reports, is cancelled, and says so.
fn behind(launcher: &[&str]) {
    needs(&[launcher[0]]);
    let (mut gate, lifeline) = (Gate::new(), Lifeline::new());
    let script = r#"
        exec 4>"$2"; [ ! -p /dev/fd/3 ] || exit
        "$progrun" report 1/2 there; read -r _ <"$1"; "$progrun" report 2/2; echo $? >&4"#;
    let sh = ["sh", "-c", script, "sh", gate.path(), lifeline.path()];
    let options = ["--json", "--grace=1h", "--kill-after=1h", "--"];
    let mut run = progrun(&[&options[..], launcher, &sh].concat())
        .variable("progrun", PROGRAM)
        .start();
    assert_eq!(run.event("progress")["info"]["message"], "there");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    assert_eq!(lifeline.last_words(), "130\n", "{launcher:?}");
    let ended = run.finish();
    assert_eq!(ended.signals(), [""; 0], "{launcher:?}");
}

#[test]
fn behind_pythons_subprocess_reports_arrive_and_cancellation_too() {
    let run = "import subprocess, sys; subprocess.run(sys.argv[1:])";
    behind(&["python3", "-c", run]);
}

#[test]
fn behind_nodes_child_process_reports_arrive_and_cancellation_too() {
    let run = "const [command, ...rest] = process.argv.slice(1);
        require('child_process').spawn(command, rest, { stdio: 'inherit' })";
    behind(&["node", "-e", run, "--"]);
}

#[test]
fn behind_sudo_reports_arrive_and_cancellation_too() {
    needs_that(geteuid().is_root(), "sudo (as root)");
    behind(&["sudo", "-n", "--preserve-env=PROGRUN_SOCK,progrun"]);
}

#[test]
fn in_a_pane_of_tmux_reports_arrive() {
    needs(&["tmux"]);
    let folder = tempfile::tempdir().unwrap();
    // A tmux server whose last pane goes while a client waits does not always end, so the pane stays until
    // `kill-server`.
    let script = r#"
        tmux -S tmux -f /dev/null new-session -d "
            $progrun report 1/2 'from a pane'; tmux -S tmux wait-for -S done; exec sleep 1000" &&
        tmux -S tmux wait-for done && tmux -S tmux kill-server"#;
    let ended = run(script, &[]).in_folder(folder.path()).start().finish();
    assert_eq!(infos(&ended)[0]["message"], "from a pane");
}

// An inner run.

#[test]
fn an_inner_run_whose_descriptor_was_closed_on_the_way_is_a_part_all_the_same() {
    let script = r#"exec 3>&-; "$progrun" --name inner -- sh -c 'echo 1/2 half >&3'"#;
    let ended = run(script, &[]).start().finish();
    let infos = infos(&ended);
    assert_eq!(infos[0]["title"], "inner");
    assert!(infos.iter().any(|info| info["message"] == "half"));
    assert_eq!(infos.last().unwrap()["status"], "ok");
    assert_eq!(ended.output("stderr"), "");
}

#[test]
fn an_inner_run_whose_descriptor_was_closed_on_the_way_is_cancelled_with_the_outer_one() {
    let lifeline = Lifeline::new();
    let script = r#"exec 3>&- 4>"$1"; exec "$progrun" --grace=1h -- sh -c "$2""#;
    let at_work = r"trap 'echo cancelled >&4; exit 130' PIPE
        while :; do echo '1/2 at work' 2>/dev/null >&3 || exit; sleep 0.01; done";
    let mut run = run(script, &[lifeline.path(), at_work]).start();
    while run.event("progress")["info"]["message"] != "at work" {}
    run.signal(Signal::INT);
    let ended = run.finish();
    assert_eq!(lifeline.last_words(), "cancelled\n");
    assert_eq!(ended.signals(), [""; 0]);
    ended.died_by(Signal::INT);
}

#[test]
fn a_run_that_only_has_the_environment_of_another_is_no_part_of_it() {
    let gate = Gate::new();
    let (_run, path) = waiting(&gate);
    progrun(&["--name", "stranger", "--", "sh", "-c", "echo 1/2 half >&3"])
        .variable("PROGRUN_SOCK", path.to_str().unwrap())
        .stderr("stranger: 50%, 1/2, half\nstranger: completed in [..]\n")
        .status(0);
}

#[test]
fn a_command_reports_to_the_nearest_progrun() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#""$progrun" --json=events --progress none -- sh -c 'exec 3>&-; "$progrun" report 1/2 near'"#;
    let ended = run(script, &[]).in_folder(folder.path()).start().finish();
    assert_eq!(infos(&ended).len(), 0);
    let events = fs::read_to_string(folder.path().join("events")).unwrap();
    assert!(events.contains("\"message\":\"near\""), "{events}");
}
