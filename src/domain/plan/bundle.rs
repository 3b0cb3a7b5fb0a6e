//! Which notices one text can tell together, and what that text says.
//!
//! Two shapes only: the same appointment told to several guardians, and cancellations of one day at
//! one office in an SMS, which names times and nothing else of anybody (TEXTS S17).

use chrono::{DateTime, Utc};

use super::{Bundle, Telling};
use crate::domain::calendar;
use crate::domain::directory::{Directory, Service, ServiceId};
use crate::domain::notice::Purpose;
use crate::domain::recipient::Role;

/// More appointments are not named in one text: whoever has so many is no family.
pub const MOST_IN_ONE: usize = 8;

/// Whether several guardians of one appointment are told the same, word for word.
#[must_use]
pub fn same_words(tellings: &[&Telling]) -> bool {
    let guardian = |telling: &&&Telling| matches!(telling.role, Role::Guardian(_));
    let to_nobody = |telling: &Telling| Telling {
        role: Role::Applicant,
        ..telling.clone()
    };
    let Some((first, rest)) = tellings.split_first() else {
        return false;
    };
    let first = to_nobody(first);
    !rest.is_empty()
        && tellings.iter().all(|t| guardian(&t))
        && rest.iter().all(|telling| to_nobody(telling) == first)
}

/// What one SMS says of several cancelled appointments; `None` where it would not hold for each of
/// them. The same appointment may be told to several people.
#[must_use]
pub fn in_one_text(tellings: &[&Telling], directory: &Directory) -> Option<Telling> {
    let (first, rest) = tellings.split_first()?;
    let wanted = outline(first, directory)?;
    if !rest
        .iter()
        .all(|telling| outline(telling, directory).as_ref() == Some(&wanted))
    {
        return None;
    }
    // Whoever has a passport among them is told of the line for critical journeys.
    let critical = |telling: &&&Telling| {
        let service = service(telling, directory);
        service.is_some_and(|service| service.kind.has_critical_line())
    };
    let mut text = (*tellings.iter().find(critical).unwrap_or(first)).clone();
    let mut starts: Vec<DateTime<Utc>> = tellings.iter().map(|t| t.change.old.start).collect();
    starts.sort_unstable();
    text.change.old.start = *starts.first()?;
    text.change.new.start = text.change.old.start;
    // What else this telephone has on that day is not known here, so the times are a list.
    let unbroken = false;
    text.particulars.bundle = Some(Bundle { starts, unbroken });
    Some(text)
}

fn service<'a>(telling: &Telling, directory: &'a Directory) -> Option<&'a Service> {
    directory.services.get(&telling.service)
}

/// A telling without what differs from appointment to appointment: equal ones have one text. `None`
/// for whatever no text speaks of in the plural.
fn outline(telling: &Telling, directory: &Directory) -> Option<Telling> {
    let plain = telling.purpose == Purpose::Cancellation
        && telling.digital_until.is_none()
        && !telling.particulars.neutral
        && !service(telling, directory)?.kind.is_immigration();
    if !plain {
        return None;
    }
    let zone = directory.offices.get(&telling.change.old.office)?.zone;
    let day = calendar::local_day(telling.change.old.start, zone);
    let mut outline = telling.clone();
    outline.change.old.start = day.and_time(chrono::NaiveTime::MIN).and_utc();
    outline.change.new.start = outline.change.old.start;
    outline.role = Role::Applicant;
    outline.service = ServiceId(String::new());
    (outline.particulars.born, outline.particulars.child) = (None, None);
    Some(outline)
}
