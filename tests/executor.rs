//! What an executor promises about its life, its workers and its messages.
//!
//! The tests named `test_...` are the scenarios of the same name in traits-futures, the Python library that this one is
//! modelled on. These scenarios are left out, because Rust leaves nothing in them to test:
//!
//! - `test_submit_call_method`, `test_submit_iteration_method`, `test_submit_progress_method`: deprecated
//!   methods, and positional and named arguments; a closure captures what it needs.
//! - `test_submit_from_background_thread`: does not compile; a doc test of `executor` holds it to that.
//! - The runs with an external pool and with processes: an executor owns its threads, and only threads.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use progrun::ExecutorState::{Running, Stopped, Stopping};
use progrun::executor::{
    Builder, Job, NotRunning, RouteError, StateTransitionError, SubmitError, TaskSender,
    TaskSpecification,
};
use progrun::progress::Message;
use progrun::{
    BackgroundProgress, ExecutorState, FutureState, ProgressCancelled, ProgressExecutor,
    ProgressFuture, submit_progress,
};

type Executor = ProgressExecutor<u32, u32>;
type Future = ProgressFuture<u32, u32>;

const SHORT: Option<Duration> = Some(Duration::from_millis(10));
const NO_TIME: Option<Duration> = Some(Duration::ZERO);

fn workers(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn executor() -> Executor {
    Executor::new(workers(4))
}

fn states(executor: &Executor) -> Rc<RefCell<Vec<ExecutorState>>> {
    let seen = Rc::new(RefCell::new(vec![executor.state()]));
    let states = Rc::clone(&seen);
    executor.on_state(move |change| {
        assert_eq!(states.borrow().last(), Some(&change.old));
        states.borrow_mut().push(change.new);
    });
    seen
}

/// Submits a task that never reports, and ends when the returned sender is dropped. The task already runs, though the
/// future still says waiting: a task that no worker has reached would simply be abandoned.
fn submit_blocked(executor: &Executor) -> (Future, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let (start, started) = mpsc::channel();
    let future = submit_progress(executor, move |_| {
        start.send(())?;
        let _ = released.recv();
        Ok(0)
    })
    .unwrap();
    started.recv().unwrap();
    (future, release)
}

fn submit_blocked_and_see_it_start(executor: &Executor) -> (Future, mpsc::Sender<()>) {
    let (future, release) = submit_blocked(executor);
    executor
        .route_until(|| future.state() == FutureState::Executing, None)
        .unwrap();
    (future, release)
}

/// Submits a task that reports until it is cancelled.
fn submit_endless(executor: &Executor) -> Future {
    submit_progress(executor, |progress| {
        loop {
            progress.report(1)?;
        }
    })
    .unwrap()
}

fn until_stopped(executor: &Executor) {
    executor.route_until(|| executor.stopped(), None).unwrap();
}

// The life of an executor.

#[test]
fn test_stop_method() {
    let executor = executor();
    let states = states(&executor);
    let (_, release) = submit_blocked_and_see_it_start(&executor);
    assert_eq!(executor.state(), Running);
    executor.stop().unwrap();
    assert_eq!(executor.state(), Stopping);
    drop(release);
    until_stopped(&executor);
    assert_eq!(executor.state(), Stopped);
    assert_eq!(*states.borrow(), [Running, Stopping, Stopped]);
}

#[test]
fn test_stop_method_with_no_jobs() {
    let executor = executor();
    let states = states(&executor);
    executor.stop().unwrap();
    assert_eq!(executor.state(), Stopped);
    assert_eq!(*states.borrow(), [Running, Stopping, Stopped]);
}

#[test]
fn test_stop_method_raises_unless_running() {
    let executor = executor();
    let (_, release) = submit_blocked(&executor);
    executor.stop().unwrap();
    assert_eq!(executor.stop(), Err(NotRunning { state: Stopping }));
    drop(release);
    until_stopped(&executor);
    assert_eq!(executor.stop(), Err(NotRunning { state: Stopped }));
}

#[test]
fn test_shutdown_when_already_stopping() {
    let executor = executor();
    let (_, release) = submit_blocked(&executor);
    executor.stop().unwrap();
    assert_eq!(executor.state(), Stopping);
    drop(release);
    executor.shutdown(None).unwrap();
    assert_eq!(executor.state(), Stopped);
}

#[test]
fn test_shutdown_does_nothing_if_stopped() {
    let executor = executor();
    executor.stop().unwrap();
    let states = states(&executor);
    executor.shutdown(None).unwrap();
    executor.shutdown(NO_TIME).unwrap();
    assert_eq!(*states.borrow(), [Stopped]);
}

#[test]
fn test_shutdown_cancels_running_futures() {
    let executor = executor();
    let future = submit_endless(&executor);
    executor.shutdown(None).unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
    assert!(executor.stopped());
}

#[test]
fn test_no_future_updates_after_shutdown() {
    let executor = executor();
    let future = submit_endless(&executor);
    executor.shutdown(None).unwrap();
    future.on_state(|_| panic!("nothing may follow"));
    assert_eq!(executor.dispatch_one(), Ok(false));
    assert_eq!(future.state(), FutureState::Cancelled);
}

#[test]
fn test_shutdown_goes_through_stopping_state() {
    let executor = executor();
    let states = states(&executor);
    executor.shutdown(None).unwrap();
    assert_eq!(*states.borrow(), [Running, Stopping, Stopped]);
}

#[test]
fn test_shutdown_waits_for_background_tasks() {
    let executor = executor();
    let (start, started) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    submit_progress(&executor, {
        let ended = Arc::clone(&ended);
        move |progress| {
            let (wake, woken) = mpsc::channel();
            progress.on_cancel(move || wake.send(()).unwrap());
            start.send(())?;
            // From here on the shutdown has begun.
            woken.recv()?;
            ended.store(true, Ordering::SeqCst);
            Ok(0)
        }
    })
    .unwrap();
    started.recv().unwrap();
    executor.shutdown(None).unwrap();
    assert!(ended.load(Ordering::SeqCst));
}

#[test]
fn test_shutdown_timeout() {
    let executor = executor();
    let (_, release) = submit_blocked(&executor);
    let error = executor.shutdown(SHORT).unwrap_err();
    assert_eq!(error.to_string(), "timed out with 1 tasks still running");
    assert_eq!(executor.state(), Stopping);
    drop(release);
    executor.shutdown(None).unwrap();
    assert_eq!(executor.state(), Stopped);
}

#[test]
fn test_cant_submit_new_unless_running() {
    let executor = executor();
    let (_, release) = submit_blocked(&executor);
    executor.stop().unwrap();
    let error = submit_progress(&executor, |_| Ok(1)).unwrap_err();
    assert_eq!(error.to_string(), "the executor is stopping, not running");
    drop(release);
    until_stopped(&executor);
    let error = submit_progress(&executor, |_| Ok(1)).unwrap_err();
    assert_eq!(error.to_string(), "the executor is stopped, not running");
}

#[test]
fn test_stop_cancels_running_futures() {
    let executor = executor();
    let (future, release) = submit_blocked_and_see_it_start(&executor);
    executor.stop().unwrap();
    assert_eq!(future.state(), FutureState::Cancelling);
    drop(release);
    until_stopped(&executor);
    assert_eq!(future.state(), FutureState::Cancelled);
}

/// Reads `running` and `stopped` before, after `stop`, and when stopped.
fn running_and_stopped() -> [(bool, bool); 3] {
    let executor = executor();
    let (_, release) = submit_blocked(&executor);
    let before = (executor.running(), executor.stopped());
    executor.stop().unwrap();
    let stopping = (executor.running(), executor.stopped());
    drop(release);
    until_stopped(&executor);
    [before, stopping, (executor.running(), executor.stopped())]
}

#[test]
fn test_running() {
    let running = running_and_stopped().map(|(running, _)| running);
    assert_eq!(running, [true, false, false]);
}

#[test]
fn test_stopped() {
    let stopped = running_and_stopped().map(|(_, stopped)| stopped);
    assert_eq!(stopped, [false, false, true]);
}

#[test]
fn test_states_consistent() {
    let executor = Rc::new(executor());
    let seen = Rc::new(RefCell::new(Vec::new()));
    executor.on_state({
        let (executor, seen) = (Rc::downgrade(&executor), Rc::clone(&seen));
        move |_| {
            let executor = executor.upgrade().unwrap();
            let now = (executor.state(), executor.running(), executor.stopped());
            seen.borrow_mut().push(now);
        }
    });
    submit_endless(&executor);
    executor.stop().unwrap();
    until_stopped(&executor);
    let expected = [(Stopping, false, false), (Stopped, false, true)];
    assert_eq!(*seen.borrow(), expected);
}

/// How often `running` and `stopped` changed.
fn changes_until_stopped(executor: &Executor) -> (u32, u32) {
    let (running, stopped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    executor.on_state({
        let (running, stopped) = (Rc::clone(&running), Rc::clone(&stopped));
        move |change| {
            let ran = (change.old == Running) != (change.new == Running);
            running.set(running.get() + u32::from(ran));
            let stops = (change.old == Stopped) != (change.new == Stopped);
            stopped.set(stopped.get() + u32::from(stops));
        }
    });
    executor.stop().unwrap();
    until_stopped(executor);
    (running.get(), stopped.get())
}

#[test]
fn test_running_and_stopped_fired_only_once() {
    let executor = executor();
    submit_endless(&executor);
    assert_eq!(changes_until_stopped(&executor), (1, 1));
}

#[test]
fn test_running_and_stopped_fired_only_once_no_futures() {
    assert_eq!(changes_until_stopped(&executor()), (1, 1));
}

#[test]
fn test_multiple_futures() {
    let executor = executor();
    let futures: Vec<Future> = (0..100)
        .map(|i| submit_progress(&executor, move |_| Ok(i * i)).unwrap())
        .collect();
    executor
        .route_until(|| futures.iter().all(Future::done), None)
        .unwrap();
    for (i, future) in (0..).zip(&futures) {
        assert_eq!(future.result(), Ok(&(i * i)));
    }
}

#[test]
fn test_stop_with_multiple_futures() {
    let executor = executor();
    let futures: Vec<Future> = (0..100)
        .map(|i| submit_progress(&executor, move |_| Ok(i)).unwrap())
        .collect();
    executor.stop().unwrap();
    until_stopped(&executor);
    for future in futures {
        assert_eq!(future.state(), FutureState::Cancelled);
    }
}

// Dispatching.

#[test]
fn test_send_and_receive_multiple_senders() {
    let executor = ProgressExecutor::<u32, u32>::new(workers(8));
    let received: Vec<_> = (0..64)
        .map(|task| {
            let future = submit_progress(&executor, move |progress| {
                (0..64).try_for_each(|i| progress.report(task * 1000 + i))?;
                Ok(task)
            })
            .unwrap();
            let infos = Rc::new(RefCell::new(Vec::new()));
            let seen = Rc::clone(&infos);
            future.on_progress(move |info| seen.borrow_mut().push(*info));
            (future, infos)
        })
        .collect();
    executor
        .route_until(|| received.iter().all(|(future, _)| future.done()), None)
        .unwrap();
    for (task, (future, infos)) in (0..).zip(&received) {
        assert_eq!(future.result(), Ok(&task));
        let expected: Vec<u32> = (0..64).map(|i| task * 1000 + i).collect();
        assert_eq!(*infos.borrow(), expected);
    }
}

#[test]
fn test_route_until_timeout() {
    let executor = executor();
    let (_, _release) = submit_blocked(&executor);
    let error = executor.route_until(|| false, SHORT).unwrap_err();
    assert_eq!(error, RouteError::TimedOut { running: 1 });
}

#[test]
fn test_route_until_timeout_with_repeated_messages() {
    let executor = executor();
    let (go_on, may_go_on) = mpsc::channel();
    let (queue, queued) = mpsc::channel();
    let wake = go_on.clone();
    let future = submit_progress(&executor, move |progress| {
        progress.on_cancel(move || wake.send(()).unwrap());
        for i in 0.. {
            progress.report(i)?;
            queue.send(())?;
            may_go_on.recv()?;
        }
        Ok(0)
    })
    .unwrap();
    queued.recv().unwrap();
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    future.on_progress(move |_| {
        counted.set(counted.get() + 1);
        assert!(counted.get() < 100, "this would go on for ever");
        // This way one more message is always in the queue.
        go_on.send(()).unwrap();
        queued.recv().unwrap();
    });
    let error = executor.route_until(|| false, NO_TIME).unwrap_err();
    assert_eq!(error, RouteError::TimedOut { running: 1 });
    assert_eq!(count.get(), 1);
}

#[test]
fn test_route_until_second_call_after_timeout() {
    let executor = executor();
    let (future, release) = submit_blocked(&executor);
    executor.route_until(|| future.done(), NO_TIME).unwrap_err();
    drop(release);
    executor.route_until(|| future.done(), None).unwrap();
}

#[test]
fn test_route_until_timeout_with_queued_messages() {
    let executor = executor();
    let (signal, signalled) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        (0..10).try_for_each(|i| progress.report(i))?;
        signal.send(())?;
        Ok(1)
    })
    .unwrap();
    let count = Rc::new(Cell::new(0));
    let counted = Rc::clone(&count);
    future.on_progress(move |_| counted.set(counted.get() + 1));
    signalled.recv().unwrap();
    executor.route_until(|| count.get() == 10, NO_TIME).unwrap();
}

#[test]
fn each_message_is_announced_once_and_keeps_its_place_among_other_inputs() {
    #[derive(Debug, PartialEq)]
    enum Input {
        Message,
        Other,
    }

    let (inputs, input) = mpsc::channel();
    let ping = inputs.clone();
    let executor = Builder::new(workers(1))
        .on_message(move |_| ping.send(Input::Message).unwrap())
        .build();
    let future = submit_progress(&executor, move |progress| {
        progress.report("before")?;
        inputs.send(Input::Other)?;
        progress.report("after")?;
        Ok(())
    })
    .unwrap();
    let story = Rc::new(RefCell::new(Vec::new()));
    future.on_progress({
        let story = Rc::clone(&story);
        move |info| story.borrow_mut().push(*info)
    });
    while !future.done() {
        match input.recv().unwrap() {
            Input::Message => assert_eq!(executor.dispatch_one(), Ok(true)),
            Input::Other => story.borrow_mut().push("other"),
        }
    }
    assert_eq!(*story.borrow(), ["before", "other", "after"]);
    drop(executor);
    assert_eq!(input.try_iter().count(), 0);
}

#[test]
fn test_event_loop_after_route_until() {
    let (tokens, token) = mpsc::channel();
    let executor: Executor = Builder::new(workers(1))
        .on_message(move |_| tokens.send(()).unwrap())
        .build();
    let future =
        submit_progress(&executor, |progress| Ok(progress.report(1).map(|()| 2)?)).unwrap();
    executor.route_until(|| future.done(), None).unwrap();
    executor.shutdown(None).unwrap();
    assert_eq!(token.try_iter().count(), 3);
    assert_eq!(executor.dispatch_one(), Ok(false));
}

/// A task that breaks the rules: it reports before it has started.
struct Rogue;

impl TaskSpecification<Message<u32, u32>> for Rogue {
    type Future = Future;

    fn split(
        self,
        cancel: Box<dyn FnOnce()>,
        sender: TaskSender<Message<u32, u32>>,
    ) -> (Job, Future) {
        let job = move || {
            sender.send(Message::Sent(1)).unwrap();
            sender.start(Message::Started);
            sender.finish(Message::Returned(2));
            sender.finish(Message::Returned(3));
            panic!("a job may even do this");
        };
        (Box::new(job), ProgressFuture::new(cancel))
    }
}

#[test]
fn an_illegal_message_is_an_error_that_changes_nothing() {
    let executor = Executor::new(workers(1));
    let future = executor.submit(Rogue).unwrap();
    let illegal = StateTransitionError {
        state: "waiting",
        event: "progress",
    };
    assert_eq!(
        executor.route_until(|| future.done(), None),
        Err(RouteError::Illegal(illegal))
    );
    assert_eq!(future.state(), FutureState::Waiting);
    executor.route_until(|| future.done(), None).unwrap();
    assert_eq!(future.result(), Ok(&2));
}

#[test]
fn a_job_that_panics_does_not_cost_the_executor_its_worker() {
    let executor = Executor::new(workers(1));
    executor.submit(Rogue).unwrap();
    let future = submit_progress(&executor, |_| Ok(5)).unwrap();
    executor.route_until(|| future.done(), None).unwrap_err();
    executor.route_until(|| future.done(), None).unwrap();
    assert_eq!(future.result(), Ok(&5));
}

/// A task whose job is thrown away by the worker instead of run.
struct ThrownAway(BackgroundProgress<u32, u32>);

impl TaskSpecification<Message<u32, u32>> for ThrownAway {
    type Future = Future;

    fn split(
        self,
        cancel: Box<dyn FnOnce()>,
        sender: TaskSender<Message<u32, u32>>,
    ) -> (Job, Future) {
        let (job, future) = self.0.split(cancel, sender);
        (Box::new(move || drop(job)), future)
    }
}

#[test]
fn a_task_that_is_dropped_unrun_says_that_it_is_abandoned() {
    let executor = executor();
    let task = BackgroundProgress::new(|_| Ok(1));
    let future = executor.submit(ThrownAway(task)).unwrap();
    future.cancel();
    executor.route_until(|| future.done(), None).unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
    assert_eq!(future.suppressed_result(), None);
}

// Workers.

#[test]
fn tasks_run_at_once_on_named_workers_up_to_the_maximum_and_no_further() {
    let executor = ProgressExecutor::<u32, _>::new(workers(2));
    let meeting = Arc::new(Barrier::new(2));
    let running = Arc::new(AtomicUsize::new(0));
    let futures: Vec<_> = (0..10)
        .map(|_| {
            let (meeting, running) = (Arc::clone(&meeting), Arc::clone(&running));
            submit_progress(&executor, move |_| {
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                // No task passes the barrier alone, so two run at once.
                meeting.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok((at_once, thread::current().name().map(str::to_owned)))
            })
            .unwrap()
        })
        .collect();
    executor
        .route_until(|| futures.iter().all(ProgressFuture::done), None)
        .unwrap();
    let (at_once, names): (BTreeSet<_>, BTreeSet<_>) = futures
        .iter()
        .map(|future| future.result().unwrap().clone())
        .unzip();
    assert_eq!(at_once.last(), Some(&2));
    let expected = ["progrun-worker-1", "progrun-worker-2"].map(|name| Some(name.to_owned()));
    assert!(names.into_iter().eq(expected));
}

// The end by force.

#[test]
fn dropping_the_executor_ends_running_and_queued_tasks_as_cancelled() {
    let executor = Executor::new(workers(1));
    let ran = Arc::new(AtomicBool::new(false));
    let running = submit_endless(&executor);
    let queued = submit_progress(&executor, {
        let ran = Arc::clone(&ran);
        move |_| {
            ran.store(true, Ordering::SeqCst);
            Ok(1)
        }
    })
    .unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let states = Rc::clone(&seen);
    queued.on_state(move |change| states.borrow_mut().push(change.new));
    drop(executor);
    assert_eq!(running.state(), FutureState::Cancelled);
    assert_eq!(queued.state(), FutureState::Cancelled);
    let expected = [FutureState::Cancelling, FutureState::Cancelled];
    assert_eq!(*seen.borrow(), expected);
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn a_queued_task_is_cancelled_before_the_one_whose_worker_would_run_it_next() {
    let executor = Executor::new(workers(1));
    let running = submit_endless(&executor);
    let queued = submit_endless(&executor);
    running.on_state(move |change| {
        assert_eq!(queued.cancellable(), change.new == FutureState::Executing);
    });
    executor
        .route_until(|| running.state() == FutureState::Executing, None)
        .unwrap();
    executor.shutdown(None).unwrap();
}

#[test]
fn dropping_an_executor_does_not_hang_on_a_task_that_waits_in_a_full_queue() {
    let executor: Executor = Builder::new(workers(1)).capacity(workers(1)).build();
    let (signal, signalled) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        // The queue of one is full with the message that the task has started, so this report has to wait.
        signal.send(())?;
        assert_eq!(progress.report(1), Err(ProgressCancelled));
        Ok(1)
    })
    .unwrap();
    signalled.recv().unwrap();
    drop(executor);
    assert_eq!(future.state(), FutureState::Cancelled);
    assert_eq!(future.suppressed_result(), Some(&1));
}

#[test]
fn dropping_an_executor_past_an_illegal_message_still_ends_the_futures() {
    let executor = Executor::new(workers(1));
    let (signal, signalled) = mpsc::channel();
    let rogue = executor.submit(Rogue).unwrap();
    let other = submit_progress(&executor, move |_| Ok(signal.send(7).map(|()| 7)?)).unwrap();
    signalled.recv().unwrap();
    drop(executor);
    assert_eq!(rogue.state(), FutureState::Cancelled);
    assert_eq!(other.state(), FutureState::Cancelled);
}

#[test]
fn an_executor_may_be_dropped_by_an_observer() {
    let executor = Rc::new(RefCell::new(Some(executor())));
    let future = submit_endless(executor.borrow().as_ref().unwrap());
    future.on_state({
        let executor = Rc::clone(&executor);
        move |_| drop(executor.take())
    });
    future.cancel();
    assert!(executor.borrow().is_none());
    assert_eq!(future.state(), FutureState::Cancelled);
}

#[test]
fn the_last_dispatch_may_outlive_every_other_handle_of_the_executor() {
    let executor = Rc::new(executor());
    let kept = Rc::new(RefCell::new(Some(Rc::clone(&executor))));
    let future = submit_endless(&executor);
    future.on_progress({
        let kept = Rc::clone(&kept);
        move |_| drop(kept.take())
    });
    executor
        .route_until(|| kept.borrow().is_none(), None)
        .unwrap();
    drop(executor);
    assert_eq!(future.state(), FutureState::Cancelled);
}

// Observers that use the executor.

/// An executor with a future. `observe` registers an observer that calls `action` on the executor.
fn with_observer(
    observe: impl FnOnce(&Future, Box<dyn FnMut()>),
    mut action: impl FnMut(&Executor) + 'static,
) -> (Rc<Executor>, Future) {
    let executor = Rc::new(executor());
    let weak: Weak<Executor> = Rc::downgrade(&executor);
    let future = submit_progress(&executor, |progress| {
        progress.report(1)?;
        Ok(1)
    })
    .unwrap();
    observe(&future, Box::new(move || action(&weak.upgrade().unwrap())));
    (executor, future)
}

#[test]
fn shutdown_inside_the_observer_of_the_end_does_not_wait_for_the_task_that_ends() {
    let (executor, future) = with_observer(
        |future, mut act| {
            future.on_state(move |change| {
                if change.new.is_done() {
                    act();
                }
            });
        },
        |executor| {
            executor.shutdown(None).unwrap();
            assert!(executor.stopped());
        },
    );
    let states = states(&executor);
    executor.route_until(|| future.done(), None).unwrap();
    assert_eq!(future.state(), FutureState::Completed);
    assert_eq!(*states.borrow(), [Running, Stopping, Stopped]);
}

#[test]
fn shutdown_inside_the_observer_of_the_last_end_has_stopped_a_stopping_executor() {
    let executor = Rc::new(executor());
    let future = submit_endless(&executor);
    executor.stop().unwrap();
    future.on_state({
        let executor = Rc::downgrade(&executor);
        move |change| {
            if change.new.is_done() {
                let executor = executor.upgrade().unwrap();
                executor.shutdown(None).unwrap();
                assert!(executor.stopped());
            }
        }
    });
    until_stopped(&executor);
}

#[test]
fn shutdown_inside_an_observer_of_progress_ends_the_reporting_task_too() {
    let (executor, future) = with_observer(
        |future, mut act| future.on_progress(move |_| act()),
        |executor| {
            executor.shutdown(None).unwrap();
            assert!(executor.stopped());
        },
    );
    executor.route_until(|| executor.stopped(), None).unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
}

#[test]
fn shutdown_inside_the_observer_of_stopping_cancels_what_stop_has_not_come_to() {
    let executor = Rc::new(executor());
    let future = submit_endless(&executor);
    executor.on_state({
        let executor = Rc::downgrade(&executor);
        move |_| executor.upgrade().unwrap().shutdown(None).unwrap()
    });
    let states = states(&executor);
    executor.stop().unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
    assert_eq!(*states.borrow(), [Running, Stopping, Stopped]);
}

#[test]
fn stop_inside_an_observer_of_progress_cancels_and_returns() {
    let (executor, future) = with_observer(
        |future, mut act| future.on_progress(move |_| act()),
        |executor| executor.stop().unwrap(),
    );
    until_stopped(&executor);
    assert_eq!(future.state(), FutureState::Cancelled);
}

#[test]
fn submit_inside_an_observer_of_the_end_runs_another_task() {
    let next = Rc::new(RefCell::new(None::<Future>));
    let (executor, _) = with_observer(
        |future, mut act| {
            future.on_state(move |change| {
                if change.new.is_done() {
                    act();
                }
            });
        },
        {
            let next = Rc::clone(&next);
            move |executor| {
                next.replace(Some(submit_progress(executor, |_| Ok(9)).unwrap()));
            }
        },
    );
    executor
        .route_until(|| next.borrow().as_ref().is_some_and(Future::done), None)
        .unwrap();
    assert_eq!(next.borrow().as_ref().unwrap().result(), Ok(&9));
}

#[test]
fn submit_inside_an_observer_of_cancelling_during_stop_fails_and_spoils_nothing() {
    let executor = Rc::new(executor());
    let refused = Rc::new(Cell::new(0));
    let futures: Vec<Future> = (0..3).map(|_| submit_endless(&executor)).collect();
    for future in &futures {
        let (executor, refused) = (Rc::downgrade(&executor), Rc::clone(&refused));
        future.on_state(move |change| {
            if change.new == FutureState::Cancelling {
                let executor = executor.upgrade().unwrap();
                let error = submit_progress(&executor, |_| Ok(1)).unwrap_err();
                assert!(matches!(error, SubmitError::NotRunning(_)));
                refused.set(refused.get() + 1);
            }
        });
    }
    executor.stop().unwrap();
    assert_eq!(refused.get(), 3);
    until_stopped(&executor);
}

// Observers that panic.

fn panics_with(text: &str, action: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(action)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&text));
}

#[test]
fn a_panic_of_an_observer_leaves_dispatch_after_everybody_was_told() {
    let executor = executor();
    let future = submit_progress(&executor, |_| Ok(3)).unwrap();
    future.on_state(|change| {
        assert!(!change.new.is_done(), "oh");
    });
    let seen = Rc::new(RefCell::new(Vec::new()));
    let states = Rc::clone(&seen);
    future.on_state(move |change| states.borrow_mut().push(change.new));
    panics_with("oh", || {
        executor.route_until(|| false, None).unwrap();
    });
    let expected = [FutureState::Executing, FutureState::Completed];
    assert_eq!(*seen.borrow(), expected);
    assert_eq!(future.result(), Ok(&3));
    let next = submit_progress(&executor, |_| Ok(4)).unwrap();
    executor.route_until(|| next.done(), None).unwrap();
    assert_eq!(next.result(), Ok(&4));
}

#[test]
fn a_panic_at_the_last_end_still_stops_a_stopping_executor() {
    let executor = executor();
    let (future, release) = submit_blocked(&executor);
    executor.stop().unwrap();
    future.on_state(|_| panic!("oh"));
    drop(release);
    panics_with("oh", || until_stopped(&executor));
    assert!(executor.stopped());
}

#[test]
fn a_panic_while_stopping_does_not_spare_the_other_tasks() {
    let executor = executor();
    let first = submit_endless(&executor);
    let second = submit_endless(&executor);
    for future in [&first, &second] {
        future.on_state(|change| assert!(change.new != FutureState::Cancelling, "oh"));
    }
    panics_with("oh", || executor.stop().unwrap());
    assert_eq!(first.state(), FutureState::Cancelling);
    assert_eq!(second.state(), FutureState::Cancelling);
    until_stopped(&executor);
}

#[test]
fn a_panic_while_dropping_leaves_the_drop_when_all_is_done() {
    let executor = executor();
    let first = submit_endless(&executor);
    let second = submit_endless(&executor);
    first.on_state(|_| panic!("oh"));
    panics_with("oh", || drop(executor));
    assert_eq!(first.state(), FutureState::Cancelled);
    assert_eq!(second.state(), FutureState::Cancelled);
}

#[test]
fn the_example_of_a_thousand_callables_retries_and_cancels() {
    let run = |words: &[&str]| {
        let output = std::process::Command::new(crate::support::example("thousand"))
            .args(words)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Those that 77 divides fail at each attempt.
    assert_eq!(run(&[]), "sum 494494, 12 failed, 0 cancelled\n");
    let stopped = run(&["3"]);
    assert!(stopped.contains(", 3 failed, "), "{stopped}");
}
