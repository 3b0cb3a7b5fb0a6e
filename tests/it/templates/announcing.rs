//! What a closing says on the web page and on the telephone: of the same closing, and the same in
//! every language.

use std::collections::BTreeSet;

use varsel::domain::closing::{Closing, ClosingKind, NextStep};
use varsel::domain::directory::ServiceKind;
use varsel::domain::language::{Language, Texts};
use varsel::template::ClosingNotice;

use super::desk::{Desk, now};

fn closing() -> Closing {
    Closing {
        offices: vec!["gronland".into(), "sentrum".into()],
        kinds: Vec::new(),
        from: "2021-03-17".parse().unwrap(),
        to: "2021-04-09".parse().unwrap(),
        kind: ClosingKind::Reduced,
        next: NextStep::Book,
        reason: Texts::from([
            (Language::Nb, "smittesituasjonen i Oslo og Viken"),
            (Language::Nn, "smittesituasjonen i Oslo og Viken"),
            (Language::En, "the infection situation in Oslo and Viken"),
        ]),
        max: 0,
    }
}

fn notice(closing: &Closing, language: Language) -> ClosingNotice {
    let desk = Desk::new();
    let notice = desk
        .templates
        .closing_notice(closing, &desk.directory, language, now());
    notice.unwrap()
}

#[test]
fn the_web_notice_and_the_call_are_as_they_were_read() {
    let mut read = String::new();
    for language in Language::SHIPPED {
        let notice = notice(&closing(), language);
        let call = &notice.calls[&ServiceKind::Passport];
        let (web, machine) = (&notice.web, &notice.machine);
        read.push_str(&format!(
            "── {language}: web ──\n{web}\n\n── {language}: call ──\n{call}\n\n\
             ── {language}: machine ──\n{machine}\n\n"
        ));
    }
    insta::assert_snapshot!(read);
}

#[test]
fn every_language_gives_the_same_figures() {
    let figures = |language| {
        let notice = notice(&closing(), language);
        let text = [notice.web, notice.machine].join("\n");
        let words = text.split(|c: char| !c.is_ascii_digit());
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        words.collect::<BTreeSet<String>>()
    };
    let norwegian = figures(Language::Nb);
    assert!(
        norwegian.contains("17") && norwegian.contains("9"),
        "{norwegian:?}"
    );
    assert_eq!(norwegian, figures(Language::Nn));
    assert_eq!(norwegian, figures(Language::En));
}

#[test]
fn a_notice_says_no_more_than_the_closing() {
    let say = |change: &dyn Fn(&mut Closing)| {
        let mut closing = closing();
        change(&mut closing);
        notice(&closing, Language::En)
    };
    let usual = say(&|_| ()).web;
    assert!(usual.contains("fewer people than usual") && !usual.contains("We are closed"));
    let closed = say(&|closing| closing.kind = ClosingKind::Closed).web;
    assert!(
        closed.contains("We are closed.") && !closed.contains("fewer"),
        "{closed}"
    );
    let cards = say(&|closing| closing.kinds = vec![ServiceKind::IdCard]);
    assert!(!cards.web.contains("critical journey"), "{}", cards.web);
    assert!(!cards.web.contains("Residence permits"), "{}", cards.web);
    assert_eq!(
        cards.calls.keys().collect::<Vec<_>>(),
        [&ServiceKind::IdCard]
    );
    let citizens = say(&|closing| closing.kinds = vec![ServiceKind::Citizenship]).web;
    assert!(!citizens.contains("online"), "{citizens}");
    assert!(!citizens.contains("Passports"), "{citizens}");
    let invites = say(&|closing| closing.next = NextStep::WeInvite);
    let promise = "We will write to you when you can book a new appointment";
    assert!(invites.web.contains(promise), "{}", invites.web);
    assert!(invites.calls[&ServiceKind::Passport].contains(promise));
    for call in usual.lines().chain(cards.machine.lines()) {
        assert!(!call.contains("[") && !call.contains("{{"), "{call}");
    }
    assert!(
        !cards.machine.contains("ID card"),
        "others may listen: {}",
        cards.machine
    );
}

#[test]
fn a_closing_of_nothing_that_is_served_says_so() {
    let mut nothing = closing();
    nothing.offices.clear();
    let desk = Desk::new();
    let notice = desk
        .templates
        .closing_notice(&nothing, &desk.directory, Language::En, now());
    assert!(notice.unwrap_err().0.contains("no office of this closing"));
}
