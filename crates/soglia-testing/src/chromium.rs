//! A headless Chromium that tests drive, by the DevTools protocol.
//!
//! The protocol's messages go through two pipes, so no port is opened. Chromium expects them as the
//! descriptors 3 and 4.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::needs::Unmet;
use crate::process::isolate;

/// How long a test waits for Chromium, or for something on a page. A loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Chromium with one page.
pub struct Chromium {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    last_id: u64,
    session: String,
    complaints: Vec<String>,
    _profile: TempDir,
}

/// The command, or an [`Unmet`] need. `SOGLIA_TEST_CHROMIUM` can name it.
pub fn find() -> Result<PathBuf, Unmet> {
    if let Some(given) = env::var_os("SOGLIA_TEST_CHROMIUM") {
        return Ok(given.into());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    found.ok_or_else(|| Unmet::new("chromium is not installed (Debian: apt-get install chromium)"))
}

impl Chromium {
    /// Starts Chromium. Returns [`Unmet`] where there is none.
    pub fn start() -> Result<Self, Unmet> {
        let chromium = find()?;
        let profile = tempfile::tempdir().expect("the temporary folder can be written");
        let mut command = Command::new("sh");
        let redirect = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
        command.args(["-c", redirect]).arg(chromium);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            // Tests run as root, and in containers, where its sandbox cannot be set up.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-extensions",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
        ]);
        let mut data = std::ffi::OsString::from("--user-data-dir=");
        data.push(profile.path());
        command.arg(data).env("HOME", profile.path());
        let mut process = isolate(&mut command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let to = process.stdin.take().expect("it is piped");
        let mut out = BufReader::new(process.stdout.take().expect("it is piped"));
        let (send, from) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|bytes| bytes > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else {
                    break;
                };
                if send.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut this = Self {
            process,
            to,
            from,
            last_id: 0,
            session: String::new(),
            complaints: Vec::new(),
            _profile: profile,
        };
        this.attach();
        Ok(this)
    }

    fn attach(&mut self) {
        let page = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = page["targetId"].clone();
        let session = self.call(
            "Target.attachToTarget",
            json!({"targetId": target, "flatten": true}),
        );
        self.session = session["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Calls a method of the protocol, and returns its result.
    ///
    /// # Panics
    ///
    /// If Chromium says that it failed, is gone or does not answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("Chromium runs");
        loop {
            let mut answer = self
                .message(PATIENCE)
                .unwrap_or_else(|why| panic!("Chromium does not answer {method}: {why}"));
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
        }
    }

    /// The next message. Keeps what the page complains of.
    fn message(&mut self, patience: Duration) -> Result<Value, RecvTimeoutError> {
        let message = self.from.recv_timeout(patience)?;
        let of = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => {
                let details = &of["exceptionDetails"];
                self.complaints
                    .push(format!("{} {}", details["text"], details["exception"]));
            }
            "Runtime.consoleAPICalled"
                if matches!(of["type"].as_str(), Some("error" | "warning")) =>
            {
                self.complaints.push(of["args"].to_string());
            }
            "Log.entryAdded" => self.complaints.push(of["entry"].to_string()),
            "Network.requestWillBeSent" => {
                let url = of["request"]["url"].as_str().unwrap_or_default();
                let local = ["file:", "data:", "blob:", "about:"];
                if !local.iter().any(|scheme| url.starts_with(scheme)) {
                    self.complaints.push(format!("request of {url}"));
                }
            }
            _ => {}
        }
        Ok(message)
    }

    /// Opens a file at this size of the window, and waits until it is loaded.
    pub fn open(&mut self, file: &Path, (width, height): (u32, u32), dark: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", scheme);
        let file = file.canonicalize().expect("the page is there");
        let url = format!("file://{}", file.display());
        let answer = self.call("Page.navigate", json!({"url": url}));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of a JavaScript expression on the page.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", parameters);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        answer["result"]["value"].take()
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Panics
    ///
    /// If it does not become true.
    pub fn until(&mut self, expression: &str) {
        let began = Instant::now();
        while self.eval(expression) != json!(true) {
            assert!(began.elapsed() < PATIENCE, "never true: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, in the element that has the focus.
    pub fn press(&mut self, key: &str) {
        let mut event = json!({"type": "keyDown", "key": key});
        if key.chars().count() == 1 {
            event["text"] = json!(key);
        }
        self.call("Input.dispatchKeyEvent", event);
        let event = json!({"type": "keyUp", "key": key});
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Sends an event of the mouse, such as `mousePressed`, at this place of the window.
    pub fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Keeps a picture of the whole page as a PNG.
    pub fn screenshot(&mut self, to: &Path) {
        let parameters = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.call("Page.captureScreenshot", parameters);
        let text = answer["data"].as_str().expect("a picture");
        std::fs::write(to, base64(text)).expect("the picture can be written");
    }

    /// What the page has complained of so far: exceptions, errors and warnings on its console, and
    /// requests to a network.
    pub fn complaints(&mut self) -> Vec<String> {
        // Whatever the page did before is known once this is answered.
        self.eval("0");
        std::mem::take(&mut self.complaints)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self
            .to
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The bytes of a text in base64.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for six in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_turned_back() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("+/8=", b"\xfb\xff"),
        ] {
            assert_eq!(super::base64(text), bytes);
        }
    }
}
