//! Who may read a source: one node at a time, and what was read under an old lease is not recorded.

use std::time::Duration;

use varsel::domain::appointment::SourceName;
use varsel::store::{LeaseAsk, Record, Store, StoreError};

use super::fixtures::*;

laws! {
    one_node_at_a_time_reads_a_source,
    a_record_of_an_old_lease_is_refused,
    whoever_asks_late_goes_on_where_nobody_came_between,
}

fn wants(node: &str, life: u32, seconds: u64) -> LeaseAsk {
    LeaseAsk {
        source: source(),
        node: node.to_owned(),
        life,
        length: Duration::from_secs(seconds),
    }
}

async fn one_node_at_a_time_reads_a_source<S: Store>(store: S) {
    let (a, b) = (wants("node-a", 1, 3600), wants("node-b", 1, 3600));
    let first = store.lease(&a).await.unwrap().unwrap();
    assert_eq!(store.lease(&b).await.unwrap(), None);
    assert_eq!(store.lease(&a).await.unwrap(), Some(first), "it goes on");
    let mut other = b.clone();
    other.source = SourceName("another register".to_owned());
    assert!(store.lease(&other).await.unwrap().is_some());
    let again = store.lease(&wants("node-a", 2, 3600)).await.unwrap();
    assert!(again.unwrap().fence > first.fence, "a later life of it");
    store.lease(&wants("node-a", 2, 0)).await.unwrap().unwrap();
    let second = store.lease(&b).await.unwrap().unwrap();
    assert!(second.fence > again.unwrap().fence, "it was given back");
    assert_eq!(store.lease(&a).await.unwrap(), None);
}

async fn a_record_of_an_old_lease_is_refused<S: Store>(store: S) {
    baseline(&store, 1).await;
    let lease = store.lease(&wants("node-a", 1, 3600)).await.unwrap();
    let gone = Record {
        lease,
        absent: vec![key(1)],
        ..record(Vec::new())
    };
    store.record(gone.clone()).await.unwrap();
    // Its time runs out, and then another node takes over.
    store.lease(&wants("node-a", 1, 0)).await.unwrap().unwrap();
    let late = store.record(gone.clone()).await.unwrap_err();
    assert!(matches!(late, StoreError::Overtaken(_)), "{late}");
    let theirs = store.lease(&wants("node-b", 1, 3600)).await.unwrap();
    let late = store.record(gone.clone()).await.unwrap_err();
    assert!(matches!(late, StoreError::Overtaken(_)), "{late}");
    let marks = store.marks(&source(), now()).await.unwrap();
    assert_eq!(marks.get(&key(1)).unwrap().absent, 1, "counted once");
    let theirs = Record {
        lease: theirs,
        ..gone
    };
    store.record(theirs).await.unwrap();
    let marks = store.marks(&source(), now()).await.unwrap();
    assert_eq!(marks.get(&key(1)).unwrap().absent, 2);
}

/// Sources are looked at more rarely than a lease lasts; what a node remembers of its last look
/// (what waits to settle, that nothing has changed) is good as long as nobody else has looked.
async fn whoever_asks_late_goes_on_where_nobody_came_between<S: Store>(store: S) {
    let brief = wants("node-a", 1, 0);
    let first = store.lease(&brief).await.unwrap().unwrap();
    let later = store.lease(&brief).await.unwrap().unwrap();
    assert_eq!(later.fence, first.fence);
    store.lease(&wants("node-b", 1, 0)).await.unwrap().unwrap();
    let after = store.lease(&brief).await.unwrap().unwrap();
    assert!(after.fence > first.fence, "another one has looked");
}
