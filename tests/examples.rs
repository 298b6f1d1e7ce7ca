//! Every program in `examples/`, one per language: alone, under progrun, cancelled in the middle, and
//! behind a launcher that uses descriptor 3 for another file.
//!
//! Responsible for the promise of `examples/README.md` that these are lines to copy. The tests do not know how an
//! example reports: they compare its results with what `sha256sum`, `cksum`, `gzip` and Python's `zipfile` say about
//! the same files.
//!
//! Where an interpreter or the C compiler is missing, the tests of that language are ignored; with
//! `PROGRUN_TEST_ALL=1` they fail.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::needs;

/// Sorts between its neighbours, so that an example that waits for it is in the middle of its work.
const SLOW: &str = "b slow";

/// How to start an example: the program and what comes before the directory.
struct Example {
    command: Vec<PathBuf>,
    leaves: Leaves,
    /// Holds what was built for this test.
    _built: Option<TempDir>,
}

/// What an example leaves beside the directory.
#[derive(Clone, Copy)]
enum Leaves {
    /// `DIR.sha256`, as `sha256sum` writes it.
    Sha256,
    /// `DIR.cksum`, as `cksum` writes it.
    Cksum,
    /// `DIR-gz/`, a `.gz` for every file.
    Gzip,
    /// `DIR.zip`.
    Zip,
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// A script for `command`.
fn script(command: &[&str], name: &str, leaves: Leaves) -> Example {
    needs(&command[..1]);
    let command = command.iter().map(PathBuf::from);
    Example {
        command: command.chain([source(name)]).collect(),
        leaves,
        _built: None,
    }
}

/// The shell example without its `set -e`: it has to work without it.
fn sh_without_set_e() -> Example {
    let text = fs::read_to_string(source("compress.sh")).unwrap();
    assert!(text.contains("\nset -eu\n"));
    let built = tempfile::tempdir().unwrap();
    let copy = built.path().join("compress.sh");
    fs::write(&copy, text.replace("\nset -eu\n", "\n")).unwrap();
    Example {
        command: vec![PathBuf::from("sh"), copy],
        leaves: Leaves::Gzip,
        _built: Some(built),
    }
}

fn c() -> Example {
    needs(&["cc"]);
    let built = tempfile::tempdir().unwrap();
    let program = built.path().join("checksum");
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source("checksum.c")])
        .status()
        .unwrap();
    assert!(compiled.success());
    Example {
        command: vec![program],
        leaves: Leaves::Cksum,
        _built: Some(built),
    }
}

fn rust() -> Example {
    let program = crate::support::example("checksum");
    Example {
        command: vec![program],
        leaves: Leaves::Cksum,
        _built: None,
    }
}

impl Example {
    /// The launcher's words, the example's, and the directory. Without the channel of this test, which may itself run
    /// under progrun.
    fn started_by(&self, launcher: &[&str], folder: &Path) -> Command {
        let mut words = launcher
            .iter()
            .map(PathBuf::from)
            .chain(self.command.iter().cloned());
        let mut command = Command::new(words.next().unwrap());
        // Puts progrun into the PATH, as if it were installed.
        let installed = Path::new(env!("CARGO_BIN_EXE_progrun")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = [installed.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        command
            .args(words)
            .arg(folder)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env_remove("PROGRUN_FD")
            .env_remove("PROGRUN_FD_ID")
            .env_remove("PROGRUN_SOCK");
        command
    }

    /// Compares the results that the example left beside `folder` with what another program says about the files.
    fn assert_right(&self, folder: &Path) {
        let names = names_in(folder)
            .into_iter()
            .filter(|name| folder.join(name).is_file());
        let names = names.collect::<Vec<_>>();
        let beside = |ending: &str| format!("{}{ending}", folder.display());
        match self.leaves {
            Leaves::Sha256 => {
                let expected = output(Command::new("sha256sum").args(&names).current_dir(folder));
                assert_eq!(read(beside(".sha256")), text(&expected));
            }
            Leaves::Cksum => {
                let expected = output(Command::new("cksum").args(&names).current_dir(folder));
                assert_eq!(read(beside(".cksum")), text(&expected));
            }
            Leaves::Gzip => {
                let gz = names.iter().map(|name| format!("{name}.gz"));
                assert_eq!(
                    names_in(Path::new(&beside("-gz"))),
                    gz.collect::<Vec<_>>(),
                    "one .gz for each file"
                );
                for name in &names {
                    let packed = format!("{}/{name}.gz", beside("-gz"));
                    let content = output(Command::new("gzip").args(["-dc", &packed]));
                    assert!(content == fs::read(folder.join(name)).unwrap(), "{name}");
                }
            }
            Leaves::Zip => {
                let unpacked = tempfile::tempdir().unwrap();
                output(
                    Command::new("python3")
                        .args(["-m", "zipfile", "-e", &beside(".zip")])
                        .arg(unpacked.path()),
                );
                assert_eq!(names_in(unpacked.path()), names);
                for name in &names {
                    let content = fs::read(unpacked.path().join(name)).unwrap();
                    assert!(content == fs::read(folder.join(name)).unwrap(), "{name}");
                }
            }
        }
    }
}

fn read(path: String) -> String {
    fs::read_to_string(path).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    names.sort();
    names
}

/// A directory to work on, alone in a directory of its own: names that need quoting, an empty file,
/// one that takes more than one read, and a folder that is no file.
fn some_files() -> (TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let folder = room.path().join("some files");
    fs::create_dir_all(folder.join("a folder")).unwrap();
    fs::write(folder.join("a.txt"), "hello\n").unwrap();
    fs::write(folder.join("c \"quoted\" é.txt"), "quoted\n").unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    let large = (0..1_500_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    fs::write(folder.join("large"), large.collect::<Vec<_>>()).unwrap();
    (room, folder)
}

fn next_event(events: &mut impl Iterator<Item = Value>, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Vec::new();
    for event in events {
        if wanted(&event) {
            return event;
        }
        seen.push(event.to_string());
    }
    panic!(
        "progrun ended without the event; it gave\n{}",
        seen.join("\n")
    );
}

/// Starts `command` and gives the events that it prints.
fn start(command: &mut Command) -> (Child, impl Iterator<Item = Value> + use<>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let events = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    (child, events)
}

fn works_alone(example: &Example) {
    let (_room, folder) = some_files();
    let output = example.started_by(&[], &folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "");
    example.assert_right(&folder);
}

fn reports_to_progrun(example: &Example) {
    let (_room, folder) = some_files();
    let progrun = [env!("CARGO_BIN_EXE_progrun"), "--quiet", "--json", "--"];
    let (mut child, events) = start(&mut example.started_by(&progrun, &folder));
    let events = events.collect::<Vec<_>>();
    assert!(child.wait().unwrap().success(), "{events:#?}");
    example.assert_right(&folder);

    for name in ["a.txt", "c \"quoted\" é.txt", "empty", "large"] {
        let told = |event: &Value| event["event"] == "progress" && mentions(event, name);
        assert!(events.iter().any(told), "no word of {name}: {events:#?}");
    }
    let unexpected = |event: &&Value| event["event"] == "malformed" || event["event"] == "output";
    assert_eq!(events.iter().find(unexpected), None);
    let finished = events.last().unwrap();
    assert_eq!(finished["state"], "completed");
    assert_eq!(finished["exit_status"], 0);
}

/// Whether a field of the report has `name` in it, quoted or not.
fn mentions(event: &Value, name: &str) -> bool {
    let fields = event["info"].as_object().unwrap().values();
    let mut texts = fields.filter_map(Value::as_str);
    texts.any(|text| text.contains(name))
}

fn cleans_up_when_cancelled(example: &Example) {
    let (room, folder) = some_files();
    let slow = folder.join(SLOW);
    output(Command::new("mkfifo").arg(&slow));
    // The grace is meant for children that do not stop. This one waits for the test, however long that takes on a busy
    // machine.
    let progrun = [
        env!("CARGO_BIN_EXE_progrun"),
        "--quiet",
        "--json",
        "--grace=1h",
        "--",
    ];
    let (mut child, mut events) = start(&mut example.started_by(&progrun, &folder));
    next_event(&mut events, |event| {
        event["event"] == "progress" && mentions(event, SLOW)
    });
    // Opens once the example has opened it too, and keeps the example there until it is dropped.
    let mut slow = File::options().write(true).open(slow).unwrap();
    assert_eq!(
        names_in(room.path()).len(),
        2,
        "the directory, and something half done"
    );

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    next_event(&mut events, |event| event["state"] == "cancelling");
    slow.write_all(b"at last\n").unwrap();
    drop(slow);

    let rest = events.collect::<Vec<_>>();
    let said = rest.iter().filter(|event| event["stream"] == "stderr");
    let said = said.map(|event| event["text"].as_str().unwrap());
    assert_eq!(said.collect::<String>(), "cleaned up\n");
    let finished = rest.last().unwrap();
    assert_eq!(finished["event"], "finished");
    assert_eq!(finished["state"], "cancelled");
    assert_eq!(finished["exit_status"], 130);
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert_eq!(names_in(room.path()), ["some files"]);
}

/// What launchers do to a descriptor whose number stays in the environment: `"$0"` is a file of the user's, `"$@"` the
/// example.
const LAUNCHERS: [&str; 3] = [
    r#""$@" 3>&-"#,
    r#""$@" 3>"$0""#,
    r#"{ "$@" 3>&1 >&2; } | cat >"$0""#,
];

fn writes_nothing_to_strangers(example: &Example) {
    for launcher in LAUNCHERS {
        let (room, folder) = some_files();
        let stranger = room.path().join("somebody's file");
        fs::write(&stranger, "").unwrap();
        let sh = ["sh", "-c", launcher, stranger.to_str().unwrap()];
        let output = example
            .started_by(&sh, &folder)
            .env("PROGRUN_FD", "3")
            .env("PROGRUN_FD_ID", "1:1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{launcher}: {output:?}");
        assert_eq!(text(&output.stderr), "", "{launcher}");
        assert_eq!(fs::read_to_string(&stranger).unwrap(), "", "{launcher}");
        // With descriptor 3 closed, the example's result file gets that number.
        example.assert_right(&folder);
    }
}

/// The four tests of an example, in a module of its own.
macro_rules! example {
    ($name:ident, $example:expr) => {
        mod $name {
            use super::*;

            #[test]
            fn works_alone_and_says_nothing() {
                works_alone(&$example);
            }

            #[test]
            fn reports_its_progress_to_progrun() {
                reports_to_progrun(&$example);
            }

            #[test]
            fn cleans_up_when_it_is_cancelled_in_the_middle() {
                cleans_up_when_cancelled(&$example);
            }

            #[test]
            fn writes_nothing_to_a_descriptor_that_is_not_from_progrun() {
                writes_nothing_to_strangers(&$example);
            }
        }
    };
}

example!(sh, script(&["sh"], "compress.sh", Leaves::Gzip));
example!(sh_without_errexit, sh_without_set_e());
example!(dash, script(&["dash"], "compress.sh", Leaves::Gzip));
example!(bash_as_sh, script(&["bash"], "compress.sh", Leaves::Gzip));
example!(
    busybox_sh,
    script(&["busybox", "sh"], "compress.sh", Leaves::Gzip)
);
example!(zsh, script(&["zsh"], "compress.sh", Leaves::Gzip));
example!(mksh, script(&["mksh"], "compress.sh", Leaves::Gzip));
example!(sh_by_report, script(&["sh"], "checksum.sh", Leaves::Sha256));
example!(bash, script(&["bash"], "checksum.bash", Leaves::Sha256));
example!(python, script(&["python3"], "archive.py", Leaves::Zip));
example!(node, script(&["node"], "compress.mjs", Leaves::Gzip));
example!(perl, script(&["perl"], "checksum.pl", Leaves::Sha256));
example!(in_c, c());
example!(in_rust, rust());
