//! Runs 1,000 callables, four at a time, as `progrun each` runs commands: a future exists only while its task runs, so
//! memory does not grow with the list; a task that fails gets two further attempts; after so many failures the rest is
//! cancelled. `cargo run -p progrun-task --example thousand [FAILURES]`

use progrun_task::{FutureState, ProgressExecutor, ProgressReporter, submit_progress};
use std::collections::VecDeque;
use std::io::Write;
use std::num::NonZeroUsize;

/// Half of the numbers that 7 divides fail at their first attempt, and those that 77 divides always.
fn work(number: u32, attempt: u32, progress: &ProgressReporter<u32>) -> anyhow::Result<u32> {
    for step in 1..=3 {
        progress.report(step)?; // after a cancel, the callable ends here
    }
    let fails = number.is_multiple_of(77) || number.is_multiple_of(14) && attempt == 1;
    anyhow::ensure!(!fails, "number {number}, attempt {attempt}");
    Ok(number)
}

fn main() -> anyhow::Result<()> {
    let at_most = std::env::args()
        .nth(1)
        .map_or(Ok(usize::MAX), |it| it.parse())?;
    let executor = ProgressExecutor::new(NonZeroUsize::new(4).expect("four is not zero"));
    let (mut list, mut again, mut running) = (1..=1000, VecDeque::new(), Vec::new());
    let (mut sum, mut failed, mut cancelled) = (0, 0, 0);
    while !running.is_empty() || failed < at_most && (!again.is_empty() || !list.is_empty()) {
        while failed < at_most && running.len() < 4 {
            let next = again
                .pop_front()
                .or_else(|| list.next().map(|number| (number, 1)));
            let Some((number, attempt)) = next else { break };
            let task = move |progress: &ProgressReporter<u32>| work(number, attempt, progress);
            running.push((number, attempt, submit_progress(&executor, task)?));
        }
        executor.route_until(|| running.iter().any(|(.., future)| future.done()), None)?;
        for (number, attempt, future) in running.extract_if(.., |(.., future)| future.done()) {
            match future.state() {
                FutureState::Completed => sum += future.result()?,
                FutureState::Cancelled => cancelled += 1,
                _ if attempt < 3 && failed < at_most => again.push_back((number, attempt + 1)),
                _ => failed += 1,
            }
        }
        if failed >= at_most {
            for (.., future) in &running {
                future.cancel();
            }
        }
    }
    writeln!(
        std::io::stdout(),
        "sum {sum}, {failed} failed, {cancelled} cancelled"
    )?;
    Ok(())
}
