//! Laws and examples of contacts; the canaries show that no plain value is ever printed.

use proptest::prelude::*;

use super::*;
use crate::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use crate::domain::recipient::{Recipient, Role};

const NORWAY: Regions<'static> = Regions {
    default: "NO",
    plausible: &[],
};

fn read(raw: &str) -> Result<String, Unusable> {
    Phone::read(raw, NORWAY).map(|phone| phone.expose().to_owned())
}

#[test]
fn a_number_is_read_however_it_is_written() {
    for raw in [
        "40000000",
        "40 00 00 00",
        " 400 00 000 ",
        "+4740000000",
        "+47 40 00 00 00",
        "(+47) 40 00 00 00",
        "0047 40000000",
        "4740000000",
        "400-00-000",
        "400.00.000",
        "40\u{a0}00\u{2009}00\u{202f}00",
        "\u{202a}+4740000000\u{202c}",
    ] {
        assert_eq!(read(raw).as_deref(), Ok("+4740000000"), "{raw:?}");
    }
    // A number may begin with the digits of its own country code.
    assert_eq!(read("47 00 00 00").as_deref(), Ok("+4747000000"));
    assert_eq!(read("+47 47 00 00 00").as_deref(), Ok("+4747000000"));
    let algiers = ["DZ".to_owned()];
    let abroad = Regions {
        default: "NO",
        plausible: &algiers,
    };
    let long_way = Phone::read("47 00 00 00", abroad);
    assert_eq!(
        long_way.map(|p| p.expose().to_owned()).as_deref(),
        Ok("+4747000000")
    );
    assert_eq!(read("22 00 00 00").as_deref(), Ok("+4722000000"));
    assert_eq!(read("+213 550 00 00 00").as_deref(), Ok("+213550000000"));
    assert_eq!(read("+46 (0)70 174 06 05").as_deref(), Ok("+46701740605"));
}

#[test]
fn what_is_no_personal_number_is_refused() {
    for raw in [
        "1234",
        "112",
        "02800",
        "815 00 000",
        "820 00 000",
        "800 00 000",
        "1234567890123456789012345678901234567890123",
        "ukjent",
        "40 00 00 00 / 41 00 00 00",
        "40 00 00 00 ext 5",
        "40 00 00 0O",
        "+",
        "00",
        "+999 40 00 00 00",
        "--",
    ] {
        assert_eq!(read(raw), Err(Unusable::Invalid), "{raw:?}");
    }
    for raw in ["4000\n0000", "4000\u{0}0000", "4000\u{202e}0000"] {
        assert_eq!(read(raw), Err(Unusable::ControlCharacters), "{raw:?}");
    }
}

#[test]
fn a_number_of_two_countries_is_not_used_unless_it_names_one() {
    let norway = ["NO".to_owned()];
    let algiers = Regions {
        default: "DZ",
        plausible: &norway,
    };
    let read = |raw| Phone::read(raw, algiers).map(|phone| phone.expose().to_owned());
    // Eight digits from 40: a mobile in Norway, a landline in Algeria.
    assert_eq!(read("40 00 00 00"), Err(Unusable::Ambiguous));
    assert_eq!(read("+47 40 00 00 00").as_deref(), Ok("+4740000000"));
    assert_eq!(read("0047 40 00 00 00").as_deref(), Ok("+4740000000"));
    assert_eq!(read("0550 00 00 00").as_deref(), Ok("+213550000000"));
    // The same region named twice is one region.
    let twice = Regions {
        default: "NO",
        plausible: &norway,
    };
    assert!(Phone::read("40 00 00 00", twice).is_ok());
    // A region nobody knows makes no number valid.
    let nowhere = Regions {
        default: "",
        plausible: &[],
    };
    assert!(Phone::read("40 00 00 00", nowhere).is_err());
    assert!(Phone::read("+47 40 00 00 00", nowhere).is_ok());
}

#[test]
fn an_address_is_read_or_refused_with_the_reason() {
    let read = |raw: &str| Email::read(raw).map(|email| email.expose().to_owned());
    let good = "kari.nordmann+time@post.example.com";
    assert_eq!(read(good).as_deref(), Ok(good));
    assert_eq!(read(" k@example.org\r\n").as_deref(), Ok("k@example.org"));
    let long = format!("{}@example.com", "a".repeat(65));
    let longer = format!("a@{}example.com", "b1234567.".repeat(30));
    for raw in [
        "",
        "kari",
        "a@b",
        "a@localhost",
        "@example.com",
        "a@",
        "a@@example.com",
        "a b@example.com",
        "kåre@example.com",
        "kari@blåbær.example",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        "Kari <kari@example.com>",
        "\"kari\"@example.com",
        "\"a\\\" <x>\"@example.com",
        "a@example.com, b@example.com",
        "a@example.com.",
        long.as_str(),
        longer.as_str(),
    ] {
        assert_eq!(read(raw), Err(Unusable::Invalid), "{raw:?}");
    }
    for raw in [
        "a@example.com\r\nBcc: b@example.com",
        "a\u{0}@example.com",
        "a\u{85}@example.com",
        "a\u{202e}@example.com",
        "a\u{200f}@example.com",
        "a\u{2066}@example.com",
        "a\tb@example.com",
    ] {
        assert_eq!(read(raw), Err(Unusable::ControlCharacters), "{raw:?}");
    }
}

#[test]
fn a_contact_says_which_of_its_ways_is_missing_and_which_cannot_be_used() {
    let contact = Contact::read(Some("  "), Some("a@b"), NORWAY);
    assert_eq!(contact.phone, Err(Unusable::Missing));
    assert_eq!(contact.email, Err(Unusable::Invalid));
    assert!(!contact.is_empty());
    assert!(Contact::read(None, Some(""), NORWAY).is_empty());
    assert_eq!(contact.address(Channel::Sms), Address::None);
    let contact = Contact::read(Some("40000000"), None, NORWAY);
    assert!(contact.has(Channel::Sms) && contact.has(Channel::Phone));
    assert!(!contact.has(Channel::Email));
}

#[test]
fn nothing_that_holds_a_contact_prints_it() {
    let contact = Contact::read(Some("40 70 00 56"), Some("canary@secret.example"), NORWAY);
    let recipient = Recipient {
        role: Role::Applicant,
        contact: contact.clone(),
        language: None,
    };
    let appointment = Appointment {
        source: SourceName("s".into()),
        key: BookingKey("k".into()),
        state: BookingState {
            standing: Standing::Active,
            start: chrono::DateTime::UNIX_EPOCH,
            office: "o".into(),
        },
        service: "p".into(),
        recipients: vec![recipient.clone()],
        about: crate::domain::about::About::default(),
    };
    let printed = [
        format!("{contact:?} {contact:#?}"),
        format!("{recipient:?} {appointment:?} {appointment:#?}"),
        format!("{:?}", contact.address(Channel::Sms)),
        format!("{:?}", contact.address(Channel::Email)),
        format!("{} {:?}", contact.phone.clone().unwrap(), contact.phone),
        format!("{} {:?}", contact.email.clone().unwrap(), contact.email),
    ]
    .join(" ");
    for canary in [
        "40700056", "407", "700", "005", "anary", "secret", "example",
    ] {
        assert!(!printed.contains(canary), "{canary} in {printed}");
    }
    assert!(printed.contains("+47•••56") && printed.contains("c•••@•••"));
}

#[test]
fn the_mask_shows_the_country_and_two_digits_at_most() {
    for (stored, shown) in [
        ("+4740700056", "+47•••56"),
        ("+213550000000", "+213•••00"),
        ("+15550100123", "+1•••23"),
        ("+47123", "+47•••"),
        ("40700056", "•••56"),
        ("+", "•••"),
        ("", "•••"),
    ] {
        assert_eq!(Phone::from_stored(stored).to_string(), shown);
    }
    assert_eq!(Email::from_stored("").to_string(), "••••@•••");
}

proptest! {
    #[test]
    fn any_text_is_read_without_harm(raw in "\\PC{0,60}|[+0-9 ()./-]{0,30}") {
        for region in ["NO", "DZ", "US", ""] {
            let plausible = ["NO".to_owned(), "SE".to_owned()];
            let regions = Regions { default: region, plausible: &plausible };
            if let Ok(phone) = Phone::read(&raw, regions) {
                prop_assert!(phone.expose().starts_with('+'));
                prop_assert!(phone.expose()[1..].bytes().all(|b| b.is_ascii_digit()));
                prop_assert!(phone.expose().len() <= 16, "E.164 has at most 15 digits");
                // What was read once is read again as itself, in any region.
                prop_assert_eq!(Phone::read(phone.expose(), NORWAY), Ok(phone));
            }
        }
        if let Ok(email) = Email::read(&raw) {
            prop_assert!(email.expose().is_ascii());
            prop_assert_eq!(Email::read(email.expose()), Ok(email));
        }
    }

    #[test]
    fn the_short_way_for_norwegian_mobiles_says_what_the_tables_say(digits in "[0-9]{7,9}|[49][0-9]{7}") {
        let tables = e164(&format!("+47{digits}"), None);
        for dialled in [digits.clone(), format!("+47{digits}")] {
            if let Some(short) = norwegian_mobile(&dialled, NORWAY) {
                prop_assert_eq!(Some(short), tables.clone());
            }
        }
        // And the long way, where the office's region is not the only one, agrees.
        let sweden = ["SE".to_owned()];
        let both = Regions { default: "NO", plausible: &sweden };
        if let (Ok(long), Some(tables)) = (Phone::read(&digits, both), tables) {
            prop_assert_eq!(long.expose(), tables);
        }
    }

    #[test]
    fn the_mask_never_shows_more_than_two_digits(digits in "[0-9]{6,12}") {
        let shown = Phone::from_stored(&format!("+47{digits}")).to_string();
        let (head, tail) = shown.split_once("•••").unwrap();
        prop_assert_eq!(head, "+47");
        prop_assert_eq!(tail, &digits[digits.len() - 2..]);
    }
}
