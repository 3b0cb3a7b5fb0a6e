//! The verbs as the binary itself: what they print, and the code they end with.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

/// The binary, with nothing of our own environment that could change what it prints.
fn varsel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_varsel"));
    command.args(arguments).env_clear().env("COLUMNS", "100");
    command
}

fn run(arguments: &[&str]) -> Output {
    varsel(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the process ended by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a whole configuration: a register of one booking, and gateways on this machine
/// that nobody serves.
struct House {
    folder: TempDir,
}

impl House {
    async fn build() -> Self {
        let house = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        house.write("varsel.toml", HOUSE);
        house.write("key", "hemmelig\n");
        let register = SqliteConnectOptions::new()
            .filename(house.path("register.db"))
            .create_if_missing(true);
        let mut register = register.connect().await.unwrap();
        let make = "CREATE TABLE bookings(id, status, start, office, service, phone, email);
                    INSERT INTO bookings VALUES
                    ('B1', 'booked', '2099-03-24T08:20:00Z', 'gronland', 'passport',
                     '+47 40 00 00 00', 'kari@example.com')";
        sqlx::raw_sql(make).execute(&mut register).await.unwrap();
        house
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path(name), private).unwrap();
    }

    /// The arguments after `-c` and this house's file.
    fn with(&self, arguments: &[&str]) -> Command {
        let mut command = varsel(&["-c"]);
        command.arg(self.path("varsel.toml")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.with(arguments).output().unwrap()
    }

    /// What was printed, with this folder's name taken out.
    fn nameless(&self, text: &str) -> String {
        text.replace(self.folder.path().to_str().unwrap(), "FOLDER")
    }
}

const HOUSE: &str = r#"
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

/// A daemon that runs until it is told to end.
struct Daemon {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Daemon {
    fn start(house: &House) -> Self {
        let mut child = house.with(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let before = seen.len();
            assert_ne!(log.read_line(&mut seen).unwrap(), 0, "it ended: {seen}");
            if let Some((_, address)) = seen[before..].split_once("http://") {
                break address.trim().to_owned();
            }
        };
        Self {
            child,
            log,
            address,
        }
    }

    fn get(&self, path: &str) -> String {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) -> (i32, String) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code().unwrap(), log)
    }
}

#[test]
fn help_teaches_every_verb() {
    let verbs: &[&[&str]] = &[
        &["--help"],
        &["run", "--help"],
        &["demo", "--help"],
        &["check", "--help"],
        &["preview", "--help"],
        &["status", "--help"],
        &["explain", "--help"],
        &["hold", "--help"],
        &["hold", "list", "--help"],
        &["hold", "show", "--help"],
        &["hold", "release", "--help"],
        &["hold", "discard", "--help"],
        &["config", "--help"],
        &["config", "init", "--help"],
        &["config", "show", "--help"],
    ];
    let mut all = String::new();
    for verb in verbs {
        let output = run(verb);
        assert_eq!(code(&output), 0);
        all.push_str(&format!(
            "$ varsel {}\n{}\n",
            verb.join(" "),
            stdout(&output)
        ));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for wrong in [
        &["frobnicate"][..],
        &["explain"],
        &["status", "--att", "x"],
        &[],
    ] {
        assert_eq!(code(&run(wrong)), 2, "{wrong:?}");
    }
    let output = run(&["check", "--at", "yesterday"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("\"yesterday\" is not a time"));
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_78_and_shows_its_line() {
    let house = House::build().await;
    house.write(
        "varsel.toml",
        "[windows]\nsms = \"always\"\nemial = \"always\"\n",
    );
    for verb in ["run", "check", "status", "preview", "config show"] {
        let verb: Vec<&str> = verb.split(' ').collect();
        let output = house.run(&verb);
        assert_eq!(code(&output), 78, "{verb:?}");
        let shown = stderr(&output);
        assert!(shown.contains("varsel.toml:3:1"), "{shown}");
        assert!(shown.contains("did you mean \"email\"?"), "{shown}");
    }
    let output = run(&["-c", "/nowhere/varsel.toml", "run"]);
    assert_eq!(code(&output), 78);
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn a_default_without_sources_and_gateways_is_not_run() {
    let output = run(&["run"]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("no booking system is configured"));
    assert_eq!(stdout(&output), "");
}

#[tokio::test]
async fn check_ends_with_0_when_there_are_only_warnings() {
    let house = House::build().await;
    let output = house.run(&["check"]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let shown = house.nameless(&stdout(&output));
    assert!(
        shown.contains("\"sms\" is on trial and writes to nobody"),
        "{shown}"
    );
    assert!(
        shown.lines().last().unwrap().starts_with("0 errors, "),
        "{shown}"
    );
    let json: Value = serde_json::from_str(&stdout(&house.run(&["check", "--json"]))).unwrap();
    assert_eq!(json["errors"], 0);
    assert_eq!(json["warnings"], json["findings"].as_array().unwrap().len());
}

#[tokio::test]
async fn check_names_place_and_remedy_of_every_finding() {
    let house = House::build().await;
    let wrong = HOUSE
        .replace(
            "[source.status]",
            "services = { Pass = \"pasport\" }\n[source.status]",
        )
        .replace("register.db", "nowhere.db")
        .replace("\"key\"", "\"no_such_key\"")
        .replace(
            "[gateway.mail]\nchannel = \"email\"\nhost = \"127.0.0.1\"",
            "[gateway.mail]\nchannel = \"email\"\nhost = \"mail.agency.example\"",
        );
    let rule = "[[rule]]\nservices = [\"pasport\"]\nwhen = \"cancelled\"\n\
                purpose = \"cancellation\"\nladder = [\"sms\"]\non_unknown = \"retry\"\n";
    house.write("varsel.toml", &format!("{wrong}{rule}"));
    let output = house.run(&["check"]);
    assert_eq!(code(&output), 78);
    let shown = house.nameless(&stdout(&output));
    // What the templates say is theirs to test.
    let ours: Vec<&str> = shown
        .split_inclusive("\n✗")
        .flat_map(|part| part.split_inclusive("\n!"))
        .filter(|part| !part.contains("templates/"))
        .collect();
    insta::assert_snapshot!(ours.concat());
}

#[test]
fn config_init_prints_the_default_and_overwrites_nothing() {
    let output = run(&["config", "init"]);
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), varsel::config::DEFAULT);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("varsel.toml");
    let file = file.to_str().unwrap();
    assert_eq!(code(&run(&["config", "init", file])), 0);
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        varsel::config::DEFAULT
    );
    std::fs::write(file, "# mine").unwrap();
    assert_eq!(code(&run(&["config", "init", file])), 69);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# mine");
}

#[tokio::test]
async fn config_show_is_read_back_and_never_shows_a_secret() {
    let house = House::build().await;
    let first = house.run(&["config", "show"]);
    assert_eq!(code(&first), 0);
    assert!(!stdout(&first).contains("hemmelig"));
    house.write("shown.toml", &stdout(&first));
    let shown = house.path("shown.toml");
    let second = run(&["-c", shown.to_str().unwrap(), "config", "show"]);
    assert_eq!(stdout(&second), stdout(&first));
    let json = house.run(&["config", "show", "--json"]);
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(json["windows"]["sms"], "08:00-21:00");
}

#[tokio::test]
async fn a_bare_secret_name_is_looked_for_among_the_credentials_first() {
    let house = House::build().await;
    let credentials = tempfile::tempdir().unwrap();
    std::fs::write(credentials.path().join("key"), "hemmelig").unwrap();
    let mut show = house.with(&["config", "show"]);
    show.env("CREDENTIALS_DIRECTORY", credentials.path());
    let shown = stdout(&show.output().unwrap());
    let credential = credentials.path().join("key");
    let expected = format!("key = \"{}\"", credential.display());
    assert!(shown.contains(&expected), "{shown}");
    let beside = format!("key = \"{}\"", house.path("key").display());
    assert!(stdout(&house.run(&["config", "show"])).contains(&beside));
}

#[test]
fn preview_shows_every_case_there_is() {
    let every = run(&["preview", "--json"]);
    assert_eq!(code(&every), 0, "{}", stderr(&every));
    let cases: Value = serde_json::from_str(&stdout(&every)).unwrap();
    assert!(cases.as_array().unwrap().len() > 20);
}

#[test]
fn preview_shows_an_sms_in_its_bubble() {
    let at = "2021-03-16T14:00";
    let output = run(&[
        "preview",
        "passport-cancelled",
        "--channel",
        "sms",
        "--at",
        at,
    ]);
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!(stdout(&output));
    let json = run(&["preview", "passport-moved", "--at", at, "--json"]);
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert!(
        json.as_array().unwrap().len() > 1,
        "a beginning names several cases"
    );
    assert_eq!(json[0]["sms"]["encoding"], "gsm7");
    let nothing = run(&["preview", "pasport-cancelled"]);
    assert_eq!(code(&nothing), 1);
    assert!(stderr(&nothing).contains("did you mean \"passport-cancelled"));
}

#[tokio::test]
async fn reading_verbs_say_when_there_is_no_store() {
    let house = House::build().await;
    for verb in [&["status"][..], &["explain", "B1"]] {
        let output = house.run(verb);
        assert_eq!(code(&output), 69);
        assert!(stderr(&output).contains("store.db does not exist"));
    }
}

#[tokio::test]
async fn a_broken_database_ends_with_69_and_stays_as_it_is() {
    let house = House::build().await;
    let junk = "this is no database ".repeat(100);
    house.write("store.db", &junk);
    for verb in ["run", "status"] {
        let output = house.run(&[verb]);
        assert_eq!(code(&output), 69, "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("store.db"), "{}", stderr(&output));
    }
    assert_eq!(
        std::fs::read_to_string(house.path("store.db")).unwrap(),
        junk
    );
}

#[tokio::test]
async fn a_busy_port_ends_with_69_and_names_it() {
    let house = House::build().await;
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    house.write("varsel.toml", &HOUSE.replace("127.0.0.1:0", &address));
    let output = house.run(&["run"]);
    assert_eq!(code(&output), 69);
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[tokio::test]
async fn a_source_without_a_mapped_column_ends_with_78_and_names_it() {
    let house = House::build().await;
    let wrong = HOUSE.replace("SELECT *", "SELECT id, status, start, office");
    house.write("varsel.toml", &wrong);
    let output = house.run(&["run"]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("service"), "{}", stderr(&output));
}

#[tokio::test]
async fn the_daemon_serves_reads_beside_it_and_drains_at_sigterm() {
    let house = House::build().await;
    let daemon = Daemon::start(&house);
    let second = house.run(&["run"]);
    assert_eq!(code(&second), 69);
    assert!(
        stderr(&second).contains("another daemon"),
        "{}",
        stderr(&second)
    );

    assert!(daemon.get("/livez").starts_with("HTTP/1.1 200"));
    assert!(
        daemon
            .get("/metrics")
            .contains("varsel_untold_people{horizon=\"24h\"} 0")
    );
    let status = house.run(&["status", "--json"]);
    assert_eq!(code(&status), 0, "{}", stderr(&status));
    let tally: Value = serde_json::from_str(&stdout(&status)).unwrap();
    let nothing = |value: &Value| *value == 0 || *value == Value::Array(Vec::new());
    assert!(tally.as_object().unwrap().values().all(nothing), "{tally}");
    assert!(stdout(&house.run(&["status"])).starts_with("Told"));

    let unknown = house.run(&["explain", "oslo/B2"]);
    assert_eq!(code(&unknown), 1);
    let (code, log) = daemon.end();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("hemmelig") && !log.contains("40000000") && !log.contains("kari@"));
}

#[test]
fn a_demo_takes_no_configuration() {
    let output = run(&["-c", "varsel.toml", "demo", "--once"]);
    assert_eq!(code(&output), 2);
}

#[test]
fn a_demo_refuses_addresses_outside_this_machine_and_folders_of_others() {
    let outside = run(&["demo", "--listen", "0.0.0.0:0"]);
    assert_eq!(code(&outside), 69);
    assert!(
        stderr(&outside).contains("loopback"),
        "{}",
        stderr(&outside)
    );
    let folder = tempfile::tempdir().unwrap();
    let taken = run(&["demo", "--once", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(code(&taken), 69);
    assert!(Path::new(folder.path()).exists());
}
