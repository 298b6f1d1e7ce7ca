//! A run of many tasks, as a terminal shows it.

use std::cell::Cell;
use std::io::Read;
use std::num::NonZeroU16;

use super::*;
use crate::event::{
    Attempt, Cause, Counts, Exit, HaltWhen, HaltWhy, Halted, Obstacle, Place, RunHead, RunSummary,
    SkipReason, Step, Surroundings, Total, Waiting,
};
use crate::sink::display::{Ends, Many};

thread_local! {
    static SIZE: Cell<(u16, u16)> = const { Cell::new((80, 24)) };
}

/// A run of many tasks, and a terminal.
struct Run {
    bars: Bars,
    file: std::fs::File,
    parser: vt100::Parser,
    credit: Credit,
    now: Duration,
    /// Everything that was written.
    written: Vec<u8>,
}

/// What is not usual in a run.
#[derive(Clone, Copy, Default)]
struct Wishes {
    ends: Option<Ends>,
    with_color: bool,
    is_mixed: bool,
}

fn total(count: u64) -> Total {
    Total {
        count,
        is_final: true,
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

impl Run {
    fn on(size: (u16, u16), name: &str, jobs: u32, total: Total) -> Self {
        Self::with(Wishes::default(), size, name, jobs, total)
    }

    fn with(wishes: Wishes, size: (u16, u16), name: &str, jobs: u32, total: Total) -> Self {
        SIZE.set(size);
        let written = tempfile::NamedTempFile::new().unwrap();
        let file = written.reopen().unwrap();
        let writer = Writer::new(written.into_file().into(), Box::new(|_| ()));
        let many = Many {
            in_order: false,
            tagged: false,
            ends: wishes.ends,
            folder: None,
            job_log: None,
            again: None,
        };
        let bars = Bars::new(
            writer,
            Options {
                with_color: wishes.with_color,
                terminal: Terminal {
                    size: || SIZE.get(),
                    ..TERMINAL
                },
                many: Some((many, wishes.is_mixed)),
                ..options()
            },
        );
        let number = |number| NonZeroU16::new(number).unwrap();
        let mut run = Self {
            bars,
            file,
            parser: vt100::Parser::new(number(size.1), number(size.0), 1000),
            credit: Credit::new(1 << 24, || ()),
            now: Duration::ZERO,
            written: Vec::new(),
        };
        let head = RunHead {
            name,
            jobs,
            total,
            command: &[],
        };
        run.tell(None, What::Run(&head));
        run
    }

    fn tell(&mut self, task: Option<u32>, what: What<'_>) {
        let (task, at) = (task.and_then(TaskId::of), self.now);
        self.bars.event(&Event { task, at, what });
    }

    fn begin(&mut self, task: u32, slot: u32, name: &str) {
        let command = ["work".into(), name.into()];
        let what = What::Started {
            host: None,
            name,
            command: &command,
            pid: Some(1),
            place: Some(Place {
                slot,
                attempt: 1,
                input: None,
                named: false,
                nth: 1,
                extra: None,
                surroundings: Surroundings::default(),
            }),
        };
        self.tell(Some(task), what);
    }

    fn print(&mut self, task: u32, text: &str) {
        let permit = self.credit.permit(text.len());
        let what = What::Output {
            stream: Stream::Stderr,
            bytes: &Arc::new(text.as_bytes().to_vec()),
            verdicts: &Verdicts::default(),
            permit: &permit,
        };
        self.tell(Some(task), what);
    }

    fn report(&mut self, task: u32, report: Progress<'static>, source: Option<&'static str>) {
        let reports = Batch {
            parts: vec![report],
            source,
            ..Batch::default()
        };
        self.tell(Some(task), What::Progress(&reports));
    }

    /// The end of a task that has kept its output; it is shown at once.
    fn end(&mut self, task: u32, ending: Ending, lasted: f64, output: &str) {
        let summary = summary(ending, lasted, None);
        self.tell(Some(task), What::Finished(&summary));
        self.show(task, &summary, output);
    }

    fn show(&mut self, task: u32, summary: &Summary, output: &str) {
        self.tell(Some(task), What::Shows(summary));
        if !output.is_empty() {
            self.print(task, output);
        }
        self.tell(Some(task), What::Shown);
    }

    fn done(&mut self, counts: Counts, not_started: u64, why: Option<&'static str>) {
        let is_well = counts.over() == counts.completed && why.is_none();
        let end = RunSummary {
            counts,
            not_started: Some(not_started),
            why,
            ending: Ending::Status(i32::from(!is_well)),
        };
        self.tell(None, What::End(&end));
    }

    /// The rows of the terminal at this time.
    fn at(&mut self, time: f64) -> Vec<String> {
        self.now = seconds(time);
        self.bars.tick(self.now);
        self.look()
    }

    fn look(&mut self) -> Vec<String> {
        let mut written = Vec::new();
        self.file.read_to_end(&mut written).unwrap();
        show(&mut self.parser, &written);
        self.written.extend(written);
        let screen = self.parser.screen();
        let (_, columns) = screen.size();
        let rows = screen
            .rows(0, columns.get())
            .map(|row| row.trim_end().to_owned());
        let mut rows: Vec<_> = rows.collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
}

fn summary(ending: Ending, lasted: f64, retry_in: Option<f64>) -> Summary {
    let is_well = ending == Ending::Status(0);
    Summary {
        missed: None,
        state: if is_well {
            FinalState::Completed
        } else {
            FinalState::Failed
        },
        reason: None,
        exit: Some(Exit {
            ending,
            user_time: Duration::ZERO,
            system_time: Duration::ZERO,
            max_rss: 0,
        }),
        error: None,
        reports: 0,
        malformed: 0,
        attempt: Some(Attempt {
            slot: 1,
            number: 1,
            retry_in: retry_in.map(seconds),
            duration: seconds(lasted),
            output_bytes: 0,
        }),
    }
}

const WELL: Ending = Ending::Status(0);

fn of(progress: f64, total: f64) -> Progress<'static> {
    Progress {
        progress: Some(progress),
        total: Some(total),
        ..Progress::default()
    }
}

fn bytes(progress: f64, total: f64) -> Progress<'static> {
    Progress {
        unit: Some("bytes".into()),
        ..of(progress * 1_048_576.0, total * 1_048_576.0)
    }
}

#[test]
fn three_tasks_at_100_columns() {
    let mut run = Run::on((100, 24), "ci", 2, total(3));
    run.begin(1, 1, "build");
    run.begin(2, 2, "docs");
    let waiting = [Waiting {
        name: "test".to_owned(),
        obstacle: Obstacle::Task("build".to_owned()),
    }];
    run.at(0.3);
    run.now = seconds(12.1);
    run.end(2, WELL, 12.1, "");
    run.tell(None, What::Waiting(&waiting));
    for second in 1..=41 {
        run.now = seconds(f64::from(second));
        let mut report = of(f64::from(second * 212 / 41), 372.0);
        report.message = Some("syntax of all files".into());
        run.report(1, report, None);
    }
    assert_eq!(
        run.at(41.1),
        [
            "ok docs  12.1s",
            "build  ━━━━━━━━━━━━━━━━━━━━╸───────────────  56%  212/372  5.2/s  0:41  ETA 31s  syntax of all fil…",
            "test   waits for build",
            "ci     ━━━━━━━━━━━━━━━━━━╸─────────────────  52%  1/3  1 running  0:41",
        ]
    );
}

#[test]
fn thirty_tasks_at_60_columns() {
    let mut run = Run::on((60, 24), "convert", 3, total(30));
    let name = |number| format!("img_{number:02}.raw");
    for task in 1..=20 {
        run.now = seconds(f64::from(task) * 2.0);
        run.begin(task, 1, &name(task));
        run.now += seconds(2.0);
        if task == 17 {
            run.end(
                task,
                Ending::Status(1),
                2.3,
                "convert: corrupt image `img_17.raw' @ error/1290\n",
            );
        } else {
            run.end(task, WELL, 2.0, "");
        }
    }
    run.begin(21, 1, &name(21));
    run.begin(22, 2, &name(22));
    run.begin(24, 3, &name(24));
    run.report(21, bytes(23.2, 38.1), None);
    run.report(22, bytes(8.4, 38.1), None);
    let shown = run.at(43.0);
    assert_eq!(
        shown[15..],
        [
            "FAILED img_17.raw  exit status 1, 2.3s",
            "convert: corrupt image `img_17.raw' @ error/1290",
            "ok img_18.raw  2.0s",
            "ok img_19.raw  2.0s",
            "ok img_20.raw  2.0s",
            "img_21.raw  ━━━━━━━━━╸─────  60%  23.2 MiB/38.1 MiB  0:01",
            "img_22.raw  ━━━╸───────────  22%   8.4 MiB/38.1 MiB  0:01",
            "img_24.raw  ⣾                                        0:01",
            "convert     ━━━━━━━━━━╸────  69%  20/30  1 failed  ETA 16s",
        ]
    );
}

#[test]
fn three_thousand_tasks_in_64_slots_have_11_rows_of_24_and_are_counted_below() {
    let mut run = Run::on((100, 24), "flac", 64, total(3000));
    let name = |number| format!("b/{number:04}.flac");
    run.begin(7, 64, &name(7));
    let mut task = 8;
    // 13 tasks of 5 s in each of the other slots.
    for round in 0..13 {
        for slot in 1..64 {
            run.now = seconds(f64::from(round) * 20.0 + f64::from(slot) * 0.01);
            run.begin(task + slot, slot, &name(task + slot));
        }
        for slot in 1..64 {
            run.now = seconds(f64::from(round) * 20.0 + 19.0 + f64::from(slot) * 0.01);
            let well = !(round == 3 && slot <= 7);
            let ending = Ending::Status(i32::from(!well));
            run.end(task + slot, ending, 19.0, "");
        }
        task += 63;
    }
    for slot in 1..64 {
        run.now = seconds(247.0);
        run.begin(task + slot, slot, &name(task + slot));
        run.report(task + slot, bytes(14.1, 27.0), Some("curl"));
    }
    let shown = run.at(250.0);
    assert_eq!(shown[6], "FAILED b/0204.flac  exit status 1, 19.0s");
    assert_eq!(
        shown[7],
        "b/0828.flac  ━━━━━━━━━━━━━╸───────────  52%  14.1 MiB/27.0 MiB  0:03"
    );
    assert_eq!(
        shown[7..]
            .iter()
            .filter(|row| row.starts_with("b/"))
            .count(),
        11
    );
    assert_eq!(
        shown[18..],
        [
            "and 53 more, the oldest since 4m10s (b/0007.flac)",
            "flac         ━━━━━━━╸─────────────────  28%  819/3,000  7 failed  64 running  3.9/s  4:10  ETA 12m",
        ]
    );
    // The same on 6 rows.
    SIZE.set((100, 6));
    run.parser
        .screen_mut()
        .set_size(NonZeroU16::new(6).unwrap(), NonZeroU16::new(100).unwrap());
    run.tell(None, What::Resized);
    assert_eq!(
        run.at(250.1),
        [
            "FAILED b/0203.flac  exit status 1, 19.0s",
            "FAILED b/0204.flac  exit status 1, 19.0s",
            "b/0828.flac  ━━━━━━━━━━━━━╸───────────  52%  14.1 MiB/27.0 MiB  0:03",
            "b/0829.flac  ━━━━━━━━━━━━━╸───────────  52%  14.1 MiB/27.0 MiB  0:03",
            "and 62 more, the oldest since 4m10s (b/0007.flac)",
            "flac         ━━━━━━━╸─────────────────  28%  819/3,000  7 failed  64 running  3.9/s  4:10  ETA 11m",
        ]
    );
}

#[test]
fn a_million_from_a_pipe() {
    let open = Total::default();
    let mut run = Run::on((80, 24), "stamp", 2, open);
    for task in 1..=4000 {
        run.now = seconds(f64::from(task) * 0.001);
        run.begin(task, 1 + task % 2, "t");
        let ending = Ending::Status(i32::from(task % 1500 == 0));
        run.end(task, ending, 0.001, "");
    }
    run.begin(4001, 1, "t");
    run.begin(4002, 2, "t");
    assert_eq!(
        run.at(4.05),
        [
            "FAILED t  exit status 1, 0.0s",
            "FAILED t  exit status 1, 0.0s",
            "stamp  ⣾  4,000 done  2 failed  2 running  +  987/s  0:04"
        ]
    );
}

#[test]
fn a_task_keeps_its_row_and_one_that_ends_within_a_moment_never_has_one() {
    let mut run = Run::on((80, 24), "run", 3, total(1000));
    for task in 1..=3 {
        run.begin(task, task, &format!("t{task}"));
    }
    let labels = |rows: &[String]| -> Vec<String> {
        let first = |row: &String| row.split(' ').next().unwrap_or_default().to_owned();
        rows.iter().map(first).collect()
    };
    assert_eq!(labels(&run.at(0.3)), ["t1", "t2", "t3", "run"]);
    run.now = seconds(1.0);
    run.end(2, WELL, 1.0, "");
    run.begin(4, 2, "t4");
    assert_eq!(labels(&run.at(1.05)), ["t1", "\u{2800}", "t3", "run"]);
    assert_eq!(labels(&run.at(1.2)), ["t1", "t4", "t3", "run"]);
    run.now = seconds(2.0);
    run.end(1, WELL, 2.0, "");
    run.begin(5, 1, "t5");
    for task in 6..100 {
        run.now = seconds(2.0 + f64::from(task) * 0.1);
        run.end(task - 1, WELL, 0.1, "");
        run.begin(task, 1, &format!("t{task}"));
        let shown = run.at(2.05 + f64::from(task) * 0.1);
        let expected: &[_] = if task > 9 {
            &["t4", "t3", "run"]
        } else {
            &["\u{2800}", "t4", "t3", "run"]
        };
        if task > 9 || task == 6 {
            assert_eq!(labels(&shown), expected, "{task} {shown:?}");
        }
    }
}

#[test]
fn a_thousand_short_tasks_are_one_row_and_one_last_line() {
    let mut run = Run::on((80, 24), "run", 2, total(1000));
    for task in 1..=1000 {
        run.now = seconds(f64::from(task) * 0.001);
        run.begin(task, 1 + task % 2, "true");
        run.end(task, WELL, 0.001, "");
        let rows = run.at(f64::from(task) * 0.001);
        assert!(rows.len() < 2, "{rows:?}");
        assert!(run.bars.views.is_empty());
    }
    let counts = Counts {
        completed: 1000,
        ..Counts::default()
    };
    run.done(counts, 0, None);
    assert_eq!(run.look(), ["run: 1,000 completed in 1.00s"]);
    assert_eq!(run.bars.due(), None);
    // Twenty frames a second, of which each is one picture.
    let text = String::from_utf8_lossy(&run.written);
    let frames = text.matches("/1,000").count();
    assert!(frames > 5 && frames < 20, "{frames}");
}

#[test]
fn a_run_that_is_over_before_the_first_frame_with_all_well_is_silent() {
    let mut run = Run::on((80, 24), "run", 2, total(2));
    for task in 1..=2 {
        run.begin(task, task, "echo");
        run.end(task, WELL, 0.01, "hello\n");
    }
    let counts = Counts {
        completed: 2,
        ..Counts::default()
    };
    run.done(counts, 0, None);
    assert_eq!(run.look(), ["hello", "hello"]);
    assert_eq!(run.written, b"hello\nhello\n");
}

#[test]
fn one_that_failed_is_told_of_with_all_that_ended_and_what_to_do() {
    let mut run = Run::on((80, 24), "run", 1, total(2));
    run.begin(1, 1, "a");
    run.end(1, WELL, 0.01, "");
    run.begin(2, 1, "b");
    run.end(2, Ending::Signal(11), 0.01, "no \x1b[31mluck");
    let counts = Counts {
        completed: 1,
        failed: 1,
        ..Counts::default()
    };
    run.done(counts, 0, None);
    assert_eq!(
        run.look(),
        [
            "ok a  0.0s",
            "FAILED b  killed by SIGSEGV, 0.0s",
            "no luck",
            "run: 1 of 2 completed, 1 failed after 0.0s",
            "  b  killed by SIGSEGV  0.0s  no luck   work b",
        ]
    );
    let cell = run.parser.screen().cell(3, 0).unwrap();
    assert_eq!(cell.fgcolor(), vt100::Color::Default);
}

#[test]
fn the_output_of_ended_tasks_stands_below_the_line_about_each_and_the_bars_leave_nothing_behind() {
    let wishes = Wishes {
        with_color: true,
        ..Wishes::default()
    };
    let mut run = Run::with(wishes, (60, 10), "run", 2, total(9));
    run.begin(1, 1, "a");
    run.begin(2, 2, "b");
    run.at(0.3);
    run.now = seconds(1.0);
    let failed = summary(Ending::Status(3), 1.0, None);
    run.tell(Some(1), What::Finished(&failed));
    run.begin(3, 1, "c");
    run.tell(Some(1), What::Shows(&failed));
    run.print(1, "\x1b[32mone\ntwo");
    // A frame, while the last line is open.
    let shown = run.at(2.1);
    assert_eq!(shown[..3], ["FAILED a  exit status 3, 1.0s", "one", "two"]);
    run.print(1, " and a half");
    run.tell(Some(1), What::Shown);
    run.end(2, WELL, 2.1, "of b\n");
    let shown = run.at(2.2);
    assert_eq!(
        shown[..5],
        [
            "FAILED a  exit status 3, 1.0s",
            "one",
            "two and a half",
            "ok b  2.1s",
            "of b",
        ]
    );
    assert_eq!(shown.len(), 8, "{shown:?}");
    let color = |run: &Run, row| run.parser.screen().cell(row, 0).unwrap().fgcolor();
    let (red, green) = (vt100::Color::Idx(1), vt100::Color::Idx(2));
    assert_eq!(
        [0, 1, 3, 4].map(|row| color(&run, row)),
        [red, green, green, vt100::Color::Default]
    );
    run.now = seconds(3.0);
    run.end(3, WELL, 2.0, "");
    let counts = Counts {
        completed: 2,
        failed: 1,
        ..Counts::default()
    };
    run.done(counts, 6, Some("cancelled"));
    let shown = run.look();
    assert_eq!(
        shown[5..],
        [
            "ok c  2.0s",
            "run: 2 of 9 completed, 1 failed, 6 not started (cancelled) a",
            "fter 3.0s",
            "  a  exit status 3  1.0s  two and a half   work a",
        ]
    );
}

#[test]
fn lines_for_machines_that_a_bar_has_shown_are_not_in_the_output_that_is_shown_later() {
    let mut run = Run::on((80, 24), "run", 1, total(40));
    run.begin(1, 1, "a");
    run.report(1, of(1.0, 2.0), Some("progrun"));
    run.at(0.3);
    run.at(0.6);
    let ended = summary(WELL, 1.0, None);
    run.tell(Some(1), What::Finished(&ended));
    run.tell(Some(1), What::Shows(&ended));
    let text = b"{\"progress\":1}\nfor people\n".to_vec();
    let mut dialects =
        crate::dialect::Dialects::new(crate::dialect::Selection::Only(vec!["progrun"]), false);
    let place = crate::dialect::Place::Stdout;
    let verdicts = dialects.feed(place, &text, std::time::Instant::now());
    let permit = run.credit.permit(1);
    run.tell(
        Some(1),
        What::Output {
            stream: Stream::Stdout,
            bytes: &Arc::new(text),
            verdicts: &verdicts,
            permit: &permit,
        },
    );
    run.tell(Some(1), What::Shown);
    assert_eq!(run.at(1.0)[0], "for people");
}

#[test]
fn the_attempt_before_may_be_shown_while_the_next_one_runs() {
    let mut run = Run::on((80, 24), "run", 2, total(40));
    run.begin(1, 1, "a");
    run.at(0.3);
    let first = summary(Ending::Status(1), 0.3, Some(2.0));
    run.tell(Some(1), What::Finished(&first));
    run.now = seconds(2.3);
    run.begin(1, 1, "a");
    run.report(1, of(1.0, 2.0), None);
    run.show(1, &first, "first\n");
    let shown = run.at(3.0);
    assert_eq!(
        shown[0],
        "FAILED a  exit status 1, 0.3s, attempt 1; next in 2s"
    );
    assert_eq!(shown[1], "first");
    assert!(
        shown[2].starts_with("a    ━━━━") && shown[2].contains(" 50%  1/2"),
        "{shown:?}"
    );
    assert!(
        shown[3].starts_with("run  ╸───") && shown[3].contains("  1%  0/40  1 running"),
        "{shown:?}"
    );
}

#[test]
fn while_a_task_has_the_terminal_the_others_wait_with_their_ends() {
    let mut run = Run::on((80, 24), "run", 3, total(3));
    for (task, name) in [(1, "editor"), (2, "build"), (3, "test")] {
        run.begin(task, task, name);
    }
    run.at(0.3);
    run.tell(None, What::Terminal { ours: false });
    run.tell(Some(1), What::Terminal { ours: false });
    run.print(1, "Name? ");
    run.now = seconds(0.5);
    run.end(2, Ending::Status(1), 0.5, "broken\n");
    run.end(3, WELL, 0.5, "fine\n");
    assert_eq!(run.at(0.6), ["Name?"]);
    run.parser.process(b"me\r\n");
    run.tell(None, What::Terminal { ours: true });
    let shown = run.at(0.7);
    assert_eq!(
        shown[..5],
        [
            "Name? me",
            "FAILED build  exit status 1, 0.5s",
            "broken",
            "ok test  0.5s",
            "fine"
        ]
    );
    assert!(shown[5].starts_with("editor "), "{shown:?}");
}

#[test]
fn the_output_of_tasks_that_run_comes_live_and_by_lines_where_several_are_mixed() {
    let wishes = Wishes {
        is_mixed: true,
        ..Wishes::default()
    };
    let mut run = Run::with(wishes, (80, 24), "run", 2, total(40));
    run.begin(1, 1, "a");
    run.begin(2, 2, "b");
    run.print(1, "one ");
    run.print(2, "two\nthree ");
    let shown = run.at(0.4);
    assert_eq!(shown[0], "two");
    run.print(1, "line\n");
    run.end(2, WELL, 0.4, "");
    let shown = run.at(0.5);
    assert_eq!(shown[..3], ["two", "three", "one line"]);
    assert!(shown[3].starts_with("a  "), "{shown:?}");
}

#[test]
fn a_stop_of_the_run_is_told_in_its_row_and_those_of_tasks_in_theirs() {
    let mut run = Run::on((90, 24), "convert", 4, total(30));
    for task in 1..=4 {
        run.begin(task, task, &format!("t{task}"));
    }
    run.at(1.0);
    let drain = What::Cancelling {
        reason: Reason::Interrupt,
        step: Step::Drain,
        left: Some(seconds(10.0)),
    };
    run.tell(None, drain);
    let shown = run.look();
    assert_eq!(
        shown[4],
        "convert  0/30  stopping: 4 running tasks may end, up to 10s (Ctrl-C again: SIGTERM)"
    );
    let ask = What::Cancelling {
        reason: Reason::Interrupt,
        step: Step::Ask,
        left: Some(seconds(10.0)),
    };
    run.tell(Some(1), ask);
    run.now = seconds(2.0);
    run.end(2, WELL, 1.0, "");
    let shown = run.at(2.05);
    assert_eq!(shown[0], "ok t2  1.0s");
    assert_eq!(
        shown[1],
        "t1       ⣾                 0:02  stopping at the next progress report, at most 9s"
    );
    let step = What::Stopping {
        cause: Cause::Again,
        step: Step::Terminate,
        left: None,
    };
    run.tell(None, step);
    let shown = run.look();
    assert_eq!(
        shown.last().unwrap(),
        "convert  1/30  terminating 3 running tasks (Ctrl-C again: SIGKILL)"
    );
}

#[test]
fn a_stop_before_the_first_frame_draws_one() {
    let mut run = Run::on((90, 24), "convert", 4, total(30));
    run.begin(1, 1, "t");
    let drain = What::Cancelling {
        reason: Reason::Interrupt,
        step: Step::Drain,
        left: None,
    };
    run.tell(None, drain);
    assert_eq!(
        run.look(),
        ["convert  0/30  stopping: 1 running task may end (Ctrl-C again: SIGTERM)"]
    );
}

#[test]
fn free_slots_say_what_is_waited_for() {
    let mut run = Run::on((60, 24), "run", 4, total(5));
    let wait = |name: &str, obstacle| Waiting {
        name: name.to_owned(),
        obstacle,
    };
    let waiting = [
        wait("a", Obstacle::Memory),
        wait("b", Obstacle::Load),
        wait("c", Obstacle::Retry(seconds(4.5))),
        wait("d", Obstacle::Slots),
    ];
    run.tell(None, What::Waiting(&waiting));
    let shown = run.at(1.0);
    assert_eq!(
        shown[..4],
        [
            "a    waits for memory",
            "b    waits for load",
            "c    next attempt in 4s",
            "d    waits for free slots"
        ]
    );
    let halted = Halted {
        why: HaltWhy::Fail,
        count: 1,
        when: HaltWhen::Soon,
    };
    run.tell(None, What::Halted(halted));
    let skipped = What::Skipped {
        name: "e",
        reason: SkipReason::Dependency,
        cause: Some("a"),
    };
    run.tell(Some(5), skipped);
    let shown = run.at(1.1);
    assert_eq!(
        shown[..2],
        [
            "run: halted after 1 failure",
            "skipped e  a did not complete"
        ]
    );
}

#[test]
fn as_the_terminal_narrows_the_rate_and_the_time_go_first_then_the_bars_and_the_label_last() {
    let mut run = Run::on((100, 24), "run", 1, total(10));
    for task in 1..=5 {
        run.now = seconds(f64::from(task) * 10.0 - 10.0);
        run.begin(task, 1, "t");
        run.now = seconds(f64::from(task) * 10.0);
        run.end(task, WELL, 10.0, "");
    }
    run.begin(6, 1, "a.wav");
    run.report(6, of(0.0, 100.0), None);
    run.now = seconds(55.0);
    run.report(6, of(50.0, 100.0), None);
    let mut shown = |columns| {
        SIZE.set((columns, 24));
        run.parser.screen_mut().set_size(
            NonZeroU16::new(24).unwrap(),
            NonZeroU16::new(columns).unwrap(),
        );
        run.tell(None, What::Resized);
        let rows = run.at(run.now.as_secs_f64() + 0.06);
        rows[rows.len() - 2..].to_vec()
    };
    for (columns, task, of_run) in [
        (
            60,
            "a.wav  ━━━━━━━╸──────  50%  50/100  10.0/s  0:05  ETA 5s",
            "run    ━━━━━━━╸──────  55%  5/10  1 running  0:55  ETA 45s",
        ),
        (
            50,
            "a.wav  ━━━━━╸────  50%  50/100  0:05  ETA 5s",
            "run    ━━━━━╸────  55%  5/10  1 running  ETA 45s",
        ),
        (
            40,
            "a.wav  ━━━━━╸────  50%  50/100  ETA 5s",
            "run    ━━━━━╸────  55%  5/10  ETA 45s",
        ),
        (
            35,
            "a.wav  ━━╸──  50%  50/100  ETA 5s",
            "run    ━━╸──  55%  5/10  ETA 45s",
        ),
        (25, "a.wav  ━━╸──  50%", "run    ━━╸──  55%  5/10"),
        (16, "a.wav  50%", "run    55%"),
        (10, "a.wav", "run"),
        (5, "a.…", "run"),
    ] {
        assert_eq!(shown(columns), [task, of_run], "{columns}");
    }
}

#[test]
fn the_terminals_own_indicator_has_the_percentage_of_the_run_and_turns_red_and_goes() {
    let mut run = Run::on((80, 24), "run", 1, total(4));
    run.bars.taskbar = Taskbar::of_a_terminal_that_has_one();
    for task in 1..=2 {
        run.begin(task, 1, "t");
        run.at(f64::from(task));
        run.end(task, Ending::Status(i32::from(task == 2)), 1.0, "");
        run.at(f64::from(task) + 0.5);
    }
    let drain = What::Cancelling {
        reason: Reason::Interrupt,
        step: Step::Drain,
        left: None,
    };
    run.tell(None, drain);
    run.done(Counts::default(), 2, Some("cancelled"));
    run.look();
    let text = String::from_utf8_lossy(&run.written).into_owned();
    let set: Vec<_> = text
        .split("\x1b]9;4;")
        .skip(1)
        .map(|rest| &rest[..rest.find('\x1b').unwrap()])
        .collect();
    assert_eq!(set, ["1;0", "1;25", "2;50", "0;"]);
}

/// Tasks in three slots that print in one way or the other, want the terminal, and end; frames are drawn meanwhile.
struct Script {
    run: Run,
    /// The running task of each slot, and the lines that it will have printed.
    running: [Option<(u32, Vec<String>)>; 3],
    /// The lines of the tasks that are over, in the order of their ends.
    over: Vec<Vec<String>>,
    next: u32,
    is_live: bool,
}

impl Script {
    fn step(&mut self, byte: u8) {
        let slot = u32::from(byte % 3);
        let Some((task, lines)) = self.running[slot as usize].take() else {
            let task = self.next;
            self.next += 1;
            self.run.begin(task, slot + 1, &format!("t{task}"));
            self.running[slot as usize] = Some((task, Vec::new()));
            return;
        };
        let mut lines = lines;
        match byte / 3 % 8 {
            0..=2 => {
                let line = format!("L{task}-{} \x1b[3{}mtext", lines.len(), slot + 1);
                if self.is_live {
                    self.run.print(task, &line);
                    self.run.print(task, " and rest\n");
                }
                lines.push(format!("{line} and rest"));
            }
            3 => self.run.report(task, of(f64::from(byte), 300.0), None),
            4 => drop(self.run.at(self.run.now.as_secs_f64() + 0.06)),
            5 => drop(self.run.at(self.run.now.as_secs_f64() + 0.4)),
            6 => {
                self.run.tell(Some(task), What::Terminal { ours: false });
                self.end_another(slot);
                self.run.tell(Some(task), What::Terminal { ours: true });
            }
            _ => {
                self.end(task, lines, byte > 128);
                return;
            }
        }
        self.running[slot as usize] = Some((task, lines));
    }

    fn end_another(&mut self, slot: u32) {
        if let Some((task, lines)) = self.running[(slot as usize + 1) % 3].take() {
            self.end(task, lines, true);
        }
    }

    fn end(&mut self, task: u32, lines: Vec<String>, is_well: bool) {
        let mut output = lines.join("\n");
        if !lines.is_empty() {
            output.push('\n');
        }
        if self.is_live {
            output.clear();
        } else if is_well {
            // The last line is open.
            output.pop();
        }
        self.run
            .end(task, Ending::Status(i32::from(!is_well)), 1.0, &output);
        self.over.push(lines);
    }

    /// All lines are on the screen, each whole and once, those of a task together; and nothing else stays.
    fn check(mut self) {
        for slot in 0..3 {
            self.end_another(slot);
        }
        self.run.at(self.run.now.as_secs_f64() + 0.1);
        self.run.done(Counts::default(), 0, Some("cancelled"));
        self.run.look();
        let mut rows = everything(&mut self.run.parser);
        let closing = rows.iter().position(|row| row.starts_with("run: 0 "));
        rows.truncate(closing.unwrap());
        rows.retain(|row| !row.starts_with("FAILED "));
        let plain = |line: &String| {
            (1..4).fold(line.clone(), |line, color| {
                line.replace(&format!("\x1b[3{color}m"), "")
            })
        };
        let mut expected: Vec<_> = self.over.iter().flatten().map(plain).collect();
        if self.is_live {
            expected.sort();
            rows.sort();
        }
        assert_eq!(rows, expected);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_lines_of_all_tasks_stand_on_the_screen_each_whole_and_once(
        steps in proptest::collection::vec(0_u8..=255, 0..80),
        is_live in proptest::bool::ANY,
    ) {
        let wishes = Wishes {
            is_mixed: is_live,
            ..Wishes::default()
        };
        let mut script = Script {
            run: Run::with(wishes, (80, 24), "run", 3, total(1000)),
            running: [const { None }; 3],
            over: Vec::new(),
            next: 1,
            is_live,
        };
        for byte in steps {
            script.step(byte);
        }
        script.check();
    }
}
