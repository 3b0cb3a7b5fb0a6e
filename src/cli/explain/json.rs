//! The same story for programs.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::why::why;
use super::{by_role, people};
use crate::cli::status::fault_json;
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::message::MessageBrief;
use crate::domain::notice::NoticeBrief;
use crate::domain::verdict::{Guardians, appointment_is_told, verdict, word};
use crate::store::{Fault, Story, StoryLine};

pub(super) fn stories(
    stories: &[Story],
    faults: &[Fault],
    guardians: Guardians,
    now: DateTime<Utc>,
) -> Value {
    if stories.is_empty() {
        let faults: Vec<Value> = faults.iter().map(fault_json).collect();
        return json!([{ "not_understood": faults }]);
    }
    let one = |story: &Story| {
        let own = |fault: &&Fault| {
            (&fault.source, fault.key.as_ref()) == (&story.source, Some(&story.key))
        };
        let mut value = of_story(story, now);
        let words = people(story, now);
        value["told"] = json!(appointment_is_told(&by_role(&words), guardians));
        let faults = faults.iter().filter(own).map(fault_json);
        value["not_understood"] = Value::Array(faults.collect());
        value
    };
    Value::Array(stories.iter().map(one).collect())
}

fn of_story(story: &Story, now: DateTime<Utc>) -> Value {
    json!({
        "source": story.source.0,
        "key": story.key.0,
        "booking": booking_json(&story.state),
        "revision": story.revision,
        "notices": story.notices.iter().map(|n| notice_json(n, story, now)).collect::<Vec<_>>(),
        "history": story.lines.iter().map(line_json).collect::<Vec<_>>(),
    })
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn booking_json(state: &BookingState) -> Value {
    json!({
        "cancelled": state.standing == Standing::Cancelled,
        "start": instant(state.start),
        "office": state.office.0,
    })
}

fn notice_json(notice: &NoticeBrief, story: &Story, now: DateTime<Utc>) -> Value {
    let message = |message: &MessageBrief| {
        let course = story.courses.iter().find(|c| c.message == message.id);
        json!({
            "channel": message.channel.word(),
            "rung": message.rung,
            "state": message.state.word(),
            "reason": message.reason.map(|reason| reason.word()),
            "told_at": message.told_at.map(instant),
            "not_before": course.map(|course| instant(course.not_before)),
            "attempts": course.map(|course| course.attempts),
            "why": course.and_then(|course| why(message, course, now, Tz::UTC)),
        })
    };
    json!({
        "reference": notice.reference.as_str(),
        "purpose": notice.purpose.word(),
        "role": notice.role.to_string(),
        "revision": notice.revision,
        "old": booking_json(&notice.change.old),
        "new": booking_json(&notice.change.new),
        "due_by": instant(notice.due_by),
        "not_after": instant(notice.not_after),
        "superseded": notice.superseded,
        "word": word(notice, now).word(),
        "verdict": verdict(notice).map(|verdict| verdict.word()),
        "messages": notice.messages.iter().map(message).collect::<Vec<_>>(),
    })
}

fn line_json(line: &StoryLine) -> Value {
    json!({
        "at": instant(line.at),
        "actor": line.actor,
        "channel": line.channel.map(|channel| channel.word()),
        "event": line.event,
        "from": line.from.map(|state| state.word()),
        "to": line.to.map(|state| state.word()),
        "detail": line.detail,
    })
}
