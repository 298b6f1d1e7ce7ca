//! The parts that this program's own tests, benchmarks and fuzz targets use. No part of the interface: it changes
//! without notice.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::list::{List, News, Specification};
use crate::run::{self, Limits, Many, OrderRules, Settings, Timeouts};
use crate::sink::{Display, JsonPlace, Progress, Show, Tty};

pub use crate::cli::command;
pub use crate::dialect::json::{FORMATS, Json};
pub use crate::dialect::{Dialects, Lines, Place, Selection, formats};
pub use crate::eta::Estimate;
pub use crate::model::batch::{Batch, VerbatimLine};
pub use crate::model::verdict::{Meaning, Verdicts};

/// Runs a list, `slots` of its commands at once, with its events in the file `events`, and ends the process as the run
/// ends.
///
/// # Errors
/// If progrun itself cannot do its part.
pub fn run_list(
    list: Vec<Vec<OsString>>,
    slots: u32,
    events: PathBuf,
) -> anyhow::Result<Infallible> {
    let specification =
        |(index, command)| Specification::of_command(format!("task {}", index + 1), command);
    let list = list.into_iter().enumerate().map(specification).collect();
    let settings = Settings {
        slots,
        many: Some(Many {
            rules: OrderRules::USUAL,
            limits: Limits::default(),
            deadline: None,
            jobserver: false,
            command: Vec::new(),
            warnings: Vec::new(),
            news: News::default(),
        }),
        channel: 3,
        timeouts: Timeouts {
            timeout: None,
            grace: Some(Duration::from_secs(10)),
            kill_after: Some(Duration::from_secs(5)),
            kills_after_interrupt: false,
            timeout_signal: libc::SIGTERM,
        },
        preserve_status: false,
        wait_output: false,
        from: Selection::Auto,
        display: Display {
            name: "list".to_owned(),
            progress: Progress::Auto,
            color: Some(false),
            json: Some(JsonPlace::File(events)),
            log: None,
            output: Show::Stream,
            tty: Tty::Auto,
            many: None,
        },
    };
    let outcome = run::run(&settings, List::of(list), None)?;
    run::end_all(outcome.ending, outcome.scope)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use crate::system::start::prepare;

/// The properties that have to hold for any bytes. `cargo fuzz` sets `fuzzing`.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::dialect::fuzz::{dialects, zig};
    pub use crate::sink::fuzz::{bars, line_buffer, text};
    pub use crate::vt::fuzz::requests;
    pub use progrun_task::protocol::fuzz::{decoder, object};
}
