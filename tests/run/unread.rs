//! Readers that do not read: a run that is stopping does not wait for them; any other run does.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use rustix::process::Pid;

use crate::support::{Gate, Running, Signal, assert_text, progrun, state_of, until};

/// A full pipe: anything written to it stays unread.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Prints, and then waits for a signal.
const PRINTS: &str = r#"echo hi; echo >"$1"; exec sleep 1000"#;

/// A run whose stdout is not read, and that has printed something.
fn unread(options: &[&str], script: &str) -> (PipeReader, Running) {
    let mut gate = Gate::new();
    let (reader, writer) = full_pipe();
    let command = ["--", "sh", "-c", script, "sh", gate.path()];
    let command = [options, &command].concat();
    let run = progrun(&command).start_on(writer, Stdio::piped());
    gate.wait();
    (reader, run)
}

#[test]
fn a_run_that_is_to_stop_waits_for_no_reader_and_says_what_was_not_read() {
    let stdout = "cannot write the command's stdout: its reader did not read it all in time";
    let events = "the event stream is incomplete: its reader did not read it all in time";
    for (options, told) in [
        (&["--quiet", "--log=/dev/null"][..], stdout),
        (&["--quiet", "--from=meter"], stdout),
        (&["--json"], events),
    ] {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let options = [options, &["--kill-after=0.01"]].concat();
            let (_reader, run) = unread(&options, PRINTS);
            run.signal(signal);
            let ended = run.finish();
            assert_eq!(ended.stderr, format!("progrun: {told}\n"), "{options:?}");
            ended.died_by(signal);
        }
    }
}

#[test]
fn a_run_that_is_to_stop_waits_for_no_reader_of_more_than_may_be_under_way() {
    let script = r#"seq 100; echo >"$1"; exec yes"#;
    for option in ["--log=/dev/null", "--json"] {
        let (_reader, run) = unread(&["--quiet", option, "--kill-after=0.01"], script);
        run.signal(Signal::TERM);
        let ended = run.finish();
        assert!(
            ended
                .stderr
                .ends_with(": its reader did not read it all in time\n")
        );
        ended.died_by(Signal::TERM);
    }
}

#[test]
fn hidden_output_that_is_not_read_when_it_is_shown_is_waited_for_no_longer_either() {
    let options = ["--quiet", "--output=on-failure", "--kill-after=0.01"];
    let (_reader, run) = unread(&options, PRINTS);
    run.signal(Signal::TERM);
    let ended = run.finish();
    assert_text(
        &ended.stderr,
        "sh: some of the command's output could not be shown: its reader did not read it all in time
sh: cancelled after [..] (SIGTERM)[..]
",
    );
    ended.died_by(Signal::TERM);
}

#[test]
fn a_time_limit_holds_whatever_is_read() {
    for command in [
        &["--log=/dev/null", "--", "yes"][..],
        &["--log=/dev/null", "--", "seq", "1000000"],
        &["--json", "--", "yes"],
        // These end at once, except for their unread output.
        &["--log=/dev/null", "--", "echo", "hi"],
        &["--json", "--", "true"],
    ] {
        let limits = [
            "--quiet",
            "--timeout=0.5",
            "--signal=KILL",
            "--kill-after=0.01",
        ];
        let (_reader, writer) = full_pipe();
        let run = progrun(&[&limits, command].concat()).start_on(writer, Stdio::piped());
        let ended = run.finish();
        // 137 where the command had to be killed.
        let status = ended.status.code();
        assert!(matches!(status, Some(124 | 137)), "{command:?}: {status:?}");
    }
}

#[test]
fn a_command_that_ended_by_the_signal_is_not_called_killed_because_no_reader_reads() {
    // Long enough that the command is gone before it is over.
    let options = ["--log=/dev/null", "--kill-after=3"];
    let (_reader, run) = unread(&options, PRINTS);
    run.signal(Signal::TERM);
    let ended = run.finish();
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "sh: terminating; SIGKILL in 3s",
            "sh: cannot write the command's stdout: its reader did not read it all in time"
        ]
    );
    assert_text(lines[2], "sh: cancelled after [..]s (SIGTERM)[..]");
    ended.died_by(Signal::TERM);
}

#[test]
fn without_a_request_to_stop_a_reader_has_all_the_time_it_wants() {
    let (mut reader, run) = unread(
        &["--quiet", "--log=/dev/null", "--kill-after=0.01"],
        r#"echo hi; echo >"$1""#,
    );
    let mut stdout = String::new();
    reader.read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout.trim_start_matches('x'), "hi\n");
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn a_fifo_that_no_process_reads_is_waited_for_within_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("fifo"))
        .status();
    assert!(made.unwrap().success());
    for option in ["--log=fifo", "--json=fifo"] {
        progrun(&["--timeout=0.1", option, "--", "echo", "hi"])
            .in_folder(folder.path())
            .stderr(
                "progrun: cannot write fifo: no process has opened it for reading within the time limit\n",
            )
            .status(124);
    }
    progrun(&["--quiet", "--timeout=1h", "--log=fifo", "--", "echo", "hi"])
        .inside("sh", r#"cat fifo & "$@"; wait"#)
        .in_folder(folder.path())
        .stdout("hi\nhi\n")
        .status(0);
}

#[test]
fn a_report_waits_for_a_progrun_that_takes_nothing_and_says_that_it_was_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    // The shortest possible queue of connections, filled by one.
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    progrun(&["report", "3/10"])
        .variable("PROGRUN_SOCK", path.to_str().unwrap())
        .stderr("progrun: report: not delivered: progrun is not reading\n")
        .status(0);
    // A progrun that only asks whether it runs under another one waits no longer than a moment.
    progrun(&["--", "echo", "hi"])
        .variable("PROGRUN_SOCK", path.to_str().unwrap())
        .stdout("hi\n")
        .status(0);
}

/// The largest resident set so far, in KiB.
fn high_water_mark(pid: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.unwrap().split_whitespace().next().unwrap();
    number.parse().unwrap()
}

#[test]
fn what_is_under_way_to_a_reader_that_pauses_is_bounded_by_its_size() {
    let message =
        r#"m=$(head -c 60000 /dev/zero | tr '\000' m); yes "{\"id\": 1, \"message\": \"$m\"}""#;
    let controls = r#"m=$(head -c 65000 /dev/zero | tr '\000' '\001'); yes "{$m""#;
    for flood in [
        &format!("{controls} >&3"),
        &format!("{message} >&3"),
        "yes '{' >&3",
        "yes 5 >&3",
        "cat /dev/zero",
        "yes",
    ] {
        let (_reader, writer) = std::io::pipe().unwrap();
        let command = ["--quiet", "--json", "--", "bash", "-c", flood];
        let run = progrun(&command).start_on(writer, Stdio::null());
        let pid = run.pid();
        // The buffers are fullest when progrun no longer moves: it sleeps, and has used no processor time during one
        // spin.
        let work = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let (_, rest) = stat.rsplit_once(") ").unwrap();
            let fields: Vec<_> = rest.split(' ').map(str::to_owned).collect();
            [fields[11].clone(), fields[12].clone()]
        };
        let mut before = work();
        until(|| {
            let spin: u64 = (0..20_000_000).map(std::hint::black_box).sum();
            assert!(spin > 0);
            let now = work();
            std::mem::replace(&mut before, now.clone()) == now && state_of(pid) == 'S'
        });
        let used = high_water_mark(pid);
        // Two thirds of it are the program itself, without optimization.
        assert!(used < 20 * 1024, "{used} KiB: {flood}");
    }
}
