//! `recover`: says why the store is locked, and resolves it at a person's word.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Value, json};

use super::acting::{Person, fresh_key};
use super::{Everywhere, Exit, Failure, moment, out};
use crate::clock::Clock;
use crate::store::{
    Access, Cluster, Database, Deed, Desk, Lock, Locked, Recovery, Standing, StoreResult,
};

pub(super) const HELP: &str = "\
Each node remembers its newest attempt in a small file outside the database. When the database does
not hold that attempt, an older state of it was put back (a backup, or a standby that lagged behind):
it takes for untold what has been told. Then nothing is sent until a person has decided.

Without an option it explains, and ends with 75 while the store is locked. Works while the daemon runs,
which goes on by itself, and when it does not.

  --ask           the safe choice: what waits may have been sent. What was never tried is held for your
                  yes, and so is what the next look at each booking system finds (`hold list`, `hold
                  show`); whom it was tried to reach before must be phoned. Compare with the gateway's log
  --as-it-stands  only where the newest state is back after all, or nothing was sent since

Examples:
  varsel -c varsel.toml recover
  varsel -c varsel.toml recover --ask --reason \"the backup of 03:00 was put back\"";

/// What to do.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// What may have been sent is sent only at your word
    #[arg(long, conflicts_with = "as_it_stands", requires = "reason")]
    ask: bool,
    /// Nothing was sent since: everything goes on
    #[arg(long, requires = "reason")]
    as_it_stands: bool,
    /// Why, in your own words; it is kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    person: Person,
}

impl Options {
    fn how(&self) -> Option<Recovery> {
        match (self.ask, self.as_it_stands) {
            (true, _) => Some(Recovery::Ask),
            (false, true) => Some(Recovery::AsItStands),
            (false, false) => None,
        }
    }
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let zone = config.file.agency.zone.0;
    match options.how() {
        None => {
            let store = Database::open(&config.store()?, Access::ReadOnly).await?;
            let standing = standing(&store).await?;
            Ok(explain(everywhere, &standing, zone))
        }
        Some(how) => {
            let store = Database::open(&config.store()?, Access::Verb).await?;
            let reason = options.reason.as_deref().unwrap_or_default();
            let (key, now) = (fresh_key("recover"), Clock::system().now());
            let act = options.person.act(reason, Deed::Recover(how), key, now)?;
            let acted = store.act(&act).await;
            store.close().await;
            tell(everywhere, how, acted?.count);
            Ok(Exit::Done)
        }
    }
}

/// The locks that stand.
async fn standing(store: &Database) -> StoreResult<Standing> {
    store.standing("", None).await
}

fn explain(everywhere: &Everywhere, standing: &Standing, zone: Tz) -> Exit {
    if everywhere.json {
        out::json(&json!({ "locks": locks_json(&standing.locks) }));
    } else if standing.locks.is_empty() {
        out::line("The store is not locked; there is nothing to recover.");
    } else {
        standing.locks.iter().for_each(|lock| show(lock, zone));
        ways(&everywhere.program());
    }
    match standing.locks.is_empty() {
        true => Exit::Done,
        false => Exit::TryAgain,
    }
}

fn show(lock: &Lock, zone: Tz) {
    let since = moment::minute(lock.since, zone);
    let whose = match lock.why {
        Locked::OlderState | Locked::Moved => "The store is locked".to_owned(),
        Locked::NoJournal => format!("Node \"{}\" is locked", lock.node),
    };
    out::line(out::styled(
        out::BAD,
        format_args!("{whose} since {since}: nothing is sent."),
    ));
    let newest = match lock.newest {
        Some(newest) => format!(
            "the newest that it held is attempt {} of {}",
            newest.attempt.0,
            moment::minute(newest.at, zone)
        ),
        None => "it held none at all".to_owned(),
    };
    match lock.why {
        Locked::OlderState => {
            out::line(format_args!(
                "Node \"{}\" has made attempt {}, which the store did not hold; {newest}.",
                lock.node, lock.remembered.0
            ));
            out::line(format_args!(
                "So an older state of the database was put back. At least {} after it, and who got \
                 them, are not known to it: it takes for untold what has been told. What was told \
                 of changes that were undone since is known to the gateway's log alone.",
                out::plural(
                    usize::try_from(lock.missing()).unwrap_or(usize::MAX),
                    "attempt"
                )
            ));
        }
        Locked::Moved => out::line(
            "It was copied into another database (`db copy`), which has taken its place: two that \
             send would tell everybody twice. Where the copy was broken off and that database is \
             empty (`db verify` there), this one may go on.",
        ),
        Locked::NoJournal => {
            out::line(format_args!(
                "It has worked on this store, and its journal of attempts ([store] journal) is gone. \
                 So nobody can say whether the store is as it was left; {newest}."
            ));
        }
    }
}

fn ways(program: &str) {
    out::line("");
    out::line("To go on, the safe way first:");
    out::line(format_args!("  {program} recover --ask --reason TEXT"));
    out::line(
        "      what waits, and what the next look at each booking system finds, is sent only at",
    );
    out::line("      your word (`hold list`); whom it was tried to reach before must be phoned");
    out::line(format_args!(
        "  {program} recover --as-it-stands --reason TEXT"
    ));
    out::line("      only where the newest state is back after all, or nothing was sent since");
}

fn tell(everywhere: &Everywhere, how: Recovery, count: u32) {
    let word = match how {
        Recovery::Ask => "ask",
        Recovery::AsItStands => "as_it_stands",
    };
    if everywhere.json {
        out::json(&json!({ "recovered": word, "messages": count }));
        return;
    }
    match how {
        Recovery::Ask => {
            let messages = out::plural(usize::try_from(count).unwrap_or(usize::MAX), "message");
            out::line(format_args!(
                "Recovered. {messages} that may have been sent will not be sent without your word."
            ));
            out::line(
                "`varsel hold list` shows what waits for it, also after the next look at each \
                 booking system; `varsel call-list` whom to phone.",
            );
        }
        Recovery::AsItStands => out::line("Recovered. Everything goes on as it stands."),
    }
}

/// What `status` says of locks: one line each.
pub(super) fn lines(locks: &[Lock], zone: Tz) -> Vec<String> {
    let line = |lock: &Lock| {
        let whose = match lock.why {
            Locked::OlderState | Locked::Moved => "Locked".to_owned(),
            Locked::NoJournal => format!("Node \"{}\" is locked", lock.node),
        };
        let text = format!(
            "{whose} since {}: nothing is sent. `varsel recover` says why and what to do",
            moment::minute(lock.since, zone)
        );
        out::styled(out::BAD, text)
    };
    locks.iter().map(line).collect()
}

/// Locks, for programs.
pub(super) fn locks_json(locks: &[Lock]) -> Value {
    let instant = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let lock = |lock: &Lock| {
        json!({
            "node": lock.node,
            "why": lock.why.word(),
            "since": instant(lock.since),
            "remembered_attempt": lock.remembered.0,
            "newest_attempt": lock.newest.map(|newest| newest.attempt.0),
            "newest_attempt_at": lock.newest.map(|newest| instant(newest.at)),
        })
    };
    Value::Array(locks.iter().map(lock).collect())
}
