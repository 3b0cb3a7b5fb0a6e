//! The call list on paper: plain text of 80 columns, and the same for programs.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Places, hidden};
use crate::cli::bubble::wrapped;
use crate::cli::{moment, out};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::language::Language;
use crate::domain::notice::Purpose;
use crate::store::Call;

/// The width of the paper, in characters.
const COLUMNS: usize = 80;
/// How far the lines of an entry stand in.
const INDENT: &str = "    ";

/// What it takes to print a call.
pub(super) struct Printed<'a> {
    pub(super) places: Places<'a>,
    pub(super) now: DateTime<Utc>,
    /// Set for a door list.
    pub(super) door: Option<NaiveDate>,
}

impl Printed<'_> {
    pub(super) fn list(&self, calls: &[Call], stopped: usize) {
        self.head(calls.len());
        hidden(stopped).iter().for_each(|text| paragraph("", text));
        for call in calls {
            out::line("");
            self.entry(call);
        }
    }

    fn head(&self, count: usize) {
        let printed = moment::minute(self.now, self.places.zone);
        let count = match count {
            0 => "nobody".to_owned(),
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        };
        match self.door {
            Some(day) => paragraph(
                "",
                &format!(
                    "Door list for {day}, {count}, as of {printed}. Nobody here has a number that \
                     can be used: tell them when they come."
                ),
            ),
            None => paragraph("", &format!("Call list, {count}, as of {printed}.")),
        }
        if count != "nobody" {
            paragraph(
                "",
                "It shows personal data in clear: keep it from others, and destroy it when it is \
                 done. Tick off who was told: varsel call-list tick REFERENCE --by NAME",
            );
        }
    }

    fn entry(&self, call: &Call) {
        let person = &call.person;
        let old = &person.change.old;
        let number = call.number.as_ref().map(|number| number.to_dial());
        let number = number.as_deref().unwrap_or("no number: at the door");
        let zone = self.places.zone_of(&old.office);
        let due = match person.due_by <= self.now {
            true => "OVERDUE since",
            false => "before",
        };
        out::line(format_args!(
            "[ ] {}  {number:<22}  {due} {}",
            person.reference,
            moment::minute(person.due_by, zone),
        ));
        paragraph(INDENT, &self.what(call));
        let why: Vec<&str> = person.why.iter().map(|w| w.said(Language::En)).collect();
        paragraph(INDENT, &format!("{}.", why.join("; ")));
        let language = call.language.map_or("language unknown", spoken);
        paragraph(
            INDENT,
            &format!(
                "{} · {language} · booking {}/{}",
                person.role, person.source, person.key
            ),
        );
        if let Some(at) = call.machine_at {
            let times = call.machines;
            let text = format!(
                "Answering machine, {times} so far, last {}.",
                moment::minute(at, self.places.zone)
            );
            paragraph(INDENT, &text);
        }
    }

    /// What the person is to be told.
    fn what(&self, call: &Call) -> String {
        let person = &call.person;
        let (old, new) = (&person.change.old, &person.change.new);
        let service = self.places.service(&person.service);
        let (old, new) = (self.booking(old), self.booking(new));
        match person.purpose {
            Purpose::Cancellation => format!("CANCELLED ({service}): {old}"),
            Purpose::Change => format!("MOVED ({service}): from {old} to {new}"),
            Purpose::Reinstatement => format!("STANDS after all ({service}): {new}"),
            Purpose::Rebooking => format!("May book again ({service}); it was {old}"),
            Purpose::Correction => {
                format!("CORRECTION ({service}) of what we wrote about {old}; it is now {new}")
            }
            Purpose::DigitalInvitation => {
                format!("May apply online instead ({service}); the appointment was {old}")
            }
        }
    }

    fn booking(&self, state: &BookingState) -> String {
        let zone = self.places.zone_of(&state.office);
        let at = moment::minute(state.start, zone);
        format!("{at}, {}", self.places.name_of(&state.office))
    }

    pub(super) fn as_json(&self, call: &Call) -> Value {
        let person = &call.person;
        let booking = |state: &BookingState| {
            json!({
                "cancelled": state.standing == Standing::Cancelled,
                "start": instant(state.start),
                "office": state.office.0,
            })
        };
        let why = person.why.iter().map(|w| w.said(Language::En));
        json!({
            "reference": person.reference.as_str(),
            "phone": call.number.as_ref().map(|number| number.to_dial()),
            "due_by": instant(person.due_by),
            "not_after": instant(call.not_after),
            "office": call.office.0,
            "purpose": person.purpose.word(),
            "service": person.service.0,
            "old": booking(&person.change.old),
            "new": booking(&person.change.new),
            "role": person.role.to_string(),
            "source": person.source.0,
            "key": person.key.0,
            "language": call.language.map(Language::tag),
            "why": why.collect::<Vec<_>>(),
            "answering_machines": call.machines,
            "answering_machine_at": call.machine_at.map(instant),
        })
    }
}

fn spoken(language: Language) -> &'static str {
    match language {
        Language::Nb => "Bokmål",
        Language::Nn => "Nynorsk",
        Language::En => "English",
        Language::Se => "Northern Sámi",
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn paragraph(indent: &str, text: &str) {
    for row in wrapped(text, COLUMNS - indent.len()) {
        out::line(format_args!("{indent}{row}"));
    }
}
