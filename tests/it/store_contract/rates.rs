//! The rate of a gateway: its tokens are spent by the claim, shared by all nodes, and refused claims
//! leave no trace.

use std::time::Duration;

use varsel::clock::Mono;
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::rate::Rate;
use varsel::store::model::Model;
use varsel::store::{Access, ClaimAsk, Outbox, Store};

use super::fixtures::*;
use crate::support::postgres::database;

laws! {
    a_claim_takes_no_more_than_there_are_tokens,
    a_claim_refused_for_want_of_tokens_leaves_no_trace,
    what_is_not_claimed_is_not_spent,
    each_gateway_has_tokens_of_its_own,
    two_nodes_together_never_pass_the_rate,
}

/// Slow enough that nothing comes back within a test that is not slow itself.
const SLOW: Rate = Rate {
    per_second: 1,
    burst: 3,
};

fn rated(rate: Rate) -> ClaimAsk {
    ClaimAsk {
        rate: Some(rate),
        ..ask(Channel::Sms)
    }
}

/// What may have come back since, and one for the millisecond.
fn refilled(rate: Rate, since: Mono) -> usize {
    let thousandths = since.elapsed().as_millis() * u128::from(rate.per_second);
    usize::try_from(thousandths / 1000).unwrap() + 1
}

async fn a_claim_takes_no_more_than_there_are_tokens<S: Store>(store: S) {
    cancel(&store, 9).await;
    let began = Mono::now();
    let wait = store.next_tokens("sandbox", SLOW).await.unwrap();
    assert_eq!(wait, Duration::ZERO);
    let first = store.claim(&rated(SLOW)).await.unwrap();
    assert_eq!(first.len(), 3);
    let keys: Vec<_> = first.iter().map(|c| c.gateway_key.as_str()).collect();
    assert_eq!(
        keys,
        ["gk-1-0", "gk-2-0", "gk-3-0"],
        "the earliest deadlines"
    );
    let second = store.claim(&rated(SLOW)).await.unwrap();
    assert!(second.len() <= refilled(SLOW, began), "{}", second.len());
    // Without the rate nothing keeps them.
    let rest = store.claim(&ask(Channel::Sms)).await.unwrap();
    assert_eq!(rest.len(), 6 - second.len());
}

async fn a_claim_refused_for_want_of_tokens_leaves_no_trace<S: Store>(store: S) {
    cancel(&store, 2).await;
    let rare = Rate {
        per_second: 1,
        burst: 1,
    };
    let one = claim_one(&store, &rated(rare)).await;
    assert_eq!(one.gateway_key, "gk-1-0");
    let before = store.explain("B2").await.unwrap();
    let began = Mono::now();
    for _ in 0..5 {
        let none = store.claim(&rated(rare)).await.unwrap();
        if refilled(rare, began) > 1 {
            return; // So slow a machine has shown nothing.
        }
        assert_eq!(none.len(), 0);
    }
    let wait = store.next_tokens("sandbox", rare).await.unwrap();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    assert_eq!(state(&store, 2).await, MessageState::Ready);
    let after = store.explain("B2").await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    let two = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!((two.attempts, two.fence), (1, 1));
    assert_eq!(two.attempt.0, one.attempt.0 + 1);
}

async fn what_is_not_claimed_is_not_spent<S: Store>(store: S) {
    cancel(&store, 4).await;
    let most = |limit| ClaimAsk {
        limit,
        ..rated(SLOW)
    };
    assert_eq!(store.claim(&most(1)).await.unwrap().len(), 1);
    let early = ClaimAsk {
        now: now() - hours(1),
        ..rated(SLOW)
    };
    assert_eq!(store.claim(&early).await.unwrap().len(), 0);
    let left = store.claim(&most(100)).await.unwrap().len();
    assert!((2..=3).contains(&left), "{left}");
}

async fn each_gateway_has_tokens_of_its_own<S: Store>(store: S) {
    cancel(&store, 6).await;
    assert_eq!(store.claim(&rated(SLOW)).await.unwrap().len(), 3);
    let other = ClaimAsk {
        gateway: "other".to_owned(),
        ..rated(SLOW)
    };
    assert_eq!(store.claim(&other).await.unwrap().len(), 3);
}

async fn two_nodes_together_never_pass_the_rate<S: Store>(store: S) {
    two_never_pass_the_rate(store.clone(), store).await;
}

/// Two processes share nothing but the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn two_nodes_with_a_database_each_never_pass_the_rate() {
    let db = database().await;
    let (first, second) = (db.open(Access::Daemon).await, db.open(Access::Daemon).await);
    two_never_pass_the_rate(first, second).await;
}

async fn two_never_pass_the_rate<S: Store>(one: S, other: S) {
    const ROUNDS: usize = 25;
    let rate = Rate {
        per_second: 40,
        burst: 5,
    };
    cancel(&one, 99).await;
    let began = Mono::now();
    let node = |store: S, name: &str, nonce| {
        let ask = rated(rate);
        let ask = ClaimAsk {
            node: name.to_owned(),
            nonce,
            ..ask
        };
        async move {
            let mut claimed = 0;
            for round in 0..ROUNDS {
                let nonce = ask.nonce + u32::try_from(round).unwrap();
                let ask = ClaimAsk {
                    nonce,
                    ..ask.clone()
                };
                claimed += store.claim(&ask).await.unwrap().len();
            }
            claimed
        }
    };
    let first = tokio::spawn(node(one, "node-a", 1000));
    let second = tokio::spawn(node(other, "node-b", 2000));
    let sum = first.await.unwrap() + second.await.unwrap();
    let most = 5 + refilled(rate, began);
    assert!((5..=most).contains(&sum), "{sum} of at most {most}");
}

#[tokio::test]
async fn a_rest_is_worth_one_burst_and_tokens_come_with_time() {
    let store = Model::default();
    cancel(&store, 20).await;
    let rate = Rate {
        per_second: 2,
        burst: 5,
    };
    let claimed = async || store.claim(&rated(rate)).await.unwrap().len();
    assert_eq!((claimed().await, claimed().await), (5, 0));
    let wait = store.next_tokens("sandbox", rate).await.unwrap();
    assert_eq!(wait, Duration::from_millis(500));
    store.advance(Duration::from_millis(499));
    assert_eq!(claimed().await, 0);
    store.advance(Duration::from_millis(1));
    assert_eq!(claimed().await, 1);
    store.advance(Duration::from_secs(2));
    assert_eq!(claimed().await, 4);
    store.advance(Duration::from_secs(24 * 3600));
    assert_eq!((claimed().await, claimed().await), (5, 0));
}
