//! Runs the tests, each in a process of its own.
//!
//! Looks like libtest, but a test that finds that it cannot run here ends itself with [`needs`], and counts as ignored.
//! In its own process a test has its descriptors, threads and children to itself. The output of its children is kept
//! until it fails, and a test that hangs does not end the others.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::panic::resume_unwind;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Far longer than any test takes: a test that still runs then hangs.
const HANGS: Duration = Duration::from_mins(10);
/// Before the name of the one test that a process is to run.
const ONE: &str = "--one";
const FAILED: u8 = 101;
/// The exit status of a test that did not run; its last line of output says why.
const NOT_RUN: u8 = 77;

/// An entry in the list of tests.
pub(crate) struct Test {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
}

inventory::collect!(Test);

/// What `#[test]` adds to a function.
macro_rules! enter {
    ($test:ident) => {
        inventory::submit! {
            crate::harness::Test { module: module_path!(), name: stringify!($test), run: $test }
        }
    };
}
pub(crate) use enter;

/// The panic payload of a test that cannot run here, with the reason.
struct NotRun(String);

/// Ends the test as ignored where one of these programs is missing; with `PROGRUN_TEST_ALL=1`, as failed.
#[track_caller]
pub(crate) fn needs(programs: &[&str]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        let found = std::env::split_paths(&path).any(|folder| folder.join(program).exists());
        needs_that(found, program);
    }
}

/// As [`needs`], for any other requirement.
#[track_caller]
pub(crate) fn needs_that(possible: bool, what: &str) {
    if !possible {
        assert!(!everything(), "PROGRUN_TEST_ALL=1 asks for {what}");
        resume_unwind(Box::new(NotRun(format!("needs {what}"))));
    }
}

/// Whether every test has to run, and the soaks at full length.
pub(crate) fn everything() -> bool {
    std::env::var_os("PROGRUN_TEST_ALL").is_some_and(|value| value == "1")
}

/// All tests, by the names that libtest would give them: without that of the crate.
pub(crate) fn all() -> Vec<(String, fn())> {
    let tests = inventory::iter::<Test>.into_iter();
    let mut tests: Vec<_> = tests
        .map(|test| {
            let path = format!("{}::{}", test.module, test.name);
            let (_, path) = path.split_once("::").expect("a test is in a module");
            (path.to_owned(), test.run)
        })
        .collect();
    tests.sort();
    tests
}

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [ONE, name] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return run(name);
    }
    let arguments = Arguments::from_args();
    let capture = !arguments.nocapture;
    let trials = all().into_iter().map(|(name, _)| {
        let test = one(&name);
        Trial::ignorable_test(name, move || outcome(test, capture))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The command that runs this test alone. It succeeds if the test passes.
pub(crate) fn one(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ONE, name]).stdin(Stdio::null());
    // Nothing can be made below it: what a test has to remember, it keeps in a folder of its own.
    command.env("XDG_STATE_HOME", "/dev/null/state");
    command
}

fn outcome(mut test: Command, capture: bool) -> Result<Completion, Failed> {
    // Not a pipe: a process that the test leaves behind would hold it, and the end of file would never come.
    let mut output = tempfile::tempfile()?;
    if capture {
        test.stdout(output.try_clone()?).stderr(output.try_clone()?);
    }
    let status = test.status()?;
    let said = read(&mut output)?;
    match status.code() {
        Some(0) => Ok(Completion::Completed),
        Some(code) if code == i32::from(NOT_RUN) => {
            let reason = said.lines().next_back().unwrap_or_default();
            Ok(Completion::ignored_with(reason))
        }
        _ => Err(format!("{said}{status}").into()),
    }
}

fn read(output: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs one test in this process.
fn run(name: &str) -> ExitCode {
    let (_, test) = all()
        .into_iter()
        .find(|(path, _)| path == name)
        .expect("there is such a test");
    let (running, end) = mpsc::channel::<()>();
    let thread = thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        let _running = running;
        test();
    });
    let say = |what: &str| writeln!(std::io::stderr(), "{what}");
    if end.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
        let _ = say("the test hangs");
        return ExitCode::from(FAILED);
    }
    match thread.expect("a thread can be started").join() {
        Ok(()) => ExitCode::SUCCESS,
        Err(payload) => match payload.downcast_ref() {
            Some(NotRun(reason)) => {
                let _ = say(reason);
                ExitCode::from(NOT_RUN)
            }
            None => ExitCode::from(FAILED),
        },
    }
}
