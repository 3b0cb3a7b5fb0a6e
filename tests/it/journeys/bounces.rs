//! Many mails come back over LMTP, in any order: some twice, some forged, torn or about a delay, some that
//! contradict each other, some about a mail that a newer one has followed. Whose mail surely came back is
//! untold; nobody else is harmed.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::bounce::{FAILED, hand_over, house, tally};
use crate::email::bounces::postfix;
use crate::support::campaign::rounds;
use crate::support::daemon::Daemon;
use crate::support::mailbox::{Mail, Mailbox};

/// Mails that a relay hands over at the same time.
const AT_ONCE: usize = 8;
/// At most so many come back of one that was sent.
const MOST_RETURNED: usize = 4;

/// One mail that comes to where bounces are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returned {
    Failed,
    Delivered,
    Delayed,
    Vacation,
    /// To an address that was made up from one of ours.
    Forged,
    /// To our token at a domain that is not ours.
    Elsewhere,
}

use Returned::{Delayed, Delivered, Elsewhere, Failed, Forged, Vacation};

/// What is drawn from; failures come most, and often twice.
const KINDS: [Returned; 8] = [
    Failed, Failed, Failed, Delivered, Delayed, Vacation, Forged, Elsewhere,
];

impl Returned {
    fn text(self) -> String {
        match self {
            Failed | Forged | Elsewhere => postfix(FAILED),
            Delivered => postfix("Action: delivered\r\nStatus: 2.0.0\r\n"),
            Delayed => postfix("Action: delayed\r\nStatus: 4.4.1\r\n"),
            Vacation => "Auto-Submitted: auto-replied\r\nSubject: On holiday\r\n\r\nIn May.".into(),
        }
    }

    fn to(self, sender: &str) -> String {
        let (local, domain) = sender.split_once('@').unwrap();
        match self {
            Forged => {
                let (kept, last) = local.split_at(local.len() - 1);
                let other = if last == "0" { "1" } else { "0" };
                format!("{kept}{other}@{domain}")
            }
            Elsewhere => format!("{local}@elsewhere.example"),
            Failed | Delivered | Delayed | Vacation => sender.to_owned(),
        }
    }
}

/// What the message is in the end, whatever the order: word that it arrived is believed above all.
fn outcome(returned: &[Returned]) -> &'static str {
    if returned.contains(&Delivered) {
        "delivered"
    } else if returned.contains(&Failed) {
        "undelivered"
    } else {
        "accepted"
    }
}

struct House {
    daemon: Daemon,
    mailbox: Mailbox,
    lmtp: std::net::SocketAddr,
    rng: StdRng,
    handed_over: usize,
}

impl House {
    /// What comes back of each of these mails, drawn by lot, and how each message then stands.
    async fn return_some(&mut self, mails: &[Mail]) -> BTreeMap<String, &'static str> {
        let mut on_the_way = Vec::new();
        let mut expected = BTreeMap::new();
        for mail in mails {
            let count = self.rng.random_range(0..=MOST_RETURNED);
            let kinds: Vec<_> = (0..count)
                .map(|_| KINDS[self.rng.random_range(0..KINDS.len())])
                .collect();
            expected.insert(mail.to.clone(), outcome(&kinds));
            on_the_way.extend(kinds.into_iter().map(|kind| (mail.from.clone(), kind)));
        }
        self.deliver(on_the_way).await;
        expected
    }

    /// They come in any order, several at once; each has its answer.
    async fn deliver(&mut self, mut mails: Vec<(String, Returned)>) {
        mails.shuffle(&mut self.rng);
        self.handed_over += mails.len();
        let lmtp = self.lmtp;
        let handed_over = futures_util::stream::iter(mails);
        let handed_over = handed_over.for_each_concurrent(AT_ONCE, async |(sender, kind)| {
            let codes = hand_over(lmtp, &kind.to(&sender), &kind.text()).await;
            let expected = match kind {
                Forged | Elsewhere => "550",
                Failed | Delivered | Delayed | Vacation => "250",
            };
            assert_eq!(codes[1], expected, "{kind:?}: {codes:?}");
        });
        handed_over.await;
    }

    /// How the newest e-mail to each address stands.
    async fn standing(&self) -> BTreeMap<String, String> {
        let options = SqliteConnectOptions::new().filename(self.daemon.path("varsel.db"));
        let mut conn = options.connect().await.unwrap();
        let sql =
            "SELECT p.address, m.state FROM message m JOIN message_person p ON p.message = m.id
                   WHERE m.channel = 'email' ORDER BY m.id";
        let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        rows.into_iter().collect()
    }

    /// Waits until each stands as expected, and as many people must be phoned as that makes.
    async fn comes_to(&self, expected: &BTreeMap<String, &'static str>) {
        let lost = expected
            .values()
            .filter(|state| **state == "undelivered")
            .count() as u32;
        self.daemon
            .until("whoever was not reached must be phoned", async || {
                tally(&self.daemon).await.must_be_phoned == lost
            })
            .await;
        let standing = self.standing().await;
        for (address, state) in expected {
            assert_eq!(standing[address], *state, "{address}");
        }
        assert_eq!(tally(&self.daemon).await.told, expected.len() as u32 - lost);
    }

    async fn until_accepted(&self, count: usize) {
        self.daemon
            .until("every mail was taken", async || {
                self.mailbox.taken().len() == count
            })
            .await;
        self.daemon
            .until("every mail has told", async || {
                let standing = self.standing().await;
                !standing.values().any(|state| state == "sending")
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_back_untells_whom_it_must_and_nobody_else() {
    let people = rounds(100, 1_000);
    let (mut daemon, mailbox, lmtp) = house(people).await;
    // The brake is not what this is about: in the end nearly everybody changed twice within an hour.
    daemon.configure("min_changes = 1000", "min_changes = 100000");
    daemon.start().await;
    daemon.cancel_everybody().await;
    let rng = StdRng::seed_from_u64(9);
    let mut house = House {
        daemon,
        mailbox,
        lmtp,
        rng,
        handed_over: 0,
    };
    house.until_accepted(people as usize).await;
    let cancellations = house.mailbox.taken();
    let mut expected = house.return_some(&cancellations).await;
    house.comes_to(&expected).await;

    // Whoever was told is told that it takes place after all; and what comes back then of the first
    // mail comes too late to harm.
    let told = expected
        .iter()
        .filter(|(_, state)| **state != "undelivered");
    let told: Vec<String> = told.map(|(address, _)| address.clone()).collect();
    let number = |address: &String| {
        address["kari".len()..]
            .split('@')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    house
        .daemon
        .set_status(told.iter().map(number), "booked")
        .await;
    house.until_accepted(people as usize + told.len()).await;
    let mails = house.mailbox.taken();
    let late = cancellations.iter().filter(|mail| told.contains(&mail.to));
    let late = late.map(|mail| (mail.from.clone(), Failed)).collect();
    let newest = house.return_some(&mails[people as usize..]);
    expected.extend(newest.await);
    house.deliver(late).await;
    house.comes_to(&expected).await;
    println!(
        "{} mails of {people} people came back, {} too late",
        house.handed_over,
        told.len()
    );
}
