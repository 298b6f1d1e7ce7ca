//! Carries out what the lease decides. The terminal is a value: the run gives it to the worker of one task, which lends
//! it to its child (`child/terminal.rs`), and gets it back.

use rustix::process::Pid;

use crate::child::{self, Launch, Order, Terminal};
use crate::event::{TaskId, What};
use crate::model::route::Route;
use crate::system::signals::stop_by;

use super::lease::{Action, To};
use super::{Input, Run};

/// Where the terminal is.
#[derive(Debug, Default)]
pub(super) enum TerminalPlace {
    /// Not opened yet, or there is none: no child has wanted it.
    #[default]
    Unopened,
    /// With the run.
    Here(Terminal),
    /// With a task's worker, or on the way to or from it.
    Away,
}

impl TerminalPlace {
    /// Gives the terminal for a child that is to have it from its first moment on. For a child with a pseudo-terminal,
    /// opens the terminal and keeps its settings (termios): a child that ignores SIGTTOU may change them.
    pub(super) fn for_the_start(&mut self, launch: &Launch) -> Option<Terminal> {
        if !matches!(self, Self::Unopened) {
            return None;
        }
        if launch.in_foreground {
            let terminal = Terminal::for_the_start()?;
            *self = Self::Away;
            return Some(terminal);
        }
        let has_pty = [launch.stdout, launch.stderr].contains(&Route::Terminal);
        if has_pty && let Some(mut terminal) = Terminal::open() {
            terminal.keep_settings();
            *self = Self::Here(terminal);
        }
        None
    }

    /// Moves the terminal to a worker. Gives the order with which it goes there; none if there is no terminal.
    fn lend(&mut self) -> Option<Order> {
        match std::mem::replace(self, Self::Away) {
            Self::Away => Some(Order::Lend(None)),
            Self::Here(terminal) => Some(Order::Lend(Some(terminal))),
            Self::Unopened => {
                let terminal = Terminal::open();
                if terminal.is_none() {
                    *self = Self::Unopened;
                }
                terminal.map(|terminal| Order::Lend(Some(terminal)))
            }
        }
    }
}

impl Run<'_> {
    pub(super) fn follow_lease(&mut self, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            match action {
                Action::Clear => {
                    self.tell_of_run(What::Terminal { ours: false });
                    self.send_when_written(|| Input::Cleared);
                }
                Action::Draw => self.tell_of_run(What::Terminal { ours: true }),
                Action::Lend(task) => {
                    if let Some(order) = self.terminal.lend() {
                        // Since the screen was cleared, the output of all tasks of a list waits. This task's is written
                        // from now on.
                        self.tell(task, What::Terminal { ours: false });
                        self.order(task, order);
                    } else {
                        let actions = self.lease.returned(task, true);
                        self.follow_lease(actions);
                    }
                }
                Action::TakeBack(task) => self.order(task, Order::TakeBack),
                Action::Signal(to, signal) => self.send_signal(to, signal),
                Action::Stop(signal, scope) => {
                    self.tell_watchers_of_stop(true);
                    let stopped = stop_by(signal, scope);
                    let mut sinks = self.sinks.borrow_mut();
                    sinks.clock.leave_out(stopped.unwrap_or_default());
                    drop(sinks);
                    self.tell_watchers_of_stop(false);
                    let actions = self.lease.resumed(stopped.is_some());
                    self.follow_lease(actions);
                }
                Action::Paused(task) => self.paused(task),
                Action::Stuck(task) => {
                    self.warn_of(
                        task,
                        "the command is waiting for the terminal, which progrun cannot give it",
                    );
                    if let Some(running) = self.tasks.get_mut(&task) {
                        running.task.stuck();
                    }
                    self.tell(task, What::Paused(true));
                }
            }
        }
    }

    fn send_signal(&self, to: To, signal: i32) {
        for (task, running) in &self.tasks {
            let is_meant = match to {
                To::All => true,
                To::One(one) => *task == one,
                To::AllBut(other) => *task != other,
            };
            if is_meant {
                running.control.order(Order::Signal(signal));
                let continues = u64::from(signal == libc::SIGCONT);
                running.continues.set(running.continues.get() + continues);
            }
        }
    }

    /// The child alone was stopped. Its clock stops only if there is a terminal: without one no user will continue the
    /// child, and the time limit must end the task.
    fn paused(&mut self, task: TaskId) {
        let now = self.now();
        if let Some(running) = self.tasks.get_mut(&task)
            && running.task.reason().is_none()
            && child::has_terminal()
        {
            running.task.paused(now);
            let mut live = self
                .tasks
                .values()
                .filter(|it| it.task.exited_at().is_none());
            if live.all(|running| running.task.is_paused()) {
                self.sinks.borrow_mut().clock.stop();
            }
        }
        self.tell(task, What::Paused(true));
    }

    /// The screen is clear. If progrun stops, its workers stop with it: so they have to stop their children first, and
    /// to confirm it.
    pub(super) fn acknowledge(&mut self) {
        self.unacknowledged = self.tasks.keys().copied().collect();
        self.order_all(|| Order::Acknowledge);
    }

    /// A worker has carried out all earlier orders, or is gone. After the last one the lease goes on.
    pub(super) fn acknowledged(&mut self, task: TaskId) {
        if self.unacknowledged.remove(&task) && self.unacknowledged.is_empty() {
            let action = self.lease.cleared();
            self.follow_lease(action);
        }
    }

    /// The terminal came back from a child that lives.
    pub(super) fn returned(&mut self, task: TaskId, terminal: Terminal, refused: bool) {
        self.terminal = TerminalPlace::Here(terminal);
        let actions = self.lease.returned(task, refused);
        self.follow_lease(actions);
    }

    /// The child is gone and no longer has the terminal. The bars of a last task are not drawn again: the run's last
    /// line follows.
    pub(super) fn returned_at_the_end(&mut self, task: TaskId, terminal: Option<Terminal>) {
        let Some(terminal) = terminal else {
            let pid = self.tasks.get(&task).and_then(|running| running.task.pid());
            let pid = pid.and_then(Pid::from_raw);
            if let (TerminalPlace::Here(terminal), Some(pid)) = (&mut self.terminal, pid) {
                // Even without a lease, a shell may have taken the terminal, and a child that ignores SIGTTOU may have
                // changed its settings. In a pipeline, the settings may be those of a pager by now.
                if terminal.has_child(pid) || terminal.is_changed() && child::is_ours_alone() {
                    terminal.take_back_for_good(pid);
                }
            }
            return;
        };
        self.terminal = TerminalPlace::Here(terminal);
        let actions = self.lease.over(task);
        let is_last = !self.is_of_many();
        let wanted = move |action: &Action| !(is_last && *action == Action::Draw);
        self.follow_lease(actions.into_iter().filter(wanted));
    }

    /// The task is over. Takes the terminal back from an order that its worker never read.
    pub(super) fn take_terminal_from(&mut self, task: TaskId) {
        let unread = self.tasks.get(&task);
        if let Some(terminal) = unread.and_then(|running| running.control.unread_terminal()) {
            self.terminal = TerminalPlace::Here(terminal);
        }
        let actions = self.lease.over(task);
        self.follow_lease(actions);
        self.acknowledged(task);
    }
}
