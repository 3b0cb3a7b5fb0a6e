//! What somebody must be told of, beside the people with appointments: what stands still until a
//! person acts, and what may make people miss.
//!
//! An alarm holds figures, names of the configuration and numbers of batches; never anything of a
//! person.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::appointment::SourceName;
use super::calendar;
use super::language::Language;
use super::message::words;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// People stand on the call list.
    CallList,
    /// The brake holds a batch.
    HeldBatch,
    /// A person has stopped something and not lifted it.
    OperatorHold,
    /// People are not told, and their deadline is near.
    Untold,
    /// A gateway is left alone.
    GatewayPaused,
    /// A booking system is not read.
    SourceStale,
    /// A booking system shows what the mapping does not know.
    UnknownWords,
    /// A node sends nothing, since the store is not the one that it remembers.
    Locked,
    /// Our own database, or the journal beside it, cannot be used.
    Store,
}

words!(AlarmKind {
    CallList => "call_list",
    HeldBatch => "held_batch",
    OperatorHold => "operator_hold",
    Untold => "untold",
    GatewayPaused => "gateway_paused",
    SourceStale => "source_stale",
    UnknownWords => "unknown_words",
    Locked => "locked",
    Store => "store",
});

/// How soon somebody must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// In working hours.
    Warning,
    /// Now: people will miss what they should be told.
    Urgent,
}

words!(Severity { Warning => "warning", Urgent => "urgent" });

impl AlarmKind {
    /// How soon somebody must look.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::OperatorHold | Self::UnknownWords => Severity::Warning,
            Self::CallList
            | Self::HeldBatch
            | Self::Untold
            | Self::GatewayPaused
            | Self::SourceStale
            | Self::Locked
            | Self::Store => Severity::Urgent,
        }
    }

    /// Whether each node sees its own: the others say nothing of it.
    #[must_use]
    pub fn is_of_a_node(self) -> bool {
        matches!(self, Self::GatewayPaused | Self::Locked | Self::Store)
    }
}

/// The number of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmId(pub i64);

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concern {
    /// What it is about.
    pub kind: AlarmKind,
    /// Which one of its kind: a batch, a gateway, a source; empty where there is only one.
    pub subject: String,
    /// What is wrong and what to do, in one or two sentences.
    pub text: String,
    /// How much of it there is, where it is counted; else 0. Somebody who knows of it knows of no more.
    pub amount: u32,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub id: AlarmId,
    /// What is wrong.
    pub concern: Concern,
    /// The node that sees it; empty where all see the same.
    pub node: String,
    /// Since when, in domain time.
    pub since: DateTime<Utc>,
    /// How often somebody was told.
    pub told: u32,
    /// Who has said that they know, and when. It is told no more until there is more of it than they
    /// know of, or it ends and comes again.
    pub acknowledged: Option<(String, DateTime<Utc>)>,
}

/// A batch that the brake holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    /// Its number.
    pub number: i64,
    /// The source it came from.
    pub source: SourceName,
    /// People in it.
    pub people: u32,
    /// The latest sensible moment to release it, and the zone of the office where it comes first.
    pub release_by: Option<(DateTime<Utc>, Tz)>,
}

/// Everything that may be wrong, as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// People who stand on the call list.
    pub call_list_people: u32,
    /// The batches that the brake holds.
    pub held: Vec<HeldBatch>,
    /// Holds that people have set, by number.
    pub operator_holds: Vec<i64>,
    /// People not told whose deadline is near.
    pub untold_people: u32,
    /// How long each source has not been read completely.
    pub unread: BTreeMap<SourceName, Duration>,
    /// How many values of each source are not understood.
    pub faults: BTreeMap<SourceName, u32>,
    /// The gateways that are left alone, and why.
    pub paused: BTreeMap<String, String>,
    /// Why the node sends nothing until a person has decided what the store's past is.
    pub locked: Option<String>,
    /// What the node cannot write, so that it sends nothing.
    pub unwritten: Option<String>,
}

/// When a figure becomes an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmLimits {
    /// A deadline so close is near.
    pub untold_within: Duration,
    /// A source that was not read for longer is stale.
    pub stale_after: Duration,
}

/// What is wrong, each once, in the order of kinds and subjects.
#[must_use]
pub fn concerns(sight: &Sight, limits: &AlarmLimits) -> Vec<Concern> {
    let mut found = Vec::new();
    if sight.call_list_people > 0 {
        let text = format!(
            "{} must be phoned: varsel call-list",
            people(sight.call_list_people)
        );
        found.push(counted(
            AlarmKind::CallList,
            "",
            text,
            sight.call_list_people,
        ));
    }
    found.extend(sight.held.iter().map(held));
    found.extend(sight.operator_holds.iter().map(|hold| {
        let text = format!("hold h{hold} stands and stops messages: varsel hold list");
        concern(AlarmKind::OperatorHold, &format!("h{hold}"), text)
    }));
    if sight.untold_people > 0 {
        let text = format!(
            "{} not told, and due within {} minutes: varsel status",
            people(sight.untold_people),
            limits.untold_within.as_secs() / 60
        );
        found.push(counted(AlarmKind::Untold, "", text, sight.untold_people));
    }
    found.extend(sight.paused.iter().map(|(gateway, why)| {
        let text = format!("gateway \"{gateway}\" is left alone, its messages wait: {why}");
        concern(AlarmKind::GatewayPaused, gateway, text)
    }));
    let stale = sight.unread.iter();
    let stale = stale.filter(|(_, length)| **length > limits.stale_after);
    found.extend(stale.map(|(source, length)| {
        let minutes = length.as_secs() / 60;
        let text = format!("source \"{source}\" was not read for {minutes} minutes: see the log");
        concern(AlarmKind::SourceStale, &source.0, text)
    }));
    let odd = sight.faults.iter().filter(|(_, faults)| **faults > 0);
    found.extend(odd.map(|(source, faults)| {
        let text = format!(
            "source \"{source}\" shows {faults} values that the mapping does not know: varsel status"
        );
        counted(AlarmKind::UnknownWords, &source.0, text, *faults)
    }));
    found.extend(sight.locked.iter().map(|why| {
        let text = format!("locked, nothing is sent: {why}");
        concern(AlarmKind::Locked, "", text)
    }));
    found.extend(sight.unwritten.iter().map(|what| {
        let text = format!("nothing is sent: outcomes cannot be written ({what}); see the log");
        concern(AlarmKind::Store, "", text)
    }));
    found.sort();
    found
}

fn held(batch: &HeldBatch) -> Concern {
    let HeldBatch {
        number,
        source,
        people: count,
        release_by,
    } = batch;
    let by = release_by.map_or_else(String::new, |(by, zone)| {
        let by = calendar::weekday_time(Language::En, by, zone);
        format!(", to be released before {by} ({zone})")
    });
    let text = format!(
        "the brake holds batch {number} of \"{source}\", {}{by}: varsel hold show {number}",
        people(*count)
    );
    counted(AlarmKind::HeldBatch, &number.to_string(), text, *count)
}

fn concern(kind: AlarmKind, subject: &str, text: String) -> Concern {
    counted(kind, subject, text, 0)
}

fn counted(kind: AlarmKind, subject: &str, text: String, amount: u32) -> Concern {
    Concern {
        kind,
        subject: subject.to_owned(),
        text,
        amount,
    }
}

fn people(count: u32) -> String {
    match count {
        1 => "1 person".to_owned(),
        _ => format!("{count} people"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AlarmLimits = AlarmLimits {
        untold_within: Duration::from_secs(3 * 3600),
        stale_after: Duration::from_secs(600),
    };

    #[test]
    fn where_nothing_is_wrong_nobody_is_told() {
        let mut calm = Sight::default();
        calm.unread
            .insert(SourceName("oslo".to_owned()), LIMITS.stale_after);
        calm.faults.insert(SourceName("oslo".to_owned()), 0);
        assert_eq!(concerns(&calm, &LIMITS), []);
    }

    #[test]
    fn everything_that_is_wrong_is_told_once() {
        let sight = Sight {
            call_list_people: 1,
            held: vec![HeldBatch {
                number: 3,
                source: SourceName("oslo".to_owned()),
                people: 412,
                release_by: "2021-03-16T20:00:00Z"
                    .parse()
                    .ok()
                    .map(|by| (by, Tz::Europe__Oslo)),
            }],
            operator_holds: vec![1],
            untold_people: 12,
            unread: [(SourceName("oslo".to_owned()), Duration::from_secs(780))].into(),
            faults: [(SourceName("oslo".to_owned()), 2)].into(),
            paused: [("sms".to_owned(), "HTTP 401".to_owned())].into(),
            locked: Some("its journal is gone; `varsel recover` explains".to_owned()),
            unwritten: Some("the journal of attempts".to_owned()),
        };
        let texts: Vec<String> = concerns(&sight, &LIMITS)
            .into_iter()
            .map(|c| format!("{} {}: {}", c.kind, c.subject, c.text))
            .collect();
        assert_eq!(
            texts,
            [
                "call_list : 1 person must be phoned: varsel call-list",
                "held_batch 3: the brake holds batch 3 of \"oslo\", 412 people, to be released \
                 before Tuesday 16 March at 21:00 (Europe/Oslo): varsel hold show 3",
                "operator_hold h1: hold h1 stands and stops messages: varsel hold list",
                "untold : 12 people not told, and due within 180 minutes: varsel status",
                "gateway_paused sms: gateway \"sms\" is left alone, its messages wait: HTTP 401",
                "source_stale oslo: source \"oslo\" was not read for 13 minutes: see the log",
                "unknown_words oslo: source \"oslo\" shows 2 values that the mapping does not \
                 know: varsel status",
                "locked : locked, nothing is sent: its journal is gone; `varsel recover` explains",
                "store : nothing is sent: outcomes cannot be written (the journal of attempts); \
                 see the log",
            ]
        );
    }
}
