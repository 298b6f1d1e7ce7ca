//! The property of what a watcher is told: its sinks outlive any numbers in it. A process of the same user may listen
//! where a run is looked for, and be no progrun.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Sink;
use super::bars::{Bars, Begin, Options};
use super::display::Many;
use super::plain::Plain;
use super::terminal::{Setup, Terminal};
use super::writer::Writer;
use crate::flow::Credit;
use crate::wire;

/// A number that may do harm.
fn number() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(0.5),
        json!(99999),
        json!(u64::from(u32::MAX)),
        json!(u64::MAX),
        json!(1.8e19),
        json!(1e308),
    ])
}

fn whole() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![
        0,
        1,
        3,
        6,
        99999,
        u64::from(u32::MAX),
        u64::MAX - 1,
        u64::MAX,
    ])
}

fn time() -> impl Strategy<Value = Value> {
    whole().prop_map(|secs| json!({"secs": secs, "nanos": 999_999_999}))
}

fn part() -> impl Strategy<Value = Value> {
    let progress = (number(), number(), prop::bool::ANY);
    (progress, vec(time(), 6), vec(number(), 3), vec(whole(), 2)).prop_map(
        |((progress, total, is_ours), times, numbers, counts)| {
            json!({
                "info": {"id": "a", "progress": progress, "total": total},
                "source": if is_ours { None } else { Some("meter") },
                "began": times[0],
                "updated": times[1],
                "moved": times[2],
                "eta_given": times[3],
                "estimate": {"first": times[4], "last": times[5], "done": numbers[0], "work": numbers[1], "time": numbers[2]},
                "named": counts[0],
                "over": counts[1],
            })
        },
    )
}

fn line() -> impl Strategy<Value = Value> {
    let of_kind = prop_oneof![
        vec(number(), 0..4).prop_map(|ends| {
            let lines: Vec<_> = ends.iter().map(|end| json!({"end": end, "source": "progrun"})).collect();
            json!({"event": "output", "stream": "stdout", "text": "ab\ncd\n", "lines": lines})
        }),
        (part(), part(), vec(whole(), 4), time(), number()).prop_map(|(task, live, counts, at, done)| {
            let number = counts[0].to_string();
            json!({"event": "known", "parts": {
                "task": task,
                "live": {number: live},
                "begun": counts[1],
                "ended_well": counts[2],
                "ended_badly": counts[3],
                "course": [[at, done, at]],
            }})
        }),
        (vec(whole(), 6), vec(time(), 3), vec(number(), 5)).prop_map(|(counts, times, numbers)| {
            json!({"event": "counted", "counts": {"counts": counts, "estimate": {
                "last": times[0],
                "running": u32::MAX,
                "busy": numbers[0],
                "ends": numbers[1],
                "time": numbers[2],
                "over": counts[0],
                "took": numbers[3],
                "expected": [numbers[4], numbers[3]],
                "given": [times[1], times[2]],
            }}})
        }),
        (number(), number()).prop_map(|(done, total)| {
            json!({"event": "progress", "source": "progrun", "info": {"id": "a", "progress": done, "total": total, "eta": done}})
        }),
        (number(), number(), number()).prop_map(|(cpu, at, size)| {
            json!({"event": "observed", "observed": {"cpu": cpu, "read": at, "written": size, "file": ["f", at, size]}})
        }),
        time().prop_map(|at| json!({"event": "waiting", "waiting": [{"name": "x", "obstacle": {"retry": at}}]})),
        number().prop_map(|left| json!({"event": "state", "state": "cancelling", "reason": "interrupt", "step": "ask", "left": left})),
        Just(json!({"event": "started", "name": "x", "command": ["x"], "slot": 1})),
        (number(), number()).prop_map(|(time, count)| {
            json!({"event": "finished", "state": "failed", "slot": 1, "duration": time, "retry_in": time,
                "user_time": time, "system_time": time, "output_bytes": count, "reports": count})
        }),
        whole().prop_map(|total| json!({"event": "total", "total": total, "total_final": true})),
        vec(whole(), 4).prop_map(|counts| {
            json!({"event": "end", "completed": counts[0], "failed": counts[1], "skipped": counts[2],
                "cancelled": counts[2], "not_started": counts[3], "exit_status": 0})
        }),
    ];
    (of_kind, number(), 0..3).prop_map(|(mut line, elapsed, task)| {
        line["elapsed"] = elapsed;
        line["task"] = json!(task);
        line
    })
}

fn bars(is_of_many: bool) -> Bars {
    let nowhere = tempfile::tempfile().unwrap();
    let many = Many {
        in_order: false,
        tagged: true,
        ends: None,
        folder: None,
        job_log: None,
        again: None,
    };
    let options = Options {
        name: "job".to_owned(),
        with_color: true,
        in_ascii: false,
        shows: [true; 2],
        direct: false,
        aside: None,
        begin: Begin::Soon,
        terminal: Terminal {
            size: || (80, 24),
            foreground: || true,
            setup: || Setup::USUAL,
        },
        memory: None,
        many: is_of_many.then_some((many, false)),
    };
    Bars::new(Writer::new(nowhere.into(), Box::new(|_| ())), options)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_number_that_a_watcher_is_told_ends_its_sinks(lines in vec(line(), 1..12)) {
        let nowhere = tempfile::tempfile().unwrap();
        let plain = Plain::new(Writer::new(nowhere.into(), Box::new(|_| ())), "job".to_owned());
        let mut sinks: [Box<dyn Sink>; 3] = [Box::new(bars(false)), Box::new(bars(true)), Box::new(plain)];
        let credit = Credit::new(1, || ());
        let mut now = Duration::from_secs(1);
        for line in lines {
            let known = |name: &str| ["progrun", "meter"].into_iter().find(|it| *it == name);
            wire::read(&line.to_string(), &known, &credit, &mut |event| {
                for sink in &mut sinks {
                    sink.event(event);
                }
            });
            now += Duration::from_secs(3);
            for sink in &mut sinks {
                sink.tick(now);
            }
        }
    }
}
