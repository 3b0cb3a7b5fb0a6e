//! Whole messages, as people receive them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use varsel::domain::appointment::BookingState;
use varsel::domain::calendar;
use varsel::domain::directory::{Directory, ServiceKind};
use varsel::domain::language::{Language, LanguagePair, Texts};
use varsel::domain::notice::Purpose;
use varsel::domain::plan::Telling;
use varsel::domain::reference::Reference;
use varsel::template::samples::{Sample, samples};
use varsel::template::{EmailText, Templates};

use super::directory::model_case;

/// The afternoon on which the model case begins.
pub(super) fn now() -> DateTime<Utc> {
    "2021-03-16T13:00:00Z".parse().unwrap()
}

fn reference() -> Reference {
    Reference::draw(20_210_316)
}

/// Everything a test of texts needs.
struct Desk {
    templates: Templates,
    directory: Directory,
}

impl Desk {
    fn new() -> Self {
        Self {
            templates: Templates::load(None).unwrap(),
            directory: model_case(),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        samples(&self.directory, now())
    }

    fn sample(&self, name: &str) -> Telling {
        let found = self
            .samples()
            .into_iter()
            .find(|sample| sample.name == name);
        found.unwrap().telling
    }

    fn sms(&self, telling: &Telling) -> String {
        let sms = self.templates.sms(telling, &self.directory, reference());
        sms.unwrap().text
    }

    fn email(&self, telling: &Telling) -> EmailText {
        let email = self.templates.email(telling, &self.directory, reference());
        email.unwrap()
    }

    fn kind(&self, telling: &Telling) -> ServiceKind {
        self.directory.services[&telling.service].kind
    }
}

/// The pair with the other language first.
fn turned(telling: &Telling) -> Telling {
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

fn has_sms(telling: &Telling) -> bool {
    telling.purpose != Purpose::DigitalInvitation
}

/// A message as a file a person can read.
fn page(desk: &Desk, telling: &Telling) -> String {
    let mut page = String::new();
    if has_sms(telling) {
        let sms = desk
            .templates
            .sms(telling, &desk.directory, reference())
            .unwrap();
        let size = format!(
            "{} septets, {} parts",
            sms.segments.units, sms.segments.parts
        );
        page.push_str(&format!(
            "SMS from {} ({size})\n\n{}\n\n",
            sms.sender, sms.text
        ));
    }
    let email = desk.email(telling);
    let from = format!("{} <{}>", email.from_name, email.from_address);
    page.push_str(&format!(
        "E-mail from {from}\nSubject: {}\n\n{}",
        email.subject, email.text
    ));
    page
}

#[test]
fn whole_messages_are_as_they_were_read() {
    let desk = Desk::new();
    let samples = desk.samples();
    assert_eq!(samples.len(), 28);
    for Sample { name, telling } in samples {
        insta::assert_snapshot!(name, page(&desk, &telling));
        if telling.languages.second.is_some() && name != "english-first" {
            insta::assert_snapshot!(format!("{name}-turned"), page(&desk, &turned(&telling)));
        }
    }
}

#[test]
fn html_parts_are_as_they_were_read() {
    let desk = Desk::new();
    for name in [
        "passport-cancelled",
        "residence-cancelled-submit-online",
        "passport-moved-both",
        "embassy-moved-time",
    ] {
        insta::assert_snapshot!(format!("{name}-html"), desk.email(&desk.sample(name)).html);
    }
}

/// The words of an HTML part in order, tags gone.
fn html_words(html: &str) -> Vec<String> {
    let body = html
        .split_once("<body")
        .unwrap()
        .1
        .split_once('>')
        .unwrap()
        .1;
    let mut words = String::new();
    let mut in_tag = false;
    for c in body.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                words.push(' ');
            }
            c if !in_tag => words.push(c),
            _ => {}
        }
    }
    let plain = words
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    plain.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn both_parts_of_an_email_say_the_same_words_in_the_same_order() {
    let desk = Desk::new();
    for sample in desk.samples() {
        let email = desk.email(&sample.telling);
        let languages = email
            .text
            .split("\n\n----------------------------------------\n\n");
        let mut expected = Vec::new();
        for (text, subject) in languages.zip(email.subject.split(" / ")) {
            expected.extend(subject.split_whitespace().map(str::to_owned));
            for line in text.lines() {
                let marks = |word: &str| {
                    word == "-"
                        || word.trim_end_matches('.').parse::<u8>().is_ok() && word.ends_with('.')
                };
                let words = line.split_whitespace();
                let skip = usize::from(words.clone().next().is_some_and(marks));
                // A label has its colon only where no table shows what it is.
                let words: Vec<String> = words.skip(skip).map(str::to_owned).collect();
                expected.extend(words);
            }
        }
        let labels = |word: &String| word.trim_end_matches(':').to_owned();
        let expected: Vec<String> = expected.iter().map(labels).collect();
        let found: Vec<String> = html_words(&email.html).iter().map(labels).collect();
        assert_eq!(found, expected, "{}", sample.name);
    }
}

#[test]
fn time_place_and_reference_stand_in_both_parts_and_both_languages() {
    let desk = Desk::new();
    for Sample { name, telling } in desk.samples() {
        let email = desk.email(&telling);
        let state: &BookingState = match telling.purpose {
            Purpose::Cancellation | Purpose::DigitalInvitation => &telling.change.old,
            Purpose::Change | Purpose::Reinstatement => &telling.change.new,
        };
        let office = &desk.directory.offices[&state.office];
        let text: Vec<&str> = email.text.split("\n--------").collect();
        let html: Vec<&str> = email.html.split("<hr").collect();
        assert_eq!(text.len(), email.languages.len(), "{name}");
        assert_eq!(html.len(), email.languages.len(), "{name}");
        for ((language, text), html) in email.languages.iter().zip(text).zip(html) {
            assert!(
                html.contains(&format!("<div lang=\"{language}\">")),
                "{name}"
            );
            let mut facts = vec![
                calendar::weekday_time(*language, state.start, office.zone),
                reference().to_string(),
            ];
            if telling.purpose != Purpose::DigitalInvitation {
                facts.push(office.name_full.get(*language).unwrap().to_owned());
            }
            for fact in facts {
                assert!(text.contains(&fact), "{name}: {fact} is not in\n{text}");
                assert!(html.contains(&fact), "{name}: {fact} is not in\n{html}");
            }
        }
    }
}

#[test]
fn citizenship_never_hears_of_the_digital_route_or_its_line() {
    let mut desk = Desk::new();
    // Even where a directory and a telling were wrong, the text stays right.
    let route = desk.directory.services[&"residence_permit".into()]
        .digital
        .clone();
    let citizenship = desk.directory.services.get_mut(&"citizenship".into());
    citizenship.unwrap().digital = route;
    for name in [
        "citizenship-cancelled",
        "citizenship-cancelled-short-notice",
    ] {
        let mut telling = desk.sample(name);
        telling.digital_until = Some(now().date_naive());
        let email = desk.email(&telling);
        let all = format!("{}\n{}\n{}", email.subject, email.text, desk.sms(&telling));
        for never in [
            "22 34 21 00",
            "informasjonstelefon",
            "information line",
            "Logg inn",
            "i stedet",
            "instead",
        ] {
            assert!(!all.contains(never), "{name} says {never}:\n{all}");
        }
    }
    let email = desk.email(&desk.sample("citizenship-cancelled"));
    assert!(email.text.contains(
        "Søknad om norsk statsborgerskap kan ikke leveres digitalt. Du trenger derfor en ny time."
    ));
}

#[test]
fn the_critical_journey_is_for_passports_alone() {
    let desk = Desk::new();
    let mut spoken = 0;
    for Sample { name, telling } in desk.samples() {
        let mut all = desk.email(&telling).text;
        if has_sms(&telling) {
            all.push_str(&desk.sms(&telling));
        }
        let speaks = all.contains("ritisk reise") || all.contains("ritical journey");
        assert!(!speaks || desk.kind(&telling).has_critical_line(), "{name}");
        spoken += usize::from(speaks);
    }
    assert!(spoken >= 8, "only {spoken} samples speak of it");
}

#[test]
fn no_sms_about_immigration_says_so() {
    let desk = Desk::new();
    for Sample { name, telling } in desk.samples() {
        if desk.kind(&telling).is_immigration() && has_sms(&telling) {
            let sms = desk.sms(&telling).to_lowercase();
            for word in [
                "opphold",
                "residence",
                "statsborger",
                "citizen",
                "utlending",
                "immigration",
            ] {
                assert!(!sms.contains(word), "{name} says {word}: {sms}");
            }
        }
    }
}

#[test]
fn nothing_points_elsewhere() {
    let desk = Desk::new();
    for Sample { name, telling } in desk.samples() {
        if has_sms(&telling) {
            let sms = desk.sms(&telling);
            for link in ["://", "www.", ".no", ".example", ".com"] {
                assert!(!sms.contains(link), "{name}: {sms}");
            }
        }
        let html = desk.email(&telling).html;
        for tag in ["<a ", "<img", "<script", "src=", "href=", "<link"] {
            assert!(!html.contains(tag), "{name} has {tag}");
        }
    }
}

#[test]
fn guidelines_are_told_before_a_visit_until_their_last_day() {
    let mut desk = Desk::new();
    let moved = desk.sample("passport-moved-time");
    assert!(
        desk.email(&moved)
            .text
            .contains("Hold minst 2 meter avstand")
    );
    assert!(
        !desk
            .email(&desk.sample("passport-cancelled"))
            .text
            .contains("avstand")
    );
    let district = desk.directory.districts.get_mut(&"oslo".into()).unwrap();
    let visit = district.visit.as_mut().unwrap();
    visit.until = "2021-04-15".parse().ok();
    visit.local = Some(Texts::from([
        (Language::Nb, "Bruk inngangen i gården."),
        (Language::En, "Use the entrance in the courtyard."),
    ]));
    let told = desk.email(&moved);
    assert!(
        told.text.contains("- Bruk inngangen i gården."),
        "{}",
        told.text
    );
    assert!(
        told.html
            .contains("<li>Use the entrance in the courtyard.</li>")
    );
    let district = desk.directory.districts.get_mut(&"oslo".into()).unwrap();
    district.visit.as_mut().unwrap().until = "2021-04-14".parse().ok();
    let told = desk.email(&moved).text;
    assert!(
        !told.contains("avstand") && !told.contains("inngangen"),
        "{told}"
    );
}

#[test]
fn both_languages_leave_out_what_one_of_them_lacks() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-cancelled");
    let closing = telling.closing.as_mut().unwrap();
    closing.reason = Texts::from([(Language::Nb, "smittesituasjonen")]);
    let email = desk.email(&telling).text;
    assert!(
        !email.contains("Årsaken") && !email.contains("reason"),
        "{email}"
    );
    telling.languages.second = None;
    assert!(
        desk.email(&telling)
            .text
            .contains("Årsaken er smittesituasjonen.")
    );
}

#[test]
fn a_reinstatement_without_a_known_hour_still_tells_it() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-reinstated");
    assert!(
        desk.email(&telling)
            .text
            .contains("Vi skrev 16. mars kl. 11.00 at den var avlyst.")
    );
    telling.cancellation_sent_at = None;
    let email = desk.email(&telling).text;
    assert!(email.contains("Vi sa fra om at den var avlyst."), "{email}");
}

#[test]
fn a_person_who_reads_nynorsk_gets_bokmal_where_there_is_none() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-cancelled");
    let bokmal = desk.sms(&telling);
    telling.languages.first = Language::Nn;
    assert_eq!(desk.sms(&telling), bokmal);
    telling.languages.second = Some(Language::Nb);
    let alone = desk.sms(&telling);
    assert!(!alone.contains("\n\n"), "the same language twice: {alone}");
}

#[test]
fn what_the_directory_lacks_is_said_with_its_place() {
    let mut desk = Desk::new();
    let telling = desk.sample("passport-cancelled");
    let office = desk.directory.offices.get_mut(&telling.change.old.office);
    office.unwrap().passport_line = None;
    let error = desk.templates.sms(&telling, &desk.directory, reference());
    assert_eq!(
        error.unwrap_err().to_string(),
        "templates/cancellation/nb.sms.txt:24: office \"gronland\" has no passport_line, and \
         service \"passport\" needs one"
    );
    desk.directory.offices.clear();
    let error = desk.templates.sms(&telling, &desk.directory, reference());
    assert_eq!(
        error.unwrap_err().to_string(),
        "the directory has no office \"gronland\""
    );
}

#[test]
fn every_file_below_templates_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let built_in = include_str!("../../../src/template/embedded.rs");
    let listed: BTreeSet<String> = built_in
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .map(str::to_owned)
        .collect();
    let mut found = BTreeSet::new();
    for directory in std::fs::read_dir(&folder).unwrap() {
        for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.insert(path.strip_prefix(&folder).unwrap().display().to_string());
        }
    }
    assert_eq!(listed, found);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a person types as a reason, it stays a word in a sentence: no markup, no header, no
    /// line of its own.
    #[test]
    fn a_value_never_breaks_out_of_its_sentence(reason in any::<String>()) {
        static DESK: LazyLock<Desk> = LazyLock::new(Desk::new);
        let desk = &*DESK;
        let mut telling = desk.sample("passport-cancelled");
        let mut set = |reason: &str| {
            let reason = Texts::from([(Language::Nb, reason), (Language::En, reason)]);
            telling.closing.as_mut().unwrap().reason = reason;
            desk.email(&telling)
        };
        let plain = set("x");
        let odd = set(&format!("x{reason}x"));
        prop_assert_eq!(&plain.subject, &odd.subject);
        prop_assert_eq!(plain.text.lines().count(), odd.text.lines().count());
        for mark in ['<', '>'] {
            let count = |html: &str| html.matches(mark).count();
            prop_assert_eq!(count(&plain.html), count(&odd.html));
        }
    }
}
