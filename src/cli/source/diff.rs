//! `source diff`: what would change if the daemon looked now. Nothing is sent or recorded.

use serde_json::{Value, json};

use super::Options;
use crate::cli::names::Names;
use crate::cli::rehearse::{all, change, ending, tells};
use crate::cli::{Everywhere, Exit, Failure, out};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::change::ChangeKind;
use crate::service::rehearsal::Rehearsed;
use crate::store::Entry;

/// No more changes of one source are shown to a person; programs get all of them.
const MOST_SHOWN: usize = 50;

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let names = Names::of(&config);
    let now = options.reading.now(names.zone)?;
    let (mut failures, mut found) = (Vec::new(), Vec::new());
    for rehearsed in all(&config, options.name.as_deref(), now).await? {
        match rehearsed {
            Ok(rehearsed) if everywhere.json => found.push(as_json(&rehearsed)),
            Ok(rehearsed) => show(&rehearsed, &names),
            Err(failure) => {
                found.push(json!({ "failure": failure.as_json() }));
                failures.push(failure);
            }
        }
    }
    let exit = ending(&failures, Exit::Done);
    if everywhere.json {
        out::json(&json!({ "sources": Value::Array(found) }));
    } else {
        failures.into_iter().for_each(out::error);
        out::line(out::styled(
            out::DIM,
            "Nothing was sent, and nothing was recorded.",
        ));
    }
    Ok(exit)
}

/// How many entries are of which sort, beside the changes that people would be told.
struct Quiet {
    new: usize,
    refreshed: usize,
    silent: usize,
}

impl Quiet {
    fn of(rehearsed: &Rehearsed) -> Self {
        let count = |fits: &dyn Fn(&Entry) -> bool| {
            rehearsed.entries.iter().filter(|entry| fits(entry)).count()
        };
        Self {
            new: count(&|entry| entry.believed.is_none()),
            refreshed: count(&|entry| entry.believed.is_some() && !entry.supersede),
            silent: count(&|entry| entry.supersede && entry.notices.is_empty()),
        }
    }
}

fn show(rehearsed: &Rehearsed, names: &Names) {
    let changes: Vec<&Entry> = rehearsed.entries.iter().filter(|e| tells(e)).collect();
    let head = format!(
        "{} · {}, {}",
        rehearsed.source,
        out::rows(rehearsed.rows.into()),
        out::plural(changes.len(), "change")
    );
    out::line(out::styled(out::BOLD, head));
    let quiet = Quiet::of(rehearsed);
    if !rehearsed.baseline {
        let bookings = out::plural(quiet.new + quiet.refreshed, "booking");
        out::line(format_args!(
            "  It has not been read before: {bookings} would become the baseline, and nobody is told."
        ));
    }
    for entry in changes.iter().take(MOST_SHOWN) {
        let Some(change) = change(entry) else {
            continue;
        };
        let key = &entry.appointment.key.0;
        let what = match change.kind {
            ChangeKind::Cancelled => format!("cancelled   {}", names.place(&change.old)),
            ChangeKind::Moved { .. } => {
                let (old, new) = (names.place(&change.old), names.place(&change.new));
                format!("moved       {old} → {new}")
            }
            ChangeKind::Reinstated => format!("reinstated  {}", names.place(&change.new)),
        };
        out::line(format_args!("  {key:<12} {what}"));
    }
    if changes.len() > MOST_SHOWN {
        let more = changes.len() - MOST_SHOWN;
        out::line(format_args!(
            "  and {}; --json has all",
            out::plural(more, "more change")
        ));
    }
    if rehearsed.baseline {
        let sorts = [
            (quiet.new, "new"),
            (quiet.refreshed, "brought up to date"),
            (quiet.silent, "changed without anybody to tell"),
        ];
        for (count, sort) in sorts.into_iter().filter(|(count, _)| *count > 0) {
            out::line(format_args!("  {} {sort}", out::plural(count, "booking")));
        }
    }
    if let Some(batch) = rehearsed.batch {
        let why = batch.braked.word().replace('_', " ");
        let line = format!("  The brake would hold them until a person releases them: {why}");
        out::line(out::styled(out::NOTE, line));
    }
    for fault in rehearsed.faults.iter().take(MOST_SHOWN) {
        out::line(format_args!("  {} {fault}", out::styled(out::BAD, "✗")));
    }
    let more = rehearsed.faults.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        out::line(format_args!(
            "  and {more} more values that are not understood"
        ));
    }
    out::line("");
}

fn as_json(rehearsed: &Rehearsed) -> Value {
    let changes = rehearsed.entries.iter().filter(|entry| tells(entry));
    let changes = changes.filter_map(|entry| {
        let change = change(entry)?;
        let kind = match change.kind {
            ChangeKind::Cancelled => "cancelled",
            ChangeKind::Moved { .. } => "moved",
            ChangeKind::Reinstated => "reinstated",
        };
        let held = rehearsed.batch.is_some() && entry.admitted_by.is_none();
        Some(json!({
            "key": entry.appointment.key.0,
            "kind": kind,
            "service": entry.appointment.service.0,
            "from": state(&change.old),
            "to": state(&change.new),
            "held": held,
        }))
    });
    let quiet = Quiet::of(rehearsed);
    let fault = |fault: &crate::source::RowFault| {
        json!({
            "key": fault.key.as_ref().map(|key| &key.0),
            "column": fault.column,
            "problem": fault.problem,
        })
    };
    json!({
        "source": rehearsed.source.0,
        "baseline": rehearsed.baseline,
        "rows": rehearsed.rows,
        "changes": changes.collect::<Vec<_>>(),
        "new": quiet.new,
        "refreshed": quiet.refreshed,
        "silent": quiet.silent,
        "brake": rehearsed.batch.map(|batch| batch.braked.word()),
        "not_understood": rehearsed.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

fn state(state: &BookingState) -> Value {
    json!({
        "stands": state.standing == Standing::Active,
        "start": state.start.to_rfc3339(),
        "office": state.office.0,
    })
}
