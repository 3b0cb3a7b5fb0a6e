//! What the tests of texts share: the built-in texts, the model case, and its samples.

use chrono::{DateTime, Utc};
use varsel::domain::directory::{Directory, ServiceKind};
use varsel::domain::language::LanguagePair;
use varsel::domain::plan::Telling;
use varsel::domain::reference::Reference;
use varsel::template::samples::{Sample, samples};
use varsel::template::{EmailText, Templates};

use super::directory::model_case;

/// The afternoon on which the model case begins.
pub(super) fn now() -> DateTime<Utc> {
    "2021-03-16T13:00:00Z".parse().unwrap()
}

pub(super) fn reference() -> Reference {
    Reference::draw(20_210_316)
}

/// Everything a test of texts needs.
pub(super) struct Desk {
    pub(super) templates: Templates,
    pub(super) directory: Directory,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            templates: Templates::load(None).unwrap(),
            directory: model_case(),
        }
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        samples(&self.directory, now())
    }

    pub(super) fn sample(&self, name: &str) -> Telling {
        let found = self
            .samples()
            .into_iter()
            .find(|sample| sample.name == name);
        found.unwrap().telling
    }

    pub(super) fn sms(&self, telling: &Telling) -> String {
        let sms = self.templates.sms(telling, &self.directory, reference());
        sms.unwrap().text
    }

    pub(super) fn email(&self, telling: &Telling) -> EmailText {
        let email = self.templates.email(telling, &self.directory, reference());
        email.unwrap()
    }

    pub(super) fn kind(&self, telling: &Telling) -> ServiceKind {
        self.directory.services[&telling.service].kind
    }
}

/// The pair with the other language first.
pub(super) fn turned(telling: &Telling) -> Telling {
    let LanguagePair { first, second } = telling.languages;
    let languages = LanguagePair {
        first: second.unwrap_or(first),
        second: second.map(|_| first),
    };
    Telling {
        languages,
        ..telling.clone()
    }
}
