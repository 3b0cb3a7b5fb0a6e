//! What wakes a source before its time: signed requests, to a daemon that would otherwise sleep.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use varsel::clock::Clock;
use varsel::domain::appointment::SourceName;
use varsel::inbound::wake::{Ring, Rung, WakeDesk};
use varsel::service::waking::Waking;

use crate::support::world::World;

const SECRET: &str = "en hemmelighet";

fn hex(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    let tag = mac.finalize().into_bytes();
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed(at: i64, body: &str) -> String {
    let tag = hex(&[at.to_string().as_bytes(), b".", body.as_bytes()]);
    format!("t={at},v1={tag}")
}

fn ring<'a>(source: &'a str, signature: &'a str, body: &'a str) -> Ring<'a> {
    Ring {
        source,
        signature: Some(signature),
        cal_signature: None,
        body: body.as_bytes(),
    }
}

async fn desk() -> (World, Waking, SourceName) {
    let world = World::with(&[]).await;
    let source = SourceName("oslo".to_owned());
    let secrets = BTreeMap::from([(source.clone(), SecretString::from(SECRET))]);
    let desk = Waking::new(Arc::clone(&world.shared), secrets);
    (world, desk, source)
}

#[tokio::test]
async fn a_signed_request_wakes_its_source_once() {
    let (world, desk, source) = desk().await;
    let now = Clock::system().now().timestamp();
    let signature = signed(now, "{}");
    assert_eq!(desk.ring(ring("oslo", &signature, "{}")), Rung::Heard);
    let bell = world.shared.wakes.of(&source);
    let heard = tokio::time::timeout(Duration::from_secs(30), bell.notified()).await;
    assert!(heard.is_ok(), "the source was not woken");
    // The same request once more, by whoever has overheard it.
    assert_eq!(desk.ring(ring("oslo", &signature, "{}")), Rung::Stale);
    let cal = hex(&[b"{\"createdAt\":1}"]);
    let cal = Ring {
        source: "oslo",
        signature: None,
        cal_signature: Some(&cal),
        body: b"{\"createdAt\":1}",
    };
    assert_eq!(desk.ring(cal), Rung::Heard);
}

#[tokio::test]
async fn what_is_not_signed_now_and_by_the_right_hand_wakes_nobody() {
    let (_world, desk, _) = desk().await;
    let now = Clock::system().now().timestamp();
    let good = signed(now, "{}");
    for (source, signature, body, expected) in [
        ("bergen", good.clone(), "{}", Rung::Unknown),
        ("oslo", good.clone(), "{ }", Rung::Unknown),
        ("oslo", good.replace("t=", "t=1"), "{}", Rung::Unknown),
        (
            "oslo",
            good[..good.len() - 2].to_owned(),
            "{}",
            Rung::Unknown,
        ),
        ("oslo", String::new(), "{}", Rung::Unknown),
        ("oslo", "t=,v1=".to_owned(), "{}", Rung::Unknown),
        ("oslo", signed(now - 301, "{}"), "{}", Rung::Stale),
        ("oslo", signed(now + 400, "{}"), "{}", Rung::Stale),
    ] {
        assert_eq!(
            desk.ring(ring(source, &signature, body)),
            expected,
            "{signature}"
        );
    }
    let unsigned = Ring {
        source: "oslo",
        signature: None,
        cal_signature: None,
        body: b"{}",
    };
    assert_eq!(desk.ring(unsigned), Rung::Unknown);
}

#[tokio::test]
async fn a_source_that_cries_all_the_time_is_not_heard_all_the_time() {
    let (_world, desk, _) = desk().await;
    let now = Clock::system().now().timestamp();
    let said: Vec<Rung> = (0..62)
        .map(|n| {
            let body = format!("{n}");
            desk.ring(ring("oslo", &signed(now, &body), &body))
        })
        .collect();
    assert!(
        said[..60].iter().all(|rung| *rung == Rung::Heard),
        "{said:?}"
    );
    assert_eq!(said[60..], [Rung::TooMany, Rung::TooMany]);
}
