//! The SMS channel against gateways that misbehave, on real sockets: every break and every answer
//! has its class, one message is one request, and nothing breaks out of its place.

use std::time::Duration;

use proptest::prelude::*;
use tokio::net::TcpSocket;
use varsel::channel::sms::profile::BUILT_IN;
use varsel::channel::sms::{ANSWER_LIMIT_BYTES, Profile, Secrets, Sms, parse_report};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::Mono;
use varsel::domain::contact::{Address, Phone};
use varsel::domain::outcome::{Outcome, ReportState};

use crate::support::http_fault::{Fault, HttpFault, Seen, answer};

const SECRET: &str = "s3cr3t-w0rd";

fn sms(profile: &str, url: &str) -> Sms {
    open(Profile::built_in(profile).unwrap().at_url(url).unwrap())
}

fn open(profile: Profile) -> Sms {
    let names = profile.secret_names().into_iter();
    let secrets: Secrets = names.map(|name| (name.to_owned(), SECRET.into())).collect();
    Sms::new(profile, secrets, "https://varsel.example/").unwrap()
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        address: Address::Phone(Phone::from_stored("+4740700001")),
        body: Body(text.as_bytes().to_vec()),
        gateway_key: "key-1".to_owned(),
        report_token: "1-abc".to_owned(),
        validity: Duration::from_secs(7_199),
        sender: "Politiet".to_owned(),
        start_before: Mono::now().plus(Duration::from_secs(60)),
    }
}

/// The class of an outcome, as a profile names it.
fn class(outcome: &Outcome) -> &'static str {
    if matches!(outcome, Outcome::NotSent { pause: true, .. }) {
        return "paused";
    }
    outcome.word()
}

/// A profile with short waits and whatever else a test adds.
fn quick(request: &str, answers: &str) -> String {
    format!(
        "url = \"http://127.0.0.1:1/\"\nconnect_timeout_seconds = 1\ntimeout_seconds = 2\n\
         max_parts = 2\n{request}\n{answers}"
    )
}

const JSON: &str = "[request]\nmethod = \"POST\"\n\
    body.json = { to = \"{to|msisdn}\", text = \"{text}\", parts = \"{parts}\", list = [1, \"{from}\"] }";
const ACCEPT: &str = "[[answer]]\nstatus = \"200..299\"\noutcome = \"accepted\"";

async fn send_one(sms: &Sms, server: &HttpFault) -> (Outcome, Vec<Seen>) {
    let outcome = sms.send(&outgoing("Avlyst: timen din")).await;
    (outcome, server.take())
}

#[tokio::test]
async fn every_answer_has_the_class_its_profile_says() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    for (profile, status, body, expected) in [
        ("kannel", 202, "0: Accepted for delivery", "accepted"),
        ("kannel", 202, "3: Queued for later delivery", "accepted"),
        ("kannel", 202, "Sent. Message splits: 2", "accepted"),
        ("kannel", 202, "Something we never saw", "unknown"),
        ("kannel", 202, "", "unknown"),
        (
            "kannel",
            400,
            "Missing receiver number, rejected",
            "refused",
        ),
        (
            "kannel",
            400,
            "Empty receiver number not allowed, rejected",
            "refused",
        ),
        (
            "kannel",
            400,
            "Number(s) has/have been denied by white- and/or black-lists.",
            "refused",
        ),
        (
            "kannel",
            400,
            "Charset or body misformed, rejected",
            "refused",
        ),
        ("kannel", 400, "DLR-URL field misformed, rejected", "paused"),
        ("kannel", 400, "Invalid content-type", "paused"),
        ("kannel", 403, "Authorization failed for sendsms", "paused"),
        ("kannel", 403, "Not routable. Do not try again.", "paused"),
        (
            "kannel",
            503,
            "Temporal failure, try again later.",
            "not_sent",
        ),
        ("kannel", 401, "", "paused"),
        ("kannel", 404, "", "unknown"),
        ("kannel", 500, "", "unknown"),
        ("kannel", 502, "", "unknown"),
        ("kannel", 504, "", "unknown"),
        ("kannel", 200, "0: Accepted for delivery", "unknown"),
        ("kannel", 204, "", "unknown"),
        ("sandbox", 202, "{\"id\":\"m-1\"}", "accepted"),
        ("sandbox", 422, "", "refused"),
        ("sandbox", 429, "", "not_sent"),
        ("sandbox", 503, "", "not_sent"),
        ("sandbox", 401, "", "paused"),
        ("sandbox", 403, "", "paused"),
        ("sandbox", 500, "", "unknown"),
    ] {
        server.now(Fault::Close(answer(status, "", body)));
        let (outcome, seen) = send_one(&sms(profile, &server.url()), &server).await;
        assert_eq!(
            class(&outcome),
            expected,
            "{profile} {status} {body}: {outcome:?}"
        );
        assert_eq!(seen.len(), 1, "{profile} {status} {body}");
    }
}

#[tokio::test]
async fn the_gateways_identifier_and_its_wish_to_wait_are_kept() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    let sandbox = sms("sandbox", &server.url());
    for (body, expected) in [
        (r#"{"id":"m-1"}"#, Some("m-1")),
        (r#"{"id":17}"#, Some("17")),
        (r#"{"id":"two words"}"#, None),
        (r#"{"id":{}}"#, None),
        (r#"{"ID":"m-1"}"#, None),
        ("<html>", None),
    ] {
        server.now(Fault::Close(answer(202, "", body)));
        let (outcome, _) = send_one(&sandbox, &server).await;
        assert_eq!(
            outcome,
            Outcome::Accepted {
                gateway_id: expected.map(str::to_owned)
            },
            "{body}"
        );
    }
    for (header, expected) in [
        ("Retry-After: 7\r\n", Some(7)),
        ("Retry-After: 999999999\r\n", Some(3600)),
        ("Retry-After: Wed, 24 Mar 2021 09:20:00 GMT\r\n", None),
        ("", None),
    ] {
        server.now(Fault::Close(answer(429, header, "")));
        let (outcome, _) = send_one(&sandbox, &server).await;
        let Outcome::NotSent { retry_after, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{header}");
    }
}

/// Every answer is cut after every byte, by a close and by a reset. Before the head is whole nothing
/// is known; after it, only what the status alone decides.
#[tokio::test]
async fn an_answer_cut_at_any_byte_is_never_read_wrongly() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    let kannel = sms("kannel", &server.url());
    let whole = [
        (
            answer(202, "", "0: Accepted for delivery"),
            "accepted",
            "accepted",
        ),
        (
            b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0: A\r\n0\r\n\r\n".to_vec(),
            "accepted",
            "accepted",
        ),
        (answer(503, "", "Temporal failure"), "not_sent", "not_sent"),
        (answer(403, "", "Not routable."), "paused", "paused"),
        // Without its body a 400 may be the number's fault or ours.
        (
            answer(400, "", "Missing receiver number"),
            "unknown",
            "refused",
        ),
        (answer(400, "", "Invalid content-type"), "unknown", "paused"),
        (answer(500, "", "?"), "unknown", "unknown"),
    ];
    for (bytes, torn, complete) in whole {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        for cut in 0..=bytes.len() {
            let expected = match cut {
                cut if cut < head => "unknown",
                cut if cut < bytes.len() => torn,
                _ => complete,
            };
            server.now(Fault::Close(bytes[..cut].to_vec()));
            let (outcome, seen) = send_one(&kannel, &server).await;
            assert_eq!(class(&outcome), expected, "closed after {cut}: {outcome:?}");
            assert_eq!(seen.len(), 1);

            // A reset may overtake bytes that were sent before it: less may be known, never more.
            server.now(Fault::Reset(bytes[..cut].to_vec()));
            let (outcome, seen) = send_one(&kannel, &server).await;
            let allowed = ["unknown", torn, expected];
            assert!(
                allowed.contains(&class(&outcome)),
                "reset after {cut}: {outcome:?}"
            );
            assert!(
                cut >= head || class(&outcome) == "unknown",
                "reset after {cut}: {outcome:?}"
            );
            assert_eq!(seen.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_connection_broken_at_any_byte_of_the_request_is_unknown_and_not_repeated() {
    let server = HttpFault::start(Fault::Close(Vec::new())).await;
    let kannel = sms("kannel", &server.url());
    let (outcome, seen) = send_one(&kannel, &server).await;
    assert_eq!(
        class(&outcome),
        "unknown",
        "closed without an answer: {outcome:?}"
    );
    for read in 1..=seen[0].length {
        server.now(Fault::ResetAfterReading(read));
        let before = server.connections();
        let (outcome, _) = send_one(&kannel, &server).await;
        assert_eq!(
            class(&outcome),
            "unknown",
            "reset after reading {read}: {outcome:?}"
        );
        assert_eq!(
            server.connections(),
            before + 1,
            "reset after reading {read}"
        );
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let outcome = sms("sandbox", &url).send(&outgoing("Hei")).await;
    assert_eq!(class(&outcome), "not_sent", "{outcome:?}");
    assert!(outcome.cause().unwrap().contains("refused"), "{outcome:?}");

    // A listener whose queue is full answers no further SYN: the connection is never made.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut guests = Vec::new();
    while let Ok(Ok(guest)) = tokio::time::timeout(
        Duration::from_millis(300),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        guests.push(guest);
        assert!(guests.len() < 100, "the queue never fills");
    }
    let profile = Profile::parse("quick", &quick(JSON, ACCEPT)).unwrap();
    let profile = profile.at_url(&format!("http://{address}/")).unwrap();
    let outcome = open(profile).send(&outgoing("Hei")).await;
    assert_eq!(class(&outcome), "not_sent", "{outcome:?}");

    // Nor does a gateway that cannot speak TLS get to see anything.
    let server = HttpFault::start(Fault::Close(answer(202, "", ""))).await;
    let outcome = sms("sandbox", &server.url().replace("http:", "https:"))
        .send(&outgoing("Hei"))
        .await;
    assert_eq!(class(&outcome), "not_sent", "{outcome:?}");
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn a_gateway_that_falls_silent_is_left_in_time() {
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    let profile = Profile::parse("quick", &quick(JSON, ACCEPT)).unwrap();
    let quick = open(profile.at_url(&server.url()).unwrap());
    let bound = quick.profile().longest_send() + Duration::from_secs(3);
    let send = async |fault: Fault| {
        server.now(fault);
        tokio::time::timeout(bound, quick.send(&outgoing("Hei")))
            .await
            .expect("in bounded time")
    };
    let outcome = send(Fault::Hang(Vec::new())).await;
    assert_eq!(class(&outcome), "unknown", "{outcome:?}");
    let outcome = send(Fault::Hang(
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nmore".to_vec(),
    ))
    .await;
    assert_eq!(
        class(&outcome),
        "accepted",
        "the status was there: {outcome:?}"
    );
    let endless = answer(200, "", &"x".repeat(ANSWER_LIMIT_BYTES + 1));
    assert_eq!(class(&send(Fault::Answer(endless)).await), "accepted");
    assert_eq!(server.take().len(), 3);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = HttpFault::start(Fault::Close(answer(202, "", ""))).await;
    let server = HttpFault::start(Fault::Hang(Vec::new())).await;
    for status in [301, 302, 303, 307, 308] {
        let header = format!("Location: {}\r\n", elsewhere.url());
        server.now(Fault::Close(answer(status, &header, "")));
        let (outcome, seen) = send_one(&sms("sandbox", &server.url()), &server).await;
        assert_eq!(class(&outcome), "unknown", "{status}");
        assert_eq!(seen.len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_idle_connection_is_kept_only_where_the_profile_says_so() {
    let server = HttpFault::start(Fault::Answer(answer(200, "", ""))).await;
    let each = open(
        Profile::parse("quick", &quick(JSON, ACCEPT))
            .unwrap()
            .at_url(&server.url())
            .unwrap(),
    );
    for _ in 0..3 {
        assert_eq!(class(&each.send(&outgoing("Hei")).await), "accepted");
    }
    assert_eq!(server.connections(), 3);
    let kept = format!("keep_alive_seconds = 30\n{}", quick(JSON, ACCEPT));
    let kept = open(
        Profile::parse("quick", &kept)
            .unwrap()
            .at_url(&server.url())
            .unwrap(),
    );
    for _ in 0..3 {
        assert_eq!(class(&kept.send(&outgoing("Hei")).await), "accepted");
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn what_must_not_leave_is_stopped_before_a_connection_is_made() {
    let server = HttpFault::start(Fault::Close(answer(202, "", "0: Accepted for delivery"))).await;
    let kannel = sms("kannel", &server.url());
    let good = outgoing("Hei");
    let with = |change: fn(&mut Outgoing)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    for (message, expected) in [
        (with(|m| m.start_before = Mono::now()), "not_sent"),
        (with(|m| m.body = Body(Vec::new())), "refused"),
        (with(|m| m.body = Body(b" \n".to_vec())), "refused"),
        (with(|m| m.body = Body(vec![0xff])), "refused"),
        (
            with(|m| m.body = Body("å".repeat(4 * 153 + 1).into_bytes())),
            "refused",
        ),
        (with(|m| m.address = Address::None), "refused"),
        (
            with(|m| m.sender = "Politiet\r\nX-Kannel-To: +4740700002".to_owned()),
            "refused",
        ),
        (with(|m| m.report_token = "1-a\nb".to_owned()), "refused"),
    ] {
        let outcome = kannel.send(&message).await;
        assert_eq!(class(&outcome), expected, "{outcome:?}");
    }
    assert_eq!(server.connections(), 0);
    let longest = with(|m| m.body = Body("å".repeat(4 * 153).into_bytes()));
    assert_eq!(class(&kannel.send(&longest).await), "accepted");
}

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
            let profile = quick(request, ACCEPT).replace("max_parts = 2", "max_parts = 255");
            let profile = Profile::parse("quick", &profile).unwrap().at_url(&server.url()).unwrap();
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

#[tokio::test]
async fn a_secret_in_the_address_is_escaped_and_nothing_prints_secrets_numbers_or_texts() {
    let server = HttpFault::start(Fault::Close(answer(500, "", SECRET))).await;
    let toml = quick(JSON, ACCEPT).replace(
        "http://127.0.0.1:1/",
        &format!("{}/{{secret.account}}/sms", server.url()),
    );
    let profile = Profile::parse("quick", &toml).unwrap();
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

#[test]
fn reports_are_read_by_the_profiles_table() {
    let kannel = Profile::built_in("kannel").unwrap();
    let receipt = "id:7 sub:001 dlvrd:001 submit date:2103161400 done date:2103161400 stat:UNDELIV err:0a1 text:Avlyst ti";
    let cases = [
        ("1", "ACK/", ReportState::Delivered, ""),
        (
            "2",
            receipt,
            ReportState::Undelivered,
            "stat:UNDELIV err:0a1",
        ),
        ("4", "", ReportState::Progress, ""),
        ("8", "ACK/", ReportState::Progress, ""),
        (
            "16",
            "NACK/0x0000000b/Invalid Destination Address",
            ReportState::Undelivered,
            "NACK/0x0000000b/Invalid Destination Address",
        ),
        (
            "16",
            "NACK/no SMSC",
            ReportState::Undelivered,
            "NACK/no SMSC",
        ),
        (
            "32",
            "",
            ReportState::Progress,
            "a word that the profile does not know",
        ),
    ];
    for (state, detail, expected, kept) in cases {
        let pairs = [("t", detail), ("s", state)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(
            parse_report(&kannel, &pairs),
            Some((expected, kept.to_owned())),
            "{state} {detail}"
        );
    }
    assert_eq!(
        parse_report(&kannel, &[("x".to_owned(), "1".to_owned())]),
        None
    );
    let silent = Profile::parse("quick", &quick(JSON, ACCEPT)).unwrap();
    assert_eq!(
        parse_report(&silent, &[("s".to_owned(), "1".to_owned())]),
        None
    );
    assert_eq!(silent.report_within(), None);
}

#[test]
fn every_profile_that_comes_with_us_compiles_and_names_its_secrets() {
    let names = |name| {
        Profile::built_in(name)
            .unwrap()
            .secret_names()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("kannel"), ["password", "user"]);
    assert_eq!(names("sandbox"), ["key"]);
    for (name, _) in BUILT_IN {
        assert_eq!(Profile::built_in(name).unwrap().name(), *name);
    }
    assert!(Profile::built_in("nobody").is_none());
}

#[test]
fn a_mistake_in_a_profile_is_named_with_its_place_and_remedy() {
    let good = quick(
        JSON,
        &format!("{ACCEPT}\n[report]\nstate = \"s\"\nwords = {{ a = \"delivered\" }}"),
    );
    assert!(Profile::parse("quick", &good).is_ok());
    let mut faults = String::new();
    for (from, to) in [
        ("max_parts = 2", "max_part = 2"),
        ("max_parts = 2", "max_parts = 0"),
        ("connect_timeout_seconds = 1", "connect_timeout_seconds = 2"),
        ("timeout_seconds = 2", "timeout_seconds = 900"),
        ("http://127.0.0.1:1/", "ftp://127.0.0.1/"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/{to}"),
        ("\"POST\"", "\"post\""),
        ("\"POST\"", "\"GET\""),
        ("{text}", "{txt}"),
        ("{text}", "{text|mins}"),
        ("{text}", "{text"),
        ("{text}", "{{text}}"),
        ("{to|msisdn}", "4740000000"),
        ("{parts}", "{validity}"),
        ("{parts}", "{encoding|map:gsm7=0}"),
        ("{from}", "{secret.}"),
        ("body.json", "headers.Content-Length = \"1\"\nbody.json"),
        ("body.json", "headers.X-Text = \"{text}\"\nbody.json"),
        ("body.json", "headers.\"X Text\" = \"\"\nbody.json"),
        ("body.json", "body.text = \"{text}\"\nbody.json"),
        ("[1,", "[1979-05-27,"),
        ("\"200..299\"", "\"299..200\""),
        ("\"200..299\"", "99"),
        ("\"accepted\"", "\"fine\""),
        ("\"accepted\"", "\"unknown\""),
        ("\"accepted\"", "\"accepted\"\nbody = \"(\""),
        ("\"accepted\"", "\"accepted\"\ngateway_id = \"id\""),
        (
            "\"accepted\"",
            "\"accepted\"\n[[answer]]\nstatus = 202\noutcome = \"refused\"",
        ),
        ("\"delivered\"", "\"arrived\""),
        ("\"delivered\"", "\"progress\""),
        ("max_parts = 2", "max_parts = "),
    ] {
        assert!(good.contains(from), "{from}");
        let fault = Profile::parse("quick", &good.replacen(from, to, 1)).unwrap_err();
        faults.push_str(&format!("{to}\n    {fault}\n"));
    }
    faults.push_str(&format!(
        "name\n    {}\n",
        Profile::parse("Kannel 1", &good).unwrap_err()
    ));
    insta::assert_snapshot!(faults);
}
