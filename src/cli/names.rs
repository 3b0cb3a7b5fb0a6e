//! Offices and services by their names, and times by the offices' own clocks, for verbs that show
//! appointments.

use std::sync::Arc;

use chrono_tz::Tz;

use super::moment;
use crate::config::Config;
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::directory::{Directory, OfficeId, ServiceId};
use crate::domain::language::{Language, Texts};

/// The directory's names.
pub(super) struct Names {
    directory: Arc<Directory>,
    /// The agency's own zone.
    pub(super) zone: Tz,
}

impl Names {
    /// Names are a courtesy: a broken directory hides nothing, and identifiers are shown.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            directory: config.directory().unwrap_or_default(),
            zone: config.file.agency.zone.0,
        }
    }

    pub(super) fn zone_of(&self, office: &OfficeId) -> Tz {
        let office = self.directory.offices.get(office);
        office.map_or(self.zone, |office| office.zone)
    }

    /// The office's short name.
    pub(super) fn office<'a>(&'a self, id: &'a OfficeId) -> &'a str {
        let office = self.directory.offices.get(id);
        office.map_or(&id.0, |office| english(&office.name_sms, &id.0))
    }

    pub(super) fn service<'a>(&'a self, id: &'a ServiceId) -> &'a str {
        let service = self.directory.services.get(id);
        service.map_or(&id.0, |service| english(&service.name, &id.0))
    }

    /// "Wed 24 Mar 2021 09:20 at Grønland (cancelled)".
    pub(super) fn booking(&self, state: &BookingState) -> String {
        let standing = match state.standing {
            Standing::Active => "stands",
            Standing::Cancelled => "cancelled",
        };
        format!("{} ({standing})", self.place(state))
    }

    /// "Wed 24 Mar 2021 09:20 at Grønland".
    pub(super) fn place(&self, state: &BookingState) -> String {
        let start = moment::minute(state.start, self.zone_of(&state.office));
        format!("{start} at {}", self.office(&state.office))
    }
}

fn english<'a>(texts: &'a Texts, otherwise: &'a str) -> &'a str {
    let found = texts.get(Language::En).or(texts.get(Language::Nb));
    found.unwrap_or(otherwise)
}
