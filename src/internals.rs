//! The parts that this program's own tests, benchmarks and fuzz targets use. No part of the interface: it changes
//! without notice.

pub use crate::cli::command;
pub use crate::dialect::json::{FORMATS, Json};
pub use crate::dialect::{Dialects, Lines, Place, Selection, formats, programs, programs_of};
pub use crate::eta::{ByTime, Curve, Estimate, Forecast, OfTask, Past, Recorder, RunEstimate};
pub use crate::model::batch::{Batch, VerbatimLine};
pub use crate::model::verdict::{Meaning, Verdicts};

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use crate::system::start::prepare;

/// The properties that have to hold for any bytes. `cargo fuzz` sets `fuzzing`.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::dialect::fuzz::{dialects, zig};
    pub use crate::sink::fuzz::{bars, line_buffer, text};
    pub use crate::vt::fuzz::{requests, transcript};
    pub use progrun_task::protocol::fuzz::{decoder, object};
}
