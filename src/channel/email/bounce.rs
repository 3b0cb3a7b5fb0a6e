//! What a mail that came back says: delivery status notifications (RFC 3464), and everything that is
//! none. Pure.
//!
//! Whether the mail is about one of ours was decided before, by the token in the address it came to.
//! Only the fields made for machines are read: nothing is guessed from prose, and no word of the
//! mail is kept, since it may name a person.

mod fields;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders};

use self::fields::{Action, RecipientStatus};
use super::outcome::meaning;
use super::reply::Enhanced;
use crate::domain::outcome::ReportState;

/// What a mail to a bounce address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// A notification: what it says of the mail we sent, and its code in words.
    Report(ReportState, String),
    /// No notification, or none about a mail of ours: an automatic reply, a person's answer, a
    /// bounce of somebody else's mail. It says nothing.
    NoBounce,
}

/// Reads a mail that came to a bounce address.
#[must_use]
pub fn read_returned(mail: &[u8]) -> Returned {
    let Some(mail) = MessageParser::default().parse(mail) else {
        return Returned::NoBounce;
    };
    let status = delivery_status(&mail).filter(|_| may_be_about_ours(&mail));
    let recipients = status.map(|part| fields::recipients(part.contents()));
    let Some(said) = recipients.as_deref().and_then(weigh) else {
        return Returned::NoBounce;
    };
    let state = match said.action {
        Action::Failed => ReportState::Undelivered,
        Action::Delivered => ReportState::Delivered,
        Action::Delayed | Action::PassedOn => ReportState::Progress,
    };
    Returned::Report(state, words(said))
}

/// The part for machines: a child of a `multipart/report` (RFC 6522), never one inside a mail that
/// somebody passed on. Its type may be the internationalised one (RFC 6533).
fn delivery_status<'a>(mail: &'a Message<'a>) -> Option<&'a MessagePart<'a>> {
    let is_report = is_of_type(mail.root_part(), "multipart", &["report"]);
    let children = mail.root_part().sub_parts().unwrap_or_default();
    let mut parts = children.iter().filter_map(|id| mail.part(*id));
    let types = ["delivery-status", "global-delivery-status"];
    parts
        .find(|part| is_of_type(part, "message", &types))
        .filter(|_| is_report)
}

fn is_of_type(part: &MessagePart<'_>, main: &str, sub: &[&str]) -> bool {
    part.content_type().is_some_and(|found| {
        let of_sub = |name: &str| sub.iter().any(|sub| sub.eq_ignore_ascii_case(name));
        found.ctype().eq_ignore_ascii_case(main) && found.subtype().is_some_and(of_sub)
    })
}

/// How our Message-IDs begin.
const OUR_MESSAGE_IDS: &str = "v1.";

/// Whether the mail that is returned may be ours: where its Message-ID is shown, it is of our form.
/// Spam that was sent in the name of one of our bounce addresses has another.
fn may_be_about_ours(mail: &Message<'_>) -> bool {
    let children = mail.root_part().sub_parts().unwrap_or_default();
    let parts = children.iter().filter_map(|id| mail.part(*id));
    let mut shown = parts.filter_map(returned_id);
    shown.all(|id| id.starts_with(OUR_MESSAGE_IDS))
}

/// The Message-ID of a mail that is returned whole, or by its headers (RFC 6522, 3).
fn returned_id(part: &MessagePart<'_>) -> Option<String> {
    let headers = is_of_type(part, "text", &["rfc822-headers"]);
    if let Some(message) = part.message() {
        return message.message_id().map(str::to_owned);
    }
    let parsed = MessageParser::default().parse_headers(part.contents());
    parsed?.message_id().filter(|_| headers).map(str::to_owned)
}

/// One mail goes to one person. Where a list or a forwarding made several of it, one that arrived
/// counts most, then one that failed, then news of the way.
fn weigh(recipients: &[RecipientStatus]) -> Option<&RecipientStatus> {
    recipients.iter().min_by_key(|said| match said.action {
        Action::Delivered => 0,
        Action::Failed => 1,
        Action::Delayed => 2,
        Action::PassedOn => 3,
    })
}

/// The code and what it means, such as `5.1.1: no such mailbox`. The fields' own texts stay out.
fn words(said: &RecipientStatus) -> String {
    match said.code {
        Some(code @ Enhanced(_, subject, detail)) if (subject, detail) != (0, 0) => {
            format!("{code}{}", meaning(code))
        }
        Some(_) | None if said.action == Action::Failed => "the reason is not told".to_owned(),
        Some(_) | None => String::new(),
    }
}
