//! Every signal in every phase of a run: the signals that the command receives, the events, and how progrun ends.
//!
//! Measures the same for other wrappers (the peers), and keeps `docs/process-control.md` true. Also tests the clocks of
//! a run that was stopped, and which processes hold the ends of the channel. Needs Linux, bash and the usual small
//! commands.

mod clocks;
mod ends;
mod page;
mod phases;
mod scene;
