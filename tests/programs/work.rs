//! A piece of work, done by a program alone and under progrun, and the comparison of the two.
//!
//! Knows no program. Scripts are for bash. They run in an empty folder, which is also `HOME`, and find the input of
//! both runs in `../given`. They leave in `result` the files that must be the same in the end.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{progrun, text, valid_event};

/// Runs the script `$1`, copies each of its streams to a file, and passes it on. Ends with the script's status.
const OWN: &str = r#"
set -o pipefail
{ bash -e -c "$1" 2>&1 1>&4 4>&- | tee own.stderr >&2 4>&-; } 4>&1 | tee own.stdout
"#;

/// The Python that has the tested packages from `PyPI`.
pub(super) fn python() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python3");
    path.into_os_string().into_string().unwrap()
}

/// The environment of every program.
pub(super) fn environment(home: &Path) -> Vec<(&'static str, OsString)> {
    let mut path = std::env::var_os("PATH").unwrap();
    // The PATH of a user who is not root lacks these folders, but dpkg and e2fsck need them.
    path.push(":/usr/sbin:/sbin");
    vec![
        ("HOME", home.into()),
        ("PATH", path),
        ("LC_ALL", "C.UTF-8".into()),
        ("PYTHON", python().into()),
        ("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes".into()),
        ("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes".into()),
        ("RESTIC_PASSWORD", "secret".into()),
        ("RESTIC_PROGRESS_FPS", "60".into()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("no_proxy", "127.0.0.1".into()),
    ]
}

pub(super) struct Work {
    pub(super) folder: TempDir,
    script: String,
    result: String,
    status: i32,
}

/// The script `given` prepares the folder `../given`; `script` is the work.
pub(super) fn work(given: &str, script: &str) -> Work {
    let folder = tempfile::tempdir().unwrap();
    let work = Work {
        folder,
        script: script.to_owned(),
        result: String::new(),
        status: 0,
    };
    let made = work.alone("given", given);
    assert!(made.status.success(), "{made:?}");
    work
}

impl Work {
    /// The script that makes `result` after the work.
    pub(super) fn result(mut self, script: &str) -> Self {
        script.clone_into(&mut self.result);
        self
    }

    /// The expected exit status; 0 by default.
    pub(super) fn status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    /// Does the work under progrun and alone, and compares everything but the progress.
    #[track_caller]
    pub(super) fn compared(self, from: &str) -> Seen {
        let under = self.new_folder("under");
        let events = self.folder.path().join("events");
        let json = format!("--json={}", events.display());
        let options = ["--quiet", "--from", from, &json, "--"];
        let command = ["bash", "-c", OWN, "bash", &self.script];
        let mut run = progrun(&[&options[..], &command].concat()).in_folder(&under);
        for (name, value) in environment(&under) {
            run = run.variable(name, value.to_str().unwrap());
        }
        let run = run.output();
        // A cache that the first run has left only makes the second one faster.
        let open_channel = format!("exec 3>/dev/null\n{OWN}");
        self.new_folder("alone");
        let alone = self.bash("alone", &open_channel, &[&self.script]);

        for output in [&run, &alone] {
            assert_eq!(output.status.code(), Some(self.status), "{output:?}");
        }
        for (stream, arrived) in [("own.stdout", &run.stdout), ("own.stderr", &run.stderr)] {
            let own = fs::read(under.join(stream)).unwrap();
            assert_eq!(text(arrived), text(&own), "{stream}");
            assert_eq!(*arrived, own, "{stream}");
        }
        for folder in ["under", "alone"] {
            let made = self.script_in_place(folder, &self.result);
            assert!(made.status.success(), "{made:?}");
        }
        let differences = Command::new("diff")
            .args(["-r", "under/result", "alone/result"])
            .current_dir(&self.folder)
            .output()
            .unwrap();
        assert!(differences.status.success(), "{differences:?}");

        let events = fs::read_to_string(events).unwrap();
        Seen {
            events: events.lines().map(valid_event).collect(),
            stdout: text(&run.stdout),
            stderr: text(&run.stderr),
        }
    }

    fn new_folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn alone(&self, folder: &str, script: &str) -> Output {
        self.new_folder(folder);
        self.script_in_place(folder, script)
    }

    fn script_in_place(&self, folder: &str, script: &str) -> Output {
        self.bash(folder, &format!("set -e\n{script}"), &[])
    }

    fn bash(&self, folder: &str, script: &str, words: &[&str]) -> Output {
        let folder = self.folder.path().join(folder);
        Command::new("bash")
            .args(["-c", script, "bash"])
            .args(words)
            .envs(environment(&folder))
            .current_dir(folder)
            .output()
            .unwrap()
    }
}

/// What the run under progrun reported and printed.
pub(super) struct Seen {
    events: Vec<Value>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Seen {
    /// Checks that there was progress, all of it in this format. Returns the reports.
    #[track_caller]
    pub(super) fn reports(&self, source: &str) -> Vec<&Value> {
        let progress = self.events.iter();
        let progress = progress.filter(|event| event["event"] == "progress");
        let infos = progress.map(|event| {
            assert_eq!(event["source"], source, "{event}");
            &event["info"]
        });
        let infos: Vec<_> = infos.collect();
        assert!(!infos.is_empty(), "{:#?}\n{}", self.events, self.stderr);
        let malformed = self.events.iter();
        let mut malformed = malformed.filter(|event| event["event"] == "malformed");
        assert_eq!(malformed.next(), None);
        infos
    }

    /// Checks that the bar of the task or of a part rose. Returns its last position, in percent.
    #[track_caller]
    pub(super) fn rises(&self, source: &str, part: Option<&str>) -> String {
        let reports = self.reports(source).into_iter();
        let reports = reports.filter(|info| info["id"].as_str() == part);
        let shares: Vec<f64> = reports.filter_map(share).collect();
        let (Some(first), Some(last)) = (shares.first(), shares.last()) else {
            panic!("no bar: {:#?}", self.events);
        };
        assert!(first < last, "{shares:?}");
        last.to_string()
    }
}

/// The percentage of a report.
fn share(info: &Value) -> Option<f64> {
    let number = |field: &str| info[field].as_f64();
    let fraction = || Some(number("progress")? / number("total")? * 100.0);
    fraction().or_else(|| number("percentage"))
}
