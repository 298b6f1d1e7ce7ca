//! Keeps the output of each attempt of each task in files of its own, one for each stream, in one folder: as text if
//! the stream is a terminal for the task or its lines are to have times, or else byte for byte.
//!
//! A file is made with its first byte. It is written to directly, as the run loop writes to any regular file. Few of
//! the files are open at a time: a run of many tasks has more of them than there are descriptors. Knows no other place
//! that the output goes to.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::event::{Event, Stream, TaskId, What};
use crate::flow::Permit;

use super::Sink;
use super::files::PRIVATE;
use super::gone::Notifier;
use super::text::{Form, Text};

/// How many files are open at a time.
const OPEN: usize = 16;
const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];
/// The most bytes of a task's name in that of a file.
const NAME: usize = 100;

/// The folder of `--log-dir`.
pub(super) struct Folder {
    path: PathBuf,
    /// How stdout and stderr are written down as text; none: byte for byte.
    forms: [Option<Form>; 2],
    notifier: Notifier,
    /// A file that could not be written was told of.
    has_told: bool,
    /// The attempts that run.
    attempts: Vec<Attempt>,
    /// The files that are open, the one that was written to last at the end.
    open: VecDeque<(TaskId, Stream, File)>,
}

struct Attempt {
    task: TaskId,
    /// The begin of the names of its files.
    name: String,
    /// Which of its files were made.
    is_made: [bool; 2],
    /// Its streams that are kept as text.
    texts: [Option<Text>; 2],
}

impl Folder {
    #[must_use]
    pub(super) fn new(path: PathBuf, forms: [Option<Form>; 2], notifier: Notifier) -> Self {
        Self {
            path,
            forms,
            notifier,
            has_told: false,
            attempts: Vec::new(),
            open: VecDeque::new(),
        }
    }

    fn begin(&mut self, (task, at): (TaskId, Duration), name: &str, number: u32) {
        self.end(task, at);
        let text = |form| Text::new(form, String::new());
        self.attempts.push(Attempt {
            task,
            name: file_name(task, name, number),
            is_made: [false; 2],
            texts: self.forms.map(|form| form.map(text)),
        });
    }

    fn end(&mut self, task: TaskId, at: Duration) {
        if let Some(index) = self.attempts.iter().position(|it| it.task == task) {
            for stream in STREAMS {
                let text = self.attempts[index].texts[stream as usize].take();
                if let Some(mut text) = text {
                    self.write(index, stream, &text.end(at));
                }
            }
            self.attempts.swap_remove(index);
        }
        self.open.retain(|(of, _, _)| *of != task);
    }

    fn output(&mut self, (task, at): (TaskId, Duration), stream: Stream, bytes: &[u8]) {
        let attempts = self.attempts.iter().position(|it| it.task == task);
        let index = attempts.unwrap_or_else(|| {
            self.begin((task, at), "task", 1);
            self.attempts.len() - 1
        });
        match &mut self.attempts[index].texts[stream as usize] {
            None => self.write(index, stream, bytes),
            Some(text) => {
                let done = text.add(bytes, at);
                self.write(index, stream, &done);
            }
        }
    }

    fn write(&mut self, index: usize, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let attempt = &mut self.attempts[index];
        let task = attempt.task;
        let extension = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
        };
        let path = self.path.join(format!("{}.{extension}", attempt.name));
        let is_made = &mut attempt.is_made[stream as usize];
        if let Err(error) = write(&mut self.open, (task, stream), &path, is_made, bytes)
            && !std::mem::replace(&mut self.has_told, true)
        {
            let what = format!("{} is incomplete", path.display());
            self.notifier.for_file(what)(&error);
        }
    }
}

fn write(
    open: &mut VecDeque<(TaskId, Stream, File)>,
    of: (TaskId, Stream),
    path: &Path,
    is_made: &mut bool,
    bytes: &[u8],
) -> io::Result<()> {
    let known = open
        .iter()
        .position(|(task, stream, _)| (*task, *stream) == of);
    let known = known.and_then(|index| open.remove(index));
    let mut file = if let Some((_, _, file)) = known {
        file
    } else {
        if open.len() >= OPEN {
            open.pop_front();
        }
        loop {
            match open_file(path, *is_made) {
                // There may be fewer descriptors than that.
                Err(error) if is_out_of_descriptors(&error) && !open.is_empty() => {
                    open.pop_front();
                }
                file => break file?,
            }
        }
    };
    *is_made = true;
    let written = file.write_all(bytes);
    open.push_back((of.0, of.1, file));
    written
}

/// Opens a file to append to it. When it is made, one of an earlier run, which is resumed, is emptied.
fn open_file(path: &Path, is_made: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(PRIVATE);
    let file = options.open(path)?;
    if !is_made {
        file.set_len(0)?;
    }
    Ok(file)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].contains(&Errno::from_io_error(error).unwrap_or(Errno::NOENT))
}

/// The begin of the names of an attempt's files. The number makes it different from those of all other tasks.
fn file_name(task: TaskId, name: &str, attempt: u32) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    let name = name.bytes().take(NAME).map(|byte| match byte {
        byte if is_kept(byte) => char::from(byte),
        _ => '_',
    });
    let mut file = format!("{:07}-", task.get());
    file.extend(name);
    if attempt > 1 {
        file.push('.');
        file.push_str(&attempt.to_string());
    }
    file
}

impl Sink for Folder {
    fn event(&mut self, event: &Event<'_>) {
        let Some(task) = event.task else {
            return;
        };
        let now = (task, event.at);
        match &event.what {
            What::Started { name, place, .. } => {
                self.begin(now, name, place.map_or(1, |place| place.attempt));
            }
            What::Output { stream, bytes, .. } if !bytes.is_empty() => {
                self.output(now, *stream, bytes);
            }
            What::Finished(_) => self.end(task, event.at),
            _ => {}
        }
    }

    fn due(&self) -> Option<Duration> {
        let texts = self.attempts.iter().flat_map(|it| &it.texts).flatten();
        texts.filter_map(Text::due).min()
    }

    fn tick(&mut self, elapsed: Duration) {
        for index in 0..self.attempts.len() {
            for stream in STREAMS {
                let text = self.attempts[index].texts[stream as usize].as_mut();
                if let Some(text) = text.filter(|text| text.due().is_some_and(|due| due <= elapsed))
                {
                    let old = text.tick(elapsed);
                    self.write(index, stream, &old);
                }
            }
        }
    }

    fn flush(&mut self, _: &Permit) {}

    fn abandon(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FinalState, Place, Summary, Surroundings};
    use crate::flow::Credit;
    use crate::model::verdict::Verdicts;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    struct Test {
        place: tempfile::TempDir,
        folder: Folder,
        told: Arc<Mutex<Vec<String>>>,
    }

    impl Test {
        fn new(below: &str) -> Self {
            let place = tempfile::tempdir().unwrap();
            let told = Arc::<Mutex<Vec<String>>>::default();
            let sentences = Arc::clone(&told);
            let notifier = Notifier::new(move |gone| {
                assert!(gone.lost && gone.stream.is_none());
                sentences.lock().unwrap().extend(gone.sentence);
            });
            let folder = Folder::new(place.path().join(below), [None; 2], notifier);
            Self {
                place,
                folder,
                told,
            }
        }

        fn tell(&mut self, task: u32, what: What<'_>) {
            let (task, at) = (TaskId::of(task), Duration::ZERO);
            self.folder.event(&Event { task, at, what });
        }

        fn start(&mut self, task: u32, name: &str, attempt: u32) {
            let place = Some(Place {
                slot: 1,
                attempt,
                input: None,
                named: false,
                nth: 1,
                extra: None,
                surroundings: Surroundings::default(),
            });
            let (command, pid) = (&[], Some(1));
            self.tell(
                task,
                What::Started {
                    host: None,
                    name,
                    command,
                    pid,
                    place,
                },
            );
        }

        fn print(&mut self, task: u32, stream: Stream, text: &str) {
            let what = What::Output {
                stream,
                bytes: &Arc::new(text.as_bytes().to_vec()),
                verdicts: &Verdicts::default(),
                permit: &Credit::new(1, || ()).permit(1),
            };
            self.tell(task, what);
        }

        fn end(&mut self, task: u32) {
            let summary = Summary {
                missed: None,
                state: FinalState::Completed,
                reason: None,
                exit: None,
                error: None,
                reports: 0,
                malformed: 0,
                attempt: None,
            };
            self.tell(task, What::Finished(&summary));
        }

        fn files(&self) -> BTreeMap<String, String> {
            let entries = std::fs::read_dir(self.place.path()).unwrap();
            let file = |entry: io::Result<std::fs::DirEntry>| {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            };
            entries.map(file).collect()
        }
    }

    #[test]
    fn whatever_the_tasks_are_called_their_files_are_distinct_and_directly_in_the_folder() {
        let mut test = Test::new("");
        let long = "x".repeat(300);
        let names = [
            "a/b",
            "a_b",
            "..",
            &long,
            &format!("{long}y"),
            "one\ntwo",
            "a b+c-d.e",
            "",
        ];
        for (number, name) in (1..).zip(names) {
            test.start(number, name, 1);
            test.print(number, Stream::Stdout, name);
            test.end(number);
        }
        let short = "x".repeat(100);
        let expected = [
            ("0000001-a_b.out".to_owned(), "a/b"),
            ("0000002-a_b.out".to_owned(), "a_b"),
            ("0000003-...out".to_owned(), ".."),
            (format!("0000004-{short}.out"), long.as_str()),
            (format!("0000005-{short}.out"), &format!("{long}y")),
            ("0000006-one_two.out".to_owned(), "one\ntwo"),
            ("0000007-a_b+c-d.e.out".to_owned(), "a b+c-d.e"),
        ];
        let files = test.files();
        let files = files
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str()));
        assert!(files.eq(expected));
    }

    #[test]
    fn each_stream_of_each_attempt_has_its_file_from_its_first_byte_on() {
        let mut test = Test::new("");
        test.start(7, "job", 1);
        test.print(7, Stream::Stdout, "");
        assert!(test.files().is_empty());
        test.print(7, Stream::Stderr, "why\n");
        test.end(7);
        test.start(7, "job", 2);
        test.print(7, Stream::Stdout, "one\n");
        test.print(7, Stream::Stderr, "two\n");
        test.print(7, Stream::Stdout, "three");
        test.end(7);
        let expected = [
            ("0000007-job.2.err", "two\n"),
            ("0000007-job.2.out", "one\nthree"),
            ("0000007-job.err", "why\n"),
        ];
        let files = test.files();
        assert!(
            files
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str()))
                .eq(expected)
        );
    }

    #[test]
    fn what_an_earlier_run_has_left_is_overwritten() {
        let mut test = Test::new("");
        std::fs::write(
            test.place.path().join("0000001-job.out"),
            "earlier, and longer",
        )
        .unwrap();
        test.start(1, "job", 1);
        test.print(1, Stream::Stdout, "one ");
        test.print(1, Stream::Stdout, "two");
        assert_eq!(test.files()["0000001-job.out"], "one two");
    }

    #[test]
    fn few_files_are_open_at_a_time_and_each_gets_all_of_its_bytes() {
        let mut test = Test::new("");
        for task in 1..=256 {
            test.start(task, "job", 1);
        }
        for text in ["one\n", "two\n", "three\n"] {
            for task in 1..=256 {
                test.print(task, Stream::Stdout, text);
                test.print(task, Stream::Stderr, text);
            }
        }
        assert_eq!(test.folder.open.len(), OPEN);
        for task in 1..=256 {
            test.end(task);
        }
        assert!(test.folder.open.is_empty() && test.folder.attempts.is_empty());
        let files = test.files();
        assert_eq!(files.len(), 512);
        assert!(files.values().all(|text| text == "one\ntwo\nthree\n"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_of_once() {
        let mut test = Test::new("missing");
        test.start(1, "job", 1);
        test.print(1, Stream::Stdout, "one");
        test.print(1, Stream::Stderr, "two");
        let path = test.place.path().join("missing/0000001-job.out");
        assert_eq!(
            *test.told.lock().unwrap(),
            [format!(
                "{} is incomplete: no such file or directory",
                path.display()
            )]
        );
    }
}
