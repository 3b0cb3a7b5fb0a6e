//! The e-mail channel against a real Postfix: every mail arrives once, every refusal has its class.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mail_parser::MessageParser;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use varsel::channel::email::{Letter, Settings, Smtp, TlsMode, compose};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::{Clock, Mono};
use varsel::domain::contact::Email;
use varsel::inbound::lmtp::{Limits, Listener, Place, serve};

use crate::email::compose::{HTML, SUBJECT, TEXT, letter as a_letter};
use crate::email::{letter, outgoing, settings};
use crate::support::servers::{Server, in_root};
use crate::support::world::{World, bounces, residence};

/// How long a busy machine may take to start Postfix, or Postfix to empty its queue.
const PATIENCE: Duration = Duration::from_secs(90);

const IT_ENDED: &str = "Postfix did not start: its reason stands above. If the servers are missing, \
                        tests/run brings them (or tests/servers/fetch alone)";

/// A Postfix of its own for each test; it ends with this value.
struct Postfix {
    state: TempDir,
    port: u16,
    tls_port: u16,
    server: Server,
}

impl Postfix {
    async fn start() -> Self {
        Self::with_way_back(None).await
    }

    /// Bounces go back by LMTP to this port.
    async fn with_way_back(lmtp: Option<u16>) -> Self {
        let state = TempDir::new().unwrap();
        // Postfix drops root and must still reach its folders.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(state.path(), open).unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let serve = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/postfix/serve");
        let mut command = in_root(serve);
        command.arg(state.path());
        command.args([port.to_string(), tls_port.to_string()]);
        command.args(lmtp.map(|port| port.to_string()));
        let mut postfix = Self {
            state,
            port,
            tls_port,
            server: Server::start(&mut command),
        };
        for port in [port, tls_port] {
            until("Postfix listens", async || {
                assert!(!postfix.server.has_ended(), "{}", IT_ENDED);
                TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            })
            .await;
        }
        postfix
    }

    fn settings(&self) -> Settings {
        settings("127.0.0.1", self.port)
    }

    fn authority(&self) -> PathBuf {
        self.state.path().join("tls/authority.pem")
    }

    /// Every mail of the maildir, once nothing is on its way any more.
    async fn mails(&self) -> Vec<Vec<u8>> {
        let spool = self.state.path().join("spool");
        let queues = ["maildrop", "incoming", "active", "deferred"].map(|queue| spool.join(queue));
        until("Postfix's queues are empty", async || {
            queues.iter().all(|queue| files_below(queue).is_empty())
        })
        .await;
        let mails = files_below(&self.state.path().join("mail/sink"));
        mails
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect()
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

/// Asks again until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Mono::now();
    while !is_so().await {
        assert!(
            began.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain: {what}"
        );
        Clock::system().pause(Duration::from_millis(20)).await;
    }
}

/// One composed mail with a token of its own.
fn mail_to(to: &str, token: &str) -> Outgoing {
    let email = Email::read(to).unwrap();
    let text = format!("{TEXT}\nRef. {token}\n.\n..\n.end\n");
    let letter = Letter {
        text: &text,
        ..a_letter(&email, token)
    };
    Outgoing {
        body: Body(compose(&letter).unwrap()),
        report_token: token.to_owned(),
        ..outgoing(to, b"")
    }
}

const CITIZENS: usize = 500;

/// The mail of citizen `n`, and after every tenth those that Postfix refuses, each in another way:
/// they travel on the same connections as the others.
fn citizen_and_refused(n: usize) -> Vec<(Outgoing, char)> {
    let to = |name: &str, expected| {
        let address = format!("{name}{n}@sink.example");
        (mail_to(&address, &format!("{name}-{n}")), expected)
    };
    let mut mails = vec![to("citizen", 'A')];
    if n % 10 == 5 {
        mails.extend([
            to("nosuch", 'R'),
            to("full", 'R'),
            to("busy", 'N'),
            to("shutdown", 'N'),
        ]);
        mails.push((mail_to("kari@example.net", "abroad"), 'R'));
        let (rejected, expected) = to("citizen", 'R');
        let body = [b"X-Test-Reject: yes\r\n", rejected.body.0.as_slice()].concat();
        mails.push((
            Outgoing {
                body: Body(body),
                ..rejected
            },
            expected,
        ));
        let (large, expected) = to("citizen", 'R');
        let body = [
            b"Subject: large\r\n\r\n",
            b"0123456789abcdef\r\n".repeat(20_000).as_slice(),
        ]
        .concat();
        mails.push((
            Outgoing {
                body: Body(body),
                ..large
            },
            expected,
        ));
    }
    mails
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn postfix_gets_500_mails_once_each_and_refusals_have_their_class() {
    let postfix = Postfix::start().await;
    let smtp = Arc::new(
        Smtp::new(Settings {
            connections: 4,
            mails_per_connection: 60,
            bounces: Some(bounces()),
            ..postfix.settings()
        })
        .unwrap(),
    );

    let mut sends = JoinSet::new();
    for (message, expected) in (0..CITIZENS).flat_map(citizen_and_refused) {
        let smtp = Arc::clone(&smtp);
        sends.spawn(async move {
            let outcome = smtp.send(&message).await;
            let to = &message.address;
            assert_eq!(letter(&outcome), expected, "{to:?}: {outcome:?}");
            assert!(
                !format!("{outcome:?}").contains("sink.example"),
                "{outcome:?}"
            );
        });
    }
    while let Some(send) = sends.join_next().await {
        send.unwrap();
    }

    let mails = postfix.mails().await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for bytes in &mails {
        *times.entry(check(bytes)).or_default() += 1;
    }
    let expected = (0..CITIZENS).map(|n| (format!("citizen{n}@sink.example"), 1));
    assert_eq!(times, expected.collect(), "every citizen, once");
}

/// Reads a delivered mail as a mail program would, and returns whom it reached.
fn check(bytes: &[u8]) -> String {
    let mail = MessageParser::default().parse(bytes).unwrap();
    let to = mail
        .to()
        .unwrap()
        .first()
        .unwrap()
        .address()
        .unwrap()
        .to_owned();
    let header = |name: &str| mail.header_raw(name).unwrap().trim().to_owned();
    let token = to
        .replace("citizen", "citizen-")
        .replace("@sink.example", "");
    assert_eq!(header("Delivered-To"), to);
    assert_eq!(
        header("Return-Path"),
        format!("<bounce+{token}@bounce.varsel.example>")
    );
    assert_eq!(mail.subject(), Some(SUBJECT));
    let text = format!("{TEXT}\nRef. {token}\n.\n..\n.end\n");
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), text);
    assert_eq!(mail.body_html(0).unwrap().replace("\r\n", "\n"), HTML);
    assert!(mail.message_id().unwrap().starts_with("v1."));
    to
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn postfix_is_trusted_by_its_pinned_authority_only() {
    let postfix = Postfix::start().await;
    let ca_file = Some(postfix.authority());
    let start_tls = Settings {
        tls: TlsMode::StartTls,
        ca_file,
        ..postfix.settings()
    };
    let implicit = Settings {
        tls: TlsMode::Implicit,
        port: postfix.tls_port,
        ..start_tls.clone()
    };
    for (name, good) in [("starttls", start_tls), ("implicit", implicit)] {
        let smtp = Smtp::new(good.clone()).unwrap();
        for n in 0..2 {
            let message = mail_to(&format!("citizen{n}@sink.example"), &format!("{name}{n}"));
            let outcome = smtp.send(&message).await;
            assert_eq!(letter(&outcome), 'A', "{name}: {outcome:?}");
        }
        let ca_file = Some("tests/it/email/authority.pem".into());
        let stranger = Smtp::new(Settings { ca_file, ..good }).unwrap();
        let outcome = stranger.send(&mail_to("citizen9@sink.example", "no")).await;
        assert_eq!(letter(&outcome), 'P', "{name}: {outcome:?}");
    }
    let mails = postfix.mails().await;
    assert_eq!(mails.len(), 4, "two by each way, none to a stranger");
    for bytes in &mails {
        let mail = String::from_utf8_lossy(bytes);
        assert!(
            mail.contains("(using TLSv1.3 with cipher"),
            "Postfix says so in Received"
        );
    }
}

/// A citizen whose mailbox is gone: Postfix takes the mail, finds nobody, and its bounce comes back
/// through LMTP to the attempt it belongs to.
#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn postfix_bounces_an_unknown_citizen_back_and_the_next_rung_takes_over() {
    let mut booking = residence("b1");
    booking.service = "citizenship";
    booking.email = Some("gone@sink.example");
    let mut world = World::with(&[booking]).await;
    let place = Place::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = Listener::bind(&place).await.unwrap();
    let port = listener.address().unwrap().port();
    let stop = CancellationToken::new();
    let reports = world.reports.clone();
    let server = tokio::spawn(serve(listener, reports, stop.clone(), Limits::default()));
    let postfix = Postfix::with_way_back(Some(port)).await;
    world.send_mail_through(([127, 0, 0, 1], postfix.port).into());
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    // It may come back before anybody has looked.
    until("the bounce has come back", async || {
        world.word("b1").await != "told"
    })
    .await;
    world.tend().await;
    assert_eq!(world.word("b1").await, "must_be_phoned");
    let story = world.story("b1").await;
    let at = |event: &str| story.lines.iter().position(|line| line.event == event);
    let bounced = at("reported_undelivered").unwrap();
    let taken = at("accepted").is_some_and(|at| at < bounced);
    assert!(taken, "Postfix took it: {story:?}");
    assert_eq!(story.lines[bounced].detail, "5.1.1: no such mailbox");
    assert!(postfix.mails().await.is_empty());
    stop.cancel();
    server.await.unwrap();
}
