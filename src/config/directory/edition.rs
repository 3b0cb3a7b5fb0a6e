//! Editions of offices.toml: what it says otherwise from a day on.
//!
//! An edition is the file as the day before knew it with some facts replaced, and is read and
//! checked as a whole like the file itself. It holds until the next one begins: no day has two, and
//! none is left without one. It adds no office and no service, and changes nothing that bookings are
//! understood by (zone, region, kind of case): such a change is one of the booking system as well.

use std::ops::Range;

use chrono::NaiveDate;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use super::file::Day;
use super::{Reader, unknown};
use crate::domain::directory::Edition;

/// The facts that an edition may replace, each as a whole.
const FACTS: [(&str, &[&str]); 4] = [
    ("districts", &["agency", "agency_full", "email_from"]),
    ("services", &["name", "stay_note"]),
    ("lines", &["phone", "hours", "section"]),
    (
        "offices",
        &[
            "name_sms",
            "name_full",
            "address",
            "email",
            "opening",
            "booking",
        ],
    ),
];

impl Reader<'_> {
    /// The editions in `written`, each on top of the one before it and the first on top of `file`.
    pub(super) fn editions<'i>(
        &mut self,
        mut file: Spanned<DeTable<'i>>,
        written: Spanned<DeValue<'i>>,
    ) -> Vec<Edition> {
        let mut editions: Vec<Edition> = Vec::new();
        let DeValue::Array(written_one_by_one) = written.get_ref() else {
            let problem = "an edition is a table of its own: [[edition]]";
            self.fault(&written.span(), problem);
            return editions;
        };
        for edition in written_one_by_one.iter() {
            let span = edition.span();
            let DeValue::Table(table) = edition.get_ref().clone() else {
                self.fault(&span, "an edition is a table of its own: [[edition]]");
                continue;
            };
            let Some(from) = self.replace(file.get_mut(), table, &span) else {
                continue;
            };
            if editions.last().is_some_and(|last| last.from >= from) {
                let problem = "editions stand in the order of their days, one for each day";
                self.fault(&span, problem);
            }
            // A fault of one edition would be told again by every later one.
            if !self.faults.is_empty() {
                break;
            }
            if let Some(directory) = self.whole(file.clone()) {
                editions.push(Edition { from, directory });
            }
        }
        editions
    }

    /// Puts the facts of an edition into the file; its first day, if it has one.
    fn replace<'i>(
        &mut self,
        file: &mut DeTable<'i>,
        edition: DeTable<'i>,
        span: &Range<usize>,
    ) -> Option<NaiveDate> {
        let mut from = None;
        let (mut begins, mut replaces) = (false, false);
        for (key, value) in edition {
            if key.get_ref() == "from" {
                begins = true;
                from = self.first_day(value);
                continue;
            }
            let Some((kind, facts)) = FACTS.iter().find(|(kind, _)| *kind == key.get_ref()) else {
                let known = FACTS.iter().map(|(kind, _)| *kind).chain(["from"]);
                self.fault(&key.span(), unknown("key", key.get_ref(), known));
                continue;
            };
            replaces = true;
            let standing = file.get_mut(*kind).map(Spanned::get_mut);
            let (Some(DeValue::Table(standing)), DeValue::Table(named)) =
                (standing, value.get_ref().clone())
            else {
                let problem = format!("the file has no {kind} that an edition could change");
                self.fault(&key.span(), problem);
                continue;
            };
            for (name, changed) in named {
                self.replace_in(standing, (&name, changed), (*kind, *facts));
            }
        }
        if !begins || !replaces {
            let problem = "an edition needs its first day (from = 2021-06-01) and the facts that \
                           change on it, such as [edition.lines.NAME]";
            self.fault(span, problem);
        }
        from
    }

    /// Replaces the facts of one line, office, service or district.
    fn replace_in<'i>(
        &mut self,
        standing: &mut DeTable<'i>,
        (name, changed): (&Spanned<DeString<'i>>, Spanned<DeValue<'i>>),
        (kind, facts): (&str, &[&str]),
    ) {
        let span = changed.span();
        let found = standing
            .get_mut(name.get_ref().as_ref())
            .map(Spanned::get_mut);
        let (Some(DeValue::Table(found)), DeValue::Table(changed)) = (found, changed.into_inner())
        else {
            let problem = format!(
                "\"{}\" is not among the {kind} of the file; what opens or closes is added or \
                 removed there",
                name.get_ref()
            );
            self.fault(&span, problem);
            return;
        };
        for (fact, value) in changed {
            if !facts.contains(&fact.get_ref().as_ref()) {
                let problem = format!(
                    "an edition cannot change {}; of {kind} it can change {}",
                    fact.get_ref(),
                    facts.join(", ")
                );
                self.fault(&fact.span(), problem);
            }
            found.remove(&fact);
            found.insert(fact, value);
        }
    }

    fn first_day(&mut self, value: Spanned<DeValue<'_>>) -> Option<NaiveDate> {
        let span = value.span();
        let day = Day::deserialize(ValueDeserializer::from(value));
        day.map(|day| day.0)
            .map_err(|error| self.fault(&span, error.message()))
            .ok()
    }
}
