//! Values for the contract: one office, one hour, and entries that are told apart by a number.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use varsel::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use varsel::domain::brake::Braked;
use varsel::domain::change::{Change, ChangeKind};
use varsel::domain::contact::{Address, Contact, Email, Phone, Unusable};
use varsel::domain::directory::{DistrictId, OfficeId, ServiceId};
use varsel::domain::ladder::Ladder;
use varsel::domain::language::Language;
use varsel::domain::message::{Channel, Event, MessageState, ToldOn};
use varsel::domain::notice::{OnUnknown, Purpose};
use varsel::domain::outcome::{Blame, Decision, Outcome};
use varsel::domain::plan::RungTime;
use varsel::domain::recipient::{Recipient, Role};
use varsel::domain::reference::Reference;
use varsel::domain::segments::segments;
use varsel::store::{
    Act, Claim, ClaimAsk, Cursor, Deed, Entry, Known, NewBatch, NewMessage, NewNotice, Page,
    Record, Recorded, Report, ReportState, Settled, Settlement, SnapshotMark, Store, SweepLimits,
    UnknownRule,
};

/// The moment at which every law begins: 16 March 2021, 13:00 UTC.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2021, 3, 16, 13, 0, 0).unwrap()
}

pub(crate) fn hours(n: i64) -> TimeDelta {
    TimeDelta::hours(n)
}

pub(crate) fn source() -> SourceName {
    SourceName("register".to_owned())
}

pub(crate) fn key(n: u32) -> BookingKey {
    BookingKey(format!("B{n}"))
}

/// Booking `n` starts `n` hours after a day from now.
pub(crate) fn start(n: u32) -> DateTime<Utc> {
    now() + hours(24 + i64::from(n))
}

pub(crate) fn person(n: u32) -> Recipient {
    Recipient {
        role: Role::Applicant,
        contact: Contact {
            phone: Ok(Phone::from_stored(&format!("+4740{n:06}"))),
            email: Ok(Email::from_stored(&format!("p{n}@example.com"))),
        },
        language: Some(Language::Nb),
    }
}

pub(crate) fn active(n: u32) -> Appointment {
    Appointment {
        source: source(),
        key: key(n),
        state: BookingState {
            standing: Standing::Active,
            start: start(n),
            office: OfficeId("gronland".to_owned()),
        },
        service: ServiceId("passport".to_owned()),
        recipients: vec![person(n)],
        about: varsel::domain::about::About::default(),
    }
}

pub(crate) fn cancelled(n: u32) -> Appointment {
    let mut appointment = active(n);
    appointment.state.standing = Standing::Cancelled;
    appointment
}

pub(crate) fn message(n: u32, rung: u8) -> NewMessage {
    let contact = person(n).contact;
    let channel = [Channel::Sms, Channel::Email, Channel::Phone][usize::from(rung)];
    let text = format!("Timen din er avlyst. Ref {n}.");
    NewMessage {
        rung,
        channel,
        address: contact.address(channel),
        segments: (channel == Channel::Sms).then(|| segments(&text)),
        body: text.into_bytes(),
        sender: "Politiet".to_owned(),
        gateway_key: format!("gk-{n}-{rung}"),
        told_on: match channel {
            Channel::Sms | Channel::Phone => ToldOn::Delivered,
            Channel::Email => ToldOn::Accepted,
        },
        reason: None,
        not_before: now(),
        hours: None,
        open_until: None,
        give_up_at: now() + hours(6),
        last_try: None,
        bundle: None,
    }
}

/// The cancellation of booking `n` on the first rung (sms), revision 1.
pub(crate) fn notice(n: u32) -> NewNotice {
    let (old, new) = (active(n).state, cancelled(n).state);
    NewNotice {
        role: Role::Applicant,
        purpose: Purpose::Cancellation,
        occasion: 0,
        change: Change {
            kind: ChangeKind::Cancelled,
            old,
            new,
        },
        district: DistrictId("oslo".to_owned()),
        office: OfficeId("gronland".to_owned()),
        ladder: Ladder::new(&[Channel::Sms, Channel::Email]),
        on_unknown: OnUnknown::Retry,
        reference: Reference::draw(u64::from(n) * 7 + 11),
        due_by: start(n),
        not_after: start(n),
        promises: false,
        telling: None,
        messages: vec![message(n, 0)],
    }
}

/// Reference and gateway keys of a later notice of booking `n`.
pub(crate) fn renamed(mut notice: NewNotice, salt: u32) -> NewNotice {
    notice.reference = Reference::draw(u64::from(salt) * 1009 + 100_003);
    for message in &mut notice.messages {
        message.gateway_key = format!("{}-{salt}", message.gateway_key);
    }
    notice
}

pub(crate) fn record(entries: Vec<Entry>) -> Record {
    Record {
        source: source(),
        at: now(),
        lease: None,
        snapshot: Some(SnapshotMark {
            rows: 10,
            faults: 0,
        }),
        mapping: None,
        absent: Vec::new(),
        back: Vec::new(),
        entries,
        batch: None,
        faults: None,
    }
}

pub(crate) fn new_booking(n: u32) -> Entry {
    Entry {
        seen: Some(active(n).fingerprint()),
        gone: false,
        appointment: active(n),
        believed: None,
        revision: 0,
        supersede: false,
        rebase: false,
        release: false,
        settled: Vec::new(),
        admitted_by: None,
        notices: Vec::new(),
    }
}

/// A change recorded on what is known.
pub(crate) fn change(known: &Known, to: Appointment, notices: Vec<NewNotice>) -> Entry {
    Entry {
        seen: Some(to.fingerprint()),
        gone: false,
        appointment: to,
        believed: Some(known.believed()),
        revision: known.revision + 1,
        supersede: true,
        rebase: false,
        release: false,
        settled: Vec::new(),
        admitted_by: None,
        notices,
    }
}

/// The same revision once more: a refresh, a release or a climb.
pub(crate) fn again(known: &Known, notices: Vec<NewNotice>) -> Entry {
    Entry {
        appointment: known.appointment.clone(),
        seen: None,
        gone: false,
        believed: Some(known.believed()),
        revision: known.revision,
        supersede: false,
        rebase: false,
        release: false,
        settled: Vec::new(),
        admitted_by: None,
        notices,
    }
}

pub(crate) async fn known<S: Store>(store: &S, n: u32) -> Known {
    let mut known = store.known(&source(), &[key(n)]).await.unwrap();
    known.pop().expect("the booking was recorded")
}

/// Bookings `1..=n`, known from the baseline.
pub(crate) async fn baseline<S: Store>(store: &S, n: u32) {
    let entries = (1..=n).map(new_booking).collect();
    let recorded = store.record(record(entries)).await.unwrap();
    assert_eq!((recorded.written, recorded.conflicts.len()), (n, 0));
}

/// Cancels bookings with these notices.
pub(crate) async fn cancel_with<S: Store>(
    store: &S,
    notices: Vec<(u32, NewNotice)>,
    batch: Option<NewBatch>,
) -> Recorded {
    let mut entries = Vec::new();
    for (n, notice) in notices {
        entries.push(change(&known(store, n).await, cancelled(n), vec![notice]));
    }
    let record = Record {
        batch,
        ..record(entries)
    };
    store.record(record).await.unwrap()
}

/// Baseline of `n` bookings, all of them then cancelled with an SMS each.
pub(crate) async fn cancel<S: Store>(store: &S, n: u32) -> Recorded {
    baseline(store, n).await;
    let notices = (1..=n).map(|n| (n, notice(n))).collect();
    cancel_with(store, notices, None).await
}

pub(crate) fn brake(n: u32) -> Option<NewBatch> {
    Some(NewBatch {
        braked: Braked::TooMany,
        changes: n,
        known: n,
    })
}

pub(crate) fn ask(channel: Channel) -> ClaimAsk {
    ClaimAsk {
        channel,
        gateway: "sandbox".to_owned(),
        node: "node-a".to_owned(),
        limit: 100,
        lease: Duration::from_secs(60),
        now: now(),
        remembered: None,
        nonce: 0xab_cd,
        rate: None,
        unknowns: UnknownRule::default(),
    }
}

/// Claims whose lease is over at once.
pub(crate) fn ask_briefly() -> ClaimAsk {
    ClaimAsk {
        lease: Duration::ZERO,
        ..ask(Channel::Sms)
    }
}

/// Claims exactly one SMS.
pub(crate) async fn claim_one<S: Store>(store: &S, ask: &ClaimAsk) -> Claim {
    let mut claims = store.claim(ask).await.unwrap();
    assert_eq!(claims.len(), 1, "exactly one message may leave");
    claims.remove(0)
}

pub(crate) fn settle(claim: &Claim, outcome: Outcome) -> Settlement {
    let at = now() + TimeDelta::minutes(1);
    let plain = |event| Decision {
        event,
        not_before: None,
        report_by: None,
        reason: None,
    };
    let decision = match &outcome {
        Outcome::Accepted { .. } => Decision {
            report_by: Some(now() + hours(2)),
            ..plain(Event::Accepted)
        },
        Outcome::NotSent { .. } => Decision {
            not_before: Some(now() + TimeDelta::minutes(5)),
            ..plain(Event::NotSent)
        },
        Outcome::Refused { .. } => plain(Event::Refused),
        Outcome::Unknown { .. } => plain(Event::Unclear),
        Outcome::Withheld(reason) => Decision {
            reason: Some(*reason),
            ..plain(Event::Suppress)
        },
    };
    Settlement {
        message: claim.message,
        attempt: claim.attempt,
        fence: claim.fence,
        outcome,
        decision,
        at,
    }
}

pub(crate) fn accepted() -> Outcome {
    Outcome::Accepted {
        gateway_id: Some("77".to_owned()),
    }
}

pub(crate) fn not_sent() -> Outcome {
    Outcome::NotSent {
        cause: "connection refused".to_owned(),
        retry_after: None,
        blame: Blame::Gateway,
    }
}

pub(crate) fn refused() -> Outcome {
    Outcome::Refused {
        cause: "400 bad number".to_owned(),
    }
}

pub(crate) fn unclear() -> Outcome {
    Outcome::Unknown {
        cause: "connection reset".to_owned(),
    }
}

/// Settles one claim and says whether the message moved.
pub(crate) async fn settle_one<S: Store>(store: &S, claim: &Claim, outcome: Outcome) -> bool {
    let settled = store.settle(&[settle(claim, outcome)]).await.unwrap();
    settled == [Settled::Moved]
}

pub(crate) fn report(claim: &Claim, state: ReportState) -> Report {
    Report {
        attempt: claim.attempt,
        nonce: claim.nonce,
        state,
        detail: "dlr".to_owned(),
        at: now() + TimeDelta::minutes(3),
    }
}

/// The first bookings.
pub(crate) fn page(limit: u32) -> Page {
    Page {
        after: Cursor::default(),
        limit,
    }
}

/// The bounds of a sweep.
pub(crate) fn limits() -> SweepLimits {
    SweepLimits {
        batch: 100,
        parked: Duration::from_secs(48 * 3600),
        canary_wait: Duration::from_secs(600),
        rung_time: RungTime {
            share: 0.25,
            least: Duration::from_secs(600),
            most: Duration::from_secs(24 * 3600),
        },
        quiet_reserve: Duration::from_secs(3 * 3600),
        tried_since: None,
    }
}

/// Claims whose lease is over at once, and whose unknowns are resolved so long after that.
pub(crate) fn ask_patiently(quarantine_seconds: u64) -> ClaimAsk {
    let quarantine = Duration::from_secs(quarantine_seconds);
    ClaimAsk {
        unknowns: UnknownRule {
            quarantine,
            ..UnknownRule::default()
        },
        ..ask_briefly()
    }
}

/// The state of the only message of booking `n`'s newest notice.
pub(crate) async fn state<S: Store>(store: &S, n: u32) -> MessageState {
    let known = known(store, n).await;
    let notice = known.notices.last().expect("it has a notice");
    assert_eq!(notice.messages.len(), 1);
    notice.messages[0].state
}

pub(crate) fn act(key: &str, deed: Deed) -> Act {
    Act {
        actor: "kari".to_owned(),
        reason: "checked with the register".to_owned(),
        idempotency_key: key.to_owned(),
        at: now() + TimeDelta::minutes(10),
        deed,
    }
}

pub(crate) fn without_contact(mut appointment: Appointment) -> Appointment {
    appointment.recipients[0].contact = Contact {
        phone: Err(Unusable::Missing),
        email: Err(Unusable::Invalid),
    };
    appointment
}

pub(crate) fn phone_rung(n: u32) -> NewMessage {
    NewMessage {
        address: Address::None,
        reason: Some(varsel::domain::message::Reason::NoContact),
        ..message(n, 2)
    }
}
