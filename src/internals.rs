//! What this program's own tests, benchmarks and fuzz targets reach. No part of the interface: it changes without notice.

/// One child.
pub mod child {
    pub use crate::child::{line, run};
}
pub use crate::child::{Launch, Notice};
pub use crate::cli::command;
pub use crate::dialect::json::{FORMATS, Json};
pub use crate::dialect::{Dialects, Lines, Place, Selection, formats};
pub use crate::eta::Estimate;
pub use crate::model::batch::{Batch, VerbatimLine};
pub use crate::model::route::Route;
pub use crate::model::verdict::{Meaning, Verdicts};
pub use crate::system::signals::block;

/// What has to hold for any bytes at all. `cargo fuzz` sets `fuzzing`.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::dialect::fuzz::{dialects, zig};
    pub use crate::sink::fuzz::{bars, line_buffer, text};
    pub use crate::vt::fuzz::requests;
    pub use progrun_task::protocol::fuzz::{decoder, object};
}
