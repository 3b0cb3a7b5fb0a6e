//! A SQLite store copied into PostgreSQL: every row arrives, the copy goes on where the file stopped,
//! and what is not empty or in use is refused.

use std::path::Path;

use varsel::domain::message::Channel;
use varsel::store::copying::{Copied, copy};
use varsel::store::postgres::Address;
use varsel::store::{
    Access, ActError, AttemptId, Cluster, Database, Deed, Desk, HoldOn, Lock, Locked, ReportState,
    StoreError, StoreResult,
};

use super::fixtures::*;
use crate::support::postgres::{Db, database};

/// More than pass at once.
const BOOKINGS: u32 = 700;

async fn lived(path: &Path) -> Database {
    let store = Database::sqlite(path, Access::Daemon).await.unwrap();
    baseline(&store, BOOKINGS).await;
    let notices = (1..=4).map(|n| (n, notice(n))).collect();
    cancel_with(&store, notices, None).await;
    cancel_with(&store, vec![(5, notice(5))], brake(1)).await;
    use varsel::store::Outbox;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    settle_one(&store, &claims[0], accepted()).await;
    settle_one(&store, &claims[1], unclear()).await;
    let delivered = report(&claims[0], ReportState::Delivered);
    store.report(&[delivered]).await.unwrap();
    store.secret("mail").await.unwrap();
    store.join("main").await.unwrap();
    store
}

fn past() -> Lock {
    Lock {
        node: "main".to_owned(),
        why: Locked::Moved,
        since: now(),
        remembered: AttemptId(0),
        newest: None,
    }
}

async fn copied(path: &Path, db: &Db) -> StoreResult<Copied> {
    let address = Address::parse(&db.url()).unwrap();
    let mut seen = (0, 0);
    let mut progress = |done, all| {
        assert!(done <= all && seen.0 <= done, "it only grows");
        seen = (done, all);
    };
    let copied = copy(path, &address, &past(), &mut progress).await;
    if let Ok(copied) = &copied {
        assert_eq!(seen, (copied.rows, copied.rows), "it ends with all");
    }
    copied
}

/// Everything that a store shows of the bookings that changed.
async fn shown(store: &Database) -> String {
    let mut said = format!("{:?}\n", store.tally(now()).await.unwrap());
    said += &format!("{:?}\n", store.batches().await.unwrap());
    for n in 1..=6 {
        said += &format!("{:?}\n", store.explain(&key(n).0).await.unwrap());
        said += &format!("{:?}\n", known(store, n).await);
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn every_row_arrives_and_the_copy_goes_on() {
    use varsel::store::Outbox;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = lived(&path).await;
    let (before, identity) = (shown(&store).await, identity(&store).await);
    let secret = store.secret("mail").await.unwrap();
    store.close().await;
    let db = database().await;
    let done = copied(&path, &db).await.unwrap();
    assert!(done.rows > 2 * u64::from(BOOKINGS), "{done:?}");
    let copy = db.open(Access::Daemon).await;
    assert_eq!(shown(&copy).await, before);
    assert_eq!(
        self::identity(&copy).await,
        identity,
        "it is the same store"
    );
    assert_eq!(copy.secret("mail").await.unwrap(), secret);
    assert_eq!(copy.verify().await.unwrap(), []);
    let standing = copy.standing("main", None).await.unwrap();
    assert!(!standing.knows_node, "its nodes begin anew");
    let newest = standing.newest.unwrap().attempt;
    cancel_with(&copy, vec![(6, notice(6))], None).await;
    let claim = claim_one(&copy, &ask(Channel::Sms)).await;
    assert!(claim.attempt > newest, "numbers go on");
}

/// What a person was told is done stands in the database, too; what comes while the copy is made, and
/// after it, is refused in words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_persons_word_is_copied_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = lived(&path).await;
    let stop = |key| act(key, Deed::AddHold(HoldOn::All));
    store.act(&stop("before")).await.unwrap();
    store.close().await;
    let db = database().await;
    let address = Address::parse(&db.url()).unwrap();
    let verb = Database::sqlite(&path, Access::Verb).await.unwrap();
    let mut meanwhile = None;
    let mut progress = |_, _| {
        if meanwhile.is_none() {
            let word = stop("meanwhile");
            let runtime = tokio::runtime::Handle::current();
            let said = || runtime.block_on(verb.act(&word));
            meanwhile = Some(tokio::task::block_in_place(said));
        }
    };
    copy(&path, &address, &past(), &mut progress).await.unwrap();
    let refused = meanwhile.unwrap().unwrap_err().to_string();
    assert!(refused.contains("another program is writing"), "{refused}");
    let late = verb.act(&stop("after")).await;
    assert!(matches!(late, Err(ActError::Moved)), "{late:?}");
    assert_eq!(verb.holds().await.unwrap().len(), 1);
    let copy = db.open(Access::Daemon).await;
    assert_eq!(copy.holds().await.unwrap().len(), 1);
    copy.act(&stop("there")).await.unwrap();
}

async fn identity(store: &Database) -> String {
    store.standing("main", None).await.unwrap().store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn what_is_in_use_or_not_empty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = lived(&path).await;
    let db = database().await;
    let refused = copied(&path, &db).await.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    store.close().await;
    copied(&path, &db).await.unwrap();
    let refused = copied(&path, &db).await.unwrap_err();
    assert!(
        refused.to_string().contains("locked this file before"),
        "{refused}"
    );
    let other = folder.path().join("other.db");
    lived(&other).await.close().await;
    let refused = copied(&other, &db).await.unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
    let nowhere = copied(&folder.path().join("none.db"), &database().await).await;
    assert!(matches!(nowhere, Err(StoreError::Unavailable(_))));
    assert!(!folder.path().join("none.db").exists(), "nothing was made");
}
