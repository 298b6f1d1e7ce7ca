//! Which task begins next, and what the end of a task means for the others: order, slots, dependencies, further
//! attempts, `--halt`. Pure: it knows no process, and reads neither the list nor a clock.
//!
//! A task waits here until it can begin. Of a list without dependencies only the next one is here: a long list needs no
//! more memory than a short one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::event::{
    Counts, Ending, FinalState, HaltWhen, HaltWhy, Halted, Obstacle, SkipReason, TaskId, Waiting,
};
use crate::list::Specification;

use super::random::jitter;
use super::slots::{Slots, Taken};

/// How often a task begins again whose machine was not reached.
const MOVES: u32 = 10;
/// When it does.
const UNREACHED: Duration = Duration::from_millis(500);

/// What the user wishes about the order and the ends of the tasks.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The shortest time between two starts.
    pub(crate) delay: Duration,
    /// How many further attempts a failed task has.
    pub(crate) retries: u32,
    /// The delay before a further attempt: it doubles from the first of these times to the second.
    pub(crate) retry_delay: (Duration, Duration),
    /// Which failures allow a further attempt; none: all.
    pub(crate) retry_on: Option<RetryOn>,
    /// After which ends no task begins any more.
    pub(crate) halt: Option<Halt>,
}

impl Rules {
    /// Those of a run without wishes.
    pub(crate) const USUAL: Self = Self {
        delay: Duration::ZERO,
        retries: 0,
        retry_delay: (Duration::ZERO, Duration::ZERO),
        retry_on: None,
        halt: None,
    };
}

/// Which failures allow a further attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryOn {
    /// These exit statuses.
    pub(crate) statuses: Vec<i32>,
    /// The time limit.
    pub(crate) timeout: bool,
    /// Death by a signal.
    pub(crate) signal: bool,
    /// The loss of the task on another machine.
    pub(crate) lost: bool,
}

/// `--halt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halt {
    /// What becomes of the running tasks.
    pub(crate) when: HaltWhen,
    /// Which ends are counted.
    pub(crate) why: HaltWhy,
    /// How many of them it takes.
    pub(crate) count: u64,
}

/// How an attempt ended, as far as it matters to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    /// The child ended so.
    Failed(Ending),
    TimedOut,
    /// There was no child.
    NotStarted,
    Cancelled,
    /// It is lost on another machine, and certainly over after this time; none: that cannot be said. `is_silent`: the
    /// machine has said nothing for so long.
    Lost {
        over_in: Option<Duration>,
        is_silent: bool,
    },
    /// Its machine was not reached, so it has not run.
    Unreached,
}

/// Why no task begins any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// `--halt`.
    Halted(Halted),
    /// A stop of the run was requested.
    Cancelled,
    /// The list is broken, or output cannot be written.
    Broken,
    /// No machine is left.
    Lost,
}

/// How much may begin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Any task.
    Open,
    /// Nothing, but for a first task where none runs.
    One(Obstacle),
    /// Nothing.
    Shut,
}

/// A task that begins.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) id: TaskId,
    pub(super) specification: Specification,
    /// The first of its slots, from 1.
    pub(super) slot: u32,
    /// The number of its attempt, from 1.
    pub(super) attempt: u32,
    /// The machine, counted from 0.
    pub(super) machine: usize,
}

/// A task that does not run.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) id: TaskId,
    pub(super) specification: Specification,
    pub(super) reason: SkipReason,
    pub(super) cause: Option<String>,
}

/// What follows from the end of an attempt.
#[derive(Debug, Default)]
pub(super) struct After {
    /// When the next attempt follows.
    pub(super) retry_in: Option<Duration>,
    /// The tasks that do not run because of it.
    pub(super) skipped: Vec<Skipped>,
    /// `--halt` holds from now on.
    pub(super) halted: Option<Halted>,
    /// The machine that gets no more tasks.
    pub(super) lost: Option<usize>,
    /// The task begins again on another machine, and this was no attempt.
    pub(super) moves: bool,
}

/// A task that has not begun, or whose next attempt has not.
#[derive(Debug)]
struct Pending {
    specification: Specification,
    attempt: u32,
}

/// The place of a task in the order: by priority, then by number.
type Key = (Reverse<i64>, TaskId);

/// What is known of a task that others may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    NotOver,
    Completed,
    NotCompleted,
}

/// The tasks that have not begun, and the slots.
#[derive(Debug)]
pub(super) struct Schedule {
    rules: Rules,
    /// Those that can begin.
    ready: BTreeMap<Key, Pending>,
    /// Those that need others.
    blocked: BTreeMap<TaskId, Pending>,
    /// Those whose next attempt is later, by its time.
    later: BTreeMap<(Duration, TaskId), Pending>,
    /// The tasks that have a name which others may use; only where any task needs another.
    known: HashMap<String, Known>,
    /// Which tasks need the one of this name.
    needed: HashMap<String, Vec<TaskId>>,
    /// The tasks that run.
    running: BTreeMap<TaskId, Running>,
    /// How often the machines of these tasks were not reached.
    misses: BTreeMap<TaskId, u32>,
    slots: Slots,
    next: TaskId,
    /// No further task of the list comes.
    is_complete: bool,
    closed: Option<Closed>,
    /// Before this time nothing begins.
    begins_at: Duration,
    counts: Counts,
    /// How many tasks have begun, whatever became of them.
    begun: u64,
    /// How many tasks an earlier run has done, or has left failed.
    passed: u64,
    /// How many tasks have not ended, and are left alone.
    left_alone: u64,
}

#[derive(Debug)]
struct Running {
    taken: Taken,
    attempt: u32,
}

impl Schedule {
    /// An empty one, with these slots.
    pub(super) fn new(rules: Rules, slots: Slots) -> Self {
        Self {
            rules,
            ready: BTreeMap::new(),
            blocked: BTreeMap::new(),
            later: BTreeMap::new(),
            known: HashMap::new(),
            needed: HashMap::new(),
            running: BTreeMap::new(),
            misses: BTreeMap::new(),
            slots,
            next: TaskId::FIRST,
            is_complete: false,
            closed: None,
            begins_at: Duration::ZERO,
            counts: Counts::default(),
            begun: 0,
            passed: 0,
            left_alone: 0,
        }
    }

    /// How many tasks wait here, apart from those whose next attempt is later.
    pub(super) fn waiting(&self) -> usize {
        self.ready.len() + self.blocked.len()
    }

    /// Whether a task of the list could begin now, if there were one.
    pub(super) fn has_room(&self) -> bool {
        self.closed.is_none() && self.slots.has_room()
    }

    /// Whether a task waits that could begin, but for a limit of the machine.
    pub(super) fn could_begin(&self, now: Duration) -> bool {
        let is_due = |((at, _), _): (&(Duration, TaskId), &Pending)| *at <= now;
        let later = self.later.first_key_value().is_some_and(is_due);
        self.has_room() && (later || !self.ready.is_empty())
    }

    /// Takes in the next task of the list. It may be skipped at once.
    pub(super) fn add(&mut self, specification: Specification) -> Vec<Skipped> {
        let id = self.next;
        self.next = id.next();
        if self.closed.is_some() {
            return Vec::new();
        }
        self.note_name(&specification, Known::NotOver);
        for name in specification.after.iter().chain(&specification.after_any) {
            self.needed.entry(name.clone()).or_default().push(id);
        }
        self.blocked.insert(
            id,
            Pending {
                specification,
                attempt: 1,
            },
        );
        self.release([id])
    }

    /// The next task of the list ended so in an earlier run, and does not run; none: it has not ended, and is left
    /// alone all the same.
    pub(super) fn pass(
        &mut self,
        specification: &Specification,
        ended: Option<FinalState>,
    ) -> TaskId {
        let id = self.next;
        self.next = id.next();
        let known = match ended {
            Some(FinalState::Completed) => {
                self.passed += 1;
                self.counts.completed += 1;
                self.counts.done += 1;
                Known::Completed
            }
            Some(FinalState::Failed | FinalState::Lost) => {
                self.passed += 1;
                self.counts.failed += 1;
                Known::NotCompleted
            }
            Some(FinalState::Cancelled) | None => {
                self.left_alone += 1;
                Known::NotCompleted
            }
        };
        self.note_name(specification, known);
        id
    }

    /// A list without values is one of tasks that may name each other.
    fn note_name(&mut self, specification: &Specification, known: Known) {
        if specification.values.is_none() {
            self.known.insert(specification.name.clone(), known);
        }
    }

    /// No further task of the list comes.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Moves these tasks, and those that need them, on: to those that can begin, or out.
    fn release(&mut self, ids: impl IntoIterator<Item = TaskId>) -> Vec<Skipped> {
        let mut skipped = Vec::new();
        let mut ids: Vec<_> = ids.into_iter().collect();
        while let Some(id) = ids.pop() {
            let Some(pending) = self.blocked.get(&id) else {
                continue;
            };
            match self.obstacle(&pending.specification) {
                Some(Dependency::On(_)) => {}
                Some(Dependency::Lost(cause)) => {
                    let Some(pending) = self.blocked.remove(&id) else {
                        continue;
                    };
                    self.counts.skipped += 1;
                    self.note_name(&pending.specification, Known::NotCompleted);
                    ids.extend(self.needed_by(&pending.specification));
                    skipped.push(Skipped {
                        id,
                        specification: pending.specification,
                        reason: SkipReason::Dependency,
                        cause: Some(cause),
                    });
                }
                None => {
                    if let Some(pending) = self.blocked.remove(&id) {
                        let key = (Reverse(pending.specification.priority), id);
                        self.ready.insert(key, pending);
                    }
                }
            }
        }
        skipped
    }

    /// The tasks that need this one, which is over.
    fn needed_by(&mut self, task: &Specification) -> Vec<TaskId> {
        self.needed.remove(&task.name).unwrap_or_default()
    }

    fn obstacle(&self, specification: &Specification) -> Option<Dependency> {
        let known = |name: &String| self.known.get(name).copied();
        let mut on = None;
        for name in &specification.after {
            match known(name) {
                Some(Known::Completed) => {}
                // A task that is on the list only later is not over.
                Some(Known::NotOver) | None => on = on.or(Some(name)),
                Some(Known::NotCompleted) => return Some(Dependency::Lost(name.clone())),
            }
        }
        for name in &specification.after_any {
            if matches!(known(name), Some(Known::NotOver) | None) {
                on = on.or(Some(name));
            }
        }
        on.map(|name| Dependency::On(name.clone()))
    }

    /// The next task that begins now, if one can.
    pub(super) fn begin(&mut self, now: Duration, gate: &Gate) -> Option<Begin> {
        self.wake_later(now);
        let may = match gate {
            Gate::Open => true,
            Gate::One(_) => self.running.is_empty(),
            Gate::Shut => false,
        };
        if !may || self.closed.is_some() || now < self.begins_at {
            return None;
        }
        let first = self.ready.first_key_value()?;
        let (key, wish) = (*first.0, first.1.specification.slots);
        let taken = self.slots.take(wish)?;
        let pending = self.ready.remove(&key)?;
        let (_, id) = key;
        self.begins_at = now + self.rules.delay;
        self.begun += u64::from(pending.attempt == 1);
        let slot = taken.slots.first().copied().unwrap_or(1);
        let machine = taken.machine;
        let attempt = pending.attempt;
        self.running.insert(id, Running { taken, attempt });
        Some(Begin {
            id,
            machine,
            specification: pending.specification,
            slot,
            attempt,
        })
    }

    /// The task could not begin, because the system refused what it needs: it is put back.
    pub(super) fn put_back(&mut self, begin: Begin) {
        if let Some(running) = self.running.remove(&begin.id) {
            self.slots.give_back(&running.taken);
        }
        self.begun -= u64::from(begin.attempt == 1);
        let key = (Reverse(begin.specification.priority), begin.id);
        self.ready.insert(
            key,
            Pending {
                specification: begin.specification,
                attempt: begin.attempt,
            },
        );
    }

    fn wake_later(&mut self, now: Duration) {
        while let Some(first) = self.later.first_entry() {
            let (at, id) = *first.key();
            if at > now {
                break;
            }
            let pending = first.remove();
            let key = (Reverse(pending.specification.priority), id);
            self.ready.insert(key, pending);
        }
    }

    /// When a task may begin although nothing happens before.
    pub(super) fn due(&self) -> Option<Duration> {
        if self.closed.is_some() {
            return None;
        }
        let later = self.later.first_key_value().map(|((at, _), _)| *at);
        let delayed = !self.ready.is_empty() && self.has_room();
        let delayed = delayed.then_some(self.begins_at);
        [later, delayed].into_iter().flatten().min()
    }

    /// An attempt of this task is over.
    pub(super) fn ended(
        &mut self,
        id: TaskId,
        specification: Specification,
        outcome: Outcome,
        now: Duration,
    ) -> After {
        let Some(running) = self.running.remove(&id) else {
            return After::default();
        };
        self.slots.give_back(&running.taken);
        let attempt = running.attempt;
        let lost = self.note_loss(running.taken.machine, outcome);
        if outcome == Outcome::Unreached && self.moves(id) {
            // Nothing has run, so this was no attempt.
            self.begun -= u64::from(attempt == 1);
            let pending = Pending {
                specification,
                attempt,
            };
            self.later.insert((now + UNREACHED, id), pending);
            return After {
                moves: true,
                lost,
                ..After::default()
            };
        }
        self.misses.remove(&id);
        if self.is_tried_again(&specification, outcome, attempt) {
            let (least, most) = specification.retry_delay.unwrap_or(self.rules.retry_delay);
            let delay = backed_off(least, most, attempt);
            let delay = match outcome {
                // It may run until then.
                Outcome::Lost {
                    over_in: Some(over_in),
                    ..
                } => delay.max(over_in),
                _ => delay,
            };
            let pending = Pending {
                specification,
                attempt: attempt + 1,
            };
            self.later.insert((now + delay, id), pending);
            return After {
                retry_in: Some(delay),
                lost,
                ..After::default()
            };
        }
        let known = match outcome {
            Outcome::Completed => {
                self.counts.completed += 1;
                self.counts.flaky += u64::from(attempt > 1);
                Known::Completed
            }
            Outcome::Cancelled => {
                self.counts.cancelled += 1;
                Known::NotCompleted
            }
            Outcome::Failed(_) | Outcome::TimedOut | Outcome::NotStarted => {
                self.counts.failed += 1;
                Known::NotCompleted
            }
            Outcome::Lost { .. } | Outcome::Unreached => {
                self.counts.lost += 1;
                Known::NotCompleted
            }
        };
        self.note_name(&specification, known);
        let needed_by = self.needed_by(&specification);
        After {
            skipped: self.release(needed_by),
            halted: self.halt(),
            lost,
            ..After::default()
        }
    }

    /// Whether a task that was not reached begins again, on another machine or the same.
    fn moves(&mut self, id: TaskId) -> bool {
        let misses = self.misses.entry(id).or_default();
        *misses += 1;
        *misses < MOVES && self.closed.is_none() && self.slots.has_machine()
    }

    /// Gives the machine that gets no more tasks because of this end.
    fn note_loss(&mut self, machine: usize, outcome: Outcome) -> Option<usize> {
        let is_lost = match outcome {
            Outcome::Unreached => self.slots.missed(machine),
            Outcome::Lost {
                is_silent: true, ..
            } => self.slots.lose(machine),
            _ => false,
        };
        is_lost.then_some(machine)
    }

    /// The task is on its machine, which has so many processors.
    pub(super) fn reached(&mut self, id: TaskId, processors: u32) {
        if let Some(running) = self.running.get_mut(&id) {
            self.slots.reached(&mut running.taken, processors);
        }
    }

    /// Whether there is a machine left on which tasks can run.
    pub(super) fn has_machine(&self) -> bool {
        self.slots.has_machine()
    }

    fn is_tried_again(&self, task: &Specification, outcome: Outcome, attempt: u32) -> bool {
        let allowed = match (&self.rules.retry_on, outcome) {
            (
                _,
                Outcome::Completed
                | Outcome::Cancelled
                | Outcome::NotStarted
                | Outcome::Unreached
                | Outcome::Lost { over_in: None, .. },
            ) => false,
            (None, _) => true,
            (Some(on), Outcome::Lost { .. }) => on.lost,
            (Some(on), Outcome::TimedOut) => on.timeout,
            (Some(on), Outcome::Failed(Ending::Status(status))) => on.statuses.contains(&status),
            (Some(on), Outcome::Failed(Ending::Signal(_))) => on.signal,
        };
        allowed && self.closed.is_none() && attempt <= task.retries.unwrap_or(self.rules.retries)
    }

    /// Whether `--halt` holds from now on.
    fn halt(&mut self) -> Option<Halted> {
        let halt = self.rules.halt.filter(|_| self.closed.is_none())?;
        let counts = &self.counts;
        let count = match halt.why {
            HaltWhy::Fail => counts.failed + counts.lost,
            HaltWhy::Success => counts.completed - counts.done,
            HaltWhy::Done => counts.failed + counts.lost + counts.completed - counts.done,
        };
        (count >= halt.count).then(|| {
            let halted = Halted {
                why: halt.why,
                count,
                when: halt.when,
            };
            self.closed = Some(Closed::Halted(halted));
            halted
        })
    }

    /// No task begins any more. Gives the tasks that waited for a further attempt: they have failed for good.
    pub(super) fn close(&mut self, why: Closed) -> Vec<(TaskId, Specification)> {
        self.closed.get_or_insert(why);
        self.ready.retain(|_, pending| pending.attempt > 1);
        self.blocked.clear();
        let ready = std::mem::take(&mut self.ready).into_iter();
        let ready = ready.map(|((_, id), pending)| (id, pending.specification));
        let later = std::mem::take(&mut self.later).into_iter();
        // One whose machine was not reached has not begun.
        let later = later.filter(|(_, pending)| pending.attempt > 1);
        let later = later.map(|((_, id), pending)| (id, pending.specification));
        let failed: Vec<_> = ready.chain(later).collect();
        self.counts.failed += failed.len() as u64;
        failed
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// Whether no task waits and none of the list comes.
    pub(super) fn is_empty(&self) -> bool {
        let is_waiting = self.waiting() > 0 || !self.later.is_empty();
        !is_waiting && (self.is_complete || self.closed.is_some())
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many tasks have begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// How many tasks an earlier run has done, or has left failed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether tasks that have not ended are left alone.
    pub(super) fn leaves_some(&self) -> bool {
        self.left_alone > 0
    }

    /// Whether no further task of the list comes.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete || self.closed.is_some()
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> u32 {
        self.slots.count()
    }

    pub(super) fn set_slots(&mut self, count: u32) {
        self.slots.set_count(count);
    }

    /// What the next tasks wait for, first come first, at most this many.
    pub(super) fn obstacles(&self, gate: &Gate, now: Duration, at_most: usize) -> Vec<Waiting> {
        if self.closed.is_some() {
            return Vec::new();
        }
        let waiting = |pending: &Pending, obstacle| Waiting {
            name: pending.specification.name.clone(),
            obstacle,
        };
        let by_gate = match gate {
            Gate::One(obstacle) => Some(obstacle),
            Gate::Open | Gate::Shut => None,
        };
        let has_room = self.has_room();
        let ready = self.ready.values().take(1).filter_map(|pending| {
            let obstacle = match by_gate {
                Some(obstacle) => obstacle.clone(),
                None if has_room && pending.specification.slots > 1 => Obstacle::Slots,
                None => return None,
            };
            Some(waiting(pending, obstacle))
        });
        let later = self.later.iter().filter(|((at, _), _)| *at > now);
        let later = later.map(|((at, _), pending)| waiting(pending, Obstacle::Retry(*at)));
        let blocked = self.blocked.values().filter_map(|pending| {
            match self.obstacle(&pending.specification)? {
                Dependency::On(name) => Some(waiting(pending, Obstacle::Task(name))),
                Dependency::Lost(_) => None,
            }
        });
        ready.chain(later).chain(blocked).take(at_most).collect()
    }
}

/// A task that another one needs.
enum Dependency {
    /// It is not over.
    On(String),
    /// It did not complete.
    Lost(String),
}

/// The delay before the attempt after this one: it doubles, and differs a little from that of other tasks.
fn backed_off(least: Duration, most: Duration, attempt: u32) -> Duration {
    if least == most {
        return least;
    }
    let doubled = least.saturating_mul(2_u32.saturating_pow(attempt - 1));
    doubled.min(most).mul_f64(1.0 + 0.1 * jitter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::slots::Machine;

    fn task(name: &str) -> Specification {
        Specification::of_command(name.to_owned(), vec![name.into()])
    }

    fn after(name: &str, others: &[&str]) -> Specification {
        Specification {
            after: others.iter().map(ToString::to_string).collect(),
            ..task(name)
        }
    }

    fn schedule(rules: Rules, slots: u32, tasks: Vec<Specification>) -> Schedule {
        let mut schedule = Schedule::new(rules, Slots::new(&[Machine::ours(slots)], slots));
        for task in tasks {
            schedule.add(task);
        }
        schedule.complete();
        schedule
    }

    /// The tasks that begin now.
    fn begin(schedule: &mut Schedule, now: Duration) -> Vec<(String, u32, u32)> {
        std::iter::from_fn(|| schedule.begin(now, &Gate::Open))
            .map(|begin| (begin.specification.name, begin.slot, begin.attempt))
            .collect()
    }

    fn names(schedule: &mut Schedule) -> Vec<String> {
        let begun = begin(schedule, Duration::ZERO).into_iter();
        begun.map(|(name, ..)| name).collect()
    }

    fn end(schedule: &mut Schedule, number: u32, name: &str, outcome: Outcome) -> After {
        let id = TaskId::of(number).unwrap();
        schedule.ended(id, task(name), outcome, Duration::ZERO)
    }

    const FAILED: Outcome = Outcome::Failed(Ending::Status(1));

    #[test]
    fn tasks_begin_in_their_order_when_a_slot_is_free_and_none_begins_after_a_request_to_stop() {
        let list = ["a", "b", "c", "d"].map(task).to_vec();
        let mut schedule = schedule(Rules::USUAL, 2, list);
        let now = Duration::ZERO;
        let begun = |name: &str, slot| (name.to_owned(), slot, 1);
        assert_eq!(begin(&mut schedule, now), [begun("a", 1), begun("b", 2)]);
        end(&mut schedule, 1, "a", Outcome::Completed);
        assert_eq!(begin(&mut schedule, now), [begun("c", 1)]);
        assert!(schedule.close(Closed::Cancelled).is_empty());
        end(&mut schedule, 2, "b", Outcome::Completed);
        assert_eq!(begin(&mut schedule, now), []);
        assert!(schedule.is_empty());
        assert_eq!(schedule.begun(), 3);
    }

    #[test]
    fn a_task_of_higher_priority_begins_first_and_one_of_several_slots_is_not_overtaken() {
        let urgent = Specification {
            priority: 5,
            ..task("urgent")
        };
        let wide = Specification {
            slots: 2,
            ..task("wide")
        };
        let list = vec![task("a"), wide, task("b"), urgent];
        let mut schedule = schedule(Rules::USUAL, 2, list);
        assert_eq!(names(&mut schedule), ["urgent", "a"]);
        end(&mut schedule, 4, "urgent", Outcome::Completed);
        assert_eq!(names(&mut schedule), [""; 0]);
        end(&mut schedule, 1, "a", Outcome::Completed);
        assert_eq!(names(&mut schedule), ["wide"]);
        end(&mut schedule, 2, "wide", Outcome::Completed);
        assert_eq!(names(&mut schedule), ["b"]);
    }

    #[test]
    fn a_task_begins_when_those_that_it_needs_have_completed_and_is_skipped_when_one_has_not() {
        let any = Specification {
            after_any: vec!["b".to_owned()],
            ..task("cleanup")
        };
        let list = vec![
            task("a"),
            after("b", &["a"]),
            after("c", &["a"]),
            after("d", &["b", "c"]),
            after("e", &["d"]),
            any,
        ];
        let mut schedule = schedule(Rules::USUAL, 9, list);
        assert_eq!(names(&mut schedule), ["a"]);
        end(&mut schedule, 1, "a", Outcome::Completed);
        assert_eq!(names(&mut schedule), ["b", "c"]);
        let skipped = end(&mut schedule, 2, "b", FAILED).skipped;
        let skipped: Vec<_> = skipped
            .iter()
            .map(|it| (it.specification.name.as_str(), it.cause.as_deref()))
            .collect();
        assert_eq!(skipped, [("d", Some("b")), ("e", Some("d"))]);
        assert_eq!(names(&mut schedule), ["cleanup"]);
        assert_eq!(schedule.counts().skipped, 2);
    }

    #[test]
    fn a_failed_task_is_tried_again_as_often_as_is_allowed_and_holds_no_slot_meanwhile() {
        let second = Duration::from_secs(1);
        let rules = Rules {
            retries: 2,
            retry_delay: (second, second),
            ..Rules::USUAL
        };
        let mut schedule = schedule(rules, 1, vec![task("a"), task("b")]);
        assert_eq!(names(&mut schedule), ["a"]);
        assert_eq!(end(&mut schedule, 1, "a", FAILED).retry_in, Some(second));
        assert_eq!(names(&mut schedule), ["b"]);
        assert_eq!(schedule.due(), Some(second));
        end(&mut schedule, 2, "b", Outcome::Completed);
        assert!(!schedule.is_empty());
        for attempt in [2, 3] {
            let begun = begin(&mut schedule, second);
            assert_eq!(begun, [("a".to_owned(), 1, attempt)]);
            let after = end(&mut schedule, 1, "a", FAILED);
            assert_eq!(after.retry_in.is_some(), attempt == 2);
        }
        assert!(schedule.is_empty());
        assert_eq!(schedule.counts().failed, 1);
    }

    #[test]
    fn what_cannot_start_or_was_cancelled_or_has_another_status_is_not_tried_again() {
        let rules = Rules {
            retries: 1,
            retry_on: Some(RetryOn {
                statuses: vec![75],
                timeout: true,
                signal: false,
                lost: true,
            }),
            ..Rules::USUAL
        };
        for (outcome, again) in [
            (Outcome::Failed(Ending::Status(75)), true),
            (Outcome::Failed(Ending::Status(1)), false),
            (Outcome::Failed(Ending::Signal(9)), false),
            (Outcome::TimedOut, true),
            (Outcome::NotStarted, false),
            (Outcome::Cancelled, false),
        ] {
            let mut schedule = schedule(rules.clone(), 1, vec![task("a")]);
            names(&mut schedule);
            let after = end(&mut schedule, 1, "a", outcome);
            assert_eq!(after.retry_in.is_some(), again, "{outcome:?}");
        }
    }

    #[test]
    fn a_halt_comes_after_so_many_ends_of_its_kind() {
        let halt = |why, count| Rules {
            halt: Some(Halt {
                when: HaltWhen::Soon,
                why,
                count,
            }),
            ..Rules::USUAL
        };
        for (why, outcomes) in [
            (HaltWhy::Fail, [FAILED, Outcome::Completed, FAILED]),
            (
                HaltWhy::Success,
                [Outcome::Completed, FAILED, Outcome::Completed],
            ),
            (
                HaltWhy::Done,
                [Outcome::Cancelled, FAILED, Outcome::Completed],
            ),
        ] {
            let list = ["a", "b", "c", "d"].map(task).to_vec();
            let mut schedule = schedule(halt(why, 2), 4, list);
            names(&mut schedule);
            let halted: Vec<_> = (1..)
                .zip(outcomes)
                .map(|(number, outcome)| end(&mut schedule, number, "x", outcome).halted.is_some())
                .collect();
            assert_eq!(halted, [false, false, true], "{why:?}");
        }
    }

    #[test]
    fn under_a_limit_one_task_runs_all_the_same() {
        let mut schedule = schedule(Rules::USUAL, 3, vec![task("a"), task("b")]);
        let gate = Gate::One(Obstacle::Memory);
        let now = Duration::ZERO;
        assert!(schedule.begin(now, &gate).is_some());
        assert!(schedule.begin(now, &gate).is_none());
        let waiting = schedule.obstacles(&gate, now, 9);
        assert_eq!(waiting[0].name, "b");
        end(&mut schedule, 1, "a", Outcome::Completed);
        assert!(schedule.begin(now, &gate).is_some());
    }

    #[test]
    fn two_starts_are_the_delay_apart() {
        let delay = Duration::from_millis(300);
        let rules = Rules {
            delay,
            ..Rules::USUAL
        };
        let mut schedule = schedule(rules, 3, ["a", "b"].map(task).to_vec());
        assert_eq!(begin(&mut schedule, Duration::ZERO).len(), 1);
        assert_eq!(schedule.due(), Some(delay));
        assert_eq!(begin(&mut schedule, delay).len(), 1);
    }

    #[test]
    fn a_delay_doubles_up_to_the_longest() {
        let seconds = Duration::from_secs;
        for (attempt, expected) in [(1, 1), (2, 2), (3, 4), (4, 5), (40, 5)] {
            let delay = backed_off(seconds(1), seconds(5), attempt).as_secs_f64();
            let expected = f64::from(expected);
            assert!(
                (0.9 * expected..=1.1 * expected).contains(&delay),
                "{delay}"
            );
        }
        assert_eq!(backed_off(seconds(3), seconds(3), 9), seconds(3));
    }

    #[test]
    fn slots_that_are_taken_away_are_missed_when_their_tasks_are_over() {
        let mut schedule = schedule(Rules::USUAL, 2, ["a", "b", "c"].map(task).to_vec());
        assert_eq!(names(&mut schedule), ["a", "b"]);
        schedule.set_slots(0);
        end(&mut schedule, 1, "a", Outcome::Completed);
        end(&mut schedule, 2, "b", Outcome::Completed);
        assert_eq!(names(&mut schedule), [""; 0]);
        schedule.set_slots(1);
        assert_eq!(names(&mut schedule), ["c"]);
    }
}
