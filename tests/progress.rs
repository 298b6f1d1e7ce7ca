//! What a future and its callable promise each other.
//!
//! The tests named `test_...` are the scenarios of the same name in traits-futures, the Python library that
//! this one is modelled on. Not among them, because there is nothing in Rust that they could test:
//!
//! - `test_progress_with_progress_keyword_argument`: a callable has no named arguments.
//! - `CallFuture`, `IterationFuture` and subclasses, for which the common tests are run there: there is one
//!   future here. Its custom messages are the reports, so the tests of `BaseFuture` are about those.

use std::cell::{Cell, RefCell};
use std::num::{NonZeroUsize, ParseIntError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::Context as _;
use progrun::FutureState::{Cancelled, Cancelling, Completed, Executing, Failed, Waiting};
use progrun::executor::{Builder, StateTransitionError, TaskFuture};
use progrun::progress::{Message, TaskPanicked};
use progrun::{
    FutureState, PROGRESS, ProgressCancelled, ProgressExecutor, ProgressFuture, ProgressReporter,
    submit_progress,
};

type Future = ProgressFuture<u32, u32>;

/// The events that an observer saw, in order.
type Seen<T> = Rc<RefCell<Vec<T>>>;

fn one_worker<P: Send, T: Send>() -> ProgressExecutor<P, T> {
    ProgressExecutor::new(NonZeroUsize::MIN)
}

fn finish<P: Send, T: Send>(executor: &ProgressExecutor<P, T>, future: &ProgressFuture<P, T>) {
    executor.route_until(|| future.done(), None).unwrap();
}

fn states<P, T>(future: &ProgressFuture<P, T>) -> Seen<FutureState> {
    let seen = Rc::new(RefCell::new(vec![future.state()]));
    let states = Rc::clone(&seen);
    future.on_state(move |change| {
        assert_eq!(states.borrow().last(), Some(&change.old));
        states.borrow_mut().push(change.new);
    });
    seen
}

fn progress<P: Clone + 'static, T>(future: &ProgressFuture<P, T>) -> Seen<P> {
    let seen = Seen::default();
    let infos = Rc::clone(&seen);
    future.on_progress(move |info| infos.borrow_mut().push(info.clone()));
    seen
}

fn neither_available<P, T>(future: &ProgressFuture<P, T>) -> bool {
    future.result().is_err() && future.exception().is_err()
}

/// Sends a message to a future without an executor.
fn send(future: &Future, message: Message<u32, u32>) -> Result<bool, StateTransitionError> {
    let result = future.receive(message);
    future.announce();
    result
}

/// One letter of a history: A abandoned, S started, R returned, X raised, C cancel. Returns whether it was legal.
fn step(future: &Future, letter: char) -> bool {
    match letter {
        'A' => send(future, Message::Abandoned).is_ok(),
        'S' => send(future, Message::Started).is_ok(),
        'R' => send(future, Message::Returned(3)).is_ok(),
        'X' => send(future, Message::Raised(anyhow::anyhow!("no"))).is_ok(),
        'C' => future.cancel(),
        _ => unreachable!(),
    }
}

fn play(future: &Future, history: &str) {
    for letter in history.chars() {
        assert!(step(future, letter), "{letter} in {history}");
    }
}

const COMPLETE: [&str; 7] = ["SR", "SX", "CSR", "CSX", "SCR", "SCX", "CA"];

const ILLEGAL: &str = "
    A R X CC CR CX SA SS CAA CAC CAR CAS CAX CSA CSC CSS SCA SCC SCS SRA SRC SRR SRS
    SRX SXA SXC SXR SXS SXX CSRA CSRC CSRR CSRS CSRX CSXA CSXC CSXR CSXS CSXX SCRA SCRC
    SCRR SCRS SCRX SCXA SCXC SCXR SCXS SCXX";

// Background progress.

#[test]
fn test_progress() {
    let executor = one_worker();
    let future = submit_progress(&executor, |progress| {
        let mut sum = 0;
        for (i, number) in [1, 2, 3].into_iter().enumerate() {
            progress.report((i, 3))?;
            sum += number;
        }
        progress.report((3, 3))?;
        Ok(sum)
    })
    .unwrap();
    let states = states(&future);
    let progress = progress(&future);
    finish(&executor, &future);
    assert_eq!(future.result(), Ok(&6));
    assert!(future.exception().is_err());
    assert_eq!(*states.borrow(), [Waiting, Executing, Completed]);
    assert_eq!(*progress.borrow(), [(0, 3), (1, 3), (2, 3), (3, 3)]);
}

#[test]
fn test_failed_progress() {
    let executor = one_worker();
    let future = submit_progress(&executor, |progress| {
        progress.report((5, 10))?;
        Ok("five".parse::<u32>()?)
    })
    .unwrap();
    let states = states(&future);
    let progress = progress(&future);
    finish(&executor, &future);
    assert!(future.result().is_err());
    assert!(future.exception().unwrap().is::<ParseIntError>());
    assert_eq!(*states.borrow(), [Waiting, Executing, Failed]);
    assert_eq!(*progress.borrow(), [(5, 10)]);
}

#[test]
fn test_cancellation_before_execution() {
    let executor = one_worker::<u32, ()>();
    let (started, has_started) = mpsc::channel();
    let future = submit_progress(&executor, move |_| Ok(started.send(())?)).unwrap();
    let states = states(&future);
    has_started.recv().unwrap();
    assert!(future.cancellable());
    assert!(future.cancel());
    finish(&executor, &future);
    assert!(neither_available(&future));
    assert_eq!(*states.borrow(), [Waiting, Cancelling, Cancelled]);
}

#[test]
fn test_cancellation_before_background_task_starts() {
    let executor = one_worker::<u32, ()>();
    let (release, released) = mpsc::channel::<()>();
    submit_progress(&executor, move |_| Ok(released.recv()?)).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let future = submit_progress(&executor, {
        let ran = Arc::clone(&ran);
        move |_| {
            ran.store(true, Ordering::SeqCst);
            Ok(())
        }
    })
    .unwrap();
    let states = states(&future);
    assert!(future.cancel());
    release.send(()).unwrap();
    finish(&executor, &future);
    assert!(!ran.load(Ordering::SeqCst));
    assert!(neither_available(&future));
    assert_eq!(*states.borrow(), [Waiting, Cancelling, Cancelled]);
}

#[test]
fn test_progress_allows_cancellation() {
    let executor = one_worker::<&str, ()>();
    let (release, released) = mpsc::channel::<()>();
    let (refuse, refused) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        progress.report("first")?;
        released.recv()?;
        let second = progress.report("second");
        refuse.send(second)?;
        Ok(second?)
    })
    .unwrap();
    let states = states(&future);
    let progress = progress(&future);
    executor
        .route_until(|| !progress.borrow().is_empty(), None)
        .unwrap();
    assert!(future.cancel());
    release.send(()).unwrap();
    finish(&executor, &future);
    assert_eq!(refused.recv(), Ok(Err(ProgressCancelled)));
    assert!(neither_available(&future));
    assert_eq!(
        *states.borrow(),
        [Waiting, Executing, Cancelling, Cancelled]
    );
    assert_eq!(*progress.borrow(), ["first"]);
}

#[test]
fn test_double_cancellation() {
    let executor = one_worker::<u32, ()>();
    let future = submit_progress(&executor, |_| Ok(())).unwrap();
    assert!(future.cancellable());
    assert!(future.cancel());
    assert!(!future.cancellable());
    assert!(!future.cancel());
}

#[test]
fn test_cancel_raising_task() {
    let executor = one_worker::<u32, ()>();
    let (release, released) = mpsc::channel::<()>();
    let future = submit_progress(&executor, move |_| {
        released.recv()?;
        anyhow::bail!("too late")
    })
    .unwrap();
    executor
        .route_until(|| future.state() == Executing, None)
        .unwrap();
    future.cancel();
    release.send(()).unwrap();
    finish(&executor, &future);
    assert!(neither_available(&future));
    assert_eq!(future.state(), Cancelled);
}

#[test]
fn test_progress_messages_after_cancellation() {
    let executor = one_worker();
    let (signal, signalled) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        progress.report(1)?;
        progress.report(2)?;
        Ok(signal.send(())?)
    })
    .unwrap();
    let states = states(&future);
    let progress = progress(&future);
    signalled.recv().unwrap();
    future.cancel();
    finish(&executor, &future);
    assert!(neither_available(&future));
    assert_eq!(*states.borrow(), [Waiting, Cancelling, Cancelled]);
    assert!(progress.borrow().is_empty());
}

#[test]
fn test_progress_cleanup_on_cancellation() {
    struct Resource(Arc<AtomicBool>);
    impl Drop for Resource {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let executor = one_worker();
    let released = Arc::new(AtomicBool::new(false));
    let resource = Resource(Arc::clone(&released));
    let (go_on, wait) = mpsc::channel::<()>();
    let future = submit_progress(&executor, move |progress| {
        let _held = resource;
        progress.report("holding")?;
        wait.recv()?;
        Ok(progress.report("still here")?)
    })
    .unwrap();
    let progress = progress(&future);
    executor
        .route_until(|| !progress.borrow().is_empty(), None)
        .unwrap();
    assert!(!released.load(Ordering::SeqCst));
    future.cancel();
    go_on.send(()).unwrap();
    finish(&executor, &future);
    assert!(released.load(Ordering::SeqCst));
}

// Common to all futures.

#[test]
fn test_cancellable_and_done_consistent_with_state() {
    for history in COMPLETE {
        let future = Future::default();
        let calls = Rc::new(Cell::new(0));
        future.on_state({
            let (future, calls) = (future.clone(), Rc::clone(&calls));
            move |change| {
                assert_eq!(future.state(), change.new);
                let cancellable = [Waiting, Executing].contains(&change.new);
                assert_eq!(future.cancellable(), cancellable);
                let done = [Completed, Failed, Cancelled].contains(&change.new);
                assert_eq!(future.done(), done);
                calls.set(calls.get() + 1);
            }
        });
        play(&future, history);
        assert!(calls.get() >= 2);
    }
}

/// How often `cancellable` and `done` changed in a history. Both begin and end differently.
fn changes(history: &str) -> (u32, u32) {
    let future = Future::default();
    assert!(future.cancellable() && !future.done());
    let (cancellable, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    future.on_state({
        let (cancellable, done) = (Rc::clone(&cancellable), Rc::clone(&done));
        move |change| {
            let changed = change.old.is_cancellable() != change.new.is_cancellable();
            cancellable.set(cancellable.get() + u32::from(changed));
            done.set(done.get() + u32::from(change.old.is_done() != change.new.is_done()));
        }
    });
    play(&future, history);
    assert!(!future.cancellable() && future.done());
    (cancellable.get(), done.get())
}

#[test]
fn test_cancellable_and_done_success() {
    assert_eq!(changes("SR"), (1, 1));
}

#[test]
fn test_cancellable_and_done_failure() {
    assert_eq!(changes("SX"), (1, 1));
}

#[test]
fn test_cancellable_and_done_cancellation() {
    assert_eq!(changes("SCR"), (1, 1));
}

#[test]
fn test_cancellable_and_done_early_cancellation() {
    assert_eq!(changes("CSR"), (1, 1));
}

#[test]
fn test_invalid_message_sequences() {
    for history in COMPLETE {
        let future = Future::default();
        play(&future, history);
        assert!(future.done(), "{history}");
    }
    let illegal: Vec<&str> = ILLEGAL.split_whitespace().collect();
    assert_eq!(illegal.len(), 49);
    for history in illegal {
        let (legal, last) = history.split_at(history.len() - 1);
        let future = Future::default();
        play(&future, legal);
        let before = format!("{future:?}");
        assert!(!step(&future, last.chars().next().unwrap()), "{history}");
        assert_eq!(format!("{future:?}"), before, "{history}");
    }
}

#[test]
fn test_cancel_callback_released() {
    for history in COMPLETE {
        let held = Rc::new(());
        let callback = Rc::clone(&held);
        let future = Future::new(move || drop(callback));
        assert_eq!(Rc::strong_count(&held), 2);
        play(&future, history);
        assert!(future.done());
        assert_eq!(Rc::strong_count(&held), 1, "{history}");
    }
}

#[test]
fn test_interface() {
    fn is_a_future<F: TaskFuture<Message<u32, u32>>>(_: &F) {}
    is_a_future(&Future::new(|| {}));
}

#[test]
fn test_zero_argument_instantiation() {
    assert_eq!(Future::default().state(), Waiting);
}

// The base future; its pings are reports here.

#[test]
fn test_normal_lifecycle() {
    let future = Future::default();
    let progress = progress(&future);
    send(&future, Message::Started).unwrap();
    send(&future, Message::Sent(123)).unwrap();
    send(&future, Message::Sent(999)).unwrap();
    send(&future, Message::Returned(0)).unwrap();
    assert_eq!(*progress.borrow(), [123, 999]);
}

#[test]
fn test_ping_after_cancellation_is_ignored() {
    let future = Future::default();
    let progress = progress(&future);
    send(&future, Message::Started).unwrap();
    future.cancel();
    send(&future, Message::Sent(123)).unwrap();
    send(&future, Message::Returned(0)).unwrap();
    assert!(progress.borrow().is_empty());
}

#[test]
fn test_impossible_ping() {
    let future = Future::default();
    let error = send(&future, Message::Sent(123)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a task that is waiting cannot take `progress`"
    );
    play(&future, "SR");
    let error = send(&future, Message::Sent(123)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a task that is completed cannot take `progress`"
    );
}

#[test]
fn test_impossible_ping_cancelled_task() {
    let future = Future::default();
    future.cancel();
    let error = send(&future, Message::Sent(123)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a task that is cancelling before it started cannot take `progress`"
    );
}

// Beyond the original: how a callable can end.

#[test]
fn a_panic_of_the_callable_is_a_failure_that_carries_its_text() {
    let executor = one_worker::<u32, u32>();
    let literal = submit_progress(&executor, |_| panic!("out of paper")).unwrap();
    let formatted = submit_progress(&executor, |_| panic!("{} sheets short", 3)).unwrap();
    let other = submit_progress(&executor, |_| std::panic::panic_any(3)).unwrap();
    finish(&executor, &other);
    let text = |future: &Future| {
        let error = future.exception().unwrap();
        error.downcast_ref::<TaskPanicked>().unwrap().text.clone()
    };
    assert_eq!(text(&literal), "out of paper");
    assert_eq!(text(&formatted), "3 sheets short");
    assert_eq!(text(&other), "a panic without a message");
    assert_eq!(
        literal.exception().unwrap().to_string(),
        "the task panicked: out of paper"
    );
}

/// Runs a callable that is cancelled before it goes on.
fn cancelled_while_running(
    then: impl FnOnce(&ProgressReporter<u32>) -> anyhow::Result<u32> + Send + 'static,
) -> Future {
    let executor = one_worker();
    let (release, released) = mpsc::channel::<()>();
    let future = submit_progress(&executor, move |progress| {
        released.recv()?;
        then(progress)
    })
    .unwrap();
    executor
        .route_until(|| future.state() == Executing, None)
        .unwrap();
    future.cancel();
    release.send(()).unwrap();
    finish(&executor, &future);
    assert_eq!(future.state(), Cancelled);
    assert!(neither_available(&future));
    future
}

#[test]
fn an_error_after_cancellation_stays_readable() {
    let future = cancelled_while_running(|_| anyhow::bail!("cannot remove the temporary file"));
    assert_eq!(
        future.suppressed().unwrap().to_string(),
        "cannot remove the temporary file"
    );
    assert_eq!(future.suppressed_result(), None);
}

#[test]
fn a_result_after_cancellation_stays_readable() {
    let future = cancelled_while_running(|_| Ok(42));
    assert_eq!(future.suppressed_result(), Some(&42));
    assert!(future.suppressed().is_none());
}

#[test]
fn the_cancellation_itself_is_no_suppressed_error_not_even_with_context() {
    let future = cancelled_while_running(|progress| {
        progress.report(1).context("while copying a.jpg")?;
        Ok(0)
    });
    assert!(future.suppressed().is_none());
}

#[test]
fn a_panic_after_cancellation_stays_readable() {
    let future = cancelled_while_running(|_| panic!("out of paper"));
    assert!(future.suppressed().unwrap().is::<TaskPanicked>());
}

#[test]
fn every_report_after_cancellation_fails_and_not_only_the_first() {
    let future = cancelled_while_running(|progress| {
        assert!(progress.is_cancelled());
        assert_eq!(progress.report(1), Err(ProgressCancelled));
        assert_eq!(progress.report(2), Err(ProgressCancelled));
        assert_eq!(progress.report_latest(3), Err(ProgressCancelled));
        Ok(7)
    });
    assert_eq!(future.suppressed_result(), Some(&7));
}

#[test]
fn a_callable_that_says_it_was_cancelled_when_it_was_not_has_failed() {
    let executor = one_worker::<u32, u32>();
    let future = submit_progress(&executor, |_| Err(ProgressCancelled.into())).unwrap();
    finish(&executor, &future);
    assert_eq!(future.state(), Failed);
    assert!(future.exception().unwrap().is::<ProgressCancelled>());
}

#[test]
fn a_reporter_that_outlives_its_task_fails_and_sends_nothing() {
    let executor = one_worker();
    let (hand_out, handed_out) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        Ok(hand_out.send(progress.clone())?)
    })
    .unwrap();
    let infos = progress(&future);
    finish(&executor, &future);
    let kept = handed_out.recv().unwrap();
    assert!(!kept.is_cancelled());
    assert_eq!(kept.report(1), Err(ProgressCancelled));
    assert_eq!(kept.report_latest(1), Err(ProgressCancelled));
    assert_eq!(executor.dispatch_one(), Ok(false));
    assert!(infos.borrow().is_empty());
}

#[test]
fn the_reports_of_each_helper_thread_stay_in_order() {
    let executor = one_worker();
    let future = submit_progress(&executor, |progress| {
        thread::scope(|scope| {
            for helper in 0..4 {
                let progress = progress.clone();
                scope.spawn(move || (0..100).try_for_each(|i| progress.report((helper, i))));
            }
        });
        Ok(())
    })
    .unwrap();
    let progress = progress(&future);
    finish(&executor, &future);
    let progress = progress.borrow();
    assert_eq!(progress.len(), 400);
    for helper in 0..4 {
        let of_helper = progress.iter().filter(|info| info.0 == helper);
        assert!(of_helper.map(|info| info.1).eq(0..100));
    }
}

// Beyond the original: being told of a cancellation.

#[test]
fn on_cancel_is_called_by_the_thread_that_cancels_before_cancel_returns() {
    let executor = one_worker::<u32, ()>();
    let (ready, is_ready) = mpsc::channel();
    let (wake, woken) = mpsc::channel();
    let (told, is_told) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        progress.on_cancel({
            let progress = progress.clone();
            move || {
                let _ = told.send((thread::current().id(), progress.is_cancelled()));
                let _ = wake.send(());
            }
        });
        ready.send(())?;
        Ok(woken.recv()?)
    })
    .unwrap();
    is_ready.recv().unwrap();
    future.cancel();
    assert_eq!(is_told.try_recv(), Ok((thread::current().id(), true)));
    finish(&executor, &future);
    assert_eq!(future.state(), Cancelled);
}

#[test]
fn on_cancel_of_a_cancelled_task_is_called_at_once() {
    let future = cancelled_while_running(|progress| {
        let (wake, woken) = mpsc::channel();
        progress.on_cancel(move || wake.send(thread::current().id()).unwrap());
        anyhow::ensure!(woken.try_recv()? == thread::current().id());
        Ok(1)
    });
    assert_eq!(future.suppressed_result(), Some(&1));
}

#[test]
fn what_on_cancel_holds_is_dropped_with_the_task_even_if_a_reporter_is_kept() {
    let executor = one_worker::<u32, _>();
    let held = Arc::new(());
    let future = submit_progress(&executor, {
        let held = Arc::clone(&held);
        move |progress| {
            progress.on_cancel(move || drop(held));
            Ok(progress.clone())
        }
    })
    .unwrap();
    finish(&executor, &future);
    assert_eq!(Arc::strong_count(&held), 1);
    let late = Arc::clone(&held);
    future.result().unwrap().on_cancel(move || drop(late));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn the_task_is_asked_before_the_state_is_cancelling() {
    let future = Rc::new(RefCell::new(None::<Future>));
    let asked_in = Rc::new(Cell::new(None));
    let made = Future::new({
        let (future, asked_in) = (Rc::clone(&future), Rc::clone(&asked_in));
        move || asked_in.set(future.borrow().as_ref().map(Future::state))
    });
    future.replace(Some(made.clone()));
    made.cancel();
    assert_eq!(asked_in.get(), Some(Waiting));
    assert_eq!(made.state(), Cancelling);
}

// Beyond the original: observers.

#[test]
fn an_observer_attached_late_misses_what_was_earlier() {
    let future = Future::default();
    send(&future, Message::Started).unwrap();
    send(&future, Message::Sent(1)).unwrap();
    let (states, progress) = (states(&future), progress(&future));
    send(&future, Message::Sent(2)).unwrap();
    send(&future, Message::Returned(0)).unwrap();
    assert_eq!(*states.borrow(), [Executing, Completed]);
    assert_eq!(*progress.borrow(), [2]);
}

#[test]
fn an_observer_attached_by_an_observer_sees_the_next_event() {
    let future = Future::default();
    let later = Seen::default();
    future.on_progress({
        let (future, later) = (future.clone(), Rc::clone(&later));
        move |first| {
            let (first, later) = (*first, Rc::clone(&later));
            future.on_progress(move |info| later.borrow_mut().push((first, *info)));
        }
    });
    send(&future, Message::Started).unwrap();
    send(&future, Message::Sent(1)).unwrap();
    send(&future, Message::Sent(2)).unwrap();
    send(&future, Message::Sent(3)).unwrap();
    assert_eq!(*later.borrow(), [(1, 2), (1, 3), (2, 3)]);
}

#[test]
fn an_observer_that_cancels_does_not_upset_the_order_for_the_others() {
    let future = Future::default();
    future.on_state({
        let future = future.clone();
        move |_| {
            future.cancel();
        }
    });
    let states = states(&future);
    send(&future, Message::Started).unwrap();
    assert_eq!(*states.borrow(), [Waiting, Executing, Cancelling]);
}

#[test]
fn nothing_is_delivered_after_a_progress_observer_has_cancelled() {
    let executor = one_worker();
    let (signal, signalled) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        for i in 0..10 {
            progress.report(i)?;
        }
        Ok(signal.send(())?)
    })
    .unwrap();
    let infos = progress(&future);
    future.on_progress({
        let future = future.clone();
        move |info| {
            if *info == 3 {
                future.cancel();
            }
        }
    });
    signalled.recv().unwrap();
    finish(&executor, &future);
    assert_eq!(*infos.borrow(), [0, 1, 2, 3]);
}

#[test]
fn what_an_observer_dispatches_waits_for_it_and_is_forgotten_when_it_cancels() {
    for (cancels, expected) in [(false, vec![1, 2]), (true, vec![1])] {
        let future = Future::default();
        let infos = progress(&future);
        future.on_progress({
            let (future, infos) = (future.clone(), Rc::clone(&infos));
            move |info| {
                if *info == 1 {
                    send(&future, Message::Sent(2)).unwrap();
                    assert_eq!(*infos.borrow(), [1]);
                    if cancels {
                        future.cancel();
                    }
                }
            }
        });
        send(&future, Message::Started).unwrap();
        send(&future, Message::Sent(1)).unwrap();
        assert_eq!(*infos.borrow(), expected);
    }
}

#[test]
fn result_and_exception_are_readable_in_the_observer_of_the_end() {
    for (last, expected) in [('R', true), ('X', false)] {
        let future = Future::default();
        send(&future, Message::Started).unwrap();
        let seen = Seen::default();
        future.on_state({
            let (future, seen) = (future.clone(), Rc::clone(&seen));
            move |_| {
                let pair = (future.result().is_ok(), future.exception().is_ok());
                seen.borrow_mut().push(pair);
            }
        });
        step(&future, last);
        assert_eq!(*seen.borrow(), [(expected, !expected)]);
    }
}

#[test]
fn the_observers_of_a_future_are_dropped_when_it_is_done() {
    for history in COMPLETE {
        let future = Future::default();
        let held = Rc::new(());
        let (a, b, c) = (Rc::clone(&held), Rc::clone(&held), Rc::clone(&held));
        future.on_state(move |_| drop(Rc::clone(&a)));
        future.on_progress(move |_| drop(Rc::clone(&b)));
        play(&future, history);
        assert_eq!(Rc::strong_count(&held), 2, "{history}");
        future.on_state(move |_| drop(Rc::clone(&c)));
        assert_eq!(Rc::strong_count(&held), 1, "{history}");
    }
}

#[test]
fn a_panic_of_an_observer_leaves_cancel_after_the_others_were_told() {
    let future = Future::default();
    future.on_state(|_| panic!("first"));
    let states = states(&future);
    future.on_state(|_| panic!("second"));
    let panic = catch_unwind(AssertUnwindSafe(|| future.cancel())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"first"));
    assert_eq!(*states.borrow(), [Waiting, Cancelling]);
}

// Beyond the original: values and texts.

#[test]
fn what_is_not_available_says_so_with_the_state() {
    let future = Future::default();
    assert_eq!(
        future.result().unwrap_err().to_string(),
        "no result: the task is waiting"
    );
    play(&future, "SCR");
    assert_eq!(
        future.exception().unwrap_err().to_string(),
        "no exception: the task is cancelled"
    );
}

#[test]
fn the_last_handle_gives_the_outcome_by_value() {
    let future = Future::default();
    let future = future.into_outcome().unwrap_err();
    play(&future, "SR");
    let other = future.clone();
    let future = future.into_outcome().unwrap_err();
    drop(other);
    assert_eq!(future.into_outcome().unwrap().unwrap(), 3);

    let failed = Future::default();
    play(&failed, "SX");
    let error = failed.into_outcome().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no");
}

#[test]
fn the_kinds_of_messages_have_their_names() {
    let kinds = [
        Message::Started,
        Message::Sent(1),
        Message::Returned(2),
        Message::Raised(anyhow::anyhow!("no")),
        Message::Abandoned,
    ]
    .map(|message: Message<u32, u32>| message.kind());
    assert_eq!(
        kinds,
        ["started", PROGRESS, "returned", "raised", "abandoned"]
    );
}

// Beyond the original: bounded memory.

/// A report that counts how many of its kind are alive.
struct Counted {
    number: u32,
    alive: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn ten_million_reports_to_a_foreground_that_sleeps_hold_no_more_than_the_queue() {
    const REPORTS: u32 = 10_000_000;
    let executor: ProgressExecutor<Counted, usize> = Builder::new(NonZeroUsize::MIN)
        .capacity(NonZeroUsize::new(8).unwrap())
        .build();
    let (signal, signalled) = mpsc::channel();
    let future = submit_progress(&executor, move |progress| {
        let alive = Arc::new(AtomicUsize::new(0));
        let mut most = 0;
        for number in 0..REPORTS {
            most = most.max(alive.fetch_add(1, Ordering::Relaxed) + 1);
            let alive = Arc::clone(&alive);
            progress.report_latest(Counted { number, alive })?;
        }
        signal.send(())?;
        Ok(most)
    })
    .unwrap();
    let numbers = Seen::default();
    future.on_progress({
        let numbers = Rc::clone(&numbers);
        move |info| numbers.borrow_mut().push(info.number)
    });
    signalled.recv().unwrap();
    finish(&executor, &future);
    // One of the eight places was taken by the message that the task has started.
    assert_eq!(*numbers.borrow(), [0, 1, 2, 3, 4, 5, REPORTS - 1]);
    // Seven in the queue, and the one that is being sent.
    assert_eq!(future.result().unwrap(), &8);
}
