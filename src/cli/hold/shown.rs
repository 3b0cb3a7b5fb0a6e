//! How a held batch is shown: in one line, as a whole, and for programs.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::cli::acting::session_user;
use crate::cli::{Everywhere, bubble, moment, out};
use crate::config::Config;
use crate::domain::brake::{self, Braked, Canary};
use crate::domain::calendar::SendWindow;
use crate::domain::directory::{Directory, OfficeId};
use crate::domain::language::Language;
use crate::domain::message::Channel;
use crate::sandbox::mail::readable;
use crate::store::{Batch, FirstOut, Sample};

/// What it takes to show a batch.
pub(super) struct Shown {
    program: String,
    directory: Arc<Directory>,
    window: SendWindow,
    canary_wait: TimeDelta,
    zone: Tz,
    now: DateTime<Utc>,
}

impl Shown {
    pub(super) fn new(everywhere: &Everywhere, config: &Config, now: DateTime<Utc>) -> Self {
        Self {
            program: everywhere.program(),
            // Names of offices are a courtesy: a broken directory must not hide a batch.
            directory: config.directory().unwrap_or_default(),
            window: config.rules().windows.sms,
            canary_wait: TimeDelta::from_std(config.file.brake.canary_wait.0)
                .unwrap_or(TimeDelta::MAX),
            zone: config.file.agency.zone.0,
            now,
        }
    }

    /// The latest sensible moment to release a batch: that of the office where it comes first.
    fn release_by(&self, batch: &Batch) -> Option<DateTime<Utc>> {
        let due = batch.first_due_by?;
        let offices = batch.offices.keys();
        brake::release_batch_by(due, offices, &self.directory, self.window, self.zone)
    }

    fn name_of<'a>(&'a self, office: &'a OfficeId) -> &'a str {
        let names = self.directory.offices.get(office).map(|o| &o.name_full);
        let name = names.and_then(|n| n.get(Language::En).or(n.get(Language::Nb)));
        name.unwrap_or(&office.0)
    }

    /// One line for the list.
    pub(super) fn line(&self, batch: &Batch) {
        let style = if batch.releasing { out::DIM } else { out::NOTE };
        let standing = if batch.releasing {
            "is being released"
        } else {
            "is held"
        };
        let head = format!(
            "Batch {} of {} {standing} since {}: {}, {}",
            batch.id.0,
            batch.source,
            moment::minute(batch.held_at, self.zone),
            out::people(batch.people),
            batch.braked.word().replace('_', " "),
        );
        out::line(out::styled(style, head));
        if batch.releasing {
            return;
        }
        if let Some((due, by)) = batch.first_due_by.zip(self.release_by(batch)) {
            out::line(format_args!(
                "  first deadline {}, {}; release {}",
                moment::minute(due, self.zone),
                left(due - self.now),
                self.until(by),
            ));
        }
        out::line(format_args!("  {} hold show {}", self.program, batch.id.0));
    }

    /// Everything a person must see before they decide.
    pub(super) fn whole(&self, batch: &Batch) {
        let head = format!(
            "Batch {} of {}: {}, held since {}",
            batch.id.0,
            batch.source,
            out::people(batch.people),
            moment::minute(batch.held_at, self.zone),
        );
        out::line(out::styled(out::BOLD, head));
        out::line(format_args!("  {}", why(batch.braked)));
        if let Some(first) = batch.first {
            out::line(format_args!("  {}", self.first(first)));
        }
        out::line("");
        self.deadlines(batch);
        out::line("");
        for (office, people) in &batch.offices {
            row(self.name_of(office), *people);
        }
        for (purpose, people) in &batch.purposes {
            row(&purpose.word().replace('_', " "), *people);
        }
        if !batch.samples.is_empty() {
            out::line("");
            out::line("What they would read, as written when the batch was held:");
        }
        batch.samples.iter().for_each(show_sample);
        self.what_to_do(batch);
    }

    /// How those fare who were let go before the rest.
    fn first(&self, first: FirstOut) -> String {
        let FirstOut {
            batch, released_at, ..
        } = first;
        let at = moment::minute(released_at, self.zone);
        let fare = match first.canary {
            Canary::Failed => "some of them failed: the rest waits for you".to_owned(),
            Canary::Waits => "some of them are still on their way".to_owned(),
            Canary::Fine => {
                let rest = moment::minute(released_at + self.canary_wait, self.zone);
                format!("none of them failed: the rest follows after {rest}")
            }
        };
        format!(
            "The first people of it left as batch {} on {at}; {fare}.",
            batch.0
        )
    }

    fn deadlines(&self, batch: &Batch) {
        let Some((due, by)) = batch.first_due_by.zip(self.release_by(batch)) else {
            return;
        };
        out::line(format_args!(
            "  First deadline  {}, {}",
            moment::minute(due, self.zone),
            left(due - self.now)
        ));
        let style = if by <= self.now { out::BAD } else { out::NOTE };
        out::line(out::styled(
            style,
            format_args!("  Release         {}", self.until(by)),
        ));
    }

    /// "before Mon 15 Mar 2021 21:00, in 6 h 58 min", or that it is late already.
    fn until(&self, by: DateTime<Utc>) -> String {
        let at = moment::minute(by, self.zone);
        if by <= self.now {
            format!("at once: the last good moment was {at}")
        } else {
            format!("before {at}, {}", left(by - self.now))
        }
    }

    fn what_to_do(&self, batch: &Batch) {
        out::line("");
        if batch.releasing {
            out::line("It is released and being written anew; there is nothing to decide.");
            return;
        }
        out::line("Compare it with the booking system, then say one of these, with your reason:");
        // A command that is printed can be pasted: also where no session says who acts.
        let actor = match session_user() {
            Some(_) => "",
            None => " --actor NAME",
        };
        for verb in ["release", "discard"] {
            out::line(format_args!(
                "  {} hold {verb} {} --seen {}:{} --reason \"...\"{actor}",
                self.program, batch.id.0, batch.version, batch.people
            ));
        }
    }

    /// The batch for programs.
    pub(super) fn as_json(&self, batch: &Batch) -> Value {
        let offices = batch
            .offices
            .iter()
            .map(|(o, people)| (&o.0, json!(people)));
        let purposes = batch.purposes.iter().map(|(p, n)| (p.word(), json!(n)));
        let sample = |s: &Sample| json!({ "channel": s.channel.word(), "text": readable(s) });
        json!({
            "batch": batch.id.0,
            "version": batch.version,
            "people": batch.people,
            "source": batch.source.0,
            "why": batch.braked.word(),
            "held_at": instant(batch.held_at),
            "first_due_by": batch.first_due_by.map(instant),
            "release_by": self.release_by(batch).map(instant),
            "releasing": batch.releasing,
            "first": batch.first.map(|first| json!({
                "batch": first.batch.0,
                "released_at": instant(first.released_at),
                "canary": first.canary.word(),
            })),
            "offices": offices.collect::<std::collections::BTreeMap<_, _>>(),
            "purposes": purposes.collect::<std::collections::BTreeMap<_, _>>(),
            "samples": batch.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn row(name: &str, people: u32) {
    let people = out::count(people);
    out::line(format_args!("  {name:<40}{people:>8}"));
}

fn show_sample(sample: &Sample) {
    out::line(format_args!(
        "  {}",
        out::styled(out::DIM, sample.channel.word())
    ));
    let text = readable(sample);
    if sample.channel == Channel::Sms {
        bubble::show(&text);
    } else {
        text.lines()
            .for_each(|line| out::line(format!("  │ {line}").trim_end()));
    }
}

/// "in 17 h 05 min", or that it has passed.
fn left(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    if minutes <= 0 {
        "passed".to_owned()
    } else {
        format!("in {} h {:02} min", minutes / 60, minutes % 60)
    }
}

fn why(braked: Braked) -> &'static str {
    match braked {
        Braked::TooMany => "One poll found more changes than [brake] max_changes.",
        Braked::TooLargeAShare => {
            "One poll changed a larger share of all known appointments than [brake] max_share."
        }
        Braked::MappingChanged => {
            "The mapping of this source was changed: what differs may be its doing."
        }
        Braked::TooManyInAnHour => {
            "Together with the hour before it is more than [brake] max_changes_per_hour."
        }
        Braked::TooLargeAShareInAnHour => {
            "Together with the hour before it is a larger share of all known appointments than \
             [brake] max_share_per_hour."
        }
        Braked::Shrunk => {
            "More appointments are missing from the booking system than [brake] max_shrink allows."
        }
        Braked::UniformShift => {
            "All times were moved by the same length: a time zone is more likely than a decision."
        }
        Braked::Restored => {
            "An older state of the store was put back: they may have been told already."
        }
        Braked::ZeroRows => "The booking system suddenly shows no appointments at all.",
    }
}
