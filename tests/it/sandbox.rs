//! The sandbox beside the daemon's own edges: the register read by the real source, the gateway and
//! the mail server written to by the real channels, and nothing that leaves the machine.

pub(crate) mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use varsel::channel::email::Smtp;
use varsel::channel::sms::{Profile, Sms, parse_report};
use varsel::channel::{Body, Channel};
use varsel::clock::Clock;
use varsel::config::directory::{MODEL_CASE, parse};
use varsel::domain::appointment::{BookingKey, SourceName, Standing};
use varsel::domain::contact::{Address, Phone};
use varsel::domain::directory::{Directory, OfficeId};
use varsel::domain::language::Language;
use varsel::domain::outcome::{Blame, Outcome, ReportState};
use varsel::sandbox::gateway::{GatewayMode, SmsState};
use varsel::sandbox::mail::{MailMode, ReadMail};
use varsel::sandbox::register::{Booking, BookingQuery};
use varsel::sandbox::story::Pace;
use varsel::sandbox::{BOOKINGS, Sandbox, SandboxError, SandboxSettings, start};
use varsel::source::sql::{Place, STATEMENT_TIMEOUT, Settings, SqlSource};
use varsel::source::{Look, Meaning, Snapshot, Source, StartFormat, Words};

use crate::email::{outgoing, settings as relay};

/// 16 March 2021, 14:00 in Oslo.
pub(crate) fn the_afternoon() -> DateTime<Utc> {
    "2021-03-16T13:00:00Z".parse().unwrap()
}

pub(crate) fn model_case() -> Directory {
    parse(MODEL_CASE, Path::new("config/offices.toml")).unwrap()
}

fn day(day: &str) -> NaiveDate {
    day.parse().unwrap()
}

/// A sandbox that ends with its folder.
pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    _folder: TempDir,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn settings(folder: &TempDir, stop: &CancellationToken) -> SandboxSettings {
    SandboxSettings {
        listen: local(),
        smtp: local(),
        folder: folder.path().to_owned(),
        part_price_ore: varsel::sandbox::PART_PRICE_ORE,
        clock: Clock::starting_at(the_afternoon()),
        directory: Arc::new(model_case()),
        stop: stop.clone(),
    }
}

pub(crate) async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let sandbox = start(settings(&folder, &stop)).await.unwrap();
    Running {
        sandbox,
        _folder: folder,
        stop,
    }
}

fn all() -> BookingQuery {
    BookingQuery {
        limit: BOOKINGS,
        ..BookingQuery::default()
    }
}

// ── The register ────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_register_follows_from_its_seed() {
    let (one, two) = (running().await, running().await);
    let bookings = one.sandbox.register.list(&all()).await.unwrap();
    assert_eq!(bookings.len(), BOOKINGS as usize);
    assert!(bookings == two.sandbox.register.list(&all()).await.unwrap());
}

#[tokio::test]
async fn the_register_looks_like_a_register() {
    let running = running().await;
    let bookings = running.sandbox.register.list(&all()).await.unwrap();
    let directory = model_case();
    let mut numbers = BTreeSet::new();
    for booking in &bookings {
        let office = &directory.offices[&booking.office];
        let service = &directory.services[&booking.service];
        assert!(
            office.line(service.kind).is_some(),
            "{booking:?} has no line"
        );
        let local = booking.start.with_timezone(&office.zone);
        let closed = if office.abroad {
            [Weekday::Fri, Weekday::Sat]
        } else {
            [Weekday::Sat, Weekday::Sun]
        };
        assert!(!closed.contains(&local.weekday()), "{booking:?}");
        assert!(local.date_naive() >= day("2021-03-17") && local.date_naive() <= day("2021-04-16"));
        assert!(numbers.insert(booking.number.clone()));
    }
    let lacking = |what: fn(&Booking) -> bool| bookings.iter().filter(|b| what(b)).count();
    for some in [
        lacking(|b| b.mobile.is_none()),
        lacking(|b| b.email.is_none()),
        lacking(|b| b.mobile.as_deref() == Some("ukjent")),
        lacking(|b| {
            b.email
                .as_deref()
                .is_some_and(|e| e.starts_with("flyttet."))
        }),
        lacking(|b| b.language.is_none()),
    ] {
        assert!((5..=200).contains(&some), "{some} of {BOOKINGS}");
    }
    let offices: BTreeSet<&str> = bookings.iter().map(|b| b.office.0.as_str()).collect();
    assert_eq!(
        offices,
        BTreeSet::from(["algiers", "furuset", "gronland", "ryen", "sentrum"])
    );
}

/// The settings that config/sources/sandbox.toml stands for.
pub(crate) fn source_settings(sandbox: &Sandbox) -> Settings {
    let text = include_str!("../../config/sources/sandbox.toml");
    let profile: toml::Table = text.parse().unwrap();
    let word = |key: &str| profile[key].as_str().unwrap().to_owned();
    let mut status = BTreeMap::new();
    for (key, meaning) in [
        ("active", Meaning::Active),
        ("cancelled", Meaning::Cancelled),
    ] {
        for word in profile["status"][key].as_array().unwrap() {
            status.insert(word.as_str().unwrap().to_owned(), meaning);
        }
    }
    let languages = profile["languages"].as_table().unwrap();
    let language = |word: &toml::Value| word.as_str().unwrap().parse::<Language>().unwrap();
    assert_eq!(word("start"), "utc");
    Settings {
        name: SourceName(varsel::sandbox::SOURCE.to_owned()),
        place: Place::Sqlite(sandbox.register.path().to_owned()),
        query: word("query"),
        floor: Some(word("floor")),
        listen: None,
        words: Words {
            start: StartFormat::Utc,
            naive_zone: None,
            region: word("region"),
            status,
            languages: languages
                .iter()
                .map(|(k, v)| (k.clone(), language(v)))
                .collect(),
            services: BTreeMap::new(),
            offices: BTreeMap::new(),
            most_bookings_per_address: None,
        },
        statement_timeout: STATEMENT_TIMEOUT,
    }
}

async fn snapshot(source: &mut SqlSource) -> Snapshot {
    match source.snapshot(the_afternoon()).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("the register was written to, and the source does not see it"),
    }
}

#[tokio::test]
async fn the_daemons_source_reads_the_register_and_what_is_done_to_it() {
    let running = running().await;
    let register = &running.sandbox.register;
    let directory = Arc::new(model_case());
    let mut source = SqlSource::open(source_settings(&running.sandbox), directory.clone())
        .await
        .unwrap();
    let before = snapshot(&mut source).await;
    assert_eq!(before.rows.len(), BOOKINGS as usize);
    assert_eq!(before.faults, []);
    let unchanged = source.snapshot(the_afternoon()).await.unwrap();
    assert!(matches!(unchanged, Look::Unchanged));

    let gronland = OfficeId::from("gronland");
    let cancelled = register
        .cancel_day(&directory, &gronland, day("2021-03-24"))
        .await
        .unwrap();
    assert!(cancelled > 3, "{cancelled}");
    let after = snapshot(&mut source).await;
    let gone: Vec<_> = after
        .rows
        .iter()
        .filter(|row| row.state.standing == Standing::Cancelled)
        .collect();
    assert_eq!(gone.len(), cancelled as usize);
    for row in &gone {
        assert_eq!(row.state.office, gronland);
        let local = row.state.start.with_timezone(&chrono_tz::Europe::Oslo);
        assert_eq!(local.date_naive(), day("2021-03-24"));
    }

    let key = gone[0].key.clone();
    assert_eq!(
        register
            .reinstate(std::slice::from_ref(&key.0))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        register
            .reinstate(std::slice::from_ref(&key.0))
            .await
            .unwrap(),
        0
    );
    let start = gone[0].state.start + TimeDelta::days(7);
    assert!(register.move_booking(&key.0, start).await.unwrap());
    let found = source.look_up(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(found.rows[0].state.standing, Standing::Active);
    assert_eq!(found.rows[0].state.start, start);
    assert!(!register.move_booking("B-0", start).await.unwrap());
    let unknown = source
        .look_up(&[BookingKey("B-0".to_owned())])
        .await
        .unwrap();
    assert_eq!(unknown.rows, []);
}

// ── The gateway ─────────────────────────────────────────────────────────────────────────────────

const DELIVERED: &str = "+4740700021";
const UNDELIVERED: &str = "+4740700013";
const SWITCHED_OFF: &str = "+4740700077";

/// Parameters of the reports that reach us, as the daemon's own reports route would see them.
async fn report_listener() -> (SocketAddr, mpsc::Receiver<(String, Vec<(String, String)>)>) {
    use axum::extract::{Query, State};
    let (sender, receiver) = mpsc::channel(16);
    let take = async |State(sender): State<mpsc::Sender<_>>,
                      axum::extract::Path(token): axum::extract::Path<String>,
                      Query(parameters): Query<Vec<(String, String)>>| {
        sender.send((token, parameters)).await.unwrap();
    };
    let routes = axum::Router::new()
        .route("/reports/sandbox/{token}", axum::routing::get(take))
        .with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (address, receiver)
}

fn sms_channel(sandbox: &Sandbox, reports: SocketAddr) -> Sms {
    let profile = Profile::built_in("sandbox").unwrap();
    let profile = profile.at_url(&sandbox.gateway_url()).unwrap();
    let secrets = profile.secret_names();
    let secrets = secrets
        .into_iter()
        .map(|name| (name.to_owned(), "sandbox".to_owned().into()));
    let secrets = secrets.collect();
    Sms::new(profile, secrets, &format!("http://{reports}")).unwrap()
}

async fn send_sms(sms: &Sms, to: &str, text: &str) -> Outcome {
    let mut message = outgoing("a@example.com", text.as_bytes());
    message.address = Address::Phone(Phone::from_stored(to));
    message.body = Body(text.as_bytes().to_vec());
    message.sender = "Politiet".to_owned();
    message.gateway_key = format!("key-{to}");
    message.report_token = format!("token-{}", &to[1..]);
    sms.send(&message).await
}

#[tokio::test]
async fn the_gateway_takes_what_the_sms_channel_sends_and_reports_on_it() {
    let running = running().await;
    let gateway = &running.sandbox.gateway;
    let (reports, mut received) = report_listener().await;
    let sms = sms_channel(&running.sandbox, reports);
    let text = "Avlyst: timen for pass 24. mars kl. 09.20, Grønland. Ærlig talt: 50 €.";
    for to in [DELIVERED, UNDELIVERED, SWITCHED_OFF] {
        let outcome = send_sms(&sms, to, text).await;
        assert!(
            matches!(
                outcome,
                Outcome::Accepted {
                    gateway_id: Some(_)
                }
            ),
            "{outcome:?}"
        );
    }
    let mut said = BTreeMap::new();
    for _ in 0..3 {
        let (token, parameters) = received.recv().await.unwrap();
        let (state, _) = parse_report(sms.profile(), &parameters).unwrap();
        said.insert(token, state);
    }
    let expected = BTreeMap::from([
        ("token-4740700013".to_owned(), ReportState::Undelivered),
        ("token-4740700021".to_owned(), ReportState::Delivered),
        ("token-4740700077".to_owned(), ReportState::Progress),
    ]);
    assert_eq!(said, expected);
    let kept = gateway.newest();
    assert!(
        kept.iter()
            .all(|sms| sms.text == text && sms.from == "Politiet")
    );
    let states: BTreeMap<_, _> = kept
        .iter()
        .map(|sms| (sms.to.as_str(), sms.state))
        .collect();
    assert_eq!(states[DELIVERED], SmsState::Delivered);
    assert_eq!(states[UNDELIVERED], SmsState::Undelivered);
    assert_eq!(states[SWITCHED_OFF], SmsState::Buffered);

    // The same key again is a second message, and is counted.
    send_sms(&sms, DELIVERED, text).await;
    assert_eq!(gateway.taken().messages, 4);
    assert_eq!(gateway.taken().duplicates, 1);
}

#[tokio::test]
async fn the_gateways_bad_moods_are_what_the_profile_knows() {
    let running = running().await;
    let gateway = &running.sandbox.gateway;
    let (reports, _received) = report_listener().await;
    let sms = sms_channel(&running.sandbox, reports);
    gateway.set_mode(GatewayMode::Failing);
    let outcome = send_sms(&sms, DELIVERED, "Hei").await;
    assert!(
        matches!(
            outcome,
            Outcome::NotSent {
                blame: Blame::Gateway,
                ..
            }
        ),
        "{outcome:?}"
    );
    gateway.set_mode(GatewayMode::Refusing);
    let outcome = send_sms(&sms, DELIVERED, "Hei").await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert_eq!(gateway.taken().messages, 0);
    gateway.set_mode(GatewayMode::Silent);
    let outcome = send_sms(&sms, DELIVERED, "Hei").await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

// ── The mail server ─────────────────────────────────────────────────────────────────────────────

const MAIL: &[u8] = b"From: Oslo politidistrikt <ikke-svar@oslo.varsel.example>\r\n\
    Subject: =?utf-8?Q?Avlyst:_timen_din_=C3=A5?=\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/alternative; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHei\r\n.\r\n..to\r\n--b\r\n\
    Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hei</p>\r\n--b--\r\n";

fn smtp(sandbox: &Sandbox) -> Smtp {
    Smtp::new(relay("127.0.0.1", sandbox.smtp_addr.port())).unwrap()
}

#[tokio::test]
async fn the_mail_server_keeps_what_the_email_channel_sends() {
    let running = running().await;
    let mailbox = &running.sandbox.mailbox;
    let smtp = smtp(&running.sandbox);
    for number in 0..20 {
        let outcome = smtp
            .send(&outgoing(&format!("kari.{number}@example.com"), MAIL))
            .await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    let mails = mailbox.mails();
    let to: Vec<_> = mails.iter().map(|mail| mail.to[0].clone()).collect();
    let expected: Vec<_> = (0..20).map(|n| format!("kari.{n}@example.com")).collect();
    assert_eq!(to, expected);
    assert!(mails.iter().all(|mail| *mail.raw == *MAIL));
    let read = ReadMail::of(&mails[0].raw);
    assert_eq!(read.subject, "Avlyst: timen din å");
    assert_eq!(
        read.from,
        "Oslo politidistrikt <ikke-svar@oslo.varsel.example>"
    );
    assert_eq!(read.texts[0].content.trim_end(), "Hei\r\n.\r\n..to");
    assert_eq!(read.htmls[0].content.trim_end(), "<p>Hei</p>");
}

#[tokio::test]
async fn the_mail_servers_bad_moods_are_classified() {
    let running = running().await;
    let mailbox = &running.sandbox.mailbox;
    let smtp = smtp(&running.sandbox);
    let send = async |to: &str| smtp.send(&outgoing(to, MAIL)).await;
    let moved = send("flyttet.kari@example.com").await;
    assert!(matches!(moved, Outcome::Refused { .. }), "{moved:?}");
    mailbox.set_mode(MailMode::Failing);
    let failing = send("kari@example.com").await;
    assert!(
        matches!(
            failing,
            Outcome::NotSent {
                blame: Blame::Gateway,
                ..
            }
        ),
        "{failing:?}"
    );
    mailbox.set_mode(MailMode::Refusing);
    let refused = send("kari@example.com").await;
    assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");
    assert_eq!(mailbox.taken(), 0);
}

/// Says everything at once, as a pipelining client may, and returns the codes of the answers.
async fn smtp_codes(sandbox: &Sandbox, said: &[u8]) -> Vec<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(sandbox.smtp_addr)
        .await
        .unwrap();
    stream.write_all(said).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let last_lines = answers.lines().filter(|line| line.as_bytes()[3] == b' ');
    last_lines.map(|line| line[..3].to_owned()).collect()
}

#[tokio::test]
async fn the_mail_server_holds_the_order_and_the_limits_of_smtp() {
    let running = running().await;
    let from = "MAIL FROM:<a@varsel.example>\r\n";
    let to = "RCPT TO:<kari@example.com>\r\n";
    let mail = "Subject: x\r\n\r\nHei\r\n.\r\n";
    let long = format!("Subject: x\r\n\r\n{}.\r\n", "0123456789\r\n".repeat(90_000));
    for (said, codes) in [
        (
            format!("EHLO x\r\n{from}{to}DATA\r\n{mail}QUIT\r\n"),
            "220 250 250 250 354 250 221",
        ),
        (
            format!("helo x\r\nmail from:<>\r\n{to}data\r\n{mail}quit\r\n"),
            "220 250 250 250 354 250 221",
        ),
        (
            format!("{to}DATA\r\nNOOP\r\nQUIT\r\n"),
            "220 503 503 250 221",
        ),
        (
            format!("{from}{from}RSET\r\nDATA\r\nQUIT\r\n"),
            "220 250 503 250 503 221",
        ),
        (
            "MAIL FROM:<a@varsel.example> SIZE=2000000\r\nQUIT\r\n".to_owned(),
            "220 552 221",
        ),
        (
            "MAIL a\r\nMAIL FROM:a\r\nXYZ\r\nQUIT\r\n".to_owned(),
            "220 501 501 500 221",
        ),
        (
            format!("{from}RCPT TO:<kari>\r\nDATA\r\nQUIT\r\n"),
            "220 250 501 503 221",
        ),
        (
            format!("{from}{to}DATA\r\n{long}{from}QUIT\r\n"),
            "220 250 250 354 552 250 221",
        ),
        (format!("NOOP {}\r\n", "x".repeat(2_100)), "220 500"),
    ] {
        let answered = smtp_codes(&running.sandbox, said.as_bytes())
            .await
            .join(" ");
        assert_eq!(
            answered,
            codes,
            "{}",
            said.lines().take(4).collect::<String>()
        );
    }
    assert_eq!(running.sandbox.mailbox.taken(), 2);
}

// ── Nothing leaves the machine ──────────────────────────────────────────────────────────────────

#[tokio::test]
async fn the_sandbox_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let mut outside = settings(&folder, &stop);
    outside.listen = "0.0.0.0:0".parse().unwrap();
    let refused = start(outside).await.err().unwrap();
    assert!(matches!(refused, SandboxError::NotLoopback(_)), "{refused}");
    let mut outside = settings(&folder, &stop);
    outside.smtp = "[::]:0".parse().unwrap();
    let refused = start(outside).await.err().unwrap();
    assert!(matches!(refused, SandboxError::NotLoopback(_)), "{refused}");
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut busy = settings(&folder, &CancellationToken::new());
    busy.listen = taken.local_addr().unwrap();
    let refused = start(busy).await.err().unwrap().to_string();
    assert!(
        refused.contains(&taken.local_addr().unwrap().to_string()),
        "{refused}"
    );
}

#[tokio::test]
async fn reports_go_to_loopback_addresses_only() {
    let running = running().await;
    let http = client();
    for callback in [
        "http://gateway.example/x",
        "https://127.0.0.1/x",
        "http://192.0.2.7/x",
        "x",
    ] {
        let body = serde_json::json!({
            "to": DELIVERED, "from": "Politiet", "text": "Hei", "key": "k",
            "validity_seconds": 60, "callback_url": callback,
        });
        let answer = http
            .post(running.sandbox.gateway_url())
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{callback}");
    }
    assert_eq!(running.sandbox.gateway.taken().messages, 0);
}

/// A client that follows no redirect and trusts nobody.
pub(crate) fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

// ── The story ───────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_told_to_its_end_and_nobody_waits() {
    let show = show::open().await;
    show.tell(Pace::Once).await;
    let tally = show.settled().await;
    assert!(tally.told > 200, "{tally:?}");
    // No number and no address, or none that works.
    assert!(tally.must_be_phoned > 0, "{tally:?}");
    // Taken back while the batch was held.
    assert_eq!(tally.left_out, 1, "{tally:?}");
    assert_eq!((tally.too_late, tally.unknown), (0, 0), "{tally:?}");
    let gateway = &show.sandbox.gateway;
    assert_eq!(gateway.taken().duplicates, 0);
    assert_eq!(gateway.taken().messages, u64::from(tally.sms));
    assert_eq!(show.sandbox.mailbox.taken(), u64::from(tally.email));
}
