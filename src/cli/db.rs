//! `db`: the store's schema, whether it is whole, and its way from one machine to many nodes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::json;

use super::{Everywhere, Exit, Failure, out};
use crate::clock::{Clock, Mono};
use crate::config::Config;
use crate::store::{Access, AttemptId, Breach, Database, Lock, Locked, Place, Schema, copying};

pub(super) const HELP: &str = "\
Examples:
  varsel -c varsel.toml db migrate --dry-run
  varsel -c varsel.toml db verify
  varsel -c varsel.toml db copy --to postgres.toml";

const MIGRATE_HELP: &str = "\
The daemon does the same when it starts; this is for those who want it to happen before. A SQLite file
is refused while its daemon runs. On PostgreSQL nodes that start at once wait for each other.

Examples:
  varsel -c varsel.toml db migrate --dry-run
  varsel -c varsel.toml db migrate";

const VERIFY_HELP: &str = "\
Reads everything and changes nothing, beside the daemon or without it: what SQLite can check of its
own file, that every row's references are there, and the laws of the rows: nothing was handed over
without an attempt, every notice has a verdict or something in motion, what is erased is gone. It
names rows by number, never a person. Ends with 1 if anything is not as it must be.

Example:
  varsel -c varsel.toml db verify --json";

const COPY_HELP: &str = "\
Copies the SQLite store of this configuration into the empty PostgreSQL database of another one. Stop
the daemon first; a running one is refused, and so is a database that is not empty. All of it is
copied and compared, row by row, or nothing is; what people say meanwhile (`hold add`, a tick) is
refused. Then the file is locked, so that no daemon sends from both and no verb acts on the wrong one. Start the daemon with the other configuration, which needs no journal of its own yet.

Example:
  varsel -c varsel.toml db copy --to postgres.toml";

/// A whole-store read on PostgreSQL may take as long as this.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where no bar can be drawn, a line is written at most this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Bring the schema up to date
    #[command(after_help = MIGRATE_HELP)]
    Migrate(Migrate),
    /// Look whether the store is whole
    #[command(after_help = VERIFY_HELP)]
    Verify,
    /// Copy a SQLite store into an empty PostgreSQL database
    #[command(after_help = COPY_HELP)]
    Copy(Copy),
}

/// How to migrate.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Where to copy to.
#[derive(Debug, Args)]
pub(super) struct Copy {
    /// A configuration whose store.url names the database
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match verb {
        Verb::Migrate(migrate) => perform_migrate(everywhere, &config, migrate.dry_run).await,
        Verb::Verify => perform_verify(everywhere, &config).await,
        Verb::Copy(copy) => perform_copy(everywhere, &config, copy).await,
    }
}

async fn perform_migrate(
    everywhere: &Everywhere,
    config: &Config,
    dry_run: bool,
) -> Result<Exit, Failure> {
    let place = config.store()?;
    let Schema { found, newest } = Database::schema(&place).await?;
    let behind = found < newest;
    if behind && !dry_run {
        Database::open(&place, Access::Daemon).await?.close().await;
    }
    let done = behind && !dry_run;
    if everywhere.json {
        out::json(&json!({ "found": found, "newest": newest, "migrated": done }));
    } else if !behind {
        out::line(format_args!(
            "The schema is of version {found}, as this program has it. Nothing is to be done."
        ));
    } else if done {
        out::line(format_args!(
            "The schema was of version {found} and is now of version {newest}."
        ));
    } else {
        out::line(format_args!(
            "The schema is of version {found}; `varsel db migrate` makes it version {newest}."
        ));
    }
    Ok(Exit::Done)
}

async fn perform_verify(everywhere: &Everywhere, config: &Config) -> Result<Exit, Failure> {
    let place = patient(config.store()?);
    let store = Database::open(&place, Access::ReadOnly).await?;
    let breaches = store.verify().await?;
    store.close().await;
    if everywhere.json {
        let breaches: Vec<_> = breaches.iter().map(breach_json).collect();
        out::json(&json!({ "breaches": breaches }));
    } else if breaches.is_empty() {
        out::line("The store is whole.");
    } else {
        breaches.iter().for_each(show);
        out::line(
            "Nothing was changed. Keep a copy as it is, and look at the history of these rows \
             before anything is sent.",
        );
    }
    Ok(match breaches.is_empty() {
        true => Exit::Done,
        false => Exit::No,
    })
}

fn patient(place: Place) -> Place {
    match place {
        Place::Postgres(address) => Place::Postgres(Box::new(address.with_patience(PATIENCE))),
        file @ Place::Sqlite(_) => file,
    }
}

fn breach_json(breach: &Breach) -> serde_json::Value {
    json!({
        "table": breach.table,
        "law": breach.law,
        "count": breach.count,
        "rows": breach.rows,
    })
}

fn show(breach: &Breach) {
    let rows: Vec<_> = breach.rows.iter().map(|row| format!("#{row}")).collect();
    let named = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let more = match breach.count.saturating_sub(named) {
        0 => String::new(),
        _ if rows.is_empty() => String::new(),
        more => format!(" and {} more", out::count(more)),
    };
    let rows = match rows.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", rows.join(", ")),
    };
    let line = format!(
        "{} of {} {}{rows}",
        out::count(breach.count),
        breach.table,
        breach.law
    );
    out::line(out::styled(out::BAD, line));
}

async fn perform_copy(
    everywhere: &Everywhere,
    config: &Config,
    copy: &Copy,
) -> Result<Exit, Failure> {
    let usage = |problem: &str, help: &str| Failure::new(Exit::Usage, problem, help);
    let Place::Sqlite(from) = config.store()? else {
        let help = "name the configuration of the SQLite store with -c";
        return Err(usage("the store of -c is no SQLite file", help));
    };
    let other = Config::load(Some(&copy.to))?;
    let Place::Postgres(to) = other.store()? else {
        let help = "set [store] url there";
        return Err(usage("the store of --to is no PostgreSQL database", help));
    };
    let mut bar = Bar::new();
    let past = past(&config.file.node.name);
    let copied = copying::copy(&from, &to, &past, &mut |done, all| bar.show(done, all)).await;
    bar.end();
    let copied = copied?;
    if everywhere.json {
        out::json(&json!({ "tables": copied.tables, "rows": copied.rows }));
        return Ok(Exit::Done);
    }
    out::line(format_args!(
        "Copied {} rows of {} tables; counts and contents agree.",
        copied.rows, copied.tables
    ));
    out::line(format_args!(
        "{} is locked now. Start the daemon with {}; keep the file until it has run.",
        from.display(),
        copy.to.display()
    ));
    Ok(Exit::Done)
}

/// The file's store is the past: nothing is sent from it.
fn past(node: &str) -> Lock {
    Lock {
        node: node.to_owned(),
        why: Locked::Moved,
        since: Clock::system().now(),
        remembered: AttemptId(0),
        newest: None,
    }
}

/// How far a copy is: a bar on a terminal, lines elsewhere.
struct Bar {
    drawn: Option<ProgressBar>,
    last: Mono,
}

impl Bar {
    fn new() -> Self {
        Self {
            drawn: out::bar("{wide_bar} {pos} of {len} rows"),
            last: Mono::now(),
        }
    }

    fn show(&mut self, done: u64, all: u64) {
        match &self.drawn {
            Some(bar) => {
                bar.set_length(all);
                bar.set_position(done);
            }
            None if LINE_EVERY <= self.last.elapsed() || done == all => {
                out::note(format_args!("{done} of {all} rows"));
                self.last = Mono::now();
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }
}
