//! The signals that come to progrun itself, turned into inputs of the run loop.
//!
//! The handlers (crate signal-hook-registry) only note the signal and wake the inbox. The crate ctrlc handles SIGINT as
//! well, and its thread wakes the inbox. A signal that was ignored when progrun started stays ignored, as nohup and `cmd &`
//! mean it to be; one that was blocked is unblocked. `stopping` decides what a signal asks of the run.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::Context;
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU,
    SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ,
};

use crate::system::signals::{Came, block, handle, is_ignored, is_pending, set_default, unblock};
use crate::system::wake::Wake;

/// The signals that are handled, and blocked until there are handlers. Without either they would end progrun or stop it
/// without the child; SIGWINCH and SIGCHLD would be lost. SIGCHLD is the last: see [`any_held`].
const HANDLED: [i32; 9] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH, SIGCHLD,
];

/// The signals that have come and were not taken yet.
#[derive(Default)]
pub(super) struct Signals {
    came: Vec<(i32, Arc<Came>)>,
    /// Those that came several times before they were taken, and count each time.
    again: RefCell<Vec<i32>>,
}

impl Signals {
    fn new(came: Vec<(i32, Arc<Came>)>) -> Self {
        Self {
            came,
            again: RefCell::default(),
        }
    }

    /// Takes the signal that came first.
    pub(super) fn take(&self) -> Option<i32> {
        if let Some(signal) = self.again.borrow_mut().pop() {
            return Some(signal);
        }
        while let Some((_, (signal, came))) = self.waiting().min_by_key(|(order, _)| *order) {
            let times = came.take();
            // Each is one slot more or less. Of any other signal, several at once are one.
            if matches!(*signal, SIGUSR1 | SIGUSR2) {
                let mut again = self.again.borrow_mut();
                again.extend((1..times).map(|_| *signal));
            }
            if times > 0 {
                return Some(*signal);
            }
        }
        None
    }

    /// Whether a signal has come.
    pub(super) fn any(&self) -> bool {
        !self.again.borrow().is_empty() || self.waiting().next().is_some()
    }

    /// The signals that wait, each with its place in their order.
    fn waiting(&self) -> impl Iterator<Item = (u64, &(i32, Arc<Came>))> {
        let all = self.came.iter();
        all.filter_map(|waiting| Some((waiting.1.order()?, waiting)))
    }
}

/// Opens the mask for the signals that we handle. To be called before any thread is started, for they inherit it.
pub(super) fn open_mask() {
    unblock(&[
        SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
    ]);
    block(&[
        // Only `stop_by` unblocks it, to learn that progrun was continued. A blocked SIGCONT continues a process all
        // the same.
        SIGCONT,
        // It would stop progrun, which writes to the terminal and takes it back while the child has it.
        SIGTTOU,
        // A log that reaches the limit of a file's size (`ulimit -f`) is an error to be reported, not the end of
        // progrun.
        SIGXFSZ,
    ]);
}

/// Blocks [`HANDLED`] until [`install`] or [`release`]: progrun would end and leave bars and files behind.
pub(super) fn hold() {
    // If SIGCHLD was ignored when we started, the kernel would discard the exit statuses of the children.
    set_default(SIGCHLD);
    block(&HANDLED);
}

/// Whether a signal is held back. SIGCHLD does not count: the worker learns of its child's end by other means.
pub(super) fn any_held() -> bool {
    is_pending(&HANDLED[..HANDLED.len() - 1])
}

/// Unblocks the signals that ask for an end: in a run that was over before there were handlers, one that was held back
/// now has its default effect. The other signals come too late to matter.
pub(super) fn release() {
    unblock(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]);
}

/// Installs the handlers: from now on signals are inputs.
///
/// # Errors
/// If the system refuses a handler.
pub(super) fn install(wake: &Wake) -> anyhow::Result<Signals> {
    let wanted: Vec<_> = HANDLED
        .into_iter()
        .filter(|signal| !is_ignored(*signal))
        .collect();
    let woken = wake.clone();
    // An error is no harm, because we handle SIGINT below as well. `ulimit -u` may refuse ctrlc its thread, and the
    // command, which runs already, must not end for that. An ignored SIGINT counts as an error, too.
    let _ = ctrlc::try_set_handler(move || woken.wake());
    let mut signals = Vec::with_capacity(wanted.len());
    for signal in wanted {
        let came = Arc::<Came>::default();
        // SIGINT, too: ctrlc wakes the inbox from its thread, which may run only after the end of the child.
        handle(signal, Arc::clone(&came), wake.clone()).context("cannot handle signals")?;
        signals.push((signal, came));
    }
    unblock(&HANDLED);
    Ok(Signals::new(signals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_signals_the_one_that_came_first_is_taken_first() {
        let came = |order: u64| Arc::new(Came::at(order, order.min(1)));
        let waiting = [(SIGINT, 3), (SIGTERM, 1), (SIGHUP, 0), (SIGQUIT, 2)];
        let signals = Signals::new(waiting.map(|(signal, order)| (signal, came(order))).into());
        assert!(signals.any());
        let taken: Vec<_> = std::iter::from_fn(|| signals.take()).collect();
        assert_eq!(taken, [SIGTERM, SIGQUIT, SIGINT]);
        assert!(!signals.any());
    }

    #[test]
    fn a_signal_that_came_twice_takes_two_slots_but_is_one_stop() {
        let waiting = [(SIGUSR2, Came::at(2, 2)), (SIGTERM, Came::at(1, 2))];
        let waiting = waiting.map(|(signal, came)| (signal, Arc::new(came)));
        let signals = Signals::new(waiting.into());
        let taken: Vec<_> = std::iter::from_fn(|| signals.take()).collect();
        assert_eq!(taken, [SIGTERM, SIGUSR2, SIGUSR2]);
        assert!(!signals.any());
    }
}
