//! Bundles what one record writes for one address: a family's appointments of one day in one SMS, and
//! one message for guardians who share a telephone or mailbox. Each notice stays what it is.
//!
//! It looks at one record alone: what is found in another look at the source goes by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::Shared;
use crate::domain::calendar;
use crate::domain::contact::Address;
use crate::domain::directory::OfficeId;
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;
use crate::domain::plan::{MOST_IN_ONE, Telling, in_one_text, same_words};
use crate::store::{Entry, NewBundle, NewMessage, NewNotice};

/// Where a message stands in a record: entry, notice, message.
type Place = (usize, usize, usize);

/// Only what agrees in all of this can share a hand-over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kin {
    channel: Channel,
    address: Address,
    purpose: Purpose,
    occasion: u32,
    office: OfficeId,
    day: Option<NaiveDate>,
    sender: String,
    not_before: DateTime<Utc>,
}

/// One message that may share a hand-over.
struct Candidate<'a> {
    place: Place,
    notice: &'a NewNotice,
    message: &'a NewMessage,
    telling: &'a Telling,
}

/// Marks the messages of a record that one text tells together.
pub fn bundle(shared: &Shared, entries: &mut [Entry]) {
    let mut marks = Vec::new();
    for kin in kin(shared, entries)
        .into_values()
        .filter(|kin| kin.len() > 1)
    {
        for family in kin.chunks(MOST_IN_ONE) {
            match family_text(shared, family) {
                Some(text) => marks.extend(marked(family, text)),
                None => marks.extend(guardians(family)),
            }
        }
    }
    for ((entry, notice, message), bundle) in marks {
        entries[entry].notices[notice].messages[message].bundle = Some(bundle);
    }
}

/// The messages of each address, the earliest appointment first.
fn kin<'a>(shared: &Shared, entries: &'a [Entry]) -> BTreeMap<Kin, Vec<Candidate<'a>>> {
    let mut found: BTreeMap<Kin, Vec<Candidate<'_>>> = BTreeMap::new();
    for (e, entry) in entries.iter().enumerate() {
        for (n, notice) in entry.notices.iter().enumerate() {
            let Some(telling) = notice.telling.as_deref() else {
                continue;
            };
            for (m, message) in notice.messages.iter().enumerate() {
                if message.channel == Channel::Phone || message.address == Address::None {
                    continue;
                }
                let old = &telling.change.old;
                let office = shared.directory.offices.get(&old.office);
                let kin = Kin {
                    channel: message.channel,
                    address: message.address.clone(),
                    purpose: notice.purpose,
                    occasion: notice.occasion,
                    office: old.office.clone(),
                    day: office.map(|office| calendar::local_day(old.start, office.zone)),
                    sender: message.sender.clone(),
                    not_before: message.not_before,
                };
                found.entry(kin).or_default().push(Candidate {
                    place: (e, n, m),
                    notice,
                    message,
                    telling,
                });
            }
        }
    }
    for kin in found.values_mut() {
        kin.sort_by_key(|one| (one.telling.change.old.start, one.place));
    }
    found
}

/// The SMS that tells all of a family's appointments, where it takes fewer parts than theirs together.
fn family_text(shared: &Shared, family: &[Candidate<'_>]) -> Option<Vec<u8>> {
    let first = family
        .first()
        .filter(|one| one.message.channel == Channel::Sms)?;
    let several = family.iter().any(|one| one.place.0 != first.place.0);
    let mut tellings: Vec<(usize, &Telling)> = family
        .iter()
        .map(|one| (one.place.0, one.telling))
        .collect();
    // Its guardians may believe different times of one appointment.
    tellings.dedup_by_key(|(entry, telling)| (*entry, telling.change.old.start));
    let tellings: Vec<&Telling> = tellings.into_iter().map(|(_, telling)| telling).collect();
    let everyone: Vec<&Telling> = family.iter().map(|one| one.telling).collect();
    in_one_text(&everyone, &shared.directory).filter(|_| several)?;
    let telling = in_one_text(&tellings, &shared.directory)?;
    let reference = first.notice.reference;
    let sms = shared.templates.sms(&telling, &shared.directory, reference);
    let sms = match sms {
        Ok(sms) => sms,
        Err(error) => {
            tracing::warn!("told one by one, since a text for several could not be made: {error}");
            return None;
        }
    };
    let parts = |one: &Candidate<'_>| one.message.segments.as_ref().map_or(0, |s| s.parts);
    let alone: usize = family.iter().map(parts).sum();
    (sms.segments.parts < alone).then(|| sms.text.into_bytes())
}

/// The same words for the guardians of each appointment: those of the first.
fn guardians(family: &[Candidate<'_>]) -> Vec<(Place, NewBundle)> {
    let of_one = family.chunk_by(|a, b| a.place.0 == b.place.0);
    let same = of_one.filter(|one| {
        let tellings: Vec<&Telling> = one.iter().map(|one| one.telling).collect();
        same_words(&tellings)
    });
    same.flat_map(|one| marked(one, one[0].message.body.clone()))
        .collect()
}

fn marked(family: &[Candidate<'_>], text: Vec<u8>) -> Vec<(Place, NewBundle)> {
    let Some((first, others)) = family.split_first() else {
        return Vec::new();
    };
    let bundle = NewBundle {
        lead: first.message.gateway_key.clone(),
        others: u32::try_from(others.len()).unwrap_or(u32::MAX),
        text,
    };
    let each = family.iter().map(|one| (one.place, bundle.clone()));
    each.collect()
}
