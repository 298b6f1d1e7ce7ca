//! Has the journal remember a run when it is over: how long it took, how it ended, what it used, and how it progressed.
//!
//! A run that is over in a moment leaves no trace, and one that is killed leaves none. What is remembered, and where, is
//! not known here.

use std::time::{Duration, SystemTime};

use crate::eta::Recorder;
use crate::event::{Ending, Event, Exit, FinalState, Reason, RunSummary, Summary, TaskId, What};
use crate::flow::Permit;
use crate::journal::{Amounts, MOMENT, Memory, Record, Tasks, rounded};
use crate::model::batch::Batch;
use crate::model::parts::Part;
use crate::reason::reason;
use crate::wire::State;

use super::Sink;
use super::census::is_last;
use super::gone::Notifier;

/// Remembers the run.
pub(super) struct Journal {
    memory: Memory,
    name: String,
    began: SystemTime,
    notifier: Notifier,
    /// The task itself. Its parts would need much memory, and are not remembered.
    task: Part,
    curve: Recorder,
    used: Amounts,
    reason: Option<Reason>,
    /// What there is only in a run of many tasks.
    tasks: Option<Tasks>,
}

impl Journal {
    /// Of a run that begins now and is called so.
    pub(super) fn new(memory: Memory, name: String, notifier: Notifier) -> Self {
        Self {
            memory,
            name,
            began: SystemTime::now(),
            notifier,
            task: Part::default(),
            curve: Recorder::new(),
            used: Amounts::default(),
            reason: None,
            tasks: None,
        }
    }

    fn reports(&mut self, reports: &Batch, at: Duration) {
        let of_task = reports.parts.iter().filter(|report| report.id.is_none());
        for report in of_task {
            if reports.source.is_some() && report.status.is_some() {
                // The meter of another program is over: what it said says nothing of what follows.
                self.task = Part::default();
            } else {
                self.task.apply(report, reports.source, at);
            }
        }
        self.curve.note(at, self.task.fraction(at));
    }

    fn uses(&mut self, exit: Option<Exit>) {
        let Some(exit) = exit else { return };
        self.used.user_time += exit.user_time.as_secs_f64();
        self.used.system_time += exit.system_time.as_secs_f64();
        self.used.max_rss = self.used.max_rss.max(exit.max_rss);
    }

    /// A task of a list, or an attempt of it, is over.
    fn task_is_over(&mut self, summary: &Summary) {
        self.uses(summary.exit);
        if let (Some(tasks), Some(attempt)) = (&mut self.tasks, summary.attempt) {
            tasks.count += u64::from(is_last(summary));
            tasks.slots = tasks.slots.max(attempt.slot);
            tasks.total_time += attempt.duration.as_secs_f64();
        }
    }

    fn is_over(&mut self, summary: &Summary, at: Duration) {
        self.uses(summary.exit);
        let state = match summary.state {
            FinalState::Completed => State::Completed,
            FinalState::Failed | FinalState::Lost => State::Failed,
            FinalState::Cancelled => State::Cancelled,
        };
        self.reason = summary.reason;
        let ending = summary.exit.map(|exit| exit.ending);
        self.remember(state, ending, at);
    }

    fn list_is_over(&mut self, summary: &RunSummary, at: Duration) {
        let state = match summary.ending {
            _ if self.reason.is_some() => State::Cancelled,
            Ending::Status(0) => State::Completed,
            Ending::Status(_) | Ending::Signal(_) => State::Failed,
        };
        if let Some(tasks) = &mut self.tasks {
            #[expect(clippy::cast_precision_loss, reason = "an average")]
            let count = tasks.count.max(1) as f64;
            tasks.mean_time = rounded(tasks.total_time / count);
            tasks.total_time = rounded(tasks.total_time);
        }
        self.remember(state, Some(summary.ending), at);
    }

    fn remember(&mut self, state: State, ending: Option<Ending>, at: Duration) {
        if at < MOMENT {
            return;
        }
        let curve = std::mem::take(&mut self.curve).end(at);
        let record = Record::new(self.memory.work(), &self.name, self.began, (at, state));
        let record = Record {
            reason: self.reason.map(Into::into),
            tasks: self.tasks,
            ..record
        };
        let record = record
            .with_ending(ending)
            .with_use(self.used)
            .with_curve(curve.as_ref());
        let journal = self.memory.journal();
        if let Err(unkept) = journal.add(&record)
            && unkept.is_there
        {
            let (path, error) = (journal.path().display(), unkept.error);
            let sentence = format!(
                "cannot add this run to {path}: {} (--no-history avoids this)",
                reason(&error)
            );
            self.notifier.warn(sentence);
        }
    }
}

impl Sink for Journal {
    fn event(&mut self, event: &Event<'_>) {
        let at = event.at;
        match (&event.what, event.task) {
            (What::Run(head), _) => {
                head.name.clone_into(&mut self.name);
                self.tasks = Some(Tasks::default());
            }
            (What::Progress(reports), Some(TaskId::FIRST)) if self.tasks.is_none() => {
                self.reports(reports, at);
            }
            (What::Cancelling { reason, .. }, None) => self.reason = Some(*reason),
            (What::Finished(summary), _) if self.tasks.is_some() => self.task_is_over(summary),
            (What::Finished(summary), _) => self.is_over(summary, at),
            (What::End(summary), _) => self.list_is_over(summary, at),
            _ => {}
        }
    }

    /// Each record is one write, which is done when its event is.
    fn flush(&mut self, _permit: &Permit) {}

    fn abandon(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{self, Form, Work};
    use crate::protocol::Progress;
    use std::sync::{Arc, Mutex};

    struct Remembered {
        root: tempfile::TempDir,
        warnings: Arc<Mutex<Vec<String>>>,
        sink: Journal,
    }

    impl Remembered {
        fn new(form: Form) -> Self {
            let root = tempfile::tempdir().unwrap();
            let journal = journal::Journal::at(root.path().join("progrun/history.jsonl"));
            let work = Work::new(form, vec!["work".into()], None);
            let warnings = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&warnings);
            let notifier = Notifier::new(move |gone| {
                told.lock().unwrap().extend(gone.sentence);
            });
            let memory = Memory::new(journal, work);
            let sink = Journal::new(memory, "work".to_owned(), notifier);
            Self {
                root,
                warnings,
                sink,
            }
        }

        fn tell(&mut self, task: Option<TaskId>, seconds: f64, what: What<'_>) {
            let at = Duration::from_secs_f64(seconds);
            self.sink.event(&Event { task, at, what });
        }

        fn report(&mut self, seconds: u32, percentage: f64) {
            let report = Progress {
                percentage: Some(percentage),
                ..Progress::default()
            };
            let reports = Batch {
                parts: vec![report],
                ..Batch::default()
            };
            let what = What::Progress(&reports);
            self.tell(Some(TaskId::FIRST), seconds.into(), what);
        }

        fn records(&self) -> Vec<Record> {
            let all = self.sink.memory.journal().all().unwrap();
            all.into_iter().map(|(_, record)| record).collect()
        }
    }

    fn summary(state: FinalState, ending: Ending) -> Summary {
        Summary {
            missed: None,
            state,
            reason: None,
            exit: Some(Exit {
                ending,
                user_time: Duration::from_millis(1500),
                system_time: Duration::from_millis(250),
                max_rss: 4096,
            }),
            error: None,
            reports: 0,
            malformed: 0,
            attempt: None,
        }
    }

    #[test]
    fn a_run_is_remembered_with_its_curve_and_what_it_used() {
        let mut run = Remembered::new(Form::Run);
        for second in 0..100 {
            run.report(second, f64::from(second));
        }
        let completed = summary(FinalState::Completed, Ending::Status(0));
        run.tell(Some(TaskId::FIRST), 100.0, What::Finished(&completed));
        let [record] = &run.records()[..] else {
            panic!()
        };
        assert_eq!(
            (record.name.as_str(), record.state),
            ("work", State::Completed)
        );
        assert_eq!((record.duration, record.exit_status), (100.0, Some(0)));
        let used = (
            record.used.user_time,
            record.used.system_time,
            record.used.max_rss,
        );
        assert_eq!(used, (1.5, 0.25, 4096));
        let curve = record.curve.as_ref().unwrap();
        assert_eq!(curve.len(), 20);
        assert!((curve[9].unwrap() - 0.5).abs() < 0.02, "{curve:?}");
    }

    #[test]
    fn a_run_that_is_over_in_a_moment_leaves_no_trace() {
        let mut run = Remembered::new(Form::Run);
        let completed = summary(FinalState::Completed, Ending::Status(0));
        run.tell(Some(TaskId::FIRST), 0.999, What::Finished(&completed));
        assert_eq!(std::fs::read_dir(run.root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_run_that_says_nothing_has_no_curve_and_one_that_was_stopped_its_reason() {
        let mut run = Remembered::new(Form::Run);
        let cancelled = Summary {
            reason: Some(Reason::Interrupt),
            ..summary(FinalState::Cancelled, Ending::Signal(libc::SIGPIPE))
        };
        run.tell(Some(TaskId::FIRST), 2.0, What::Finished(&cancelled));
        let [record] = &run.records()[..] else {
            panic!()
        };
        assert_eq!((record.state, &record.curve), (State::Cancelled, &None));
        assert_eq!(record.signal.as_deref(), Some("SIGPIPE"));
        assert_eq!(record.reason, Some(crate::wire::Reason::Interrupt));
    }

    #[test]
    fn of_a_list_the_tasks_are_counted_and_measured() {
        use crate::event::{Attempt, Counts, RunHead, Total};
        let mut run = Remembered::new(Form::Each);
        let head = RunHead {
            name: "flac",
            jobs: 2,
            total: Total::default(),
            command: &[],
        };
        run.tell(None, 0.0, What::Run(&head));
        for (slot, seconds, retry) in [(1, 1, true), (1, 2, false), (2, 3, false)] {
            let ended = Summary {
                attempt: Some(Attempt {
                    slot,
                    number: 1,
                    retry_in: retry.then_some(Duration::ZERO),
                    duration: Duration::from_secs(seconds),
                    output_bytes: 0,
                }),
                ..summary(FinalState::Completed, Ending::Status(0))
            };
            run.tell(Some(TaskId::FIRST), 3.0, What::Finished(&ended));
        }
        let end = RunSummary {
            counts: Counts::default(),
            not_started: None,
            why: None,
            ending: Ending::Status(0),
        };
        run.tell(None, 4.0, What::End(&end));
        let [record] = &run.records()[..] else {
            panic!()
        };
        assert_eq!((record.name.as_str(), record.form), ("flac", Form::Each));
        let tasks = Tasks {
            count: 2,
            slots: 2,
            total_time: 6.0,
            mean_time: 3.0,
        };
        assert_eq!((record.tasks, record.used.user_time), (Some(tasks), 4.5));
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_told_of_once_and_one_without_a_place_is_not() {
        let completed = summary(FinalState::Completed, Ending::Status(0));
        let mut run = Remembered::new(Form::Run);
        // Nothing can be made below a file.
        std::fs::write(run.root.path().join("progrun"), "").unwrap();
        run.tell(Some(TaskId::FIRST), 2.0, What::Finished(&completed));
        assert_eq!(run.warnings.lock().unwrap()[..], [""; 0]);
        let mut run = Remembered::new(Form::Run);
        // A folder is there and cannot be written to, also for root.
        let path = run.root.path().join("progrun/history.jsonl");
        std::fs::create_dir_all(&path).unwrap();
        run.tell(Some(TaskId::FIRST), 2.0, What::Finished(&completed));
        let warnings = run.warnings.lock().unwrap();
        let expected = format!(
            "cannot add this run to {}: it is a directory (--no-history avoids this)",
            path.display()
        );
        assert_eq!(warnings[..], [expected]);
    }
}
