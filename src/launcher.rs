//! The ways to another machine, as rows of one table: what is started here, what it says while a job is queued, how much
//! its exit status is worth, and how its jobs are cleaned up. Each gives a stream of bytes to and from a shell there.
//!
//! Nothing is started here, and nothing is known of what the shell is to do. The facts are measured: `ssh` gives its
//! remote side an end of file when it dies, `srun` does not, and neither is to be believed when it says that all is well.

mod bootstrap;

use std::ffi::OsString;
use std::time::Duration;

pub(crate) use self::bootstrap::{Bootstrap, ShellLine, Wanted};

/// A way to other machines.
#[derive(Debug)]
pub(crate) struct Engine {
    /// What users call it.
    pub(crate) name: &'static str,
    /// The words that start a shell at the target.
    words: fn(&Target, &Job<'_>) -> Vec<OsString>,
    /// The job that a line of its stderr tells to be queued.
    queued: fn(&str) -> Option<&str>,
    /// Whether a line of its stderr says only what progrun shows itself.
    is_chatter: fn(&str) -> bool,
    /// Whether, by its stderr, the machine has turned a connection away because there were too many at once.
    is_turned_away: fn(&str) -> bool,
    /// Whether, by its stderr, the job was cancelled while it waited.
    is_cancelled: fn(&str) -> bool,
    /// Whether it chooses the machine for each task itself.
    pub(crate) places_tasks: bool,
    /// How long the first word from there may take; none: as long as the queue is.
    pub(crate) patience: Option<Duration>,
    /// Whether its process may be killed. One that holds a job of an engine may not: the job would stay.
    pub(crate) may_be_killed: bool,
    /// Whether the environment goes along.
    pub(crate) carries_environment: bool,
    /// How many connections of one target may be under way at once, and how many may begin in a second.
    pub(crate) starts: Starts,
    /// What an agent runs when no process listens to it any more; empty: nothing.
    release: fn(&Job<'_>) -> &'static [&'static str],
    /// What ends the jobs of a run that may be left: by the name of the run, or inside an allocation by their own. Empty:
    /// none can be.
    sweep: fn(&str, bool, &[String]) -> Vec<String>,
}

/// How fast jobs may begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starts {
    /// At one target at once, before their first word.
    pub(crate) at_once: u32,
    /// The shortest time between two of a run.
    pub(crate) apart: Duration,
}

/// What is known of a job before it is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    /// The name that all jobs of the run have.
    pub(crate) run: &'a str,
    /// How long a connection may be silent before it is given up; none: for ever.
    pub(crate) silence: Option<Duration>,
    /// Whether the run is inside an allocation of the engine, so that a job is a step of that.
    pub(crate) is_step: bool,
}

/// Where tasks can run.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What users call it.
    pub(crate) name: String,
    /// How it is reached.
    pub(crate) engine: &'static Engine,
    /// A host, options or a command: see the rows of the table.
    pub(crate) words: Vec<OsString>,
}

impl Target {
    /// The words that start a shell there.
    #[must_use]
    pub(crate) fn command(&self, job: &Job<'_>) -> Vec<OsString> {
        (self.engine.words)(self, job)
    }
}

impl Engine {
    /// The job that a line of its stderr tells to be queued.
    pub(crate) fn queued<'a>(&self, line: &'a str) -> Option<&'a str> {
        (self.queued)(line)
    }

    /// Whether a line of its stderr says only what progrun shows itself.
    pub(crate) fn is_chatter(&self, line: &str) -> bool {
        (self.is_chatter)(line)
    }

    /// Whether the machine has turned a connection away because there were too many at once.
    pub(crate) fn is_turned_away(&self, stderr: &str) -> bool {
        (self.is_turned_away)(stderr)
    }

    /// Whether, by its stderr, the job was cancelled while it waited.
    pub(crate) fn is_cancelled(&self, stderr: &str) -> bool {
        (self.is_cancelled)(stderr)
    }

    /// What an agent runs when no process listens to it any more.
    pub(crate) fn release(&self, job: &Job<'_>) -> Vec<String> {
        let words = (self.release)(job).iter();
        words.map(|word| (*word).to_owned()).collect()
    }

    /// What ends the jobs of a run with this name that may be left, of which these are known; empty: none can be.
    pub(crate) fn sweep(&self, run: &str, are_steps: bool, known: &[String]) -> Vec<String> {
        (self.sweep)(run, are_steps, known)
    }
}

/// A host by ssh, the only word of the target. An end of file tells the agent that the connection is gone.
pub(crate) static SSH: Engine = Engine {
    name: "ssh",
    words: |target, job| {
        let mut words = to_words(&["ssh", "-T", "-o", "BatchMode=yes", "-o", "ForwardX11=no"]);
        // The agent's own word comes sooner. This is for an ssh whose progrun was killed, on a network that is gone.
        let count = job.silence.map_or(0, |time| time.as_secs().div_ceil(15));
        let interval = if count == 0 { 0 } else { 15 };
        for option in [
            format!("ServerAliveInterval={interval}"),
            format!("ServerAliveCountMax={}", count.max(1)),
        ] {
            words.extend([OsString::from("-o"), option.into()]);
        }
        words.push("--".into());
        words.extend(target.words.iter().cloned());
        // Words without a meaning of their own in any login shell.
        words.extend(to_words(&["exec", "/bin/sh"]));
        words
    },
    is_turned_away: |stderr| {
        // MaxStartups of sshd(8) closes the connection, and MaxSessions refuses one of a shared connection.
        [
            "kex_exchange_identification",
            "Connection closed by",
            "Connection reset by",
            "banner exchange",
            "Session open refused",
            "open failed",
        ]
        .iter()
        .any(|words| stderr.contains(words))
    },
    ..PREFIX_ROW
};

/// Slurm by srun, with the words of the target as options of srun. No end of file comes when srun is killed, the job then
/// stays in the queue or goes on running, and srun exits with 0 when a node has failed.
pub(crate) static SLURM: Engine = Engine {
    name: "slurm",
    words: |target, job| {
        let mut words = to_words(&["srun", "-X"]);
        words.extend(target.words.iter().cloned());
        if job.is_step {
            words.push("--exact".into());
        }
        words.extend(to_words(&["--nodes=1", "--ntasks=1"]));
        words.push(format!("--job-name={}", job.run).into());
        words.push("/bin/sh".into());
        words
    },
    queued: |line| {
        let job = line.strip_prefix("srun: job ")?.split_once(' ')?;
        job.1.starts_with("queued").then_some(job.0)
    },
    is_chatter: |line| {
        let Some(line) = line.strip_prefix("srun: ") else {
            return line.is_empty();
        };
        // It says so of every status but 0.
        line.contains(": task 0: Exited with exit code")
            || line.starts_with("job ")
            || line.starts_with("Step created")
            || line.starts_with("Job step creation temporarily disabled")
            || line.starts_with("step creation temporarily disabled")
    },
    is_turned_away: |stderr| {
        stderr.contains("Socket timed out") || stderr.contains("Unable to contact slurm controller")
    },
    is_cancelled: |stderr| stderr.contains("srun: Job has been cancelled"),
    places_tasks: true,
    patience: None,
    may_be_killed: false,
    carries_environment: true,
    starts: Starts {
        at_once: u32::MAX,
        // Below the 30 a second that one slurmctld has been seen to bear.
        apart: Duration::from_millis(50),
    },
    release: |job| {
        if job.is_step {
            &["sh", "-c", "exec scancel \"$SLURM_JOB_ID.$SLURM_STEP_ID\""]
        } else {
            &["sh", "-c", "exec scancel \"$SLURM_JOB_ID\""]
        }
    },
    sweep: |run, are_steps, known| {
        let scancel = "scancel".to_owned();
        if !are_steps {
            // Of the user's own jobs, whichever the run has not heard of included.
            return vec![scancel, format!("--name={run}")];
        }
        let words = std::iter::once(scancel).chain(known.iter().cloned());
        words
            .collect::<Vec<_>>()
            .split_off(usize::from(known.is_empty()))
    },
};

/// Any command that gives a stream of bytes to and from the command behind it, such as `docker exec -i NAME`.
pub(crate) static PREFIX: Engine = PREFIX_ROW;

/// The row of a way that has no engine behind it.
const PREFIX_ROW: Engine = Engine {
    name: "command",
    words: |target, _| {
        let mut words = target.words.clone();
        words.push("/bin/sh".into());
        words
    },
    queued: |_| None,
    is_chatter: |_| false,
    is_turned_away: |_| false,
    is_cancelled: |_| false,
    places_tasks: false,
    patience: Some(Duration::from_mins(1)),
    may_be_killed: true,
    carries_environment: false,
    starts: Starts {
        at_once: 8,
        apart: Duration::ZERO,
    },
    release: |_| &[],
    sweep: |_, _, _| Vec::new(),
};

fn to_words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(engine: &'static Engine, words: &[&str], job: &Job<'_>) -> String {
        let target = Target {
            name: String::new(),
            engine,
            words: to_words(words),
        };
        let words = target.command(job);
        words.join(&OsString::from(" ")).into_string().unwrap()
    }

    const JOB: Job<'static> = Job {
        run: "progrun-1",
        silence: Some(Duration::from_secs(85)),
        is_step: false,
    };

    #[test]
    fn a_host_is_reached_by_ssh_without_a_question_and_a_word_is_never_taken_for_an_option() {
        assert_eq!(
            words(&SSH, &["me@n1"], &JOB),
            "ssh -T -o BatchMode=yes -o ForwardX11=no -o ServerAliveInterval=15 -o ServerAliveCountMax=6 -- me@n1 exec /bin/sh"
        );
        let without_lease = Job {
            silence: None,
            ..JOB
        };
        assert!(words(&SSH, &["n1"], &without_lease).contains("ServerAliveInterval=0"));
    }

    #[test]
    fn a_task_is_a_job_of_slurm_or_inside_an_allocation_a_step() {
        let options = ["-p", "short", "-c4"];
        assert_eq!(
            words(&SLURM, &options, &JOB),
            "srun -X -p short -c4 --nodes=1 --ntasks=1 --job-name=progrun-1 /bin/sh"
        );
        let step = Job {
            is_step: true,
            ..JOB
        };
        assert_eq!(
            words(&SLURM, &options, &step),
            "srun -X -p short -c4 --exact --nodes=1 --ntasks=1 --job-name=progrun-1 /bin/sh"
        );
    }

    #[test]
    fn srun_tells_that_a_job_is_queued() {
        let line = "srun: job 42 queued and waiting for resources";
        assert_eq!(SLURM.queued(line), Some("42"));
        assert_eq!(
            SLURM.queued("srun: job 42 has been allocated resources"),
            None
        );
        assert_eq!(SLURM.queued("srun: error: job"), None);
        assert!(SLURM.is_chatter(line));
        assert!(!SLURM.is_chatter("srun: error: invalid partition specified: x"));
    }

    #[test]
    fn what_sshd_says_when_there_are_too_many_logins_is_no_reason_to_give_up() {
        let closed = "kex_exchange_identification: Connection closed by remote host";
        assert!(SSH.is_turned_away(closed));
        assert!(!SSH.is_turned_away("me@n1: Permission denied (publickey)."));
    }
}
