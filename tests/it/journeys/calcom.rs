//! Cal.com on a real PostgreSQL, read with the shipped profile: moves that are made of two rows, seats,
//! and cancellations that touch what was cancelled before. Expected messages all, others none.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use varsel::config::{Config, Layer};

use crate::support::postgres;
use crate::support::world::World;

/// Its tables, as far as the profile and these journeys touch them, written from its documentation.
const TABLES: &str = r#"
CREATE TYPE "BookingStatus" AS ENUM ('cancelled', 'accepted', 'rejected', 'pending', 'awaiting_host');
CREATE TABLE "Team" (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE "EventType" (id serial PRIMARY KEY, slug text NOT NULL, "teamId" int REFERENCES "Team" (id),
  "seatsPerTimeSlot" int);
CREATE TABLE "Booking" (
  id serial PRIMARY KEY, uid text NOT NULL UNIQUE, "eventTypeId" int REFERENCES "EventType" (id),
  "startTime" timestamp(3) NOT NULL, "endTime" timestamp(3), "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "updatedAt" timestamp(3), status "BookingStatus" NOT NULL DEFAULT 'accepted', rescheduled boolean,
  "fromReschedule" text, "recurringEventId" text, "smsReminderNumber" text, "cancellationReason" text,
  "cancelledBy" text, "rescheduledBy" text);
CREATE TABLE "Attendee" (id serial PRIMARY KEY, email text NOT NULL, name text NOT NULL,
  "timeZone" text NOT NULL DEFAULT 'Europe/Oslo', "phoneNumber" text, locale text DEFAULT 'no',
  "bookingId" int REFERENCES "Booking" (id) ON DELETE CASCADE);
INSERT INTO "Team" VALUES (1, 'Politistasjonen');
INSERT INTO "EventType" VALUES (1, 'pass', 1, NULL), (2, 'pass-gruppe', 1, 5);
"#;

struct Calendar {
    world: World,
    writer: PgConnection,
    _db: postgres::Db,
}

impl Calendar {
    /// Bookings 1 to `bookings`, one attendee each (with the same number), from 24 March 2021 on.
    async fn with(bookings: u32) -> Self {
        let db = postgres::database().await;
        let mut calendar = Self {
            world: World::with(&[]).await,
            writer: db.raw().await,
            _db: db,
        };
        calendar.run(TABLES).await;
        for n in 1..=bookings {
            let day = 24 + n % 7;
            calendar
                .book(n, &format!("2021-03-{day} 09:00"), None, "accepted")
                .await;
            calendar.attend(n, n).await;
        }
        let layer = Layer {
            name: "varsel.toml".to_owned(),
            text: format!(
                "[[source]]\nname = \"calendar\"\nprofile = \"calcom\"\nurl = \"{}\"\n\
                 services = {{ pass = \"passport\", pass-gruppe = \"passport\" }}\n\
                 offices = {{ Politistasjonen = \"gronland\" }}\n",
                calendar._db.url(),
            ),
        };
        let config = Config::parse(Some(layer), std::path::Path::new("")).unwrap();
        let settings = config.source_settings().next().unwrap().unwrap();
        calendar.world.watch(settings).await;
        calendar
    }

    async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.writer).await.unwrap();
    }

    async fn book(&mut self, n: u32, start: &str, from: Option<u32>, status: &str) {
        let from = from.map_or("NULL".to_owned(), |from| format!("'u{from}'"));
        self.run(&format!(
            "INSERT INTO \"Booking\" (id, uid, \"eventTypeId\", \"startTime\", \"fromReschedule\", status)
             VALUES ({n}, 'u{n}', 1, '{start}', {from}, '{status}')"
        ))
        .await;
    }

    /// The person `who` has a place in the booking `n`.
    async fn attend(&mut self, n: u32, who: u32) {
        self.run(&format!(
            "INSERT INTO \"Attendee\" (email, name, \"phoneNumber\", \"bookingId\")
             VALUES ('p{who}@example.com', 'Kari', '+4740700{who:03}', {n})"
        ))
        .await;
    }

    /// The first of the two halves of a move: the old row goes.
    async fn leave(&mut self, n: u32, by: &str) {
        self.run(&format!(
            "UPDATE \"Booking\" SET status = 'cancelled', rescheduled = true, \"rescheduledBy\" = '{by}',
             \"updatedAt\" = '2099-01-01' WHERE id = {n}"
        ))
        .await;
    }

    async fn cancel(&mut self, n: u32, by: &str) {
        self.run(&format!(
            "UPDATE \"Booking\" SET status = 'cancelled', \"cancelledBy\" = '{by}',
             \"cancellationReason\" = 'x' WHERE id = {n}"
        ))
        .await;
    }

    async fn pass(&mut self, looks: u32) {
        for _ in 0..looks {
            self.world.now += chrono::TimeDelta::seconds(30);
            self.world.look().await;
        }
        self.world.send().await;
    }

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

const OFFICE: &str = "clerk@agency.example";

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
    // By the office, and by the person themself, who is not told what they did.
    calendar.cancel(1, OFFICE).await;
    calendar.cancel(2, "p2@example.com").await;
    // Moved by another row in one transaction; the new one carries the reason for the move.
    calendar.run("BEGIN").await;
    calendar.leave(3, OFFICE).await;
    calendar
        .book(103, "2021-04-06 10:00", Some(3), "accepted")
        .await;
    calendar.attend(103, 3).await;
    calendar
        .run("UPDATE \"Booking\" SET \"cancellationReason\" = 'moved' WHERE id = 103; COMMIT")
        .await;
    // Moved twice.
    calendar.leave(4, OFFICE).await;
    calendar
        .book(104, "2021-04-06 11:00", Some(4), "accepted")
        .await;
    calendar.attend(104, 4).await;
    calendar.leave(104, OFFICE).await;
    calendar
        .book(204, "2021-04-07 11:00", Some(104), "accepted")
        .await;
    calendar.attend(204, 4).await;
    // Moved by the person themself: silence. Moved in place: told.
    calendar.leave(5, "p5@example.com").await;
    calendar
        .book(105, "2021-04-08 10:00", Some(5), "accepted")
        .await;
    calendar.attend(105, 5).await;
    calendar
        .run("UPDATE \"Booking\" SET \"startTime\" = '2021-04-09 10:00' WHERE id = 6")
        .await;
    // The attendee's row goes, and the whole booking with its user.
    calendar.run("DELETE FROM \"Attendee\" WHERE email = 'p7@example.com'; DELETE FROM \"Booking\" WHERE id = 8").await;
    // Nothing for the person: stamps, a reminder number, a booking not confirmed, a new one.
    calendar.run("UPDATE \"Booking\" SET \"updatedAt\" = now(), \"smsReminderNumber\" = '+4740700999' WHERE id = 9").await;
    calendar
        .book(110, "2021-04-12 10:00", None, "pending")
        .await;
    calendar.attend(110, 10).await;
    calendar.pass(8).await;
    let expected = [
        (1, "Avlyst"),
        (3, "Flyttet"),
        (4, "Flyttet"),
        (6, "Flyttet"),
        (7, "Avlyst"),
        (8, "Avlyst"),
    ];
    assert_eq!(calendar.told(), words(&expected));
    calendar.pass(4).await;
    assert_eq!(calendar.told(), words(&expected), "and nobody twice");
    // The one who moved it themself is told of the time they chose, when the office cancels that.
    calendar.cancel(105, OFFICE).await;
    calendar.pass(3).await;
    let sms = calendar.world.sms.taken().pop().unwrap();
    assert!(
        sms.to.ends_with("005") && sms.text.contains("8. april"),
        "{}",
        sms.text
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_move_in_two_transactions_is_one_move() {
    let mut calendar = Calendar::with(4).await;
    calendar.leave(1, OFFICE).await;
    calendar.leave(2, OFFICE).await;
    calendar.leave(3, OFFICE).await;
    calendar.pass(3).await;
    assert_eq!(
        calendar.told(),
        BTreeMap::new(),
        "something may take its place yet"
    );
    // One gets its successor, one is put back as it was, and one is left to choose another time.
    calendar
        .book(101, "2021-04-06 10:00", Some(1), "accepted")
        .await;
    calendar.attend(101, 1).await;
    calendar
        .run("UPDATE \"Booking\" SET status = 'accepted', rescheduled = NULL WHERE id = 2")
        .await;
    calendar.pass(5).await;
    assert_eq!(calendar.told(), words(&[(1, "Flyttet"), (3, "Avlyst")]));
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_link_outlives_the_row_that_it_leads_through() {
    let mut calendar = Calendar::with(2).await;
    calendar.leave(1, OFFICE).await;
    calendar
        .book(101, "2021-03-17 09:00", Some(1), "accepted")
        .await;
    calendar.attend(101, 1).await;
    calendar.pass(3).await;
    // The second move comes while the first row is in the future and its successor all but past.
    calendar.leave(101, OFFICE).await;
    calendar
        .book(201, "2021-04-14 09:00", Some(101), "accepted")
        .await;
    calendar.attend(201, 1).await;
    calendar.pass(3).await;
    calendar.world.at("2021-03-31T09:00:00Z");
    calendar.pass(5).await;
    calendar.world.restart().await;
    calendar.pass(5).await;
    let told: Vec<_> = calendar.told().into_iter().collect();
    assert_eq!(
        told,
        [(1, vec!["Flyttet".to_owned(), "Flyttet".to_owned()])]
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn seats_are_told_one_by_one() {
    let mut calendar = Calendar::with(1).await;
    for n in [50, 51, 52] {
        calendar.book(n, "2021-04-01 08:00", None, "accepted").await;
        calendar
            .run(&format!(
                "UPDATE \"Booking\" SET \"eventTypeId\" = 2 WHERE id = {n}"
            ))
            .await;
    }
    for (booking, who) in [(50, 11), (50, 12), (50, 13), (51, 14), (51, 15)] {
        calendar.attend(booking, who).await;
    }
    calendar.pass(2).await;
    // One leaves; one is moved to another slot; the other slot is cancelled, its seats first.
    calendar
        .run("DELETE FROM \"Attendee\" WHERE email = 'p11@example.com'")
        .await;
    calendar
        .run(
            "UPDATE \"Booking\" SET \"startTime\" = '2021-04-02 08:00' WHERE id = 52;
                  UPDATE \"Attendee\" SET \"bookingId\" = 52 WHERE email = 'p12@example.com'",
        )
        .await;
    calendar
        .run("DELETE FROM \"Attendee\" WHERE \"bookingId\" = 51")
        .await;
    calendar.cancel(51, OFFICE).await;
    calendar.pass(6).await;
    assert_eq!(
        calendar.told(),
        words(&[
            (11, "Avlyst"),
            (12, "Flyttet"),
            (14, "Avlyst"),
            (15, "Avlyst")
        ])
    );
}

/// The number of a booking is that of whoever booked: a guest is told at an address of their own.
#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_guest_is_not_told_by_the_bookers_telephone() {
    let mut calendar = Calendar::with(1).await;
    calendar
        .book(50, "2021-04-01 08:00", None, "accepted")
        .await;
    let people = [
        "UPDATE \"Booking\" SET \"smsReminderNumber\" = '+4740700050' WHERE id = 50",
        "INSERT INTO \"Attendee\" (email, name, \"bookingId\") VALUES ('p50@example.com', 'Kari', 50)",
        "INSERT INTO \"Attendee\" (email, name, \"bookingId\") VALUES ('guest@example.com', 'Ola', 50)",
    ];
    for statement in people {
        calendar.run(statement).await;
    }
    calendar.pass(2).await;
    calendar.cancel(50, OFFICE).await;
    calendar.pass(4).await;
    assert_eq!(calendar.told(), words(&[(50, "Avlyst")]));
    let mails = calendar.world.mail.taken();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["guest@example.com"]);
}

/// Some releases do not write down who cancelled.
#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn who_cancelled_is_not_guessed() {
    let mut calendar = Calendar::with(2).await;
    calendar.cancel(1, OFFICE).await;
    calendar
        .run("UPDATE \"Booking\" SET status = 'cancelled' WHERE id = 2")
        .await;
    calendar.pass(4).await;
    let asks = |to: &str| {
        let taken = calendar.world.sms.taken();
        let sms = taken.iter().find(|sms| sms.to == to).unwrap();
        sms.text.contains("Avbestilte du selv?")
    };
    assert!(!asks("+4740700001"));
    assert!(asks("+4740700002"));
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_recurring_cancel_touches_the_cancelled_again_and_tells_nobody_twice() {
    let mut calendar = Calendar::with(4).await;
    calendar
        .run("UPDATE \"Booking\" SET \"recurringEventId\" = 'r' WHERE id IN (1, 2, 3)")
        .await;
    calendar.cancel(1, OFFICE).await;
    calendar.pass(4).await;
    assert_eq!(calendar.told(), words(&[(1, "Avlyst")]));
    calendar.run("UPDATE \"Booking\" SET status = 'cancelled', \"cancellationReason\" = 'y', \"cancelledBy\" = 'c',
                  \"updatedAt\" = now() WHERE \"recurringEventId\" = 'r'").await;
    calendar.pass(4).await;
    assert_eq!(
        calendar.told(),
        words(&[(1, "Avlyst"), (2, "Avlyst"), (3, "Avlyst")])
    );
}
