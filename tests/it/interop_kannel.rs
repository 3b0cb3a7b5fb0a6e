//! Our SMS channel through a real Kannel to an operator that speaks SMPP: what people would read is
//! compared with what was sent, character by character, and every report finds its attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, Query, State};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use varsel::channel::report_token::{Named, token, verify};
use varsel::channel::sms::{Profile, Secrets, Sms, parse_report};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::{Clock, Mono};
use varsel::domain::contact::{Address, Phone};
use varsel::domain::outcome::{Blame, Outcome, ReportState};
use varsel::domain::segments::segments;
use varsel::store::{Desk, Tally};

use crate::support::daemon::Daemon;
use crate::support::servers::{Server, in_root};
use crate::support::smpp::{Centre, Received};
use crate::support::world::without_reference;

const MESSAGES: i64 = 500;
const SENDERS: i64 = 16;
const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: [u8; 32] = [42; 32];
const USER: &str = "varsel";
const PASSWORD: &str = "hemmelig";

/// Kannel's two processes in the servers' root; they end with this value.
struct Kannel {
    boxes: Vec<Server>,
    folder: tempfile::TempDir,
    sendsms_port: u16,
    admin_port: u16,
}

impl Kannel {
    async fn start(centre: &Centre) -> Self {
        let [admin_port, box_port, sendsms_port] = free_ports();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        let mut config = include_str!("../interop/kannel/kannel.conf").to_owned();
        for (name, value) in [
            ("@ADMIN_PORT@", admin_port.to_string()),
            ("@ADMIN_PASSWORD@", PASSWORD.to_owned()),
            ("@BOX_PORT@", box_port.to_string()),
            ("@SENDSMS_PORT@", sendsms_port.to_string()),
            ("@SMPP_PORT@", centre.address.port().to_string()),
            ("@FOLDER@", folder.path().display().to_string()),
            ("@USER@", USER.to_owned()),
            ("@PASSWORD@", PASSWORD.to_owned()),
        ] {
            config = config.replace(name, &value);
        }
        std::fs::write(folder.path().join("kannel.conf"), config).unwrap();
        let mut kannel = Self {
            boxes: Vec::new(),
            folder,
            sendsms_port,
            admin_port,
        };
        kannel.spawn("bearerbox");
        kannel.until_answering(box_port).await;
        kannel.spawn("smsbox");
        kannel.until_answering(sendsms_port).await;
        kannel.until_ready().await;
        kannel
    }

    fn spawn(&mut self, program: &str) {
        let out = std::fs::File::create(self.folder.path().join(format!("{program}.out"))).unwrap();
        let mut command = in_root(program);
        command
            .arg(self.folder.path().join("kannel.conf"))
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        self.boxes.push(Server::start(&mut command));
    }

    /// Waits until a port of Kannel's answers.
    async fn until_answering(&mut self, port: u16) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let answering = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                self.check_alive();
                Clock::system().pause(Duration::from_millis(20)).await;
            }
        };
        assert!(
            timeout(PATIENCE, answering).await.is_ok(),
            "Kannel does not answer"
        );
    }

    /// Waits until the box that takes requests and the line to the operator are both up.
    async fn until_ready(&mut self) {
        let ready = async {
            loop {
                let status = self.status().await;
                if status.contains("smsbox:varsel") && status.contains("(online") {
                    break;
                }
                self.check_alive();
                Clock::system().pause(Duration::from_millis(20)).await;
            }
        };
        assert!(
            timeout(PATIENCE, ready).await.is_ok(),
            "Kannel does not get ready"
        );
    }

    async fn status(&self) -> String {
        let address = SocketAddr::from(([127, 0, 0, 1], self.admin_port));
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET /status.txt?password={PASSWORD} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Nobody waits for a box that ended; why it did stands in its output, also where the servers
    /// were never fetched.
    fn check_alive(&mut self) {
        let ended = self.boxes.iter_mut().any(Server::has_ended);
        assert!(
            !ended,
            "Kannel ended:\n{}",
            read_outputs(self.folder.path())
        );
    }
}

fn read_outputs(folder: &Path) -> String {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    ["bearerbox.out", "smsbox.out"].map(read).join("\n")
}

/// Ports nobody uses now, below those the system hands out by itself, so that no connection of
/// another test takes one before Kannel does.
fn free_ports<const N: usize>() -> [u16; N] {
    // Two tests of one process never look at the same ones: looking takes none.
    static BEFORE: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    let first = first + BEFORE.fetch_add(100, Ordering::SeqCst);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let ports: Vec<u16> = (first..32_000).filter(free).take(N).collect();
    ports.try_into().expect("some ports are free")
}

/// What came in at the callback URL, by attempt; every state a report named, in order.
type Reports = BTreeMap<i64, Vec<(ReportState, String)>>;

/// The test's own listener for delivery reports.
struct Listener {
    base: String,
    reports: watch::Receiver<Reports>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    async fn start() -> Self {
        let (say, reports) = watch::channel(Reports::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/reports/kannel/{token}", axum::routing::get(take))
            .with_state(Arc::new(say));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            base,
            reports,
            task,
        }
    }
}

async fn take(
    State(say): State<Arc<watch::Sender<Reports>>>,
    UrlPath(token): UrlPath<String>,
    Query(parameters): Query<Vec<(String, String)>>,
) {
    let named = verify(&SECRET, &token).expect("Kannel brings our own tokens back");
    let profile = Profile::built_in("kannel").unwrap();
    let report = parse_report(&profile, &parameters).expect("Kannel's report names a state");
    say.send_modify(|reports| reports.entry(named.attempt).or_default().push(report));
}

/// Texts of every kind the templates can make, each one different.
fn text(number: i64) -> String {
    let kinds = [
        "Avlyst: timen din for pass på Grønland 24. mars kl. 09.20. Ring 22 34 21 00.",
        "ÆØÅ æøå é è ü ö ä ñ à ß § ¿ ¡ £ ¥ ¤ pris 570 € [x] {y} \\ ^ ~ | @ $ _",
        "Flyttet til 9. april.\n\nMoved to 9 April.",
        "Vuojnne: čállit, Đ, ŋ, š, ŧ, ž: áššemeannudeaddji",
        "😀 emoji 👩‍👩‍👧 og «sitat» – tankestrek…",
        "\"'<>&=%20+?#;\u{7b}\u{7d} ikke noe av dette er kode",
    ];
    let kind = kinds[usize::try_from(number).unwrap() % kinds.len()];
    // Every seventh is long enough for several parts, with a letter of two septets or a pair of
    // surrogates near each boundary.
    let repeats = if number % 7 == 0 { 4 } else { 1 };
    format!("{} ref. {number:04}", vec![kind; repeats].join(" "))
}

fn outgoing(number: i64) -> Outgoing {
    let named = Named {
        attempt: number,
        nonce: 7,
    };
    Outgoing {
        address: Address::Phone(Phone::from_stored(&number_of(number))),
        body: Body(text(number).into_bytes()),
        gateway_key: format!("key-{number}"),
        report_token: token(&SECRET, named),
        validity: asked(number),
        sender: "Politiet".to_owned(),
        start_before: Mono::now().plus(PATIENCE),
    }
}

/// How long each message may be kept: a different length for each of a day's hours.
fn asked(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number % 24 + 1).unwrap() * 3600)
}

/// The moment of an absolute time (SMPP 3.4, 7.1.1): local time, tenths, quarters of an hour from UTC.
fn moment(absolute: &str) -> DateTime<Utc> {
    let (local, rest) = absolute.split_at(12);
    let local = NaiveDateTime::parse_from_str(&format!("20{local}"), "%Y%m%d%H%M%S").unwrap();
    let from_utc = TimeDelta::minutes(15 * rest[1..3].parse::<i64>().unwrap());
    match &rest[3..] {
        "+" => (local - from_utc).and_utc(),
        "-" => (local + from_utc).and_utc(),
        _ => panic!("not an absolute time: {absolute}"),
    }
}

fn number_of(number: i64) -> String {
    format!("+4740700{number:03}")
}

fn kannel_profile(port: u16) -> Profile {
    let url = format!("http://127.0.0.1:{port}/cgi-bin/sendsms");
    Profile::built_in("kannel").unwrap().at_url(&url).unwrap()
}

fn secrets(password: &str) -> Secrets {
    [("user", USER), ("password", password)]
        .map(|(n, v)| (n.to_owned(), v.into()))
        .into()
}

async fn send_all(sms: &Arc<Sms>) {
    let senders = (0..SENDERS).map(|sender| {
        let sms = Arc::clone(sms);
        tokio::spawn(async move {
            for number in (sender..MESSAGES).step_by(usize::try_from(SENDERS).unwrap()) {
                let outcome = sms.send(&outgoing(number)).await;
                assert_eq!(
                    outcome,
                    Outcome::Accepted { gateway_id: None },
                    "message {number}"
                );
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn kannel_hands_500_messages_to_the_operator_unchanged_and_reports_on_each() {
    let centre = Centre::start().await;
    let listener = Listener::start().await;
    let kannel = Kannel::start(&centre).await;
    let profile = kannel_profile(kannel.sendsms_port);

    let stranger = Sms::new(profile.clone(), secrets("wrong"), &listener.base).unwrap();
    let outcome = stranger.send(&outgoing(0)).await;
    assert!(
        matches!(
            outcome,
            Outcome::NotSent {
                blame: Blame::Account,
                ..
            }
        ),
        "{outcome:?}"
    );

    let sms = Arc::new(Sms::new(profile, secrets(PASSWORD), &listener.base).unwrap());
    let began = Clock::system().now();
    send_all(&sms).await;

    let all = usize::try_from(MESSAGES).unwrap();
    let arrived = timeout(PATIENCE, centre.until(|seen| seen.messages.len() >= all)).await;
    check_messages(&arrived.unwrap_or_else(|_| centre.seen()).messages, began);

    let mut reports = listener.reports.clone();
    let enough = timeout(PATIENCE, reports.wait_for(|reports| reports.len() >= all)).await;
    assert!(
        enough.is_ok(),
        "reports on {} of {all} only",
        listener.reports.borrow().len()
    );
    check_reports(&listener.reports.borrow());
    assert_eq!(
        centre.seen().messages.len(),
        all,
        "something was sent twice"
    );
}

fn check_messages(messages: &[Received], began: DateTime<Utc>) {
    let took = Clock::system().now() - began;
    assert_eq!(messages.len(), usize::try_from(MESSAGES).unwrap());
    let numbers: BTreeSet<_> = messages.iter().map(|message| message.to.as_str()).collect();
    assert_eq!(numbers.len(), messages.len(), "two messages to one number");
    let by_number: BTreeMap<_, _> = messages
        .iter()
        .map(|m| (m.to.trim_start_matches('+'), m))
        .collect();
    for number in 0..MESSAGES {
        let message = by_number[number_of(number).trim_start_matches('+')];
        let size = segments(&text(number));
        assert_eq!(message.text, text(number));
        assert_eq!(message.from, "Politiet");
        assert_eq!(message.parts, size.parts, "{:?}", message.text);
        assert_eq!(
            message.data_coding,
            if size.forced_by.is_empty() { 0 } else { 8 }
        );
        // Kannel counts from when it takes the message, in whole seconds.
        let more = moment(&message.validity) - began - TimeDelta::from_std(asked(number)).unwrap();
        let seconds = -1..=took.num_seconds() + 1;
        assert!(seconds.contains(&more.num_seconds()), "{more}: {message:?}");
    }
}

fn check_reports(reports: &Reports) {
    for number in 0..MESSAGES {
        let (state, stat) = match number % 10 {
            7 => (ReportState::Undelivered, "stat:UNDELIV err:000"),
            _ => (ReportState::Delivered, "stat:DELIVRD err:000"),
        };
        assert_eq!(
            reports[&number],
            [(state, stat.to_owned())],
            "message {number}"
        );
    }
}

/// What each of them reads, but for the reference.
const CANCELLED: &str = "Avlyst: timen for pass 24. mars kl. 09.20, Grønland passkontor. Bestill ny på nettsidene \
    våre. Spørsmål? Ring 00 00 00 00.\n\nCancelled: passport appointment 24 March at 09:20, Grønland passkontor. \
    Rebook on our website. Questions? Call 00 00 00 00. Politiet ref. XXXXXX";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn five_hundred_cancelled_rows_are_told_through_kannel() {
    let centre = Centre::start().await;
    let kannel = Kannel::start(&centre).await;
    let url = format!("http://127.0.0.1:{}/cgi-bin/sendsms", kannel.sendsms_port);
    let all = u32::try_from(MESSAGES).unwrap();
    let mut daemon = Daemon::prepare(all, &url, "").await;
    for (name, secret) in [("user", USER), ("password", PASSWORD)] {
        std::fs::write(daemon.path(name), secret).unwrap();
    }
    daemon.configure("profile = \"sandbox\"", "profile = \"kannel\"");
    let files = "{ user = \"user\", password = \"password\" }";
    daemon.configure("{ key = \"key\" }", files);
    daemon.configure("lease = \"15s\"", "lease = \"60s\"");
    daemon.start().await;
    daemon.cancel_everybody().await;

    let tally = reported_on(&daemon, all).await;
    // The operator says of every tenth number that it cannot be reached, and nobody has an e-mail.
    let expected = Tally {
        told: all / 10 * 9,
        must_be_phoned: all / 10,
        sms: all,
        appointments: all,
        told_all: all / 10 * 9,
        told_any: all / 10 * 9,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
    let messages = centre.seen().messages;
    let of = |what: fn(&Received) -> String| messages.iter().map(what).collect::<BTreeSet<_>>();
    assert_eq!(messages.len(), all as usize, "each of them once");
    assert_eq!(
        of(|m| m.to.clone()).len(),
        messages.len(),
        "and no one twice"
    );
    assert_eq!(
        of(|m| m.text.clone()).len(),
        messages.len(),
        "each with its reference"
    );
    assert_eq!(
        of(|m| without_reference(&m.text)),
        [CANCELLED.to_owned()].into()
    );
}

/// The tally when every report is in.
async fn reported_on(daemon: &Daemon, all: u32) -> Tally {
    let store = daemon.store().await;
    let clock = Clock::system();
    let asking = async {
        loop {
            let tally = store.tally(clock.now()).await.unwrap();
            if tally.told + tally.must_be_phoned == all {
                return tally;
            }
            clock.pause(Duration::from_millis(100)).await;
        }
    };
    let tally = timeout(2 * PATIENCE, asking).await;
    tally.unwrap_or_else(|_| panic!("reports are missing:\n{}", daemon.log()))
}
