//! What a text says only in some cases: a child, a protected person, a bundle, a mistake of ours.
//!
//! A telling without any of it is the usual one. Nothing here is decided; it is carried to the text.

use chrono::{DateTime, NaiveDate, Utc};

/// The facts that few messages need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Names neither service, office, section nor reason: a protected person, a sensitive service.
    pub neutral: bool,
    /// The source cannot say who cancelled; it may have been the person.
    pub canceller_unknown: bool,
    /// The application cannot be submitted online for technical reasons.
    pub obstacle: bool,
    /// The person was cancelled before, and we apologise.
    pub again: bool,
    /// The cancellation came from a list, and the booking system still shows the appointment.
    pub still_visible: bool,
    /// The office asks the person to choose a new time by this day.
    pub choose_by: Option<NaiveDate>,
    /// The last day to book, where the office has opened again.
    pub book_by: Option<NaiveDate>,
    /// The birthday of the person the appointment is for, where the source knows it.
    pub born: Option<NaiveDate>,
    /// The child's first name, as the source gives it. Never in an SMS, nor in neutral wording.
    pub child: Option<String>,
    /// What our mistake was.
    pub correction: Option<Correction>,
    /// Several appointments of one address, office, day and purpose, told in one message.
    pub bundle: Option<Bundle>,
}

/// What a correction takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// The appointment stands, although we said that it was cancelled.
    Stands,
    /// The message was meant for somebody else.
    WrongPerson,
}

/// The appointments of one bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Their starts, in order: at least two, on one day.
    pub starts: Vec<DateTime<Utc>>,
    /// Every appointment of this address between the first and the last is among them, so that
    /// they may be named as a range.
    pub unbroken: bool,
}
