//! The store's books, read past its code, and what a campaign of faults counts by them: what the gateway really took, against what the store says of
//! it. One sum of all laws, so that every campaign asks the same questions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::gateway::Sms;
use super::mailbox::Mail;
use super::postgres::Db;

/// One attempt as the store has it.
#[derive(Clone, Debug)]
struct Attempt {
    nonce: i64,
    key: String,
    outcome: Option<String>,
}

/// One message as the store has it.
#[derive(Clone, Debug)]
struct Message {
    booking: String,
    revision: i64,
    /// The standing it tells of.
    standing: String,
    channel: String,
    state: String,
    marked: bool,
    superseded: bool,
}

/// The store's own books, read past its code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    attempts: BTreeMap<i64, Attempt>,
    messages: BTreeMap<String, Message>,
    /// Claims of each node's last life that have no outcome yet.
    in_flight: BTreeMap<String, u32>,
    /// Attempts without an outcome, of whatever life.
    pub(crate) open_attempts: usize,
    /// Messages whose lease ended without an outcome, each time counted.
    pub(crate) leases_ended: u32,
    /// Messages that ever were unknown.
    pub(crate) unknown_ever: u32,
    /// The bookings that stand cancelled in our copy.
    cancelled: BTreeSet<String>,
}

const ATTEMPTS: &str = "SELECT a.id, a.nonce, m.gateway_key, a.outcome
    FROM attempt a JOIN message m ON m.id = a.message";
const MESSAGES: &str =
    "SELECT m.gateway_key, a.key, n.revision, n.new_standing, m.channel, m.state,
      m.possible_duplicate, n.superseded
    FROM message m JOIN notice n ON n.id = m.notice JOIN appointment a ON a.id = n.appointment";
const FIGURES: &str = "SELECT
    (SELECT count(*) FROM history WHERE event = 'lease_ended'),
    (SELECT count(DISTINCT message) FROM history WHERE to_state = 'unknown')";

const CANCELLED: &str = "SELECT key FROM appointment WHERE standing = 'cancelled'";

const IN_FLIGHT: &str = "SELECT d.name, count(*) FROM message m JOIN node d ON d.name = m.node
    WHERE m.state = 'sending' AND m.lease_until > d.started_at GROUP BY d.name";

type MessageRow = (String, String, i64, String, String, String, i64, i64);

/// The same for every engine; sqlx has no type for "either".
macro_rules! read_books {
    ($conn:expr) => {{
        let conn = $conn;
        let attempts: Vec<(i64, i64, String, Option<String>)> = sqlx::query_as(ATTEMPTS)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let messages: Vec<MessageRow> = sqlx::query_as(MESSAGES)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let in_flight: Vec<(String, i64)> = sqlx::query_as(IN_FLIGHT)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let figures: (i64, i64) = sqlx::query_as(FIGURES).fetch_one(&mut *conn).await.unwrap();
        let cancelled: Vec<(String,)> = sqlx::query_as(CANCELLED)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let in_flight = in_flight.into_iter();
        let cancelled = cancelled.into_iter().map(|(key,)| key).collect();
        Books {
            cancelled,
            in_flight: in_flight
                .map(|(node, n)| (node, u32::try_from(n).unwrap()))
                .collect(),
            ..Books::of(attempts, messages, figures)
        }
    }};
}

impl Books {
    /// The books as a process that was killed has left them: its files are copied first, so that
    /// looking does not do what the next start must do.
    pub(crate) async fn left_behind(store: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = store.file_name().unwrap().to_str().unwrap();
        for ending in ["", "-wal"] {
            let from = store.with_file_name(format!("{name}{ending}"));
            if from.exists() {
                std::fs::copy(from, folder.path().join(format!("{name}{ending}"))).unwrap();
            }
        }
        Self::of_sqlite(&folder.path().join(name)).await
    }

    /// The books of a SQLite store.
    pub(crate) async fn of_sqlite(store: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(store);
        let mut conn = options.connect().await.unwrap();
        let books = read_books!(&mut conn);
        conn.close().await.unwrap();
        books
    }

    /// The books of a store on PostgreSQL.
    pub(crate) async fn of_postgres(db: &Db) -> Self {
        let mut conn = db.raw().await;
        let books = read_books!(&mut conn);
        conn.close().await.unwrap();
        books
    }

    fn of(
        attempts: Vec<(i64, i64, String, Option<String>)>,
        messages: Vec<MessageRow>,
        figures: (i64, i64),
    ) -> Self {
        let open_attempts = attempts.iter().filter(|(.., came)| came.is_none()).count();
        let attempts = attempts.into_iter().map(|(id, nonce, key, outcome)| {
            let attempt = Attempt {
                nonce,
                key,
                outcome,
            };
            (id, attempt)
        });
        let messages = messages.into_iter().map(|row| {
            let (key, booking, revision, standing, channel, state, marked, superseded) = row;
            let message = Message {
                booking,
                revision,
                standing,
                channel,
                state,
                marked: marked != 0,
                superseded: superseded != 0,
            };
            (key, message)
        });
        let count = |figure: i64| u32::try_from(figure).unwrap();
        Self {
            attempts: attempts.collect(),
            messages: messages.collect(),
            in_flight: BTreeMap::new(),
            open_attempts,
            leases_ended: count(figures.0),
            unknown_ever: count(figures.1),
            cancelled: BTreeSet::new(),
        }
    }

    /// The bookings that stand cancelled in our copy, by key.
    pub(crate) fn cancelled(&self) -> &BTreeSet<String> {
        &self.cancelled
    }

    /// Messages that are still under way: neither told nor ended, and on no person's list.
    pub(crate) fn in_motion(&self) -> usize {
        let listed = self.on_call_list();
        let moving = |m: &&Message| {
            let moves = ["ready", "sending", "unknown", "accepted", "held"];
            // Nothing is heard of a mail that its relay has taken, unless it comes back.
            let rests = m.channel == "email" && m.state == "accepted";
            moves.contains(&m.state.as_str()) && !rests && !listed.contains(m.booking.as_str())
        };
        let standing = self.messages.values().filter(|m| !m.superseded);
        standing.filter(moving).count()
    }

    /// Claims of the nodes' last lives that have no outcome yet.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.values().sum()
    }

    /// Those of one node.
    pub(crate) fn held_by(&self, node: &str) -> u32 {
        self.in_flight.get(node).copied().unwrap_or(0)
    }

    /// How many messages stand in each state.
    pub(crate) fn states(&self) -> BTreeMap<&str, usize> {
        let mut states = BTreeMap::new();
        for message in self.messages.values() {
            *states.entry(message.state.as_str()).or_default() += 1;
        }
        states
    }

    /// The number of the newest attempt.
    pub(crate) fn newest_attempt(&self) -> i64 {
        self.attempts.keys().next_back().copied().unwrap_or(0)
    }

    /// Messages that a node has yet to do something about.
    pub(crate) fn under_way(&self) -> usize {
        let moving = |m: &&Message| match m.state.as_str() {
            "ready" => m.channel != "phone",
            state => state == "sending" || state == "unknown",
        };
        self.messages.values().filter(moving).count()
    }

    /// The bookings with a message that is marked as a possible duplicate.
    pub(crate) fn marked(&self) -> BTreeSet<&str> {
        let marked = self.messages.values().filter(|m| m.marked);
        marked.map(|m| m.booking.as_str()).collect()
    }

    /// The bookings about which somebody must phone.
    pub(crate) fn on_call_list(&self) -> BTreeSet<&str> {
        let listed = |m: &&Message| m.channel == "phone" && m.state == "ready" && !m.superseded;
        let listed = self.messages.values().filter(listed);
        listed.map(|m| m.booking.as_str()).collect()
    }

    /// Messages in one of these states.
    pub(crate) fn standing_as(&self, states: &[&str]) -> usize {
        let found = self.messages.values();
        found.filter(|m| states.contains(&m.state.as_str())).count()
    }

    /// Hand-overs that the gateway took and of which no intent is written, and attempts whose
    /// outcome says what is not true.
    pub(crate) fn unwritten(&self, taken: &[Sms]) -> usize {
        let written = |sms: &&Sms| {
            let (id, nonce) = named(sms);
            let attempt = self.attempts.get(&id);
            attempt.is_some_and(|a| a.nonce == nonce && a.key == sms.key)
        };
        taken.len() - taken.iter().filter(written).count()
    }

    /// Mails as hand-overs like others: the envelope names the attempt, and the attempt its message.
    pub(crate) fn of_mails(&self, mails: &[Mail]) -> Vec<Sms> {
        let hand_over = |mail: &Mail| {
            let token = mail.from.split(['+', '@']).nth(1).unwrap().to_owned();
            let mut sms = Sms {
                to: mail.to.clone(),
                from: mail.from.clone(),
                text: String::new(),
                key: String::new(),
                validity_seconds: 0,
                callback_url: token,
            };
            let attempt = self.attempts.get(&named(&sms).0);
            sms.key = attempt.map(|a| a.key.clone()).unwrap_or_default();
            sms
        };
        mails.iter().map(hand_over).collect()
    }

    /// The sum of a campaign: `cancelled` are the bookings that stand cancelled in the end, by key.
    pub(crate) fn sum(&self, taken: &[Sms], cancelled: &BTreeSet<String>) -> Sum {
        let mut sum = Sum {
            people: cancelled.len(),
            unknown: self.unknown_ever as usize,
            unwritten: self.unwritten(taken),
            in_motion: self.in_motion(),
            ..Sum::default()
        };
        sum.marked = self.messages.values().filter(|m| m.marked).count();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        let mut newest: BTreeMap<&str, &Message> = BTreeMap::new();
        let mut reached = BTreeSet::new();
        for sms in taken {
            *times.entry(&sms.key).or_default() += 1;
            reached.insert(named(sms).0);
            let Some(message) = self.messages.get(&sms.key) else {
                continue;
            };
            let before = newest.insert(&message.booking, message);
            sum.inversions += usize::from(before.is_some_and(|b| b.revision > message.revision));
        }
        for (key, times) in times {
            let marked = self.messages.get(key).is_some_and(|m| m.marked);
            sum.twice += times - 1;
            sum.unmarked += times.saturating_sub(1 + usize::from(marked));
        }
        let lies = |(id, attempt): &(&i64, &Attempt)| match attempt.outcome.as_deref() {
            Some("accepted") => !reached.contains(id),
            Some("not_sent" | "refused" | "withheld") => reached.contains(id),
            _ => false,
        };
        sum.lies = self.attempts.iter().filter(lies).count();
        let listed = self.on_call_list();
        sum.on_call_list = listed.len();
        let told = |booking: &&String| {
            let told = newest.get(booking.as_str());
            told.is_some_and(|m| m.standing == "cancelled") || listed.contains(booking.as_str())
        };
        sum.lost = cancelled.iter().filter(|b| !told(b)).count();
        // Whoever heard last of a cancellation that no longer stands was left with the wrong word.
        let wrong = |(booking, m): &(&&str, &&Message)| {
            m.standing == "cancelled"
                && !cancelled.contains(**booking)
                && !listed.contains(**booking)
        };
        sum.lost += newest.iter().filter(wrong).count();
        sum
    }
}

/// The attempt and the nonce that the token of a callback names.
pub(crate) fn named(sms: &Sms) -> (i64, i64) {
    let token = sms.callback_url.rsplit('/').next().unwrap();
    let (number, rest) = token.split_once('-').unwrap();
    let read = |hex| i64::from_str_radix(hex, 16).unwrap();
    (read(number), read(&rest[..8]))
}

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) people: usize,
    pub(crate) lost: usize,
    /// Second hand-overs...
    pub(crate) twice: usize,
    /// ...of them the ones without a mark.
    pub(crate) unmarked: usize,
    pub(crate) marked: usize,
    pub(crate) unknown: usize,
    pub(crate) in_motion: usize,
    pub(crate) inversions: usize,
    pub(crate) unwritten: usize,
    pub(crate) lies: usize,
    pub(crate) on_call_list: usize,
}

impl Sum {
    /// The promise: what must be nothing is nothing, and no more is marked than was unknown.
    pub(crate) fn assert_kept(&self) {
        let broken = [
            (self.lost, "lost"),
            (self.unmarked, "second hand-overs without a mark"),
            (self.in_motion, "notices without a verdict"),
            (self.inversions, "order inversions"),
            (self.unwritten, "hand-overs without an intent"),
            (self.lies, "outcomes that are not true"),
        ];
        for (count, law) in broken {
            assert_eq!(count, 0, "{law}: {self}");
        }
        assert!(self.twice <= self.marked, "{self}");
        assert!(self.marked <= self.unknown, "{self}");
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} people: lost {}, second hand-overs {} (unmarked {}), marked {} <= unknown {}, \
             without verdict {}, order inversions {}, without intent {}, untrue outcomes {}, \
             on the call list {}",
            self.people,
            self.lost,
            self.twice,
            self.unmarked,
            self.marked,
            self.unknown,
            self.in_motion,
            self.inversions,
            self.unwritten,
            self.lies,
            self.on_call_list
        )
    }
}
