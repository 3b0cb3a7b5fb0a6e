//! The real binary as a child process, with a configuration of its own. Waiting is done on what can
//! be observed (the health route, the exit), never on a clock.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use varsel::clock::Clock;
use varsel::store::{Access, Database};

use super::signal;
use super::world::REGISTER;

/// Nothing in these journeys takes longer; a hang becomes a failure that says what was waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often what cannot be waited for is asked again; without a pause the question would take the
/// processor from those who are to answer it.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The profile of the sandbox's gateway.
pub const SANDBOX: &str = include_str!("../../../config/gateways/sandbox.toml");

/// What makes that gateway one that can be asked.
pub const LOOKUP: &str = r#"
[lookup]
path = "/gateway/messages/{key}"
headers = { Authorization = "Bearer {secret.key}" }
within_seconds = 3600
[[lookup.answer]]
status = 200
outcome = "accepted"
gateway_id = "/id"
[[lookup.answer]]
status = 404
outcome = "not_sent"
cause = "the gateway does not know it"
"#;

/// A folder with a register, a store and a configuration, and the daemon that works on them.
pub struct Daemon {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    child: Option<Child>,
}

impl Daemon {
    /// A folder whose register holds `people` passport bookings for 24 March 2031, and a
    /// configuration whose SMS gateway is at `gateway`. `more` is added to the configuration.
    pub async fn prepare(people: u32, gateway: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = free_address();
        let daemon = Self {
            folder,
            listen,
            child: None,
        };
        let mut register = daemon.register().await;
        sqlx::query(REGISTER).execute(&mut register).await.unwrap();
        let mut filling = register.begin().await.unwrap();
        for number in 0..people {
            let phone = 40_000_000 + number;
            let insert = AssertSqlSafe(format!(
                "INSERT INTO bookings VALUES ('b{number}', 'booked', '2031-03-24 09:20', \
                 'gronland', 'passport', '{phone}', NULL, 'nb')"
            ));
            sqlx::query(insert).execute(&mut *filling).await.unwrap();
        }
        filling.commit().await.unwrap();
        std::fs::write(daemon.path("key"), "open sesame").unwrap();
        let config = daemon.config(gateway, more);
        std::fs::write(daemon.path("varsel.toml"), config).unwrap();
        daemon
    }

    fn config(&self, gateway: &str, more: &str) -> String {
        let listen = self.listen;
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/config/offices.toml");
        format!(
            r#"
[http]
listen = "{listen}"
[agency]
directory = "{directory}"
[windows]
sms = "always"
email = "always"
phone = "always"
[brake]
max_changes = 1000
max_share = 1.0
min_changes = 1000
max_changes_per_hour = 10000
max_share_per_hour = 1.0
max_shrink = 1.0
[upkeep]
every = "100ms"
quarantine_margin = "0s"
[drain]
limit = "20s"
[gateway.sms]
channel = "sms"
profile = "sandbox"
url = "{gateway}"
mode = "live"
secret_files = {{ key = "key" }}
connections = 8
claim_ahead = 8
lease = "15s"
[gateway.mail]
channel = "email"
mode = "live"
host = "127.0.0.1"
port = 1
tls = "plain"
envelope_from = "varsel@varsel.example"
hello_name = "varsel.example"
[gateway.mail.timeouts]
connect = "1s"
before_dot = "5s"
dot = "5s"
[[source]]
name = "register"
path = "register.db"
every = "100ms"
zone = "Europe/Oslo"
region = "NO"
start = "naive"
query = "SELECT id, status, start, office, service, phone, email, language FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]
{more}
"#
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn register(&self) -> SqliteConnection {
        let path = self.path("register.db");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        options.connect().await.unwrap()
    }

    pub async fn cancel_everybody(&self) {
        let mut register = self.register().await;
        sqlx::query("UPDATE bookings SET status = 'cancelled'")
            .execute(&mut register)
            .await
            .unwrap();
    }

    /// Runs a verb beside the daemon (or without it), as the user `kari`.
    pub fn verb(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A verb that is not begun yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_varsel"));
        command
            .arg("-c")
            .arg(self.path("varsel.toml"))
            .args(arguments)
            .env_clear()
            .env("USER", "kari")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Changes the configuration before a start.
    pub fn configure(&self, old: &str, new: &str) {
        let config = std::fs::read_to_string(self.path("varsel.toml")).unwrap();
        assert!(config.contains(old), "{config}");
        std::fs::write(self.path("varsel.toml"), config.replace(old, new)).unwrap();
    }

    /// Lets the hand-overs take less time, so that leases and quarantines are over soon.
    pub fn hurry(&self, timeout_seconds: u32, lease: &str) {
        self.speak(SANDBOX, timeout_seconds);
        self.configure("lease = \"15s\"", &format!("lease = \"{lease}\""));
        self.configure(
            "[upkeep]",
            "[retry]\nbase = \"200ms\"\ncap = \"1s\"\n[upkeep]",
        );
    }

    /// From the next start on the SMS gateway is spoken to by this profile, in so little time.
    pub fn speak(&self, profile: &str, timeout_seconds: u32) {
        let timeout = format!("\ntimeout_seconds = {timeout_seconds}");
        let profile = profile.replace("\ntimeout_seconds = 10", &timeout);
        let profile = profile.replace("connect_timeout_seconds = 2", "connect_timeout_seconds = 1");
        std::fs::write(self.path("own.toml"), profile).unwrap();
        let config = std::fs::read_to_string(self.path("varsel.toml")).unwrap();
        let config = config.replace("profile = \"sandbox\"", "profile = \"own.toml\"");
        std::fs::write(self.path("varsel.toml"), config).unwrap();
    }

    /// Sets the status of the bookings with these numbers.
    pub async fn set_status(&self, numbers: impl IntoIterator<Item = u32>, status: &str) {
        let mut register = self.register().await;
        let mut change = register.begin().await.unwrap();
        for number in numbers {
            sqlx::query("UPDATE bookings SET status = ? WHERE id = ?")
                .bind(status)
                .bind(format!("b{number}"))
                .execute(&mut *change)
                .await
                .unwrap();
        }
        change.commit().await.unwrap();
    }

    /// The store, to be read beside the daemon.
    pub async fn store(&self) -> Database {
        Database::sqlite(&self.path("varsel.db"), Access::ReadOnly)
            .await
            .unwrap()
    }

    /// Starts the daemon with these variables, and waits for nothing.
    pub fn spawn(&mut self, variables: &[(&str, &str)]) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log.txt"))
            .unwrap();
        let child = Command::new(binary())
            .args(["run", "-c"])
            .arg(self.path("varsel.toml"))
            // What the texts are is looked at elsewhere; here it would take longer than all the rest.
            .env("VARSEL_TRUST_TEXTS", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Starts the daemon and waits until it is ready: the baseline is complete.
    pub async fn start(&mut self) {
        self.spawn(&[]);
        self.until_ready().await;
    }

    /// Waits until a daemon that was spawned is ready.
    pub async fn until_ready(&mut self) {
        let ready = async {
            while !self.is_ready().await {
                assert!(!self.has_ended(), "the daemon ended:\n{}", self.log());
                Clock::system().pause(ASK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.unwrap();
    }

    /// The most memory that the process has had so far, in MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let process = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak
            .and_then(|peak| peak.split_whitespace().next())
            .unwrap();
        kib.parse::<u64>().unwrap().div_ceil(1024)
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// Waits until the process has ended by itself.
    pub async fn until_ended(&mut self) -> ExitStatus {
        let ended = async {
            while !self.has_ended() {
                Clock::system().pause(ASK_AGAIN).await;
            }
        };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            panic!("the daemon did not end:\n{}", self.log());
        }
        self.wait()
    }

    /// Whether it is ready at this moment.
    pub async fn is_ready(&self) -> bool {
        self.get("/readyz").await.starts_with("HTTP/1.1 200")
    }

    /// The whole answer of one of the daemon's routes; empty while nobody listens.
    pub async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\n"), "").await
    }

    /// The whole answer to this request: its first lines, each with its end, and its body.
    pub async fn ask(&self, head: &str, body: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.listen).await else {
            return String::new();
        };
        let length = body.len();
        let request = format!(
            "{head}host: varsel\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut answer = Vec::new();
        let asked = stream.write_all(request.as_bytes()).await;
        if asked.is_err() || stream.read_to_end(&mut answer).await.is_err() {
            return String::new();
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks again and again until the answer is yes.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let asking = async {
            while !is_so().await {
                Clock::system().pause(ASK_AGAIN).await;
            }
        };
        if tokio::time::timeout(PATIENCE, asking).await.is_err() {
            panic!("waited in vain until {what}; the log says:\n{}", self.log());
        }
    }

    /// Asks again and again; `true` once the answer is yes, `false` if the daemon ends before.
    pub async fn lives_until(&mut self, mut is_so: impl AsyncFnMut() -> bool) -> bool {
        let asking = async {
            loop {
                if self.child.as_mut().unwrap().try_wait().unwrap().is_some() {
                    return false;
                }
                if is_so().await {
                    return true;
                }
                tokio::task::yield_now().await;
            }
        };
        let lived = tokio::time::timeout(PATIENCE, asking).await;
        lived.unwrap_or_else(|_| panic!("waited in vain; the log says:\n{}", self.log()))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log.txt")).unwrap_or_default()
    }

    pub fn signal(&self, name: &str) {
        let sent = signal(self.child.as_ref().unwrap(), name);
        assert!(sent, "the daemon had already ended:\n{}", self.log());
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// The daemon that is tested: that of this build, or the one that `VARSEL_BINARY` names, for figures.
fn binary() -> PathBuf {
    let named = std::env::var_os("VARSEL_BINARY");
    named.map_or_else(|| env!("CARGO_BIN_EXE_varsel").into(), PathBuf::from)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address nobody listens on just now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
