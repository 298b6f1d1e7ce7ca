//! Tasks that need others, and tasks that go first or need more room: scenarios 30 to 33.

use super::{folder, notes, tasks};
use crate::support::{progrun, text};

/// A list of tasks that note when they begin and end. Each line: the name, and further keys.
fn list(lines: &[(&str, &str)]) -> String {
    let line = |(name, keys): &(&str, &str)| {
        let script = format!("echo {name} begins >>notes; sleep 0.1; echo {name} ends >>notes");
        format!("{{\"name\": \"{name}\", \"command\": [\"sh\", \"-c\", \"{script}\"]{keys}}}\n")
    };
    lines.iter().map(line).collect()
}

#[test]
fn s30_a_diamond_runs_in_its_order() {
    let list = list(&[
        ("d", r#", "after": ["b", "c"]"#),
        ("b", r#", "after": "a""#),
        ("c", r#", "after": ["a"]"#),
        ("a", ""),
    ]);
    let folder = folder(&[("list.jsonl", &list)]);
    tasks(&["-j4", "list.jsonl"])
        .in_folder(folder.path())
        .status(0);
    let notes = notes(folder.path());
    assert_eq!(&notes[..2], ["a begins", "a ends"]);
    let mut middle = notes[2..6].to_vec();
    middle.sort();
    assert_eq!(middle, ["b begins", "b ends", "c begins", "c ends"]);
    assert_eq!(&notes[6..], ["d begins", "d ends"]);
}

#[test]
fn s31_what_needs_a_task_that_failed_is_skipped_and_what_only_waits_for_its_end_runs() {
    // pueue first left them queued for ever.
    let list = r#"{"name": "b", "command": "exit 3"}
{"name": "d", "command": "echo d >>notes", "after": ["b"]}
{"name": "e", "command": "echo e >>notes", "after": ["d"]}
{"name": "clean", "command": "echo clean >>notes", "after_any": ["b"]}
"#;
    let folder = folder(&[("list.jsonl", list)]);
    let run = progrun(&["tasks", "--json", "list.jsonl"])
        .in_folder(folder.path())
        .start();
    let ended = run.finish();
    assert_eq!(ended.status.code(), Some(1));
    let skipped = ended.all("skipped");
    let said: Vec<_> = skipped
        .iter()
        .map(|event| {
            [&event["name"], &event["reason"], &event["cause"]].map(|it| it.as_str().unwrap())
        })
        .collect();
    assert_eq!(said, [["d", "dependency", "b"], ["e", "dependency", "d"]]);
    assert_eq!(notes(folder.path()), ["clean"]);
}

#[test]
fn s32_a_list_that_cannot_be_is_refused_before_anything_starts() {
    for (list, said) in [
        (
            "{\"name\":\"a\",\"command\":\"touch notes\",\"after\":[\"b\"]}\n{\"name\":\"b\",\"command\":\"touch notes\",\"after\":[\"a\"]}\n",
            "a, b, a",
        ),
        (
            "{\"command\":\"touch notes\"}\n{\"command\":\"touch notes\",\"after\":[\"missing\"]}\n",
            "line 2",
        ),
        (
            "{\"command\":\"touch notes\"}\n\n{\"command\":\"touch notes\",\"afetr\":[]}\n",
            "line 3",
        ),
    ] {
        let folder = folder(&[("list.jsonl", list)]);
        let output = tasks(&["list.jsonl"]).in_folder(folder.path()).output();
        assert_eq!(output.status.code(), Some(125));
        assert!(
            text(&output.stderr).contains(said),
            "{}",
            text(&output.stderr)
        );
        assert!(!folder.path().join("notes").exists());
    }
}

#[test]
fn s33_the_urgent_task_runs_first_and_one_of_two_slots_runs_alone() {
    let mut lines: Vec<(String, &str)> = (0..10).map(|number| (format!("t{number}"), "")).collect();
    lines.push(("urgent".to_owned(), r#", "priority": 5"#));
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, keys)| (name.as_str(), *keys))
        .collect();
    let folder = folder(&[("list.jsonl", &list(&lines))]);
    tasks(&["-j1", "list.jsonl"])
        .in_folder(folder.path())
        .status(0);
    assert_eq!(&notes(folder.path())[..2], ["urgent begins", "urgent ends"]);

    let wide = list(&[("a", ""), ("wide", r#", "slots": 2"#), ("b", "")]);
    let folder = self::folder(&[("list.jsonl", &wide)]);
    tasks(&["-j2", "list.jsonl"])
        .in_folder(folder.path())
        .status(0);
    let notes = notes(folder.path());
    let at = notes.iter().position(|note| note == "wide begins").unwrap();
    assert_eq!(notes[at + 1], "wide ends");
    assert_eq!(notes[0], "a begins");
}
