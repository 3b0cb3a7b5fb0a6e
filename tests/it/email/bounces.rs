//! Mails that come back, in the shapes of the relays there are: what counts, what is progress, and
//! what says nothing, down to bytes that are no mail at all.

use proptest::prelude::*;
use varsel::channel::email::{Returned, read_returned};
use varsel::domain::outcome::ReportState::{self, Delivered, Progress, Undelivered};

use crate::support::cannot_run_here;

/// A notification as Postfix writes it; `fields` are those of the recipient, without the addresses.
pub(crate) fn postfix(fields: &str) -> String {
    format!(
        "Return-Path: <>\r\n\
         Received: by relay.example (Postfix)\r\n\tid 4BC0D1; Tue, 16 Mar 2021 13:00:00 +0000 (UTC)\r\n\
         Date: Tue, 16 Mar 2021 13:00:00 +0000 (UTC)\r\n\
         From: MAILER-DAEMON@relay.example (Mail Delivery System)\r\n\
         Subject: About your mail\r\n\
         To: bounce+token@bounce.varsel.example\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"4BC0D1.1615899600/relay.example\"\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         A MIME mail.\r\n\
         \r\n\
         --4BC0D1.1615899600/relay.example\r\n\
         Content-Description: Notification\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         This is relay.example. About <kari@example.org>: so it is. Blåbærsyltetøy.\r\n\
         \r\n\
         --4BC0D1.1615899600/relay.example\r\n\
         Content-Description: Delivery report\r\n\
         Content-Type: message/delivery-status\r\n\
         \r\n\
         Reporting-MTA: dns; relay.example\r\n\
         Original-Envelope-Id: token\r\n\
         X-Postfix-Queue-ID: 4BC0D1\r\n\
         Arrival-Date: Tue, 16 Mar 2021 12:59:00 +0000 (UTC)\r\n\
         \r\n\
         Final-Recipient: rfc822; kari@example.org\r\n\
         Original-Recipient: rfc822;kari@example.org\r\n\
         {fields}\r\n\
         --4BC0D1.1615899600/relay.example\r\n\
         Content-Description: Undelivered Message Headers\r\n\
         Content-Type: text/rfc822-headers\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         Return-Path: <bounce+token@bounce.varsel.example>\r\n\
         To: kari@example.org\r\n\
         Message-ID: <v1.0123456789abcdef@varsel.example>\r\n\
         \r\n\
         --4BC0D1.1615899600/relay.example--\r\n"
    )
}

/// A notification as Exim writes it: header names in other letters, the action before the address.
fn exim(fields: &str, submitted: &str) -> String {
    format!(
        "Return-path: <>\r\n\
         X-Failed-Recipients: kari@example.org\r\n\
         Auto-Submitted: {submitted}\r\n\
         From: Mail Delivery System <Mailer-Daemon@mx.example>\r\n\
         To: bounce+token@bounce.varsel.example\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=1615899600-eximdsn-7\r\n\
         MIME-Version: 1.0\r\n\
         Subject: About your mail\r\n\
         \r\n\
         --1615899600-eximdsn-7\r\n\
         Content-type: text/plain; charset=us-ascii\r\n\
         \r\n\
         Some words for people: 5.7.99 means nothing here.\r\n\
         \r\n\
         --1615899600-eximdsn-7\r\n\
         Content-type: message/delivery-status\r\n\
         \r\n\
         Reporting-MTA: dns; mx.example\r\n\
         Original-Envelope-ID: token\r\n\
         \r\n\
         Original-Recipient: rfc822;kari@example.org\r\n\
         {fields}\r\n\
         --1615899600-eximdsn-7\r\n\
         Content-type: text/rfc822-headers\r\n\
         \r\n\
         Message-ID: <v1.0123456789abcdef@varsel.example>\r\n\
         Subject: Avlyst\r\n\
         \r\n\
         \r\n\
         --1615899600-eximdsn-7--\r\n"
    )
}

fn says(mail: &str) -> Option<(ReportState, String)> {
    match read_returned(mail.as_bytes()) {
        Returned::Report(state, words) => Some((state, words)),
        Returned::NoBounce => None,
    }
}

const UNKNOWN: &str = "5.1.1: no such mailbox";
const CLOSED: &str = "5.2.1: the mailbox is closed";
const UNTOLD: &str = "the reason is not told";

/// A mail, what it says, and its code in words.
type Shape = (String, ReportState, &'static str);

fn shapes_of_postfix() -> Vec<Shape> {
    vec![
        (
            postfix(
                "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: X-Postfix; not there: \"kari@example.org\"\r\n",
            ),
            Undelivered,
            UNKNOWN,
        ),
        (
            postfix(
                "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: x-unix; nobody of that name\r\n",
            ),
            Undelivered,
            UNKNOWN,
        ),
        (
            postfix(
                "Action: failed\r\nStatus: 5.2.1\r\nRemote-MTA: dns; 192.0.2.1\r\nDiagnostic-Code: smtp; 550 5.2.1 That account\r\n    is closed\r\n",
            ),
            Undelivered,
            CLOSED,
        ),
        (
            postfix(
                "Action: delayed\r\nStatus: 4.4.1\r\nDiagnostic-Code: X-Postfix; connect to\r\n    192.0.2.1[192.0.2.1]:25: refused\r\nWill-Retry-Until: Sun, 21 Mar 2021 13:00:00 +0000 (UTC)\r\n",
            ),
            Progress,
            "4.4.1",
        ),
        // The same mail in the end: final, although its class is that of what passes.
        (
            postfix(
                "Action: failed\r\nStatus: 4.4.1\r\nDiagnostic-Code: X-Postfix; connect to\r\n    192.0.2.1[192.0.2.1]:25: refused\r\n",
            ),
            Undelivered,
            "4.4.1",
        ),
        (
            postfix(
                "Action: delivered\r\nStatus: 2.0.0\r\nDiagnostic-Code: X-Postfix; delivered to maildir\r\n",
            ),
            Delivered,
            "",
        ),
        (
            postfix("Action: relayed\r\nStatus: 2.0.0\r\n"),
            Progress,
            "",
        ),
        (
            postfix("Action: expanded\r\nStatus: 2.0.0\r\n"),
            Progress,
            "",
        ),
    ]
}

fn shapes_of_exim() -> Vec<Shape> {
    vec![
        (
            exim(
                "Action: failed\r\nFinal-Recipient: rfc822;kari@example.org\r\nStatus: 5.0.0\r\n",
                "auto-replied",
            ),
            Undelivered,
            UNTOLD,
        ),
        (
            exim(
                "Action: failed\r\nFinal-Recipient: rfc822;kari@example.org\r\nStatus: 5.0.0\r\nRemote-MTA: dns; 192.0.2.1\r\nDiagnostic-Code: smtp; 550 5.2.1 That account is closed\r\n",
                "auto-replied",
            ),
            Undelivered,
            CLOSED,
        ),
        (
            exim(
                "Action: delivered\r\nFinal-Recipient: rfc822;kari@example.org\r\nStatus: 2.0.0\r\nDiagnostic-Code: X-Exim; by another router\r\n",
                "auto-generated",
            ),
            Delivered,
            "",
        ),
        // One of several it was passed on to has it.
        (
            exim(
                "Action: failed\r\nStatus: 5.1.1\r\n\r\nFinal-Recipient: rfc822;ola@example.org\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
                "auto-replied",
            ),
            Delivered,
            "",
        ),
        (
            exim(
                "Action: delayed\r\nStatus: 4.2.0\r\n\r\nFinal-Recipient: rfc822;ola@example.org\r\nAction: failed\r\nStatus: 5.2.2\r\n",
                "auto-replied",
            ),
            Undelivered,
            "5.2.2: the mailbox is full",
        ),
    ]
}

#[test]
fn every_shape_of_a_notification_has_its_meaning() {
    for (mail, state, words) in [shapes_of_postfix(), shapes_of_exim()].concat() {
        assert_eq!(says(&mail), Some((state, words.to_owned())), "{mail}");
        let international =
            mail.replace("message/delivery-status", "message/global-delivery-status");
        assert!(says(&international).is_some(), "{international}");
        let bare = mail.replace("\r\n", "\n");
        assert_eq!(says(&bare), Some((state, words.to_owned())), "{bare}");
    }
}

const FAILED: &str = "Action: failed\r\nStatus: 5.1.1\r\n";

#[test]
fn what_is_no_notification_of_ours_says_nothing() {
    let bounce = postfix(FAILED);
    let vacation = "From: kari@example.org\r\nTo: bounce+token@bounce.varsel.example\r\n\
                    Auto-Submitted: auto-replied\r\nSubject: On holiday\r\n\r\n\
                    Action: failed\r\nStatus: 5.1.1\r\n";
    let read_receipt = bounce
        .replace(
            "report-type=delivery-status",
            "report-type=disposition-notification",
        )
        .replace(
            "message/delivery-status",
            "message/disposition-notification",
        );
    let spam = bounce.replace("<v1.0123456789abcdef@varsel.example>", "<99@spam.example>");
    let spam_whole = spam.replace("text/rfc822-headers", "message/rfc822");
    let passed_on = format!(
        "From: kari@example.org\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
         What is this?\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{bounce}\r\n--b--\r\n"
    );
    let mixed = bounce.replace("multipart/report", "multipart/mixed");
    let no_boundary = bounce.replace("boundary=", "limit=");
    let empty_status = postfix("X-Nothing: said\r\n");
    for mail in [
        vacation,
        &read_receipt,
        &spam,
        &spam_whole,
        &passed_on,
        &mixed,
        &no_boundary,
        &empty_status,
        "",
        "\r\n",
        "kari@example.org does not live here any more (5.1.1)",
    ] {
        assert_eq!(says(mail), None, "{mail}");
    }
}

#[test]
fn a_notification_without_the_returned_mail_counts() {
    let mail = postfix(FAILED);
    let end = mail.find("--4BC0D1.1615899600/relay.example\r\nContent-Description: Undelivered");
    let cut = &mail[..end.unwrap()];
    assert_eq!(says(cut).unwrap().0, Undelivered, "also without its end");
}

#[test]
fn no_word_of_the_mail_is_kept() {
    for mail in [
        postfix(
            "Action: failed\r\nStatus: 5.1.1 (kari@example.org)\r\nDiagnostic-Code: smtp; 550 5.1.1 <kari@example.org> is gone\r\n",
        ),
        exim(
            "Action: failed kari@example.org\r\nStatus: kari@example.org\r\n",
            "auto-replied",
        ),
    ] {
        let (_, words) = says(&mail).unwrap();
        assert!(!words.contains("kari"), "{words}");
    }
}

proptest! {
    #[test]
    fn bytes_that_are_no_mail_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read_returned(&bytes);
    }

    #[test]
    fn text_that_looks_like_a_notification_never_panics(
        fields in "((Action|Status|Diagnostic-Code|[a-z-]{1,9}):?[ \t]?[ -~æ\r\n;.0-9]{0,30}\r?\n){0,9}"
    ) {
        let _ = read_returned(postfix(&fields).as_bytes());
        let _ = read_returned(exim(&fields, "x").as_bytes());
    }

    #[test]
    fn a_damaged_notification_never_panics_and_never_says_delivered(
        cut in any::<prop::sample::Index>(),
        at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut mail = postfix(FAILED).into_bytes();
        for (at, byte) in at {
            let at = at.index(mail.len());
            mail[at] = byte;
        }
        mail.truncate(cut.index(mail.len() + 1));
        let said = read_returned(&mail);
        prop_assert!(!matches!(said, Returned::Report(Delivered, _)), "{said:?}");
    }
}

/// Samples whose diagnostic says more than their status, which is the one in their names.
const SAYS_MORE: [(&str, &str); 1] = [("exim-failed-5.0.0-e0003", "5.2.1: the mailbox is closed")];

/// The code and its words that a sample of this name must come to.
fn named_words(name: &str) -> &str {
    if let Some((_, words)) = SAYS_MORE.iter().find(|(sample, _)| *sample == name) {
        return words;
    }
    match name.split('-').nth(2).unwrap() {
        "5.1.1" => UNKNOWN,
        "5.2.1" => CLOSED,
        "5.0.0" => UNTOLD,
        "2.0.0" => "",
        code => code,
    }
}

/// The samples of real relays, where somebody has them: `VARSEL_DSN_SAMPLES` names their folder, and
/// each file's name tells its meaning (`postfix-failed-5.1.1-….eml`).
#[test]
fn samples_at_hand_mean_what_their_names_say() {
    let Some(folder) = std::env::var_os("VARSEL_DSN_SAMPLES") else {
        cannot_run_here(
            "email::bounces::samples_at_hand_mean_what_their_names_say",
            "VARSEL_DSN_SAMPLES names no folder of mails that came back",
        );
        return;
    };
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let Returned::Report(state, words) = read_returned(&std::fs::read(&path).unwrap()) else {
            panic!("{name} says nothing");
        };
        let action = name.split('-').nth(1).unwrap();
        let expected = match action {
            "failed" => Undelivered,
            "delayed" => Progress,
            "delivered" => Delivered,
            other => panic!("{name}: {other}"),
        };
        assert_eq!((state, &*words), (expected, named_words(&name)), "{name}");
        println!("{name}: {state} {words}");
        read += 1;
    }
    assert!(read > 0, "the folder holds no samples");
}
