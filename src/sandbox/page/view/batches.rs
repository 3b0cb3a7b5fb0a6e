//! The batches that the brake holds, as a person must see them before a release.

use serde::Serialize;

use super::tally::{people_en, people_nb};
use super::{office_name, time, time_en, unbroken};
use crate::domain::brake::Braked;
use crate::domain::directory::Directory;
use crate::domain::message::Channel;
use crate::sandbox::mail::readable;
use crate::store::Batch;

#[derive(Serialize)]
pub(super) struct BatchView {
    id: i64,
    version: u32,
    people: u32,
    people_nb: String,
    people_en: String,
    releasing: bool,
    held_at: String,
    held_at_en: String,
    first_due_by: Option<String>,
    first_due_by_en: Option<String>,
    why: &'static str,
    why_en: &'static str,
    offices: Vec<OfficeCount>,
    samples: Vec<SampleView>,
}

/// A message as a person would read it, drawn as what it is.
#[derive(Serialize)]
struct SampleView {
    text: String,
    is_email: bool,
}

#[derive(Serialize)]
struct OfficeCount {
    office: String,
    people: u32,
}

pub(super) fn batch_view(directory: &Directory, batch: &Batch) -> BatchView {
    let (why, why_en) = match batch.braked {
        Braked::TooMany => (
            "Det er flere endringer i én lesing enn grensen tillater.",
            "There are more changes in one poll than the limit allows.",
        ),
        Braked::TooLargeAShare => (
            "En for stor andel av alle kjente timer er endret på én gang.",
            "Too large a share of all known appointments changed at once.",
        ),
        Braked::MappingChanged => (
            "Koblingen til bookingsystemet er endret, og endringene kan komme av det.",
            "The mapping of the booking system was changed, and the changes may come from that.",
        ),
        Braked::TooManyInAnHour => (
            "Det er flere endringer på én time enn grensen tillater.",
            "There are more changes within an hour than the limit allows.",
        ),
        Braked::TooLargeAShareInAnHour => (
            "En for stor andel av alle kjente timer er endret på én time.",
            "Too large a share of all known appointments changed within an hour.",
        ),
        Braked::Shrunk => (
            "En stor del av timene mangler i bookingsystemet.",
            "A large share of the appointments is missing from the booking system.",
        ),
        Braked::UniformShift => (
            "Alle timer er flyttet like langt. Det ligner en feil i tidssonen.",
            "All times were moved by the same length. It looks like a wrong time zone.",
        ),
        Braked::Restored => (
            "En eldre sikkerhetskopi er lagt tilbake, og de kan ha fått beskjed allerede.",
            "An older backup was put back, and they may have been told already.",
        ),
        Braked::ZeroRows => (
            "Bookingsystemet viser plutselig ingen timer i det hele tatt.",
            "The booking system suddenly shows no appointments at all.",
        ),
    };
    let offices = batch.offices.iter().map(|(office, people)| OfficeCount {
        office: office_name(directory, office),
        people: *people,
    });
    BatchView {
        id: batch.id.0,
        version: batch.version,
        people: batch.people,
        people_nb: people_nb(batch.people),
        people_en: people_en(batch.people),
        releasing: batch.releasing,
        held_at: time(batch.held_at),
        held_at_en: time_en(batch.held_at),
        first_due_by: batch.first_due_by.map(time),
        first_due_by_en: batch.first_due_by.map(time_en),
        why,
        why_en,
        offices: offices.collect(),
        samples: batch
            .samples
            .iter()
            .map(|sample| SampleView {
                text: unbroken(&readable(sample)),
                is_email: sample.channel == Channel::Email,
            })
            .collect(),
    }
}
