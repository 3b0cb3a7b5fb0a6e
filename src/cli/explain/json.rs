//! The same story for programs.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::why::why;
use super::{by_role, people};
use crate::cli::names::Names;
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
    (names, now): (&Names, DateTime<Utc>),
) -> Value {
    let shown = Shown { names, now };
    if stories.is_empty() {
        let faults: Vec<Value> = faults.iter().map(fault_json).collect();
        return json!([{ "not_understood": faults }]);
    }
    let one = |story: &Story| {
        let own = |fault: &&Fault| {
            (&fault.source, fault.key.as_ref()) == (&story.source, Some(&story.key))
        };
        let mut value = shown.story(story);
        let words = people(story, now);
        value["told"] = json!(appointment_is_told(&by_role(&words), guardians));
        let faults = faults.iter().filter(own).map(fault_json);
        value["not_understood"] = Value::Array(faults.collect());
        value
    };
    Value::Array(stories.iter().map(one).collect())
}

/// What every part of it needs: the clocks are those of the people who read it, with their offset.
struct Shown<'a> {
    names: &'a Names,
    now: DateTime<Utc>,
}

impl Shown<'_> {
    fn story(&self, story: &Story) -> Value {
        let notices = story.notices.iter().map(|n| self.notice(n, story));
        json!({
            "source": story.source.0,
            "key": story.key.0,
            "booking": self.booking(&story.state),
            "revision": story.revision,
            "notices": notices.collect::<Vec<_>>(),
            "history": story.lines.iter().map(|line| self.line(line)).collect::<Vec<_>>(),
        })
    }

    fn instant(&self, at: DateTime<Utc>) -> String {
        instant(at, self.names.zone)
    }

    fn booking(&self, state: &BookingState) -> Value {
        json!({
            "cancelled": state.standing == Standing::Cancelled,
            "start": instant(state.start, self.names.zone_of(&state.office)),
            "office": state.office.0,
        })
    }

    fn notice(&self, notice: &NoticeBrief, story: &Story) -> Value {
        let messages = notice.messages.iter().map(|m| self.message(m, story));
        json!({
            "reference": notice.reference.as_str(),
            "purpose": notice.purpose.word(),
            "role": notice.role.to_string(),
            "revision": notice.revision,
            "old": self.booking(&notice.change.old),
            "new": self.booking(&notice.change.new),
            "due_by": self.instant(notice.due_by),
            "not_after": self.instant(notice.not_after),
            "superseded": notice.superseded,
            "word": word(notice, self.now).word(),
            "verdict": verdict(notice).map(|verdict| verdict.word()),
            "messages": messages.collect::<Vec<_>>(),
        })
    }

    fn message(&self, message: &MessageBrief, story: &Story) -> Value {
        let course = story.courses.iter().find(|c| c.message == message.id);
        let zone = self.names.zone;
        json!({
            "channel": message.channel.word(),
            "rung": message.rung,
            "state": message.state.word(),
            "reason": message.reason.map(|reason| reason.word()),
            "told_at": message.told_at.map(|at| self.instant(at)),
            "not_before": course.map(|course| self.instant(course.not_before)),
            "attempts": course.map(|course| course.attempts),
            "why": course.and_then(|course| why(message, course, self.now, zone)),
        })
    }

    fn line(&self, line: &StoryLine) -> Value {
        json!({
            "at": self.instant(line.at),
            "actor": line.actor,
            "channel": line.channel.map(|channel| channel.word()),
            "event": line.event,
            "from": line.from.map(|state| state.word()),
            "to": line.to.map(|state| state.word()),
            "detail": line.detail,
        })
    }
}

fn instant(at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    local.to_rfc3339_opts(SecondsFormat::Millis, true)
}
