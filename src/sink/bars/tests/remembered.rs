//! What earlier runs of the same work change in the picture, as a terminal shows it.

use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::event::{Place, RunHead, Surroundings, Total};
use crate::journal::{Form, Journal, Record, Tasks, Work};
use crate::wire::State;

/// A run of which earlier ones are remembered, and a terminal.
struct Run {
    bars: Bars,
    file: std::fs::File,
    parser: vt100::Parser,
    journal: Journal,
    work: Work,
    _folder: tempfile::TempDir,
}

impl Run {
    fn new(form: Form) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().join("history.jsonl"));
        let work = Work::new(form, vec!["job".into()], None).in_folder(Path::new("/srv"));
        let written = tempfile::NamedTempFile::new().unwrap();
        let file = written.reopen().unwrap();
        let writer = Writer::new(written.into_file().into(), Box::new(|_| ()));
        let many = display::Many {
            in_order: false,
            tagged: false,
            ends: None,
            folder: None,
            job_log: None,
            again: None,
        };
        let options = Options {
            memory: Some(Memory::new(journal.clone(), work.clone())),
            many: (form != Form::Run).then_some((many, false)),
            ..options()
        };
        Self {
            bars: Bars::new(writer, options),
            file,
            parser: emulator(),
            journal,
            work,
            _folder: folder,
        }
    }

    /// Earlier runs took so many seconds, and half of what they did was done in the first tenth of them.
    fn after(self, durations: &[u64], curve: bool) -> Self {
        for seconds in durations {
            let record = self.record(*seconds, State::Completed);
            let mut points = [Some(0.25); 20];
            points[1] = Some(0.5);
            for (index, point) in points.iter_mut().enumerate().skip(2) {
                *point = Some(0.5 + 0.5 * f64::from(u32::try_from(index).unwrap() - 1) / 18.0);
            }
            let points = Some(&points).filter(|_| curve);
            self.journal.add(&record.with_curve(points)).unwrap();
        }
        self
    }

    fn record(&self, seconds: u64, state: State) -> Record {
        let ended = (Duration::from_secs(seconds), state);
        Record::new(&self.work, "job", SystemTime::UNIX_EPOCH, ended)
    }

    fn report(&mut self, seconds: f64, progress: f64) {
        let report = Progress {
            progress: Some(progress),
            total: Some(100.0),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![report],
            ..Batch::default()
        };
        let what = What::Progress(&reports);
        self.bars.event(&what.at(Duration::from_secs_f64(seconds)));
    }

    /// The only row at this time, without its bar.
    fn row(&mut self, seconds: f64) -> String {
        self.bars.news = true;
        self.bars.tick(Duration::from_secs_f64(seconds));
        let mut written = Vec::new();
        self.file.read_to_end(&mut written).unwrap();
        show(&mut self.parser, &written);
        let rows = everything(&mut self.parser);
        let row = rows.last().cloned().unwrap_or_default();
        let is_word = |word: &&str| !word.contains(['━', '─', '╸']);
        let words: Vec<_> = row.split_whitespace().filter(is_word).collect();
        words.join(" ")
    }

    fn has_bar(&mut self) -> bool {
        everything(&mut self.parser).last().unwrap().contains('━')
    }
}

#[test]
fn a_silent_command_has_a_bar_by_time_and_no_longer_one_when_it_takes_longer() {
    let mut run = Run::new(Form::Run).after(&[190, 200, 180], false);
    assert_eq!(run.row(119.7), "job ~63% 1:59 ETA ~1m10s usually 3m10s");
    assert!(run.has_bar());
    assert_eq!(run.row(195.0), "job ~99% 3:15 usually 3m10s");
    let longer = run.row(201.0);
    assert!(
        longer.ends_with(" 3:21 longer than usual (3m10s)"),
        "{longer}"
    );
    assert!(!run.has_bar());
}

#[test]
fn without_earlier_runs_or_with_others_there_is_no_bar_by_time() {
    // One is no custom, but a fact.
    for (durations, end) in [
        (&[][..], " 0:05"),
        (&[190], " 0:05 last time 3m10s"),
        (&[10, 100], " 0:05 last time 1m40s"),
        (&[10, 100, 101, 400], " 0:05 last time 6m40s"),
    ] {
        let mut run = Run::new(Form::Run).after(durations, false);
        let row = run.row(5.0);
        assert!(row.starts_with("job ") && row.ends_with(end), "{row}");
        assert!(!run.has_bar());
    }
}

#[test]
fn only_completed_runs_count() {
    let mut run = Run::new(Form::Run);
    for state in [State::Failed, State::Cancelled] {
        for _ in 0..3 {
            run.journal.add(&run.record(100, state)).unwrap();
        }
    }
    assert!(!run.row(50.0).contains("usually"));
}

#[test]
fn a_command_that_begins_to_report_loses_the_bar_by_time() {
    let mut run = Run::new(Form::Run).after(&[100, 100, 100], false);
    assert_eq!(run.row(50.0), "job ~50% 0:50 ETA ~50s usually 1m40s");
    run.report(51.0, 10.0);
    assert_eq!(run.row(52.0), "job 10% 10/100 0:52");
}

#[test]
fn the_time_left_of_a_command_that_reports_follows_the_earlier_runs_and_is_marked() {
    let left = |durations: &[u64]| {
        let mut run = Run::new(Form::Run).after(durations, true);
        run.row(1.0);
        // Half of it in the first ten seconds, as then: by its own rate it would be over in ten more.
        for tenth in 10..=100_u32 {
            run.report(f64::from(tenth) / 10.0, f64::from(tenth) / 2.0);
        }
        let row = run.row(10.1);
        row[row.find("ETA").unwrap()..].to_owned()
    };
    assert_eq!(left(&[]), "ETA 10s");
    assert_eq!(left(&[100, 100, 100]), "ETA ~1m10s");
    assert_eq!(left(&[100]), "ETA ~45s");
}

#[test]
fn what_the_command_itself_says_of_its_time_left_stands() {
    let mut run = Run::new(Form::Run).after(&[100, 100, 100], true);
    run.row(1.0);
    for second in 2..10_u32 {
        let report = Progress {
            progress: Some(f64::from(second) * 5.0),
            total: Some(100.0),
            eta: Some(7.0),
            ..Progress::default()
        };
        let reports = Batch {
            parts: vec![report],
            ..Batch::default()
        };
        let at = Duration::from_secs(second.into());
        run.bars.event(&What::Progress(&reports).at(at));
    }
    assert!(run.row(9.1).ends_with("ETA 7s"));
}

#[test]
fn the_journal_is_not_read_before_a_second_has_passed_and_then_once() {
    let mut run = Run::new(Form::Run);
    run.row(0.3);
    run.row(0.9);
    let mut run = run.after(&[100, 100], false);
    assert!(run.row(1.0).contains("usually 1m40s"));
    let mut run = run.after(&[300, 300, 300, 300, 300], false);
    assert!(run.row(2.0).contains("usually 1m40s"));
}

#[test]
fn a_list_has_a_time_left_before_its_first_task_is_over() {
    let run = Run::new(Form::Each);
    for _ in 0..3 {
        let record = Record {
            tasks: Some(Tasks {
                count: 10,
                slots: 2,
                total_time: 600.0,
                mean_time: 60.0,
            }),
            ..run.record(300, State::Completed)
        };
        run.journal.add(&record).unwrap();
    }
    let mut run = run;
    let head = RunHead {
        name: "list",
        jobs: 2,
        total: Total {
            count: 10,
            is_final: true,
        },
        command: &[],
    };
    let what = What::Run(&head);
    let (task, at) = (None, Duration::ZERO);
    run.bars.event(&Event { task, at, what });
    for slot in [1, 2] {
        let place = Some(Place {
            slot,
            attempt: 1,
            input: None,
            named: false,
            nth: 1,
            extra: None,
            surroundings: Surroundings::default(),
        });
        let command = &["work".into()];
        let what = What::Started {
            host: None,
            name: "t",
            command,
            pid: Some(1),
            place,
        };
        let task = TaskId::of(slot);
        run.bars.event(&Event { task, at, what });
    }
    // Eight tasks and two halves of a minute each, two at a time.
    assert_eq!(run.row(30.0), "list 0% 0/10 2 running 0:30 ETA ~4m30s");
}
