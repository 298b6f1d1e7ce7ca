//! Observes a child while it reports nothing: what it uses, and how far it has come in a file that it reads.
//!
//! A guess, and cheap: it samples the child and its descendants from outside, about once a second, and less often where
//! a sample is expensive. It knows no pipe and no screen, and not what its findings are for. Only Linux tells;
//! elsewhere there is no observer.
//!
//! **The bytes read and written** are those that the system calls of the processes moved, or those that went from and
//! to disks if these are more. The former include bytes from a cache and from the network, as the user expects; but
//! memory maps and copies within the kernel only show in the latter. In a pipeline a byte counts at each step.
//!
//! **A file is being read through** when the position of a descriptor that only reads it advances. Of several files the
//! one with the most to come is chosen, until it is closed, or stands still while another one advances. A descriptor
//! that goes back and forth must advance more often in a row than it ever went back. `cp` and its like leave the
//! copying to the kernel, which updates the position only after some 2 GiB; meanwhile the size of the copy tells it.

mod proc;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::event::{FileRead, Observed};
use crate::system::reap;

use self::proc::{Open, Usage};

/// The first sample. A command that ends sooner is never observed.
const FIRST: Duration = Duration::from_millis(250);
const EVERY: Duration = Duration::from_secs(1);
/// The sampling interval is at least 500 times the CPU time of one sample for each child that runs, so sampling stays
/// under 0.2 % of a core.
const THRIFT: u32 = 500;
/// Of more children than this, some are not sampled.
const MANY: usize = 32;
/// The most processes, threads and descriptors in one sample.
const PROCESSES: usize = 64;
const TASKS: usize = 256;
const DESCRIPTORS: usize = 512;
/// A file that is not larger is soon read, and not worth showing.
const LARGE: u64 = 1024 * 1024;

/// Observes one child.
#[derive(Debug)]
pub(super) struct Observer {
    root: i32,
    due: Instant,
    /// The time of the last sample, and what all processes together had used by then.
    last: Option<(Instant, Usage)>,
    usage: HashMap<i32, Usage>,
    tracks: HashMap<Key, Track>,
    chosen: Option<Through>,
}

/// A descriptor of a process.
type Key = (i32, i32);

/// How a descriptor moves.
#[derive(Clone, Debug)]
struct Track {
    path: PathBuf,
    position: u64,
    /// The position, or what the kernel has copied beyond it.
    reached: u64,
    /// How often it advanced in a row.
    advances: u32,
    /// How often it went back.
    retreats: u32,
}

/// A file that is being read through.
#[derive(Clone, Debug)]
struct Through {
    key: Key,
    path: PathBuf,
    position: u64,
    size: u64,
}

impl Observer {
    /// An observer of `child` and its descendants; none where the system tells nothing.
    pub(super) fn new(child: Pid) -> Option<Self> {
        cfg!(target_os = "linux").then(|| Self {
            root: child.as_raw_nonzero().get(),
            due: Instant::now() + FIRST,
            last: None,
            usage: HashMap::new(),
            tracks: HashMap::new(),
            chosen: None,
        })
    }

    /// When the next sample is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The child has reported in another program's format. It is not sampled as long as it goes on reporting; what it
    /// uses counts from the first silence.
    pub(super) fn rest(&mut self, now: Instant) {
        self.due = now + EVERY;
        self.last = None;
    }

    /// Takes a sample. Gives what happened since the last one; none at the first.
    pub(super) fn sample(&mut self, now: Instant) -> Option<Observed> {
        let begun = processor_time();
        let total = self.look();
        let children = u32::try_from(reap::children().clamp(1, MANY)).unwrap_or(1);
        let cost = processor_time().saturating_sub(begun);
        self.due = now + EVERY.max(cost * (THRIFT * children));
        let (then, before) = self.last.replace((now, total))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "the last bytes do not matter")]
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let moved = |way: usize| {
            let transferred = rate(total.transferred[way], before.transferred[way]);
            transferred.max(rate(total.stored[way], before.stored[way]))
        };
        #[expect(clippy::cast_precision_loss, reason = "a hundred or so")]
        let ticks = clock_ticks_per_second() as f64;
        (seconds > 0.0).then(|| Observed {
            cpu: rate(total.ticks, before.ticks) / ticks,
            read: moved(0),
            written: moved(1),
            file: self.chosen.as_ref().map(Through::describe),
        })
    }

    /// Samples all processes. Gives what they have used together. The usage of a process that is gone is in its
    /// parent's by now, if the parent has waited for it.
    fn look(&mut self) -> Usage {
        let mut total = Usage::default();
        let (mut usage, mut tracks) = (HashMap::new(), HashMap::new());
        let mut read_through = Vec::new();
        let mut descriptors = DESCRIPTORS;
        for pid in proc::tree(self.root, PROCESSES, TASKS) {
            let Some(used) = proc::usage(pid) else {
                continue;
            };
            total += used;
            usage.insert(pid, used);
            // The size of a file is asked for only where bytes just moved: on a server that is gone, the question would
            // hang us as it hangs the process.
            let before = self.usage.get(&pid);
            let writes = before.is_some_and(|before| before.has_written_less_than(&used));
            let open = proc::open_files(pid, &mut descriptors);
            for file in open.iter().filter(|file| file.reads) {
                let key = (pid, file.number);
                let before = self.tracks.get(&key);
                let Some(before) = before.filter(|before| before.path == file.path) else {
                    tracks.insert(key, Track::begin(file));
                    continue;
                };
                let stands = before.position == file.position;
                let copied = (stands && writes).then(|| copied(pid, file, &open));
                let track = before.then(file.position, copied.flatten());
                if track.reached > before.reached && track.is_steady()
                    && let Some(size) = proc::size(pid, file.number)
                    // A file that stands at its end has been read, or is being written.
                    && size > LARGE && before.reached < size && track.reached <= size
                {
                    read_through.push(Through {
                        key,
                        path: file.path.clone(),
                        position: track.reached,
                        size,
                    });
                }
                tracks.insert(key, track);
            }
        }
        (self.usage, self.tracks) = (usage, tracks);
        self.choose(read_through);
        total
    }

    /// Stays with a file while it advances, or while it is open and no other file advances.
    fn choose(&mut self, read_through: Vec<Through>) {
        let chosen = self.chosen.take().filter(|chosen| {
            let track = self.tracks.get(&chosen.key);
            track.is_some_and(|track| track.path == chosen.path && track.is_steady())
        });
        let is_chosen = |file: &Through| {
            let chosen = chosen.as_ref();
            chosen.is_some_and(|chosen| (chosen.key, &chosen.path) == (file.key, &file.path))
        };
        self.chosen = read_through
            .into_iter()
            .max_by_key(|file| (is_chosen(file), file.size - file.position))
            .or(chosen);
    }
}

impl Track {
    fn begin(file: &Open) -> Self {
        Self {
            path: file.path.clone(),
            position: file.position,
            reached: file.position,
            advances: 0,
            retreats: 0,
        }
    }

    /// The same descriptor later. `copied` is how much the kernel is known to have copied while the position stood
    /// still.
    fn then(&self, position: u64, copied: Option<u64>) -> Self {
        let reached = if position == self.position {
            self.reached.max(copied.unwrap_or(0))
        } else {
            position
        };
        let mut later = Self {
            position,
            reached,
            ..self.clone()
        };
        if reached > self.reached {
            later.advances += 1;
        } else if reached < self.reached {
            later.advances = 0;
            later.retreats += 1;
        }
        later
    }

    /// Whether it seems to move from the beginning of the file to the end.
    fn is_steady(&self) -> bool {
        self.advances > self.retreats
    }
}

impl Through {
    fn describe(&self) -> FileRead {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        FileRead {
            name: name.to_string_lossy().into_owned(),
            position: self.position,
            size: self.size,
        }
    }
}

/// How much of a file whose position stands still the kernel has copied: the size of another file that is open for
/// writing at the same position, because the kernel updates both positions together, and that is longer than the
/// position. A process that copies with read and write stands at the end of its copy.
fn copied(pid: i32, file: &Open, open: &[Open]) -> Option<u64> {
    let size = proc::size(pid, file.number).filter(|size| *size > LARGE)?;
    open.iter()
        .filter(|copy| !copy.reads && copy.position == file.position)
        .filter_map(|copy| proc::size(pid, copy.number))
        .filter(|copied| (file.position + 1..=size).contains(copied))
        .max()
}

/// The CPU time of this thread.
pub(super) fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use rustix::process::{Signal, kill_process_group};

    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A child, and a clock that the test moves.
    struct Scene {
        folder: tempfile::TempDir,
        child: Child,
        observer: Observer,
        now: Instant,
    }

    impl Scene {
        /// The child runs `script` and reads lines from the test.
        fn new(script: &str) -> Self {
            Self::with(script, Stdio::piped(), tempfile::tempdir().unwrap())
        }

        /// The child has `file` as its standard input, so the test moves its position.
        fn reading(file: &File) -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self::with("exec sleep 1000", file.try_clone().unwrap().into(), folder)
        }

        fn with(script: &str, stdin: Stdio, folder: tempfile::TempDir) -> Self {
            let child = Command::new("sh")
                .args(["-c", script])
                .current_dir(&folder)
                .stdin(stdin)
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap();
            let observer = Observer::new(Pid::from_child(&child)).unwrap();
            Self {
                folder,
                child,
                observer,
                now: Instant::now(),
            }
        }

        /// Makes the child write two lines. When the second is here, the system has counted the first.
        fn echo(&mut self) {
            let stdin = self.child.stdin.as_mut().unwrap();
            let stdout = self.child.stdout.as_mut().unwrap();
            for _ in 0..2 {
                stdin.write_all(b"echo\n").unwrap();
                stdout.read_exact(&mut [0; 5]).unwrap();
            }
        }

        /// A second later.
        fn observed(&mut self) -> Option<Observed> {
            self.now += Duration::from_secs(1);
            self.observer.sample(self.now)
        }

        /// A second later: name, position and size in MiB of what is read.
        fn file(&mut self) -> Option<(String, u64, u64)> {
            let file = self.observed()?.file?;
            Some((file.name, file.position / MIB, file.size / MIB))
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }

    fn large(folder: &tempfile::TempDir, name: &str, size: u64) -> File {
        let path = folder.path().join(name);
        let file = File::create_new(&path).unwrap();
        file.set_len(size).unwrap();
        File::open(path).unwrap()
    }

    fn seek(mut file: &File, position: u64) {
        file.seek(SeekFrom::Start(position)).unwrap();
    }

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with is one")]
    fn at(name: &str, position: u64, size: u64) -> Option<(String, u64, u64)> {
        Some((name.to_owned(), position, size))
    }

    #[test]
    fn a_file_is_read_through_when_its_position_has_advanced() {
        let folder = tempfile::tempdir().unwrap();
        let file = large(&folder, "big.iso", 100 * MIB);
        seek(&file, 10 * MIB);
        let mut scene = Scene::reading(&file);
        assert_eq!(scene.observed(), None, "nothing to compare with");
        assert_eq!(scene.file(), None, "it stands");
        seek(&file, 50 * MIB);
        assert_eq!(scene.file(), at("big.iso", 50, 100));
        assert_eq!(scene.file(), at("big.iso", 50, 100), "still open");
        std::fs::remove_file(folder.path().join("big.iso")).unwrap();
        seek(&file, 60 * MIB);
        assert_eq!(scene.file(), None, "it is gone");
        assert_eq!(scene.file(), None);
    }

    #[test]
    fn a_file_that_is_read_back_and_forth_has_to_advance_more_often_than_it_went_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = large(&folder, "big.iso", 100 * MIB);
        let mut scene = Scene::reading(&file);
        let shown: Vec<_> = [5, 10, 6, 12, 3, 7, 8, 9]
            .into_iter()
            .map(|position| {
                seek(&file, position * MIB);
                scene.file().map(|(_, position, _)| position)
            })
            .collect();
        let expected = [None, Some(10), None, None, None, None, None, Some(9)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn small_files_and_what_stands_at_its_end_are_not_read_through() {
        for (size, positions) in [(MIB, [1, 1000]), (100 * MIB, [100 * MIB, 101 * MIB])] {
            let folder = tempfile::tempdir().unwrap();
            let file = large(&folder, "file", size);
            let mut scene = Scene::reading(&file);
            for position in positions {
                seek(&file, position);
                assert_eq!(scene.file(), None);
            }
        }
    }

    #[test]
    fn of_two_files_the_one_with_more_to_come_is_taken_and_kept() {
        let (less, more) = (Through::new(3, 50), Through::new(4, 40));
        let mut observer = Observer::new(Pid::INIT).unwrap();
        for file in [&less, &more] {
            let track = Track {
                path: file.path.clone(),
                position: file.position,
                reached: file.position,
                advances: 1,
                retreats: 0,
            };
            observer.tracks.insert(file.key, track);
        }
        let mut chosen = |files: &[&Through]| {
            observer.choose(files.iter().copied().cloned().collect());
            observer.chosen.as_ref().map(|file| file.key.1)
        };
        assert_eq!(chosen(&[&less]), Some(3));
        assert_eq!(chosen(&[&less, &more]), Some(3), "kept");
        assert_eq!(chosen(&[]), Some(3), "still open");
        assert_eq!(chosen(&[&more]), Some(4), "the other one stands");
        assert_eq!(chosen(&[&less, &more]), Some(4));
        observer.tracks.clear();
        observer.choose(vec![]);
        assert!(observer.chosen.is_none());
    }

    impl Through {
        fn new(number: i32, position: u64) -> Self {
            Self {
                key: (1, number),
                path: format!("/{number}").into(),
                position,
                size: 100,
            }
        }
    }

    #[test]
    fn of_a_copy_within_the_kernel_the_size_of_the_copy_tells_how_far_it_is() {
        let mut scene = Scene::new("truncate -s 100M big.iso; exec cat 3<big.iso 4>copy");
        let mut copy = |size, echo| {
            if echo {
                scene.echo();
            }
            let file = File::options()
                .write(true)
                .open(scene.folder.path().join("copy"));
            file.unwrap().set_len(size * MIB).unwrap();
            scene.file()
        };
        assert_eq!(copy(0, true), None);
        assert_eq!(copy(30, true), at("big.iso", 30, 100));
        assert_eq!(copy(40, true), at("big.iso", 40, 100));
        // The copy of a process that has written nothing is not its own.
        assert_eq!(copy(50, false), at("big.iso", 40, 100));
        assert_eq!(copy(101, true), at("big.iso", 40, 100));
    }

    #[test]
    fn what_is_read_and_written_is_counted_with_what_children_did_that_are_gone() {
        let script = "head -c 5; head -c 5; head -c 10485760 /dev/zero >zeros; echo done; read x";
        let mut scene = Scene::new(script);
        let hears = |scene: &mut Scene| {
            let stdout = scene.child.stdout.as_mut().unwrap();
            stdout.read_exact(&mut [0; 5]).unwrap();
        };
        let stdin = scene.child.stdin.as_mut().unwrap();
        stdin.write_all(b"echo\n").unwrap();
        hears(&mut scene);
        assert_eq!(scene.observed(), None);
        let stdin = scene.child.stdin.as_mut().unwrap();
        stdin.write_all(b"echo\n").unwrap();
        hears(&mut scene);
        hears(&mut scene);
        let observed = scene.observed().unwrap();
        assert!(observed.read >= 10_485_760.0, "{observed:?}");
        assert!(observed.written >= 10_485_760.0, "{observed:?}");
        assert!(observed.read < 12_000_000.0, "{observed:?}");
        assert!(observed.written < 12_000_000.0, "{observed:?}");
    }

    #[test]
    fn a_child_that_is_gone_gives_nothing_and_does_no_harm() {
        let mut scene = Scene::new("exit");
        scene.child.wait().unwrap();
        assert_eq!(scene.observed(), None);
        let observed = scene.observed().unwrap();
        assert_eq!((observed.cpu, observed.file), (0.0, None));
    }
}
