//! A folder with a whole configuration, and the binary run on it: what tests of the verbs and of the
//! configuration share.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use varsel::config::{Config, Layer, Mistakes};

/// Reads `text` above the default, as the file `varsel.toml` in `folder`.
pub(crate) fn parse_in(folder: &Path, text: &str) -> Result<Config, Mistakes> {
    let layer = Layer {
        name: "varsel.toml".to_owned(),
        text: text.to_owned(),
    };
    Config::parse(Some(layer), folder)
}

/// The binary, with nothing of our own environment that could change what it prints.
pub(crate) fn varsel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_varsel"));
    command
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "100")
        .env("LC_ALL", "C.UTF-8");
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    varsel(arguments).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("the process ended by itself")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a whole configuration: a register of one booking, and gateways on this machine
/// that nobody serves.
pub(crate) struct House {
    folder: TempDir,
}

impl House {
    pub(crate) async fn build() -> Self {
        let house = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        house.write("varsel.toml", HOUSE);
        house.write("key", "hemmelig\n");
        house.register("register.db").await;
        house
    }

    /// A register of one booking.
    pub(crate) async fn register(&self, name: &str) {
        let register = SqliteConnectOptions::new()
            .filename(self.path(name))
            .create_if_missing(true);
        let mut register = register.connect().await.unwrap();
        let make = "CREATE TABLE bookings
                    (id, status, start, office, service, phone, email, language);
                    INSERT INTO bookings VALUES
                    ('B1', 'booked', '2099-03-24T08:20:00Z', 'gronland', 'passport',
                     '+47 40 00 00 00', 'kari@example.com', 'nb')";
        sqlx::raw_sql(make).execute(&mut register).await.unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path(name), private).unwrap();
    }

    /// The arguments after `-c` and this house's file.
    pub(crate) fn with(&self, arguments: &[&str]) -> Command {
        let mut command = varsel(&["-c"]);
        command.arg(self.path("varsel.toml")).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.with(arguments).output().unwrap()
    }

    /// Runs the daemon until it has written down what it read first, and kills it.
    pub(crate) fn take_the_baseline(&self) {
        let mut daemon = self.with(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(daemon.stderr.take().unwrap());
        let mut lines = log.lines().map(Result::unwrap);
        let came = lines.any(|line| line.contains("snapshot recorded"));
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        assert!(came, "the daemon ended before its baseline stood");
    }

    /// What was printed, with this folder's name taken out.
    pub(crate) fn nameless(&self, text: &str) -> String {
        text.replace(self.folder.path().to_str().unwrap(), "FOLDER")
    }
}

pub(crate) const HOUSE: &str = r#"
[store]
path = "store.db"

[http]
listen = "127.0.0.1:0"

[[source]]
name = "oslo"
path = "register.db"
every = "100ms"
start = "offset"
region = "NO"
query = "SELECT * FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]

[gateway.sms]
channel = "sms"
profile = "sandbox"
url = "http://127.0.0.1:9/"
secret_files = { key = "key" }

[gateway.mail]
channel = "email"
host = "127.0.0.1"
port = 9
tls = "plain"
envelope_from = "varsel@agency.example"
trial_allow = ["@agency.example"]
"#;
