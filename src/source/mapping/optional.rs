//! What few sources say of an appointment: whom to write to beside or in place of the applicant, whom
//! not to write to, and what some texts need.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::Mapping;
use crate::domain::about::{About, Invited, MOST_UID_BYTES};
use crate::domain::appointment::Standing;
use crate::domain::contact::{Contact, Email, Regions};
use crate::domain::directory::Office;
use crate::domain::language::Language;
use crate::domain::recipient::{Recipient, Role};
use crate::source::row::{Column, Fault, Raw, shown};

/// From this birthday on a person is told themself.
const ADULT_AGE: u32 = 18;

/// No birthday is earlier.
const FIRST_YEAR: i32 = 1900;

/// A guardian of a minor: by which key we know them, where they are reached, and in which language.
struct Guardian {
    key: &'static str,
    phone: Column,
    email: Column,
    language: Column,
}

const GUARDIANS: [Guardian; 2] = [
    Guardian {
        key: "1",
        phone: Column::GuardianPhone,
        email: Column::GuardianEmail,
        language: Column::GuardianLanguage,
    },
    Guardian {
        key: "2",
        phone: Column::Guardian2Phone,
        email: Column::Guardian2Email,
        language: Column::Guardian2Language,
    },
];

impl Mapping {
    /// What is said of an appointment beside its state.
    pub(super) fn about(raw: &Raw, standing: Standing) -> Result<About, Fault> {
        let cancelled = standing == Standing::Cancelled;
        Ok(About {
            protected: truth(raw, Column::Protected)?,
            do_not_contact: truth(raw, Column::DoNotContact)?,
            obstacle: truth(raw, Column::Obstacle)?,
            canceller_unknown: cancelled && raw.text(Column::ChangedBy)? == "unknown",
            listed: false,
            born: born(raw)?,
            // What is wrong with these is told beside the row, which does not depend on them.
            choose_by: choose_by(raw).unwrap_or_default().filter(|_| cancelled),
            invited: invited(raw).unwrap_or_default(),
        })
    }

    /// Whom to tell: the person the row names, or the guardians where they are a minor; and the
    /// interpreter, who need not come either.
    pub(super) fn recipients(
        &self,
        raw: &Raw,
        office: &Office,
        start: DateTime<Utc>,
        language: Option<Language>,
    ) -> Result<Vec<Recipient>, Fault> {
        let of = |role, phone, email, language| Recipient {
            role,
            contact: self.contact(raw, office, phone, email),
            language,
        };
        let reached = |person: &Recipient| !person.contact.is_empty();
        let day = start.with_timezone(&office.zone).date_naive();
        let is_adult = born(raw)?
            .is_some_and(|born| day.years_since(born).is_some_and(|age| age >= ADULT_AGE));
        let guardians = GUARDIANS.into_iter().map(|guardian| {
            let role = Role::Guardian(guardian.key.to_owned());
            // What is wrong with it is told beside the row.
            let own = self.language(raw, guardian.language).unwrap_or_default();
            of(role, guardian.phone, guardian.email, own.or(language))
        });
        let mut people: Vec<Recipient> = guardians
            .filter(|guardian| !is_adult && reached(guardian))
            .collect();
        if people.is_empty() {
            let role = role(raw)?;
            people.push(of(role, Column::Phone, Column::Email, language));
        }
        let (phone, email) = (Column::InterpreterPhone, Column::InterpreterEmail);
        let interpreter = of(Role::Interpreter, phone, email, None);
        if reached(&interpreter) && people.iter().all(|p| p.role != Role::Interpreter) {
            people.push(interpreter);
        }
        Ok(people)
    }

    /// What is wrong with the languages of guardians.
    pub(super) fn guardians_languages(&self, raw: &Raw) -> impl Iterator<Item = Fault> {
        let read = |guardian: Guardian| self.language(raw, guardian.language).err();
        GUARDIANS.into_iter().filter_map(read)
    }

    fn contact(&self, raw: &Raw, office: &Office, phone: Column, email: Column) -> Contact {
        let regions = Regions {
            default: match office.region.as_str() {
                "" => &self.words.region,
                region => region,
            },
            plausible: &office.plausible_regions,
        };
        // Bytes that are no text are an address nobody can use, not an address that is missing.
        let text = |column| raw.text(column).unwrap_or("\u{fffd}");
        Contact::read(Some(text(phone)), Some(text(email)), regions)
    }
}

/// The role of the person whom the row names.
fn role(raw: &Raw) -> Result<Role, Fault> {
    let Some(word) = raw.given(Column::Role)? else {
        return Ok(Role::Applicant);
    };
    Role::from_str(word).map_err(|_| {
        let roles = "applicant, guardian:KEY, representative and interpreter";
        Fault::new(Column::Role, format!("{} is none of {roles}", shown(word)))
    })
}

/// A birthday. It is never repeated in a fault.
fn born(raw: &Raw) -> Result<Option<NaiveDate>, Fault> {
    let Some(text) = raw.given(Column::Born)? else {
        return Ok(None);
    };
    match day(text).filter(|day| day.year() >= FIRST_YEAR) {
        Some(day) => Ok(Some(day)),
        None => {
            let problem = "the value is no day; days are written like 2014-05-01";
            Err(Fault::new(Column::Born, problem.to_owned()))
        }
    }
}

/// The day by which the office asks the person to choose a new time.
pub(super) fn choose_by(raw: &Raw) -> Result<Option<NaiveDate>, Fault> {
    let Some(text) = raw.given(Column::ChooseBy)? else {
        return Ok(None);
    };
    let no_day = || {
        let problem = format!(
            "{} is no day; days are written like 2021-04-23",
            shown(text)
        );
        Fault::new(Column::ChooseBy, problem)
    };
    day(text).ok_or_else(no_day).map(Some)
}

/// A day, or the day of a time.
fn day(text: &str) -> Option<NaiveDate> {
    text.get(..10).and_then(|day| NaiveDate::from_str(day).ok())
}

/// The invitation that stands in the person's calendar, where both of what names it are there.
pub(super) fn invited(raw: &Raw) -> Result<Option<Invited>, Fault> {
    let remedy = "until it is, mails have no calendar part";
    let uid = raw.given(Column::CalendarUid)?;
    let fits = |uid: &str| uid.len() <= MOST_UID_BYTES && uid.bytes().all(|b| b.is_ascii_graphic());
    if uid.is_some_and(|uid| !fits(uid)) {
        let problem = format!(
            "the value is no UID of 1 to {MOST_UID_BYTES} visible ASCII characters; {remedy}"
        );
        return Err(Fault::new(Column::CalendarUid, problem));
    }
    let organizer = raw.given(Column::CalendarOrganizer)?.map(|address| {
        // As calendars write it (RFC 5545, 3.8.4.3).
        let scheme = address
            .get(..7)
            .filter(|s| s.eq_ignore_ascii_case("mailto:"));
        Email::read(scheme.map_or(address, |scheme| &address[scheme.len()..]))
    });
    let organizer = organizer.transpose().map_err(|_| {
        let problem = format!("the value is no e-mail address; {remedy}");
        Fault::new(Column::CalendarOrganizer, problem)
    })?;
    let uid = uid.map(str::to_owned);
    let both = uid.zip(organizer);
    Ok(both.map(|(uid, organizer)| Invited { uid, organizer }))
}

/// Whether a column that says yes or no says yes; nothing means no.
pub(super) fn truth(raw: &Raw, column: Column) -> Result<bool, Fault> {
    match raw.text(column)?.to_ascii_lowercase().as_str() {
        "" | "0" | "f" | "false" | "n" | "no" => Ok(false),
        "1" | "t" | "true" | "y" | "yes" => Ok(true),
        other => {
            let problem = format!("{} is neither true nor false", shown(other));
            Err(Fault::new(column, problem))
        }
    }
}
