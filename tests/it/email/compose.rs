//! A mail's bytes: a function of the letter, readable by others, and closed to injection.

use chrono::{DateTime, TimeZone, Utc};
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;
use varsel::channel::email::{CalendarEntry, Letter, Method, compose};
use varsel::domain::about::Invited;
use varsel::domain::contact::Email;
use varsel::domain::language::Language;

use crate::support::ics;

pub(crate) const SUBJECT: &str =
    "Avlyst: timen din 24. mars / Cancelled: your appointment 24 March";

pub(crate) const TEXT: &str = "Hei\nEnglish below\n\nTimen din er avlyst. Du skal ikke møte opp.\n\n\
     Tid: onsdag 24. mars kl. 09.20\nSted: Grønland politistasjon\n\n\
     Vi beklager. Du kan ikke svare på denne e-posten.\n\n----------------------------------------\n\n\
     Hello\n\nYour appointment is cancelled. Please do not come.\n\n\
     Time: Wednesday 24 March at 09:20\nPlace: Grønland politistasjon\n\n\
     We are sorry. You cannot reply to this e-mail.\n";

pub(crate) const HTML: &str = "<!doctype html>\n<html lang=\"nb\">\n<head><meta charset=\"utf-8\"><title>Avlyst</title></head>\n\
     <body>\n<div lang=\"nb\"><p>Timen din er avlyst. Du skal ikke møte opp.</p></div>\n<hr>\n\
     <div lang=\"en\"><p>Your appointment is cancelled. Please do not come.</p></div>\n</body>\n</html>\n";

const SECRET: [u8; 32] = [7; 32];

pub(crate) fn created() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2021, 3, 16, 13, 0, 0).unwrap()
}

pub(crate) fn letter<'a>(to: &'a Email, identity: &'a str) -> Letter<'a> {
    Letter {
        from_name: "Oslo politidistrikt",
        from_address: "ikke-svar@varsel.example",
        to,
        subject: SUBJECT,
        text: TEXT,
        html: HTML,
        languages: &[Language::Nb, Language::En],
        identity,
        secret: &SECRET,
        date: created(),
        thread: &[],
        calendar: None,
    }
}

fn invited(uid: &str) -> Invited {
    Invited {
        uid: uid.to_owned(),
        organizer: Email::read("time@varsel.example").unwrap(),
    }
}

fn entry(invited: &Invited) -> CalendarEntry<'_> {
    CalendarEntry {
        method: Method::Cancel,
        invited,
        sequence: 1,
        start: Utc.with_ymd_and_hms(2021, 3, 24, 8, 20, 0).unwrap(),
        summary: "Avtale: Oslo politidistrikt",
        place: "Grønland politistasjon, Eksempelgata 12 B; 2. etasje \\ bak, i gården",
    }
}

/// A correction as it looks on the wire: in the thread of the mail it corrects, with a calendar part.
#[test]
fn a_follow_up_with_a_calendar_part() {
    let to = person();
    let invited = invited("0a8f-1@booking.example");
    let follow_up = Letter {
        thread: &["message-1"],
        calendar: Some(entry(&invited)),
        ..letter(&to, "message-2")
    };
    let mail = compose(&follow_up).unwrap();
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let first = compose(&letter(&to, "message-1")).unwrap();
    let first = MessageParser::default().parse(&first).unwrap();
    assert_eq!(parsed.in_reply_to().as_text(), first.message_id());
    assert_eq!(parsed.references().as_text(), first.message_id());
    let part = ics::of_mail(&mail).unwrap();
    assert_eq!(
        (
            part.method_of_type.as_str(),
            part.calendar["METHOD"].as_str()
        ),
        ("CANCEL", "CANCEL")
    );
    assert_eq!(part.event["LOCATION"], entry(&invited).place);
    insta::assert_snapshot!(String::from_utf8(mail).unwrap().replace("\r\n", "\n"));
}

#[test]
fn of_a_long_thread_the_newest_mails_are_named() {
    let to = person();
    let names: Vec<String> = (0..40).map(|n| format!("message-{n}")).collect();
    let thread: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = Letter {
        thread: &thread,
        ..letter(&to, "message-40")
    };
    let mail = compose(&long).unwrap();
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let references = parsed.references().as_text_list().unwrap();
    assert_eq!(references.len(), 12);
    assert_eq!(
        parsed.in_reply_to().as_text(),
        references.last().map(|last| &**last)
    );
}

fn person() -> Email {
    Email::read("kari@example.org").unwrap()
}

#[test]
fn a_bilingual_mail() {
    let to = person();
    let mail = compose(&letter(&to, "message-1")).unwrap();
    assert_eq!(
        mail,
        compose(&letter(&to, "message-1")).unwrap(),
        "byte for byte"
    );
    insta::assert_snapshot!(String::from_utf8(mail).unwrap().replace("\r\n", "\n"));
}

#[test]
fn another_message_has_another_name() {
    let to = person();
    let id = |identity, secret| {
        let letter = Letter {
            secret,
            ..letter(&to, identity)
        };
        let mail = compose(&letter).unwrap();
        let mail = MessageParser::default().parse(&mail).unwrap();
        mail.message_id().unwrap().to_owned()
    };
    assert_eq!(id("message-1", &SECRET), id("message-1", &SECRET));
    assert_ne!(id("message-1", &SECRET), id("message-2", &SECRET));
    assert_ne!(id("message-1", &SECRET), id("message-1", &[8; 32]));
    assert!(id("message-1", &SECRET).ends_with("@varsel.example"));
    assert!(!id("message-1", &SECRET).contains("message-1"));
}

#[test]
fn another_reader_finds_both_languages() {
    let to = person();
    let bytes = compose(&letter(&to, "message-1")).unwrap();
    let mail = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(mail.subject(), Some(SUBJECT));
    assert_eq!(mail.date().unwrap().to_timestamp(), created().timestamp());
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), TEXT);
    assert_eq!(mail.body_html(0).unwrap().replace("\r\n", "\n"), HTML);
    let kind = mail.content_type().unwrap();
    assert_eq!(
        (kind.ctype(), kind.subtype()),
        ("multipart", Some("alternative"))
    );
    assert_eq!(
        mail.header_raw("Content-Language").unwrap().trim(),
        "nb, en"
    );
    assert_eq!(
        mail.header_raw("Auto-Submitted").unwrap().trim(),
        "auto-generated"
    );
    assert!(mail.reply_to().is_none());
}

/// The names of the header fields, in order.
fn header_names(mail: &[u8]) -> Vec<String> {
    let mail = String::from_utf8(mail.to_vec()).unwrap();
    let (headers, _) = mail.split_once("\r\n\r\n").unwrap();
    let unfolded = headers.replace("\r\n ", " ").replace("\r\n\t", " ");
    let name = |line: &str| line.split(':').next().unwrap().to_owned();
    unfolded.split("\r\n").map(name).collect()
}

const HEADERS: [&str; 10] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
];

#[test]
fn line_breaks_in_a_name_or_subject_are_spaces() {
    let to = person();
    for ending in ["\r\n", "\n", "\r", "\0", "\u{85}", "\u{2028}", "\r\n "] {
        let evil = format!("Oslo{ending}Bcc: all@example.org{ending}{ending}body");
        let letter = Letter {
            from_name: &evil,
            subject: &evil,
            ..letter(&to, "message-1")
        };
        let bytes = compose(&letter).unwrap();
        assert_eq!(header_names(&bytes), HEADERS);
        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(mail.subject(), Some("Oslo Bcc: all@example.org body"));
        let from = mail.from().unwrap().first().unwrap();
        assert_eq!(from.name(), Some("Oslo Bcc: all@example.org body"));
        assert!(mail.bcc().is_none());
    }
}

#[test]
fn a_word_longer_than_a_line_may_be_is_an_error_and_no_broken_mail() {
    let to = person();
    let word = "x".repeat(2000);
    let long = Letter {
        subject: &word,
        ..letter(&to, "message-1")
    };
    let error = compose(&long).unwrap_err().to_string();
    assert!(error.contains("998"), "{error}");
    let body = Letter {
        text: &word,
        ..letter(&to, "message-1")
    };
    assert!(compose(&body).is_ok(), "bodies are encoded");
}

#[test]
fn what_cannot_be_a_mail_is_an_error_without_the_values() {
    let to = person();
    let good = letter(&to, "message-1");
    let error = |letter: Letter<'_>| compose(&letter).unwrap_err().to_string();
    let from = error(Letter {
        from_address: "x@y\r\nBcc: a@b",
        ..letter(&to, "m")
    });
    assert!(from.contains("sender") && !from.contains("Bcc"), "{from}");
    let stored = Email::from_stored("a@b>\r\nBcc: x@example.org");
    let recipient = error(letter(&stored, "m"));
    assert!(
        recipient.contains("recipient") && !recipient.contains("Bcc"),
        "{recipient}"
    );
    let early = Utc.with_ymd_and_hms(1969, 12, 31, 0, 0, 0).unwrap();
    assert!(
        error(Letter {
            date: early,
            ..good
        })
        .contains("1970")
    );
}

/// Texts of up to `most` pieces that have broken mails before, and long words among them.
fn pieces(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\r\n",
        "\r",
        "\n",
        "\n.",
        "\n.\r\n",
        "\0",
        "\t",
        " ",
        "  ",
        "a",
        "From ",
        "Bcc: x@y.example",
        "\"",
        "\\",
        "<",
        ">",
        ",",
        ";",
        ":",
        "=",
        "=?",
        "?=",
        "=?utf-8?b?",
        "--",
        "ø",
        "€",
        "\u{1F600}",
        "e\u{301}",
        "\u{85}",
        "\u{2028}",
        "\u{200b}",
        "\u{feff}",
        LONG_WORD,
    ]);
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

const LONG_WORD: &str = "Menneskerettighetsorganisasjonssekretariatsmedlemsregistreringsskjemaene";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Whatever stands in a name, a subject or a text: the same headers, no long line, nothing that
    /// two servers could read differently, and no panic.
    #[test]
    fn nothing_a_letter_holds_adds_a_header(
        name in any::<String>(),
        subject in pieces(120),
        text in pieces(600),
    ) {
        let to = person();
        let letter = Letter {
            from_name: &name,
            subject: &subject,
            text: &text,
            html: &text,
            ..letter(&to, "message-1")
        };
        let mail = compose(&letter).unwrap();
        prop_assert_eq!(header_names(&mail), HEADERS);
        prop_assert!(mail.is_ascii());
        for line in mail.split(|b| *b == b'\n') {
            prop_assert!(line.len() <= 999);
        }
        let parsed = MessageParser::default().parse(&mail).unwrap();
        prop_assert_eq!(parsed.parts.len(), 3);
        let plain = parsed.part(1).unwrap();
        prop_assert!(plain.content_type().unwrap().subtype() == Some("plain"));
    }

    /// Whatever stands in a calendar part: another reader finds one entry with these values, and no line
    /// is longer than calendars read.
    #[test]
    fn nothing_a_calendar_holds_adds_a_line_to_it(
        uid in "[!-~]{1,255}",
        organizer in "[a-z!#$%&'*+/=?^_`{|}~-]{1,20}",
        summary in pieces(20),
        place in any::<String>(),
    ) {
        let to = person();
        let mut invited = invited(&uid);
        let Ok(address) = Email::read(&format!("{organizer}@example.com")) else { return Ok(()) };
        invited.organizer = address;
        let letter = Letter {
            calendar: Some(CalendarEntry {
                summary: &summary,
                place: &place,
                ..entry(&invited)
            }),
            ..letter(&to, "message-1")
        };
        let mail = compose(&letter).unwrap();
        prop_assert_eq!(header_names(&mail), HEADERS);
        let part = ics::of_mail(&mail).unwrap();
        for line in part.text.split("\r\n") {
            prop_assert!(line.len() <= 75, "{line}");
            prop_assert!(!line.chars().any(char::is_control), "{line}");
        }
        prop_assert_eq!(&part.event["UID"], &uid);
        prop_assert_eq!(&part.event["STATUS"], "CANCELLED");
        let said = |text: &str| {
            let breaks = text.replace(['\u{2028}', '\u{2029}'], "\n");
            breaks.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>()
        };
        prop_assert_eq!(&part.event["SUMMARY"], &said(&summary));
        prop_assert_eq!(part.event.get("LOCATION").cloned().unwrap_or_default(), said(&place));
    }

    /// Whatever is typed as an address is refused, or is the one recipient of an ordinary mail.
    #[test]
    fn no_address_adds_a_header_or_a_recipient(
        raw in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~ \"<>,;:()\\[\\]\r\n\t\u{0}\u{202e}æ-]{1,20}@(example\\.com|[a-zæ0-9.\\[\\]: -]{1,12}|example\\.com[\r\n, ;>]{1,3}x@example\\.net)",
    ) {
        let Ok(to) = Email::read(&raw) else { return Ok(()) };
        let mail = compose(&letter(&to, "message-1")).unwrap();
        prop_assert_eq!(header_names(&mail), HEADERS);
        let parsed = MessageParser::default().parse(&mail).unwrap();
        let all: Vec<_> = parsed.to().unwrap().iter().filter_map(|to| to.address()).collect();
        prop_assert_eq!(all, [to.expose()]);
    }
}
