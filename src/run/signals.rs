//! The signals that come to progrun itself, turned into inputs of the run loop.
//!
//! ctrlc for SIGINT; signal-hook for those that ctrlc cannot tell apart. What was ignored when we started stays ignored,
//! for nohup and `cmd &` mean it, and what was blocked is unblocked.

use std::thread;

use anyhow::Context;
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTOU,
    SIGUSR1, SIGUSR2, SIGWINCH, SIGXFSZ,
};
use signal_hook::iterator::Signals;

use crate::child;

use super::{Inbox, Input};

/// What ends a process that does not handle it.
const ENDING: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// Opens the mask for the signals that we handle. To be called before any thread is started, for they inherit it.
pub(super) fn open_mask() {
    child::unblock(&[
        SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
    ]);
    // The worker opens it for itself: any other thread would only be woken to pass it on.
    child::block(SIGCHLD);
    // Whoever stops us opens it, so as to know that we were continued. It continues us all the same.
    child::block(SIGCONT);
    // We draw, and hand the terminal on, also while the child has it and we are in the background.
    child::block(SIGTTOU);
    // A log that reaches the limit of a file's size (ulimit -f) is an error to be told, and not the end of us.
    child::block(SIGXFSZ);
}

/// From now on, and until [`install`], what would end us waits: there will be something to clear away.
pub(super) fn hold() {
    for signal in ENDING {
        child::block(signal);
    }
}

/// From now on signals are inputs.
pub(super) fn install(inbox: &Inbox<Input>) -> anyhow::Result<()> {
    let interrupts = inbox.clone();
    match ctrlc::try_set_handler(move || {
        interrupts.send_first(Input::Signal(SIGINT));
    }) {
        // Somebody set it before us, to be ignored.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => {}
        // Its own words are "unexpected system error", for a thread that cannot be had under `ulimit -u` as well.
        Err(ctrlc::Error::System(error)) => {
            return Err(error).context("cannot start a thread for Ctrl-C");
        }
        Err(error) => return Err(error).context("cannot handle Ctrl-C"),
    }
    let wanted = [
        SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGUSR1, SIGUSR2,
    ];
    let wanted = wanted
        .into_iter()
        .filter(|signal| !child::is_ignored(*signal));
    let mut signals = Signals::new(wanted).context("cannot handle signals")?;
    let inbox = inbox.clone();
    thread::Builder::new()
        .name("progrun-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if !inbox.send_first(Input::Signal(signal)) {
                    return;
                }
            }
        })
        .context("cannot start a thread for signals")?;
    child::unblock(&ENDING);
    Ok(())
}
