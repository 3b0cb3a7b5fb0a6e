//! The phones: the messages of the gateway, gathered by number, each as a bubble with its cost.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{kroner, kroner_en, time, unbroken};
use crate::domain::contact::Phone;
use crate::domain::segments::Encoding;
use crate::sandbox::gateway::{Gateway, Sms, SmsState};

/// Phones shown.
const PHONES: usize = 12;
/// Bubbles shown on one phone, the newest last.
const BUBBLES: usize = 5;

/// The phones that got a message last.
#[derive(Serialize)]
pub(super) struct PhonesView {
    shown: Vec<PhoneView>,
    /// Phones that the search finds, shown or not.
    found: usize,
    messages: u64,
    parts: u64,
}

#[derive(Serialize)]
struct PhoneView {
    name: String,
    number: String,
    bubbles: Vec<Bubble>,
    /// Older messages that are not shown.
    older: usize,
}

#[derive(Serialize)]
struct Bubble {
    number: u64,
    from: String,
    text: String,
    time: String,
    parts: usize,
    encoding: &'static str,
    units: usize,
    room: usize,
    state: &'static str,
    said: &'static str,
    said_en: &'static str,
    cost: String,
    cost_en: String,
    repeats: u32,
}

impl PhonesView {
    pub(super) fn of(
        gateway: &Gateway,
        names: &BTreeMap<String, String>,
        search: &str,
        part_price_ore: u32,
    ) -> Self {
        let newest = gateway.newest();
        let name = |sms: &Sms| names.get(&sms.to).cloned().unwrap_or_default();
        let mut order: Vec<&str> = Vec::new();
        let mut by_phone: BTreeMap<&str, Vec<&Sms>> = BTreeMap::new();
        for sms in newest.iter().filter(|sms| fits(sms, &name(sms), search)) {
            let bubbles = by_phone.entry(&sms.to).or_default();
            if bubbles.is_empty() {
                order.push(&sms.to);
            }
            bubbles.push(sms);
        }
        let shown = order.iter().take(PHONES).filter_map(|number| {
            let sms = by_phone.get(number)?;
            let bubbles = sms.iter().take(BUBBLES).rev();
            Some(PhoneView {
                name: name(sms.first()?),
                number: Phone::from_stored(number).to_string(),
                bubbles: bubbles.map(|sms| bubble(sms, part_price_ore)).collect(),
                older: sms.len().saturating_sub(BUBBLES),
            })
        });
        let taken = gateway.taken();
        Self {
            shown: shown.collect(),
            found: order.len(),
            messages: taken.messages,
            parts: taken.parts,
        }
    }
}

fn fits(sms: &Sms, name: &str, search: &str) -> bool {
    let among = |text: &str| text.to_lowercase().contains(search);
    search.is_empty() || among(&sms.to) || among(name) || among(&sms.text)
}

fn bubble(sms: &Sms, part_price_ore: u32) -> Bubble {
    let (encoding, alone, part) = match sms.segments.encoding {
        Encoding::Gsm7 => ("GSM-7", 160, 153),
        Encoding::Ucs2 => ("UCS-2", 70, 67),
    };
    let parts = sms.segments.parts;
    let cost = parts as u64 * u64::from(part_price_ore);
    let (said, said_en) = match sms.state {
        SmsState::Accepted => ("på vei", "on its way"),
        SmsState::Delivered => ("levert", "delivered"),
        SmsState::Undelivered => ("ikke levert", "not delivered"),
        SmsState::Buffered => ("telefonen er av", "the phone is off"),
    };
    Bubble {
        number: sms.number,
        from: sms.from.clone(),
        text: unbroken(&sms.text),
        time: time(sms.at),
        parts,
        encoding,
        units: sms.segments.units,
        room: if parts == 1 { alone } else { part * parts },
        state: sms.state.word(),
        said,
        said_en,
        cost: kroner(cost),
        cost_en: kroner_en(cost),
        repeats: sms.repeats,
    }
}
