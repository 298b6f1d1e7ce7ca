//! What only a run of many tasks does: it reads its list on, ends tasks one by one, tries some again, halts, and sums up.
//! Which task begins is decided in `schedule`, how hard each is stopped in `ladder`.

use std::ffi::OsString;
use std::io;
use std::thread;
use std::time::Duration;

use crate::child;
use crate::event::{
    Attempt, Cause, Counts, Ending, FinalState, HaltWhen, HaltWhy, Halted, Missed, Place, Reason,
    RunHead, RunSummary, SkipReason, Step, Summary, TaskId, Total, What,
};
use crate::joblog::Decision;
use crate::list::{News, Specification};
use crate::sink::MOST_WAITING;

use super::ending::{self, FAILED, KILLED, TIMED_OUT};
use super::ladder::{Silent, Timeouts};
use super::pressure::Limits;
use super::running::Running;
use super::schedule::{Begin, Closed, Gate, Outcome, Rules, Skipped};
use super::slots::workers;
use super::starts::fewer;
use super::{LEAST_UNDER_WAY, Run, UNDER_WAY};

/// How many tasks that wait are told of.
const TOLD: usize = 64;

/// The wishes that only a run of many tasks has.
#[derive(Clone, Debug)]
pub(crate) struct Many {
    /// The order of the tasks, and what their ends mean.
    pub(crate) rules: Rules,
    /// What the machine must have left for a task to begin.
    pub(crate) limits: Limits,
    /// The time limit of the run.
    pub(crate) deadline: Option<Duration>,
    /// Whether the run is a client of make's jobserver, if there is one.
    pub(crate) jobserver: bool,
    /// The template of the commands; empty for a list of commands.
    pub(crate) command: Vec<OsString>,
    /// What the user should know before anything starts.
    pub(crate) warnings: Vec<String>,
    /// Where the list tells that there is more of it.
    pub(crate) news: News,
}

/// The stop of a run of many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) reason: Reason,
    step: Step,
    /// Whether any task had to be killed.
    killed: bool,
}

impl Run<'_> {
    /// Tells of the run. `fewer` says that not as many tasks run at once as the user wished.
    pub(super) fn begin_many(&mut self, fewer: Option<String>) -> anyhow::Result<()> {
        let Some(many) = &self.settings.many else {
            return Ok(());
        };
        self.handle_signals()?;
        let total = self.total_of_list();
        self.total = Some(total);
        self.tell_of_run(What::Run(&RunHead {
            name: &self.settings.display.name,
            jobs: self.schedule.slots(),
            total,
            command: &many.command,
        }));
        let own = [fewer, self.moved.take()].into_iter().flatten();
        for sentence in own.chain(many.warnings.iter().cloned()) {
            self.warn(&sentence);
        }
        // Where even the beginning cannot be written, nothing starts.
        while let Some(input) = self.next(Some(Duration::ZERO))? {
            self.take_in(input)?;
        }
        Ok(())
    }

    fn total_of_list(&self) -> Total {
        let (count, is_final) = self.list.total();
        Total { count, is_final }
    }

    /// Tells what is newly known of the list.
    pub(super) fn tell_of_list(&mut self) {
        for sentence in self.list.warnings() {
            self.warn(&sentence);
        }
        let total = self.total_of_list();
        if self
            .total
            .is_some_and(|told| told.is_final != total.is_final)
        {
            self.total = Some(total);
            self.tell_of_run(What::Total(total));
        }
    }

    /// Whether the task runs, although an earlier run has dealt with it as `decision` says.
    pub(super) fn runs(&mut self, task: &Specification, decision: Decision) -> bool {
        let ended = match decision {
            Decision::Run | Decision::RunAgain { .. } => return true,
            Decision::Done => Some(FinalState::Completed),
            Decision::Leave(ended) => ended,
        };
        let id = self.schedule.pass(task, ended);
        self.tell(
            id,
            What::Skipped {
                name: &task.name,
                reason: SkipReason::Done,
                cause: None,
            },
        );
        false
    }

    /// The list is at its end.
    pub(super) fn list_is_over(&mut self) {
        self.schedule.complete();
        if let Some(past) = &self.past {
            let sentences = [past.half_done_sentence(), past.left_sentence()];
            for sentence in sentences.into_iter().flatten() {
                self.warn(&sentence);
            }
        }
    }

    /// The list cannot be read to its end. What was read of it runs.
    pub(super) fn list_is_broken(&mut self, sentence: String) {
        self.warn(&sentence);
        self.losses.note(Ending::Status(FAILED), Some(sentence));
        self.schedule.complete();
    }

    pub(super) fn tell_skipped(&self, skipped: &Skipped) {
        self.tell(
            skipped.id,
            What::Skipped {
                name: &skipped.specification.name,
                reason: skipped.reason,
                cause: skipped.cause.as_deref(),
            },
        );
    }

    /// What may begin now.
    pub(super) fn gate(&mut self, now: Duration) -> Gate {
        if !self.is_of_many() || !self.schedule.could_begin(now) {
            return Gate::Open;
        }
        if self.sinks.borrow().backlog() >= MOST_WAITING {
            return Gate::Shut;
        }
        let running = self.tasks.len();
        if let Some(jobserver) = &mut self.jobserver
            && !jobserver.allows(running)
        {
            return Gate::Shut;
        }
        self.pressure.gate(now)
    }

    /// Tells what the next tasks wait for, if that has changed; and gives back what they do not need.
    pub(super) fn tell_what_waits(&mut self, gate: &Gate, now: Duration) {
        if !self.is_of_many() {
            return;
        }
        self.tell_of_list();
        let running = self.tasks.len();
        let wants = self.schedule.could_begin(now);
        if let Some(jobserver) = &mut self.jobserver {
            jobserver.settle(running, wants);
        }
        let mut waiting: Vec<_> = self.on_their_way().take(TOLD).collect();
        waiting.extend(self.schedule.obstacles(gate, now, TOLD - waiting.len()));
        if waiting != self.waiting {
            self.tell_of_run(What::Waiting(&waiting));
            self.waiting = waiting;
        }
    }

    /// When a task may begin, or the run is to end, although nothing happens before.
    pub(super) fn begins_at(&self, now: Duration) -> Option<Duration> {
        let many = self.settings.many.as_ref()?;
        let pressure = self
            .pressure
            .due()
            .filter(|_| self.schedule.could_begin(now));
        let deadline = many.deadline.filter(|_| !self.deadline_passed);
        let begins = self.schedule.due().filter(|time| *time > now);
        [pressure, deadline, begins].into_iter().flatten().min()
    }

    /// The variables of a task's child that differ from ours.
    pub(super) fn variables(
        &self,
        specification: &Specification,
        id: TaskId,
        slot: u32,
        attempt: u32,
    ) -> Vec<(String, Option<OsString>)> {
        let mut variables = specification.variables.clone();
        if self.is_of_many() {
            let numbers = [
                ("PROGRUN_TASK", id.get()),
                ("PROGRUN_SLOT", slot),
                ("PROGRUN_ATTEMPT", attempt),
            ];
            let number =
                |(name, number): (&str, u32)| (name.to_owned(), Some(number.to_string().into()));
            variables.extend(numbers.map(number));
        }
        variables
    }

    /// How many bytes of one child may be under way.
    pub(super) fn under_way(&self) -> usize {
        let slots = usize::try_from(self.schedule.slots()).unwrap_or(usize::MAX);
        if self.is_of_many() {
            (UNDER_WAY / slots.max(1)).clamp(LEAST_UNDER_WAY, child::UNDER_WAY)
        } else {
            child::UNDER_WAY
        }
    }

    /// How a task is stopped.
    pub(super) fn stopping(&self, specification: &Specification) -> (Timeouts, Silent) {
        let timeouts = Timeouts {
            timeout: specification.timeout.or(self.plan.timeouts.timeout),
            ..self.plan.timeouts
        };
        let silent = if self.is_of_many() {
            Silent::Drained
        } else {
            Silent::Interrupted
        };
        (timeouts, silent)
    }

    /// The system refuses what one more task needs: fewer run at once from now on.
    pub(super) fn too_many(&mut self, begin: Begin, error: &io::Error) {
        self.schedule.put_back(begin);
        let slots = u32::try_from(self.tasks.len().max(1)).unwrap_or(u32::MAX);
        if slots < self.schedule.slots() {
            self.schedule.set_slots(slots);
            let (of, by) = match error.raw_os_error() {
                Some(libc::EAGAIN | libc::ENOMEM) => ("processes or memory", "ulimit -u"),
                _ => ("open files", "ulimit -n"),
            };
            self.warn(&fewer(slots, of, by));
        }
    }

    /// One slot more or less, as for xargs (SIGUSR1, SIGUSR2). Without a slot the run pauses.
    pub(super) fn change_slots(&mut self, signal: i32) {
        let slots = self.schedule.slots();
        let slots = if signal == libc::SIGUSR1 {
            slots.saturating_add(1)
        } else {
            slots.saturating_sub(1)
        };
        self.schedule.set_slots(slots);
        self.executor.set_workers(workers(slots));
    }

    /// An attempt of a task is over.
    pub(super) fn end_of_many(&mut self, id: TaskId) {
        let now = self.now();
        let Some(running) = self.tasks.get(&id) else {
            return;
        };
        let specification = running.task.specification.clone();
        let (slot, attempt, machine) = (running.slot, running.attempt, running.machine);
        if let Some(error) = running.refused()
            && self.tasks.len() > 1
        {
            let error = io::Error::from(error);
            self.forget(id);
            self.too_many(
                Begin {
                    id,
                    specification,
                    slot,
                    attempt,
                    machine,
                },
                &error,
            );
            return;
        }
        let mut summary = running.summary_of_many();
        let outcome = outcome(running, &summary);
        let ended = running.task.exited_at().unwrap_or(now);
        let attempted = Attempt {
            slot,
            number: attempt,
            retry_in: None,
            duration: ended.saturating_sub(running.began),
            output_bytes: running.output_bytes,
        };
        let (is_told, host) = (running.is_told, running.host.clone());
        let after = self.schedule.ended(id, specification.clone(), outcome, now);
        if let (Some(machine), Some(why)) = (after.lost, &summary.error) {
            self.machine_is_lost(machine, why);
        }
        if after.moves {
            self.forget(id);
            return;
        }
        if !is_told {
            self.tell(
                id,
                What::Started {
                    host: host.as_deref(),
                    name: &specification.name,
                    command: &specification.words(id.get(), slot),
                    pid: None,
                    place: Some(Place::of(&specification, slot, attempt)),
                },
            );
        }
        summary.attempt = Some(Attempt {
            retry_in: after.retry_in,
            ..attempted
        });
        self.tell(id, What::Finished(&summary));
        self.forget(id);
        for skipped in &after.skipped {
            self.tell_skipped(skipped);
        }
        if let Some(halted) = after.halted {
            self.halt(halted);
        }
        if !self.schedule.has_machine() && self.schedule.closed().is_none() {
            self.warn("no machine is left");
            self.close(Closed::Lost);
        }
    }

    /// The task runs no more, or is waited for no more.
    fn forget(&mut self, id: TaskId) {
        self.take_terminal_from(id);
        let Some(mut ended) = self.tasks.remove(&id) else {
            return;
        };
        if self.stop.is_some() {
            self.remains
                .extend(Some(std::mem::take(&mut ended.tag)).filter(|tag| !tag.is_empty()));
        }
        if ended.task.gave_up() {
            self.gave_up = true;
            if ended.host.is_some() {
                super::reach::let_go(&ended.control);
                self.left.push(ended.job.clone());
            }
            ended.place = None;
            // Its worker may still run, and has the other ends of these links.
            std::mem::forget(ended);
            return;
        }
        self.starts.give_back(ended.place.take());
    }

    fn halt(&mut self, halted: Halted) {
        self.tell_of_run(What::Halted(halted));
        self.close(Closed::Halted(halted));
        if halted.when == HaltWhen::Now {
            let now = self.now();
            self.stop_tasks(Reason::Halt, true, now);
        }
    }

    /// No task begins any more, and no more of the list is read.
    pub(super) fn close(&mut self, why: Closed) {
        self.list.stop();
        let reason = match why {
            Closed::Halted(_) => SkipReason::Halted,
            Closed::Cancelled | Closed::Broken | Closed::Lost => SkipReason::Cancelled,
        };
        for (id, specification) in self.schedule.close(why) {
            self.tell_skipped(&Skipped {
                id,
                specification,
                reason,
                cause: None,
            });
        }
    }

    /// `--deadline` is over.
    pub(super) fn pass_deadline(&mut self, now: Duration) {
        let deadline = self.settings.many.as_ref().and_then(|many| many.deadline);
        if !self.deadline_passed && deadline.is_some_and(|time| time <= now) {
            self.deadline_passed = true;
            self.stop_tasks(Reason::Deadline, true, now);
        }
    }

    /// A stop of the run of many is requested, for the first time or again.
    pub(super) fn stop_run(&mut self, reason: Reason, is_new: bool) {
        let timeouts = self.plan.timeouts;
        match &mut self.stop {
            None => {
                let step = match reason {
                    Reason::Interrupt | Reason::Parent => Step::Drain,
                    Reason::Hangup => Step::Signal(libc::SIGHUP),
                    _ => Step::Signal(libc::SIGTERM),
                };
                self.stop = Some(Stop {
                    reason,
                    step,
                    killed: false,
                });
                let left = match step {
                    Step::Drain => timeouts.grace,
                    _ => timeouts.kill_after,
                };
                self.tell_of_run(What::Cancelling { reason, step, left });
            }
            Some(before) => {
                if before.reason == Reason::Halt && reason != Reason::Deadline {
                    // The user is there, and means it.
                    before.reason = reason;
                }
                if !is_new {
                    return;
                }
                let step = match before.step {
                    Step::Signal(libc::SIGTERM) | Step::Terminate => Step::Kill,
                    Step::Kill | Step::GiveUp => Step::GiveUp,
                    Step::Drain | Step::Ask | Step::Signal(_) => Step::Terminate,
                };
                before.step = step;
                self.kill_remains(step);
                let cause = Cause::Again;
                let left = None;
                self.tell_of_run(What::Stopping { cause, step, left });
            }
        }
    }

    /// A task has taken a step of a stop: the stop of the run is as far as that of the task that is furthest.
    pub(super) fn step_of_run(&mut self, what: &What<'_>) {
        let Some(whole) = &mut self.stop else {
            return;
        };
        let (What::Cancelling { step, .. } | What::Stopping { step, .. }) = what else {
            return;
        };
        whole.killed |= *step >= Step::Kill;
        if let What::Stopping { cause, step, left } = what
            && matches!(cause, Cause::NoReaction(_))
            && *step > whole.step
        {
            whole.step = *step;
            let (cause, step, left) = (*cause, *step, *left);
            self.kill_remains(step);
            self.tell_of_run(What::Stopping { cause, step, left });
        }
    }

    /// The descendants of ended tasks are killed as well, if the stop is so far.
    fn kill_remains(&mut self, step: Step) {
        if step >= Step::Kill {
            let remains = self.remains.iter().map(|tag| (None, tag.clone()));
            self.to_kill.extend(remains);
        }
    }

    /// Kills what has to be killed by now, all in one go, beside the run loop: it takes a while where there are many
    /// processes.
    pub(super) fn kill(&mut self) {
        if self.to_kill.is_empty() {
            return;
        }
        let children = std::mem::take(&mut self.to_kill);
        let copy = children.clone();
        let thread = thread::Builder::new().name("progrun-kill".to_owned());
        match thread.spawn(move || child::kill_all(&children)) {
            Ok(thread) => self.killers.push(thread),
            Err(_) => child::kill_all(&copy),
        }
    }

    /// Waits until all that is to be killed is, and names what lives all the same.
    fn finish_killing(&mut self) {
        for thread in self.killers.drain(..) {
            let _ = thread.join();
        }
        if !self.gave_up {
            return;
        }
        let living = child::living(&self.remains);
        let numbers: Vec<_> = living.iter().map(ToString::to_string).collect();
        match numbers.as_slice() {
            [] => {}
            [pid] => self.warn(&format!("giving up; pid {pid} is still running")),
            pids => self.warn(&format!(
                "giving up; still running: pids {}",
                pids.join(", ")
            )),
        }
    }

    /// Cancels the tasks that were to come to their end and report after all.
    pub(super) fn ask_reporters(&mut self, now: Duration) {
        if self.stop.is_none() {
            return;
        }
        let reports = |running: &&Running| running.task.drains() && running.counts.has_own.get();
        let ids: Vec<_> = self.tasks.iter().filter(|(_, it)| reports(it)).collect();
        let ids: Vec<_> = ids.into_iter().map(|(id, _)| *id).collect();
        for id in ids {
            self.change(id, |task| task.is_reporting(true, now));
        }
    }

    /// Sums the run up, and waits until everything is written.
    pub(super) fn finish_many(&mut self) -> super::Outcome {
        self.kill();
        self.finish_killing();
        self.tell_of_list();
        // Before the end is told: what the tasks printed, and a warning of lost output, belong before it.
        self.flush();
        let counts = self.schedule.counts();
        let own = self.ending_of_many(&counts);
        let (ending, unsaid) = match own {
            // A list that was not read or written whole is worse than a task that failed.
            Ending::Status(0 | 1) => match self.losses.end(Ending::Status(0)) {
                (Ending::Status(0), unsaid) => (own, unsaid),
                worse => worse,
            },
            _ => self.losses.end(own),
        };
        let total = self.total_of_list();
        let over = self.schedule.begun() + self.schedule.passed() + counts.skipped;
        let why = match self.schedule.closed() {
            Some(Closed::Halted(_)) => Some("halt"),
            Some(Closed::Cancelled) if self.deadline_passed => Some("deadline"),
            Some(Closed::Cancelled) => Some("cancelled"),
            Some(Closed::Lost) => Some("lost"),
            Some(Closed::Broken) | None => None,
        };
        let summary = RunSummary {
            counts,
            not_started: total.is_final.then(|| total.count.saturating_sub(over)),
            why,
            ending,
        };
        self.tell_of_run(What::End(&summary));
        let written = self.flush();
        self.follow_up(written);
        let state = if why.is_some_and(|why| !["halt", "lost"].contains(&why)) {
            FinalState::Cancelled
        } else {
            FinalState::Completed
        };
        super::Outcome {
            ending,
            state: ending::state(state, ending),
            elapsed: self.now(),
            scope: self.scope,
            errors: unsaid,
            unread: self.discarded || self.gave_up,
        }
    }

    fn ending_of_many(&self, counts: &Counts) -> Ending {
        if let Some(stop) = self.stop {
            match stop.reason {
                Reason::Interrupt | Reason::Parent => return Ending::Signal(libc::SIGINT),
                Reason::Terminate => return Ending::Signal(libc::SIGTERM),
                Reason::Hangup => return Ending::Signal(libc::SIGHUP),
                Reason::Deadline if stop.killed => return Ending::Status(KILLED),
                Reason::Deadline => return Ending::Status(TIMED_OUT),
                Reason::Halt | Reason::Timeout | Reason::Lease => {}
            }
        }
        let by_success = matches!(
            self.schedule.closed(),
            Some(Closed::Halted(Halted {
                why: HaltWhy::Success,
                ..
            }))
        );
        // Without a stop of the run, a task was cancelled from outside.
        let cancelled = if self.stop.is_some() {
            0
        } else {
            counts.cancelled
        };
        let is_well = counts.failed + counts.lost + counts.skipped + cancelled == 0
            && !self.schedule.leaves_some();
        let is_well = is_well && self.schedule.closed() != Some(Closed::Lost) || by_success;
        Ending::Status(i32::from(!is_well))
    }
}

/// How an attempt with this summary ended for the others.
fn outcome(running: &Running, summary: &Summary) -> Outcome {
    if let Some(child::Ended::Lost(lost)) = running.ended() {
        return match lost.missed {
            Missed::Hello => Outcome::Unreached,
            missed => Outcome::Lost {
                over_in: lost.over_in,
                is_silent: missed == Missed::Heartbeat,
            },
        };
    }
    match (summary.state, summary.reason, summary.exit) {
        (FinalState::Completed, ..) => Outcome::Completed,
        (FinalState::Cancelled, ..) => Outcome::Cancelled,
        (FinalState::Failed, Some(Reason::Timeout), _) => Outcome::TimedOut,
        (FinalState::Failed, _, Some(exit)) => Outcome::Failed(exit.ending),
        (FinalState::Failed, _, None) => Outcome::NotStarted,
        (FinalState::Lost, ..) => Outcome::Lost {
            over_in: None,
            is_silent: false,
        },
    }
}

impl Running {
    /// How the attempt ended. In a run of many only a task whose own cancel was requested is cancelled, and one that
    /// takes too long has failed.
    fn summary_of_many(&self) -> Summary {
        let summary = self.summary();
        match (summary.state, summary.reason) {
            (FinalState::Cancelled, Some(Reason::Timeout)) => Summary {
                state: FinalState::Failed,
                ..summary
            },
            (FinalState::Cancelled, _) => summary,
            _ => Summary {
                reason: None,
                ..summary
            },
        }
    }

    /// The error of a system that refuses another process or descriptor.
    fn refused(&self) -> Option<rustix::io::Errno> {
        let error = match self.ended()? {
            child::Ended::NotStarted(child::LaunchError::Internal { source, .. }) => {
                source.raw_os_error()?
            }
            _ => return None,
        };
        [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE]
            .contains(&error)
            .then(|| rustix::io::Errno::from_raw_os_error(error))
    }
}
