//! A model test of whole histories: true stories of bookings, told as real booking systems tell them
//! (by word, by deletion, in place, by a successor in one step or two, with rows that flicker, and
//! with a table that is wiped and comes back), against diff, links, settling, beliefs and brake.
//! Every message that the truth asks for is written, and no other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use varsel::domain::appointment::{
    Appointment, BookingKey, BookingState, Fingerprint, SourceName, Standing,
};
use varsel::domain::brake::{BrakeLimits, LATELY, PollCounts, Shift, brake, shifted_alike};
use varsel::domain::change::{ChangeKind, change};
use varsel::domain::diff::diff;
use varsel::domain::links::{Linked, MOST_LINKS, Rows};
use varsel::domain::marks::{Mark, Marks};
use varsel::domain::settle::{Settling, Waits};
use varsel::source::Snapshot;

use super::made::{booking, now};
use crate::support::on_all_cores;

/// Seconds between two looks.
const EVERY: i64 = 30;
/// A change counts after two looks, and a successor may come a look later than that.
const WAITS: Waits = Waits {
    settle: TimeDelta::seconds(2 * EVERY),
    grace: TimeDelta::seconds(3 * EVERY),
};
/// So many looks after an act everything it asks for has been told: two absences, and the longest wait.
const QUIET: u32 = 8;

/// A small generator of numbers (splitmix64), so that a history is its seed.
struct Lots(u64);

impl Lots {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.draw(n) == 0
    }
}

// ── the truth, and how a booking system shows it ──────────────────────────────────────────────────

/// One row of the booking system.
#[derive(Clone)]
struct Row {
    state: BookingState,
    linked: Linked,
}

/// A person's appointment: how it truly is, and which row stands for it now.
struct Truth {
    state: BookingState,
    /// Its first row, under whose key it is known.
    first: BookingKey,
    row: BookingKey,
    successors: u32,
}

struct Register {
    rows: BTreeMap<BookingKey, Row>,
    truths: Vec<Truth>,
    /// What the next look brings: the second step of an act in two steps.
    later: Vec<(BookingKey, Row)>,
}

fn key(text: String) -> BookingKey {
    BookingKey(text)
}

impl Register {
    fn new(bookings: u64) -> Self {
        let mut register = Self {
            rows: BTreeMap::new(),
            truths: Vec::new(),
            later: Vec::new(),
        };
        for n in 0..bookings {
            let mut state = booking(Standing::Active, "2021-04-20T08:00:00Z", "gronland");
            state.start += TimeDelta::minutes(20 * i64::try_from(n).unwrap());
            let row = key(format!("b{n}"));
            let plain = Row {
                state: state.clone(),
                linked: Linked::default(),
            };
            register.rows.insert(row.clone(), plain);
            register.truths.push(Truth {
                state,
                first: row.clone(),
                row,
                successors: 0,
            });
        }
        register
    }

    /// Something true happens to one booking; the kind of message it asks for, if any.
    fn act(&mut self, n: usize, lots: &mut Lots) -> Option<ChangeKind> {
        let truth = &mut self.truths[n];
        if truth.state.standing == Standing::Cancelled {
            if lots.one_in(2) {
                return None;
            }
            truth.state.standing = Standing::Active;
            let before = |n: u32| match n {
                0 => truth.first.clone(),
                n => key(format!("{}.{n}", truth.first)),
            };
            let row = Row {
                state: truth.state.clone(),
                linked: Linked {
                    replaces: truth.successors.checked_sub(1).map(before),
                    ..Linked::default()
                },
            };
            self.rows.insert(truth.row.clone(), row);
            return Some(ChangeKind::Reinstated);
        }
        match lots.draw(4) {
            0 => self.cancel(n, lots),
            1 => self.move_in_place(n, lots),
            2 => self.move_by_successor(n, lots),
            _ => {
                self.rows.get_mut(&truth.row).unwrap().state = truth.state.clone();
                None
            }
        }
    }

    fn cancel(&mut self, n: usize, lots: &mut Lots) -> Option<ChangeKind> {
        let truth = &mut self.truths[n];
        truth.state.standing = Standing::Cancelled;
        if lots.one_in(2) {
            self.rows.remove(&truth.row);
        } else {
            let row = self.rows.get_mut(&truth.row).unwrap();
            row.state.standing = Standing::Cancelled;
        }
        Some(ChangeKind::Cancelled)
    }

    fn other(state: &BookingState, lots: &mut Lots) -> BookingState {
        let mut other = state.clone();
        let minutes = 7 + i64::try_from(lots.draw(9_000)).unwrap();
        other.start += TimeDelta::minutes(minutes);
        if lots.one_in(3) {
            other.office = if state.office.0 == "gronland" {
                "sentrum".into()
            } else {
                "gronland".into()
            };
        }
        other
    }

    fn moved(old: &BookingState, new: &BookingState) -> Option<ChangeKind> {
        Some(ChangeKind::Moved {
            time: old.start != new.start,
            office: old.office != new.office,
        })
    }

    /// Sometimes dragged twice: what it was in between nobody is told.
    fn move_in_place(&mut self, n: usize, lots: &mut Lots) -> Option<ChangeKind> {
        let truth = &mut self.truths[n];
        let new = Self::other(&truth.state, lots);
        let kind = Self::moved(&truth.state, &new);
        let row = self.rows.get_mut(&truth.row).unwrap();
        row.state = new.clone();
        if lots.one_in(3) {
            let between = Self::other(&truth.state, lots);
            self.later.push((truth.row.clone(), row.clone()));
            row.state = between;
        }
        truth.state = new;
        kind
    }

    /// The old row is cancelled (or goes), and another one names it: at once, or a look later.
    fn move_by_successor(&mut self, n: usize, lots: &mut Lots) -> Option<ChangeKind> {
        let truth = &mut self.truths[n];
        let new = Self::other(&truth.state, lots);
        let kind = Self::moved(&truth.state, &new);
        let old = self.rows.get_mut(&truth.row).unwrap();
        old.state.standing = Standing::Cancelled;
        old.linked.rescheduled = true;
        truth.successors += 1;
        let successor = key(format!("b{n}.{}", truth.successors));
        let row = Row {
            state: new.clone(),
            linked: Linked {
                replaces: Some(truth.row.clone()),
                ..Linked::default()
            },
        };
        if lots.one_in(2) {
            self.later.push((successor.clone(), row));
        } else {
            self.rows.insert(successor.clone(), row);
        }
        truth.row = successor;
        truth.state = new;
        kind
    }

    fn appointment(key: &BookingKey, row: &Row) -> Appointment {
        Appointment {
            source: SourceName("s".to_owned()),
            key: key.clone(),
            state: row.state.clone(),
            service: "passport".into(),
            recipients: Vec::new(),
            about: varsel::domain::about::About::default(),
        }
    }
}

// ── what watches it, made of the domain's functions alone ─────────────────────────────────────────

struct OurCopy {
    state: BookingState,
    seen: Fingerprint,
    absent: u8,
    beliefs: Vec<BookingState>,
    /// What the brake holds: decided, and told to nobody.
    held: bool,
}

#[derive(Default)]
struct Watcher {
    copies: BTreeMap<BookingKey, OurCopy>,
    settling: Settling,
    flowed: Vec<(DateTime<Utc>, u32)>,
    told: Vec<(BookingKey, ChangeKind)>,
    limits: Option<BrakeLimits>,
}

impl Watcher {
    /// One look at what `shown` holds of the register.
    fn look(&mut self, register: &Register, shown: &BTreeSet<BookingKey>, at: DateTime<Utc>) {
        let visible = register.rows.iter().filter(|(key, _)| shown.contains(key));
        let mut rows = Rows::default();
        for (key, row) in visible {
            rows.rows.push(Register::appointment(key, row));
            if row.linked != Linked::default() {
                rows.linked.insert(key.clone(), row.linked.clone());
            }
        }
        let count = rows.rows.len();
        let mark = |copy: &OurCopy| Mark {
            fingerprint: copy.seen,
            absent: copy.absent,
            cancelled: copy.state.standing == Standing::Cancelled,
            start: copy.state.start,
        };
        let known = self.copies.iter().map(|(k, c)| (k.clone(), mark(c)));
        let mut marks: Marks = known.collect();
        // Rows that say nothing new are left out before anything looks at them.
        let snapshot = Snapshot {
            rows: rows.rows,
            linked: rows.linked,
            ..Snapshot::default()
        };
        let snapshot = snapshot.sifted(DateTime::<Utc>::MIN_UTC, &mut marks);
        rows.rows = snapshot.rows;
        rows.linked = snapshot.linked;
        // Rows that are named and not shown are looked up, each once.
        for _ in 0..MOST_LINKS {
            let unexplained = rows.unexplained(|key| self.copies.contains_key(key));
            if unexplained.is_empty() {
                break;
            }
            let before = |key: BookingKey| {
                let row = register.rows.get(&key);
                let replaces = row.and_then(|row| row.linked.replaces.clone());
                (key, replaces)
            };
            rows.earlier.extend(unexplained.into_iter().map(before));
        }
        let folded = rows.fold(
            |key| self.copies.contains_key(key),
            |key| marks.stands_left_out(key),
        );
        let diff = diff(&marks, folded.rows, &folded.unreadable);
        for key in &diff.newly_absent {
            self.copies.get_mut(key).unwrap().absent += 1;
        }
        for key in &diff.back {
            self.copies.get_mut(key).unwrap().absent = 0;
        }
        let mut touched = diff.touched;
        // The look-up by key: the rows of an appointment that is missing may still be there.
        let lost = diff.missing.into_iter().filter(|key| !shown.contains(key));
        for key in lost {
            let copy = &self.copies[&key];
            let mut gone = Row {
                state: copy.state.clone(),
                linked: Linked::default(),
            };
            gone.state.standing = Standing::Cancelled;
            touched.push(Register::appointment(&key, &gone));
        }
        self.decide(touched, &folded.awaiting, count, at);
    }

    fn decide(
        &mut self,
        touched: Vec<Appointment>,
        awaiting: &BTreeSet<BookingKey>,
        rows: usize,
        at: DateTime<Utc>,
    ) {
        let mut waiting = BTreeSet::new();
        let mut decided = Vec::new();
        for row in touched {
            let Some(copy) = self.copies.get(&row.key) else {
                self.learn(&row);
                continue;
            };
            let both_cancelled = row.state.standing == Standing::Cancelled
                && copy.state.standing == Standing::Cancelled;
            let differs = row.state != copy.state && !both_cancelled;
            let awaits = awaiting.contains(&row.key);
            if differs
                && self
                    .settling
                    .must_wait(&row.key, &row.state, awaits, &WAITS, at)
            {
                waiting.insert(row.key.clone());
            } else {
                let change = differs.then(|| change(&row.state, &copy.beliefs)).flatten();
                decided.push((row, differs, change));
            }
        }
        self.settling.keep(|key| waiting.contains(key));
        let counts = self.counts(&decided, rows, at);
        let held = self
            .limits
            .is_some_and(|limits| brake(counts, &limits).is_some());
        for (row, differs, change) in decided {
            let copy = self.copies.get_mut(&row.key).unwrap();
            copy.seen = row.fingerprint();
            copy.absent = 0;
            if !differs {
                continue;
            }
            copy.state = row.state;
            copy.held = held && change.is_some();
            if let Some(change) = change.filter(|_| !held) {
                copy.beliefs = vec![change.new];
                self.told.push((row.key, change.kind));
            }
        }
        if !held && counts.changes > 0 {
            self.flowed.push((at, counts.changes));
        }
    }

    fn counts(
        &self,
        decided: &[(Appointment, bool, Option<varsel::domain::change::Change>)],
        rows: usize,
        at: DateTime<Utc>,
    ) -> PollCounts {
        let small = |n: usize| u32::try_from(n).unwrap();
        let changes = decided.iter().filter_map(|(_, _, change)| change.as_ref());
        let lately = self.flowed.iter().filter(|(then, _)| *then > at - LATELY);
        let standing = |copy: &&OurCopy| copy.state.standing == Standing::Active;
        PollCounts {
            changes: small(changes.clone().count()),
            lately: lately.map(|(_, n)| n).sum(),
            known: small(self.copies.len()),
            standing: small(self.copies.values().filter(standing).count()),
            missing: small(
                self.copies
                    .values()
                    .filter(|c| standing(c) && c.absent > 0)
                    .count(),
            ),
            shifted: shifted_alike(changes.map(|c| Shift {
                by: c.new.start - c.old.start,
                from_utc: TimeDelta::hours(1),
            })),
            rows: small(rows),
        }
    }

    fn learn(&mut self, row: &Appointment) {
        let copy = OurCopy {
            state: row.state.clone(),
            seen: row.fingerprint(),
            absent: 0,
            beliefs: vec![row.state.clone()],
            held: false,
        };
        self.copies.insert(row.key.clone(), copy);
    }
}

// ── a history ─────────────────────────────────────────────────────────────────────────────────────

/// Lives one history to its end and compares what was told with what was true. The answer is how
/// many messages it asked for.
fn live(seed: u64) -> usize {
    let mut lots = Lots(seed);
    let bookings = 3 + lots.draw(6);
    // One more booking never changes: a source that shows no row at all is held, however true.
    let mut register = Register::new(bookings + 1);
    let steady = key(format!("b{bookings}"));
    let mut watcher = Watcher {
        limits: Some(BrakeLimits {
            max_changes: 2,
            max_share: 1.0,
            min_changes: 100,
            max_changes_per_hour: 1_000,
            max_share_per_hour: 1.0,
            max_shrink: 1.0,
        }),
        ..Watcher::default()
    };
    let mut at = now();
    let mut asked = Vec::new();
    let all = |register: &Register| register.rows.keys().cloned().collect::<BTreeSet<_>>();
    watcher.look(&register, &all(&register), at);
    for _ in 0..2 + lots.draw(5) {
        let accident = lots.one_in(5);
        if accident {
            // The table is wiped, and comes back before anybody has looked.
            for _ in 0..1 + lots.draw(u64::from(QUIET)) {
                at += TimeDelta::seconds(EVERY);
                watcher.look(&register, &BTreeSet::new(), at);
            }
        } else {
            let n = usize::try_from(lots.draw(bookings)).unwrap();
            asked.extend(
                register
                    .act(n, &mut lots)
                    .map(|kind| (key(format!("b{n}")), kind)),
            );
        }
        for poll in 0..QUIET {
            at += TimeDelta::seconds(EVERY);
            if poll == 1 {
                for (key, row) in std::mem::take(&mut register.later) {
                    register.rows.insert(key, row);
                }
            }
            let mut shown = all(&register);
            // A row that is not shown once proves nothing.
            if poll == 3 && lots.one_in(4) {
                let flickers = usize::try_from(lots.draw(shown.len() as u64 + 1)).unwrap();
                let row = shown.iter().nth(flickers).cloned();
                if let Some(row) = row.filter(|row| *row != steady) {
                    shown.remove(&row);
                }
            }
            watcher.look(&register, &shown, at);
        }
    }
    assert_eq!(watcher.told, asked, "seed {seed}");
    for (n, truth) in register.truths.iter().enumerate() {
        let copy = &watcher.copies[&key(format!("b{n}"))];
        let believed = copy.beliefs.last().unwrap();
        let same = believed == &truth.state
            || (believed.standing, truth.state.standing)
                == (Standing::Cancelled, Standing::Cancelled);
        assert!(
            same && !copy.held,
            "seed {seed}, b{n}: {believed:?}, {:?}",
            truth.state
        );
    }
    asked.len()
}

/// A few thousand histories, or as many as `VARSEL_LONG` asks for: a million.
#[test]
fn every_message_that_the_truth_asks_for_is_written_and_no_other() {
    let long = std::env::var_os("VARSEL_LONG").is_some();
    let histories = if long { 1_000_000 } else { 4_000 };
    let parts = on_all_cores(|part, parts| -> usize {
        let seeds = (0..histories).filter(|seed| seed % parts == part);
        seeds.map(live).sum()
    });
    let asked: usize = parts.into_iter().sum();
    println!(
        "{histories} histories asked for {asked} messages; all of them were written, and no other"
    );
    let least = usize::try_from(histories).unwrap();
    assert!(
        asked > least,
        "only {asked} messages in {histories} histories"
    );
}
