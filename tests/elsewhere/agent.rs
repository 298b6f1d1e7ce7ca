//! `progrun agent` itself, on its stdin and stdout.

use serde_json::Value;

use crate::support::{Progrun, progrun, text};

fn agent(stdin: &str) -> (Option<i32>, Vec<Value>) {
    let run: Progrun = progrun(&["agent"]).stdin(stdin);
    let run = run.output();
    assert_eq!(text(&run.stderr), "");
    let stdout = text(&run.stdout);
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (run.status.code(), lines.collect())
}

const ORDER: &str = r#"{"name":"x","command":["sh","-c","echo 1/2 >&3; exit 3"],"channel":3,"streams":["pipe","pipe"],"every_report":true,"from":["auto"],"zig":false,"wait_output":false,"observe":false,"lease":60000,"patience":{"grace":1000,"kill_after":1000}}"#;

#[test]
fn it_says_who_it_is_and_numbers_all_that_it_says() {
    // The end of its stdin cancels the task, unless that is over. So the pipe is kept open by a progrun that waits.
    let run = progrun(&["agent"])
        .inside("sh", "{ echo \"$ORDER\"; sleep 1; } | \"$@\"")
        .variable("ORDER", ORDER)
        .output();
    let stdout = text(&run.stdout);
    let lines: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<_> = lines
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.iter().copied().eq(1..=numbers.len() as u64),
        "{stdout}"
    );
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    // That the child is gone is said as soon as it is known.
    let events: Vec<_> = events
        .into_iter()
        .filter(|event| *event != "answer")
        .collect();
    assert_eq!(events, ["hello", "started", "progress", "finished"]);
    assert_eq!(lines[0]["protocol"], 1);
    assert_eq!(lines[0]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(lines[4]["exit_status"], 3);
    assert_eq!(run.status.code(), Some(0));
}

#[test]
fn it_refuses_what_it_does_not_understand_with_one_clear_error() {
    for (order, sentence) in [
        ("nonsense\n".to_owned(), "what is to run is not clear: "),
        (ORDER[..40].to_owned(), "what is to run is not clear: "),
        (
            format!("{}\n", ORDER.replace("\"zig\"", "\"zag\"")),
            "what is to run is not clear: unknown field `zag`",
        ),
    ] {
        let (status, lines) = agent(&order);
        assert_eq!(status, Some(125));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["event"], "refused");
        let error = lines[1]["error"].as_str().unwrap();
        assert!(error.starts_with(sentence), "{error}");
    }
}

#[test]
fn without_anything_to_run_it_ends_quietly() {
    let run = progrun(&["agent"]).output();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(text(&run.stdout).lines().count(), 1);
}

#[test]
fn an_instruction_that_it_does_not_know_is_told_of_and_the_task_goes_on() {
    let run = progrun(&["agent"])
        .inside("sh", "{ echo \"$ORDER\"; echo dance; sleep 1; } | \"$@\"")
        .variable("ORDER", &ORDER.replace("exit 3", "sleep 0.3; exit 3"))
        .output();
    let stdout = text(&run.stdout);
    assert!(stdout.contains(r#""event":"warning","task":1"#), "{stdout}");
    assert!(
        stdout.contains(r#"the agent does not understand \"dance\""#),
        "{stdout}"
    );
    assert!(stdout.contains(r#""exit_status":3"#), "{stdout}");
}

#[test]
fn it_says_by_its_status_whether_it_speaks_a_version() {
    progrun(&["agent", "--check", "1"]).status(0);
    progrun(&["agent", "--check", "2"]).status(1);
}

#[test]
fn a_cancel_that_comes_together_with_the_order_is_a_cancel() {
    let run = progrun(&["agent"])
        .inside(
            "sh",
            "{ printf '%s\ncancel\n' \"$ORDER\"; sleep 1; } | \"$@\"",
        )
        .variable("ORDER", ORDER)
        .output();
    let stdout = text(&run.stdout);
    let last: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["state"]),
        (&"finished".into(), &"cancelled".into()),
        "{stdout}"
    );
}
