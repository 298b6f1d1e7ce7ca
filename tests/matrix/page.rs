//! Keeps the tables of `docs/process-control.md` as measured.
//!
//! `PROGRUN_PRINT_MATRIX=1 cargo test --test suite matrix::page` measures everything, the peers too, and writes the
//! tables into the page (and to stdout, which `-- --nocapture` shows). Otherwise only the columns of progrun are
//! compared.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::thread;

use super::phases::table;
use super::scene::{Phase, SIGNALS, Wrapper, measure};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/process-control.md");
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

const PEERS: [Wrapper; 3] = [Wrapper::Timeout, Wrapper::Parallel, Wrapper::Script];

/// The tables of the page, and whether the peers can be brought into the same situation.
const TABLES: [(Phase, bool, &str); 9] = [
    (Phase::Reporting, false, "The command runs and has reported"),
    (
        Phase::Silent,
        true,
        "The command runs and has never reported",
    ),
    (Phase::Cancelling, true, "After a SIGINT"),
    (Phase::SamePress, false, "Less than 150 ms after a SIGINT"),
    (Phase::Terminating, true, "After two SIGINTs"),
    (
        Phase::Printing,
        false,
        "The command runs and reports in a format of another program",
    ),
    (
        Phase::Draining,
        true,
        "The command has ended, but another process holds its stdout",
    ),
    (
        Phase::Ignored,
        true,
        "All these signals were ignored when progrun started",
    ),
    (
        Phase::Blocked,
        true,
        "All these signals were blocked when progrun started",
    ),
];

#[test]
fn the_page_says_what_was_measured() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (measured, after) = rest.split_once(END).unwrap();
    if std::env::var_os("PROGRUN_PRINT_MATRIX").is_some_and(|value| value == "1") {
        let tables = tables();
        fs::write(PAGE, [before, BEGIN, &tables, END, after].concat()).unwrap();
        // Not `println!`, of which clippy warns (`print_stdout`).
        std::io::stdout().write_all(tables.as_bytes()).unwrap();
        return;
    }
    for (phase, _, title) in TABLES {
        let section = measured
            .split("\n### ")
            .find(|section| section.starts_with(title));
        let section = section.unwrap_or_else(|| panic!("the page has no table: {title}"));
        for row in table(phase).lines() {
            assert!(
                section.contains(row),
                "{title}: the page has no row\n{row}\nPROGRUN_PRINT_MATRIX=1 cargo test --test suite matrix::page"
            );
        }
    }
}

fn tables() -> String {
    let mut text = String::from("\nThe peers: ");
    let versions = PEERS.map(|peer| version(peer.words()[0]));
    text.push_str(&versions.join("; "));
    text.push_str(".\n");
    for (phase, with_peers, title) in TABLES {
        let _ = writeln!(text, "\n### {title}\n");
        let peers: &[_] = if with_peers { &PEERS } else { &[] };
        let titles: Vec<_> = peers.iter().map(|peer| peer.words()[0]).collect();
        let own = "| signal | the command gets | events of progrun | progrun ends |";
        let _ = writeln!(text, "{own}{}", columns(&titles));
        let _ = writeln!(text, "|---|---|---|---|{}", "---|".repeat(peers.len()));
        for (row, cells) in table(phase).lines().zip(cells(peers, phase)) {
            let _ = writeln!(text, "{row}{cells}");
        }
    }
    text.push('\n');
    text
}

fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

/// For each signal the columns of the peers: ` INT CONT → 7 |`.
fn cells(peers: &[Wrapper], phase: Phase) -> Vec<String> {
    // All at once: they mostly sleep.
    thread::scope(|scope| {
        let rows = SIGNALS.map(|(_, signal)| {
            peers
                .iter()
                .map(|&peer| scope.spawn(move || measure(peer, phase, signal)))
                .collect::<Vec<_>>()
        });
        rows.map(|row| {
            let cells = row.into_iter().map(|cell| cell.join().unwrap());
            let cells = cells.map(|cell| format!("{} → {}", cell.received_once(), cell.ended));
            columns(&cells.collect::<Vec<_>>())
        })
        .into()
    })
}

/// ` one | another |`: further columns of a row, or nothing.
fn columns(cells: &[impl AsRef<str>]) -> String {
    let mut columns = String::new();
    for cell in cells {
        let _ = write!(columns, " {} |", cell.as_ref());
    }
    columns
}
