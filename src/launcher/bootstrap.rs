//! The first lines for a shell on another machine: it finds a progrun there, or takes this one, and becomes its agent.
//!
//! The lines travel on the stdin of the shell, so that no login shell, however strange, has to take quotes apart. They are a
//! function and its call, so the shell has read all of them before one is carried out; and nothing more is sent before the
//! shell or the agent has asked for it, so a shell that reads ahead takes nothing from the programs after it.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use crate::reason::reason;

/// The words of the shell: it is there, and it asks for a copy of this program.
const BEGUN: &str = "progrun-shell";
const WANTED: &str = "progrun-agent-wanted";
/// How the lines for it begin.
const HEAD: &str = "progrun_agent() {";

/// How an agent is found at a target.
#[derive(Debug, Default)]
pub(crate) struct Bootstrap {
    /// The program there that the user has named.
    agent: Option<String>,
    /// This program, once it was looked at; none: it cannot be read.
    own: OnceLock<Option<Own>>,
}

/// This program, as it is brought along.
#[derive(Clone, Copy, Debug)]
struct Own {
    size: usize,
    /// The name of the copy. It need only differ from that of another build.
    hash: u64,
}

/// What a shell that has got the lines says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShellLine {
    /// It is there.
    Begun,
    /// It asks for a copy of this program.
    Wanted(Wanted),
    /// These are our own lines: a terminal on the way gives them back.
    Echo,
}

impl ShellLine {
    /// Reads a line; none if the shell does not say it.
    pub(crate) fn read(line: &str) -> Option<Self> {
        match line.trim_end() {
            BEGUN => Some(Self::Begun),
            line if line.ends_with(HEAD) => Some(Self::Echo),
            line => Wanted::read(line).map(Self::Wanted),
        }
    }
}

/// The machine of a shell that asks for a copy of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    system: String,
    machine: String,
}

impl Wanted {
    /// Reads a line of the shell; none if it asks for nothing.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(WANTED)?.split_ascii_whitespace();
        let mut next = || words.next().unwrap_or("?").to_owned();
        Some(Self {
            system: next(),
            machine: next(),
        })
    }

    /// Whether this program runs there, as far as the names of the machines tell.
    fn is_like_ours(&self) -> bool {
        let machine = match self.machine.as_str() {
            "arm64" => "aarch64",
            "i386" | "i486" | "i586" | "i686" => "x86",
            machine if machine.starts_with("armv") => "arm",
            machine => machine,
        };
        let system = match std::env::consts::OS {
            "linux" => "Linux",
            "macos" => "Darwin",
            system => system,
        };
        self.system == system && machine == std::env::consts::ARCH
    }
}

impl Bootstrap {
    /// With the agent that the user has named, if one was.
    pub(crate) fn new(agent: Option<&Path>) -> Self {
        Self {
            agent: agent.map(|path| quoted(path.as_os_str())),
            own: OnceLock::new(),
        }
    }

    /// The lines for the shell. `protocol` is the version that the agent has to speak.
    pub(crate) fn script(&self, protocol: u32) -> String {
        if let Some(agent) = &self.agent {
            return format!("{HEAD}\necho\necho {BEGUN}\nexec {agent} agent\n}}\nprogrun_agent\n");
        }
        let own = self.own();
        let (hash, size) = own.map_or((0, 0), |own| (own.hash, own.size));
        let path = std::env::current_exe().unwrap_or_default();
        let path = quoted(path.as_os_str());
        // The folder of the cache is the user's alone. A copy that was cut off is never used: it has another size.
        format!(
            r#"{HEAD}
echo
echo {BEGUN}
try() {{ command -v "$1" >/dev/null 2>&1 && "$1" agent --check {protocol} </dev/null >/dev/null 2>&1; }}
try progrun && exec progrun agent
try {path} && exec {path} agent
folder="${{XDG_CACHE_HOME:-${{HOME:+$HOME/.cache}}}}"
if [ -z "$folder" ]; then
echo "there is no progrun, and without HOME no place for a copy" >&2
exit 126
fi
folder="$folder/progrun/agent-{hash:016x}"
copy="$folder/progrun"
try "$copy" && exec "$copy" agent
echo "{WANTED} $(uname -s) $(uname -m)"
part="$copy.$(uname -n).$$"
if (umask 077 && mkdir -p "$folder" && head -c {size} >"$part"); then
if [ "$(wc -c <"$part")" -eq {size} ] && chmod 700 "$part" && mv -f "$part" "$copy"; then
try "$copy" && exec "$copy" agent
"$copy" agent --check {protocol} </dev/null >&2
rm -f "$copy"
echo "this build of progrun does not run there: install one, or use a static build, see progrun-on(7)" >&2
exit 126
fi
rm -f "$part"
fi
echo "a copy of progrun cannot be written to $copy" >&2
exit 126
}}
progrun_agent
"#
        )
    }

    /// A copy of this program for such a machine.
    ///
    /// # Errors
    /// A sentence, if there is none.
    pub(crate) fn copy_for(wanted: &Wanted) -> Result<Vec<u8>, String> {
        let remedy = "install progrun there, or name one with --agent";
        if !wanted.is_like_ours() {
            return Err(format!(
                "it has no progrun, and this one is for {} on {}, not for {} on {} ({remedy})",
                std::env::consts::OS,
                std::env::consts::ARCH,
                wanted.system,
                wanted.machine,
            ));
        }
        program().map_err(|error| {
            format!(
                "it has no progrun, and this one cannot be copied: {} ({remedy})",
                reason(&error)
            )
        })
    }

    fn own(&self) -> Option<Own> {
        let measure = |bytes: Vec<u8>| {
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes);
            let (size, hash) = (bytes.len(), hasher.finish());
            Own { size, hash }
        };
        *self.own.get_or_init(|| program().ok().map(measure))
    }
}

/// This program.
fn program() -> io::Result<Vec<u8>> {
    // The file under its name may be another build by now.
    let path = if cfg!(target_os = "linux") {
        "/proc/self/exe".into()
    } else {
        std::env::current_exe()?
    };
    fs::read(path)
}

/// A word for a POSIX shell.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_the_user_names_is_started_and_no_other() {
        let named = Bootstrap::new(Some(Path::new("/opt/it's/progrun")));
        assert_eq!(
            named.script(1),
            "progrun_agent() {\necho\necho progrun-shell\nexec '/opt/it'\\''s/progrun' agent\n}\nprogrun_agent\n"
        );
    }

    #[test]
    fn the_machine_of_a_shell_that_asks_for_a_copy_must_be_like_ours() {
        let asked = |line| Wanted::read(line).unwrap();
        assert_eq!(Wanted::read("Welcome to progrun-agent-wanted"), None);
        assert!(!asked("progrun-agent-wanted Linux").is_like_ours());
        let other = asked("progrun-agent-wanted Plan9 mips");
        let error = Bootstrap::copy_for(&other).unwrap_err();
        assert!(
            error.ends_with(
                "not for Plan9 on mips (install progrun there, or name one with --agent)"
            )
        );
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        assert!(asked("progrun-agent-wanted Linux x86_64").is_like_ours());
    }
}
