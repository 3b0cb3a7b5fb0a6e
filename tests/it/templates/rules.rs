//! What no text does, whatever the case.

use std::sync::LazyLock;

use proptest::prelude::*;
use varsel::domain::language::{Language, Texts};
use varsel::template::samples::Sample;

use super::desk::{Desk, now, reference};

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
        {
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
        if desk.kind(&telling).is_immigration() {
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
        {
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

/// Whatever light a reader has chosen, a mail follows it; and nothing in it is there to be seen by some
/// and not by others.
#[test]
fn a_mail_has_no_colours_of_its_own_and_hides_nothing() {
    let desk = Desk::new();
    for Sample { name, telling } in desk.samples() {
        let html = desk.email(&telling).html;
        assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
        for word in [
            "color:",
            "background",
            "bgcolor",
            "display:",
            "visibility",
            "hidden",
        ] {
            assert!(!html.contains(word), "{name} has {word}");
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
    let visit = &mut district.visit[0];
    visit.validity.until = "2021-04-15".parse().ok();
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
    district.visit[0].validity.until = "2021-04-14".parse().ok();
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
fn each_person_is_written_to_in_their_own_language_first() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-cancelled");
    telling.languages.first = Language::Nn;
    let email = desk.email(&telling);
    assert!(email.text.contains("Kva skjer no?"), "{}", email.text);
    assert_eq!(email.languages, [Language::Nn, Language::En]);
}

#[test]
fn a_person_who_reads_sami_gets_bokmal_until_the_agency_writes_sami() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-cancelled");
    let bokmal = desk.sms(&telling);
    telling.languages.first = Language::Se;
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
        "templates/blocks/call.nb.txt:1:9: office \"gronland\" has no passport_line, and \
         service \"passport\" needs one"
    );
    desk.directory.offices.clear();
    let error = desk.templates.sms(&telling, &desk.directory, reference());
    assert_eq!(
        error.unwrap_err().to_string(),
        "the directory has no office \"gronland\""
    );
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
