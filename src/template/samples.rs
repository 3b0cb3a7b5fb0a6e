//! Sample cases: invented changes at the offices of a directory, one for every kind of text.
//!
//! `preview` shows them, the checks render them, and the tests compare them. They hold no person.

use chrono::{DateTime, Utc};

use self::stage::{Scene, Stage};
use crate::domain::closing::NextStep;
use crate::domain::directory::{Directory, Office, Service, ServiceKind};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::plan::{Correction, Telling};

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
        particular(&scene),
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
    found.extend(
        at().moved_in_the_night_of_the_clocks()
            .map(|telling| sample("passport-moved-clock-change", telling)),
    );
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
        // As where the service itself is sensitive, and the directory says so.
        let neutral = || at().with(|say| say.neutral = true);
        let closed = || neutral().closed(NextStep::Unknown);
        found.extend([
            sample("neutral-residence-cancelled", closed().cancelled()),
            sample(
                "neutral-residence-cancelled-short-notice",
                closed().soon().by_email().cancelled(),
            ),
            sample("neutral-residence-moved-time", neutral().moved(true, false)),
            sample("neutral-residence-reinstated", neutral().reinstated()),
            sample("neutral-residence-rebooking", neutral().reopened()),
        ]);
        if stage.may_be_online() {
            found.push(sample("residence-invitation", at().online().invited()));
            let obstacle = at().with(|say| say.obstacle = true);
            found.push(sample("residence-cancelled-obstacle", obstacle.cancelled()));
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
        sample("embassy-moved-time", stage.clone().moved(true, false)),
        sample(
            "embassy-moved-time-adult",
            stage.clone().aged(34).moved(true, false),
        ),
        sample(
            "embassy-moved-time-toddler",
            stage.aged(2).moved(true, false),
        ),
    ]
}

/// A child, a protected person, a bundle, a mistake of ours.
fn particular(scene: &Scene<'_>) -> Vec<Sample> {
    let Some(stage) = scene.stage(ServiceKind::Passport, false) else {
        return Vec::new();
    };
    let closed = || stage.clone().closed(NextStep::Book);
    let child = |name: &str| {
        let name = name.to_owned();
        closed().for_guardian().with(|say| say.child = Some(name))
    };
    let protected = || closed().with(|say| say.neutral = true);
    vec![
        sample("child-cancelled", closed().for_guardian().cancelled()),
        sample(
            "child-cancelled-other-parent",
            closed().for_other_guardian().cancelled(),
        ),
        sample("child-cancelled-by-name", child("Áilu Máhtte").cancelled()),
        sample("child-cancelled-name-in-arabic", child("مريم").cancelled()),
        sample("child-moved-time", child("Mari").moved(true, false)),
        sample(
            "family-cancelled",
            closed().with_others(&[0, 10, 20, 30, 40], true).cancelled(),
        ),
        sample(
            "family-cancelled-with-gaps",
            closed().with_others(&[0, 30, 130], false).cancelled(),
        ),
        sample(
            "cancelled-by-nobody-knows",
            closed()
                .with(|say| say.canceller_unknown = true)
                .cancelled(),
        ),
        sample("cancelled-choose-new", closed().choosing().cancelled()),
        sample(
            "cancelled-again",
            closed().with(|say| say.again = true).cancelled(),
        ),
        sample(
            "cancelled-by-list",
            closed().with(|say| say.still_visible = true).cancelled(),
        ),
        sample("cancelled-line-closed", closed().on_saturday().cancelled()),
        sample("protected-cancelled", protected().cancelled()),
        sample("protected-moved-time", protected().moved(true, false)),
        sample("protected-moved-office", protected().moved(false, true)),
        sample("protected-reinstated", protected().reinstated()),
        sample("protected-rebooking", protected().reopened()),
        sample("rebooking", stage.clone().reopened()),
        sample(
            "protected-correction",
            protected().corrected(Correction::Stands),
        ),
        sample(
            "correction-stands",
            stage.clone().corrected(Correction::Stands),
        ),
        sample(
            "correction-wrong-person",
            stage.clone().corrected(Correction::WrongPerson),
        ),
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
        sample("nynorsk-first", told(Language::Nn, Some(Language::En))),
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
    let closed = || stage.clone().closed(NextStep::Book);
    let mut cases = Vec::new();
    for stage in stages {
        cases.push(stage.clone().cancelled());
        cases.push(stage.clone().soon().cancelled());
        cases.push(stage.clone().soon().by_email().cancelled());
        if stage.may_be_online() {
            cases.push(stage.clone().online().cancelled());
        }
    }
    cases.push(stage.clone().for_guardian().cancelled());
    let rare = particular_stages(&closed());
    cases.extend(rare.into_iter().map(Stage::cancelled));
    cases.extend(rare_visits(&stage));
    let moved = |stage: &Stage<'_>, time, office| stage.clone().moved(time, office);
    cases.extend([
        moved(&stage, true, false),
        moved(&stage, false, true),
        moved(&stage, true, true),
        stage.clone().reinstated(),
        Telling {
            cancellation_sent_at: None,
            ..stage.clone().reinstated()
        },
        stage.clone().reopened(),
        stage.clone().corrected(Correction::Stands),
        stage.clone().corrected(Correction::WrongPerson),
    ]);
    if stage.may_be_online() {
        cases.push(stage.online().invited());
    }
    cases
}

/// What leads to a visit, told to a guardian, in neutral wording, when no line answers, and by age.
fn rare_visits(stage: &Stage<'_>) -> Vec<Telling> {
    let mut cases = Vec::new();
    for stage in [
        stage.clone().for_guardian(),
        stage.clone().with(|say| say.neutral = true),
    ] {
        cases.push(stage.clone().moved(true, false));
        cases.push(stage.clone().moved(false, true));
        cases.push(stage.clone().reinstated());
        cases.push(stage.clone().reopened());
        cases.push(stage.corrected(Correction::Stands));
    }
    let saturday = stage.clone().on_saturday();
    cases.push(saturday.clone().moved(true, true));
    cases.push(saturday.corrected(Correction::WrongPerson));
    if stage.is_abroad() {
        cases.push(stage.clone().aged(34).moved(true, false));
        cases.push(stage.clone().aged(7).moved(true, false));
    }
    cases
}

/// One stage for each of the rarer things that a cancellation may say.
fn particular_stages<'a>(stage: &Stage<'a>) -> Vec<Stage<'a>> {
    let at = || stage.clone();
    vec![
        at().for_guardian(),
        at().with_others(&[0, 10, 20, 30, 40], true),
        at().choosing(),
        at().on_saturday(),
        at().with(|say| say.neutral = true),
        at().with(|say| say.canceller_unknown = true),
        at().with(|say| say.again = true),
        at().with(|say| say.still_visible = true),
        at().with(|say| say.obstacle = true),
    ]
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
        stage.clone().reopened(),
        stage.clone().corrected(Correction::Stands),
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
