//! Easy!Appointments on a real MariaDB, read with the shipped profile: what its own statements do to
//! its tables, and who hears of it. Expected messages all, others none.

use std::collections::BTreeMap;

use sqlx::mysql::MySqlConnection;
use varsel::config::{Config, Layer};
use varsel::store::{Deed, Desk};

use super::brake::{act, only_batch};
use crate::support::mariadb;
use crate::support::world::World;

/// Its tables, as far as the profile and these journeys touch them, written from its documentation.
const TABLES: &str = "
CREATE TABLE ea_users (
  id INT PRIMARY KEY AUTO_INCREMENT, first_name VARCHAR(256), last_name VARCHAR(512), email VARCHAR(512),
  mobile_number VARCHAR(128), phone_number VARCHAR(128), timezone VARCHAR(256) NOT NULL DEFAULT 'UTC',
  language VARCHAR(256) DEFAULT 'english');
CREATE TABLE ea_services (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(256));
CREATE TABLE ea_appointments (
  id INT PRIMARY KEY AUTO_INCREMENT, create_datetime DATETIME, update_datetime DATETIME, hash TEXT,
  start_datetime DATETIME, end_datetime DATETIME, location TEXT, notes TEXT, color VARCHAR(256),
  status VARCHAR(512) NOT NULL DEFAULT '', is_unavailability TINYINT(4) NOT NULL DEFAULT 0,
  id_users_provider INT, id_users_customer INT, id_services INT,
  FOREIGN KEY (id_users_provider) REFERENCES ea_users (id) ON DELETE CASCADE ON UPDATE CASCADE,
  FOREIGN KEY (id_users_customer) REFERENCES ea_users (id) ON DELETE CASCADE ON UPDATE CASCADE,
  FOREIGN KEY (id_services) REFERENCES ea_services (id) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO ea_services VALUES (1, 'Pass'), (2, 'ID-kort');
INSERT INTO ea_users (id, first_name, last_name, timezone) VALUES
  (1, 'Skranke', 'Grønland', 'Europe/Oslo'), (2, 'Skranke', 'Sentrum', 'Europe/Oslo');
";

/// The calendar of an agency, with so many bookings from 24 March 2021 on, one customer each.
struct Calendar {
    world: World,
    writer: MySqlConnection,
    _db: mariadb::Db,
}

impl Calendar {
    async fn with(bookings: u32) -> Self {
        let db = mariadb::database().await;
        let mut writer = db.root().await;
        mariadb::run(&mut writer, TABLES).await;
        for n in 1..=bookings {
            let (customer, hour) = (100 + n, 8 + n % 7);
            let day = 24 + n / 7 % 7;
            let sql = format!(
                "INSERT INTO ea_users (id, first_name, phone_number, email, language)
                   VALUES ({customer}, 'Kari', '407 00 {n:03}', NULL, 'norwegian');
                 INSERT INTO ea_appointments (id, update_datetime, start_datetime, status, id_users_provider,
                   id_users_customer, id_services)
                   VALUES ({n}, NULL, '2021-03-{day} {hour:02}:00:00', 'Booked', 1, {customer}, 1)"
            );
            mariadb::run(&mut writer, &sql).await;
        }
        let mut world = World::with(&[]).await;
        let (user, password) = mariadb::READER;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), password).unwrap();
        let layer = Layer {
            name: "varsel.toml".to_owned(),
            text: format!(
                "[[source]]\nname = \"calendar\"\nprofile = \"easyappointments\"\nurl = \"{}\"\n\
                 password_file = \"password\"\nservices = {{ Pass = \"passport\", ID-kort = \"id_card\" }}\n\
                 offices = {{ 1 = \"gronland\", 2 = \"{}\" }}\n",
                db.url(user),
                world.another_passport_office(),
            ),
        };
        let config = Config::parse(Some(layer), folder.path()).unwrap();
        let settings = config.source_settings().next().unwrap().unwrap();
        world.watch(settings).await;
        Self {
            world,
            writer,
            _db: db,
        }
    }

    async fn run(&mut self, sql: &str) {
        mariadb::run(&mut self.writer, sql).await;
    }

    /// Looks often enough, half a minute apart, for every change to count, and hands everything over.
    async fn a_few_minutes_pass(&mut self) {
        for _ in 0..5 {
            self.world.now += chrono::TimeDelta::seconds(30);
            self.world.look().await;
        }
        self.world.send().await;
    }

    /// The first word of every SMS by the number of the booking whose person got it.
    fn told(&self) -> BTreeMap<u32, Vec<String>> {
        let mut told: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for sms in self.world.sms.taken() {
            let n = sms.to.strip_prefix("+4740700").unwrap().parse().unwrap();
            let word = sms.text.split(':').next().unwrap().to_owned();
            told.entry(n).or_default().push(word);
        }
        told
    }
}

fn words(pairs: &[(u32, &str)]) -> BTreeMap<u32, Vec<String>> {
    pairs
        .iter()
        .map(|(n, word)| (*n, vec![(*word).to_owned()]))
        .collect()
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn an_ordinary_day_tells_everybody_concerned_and_nobody_else() {
    let mut calendar = Calendar::with(20).await;
    // By the person, a member of staff or the API: the row goes.
    calendar
        .run("DELETE FROM ea_appointments WHERE id = 1")
        .await;
    // By a word.
    calendar
        .run("UPDATE ea_appointments SET status = 'Cancelled' WHERE id = 2")
        .await;
    // With the customer, whose number goes too.
    calendar.run("DELETE FROM ea_users WHERE id = 103").await;
    // Moved in place: the time, the office, and twice in a row (told once).
    calendar
        .run("UPDATE ea_appointments SET start_datetime = '2021-03-30 14:00:00' WHERE id = 4")
        .await;
    calendar
        .run("UPDATE ea_appointments SET id_users_provider = 2 WHERE id = 5")
        .await;
    calendar
        .run("UPDATE ea_appointments SET start_datetime = '2021-03-30 12:00:00' WHERE id = 6")
        .await;
    calendar.world.look().await;
    calendar
        .run("UPDATE ea_appointments SET start_datetime = '2021-03-30 13:00:00' WHERE id = 6")
        .await;
    // Stamps of every kind say nothing: far ahead, far behind, none, equal.
    calendar
        .run(
            "UPDATE ea_appointments SET update_datetime = '2099-01-01' WHERE id IN (1, 2, 7);
                  UPDATE ea_appointments SET update_datetime = '1999-01-01' WHERE id = 4;
                  UPDATE ea_appointments SET update_datetime = NULL WHERE id = 5",
        )
        .await;
    // What is no change for the person: a note, a colour, a word that means the same, a draft, an
    // unavailability of staff, a new booking, one dragged away and back again.
    calendar.run("UPDATE ea_appointments SET notes = 'x', color = '#fff', update_datetime = NOW() WHERE id = 8;
                  UPDATE ea_appointments SET status = 'Confirmed' WHERE id = 9;
                  UPDATE ea_appointments SET status = 'Draft' WHERE id = 10;
                  INSERT INTO ea_appointments (id, start_datetime, is_unavailability, id_users_provider)
                    VALUES (90, '2021-03-24 08:00:00', 1, 1);
                  INSERT INTO ea_appointments (id, start_datetime, status, id_users_provider, id_users_customer, id_services)
                    VALUES (91, '2021-04-20 08:00:00', 'Booked', 1, 111, 2);
                  UPDATE ea_appointments SET start_datetime = '2021-03-31 08:00:00' WHERE id = 12").await;
    calendar.world.look().await;
    calendar
        .run("UPDATE ea_appointments SET start_datetime = '2021-03-25 13:00:00' WHERE id = 12")
        .await;
    // A word nobody has mapped keeps the old state and is reported.
    calendar
        .run("UPDATE ea_appointments SET status = 'Slettet' WHERE id = 13")
        .await;
    let step = calendar.world.look().await;
    assert_eq!(step.faults.len(), 1);
    assert!(
        step.faults[0]
            .to_string()
            .starts_with("row 13, column status: \"Slettet\"")
    );
    calendar.a_few_minutes_pass().await;
    let expected = [
        (1, "Avlyst"),
        (2, "Avlyst"),
        (3, "Avlyst"),
        (4, "Flyttet"),
        (5, "Nytt sted"),
        (6, "Flyttet"),
    ];
    assert_eq!(calendar.told(), words(&expected));
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), words(&expected), "and nobody twice");
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn what_commits_late_is_told_when_it_is_there() {
    let mut calendar = Calendar::with(5).await;
    calendar.run("START TRANSACTION;
                  UPDATE ea_appointments SET status = 'Cancelled', update_datetime = NOW() WHERE id = 1;
                  DELETE FROM ea_appointments WHERE id = 2").await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), BTreeMap::new());
    calendar.run("COMMIT").await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), words(&[(1, "Avlyst"), (2, "Avlyst")]));
    let mut rolled_back = Calendar::with(3).await;
    rolled_back
        .run("START TRANSACTION; DELETE FROM ea_appointments")
        .await;
    rolled_back.world.look().await;
    rolled_back.run("ROLLBACK").await;
    rolled_back.a_few_minutes_pass().await;
    assert_eq!(rolled_back.told(), BTreeMap::new());
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn the_nights_on_which_clocks_change_move_nobody() {
    let mut calendar = Calendar::with(4).await;
    // In the hour that spring skips, and in the one that autumn repeats.
    calendar
        .run(
            "UPDATE ea_appointments SET start_datetime = '2021-03-28 02:30:00' WHERE id = 1;
                  UPDATE ea_appointments SET start_datetime = '2021-10-31 02:30:00' WHERE id = 2;
                  UPDATE ea_appointments SET start_datetime = '2021-10-31 10:00:00' WHERE id = 3",
        )
        .await;
    calendar.a_few_minutes_pass().await;
    let moved = words(&[(1, "Flyttet"), (2, "Flyttet"), (3, "Flyttet")]);
    assert_eq!(calendar.told(), moved);
    for instant in ["2021-03-27T23:30:00Z", "2021-03-28T00:59:00Z"] {
        calendar.world.at(instant);
        calendar.a_few_minutes_pass().await;
    }
    for instant in [
        "2021-10-30T23:59:00Z",
        "2021-10-31T00:20:00Z",
        "2021-10-31T01:20:00Z",
    ] {
        calendar.world.at(instant);
        calendar.a_few_minutes_pass().await;
    }
    assert_eq!(
        calendar.told(),
        moved,
        "wall-clock times stand still while the clocks change"
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn an_accidental_wipe_is_held_and_dissolves_when_the_rows_return() {
    let mut calendar = Calendar::with(20).await;
    calendar
        .run("CREATE TABLE backup AS SELECT * FROM ea_appointments; DELETE FROM ea_appointments")
        .await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), BTreeMap::new());
    assert_eq!(calendar.world.tally().await.held, 20);
    calendar
        .run("INSERT INTO ea_appointments SELECT * FROM backup")
        .await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), BTreeMap::new());
    let tally = calendar.world.tally().await;
    assert_eq!((tally.held, tally.waiting), (0, 0));
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_deleted_service_is_a_real_mass_closing_and_told_once_released() {
    let mut calendar = Calendar::with(20).await;
    calendar.run("DELETE FROM ea_services WHERE id = 1").await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), BTreeMap::new());
    let seen = only_batch(&calendar.world).await.seen();
    let release = act(&calendar.world, "one", Deed::Release(seen));
    calendar.world.store.act(&release).await.unwrap();
    calendar.world.tend().await;
    calendar.world.send().await;
    let expected: Vec<_> = (1..=20).map(|n| (n, "Avlyst")).collect();
    assert_eq!(calendar.told(), words(&expected));
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_changed_mapping_holds_what_it_changes() {
    let mut calendar = Calendar::with(5).await;
    // The provider was in another zone than everybody thought: every time is another one now.
    calendar
        .world
        .map_otherwise(|settings| {
            settings.query = settings
                .query
                .replace("p.timezone AS tz", "'Europe/London' AS tz");
        })
        .await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), BTreeMap::new());
    assert_eq!(calendar.world.tally().await.held, 5);
    // What changes from now on is no longer the mapping's doing.
    calendar
        .run("DELETE FROM ea_appointments WHERE id = 1")
        .await;
    calendar.a_few_minutes_pass().await;
    assert_eq!(calendar.told(), words(&[(1, "Avlyst")]));
}
