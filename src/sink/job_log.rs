//! The job log: what becomes of each task, for a later run that goes on with the list.
//!
//! Each record is one write, done when its event is: no task begins in a slot before the end of the one before it is in
//! the file, and a run that is killed loses none. What a machine that goes down would lose is written to the disk once
//! a second by a thread, for it takes milliseconds. A record that cannot be written whole is cut off again, and the log
//! ends there. `wire` knows the names in the records, `joblog` reads them.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::fdatasync;
use rustix::io::Errno;

use crate::event::{Event, SkipReason, What};
use crate::flow::Permit;
use crate::wire::Encoder;

use super::Sink;
use super::patient::Patient;
use super::writer::OnGone;

/// How long a record may be in the memory of the system alone.
const UNSYNCED: Duration = Duration::from_secs(1);

/// The sink of `--job-log`.
#[derive(Debug)]
pub(super) struct JobLog {
    place: Arc<Place>,
    encoder: Encoder,
    /// The lines of one event.
    lines: String,
    /// The thread that writes to the disk, from the first record on.
    disk: Option<mpsc::Sender<Order>>,
}

/// The file, and what is wrong with it.
struct Place {
    file: Arc<File>,
    /// Whether it has records that may not be on the disk.
    is_unsynced: AtomicBool,
    told: Once,
    is_gone: AtomicBool,
    on_gone: OnGone,
}

/// What the thread is to do.
enum Order {
    /// Write to the disk, within a second.
    Soon,
    /// Write to the disk now, and give this back then.
    Now(Option<Permit>),
}

impl JobLog {
    /// Appends to `file`, which ends with a whole line. `on_gone` is told once if the log can be written no more.
    #[must_use]
    pub(super) fn new(file: Arc<File>, on_gone: OnGone) -> Self {
        Self {
            place: Arc::new(Place {
                file,
                is_unsynced: AtomicBool::new(false),
                told: Once::new(),
                is_gone: AtomicBool::new(false),
                on_gone,
            }),
            encoder: Encoder::with_times(),
            lines: String::new(),
            disk: None,
        }
    }

    fn record(&mut self, event: &Event<'_>) {
        self.lines.clear();
        self.encoder.event(event, &mut self.lines);
        if self.lines.is_empty() || self.place.is_gone() {
            return;
        }
        self.place.append(self.lines.as_bytes());
        if !self.place.is_unsynced.swap(true, Ordering::AcqRel) {
            self.order(Order::Soon);
        }
    }

    fn order(&mut self, order: Order) {
        if self.disk.is_none() {
            self.disk = start(&self.place).ok();
        }
        let left = match &self.disk {
            Some(disk) => disk.send(order).err().map(|error| error.0),
            None => Some(order),
        };
        // Without a thread, only the moments that matter most are worth the wait.
        if let Some(Order::Now(_)) = left {
            self.place.sync();
        }
    }
}

impl Sink for JobLog {
    fn event(&mut self, event: &Event<'_>) {
        match &event.what {
            // It is in the log already.
            What::Skipped {
                reason: SkipReason::Done,
                ..
            } => {}
            What::Run(_)
            | What::Started { .. }
            | What::Finished(_)
            | What::Skipped { .. }
            | What::End(_) => self.record(event),
            What::Halted(_) => self.order(Order::Now(None)),
            What::Cancelling { .. } if event.task.is_none() => self.order(Order::Now(None)),
            _ => {}
        }
    }

    fn flush(&mut self, permit: &Permit) {
        self.order(Order::Now(Some(permit.clone())));
    }

    fn abandon(&mut self) {}
}

/// Starts the thread that writes to the disk. It ends when the sink is gone.
fn start(place: &Arc<Place>) -> io::Result<mpsc::Sender<Order>> {
    let (sender, orders) = mpsc::channel();
    let place = Arc::clone(place);
    thread::Builder::new()
        .name("progrun-job-log".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || {
            while let Ok(order) = orders.recv() {
                let permit = match order {
                    Order::Now(permit) => permit,
                    Order::Soon => wait(&orders),
                };
                place.sync();
                drop(permit);
            }
        })?;
    Ok(sender)
}

/// Waits until the disk is to be written to, for further records as well.
fn wait(orders: &mpsc::Receiver<Order>) -> Option<Permit> {
    let until = Instant::now() + UNSYNCED;
    loop {
        match orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Order::Soon) => {}
            Ok(Order::Now(permit)) => return permit,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
    }
}

impl Place {
    /// Appends whole lines, or nothing.
    fn append(&self, lines: &[u8]) {
        let mut file = Patient(&*self.file);
        if let Err(error) = append(lines, |bytes| file.write(bytes), |length| self.cut(length)) {
            self.give_up(&error);
        }
    }

    /// Takes back the last bytes of the file.
    fn cut(&self, length: usize) {
        let length = u64::try_from(length).unwrap_or_default();
        let meta = self.file.metadata();
        // If this fails, too, the next run finds a line that is not whole, and cuts it off.
        let _ = meta.and_then(|meta| self.file.set_len(meta.len().saturating_sub(length)));
    }

    fn sync(&self) {
        if !self.is_unsynced.swap(false, Ordering::AcqRel) || self.is_gone() {
            return;
        }
        match fdatasync(&*self.file) {
            // The last four: this file cannot be synced, and is as safe as it gets.
            Ok(())
            | Err(Errno::INTR | Errno::INVAL | Errno::ROFS | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => self.give_up(&error.into()),
        }
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    fn give_up(&self, error: &io::Error) {
        self.told.call_once(|| (self.on_gone)(error));
        self.is_gone.store(true, Ordering::Release);
    }
}

/// Has all of `lines` written. What was written of them is taken back by `cut` if the rest cannot be.
fn append(
    lines: &[u8],
    mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    cut: impl FnOnce(usize),
) -> io::Result<()> {
    let mut rest = lines;
    while !rest.is_empty() {
        let error = match write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(written) => {
                rest = &rest[written..];
                continue;
            }
            Err(error) => error,
        };
        let written = lines.len() - rest.len();
        if written > 0 {
            cut(written);
        }
        return Err(error);
    }
    Ok(())
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("file", &self.file)
            .field("is_gone", &self.is_gone)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::OpenOptions;

    use super::*;
    use crate::event::{
        self, Attempt, Counts, Ending, FinalState, HaltWhen, HaltWhy, Halted, Place, RunHead,
        RunSummary, Step, Summary, Surroundings, TaskId, Total,
    };
    use crate::flow::Credit;

    struct Scene {
        folder: tempfile::TempDir,
        log: JobLog,
        gone: mpsc::Receiver<String>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut options = OpenOptions::new();
            let file = options.read(true).append(true).create(true);
            let file = file.open(folder.path().join("log")).unwrap();
            let (log, gone) = log_in(file);
            Self { folder, log, gone }
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("log")).unwrap()
        }
    }

    fn log_in(file: File) -> (JobLog, mpsc::Receiver<String>) {
        let (sender, gone) = mpsc::channel();
        let on_gone = move |error: &io::Error| sender.send(error.to_string()).unwrap();
        (JobLog::new(Arc::new(file), Box::new(on_gone)), gone)
    }

    fn tell(log: &mut JobLog, task: u32, what: What<'_>) {
        let at = Duration::from_millis(1);
        let task = TaskId::of(task);
        log.event(&Event { task, at, what });
    }

    fn flush(log: &mut JobLog) {
        let (sender, flushed) = mpsc::channel();
        let credit = Credit::new(1, move || sender.send(()).unwrap());
        log.flush(&credit.permit(1));
        flushed.recv().unwrap();
    }

    fn summary() -> Summary {
        Summary {
            missed: None,
            state: FinalState::Completed,
            reason: None,
            exit: None,
            error: None,
            reports: 0,
            malformed: 0,
            attempt: Some(Attempt {
                slot: 1,
                number: 1,
                retry_in: None,
                duration: Duration::from_millis(250),
                output_bytes: 3,
            }),
        }
    }

    fn start(log: &mut JobLog, task: u32, value: &OsString) {
        let input = std::slice::from_ref(value);
        let place = Place {
            slot: 1,
            attempt: 1,
            input: Some(input),
            named: false,
            nth: 1,
            extra: None,
            surroundings: Surroundings::default(),
        };
        let command = ["cat".into(), value.clone()];
        let started = What::Started {
            host: None,
            name: "x",
            command: &command,
            pid: Some(5),
            place: Some(place),
        };
        tell(log, task, started);
    }

    #[test]
    fn each_record_is_in_the_file_when_its_event_is_over_and_nothing_else_is() {
        let mut scene = Scene::new();
        let log = &mut scene.log;
        let head = RunHead {
            name: "x",
            jobs: 2,
            total: Total::default(),
            command: &["cat".into()],
        };
        let reason = event::Reason::Interrupt;
        let step = Step::Drain;
        let halted = Halted {
            why: HaltWhy::Fail,
            count: 1,
            when: HaltWhen::Soon,
        };
        let end = RunSummary {
            counts: Counts::default(),
            not_started: None,
            why: None,
            ending: Ending::Status(0),
        };
        tell(log, 0, What::Run(&head));
        tell(log, 0, What::Total(Total::default()));
        start(log, 1, &"a".into());
        tell(log, 0, What::Warning("w"));
        tell(log, 1, What::Shows(&summary()));
        tell(log, 1, What::Finished(&summary()));
        for reason in [SkipReason::Done, SkipReason::Dependency] {
            let skipped = What::Skipped {
                name: "y",
                reason,
                cause: None,
            };
            tell(log, 2, skipped);
        }
        tell(log, 0, What::Halted(halted));
        let left = None;
        tell(log, 0, What::Cancelling { reason, step, left });
        tell(log, 0, What::End(&end));
        let text = scene.text();
        let lines: Vec<&str> = text.lines().collect();
        let begins = [
            r#"{"event":"run","task":0,"#,
            r#"{"event":"started","task":1,"#,
            r#"{"event":"finished","task":1,"#,
            r#"{"event":"skipped","task":2,"elapsed":0.001000,"name":"y","reason":"dependency"}"#,
            r#"{"event":"end","task":0,"#,
        ];
        assert_eq!(lines.len(), begins.len(), "{text}");
        for (line, begin) in lines.iter().zip(begins) {
            assert!(line.starts_with(begin), "{line}");
        }
        assert!(
            lines[2].contains(r#"Z","duration":0.25,"state":"completed","#),
            "{text}"
        );
        flush(&mut scene.log);
        assert!(!scene.log.place.is_unsynced.load(Ordering::Acquire));
        drop(scene.log);
        assert!(scene.gone.recv().is_err());
    }

    #[test]
    fn a_log_that_cannot_be_written_is_told_of_once() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (mut log, gone) = log_in(full);
        start(&mut log, 1, &"a".into());
        assert_eq!(
            gone.recv().unwrap(),
            "No space left on device (os error 28)"
        );
        start(&mut log, 2, &"b".into());
        flush(&mut log);
        drop(log);
        assert!(gone.recv().is_err());
    }

    #[test]
    fn a_record_that_cannot_be_written_whole_is_taken_back() {
        let scene = Scene::new();
        let place = &scene.log.place;
        place.append(b"whole\n");
        let mut room = 4;
        let write = |bytes: &[u8]| {
            let written = bytes.len().min(room);
            room -= written;
            match (&*place.file).write(&bytes[..written]) {
                Ok(0) => Err(io::ErrorKind::StorageFull.into()),
                written => written,
            }
        };
        let error = append(b"not whole\n", write, |length| place.cut(length)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(scene.text(), "whole\n");
    }

    #[test]
    fn a_record_that_is_written_in_two_pieces_stays() {
        let scene = Scene::new();
        let place = &scene.log.place;
        let write = |bytes: &[u8]| (&*place.file).write(&bytes[..bytes.len().div_ceil(2)]);
        append(b"whole\n", write, |_| panic!("it is whole")).unwrap();
        assert_eq!(scene.text(), "whole\n");
    }

    #[test]
    fn a_command_with_odd_bytes_is_one_line_and_has_them_all() {
        use std::os::unix::ffi::OsStringExt;
        let mut scene = Scene::new();
        let value = OsString::from_vec(b"a\n\t\xff".to_vec());
        start(&mut scene.log, 1, &value);
        let text = scene.text();
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["input"][0], "a\n\t\u{fffd}");
        assert_eq!(line["input_base64"][0], "YQoJ/w==");
        assert_eq!(
            line["command_base64"],
            serde_json::json!(["Y2F0", "YQoJ/w=="])
        );
    }
}
