//! Watching a source: the diff, the brake, and the reference people read to us.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use varsel::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use varsel::domain::brake::release_by;
use varsel::domain::calendar::SendWindow;
use varsel::domain::diff::{ABSENT_BEFORE_GONE, diff, same_again};
use varsel::domain::marks::{Mark, Marks};
use varsel::domain::reference::{NotAReference, Reference};
use varsel::source::Snapshot;

use super::made::booking;

fn row(key: u8, minute: u8) -> Appointment {
    let state = booking(Standing::Active, "2021-03-24T08:00:00Z", "gronland");
    Appointment {
        source: SourceName("s".to_owned()),
        key: BookingKey(key.to_string()),
        state: BookingState {
            start: state.start + chrono::TimeDelta::minutes(minute.into()),
            ..state
        },
        service: "passport".into(),
        recipients: Vec::new(),
        about: varsel::domain::about::About::default(),
    }
}

fn made_mark(row: &Appointment) -> Mark {
    Mark {
        fingerprint: row.fingerprint(),
        absent: 0,
        cancelled: row.state.standing == Standing::Cancelled,
        start: row.state.start,
    }
}

fn known(marks: &BTreeMap<BookingKey, Mark>) -> Marks {
    marks
        .iter()
        .map(|(key, mark)| (key.clone(), *mark))
        .collect()
}

/// What we know (with how often each was missing), what is read, and what cannot be understood.
type Seen = (
    BTreeMap<BookingKey, Mark>,
    Vec<Appointment>,
    BTreeSet<BookingKey>,
);

fn seen() -> impl Strategy<Value = Seen> {
    let known = prop::collection::btree_map(0u8..20, (0u8..2, 0u8..4, any::<bool>()), 0..15);
    let read = prop::collection::btree_map(0u8..25, (0u8..2, any::<bool>()), 0..15);
    (known, read).prop_map(|(known, read)| {
        let mark = |(key, (minute, absent, cancelled)): (u8, (u8, u8, bool))| {
            let row = row(key, minute);
            let mark = Mark {
                fingerprint: row.fingerprint(),
                absent,
                cancelled,
                start: row.state.start,
            };
            (row.key, mark)
        };
        let marks = known.into_iter().map(mark).collect();
        let (clear, unclear): (Vec<_>, Vec<_>) =
            read.into_iter().partition(|(_, (_, clear))| *clear);
        let rows = clear.into_iter().map(|(key, (minute, _))| row(key, minute));
        let unreadable = unclear
            .into_iter()
            .map(|(key, _)| BookingKey(key.to_string()));
        (marks, rows.collect(), unreadable.collect())
    })
}

proptest! {
    #[test]
    fn every_row_and_every_mark_has_one_answer((marks, rows, unreadable) in seen()) {
        let found = diff(&known(&marks), rows.clone(), &unreadable);
        let touched: BTreeSet<_> = found.touched.iter().map(|row| row.key.clone()).collect();
        let back: BTreeSet<_> = found.back.iter().cloned().collect();
        let not_gone: BTreeSet<_> = found.not_gone.iter().cloned().collect();
        let absent: BTreeSet<_> = found.newly_absent.iter().cloned().collect();
        let missing: BTreeSet<_> = found.missing.iter().cloned().collect();
        for row in &rows {
            let known = marks.get(&row.key);
            let same = known.is_some_and(|mark| mark.fingerprint == row.fingerprint());
            prop_assert_eq!(touched.contains(&row.key), !same);
            let returned = same && known.is_some_and(|mark| mark.absent > 0);
            prop_assert_eq!(back.contains(&row.key), returned);
        }
        let present: BTreeSet<_> =
            rows.iter().map(|row| row.key.clone()).chain(unreadable.iter().cloned()).collect();
        for (key, mark) in &marks {
            let gone = !present.contains(key) && !mark.cancelled;
            let often = mark.absent + 1 >= ABSENT_BEFORE_GONE;
            prop_assert_eq!(absent.contains(key), gone && !often);
            prop_assert_eq!(missing.contains(key), gone && often);
        }
        // Nothing is concluded of a row that is there but cannot be understood.
        for key in &unreadable {
            prop_assert!(!touched.contains(key) && !absent.contains(key) && !missing.contains(key));
            let missed = marks.get(key).filter(|mark| mark.absent > 0);
            // Not even that it is gone, if it was taken for that.
            prop_assert_eq!(back.contains(key), missed.is_some_and(|mark| !mark.cancelled));
            prop_assert_eq!(not_gone.contains(key), missed.is_some_and(|mark| mark.cancelled));
        }
        prop_assert!(not_gone.is_subset(&unreadable));
        prop_assert!(absent.is_subset(&marks.keys().cloned().collect()));
    }

    #[test]
    fn a_row_is_missing_only_after_two_snapshots_in_a_row(key in 0u8..5, others in 0u8..4) {
        let row = row(key, 0);
        let mark = |absent| {
            let mark = Mark { absent, ..made_mark(&row) };
            BTreeMap::from([(row.key.clone(), mark)])
        };
        let rows: Vec<_> = (10..10 + others).map(|other| super::watching::row(other, 0)).collect();
        let first = diff(&known(&mark(0)), rows.clone(), &BTreeSet::new());
        prop_assert_eq!(&first.newly_absent, &vec![row.key.clone()]);
        prop_assert_eq!(&first.missing, &Vec::<BookingKey>::new());
        let second = diff(&known(&mark(1)), rows, &BTreeSet::new());
        prop_assert_eq!(&second.missing, &vec![row.key.clone()]);
    }

    /// "Nothing changed" is the same snapshot once more, to the letter.
    #[test]
    fn an_unchanged_source_says_what_the_same_rows_would((marks, _, _) in seen()) {
        // The rows of a source whose absent ones are still absent and whose others are unchanged.
        let mut unchanged = same_again(&known(&marks));
        let read = marks.iter().filter(|(_, mark)| mark.absent == 0);
        let rows: BTreeSet<BookingKey> = read.map(|(key, _)| key.clone()).collect();
        let mut again = diff(&known(&marks), Vec::new(), &rows);
        unchanged.missing.sort();
        again.missing.sort();
        prop_assert_eq!(unchanged, again);
    }

    /// Rows that say what is known may be left out: what differs is the same, whatever was left out.
    #[test]
    fn what_is_left_out_changes_nothing((marks, rows, unreadable) in seen()) {
        let whole = diff(&known(&marks), rows.clone(), &unreadable);
        let mut sifted = known(&marks);
        let snapshot = Snapshot { rows: rows.clone(), ..Snapshot::default() };
        let snapshot = snapshot.sifted(DateTime::<Utc>::MIN_UTC, &mut sifted);
        let left_out = rows.iter().filter(|row| {
            marks.get(&row.key).is_some_and(|mark| mark.fingerprint == row.fingerprint())
        });
        prop_assert_eq!(snapshot.left_out as usize, left_out.count());
        let mut sifted = diff(&sifted, snapshot.rows, &unreadable);
        let mut whole = whole;
        whole.back.sort();
        sifted.back.sort();
        prop_assert_eq!(sifted, whole);
    }

    #[test]
    fn a_reference_is_read_back_however_it_is_typed(entropy in any::<u64>()) {
        let drawn = Reference::draw(entropy);
        prop_assert_eq!(drawn.as_str().len(), 6);
        prop_assert_eq!(drawn.as_str().parse(), Ok(drawn));
        let typed = format!("  {} ", drawn.as_str().to_lowercase());
        prop_assert_eq!(typed.parse(), Ok(drawn));
    }

    #[test]
    fn every_wrong_character_and_every_swap_of_neighbours_is_noticed(entropy in any::<u64>()) {
        let drawn = Reference::draw(entropy);
        let right = drawn.as_str().as_bytes();
        for place in 0..6 {
            for other in b"2346789CFGHJKMPQRTVWX" {
                let mut wrong = right.to_vec();
                wrong[place] = *other;
                let read = std::str::from_utf8(&wrong).unwrap().parse::<Reference>();
                prop_assert_eq!(read == Ok(drawn), wrong == right);
                prop_assert!(wrong == right || read == Err(NotAReference::Check));
            }
        }
        for place in 0..5 {
            let mut wrong = right.to_vec();
            wrong.swap(place, place + 1);
            let read = std::str::from_utf8(&wrong).unwrap().parse::<Reference>();
            prop_assert!(wrong == right || read == Err(NotAReference::Check));
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_without_harm(text in "\\PC{0,12}") {
        if let Ok(read) = text.parse::<Reference>() {
            prop_assert_eq!(read.as_str(), text.trim().to_ascii_uppercase());
        }
    }
}

#[test]
fn what_is_approved_on_monday_is_too_late_for_mondays_appointments() {
    let oslo = chrono_tz::Europe::Oslo;
    let monday = "2021-03-22T07:20:00Z".parse().unwrap();
    let daytime = SendWindow::Daily {
        from: "08:00:00".parse().unwrap(),
        to: "21:00:00".parse().unwrap(),
    };
    let sunday_evening: chrono::DateTime<chrono::Utc> = "2021-03-21T20:00:00Z".parse().unwrap();
    assert_eq!(release_by(monday, daytime, oslo), sunday_evening);
    let midnight: chrono::DateTime<chrono::Utc> = "2021-03-21T23:00:00Z".parse().unwrap();
    assert_eq!(release_by(monday, SendWindow::Always, oslo), midnight);
}
