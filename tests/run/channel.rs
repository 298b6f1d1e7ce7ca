//! The descriptor on which a command reports, and everything else that the command finds at its start.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, getpgid};

use crate::support::{Gate, Running, Signal, progrun};

/// `cat` under progrun, running and waiting for input that never comes.
fn waiting_cat(gate: &mut Gate) -> (Running, Pid) {
    let mut run = progrun(&["--json", "--", "cat"])
        .inside("sh", &format!(r#"exec "$@" <"{}""#, gate.path()))
        .start();
    let pid = run.child();
    gate.open();
    run.event("output");
    (run, pid)
}

#[cfg(target_os = "linux")]
#[test]
fn the_environment_names_the_channel_and_says_which_file_it_is() {
    let script = r#"echo "{\"id\": \"$PROGRUN_FD $PROGRUN_FD_ID\"}" >&3; exec sleep 1000"#;
    let mut run = progrun(&["--json", "--", "sh", "-c", script]).start();
    let pid = run.child();
    let told = &run.event("progress")["info"]["id"];
    let channel = fs::metadata(format!("/proc/{pid}/fd/3")).unwrap();
    assert_eq!(*told, format!("3 {}:{}", channel.dev(), channel.ino()));
}

#[test]
fn the_channel_can_have_another_number() {
    let script = r#"echo "$PROGRUN_FD/10" >&5; [ -e /dev/fd/3 ] || echo 'no 3'"#;
    let run = progrun(&["--json", "--fd=5", "--", "sh", "-c", script]).start();
    let ended = run.finish();
    assert_eq!(ended.all("progress")[0]["info"]["progress"], 5);
    assert_eq!(ended.output("stdout"), "no 3\n");
}

#[test]
fn the_channel_is_in_the_environment_of_the_command_alone() {
    let script = r#"echo "$PROGRUN_FD" >&3; echo "$PROGRUN_FD_ID""#;
    let run = progrun(&["--json", "--", "sh", "-c", script])
        .variable("PROGRUN_FD", "7")
        .variable("PROGRUN_FD_ID", "1:1")
        .start();
    let ended = run.finish();
    assert_eq!(ended.all("progress")[0]["info"]["percentage"], 3);
    assert_ne!(ended.output("stdout"), "1:1\n");
}

/// Processes that have this file open for reading, and for writing.
fn holders(link: &str) -> [Vec<i32>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let processes = fs::read_dir("/proc").unwrap().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            if fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str() == link) {
                let number = descriptor.file_name().into_string().unwrap();
                let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let for_writing = flags.unwrap().ends_with('1');
                found[usize::from(for_writing)].push(pid);
            }
        }
    }
    found
}

#[cfg(target_os = "linux")]
#[test]
fn the_read_end_is_in_progrun_and_in_no_other_process() {
    let mut gate = Gate::new();
    let (run, pid) = waiting_cat(&mut gate);
    let channel = fs::read_link(format!("/proc/{pid}/fd/3")).unwrap();
    let [readers, writers] = holders(channel.to_str().unwrap());
    assert_eq!(readers, [run.pid().as_raw_nonzero().get()]);
    assert_eq!(writers, [pid.as_raw_nonzero().get()]);
}

fn descriptors(pid: impl std::fmt::Display) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A set of signals in /proc, such as `SigIgn: 0000000000001000`. Only the classic signals: the C library uses two of
/// the others itself.
fn signals(pid: impl std::fmt::Display, set: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(set));
    let digits = line.unwrap().trim_start_matches(':').trim();
    u64::from_str_radix(digits, 16).unwrap() & 0x7fff_ffff
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_gets_the_channel_and_otherwise_what_it_has_without_progrun() {
    let mut gate = Gate::new();
    let (_run, pid) = waiting_cat(&mut gate);

    let mut alone = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(alone.stdin.as_mut().unwrap(), b"\n").unwrap();
    std::io::Read::read_exact(alone.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let mut expected = descriptors(alone.id());
    let ignored = signals(alone.id(), "SigIgn");
    drop(alone.stdin.take());
    alone.wait().unwrap();

    // The channel, and the pipe of `ZIG_PROGRESS`.
    expected.extend(["3", "39"].map(str::to_owned));
    assert_eq!(descriptors(pid), expected);
    assert_eq!(signals(pid, "SigIgn"), ignored);
    assert_eq!(signals(pid, "SigBlk"), 0);
    assert_eq!(signals(pid, "SigCgt"), 0);
    assert_eq!(getpgid(Some(pid)).unwrap(), pid);
}

#[cfg(target_os = "linux")]
#[test]
fn a_caller_that_ignores_sigpipe_does_not_take_the_cancellation_away() {
    let mut run = progrun(&["--json", "--", "sleep", "1000"])
        .inside("sh", r#"trap '' PIPE; exec "$@""#)
        .start();
    let pid = run.child();
    let sigpipe = 1 << (Signal::PIPE.as_raw() - 1);
    assert_eq!(signals(pid, "SigIgn") & sigpipe, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_caller_ignores_stays_ignored_and_what_it_blocks_does_not_stay_blocked() {
    let mut run = progrun(&["--json", "--", "sleep", "1000"])
        .inside(
            "sh",
            r#"trap '' HUP QUIT; exec env --block-signal=USR1,INT "$@""#,
        )
        .start();
    let pid = run.child();
    let [hup, quit] = [Signal::HUP, Signal::QUIT].map(|signal| 1 << (signal.as_raw() - 1));
    assert_eq!(signals(pid, "SigIgn"), hup | quit);
    assert_eq!(signals(pid, "SigBlk"), 0);
    assert_eq!(signals(pid, "SigCgt"), 0);
}

#[test]
fn an_empty_line_is_no_report_but_it_is_a_word_from_the_command() {
    let mut gate = Gate::new();
    let script = r#"echo >&3; echo asked; read -r _ <"$1"; echo >&3; echo went on"#;
    let command = ["sh", "-c", script, "sh", gate.path()];
    let mut run = progrun(&[&["--json", "--grace=1h", "--"][..], &command].concat()).start();
    run.event("output");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.finished()["signal"], "SIGPIPE");
    assert_eq!(ended.finished()["reports"], 0);
}

#[test]
fn the_end_of_file_on_the_channel_ends_nothing() {
    let script = "echo 1/2 >&3; exec 3>&-; echo still here; exit 7";
    let ended = progrun(&["--json", "--", "sh", "-c", script])
        .start()
        .finish();
    assert_eq!(ended.output("stdout"), "still here\n");
    assert_eq!(ended.finished()["reports"], 1);
    assert_eq!(ended.status.code(), Some(7));
}

#[test]
fn what_a_process_substitution_reports_after_the_end_of_the_command_still_counts() {
    let script = "echo 1/2 >&3; : > >(cat; echo 2/2 late >&3)";
    let ended = progrun(&["--json", "--", "bash", "-c", script])
        .start()
        .finish();
    assert_eq!(ended.finished()["reports"], 2);
}

#[test]
fn a_bystander_that_holds_the_channel_is_not_waited_for() {
    let gate = Gate::new();
    let script = r#"echo 1/2 >&3; cat "$1" >/dev/null 2>&1 &"#;
    let command = ["sh", "-c", script, "sh", gate.path()];
    progrun(&[&["--quiet", "--"][..], &command].concat()).status(0);
}

/// In the event of a task that has started a process. The event of the run ends with its own.
const PID_OF_A_TASK: &str = r#"],"pid":"#;

/// Runs so many tasks, the commands between `+` in turns, and counts how often each of `words` is in the events.
fn many_tasks(
    before: &[&str],
    slots: &str,
    times: usize,
    task: &[&str],
    words: &[&str],
) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events");
    let list = folder.path().join("list.jsonl");
    let tasks: Vec<_> = task.split(|word| *word == "+").collect();
    let line = |number: usize| {
        let command = serde_json::json!({ "command": tasks[number % tasks.len()] });
        format!("{command}\n")
    };
    fs::write(&list, (0..times).map(line).collect::<String>()).unwrap();
    let json = format!("--json={}", events.display());
    let list = list.to_str().unwrap();
    let run = [
        env!("CARGO_BIN_EXE_progrun"),
        "tasks",
        "-q",
        "-j",
        slots,
        &json,
        list,
    ];
    let command = [before, &run].concat();
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.unwrap();
    let events = fs::read_to_string(events).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    words
        .iter()
        .map(|word| events.matches(word).count())
        .collect()
}

#[test]
fn a_missing_program_never_looks_like_one_that_started_whatever_other_threads_open() {
    let words = [
        PID_OF_A_TASK,
        r#""event":"finished""#,
        "cannot run /none: no such file",
    ];
    let counts = many_tasks(&[], "16", 600, &["/none"], &words);
    assert_eq!(counts, [0, 600, 600]);
}

#[test]
fn children_of_many_threads_have_each_its_own_status() {
    let commands = [
        "sh",
        "-c",
        "exit 3",
        "+",
        "/none",
        "+",
        "sh",
        "-c",
        "kill -9 $$",
        "+",
        "/",
        "+",
        "true",
    ];
    let words = [
        PID_OF_A_TASK,
        r#""exit_status":3"#,
        "cannot run /none: no such file",
        r#""signal":"SIGKILL""#,
        "cannot run /: it is a directory",
        r#""state":"completed""#,
    ];
    let counts = many_tasks(&[], "16", 500, &commands, &words);
    assert_eq!(counts, [300, 100, 100, 100, 100, 100]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_first_process_of_a_container_reaps_orphans_and_takes_no_status_from_its_children() {
    crate::harness::needs(&["unshare"]);
    let mut unshare = vec!["unshare", "--pid", "--fork", "--mount-proc"];
    if !rustix::process::geteuid().is_root() {
        unshare.push("--map-root-user");
    }
    let leaves_orphans = ["sh", "-c", "(sleep 0 &); (sleep 0 &); exit 7"];
    let words = [PID_OF_A_TASK, r#""exit_status":7"#];
    let counts = many_tasks(&unshare, "8", 200, &leaves_orphans, &words);
    assert_eq!(counts, [200, 200]);
}

/// A run whose command reports on which descriptor it reports, and which file is on 3.
fn with_descriptors(before: &str) -> Running {
    let says = r#"echo "$PROGRUN_FD $(readlink /proc/self/fd/3)" >&"$PROGRUN_FD""#;
    progrun(&["--json", "--", "sh", "-c", says])
        .inside("bash", &format!(r#"{before} exec "$@""#))
        .start()
}

#[cfg(target_os = "linux")]
#[test]
fn a_jobserver_and_the_sockets_of_a_service_are_left_alone_and_progrun_says_so() {
    for (before, number, owner) in [
        (
            "exec 3</dev/null 4>/dev/zero; export MAKEFLAGS=' -j3 --jobserver-auth=3,4';",
            5,
            "make's jobserver",
        ),
        (
            "exec 3</dev/null 5>/dev/zero; export MAKEFLAGS='w --jobserver-fds=3,5';",
            4,
            "make's jobserver",
        ),
        (
            "exec 3</dev/null 4>/dev/zero; export LISTEN_FDS=2;",
            5,
            "a LISTEN_FDS socket",
        ),
        (
            "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$;",
            4,
            "a LISTEN_FDS socket",
        ),
    ] {
        let ended = with_descriptors(before).finish();
        let said = format!("{number} /dev/null");
        assert_eq!(
            ended.all("progress")[0]["info"]["message"],
            said.as_str(),
            "{before}"
        );
        let sentence = format!(
            "descriptor 3 is {owner}: the command reports on {number} instead (PROGRUN_FD={number})"
        );
        let warnings = ended.all("warning");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0]["message"], sentence.as_str());
    }
    // No reason to move: not open, for another process, or a file that a shell happens to have there.
    for before in [
        "exec 3<&- 4<&-; export MAKEFLAGS=' -j3 --jobserver-auth=3,4';",
        "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=1;",
        "exec 3</dev/null; export MAKEFLAGS='-j3 --jobserver-auth=fifo:/x';",
        "exec 3</dev/null;",
    ] {
        let ended = with_descriptors(before).finish();
        let message = ended.all("progress")[0]["info"]["message"].to_string();
        assert!(message.starts_with("\"3 pipe:"), "{before} {message}");
        assert_eq!(ended.all("warning").len(), 0);
    }
}
