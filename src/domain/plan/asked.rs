//! Notices that a person asked for: the invitation of a wave, and the correction of what was wrong.
//! No rule speaks of them: they follow the notice that told the cancellation.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::case::Case;
use super::{Circumstances, Correction, NoPlan, PlannedNotice, Rule, Telling, When, deadlines};
use crate::domain::appointment::Appointment;
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::directory::Office;
use crate::domain::ladder::Ladder;
use crate::domain::message::{Channel, MessageBrief};
use crate::domain::notice::{NoticeBrief, OnUnknown, Purpose};
use crate::domain::recipient::Recipient;

/// The invitation of wave `number` to book again until the end of `until`, on the ladder of the
/// cancellation.
///
/// # Errors
/// [`NoPlan`] says why nobody is invited: the last day to book has passed, or the directory lacks
/// the office or service.
pub fn invite(
    appointment: &Appointment,
    recipient: &Recipient,
    cancellation: &NoticeBrief,
    (number, until): (u32, NaiveDate),
    around: &Circumstances<'_>,
) -> Result<PlannedNotice, NoPlan> {
    let case = Case::new(appointment, recipient, &cancellation.change, around)?;
    let not_after = end_of(until, case.office());
    if not_after <= around.now {
        return Err(NoPlan::Past);
    }
    let rule = Rule {
        services: Vec::new(),
        when: When::Cancelled,
        short_notice: None,
        purpose: Purpose::Rebooking,
        ladder: cancellation.ladder.clone(),
        together: 1,
        on_unknown: OnUnknown::Hold,
    };
    let within = TimeDelta::from_std(around.rules.invitation_within).unwrap_or(TimeDelta::MAX);
    let due_by = around.now.checked_add_signed(within).unwrap_or(not_after);
    let mut telling = case.telling(rule.purpose);
    particulars(&mut telling, not_after, case.office());
    let notice = case.notice(&rule, telling, due_by.min(not_after), not_after);
    Ok(PlannedNotice {
        occasion: number,
        ..notice
    })
}

/// The correction of batch `number`, which said of an appointment that stands as it was that it is
/// cancelled: first on the channels on which that was, or may have been, said.
///
/// # Errors
/// [`NoPlan`] says why nobody is told: the appointment has begun, or the directory lacks the office
/// or service.
pub fn correct(
    appointment: &Appointment,
    recipient: &Recipient,
    change: &Change,
    (number, history): (u32, &[NoticeBrief]),
    around: &Circumstances<'_>,
) -> Result<PlannedNotice, NoPlan> {
    let case = Case::new(appointment, recipient, change, around)?;
    let (due_by, not_after) = deadlines(change);
    if not_after <= around.now {
        return Err(NoPlan::Past);
    }
    let wrong = wrong_words(history, recipient);
    let said = wrong.iter().flat_map(|notice| &notice.messages);
    let said = said.filter(|m: &&MessageBrief| m.may_be_out || m.has_told());
    let mut channels: Vec<Channel> = Vec::new();
    for message in said.filter(|m| m.channel != Channel::Phone) {
        if !channels.contains(&message.channel) {
            channels.push(message.channel);
        }
    }
    let together = channels.len();
    let ladders = wrong.iter().flat_map(|notice| notice.ladder.channels());
    channels.extend(ladders);
    let rule = Rule {
        services: Vec::new(),
        when: When::Reinstated,
        short_notice: None,
        purpose: Purpose::Correction,
        ladder: Ladder::new(&channels),
        together,
        on_unknown: OnUnknown::Retry,
    };
    let mut telling = case.telling(rule.purpose);
    case.remember(&mut telling, history);
    particulars(&mut telling, not_after, case.office());
    Ok(PlannedNotice {
        occasion: number,
        ..case.notice(&rule, telling, due_by, not_after)
    })
}

/// Whether a change takes back a cancellation and nothing else: the appointment stands as it was.
#[must_use]
pub fn stands_as_it_was(change: &Change) -> bool {
    change.kind == ChangeKind::Reinstated
        && change.old.start == change.new.start
        && change.old.office == change.new.office
}

/// What the texts of a wave and of a correction say beside the usual.
pub(super) fn particulars(telling: &mut Telling, not_after: DateTime<Utc>, office: &Office) {
    match telling.purpose {
        Purpose::Rebooking => {
            telling.particulars.book_by = Some(calendar::local_day(not_after, office.zone));
        }
        Purpose::Correction => telling.particulars.correction = Some(Correction::Stands),
        Purpose::Cancellation
        | Purpose::Change
        | Purpose::Reinstatement
        | Purpose::DigitalInvitation => {}
    }
}

/// The cancellations that this person was, or may have been, told.
fn wrong_words<'a>(history: &'a [NoticeBrief], recipient: &Recipient) -> Vec<&'a NoticeBrief> {
    let of_them = |notice: &&NoticeBrief| {
        notice.role == recipient.role
            && notice.change.kind == ChangeKind::Cancelled
            && notice.purpose == Purpose::Cancellation
            && notice.may_have_told()
    };
    // The newest is the one that is taken back.
    history.iter().rev().find(of_them).into_iter().collect()
}

/// The last second of a day at an office.
fn end_of(day: NaiveDate, office: &Office) -> DateTime<Utc> {
    let last = day.and_hms_opt(23, 59, 59);
    last.map_or(DateTime::<Utc>::MAX_UTC, |last| {
        calendar::instant(last, office.zone)
    })
}
