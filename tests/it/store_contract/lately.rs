//! What was found within the last hour, for the brake: it stands in the store, so that a restart does
//! not let a trickle begin anew.

use chrono::TimeDelta;
use varsel::domain::brake::Braked;
use varsel::domain::closing::ClosingId;
use varsel::store::{Deed, NewBatch, Record, SeenBatch, Store};

use super::fixtures::*;

laws! {
    what_flowed_counts_for_an_hour,
    only_changes_that_people_are_told_count,
    what_the_hour_held_counts_until_a_person_has_looked,
    what_a_poll_held_does_not_count,
    what_was_announced_does_not_count,
    what_was_not_written_does_not_count,
}

async fn lately<S: Store>(store: &S, minutes: i64) -> u32 {
    let now = now() + TimeDelta::minutes(minutes);
    store.watched(&source(), now).await.unwrap().lately
}

fn held_by(braked: Braked) -> Option<NewBatch> {
    brake(2).map(|batch| NewBatch { braked, ..batch })
}

async fn what_flowed_counts_for_an_hour<S: Store>(store: S) {
    baseline(&store, 4).await;
    assert_eq!(lately(&store, 0).await, 0, "a baseline is no change");
    cancel_with(&store, vec![(1, notice(1)), (2, notice(2))], None).await;
    assert_eq!(lately(&store, 0).await, 2);
    let later = Record {
        at: now() + TimeDelta::minutes(30),
        ..record(vec![change(
            &known(&store, 3).await,
            cancelled(3),
            vec![notice(3)],
        )])
    };
    store.record(later).await.unwrap();
    assert_eq!(lately(&store, 30).await, 3);
    assert_eq!(lately(&store, 59).await, 3);
    assert_eq!(lately(&store, 60).await, 1);
    assert_eq!(lately(&store, 90).await, 0);
    let last = Record {
        at: now() + TimeDelta::minutes(80),
        ..record(vec![change(
            &known(&store, 4).await,
            cancelled(4),
            vec![notice(4)],
        )])
    };
    store.record(last).await.unwrap();
    assert_eq!(
        lately(&store, 80).await,
        2,
        "what is old is forgotten, what is not stays"
    );
}

async fn only_changes_that_people_are_told_count<S: Store>(store: S) {
    baseline(&store, 2).await;
    let silent = change(&known(&store, 1).await, cancelled(1), Vec::new());
    let refreshed = again(&known(&store, 2).await, Vec::new());
    store.record(record(vec![silent, refreshed])).await.unwrap();
    assert_eq!(lately(&store, 0).await, 0);
}

async fn what_the_hour_held_counts_until_a_person_has_looked<S: Store>(store: S) {
    baseline(&store, 2).await;
    let notices = vec![(1, notice(1)), (2, notice(2))];
    let held = cancel_with(&store, notices, held_by(Braked::TooManyInAnHour)).await;
    assert_eq!(lately(&store, 1).await, 2);
    let batches = store.batches().await.unwrap();
    let seen = SeenBatch {
        batch: held.batch.unwrap(),
        ..batches[0].seen()
    };
    store
        .act(&act("release", Deed::Release(seen)))
        .await
        .unwrap();
    assert_eq!(lately(&store, 1).await, 0);
}

async fn what_a_poll_held_does_not_count<S: Store>(store: S) {
    baseline(&store, 2).await;
    let notices = vec![(1, notice(1)), (2, notice(2))];
    cancel_with(&store, notices, held_by(Braked::TooMany)).await;
    assert_eq!(lately(&store, 0).await, 0);
}

async fn what_was_announced_does_not_count<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut entry = change(&known(&store, 1).await, cancelled(1), vec![notice(1)]);
    entry.admitted_by = Some(ClosingId(1));
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(lately(&store, 0).await, 0);
}

async fn what_was_not_written_does_not_count<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut entry = change(&known(&store, 1).await, cancelled(1), vec![notice(1)]);
    entry.believed = None;
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!(recorded.conflicts.len(), 1);
    assert_eq!(lately(&store, 0).await, 0);
}
