//! The library alone: reports per second through executor and future, and a task from its submit to its end.
//!
//! `benches/peer.py` does the same with the library that this one is modelled on.

use std::cell::Cell;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::rc::Rc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use progrun::{ProgressExecutor, submit_progress};

const REPORTS: u64 = 100_000;

fn reports(criterion: &mut Criterion) {
    let executor = ProgressExecutor::<u64, ()>::new(NonZeroUsize::MIN);
    let mut group = criterion.benchmark_group("library");
    group.throughput(Throughput::Elements(REPORTS));
    group.bench_function("reports", |bencher| {
        bencher.iter(|| {
            let future = submit_progress(&executor, |progress| {
                for number in 0..REPORTS {
                    progress.report(number)?;
                }
                Ok(())
            })
            .expect("the executor runs");
            let seen = Rc::new(Cell::new(0));
            let counter = Rc::clone(&seen);
            future.on_progress(move |_| counter.set(counter.get() + 1));
            executor
                .route_until(|| future.done(), None)
                .expect("no message is illegal");
            assert_eq!(seen.get(), REPORTS);
        });
    });
    group.finish();
}

fn submit(criterion: &mut Criterion) {
    let executor = ProgressExecutor::<(), u64>::new(NonZeroUsize::MIN);
    let mut group = criterion.benchmark_group("library");
    group.bench_function("submit", |bencher| {
        bencher.iter(|| {
            let future = submit_progress(&executor, |_| Ok(0)).expect("the executor runs");
            executor
                .route_until(|| future.done(), None)
                .expect("no message is illegal");
            black_box(future.result().is_ok())
        });
    });
    group.finish();
}

criterion_group!(benches, reports, submit);
criterion_main!(benches);
