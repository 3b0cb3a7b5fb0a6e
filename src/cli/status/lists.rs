//! What `status` names beside the figures: who must be phoned, and what is not understood.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::cli::names::Names;
use crate::cli::{moment, out};
use crate::domain::change::ChangeKind;
use crate::domain::language::Language;
use crate::domain::message::MessageState;
use crate::store::{Fault, MustBePhoned, ToPhone, Unclear};

/// People named on the screen; programs are told all of them.
pub(super) const PEOPLE_NAMED: u32 = 10;
/// Values named on the screen.
const FAULTS_NAMED: usize = 5;

/// The people who must be phoned, the most urgent first.
pub(super) fn phoned(list: &MustBePhoned, names: &Names) -> Vec<String> {
    if list.people == 0 {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        out::styled(out::BOLD, "Must be phoned, the first deadline first"),
    ];
    for person in &list.first {
        lines.extend(phone_lines(person, names));
    }
    let shown = u32::try_from(list.first.len()).unwrap_or(u32::MAX);
    if let Some(more) = list.people.checked_sub(shown).filter(|more| *more > 0) {
        lines.push(format!("  and {} more; --json names all", out::count(more)));
    }
    lines
}

fn phone_lines(person: &ToPhone, names: &Names) -> [String; 3] {
    let change = &person.change;
    let what = match change.kind {
        ChangeKind::Cancelled => "cancelled".to_owned(),
        ChangeKind::Moved { .. } => format!("moved to {}", names.place(&change.new)),
        ChangeKind::Reinstated => "stands after all".to_owned(),
    };
    let phone = person.phone.as_deref().unwrap_or("no number");
    let why: Vec<&str> = person.why.iter().map(|w| w.said(Language::En)).collect();
    let zone = names.zone_of(&change.old.office);
    [
        format!(
            "  {}, {}: {what}",
            names.place(&change.old),
            names.service(&person.service)
        ),
        format!(
            "    {}/{} · {} · {} · {phone} · tell before {}",
            person.source,
            person.key,
            person.reference,
            person.role,
            moment::minute(person.due_by, zone),
        ),
        format!("    {}", out::styled(out::BAD, why.join(". "))),
    ]
}

/// The messages of which nobody knows whether their gateway has them, the most urgent first.
pub(super) fn unclear(first: &[Unclear], all: u32, names: &Names) -> Vec<String> {
    if first.is_empty() {
        return Vec::new();
    }
    let heading = "Not known whether their gateway has them, the first deadline first";
    let mut lines = vec![String::new(), out::styled(out::NOTE, heading)];
    for message in first {
        let gateway = message.gateway.as_deref().unwrap_or("no gateway");
        let attempts = out::plural(message.attempts as usize, "attempt");
        let (source, key) = (&message.source, &message.key);
        let by = moment::minute(message.due_by, names.zone);
        let next = next_of(message);
        lines.push(format!(
            "  {source}/{key} · {} through {gateway} · {attempts} · tell before {by} · {next}",
            message.channel,
        ));
    }
    let shown = u32::try_from(first.len()).unwrap_or(u32::MAX);
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        lines.push(format!("  and {} more; --json names all", out::count(more)));
    }
    lines
}

/// What becomes of it.
fn next_of(message: &Unclear) -> &'static str {
    match message.state {
        MessageState::Held => "is not sent again",
        _ => "is being found out",
    }
}

pub(super) fn unclear_json(message: &Unclear) -> Value {
    json!({
        "source": message.source.0,
        "key": message.key.0,
        "reference": message.reference.as_ref().map(|r| r.as_str()),
        "channel": message.channel.word(),
        "gateway": message.gateway,
        "attempts": message.attempts,
        "settled": message.state == MessageState::Held,
        "due_by": message.due_by.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

/// What the sources say that is not understood, and where to read more.
pub(super) fn not_understood(faults: &[Fault], names: &Names) -> Vec<String> {
    if faults.is_empty() {
        return Vec::new();
    }
    let count = out::plural(faults.len(), "value");
    let are = if faults.len() == 1 { "is" } else { "are" };
    let heading = format!("{count} of the sources {are} not understood; the old state is kept");
    let mut lines = vec![String::new(), out::styled(out::NOTE, heading)];
    for fault in faults.iter().take(FAULTS_NAMED) {
        lines.push(format!("  {}", fault_line(fault, names)));
    }
    let more = faults.len().saturating_sub(FAULTS_NAMED);
    if more > 0 {
        lines.push(format!("  and {more} more; --json names all"));
    }
    if let Some(fault) = faults.iter().find(|fault| fault.key.is_some()) {
        lines.push(format!(
            "  \"explain {}\" says what was told of it",
            row(fault)
        ));
    }
    lines
}

/// "oslo/4711, column status: "avlyst?" is not known: …, since Tue 16 Mar 2021 14:02".
pub(in crate::cli) fn fault_line(fault: &Fault, names: &Names) -> String {
    format!(
        "{}, column {}: {}, since {}",
        row(fault),
        fault.column,
        fault.problem,
        moment::minute(fault.since, names.zone)
    )
}

fn row(fault: &Fault) -> String {
    match &fault.key {
        Some(key) => format!("{}/{key}", fault.source),
        None => format!("{}, a row without a key", fault.source),
    }
}

pub(super) fn phoned_json(list: &MustBePhoned) -> Value {
    let instant = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let person = |person: &ToPhone| {
        json!({
            "source": person.source.0,
            "key": person.key.0,
            "role": person.role.to_string(),
            "reference": person.reference.as_str(),
            "purpose": person.purpose.word(),
            "office": person.change.old.office.0,
            "service": person.service.0,
            "start": instant(person.change.old.start),
            "due_by": instant(person.due_by),
            "phone": person.phone,
            "why": person.why.iter().map(|w| w.said(Language::En)).collect::<Vec<_>>(),
        })
    };
    Value::Array(list.first.iter().map(person).collect())
}

pub(in crate::cli) fn fault_json(fault: &Fault) -> Value {
    json!({
        "source": fault.source.0,
        "key": fault.key.as_ref().map(|key| &key.0),
        "column": fault.column,
        "problem": fault.problem,
        "since": fault.since.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}
