//! `commitments`: what people were promised and did not get yet.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::closing::known_office;
use super::names::Names;
use super::{Everywhere, Exit, Failure, Reading, moment, out};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::directory::OfficeId;
use crate::domain::notice::Purpose;
use crate::store::{Access, Commitment, Database, Desk};

pub(super) const HELP: &str = "\
Who was told \"we will write to you when you can book\" (a closing with the next step we_invite) stands
here until they have been invited (`wave start`) or phoned, have another appointment, or their own
stands again. So does who is to be told that we were wrong (`correct`), until their appointment stands.

Examples:
  varsel -c varsel.toml commitments
  varsel -c varsel.toml commitments --office gronland --json";

/// So many are named in plain text.
const SHOWN: usize = 50;

/// What to list.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only this office
    #[arg(long, value_name = "OFFICE")]
    office: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let now = options.reading.now(config.file.agency.zone.0)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let mut open = store.commitments().await?;
    let of_office = |c: &Commitment| options.office.as_ref().is_none_or(|id| c.office.0 == *id);
    open.retain(|c| of_office(c) && c.since.is_none_or(|since| since <= now));
    if open.is_empty() {
        let directory = config.directory().unwrap_or_default();
        known_office(options.office.as_deref(), &directory)?;
    }
    if everywhere.json {
        let all: Vec<Value> = open.iter().map(as_json).collect();
        out::json(&json!({ "commitments": all }));
        return Ok(Exit::Done);
    }
    if open.is_empty() {
        out::line("Every promise is kept.");
        return Ok(Exit::Done);
    }
    let names = Names::of(&config);
    let mut offices: BTreeMap<(&OfficeId, Purpose), u32> = BTreeMap::new();
    for commitment in &open {
        *offices
            .entry((&commitment.office, commitment.purpose))
            .or_default() += 1;
    }
    for ((office, purpose), people) in &offices {
        let line = format!(
            "{:>7}  {} wait for {}",
            out::count(*people),
            names.office(office),
            awaited(*purpose)
        );
        out::line(out::styled(out::BOLD, line));
    }
    out::line("");
    open.iter()
        .take(SHOWN)
        .for_each(|commitment| line(commitment, &names));
    if open.len() > SHOWN {
        let more = out::count(u32::try_from(open.len() - SHOWN).unwrap_or(u32::MAX));
        out::line(format_args!("  and {more} more; --json has all"));
    }
    Ok(Exit::Done)
}

fn awaited(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Correction => "a correction",
        Purpose::Cancellation
        | Purpose::Change
        | Purpose::Reinstatement
        | Purpose::DigitalInvitation
        | Purpose::Rebooking => "an invitation",
    }
}

fn line(commitment: &Commitment, names: &Names) {
    let state = BookingState {
        standing: Standing::Active,
        start: commitment.start,
        office: commitment.office.clone(),
    };
    let since = commitment
        .since
        .map(|since| moment::minute(since, names.zone));
    let under_way = if commitment.under_way {
        "; under way"
    } else {
        ""
    };
    out::line(format_args!(
        "  {}  {:<12} {}  {} since {}{under_way}",
        commitment.reference,
        commitment.key.0,
        names.place(&state),
        awaited(commitment.purpose),
        since.unwrap_or_else(|| "its call".to_owned()),
    ));
}

fn as_json(commitment: &Commitment) -> Value {
    json!({
        "source": commitment.source.0,
        "key": commitment.key.0,
        "role": commitment.role.to_string(),
        "reference": commitment.reference.to_string(),
        "awaits": commitment.purpose.word(),
        "office": commitment.office.0,
        "start": commitment.start.to_rfc3339(),
        "since": commitment.since.map(|since| since.to_rfc3339()),
        "under_way": commitment.under_way,
    })
}
