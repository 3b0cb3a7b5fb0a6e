//! What the directory says of hours, bookings, passports and guidelines: read as a whole, refused
//! with file and line, and told only while it holds.

use std::path::Path;

use varsel::config::directory::{MODEL_CASE, parse};
use varsel::domain::directory::{Directory, DistrictId, OfficeId, ServiceId};

use super::desk::Desk;

fn with(more: &str) -> Result<Directory, Vec<String>> {
    let text = format!("{MODEL_CASE}{more}");
    parse(&text, Path::new("offices.toml"))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn replaced(from: &str, to: &str) -> Result<Directory, Vec<String>> {
    assert!(MODEL_CASE.contains(from), "the model case lacks {from:?}");
    let text = MODEL_CASE.replacen(from, to, 1);
    parse(&text, Path::new("offices.toml"))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_key() {
    for (from, to, expected) in [
        (
            "hours = \"Sun-Thu 08:30-16:00\"",
            "hours = \"Sun-Thu 08.30-16.00\"",
            "lines.algiers.hours: \"Sun-Thu 08.30-16.00\" are no hours",
        ),
        (
            "hours = \"Sun-Thu 08:30-16:00\"",
            "hours = \"Mon, Mon 08:30-16:00\"",
            "are no hours",
        ),
        (
            "hours = \"Sun-Thu 08:30-16:00\"",
            "hours = \"16:00-08:30\"",
            "they end before they begin",
        ),
        (
            "agency = \"Politiet\"",
            "agency = \"Politi.no\"",
            "districts.oslo.agency: \"Politi.no\" has \".\"",
        ),
        (
            "agency = \"Politiet\"",
            "agency = \"02800\"",
            "has no letter; phones would show it as a number to call",
        ),
        (
            "name_sms = \"Ryen passkontor\"",
            "name_sms = \"Ryen p\u{430}sskontor\"",
            "offices.ryen.name_sms: the text has \"\u{430}\" (U+0430), which is not a Latin letter",
        ),
        (
            "{ amount = 7500, currency = \"DZD\" }",
            "{ amount = 7500, currency = \"dinar\" }",
            "a currency is three capital letters",
        ),
        (
            "fee_under_16 = { amount = 4500, currency = \"DZD\" }",
            "",
            "the text names both fees",
        ),
        (
            "districts = [\"oslo\"]",
            "districts = [\"olso\"]",
            "district \"olso\" is not known; did you mean \"oslo\"?",
        ),
        (
            "until = 2021-06-30",
            "from = 2021-07-01\nuntil = 2021-06-30",
            "the last day stands before the first one",
        ),
        (
            "kind = \"residence_permit\"\n",
            "kind = \"residence_permit\"\nneutral = true\n",
            "services.residence_permit.digital: instructions to submit online name the case",
        ),
        (
            "closed_days = [2021-07-05, 2021-11-01]",
            "closed_days = [\"5 July\"]",
            "offices.algiers.closed_days",
        ),
    ] {
        let faults = replaced(from, to).expect_err(to);
        assert!(faults[0].contains(expected), "{to}: {faults:?}");
        assert!(faults[0].starts_with("offices.toml:"), "{faults:?}");
    }
}

#[test]
fn two_versions_for_the_same_day_are_refused() {
    let again = "\n[[guidelines]]\nversion = \"2020-06\"\ndistricts = [\"oslo\"]\n\
                 distance_metres = 1\nfrom = 2021-06-01\n";
    let faults = with(again).unwrap_err();
    let expected = "guidelines.version: versions \"2020-05\" and \"2020-06\" hold for the same days; \
                    end one before the other begins";
    assert!(faults[0].ends_with(expected), "{faults:?}");
    let fees = "\n[[offices.algiers.passports]]\nuntil = 2020-12-31\ncash = true\n";
    let faults = with(fees).unwrap_err();
    assert!(
        faults[0].contains("two versions hold for the same days"),
        "{faults:?}"
    );
}

#[test]
fn guidelines_change_with_their_version_and_district() {
    let again = "\n[[guidelines]]\nversion = \"2021-07\"\ndistricts = [\"oslo\"]\n\
                 distance_metres = 1\nfrom = 2021-07-01\n\n[guidelines.local.oslo]\n\
                 nb = [\"Bruk inngangen i gården.\"]\nen = [\"Use the entrance in the courtyard.\"]\n";
    let directory = with(again).unwrap();
    let oslo = &directory.districts[&DistrictId::from("oslo")];
    let on = |day: &str| {
        oslo.visit_on(day.parse().unwrap())
            .map(|v| v.version.as_str())
    };
    assert_eq!(on("2021-06-30"), Some("2020-05"));
    assert_eq!(on("2021-07-01"), Some("2021-07"));
    let mut desk = Desk::new();
    desk.directory = directory;
    let mut moved = desk.sample("passport-moved-time");
    moved.languages.second = None;
    assert!(desk.email(&moved).text.contains("minst 2 meter"));
    moved.change.new.start = "2021-07-01T08:00:00Z".parse().unwrap();
    let text = desk.email(&moved).text;
    assert!(
        text.contains("minst 1 meter") && text.contains("- Bruk inngangen i gården."),
        "{text}"
    );
}

#[test]
fn a_district_may_have_a_digital_route_of_its_own_and_routes_end() {
    let own = "\n[districts.oslo.digital.residence_permit]\ndays = 30\nuntil = 2021-05-31\n\
               info_phone = \"22 34 21 09\"\ninfo_phone_hours = \"10:00-14:00\"\n\
               [districts.oslo.digital.residence_permit.steps]\nnb = [\"A\"]\nnn = [\"A\"]\nen = [\"A\"]\n";
    let directory = with(own).unwrap();
    let (service, oslo) = (
        ServiceId::from("residence_permit"),
        OfficeId::from("sentrum"),
    );
    let route = |day: &str| directory.digital_route(&service, &oslo, day.parse().unwrap());
    assert_eq!(route("2021-03-16").unwrap().info_phone, "22 34 21 09");
    assert_eq!(route("2021-06-01"), None);
    let elsewhere = OfficeId::from("algiers");
    let day = "2021-03-16".parse().unwrap();
    let national = directory.digital_route(&service, &elsewhere, day);
    assert_eq!(national.unwrap().info_phone, "22 34 21 00");
    let never = own.replace("residence_permit", "citizenship");
    let faults = with(&never).unwrap_err();
    assert!(
        faults[0].contains("can never be submitted online"),
        "{faults:?}"
    );
}

#[test]
fn what_to_bring_follows_the_age_on_the_new_day() {
    let desk = Desk::new();
    let text = |born: Option<&str>| {
        let mut telling = desk.sample("embassy-moved-time");
        telling.particulars.born = born.map(|day| day.parse().unwrap());
        desk.email(&telling).text
    };
    let (adult, child, photo) = ("18 år eller eldre", "under 18 år", "under 3 år");
    let says = |text: &str| [adult, child, photo].map(|words| text.contains(words));
    assert_eq!(says(&text(None)), [true, true, true]);
    // The new day is 15 April 2021: the birthday itself counts.
    assert_eq!(says(&text(Some("2003-04-15"))), [true, false, false]);
    assert_eq!(says(&text(Some("2003-04-16"))), [false, true, false]);
    assert_eq!(says(&text(Some("2018-04-15"))), [false, true, false]);
    assert_eq!(says(&text(Some("2018-04-16"))), [false, true, true]);
    for always in [
        "7500 DZD for deg som er over 16 år",
        "Du må betale kontant.",
        "norsk personnummer",
        "Det tar 2-3 uker",
        "nødpass",
        "tredje land",
    ] {
        assert!(text(None).contains(always), "{always}");
    }
}

#[test]
fn fees_that_have_run_out_are_not_told() {
    let directory = replaced(
        "cash = true\nnumber_required",
        "until = 2021-04-14\ncash = true\nnumber_required",
    );
    let mut desk = Desk::new();
    desk.directory = directory.unwrap();
    let text = desk.email(&desk.sample("embassy-moved-time")).text;
    for gone in ["DZD", "Dette må du ha med", "nødpass", "2-3 uker"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
}

#[test]
fn a_closed_line_is_told_with_its_opening() {
    let desk = Desk::new();
    let mut telling = desk.sample("passport-cancelled");
    // The Wednesday before Easter, an hour after the line has closed.
    telling.decided_at = "2021-03-31T14:00:00Z".parse().unwrap();
    let sms = desk.sms(&telling);
    assert!(
        sms.contains("Ring 00 00 00 00 fra tirsdag 6. april kl. 09.00."),
        "{sms}"
    );
    assert!(
        sms.contains("Call 00 00 00 00 from Tuesday 6 April at 09:00."),
        "{sms}"
    );
    let email = desk.email(&telling).text;
    assert!(
        email.contains("Den åpner tirsdag 6. april kl. 09.00."),
        "{email}"
    );
    // A night is not long.
    telling.decided_at = "2021-03-30T20:00:00Z".parse().unwrap();
    assert!(
        !desk.sms(&telling).contains(" fra "),
        "{}",
        desk.sms(&telling)
    );
}

#[test]
fn an_office_that_books_by_telephone_only_says_so() {
    let mut desk = Desk::new();
    let booking = "[offices.furuset.booking]\nway = \"phone\"\n\
                   how = { nb = \"Ring oss.\", nn = \"Ring oss.\", en = \"Call us.\" }\n";
    desk.directory = with(&format!("\n{booking}")).unwrap();
    let mut telling = desk.sample("rebooking");
    assert!(
        desk.sms(&telling)
            .contains("Bruk nettsidene våre eller ring")
    );
    telling.change.old.office = "furuset".into();
    let sms = desk.sms(&telling);
    assert!(
        !sms.contains("nettsidene") && sms.contains("Ring 00 00 00 00 innen"),
        "{sms}"
    );
    let email = desk.email(&telling).text;
    assert!(email.contains("Slik bestiller du: Ring oss."), "{email}");
}
