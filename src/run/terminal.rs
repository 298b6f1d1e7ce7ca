//! Carries out what the lease decides. The terminal is a value: the run gives it to the worker of one task, which lends it to its
//! child (`child/terminal.rs`), and gets it back.

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
    /// No child has wanted it.
    #[default]
    Unopened,
    /// With the run.
    Here(Terminal),
    /// With a task's worker, or on the way to or from it.
    Away,
}

impl TerminalPlace {
    /// The terminal for a child that is to have it from its first moment on. For another one that it may be lent to later, its
    /// settings are kept now: a child that ignores SIGTTOU may change them.
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
                        // Until then the output of all tasks waits.
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
                    let stopped = stop_by(signal, scope);
                    let mut sinks = self.sinks.borrow_mut();
                    sinks.clock.leave_out(stopped.unwrap_or_default());
                    drop(sinks);
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
            }
        }
    }

    /// The child alone was stopped. Where there is no terminal no person pressed a key, and none will continue it with one.
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

    /// The screen is clear. If progrun stops now, its workers stop with it, so they must have stopped their children first.
    pub(super) fn acknowledge(&mut self) {
        self.unacknowledged = self.tasks.keys().copied().collect();
        self.order_all(|| Order::Acknowledge);
    }

    /// A worker has carried out all orders before a stop, or is gone.
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

    /// The child is gone and no longer has the terminal. The run's last line follows, so a last task's bars are not drawn again.
    pub(super) fn returned_at_the_end(&mut self, task: TaskId, terminal: Option<Terminal>) {
        let Some(terminal) = terminal else {
            let pid = self.tasks.get(&task).and_then(|running| running.task.pid());
            let pid = pid.and_then(Pid::from_raw);
            if let (TerminalPlace::Here(terminal), Some(pid)) = (&mut self.terminal, pid) {
                // A shell takes it by itself, and a child that ignores SIGTTOU changes its settings. In a pipeline these may be
                // those of a pager by now.
                if terminal.has_child(pid) || child::is_ours_alone() {
                    terminal.take_back_for_good(pid);
                }
            }
            return;
        };
        self.terminal = TerminalPlace::Here(terminal);
        let actions = self.lease.over(task);
        let is_last = self.tasks.len() == 1;
        let wanted = move |action: &Action| !(is_last && *action == Action::Draw);
        self.follow_lease(actions.into_iter().filter(wanted));
    }

    /// The task is over. What its worker never came to read is taken back.
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
