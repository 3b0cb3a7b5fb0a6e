//! What a closing says beside the messages: the notice for the agency's web page, the words of a call
//! and those for an answering machine. They are made of the same closing and the same blocks, so
//! that they never contradict what people receive.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::{RenderError, Templates, facts};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::closing::Closing;
use crate::domain::directory::{Directory, Office, Service, ServiceKind};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::notice::Purpose;
use crate::domain::plan::{Particulars, Telling};
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;

/// What a closing says in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingNotice {
    /// For the agency's web page.
    pub web: String,
    /// What a caller says, by kind of case; three dots stand where the call list says the rest.
    pub calls: BTreeMap<ServiceKind, String>,
    /// What a caller leaves on an answering machine: neither service nor what has happened.
    pub machine: String,
}

/// A case of the closing, as an example to write it with.
struct Example<'a> {
    office: &'a Office,
    service: &'a Service,
}

impl Templates {
    /// The web notice and the call script of a closing in `language`, as of `now`.
    ///
    /// # Errors
    /// When the directory lacks something that is said, or a text has no such language.
    pub fn closing_notice(
        &self,
        closing: &Closing,
        directory: &Directory,
        language: Language,
        now: DateTime<Utc>,
    ) -> Result<ClosingNotice, RenderError> {
        let examples = examples(closing, directory);
        let write = |example: &Example<'_>, block: &str| -> Result<String, RenderError> {
            let telling = telling(closing, directory, example, (language, now));
            let nobody = Reference::draw(0);
            let facts = facts::facts(&telling, directory, nobody, language, &[language])?;
            let text = self.block(block, language, &facts)?;
            Ok(tidy(&text))
        };
        // Where passports are concerned, their line and not that of identity cards is named.
        let by_kind = |immigration: bool| {
            let of_it = examples.values();
            let of_it = of_it.filter(|e| e.service.kind.is_immigration() == immigration);
            of_it.max_by_key(|e| {
                (
                    e.service.kind.has_critical_line(),
                    e.service.kind.may_be_digital(),
                )
            })
        };
        let first = by_kind(false).or(by_kind(true));
        let first = first.ok_or_else(|| {
            RenderError("no office of this closing serves any case that it concerns".to_owned())
        })?;
        let mut web = vec![write(first, "web_head")?];
        if let Some(example) = by_kind(false) {
            web.push(write(example, "web_passport")?);
        }
        if let Some(example) = by_kind(true) {
            web.push(write(example, "web_immigration")?);
        }
        web.push(write(first, "web_genuine")?);
        let mut calls = BTreeMap::new();
        for (kind, example) in &examples {
            calls.insert(*kind, write(example, "call_script")?);
        }
        Ok(ClosingNotice {
            web: web.join("\n\n"),
            calls,
            machine: write(first, "answering_machine")?,
        })
    }
}

/// One case of each kind that the closing concerns and one of its offices serves.
fn examples<'a>(closing: &Closing, directory: &'a Directory) -> BTreeMap<ServiceKind, Example<'a>> {
    let mut examples = BTreeMap::new();
    for service in directory.services.values() {
        let concerned = closing.kinds.is_empty() || closing.kinds.contains(&service.kind);
        let offices = closing
            .offices
            .iter()
            .filter_map(|id| directory.offices.get(id));
        let mut serving = offices.filter(|office| office.line(service.kind).is_some());
        if let (true, Some(office)) = (concerned, serving.next()) {
            let example = Example { office, service };
            examples.entry(service.kind).or_insert(example);
        }
    }
    examples
}

/// The cancellation of that case on the closing's first day.
fn telling(
    closing: &Closing,
    directory: &Directory,
    example: &Example<'_>,
    (language, now): (Language, DateTime<Utc>),
) -> Telling {
    let (office, service) = (example.office, example.service);
    let noon = closing.from.and_hms_opt(12, 0, 0);
    let start = noon.map_or(now, |noon| calendar::instant(noon, office.zone));
    let state = |standing| BookingState {
        standing,
        start,
        office: office.id.clone(),
    };
    let today = calendar::local_day(now, office.zone);
    let route = directory.digital_route(&service.id, &office.id, today);
    Telling {
        purpose: Purpose::Cancellation,
        change: Change {
            kind: ChangeKind::Cancelled,
            old: state(Standing::Active),
            new: state(Standing::Cancelled),
        },
        service: service.id.clone(),
        role: Role::Applicant,
        short_notice: false,
        closing: Some(closing.clone()),
        digital_until: route.map(|route| {
            let until = now + Duration::days(route.days.into());
            calendar::local_day(until, office.zone)
        }),
        cancellation_sent_at: None,
        beside_email: false,
        languages: LanguagePair {
            first: language,
            second: None,
        },
        decided_at: now,
        particulars: Particulars::default(),
    }
}

/// No spaces at the ends of lines, no two empty lines, and none at the ends.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n")
}
