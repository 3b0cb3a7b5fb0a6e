//! Where the booking system sent an invitation and says what it is known by, the mail moves or cancels
//! the entry in the person's calendar. Every part is read back by another parser.

use crate::support::ics::{self, Ics};
use crate::support::world::{Booking, World, residence};

const INVITED: &str = "id || '@booking.example' AS calendar_uid, \
                       'MAILTO:Time@agency.example' AS calendar_organizer";

/// A world whose source says this of its one booking too.
async fn saying(columns: &str) -> World {
    let booking = Booking {
        language: "nb",
        ..residence("b1")
    };
    let other = residence("other");
    let mut world = World::with(&[booking, other]).await;
    let query = format!("SELECT *, {columns} FROM bookings");
    world.map_otherwise(|settings| settings.query = query).await;
    world.look().await;
    world
}

async fn told(world: &mut World) {
    world.look().await;
    world.send().await;
}

async fn cancelled(columns: &str) -> World {
    let mut world = saying(columns).await;
    world.set("b1", "status", "cancelled").await;
    told(&mut world).await;
    world
}

fn parts(world: &World) -> Vec<Option<Ics>> {
    let mails = world.mail.taken();
    mails.iter().map(|mail| ics::of_mail(&mail.raw)).collect()
}

#[tokio::test]
async fn the_entry_in_the_calendar_is_cancelled_set_again_and_moved() {
    let mut world = cancelled(INVITED).await;
    world.set("b1", "status", "booked").await;
    told(&mut world).await;
    world.set("b1", "start", "2021-03-29 11:00").await;
    told(&mut world).await;

    let mails = parts(&world);
    let said: Vec<String> = mails
        .iter()
        .map(|part| {
            let Ics {
                method_of_type,
                calendar,
                event,
                ..
            } = part.as_ref().unwrap();
            assert_eq!(calendar["METHOD"], *method_of_type);
            assert_eq!(event["UID"], "b1@booking.example");
            assert_eq!(event["ORGANIZER"], "mailto:Time@agency.example");
            assert_eq!(event["ATTENDEE"], "mailto:kari@example.org");
            let words = ["SEQUENCE", "STATUS", "DTSTART"].map(|name| event[name].as_str());
            format!("{method_of_type} {}", words.join(" "))
        })
        .collect();
    assert_eq!(
        said,
        [
            "CANCEL 1 CANCELLED 2021-03-24T08:20:00Z",
            "REQUEST 2 CONFIRMED 2021-03-24T08:20:00Z",
            // After the night of the clocks it is summer in Oslo.
            "REQUEST 3 CONFIRMED 2021-03-29T09:00:00Z",
        ]
    );
    let shown: Vec<&str> = mails
        .iter()
        .flatten()
        .map(|part| part.text.as_str())
        .collect();
    insta::assert_snapshot!(shown.join("\n").replace("\r\n", "\n"));
}

/// Our copy knows the invitation when the row is gone, or blank.
#[tokio::test]
async fn what_the_cancellation_erased_is_cancelled_all_the_same() {
    for deleted in [true, false] {
        let mut world = saying(
            "iif(status = 'cancelled', NULL, id || '@booking.example') AS calendar_uid, \
             iif(status = 'cancelled', NULL, 'time@agency.example') AS calendar_organizer",
        )
        .await;
        match deleted {
            true => world.delete("b1").await,
            false => world.set("b1", "status", "cancelled").await,
        }
        for _ in 0..2 {
            told(&mut world).await;
        }
        let part = parts(&world).remove(0).unwrap();
        assert_eq!(
            part.event["UID"], "b1@booking.example",
            "deleted: {deleted}"
        );
    }
}

#[tokio::test]
async fn nobody_gets_a_calendar_part_where_either_is_missing_or_wrong() {
    for columns in [
        "NULL AS calendar_uid, 'time@agency.example' AS calendar_organizer",
        "'uid-1' AS calendar_uid, '' AS calendar_organizer",
        "'uid 1' AS calendar_uid, 'time@agency.example' AS calendar_organizer",
        "'uid-1' AS calendar_uid, 'the office' AS calendar_organizer",
    ] {
        let world = cancelled(columns).await;
        let [None] = parts(&world).as_slice() else {
            panic!("one mail, without a calendar part: {columns}")
        };
    }
}

/// The booking system invited the person of the row: a mail to anybody else names no entry of theirs.
#[tokio::test]
async fn only_who_was_invited_gets_a_calendar_part() {
    let columns = format!("{INVITED}, 'tolk@example.net' AS interpreter_email");
    let world = cancelled(&columns).await;
    let of = |to: &str| {
        let mails = world.mail.taken();
        let mail = mails.iter().find(|mail| mail.to == to).unwrap();
        ics::of_mail(&mail.raw)
    };
    assert!(of("kari@example.org").is_some());
    assert!(of("tolk@example.net").is_none());
}
