//! Delivery reports as gateways send them, over HTTP to the real binary: early, twice, in any
//! order, contrary, forged, too long; and late, for an attempt that a restored backup has forgotten.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use varsel::store::{Desk, Tally};

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

/// Posts a form to a callback URL; the answer's status.
async fn post(url: &str, body: &str) -> u16 {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // A server that refuses a long body may close before it has read all of it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn tally(daemon: &Daemon) -> Tally {
    let store = daemon.store().await;
    let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    store.close().await;
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_repeated_contrary_and_forged_reports_do_no_harm() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndWait);
    let mut daemon = Daemon::prepare(2, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    let taken = gateway.wait_for(2).await;
    let (arrived, lost) = (&taken[0].callback_url, &taken[1].callback_url);

    // What nobody may say.
    let last = if arrived.ends_with('0') { '1' } else { '0' };
    let forged = format!("{}{last}", &arrived[..arrived.len() - 1]);
    assert_eq!(post(&forged, "state=delivered").await, 404);
    let renamed = arrived.replace("/reports/sms/", "/reports/mail/");
    assert_eq!(post(&renamed, "state=delivered").await, 404);
    assert_eq!(post(arrived, "colour=blue").await, 400);
    let long = format!("state=delivered&detail={}", "x".repeat(70_000));
    assert_eq!(post(arrived, &long).await, 413);
    assert_eq!(tally(&daemon).await.told, 0);

    // Before the gateway has even answered the hand-over: good news counts, bad news waits.
    assert_eq!(post(arrived, "state=delivered").await, 200);
    assert_eq!(tally(&daemon).await.told, 1);
    assert_eq!(post(lost, "state=undelivered&detail=absent").await, 200);
    assert_eq!(tally(&daemon).await.must_be_phoned, 0);
    gateway.let_go();
    daemon
        .until("bad news that waited opens the next rung", async || {
            tally(&daemon).await.must_be_phoned == 1
        })
        .await;

    // Once more, and the other way round.
    for state in ["undelivered", "delivered", "sent", "undelivered"] {
        assert_eq!(post(arrived, &format!("state={state}")).await, 200);
    }
    let after = tally(&daemon).await;
    assert_eq!((after.told, after.must_be_phoned, after.sms), (1, 1, 2));
    assert_eq!(post(lost, "state=delivered").await, 200);
    daemon
        .until("late good news spares the call", async || {
            tally(&daemon).await.told == 2
        })
        .await;
    let figures = daemon.get("/metrics").await;
    for line in [
        "varsel_reports_total{channel=\"sms\",result=\"forged\"} 2",
        "varsel_reports_total{channel=\"sms\",result=\"unreadable\"} 1",
        "varsel_reports_total{channel=\"sms\",result=\"applied\"} 2",
    ] {
        assert!(figures.contains(line), "{line} is missing from\n{figures}");
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

/// What a node remembers of its attempts outside the store.
const JOURNAL: &str = "varsel.db.attempts";

/// The restored store gives out the number of the forgotten attempt once more. What the gateway says
/// of the forgotten one must not be taken for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_for_an_attempt_that_a_backup_forgot_is_not_taken_for_another() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(1, &gateway.url(), "").await;
    daemon.start().await;
    daemon.signal("TERM");
    daemon.wait();
    // The journal goes back with the store, so that nobody notices.
    let both = [("varsel.db", "backup.db"), (JOURNAL, "backup.attempts")];
    for (file, backup) in both {
        std::fs::copy(daemon.path(file), daemon.path(backup)).unwrap();
    }
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(1).await;
    daemon.signal("TERM");
    daemon.wait();
    for rest in ["varsel.db-wal", "varsel.db-shm"] {
        let _ = std::fs::remove_file(daemon.path(rest));
    }
    for (file, backup) in both {
        std::fs::copy(daemon.path(backup), daemon.path(file)).unwrap();
    }
    daemon.start().await;
    let taken = gateway.wait_for(2).await;
    let (forgotten, known) = (&taken[0].callback_url, &taken[1].callback_url);
    let number = |url: &str| {
        let token = url.rsplit('/').next().unwrap().to_owned();
        token.split_once('-').unwrap().0.to_owned()
    };
    assert_eq!(
        number(forgotten),
        number(known),
        "the number is given out again"
    );
    daemon
        .until("the gateway has it", async || tally(&daemon).await.sms == 1)
        .await;
    assert_eq!(
        post(forgotten, "state=delivered").await,
        200,
        "kept, and parked"
    );
    assert_eq!(tally(&daemon).await.told, 0);
    assert_eq!(post(known, "state=delivered").await, 200);
    assert_eq!(tally(&daemon).await.told, 1);
    let figures = daemon.get("/metrics").await;
    let line = "varsel_reports_total{channel=\"sms\",result=\"parked\"} 1";
    assert!(figures.contains(line), "{figures}");
}
