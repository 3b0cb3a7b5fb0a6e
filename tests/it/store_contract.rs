//! One suite for every store: each law is one function, and every backend must keep it.

mod fixtures;

use fixtures::*;
use varsel::domain::message::{Channel, MessageState};
use varsel::store::sqlite::{Access, Sqlite};
use varsel::store::{Ledger, Store};

/// Each law once per backend.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("varsel.db");
                let store = super::Sqlite::open(&path, super::Access::Daemon).await.unwrap();
                super::$law(store).await;
            })+
        }
    };
}

laws! {
    the_baseline_is_remembered,
    a_change_travels_to_its_claim,
}

async fn the_baseline_is_remembered<S: Store>(store: S) {
    let before = store.marks(&source(), now()).await.unwrap();
    assert!(!before.baseline && before.marks.is_empty());
    baseline(&store, 3).await;
    let after = store.marks(&source(), start(2)).await.unwrap();
    assert!(after.baseline);
    assert_eq!(after.snapshot_at, Some(now()));
    assert_eq!(
        after.marks.keys().cloned().collect::<Vec<_>>(),
        [key(2), key(3)]
    );
    assert_eq!(after.marks[&key(2)].fingerprint, active(2).fingerprint());
    let known = known(&store, 1).await;
    assert_eq!(
        (known.appointment, known.base),
        (active(1), active(1).state)
    );
}

async fn a_change_travels_to_its_claim<S: Store>(store: S) {
    let recorded = cancel(&store, 1).await;
    assert_eq!((recorded.written, recorded.notices), (1, 1));
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let sent = message(1, 0);
    assert_eq!((claim.address, claim.body), (sent.address, sent.body));
    assert_eq!(
        (claim.gateway_key, claim.sender),
        (sent.gateway_key, sent.sender)
    );
    assert_eq!((claim.fence, claim.attempts), (1, 1));
    assert_eq!(
        (claim.not_after, claim.give_up_at),
        (start(1), sent.give_up_at)
    );
    assert_eq!(state(&store, 1).await, MessageState::Sending);
}
