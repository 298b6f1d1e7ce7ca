//! The signals that come to progrun itself, turned into inputs of the run loop.
//!
//! The handlers of the crate signal-hook note the signal and wake the inbox, and that is all. The crate ctrlc handles SIGINT as
//! well, and its thread wakes the inbox. A signal that was ignored when progrun started stays ignored, as nohup and `cmd &` mean it to be;
//! one that was blocked is unblocked. What a signal asks of the run is decided in `stopping`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU,
    SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ,
};

use crate::system::signals::{block, handle, is_ignored, is_pending, set_default, unblock};
use crate::system::wake::Wake;

/// What is held back until there are handlers: what would end us, or stop us without the child, and what the child does.
const HELD: [i32; 9] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH, SIGCHLD,
];

/// What is handled.
const HANDLED: [i32; 9] = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGUSR1, SIGUSR2, SIGCHLD,
];

/// The signals that have come and were not taken yet.
#[derive(Default)]
pub(super) struct Signals(Vec<(i32, Arc<AtomicBool>)>);

impl Signals {
    /// The next one.
    pub(super) fn take(&self) -> Option<i32> {
        let mut signals = self.0.iter();
        let came = signals.find(|(_, came)| came.swap(false, Ordering::AcqRel));
        came.map(|(signal, _)| *signal)
    }

    /// Whether there is one.
    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|(_, came)| came.load(Ordering::Acquire))
    }
}

/// Opens the mask for the signals that we handle. To be called before any thread is started, for they inherit it.
pub(super) fn open_mask() {
    unblock(&[
        SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
    ]);
    block(&[
        // The code that stops us opens it, so as to know that we were continued. SIGCONT continues us all the same.
        SIGCONT,
        // We draw, and hand the terminal on, also while the child has it and we are in the background.
        SIGTTOU,
        // A log that reaches the limit of a file's size (ulimit -f) is an error to be told, and not the end of us.
        SIGXFSZ,
    ]);
}

/// Blocks, until [`install`] or [`release`], the signals that would end us: we would leave bars and files behind.
pub(super) fn hold() {
    // If SIGCHLD was ignored when we started, the kernel would discard the exit statuses of the children.
    set_default(SIGCHLD);
    block(&HELD);
}

/// Whether one is held back. What the child does is left out: its end is known by other means.
pub(super) fn any_held() -> bool {
    is_pending(&HELD[..HELD.len() - 1])
}

/// What was held back of the signals that ask for an end has the effect that it has by default. For a run that was over before
/// there were handlers. The others came too late to mean anything.
pub(super) fn release() {
    unblock(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]);
}

/// From now on signals are inputs.
///
/// # Errors
/// If no handler or no thread can be had.
pub(super) fn install(wake: &Wake) -> anyhow::Result<Signals> {
    let wanted: Vec<_> = HANDLED
        .into_iter()
        .filter(|signal| !is_ignored(*signal))
        .collect();
    let woken = wake.clone();
    match ctrlc::try_set_handler(move || woken.wake()) {
        // It was set before us, to be ignored.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => {}
        // Its own words are "unexpected system error", for a thread that cannot be had under `ulimit -u` as well.
        Err(ctrlc::Error::System(error)) => {
            return Err(error).context("cannot start a thread for Ctrl-C");
        }
        Err(error) => return Err(error).context("cannot handle Ctrl-C"),
    }
    let mut signals = Vec::with_capacity(wanted.len());
    for signal in wanted {
        let came = Arc::new(AtomicBool::new(false));
        // SIGINT, too: ctrlc tells of it from a thread, which may come after the end of the child.
        handle(signal, Arc::clone(&came), wake.clone()).context("cannot handle signals")?;
        signals.push((signal, came));
    }
    unblock(&HELD);
    Ok(Signals(signals))
}
