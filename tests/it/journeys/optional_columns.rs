//! What few sources say: whom not to write to, who stands in for a minor, and who cancelled.

use varsel::domain::closing::NextStep;
use varsel::domain::message::Reason;
use varsel::domain::recipient::Role;
use varsel::domain::verdict::Guardians;
use varsel::domain::why_phoned::WhyPhoned;
use varsel::store::Desk;

use crate::support::gateway::Behaviour;
use crate::support::world::{Booking, World, passport, residence};

/// A world whose source says this of booking `b1` too; `b2` is an ordinary one.
async fn saying(columns: &str) -> World {
    saying_of(columns, &passport("b1")).await
}

async fn saying_of(columns: &str, booking: &Booking) -> World {
    let mut world = World::with(&[booking.clone(), passport("b2")]).await;
    let query =
        format!("SELECT * FROM bookings LEFT JOIN (SELECT 'b1' AS one, {columns}) ON one = id");
    world.map_otherwise(|settings| settings.query = query).await;
    world.look().await;
    world
}

async fn cancelled(world: &mut World) {
    for id in ["b1", "b2"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
}

async fn why(world: &World) -> Vec<WhyPhoned> {
    let calls = world.store.calls().await.unwrap();
    assert_eq!(calls.len(), 1, "one person is called");
    assert_eq!(calls[0].person.key.0, "b1");
    calls[0].person.why.clone()
}

#[tokio::test]
async fn nothing_is_written_to_a_protected_person() {
    let mut world = saying("1 AS protected").await;
    cancelled(&mut world).await;
    assert_eq!(world.sms.taken().len(), 1, "only the other one");
    assert!(world.mail.taken().is_empty());
    assert_eq!(why(&world).await, [WhyPhoned::Protected]);
    assert_eq!(world.word("b1").await, "must_be_phoned");
    assert_eq!(world.reason("b1").await, Reason::Protected.word());
}

#[tokio::test]
async fn nothing_is_written_to_who_is_not_to_be_contacted_not_even_on_a_later_rung() {
    let mut world = saying("'yes' AS do_not_contact").await;
    cancelled(&mut world).await;
    world.tend().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
    assert!(world.mail.taken().is_empty());
    assert_eq!(why(&world).await, [WhyPhoned::DoNotContact]);
}

#[tokio::test]
async fn who_becomes_protected_while_the_message_waits_is_called() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    let query = "SELECT *, id = 'b1' AS protected FROM bookings".to_owned();
    world.map_otherwise(|settings| settings.query = query).await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(why(&world).await, [WhyPhoned::Protected]);
}

#[tokio::test]
async fn protection_is_not_lost_with_the_data_that_a_cancellation_erases() {
    let mut world =
        saying("status <> 'cancelled' AS protected FROM bookings WHERE id = 'b1'").await;
    world.set("b1", "phone", "").await;
    cancelled(&mut world).await;
    assert_eq!(world.sms.taken().len(), 1, "only the other one");
    assert_eq!(why(&world).await, [WhyPhoned::Protected]);
}

#[tokio::test]
async fn each_guardian_of_a_minor_is_told_for_themself() {
    let mut world = saying(
        "'2014-05-01' AS born, '40 00 00 07' AS guardian_phone, '40 00 00 08' AS guardian2_phone",
    )
    .await;
    cancelled(&mut world).await;
    let to: Vec<_> = world.sms.taken().iter().map(|sms| sms.to.clone()).collect();
    assert_eq!(to.len(), 3, "both, and the other booking: {to:?}");
    for guardian in ["+4740000007", "+4740000008"] {
        assert!(to.iter().any(|to| to == guardian), "{to:?}");
    }
    let story = world.story("b1").await;
    let roles: Vec<_> = story
        .notices
        .iter()
        .map(|notice| notice.role.clone())
        .collect();
    let guardian = |key: &str| Role::Guardian(key.to_owned());
    assert_eq!(roles, [guardian("1"), guardian("2")]);
    let references: Vec<_> = story
        .notices
        .iter()
        .map(|notice| notice.reference)
        .collect();
    assert_ne!(
        references[0], references[1],
        "each has a notice of their own"
    );
    assert_eq!(world.tally().await.people(), 3);
}

/// Two parents may not have a language in common.
#[tokio::test]
async fn each_guardian_is_told_in_a_language_of_their_own() {
    let mut world = saying(
        "'2014-05-01' AS born, '40 00 00 07' AS guardian_phone, '40 00 00 08' AS guardian2_phone,
         'en' AS guardian_language, 'fluent' AS guardian2_language",
    )
    .await;
    for id in ["b1", "b2"] {
        world.set(id, "status", "cancelled").await;
    }
    let step = world.look().await;
    let faults: Vec<_> = step.faults.iter().map(|f| f.column.as_str()).collect();
    assert_eq!(faults, ["guardian2_language"], "and the row's is used");
    world.send().await;
    for (to, first) in [("+4740000007", "Cancelled:"), ("+4740000008", "Avlyst:")] {
        let taken = world.sms.taken();
        let sms = taken.iter().find(|sms| sms.to == to).unwrap();
        assert!(sms.text.starts_with(first), "{}", sms.text);
    }
}

#[tokio::test]
async fn guardians_with_one_telephone_get_one_message_and_both_are_told() {
    let mut world = saying(
        "'2014-05-01' AS born, '40 00 00 07' AS guardian_phone, '+47 40000007' AS guardian2_phone",
    )
    .await;
    cancelled(&mut world).await;
    let taken = world.sms.taken();
    let theirs = taken.iter().filter(|sms| sms.to == "+4740000007");
    assert_eq!(theirs.count(), 1, "{taken:?}");
    world.report_all_delivered().await;
    let tally = world.tally().await;
    assert_eq!((tally.told, tally.sms), (3, 2), "two guardians, and b2");
    assert_eq!(tally.appointments_told(Guardians::All), 2);
}

/// Two children of one mother, on one day: each child's mail and message speak of that child alone.
#[tokio::test]
async fn a_guardian_of_two_children_never_reads_one_childs_data_in_the_others_message() {
    let child = |id, start, office| Booking {
        start,
        office,
        ..passport(id)
    };
    let mut world = World::with(&[
        child("b1", "2021-03-24 09:20", "gronland"),
        child("b2", "2021-03-25 11:10", "furuset"),
    ])
    .await;
    let query = "SELECT *, '2014-05-01' AS born, '40 00 00 07' AS guardian_phone,
                   'kari@example.com' AS guardian_email FROM bookings";
    world
        .map_otherwise(|settings| settings.query = query.to_owned())
        .await;
    world.look().await;
    world.sms.behave(Behaviour::Answer(422));
    cancelled(&mut world).await;
    world.tend().await;
    world.send().await;
    let sms: Vec<String> = world.sms.taken().into_iter().map(|sms| sms.text).collect();
    let mails = world.mail.taken();
    assert_eq!(mails.len(), 2, "an e-mail for each child");
    let mails = mails.iter().map(|mail| mail.text());
    let texts: Vec<String> = sms.into_iter().chain(mails).collect();
    for (own, other) in [
        (["24. mars", "Grønland"], ["25. mars", "Furuset"]),
        (["25. mars", "Furuset"], ["24. mars", "Grønland"]),
    ] {
        let of_it = texts.iter().filter(|text| text.contains(own[0]));
        let of_it: Vec<&String> = of_it.collect();
        assert!(!of_it.is_empty(), "{texts:#?}");
        for text in of_it {
            assert!(text.contains(own[1]), "{text}");
            assert!(!other.iter().any(|word| text.contains(word)), "{text}");
        }
    }
    let mut seen = Vec::new();
    for id in ["b1", "b2"] {
        let notice = world.story(id).await.notices[0].reference;
        assert!(texts.iter().any(|text| text.contains(notice.as_str())));
        seen.push(notice);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn an_adult_is_told_themself_whatever_guardians_are_there() {
    let mut world = saying("'2003-03-24' AS born, '40 00 00 07' AS guardian_phone").await;
    cancelled(&mut world).await;
    let known = world.story("b1").await;
    assert_eq!(
        known.notices[0].role,
        Role::Applicant,
        "18 on the day of the appointment"
    );
}

#[tokio::test]
async fn what_people_cancelled_themselves_is_told_only_where_that_is_wanted() {
    for tell_own in [false, true] {
        let mut world = saying("'person' AS changed_by").await;
        if tell_own {
            world.tell_own().await;
        }
        cancelled(&mut world).await;
        assert_eq!(world.sms.taken().len(), 1 + usize::from(tell_own));
        let told = world.story("b1").await.notices.len();
        assert_eq!(told, usize::from(tell_own), "nothing was decided");
    }
}

#[tokio::test]
async fn an_interpreter_is_told_beside_the_applicant_and_a_role_is_kept() {
    let mut world = saying("'representative' AS role, '40 00 00 09' AS interpreter_phone").await;
    cancelled(&mut world).await;
    let story = world.story("b1").await;
    let roles: Vec<_> = story
        .notices
        .iter()
        .map(|notice| notice.role.clone())
        .collect();
    assert_eq!(roles, [Role::Representative, Role::Interpreter]);
}

/// The text is whole without the day, and a person must not come in vain for the sake of it.
#[tokio::test]
async fn a_day_that_is_none_is_told_beside_the_cancellation() {
    let mut world = saying("'soon' AS choose_by").await;
    world.set("b1", "status", "cancelled").await;
    let step = world.look().await;
    let faults: Vec<_> = step.faults.iter().map(|f| f.column.as_str()).collect();
    assert_eq!(faults, ["choose_by"]);
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
}

/// Whoever cannot submit online for technical reasons is given the information line, not the way online.
#[tokio::test]
async fn whoever_cannot_submit_online_is_given_the_information_line() {
    for (obstacle, online) in [("0", true), ("1", false)] {
        let columns = format!("{obstacle} AS obstacle");
        let mut world = saying_of(&columns, &residence("b1")).await;
        cancelled(&mut world).await;
        let mails = world.mail.taken();
        let text = mails[0].text();
        assert_eq!(
            text.contains("For technical reasons your application"),
            !online,
            "{text}"
        );
        assert_eq!(text.contains("1. "), online, "{text}");
    }
}

#[tokio::test]
async fn where_nobody_knows_who_cancelled_the_text_says_so() {
    let mut world = saying("'unknown' AS changed_by").await;
    cancelled(&mut world).await;
    let taken = world.sms.taken();
    let asks = taken
        .iter()
        .filter(|sms| sms.text.contains("Avbestilte du selv?"));
    assert_eq!(asks.count(), 1, "{taken:?}");
}

/// TEXTS S20: the office cancels, and asks the person to choose a new time.
#[tokio::test]
async fn who_is_asked_to_choose_a_new_time_reads_by_when() {
    let mut world = saying("'2021-04-16' AS choose_by").await;
    world.announce(NextStep::WeInvite).await;
    cancelled(&mut world).await;
    let texts: Vec<String> = world.sms.taken().into_iter().map(|sms| sms.text).collect();
    let asked = "Velg ny på nettsidene våre eller ring 00 00 00 00 innen 16. april.";
    let asked = texts.iter().filter(|text| text.contains(asked));
    assert_eq!(asked.count(), 1, "{texts:#?}");
    let promised = world.store.commitments().await.unwrap();
    let promised: Vec<_> = promised.iter().map(|one| one.key.0.as_str()).collect();
    assert_eq!(
        promised,
        ["b2"],
        "who may choose at once was promised nothing"
    );
    // What stands is no request, and a day that has passed is not named.
    let mut world = saying("'2021-03-15' AS choose_by").await;
    cancelled(&mut world).await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(
        taken.iter().all(|sms| !sms.text.contains("innen")),
        "{taken:?}"
    );
}

#[tokio::test]
async fn what_is_not_understood_keeps_the_old_state_and_is_not_repeated() {
    for columns in [
        "'14.05.01' AS born",
        "'maybe' AS protected",
        "'perhaps' AS obstacle",
        "'mother' AS role",
    ] {
        let mut world = saying(columns).await;
        world.set("b1", "status", "cancelled").await;
        let step = world.look().await;
        assert_eq!(step.faults.len(), 1, "{columns}");
        assert!(
            !step.faults[0].problem.contains("14.05"),
            "{}",
            step.faults[0]
        );
        world.send().await;
        assert!(world.sms.taken().is_empty(), "{columns}");
    }
}

#[tokio::test]
async fn one_of_two_guardians_is_enough_where_the_rules_say_so() {
    let mut world = saying(
        "'2014-05-01' AS born, '40 00 00 07' AS guardian_phone, '40 00 00 08' AS guardian2_phone",
    )
    .await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    // Only the first one's telephone says that it arrived.
    let taken = world.sms.taken();
    let first = taken.iter().find(|sms| sms.to.ends_with("07")).unwrap();
    let token = first.callback_url.rsplit('/').next().unwrap().to_owned();
    world.report(&token, "delivered").await;
    let tally = world.tally().await;
    assert_eq!((tally.appointments, tally.told, tally.waiting), (1, 1, 1));
    assert_eq!(tally.appointments_told(Guardians::All), 0);
    assert_eq!(tally.appointments_told(Guardians::Any), 1);
    let told = world.verb(&["explain", "register/b1"]);
    assert!(
        told.contains("counts as not told: every guardian is to know"),
        "{told}"
    );
    let counted = world.verb(&["status"]);
    assert!(
        counted.contains("0 told (every guardian knows)"),
        "{counted}"
    );
}
