//! Every way in which bookings change, on each kind of database: the same tables, the same statements, the same people
//! told, and nobody else. What two real systems do with tables of their own is lived in `easyappointments` and `calcom`.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::config::{Config, Layer};
use varsel::store::{Deed, Desk};

use super::brake::{act, only_batch};
use crate::support::world::World;
use crate::support::{mariadb, postgres};

/// A row of `person` is one seat in one slot; who moves gets a new seat that names the old one, or keeps theirs in
/// another slot.
const TABLES: &str = "
CREATE TABLE office (id INTEGER PRIMARY KEY, name VARCHAR(40));
CREATE TABLE slot (
  id INTEGER PRIMARY KEY, office INTEGER NOT NULL, starts WHEN NOT NULL, state VARCHAR(20) NOT NULL,
  moved INTEGER NOT NULL DEFAULT 0, series VARCHAR(10), note VARCHAR(40), stamp WHEN,
  FOREIGN KEY (office) REFERENCES office (id) ON DELETE CASCADE);
CREATE TABLE person (
  id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, replaces INTEGER, phone VARCHAR(20),
  FOREIGN KEY (slot) REFERENCES slot (id) ON DELETE CASCADE);
INSERT INTO office VALUES (1, 'Grl'), (2, 'St');
";

const QUERY: &str = "
SELECT p.id AS id, s.state AS status, s.starts AS start, s.office AS office, 'Pass' AS service, p.phone AS phone,
       p.replaces AS replaces, s.moved AS rescheduled
FROM person p JOIN slot s ON s.id = p.slot
";

enum Writer {
    Lite(SqliteConnection),
    My(MySqlConnection),
    Pg(PgConnection),
}

/// A booking system on one of the engines, and the world that reads it.
struct Town {
    world: World,
    writer: Writer,
    /// What must live as long as it is read.
    _kept: Box<dyn std::any::Any + Send>,
}

impl Town {
    async fn in_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("town.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let writer = Writer::Lite(options.connect().await.unwrap());
        let place = format!("kind = \"sqlite\"\npath = \"{}\"", path.display());
        Self::built(writer, &place, "TEXT", Box::new(folder)).await
    }

    async fn in_mariadb() -> Self {
        let db = mariadb::database().await;
        let (user, password) = mariadb::READER;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), password).unwrap();
        let place = format!(
            "kind = \"mysql\"\nurl = \"{}\"\npassword_file = \"{}\"",
            db.url(user),
            folder.path().join("password").display()
        );
        let writer = Writer::My(db.root().await);
        Self::built(writer, &place, "DATETIME", Box::new((db, folder))).await
    }

    async fn in_postgres() -> Self {
        let db = postgres::database().await;
        let place = format!("kind = \"postgres\"\nurl = \"{}\"", db.url());
        let writer = Writer::Pg(db.raw().await);
        Self::built(writer, &place, "TIMESTAMP", Box::new(db)).await
    }

    /// Twenty people, each in a slot of their own from 24 March 2021 on, and one slot with three seats.
    async fn built(
        writer: Writer,
        place: &str,
        when: &str,
        kept: Box<dyn std::any::Any + Send>,
    ) -> Self {
        let mut town = Self {
            world: World::with(&[]).await,
            writer,
            _kept: kept,
        };
        town.run(&TABLES.replace("WHEN", when)).await;
        for n in 1..=20 {
            let start = format!("2021-03-{} 09:00:00", 24 + n % 7);
            town.book(n, &start).await;
            town.seat(n, n, None).await;
        }
        town.book(50, "2021-04-01 08:00:00").await;
        for n in [51, 52, 53] {
            town.seat(n, 50, None).await;
        }
        let other = town.world.another_passport_office();
        let text = format!(
            "[[source]]\nname = \"town\"\n{place}\nquery = \"\"\"{QUERY}\"\"\"\nfloor = \"start >= :floor\"\n\
             start = \"naive\"\nregion = \"NO\"\nsettle = \"30s\"\ngrace = \"2min\"\n\
             [source.status]\nactive = [\"booked\"]\ncancelled = [\"cancelled\"]\n\
             [source.services]\nPass = \"passport\"\n[source.offices]\n1 = \"gronland\"\n2 = \"{other}\"\n"
        );
        let name = "varsel.toml".to_owned();
        let config = Config::parse(Some(Layer { name, text }), std::path::Path::new("")).unwrap();
        let settings = config.source_settings().next().unwrap().unwrap();
        town.world.watch(settings).await;
        town
    }

    async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &mut self.writer {
            Writer::Lite(writer) => drop(sql.execute(writer).await.unwrap()),
            Writer::My(writer) => drop(sql.execute(writer).await.unwrap()),
            Writer::Pg(writer) => drop(sql.execute(writer).await.unwrap()),
        }
    }

    async fn book(&mut self, slot: u32, starts: &str) {
        let sql = "INSERT INTO slot (id, office, starts, state) VALUES";
        self.run(&format!("{sql} ({slot}, 1, '{starts}', 'booked')"))
            .await;
    }

    /// The person whose number ends with `n % 100` sits there.
    async fn seat(&mut self, n: u32, slot: u32, replaces: Option<u32>) {
        let replaces = replaces.map_or("NULL".to_owned(), |old| old.to_string());
        let phone = n % 100;
        self.run(&format!(
            "INSERT INTO person VALUES ({n}, {slot}, {replaces}, '407 00 {phone:03}')"
        ))
        .await;
    }

    /// The first half of a move: the old slot goes.
    async fn leave(&mut self, slot: u32) {
        self.run(&format!(
            "UPDATE slot SET state = 'cancelled', moved = 1 WHERE id = {slot}"
        ))
        .await;
    }

    /// The second half: another one takes its place.
    async fn arrive(&mut self, n: u32, starts: &str, replaces: u32) {
        self.book(n, starts).await;
        self.seat(n, n, Some(replaces)).await;
    }

    /// So many looks, half a minute apart; then everything is handed over.
    async fn pass(&mut self, looks: u32) {
        for _ in 0..looks {
            self.world.now += chrono::TimeDelta::seconds(30);
            self.world.look().await;
        }
        self.world.send().await;
    }

    /// The first words of every SMS, by person.
    fn told(&self) -> BTreeMap<u32, Vec<String>> {
        let mut told: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for sms in self.world.sms.taken() {
            let n = sms.to.strip_prefix("+4740700").unwrap().parse().unwrap();
            let word = sms.text.split(':').next().unwrap().to_owned();
            told.entry(n).or_default().push(word);
        }
        told
    }

    /// Exactly these were told, and a few looks later still nobody else.
    async fn told_only(&mut self, pairs: &[(u32, &str)]) {
        let expected = words(pairs);
        assert_eq!(self.told(), expected);
        self.pass(5).await;
        assert_eq!(self.told(), expected, "and nobody twice");
    }
}

fn words(pairs: &[(u32, &str)]) -> BTreeMap<u32, Vec<String>> {
    let word = |(n, word): &(u32, &str)| (*n, vec![(*word).to_owned()]);
    pairs.iter().map(word).collect()
}

macro_rules! on_each_engine {
    ($($journey:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $journey() {
                super::$journey(super::Town::in_sqlite().await).await;
            })*
        }

        mod on_mariadb {
            $(#[tokio::test]
            #[ignore = "needs tests/servers/fetch"]
            async fn $journey() {
                super::$journey(super::Town::in_mariadb().await).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            #[ignore = "needs tests/servers/fetch"]
            async fn $journey() {
                super::$journey(super::Town::in_postgres().await).await;
            })*
        }
    };
}

on_each_engine! {
    cancelled_by_deletion_cascade_word_and_series,
    moved_in_place_by_a_successor_and_in_two_steps,
    seats_are_told_one_by_one,
    what_commits_late_is_told_when_it_is_there,
    stamps_say_nothing,
    the_nights_on_which_clocks_change_move_nobody,
    an_accidental_wipe_is_held_and_dissolves,
    a_real_mass_closing_is_told_once_released,
}

async fn cancelled_by_deletion_cascade_word_and_series(mut town: Town) {
    town.run("UPDATE slot SET series = 'r' WHERE id IN (5, 6, 7)")
        .await;
    town.run("DELETE FROM person WHERE id = 1").await;
    town.run("DELETE FROM slot WHERE id = 2").await;
    town.run("UPDATE slot SET state = 'cancelled' WHERE id IN (3, 5)")
        .await;
    town.pass(5).await;
    let before = [(1, "Avlyst"), (2, "Avlyst"), (3, "Avlyst"), (5, "Avlyst")];
    town.told_only(&before).await;
    // The rest of the series: the one that was cancelled before is touched again.
    town.run("UPDATE slot SET state = 'cancelled', note = 'the series' WHERE series = 'r'")
        .await;
    town.pass(5).await;
    town.told_only(&[&before[..], &[(6, "Avlyst"), (7, "Avlyst")]].concat())
        .await;
}

async fn moved_in_place_by_a_successor_and_in_two_steps(mut town: Town) {
    town.run("UPDATE slot SET starts = '2021-04-06 14:00:00' WHERE id = 1")
        .await;
    town.run("UPDATE slot SET office = 2 WHERE id = 2").await;
    town.leave(3).await;
    town.arrive(103, "2021-04-06 10:00:00", 3).await;
    // A chain of two, and one that ends where it began.
    for (slot, starts) in [(4, "2021-04-07 10:00:00"), (104, "2021-04-08 10:00:00")] {
        town.leave(slot).await;
        town.arrive(slot + 100, starts, slot).await;
    }
    town.leave(8).await;
    town.arrive(108, "2021-03-25 09:00:00", 8).await;
    // In two steps: what takes its place comes later, or never, or the old one is put back.
    for slot in [5, 6, 7] {
        town.leave(slot).await;
    }
    town.pass(2).await;
    town.arrive(105, "2021-04-09 10:00:00", 5).await;
    town.run("UPDATE slot SET state = 'booked', moved = 0 WHERE id = 6")
        .await;
    town.pass(6).await;
    town.told_only(&[
        (1, "Flyttet"),
        (2, "Nytt sted"),
        (3, "Flyttet"),
        (4, "Flyttet"),
        (5, "Flyttet"),
        (7, "Avlyst"),
    ])
    .await;
}

async fn seats_are_told_one_by_one(mut town: Town) {
    town.book(60, "2021-04-02 08:00:00").await;
    // One leaves, and one is moved to another slot; the third stays.
    town.run("DELETE FROM person WHERE id = 51").await;
    town.run("UPDATE person SET slot = 60 WHERE id = 52").await;
    town.pass(5).await;
    town.told_only(&[(51, "Avlyst"), (52, "Flyttet")]).await;
    // The slot is cancelled, its seats first.
    town.run(
        "DELETE FROM person WHERE slot = 50; UPDATE slot SET state = 'cancelled' WHERE id = 50",
    )
    .await;
    town.pass(5).await;
    town.told_only(&[(51, "Avlyst"), (52, "Flyttet"), (53, "Avlyst")])
        .await;
}

async fn what_commits_late_is_told_when_it_is_there(mut town: Town) {
    town.run("BEGIN").await;
    town.run("UPDATE slot SET state = 'cancelled', stamp = '2021-03-01 00:00:00' WHERE id = 1")
        .await;
    town.run("DELETE FROM person WHERE id = 2").await;
    town.pass(5).await;
    assert_eq!(
        town.told(),
        BTreeMap::new(),
        "nobody knows whether it will be so"
    );
    town.run("COMMIT").await;
    town.pass(5).await;
    town.told_only(&[(1, "Avlyst"), (2, "Avlyst")]).await;
    town.run("BEGIN").await;
    town.run("DELETE FROM person").await;
    town.pass(3).await;
    town.run("ROLLBACK").await;
    town.pass(3).await;
    town.told_only(&[(1, "Avlyst"), (2, "Avlyst")]).await;
}

async fn stamps_say_nothing(mut town: Town) {
    let stamp =
        |value: &str, ids: &str| format!("UPDATE slot SET stamp = {value} WHERE id IN ({ids})");
    // What changes is stamped as equal, as ages ago, as in the future, and not at all.
    town.run("UPDATE slot SET state = 'cancelled' WHERE id IN (1, 2, 3, 4)")
        .await;
    town.run(&stamp("'2021-03-16 13:00:00'", "1, 5, 6")).await;
    town.run(&stamp("'1999-01-01 00:00:00'", "2")).await;
    town.run(&stamp("'2099-01-01 00:00:00'", "3, 7")).await;
    town.run(&stamp("NULL", "4, 8")).await;
    town.pass(5).await;
    // After a stamp in the future, what follows is seen as well as before it.
    town.run("UPDATE slot SET state = 'cancelled' WHERE id = 9")
        .await;
    town.run(&stamp("'2021-03-16 13:00:00'", "9")).await;
    town.pass(5).await;
    let cancelled = [1, 2, 3, 4, 9].map(|n| (n, "Avlyst"));
    town.told_only(&cancelled).await;
}

async fn the_nights_on_which_clocks_change_move_nobody(mut town: Town) {
    // In the hour that spring skips, in the one that autumn repeats, and on the day after it.
    for (slot, starts) in [
        (1, "2021-03-28 02:30:00"),
        (2, "2021-10-31 02:30:00"),
        (3, "2021-10-31 10:00:00"),
    ] {
        town.run(&format!(
            "UPDATE slot SET starts = '{starts}' WHERE id = {slot}"
        ))
        .await;
    }
    town.pass(5).await;
    let moved = [(1, "Flyttet"), (2, "Flyttet"), (3, "Flyttet")];
    town.told_only(&moved).await;
    for instant in [
        "2021-03-27T23:30:00Z",
        "2021-03-28T00:59:00Z",
        "2021-10-30T23:59:00Z",
        "2021-10-31T00:20:00Z",
        "2021-10-31T01:20:00Z",
    ] {
        town.world.at(instant);
        town.pass(5).await;
    }
    assert_eq!(
        town.told(),
        words(&moved),
        "times on the wall stand still while the clocks change"
    );
}

async fn an_accidental_wipe_is_held_and_dissolves(mut town: Town) {
    town.run("CREATE TABLE kept AS SELECT * FROM person").await;
    town.run("DELETE FROM person").await;
    town.pass(5).await;
    assert_eq!(town.told(), BTreeMap::new());
    assert_eq!(town.world.tally().await.held, 23);
    town.run("INSERT INTO person SELECT * FROM kept").await;
    town.pass(5).await;
    assert_eq!(town.told(), BTreeMap::new());
    let tally = town.world.tally().await;
    assert_eq!((tally.held, tally.waiting), (0, 0));
    town.world.tend().await;
    assert!(town.world.store.batches().await.unwrap().is_empty());
}

async fn a_real_mass_closing_is_told_once_released(mut town: Town) {
    town.run("UPDATE slot SET office = 2 WHERE id IN (19, 20, 50)")
        .await;
    town.pass(5).await;
    let moved: Vec<_> = [19, 20, 51, 52, 53].map(|n| (n, "Nytt sted")).into();
    assert_eq!(town.told(), words(&moved));
    // The office goes, and with it every slot and every seat.
    town.run("DELETE FROM office WHERE id = 1").await;
    town.pass(5).await;
    assert_eq!(
        town.told(),
        words(&moved),
        "too many to be believed at once"
    );
    let seen = only_batch(&town.world).await.seen();
    let release = act(&town.world, "one", Deed::Release(seen));
    town.world.store.act(&release).await.unwrap();
    town.world.tend().await;
    town.world.send().await;
    let closed: Vec<_> = (1..=18).map(|n| (n, "Avlyst")).collect();
    town.told_only(&[closed, moved].concat()).await;
}
