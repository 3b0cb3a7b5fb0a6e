//! A small world for journeys: a real booking register (SQLite), the real store (SQLite), a real
//! SMS gateway and mail server on loopback, and the service's own lines, driven step by step. The
//! time is an argument: 16 March 2021, 14:00 in Oslo, until the test says otherwise.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::channel::email::{self, BounceAddress, Smtp};
use varsel::channel::report_token::{Named, token};
use varsel::channel::sms::{Profile, Sms};
use varsel::clock::Clock;
use varsel::clock::simulated::Dial;
use varsel::config::Config;
use varsel::config::directory;
use varsel::domain::alarm::AlarmLimits;
use varsel::domain::appointment::SourceName;
use varsel::domain::brake::BrakeLimits;
use varsel::domain::breaker::BreakerLimits;
use varsel::domain::closing::{Closing, ClosingKind, NextStep};
use varsel::domain::directory::Directory;
use varsel::domain::language::{Language, Texts};
use varsel::domain::message::{Channel, ToldOn};
use varsel::domain::rate::Rate;
use varsel::domain::retry::RetryPolicy;
use varsel::domain::settle::Waits;
use varsel::domain::verdict;
use varsel::inbound::routes::{Delivery, ReportDesk, Taken};
use varsel::service::alarms::{Duty, Pace};
use varsel::service::chance::Chance;
use varsel::service::dispatch::Dispatch;
use varsel::service::intake::{Intake, IntakeStep, Watch};
use varsel::service::pauses::Pauses;
use varsel::service::reports::Reports;
use varsel::service::schedule::Schedule;
use varsel::service::supervise::Parts;
use varsel::service::turns::{self, Turn};
use varsel::service::upkeep::{Retention, Upkeep, UpkeepStep};
use varsel::service::{Gateway as Way, Mode, Pulse, Shared, ToldOnByChannel, Trust, Wakes};
use varsel::source::sql::{self, Place, STATEMENT_TIMEOUT};
use varsel::source::{AnySource, Meaning, Reads, Settings, StartFormat, Words};
use varsel::store::{
    Access, Act, Database, Deed, Desk, Outbox, Story, SweepLimits, Tally, UnknownRule,
};
use varsel::telemetry::Metrics;
use varsel::template::Templates;

use super::gateway::Gateway;
use super::mailbox::Mailbox;

/// 16 March 2021, 14:00 in Oslo: the day the closing was announced.
pub fn announced() -> DateTime<Utc> {
    "2021-03-16T13:00:00Z".parse().unwrap()
}

/// One booking of the register.
#[derive(Clone, Debug)]
pub struct Booking {
    pub id: &'static str,
    pub status: &'static str,
    pub start: &'static str,
    pub office: &'static str,
    pub service: &'static str,
    pub phone: Option<&'static str>,
    pub email: Option<&'static str>,
    pub language: &'static str,
}

/// A telephone for each booking, reserved for fiction: people who share one are told by one message.
fn number(id: &'static str) -> &'static str {
    if id == "b1" {
        return "40 00 00 01";
    }
    let n = id
        .bytes()
        .fold(0, |n: u32, byte| (n * 31 + u32::from(byte)) % 99_991);
    Box::leak(format!("407{n:05}").into_boxed_str())
}

/// A passport booking in the closing window, with a phone.
pub fn passport(id: &'static str) -> Booking {
    Booking {
        id,
        status: "booked",
        start: "2021-03-24 09:20",
        office: "gronland",
        service: "passport",
        phone: Some(number(id)),
        email: Some("ola@example.com"),
        language: "nb",
    }
}

/// A residence-permit booking with an e-mail address.
pub fn residence(id: &'static str) -> Booking {
    Booking {
        service: "residence_permit",
        office: "sentrum",
        email: Some("kari@example.org"),
        language: "en",
        ..passport(id)
    }
}

/// The register's table, as an agency might have it.
pub const REGISTER: &str = "CREATE TABLE bookings (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, start TEXT NOT NULL, office TEXT NOT NULL,
    service TEXT NOT NULL, phone TEXT, email TEXT, language TEXT)";

pub struct World {
    pub now: DateTime<Utc>,
    pub store: Database,
    pub shared: Arc<Shared>,
    pub sms: Gateway,
    pub mail: Mailbox,
    pub reports: Arc<Reports<Database>>,
    dial: &'static Dial,
    register: SqliteConnection,
    intake: Intake<AnySource, Database>,
    watched: Settings,
    upkeep: Upkeep<Database>,
    ways: Vec<Way>,
    lines: Vec<Dispatch<Database>>,
    /// Last, so that everything in it is closed before it goes.
    folder: tempfile::TempDir,
}

impl World {
    /// A world whose register holds these bookings and whose baseline is complete.
    pub async fn with(bookings: &[Booking]) -> Self {
        Self::on_trial(bookings, Mode::Live).await
    }

    /// The same, with an SMS gateway whose profile says something more.
    pub async fn with_gateway(bookings: &[Booking], more: &str) -> Self {
        let mut world = Self::with(bookings).await;
        world.ways[0] = sms_way(&world.sms, Mode::Live, more);
        world.lines = lines(&world.shared, &world.store, &world.ways);
        world
    }

    /// The same, with every gateway in `mode`.
    pub async fn on_trial(bookings: &[Booking], mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let mut register = options.connect().await.unwrap();
        sqlx::query(REGISTER).execute(&mut register).await.unwrap();
        let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
        let store = Database::sqlite(&folder.path().join("varsel.db"), Access::Daemon)
            .await
            .unwrap();
        let dial = Dial::new();
        let shared = shared(&store, offices(), dial).await;
        let ways = vec![
            sms_way(&sms, mode.clone(), ""),
            email_way(mail.address, mode),
        ];
        let watched = source(&path);
        let source = AnySource::open(watched.clone(), Arc::clone(&shared.directory))
            .await
            .unwrap();
        let every = Duration::from_secs(30);
        let profile = Arc::new(Profile::built_in("sandbox").unwrap());
        let profiles = BTreeMap::from([("sandbox".to_owned(), profile)]);
        let mut world = Self {
            now: announced(),
            intake: Intake::new(Arc::clone(&shared), source, store.clone(), every),
            watched,
            upkeep: Upkeep::new(Arc::clone(&shared), store.clone(), retention()),
            reports: Arc::new(Reports::new(
                Arc::clone(&shared),
                store.clone(),
                profiles,
                vec![bounces()],
            )),
            lines: lines(&shared, &store, &ways),
            ways,
            dial,
            register,
            store,
            shared,
            sms,
            mail,
            folder,
        };
        for booking in bookings {
            world.book(booking).await;
        }
        world.look().await;
        world
    }

    /// Every gateway lets everything out from now on.
    pub fn go_live(&mut self) {
        for way in &mut self.ways {
            way.mode = Mode::Live;
        }
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// E-mails leave through another relay from now on.
    pub fn send_mail_through(&mut self, relay: SocketAddr) {
        self.ways[1] = email_way(relay, Mode::Live);
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// The directory loses an office; the lines start anew without it.
    pub async fn forget_office(&mut self, id: &str) {
        let mut directory = Directory::clone(&self.shared.directory);
        directory.offices.remove(&id.into()).unwrap();
        self.shared = shared(&self.store, directory, self.dial).await;
        self.restart_upkeep();
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// The daemon ends and starts again: what upkeep only remembered is gone.
    pub fn restart_upkeep(&mut self) {
        let (shared, store) = (Arc::clone(&self.shared), self.store.clone());
        self.upkeep = Upkeep::new(shared, store, retention());
    }

    pub fn at(&mut self, now: &str) {
        self.now = now.parse().unwrap();
        self.dial.set(self.now);
    }

    /// One message at a time from now on.
    pub fn narrow(&mut self) {
        self.ways[0].connections = 1;
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// However busy the machine is, an answer comes in time.
    pub fn be_patient(&mut self) {
        for way in &mut self.ways {
            way.longest_send = Duration::from_secs(20);
            way.lease = Duration::from_secs(60);
        }
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// Every gateway is left alone by these limits from now on.
    pub fn leave_alone(&mut self, breaker: BreakerLimits) {
        for way in &mut self.ways {
            way.breaker = breaker;
        }
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// From now on another booking system is watched, and its baseline is complete.
    pub async fn watch(&mut self, settings: Settings) {
        self.watched = settings;
        self.restart().await;
        self.look().await;
    }

    /// From now on it is read by another mapping.
    pub async fn map_otherwise(&mut self, change: impl FnOnce(&mut sql::Settings)) {
        match &mut self.watched.reads {
            Reads::Sql(sql) => change(sql),
            Reads::Csv(_) | Reads::Json(_) => panic!("no query maps this source"),
        }
        self.restart().await;
    }

    /// People are told what they did themselves.
    pub async fn tell_own(&mut self) {
        self.watched.tell_own = true;
        self.restart().await;
    }

    /// Every gateway lets out so many a second and, after a rest, so many at once.
    pub fn pace(&mut self, rate: Rate) {
        for way in &mut self.ways {
            way.rate = Some(rate);
        }
        self.lines = lines(&self.shared, &self.store, &self.ways);
    }

    /// What intake holds in memory is gone.
    pub async fn restart(&mut self) {
        let settings = self.watched.clone();
        let watch = Watch {
            waits: settings.waits,
            tell_own: settings.tell_own,
        };
        let source = AnySource::open(settings, Arc::clone(&self.shared.directory))
            .await
            .unwrap();
        let (shared, store) = (Arc::clone(&self.shared), self.store.clone());
        let every = Duration::from_secs(30);
        self.intake = Intake::new(shared, source, store, every).watching(watch);
    }

    // ── the register ────────────────────────────────────────────────────────────────────────────

    pub async fn book(&mut self, booking: &Booking) {
        let insert = "INSERT INTO bookings VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(insert)
            .bind(booking.id)
            .bind(booking.status)
            .bind(booking.start)
            .bind(booking.office)
            .bind(booking.service)
            .bind(booking.phone)
            .bind(booking.email)
            .bind(booking.language);
        query.execute(&mut self.register).await.unwrap();
    }

    pub async fn set(&mut self, id: &str, column: &str, value: &str) {
        let update = AssertSqlSafe(format!("UPDATE bookings SET {column} = ? WHERE id = ?"));
        let query = sqlx::query(update)
            .bind(value.to_owned())
            .bind(id.to_owned());
        assert_eq!(
            query
                .execute(&mut self.register)
                .await
                .unwrap()
                .rows_affected(),
            1
        );
    }

    /// A copy of the register's file, as it is now.
    pub async fn copied_register(&mut self) -> PathBuf {
        let path = self.folder.path().join("copy.db");
        let copy = AssertSqlSafe(format!("VACUUM INTO '{}'", path.display()));
        sqlx::query(copy).execute(&mut self.register).await.unwrap();
        path
    }

    pub async fn delete(&mut self, id: &str) {
        let query = sqlx::query("DELETE FROM bookings WHERE id = ?").bind(id.to_owned());
        assert_eq!(
            query
                .execute(&mut self.register)
                .await
                .unwrap()
                .rows_affected(),
            1
        );
    }

    /// A write that changes nothing, so that the source is not silent.
    pub async fn touch(&mut self) {
        sqlx::query("UPDATE bookings SET id = id")
            .execute(&mut self.register)
            .await
            .unwrap();
    }

    // ── the lines ───────────────────────────────────────────────────────────────────────────────

    pub async fn look(&mut self) -> IntakeStep {
        self.dial.set(self.now);
        self.intake.step(self.now).await.unwrap()
    }

    /// Looks at a source that may not answer.
    pub async fn look_or_not(&mut self) -> Option<IntakeStep> {
        self.dial.set(self.now);
        self.intake.step(self.now).await.ok()
    }

    /// Looks while the store takes nothing down.
    pub async fn look_in_vain(&mut self) {
        let path = self.folder.path().join("varsel.db");
        let options = SqliteConnectOptions::new().filename(path);
        let mut store = options.connect().await.unwrap();
        let full = "CREATE TRIGGER full BEFORE UPDATE OF snapshot_at ON source
            BEGIN SELECT RAISE(ABORT, 'it is full'); END";
        sqlx::raw_sql(full).execute(&mut store).await.unwrap();
        self.intake.step(self.now).await.unwrap_err();
        let emptied = "DROP TRIGGER full";
        sqlx::raw_sql(emptied).execute(&mut store).await.unwrap();
    }

    pub async fn tend(&mut self) -> UpkeepStep {
        self.dial.set(self.now);
        self.upkeep.step(self.now).await.unwrap()
    }

    /// Tends until what is unknown has been resolved: leases run on the database's own clock.
    pub async fn tend_until_resolved(&mut self) {
        let resolving = async {
            loop {
                let swept = self.tend().await.swept;
                if swept.repeated + swept.retried + swept.held > 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), resolving)
            .await
            .unwrap();
    }

    /// Lets the lines look once more; how many unknowns the gateway was asked about.
    pub async fn ask(&mut self) -> usize {
        self.dial.set(self.now);
        let mut asked = 0;
        for line in &mut self.lines {
            asked += line.step(self.now).await.unwrap().asked;
            line.land().await.unwrap();
        }
        asked
    }

    /// Lets the lines look again and again until it is so: leases run on the database's own clock.
    pub async fn ask_until(&mut self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let asking = async {
            while !is_so(self).await {
                self.ask().await;
                tokio::task::yield_now().await;
            }
        };
        let asked = tokio::time::timeout(Duration::from_secs(30), asking).await;
        assert!(asked.is_ok(), "waited in vain: {what}");
    }

    /// Lets everything fly that may leave now; does not wait for it to land.
    pub async fn start_sending(&mut self) {
        self.dial.set(self.now);
        for line in &mut self.lines {
            line.step(self.now).await.unwrap();
        }
    }

    /// Hands over everything that may leave now, and settles it.
    pub async fn send(&mut self) {
        self.dial.set(self.now);
        for line in &mut self.lines {
            line.land().await.unwrap();
            while line.step(self.now).await.unwrap().claimed > 0 {
                line.land().await.unwrap();
            }
        }
    }

    /// The gateway reports every message it took as delivered.
    pub async fn report_all_delivered(&self) {
        self.report_all("delivered").await;
    }

    /// The gateway reports this state for every message it took, under the token it was given.
    pub async fn report_all(&self, state: &str) {
        for sms in self.sms.taken() {
            let token = sms.callback_url.rsplit('/').next().unwrap().to_owned();
            assert_eq!(self.report(&token, state).await, Taken::Kept);
        }
    }

    pub async fn report(&self, token: &str, state: &str) -> Taken {
        let delivery = Delivery {
            gateway: "sandbox".to_owned(),
            token: token.to_owned(),
            parameters: vec![("state".to_owned(), state.to_owned())],
        };
        self.reports.take(delivery).await
    }

    /// A token for an attempt that does not exist, made with the right secret.
    pub fn token_of_no_attempt(&self) -> String {
        let named = Named {
            attempt: 999_999,
            nonce: 1,
        };
        token(&self.shared.report_secret, named)
    }

    // ── what people see ─────────────────────────────────────────────────────────────────────────

    /// What a verb prints of this world, at its own time; it must end with 0.
    pub fn verb(&self, words: &[&str]) -> String {
        let (ends, said) = self.verb_ends(words);
        assert_eq!(ends, 0, "{said}");
        said
    }

    /// How a verb ends, and what it says: on standard output, or where it fails on standard error.
    pub fn verb_ends(&self, words: &[&str]) -> (i32, String) {
        let config = self.folder.path().join("varsel.toml");
        std::fs::write(&config, "[store]\npath = \"varsel.db\"\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_varsel"));
        command.arg("-c").arg(config).args(words);
        let output = command
            .args(["--at", &self.now.to_rfc3339()])
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        let ends = output.status.code().unwrap();
        let said = if ends == 0 { said } else { said + &problem };
        (ends, said)
    }

    pub async fn tally(&self) -> Tally {
        self.store.tally(self.now).await.unwrap()
    }

    pub async fn story(&self, id: &str) -> Story {
        let mut stories = self.store.explain(&format!("register/{id}")).await.unwrap();
        assert_eq!(stories.len(), 1, "one appointment, one story");
        stories.remove(0)
    }

    pub async fn word(&self, id: &str) -> &'static str {
        let story = self.story(id).await;
        verdict::standing_notice(&story.notices)
            .map_or("left_out", |notice| verdict::word(notice, self.now).word())
    }

    /// Why the newest message of the standing notice stands where it stands.
    pub async fn reason(&self, id: &str) -> &'static str {
        let story = self.story(id).await;
        let notice = verdict::standing_notice(&story.notices).unwrap();
        notice
            .messages
            .iter()
            .max_by_key(|m| m.rung)
            .unwrap()
            .reason
            .unwrap()
            .word()
    }

    /// The closing of the seeds: 17 March to 9 April, reduced.
    pub async fn close_oslo(&self) {
        self.close_oslo_for(0).await;
    }

    /// The same, letting `max` changes pass the brake.
    pub async fn close_oslo_for(&self, max: u32) {
        self.announce_with(max, NextStep::Book).await;
    }

    /// The same, which admits nothing, with another next step.
    pub async fn announce(&self, next: NextStep) {
        self.announce_with(0, next).await;
    }

    async fn announce_with(&self, max: u32, next: NextStep) {
        let offices = &self.shared.directory.offices;
        let closing = Closing {
            offices: offices
                .values()
                .filter(|o| !o.abroad)
                .map(|o| o.id.clone())
                .collect(),
            kinds: Vec::new(),
            from: "2021-03-17".parse().unwrap(),
            to: "2021-04-09".parse().unwrap(),
            kind: ClosingKind::Reduced,
            next,
            reason: Texts::from([
                (Language::Nb, "smittesituasjonen i Oslo og Viken"),
                (Language::Nn, "smittesituasjonen i Oslo og Viken"),
                (Language::En, "the infection situation in Oslo and Viken"),
            ]),
            max,
        };
        let act = Act {
            actor: "Kari Nordmann".to_owned(),
            reason: "announced today".to_owned(),
            idempotency_key: "closing".to_owned(),
            at: self.now,
            deed: Deed::AddClosing(closing),
        };
        self.store.act(&act).await.unwrap();
    }

    /// A passport office other than Grønland.
    pub fn another_passport_office(&self) -> String {
        let offices = self.shared.directory.offices.values();
        let mut others = offices
            .filter(|office| !office.abroad && office.passport_line.is_some())
            .filter(|office| office.id.0 != "gronland");
        others.next().unwrap().id.0.clone()
    }
}

/// The text with its reference masked.
pub fn without_reference(text: &str) -> String {
    let start = text.rfind("ref. ").unwrap() + "ref. ".len();
    format!("{}XXXXXX", &text[..start])
}

/// What lines over any store share, at the hour at which every world begins.
async fn shared_on(store: &Database) -> Arc<Shared> {
    let dial = Dial::new();
    dial.set(announced());
    shared(store, offices(), dial).await
}

/// A line over any store that hands SMS to `gateway`.
pub async fn sms_line(store: &Database, gateway: &Gateway) -> Dispatch<Database> {
    let way = sms_way(gateway, Mode::Live, "");
    Dispatch::new(shared_on(store).await, store.clone(), way)
}

/// Nobody is on duty in these worlds.
const SELDOM: Pace = Pace {
    every: Duration::from_secs(3600),
    repeat: Duration::from_secs(3600),
    limits: AlarmLimits {
        untold_within: Duration::from_secs(3600),
        stale_after: Duration::from_secs(3600),
    },
    zone: chrono_tz::Europe::Oslo,
};

/// A node over any store that reads nothing and hands SMS to `gateway`; it looks by itself so seldom.
pub async fn sending_node(
    store: &Database,
    gateway: &Gateway,
    look_again: Duration,
) -> Parts<Database, AnySource> {
    let mut shared = shared_on(store).await;
    let own = Arc::get_mut(&mut shared).expect("nobody else has it yet");
    own.look_again = look_again;
    Parts {
        shared,
        store: store.clone(),
        sources: Vec::new(),
        gateways: vec![sms_way(gateway, Mode::Live, "")],
        duty: (Duty::default(), SELDOM),
        beat: None,
        retention: retention(),
        drain_limit: Duration::from_secs(20),
    }
}

/// A second gateway, which stands in for the first.
pub fn stand_in(parts: &mut Parts<Database, AnySource>, gateway: &Gateway) {
    let mut way = sms_way(gateway, Mode::Live, "");
    way.name = "backup".to_owned();
    parts.gateways.push(way);
    turns::assign(&mut parts.gateways);
}

fn lines(shared: &Arc<Shared>, store: &Database, ways: &[Way]) -> Vec<Dispatch<Database>> {
    let line = |way: &Way| Dispatch::new(Arc::clone(shared), store.clone(), way.clone());
    ways.iter().map(line).collect()
}

fn retention() -> Retention {
    Retention {
        schedule: Schedule::new("30 3 * * *", chrono_tz::Europe::Oslo).unwrap(),
        keep: TimeDelta::days(30),
    }
}

fn offices() -> Directory {
    let directory = include_str!("../../../config/offices.toml");
    directory::parse(directory, Path::new("offices.toml")).unwrap()
}

async fn shared(store: &Database, directory: Directory, dial: &'static Dial) -> Arc<Shared> {
    let rules = Config::load(None).unwrap().rules();
    Arc::new(Shared {
        node: "node-1".to_owned(),
        clock: Clock::showing(dial),
        chance: Chance::system(),
        sources: vec![SourceName("register".to_owned())],
        directory: Arc::new(directory),
        templates: Arc::new(Templates::load(None).unwrap()),
        rules: rules.clone(),
        brake: BrakeLimits {
            max_changes: 10,
            max_share: 0.9,
            min_changes: 10,
            max_changes_per_hour: 30,
            max_share_per_hour: 1.0,
            max_shrink: 0.9,
        },
        retry: RetryPolicy {
            base: Duration::from_secs(5),
            cap: Duration::from_secs(60),
        },
        sweep: SweepLimits {
            batch: 100,
            parked: Duration::from_secs(3600),
            canary_wait: Duration::from_secs(600),
            rung_time: rules.rung_time,
            quiet_reserve: rules.quiet_reserve,
            tried_since: None,
        },
        told_on: ToldOnByChannel {
            sms: ToldOn::Delivered,
            email: ToldOn::Accepted,
        },
        mail_secret: store.secret("mail").await.unwrap(),
        report_secret: store.secret("reports").await.unwrap(),
        metrics: Metrics::default(),
        wakes: Wakes::default(),
        pauses: Pauses::default(),
        sending: Arc::default(),
        pulse: Pulse::default(),
        trust: Trust::default(),
        look_again: Duration::from_secs(1),
    })
}

fn sms_way(gateway: &Gateway, mode: Mode, more: &str) -> Way {
    let sandbox = include_str!("../../../config/gateways/sandbox.toml");
    let profile = Profile::parse("sandbox", &format!("{sandbox}{more}"))
        .unwrap()
        .at_url(&gateway.url())
        .unwrap();
    let secrets = BTreeMap::from([("key".to_owned(), "open sesame".into())]);
    let unknowns = UnknownRule {
        quarantine: Duration::ZERO,
        lookup: profile.lookup_within().unwrap_or_default(),
        dedup: profile.dedup().unwrap_or_default(),
    };
    let sms = Sms::new(profile, secrets, "http://127.0.0.1:1").unwrap();
    Way {
        name: "sms".to_owned(),
        channel: Channel::Sms,
        gate: Arc::new(sms),
        mode,
        connections: 8,
        claim_ahead: 16,
        // Short, so that a test may wait until it is over.
        lease: Duration::from_secs(2),
        longest_send: Duration::from_millis(300),
        report_within: Some(Duration::from_secs(3600)),
        unknowns,
        turn: Turn::First,
        is_backed: false,
        rate: None,
        breaker: BreakerLimits::default(),
    }
}

fn email_way(relay: SocketAddr, mode: Mode) -> Way {
    let smtp = Smtp::new(email::Settings {
        host: relay.ip().to_string(),
        port: relay.port(),
        tls: email::TlsMode::Plain,
        ca_file: None,
        hello_name: "varsel.example".to_owned(),
        login: None,
        envelope_from: "varsel@varsel.example".to_owned(),
        bounces: Some(bounces()),
        connections: 2,
        mails_per_connection: 100,
        idle: Duration::from_secs(30),
        timeouts: email::Timeouts::default(),
    });
    Way {
        name: "mail".to_owned(),
        channel: Channel::Email,
        gate: Arc::new(smtp.unwrap()),
        mode,
        connections: 2,
        claim_ahead: 16,
        lease: Duration::from_secs(60),
        longest_send: Duration::from_secs(20),
        report_within: None,
        unknowns: UnknownRule::default(),
        turn: Turn::First,
        is_backed: false,
        rate: None,
        breaker: BreakerLimits::default(),
    }
}

/// Where mails come back to.
pub fn bounces() -> BounceAddress {
    BounceAddress {
        localpart: "bounce".to_owned(),
        domain: "bounce.varsel.example".to_owned(),
    }
}

fn source(path: &Path) -> Settings {
    let words = [
        ("booked", Meaning::Active),
        ("cancelled", Meaning::Cancelled),
        ("archived", Meaning::Ignore),
    ];
    let words = Words {
        start: StartFormat::Naive,
        naive_zone: None,
        region: "NO".to_owned(),
        status: words
            .into_iter()
            .map(|(word, means)| (word.to_owned(), means))
            .collect(),
        languages: BTreeMap::new(),
        services: BTreeMap::new(),
        offices: BTreeMap::new(),
        most_bookings_per_address: None,
    };
    Settings {
        reads: Reads::Sql(sql::Settings {
            name: SourceName("register".to_owned()),
            place: Place::Sqlite(path.to_owned()),
            query:
                "SELECT id, status, start, office, service, phone, email, language FROM bookings"
                    .to_owned(),
            floor: None,
            listen: None,
            words,
            statement_timeout: STATEMENT_TIMEOUT,
        }),
        every: Duration::from_secs(30),
        waits: Waits::default(),
        tell_own: false,
        wake_secret: None,
    }
}
