//! The job log of a list: a file to which each run appends what becomes of the tasks, and from which a later run knows
//! what is left to do.
//!
//! Opens the file, locks it and reads it; `sink/job_log.rs` writes it. A file that is refused stays as it was. Its
//! lines are events: `wire` knows their names.

mod identity;
mod past;
mod reading;
mod table;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use crate::reason::{reason, reason_at};
use crate::system::boot;

use self::reading::{Fault, Reading, Run};

pub(crate) use self::past::{Decision, Past};

/// Which tasks run that an earlier run has dealt with. None runs that completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// `--resume`: all that did not complete.
    All,
    /// `--resume=new`: those, but for the ones that failed.
    New,
    /// `--resume=failed`: only the ones that failed.
    Failed,
}

/// How a job log is to be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub path: &'a Path,
    /// Which tasks run again; none: the log is to be new.
    pub resume: Option<Resume>,
    /// Whether the log may be one of another template.
    pub anyway: bool,
    /// The template of the commands; empty for a list of commands.
    pub template: &'a [OsString],
}

/// A job log.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Opened for append, locked as long as it is open, and at the end of a line.
    pub file: File,
    pub past: Past,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The log holds what may be private: the arguments of commands.
const PRIVATE: u32 = 0o600;

/// Opens a job log, and reads what it has to say.
///
/// # Errors
/// If it cannot be opened, is in use, or is not a log that the run may go on with. In a sentence.
pub(crate) fn open(wanted: Wanted<'_>) -> Result<Opened, String> {
    open_at(wanted, boot::id().as_deref())
}

/// The same, on this start of the machine.
fn open_at(wanted: Wanted<'_>, boot: Option<&str>) -> Result<Opened, String> {
    let path = wanted.path.display();
    let cannot = |error: &io::Error| {
        format!(
            "cannot open the job log {path}: {}",
            reason_at(wanted.path, error)
        )
    };
    // Not even opened: a FIFO would wait, and a device might do something.
    if std::fs::metadata(wanted.path).is_ok_and(|meta| !meta.is_file()) {
        return Err(format!("the job log {path} is not a regular file"));
    }
    let file = create(wanted.path).map_err(|error| cannot(&error))?;
    let mut warnings = Vec::new();
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(format!("the job log {path} is in use by another run"));
        }
        Err(error) => warnings.push(format!(
            "the job log {path} cannot be locked ({}): use it for one run at a time",
            io::Error::from(error)
        )),
    }
    let meta = file.metadata().map_err(|error| cannot(&error))?;
    if !meta.is_file() {
        return Err(format!("the job log {path} is not a regular file"));
    }
    let mut past = Past::new(wanted.resume);
    if wanted.resume.is_none() && meta.len() > 0 {
        return Err(format!(
            "the job log {path} is not empty: go on with it by --resume, or name another file"
        ));
    }
    let read = read(&file, &mut past, boot).map_err(|fault| fault.sentence(wanted.path))?;
    if let Some(run) = read.run.filter(|_| !wanted.anyway) {
        check_template(&run, wanted)?;
    }
    if let Some(length) = read.torn {
        file.set_len(length).map_err(|error| cannot(&error))?;
        warnings.push(format!(
            "the last line of the job log {path} was not whole and is cut off: its task counts as not ended"
        ));
    }
    Ok(Opened {
        file,
        past,
        warnings,
    })
}

/// Away from the low numbers, which belong to the redirections of the children.
fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(PRIVATE)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    Ok(fcntl_dupfd_cloexec(&file, 10).map_or(file, File::from))
}

fn check_template(run: &Run, wanted: Wanted<'_>) -> Result<(), String> {
    let same = run.command.len() == wanted.template.len()
        && (run.command.iter().zip(wanted.template))
            .all(|(word, wanted)| word == wanted.as_bytes());
    if same {
        return Ok(());
    }
    let words = run.command.iter().map(|word| String::from_utf8_lossy(word));
    let words = words.collect::<Vec<_>>().join(" ");
    let other = if run.command.is_empty() {
        "a list of commands"
    } else {
        &words
    };
    Err(format!(
        "the job log {} is of another command, {other}: with --resume-anyway, what that has done stays done",
        wanted.path.display()
    ))
}

/// What a log says of itself.
struct Read {
    /// Its last run.
    run: Option<Run>,
    /// The length of its whole lines, if there is a part of one after them.
    torn: Option<u64>,
}

/// Why a log cannot be read.
enum Unread {
    Error(io::Error),
    Line(u64, Fault),
}

impl Unread {
    fn sentence(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Error(error) => format!("cannot read the job log {path}: {}", reason(error)),
            Self::Line(number, Fault::NotARecord) => {
                format!("line {number} of the job log {path} is not a record of one")
            }
            Self::Line(number, Fault::Newer) => {
                format!("line {number} of the job log {path} was written by a newer progrun")
            }
        }
    }
}

fn read(file: &File, past: &mut Past, boot: Option<&str>) -> Result<Read, Unread> {
    let mut reader = BufReader::with_capacity(128 * 1024, file);
    let mut reading = Reading::new(past);
    let (mut line, mut number, mut length) = (Vec::new(), 0, 0);
    let torn = loop {
        line.clear();
        number += 1;
        let read = reader.read_until(b'\n', &mut line);
        let read = read.map_err(Unread::Error)?;
        match line.strip_suffix(b"\n") {
            Some(line) => reading
                .line(line)
                .map_err(|fault| Unread::Line(number, fault))?,
            None if read == 0 => break None,
            None if may_be_torn(&line) => break Some(length),
            // The line of another file that was named by mistake is not to be cut off.
            None => return Err(Unread::Line(number, Fault::NotARecord)),
        }
        length += u64::try_from(read).unwrap_or_default();
    };
    let run = reading.end(boot);
    Ok(Read { run, torn })
}

/// Whether this can be the beginning of a record. After a power failure, NUL bytes may stand for what was not written.
fn may_be_torn(line: &[u8]) -> bool {
    const BEGIN: &[u8] = b"{\"event\":\"";
    let end = line.iter().rposition(|byte| *byte != 0);
    let line = end.map_or(&[][..], |end| &line[..=end]);
    line.starts_with(BEGIN) || BEGIN.starts_with(line)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;
    use crate::event::{Attempt, Event, FinalState, Place, RunHead, Summary, TaskId, Total, What};
    use crate::list::Specification;
    use crate::wire::Encoder;

    const AGAIN: Decision = Decision::RunAgain { half_done: false };
    const HALF: Decision = Decision::RunAgain { half_done: true };
    const FAILED: Decision = Decision::Leave(Some(FinalState::Failed));
    const CANCELLED: Decision = Decision::Leave(Some(FinalState::Cancelled));
    const NOTHING: Decision = Decision::Leave(None);

    const RUN: &str = r#"{"event":"run","task":0,"elapsed":0.001,"time":"2026-11-26T10:00:00.000Z","version":1,"name":"x","jobs":2,"total":9,"total_final":true,"command":["cat","{}"],"boot_id":"monday","pid":7}
"#;
    const END: &str = r#"{"event":"end","task":0,"elapsed":9,"completed":1,"flaky":0,"failed":0,"cancelled":0,"skipped":0,"not_started":0,"exit_status":0,"signal":null}
"#;

    fn started(task: u32, known_by: &str) -> String {
        format!(
            "{{\"event\":\"started\",\"task\":{task},\"elapsed\":1,\"slot\":1,\"attempt\":1,{known_by},\
             \"time\":\"2026-11-26T10:00:00.000Z\",\"name\":\"n\",\"command\":[\"cat\"],\"pid\":7}}\n"
        )
    }

    fn finished(task: u32, state: &str, time: &str) -> String {
        format!(
            "{{\"event\":\"finished\",\"task\":{task},\"elapsed\":2,\"slot\":1,\"attempt\":1,\"attempts\":1,\
             \"time\":\"2026-11-26T{time}.000Z\",\"duration\":0.1,\"state\":\"{state}\"}}\n"
        )
    }

    /// The records of a task of `each`, which ended in this state.
    fn one(task: u32, value: &str, state: &str) -> String {
        started(task, &format!("\"input\":[\"{value}\"]")) + &finished(task, state, "10:00:01")
    }

    struct Scene {
        _folder: TempDir,
        path: PathBuf,
        template: [OsString; 2],
    }

    impl Scene {
        fn new(log: impl AsRef<[u8]>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            fs::write(&path, log).unwrap();
            Self {
                _folder: folder,
                path,
                template: ["cat", "{}"].map(OsString::from),
            }
        }

        fn open_as<'a>(&'a self, wish: impl FnOnce(&mut Wanted<'a>)) -> Result<Opened, String> {
            let mut wanted = Wanted {
                path: &self.path,
                resume: Some(Resume::All),
                anyway: false,
                template: &self.template,
            };
            wish(&mut wanted);
            open_at(wanted, Some("monday"))
        }

        fn open(&self, resume: Resume) -> Opened {
            self.open_as(|wanted| wanted.resume = Some(resume)).unwrap()
        }

        fn refusal<'a>(&'a self, wish: impl FnOnce(&mut Wanted<'a>)) -> String {
            let sentence = self.open_as(wish).unwrap_err();
            sentence.replace(self.path.to_str().unwrap(), "FILE")
        }

        fn text(&self) -> String {
            String::from_utf8(fs::read(&self.path).unwrap()).unwrap()
        }
    }

    fn task(values: &[&[u8]]) -> Specification {
        let value = |value: &&[u8]| OsString::from_vec(value.to_vec());
        Specification {
            name: values
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect(),
            values: Some(values.iter().map(value).collect()),
            ..Specification::default()
        }
    }

    fn named(name: &str) -> Specification {
        Specification {
            named: true,
            ..Specification::of_command(name.to_owned(), vec!["make".into()])
        }
    }

    fn decide(past: &mut Past, list: &[&str]) -> Vec<Decision> {
        let decide = |value: &&str| past.decide(&mut task(&[value.as_bytes()]));
        list.iter().map(decide).collect()
    }

    fn decisions(log: impl AsRef<[u8]>, list: &[&str]) -> Vec<Decision> {
        decide(&mut Scene::new(log).open(Resume::All).past, list)
    }

    /// What becomes of tasks in all the states that a log can leave them in.
    fn column(resume: Resume) -> Vec<(&'static str, Decision)> {
        let mut log = RUN.replace(r#""command":["cat","{}"],"#, "");
        let mut number = 0;
        let mut add = |name: &str, rest: &dyn Fn(u32) -> String| {
            number += 1;
            let start = started(number, "\"named\":true")
                .replace("\"name\":\"n\"", &format!("\"name\":\"{name}\""));
            log += &(start + &rest(number));
        };
        add("completed", &|task| finished(task, "completed", "10:00:01"));
        add("failed", &|task| finished(task, "failed", "10:00:01"));
        add("timed out", &|task| {
            finished(task, "failed", "10:00:01").replace("}\n", ",\"reason\":\"timeout\"}\n")
        });
        add("cancelled", &|task| finished(task, "cancelled", "10:00:01"));
        add("no end", &|_| String::new());
        add("between attempts", &|task| {
            finished(task, "failed", "10:00:01").replace("}\n", ",\"retry_in\":2.0}\n")
        });
        for (name, cause) in [("needs failed", "failed"), ("needs cancelled", "cancelled")] {
            let line = format!(
                "{{\"event\":\"skipped\",\"task\":20,\"elapsed\":3,\"name\":\"{name}\",\"reason\":\"dependency\",\"cause\":\"{cause}\"}}\n"
            );
            log.push_str(&line);
        }
        log += END;
        let scene = Scene::new(log);
        let mut past = scene
            .open_as(|wanted| {
                wanted.resume = Some(resume);
                wanted.template = &[];
            })
            .unwrap()
            .past;
        let mut column = Vec::new();
        for name in [
            "completed",
            "failed",
            "timed out",
            "cancelled",
            "no end",
            "between attempts",
            "needs failed",
            "needs cancelled",
            "new",
        ] {
            column.push((name, past.decide(&mut named(name))));
        }
        assert_eq!(past.left(), 0);
        column
    }

    #[test]
    fn resume_runs_all_that_did_not_complete() {
        assert_eq!(
            column(Resume::All),
            [
                ("completed", Decision::Done),
                ("failed", AGAIN),
                ("timed out", AGAIN),
                ("cancelled", AGAIN),
                ("no end", HALF),
                ("between attempts", AGAIN),
                // These run if the task that they need completes now.
                ("needs failed", Decision::Run),
                ("needs cancelled", Decision::Run),
                ("new", Decision::Run),
            ]
        );
    }

    #[test]
    fn resume_new_leaves_failures_alone() {
        assert_eq!(
            column(Resume::New),
            [
                ("completed", Decision::Done),
                ("failed", FAILED),
                ("timed out", FAILED),
                ("cancelled", AGAIN),
                ("no end", HALF),
                ("between attempts", AGAIN),
                ("needs failed", Decision::Run),
                ("needs cancelled", Decision::Run),
                ("new", Decision::Run),
            ]
        );
    }

    #[test]
    fn resume_failed_runs_only_failures_and_what_needed_them() {
        assert_eq!(
            column(Resume::Failed),
            [
                ("completed", Decision::Done),
                ("failed", AGAIN),
                ("timed out", AGAIN),
                ("cancelled", CANCELLED),
                ("no end", NOTHING),
                ("between attempts", AGAIN),
                ("needs failed", Decision::Run),
                // It is skipped once more, as the task that it needs does not run.
                ("needs cancelled", Decision::Run),
                ("new", NOTHING),
            ]
        );
    }

    #[test]
    fn what_completed_shortly_before_the_machine_went_down_counts_as_not_ended() {
        let a = |value, time| {
            started(1, &format!("\"input\":[\"{value}\"]")) + &finished(1, "completed", time)
        };
        let old = RUN.replace("monday", "sunday");
        let log = old + &a("a", "10:00:00") + &a("b", "10:00:01") + &a("c", "10:01:01");
        let decisions =
            |log: &str, resume| decide(&mut Scene::new(log).open(resume).past, &["a", "b", "c"]);
        let done = Decision::Done;
        assert_eq!(decisions(&log, Resume::All), [done, HALF, HALF]);
        assert_eq!(decisions(&log, Resume::New), [done, HALF, HALF]);
        assert_eq!(decisions(&log, Resume::Failed), [done, NOTHING, NOTHING]);
        // A run that came to its end, or that was only killed, has lost nothing.
        let ended = log.clone() + END;
        assert_eq!(decisions(&ended, Resume::All), [done, done, done]);
        let killed = log.replace("sunday", "monday");
        assert_eq!(decisions(&killed, Resume::All), [done, done, done]);
        // A later run has run only one of them.
        let later = log.clone() + RUN + &a("b", "12:00:00");
        assert_eq!(decisions(&later, Resume::All), [done, done, HALF]);
    }

    #[test]
    fn the_last_word_on_a_task_holds_whichever_run_it_is_from() {
        let log = RUN.to_owned()
            + &one(1, "a", "failed")
            + &one(2, "b", "completed")
            + END
            + RUN
            + &one(2, "a", "completed")
            + END;
        assert_eq!(decisions(&log, &["a", "b"]), [Decision::Done; 2]);
        let log = log + RUN + &started(1, "\"input\":[\"b\"]") + RUN;
        assert_eq!(decisions(log, &["a", "b"]), [Decision::Done, HALF]);
    }

    #[test]
    fn tasks_are_known_by_their_values_and_not_by_their_numbers() {
        let log = RUN.to_owned()
            + &one(1, "1", "completed")
            + &one(2, "2", "completed")
            + &one(3, "0", "completed")
            + END;
        assert_eq!(decisions(&log, &["x", "y", "z", "w"]), [Decision::Run; 4]);
        let mut past = Scene::new(&log).open(Resume::All).past;
        assert_eq!(
            decide(&mut past, &["0", "3", "1"]),
            [Decision::Done, Decision::Run, Decision::Done]
        );
        assert_eq!(
            past.left_sentence().unwrap(),
            "1 task of the job log is not in the list"
        );
        assert_eq!(decide(&mut past, &["2"]), [Decision::Done]);
        assert_eq!(past.left_sentence(), None);
    }

    #[test]
    fn equal_values_are_told_apart_by_their_order() {
        let log = RUN.to_owned()
            + &one(1, "x", "failed")
            + &one(2, "x", "completed").replace("\"input\"", "\"nth\":2,\"input\"")
            + &one(3, "y", "completed")
            + END;
        let done = Decision::Done;
        let list = ["x", "y", "x", "x"];
        assert_eq!(decisions(log, &list), [AGAIN, done, done, Decision::Run]);
        let mut past = Scene::new("").open(Resume::All).past;
        let mut nth = |value: &str| {
            let mut task = task(&[value.as_bytes()]);
            past.decide(&mut task);
            task.nth
        };
        assert_eq!([nth("x"), nth("x"), nth("y"), nth("x")], [1, 2, 1, 3]);
    }

    #[test]
    fn a_command_without_a_name_is_known_by_itself() {
        let log = RUN.replace(r#""command":["cat","{}"],"#, "")
            + &started(7, "\"x-a\":1")
            + &finished(7, "completed", "10:00:01")
            + r#"{"event":"skipped","task":8,"elapsed":3,"name":"sh 8","reason":"dependency","cause":"a"}"#
            + "\n"
            + END;
        let scene = Scene::new(log);
        let mut past = scene
            .open_as(|wanted| {
                wanted.resume = Some(Resume::Failed);
                wanted.template = &[];
            })
            .unwrap()
            .past;
        let mut decide = |name: &str, word: &str| {
            past.decide(&mut Specification::of_command(
                name.to_owned(),
                vec![word.into()],
            ))
        };
        assert_eq!(decide("cat 1", "cat"), Decision::Done);
        assert_eq!(decide("sh 8", "sh"), Decision::Run);
        assert_eq!(decide("cat 2", "dog"), NOTHING);
    }

    #[test]
    fn a_last_line_that_is_not_whole_is_cut_off_and_its_task_runs_again() {
        let whole = RUN.to_owned() + &started(1, "\"input\":[\"a\"]");
        for end in 1..80 {
            let torn = finished(1, "completed", "10:00:01");
            let torn = if end == 79 { "\0\0\0" } else { &torn[..end] };
            let scene = Scene::new(whole.clone() + torn);
            let mut opened = scene.open(Resume::All);
            assert_eq!(decide(&mut opened.past, &["a"]), [HALF]);
            assert_eq!(scene.text(), whole);
            assert_eq!(opened.warnings.len(), 1);
            assert!(
                opened.warnings[0]
                    .ends_with("log was not whole and is cut off: its task counts as not ended")
            );
        }
        let scene = Scene::new(&RUN[..RUN.len() - 1]);
        scene.open(Resume::All);
        assert_eq!(scene.text(), "");
    }

    #[test]
    fn a_file_that_is_no_job_log_is_refused_and_stays_as_it_was() {
        let number = |number| format!("line {number} of the job log FILE is not a record of one");
        let of_newer = "line 1 of the job log FILE was written by a newer progrun".to_owned();
        for (text, expected) in [
            ("remember the milk".to_owned(), number(1)),
            ("{}\n".to_owned(), number(1)),
            ("\n".to_owned(), number(1)),
            (one(1, "a", "completed"), number(1)),
            (RUN.to_owned() + "\n" + END, number(2)),
            (RUN.to_owned() + "{\"event\":\"finis\n" + END, number(2)),
            (RUN.to_owned() + "remember", number(2)),
            (RUN.replace("\"version\":1", "\"version\":2"), of_newer),
        ] {
            let scene = Scene::new(&text);
            assert_eq!(scene.refusal(|_| ()), expected);
            assert_eq!(scene.text(), text);
        }
        let newer =
            RUN.to_owned() + "{\"event\":\"lunch\",\"task\":0,\"elapsed\":1,\"count\":\"x\"}\n";
        assert!(Scene::new(newer).open_as(|_| ()).is_ok());
    }

    #[test]
    fn a_log_with_records_is_not_begun_anew() {
        let log = RUN.to_owned() + END;
        let scene = Scene::new(&log);
        assert_eq!(
            scene.refusal(|wanted| wanted.resume = None),
            "the job log FILE is not empty: go on with it by --resume, or name another file"
        );
        assert_eq!(scene.text(), log);
        let scene = Scene::new("");
        let opened = scene.open_as(|wanted| wanted.resume = None).unwrap();
        assert_eq!(opened.warnings, [""; 0]);
    }

    #[test]
    fn only_one_run_at_a_time_has_a_log() {
        let scene = Scene::new(RUN.to_owned() + &RUN[..20]);
        let opened = scene.open(Resume::All);
        let text = scene.text();
        assert_eq!(
            scene.refusal(|_| ()),
            "the job log FILE is in use by another run"
        );
        assert_eq!(scene.text(), text);
        drop(opened);
    }

    #[test]
    fn a_log_of_another_command_is_refused_unless_it_is_wanted() {
        let log = RUN.to_owned() + &one(1, "a", "completed") + END + &RUN[..30];
        let scene = Scene::new(&log);
        let other = ["cat", "-n", "{}"].map(OsString::from);
        assert_eq!(
            scene.refusal(|wanted| wanted.template = &other),
            "the job log FILE is of another command, cat {}: with --resume-anyway, what that has done stays done"
        );
        assert_eq!(scene.text(), log);
        let scene = Scene::new(&log);
        let mut opened = scene
            .open_as(|wanted| {
                wanted.template = &other;
                wanted.anyway = true;
            })
            .unwrap();
        assert_eq!(decide(&mut opened.past, &["a"]), [Decision::Done]);
        let scene = Scene::new(RUN.replace(r#""command":["cat","{}"],"#, ""));
        let refusal = scene.refusal(|_| ());
        assert!(
            refusal.contains("is of another command, a list of commands: "),
            "{refusal}"
        );
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused() {
        let scene = Scene::new("");
        fs::remove_file(&scene.path).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &scene.path, FileType::Fifo, mode, 0).unwrap();
        let refused = "the job log FILE is not a regular file";
        assert_eq!(scene.refusal(|_| ()), refused);
        fs::remove_file(&scene.path).unwrap();
        fs::create_dir(&scene.path).unwrap();
        assert_eq!(scene.refusal(|_| ()), refused);
        let null = scene.refusal(|wanted| wanted.path = Path::new("/dev/null"));
        assert_eq!(null, "the job log /dev/null is not a regular file");
        let nowhere = scene.refusal(|wanted| wanted.path = Path::new("/nowhere/log"));
        assert_eq!(
            nowhere,
            "cannot open the job log /nowhere/log: there is no directory /nowhere"
        );
    }

    #[test]
    fn tasks_that_may_be_half_done_are_named() {
        let mut log = RUN.to_owned();
        for number in 1..=23 {
            log += &started(number, &format!("\"input\":[\"t{number}\"]"));
        }
        let mut past = Scene::new(log).open(Resume::All).past;
        assert_eq!(past.half_done_sentence(), None);
        decide(&mut past, &["t1"]);
        assert_eq!(
            past.half_done_sentence().unwrap(),
            "t1 runs again: an earlier run broke off in it and may have left half of its work"
        );
        decide(&mut past, &["t2"]);
        assert_eq!(
            past.half_done_sentence().unwrap(),
            "2 tasks run again: an earlier run broke off in them and may have left half of their work: t1, t2"
        );
        for number in 3..=23 {
            decide(&mut past, &[&format!("t{number}")]);
        }
        let sentence = past.half_done_sentence().unwrap();
        assert!(sentence.starts_with("23 tasks run again: "), "{sentence}");
        assert!(sentence.ends_with(", t19, t20 and 3 more"), "{sentence}");
    }

    /// The records of a run of these values, each of which ends in a state, or has no end.
    fn run_of(values: &[(Vec<Vec<u8>>, Option<FinalState>)], past: &mut Past) -> String {
        let mut lines = String::new();
        let mut encoder = Encoder::with_times();
        let template = ["cat", "{}"].map(OsString::from);
        let head = RunHead {
            name: "x",
            jobs: 2,
            total: Total::default(),
            command: &template,
        };
        let mut tell = |task: Option<TaskId>, what: What<'_>| {
            let at = Duration::from_millis(5);
            encoder.event(&Event { task, at, what }, &mut lines);
        };
        tell(None, What::Run(&head));
        let mut ends = Vec::new();
        for (number, (values, state)) in (1..).zip(values) {
            let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
            let mut task = task(&values);
            past.decide(&mut task);
            let id = TaskId::of(number);
            tell(
                id,
                What::Started {
                    host: None,
                    name: &task.name,
                    command: task.values.as_deref().unwrap(),
                    pid: None,
                    place: Some(Place::of(&task, 1, 1)),
                },
            );
            ends.extend(state.map(|state| (id, state)));
        }
        for (id, state) in ends.into_iter().rev() {
            let summary = Summary {
                missed: None,
                state,
                reason: None,
                exit: None,
                error: None,
                reports: 0,
                malformed: 0,
                attempt: Some(Attempt {
                    slot: 1,
                    number: 1,
                    retry_in: None,
                    duration: Duration::from_millis(3),
                    output_bytes: 0,
                }),
            };
            tell(id, What::Finished(&summary));
        }
        lines
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(
            list in vec(
                (
                    vec(prop_oneof![
                        vec(any::<u8>(), 0..4),
                        "[a-b\n\t\"]{0,2}".prop_map(String::into_bytes),
                    ], 1..3),
                    prop_oneof![
                        Just(None),
                        Just(Some(FinalState::Completed)),
                        Just(Some(FinalState::Failed)),
                        Just(Some(FinalState::Cancelled)),
                    ],
                ),
                0..12,
            ),
        ) {
            let mut past = Past::new(None);
            let scene = Scene::new(run_of(&list, &mut past));
            let mut past = open(Wanted {
                path: &scene.path,
                resume: Some(Resume::New),
                anyway: false,
                template: &["cat", "{}"].map(OsString::from),
            }).unwrap().past;
            for (values, state) in &list {
                let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
                let expected = match state {
                    Some(FinalState::Completed) => Decision::Done,
                    Some(FinalState::Failed | FinalState::Lost) => FAILED,
                    Some(FinalState::Cancelled) => AGAIN,
                    None => HALF,
                };
                prop_assert_eq!(past.decide(&mut task(&values)), expected);
            }
            prop_assert_eq!(past.left(), 0);
        }
    }
}
