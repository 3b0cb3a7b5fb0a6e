//! What a person asked for and is yet to be written: an invitation of a wave, or a correction.
//!
//! It stands with its appointment until somebody wrote it, or saw that there is nothing to write.

use chrono::NaiveDate;

use super::notice::Purpose;
use super::recipient::Role;

/// One recipient of one appointment whom a wave or a correction concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occasion {
    /// Why they are written to: `rebooking` or `correction`.
    pub purpose: Purpose,
    /// The number of the wave, or of the batch that was wrong: part of the notice's key.
    pub number: u32,
    /// To whom, by role.
    pub role: Role,
    /// The last day to book, for a wave.
    pub until: Option<NaiveDate>,
}
