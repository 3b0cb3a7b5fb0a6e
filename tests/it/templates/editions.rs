//! Editions of offices.toml: a fact that changes on a day is told as it is then, and what an edition
//! cannot mean is refused with file and line.

use std::path::Path;

use chrono::{DateTime, Utc};
use varsel::config::directory::{MODEL_CASE, parse};
use varsel::domain::directory::Directory;
use varsel::domain::plan::Telling;

use super::desk::Desk;

/// The passport section gets another number and other hours, an office moves, another is renamed.
const APRIL: &str = r#"
[[edition]]
from = 2021-04-01

[edition.lines.oslo_passport]
phone = "00 00 00 09"
hours = "10:00-14:00"

[edition.offices.gronland]
name_sms = "Bydel passkontor"
name_full = { nb = "Bydel passkontor", nn = "Bydel passkontor", en = "Bydel passport office" }
address = "Nygata 5"
booking = { way = "phone" }

[edition.districts.oslo]
agency_full = { nb = "Politidistriktet", nn = "Politidistriktet", en = "Police District" }
"#;

const MAY: &str =
    "\n[[edition]]\nfrom = 2021-05-01\n\n[edition.lines.oslo_passport]\nphone = \"00 00 00 08\"\n";

fn with(more: &str) -> Result<Directory, Vec<String>> {
    let text = format!("{MODEL_CASE}{more}");
    parse(&text, Path::new("offices.toml"))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.directory = with(&format!("{APRIL}{MAY}")).unwrap();
    desk
}

fn at(moment: &str) -> DateTime<Utc> {
    moment.parse().unwrap()
}

/// An appointment at Grønland that moves from one moment to another, decided on a third.
fn moved(desk: &Desk, decided_at: &str, (old, new): (&str, &str)) -> Telling {
    let mut telling = desk.sample("passport-moved-time");
    telling.change.old.office = "gronland".into();
    telling.change.new.office = "gronland".into();
    telling.change.old.start = at(old);
    telling.change.new.start = at(new);
    telling.decided_at = at(decided_at);
    telling.languages.second = None;
    telling
}

#[test]
fn whom_to_call_is_told_as_it_is_on_the_day_of_writing() {
    let desk = desk();
    let days = ("2021-05-20T08:00:00Z", "2021-05-21T08:00:00Z");
    for (decided_at, phone, hours, agency) in [
        // 22:30 in UTC is the next day in Oslo, where the office is.
        (
            "2021-03-31T21:59:00Z",
            "00 00 00 00",
            "09.00-15.00",
            "Oslo politidistrikt",
        ),
        (
            "2021-03-31T22:30:00Z",
            "00 00 00 09",
            "10.00-14.00",
            "Politidistriktet",
        ),
        (
            "2021-04-30T21:59:00Z",
            "00 00 00 09",
            "10.00-14.00",
            "Politidistriktet",
        ),
        // What the second edition does not name stays as the first one has it.
        (
            "2021-04-30T22:30:00Z",
            "00 00 00 08",
            "10.00-14.00",
            "Politidistriktet",
        ),
    ] {
        let telling = moved(&desk, decided_at, days);
        let (sms, email) = (desk.sms(&telling), desk.email(&telling));
        assert!(sms.contains(phone), "{decided_at}: {sms}");
        assert!(email.text.contains(phone), "{decided_at}: {}", email.text);
        assert!(email.text.contains(hours), "{decided_at}: {}", email.text);
        assert!(
            email.from_name.contains(agency),
            "{decided_at}: {}",
            email.from_name
        );
    }
}

#[test]
fn where_to_go_is_told_as_it_is_on_the_day_of_the_visit() {
    let desk = desk();
    let today = "2021-03-16T13:00:00Z";
    let before = ("2021-03-24T08:00:00Z", "2021-03-31T08:00:00Z");
    let text = desk.email(&moved(&desk, today, before)).text;
    assert!(
        text.contains("Eksempelgata 12 B") && !text.contains("Nygata"),
        "{text}"
    );
    let across = ("2021-03-24T08:00:00Z", "2021-04-01T08:00:00Z");
    let text = desk.email(&moved(&desk, today, across)).text;
    assert!(text.contains("Bydel passkontor, Nygata 5"), "{text}");
    assert!(!text.contains("Eksempelgata 12 B"), "{text}");
    // Whoever is invited again long after the appointment is invited to where the office is now.
    let mut invited = desk.sample("rebooking");
    invited.change.old.office = "gronland".into();
    invited.change.new.office = "gronland".into();
    invited.languages.second = None;
    assert!(desk.sms(&invited).contains("Grønland passkontor"));
    invited.decided_at = at("2021-04-12T08:00:00Z");
    let sms = desk.sms(&invited);
    assert!(
        sms.contains("ved Bydel passkontor. Ring 00 00 00 09 innen"),
        "{sms}"
    );
}

#[test]
fn every_edition_is_checked_with_the_texts() {
    let desk = desk();
    let faults = desk.templates.check_pairs(&desk.directory, None);
    let before = Desk::new();
    assert_eq!(
        faults,
        before.templates.check_pairs(&before.directory, None)
    );
    let long = APRIL.replace("\"Bydel passkontor\"\n", "\"Bydel og omegn passkontor\"\n");
    let faults = desk.templates.check_pairs(&with(&long).unwrap(), None);
    let found = faults
        .iter()
        .any(|fault| fault.to_string().contains("gronland"));
    assert!(found, "{faults:?}");
}

#[test]
fn what_an_edition_cannot_mean_is_refused_with_its_line() {
    for (from, to, expected) in [
        (
            "phone = \"00 00 00 09\"",
            "phone = \"ring oss\"",
            "edition.lines.oslo_passport.phone: a telephone number has digits",
        ),
        (
            "hours = \"10:00-14:00\"",
            "hourrs = \"10:00-14:00\"",
            "edition.lines.oslo_passport.hourrs: an edition cannot change hourrs; of lines it can \
             change phone, hours, section",
        ),
        (
            "address = \"Nygata 5\"",
            "zone = \"Europe/Rome\"",
            "edition.offices.gronland.zone: an edition cannot change zone; of offices it can change",
        ),
        (
            "[edition.offices.gronland]",
            "[edition.offices.groenland]",
            "edition.offices.groenland: \"groenland\" is not among the offices of the file",
        ),
        (
            "[edition.districts.oslo]",
            "[edition.guidelines.oslo]",
            "edition.guidelines.oslo: key \"guidelines\" is not known",
        ),
        (
            "from = 2021-04-01\n",
            "\n",
            "edition: an edition needs its first day",
        ),
        ("from = 2021-04-01", "from = \"April\"", "edition.from: "),
        (
            "from = 2021-04-01",
            "from = 2021-05-01",
            "edition: editions stand in the order of their days, one for each day",
        ),
        (
            "booking = { way = \"phone\" }",
            "booking = { how = \"i luka\" }",
            "edition.offices.gronland.booking: the key \"way\" is missing",
        ),
    ] {
        assert!(APRIL.contains(from), "{from}");
        let broken = APRIL.replacen(from, to, 1);
        let faults = with(&format!("{broken}{MAY}")).expect_err(to);
        assert!(faults[0].contains(expected), "{to}: {faults:?}");
        assert_eq!(faults.len(), 1, "{to}: {faults:?}");
        let line = faults[0]
            .split(':')
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap();
        assert!(line > MODEL_CASE.lines().count(), "{faults:?}");
    }
    let faults = with("\n[editions]\nfrom = 2021-04-01\n").unwrap_err();
    assert!(
        faults[0].contains("did you mean \"edition\"?"),
        "{faults:?}"
    );
}
