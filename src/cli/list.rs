//! `list`: appointments that are cancelled although the booking system still shows them.
//!
//! A list counts only with a good signature, as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::acting::{Acting, fresh_key};
use super::{Everywhere, Exit, Failure, Reading, moment, out};
use crate::clock::Clock;
use crate::config::{Config, ListKey};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::list::{self, ListId, Named};
use crate::store::{Access, Database, Deed, Desk, Ledger, NewList, StandingList};

pub(super) const HELP: &str = "\
What a list names is cancelled until the list is lifted, whatever the booking system shows; people are
told that they may still see the appointment there. It is a CSV file with the columns source and key
(key alone where there is one source), signed by a key that the configuration names as [[list_key]]:

  openssl genpkey -algorithm ed25519 -out kari.pem
  openssl pkeyutl -sign -rawin -inkey kari.pem -in list.csv -out list.sig

Examples:
  varsel -c varsel.toml list add list.csv --signature list.sig --reason \"the calendar is read-only\"
  varsel -c varsel.toml list list
  varsel -c varsel.toml list lift 3 --reason \"entered in the calendar\"";

/// No list is larger, in bytes.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// The length of a signature, in bytes (RFC 8032, 5.1.6).
const SIGNATURE_BYTES: usize = 64;
/// No more unknown appointments are named; the rest are counted.
const MOST_SHOWN: usize = 20;

/// Signed lists.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Cancel what a signed list names
    Add(Add),
    /// List the lists that stand
    List(Reading),
    /// Lift a list: what the booking system shows counts again
    Lift(Lift),
}

/// A list with its signature.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The list
    file: PathBuf,
    /// Its detached Ed25519 signature: 64 bytes, or those in base64
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

/// A list to be lifted.
#[derive(Debug, Args)]
pub(super) struct Lift {
    /// Its number in `list list`
    list: i64,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match verb {
        Verb::Add(add) => perform_add(everywhere, &config, add).await,
        Verb::List(reading) => {
            let zone = config.file.agency.zone.0;
            reading.now(zone)?;
            let store = Database::open(&config.store()?, Access::ReadOnly).await?;
            show(everywhere, &store.lists().await?, zone);
            Ok(Exit::Done)
        }
        Verb::Lift(lift) => perform_lift(everywhere, &config, lift).await,
    }
}

async fn perform_add(everywhere: &Everywhere, config: &Config, add: &Add) -> Result<Exit, Failure> {
    let list = add.checked(config)?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let now = Clock::system().now();
    let deed = Deed::AddList(list.clone());
    let act = add.acting.act(deed, fresh_key("list-add"), now)?;
    let acted = store.act(&act).await;
    let lists = store.lists().await;
    let unknown = unknown(&store, &list.named).await;
    store.close().await;
    let (count, lists, unknown) = (acted?.count, lists?, unknown?);
    let added = lists.iter().rev().find(|l| l.digest == list.digest);
    if everywhere.json {
        out::json(&json!({
            "list": added.map(|list| list.id.0),
            "appointments": count,
            "signed_by": list.signed_by,
            "unknown": unknown,
        }));
        return Ok(Exit::Done);
    }
    out::line(format_args!(
        "List {} stands, signed by {}: {} appointments are cancelled until it is lifted.",
        added.map_or(0, |list| list.id.0),
        list.signed_by,
        out::count(count)
    ));
    if !unknown.is_empty() {
        out::line(format_args!(
            "{} of them are not known yet, and count as soon as the booking system shows them:",
            out::count(u32::try_from(unknown.len()).unwrap_or(u32::MAX))
        ));
        unknown
            .iter()
            .take(MOST_SHOWN)
            .for_each(|name| out::line(format_args!("  {name}")));
    }
    Ok(Exit::Done)
}

/// What of a list is no appointment that was ever seen.
async fn unknown(store: &Database, named: &Named) -> Result<Vec<String>, Failure> {
    let mut sources: BTreeMap<&SourceName, Vec<BookingKey>> = BTreeMap::new();
    for (source, key) in named {
        sources.entry(source).or_default().push(key.clone());
    }
    let mut unknown = Vec::new();
    for (source, keys) in sources {
        let known = store.known(source, &keys).await?;
        let known: std::collections::BTreeSet<_> =
            known.iter().map(|known| &known.appointment.key).collect();
        let lost = keys.iter().filter(|key| !known.contains(key));
        unknown.extend(lost.map(|key| format!("{source}/{key}")));
    }
    Ok(unknown)
}

impl Add {
    /// The list, if its signature is good and all of it can be read.
    fn checked(&self, config: &Config) -> Result<NewList, Failure> {
        let keys = config.list_keys();
        if keys.is_empty() {
            let help = "name those who may, as [[list_key]] in the configuration";
            return Err(Failure::new(Exit::Config, "nobody may sign lists", help));
        }
        let content = read(&self.file)?;
        let signature = signature(&read(&self.signature)?);
        let signed = |key: &&ListKey| {
            let key = UnparsedPublicKey::new(&ED25519, &key.key);
            let good = |signature: &Vec<u8>| key.verify(&content, signature).is_ok();
            signature.as_ref().is_some_and(good)
        };
        let Some(signer) = keys.iter().find(signed) else {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            let problem = format!(
                "{} is not signed by {}; nothing was changed",
                self.file.display(),
                names.join(" or ")
            );
            let help = "sign exactly this file, after its last change; `list --help` says how";
            return Err(Failure::new(Exit::No, problem, help));
        };
        let sources = config.file.source.iter();
        let sources: Vec<_> = sources.map(|s| SourceName(s.name.clone())).collect();
        let refused = |problem: String| {
            let problem = format!("{}: {problem}; nothing was changed", self.file.display());
            Failure::new(Exit::No, problem, "mend the line, and sign the file anew")
        };
        let text = std::str::from_utf8(&content);
        let text = text.map_err(|_| refused("it is not UTF-8".to_owned()))?;
        let named = list::read(text, &sources).map_err(|problem| refused(problem.to_string()))?;
        let name = self.file.file_name().unwrap_or_default();
        Ok(NewList {
            file: name.to_string_lossy().into_owned(),
            digest: Sha256::digest(&content)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            signed_by: signer.name.clone(),
            named,
        })
    }
}

/// A file that is not endless.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let refused = |problem: String| {
        let problem = format!("{} cannot be read: {problem}", path.display());
        Failure::new(Exit::Unavailable, problem, "nothing was changed")
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut content = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut content);
    match read {
        Ok(_) if content.len() as u64 > MOST_BYTES => {
            Err(refused(format!("it is larger than {MOST_BYTES} bytes")))
        }
        Ok(_) => Ok(content),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The bytes of a signature: as they are, or in base64.
fn signature(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() == SIGNATURE_BYTES {
        return Some(content.to_vec());
    }
    STANDARD
        .decode(std::str::from_utf8(content).ok()?.trim())
        .ok()
}

async fn perform_lift(
    everywhere: &Everywhere,
    config: &Config,
    lift: &Lift,
) -> Result<Exit, Failure> {
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let deed = Deed::LiftList(ListId(lift.list));
    let act = lift
        .acting
        .act(deed, fresh_key("list-lift"), Clock::system().now());
    let acted = store.act(&act?).await;
    store.close().await;
    let count = acted?.count;
    if everywhere.json {
        out::json(&json!({ "list": lift.list, "done": "lifted", "appointments": count }));
        return Ok(Exit::Done);
    }
    out::line(format_args!(
        "List {} is lifted: what the booking system shows of its {} appointments counts again.",
        lift.list,
        out::count(count)
    ));
    Ok(Exit::Done)
}

fn show(everywhere: &Everywhere, lists: &[StandingList], zone: chrono_tz::Tz) {
    if everywhere.json {
        let lists: Vec<Value> = lists.iter().map(as_json).collect();
        out::json(&json!({ "lists": lists }));
        return;
    }
    if lists.is_empty() {
        out::line("No list stands.");
    }
    for list in lists {
        out::line(format_args!(
            "{:>3}  {}: {} appointments, signed by {}, added by {} on {}: {}",
            list.id.0,
            list.file,
            out::count(list.appointments),
            list.signed_by,
            list.actor,
            moment::minute(list.since, zone),
            list.reason,
        ));
    }
}

fn as_json(list: &StandingList) -> Value {
    json!({
        "list": list.id.0,
        "file": list.file,
        "appointments": list.appointments,
        "signed_by": list.signed_by,
        "actor": list.actor,
        "reason": list.reason,
        "since": list.since.to_rfc3339(),
    })
}
