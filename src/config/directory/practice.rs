//! Reads how districts and offices work: guidelines, hours, bookings, passports, and how long each
//! fact holds.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::NaiveDate;
use toml::Spanned;

use super::file::{
    ApplicationToml, BookingToml, FeeToml, GuidelinesToml, OfficeToml, PassportsToml,
};
use super::{Reader, unknown};
use crate::domain::directory::{
    Application, Booking, District, DistrictId, Fee, PassportPractice, Practice, ServiceKind,
    Validity, VisitGuidelines,
};
use crate::domain::hours::Holidays;

impl Reader<'_> {
    /// Gives each district its versions of the national guidelines, with its own additions.
    pub(super) fn guidelines(
        &mut self,
        versions: Vec<GuidelinesToml>,
        districts: &mut BTreeMap<DistrictId, District>,
    ) {
        for mut version in versions {
            let validity = self.validity(version.from.as_ref(), version.until.as_ref());
            let known: Vec<String> = districts.keys().map(|id| id.0.clone()).collect();
            let local_of = std::mem::take(&mut version.local);
            let mut local: BTreeMap<String, (Range<usize>, _)> = local_of
                .into_iter()
                .map(|(id, lines)| (id.get_ref().clone(), (id.span(), lines.into_texts())))
                .collect();
            for id in &version.districts {
                let Some(district) = districts.get_mut(&DistrictId(id.get_ref().clone())) else {
                    let problem =
                        unknown("district", id.get_ref(), known.iter().map(String::as_str));
                    self.fault(&id.span(), problem);
                    continue;
                };
                let version_name = version.version.get_ref();
                let twice = |other: &&VisitGuidelines| other.validity.overlaps(&validity);
                if let Some(other) = district.visit.iter().find(twice) {
                    let problem = format!(
                        "versions \"{}\" and \"{version_name}\" hold for the same days; end one \
                         before the other begins",
                        other.version
                    );
                    self.fault(&version.version.span(), problem);
                }
                district.visit.push(VisitGuidelines {
                    version: version_name.clone(),
                    distance_metres: version.distance_metres,
                    local: local.remove(id.get_ref()).map(|(_, texts)| texts),
                    validity,
                });
            }
            for (id, (span, _)) in local {
                let problem = format!("\"{id}\" is not among the districts of these guidelines");
                self.fault(&span, problem);
            }
        }
    }

    /// The rest of what an office tells; taken out of the table so that each text moves once.
    pub(super) fn practice(&mut self, toml: &mut OfficeToml) -> Practice {
        let local = toml.closed_days.iter().map(|day| day.0).collect();
        let passports = std::mem::take(&mut toml.passports);
        if let Some(fee) = passports.first().and_then(|p| p.fee_from_16.as_ref())
            && !toml.abroad
        {
            let problem = "only the texts of an office abroad speak of fees; remove the table";
            self.fault(&fee.span(), problem);
        }
        Practice {
            opening: toml.opening.take().map(|hours| hours.into_inner().0),
            holidays: Holidays {
                norwegian: toml.norwegian_holidays,
                local,
            },
            booking: toml.booking.take().map(|booking| self.booking(booking)),
            passports: self.passports(passports),
        }
    }

    fn booking(&mut self, toml: Spanned<BookingToml>) -> Booking {
        let toml = toml.into_inner();
        Booking {
            way: toml.way.into(),
            how: toml.how.map(|how| self.words(&how)),
        }
    }

    fn passports(&mut self, versions: Vec<PassportsToml>) -> Vec<PassportPractice> {
        let mut read: Vec<PassportPractice> = Vec::new();
        for toml in versions {
            let validity = self.validity(toml.from.as_ref(), toml.until.as_ref());
            let begins = toml.from.as_ref().or(toml.until.as_ref());
            let span = begins.map_or(0..0, Spanned::span);
            if read.iter().any(|other| other.validity.overlaps(&validity)) {
                let problem =
                    "two versions hold for the same days; end one before the other begins";
                self.fault(&span, problem);
            }
            if let (Some(fee), None) | (None, Some(fee)) = (&toml.fee_from_16, &toml.fee_under_16) {
                let problem = "the text names both fees: give fee_from_16 (the 16th birthday \
                               included) and fee_under_16, or neither";
                self.fault(&fee.span(), problem);
            }
            read.push(PassportPractice {
                validity,
                fee_from_16: toml.fee_from_16.map(|fee| self.fee(fee)),
                fee_under_16: toml.fee_under_16.map(|fee| self.fee(fee)),
                cash: toml.cash,
                number_required: toml.number_required,
                production_time: toml.production_time.map(|time| self.words(&time)),
                emergency: toml.emergency,
            });
        }
        read
    }

    fn fee(&mut self, toml: Spanned<FeeToml>) -> Fee {
        let toml = toml.into_inner();
        let currency = toml.currency.get_ref();
        if currency.len() != 3 || !currency.chars().all(|c| c.is_ascii_uppercase()) {
            let problem = "a currency is three capital letters (ISO 4217), such as \"NOK\"";
            self.fault(&toml.currency.span(), problem);
        }
        Fee {
            amount: toml.amount,
            currency: toml.currency.into_inner(),
        }
    }

    pub(super) fn application(
        &mut self,
        kind: ServiceKind,
        toml: Option<Spanned<ApplicationToml>>,
    ) -> Option<Application> {
        let toml = toml?;
        if !kind.has_critical_line() {
            self.fault(
                &toml.span(),
                "only passports are new, replacement or emergency",
            );
        }
        Some(toml.into_inner().into())
    }

    pub(super) fn validity(
        &mut self,
        from: Option<&Spanned<NaiveDate>>,
        until: Option<&Spanned<NaiveDate>>,
    ) -> Validity {
        let day = |day: &Spanned<NaiveDate>| *day.get_ref();
        let validity = Validity {
            from: from.map(day),
            until: until.map(day),
        };
        if let (Some(from), Some(end)) = (validity.from, until)
            && *end.get_ref() < from
        {
            self.fault(&end.span(), "the last day stands before the first one");
        }
        validity
    }
}
