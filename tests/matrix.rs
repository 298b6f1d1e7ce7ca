//! Every signal in every phase of a run: what the command receives, what progrun tells, how progrun ends.
//!
//! Prints the same for its peers, measured, and keeps `docs/process-control.md` true. Beside that: the clocks of a run
//! that was stopped, and who holds the ends of the channel. Needs Linux, bash and the usual small commands.

mod clocks;
mod ends;
mod page;
mod phases;
mod scene;
