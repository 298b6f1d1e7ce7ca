//! What earlier runs have done of a list, and what of it runs now: the table of `--resume`.
//!
//! Keeps for each task of the log and of the list only its identity, how it ended last, and how many of its equals the
//! list has had so far. Does not know where this comes from.

use crate::event::FinalState;
use crate::list::Specification;

use super::Resume;
use super::identity::{Equals, Identities, Key};
use super::table::Table;

/// How many tasks are named in a sentence.
const NAMED: usize = 20;

/// How much of a name is shown: a value may have 100,000 characters.
const NAME: usize = 100;

/// What earlier runs have done.
#[derive(Debug)]
pub(crate) struct Past {
    resume: Option<Resume>,
    pub(super) identities: Identities,
    /// What is known of each task: see [`Known`].
    table: Table,
    /// How many tasks have started in an earlier run, and how many of these are in the list.
    started: u64,
    met: u64,
    /// The first of the tasks that run again though they may have been half done, and how many there are.
    half_done: Vec<String>,
    half_done_count: u64,
}

/// What becomes of a task of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It runs: no earlier run has started it.
    Run,
    /// It runs once more.
    RunAgain {
        /// An earlier run did not see its end.
        half_done: bool,
    },
    /// It has completed, and does not run.
    Done,
    /// It does not run, and is not done: so it ended before. None: it has not been started, or has no end.
    Leave(Option<FinalState>),
}

/// The last word of the log on a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It has started, and nothing says that it has ended.
    Begun = 1,
    Completed,
    Failed,
    Cancelled,
    /// An attempt has failed, and the next one has not started.
    Between,
    /// A task that it needs did not complete.
    Skipped,
}

/// What the table has on a task: in the low bits the last word, above it whether it was started, above that how many of
/// its equals the list has had so far. The latter is kept for the first of them only.
struct Known<'a>(&'a mut u32);

const WORD: u32 = 0b111;
const STARTED: u32 = 0b1000;
const ONE: u32 = 0b1_0000;

impl Known<'_> {
    fn set(&mut self, word: Word) {
        *self.0 = *self.0 & !WORD | word as u32;
    }

    /// Notes that it was started; false if that was known.
    fn start(&mut self) -> bool {
        let is_new = *self.0 & STARTED == 0;
        *self.0 |= STARTED;
        is_new
    }

    /// Counts one more of the equals.
    fn count(&mut self) -> u32 {
        *self.0 = self.0.checked_add(ONE).unwrap_or(*self.0);
        *self.0 / ONE
    }
}

fn word(known: u32) -> Option<Word> {
    Some(match known & WORD {
        1 => Word::Begun,
        2 => Word::Completed,
        3 => Word::Failed,
        4 => Word::Cancelled,
        5 => Word::Between,
        6 => Word::Skipped,
        _ => return None,
    })
}

impl Past {
    /// The past of a list of which nothing is known.
    pub(super) fn new(resume: Option<Resume>) -> Self {
        Self {
            resume,
            identities: Identities::default(),
            table: Table::default(),
            started: 0,
            met: 0,
            half_done: Vec::new(),
            half_done_count: 0,
        }
    }

    /// Takes in a word of the log on a task.
    pub(super) fn note(&mut self, key: Key, word: Word) {
        let mut known = Known(self.table.entry(key));
        known.set(word);
        if word != Word::Skipped && known.start() {
            self.started += 1;
        }
    }

    /// Says what becomes of a task, and tells it which one it is among its equals. To be called once for each task, in
    /// the order of the list.
    pub(crate) fn decide(&mut self, task: &mut Specification) -> Decision {
        let equals = self.identities.of_task(task);
        task.nth = Known(self.table.entry(equals.nth(1))).count();
        let known = self.table.get(equals.nth(task.nth)).unwrap_or_default();
        if known & STARTED != 0 {
            self.met += 1;
        }
        let word = word(known).or_else(|| self.skipped(task));
        let decision = self
            .resume
            .map_or(Decision::Run, |resume| decide(resume, word));
        if decision == (Decision::RunAgain { half_done: true }) {
            self.half_done_count += 1;
            if self.half_done.len() < NAMED {
                let name = task.name.chars().take(NAME);
                self.half_done.push(name.collect());
            }
        }
        decision
    }

    /// The word on a task without a name of its own that has not started yet: the log knows it by a made name.
    fn skipped(&self, task: &Specification) -> Option<Word> {
        let is_command = task.values.is_none() && !task.named;
        let key = is_command.then(|| Equals::nth(&self.identities.of_name(&task.name), 1))?;
        word(self.table.get(key)?).filter(|word| *word == Word::Skipped)
    }

    /// How many tasks of the log the list has not had so far.
    pub(crate) fn left(&self) -> u64 {
        self.started - self.met
    }

    /// The sentence about tasks of the log that are not in the list, if there are any. The list has to be at its end.
    pub(crate) fn left_sentence(&self) -> Option<String> {
        match self.left() {
            0 => None,
            1 => Some("1 task of the job log is not in the list".to_owned()),
            left => Some(format!("{left} tasks of the job log are not in the list")),
        }
    }

    /// The sentence about tasks that run again, as far as the list was read, though an earlier run may have left half
    /// of their work.
    pub(crate) fn half_done_sentence(&self) -> Option<String> {
        let names = self.half_done.join(", ");
        let further = self.half_done_count - u64::try_from(self.half_done.len()).ok()?;
        match (self.half_done_count, further) {
            (0, _) => None,
            (1, _) => Some(format!(
                "{names} runs again: an earlier run broke off in it and may have left half of its work"
            )),
            (count, 0) => Some(format!(
                "{count} tasks run again: an earlier run broke off in them and may have left half of their work: {names}"
            )),
            (count, further) => Some(format!(
                "{count} tasks run again: an earlier run broke off in them and may have left half of their work: \
                 {names} and {further} more"
            )),
        }
    }
}

fn decide(resume: Resume, word: Option<Word>) -> Decision {
    let again = Decision::RunAgain { half_done: false };
    match (word, resume) {
        (Some(Word::Completed), _) => Decision::Done,
        (Some(Word::Failed), Resume::New) => Decision::Leave(Some(FinalState::Failed)),
        (Some(Word::Cancelled), Resume::Failed) => Decision::Leave(Some(FinalState::Cancelled)),
        // Between two attempts: they are not used up, but one has failed.
        (Some(Word::Failed | Word::Between | Word::Cancelled), _) => again,
        (Some(Word::Begun) | None, Resume::Failed) => Decision::Leave(None),
        (Some(Word::Begun), _) => Decision::RunAgain { half_done: true },
        // A task that it needs was decided before: if that one does not complete, this one is skipped again.
        (Some(Word::Skipped), _) | (None, Resume::All | Resume::New) => Decision::Run,
    }
}
