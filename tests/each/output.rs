//! The output of the tasks: scenarios 46 to 57.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{each, folder, loud, numbers};
use crate::harness::{everything, needs, needs_that};
use crate::pty::{End, terminal};
use crate::support::{Gate, text};

const PROGRUN: &str = env!("CARGO_BIN_EXE_progrun");

#[test]
fn s46_no_line_and_no_group_of_eight_writers_is_mixed() {
    // xargs tore 666 of these lines.
    let script = r#"yes "$1" | head -n 20000"#;
    let words = [
        "-j8", "--", "sh", "-c", script, "_", "{}", ":::", "1", "2", "3", "4", "5", "6", "7", "8",
    ];
    let output = each(&words).output();
    let lines: Vec<&[u8]> = output
        .stdout
        .split_inclusive(|byte| *byte == b'\n')
        .collect();
    assert_eq!(lines.len(), 160_000);
    let groups: Vec<&[u8]> = lines
        .chunk_by(|one, two| one == two)
        .map(|group| group[0])
        .collect();
    assert_eq!(groups.len(), 8);
    assert!(groups.iter().all(|line| line.len() == 2));
}

#[test]
fn s47_the_order_of_the_list_is_kept_and_costs_no_time() {
    let before = Instant::now();
    let words = [
        "-k",
        "-j4",
        "--",
        "sh",
        "-c",
        "sleep $1; echo $1",
        "_",
        "{}",
        ":::",
        "0.6",
        "0.1",
        "0.2",
        "0.3",
    ];
    each(&words).stdout("0.6\n0.1\n0.2\n0.3\n").status(0);
    // One after the other they would take 1.2 s.
    assert!(
        before.elapsed() < Duration::from_millis(1150),
        "{:?}",
        before.elapsed()
    );
}

#[test]
fn s47_the_task_whose_turn_it_is_shows_live() {
    let mut gate = Gate::new();
    let script = r#"echo "$1 begins"; case $1 in 1) read -r _ <"$2";; esac; echo "$1 ends""#;
    let words = [
        "-k",
        "-j2",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
        gate.path(),
        ":::",
        "1",
        "2",
    ];
    let mut run = each(&words).start();
    assert_eq!(run.stdout_line(), "1 begins\n");
    gate.open();
    for line in ["1 ends\n", "2 begins\n", "2 ends\n", ""] {
        assert_eq!(run.stdout_line(), line);
    }
}

#[test]
fn s48_a_tag_is_before_each_line_of_both_streams() {
    let words = [
        "-k",
        "--tag",
        "--",
        "sh",
        "-c",
        "echo a; printf b; echo c >&2",
        "_",
        "{}",
        ":::",
        "x",
        "y z",
    ];
    each(&words)
        .stdout("x\ta\nx\tb\ny z\ta\ny z\tb")
        .stderr("x\tc\ny z\tc\n")
        .status(0);
}

#[test]
fn s49_two_streams_go_to_two_files_byte_for_byte() {
    let script =
        r#"head -c 100000 /dev/zero | tr '\0' "$1"; head -c 50000 /dev/zero | tr '\0' "$2" >&2"#;
    let words = [
        "-k", "-j4", "--", "sh", "-c", script, "_", "{1}", "{2}", ":::", "a", "b", ":::", "x",
    ];
    let output = each(&words).output();
    assert!(output.stdout == [vec![b'a'; 100_000], vec![b'b'; 100_000]].concat());
    assert!(output.stderr == vec![b'x'; 100_000]);
    assert_eq!(output.status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn s50_a_full_disk_loses_nothing_and_warns_once() {
    // GNU parallel prints 0 bytes.
    needs(&["unshare", "mount"]);
    let may = Command::new("unshare").args(["-rm", "true"]).status();
    needs_that(
        may.is_ok_and(|status| status.success()),
        "a mount namespace",
    );
    let inside = r#"mkdir room && exec unshare -rm sh -c '
        mount -t tmpfs -o size=64k none room && TMPDIR=$PWD/room exec "$@"' sh "$@""#;
    let folder = folder(&[]);
    let script = "head -c 3000000 /dev/zero";
    let run = loud(&["-j2", "--", "sh", "-c", script, "_", "{}", ":::", "1", "2"]);
    let run = run.inside("sh", inside).in_folder(folder.path());
    let output = run.output();
    assert_eq!(output.stdout.len(), 6_000_000, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr).matches("no space left").count(),
        1,
        "{}",
        text(&output.stderr)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn s51_output_that_cannot_be_written_is_a_failure_of_progrun() {
    // GNU parallel gives 0.
    let full = File::options().write(true).open("/dev/full").unwrap();
    for output in ["group", "lines", "stream"] {
        let words = ["-j2", "--output", output, "--tag", "--", "echo", ":::", "a"];
        let run = each(&words).start_on(full.try_clone().unwrap(), Stdio::piped());
        assert_eq!(run.end().code(), Some(125), "{output}");
    }
}

#[test]
fn s52_a_reader_that_had_enough_ends_the_run() {
    let mut run = Command::new(PROGRUN)
        .args(["each", "-j2", "--output", "lines", "--", "yes", "{}"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut list = run.stdin.take().unwrap();
    std::io::Write::write_all(&mut list, b"1\n2\n3\n4\n5\n").unwrap();
    let mut output = BufReader::new(run.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    drop(output);
    // The list goes on, and no further task starts all the same.
    let status = run.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status}");
    let mut said = String::new();
    run.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(!said.contains("panic"), "{said}");
    drop(list);
}

#[test]
fn s53_only_the_output_of_the_task_that_failed_is_shown() {
    let script = r#"echo "out $1"; echo "err $1" >&2; test "$1" != 42"#;
    let list: String = numbers(100);
    each(&[
        "--output",
        "on-failure",
        "--",
        "sh",
        "-c",
        script,
        "_",
        "{}",
    ])
    .stdin(list)
    .stdout("out 42\n")
    .stderr(
        "FAILED 42  exit status 1, [..]s
err 42
sh: 99 of 100 completed, 1 failed after [..]
  42  exit status 1  [..]s  err 42   sh -c [..]
",
    )
    .status(1);
}

#[cfg(target_os = "linux")]
#[test]
fn s54_a_group_may_be_larger_than_memory() {
    // GNU parallel has a limit of 4 GiB.
    let gibibytes: u64 = if everything() { 4 } else { 1 };
    let bytes = gibibytes << 30;
    let script = format!("yes 0123456789abcde | head -c {bytes}");
    let mut run = Command::new(PROGRUN)
        .args([
            "each", "-q", "-j2", "--", "sh", "-c", &script, "{}", ":::", "1",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = run.stdout.take().unwrap();
    let pattern = b"0123456789abcde\n".repeat(4096);
    let mut buffer = vec![0; pattern.len()];
    let mut read = 0_u64;
    let mut peak = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match output.read(&mut buffer[filled..]).unwrap() {
                0 => break,
                count => filled += count,
            }
        }
        assert!(buffer[..filled] == pattern[..filled], "at {read}");
        read += filled as u64;
        if read % (1 << 26) < pattern.len() as u64 || filled < buffer.len() {
            peak = peak.max(resident(run.id(), "VmHWM:"));
        }
        if filled < buffer.len() {
            break;
        }
    }
    assert_eq!(read, bytes);
    assert!(run.wait().unwrap().success());
    assert!(peak < 24 << 10, "{peak} KiB");
}

/// A size of a process, in KiB; 0 when it has ended.
#[cfg(target_os = "linux")]
fn resident(pid: u32, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[test]
fn s55_each_task_has_files_of_its_own_whatever_its_value_is() {
    // The folders of GNU parallel follow the values.
    let folder = folder(&[]);
    let long = "x".repeat(300);
    let other = format!("{}y", "x".repeat(299));
    let list = ["a/b", "..", &long, &other, "new\nline"].join("\0");
    each(&[
        "-0",
        "--log-dir",
        "d",
        "--output",
        "none",
        "--",
        "sh",
        "-c",
        "printf %s \"$1\"; echo err >&2",
        "_",
        "{}",
    ])
    .in_folder(folder.path())
    .stdin(list)
    .status(0);
    let entries = fs::read_dir(folder.path().join("d")).unwrap();
    let mut names = BTreeSet::new();
    let mut contents = BTreeSet::new();
    for entry in entries {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file());
        assert!(entry.file_name().as_bytes().len() <= 120, "{entry:?}");
        let name = entry.file_name().into_string().unwrap();
        if entry.path().extension().is_some_and(|it| it == "out") {
            contents.insert(fs::read_to_string(entry.path()).unwrap());
        } else {
            assert_eq!(fs::read_to_string(entry.path()).unwrap(), "err\n");
        }
        names.insert(name);
    }
    assert_eq!(names.len(), 10, "{names:?}");
    assert!(
        names.contains("0000001-a_b.out") && names.contains("0000002-...err"),
        "{names:?}"
    );
    let values = ["a/b", "..", &long, &other, "new\nline"].map(str::to_owned);
    assert_eq!(contents, BTreeSet::from(values));
    // It is not new any more.
    let output = each(&["--log-dir", "d", "--", "true", ":::", "1"])
        .in_folder(folder.path())
        .output();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        text(&output.stderr).contains("is not empty"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_file_of_a_stream_is_text_if_the_task_wrote_to_a_terminal_and_else_its_bytes() {
    let folder = folder(&[]);
    let run = |name: &str, options: &[&str]| {
        let words = ["--output", "none", "--log-dir", name];
        let command = ["--", "printf", "{}%%\\r\\0331 \\033[Kend", ":::", "10"];
        each(&[&words, options, &command].concat())
            .in_folder(folder.path())
            .status(0);
        fs::read_to_string(folder.path().join(name).join("0000001-10.out")).unwrap()
    };
    assert_eq!(run("pipe", &[]), "10%\r\x1b1 \x1b[Kend");
    assert_eq!(run("terminal", &["--tty", "always"]), " end");
    let with_time = run("times", &["--timestamps"]);
    let (time, text) = with_time.split_once(' ').unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{with_time}");
    assert_eq!(text, " end");
}

#[test]
fn a_log_with_times_is_in_their_order_whatever_order_is_shown() {
    let folder = folder(&[]);
    let script = r#"waits() { until grep -q "$1" log; do sleep 0.01; done; }
        case $1 in
        a) echo one; waits two; echo three; waits four ;;
        b) waits one; echo two; waits three; echo four; printf five ;;
        esac"#;
    let options = [
        "-j2",
        "--keep-order",
        "--tag",
        "--log",
        "log",
        "--timestamps",
    ];
    let command = ["--", "sh", "-c", script, "_", "{}", ":::", "a", "b"];
    each(&[&options[..], &command].concat())
        .in_folder(folder.path())
        .stdout("a\tone\na\tthree\nb\ttwo\nb\tfour\nb\tfive")
        .status(0);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let lines = log.lines().map(|line| line.split_once(' ').unwrap());
    let (times, texts): (Vec<_>, Vec<_>) = lines.unzip();
    assert_eq!(
        texts,
        ["a\tone", "b\ttwo", "a\tthree", "b\tfour", "b\tfive"]
    );
    assert!(times.is_sorted(), "{times:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn s56_the_terminal_is_lent_to_one_task_after_the_other_and_the_bars_come_back() {
    let script = r#"
        case $1 in
        draws) while ! [ -e over ]; do echo 1/2 >&3; sleep 0.05; done ;;
        *) read -r word </dev/tty; echo "$1 got $word" >>got; echo 2/2 >&3 ;;
        esac"#;
    let mut terminal = terminal().run(&[
        PROGRUN, "each", "-j3", "--", "sh", "-c", script, "_", "{}", ":::", "one", "draws", "two",
    ]);
    let leader = terminal.leader();
    let folder = terminal.folder.path().to_owned();
    let got = || {
        fs::read_to_string(folder.join("got"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let mut before = leader;
    for (word, answers) in [("Ada\r", 1), ("Bob\r", 2)] {
        terminal.eventually("lent", |terminal| {
            ![leader, before].contains(&terminal.foreground())
        });
        before = terminal.foreground();
        terminal.types(word);
        terminal.eventually("the answer", |_| got() == answers);
    }
    terminal.until("the bars", |screen| {
        screen.contains("draws") && screen.contains("2/3")
    });
    fs::write(folder.join("over"), "").unwrap();
    assert_eq!(terminal.ends(), End::Status(0));
    let mut got: Vec<_> = fs::read_to_string(folder.join("got"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    got.sort();
    let possible = [
        ["one got Ada", "two got Bob"],
        ["one got Bob", "two got Ada"],
    ];
    assert!(possible.iter().any(|possible| got == *possible), "{got:?}");
}

#[test]
fn s57_a_task_reads_nothing_from_the_stdin_of_the_run() {
    // GNU parallel gives its own to the first task.
    let zero = File::open("/dev/zero").unwrap();
    let output = Command::new(PROGRUN)
        .args(["each", "-q", "--", "cat", ":::", "/dev/null"])
        .stdin(zero)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let folder = folder(&[("a", "one\n"), ("b", "one\ntwo\n")]);
    each(&["-k", "--stdin", "{}", "--", "wc", "-l", ":::", "a", "b"])
        .in_folder(folder.path())
        .stdout("1\n2\n")
        .status(0);
    let run = each(&[
        "-j1", "--stdin", "inherit", "--", "head", "-c", "2", ":::", "-",
    ])
    .stdin("hello");
    run.stdout("he").status(0);
}
