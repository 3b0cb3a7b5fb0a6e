//! Rows that only say what is known are left out while they are read. Whatever happens in a booking
//! system, and whatever of it was recorded: what is new, missing, back and not understood is the same as
//! where every row is handed on.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use varsel::domain::appointment::{BookingKey, Fingerprint, Standing};
use varsel::domain::contact::Unusable;
use varsel::domain::diff::{ABSENT_BEFORE_GONE, Diff, diff};
use varsel::domain::links::Rows;
use varsel::domain::marks::{Mark, Marks};
use varsel::source::sql::{Settings, SqlSource};
use varsel::source::{Look, Snapshot, Source};

use super::register::{QUERY, Register, floor, key, open};
use crate::support::campaign::rounds;

/// More bookings than this make an address nobody's own.
const MOST: u32 = 2;

/// What somebody does in the booking system.
#[derive(Clone, Debug)]
enum Deed {
    Book(u8, u8),
    Delete(u8),
    Say(u8, &'static str),
    Call(u8, u8),
    Move(u8, u8),
    Speak(u8, &'static str),
    Replace(u8, Option<u8>),
}

/// What is done before a look, and which of the differences it finds are recorded.
type Step = (Vec<Deed>, u8);

fn deed() -> impl Strategy<Value = Deed> {
    let id = || 0u8..8;
    let word = prop::sample::select(vec!["Booked", "Cancelled", "Draft", "strange"]);
    let language = prop::sample::select(vec!["norwegian", "english", "strange"]);
    prop_oneof![
        4 => (id(), 0u8..4).prop_map(|(id, phone)| Deed::Book(id, phone)),
        1 => id().prop_map(Deed::Delete),
        2 => (id(), word).prop_map(|(id, word)| Deed::Say(id, word)),
        2 => (id(), 0u8..4).prop_map(|(id, phone)| Deed::Call(id, phone)),
        // Day 1 is past.
        2 => (id(), 1u8..5).prop_map(|(id, day)| Deed::Move(id, day)),
        1 => (id(), language).prop_map(|(id, word)| Deed::Speak(id, word)),
        1 => (id(), prop::option::of(id())).prop_map(|(id, old)| Deed::Replace(id, old)),
    ]
}

impl Deed {
    fn sql(&self) -> String {
        let set = |column: &str, value: String, id: &u8| {
            format!("UPDATE booking SET {column} = '{value}' WHERE id = {id}")
        };
        let day = |day: &u8| {
            if *day == 1 {
                "2021-03-01".to_owned()
            } else {
                format!("2021-04-0{day}")
            }
        };
        match self {
            Self::Book(id, phone) => format!(
                "INSERT OR IGNORE INTO booking VALUES ({id}, 'Booked', '2021-03-24 09:20:00', \
                 'Grønland', 'Pass', '40 00 00 0{phone}', NULL, 'norwegian', NULL, NULL)"
            ),
            Self::Delete(id) => format!("DELETE FROM booking WHERE id = {id}"),
            Self::Say(id, word) => set("state", (*word).to_owned(), id),
            Self::Call(id, phone) => set("phone", format!("40 00 00 0{phone}"), id),
            Self::Move(id, to) => set("at", format!("{} 10:00:00", day(to)), id),
            Self::Speak(id, word) => set("lang", (*word).to_owned(), id),
            Self::Replace(id, Some(old)) => set("old", old.to_string(), id),
            Self::Replace(id, None) => format!("UPDATE booking SET old = NULL WHERE id = {id}"),
        }
    }
}

fn settings(register: &Register) -> Settings {
    let mut settings = register.settings_with(|words| words.most_bookings_per_address = Some(MOST));
    settings.query = QUERY.replace(" FROM", ", old AS replaces FROM");
    settings
}

/// What a look comes to, in the order of keys.
fn found(snapshot: Snapshot, known: &Marks) -> (Diff, BTreeSet<BookingKey>, BTreeSet<String>) {
    let faults = snapshot.faults.iter().map(ToString::to_string).collect();
    let unreadable = snapshot.unreadable.clone();
    let mut rows = Rows {
        rows: snapshot.rows,
        unreadable: snapshot.unreadable,
        linked: snapshot.linked,
        ..Rows::default()
    };
    let folded = rows.fold(|key| known.contains(key), |key| known.stands_left_out(key));
    let mut diff = diff(known, folded.rows, &folded.unreadable);
    diff.touched.sort_by(|one, other| one.key.cmp(&other.key));
    diff.back.sort();
    (diff, unreadable, faults)
}

/// What is known, as the ledger keeps it and as intake does.
struct Known {
    ledger: BTreeMap<BookingKey, Mark>,
    kept: Marks,
}

impl Known {
    fn set(&mut self, key: &BookingKey, mark: Mark) {
        self.ledger.insert(key.clone(), mark);
        self.kept.set(key, &mark);
    }

    /// Records of the differences those that `chosen` says; the others are to be found again.
    fn record(&mut self, diff: &Diff, chosen: u8) {
        let is_chosen = |number: usize| chosen & (1 << (number % 8)) != 0;
        for (number, row) in diff.touched.iter().enumerate() {
            let mark = Mark {
                fingerprint: row.fingerprint(),
                absent: 0,
                cancelled: row.state.standing == Standing::Cancelled,
                start: row.state.start,
            };
            if is_chosen(number) {
                self.set(&row.key, mark);
            }
        }
        for key in &diff.newly_absent {
            self.ledger.get_mut(key).unwrap().absent += 1;
            self.kept.missed(key);
        }
        for key in &diff.back {
            self.ledger.get_mut(key).unwrap().absent = 0;
            self.kept.found(key);
        }
        // As intake does where nobody may have been told.
        for key in &diff.not_gone {
            let mark = Mark {
                absent: 0,
                cancelled: false,
                ..self.ledger[key]
            };
            self.set(key, mark);
        }
        for (number, key) in diff.missing.iter().enumerate() {
            let mark = Mark {
                fingerprint: Fingerprint(number as u128),
                absent: ABSENT_BEFORE_GONE,
                cancelled: true,
                ..self.ledger[key]
            };
            if is_chosen(number) {
                self.set(key, mark);
            }
        }
    }
}

async fn snapshot(source: &mut SqlSource, known: &mut Marks) -> Snapshot {
    source.forget();
    match source.sift(floor(), known).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("it was told to forget"),
    }
}

async fn live(steps: &[Step]) {
    let mut register = Register::with(&["ALTER TABLE booking ADD COLUMN old INTEGER"]).await;
    let mut source = open(settings(&register)).await.unwrap();
    let mut known = Known {
        ledger: BTreeMap::new(),
        kept: Marks::default(),
    };
    for (deeds, recorded) in steps {
        for deed in deeds {
            register.run(&deed.sql()).await;
        }
        known.ledger.retain(|_, mark| mark.start >= floor());
        let ledger: Marks = known.ledger.clone().into_iter().collect();
        let whole = snapshot(&mut source, &mut Marks::default()).await;
        let sifted = snapshot(&mut source, &mut known.kept).await;
        assert_eq!(
            sifted.rows.len() + sifted.left_out as usize,
            whole.rows.len(),
            "each row is handed on or left out"
        );
        let whole = found(whole, &ledger);
        assert_eq!(found(sifted, &known.kept), whole);
        assert_eq!(format!("{:?}", known.kept), format!("{ledger:?}"));
        known.record(&whole.0, *recorded);
    }
}

#[test]
fn what_is_left_out_while_reading_changes_nothing() {
    let cases = rounds(60, 3_000);
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    // Mostly everything is recorded, as it is where nothing has to settle.
    let recorded = prop_oneof![3 => Just(0xff_u8), 1 => any::<u8>()];
    let step = (prop::collection::vec(deed(), 0..4), recorded);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = prop::collection::vec(step, 1..14);
    runner
        .run(&steps, |steps| {
            runtime.block_on(live(&steps));
            Ok(())
        })
        .unwrap();
}

/// A row that is left out is handed on again when its address has come to stand on too many bookings,
/// though nothing in the row itself has changed.
#[tokio::test]
async fn an_address_that_becomes_a_crowds_brings_its_rows_back() {
    let mut register = Register::with(&["ALTER TABLE booking ADD COLUMN old INTEGER"]).await;
    for deed in [Deed::Book(1, 1), Deed::Book(2, 1), Deed::Book(3, 2)] {
        register.run(&deed.sql()).await;
    }
    let mut source = open(settings(&register)).await.unwrap();
    let mut known = Known {
        ledger: BTreeMap::new(),
        kept: Marks::default(),
    };
    let first = snapshot(&mut source, &mut known.kept).await;
    known.record(&found(first, &known.kept).0, 0xff);
    // The first look at what is known understands the rows, the second one knows them by their letters.
    for _ in 0..2 {
        let calm = snapshot(&mut source, &mut known.kept).await;
        assert_eq!((calm.rows.len(), calm.left_out), (0, 3));
    }
    register.run(&Deed::Book(4, 1).sql()).await;
    let crowded = snapshot(&mut source, &mut known.kept).await;
    let keys: Vec<_> = crowded.rows.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys, ["1", "2", "4"].map(key));
    let mut people = crowded.rows.iter().flat_map(|row| &row.recipients);
    assert!(people.all(|person| person.contact.phone == Err(Unusable::Shared)));
    assert_eq!(crowded.left_out, 1);
}
