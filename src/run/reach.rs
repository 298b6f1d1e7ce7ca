//! What only a run with tasks on other machines does: it says which task runs where, tells what becomes known of them, and
//! cleans up after them. How a machine is reached is not known here.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Control, Elsewhere, News, Terms};
use crate::event::{Obstacle, Step, TaskId, What};
use crate::launcher::Target;
use crate::ledger;
use crate::system::helper;

use super::slots::{Machine, workers};
use super::{Run, Settings};

/// How long the last orders to workers have, which are given up with their tasks.
const LAST_ORDERS: Duration = Duration::from_millis(300);

/// How long the command that ends the jobs that are left may take.
const CLEANS: Duration = Duration::from_secs(10);

/// Where the tasks of a run run, if that is not here.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// The machines, each with its number of slots; none: as many as it has processors.
    pub(crate) targets: Vec<(Target, Option<u32>)>,
    /// What all tasks have in common.
    pub(crate) terms: Arc<Terms>,
}

impl Reach {
    /// Notes how the jobs of the run are ended if it is killed.
    pub(super) fn note(&self) -> Option<ledger::Entry> {
        let words = self.sweep(&[]);
        // An allocation ends with all its steps.
        if self.terms.is_step || words.is_empty() {
            return None;
        }
        // The command may be run in another environment, and there mean another cluster.
        let cluster = std::env::var("SLURM_CONF").ok();
        let cluster = cluster.map(|path| ["env".to_owned(), format!("SLURM_CONF={path}")]);
        let words: Vec<_> = cluster.into_iter().flatten().chain(words).collect();
        ledger::Entry::begin(&self.terms.run, &words)
    }

    /// The command that ends the jobs of the run, of which these are known; empty if no engine keeps any.
    fn sweep(&self, known: &[String]) -> Vec<String> {
        let engines = self.targets.iter().map(|(target, _)| target.engine);
        let words = engines.map(|it| it.sweep(&self.terms.run, self.terms.is_step, known));
        words.max_by_key(Vec::len).unwrap_or_default()
    }

    /// The machines, with their slots.
    fn machines(&self) -> Vec<Machine> {
        let machine = |(target, slots): &(Target, Option<u32>)| Machine {
            slots: slots.unwrap_or(1),
            tells_slots: slots.is_none(),
            at_once: target.engine.starts.at_once,
            is_many: target.engine.places_tasks,
        };
        self.targets.iter().map(machine).collect()
    }
}

/// The machines of a run: others, or ours with this many slots.
pub(super) fn machines(settings: &Settings, slots: u32) -> Vec<Machine> {
    match &settings.elsewhere {
        Some(reach) => reach.machines(),
        None => vec![Machine::ours(slots)],
    }
}

/// Waits until the worker of a task that is given up has taken its last order: to end what is left here.
pub(super) fn let_go(control: &Control) {
    let until = Instant::now() + LAST_ORDERS;
    while !control.is_idle() && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
}

impl Run<'_> {
    /// Where a task on this machine of the run runs, if that is not here.
    pub(super) fn elsewhere(&self, machine: usize) -> Option<Elsewhere> {
        let reach = self.settings.elsewhere.as_ref()?;
        let (target, _) = reach.targets.get(machine)?;
        Some(Elsewhere {
            target: target.clone(),
            terms: Arc::clone(&reach.terms),
        })
    }

    /// Something becomes known of a task on another machine.
    pub(super) fn news(&mut self, id: TaskId, news: News) {
        let now = self.now();
        let Some(running) = self.tasks.get_mut(&id) else {
            return;
        };
        match news {
            News::Queued(job) => {
                running.job = Some(job.clone());
                running.waits_for = Some(Obstacle::Queue(format!("job {job}")));
                // Only a list shows what its tasks wait for.
                if !self.is_of_many() {
                    self.warn_of(id, &format!("queued as job {job}"));
                }
            }
            News::Reached {
                host,
                processors,
                job,
            } => {
                running.waits_for = None;
                running.job = job;
                running.host = Some(host);
                self.schedule.reached(id, processors);
                // Tasks on machines that are lost have workers, too.
                let running = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
                let slots = self.schedule.slots().max(running);
                self.executor.set_workers(workers(slots));
            }
            News::Started(pid) => {
                running.task.started_elsewhere(now);
                self.tell_started(id, pid);
            }
            News::Paused(paused) => self.tell(id, What::Paused(paused)),
            News::Warning(sentence) => self.warn_of(id, &sentence),
            News::Cancelling { reason, step, left } => {
                self.tell(id, What::Cancelling { reason, step, left });
                self.tell_signal_of(id, step);
            }
            News::Stopping { cause, step, left } => {
                self.tell(id, What::Stopping { cause, step, left });
                self.tell_signal_of(id, step);
            }
            News::Left => {
                let job = running.job.clone();
                self.left.push(job);
            }
        }
    }

    /// The agent of a task has taken this step of a stop by itself: tells the signal of it.
    fn tell_signal_of(&self, id: TaskId, step: Step) {
        let signal = match step {
            Step::Signal(signal) => signal,
            Step::Terminate => libc::SIGTERM,
            Step::Kill => libc::SIGKILL,
            Step::Drain | Step::Ask | Step::GiveUp => return,
        };
        let forwarded = false;
        self.tell(id, What::Signal { signal, forwarded });
    }

    /// What the tasks wait for that have a slot and do not run yet.
    pub(super) fn on_their_way(&self) -> impl Iterator<Item = crate::event::Waiting> {
        self.tasks.values().filter_map(|running| {
            Some(crate::event::Waiting {
                name: running.task.specification.name.clone(),
                obstacle: running.waits_for.clone()?,
            })
        })
    }

    /// This machine gets no more tasks.
    pub(super) fn machine_is_lost(&mut self, machine: usize, why: &str) {
        let name = self
            .elsewhere(machine)
            .map_or(String::new(), |it| it.target.name);
        self.warn(&format!("{name} gets no more tasks: {why}"));
    }

    /// Ends the jobs that may be left in an engine, all at once: many requests at a time would overload it.
    pub(super) fn sweep(&mut self) {
        let ledger = self.ledger.take();
        let Some(reach) = &self.settings.elsewhere else {
            return;
        };
        let given_up = || self.tasks.values().filter(|it| it.task.gave_up());
        given_up().for_each(|it| let_go(&it.control));
        let mut left = std::mem::take(&mut self.left);
        left.extend(given_up().map(|running| running.job.clone()));
        let strike = || {
            if let Some(entry) = ledger {
                entry.strike();
            }
        };
        if left.is_empty() {
            return strike();
        }
        let jobs: Vec<String> = left.into_iter().flatten().collect();
        let words = reach.sweep(&jobs);
        let Err(failure) = helper::run_within(&words, CLEANS) else {
            return strike();
        };
        self.warn(&format!(
            "jobs may be left ({failure}); to end them, run: {}",
            words.join(" ")
        ));
    }
}
