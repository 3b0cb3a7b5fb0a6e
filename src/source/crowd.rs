//! Addresses that stand on many bookings: a front desk's telephone, a lawyer's mailbox, an invented
//! number. A message to one of them tells nobody in particular.
//!
//! The bookings of each address are counted without keeping an address: in two tables of counters,
//! each reached by its own part of a hash (a count-min sketch). The smaller of the two counters is
//! never too low, and with four times as many counters as bookings it is practically never too high.

use xxhash_rust::xxh3::xxh3_128;

use crate::domain::contact::{Address, Contact, Unusable};
use crate::domain::message::Channel;

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
        for channel in [Channel::Sms, Channel::Email] {
            if let Some((first, second)) = places(&contact.address(channel)) {
                self.first[first] = self.first[first].saturating_add(1);
                self.second[second] = self.second[second].saturating_add(1);
            }
        }
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

    fn is_crowded(&self, address: &Address) -> bool {
        places(address)
            .is_some_and(|(first, second)| self.most < self.first[first].min(self.second[second]))
    }
}

/// Where the counters of an address stand.
fn places(address: &Address) -> Option<(usize, usize)> {
    let exact = match address {
        Address::Phone(phone) => phone.expose().to_owned(),
        Address::Email(email) => email.expose().to_ascii_lowercase(),
        Address::None => return None,
    };
    let bytes = xxh3_128(exact.as_bytes()).to_le_bytes();
    let place = |at: usize| {
        let part = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        u32::from_le_bytes(part) as usize % COUNTERS
    };
    Some((place(0), place(8)))
}
