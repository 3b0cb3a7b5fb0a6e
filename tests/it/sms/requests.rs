//! What a gateway is told: everything its profile asks for, each value in its place, and no secret
//! anywhere else.

use proptest::prelude::*;
use varsel::channel::sms::{Profile, Secrets, Sms};
use varsel::channel::{Channel, Outgoing};

use super::{ACCEPT, JSON, SECRET, class, open, outgoing, small, sms};
use crate::support::http_fault::{Fault, HttpFault, Seen, answer};

#[tokio::test]
async fn kannel_and_the_sandbox_are_told_everything() {
    let server = HttpFault::start(Fault::Close(answer(202, "", "0: Accepted for delivery"))).await;
    let message = outgoing("Blåbær 5 €");
    sms("kannel", &server.url()).send(&message).await;
    sms("kannel", &server.url()).send(&outgoing("čáhci")).await;
    sms("sandbox", &server.url()).send(&message).await;
    let [kannel, ucs2, sandbox] = server.take().try_into().unwrap();

    assert_eq!(kannel.line, "POST /send HTTP/1.1");
    assert_eq!(kannel.body, "Blåbær 5 €".as_bytes());
    for (name, value) in [
        ("content-type", "text/plain; charset=UTF-8"),
        ("x-kannel-username", SECRET),
        ("x-kannel-password", SECRET),
        ("x-kannel-to", "+4740700001"),
        ("x-kannel-from", "Politiet"),
        ("x-kannel-coding", "0"),
        ("x-kannel-validity", "119"),
        ("x-kannel-dlr-mask", "19"),
        (
            "x-kannel-dlr-url",
            "https://varsel.example/reports/kannel/1-abc?s=%d&t=%A",
        ),
    ] {
        assert_eq!(kannel.header(name), Some(value), "{name}");
    }
    assert_eq!(ucs2.header("x-kannel-coding"), Some("2"));

    let body: serde_json::Value = serde_json::from_slice(&sandbox.body).unwrap();
    let expected = serde_json::json!({
        "key": "key-1", "to": "+4740700001", "from": "Politiet", "text": "Blåbær 5 €",
        "encoding": "gsm7", "parts": 1, "validity_seconds": 7199,
        "callback_url": "https://varsel.example/reports/sandbox/1-abc",
    });
    assert_eq!(body, expected);
    assert_eq!(sandbox.header("content-type"), Some("application/json"));
    assert_eq!(
        sandbox.header("authorization"),
        Some(&*format!("Bearer {SECRET}"))
    );
}

/// Sends one text through profiles of every kind of body, and gives back what a gateway that reads
/// by the book finds in it.
fn texts_read_back(text: &str, sender: &str) -> Vec<(String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = HttpFault::start(Fault::Close(answer(200, "", ""))).await;
        let mut read = Vec::new();
        let form = "[request]\nmethod = \"POST\"\nbody.form = { to = \"{to}\", text = \"{text}\", from = \"{from}\" }";
        let query = "[request]\nmethod = \"GET\"\nquery = { to = \"{to}\", text = \"{text}\", from = \"{from}\" }";
        let plain = "[request]\nmethod = \"POST\"\nheaders.X-To = \"{to}\"\nbody.text = \"{text}\"";
        for request in [JSON, form, query, plain] {
            let profile = small(request, ACCEPT).replace("max_parts = 2", "max_parts = 255");
            let profile = Profile::parse("small", &profile).unwrap().at_url(&server.url()).unwrap();
            let message = Outgoing { sender: sender.to_owned(), ..outgoing(text) };
            let outcome = open(profile).send(&message).await;
            assert_eq!(class(&outcome), "accepted", "{outcome:?}");
            let [seen]: [Seen; 1] = server.take().try_into().unwrap();
            read.push(read_back(request, &seen));
        }
        read
    })
}

fn read_back(request: &str, seen: &Seen) -> (String, String) {
    let pairs = |text: &str| {
        let url = reqwest::Url::parse(&format!("http://x/?{text}")).unwrap();
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs.len(), 3, "{text}");
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).unwrap().1.clone();
        (value("text"), value("from"))
    };
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    let body = String::from_utf8(seen.body.clone()).unwrap();
    if request.contains("json") {
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 4);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&json["text"]), text(&json["list"][1]))
    } else if request.contains("form") {
        pairs(&body)
    } else if request.contains("query") {
        pairs(
            seen.line
                .strip_prefix("GET /send?")
                .unwrap()
                .strip_suffix(" HTTP/1.1")
                .unwrap(),
        )
    } else {
        names.sort_unstable();
        let expected = [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-to",
        ];
        assert_eq!(names, expected);
        (body, "not said".to_owned())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_text_and_no_sender_breaks_out_of_its_place(
        text in "(\\PC|[\r\n\t\"'{}&=+%?#\\\\<>;:\u{0}]){1,60}x",
        sender in "(\\PC|[\r\n\"&=+%{}]){0,11}",
    ) {
        for (i, (read_text, read_sender)) in texts_read_back(&text, &sender).into_iter().enumerate() {
            prop_assert_eq!(&read_text, &text, "kind {}", i);
            prop_assert!(read_sender == sender || read_sender == "not said", "kind {i}: {read_sender}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A sender that stands in a header is refused, or stays one header.
    #[test]
    fn no_sender_adds_a_header(sender in "(\\PC|[\r\n\t:]){0,20}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(async {
            let server = HttpFault::start(Fault::Close(answer(200, "", ""))).await;
            let request = "[request]\nmethod = \"POST\"\nheaders.X-From = \"{from}\"\nheaders.X-To = \"{to}\"\nbody.text = \"{text}\"";
            let profile = Profile::parse("small", &small(request, ACCEPT)).unwrap();
            let profile = profile.at_url(&server.url()).unwrap();
            let message = Outgoing { sender: sender.clone(), ..outgoing("Avlyst") };
            open(profile).send(&message).await;
            server.take()
        });
        for seen in seen {
            let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let expected = [
                "accept", "content-length", "content-type", "host", "user-agent", "x-from", "x-to",
            ];
            prop_assert_eq!(names, expected, "{:?}", sender);
            prop_assert_eq!(seen.body, b"Avlyst");
        }
    }
}

#[tokio::test]
async fn a_secret_in_the_address_is_escaped_and_nothing_prints_secrets_numbers_or_texts() {
    let server = HttpFault::start(Fault::Close(answer(500, "", SECRET))).await;
    let toml = small(JSON, ACCEPT)
        .replace("= 30", "= 1")
        .replace("= 60", "= 2")
        .replace(
            "http://127.0.0.1:1/",
            &format!("{}/{{secret.account}}/sms", server.url()),
        );
    let profile = Profile::parse("small", &toml).unwrap();
    let secret = "a/b?c d#é";
    let secrets: Secrets = [("account".to_owned(), secret.into())].into();
    let channel = Sms::new(profile.clone(), secrets, "https://varsel.example").unwrap();
    let message = outgoing("Avlyst: hemmelig time");
    let mut printed = format!("{channel:?} {message:?} {:?}", channel.send(&message).await);
    assert_eq!(
        server.take()[0].line,
        "POST /send/a%2Fb%3Fc%20d%23%C3%A9/sms HTTP/1.1"
    );
    for fault in [
        Fault::Close(Vec::new()),
        Fault::ResetAfterReading(0),
        Fault::Hang(Vec::new()),
    ] {
        server.now(fault);
        printed.push_str(&format!("{:?}", channel.send(&message).await));
    }
    drop(server);
    printed.push_str(&format!("{:?}", channel.send(&message).await));
    let kannel = sms("kannel", "http://127.0.0.1:1/");
    printed.push_str(&format!("{kannel:?} {:?}", kannel.send(&message).await));
    for hidden in [secret, "a%2Fb", SECRET, "40700001", "Avlyst", "1-abc/"] {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
    let missing = Sms::new(profile, Secrets::new(), "https://varsel.example").unwrap_err();
    assert_eq!(missing.to_string(), "secret.account: is used but not given");
}
