//! The file of offices: the model case reads, and each fault names its line and key.

use std::path::Path;

use varsel::config::directory::{MODEL_CASE, parse};
use varsel::domain::directory::{Directory, OfficeId, ServiceId};
use varsel::domain::language::Language;

pub(super) fn model_case() -> Directory {
    parse(MODEL_CASE, Path::new("config/offices.toml")).unwrap()
}

/// The faults of the model case after one replacement.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(MODEL_CASE.contains(from), "the model case lacks {from:?}");
    let broken = MODEL_CASE.replacen(from, to, 1);
    let faults = parse(&broken, Path::new("offices.toml")).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// Where `from` stands in the model case.
fn line_of(from: &str) -> usize {
    let offset = MODEL_CASE.find(from).unwrap();
    MODEL_CASE[..offset].matches('\n').count() + 1
}

#[test]
fn the_model_case_reads() {
    let directory = model_case();
    assert_eq!(directory.offices.len(), 5);
    assert_eq!(directory.services.len(), 6);
    let embassy = &directory.offices[&OfficeId::from("algiers")];
    assert_eq!(embassy.zone, chrono_tz::Africa::Algiers);
    let line = embassy.passport_line.as_ref().unwrap();
    assert_eq!(line.phone, "+47 23 95 55 00");
    assert_eq!(line.hours.days(Language::En), "Sunday-Thursday");
    let route = directory.services[&ServiceId::from("residence_permit")]
        .digital
        .as_ref();
    assert_eq!(route.unwrap().info_phone, "22 34 21 00");
    assert!(
        directory.services[&ServiceId::from("citizenship")]
            .digital
            .is_none()
    );
}

/// What is replaced, by what, and what is said about it.
const CASES: [(&str, &str, &str); 13] = [
    (
        "zone = \"Africa/Algiers\"",
        "zone = \"Africa/Algier\"",
        "offices.algiers.zone: time zone \"Africa/Algier\" is not known; did you mean \"Africa/Algiers\"?",
    ),
    (
        "passport_line = \"algiers\"",
        "passport_line = \"algeirs\"",
        "offices.algiers.passport_line: line \"algeirs\" is not known; did you mean \"algiers\"?",
    ),
    (
        "district = \"algiers\"",
        "district = \"paris\"",
        "offices.algiers.district: district \"paris\" is not known; known are algiers, oslo",
    ),
    (
        "plausible_regions = [\"NO\"]",
        "plausible_regions = [\"Norway\"]",
        "offices.algiers.plausible_regions: a region is two capital letters (ISO 3166-1), such as \"NO\"",
    ),
    (
        "agency = \"Politiet\"",
        "agency = \"Politidistrikt\"",
        "districts.oslo.agency: \"Politidistrikt\" is longer than 11 characters; operators refuse such senders",
    ),
    (
        "email = \"kontakt@alger",
        "email = \"kontakt alger",
        "offices.algiers.email: this is not an e-mail address",
    ),
    (
        "phone = \"+47 23 95 55 00\"",
        "phone = \"ring oss\"",
        "lines.algiers.phone: a telephone number has digits, spaces and perhaps a leading +",
    ),
    (
        "name_sms = \"Ryen passkontor\"",
        "name_sms = \"\"",
        "offices.ryen.name_sms: the text is empty; leave the key out instead",
    ),
    (
        "city = { nb",
        "citty = { nb",
        "offices.algiers.citty: key \"citty\" is not known; did you mean \"city\"?",
    ),
    (
        "section = { nb = \"Konsulær",
        "section = { no = \"Konsulær",
        "lines.algiers.section: \"no\" is not a language Varsel writes; known are nb, nn, en and se",
    ),
    (
        "kind = \"passport\"",
        "kind = \"pass\"",
        "services.passport.kind: unknown variant `pass`",
    ),
    (
        "until = 2021-06-30",
        "until = 2021-06-30T10:00:00",
        "guidelines.until: a day is written 2021-06-30, without a time",
    ),
    (
        "kind = \"residence_permit\"",
        "kind = \"id_card\"",
        "this kind of case can never be submitted online; remove the table",
    ),
];

#[test]
fn every_fault_names_file_line_and_key() {
    for (from, to, expected) in CASES {
        let found = faults(from, to);
        assert!(found[0].contains(expected), "{from} gave {found:?}");
        assert!(found[0].starts_with("offices.toml:"), "{found:?}");
        if !expected.starts_with("this kind") {
            let place = format!("offices.toml:{}: ", line_of(from));
            assert!(
                found[0].starts_with(&place),
                "{from}, line {}: {found:?}",
                line_of(from)
            );
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let broken = MODEL_CASE.replace("zone = \"Europe/Oslo\"", "zone = \"Oslo\"");
    let faults = parse(&broken, Path::new("offices.toml")).unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:?}");
}

#[test]
fn broken_toml_names_its_line() {
    let found = faults("[services.passport]", "[services.passport");
    let line = line_of("[services.passport]");
    assert!(
        found[0].starts_with(&format!("offices.toml:{line}: ")),
        "{found:?}"
    );
}
