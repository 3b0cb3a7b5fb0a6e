//! Gateways that misbehave: every answer and every break has its class, one message is one request,
//! and nothing is read from an answer that is not there.

use std::time::Duration;

use tokio::net::TcpSocket;
use varsel::channel::sms::{ANSWER_LIMIT_BYTES, Profile, Sms};
use varsel::channel::{Body, Channel, Outgoing};
use varsel::clock::Mono;
use varsel::domain::contact::Address;
use varsel::domain::outcome::Outcome;

use super::{ACCEPT, JSON, class, open, outgoing, send_one, small, sms};
use crate::support::campaign::rounds;
use crate::support::http_fault::{Fault, HttpFault, answer};

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

/// A gateway with connections that rest between two messages, by a profile that keeps them.
async fn keeping(server: &HttpFault) -> Sms {
    let kept = format!("keep_alive_seconds = 30\n{}", small(JSON, ACCEPT));
    let profile = Profile::parse("small", &kept).unwrap();
    open(profile.at_url(&server.url()).unwrap())
}

/// The second request goes over a connection that rested, and breaks there: what the gateway may have
/// read is unknown, and never written again over a fresh one.
#[tokio::test]
async fn a_resting_connection_that_breaks_in_a_request_is_unknown_and_not_repeated() {
    let good = || answer(200, "", "");
    let server = HttpFault::start(Fault::Answer(good())).await;
    let (outcome, seen) = send_one(&keeping(&server).await, &server).await;
    assert_eq!(class(&outcome), "accepted");
    let reads = (1..=seen[0].length).map(Fault::ResetAfterReading);
    let answers = [Fault::Reset(Vec::new()), Fault::Close(Vec::new())];
    for fault in reads.chain(answers) {
        server.now(Fault::AnswerThen(good(), Box::new(fault.clone())));
        let channel = keeping(&server).await;
        let (first, _) = send_one(&channel, &server).await;
        assert_eq!(class(&first), "accepted");
        // Whatever came again would be taken.
        server.now(Fault::Answer(good()));
        let before = server.connections();
        let (outcome, seen) = send_one(&channel, &server).await;
        assert_eq!(class(&outcome), "unknown", "{fault:?}: {outcome:?}");
        assert!(seen.len() <= 1, "{fault:?}: {seen:?}");
        assert_eq!(server.connections(), before, "{fault:?}");
    }
}

/// A gateway closes a connection that rests, just when it is to be used again: what was taken is said to
/// be taken, and nothing leaves twice.
#[tokio::test]
async fn a_resting_connection_that_is_closed_never_makes_two_of_one() {
    let good = || answer(200, "", "");
    for closes in [
        Fault::Close(good()),
        Fault::AnswerThen(good(), Box::new(Fault::ResetAfterReading(0))),
    ] {
        let server = HttpFault::start(closes.clone()).await;
        let channel = keeping(&server).await;
        let mut accepted = 0;
        for _ in 0..rounds(200, 2_000) {
            let (outcome, seen) = send_one(&channel, &server).await;
            let allowed = match class(&outcome) {
                "accepted" => 1..=1,
                "unknown" => 0..=1,
                _ => 0..=0,
            };
            let came = seen.len();
            assert!(
                allowed.contains(&came),
                "{closes:?}, {came} came: {outcome:?}"
            );
            accepted += came;
        }
        assert!(accepted > 0, "{closes:?}");
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
    let hasty = small(JSON, ACCEPT).replace("= 30", "= 1");
    let profile = Profile::parse("small", &hasty).unwrap();
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
    let hasty = small(JSON, ACCEPT)
        .replace("= 30", "= 3")
        .replace("= 60", "= 4");
    let profile = Profile::parse("small", &hasty).unwrap();
    let channel = open(profile.at_url(&server.url()).unwrap());
    let bound = channel.profile().longest_send() + Duration::from_secs(3);
    let send = async |fault: Fault| {
        server.now(fault);
        tokio::time::timeout(bound, channel.send(&outgoing("Hei")))
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
        Profile::parse("small", &small(JSON, ACCEPT))
            .unwrap()
            .at_url(&server.url())
            .unwrap(),
    );
    for _ in 0..3 {
        assert_eq!(class(&each.send(&outgoing("Hei")).await), "accepted");
    }
    assert_eq!(server.connections(), 3);
    let kept = format!("keep_alive_seconds = 30\n{}", small(JSON, ACCEPT));
    let kept = open(
        Profile::parse("small", &kept)
            .unwrap()
            .at_url(&server.url())
            .unwrap(),
    );
    for _ in 0..3 {
        assert_eq!(class(&kept.send(&outgoing("Hei")).await), "accepted");
    }
    assert_eq!(server.connections(), 4);
}

/// A gateway that closes each connection when it has answered, or while it rests: as often as one
/// likes, nothing of that is an unknown.
#[tokio::test]
async fn a_gateway_that_closes_idle_connections_makes_nothing_unknown() {
    let server = HttpFault::start(Fault::Close(answer(200, "", ""))).await;
    let profile = Profile::parse("small", &small(JSON, ACCEPT)).unwrap();
    let each = open(profile.at_url(&server.url()).unwrap());
    let sends = rounds(200, 2_000) as usize;
    for _ in 0..sends {
        assert_eq!(class(&each.send(&outgoing("Hei")).await), "accepted");
    }
    assert_eq!((server.connections(), server.take().len()), (sends, sends));
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
