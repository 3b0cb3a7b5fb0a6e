//! What is known of the future bookings of one source, in short and close together: for a million of
//! them some seventy megabytes, where a map of texts and records would take several hundred.
//!
//! It is the ledger's word in memory, and may stand there as long as everything that is recorded is
//! noted here too. Beside each mark it remembers how the row looked to the letter when it was last
//! found to say just that, so that a row which looks the same need not be understood again. It holds
//! no address: of each only a number drawn from it, to count bookings by.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_64;

use super::appointment::{BookingKey, Fingerprint};

/// What the store remembers of one future booking, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The content when it was last seen.
    pub fingerprint: Fingerprint,
    /// In how many complete snapshots in a row it has been missing; what was believed gone stays so
    /// until a row of it is seen.
    pub absent: u8,
    /// Whether we already hold it as cancelled, so that its absence says nothing new.
    pub cancelled: bool,
    /// When it starts: what has begun is no longer watched.
    pub start: DateTime<Utc>,
}

/// Held as cancelled.
const CANCELLED: u8 = 1;
/// Its row is to be understood and handed on at each read until something is recorded of it.
const WANTED: u8 = 2;
/// A row of this key came in this read.
const CAME: u8 = 4;
/// Its row was left out of this read, since it says what is known.
const LEFT_OUT: u8 = 8;
/// What remains when a new read begins.
const LASTING: u8 = CANCELLED | WANTED;

/// No table of places is smaller.
const FEWEST_PLACES: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    /// In two halves: as one number it would leave gaps between the slots.
    fingerprint: [u64; 2],
    /// The row to the letter; 0 where it is not known.
    print: u64,
    /// In seconds since 1970: no appointment starts between two of them.
    start: u32,
    /// Where its key ends among the keys; it begins where the one before ends.
    key_end: u32,
    addresses_at: u32,
    addresses: u8,
    absent: u8,
    flags: u8,
}

impl Slot {
    fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn start_millis(&self) -> i64 {
        i64::from(self.start) * 1_000
    }

    fn mark(&self) -> Mark {
        let [high, low] = self.fingerprint;
        Mark {
            fingerprint: Fingerprint(u128::from(high) << 64 | u128::from(low)),
            absent: self.absent,
            cancelled: self.is(CANCELLED),
            start: DateTime::from_timestamp_millis(self.start_millis()).unwrap_or_default(),
        }
    }
}

/// A fingerprint as a slot keeps it.
fn halves(fingerprint: Fingerprint) -> [u64; 2] {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    [half(fingerprint.0 >> 64), half(fingerprint.0)]
}

/// Where a booking stands among the marks, until the next read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

impl Place {
    /// Its number, from 0: smaller than the number of marks.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }
}

/// The marks of one source's future bookings by key.
#[derive(Clone, Default)]
pub struct Marks {
    slots: Vec<Slot>,
    /// The keys, one after another.
    keys: Vec<u8>,
    /// The numbers of addresses, each slot's side by side.
    addresses: Vec<u32>,
    /// Open addressing by a key's hash: 0 is free, n is slot n - 1.
    places: Vec<u32>,
    /// When the last read began.
    begun: Option<DateTime<Utc>>,
}

impl Marks {
    /// How many bookings are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many of them stand.
    #[must_use]
    pub fn standing(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.is(CANCELLED)).count()
    }

    /// Whether a booking is known.
    #[must_use]
    pub fn contains(&self, key: &BookingKey) -> bool {
        self.find(&key.0).is_some()
    }

    /// What is known of a booking.
    #[must_use]
    pub fn get(&self, key: &BookingKey) -> Option<Mark> {
        self.find(&key.0).map(|place| self.mark(place))
    }

    /// Every booking with its mark, in the order in which they became known.
    pub fn iter(&self) -> impl Iterator<Item = (BookingKey, Mark)> + '_ {
        self.places().map(|at| (self.key(at), self.mark(at)))
    }

    /// Notes what was recorded of a booking. How its row looks is to be seen anew.
    pub fn set(&mut self, key: &BookingKey, mark: &Mark) {
        let place = self.find(&key.0).unwrap_or_else(|| self.add(&key.0));
        let slot = &mut self.slots[place.0];
        slot.fingerprint = halves(mark.fingerprint);
        slot.absent = mark.absent;
        let seconds = mark.start.timestamp().clamp(0, i64::from(u32::MAX));
        slot.start = u32::try_from(seconds).unwrap_or_default();
        slot.print = 0;
        slot.addresses = 0;
        slot.flags = (slot.flags & !LASTING) | if mark.cancelled { CANCELLED } else { 0 };
    }

    /// Notes that it was recorded as missing once more.
    pub fn missed(&mut self, key: &BookingKey) {
        if let Some(place) = self.find(&key.0) {
            let slot = &mut self.slots[place.0];
            slot.absent = slot.absent.saturating_add(1);
        }
    }

    /// Notes that it was recorded as being there again.
    pub fn found(&mut self, key: &BookingKey) {
        if let Some(place) = self.find(&key.0) {
            self.slots[place.0].absent = 0;
        }
    }

    /// Takes every booking that stands for one that was missing at least so often.
    pub fn take_for_missing(&mut self, times: u8) {
        for slot in self.slots.iter_mut().filter(|slot| !slot.is(CANCELLED)) {
            slot.absent = slot.absent.max(times);
        }
    }

    /// Whether a read has begun after `now`: the clock was set back, and what was past then may not be.
    #[must_use]
    pub fn is_ahead_of(&self, now: DateTime<Utc>) -> bool {
        self.begun.is_some_and(|begun| now < begun)
    }

    // ── a read ──────────────────────────────────────────────────────────────────────────────────

    /// A read begins: what has begun by `now` is no longer watched, and nothing has come yet.
    pub fn begin(&mut self, now: DateTime<Utc>) {
        self.begun = Some(now);
        let now = now.timestamp_millis();
        if self.slots.iter().any(|slot| slot.start_millis() < now) {
            self.retain(|slot| slot.start_millis() >= now);
        }
        for slot in &mut self.slots {
            slot.flags &= LASTING;
        }
    }

    /// Where a booking stands.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Place> {
        let mut at = self.first_place(key)?;
        loop {
            let number = self.places[at] as usize;
            if number == 0 {
                return None;
            }
            if self.key_bytes(number - 1) == key.as_bytes() {
                return Some(Place(number - 1));
            }
            at = (at + 1) % self.places.len();
        }
    }

    /// A row of this booking came; `false` if one had come before.
    pub fn came(&mut self, at: Place) -> bool {
        let slot = &mut self.slots[at.0];
        let first = !slot.is(CAME);
        slot.flags |= CAME;
        first
    }

    /// The rows of this booking are not to be left out until something is recorded of it: what it
    /// says has come to depend on more than its row.
    pub fn want(&mut self, key: &BookingKey) {
        if let Some(Place(at)) = self.find(&key.0) {
            self.slots[at].flags |= WANTED;
        }
    }

    /// Whether a row that looks like this to the letter says what is known.
    #[must_use]
    pub fn is_as_printed(&self, at: Place, print: u64) -> bool {
        let slot = &self.slots[at.0];
        slot.print != 0 && slot.print == print && !slot.is(WANTED)
    }

    /// Whether a row of this content says what is known.
    #[must_use]
    pub fn is_as_known(&self, at: Place, fingerprint: Fingerprint) -> bool {
        let slot = &self.slots[at.0];
        slot.fingerprint == halves(fingerprint) && !slot.is(WANTED)
    }

    /// A row that looks like this to the letter says what is known, and carries these addresses.
    pub fn remember(&mut self, at: Place, print: u64, addresses: &[u32]) {
        let slot = &mut self.slots[at.0];
        let Ok(count) = u8::try_from(addresses.len()) else {
            return;
        };
        if slot.addresses != count {
            slot.addresses = count;
            slot.addresses_at = narrow(self.addresses.len());
            self.addresses.extend_from_slice(addresses);
        } else {
            let from = slot.addresses_at as usize;
            self.addresses[from..from + addresses.len()].copy_from_slice(addresses);
        }
        slot.print = print;
    }

    /// The row of this booking is left out of what is handed on.
    pub fn leave_out(&mut self, at: Place) {
        self.slots[at.0].flags |= LEFT_OUT;
    }

    /// Whether its row was left out of this read.
    #[must_use]
    pub fn is_left_out(&self, at: Place) -> bool {
        self.slots[at.0].is(LEFT_OUT)
    }

    /// Whether its row was left out of this read, and it stands.
    #[must_use]
    pub fn stands_left_out(&self, key: &BookingKey) -> bool {
        let left_out = self.find(&key.0).filter(|at| self.is_left_out(*at));
        left_out.is_some_and(|at| !self.slots[at.0].is(CANCELLED))
    }

    /// The numbers of the addresses of each booking whose row was left out.
    pub fn addresses_left_out(&self) -> impl Iterator<Item = &[u32]> {
        let slots = self.slots.iter().filter(|slot| slot.is(LEFT_OUT));
        slots.map(|slot| self.addresses_of(slot))
    }

    /// Wants the rows that were left out and of whose addresses this is true of one; whether there
    /// are any.
    pub fn want_left_out(&mut self, is_so: impl Fn(u32) -> bool) -> bool {
        let mut any = false;
        for slot in &mut self.slots {
            let from = slot.addresses_at as usize;
            let addresses = &self.addresses[from..from + usize::from(slot.addresses)];
            if slot.is(LEFT_OUT) && addresses.iter().any(|address| is_so(*address)) {
                slot.flags |= WANTED;
                any = true;
            }
        }
        any
    }

    /// Every place.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.slots.len()).map(Place)
    }

    /// The mark at a place.
    #[must_use]
    pub fn mark(&self, at: Place) -> Mark {
        self.slots[at.0].mark()
    }

    /// The key at a place.
    #[must_use]
    pub fn key(&self, at: Place) -> BookingKey {
        BookingKey(String::from_utf8_lossy(self.key_bytes(at.0)).into_owned())
    }

    // ── the table ───────────────────────────────────────────────────────────────────────────────

    fn addresses_of(&self, slot: &Slot) -> &[u32] {
        let from = slot.addresses_at as usize;
        &self.addresses[from..from + usize::from(slot.addresses)]
    }

    fn key_bytes(&self, number: usize) -> &[u8] {
        let before = number.checked_sub(1).map(|before| &self.slots[before]);
        let from = before.map_or(0, |slot| slot.key_end as usize);
        &self.keys[from..self.slots[number].key_end as usize]
    }

    fn first_place(&self, key: &str) -> Option<usize> {
        let hash = usize::try_from(xxh3_64(key.as_bytes()) >> 32).unwrap_or_default();
        hash.checked_rem(self.places.len())
    }

    fn add(&mut self, key: &str) -> Place {
        self.keys.extend_from_slice(key.as_bytes());
        self.slots.push(Slot {
            fingerprint: [0; 2],
            print: 0,
            start: 0,
            key_end: narrow(self.keys.len()),
            addresses_at: 0,
            addresses: 0,
            absent: 0,
            flags: 0,
        });
        let place = Place(self.slots.len() - 1);
        // At most half of the places are taken, so that few keys meet.
        if self.slots.len() * 2 > self.places.len() {
            self.index();
        } else {
            self.enter(place.0);
        }
        place
    }

    fn index(&mut self) {
        let size = (self.slots.len() * 2).next_power_of_two();
        self.places.clear();
        self.places.resize(size.max(FEWEST_PLACES), 0);
        (0..self.slots.len()).for_each(|number| self.enter(number));
    }

    fn enter(&mut self, number: usize) {
        let hash = usize::try_from(xxh3_64(self.key_bytes(number)) >> 32).unwrap_or_default();
        let mut at = hash % self.places.len();
        while self.places[at] != 0 {
            at = (at + 1) % self.places.len();
        }
        self.places[at] = narrow(number + 1);
    }

    fn retain(&mut self, keep: impl Fn(&Slot) -> bool) {
        let (mut kept, mut bytes, mut from) = (0, 0, 0);
        let mut addresses = Vec::new();
        for number in 0..self.slots.len() {
            let mut slot = self.slots[number];
            let to = slot.key_end as usize;
            if keep(&slot) {
                self.keys.copy_within(from..to, bytes);
                bytes += to - from;
                slot.key_end = narrow(bytes);
                let at = narrow(addresses.len());
                addresses.extend_from_slice(self.addresses_of(&slot));
                slot.addresses_at = at;
                self.slots[kept] = slot;
                kept += 1;
            }
            from = to;
        }
        self.slots.truncate(kept);
        self.keys.truncate(bytes);
        self.addresses = addresses;
        self.index();
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("four thousand million bytes of keys do not come by SQL or file")
}

impl FromIterator<(BookingKey, Mark)> for Marks {
    fn from_iter<T: IntoIterator<Item = (BookingKey, Mark)>>(known: T) -> Self {
        let mut marks = Self::default();
        for (key, mark) in known {
            marks.set(&key, &mark);
        }
        marks
    }
}

/// By key, whatever the order in which they became known, and nothing of the reads.
impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks: BTreeMap<BookingKey, Mark> = self.iter().collect();
        f.debug_map().entries(&marks).finish()
    }
}
