//! Alarms: raised once, given out to one node, silent once acknowledged, and raised anew when they
//! come again.

use std::time::Duration;

use chrono::TimeDelta;
use varsel::domain::alarm::{Alarm, AlarmId, AlarmKind, Concern};
use varsel::store::{ActError, Deed, Sighting, Store};

use super::fixtures::*;

laws! {
    what_is_wrong_is_told_by_one_node_and_again_until_acknowledged,
    an_acknowledged_alarm_is_silent_until_it_comes_again,
    an_acknowledgement_covers_no_more_than_there_was,
    what_grows_is_told_no_oftener,
    who_acknowledges_knows_what_was_told,
    a_node_ends_only_what_it_sees,
    only_alarms_that_stand_are_acknowledged,
    who_is_untold_counts_by_how_near_the_deadline_is,
}

fn concern(kind: AlarmKind, subject: &str, text: &str) -> Concern {
    Concern {
        kind,
        subject: subject.to_owned(),
        text: text.to_owned(),
        amount: 0,
    }
}

/// What `node` sees so many minutes after the beginning.
fn sighting(node: &str, minutes: i64, concerns: Vec<Concern>) -> Sighting {
    Sighting {
        node: node.to_owned(),
        now: now() + TimeDelta::minutes(minutes),
        concerns,
        telling: Duration::from_secs(120),
    }
}

fn one_to_phone() -> Vec<Concern> {
    vec![concern(AlarmKind::CallList, "", "1 person")]
}

async fn raise<S: Store>(store: &S, sighting: Sighting) -> Vec<Alarm> {
    store.raise(&sighting).await.unwrap()
}

async fn what_is_wrong_is_told_by_one_node_and_again_until_acknowledged<S: Store>(store: S) {
    let both = vec![
        concern(AlarmKind::CallList, "", "1 person"),
        concern(AlarmKind::HeldBatch, "3", "batch 3"),
    ];
    let given = raise(&store, sighting("a", 0, both.clone())).await;
    let texts: Vec<_> = given.iter().map(|a| a.concern.text.as_str()).collect();
    assert_eq!(texts, ["1 person", "batch 3"]);
    assert_eq!((given[0].told, given[0].since), (1, now()));
    assert_eq!(raise(&store, sighting("b", 0, both.clone())).await, []);
    // Nobody was reached: another node tells of it once the first has had its time.
    let mut more = both.clone();
    more[0].text = "2 people".to_owned();
    let given = raise(&store, sighting("b", 2, more.clone())).await;
    assert_eq!((given.len(), given[0].told), (2, 2));
    assert_eq!(given[0].concern.text, "2 people", "as it is now");
    let ids: Vec<AlarmId> = given.iter().map(|alarm| alarm.id).collect();
    let again = now() + TimeDelta::minutes(15);
    store.alarms_told(&ids, again).await.unwrap();
    assert_eq!(raise(&store, sighting("a", 14, more.clone())).await, []);
    assert_eq!(raise(&store, sighting("a", 15, more)).await.len(), 2);
    assert_eq!(store.alarms().await.unwrap().len(), 2);
}

async fn an_acknowledged_alarm_is_silent_until_it_comes_again<S: Store>(store: S) {
    let given = raise(&store, sighting("a", 0, one_to_phone())).await;
    let ack = act("ack", Deed::AckAlarm(given[0].id));
    assert_eq!(store.act(&ack).await.unwrap().count, 1);
    assert_eq!(store.act(&ack).await.unwrap().count, 1, "asked twice");
    let late = raise(&store, sighting("a", 600, one_to_phone())).await;
    assert_eq!(late, [], "somebody knows");
    let standing = store.alarms().await.unwrap();
    let (by, at) = standing[0].acknowledged.clone().unwrap();
    assert_eq!((by.as_str(), at), (ack.actor.as_str(), ack.at));
    assert_eq!(raise(&store, sighting("a", 601, vec![])).await, []);
    assert_eq!(store.alarms().await.unwrap(), []);
    let again = raise(&store, sighting("a", 602, one_to_phone())).await;
    assert_eq!((again.len(), again[0].told), (1, 1), "a new one");
    assert_ne!(again[0].id, given[0].id);
}

fn to_phone(people: u32) -> Vec<Concern> {
    let mut concerns = one_to_phone();
    concerns[0].text = format!("{people} people");
    concerns[0].amount = people;
    concerns
}

async fn an_acknowledgement_covers_no_more_than_there_was<S: Store>(store: S) {
    let given = raise(&store, sighting("a", 0, to_phone(1))).await;
    let known = async |key, minutes, people| {
        let ack = act(key, Deed::AckAlarm(given[0].id));
        store.act(&ack).await.unwrap();
        let told = raise(&store, sighting("a", minutes, to_phone(people))).await;
        assert_eq!(told, [], "somebody knows of {people}");
    };
    known("first", 60, 1).await;
    let grown = raise(&store, sighting("b", 120, to_phone(401))).await;
    let seen: Vec<_> = grown.iter().map(|a| (a.id, a.concern.amount)).collect();
    assert_eq!(seen, [(given[0].id, 401)]);
    assert_eq!((grown[0].told, &grown[0].acknowledged), (2, &None));
    assert_eq!(grown[0].concern.text, "401 people");
    // When most were phoned, those who come after them are others.
    known("second", 180, 200).await;
    let standing = store.alarms().await.unwrap();
    assert_eq!(standing[0].concern.text, "200 people");
    assert_eq!(raise(&store, sighting("a", 240, to_phone(200))).await, []);
    let grown = raise(&store, sighting("a", 300, to_phone(201))).await;
    assert_eq!((grown.len(), grown[0].told), (1, 3));
}

/// Somebody answers what they were told, and not what has come since.
async fn who_acknowledges_knows_what_was_told<S: Store>(store: S) {
    let given = raise(&store, sighting("a", 0, to_phone(1))).await;
    let again = now() + TimeDelta::minutes(15);
    store.alarms_told(&[given[0].id], again).await.unwrap();
    assert_eq!(raise(&store, sighting("a", 10, to_phone(400))).await, []);
    let ack = act("ack", Deed::AckAlarm(given[0].id));
    store.act(&ack).await.unwrap();
    assert_eq!(raise(&store, sighting("a", 11, to_phone(400))).await, []);
    let grown = raise(&store, sighting("a", 15, to_phone(400))).await;
    assert_eq!((grown.len(), grown[0].told), (1, 2));
}

/// However fast a list grows, it is told no oftener than one of which nobody knows.
async fn what_grows_is_told_no_oftener<S: Store>(store: S) {
    let given = raise(&store, sighting("a", 0, to_phone(1))).await;
    let again = now() + TimeDelta::minutes(15);
    store.alarms_told(&[given[0].id], again).await.unwrap();
    let ack = act("ack", Deed::AckAlarm(given[0].id));
    store.act(&ack).await.unwrap();
    assert_eq!(raise(&store, sighting("a", 1, to_phone(2))).await, []);
    assert_eq!(raise(&store, sighting("a", 14, to_phone(3))).await, []);
    assert_eq!(raise(&store, sighting("a", 15, to_phone(3))).await.len(), 1);
}

async fn a_node_ends_only_what_it_sees<S: Store>(store: S) {
    let paused = || vec![concern(AlarmKind::GatewayPaused, "sms", "HTTP 401")];
    assert_eq!(raise(&store, sighting("a", 0, paused())).await.len(), 1);
    assert_eq!(raise(&store, sighting("b", 0, paused())).await.len(), 1);
    raise(&store, sighting("b", 1, vec![])).await;
    let standing = store.alarms().await.unwrap();
    let nodes: Vec<_> = standing.iter().map(|alarm| alarm.node.as_str()).collect();
    assert_eq!(nodes, ["a"]);
    raise(&store, sighting("b", 2, one_to_phone())).await;
    raise(&store, sighting("a", 3, paused())).await;
    let standing = store.alarms().await.unwrap();
    assert_eq!(standing.len(), 1, "the list is empty for every node");
    assert_eq!(standing[0].concern.kind, AlarmKind::GatewayPaused);
}

async fn only_alarms_that_stand_are_acknowledged<S: Store>(store: S) {
    let never = store.act(&act("1", Deed::AckAlarm(AlarmId(9)))).await;
    assert!(matches!(never, Err(ActError::NoAlarm(AlarmId(9)))));
    let given = raise(&store, sighting("a", 0, one_to_phone())).await;
    raise(&store, sighting("a", 1, vec![])).await;
    let ended = store.act(&act("2", Deed::AckAlarm(given[0].id))).await;
    assert!(matches!(ended, Err(ActError::NoAlarm(_))));
}

async fn who_is_untold_counts_by_how_near_the_deadline_is<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_with(&store, vec![(1, notice(1))], None).await;
    let left = start(1) - now();
    let minute = TimeDelta::minutes(1);
    assert_eq!(store.untold(now(), left - minute).await.unwrap(), 0);
    assert_eq!(store.untold(now(), left + minute).await.unwrap(), 1);
    let later = start(1) + minute;
    assert_eq!(store.untold(later, left).await.unwrap(), 0, "too late");
}
