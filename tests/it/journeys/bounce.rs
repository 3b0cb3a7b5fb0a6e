//! A bounce takes back what an accepted e-mail had told: the real binary, its relay, and the way
//! back by LMTP. What is forged, late, broken or no bounce at all takes back nothing.

use std::net::SocketAddr;

use sqlx::AssertSqlSafe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use varsel::store::{Desk, Tally};

use crate::email::bounces::postfix;
use crate::support::daemon::{Daemon, free_address};
use crate::support::mailbox::Mailbox;

/// Hands one mail over by LMTP; the answers' codes behind LHLO.
pub(super) async fn hand_over(lmtp: SocketAddr, to: &str, mail: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(lmtp).await.unwrap();
    let session = format!(
        "LHLO relay.example\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<{to}>\r\nDATA\r\n{mail}\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(session.as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    let last = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    let codes = said.lines().filter(last).map(|line| line[..3].to_owned());
    codes.skip(2).collect()
}

/// The daemon with so many citizenship bookings, its relay, and where it takes what comes back.
pub(super) async fn house(people: u32) -> (Daemon, Mailbox, SocketAddr) {
    let mailbox = Mailbox::start().await;
    let lmtp = free_address();
    let more = format!("[inbound]\nlmtp = \"{lmtp}\"\n");
    let daemon = Daemon::prepare(0, "http://127.0.0.1:1/", &more).await;
    let port = mailbox.address.port();
    let domain = "bounce_domain = \"bounce.varsel.example\"";
    daemon.configure("port = 1\n", &format!("port = {port}\n{domain}\n"));
    let mut register = daemon.register().await;
    for n in 0..people {
        // A number of each person's own: one on many bookings is nobody's, and is not used.
        let phone = 40_000_000 + n;
        let insert = format!(
            "INSERT INTO bookings VALUES ('b{n}', 'booked', '2031-03-24 09:20', 'sentrum',
             'citizenship', '{phone}', 'kari{n}@example.org', 'en')"
        );
        let insert = sqlx::query(AssertSqlSafe(insert));
        insert.execute(&mut register).await.unwrap();
    }
    (daemon, mailbox, lmtp)
}

pub(super) async fn tally(daemon: &Daemon) -> Tally {
    let store = daemon.store().await;
    let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    store.close().await;
    tally
}

pub(super) const FAILED: &str = "Action: failed\r\nStatus: 5.1.1\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bounce_untells_an_email_and_the_next_rung_takes_over() {
    let (mut daemon, mailbox, lmtp) = house(1).await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    daemon
        .until("the e-mail has told", async || {
            tally(&daemon).await.told == 1
        })
        .await;
    let mail = mailbox.taken().remove(0);
    assert_eq!(mail.to, "kari0@example.org");
    let (local, domain) = mail.from.split_once('@').unwrap();
    assert!(local.starts_with("bounce+") && local.len() <= 64, "{local}");
    assert_eq!(domain, "bounce.varsel.example");

    // What takes back nothing, each with its answer.
    let bounce = postfix(FAILED);
    let vacation = "Auto-Submitted: auto-replied\r\nSubject: On holiday\r\n\r\nBack in May.";
    let forged = format!("{}0@{domain}", &local[..local.len() - 1]);
    let forged = if forged == mail.from {
        format!("bounce+1@{domain}")
    } else {
        forged
    };
    let elsewhere = format!("{local}@elsewhere.example");
    let delayed = postfix("Action: delayed\r\nStatus: 4.4.1\r\n");
    for (to, what, expected) in [
        (&forged, &*bounce, "550"),
        (&elsewhere, &*bounce, "550"),
        (
            &"postmaster@bounce.varsel.example".to_owned(),
            &*bounce,
            "550",
        ),
    ] {
        let codes = hand_over(lmtp, to, what).await;
        assert_eq!(codes[..2], ["250", expected], "{to}");
    }
    for what in [vacation, "\u{0}\u{1}\u{ff}", &*delayed] {
        let codes = hand_over(lmtp, &mail.from, what).await;
        assert_eq!(codes, ["250", "250", "354", "250", "221"], "{what}");
    }
    assert_eq!(tally(&daemon).await.told, 1);

    // The bounce itself, its address spelt by a relay with a taste of its own; and once more.
    let shouted = mail.from.to_uppercase();
    for _ in 0..2 {
        let codes = hand_over(lmtp, &shouted, &bounce).await;
        assert_eq!(codes, ["250", "250", "354", "250", "221"]);
    }
    daemon
        .until("somebody must phone", async || {
            tally(&daemon).await.must_be_phoned == 1
        })
        .await;
    let figures = daemon.get("/metrics").await;
    for line in [
        "varsel_reports_total{channel=\"email\",result=\"applied\"} 1",
        "varsel_reports_total{channel=\"email\",result=\"recorded\"} 2",
        "varsel_reports_total{channel=\"email\",result=\"forged\"} 3",
        "varsel_reports_total{channel=\"email\",result=\"no_bounce\"} 2",
    ] {
        assert!(figures.contains(line), "{line} is missing from\n{figures}");
    }
    assert!(!daemon.log().contains("kari0@"), "{}", daemon.log());
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(
        mailbox.taken().len(),
        1,
        "the same address is not written to again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_taken_is_named() {
    let (mut daemon, _mailbox, lmtp) = house(1).await;
    let _taken = tokio::net::TcpListener::bind(lmtp).await.unwrap();
    let output = daemon.verb(&["run"]);
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("[inbound] lmtp"), "{said}");
    drop(_taken);
    daemon.start().await;
}
