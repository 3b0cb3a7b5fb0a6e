//! Reads the configuration, keeps the place of every value, and hands each room its own settings.
//!
//! The embedded config/varsel.toml is the lowest layer, the file of `-c` lies above it. Nothing
//! below `cli` knows this room; it knows the rooms only for the types of their settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::domain::brake::BrakeLimits;
use crate::domain::directory::{Directory, ServiceId};
use crate::domain::ladder::Ladder;
use crate::domain::message::Channel;
use crate::domain::plan::{Rule, Rules, RungTime, Windows};
use crate::domain::retry::RetryPolicy;
use crate::inbound::lmtp;
use crate::service::schedule::Schedule;
use crate::service::settings::{HttpSettings, Settings};

pub mod directory;
pub mod document;
mod error;
pub mod file;
mod gateway;
mod profile;
mod secret;
mod source;
mod words;

pub use document::{Document, Layer};
pub use error::{ConfigError, did_you_mean};
pub use file::File;
pub use secret::SecretFile;
pub use words::Length;
use words::LmtpPlace;

/// The commented default, as `config init` prints it.
pub const DEFAULT: &str = include_str!("../config/varsel.toml");

/// What an error calls the embedded default.
const DEFAULT_NAME: &str = "(embedded default) varsel.toml";

/// No configuration file is longer, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The configuration in force.
#[derive(Debug)]
pub struct Config {
    /// Every key as it is in force, paths resolved; `config show` prints it.
    pub file: File,
    document: Document,
}

impl Config {
    /// The embedded default with the file at `path` above it.
    ///
    /// # Errors
    /// Everything that keeps the daemon from starting and can be seen in the file alone.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Self::parse(None, Path::new(""));
        };
        let text = read("the configuration", path)?;
        let layer = Layer {
            name: path.display().to_string(),
            text,
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(Some(layer), folder)
    }

    /// As [`Config::load`], from a text whose paths are relative to `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(layer: Option<Layer>, folder: &Path) -> Result<Self, ConfigError> {
        let default = Layer {
            name: DEFAULT_NAME.to_owned(),
            text: DEFAULT.to_owned(),
        };
        let profiles = match &layer {
            Some(layer) => profile::of_sources(&layer.text, folder)?,
            None => Vec::new(),
        };
        let layers = std::iter::once(default).chain(layer).collect();
        let (mut file, document) = Document::read::<File>(layers, profiles)?;
        check_values(&file, &document)?;
        resolve(&mut file, folder);
        let config = Self { file, document };
        for entry in config.gateways() {
            entry.check()?;
        }
        Ok(config)
    }

    /// The settings of the service, with the secrets read from their files.
    ///
    /// # Errors
    /// When a secret cannot be read.
    pub fn service(&self, clock: Clock) -> Result<Settings, ConfigError> {
        let file = &self.file;
        let gateways: Result<Vec<_>, _> = self.gateways().map(|g| g.settings()).collect();
        Ok(Settings {
            node: file.node.name.clone(),
            clock,
            store: file.store.path.clone(),
            http: HttpSettings {
                listen: file.http.listen,
                public_url: file.http.public_url.clone(),
                max_connections: file.http.max_connections,
                read_timeout: file.http.read_timeout.0,
                max_body_bytes: file.http.max_body_bytes,
            },
            lmtp: file.inbound.lmtp.as_ref().map(|place| place.0.clone()),
            sources: file.source.iter().map(source::settings).collect(),
            gateways: gateways?,
            rules: self.rules(),
            brake: BrakeLimits {
                max_changes: file.brake.max_changes,
                max_share: file.brake.max_share,
                min_changes: file.brake.min_changes,
            },
            retry: RetryPolicy {
                base: file.retry.base.0,
                cap: file.retry.cap.0,
            },
            quarantine_margin: file.upkeep.quarantine_margin.0,
            erase: Schedule::new(&file.upkeep.erase.0, file.agency.zone.0)
                .expect("the expression was read by the same parser"),
            retention: TimeDelta::days(file.upkeep.retention_days.into()),
            look_again: file.upkeep.every.0,
            drain_limit: file.drain.limit.0,
        })
    }

    /// The rules of planning.
    #[must_use]
    pub fn rules(&self) -> Rules {
        rules(&self.file)
    }

    /// The directory: the agency's own, or the model case.
    ///
    /// # Errors
    /// Every fault of its file.
    pub fn directory(&self) -> Result<Arc<Directory>, DirectoryError> {
        let (path, text) = match &self.file.agency.directory {
            Some(path) => (path.as_path(), read("the directory", path)?),
            None => (
                Path::new("(embedded) offices.toml"),
                directory::MODEL_CASE.to_owned(),
            ),
        };
        Ok(Arc::new(directory::parse(&text, path)?))
    }

    /// The files of every gateway's secrets.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretFile> {
        self.gateways().flat_map(|entry| entry.secrets()).collect()
    }

    /// What the channels find wrong with their gateways, without connecting to anything.
    #[must_use]
    pub fn channel_faults(&self) -> Vec<ConfigError> {
        let gateways = self.gateways();
        gateways.filter_map(|entry| entry.channel_fault()).collect()
    }

    fn gateways(&self) -> impl Iterator<Item = gateway::Entry<'_>> {
        self.file
            .gateway
            .iter()
            .map(|(name, gateway)| gateway::Entry {
                name,
                gateway,
                document: &self.document,
            })
    }

    /// The effective configuration as one document that `-c` reads back. Secrets stand in it as
    /// names of files.
    #[must_use]
    pub fn show(&self) -> String {
        toml::to_string(&self.file).expect("every value of the file came from TOML")
    }

    /// An error at the value of these keys; see [`Document::error`].
    #[must_use]
    pub fn error(&self, keys: &[&str], problem: impl Into<String>, help: &str) -> ConfigError {
        self.document.error(keys, problem, help)
    }
}

/// Why there is no directory.
#[derive(Debug)]
pub enum DirectoryError {
    /// Its file cannot be read.
    Unreadable(ConfigError),
    /// It has faults.
    Faults(Vec<directory::DirectoryFault>),
}

impl From<ConfigError> for DirectoryError {
    fn from(error: ConfigError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Vec<directory::DirectoryFault>> for DirectoryError {
    fn from(faults: Vec<directory::DirectoryFault>) -> Self {
        Self::Faults(faults)
    }
}

fn read(what: &str, path: &Path) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::unreadable(what, path, &error);
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if MAX_FILE_BYTES < length {
        return Err(ConfigError::new(
            format!("\"{}\" is {length} bytes long", path.display()),
            "such a file has at most one megabyte: is this the right one?",
        ));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// Paths in the file are relative to it; a secret may also stand among systemd's credentials.
fn resolve(file: &mut File, folder: &Path) {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let resolve = |path: &mut PathBuf| *path = absolute.join(&*path);
    resolve(&mut file.store.path);
    if let Some(LmtpPlace(lmtp::Place::Unix(path))) = &mut file.inbound.lmtp {
        resolve(path);
    }
    file.agency.directory.iter_mut().for_each(resolve);
    file.agency.templates.iter_mut().for_each(resolve);
    for source in &mut file.source {
        resolve(&mut source.path);
        // Everything it says stands in the table by now.
        source.profile = None;
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    for gateway in file.gateway.values_mut() {
        gateway.ca_file.iter_mut().for_each(resolve);
        for profile in gateway
            .profile
            .iter_mut()
            .filter(|name| profile::is_path(name))
        {
            *profile = absolute.join(&*profile).display().to_string();
        }
        for name in gateway
            .password_file
            .iter_mut()
            .chain(gateway.secret_files.values_mut())
        {
            *name = SecretFile::find(name, credentials.as_ref(), &absolute).path;
        }
    }
}

fn rules(file: &File) -> Rules {
    let windows = &file.windows;
    Rules {
        rules: file.rule.iter().map(rule).collect(),
        short_notice: Duration::from_secs(u64::from(file.rules.short_notice_hours) * 3600),
        windows: Windows {
            sms: windows.sms.0,
            email: windows.email.0,
            phone: windows.phone.0,
        },
        quiet_reserve: windows.quiet_reserve.0,
        rung_time: RungTime {
            share: file.ladder.share,
            least: file.ladder.least.0,
            most: file.ladder.most.0,
        },
        second_language: file.agency.second_language.0,
        invitation_within: file.rules.invitation_within.0,
    }
}

fn rule(rule: &file::Rule) -> Rule {
    let channels: Vec<Channel> = rule.ladder.iter().map(|word| word.0).collect();
    Rule {
        services: rule
            .services
            .iter()
            .map(|id| ServiceId(id.clone()))
            .collect(),
        when: rule.when,
        short_notice: rule.short_notice,
        purpose: rule.purpose,
        ladder: Ladder::new(&channels),
        together: rule.together,
        on_unknown: rule.on_unknown,
    }
}

/// What no single value shows: bounds, and values that must fit each other.
fn check_values(file: &File, document: &Document) -> Result<(), ConfigError> {
    let share = |keys: &[&str], value: f64| {
        if 0.0 < value && value <= 1.0 {
            return Ok(());
        }
        let problem = format!("{value} is not a share");
        Err(document.error(
            keys,
            problem,
            "a share is above 0 and at most 1, such as 0.25",
        ))
    };
    share(&["ladder", "share"], file.ladder.share)?;
    share(&["brake", "max_share"], file.brake.max_share)?;
    let ordered = |keys: &[&str], least: Length, most: Length, help: &str| {
        if least <= most && !least.0.is_zero() {
            return Ok(());
        }
        Err(document.error(keys, format!("{least} does not fit {most}"), help))
    };
    let ladder = "ladder.least is above zero and at most ladder.most";
    ordered(
        &["ladder", "least"],
        file.ladder.least,
        file.ladder.most,
        ladder,
    )?;
    let retry = "retry.base is above zero and at most retry.cap";
    ordered(&["retry", "base"], file.retry.base, file.retry.cap, retry)?;
    bounces_have_a_place(file, document)?;
    source::check(file, document)?;
    gateways_differ(file, document)
}

/// Mails are taken for the addresses of attempts only, so a listener without them takes nothing.
fn bounces_have_a_place(file: &File, document: &Document) -> Result<(), ConfigError> {
    let named = file.gateway.values().any(|g| g.bounce_domain.is_some());
    if file.inbound.lmtp.is_none() || named {
        return Ok(());
    }
    let problem = "no gateway names the domain whose mails would be taken here";
    let help = "add bounce_domain = \"DOMAIN\" to the e-mail gateway, or remove this key";
    Err(document.error(&["inbound", "lmtp"], problem, help))
}

/// One gateway carries a channel; more of them are for a later release.
fn gateways_differ(file: &File, document: &Document) -> Result<(), ConfigError> {
    let mut channels = BTreeMap::new();
    for (name, gateway) in &file.gateway {
        if let Some(other) = channels.insert(gateway.channel, name) {
            let problem = format!("\"{other}\" carries {} already", gateway.channel);
            let help = "one gateway carries a channel: remove one of them";
            return Err(document.error(&["gateway", name, "channel"], problem, help));
        }
    }
    Ok(())
}
