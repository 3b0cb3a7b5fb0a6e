//! How an office works: when it is open, how people book with it, and what its passports ask for.
//!
//! Facts that change with time carry their validity; a text never states one that has run out.

use chrono::NaiveDate;

use super::Validity;
use crate::domain::hours::{Holidays, Hours};
use crate::domain::language::Texts;

/// What an office may have beside its name and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Practice {
    /// When people may come or write; where it is not given, the line's hours stand for it.
    pub opening: Option<Hours>,
    /// The days on which neither the office nor its lines answer.
    pub holidays: Holidays,
    /// How people book again.
    pub booking: Option<Booking>,
    /// What a passport appointment asks for, in versions of which one holds at a time. Only offices
    /// abroad tell it.
    pub passports: Vec<PassportPractice>,
}

impl Practice {
    /// What a passport appointment asks for on a day.
    #[must_use]
    pub fn passports_on(&self, day: NaiveDate) -> Option<&PassportPractice> {
        self.passports.iter().find(|p| p.validity.holds(day))
    }
}

/// How people book again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The way.
    pub way: BookingWay,
    /// The agency's own words for it, per language.
    pub how: Option<Texts>,
}

/// The ways to book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingWay {
    /// On the agency's website, or by telephone.
    Online,
    /// By telephone only.
    Phone,
    /// By e-mail or telephone.
    Email,
    /// The office invites people; they cannot book by themselves.
    Invitation,
}

/// What a passport appointment at an office abroad asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassportPractice {
    /// The days for which it holds.
    pub validity: Validity,
    /// The fee from the 16th birthday on.
    pub fee_from_16: Option<Fee>,
    /// The fee before the 16th birthday.
    pub fee_under_16: Option<Fee>,
    /// The fee must be paid in cash.
    pub cash: bool,
    /// A national identity number must be registered before the application is submitted.
    pub number_required: bool,
    /// How long it takes, per language ("2-3 uker").
    pub production_time: Option<Texts>,
    /// Emergency passports are issued here.
    pub emergency: bool,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// In whole units of the currency.
    pub amount: u32,
    /// The currency as people read it (ISO 4217: "DZD").
    pub currency: String,
}
