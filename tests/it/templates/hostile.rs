//! Whatever stands in a name, it stays a name: nothing breaks out into headers, HTML, lines or
//! another person's message.

use std::sync::LazyLock;

use proptest::prelude::*;
use varsel::domain::language::{Language, Texts};
use varsel::domain::segments::{Encoding, segments};
use varsel::template::EmailText;

use super::desk::Desk;

static DESK: LazyLock<Desk> = LazyLock::new(Desk::new);

/// Names that somebody has typed somewhere, or would.
const NAMES: [&str; 14] = [
    "a\r\nBcc: everybody@example.com",
    "\u{0}\u{7}\u{1b}[31m",
    "\u{202e}gnp.exe\u{202c}",
    "\u{200f}\u{200e}\u{2066}",
    "\"; DROP TABLE notices; --",
    "{{ ref }}{% if abroad %}",
    "[genuine]",
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "http://evil.example/%0d%0a",
    "0123456789",
    "---- \u{2028} ----",
    "## Overskrift",
    "",
];

/// The e-mail to a guardian of a child of this name.
fn written_of(name: &str) -> EmailText {
    let mut telling = DESK.sample("child-cancelled-by-name");
    telling.particulars.child = Some(name.to_owned());
    DESK.email(&telling)
}

fn assert_contained(name: &str, odd: &EmailText) {
    let plain = written_of("Mari");
    let lines = |text: &str| text.lines().count();
    assert!(
        !odd.subject.chars().any(char::is_control),
        "{name:?}: {:?}",
        odd.subject
    );
    assert_eq!(
        lines(&odd.text),
        lines(&plain.text),
        "{name:?}\n{}",
        odd.text
    );
    for mark in ['<', '>'] {
        let count = |html: &str| html.matches(mark).count();
        assert_eq!(count(&odd.html), count(&plain.html), "{name:?}");
    }
    for never in [
        "\u{202e}", "\u{2066}", "\u{2028}", "\u{1b}", "Bcc:", "http", "DROP",
    ] {
        assert!(!odd.text.contains(never), "{name:?} brought {never:?}");
        assert!(!odd.subject.contains(never), "{name:?} brought {never:?}");
    }
}

#[test]
fn what_is_no_name_is_left_out() {
    for name in NAMES {
        let email = written_of(name);
        assert_contained(name, &email);
        assert!(
            email.subject.contains("for barnet"),
            "{name:?}: {}",
            email.subject
        );
        assert!(
            email.subject.contains("for your child"),
            "{name:?}: {}",
            email.subject
        );
    }
    let long = "Ane".repeat(100);
    assert!(!written_of(&long).text.contains("AneAne"));
}

#[test]
fn names_are_exact() {
    for name in [
        "Áilu Máhtte",
        "مريم",
        "Nguyễn",
        "O'Brien",
        "Anne-Lise",
        "Ærø Åse",
        "李娜",
    ] {
        let email = written_of(name);
        assert!(
            email.text.contains(&format!("Timen til {name} er avlyst.")),
            "{}",
            email.text
        );
        assert!(email.subject.contains(name), "{}", email.subject);
    }
}

#[test]
fn no_name_stands_in_an_sms() {
    let mut telling = DESK.sample("child-cancelled-by-name");
    for name in ["Mari", "Čáhppe"] {
        telling.particulars.child = Some(name.to_owned());
        let sms = DESK.sms(&telling);
        assert!(!sms.contains(name), "{sms}");
        assert_eq!(segments(&sms).encoding, Encoding::Gsm7);
    }
}

#[test]
fn ucs2_is_taken_only_where_an_exact_name_needs_it() {
    let mut desk = Desk::new();
    let telling = desk.sample("passport-cancelled");
    let office = desk
        .directory
        .offices
        .get_mut(&telling.change.old.office)
        .unwrap();
    office.name_sms = Texts(
        Language::ALL
            .map(|l| (l, "Kárášjohka – «passkontor»".to_owned()))
            .into(),
    );
    let sms = desk.sms(&telling);
    // The letters stay, the typography around them is folded.
    assert!(sms.contains("Kárášjohka - \"passkontor\""), "{sms}");
    let counted = segments(&sms);
    assert_eq!(counted.encoding, Encoding::Ucs2);
    let forced: Vec<char> = counted.forced_by.iter().map(|(_, c)| *c).collect();
    assert!(forced.iter().all(|c| "áš".contains(*c)), "{forced:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_breaks_out(name in any::<String>()) {
        let odd = written_of(&name);
        let plain = written_of("Mari");
        prop_assert!(!odd.subject.chars().any(char::is_control));
        prop_assert_eq!(odd.text.lines().count(), plain.text.lines().count());
        for mark in ['<', '>'] {
            prop_assert_eq!(odd.html.matches(mark).count(), plain.html.matches(mark).count());
        }
    }

    #[test]
    fn no_office_breaks_out(name in any::<String>()) {
        let mut desk = Desk::new();
        let telling = desk.sample("passport-cancelled");
        let plain = desk.email(&telling);
        let office = desk.directory.offices.get_mut(&telling.change.old.office).unwrap();
        office.name_full = Texts(Language::ALL.map(|l| (l, format!("x{name}x"))).into());
        let odd = desk.email(&telling);
        prop_assert_eq!(&odd.subject, &plain.subject);
        prop_assert_eq!(odd.text.lines().count(), plain.text.lines().count());
        for mark in ['<', '>'] {
            prop_assert_eq!(odd.html.matches(mark).count(), plain.html.matches(mark).count());
        }
    }
}
