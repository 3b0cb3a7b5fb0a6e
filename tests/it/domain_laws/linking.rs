//! Bookings that stand in for others, and changes that have to settle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use varsel::domain::appointment::{Appointment, BookingKey, SourceName, Standing};
use varsel::domain::diff::{Diff, diff};
use varsel::domain::links::{Folded, Linked, Rows, Who};
use varsel::domain::marks::{Mark, Marks};
use varsel::domain::settle::{Settling, Waits};
use varsel::source::Snapshot;

use super::made::{booking, now};

fn key(text: &str) -> BookingKey {
    BookingKey(text.to_owned())
}

fn row(text: &str, standing: Standing, day: u32) -> Appointment {
    Appointment {
        source: SourceName("s".to_owned()),
        key: key(text),
        state: booking(standing, &format!("2021-04-{day:02}T08:00:00Z"), "gronland"),
        service: "passport".into(),
        recipients: Vec::new(),
        about: varsel::domain::about::About::default(),
    }
}

fn stands(text: &str, day: u32) -> Appointment {
    row(text, Standing::Active, day)
}

fn cancelled(text: &str, day: u32) -> Appointment {
    row(text, Standing::Cancelled, day)
}

fn replaces(old: &str) -> Linked {
    Linked {
        replaces: Some(key(old)),
        ..Linked::default()
    }
}

fn rescheduled(old: Option<&str>) -> Linked {
    Linked {
        replaces: old.map(key),
        rescheduled: true,
        who: Who::Unknown,
    }
}

fn rows(rows: Vec<Appointment>, linked: &[(&str, Linked)]) -> Rows {
    Rows {
        rows,
        linked: linked.iter().map(|(k, l)| (key(k), l.clone())).collect(),
        ..Rows::default()
    }
}

fn fold(rows: &mut Rows, known: &[&str]) -> Folded {
    rows.fold(|key| known.contains(&key.0.as_str()), |_| false)
}

/// Each appointment's key with the day it is on, or `x` where it is cancelled.
fn told(folded: &Folded) -> BTreeMap<String, String> {
    let day = |row: &Appointment| match row.state.standing {
        Standing::Active => row.state.start.format("%-d").to_string(),
        Standing::Cancelled => "x".to_owned(),
    };
    folded
        .rows
        .iter()
        .map(|row| (row.key.0.clone(), day(row)))
        .collect()
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[test]
fn rows_that_say_nothing_stay_as_they_are() {
    let mut read = rows(vec![stands("a", 1), cancelled("b", 2)], &[]);
    assert_eq!(
        told(&fold(&mut read, &["a"])),
        expected(&[("a", "1"), ("b", "x")])
    );
}

#[test]
fn a_successor_is_the_same_appointment_at_another_time() {
    let read = || {
        rows(
            vec![cancelled("a", 1), stands("b", 5), stands("other", 9)],
            &[("a", rescheduled(None)), ("b", replaces("a"))],
        )
    };
    let folded = fold(&mut read(), &["a", "other"]);
    assert_eq!(told(&folded), expected(&[("a", "5"), ("other", "9")]));
    assert!(folded.awaiting.is_empty());
    // Whether it is known yet or not, and whether the old row is still there or not.
    assert_eq!(
        told(&fold(&mut read(), &[])),
        expected(&[("a", "5"), ("other", "9")])
    );
    let mut alone = rows(vec![stands("b", 5)], &[("b", replaces("a"))]);
    assert_eq!(told(&fold(&mut alone, &["a"])), expected(&[("a", "5")]));
    // Nothing is known of the old one: it is a booking like any other.
    assert_eq!(
        told(&fold(
            &mut rows(vec![stands("b", 5)], &[("b", replaces("a"))]),
            &[]
        )),
        expected(&[("b", "5")])
    );
}

#[test]
fn a_chain_is_one_appointment_however_long() {
    let mut read = rows(
        vec![cancelled("a", 1), cancelled("b", 2), stands("c", 3)],
        &[
            ("a", rescheduled(None)),
            ("b", rescheduled(Some("a"))),
            ("c", replaces("b")),
        ],
    );
    assert_eq!(told(&fold(&mut read, &["a"])), expected(&[("a", "3")]));
    let mut ended = rows(
        vec![cancelled("a", 1), cancelled("b", 2)],
        &[("a", rescheduled(None)), ("b", replaces("a"))],
    );
    let folded = fold(&mut ended, &["a"]);
    assert_eq!(told(&folded), expected(&[("a", "x")]));
    assert!(
        folded.awaiting.is_empty(),
        "the successor itself was cancelled for good"
    );
}

#[test]
fn a_link_that_has_passed_is_looked_up_once() {
    let mut read = rows(vec![stands("c", 3)], &[("c", replaces("b"))]);
    let known = |key: &BookingKey| key.0 == "a";
    assert_eq!(read.unexplained(known), BTreeSet::from([key("b")]));
    read.earlier.insert(key("b"), Some(key("a")));
    assert_eq!(read.unexplained(known), BTreeSet::new());
    assert_eq!(told(&read.fold(known, |_| false)), expected(&[("a", "3")]));
    // What is known under its own key needs no explanation.
    let read = rows(vec![stands("c", 3)], &[("c", replaces("b"))]);
    assert_eq!(read.unexplained(|key| key.0 == "c"), BTreeSet::new());
}

#[test]
fn a_booking_known_under_its_own_key_keeps_it() {
    let mut read = rows(
        vec![cancelled("a", 1), stands("b", 5)],
        &[("b", replaces("a"))],
    );
    assert_eq!(
        told(&fold(&mut read, &["a", "b"])),
        expected(&[("a", "x"), ("b", "5")])
    );
}

#[test]
fn of_two_successors_the_one_that_stands_is_the_appointment() {
    let links = [("b", replaces("a")), ("c", replaces("a"))];
    let mut read = rows(
        vec![cancelled("a", 1), cancelled("b", 2), stands("c", 3)],
        &links,
    );
    assert_eq!(
        told(&fold(&mut read, &["a"])),
        expected(&[("a", "3"), ("b", "x")])
    );
    let mut both = rows(
        vec![cancelled("a", 1), stands("b", 2), stands("c", 3)],
        &links,
    );
    assert_eq!(
        told(&fold(&mut both, &["a"])),
        expected(&[("a", "2"), ("c", "3")])
    );
}

#[test]
fn what_waits_for_a_successor_says_so() {
    let mut read = rows(vec![cancelled("a", 1)], &[("a", rescheduled(None))]);
    assert_eq!(fold(&mut read, &["a"]).awaiting, BTreeSet::from([key("a")]));
}

#[test]
fn a_successor_that_is_not_understood_keeps_the_whole_appointment() {
    let mut read = rows(
        vec![cancelled("a", 1)],
        &[("a", rescheduled(None)), ("b", replaces("a"))],
    );
    read.unreadable.insert(key("b"));
    let folded = fold(&mut read, &["a"]);
    assert_eq!(folded.rows, []);
    assert_eq!(folded.unreadable, BTreeSet::from([key("a")]));
}

#[test]
fn who_did_it_is_read_from_the_row_that_counts() {
    let mut by_person = replaces("a");
    by_person.who = Who::Person;
    let mut read = rows(vec![cancelled("a", 1), stands("b", 5)], &[("b", by_person)]);
    assert_eq!(
        fold(&mut read, &["a"]).by_person,
        BTreeSet::from([key("a")])
    );
}

proptest! {
    /// Whatever links what, circles included: it ends, nobody is there twice, every booking that
    /// stands is there or stands behind one that does, and the order of rows does not matter.
    #[test]
    fn any_links_fold_into_appointments_that_are_there_once(
        standing in prop::collection::vec(any::<bool>(), 1..9),
        links in prop::collection::btree_map(0usize..9, 0usize..9, 0..9),
        known in prop::collection::btree_set(0usize..9, 0..5),
    ) {
        let name = |n: usize| n.to_string();
        let make = |reverse: bool| {
            let mut all: Vec<_> = standing.iter().enumerate()
                .map(|(n, active)| if *active { stands(&name(n), 1) } else { cancelled(&name(n), 1) })
                .collect();
            if reverse { all.reverse(); }
            let linked: Vec<_> = links.iter().map(|(k, v)| (name(*k), replaces(&name(*v)))).collect();
            let linked: Vec<_> = linked.iter().map(|(k, l)| (k.as_str(), l.clone())).collect();
            rows(all, &linked)
        };
        let is_known = |key: &BookingKey| known.contains(&key.0.parse().unwrap());
        let folded = make(false).fold(is_known, |_| false);
        prop_assert_eq!(told(&folded), told(&make(true).fold(is_known, |_| false)));
        let keys: BTreeSet<_> = folded.rows.iter().map(|row| &row.key).collect();
        prop_assert_eq!(keys.len(), folded.rows.len());
        for n in known.iter().filter(|n| **n < standing.len()) {
            prop_assert!(keys.contains(&key(&name(*n))), "a known booking that is there stays there");
        }
    }
}

type Found = (Diff, BTreeSet<BookingKey>, BTreeSet<BookingKey>);

/// What a read comes to against what is known, whether or not rows that say nothing new are left out.
fn looked(snapshot: Snapshot, mut known: Marks, sifts: bool) -> Found {
    let snapshot = match sifts {
        true => snapshot.sifted(DateTime::<Utc>::MIN_UTC, &mut known),
        false => snapshot,
    };
    let mut rows = Rows {
        rows: snapshot.rows,
        unreadable: snapshot.unreadable,
        linked: snapshot.linked,
        ..Rows::default()
    };
    let mut folded = rows.fold(|key| known.contains(key), |key| known.stands_left_out(key));
    folded.rows.sort_by(|one, other| one.key.cmp(&other.key));
    let mut diff = diff(&known, folded.rows, &folded.unreadable);
    diff.back.sort();
    (diff, folded.awaiting, folded.by_person)
}

proptest! {
    /// Whatever rows are left out because they say what is known, alone or in chains and circles: what
    /// is new, missing, back and awaited is the same.
    #[test]
    fn what_is_left_out_of_chains_changes_nothing(
        shown in prop::collection::vec((0u8..3, any::<bool>()), 1..8),
        links in prop::collection::btree_map(0usize..8, (prop::option::of(0usize..9), any::<bool>()), 0..6),
        known in prop::collection::btree_map(0usize..9, (0usize..8, any::<bool>(), 0u8..3), 0..9),
    ) {
        let name = |n: usize| n.to_string();
        let all: Vec<_> = shown.iter().enumerate().map(|(n, (_, active))| match active {
            true => stands(&name(n), 1),
            false => cancelled(&name(n), 1),
        }).collect();
        let mark = |(n, (like, other, absent)): (&usize, &(usize, bool, u8))| {
            // Most say what their own row says, or that of another one in their place.
            let row = all.get(if *other { *like } else { *n });
            let row = Appointment { key: key(&name(*n)), ..row.cloned().unwrap_or(stands("", 2)) };
            let mark = Mark {
                fingerprint: row.fingerprint(),
                absent: *absent,
                cancelled: row.state.standing == Standing::Cancelled,
                start: row.state.start,
            };
            (row.key, mark)
        };
        let known: Marks = known.iter().map(mark).collect();
        let linked = |(n, (old, person)): (&usize, &(Option<usize>, bool))| {
            let linked = Linked {
                replaces: old.filter(|old| old != n).map(|old| key(&name(old))),
                rescheduled: *person,
                who: if *person { Who::Person } else { Who::Unknown },
            };
            (key(&name(*n)), linked)
        };
        let linked = links.iter().map(linked).filter(|(_, linked)| *linked != Linked::default());
        let (unclear, clear): (Vec<_>, Vec<_>) =
            all.iter().zip(&shown).partition(|(_, (word, _))| *word == 0);
        let snapshot = Snapshot {
            rows: clear.into_iter().map(|(row, _)| row.clone()).collect(),
            unreadable: unclear.into_iter().map(|(row, _)| row.key.clone()).collect(),
            linked: linked.collect(),
            ..Snapshot::default()
        };
        prop_assert_eq!(
            looked(snapshot.clone(), known.clone(), true),
            looked(snapshot, known, false)
        );
    }
}

const WAITS: Waits = Waits {
    settle: TimeDelta::seconds(30),
    grace: TimeDelta::seconds(60),
};

#[test]
fn a_change_counts_when_it_has_stood_long_enough() {
    let mut settling = Settling::default();
    let (a, first, second) = (key("a"), stands("a", 1).state, stands("a", 2).state);
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    assert!(settling.must_wait(&a, &first, false, &WAITS, at(0)));
    assert!(settling.must_wait(&a, &first, false, &WAITS, at(29)));
    // Moved again: it is the net change that counts, and it waits anew.
    assert!(settling.must_wait(&a, &second, false, &WAITS, at(30)));
    assert!(settling.must_wait(&a, &second, false, &WAITS, at(59)));
    assert!(!settling.must_wait(&a, &second, false, &WAITS, at(60)));
    assert!(settling.is_empty());
    // One that never stands still is not put off for ever.
    for seconds in 0..120 {
        let state = if seconds % 2 == 0 { &first } else { &second };
        assert!(settling.must_wait(&a, state, false, &WAITS, at(seconds)));
    }
    assert!(!settling.must_wait(&a, &first, false, &WAITS, at(120)));
}

#[test]
fn what_waits_for_a_successor_has_its_own_grace_and_no_wait_is_no_wait() {
    let mut settling = Settling::default();
    let (a, state) = (key("a"), cancelled("a", 1).state);
    assert!(settling.must_wait(&a, &state, true, &WAITS, now()));
    let at = |seconds| now() + TimeDelta::seconds(seconds);
    assert!(settling.must_wait(&a, &state, true, &WAITS, at(59)));
    assert!(!settling.must_wait(&a, &state, true, &WAITS, at(60)));
    assert!(!settling.must_wait(&a, &state, false, &Waits::default(), now()));
    // What came back in the meantime is forgotten.
    assert!(settling.must_wait(&a, &state, false, &WAITS, now()));
    settling.keep(|_| false);
    assert!(settling.is_empty());
}
