//! The job log and the runs that go on with it: scenarios 69 to 76, and what a kill and a full disk leave of a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{each, folder, loud, notes};
use crate::harness::{needs, needs_that};
use crate::soak::scaled;
use crate::support::{Ended, Gate, Lifeline, Progrun, progrun, text, valid_event};

/// A task that notes its value.
const NOTES: [&str; 5] = ["sh", "-c", "echo \"$1\" >>notes", "_", "{}"];

/// `progrun each -q -j1` with the job log `log`, further options and [`NOTES`], in a folder.
fn noting(folder: &TempDir, options: &[&str], values: &[&str]) -> Progrun {
    let words = ["--job-log", "log", "-j1"];
    let words = [&words[..], options, &["--"], &NOTES, &[":::"], values];
    each(&words.concat()).in_folder(folder.path())
}

/// What the tasks have noted since the last call.
fn news(folder: &TempDir) -> Vec<String> {
    let news = notes(folder.path());
    let _ = fs::remove_file(folder.path().join("notes"));
    news
}

fn log_of(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap()
}

fn set_log(folder: &TempDir, log: &str) {
    fs::write(folder.path().join("log"), log).unwrap();
}

/// The records of a log, each of which has to be a whole line, and valid.
#[track_caller]
fn records(log: &str) -> Vec<Value> {
    assert!(log.ends_with('\n'), "{log}");
    let records: Vec<Value> = log.lines().map(valid_event).collect();
    for record in &records {
        let kind = record["event"].as_str().unwrap();
        let kinds = ["run", "started", "finished", "skipped", "end"];
        assert!(kinds.contains(&kind), "{record}");
        assert_eq!(kind == "finished", record.get("duration").is_some());
        assert!(kind != "finished" || record.get("time").is_some());
    }
    records
}

/// An attempt: the numbers of the task and of the attempt.
type Attempts = BTreeSet<(u64, u64)>;

/// Checks that in these events of one run each attempt begins and ends once, one after the other in its slot, and that
/// the last attempt of each task says how many there were. Returns those that begin, and those of them that do not end.
#[track_caller]
fn pairs(events: &[Value]) -> (Attempts, Attempts) {
    let number = |event: &Value, field: &str| event[field].as_u64().unwrap();
    let (mut begun, mut slots, mut last) = (Attempts::new(), BTreeMap::new(), BTreeMap::new());
    for event in events {
        let kind = event["event"].as_str().unwrap();
        if kind != "started" && kind != "finished" {
            continue;
        }
        let [task, attempt, slot] = ["task", "attempt", "slot"].map(|field| number(event, field));
        if kind == "started" {
            assert!(begun.insert((task, attempt)), "twice: {event}");
            let before = last.insert(task, None);
            let is_next = match before {
                None => attempt == 1,
                // The last end said that one more attempt follows.
                Some(ended) => ended == Some(attempt - 1),
            };
            assert!(is_next, "not the next: {event}");
            assert_eq!(
                slots.insert(slot, (task, attempt)),
                None,
                "not free: {event}"
            );
            continue;
        }
        assert_eq!(
            slots.remove(&slot),
            Some((task, attempt)),
            "no start: {event}"
        );
        if event.get("retry_in").is_some() {
            last.insert(task, Some(attempt));
        } else {
            assert_eq!(number(event, "attempts"), attempt, "{event}");
            last.insert(task, None);
        }
    }
    (begun, slots.into_values().collect())
}

/// The names of the tasks of these events.
fn names(events: &[Value], is_meant: impl Fn(&Value) -> bool) -> Vec<String> {
    let meant = events.iter().filter(|event| is_meant(event));
    let mut names: Vec<_> = meant
        .map(|event| event["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn s69_a_log_with_records_is_refused_without_resume_and_stays_as_it_was() {
    let folder = folder(&[]);
    noting(&folder, &[], &["1"]).status(0);
    let log = log_of(&folder);
    assert_eq!(news(&folder), ["1"]);
    // GNU parallel empties it.
    noting(&folder, &[], &["2"])
        .stderr("progrun: the job log log is not empty: go on with it by --resume, or name another file\n")
        .status(125);
    assert_eq!(log_of(&folder), log);
    assert_eq!(news(&folder), [""; 0]);
    // The same command line can begin a log and go on with it.
    fs::remove_file(folder.path().join("log")).unwrap();
    for expected in [&["1", "2"][..], &[]] {
        noting(&folder, &["--resume"], &["1", "2"]).status(0);
        assert_eq!(news(&folder), expected);
    }
}

#[test]
fn s69_a_log_that_is_in_use_is_refused_to_a_second_run() {
    let mut gate = Gate::new();
    let folder = folder(&[]);
    let words = ["each", "--json", "--job-log", "log", "--", "sh", "-c"];
    let script = ["read -r _ <\"$1\"", "_", gate.path(), "{}", ":::", "1"];
    let first = progrun(&[&words[..], &script].concat()).in_folder(folder.path());
    let mut first = first.start();
    first.event("started");
    let log = log_of(&folder);
    for options in [&[][..], &["--resume"]] {
        noting(&folder, options, &["2"])
            .stderr("progrun: the job log log is in use by another run\n")
            .status(125);
        assert_eq!(log_of(&folder), log);
    }
    assert_eq!(news(&folder), [""; 0]);
    gate.open();
    assert_eq!(first.finish().status.code(), Some(0));
    assert!(log_of(&folder).starts_with(&log));
    let (begun, open) = pairs(&records(&log_of(&folder)));
    assert_eq!((begun.len(), open.len()), (1, 0));
}

#[test]
fn s70_a_task_whose_end_is_a_torn_line_runs_again() {
    let folder = folder(&[]);
    noting(&folder, &[], &["1", "2", "3"]).status(0);
    let whole = log_of(&folder);
    news(&folder);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 8, "{whole}");
    let before: String = lines[..6].concat();
    let resume = |values: &[&str]| {
        let words = [&["--job-log", "log", "-j1", "--resume", "--"][..], &NOTES];
        let run = loud(&[&words.concat()[..], &[":::"], values].concat());
        let output = run.in_folder(folder.path()).output();
        assert_eq!(output.status.code(), Some(0));
        records(&log_of(&folder));
        text(&output.stderr)
    };
    let torn = "sh: the last line of the job log log was not whole and is cut off: its task counts as not ended\n";
    let half_done =
        "sh: 3 runs again: an earlier run broke off in it and may have left half of its work\n";
    // GNU parallel takes it for done.
    for length in [1, 12, lines[6].len() / 2, lines[6].len() - 1] {
        set_log(&folder, &(before.clone() + &lines[6][..length]));
        let stderr = resume(&["1", "2", "3"]);
        assert_eq!(news(&folder), ["3"], "{length}");
        assert!(
            stderr.contains(torn) && stderr.contains(half_done),
            "{stderr}"
        );
        assert!(log_of(&folder).starts_with(&before));
    }
    // The end of the run and its beginning tell of no task.
    set_log(&folder, whole.trim_end());
    let stderr = resume(&["1", "2", "3"]);
    assert!(
        stderr.contains(torn) && !stderr.contains(half_done),
        "{stderr}"
    );
    assert_eq!(news(&folder), [""; 0]);
    set_log(&folder, lines[0].trim_end());
    assert!(resume(&["1"]).contains(torn));
    assert_eq!(news(&folder), ["1"]);
}

#[test]
fn s71_tasks_are_known_by_their_values_and_not_by_their_numbers() {
    let folder = folder(&[]);
    noting(&folder, &[], &["1", "2", "0"]).status(0);
    let of_three = log_of(&folder);
    news(&folder);
    for (values, left) in [
        // GNU parallel runs `w` only.
        (&["x", "y", "z", "w"][..], &["x", "y", "z", "w"][..]),
        // Shorter, sorted, longer.
        (&["2"], &[]),
        (&["0", "1", "2"], &[]),
        (&["4", "0", "3", "1", "2"], &["4", "3"]),
        // The second of two equals has not run yet.
        (&["1", "1"], &["1"]),
    ] {
        set_log(&folder, &of_three);
        noting(&folder, &["--resume"], values).status(0);
        assert_eq!(news(&folder), left, "{values:?}");
        noting(&folder, &["--resume"], values).status(0);
        assert_eq!(news(&folder), [""; 0], "{values:?}");
    }
}

/// The table of `--resume`: whether a task runs, by what the log says of it, with `--resume`, `--resume=new` and
/// `--resume=failed`. Each row is a task, which has this as its name.
const TABLE: [(&str, [bool; 3]); 14] = [
    ("completed", [false, false, false]),
    ("failed", [true, false, true]),
    ("failed-twice", [true, false, true]),
    ("timed-out", [true, false, true]),
    ("interrupted", [true, true, false]),
    ("halted", [true, true, false]),
    ("at-the-deadline", [true, true, false]),
    ("killed", [true, true, false]),
    ("without-power", [true, true, false]),
    ("completed-without-power", [true, true, false]),
    ("needs-failed", [true, false, true]),
    ("needs-that", [true, false, true]),
    ("not-in-the-log", [true, true, false]),
    // Its failure halted the run.
    ("halting", [true, false, true]),
];

/// The tasks of [`TABLE`] that need another one.
const NEEDS: [(&str, &str); 2] = [("needs-failed", "failed"), ("needs-that", "needs-failed")];

/// A folder with a log that has every row of [`TABLE`], made by runs that came to such ends.
fn every_row() -> TempDir {
    let folder = folder(&[]);
    let run = |options: &[&str], tasks: &[(&str, &str, &str)]| {
        let line = |(name, command, keys): &(&str, &str, &str)| {
            format!("{{\"name\": \"{name}\", \"command\": \"{command}\"{keys}}}\n")
        };
        let list: String = tasks.iter().map(line).collect();
        fs::write(folder.path().join("list.jsonl"), list).unwrap();
        let words = ["tasks", "-q", "--job-log", "log", "--resume"];
        let run = progrun(&[&words[..], options, &["list.jsonl"]].concat());
        run.in_folder(folder.path()).start().end()
    };
    let needs_failed = r#", "after": "failed""#;
    let failures = [
        ("completed", "exit 0", ""),
        ("failed", "exit 1", ""),
        ("failed-twice", "exit 1", r#", "retries": 1"#),
        ("timed-out", "exec sleep 1000", r#", "timeout": 0.1"#),
        ("needs-failed", "exit 0", needs_failed),
        ("needs-that", "exit 0", r#", "after": "needs-failed""#),
        ("not-in-the-list", "exit 0", ""),
    ];
    assert_eq!(run(&[], &failures).code(), Some(1));
    let reports = "kill -INT $PPID; while echo 1/2 >&3; do sleep 0.01; done";
    let status = run(&[], &[("interrupted", reports, "")]);
    assert_eq!(status.signal(), Some(libc::SIGINT));
    let halts = "until [ -e begun ]; do sleep 0.01; done; exit 1";
    let halted = [
        ("halted", "touch begun; exec sleep 1000", ""),
        ("halting", halts, ""),
    ];
    assert_eq!(run(&["-j2", "--halt", "now"], &halted).code(), Some(1));
    // On a slow machine the deadline may come before the task begins: then it is not in the log, and has one more try.
    let mut deadline = 0.1;
    while !log_of(&folder).contains("\"name\":\"at-the-deadline\"") {
        let options = ["--deadline", &deadline.to_string()];
        let late = [("at-the-deadline", "exec sleep 1000", "")];
        assert_eq!(run(&options, &late).code(), Some(124));
        deadline *= 2.0;
    }
    // A task begins a moment before its record is written.
    let dies = |name: &str| {
        let begun =
            "until grep -q PATTERN log; do sleep 0.01; done; kill -KILL $PPID; exec sleep 1000";
        begun.replace("PATTERN", &format!("name.:.{name}"))
    };
    let status = run(&[], &[("killed", &dies("killed"), "")]);
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let days = |log: &str| at(log, "2020-01-01T00:00:00.000Z");
    set_log(&folder, &days(&log_of(&folder)));
    let power_off = [
        ("completed-without-power", "exit 0", ""),
        ("without-power", &dies("without-power"), ""),
        ("not-in-the-log", "exit 0", ""),
    ];
    let status = run(&["-j1"], &power_off);
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let log = log_of(&folder);
    records(&log);
    set_log(&folder, &on_another_start(&log));
    folder
}

/// The log with another time of day in all its records.
fn at(log: &str, time: &str) -> String {
    let record = |line: &str| match line.split_once("\"time\":\"") {
        Some((before, rest)) => format!("{before}\"time\":\"{time}{}\n", &rest[time.len()..]),
        None => format!("{line}\n"),
    };
    log.lines().map(record).collect()
}

/// The log as if its runs were of a machine that was started anew since.
fn on_another_start(log: &str) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(log.contains(boot.trim()), "{log}");
    log.replace(boot.trim(), "00000000-0000-0000-0000-000000000000")
}

/// Checks a column of [`TABLE`]: which tasks run again, and what becomes of the others; and that a later run does the
/// rest.
fn column(resume: &str, of: usize, said: &[&str]) {
    let folder = every_row();
    let line = |(name, _): &(&str, _)| {
        let needs = NEEDS.iter().find(|(task, _)| task == name);
        let needs = needs.map(|(_, other)| format!(", \"after\": \"{other}\""));
        let needs = needs.unwrap_or_default();
        format!("{{\"name\": \"{name}\", \"command\": \"echo {name} >>notes\"{needs}}}\n")
    };
    let list: String = TABLE.iter().map(line).collect();
    fs::write(folder.path().join("list.jsonl"), list).unwrap();
    let words = ["tasks", "--json", "--progress=plain", "--job-log", "log"];
    let run = |resume: &str| {
        let run = progrun(&[&words[..], &[resume, "list.jsonl"]].concat());
        run.in_folder(folder.path()).start().finish()
    };
    let log = log_of(&folder);
    let ended = run(resume);
    let runs: BTreeMap<&str, bool> = TABLE.iter().map(|(name, row)| (*name, row[of])).collect();
    let left = runs.iter().filter(|(_, runs)| !**runs);
    let left: Vec<&str> = left.map(|(name, _)| *name).collect();
    let mut noted = news(&folder);
    noted.sort();
    let expected = runs.iter().filter(|(_, runs)| **runs);
    let expected: Vec<&str> = expected.map(|(name, _)| *name).collect();
    assert_eq!(noted, expected);
    let is = |kind: &'static str| move |event: &Value| event["event"] == kind;
    assert_eq!(names(&ended.events, is("started")), expected);
    assert_eq!(names(&ended.events, is("skipped")), left);
    for skipped in ended.all("skipped") {
        let cause = NEEDS.iter().find(|(name, _)| skipped["name"] == *name);
        match cause {
            Some((_, cause)) => assert_eq!(
                (&skipped["reason"], &skipped["cause"]),
                (&"dependency".into(), &(*cause).into())
            ),
            None => assert_eq!(skipped["reason"], "done"),
        }
    }
    // The status is that of the whole list.
    let is_well = left == ["completed"];
    assert_eq!(ended.status.code(), Some(i32::from(!is_well)));
    for said in said {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let after = log_of(&folder);
    let added = records(after.strip_prefix(&log).unwrap());
    assert_eq!(names(&added, is("started")), expected);
    // What is done already is in the log already.
    let skipped = names(&added, is("skipped"));
    assert!(
        skipped.iter().all(|name| name.starts_with("needs-")),
        "{skipped:?}"
    );

    let mut rest: Vec<&str> = left;
    rest.retain(|name| *name != "completed");
    assert_eq!(run("--resume").status.code(), Some(0));
    let mut noted = news(&folder);
    noted.sort();
    assert_eq!(noted, rest);
    assert_eq!(run("--resume").status.code(), Some(0));
    assert_eq!(news(&folder), [""; 0]);
}

#[test]
fn s72_resume_runs_what_has_not_completed() {
    let said = [
        "3 tasks run again: an earlier run broke off in them and may have left half of their work: \
         killed, without-power, completed-without-power\n",
        "1 task of the job log is not in the list\n",
    ];
    column("--resume", 0, &said);
}

#[test]
fn s72_resume_new_leaves_what_has_failed() {
    let said = [
        "killed, without-power, completed-without-power\n",
        "1 task of the job log is not in the list\n",
        // None of these has ended in this run.
        "\n  4 failed in an earlier run\n",
    ];
    column("--resume=new", 1, &said);
}

#[test]
fn s72_resume_failed_runs_what_has_failed() {
    column(
        "--resume=failed",
        2,
        &["1 task of the job log is not in the list\n"],
    );
}

#[test]
fn s73_a_log_of_another_command_is_refused_unless_its_ends_are_to_count() {
    let folder = folder(&[]);
    noting(&folder, &[], &["1", "2"]).status(0);
    let log = log_of(&folder);
    news(&folder);
    let other = |options: &[&str], values: &[&str]| {
        let words = [&["--job-log", "log", "-j1"][..], options].concat();
        let command = ["--", "sh", "-c", "echo other \"$1\" >>notes", "_", "{}"];
        each(&[&words[..], &command, &[":::"], values].concat()).in_folder(folder.path())
    };
    // GNU parallel runs it.
    other(&["--resume"], &["1", "2", "3"])
        .stderr(
            "progrun: the job log log is of another command, sh -c echo \"$1\" >>notes _ {}: \
             with --resume-anyway, what that has done stays done\n",
        )
        .status(125);
    assert_eq!(log_of(&folder), log);
    assert_eq!(news(&folder), [""; 0]);
    other(&["--resume", "--resume-anyway"], &["1", "2", "3"]).status(0);
    assert_eq!(news(&folder), ["other 3"]);
    // From now on it is a log of the new command.
    other(&["--resume"], &["1", "4", "3"]).status(0);
    assert_eq!(news(&folder), ["other 4"]);
    noting(&folder, &["--resume"], &["5"])
        .stderr("progrun: the job log log is of another command, sh -c echo other \"$1\" >>notes _ {}: [..]\n")
        .status(125);
    // Nor may it be a list of commands.
    fs::write(folder.path().join("list"), "touch notes\n").unwrap();
    let tasks = progrun(&["tasks", "-q", "--job-log", "log", "--resume", "list"]);
    let output = tasks.in_folder(folder.path()).output();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(news(&folder), [""; 0]);
}

#[test]
fn s74_any_bytes_of_a_command_are_one_record_and_come_back_whole() {
    needs(&["jq"]);
    let folder = folder(&[]);
    let value = b"a\nb\tc\xff";
    let values = [&value[..], b"\0x\ny\tz\0"].concat();
    let run = |options: &[&str]| {
        let words = [&["--job-log", "log", "-0", "-j1"][..], options].concat();
        let run = each(&[&words[..], &["--", "printf", "<%s>\n\t", "{}"]].concat());
        run.in_folder(folder.path()).stdin(values.clone())
    };
    let output = run(&[]).output();
    assert_eq!(output.stdout, b"<a\nb\tc\xff>\n\t<x\ny\tz>\n\t");
    let log = log_of(&folder);
    // GNU parallel writes NUL for a newline, and a tab as it is.
    assert_eq!(records(&log).len(), 6, "{log}");
    let jq = |option: &str, filter: &str, rest: &str| {
        let script = format!("jq {option} \"$0\" log {rest}");
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &script, filter]);
        let output = shell.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    };
    let decoded = "| base64 -d";
    let values = jq(
        "-r",
        "select(.task == 1 and .event == \"started\") | .input_base64[0]",
        decoded,
    );
    assert_eq!(values, value);
    let word = jq("-r", ".command_base64[2]? // empty", decoded);
    assert_eq!(word, value);
    let second = "select(.task == 2 and .event == \"started\")";
    assert_eq!(jq("-j", &format!("{second} | .input[0]"), ""), b"x\ny\tz");
    let words = jq("-j", &format!("{second} | .command[]"), "");
    assert_eq!(words, b"printf<%s>\n\tx\ny\tz");
    let table = jq(
        "-r",
        "select(.event == \"finished\") | [.task,.time,.duration,.exit_status,.signal] | @tsv",
        "",
    );
    let table = text(&table);
    let columns: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(columns.len(), 2, "{table}");
    for (row, task) in columns.iter().zip(["1", "2"]) {
        assert_eq!((row.len(), row[0], row[3], row[4]), (5, task, "0", ""));
    }
    // They are known again.
    run(&["--resume"]).status(0);

    let line = b"printf '\t\xff'; echo >>notes\n";
    fs::write(folder.path().join("list"), line).unwrap();
    fs::remove_file(folder.path().join("log")).unwrap();
    for expected in [1, 0] {
        let run = progrun(&["tasks", "-q", "--job-log", "log", "--resume", "list"]);
        let output = run.in_folder(folder.path()).output();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(news(&folder).len(), expected);
    }
    let word = jq("-r", ".command_base64[2]? // empty", decoded);
    assert_eq!(word, line.trim_ascii_end());
}

#[test]
fn s75_tasks_that_ended_just_before_the_machine_went_down_run_again() {
    let folder = folder(&[]);
    noting(&folder, &[], &["old", "young", "last"]).status(0);
    news(&folder);
    let whole = log_of(&folder);
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 8);
    // The run, three pairs, and no end.
    let times = [
        "2020-01-01T10:00:00.000Z",
        "2020-01-01T10:00:00.000Z",
        "2020-01-01T10:00:00.999Z",
        "2020-01-01T10:00:00.999Z",
        "2020-01-01T10:00:01.001Z",
        "2020-01-01T10:00:01.001Z",
        "2020-01-01T10:01:01.000Z",
    ];
    let killed: String = lines
        .iter()
        .zip(times)
        .map(|(line, time)| at(line, time))
        .collect();
    let (end, down) = (lines[7], on_another_start(&killed));
    for (log, expected) in [
        (down.clone(), &["young", "last"][..]),
        // A run that was over has lost nothing, nor has one on a machine that went on.
        (down.clone() + end, &[]),
        (killed, &[]),
    ] {
        set_log(&folder, &log);
        noting(&folder, &["--resume"], &["old", "young", "last"]).status(0);
        assert_eq!(news(&folder), expected, "{log}");
        records(&log_of(&folder));
    }
    for (resume, expected) in [
        ("--resume=new", &["young", "last"][..]),
        ("--resume=failed", &[]),
    ] {
        set_log(&folder, &down);
        noting(&folder, &[resume], &["old", "young", "last"])
            .status(i32::from(expected.is_empty()));
        assert_eq!(news(&folder), expected, "{resume}");
    }
}

/// A run with `--json` and `--job-log`: checks each line of both against the schema, that they have the same starts and
/// ends, and that these come in pairs. `words` begins with the subcommand.
#[track_caller]
fn told_in_full(run: impl FnOnce(&[&str]) -> Progrun) -> Ended {
    let folder = folder(&[]);
    let log = folder.path().join("log");
    let ended = run(&["--json", "--job-log", log.to_str().unwrap()]);
    let ended = ended.in_folder(folder.path()).start().finish();
    let records = records(&log_of(&folder));
    let (begun, open) = pairs(&ended.events);
    assert_eq!(open, Attempts::new());
    assert_eq!(pairs(&records), (begun, open));
    // The records are the events, with the time and the duration of each end added. Each has its own look at the clock.
    let told = ended.events.iter().filter(|event| {
        let kind = event["event"].as_str().unwrap();
        ["run", "started", "finished", "skipped", "end"].contains(&kind)
    });
    let told: Vec<&Value> = told.collect();
    assert_eq!(told.len(), records.len());
    let rest = |event: &Value| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove("time");
        if event["event"] == "finished" {
            event.as_object_mut().unwrap().remove("duration");
        }
        event
    };
    for (event, record) in told.into_iter().zip(&records) {
        assert_eq!(rest(event), rest(record));
    }
    ended_as_counted(&ended);
    ended
}

/// Checks the counts of the last event.
#[track_caller]
fn ended_as_counted(ended: &Ended) {
    let end = ended.events.last().unwrap();
    assert_eq!(end["event"], "end");
    assert_eq!(end["exit_status"], Value::from(ended.status.code()));
    assert_eq!(end["signal"].is_null(), ended.status.signal().is_none());
    let last = ended.all("finished");
    let last = last.iter().filter(|event| event.get("attempts").is_some());
    for state in ["completed", "failed", "cancelled"] {
        let count = last.clone().filter(|event| event["state"] == state).count();
        assert_eq!(end[state], count, "{state}");
    }
    let flaky = last.filter(|event| event["state"] == "completed" && event["attempts"] != 1);
    assert_eq!(end["flaky"], flaky.count());
    let skipped = ended.all("skipped");
    let skipped = skipped
        .iter()
        .filter(|event| event["reason"] == "dependency");
    assert_eq!(end["skipped"], skipped.count());
}

/// The same for values that end at NUL and a script that gets them as `$1`.
#[track_caller]
fn each_told_in_full(options: &[&str], script: &str, values: &[u8]) -> Ended {
    told_in_full(|log| {
        let command = ["--", "sh", "-c", script, "_", "{}"];
        progrun(&[&["each", "-0"], log, options, &command].concat()).stdin(values)
    })
}

#[test]
fn s76_what_tasks_do_is_told_by_valid_events_and_records_in_pairs() {
    let script = r##"
        case $1 in
        1) exit 3 ;;
        2) kill -SEGV $$ ;;
        3) echo out; echo err >&2; printf '\377' ;;
        4) echo "# what" >&3; echo 1/2 >&3; echo nonsense >&3; echo 2/2 >&3 ;;
        5) echo '{"progress": 1, "total": 3, "x": [null, "y"]}' >&3 ;;
        esac"##;
    let ended = each_told_in_full(&["-j3"], script, b"1\x002\x003\x004\x005\0\0\n\xff\t\0");
    assert_eq!(
        (ended.status.code(), ended.all("finished").len()),
        (Some(1), 7)
    );
    // Values that no command can have, and a command that is not there.
    let script = "exit 0";
    let long = vec![b'x'; 200_000];
    let ended = each_told_in_full(&["-j1"], script, &[b"a\0", &long[..], b"\0b"].concat());
    assert_eq!(ended.all("finished")[1]["exit_status"], Value::Null);
    let ended = told_in_full(|log| {
        let words = [
            &["each"],
            log,
            &["-j2", "--retries", "3", "--", "./{}", ":::", "1", "2"],
        ];
        progrun(&words.concat())
    });
    assert_eq!(ended.all("finished").len(), 2);
}

#[test]
fn s76_attempts_are_told_by_valid_events_and_records_in_pairs() {
    // Of one task the last attempt is of use, and one has only one.
    let script = r"
        case $1$PROGRUN_ATTEMPT in
        a3) ;;
        a*) exit 75 ;;
        b*) exit 1 ;;
        esac";
    let options = [
        "--retries",
        "2",
        "--retry-delay",
        "10ms..20ms",
        "--retry-on",
        "75",
    ];
    let ended = each_told_in_full(&options, script, b"a\0b\0c\0");
    let attempts = |ended: &Ended, task: u64| {
        let finished = ended.all("finished");
        finished
            .iter()
            .filter(|event| event["task"] == task)
            .count()
    };
    assert_eq!([1, 2, 3].map(|task| attempts(&ended, task)), [3, 1, 1]);
    let options = [
        "--retries",
        "1",
        "--timeout",
        "0.1",
        "--retry-on",
        "timeout",
    ];
    let ended = each_told_in_full(&options, "exec sleep 1000", b"a\0");
    assert_eq!(attempts(&ended, 1), 2);
}

#[test]
fn s76_halts_and_stops_are_told_by_valid_events_and_records_in_pairs() {
    let script = "case $1 in 3) exit 1 ;; *) exec sleep 1000 ;; esac";
    let ended = each_told_in_full(&["-j3", "--halt", "now"], script, b"1\x002\x003\x004\0");
    assert_eq!(
        (ended.status.code(), ended.all("finished").len()),
        (Some(1), 3)
    );
    let ended = each_told_in_full(
        &["-j2", "--deadline", "1"],
        "exec sleep 1000",
        b"1\x002\x003\0",
    );
    assert_eq!(ended.status.code(), Some(124));
    let script = "kill -TERM $PPID; exec sleep 1000";
    let ended = each_told_in_full(&["-j1", "--retries", "1"], script, b"1\x002\0");
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM));
    let script = "kill -INT $PPID; while echo 1/2 >&3; do sleep 0.01; done";
    let ended = each_told_in_full(&["-j1"], script, b"1\x002\0");
    assert_eq!(ended.status.signal(), Some(libc::SIGINT));
    assert_eq!(ended.all("finished")[0]["state"], "cancelled");
}

#[test]
fn s76_lists_of_any_kind_are_told_by_valid_events_and_records_in_pairs() {
    // Lists that are empty, or break.
    let ended = told_in_full(|log| progrun(&[&["each"], log, &["--", "true"]].concat()));
    assert_eq!(
        (ended.status.code(), ended.all("started").len()),
        (Some(0), 0)
    );
    let ended = told_in_full(|log| {
        progrun(&[&["each"], log, &["--csv", "--", "true", "{1}"]].concat()).stdin("a\n\"b\n")
    });
    assert_eq!(
        (ended.status.code(), ended.all("finished").len()),
        (Some(125), 1)
    );
    // A list with names and dependencies.
    let list = r#"{"name": "b", "command": "exit 3", "x-why": {"a": [1, "two"]}}
{"name": "d", "command": "exit 0", "after": ["b"]}
{"name": "e", "command": "exit 0", "after": ["d"], "x-why": null}
{"command": ["true"], "after_any": ["b"], "slots": 2, "stdin": "/dev/null", "env": {"A": "b"}}
{"command": ["true"], "cwd": "/no/such/folder"}
"#;
    let ended = told_in_full(|log| {
        let words = [&["tasks", "-j2"], log, &["--json-lines", "-"]];
        progrun(&words.concat()).stdin(list)
    });
    assert_eq!(
        (ended.status.code(), ended.all("skipped").len()),
        (Some(1), 2)
    );
}

/// A run of 1,000 tasks that is killed by one of them, and the run that goes on with it. `victim` is the number of that
/// task, which is either not over then or all but over.
fn survives_a_kill(victim: usize, late: bool) {
    let list: Vec<String> = (1..=1000).map(|number| number.to_string()).collect();
    let folder = folder(&[("list", &list.join("\n"))]);
    let lifeline = Lifeline::new();
    let script = r#"
        dies() { [ "$1" != "$VICTIM" ] || [ -e killed ] || { : >killed; kill -KILL $PPID; }; }
        echo "$1 begins" >>notes
        [ "$LATE" = true ] || dies "$1"
        echo "$1 ends" >>notes
        [ "$LATE" = false ] || dies "$1""#;
    let words = ["-a", "list", "-j8", "--job-log", "log", "--resume"];
    let words = [&words[..], &["--", "sh", "-c", script, "_", "{}"]].concat();
    let run = || {
        loud(&words)
            .variable("VICTIM", &victim.to_string())
            .variable("LATE", &late.to_string())
            .in_folder(folder.path())
    };
    // All its tasks hold the lifeline from their first moment on.
    let first = run()
        .inside("sh", "exec 9>\"$LIFELINE\"; exec \"$@\"")
        .variable("LIFELINE", lifeline.path());
    let status = first.start().end();
    assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}");
    lifeline.last_words();
    let log = log_of(&folder);
    let before = records(&log);
    let (begun, open) = pairs(&before);
    // One in each slot, at most.
    assert!(open.len() <= 8, "{open:?}");
    assert!(before.len() < 2000, "{}", before.len());

    let output = run().output();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let names_some = stderr.contains(" may have left half of ");
    assert_eq!(names_some, !open.is_empty(), "{stderr}");
    let after = log_of(&folder);
    let after = records(after.strip_prefix(&log).unwrap());
    let (again, left) = pairs(&after);
    assert_eq!(left, Attempts::new());
    // Exactly those run that had not ended.
    let all: Attempts = (1..=1000).map(|task| (task, 1)).collect();
    let ended: Attempts = begun.difference(&open).copied().collect();
    let expected: Attempts = all.difference(&ended).copied().collect();
    assert_eq!(again, expected);
    for record in before.iter().chain(&after) {
        assert!(record["event"] != "finished" || record["state"] == "completed");
    }
    // Seen from outside: each task has come to its end, and only those that ran at the kill have done so twice.
    let mut ends = BTreeMap::new();
    for note in notes(folder.path()) {
        if let Some(task) = note.strip_suffix(" ends") {
            *ends.entry(task.parse::<u64>().unwrap()).or_insert(0) += 1;
        }
    }
    assert_eq!(ends.len(), 1000);
    ends.retain(|_, count| *count > 1);
    assert!(ends.len() <= 8, "{ends:?}");
    for (task, count) in ends {
        assert_eq!(count, 2, "{task}");
        assert!(!ended.contains(&(task, 1)), "{task}");
    }
}

#[test]
fn a_run_that_is_killed_is_continued_without_a_task_too_few_or_too_many() {
    let rounds = scaled(20, 3);
    for round in 0..rounds {
        survives_a_kill(7 + round * 980 / rounds, round % 2 == 0);
    }
}

/// A run whose job log finds no more room in the folder `full`, which `wrapper` arranges; it copies the log to `log`.
/// And the run that goes on with it.
fn survives_a_full_disk(folder: &TempDir, wrapper: &str) {
    let mut gate = Gate::new();
    let list: Vec<String> = (1..=60).map(|number| number.to_string()).collect();
    fs::write(folder.path().join("list"), list.join("\n")).unwrap();
    let script = r#"
        echo "$1 begins" >>notes
        case $1 in 1) read -r _ <"$GATE" ;; esac
        echo "$1 says so"
        echo "$1 ends" >>notes"#;
    let run = |log: &str| {
        let words = ["each", "--json", "-j2", "-a", "list", "--job-log", log];
        let command = ["--resume", "--", "sh", "-c", script, "_", "{}"];
        progrun(&[&words[..], &command].concat()).in_folder(folder.path())
    };
    let gated = |run: Progrun| run.variable("GATE", gate.path());
    let first = gated(run("full/log")).inside("bash", wrapper);
    let second = gated(run("log"));
    let mut first = first.start();
    let warning = first.event("warning");
    let message = warning["message"].as_str().unwrap();
    assert!(
        message.starts_with("the job log full/log is incomplete: "),
        "{message}"
    );
    // The first task still runs: the run waits for it.
    gate.open();
    let ended = first.finish();
    assert_eq!(ended.status.code(), Some(125));
    let (told, open) = pairs(&ended.events);
    assert_eq!(open, Attempts::new());
    assert!(told.len() < 60, "{}", told.len());
    let finished = ended.all("finished");
    assert!(finished.iter().all(|event| event["state"] == "completed"));
    // Nothing of what they printed is lost.
    let mut said: Vec<u64> = ended
        .output("stdout")
        .lines()
        .map(|line| line.strip_suffix(" says so").unwrap().parse().unwrap())
        .collect();
    said.sort_unstable();
    let tasks: Vec<u64> = told.iter().map(|(task, _)| *task).collect();
    assert_eq!(said, tasks);

    let log = log_of(folder);
    let (begun, open) = pairs(&records(&log));
    assert!(begun.is_subset(&told), "{begun:?} {told:?}");
    // What the log does not know has begun when it was full. The first task holds the other slot.
    assert!(begun.len() + 1 >= told.len(), "{begun:?} {told:?}");
    assert!(open.contains(&(1, 1)) && open.len() <= 2, "{open:?}");

    gate.open();
    let ended = second.start().finish();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let after = log_of(folder);
    let (again, left) = pairs(&records(after.strip_prefix(&log).unwrap()));
    assert_eq!(left, Attempts::new());
    let all: Attempts = (1..=60).map(|task| (task, 1)).collect();
    let done: Attempts = begun.difference(&open).copied().collect();
    assert_eq!(again, all.difference(&done).copied().collect::<Attempts>());
    let ends: BTreeSet<String> = notes(folder.path())
        .into_iter()
        .filter(|note| note.ends_with(" ends"))
        .collect();
    assert_eq!(ends.len(), 60);
}

fn with_a_folder_that_fills() -> TempDir {
    let folder = folder(&[]);
    fs::create_dir(folder.path().join("full")).unwrap();
    folder
}

#[test]
fn a_job_log_on_a_full_disk_ends_the_run_after_a_drain_and_loses_nothing() {
    let mount = "mount -t tmpfs -o size=8k none full";
    let script = format!("{mount} && {{ \"$@\"; status=$?; cp full/log log; exit \"$status\"; }}");
    let wrapper = format!("exec unshare -rm sh -c '{script}' sh \"$@\"");
    let folder = with_a_folder_that_fills();
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", mount])
        .current_dir(folder.path())
        .output();
    let may = tried.is_ok_and(|output| output.status.success());
    needs_that(may, "a mount namespace");
    survives_a_full_disk(&folder, &wrapper);
}

#[test]
fn a_job_log_that_may_not_grow_ends_the_run_after_a_drain_and_loses_nothing() {
    let wrapper = "(ulimit -f 8; exec \"$@\"); status=$?; cp full/log log; exit \"$status\"";
    survives_a_full_disk(&with_a_folder_that_fills(), wrapper);
}
