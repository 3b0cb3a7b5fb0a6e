//! Alarms by the real binary: a command and a mailbox are told what is wrong, again and again until
//! somebody says that they know, also after a restart; and a beat that stops when a line does.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;
use varsel::channel::duty::{DutyCommand, DutyError};

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway, Sms};
use crate::support::mailbox::Mailbox;

/// A command that writes down each alarm and its own environment.
fn told_to(file: &str) -> String {
    format!(
        r#"
[alarms]
every = "100ms"
repeat = "300ms"
[[alarm]]
command = ["/bin/sh", "-c", "cat >> \"$1\"; env > \"$1.env\"", "told", "FOLDER/{file}"]
"#
    )
}

async fn daemon(people: u32, gateway: &Gateway, more: &str) -> Daemon {
    let daemon = Daemon::prepare(people, &gateway.url(), more).await;
    if more.contains("FOLDER") {
        daemon.configure("FOLDER", &daemon.path("").display().to_string());
    }
    daemon
}

/// Every alarm that the command was told, in order.
fn told(daemon: &Daemon) -> Vec<Value> {
    let text = std::fs::read_to_string(daemon.path("told")).unwrap_or_default();
    let whole = text.lines().filter(|line| line.ends_with('}'));
    whole
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {text}")))
        .collect()
}

fn of_kind(daemon: &Daemon, kind: &str) -> Vec<Value> {
    let mut told = told(daemon);
    told.retain(|alarm| alarm["kind"] == kind);
    told
}

fn standing(daemon: &Daemon) -> Vec<Value> {
    let output = daemon.verb(&["alarm", "list", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    json["alarms"].as_array().unwrap().clone()
}

/// What the command and the mailbox got: the alarm, nothing of us, nobody's number.
fn the_words_are_right(daemon: &Daemon, mailbox: &Mailbox) {
    let paused = of_kind(daemon, "gateway_paused").remove(0);
    assert_eq!(paused["subject"], "sms");
    assert_eq!(paused["severity"], "urgent");
    assert_eq!(paused["told"], 1);
    let mail = mailbox.taken().remove(0);
    assert_eq!(mail.to, "duty@agency.example");
    assert_eq!(mail.subject(), "Varsel: gateway_paused sms");
    assert!(
        mail.text().contains("varsel alarm ack a"),
        "{}",
        mail.text()
    );
    assert!(
        mailbox
            .taken()
            .iter()
            .all(|mail| mail.subject().contains("gateway_paused"))
    );
    let environment = std::fs::read_to_string(daemon.path("told.env")).unwrap();
    let names: BTreeSet<_> = environment
        .lines()
        .filter_map(|l| l.split('=').next())
        .collect();
    // The shell itself adds PWD and its kin.
    assert!(
        names.is_subset(&BTreeSet::from(["PATH", "PWD", "SHLVL", "_", "OLDPWD"])),
        "{environment}"
    );
    let all = std::fs::read_to_string(daemon.path("told")).unwrap();
    assert!(!all.contains("4000"), "a number of a person: {all}");
}

/// Somebody knows of the call list; the gateway is still told of.
async fn one_is_acknowledged(daemon: &Daemon) {
    let call_list = of_kind(daemon, "call_list").remove(0)["alarm"]
        .as_str()
        .unwrap()
        .to_owned();
    let ack = daemon.verb(&["alarm", "ack", &call_list, "--by", "Kari Nordmann"]);
    let said = String::from_utf8(ack.stdout).unwrap();
    assert_eq!(
        said,
        format!(
            "Alarm {call_list} falls silent until it grows, or ends and comes again: Kari Nordmann \
             knows.\n"
        )
    );
    // One telling may have been under way.
    let (known, others) = (
        of_kind(daemon, "call_list").len() + 1,
        of_kind(daemon, "gateway_paused").len(),
    );
    daemon
        .until("the other is told three times more", async || {
            of_kind(daemon, "gateway_paused").len() > others + 3
        })
        .await;
    assert!(
        of_kind(daemon, "call_list").len() <= known,
        "somebody knows"
    );
    let list = standing(daemon);
    let row = list.iter().find(|row| row["alarm"] == *call_list).unwrap();
    assert_eq!(row["acknowledged_by"], "Kari Nordmann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_told_until_somebody_knows() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::Answer(401));
    let mailbox = Mailbox::start().await;
    let more =
        told_to("told") + "[[alarm]]\nto = \"duty@agency.example\"\nkinds = [\"gateway_paused\"]\n";
    let mut daemon = daemon(2, &gateway, &more).await;
    daemon.configure(
        "port = 1\n",
        &format!("port = {}\n", mailbox.address.port()),
    );
    let mut register = daemon.register().await;
    sqlx::query("UPDATE bookings SET phone = NULL WHERE id = 'b1'")
        .execute(&mut register)
        .await
        .unwrap();
    daemon.start().await;
    daemon.cancel_everybody().await;
    // The gateway refuses us, and one person can only be phoned.
    daemon
        .until("both are told, more than once", async || {
            let often = |kind| of_kind(&daemon, kind).len() > 1;
            often("gateway_paused") && often("call_list") && !mailbox.taken().is_empty()
        })
        .await;
    the_words_are_right(&daemon, &mailbox);
    one_is_acknowledged(&daemon).await;

    daemon.kill();
    let silent = of_kind(&daemon, "call_list").len();
    let before = of_kind(&daemon, "gateway_paused").len();
    daemon.start().await;
    daemon
        .until("the gateway is told of after the restart", async || {
            of_kind(&daemon, "gateway_paused").len() > before + 1
        })
        .await;
    assert_eq!(of_kind(&daemon, "call_list").len(), silent, "still known");
    let again = daemon.verb(&["alarm", "ack", "a999", "--by", "Kari Nordmann"]);
    assert_eq!(again.status.code(), Some(1));
}

/// The duty's telephone hangs on no gateway that may be the one which fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_duty_phone_is_reached_over_another_gateway() {
    let (gateway, other) = (Gateway::start().await, Gateway::start().await);
    gateway.behave(Behaviour::Answer(401));
    let more = format!(
        r#"
[gateway.other]
channel = "sms"
preference = 2
profile = "sandbox"
url = "{}"
mode = "trial"
secret_files = {{ key = "key" }}
[alarms]
every = "100ms"
repeat = "300ms"
[[alarm]]
to = "+47 40 00 00 90"
gateway = "other"
kinds = ["gateway_paused"]
[[alarm]]
to = "+47 40 00 00 91"
kinds = ["gateway_paused"]
"#,
        other.url()
    );
    let mut daemon = daemon(2, &gateway, &more).await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    let came = |to: &str| {
        let taken = other.taken();
        taken.into_iter().find(|sms| sms.to == to)
    };
    // Named, and found: of the gateways of a channel the one that is left alone is tried last.
    let both = async || came("+4740000090").is_some() && came("+4740000091").is_some();
    daemon.until("both telephones were told", both).await;
    let sms = came("+4740000090").unwrap();
    assert!(
        sms.text.contains("gateway \"sms\" is left alone"),
        "{}",
        sms.text
    );
    let duty = |sms: &Sms| sms.to.starts_with("+474000009");
    assert!(other.taken().iter().all(duty), "it lets out nobody else");
}

/// R14: what is not read is not trusted, and somebody hears of it; it changes nobody's state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_not_read_any_more_is_told() {
    let gateway = Gateway::start().await;
    let more = told_to("told").replace("[alarms]\n", "[alarms]\nstale_after = \"1s\"\n");
    let mut daemon = daemon(3, &gateway, &more).await;
    daemon.start().await;
    let rename = async |statement: &'static str| {
        let mut register = daemon.register().await;
        sqlx::query(statement).execute(&mut register).await.unwrap();
    };
    rename("ALTER TABLE bookings RENAME TO elsewhere").await;
    daemon
        .until("somebody is told", async || {
            !of_kind(&daemon, "source_stale").is_empty()
        })
        .await;
    let alarm = of_kind(&daemon, "source_stale").remove(0);
    assert_eq!(alarm["subject"], "register", "{alarm}");
    assert!(
        gateway.taken().is_empty(),
        "a booking that is not seen is not cancelled"
    );
    rename("ALTER TABLE elsewhere RENAME TO bookings").await;
    daemon
        .until("it is read again, and the alarm has ended", async || {
            standing(&daemon).is_empty()
        })
        .await;
    daemon.cancel_everybody().await;
    gateway.wait_for(3).await;
}

/// A word that nobody mapped is told to a person, and so is until when a held batch can be released.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_is_not_known_and_a_batch_that_is_held_are_told() {
    let gateway = Gateway::start().await;
    let mut daemon = daemon(12, &gateway, &told_to("told")).await;
    daemon.configure("max_changes = 1000", "max_changes = 5");
    daemon.configure("min_changes = 1000", "min_changes = 5");
    daemon.start().await;
    let mut register = daemon.register().await;
    let vanished = "UPDATE bookings SET status = 'vanished' WHERE rowid = 1";
    sqlx::query(vanished).execute(&mut register).await.unwrap();
    daemon
        .until("the word is told", async || {
            !of_kind(&daemon, "unknown_words").is_empty()
        })
        .await;
    let alarm = of_kind(&daemon, "unknown_words").remove(0);
    assert_eq!(alarm["subject"], "register", "{alarm}");
    let metrics = daemon.get("/metrics").await;
    let counted = "varsel_faults_total{source=\"register\"}";
    assert!(metrics.contains(counted), "{metrics}");

    daemon.cancel_everybody().await;
    daemon
        .until("the batch is told", async || {
            !of_kind(&daemon, "held_batch").is_empty()
        })
        .await;
    let alarm = of_kind(&daemon, "held_batch").remove(0);
    let text = alarm["text"].as_str().unwrap();
    assert!(text.contains(", to be released before "), "{text}");
    assert!(gateway.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_used_is_told_without_it() {
    let gateway = Gateway::start().await;
    let mut daemon = daemon(1, &gateway, &told_to("told")).await;
    daemon.start().await;
    let store = sqlx::sqlite::SqliteConnectOptions::new().filename(daemon.path("varsel.db"));
    let mut store = sqlx::ConnectOptions::connect(&store).await.unwrap();
    sqlx::query("ALTER TABLE alarm RENAME TO away")
        .execute(&mut store)
        .await
        .unwrap();
    daemon
        .until("the store's own alarm is told twice", async || {
            of_kind(&daemon, "store").len() > 1
        })
        .await;
    assert_eq!(of_kind(&daemon, "store")[0]["alarm"], "a0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beat_stops_when_a_line_does_not_go_round() {
    let gateway = Gateway::start().await;
    let beats = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&beats);
    let count = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/beat", get(count));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let more = format!(
        "[alarms]\nbeat_every = \"50ms\"\nstale_after = \"1s\"\nbeat_url = \"http://{address}/beat\"\n\
         beat_file = \"beat\"\n"
    );
    let mut daemon = daemon(1, &gateway, &more).await;
    daemon.start().await;
    let beat = || beats.load(Ordering::SeqCst);
    daemon.until("it beats", async || beat() > 2).await;
    assert!(daemon.path("beat").exists());
    // Nobody can read a register that another program has locked.
    let mut register = daemon.register().await;
    sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut register)
        .await
        .unwrap();
    let said = || {
        daemon
            .log()
            .matches("there is no beat: intake register")
            .count()
    };
    daemon.until("the beat stops", async || said() == 1).await;
    let silent = beat();
    let failures = || daemon.log().matches("register").count();
    let seen = failures();
    daemon
        .until("it was tried twice more", async || failures() > seen + 1)
        .await;
    assert_eq!(beat(), silent);
    sqlx::query("ROLLBACK")
        .execute(&mut register)
        .await
        .unwrap();
    daemon
        .until("it beats again", async || beat() > silent)
        .await;
}

fn sh(script: &str, argument: &Path, limit: Duration) -> DutyCommand {
    DutyCommand {
        program: "/bin/sh".into(),
        arguments: ["-c", script, "sh", argument.to_str().unwrap()]
            .map(str::to_owned)
            .to_vec(),
        time_limit: limit,
    }
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let script = "sleep 1000 & echo $! > \"$1.new\"; mv \"$1.new\" \"$1\"; wait";
    let hangs = sh(script, &file, Duration::from_secs(2));
    let ended = hangs.run("{}").await;
    assert!(matches!(ended, Err(DutyError::TooLong(2))), "{ended:?}");
    let child = std::fs::read_to_string(&file).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    // Whoever inherits it may not have looked yet; it is dead all the same.
    let gone = || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let dying = async {
        while !gone() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), dying)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_command_says_by_its_end_whether_it_was_heard() {
    let folder = tempfile::tempdir().unwrap();
    let long = Duration::from_secs(30);
    // One that does not read what it is told may have heard all the same.
    let deaf = sh("exit 0", folder.path(), long);
    deaf.run(&"x".repeat(1_000_000)).await.unwrap();
    let failed = sh("exit 3", folder.path(), long).run("{}").await;
    assert!(matches!(failed, Err(DutyError::Failed(_))), "{failed:?}");
    let missing = DutyCommand {
        program: "/nowhere/page".into(),
        ..deaf
    };
    let never = missing.run("{}").await;
    assert!(matches!(never, Err(DutyError::NotRun(_))), "{never:?}");
}
