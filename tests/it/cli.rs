//! The verbs as the binary itself: what they print, and the code they end with.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::house::{HOUSE, House, code, run, stderr, stdout, varsel};
use crate::support::signal;

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
        assert!(signal(&self.child, "TERM"));
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code().unwrap(), log)
    }
}

/// What was printed, with the lines put together that were broken to fit.
fn unwrapped(text: &str) -> String {
    text.replace("\n  │ ", " ")
}

#[test]
fn help_teaches_every_verb() {
    let verbs: &[&[&str]] = &[
        &["--help"],
        &["run", "--help"],
        &["demo", "--help"],
        &["check", "--help"],
        &["preview", "--help"],
        &["test", "--help"],
        &["send-test", "--help"],
        &["status", "--help"],
        &["explain", "--help"],
        &["plan", "--help"],
        &["source", "--help"],
        &["source", "check", "--help"],
        &["source", "diff", "--help"],
        &["hold", "--help"],
        &["hold", "list", "--help"],
        &["hold", "show", "--help"],
        &["hold", "add", "--help"],
        &["hold", "release", "--help"],
        &["hold", "discard", "--help"],
        &["closing", "--help"],
        &["closing", "add", "--help"],
        &["closing", "end", "--help"],
        &["alarm", "--help"],
        &["alarm", "ack", "--help"],
        &["call-list", "--help"],
        &["call-list", "tick", "--help"],
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

/// The store is made by whoever comes first, the daemon or this verb; only looking makes nothing.
#[tokio::test]
async fn a_store_is_migrated_once_and_only_when_meant() {
    let house = House::build().await;
    let said = |arguments: &[&str]| {
        let output = house.run(arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        unwrapped(&stdout(&output))
    };
    for _ in 0..2 {
        let would = said(&["db", "migrate", "--dry-run"]);
        let expected = "The schema is of version 0; `varsel db migrate` makes it version 1.\n";
        assert_eq!(would, expected);
        assert!(!house.path("store.db").exists(), "it was only looked at");
    }
    let done = said(&["db", "migrate"]);
    let expected = "The schema was of version 0 and is now of version 1.\n";
    assert_eq!(done, expected);
    assert_eq!(said(&["db", "verify"]), "The store is whole.\n");
    for again in [&["db", "migrate"][..], &["db", "migrate", "--dry-run"]] {
        let nothing =
            "The schema is of version 1, as this program has it. Nothing is to be done.\n";
        assert_eq!(said(again), nothing);
    }
    let json: Value = serde_json::from_str(&said(&["db", "migrate", "--json"])).unwrap();
    let expected = serde_json::json!({ "found": 1, "newest": 1, "migrated": false });
    assert_eq!(json, expected);
    house.take_the_baseline();
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
    let output = run(&["call-list", "--day", "17.3.2021"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no such day; write it as 2021-03-17"));
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
        let shown = stdout(&output) + &stderr(&output);
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
        shown.contains("  ! gateway \"sms\" is on trial and writes to nobody"),
        "{shown}"
    );
    assert!(
        shown.lines().last().unwrap().starts_with("0 errors, "),
        "{shown}"
    );
    let json: Value = serde_json::from_str(&stdout(&house.run(&["check", "--json"]))).unwrap();
    assert_eq!(json["errors"], serde_json::json!([]));
    for warning in json["warnings"].as_array().unwrap() {
        assert!(warning["message"].is_string());
        assert!(warning["help"].is_string(), "no remedy: {warning}");
    }
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
    // How a line with the folder's name wraps hangs on its length.
    let aside = ["templates/", "secret file"];
    let ours = |block: &&str| !aside.iter().any(|part| block.contains(part));
    let blocks = shown.split("\n\n").filter(ours);
    insta::assert_snapshot!(blocks.collect::<Vec<_>>().join("\n\n"));
}

#[tokio::test]
async fn check_opens_the_sources_as_run_does() {
    let house = House::build().await;
    let cases = [
        (
            "FROM bookings",
            "FROM bokings",
            78,
            "no such table: bokings",
            "query",
        ),
        (
            "SELECT *",
            "SELECT id, start, office",
            78,
            "no column status, service",
            "query",
        ),
        ("register.db", "nowhere.db", 69, "No such file", "path"),
        (
            "register.db",
            "key",
            69,
            "SQLite says \"file is not a database\"",
            "path",
        ),
    ];
    for (right, wrong, exit, says, key) in cases {
        house.write("varsel.toml", &HOUSE.replace(right, wrong));
        let output = house.run(&["check", "--json"]);
        assert_eq!(code(&output), exit, "{wrong}: {}", stdout(&output));
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let [error] = json["errors"].as_array().unwrap().as_slice() else {
            panic!("one mistake, one error: {json}")
        };
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(error["key"], format!("source.0.{key}"));
        let line = HOUSE
            .lines()
            .position(|line| line.starts_with(key))
            .unwrap();
        let first = if key == "path" { 10 } else { line + 1 };
        assert_eq!(error["line"], first);
        assert!(error["help"].is_string());
        let refused = house.run(&["run"]);
        assert_eq!(code(&refused), exit, "`run` refuses it too");
        let told = unwrapped(&stderr(&refused));
        assert!(told.contains(says), "{told}");
    }
}

/// What was read before may be away, and may have changed by itself; a mistake in the file is a mistake.
#[tokio::test]
async fn a_source_that_was_read_before_keeps_nothing_from_starting() {
    let house = House::build().await;
    house.take_the_baseline();
    let warned = |says: &str, key: &str| {
        let output = house.run(&["check", "--json"]);
        assert_eq!(code(&output), 0, "{}", stdout(&output));
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let mut warnings = json["warnings"].as_array().unwrap().iter();
        let of_it = format!("source.0.{key}");
        let warning = warnings.find(|warning| warning["key"] == *of_it);
        let warning = warning.unwrap_or_else(|| panic!("no warning of {of_it}: {json}"));
        assert!(
            warning["message"].as_str().unwrap().contains(says),
            "{warning}"
        );
    };
    std::fs::rename(house.path("register.db"), house.path("away")).unwrap();
    warned("No such file", "path");
    std::fs::rename(house.path("away"), house.path("register.db")).unwrap();
    let register = SqliteConnectOptions::new().filename(house.path("register.db"));
    let mut register = register.connect().await.unwrap();
    let renamed = "ALTER TABLE bookings RENAME COLUMN status TO state";
    sqlx::query(renamed).execute(&mut register).await.unwrap();
    warned("no column status", "query");
    let other = HOUSE.replace("FROM bookings", "FROM bokings");
    house.write("varsel.toml", &other);
    assert_eq!(code(&house.run(&["check"])), 78, "the query is another one");
}

#[tokio::test]
async fn check_says_what_is_not_there() {
    let house = House::build().await;
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    house.write("junk.db", &"this is no database ".repeat(100));
    house.write("no-socket", "");
    let taken = bounces_to(&address);
    let no_socket = bounces_to("unix:no-socket");
    let cases = [
        (
            "\"key\"",
            "\"no_such_key\"",
            "gateway.sms.secret_files.key",
            "no_such_key",
        ),
        (
            "store.db",
            "no/such/folder/store.db",
            "store.path",
            "cannot be written to",
        ),
        (
            "store.db",
            "junk.db",
            "store.path",
            "file is not a database",
        ),
        (
            "127.0.0.1:0",
            address.as_str(),
            "http.listen",
            "cannot listen on",
        ),
        (
            HOUSE_MAIL,
            taken.as_str(),
            "inbound.lmtp",
            "cannot listen on",
        ),
        (
            HOUSE_MAIL,
            no_socket.as_str(),
            "inbound.lmtp",
            "another file is there",
        ),
    ];
    for (right, wrong, key, says) in cases {
        house.write("varsel.toml", &HOUSE.replace(right, wrong));
        let output = house.run(&["check", "--json"]);
        assert_eq!(code(&output), 69, "{wrong}: {}", stdout(&output));
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let [error] = json["errors"].as_array().unwrap().as_slice() else {
            panic!("one mistake, one error: {json}")
        };
        assert_eq!(error["key"], key);
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert!(
            error["line"].is_u64() && error["help"].is_string(),
            "{error}"
        );
        assert_eq!(code(&house.run(&["run"])), 69, "`run` refuses it too");
    }
    assert!(
        std::fs::read_dir(house.path("")).unwrap().count() < 8,
        "a check leaves nothing behind"
    );
}

/// The last lines of the house's file, with a place for the mails that come back.
fn bounces_to(place: &str) -> String {
    format!(
        "{HOUSE_MAIL}bounce_domain = \"bounce.agency.example\"\n[inbound]\nlmtp = \"{place}\"\n"
    )
}

const HOUSE_MAIL: &str = "trial_allow = [\"@agency.example\"]\n";

#[tokio::test]
async fn a_running_daemon_is_no_fault_to_check() {
    let house = House::build().await;
    let daemon = Daemon::start(&house);
    house.write(
        "varsel.toml",
        &HOUSE.replace("127.0.0.1:0", &daemon.address),
    );
    let output = house.run(&["check"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    daemon.end();
}

#[tokio::test]
async fn a_booking_system_is_never_opened_as_our_store() {
    let house = House::build().await;
    let before = std::fs::read(house.path("register.db")).unwrap();
    house.write("varsel.toml", &HOUSE.replace("store.db", "./register.db"));
    for verb in ["check", "run"] {
        let output = house.run(&[verb]);
        assert_eq!(code(&output), 78);
        let shown = stdout(&output) + &stderr(&output);
        assert!(shown.contains("this is our own database"), "{shown}");
    }
    assert_eq!(std::fs::read(house.path("register.db")).unwrap(), before);
}

#[tokio::test]
async fn one_check_finds_mistakes_in_every_file() {
    let house = House::build().await;
    std::fs::create_dir_all(house.path("texts/cancellation")).unwrap();
    house.write("texts/cancellation/nb.sns.txt", "Hei");
    house.write("offices.toml", "[offices.x]\n");
    let files = "[agency]\ndirectory = \"offices.toml\"\ntemplates = \"texts\"\n";
    let wrong = HOUSE
        .replace("port = 9", "prot = 9")
        .replace("every", "evry");
    house.write("varsel.toml", &format!("{files}{wrong}"));
    let output = house.run(&["check", "--json"]);
    assert_eq!(code(&output), 78);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let errors = json["errors"].as_array().unwrap().iter();
    let told: Vec<String> = errors
        .map(|error| {
            let file = Path::new(error["file"].as_str().unwrap());
            let file = file.file_name().unwrap().to_str().unwrap();
            format!("{file} {} {}", error["line"], error["message"])
        })
        .collect();
    for expected in [
        "varsel.toml 14 \"unknown key \\\"evry",
        "varsel.toml 31 \"unknown key \\\"prot",
        "offices.toml 1 ",
        "nb.sns.txt null \"no message uses a file of this name; did you mean cancellation/nb.sms",
    ] {
        let found = told.iter().any(|line| line.starts_with(expected));
        assert!(found, "{expected} is not among {told:#?}");
    }
}

#[tokio::test]
async fn a_program_gets_one_json_object_whatever_is_wrong() {
    let house = House::build().await;
    house.write("varsel.toml", "[windows]\nemial = \"always\"\n");
    for verb in ["check", "explain B1", "status", "config show", "preview"] {
        let mut arguments: Vec<&str> = verb.split(' ').collect();
        arguments.push("--json");
        let output = house.run(&arguments);
        assert_eq!(code(&output), 78);
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let error = &json["errors"][0];
        assert!(error["file"].as_str().unwrap().ends_with("varsel.toml"));
        assert_eq!(
            (&error["line"], &error["key"]),
            (&2.into(), &"windows.emial".into())
        );
        assert_eq!(error["help"], "did you mean \"email\"?");
        assert!(json["warnings"].is_array());
    }
    house.write("varsel.toml", HOUSE);
    let nowhere = house.run(&["explain", "B1", "--json"]);
    assert_eq!(code(&nowhere), 69);
    let json: Value = serde_json::from_str(&stdout(&nowhere)).unwrap();
    assert_eq!(json["errors"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn copies_among_the_templates_are_left_aside() {
    let house = House::build().await;
    std::fs::create_dir_all(house.path("texts/cancellation")).unwrap();
    let strays = ["nb.sms.txt.bak", "nb.sms.txt~", ".nb.sms.txt.swp"];
    for stray in strays {
        house.write(&format!("texts/cancellation/{stray}"), "Hei {{ nothing }}");
    }
    let agency = "[agency]\ntemplates = \"texts\"\n";
    house.write("varsel.toml", &format!("{agency}{HOUSE}"));
    let output = house.run(&["check"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    for stray in strays {
        let told = unwrapped(&stdout(&output));
        assert!(told.contains(&format!("{stray}: is a copy")), "{told}");
    }
    // A text where no message looks for it is a mistake: its writer believes that it counts.
    house.write("texts/nb.sms.txt", "Hei");
    let output = house.run(&["check"]);
    assert_eq!(code(&output), 78);
    let told = unwrapped(&stdout(&output));
    assert!(told.contains("did you mean c"), "{told}");
}

#[test]
fn one_style_of_drawing_and_plain_characters_where_the_locale_knows_no_others() {
    let lines = |locale: &str| {
        let mut command = varsel(&["check"]);
        let output = command.env("LC_ALL", locale).output().unwrap();
        let mut failing = varsel(&["preview", "nope"]);
        let failed = failing.env("LC_ALL", locale).output().unwrap();
        (stdout(&output), stderr(&failed))
    };
    let (checked, failed) = lines("nb_NO.UTF-8");
    assert!(checked.contains("  ✗ no booking system"), "{checked}");
    assert!(failed.contains("  ✗ there is no case"), "{failed}");
    let (checked, failed) = lines("POSIX");
    assert!(checked.contains("  x no booking system"), "{checked}");
    assert!(failed.contains("  x there is no case"), "{failed}");
    assert!(checked.is_ascii() && failed.is_ascii(), "{checked}{failed}");
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
    let again = run(&["config", "init", file]);
    assert_eq!(code(&again), 2);
    let said = stderr(&again).replace("\n  │ ", " ");
    assert!(
        said.contains("exists already; it is not overwritten"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# mine");
    let nowhere = folder.path().join("no/such/folder");
    assert_eq!(
        code(&run(&["config", "init", nowhere.to_str().unwrap()])),
        69
    );
}

#[test]
fn a_disk_that_is_full_is_no_success() {
    for arguments in [
        &["config", "init"][..],
        &["preview", "--list"],
        &["check", "--json"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = varsel(arguments).stdout(full).output().unwrap();
        assert_eq!(code(&output), 69, "{arguments:?}");
        assert!(
            stderr(&output).contains("No space left"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = varsel(&["config", "init"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
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
    let unlike = run(&["preview", "nope"]);
    let list = stdout(&run(&["preview", "--list"]));
    for name in list.lines() {
        let told = stderr(&unlike);
        assert!(
            told.lines().any(|line| line.trim() == name),
            "{name} is broken: {told}"
        );
    }
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
        let said = "SQLite says \"file is not a database\"";
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert!(stderr(&output).contains("help: "), "{}", stderr(&output));
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
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("stopped cleanly: nobody waits"), "{log}");
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
    assert_eq!(code(&outside), 2);
    assert!(
        stderr(&outside).contains("loopback"),
        "{}",
        stderr(&outside)
    );
    let folder = tempfile::tempdir().unwrap();
    let taken = run(&["demo", "--once", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(code(&taken), 2);
    assert!(Path::new(folder.path()).exists());
}
