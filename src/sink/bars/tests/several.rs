//! Several tasks, as a terminal shows them.

use std::io::Read;

use super::*;
use crate::event::Exit;
use crate::model::verdict::Verdicts;

/// The bars of several tasks, and a terminal.
struct Several {
    bars: Bars,
    file: std::fs::File,
    parser: vt100::Parser,
    credit: Credit,
    now: Duration,
}

impl Several {
    /// These tasks have begun, one a millisecond.
    fn begin(names: &[&str]) -> Self {
        let written = tempfile::NamedTempFile::new().unwrap();
        let file = written.reopen().unwrap();
        let writer = Writer::new(written.into_file().into(), Box::new(|_| ()));
        let mut several = Self {
            bars: bars(writer),
            file,
            parser: emulator(),
            credit: Credit::new(1 << 20, || ()),
            now: Duration::ZERO,
        };
        for (index, name) in names.iter().enumerate() {
            let command = &[];
            several.tell(
                index,
                What::Started {
                    host: None,
                    name,
                    command,
                    pid: Some(1),
                    place: None,
                },
            );
            several.now += Duration::from_millis(1);
        }
        several
    }

    fn task(index: usize) -> Option<TaskId> {
        (0..index).try_fold(TaskId::FIRST, |task, _| Some(task.next()))
    }

    fn tell(&mut self, index: usize, what: What<'_>) {
        let (task, at) = (Self::task(index), self.now);
        self.bars.event(&Event { task, at, what });
    }

    fn tell_of_run(&mut self, what: What<'_>) {
        let (task, at) = (None, self.now);
        self.bars.event(&Event { task, at, what });
    }

    fn print(&mut self, index: usize, text: &str) {
        let permit = self.credit.permit(text.len());
        self.tell(
            index,
            What::Output {
                stream: Stream::Stdout,
                bytes: &Arc::new(text.as_bytes().to_vec()),
                verdicts: &Verdicts::default(),
                permit: &permit,
            },
        );
    }

    fn end(&mut self, index: usize, state: FinalState) {
        let summary = Summary {
            missed: None,
            state,
            reason: None,
            exit: Some(Exit {
                ending: Ending::Status(i32::from(state == FinalState::Failed)),
                user_time: Duration::ZERO,
                system_time: Duration::ZERO,
                max_rss: 0,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        };
        self.tell(index, What::Finished(&summary));
    }

    fn report(&mut self, index: usize, percentage: f64) {
        let report = Progress {
            percentage: Some(percentage),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![report],
            ..Batch::default()
        };
        self.tell(index, What::Progress(&reports));
    }

    /// The rows of the terminal so many milliseconds later.
    fn after(&mut self, milliseconds: u64) -> Vec<String> {
        self.now += Duration::from_millis(milliseconds);
        self.bars.tick(self.now);
        let mut written = Vec::new();
        self.file.read_to_end(&mut written).unwrap();
        show(&mut self.parser, &written);
        everything(&mut self.parser)
    }
}

#[test]
fn tasks_stand_one_below_the_other_by_name_and_a_last_line_stays_above_the_others() {
    let mut run = Several::begin(&["docs", "build", "test"]);
    assert!(run.after(100).is_empty());
    run.report(1, 50.0);
    let shown = run.after(300);
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(
        shown,
        [
            "docs  ⣟                     0:00",
            "build ━━━━━━━╸───────  50%  0:00",
            "test  ⣟                     0:00"
        ]
    );
    run.end(0, FinalState::Completed);
    let shown = run.after(0);
    assert_eq!(shown[0], "docs: completed in 0.40s");
    assert_eq!(shown.len(), 3, "{shown:?}");
    run.end(2, FinalState::Failed);
    run.end(1, FinalState::Completed);
    let shown = run.after(0);
    assert_eq!(
        shown[1..],
        [
            "test: failed with exit status 1 after 0.40s",
            "build: completed in 0.40s"
        ]
    );
    assert_eq!(run.bars.due(), None);
}

#[test]
fn a_task_that_is_over_at_once_has_neither_a_row_nor_a_last_line() {
    let mut run = Several::begin(&["long", "short"]);
    run.after(300);
    run.end(1, FinalState::Completed);
    run.tell(
        2,
        What::Started {
            host: None,
            name: "shorter",
            command: &[],
            pid: Some(1),
            place: None,
        },
    );
    let shown = run.after(100);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0], "short: completed in 0.30s");
    run.end(2, FinalState::Completed);
    let shown = run.after(100);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[1].starts_with("long "), "{shown:?}");
}

#[test]
fn lines_of_several_tasks_are_never_mixed_and_keep_their_own_colors() {
    let mut run = Several::begin(&["a", "b"]);
    run.print(0, "one \x1b[31mred");
    run.print(1, "two\nthree");
    run.after(400);
    run.print(0, " line\n");
    run.print(1, " lines\nno newline");
    let shown = run.after(400);
    assert_eq!(shown[..3], ["two", "three lines", "one red line"]);
    let color = |run: &Several, row, column| {
        let cell = run.parser.screen().cell(row, column).unwrap();
        (cell.contents().to_owned(), cell.fgcolor())
    };
    let red = vt100::Color::Idx(1);
    assert_eq!(color(&run, 2, 4), ("r".to_owned(), red));
    assert_eq!(color(&run, 1, 0), ("t".to_owned(), vt100::Color::Default));
    run.print(1, "; at the end");
    run.end(1, FinalState::Completed);
    run.print(0, "four\n");
    let shown = run.after(400);
    assert_eq!(shown[3], "no newline; at the end");
    assert_eq!(shown[4], "b: completed in 0.80s");
    assert_eq!(shown[5], "four");
    assert_eq!(color(&run, 5, 0), ("f".to_owned(), red));
}

#[test]
fn a_last_line_without_a_newline_gets_one_only_if_another_text_follows() {
    let mut run = Several::begin(&["a", "b"]);
    run.print(0, "from a");
    run.end(0, FinalState::Completed);
    run.print(1, "from b");
    run.end(1, FinalState::Completed);
    assert_eq!(run.after(0), ["from a", "from b"]);
    assert_eq!(run.parser.screen().cursor_position(), (1, 6));
}

#[test]
fn while_one_task_has_the_terminal_the_others_wait_and_are_not_read_without_end() {
    let mut run = Several::begin(&["editor", "build", "test"]);
    run.after(300);
    run.tell_of_run(What::Terminal { ours: false });
    run.print(1, "waits ");
    run.tell(0, What::Terminal { ours: false });
    run.print(0, "Name? ");
    run.print(1, "compiling\n");
    run.end(2, FinalState::Completed);
    assert_eq!(run.after(500), ["Name?"]);
    // The terminal echoes the answer.
    run.parser.process(b"me\r\n");
    run.tell_of_run(What::Terminal { ours: true });
    let shown = run.after(100);
    assert_eq!(shown[0], "Name? me", "{shown:?}");
    assert!(shown.contains(&"waits compiling".to_owned()), "{shown:?}");
    assert!(
        shown.contains(&"test: completed in 0.30s".to_owned()),
        "{shown:?}"
    );
    assert!(shown.last().unwrap().starts_with("build "), "{shown:?}");
}

#[test]
fn no_more_tasks_are_shown_than_there_are_rows() {
    let names: Vec<_> = (0..40).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut run = Several::begin(&names);
    let shown = run.after(400);
    assert_eq!(shown.len(), 23, "{shown:?}");
    assert!(shown[22].starts_with("t22 "), "{shown:?}");
}

/// The lines that three tasks print in halves, while they report, wait, want the terminal and end.
struct Script {
    run: Several,
    /// The lines of each task, and whether only half of the last is printed.
    lines: [(Vec<String>, bool); 3],
    over: [bool; 3],
}

impl Script {
    fn print_half(&mut self, task: usize) {
        let (lines, open) = &mut self.lines[task];
        let text = if *open {
            " second half\n".to_owned()
        } else {
            lines.push(format!(
                "L{task}-{} \x1b[3{}mfirst half",
                lines.len(),
                task + 1
            ));
            lines.last().unwrap().clone()
        };
        if *open {
            lines.last_mut().unwrap().push_str(" second half");
        }
        *open = !*open;
        self.run.print(task, &text);
    }

    fn lend_to(&mut self, task: usize, other: usize) {
        self.run.tell(task, What::Terminal { ours: false });
        if !self.over[other] {
            self.print_half(other);
        }
        self.run.after(30);
        let number = self.lines[task].0.len();
        let line = format!("L{task}-{number} asks");
        self.run.print(task, &format!("{line}\n"));
        self.lines[task].0.push(line);
        self.run.tell(task, What::Terminal { ours: true });
    }

    fn step(&mut self, byte: u8) {
        let task = usize::from(byte % 3);
        if self.over[task] {
            self.run.after(70);
            return;
        }
        match byte / 3 % 8 {
            0..=2 => self.print_half(task),
            3 => self.run.report(task, f64::from(byte)),
            4 => drop(self.run.after(60)),
            5 => drop(self.run.after(400)),
            6 if !self.lines[task].1 => self.lend_to(task, (task + 1) % 3),
            7 if byte > 200 => self.end(task),
            _ => self.run.tell(task, What::Paused(byte > 128)),
        }
    }

    fn end(&mut self, task: usize) {
        self.over[task] = true;
        self.run.end(task, FinalState::Completed);
    }

    /// All lines are on the screen, each whole and once, those of a task in their order; and nothing else stays.
    fn check(mut self) {
        for task in 0..3 {
            if !self.over[task] {
                self.end(task);
            }
        }
        let mut rows = self.run.after(100);
        rows.retain(|row| !row.contains(": completed in "));
        for (task, (lines, _)) in self.lines.iter().enumerate() {
            let plain = |line: &String| line.replace(&format!("\x1b[3{}m", task + 1), "");
            let expected: Vec<_> = lines.iter().map(plain).collect();
            let begin = format!("L{task}-");
            let (seen, rest) = rows.into_iter().partition(|row| row.starts_with(&begin));
            rows = rest;
            let seen: Vec<String> = seen;
            assert_eq!(seen, expected);
        }
        assert!(rows.is_empty(), "{rows:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_lines_of_several_tasks_stand_on_the_screen_each_whole_and_once(
        steps in proptest::collection::vec(0_u8..=255, 0..60),
    ) {
        let mut script = Script {
            run: Several::begin(&["t0", "t1", "t2"]),
            lines: Default::default(),
            over: [false; 3],
        };
        for byte in steps {
            script.step(byte);
        }
        script.check();
    }
}
