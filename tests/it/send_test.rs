//! `send-test`: one message to oneself leaves through the real gateway as a person would get it, and to
//! nobody else. Nothing of it is recorded.

use serde_json::Value;

use crate::support::gateway::{Behaviour, Gateway};
use crate::support::house::{HOUSE, House, code, stderr, stdout};
use crate::support::mailbox::Mailbox;

const NUMBER: &str = "+47 40 00 00 00";
const AT: &str = "2021-03-16T14:00";

/// A house whose gateways are there; its SMS gateway lets one number out.
async fn house(sms: &Gateway, mail: &Mailbox) -> House {
    let house = House::build().await;
    let text = HOUSE
        .replace("http://127.0.0.1:9/", &sms.url())
        .replace("port = 9", &format!("port = {}", mail.address.port()))
        .replace(
            "secret_files = { key = \"key\" }",
            &format!("secret_files = {{ key = \"key\" }}\ntrial_allow = [\"{NUMBER}\"]"),
        );
    house.write("varsel.toml", &text);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sms_to_oneself_is_what_preview_shows() {
    let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
    let house = house(&sms, &mail).await;
    let case = "passport-cancelled";
    let sent = house.run(&["send-test", case, "--to", NUMBER, "--at", AT]);
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
    assert!(
        stdout(&sent).contains("\"sms\" has taken it"),
        "{}",
        stdout(&sent)
    );
    let taken = sms.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, "+4740000000");
    let shown = house.run(&["preview", case, "--json", "--at", AT]);
    let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    assert_eq!(shown[0]["sms"]["text"], taken[0].text.as_str());
    assert!(!house.path("store.db").exists(), "a test is no notice");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mail_to_oneself_comes_in_both_languages() {
    let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
    let house = house(&sms, &mail).await;
    let to = "tester@agency.example";
    let sent = house.run(&[
        "send-test",
        "residence-cancelled-short-notice",
        "--to",
        to,
        "--language",
        "en",
        "--json",
    ]);
    assert_eq!(code(&sent), 0, "{}{}", stdout(&sent), stderr(&sent));
    let said: Value = serde_json::from_str(&stdout(&sent)).unwrap();
    assert_eq!(
        (&said["outcome"], &said["gateway"]),
        (&"accepted".into(), &"mail".into())
    );
    let mails = mail.taken();
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, to));
    assert!(mails[0].html().find("lang=\"en\"") < mails[0].html().find("lang=\"nb\""));
    assert!(sms.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn trial_mode_holds_for_a_test_too() {
    let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
    let house = house(&sms, &mail).await;
    for stranger in ["+47 40 00 00 01", "kari@example.com"] {
        let sent = house.run(&["send-test", "passport-cancelled", "--to", stranger]);
        assert_eq!(code(&sent), 1);
        assert!(
            stdout(&sent).contains("trial_allow does not name"),
            "{}",
            stdout(&sent)
        );
    }
    assert!(sms.taken().is_empty() && mail.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_says_is_said() {
    let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
    let house = house(&sms, &mail).await;
    for (status, word) in [(401, "not_sent"), (500, "unknown")] {
        sms.behave(Behaviour::Answer(status));
        let sent = house.run(&["send-test", "passport-cancelled", "--to", NUMBER, "--json"]);
        assert_eq!(code(&sent), 1);
        let said: Value = serde_json::from_str(&stdout(&sent)).unwrap();
        assert_eq!(said["outcome"], word, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_named() {
    let (sms, mail) = (Gateway::start().await, Mailbox::start().await);
    let house = house(&sms, &mail).await;
    let wrong: [(&[&str], i32, &str); 5] = [
        (
            &["passport-cancelled", "--to", "40 00 00 00"],
            2,
            "with its country's code",
        ),
        (
            &["passport-cancelled", "--to", "kari@"],
            2,
            "this is no e-mail address",
        ),
        (&["nope", "--to", NUMBER], 1, "there is no case \"nope\""),
        (
            &["passport", "--to", NUMBER],
            2,
            "cases begin with \"passport\"",
        ),
        (
            &["passport-cancelled", "--to", NUMBER, "--gateway", "smss"],
            1,
            "did you mean \"sms\"",
        ),
    ];
    for (arguments, exit, words) in wrong {
        let sent = house.run(&[&["send-test"], arguments].concat());
        assert_eq!(code(&sent), exit, "{arguments:?}: {}", stderr(&sent));
        assert!(stderr(&sent).contains(words), "{}", stderr(&sent));
    }
    assert!(sms.taken().is_empty() && mail.taken().is_empty());
}
