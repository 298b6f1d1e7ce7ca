//! The status that progrun ends with.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::geteuid;

use crate::harness::{needs, needs_that};
use crate::support::{Gate, Progrun, Signal, assert_text, child, progrun, text};

/// Writes a file that a test tries to run.
fn file(folder: &Path, name: &str, content: &str, mode: u32) {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_status_of_the_command_is_progruns_own() {
    progrun(&["--", "true"]).status(0);
    progrun(&["--", "sh", "-c", "exit 7"])
        .stderr("sh: failed with exit status 7 after [..]\n")
        .status(7);
    progrun(&["--quiet", "--", "sh", "-c", "exit 255"]).status(255);
}

#[test]
fn a_command_that_dies_by_a_signal_takes_progrun_with_it_by_the_same() {
    progrun(&["--", "sh", "-c", "ulimit -c 0; kill -SEGV $$"])
        .stderr("sh: killed by SIGSEGV after [..]\n")
        .dies_by(Signal::SEGV);
    progrun(&["--quiet", "--", "sh", "-c", "kill -PIPE $$"]).dies_by(Signal::PIPE);
    progrun(&["--quiet", "--", "sh", "-c", "kill -KILL $$"]).dies_by(Signal::KILL);
    progrun(&["--quiet", "--", "sh", "-c", "kill -INT $$"]).dies_by(Signal::INT);
}

#[test]
fn a_shell_shows_128_and_the_signal() {
    progrun(&["--quiet", "--", "sh", "-c", "kill -TERM $$"])
        .inside("bash", r#""$@"; echo "$?""#)
        .stdout("143\n")
        .stderr("[..]Terminated[..]\n")
        .status(0);
}

#[test]
fn progrun_leaves_no_core_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let output = progrun(&["--quiet", "--", "sh", "-c", "ulimit -c 0; kill -SEGV $$"])
        .inside("sh", r#"ulimit -c "$(ulimit -H -c)"; exec "$@""#)
        .in_folder(folder.path())
        .output();
    assert_eq!(output.status.signal(), Some(11));
    assert!(!output.status.core_dumped());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_command_that_is_not_there_is_127() {
    progrun(&["--", "no-such-command-1"])
        .stderr("progrun: cannot run no-such-command-1: no such command in PATH\n")
        .status(127);
    progrun(&["--", "./no/such/file"])
        .stderr("progrun: cannot run ./no/such/file: no such file\n")
        .status(127);
    progrun(&["--", ""])
        .stderr("progrun: cannot run the command: its name is empty\n")
        .status(127);
}

#[test]
fn a_directory_is_126() {
    progrun(&["--", "/"])
        .stderr("progrun: cannot run /: it is a directory\n")
        .status(126);
}

#[test]
fn a_file_that_is_not_executable_is_126() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "notes", "echo\n", 0o644);
    progrun(&["--", "./notes"])
        .in_folder(folder.path())
        .stderr(
            "progrun: cannot run ./notes: permission denied (to make it executable: chmod +x ./notes)\n",
        )
        .status(126);
}

#[test]
fn a_script_whose_interpreter_is_missing_is_126_and_the_interpreter_is_named() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "lost", "#!/no/such/interpreter -x\n", 0o755);
    progrun(&["--", "./lost"])
        .in_folder(folder.path())
        .stderr("progrun: cannot run ./lost: its interpreter /no/such/interpreter was not found\n")
        .status(126);
}

#[test]
fn a_script_without_a_first_line_is_run_by_sh_as_in_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "bare", "echo bare\nexit 3\n", 0o755);
    progrun(&["--quiet", "--", "./bare"])
        .in_folder(folder.path())
        .stdout("bare\n")
        .status(3);
}

#[test]
fn what_cannot_be_understood_is_125() {
    progrun(&[])
        .stderr(
            "\
progrun runs a command with a progress bar and a safe Ctrl-C. Put `progrun --` before it:

  progrun -- ./backup.sh                 your own script, or any program: git, rsync, cargo, ...
  progrun each -- gzip -9 {} ::: *.log   a command for each of many files, several at once
  progrun demo                           half a minute that shows it

See progrun -h for the options, and progrun help for the manual.
",
        )
        .status(125);
    for arguments in [
        ["--no-such-option", "--", "true"],
        ["--progress=loud", "--", "true"],
        ["--fd=2", "--", "true"],
        ["--fd=256", "--", "true"],
        ["--fd=x", "--", "true"],
    ] {
        let output = progrun(&arguments).output();
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).starts_with("progrun: "), "{output:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_told_without_what_a_terminal_obeys() {
    let bad = "x\u{9b}31m\u{202e}\x1b]2;title\x07";
    for run in [
        progrun(&["--timeout", bad, "--", "true"]),
        progrun(&[&format!("--{bad}"), "--", "true"]),
        progrun(&["--", "true"]).variable("PROGRUN_OUTPUT", bad),
    ] {
        let output = run.output();
        assert_eq!(output.status.code(), Some(125));
        let said = text(&output.stderr);
        assert!(said.contains("x<U+009B>31m<U+202E>"), "{said:?}");
        let is_harmless = |character: char| character == '\n' || !character.is_control();
        assert!(said.chars().all(is_harmless), "{said:?}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_125_and_the_command_is_not_run() {
    progrun(&["--log=/no/such/folder/log", "--", "echo", "ran"])
        .stderr(
            "progrun: cannot write /no/such/folder/log: there is no directory /no/such/folder\n",
        )
        .status(125);
    progrun(&["--json=/no/such/folder/events", "--", "echo", "ran"])
        .stderr(
            "progrun: cannot write /no/such/folder/events: there is no directory /no/such/folder\n",
        )
        .status(125);
}

#[test]
fn a_command_without_the_two_dashes_explains_them() {
    progrun(&["ls"])
        .stderr(
            "progrun: put `--` before the command, so that its options are not taken for progrun's: progrun -- ls ...\n",
        )
        .status(125);
}

#[test]
fn help_and_version_go_to_stdout_with_success() {
    progrun(&["--version"])
        .stdout(concat!("progrun ", env!("CARGO_PKG_VERSION"), "\n"))
        .status(0);
    for option in ["--help", "-h"] {
        let output = progrun(&[option]).output();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stderr), "");
        let help = text(&output.stdout);
        assert!(
            help.contains("Usage: progrun [OPTIONS] -- COMMAND [ARG]...\n"),
            "{help}"
        );
        // A summary has the options that are used every day, and no variables.
        let is_full = option == "--help";
        for word in ["--kill-after", "--lease", "PROGRUN_TIMEOUT"] {
            assert_eq!(help.contains(word), is_full, "{word}: {help}");
        }
        for word in ["-t, --timeout", "-o, --output", "-l, --log", "-n, --name"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}

#[test]
fn a_limit_of_open_files_that_is_too_low_is_named_with_the_remedy() {
    for limit in 9..24 {
        let output = progrun(&["--output=on-failure", "--", "true"])
            .inside("bash", &format!(r#"ulimit -n {limit}; exec "$@""#))
            .output();
        let words = text(&output.stderr);
        if output.status.success() {
            assert_eq!(words, "");
        } else {
            assert_eq!(output.status.code(), Some(125), "{limit}");
            assert!(words.ends_with("(ulimit -n)\n"), "{limit}: {words}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_processes_that_is_too_low_is_named_with_the_remedy() {
    // The limit does not hold for root, so root becomes another user, who has no process yet.
    needs_that(geteuid().is_root(), "root, for a user without processes");
    needs(&["setpriv"]);
    // Another one each time, also in another run of this test: the limit is for all processes of a user, and the
    // watcher of a progrun may end a moment after it.
    let mut users = 200_000 + 16 * std::process::id()..;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("progrun");
    fs::copy(env!("CARGO_BIN_EXE_progrun"), &copy).unwrap();
    let mut failures = 0;
    for limit in 1..8 {
        let script = format!("ulimit -u {limit}; exec \"$@\"");
        let mut run = |command: &[&str]| {
            let user = users.next().unwrap();
            let user =
                format!(r#"exec setpriv --reuid={user} --clear-groups bash -c "$0" bash "$@""#);
            let mut bash = std::process::Command::new("bash");
            let bash = bash.args(["-c", &user, &script]).arg(&copy).arg("--");
            bash.args(command).output().unwrap()
        };
        for command in [&["true"][..], &["sleep", "0.05"]] {
            let output = run(command);
            let words = text(&output.stderr);
            if output.status.success() {
                assert_eq!(words, "");
                continue;
            }
            failures += 1;
            assert_eq!(output.status.code(), Some(125), "{limit}: {words}");
            assert!(words.ends_with("(ulimit -u)\n"), "{limit}: {words}");
            // What a longer run starts beside the command is not worth its end.
            let step = words.strip_prefix("progrun: ").unwrap();
            let is_needed = ["cannot start a worker thread", "starting a process failed"]
                .iter()
                .any(|needed| step.starts_with(needed));
            assert!(is_needed, "{limit}: {words}");
        }
    }
    assert!((1..14).contains(&failures), "{failures}");
}

#[test]
fn what_is_asked_for_and_cannot_be_written_is_125() {
    for option in ["--help", "-h", "--version", "--list-formats"] {
        progrun(&[option])
            .inside("sh", r#"exec "$@" >/dev/full"#)
            .stderr("progrun: cannot write to stdout: no space left on device\n")
            .status(125);
        // A reader that has left has seen enough: no message.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let run = progrun(&[option]).start_on(writer, Stdio::piped()).finish();
        assert_eq!(run.status.signal(), Some(Signal::PIPE.as_raw()));
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn after_ctrl_c_the_status_is_130_even_if_the_command_succeeds() {
    let mut gate = Gate::new();
    let command = ["--json", "--grace=1h", "--", "sh", &child("deaf.sh")];
    let mut run = progrun(&[&command[..], &[gate.path()]].concat()).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    let ended = run.finish();
    assert_eq!(ended.finished()["exit_status"], 0);
    assert_eq!(ended.finished()["state"], "cancelled");
    ended.died_by(Signal::INT);
}

#[test]
fn preserve_status_gives_the_commands_own_after_ctrl_c() {
    let mut gate = Gate::new();
    let options = ["--json", "--grace=1h", "--preserve-status", "--", "sh"];
    let command = [&child("tidy.sh"), gate.path()];
    let mut run = progrun(&[&options[..], &command].concat()).start();
    run.event("progress");
    run.signal(Signal::INT);
    run.event("state");
    gate.open();
    assert_eq!(run.finish().status.code(), Some(130));
}

#[test]
fn stderr_that_is_closed_changes_nothing() {
    let output = progrun(&["--", "sh", "-c", "echo out; exit 7"])
        .inside("sh", r#"exec "$@" 2>&-"#)
        .output();
    assert_text(&text(&output.stdout), "out\n");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn an_empty_variable_of_an_option_is_as_good_as_none() {
    for option in [
        "PROGRESS",
        "COLOR",
        "FROM",
        "OUTPUT",
        "TTY",
        "TIMEOUT",
        "GRACE",
        "KILL_AFTER",
        "SIGNAL",
        "CHANNEL",
    ] {
        let name = format!("PROGRUN_{option}");
        let ended = progrun(&["--json", "--", "sh", "-c", "echo 1/2 >&3; exit 7"])
            .variable(&name, "")
            .start()
            .finish();
        assert_eq!(ended.finished()["reports"], 1, "{name}");
        assert_eq!(ended.status.code(), Some(7), "{name}");
    }
}

#[test]
fn a_variable_with_a_wrong_value_is_named() {
    let times = "expected a time such as 90s, 1h30m or 0.5";
    for (name, why) in [
        ("PROGRUN_PROGRESS", "expected auto, bars, plain or none"),
        ("PROGRUN_COLOR", "expected auto, always or never"),
        ("PROGRUN_OUTPUT", "expected stream, on-failure or none"),
        ("PROGRUN_TTY", "expected auto, always or never"),
        ("PROGRUN_TIMEOUT", times),
        ("PROGRUN_GRACE", times),
        ("PROGRUN_KILL_AFTER", times),
        (
            "PROGRUN_SIGNAL",
            "expected a name such as TERM or RTMIN+1, or a number from 1 to 64",
        ),
        ("PROGRUN_CHANNEL", "expected a number from 3 to 255"),
    ] {
        progrun(&["--", "true"])
            .variable(name, "soon")
            .stderr(&format!(
                "progrun: invalid value 'soon' for {name}: {why}\nFor more information, try 'progrun --help'.\n"
            ))
            .status(125);
    }
    let first_line = |run: Progrun| {
        let output = run.output();
        assert_eq!(output.status.code(), Some(125));
        text(&output.stderr).lines().next().unwrap().to_owned()
    };
    let from = progrun(&["--", "true"]).variable("PROGRUN_FROM", "curls");
    assert_eq!(
        first_line(from),
        "progrun: invalid value 'curls' for PROGRUN_FROM: no format or program of this name is known; did you mean 'curl'?"
    );
    let from = progrun(&["--", "true"]).variable("PROGRUN_FROM", "auto,curl");
    assert_eq!(
        first_line(from),
        "progrun: 'auto' in 'PROGRUN_FROM=auto,curl' cannot be combined with other names"
    );
    let not_unicode =
        progrun(&["--", "true"]).inside("bash", r#"PROGRUN_CHANNEL=$'\xff' exec "$@""#);
    assert_eq!(
        first_line(not_unicode),
        "progrun: the value of PROGRUN_CHANNEL is not UTF-8"
    );
    // The command line takes precedence, right or wrong.
    let option = progrun(&["--fd=2", "--", "true"]).variable("PROGRUN_CHANNEL", "x");
    assert_eq!(
        first_line(option),
        "progrun: invalid value '2' for --fd: expected a number from 3 to 255"
    );
}

#[test]
fn a_file_of_json_without_the_equals_sign_is_told_where_it_belongs() {
    progrun(&["--json", "events", "--", "true"])
        .stderr("progrun: --json takes its file after an equals sign: --json=events\n")
        .status(125);
    progrun(&["--quiet", "--json", "a/b.jsonl", "--grace=1", "--", "true"])
        .stderr("progrun: --json takes its file after an equals sign: --json=a/b.jsonl\n")
        .status(125);
}

#[test]
fn the_value_of_another_option_without_the_equals_sign_is_told_where_it_belongs() {
    for command in [&["--", "true"][..], &["true"]] {
        let words = ["each", "--job-log=x", "--resume", "failed"];
        progrun(&[&words[..], command, &[":::", "a"]].concat())
            .stderr("progrun: --resume takes its value after an equals sign: --resume=failed\n")
            .status(125);
    }
    progrun(&["each", "--shell", "bash", "--", "true", ":::", "a"])
        .stderr("progrun: --shell takes its shell after an equals sign: --shell=bash\n")
        .status(125);
}

#[test]
fn a_standard_stream_that_is_closed_is_closed_for_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let open = "for i in 0 1 2; do [ -e /dev/fd/$i ] && echo $i is open >>open; done; exit 0";
    for options in [
        &["--quiet"][..],
        &["--quiet", "--log=log"],
        &["--quiet", "--tty=always"],
    ] {
        for (closed, others) in [
            ("<&-", "1 is open\n2 is open\n"),
            (">&-", "0 is open\n2 is open\n"),
            ("2>&-", "0 is open\n1 is open\n"),
        ] {
            let file = folder.path().join("open");
            let _ = fs::remove_file(&file);
            progrun(&[options, &["--", "sh", "-c", open]].concat())
                .inside("sh", &format!(r#"exec "$@" {closed}"#))
                .in_folder(folder.path())
                .status(0);
            // The shell opens the file `open` with the free number, and then moves it.
            assert_eq!(
                fs::read_to_string(&file).unwrap(),
                others,
                "{options:?} {closed}"
            );
        }
    }
    progrun(&["--quiet", "--", "sh", "-c", "echo hi"])
        .inside("sh", r#""$@" >&- 2>/dev/null; echo $?"#)
        .stdout("1\n")
        .status(0);
}

#[test]
fn a_standard_stream_that_goes_to_dev_null_is_open_for_the_command() {
    progrun(&["--quiet", "--", "sh", "-c", "cat; echo hi && echo hi >&2"])
        .inside("sh", r#"exec "$@" 0<>/dev/null 1<>/dev/null 2<>/dev/null"#)
        .status(0);
}

#[test]
fn nothing_of_progruns_own_goes_where_a_closed_stderr_was() {
    let folder = tempfile::tempdir().unwrap();
    for progress in ["--progress=plain", "--progress=bars"] {
        progrun(&[
            progress,
            "--log=log",
            "--json=events",
            "--",
            "sh",
            "-c",
            "echo 1/2 >&3; exit 3",
        ])
        .inside("sh", r#"exec "$@" 2>&-"#)
        .in_folder(folder.path())
        .status(3);
        assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "");
        let events = fs::read_to_string(folder.path().join("events")).unwrap();
        assert!(
            events.lines().all(|line| line.starts_with("{\"event\"")),
            "{events}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_timeout_sends_any_signal_that_there_is() {
    for signal in ["RTMIN+1", "SIGRTMIN+1", "35"] {
        let option = format!("--signal={signal}");
        let limits = ["--preserve-status", "--timeout=0.1", "--kill-after=0"];
        let command = [&limits[..], &["--quiet", &option, "--", "sleep", "1000"]].concat();
        let ended = progrun(&command).start().end();
        assert_eq!(ended.signal(), Some(35), "{signal}");
    }
}

#[test]
fn a_log_called_dash_is_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo out; echo err >&2";
    progrun(&[
        "--quiet",
        "--output=none",
        "--log",
        "-",
        "--",
        "sh",
        "-c",
        script,
    ])
    .in_folder(folder.path())
    .stdout("out\nerr\n")
    .status(0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    progrun(&["--json", "--log=-", "--", "true"])
        .stderr("progrun: --log and --json cannot both write to stdout\n")
        .status(125);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn no_library_is_loaded_but_that_of_c() {
    // Each further one costs the start 0.1 ms.
    let output = progrun(&["--", "sh", "-c", "cat /proc/$PPID/maps"]).output();
    let maps = text(&output.stdout);
    let files = maps.lines().filter_map(|line| line.rsplit_once('/'));
    let libraries: BTreeSet<_> = files
        .map(|(_, name)| name)
        .filter(|name| name.contains(".so"))
        .collect();
    let usual = ["libc.so", "libc-", "ld-"];
    let is_usual = |name: &&str| usual.iter().any(|usual| name.starts_with(usual));
    assert!(libraries.iter().all(is_usual), "{libraries:?}");
    assert_eq!(libraries.len(), 2, "{maps}");
}
