//! `status`: who is told, who waits, who must be phoned. It reads the store beside a running daemon.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

mod lists;

use super::call_list::hidden;
use super::hold::operator;
use super::names::Names;
use super::{Everywhere, Exit, Failure, Reading, moment, out, recover};
use crate::domain::verdict::Guardians;
use crate::store::{
    Access, Batch, Cluster, Database, Desk, Fault, Lock, MustBePhoned, Tally, Unclear,
};
pub(super) use lists::{fault_json, fault_line};

pub(super) const HELP: &str = "\
Counts people, each once for every appointment that changed. The five words add up to all of them:
  Told            they know
  Waiting         a message may still reach them in time
  Must be phoned  nothing else is left: they stand on the call list
  Left out        rightly, because what changed was changed back or is void
  Too late        nobody told them in time
Then it names who must be phoned, with the reasons, the messages of which nobody knows whether they
arrived, and what of the sources is not understood.

Works while the daemon runs and when it does not.

Examples:
  varsel -c varsel.toml status
  varsel -c varsel.toml status --json
  varsel -c varsel.toml status --at 2021-03-17T08:00";

pub(super) async fn perform(everywhere: &Everywhere, reading: &Reading) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let names = Names::of(&config);
    let now = reading.now(names.zone)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let tally = store.tally(now).await?;
    let guardians = config.file.rules.guardians;
    let faults = store.faults().await?;
    let locks = store.standing("", None).await?.locks;
    let (holds, stopped) = (store.holds().await?, store.stopped_calls().await?);
    if everywhere.json {
        let all = store.must_be_phoned(now, u32::MAX).await?;
        let unclear = store.unclear(u32::MAX).await?;
        let mut keys = as_json(&tally, guardians, &all, &unclear, &faults, &locks);
        keys["holds"] = holds.iter().map(operator::as_json).collect();
        keys["calls_stopped"] = json!(stopped.len());
        out::json(&keys);
        return Ok(Exit::Done);
    }
    let batches = store.batches().await?;
    let first = store.must_be_phoned(now, lists::PEOPLE_NAMED).await?;
    let unclear = store.unclear(lists::PEOPLE_NAMED).await?;
    recover::lines(&locks, names.zone)
        .into_iter()
        .for_each(out::line);
    show(&tally);
    show_appointments(&tally, guardians);
    batches
        .iter()
        .for_each(|batch| show_batch(batch, now, names.zone));
    holds
        .iter()
        .for_each(|hold| operator::line(hold, names.zone));
    if let Some(text) = hidden(stopped.len()) {
        out::line(out::styled(out::BAD, text));
    }
    let phoned = lists::phoned(&first, &names);
    let unclear = lists::unclear(&unclear, tally.unknown, &names);
    let strange = lists::not_understood(&faults, &names);
    let lines = phoned.into_iter().chain(unclear).chain(strange);
    lines.for_each(out::line);
    Ok(Exit::Done)
}

/// The tally's keys, for programs, everybody who must be phoned, and what is not known or understood.
fn as_json(
    tally: &Tally,
    guardians: Guardians,
    phoned: &MustBePhoned,
    unclear: &[Unclear],
    faults: &[Fault],
    locks: &[Lock],
) -> serde_json::Value {
    let mut keys = short_json(tally);
    keys["appointments"] = json!(tally.appointments);
    keys["appointments_told"] = json!(tally.appointments_told(guardians));
    keys["held"] = json!(tally.held);
    keys["unknown"] = json!(tally.unknown);
    keys["possible_duplicates"] = json!(tally.possible_duplicates);
    keys["late"] = json!(tally.late);
    keys["trial"] = json!(tally.trial);
    keys["locks"] = recover::locks_json(locks);
    keys["to_phone"] = lists::phoned_json(phoned);
    keys["unclear"] = unclear.iter().map(lists::unclear_json).collect();
    keys["not_understood"] = faults.iter().map(fault_json).collect();
    keys
}

/// The keys that every tally has.
pub(super) fn short_json(tally: &Tally) -> serde_json::Value {
    json!({
        "told": tally.told,
        "waiting": tally.waiting,
        "must_be_phoned": tally.must_be_phoned,
        "left_out": tally.left_out,
        "too_late": tally.too_late,
        "sms": tally.sms,
        "email": tally.email,
    })
}

/// The tally, for people.
pub(super) fn show(tally: &Tally) {
    let row = |style, name: &str, number: u32, note: String| {
        let number = out::count(number);
        let line = format!("{name:<16}{number:>8}{note}");
        out::line(out::styled(style, line.trim_end()));
    };
    let note = |number: u32, word: &str| match number {
        0 => String::new(),
        _ => format!("   {} {word}", out::count(number)),
    };
    let alarming = |number: u32, style| if number == 0 { out::DIM } else { style };
    row(out::GOOD, "Told", tally.told, note(tally.late, "late"));
    row(
        alarming(tally.waiting, out::NOTE),
        "Waiting",
        tally.waiting,
        note(tally.held, "held"),
    );
    row(
        alarming(tally.must_be_phoned, out::BAD),
        "Must be phoned",
        tally.must_be_phoned,
        String::new(),
    );
    row(
        out::DIM,
        "Left out",
        tally.left_out,
        note(tally.trial, "messages on trial"),
    );
    row(
        alarming(tally.too_late, out::BAD),
        "Too late",
        tally.too_late,
        String::new(),
    );
    row(out::BOLD, "People", tally.people(), String::new());
    let handed_over = format!(
        "Accepted by gateways: {} SMS, {} e-mails{}{}",
        out::count(tally.sms),
        out::count(tally.email),
        note(tally.unknown, "unknown"),
        note(tally.possible_duplicates, "possible duplicates"),
    );
    out::line(handed_over);
}

/// Said where it says something else than the people do.
fn show_appointments(tally: &Tally, guardians: Guardians) {
    if tally.appointments == tally.people() {
        return;
    }
    let told = out::count(tally.appointments_told(guardians));
    let who = match guardians {
        Guardians::All => "every guardian knows",
        Guardians::Any => "one guardian is enough",
    };
    let all = out::count(tally.appointments);
    out::line(format!(
        "{:<16}{all:>8}   {told} told ({who})",
        "Appointments"
    ));
}

fn show_batch(batch: &Batch, now: DateTime<Utc>, zone: Tz) {
    let style = if batch.releasing { out::DIM } else { out::NOTE };
    let standing = if batch.releasing {
        "is being released"
    } else {
        "is held"
    };
    let mut line = format!(
        "Batch {} of {} {standing} since {}: {} ({})",
        batch.id.0,
        batch.source,
        moment::minute(batch.held_at, zone),
        out::people(batch.people),
        batch.braked.word().replace('_', " "),
    );
    if let Some(due) = batch.first_due_by {
        let left = (due - now).num_minutes().max(0);
        line.push_str(&format!(
            ", the first deadline in {} h {:02} min",
            left / 60,
            left % 60
        ));
    }
    out::line(out::styled(style, line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_tallys_keys_and_its_lists() {
        let nobody = MustBePhoned::default();
        let json = as_json(&Tally::default(), Guardians::All, &nobody, &[], &[], &[]);
        let keys: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = vec![
            "appointments",
            "appointments_told",
            "told",
            "waiting",
            "must_be_phoned",
            "left_out",
            "too_late",
            "sms",
            "email",
            "held",
            "unknown",
            "possible_duplicates",
            "late",
            "locks",
            "trial",
            "to_phone",
            "unclear",
            "not_understood",
        ];
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }
}
