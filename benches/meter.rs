//! The measurements that no ready-made tool does. `benches/run` starts this program, mostly as a child of progrun. It
//! prints numbers; what they are compared with, and which ones are good, is not known here.

#![expect(clippy::print_stdout, reason = "numbers on stdout are what it is for")]

use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["parse"] => parse(),
        ["write", lines] => write(lines.parse()?),
        ["cancel", child, runs, progrun] => cancel(child, runs.parse()?, progrun),
        ["await-cancel"] => await_cancel(),
        ["write-until-cancel"] => write_until_cancel(),
        ["peak", ref command @ ..] => peak(command),
        ["idle", pid, seconds] => idle(pid, seconds.parse()?),
        // `cargo bench` starts it like this, too.
        _ => {
            println!("this is a part of benches/run");
            Ok(())
        }
    }
}

/// The lower bound for a reader of reports: only reading and parsing.
fn parse() -> anyhow::Result<()> {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "read for the sake of reading")]
    struct Report<'a> {
        progress: Option<f64>,
        total: Option<f64>,
        message: Option<&'a str>,
    }

    let mut reader = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        black_box(&serde_json::from_slice::<Report<'_>>(&line)?);
        line.clear();
    }
    Ok(())
}

/// Writes lines of 40 bytes, each with its own system call, and prints how many seconds that took.
fn write(lines: usize) -> anyhow::Result<()> {
    const LINE: &[u8; 40] = b"{\"progress\":500000,\"message\":\"f01.jpg\"}\n";
    let start = Instant::now();
    for _ in 0..lines {
        rustix::io::write(channel(), LINE)?;
    }
    println!("{}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Cancels fresh runs by SIGINT, and prints the median, the 99th percentile and the maximum of the microseconds from
/// the signal to the failing write of `child`.
fn cancel(child: &str, runs: usize, progrun: &str) -> anyhow::Result<()> {
    let ourselves = std::env::current_exe()?;
    let mut latencies = Vec::with_capacity(runs);
    for _ in 0..runs {
        let mut run = Command::new(progrun)
            .args(["--quiet", "--"])
            .arg(&ourselves)
            .arg(child)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(run.stdout.take().context("no stdout")?);
        let mut ready = String::new();
        output.read_line(&mut ready)?;
        let pid = i32::try_from(run.id())?;
        let pid = Pid::from_raw(pid).context("no process number")?;
        let sent = now();
        kill_process(pid, Signal::INT)?;
        let mut failed = String::new();
        output.read_to_string(&mut failed)?;
        let ended = run.wait()?;
        ensure!(
            ended.signal() == Some(Signal::INT.as_raw()),
            "progrun ended with {ended}, and not by SIGINT"
        );
        let failed: u128 = failed.trim().parse().context("reading the child's clock")?;
        latencies.push(failed.saturating_sub(sent) / 1000);
    }
    latencies.sort_unstable();
    let percentile = |percent: usize| latencies[(runs * percent / 100).min(runs - 1)];
    println!("{} {} {}", percentile(50), percentile(99), percentile(100));
    Ok(())
}

/// A child that reports once, and learns of the cancel as soon as the kernel knows: it has no interval between reports.
fn await_cancel() -> anyhow::Result<()> {
    report_and_tell()?;
    poll(
        &mut [PollFd::from_borrowed_fd(channel(), PollFlags::empty())],
        None,
    )?;
    match rustix::io::write(channel(), b"2/2\n") {
        Err(Errno::PIPE) => println!("{}", now()),
        other => bail!("the write gave {other:?} instead of a broken pipe"),
    }
    Ok(())
}

/// A child that reports without a pause.
fn write_until_cancel() -> anyhow::Result<()> {
    report_and_tell()?;
    while rustix::io::write(channel(), b"1/2\n").is_ok() {}
    println!("{}", now());
    Ok(())
}

/// Waits until progrun has read the report. A child without one is not asked to stop but interrupted.
fn report_and_tell() -> anyhow::Result<()> {
    rustix::io::write(channel(), b"1/2\n")?;
    while ioctl_fionread(channel())? > 0 {
        thread::sleep(Duration::from_micros(100));
    }
    println!("ready");
    io::stdout().flush()?;
    Ok(())
}

/// Runs a command and prints its peak resident memory in KiB: after a second, and at the end.
///
/// Read from /proc while it runs: the figure of `wait4` includes the memory of the process that forked it.
fn peak(command: &[&str]) -> anyhow::Result<()> {
    let [program, arguments @ ..] = command else {
        bail!("no command");
    };
    let mut run = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let start = Instant::now();
    let (mut early, mut last) = (0, 0);
    while run.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(10));
        let status = fs::read_to_string(format!("/proc/{}/status", run.id()))?;
        // A zombie has no memory.
        last = field(&status, "VmHWM:").unwrap_or(last);
        if start.elapsed() <= Duration::from_secs(1) {
            early = last;
        }
    }
    println!("{early} {last}");
    Ok(())
}

/// Watches a process for some seconds, and prints how much of a core it used, in percent, and how often it woke up.
fn idle(pid: &str, seconds: u64) -> anyhow::Result<()> {
    let (cpu, wakes) = used(pid)?;
    thread::sleep(Duration::from_secs(seconds));
    let (cpu_after, wakes_after) = used(pid)?;
    let watched = Duration::from_secs(seconds);
    let percent = cpu_after.saturating_sub(cpu).as_secs_f64() / watched.as_secs_f64() * 100.0;
    println!("{percent:.4} {}", wakes_after - wakes);
    Ok(())
}

/// The time on a core and the number of sleeps of all threads of a process so far.
fn used(pid: &str) -> anyhow::Result<(Duration, u64)> {
    let mut cpu = Duration::ZERO;
    let mut sleeps = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = thread?.path();
        // In nanoseconds, where /proc/PID/stat counts hundredths of a second.
        let scheduled = fs::read_to_string(folder.join("schedstat"))?;
        let nanoseconds = scheduled.split(' ').next().unwrap_or("").parse()?;
        cpu += Duration::from_nanos(nanoseconds);
        let status = fs::read_to_string(folder.join("status"))?;
        sleeps += field(&status, "voluntary_ctxt_switches:").context("no count of sleeps")?;
    }
    Ok((cpu, sleeps))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Nanoseconds on a clock that all processes share.
fn now() -> u128 {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
    .as_nanos()
}

#[expect(unsafe_code, reason = "the channel is a number that we were given")]
fn channel() -> BorrowedFd<'static> {
    // SAFETY: descriptor 3 is open from the start of this program, which never closes it.
    unsafe { BorrowedFd::borrow_raw(3) }
}
