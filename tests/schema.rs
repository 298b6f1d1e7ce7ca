//! Holds the lines of `progrun --json` to `docs/events.schema.json`.
//!
//! The readers of the stream rely on the schema, so its names are spelled out here once more: a field renamed in both
//! the program and the schema has to fail somewhere. Knows nothing of how the events are made.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

const EVENTS: [&str; 14] = [
    "started",
    "progress",
    "output",
    "malformed",
    "state",
    "signal",
    "warning",
    "finished",
    "run",
    "total",
    "skipped",
    "halted",
    "end",
    "status",
];

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../docs/events.schema.json")).expect("the schema is JSON")
});

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).expect("the schema is a schema"));

/// Whether one line of the stream is an event as documented.
fn valid(line: &str) -> bool {
    serde_json::from_str(line).is_ok_and(|event: Value| VALIDATOR.is_valid(&event))
}

/// Panics with the line and the broken rule unless the line is an event as documented.
fn assert_valid(line: &str) {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    if let Err(error) = VALIDATOR.validate(&event) {
        panic!("{error}\n{:#?}", error.kind());
    }
}

#[test]
fn the_schema_obeys_the_schema_of_schemas() {
    jsonschema::draft202012::meta::validate(&SCHEMA).unwrap();
}

#[test]
fn the_lines_in_the_documentation_are_valid() {
    assert_valid(
        r#"{"event":"started","task":1,"elapsed":0.001,"time":"2026-11-22T10:00:00.123Z","name":"backup.sh","command":["./backup.sh"],"pid":4242}"#,
    );
    assert_valid(
        r#"{"event":"progress","task":1,"elapsed":0.214,"info":{"progress":3,"total":10,"message":"a.jpg"}}"#,
    );
    assert_valid(
        r#"{"event":"output","task":1,"elapsed":0.220,"stream":"stderr","text":"warning: skipped\n"}"#,
    );
    assert_valid(
        r#"{"event":"malformed","task":1,"elapsed":0.230,"line":17,"text":"{oops","error":"key must be a string at column 2"}"#,
    );
    assert_valid(
        r#"{"event":"state","task":1,"elapsed":0.300,"state":"cancelling","reason":"interrupt"}"#,
    );
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":0.410,"state":"cancelled","exit_status":null,"signal":"SIGPIPE","user_time":0.12,"system_time":0.03,"max_rss":10485760,"reports":9,"malformed":0}"#,
    );
}

#[test]
fn the_lines_of_a_run_of_many_are_valid() {
    for line in [
        r#"{"event":"run","task":0,"elapsed":0.001,"time":"2026-11-22T10:00:00.123Z","version":1,"name":"flac","jobs":4,"total":3000,"total_final":true,"command":["flac","-s","{}"],"boot_id":"b","pid":4711}"#,
        r#"{"event":"run","task":0,"elapsed":0.001,"time":"2026-11-22T10:00:00.123Z","version":1,"name":"ci","jobs":4,"total":0,"total_final":false,"pid":4711}"#,
        r#"{"event":"started","task":17,"elapsed":1,"slot":3,"attempt":1,"input":["b/0017.wav"],"time":"2026-11-22T10:00:00.123Z","name":"b/0017.wav","command":["flac","b/0017.wav"],"pid":4242}"#,
        r#"{"event":"started","task":17,"elapsed":1,"slot":3,"attempt":1,"nth":2,"input":["\ufffd"],"input_base64":["/w=="],"time":"2026-11-22T10:00:00.123Z","name":"x","command":["\ufffd"],"command_base64":["/w=="]}"#,
        r#"{"event":"started","task":3,"elapsed":1,"slot":3,"attempt":1,"named":true,"time":"2026-11-22T10:00:00.123Z","name":"build","command":["make"],"pid":4242,"x-any":{"a":[1]}}"#,
        r#"{"event":"finished","task":17,"elapsed":1,"slot":3,"attempt":1,"state":"failed","retry_in":2.0,"output_bytes":512,"exit_status":1,"signal":null,"reports":0,"malformed":0}"#,
        r#"{"event":"finished","task":17,"elapsed":1,"slot":3,"attempt":2,"attempts":2,"time":"2026-11-22T10:00:00.123Z","duration":0.5,"state":"completed","output_bytes":512,"exit_status":0,"signal":null,"reports":0,"malformed":0}"#,
        r#"{"event":"finished","task":17,"elapsed":1,"slot":3,"attempt":1,"attempts":1,"state":"failed","output_bytes":0,"exit_status":null,"signal":"SIGTERM","reason":"timeout","reports":0,"malformed":0}"#,
        r#"{"event":"finished","task":17,"elapsed":1,"slot":3,"attempt":1,"attempts":1,"state":"cancelled","output_bytes":0,"exit_status":null,"signal":"SIGTERM","reason":"halt","reports":0,"malformed":0}"#,
        r#"{"event":"skipped","task":18,"elapsed":9.1,"name":"test","reason":"dependency","cause":"build"}"#,
        r#"{"event":"skipped","task":19,"elapsed":9.1,"name":"test","reason":"done"}"#,
        r#"{"event":"total","task":0,"elapsed":2.0,"total":3000,"total_final":true}"#,
        r#"{"event":"halted","task":0,"elapsed":9.0,"why":"fail","count":1,"when":"soon"}"#,
        r#"{"event":"state","task":0,"elapsed":9.0,"state":"cancelling","reason":"deadline"}"#,
        r#"{"event":"warning","task":0,"elapsed":9.0,"message":"m"}"#,
        r#"{"event":"signal","task":17,"elapsed":9.0,"signal":"SIGTERM","reason":"deadline"}"#,
        r#"{"event":"end","task":0,"elapsed":253.1,"completed":2991,"flaky":2,"failed":7,"cancelled":0,"skipped":0,"not_started":2,"exit_status":1,"signal":null}"#,
        r#"{"event":"end","task":0,"elapsed":253.1,"completed":2991,"flaky":2,"failed":7,"cancelled":0,"skipped":0,"not_started":null,"exit_status":null,"signal":"SIGINT"}"#,
    ] {
        assert_valid(line);
    }
}

#[test]
fn what_makes_no_sense_in_a_run_of_many_is_refused() {
    for line in [
        // The run is task 0, and nothing runs there.
        r#"{"event":"total","task":1,"elapsed":2.0,"total":3000,"total_final":true}"#,
        r#"{"event":"started","task":0,"elapsed":1,"slot":1,"attempt":1,"time":"2026-11-22T10:00:00.123Z","name":"x","command":["c"],"pid":1}"#,
        r#"{"event":"skipped","task":0,"elapsed":1,"name":"test","reason":"done"}"#,
        // Slots and attempts count from 1, and come together.
        r#"{"event":"started","task":1,"elapsed":1,"slot":0,"attempt":1,"time":"2026-11-22T10:00:00.123Z","name":"x","command":["c"],"pid":1}"#,
        r#"{"event":"started","task":1,"elapsed":1,"slot":1,"time":"2026-11-22T10:00:00.123Z","name":"x","command":["c"],"pid":1}"#,
        // The first of equals has no number, and without the text there is no base64.
        r#"{"event":"started","task":1,"elapsed":1,"slot":1,"attempt":1,"nth":1,"time":"2026-11-22T10:00:00.123Z","name":"x","command":["c"],"pid":1}"#,
        r#"{"event":"started","task":1,"elapsed":1,"slot":1,"attempt":1,"input_base64":["/w=="],"time":"2026-11-22T10:00:00.123Z","name":"x","command":["c"],"pid":1}"#,
        // Only a failure is tried again, and then it was not the last attempt.
        r#"{"event":"finished","task":1,"elapsed":1,"slot":1,"attempt":1,"retry_in":1,"state":"completed","output_bytes":0,"exit_status":0,"signal":null,"reports":0,"malformed":0}"#,
        r#"{"event":"finished","task":1,"elapsed":1,"slot":1,"attempt":1,"attempts":1,"retry_in":1,"state":"failed","output_bytes":0,"exit_status":1,"signal":null,"reports":0,"malformed":0}"#,
        // With one command, a time limit cancels.
        r#"{"event":"finished","task":1,"elapsed":1,"state":"failed","exit_status":1,"signal":null,"reason":"timeout","reports":0,"malformed":0}"#,
        r#"{"event":"skipped","task":1,"elapsed":1,"name":"test","reason":"interrupt"}"#,
        r#"{"event":"skipped","task":1,"elapsed":1,"name":"test","reason":"done","cause":"build"}"#,
        r#"{"event":"halted","task":0,"elapsed":9.0,"why":"fail","count":0,"when":"soon"}"#,
        r#"{"event":"halted","task":0,"elapsed":9.0,"why":"fail","count":1,"when":"never"}"#,
        r#"{"event":"end","task":0,"elapsed":1,"completed":0,"flaky":0,"failed":0,"cancelled":0,"skipped":0,"not_started":0,"exit_status":null,"signal":null}"#,
    ] {
        assert!(!valid(line), "{line}");
    }
}

#[test]
fn the_less_common_lines_are_valid() {
    assert_valid(
        r#"{"event":"progress","task":1,"elapsed":0.2,"info":{"percentage":42},"source":"restic"}"#,
    );
    assert_valid(r#"{"event":"output","task":1,"elapsed":0.2,"stream":"stdout","base64":"/w=="}"#);
    assert_valid(
        r#"{"event":"state","task":1,"elapsed":0.3,"state":"cancelling","reason":"outer"}"#,
    );
    assert_valid(
        r#"{"event":"signal","task":1,"elapsed":0.3,"signal":"SIGINT","reason":"interrupt"}"#,
    );
    assert_valid(
        r#"{"event":"signal","task":1,"elapsed":0.3,"signal":"SIGUSR1","reason":"timeout"}"#,
    );
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":2,"state":"failed","exit_status":null,"signal":"SIG40","reports":0,"malformed":0}"#,
    );
    assert_valid(
        r#"{"event":"signal","task":1,"elapsed":10.3,"signal":"SIGTERM","reason":"grace"}"#,
    );
    assert_valid(
        r#"{"event":"signal","task":1,"elapsed":15.3,"signal":"SIGKILL","reason":"kill-after"}"#,
    );
    assert_valid(
        r#"{"event":"signal","task":1,"elapsed":1,"signal":"SIGUSR1","reason":"forwarded"}"#,
    );
    assert_valid(
        r#"{"event":"warning","task":1,"elapsed":2,"message":"sleep (pid 4243) still holds stdout"}"#,
    );
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":2,"state":"failed","exit_status":3,"signal":null,"user_time":0,"system_time":0,"max_rss":0,"reports":9,"malformed":1}"#,
    );
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":2,"state":"cancelled","exit_status":0,"signal":null,"reason":"timeout","reports":9,"malformed":0}"#,
    );
}

#[test]
fn a_command_that_could_not_be_started_has_finished_without_an_end() {
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":0.001,"state":"failed","exit_status":null,"signal":null,"error":"cannot run nosuch: not found","reports":9,"malformed":0}"#,
    );
    assert!(!valid(
        r#"{"event":"finished","task":1,"elapsed":0.001,"state":"failed","exit_status":127,"signal":null,"error":"cannot run nosuch: not found","reports":9,"malformed":0}"#
    ));
    assert!(!valid(
        r#"{"event":"finished","task":1,"elapsed":0.001,"state":"failed","exit_status":null,"signal":null,"reports":9,"malformed":0}"#
    ));
}

#[test]
fn a_command_that_is_still_running_when_we_give_up_has_finished_without_an_end() {
    assert_valid(
        r#"{"event":"finished","task":1,"elapsed":20,"state":"cancelled","exit_status":null,"signal":null,"reason":"interrupt","reports":9,"malformed":0}"#,
    );
}

#[test]
fn what_is_not_known_of_a_run_that_does_not_answer_is_null() {
    assert_valid(
        r#"{"event":"status","version":1,"pid":4242,"name":null,"command":null,"elapsed":null,"state":"unresponsive"}"#,
    );
    assert!(!valid(
        r#"{"event":"status","version":1,"pid":null,"name":null,"command":null,"elapsed":null,"state":"unresponsive"}"#
    ));
}

#[test]
fn the_man_page_names_each_field_of_a_status() {
    let page = include_str!("../man/progrun-protocol.5");
    let (_, section) = page.split_once("\n.SS status\n").unwrap();
    let (section, _) = section.split_once("\n.SH ").unwrap();
    let words: Vec<_> = section
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .collect();
    let fields = SCHEMA["$defs"]["status"]["properties"].as_object().unwrap();
    // Each event has these two, and the page tells of them before.
    let fields = fields
        .keys()
        .filter(|it| !["event", "version"].contains(&&***it));
    for field in fields {
        assert!(words.contains(&&**field), "{field}");
    }
}

#[test]
fn fields_of_a_later_version_are_let_through() {
    assert_valid(r#"{"event":"warning","task":1,"elapsed":2,"message":"m","code":"W7"}"#);
}

#[test]
fn what_has_no_known_event_is_refused() {
    for line in [
        "7",
        "{}",
        "{\"event\":",
        r#"{"event":"step","task":1,"elapsed":0}"#,
        r#"{"task":1,"elapsed":0,"message":"m"}"#,
    ] {
        assert!(!valid(line), "{line}");
    }
}

#[test]
fn no_event_can_do_without_a_field_that_is_promised() {
    for line in [
        r#"{"event":"started","task":1,"elapsed":0,"time":"2026-11-22T10:00:00.123Z","name":"n","command":["c"],"pid":1}"#,
        r#"{"event":"progress","task":1,"elapsed":0,"info":{}}"#,
        r#"{"event":"output","task":1,"elapsed":0,"stream":"stdout","text":""}"#,
        r#"{"event":"malformed","task":1,"elapsed":0,"line":1,"text":"","error":"e"}"#,
        r#"{"event":"state","task":1,"elapsed":0,"state":"cancelling","reason":"hangup"}"#,
        r#"{"event":"signal","task":1,"elapsed":0,"signal":"SIGTERM","reason":"grace"}"#,
        r#"{"event":"warning","task":1,"elapsed":0,"message":"m"}"#,
        r#"{"event":"finished","task":1,"elapsed":0,"state":"completed","exit_status":0,"signal":null,"reports":9,"malformed":0}"#,
        r#"{"event":"run","task":0,"elapsed":0,"time":"2026-11-22T10:00:00.123Z","version":1,"name":"n","jobs":4,"total":0,"total_final":false,"pid":1}"#,
        r#"{"event":"total","task":0,"elapsed":0,"total":3,"total_final":true}"#,
        r#"{"event":"skipped","task":1,"elapsed":0,"name":"n","reason":"done"}"#,
        r#"{"event":"halted","task":0,"elapsed":0,"why":"fail","count":1,"when":"soon"}"#,
        r#"{"event":"status","version":1,"pid":4242,"name":"n","command":[],"elapsed":0,"state":"running"}"#,
        r#"{"event":"end","task":0,"elapsed":0,"completed":0,"flaky":0,"failed":0,"cancelled":0,"skipped":0,"not_started":0,"exit_status":0,"signal":null}"#,
    ] {
        assert_valid(line);
        let whole: Value = serde_json::from_str(line).unwrap();
        for field in whole.as_object().unwrap().keys() {
            let mut rest = whole.clone();
            rest.as_object_mut().unwrap().remove(field);
            assert!(!VALIDATOR.is_valid(&rest), "{line} without {field}");
        }
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for line in [
        // A task counts from 1, and the clock never runs backwards.
        r#"{"event":"progress","task":0,"elapsed":0,"info":{}}"#,
        r#"{"event":"warning","task":-1,"elapsed":0,"message":"m"}"#,
        r#"{"event":"warning","task":1,"elapsed":-1,"message":"m"}"#,
        // Local time, and a time without its milliseconds.
        r#"{"event":"started","task":1,"elapsed":0,"time":"2026-11-22T10:00:00.123+01:00","name":"n","command":["c"],"pid":1}"#,
        r#"{"event":"started","task":1,"elapsed":0,"time":"2026-11-22T10:00:00Z","name":"n","command":["c"],"pid":1}"#,
        r#"{"event":"started","task":1,"elapsed":0,"time":"2026-11-22T10:00:00.123Z","name":"n","command":[],"pid":1}"#,
        // A short form is written out as an object.
        r#"{"event":"progress","task":1,"elapsed":0,"info":42}"#,
        r#"{"event":"output","task":1,"elapsed":0,"stream":"stdin","text":""}"#,
        r#"{"event":"output","task":1,"elapsed":0,"stream":"stdout","text":"a","base64":"YQ=="}"#,
        r#"{"event":"output","task":1,"elapsed":0,"stream":"stdout","base64":"Y"}"#,
        r#"{"event":"malformed","task":1,"elapsed":0,"line":0,"text":"","error":"e"}"#,
        // The last states come with `finished`, and only a cancellation has a reason.
        r#"{"event":"state","task":1,"elapsed":0,"state":"completed"}"#,
        r#"{"event":"state","task":1,"elapsed":0,"state":"cancelling","reason":"boredom"}"#,
        r#"{"event":"state","task":1,"elapsed":0,"state":"cancelling","reason":"quit"}"#,
        r#"{"event":"state","task":1,"elapsed":0,"state":"executing","reason":"interrupt"}"#,
        r#"{"event":"signal","task":1,"elapsed":0,"signal":"TERM","reason":"grace"}"#,
        r#"{"event":"finished","task":1,"elapsed":0,"state":"executing","exit_status":0,"signal":null,"reports":9,"malformed":0}"#,
        r#"{"event":"finished","task":1,"elapsed":0,"state":"completed","exit_status":1,"signal":null,"reports":9,"malformed":0}"#,
        r#"{"event":"finished","task":1,"elapsed":0,"state":"completed","exit_status":0,"signal":null,"reason":"interrupt","reports":9,"malformed":0}"#,
        // An end is an exit or a signal.
        r#"{"event":"finished","task":1,"elapsed":0,"state":"failed","exit_status":1,"signal":"SIGTERM","reports":9,"malformed":0}"#,
        r#"{"event":"finished","task":1,"elapsed":0,"state":"failed","exit_status":256,"signal":null,"reports":9,"malformed":0}"#,
    ] {
        assert!(!valid(line), "{line}");
    }
}

#[test]
fn a_field_that_may_be_missing_still_has_its_name_and_its_type() {
    let finished: Value = serde_json::from_str(
        r#"{"event":"finished","task":1,"elapsed":0,"state":"cancelled","exit_status":null,"signal":"SIGTERM","reports":9,"malformed":0}"#,
    )
    .unwrap();
    for field in [
        "reason",
        "error",
        "user_time",
        "system_time",
        "max_rss",
        "reports",
        "malformed",
    ] {
        let mut wrong = finished.clone();
        wrong[field] = Value::Bool(true);
        assert!(!VALIDATOR.is_valid(&wrong), "{field}");
    }
    assert!(!valid(
        r#"{"event":"progress","task":1,"elapsed":0,"info":{},"source":7}"#
    ));
}

#[test]
fn the_schema_describes_every_event_and_every_field() {
    let alternatives: Vec<&str> = SCHEMA["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alternative| alternative["$ref"].as_str().unwrap())
        .collect();
    assert_eq!(alternatives, EVENTS.map(|event| format!("#/$defs/{event}")));

    for event in EVENTS {
        let definition = &SCHEMA["$defs"][event];
        assert!(definition["description"].is_string(), "{event}");
        for (field, rule) in definition["properties"].as_object().unwrap() {
            let shared = rule["$ref"].as_str().unwrap_or_default();
            let shared = &SCHEMA["$defs"][shared.trim_start_matches("#/$defs/")];
            let description = rule.get("description").or(shared.get("description"));
            assert!(description.is_some(), "{event}.{field}");
        }
    }
}
