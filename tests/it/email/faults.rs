//! Every fault in every phase, and every reply stream cut at every byte.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use varsel::channel::Channel;
use varsel::channel::email::{BounceAddress, Login, Settings, Smtp, Timeouts, TlsMode};
use varsel::clock::Mono;
use varsel::clock::simulated::show;
use varsel::domain::contact::{Address, Email, Phone};

use super::{PATIENT, SHORT, SMALL, letter, outgoing, plain, send, smtp};
use crate::support::smtp_fault::{Act, At, FaultServer, Script};
use crate::support::world::bounces;

const FAULTS: [(&str, Act); 11] = [
    ("silence", Act::Silence),
    ("close", Act::Close),
    ("half a reply", Act::SayAndClose("25")),
    ("not SMTP", Act::Say("HTTP/1.1 400 Bad Request\r\n\r\n")),
    ("a 3yz out of place", Act::Say("334 more\r\n")),
    ("421", Act::SayAndClose("421 4.3.2 closing\r\n")),
    ("451", Act::Say("451-4.3.0 busy\r\n451 4.3.0 later\r\n")),
    ("550", Act::Say("550 5.1.1 <a@example.org> no\r\n")),
    ("policy", Act::Say("550 5.7.1 not you\r\n")),
    ("530", Act::Say("530 5.7.0 log in first\r\n")),
    ("endless", Act::Endless),
];

/// One letter for each of [`FAULTS`], in order.
const TABLE: [(At, &str); 6] = [
    (At::Greeting, "NNNNNNNPPPN"),
    (At::Ehlo, "NNNNNNNPPPN"),
    (At::Mail, "NNNNNNNPPPN"),
    (At::Rcpt, "NNNNNNNRRPN"),
    (At::Data, "NNNNNNNRRPN"),
    (At::Dot, "UUUUUNNRRPU"),
];

/// Short only where the silence is awaited, so that a busy machine changes no cell.
fn timeouts(at: At, act: &Act) -> Timeouts {
    match (at, act) {
        (At::Greeting, Act::Silence) => Timeouts {
            greeting: SHORT,
            ..PATIENT
        },
        (At::Dot, Act::Silence) => Timeouts {
            dot: SHORT,
            ..PATIENT
        },
        (_, Act::Silence) => Timeouts {
            command: SHORT,
            ..PATIENT
        },
        _ => PATIENT,
    }
}

#[tokio::test]
async fn every_fault_in_every_phase_has_its_class() {
    let mut cells = JoinSet::new();
    for (at, row) in TABLE {
        for ((name, act), expected) in FAULTS.into_iter().zip(row.chars()) {
            for offers in [&["PIPELINING", "DSN"][..], &[]] {
                let timeouts = timeouts(at, &act);
                let script = Script::offering(offers).then(at, act.clone());
                cells.spawn(async move {
                    let server = FaultServer::start(script).await;
                    let smtp = Smtp::new(Settings {
                        timeouts,
                        ..plain(&server)
                    })
                    .unwrap();
                    let outcome = send(&smtp, "a@example.org").await;
                    let cell = format!("{name} at {at:?}, offering {offers:?}: {outcome:?}");
                    assert_eq!(letter(&outcome), expected, "{cell}");
                    assert!(server.seen().accepted.is_empty(), "{cell}");
                    // The server's text repeats the address; the cause must not.
                    assert!(!cell.contains("example.org"), "{cell}");
                });
            }
        }
    }
    assert_eq!(cells.len(), TABLE.len() * FAULTS.len() * 2);
    while let Some(cell) = cells.join_next().await {
        cell.unwrap();
    }
}

/// What a person reads in the log and on the console: where, what, and what it means.
#[tokio::test]
async fn causes_say_where_and_what_it_means() {
    let cases = [
        (At::Greeting, Act::Say("554 5.7.1 go away\r\n")),
        (At::Greeting, Act::Silence),
        (At::Mail, Act::Say("421 4.3.2 closing\r\n")),
        (At::Mail, Act::Say("550 5.1.8 who are you\r\n")),
        (At::Rcpt, Act::Say("550 5.1.1 <a@example.org> unknown\r\n")),
        (At::Rcpt, Act::Say("452 4.2.2 full\r\n")),
        (At::Data, Act::Say("HTTP/1.1 400 Bad Request\r\n")),
        (At::Dot, Act::Say("550 5.7.1 a@example.org writes spam\r\n")),
        (At::Dot, Act::Say("334 what\r\n")),
        (At::Dot, Act::Silence),
    ];
    let mut causes = Vec::new();
    for (at, act) in cases {
        let timeouts = timeouts(at, &act);
        let server = FaultServer::start(Script::default().then(at, act)).await;
        let smtp = Smtp::new(Settings {
            timeouts,
            ..plain(&server)
        })
        .unwrap();
        let outcome = send(&smtp, "a@example.org").await;
        causes.push(format!("{} {}", letter(&outcome), outcome.cause().unwrap()));
    }
    insta::assert_snapshot!(causes.join("\n"));
}

#[tokio::test]
async fn the_time_before_the_dot_is_limited_as_a_whole() {
    let script = Script::offering(&["PIPELINING"]).then(At::Rcpt, Act::Silence);
    let server = FaultServer::start(script).await;
    let timeouts = Timeouts {
        before_dot: SHORT,
        ..PATIENT
    };
    let smtp = Smtp::new(Settings {
        timeouts,
        ..plain(&server)
    })
    .unwrap();
    let outcome = send(&smtp, "a@example.org").await;
    assert_eq!(letter(&outcome), 'N', "{outcome:?}");
    server.closed().await;
    assert!(server.seen().bodies.is_empty());
}

#[tokio::test]
async fn a_reply_stream_cut_anywhere_never_makes_an_accepted() {
    for offers in [&["PIPELINING"][..], &[]] {
        let whole = FaultServer::start(Script::offering(offers)).await;
        assert_eq!(letter(&send(&smtp(&whole), "a@example.org").await), 'A');
        let length = whole.seen().said_bytes;
        let last = "250 2.0.0 Ok: queued as 4FAULT\r\n".len();
        let mut cuts = JoinSet::new();
        for cut in 0..=length {
            cuts.spawn(async move {
                let script = Script {
                    reply_bytes: Some(cut),
                    ..Script::offering(offers)
                };
                let server = FaultServer::start(script).await;
                let outcome = send(&smtp(&server), "a@example.org").await;
                let expected = match cut {
                    _ if cut == length => 'A',
                    _ if cut >= length - last => 'U',
                    _ => 'N',
                };
                assert_eq!(
                    letter(&outcome),
                    expected,
                    "cut at {cut} of {length}: {outcome:?}"
                );
            });
        }
        while let Some(cut) = cuts.join_next().await {
            cut.unwrap();
        }
    }
}

#[tokio::test]
async fn a_reply_without_text_is_a_reply() {
    let bare = Script::offering(&[])
        .then(At::Greeting, Act::Say("220\r\n"))
        .then(At::Ehlo, Act::Say("250\r\n"))
        .then(At::Mail, Act::Say("250\r\n"))
        .then(At::Rcpt, Act::Say("250\r\n"))
        .then(At::Data, Act::Say("354\r\n"))
        .then(At::Dot, Act::Say("250\r\n"));
    let server = FaultServer::start(bare).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'A');
}

#[tokio::test]
async fn a_reply_of_many_lines_is_one_reply() {
    let long = Script::offering(&["PIPELINING"])
        .then(At::Greeting, Act::Say("220-we\r\n220-greet\r\n220 you\r\n"))
        .then(At::Mail, Act::Say("250-a\r\n250 b\r\n"))
        .then(
            At::Rcpt,
            Act::Say("250-550 5.1.1 is only text\r\n250 b\r\n"),
        )
        .then(At::Data, Act::Say("354-a\r\n354 b\r\n"))
        .then(
            At::Dot,
            Act::Say("250-a\r\n250 2.0.0 Ok: queued as 4LAST\r\n"),
        );
    let server = FaultServer::start(long).await;
    let outcome = send(&smtp(&server), "a@example.org").await;
    assert_eq!(
        format!("{outcome:?}"),
        "Accepted { gateway_id: Some(\"4LAST\") }"
    );
}

#[tokio::test]
async fn keywords_count_in_any_case() {
    let script = Script {
        wants_group: true,
        ..Script::offering(&["pipelining", "dsn", "size 0"])
    };
    let server = FaultServer::start(script).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'A');
    let commands = server.seen().commands;
    let lines: Vec<&str> = commands.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "EHLO varsel.example",
            "MAIL FROM:<varsel@varsel.example> SIZE=39 RET=HDRS ENVID=t0ken",
            "RCPT TO:<a@example.org> NOTIFY=FAILURE,DELAY",
            "DATA"
        ]
    );
}

#[tokio::test]
async fn without_offers_no_parameter_is_sent_and_dots_are_doubled() {
    let server = FaultServer::start(Script::default()).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'A');
    let seen = server.seen();
    assert_eq!(seen.commands[1].1, "MAIL FROM:<varsel@varsel.example>");
    assert_eq!(seen.commands[2].1, "RCPT TO:<a@example.org>");
    assert_eq!(
        seen.bodies,
        ["Subject: a small one\r\n\r\nHei\r\n..\r\nHello\r\n"]
    );
}

#[tokio::test]
async fn bounces_return_to_an_address_of_the_attempt() {
    let server = FaultServer::start(Script::default()).await;
    let bounces = Some(bounces());
    let smtp = Smtp::new(Settings {
        bounces,
        ..plain(&server)
    })
    .unwrap();
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
    let sender = "MAIL FROM:<bounce+t0ken@bounce.varsel.example>";
    assert_eq!(server.seen().commands[1].1, sender);
}

#[tokio::test]
async fn too_large_for_the_relay_is_said_before_anything_is_sent() {
    let server = FaultServer::start(Script::offering(&["SIZE 10"])).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'R');
    assert_eq!(server.seen().verbs(), ["EHLO"]);
    let late = Script::default().then(At::Mail, Act::Say("552 5.3.4 too large\r\n"));
    let server = FaultServer::start(late).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'R');
}

#[tokio::test]
async fn a_mail_two_servers_could_read_differently_never_leaves() {
    let server = FaultServer::start(Script::default()).await;
    let smuggled = outgoing(
        "a@example.org",
        b"Subject: x\r\n\r\na\n.\r\nMAIL FROM:<x@y>\r\n",
    );
    assert_eq!(letter(&smtp(&server).send(&smuggled).await), 'R');
    let mut token = outgoing("a@example.org", SMALL);
    token.report_token = "a>\r\nDATA".to_owned();
    assert_eq!(letter(&smtp(&server).send(&token).await), 'R');
    let mut phone = outgoing("a@example.org", SMALL);
    let mut address = outgoing("a@example.org", SMALL);
    address.address = Address::Email(Email::from_stored("a@b.example>\r\nDATA"));
    assert_eq!(letter(&smtp(&server).send(&address).await), 'R');
    phone.address = Address::Phone(Phone::from_stored("+4740000000"));
    assert_eq!(letter(&smtp(&server).send(&phone).await), 'R');
    assert_eq!(server.seen().connections, 0);
}

/// More than the sockets can hold, so that the write itself meets what the server does.
fn large_body() -> Vec<u8> {
    let line = [[b'x'; 998].as_slice(), b"\r\n"].concat();
    line.repeat(24 * 1024)
}

#[tokio::test]
async fn a_body_that_cannot_be_written_was_certainly_not_sent() {
    let script = Script::default().then(At::Data, Act::SayAndClose("354 go on\r\n"));
    let server = FaultServer::start(script).await;
    let large = [SMALL, &large_body()].concat();
    let outcome = smtp(&server).send(&outgoing("a@example.org", &large)).await;
    assert_eq!(letter(&outcome), 'N', "{outcome:?}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_was_certainly_not_sent() {
    // Says 354, then holds: it reads nothing more, and the sockets fill up.
    let script = Script::default().then(
        At::Greeting,
        Act::Say("220 hello\r\n250 me\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
    );
    let script = script.then(At::Ehlo, Act::Hold(""));
    let server = FaultServer::start(script).await;
    let timeouts = Timeouts {
        body: Duration::from_millis(400),
        ..PATIENT
    };
    let smtp = Smtp::new(Settings {
        timeouts,
        ..plain(&server)
    })
    .unwrap();
    let large = [SMALL, &large_body()].concat();
    let outcome = smtp.send(&outgoing("a@example.org", &large)).await;
    assert_eq!(letter(&outcome), 'N', "{outcome:?}");
}

#[tokio::test]
async fn a_refused_recipient_and_a_354_end_with_a_lone_dot() {
    let script = Script::offering(&["PIPELINING"])
        .then(At::Rcpt, Act::Say("550 5.1.1 no\r\n"))
        .then(At::Data, Act::Say("354 go on\r\n"));
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'R');
    server.dot_came().await;
    server.closed().await;
    assert_eq!(
        server.seen().bodies,
        [""],
        "nothing of the mail was written"
    );
    assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
    assert_eq!(server.seen().connections, 2, "the first one was in doubt");
}

#[tokio::test]
async fn a_refused_sender_and_a_354_end_without_a_dot() {
    let script = Script::offering(&["PIPELINING"])
        .then(At::Mail, Act::Say("451 4.3.0 later\r\n"))
        .then(At::Data, Act::Say("354 go on\r\n"));
    let server = FaultServer::start(script).await;
    assert_eq!(letter(&send(&smtp(&server), "a@example.org").await), 'N');
    server.closed().await;
    assert!(
        server.seen().bodies.is_empty(),
        "an empty mail would have been delivered"
    );
}

#[tokio::test]
async fn beyond_the_lease_nothing_is_written() {
    let server = FaultServer::start(Script::offering(&["PIPELINING"])).await;
    let smtp = smtp(&server);
    let late = varsel::channel::Outgoing {
        start_before: Mono::now(),
        ..outgoing("a@example.org", SMALL)
    };
    assert_eq!(letter(&smtp.send(&late).await), 'N');
    assert_eq!(server.seen().verbs(), ["EHLO"]);
    assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
    assert_eq!(
        server.seen().connections,
        1,
        "nothing was wrong with the connection"
    );
}

/// Paused anywhere up to the final dot, and awake again after its lease: the relay never gets the dot, without which
/// there is no mail.
#[tokio::test]
async fn no_dot_follows_when_the_lease_ended_on_the_way_to_it() {
    let offers: [&[&str]; 2] = [&["PIPELINING"], &[]];
    let places = [
        (At::Greeting, "220 fault.example\r\n"),
        (At::Mail, "250 2.1.0 fine\r\n"),
        (At::Rcpt, "250 2.1.5 fine\r\n"),
        (At::Data, "354 go on\r\n"),
    ];
    for (offers, (place, reply)) in offers.into_iter().flat_map(|o| places.map(|p| (o, p))) {
        let script = Script::offering(offers).then(place, Act::Hold(reply));
        let server = FaultServer::start(script).await;
        let smtp = smtp(&server);
        let start = Duration::from_secs(100);
        show(Some((DateTime::<Utc>::UNIX_EPOCH, start)));
        let message = varsel::channel::Outgoing {
            start_before: Mono::now().plus(Duration::from_secs(10)),
            ..outgoing("a@example.org", SMALL)
        };
        let pause = async {
            server.held().await;
            show(Some((DateTime::<Utc>::UNIX_EPOCH, start * 2)));
            server.release();
        };
        let (outcome, ()) = tokio::join!(smtp.send(&message), pause);
        show(None);
        drop(smtp);
        server.closed().await;
        assert_eq!(letter(&outcome), 'N', "{place:?}: {outcome:?}");
        assert!(server.seen().bodies.is_empty(), "{place:?}: a dot came");
        assert!(server.seen().accepted.is_empty(), "{place:?}");
    }
}

#[tokio::test]
async fn a_relay_that_is_not_there_was_sent_nothing() {
    let gone = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let smtp = Smtp::new(super::settings("127.0.0.1", port)).unwrap();
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'N');
}

fn login(password: &str) -> Option<Login> {
    Some(Login {
        user: "varsel".to_owned(),
        password: password.into(),
    })
}

#[tokio::test]
async fn logs_in_where_it_is_told_to() {
    let server = FaultServer::start(Script::offering(&["auth login plain"])).await;
    let smtp = Smtp::new(Settings {
        login: login("hemmelig"),
        ..plain(&server)
    })
    .unwrap();
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
    // base64 of "\0varsel\0hemmelig"
    let command = "AUTH PLAIN AHZhcnNlbABoZW1tZWxpZw==";
    assert_eq!(server.seen().commands[1].1, command);
}

#[tokio::test]
async fn a_wrong_or_impossible_login_pauses_the_gateway() {
    let wrong = Script::offering(&["AUTH PLAIN"]).then(At::Auth, Act::Say("535 5.7.8 no\r\n"));
    for script in [wrong, Script::offering(&["AUTH LOGIN"]), Script::default()] {
        let server = FaultServer::start(script).await;
        let smtp = Smtp::new(Settings {
            login: login("hemmelig"),
            ..plain(&server)
        })
        .unwrap();
        let outcome = send(&smtp, "a@example.org").await;
        assert_eq!(letter(&outcome), 'P', "{outcome:?}");
        assert!(!server.seen().verbs().contains(&"MAIL"));
    }
}

#[tokio::test]
async fn a_login_that_is_not_answered_was_certainly_not_sent() {
    for act in [Act::Silence, Act::Close, Act::SayAndClose("23")] {
        let timeouts = timeouts(At::Auth, &act);
        let script = Script::offering(&["AUTH PLAIN"]).then(At::Auth, act.clone());
        let server = FaultServer::start(script).await;
        let smtp = Smtp::new(Settings {
            timeouts,
            login: login("hemmelig"),
            ..plain(&server)
        })
        .unwrap();
        let outcome = send(&smtp, "a@example.org").await;
        assert_eq!(letter(&outcome), 'N', "{act:?}: {outcome:?}");
        assert_eq!(server.seen().verbs(), ["EHLO", "AUTH"], "{act:?}");
    }
}

#[tokio::test]
async fn starttls_is_demanded_and_trusts_nothing_said_before_it() {
    let buffered = "220 2.0.0 ready\r\n250-me\r\n250 AUTH PLAIN\r\n";
    for (offers, act, expected) in [
        (&["PIPELINING"][..], None, 'P'),
        (&["starttls"], None, 'N'),
        (&["STARTTLS"], Some(Act::Say(buffered)), 'N'),
        (&["STARTTLS"], Some(Act::Say("220 2.0.0 ready\r\n2")), 'N'),
        (
            &["STARTTLS"],
            Some(Act::SayAndClose("220 2.0.0 ready\r\n")),
            'N',
        ),
        (&["STARTTLS"], Some(Act::Say("502 5.5.1 no\r\n")), 'P'),
        (&["STARTTLS"], Some(Act::Silence), 'N'),
        (&["STARTTLS"], Some(Act::Close), 'N'),
    ] {
        let said_more = matches!(act, Some(Act::Say(text)) if text.lines().count() > 1);
        let mut script = Script::offering(offers);
        if let Some(act) = act.clone() {
            script = script.then(At::StartTls, act);
        }
        let server = FaultServer::start(script).await;
        let tls = TlsMode::StartTls;
        let timeouts = match &act {
            Some(act) => timeouts(At::StartTls, act),
            None => PATIENT,
        };
        let smtp = Smtp::new(Settings {
            tls,
            timeouts,
            ca_file: Some("tests/it/email/authority.pem".into()),
            login: login("hemmelig"),
            ..plain(&server)
        })
        .unwrap();
        let outcome = send(&smtp, "a@example.org").await;
        assert_eq!(letter(&outcome), expected, "{act:?}: {outcome:?}");
        let unasked = outcome.cause().unwrap().contains("unasked");
        assert_eq!(unasked, said_more, "{act:?}: {outcome:?}");
        let seen = server.seen();
        let said = seen.verbs();
        assert!(
            said.iter().all(|verb| matches!(*verb, "EHLO" | "STARTTLS")),
            "{said:?}"
        );
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused_with_their_key() {
    let good = super::settings("localhost", 25);
    let wrong = |change: &dyn Fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        Smtp::new(settings).map(|_| ()).unwrap_err().to_string()
    };
    let messages = [
        wrong(&|s| s.host = "relay.example.org".to_owned()),
        wrong(&|s| s.host = "192.0.2.1".to_owned()),
        wrong(&|s| s.hello_name = "varsel.example\r\nDATA".to_owned()),
        wrong(&|s| s.envelope_from = "varsel".to_owned()),
        wrong(&|s| {
            s.bounces = Some(BounceAddress {
                domain: "a b".to_owned(),
                ..bounces()
            })
        }),
        wrong(&|s| {
            s.bounces = Some(BounceAddress {
                localpart: "a+b".to_owned(),
                ..bounces()
            })
        }),
        wrong(&|s| s.connections = 0),
        wrong(&|s| s.mails_per_connection = 0),
        wrong(&|s| (s.tls, s.ca_file) = (TlsMode::StartTls, Some("no-such-file.pem".into()))),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}
