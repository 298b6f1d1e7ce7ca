//! `--on` and its companions: the options that say on which machines a command runs, and how their values are read. How a
//! machine is reached is not known here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueHint};

use crate::child::Terms;
use crate::launcher::{Bootstrap, PREFIX, SLURM, SSH, Target};
use crate::run::Reach;

use super::time::{Time, parse_time};

/// How long an agent whose lease is over waits where the user has set no limit.
const GRACE: Duration = Duration::from_secs(10);
const KILL_AFTER: Duration = Duration::from_secs(5);
/// How many jobs of Slurm there are at once, unless the user says: each costs two processes here.
const SLURM_JOBS: u32 = 100;
/// As how many slots a machine counts that has not said yet how many it has.
const UNKNOWN: u32 = 64;

/// No lease and no step of a stop is longer: a year.
const LONGEST: Duration = Duration::from_hours(365 * 24);
/// No lease is shorter: a busy machine would lose it.
const SHORTEST: Duration = Duration::from_secs(1);

/// The options about other machines.
#[derive(Clone, Debug, Default, Args)]
#[group(skip)]
pub(super) struct OnOptions {
    /// Run on other machines: HOST[:SLOTS],..., slurm, or 'COMMAND ARG...'
    ///
    /// HOST is a destination of ssh(1), which must not ask for a password. Without SLOTS, a host takes as many tasks at
    /// once as it has processors. With slurm, each task is a job of its own, started by srun(1), or a step if progrun
    /// itself runs in an allocation. A value with a space, such as 'docker exec -i box', is a command
    /// that starts what follows it somewhere else, and connects stdin and stdout with it. The option can be repeated. Bars, output, Ctrl-C and exit
    /// statuses are those of a local run. See progrun-on(7).
    #[arg(long, value_name = "WHERE", value_parser = parse_on, help_heading = "Elsewhere", value_hint = ValueHint::Hostname)]
    pub(super) on: Vec<Hosts>,

    /// Options for srun, such as '-p short -c4 --mem=2G'
    #[arg(long, hide_short_help = true, value_name = "OPTIONS", value_parser = parse_words, allow_hyphen_values = true, requires = "on", help_heading = "Elsewhere", value_hint = ValueHint::Other)]
    pub(super) slurm: Option<Words>,

    /// Directory in which the command runs there [default: the same as here]
    ///
    /// A relative DIR is below that in which the machine starts a command: with ssh, the home directory, so that . is the
    /// home directory.
    #[arg(long, hide_short_help = true, value_name = "DIR", requires = "on", help_heading = "Elsewhere", value_hint = ValueHint::Other)]
    pub(super) chdir: Option<PathBuf>,

    /// Environment variable that goes along: its value here, or VALUE
    #[arg(long, hide_short_help = true, value_name = "NAME[=VALUE]", value_parser = parse_variable, requires = "on", help_heading = "Elsewhere", value_hint = ValueHint::Other)]
    pub(super) env: Vec<Variable>,

    /// The progrun to use there [default: the one in PATH, or a copy of this one]
    ///
    /// Without this option, and where PATH has no suitable progrun, this program copies itself once to
    /// ~/.cache/progrun there.
    #[arg(long, hide_short_help = true, value_name = "PATH", requires = "on", help_heading = "Elsewhere", value_hint = ValueHint::Other)]
    pub(super) agent: Option<PathBuf>,

    /// How long each side goes on without a word of the other (0 = for ever)
    ///
    /// If the connection is gone for longer, the command is stopped there, and is lost here.
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = parse_lease, allow_negative_numbers = true, default_value = "60s", env = "PROGRUN_LEASE", help_heading = "Elsewhere", value_hint = ValueHint::Other)]
    pub(super) lease: Time,
}

/// The machines that one `--on` names.
pub(super) type Hosts = Vec<(Place, Option<u32>)>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Host(String),
    Slurm,
    Command(Vec<OsString>),
}

/// The words of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(Vec<OsString>);

/// A variable, and its value; none: that of our environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable(String, Option<String>);

impl OnOptions {
    /// What clap makes of them if none is given.
    pub(super) fn usual() -> Self {
        Self {
            lease: Time(Some(Duration::from_mins(1))),
            ..Self::default()
        }
    }

    /// Whether the command runs on another machine.
    pub(super) fn is_elsewhere(&self) -> bool {
        !self.on.is_empty()
    }

    /// Checks what one value alone does not tell. `is_one`: there is one command.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn check(&self, is_one: bool) -> Result<(), String> {
        let places: Vec<_> = self.on.iter().flatten().map(|(place, _)| place).collect();
        if is_one && places.len() > 1 {
            return Err(
                "one command runs on one machine: --on names several (progrun each and progrun tasks take them)"
                    .to_owned(),
            );
        }
        let is_slurm = places.iter().any(|place| **place == Place::Slurm);
        if self.slurm.is_some() && !is_slurm {
            return Err("--slurm is for --on slurm".to_owned());
        }
        if is_slurm && places.len() > 1 {
            return Err("--on slurm places the tasks itself: name no other machine".to_owned());
        }
        for (index, place) in places.iter().enumerate() {
            if let (Place::Host(host), true) = (place, places[..index].contains(place)) {
                return Err(format!("--on names {host} twice"));
            }
        }
        Ok(())
    }

    /// Where the tasks run, and at most how many at once; `jobs` is the user's number. None: here.
    pub(super) fn reach(
        &self,
        jobs: Option<u32>,
        (grace, kill_after): (Option<Duration>, Option<Duration>),
    ) -> Option<(Reach, u32)> {
        if !self.is_elsewhere() {
            return None;
        }
        let targets: Vec<_> = self
            .on
            .iter()
            .flatten()
            .map(|(place, slots)| self.target(place, *slots, jobs))
            .collect();
        let slots = targets.iter().map(|(_, slots)| slots.unwrap_or(UNKNOWN));
        let slots = slots.fold(0_u32, u32::saturating_add);
        let carries = targets
            .iter()
            .all(|(target, _)| target.engine.carries_environment);
        let here = std::env::current_dir().unwrap_or_default();
        let value = |Variable(name, value): &Variable| {
            let value = match value {
                Some(value) => Some(value.into()),
                // What is not set here is not set there.
                None => std::env::var_os(name),
            };
            (name.clone(), value)
        };
        let variables = self.env.iter().map(value);
        let terms = Terms {
            run: run_name(),
            is_step: carries && (std::env::var_os("SLURM_JOB_ID").is_some() || self.names_job()),
            lease: self.lease.0.map(|lease| lease.min(LONGEST)),
            grace: grace.unwrap_or(GRACE).min(LONGEST),
            kill_after: kill_after.unwrap_or(KILL_AFTER).min(LONGEST),
            bootstrap: Bootstrap::new(self.agent.as_deref()),
            folder: self.chdir.clone().unwrap_or(here),
            variables: variables.collect(),
        };
        let reach = Reach {
            targets,
            terms: Arc::new(terms),
        };
        Some((reach, jobs.unwrap_or(slots)))
    }

    /// Whether the options of srun name an allocation in which the tasks run.
    fn names_job(&self) -> bool {
        let words = self.slurm.iter().flat_map(|words| &words.0);
        words
            .clone()
            .any(|word| word.to_string_lossy().starts_with("--jobid"))
    }

    fn target(
        &self,
        place: &Place,
        slots: Option<u32>,
        jobs: Option<u32>,
    ) -> (Target, Option<u32>) {
        match place {
            Place::Host(host) => {
                let target = Target {
                    name: host.clone(),
                    engine: &SSH,
                    words: vec![host.into()],
                };
                (target, slots)
            }
            Place::Slurm => {
                let target = Target {
                    name: "slurm".to_owned(),
                    engine: &SLURM,
                    words: self.slurm.clone().map_or(Vec::new(), |words| words.0),
                };
                (target, Some(jobs.unwrap_or(SLURM_JOBS)))
            }
            Place::Command(words) => {
                let name = words
                    .last()
                    .map_or("".into(), |word| word.to_string_lossy());
                let target = Target {
                    name: name.into_owned(),
                    engine: &PREFIX,
                    words: words.clone(),
                };
                (target, slots)
            }
        }
    }
}

fn parse_lease(text: &str) -> Result<Time, String> {
    let time = parse_time(text)?;
    if time.0.is_some_and(|lease| lease < SHORTEST) {
        return Err("a lease is at least 1s, or 0 for one without an end".to_owned());
    }
    Ok(time)
}

/// A name that no other run has, on this machine or another.
fn run_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = since.map_or(0, |since| since.as_micros());
    format!("progrun-{}-{time:x}", std::process::id())
}

/// Reads a value of `--on`.
fn parse_on(text: &str) -> Result<Hosts, String> {
    if text.contains([' ', '\t']) {
        let words = parse_words(text)?.0;
        if words.is_empty() {
            return Err("expected a machine".to_owned());
        }
        return Ok(vec![(Place::Command(words), None)]);
    }
    if text == "slurm" {
        return Ok(vec![(Place::Slurm, None)]);
    }
    text.split(',').map(parse_host).collect()
}

fn parse_host(text: &str) -> Result<(Place, Option<u32>), String> {
    // An address of IPv6 has colons of its own.
    let (host, slots) = match text.rsplit_once(':') {
        Some((host, slots)) if !host.contains(':') || host.ends_with(']') => {
            let number = slots.parse().ok().filter(|slots| *slots > 0);
            let number = number.ok_or_else(|| {
                format!("{text}: expected the number of slots after the colon (for a port: ssh_config(5))")
            })?;
            (host, Some(number))
        }
        _ => (text, None),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return Err("expected the name of a host".to_owned());
    }
    if host.starts_with('-') {
        return Err(format!("{host}: a host does not begin with a hyphen"));
    }
    if host == "slurm" {
        return Err("slurm is no host: --on slurm stands alone, and -j says how many".to_owned());
    }
    Ok((Place::Host(host.to_owned()), slots))
}

/// Splits a line into words as a shell does, with quotes and backslashes, and without any expansion.
fn parse_words(text: &str) -> Result<Words, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (letter, Some(end)) if letter == end => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => {
                let next = letters.next().ok_or("a backslash at the end")?;
                word.get_or_insert_default().push(next);
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote has no end".to_owned());
    }
    words.extend(word);
    Ok(Words(words.into_iter().map(OsString::from).collect()))
}

fn parse_variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let is_name = |name: &str| {
        let mut letters = name.chars();
        let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
        letters.next().is_some_and(begins)
            && letters.all(|letter| begins(letter) || letter.is_ascii_digit())
    };
    if is_name(name) {
        Ok(Variable(name.to_owned(), value))
    } else {
        Err(format!("{name}: no name of a variable"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, slots: Option<u32>) -> (Place, Option<u32>) {
        (Place::Host(name.to_owned()), slots)
    }

    #[test]
    fn machines_are_named_with_or_without_their_slots() {
        assert_eq!(
            parse_on("a,me@b:8,[::1]:2,fe80::1"),
            Ok(vec![
                host("a", None),
                host("me@b", Some(8)),
                host("::1", Some(2)),
                host("fe80::1", None)
            ])
        );
        assert_eq!(parse_on("slurm"), Ok(vec![(Place::Slurm, None)]));
        let words = ["docker", "exec", "-i", "my box"].map(OsString::from);
        assert_eq!(
            parse_on("docker exec -i 'my box'"),
            Ok(vec![(Place::Command(words.to_vec()), None)])
        );
        for (wrong, sentence) in [
            ("", "expected the name of a host"),
            ("a,,b", "expected the name of a host"),
            (
                "a:0",
                "a:0: expected the number of slots after the colon (for a port: ssh_config(5))",
            ),
            (
                "-oProxyCommand=x",
                "-oProxyCommand=x: a host does not begin with a hyphen",
            ),
            (
                "slurm:4",
                "slurm is no host: --on slurm stands alone, and -j says how many",
            ),
        ] {
            assert_eq!(parse_on(wrong), Err(sentence.to_owned()), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_split_into_words_as_by_a_shell() {
        let words = |text| {
            let words = parse_words(text)?.0.into_iter();
            Ok::<_, String>(
                words
                    .map(|word| word.into_string().unwrap())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            words(r#" -p short  --comment='two words' -J "a\"b" '' x\ y "#).unwrap(),
            [
                "-p",
                "short",
                "--comment=two words",
                "-J",
                "a\"b",
                "",
                "x y"
            ]
        );
        assert_eq!(words("'a").unwrap_err(), "a quote has no end");
        assert_eq!(words("a\\").unwrap_err(), "a backslash at the end");
    }

    #[test]
    fn a_variable_goes_along_with_its_value_here_or_another() {
        assert_eq!(parse_variable("A_1"), Ok(Variable("A_1".to_owned(), None)));
        let with = Variable("A".to_owned(), Some("b=c".to_owned()));
        assert_eq!(parse_variable("A=b=c"), Ok(with));
        assert_eq!(
            parse_variable("1A=x").unwrap_err(),
            "1A: no name of a variable"
        );
    }

    #[test]
    fn what_cannot_be_is_said_before_anything_starts() {
        let on = |values: &[&str]| OnOptions {
            on: values
                .iter()
                .map(|value| parse_on(value).unwrap())
                .collect(),
            ..OnOptions::usual()
        };
        assert_eq!(on(&["a:2", "b"]).check(false), Ok(()));
        for (options, is_one) in [
            (on(&["a,b"]), true),
            (on(&["a", "a:2"]), false),
            (on(&["slurm", "a"]), false),
            (
                OnOptions {
                    slurm: Some(Words(Vec::new())),
                    ..on(&["a"])
                },
                false,
            ),
        ] {
            assert!(options.check(is_one).is_err(), "{options:?}");
        }
    }
}
