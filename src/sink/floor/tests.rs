use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Mutex;

use super::*;
use crate::event::{Attempt, Place, SkipReason, Stream, Surroundings};
use crate::model::verdict::Verdicts;

/// What a sink was told, in words.
type Told = Rc<RefCell<Vec<String>>>;
/// The permits of a reader that takes nothing; none: it takes everything at once.
type Unread = Rc<RefCell<Option<Vec<Permit>>>>;

struct Recorder {
    told: Told,
    unread: Unread,
    flushed: Rc<Cell<bool>>,
}

impl Sink for Recorder {
    fn event(&mut self, event: &Event<'_>) {
        let task = event.task.map_or(0, TaskId::get);
        let text = match &event.what {
            What::Output {
                stream,
                bytes,
                permit,
                ..
            } => {
                if let Some(permits) = &mut *self.unread.borrow_mut() {
                    permits.push((*permit).clone());
                }
                let text = String::from_utf8_lossy(bytes);
                let sign = if *stream == Stream::Stderr { "!" } else { ":" };
                let mut told = self.told.borrow_mut();
                let head = format!("{task}{sign}");
                match told.last_mut() {
                    Some(last) if last.starts_with(&head) => last.push_str(&text),
                    _ => told.push(head + &text),
                }
                return;
            }
            What::Finished(_) => format!("{task} over"),
            What::Shows(_) => format!("{task} shows"),
            What::Shown => format!("{task} shown"),
            What::Warning(text) => (*text).to_owned(),
            _ => return,
        };
        self.told.borrow_mut().push(text);
    }

    fn flush(&mut self, _: &Permit) {
        self.flushed.set(true);
    }

    fn abandon(&mut self) {}
}

struct Test {
    floor: Box<Floor>,
    screen: Told,
    place: Told,
    unread: Unread,
    flushed: Rc<Cell<bool>>,
    warnings: Told,
    lost: Arc<Mutex<Vec<String>>>,
    /// What a worker has under way.
    worker: Credit,
    now: Duration,
}

const OUT: Stream = Stream::Stdout;
const ERR: Stream = Stream::Stderr;

/// A file that takes no more than 300 KiB.
fn small_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
    let file = memfd_create("spool", MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, 300 * 1024)?;
    fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(file.into())
}

impl Test {
    fn new(show: Show, in_order: bool) -> Self {
        Self::with(show, in_order, None, tempfile::tempfile)
    }

    fn with(
        show: Show,
        in_order: bool,
        tags: Option<[bool; 2]>,
        open: fn() -> io::Result<File>,
    ) -> Self {
        let (screen, place, warnings) = (Told::default(), Told::default(), Told::default());
        let (unread, flushed) = (Unread::default(), Rc::<Cell<bool>>::default());
        let lost = Arc::<Mutex<Vec<String>>>::default();
        let recorder = |told: &Told, unread: &Unread| {
            Box::new(Recorder {
                told: Rc::clone(told),
                unread: Rc::clone(unread),
                flushed: Rc::clone(&flushed),
            })
        };
        let floor = Floor::new(Ground {
            screen: Some(recorder(&screen, &Unread::default())),
            places: vec![recorder(&place, &unread)],
            rule: Rule::new(show, in_order),
            tags,
            open,
            wake: Arc::new(|| ()),
            on_lost: {
                let lost = Arc::clone(&lost);
                Box::new(move |error| lost.lock().unwrap().push(error.to_string()))
            },
            warn: {
                let warnings = Rc::clone(&warnings);
                Box::new(move |sentence| warnings.borrow_mut().push(sentence))
            },
        });
        Self {
            floor: Box::new(floor),
            screen,
            place,
            unread,
            flushed,
            warnings,
            lost,
            worker: Credit::new(1, || ()),
            now: Duration::ZERO,
        }
    }

    fn tell(&mut self, task: u32, what: What<'_>) {
        let (task, at) = (TaskId::of(task), self.now);
        self.floor.event(&Event { task, at, what });
    }

    fn start(&mut self, task: u32) {
        let place = Some(Place {
            slot: 1,
            attempt: 1,
            input: None,
            named: false,
            nth: 1,
            extra: None,
            surroundings: Surroundings::default(),
        });
        let (name, command, pid) = (&format!("t{task}")[..], &[], Some(1));
        let what = What::Started {
            host: None,
            name,
            command,
            pid,
            place,
        };
        self.tell(task, what);
    }

    fn print_bytes(&mut self, task: u32, stream: Stream, bytes: Vec<u8>) {
        let permit = self.worker.permit(bytes.len());
        let what = What::Output {
            stream,
            bytes: &Arc::new(bytes),
            verdicts: &Verdicts::default(),
            permit: &permit,
        };
        self.tell(task, what);
    }

    fn print(&mut self, task: u32, text: &str) {
        self.print_bytes(task, OUT, text.as_bytes().to_vec());
    }

    fn end_with(&mut self, task: u32, state: FinalState, reason: Option<Reason>, retries: bool) {
        let summary = Summary {
            missed: None,
            state,
            reason,
            exit: None,
            error: None,
            reports: 0,
            malformed: 0,
            attempt: Some(Attempt {
                slot: 1,
                number: 1,
                retry_in: retries.then_some(Duration::ZERO),
                duration: Duration::ZERO,
                output_bytes: 0,
            }),
        };
        self.tell(task, What::Finished(&summary));
    }

    fn end(&mut self, task: u32) {
        self.end_with(task, FinalState::Completed, None, false);
    }

    fn fail(&mut self, task: u32) {
        self.end_with(task, FinalState::Failed, None, false);
    }

    fn skip(&mut self, task: u32) {
        let what = What::Skipped {
            name: "skipped",
            reason: SkipReason::Dependency,
            cause: None,
        };
        self.tell(task, what);
    }

    fn tick(&mut self) {
        self.floor.tick(self.now);
    }

    fn flush(&mut self) {
        self.floor.flush(&Credit::new(1, || ()).permit(1));
    }

    /// What the screen was told since the last time.
    fn screen(&self) -> Vec<String> {
        self.screen.take()
    }

    fn place(&self) -> Vec<String> {
        self.place.take()
    }

    /// How many bytes of this stream of a task the place was given since the last time.
    fn count(&self, task: u32, stream: Stream) -> usize {
        let sign = if stream == ERR { "!" } else { ":" };
        let head = format!("{task}{sign}");
        let told = self.place.borrow();
        let texts = told.iter().filter_map(|text| text.strip_prefix(&head));
        texts.map(str::len).sum()
    }
}

#[test]
fn a_group_is_shown_when_its_attempt_is_over_in_order_of_arrival_and_of_ends() {
    let mut test = Test::new(Show::Group, false);
    test.start(1);
    test.start(2);
    test.print(1, "one\n");
    test.print(2, "two\n");
    test.print_bytes(1, ERR, b"wrong".to_vec());
    test.print(1, "last");
    assert!(!test.worker.exhausted());
    assert!(test.screen().is_empty());
    test.fail(2);
    let two = ["2 over", "2 shows", "2:two\n", "2 shown"];
    assert_eq!(test.screen(), two);
    assert_eq!(test.place(), ["2:two\n", "2 over"]);
    test.end(1);
    let one = [
        "1 over", "1 shows", "1:one\n", "1!wrong", "1:last", "1 shown",
    ];
    assert_eq!(test.screen(), one);
    assert_eq!(test.place(), ["1:one\n", "1!wrong", "1:last", "1 over"]);
}

#[test]
fn an_attempt_without_output_is_told_of_at_once_and_keeps_nothing() {
    for (show, in_order) in [
        (Show::Group, false),
        (Show::Group, true),
        (Show::None, false),
    ] {
        let mut test = Test::new(show, in_order);
        for task in 1..=3 {
            test.start(task);
            test.fail(task);
            let told = ["over", "shows", "shown"].map(|word| format!("{task} {word}"));
            assert_eq!(test.screen(), told);
            assert_eq!(test.place(), [format!("{task} over")]);
        }
        assert_eq!(test.floor.waiting.capacity(), 0);
        assert_eq!(test.floor.running.capacity(), 0);
    }
}

#[test]
fn nothing_is_mixed_when_many_print_at_once() {
    let mut test = Test::new(Show::Group, false);
    for task in 1..=8 {
        test.start(task);
    }
    for _ in 0..2_000 {
        for task in 1..=8 {
            test.print(task, &format!("{task}\n"));
        }
    }
    for task in (1..=8).rev() {
        test.end(task);
        test.tick();
    }
    let told = test.place();
    let mut expected = Vec::new();
    for task in (1..=8).rev() {
        expected.push(format!("{task}:{}", format!("{task}\n").repeat(2_000)));
        expected.push(format!("{task} over"));
    }
    assert!(told == expected);
}

#[test]
fn output_that_is_not_kept_apart_passes_at_once() {
    for show in [Show::Stream, Show::Lines] {
        let mut test = Test::new(show, false);
        test.start(1);
        test.start(2);
        test.print(2, "two");
        test.print(1, "one");
        assert_eq!(test.screen(), ["2:two", "1:one"]);
        test.end(2);
        assert_eq!(test.screen(), ["2 over", "2 shows", "2 shown"]);
        assert_eq!(test.place(), ["2:two", "1:one", "2 over"]);
    }
}

#[test]
fn in_the_order_of_the_list_the_task_whose_turn_it_is_shows_live() {
    let mut test = Test::new(Show::Group, true);
    for task in 1..=4 {
        test.start(task);
        test.print(task, &format!("{task}\n"));
    }
    assert_eq!(test.screen(), ["1:1\n"]);
    test.end(3);
    test.print(2, "more\n");
    test.print(1, "1\n");
    assert_eq!(test.screen(), ["3 over", "1:1\n"]);
    test.end(1);
    assert_eq!(
        test.screen(),
        ["1 over", "1 shows", "1 shown", "2:2\nmore\n"]
    );
    test.print(2, "live\n");
    test.end(2);
    let rest = [
        "2:live\n", "2 over", "2 shows", "2 shown", "3 shows", "3:3\n", "3 shown", "4:4\n",
    ];
    assert_eq!(test.screen(), rest);
    test.end(4);
    let place = test.place();
    let lines = "1:1\n1\n|1 over|2:2\nmore\nlive\n|2 over|3:3\n|3 over|4:4\n|4 over";
    assert_eq!(place.join("|"), lines);
}

#[test]
fn tasks_that_are_skipped_or_never_begin_hold_up_no_other() {
    let mut test = Test::new(Show::Group, true);
    test.skip(3);
    test.start(4);
    test.print(4, "four\n");
    test.end(4);
    test.start(7);
    test.print(7, "seven\n");
    test.end(7);
    test.start(6);
    test.print(6, "six\n");
    test.end(6);
    assert!(test.place().is_empty());
    assert_eq!(test.floor.backlog(), 3);
    test.start(1);
    test.end(1);
    assert_eq!(test.place(), ["1 over"]);
    test.skip(2);
    assert_eq!(test.place(), ["4:four\n", "4 over"]);
    // The fifth never begins.
    test.flush();
    assert_eq!(test.place(), ["6:six\n", "6 over", "7:seven\n", "7 over"]);
    assert!(test.flushed.get());
}

#[test]
fn a_flush_while_attempts_run_waits_for_nothing_that_is_kept() {
    let mut test = Test::new(Show::Group, true);
    test.start(1);
    test.start(2);
    test.print(2, "two\n");
    test.end(2);
    test.flush();
    assert!(test.flushed.get());
    assert!(test.place().is_empty());
}

#[test]
fn an_attempt_that_is_repeated_is_shown_and_the_turn_stays_with_its_task() {
    let mut test = Test::new(Show::Group, true);
    test.start(1);
    test.start(2);
    test.print(1, "first\n");
    test.print(2, "two\n");
    test.end_with(1, FinalState::Failed, None, true);
    test.end(2);
    test.start(1);
    test.print(1, "second\n");
    test.end(1);
    let place = "1:first\n|1 over|1:second\n|1 over|2:two\n|2 over";
    assert_eq!(test.place().join("|"), place);
    let mut test = Test::new(Show::Group, true);
    test.start(1);
    test.start(2);
    test.print(2, "first\n");
    test.end_with(2, FinalState::Failed, None, true);
    test.start(2);
    test.print(2, "second\n");
    test.end(1);
    assert_eq!(test.place().join("|"), "1 over|2:first\n|2 over|2:second\n");
}

#[test]
fn only_the_output_of_failures_is_shown_if_that_is_wanted() {
    for in_order in [false, true] {
        let mut test = Test::new(Show::OnFailure, in_order);
        for task in 1..=4 {
            test.start(task);
            test.print(task, &format!("{task}\n"));
        }
        test.end(1);
        test.fail(2);
        test.end_with(3, FinalState::Cancelled, Some(Reason::Interrupt), false);
        test.end_with(4, FinalState::Cancelled, Some(Reason::Terminate), false);
        assert_eq!(
            test.screen().join("|"),
            "1 over|1 shows|1 shown|2 over|2 shows|2:2\n|2 shown|3 over|3 shows|3 shown|4 over|4 shows|4:4\n|4 shown"
        );
        assert_eq!(test.floor.backlog(), 0);
    }
}

#[test]
fn each_stream_gets_its_own_bytes_however_many() {
    let mut test = Test::new(Show::Group, false);
    test.start(1);
    let mut expected = [String::new(), String::new()];
    for round in 0..200 {
        let stream = [OUT, ERR][round % 3 % 2];
        let printed = format!("{round} ").repeat(round * 7);
        expected[stream as usize].push_str(&printed);
        test.print_bytes(1, stream, printed.into_bytes());
    }
    test.end(1);
    while test.floor.showing.is_some() {
        test.tick();
    }
    let place = test.place();
    for (sign, expected) in ["1:", "1!"].iter().zip(expected) {
        let texts = place.iter().filter_map(|text| text.strip_prefix(sign));
        assert!(texts.collect::<String>() == expected);
    }
}

#[test]
fn a_reader_that_takes_nothing_bounds_what_is_under_way_and_a_flush_waits_for_it() {
    let mut test = Test::new(Show::Group, false);
    test.unread.replace(Some(Vec::new()));
    test.start(1);
    for _ in 0..64 {
        test.print_bytes(1, OUT, vec![b'x'; 128 * 1024]);
    }
    test.end(1);
    test.start(2);
    test.print(2, "two");
    test.end(2);
    for _ in 0..10 {
        test.tick();
    }
    assert!(test.count(1, OUT) <= UNDER_WAY + 128 * 1024);
    assert_eq!(test.floor.backlog(), 1);
    test.flush();
    assert!(!test.flushed.get());
    let mut turns = 0;
    while !test.flushed.get() {
        test.unread.replace(Some(Vec::new()));
        test.tick();
        turns += 1;
        assert!(turns < 100);
    }
    assert_eq!(test.count(1, OUT), 64 * 128 * 1024);
    assert_eq!(test.count(2, OUT), 3);
}

#[test]
fn a_large_group_is_shown_in_several_turns_of_the_run_loop() {
    let mut test = Test::new(Show::Group, false);
    test.start(1);
    for _ in 0..64 {
        test.print_bytes(1, OUT, vec![b'x'; 128 * 1024]);
    }
    test.end(1);
    assert!(test.count(1, OUT) <= 2 * AT_ONCE);
    for _ in 0..8 {
        test.tick();
    }
    assert_eq!(test.count(1, OUT), 64 * 128 * 1024);
}

#[test]
fn when_the_disk_is_full_one_task_after_the_other_shows_live_and_nothing_is_lost() {
    for in_order in [false, true] {
        let mut test = Test::with(Show::Group, in_order, None, small_file);
        let piece = |task: u32| vec![b'0' + u8::try_from(task).unwrap(); 100_000];
        let mut left = [30; 4];
        for task in 1..=4 {
            test.start(task);
        }
        // The worker of a child reads no further while as much as this is held.
        let is_held = |test: &Test, task: u32| {
            let mut groups = test.floor.running.iter();
            groups.any(|group| group.task.get() == task && group.holds() >= 300_000)
        };
        let mut rounds = 0;
        while left.iter().any(|left| *left > 0) {
            for task in [2, 3, 1, 4] {
                let left = &mut left[task as usize - 1];
                if *left == 0 || is_held(&test, task) {
                    continue;
                }
                test.print_bytes(task, OUT, piece(task));
                *left -= 1;
                if *left == 0 {
                    test.end(task);
                }
            }
            test.tick();
            rounds += 1;
            assert!(rounds < 1000, "no task goes on");
        }
        test.flush();
        while !test.flushed.get() {
            test.tick();
        }
        let place = test.place();
        let order = if in_order { [1, 2, 3, 4] } else { [4, 2, 3, 1] };
        let ends: Vec<_> = place.iter().filter(|told| told.ends_with("over")).collect();
        assert_eq!(
            ends,
            order.map(|task: u32| format!("{task} over")).each_ref()
        );
        for task in order {
            let all = String::from_utf8(piece(task).repeat(30)).unwrap();
            assert!(place.contains(&format!("{task}:{all}")), "{task}");
        }
        let warnings = test.warnings.take();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("(TMPDIR): operation not permitted"));
        assert!(!test.worker.exhausted());
        assert!(test.lost.lock().unwrap().is_empty());
    }
}

#[test]
fn with_a_full_disk_a_task_that_the_one_with_the_turn_waits_for_goes_on_out_of_turn() {
    let mut test = Test::with(Show::Group, true, None, small_file);
    test.start(2);
    for _ in 0..10 {
        test.print_bytes(2, OUT, vec![b'2'; 100_000]);
    }
    assert!(test.worker.exhausted());
    assert_eq!(test.floor.due(), Some(PATIENCE));
    test.now = PATIENCE / 2;
    test.tick();
    assert_eq!(test.count(2, OUT), 0);
    test.now = PATIENCE;
    test.tick();
    assert_eq!(test.count(2, OUT), 1_000_000);
    assert!(!test.worker.exhausted());
    test.print(2, "live");
    test.start(1);
    test.print(1, "one");
    assert_eq!(test.count(1, OUT), 0);
    test.end(2);
    assert_eq!(test.count(2, OUT), 1_000_004);
    test.end(1);
    assert_eq!(test.place()[1..].join("|"), "2 over|1:one|1 over");
    test.start(3);
    test.print(3, "three");
    assert_eq!(test.place(), ["3:three"]);
}

#[test]
fn of_several_that_are_held_the_one_with_the_turn_alone_goes_on_in_order() {
    let mut test = Test::with(Show::Group, true, None, small_file);
    test.start(1);
    test.start(2);
    for _ in 0..10 {
        test.print_bytes(2, OUT, vec![b'2'; 100_000]);
    }
    test.now = PATIENCE * 10;
    test.tick();
    test.print(1, "one");
    assert_eq!(test.place(), ["1:one"]);
    test.end(1);
    assert_eq!(test.count(2, OUT), 1_000_000);
}

#[test]
fn output_of_an_ended_task_that_is_held_lets_no_further_task_begin() {
    let mut test = Test::with(Show::Group, true, None, || {
        Err(io::ErrorKind::StorageFull.into())
    });
    test.start(1);
    for task in 2..40 {
        test.start(task);
        test.print_bytes(task, OUT, vec![b'x'; 900_000]);
        test.end(task);
    }
    assert_eq!(test.floor.backlog(), usize::MAX);
    test.end(1);
    while test.floor.showing.is_some() {
        test.tick();
    }
    assert_eq!(test.floor.backlog(), 0);
    assert_eq!(test.count(39, OUT), 900_000);
    assert!(!test.worker.exhausted());
}

#[test]
fn hundreds_of_small_groups_are_kept_beyond_the_memory() {
    let mut test = Test::new(Show::Group, true);
    test.start(1);
    for task in 2..=400 {
        test.start(task);
        test.print(task, &format!("{task}\n").repeat(10_000));
        test.end(task);
    }
    assert_eq!(test.floor.backlog(), 399);
    test.end(1);
    while test.floor.showing.is_some() {
        test.tick();
    }
    let mut expected = vec!["1 over".to_owned()];
    for task in 2..=400 {
        expected.push(format!("{task}:{}", format!("{task}\n").repeat(10_000)));
        expected.push(format!("{task} over"));
    }
    assert!(test.place() == expected);
}

#[test]
fn a_tag_stands_before_each_line_of_what_is_shown() {
    for show in [Show::Group, Show::Lines, Show::Stream] {
        let mut test = Test::with(show, false, Some([false; 2]), tempfile::tempfile);
        test.start(1);
        test.start(2);
        test.print(1, "one\ntw");
        test.print(1, "o\n");
        test.print_bytes(1, ERR, b"wrong".to_vec());
        test.end(1);
        assert_eq!(
            test.place().join("|"),
            "1:t1\tone\nt1\ttwo\n|1!t1\twrong|1 over"
        );
        test.print(2, "end");
        test.end(2);
        assert_eq!(test.place().join("|"), "2:t2\tend|2 over");
    }
}

#[test]
fn what_tags_make_of_empty_lines_is_bounded_too() {
    let mut test = Test::with(Show::Lines, false, Some([false; 2]), tempfile::tempfile);
    test.unread.replace(Some(Vec::new()));
    test.start(1);
    for _ in 0..20 {
        test.print_bytes(1, OUT, vec![b'\n'; 100_000]);
    }
    assert!(test.count(1, OUT) < 2 * UNDER_WAY);
    test.end(1);
    test.flush();
    while !test.flushed.get() {
        test.unread.replace(Some(Vec::new()));
        test.tick();
    }
    assert_eq!(test.count(1, OUT), 4 * 2_000_000);
}

#[test]
fn while_the_terminal_is_lent_only_the_task_that_has_it_shows() {
    let mut test = Test::new(Show::Group, false);
    for task in 1..=2 {
        test.start(task);
        test.print(task, &format!("{task}\n"));
    }
    test.tell(0, What::Terminal { ours: false });
    test.end(2);
    test.tell(1, What::Terminal { ours: false });
    test.print(1, "your name? ");
    assert_eq!(test.screen(), ["2 over", "1:1\nyour name? "]);
    test.tell(0, What::Terminal { ours: true });
    test.print(1, "end\n");
    assert_eq!(test.screen(), ["2 shows", "2:2\n", "2 shown"]);
    test.end(1);
    assert_eq!(test.screen(), ["1 over", "1 shows", "1:end\n", "1 shown"]);
}

#[test]
fn what_is_abandoned_is_told_once_and_holds_up_no_flush() {
    let mut test = Test::new(Show::Group, false);
    test.unread.replace(Some(Vec::new()));
    for task in 1..=2 {
        test.start(task);
        for _ in 0..20 {
            test.print_bytes(task, OUT, vec![b'x'; 128 * 1024]);
        }
        test.end(task);
    }
    test.flush();
    assert!(!test.flushed.get());
    test.floor.abandon();
    assert!(test.flushed.get());
    let sentence = "its reader did not read it all in time";
    assert_eq!(*test.lost.lock().unwrap(), [sentence]);
    let told = test.screen();
    assert_eq!(told[told.len() - 3..], ["1 shown", "2 shows", "2 shown"]);
}

#[test]
fn after_a_fault_output_goes_on_and_what_was_kept_is_told_as_lost() {
    let mut test = Test::new(Show::Group, true);
    test.start(1);
    test.start(2);
    test.print(2, "kept");
    let mut floor = test.floor.fall_back().unwrap();
    let event = What::Output {
        stream: OUT,
        bytes: &Arc::new(b"more".to_vec()),
        verdicts: &Verdicts::default(),
        permit: &test.worker.permit(1),
    };
    floor.event(&Event {
        task: TaskId::of(2),
        at: Duration::ZERO,
        what: event,
    });
    assert_eq!(test.place.take(), ["2:more"]);
    assert_eq!(*test.lost.lock().unwrap(), ["internal error"]);
}
