//! Signed lists in the store: what they name, once, until they are lifted.

use std::collections::BTreeSet;

use varsel::domain::about::About;
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::domain::list::{ListId, Named};
use varsel::store::{ActError, Deed, NewList, Store};

use super::fixtures::*;

laws! {
    a_list_names_until_it_is_lifted,
    the_same_list_is_added_once,
    what_two_lists_name_stays_until_both_are_lifted,
    a_list_that_does_not_stand_is_not_lifted,
    whoever_a_list_names_finds_it_in_their_story,
    what_is_said_of_an_appointment_is_kept_and_erased_with_it,
}

fn list(digest: &str, names: &[(&str, u32)]) -> NewList {
    let name = |(source, n): &(&str, u32)| (SourceName((*source).to_owned()), key(*n));
    NewList {
        file: format!("{digest}.csv"),
        digest: digest.to_owned(),
        signed_by: "ola".to_owned(),
        named: names.iter().map(name).collect::<Named>(),
    }
}

async fn add<S: Store>(store: &S, name: &str, list: NewList) -> u32 {
    let acted = store.act(&act(name, Deed::AddList(list))).await;
    acted.unwrap().count
}

async fn listed<S: Store>(store: &S, source: &str) -> Vec<BookingKey> {
    let listed = store.listed(&SourceName(source.to_owned())).await;
    let listed: BTreeSet<_> = listed.unwrap();
    listed.into_iter().collect()
}

async fn a_list_names_until_it_is_lifted<S: Store>(store: S) {
    let names = [("register", 1), ("register", 2), ("other", 3)];
    assert_eq!(add(&store, "a", list("one", &names)).await, 3);
    assert_eq!(listed(&store, "register").await, [key(1), key(2)]);
    assert_eq!(listed(&store, "other").await, [key(3)]);
    let lists = store.lists().await.unwrap();
    assert_eq!(lists.len(), 1);
    let standing = &lists[0];
    assert_eq!(
        (standing.file.as_str(), standing.appointments),
        ("one.csv", 3)
    );
    assert_eq!(
        (standing.signed_by.as_str(), standing.actor.as_str()),
        ("ola", "kari")
    );
    let lift = act("b", Deed::LiftList(standing.id));
    assert_eq!(store.act(&lift).await.unwrap().count, 3);
    assert_eq!(listed(&store, "register").await, []);
    assert_eq!(store.lists().await.unwrap(), []);
}

async fn the_same_list_is_added_once<S: Store>(store: S) {
    for name in ["a", "b"] {
        assert_eq!(add(&store, name, list("one", &[("register", 1)])).await, 1);
    }
    let lists = store.lists().await.unwrap();
    assert_eq!(lists.len(), 1);
    let lift = act("c", Deed::LiftList(lists[0].id));
    store.act(&lift).await.unwrap();
    add(&store, "d", list("one", &[("register", 1)])).await;
    assert_eq!(
        listed(&store, "register").await,
        [key(1)],
        "lifted, and added anew"
    );
}

async fn what_two_lists_name_stays_until_both_are_lifted<S: Store>(store: S) {
    add(&store, "a", list("one", &[("register", 1)])).await;
    add(
        &store,
        "b",
        list("two", &[("register", 1), ("register", 2)]),
    )
    .await;
    let lists = store.lists().await.unwrap();
    store
        .act(&act("c", Deed::LiftList(lists[1].id)))
        .await
        .unwrap();
    assert_eq!(listed(&store, "register").await, [key(1)]);
}

async fn a_list_that_does_not_stand_is_not_lifted<S: Store>(store: S) {
    let refused = store.act(&act("a", Deed::LiftList(ListId(7)))).await;
    assert!(
        matches!(refused, Err(ActError::NoList(ListId(7)))),
        "{refused:?}"
    );
}

async fn whoever_a_list_names_finds_it_in_their_story<S: Store>(store: S) {
    baseline(&store, 2).await;
    let story = async |n: u32| store.explain(&key(n).0).await.unwrap().remove(0);
    let before = [story(1).await, story(2).await];
    for digest in ["one", "two"] {
        add(&store, digest, list(digest, &[("register", 1)])).await;
    }
    let first = store.lists().await.unwrap()[0].id;
    let lift = act("lift", Deed::LiftList(first));
    store.act(&lift).await.unwrap();
    let lines = story(1).await.lines;
    let of_lists: Vec<_> = lines
        .iter()
        .filter(|line| line.event.starts_with("list_"))
        .map(|line| (line.event.as_str(), line.actor.as_str(), &line.detail[..16]))
        .collect();
    assert_eq!(
        of_lists,
        [
            ("list_added", "kari", "list 1 (one.csv)"),
            ("list_lifted", "kari", "list 1 (one.csv)"),
            ("list_added", "kari", "list 2 (two.csv)"),
        ],
        "list by list, since every act of a test happens at the same time"
    );
    assert_eq!(lines.len(), before[0].lines.len() + 3);
    assert_eq!(story(2).await, before[1]);
}

async fn what_is_said_of_an_appointment_is_kept_and_erased_with_it<S: Store>(store: S) {
    let mut entry = new_booking(1);
    entry.appointment.about = About {
        protected: true,
        listed: true,
        born: Some("2014-05-01".parse().unwrap()),
        ..About::default()
    };
    let said = entry.appointment.about.clone();
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(known(&store, 1).await.appointment.about, said);
    assert_eq!(store.erase(start(2), 10).await.unwrap(), 1);
    assert_eq!(known(&store, 1).await.appointment.about, About::default());
}
