//! `progrun agent`: the other end of `--on`, on the machine where the command runs. It says who it is, reads what to run,
//! and runs it, with its events on stdout and instructions on stdin. Not for people.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::child::{self, Terms};
use crate::event::Ending;
use crate::list::{List, Specification, Stdin};
use crate::reason::{reason, reasons};
use crate::run::{self, FAILED, ForAgent, Settings, Timeouts};
use crate::sink::{Display, Logs, Progress, Show, Tty};
use crate::system::machine;
use crate::wire::agent::{Hello, Order, PROTOCOL, numbered, refused};

use super::formats;
use super::values::processors;

/// How long the first line may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Run a command for a progrun on another machine
#[derive(Debug, Parser)]
#[command(
    name = "agent",
    hide = true,
    override_usage = "progrun agent [--check VERSION]",
    max_term_width = 110
)]
#[group(skip)]
pub(super) struct Agent {
    /// Only say by the exit status whether VERSION of the agent protocol is spoken
    #[arg(long, value_name = "VERSION")]
    check: Option<u32>,
}

impl Agent {
    /// Runs what comes on stdin, and gives how the process is to end.
    pub(super) fn run(self) -> Ending {
        if let Some(version) = self.check {
            return Ending::Status(i32::from(version != PROTOCOL));
        }
        let mut next = 1;
        let mut say = |line: &str| {
            let line = numbered(line, &mut next);
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(line.as_bytes())
                .and_then(|()| stdout.flush())
        };
        // The name that its users know, where the nodes of a cluster have another.
        let node = std::env::var("SLURMD_NODENAME").ok();
        let host = node.unwrap_or_else(machine::host);
        let hello = Hello::new(host, processors(), job());
        if say(&hello.line()).is_err() {
            return Ending::Status(FAILED);
        }
        let order = match run::first_line(Some(PATIENCE)) {
            Ok(Some((line, rest))) => Order::read(&line).map(|order| (order, rest)),
            // The other side has changed its mind.
            Ok(None) => return Ending::Status(0),
            Err(error) => Err(format!("cannot read what to run: {}", reason(&error))),
        };
        let ran = order.and_then(|(order, rest)| {
            let (settings, list) = prepare(order, rest);
            run::run(&settings, list, None).map_err(|error| reasons(&error))
        });
        match ran {
            // The last line says how the command has ended. Engines make a noise about other statuses.
            Ok(_) => Ending::Status(0),
            Err(sentence) => {
                let _ = say(&refused(&sentence));
                Ending::Status(FAILED)
            }
        }
    }
}

/// As which job of Slurm this process runs.
fn job() -> Option<String> {
    let variable = |name| std::env::var(name).ok();
    let job = variable("SLURM_JOB_ID")?;
    Some(match variable("SLURM_STEP_ID") {
        Some(step) => format!("{job}.{step}"),
        None => job,
    })
}

/// PATH with the folder of this program, if no progrun is found there: scripts call `progrun report`.
fn path_with_us() -> Option<(String, Option<OsString>)> {
    child::missing("progrun".as_ref())?;
    let program = std::env::current_exe().ok()?;
    let folder = program.parent().filter(|_| program.ends_with("progrun"))?;
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain([folder.to_owned()]);
    Some(("PATH".to_owned(), Some(std::env::join_paths(folders).ok()?)))
}

fn prepare(order: Order, read: Vec<u8>) -> (Settings, List) {
    let name: OsString = order.name.into();
    let name = name.to_string_lossy().into_owned();
    let command = order.command.into_iter().map(Into::into).collect();
    let folder: Option<PathBuf> = order.folder.map(Into::into);
    let missing = folder.as_ref().filter(|folder| !folder.is_dir());
    let fault = missing.map(|folder| {
        format!(
            "there is no directory {} (name another with --chdir)",
            folder.display()
        )
    });
    let variable = |(name, value): (_, Option<_>)| {
        let name = OsString::from(name);
        (name.to_string_lossy().into_owned(), value.map(Into::into))
    };
    let mut variables: Vec<_> = order.variables.into_iter().map(variable).collect();
    variables.extend(path_with_us());
    let specification = Specification {
        stdin: order
            .stdin
            .map_or(Stdin::Null, |path| Stdin::File(PathBuf::from(path))),
        folder,
        variables,
        fault,
        ..Specification::of_command(name.clone(), command)
    };
    let lease = order.lease.map(Duration::from_millis);
    if let Some((columns, rows)) = order.size {
        child::set_size(columns, rows);
    }
    let agent = run::Agent {
        lease,
        beat: lease.map(Terms::beat),
        read,
        release: order.release,
    };
    let wishes = ForAgent {
        routes: order.streams.map(Into::into),
        every_report: order.every_report,
        observe: order.observe,
    };
    let settings = Settings {
        slots: 1,
        many: None,
        channel: order.channel,
        timeouts: Timeouts {
            timeout: None,
            grace: Some(Duration::from_millis(order.patience.grace)),
            kill_after: Some(Duration::from_millis(order.patience.kill_after)),
            kills_after_interrupt: true,
            timeout_signal: libc::SIGTERM,
        },
        preserve_status: false,
        wait_output: order.wait_output,
        from: formats::selection(&order.from),
        display: Display {
            name,
            progress: Progress::None,
            color: None,
            json: None,
            logs: Logs::default(),
            output: Show::Stream,
            tty: Tty::Never,
            caller: None,
            notify: None,
            many: None,
            elsewhere: false,
            remote: false,
            memory: None,
        },
        elsewhere: None,
        agent: Some((agent, wishes)),
    };
    (settings, List::one(specification))
}
