//! Who must be phoned: the most urgent first, with the reasons, and no number in clear.

use serde::Serialize;

use super::{ZONE, office_name, service_name};
use crate::domain::calendar;
use crate::domain::directory::Directory;
use crate::domain::language::Language;
use crate::store::{MustBePhoned, ToPhone};

/// People shown.
pub(super) const SHOWN: u32 = 12;

#[derive(Serialize)]
pub(super) struct PhonedView {
    people: u32,
    shown: Vec<PersonView>,
    /// People who are not shown.
    more: u32,
}

#[derive(Serialize)]
struct PersonView {
    start: String,
    due_by: String,
    office: String,
    service: String,
    key: String,
    reference: String,
    phone: Option<String>,
    why: Vec<WhyView>,
}

#[derive(Serialize)]
struct WhyView {
    nb: &'static str,
    en: &'static str,
}

impl PhonedView {
    pub(super) fn of(directory: &Directory, list: &MustBePhoned) -> Self {
        let shown = u32::try_from(list.first.len()).unwrap_or(u32::MAX);
        let person = |person| person_view(directory, person);
        Self {
            people: list.people,
            shown: list.first.iter().map(person).collect(),
            more: list.people.saturating_sub(shown),
        }
    }
}

fn person_view(directory: &Directory, person: &ToPhone) -> PersonView {
    let expected = &person.change.old;
    let office = directory.offices.get(&expected.office);
    let zone = office.map_or(ZONE, |office| office.zone);
    let said = |at| calendar::day_time(Language::Nb, at, zone);
    let why = person.why.iter().map(|why| WhyView {
        nb: why.said(Language::Nb),
        en: why.said(Language::En),
    });
    PersonView {
        start: said(expected.start),
        due_by: said(person.due_by),
        office: office_name(directory, &expected.office),
        service: service_name(directory, &person.service),
        key: person.key.0.clone(),
        reference: person.reference.to_string(),
        phone: person.phone.clone(),
        why: why.collect(),
    }
}
