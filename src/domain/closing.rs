//! An announced period in which offices or services are closed or reduced.
//!
//! A closing explains changes, gives their texts a reason and a next step, and lets them pass the
//! brake up to the number it names; it never causes one.

use chrono::NaiveDate;

use super::directory::{OfficeId, ServiceKind};
use super::language::Texts;
use super::message::words;

/// How much of the office is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosingKind {
    /// Nobody is received.
    Closed,
    /// Fewer people than usual are received.
    Reduced,
}

words!(ClosingKind { Closed => "closed", Reduced => "reduced" });

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

words!(NextStep {
    Book => "book",
    WeInvite => "we_invite",
    Phone => "phone",
    Contact => "contact",
    Unknown => "unknown",
});

/// The number of a closing in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClosingId(pub i64);

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
    /// So many changes pass the brake on its account; 0 means that it explains and admits none.
    pub max: u32,
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

/// A closing with what has passed the brake on its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its number.
    pub id: ClosingId,
    /// What was announced.
    pub closing: Closing,
    /// Changes that it has admitted so far.
    pub admitted: u32,
    /// Who announced it.
    pub actor: String,
}

impl Announced {
    /// Whether so many more changes are within what was announced. They pass together or not at
    /// all: more than was announced is not what was announced.
    #[must_use]
    pub fn admits(&self, changes: u32) -> bool {
        self.admitted.saturating_add(changes) <= self.closing.max
    }
}

/// A change as a closing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Where the appointment was.
    pub office: OfficeId,
    /// What kind of case it is.
    pub kind: ServiceKind,
    /// The local day on which it was.
    pub day: NaiveDate,
}

/// On which closing's account each change passes the brake, in the order given. `None` stands for
/// a change that no closing explains (a reinstatement, say), and is answered with `None`.
///
/// The changes of one closing pass together or not at all.
#[must_use]
pub fn admissions(changes: &[Option<Affected>], announced: &[Announced]) -> Vec<Option<ClosingId>> {
    let admitting = || announced.iter().filter(|a| a.closing.max > 0);
    let covers = |a: &Announced, change: usize| {
        let change = changes[change].as_ref();
        change.is_some_and(|c| a.closing.covers(&c.office, c.kind, c.day))
    };
    let its_own = |a: &Announced, change: usize| {
        let first = admitting().find(|a| covers(a, change));
        first.is_some_and(|first| first.id == a.id)
    };
    let mut granted = vec![None; changes.len()];
    // First what is each one's own; then, where there is room, what another had no room for.
    for own in [true, false] {
        for a in admitting() {
            let asks = |change: &usize| {
                granted[*change].is_none() && covers(a, *change) && (!own || its_own(a, *change))
            };
            let asking: Vec<usize> = (0..changes.len()).filter(asks).collect();
            let has = granted.iter().filter(|id| **id == Some(a.id)).count();
            if a.admits(u32::try_from(has + asking.len()).unwrap_or(u32::MAX)) {
                asking
                    .into_iter()
                    .for_each(|change| granted[change] = Some(a.id));
            }
        }
    }
    granted
}
