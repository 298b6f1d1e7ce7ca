//! A run at the other end of ssh: a real server on this machine, and a progrun behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::needs;
use crate::support::{Lifeline, Running, Signal, progrun};

const SSHD: &str = "/usr/sbin/sshd";

/// A private ssh server. Only the key in its folder opens it.
struct Server {
    folder: TempDir,
    port: u16,
    sshd: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).display().to_string();
        for key in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]);
            assert!(keygen.status().unwrap().success());
        }
        if rustix::process::geteuid().is_root() {
            // The directory that the server changes its root to. Without systemd nothing has made it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let settings = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
            path("host"),
            path("key.pub"),
        );
        fs::write(path("settings"), settings).unwrap();
        let mut sshd = Command::new(SSHD)
            .args(["-D", "-e", "-f", &path("settings")])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(sshd.stderr.take().unwrap()).lines();
        let listens = said.any(|line| line.unwrap().starts_with("Server listening"));
        assert!(listens, "sshd does not start");
        // Reads and drops the rest of the messages: on a full pipe the server would stall.
        std::thread::spawn(move || said.for_each(drop));
        Self { folder, port, sshd }
    }

    /// Runs a script under progrun at the server, and that ssh connection under a progrun here.
    fn run(&self, script: &str, ssh_options: &str) -> Running {
        let script_file = self.folder.path().join("script");
        fs::write(&script_file, script).unwrap();
        let ssh = format!(
            "exec ssh -F none -i {}/key -p {} -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null {ssh_options} 127.0.0.1 {} --json -- sh {}",
            self.folder.path().display(),
            self.port,
            env!("CARGO_BIN_EXE_progrun"),
            script_file.display(),
        );
        progrun(&["--json", "--from=progrun", "--", "sh", "-c", &ssh]).start()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

#[test]
fn a_run_at_the_other_end_of_ssh_is_shown_at_this_one() {
    needs(&["ssh", SSHD]);
    let server = Server::start();
    let script = r#"
        echo 1/3 >&3
        echo '{"id": "a", "title": "part", "progress": 5, "total": 10}' >&3
        echo out; echo err >&2; echo 3/3 >&3; exit 7"#;
    let ended = server.run(script, "").finish();
    assert_eq!(ended.status.code(), Some(7));
    let reports: Vec<_> = ended
        .events
        .iter()
        .filter(|event| event["event"] == "progress")
        .map(|event| {
            assert_eq!(event["source"], "progrun");
            event["info"].to_string()
        })
        .collect();
    let expected = [
        r#"{"title":"sh"}"#,
        r#"{"progress":1,"total":3}"#,
        r#"{"id":"remote-1/a","progress":5,"title":"part","total":10}"#,
        r#"{"progress":3,"total":3}"#,
        r#"{"id":"remote-1/a","status":"failed"}"#,
    ];
    assert_eq!(reports, expected);
    // progrun hides no output here, so the remote events arrive unchanged, with the output of the remote command in
    // them.
    let stdout = ended.output("stdout");
    for printed in [
        r#""stream":"stdout","text":"out\n""#,
        r#""stream":"stderr","text":"err\n""#,
    ] {
        assert!(stdout.contains(printed), "{stdout}");
    }
}

#[test]
fn a_run_at_the_other_end_of_ssh_on_a_terminal_is_cancelled_with_the_connection() {
    needs(&["ssh", SSHD]);
    let server = Server::start();
    let lifeline = Lifeline::new();
    let script = format!(
        "trap '' PIPE; exec 4>{}; while echo 1/2 >&3; do :; done; echo cancelled >&4",
        lifeline.path()
    );
    let mut run = server.run(&script, "-tt");
    run.event("progress");
    run.signal(Signal::INT);
    assert_eq!(lifeline.last_words(), "cancelled\n");
    run.finish().died_by(Signal::INT);
}
