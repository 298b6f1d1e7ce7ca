//! Many tasks in one run. There is no command line for it yet: `tests/children/many-tasks.rs` runs a list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::pty::{End, Terminal, terminal};
use crate::support::example;

/// The events of a list, as far as they have come.
struct Events(PathBuf);

/// Runs a script 200 times, 16 at once, on a terminal. `$1` is the number of the task.
fn list(script: &str, folder: &TempDir) -> (Terminal, Events) {
    let program = example("many-tasks");
    let program = program.to_str().unwrap();
    let file = folder.path().join("events");
    let events = file.to_str().unwrap();
    let command = [
        program, "16", "200", events, "sh", "-c", script, "sh", "TASK",
    ];
    (terminal().run(&command), Events(file))
}

impl Events {
    fn all(&self) -> Vec<Value> {
        let events = fs::read_to_string(&self.0).unwrap_or_default();
        let whole = events.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(serde_json::from_str);
        events.collect::<Result<_, _>>().unwrap()
    }

    /// The events of one kind.
    fn of(&self, kind: &str) -> Vec<Value> {
        let mut events = self.all();
        events.retain(|event| event["event"] == kind);
        events
    }
}

#[test]
fn two_hundred_tasks_sixteen_at_once_lose_no_status_and_leave_no_zombie_and_no_descriptor() {
    let script = r##"
        echo "# $1" >&3
        descriptors=$(ls /proc/$PPID/fd | wc -l)
        zombies=$(grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | xargs -r grep -l "^PPid:.$PPID\$" 2>/dev/null | wc -l)
        echo "{\"message\": \"seen\", \"descriptors\": $descriptors, \"zombies\": $zombies}" >&3
        exit $(($1 % 7))"##;
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, events) = list(script, &folder);
    assert_eq!(terminal.ends(), End::Status(1));
    let (mut running, mut most) = (BTreeSet::new(), 0);
    let mut ended = BTreeMap::new();
    let mut seen = Vec::new();
    for event in events.all() {
        let task = event["task"].as_u64().unwrap();
        match event["event"].as_str().unwrap() {
            "started" => {
                assert_eq!(event["name"], format!("task {task}"));
                assert!(running.insert(task), "{event}");
                most = most.max(running.len());
            }
            "progress" if event["info"]["message"] == "seen" => {
                let count = |name: &str| event["info"][name].as_u64().unwrap();
                seen.push((task, count("descriptors"), count("zombies")));
            }
            "progress" => assert_eq!(event["info"]["message"], task.to_string()),
            "finished" => {
                assert!(running.remove(&task), "{event}");
                assert_eq!(event["reports"], 2);
                ended.insert(task, event["exit_status"].as_u64().unwrap());
            }
            other => panic!("{other}: {event}"),
        }
    }
    assert_eq!(most, 16);
    let expected: BTreeMap<u64, u64> = (1..=200).map(|task| (task, task % 7)).collect();
    assert_eq!(ended, expected);
    // A running task has a channel, a socket, a wake-up pipe, a pseudo-terminal and a few more descriptors; an ended
    // task must have none.
    let most_descriptors = |tasks: std::ops::Range<u64>| {
        let of = seen.iter().filter(|(task, ..)| tasks.contains(task));
        of.map(|(_, descriptors, _)| *descriptors).max().unwrap()
    };
    let (early, late) = (most_descriptors(1..100), most_descriptors(100..201));
    assert!(late <= early + 16, "{early} {late}");
    assert!(
        seen.iter().all(|(_, _, zombies)| *zombies <= 16),
        "{seen:?}"
    );
}

#[test]
fn a_ctrl_c_is_for_all_tasks_that_run_and_no_other_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, events) = list("while echo 1/2 >&3; do sleep 0.02; done", &folder);
    let tasks = |kind: &str| -> BTreeSet<u64> {
        let events = events.of(kind);
        events
            .iter()
            .filter_map(|event| event["task"].as_u64())
            .collect()
    };
    terminal.eventually("all slots", |_| tasks("progress").len() == 16);
    terminal.types("\x03");
    assert_eq!(terminal.ends(), End::Signal(libc::SIGINT));
    let first = (1..=16).collect();
    assert_eq!(tasks("started"), first);
    assert_eq!(tasks("state"), first);
    assert_eq!(tasks("finished"), first);
    for event in events.of("state") {
        assert_eq!(
            (&event["state"], &event["reason"]),
            (&"cancelling".into(), &"interrupt".into())
        );
    }
    for event in events.of("finished") {
        assert_eq!(
            (&event["state"], &event["signal"]),
            (&"cancelled".into(), &"SIGPIPE".into())
        );
    }
}

#[test]
fn a_terminal_that_two_tasks_want_is_lent_to_one_after_the_other_and_the_rest_run_on() {
    let script = r##"
        case $1 in
        3|7) read -r word </dev/tty; echo "# task $1 got $word" >&3 ;;
        *) echo "# task $1" >&3 ;;
        esac"##;
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, events) = list(script, &folder);
    let leader = terminal.leader();
    terminal.eventually("the first end", |_| !events.of("finished").is_empty());
    terminal.eventually("lent", |terminal| terminal.foreground() != leader);
    let first = terminal.foreground();
    terminal.eventually("the rest", |_| events.of("finished").len() == 198);
    assert_eq!(terminal.foreground(), first);
    terminal.types("Ada\r");
    terminal.eventually("lent again", |terminal| {
        let foreground = terminal.foreground();
        foreground != first && foreground != leader
    });
    terminal.types("Bob\r");
    assert_eq!(terminal.ends(), End::Status(0));
    let events = events.of("progress");
    let messages = events
        .iter()
        .filter_map(|event| event["info"]["message"].as_str());
    let mut answers: Vec<_> = messages.filter(|message| message.contains("got")).collect();
    answers.sort_unstable();
    let possible = [
        ["task 3 got Ada", "task 7 got Bob"],
        ["task 3 got Bob", "task 7 got Ada"],
    ];
    assert!(
        possible.iter().any(|possible| answers == *possible),
        "{answers:?}"
    );
}
