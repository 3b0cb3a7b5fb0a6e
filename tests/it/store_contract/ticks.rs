//! The call list: who stands on it, and what a person's tick does.

use chrono::TimeDelta;
use varsel::domain::contact::Address;
use varsel::domain::language::Language;
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::reference::Reference;
use varsel::store::{Act, ActError, Deed, HoldOn, NewMessage, NewNotice, Store};

use super::fixtures::*;

laws! {
    everybody_whose_phone_rung_is_open_is_on_the_list,
    a_tick_tells_and_stops_what_has_not_left,
    an_answering_machine_tells_nobody,
    nothing_is_repeated_for_whom_a_call_has_told,
    what_a_node_has_in_hand_is_called_back,
    a_tick_of_what_is_void_is_kept_and_says_so,
    a_tick_written_down_after_the_hour_counts,
    only_what_stood_on_the_list_is_ticked,
}

/// A phone rung with the person's number.
fn dialled(n: u32) -> NewMessage {
    NewMessage {
        address: person(n).contact.address(Channel::Phone),
        ..phone_rung(n)
    }
}

/// Booking `n` is cancelled, and these rungs are open.
async fn cancel_on<S: Store>(store: &S, n: u32, messages: Vec<NewMessage>) {
    let notice = NewNotice {
        messages,
        ..notice(n)
    };
    let entry = change(&known(store, n).await, cancelled(n), vec![notice]);
    store.record(record(vec![entry])).await.unwrap();
}

fn tick(n: u32, key: &str) -> Act {
    act(key, Deed::Tick(notice(n).reference))
}

async fn states<S: Store>(store: &S, n: u32) -> Vec<MessageState> {
    let notices = known(store, n).await.notices;
    let newest = notices.last().unwrap();
    newest.messages.iter().map(|m| m.state).collect()
}

async fn everybody_whose_phone_rung_is_open_is_on_the_list<S: Store>(store: S) {
    baseline(&store, 3).await;
    cancel_on(&store, 3, vec![phone_rung(3)]).await;
    cancel_on(&store, 1, vec![dialled(1)]).await;
    cancel_on(&store, 2, vec![message(2, 0)]).await;
    let calls = store.calls().await.unwrap();
    let keys: Vec<_> = calls.iter().map(|call| &call.person.key).collect();
    assert_eq!(keys, [&key(1), &key(3)], "the most urgent first");
    let first = &calls[0];
    assert_eq!(first.number.as_ref().unwrap().expose(), "+4740000001");
    assert_eq!(first.language, Some(Language::Nb));
    assert_eq!(first.office.0, "gronland");
    assert_eq!((first.machines, first.machine_at), (0, None));
    assert_eq!(store.gauges(now()).await.unwrap().call_list_people, 2);
    let reinstated = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![reinstated])).await.unwrap();
    store.sweep(start(3), limits()).await.unwrap();
    assert_eq!(store.calls().await.unwrap(), []);
    assert_eq!(store.gauges(now()).await.unwrap().call_list_people, 0);
}

async fn a_tick_tells_and_stops_what_has_not_left<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_on(&store, 1, vec![message(1, 1), dialled(1)]).await;
    let ticked = store.act(&tick(1, "a")).await.unwrap();
    assert_eq!(ticked.count, 1);
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Superseded, MessageState::Delivered]
    );
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 0);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.told, tally.must_be_phoned, tally.late), (1, 0, 0));
    assert_eq!(store.calls().await.unwrap(), []);
    let again = store.act(&tick(1, "b")).await.unwrap();
    assert_eq!(again.count, 1, "ticked by two is ticked");
    let story = store.explain("B1").await.unwrap().remove(0);
    let line = story.lines.iter().find(|l| l.event == "tick_off").unwrap();
    assert_eq!((line.actor.as_str(), line.at), ("kari", tick(1, "a").at));
    assert_eq!(line.to, Some(MessageState::Delivered));
}

async fn an_answering_machine_tells_nobody<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_on(&store, 1, vec![dialled(1)]).await;
    for name in ["a", "b"] {
        let machine = act(name, Deed::AnsweringMachine(notice(1).reference));
        assert_eq!(store.act(&machine).await.unwrap().count, 1);
    }
    let calls = store.calls().await.unwrap();
    let at = now() + TimeDelta::minutes(10);
    assert_eq!((calls[0].machines, calls[0].machine_at), (2, Some(at)));
    assert_eq!(store.tally(now()).await.unwrap().must_be_phoned, 1);
    let renewed = NewNotice {
        messages: vec![phone_rung(1)],
        ..notice(1)
    };
    let entry = again(&known(&store, 1).await, vec![renewed]);
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.calls().await.unwrap()[0].machines, 2);
    store.act(&tick(1, "c")).await.unwrap();
    let late = act("d", Deed::AnsweringMachine(notice(1).reference));
    assert_eq!(store.act(&late).await.unwrap().count, 0);
    assert_eq!(store.tally(now()).await.unwrap().told, 1);
}

async fn nothing_is_repeated_for_whom_a_call_has_told<S: Store>(store: S) {
    baseline(&store, 2).await;
    for (n, outcome) in [(1, not_sent()), (2, unclear())] {
        cancel_on(&store, n, vec![message(n, 0), dialled(n)]).await;
        let claim = claim_one(&store, &ask(Channel::Sms)).await;
        store.act(&tick(n, &format!("t{n}"))).await.unwrap();
        settle_one(&store, &claim, outcome).await;
    }
    let later = now() + hours(1);
    store.sweep(later, limits()).await.unwrap();
    for n in [1, 2] {
        let first = states(&store, n).await[0];
        // An unknown waits for its quarantine, which runs on the store's own clock.
        let quiet = [MessageState::Superseded, MessageState::Unknown];
        assert!(quiet.contains(&first), "booking {n}: {first}");
    }
    assert_eq!(states(&store, 1).await[0], MessageState::Superseded);
    assert_eq!(store.next_due(Channel::Sms).await.unwrap(), None);
    assert_eq!(store.tally(now()).await.unwrap().told, 2);
}

async fn what_a_node_has_in_hand_is_called_back<S: Store>(store: S) {
    baseline(&store, 3).await;
    for n in [1, 2, 3] {
        cancel_on(&store, n, vec![message(n, 0), dialled(n)]).await;
    }
    let ask = ask(Channel::Sms);
    let claims = store.claim(&ask).await.unwrap();
    let stopped = async || {
        let stopped = store.stopped(&ask.node, &ask.gateway).await.unwrap();
        let of = |a| claims.iter().find(|claim| claim.attempt == a).unwrap();
        let numbers = stopped.into_iter().map(|attempt| of(attempt).message.0);
        numbers.collect::<Vec<_>>()
    };
    let messages: Vec<_> = claims.iter().map(|claim| claim.message.0).collect();
    assert_eq!(stopped().await, Vec::<i64>::new());
    store.act(&tick(1, "a")).await.unwrap();
    assert_eq!(stopped().await, messages[..1], "told by phone");
    let hold = act("hold", Deed::AddHold(HoldOn::Channel(Channel::Sms)));
    store.act(&hold).await.unwrap();
    assert_eq!(stopped().await, messages);
    let others = [("node-b", ask.gateway.as_str()), (&ask.node, "another")];
    for (node, gateway) in others {
        assert_eq!(store.stopped(node, gateway).await.unwrap().len(), 0);
    }
    let id = store.holds().await.unwrap()[0].id;
    store.act(&act("lift", Deed::LiftHold(id))).await.unwrap();
    assert_eq!(stopped().await, messages[..1]);
    for claim in &claims {
        assert!(settle_one(&store, claim, not_sent()).await);
    }
    assert_eq!(stopped().await, Vec::<i64>::new(), "nothing is in hand");
}

async fn a_tick_of_what_is_void_is_kept_and_says_so<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_on(&store, 1, vec![dialled(1)]).await;
    let reinstated = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![reinstated])).await.unwrap();
    let vain = store.act(&tick(1, "a")).await.unwrap();
    assert_eq!(vain.count, 0, "what was told no longer stands");
    assert_eq!(states(&store, 1).await, [MessageState::Superseded]);
    let story = store.explain("B1").await.unwrap().remove(0);
    let line = story.lines.last().unwrap();
    assert_eq!(
        (line.event.as_str(), line.actor.as_str()),
        ("tick_off", "kari")
    );
}

async fn a_tick_written_down_after_the_hour_counts<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_on(&store, 1, vec![dialled(1)]).await;
    let after = start(1) + TimeDelta::minutes(5);
    store.sweep(after, limits()).await.unwrap();
    assert_eq!(states(&store, 1).await, [MessageState::Expired]);
    let ticked = Act {
        at: after,
        ..tick(1, "a")
    };
    assert_eq!(store.act(&ticked).await.unwrap().count, 1);
    let tally = store.tally(after).await.unwrap();
    assert_eq!((tally.told, tally.late, tally.too_late), (1, 1, 0));
}

async fn only_what_stood_on_the_list_is_ticked<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_on(&store, 1, vec![message(1, 0)]).await;
    for reference in [notice(1).reference, Reference::draw(99)] {
        for deed in [Deed::Tick(reference), Deed::AnsweringMachine(reference)] {
            let refused = store.act(&act("a", deed)).await;
            assert!(
                matches!(refused, Err(ActError::NotOnCallList(_))),
                "{refused:?}"
            );
        }
    }
    assert_eq!(
        dialled(1).address,
        Address::Phone(person(1).contact.phone.unwrap())
    );
}
