//! Recognises descriptors that were handed to us on purpose, for the command: those of make's jobserver, and the
//! sockets that systemd passes to a service (`LISTEN_FDS`).
//!
//! Scripts write to descriptor 3 and nowhere else, so the channel replaces a file that a shell happens to have open
//! there. It must not replace these: without its jobserver make builds with one job, and a service without its socket
//! has no clients. So the channel moves to another number. Knows the environment, and nothing of the child.

use std::os::fd::RawFd;
use std::path::Path;

/// The variables that name descriptors.
#[derive(Debug, Default)]
struct Said {
    /// `MAKEFLAGS`
    make: Option<String>,
    /// `LISTEN_FDS`, if it is meant for us: `LISTEN_PID` is our process number, or not set.
    listen: Option<String>,
}

impl Said {
    fn by_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let ours = std::process::id().to_string();
        let is_ours = variable("LISTEN_PID").is_none_or(|pid| pid == ours);
        Self {
            make: variable("MAKEFLAGS"),
            listen: variable("LISTEN_FDS").filter(|_| is_ours),
        }
    }

    /// The owner of the number, if the environment names one.
    fn owner(&self, number: RawFd) -> Option<&'static str> {
        let pipes = ["--jobserver-auth=", "--jobserver-fds="];
        let words = self.make.iter().flat_map(|make| make.split_whitespace());
        let mut servers =
            words.filter_map(|word| pipes.iter().find_map(|name| word.strip_prefix(name)));
        // The last option counts, as for make.
        let server = servers.next_back().and_then(|pair| pair.split_once(','));
        let is = |text: &str| text.parse() == Ok(number);
        if server.is_some_and(|(read, write)| is(read) || is(write)) {
            return Some("make's jobserver");
        }
        let sockets = self.listen.as_ref().and_then(|count| count.parse().ok());
        let sockets = 3..3_i32.saturating_add(sockets.unwrap_or(0));
        sockets.contains(&number).then_some("a LISTEN_FDS socket")
    }
}

/// The owner of the descriptor, if it was handed to us on purpose and is open.
pub(super) fn owner(number: RawFd) -> Option<&'static str> {
    let owner = Said::by_environment().owner(number)?;
    is_open(number).then_some(owner)
}

fn is_open(number: RawFd) -> bool {
    Path::new("/dev/fd").join(number.to_string()).exists()
}

/// The number of the channel: `wanted`, or the next free one if `wanted` was handed to us on purpose, with a sentence
/// for the user. Must be called before descriptors of our own take low numbers.
#[must_use]
pub(crate) fn channel(wanted: RawFd) -> (RawFd, Option<String>) {
    let Some(owner) = owner(wanted) else {
        return (wanted, None);
    };
    // 255 is the highest number that `--fd` accepts.
    let free = (wanted + 1..=255).find(|number| !is_open(*number));
    let number = free.unwrap_or(wanted);
    let sentence = format!(
        "descriptor {wanted} is {owner}: the command reports on {number} instead (PROGRUN_FD={number})"
    );
    (number, Some(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(make: &str, listen: &str) -> Vec<RawFd> {
        let said = Said {
            make: Some(make.to_owned()),
            listen: Some(listen.to_owned()),
        };
        (0..10)
            .filter(|number| said.owner(*number).is_some())
            .collect()
    }

    #[test]
    fn a_jobserver_has_two_descriptors_and_a_service_some_from_3_on() {
        assert_eq!(owners(" -j3 --jobserver-auth=3,4 -- A=b", ""), [3, 4]);
        assert_eq!(owners("w -j --jobserver-fds=5,7", ""), [5, 7]);
        assert_eq!(
            owners("--jobserver-auth=3,4 --jobserver-auth=8,9", ""),
            [8, 9]
        );
        assert_eq!(owners("-j --jobserver-auth=fifo:/tmp/GMfifo1", ""), [0; 0]);
        assert_eq!(owners("--jobserver-auth=-2,-2", ""), [0; 0]);
        assert_eq!(owners("--jobserver-auth=3", "x"), [0; 0]);
        assert_eq!(owners("", "2"), [3, 4]);
        assert_eq!(owners("", "0"), [0; 0]);
        assert_eq!(owners("", "99999999999"), [0; 0]);
    }
}
