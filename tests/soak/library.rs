//! Many tasks of one executor: no thread, descriptor or child is left over.

use std::fs;
use std::num::NonZeroUsize;
use std::time::Duration;

use progrun::executor::Builder;
use progrun::{FutureState, ProgressExecutor, ProgressFuture, ProgressReporter, submit_progress};

/// Threads, descriptors and children of this process.
fn belongings() -> (usize, usize, String) {
    let count = |folder: &str| fs::read_dir(folder).unwrap().count();
    let children = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = children
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default())
        .collect();
    (count("/proc/self/task"), count("/proc/self/fd"), children)
}

#[test]
fn many_tasks_of_one_executor_leave_nothing() {
    let before = belongings();
    let executor: ProgressExecutor<usize, usize> =
        Builder::new(NonZeroUsize::new(4).unwrap()).build();
    let mut under_way = Vec::new();
    for number in 0..2000_usize {
        let task = move |reporter: &ProgressReporter<usize>| {
            for step in 0..3 {
                reporter.report(step)?;
            }
            match number % 4 {
                0 => anyhow::bail!("as told"),
                1 => panic!("as told"),
                _ => Ok(number),
            }
        };
        under_way.push(submit_progress(&executor, task).unwrap());
        if number % 5 == 0 {
            under_way.last().unwrap().cancel();
        }
    }
    executor
        .route_until(|| under_way.iter().all(ProgressFuture::done), None)
        .unwrap();
    for (number, future) in under_way.iter().enumerate() {
        let expected = match (number % 5, number % 4) {
            (0, _) => FutureState::Cancelled,
            (_, 0 | 1) => FutureState::Failed,
            _ => FutureState::Completed,
        };
        assert_eq!(future.state(), expected, "{number}");
    }
    drop(under_way);
    executor.shutdown(Some(Duration::from_secs(100))).unwrap();
    drop(executor);
    // A thread that was joined is still listed for a moment.
    while belongings() != before {
        std::thread::yield_now();
    }
}
