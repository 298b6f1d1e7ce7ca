//! What the workers say of their children, beside the reports: what of it goes first, what can wait, and what follows.

use std::time::Duration;

use crate::child::Notice;
use crate::event::{Answer, Place, Reason, Stream, TaskId, What};
use crate::system::signals::Scope;

use super::Run;

/// How long after the start of a task the run loop of many need not hear of it: many tasks are over by then.
pub(super) const DOZE: Duration = Duration::from_millis(3);

/// Whether a notice goes before what the child prints: the ladder needs it for its next step.
pub(super) fn goes_first(notice: &Notice) -> bool {
    // The start, too, or the answer to a cancel request would overtake it.
    matches!(
        notice,
        Notice::Started { .. } | Notice::Cancel(_) | Notice::Elsewhere(_)
    )
}

/// Whether the run loop of many need not wake for this notice at once: the end of a child comes just before that of its
/// task, and soon after its start if the child is short.
pub(super) fn can_wait(notice: &Notice) -> bool {
    matches!(notice, Notice::Started { .. } | Notice::Exited(None))
}

impl Run<'_> {
    /// The worker of a task says something.
    pub(super) fn notice(&mut self, id: TaskId, notice: Notice) {
        let now = self.now();
        let Some(running) = self.tasks.get_mut(&id) else {
            return;
        };
        let task = &mut running.task;
        match notice {
            Notice::Started { pid, tag } => {
                task.started(pid, now);
                running.tag = tag;
                self.tell_started(id, pid);
                if let Some(moved) = self.moved.take() {
                    self.warn(&moved);
                }
            }
            Notice::Output {
                stream,
                bytes,
                verdicts,
                permit,
            } => {
                self.heard.set(true);
                running.output_bytes += bytes.len() as u64;
                self.tell(
                    id,
                    What::Output {
                        stream,
                        bytes: &bytes,
                        verdicts: &verdicts,
                        permit: &permit,
                    },
                );
            }
            Notice::Observed(observed) => self.tell(id, What::Observed(&observed)),
            Notice::Cancel(mode) => {
                self.answered_agent(Answer::Cancel(mode));
                self.change(id, |task| task.answered(mode, now));
            }
            Notice::Drain { reports } => {
                self.answered_agent(Answer::Drain { reports });
                self.change(id, |task| task.is_reporting(reports, now));
            }
            Notice::Elsewhere(news) => self.news(id, news),
            Notice::Request(stream, bytes) => self.asked(stream, bytes),
            Notice::Interrupted => {
                if task.interrupted(now) {
                    running.future.cancel();
                    // Without progrun, the script around it would have received the SIGINT as well.
                    self.scope = Scope::Group;
                    if self.is_of_many() {
                        self.request(Reason::Interrupt);
                    }
                }
            }
            Notice::Held { stream, holders } => self.held(id, stream, &holders),
            Notice::Continued => {
                self.go_on(id);
                self.tell(id, What::Paused(false));
            }
            Notice::Exited(terminal) => {
                task.exited(now);
                self.answered_agent(Answer::Exited);
                self.go_on(id);
                self.returned_at_the_end(id, terminal);
            }
            // We have continued it since: shown now, the stop would be news of the past.
            Notice::Stopped { continues, .. } if continues < running.continues.get() => {}
            Notice::Stopped {
                signal, lendable, ..
            } => self.stopped(id, signal, lendable),
            Notice::TookScreen { lendable } => {
                let actions = self.lease.child_took_screen(id, lendable);
                self.follow_lease(actions);
            }
            Notice::Lent => self.lease.lent(id),
            Notice::Returned { terminal, refused } => self.returned(id, terminal, refused),
            Notice::Acknowledged => self.acknowledged(id),
        }
    }

    /// Tells that a task runs, as this process where it runs.
    pub(super) fn tell_started(&mut self, id: TaskId, pid: i32) {
        let is_of_many = self.is_of_many();
        let Some(running) = self.tasks.get_mut(&id) else {
            return;
        };
        running.is_told = true;
        let specification = running.task.specification.clone();
        let (slot, attempt) = (running.slot, running.attempt);
        let host = running.host.clone();
        self.tell(
            id,
            What::Started {
                name: &specification.name,
                command: &specification.words(id.get(), slot),
                pid: Some(pid),
                place: is_of_many.then(|| Place::of(&specification, slot, attempt)),
                host: host.as_deref(),
            },
        );
    }

    fn held(&mut self, id: TaskId, stream: Stream, holders: &[String]) {
        if self.stop.is_some() {
            // While a list is stopped, such sentences of many tasks would push everything else off the screen.
            return;
        }
        let who = if holders.is_empty() {
            "another process".to_owned()
        } else {
            holders.join(", ")
        };
        let advice = if self.settings.wait_output {
            ""
        } else {
            " (use --wait-output to wait)"
        };
        self.warn_of(
            id,
            &format!("{stream} is still held open by {who}; further output is lost{advice}"),
        );
    }

    fn stopped(&mut self, id: TaskId, signal: i32, lendable: bool) {
        let actions = self.lease.child_stopped(id, signal, lendable);
        self.follow_lease(actions);
    }

    /// Time passes for the task, and so for the run.
    fn go_on(&mut self, id: TaskId) {
        self.sinks.borrow_mut().clock.start();
        let now = self.now();
        if let Some(running) = self.tasks.get_mut(&id) {
            running.task.continued(now);
        }
    }
}
