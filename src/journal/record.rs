//! What is remembered of a run, and the line that it is in the file. Its names are those of the events: see
//! progrun-history(1). Knows no file.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::eta::{Curve, Past};
use crate::event::{Ending, signal_name};
use crate::wire::{Reason, State};

use super::work::{Form, Key, KnownBy, NAME, Work, clipped};

/// The longest line, with its newline. A write of so much to the end of a file is never torn by another one's.
pub(super) const LONGEST: usize = 4096;
/// How much of the path of a folder is kept, in bytes.
const FOLDER: usize = 1000;

/// An ended run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// When it began, as in RFC 3339.
    pub(crate) time: String,
    /// What it is called.
    pub(crate) name: String,
    /// Whether the user called it so: then the name is what it is known by.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) named: bool,
    /// One command, or a list.
    #[serde(default, skip_serializing_if = "Form::is_run")]
    pub(crate) form: Form,
    /// The command, or the template of those of a list.
    pub(crate) command: Vec<String>,
    /// Whether some of that is left out for its length.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) cut: bool,
    /// Of the whole command and the folder: the same work has the same.
    pub(crate) hash: String,
    /// The folder it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<String>,
    /// How long it took, in seconds.
    pub(crate) duration: f64,
    /// How it ended.
    pub(crate) state: State,
    /// Its exit status, if it had one.
    pub(crate) exit_status: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<String>,
    /// What requested its stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    /// What it used.
    #[serde(flatten)]
    pub(crate) used: Amounts,
    /// How much was done at twenty points of its time; absent if it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<Vec<Option<f64>>>,
    /// The tasks of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tasks: Option<Tasks>,
}

/// What the processes of a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amounts {
    /// Processor time in user mode, in seconds.
    pub(crate) user_time: f64,
    /// Processor time in the kernel, in seconds.
    pub(crate) system_time: f64,
    /// The largest resident set of one of them, in bytes.
    pub(crate) max_rss: u64,
}

/// The tasks of a list that was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tasks {
    /// How many were run to their end.
    pub(crate) count: u64,
    /// How many ran at once, at most.
    pub(crate) slots: u32,
    /// How long they took together, in seconds, with all attempts.
    pub(crate) total_time: f64,
    /// How long one of them took on the average, in seconds.
    pub(crate) mean_time: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Record {
    /// Of a run of this work that began at this time and ended so; what else is known of it is to be entered.
    #[must_use]
    pub(crate) fn new(
        work: &Work,
        name: &str,
        began: SystemTime,
        (duration, state): (Duration, State),
    ) -> Self {
        let folder = work.folder();
        let directory = folder.as_deref().map(Path::to_string_lossy);
        let lossy = |word: &OsString| word.to_string_lossy().into_owned();
        Self {
            time: humantime::format_rfc3339_millis(began).to_string(),
            name: clipped(name, NAME).to_owned(),
            named: work.name().is_some(),
            form: work.form(),
            command: work.command().iter().map(lossy).collect(),
            cut: false,
            hash: work.hash(),
            directory: directory.map(|folder| clipped(&folder, FOLDER).to_owned()),
            duration: rounded(duration.as_secs_f64()),
            state,
            exit_status: None,
            signal: None,
            reason: None,
            used: Amounts::default(),
            curve: None,
            tasks: None,
        }
    }

    /// The same with this ending of its process; none: it had none, or has not ended.
    #[must_use]
    pub(crate) fn with_ending(mut self, ending: Option<Ending>) -> Self {
        match ending {
            None => {}
            Some(Ending::Status(status)) => self.exit_status = Some(status),
            Some(Ending::Signal(signal)) => self.signal = Some(signal_name(signal)),
        }
        self
    }

    /// The same with what its processes used.
    #[must_use]
    pub(crate) fn with_use(mut self, used: Amounts) -> Self {
        self.used = Amounts {
            user_time: rounded(used.user_time),
            system_time: rounded(used.system_time),
            max_rss: used.max_rss,
        };
        self
    }

    /// The same with this curve.
    #[must_use]
    pub(crate) fn with_curve(mut self, curve: Option<&Curve>) -> Self {
        self.curve = curve.map(|curve| curve.iter().map(|point| point.map(rounded)).collect());
        self
    }

    /// What it has in common with the other runs of its work.
    #[must_use]
    pub(crate) fn key(&self) -> Key<'_> {
        if self.named {
            Key::Name(self.form, &self.name)
        } else {
            Key::Hash(&self.hash)
        }
    }

    /// Whether it did this work.
    #[must_use]
    pub(super) fn is_of(&self, known_by: &KnownBy) -> bool {
        let name = self.named.then_some(&*self.name);
        known_by.is_it(self.form, name, &self.hash)
    }

    /// Whether it is called so. A long name is kept only in part.
    #[must_use]
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == clipped(name, NAME)
    }

    /// What it says to the estimate of a later run; nothing if it did not complete.
    #[must_use]
    pub(super) fn past(&self) -> Option<Past> {
        if self.state != State::Completed {
            return None;
        }
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        let curve = self.curve.as_deref();
        Some(Past {
            duration: seconds(self.duration).filter(|duration| !duration.is_zero())?,
            curve: curve.and_then(|curve| curve.try_into().ok()),
            task: self.tasks.and_then(|tasks| seconds(tasks.mean_time)),
        })
    }

    /// The line of the file, with its newline. A command that is too long for it is cut, and if that is not enough, the
    /// folder is left out: the path of one may take six bytes for each of its own.
    #[must_use]
    pub(super) fn to_line(&self) -> String {
        let mut line = self.encoded();
        let mut limit = LONGEST;
        let mut short = self.clone();
        while line.len() > LONGEST && limit > 0 {
            // A character may take six in the line.
            limit = if limit > 64 { limit / 2 } else { 0 };
            short.cut = true;
            short.command = cut(&self.command, limit);
            line = short.encoded();
        }
        if line.len() > LONGEST {
            short.directory = None;
            line = short.encoded();
        }
        line
    }

    fn encoded(&self) -> String {
        // Nothing in it can fail: it has neither maps with other keys than texts nor writers.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads a line; none if it is damaged.
    #[must_use]
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(line).ok()?;
        let is_sound = record.duration.is_finite() && record.duration >= 0.0;
        is_sound.then_some(record)
    }
}

/// In milliseconds: more digits say nothing, and take room.
#[must_use]
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The first words, so many bytes together; the last of them may be cut.
fn cut(words: &[String], at_most: usize) -> Vec<String> {
    let mut room = at_most;
    let mut kept = Vec::new();
    for word in words {
        if room == 0 {
            break;
        }
        let word = clipped(word, room);
        room = room.saturating_sub(word.len() + 1);
        kept.push(word.to_owned());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(words: &[&str]) -> Record {
        let words = words.iter().map(OsString::from).collect();
        let work = Work::new(Form::Run, words, None).in_folder(Path::new("/srv"));
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let ended = (Duration::from_millis(190_123), State::Completed);
        let mut record = Record::new(&work, "backup.sh", began, ended);
        record.exit_status = Some(0);
        record
    }

    #[test]
    fn a_line_has_the_names_of_the_events() {
        let record = record(&["./backup.sh", "--all"]);
        let line = record.to_line();
        assert_eq!(
            line,
            "{\"time\":\"2023-11-14T22:13:20.000Z\",\"name\":\"backup.sh\",\"command\":[\"./backup.sh\",\"--all\"],\
             \"hash\":\"b55d68b21ce78745\",\"directory\":\"/srv\",\"duration\":190.123,\"state\":\"completed\",\
             \"exit_status\":0,\"signal\":null,\"user_time\":0.0,\"system_time\":0.0,\"max_rss\":0}\n"
        );
        assert_eq!(Record::of_line(line.trim_end().as_bytes()), Some(record));
    }

    #[test]
    fn no_line_is_longer_than_one_write_and_what_is_cut_is_marked() {
        let long = "x".repeat(100_000);
        let control = "\x01".repeat(5_000);
        let many = vec!["word"; 5_000];
        for words in [&[&long[..]][..], &["a", &control], &many] {
            let record = record(words);
            let line = record.to_line();
            assert!(line.len() <= LONGEST, "{}", line.len());
            let read = Record::of_line(line.trim_end().as_bytes()).unwrap();
            assert!(read.cut && !read.command.is_empty());
            assert_eq!(read.hash, record.hash);
        }
        assert!(!record(&["short"]).to_line().contains("cut"));
    }

    #[test]
    fn no_line_is_longer_for_a_folder_and_a_name_of_control_characters() {
        let strange = "\x01".repeat(5_000);
        let words = [OsString::from("a")].to_vec();
        let work = Work::new(Form::Run, words, None).in_folder(Path::new(&strange));
        let ended = (Duration::from_secs(1), State::Completed);
        let record = Record::new(&work, &strange, SystemTime::UNIX_EPOCH, ended);
        let line = record.to_line();
        assert!(line.len() <= LONGEST, "{}", line.len());
        let read = Record::of_line(line.trim_end().as_bytes()).unwrap();
        assert_eq!((read.hash, read.directory), (record.hash, None));
    }

    #[test]
    fn a_damaged_line_is_none() {
        let line = record(&["a"]).to_line();
        for damaged in [
            &line[..40],
            "{}",
            "[1]",
            "",
            &line.replace("190.123", "-1.0"),
        ] {
            assert_eq!(
                Record::of_line(damaged.trim_end().as_bytes()),
                None,
                "{damaged}"
            );
        }
        // A later version may know more.
        let more = line.replace("{\"time\"", "{\"new\":[1],\"time\"");
        assert!(Record::of_line(more.trim_end().as_bytes()).is_some());
    }

    #[test]
    fn only_a_completed_run_says_something_to_later_ones() {
        let mut record = record(&["a"]);
        record = record.with_curve(Some(&[Some(0.5); 20]));
        let past = record.past().unwrap();
        assert_eq!(past.duration, Duration::from_millis(190_123));
        assert_eq!(past.curve, Some([Some(0.5); 20]));
        record.state = State::Failed;
        assert_eq!(record.past(), None);
    }
}
