//! What differs between now and every state the person may believe.
//!
//! A change is never "this row differs from the last row": it is the difference between the booking
//! as it stands and each state the person was surely told, or may have been told, since. Silence is
//! right only if all of them equal now.

use super::appointment::{BookingState, Standing};

/// What kind of difference a person must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// The person may believe that it stands, and it does not.
    Cancelled,
    /// The time, the office or both are others than the person may believe.
    Moved {
        /// The start differs.
        time: bool,
        /// The office differs.
        office: bool,
    },
    /// The person may believe that it was cancelled, and it stands.
    Reinstated,
}

/// One change: from what the person may believe to what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind.
    pub kind: ChangeKind,
    /// The newest believed state that differs from now.
    pub old: BookingState,
    /// The booking as it stands.
    pub new: BookingState,
}

/// The change a person must be told, or `None` when everything they may believe is true.
///
/// `beliefs` holds, oldest first, the last state the person was surely told (at first the booking
/// itself) and each later state that was or may have been handed over.
#[must_use]
pub fn change(now: &BookingState, beliefs: &[BookingState]) -> Option<Change> {
    let newest =
        |differs: &dyn Fn(&BookingState) -> bool| beliefs.iter().rev().find(|b| differs(b));
    let told = |kind, old: &BookingState| {
        Some(Change {
            kind,
            old: old.clone(),
            new: now.clone(),
        })
    };
    match now.standing {
        Standing::Cancelled => {
            let old = newest(&|b| b.standing == Standing::Active)?;
            told(ChangeKind::Cancelled, old)
        }
        Standing::Active => {
            if let Some(old) = newest(&|b| b.standing == Standing::Cancelled) {
                return told(ChangeKind::Reinstated, old);
            }
            let old = newest(&|b| b != now)?;
            let kind = ChangeKind::Moved {
                time: old.start != now.start,
                office: old.office != now.office,
            };
            told(kind, old)
        }
    }
}
