//! Whole messages, as people receive them.

use std::collections::BTreeSet;
use std::path::Path;

use varsel::domain::appointment::BookingState;
use varsel::domain::calendar;
use varsel::domain::language::{Language, LanguagePair};
use varsel::domain::notice::Purpose;
use varsel::domain::plan::{Correction, Telling};
use varsel::template::Templates;
use varsel::template::samples::Sample;

use super::desk::{Desk, reference, turned};

/// A message as a file a person can read.
fn page(desk: &Desk, telling: &Telling) -> String {
    let mut page = String::new();
    {
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
    assert_eq!(samples.len(), 59);
    for Sample { name, telling } in samples {
        insta::assert_snapshot!(name, page(&desk, &telling));
        if telling.languages.second.is_some() && name != "english-first" {
            insta::assert_snapshot!(format!("{name}-turned"), page(&desk, &turned(&telling)));
        }
    }
}

/// Every case in Nynorsk too, alone: beside English it stands as Bokmål does.
#[test]
fn whole_messages_in_nynorsk_are_as_they_were_read() {
    let desk = Desk::new();
    for Sample { name, mut telling } in desk.samples() {
        let (first, second) = (Language::Nn, None);
        telling.languages = LanguagePair { first, second };
        insta::assert_snapshot!(format!("{name}-nn"), page(&desk, &telling));
    }
}

/// What names the case names no neutral one.
#[test]
fn neutral_words_name_neither_service_nor_office_nor_section() {
    let desk = Desk::new();
    let mut seen = 0;
    for Sample { name, telling } in desk.samples() {
        if !telling.particulars.neutral {
            continue;
        }
        seen += 1;
        let email = desk.email(&telling);
        let place = &email.entry_place;
        let entry = &email.entry_name;
        let told = format!("{entry}\n{place}\n{}", page(&desk, &telling)).to_lowercase();
        let section = ["avsnittet", "section", "seksjon"];
        let case = [
            "for pass",
            "passport",
            "passkontor",
            "grønland",
            "eksempelgata",
            "opphold",
            "residence",
            "utlending",
            "immigration",
            "politihuset",
            "mønstergata",
        ];
        let reason = ["smitte", "infection"];
        for word in case.iter().chain(&section).chain(&reason) {
            assert!(!told.contains(word), "{name} says {word}: {told}");
        }
    }
    assert_eq!(seen, 11);
}

/// The grid that a communications officer looks through.
#[test]
fn the_grid_holds_every_case_that_goes_wrong_elsewhere() {
    let desk = Desk::new();
    let told = |name| page(&desk, &desk.sample(name));
    assert!(told("longest-names").contains("pass og ID-kort"));
    assert!(told("child-cancelled").contains("Timen til barnet er avlyst."));
    let parents = [
        desk.sample("child-cancelled"),
        desk.sample("child-cancelled-other-parent"),
    ];
    assert_ne!(parents[0].role, parents[1].role);
    let each: Vec<_> = parents.iter().map(|telling| page(&desk, telling)).collect();
    assert_eq!(each[0], each[1], "both parents read the same");
    let night = desk.sample("passport-moved-clock-change");
    let hours = night.change.new.start - night.change.old.start;
    assert_eq!(
        hours.num_hours(),
        1,
        "from 01.30 to 03.30 the clock skips one"
    );
    let night = page(&desk, &night);
    for time in ["01.30", "03.30", "01:30", "03:30"] {
        assert!(night.contains(time), "{time}: {night}");
    }
    assert!(told("child-cancelled-by-name").contains("Áilu Máhtte"));
    assert!(told("child-cancelled-name-in-arabic").contains("مريم"));
    for (case, words) in [
        ("passport-cancelled", "Avlyst: timen"),
        ("nynorsk-first", "ikkje"),
        ("english-first", "Cancelled: "),
    ] {
        assert!(told(case).contains(words), "{case}");
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
            Purpose::Cancellation | Purpose::DigitalInvitation | Purpose::Rebooking => {
                &telling.change.old
            }
            Purpose::Change | Purpose::Reinstatement | Purpose::Correction => &telling.change.new,
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
            let mut facts = vec![reference().to_string()];
            let particulars = &telling.particulars;
            let wrong_person = particulars.correction == Some(Correction::WrongPerson);
            if !wrong_person {
                facts.push(calendar::weekday_time(*language, state.start, office.zone));
            }
            if telling.purpose != Purpose::DigitalInvitation
                && !particulars.neutral
                && !wrong_person
            {
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
        let directory = directory.unwrap().path();
        if directory.is_file() || directory.ends_with("expectations") {
            continue;
        }
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            found.insert(path.strip_prefix(&folder).unwrap().display().to_string());
        }
    }
    assert_eq!(listed, found);
}

#[test]
fn the_guide_names_every_variable_and_no_other() {
    let guide = include_str!("../../../templates/README.md");
    let mut named = BTreeSet::new();
    for row in guide.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        named.extend(cell.split('`').skip(1).step_by(2));
    }
    assert_eq!(named, Templates::variables());
}
