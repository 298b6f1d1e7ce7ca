//! Output that is made to be expensive: its cost grows linearly with its length, and the memory for it is bounded.
//!
//! The cost is the processor time of the whole run, on which a busy machine has little effect.

use std::fmt::Write;
use std::fs;

use crate::pty::{End, terminal};

/// Bytes of the longest output. Quadratic work on it takes minutes.
const LONG: usize = 256 * 1024;
/// As [`LONG`], for output that is written byte by byte.
const MANY: usize = 20_000;
/// The most memory that progrun may use, in kilobytes, in a build for tests.
const MEMORY: u64 = 16 * 1024;

/// Runs a command on a terminal that sends `output` there by `send`. Returns the processor time of the run in seconds,
/// and the largest memory of progrun in kilobytes.
fn cost(output: &[u8], send: &str) -> (f64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("output");
    fs::write(&path, output).unwrap();
    let timed = r#"TIMEFORMAT="%U %S"; { time "$@" 2>&3; } 3>&2 2>times"#;
    let command = [
        "bash",
        "-c",
        timed,
        "bash",
        env!("CARGO_BIN_EXE_progrun"),
        "--name=job",
        "--",
        "sh",
        "script",
    ];
    let path = path.display();
    let script = format!("{send} <'{path}'; cat /proc/$PPID/status >status");
    let mut terminal = terminal().job_of(&command, &script);
    assert_eq!(terminal.ends(), End::Status(0));
    let read = |name| fs::read_to_string(terminal.folder.path().join(name)).unwrap();
    let seconds = read("times");
    let seconds = seconds.split_whitespace();
    let seconds = seconds.map(|time| time.parse::<f64>().unwrap()).sum();
    let status = read("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let memory = line.unwrap().trim().strip_suffix(" kB").unwrap();
    (seconds, memory.parse().unwrap())
}

#[track_caller]
fn is_linear(what: &str, output: &[u8], send: &str) {
    let (begin, _) = cost(b"", send);
    let (quarter, _) = cost(&output[..output.len() / 4], send);
    let (whole, memory) = cost(output, send);
    // The whole costs four times a quarter, or sixteen times if the work were quadratic; half a second is noise.
    let bound = 8.0 * (quarter - begin).max(0.0) + begin + 0.5;
    assert!(
        whole < bound,
        "{what}: {begin} s, {quarter} s for a quarter, {whole} s for all"
    );
    assert!(memory < MEMORY, "{what}: {memory} kB");
}

/// `piece` again and again.
fn again(piece: &str) -> Vec<u8> {
    piece.bytes().cycle().take(LONG).collect()
}

#[test]
fn lines_that_do_not_end_cost_what_their_length_does() {
    for piece in [
        "x",
        "x 42% ",
        "3/10 ",
        "\t",
        "é\u{301}",
        "\u{1f469}\u{200d}",
    ] {
        is_linear(piece, &again(piece), "cat");
        is_linear(piece, &again(piece), "cat >&3");
    }
}

#[test]
fn halves_of_what_is_looked_for_cost_what_their_length_does() {
    for piece in [
        "{\"message_type\":\"status\",\"percent_done\":",
        "{\"event\":\"progress\"",
        "[",
        "{\"a\":",
        "##teamcity[",
        "@nix {",
        "\r[####",
        "\r 42%",
        "\r42% x\x08",
        "1..",
        "frame=",
    ] {
        is_linear(piece, &again(piece), "cat");
        is_linear(piece, &again(&format!("{piece}\n")), "cat");
    }
}

#[test]
fn deep_and_endless_sequences_cost_what_their_length_does() {
    for piece in [
        "\x1b[1;",
        "1;2;3;",
        "\x1b[",
        "\x1b]8;;",
        "\x1bP",
        "\x1b[1mx",
        "\x1b[Ax\n",
        "\x1b[99Cx\r",
        "\x1b7\x1b[9;9Hx\x1b8",
        "\x1b[999B",
        "\x1b[2K\x1b[A",
        "\u{9b}",
    ] {
        is_linear(piece, &again(piece), "cat");
        is_linear(piece, &[b"\x1b]", &again(piece)[..]].concat(), "cat");
    }
}

#[test]
fn thousands_of_parts_cost_what_their_number_does() {
    let mut reports = String::new();
    let mut number = 0;
    while reports.len() < LONG {
        number += 1;
        writeln!(
            reports,
            "{{\"id\":{number},\"parent\":{},\"progress\":1,\"total\":2,\"title\":\"a part\"}}",
            number / 2
        )
        .unwrap();
    }
    is_linear("reports", reports.as_bytes(), "cat >&3");
    let closed = reports.replace("\"title\"", "\"status\":\"ok\",\"title\"");
    is_linear("parts that are over", closed.as_bytes(), "cat >&3");
}

#[test]
fn many_small_writes_below_many_lines_cost_what_their_number_does() {
    let page = format!("{}\\033[127A", "\\n".repeat(127));
    let lines = format!(
        "i=0; while [ $i -lt 130 ]; do i=$((i + 1)); printf '%4000s\\n' x; done; printf '{page}'"
    );
    for piece in ["\r", "\r1%", "\x1b[A\x1b[B", "x\x08"] {
        let output: Vec<u8> = piece.bytes().cycle().take(MANY).collect();
        is_linear(piece, &output, &format!("{lines}; dd bs=1 status=none"));
    }
}
