//! What a plan adds up to: messages and parts by channel, when the last one leaves, and whether that
//! is in time.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::said;
use crate::cli::names::Names;
use crate::cli::{moment, out};
use crate::domain::message::Channel;
use crate::service::rehearsal::{Pace, pace};
use crate::store::NewNotice;

/// The sums of one channel.
struct Sum {
    channel: Channel,
    messages: usize,
    parts: usize,
    rate: u32,
    pace: Option<Pace>,
}

/// The sums of a plan.
pub(super) struct Tally {
    sums: Vec<Sum>,
    /// The first deadline of all.
    first_due_by: Option<DateTime<Utc>>,
}

impl Tally {
    pub(super) fn of<'a>(
        notices: impl Iterator<Item = &'a NewNotice>,
        rate: impl Fn(Channel) -> u32,
        now: DateTime<Utc>,
    ) -> Self {
        let notices: Vec<&NewNotice> = notices.collect();
        let sum = |channel: Channel| {
            let mut sum = Sum {
                channel,
                messages: 0,
                parts: 0,
                rate: rate(channel),
                pace: None,
            };
            let mut leaving = Vec::new();
            for notice in &notices {
                for message in notice.messages.iter().filter(|m| m.channel == channel) {
                    if message.is_spoken_for() {
                        continue;
                    }
                    sum.messages += 1;
                    sum.parts += message.parts();
                    leaving.push((message.not_before, notice.due_by));
                }
            }
            // How fast people phone is for them to say.
            if channel != Channel::Phone {
                sum.pace = pace(now, sum.rate, &leaving);
            }
            sum
        };
        Self {
            sums: [Channel::Sms, Channel::Email, Channel::Phone]
                .map(sum)
                .into(),
            first_due_by: notices.iter().map(|notice| notice.due_by).min(),
        }
    }

    /// How many messages would leave after their deadline.
    pub(super) fn late(&self) -> u32 {
        let paces = self.sums.iter().filter_map(|sum| sum.pace);
        paces.map(|pace| pace.late).sum()
    }

    pub(super) fn show(&self, names: &Names) {
        let Some(first) = self.first_due_by else {
            out::line("Nobody would be told anything.");
            return;
        };
        for sum in self.sums.iter().filter(|sum| sum.messages > 0) {
            let mut line = format!(
                "{:<10}{:>8}",
                said(sum.channel),
                out::long(sum.messages as u64)
            );
            if sum.parts > 0 {
                line.push_str(&format!(" in {}", out::plural(sum.parts, "part")));
            }
            if let Some(pace) = sum.pace {
                let last = moment::second(pace.last, names.zone);
                line.push_str(&format!(
                    ", at {} a second the last leaves {last}",
                    sum.rate
                ));
            }
            out::line(line);
        }
        let due = moment::minute(first, names.zone);
        let (style, verdict) = match self.late() {
            0 => (out::GOOD, "everybody is told before it".to_owned()),
            late => (
                out::BAD,
                format!(
                    "{} would leave too late",
                    out::plural(late as usize, "message")
                ),
            ),
        };
        let line = format!("The first appointment affected is {due}: {verdict}.");
        out::line(out::styled(style, line));
    }

    pub(super) fn as_json(&self) -> Value {
        let sum = |sum: &Sum| {
            json!({
                "channel": sum.channel.word(),
                "messages": sum.messages,
                "parts": sum.parts,
                "rate": sum.rate,
                "last_leaves": sum.pace.map(|pace| pace.last.to_rfc3339()),
                "late": sum.pace.map_or(0, |pace| pace.late),
            })
        };
        json!({
            "channels": self.sums.iter().map(sum).collect::<Vec<_>>(),
            "first_due_by": self.first_due_by.map(|due| due.to_rfc3339()),
            "late": self.late(),
        })
    }
}
