//! Which processes hold the two ends of the channel during a run. A read end outside progrun would silently disable
//! every cancellation. Also which processes hold the other descriptors of progrun: a command that inherits progrun's
//! end of its own output would never notice that progrun is gone.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Pid;

use crate::support::{Gate, Running, pid_in, progrun, until};

/// Reports its pid and waits at the gate `$1`.
const WAITS: &str = r#"echo "{\"pid\": $$}" >&3; read -r _ <"$1""#;

/// A command that has reported and waits, under `progrun --json` with more options.
fn waiting(options: &[&str], script: &str, gate: &Gate) -> (Running, Pid) {
    let command = ["--json", "--", "sh", "-c", script, "sh", gate.path()];
    let mut run = progrun(&[options, &command].concat()).start();
    let pid = pid_in(&run.event("progress")["info"]["pid"]);
    (run, pid)
}

/// The name of the channel of a process, as /proc shows it.
fn channel_of(pid: Pid) -> String {
    let link = fs::read_link(format!("/proc/{pid}/fd/3")).unwrap();
    let link = link.into_os_string().into_string().unwrap();
    assert!(link.starts_with("pipe:"), "{link}");
    link
}

/// The processes that have this pipe open for reading, and those that have it open for writing.
fn holders(pipe: &str) -> [BTreeSet<i32>; 2] {
    let [mut readers, mut writers] = [BTreeSet::new(), BTreeSet::new()];
    let processes = fs::read_dir("/proc").unwrap().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        // The process may end, or close descriptors, during the search.
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten().map(|entry| entry.path()) {
            if fs::read_link(&descriptor).is_ok_and(|link| link == Path::new(pipe)) {
                let number = descriptor.file_name().unwrap().to_str().unwrap();
                let Ok(info) = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")) else {
                    continue;
                };
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                // Access mode 1 is `O_WRONLY`. A descriptor that is open for both can be read, too.
                let writes_only = flags.unwrap().ends_with('1');
                (if writes_only {
                    &mut writers
                } else {
                    &mut readers
                })
                .insert(pid);
            }
        }
    }
    [readers, writers]
}

/// Checks that `reader` alone reads the channel of `command`, and `writers` alone write to it. Waits until progrun,
/// which may be slower than the command, has closed the end that it passed on.
#[track_caller]
fn assert_holders(command: Pid, reader: Pid, writers: &[Pid]) {
    let number = |pid: &Pid| pid.as_raw_nonzero().get();
    let expected = writers.iter().map(number).collect();
    let channel = channel_of(command);
    until(|| {
        let [readers, writers] = holders(&channel);
        // The watcher holds a copy for a moment, until it has closed the descriptors that it inherited.
        readers == BTreeSet::from([number(&reader)]) && writers == expected
    });
}

#[test]
fn progrun_alone_reads_and_the_command_alone_writes() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("--log={}", folder.path().join("log").display());
    for options in [
        &[][..],
        &[log.as_str()],
        &["--timeout=1h", "--wait-output"],
        &["--output=on-failure"],
        &["--quiet"],
    ] {
        let mut gate = Gate::new();
        let (run, command) = waiting(options, WAITS, &gate);
        assert_holders(command, run.pid(), &[command]);
        gate.open();
        assert_eq!(run.finish().status.code(), Some(0), "{options:?}");
    }
}

#[test]
fn without_json_it_is_the_same() {
    let mut gate = Gate::new();
    let script = r#"echo 1/2 >&3; echo "$$"; read -r _ <"$1""#;
    let mut run = progrun(&["--", "sh", "-c", script, "sh", gate.path()]).start();
    let command = Pid::from_raw(run.stdout_line().trim().parse().unwrap()).unwrap();
    assert_holders(command, run.pid(), &[command]);
    gate.open();
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn several_at_once_hold_nothing_of_each_other() {
    let mut gates = [(); 8].map(|()| Gate::new());
    let runs: Vec<_> = gates.iter().map(|gate| waiting(&[], WAITS, gate)).collect();
    let channels: BTreeSet<_> = runs
        .iter()
        .map(|(_, command)| channel_of(*command))
        .collect();
    assert_eq!(channels.len(), runs.len());
    for (run, command) in &runs {
        assert_holders(*command, run.pid(), &[*command]);
    }
    for gate in &mut gates {
        gate.open();
    }
    for (run, _) in runs {
        assert_eq!(run.finish().status.code(), Some(0));
    }
}

#[test]
fn a_command_that_opens_the_channel_anew_gets_no_read_end() {
    let mut gate = Gate::new();
    let script = format!("exec 4>/dev/fd/3 5>>/proc/self/fd/3; {WAITS}");
    let (run, command) = waiting(&[], &script, &gate);
    assert_holders(command, run.pid(), &[command]);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn what_the_command_starts_holds_a_write_end_and_no_more() {
    let mut gate = Gate::new();
    let script =
        r#"sh -c 'echo "{\"pid\": $PPID, \"own\": $$}" >&3; read -r _ <"$1"' sh "$1"; exit"#;
    let command = ["--json", "--", "sh", "-c", script, "sh", gate.path()];
    let mut run = progrun(&command).start();
    let info = run.event("progress")["info"].clone();
    let (command, member) = (pid_in(&info["pid"]), pid_in(&info["own"]));
    assert_holders(command, run.pid(), &[command, member]);
    gate.open();
    assert_eq!(run.finish().status.code(), Some(0));
}

#[test]
fn an_inner_progrun_writes_to_the_outer_channel_and_alone_reads_its_own() {
    let mut gate = Gate::new();
    let script = r#"echo 1/2 >&3; echo "$$"; read -r _ <"$1""#;
    let program = env!("CARGO_BIN_EXE_progrun");
    let inner = [program, "--", "sh", "-c", script, "sh", gate.path()];
    let mut outer = progrun(&[&["--json", "--"][..], &inner].concat()).start();
    let inner = outer.child();
    let said = outer.event("output")["text"].clone();
    let command = Pid::from_raw(said.as_str().unwrap().trim().parse().unwrap()).unwrap();
    assert_holders(command, inner, &[command]);
    assert_holders(inner, outer.pid(), &[inner]);
    gate.open();
    assert_eq!(outer.finish().status.code(), Some(0));
}

/// The pipes, sockets and pseudo-terminals that a process has open, except for its standard streams: `pipe:[123] 0`
/// with the access mode, `/dev/ptmx 7` with the number of the pseudo-terminal.
fn ends(pid: impl Display) -> BTreeSet<String> {
    let mut ends = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let number = entry.file_name().into_string().unwrap();
        let (Ok(link), Ok(info)) = (
            fs::read_link(entry.path()),
            fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")),
        ) else {
            continue;
        };
        let link = link.into_os_string().into_string().unwrap();
        let field = |name| {
            let value = info.lines().find_map(|line| line.strip_prefix(name));
            value.map(|value| value.trim().to_owned())
        };
        let end = if link.starts_with("pipe:") {
            let flags = field("flags:").unwrap();
            format!("{link} {}", &flags[flags.len() - 1..])
        } else if link.ends_with("ptmx") {
            format!("/dev/ptmx {}", field("tty-index:").unwrap())
        } else if link.starts_with("socket:") {
            link
        } else {
            continue;
        };
        if !["0", "1", "2"].contains(&number.as_str()) {
            ends.insert(end);
        }
    }
    ends
}

/// The ends that a progrun has opened itself.
fn own_ends(progrun: Pid) -> BTreeSet<String> {
    // Without those that this test inherited: progrun and its command inherit them as well.
    &ends(progrun) - &ends("self")
}

fn count(ends: &BTreeSet<String>, kind: &str) -> usize {
    ends.iter().filter(|end| end.starts_with(kind)).count()
}

/// Checks that no process in `others` has anything open that `progrun` has opened.
#[track_caller]
fn assert_kept_from(progrun: Pid, others: &[Pid]) {
    let kept = own_ends(progrun);
    for &other in others {
        let leaked = &kept & &ends(other);
        assert!(leaked.is_empty(), "{other} has of {progrun}'s: {leaked:?}");
    }
}

/// Each progrun has two pseudo-terminals, the channel, the pipe of `ZIG_PROGRESS`, the socket and a connection to it.
#[test]
fn nothing_that_progrun_has_open_is_open_in_the_command_or_in_an_inner_progrun() {
    let mut gate = Gate::new();
    let program = env!("CARGO_BIN_EXE_progrun");
    let options = ["--json", "--tty=always", "--"];
    let inner = [
        program,
        "--tty=always",
        "--output=on-failure",
        "--name=inner",
    ];
    // In a file, because the output of the innermost command passes through both.
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let script = r#"echo 1/2 >&3; echo "$$ $PROGRUN_SOCK" >"$2"; read -r _ <"$1""#;
    let file = said.to_str().unwrap();
    let command = ["--", "sh", "-c", script, "sh", gate.path(), file];
    let mut outer = progrun(&[&options[..], &inner, &command].concat()).start();
    let inner = outer.child();
    until(|| fs::read_to_string(&said).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&said).unwrap();
    let (innermost, socket) = text.trim().split_once(' ').unwrap();
    let innermost = Pid::from_raw(innermost.parse().unwrap()).unwrap();

    // A client of the inner socket.
    let before = count(&own_ends(inner), "socket:");
    let _connection = UnixStream::connect(socket).unwrap();
    until(|| count(&own_ends(inner), "socket:") > before);
    for progrun in [outer.pid(), inner] {
        let own = own_ends(progrun);
        assert_eq!(count(&own, "/dev/ptmx"), 2, "{own:?}");
        assert!(count(&own, "pipe:") >= 3, "{own:?}");
        assert!(count(&own, "socket:") >= 1, "{own:?}");
    }
    assert_kept_from(outer.pid(), &[inner, innermost]);
    // The outer channel and the outer pipe of `ZIG_PROGRESS`: the command gets the inner ones in their places.
    assert_kept_from(inner, &[innermost]);
    gate.open();
    assert_eq!(outer.finish().status.code(), Some(0));
}

#[test]
fn nothing_that_progrun_has_open_is_open_in_a_neighbour() {
    let mut gates = [(); 4].map(|()| Gate::new());
    let options = ["--tty=always"];
    let runs = gates.each_ref().map(|gate| waiting(&options, WAITS, gate));
    let everybody: Vec<_> = runs
        .iter()
        .flat_map(|(run, command)| [run.pid(), *command])
        .collect();
    for (run, _) in &runs {
        let own = run.pid();
        let others: Vec<_> = everybody
            .iter()
            .copied()
            .filter(|pid| *pid != own)
            .collect();
        assert_kept_from(own, &others);
    }
    for gate in &mut gates {
        gate.open();
    }
    for (run, _) in runs {
        assert_eq!(run.finish().status.code(), Some(0));
    }
}
