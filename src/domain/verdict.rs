//! How a notice ended, and the one word a person is shown for it.
//!
//! Both are total functions of the notice's messages; docs/STATES.md shows their tables, compared
//! with this code by a test.

use chrono::{DateTime, Utc};

use super::message::{Channel, MessageBrief, MessageState, words};
use super::notice::NoticeBrief;
use super::recipient::Role;

/// How a notice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A report or a tick says that the person was told.
    Delivered,
    /// A gateway took it, and that is enough on this channel.
    Accepted,
    /// A gateway took it, and no report came.
    Unconfirmed,
    /// A report says that it did not arrive.
    Undelivered,
    /// Refused, or not handed over in time.
    Failed,
    /// Handed over perhaps.
    Unknown,
    /// Its time passed before it left.
    Expired,
    /// A newer revision made it void.
    Superseded,
    /// Deliberately not sent.
    Suppressed,
}

words!(Verdict {
    Delivered => "delivered",
    Accepted => "accepted",
    Unconfirmed => "unconfirmed",
    Undelivered => "undelivered",
    Failed => "failed",
    Unknown => "unknown",
    Expired => "expired",
    Superseded => "superseded",
    Suppressed => "suppressed",
});

/// The word for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// The person knows.
    Told,
    /// A rung is still open and there is time.
    Waiting,
    /// Somebody must pick up a phone.
    MustBePhoned,
    /// Rightly not told, with a reason.
    LeftOut,
    /// `due_by` passed and nobody told them: a miss.
    TooLate,
}

words!(Word {
    Told => "told",
    Waiting => "waiting",
    MustBePhoned => "must_be_phoned",
    LeftOut => "left_out",
    TooLate => "too_late",
});

/// The verdict, or `None` while a message is still in motion.
///
/// The best evidence wins: what told the person first, then what may have, then why it did not.
#[must_use]
pub fn verdict(notice: &NoticeBrief) -> Option<Verdict> {
    use MessageState as S;
    let any = |state| notice.messages.iter().any(|m| m.state == state);
    if any(S::Delivered) {
        return Some(Verdict::Delivered);
    }
    if notice
        .messages
        .iter()
        .any(|m| m.state == S::Accepted && m.has_told())
    {
        return Some(Verdict::Accepted);
    }
    if notice
        .messages
        .iter()
        .any(|m| m.state == S::Unconfirmed && m.has_told())
    {
        return Some(Verdict::Unconfirmed);
    }
    let in_motion = [S::Ready, S::Sending, S::Accepted, S::Held];
    if notice.messages.iter().any(|m| in_motion.contains(&m.state)) {
        return None;
    }
    if any(S::Unconfirmed) {
        return Some(Verdict::Unconfirmed);
    }
    // What may have left is neither expired nor failed, whatever became of its last attempt.
    let unsure = |m: &MessageBrief| m.may_be_out && matches!(m.state, S::Expired | S::Failed);
    if notice.messages.iter().any(unsure) {
        return Some(Verdict::Unknown);
    }
    let ranked = [
        (S::Unknown, Verdict::Unknown),
        (S::Expired, Verdict::Expired),
        (S::Undelivered, Verdict::Undelivered),
        (S::Failed, Verdict::Failed),
        (S::Suppressed, Verdict::Suppressed),
        (S::Superseded, Verdict::Superseded),
    ];
    let found = ranked
        .into_iter()
        .find(|(state, _)| any(*state))
        .map(|(_, verdict)| verdict);
    Some(found.unwrap_or(Verdict::Superseded))
}

/// The word of one notice at `now`: the first that fits, in the order of the tally's table.
#[must_use]
pub fn word(notice: &NoticeBrief, now: DateTime<Utc>) -> Word {
    if notice.has_told() {
        return Word::Told;
    }
    if is_left_out(notice) {
        return Word::LeftOut;
    }
    if notice.due_by <= now {
        return Word::TooLate;
    }
    if waits_for_a_call(notice) {
        Word::MustBePhoned
    } else {
        Word::Waiting
    }
}

fn waits_for_a_call(notice: &NoticeBrief) -> bool {
    let open = |m: &MessageBrief| m.channel == Channel::Phone && m.state == MessageState::Ready;
    notice.messages.iter().any(open)
}

/// Whether the person was told, but after `due_by`.
#[must_use]
pub fn told_late(notice: &NoticeBrief) -> bool {
    let told = notice
        .messages
        .iter()
        .filter(|m| m.has_told())
        .filter_map(|m| m.told_at)
        .min();
    told.is_some_and(|at| at > notice.due_by)
}

/// The notice whose word stands for one recipient of one appointment: the newest that is not
/// superseded. Of one revision, one that stands on the call list speaks first, since somebody must
/// act on it; then the notice of the change itself, before an invitation that accompanies it.
/// `None` means that nothing is left to tell: *Left out*.
#[must_use]
pub fn standing_notice(notices: &[NoticeBrief]) -> Option<&NoticeBrief> {
    notices
        .iter()
        .filter(|notice| !notice.superseded)
        .max_by_key(|n| {
            let of_the_change = n.purpose.tells_the_change();
            (n.revision, waits_for_a_call(n), of_the_change, n.id)
        })
}

/// How many guardians of a minor must know before their appointment counts as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guardians {
    /// Every one of them.
    All,
    /// Any one of them. The others are written to all the same.
    Any,
}

words!(Guardians { All => "all", Any => "any" });

/// Whether an appointment counts as told: everybody is who is not rightly left out, and of the
/// guardians as many as must be. One of whom everybody is left out does not count.
#[must_use]
pub fn appointment_is_told(people: &[(&Role, Word)], guardians: Guardians) -> bool {
    let concerned = people.iter().filter(|(_, word)| *word != Word::LeftOut);
    let (parents, others): (Vec<_>, Vec<_>) =
        concerned.partition(|(role, _)| matches!(role, Role::Guardian(_)));
    let told = |(_, word): &&(&Role, Word)| *word == Word::Told;
    let parents_told = match guardians {
        Guardians::All => parents.iter().all(&told),
        Guardians::Any => parents.is_empty() || parents.iter().any(&told),
    };
    !(parents.is_empty() && others.is_empty()) && parents_told && others.iter().all(told)
}

/// The word of one recipient of one appointment with these notices.
#[must_use]
pub fn person_word(notices: &[NoticeBrief], now: DateTime<Utc>) -> Word {
    standing_notice(notices).map_or(Word::LeftOut, |notice| word(notice, now))
}

fn is_left_out(notice: &NoticeBrief) -> bool {
    let quiet = |state| matches!(state, MessageState::Superseded | MessageState::Suppressed);
    notice.superseded || notice.messages.iter().all(|m| quiet(m.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(people: &[(Role, Word)], guardians: Guardians) -> bool {
        let people: Vec<(&Role, Word)> = people.iter().map(|(role, word)| (role, *word)).collect();
        appointment_is_told(&people, guardians)
    }

    fn guardian(key: &str, word: Word) -> (Role, Word) {
        (Role::Guardian(key.to_owned()), word)
    }

    #[test]
    fn a_minors_appointment_is_told_when_as_many_guardians_are_as_must_be() {
        use Word::{LeftOut, MustBePhoned, Told, Waiting};
        let cases: [(&[Word], bool, bool); 6] = [
            (&[Told, Told], true, true),
            (&[Told, Waiting], false, true),
            (&[MustBePhoned, Told], false, true),
            (&[Waiting, MustBePhoned], false, false),
            // Who is rightly left out is not waited for, and tells nobody.
            (&[Told, LeftOut], true, true),
            (&[LeftOut, LeftOut], false, false),
        ];
        for (words, all, any) in cases {
            let each = words.iter().zip(["1", "2"]);
            let people: Vec<_> = each.map(|(word, key)| guardian(key, *word)).collect();
            assert_eq!(told(&people, Guardians::All), all, "{words:?}");
            assert_eq!(told(&people, Guardians::Any), any, "{words:?}");
        }
    }

    #[test]
    fn nobody_else_is_told_by_a_guardian() {
        let people = [
            guardian("1", Word::Told),
            guardian("2", Word::Waiting),
            (Role::Interpreter, Word::Waiting),
        ];
        assert!(!told(&people, Guardians::Any));
        let alone = [(Role::Applicant, Word::Told)];
        assert!(told(&alone, Guardians::All) && told(&alone, Guardians::Any));
    }
}
