//! A browser without a window, which a test leads by its protocol for developers over a pipe.
//!
//! Chromium reads commands from descriptor 3 and writes answers and events to descriptor 4, each ended by a NUL byte.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// No network and no first steps, and nothing of the user's own settings.
const OPTIONS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// Two frames later, all that was asked for is drawn.
const DRAWN: &str =
    "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))";

pub(super) struct Browser {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    events: Vec<Value>,
    _home: TempDir,
}

impl Browser {
    pub(super) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec chromium \"$@\" about:blank";
        let mut process = Command::new("sh")
            .args(["-c", script, "sh"])
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", home.path().display()))
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut browser = Self {
            commands: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            session: None,
            last: 0,
            events: Vec::new(),
            _home: home,
        };
        let targets = browser.call("Target.getTargets", json!({}));
        let targets = targets["targetInfos"].as_array().unwrap();
        let page = targets.iter().find(|it| it["type"] == "page").unwrap();
        let target = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Shows a file in a window of this size.
    pub(super) fn open(&mut self, file: &Path, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("Page.loadEventFired");
        self.run(DRAWN);
    }

    /// What the page finds when the user prefers dark or light pages.
    pub(super) fn prefer(&mut self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
        self.run(DRAWN);
    }

    /// The value of an expression of JavaScript in the page.
    #[track_caller]
    pub(super) fn run(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Presses keys, one after the other: a character, or a name such as `Enter`.
    pub(super) fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let code = match *key {
                "Enter" => 13,
                "Tab" => 9,
                _ => 0,
            };
            let mut press = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
            match *key {
                "Enter" => press["text"] = "\r".into(),
                _ if key.chars().count() == 1 => press["text"] = (*key).into(),
                _ => {}
            }
            self.call("Input.dispatchKeyEvent", press);
            let release = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", release);
        }
        self.run(DRAWN);
    }

    pub(super) fn point(&mut self, x: f64, y: f64) {
        let place = json!({ "type": "mouseMoved", "x": x, "y": y });
        self.call("Input.dispatchMouseEvent", place);
        self.run(DRAWN);
    }

    /// The page on paper, as base64 of a PDF.
    pub(super) fn print(&mut self) -> String {
        let printed = self.call("Page.printToPDF", json!({ "printBackground": true }));
        printed["data"].as_str().unwrap().to_owned()
    }

    /// What the console has on this page, and what it asked the network for.
    pub(super) fn complaints(&mut self) -> Vec<Value> {
        // An event that is on its way comes before this answer.
        self.run("1");
        let is_complaint = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str().unwrap();
                !url.starts_with("file:") && !url.starts_with("data:")
            }
            _ => false,
        };
        self.events.iter().filter(is_complaint).cloned().collect()
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: impl Into<Value>) -> Value {
        self.last += 1;
        let parameters = parameters.into();
        let mut command = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let command = format!("{command}\0");
        self.commands.write_all(command.as_bytes()).unwrap();
        loop {
            let message = self.read();
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|it| it["method"] == event) {
            let message = self.read();
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.answers.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "the browser is gone");
        serde_json::from_slice(&message).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its processes end when they find that the first one is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
