//! Personal data stays where it belongs: a whole run with an accepted, a refused, a returned and an unreadable
//! contact leaves no number and no address in the log, in the metrics, or in what `explain` and `status` say.

use varsel::store::Desk;

use super::bounce::hand_over;
use crate::email::bounces::postfix;
use crate::support::daemon::{Daemon, free_address};
use crate::support::gateway::Gateway;
use crate::support::http_fault::{self, HttpFault};
use crate::support::smtp_fault::{Act, At, FaultServer, Script};

/// What must never appear outside the store's person tables and the wire.
const CANARIES: [&str; 5] = ["40000000", "4740000000", "kanari", "canary@", "88 77 66"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_leaves_its_cage() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(3, &gateway.url(), "").await;
    let mut register = daemon.register().await;
    for change in [
        "UPDATE bookings SET email = 'canary@kanari.example' WHERE id = 'b0'",
        "UPDATE bookings SET phone = '88 77 66 canary', email = 'canary@@kanari' WHERE id = 'b1'",
        "UPDATE bookings SET status = 'canary@kanari' WHERE id = 'b2'",
    ] {
        sqlx::query(change).execute(&mut register).await.unwrap();
    }
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(1).await;
    let store = daemon.store().await;
    daemon
        .until("the outcomes are written", async || {
            store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap().sms == 1
        })
        .await;

    let explain = search(daemon, &["b0"]).await;
    assert!(explain.contains("accepted"), "{explain}");
}

/// Looks for canaries wherever people or machines read; what `explain` said of these bookings is returned.
async fn search(mut daemon: Daemon, keys: &[&str]) -> String {
    let metrics = daemon.get("/metrics").await;
    let said = |arguments: &[&str]| {
        let output = daemon.verb(arguments);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let explained = keys.iter().flat_map(|key| {
        let key = format!("register/{key}");
        [said(&["explain", &key]), said(&["explain", &key, "--json"])]
    });
    let explained: String = explained.collect();
    let status = said(&["status"]) + &said(&["status", "--json"]);
    daemon.signal("TERM");
    daemon.wait();
    for (place, text) in [
        ("log", &daemon.log()),
        ("metrics", &metrics),
        ("explain", &explained),
        ("status", &status),
    ] {
        for canary in CANARIES {
            let got_out = text.contains(canary);
            assert!(!got_out, "{canary} got into the {place}:\n{text}");
        }
    }
    explained
}

/// Gateways and relays repeat in their answers whom a message was for, and so does what they send back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_comes_home_with_a_refusal_or_a_bounce() {
    let answer = "{\"error\":\"+4740000000 is not reached\",\"number\":\"4740000000\"}";
    let head =
        "HTTP/1.1 422 Unprocessable Content\r\nContent-Type: application/json\r\nContent-Length:";
    let answer = format!("{head} {}\r\n\r\n{answer}", answer.len());
    let gateway = HttpFault::start(http_fault::Fault::Answer(answer.into_bytes())).await;
    let refusal = Act::Say("550 5.1.1 <canary@kanari.example>: canary@kanari.example unknown\r\n");
    let relay = FaultServer::start(Script::default().then(At::Rcpt, refusal)).await;
    let lmtp = free_address();
    let more = format!("[inbound]\nlmtp = \"{lmtp}\"\n");
    let mut daemon = Daemon::prepare(3, &gateway.url(), &more).await;
    let port = relay.address.port();
    let bounces = "connections = 1\nbounce_domain = \"bounce.varsel.example\"";
    daemon.configure("port = 1\n", &format!("port = {port}\n{bounces}\n"));
    let mut register = daemon.register().await;
    let by_email = "UPDATE bookings SET service = 'citizenship', office = 'sentrum', phone = NULL,
                    email = 'canary@kanari.example' WHERE id <> 'b0'";
    sqlx::query(by_email).execute(&mut register).await.unwrap();
    daemon.spawn(&[("VARSEL_LOG", "varsel=trace")]);
    daemon.until_ready().await;
    daemon.cancel_everybody().await;
    let store = daemon.store().await;
    let tally = async || store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    daemon
        .until("two were refused and one mail was taken", async || {
            let tally = tally().await;
            (tally.must_be_phoned, tally.email) == (2, 1)
        })
        .await;

    let commands = relay.seen().commands;
    let froms = commands.iter().filter_map(|(_, line)| {
        let from = line.strip_prefix("MAIL FROM:<")?;
        from.split('>').next()
    });
    let bounce = postfix(
        "Action: failed\r\nStatus: 5.1.1\r\n\
                          Diagnostic-Code: smtp; 550 5.1.1 canary@kanari.example is gone\r\n",
    );
    // One of them was refused at once; that its bounce comes, too, is no harm.
    for from in froms {
        hand_over(lmtp, from, &bounce).await;
    }
    daemon
        .until("all three must be phoned", async || {
            tally().await.must_be_phoned == 3
        })
        .await;
    let explained = search(daemon, &["b0", "b1", "b2"]).await;
    assert!(
        explained.contains("5.1.1"),
        "the relay's code is told:\n{explained}"
    );
}
