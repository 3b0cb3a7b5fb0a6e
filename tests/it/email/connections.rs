//! Connections are kept, limited and replaced, and no reply ever counts for another mail.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use varsel::channel::email::{Settings, Smtp};

use super::{letter, plain, send, smtp};
use crate::support::smtp_fault::{Act, At, FaultServer, Script};

const OFFERS: &[&str] = &["PIPELINING"];

#[tokio::test]
async fn many_mails_travel_on_one_connection() {
    let server = FaultServer::start(Script::offering(OFFERS)).await;
    let smtp = smtp(&server);
    for n in 0..5 {
        assert_eq!(
            letter(&send(&smtp, &format!("a{n}@example.org")).await),
            'A'
        );
    }
    let seen = server.seen();
    assert_eq!((seen.connections, seen.accepted.len()), (1, 5));
    assert_eq!(
        seen.verbs().iter().filter(|verb| **verb == "RSET").count(),
        0
    );
}

#[tokio::test]
async fn no_more_connections_than_configured() {
    let server = FaultServer::start(Script::offering(OFFERS)).await;
    let smtp = Arc::new(
        Smtp::new(Settings {
            connections: 2,
            ..plain(&server)
        })
        .unwrap(),
    );
    let mut sends = JoinSet::new();
    for n in 0..40 {
        let smtp = Arc::clone(&smtp);
        sends.spawn(async move { send(&smtp, &format!("a{n}@example.org")).await });
    }
    for outcome in sends.join_all().await {
        assert_eq!(letter(&outcome), 'A');
    }
    let mut seen = server.seen();
    assert!(seen.connections <= 2 && seen.most_at_once <= 2, "{seen:?}");
    seen.accepted.sort();
    seen.accepted.dedup();
    assert_eq!(seen.accepted.len(), 40);
}

#[tokio::test]
async fn a_refusal_keeps_the_connection_and_clears_it() {
    let script = Script::offering(OFFERS)
        .then(At::Rcpt, Act::Say("550 5.1.1 no\r\n"))
        .then(At::Data, Act::Say("554 5.5.1 no valid recipients\r\n"));
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'R');
    assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
    let seen = server.seen();
    let expected = [
        "EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA",
    ];
    assert_eq!(seen.verbs(), expected);
    assert_eq!(
        (seen.connections, seen.accepted),
        (1, vec!["b@example.org".to_owned()])
    );
}

#[tokio::test]
async fn after_a_421_a_connection_carries_nothing_more() {
    let script = Script::offering(&[]).then(At::Rcpt, Act::Say("421 4.3.2 closing soon\r\n"));
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'N');
    assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
    assert_eq!(server.seen().connections, 2, "RFC 5321, 3.8: it closes");
}

#[tokio::test]
async fn a_late_reply_never_counts_for_the_next_mail() {
    let script = Script::offering(OFFERS)
        .then(At::Dot, Act::Hold("250 2.0.0 Ok: queued as 4FIRST\r\n"))
        .then(At::Dot, Act::Say("554 5.7.1 refused after all\r\n"));
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    {
        let first = send(&smtp, "first@example.org");
        tokio::select! {
            outcome = first => panic!("the server holds its reply, but: {outcome:?}"),
            () = server.dot_came() => {}
        }
    }
    // The first send is dropped; its 250 comes now, and nobody may take it for the second mail's.
    server.release();
    assert_eq!(letter(&send(&smtp, "second@example.org").await), 'R');
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn a_send_dropped_while_it_waits_for_its_place_takes_none() {
    let script = Script::offering(OFFERS).then(At::Dot, Act::Hold("250 2.0.0 Ok\r\n"));
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    let first = send(&smtp, "first@example.org");
    let release_late = async {
        server.dot_came().await;
        let waiting =
            tokio::time::timeout(Duration::from_millis(20), send(&smtp, "no@example.org"));
        assert!(waiting.await.is_err());
        server.release();
    };
    let (first, ()) = tokio::join!(first, release_late);
    assert_eq!(letter(&first), 'A');
    assert_eq!(letter(&send(&smtp, "third@example.org").await), 'A');
    assert_eq!(
        server.seen().accepted,
        ["first@example.org", "third@example.org"]
    );
}

#[tokio::test]
async fn a_connection_closed_while_it_rested_is_replaced_at_once() {
    for rest in [Act::Close, Act::SayAndClose("421 4.4.2 idle too long\r\n")] {
        let script = Script::offering(OFFERS).then(At::Rest, rest);
        let server = FaultServer::start(script).await;
        let smtp = smtp(&server);
        assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
        server.closed().await;
        assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
        let seen = server.seen();
        assert_eq!((seen.connections, seen.accepted.len()), (2, 2));
    }
}

#[tokio::test]
async fn a_connection_that_dies_at_the_next_mail_is_replaced_once() {
    for fault in [Act::Close, Act::SayAndClose("421 4.3.2 closing\r\n")] {
        let good = Act::Say("250 ok\r\n");
        let script = Script::offering(OFFERS).then(At::Mail, good.clone());
        let server = FaultServer::start(script.then(At::Mail, fault.clone())).await;
        let smtp = smtp(&server);
        assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
        assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
        assert_eq!(server.seen().connections, 2);

        // A relay that does it to the new connection too is not tried a third time.
        let script = Script::offering(OFFERS).then(At::Mail, good);
        let script = script.then(At::Mail, fault.clone()).then(At::Mail, fault);
        let server = FaultServer::start(script).await;
        let smtp = super::smtp(&server);
        assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
        assert_eq!(letter(&send(&smtp, "b@example.org").await), 'N');
        assert_eq!(server.seen().connections, 2);
    }
}

#[tokio::test]
async fn something_unasked_while_it_rested_spoils_a_connection() {
    let script = Script::offering(OFFERS).then(
        At::Dot,
        Act::Say("250 2.0.0 Ok\r\n250 2.0.0 and one too many\r\n"),
    );
    let server = FaultServer::start(script).await;
    let smtp = smtp(&server);
    assert_eq!(letter(&send(&smtp, "a@example.org").await), 'A');
    assert_eq!(letter(&send(&smtp, "b@example.org").await), 'A');
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn connections_are_replaced_after_their_share_and_their_rest() {
    let few = |s: Settings| Settings {
        mails_per_connection: 2,
        ..s
    };
    let restless = |s: Settings| Settings {
        idle: Duration::ZERO,
        ..s
    };
    for (change, connections) in [(&few as &dyn Fn(Settings) -> Settings, 2), (&restless, 4)] {
        let server = FaultServer::start(Script::offering(OFFERS)).await;
        let smtp = Smtp::new(change(plain(&server))).unwrap();
        for n in 0..4 {
            assert_eq!(
                letter(&send(&smtp, &format!("a{n}@example.org")).await),
                'A'
            );
        }
        let seen = server.seen();
        assert_eq!((seen.connections, seen.accepted.len()), (connections, 4));
        assert!(seen.verbs().contains(&"QUIT"), "it says goodbye");
    }
}
