//! A campaign of faults on the real binary: nodes on one store, a register whose bookings are
//! cancelled and reinstated, a gateway that remembers. What the faults are is the journeys' affair;
//! the end is the same for all: troubles cease, everything comes to rest, and every law is counted.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use varsel::clock::Clock;

use super::books::{Books, Sum};
use super::daemon::Daemon;
use super::gateway::{Behaviour, Gateway};
use super::mailbox::Mailbox;
use super::postgres::Db;

/// Nothing needs longer to come to rest, on a busy machine and in a build without optimization.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at the books.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Reports that a gateway sends at the same time, and after how long it repeats one.
const AT_ONCE: usize = 8;
const REPEAT: Duration = Duration::from_millis(500);

/// `few` in an ordinary run, `many` in one of `tests/run --long`.
pub(crate) fn rounds(few: u32, many: u32) -> u32 {
    match std::env::var_os("VARSEL_LONG") {
        Some(_) => many,
        None => few,
    }
}

/// A moment drawn by lot passes. Nothing is waited for: the moment is part of the fault.
pub(crate) async fn drift(rng: &mut StdRng, most: Duration) {
    let moment = most.mul_f64(rng.random_range(0.0..1.0));
    let _ = tokio::time::timeout(moment, std::future::pending::<()>()).await;
}

/// Nodes, their gateway, and the truth about the bookings.
pub(crate) struct Campaign {
    pub(crate) nodes: Vec<Daemon>,
    pub(crate) gateway: Gateway,
    /// The relay, where the people are told by e-mail.
    mails: Option<Mailbox>,
    pub(crate) rng: StdRng,
    people: u32,
    /// The bookings that stand cancelled, by number.
    cancelled: BTreeSet<u32>,
    /// The store of several nodes; one node has a SQLite file.
    db: Option<Db>,
    sqlite: PathBuf,
    reported: usize,
}

impl Campaign {
    /// One node with a SQLite store, not started.
    pub(crate) async fn alone(people: u32, seed: u64) -> Self {
        let gateway = Gateway::start().await;
        let daemon = Daemon::prepare(people, &gateway.url(), "").await;
        Self::of(vec![daemon], gateway, people, seed, None)
    }

    /// So many nodes on one database, not started.
    pub(crate) async fn together(nodes: u32, people: u32, seed: u64, db: Db) -> Self {
        let gateway = Gateway::start().await;
        let mut daemons: Vec<Daemon> = Vec::new();
        for number in 0..nodes {
            let own = if number == 0 { people } else { 0 };
            let daemon = Daemon::prepare(own, &gateway.url(), "").await;
            let store = format!("[store]\nurl = \"{}\"", db.url());
            let tables = format!("[node]\nname = \"node-{number}\"\n{store}\n[upkeep]");
            daemon.configure("[upkeep]", &tables);
            if let Some(first) = daemons.first() {
                let register = format!("path = \"{}\"", first.path("register.db").display());
                daemon.configure("path = \"register.db\"", &register);
            }
            daemons.push(daemon);
        }
        Self::of(daemons, gateway, people, seed, Some(db))
    }

    /// The brake is not what campaigns are about: their bookings change many times within an hour.
    fn of(nodes: Vec<Daemon>, gateway: Gateway, people: u32, seed: u64, db: Option<Db>) -> Self {
        for node in &nodes {
            node.configure("min_changes = 1000", "min_changes = 1000000");
            node.configure("max_changes = 1000", "max_changes = 1000000");
            node.configure("per_hour = 10000", "per_hour = 1000000");
        }
        Self {
            sqlite: nodes[0].path("varsel.db"),
            nodes,
            gateway,
            mails: None,
            rng: StdRng::seed_from_u64(seed),
            people,
            cancelled: BTreeSet::new(),
            db,
            reported: 0,
        }
    }

    /// Before its start: everybody is to be told by e-mail, through this relay, which is at `port`.
    pub(crate) async fn tell_by_email(&mut self, relay: Mailbox, port: u16) {
        self.tell_through(port).await;
        self.mails = Some(relay);
    }

    /// The same through a relay that keeps books of its own.
    pub(crate) async fn tell_through(&self, port: u16) {
        for node in &self.nodes {
            let domain = "bounce_domain = \"bounce.varsel.example\"";
            let quick = format!("port = {port}\n{domain}\nlease = \"8s\"\n");
            node.configure("port = 1\n", &quick);
            node.configure(
                "before_dot = \"5s\"\ndot = \"5s\"",
                "before_dot = \"1s\"\ndot = \"1s\"",
            );
        }
        let mut register = self.nodes[0].register().await;
        let change =
            "UPDATE bookings SET service = 'citizenship', office = 'sentrum', phone = NULL,
                      email = 'kari.' || id || '@example.org'";
        sqlx::query(change).execute(&mut register).await.unwrap();
    }

    /// Before its start: the node keeps its store here.
    pub(crate) fn keep_store_at(&mut self, path: PathBuf) {
        let store = format!("[store]\npath = \"{}\"\n[upkeep]", path.display());
        self.nodes[0].configure("[upkeep]", &store);
        self.sqlite = path;
    }

    /// Changes the configuration of every node before its start.
    pub(crate) fn configure(&self, change: impl Fn(&Daemon)) {
        self.nodes.iter().for_each(change);
    }

    pub(crate) async fn start_all(&mut self) {
        for node in &mut self.nodes {
            node.start().await;
        }
    }

    /// So many bookings, drawn by lot, are cancelled, or reinstated where they were cancelled.
    pub(crate) async fn change(&mut self, count: u32) {
        let mut drawn = BTreeSet::new();
        while drawn.len() < count as usize {
            drawn.insert(self.rng.random_range(0..self.people));
        }
        let reinstated: Vec<u32> = drawn.intersection(&self.cancelled).copied().collect();
        drawn.retain(|number| !self.cancelled.contains(number));
        self.cancelled.retain(|number| !reinstated.contains(number));
        self.nodes[0].set_status(reinstated, "booked").await;
        self.cancel(drawn).await;
    }

    /// These bookings are cancelled.
    pub(crate) async fn cancel(&mut self, numbers: impl IntoIterator<Item = u32>) {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        self.cancelled.extend(&numbers);
        self.nodes[0].set_status(numbers, "cancelled").await;
    }

    /// The books as they stand.
    pub(crate) async fn books(&self) -> Books {
        match &self.db {
            Some(db) => Books::of_postgres(db).await,
            None => Books::of_sqlite(&self.sqlite).await,
        }
    }

    /// The books as a node that is dead has left them in its SQLite file.
    pub(crate) async fn left_behind(&self) -> Books {
        Books::left_behind(&self.sqlite).await
    }

    /// Waits until the books of a store whose nodes run say so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Books) -> bool) {
        let asking = async {
            while !is_so(&self.books().await) {
                Clock::system().pause(ASK_AGAIN).await;
            }
        };
        let patience = PATIENCE * rounds(1, 10);
        if tokio::time::timeout(patience, asking).await.is_err() {
            let (books, log) = (self.books().await, self.nodes[0].log());
            panic!("waited in vain until {what} ({:?}):\n{log}", books.states());
        }
    }

    /// The gateway reports what it took since the last time, several at once, to whichever node; as
    /// a gateway does, it repeats what was not taken down. Whether there was anything.
    async fn report(&mut self) -> bool {
        let taken = self.gateway.taken();
        let news = taken.len() > self.reported;
        let told = futures_util::stream::iter(&taken[self.reported..])
            .enumerate()
            .for_each_concurrent(AT_ONCE, async |(turn, sms)| {
                let path = sms.callback_url.splitn(4, '/').nth(3).unwrap();
                let node = &self.nodes[turn % self.nodes.len()];
                let report = format!("/{path}?state=delivered");
                while !node.get(&report).await.starts_with("HTTP/1.1 200") {
                    Clock::system().pause(REPEAT).await;
                }
            });
        told.await;
        self.reported = taken.len();
        news
    }

    /// The bookings that stand cancelled in the register, by key.
    fn keys(&self) -> BTreeSet<String> {
        self.cancelled.iter().map(|n| format!("b{n}")).collect()
    }

    /// All troubles end, and everything comes to rest: every node runs, the gateway answers and
    /// reports. Then every law is counted, and must hold.
    pub(crate) async fn end(&mut self, what: &str) -> (Books, Sum) {
        self.gateway.behave(Behaviour::Accept);
        self.gateway.let_go();
        let rest = async {
            loop {
                Clock::system().pause(ASK_AGAIN).await;
                let news = self.report().await;
                let books = self.books().await;
                if !news && books.in_motion() == 0 && *books.cancelled() == self.keys() {
                    return books;
                }
            }
        };
        let patience = PATIENCE * rounds(1, 10);
        let Ok(books) = tokio::time::timeout(patience, rest).await else {
            let (books, log) = (self.books().await, self.nodes[0].log());
            let (moving, states) = (books.in_motion(), books.states());
            panic!("{moving} messages do not come to rest ({states:?}):\n{log}");
        };
        let mut taken = self.gateway.taken();
        let mails = self.mails.iter().flat_map(Mailbox::taken);
        taken.extend(books.of_mails(&mails.collect::<Vec<_>>()));
        let sum = books.sum(&taken, &self.keys());
        println!("{what}: {sum}");
        sum.assert_kept();
        (books, sum)
    }
}
