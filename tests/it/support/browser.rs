//! A real Chromium, driven through chromedriver's WebDriver HTTP interface with plain JSON.
//!
//! Browser and driver run in the root that `tests/servers/fetch` unpacks, with a profile of their own in a temporary
//! folder, and end with this value.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use varsel::clock::Mono;

use super::servers::{Server, in_root};
use crate::sandbox::client;

/// What Chromium needs where it runs as root, without a screen, and without calling anybody.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=nb",
];

/// What a page comes to, it comes to within this.
const PATIENCE: Duration = Duration::from_secs(50);

/// Keys as WebDriver writes them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";

/// One browser with one window.
pub(crate) struct Browser {
    http: reqwest::Client,
    session: String,
    _driver: (Server, BufReader<ChildStdout>),
    _profile: TempDir,
}

/// What axe-core found.
#[derive(Debug)]
pub(crate) struct Barriers {
    /// One line per rule and element.
    pub(crate) violations: Vec<String>,
    /// How many rules passed: with none, the page was not looked at.
    pub(crate) passes: u64,
}

/// The folder beside the servers' root, where axe-core lies.
fn servers() -> PathBuf {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::env::var_os("VARSEL_SERVERS_ROOT")
        .map_or_else(|| "target/servers/root".into(), PathBuf::from);
    let root = tree.join(root);
    root.parent()
        .expect("the root stands in a folder")
        .to_owned()
}

/// axe-core's source.
///
/// # Panics
/// If it is not there: says what to run.
fn axe() -> String {
    let file = servers().join("axe/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|_| {
        panic!(
            "{} is not there; run tests/servers/fetch first",
            file.display()
        )
    })
}

impl Browser {
    /// Starts driver and browser.
    ///
    /// # Panics
    /// If there are none: says what to run.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = tokio::task::spawn_blocking(start_driver).await.unwrap();
        let http = client();
        let data = format!("--user-data-dir={}", profile.path().display());
        let args: Vec<&str> = FLAGS.into_iter().chain([data.as_str()]).collect();
        let options = json!({ "binary": "/usr/bin/chromium", "args": args });
        let asked = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let base = format!("http://127.0.0.1:{port}/session");
        let made = post(&http, &base, &asked).await;
        let id = made["sessionId"].as_str().expect("a session has an id");
        Self {
            session: format!("{base}/{id}"),
            http,
            _driver: driver,
            _profile: profile,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        post(&self.http, &format!("{}/{path}", self.session), &body).await
    }

    /// A command of the browser's own protocol (CDP).
    async fn cdp(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", body).await
    }

    pub(crate) async fn open(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// Runs a script in the page and returns what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// Waits in the page, without polling from here, until an expression becomes true.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const look = () => ({expression}) ? done(true) : setTimeout(look, 50);
             look();"
        );
        let patience = PATIENCE.as_secs() * 1000;
        self.post("timeouts", json!({ "script": patience })).await;
        let (body, begun) = (json!({ "script": script, "args": [] }), Mono::now());
        let url = format!("{}/execute/async", self.session);
        while let Err(said) = try_post(&self.http, &url, &body).await {
            // A page that is left for the next one takes the question with it, which reads as a timeout that was none.
            let was_left = said.contains("script timeout") || said.contains("unload");
            let in_time = begun.elapsed() < PATIENCE;
            assert!(
                was_left && in_time,
                "{expression}: the browser says: {said}"
            );
        }
    }

    /// Presses and releases one key.
    pub(crate) async fn press(&self, key: &str) {
        let strokes =
            json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let body = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        self.post("actions", body).await;
    }

    /// The size of the window, and whether the person prefers dark pages.
    pub(crate) async fn look(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// A picture of what the window shows, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let shot = self
            .cdp("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        base64(shot["data"].as_str().expect("a picture has data"))
    }

    /// What keeps people out, by the rules of WCAG 2.2 A and AA.
    pub(crate) async fn barriers(&self) -> Barriers {
        // Strict pages allow no script of ours but their own: the browser's protocol may.
        let source = format!("{};true", axe());
        self.cdp("Runtime.evaluate", json!({ "expression": source }))
            .await;
        let look = "axe.run(document, { iframes: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', \
                    'wcag22aa', 'best-practice'] }).then((found) => JSON.stringify({ passes: found.passes.length, \
                    violations: found.violations.flatMap((rule) => rule.nodes.map((node) => \
                    `${rule.id}: ${node.html} ${node.failureSummary}`)) }))";
        let asked = json!({ "expression": look, "awaitPromise": true, "returnByValue": true });
        let found = self.cdp("Runtime.evaluate", asked).await;
        let found = found["result"]["value"]
            .as_str()
            .unwrap_or_else(|| panic!("axe-core failed: {found}"));
        let found: Value = serde_json::from_str(found).unwrap();
        let violations = found["violations"].as_array().unwrap().iter();
        Barriers {
            violations: violations
                .map(|one| one.as_str().unwrap().to_owned())
                .collect(),
            passes: found["passes"].as_u64().unwrap(),
        }
    }
}

/// Starts chromedriver at a free port of its own choice, which it prints.
fn start_driver() -> ((Server, BufReader<ChildStdout>), u16) {
    let mut command = in_root("chromedriver");
    let (server, printed) = Server::start_reading(command.arg("--port=0"));
    let mut printed = BufReader::new(printed);
    let mut line = String::new();
    loop {
        line.clear();
        let read = printed.read_line(&mut line).unwrap();
        assert!(
            read > 0,
            "chromedriver did not start; run tests/servers/fetch first"
        );
        if let Some((_, port)) = line.trim_end().split_once("started successfully on port ") {
            let port = port
                .trim_end_matches('.')
                .parse()
                .expect("a port is a number");
            return ((server, printed), port);
        }
    }
}

async fn post(http: &reqwest::Client, url: &str, body: &Value) -> Value {
    let answer = try_post(http, url, body).await;
    answer.unwrap_or_else(|said| panic!("the browser says: {said}"))
}

/// What the browser answers, or says is wrong.
async fn try_post(http: &reqwest::Client, url: &str, body: &Value) -> Result<Value, String> {
    let request = http.post(url).header("content-type", "application/json");
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    if !status.is_success() {
        return Err(text);
    }
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    Ok(answer["value"].take())
}

/// Base64 (RFC 4648), the strict half of it that a browser writes.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64"),
    };
    let plain = text.trim_end_matches('=').as_bytes();
    let group = |four: &[u8]| {
        let bits =
            four.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    plain.chunks(4).flat_map(group).collect()
}

#[test]
fn base64_reads_back() {
    for (text, plain) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
    ] {
        assert_eq!(base64(text), plain.as_bytes());
    }
}
