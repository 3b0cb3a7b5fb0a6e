//! Addresses that stand on many bookings: a front desk's telephone, a lawyer's mailbox, an invented
//! number. A message to one of them tells nobody in particular.
//!
//! The bookings of each address are counted without keeping an address: each is a number of 32 bits,
//! and counted in two tables of counters (a count-min sketch). The smaller of the two counters is never
//! too low, and practically never much too high: of a million addresses every some thousandth shares
//! its number with another one, and both are then counted to two.

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::contact::{Address, Contact, Unusable};
use crate::domain::message::Channel;
use crate::domain::recipient::{Recipient, Role};

/// Counters in each table, a power of two: two million addresses fill each of them to two.
const COUNTERS: usize = 1 << 20;

/// How many bookings carry each address.
pub(super) struct Crowd {
    /// More bookings than this make an address unusable.
    most: u16,
    first: Vec<u16>,
    second: Vec<u16>,
}

impl Crowd {
    /// Nothing counted yet.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: u16::try_from(most).unwrap_or(u16::MAX - 1),
            first: vec![0; COUNTERS],
            second: vec![0; COUNTERS],
        }
    }

    /// One more booking with this contact.
    pub(super) fn count(&mut self, contact: &Contact) {
        numbers(contact).for_each(|number| self.add(number));
    }

    /// One more booking with the address of this number.
    pub(super) fn add(&mut self, number: u32) {
        let (first, second) = places(number);
        self.first[first] = self.first[first].saturating_add(1);
        self.second[second] = self.second[second].saturating_add(1);
    }

    /// Takes from a contact what is nobody's own.
    pub(super) fn thin(&self, contact: &mut Contact) {
        if self.is_crowded(&contact.address(Channel::Sms)) {
            contact.phone = Err(Unusable::Shared);
        }
        if self.is_crowded(&contact.address(Channel::Email)) {
            contact.email = Err(Unusable::Shared);
        }
    }

    /// Whether the address of this number is nobody's own.
    pub(super) fn is_crowd(&self, number: u32) -> bool {
        let (first, second) = places(number);
        self.most < self.first[first].min(self.second[second])
    }

    fn is_crowded(&self, address: &Address) -> bool {
        number(address).is_some_and(|number| self.is_crowd(number))
    }
}

/// Whether a recipient's addresses should be theirs alone: an interpreter is on many bookings by trade.
pub(super) fn is_counted(recipient: &Recipient) -> bool {
    recipient.role != Role::Interpreter
}

/// The numbers of a contact's addresses.
pub(super) fn numbers(contact: &Contact) -> impl Iterator<Item = u32> {
    let channels = [Channel::Sms, Channel::Email];
    let addresses = channels.map(|channel| number(&contact.address(channel)));
    addresses.into_iter().flatten()
}

fn number(address: &Address) -> Option<u32> {
    let hash = match address {
        Address::Phone(phone) => xxh3_64(phone.expose().as_bytes()),
        Address::Email(email) => xxh3_64(email.expose().to_ascii_lowercase().as_bytes()),
        Address::None => return None,
    };
    u32::try_from(hash >> 32).ok()
}

/// Where the counters of a number stand: two numbers that meet in one table seldom do in the other.
fn places(number: u32) -> (usize, usize) {
    let spread = number.wrapping_mul(0x9E37_79B1).rotate_right(12);
    let place = |number: u32| number as usize % COUNTERS;
    (place(number), place(spread))
}
