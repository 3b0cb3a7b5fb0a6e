//! Sample cases: invented changes at the offices of a directory, one for every kind of text.
//!
//! `preview` shows them, the checks render them, and the tests compare them. They hold no person.

use chrono::{DateTime, Utc};

use self::stage::Scene;
use crate::domain::closing::NextStep;
use crate::domain::directory::{Directory, Office, Service, ServiceKind};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::plan::Telling;

mod stage;

/// One case with a name that people can type.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The name ("passport-cancelled-short-notice").
    pub name: &'static str,
    /// The facts.
    pub telling: Telling,
}

/// The samples a directory gives, as they would be told at `now`. What needs an office or a service
/// that the directory lacks is left out.
#[must_use]
pub fn samples(directory: &Directory, now: DateTime<Utc>) -> Vec<Sample> {
    let scene = Scene { directory, now };
    let groups = [
        passports(&scene),
        identity_cards(&scene),
        immigration(&scene),
        embassy(&scene),
        languages(&scene),
    ];
    groups.into_iter().flatten().collect()
}

fn sample(name: &'static str, telling: Telling) -> Sample {
    Sample { name, telling }
}

fn passports(scene: &Scene<'_>) -> Vec<Sample> {
    let Some(stage) = scene.stage(ServiceKind::Passport, false) else {
        return Vec::new();
    };
    let at = || stage.clone();
    let closed = |next| at().closed(next).cancelled();
    let mut found = vec![
        sample("passport-cancelled", closed(NextStep::Book)),
        sample("passport-cancelled-we-invite", closed(NextStep::WeInvite)),
        sample("passport-cancelled-next-phone", closed(NextStep::Phone)),
        sample("passport-cancelled-next-unknown", closed(NextStep::Unknown)),
        sample("passport-cancelled-office-closed", at().shut().cancelled()),
        sample("passport-cancelled-no-closing", at().cancelled()),
        sample(
            "passport-cancelled-short-notice",
            at().closed(NextStep::Book).soon().cancelled(),
        ),
        sample("passport-moved-time", at().moved(true, false)),
        sample("passport-reinstated", at().reinstated()),
    ];
    if let Some(stage) = scene.two_offices() {
        found.push(sample(
            "passport-moved-office",
            stage.clone().moved(false, true),
        ));
        found.push(sample("passport-moved-both", stage.moved(true, true)));
    }
    if let Some(stage) = scene.longest_names() {
        found.push(sample(
            "longest-names",
            stage.closed(NextStep::Book).cancelled(),
        ));
    }
    found
}

fn identity_cards(scene: &Scene<'_>) -> Vec<Sample> {
    let Some(stage) = scene.stage(ServiceKind::IdCard, false) else {
        return Vec::new();
    };
    let closed = stage.closed(NextStep::Book);
    vec![
        sample("id-card-cancelled", closed.clone().cancelled()),
        sample("id-card-cancelled-short-notice", closed.soon().cancelled()),
    ]
}

fn immigration(scene: &Scene<'_>) -> Vec<Sample> {
    let mut found = Vec::new();
    if let Some(stage) = scene.stage(ServiceKind::ResidencePermit, false) {
        let at = || stage.clone();
        let closed = at().closed(NextStep::Unknown);
        found.extend([
            sample("residence-cancelled", closed.cancelled()),
            sample(
                "residence-cancelled-submit-online",
                at().online().cancelled(),
            ),
            sample(
                "residence-cancelled-short-notice",
                at().soon().by_email().cancelled(),
            ),
            sample("residence-cancelled-without-email", at().soon().cancelled()),
            sample("residence-moved-time", at().moved(true, false)),
            sample("residence-reinstated", at().reinstated()),
        ]);
        if stage.may_be_online() {
            found.push(sample("residence-invitation", at().online().invited()));
        }
    }
    if let Some(stage) = scene.stage(ServiceKind::Citizenship, false) {
        let soon = stage.clone().soon().by_email();
        let closed = stage.closed(NextStep::Unknown);
        found.extend([
            sample("citizenship-cancelled", closed.cancelled()),
            sample("citizenship-cancelled-short-notice", soon.cancelled()),
        ]);
    }
    found
}

fn embassy(scene: &Scene<'_>) -> Vec<Sample> {
    let Some(stage) = scene.stage(ServiceKind::Passport, true) else {
        return Vec::new();
    };
    vec![
        sample(
            "embassy-cancelled",
            stage.clone().closed(NextStep::Book).cancelled(),
        ),
        sample("embassy-moved-time", stage.moved(true, false)),
    ]
}

/// The same message for people who read other languages.
fn languages(scene: &Scene<'_>) -> Vec<Sample> {
    let Some(stage) = scene.stage(ServiceKind::Passport, false) else {
        return Vec::new();
    };
    let closed = stage.closed(NextStep::Book);
    let told = |first, second| closed.clone().read_in(first, second).cancelled();
    vec![
        sample("english-first", told(Language::En, Some(Language::Nb))),
        sample("norwegian-only", told(Language::Nb, None)),
        sample("english-only", told(Language::En, None)),
    ]
}

/// Every case there can be for one service at one office, told in `languages`.
pub(super) fn every_case(
    directory: &Directory,
    office: &Office,
    service: &Service,
    languages: LanguagePair,
    now: DateTime<Utc>,
) -> Vec<Telling> {
    let scene = Scene { directory, now };
    let stage = scene
        .at(office, service)
        .read_in(languages.first, languages.second);
    let steps = [
        NextStep::Book,
        NextStep::WeInvite,
        NextStep::Phone,
        NextStep::Contact,
        NextStep::Unknown,
    ];
    let mut stages = vec![stage.clone(), stage.clone().shut()];
    stages.extend(steps.map(|next| stage.clone().closed(next)));
    let mut cases = Vec::new();
    for stage in stages {
        cases.push(stage.clone().cancelled());
        cases.push(stage.clone().soon().cancelled());
        cases.push(stage.clone().soon().by_email().cancelled());
        if stage.may_be_online() {
            cases.push(stage.clone().online().cancelled());
        }
    }
    cases.push(stage.clone().moved(true, false));
    cases.push(stage.clone().moved(false, true));
    cases.push(stage.clone().moved(true, true));
    cases.push(stage.clone().reinstated());
    cases.push(Telling {
        cancellation_sent_at: None,
        ..stage.clone().reinstated()
    });
    if stage.may_be_online() {
        cases.push(stage.online().invited());
    }
    cases
}

/// The cases that show what an office and a service of a directory lack, and what they cost.
pub(super) fn main_cases(
    directory: &Directory,
    office: &Office,
    service: &Service,
    languages: LanguagePair,
    now: DateTime<Utc>,
) -> Vec<Telling> {
    let scene = Scene { directory, now };
    let stage = scene
        .at(office, service)
        .read_in(languages.first, languages.second);
    let mut cases = vec![
        stage.clone().closed(NextStep::Book).cancelled(),
        stage.clone().soon().by_email().cancelled(),
        stage.clone().online().cancelled(),
        stage.clone().moved(true, false),
        stage.clone().reinstated(),
    ];
    let offers = |other: &&Office| {
        other.id != office.id && other.abroad == office.abroad && other.line(service.kind).is_some()
    };
    if directory.offices.values().any(|other| offers(&other)) {
        cases.push(stage.clone().moved(false, true));
        cases.push(stage.clone().moved(true, true));
    }
    if stage.may_be_online() {
        cases.push(stage.online().invited());
    }
    cases
}
