//! A process that is paused while its connection is made: not one byte of a request leaves after the lease, on a new
//! connection and on one that rested, with a body and without.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use varsel::channel::sms::Profile;
use varsel::channel::{Channel, Outgoing};
use varsel::clock::Mono;
use varsel::clock::simulated::show;
use varsel::domain::outcome::{Blame, Outcome};

use super::{ACCEPT, JSON, open, outgoing, small};
use crate::support::http_fault::{answer, parse};

/// Every kind of request there is: with bytes, without any, and with a body that came out empty.
const REQUESTS: [&str; 3] = [
    JSON,
    "[request]\nmethod = \"GET\"\nquery = { to = \"{to}\", text = \"{text}\" }",
    "[request]\nmethod = \"POST\"\nquery = { to = \"{to}\", text = \"{text}\" }\nbody.form = {}",
];

const START: Duration = Duration::from_secs(100);
const LEASE: Duration = Duration::from_secs(10);

/// Sets the clocks of this thread, on which everything of a test runs.
fn at(mono: Duration) {
    show(Some((DateTime::<Utc>::UNIX_EPOCH, mono)));
}

/// Accepts one connection, answers so many requests, and gives back what else came until its end, or a whole request
/// did.
async fn what_came_besides(listener: &TcpListener, mut answers: usize) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.unwrap_or_default() > 0 {
        if let Some(request) = parse(&bytes) {
            if answers == 0 {
                break;
            }
            bytes.drain(..request.length);
            answers -= 1;
            stream.write_all(&answer(200, "", "")).await.unwrap();
        }
    }
    bytes
}

/// Hands `message` over, and the process is paused beyond its lease as soon as it waits for anything.
async fn send_and_pause(channel: &impl Channel, message: &Outgoing) -> Outcome {
    let mut sending = pin!(channel.send(message));
    let first = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
    assert!(first.is_pending(), "it did not even wait for the network");
    at(START + LEASE);
    sending.await
}

async fn nothing_leaves(request: &str, sent_before: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/send", listener.local_addr().unwrap());
    let profile = format!("keep_alive_seconds = 30\n{}", small(request, ACCEPT));
    let profile = Profile::parse("small", &profile).unwrap();
    let channel = open(profile.at_url(&url).unwrap());
    at(START);
    let message = || Outgoing {
        start_before: Mono::now().plus(LEASE),
        ..outgoing("Hei")
    };
    let sending = async {
        for _ in 0..sent_before {
            let sent = channel.send(&message()).await;
            assert_eq!(sent.word(), "accepted", "{sent:?}");
        }
        send_and_pause(&channel, &message()).await
    };
    let (came, outcome) = tokio::join!(what_came_besides(&listener, sent_before), sending);
    let what = format!("{request}, after {sent_before}: {outcome:?}");
    assert_eq!(String::from_utf8_lossy(&came), "", "{what}");
    let certain = matches!(&outcome, Outcome::NotSent { blame: Blame::Message, cause, .. }
        if cause.contains("lease"));
    assert!(certain, "{what}");

    // It was the lease's end alone: the next one leaves, over a connection of its own.
    at(START);
    let next = message();
    let (came, sent) = tokio::join!(what_came_besides(&listener, 1), async {
        let sent = channel.send(&next).await;
        drop(channel);
        sent
    });
    assert_eq!((sent.word(), came.len()), ("accepted", 0));
}

#[tokio::test]
async fn no_byte_leaves_when_the_lease_ended_while_the_connection_was_made() {
    for request in REQUESTS {
        nothing_leaves(request, 0).await;
    }
    show(None);
}

#[tokio::test]
async fn nor_over_a_connection_that_rested() {
    for request in REQUESTS {
        nothing_leaves(request, 1).await;
    }
    show(None);
}
