//! An announced period in which offices or services are closed or reduced.
//!
//! A closing explains changes and gives their texts a reason and a next step; it never causes one.

use chrono::NaiveDate;

use super::directory::{OfficeId, ServiceKind};
use super::language::Texts;

/// How much of the office is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosingKind {
    /// Nobody is received.
    Closed,
    /// Fewer people than usual are received.
    Reduced,
}

/// What a person whose appointment is cancelled does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextStep {
    /// Books again after the closing.
    Book,
    /// Waits: the office writes when booking opens. A commitment.
    WeInvite,
    /// Calls.
    Phone,
    /// Writes or calls (embassy).
    Contact,
    /// Not known yet.
    Unknown,
}

/// One closing, as announced by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The offices concerned.
    pub offices: Vec<OfficeId>,
    /// The kinds of case concerned; empty means all.
    pub kinds: Vec<ServiceKind>,
    /// The first day, in the offices' own calendar.
    pub from: NaiveDate,
    /// The last day, included.
    pub to: NaiveDate,
    /// Closed or reduced.
    pub kind: ClosingKind,
    /// What people do next.
    pub next: NextStep,
    /// Why, as a noun phrase per language ("smittesituasjonen i Oslo og Viken").
    pub reason: Texts,
}

impl Closing {
    /// Whether this closing covers a case of `kind` at `office` on the local day `day`.
    #[must_use]
    pub fn covers(&self, office: &OfficeId, kind: ServiceKind, day: NaiveDate) -> bool {
        self.offices.contains(office)
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.from <= day
            && day <= self.to
    }
}
