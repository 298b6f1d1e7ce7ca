//! When tasks start, and how many at once: scenarios 20 to 29.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{each, folder, loud, notes, numbers};
use crate::harness::{needs, needs_that};
use crate::support::{Gate, Signal, progrun, text, until};

/// A task that notes how many tasks run while it does, itself included. `$1` is its value.
const COUNTS: &str = r#"
    mkdir "run.$1"
    for other in run.*; do count=$((count + 1)); done
    echo $count >>notes
    sleep 0.2
    rmdir "run.$1""#;

#[test]
fn s20_as_many_tasks_run_at_once_as_there_are_slots_and_never_more() {
    let folder = folder(&[]);
    let words = ["-j3", "--", "sh", "-c", COUNTS, "_", "{}", ":::"];
    let values: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    each(&[&words[..], &values].concat())
        .in_folder(folder.path())
        .status(0);
    let most = notes(folder.path())
        .iter()
        .map(|line| line.trim().parse::<u32>().unwrap())
        .max();
    assert_eq!(most, Some(3));
}

#[test]
fn s21_the_number_of_slots_is_a_number_a_share_or_a_difference_and_not_0() {
    for (jobs, said) in [
        ("0", "no task would ever run"),
        ("x", "expected a number such as 4, 50%, +1 or -1, or max"),
    ] {
        let output = each(&["-j", jobs, "--", "true", ":::", "1"]).output();
        assert_eq!(output.status.code(), Some(125));
        assert!(
            text(&output.stderr).contains(said),
            "{}",
            text(&output.stderr)
        );
    }
    let processors = thread::available_parallelism().unwrap().get();
    let jobs = |jobs: &str| {
        let run = progrun(&["each", "--json", "-j", jobs, "--", "true", ":::", "1"]).start();
        run.finish().all("run")[0]["jobs"].as_u64().unwrap()
    };
    assert_eq!(jobs("200%"), 2 * processors as u64);
    assert_eq!(jobs("+1"), processors as u64 + 1);
    assert_eq!(jobs("-100"), 1);
    assert_eq!(jobs("7"), 7);
    let run = progrun(&["each", "--json", "--", "true", ":::", "1"]).variable("PROGRUN_JOBS", "5");
    assert_eq!(run.start().finish().all("run")[0]["jobs"], 5);
}

#[test]
fn s22_a_task_starts_as_soon_as_its_line_is_complete() {
    // GNU parallel starts it one line later (bug 32834).
    let mut run = Command::new(env!("CARGO_BIN_EXE_progrun"))
        .args([
            "each", "-q", "-j4", "--output", "stream", "--", "echo", "{}",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut list = run.stdin.take().unwrap();
    let mut output = std::io::BufReader::new(run.stdout.take().unwrap());
    for number in 1..=5 {
        writeln!(list, "{number}").unwrap();
        let mut line = String::new();
        // The next line is written only when this task is over.
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert_eq!(line, format!("{number}\n"));
    }
    drop(list);
    assert!(run.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn s23_of_a_long_list_from_a_pipe_little_is_read_ahead() {
    let mut gate = Gate::new();
    let mut run = Command::new(env!("CARGO_BIN_EXE_progrun"))
        .args([
            "each",
            "-q",
            "-j2",
            "--",
            "sh",
            "-c",
            "read -r _ <\"$0\"",
            gate.path(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut list = run.stdin.take().unwrap();
    // No more than what is read ahead, a buffer and a pipe fit; then the writer waits. Written without waiting, so that the
    // test sees where it ends.
    rustix::io::ioctl_fionbio(&list, true).unwrap();
    let line =
        b"0123456789012345678901234567890123456789012345678901234567890123456789\n".repeat(100);
    let mut written = 0;
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_secs(1) {
        match list.write(&line) {
            Ok(count) => {
                written += count;
                quiet = Instant::now();
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
        assert!(written < 4 << 20, "{written}");
    }
    assert!(written <= (1 << 20) + (192 << 10), "{written}");
    let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    // A debug build is larger.
    let most = if cfg!(debug_assertions) {
        16 << 10
    } else {
        8 << 10
    };
    assert!(resident < most, "{resident} KiB");
    run.kill().unwrap();
    run.wait().unwrap();
    gate.open();
}

#[test]
fn s24_two_starts_are_the_delay_apart() {
    let before = Instant::now();
    each(&[
        "-j4", "--delay", "0.3", "--", "true", ":::", "1", "2", "3", "4",
    ])
    .status(0);
    assert!(before.elapsed() >= Duration::from_millis(900));
}

#[cfg(target_os = "linux")]
#[test]
fn s25_above_the_load_one_task_runs_at_a_time() {
    let folder = folder(&[]);
    // Any load is above that.
    let words = [
        "-j4",
        "--max-load",
        "0.000001",
        "--",
        "sh",
        "-c",
        COUNTS,
        "_",
        "{}",
        ":::",
    ];
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    needs_that(!load.starts_with("0.00 "), "a machine with some load");
    each(&[&words[..], &["1", "2", "3"]].concat())
        .in_folder(folder.path())
        .status(0);
    assert_eq!(notes(folder.path()), ["1", "1", "1"]);
}

#[cfg(target_os = "linux")]
#[test]
fn s26_below_the_memory_one_task_runs_at_a_time_and_none_is_killed() {
    let folder = folder(&[]);
    let words = [
        "-j4",
        "--min-memory",
        "1000T",
        "--",
        "sh",
        "-c",
        COUNTS,
        "_",
        "{}",
        ":::",
    ];
    each(&[&words[..], &["1", "2", "3"]].concat())
        .in_folder(folder.path())
        .status(0);
    assert_eq!(notes(folder.path()), ["1", "1", "1"]);
}

#[cfg(target_os = "linux")]
#[test]
fn s27_where_descriptors_are_few_fewer_tasks_run_and_all_complete() {
    let values: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let words = [
        "-k",
        "-j100",
        "--",
        "sh",
        "-c",
        "ulimit -Sn",
        "_",
        "{}",
        ":::",
    ];
    let run = loud(&[&words[..], &values].concat()).inside("bash", "ulimit -n 64; exec \"$@\"");
    let output = run.output();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "64\n".repeat(100));
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches("ulimit -n").count(), 1, "{stderr}");
    // The soft limit alone is raised, and given back to the tasks.
    let run = loud(&[&words[..], &values].concat()).inside("bash", "ulimit -Sn 64; exec \"$@\"");
    let output = run.output();
    assert_eq!(text(&output.stdout), "64\n".repeat(100));
    assert!(
        !text(&output.stderr).contains("ulimit"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn s28_signals_take_slots_away_and_add_some() {
    let mut gate = Gate::new();
    let script = r#"read -r _ <"$1""#;
    let words = [
        "each",
        "--json",
        "-j2",
        "--",
        "sh",
        "-c",
        script,
        "_",
        gate.path(),
        "{}",
        ":::",
    ];
    let mut run = progrun(&[&words[..], &["1", "2", "3", "4"]].concat()).start();
    run.event("started");
    run.event("started");
    run.signal(Signal::USR2);
    // A second one of its kind that waits would be lost.
    until(|| !has_pending(run.pid(), Signal::USR2));
    run.signal(Signal::USR2);
    until(|| !has_pending(run.pid(), Signal::USR2));
    gate.open();
    run.event("finished");
    gate.open();
    run.event("finished");
    run.signal(Signal::USR1);
    assert_eq!(run.event("started")["task"], 3);
    gate.open();
    run.event("finished");
    run.event("started");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.status.code(), Some(0));
}

fn has_pending(pid: rustix::process::Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let pending = status
        .lines()
        .find_map(|line| line.strip_prefix("ShdPnd:"))
        .unwrap();
    let pending = u64::from_str_radix(pending.trim(), 16).unwrap();
    pending & 1 << (signal.as_raw() - 1) != 0
}

#[cfg(target_os = "linux")]
#[test]
fn s29_three_hundred_tasks_that_end_at_once_leave_no_zombie_and_no_descriptor() {
    let folder = folder(&[]);
    let script = r#"
        ls /proc/$PPID/fd | wc -l >>descriptors
        grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | xargs -r grep -l "^PPid:.$PPID\$" 2>/dev/null | wc -l >>notes"#;
    let list: String = numbers(300);
    let run = each(&["-j8", "--", "sh", "-c", script, "_", "{}"]).stdin(list);
    run.in_folder(folder.path()).status(0);
    let counts = |text: String| -> Vec<u32> {
        text.lines()
            .map(|line| line.trim().parse().unwrap())
            .collect()
    };
    let zombies = counts(notes(folder.path()).join("\n"));
    assert_eq!(zombies.len(), 300);
    assert!(zombies.iter().all(|zombies| *zombies <= 8), "{zombies:?}");
    let descriptors = counts(fs::read_to_string(folder.path().join("descriptors")).unwrap());
    let most = |part: &[u32]| *part.iter().max().unwrap();
    let (early, late) = (most(&descriptors[..150]), most(&descriptors[150..]));
    assert!(late <= early + 16, "{early} {late}");
}

#[cfg(target_os = "linux")]
#[test]
fn as_a_client_of_makes_jobserver_it_runs_no_more_than_there_are_tokens_and_gives_all_back() {
    needs(&["bash", "dd"]);
    let folder = folder(&[]);
    let values = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    // Three jobs: the first needs no token. One task fails, and one run is stopped, and still none is lost.
    let server = r#"
        mkfifo tokens; exec 5<>tokens; printf ab >&5
        export MAKEFLAGS='k -j3 --jobserver-auth=5,5'
        "$@"; echo "status $?" >>ended
        dd bs=10 count=1 iflag=nonblock <&5 2>/dev/null | tee left | wc -c >>ended"#;
    let script = format!("{COUNTS}\ntest $1 != 4");
    let words = ["--", "sh", "-c", &script, "_", "{}", ":::"];
    let run = each(&[&words[..], &values].concat()).inside("bash", server);
    run.in_folder(folder.path()).status(0);
    let most = notes(folder.path())
        .iter()
        .map(|line| line.trim().parse::<u32>().unwrap())
        .max();
    assert_eq!(most, Some(3));
    let ended = || fs::read_to_string(folder.path().join("ended")).unwrap();
    assert_eq!(ended(), "status 1\n2\n");
    let mut left = fs::read(folder.path().join("left")).unwrap();
    left.sort_unstable();
    assert_eq!(left, b"ab");

    let folder = self::folder(&[]);
    let words = ["--deadline", "0.5", "--", "sleep", "1000", ":::"];
    let run = each(&[&words[..], &values].concat()).inside("bash", server);
    run.in_folder(folder.path()).status(0);
    let ended = fs::read_to_string(folder.path().join("ended")).unwrap();
    assert_eq!(ended, "status 124\n2\n");
}
