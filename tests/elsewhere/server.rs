//! A private ssh server on this machine, and an `ssh` in PATH that reaches it as `node`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Progrun, progrun};

pub(crate) const SSHD: &str = "/usr/sbin/sshd";

/// A private ssh server. Only the key in its folder opens it.
pub(crate) struct Server {
    folder: TempDir,
    sshd: Child,
}

impl Server {
    /// Starts it with these further settings.
    pub(crate) fn start(settings: &str) -> Self {
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
            "{settings}ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nLogLevel VERBOSE\n",
            path("host"),
            path("key.pub"),
        );
        fs::write(path("settings"), settings).unwrap();
        let client = format!(
            "Host node\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n LogLevel ERROR\n \
             StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n",
            path("key")
        );
        fs::write(path("client"), client).unwrap();
        let ssh = "#!/bin/sh\nPATH=${PATH#*:} exec ssh -F \"${0%/*}/client\" \"$@\"\n";
        fs::write(path("ssh"), ssh).unwrap();
        fs::set_permissions(path("ssh"), fs::Permissions::from_mode(0o700)).unwrap();
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
        Self { folder, sshd }
    }

    /// A run that finds the host.
    pub(crate) fn progrun(&self, words: &[&str]) -> Progrun {
        let path = std::env::var("PATH").unwrap();
        progrun(words).variable("PATH", &format!("{}:{path}", self.folder.path().display()))
    }

    /// The path of a file with this script.
    pub(crate) fn script(&self, script: &str) -> String {
        let path = self.folder.path().join("script");
        fs::write(&path, script).unwrap();
        path.display().to_string()
    }

    /// Kills the ssh of every run that uses this server.
    pub(crate) fn kill_clients(&self) {
        let client = format!("ssh -F {}/client", self.folder.path().display());
        let killed = Command::new("pkill")
            .args(["-KILL", "-f", &client])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Kills the server with all its connections.
    pub(crate) fn kill_all(&mut self) {
        for pid in self.children() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        self.sshd.kill().unwrap();
    }

    /// How many connections there are.
    pub(crate) fn sessions(&self) -> usize {
        self.children().len()
    }

    /// The processes that serve a connection.
    fn children(&self) -> Vec<rustix::process::Pid> {
        let id = self.sshd.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        children
            .filter_map(rustix::process::Pid::from_raw)
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}
