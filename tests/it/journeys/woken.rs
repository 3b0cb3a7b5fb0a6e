//! A booking system that says that something changed is looked at at once, by a daemon that would
//! otherwise look again in an hour.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::AssertSqlSafe;
use varsel::clock::Clock;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::postgres::database;
use crate::support::world::REGISTER;

const PEOPLE: u32 = 3;
const SECRET: &str = "en hemmelighet";

/// A daemon that looks once an hour, with this in its source's table.
async fn sleeper(gateway: &Gateway, of_source: &str) -> Daemon {
    let more = "[alarms]\nstale_after = \"3h\"\n";
    let daemon = Daemon::prepare(PEOPLE, &gateway.url(), more).await;
    let source = "path = \"register.db\"\nevery = \"100ms\"";
    daemon.configure(source, &format!("every = \"1h\"\n{of_source}"));
    daemon
}

/// The header line of a request with this body, signed now.
fn signature(body: &str) -> String {
    let at = Clock::system().now().timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let tag = mac.finalize().into_bytes();
    let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x-varsel-signature: t={at},v1={tag}\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_is_followed_by_a_look() {
    let gateway = Gateway::start().await;
    let wakeful = "path = \"register.db\"\nwake_secret_file = \"wake\"";
    let mut daemon = sleeper(&gateway, wakeful).await;
    std::fs::write(daemon.path("wake"), SECRET).unwrap();
    daemon.start().await;
    daemon.cancel_everybody().await;
    let route = "POST /sources/register/wake HTTP/1.1\r\n";
    let unsigned = daemon.ask(route, "{}").await;
    assert!(!unsigned.starts_with("HTTP/1.1 20"), "{unsigned}");
    let heard = daemon
        .ask(&(route.to_owned() + &signature("{}")), "{}")
        .await;
    assert!(heard.starts_with("HTTP/1.1 20"), "{heard}");
    gateway.wait_for(PEOPLE as usize).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_database_that_notifies_is_looked_at() {
    let (gateway, town) = (Gateway::start().await, database().await);
    let mut conn = town.raw().await;
    sqlx::query(REGISTER).execute(&mut conn).await.unwrap();
    for number in 0..PEOPLE {
        let phone = 40_000_000 + number;
        let insert = format!(
            "INSERT INTO bookings VALUES ('b{number}', 'booked', '2031-03-24 09:20', \
             'gronland', 'passport', '{phone}', NULL, 'nb')"
        );
        let insert = sqlx::query(AssertSqlSafe(insert));
        insert.execute(&mut conn).await.unwrap();
    }
    let listening = format!(
        "kind = \"postgres\"\nurl = \"{}\"\nlisten = \"bookings\"",
        town.url()
    );
    let mut daemon = sleeper(&gateway, &listening).await;
    daemon.start().await;
    let cancel = sqlx::query("UPDATE bookings SET status = 'cancelled'");
    cancel.execute(&mut conn).await.unwrap();
    let tell = sqlx::query("NOTIFY bookings");
    tell.execute(&mut conn).await.unwrap();
    gateway.wait_for(PEOPLE as usize).await;
}
