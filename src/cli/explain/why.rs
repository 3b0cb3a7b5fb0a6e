//! Why a message stands where it stands, in words: what it waits for, and until when.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::cli::moment;
use crate::domain::message::{Channel, MessageBrief, MessageState, Reason};
use crate::store::Course;

/// What the message waits for, or why it was not sent; `None` where its state says everything.
pub(super) fn why(
    message: &MessageBrief,
    course: &Course,
    now: DateTime<Utc>,
    zone: Tz,
) -> Option<String> {
    use MessageState as S;
    let at = |instant| moment::second(instant, zone);
    match message.state {
        S::Ready if message.channel == Channel::Phone => Some(on_the_call_list(message.reason)),
        S::Ready => Some(ready(course, now, zone)),
        S::Held => Some(held(message.reason, course, zone)),
        S::Sending => Some("it is being handed over now".to_owned()),
        S::Accepted => {
            let by = course.report_by?;
            let took = "the gateway took it; its report is awaited until";
            Some(format!("{took} {}", at(by)))
        }
        S::Unknown => Some(format!(
            "nobody knows whether it left{}; once the quarantine is over it is repeated or held",
            because(course)
        )),
        // An earlier hand-over may have succeeded, whatever became of the last.
        S::Failed | S::Expired if message.may_be_out => Some(format!(
            "nobody knows whether it left{}; it is not repeated",
            because(course)
        )),
        S::Failed => Some(format!("it was given up{}", because(course))),
        S::Suppressed => match message.reason {
            Some(Reason::Trial) => Some(
                "the gateway is in trial mode, and the address is not on its list; it is not sent \
                 later either"
                    .to_owned(),
            ),
            Some(Reason::Discarded) => Some("a person discarded its batch".to_owned()),
            _ => None,
        },
        S::Unconfirmed => Some("the gateway took it, and no report came in time".to_owned()),
        S::Delivered | S::Undelivered | S::Superseded | S::Expired => None,
    }
}

fn on_the_call_list(reason: Option<Reason>) -> String {
    let why = match reason {
        Some(Reason::NoContact) => "the source gives neither number nor address",
        Some(Reason::UnusableContact) => "the number or address that is there cannot be used",
        Some(Reason::NotWritable) => {
            "nothing could be written, because the directory or the texts lack its office, service or wording"
        }
        _ => "every other channel ended without telling the person",
    };
    format!("somebody must phone: {why}")
}

fn ready(course: &Course, now: DateTime<Utc>, zone: Tz) -> String {
    let at = |instant| moment::second(instant, zone);
    let tried = course.attempts > 0;
    let last = because(course);
    match (tried, course.not_before > now) {
        (false, true) => format!("the send window opens {}", at(course.not_before)),
        (false, false) => "it may leave now, and is next for its gateway".to_owned(),
        (true, true) => format!(
            "not sent{last}; attempt {} follows {}, and the next channel takes over after {}",
            course.attempts + 1,
            at(course.not_before),
            at(course.give_up_at)
        ),
        (true, false) => format!(
            "not sent{last}; attempt {} may leave now, and is next for its gateway",
            course.attempts + 1
        ),
    }
}

fn held(reason: Option<Reason>, course: &Course, zone: Tz) -> String {
    match (reason, course.held_in) {
        (Some(Reason::Brake), Some(held)) if held.releasing => format!(
            "batch {} is released, and its messages are being written anew",
            held.batch.0
        ),
        (Some(Reason::Brake), Some(held)) => format!(
            "the brake holds batch {} since {}, until a person releases it",
            held.batch.0,
            moment::second(held.since, zone)
        ),
        (Some(Reason::Unknown), _) => format!(
            "nobody knows whether it left{}; it is not repeated by itself",
            because(course)
        ),
        (Some(Reason::Poison), _) => "it keeps taking its sender down".to_owned(),
        _ => "an operator holds it".to_owned(),
    }
}

fn because(course: &Course) -> String {
    let cause = course.cause.as_ref();
    cause.map_or_else(String::new, |cause| format!(" ({cause})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact::Address;
    use crate::domain::message::{MessageId, ToldOn};

    #[test]
    fn what_may_have_left_is_not_called_given_up() {
        let at = DateTime::UNIX_EPOCH;
        let mut message = MessageBrief {
            id: MessageId(1),
            rung: 0,
            channel: Channel::Sms,
            state: MessageState::Failed,
            told_on: ToldOn::Delivered,
            may_be_out: false,
            first_attempt_at: Some(at),
            told_at: None,
            reason: None,
            gateway_key: String::new(),
        };
        let course = Course {
            message: message.id,
            address: Address::None,
            not_before: at,
            give_up_at: at,
            report_by: None,
            attempts: 2,
            cause: Some("HTTP 403".to_owned()),
            held_in: None,
        };
        let why = |message: &MessageBrief| why(message, &course, at, Tz::UTC);
        let given_up = "it was given up (HTTP 403)";
        assert_eq!(why(&message).as_deref(), Some(given_up));
        message.may_be_out = true;
        let unknown = "nobody knows whether it left (HTTP 403); it is not repeated";
        assert_eq!(why(&message).as_deref(), Some(unknown));
        message.state = MessageState::Expired;
        assert_eq!(why(&message).as_deref(), Some(unknown));
        message.may_be_out = false;
        assert_eq!(why(&message), None);
    }
}
